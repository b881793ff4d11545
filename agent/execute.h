/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Carries out what plan_node() names, each action at most once at a time.
 */
#ifndef AGENT_EXECUTE_H
#define AGENT_EXECUTE_H

#include <uv.h>

#include "links.h"
#include "module.h"
#include "plan.h"
#include "storage_queue.h"

struct execute;

/**
 * struct execute_ops - what the executor needs of the daemon
 * @propose: relay a command to the leader; lost ones are planned again. The
 *	command is borrowed
 * @changed: an action ended: dump was asked for, plan again soon
 */
struct execute_ops {
	void (*propose)(void *data, const struct command *cmd);
	void (*changed)(void *data);
};

/* NULL: no memory. @ops is kept by reference. */
struct execute *execute_open(uv_loop_t *loop, struct module *module, struct links *links,
			     struct storage_queue *storage, const struct execute_ops *ops,
			     void *data, unsigned int time_scale_pct);

/* Frees itself once what is in flight has ended; nothing is called back. */
void execute_close(struct execute *execute);

/* This node's id, for the commands that it proposes itself. */
void execute_set_node(struct execute *execute, uint32_t node);

/*
 * Begin what of @list is not in flight and not waiting for its retry time.
 * Actions of one volume run one after the other; of two lists that name the
 * same volume, the later is passed over while the earlier is at work. @list is
 * copied where it must be kept.
 */
void execute_actions(struct execute *execute, const struct action_list *list);

#endif /* AGENT_EXECUTE_H */
