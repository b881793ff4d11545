// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The API's frame: taking requests apart, sending them to where they are
 * answered, waiting for states.  A request that is about the cluster goes to
 * the leader whole, with an id of its own, so that it can be sent again to the
 * next leader; a read that finds no leader is answered from this node's copy and
 * says so.
 */
#include "api.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_internal.h"
#include "hex.h"
#include "log_raft.h"
#include "loop.h"
#include "relay.h"

/* ----------------------------------------------------------------- answers */

json_t *api_ok(json_t *body)
{
	return json_pack("{s:i, s:o}", "status", 200, "body", body);
}

json_t *api_error(int status, const char *fmt, ...)
{
	char sentence[1024];
	va_list ap;
	json_t *text;

	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	text = json_string(sentence);
	if (!text)	/* not UTF-8: somebody's bytes are in it */
		text = json_string("the request is refused: it is not UTF-8");
	return json_pack("{s:i, s:{s:o}}", "status", status, "body", "error", text);
}

json_t *api_result(const struct fsm_result *result)
{
	switch (result->code) {
	case FSM_UNKNOWN:
		return api_error(404, "%s", result->sentence);
	case FSM_INVALID:
	case FSM_ILLEGAL:
		return api_error(400, "%s", result->sentence);
	default:
		return api_error(409, "%s", result->sentence);
	}
}

/* ---------------------------------------------------------------- requests */

bool api_is(const struct api_request *request, const char *method, unsigned int nr_path,
	    const char *first)
{
	return !strcmp(request->method, method) && request->nr_path == nr_path &&
	       nr_path && !strcmp(request->path[0], first);
}

bool api_request_read(json_t *json, struct api_request *request, json_t **answer)
{
	const char *path = json_string_value(json_object_get(json, "path"));
	const char *id = json_string_value(json_object_get(json, "id"));
	char *at, *part;
	json_int_t ms;

	memset(request, 0, sizeof(*request));
	request->method = json_string_value(json_object_get(json, "method"));
	if (!path || !request->method || strlen(path) >= sizeof(request->text) ||
	    strncmp(path, "/v1/", 4)) {
		*answer = api_error(404, "there is no such resource: paths begin with /v1/");
		return false;
	}
	strcpy(request->text, path + 4);
	for (at = request->text; (part = strsep(&at, "/"));) {
		if (request->nr_path == API_MAX_SEGMENTS || !*part) {
			*answer = api_error(404, "there is no such resource: %.200s", path);
			return false;
		}
		request->path[request->nr_path++] = part;
	}
	request->query = json_object_get(json, "query");
	request->body = json_object_get(json, "body");
	request->origin = (uint32_t)json_integer_value(json_object_get(json, "origin"));
	if (id)
		hex_decode_u64(id, &request->id);
	ms = json_integer_value(json_object_get(json, "deadline_ms"));
	request->deadline_ms = loop_now_ms() +
		(uint64_t)(ms < 0 ? 0 : ms > API_WAIT_MAX_MS ? API_WAIT_MAX_MS : ms);
	return true;
}

/* --------------------------------------------------- to the leader and back */

/* A request of this node that the leader answers; freed when it has. */
struct forwarded {
	struct agent *agent;
	json_t *request;
	api_done_cb done;
	void *data;
};

static void forwarded_cb(void *data, json_t *answer)
{
	struct forwarded *f = data;
	struct api_request request;
	json_t *local = NULL;

	if (answer) {
		local = json_incref(answer);
	} else if (api_request_read(f->request, &request, &local)) {
		if (!strcmp(request.method, "GET"))
			local = api_read(f->agent, &request, true);
		else
			local = api_error(503, "no leader answered in time, so it is not known "
					  "whether it was done: a majority of the voting nodes must "
					  "be up and reach each other; look with 'holdfast volume "
					  "ls' and try again");
	}
	f->done(f->data, local);
	json_decref(f->request);
	free(f);
}

/* How long a request may take; what it asks for itself counts for waits. */
static uint64_t time_for(const struct agent *agent, const struct api_request *request)
{
	json_t *asked = json_object_get(request->body, "timeout_ms");
	bool makes;
	uint64_t ms;

	if (!strcmp(request->method, "GET"))
		return node_scaled(agent, API_READ_MS);
	makes = api_is(request, "POST", 1, "volumes") || api_is(request, "POST", 1, "drives");
	ms = node_scaled(agent, makes ? API_CREATE_MS : API_WISH_MS);
	if (json_is_integer(asked) && json_integer_value(asked) >= 0 &&
	    json_integer_value(asked) <= API_WAIT_MAX_MS)
		ms = (uint64_t)json_integer_value(asked);
	return ms;
}

static void forward(struct agent *agent, json_t *json, const struct api_request *request,
		    api_done_cb done, void *data)
{
	struct forwarded *f = xcalloc(1, sizeof(*f));
	uint64_t ms = time_for(agent, request);
	char id[17];

	hex_encode_u64(loop_random_u64(), id);
	json_object_set_new(json, "id", json_string(id));
	json_object_set_new(json, "origin", json_integer(agent->self.id));
	json_object_set_new(json, "deadline_ms", json_integer((json_int_t)ms));
	f->agent = agent;
	f->request = json_incref(json);
	f->done = done;
	f->data = data;
	/* Longer than the leader takes to say at the deadline what is missing. */
	if (strcmp(request->method, "GET"))
		ms += node_scaled(agent, API_READ_MS);
	relay_call(agent->relay, "api", json_incref(json), loop_now_ms() + ms, forwarded_cb, f);
}

void api_handle(struct agent *agent, json_t *json, api_done_cb done, void *data)
{
	struct api_request request;
	json_t *answer = NULL;

	if (!api_request_read(json, &request, &answer))
		done(data, answer);
	else if (api_is(&request, "GET", 1, "status"))
		done(data, api_ok(api_status_json(agent)));
	else if (api_is(&request, "POST", 1, "init") || api_is(&request, "POST", 1, "join") ||
		 api_is(&request, "POST", 1, "tokens"))
		api_member_handle(agent, &request, done, data);
	else if (agent->phase != NODE_MEMBER)
		done(data, api_error(409, "this node is not a member of a cluster: run 'holdfast "
				     "init' to make one, or 'holdfast join TOKEN' to join one"));
	else
		forward(agent, json, &request, done, data);
	json_decref(json);
}

/* ------------------------------------------------------------------ leader */

/* A read on the leader, behind a barrier: not older than the request. */
struct barrier_read {
	struct agent *agent;
	json_t *json;
	api_done_cb done;
	void *data;
};

static void barrier_cb(void *data, int error, json_t *result)
{
	struct barrier_read *b = data;
	struct api_request request;
	json_t *answer = NULL;

	(void)result;
	if (!error && api_request_read(b->json, &request, &answer))
		answer = api_read(b->agent, &request, false);
	b->done(b->data, answer);
	json_decref(b->json);
	free(b);
}

void api_serve(struct agent *agent, json_t *json, api_done_cb done, void *data)
{
	struct api_request request;
	struct barrier_read *b;
	json_t *answer = NULL;

	if (!api_request_read(json, &request, &answer))
		return done(data, answer);
	if (api_node_serves(&request))
		return api_node_serve(agent, &request, done, data);
	if (strcmp(request.method, "GET"))
		return api_volume_serve(agent, &request, done, data);
	b = xcalloc(1, sizeof(*b));
	b->agent = agent;
	b->json = json_incref(json);
	b->done = done;
	b->data = data;
	log_raft_barrier(agent->log, barrier_cb, b);
}

/* ------------------------------------------------------------------- waits */

void api_wait_add(struct agent *agent, struct api_wait *wait)
{
	wait->begun_ms = loop_now_ms();
	wait->next = agent->waits;
	agent->waits = wait;
	node_kick(agent);
}

static void wait_end(struct api_wait *wait, json_t *answer)
{
	wait->done(wait->data, answer);
	free(wait);
}

void api_check_waits(struct agent *agent)
{
	struct api_wait *list = agent->waits, *wait;
	uint64_t now = loop_now_ms();
	bool leads = node_is_leader(agent);

	agent->waits = NULL;	/* answers may add new ones */
	while ((wait = list)) {
		json_t *answer = NULL;

		list = wait->next;
		if (leads)
			answer = wait->check(agent, wait, now >= wait->deadline_ms);
		if (answer || !leads) {
			wait_end(wait, answer);
		} else {
			wait->next = agent->waits;
			agent->waits = wait;
		}
	}
}

void api_end_waits(struct agent *agent)
{
	struct api_wait *wait;

	while ((wait = agent->waits)) {
		agent->waits = wait->next;
		wait_end(wait, NULL);
	}
}
