// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The primary in a module: its instance from the preparation of its disk to the
 * release, its configurations, and who counts for what it completes (R2, R5).
 * Requests are sim_request.c's, the links to the other slots sim_remote.c's.
 */
#include "sim_primary.h"

#include <errno.h>
#include <string.h>

int primary_own_slot(struct sim *sim, const struct mvol *mv)
{
	return slot_nr(sim, mv);
}

bool primary_names(struct sim *sim, const struct mvol *mv)
{
	return mv->instance && mv->conf.primary_node == sim->nodes[mv->node].id &&
	       mv->conf.primary_instance == mv->instance;
}

u8 primary_set(const struct mvol *mv)
{
	u8 set = mv->conf.in_sync_mask;
	int i;

	for (i = 0; i < HF_MAX_SLOTS; i++) {
		if (mv->links[i].counted)
			set |= (u8)(1 << i);
	}
	return set;
}

u8 primary_completion_set(struct sim *sim, const struct mvol *mv)
{
	u8 own = (u8)(1 << primary_own_slot(sim, mv));
	u8 set = primary_set(mv);
	int i;

	if (sim_mutant(sim, MUTANT_EARLY_ACK))
		return own;
	for (i = 0; i < HF_MAX_SLOTS; i++) {
		if (sim_mutant(sim, MUTANT_NO_HOLD) && mv->links[i].lost)
			set &= (u8)~(1 << i);
		if (sim_mutant(sim, MUTANT_ONE_STEP) && !hf_conf_activated(&mv->conf) &&
		    mv->links[i].state != HOLDFAST_LINK_READY)
			set &= (u8)~(1 << i) | own;
	}
	return set;
}

static bool lease_holds(struct sim *sim, struct mvol *mv)
{
	u64 ends[HF_MAX_SLOTS] = { 0 };
	u8 remote = primary_completion_set(sim, mv) & (u8)~(1 << primary_own_slot(sim, mv));
	int i;

	if (sim_mutant(sim, MUTANT_NO_LEASE))
		return true;
	for (i = 0; i < HF_MAX_SLOTS; i++) {
		if (remote & 1 << i)
			ends[i] = hf_lease_end(&mv->links[i].lease,
					       hf_scaled_ns(HF_LEASE_MS, 100));
	}
	return hf_lease_holds(hf_lease_set_end(ends, remote), sim_clock_ns(sim, mv->node));
}

bool primary_may_complete(struct sim *sim, struct mvol *mv)
{
	return mv->serving && !mv->adopting && slot_up(mv) && lease_holds(sim, mv);
}

u32 primary_holding_ms(const struct sim *sim, const struct mvol *mv)
{
	return mv->holding_since_us ? (u32)((sim->now - mv->holding_since_us) / SIM_MS) + 1 : 0;
}

/* ------------------------------------------------------------------ states */

static void reset(struct sim *sim, struct mvol *mv)
{
	int i;

	mv->seq = 0;
	mv->stable = 0;
	mv->nr_pend = 0;
	mv->serving = false;
	mv->releasing = false;
	mv->own_flushed = false;
	mv->own_flush_busy = false;
	mv->holding_since_us = 0;
	hf_room_init(&mv->room, SIM_ROOM);
	hf_overlap_init(&mv->overlap);
	memset(mv->reqs, 0, sizeof(mv->reqs));
	memset(mv->links, 0, sizeof(mv->links));
	for (i = 0; i < HF_MAX_SLOTS; i++)
		mv->links[i].base_life = mv->conf.slots[i].cited_life;
	(void)sim;
}

/* R6: the requests end with errors, the instance never serves again. */
void primary_deposed(struct sim *sim, struct mvol *mv)
{
	unsigned int i;

	if (mv->disk == HOLDFAST_DISK_DEAD || mv->disk == HOLDFAST_DISK_NONE)
		return;
	mv->disk = HOLDFAST_DISK_DEAD;
	mv->serving = false;
	sim_trace(sim, "n%d v%d disk dead", mv->node, mv->volume);
	for (i = 0; i < SIM_REQS; i++) {
		struct preq *req = &mv->reqs[i];

		if (!req->used)
			continue;
		req->used = false;
		primary_tell_client(sim, mv, req, false);
	}
	client_dead(sim, mv->volume, mv->node, mv->instance);
	for (i = 0; i < HF_MAX_SLOTS; i++) {
		if (mv->links[i].link)
			primary_link_down(sim, mv, (u8)i, true);
	}
	reset(sim, mv);
}

static bool other_slot(const struct hf_conf_slot *a, const struct hf_conf_slot *b)
{
	return a->node != b->node || a->incarnation != b->incarnation;
}

/* Slots that are gone, or that another has taken the number of. True: some changed. */
static bool slots_changed(struct sim *sim, struct mvol *mv, const struct hf_conf_data *old)
{
	bool changed = false;
	u8 i;

	for (i = 0; i < HF_MAX_SLOTS; i++) {
		struct plink *link = &mv->links[i];

		if (!other_slot(&old->slots[i], &mv->conf.slots[i]))
			continue;
		changed = true;
		if (sim_mutant(sim, MUTANT_REMOVED_COUNTS) && !mv->conf.slots[i].node &&
		    link->counted)
			continue;
		link->counted = false;
		link->lost = false;
		primary_link_down(sim, mv, i, true);
		memset(link, 0, sizeof(*link));
	}
	return changed;
}

static void activated(struct sim *sim, struct mvol *mv, const struct hf_conf_data *old)
{
	u8 left = old->in_sync_mask & (u8)~mv->conf.in_sync_mask;
	u8 joined = mv->conf.in_sync_mask & (u8)~old->in_sync_mask;
	bool changed = slots_changed(sim, mv, old);
	u8 i;

	for (i = 0; i < HF_MAX_SLOTS; i++) {
		struct plink *link = &mv->links[i];
		bool shrank = left, same = !left && !joined && !changed;

		if (left & 1 << i) {
			link->lost = false;
			link->new_life = false;
			link->counted = false;
			primary_link_down(sim, mv, i, true);
			link->lost = false;
		} else if (joined & 1 << i) {
			link->base_life = link->counted ? link->counted_life : link->life;
			link->counted = false;
			link->admissible = false;
			link->rebuild.state = HOLDFAST_REBUILD_NONE;
			link->lost = link->state != HOLDFAST_LINK_READY ||
				     link->life != link->base_life;
		} else if (link->counted && (link->lost || same)) {
			link->counted = false;
			link->lost = false;
			primary_link_down(sim, mv, i, true);
		} else if (link->counted && shrank) {
			/* R9: the marks for the slot that left must go there first. */
			link->admissible = false;
			link->rebuild.state = HOLDFAST_REBUILD_COPYING;
			link->rebuild.bits_sent = 0;
			link->rebuild.bits_acked = 0;
			link->rebuild.flush_sent = false;
		}
	}
}

void primary_conf_adopted(struct sim *sim, struct mvol *mv, const struct hf_conf_data *old)
{
	struct lmsg msg = { .op = MSG_CONF };
	int own = primary_own_slot(sim, mv);
	u8 i;

	if (!primary_names(sim, mv) || own < 0 || mv->disk == HOLDFAST_DISK_DEAD)
		return;
	if (!hf_conf_activated(&mv->conf)) {
		if (!slot_up(mv) || (mv->slot.life != mv->conf.slots[own].cited_life &&
				     !sim_mutant(sim, MUTANT_NO_LIFE)))
			return;
		reset(sim, mv);
		mv->disk = HOLDFAST_DISK_NAMED;
		mv->slot.ready_term = mv->conf.term;
		mv->serving = sim_mutant(sim, MUTANT_ONE_STEP);
		return;
	}
	if (mv->disk == HOLDFAST_DISK_NAMED) {
		mv->disk = HOLDFAST_DISK_ACTIVE;
		for (i = 0; i < HF_MAX_SLOTS; i++)
			mv->links[i].lost = mv->conf.in_sync_mask & 1 << i && i != own &&
					    mv->links[i].state != HOLDFAST_LINK_READY;
		sim_trace(sim, "n%d v%d disk active, set %x", mv->node, mv->volume,
			  mv->conf.in_sync_mask);
	}
	activated(sim, mv, old);
	msg.conf = mv->conf;
	for (i = 0; i < HF_MAX_SLOTS; i++) {
		if (mv->links[i].state == HOLDFAST_LINK_READY)
			primary_tell(sim, mv, &mv->links[i], &msg);
	}
	for (i = 0; i < HF_MAX_SLOTS; i++)
		rebuild_continue(sim, mv, i);
	for (i = 0; i < SIM_REQS; i++) {
		if (mv->reqs[i].used && mv->reqs[i].granted && mv->reqs[i].kind == REQ_FLUSH)
			primary_start(sim, mv, &mv->reqs[i]);
	}
	primary_progress(sim, mv);
}

int primary_prepare(struct sim *sim, struct mvol *mv)
{
	if (!slot_up(mv))
		return -ENODEV;
	if (mv->disk != HOLDFAST_DISK_NONE && mv->disk != HOLDFAST_DISK_DEAD)
		return 0;
	mv->instance = sim_id(sim);
	mv->disk = HOLDFAST_DISK_PREPARED;
	mv->openers = 0;
	reset(sim, mv);
	return 0;
}

int primary_release(struct sim *sim, struct mvol *mv, u64 instance, bool force)
{
	unsigned int i;

	if (mv->instance != instance || mv->disk != HOLDFAST_DISK_ACTIVE || mv->releasing)
		return -EINVAL;
	if (mv->openers && !force)
		return -EBUSY;
	if (mv->openers) {
		client_dead(sim, mv->volume, mv->node, mv->instance);
		mv->openers = 0;
	}
	for (i = 0; i < SIM_REQS; i++) {
		if (mv->reqs[i].used)
			return -EAGAIN;		/* drains; tried again */
	}
	mv->releasing = true;
	if (!primary_submit(sim, mv, REQ_FLUSH, 0, 0, false, -1)) {
		mv->releasing = false;
		return -EAGAIN;
	}
	return 0;
}

int primary_delete(struct sim *sim, struct mvol *mv, u64 instance, bool force)
{
	if (mv->instance != instance)
		return -ENOENT;
	if (mv->openers && !force)
		return -EBUSY;
	primary_deposed(sim, mv);
	mv->disk = HOLDFAST_DISK_NONE;
	mv->instance = 0;
	mv->openers = 0;
	return 0;
}

/* ------------------------------------------------------------------- timer */

static bool reconciles(const struct mvol *mv)
{
	int i;

	for (i = 0; i < HF_MAX_SLOTS; i++) {
		if (mv->links[i].reconcile_copy)
			return true;
	}
	return false;
}

/*
 * After the activation: R5 for the own slot, R1 for its backing I/O, R7's flush,
 * and no copy of R7 may come after a new write.
 */
static void try_serve(struct sim *sim, struct mvol *mv)
{
	if (mv->disk != HOLDFAST_DISK_ACTIVE || mv->serving || mv->adopting || !slot_up(mv))
		return;
	if (!hf_conf_activated(&mv->conf) || slot_promise_ns(sim, mv) || reconciles(mv))
		return;
	if (!mv->own_flushed && !sim_mutant(sim, MUTANT_NO_R7_FLUSH)) {
		if (!mv->slot.busy && !mv->own_flush_busy) {
			mv->own_flush_busy = true;
			slot_flush(sim, mv, 0, COOKIE(COOKIE_OWN_FLUSH,
						      mv->instance & 0xffffffffffff));
		}
		return;
	}
	mv->serving = true;
	sim_trace(sim, "n%d v%d SERVES, term %llu", mv->node, mv->volume,
		  (unsigned long long)mv->conf.term);
}

void primary_tick(struct sim *sim, struct mvol *mv)
{
	bool holding = false;
	u8 i;

	if (!primary_names(sim, mv) || (mv->disk != HOLDFAST_DISK_NAMED &&
				mv->disk != HOLDFAST_DISK_ACTIVE))
		return;
	for (i = 0; i < HF_MAX_SLOTS; i++) {
		struct plink *link = &mv->links[i];
		u64 limit = link->state == HOLDFAST_LINK_READY ? HF_LINK_TIMEOUT_MS :
			    HF_HANDSHAKE_MS;

		if (link->link && sim->now - link->last_rx_us > limit * SIM_MS) {
			sim_trace(sim, "n%d v%d slot %u silent", mv->node, mv->volume, i);
			primary_link_down(sim, mv, i, true);
		}
		primary_beacon(sim, mv, link);
		rebuild_continue(sim, mv, i);
		holding |= link->lost;
	}
	if (!holding || mv->disk != HOLDFAST_DISK_ACTIVE)
		mv->holding_since_us = 0;
	else if (!mv->holding_since_us)
		mv->holding_since_us = sim->now;
	reconcile_continue(sim, mv);
	try_serve(sim, mv);
	primary_progress(sim, mv);
}
