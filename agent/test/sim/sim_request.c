// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests at the primary: ordered, sent to every slot that counts, completed
 * when R2, R3, R5 and R8 let it; and what is stable by that (R3b).
 */
#include "sim_primary.h"

#include <string.h>

/* ---------------------------------------------------------------- requests */

static void free_request(struct mvol *mv, struct preq *req)
{
	(void)mv;
	req->used = false;
}

/* Ranges that were granted, and reads that may go on, when another range ended. */
void primary_after_overlap(struct sim *sim, struct mvol *mv, struct list_head *granted,
			   struct list_head *ready)
{
	struct hf_range *range, *next;

	list_for_each_entry_safe(range, next, ready, entry) {
		struct preq *req = container_of(range, struct preq, range);

		list_del_init(&range->entry);
		req->read_ready = true;
	}
	list_for_each_entry_safe(range, next, granted, entry) {
		int i;

		list_del_init(&range->entry);
		for (i = 0; i < HF_MAX_SLOTS; i++) {
			if (range == &mv->links[i].rebuild.range)
				break;
		}
		if (i < HF_MAX_SLOTS) {
			rebuild_granted(sim, mv, range);
		} else {
			struct preq *req = container_of(range, struct preq, range);

			req->granted = true;
			if (req->used)
				primary_start(sim, mv, req);
		}
	}
}

void primary_continue(struct sim *sim, struct mvol *mv)
{
	bool again = true;

	while (again) {
		struct preq *first = NULL;
		unsigned int i;

		again = false;
		/* Those that wait for room, in order of arrival. */
		for (i = 0; i < SIM_REQS; i++) {
			struct preq *req = &mv->reqs[i];

			if (req->used && req->kind == REQ_WRITE && req->granted && !req->started &&
			    (!first || req->arrived_us < first->arrived_us))
				first = req;
		}
		if (first) {
			primary_start(sim, mv, first);
			again = first->started;
		}
	}
}

void primary_send_request(struct sim *sim, struct mvol *mv, struct preq *req, int slot)
{
	struct lmsg msg = {
		.op = req->kind == REQ_WRITE ? MSG_WRITE : MSG_FLUSH,
		.block = req->block, .value = req->value, .seq = req->seq, .fua = req->fua,
		.cookie = req->kind == REQ_WRITE ? COOKIE(COOKIE_WRITE, req->seq) :
			  COOKIE(COOKIE_FLUSH, req->value),
	};
	struct plink *link = &mv->links[slot];

	req->sent_mask |= (u8)(1 << slot);
	link->unanswered++;
	primary_tell(sim, mv, link, &msg);
}

static bool mirrored(const struct mvol *mv, int slot)
{
	const struct plink *link = &mv->links[slot];

	if (link->state != HOLDFAST_LINK_READY)
		return false;
	return mv->conf.in_sync_mask & 1 << slot ? !link->new_life :
	       link->rebuild.state == HOLDFAST_REBUILD_COPYING ||
	       link->rebuild.state == HOLDFAST_REBUILD_FINISHING ||
	       link->rebuild.state == HOLDFAST_REBUILD_ADMISSIBLE;
}

void primary_start(struct sim *sim, struct mvol *mv, struct preq *req)
{
	int own = primary_own_slot(sim, mv);
	int i;

	if (req->started)
		return;
	if (req->kind == REQ_WRITE) {
		if (mv->adopting || mv->nr_pend > 50 ||
		    !hf_room_try_take(&mv->room, req->block / 2, req->block / 2))
			return;
		req->seq = ++mv->seq;
	} else if (mv->adopting) {
		return;
	}
	req->started = true;
	req->sent_mask = (u8)(1 << own);
	for (i = 0; i < HF_MAX_SLOTS; i++) {
		if (i != own && mirrored(mv, i))
			primary_send_request(sim, mv, req, i);
	}
	if (req->kind == REQ_WRITE) {
		struct lmsg msg = {
			.block = req->block, .value = req->value, .seq = req->seq,
			.fua = req->fua, .term = mv->conf.term,
			.missing = hf_conf_missing_mask(&mv->conf),
			.cookie = COOKIE(COOKIE_WRITE, req->seq),
		};

		slot_write(sim, mv, &msg, false);
	} else {
		slot_flush(sim, mv, 0, COOKIE(COOKIE_FLUSH, req->value));
	}
}

static void read_arrived(struct sim *sim, struct ev *ev)
{
	struct mvol *mv = &sim->nodes[ev->node].vols[ev->volume];
	struct preq *req = &mv->reqs[ev->a[0]];

	if (!req->used || req->kind != REQ_READ || mv->instance != ev->a[1] ||
	    (u64)req->check != ev->a[2])
		return;
	req->value = dev_read(slot_dev(sim, mv), req->block);
	req->started = true;
	if (sim_mutant(sim, MUTANT_READ_OVERLAP)) {
		hf_overlap_read_cancel(&mv->overlap, &req->range);
		req->range.again = false;
		req->read_ready = true;
	} else {
		req->read_ready = hf_overlap_read_arrived(&mv->overlap, &req->range);
	}
	primary_tick(sim, mv);
}

static void begin_read(struct sim *sim, struct mvol *mv, struct preq *req)
{
	struct ev *ev;

	req->started = false;
	req->read_ready = false;
	hf_overlap_read_begin(&mv->overlap, &req->range, req->block * 4096ull, 4096);
	ev = sim_at(sim, 100 + sim_below(sim, 4 * SIM_MS), mv->node, read_arrived);
	ev->volume = mv->volume;
	ev->a[0] = (u64)(req - mv->reqs);
	ev->a[1] = mv->instance;
	ev->a[2] = (u64)req->check;
}

bool primary_submit(struct sim *sim, struct mvol *mv, enum req_kind kind, u32 block, u64 value,
		    bool fua, int check)
{
	struct preq *req = NULL;
	unsigned int i;

	if (!mv->serving)
		return false;
	for (i = 0; i < SIM_REQS && !req; i++) {
		if (!mv->reqs[i].used)
			req = &mv->reqs[i];
	}
	if (!req)
		return false;
	memset(req, 0, sizeof(*req));
	INIT_LIST_HEAD(&req->range.entry);
	req->used = true;
	req->kind = kind;
	req->block = block;
	req->value = kind == REQ_FLUSH ? sim_id(sim) & 0xffffffffffff : value;
	req->fua = fua;
	req->check = check;
	req->arrived_us = sim->now;
	if (kind == REQ_READ) {
		begin_read(sim, mv, req);
	} else if (kind == REQ_FLUSH) {
		req->granted = true;
		primary_start(sim, mv, req);
	} else {
		req->granted = hf_overlap_begin(&mv->overlap, &req->range, HF_RANGE_WRITE,
						block * 4096ull, 4096);
		if (req->granted)
			primary_start(sim, mv, req);
	}
	return true;
}

/* -------------------------------------------------------------- completion */

void primary_tell_client(struct sim *sim, struct mvol *mv, const struct preq *req, bool ok)
{
	if (req->check < 0)
		return;
	check_done(sim, mv->volume, req->check, ok, req->value, mv->conf.term, req->arrived_us);
	client_done(sim, mv->volume, mv->node, mv->instance, req->kind);
}

/* Every slot that it was sent to has answered, or is out of reach and out of the set. */
static bool answered(struct sim *sim, struct mvol *mv, const struct preq *req)
{
	u8 open = req->sent_mask & (u8)~req->acked_mask;
	int i;

	if (sim_mutant(sim, MUTANT_EARLY_ACK) || sim_mutant(sim, MUTANT_NO_HOLD))
		return true;
	for (i = 0; i < HF_MAX_SLOTS; i++) {
		if (open & 1 << i && i != primary_own_slot(sim, mv) &&
		    mv->links[i].state != HOLDFAST_LINK_READY)
			open &= (u8)~(1 << i);
	}
	return !open;
}

static void complete_write(struct sim *sim, struct mvol *mv, struct preq *req)
{
	LIST_HEAD(granted);
	LIST_HEAD(ready);

	primary_tell_client(sim, mv, req, true);
	mv->pend[mv->nr_pend].seq = req->seq;
	mv->pend[mv->nr_pend++].extent = req->block / 2;
	hf_overlap_complete(&mv->overlap, &req->range, &ready);
	hf_overlap_end(&mv->overlap, &req->range, &granted, &ready);
	free_request(mv, req);
	primary_after_overlap(sim, mv, &granted, &ready);
}

static void flush_through(struct sim *sim, struct mvol *mv, struct preq *req)
{
	int check = req->check;

	primary_tell_client(sim, mv, req, true);
	free_request(mv, req);
	if (check < 0 && mv->releasing) {
		int i;

		mv->disk = HOLDFAST_DISK_RELEASED;
		mv->serving = false;
		mv->releasing = false;
		for (i = 0; i < HF_MAX_SLOTS; i++)
			hf_lease_release(&mv->links[i].lease, sim_clock_ns(sim, mv->node));
		sim_trace(sim, "n%d v%d disk released", mv->node, mv->volume);
	}
}

static void complete_read(struct sim *sim, struct mvol *mv, struct preq *req)
{
	/* R5, R8: what cannot be returned now is read again. */
	if (req->range.again || !primary_may_complete(sim, mv)) {
		begin_read(sim, mv, req);
		return;
	}
	primary_tell_client(sim, mv, req, true);
	free_request(mv, req);
}

static void complete_all(struct sim *sim, struct mvol *mv)
{
	unsigned int i;
	u8 set;

	if (!primary_may_complete(sim, mv))
		return;
	set = primary_completion_set(sim, mv);
	for (i = 0; i < SIM_REQS; i++) {
		struct preq *req = &mv->reqs[i];

		if (!req->used || !req->started)
			continue;
		if (req->kind == REQ_READ) {
			if (req->read_ready)
				complete_read(sim, mv, req);
		} else if (!(set & ~req->acked_mask) && answered(sim, mv, req)) {
			if (req->kind == REQ_WRITE)
				complete_write(sim, mv, req);
			else
				flush_through(sim, mv, req);
		}
	}
}

/* R3b: not past a write under a new set before all of the set adopted that set. */
void primary_stable(struct sim *sim, struct mvol *mv)
{
	u64 stable = mv->seq;
	unsigned int i, kept = 0;
	int slot;

	for (slot = 0; slot < HF_MAX_SLOTS; slot++) {
		const struct plink *link = &mv->links[slot];

		if (!(primary_set(mv) & 1 << slot) || slot == primary_own_slot(sim, mv))
			continue;
		if (link->state != HOLDFAST_LINK_READY || link->adopted_epoch < mv->conf.epoch)
			return;
	}
	if (mv->adopting || !mv->serving)
		return;
	for (i = 0; i < SIM_REQS; i++) {
		const struct preq *req = &mv->reqs[i];

		if (req->used && req->kind == REQ_WRITE && req->seq && req->seq <= stable)
			stable = req->seq - 1;
	}
	if (stable <= mv->stable)
		return;
	mv->stable = stable;
	for (i = 0; i < mv->nr_pend; i++) {
		if (mv->pend[i].seq > stable)
			mv->pend[kept++] = mv->pend[i];
		else
			hf_room_release(&mv->room, mv->pend[i].extent, mv->pend[i].extent);
	}
	mv->nr_pend = kept;
	hf_al_stable(&mv->slot.al, mv->conf.term, stable);
}

void primary_progress(struct sim *sim, struct mvol *mv)
{
	complete_all(sim, mv);
	primary_stable(sim, mv);
	primary_continue(sim, mv);
}

void primary_slot_done(struct sim *sim, struct mvol *mv, u64 cookie, enum mop op, bool ok)
{
	unsigned int i;

	(void)op;
	if (!ok)
		return;
	if (cookie == COOKIE(COOKIE_OWN_FLUSH, mv->instance & 0xffffffffffff)) {
		mv->own_flush_busy = false;
		mv->own_flushed = true;
		reconcile_continue(sim, mv);
		primary_tick(sim, mv);
		return;
	}
	for (i = 0; i < SIM_REQS; i++) {
		struct preq *req = &mv->reqs[i];

		if (!req->used || !req->started)
			continue;
		if ((req->kind == REQ_WRITE && cookie == COOKIE(COOKIE_WRITE, req->seq)) ||
		    (req->kind == REQ_FLUSH && cookie == COOKIE(COOKIE_FLUSH, req->value)))
			req->acked_mask |= (u8)(1 << primary_own_slot(sim, mv));
	}
	primary_progress(sim, mv);
}
