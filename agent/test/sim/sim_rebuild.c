// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The two copiers of a primary: reconciliation between naming and activation
 * (R7), and the rebuild of a slot outside of the set in R9's order.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sim.h"

#define COOKIE(kind, value) ((u64)(kind) << 56 | (value))
enum {
	COOKIE_RECONCILE	= 3,
	COOKIE_RECONCILE_FLUSH	= 4,
	COOKIE_REBUILD		= 5,
	COOKIE_REBUILD_FLUSH	= 6,
	COOKIE_OWN_FLUSH	= 7,
	COOKIE_BITS		= 8,
};

static void tell(struct sim *sim, struct mvol *mv, u8 slot, struct lmsg *msg)
{
	msg->term = mv->conf.term;
	msg->epoch = mv->conf.epoch;
	msg->stable = mv->stable;
	msg->stamp = sim_clock_ns(sim, mv->node);
	msg->missing = hf_conf_missing_mask(&mv->conf);
	msg->slot = slot;
	link_send(sim, mv->links[slot].link, mv->node, msg);
}

static u32 lowest(u32 mask)
{
	return (u32)__builtin_ctz(mask);
}

/* ---------------------------------------------------------- reconciliation */

/*
 * A slot more: the union grows, so all that are linked begin again, once the
 * copy that is under way has ended: it must not land on what comes later.
 */
void reconcile_begin(struct sim *sim, struct mvol *mv)
{
	u32 blocks = slot_blocks(mv, HF_AL_LOGGED);
	int i;

	if (!sim_mutant(sim, MUTANT_OWN_LEFT_OUT))
		blocks |= mv->slot.bits[slot_nr(sim, mv)];
	for (i = 0; i < HF_MAX_SLOTS; i++) {
		if (mv->links[i].state == HOLDFAST_LINK_READY)
			blocks |= mv->links[i].blocks;
	}
	if (sim_mutant(sim, MUTANT_NO_RECONCILE))
		blocks = 0;
	for (i = 0; i < HF_MAX_SLOTS; i++) {
		struct plink *link = &mv->links[i];

		if (link->state != HOLDFAST_LINK_READY)
			continue;
		link->reconciled = false;
		link->reconcile_flush = false;
		link->reconcile_todo = blocks;
		link->reconcile_pass++;
	}
	reconcile_continue(sim, mv);
}

static void reconcile_slot(struct sim *sim, struct mvol *mv, u8 slot)
{
	struct plink *link = &mv->links[slot];
	struct lmsg msg = { .op = MSG_COPY };

	if (link->state != HOLDFAST_LINK_READY || link->reconciled || link->reconcile_copy ||
	    link->reconcile_flush)
		return;
	if (link->reconcile_todo) {
		msg.block = lowest(link->reconcile_todo);
		msg.value = dev_read(slot_dev(sim, mv), msg.block);
		msg.cookie = COOKIE(COOKIE_RECONCILE, msg.block);
		link->reconcile_copy = msg.block + 1;
		tell(sim, mv, slot, &msg);
	} else if (sim_mutant(sim, MUTANT_NO_R7_FLUSH)) {
		link->reconciled = true;
	} else {
		msg.op = MSG_FLUSH;
		msg.cookie = COOKIE(COOKIE_RECONCILE_FLUSH, link->reconcile_pass);
		link->reconcile_flush = true;
		tell(sim, mv, slot, &msg);
	}
}

void reconcile_continue(struct sim *sim, struct mvol *mv)
{
	u8 i;

	if (mv->disk != HOLDFAST_DISK_NAMED || mv->adopting || !slot_up(mv))
		return;
	/* R1: the own slot, too, first ends what earlier links brought. */
	if (mv->slot.busy && !sim_mutant(sim, MUTANT_LATE_IO))
		return;
	if (slot_promise_ns(sim, mv))
		return;
	if (!mv->own_flushed && !mv->own_flush_busy) {
		mv->own_flush_busy = true;
		slot_flush(sim, mv, 0, COOKIE(COOKIE_OWN_FLUSH, mv->instance & 0xffffffffffff));
	}
	for (i = 0; i < HF_MAX_SLOTS; i++)
		reconcile_slot(sim, mv, i);
}

/* ----------------------------------------------------------------- rebuild */

int rebuild_start(struct sim *sim, struct mvol *mv, u8 slot)
{
	struct plink *link = &mv->links[slot];
	struct rebuild *rb = &link->rebuild;

	if (mv->disk != HOLDFAST_DISK_ACTIVE || mv->adopting || !mv->serving ||
	    link->state != HOLDFAST_LINK_READY || link->counted ||
	    !(hf_conf_missing_mask(&mv->conf) & 1 << slot))
		return -EINVAL;
	if (rb->state != HOLDFAST_REBUILD_NONE && rb->state != HOLDFAST_REBUILD_FAILED)
		return 0;
	memset(rb, 0, sizeof(*rb));
	INIT_LIST_HEAD(&rb->range.entry);
	rb->state = HOLDFAST_REBUILD_COPYING;
	rb->dirty = mv->slot.bits[slot] | link->blocks;
	rb->total = (u32)__builtin_popcount(rb->dirty);
	sim_trace(sim, "n%d v%d rebuild of slot %u, blocks %02x", mv->node, mv->volume, slot,
		  rb->dirty);
	rebuild_continue(sim, mv, slot);
	return 0;
}

void rebuild_end(struct sim *sim, struct mvol *mv, u8 slot)
{
	struct rebuild *rb = &mv->links[slot].rebuild;
	LIST_HEAD(granted);
	LIST_HEAD(ready);

	rb->state = HOLDFAST_REBUILD_NONE;
	mv->links[slot].admissible = false;
	if (!rb->copying)
		return;
	rb->copying = 0;
	hf_overlap_end(&mv->overlap, &rb->range, &granted, &ready);
	primary_after_overlap(sim, mv, &granted, &ready);
}

static void copy_block(struct sim *sim, struct mvol *mv, u8 slot)
{
	struct rebuild *rb = &mv->links[slot].rebuild;
	struct lmsg msg = { .op = MSG_COPY, .block = rb->copying - 1 };

	msg.value = dev_read(slot_dev(sim, mv), msg.block);
	msg.cookie = COOKIE(COOKIE_REBUILD, msg.block);
	tell(sim, mv, slot, &msg);
}

void rebuild_granted(struct sim *sim, struct mvol *mv, struct hf_range *range)
{
	u8 i;

	for (i = 0; i < HF_MAX_SLOTS; i++) {
		if (range == &mv->links[i].rebuild.range && mv->links[i].rebuild.copying)
			copy_block(sim, mv, i);
	}
}

/* R9: the source's bitmaps for the other stale slots. True: all are there. */
static bool bits_there(struct sim *sim, struct mvol *mv, u8 slot)
{
	struct rebuild *rb = &mv->links[slot].rebuild;
	u8 others = hf_conf_missing_mask(&mv->conf) & (u8)~(1 << slot);
	struct lmsg msg = { .op = MSG_BITS };

	if (sim_mutant(sim, MUTANT_OTHER_BITS))
		return true;
	others &= (u8)~rb->bits_acked;
	if (!others)
		return true;
	others &= (u8)~rb->bits_sent;
	while (others) {
		msg.block = lowest(others);
		msg.value = mv->slot.bits[msg.block];
		msg.cookie = COOKIE(COOKIE_BITS, msg.block);
		rb->bits_sent |= (u8)(1 << msg.block);
		tell(sim, mv, slot, &msg);
		others &= others - 1;
	}
	return false;
}

static void begin_counting(struct sim *sim, struct mvol *mv, u8 slot)
{
	struct plink *link = &mv->links[slot];
	unsigned int i;

	link->rebuild.state = HOLDFAST_REBUILD_FINISHING;
	if (sim_mutant(sim, MUTANT_COUNT_LATE))
		return;
	link->counted = true;
	link->counted_life = link->life;
	for (i = 0; i < SIM_REQS; i++) {
		struct preq *req = &mv->reqs[i];
		struct lmsg msg = { .op = MSG_FLUSH };

		if (!req->used || !req->started || req->kind != REQ_FLUSH ||
		    req->sent_mask & 1 << slot)
			continue;
		req->sent_mask |= (u8)(1 << slot);
		msg.cookie = COOKIE(2, req->value);
		link->unanswered++;
		tell(sim, mv, slot, &msg);
	}
}

void rebuild_continue(struct sim *sim, struct mvol *mv, u8 slot)
{
	struct plink *link = &mv->links[slot];
	struct rebuild *rb = &link->rebuild;
	struct lmsg msg = { .op = MSG_FLUSH };

	if (link->state != HOLDFAST_LINK_READY || mv->adopting)
		return;
	if (rb->state == HOLDFAST_REBUILD_COPYING) {
		if (rb->copying)
			return;
		if (rb->dirty) {
			u32 block = lowest(rb->dirty);

			rb->copying = block + 1;
			if (hf_overlap_begin(&mv->overlap, &rb->range, HF_RANGE_COPY,
					     block * 4096ull, 4096))
				copy_block(sim, mv, slot);
			return;
		}
		if (!bits_there(sim, mv, slot))
			return;
		begin_counting(sim, mv, slot);
	}
	if (rb->state != HOLDFAST_REBUILD_FINISHING || rb->flush_sent)
		return;
	if (link->unanswered && !sim_mutant(sim, MUTANT_COUNT_LATE))
		return;
	rb->flush_sent = true;
	if (sim_mutant(sim, MUTANT_REBUILD_UNFLUSHED)) {
		copy_done(sim, mv, slot, COOKIE(COOKIE_REBUILD_FLUSH, 0), MSG_FLUSH);
		return;
	}
	msg.cookie = COOKIE(COOKIE_REBUILD_FLUSH, 0);
	tell(sim, mv, slot, &msg);
}

static void rebuild_copied(struct sim *sim, struct mvol *mv, u8 slot, u32 block)
{
	struct rebuild *rb = &mv->links[slot].rebuild;
	LIST_HEAD(granted);
	LIST_HEAD(ready);

	if (rb->copying != block + 1)
		return;
	rb->dirty &= ~(1u << block);
	rb->copying = 0;
	hf_overlap_end(&mv->overlap, &rb->range, &granted, &ready);
	primary_after_overlap(sim, mv, &granted, &ready);
}

void copy_done(struct sim *sim, struct mvol *mv, u8 slot, u64 cookie, enum mop op)
{
	struct plink *link = &mv->links[slot];

	(void)op;
	switch (cookie >> 56) {
	case COOKIE_RECONCILE:
		if (link->reconcile_copy == (cookie & 0xff) + 1) {
			link->reconcile_todo &= ~(1u << (cookie & 0xff));
			link->reconcile_copy = 0;
		}
		reconcile_continue(sim, mv);
		break;
	case COOKIE_RECONCILE_FLUSH:
		if (link->reconcile_flush && !link->reconcile_todo &&
		    (u32)cookie == link->reconcile_pass) {
			link->reconciled = true;
			link->reconcile_flush = false;
		}
		break;
	case COOKIE_REBUILD:
		rebuild_copied(sim, mv, slot, (u32)(cookie & 0xff));
		rebuild_continue(sim, mv, slot);
		break;
	case COOKIE_BITS:
		link->rebuild.bits_acked |= link->rebuild.bits_sent & (u8)(1 << (cookie & 0xff));
		rebuild_continue(sim, mv, slot);
		break;
	case COOKIE_REBUILD_FLUSH:
		if (link->rebuild.state == HOLDFAST_REBUILD_FINISHING) {
			link->rebuild.state = HOLDFAST_REBUILD_ADMISSIBLE;
			link->admissible = true;
		}
		break;
	default:
		break;
	}
}
