// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who is there: one connection from this agent to every other, heartbeats over
 * it, and the latest report of each node.  Whole reports go to the leader
 * alone; a node that does not reach the leader sends them to everybody it
 * reaches, who pass them on (one hop).  What silence means is not decided here.
 *
 * Each pair has two connections, one opened by either end.  A heartbeat is
 * acknowledged on its connection, so that one that is stuck is replaced.
 * Ages are taken from the clock that stands still while this process is stopped:
 * after a pause the others have been silent only as long as before it.
 */
#include "heartbeat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log_raft.h"
#include "loop.h"
#include "node.h"
#include "relay.h"

enum {
	HEARTBEAT_CONNECT_MS	= 1000,	/* scaled */
	HEARTBEAT_STUCK_MS	= 1500,	/* scaled: nothing acknowledged on a connection */
};

/* Another node of the cluster; from the first sight of it in the state to its removal. */
struct peer {
	struct peer *next;
	struct heartbeat *hb;		/* NULL: closed while connecting */
	uint32_t id;
	bool seen;			/* mark of the last sweep over the state */
	bool connecting;
	struct frames *out, *in;
	uint64_t out_heard_ms;		/* mono: last frame on @out, or when it was opened */
	uint64_t known_ms;		/* mono: since when this agent listens for it */
	uint64_t heard_ms;		/* mono; valid if @ever_heard */
	uint64_t refused_ms;		/* mono; valid if @ever_refused */
	bool ever_heard, ever_refused;
	bool reaches_leader;		/* says its last heartbeat */
	uint32_t leader;		/* says its last heartbeat */
	bool leads;			/* it led and had caught up, says its last heartbeat */
	uint64_t version;		/* of its state then; valid if @leads */
	uint64_t beat_ms;		/* boottime of that heartbeat */
	struct node_report report;	/* valid if @has_report */
	uint64_t report_ms;		/* boottime: reports do not stay fresh in a pause */
	bool has_report;
};

struct heartbeat {
	struct agent *agent;
	struct peer *peers;
	uint64_t next_ms;		/* mono */
};

static struct peer *peer_find(struct heartbeat *hb, uint32_t id)
{
	struct peer *p;

	for (p = hb->peers; p; p = p->next) {
		if (p->id == id)
			return p;
	}
	return NULL;
}

static unsigned int nr_peers(const struct heartbeat *hb)
{
	const struct peer *p;
	unsigned int nr = 0;

	for (p = hb->peers; p; p = p->next)
		nr++;
	return nr;
}

static struct peer *peer_new(struct heartbeat *hb, uint32_t id)
{
	struct peer *p = xcalloc(1, sizeof(*p));

	p->hb = hb;
	p->id = id;
	p->known_ms = node_mono_ms(hb->agent);
	p->next = hb->peers;
	hb->peers = p;
	return p;
}

static void peer_heard(struct peer *p)
{
	p->heard_ms = node_mono_ms(p->hb->agent);
	p->ever_heard = true;
}

static uint32_t age(uint64_t now, uint64_t then)
{
	uint64_t ms = now > then ? now - then : 0;

	return ms < FACTS_NEVER_MS ? (uint32_t)ms : FACTS_NEVER_MS - 1;
}

static bool peer_is_live(const struct peer *p)
{
	const struct agent *agent = p->hb->agent;

	return p->out && p->ever_heard &&
	       age(node_mono_ms(agent), p->heard_ms) < node_scaled(agent, PLAN_FRESH_MS);
}

static void peer_free(struct peer *p)
{
	if (p->out) {
		relay_frames_lost(p->hb->agent->relay, p->out);
		frames_close(p->out);
	}
	if (p->in) {
		relay_frames_lost(p->hb->agent->relay, p->in);
		frames_close(p->in);
	}
	node_report_clear(&p->report);
	if (p->connecting) {	/* the end of the attempt frees it */
		p->hb = NULL;
		return;
	}
	free(p);
}

/* ---------------------------------------------------------------- frames in */

/* A report of node @id came, directly or by @via. */
static void take_report(struct heartbeat *hb, uint32_t id, const json_t *json)
{
	struct peer *p = peer_find(hb, id);
	struct node_report report;
	char why[FSM_SENTENCE_BYTES];

	if (!p)
		return;
	if (node_report_from_json(json, &report, why, sizeof(why))) {
		log_warning("a report of node %08x is not valid: %s", id, why);
		return;
	}
	if (report.node != id) {
		node_report_clear(&report);
		return;
	}
	node_report_clear(&p->report);
	p->report = report;
	p->report_ms = loop_now_ms();
	p->has_report = true;
	node_kick(hb->agent);
}

static void pass_on(struct heartbeat *hb, uint32_t id, json_t *report)
{
	struct peer *leader = peer_find(hb, node_leader(hb->agent));

	if (leader && leader->out && leader->id != id)
		frames_send(leader->out, json_pack("{s:I, s:O}", "for", (json_int_t)id,
						   "report", report));
}

static void take_heartbeat(struct peer *p, struct frames *frames, json_t *beat)
{
	struct heartbeat *hb = p->hb;
	json_t *report = json_object_get(beat, "report");

	p->leader = (uint32_t)json_integer_value(json_object_get(beat, "leader"));
	p->reaches_leader = json_is_true(json_object_get(beat, "reaches_leader"));
	p->leads = json_is_integer(json_object_get(beat, "version"));
	p->version = (uint64_t)json_integer_value(json_object_get(beat, "version"));
	p->beat_ms = loop_now_ms();
	frames_send(frames, json_pack("{s:i}", "beat_ack", 1));
	if (!report)
		return;
	take_report(hb, p->id, report);
	if (json_is_true(json_object_get(beat, "pass_on")) && !node_is_leader(hb->agent))
		pass_on(hb, p->id, report);
}

static void frame_cb(void *data, struct frames *frames, json_t *frame)
{
	struct peer *p = data;
	json_t *beat = json_object_get(frame, "beat");

	peer_heard(p);
	if (frames == p->out)
		p->out_heard_ms = p->heard_ms;
	if (beat)
		take_heartbeat(p, frames, beat);
	else if (json_object_get(frame, "for"))
		take_report(p->hb, (uint32_t)json_integer_value(json_object_get(frame, "for")),
			    json_object_get(frame, "report"));
	else if (!json_object_get(frame, "beat_ack"))
		relay_frame(p->hb->agent->relay, p->id, frames, frame);
}

static void lost_cb(void *data, struct frames *frames, const char *why)
{
	struct peer *p = data;

	log_debug("connection %s node %08x lost: %s", frames == p->out ? "to" : "from", p->id,
		  why);
	if (frames == p->out)
		p->out = NULL;
	else if (frames == p->in)
		p->in = NULL;
	relay_frames_lost(p->hb->agent->relay, frames);
	node_kick(p->hb->agent);
}

static void drop_out(struct peer *p)
{
	relay_frames_lost(p->hb->agent->relay, p->out);
	frames_close(p->out);
	p->out = NULL;
}

static void accept_cb(void *data, int fd, const struct transport_hello *hello)
{
	struct heartbeat *hb = data;
	struct peer *p = peer_find(hb, hello->from);

	/* The leader must hear a node before the log brings that node its state. */
	if (!p && !hb->agent->fsm->initialized && nr_peers(hb) < FSM_MAX_NODES)
		p = peer_new(hb, hello->from);
	if (!p) {
		transport_answer(fd, false, "the calling node is not known here (yet)");
		close(fd);
		return;
	}
	transport_answer(fd, true, NULL);
	if (p->in) {
		relay_frames_lost(hb->agent->relay, p->in);
		frames_close(p->in);
	}
	p->in = frames_open(hb->agent->loop, fd, frame_cb, lost_cb, p);
	peer_heard(p);
}

/* ------------------------------------------------------------- beats, out */

static void connected_cb(void *data, int fd, const char *why)
{
	struct peer *p = data;

	p->connecting = false;
	if (!p->hb) {
		if (fd >= 0)
			close(fd);
		free(p);
		return;
	}
	if (fd == -ECONNREFUSED) {
		p->refused_ms = node_mono_ms(p->hb->agent);
		p->ever_refused = true;
	}
	if (fd < 0) {
		log_debug("node %08x is not reached: %s", p->id, why);
		return;
	}
	p->out = frames_open(p->hb->agent->loop, fd, frame_cb, lost_cb, p);
	peer_heard(p);
	p->out_heard_ms = p->heard_ms;
	heartbeat_now(p->hb);
	relay_tick(p->hb->agent->relay);
}

static void peer_connect(struct peer *p, const struct fsm_node *node)
{
	struct agent *agent = p->hb->agent;

	p->connecting = true;
	transport_connect(agent->transport, node->address, node->port, TRANSPORT_PEER, node->id,
			  NULL, node_scaled(agent, HEARTBEAT_CONNECT_MS), connected_cb, p);
}

/* Peers follow the state's list of nodes. */
static void sweep(struct heartbeat *hb)
{
	const struct fsm *fsm = hb->agent->fsm;
	struct peer **at, *p;
	unsigned int i;

	for (p = hb->peers; p; p = p->next)
		p->seen = false;
	for (i = 0; i < fsm->nr_nodes; i++) {
		const struct fsm_node *node = &fsm->nodes[i];

		if (node->id == hb->agent->self.id)
			continue;
		p = peer_find(hb, node->id);
		if (!p)
			p = peer_new(hb, node->id);
		p->seen = true;
		if (p->out && age(node_mono_ms(hb->agent), p->out_heard_ms) >
			      node_scaled(hb->agent, HEARTBEAT_STUCK_MS)) {
			log_debug("node %08x does not answer on its connection", p->id);
			drop_out(p);
		}
		if (!p->out && !p->connecting)
			peer_connect(p, node);
	}
	for (at = &hb->peers; (p = *at);) {
		if (p->seen) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		peer_free(p);
	}
}

void heartbeat_now(struct heartbeat *hb)
{
	struct agent *agent = hb->agent;
	uint32_t leader = node_leader(agent);
	struct peer *to_leader = peer_find(hb, leader);
	bool reaches = leader == agent->self.id || (to_leader && peer_is_live(to_leader));
	struct node_report report;
	json_t *json = NULL;
	struct peer *p;

	if (agent->phase != NODE_MEMBER)
		return;
	hb->next_ms = node_mono_ms(agent) + node_scaled(agent, PLAN_HEARTBEAT_MS);
	if (!node_is_leader(agent)) {
		memset(&report, 0, sizeof(report));
		node_make_report(agent, &report);
		json = node_report_to_json(&report);
		node_report_clear(&report);
	}
	for (p = hb->peers; p; p = p->next) {
		json_t *beat;

		if (!p->out)
			continue;
		beat = json_pack("{s:I, s:b}", "leader", (json_int_t)leader, "reaches_leader",
				 reaches);
		if (node_is_leader(agent) && agent->caught_up)
			json_object_set_new(beat, "version",
					    json_integer((json_int_t)agent->fsm->version));
		if (json && (p->id == leader || !reaches)) {
			json_object_set(beat, "report", json);
			if (p->id != leader)
				json_object_set_new(beat, "pass_on", json_true());
		}
		frames_send(p->out, json_pack("{s:o}", "beat", beat));
	}
	json_decref(json);
}

void heartbeat_tick(struct heartbeat *hb)
{
	if (node_mono_ms(hb->agent) < hb->next_ms || hb->agent->phase != NODE_MEMBER ||
	    !hb->agent->fsm->initialized)
		return;
	sweep(hb);
	heartbeat_now(hb);
}

void heartbeat_forgive(struct heartbeat *hb, uint64_t gap_ms)
{
	log_warning("this agent did not run for %llu ms; nobody's silence in that time counts",
		    (unsigned long long)gap_ms);
	hb->next_ms = 0;
}

/* ------------------------------------------------------------------- facts */

void heartbeat_heard(struct heartbeat *hb, struct node_report *report)
{
	uint64_t now = node_mono_ms(hb->agent);
	struct peer *p;

	report->nr_heard = 0;
	for (p = hb->peers; p && report->nr_heard < FSM_MAX_NODES; p = p->next) {
		report->heard[report->nr_heard++] = (struct heard){
			.node = p->id,
			.age_ms = age(now, p->ever_heard ? p->heard_ms : p->known_ms),
			.refused_ms = p->ever_refused ? age(now, p->refused_ms) : FACTS_NEVER_MS,
		};
	}
}

void heartbeat_facts(struct heartbeat *hb, const struct node_report *own, struct facts *facts)
{
	uint64_t now = loop_now_ms();
	struct peer *p;

	facts->count = 0;
	facts->entries[0].age_ms = 0;
	facts->entries[0].report = own;
	facts->count = 1;
	for (p = hb->peers; p && facts->count < FSM_MAX_NODES; p = p->next) {
		if (!p->has_report)
			continue;
		facts->entries[facts->count].age_ms = age(now, p->report_ms);
		facts->entries[facts->count].report = &p->report;
		facts->count++;
	}
}

uint32_t heartbeat_age_ms(struct heartbeat *hb, uint32_t id)
{
	struct peer *p = peer_find(hb, id);

	if (id == hb->agent->self.id)
		return 0;
	if (!p || !p->ever_heard)
		return FACTS_NEVER_MS;
	return age(node_mono_ms(hb->agent), p->heard_ms);
}

const struct node_report *heartbeat_report(struct heartbeat *hb, uint32_t id, uint32_t *age_ms)
{
	struct peer *p = peer_find(hb, id);

	if (!p || !p->has_report)
		return NULL;
	*age_ms = age(loop_now_ms(), p->report_ms);
	return &p->report;
}

bool heartbeat_leads(struct heartbeat *hb, uint32_t id, uint64_t *version, uint32_t *age_ms)
{
	struct peer *p = peer_find(hb, id);

	if (!p || !p->leads)
		return false;
	*version = p->version;
	*age_ms = age(loop_now_ms(), p->beat_ms);
	return true;
}

struct frames *heartbeat_frames(struct heartbeat *hb, uint32_t id)
{
	struct peer *p = peer_find(hb, id);

	return p ? p->out : NULL;
}

uint32_t heartbeat_go_between(struct heartbeat *hb, uint32_t leader)
{
	struct peer *p;

	for (p = hb->peers; p; p = p->next) {
		if (p->id != leader && peer_is_live(p) && p->reaches_leader)
			return p->id;
	}
	return 0;
}

struct heartbeat *heartbeat_open(struct agent *agent)
{
	struct heartbeat *hb = xcalloc(1, sizeof(*hb));

	hb->agent = agent;
	transport_handle(agent->transport, TRANSPORT_PEER, accept_cb, hb);
	return hb;
}

void heartbeat_close(struct heartbeat *hb)
{
	transport_handle(hb->agent->transport, TRANSPORT_PEER, NULL, NULL);
	while (hb->peers) {
		struct peer *p = hb->peers;

		hb->peers = p->next;
		peer_free(p);
	}
	free(hb);
}
