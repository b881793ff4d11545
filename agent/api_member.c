// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests that make this node a member, and join tokens: done on the node where
 * they came in.  The backing pairs are checked in the thread pool, since that
 * opens devices; nothing is changed before all of them are found good.
 */
#include "api_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backing.h"
#include "identity.h"
#include "json_util.h"
#include "loop.h"
#include "membership.h"
#include "relay.h"
#include "token.h"

/* An init or join under way; freed when it is answered. */
struct entry {
	uv_work_t work;
	struct agent *agent;
	bool join;
	char token[TOKEN_TEXT_MAX];
	struct cmd_node node;
	char why[512];			/* set: refused */
	api_done_cb done;
	void *data;
};

/* A token on its way into the state. */
struct token_request {
	struct agent *agent;
	char text[TOKEN_TEXT_MAX];
	uint64_t expires_ms;
	api_done_cb done;
	void *data;
};

static void entry_end(struct entry *e, json_t *answer)
{
	e->done(e->data, answer);
	free(e);
}

/* ------------------------------------------------------------------ tokens */

static void token_added(void *data, json_t *json)
{
	struct token_request *t = data;
	struct fsm_result result;
	json_t *answer, *node;
	char id[9];

	if (!relay_read_result(json, &result)) {
		answer = api_error(503, "%s", result.sentence);
	} else if (result.code != FSM_OK) {
		answer = api_result(&result);
	} else {
		snprintf(id, sizeof(id), "%08x", t->agent->self.id);
		node = json_pack("{s:s, s:s, s:s}", "id", id, "name", t->agent->self.name,
				 "address", t->agent->self.address);
		answer = api_ok(json_pack("{s:s, s:I, s:o}", "token", t->text, "expires_ms",
					  (json_int_t)t->expires_ms, "node", node));
	}
	t->done(t->data, answer);
	free(t);
}

static void make_token(struct agent *agent, api_done_cb done, void *data)
{
	struct token_request *t = xcalloc(1, sizeof(*t));
	struct command cmd;

	t->agent = agent;
	t->done = done;
	t->data = data;
	command_begin(&cmd, CMD_TOKEN_ADD, loop_random_u64(), loop_wall_ms(), agent->self.id);
	membership_make_token(agent, t->text, &cmd.token_add);
	t->expires_ms = cmd.token_add.expires_ms;
	relay_propose(agent->relay, &cmd, loop_now_ms() + node_scaled(agent, API_LEADER_MS),
		      token_added, t);
}

/* ------------------------------------------------------------ init and join */

static void entered(void *data, const char *why)
{
	struct entry *e = data;
	struct agent *agent = e->agent;
	char id[9];

	if (why)
		return entry_end(e, api_error(409, "%s", why));
	if (!e->join) {		/* with the first token, so that others can follow */
		make_token(agent, e->done, e->data);
		free(e);
		return;
	}
	snprintf(id, sizeof(id), "%08x", agent->self.id);
	entry_end(e, api_ok(json_pack("{s:{s:s, s:s, s:s}}", "node", "id", id, "name",
				      agent->self.name, "address", agent->self.address)));
}

static void check_pairs(uv_work_t *work)
{
	struct entry *e = work->data;
	struct backing_info info;
	char why[BACKING_WHY_MAX];
	unsigned int i, k;

	for (i = 0; i < e->node.nr_backing; i++) {
		struct cmd_backing *b = &e->node.backing[i];

		if (backing_check(b->data_path, b->meta_path, &info, why, sizeof(why))) {
			snprintf(e->why, sizeof(e->why), "%s", why);
			return;
		}
		snprintf(b->data_path, sizeof(b->data_path), "%s", info.data_path);
		snprintf(b->meta_path, sizeof(b->meta_path), "%s", info.meta_path);
		b->size_bytes = info.volume_bytes;
		b->rotational = info.rotational;
		for (k = 0; k < i; k++) {
			const struct cmd_backing *o = &e->node.backing[k];

			if (!strcmp(o->data_path, b->data_path) ||
			    !strcmp(o->meta_path, b->meta_path) ||
			    !strcmp(o->data_path, b->meta_path) ||
			    !strcmp(o->meta_path, b->data_path)) {
				snprintf(e->why, sizeof(e->why), "%.200s and %.200s are named in two "
					 "pairs: each device belongs to one", b->data_path,
					 b->meta_path);
				return;
			}
		}
	}
}

static void pairs_checked(uv_work_t *work, int status)
{
	struct entry *e = work->data;
	struct agent *agent = e->agent;

	if (status || agent->stopping)
		return entry_end(e, api_error(503, "the agent stops; ask again when it runs"));
	if (e->why[0])
		return entry_end(e, api_error(409, "%s", e->why));
	if (agent->phase != NODE_ALONE || membership_is_busy(agent->membership))
		return entry_end(e, api_error(409, "another init or join is under way"));
	if (e->join)
		membership_join(agent->membership, &e->node, e->token, entered, e);
	else
		membership_found(agent->membership, &e->node, entered, e);
}

static void read_pairs(struct json_reader *r, struct cmd_node *node, char *why, size_t why_size)
{
	const json_t *pairs = json_take_array(r, "backing", FSM_MAX_PAIRS);
	size_t i;

	for (i = 0; i < json_array_size(pairs) && !r->failed; i++) {
		struct cmd_backing *b = &node->backing[node->nr_backing++];
		struct json_reader pr;

		json_reader_begin(&pr, json_array_get(pairs, i), "backing", why, why_size);
		json_take_text(&pr, "data", b->data_path, sizeof(b->data_path));
		json_take_text(&pr, "meta", b->meta_path, sizeof(b->meta_path));
		if (json_reader_end(&pr))
			r->failed = true;
	}
}

static void default_name(const struct agent *agent, char *name, size_t size)
{
	char *at;

	if (agent->options.name) {
		snprintf(name, size, "%s", agent->options.name);
		return;
	}
	if (gethostname(name, size - 1) < 0)
		name[0] = '\0';
	name[size - 1] = '\0';
	for (at = name; *at; at++) {
		if (*at >= 'A' && *at <= 'Z')
			*at |= 0x20;
	}
}

static json_t *fill_node(struct entry *e)
{
	struct sockaddr_storage addr;
	struct cmd_node *node = &e->node;
	struct token token = { .port = 0 };
	const char *why;

	if (e->join && !token_decode(e->token, &token, &why))
		return api_error(400, "%s", why);
	if (!node->name[0])
		default_name(e->agent, node->name, sizeof(node->name));
	if (!identity_name_is_valid(node->name))
		return api_error(400, "'%s' cannot be a node's name: use 1 to 63 of a-z, 0-9, dot and "
				 "dash (--name)", node->name);
	node->port = e->agent->options.port;
	if (!node->address[0] &&
	    !identity_default_address(e->join ? token.ip : NULL, node->address,
				      sizeof(node->address)))
		return api_error(409, "this machine has no address that others could reach: name one "
				 "with --address");
	if (!transport_make_sockaddr(node->address, node->port, &addr))
		return api_error(400, "'%s' is not an IP address", node->address);
	return NULL;
}

static void enter(struct agent *agent, struct api_request *request, api_done_cb done, void *data)
{
	struct entry *e = xcalloc(1, sizeof(*e));
	char why[FSM_SENTENCE_BYTES] = "";
	struct json_reader r;
	json_t *body = request->body ? json_incref(request->body) : json_object();
	json_t *answer = NULL;

	e->agent = agent;
	e->join = !strcmp(request->path[0], "join");
	e->done = done;
	e->data = data;
	e->work.data = e;
	json_reader_begin(&r, body, "request", why, sizeof(why));
	if (e->join)
		json_take_text(&r, "token", e->token, sizeof(e->token));
	if (json_reader_has(&r, "name"))
		json_take_text(&r, "name", e->node.name, sizeof(e->node.name));
	if (json_reader_has(&r, "address"))
		json_take_text(&r, "address", e->node.address, sizeof(e->node.address));
	if (json_reader_has(&r, "backing"))
		read_pairs(&r, &e->node, why, sizeof(why));
	if (json_reader_end(&r))
		answer = api_error(400, "%s", why);
	json_decref(body);
	if (!answer && agent->phase == NODE_MEMBER)
		answer = api_error(409, "this node is a member of a cluster already: see 'holdfast "
				   "node ls'");
	if (!answer && (agent->phase != NODE_ALONE || membership_is_busy(agent->membership)))
		answer = api_error(409, "another init or join is under way; wait for it");
	if (!answer)
		answer = fill_node(e);
	if (answer)
		return entry_end(e, answer);
	if (uv_queue_work(agent->loop, &e->work, check_pairs, pairs_checked))
		entry_end(e, api_error(500, "no worker thread"));
}

void api_member_handle(struct agent *agent, struct api_request *request, api_done_cb done,
		       void *data)
{
	if (strcmp(request->path[0], "tokens"))
		return enter(agent, request, done, data);
	if (request->body && json_object_size(request->body))
		done(data, api_error(400, "request: a token takes no settings"));
	else if (agent->phase != NODE_MEMBER)
		done(data, api_error(409, "this node is not a member of a cluster: run 'holdfast init' "
				     "to make one, or 'holdfast join TOKEN' to join one"));
	else
		make_token(agent, done, data);
}
