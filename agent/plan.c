// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What both planners share: lists, scaled times, and access to facts.
 */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

#include "plan_internal.h"

static const char *const action_names[ACT_KINDS] = {
	[ACT_NONE]		= "none",
	[ACT_VOLUME_SET]	= "volume_set",
	[ACT_SLOT_ATTACH]	= "slot_attach",
	[ACT_SLOT_DETACH]	= "slot_detach",
	[ACT_SLOT_MAKE]		= "slot_make",
	[ACT_SLOT_RETIRE]	= "slot_retire",
	[ACT_DISK_PREPARE]	= "disk_prepare",
	[ACT_DISK_RELEASE]	= "disk_release",
	[ACT_DISK_DEL]		= "disk_del",
	[ACT_LINK_CONNECT]	= "link_connect",
	[ACT_LINK_DEL]		= "link_del",
	[ACT_REBUILD_START]	= "rebuild_start",
	[ACT_VOLUME_DEL]	= "volume_del",
	[ACT_PROPOSE]		= "propose",
};

const char *action_kind_name(enum action_kind kind)
{
	return kind < ACT_KINDS ? action_names[kind] : "none";
}

struct action *action_list_add(struct action_list *list)
{
	if (list->count == list->room) {
		unsigned int room = list->room ? 2 * list->room : 8;
		struct action *more = reallocarray(list->actions, room, sizeof(*more));

		if (!more)
			return NULL;
		list->actions = more;
		list->room = room;
	}
	memset(&list->actions[list->count], 0, sizeof(*list->actions));
	return &list->actions[list->count++];
}

void action_list_clear(struct action_list *list)
{
	free(list->actions);
	memset(list, 0, sizeof(*list));
}

void plan_memory_clear(struct plan_memory *memory)
{
	free(memory->volumes);
	memset(memory, 0, sizeof(*memory));
}

u64 plan_scaled(const struct plan_input *in, u64 ms)
{
	return ms * in->scale_pct / 100;
}

u64 plan_draw(struct planner *p)
{
	return p->random_used < p->in->nr_random ? p->in->random[p->random_used++] : 0;
}

struct command *plan_command(struct planner *p, enum command_kind kind)
{
	u64 id = plan_draw(p);
	struct command *cmd;

	cmd = id ? command_list_add(p->out) : NULL;
	if (cmd)
		command_begin(cmd, kind, id, p->in->unix_ms, p->in->self);
	return cmd;
}

const struct node_report *plan_report(const struct planner *p, u32 node)
{
	unsigned int i;

	for (i = 0; i < p->facts->count; i++) {
		if (p->facts->entries[i].report->node == node &&
		    p->facts->entries[i].age_ms <= plan_scaled(p->in, PLAN_FRESH_MS))
			return p->facts->entries[i].report;
	}
	return NULL;
}

bool plan_node_normal(const struct planner *p, u32 node)
{
	const struct fsm_node *n = fsm_node_by_id(p->fsm, node);

	return n && n->status == FSM_NODE_NORMAL;
}

bool plan_node_down(const struct planner *p, u32 node)
{
	const struct fsm_node *n = fsm_node_by_id(p->fsm, node);

	return !n || n->down;
}
