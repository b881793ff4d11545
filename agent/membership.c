// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Coming into a cluster.  Each way is a phase in node.json, written before the
 * step that cannot be undone, so that an agent that is killed in the middle goes
 * on: founding makes a log with this node alone in it and proposes CMD_INIT until
 * the state is initialized; joining shows the token with one and the same command
 * id until there is an answer.  A node is a member when its own copy of the state
 * has it.
 *
 * The serving side takes join calls of nodes that are no members yet: the token
 * is all that they have, so everything they send is checked and their number is
 * bounded.  Secrets are hashed here; the state never sees one.
 */
#include "membership.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hex.h"
#include "json_util.h"
#include "log_raft.h"
#include "loop.h"
#include "relay.h"

/* A node that asks to be taken; until its connection is lost and its proposal has ended. */
struct join_call {
	struct join_call *next;		/* m->calls */
	struct membership *m;
	struct frames *frames;		/* NULL: lost */
	bool proposing;
	uint64_t until_ms;		/* while nothing is proposed */
};

struct membership {
	struct agent *agent;
	struct identity identity;
	struct token token;
	membership_done_cb done;	/* NULL: nobody waits */
	void *data;
	uint64_t deadline_ms;		/* of whoever waits */
	uint64_t try_ms;
	bool proposing;			/* founding */
	bool connecting, asked;		/* joining */
	bool failed;
	char why[512];
	struct frames *frames;		/* joining: to the node that is asked */
	struct join_call *calls;
	unsigned int nr_calls;
	uint64_t unknown_ms;		/* not before: the next token that is not known here */
};

static void finish(struct membership *m, const char *why)
{
	membership_done_cb done = m->done;

	m->done = NULL;
	if (done)
		done(m->data, why);
	else if (why)
		log_error("%s", why);
}

bool membership_is_busy(const struct membership *m)
{
	return m->done || m->agent->phase == NODE_FOUNDING || m->agent->phase == NODE_JOINING;
}

/* The next step finds it: no callback runs from inside of the caller. */
static void fail_soon(struct membership *m, const char *why)
{
	m->failed = true;
	strncpy(m->why, why, sizeof(m->why) - 1);
	node_kick(m->agent);
}

static void give_up(struct membership *m)
{
	char why[sizeof(m->why)];

	memcpy(why, m->why, sizeof(why));
	m->failed = false;
	if (m->frames) {
		frames_close(m->frames);
		m->frames = NULL;
	}
	identity_remove(m->agent->options.state_dir);
	m->agent->phase = NODE_ALONE;
	m->agent->self.id = 0;
	finish(m, why);
}

static void adopt_identity(struct membership *m)
{
	struct agent *agent = m->agent;

	agent->phase = m->identity.phase;
	agent->self = m->identity.node;
	memcpy(agent->cluster, m->identity.cluster, sizeof(agent->cluster));
	if (agent->phase != NODE_JOINING)
		transport_set_identity(agent->transport, agent->self.id, agent->cluster);
}

static bool save(struct membership *m)
{
	char why[256];

	if (!identity_save(m->agent->options.state_dir, &m->identity, why, sizeof(why)))
		return true;
	fail_soon(m, why);
	return false;
}

static void drop_silent_calls(struct membership *m);

/* ----------------------------------------------------------------- founding */

void membership_found(struct membership *m, const struct cmd_node *node,
		      membership_done_cb done, void *data)
{
	m->done = done;
	m->data = data;
	m->deadline_ms = loop_now_ms() + node_scaled(m->agent, 3 * MEMBERSHIP_CALL_MS);
	m->identity = (struct identity){ .phase = NODE_FOUNDING, .node = *node };
	m->identity.node.id = loop_random_u32();
	loop_random(m->identity.cluster, sizeof(m->identity.cluster));
	if (!save(m))
		return;
	adopt_identity(m);
	if (node_open_log(m->agent, true))
		fail_soon(m, "the log could not be made; the agent's own log says why");
}

static void init_proposed(void *data, int error, json_t *result)
{
	struct membership *m = data;

	(void)result;
	m->proposing = false;
	m->try_ms = loop_now_ms() + node_scaled(m->agent, MEMBERSHIP_RETRY_MS);
	if (error)
		log_info("the first command was not committed (%s), it is tried again",
			 log_raft_strerror(error));
	node_kick(m->agent);
}

static void step_founding(struct membership *m)
{
	struct agent *agent = m->agent;
	struct command cmd;
	json_t *json;

	if (fsm_node_by_id(agent->fsm, agent->self.id)) {
		m->identity.phase = NODE_MEMBER;
		if (save(m))
			node_became_member(agent);
		return;
	}
	if (m->proposing || !node_is_leader(agent) || loop_now_ms() < m->try_ms)
		return;
	command_begin(&cmd, CMD_INIT, loop_random_u64(), loop_wall_ms(), agent->self.id);
	memcpy(cmd.init.cluster, agent->cluster, sizeof(cmd.init.cluster));
	cmd.init.node = agent->self;
	json = command_to_json(&cmd);
	m->proposing = true;
	log_raft_propose(agent->log, json, init_proposed, m);
	json_decref(json);
}

/* ------------------------------------------------------------------ joining */

void membership_join(struct membership *m, const struct cmd_node *node, const char *token,
		     membership_done_cb done, void *data)
{
	const char *why;

	m->done = done;
	m->data = data;
	m->deadline_ms = loop_now_ms() + node_scaled(m->agent, 3 * MEMBERSHIP_CALL_MS);
	m->identity = (struct identity){
		.phase = NODE_JOINING,
		.node = *node,
		.join_id = loop_random_u64(),
	};
	m->identity.node.id = loop_random_u32();
	m->asked = false;
	if (!token_decode(token, &m->token, &why))
		return fail_soon(m, why);
	strncpy(m->identity.token, token, sizeof(m->identity.token) - 1);
	if (save(m))
		adopt_identity(m);
	node_kick(m->agent);
}

/* The cluster took us: from here on the log brings everything. */
static void was_taken(struct membership *m, json_t *answer)
{
	const char *cluster = json_string_value(json_object_get(answer, "cluster"));

	if (!cluster || !hex_decode(cluster, m->identity.cluster, FSM_UUID_BYTES))
		return fail_soon(m, "the cluster's answer is not valid");
	/* Not removed by a failure from here on: the cluster has this node. */
	m->identity.phase = NODE_MEMBER;
	if (!save(m))
		return;
	m->identity.phase = NODE_JOINING;
	m->agent->phase = NODE_JOINING;
	memcpy(m->agent->cluster, m->identity.cluster, FSM_UUID_BYTES);
	transport_set_identity(m->agent->transport, m->agent->self.id, m->agent->cluster);
	if (node_open_log(m->agent, false))
		return fail_soon(m, "the log could not be opened; the agent's own log says why");
}

static void join_frame(void *data, struct frames *frames, json_t *frame)
{
	struct membership *m = data;
	struct fsm_result result;

	frames_close(frames);
	m->frames = NULL;
	if (!json_object_get(frame, "code") || !relay_read_result(frame, &result)) {
		m->try_ms = loop_now_ms() + node_scaled(m->agent, MEMBERSHIP_RETRY_MS);
		return;
	}
	if (result.code == FSM_OK)
		was_taken(m, frame);
	else
		fail_soon(m, result.sentence);
}

static void join_lost(void *data, struct frames *frames, const char *why)
{
	struct membership *m = data;

	(void)frames;
	log_info("the node that was asked went away: %s", why);
	m->frames = NULL;
	m->try_ms = loop_now_ms() + node_scaled(m->agent, MEMBERSHIP_RETRY_MS);
}

static void join_connected(void *data, int fd, const char *why)
{
	struct membership *m = data;
	char secret[2 * TOKEN_SECRET_BYTES + 1];
	json_t *call;

	m->connecting = false;
	m->try_ms = loop_now_ms() + node_scaled(m->agent, MEMBERSHIP_RETRY_MS);
	if (fd < 0) {
		snprintf(m->why, sizeof(m->why), "%.45s port %u was not reached: %.200s; check "
			 "that the agent runs there and no firewall is between", m->token.ip,
			 m->token.port, why);
		return;
	}
	if (m->agent->phase != NODE_JOINING || m->agent->log || m->agent->stopping) {
		close(fd);
		return;
	}
	hex_encode(m->token.secret, TOKEN_SECRET_BYTES, secret);
	call = json_pack("{s:s, s:o}", "secret", secret, "node",
			 cmd_node_to_json(&m->identity.node));
	json_put_id(&call, "id", m->identity.join_id);
	m->frames = frames_open(m->agent->loop, fd, join_frame, join_lost, m);
	m->asked = true;
	frames_send(m->frames, json_pack("{s:o}", "join", call));
}

static void step_joining(struct membership *m)
{
	struct agent *agent = m->agent;
	const char *why;

	if (agent->log) {
		if (fsm_node_by_id(agent->fsm, agent->self.id))
			node_became_member(agent);
		return;
	}
	if (m->connecting || m->frames || loop_now_ms() < m->try_ms)
		return;
	if (!m->token.port && !token_decode(m->identity.token, &m->token, &why))
		return fail_soon(m, why);
	m->connecting = true;
	transport_connect(agent->transport, m->token.ip, m->token.port, TRANSPORT_CALL, 0, NULL,
			  node_scaled(agent, MEMBERSHIP_CALL_MS) / 4, join_connected, m);
}

/* Whoever waits is told at the deadline; what was asked of others goes on. */
static void check_deadline(struct membership *m)
{
	char why[sizeof(m->why)];

	if (!m->done || loop_now_ms() < m->deadline_ms)
		return;
	if (m->agent->phase == NODE_JOINING && !m->asked) {
		if (!m->why[0])
			strcpy(m->why, "the node that made the token was not reached");
		return give_up(m);
	}
	strcpy(why, "the cluster did not answer in time; this agent goes on trying: see "
	       "'holdfast node ls' in a while");
	finish(m, why);
}

void membership_step(struct membership *m)
{
	drop_silent_calls(m);
	if (m->failed) {
		if (m->agent->phase != NODE_MEMBER && !m->agent->log)
			return give_up(m);
		m->failed = false;
		finish(m, m->why);
	}
	if (m->agent->phase == NODE_FOUNDING)
		step_founding(m);
	else if (m->agent->phase == NODE_JOINING)
		step_joining(m);
	if (m->agent->phase == NODE_MEMBER && m->done)
		finish(m, NULL);
	check_deadline(m);
}

int membership_resume(struct membership *m)
{
	char why[512];
	int rv = identity_load(m->agent->options.state_dir, &m->identity, why, sizeof(why));

	if (rv == -ENOENT)
		return 0;
	if (rv) {
		log_error("%s", why);
		return 1;
	}
	adopt_identity(m);
	m->asked = true;	/* perhaps; so it is never given up in silence */
	if (m->agent->phase == NODE_FOUNDING)
		return node_open_log(m->agent, true);
	if (m->agent->phase == NODE_MEMBER) {
		if (node_open_log(m->agent, false))
			return 1;
		node_became_member(m->agent);
	}
	return 0;
}

/* ------------------------------------------------------------- serving side */

static void call_free(struct membership *m, struct join_call *call)
{
	struct join_call **at;

	for (at = &m->calls; *at != call; at = &(*at)->next)
		;
	*at = call->next;
	m->nr_calls--;
	free(call);
}

/* Who connects and says nothing keeps nobody's place. */
static void drop_silent_calls(struct membership *m)
{
	struct join_call *call, *next;
	uint64_t now = loop_now_ms();

	for (call = m->calls; call; call = next) {
		next = call->next;
		if (!call->frames || call->proposing || now < call->until_ms)
			continue;
		frames_close(call->frames);
		call_free(m, call);
	}
}

static void call_lost(void *data, struct frames *frames, const char *why)
{
	struct join_call *call = data;

	(void)frames;
	(void)why;
	call->frames = NULL;
	if (!call->proposing)
		call_free(call->m, call);
}

static void call_refuse(struct join_call *call, enum fsm_code code, const char *sentence)
{
	frames_send(call->frames, json_pack("{s:i, s:s}", "code", (int)code, "sentence", sentence));
}

static void call_answered(void *data, json_t *answer)
{
	struct join_call *call = data;
	char cluster[2 * FSM_UUID_BYTES + 1];
	struct fsm_result result;

	call->proposing = false;
	if (!call->frames)
		return call_free(call->m, call);
	call->until_ms = loop_now_ms() + node_scaled(call->m->agent, MEMBERSHIP_SILENT_MS);
	relay_read_result(answer, &result);
	if (!answer)	/* without a code: nothing is decided, ask again */
		return frames_send(call->frames, json_pack("{s:s}", "sentence", result.sentence));
	if (result.code != FSM_OK)
		return call_refuse(call, result.code, result.sentence);
	/* Who is let in learns the cluster's id, and nobody else. */
	hex_encode(call->m->agent->cluster, FSM_UUID_BYTES, cluster);
	frames_send(call->frames, json_pack("{s:i, s:s, s:s}", "code", FSM_OK, "sentence", "",
					    "cluster", cluster));
}

/*
 * May @cmd go into the log? One whose token this node's state does not have may
 * be right all the same (the state is a little behind); but each is an entry of
 * the log, and takes the place of a remembered outcome: a stranger must not
 * have them for nothing.
 */
static bool may_propose(struct membership *m, const struct command *cmd)
{
	const struct fsm *fsm = m->agent->fsm;
	uint64_t now = loop_now_ms();
	struct fsm_result outcome;

	if (fsm_token_admits(fsm, cmd->join.hash, cmd->time_ms) ||
	    fsm_outcome(fsm, cmd->id, &outcome))
		return true;
	if (now < m->unknown_ms)
		return false;
	m->unknown_ms = now + node_scaled(m->agent, MEMBERSHIP_UNKNOWN_MS);
	return true;
}

static void call_frame(void *data, struct frames *frames, json_t *frame)
{
	struct join_call *call = data;
	struct agent *agent = call->m->agent;
	uint8_t secret[TOKEN_SECRET_BYTES];
	char why[FSM_SENTENCE_BYTES] = "";
	char secret_text[2 * TOKEN_SECRET_BYTES + 1];
	struct cmd_node node;
	struct json_reader r;
	struct command cmd;
	const json_t *json;
	u64 id;

	if (call->proposing)
		return;
	json_reader_begin(&r, json_object_get(frame, "join"), "join call", why, sizeof(why));
	id = json_take_id(&r, "id");
	json_take_text(&r, "secret", secret_text, sizeof(secret_text));
	json = json_take_object(&r, "node");
	if (json_reader_end(&r) || !cmd_node_from_json(json, &node, why, sizeof(why)) ||
	    !hex_decode(secret_text, secret, sizeof(secret)))
		return call_refuse(call, FSM_INVALID, why[0] ? why : "the join call is not valid");
	command_begin(&cmd, CMD_JOIN, id, loop_wall_ms(), agent->self.id);
	cmd.join.node = node;
	token_hash(secret, cmd.join.hash);
	if (!may_propose(call->m, &cmd))
		return frames_send(frames, json_pack("{s:s}", "sentence", "the token is not known "
						     "here yet: ask again"));
	call->proposing = true;
	relay_propose(agent->relay, &cmd, loop_now_ms() + node_scaled(agent, MEMBERSHIP_CALL_MS),
		      call_answered, call);
}

static void call_accept(void *data, int fd, const struct transport_hello *hello)
{
	struct membership *m = data;
	struct join_call *call;

	(void)hello;
	if (m->agent->phase != NODE_MEMBER || m->nr_calls >= MEMBERSHIP_MAX_CALLS) {
		transport_answer(fd, false, m->agent->phase == NODE_MEMBER ?
				 "too many nodes join at once; try again" :
				 "this node is not a member of a cluster");
		close(fd);
		return;
	}
	transport_answer(fd, true, NULL);
	call = xcalloc(1, sizeof(*call));
	call->m = m;
	call->next = m->calls;
	m->calls = call;
	m->nr_calls++;
	call->until_ms = loop_now_ms() + node_scaled(m->agent, MEMBERSHIP_SILENT_MS);
	call->frames = frames_open(m->agent->loop, fd, call_frame, call_lost, call);
	frames_bound(call->frames, MEMBERSHIP_CALL_BYTES);
}

void membership_make_token(struct agent *agent, char text[TOKEN_TEXT_MAX],
			   struct cmd_token_add *cmd)
{
	struct token token = { .port = agent->self.port };

	memcpy(token.ip, agent->self.address, sizeof(token.ip));
	loop_random(token.secret, sizeof(token.secret));
	token_hash(token.secret, cmd->hash);
	cmd->expires_ms = loop_wall_ms() + TOKEN_VALID_MS;
	if (!token_encode(&token, text))
		text[0] = '\0';
	explicit_bzero(&token, sizeof(token));
}

struct membership *membership_open(struct agent *agent)
{
	struct membership *m = xcalloc(1, sizeof(*m));

	m->agent = agent;
	transport_handle(agent->transport, TRANSPORT_CALL, call_accept, m);
	return m;
}

void membership_close(struct membership *m)
{
	transport_handle(m->agent->transport, TRANSPORT_CALL, NULL, NULL);
	if (m->done)
		finish(m, "the agent stops");
	if (m->frames)
		frames_close(m->frames);
	while (m->calls) {
		struct join_call *call = m->calls;

		if (call->frames)
			frames_close(call->frames);
		m->calls = call->next;
		free(call);
	}
}

void membership_free(struct membership *m)
{
	free(m);
}
