// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A module's local slot: the log around every write (R10, by al_core.c itself),
 * marks for missing slots (R3b), flushes, and what remains of it all after a
 * power cut. Device and metadata answer after random times.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

struct sdev *slot_dev(struct sim *sim, struct mvol *mv)
{
	return &sim->nodes[mv->node].dev[mv->pair];
}

bool slot_up(const struct mvol *mv)
{
	return mv->slot.state == HOLDFAST_SLOT_UP;
}

int slot_nr(const struct sim *sim, const struct mvol *mv)
{
	int nr = hf_conf_slot_of(&mv->conf, sim->nodes[mv->node].id);

	/* The slot that is attached may have been removed, and another be there. */
	if (nr >= 0 && slot_up(mv) && mv->conf.slots[nr].incarnation != mv->slot.al.incarnation)
		return -1;
	return nr;
}

u64 slot_promise_ns(struct sim *sim, const struct mvol *mv)
{
	if (sim_mutant(sim, MUTANT_NO_GRACE))
		return 0;
	return hf_promises_left_ns(&mv->promises, mv->conf.primary_node,
				   mv->conf.primary_instance, sim_clock_ns(sim, mv->node));
}

/* In the set, but by a decision about an earlier life: what that lost is not there. */
bool slot_owes(const struct sim *sim, const struct mvol *mv)
{
	int own = slot_nr(sim, mv);

	return own >= 0 && mv->conf.in_sync_mask & 1 << own && mv->slot.bits[own];
}

static u32 extent_blocks(u32 extent)
{
	return 3u << (2 * extent);
}

/* Blocks of the extents in the log. */
u32 slot_blocks(const struct mvol *mv, enum hf_al_which which)
{
	u32 extents[HF_LOG_MAX_ENTRIES];
	unsigned int i, nr;
	u32 blocks = 0;

	if (hf_al_all(&mv->slot.al))
		return ALL_BLOCKS;
	nr = hf_al_list(&mv->slot.al, which, extents, HF_LOG_MAX_ENTRIES);
	for (i = 0; i < nr; i++)
		blocks |= extent_blocks(extents[i]);
	return blocks;
}

/* Delay of a device; now and then a long one. */
static u64 device_us(struct sim *sim)
{
	unsigned int dice = (unsigned int)sim_below(sim, 1000);

	return dice < 970 ? 100 + sim_below(sim, 3 * SIM_MS) :
	       dice < 998 ? sim_below(sim, 400 * SIM_MS) : sim_below(sim, 3 * SIM_S);
}

/* Is the pair a slot of this volume that the configuration names? */
static bool may_attach(struct sim *sim, struct mvol *mv, unsigned int pair)
{
	const struct sdev *dev = &sim->nodes[mv->node].dev[pair];
	int nr = hf_conf_slot_of(&mv->conf, sim->nodes[mv->node].id);

	return nr >= 0 && dev->made && dev->volume == mv->volume &&
	       dev->incarnation == mv->conf.slots[nr].incarnation;
}

void slot_attach(struct sim *sim, struct mvol *mv, unsigned int pair)
{
	struct sdev *dev = &sim->nodes[mv->node].dev[pair];
	struct mslot *slot = &mv->slot;
	u64 now = sim_clock_ns(sim, mv->node);
	u64 grace = hf_scaled_ns(HF_GRACE_MS, 100);
	struct hf_conf_data old = mv->conf;

	if (!may_attach(sim, mv, pair)) {
		sim_trace(sim, "n%d v%d slot refused", mv->node, mv->volume);
		return;
	}
	mv->pair = pair;
	memset(slot, 0, sizeof(*slot));
	slot->al_memory = malloc(hf_al_memory_bytes());
	hf_al_init(&slot->al, slot->al_memory, SIM_ROOM, dev->incarnation);
	hf_al_load(&slot->al, dev->ring, SIM_RING, SIM_EXTENTS);
	slot->unclean = hf_al_unclean(&slot->al);
	slot->life = sim_id(sim);
	slot->state = HOLDFAST_SLOT_UP;
	slot->last_write_us = sim->now;
	memcpy(slot->bits, dev->bits, sizeof(slot->bits));
	hf_promises_owe(&mv->promises, now, dev->promise_open ? grace : 0);
	sim_trace(sim, "n%d v%d slot attached, life %llx%s, log blocks %02x", mv->node, mv->volume,
		  (unsigned long long)slot->life, slot->unclean ? ", unclean" : "",
		  slot_blocks(mv, HF_AL_LOGGED));
	/* The superblock may know more than the agent did. */
	if (dev->conf.epoch > mv->conf.epoch) {
		mv->conf = dev->conf;
		if (slot_nr(sim, mv) < 0) {
			slot_stop(sim, mv);
			mv->shown = mv->conf;
			return;
		}
	}
	old = dev->conf.epoch ? dev->conf : mv->conf;
	slot_adopting(sim, mv, &old);
	/*
	 * A slot of the set may have acknowledged writes of an epoch that it did
	 * not adopt any more: its log stays as it was found.
	 */
	if (hf_conf_missing_mask(&mv->conf) & 1 << slot_nr(sim, mv) ||
	    sim_mutant(sim, MUTANT_SETTLE_AT_ATTACH))
		slot_adopted(sim, mv, &old);
	dev->conf = mv->conf;
	memcpy(dev->bits, slot->bits, sizeof(dev->bits));
	mv->shown = mv->conf;
}

void slot_stop(struct sim *sim, struct mvol *mv)
{
	(void)sim;
	free(mv->slot.al_memory);
	mv->slot.al_memory = NULL;
	mv->slot.state = HOLDFAST_SLOT_NONE;
}

/* ------------------------------------------------------------------ writes */

static void submit(struct sim *sim, struct mvol *mv, struct swrite *w);

static void finish(struct sim *sim, struct mvol *mv, struct swrite *w, bool ok)
{
	struct swrite done = *w;

	w->used = false;
	if (done.logged)
		hf_al_end_write(&mv->slot.al, done.block / 2, done.block / 2,
				done.fua || !done.submitted);
	slot_done(sim, mv, done.link, done.cookie, MSG_WRITE, ok);
}

static void write_ended(struct sim *sim, struct ev *ev)
{
	struct mvol *mv = &sim->nodes[ev->node].vols[ev->volume];
	struct swrite *w = &mv->slot.writes[ev->a[0]];

	if (mv->slot.life != ev->a[1])
		return;
	dev_write(sim, slot_dev(sim, mv), w->block, w->value, w->fua);
	mv->slot.busy--;
	finish(sim, mv, w, true);
}

static void submit(struct sim *sim, struct mvol *mv, struct swrite *w)
{
	bool slow = sim->nodes[mv->node].slow_until > sim->now && sim_chance(sim, 30);
	u64 delay = slow ? sim_below(sim, 6 * SIM_S) : device_us(sim);
	struct ev *ev = sim_at(sim, delay, mv->node, write_ended);

	ev->volume = mv->volume;
	ev->a[0] = (u64)(w - mv->slot.writes);
	ev->a[1] = mv->slot.life;
	w->submitted = true;
	mv->slot.busy++;
}

static void record_written(struct sim *sim, struct ev *ev)
{
	struct mvol *mv = &sim->nodes[ev->node].vols[ev->volume];
	struct mslot *slot = &mv->slot;
	u64 sequence;
	unsigned int i;

	if (slot->life != ev->a[0])
		return;
	sequence = ev->a[1];
	slot_dev(sim, mv)->ring[hf_al_ring_block(sequence, SIM_RING)] = slot->record;
	hf_al_record_done(&slot->al);
	for (i = 0; i < 64; i++) {
		struct swrite *w = &slot->writes[i];

		if (w->used && w->logged && !w->submitted &&
		    w->wait_record <= hf_al_durable(&slot->al))
			submit(sim, mv, w);
	}
	slot_tick(sim, mv);
}

static void write_record(struct sim *sim, struct mvol *mv, bool trim)
{
	struct mslot *slot = &mv->slot;
	u64 sequence;
	struct ev *ev;

	sequence = hf_al_record_begin(&slot->al, &slot->record, mv->conf.term, trim);
	if (!sequence)
		return;
	ev = sim_at(sim, device_us(sim), mv->node, record_written);
	ev->volume = mv->volume;
	ev->a[0] = slot->life;
	ev->a[1] = sequence;
}

static bool mark(struct sim *sim, struct mvol *mv, u8 missing, u32 block)
{
	int own = slot_nr(sim, mv);
	bool changed = false;
	int i;

	missing |= hf_conf_missing_mask(&mv->conf);
	if (sim_mutant(sim, MUTANT_NO_MARKS))
		missing = 0;
	for (i = 0; i < HF_MAX_SLOTS; i++) {
		if (!(missing & 1 << i) || i == own || mv->slot.bits[i] & 1u << block)
			continue;
		mv->slot.bits[i] |= 1u << block;
		changed = true;
	}
	return changed;
}

static void start_write(struct sim *sim, struct mvol *mv, struct swrite *w)
{
	enum hf_al_answer answer;
	u64 sequence = 0;
	bool marks;

	w->full = false;
	if (!w->copy) {
		/* One that found no room had its bits set then, and none changes now. */
		w->marks |= mark(sim, mv, w->missing, w->block);
		marks = w->marks;
		if (sim_mutant(sim, MUTANT_MARKS_VOLATILE))
			marks = false;
		answer = hf_al_begin_write(&mv->slot.al, w->block / 2, w->block / 2,
					   mv->conf.term, w->seq, marks, &sequence);
	} else if (!hf_conf_activated(&mv->conf)) {
		/* R7: copies count as above stable until the activation. */
		answer = hf_al_begin_copy(&mv->slot.al, w->block / 2, w->block / 2, &sequence);
	} else {
		submit(sim, mv, w);
		return;
	}
	if (answer == HF_AL_FULL) {
		w->full = true;
		return;
	}
	w->logged = true;
	w->wait_record = sequence;
	if (answer == HF_AL_READY)
		submit(sim, mv, w);
	else
		write_record(sim, mv, false);
}

void slot_write(struct sim *sim, struct mvol *mv, const struct lmsg *msg, bool copy)
{
	struct mslot *slot = &mv->slot;
	struct swrite *w = NULL;
	unsigned int i;

	if (!slot_up(mv) || (!copy && msg->term != mv->conf.term)) {
		slot_done(sim, mv, msg->link, msg->cookie, MSG_WRITE, false);
		return;
	}
	for (i = 0; i < 64 && !w; i++) {
		if (!slot->writes[i].used)
			w = &slot->writes[i];
	}
	if (!w) {
		sim_fail(sim, "n%d: the model has no room for a write", mv->node);
		return;
	}
	memset(w, 0, sizeof(*w));
	w->used = true;
	w->block = msg->block;
	w->value = msg->value;
	w->fua = msg->fua;
	w->link = msg->link;
	w->cookie = msg->cookie;
	w->copy = copy;
	w->seq = msg->seq;
	w->missing = msg->missing;
	if (!copy)
		slot->last_write_us = sim->now;
	start_write(sim, mv, w);
}

/* R1: what was received and not submitted is thrown away. */
void slot_drop_received(struct sim *sim, struct mvol *mv, u64 link)
{
	unsigned int i;

	for (i = 0; i < 64; i++) {
		struct swrite *w = &mv->slot.writes[i];

		if (!w->used || w->submitted || (link != UINT64_MAX && w->link != link))
			continue;
		if (w->logged)
			hf_al_end_write(&mv->slot.al, w->block / 2, w->block / 2, true);
		w->used = false;
	}
	(void)sim;
}

/* ----------------------------------------------------------- flush and bits */

struct flush {
	u64	gen;
	u64	link;
	u64	cookie;
	u64	until;
};

static void flush_ended(struct sim *sim, struct ev *ev)
{
	struct mvol *mv = &sim->nodes[ev->node].vols[ev->volume];
	struct sdev *dev = slot_dev(sim, mv);
	struct flush *f = ev->p;

	if (mv->slot.life != ev->a[0])
		return;
	dev_flush(dev, f->until);
	hf_al_flush_done(&mv->slot.al, f->gen);
	if (f->link == UINT64_MAX)
		mv->slot.flush_busy = false;
	else
		slot_done(sim, mv, f->link, f->cookie, MSG_FLUSH, true);
}

/* @link UINT64_MAX: for the log alone. */
void slot_flush(struct sim *sim, struct mvol *mv, u64 link, u64 cookie)
{
	struct flush *f;
	struct ev *ev;

	if (!slot_up(mv)) {
		slot_done(sim, mv, link, cookie, MSG_FLUSH, false);
		return;
	}
	f = calloc(1, sizeof(*f));
	f->gen = hf_al_flush_issue(&mv->slot.al);
	f->link = link;
	f->cookie = cookie;
	f->until = dev_mark(slot_dev(sim, mv));
	ev = sim_at(sim, device_us(sim), mv->node, flush_ended);
	ev->volume = mv->volume;
	ev->a[0] = mv->slot.life;
	ev->p = f;
}

struct bits {
	u32	bits[HF_MAX_SLOTS];
	u64	gen;
	u64	link;
	u64	cookie;
	bool	answer;
};

static void bits_written(struct sim *sim, struct ev *ev)
{
	struct mvol *mv = &sim->nodes[ev->node].vols[ev->volume];
	struct bits *b = ev->p;

	if (mv->slot.life != ev->a[0])
		return;
	mv->slot.bits_busy = false;
	/* An adoption that came between has written its own. */
	if (ev->a[1] == mv->adopt_token) {
		memcpy(slot_dev(sim, mv)->bits, b->bits, sizeof(b->bits));
		hf_al_bits_done(&mv->slot.al, b->gen);
	}
	if (b->answer)
		slot_done(sim, mv, b->link, b->cookie, MSG_BITS, ev->a[1] == mv->adopt_token);
}

static struct bits *write_bits(struct sim *sim, struct mvol *mv)
{
	struct bits *b = calloc(1, sizeof(*b));
	struct ev *ev;

	memcpy(b->bits, mv->slot.bits, sizeof(b->bits));
	b->gen = hf_al_bits_issue(&mv->slot.al);
	mv->slot.bits_busy = true;
	/* The window of the mutant is made wide; by itself a late mark does no harm. */
	ev = sim_at(sim, device_us(sim) + (sim_mutant(sim, MUTANT_MARKS_VOLATILE) ? SIM_S : 0),
		    mv->node, bits_written);
	ev->volume = mv->volume;
	ev->a[0] = mv->slot.life;
	ev->a[1] = mv->adopt_token;
	ev->p = b;
	return b;
}

void slot_set_bits(struct sim *sim, struct mvol *mv, const struct lmsg *msg)
{
	struct bits *b;

	mv->slot.bits[msg->block] |= (u32)msg->value;
	b = write_bits(sim, mv);
	b->answer = true;
	b->link = msg->link;
	b->cookie = msg->cookie;
}

/* ---------------------------------------------------------------- adoption */

/* An activation or readmission deals with log and own bits of a life that took part. */
static bool settles(const struct mvol *mv, const struct hf_conf_data *old, int own)
{
	const struct hf_conf_data *conf = &mv->conf;
	bool was_active = old->term == conf->term && hf_conf_activated(old);
	bool was_outside = hf_conf_missing_mask(old) & 1 << own;

	return hf_conf_activated(conf) && (!was_active || was_outside) &&
	       mv->slot.ready_term == conf->term;
}

/*
 * What adoption does to marks and log (R3b, R10); memory alone, the caller
 * makes it durable.
 */
void slot_adopting(struct sim *sim, struct mvol *mv, const struct hf_conf_data *old)
{
	const struct hf_conf_data *conf = &mv->conf;
	struct mslot *slot = &mv->slot;
	u8 readmitted = conf->in_sync_mask & (u8)~old->in_sync_mask;
	u8 missing = hf_conf_missing_mask(conf);
	int own = slot_nr(sim, mv);
	u32 above;
	int i;

	if (!slot_up(mv) || own < 0)
		return;
	above = slot_blocks(mv, HF_AL_ABOVE_STABLE);
	for (i = 0; i < HF_MAX_SLOTS; i++) {
		/* R3b: a bitmap for another incarnation says nothing of this one. */
		if (conf->slots[i].incarnation != old->slots[i].incarnation && missing & 1 << i &&
		    i != own && !sim_mutant(sim, MUTANT_REUSE_BITS))
			slot->bits[i] = ALL_BLOCKS;
		/* The own ones by a readmission of this very life. */
		if (readmitted & 1 << i && (i != own || slot->ready_term == conf->term ||
					    sim_mutant(sim, MUTANT_OWN_CLEARED)))
			slot->bits[i] = 0;
		else if (i != own && missing & 1 << i && !sim_mutant(sim, MUTANT_NO_MARKS))
			slot->bits[i] |= above;
	}
	if (missing & 1 << own)
		slot->bits[own] |= slot_blocks(mv, HF_AL_LOGGED);
	else if (settles(mv, old, own))
		slot->bits[own] = 0;
	hf_al_marked(&slot->al);
}

/* All of it is durable: what older terms left is dealt with. */
void slot_adopted(struct sim *sim, struct mvol *mv, const struct hf_conf_data *old)
{
	const struct hf_conf_data *conf = &mv->conf;
	int own = slot_nr(sim, mv);

	if (!slot_up(mv) || own < 0)
		return;
	if (hf_conf_missing_mask(conf) & 1 << own || settles(mv, old, own) ||
	    sim_mutant(sim, MUTANT_SETTLE_AT_ATTACH))
		hf_al_settle(&mv->slot.al, conf->term);
}

/* ------------------------------------------------------------------- timer */

static void retry_full(struct sim *sim, struct mvol *mv)
{
	unsigned int i;

	for (i = 0; i < 64; i++) {
		struct swrite *w = &mv->slot.writes[i];

		if (w->used && w->full)
			start_write(sim, mv, w);
	}
}

void slot_tick(struct sim *sim, struct mvol *mv)
{
	struct mslot *slot = &mv->slot;
	bool idle, waits = false;
	unsigned int i;

	if (!slot_up(mv) || mv->adopting)
		return;
	retry_full(sim, mv);
	for (i = 0; i < 64; i++)
		waits |= slot->writes[i].used && !slot->writes[i].submitted;
	idle = sim->now - slot->last_write_us > HF_IDLE_MS * SIM_MS;
	if (waits)
		write_record(sim, mv, hf_al_wants_trim(&slot->al));
	if ((hf_al_wants_flush(&slot->al) || waits ||
	     (idle && hf_al_wants_idle_flush(&slot->al))) && !slot->flush_busy) {
		slot->flush_busy = true;
		if (!slot->bits_busy)
			write_bits(sim, mv);
		slot_flush(sim, mv, UINT64_MAX, 0);
		return;
	}
	if ((idle || hf_al_wants_flush(&slot->al)) && hf_al_wants_trim(&slot->al))
		write_record(sim, mv, true);
}
