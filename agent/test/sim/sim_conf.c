// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Adoption of configurations by a module (R1): compared by conf_core.c, in
 * effect for new writes at once, durable a moment later, and only then
 * answered, acted upon, and sent on.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

struct adoption {
	struct hf_conf_data	old;
	u32			bits[HF_MAX_SLOTS];
	u64			gen;
	u64			token;
};

static void durable(struct sim *sim, struct ev *ev)
{
	struct mvol *mv = &sim->nodes[ev->node].vols[ev->volume];
	struct adoption *a = ev->p;

	if (!mv->known || a->token != mv->adopt_token)
		return;
	mv->adopting = false;
	mv->shown = mv->conf;
	if (slot_up(mv) && mv->slot.life == ev->a[0]) {
		struct sdev *dev = slot_dev(sim, mv);

		dev->conf = mv->conf;
		memcpy(dev->bits, a->bits, sizeof(dev->bits));
		hf_al_bits_done(&mv->slot.al, a->gen);
		slot_adopted(sim, mv, &a->old);
	}
	/* A slot that was removed serves no link. */
	if (slot_nr(sim, mv) < 0)
		replica_close(sim, mv, true);
	replica_conf_adopted(sim, mv);
	primary_conf_adopted(sim, mv, &a->old);
	if (mv->has_offer) {
		struct hf_conf_data offered = mv->offered;

		mv->has_offer = false;
		vol_adopt(sim, mv, &offered, true);
	}
}

/* R1: a higher term ends what a lower one began. */
static void new_term(struct sim *sim, struct mvol *mv)
{
	int i;

	replica_close(sim, mv, true);
	slot_drop_received(sim, mv, UINT64_MAX);
	for (i = 0; i < HF_MAX_SLOTS; i++) {
		if (mv->links[i].link)
			primary_link_down(sim, mv, (u8)i, true);
	}
}

static bool names(const struct sim *sim, const struct mvol *mv)
{
	return mv->conf.primary_node == sim->nodes[mv->node].id &&
	       mv->conf.primary_instance == mv->instance;
}

static int first(struct sim *sim, struct mvol *mv, const struct hf_conf_data *conf)
{
	mv->known = true;
	mv->conf = *conf;
	mv->shown = *conf;
	mv->disk = HOLDFAST_DISK_NONE;
	hf_promises_init(&mv->promises, false, sim_clock_ns(sim, mv->node), 0);
	return 0;
}

int vol_adopt(struct sim *sim, struct mvol *mv, const struct hf_conf_data *conf, bool from_link)
{
	struct adoption *a;
	const char *why;
	struct ev *ev;

	if (!mv->known)
		return from_link ? -ENOENT : first(sim, mv, conf);
	if (mv->adopting) {
		if (from_link && conf->epoch > mv->conf.epoch) {
			mv->offered = *conf;
			mv->has_offer = true;
		}
		return -EBUSY;
	}
	switch (hf_conf_compare(&mv->conf, conf, from_link, &why)) {
	case HF_CONF_SAME:
		return 0;
	case HF_CONF_STALE:
		return -ESTALE;
	case HF_CONF_CONFLICT:
		sim_trace(sim, "n%d v%d conf refused: %s", mv->node, mv->volume, why);
		return -EINVAL;
	case HF_CONF_NEWER:
		break;
	}
	if (conf->term > mv->conf.term)
		new_term(sim, mv);
	ev = sim_at(sim, 200 + sim_below(sim, 5 * SIM_MS), mv->node, durable);
	a = ev->p = calloc(1, sizeof(*a));
	a->old = mv->conf;
	a->token = ++mv->adopt_token;
	mv->conf = *conf;
	mv->adopting = true;
	ev->volume = mv->volume;
	ev->a[0] = mv->slot.life;
	if (mv->disk > HOLDFAST_DISK_PREPARED && conf->term > a->old.term && !names(sim, mv))
		primary_deposed(sim, mv);
	slot_adopting(sim, mv, &a->old);
	if (slot_up(mv)) {
		memcpy(a->bits, mv->slot.bits, sizeof(a->bits));
		a->gen = hf_al_bits_issue(&mv->slot.al);
	}
	sim_trace(sim, "n%d v%d adopts term %llu epoch %llu primary %d%s set %x%s", mv->node,
		  mv->volume, (unsigned long long)conf->term, (unsigned long long)conf->epoch,
		  sim_node_index(sim, conf->primary_node),
		  hf_conf_activated(conf) ? " active" : "", conf->in_sync_mask,
		  from_link ? " by link" : "");
	return 0;
}
