// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One client a volume: opens the disk where it serves, writes values that are
 * never used twice, reads and flushes, and closes when a wish wants it.
 */
#include <stdio.h>
#include <string.h>

#include "sim.h"

static struct mvol *where(struct sim *sim, int volume)
{
	struct client *cl = &sim->clients[volume];

	return cl->node < 0 ? NULL : &sim->nodes[cl->node].vols[volume];
}

static void find_disk(struct sim *sim, int volume)
{
	struct client *cl = &sim->clients[volume];
	unsigned int i;

	for (i = 0; i < sim->nr_nodes; i++) {
		struct mvol *mv = &sim->nodes[i].vols[volume];

		if (!sim->nodes[i].up || !mv->serving || mv->releasing ||
		    mv->conf.primary_instance != mv->instance || cl->wants_closed)
			continue;
		/* A newer instance is taken; the old one may not know yet. */
		if (mv->instance == cl->instance || !sim_chance(sim, 50))
			continue;
		cl->node = (int)i;
		cl->instance = mv->instance;
		cl->outstanding = 0;
		cl->flushing = false;
		mv->openers = 1;
		sim_trace(sim, "client of v%d opens on n%u", volume, i);
		return;
	}
}

static void one_request(struct sim *sim, int volume, struct mvol *mv)
{
	struct client *cl = &sim->clients[volume];
	u32 block = (u32)sim_below(sim, sim_chance(sim, 50) ? 3 : SIM_BLOCKS);
	unsigned int dice = (unsigned int)sim_below(sim, 100);
	enum req_kind kind = dice < 55 ? REQ_WRITE : dice < 88 ? REQ_READ : REQ_FLUSH;
	u64 value = kind == REQ_WRITE ? ++cl->next_value : 0;
	int check;

	if (kind == REQ_FLUSH && cl->flushing)
		return;
	check = check_begin(sim, volume, kind, block, value, mv->instance);
	if (check < 0)
		return;
	if (!primary_submit(sim, mv, kind, block, value, sim_chance(sim, 10), check)) {
		check_done(sim, volume, check, false, 0, 0, 0);
		return;
	}
	cl->outstanding++;
	if (kind == REQ_FLUSH)
		cl->flushing = true;
}

static void client_tick(struct sim *sim, struct ev *ev)
{
	int volume = ev->volume;
	struct client *cl = &sim->clients[volume];
	struct mvol *mv = where(sim, volume);

	/* Bursts, and silence long enough for the logs to become empty. */
	sim_at(sim, sim_below(sim, 200) == 0 ? 3 * SIM_S : SIM_MS + sim_below(sim, 25 * SIM_MS),
	       -1, client_tick)->volume = volume;
	if (!mv) {
		find_disk(sim, volume);
		return;
	}
	if (sim->nodes[cl->node].paused_until > sim->now)
		return;
	if (mv->instance != cl->instance || mv->disk == HOLDFAST_DISK_DEAD) {
		cl->node = -1;
		return;
	}
	if (cl->wants_closed) {
		if (!cl->outstanding) {
			mv->openers = 0;
			cl->node = -1;
			cl->instance = 0;
			sim_trace(sim, "client of v%d closes", volume);
		}
		return;
	}
	if (mv->serving && cl->outstanding < 4)
		one_request(sim, volume, mv);
}

void client_start(struct sim *sim, int volume)
{
	sim_at(sim, SIM_MS, -1, client_tick)->volume = volume;
}

void client_done(struct sim *sim, int volume, u64 instance, enum req_kind kind)
{
	struct client *cl = &sim->clients[volume];

	if (cl->instance != instance)
		return;
	if (cl->outstanding)
		cl->outstanding--;
	if (kind == REQ_FLUSH)
		cl->flushing = false;
}

void client_dead(struct sim *sim, int volume, int node, u64 instance)
{
	struct client *cl = &sim->clients[volume];

	if (cl->node == node && cl->instance == instance) {
		sim_trace(sim, "client of v%d loses its disk on n%d", volume, node);
		cl->node = -1;
		cl->outstanding = 0;
		cl->flushing = false;
	}
	sim->nodes[node].vols[volume].openers = 0;
}
