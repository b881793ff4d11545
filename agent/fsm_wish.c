// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Commands about where a volume shall be served: the operator's wishes, their
 * refusal by the node that serves, and the leader's failover.  A wish is not a
 * configuration: the planners work towards it, fsm_conf.c keeps every step legal.
 */
#include <stdio.h>
#include <string.h>

#include "fsm_internal.h"

static struct fsm_volume *wish_volume(struct fsm *fsm, const u8 *uuid, struct fsm_result *res)
{
	struct fsm_volume *vol = fsm_volume_get(fsm, uuid);

	if (!vol || vol->state == FSM_VOLUME_DELETING) {
		res->code = fsm_refuse(res, FSM_UNKNOWN,
				       "there is no such volume: see 'holdfast volume ls'");
		return NULL;
	}
	if (vol->state == FSM_VOLUME_CREATING) {
		res->code = fsm_refuse(res, FSM_REFUSED,
				       "volume %s is still being made: try again when 'holdfast volume ls' shows it ready",
				       vol->name);
		return NULL;
	}
	return vol;
}

/* May @id serve @vol? @bare: also without a copy of its own (R11). */
static enum fsm_code check_target(const struct fsm *fsm, const struct fsm_volume *vol, u32 id,
				  bool bare, struct fsm_result *res)
{
	const struct fsm_node *node = fsm_node_by_id(fsm, id);
	int slot = hf_conf_slot_of(&vol->conf, id);
	char text[FSM_NAME_BYTES * HF_MAX_SLOTS + 16];

	if (!node)
		return fsm_refuse(res, FSM_UNKNOWN, "there is no node %08x: see 'holdfast node ls'",
				  id);
	if (slot < 0 && !bare)
		return fsm_refuse(res, FSM_REFUSED, "node %s has no copy of volume %s",
				  node->name, vol->name);
	if (slot >= 0 && !(vol->conf.in_sync_mask & 1 << slot))
		return fsm_refuse(res, FSM_REFUSED,
				  "node %s has a copy of volume %s that is not in sync: choose %s, or a node without a copy",
				  node->name, vol->name,
				  fsm_slots_text(fsm, vol, vol->conf.in_sync_mask, text,
						 sizeof(text)));
	if (node->status == FSM_NODE_CORDONED)
		return fsm_refuse(res, FSM_REFUSED,
				  "node %s is cordoned: choose another node, or wait until it is back",
				  node->name);
	return FSM_OK;
}

static void wish(struct fsm *fsm, const struct command *cmd, struct fsm_volume *vol, u32 node,
		 bool force)
{
	if (vol->failover_from)
		fsm_failover_end(fsm, cmd, vol, 0);
	vol->wanted_node = node;
	vol->wanted_force = force;
	vol->wanted_ms = cmd->time_ms;
	vol->request_id = cmd->id;
}

enum fsm_code fsm_do_attach(struct fsm *fsm, const struct command *cmd, struct fsm_result *res)
{
	struct fsm_volume *vol = wish_volume(fsm, cmd->wish.volume, res);
	char node[FSM_NAME_BYTES];
	enum fsm_code code;

	if (!vol)
		return res->code;
	if (vol->wanted_node && vol->wanted_node == cmd->wish.node)
		return FSM_OK;
	if (vol->wanted_node)
		return fsm_refuse(res, FSM_REFUSED,
				  "volume %s (vd%u) is attached on node %s: detach it there first, or use 'holdfast volume move'",
				  vol->name, vol->conf.vdisk,
				  fsm_node_text(fsm, vol->wanted_node, node, sizeof(node)));
	code = check_target(fsm, vol, cmd->wish.node, true, res);
	if (code)
		return code;
	wish(fsm, cmd, vol, cmd->wish.node, false);
	return FSM_OK;
}

enum fsm_code fsm_do_detach(struct fsm *fsm, const struct command *cmd, struct fsm_result *res)
{
	struct fsm_volume *vol = wish_volume(fsm, cmd->wish.volume, res);

	if (!vol)
		return res->code;
	if (!vol->wanted_node && !vol->conf.primary_node)
		return fsm_refuse(res, FSM_REFUSED, "volume %s (vd%u) is not attached: there is nothing to detach",
				  vol->name, vol->conf.vdisk);
	wish(fsm, cmd, vol, 0, cmd->wish.force);
	return FSM_OK;
}

enum fsm_code fsm_do_move(struct fsm *fsm, const struct command *cmd, struct fsm_result *res)
{
	struct fsm_volume *vol = wish_volume(fsm, cmd->wish.volume, res);
	enum fsm_code code;

	if (!vol)
		return res->code;
	if (!vol->wanted_node)
		return fsm_refuse(res, FSM_REFUSED,
				  "volume %s (vd%u) is not attached: use 'holdfast volume attach'",
				  vol->name, vol->conf.vdisk);
	if (vol->wanted_node == cmd->wish.node)
		return FSM_OK;
	code = check_target(fsm, vol, cmd->wish.node, true, res);
	if (code)
		return code;
	wish(fsm, cmd, vol, cmd->wish.node, cmd->wish.force);
	return FSM_OK;
}

enum fsm_code fsm_do_wish_refused(struct fsm *fsm, const struct command *cmd,
				  struct fsm_result *res)
{
	const struct cmd_wish_refused *w = &cmd->wish_refused;
	struct fsm_volume *vol = wish_volume(fsm, w->volume, res);
	char node[FSM_NAME_BYTES];

	if (!vol)
		return res->code;
	if (vol->request_id != w->request_id || vol->wanted_node == w->node || vol->wanted_force)
		return fsm_refuse(res, FSM_STALE, "the wish for volume %s has changed", vol->name);
	if (vol->conf.primary_node != w->node)
		return fsm_refuse(res, FSM_STALE, "node %2$08x is not the primary of volume %1$s",
				  vol->name, w->node);
	if (vol->failover_from)
		fsm_failover_end(fsm, cmd, vol, 0);
	vol->wanted_node = w->node;
	vol->wanted_ms = cmd->time_ms;
	vol->refused_id = w->request_id;
	snprintf(vol->refusal, sizeof(vol->refusal),
		 "volume %s (vd%u) is open on node %s: close it there (unmount it), or use --force, which ends its I/O with errors",
		 vol->name, vol->conf.vdisk, fsm_node_text(fsm, w->node, node, sizeof(node)));
	return FSM_OK;
}

enum fsm_code fsm_do_failover(struct fsm *fsm, const struct command *cmd, struct fsm_result *res)
{
	const struct cmd_failover *f = &cmd->failover;
	struct fsm_volume *vol = wish_volume(fsm, f->volume, res);
	u32 failed = f->from;
	struct fsm_node *from;
	enum fsm_code code;

	if (!vol)
		return res->code;
	if (!vol->wanted_node || vol->wanted_node != f->from || f->to == f->from)
		return fsm_refuse(res, FSM_STALE, "volume %s is not wanted on node %08x",
				  vol->name, f->from);
	code = check_target(fsm, vol, f->to, false, res);
	if (code)
		return code;
	/* A second node that fails before the first failover ended goes on with it. */
	if (vol->failover_from)
		failed = vol->failover_from;
	wish(fsm, cmd, vol, f->to, false);
	from = fsm_node_get(fsm, failed);
	if (from && from->status == FSM_NODE_CORDONED && fsm_volume_served_on(vol) != f->to) {
		vol->failover_from = failed;
		from->failover_open = true;
	}
	return FSM_OK;
}

void fsm_failover_end(struct fsm *fsm, const struct command *cmd, struct fsm_volume *vol,
		      u32 taker)
{
	struct fsm_node *failed = fsm_node_get(fsm, vol->failover_from);
	const struct fsm_node *by = fsm_node_by_id(fsm, taker);
	unsigned int i;

	vol->failover_from = 0;
	if (!failed || !failed->failover_open)
		return;
	for (i = 0; i < fsm->nr_volumes; i++) {
		if (fsm->volumes[i].failover_from == failed->id)
			return;
	}
	failed->failover_open = false;
	if (by)
		fsm_log(fsm, cmd, FSM_INFO, "DFS", 1019,
			"node (%08x) failover completed. hostname=%s, ip address=%s ", failed->id,
			by->name, by->address);
}

void fsm_rebuild_begun(struct fsm *fsm, const struct command *cmd, struct fsm_volume *vol,
		       int slot_nr)
{
	if (vol->rebuilding_mask & 1 << slot_nr)
		return;
	vol->rebuilding_mask |= (u8)(1 << slot_nr);
	fsm_log(fsm, cmd, FSM_INFO, "VD", 1003, "volume %s (vd%u) rebuilding on node %08x",
		vol->name, vol->conf.vdisk, vol->conf.slots[slot_nr].node);
}

enum fsm_code fsm_do_rebuild_begun(struct fsm *fsm, const struct command *cmd,
				   struct fsm_result *res)
{
	struct fsm_volume *vol = wish_volume(fsm, cmd->rebuild_begun.volume, res);
	u8 slot_nr = cmd->rebuild_begun.slot_nr;
	u8 bit;

	if (!vol)
		return res->code;
	bit = slot_nr < HF_MAX_SLOTS ? (u8)(1 << slot_nr) : 0;
	if (!(hf_conf_missing_mask(&vol->conf) & bit))
		return fsm_refuse(res, FSM_STALE, "slot %u of volume %s is not out of sync",
				  slot_nr, vol->name);
	fsm_rebuild_begun(fsm, cmd, vol, slot_nr);
	return FSM_OK;
}
