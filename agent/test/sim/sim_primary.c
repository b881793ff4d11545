// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The primary in a module: orders writes, sends them to every slot that
 * counts, and completes a request when R2, R3, R5 and R8 let it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define COOKIE(kind, value) ((u64)(kind) << 56 | (value))
enum { COOKIE_WRITE = 1, COOKIE_FLUSH = 2, COOKIE_COPY = 3, COOKIE_OWN_FLUSH = 7 };

static int own_slot(struct sim *sim, const struct mvol *mv)
{
	return slot_nr(sim, mv);
}

static bool names(struct sim *sim, const struct mvol *mv)
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

static u8 completion_set(struct sim *sim, const struct mvol *mv)
{
	u8 own = (u8)(1 << own_slot(sim, mv));
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
	u8 remote = completion_set(sim, mv) & (u8)~(1 << own_slot(sim, mv));
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

static bool may_complete(struct sim *sim, struct mvol *mv)
{
	return mv->serving && !mv->adopting && slot_up(mv) && lease_holds(sim, mv);
}

static void tell(struct sim *sim, struct mvol *mv, struct plink *link, struct lmsg *msg)
{
	msg->term = mv->conf.term;
	msg->epoch = mv->conf.epoch;
	msg->stable = mv->stable;
	msg->stamp = sim_clock_ns(sim, mv->node);
	msg->slot = (u8)(link - mv->links);
	msg->missing = hf_conf_missing_mask(&mv->conf);
	msg->holding_ms = primary_holding_ms(sim, mv);
	link_send(sim, link->link, mv->node, msg);
}

u32 primary_holding_ms(const struct sim *sim, const struct mvol *mv)
{
	return mv->holding_since_us ? (u32)((sim->now - mv->holding_since_us) / SIM_MS) + 1 : 0;
}

/* ---------------------------------------------------------------- requests */

static void free_request(struct mvol *mv, struct preq *req)
{
	(void)mv;
	req->used = false;
}

static void start(struct sim *sim, struct mvol *mv, struct preq *req);

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
				start(sim, mv, req);
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
			start(sim, mv, first);
			again = first->started;
		}
	}
}

static void send_request(struct sim *sim, struct mvol *mv, struct preq *req, int slot)
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
	tell(sim, mv, link, &msg);
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

static void start(struct sim *sim, struct mvol *mv, struct preq *req)
{
	int own = own_slot(sim, mv);
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
			send_request(sim, mv, req, i);
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
		start(sim, mv, req);
	} else {
		req->granted = hf_overlap_begin(&mv->overlap, &req->range, HF_RANGE_WRITE,
						block * 4096ull, 4096);
		if (req->granted)
			start(sim, mv, req);
	}
	return true;
}

/* -------------------------------------------------------------- completion */

static void tell_client(struct sim *sim, struct mvol *mv, const struct preq *req, bool ok)
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
		if (open & 1 << i && i != own_slot(sim, mv) &&
		    mv->links[i].state != HOLDFAST_LINK_READY)
			open &= (u8)~(1 << i);
	}
	return !open;
}

static void complete_write(struct sim *sim, struct mvol *mv, struct preq *req)
{
	LIST_HEAD(granted);
	LIST_HEAD(ready);

	tell_client(sim, mv, req, true);
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

	tell_client(sim, mv, req, true);
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
	if (req->range.again || !may_complete(sim, mv)) {
		begin_read(sim, mv, req);
		return;
	}
	tell_client(sim, mv, req, true);
	free_request(mv, req);
}

static void complete_all(struct sim *sim, struct mvol *mv)
{
	unsigned int i;
	u8 set;

	if (!may_complete(sim, mv))
		return;
	set = completion_set(sim, mv);
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

		if (!(primary_set(mv) & 1 << slot) || slot == own_slot(sim, mv))
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

static void progress(struct sim *sim, struct mvol *mv)
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
			req->acked_mask |= (u8)(1 << own_slot(sim, mv));
	}
	progress(sim, mv);
}

/* ------------------------------------------------------------------- links */

void primary_link_open(struct sim *sim, struct mvol *mv, u8 slot, u64 id)
{
	struct plink *link = &mv->links[slot];
	struct lmsg msg = { .op = MSG_HELLO };

	if (!mv->known || !names(sim, mv) || mv->adopting)
		return;
	if (link->link)
		primary_link_down(sim, mv, slot, true);
	link->link = id;
	link->state = HOLDFAST_LINK_OPENING;
	link->last_rx_us = sim->now;
	hf_lease_init(&link->lease);
	msg.conf = mv->conf;
	tell(sim, mv, link, &msg);
}

void primary_link_down(struct sim *sim, struct mvol *mv, u8 slot, bool tell_slot)
{
	struct plink *link = &mv->links[slot];
	struct lmsg fin = { .op = MSG_FIN };
	unsigned int i;

	if (!link->link)
		return;
	if (tell_slot)
		link_send(sim, link->link, mv->node, &fin);
	link->link = 0;
	link->state = HOLDFAST_LINK_DOWN;
	link->unanswered = 0;
	link->reconciled = false;
	link->reconcile_copy = 0;
	hf_lease_init(&link->lease);
	/* What was not answered on this link is not waited for on a later one. */
	for (i = 0; i < SIM_REQS; i++)
		mv->reqs[i].sent_mask &= (u8)~(1 << slot) | mv->reqs[i].acked_mask;
	rebuild_end(sim, mv, slot);
	if (primary_set(mv) & 1 << slot && mv->disk == HOLDFAST_DISK_ACTIVE && !link->lost) {
		sim_trace(sim, "n%d v%d slot %u lost", mv->node, mv->volume, slot);
		link->lost = true;
	}
	if (mv->disk == HOLDFAST_DISK_ACTIVE)
		progress(sim, mv);
}

/* R3: what the slot did not acknowledge is sent again, in order. */
static void resend(struct sim *sim, struct mvol *mv, int slot)
{
	u64 after = 0;

	for (;;) {
		struct preq *next = NULL;
		unsigned int i;

		for (i = 0; i < SIM_REQS; i++) {
			struct preq *req = &mv->reqs[i];

			if (req->used && req->started && req->kind == REQ_WRITE &&
			    req->seq > after && (!next || req->seq < next->seq))
				next = req;
		}
		if (!next)
			break;
		after = next->seq;
		if (!(next->acked_mask & 1 << slot))
			send_request(sim, mv, next, slot);
	}
	for (after = 0; after < SIM_REQS; after++) {
		struct preq *req = &mv->reqs[after];

		if (req->used && req->started && req->kind == REQ_FLUSH &&
		    !(req->acked_mask & 1 << slot))
			send_request(sim, mv, req, slot);
	}
}

static void link_ready(struct sim *sim, struct mvol *mv, u8 slot, const struct lmsg *msg)
{
	struct plink *link = &mv->links[slot];
	struct lmsg conf = { .op = MSG_CONF, .conf = mv->conf };

	link->state = HOLDFAST_LINK_READY;
	link->life = msg->life;
	link->unclean = msg->unclean;
	link->blocks = msg->extents | msg->own;
	link->adopted_epoch = msg->epoch;
	link->unanswered = 0;
	sim_trace(sim, "n%d v%d slot %u ready, life %llx, blocks %02x", mv->node, mv->volume, slot,
		  (unsigned long long)link->life, link->blocks);
	if (msg->epoch < mv->conf.epoch)
		tell(sim, mv, link, &conf);
	if (!hf_conf_activated(&mv->conf)) {
		reconcile_begin(sim, mv);
		return;
	}
	if (!(mv->conf.in_sync_mask & 1 << slot))
		return;
	if (link->life != link->base_life && !sim_mutant(sim, MUTANT_NO_LIFE)) {
		link->new_life = true;
		primary_link_down(sim, mv, slot, true);
		return;
	}
	link->lost = false;
	resend(sim, mv, slot);
}

static void ack(struct sim *sim, struct mvol *mv, u8 slot, const struct lmsg *msg)
{
	struct plink *link = &mv->links[slot];
	unsigned int i;

	if (msg->status) {
		primary_link_down(sim, mv, slot, true);
		return;
	}
	if (msg->cookie >> 56 >= COOKIE_COPY) {
		copy_done(sim, mv, slot, msg->cookie, (enum mop)msg->block);
		return;
	}
	if (link->unanswered)
		link->unanswered--;
	for (i = 0; i < SIM_REQS; i++) {
		struct preq *req = &mv->reqs[i];

		if (!req->used || !req->started)
			continue;
		if ((req->kind == REQ_WRITE && msg->cookie == COOKIE(COOKIE_WRITE, req->seq)) ||
		    (req->kind == REQ_FLUSH && msg->cookie == COOKIE(COOKIE_FLUSH, req->value)))
			req->acked_mask |= (u8)(1 << slot);
	}
	rebuild_continue(sim, mv, slot);
}

void primary_message(struct sim *sim, struct mvol *mv, const struct lmsg *msg)
{
	struct plink *link;
	u8 slot;

	for (slot = 0; slot < HF_MAX_SLOTS; slot++) {
		if (mv->links[slot].link == msg->link)
			break;
	}
	if (slot == HF_MAX_SLOTS)
		return;
	link = &mv->links[slot];
	if (msg->op == MSG_FIN) {
		primary_link_down(sim, mv, slot, false);
		return;
	}
	if (msg->term != mv->conf.term) {
		primary_link_down(sim, mv, slot, true);
		return;
	}
	link->last_rx_us = sim->now;
	if (msg->stamp && link->state == HOLDFAST_LINK_READY &&
	    !hf_lease_echo(&link->lease, msg->stamp, sim_clock_ns(sim, mv->node)))
		sim_fail(sim, "n%d v%d: an echo from the future", mv->node, mv->volume);
	if (msg->op == MSG_READY)
		link_ready(sim, mv, slot, msg);
	else if (msg->op == MSG_CONF_ACK && msg->epoch > link->adopted_epoch)
		link->adopted_epoch = msg->epoch;
	else if (msg->op == MSG_CONF)
		vol_adopt(sim, mv, &msg->conf, true);
	else if (msg->op == MSG_ACK)
		ack(sim, mv, slot, msg);
	progress(sim, mv);
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
		tell_client(sim, mv, req, false);
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
	int own = own_slot(sim, mv);
	u8 i;

	if (!names(sim, mv) || own < 0 || mv->disk == HOLDFAST_DISK_DEAD)
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
			tell(sim, mv, &mv->links[i], &msg);
	}
	for (i = 0; i < HF_MAX_SLOTS; i++)
		rebuild_continue(sim, mv, i);
	for (i = 0; i < SIM_REQS; i++) {
		if (mv->reqs[i].used && mv->reqs[i].granted && mv->reqs[i].kind == REQ_FLUSH)
			start(sim, mv, &mv->reqs[i]);
	}
	progress(sim, mv);
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

/* After the activation: R5 for the own slot, R1 for its backing I/O, R7's flush. */
static void try_serve(struct sim *sim, struct mvol *mv)
{
	if (mv->disk != HOLDFAST_DISK_ACTIVE || mv->serving || mv->adopting || !slot_up(mv))
		return;
	if (!hf_conf_activated(&mv->conf) || slot_promise_ns(sim, mv))
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

static void beacon(struct sim *sim, struct mvol *mv, struct plink *link)
{
	struct lmsg msg = { .op = MSG_BEACON };

	if (link->state != HOLDFAST_LINK_READY ||
	    sim->now - link->last_beacon_us < HF_BEACON_MS * SIM_MS)
		return;
	link->last_beacon_us = sim->now;
	tell(sim, mv, link, &msg);
}

void primary_tick(struct sim *sim, struct mvol *mv)
{
	bool holding = false;
	u8 i;

	if (!names(sim, mv) || (mv->disk != HOLDFAST_DISK_NAMED &&
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
		beacon(sim, mv, link);
		rebuild_continue(sim, mv, i);
		holding |= link->lost;
	}
	if (!holding || mv->disk != HOLDFAST_DISK_ACTIVE)
		mv->holding_since_us = 0;
	else if (!mv->holding_since_us)
		mv->holding_since_us = sim->now;
	reconcile_continue(sim, mv);
	try_serve(sim, mv);
	progress(sim, mv);
}
