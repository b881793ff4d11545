/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the agent tells the service manager that started it. */
#ifndef AGENT_NOTIFY_H
#define AGENT_NOTIFY_H

#include <stddef.h>
#include <uv.h>

/*
 * The agent serves: says so, and from now on feeds the watchdog, as often as the
 * manager wants it, from @loop: a loop that hangs is noticed. @describe gives one
 * line for people; it is asked now and at every feeding. Without a manager that
 * listens nothing happens. Loop thread, once for the process.
 */
void notify_open(uv_loop_t *loop, void (*describe)(void *data, char *text, size_t len), void *data);

/* The agent is going to end. */
void notify_stopping(void);

/* No word after this; the loop may end. */
void notify_close(void);

#endif /* AGENT_NOTIFY_H */
