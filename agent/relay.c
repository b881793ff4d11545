// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Calls to the leader.  A call is repeated until an answer comes or its deadline
 * passes: leaders change, connections break, and an answer that is lost says
 * nothing.  So only calls that bear a repetition go this way: commands with an
 * id of their own, and API requests, which carry theirs.  An agent that does not
 * reach the leader asks one that does (one hop, never two).
 */
#include "relay.h"

#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "heartbeat.h"
#include "log_raft.h"
#include "loop.h"
#include "node.h"

/* A call that was made here; ends in call_end(). */
struct call {
	struct call *next, **link;	/* relay->calls */
	struct relay *relay;
	char *method;
	json_t *args;
	uint64_t deadline_ms;
	uint64_t try_ms;		/* not before */
	uint64_t seq;			/* of the present attempt */
	bool under_way;
	bool forwarded;			/* made for another node: to the leader itself or not at all */
	struct frames *frames;		/* where the attempt was sent; NULL: served here */
	uint32_t sent_for;		/* leader at that time */
	uint64_t resend_ms;
	struct relay_answer *serving;	/* attempt served here */
	relay_done_cb done;
	void *data;
};

/* A call that is served here, until relay_answer(). */
struct relay_answer {
	struct relay_answer *next, **link;	/* relay->served */
	struct relay *relay;
	struct call *call;		/* of this agent itself; NULL: a frame's, or given up */
	struct frames *frames;		/* NULL: lost */
	uint64_t seq;
};

struct relay {
	struct agent *agent;
	struct call *calls;
	struct relay_answer *served;
	unsigned int nr_calls, nr_served;
	uint64_t last_seq;
};

static void call_end(struct call *c, json_t *answer)
{
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	c->relay->nr_calls--;
	if (c->serving)
		c->serving->call = NULL;
	c->done(c->data, answer);
	json_decref(c->args);
	free(c->method);
	free(c);
}

static void call_again(struct call *c)
{
	c->under_way = false;
	c->frames = NULL;
	c->try_ms = loop_now_ms() + RELAY_RETRY_MS;
}

/* ----------------------------------------------------------------- serving */

static struct relay_answer *answer_new(struct relay *relay)
{
	struct relay_answer *to = xcalloc(1, sizeof(*to));

	to->relay = relay;
	to->link = &relay->served;
	to->next = relay->served;
	if (to->next)
		to->next->link = &to->next;
	relay->served = to;
	relay->nr_served++;
	return to;
}

void relay_answer(struct relay_answer *to, json_t *answer)
{
	struct call *call = to->call;

	*to->link = to->next;
	if (to->next)
		to->next->link = to->link;
	to->relay->nr_served--;
	if (to->frames)
		frames_send(to->frames, json_pack("{s:I, s:O?}", "answer", (json_int_t)to->seq,
						  "body", answer));
	free(to);
	if (call) {
		call->serving = NULL;
		if (answer)
			call_end(call, answer);
		else
			call_again(call);
	}
	json_decref(answer);
}

static void proposed_cb(void *data, int error, json_t *result)
{
	relay_answer(data, error ? NULL : json_incref(result));
}

static void api_served_cb(void *data, json_t *answer)
{
	relay_answer(data, answer);
}

static json_t *refusal(enum fsm_code code, const char *sentence)
{
	return json_pack("{s:i, s:s}", "code", (int)code, "sentence", sentence);
}

static void serve_propose(struct relay *relay, json_t *args, struct relay_answer *to)
{
	char why[FSM_SENTENCE_BYTES];
	struct command cmd;

	if (command_from_json(args, &cmd, why, sizeof(why)))
		return relay_answer(to, refusal(FSM_INVALID, why));
	log_raft_propose(relay->agent->log, args, proposed_cb, to);
}

static void serve(struct relay *relay, const char *method, json_t *args, struct relay_answer *to)
{
	if (!node_is_leader(relay->agent))
		relay_answer(to, NULL);
	else if (!strcmp(method, "propose"))
		serve_propose(relay, args, to);
	else if (!strcmp(method, "api"))
		api_serve(relay->agent, args, api_served_cb, to);
	else
		relay_answer(to, refusal(FSM_INVALID, "the leader does not know this call; "
					 "upgrade it"));
}

/* --------------------------------------------------------------------- calls */

static void call_try(struct call *c)
{
	struct relay *relay = c->relay;
	struct agent *agent = relay->agent;
	uint32_t leader = node_leader(agent);
	struct frames *frames;
	bool hop = false;

	if (node_is_leader(agent)) {
		struct relay_answer *to = answer_new(relay);

		to->call = c;
		c->serving = to;
		c->under_way = true;
		c->frames = NULL;
		c->sent_for = agent->self.id;
		c->resend_ms = UINT64_MAX;
		return serve(relay, c->method, c->args, to);	/* may end c */
	}
	frames = leader ? heartbeat_frames(agent->heartbeat, leader) : NULL;
	if (!frames && !c->forwarded) {
		uint32_t via = heartbeat_go_between(agent->heartbeat, leader);

		frames = via ? heartbeat_frames(agent->heartbeat, via) : NULL;
		hop = true;
	}
	if (!frames)
		return call_again(c);
	c->seq = ++relay->last_seq;
	c->under_way = true;
	c->frames = frames;
	c->sent_for = leader;
	c->resend_ms = strcmp(c->method, "propose") ? UINT64_MAX :
		       loop_now_ms() + node_scaled(agent, RELAY_ANSWER_MS);
	frames_send(frames, json_pack("{s:I, s:s, s:O, s:b}", "call", (json_int_t)c->seq,
				      "method", c->method, "args", c->args, "hop", hop));
}

void relay_tick(struct relay *relay)
{
	uint64_t now = loop_now_ms();
	uint32_t leader = node_leader(relay->agent);
	struct call *c, *next;

	for (c = relay->calls; c; c = next) {
		next = c->next;
		if (now >= c->deadline_ms) {
			call_end(c, NULL);
			next = relay->calls;	/* the callback may have changed the list */
			continue;
		}
		if (c->under_way && !c->serving &&
		    (now >= c->resend_ms || (leader && leader != c->sent_for)))
			call_again(c);
	}
	/* One at a time: an attempt that is served here may end any of them. */
again:
	for (c = relay->calls; c; c = c->next) {
		if (!c->under_way && now >= c->try_ms) {
			call_try(c);
			goto again;
		}
	}
}

static void call_new(struct relay *relay, const char *method, json_t *args, uint64_t deadline_ms,
		     bool forwarded, relay_done_cb done, void *data)
{
	struct call *c = xcalloc(1, sizeof(*c));

	c->relay = relay;
	c->method = xstrdup(method);
	c->args = args;
	c->deadline_ms = relay->nr_calls < RELAY_MAX_CALLS ? deadline_ms : 0;
	c->forwarded = forwarded;
	c->done = done;
	c->data = data;
	c->link = &relay->calls;
	c->next = relay->calls;
	if (c->next)
		c->next->link = &c->next;
	relay->calls = c;
	relay->nr_calls++;
	node_kick(relay->agent);
}

void relay_call(struct relay *relay, const char *method, json_t *args, uint64_t deadline_ms,
		relay_done_cb done, void *data)
{
	call_new(relay, method, args, deadline_ms, false, done, data);
}

void relay_propose(struct relay *relay, const struct command *cmd, uint64_t deadline_ms,
		   relay_done_cb done, void *data)
{
	call_new(relay, "propose", command_to_json(cmd), deadline_ms, false, done, data);
}

bool relay_read_result(json_t *answer, struct fsm_result *result)
{
	const char *sentence = json_string_value(json_object_get(answer, "sentence"));
	json_t *code = json_object_get(answer, "code");

	memset(result, 0, sizeof(*result));
	if (!answer || !json_is_integer(code)) {
		result->code = FSM_REFUSED;
		strcpy(result->sentence, "no leader answered in time: a majority of the voting "
		       "nodes must be up and reach each other; try again");
		return false;
	}
	result->code = (enum fsm_code)json_integer_value(code);
	if (sentence)
		strncat(result->sentence, sentence, sizeof(result->sentence) - 1);
	return true;
}

/* -------------------------------------------------------------------- frames */

static void forwarded_cb(void *data, json_t *answer)
{
	relay_answer(data, json_incref(answer));
}

static void take_call(struct relay *relay, struct frames *frames, json_t *frame)
{
	const char *method = json_string_value(json_object_get(frame, "method"));
	json_t *args = json_object_get(frame, "args");
	struct relay_answer *to;

	if (!method || !json_is_object(args) || relay->nr_served >= RELAY_MAX_CALLS)
		return;
	to = answer_new(relay);
	to->frames = frames;
	to->seq = (uint64_t)json_integer_value(json_object_get(frame, "call"));
	if (!node_is_leader(relay->agent) && json_is_true(json_object_get(frame, "hop")))
		/* The caller repeats; what it waits for is bounded on its side. */
		call_new(relay, method, json_incref(args),
			 loop_now_ms() + node_scaled(relay->agent, 60000), true, forwarded_cb, to);
	else
		serve(relay, method, args, to);
}

static void take_answer(struct relay *relay, struct frames *frames, json_t *frame)
{
	uint64_t seq = (uint64_t)json_integer_value(json_object_get(frame, "answer"));
	json_t *body = json_object_get(frame, "body");
	struct call *c;

	for (c = relay->calls; c; c = c->next) {
		if (!c->under_way || c->frames != frames || c->seq != seq)
			continue;
		if (json_is_object(body))
			call_end(c, body);
		else
			call_again(c);
		return;
	}
}

void relay_frame(struct relay *relay, uint32_t from, struct frames *frames, json_t *frame)
{
	if (json_object_get(frame, "call"))
		take_call(relay, frames, frame);
	else if (json_object_get(frame, "answer"))
		take_answer(relay, frames, frame);
	else
		log_debug("node %08x sent a frame of no known kind", from);
}

void relay_frames_lost(struct relay *relay, struct frames *frames)
{
	struct relay_answer *to;
	struct call *c;

	for (to = relay->served; to; to = to->next) {
		if (to->frames == frames)
			to->frames = NULL;
	}
	for (c = relay->calls; c; c = c->next) {
		if (c->under_way && c->frames == frames)
			call_again(c);
	}
}

struct relay *relay_open(struct agent *agent)
{
	struct relay *relay = xcalloc(1, sizeof(*relay));

	relay->agent = agent;
	return relay;
}

void relay_close(struct relay *relay)
{
	while (relay->calls)
		call_end(relay->calls, NULL);
}

void relay_free(struct relay *relay)
{
	while (relay->served) {
		struct relay_answer *to = relay->served;

		relay->served = to->next;
		free(to);
	}
	free(relay);
}
