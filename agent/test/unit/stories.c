// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Directed stories in the simulated cluster: one thing goes wrong, and the
 * event log must tell what the operators read, in its order, while the checker
 * watches every request. Each story is told with many seeds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../sim/sim.h"

enum { SEEDS = 12 };

static struct sim *begin(u64 seed, u8 copies)
{
	struct sim_options opt = { .seed = seed, .copies = copies };
	struct sim *sim = sim_new(&opt);

	sim_start_history(sim, 3, 1);
	sim_run_until(sim, 6 * SIM_S);
	return sim;
}

static const struct fsm_volume *volume(struct sim *sim)
{
	return fsm_volume_by_uuid(sim->truth, sim->uuid[0]);
}

/* Index of the node that serves, and of the other that holds an in-sync copy. */
static int serving(struct sim *sim)
{
	return sim_node_index(sim, fsm_volume_served_on(volume(sim)));
}

static int other(struct sim *sim)
{
	const struct hf_conf_data *conf = &volume(sim)->conf;
	int i;

	for (i = 0; i < HF_MAX_SLOTS; i++) {
		if (conf->in_sync_mask & 1 << i && conf->slots[i].node != conf->primary_node)
			return sim_node_index(sim, conf->slots[i].node);
	}
	return -1;
}

static void fail_with_trace(struct sim *sim, const char *what)
{
	sim_print_trace(sim);
	fail_msg("seed %llu: %s", (unsigned long long)sim->opt.seed, what);
}

static void well(struct sim *sim)
{
	if (sim->failure[0])
		fail_with_trace(sim, sim->failure);
}

/* The events since @from, in order, each as [domain] text:code; others may lie between. */
static void tell(struct sim *sim, unsigned int from, const char *const *lines)
{
	for (; *lines; lines++) {
		char text[512] = "";

		for (; from < sim->truth->event_count; from++) {
			const struct fsm_event *event = fsm_event_at(sim->truth, from);

			snprintf(text, sizeof(text), "[%s] %s:%u", event->domain, event->text,
				 event->code);
			if (!strcmp(text, *lines))
				break;
		}
		if (from++ >= sim->truth->event_count)
			fail_with_trace(sim, *lines);
	}
}

/* Until all is well again; the time it took in ms. */
static u64 settle(struct sim *sim, u64 limit_us)
{
	u64 from = sim->now;

	while (!sim->failure[0] && !sim_settled(sim)) {
		sim_run_until(sim, sim->now + 50 * SIM_MS);
		if (sim->now - from > limit_us) {
			sim_dump(sim);
			fail_with_trace(sim, "not at rest in time");
		}
	}
	well(sim);
	return (sim->now - from) / SIM_MS;
}

static void end(struct sim *sim)
{
	sim_check_end(sim);
	well(sim);
	sim_free(sim);
}

static void until_served_on(struct sim *sim, int node, u64 limit_us)
{
	u64 from = sim->now;

	while (!sim->failure[0] && !(serving(sim) == node &&
				     sim->nodes[node].vols[0].serving)) {
		sim_run_until(sim, sim->now + 20 * SIM_MS);
		if (sim->now - from > limit_us) {
			sim_dump(sim);
			fail_with_trace(sim, "not served again in time");
		}
	}
	well(sim);
}

/* The power of the serving node is cut under load. */
static void story_power_cut(void **state)
{
	u64 seed, slowest = 0;

	(void)state;
	for (seed = 1; seed <= SEEDS; seed++) {
		struct sim *sim = begin(seed, 2);
		unsigned int from = sim->truth->event_count;
		int old = serving(sim), new = other(sim);
		char created[80], removed[80], cordoned[80], leaves[80], done[120];
		char back[80], rebuilding[80];
		const char *const lines[] = { cordoned, leaves, created, removed, done, back,
			rebuilding, "[VD] volume web0 (vd1) rebuild completed, ret:0:1020", NULL };
		u32 old_id = sim->nodes[old].id, new_id = sim->nodes[new].id;
		u64 cut_at = sim->now;

		snprintf(cordoned, 80, "[DFS] ID %08x node is cordoned:2010", old_id);
		snprintf(leaves, 80, "[DFS] ID %08x node will exit:1002", old_id);
		snprintf(created, 80, "[DFS] volume web0 (vd1) created on node %08x:1009", new_id);
		snprintf(removed, 80, "[DFS] volume web0 (vd1) removed on node %08x:1011", old_id);
		snprintf(done, 120, "[DFS] node (%08x) failover completed. hostname=v%d, ip address=10.0.0.%d :1019",
			 old_id, new + 1, new + 1);
		snprintf(back, 80, "[DFS] ID %08x node is back:1005", old_id);
		snprintf(rebuilding, 80, "[VD] volume web0 (vd1) rebuilding on node %08x:1003", old_id);
		sim_cut_power(sim, old);
		until_served_on(sim, new, 5 * SIM_S);
		if (sim->now - cut_at > slowest)
			slowest = sim->now - cut_at;
		sim_run_until(sim, sim->now + 5 * SIM_S);
		sim_power_on(sim, old);
		settle(sim, 20 * SIM_S);
		tell(sim, from, lines);
		assert_int_equal(volume(sim)->conf.vdisk, 1);
		end(sim);
	}
	printf("# served again at most %.1f s after the cut\n", (double)slowest / SIM_S);
}

/* A secondary is cut: nobody moves, I/O is held and goes on. */
static void story_secondary_cut(void **state)
{
	u64 seed;

	(void)state;
	for (seed = 1; seed <= SEEDS; seed++) {
		struct sim *sim = begin(seed, 2);
		unsigned int from = sim->truth->event_count;
		int node = other(sim), primary = serving(sim);
		u64 term = volume(sim)->conf.term, acked;
		char dropped[80], rebuilding[80];
		const char *const lines[] = { dropped, rebuilding,
			"[VD] volume web0 (vd1) rebuild completed, ret:0:1020", NULL };

		snprintf(dropped, 80, "[VD] volume web0 (vd1) copy on node %08x dropped:1012",
			 sim->nodes[node].id);
		snprintf(rebuilding, 80, "[VD] volume web0 (vd1) rebuilding on node %08x:1003",
			 sim->nodes[node].id);
		sim_cut_power(sim, node);
		sim_run_until(sim, sim->now + 5 * SIM_S);
		acked = sim->checks[0].acked;
		sim_run_until(sim, sim->now + 4 * SIM_S);
		assert_true(sim->checks[0].acked > acked);
		sim_power_on(sim, node);
		settle(sim, 20 * SIM_S);
		tell(sim, from, lines);
		assert_int_equal(volume(sim)->conf.term, term);
		assert_int_equal(serving(sim), primary);
		end(sim);
	}
}

/* All nodes at once: whoever comes first waits for the other if it may have lost something. */
static void story_all_cut(void **state)
{
	u64 seed;

	(void)state;
	for (seed = 1; seed <= 2 * SEEDS; seed++) {
		struct sim *sim = begin(seed, 2);
		int first = serving(sim), second = other(sim), i;

		for (i = 0; i < 3; i++)
			sim_cut_power(sim, i);
		sim_run_until(sim, sim->now + 3 * SIM_S);
		sim_power_on(sim, 3 - first - second);
		sim_power_on(sim, seed % 2 ? first : second);
		sim_run_until(sim, sim->now + 8 * SIM_S);
		sim_power_on(sim, seed % 2 ? second : first);
		settle(sim, 40 * SIM_S);
		end(sim);
	}
}

/* The serving machine stands still through a failover, then goes on. */
static void story_paused(void **state)
{
	u64 seed;

	(void)state;
	for (seed = 1; seed <= SEEDS; seed++) {
		struct sim *sim = begin(seed, 2);
		int old = serving(sim), new = other(sim);

		sim_pause(sim, old, 12 * SIM_S);
		until_served_on(sim, new, 6 * SIM_S);
		sim_run_until(sim, sim->now + 12 * SIM_S);
		settle(sim, 20 * SIM_S);
		assert_int_equal(serving(sim), new);
		end(sim);
	}
}

/* An agent that is dead is no dead node; and its primary is still helped (R3). */
static void story_agent_killed(void **state)
{
	u64 seed;

	(void)state;
	for (seed = 1; seed <= SEEDS; seed++) {
		struct sim *sim = begin(seed, 3);
		unsigned int from = sim->truth->event_count, i;
		int primary = serving(sim), node = other(sim);
		char dropped[80];
		const char *const lines[] = { dropped, NULL };
		u64 acked;

		snprintf(dropped, 80, "[VD] volume web0 (vd1) copy on node %08x dropped:1012",
			 sim->nodes[node].id);
		sim_kill_agent(sim, primary, 30 * SIM_S);
		sim_run_until(sim, sim->now + 6 * SIM_S);
		acked = sim->checks[0].acked;
		/* Two of three agents are needed: the cut node's module dies, its agent stays out. */
		sim->cut[node][primary] = true;
		sim->cut[primary][node] = true;
		sim_run_until(sim, sim->now + 8 * SIM_S);
		assert_true(sim->checks[0].acked > acked);
		tell(sim, from, lines);
		for (i = from; i < sim->truth->event_count; i++)
			assert_int_not_equal(fsm_event_at(sim->truth, i)->code, 2010);
		assert_int_equal(serving(sim), primary);
		sim_heal(sim);
		settle(sim, 30 * SIM_S);
		end(sim);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(story_power_cut),
		cmocka_unit_test(story_secondary_cut),
		cmocka_unit_test(story_all_cut),
		cmocka_unit_test(story_paused),
		cmocka_unit_test(story_agent_killed),
	};

	return cmocka_run_group_tests_name("stories", tests, NULL, NULL);
}
