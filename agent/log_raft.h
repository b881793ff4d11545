/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The replicated log: libraft behind our own transport and a narrow interface. */
#ifndef AGENT_LOG_RAFT_H
#define AGENT_LOG_RAFT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "transport.h"

enum {
	LOG_RAFT_ELECTION_MS	= 1000,	/* scaled; heartbeat is a tenth of it */
	LOG_RAFT_LEADER_MS	= 2000,	/* scaled: a leader that reaches no majority gives up */
	LOG_RAFT_LATE_MS	= 500,	/* scaled: a tick so late is not acted upon */
	LOG_RAFT_SEGMENT_BYTES	= 1 << 20,
	LOG_RAFT_SNAPSHOT_EVERY	= 1024,	/* commands; a quarter of them stays in the log */
};

/*
 * The state machine behind the log. Called on the loop, in order; none may
 * call back into log_raft_propose() or log_raft_barrier(): @kick exists for that.
 */
struct log_raft_ops {
	/* A committed command; the result (new reference or NULL) goes to its proposer. */
	json_t *(*apply)(void *data, const char *text, size_t len);
	/* The whole state as text, malloc'ed. */
	char *(*snapshot)(void *data);
	/* Replaces the whole state; 0 or -errno. */
	int (*restore)(void *data, const char *text, size_t len);
	/* Role, leader, members or state may have changed: look again, later. */
	void (*kick)(void *data);
};

struct log_raft_member {
	uint32_t id;
	const char *address;
	bool voter;
	bool reachable;		/* only these are promoted */
};

struct log_raft;

/* @error: 0 or a code of libraft; @result borrowed, NULL on error. */
typedef void (*log_raft_done_cb)(void *data, int error, json_t *result);

/* NULL with a logged sentence when @dir is not usable. */
struct log_raft *log_raft_open(uv_loop_t *loop, struct transport *transport, const char *dir,
			       uint32_t id, const char *address, unsigned int time_scale_pct,
			       unsigned int snapshot_every, const struct log_raft_ops *ops,
			       void *data);

/* Makes this node the only member of a new log. 0 or a code of libraft. */
int log_raft_bootstrap(struct log_raft *lr);
int log_raft_start(struct log_raft *lr);
void log_raft_close(struct log_raft *lr, void (*closed)(void *data), void *data);

const char *log_raft_strerror(int error);

bool log_raft_is_leader(const struct log_raft *lr);
uint32_t log_raft_leader(const struct log_raft *lr);	/* 0: not known */
uint64_t log_raft_term(const struct log_raft *lr);
uint64_t log_raft_applied(const struct log_raft *lr);

/* "voter", "stand-by", "spare" or NULL for a node that the log does not list. */
const char *log_raft_role(const struct log_raft *lr, uint32_t id);

/*
 * Leader only. @done is called once, never from inside. An error after the
 * command was handed over says nothing about its outcome: ask again with the
 * same command id.
 */
void log_raft_propose(struct log_raft *lr, json_t *command, log_raft_done_cb done, void *data);

/* Leader only: after @done without error the local state is not older than the call. */
void log_raft_barrier(struct log_raft *lr, log_raft_done_cb done, void *data);

/* Leader only: asks member @id, a voter, to lead instead. Nothing if that is under way. */
void log_raft_transfer(struct log_raft *lr, uint32_t id);

/* That is under way: until it ended, one way or the other, no proposal is accepted. */
bool log_raft_hands_over(const struct log_raft *lr);

/* Leader only, level-triggered: takes at most one step towards @members. */
void log_raft_manage(struct log_raft *lr, const struct log_raft_member *members, size_t nr);

#endif /* AGENT_LOG_RAFT_H */
