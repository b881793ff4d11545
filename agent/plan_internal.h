/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared by plan.c, plan_cluster.c and plan_volume.c alone.
 */
#ifndef HOLDFAST_AGENT_PLAN_INTERNAL_H
#define HOLDFAST_AGENT_PLAN_INTERNAL_H

#include "plan.h"

/* One call of plan_cluster(). Life: on its stack. */
struct planner {
	const struct fsm		*fsm;
	const struct facts		*facts;
	struct plan_memory		*memory;
	const struct plan_input		*in;
	struct command_list		*out;
	unsigned int			random_used;
};

u64 plan_scaled(const struct plan_input *in, u64 ms);

/* A command at the end of the list, NULL when values or memory are used up. */
struct command *plan_command(struct planner *p, enum command_kind kind);
/* The report of a node that is fresh enough to rely upon; NULL: there is none. */
const struct node_report *plan_report(const struct planner *p, u32 node);
bool plan_node_normal(const struct planner *p, u32 node);

/* plan_volume.c: the steps of one volume in service. */
void plan_volume(struct planner *p, const struct fsm_volume *vol,
		 struct plan_volume_memory *memory);

#endif /* HOLDFAST_AGENT_PLAN_INTERNAL_H */
