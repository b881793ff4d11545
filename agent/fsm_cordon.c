// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Commands about whether a node may be relied upon: declared down and taken
 * back by the leader, cordoned and uncordoned by an operator or by its own
 * shutdown; and the settings of the cluster.  Handing over what a cordoned node
 * serves is the planners' work.
 */
#include <stdio.h>
#include <string.h>

#include "fsm_internal.h"

static struct fsm_node *find_node(struct fsm *fsm, u32 id, struct fsm_result *res)
{
	struct fsm_node *node = fsm_node_get(fsm, id);

	if (!node)
		res->code = fsm_refuse(res, FSM_UNKNOWN,
				       "there is no node %08x: see 'holdfast node ls'", id);
	return node;
}

/* Of two reasons to be cordoned the first is told. */
static void begin_cordon(struct fsm *fsm, const struct command *cmd, struct fsm_node *node)
{
	unsigned int i;

	/* What is rebuilt there begins anew when it is back. */
	for (i = 0; i < fsm->nr_volumes; i++) {
		int slot = hf_conf_slot_of(&fsm->volumes[i].conf, node->id);

		if (slot >= 0)
			fsm->volumes[i].rebuilding_mask &= (u8)~(1 << slot);
	}
	if (node->status == FSM_NODE_CORDONED)
		return;
	node->status = FSM_NODE_CORDONED;
	node->status_ms = cmd->time_ms;
	fsm_log(fsm, cmd, FSM_WARNING, "DFS", 2010, "ID %08x node is cordoned", node->id);
	fsm_log(fsm, cmd, FSM_INFO, "DFS", 1002, "ID %08x node will exit", node->id);
}

static void end_cordon(struct fsm *fsm, const struct command *cmd, struct fsm_node *node)
{
	if (node->down || node->cordon || node->status == FSM_NODE_NORMAL)
		return;
	node->status = FSM_NODE_NORMAL;
	node->status_ms = cmd->time_ms;
	fsm_log(fsm, cmd, FSM_INFO, "DFS", 1005, "ID %08x node is back", node->id);
}

enum fsm_code fsm_do_node_down(struct fsm *fsm, const struct command *cmd, struct fsm_result *res)
{
	struct fsm_node *node = find_node(fsm, cmd->node_status.node, res);

	if (!node)
		return res->code;
	if (node->down)
		return FSM_OK;
	node->down = true;
	begin_cordon(fsm, cmd, node);
	return FSM_OK;
}

enum fsm_code fsm_do_node_up(struct fsm *fsm, const struct command *cmd, struct fsm_result *res)
{
	struct fsm_node *node = find_node(fsm, cmd->node_status.node, res);

	if (!node)
		return res->code;
	node->down = false;
	/* What was asked for in another boot has happened: the machine was restarted. */
	if (node->cordon && cmd->node_status.boot_id &&
	    cmd->node_status.boot_id != node->cordon_boot) {
		node->cordon = FSM_CORDON_NONE;
		node->cordon_boot = 0;
	}
	end_cordon(fsm, cmd, node);
	return FSM_OK;
}

/* Would a volume be left without a copy that may serve? */
static enum fsm_code check_redundancy(const struct fsm *fsm, const struct fsm_node *node,
				      struct fsm_result *res)
{
	unsigned int v;
	int i;

	for (v = 0; v < fsm->nr_volumes; v++) {
		const struct fsm_volume *vol = &fsm->volumes[v];
		int slot = hf_conf_slot_of(&vol->conf, node->id);
		bool other = false;

		if (vol->state == FSM_VOLUME_DELETING || slot < 0)
			continue;
		if (vol->state == FSM_VOLUME_CREATING)
			return fsm_refuse(res, FSM_REFUSED,
					  "volume %s is being made on node %s: try again when 'holdfast volume ls' shows it",
					  vol->name, node->name);
		if (!(vol->conf.in_sync_mask & 1 << slot))
			continue;
		for (i = 0; i < HF_MAX_SLOTS; i++) {
			const struct fsm_node *n;

			if (i == slot || !(vol->conf.in_sync_mask & 1 << i))
				continue;
			n = fsm_node_by_id(fsm, vol->conf.slots[i].node);
			other |= n && n->status == FSM_NODE_NORMAL;
		}
		if (!other)
			return fsm_refuse(res, FSM_REFUSED,
					  "node %s has the only in-sync copy of volume %s (vd%u): wait until it is rebuilt on another node ('holdfast volume info %s'), or use --force",
					  node->name, vol->name, vol->conf.vdisk, vol->name);
	}
	return FSM_OK;
}

enum fsm_code fsm_do_cordon(struct fsm *fsm, const struct command *cmd, struct fsm_result *res)
{
	const struct cmd_node_cordon *c = &cmd->node_cordon;
	struct fsm_node *node = find_node(fsm, c->node, res);
	enum fsm_code code;

	if (!node)
		return res->code;
	if (c->cordon == FSM_CORDON_NONE)
		return fsm_refuse(res, FSM_INVALID, "a cordon has a reason");
	if (c->cordon == FSM_CORDON_OPERATOR && !node->cordon && !node->down) {
		code = check_redundancy(fsm, node, res);
		if (code)
			return code;
	}
	/* A stronger wish takes the place of a weaker one. */
	if (c->cordon > node->cordon)
		node->cordon = c->cordon;
	node->cordon_boot = c->boot_id;
	begin_cordon(fsm, cmd, node);
	return FSM_OK;
}

enum fsm_code fsm_do_uncordon(struct fsm *fsm, const struct command *cmd, struct fsm_result *res)
{
	struct fsm_node *node = find_node(fsm, cmd->node_status.node, res);

	if (!node)
		return res->code;
	if (!node->cordon && node->down)
		return fsm_refuse(res, FSM_REFUSED,
				  "node %s is down: it is taken back by itself as soon as it is heard again",
				  node->name);
	if (!node->cordon)
		return FSM_OK;
	node->cordon = FSM_CORDON_NONE;
	node->cordon_boot = 0;
	end_cordon(fsm, cmd, node);
	return FSM_OK;
}

enum fsm_code fsm_do_set(struct fsm *fsm, const struct command *cmd, struct fsm_result *res)
{
	u32 delay_ms = cmd->set.rebuild_delay_ms;

	if (delay_ms > FSM_MAX_REBUILD_DELAY_MS)
		return fsm_refuse(res, FSM_INVALID,
				  "a rebuild-delay of %u s is too long: 7 days at most",
				  delay_ms / 1000);
	fsm->rebuild_delay_ms = delay_ms;
	return FSM_OK;
}
