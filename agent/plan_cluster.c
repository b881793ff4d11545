// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The leader's planner: which nodes are down or back, and then each volume in
 * turn (plan_volume.c).  It proposes; fsm.c decides whether a step is legal.
 *
 * Slow is not dead: a node is declared down only when nobody who reports hears
 * its agent, nobody's module has a ready link with its module, and its machine
 * does not even refuse connections.  A node whose agent alone is dead stays.
 */
#include <stdlib.h>
#include <string.h>

#include "plan_internal.h"

static const struct heard *heard_of(const struct node_report *report, u32 node)
{
	unsigned int i;

	for (i = 0; i < report->nr_heard; i++) {
		if (report->heard[i].node == node)
			return &report->heard[i];
	}
	return NULL;
}

/* Has the module of @report a ready link with the module of @node? */
static bool linked_with(const struct node_report *report, u32 node)
{
	unsigned int i, j;

	for (i = 0; i < report->view.nr_volumes; i++) {
		const struct kernel_volume *vol = &report->view.volumes[i];

		for (j = 0; j < vol->nr_remotes; j++) {
			const struct kernel_remote *remote = &vol->remotes[j];
			u32 other = vol->conf.slots[remote->slot_nr].node;

			if (other == report->node)
				other = vol->conf.primary_node;
			if (other == node && remote->link_state == HOLDFAST_LINK_READY)
				return true;
		}
	}
	return false;
}

static bool is_down(const struct planner *p, u32 node)
{
	u64 silent_ms = plan_scaled(p->in, PLAN_SILENT_MS);
	unsigned int i, witnesses = 0;

	for (i = 0; i < p->facts->count; i++) {
		u32 reporter = p->facts->entries[i].report->node;
		const struct node_report *report = plan_report(p, reporter);
		const struct heard *heard;

		if (!report || reporter == node)
			continue;
		if (linked_with(report, node))
			return false;
		heard = heard_of(report, node);
		if (!heard)
			continue;
		if (heard->age_ms <= silent_ms || heard->refused_ms <= silent_ms)
			return false;
		if (reporter == p->in->self)
			witnesses++;
	}
	return witnesses;
}

/* Since when the node is heard without a gap, 0: it is not. */
static u64 heard_since(struct planner *p, u32 node)
{
	const struct node_report *report = plan_report(p, node);
	unsigned int i;

	for (i = 0; i < FSM_MAX_NODES; i++) {
		if (p->memory->nodes[i].node == node || !p->memory->nodes[i].node)
			break;
	}
	if (i == FSM_MAX_NODES)
		return 0;
	p->memory->nodes[i].node = node;
	if (!report || !report->view.loaded)
		p->memory->nodes[i].heard_since_ms = 0;
	else if (!p->memory->nodes[i].heard_since_ms)
		p->memory->nodes[i].heard_since_ms = p->in->mono_ms;
	return p->memory->nodes[i].heard_since_ms;
}

static void plan_status(struct planner *p, const struct fsm_node *node)
{
	u64 since = heard_since(p, node->id);
	const struct node_report *report = plan_report(p, node->id);
	struct command *cmd = NULL;

	if (!node->down && node->id != p->in->self && is_down(p, node->id)) {
		cmd = plan_command(p, CMD_NODE_DOWN);
	} else if (since && report &&
		   p->in->mono_ms - since >= plan_scaled(p->in, PLAN_BACK_MS) &&
		   (node->down || (node->cordon && report->boot_id != node->cordon_boot))) {
		cmd = plan_command(p, CMD_NODE_UP);
		if (cmd)
			cmd->node_status.boot_id = report->boot_id;
	}
	if (cmd)
		cmd->node_status.node = node->id;
}

static struct plan_volume_memory *volume_memory(struct planner *p, const struct fsm_volume *vol)
{
	struct plan_memory *m = p->memory;
	struct plan_volume_memory *mem;
	unsigned int i;

	for (i = 0; i < m->nr_volumes; i++) {
		if (!memcmp(m->volumes[i].uuid, vol->uuid, FSM_UUID_BYTES))
			break;
	}
	if (i == m->nr_volumes) {
		if (m->nr_volumes == m->room) {
			unsigned int room = m->room ? 2 * m->room : 8;

			mem = reallocarray(m->volumes, room, sizeof(*mem));
			if (!mem)
				return NULL;
			m->volumes = mem;
			m->room = room;
		}
		mem = &m->volumes[m->nr_volumes++];
		memset(mem, 0, sizeof(*mem));
		memcpy(mem->uuid, vol->uuid, sizeof(mem->uuid));
	}
	mem = &m->volumes[i];
	mem->seen = true;
	if (mem->epoch != vol->conf.epoch) {
		mem->epoch = vol->conf.epoch;
		mem->epoch_since_ms = p->in->mono_ms;
		mem->ready_since_ms = 0;
		memset(mem->lost_since_ms, 0, sizeof(mem->lost_since_ms));
		memset(mem->finishing_since_ms, 0, sizeof(mem->finishing_since_ms));
	}
	return mem;
}

/* Volumes that are gone are forgotten. */
static void forget_volumes(struct plan_memory *m)
{
	unsigned int i, kept = 0;

	for (i = 0; i < m->nr_volumes; i++) {
		if (!m->volumes[i].seen)
			continue;
		m->volumes[kept] = m->volumes[i];
		m->volumes[kept++].seen = false;
	}
	m->nr_volumes = kept;
}

void plan_cluster(const struct fsm *fsm, const struct facts *facts, struct plan_memory *memory,
		  const struct plan_input *in, struct command_list *out)
{
	struct planner p = {
		.fsm = fsm, .facts = facts, .memory = memory, .in = in, .out = out,
	};
	unsigned int i;

	for (i = 0; i < fsm->nr_nodes; i++)
		plan_status(&p, &fsm->nodes[i]);
	for (i = 0; i < fsm->nr_volumes; i++) {
		struct plan_volume_memory *mem = volume_memory(&p, &fsm->volumes[i]);

		if (mem && fsm->volumes[i].state == FSM_VOLUME_READY)
			plan_volume(&p, &fsm->volumes[i], mem);
	}
	forget_volumes(memory);
}
