// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The simulation's engine: queue of events in virtual time, randomness from
 * one seed, clocks that drift, power, pauses, and the trace of the story.
 */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

u64 sim_random(struct sim *sim)
{
	u64 z = (sim->rng += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

u64 sim_below(struct sim *sim, u64 limit)
{
	return limit ? sim_random(sim) % limit : 0;
}

bool sim_chance(struct sim *sim, unsigned int percent)
{
	return sim_below(sim, 100) < percent;
}

u64 sim_id(struct sim *sim)
{
	return ++sim->next_id << 20 | (sim_random(sim) & 0xfffff);
}

bool sim_mutant(const struct sim *sim, enum mutant mutant)
{
	return sim->opt.mutant == mutant;
}

int sim_node_index(const struct sim *sim, u32 id)
{
	unsigned int i;

	for (i = 0; i < sim->nr_nodes; i++) {
		if (sim->nodes[i].id == id)
			return (int)i;
	}
	return -1;
}

/* ------------------------------------------------------------------- trace */

void sim_trace(struct sim *sim, const char *format, ...)
{
	char text[400];
	va_list args;
	int used;

	used = snprintf(text, sizeof(text), "%9.3f ", (double)sim->now / SIM_S);
	va_start(args, format);
	vsnprintf(text + used, sizeof(text) - (size_t)used, format, args);
	va_end(args);
	if (sim->opt.verbose)
		puts(text);
	free(sim->trace[sim->trace_next]);
	sim->trace[sim->trace_next] = strdup(text);
	sim->trace_next = (sim->trace_next + 1) % SIM_TRACE;
}

void sim_print_trace(const struct sim *sim)
{
	unsigned int i;

	for (i = 0; i < SIM_TRACE; i++) {
		const char *line = sim->trace[(sim->trace_next + i) % SIM_TRACE];

		if (line)
			puts(line);
	}
}

void sim_fail(struct sim *sim, const char *format, ...)
{
	va_list args;

	if (sim->failure[0])
		return;
	va_start(args, format);
	vsnprintf(sim->failure, sizeof(sim->failure), format, args);
	va_end(args);
	sim_trace(sim, "VIOLATION %s", sim->failure);
}

/* ------------------------------------------------------------------- queue */

static bool before(const struct ev *a, const struct ev *b)
{
	return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void push(struct sim *sim, struct ev *ev)
{
	unsigned int i = sim->nr_heap++;

	if (sim->nr_heap > sim->room_heap) {
		sim->room_heap = sim->room_heap ? 2 * sim->room_heap : 256;
		sim->heap = reallocarray(sim->heap, sim->room_heap, sizeof(*sim->heap));
		if (!sim->heap)
			abort();
	}
	ev->order = ++sim->order;
	while (i && before(ev, sim->heap[(i - 1) / 2])) {
		sim->heap[i] = sim->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	sim->heap[i] = ev;
}

static struct ev *pop(struct sim *sim)
{
	struct ev *first = sim->heap[0];
	struct ev *last = sim->heap[--sim->nr_heap];
	unsigned int i = 0, child;

	for (;;) {
		child = 2 * i + 1;
		if (child >= sim->nr_heap)
			break;
		if (child + 1 < sim->nr_heap && before(sim->heap[child + 1], sim->heap[child]))
			child++;
		if (!before(sim->heap[child], last))
			break;
		sim->heap[i] = sim->heap[child];
		i = child;
	}
	sim->heap[i] = last;
	return first;
}

struct ev *sim_at(struct sim *sim, u64 delay, int node, ev_fn fn)
{
	struct ev *ev = calloc(1, sizeof(*ev));

	if (!ev)
		abort();
	ev->at = sim->now + delay;
	ev->node = node;
	ev->boot = node >= 0 ? sim->nodes[node].boot : 0;
	ev->fn = fn;
	push(sim, ev);
	return ev;
}

static void release(struct ev *ev)
{
	free(ev->p);
	free(ev);
}

/* True: it is of a life that ended, and gone. */
static bool outdated(const struct sim *sim, const struct ev *ev)
{
	const struct snode *node;

	if (ev->node < 0)
		return false;
	node = &sim->nodes[ev->node];
	if (!node->up || node->boot != ev->boot)
		return true;
	return ev->agent && (!node->agent_up || node->agent != ev->agent);
}

void sim_run_until(struct sim *sim, u64 until)
{
	while (sim->nr_heap && !sim->failure[0]) {
		struct ev *ev;

		if (sim->heap[0]->at > until)
			break;
		ev = pop(sim);
		sim->now = ev->at;
		if (outdated(sim, ev)) {
			release(ev);
			continue;
		}
		/* A machine that stands still does everything when it goes on. */
		if (ev->node >= 0 && sim->nodes[ev->node].paused_until > sim->now) {
			ev->at = sim->nodes[ev->node].paused_until;
			push(sim, ev);
			continue;
		}
		sim->events_run++;
		ev->fn(sim, ev);
		release(ev);
	}
	if (!sim->failure[0])
		sim->now = until;
}

/* ------------------------------------------------------------------- nodes */

u64 sim_unix_ms(const struct sim *sim)
{
	return 1600000000000ull + sim->now / SIM_MS;
}

u64 sim_clock_ns(const struct sim *sim, int node)
{
	const struct snode *n = &sim->nodes[node];

	return n->offset_ns + (u64)((double)sim->now * 1000.0 * n->rate);
}

bool sim_reach(const struct sim *sim, int from, int to)
{
	return sim->nodes[from].up && sim->nodes[to].up && !sim->cut[from][to];
}

void sim_cut_power(struct sim *sim, int node)
{
	struct snode *n = &sim->nodes[node];
	unsigned int v;

	if (!n->up)
		return;
	sim_trace(sim, "n%d POWER CUT", node);
	check_power_cut(sim, node);
	for (v = 0; v < sim->nr_volumes; v++) {
		struct mvol *mv = &n->vols[v];
		unsigned int i;

		/* What was on its way to the device may have come there. */
		for (i = 0; i < 64; i++) {
			struct swrite *w = &mv->slot.writes[i];

			if (w->used && w->submitted && sim_chance(sim, 50))
				dev_write(sim, slot_dev(sim, mv), w->block, w->value, false);
		}
		if (mv->instance)
			client_dead(sim, (int)v, node, mv->instance);
		slot_stop(sim, mv);
	}
	for (v = 0; v < SIM_PAIRS; v++)
		dev_power_cut(sim, &n->dev[v]);
	if (n->agent_up)
		agent_stop(sim, node);
	n->up = false;
	n->boot++;
	n->paused_until = 0;
	for (v = 0; v < sim->nr_volumes; v++)
		memset(&n->vols[v], 0, sizeof(n->vols[v]));
}

static void mod_tick(struct sim *sim, struct ev *ev)
{
	struct snode *n = &sim->nodes[ev->node];
	unsigned int v;

	for (v = 0; v < sim->nr_volumes; v++) {
		struct mvol *mv = &n->vols[v];

		if (!mv->known)
			continue;
		slot_tick(sim, mv);
		replica_tick(sim, mv);
		primary_tick(sim, mv);
	}
	sim_at(sim, 50 * SIM_MS, ev->node, mod_tick);
}

void sim_power_on(struct sim *sim, int node)
{
	struct snode *n = &sim->nodes[node];
	unsigned int v;

	if (n->up)
		return;
	n->up = true;
	n->boot++;
	n->offset_ns = 1000000000ull + sim_below(sim, 1000000000ull);
	n->offset_ns -= (u64)((double)sim->now * 1000.0 * n->rate);
	for (v = 0; v < sim->nr_volumes; v++) {
		n->vols[v].node = node;
		n->vols[v].volume = (int)v;
	}
	sim_trace(sim, "n%d power on", node);
	mod_tick(sim, &(struct ev){ .node = node });
	agent_start(sim, node);
}

static void agent_again(struct sim *sim, struct ev *ev)
{
	if (!sim->nodes[ev->node].agent_up)
		agent_start(sim, ev->node);
}

void sim_kill_agent(struct sim *sim, int node, u64 for_us)
{
	if (!sim->nodes[node].up || !sim->nodes[node].agent_up)
		return;
	sim_trace(sim, "n%d agent killed", node);
	agent_stop(sim, node);
	sim_at(sim, for_us, node, agent_again);
}

void sim_pause(struct sim *sim, int node, u64 for_us)
{
	if (!sim->nodes[node].up)
		return;
	sim_trace(sim, "n%d PAUSED for %.1f s", node, (double)for_us / SIM_S);
	sim->nodes[node].paused_until = sim->now + for_us;
}

/* -------------------------------------------------------------------- life */

struct sim *sim_new(const struct sim_options *options)
{
	struct sim *sim = calloc(1, sizeof(*sim));

	if (!sim)
		abort();
	sim->opt = *options;
	sim->rng = options->seed * 0x2545f4914f6cdd1dull + 1;
	sim->now = SIM_S;
	sim->leader = -1;
	sim->gone = -1;
	sim->truth = fsm_new();
	sim->agent_scale_pct = 100;
	sim->profile = sim->opt.profile ? sim->opt.profile :
		       sim->opt.faults ? sim_profile_by_chance(sim) : sim_profile_named("mixed");
	check_init(sim);
	return sim;
}

void sim_free(struct sim *sim)
{
	unsigned int i, v;

	while (sim->nr_heap)
		release(sim->heap[--sim->nr_heap]);
	free(sim->heap);
	for (i = 0; i < sim->nr_nodes; i++) {
		struct snode *n = &sim->nodes[i];

		if (n->agent_up)
			agent_stop(sim, (int)i);
		free(n->snapshot);
		for (v = 0; v < sim->nr_volumes; v++)
			slot_stop(sim, &n->vols[v]);
	}
	for (i = 0; i < sim->nr_log; i++)
		free(sim->log[i].text);
	free(sim->log);
	free(sim->links);
	fsm_free(sim->truth);
	for (i = 0; i < SIM_TRACE; i++)
		free(sim->trace[i]);
	free(sim);
}
