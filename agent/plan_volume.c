// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The leader's planner for one volume: where it is served (failover, R10's
 * choice), the two steps of a promotion (R4), and the set while it is served
 * (R3, R9), all that also by a node without an in-sync copy (R11); which slots there are is in plan_replace.c.  At most one command a call and volume: each next one is planned
 * from what that one made of the state.
 *
 * Every decision here may rest on facts that are old: a step that rests on
 * them wrongly is refused by the compare-and-set, by fsm_conf.c, or by a module
 * whose slot has another life.
 */
#include <string.h>

#include "plan_internal.h"

static bool in_sync(const struct scene *s, int slot)
{
	return slot >= 0 && s->conf->in_sync_mask & 1 << slot;
}

static u64 waited_ms(const struct scene *s, u64 since_ms)
{
	return since_ms && s->p->in->mono_ms > since_ms ? s->p->in->mono_ms - since_ms : 0;
}

static u64 scaled(const struct scene *s, u64 ms)
{
	return plan_scaled(s->p->in, ms);
}

static void look(struct scene *s, int slot)
{
	const struct hf_conf_slot *conf = &s->conf->slots[slot];
	const struct node_report *report = conf->node ? plan_report(s->p, conf->node) : NULL;
	struct slot_facts *f = &s->slots[slot];

	if (!report)
		return;
	if (!report->view.loaded) {
		f->failed = true;
		return;
	}
	f->view = kernel_view_find(&report->view, s->vol->uuid);
	if (!f->view)
		return;
	f->failed = f->view->slot.state == HOLDFAST_SLOT_FAILED ||
		    (f->view->slot.state == HOLDFAST_SLOT_NONE && f->view->slot.attach_error);
	f->up = f->view->slot.state == HOLDFAST_SLOT_UP &&
		f->view->slot.incarnation == conf->incarnation;
	f->life = f->view->slot.life;
	f->unclean = f->view->slot.unclean;
}

/* The volume as the module of a node shows it; NULL: nothing is known. */
static const struct kernel_volume *view_on(const struct scene *s, u32 node)
{
	const struct node_report *report = node ? plan_report(s->p, node) : NULL;

	return report && report->view.loaded ? kernel_view_find(&report->view, s->vol->uuid) :
					       NULL;
}

/* The named instance exists and may go on. */
static bool instance_lives(const struct scene *s)
{
	const struct kernel_disk *disk = s->primary ? &s->primary->disk : NULL;

	return disk && disk->instance == s->conf->primary_instance &&
	       (disk->state == HOLDFAST_DISK_PREPARED || disk->state == HOLDFAST_DISK_NAMED ||
		disk->state == HOLDFAST_DISK_ACTIVE);
}

/*
 * The old primary will complete nothing more of its own: released (R13), gone,
 * dead, or on a node that is down, where the leases see to it (R5).
 */
static bool old_primary_done(const struct scene *s)
{
	u32 node = s->conf->primary_node;

	if (!node || plan_node_down(s->p, node))
		return true;
	/* One whose own slot failed may go on without it (R11): its disk tells. */
	return plan_report(s->p, node) && !instance_lives(s);
}

struct cmd_conf *plan_conf_command(const struct scene *s, enum conf_step step)
{
	struct command *cmd = plan_command(s->p, CMD_CONF);
	int i;

	if (!cmd)
		return NULL;
	cmd->conf.step = step;
	cmd->conf.expected_epoch = s->conf->epoch;
	cmd->conf.conf = *s->conf;
	cmd->conf.conf.epoch++;
	for (i = 0; i < HF_MAX_SLOTS; i++)
		cmd->conf.conf.slots[i].cited_life = 0;
	return &cmd->conf;
}

static void propose_release(const struct scene *s)
{
	struct cmd_conf *c = plan_conf_command(s, STEP_RELEASE);

	if (!c)
		return;
	c->conf.term++;
	c->conf.primary_node = 0;
	c->conf.primary_instance = 0;
}

/* ---------------------------------------------------------------- failover */

static bool all_known_unclean(const struct scene *s)
{
	int i;

	for (i = 0; i < HF_MAX_SLOTS; i++) {
		if (in_sync(s, i) && !(s->slots[i].up && s->slots[i].unclean))
			return false;
	}
	return true;
}

/* R10: a clean slot at any time, an unclean one when all are known to be so. */
static bool promotable(const struct scene *s, int slot)
{
	if (!in_sync(s, slot) || !s->slots[slot].up ||
	    !plan_node_normal(s->p, s->conf->slots[slot].node))
		return false;
	return !s->slots[slot].unclean || all_known_unclean(s);
}

/* The slot that is served from now, if any, else the first that may be promoted. */
static int best_slot(const struct scene *s)
{
	int serving = hf_conf_slot_of(s->conf, s->conf->primary_node);
	int i;

	if (serving != s->wanted_slot && promotable(s, serving) && instance_lives(s) &&
	    hf_conf_activated(s->conf))
		return serving;
	for (i = 0; i < HF_MAX_SLOTS; i++) {
		if (i != s->wanted_slot && promotable(s, i))
			return i;
	}
	return -1;
}

static bool serves(const struct scene *s)
{
	return s->conf->primary_node == s->vol->wanted_node && hf_conf_activated(s->conf) &&
	       instance_lives(s);
}

/*
 * R11: it serves, or is to serve, without an in-sync copy of its own: a node that
 * has no slot, or one whose own slot was lost while it served.
 */
static bool is_bare(const struct scene *s)
{
	if (s->wanted_slot < 0)
		return true;
	return !in_sync(s, s->wanted_slot) && s->conf->primary_node == s->vol->wanted_node &&
	       s->conf->primary_instance == s->conf->activated_instance && instance_lives(s);
}

/* The wanted node cannot serve, now or before somebody mends it. */
static bool wanted_unfit(const struct scene *s)
{
	const struct node_report *report = plan_report(s->p, s->vol->wanted_node);
	int slot = s->wanted_slot;

	if (!plan_node_normal(s->p, s->vol->wanted_node))
		return true;
	/* It goes on without its own slot while the others are there (R11). */
	if (serves(s))
		return false;
	if (is_bare(s))
		return report && !report->view.loaded;
	if (!in_sync(s, slot) || s->slots[slot].failed)
		return true;
	/* R10: its life may have lost what it acknowledged; a clean slot goes first. */
	return s->slots[slot].up && s->slots[slot].unclean && !serves(s) &&
	       !all_known_unclean(s);
}

static bool plan_failover(const struct scene *s)
{
	struct command *cmd;
	int to;

	if (s->vol->attach_mode != FSM_ATTACH_AUTO || !wanted_unfit(s))
		return false;
	to = best_slot(s);
	if (to < 0)
		return false;
	cmd = plan_command(s->p, CMD_FAILOVER);
	if (!cmd)
		return true;
	memcpy(cmd->failover.volume, s->vol->uuid, FSM_UUID_BYTES);
	cmd->failover.from = s->vol->wanted_node;
	cmd->failover.to = s->conf->slots[to].node;
	return true;
}

/* -------------------------------------------------------- lost while served */

/* Its node is about to go, and the primary's is not: nobody shall wait for it. */
static bool leaves(const struct scene *s, int slot)
{
	const struct fsm_node *node = fsm_node_by_id(s->p->fsm, s->conf->slots[slot].node);

	return node && node->cordon && plan_node_normal(s->p, s->conf->primary_node);
}

/* Is a slot that the primary calls lost lost for good, as far as one can wait? */
static bool lost_for_good(const struct scene *s, const struct kernel_remote *remote)
{
	int slot = remote->slot_nr;
	u64 *since = &s->memory->lost_since_ms[slot];

	if (leaves(s, slot))
		return true;
	if (!(remote->flags & (HOLDFAST_REMOTE_LOST | HOLDFAST_REMOTE_NEW_LIFE))) {
		*since = 0;
		return false;
	}
	if (!*since)
		*since = s->p->in->mono_ms;
	if (remote->flags & HOLDFAST_REMOTE_NEW_LIFE || s->slots[slot].failed ||
	    !plan_node_normal(s->p, s->conf->slots[slot].node))
		return true;
	/* Another life than the one that was linked cannot be continued (R3). */
	if (s->slots[slot].up && remote->life && s->slots[slot].life != remote->life)
		return true;
	return waited_ms(s, *since) >= scaled(s, PLAN_RELINK_MS);
}

/*
 * What a primary that serves has lost of its set: slots by their links, and its own
 * by what its module says of it (R11).
 */
static u8 lost_mask(const struct scene *s)
{
	int own = hf_conf_slot_of(s->conf, s->conf->primary_node);
	unsigned int i;
	u8 lost = 0;

	for (i = 0; i < s->primary->nr_remotes; i++) {
		const struct kernel_remote *remote = &s->primary->remotes[i];

		if (in_sync(s, remote->slot_nr) && remote->slot_nr != own &&
		    lost_for_good(s, remote))
			lost |= (u8)(1 << remote->slot_nr);
	}
	if (in_sync(s, own) && s->primary->slot.state == HOLDFAST_SLOT_FAILED)
		lost |= (u8)(1 << own);
	return lost;
}

/*
 * R6, R11: a primary without an own slot whose set rebooted under it is named once
 * more, in the same instance; what it holds is then sent to the new lives.
 */
static bool all_lost(const struct scene *s)
{
	return serves(s) && is_bare(s) && s->primary->disk.state == HOLDFAST_DISK_ACTIVE &&
	       lost_mask(s) == s->conf->in_sync_mask;
}

/* --------------------------------------------------------------- promotion */

/* An in-sync slot that a moment's patience may bring into the promotion. */
static bool worth_waiting(const struct scene *s, int slot)
{
	return in_sync(s, slot) && !s->slots[slot].failed &&
	       plan_node_normal(s->p, s->conf->slots[slot].node);
}

/* R7: is there a slot that can be the reference? */
static bool reference_there(const struct scene *s)
{
	int i;

	if (!is_bare(s))
		return promotable(s, s->wanted_slot);
	for (i = 0; i < HF_MAX_SLOTS; i++) {
		if (promotable(s, i))
			return true;
	}
	return false;
}

/* Has the wanted node a disk that can be named? */
static bool ready_to_name(const struct scene *s)
{
	const struct kernel_disk *disk = s->wanted ? &s->wanted->disk : NULL;

	if (!disk || !disk->instance || !reference_there(s))
		return false;
	if (disk->state == HOLDFAST_DISK_PREPARED)
		return true;
	/* R10: the same instance once more, with other lives. */
	if (disk->state == HOLDFAST_DISK_NAMED)
		return instance_lives(s) && !hf_conf_activated(s->conf);
	return disk->state == HOLDFAST_DISK_ACTIVE && all_lost(s);
}

static void propose_name(const struct scene *s)
{
	struct cmd_conf *c = plan_conf_command(s, STEP_NAME);
	int i;

	if (!c)
		return;
	c->conf.term++;
	c->conf.primary_node = s->vol->wanted_node;
	c->conf.primary_instance = s->wanted->disk.instance;
	for (i = 0; i < HF_MAX_SLOTS; i++) {
		if (!in_sync(s, i) || !s->slots[i].up)
			continue;
		c->conf.slots[i].cited_life = s->slots[i].life;
		if (s->slots[i].unclean)
			c->unclean_mask |= (u8)(1 << i);
	}
}

static void plan_name(const struct scene *s)
{
	const struct kernel_disk *disk = s->wanted ? &s->wanted->disk : NULL;
	int i;

	/* A released disk is not resumed: its term is closed first (R13). */
	if (disk && disk->state == HOLDFAST_DISK_RELEASED &&
	    s->conf->primary_node == s->vol->wanted_node &&
	    disk->instance == s->conf->primary_instance) {
		propose_release(s);
		return;
	}
	if (!ready_to_name(s)) {
		s->memory->ready_since_ms = 0;
		return;
	}
	if (!s->memory->ready_since_ms)
		s->memory->ready_since_ms = s->p->in->mono_ms;
	if (s->conf->primary_node != s->vol->wanted_node && hf_conf_activated(s->conf) &&
	    !old_primary_done(s))
		return;
	for (i = 0; i < HF_MAX_SLOTS; i++) {
		if (worth_waiting(s, i) && !s->slots[i].up &&
		    waited_ms(s, s->memory->ready_since_ms) < scaled(s, PLAN_RECONCILE_MS))
			return;
	}
	propose_name(s);
}

/* Slots that the named primary has reconciled, with the lives that were cited. */
static u8 reconciled_mask(const struct scene *s, const struct kernel_volume *view)
{
	u8 mask = is_bare(s) ? 0 : (u8)(1 << s->wanted_slot);
	unsigned int i;

	for (i = 0; i < view->nr_remotes; i++) {
		const struct kernel_remote *remote = &view->remotes[i];

		if (remote->link_state == HOLDFAST_LINK_READY && in_sync(s, remote->slot_nr) &&
		    remote->flags & HOLDFAST_REMOTE_RECONCILED &&
		    remote->life == s->conf->slots[remote->slot_nr].cited_life)
			mask |= (u8)(1 << remote->slot_nr);
	}
	return mask;
}

/* R10: a promoted unclean slot is the reference only while all are unclean. */
static bool cites_outlived(const struct scene *s)
{
	int i;

	for (i = 0; i < HF_MAX_SLOTS; i++) {
		if (in_sync(s, i) && s->slots[i].up &&
		    s->slots[i].life != s->conf->slots[i].cited_life)
			return true;
	}
	return false;
}

/* How long the activation waits for a slot that is not reconciled yet. */
static u64 patience_ms(const struct scene *s, const struct kernel_volume *view, int slot)
{
	const struct kernel_remote *remote = kernel_volume_remote(view, (u8)slot);

	if (!worth_waiting(s, slot) || !s->conf->slots[slot].cited_life)
		return 0;
	if (s->slots[slot].up && s->slots[slot].life != s->conf->slots[slot].cited_life)
		return 0;
	/* Linked: it waits for promises or is being copied to. */
	if (remote && (remote->link_state == HOLDFAST_LINK_READY ||
		       remote->link_state == HOLDFAST_LINK_WAITING))
		return scaled(s, 4 * PLAN_RECONCILE_MS);
	return scaled(s, PLAN_RECONCILE_MS);
}

static void propose_activate(const struct scene *s, u8 set)
{
	struct cmd_conf *c = plan_conf_command(s, STEP_ACTIVATE);

	if (!c)
		return;
	c->conf.activated_term = c->conf.term;
	c->conf.activated_instance = c->conf.primary_instance;
	c->conf.in_sync_mask = set;
}

/* The slots of the set that are worth it are waited for. */
static bool waits_for_others(const struct scene *s, u8 set, bool unclean)
{
	int i;

	for (i = 0; i < HF_MAX_SLOTS; i++) {
		if (!in_sync(s, i) || set & 1 << i)
			continue;
		if (unclean || waited_ms(s, s->memory->epoch_since_ms) <
				       patience_ms(s, s->wanted, i))
			return true;
	}
	return false;
}

/* R11: the reference is another slot; if it is lost, the promotion begins anew. */
static void plan_activate_bare(const struct scene *s)
{
	bool unclean = s->vol->named_unclean_mask == s->conf->in_sync_mask;
	u8 set;

	if (s->wanted->disk.state != HOLDFAST_DISK_NAMED ||
	    s->wanted->conf.epoch != s->conf->epoch)
		return;
	set = reconciled_mask(s, s->wanted);
	if (cites_outlived(s) && (unclean || !set)) {
		plan_name(s);
		return;
	}
	if (waits_for_others(s, set, unclean))
		return;
	if (set)
		propose_activate(s, set);
	else if (waited_ms(s, s->memory->epoch_since_ms) >= scaled(s, 4 * PLAN_RECONCILE_MS))
		plan_name(s);
}

static void plan_activate(const struct scene *s)
{
	const struct slot_facts *own = &s->slots[s->wanted_slot];
	bool unclean = s->vol->named_unclean_mask & 1 << s->wanted_slot;
	u8 set;

	if (!own->up)
		return;
	if (own->life != s->conf->slots[s->wanted_slot].cited_life ||
	    (unclean && cites_outlived(s))) {
		plan_name(s);
		return;
	}
	/* R5: the own slot, too, may be bound by what it promised another primary. */
	if (own->view->disk.state != HOLDFAST_DISK_NAMED ||
	    own->view->conf.epoch != s->conf->epoch || own->view->slot.promise_ms)
		return;
	set = reconciled_mask(s, own->view);
	if (!waits_for_others(s, set, unclean))
		propose_activate(s, set);
}

/* ------------------------------------------------------------ while served */

static void propose_set(const struct scene *s, enum conf_step step, u8 set, u8 lost, u64 life)
{
	struct cmd_conf *c = plan_conf_command(s, step);

	if (!c)
		return;
	c->conf.in_sync_mask = set;
	c->lost_mask = lost;
	c->life = life;
}

static void propose_rebuild_begun(const struct scene *s, u8 slot)
{
	struct command *cmd = plan_command(s->p, CMD_REBUILD_BEGUN);

	if (!cmd)
		return;
	memcpy(cmd->rebuild_begun.volume, s->vol->uuid, FSM_UUID_BYTES);
	cmd->rebuild_begun.slot_nr = slot;
}

/* A rebuild that is counted holds writes: it may not stay for ever at its end. */
static bool finishing_too_long(const struct scene *s, const struct kernel_remote *remote)
{
	u64 *since = &s->memory->finishing_since_ms[remote->slot_nr];

	if (remote->rebuild_state != HOLDFAST_REBUILD_FINISHING)
		*since = 0;
	else if (!*since)
		*since = s->p->in->mono_ms;
	return waited_ms(s, *since) >= scaled(s, PLAN_FINISHING_MS);
}

/* R9: a slot outside of the set. True: something was proposed. */
static bool plan_stale_slot(const struct scene *s, const struct kernel_remote *remote)
{
	u8 bit = (u8)(1 << remote->slot_nr);
	bool counted = remote->flags & HOLDFAST_REMOTE_COUNTED;
	bool stuck = finishing_too_long(s, remote);

	if (remote->flags & HOLDFAST_REMOTE_ADMISSIBLE &&
	    remote->link_state == HOLDFAST_LINK_READY &&
	    remote->rebuild_state == HOLDFAST_REBUILD_ADMISSIBLE &&
	    !(remote->flags & HOLDFAST_REMOTE_LOST)) {
		propose_set(s, STEP_READMIT, s->conf->in_sync_mask | bit, 0, remote->life);
		return true;
	}
	/* Only a new epoch ends the counting: the outcome of a readmission is unknown. */
	if (counted && (remote->flags & HOLDFAST_REMOTE_LOST || stuck ||
			remote->rebuild_state == HOLDFAST_REBUILD_FAILED)) {
		propose_set(s, STEP_GIVE_UP, s->conf->in_sync_mask, 0, 0);
		return true;
	}
	if (!(s->vol->rebuilding_mask & bit) &&
	    (remote->rebuild_state == HOLDFAST_REBUILD_COPYING ||
	     remote->rebuild_state == HOLDFAST_REBUILD_FINISHING)) {
		propose_rebuild_begun(s, remote->slot_nr);
		return true;
	}
	return false;
}

/*
 * The set of whoever serves now, also while the volume is to be served elsewhere
 * or nowhere: a release drains, and cannot while it holds. True: something was
 * proposed.
 */
static bool plan_set(const struct scene *s)
{
	const struct kernel_volume *view = s->primary;
	unsigned int i;
	u8 lost;

	if (view->conf.epoch != s->conf->epoch || view->disk.state != HOLDFAST_DISK_ACTIVE)
		return false;
	lost = lost_mask(s);
	/* The set never becomes empty this way (R3): one that is back goes on, see plan_name(). */
	if (lost && lost == s->conf->in_sync_mask)
		return false;
	if (lost) {
		propose_set(s, STEP_DROP, s->conf->in_sync_mask & (u8)~lost, lost, 0);
		return true;
	}
	/* What is outside of the set now is not wanted back. */
	if (__builtin_popcount(s->conf->in_sync_mask) >= s->vol->copies)
		return plan_replace(s);
	for (i = 0; i < view->nr_remotes; i++) {
		const struct kernel_remote *remote = &view->remotes[i];

		if (hf_conf_missing_mask(s->conf) & 1 << remote->slot_nr &&
		    plan_stale_slot(s, remote))
			return true;
	}
	return plan_replace(s);
}

/*
 * R3: the primary's agent is dead or cut off, its module holds I/O, and says so
 * in its beacons. A slot that has no link with it is what it waits for.
 */
static bool plan_for_silent_primary(const struct scene *s, int primary)
{
	bool holding = false;
	u8 lost = 0;
	int i;

	for (i = 0; i < HF_MAX_SLOTS; i++) {
		const struct kernel_volume *view = s->slots[i].view;
		const struct kernel_remote *link =
			view ? kernel_volume_remote(view, (u8)i) : NULL;

		if (!in_sync(s, i) || i == primary)
			continue;
		if (link && link->link_state == HOLDFAST_LINK_READY &&
		    view->conf.epoch == s->conf->epoch) {
			if (link->holding_ms >= scaled(s, PLAN_RELINK_MS))
				holding = true;
		} else if (view || !plan_node_normal(s->p, s->conf->slots[i].node)) {
			lost |= (u8)(1 << i);
		}
	}
	if (!holding || !lost)
		return false;
	propose_set(s, STEP_DROP, s->conf->in_sync_mask & (u8)~lost, lost, 0);
	return true;
}

/* True: something was proposed about the set. */
static bool plan_serving(const struct scene *s)
{
	int primary = hf_conf_slot_of(s->conf, s->conf->primary_node);

	if (!hf_conf_activated(s->conf) || plan_node_down(s->p, s->conf->primary_node))
		return false;
	if (!plan_report(s->p, s->conf->primary_node))
		return plan_for_silent_primary(s, primary);
	return instance_lives(s) && plan_set(s);
}

void plan_volume(struct planner *p, const struct fsm_volume *vol,
		 struct plan_volume_memory *memory)
{
	struct scene s = { .p = p, .vol = vol, .conf = &vol->conf, .memory = memory };
	int i;

	for (i = 0; i < HF_MAX_SLOTS; i++)
		look(&s, i);
	s.wanted_slot = hf_conf_slot_of(s.conf, vol->wanted_node);
	s.wanted = view_on(&s, vol->wanted_node);
	s.primary = view_on(&s, s.conf->primary_node);
	if (plan_serving(&s))
		return;
	if (!vol->wanted_node) {
		if (s.conf->primary_node && old_primary_done(&s))
			propose_release(&s);
		return;
	}
	if (plan_failover(&s) || (serves(&s) && !all_lost(&s)) ||
	    !plan_report(p, vol->wanted_node))
		return;
	if (s.conf->primary_node != vol->wanted_node || hf_conf_activated(s.conf) ||
	    !instance_lives(&s))
		plan_name(&s);
	else if (is_bare(&s))
		plan_activate_bare(&s);
	else
		plan_activate(&s);
}
