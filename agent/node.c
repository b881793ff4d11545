// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The agent's loop that holds wanted against actual.  Everything that may have
 * changed something kicks it: a command applied, a report, a dump of the module,
 * a new leader, the clock.  A look takes the next step everywhere: membership,
 * the leader's planner, this node's planner, calls, API requests that wait.
 * There is no chain of callbacks that a crash could break.
 *
 * It decides nothing about volumes: plan.h does, and the state refuses what the
 * rules forbid, whoever proposes it.
 */
#include "node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api.h"
#include "drives.h"
#include "disk_names.h"
#include "execute.h"
#include "heartbeat.h"
#include "http.h"
#include "identity.h"
#include "leader.h"
#include "links.h"
#include "log_raft.h"
#include "loop.h"
#include "membership.h"
#include "module.h"
#include "rebuilds.h"
#include "relay.h"
#include "storage_queue.h"
#include "state_json.h"

/* A command of this node on its way to the leader; one like it is not sent beside it. */
struct node_proposal {
	struct node_proposal *next;	/* agent->proposals */
	struct agent *agent;
	struct command cmd;
};

uint64_t node_mono_ms(const struct agent *agent)
{
	return loop_now_ms() - agent->paused_ms;
}

unsigned int node_scaled(const struct agent *agent, unsigned int ms)
{
	return (unsigned int)((uint64_t)ms * agent->options.time_scale_pct / 100);
}

bool node_is_leader(const struct agent *agent)
{
	return agent->log && log_raft_is_leader(agent->log);
}

uint32_t node_leader(const struct agent *agent)
{
	return agent->log ? log_raft_leader(agent->log) : 0;
}

/* ------------------------------------------------------------ state machine */

static json_t *sm_apply(void *data, const char *text, size_t len)
{
	struct agent *agent = data;
	struct fsm_result result = { .code = FSM_INVALID };
	struct command cmd;

	if (!command_decode(text, len, &cmd, result.sentence, sizeof(result.sentence))) {
		fsm_apply(agent->fsm, &cmd, &result);
		log_debug("%s: %s", command_kind_name(cmd.kind),
			  result.code == FSM_OK ? "done" : result.sentence);
	} else {
		log_error("a command in the log cannot be read: %s", result.sentence);
	}
	return json_pack("{s:i, s:s}", "code", (int)result.code, "sentence", result.sentence);
}

static char *sm_snapshot(void *data)
{
	struct agent *agent = data;
	char *text;
	size_t size;

	if (state_encode(agent->fsm, &text, &size)) {
		log_error("out of memory");
		abort();
	}
	return text;
}

static int sm_restore(void *data, const char *text, size_t len)
{
	struct agent *agent = data;
	char why[256];
	struct fsm *fsm = state_decode(text, len, why, sizeof(why));

	if (!fsm) {
		log_error("a snapshot cannot be read: %s", why);
		return -EINVAL;
	}
	fsm_free(agent->fsm);
	agent->fsm = fsm;
	return 0;
}

static void sm_kick(void *data)
{
	node_kick(data);
}

static const struct log_raft_ops log_ops = {
	.apply = sm_apply,
	.snapshot = sm_snapshot,
	.restore = sm_restore,
	.kick = sm_kick,
};

int node_open_log(struct agent *agent, bool bootstrap)
{
	char *dir = xasprintf("%s/raft", agent->options.state_dir);
	char *address = transport_format_address(agent->self.address, agent->self.port);
	bool fresh = !mkdir(dir, 0700);
	int rv = 1;

	if (!fresh && errno != EEXIST) {
		log_error("%s cannot be made: %s", dir, strerror(errno));
		goto out;
	}
	agent->log = log_raft_open(agent->loop, agent->transport, dir, agent->self.id, address,
				   agent->options.time_scale_pct, agent->options.snapshot_every,
				   &log_ops, agent);
	if (!agent->log)
		goto out;
	if (bootstrap && log_raft_bootstrap(agent->log))
		goto out;
	rv = log_raft_start(agent->log) ? 1 : 0;
out:
	free(address);
	free(dir);
	return rv;
}

void node_became_member(struct agent *agent)
{
	agent->phase = NODE_MEMBER;
	module_set_node(agent->module, agent->self.id);
	execute_set_node(agent->execute, agent->self.id);
	log_info("this is node %08x (%s) at %s", agent->self.id, agent->self.name,
		 agent->self.address);
	node_kick(agent);
}

/* --------------------------------------------------------------- proposals */

/* Alike: would do the same; ids and times differ in every one. */
static bool is_like(const struct command *a, const struct command *b)
{
	struct command x = *a, y = *b;
	json_t *jx, *jy;
	bool same;

	if (a->kind != b->kind)
		return false;
	x.id = y.id = 1;
	x.time_ms = y.time_ms = 0;
	x.origin = y.origin = 0;
	jx = command_to_json(&x);
	jy = command_to_json(&y);
	same = json_equal(jx, jy);
	json_decref(jx);
	json_decref(jy);
	return same;
}

static void node_proposed(void *data, json_t *answer)
{
	struct node_proposal *p = data, **at;
	struct agent *agent = p->agent;
	struct fsm_result result;

	if (relay_read_result(answer, &result) && result.code != FSM_OK)
		log_info("%s was refused: %s", command_kind_name(p->cmd.kind), result.sentence);
	for (at = &agent->proposals; *at != p; at = &(*at)->next)
		;
	*at = p->next;
	agent->nr_proposals--;
	free(p);
	node_kick(agent);
}

void node_propose(struct agent *agent, const struct command *cmd)
{
	struct node_proposal *p;

	for (p = agent->proposals; p; p = p->next) {
		if (is_like(&p->cmd, cmd))
			return;
	}
	if (agent->nr_proposals >= NODE_MAX_PROPOSALS)
		return;
	p = xcalloc(1, sizeof(*p));
	p->agent = agent;
	p->cmd = *cmd;
	if (!p->cmd.id)
		p->cmd.id = loop_random_u64();
	if (!p->cmd.time_ms)
		p->cmd.time_ms = loop_wall_ms();
	if (!p->cmd.origin)
		p->cmd.origin = agent->self.id;
	p->next = agent->proposals;
	agent->proposals = p;
	agent->nr_proposals++;
	relay_propose(agent->relay, &p->cmd,
		      loop_now_ms() + node_scaled(agent, 2 * RELAY_ANSWER_MS), node_proposed, p);
}

/* --------------------------------------------------------------------- node */

void node_plan_input(struct agent *agent, struct plan_input *in, u64 *random)
{
	loop_random(random, NODE_RANDOM_VALUES * sizeof(*random));
	*in = (struct plan_input){
		.self = agent->self.id,
		.mono_ms = node_mono_ms(agent),
		.unix_ms = loop_wall_ms(),
		.scale_pct = agent->options.time_scale_pct,
		.nr_random = NODE_RANDOM_VALUES,
		.random = random,
	};
}

/* Has this copy of the state all that the leader had at its last heartbeat? */
static bool state_is_current(struct agent *agent)
{
	uint32_t leader = node_leader(agent), age_ms;
	uint64_t version;

	if (leader == agent->self.id)
		return agent->caught_up;
	return leader && heartbeat_leads(agent->heartbeat, leader, &version, &age_ms) &&
	       age_ms <= node_scaled(agent, PLAN_FRESH_MS) && version <= agent->fsm->version;
}

static void look_as_node(struct agent *agent)
{
	struct action_list list = { 0 };
	u64 random[NODE_RANDOM_VALUES];
	struct plan_input in;

	node_plan_input(agent, &in, random);
	in.current = state_is_current(agent);
	plan_node(agent->fsm, module_view(agent->module), &in, &list);
	execute_actions(agent->execute, &list);
	action_list_clear(&list);
}

void node_make_report(struct agent *agent, struct node_report *report)
{
	report->node = agent->self.id;
	report->boot_id = agent->boot_id;
	strcpy(report->agent_version, AGENT_VERSION);
	report->state_version = agent->fsm->version;
	report->leading = agent->caught_up && node_is_leader(agent);
	heartbeat_heard(agent->heartbeat, report);
	drives_report(agent->drives, &report->storage);
	if (kernel_view_copy(&report->view, module_view(agent->module))) {
		log_error("out of memory");
		abort();
	}
	drives_fill_allocated(agent->drives, &report->view);
}

/*
 * What others must know at once, as one number: everything of the view but
 * counters and ages, which every heartbeat brings.
 */
static uint64_t view_digest(const struct kernel_view *view)
{
	uint64_t digest = 14695981039346656037u;
	unsigned int i, s;
	size_t at;

	for (i = 0; i < view->nr_volumes; i++) {
		struct kernel_volume v;
		const uint8_t *bytes = (const uint8_t *)&v;

		memcpy(&v, &view->volumes[i], sizeof(v));
		v.slot.promise_ms = v.slot.log_used = v.slot.backing_busy = 0;
		v.slot.own_dirty_bytes = 0;
		v.disk.in_flight = 0;
		v.disk.held = !!v.disk.held;
		v.disk.holding_ms = !!v.disk.holding_ms;
		v.disk.stable = v.disk.seq = 0;
		for (s = 0; s < HF_MAX_SLOTS; s++) {
			v.out_of_sync_bytes[s] = 0;
			v.remotes[s].lease_ms = 0;
			v.remotes[s].holding_ms = !!v.remotes[s].holding_ms;
			v.remotes[s].rebuild_done_bytes = v.remotes[s].out_of_sync_bytes = 0;
		}
		for (at = 0; at < sizeof(v); at++)
			digest = (digest ^ bytes[at]) * 1099511628211u;
	}
	return digest ^ view->loaded;
}

/* For what reason its drive may know. */
static bool any_slot_failed(const struct kernel_view *view)
{
	unsigned int i;

	for (i = 0; i < view->nr_volumes; i++) {
		if (view->volumes[i].slot.state == HOLDFAST_SLOT_FAILED)
			return true;
	}
	return false;
}

static void module_changed(void *data)
{
	struct agent *agent = data;
	const struct kernel_view *view = module_view(agent->module);
	uint64_t digest = view_digest(view);

	if (view->loaded != agent->module_was_loaded) {
		agent->module_was_loaded = view->loaded;
		if (view->loaded)
			log_info("the kernel module is there");
		else
			log_warning("%s", module_trouble(agent->module) ?
				    module_trouble(agent->module) : "the kernel module is gone");
	}
	if (digest != agent->last_digest) {
		if (any_slot_failed(view))
			drives_hurry(agent->drives);
		agent->last_digest = digest;
		heartbeat_now(agent->heartbeat);
		node_kick(agent);
	}
}

static bool address_of(void *data, uint32_t id, char *ip, uint16_t *port)
{
	struct agent *agent = data;
	const struct fsm_node *node = fsm_node_by_id(agent->fsm, id);

	if (!node)
		return false;
	strcpy(ip, node->address);
	*port = node->port;
	return true;
}

static void execute_propose(void *data, const struct command *cmd)
{
	node_propose(data, cmd);
}

static void execute_changed(void *data)
{
	node_kick(data);
}

static const struct execute_ops execute_ops = {
	.propose = execute_propose,
	.changed = execute_changed,
};

/* --------------------------------------------------------------------- loop */

static void look(struct agent *agent)
{
	uint32_t leader = node_leader(agent);

	if (agent->stopping)
		return;
	membership_step(agent->membership);
	if (leader != agent->last_leader) {
		agent->last_leader = leader;
		heartbeat_now(agent->heartbeat);
	}
	if (agent->was_leader && !node_is_leader(agent)) {
		agent->was_leader = false;
		agent->caught_up = false;
		log_info("this node does not lead any more");
	}
	if (agent->phase == NODE_MEMBER) {
		if (node_is_leader(agent))
			leader_look(agent);
		disk_names_update(agent->disk_names, agent->fsm);
		look_as_node(agent);
		drives_look(agent->drives, state_is_current(agent));
	}
	relay_tick(agent->relay);
	api_check_waits(agent);
}

static void kick_cb(uv_timer_t *timer)
{
	look(timer->data);
}

void node_kick(struct agent *agent)
{
	if (!agent->stopping && agent->kick.loop && !uv_is_active((uv_handle_t *)&agent->kick))
		uv_timer_start(&agent->kick, kick_cb, 0, 0);
}

static void tick_cb(uv_timer_t *timer)
{
	struct agent *agent = timer->data;
	uint64_t now = loop_now_ms(), tick = node_scaled(agent, NODE_TICK_MS);

	if (now - agent->last_tick_ms > tick + node_scaled(agent, NODE_GAP_MS)) {
		uint64_t gap = now - agent->last_tick_ms - tick;

		agent->paused_ms += gap;
		heartbeat_forgive(agent->heartbeat, gap);
	}
	agent->last_tick_ms = now;
	heartbeat_tick(agent->heartbeat);
	if (now >= agent->next_dump_ms) {
		agent->next_dump_ms = now + node_scaled(agent, PLAN_HEARTBEAT_MS);
		module_refresh(agent->module);
	}
	look(agent);
}

static int make_dir(const char *path)
{
	char *parent = xstrdup(path), *slash = strrchr(parent, '/');
	int rv = 0;

	if (slash && slash != parent) {
		*slash = '\0';
		mkdir(parent, 0755);
	}
	if (mkdir(path, 0700) < 0 && errno != EEXIST) {
		log_error("%s cannot be made: %s", path, strerror(errno));
		rv = 1;
	}
	free(parent);
	return rv;
}

int node_start(struct agent *agent)
{
	int rv;

	if (make_dir(agent->options.state_dir) || make_dir(agent->options.run_dir))
		return 1;
	agent->boot_id = identity_boot_id(agent->options.run_dir);
	if (!agent->boot_id)
		return 1;
	agent->fsm = fsm_new();
	agent->disk_names = disk_names_open(agent->options.run_dir);
	agent->last_tick_ms = loop_now_ms();
	agent->tick.data = agent;
	agent->kick.data = agent;
	uv_timer_init(agent->loop, &agent->tick);
	uv_timer_init(agent->loop, &agent->kick);
	agent->transport = transport_open(agent->loop, agent->options.time_scale_pct);
	agent->module = module_open(agent->loop, module_changed, agent);
	agent->relay = relay_open(agent);
	agent->heartbeat = heartbeat_open(agent);
	agent->rebuilds = rebuilds_open();
	agent->membership = membership_open(agent);
	if (!agent->fsm || !agent->module) {
		log_error("no generic netlink on this machine, or no memory");
		return 1;
	}
	agent->links = links_open(agent->loop, agent->transport, agent->module, address_of, agent,
				  agent->options.time_scale_pct);
	storage_set_scale(agent->options.time_scale_pct);
	agent->storage = storage_queue_open(agent->loop);
	agent->drives = drives_open(agent);
	agent->execute = execute_open(agent->loop, agent->module, agent->links, agent->storage,
				      &execute_ops, agent, agent->options.time_scale_pct);
	if (!agent->links || !agent->execute) {
		log_error("out of memory");
		return 1;
	}
	if (membership_resume(agent->membership))
		return 1;
	rv = transport_listen(agent->transport, agent->options.port);
	if (rv) {
		log_error("port %u cannot be listened on: %s; is another holdfastd running?",
			  agent->options.port, strerror(-rv));
		return 1;
	}
	agent->http = http_open(agent);
	if (!agent->http)
		return 1;
	uv_timer_start(&agent->tick, tick_cb, 0, node_scaled(agent, NODE_TICK_MS));
	return 0;
}

static void log_closed(void *data)
{
	struct agent *agent = data;

	agent->log = NULL;
	transport_close(agent->transport);
	relay_free(agent->relay);
	membership_free(agent->membership);
	fsm_free(agent->fsm);
	disk_names_free(agent->disk_names);
	plan_memory_clear(&agent->memory);
	agent->stopped(agent);
}

/* The agent alone: the module goes on under the last configuration. */
void node_stop(struct agent *agent, void (*stopped)(struct agent *agent))
{
	if (agent->stopping)
		return;
	agent->stopping = true;
	agent->stopped = stopped;
	uv_close((uv_handle_t *)&agent->tick, NULL);
	uv_close((uv_handle_t *)&agent->kick, NULL);
	/* In this order: each answers what the next one waits for. */
	api_end_waits(agent);
	relay_close(agent->relay);
	membership_close(agent->membership);
	if (agent->http)
		http_close(agent->http);
	if (agent->execute)
		execute_close(agent->execute);
	if (agent->drives)
		drives_close(agent->drives);
	if (agent->storage)
		storage_queue_close(agent->storage);
	if (agent->links)
		links_close(agent->links);
	heartbeat_close(agent->heartbeat);
	module_close(agent->module);
	rebuilds_close(agent->rebuilds);
	if (agent->log)
		log_raft_close(agent->log, log_closed, agent);
	else
		log_closed(agent);
}
