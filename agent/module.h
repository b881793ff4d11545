/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel module as the daemon sees it: the latest dump, and commands that
 * run in the thread pool, since some of them block for as long as a device or
 * a peer does.
 */
#ifndef AGENT_MODULE_H
#define AGENT_MODULE_H

#include <uv.h>

#include "facts.h"
#include "nl.h"

struct module;

/* Runs on the loop; @call is the caller's again, with call->error and call->why. */
typedef void (*module_done_cb)(void *data, struct hf_nl_call *call);

/*
 * @changed runs on the loop after each new dump, and when the module comes or
 * goes. The first dump is begun at once; module_view() is empty until then.
 * NULL: no memory or no netlink.
 */
struct module *module_open(uv_loop_t *loop, void (*changed)(void *data), void *data);

/*
 * Frees itself once its handles and calls have ended. @changed is not called any
 * more; every call still has its @done, those not begun yet with -ECANCELED.
 */
void module_close(struct module *module);

/* Given to the module with each VOLUME_SET; set it before the first one. */
void module_set_node(struct module *module, uint32_t node);

/* The latest dump; valid until control goes back to the loop. */
const struct kernel_view *module_view(const struct module *module);

/* Why the module cannot be reached, one sentence; NULL if it is well. */
const char *module_trouble(const struct module *module);

/*
 * Dump again as soon as it can be. An event does this by itself; ages and
 * counters have no events, so call it at each heartbeat too.
 */
void module_refresh(struct module *module);

/* Run @call in the thread pool; @done follows exactly once, never from inside. */
void module_call(struct module *module, struct hf_nl_call *call, module_done_cb done, void *data);

/* What kernel_slot.attach_error of @volume says from now on; 0: nothing. */
void module_note_attach(struct module *module, const uint8_t *volume, int error);

#endif /* AGENT_MODULE_H */
