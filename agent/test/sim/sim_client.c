// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Clients: on every node one for every volume, which opens the disk when it
 * serves there and goes on until it is dead, also when another node serves
 * already: a deposed primary has to be found out. Values are never used twice.
 */
#include <stdio.h>
#include <string.h>

#include "sim.h"

static void one_request(struct sim *sim, struct mvol *mv, struct client *cl)
{
	int volume = mv->volume;
	u32 block = (u32)sim_below(sim, sim_chance(sim, 50) ? 3 : SIM_BLOCKS);
	unsigned int dice = (unsigned int)sim_below(sim, 100);
	enum req_kind kind = dice < 55 ? REQ_WRITE : dice < 88 ? REQ_READ : REQ_FLUSH;
	u64 value = kind == REQ_WRITE ? ++sim->next_value[volume] : 0;
	int check;

	/* The checker follows one flush at a time. */
	if (kind == REQ_FLUSH && sim->flushing[volume])
		return;
	check = check_begin(sim, volume, kind, block, value, mv->instance);
	if (check < 0)
		return;
	if (!primary_submit(sim, mv, kind, block, value, sim_chance(sim, 10), check)) {
		check_done(sim, volume, check, false, 0, 0, 0);
		return;
	}
	cl->outstanding++;
	if (kind == REQ_FLUSH) {
		cl->flushing = true;
		sim->flushing[volume] = true;
	}
}

static void lose(struct sim *sim, int volume, struct client *cl)
{
	if (cl->flushing)
		sim->flushing[volume] = false;
	memset(cl, 0, sizeof(*cl));
}

static void client_tick(struct sim *sim, struct ev *ev)
{
	int volume = ev->volume, node = (int)ev->a[0];
	struct client *cl = &sim->clients[volume][node];
	struct mvol *mv = &sim->nodes[node].vols[volume];
	struct ev *next;

	/* Bursts, and silence long enough for the logs to become empty. */
	next = sim_at(sim, !cl->instance ? 100 * SIM_MS : sim_below(sim, 200) == 0 ||
		      (sim->profile->quiet_pct && sim_chance(sim, sim->profile->quiet_pct)) ?
		      3 * SIM_S :
		      SIM_MS + sim_below(sim, sim->profile->client_us), -1, client_tick);
	next->volume = volume;
	next->a[0] = (u64)node;
	if (!sim->nodes[node].up || sim->nodes[node].paused_until > sim->now)
		return;
	if (!cl->instance) {
		if (mv->serving && !mv->releasing && !sim->wants_closed[volume] &&
		    sim_chance(sim, 50)) {
			cl->instance = mv->instance;
			mv->openers = 1;
			sim_trace(sim, "client of v%d opens on n%d", volume, node);
		}
		return;
	}
	if (sim->wants_closed[volume]) {
		if (!cl->outstanding) {
			sim_trace(sim, "client of v%d closes on n%d", volume, node);
			mv->openers = 0;
			lose(sim, volume, cl);
		}
		return;
	}
	if (mv->serving && mv->instance == cl->instance && cl->outstanding < 4)
		one_request(sim, mv, cl);
}

void client_start(struct sim *sim, int volume, int node)
{
	struct ev *ev = sim_at(sim, SIM_MS, -1, client_tick);

	ev->volume = volume;
	ev->a[0] = (u64)node;
}

void client_done(struct sim *sim, int volume, int node, u64 instance, enum req_kind kind)
{
	struct client *cl = &sim->clients[volume][node];

	if (cl->instance != instance)
		return;
	if (cl->outstanding)
		cl->outstanding--;
	if (kind == REQ_FLUSH) {
		cl->flushing = false;
		sim->flushing[volume] = false;
	}
}

void client_dead(struct sim *sim, int volume, int node, u64 instance)
{
	struct client *cl = &sim->clients[volume][node];

	if (cl->instance == instance) {
		sim_trace(sim, "client of v%d loses its disk on n%d", volume, node);
		lose(sim, volume, cl);
	}
	sim->nodes[node].vols[volume].openers = 0;
}
