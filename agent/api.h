/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The HTTP/JSON API without HTTP: a request is an object, its answer another.
 * What is about this node alone is done here; everything else is done by the
 * leader, who has the facts of all (relay.h).
 *
 * Request: {"method", "path", "query": {name: text}, "body": object or null,
 * "origin": node id, "id": 16 hex digits, "deadline_ms": time it may take}.
 * Answer: {"status": HTTP status, "body": object or array}; a refusal's body is
 * {"error": sentence}.
 */
#ifndef AGENT_API_H
#define AGENT_API_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "fsm.h"

enum {
	API_BODY_MAX		= 64 << 10,
	API_LEADER_MS		= 10000,	/* scaled: to find a leader that answers */
	API_READ_MS		= 3000,		/* scaled: then a read is answered from this node */
	API_WISH_MS		= 30000,	/* scaled: attach, detach, move, delete */
	API_CREATE_MS		= 300000,	/* scaled: zeroing takes its time */
	API_WAIT_MAX_MS		= 3600000,
};

struct agent;
struct api_request;

/* @answer is stolen by the callee; NULL (from api_serve() alone): not the leader any more. */
typedef void (*api_done_cb)(void *data, json_t *answer);

/* A request that came in on this node. @request is stolen; @done is called once, maybe at once. */
void api_handle(struct agent *agent, json_t *request, api_done_cb done, void *data);

/* The leader's part. @request is borrowed. */
void api_serve(struct agent *agent, json_t *request, api_done_cb done, void *data);

/* Looks at every request that waits for a state. */
void api_check_waits(struct agent *agent);
void api_end_waits(struct agent *agent);

#endif /* AGENT_API_H */
