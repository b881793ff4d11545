// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests about nodes and settings, on the leader: cordon and uncordon, waits
 * for a node's status, and the cluster's settings.  A cordon is answered when
 * the node serves nothing and no set names it, or at the deadline with what is
 * still there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_internal.h"
#include "heartbeat.h"
#include "json_util.h"
#include "log_raft.h"
#include "loop.h"

/* A command on its way through the log; becomes a wait when it is applied. */
struct node_command {
	struct agent *agent;
	struct api_wait *wait;
};

static json_t *node_answer(const struct fsm_node *node)
{
	return api_ok(json_pack("{s:s, s:s, s:s}", "name", node->name, "status",
				fsm_status_name(node->status), "cordon",
				fsm_cordon_name(node->cordon)));
}

/* ------------------------------------------------------------------ checks */

static bool has_other_copy(const struct agent *agent, const struct fsm_volume *vol, uint32_t node)
{
	int i;

	for (i = 0; i < HF_MAX_SLOTS; i++) {
		const struct fsm_node *n = fsm_node_by_id(agent->fsm, vol->conf.slots[i].node);

		if (vol->conf.in_sync_mask & 1 << i && n && n->id != node &&
		    n->status == FSM_NODE_NORMAL)
			return true;
	}
	return false;
}

/* A volume that the node has still to hand over; NULL: none. */
static const struct fsm_volume *still_there(const struct agent *agent, uint32_t node)
{
	unsigned int i;

	for (i = 0; i < agent->fsm->nr_volumes; i++) {
		const struct fsm_volume *vol = &agent->fsm->volumes[i];
		int slot = hf_conf_slot_of(&vol->conf, node);

		if (vol->state != FSM_VOLUME_READY || slot < 0 ||
		    !has_other_copy(agent, vol, node))
			continue;
		/* The set changes while the volume is served: without a primary nobody waits. */
		if (vol->conf.primary_node == node ||
		    (vol->conf.primary_node && vol->conf.in_sync_mask & 1 << slot))
			return vol;
	}
	return NULL;
}

static json_t *not_handed_over(struct agent *agent, const struct fsm_node *node,
			       const struct fsm_volume *vol)
{
	struct api_volume state;

	api_volume_state(agent, vol, &state);
	if (state.served_on == node->id && state.disk->openers)
		return api_error(504, "node %s is cordoned, but volume %s (vd%u) is open there: close "
				 "it (unmount it), or use --force, which ends its I/O with errors",
				 node->name, vol->name, vol->conf.vdisk);
	return api_error(504, "node %s is cordoned, but volume %s (vd%u) is not handed over yet: it "
			 "goes on, see 'holdfast volume info %s'", node->name, vol->name,
			 vol->conf.vdisk, vol->name);
}

static json_t *gone(const struct api_wait *wait)
{
	return api_error(404, "node %s is not there any more", wait->name);
}

static json_t *check_handed_over(struct agent *agent, struct api_wait *wait, bool late)
{
	const struct fsm_node *node = fsm_node_by_id(agent->fsm, wait->node);
	const struct fsm_volume *vol;

	if (!node)
		return gone(wait);
	if (!node->cordon)
		return api_error(409, "node %s was uncordoned in the meantime", node->name);
	vol = node->down ? NULL : still_there(agent, node->id);
	if (!vol)
		return node_answer(node);
	return late ? not_handed_over(agent, node, vol) : NULL;
}

static json_t *check_status(struct agent *agent, struct api_wait *wait, bool late,
			    enum fsm_node_status wanted)
{
	const struct fsm_node *node = fsm_node_by_id(agent->fsm, wait->node);

	if (!node)
		return gone(wait);
	if (node->status == wanted)
		return node_answer(node);
	if (!late)
		return NULL;
	return api_error(504, "node %s is %s still: see 'holdfast node info %s'", node->name,
			 fsm_status_name(node->status), node->name);
}

static json_t *check_normal(struct agent *agent, struct api_wait *wait, bool late)
{
	return check_status(agent, wait, late, FSM_NODE_NORMAL);
}

static json_t *check_cordoned(struct agent *agent, struct api_wait *wait, bool late)
{
	return check_status(agent, wait, late, FSM_NODE_CORDONED);
}

static json_t *check_set(struct agent *agent, struct api_wait *wait, bool late)
{
	(void)wait;
	(void)late;
	return api_settings(agent);
}

/* ---------------------------------------------------------------- commands */

static void command_applied(void *data, int error, json_t *json)
{
	struct node_command *nc = data;
	struct api_wait *wait = nc->wait;
	struct fsm_result result = { 0 };
	json_t *answer = NULL;

	if (!error && json) {
		result.code = (enum fsm_code)json_integer_value(json_object_get(json, "code"));
		snprintf(result.sentence, sizeof(result.sentence), "%s",
			 json_string_value(json_object_get(json, "sentence")));
		if (result.code != FSM_OK)
			answer = api_result(&result);
	}
	if (error || !json || answer) {
		wait->done(wait->data, answer);
		free(wait);
	} else {
		api_wait_add(nc->agent, wait);
	}
	free(nc);
}

static struct api_wait *wait_new(const struct api_request *request, const struct fsm_node *node,
				 api_check_cb check, api_done_cb done, void *data)
{
	struct api_wait *wait = xcalloc(1, sizeof(*wait));

	wait->check = check;
	if (node) {
		wait->node = node->id;
		memcpy(wait->name, node->name, sizeof(wait->name));
	}
	wait->deadline_ms = request->deadline_ms;
	wait->done = done;
	wait->data = data;
	return wait;
}

static void propose(struct agent *agent, const struct command *cmd, struct api_wait *wait)
{
	struct node_command *nc = xcalloc(1, sizeof(*nc));
	json_t *json = command_to_json(cmd);

	nc->agent = agent;
	nc->wait = wait;
	wait->command_id = cmd->id;
	log_raft_propose(agent->log, json, command_applied, nc);
	json_decref(json);
}

static void begin(const struct api_request *request, enum command_kind kind, struct command *cmd)
{
	command_begin(cmd, kind, request->id ? request->id : loop_random_u64(), loop_wall_ms(),
		      request->origin);
}

/* ---------------------------------------------------------------- requests */

struct node_request {
	bool force, shutdown;
	unsigned int what;
	u32 rebuild_delay_ms;
};

enum { READ_CORDON = 1, READ_WAIT, READ_SET };

static json_t *read_body(const struct api_request *request, int kind, struct node_request *out)
{
	static const char *const statuses[] = { "normal", "cordoned" };
	json_t *body = request->body ? json_incref(request->body) : json_object();
	char why[FSM_SENTENCE_BYTES] = "";
	struct json_reader r;
	json_t *answer = NULL;

	memset(out, 0, sizeof(*out));
	json_reader_begin(&r, body, "request", why, sizeof(why));
	if (json_reader_has(&r, "timeout_ms"))
		json_take_uint(&r, "timeout_ms", 0, API_WAIT_MAX_MS);
	if (kind == READ_CORDON && json_reader_has(&r, "force"))
		out->force = json_take_bool(&r, "force");
	if (kind == READ_CORDON && json_reader_has(&r, "shutdown"))
		out->shutdown = json_take_bool(&r, "shutdown");
	if (kind == READ_WAIT)
		out->what = json_take_enum(&r, "for", statuses, 2);
	if (kind == READ_SET)
		out->rebuild_delay_ms = (u32)json_take_uint(&r, "rebuild_delay_ms", 0, UINT32_MAX);
	if (json_reader_end(&r))
		answer = api_error(400, "%s", why);
	json_decref(body);
	return answer;
}

static void serve_cordon(struct agent *agent, const struct api_request *request,
			 const struct fsm_node *node, api_done_cb done, void *data)
{
	const struct node_report *report;
	struct node_request body;
	struct command cmd;
	uint32_t age_ms;
	json_t *answer = read_body(request, READ_CORDON, &body);

	if (answer)
		return done(data, answer);
	begin(request, CMD_NODE_CORDON, &cmd);
	cmd.node_cordon.node = node->id;
	cmd.node_cordon.cordon = body.shutdown ? FSM_CORDON_SHUTDOWN :
				 body.force ? FSM_CORDON_FORCE : FSM_CORDON_OPERATOR;
	if (node->id == agent->self.id) {
		cmd.node_cordon.boot_id = agent->boot_id;
	} else {
		report = heartbeat_report(agent->heartbeat, node->id, &age_ms);
		cmd.node_cordon.boot_id = report ? report->boot_id : 0;
	}
	propose(agent, &cmd, wait_new(request, node, check_handed_over, done, data));
}

static void serve_uncordon(struct agent *agent, const struct api_request *request,
			   const struct fsm_node *node, api_done_cb done, void *data)
{
	struct node_request body;
	struct command cmd;
	json_t *answer = read_body(request, 0, &body);

	if (answer)
		return done(data, answer);
	begin(request, CMD_NODE_UNCORDON, &cmd);
	cmd.node_status.node = node->id;
	propose(agent, &cmd, wait_new(request, node, check_normal, done, data));
}

static void serve_wait(struct agent *agent, const struct api_request *request,
		       const struct fsm_node *node, api_done_cb done, void *data)
{
	struct node_request body;
	json_t *answer = read_body(request, READ_WAIT, &body);

	if (answer)
		return done(data, answer);
	api_wait_add(agent, wait_new(request, node, body.what ? check_cordoned : check_normal,
				     done, data));
}

static void serve_set(struct agent *agent, const struct api_request *request, api_done_cb done,
		      void *data)
{
	struct node_request body;
	struct command cmd;
	json_t *answer = read_body(request, READ_SET, &body);

	if (answer)
		return done(data, answer);
	begin(request, CMD_SET, &cmd);
	cmd.set.rebuild_delay_ms = body.rebuild_delay_ms;
	propose(agent, &cmd, wait_new(request, NULL, check_set, done, data));
}

json_t *api_settings(const struct agent *agent)
{
	return api_ok(json_pack("{s:I}", "rebuild_delay_ms",
				(json_int_t)agent->fsm->rebuild_delay_ms));
}

bool api_node_serves(const struct api_request *request)
{
	return !strcmp(request->method, "POST") &&
	       (!strcmp(request->path[0], "nodes") || !strcmp(request->path[0], "settings"));
}

void api_node_serve(struct agent *agent, const struct api_request *request, api_done_cb done,
		    void *data)
{
	const struct fsm_node *node;

	if (api_is(request, "POST", 1, "settings"))
		return serve_set(agent, request, done, data);
	if (!api_is(request, "POST", 3, "nodes"))
		goto none;
	node = fsm_node_find(agent->fsm, request->path[1]);
	if (!node)
		return done(data, api_error(404, "there is no node '%s': see 'holdfast node ls'",
					    request->path[1]));
	if (!strcmp(request->path[2], "cordon"))
		return serve_cordon(agent, request, node, done, data);
	if (!strcmp(request->path[2], "uncordon"))
		return serve_uncordon(agent, request, node, done, data);
	if (!strcmp(request->path[2], "wait"))
		return serve_wait(agent, request, node, done, data);
none:
	done(data, api_error(404, "there is no such resource for %s", request->method));
}
