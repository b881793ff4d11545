/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared by plan.c, plan_cluster.c, plan_volume.c and plan_replace.c alone.
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
/* It is gone as far as one knows; a cordoned node may still be alive. */
bool plan_node_down(const struct planner *p, u32 node);
/* A value that was drawn before the call; 0: they are used up. */
u64 plan_draw(struct planner *p);

/* A slot as its own node's fresh report shows it. */
struct slot_facts {
	const struct kernel_volume	*view;	/* NULL: nothing is known */
	bool				up;	/* attached, usable, of the right incarnation */
	bool				failed;	/* its device or module cannot serve */
	bool				unclean;
	u64				life;
};

/* One volume in one call. */
struct scene {
	struct planner			*p;
	const struct fsm_volume		*vol;
	const struct hf_conf_data	*conf;
	struct plan_volume_memory	*memory;
	struct slot_facts		slots[HF_MAX_SLOTS];
	int				wanted_slot;	/* slot on the wanted node, -1 */
	const struct kernel_volume	*wanted;	/* as the wanted node shows it, NULL */
	const struct kernel_volume	*primary;	/* as the primary's node shows it, NULL */
};

/* The next configuration as it is now, lives not cited; NULL: no memory or values. */
struct cmd_conf *plan_conf_command(const struct scene *s, enum conf_step step);

/* plan_replace.c: the number of slots and where they are. True: proposed. */
bool plan_replace(const struct scene *s);

/* plan_volume.c: the steps of one volume in service. */
void plan_volume(struct planner *p, const struct fsm_volume *vol,
		 struct plan_volume_memory *memory);

#endif /* HOLDFAST_AGENT_PLAN_INTERNAL_H */
