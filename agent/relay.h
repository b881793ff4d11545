/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls to the leader, from wherever it is asked, over at most one hop between. */
#ifndef AGENT_RELAY_H
#define AGENT_RELAY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "command.h"
#include "frames.h"

enum {
	RELAY_MAX_CALLS		= 1024,
	RELAY_ANSWER_MS		= 5000,	/* scaled; an API call has its own deadline beside it */
	RELAY_RETRY_MS		= 200,
};

struct agent;
struct relay;

/*
 * @answer: borrowed, NULL when no leader could be reached or answered until the
 * deadline; the outcome of what was asked is then not known.
 */
typedef void (*relay_done_cb)(void *data, json_t *answer);

/* How the leader answers a call; @answer is stolen; NULL: "not the leader, ask again". */
struct relay_answer;
void relay_answer(struct relay_answer *to, json_t *answer);

struct relay *relay_open(struct agent *agent);
void relay_close(struct relay *relay);	/* every call under way ends with NULL */
void relay_free(struct relay *relay);	/* after the log has ended all that it was given */

/*
 * Calls @method on the leader, again and again until there is an answer or
 * @deadline_ms (loop_now_ms()) passes: what is called must bear a repetition.
 * @args is stolen. @done is never called from inside.
 */
void relay_call(struct relay *relay, const char *method, json_t *args, uint64_t deadline_ms,
		relay_done_cb done, void *data);

/* Proposes a command. The answer is {"code": n, "sentence": s}. */
void relay_propose(struct relay *relay, const struct command *cmd, uint64_t deadline_ms,
		   relay_done_cb done, void *data);

/* Code and sentence of relay_propose()'s answer; false and a sentence if it is none. */
bool relay_read_result(json_t *answer, struct fsm_result *result);

/* A frame of node @from with "call" or "answer" in it came in on @frames. */
void relay_frame(struct relay *relay, uint32_t from, struct frames *frames, json_t *frame);

/* @frames is gone: nothing is sent or expected there any more. */
void relay_frames_lost(struct relay *relay, struct frames *frames);

/* At every tick, and when leader or connections changed. */
void relay_tick(struct relay *relay);

#endif /* AGENT_RELAY_H */
