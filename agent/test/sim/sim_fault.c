// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How a history begins, what goes wrong in it, how it heals, and when it has
 * come to rest (S3, S4).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

static enum fsm_code commit(struct sim *sim, struct command *cmd)
{
	char why[256];

	return consensus_commit(sim, cmd, why, sizeof(why));
}

static void begin(struct sim *sim, struct command *cmd, enum command_kind kind)
{
	command_begin(cmd, kind, sim_id(sim), sim_unix_ms(sim), 0);
}

static void fill_node(struct sim *sim, unsigned int i, struct cmd_node *node)
{
	unsigned int v;

	node->id = sim->nodes[i].id;
	node->port = 7340;
	snprintf(node->name, sizeof(node->name), "v%u", i + 1);
	snprintf(node->address, sizeof(node->address), "10.0.0.%u", i + 1);
	node->nr_backing = sim->nr_volumes + 1;
	for (v = 0; v <= sim->nr_volumes; v++) {
		snprintf(node->backing[v].data_path, FSM_PATH_BYTES, "/dev/data%u", v);
		snprintf(node->backing[v].meta_path, FSM_PATH_BYTES, "/dev/meta%u", v);
		node->backing[v].size_bytes = 1 << 21;
	}
}

static void make_cluster(struct sim *sim)
{
	struct command cmd;
	unsigned int i;

	for (i = 0; i < sim->nr_nodes; i++) {
		if (i) {
			begin(sim, &cmd, CMD_TOKEN_ADD);
			cmd.token_add.hash[0] = (u8)i;
			cmd.token_add.expires_ms = cmd.time_ms + 1000;
			commit(sim, &cmd);
			begin(sim, &cmd, CMD_JOIN);
			cmd.join.hash[0] = (u8)i;
			fill_node(sim, i, &cmd.join.node);
		} else {
			begin(sim, &cmd, CMD_INIT);
			cmd.init.cluster[0] = 1;
			fill_node(sim, i, &cmd.init.node);
		}
		if (commit(sim, &cmd))
			sim_fail(sim, "the cluster cannot be made");
	}
}

static void make_volume(struct sim *sim, unsigned int v)
{
	struct command cmd;
	unsigned int i;

	begin(sim, &cmd, CMD_VOLUME_CREATE);
	snprintf(cmd.volume_create.name, FSM_NAME_BYTES, "web%u", v);
	for (i = 0; i < 16; i += 8)
		memcpy(cmd.volume_create.uuid + i, &(u64){ sim_random(sim) }, 8);
	memcpy(sim->uuid[v], cmd.volume_create.uuid, 16);
	cmd.volume_create.size_bytes = 1 << 20;
	cmd.volume_create.copies = sim_chance(sim, 65) ? 2 : 3;
	if (sim->opt.copies || sim->profile->copies)
		cmd.volume_create.copies = sim->opt.copies ? sim->opt.copies :
					   sim->profile->copies;
	for (i = 0; i < HF_MAX_SLOTS; i++)
		cmd.volume_create.incarnations[i] = sim_id(sim);
	if (commit(sim, &cmd))
		sim_fail(sim, "volume %u cannot be made", v);
}

/* From shorter than a reboot to longer than most absences. */
static void set_delay(struct sim *sim)
{
	struct command cmd;

	begin(sim, &cmd, CMD_SET);
	cmd.set.rebuild_delay_ms = (u32)(sim_chance(sim, 50) ? sim_below(sim, 2000) :
					 2000 + sim_below(sim, 10000));
	if (commit(sim, &cmd))
		sim_fail(sim, "the rebuild-delay cannot be set");
}

static const struct fsm_volume *truth(const struct sim *sim, unsigned int v)
{
	return fsm_volume_by_uuid(sim->truth, sim->uuid[v]);
}

/* A node with an in-sync slot, by chance. */
static u32 some_in_sync(struct sim *sim, const struct fsm_volume *vol)
{
	unsigned int slot = (unsigned int)sim_below(sim, HF_MAX_SLOTS);
	unsigned int i;

	for (i = 0; i < HF_MAX_SLOTS; i++, slot = (slot + 1) % HF_MAX_SLOTS) {
		if (vol->conf.in_sync_mask & 1 << slot &&
		    fsm_node_by_id(sim->truth, vol->conf.slots[slot].node)->status ==
		    FSM_NODE_NORMAL)
			return vol->conf.slots[slot].node;
	}
	return 0;
}

static void wish(struct sim *sim, unsigned int v, enum command_kind kind, u32 node, bool force)
{
	const struct fsm_volume *vol = truth(sim, v);
	struct command cmd;

	begin(sim, &cmd, kind);
	memcpy(cmd.wish.volume, vol->uuid, FSM_UUID_BYTES);
	cmd.wish.node = node;
	cmd.wish.force = force;
	commit(sim, &cmd);
}

/* The operator: attaches what is not attached, moves and detaches now and then. */
static void operate(struct sim *sim, struct ev *ev)
{
	unsigned int v;

	(void)ev;
	sim_at(sim, 500 * SIM_MS, -1, operate);
	for (v = 0; v < sim->nr_volumes; v++) {
		const struct fsm_volume *vol = truth(sim, v);
		bool served = fsm_volume_served_on(vol) == vol->wanted_node;
		u32 node;

		if (!vol || vol->state != FSM_VOLUME_READY || sim->leader < 0)
			continue;
		node = some_in_sync(sim, vol);
		if (!vol->wanted_node && node && (!vol->conf.primary_node || sim->healed)) {
			sim->wants_closed[v] = false;
			wish(sim, v, CMD_ATTACH, node, false);
		} else if (vol->wanted_node && served && !sim->operator_quiet) {
			sim->wants_closed[v] = false;
		}
		if (!sim->opt.faults || sim->healed || !served || !vol->wanted_node ||
		    !sim_chance(sim, 3))
			continue;
		/* Mostly the client is told first; else the wish is refused or forced. */
		sim->wants_closed[v] = sim_chance(sim, 70);
		if (sim_chance(sim, 60) && node && node != vol->wanted_node)
			wish(sim, v, CMD_MOVE, node, sim_chance(sim, 20));
		else
			wish(sim, v, CMD_DETACH, 0, sim_chance(sim, 20));
	}
}

/* ------------------------------------------------------------------ faults */

static void on_again(struct sim *sim, struct ev *ev)
{
	if ((int)ev->a[0] != sim->gone)
		sim_power_on(sim, (int)ev->a[0]);
}

static void cut_for(struct sim *sim, int node, u64 for_us)
{
	if (!sim->nodes[node].up)
		return;
	sim_cut_power(sim, node);
	sim_at(sim, for_us, -1, on_again)->a[0] = (u64)node;
}

static void mend(struct sim *sim, struct ev *ev)
{
	unsigned int from = (unsigned int)ev->a[0], to = (unsigned int)ev->a[1];

	if (sim->cut[from][to])
		sim_trace(sim, "net n%u -> n%u mended", from, to);
	sim->cut[from][to] = false;
}

static void cut_way(struct sim *sim, unsigned int from, unsigned int to, u64 for_us)
{
	struct ev *ev;

	if (from == to || sim->cut[from][to])
		return;
	sim->cut[from][to] = true;
	sim_trace(sim, "net n%u -> n%u CUT", from, to);
	ev = sim_at(sim, for_us, -1, mend);
	ev->a[0] = from;
	ev->a[1] = to;
}

static u64 some_seconds(struct sim *sim)
{
	return sim_chance(sim, 30) ? sim_below(sim, SIM_S) :
	       sim_chance(sim, 70) ? sim_below(sim, 6 * SIM_S) : sim_below(sim, 20 * SIM_S);
}

static void uncordon(struct sim *sim, unsigned int node)
{
	struct command cmd;

	begin(sim, &cmd, CMD_NODE_UNCORDON);
	cmd.node_status.node = sim->nodes[node].id;
	commit(sim, &cmd);
}

static void uncordon_later(struct sim *sim, struct ev *ev)
{
	uncordon(sim, (unsigned int)ev->a[0]);
}

static void reboot_later(struct sim *sim, struct ev *ev)
{
	if (!sim->healed)
		cut_for(sim, (int)ev->a[0], ev->a[1]);
}

/* For maintenance, or as the shutdown of a node does it, which may come too early. */
static void plan_absence(struct sim *sim, unsigned int node, u64 time)
{
	bool shutdown = sim_chance(sim, 60);
	struct command cmd;
	struct ev *ev;

	if (!sim->nodes[node].up || sim->leader < 0)
		return;
	begin(sim, &cmd, CMD_NODE_CORDON);
	cmd.node_cordon.node = sim->nodes[node].id;
	cmd.node_cordon.cordon = shutdown ? FSM_CORDON_SHUTDOWN : FSM_CORDON_OPERATOR;
	cmd.node_cordon.boot_id = sim->nodes[node].boot;
	commit(sim, &cmd);
	ev = sim_at(sim, sim_below(sim, 6 * SIM_S), -1, shutdown ? reboot_later : uncordon_later);
	ev->a[0] = node;
	ev->a[1] = time;
}

static void isolate(struct sim *sim, unsigned int node, u64 time)
{
	unsigned int i;

	for (i = 0; i < sim->nr_nodes; i++) {
		cut_way(sim, node, i, time);
		cut_way(sim, i, node, time);
	}
}

static void slow_device(struct sim *sim, unsigned int node)
{
	u64 time = 2 * SIM_S + sim_below(sim, SIM_S);
	unsigned int i;

	sim_trace(sim, "n%u device SLOW", node);
	/* Just long enough for links to end while old I/O is still under way. */
	sim->nodes[node].slow_until = sim->now + SIM_S;
	for (i = 0; i < sim->nr_nodes; i++)
		cut_way(sim, node, i, time);
}

static unsigned int some_node(struct sim *sim)
{
	const struct fsm_volume *vol = truth(sim, (unsigned int)sim_below(sim, sim->nr_volumes));
	int node = sim_node_index(sim, vol->conf.primary_node);

	if (node >= 0 && sim_chance(sim, sim->profile->aim_pct))
		return (unsigned int)node;
	return (unsigned int)sim_below(sim, sim->nr_nodes);
}

/* Of a volume that @node serves, on another node; else any node. */
static int some_copy(struct sim *sim, unsigned int node)
{
	unsigned int slot = (unsigned int)sim_below(sim, HF_MAX_SLOTS), v, i;

	for (v = 0; v < sim->nr_volumes; v++) {
		const struct hf_conf_data *conf = &truth(sim, v)->conf;

		if (conf->primary_node != sim->nodes[node].id)
			continue;
		for (i = 0; i < HF_MAX_SLOTS; i++, slot = (slot + 1) % HF_MAX_SLOTS) {
			if (conf->in_sync_mask & 1 << slot &&
			    conf->slots[slot].node != conf->primary_node)
				return sim_node_index(sim, conf->slots[slot].node);
		}
	}
	return (int)sim_below(sim, sim->nr_nodes);
}

static void one_fault(struct sim *sim)
{
	unsigned int node = some_node(sim);
	unsigned int other = (unsigned int)sim_below(sim, sim->nr_nodes);
	enum sim_fault kind = sim_profile_fault(sim);
	u64 time = some_seconds(sim);
	unsigned int i;

	switch (kind) {
	case FAULT_ABSENCE:
		plan_absence(sim, node, time);
		break;
	case FAULT_CUT:
		cut_for(sim, (int)node, time);
		break;
	case FAULT_CUT_ALL:
		for (i = 0; i < sim->nr_nodes; i++)
			cut_for(sim, (int)i, some_seconds(sim));
		break;
	case FAULT_AGENT:
		sim_kill_agent(sim, (int)node, time);
		break;
	case FAULT_TWO_WAYS:
		cut_way(sim, other, node, time);
		/* fallthrough */
	case FAULT_ONE_WAY:
		cut_way(sim, node, other, time);
		break;
	case FAULT_ISOLATE:
		isolate(sim, node, time);
		break;
	case FAULT_PAUSE:
		sim_pause(sim, (int)node, time);
		break;
	case FAULT_PROMISES:
		isolate(sim, node, 2 * SIM_S + time);
		cut_for(sim, some_copy(sim, node), sim_below(sim, 100 * SIM_MS));
		break;
	case FAULT_SLOW:
		slow_device(sim, node);
		break;
	case FAULT_LATENCY:
		sim->slow_ms = sim->slow_ms ? 0 : (u32)sim_below(sim, 120);
		break;
	case FAULT_LEADERLESS:
		if (sim->leader >= 0)
			sim_kill_agent(sim, sim->leader, time);
		cut_for(sim, (int)node, sim_below(sim, 200 * SIM_MS));
		break;
	default:
		break;
	}
}

/* Of the primary, mostly; @a: its node when the step was committed. */
static void step_fault(struct sim *sim, struct ev *ev)
{
	unsigned int node = (unsigned int)ev->a[0], i;
	unsigned int dice = (unsigned int)sim_below(sim, 100);
	u64 time = some_seconds(sim);

	if (sim->healed)
		return;
	if (dice < 20)
		node = (unsigned int)sim_below(sim, sim->nr_nodes);
	if (dice < 65) {
		cut_for(sim, (int)node, time);
	} else if (dice < 75) {
		for (i = 0; i < sim->nr_nodes; i++)
			cut_for(sim, (int)i, some_seconds(sim));
	} else if (dice < 90) {
		isolate(sim, node, time);
	} else {
		sim_kill_agent(sim, (int)node, time);
	}
}

void fault_after_step(struct sim *sim, const struct hf_conf_data *conf)
{
	int node = sim_node_index(sim, conf->primary_node);
	u64 soon;

	if (!sim->opt.faults || sim->healed || node < 0 ||
	    !sim_chance(sim, sim->profile->step_pct))
		return;
	soon = sim_chance(sim, 50) ? sim_below(sim, 100 * SIM_MS) : sim_below(sim, SIM_S);
	sim_at(sim, soon, -1, step_fault)->a[0] = (u64)node;
}

static void fault_tick(struct sim *sim, struct ev *ev)
{
	(void)ev;
	if (sim->healed)
		return;
	one_fault(sim);
	/* Faults come in flocks. */
	sim_at(sim, sim_chance(sim, 40) ? sim_below(sim, SIM_S) :
	       sim_below(sim, sim->profile->gap_us), -1, fault_tick);
}

void faults_start(struct sim *sim)
{
	sim_at(sim, 2 * SIM_S + sim_below(sim, 6 * SIM_S), -1, fault_tick);
}

void sim_start_history(struct sim *sim, unsigned int nodes, unsigned int volumes)
{
	unsigned int i, v;

	sim->nr_nodes = nodes;
	sim->nr_volumes = volumes;
	for (i = 0; i < nodes; i++) {
		sim->nodes[i].id = 0x10101010u * (i + 1);
		sim->nodes[i].rate = 0.98 + (double)sim_below(sim, 400) / 10000;
	}
	make_cluster(sim);
	for (v = 0; v < volumes; v++)
		make_volume(sim, v);
	if (sim->opt.faults)
		set_delay(sim);
	consensus_start(sim);
	for (i = 0; i < nodes; i++)
		sim_power_on(sim, (int)i);
	for (v = 0; v < volumes; v++) {
		for (i = 0; i < nodes; i++)
			client_start(sim, (int)v, (int)i);
	}
	operate(sim, NULL);
	if (sim->opt.faults) {
		/* Rash agents: safety must not rest on their patience. */
		sim->agent_scale_pct = sim_chance(sim, 50) ? 100 : sim_chance(sim, 50) ? 40 : 15;
		if (sim->profile->scale_pct)
			sim->agent_scale_pct = sim->profile->scale_pct;
		faults_start(sim);
	}
}

void sim_heal(struct sim *sim)
{
	unsigned int i;

	sim_trace(sim, "all faults end");
	sim->healed = true;
	sim->agent_scale_pct = 100;
	sim->slow_ms = 0;
	memset(sim->cut, 0, sizeof(sim->cut));
	for (i = 0; i < sim->nr_nodes; i++) {
		sim->nodes[i].slow_until = 0;
		sim_power_on(sim, (int)i);
		if (!sim->nodes[i].agent_up)
			agent_start(sim, (int)i);
		uncordon(sim, i);
	}
	for (i = 0; i < sim->nr_volumes; i++)
		sim->wants_closed[i] = false;
}

/* What everybody thinks, for the end of a story. */
void sim_dump(struct sim *sim)
{
	unsigned int i, v, k;

	for (i = 0; i < sim->nr_nodes; i++) {
		for (v = 0; v < sim->nr_volumes; v++) {
			struct mvol *mv = &sim->nodes[i].vols[v];

			sim_trace(sim, "n%u v%u known %d epoch %llu disk %u serving %d openers %u slot %u busy %u log used %u server %u adopting %d seq %llu stable %llu",
				  i, v, mv->known, (unsigned long long)mv->conf.epoch, mv->disk,
				  mv->serving, mv->openers, mv->slot.state, mv->slot.busy,
				  mv->slot.al_memory ? hf_al_used(&mv->slot.al) : 0,
				  mv->server.state, mv->adopting, (unsigned long long)mv->seq,
				  (unsigned long long)mv->stable);
			for (k = 0; k < SIM_REQS; k++) {
				struct preq *req = &mv->reqs[k];

				if (req->used)
					sim_trace(sim, "  request %u kind %u block %u seq %llu granted %d started %d sent %x acked %x",
						  k, req->kind, req->block,
						  (unsigned long long)req->seq, req->granted,
						  req->started, req->sent_mask, req->acked_mask);
			}
			for (k = 0; k < 64; k++) {
				struct swrite *w = &mv->slot.writes[k];

				if (w->used)
					sim_trace(sim, "  slot write block %u link %llu submitted %d full %d waits %llu",
						  w->block, (unsigned long long)w->link,
						  w->submitted, w->full,
						  (unsigned long long)w->wait_record);
			}
			for (k = 0; k < HF_MAX_SLOTS; k++) {
				struct plink *l = &mv->links[k];

				if (l->link || l->lost || l->counted)
					sim_trace(sim, "  link of slot %u state %u lost %d new %d counted %d rebuild %u dirty %02x copying %u bits %d/%d flush %d unanswered %u",
						  k, l->state, l->lost, l->new_life, l->counted,
						  l->rebuild.state, l->rebuild.dirty,
						  l->rebuild.copying, l->rebuild.bits_sent,
						  l->rebuild.bits_acked, l->rebuild.flush_sent,
						  l->unanswered);
			}
		}
	}
}

/* -------------------------------------------------------------------- rest */

/* As many copies as are wanted, or as there are nodes for; nothing else is there. */
static bool redundant(const struct sim *sim, const struct fsm_volume *vol)
{
	unsigned int in_sync = (unsigned int)__builtin_popcount(vol->conf.in_sync_mask);
	unsigned int live = sim->nr_nodes - (sim->gone >= 0);
	int i;

	for (i = 0; i < HF_MAX_SLOTS; i++) {
		if (vol->conf.in_sync_mask & 1 << i && sim->gone >= 0 &&
		    vol->conf.slots[i].node == sim->nodes[sim->gone].id)
			return false;
	}
	if (live < vol->copies)
		return in_sync == live;
	return in_sync == vol->copies && !vol->place.node &&
	       vol->conf.in_sync_mask == hf_conf_used_mask(&vol->conf);
}

/* Nothing is left of slots that are gone, where somebody could have seen to it. */
static bool all_retired(const struct fsm_node *node)
{
	unsigned int i;

	for (i = 0; i < node->nr_backing; i++) {
		if (node->backing[i].retiring)
			return false;
	}
	return true;
}

static bool volume_settled(struct sim *sim, unsigned int v)
{
	const struct fsm_volume *vol = truth(sim, v);
	u32 node = fsm_volume_served_on(vol);
	struct mvol *mv;
	int slot;

	if (!node || node != vol->wanted_node || vol->failover_from || !redundant(sim, vol))
		return false;
	mv = &sim->nodes[sim_node_index(sim, node)].vols[v];
	if (!mv->serving || mv->conf.epoch != vol->conf.epoch ||
	    mv->instance != vol->conf.primary_instance)
		return false;
	for (slot = 0; slot < HF_MAX_SLOTS; slot++) {
		if (vol->conf.in_sync_mask & 1 << slot && slot != slot_nr(sim, mv) &&
		    (mv->links[slot].state != HOLDFAST_LINK_READY || mv->links[slot].lost))
			return false;
	}
	return true;
}

bool sim_settled(struct sim *sim)
{
	unsigned int i;

	for (i = 0; i < sim->nr_nodes; i++) {
		if (sim->nodes[i].paused_until > sim->now)
			return false;
	}
	for (i = 0; i < sim->truth->nr_nodes; i++) {
		if (sim->truth->nodes[i].failover_open)
			return false;
		if ((int)i != sim->gone && (sim->truth->nodes[i].status != FSM_NODE_NORMAL ||
					    !all_retired(&sim->truth->nodes[i])))
			return false;
	}
	for (i = 0; i < sim->nr_volumes; i++) {
		if (!volume_settled(sim, i))
			return false;
	}
	return true;
}

void sim_lose_node(struct sim *sim)
{
	sim->gone = (int)sim_below(sim, sim->nr_nodes);
	sim_trace(sim, "n%d goes for good", sim->gone);
	sim_cut_power(sim, sim->gone);
}

void sim_return_node(struct sim *sim)
{
	sim_trace(sim, "n%d returns after all", sim->gone);
	sim_power_on(sim, sim->gone);
	sim->gone = -1;
}

static void check_volume(struct sim *sim, unsigned int v)
{
	const struct fsm_volume *vol = truth(sim, v);
	struct check *c = &sim->checks[v];
	int first = -1, first_slot = 0, slot;
	u32 block;

	for (slot = 0; slot < HF_MAX_SLOTS; slot++) {
		int node;

		if (!(vol->conf.in_sync_mask & 1 << slot))
			continue;
		node = sim_node_index(sim, vol->conf.slots[slot].node);
		if (first < 0) {
			first = node;
			first_slot = slot;
		}
		for (block = 0; block < SIM_BLOCKS; block++) {
			u64 a = dev_read(&sim->nodes[first].dev[vol->backing[first_slot]], block);
			u64 b = dev_read(&sim->nodes[node].dev[vol->backing[slot]], block);
			unsigned int i;

			if (a != b) {
				sim_fail(sim, "S3: volume %u block %u is %llu on n%d, %llu on n%d",
					 v, block, (unsigned long long)a, first,
					 (unsigned long long)b, node);
				return;
			}
			for (i = 0; i < c->blocks[block].count; i++) {
				if (c->blocks[block].cands[i].current &&
				    c->blocks[block].cands[i].value == b)
					break;
			}
			if (i == c->blocks[block].count)
				sim_fail(sim, "S1: volume %u block %u holds %llu at the end", v,
					 block, (unsigned long long)b);
		}
	}
}

void sim_check_end(struct sim *sim)
{
	unsigned int v, i;

	/* S4: with the clients closed every request ends. */
	sim->operator_quiet = true;
	for (v = 0; v < sim->nr_volumes; v++)
		sim->wants_closed[v] = true;
	sim_run_until(sim, sim->now + 15 * SIM_S);
	if (sim->failure[0])
		return;
	for (v = 0; v < sim->nr_volumes; v++) {
		for (i = 0; i < sim->nr_nodes; i++) {
			if (sim->clients[v][i].outstanding)
				sim_fail(sim, "S4: %u requests of volume %u on n%u never end",
					 sim->clients[v][i].outstanding, v, i);
		}
		for (i = 0; i < CHECK_OPS; i++) {
			if (sim->checks[v].ops[i].used)
				sim_fail(sim, "S4: a request of volume %u was forgotten", v);
		}
		check_volume(sim, v);
	}
}
