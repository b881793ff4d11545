/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How this node comes into a cluster, and how it lets others in. */
#ifndef AGENT_MEMBERSHIP_H
#define AGENT_MEMBERSHIP_H

#include <stdbool.h>
#include <stdint.h>

#include "identity.h"

enum {
	MEMBERSHIP_RETRY_MS	= 1000,		/* scaled */
	MEMBERSHIP_CALL_MS	= 10000,	/* scaled */
	MEMBERSHIP_MAX_CALLS	= 32,
	MEMBERSHIP_CALL_BYTES	= 256 << 10,	/* a call with all the pairs that a node can have */
	MEMBERSHIP_SILENT_MS	= 3000,		/* scaled: for the call to come, and after it */
	MEMBERSHIP_UNKNOWN_MS	= 1000,		/* scaled: between tokens that are not known here */
};

struct agent;
struct membership;

/* @why: NULL when this node is a member now, else one sentence. */
typedef void (*membership_done_cb)(void *data, const char *why);

struct membership *membership_open(struct agent *agent);
void membership_close(struct membership *m);	/* ends what is under way */
void membership_free(struct membership *m);	/* after log and transport have ended */

/* Goes on with what node.json says. 0, or 1 after a logged sentence. */
int membership_resume(struct membership *m);

/*
 * Makes a cluster of this node, or asks one to take it. @node is complete
 * but for its id. One at a time; @done is called once, never from inside.
 */
void membership_found(struct membership *m, const struct cmd_node *node,
		      membership_done_cb done, void *data);
void membership_join(struct membership *m, const struct cmd_node *node, const char *token,
		     membership_done_cb done, void *data);
bool membership_is_busy(const struct membership *m);

/* At every look: takes the next step. */
void membership_step(struct membership *m);

/* A running cluster's join token. The secret in @token goes to the caller alone. */
void membership_make_token(struct agent *agent, char text[TOKEN_TEXT_MAX],
			   struct cmd_token_add *cmd);

#endif /* AGENT_MEMBERSHIP_H */
