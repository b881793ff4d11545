// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The agents: the real state machine and planners of each node, with a model
 * of what is around them: heartbeats, execution of actions, restarts from a
 * snapshot, and the consensus log with its faults.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../state_json.h"
#include "sim.h"

/* -------------------------------------------------------------------- view */

static void view_slot(struct sim *sim, const struct mvol *mv, struct kernel_slot *out)
{
	const struct mslot *slot = &mv->slot;

	out->state = slot->state;
	if (slot->state == HOLDFAST_SLOT_NONE)
		return;
	out->slot_nr = slot_nr(sim, mv) < 0 ? 0 : (u8)slot_nr(sim, mv);
	out->unclean = !sim_mutant(sim, MUTANT_UNCLEAN_FIRST) &&
		       (hf_al_unclean(&slot->al) || slot_owes(sim, mv));
	out->life = slot->life;
	out->incarnation = slot->al.incarnation;
	out->promise_ms = (u32)(slot_promise_ns(sim, mv) / 1000000);
	out->log_used = hf_al_used(&slot->al);
	out->log_entries = SIM_ROOM;
	out->backing_busy = slot->busy;
}

static void view_remote(struct sim *sim, const struct mvol *mv, u8 nr, struct kernel_remote *out)
{
	const struct plink *link = &mv->links[nr];

	out->slot_nr = nr;
	out->link_state = link->state;
	out->link_id = link->link;
	out->life = link->life;
	out->unclean = link->unclean && !sim_mutant(sim, MUTANT_UNCLEAN_FIRST);
	out->rebuild_state = link->rebuild.state;
	out->adopted_epoch = link->adopted_epoch;
	out->rebuild_total_bytes = link->rebuild.total * 4096ull;
	out->rebuild_done_bytes = out->rebuild_total_bytes -
				  (u64)__builtin_popcount(link->rebuild.dirty) * 4096;
	out->flags = (link->reconciled ? HOLDFAST_REMOTE_RECONCILED : 0) |
		     (link->counted ? HOLDFAST_REMOTE_COUNTED : 0) |
		     (link->admissible ? HOLDFAST_REMOTE_ADMISSIBLE : 0) |
		     (link->lost ? HOLDFAST_REMOTE_LOST : 0) |
		     (link->new_life ? HOLDFAST_REMOTE_NEW_LIFE : 0);
}

static void view_volume(struct sim *sim, const struct mvol *mv, struct kernel_volume *out)
{
	int own = slot_nr(sim, mv);
	u8 i;

	memcpy(out->uuid, mv->conf.volume, FSM_UUID_BYTES);
	out->conf = mv->shown;
	view_slot(sim, mv, &out->slot);
	for (i = 0; i < HF_MAX_SLOTS && slot_up(mv); i++)
		out->out_of_sync_bytes[i] = (u64)__builtin_popcount(mv->slot.bits[i]) * 4096;
	out->disk.state = mv->disk;
	out->disk.instance = mv->disk == HOLDFAST_DISK_NONE ? 0 : mv->instance;
	out->disk.openers = mv->openers;
	out->disk.holding_ms = primary_holding_ms(sim, mv);
	if (mv->disk >= HOLDFAST_DISK_NAMED && mv->disk <= HOLDFAST_DISK_ACTIVE) {
		for (i = 0; i < HF_MAX_SLOTS; i++) {
			if (i != own && hf_conf_used_mask(&mv->conf) & 1 << i)
				view_remote(sim, mv, i, &out->remotes[out->nr_remotes++]);
		}
	} else if (mv->server.link && own >= 0) {
		struct kernel_remote *remote = &out->remotes[out->nr_remotes++];

		remote->slot_nr = (u8)own;
		remote->link_state = mv->server.state;
		remote->holding_ms = mv->server.holding_ms;
		remote->link_id = mv->server.link;
	}
}

void agent_view(struct sim *sim, int node, struct kernel_view *view)
{
	unsigned int v;

	memset(view, 0, sizeof(*view));
	view->loaded = true;
	for (v = 0; v < sim->nr_volumes; v++) {
		struct mvol *mv = &sim->nodes[node].vols[v];

		if (mv->known)
			view_volume(sim, mv, kernel_view_add(view));
	}
}

/* --------------------------------------------------------------- consensus */

static bool both_ways(const struct sim *sim, int a, int b)
{
	return a == b || (sim_reach(sim, a, b) && sim_reach(sim, b, a));
}

static bool takes_part(const struct sim *sim, int node)
{
	return sim->nodes[node].up && sim->nodes[node].agent_up &&
	       sim->nodes[node].paused_until <= sim->now;
}

static bool has_majority(const struct sim *sim, int node)
{
	unsigned int i, votes = 0, with = 0;

	if (!takes_part(sim, node) || node >= 3)
		return false;
	for (i = 0; i < sim->nr_nodes && i < 3; i++) {
		votes++;
		if (takes_part(sim, (int)i) && both_ways(sim, node, (int)i))
			with++;
	}
	return 2 * with > votes;
}

static void elect(struct sim *sim, struct ev *ev)
{
	(void)ev;
	sim_at(sim, 100 * SIM_MS, -1, elect);
	if (sim->leader >= 0 && has_majority(sim, sim->leader)) {
		sim->leader_bad_since = 0;
		/* Rarely the lead changes without a reason. */
		if (sim->healed || !sim->opt.faults || sim_below(sim, 1000) > 0)
			return;
	}
	if (!sim->leader_bad_since) {
		sim->leader_bad_since = sim->now;
		return;
	}
	if (sim->now - sim->leader_bad_since > 700 * SIM_MS + sim_below(sim, 500 * SIM_MS)) {
		int node = (int)sim_below(sim, sim->nr_nodes);

		if (!has_majority(sim, node))
			return;
		sim->leader = node;
		sim->leader_bad_since = 0;
		plan_memory_clear(&sim->nodes[node].memory);
		sim_trace(sim, "n%d leads", node);
	}
}

static int volume_of(const struct sim *sim, const u8 *uuid)
{
	unsigned int v;

	for (v = 0; v < sim->nr_volumes; v++) {
		if (!memcmp(sim->uuid[v], uuid, 16))
			return (int)v;
	}
	return -1;
}

static void trace_events(struct sim *sim, unsigned int from)
{
	const struct fsm_event *event;

	while (from <= sim->truth->event_count && from) {
		event = fsm_event_at(sim->truth, from - 1);
		if (!event)
			break;
		sim_trace(sim, "EVENT [%s] %s:%u", event->domain, event->text, event->code);
		from++;
	}
}

enum fsm_code consensus_commit(struct sim *sim, const struct command *cmd, char *why,
			       size_t why_size)
{
	unsigned int events = sim->truth->event_count;
	struct hf_conf_data old[SIM_VOLUMES];
	const struct fsm_volume *vol;
	struct fsm_result result;
	struct log_entry *entry;
	unsigned int v;

	for (v = 0; v < sim->nr_volumes; v++) {
		vol = fsm_volume_by_uuid(sim->truth, sim->uuid[v]);
		old[v] = vol ? vol->conf : (struct hf_conf_data){ 0 };
	}
	if (sim->nr_log == sim->room_log) {
		sim->room_log = sim->room_log ? 2 * sim->room_log : 64;
		sim->log = reallocarray(sim->log, sim->room_log, sizeof(*sim->log));
		if (!sim->log)
			abort();
	}
	entry = &sim->log[sim->nr_log++];
	if (command_encode(cmd, &entry->text, &entry->size))
		abort();
	fsm_apply(sim->truth, cmd, &result);
	if (result.code)
		sim_trace(sim, "log %u: %s from n%d REFUSED: %s", sim->nr_log,
			  command_kind_name(cmd->kind), sim_node_index(sim, cmd->origin),
			  result.sentence);
	else
		sim_trace(sim, "log %u: %s%s%s from n%d", sim->nr_log,
			  command_kind_name(cmd->kind), cmd->kind == CMD_CONF ? " " : "",
			  cmd->kind == CMD_CONF ? conf_step_name(cmd->conf.step) : "",
			  sim_node_index(sim, cmd->origin));
	if (result.code == FSM_ILLEGAL)
		sim_fail(sim, "a planner proposed an illegal step: %s", result.sentence);
	if (!result.code && cmd->kind == CMD_CONF)
		sim->conf_steps[cmd->conf.step]++;
	trace_events(sim, events + 1);
	for (v = 0; v < sim->nr_volumes; v++) {
		vol = fsm_volume_by_uuid(sim->truth, sim->uuid[v]);
		if (vol && old[v].epoch && vol->conf.epoch != old[v].epoch) {
			check_conf(sim, (int)v, &old[v], &vol->conf);
			fault_after_step(sim, &vol->conf);
		}
	}
	check_places(sim);
	if (why)
		snprintf(why, why_size, "%s", result.sentence);
	return result.code;
}

static void commit_later(struct sim *sim, struct ev *ev)
{
	struct command *cmd = ev->p;

	/* Lost on the way, or the leader was none any more. */
	if (sim->leader < 0 || sim->leader != (int)ev->a[0] || !has_majority(sim, sim->leader))
		return;
	consensus_commit(sim, cmd, NULL, 0);
}

void agent_propose(struct sim *sim, int node, struct command *cmd)
{
	struct ev *ev;

	if (sim->leader < 0 || !both_ways(sim, node, sim->leader))
		return;
	if ((sim_mutant(sim, MUTANT_RETIRE_NEVER) && cmd->kind == CMD_SLOT_RETIRED) ||
	    (sim_mutant(sim, MUTANT_NO_PLACE) && cmd->kind == CMD_SLOT_PLACE))
		return;
	if (sim->opt.faults && !sim->healed && sim_chance(sim, 4))
		return;		/* lost */
	if (!cmd->id)
		cmd->id = sim_id(sim);
	ev = sim_at(sim, SIM_MS + sim_below(sim, 15 * SIM_MS), -1, commit_later);
	ev->p = malloc(sizeof(*cmd));
	memcpy(ev->p, cmd, sizeof(*cmd));
	ev->a[0] = (u64)sim->leader;
	/* Now and then a proposal is sent twice: it is applied once. */
	if (sim_chance(sim, 3)) {
		ev = sim_at(sim, 20 * SIM_MS + sim_below(sim, 100 * SIM_MS), -1, commit_later);
		ev->p = malloc(sizeof(*cmd));
		memcpy(ev->p, cmd, sizeof(*cmd));
		ev->a[0] = (u64)sim->leader;
	}
}

static void take_snapshot(struct sim *sim, int node)
{
	struct snode *n = &sim->nodes[node];

	(void)sim;
	free(n->snapshot);
	if (state_encode(n->fsm, &n->snapshot, &n->snapshot_size))
		abort();
	n->snapshot_at = n->applied;
}

static void apply_log(struct sim *sim, int node)
{
	struct snode *n = &sim->nodes[node];

	if (sim->leader < 0 || !takes_part(sim, sim->leader) ||
	    !both_ways(sim, node, sim->leader))
		return;
	while (n->applied < sim->nr_log) {
		const struct log_entry *entry = &sim->log[n->applied];
		struct fsm_result result;
		struct command cmd;
		char why[128];

		if (command_decode(entry->text, entry->size, &cmd, why, sizeof(why))) {
			sim_fail(sim, "a log entry does not decode: %s", why);
			return;
		}
		fsm_apply(n->fsm, &cmd, &result);
		n->applied++;
		if (sim_chance(sim, 4))
			take_snapshot(sim, node);
		/* A slow disk, a slow follower. */
		if (node != sim->leader && sim_chance(sim, 10))
			break;
	}
}

/* ----------------------------------------------------------------- actions */

static u64 key_of(const struct action *action)
{
	switch (action->kind) {
	case ACT_VOLUME_SET:
		return action->conf.epoch;
	case ACT_SLOT_DETACH:
		return action->life;
	case ACT_DISK_RELEASE:
	case ACT_DISK_DEL:
		return action->instance;
	case ACT_LINK_CONNECT:
		return action->term;
	case ACT_SLOT_MAKE:
	case ACT_SLOT_RETIRE:
		return action->incarnation;
	default:
		return 0;
	}
}

/* May it begin? Remembers that it did. */
static bool may_begin(struct sim *sim, struct snode *n, int volume, const struct action *action)
{
	struct action_key *free_key = NULL;
	unsigned int i;

	for (i = 0; i < SIM_ACTION_KEYS; i++) {
		struct action_key *key = &n->keys[i];

		if (key->until_us <= sim->now) {
			free_key = key;
			continue;
		}
		if (key->kind == action->kind && key->volume == volume &&
		    key->slot_nr == action->slot_nr && key->key == key_of(action))
			return false;
	}
	if (!free_key)
		return false;
	free_key->kind = action->kind;
	free_key->volume = volume;
	free_key->slot_nr = action->slot_nr;
	free_key->key = key_of(action);
	free_key->until_us = sim->now + action->retry_ms * SIM_MS;
	return true;
}

static void connect_link(struct sim *sim, struct mvol *mv, const struct action *action)
{
	int to = sim_node_index(sim, action->node);
	struct mvol *other;
	u64 id;

	if (to < 0 || !both_ways(sim, mv->node, to) || !sim->nodes[to].agent_up ||
	    sim->nodes[to].paused_until > sim->now)
		return;
	other = &sim->nodes[to].vols[mv->volume];
	if (!other->known)
		return;
	id = link_new(sim, mv->volume, mv->node, to);
	replica_open(sim, other, id);
	primary_link_open(sim, mv, action->slot_nr, id);
}

static void propose_slot(struct sim *sim, int node, enum command_kind kind,
			 const struct action *action)
{
	struct command cmd;

	command_begin(&cmd, kind, sim_id(sim), sim_unix_ms(sim), sim->nodes[node].id);
	memcpy(cmd.slot.volume, action->volume, FSM_UUID_BYTES);
	cmd.slot.slot_nr = action->slot_nr;
	cmd.slot.node = sim->nodes[node].id;
	cmd.slot.incarnation = action->incarnation;
	snprintf(cmd.slot.reason, sizeof(cmd.slot.reason), "the device is on fire");
	agent_propose(sim, node, &cmd);
}

static unsigned int pair_of(struct sim *sim, const struct action *action)
{
	unsigned int pair;

	if (sscanf(action->data_path, "/dev/data%u", &pair) == 1 && pair < SIM_PAIRS)
		return pair;
	sim_fail(sim, "%s names no pair: '%s'", action_kind_name(action->kind),
		 action->data_path);
	return 0;
}

/* Of volumes in service alone: one that is being made would be given up. */
static bool making_fails(struct sim *sim, int node, const struct action *action)
{
	const struct fsm_volume *vol = fsm_volume_by_uuid(sim->nodes[node].fsm, action->volume);

	return vol && vol->state == FSM_VOLUME_READY && sim->opt.faults && !sim->healed &&
	       sim_chance(sim, 15);
}

static void make_slot(struct sim *sim, int node, int volume, const struct action *action)
{
	struct sdev *dev = &sim->nodes[node].dev[pair_of(sim, action)];

	if (making_fails(sim, node, action)) {
		propose_slot(sim, node, CMD_SLOT_FAILED, action);
		return;
	}
	if (dev->made && (dev->volume != volume || dev->incarnation != action->incarnation)) {
		/* By an agent that lags; what it would make was retired long ago. */
		check_stale_make(sim, node, volume, action->incarnation);
		return;
	}
	if (!dev->made && !sim_mutant(sim, MUTANT_UNMADE)) {
		struct hf_al al;
		void *memory = malloc(hf_al_memory_bytes());

		memset(dev, 0, sizeof(*dev));
		dev->made = true;
		dev->volume = volume;
		dev->incarnation = action->incarnation;
		hf_al_init(&al, memory, SIM_ROOM, dev->incarnation);
		al.sequence = 0;
		hf_al_record_begin(&al, &dev->ring[1], 0, true);
		free(memory);
	}
	propose_slot(sim, node, CMD_SLOT_MADE, action);
}

static void retire_slot(struct sim *sim, int node, int volume, const struct action *action)
{
	unsigned int pair = pair_of(sim, action);
	struct sdev *dev = &sim->nodes[node].dev[pair];
	struct mvol *mv = &sim->nodes[node].vols[volume];

	if (mv->known && slot_up(mv) && mv->pair == pair) {
		sim_fail(sim, "n%d v%d a slot is wiped that is attached", node, volume);
		return;
	}
	if (dev->made && dev->volume == volume && dev->incarnation == action->incarnation)
		memset(dev, 0, sizeof(*dev));
	propose_slot(sim, node, CMD_SLOT_RETIRED, action);
}

/* A forced detachment, too, waits for what is at the device (R1, R15). */
static void detach_slot(struct sim *sim, struct mvol *mv, const struct action *action)
{
	unsigned int i;

	if (!slot_up(mv) || mv->slot.life != action->life || mv->adopting || mv->slot.busy)
		return;
	replica_close(sim, mv, true);
	for (i = 0; i < 64; i++)
		mv->slot.writes[i].used = false;
	slot_stop(sim, mv);
	mv->slot.life = 0;
	sim_trace(sim, "n%d v%d slot detached", mv->node, mv->volume);
}

static void delete_volume(struct sim *sim, struct mvol *mv)
{
	int node = mv->node, volume = mv->volume;

	if (slot_up(mv) || mv->disk != HOLDFAST_DISK_NONE || mv->adopting)
		return;
	replica_close(sim, mv, true);
	memset(mv, 0, sizeof(*mv));
	mv->node = node;
	mv->volume = volume;
	sim_trace(sim, "n%d v%d volume deleted", node, volume);
}

static void execute(struct sim *sim, struct ev *ev)
{
	struct action *action = ev->p;
	int node = ev->node;
	struct mvol *mv = &sim->nodes[node].vols[ev->volume];
	unsigned int i;

	if (!mv->known && action->kind != ACT_VOLUME_SET && action->kind != ACT_SLOT_MAKE &&
	    action->kind != ACT_SLOT_RETIRE && action->kind != ACT_PROPOSE)
		return;
	switch (action->kind) {
	case ACT_VOLUME_SET:
		if (action->epoch == (mv->known ? mv->conf.epoch : 0))
			vol_adopt(sim, mv, &action->conf, false);
		break;
	case ACT_SLOT_ATTACH:
		if (mv->slot.state == HOLDFAST_SLOT_NONE && !mv->adopting)
			slot_attach(sim, mv, pair_of(sim, action));
		break;
	case ACT_SLOT_MAKE:
		make_slot(sim, node, ev->volume, action);
		break;
	case ACT_SLOT_RETIRE:
		retire_slot(sim, node, ev->volume, action);
		break;
	case ACT_SLOT_DETACH:
		if (sim_mutant(sim, MUTANT_RETIRE_EARLY)) {
			const struct fsm_node *self =
				fsm_node_by_id(sim->nodes[node].fsm, sim->nodes[node].id);

			for (i = 0; i < self->nr_backing; i++) {
				action->incarnation = self->backing[i].incarnation;
				if (self->backing[i].retiring)
					propose_slot(sim, node, CMD_SLOT_RETIRED, action);
			}
			break;
		}
		detach_slot(sim, mv, action);
		break;
	case ACT_VOLUME_DEL:
		delete_volume(sim, mv);
		break;
	case ACT_DISK_PREPARE:
		primary_prepare(sim, mv);
		break;
	case ACT_DISK_RELEASE:
		primary_release(sim, mv, action->instance, action->force);
		break;
	case ACT_DISK_DEL:
		primary_delete(sim, mv, action->instance, action->force);
		break;
	case ACT_LINK_CONNECT:
		if (action->term == mv->conf.term)
			connect_link(sim, mv, action);
		break;
	case ACT_REBUILD_START:
		rebuild_start(sim, mv, action->slot_nr);
		break;
	case ACT_PROPOSE:
		action->command.id = sim_id(sim);
		agent_propose(sim, node, &action->command);
		break;
	default:
		sim_fail(sim, "n%d: unexpected action %s", node, action_kind_name(action->kind));
	}
}

static void fill_input(struct sim *sim, int node, struct plan_input *in, u64 *random)
{
	unsigned int i;

	memset(in, 0, sizeof(*in));
	for (i = 0; i < 16; i++)
		random[i] = sim_id(sim);
	in->self = sim->nodes[node].id;
	in->mono_ms = sim_clock_ns(sim, node) / 1000000;
	in->unix_ms = sim_unix_ms(sim);
	in->scale_pct = sim->agent_scale_pct;
	in->nr_random = 16;
	in->random = random;
}

static bool leads(const struct sim *sim, int node)
{
	return sim->leader == node && sim->nodes[node].applied == sim->nr_log &&
	       has_majority(sim, node);
}

/* As the daemon finds out: by the leader's last report. */
static bool is_current(struct sim *sim, int node)
{
	struct snode *n = &sim->nodes[node];
	int leader = sim->leader;

	if (leader < 0 || leader == node)
		return leader == node && leads(sim, node);
	return n->report_us[leader] && sim->now - n->report_us[leader] <= SIM_S &&
	       n->reports[leader].leading &&
	       n->reports[leader].state_version <= n->fsm->version;
}

static void run_node_planner(struct sim *sim, int node, const struct kernel_view *view)
{
	struct snode *n = &sim->nodes[node];
	struct action_list list = { 0 };
	struct plan_input in;
	u64 random[16], delay = 0;
	unsigned int i;

	fill_input(sim, node, &in, random);
	in.current = is_current(sim, node);
	plan_node(n->fsm, view, &in, &list);
	for (i = 0; i < list.count; i++) {
		int volume = volume_of(sim, list.actions[i].volume);
		struct ev *ev;

		if (volume < 0 || !may_begin(sim, n, volume, &list.actions[i]))
			continue;
		delay += 200 + sim_below(sim, 8 * SIM_MS);
		ev = sim_at(sim, delay, node, execute);
		ev->agent = n->agent;
		ev->volume = volume;
		ev->p = malloc(sizeof(struct action));
		memcpy(ev->p, &list.actions[i], sizeof(struct action));
	}
	action_list_clear(&list);
}

static void run_cluster_planner(struct sim *sim, int node)
{
	struct snode *n = &sim->nodes[node];
	struct command_list list = { 0 };
	struct facts facts = { 0 };
	struct plan_input in;
	u64 random[16];
	unsigned int i;

	if (sim->now < n->proposal_until_us)
		return;
	for (i = 0; i < sim->nr_nodes; i++) {
		if (!n->report_us[i])
			continue;
		facts.entries[facts.count].age_ms = (u32)((sim->now - n->report_us[i]) / SIM_MS);
		facts.entries[facts.count++].report = &n->reports[i];
	}
	fill_input(sim, node, &in, random);
	plan_cluster(n->fsm, &facts, &n->memory, &in, &list);
	for (i = 0; i < list.count; i++)
		agent_propose(sim, node, &list.commands[i]);
	if (list.count)
		n->proposal_until_us = sim->now + 50 * SIM_MS;
	command_list_clear(&list);
}

/* -------------------------------------------------------------- heartbeats */

static void build_report(struct sim *sim, int node, struct node_report *report)
{
	struct snode *n = &sim->nodes[node];
	unsigned int i;

	memset(report, 0, sizeof(*report));
	report->node = n->id;
	report->boot_id = n->boot;
	report->state_version = n->fsm->version;
	report->leading = leads(sim, node);
	snprintf(report->agent_version, sizeof(report->agent_version), "sim");
	for (i = 0; i < sim->nr_nodes; i++) {
		struct heard *heard = &report->heard[report->nr_heard];
		u64 since = n->heard_us[i] ? n->heard_us[i] : n->agent_since_us;

		if ((int)i == node)
			continue;
		heard->node = sim->nodes[i].id;
		heard->age_ms = (u32)((sim->now - since) / SIM_MS);
		heard->refused_ms = both_ways(sim, node, (int)i) && sim->nodes[i].up &&
				    !sim->nodes[i].agent_up ? 100 : FACTS_NEVER_MS;
		report->nr_heard++;
	}
	agent_view(sim, node, &report->view);
}

static void deliver(struct sim *sim, int from, int to, const struct node_report *report)
{
	struct snode *n = &sim->nodes[to];

	node_report_clear(&n->reports[from]);
	n->reports[from] = *report;
	n->report_us[from] = sim->now;
	n->heard_us[from] = sim->now;
}

/* Through the form it has on the wire. */
static void recode(struct sim *sim, struct node_report *report)
{
	json_t *json = node_report_to_json(report);
	char why[128];

	node_report_clear(report);
	if (!json || node_report_from_json(json, report, why, sizeof(why)))
		sim_fail(sim, "a report does not decode: %s", why);
	json_decref(json);
}

static void send_reports(struct sim *sim, int node)
{
	unsigned int i;

	for (i = 0; i < sim->nr_nodes; i++) {
		struct snode *n = &sim->nodes[i];
		struct node_report report;

		if (!n->up || !n->agent_up || n->paused_until > sim->now ||
		    ((int)i != node && (sim->cut[node][i] || sim_chance(sim, 3))))
			continue;
		build_report(sim, node, &report);
		if (sim_below(sim, 64) == 0)
			recode(sim, &report);
		deliver(sim, node, (int)i, &report);
	}
}

static void agent_tick(struct sim *sim, struct ev *ev)
{
	int node = ev->node;
	struct snode *n = &sim->nodes[node];
	struct kernel_view view;
	struct ev *next;

	next = sim_at(sim, 60 * SIM_MS + sim_below(sim, 60 * SIM_MS), node, agent_tick);
	next->agent = n->agent;
	apply_log(sim, node);
	send_reports(sim, node);
	agent_view(sim, node, &view);
	if (n->fsm->initialized)
		run_node_planner(sim, node, &view);
	kernel_view_clear(&view);
	if (leads(sim, node))
		run_cluster_planner(sim, node);
}

void agent_start(struct sim *sim, int node)
{
	struct snode *n = &sim->nodes[node];
	char why[128];

	n->agent_up = true;
	n->agent++;
	n->agent_since_us = sim->now;
	n->proposal_until_us = 0;
	memset(n->keys, 0, sizeof(n->keys));
	memset(n->heard_us, 0, sizeof(n->heard_us));
	memset(n->report_us, 0, sizeof(n->report_us));
	if (n->snapshot) {
		n->fsm = state_decode(n->snapshot, n->snapshot_size, why, sizeof(why));
		n->applied = n->snapshot_at;
		if (!n->fsm) {
			sim_fail(sim, "a snapshot does not decode: %s", why);
			n->fsm = fsm_new();
		}
	} else {
		n->fsm = fsm_new();
		n->applied = 0;
	}
	agent_tick(sim, &(struct ev){ .node = node });
}

void agent_stop(struct sim *sim, int node)
{
	struct snode *n = &sim->nodes[node];
	unsigned int i;

	n->agent_up = false;
	fsm_free(n->fsm);
	n->fsm = NULL;
	plan_memory_clear(&n->memory);
	for (i = 0; i < SIM_NODES; i++)
		node_report_clear(&n->reports[i]);
	if (sim->leader == node)
		sim->leader_bad_since = sim->now;
}

void consensus_start(struct sim *sim)
{
	sim->leader = 0;
	elect(sim, &(struct ev){ .node = -1 });
}
