// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Links between modules: two channels, each in order, each way; a direction
 * that is cut delays everything until it heals, as TCP does, or until an end
 * gives up.
 */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

u64 link_new(struct sim *sim, int volume, int primary, int slot)
{
	struct slink *link;

	if (sim->nr_links == sim->room_links) {
		sim->room_links = sim->room_links ? 2 * sim->room_links : 32;
		sim->links = reallocarray(sim->links, sim->room_links, sizeof(*sim->links));
		if (!sim->links)
			abort();
	}
	link = &sim->links[sim->nr_links++];
	memset(link, 0, sizeof(*link));
	link->volume = volume;
	link->primary = primary;
	link->slot = slot;
	return sim->nr_links;
}

static void arrive(struct sim *sim, struct ev *ev)
{
	struct lmsg *msg = ev->p;
	struct slink *link = &sim->links[msg->link - 1];
	int from = (int)ev->a[0], to = ev->node;
	struct mvol *mv = &sim->nodes[to].vols[link->volume];

	if (sim->cut[from][to]) {
		struct ev *again = sim_at(sim, 50 * SIM_MS, to, arrive);
		u64 *last = &link->last_at[ev->a[1]][ev->a[2]];

		if (*last < again->at)
			*last = again->at;
		again->p = msg;
		memcpy(again->a, ev->a, sizeof(again->a));
		ev->p = NULL;
		return;
	}
	if (!mv->known)
		return;
	if (to == link->slot)
		replica_message(sim, mv, msg);
	else
		primary_message(sim, mv, msg);
}

void link_send(struct sim *sim, u64 id, int from, const struct lmsg *msg)
{
	struct slink *link = &sim->links[id - 1];
	int to = from == link->primary ? link->slot : link->primary;
	unsigned int way = from == link->primary;
	unsigned int data = msg->op >= MSG_WRITE;
	u64 at = sim->now + 100 + sim_below(sim, 2 * SIM_MS) + sim->slow_ms * SIM_MS;
	u64 *last = &link->last_at[way][data];
	struct lmsg *copy;
	struct ev *ev;

	/* Bulk data is slower at times. */
	if (data && sim_chance(sim, 2))
		at += sim_below(sim, 300 * SIM_MS);
	if (at <= *last)
		at = *last + 1;
	*last = at;
	if (!sim->nodes[to].up)
		return;
	copy = malloc(sizeof(*copy));
	if (!copy)
		abort();
	*copy = *msg;
	copy->link = id;
	ev = sim_at(sim, at - sim->now, to, arrive);
	ev->p = copy;
	ev->a[0] = (u64)from;
	ev->a[1] = way;
	ev->a[2] = data;
}
