// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests about volumes, on the leader: checked, turned into one command with
 * the request's own id, and answered when the state that was asked for is
 * reached, or at the deadline with a sentence about what is missing.  A request
 * that comes in again (its leader was lost) finds the outcome of its command and
 * goes on waiting.
 */
#include "api_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "identity.h"
#include "json_util.h"
#include "log_raft.h"
#include "loop.h"

enum { DELETE_LINGER_MS = 5000 };

/* A command on its way through the log; becomes a wait when it is applied. */
struct volume_command {
	struct agent *agent;
	struct api_wait *wait;
};

static const struct fsm_volume *wait_volume(const struct agent *agent,
					    const struct api_wait *wait)
{
	return fsm_volume_by_uuid(agent->fsm, wait->uuid);
}

static const char *node_name(const struct agent *agent, uint32_t id)
{
	const struct fsm_node *node = fsm_node_by_id(agent->fsm, id);

	return node ? node->name : "?";
}

/* ------------------------------------------------------------------ checks */

static json_t *late_answer(struct agent *agent, const struct fsm_volume *vol, const char *what)
{
	char why[512];

	api_volume_trouble(agent, vol, why, sizeof(why));
	return api_error(504, "volume %s (vd%u) is not %s yet: %s; it goes on, see 'holdfast volume "
			 "info %s'", vol->name, vol->conf.vdisk, what, why, vol->name);
}

static json_t *gone_answer(const struct api_wait *wait)
{
	return api_error(404, "volume %s was deleted in the meantime", wait->name);
}

static json_t *check_made(struct agent *agent, struct api_wait *wait, bool late)
{
	const struct fsm_volume *vol = wait_volume(agent, wait);

	if (!vol)
		return gone_answer(wait);
	if (vol->refused_id == wait->command_id)
		return api_error(409, "volume %s was not made: %s", wait->name, vol->refusal);
	if (vol->state == FSM_VOLUME_READY)
		return api_ok(api_volume_json(agent, vol));
	if (vol->state == FSM_VOLUME_DELETING)
		return gone_answer(wait);
	return late ? late_answer(agent, vol, "made") : NULL;
}

/* Did another wish come between? */
static json_t *check_wish(const struct agent *agent, const struct fsm_volume *vol,
			  const struct api_wait *wait, uint32_t wanted)
{
	if (vol->refused_id == wait->command_id)
		return api_error(409, "%s", vol->refusal);
	if (vol->wanted_node != wanted)
		return api_error(409, "volume %s is wanted on %s%s by now: it failed over, or another "
				 "request came between; see 'holdfast events'", vol->name,
				 vol->wanted_node ? "node " : "no node",
				 vol->wanted_node ? node_name(agent, vol->wanted_node) : "");
	return NULL;
}

static json_t *check_served(struct agent *agent, struct api_wait *wait, bool late)
{
	const struct fsm_volume *vol = wait_volume(agent, wait);
	struct api_volume state;
	json_t *answer;

	if (!vol || vol->state == FSM_VOLUME_DELETING)
		return gone_answer(wait);
	api_volume_state(agent, vol, &state);
	if (state.served_on == wait->node)
		return api_ok(api_volume_json(agent, vol));
	answer = check_wish(agent, vol, wait, wait->node);
	if (answer || !late)
		return answer;
	return late_answer(agent, vol, "served");
}

static json_t *check_detached(struct agent *agent, struct api_wait *wait, bool late)
{
	const struct fsm_volume *vol = wait_volume(agent, wait);
	const struct kernel_volume *kv = NULL;
	const struct kernel_view *view;
	json_t *answer;

	if (!vol || vol->state == FSM_VOLUME_DELETING)
		return gone_answer(wait);
	answer = check_wish(agent, vol, wait, 0);
	if (answer)
		return answer;
	view = wait->node ? api_view(agent, wait->node) : NULL;
	if (view)
		kv = kernel_view_find(view, vol->uuid);
	if (!vol->conf.primary_node &&
	    (!kv || (kv->disk.state != HOLDFAST_DISK_ACTIVE &&
		     kv->disk.state != HOLDFAST_DISK_NAMED &&
		     kv->disk.state != HOLDFAST_DISK_RELEASED)))
		return api_ok(api_volume_json(agent, vol));
	return late ? late_answer(agent, vol, "detached") : NULL;
}

static json_t *check_gone(struct agent *agent, struct api_wait *wait, bool late)
{
	const struct fsm_volume *vol = wait_volume(agent, wait);
	uint64_t waited_ms = loop_now_ms() - wait->begun_ms;

	if (!vol)
		return api_ok(json_pack("{s:s, s:b}", "deleted", wait->name, "complete", 1));
	/* The name is free; a node that is away gives its copy back when it returns. */
	if (late || waited_ms > node_scaled(agent, DELETE_LINGER_MS))
		return api_ok(json_pack("{s:s, s:b}", "deleted", wait->name, "complete", 0));
	return NULL;
}

static json_t *check_healthy(struct agent *agent, struct api_wait *wait, bool late)
{
	const struct fsm_volume *vol = wait_volume(agent, wait);
	struct api_volume state;

	if (!vol || vol->state == FSM_VOLUME_DELETING)
		return gone_answer(wait);
	api_volume_state(agent, vol, &state);
	if (state.is_healthy)
		return api_ok(api_volume_json(agent, vol));
	return late ? late_answer(agent, vol, "healthy") : NULL;
}

static json_t *check_attached(struct agent *agent, struct api_wait *wait, bool late)
{
	const struct fsm_volume *vol = wait_volume(agent, wait);
	struct api_volume state;

	if (!vol || vol->state == FSM_VOLUME_DELETING)
		return gone_answer(wait);
	api_volume_state(agent, vol, &state);
	if (state.served_on && (!wait->node || state.served_on == wait->node))
		return api_ok(api_volume_json(agent, vol));
	return late ? late_answer(agent, vol, "attached") : NULL;
}

static json_t *check_not_attached(struct agent *agent, struct api_wait *wait, bool late)
{
	const struct fsm_volume *vol = wait_volume(agent, wait);

	if (!vol || vol->state == FSM_VOLUME_DELETING)
		return gone_answer(wait);
	if (!vol->wanted_node && !vol->conf.primary_node)
		return api_ok(api_volume_json(agent, vol));
	return late ? late_answer(agent, vol, "detached") : NULL;
}

/* ---------------------------------------------------------------- commands */

static void command_applied(void *data, int error, json_t *json)
{
	struct volume_command *vc = data;
	struct api_wait *wait = vc->wait;
	const struct fsm_volume *vol;
	struct fsm_result result;

	if (error || !json) {
		wait->done(wait->data, NULL);
		free(wait);
		goto out;
	}
	result.code = (enum fsm_code)json_integer_value(json_object_get(json, "code"));
	snprintf(result.sentence, sizeof(result.sentence), "%s",
		 json_string_value(json_object_get(json, "sentence")));
	if (result.code != FSM_OK) {
		wait->done(wait->data, api_result(&result));
		free(wait);
		goto out;
	}
	if (wait->check == check_made) {
		/* A repeated request drew another UUID; the first one counts. */
		unsigned int i;

		for (i = 0; i < vc->agent->fsm->nr_volumes; i++) {
			vol = &vc->agent->fsm->volumes[i];
			if (vol->create_id == wait->command_id)
				memcpy(wait->uuid, vol->uuid, sizeof(wait->uuid));
		}
	}
	api_wait_add(vc->agent, wait);
out:
	free(vc);
}

void api_propose(struct agent *agent, const struct command *cmd, struct api_wait *wait)
{
	struct volume_command *vc = xcalloc(1, sizeof(*vc));
	json_t *json = command_to_json(cmd);

	vc->agent = agent;
	vc->wait = wait;
	wait->command_id = cmd->id;
	log_raft_propose(agent->log, json, command_applied, vc);
	json_decref(json);
}

struct api_wait *api_wait_new(const struct api_request *request, const struct fsm_volume *vol,
			      api_check_cb check, api_done_cb done, void *data)
{
	struct api_wait *wait = xcalloc(1, sizeof(*wait));

	wait->check = check;
	if (vol) {
		memcpy(wait->uuid, vol->uuid, sizeof(wait->uuid));
		memcpy(wait->name, vol->name, sizeof(wait->name));
	}
	wait->deadline_ms = request->deadline_ms;
	wait->done = done;
	wait->data = data;
	return wait;
}

void api_begin(const struct agent *agent, const struct api_request *request,
	       enum command_kind kind, struct command *cmd)
{
	(void)agent;
	command_begin(cmd, kind, request->id ? request->id : loop_random_u64(), loop_wall_ms(),
		      request->origin);
}

/* A text of the body that names a node: its id; 0 and *@answer set if there is none. */
uint32_t api_find_node(const struct agent *agent, const char *text, json_t **answer)
{
	const struct fsm_node *node = fsm_node_find(agent->fsm, text);

	if (!node)
		*answer = api_error(404, "there is no node '%s': see 'holdfast node ls'", text);
	return node ? node->id : 0;
}

/* Begins to read the body; an absent one reads as empty. */
json_t *api_body_of(const struct api_request *request, struct json_reader *r, char *why,
		    size_t why_size)
{
	json_t *body = request->body ? json_incref(request->body) : json_object();

	json_reader_begin(r, body, "request", why, why_size);
	if (json_reader_has(r, "timeout_ms"))
		json_take_uint(r, "timeout_ms", 0, API_WAIT_MAX_MS);
	return body;
}

/* ------------------------------------------------------------------ create */

static json_t *read_create_nodes(struct agent *agent, struct json_reader *r,
				 struct cmd_volume_create *c)
{
	const json_t *nodes;
	json_t *answer = NULL;
	size_t i;

	if (!json_reader_has(r, "nodes"))
		return NULL;
	nodes = json_take_array(r, "nodes", HF_MAX_SLOTS);
	for (i = 0; i < json_array_size(nodes); i++) {
		const char *text = json_string_value(json_array_get(nodes, i));

		if (!text)
			return api_error(400, "request: nodes are names or ids");
		c->nodes[c->nr_nodes++] = api_find_node(agent, text, &answer);
		if (answer)
			return answer;
	}
	return NULL;
}

static json_t *read_create(struct agent *agent, const struct api_request *request,
			   struct cmd_volume_create *c)
{
	static const char *const modes[] = { "auto", "follow" };
	char why[FSM_SENTENCE_BYTES] = "";
	struct json_reader r;
	json_t *body = api_body_of(request, &r, why, sizeof(why));
	json_t *answer;

	json_take_text(&r, "name", c->name, sizeof(c->name));
	c->size_bytes = json_take_uint(&r, "size_bytes", 0, INT64_MAX);
	c->copies = 2;
	if (json_reader_has(&r, "copies"))
		c->copies = (u8)json_take_uint(&r, "copies", 1, HF_MAX_SLOTS);
	if (json_reader_has(&r, "attach"))
		c->attach_mode = (enum fsm_attach_mode)json_take_enum(&r, "attach", modes, 2);
	if (json_reader_has(&r, "held_timeout_ms")) {
		c->held_timeout_ms = (u32)json_take_uint(&r, "held_timeout_ms", 1, INT32_MAX);
		c->policies |= HF_POLICY_ERROR_WHEN_HELD;
	}
	answer = read_create_nodes(agent, &r, c);
	if (json_reader_end(&r) && !answer)
		answer = api_error(400, "%s", why);
	if (!answer && !identity_name_is_valid(c->name))
		answer = api_error(400, "'%s' cannot be a volume's name: use 1 to 63 of a-z, 0-9, dot "
				   "and dash, beginning and ending with a letter or digit", c->name);
	json_decref(body);
	return answer;
}

static void serve_create(struct agent *agent, const struct api_request *request, api_done_cb done,
			 void *data)
{
	struct api_wait *wait;
	struct command cmd;
	json_t *answer;
	unsigned int i;

	api_begin(agent, request, CMD_VOLUME_CREATE, &cmd);
	answer = read_create(agent, request, &cmd.volume_create);
	if (answer)
		return done(data, answer);
	loop_random(cmd.volume_create.uuid, FSM_UUID_BYTES);
	for (i = 0; i < cmd.volume_create.copies; i++)
		cmd.volume_create.incarnations[i] = loop_random_u64();
	wait = api_wait_new(request, NULL, check_made, done, data);
	memcpy(wait->uuid, cmd.volume_create.uuid, sizeof(wait->uuid));
	memcpy(wait->name, cmd.volume_create.name, sizeof(wait->name));
	api_propose(agent, &cmd, wait);
}

/* ------------------------------------------------------------------ wishes */

struct wish {
	bool has_node, force;
	char node[FSM_NAME_BYTES];
};

static json_t *read_wish(const struct api_request *request, bool may_node, bool may_force,
			 struct wish *wish)
{
	char why[FSM_SENTENCE_BYTES] = "";
	struct json_reader r;
	json_t *body = api_body_of(request, &r, why, sizeof(why));
	json_t *answer = NULL;

	memset(wish, 0, sizeof(*wish));
	if (may_node && json_reader_has(&r, "node")) {
		wish->has_node = true;
		json_take_text(&r, "node", wish->node, sizeof(wish->node));
	}
	if (may_force && json_reader_has(&r, "force"))
		wish->force = json_take_bool(&r, "force");
	if (json_reader_end(&r))
		answer = api_error(400, "%s", why);
	json_decref(body);
	return answer;
}

/* R13: refused at once where the reports say that it is open; the primary checks again. */
static json_t *check_open(struct agent *agent, const struct fsm_volume *vol, uint32_t to)
{
	struct api_volume state;

	api_volume_state(agent, vol, &state);
	if (!state.served_on || state.served_on == to || !state.disk->openers)
		return NULL;
	return api_error(409, "volume %s (vd%u) is open on node %s: close it there (unmount it), or "
			 "use --force, which ends its I/O with errors", vol->name, vol->conf.vdisk,
			 node_name(agent, state.served_on));
}

static void serve_wish(struct agent *agent, const struct api_request *request,
		       const struct fsm_volume *vol, enum command_kind kind, api_done_cb done,
		       void *data)
{
	struct api_wait *wait;
	json_t *answer;
	struct command cmd;
	struct wish wish;
	uint32_t node = 0;

	answer = read_wish(request, kind != CMD_DETACH, kind != CMD_ATTACH, &wish);
	if (!answer && kind == CMD_MOVE && !wish.has_node)
		answer = api_error(400, "where to is missing: name a node");
	if (!answer && wish.has_node)
		node = api_find_node(agent, wish.node, &answer);
	if (!answer && !wish.has_node && kind == CMD_ATTACH)
		node = request->origin;
	if (!answer && kind != CMD_ATTACH && !wish.force)
		answer = check_open(agent, vol, node);
	if (answer)
		return done(data, answer);
	api_begin(agent, request, kind, &cmd);
	memcpy(cmd.wish.volume, vol->uuid, sizeof(cmd.wish.volume));
	cmd.wish.node = node;
	cmd.wish.force = wish.force;
	wait = api_wait_new(request, vol, kind == CMD_DETACH ? check_detached : check_served, done,
			data);
	wait->node = kind == CMD_DETACH ? vol->conf.primary_node : node;
	api_propose(agent, &cmd, wait);
}

static void serve_delete(struct agent *agent, const struct api_request *request,
			 const struct fsm_volume *vol, api_done_cb done, void *data)
{
	struct command cmd;
	struct wish none;
	json_t *answer = read_wish(request, false, false, &none);

	if (answer)
		return done(data, answer);
	api_begin(agent, request, CMD_VOLUME_DELETE, &cmd);
	memcpy(cmd.wish.volume, vol->uuid, sizeof(cmd.wish.volume));
	api_propose(agent, &cmd, api_wait_new(request, vol, check_gone, done, data));
}

/* -------------------------------------------------------------------- wait */

static void serve_wait(struct agent *agent, const struct api_request *request,
		       const struct fsm_volume *vol, api_done_cb done, void *data)
{
	static const char *const names[] = { "attached", "healthy", "detached" };
	static const api_check_cb checks[] = { check_attached, check_healthy, check_not_attached };
	char why[FSM_SENTENCE_BYTES] = "", node[FSM_NAME_BYTES] = "";
	struct json_reader r;
	json_t *body = api_body_of(request, &r, why, sizeof(why));
	unsigned int what = json_take_enum(&r, "for", names, 3);
	json_t *answer = NULL;
	struct api_wait *wait;
	uint32_t id = 0;

	if (json_reader_has(&r, "node"))
		json_take_text(&r, "node", node, sizeof(node));
	if (json_reader_end(&r))
		answer = api_error(400, "%s", why);
	else if (node[0] && what)
		answer = api_error(400, "a node is named with 'attached' alone");
	else if (node[0])
		id = api_find_node(agent, node, &answer);
	json_decref(body);
	if (answer)
		return done(data, answer);
	wait = api_wait_new(request, vol, checks[what], done, data);
	wait->node = id;
	api_wait_add(agent, wait);
}

void api_volume_serve(struct agent *agent, const struct api_request *request, api_done_cb done,
		      void *data)
{
	const struct fsm_volume *vol;

	if (api_drive_serve(agent, request, done, data))
		return;
	if (api_is(request, "POST", 1, "volumes"))
		return serve_create(agent, request, done, data);
	if (request->nr_path < 2 || strcmp(request->path[0], "volumes"))
		goto none;
	vol = fsm_volume_find(agent->fsm, request->path[1]);
	if (!vol) {
		struct fsm_result outcome;

		/* A deletion that is asked for again after it was done. */
		if (api_is(request, "DELETE", 2, "volumes") && request->id &&
		    fsm_outcome(agent->fsm, request->id, &outcome) && outcome.code == FSM_OK)
			return done(data, api_ok(json_pack("{s:s, s:b}", "deleted",
							   request->path[1], "complete", 1)));
		return done(data, api_error(404, "there is no volume '%s': see 'holdfast volume ls'",
					    request->path[1]));
	}
	if (api_is(request, "DELETE", 2, "volumes"))
		return serve_delete(agent, request, vol, done, data);
	if (!api_is(request, "POST", 3, "volumes"))
		goto none;
	if (!strcmp(request->path[2], "attach"))
		return serve_wish(agent, request, vol, CMD_ATTACH, done, data);
	if (!strcmp(request->path[2], "detach"))
		return serve_wish(agent, request, vol, CMD_DETACH, done, data);
	if (!strcmp(request->path[2], "move"))
		return serve_wish(agent, request, vol, CMD_MOVE, done, data);
	if (!strcmp(request->path[2], "wait"))
		return serve_wait(agent, request, vol, done, data);
none:
	done(data, api_error(404, "there is no such resource for %s", request->method));
}
