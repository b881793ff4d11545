// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The only place where a volume's configuration changes once it is made: a
 * compare-and-set on the epoch, and a check that the new one is a legal step
 * of the rules R1, R3, R4, R9, R10 and R13 from the old.  Whoever proposes, a
 * planner with old facts or a fault of ours, cannot commit an illegal step.
 * A primary without an in-sync slot of its own goes by the others (R11); its own
 * slot is not readmitted while it serves.
 */
#include <stdio.h>
#include <string.h>

#include "fsm_internal.h"

/* One step under test: from @old to @new. */
struct step {
	const struct fsm_volume		*vol;
	const struct hf_conf_data	*old;
	const struct hf_conf_data	*new;
	const struct cmd_conf		*cmd;
	struct fsm_result		*res;
};

#define ILLEGAL(s, ...) fsm_refuse((s)->res, FSM_ILLEGAL, __VA_ARGS__)

static u8 primary_bit(const struct hf_conf_data *conf)
{
	int slot = conf->primary_node ? hf_conf_slot_of(conf, conf->primary_node) : -1;

	return slot < 0 ? 0 : (u8)(1 << slot);
}

static u8 cited_mask(const struct hf_conf_data *conf)
{
	u8 mask = 0;
	int i;

	for (i = 0; i < HF_MAX_SLOTS; i++) {
		if (conf->slots[i].cited_life)
			mask |= (u8)(1 << i);
	}
	return mask;
}

static bool one_bit(u8 mask)
{
	return mask && !(mask & (mask - 1));
}

/* What no step changes. */
static enum fsm_code check_constant(const struct step *s)
{
	const struct hf_conf_data *old = s->old, *new = s->new;
	bool slots = s->cmd->step == STEP_ADD || s->cmd->step == STEP_REMOVE;
	int i;

	if (memcmp(old->volume, new->volume, sizeof(old->volume)) ||
	    old->size_bytes != new->size_bytes || old->policies != new->policies ||
	    old->held_timeout_ms != new->held_timeout_ms || old->vdisk != new->vdisk)
		return ILLEGAL(s, "a configuration step changes UUID, size, policies or number of the volume");
	for (i = 0; i < HF_MAX_SLOTS && !slots; i++) {
		if (old->slots[i].node != new->slots[i].node)
			return ILLEGAL(s, "slot %d is put on another node without being added anew", i);
		if (old->slots[i].incarnation != new->slots[i].incarnation)
			return ILLEGAL(s, "slot %d has another incarnation (R3b)", i);
	}
	if (!new->in_sync_mask)
		return ILLEGAL(s, "the in-sync set would be empty (R3)");
	if (new->in_sync_mask & ~hf_conf_used_mask(new))
		return ILLEGAL(s, "the in-sync set names a slot that is not there");
	return FSM_OK;
}

static bool same_primary(const struct step *s)
{
	return s->new->term == s->old->term && s->new->primary_node == s->old->primary_node &&
	       s->new->primary_instance == s->old->primary_instance;
}

static bool same_activation(const struct step *s)
{
	return s->new->activated_term == s->old->activated_term &&
	       s->new->activated_instance == s->old->activated_instance;
}

/* R3, R9: steps of an activated primary that change the set alone. */
static enum fsm_code check_serving(const struct step *s)
{
	if (!same_primary(s) || !same_activation(s))
		return ILLEGAL(s, "term, primary or activation changes in a step of the set");
	if (!s->old->primary_node || !hf_conf_activated(s->old))
		return ILLEGAL(s, "the set changes before the primary is activated (R4)");
	if (s->new->in_sync_mask & ~s->old->in_sync_mask & primary_bit(s->new))
		return ILLEGAL(s, "the primary's own slot is readmitted while it serves without it (R11)");
	if (cited_mask(s->new))
		return ILLEGAL(s, "lives are cited after the activation (R4)");
	return FSM_OK;
}

static enum fsm_code check_name(const struct step *s)
{
	const struct hf_conf_data *new = s->new;
	u8 cited = cited_mask(new);
	u8 primary = primary_bit(new);

	if (new->term != s->old->term + 1)
		return ILLEGAL(s, "a primary is named in term %llu, not in the next (R4)",
			       (unsigned long long)new->term);
	if (!new->primary_node || !new->primary_instance)
		return ILLEGAL(s, "no primary or no instance is named (R1)");
	if (new->primary_node != s->vol->wanted_node)
		return fsm_refuse(s->res, FSM_STALE, "volume %s is not wanted on node %08x",
				  s->vol->name, new->primary_node);
	if (!same_activation(s))
		return ILLEGAL(s, "naming a primary activates it too: that takes two steps (R4)");
	if (new->in_sync_mask != s->old->in_sync_mask)
		return ILLEGAL(s, "naming a primary changes the in-sync set (R4)");
	/* R6: an instance that lost its own slot while it served may go on (R11). */
	if (primary & ~new->in_sync_mask &&
	    new->primary_instance == s->old->activated_instance)
		primary = 0;
	if (primary & ~new->in_sync_mask)
		return ILLEGAL(s, "the slot to be promoted is not in sync (R4, R12)");
	if (!cited || primary & ~cited || cited & ~new->in_sync_mask)
		return ILLEGAL(s, "the lives of the promoted slot, or of slots outside of the set, are cited wrongly (R4)");
	if (s->cmd->unclean_mask & ~cited)
		return ILLEGAL(s, "a slot is called unclean whose life is not cited (R10)");
	/* Without a slot of its own the reference is one of those that are cited (R7). */
	if ((s->cmd->unclean_mask & primary || s->cmd->unclean_mask == cited) &&
	    s->cmd->unclean_mask && s->cmd->unclean_mask != new->in_sync_mask)
		return ILLEGAL(s, "an unclean slot is promoted while another is not known to be unclean (R10)");
	return FSM_OK;
}

static enum fsm_code check_activate(const struct step *s)
{
	const struct hf_conf_data *old = s->old, *new = s->new;
	u8 primary = primary_bit(new);

	if (!same_primary(s) || !old->primary_node)
		return ILLEGAL(s, "another term, node or instance is activated than was named (R4)");
	if (hf_conf_activated(old))
		return ILLEGAL(s, "the primary is activated already (R4)");
	if (new->activated_term != new->term || new->activated_instance != new->primary_instance)
		return ILLEGAL(s, "the activation does not name this term and instance (R4)");
	if (new->in_sync_mask & ~old->in_sync_mask)
		return ILLEGAL(s, "the activation adds a slot to the set (R4)");
	if (new->in_sync_mask & ~cited_mask(old))
		return ILLEGAL(s, "the activation relies on a slot whose life was not cited (R4)");
	if (primary & old->in_sync_mask & ~new->in_sync_mask)
		return ILLEGAL(s, "the promoted slot is not in the set that it activates (R4)");
	if ((s->vol->named_unclean_mask & primary ||
	     s->vol->named_unclean_mask == old->in_sync_mask) &&
	    new->in_sync_mask != old->in_sync_mask)
		return ILLEGAL(s, "an unclean slot is activated without all others of the set (R10)");
	if (cited_mask(new))
		return ILLEGAL(s, "the activation cites lives (R4)");
	return FSM_OK;
}

static enum fsm_code check_drop(const struct step *s)
{
	u8 gone = s->old->in_sync_mask & (u8)~s->new->in_sync_mask;
	enum fsm_code code = check_serving(s);

	if (code)
		return code;
	if (s->new->in_sync_mask & ~s->old->in_sync_mask)
		return ILLEGAL(s, "a drop adds a slot to the set (R9)");
	if (!gone || gone != s->cmd->lost_mask)
		return ILLEGAL(s, "the set loses other slots than are named as lost (R3)");
	return FSM_OK;
}

static enum fsm_code check_readmit(const struct step *s)
{
	u8 added = s->new->in_sync_mask & (u8)~s->old->in_sync_mask;
	enum fsm_code code = check_serving(s);

	if (code)
		return code;
	if (s->old->in_sync_mask & ~s->new->in_sync_mask)
		return ILLEGAL(s, "a readmission drops a slot (R3)");
	if (!one_bit(added) || !s->cmd->life)
		return ILLEGAL(s, "a readmission is of one slot and one life (R9)");
	if (__builtin_popcount(s->old->in_sync_mask) >= s->vol->copies)
		return fsm_refuse(s->res, FSM_STALE, "volume %s has all its copies in sync",
				  s->vol->name);
	return FSM_OK;
}

static enum fsm_code check_give_up(const struct step *s)
{
	if (s->new->in_sync_mask != s->old->in_sync_mask)
		return ILLEGAL(s, "giving up a rebuild changes the set (R9)");
	return check_serving(s);
}

static enum fsm_code check_release(const struct step *s)
{
	const struct hf_conf_data *old = s->old, *new = s->new;

	if (!old->primary_node)
		return fsm_refuse(s->res, FSM_STALE, "volume %s has no primary", s->vol->name);
	if (new->term != old->term + 1)
		return ILLEGAL(s, "a release does not open the next term (R6)");
	if (new->primary_node || new->primary_instance)
		return ILLEGAL(s, "a release names a primary (R13)");
	if (!same_activation(s) || new->in_sync_mask != old->in_sync_mask || cited_mask(new))
		return ILLEGAL(s, "a release changes the set, the activation or citations (R13)");
	return FSM_OK;
}

/* The only slot that the step makes or ends; -1: none, or more, or others change. */
static int changed_slot(const struct hf_conf_data *old, const struct hf_conf_data *new)
{
	int i, changed = -1;

	for (i = 0; i < HF_MAX_SLOTS; i++) {
		const struct hf_conf_slot *a = &old->slots[i], *b = &new->slots[i];

		if (a->node == b->node && a->incarnation == b->incarnation)
			continue;
		if (changed >= 0 || (a->node && b->node))
			return -1;
		changed = i;
	}
	return changed;
}

/* R3b, R9: a slot begins outside of the set, with an incarnation of its own. */
static enum fsm_code check_add(const struct step *s)
{
	const struct fsm_place *place = &s->vol->place;
	int slot = changed_slot(s->old, s->new);
	enum fsm_code code = check_serving(s);

	if (code)
		return code;
	if (s->new->in_sync_mask != s->old->in_sync_mask)
		return ILLEGAL(s, "adding a slot changes the in-sync set (R9)");
	if (slot < 0 || s->old->slots[slot].node)
		return ILLEGAL(s, "an addition is of one slot, under a free number (R3b)");
	if (!place->node || place->slot_nr != slot || place->node != s->new->slots[slot].node ||
	    place->incarnation != s->new->slots[slot].incarnation)
		return fsm_refuse(s->res, FSM_STALE, "slot %d of volume %s was not placed so",
				  slot, s->vol->name);
	if (!place->made)
		return ILLEGAL(s, "a slot is added before it is made (R16)");
	if (hf_conf_slot_of(s->old, place->node) >= 0)
		return ILLEGAL(s, "a second slot is put on one node");
	return FSM_OK;
}

/* R3b: only a slot that does not count is taken away, and a number is freed by it. */
static enum fsm_code check_remove(const struct step *s)
{
	u8 left = hf_conf_used_mask(s->new);
	int slot = changed_slot(s->old, s->new);
	enum fsm_code code = check_serving(s);

	if (code)
		return code;
	if (s->new->in_sync_mask != s->old->in_sync_mask)
		return ILLEGAL(s, "removing a slot changes the in-sync set (R3)");
	if (slot < 0 || s->new->slots[slot].node)
		return ILLEGAL(s, "a removal is of one slot");
	if (s->old->in_sync_mask & 1 << slot)
		return ILLEGAL(s, "a slot of the in-sync set is removed (R3)");
	if (__builtin_popcount(left) < s->vol->copies &&
	    hf_conf_used_mask(s->old) != (1 << HF_MAX_SLOTS) - 1)
		return ILLEGAL(s, "a slot is removed before another is in its place");
	return FSM_OK;
}

static enum fsm_code check_step(const struct step *s)
{
	enum fsm_code code = check_constant(s);

	if (code)
		return code;
	switch (s->cmd->step) {
	case STEP_NAME:
		return check_name(s);
	case STEP_ACTIVATE:
		return check_activate(s);
	case STEP_DROP:
		return check_drop(s);
	case STEP_READMIT:
		return check_readmit(s);
	case STEP_GIVE_UP:
		return check_give_up(s);
	case STEP_RELEASE:
		return check_release(s);
	case STEP_ADD:
		return check_add(s);
	case STEP_REMOVE:
		return check_remove(s);
	default:
		return ILLEGAL(s, "the configuration step is not known");
	}
}

/* Events of slots that left the set. */
static void log_gone(struct fsm *fsm, const struct command *cmd, const struct fsm_volume *vol,
		     u8 gone)
{
	int i;

	for (i = 0; i < HF_MAX_SLOTS; i++) {
		if (gone & 1 << i)
			fsm_log(fsm, cmd, FSM_WARNING, "VD", 1012,
				"volume %s (vd%u) copy on node %08x dropped", vol->name,
				vol->conf.vdisk, vol->conf.slots[i].node);
	}
}

static void log_removed(struct fsm *fsm, const struct command *cmd, struct fsm_volume *vol)
{
	fsm_log(fsm, cmd, FSM_INFO, "DFS", 1011, "volume %s (vd%u) removed on node %08x",
		vol->name, vol->conf.vdisk, vol->attached_node);
	vol->attached_node = 0;
}

/* New first, then old: as the operators know the order. */
static void log_activated(struct fsm *fsm, const struct command *cmd, struct fsm_volume *vol)
{
	u32 node = vol->conf.primary_node;

	if (vol->attached_node != node) {
		fsm_log(fsm, cmd, FSM_INFO, "DFS", 1009, "volume %s (vd%u) created on node %08x",
			vol->name, vol->conf.vdisk, node);
		if (vol->attached_node)
			log_removed(fsm, cmd, vol);
		vol->attached_node = node;
	}
}

/* The placed slot is one of the configuration from here on. */
static void after_add(struct fsm *fsm, const struct command *cmd, struct fsm_volume *vol)
{
	vol->added_mask |= (u8)(1 << vol->place.slot_nr);
	vol->rebuilding_mask &= (u8)~(1 << vol->place.slot_nr);
	fsm_log(fsm, cmd, FSM_INFO, "VD", 1018, "volume %s (vd%u) new copy on node %08x",
		vol->name, vol->conf.vdisk, vol->place.node);
	memset(&vol->place, 0, sizeof(vol->place));
}

/* Before the configuration forgets it. */
static void before_remove(struct fsm *fsm, const struct command *cmd, struct fsm_volume *vol)
{
	int slot = changed_slot(&vol->conf, &cmd->conf.conf);

	fsm_log(fsm, cmd, FSM_INFO, "VD", 1022, "volume %s (vd%u) copy on node %08x retired",
		vol->name, vol->conf.vdisk, vol->conf.slots[slot].node);
	fsm_pair_retire(fsm, vol, (u8)slot);
	vol->added_mask &= (u8)~(1 << slot);
	vol->rebuilding_mask &= (u8)~(1 << slot);
}

static void after_step(struct fsm *fsm, const struct command *cmd, struct fsm_volume *vol, u8 was)
{
	u8 gone = was & (u8)~vol->conf.in_sync_mask;
	u8 added = vol->conf.in_sync_mask & (u8)~was;
	int i;

	switch (cmd->conf.step) {
	case STEP_NAME:
		vol->named_unclean_mask = cmd->conf.unclean_mask;
		break;
	case STEP_ACTIVATE:
		vol->named_unclean_mask = 0;
		log_activated(fsm, cmd, vol);
		log_gone(fsm, cmd, vol, gone);
		if (vol->failover_from)
			fsm_failover_end(fsm, cmd, vol, vol->conf.primary_node);
		break;
	case STEP_DROP:
		log_gone(fsm, cmd, vol, gone);
		break;
	case STEP_READMIT:
		/* One that was over before a report told of it is told now. */
		for (i = 0; i < HF_MAX_SLOTS; i++) {
			if (added & 1 << i)
				fsm_rebuild_begun(fsm, cmd, vol, i);
		}
		fsm_log(fsm, cmd, FSM_INFO, "VD", 1020,
			"volume %s (vd%u) rebuild completed, ret:0", vol->name, vol->conf.vdisk);
		vol->rebuilding_mask &= (u8)~added;
		if (vol->added_mask & added)
			vol->failures = 0;
		vol->added_mask &= (u8)~added;
		break;
	case STEP_ADD:
		after_add(fsm, cmd, vol);
		break;
	case STEP_RELEASE:
		vol->named_unclean_mask = 0;
		if (vol->attached_node && !vol->wanted_node)
			log_removed(fsm, cmd, vol);
		break;
	default:
		break;
	}
}

enum fsm_code fsm_do_conf(struct fsm *fsm, const struct command *cmd, struct fsm_result *res)
{
	struct fsm_volume *vol = fsm_volume_get(fsm, cmd->conf.conf.volume);
	struct step s = { .new = &cmd->conf.conf, .cmd = &cmd->conf, .res = res };
	enum fsm_code code;
	u8 was;

	if (!vol || vol->state != FSM_VOLUME_READY)
		return fsm_refuse(res, FSM_UNKNOWN, "there is no such volume in service");
	if (cmd->conf.expected_epoch != vol->conf.epoch ||
	    cmd->conf.conf.epoch != vol->conf.epoch + 1)
		return fsm_refuse(res, FSM_STALE,
				  "volume %s is at epoch %llu, the step was made for %llu",
				  vol->name, (unsigned long long)vol->conf.epoch,
				  (unsigned long long)cmd->conf.expected_epoch);
	s.vol = vol;
	s.old = &vol->conf;
	code = check_step(&s);
	if (code)
		return code;
	was = vol->conf.in_sync_mask;
	if (cmd->conf.step == STEP_REMOVE)
		before_remove(fsm, cmd, vol);
	vol->conf = cmd->conf.conf;
	after_step(fsm, cmd, vol, was);
	return FSM_OK;
}
