// SPDX-License-Identifier: GPL-2.0
/*
 * The activity log under random writes, flushes, records and power cuts (R10).
 * A model that knows nothing of entries or generations remembers each write by
 * itself. After every step, what a cut at this instant leaves on the device
 * (the record under way whole, torn or not begun) must name each extent that
 * may differ, and as unflushed each that may lose what was acknowledged.
 */
#include <kunit/test.h>
#include <asm/byteorder.h>
#include <linux/module.h>

#include "../al_core.h"
#include "random.h"

enum { RING = 2, EXTENTS = 24, ROOM = 10, WRITES = 40, STEPS = 12000 };
#define INCARNATION	0x77u

struct written {
	bool	used;
	bool	submitted;	/* its data may be on the device */
	bool	ended;
	bool	flushed;
	bool	stable;
	bool	marked;		/* its marks are durable */
	bool	copy;		/* stays until settled */
	u32	first, last;
	u64	term, seq;
	u64	sequence;	/* record that it waits for */
	u64	ended_at;	/* tick */
	u64	marked_at;
};

struct crash {
	struct hf_al		al;
	void			*memory;
	struct hf_disk_log	ring[RING];
	struct hf_disk_log	cut[RING];
	struct hf_disk_log	record;		/* under way */
	struct written		writes[WRITES];
	bool			left[EXTENTS];	/* by earlier lives, not settled */
	bool			lost[EXTENTS];
	u64			seed, tick, term, seq, stable;
	u64			flush_gen, flush_tick;	/* under way: gen != 0 */
	u64			bits_gen, bits_tick;
	unsigned int		cuts, ready, waited, full, trimmed;
};

static bool may_differ(const struct written *w)
{
	return w->used && w->submitted &&
	       (!w->ended || !w->flushed || !w->stable || !w->marked);
}

static bool may_lose(const struct written *w)
{
	return w->used && w->submitted && !w->flushed;
}

static void needed_names(const struct crash *c, bool *name, bool *unflushed)
{
	unsigned int i;
	u32 e;

	for (e = 0; e < EXTENTS; e++) {
		name[e] = c->left[e];
		unflushed[e] = c->lost[e];
	}
	for (i = 0; i < WRITES; i++) {
		const struct written *w = &c->writes[i];

		for (e = w->first; w->used && e <= w->last; e++) {
			name[e] |= may_differ(w);
			unflushed[e] |= may_lose(w);
		}
	}
}

/* The names that the next life reads from @ring. */
static void read_names(struct kunit *test, const struct hf_disk_log *ring,
		       bool *name, bool *unflushed)
{
	const struct hf_disk_log *newest = NULL;
	u32 i;

	for (i = 0; i < RING; i++)
		if (hf_al_record_valid(&ring[i], INCARNATION) &&
		    (!newest || le64_to_cpu(ring[i].sequence) > le64_to_cpu(newest->sequence)))
			newest = &ring[i];
	KUNIT_ASSERT_NOT_NULL(test, newest);
	memset(name, 0, EXTENTS * sizeof(*name));
	memset(unflushed, 0, EXTENTS * sizeof(*unflushed));
	for (i = 0; i < le32_to_cpu(newest->entries); i++) {
		u32 value = le32_to_cpu(newest->extent[i]);

		KUNIT_ASSERT_TRUE(test, (value & HF_LOG_EXTENT_MASK) < EXTENTS);
		name[value & HF_LOG_EXTENT_MASK] = true;
		unflushed[value & HF_LOG_EXTENT_MASK] = value & HF_LOG_UNFLUSHED;
	}
}

static void check_ring(struct kunit *test, struct crash *c, const struct hf_disk_log *ring)
{
	bool need[EXTENTS], need_unflushed[EXTENTS], name[EXTENTS], unflushed[EXTENTS];
	u32 e;

	needed_names(c, need, need_unflushed);
	read_names(test, ring, name, unflushed);
	for (e = 0; e < EXTENTS; e++) {
		KUNIT_ASSERT_TRUE_MSG(test, name[e] || !need[e], "extent %u, tick %llu", e,
				      (unsigned long long)c->tick);
		KUNIT_ASSERT_TRUE_MSG(test, unflushed[e] || !need_unflushed[e],
				      "unflushed extent %u, tick %llu", e,
				      (unsigned long long)c->tick);
	}
}

/* Fills c->cut with what a cut now leaves; @how: 0 old, 1 new, 2 torn. */
static void make_cut(struct crash *c, unsigned int how)
{
	u32 block = hf_al_ring_block(le64_to_cpu(c->record.sequence), RING);

	memcpy(c->cut, c->ring, sizeof(c->cut));
	if (!hf_al_record_busy(&c->al) || !how)
		return;
	memcpy(&c->cut[block], &c->record, how == 1 ? sizeof(c->record) : 512);
}

static void check_cuts(struct kunit *test, struct crash *c)
{
	unsigned int how;

	for (how = 0; how < (hf_al_record_busy(&c->al) ? 3 : 1); how++) {
		make_cut(c, how);
		check_ring(test, c, c->cut);
	}
}

static struct written *pick(struct crash *c, bool used)
{
	unsigned int i, from = test_below(&c->seed, WRITES);

	for (i = 0; i < WRITES; i++)
		if (c->writes[(from + i) % WRITES].used == used)
			return &c->writes[(from + i) % WRITES];
	return NULL;
}

static void step_begin(struct kunit *test, struct crash *c, bool copy)
{
	struct written *w = pick(c, false);
	enum hf_al_answer answer;
	bool marks = !test_below(&c->seed, 3);

	if (!w)
		return;
	*w = (struct written) { .term = c->term, .seq = c->seq + 1, .copy = copy };
	w->first = test_below(&c->seed, EXTENTS - 3);
	w->last = w->first + test_below(&c->seed, 3);
	w->marked = copy || !marks;
	w->marked_at = c->tick;
	if (copy)
		answer = hf_al_begin_copy(&c->al, w->first, w->last, &w->sequence);
	else
		answer = hf_al_begin_write(&c->al, w->first, w->last, w->term, w->seq, marks,
					   &w->sequence);
	if (answer == HF_AL_FULL) {
		c->full++;
		return;
	}
	w->used = true;
	w->submitted = answer == HF_AL_READY;
	c->ready += w->submitted;
	c->waited += !w->submitted;
	if (!copy)
		c->seq++;
	KUNIT_ASSERT_LE(test, c->al.nr_used, (unsigned int)EXTENTS);
}

static void submit_ready(struct crash *c)
{
	unsigned int i;

	for (i = 0; i < WRITES; i++) {
		struct written *w = &c->writes[i];

		if (w->used && !w->submitted && w->sequence <= hf_al_durable(&c->al))
			w->submitted = true;
	}
}

static void forget_done(struct crash *c)
{
	unsigned int i;

	for (i = 0; i < WRITES; i++) {
		struct written *w = &c->writes[i];

		if (w->used && w->ended && w->flushed && w->stable && w->marked)
			w->used = false;
	}
}

static void step_end(struct crash *c)
{
	struct written *w = pick(c, true);
	bool durable = !test_below(&c->seed, 4);

	if (!w || !w->submitted || w->ended)
		return;
	w->ended = true;
	w->ended_at = c->tick;
	w->flushed = durable;
	hf_al_end_write(&c->al, w->first, w->last, durable);
}

static void step_flush(struct crash *c)
{
	unsigned int i;

	if (!c->flush_gen) {
		c->flush_gen = hf_al_flush_issue(&c->al);
		c->flush_tick = c->tick;
		return;
	}
	for (i = 0; i < WRITES; i++)
		if (c->writes[i].ended && c->writes[i].ended_at < c->flush_tick)
			c->writes[i].flushed = true;
	hf_al_flush_done(&c->al, c->flush_gen);
	c->flush_gen = 0;
}

static void step_bits(struct crash *c)
{
	unsigned int i;

	if (!c->bits_gen) {
		c->bits_gen = hf_al_bits_issue(&c->al);
		c->bits_tick = c->tick;
		return;
	}
	for (i = 0; i < WRITES; i++)
		if (c->writes[i].marked_at < c->bits_tick)
			c->writes[i].marked = true;
	hf_al_bits_done(&c->al, c->bits_gen);
	c->bits_gen = 0;
}

static void step_record(struct crash *c)
{
	if (!hf_al_record_busy(&c->al)) {
		bool trim = test_below(&c->seed, 2);

		hf_al_record_begin(&c->al, &c->record, c->term, trim);
		c->trimmed += trim;
		return;
	}
	c->ring[hf_al_ring_block(le64_to_cpu(c->record.sequence), RING)] = c->record;
	hf_al_record_done(&c->al);
	submit_ready(c);
}

static void step_stable(struct crash *c)
{
	bool in_sync = test_below(&c->seed, 4);
	unsigned int i;
	u64 up_to = c->seq;

	/*
	 * In sync: the prefix that has ended here, too. Outside the set stable
	 * may tell of writes that are still in flight here.
	 */
	for (i = 0; in_sync && i < WRITES; i++)
		if (c->writes[i].used && !c->writes[i].copy && !c->writes[i].ended &&
		    c->writes[i].term == c->term)
			up_to = min(up_to, c->writes[i].seq - 1);
	for (i = 0; i < WRITES; i++)
		if (!c->writes[i].copy && c->writes[i].term == c->term &&
		    c->writes[i].seq <= up_to)
			c->writes[i].stable = true;
	hf_al_stable(&c->al, c->term, up_to);
}

/* All I/O ends, a higher term begins, reconciles by copies, is activated. */
static void step_term(struct kunit *test, struct crash *c)
{
	unsigned int i;
	u32 e;

	for (i = 0; i < WRITES; i++) {
		struct written *w = &c->writes[i];

		if (!w->used || w->ended)
			continue;
		/* A write that was never submitted is taken back. */
		if (!w->submitted)
			w->used = false;
		w->ended = true;
		w->ended_at = c->tick;
		hf_al_end_write(&c->al, w->first, w->last, !w->submitted);
	}
	c->term++;
	c->seq = 0;
	if (test_below(&c->seed, 2)) {
		step_begin(test, c, true);
		hf_al_stable(&c->al, c->term, 0);
		check_cuts(test, c);
		return;
	}
	hf_al_settle(&c->al, c->term);
	for (e = 0; e < EXTENTS; e++) {
		c->left[e] = false;
		c->lost[e] = false;
	}
	for (i = 0; i < WRITES; i++)
		if (c->writes[i].term < c->term || c->writes[i].copy)
			c->writes[i].stable = true;
}

static void step_cut(struct kunit *test, struct crash *c)
{
	bool name[EXTENTS], unflushed[EXTENTS], any_lost = false;
	u32 e;

	make_cut(c, test_below(&c->seed, 3));
	check_ring(test, c, c->cut);
	memcpy(c->ring, c->cut, sizeof(c->ring));
	read_names(test, c->ring, name, unflushed);
	hf_al_init(&c->al, c->memory, ROOM, INCARNATION);
	KUNIT_ASSERT_EQ(test, hf_al_load(&c->al, c->ring, RING, EXTENTS), 0);
	memset(c->writes, 0, sizeof(c->writes));
	for (e = 0; e < EXTENTS; e++) {
		c->left[e] = name[e];
		c->lost[e] = unflushed[e];
		any_lost |= unflushed[e];
	}
	KUNIT_ASSERT_EQ(test, hf_al_unclean(&c->al), any_lost);
	c->flush_gen = 0;
	c->bits_gen = 0;
	c->cuts++;
}

/* All I/O has ended, all is settled, flushed and marked: nothing is named any more. */
static void check_empties(struct kunit *test, struct crash *c)
{
	unsigned int i;

	for (i = 0; i < WRITES; i++)
		if (c->writes[i].used && !c->writes[i].ended)
			hf_al_end_write(&c->al, c->writes[i].first, c->writes[i].last, false);
	memset(c->writes, 0, sizeof(c->writes));
	memset(c->left, 0, sizeof(c->left));
	memset(c->lost, 0, sizeof(c->lost));
	hf_al_settle(&c->al, c->term + 1);
	hf_al_flush_done(&c->al, hf_al_flush_issue(&c->al));
	hf_al_bits_done(&c->al, hf_al_bits_issue(&c->al));
	KUNIT_EXPECT_EQ(test, hf_al_used(&c->al), 0);
	if (hf_al_record_busy(&c->al))
		step_record(c);
	hf_al_record_begin(&c->al, &c->record, c->term, true);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(c->record.entries), 0);
	KUNIT_EXPECT_EQ(test, c->al.nr_used, 0);
	KUNIT_EXPECT_EQ(test, c->al.nr_busy, 0);
	KUNIT_EXPECT_EQ(test, c->al.nr_ended, 0);
}

static void random_crashes(struct kunit *test)
{
	struct crash *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);
	unsigned int step;

	KUNIT_ASSERT_NOT_NULL(test, c);
	c->memory = kunit_kzalloc(test, hf_al_memory_bytes(), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, c->memory);
	c->seed = 424242;
	c->term = 1;
	c->ring[1].sequence = cpu_to_le64(1);
	c->ring[1].incarnation = cpu_to_le64(INCARNATION);
	hf_al_record_seal(&c->ring[1]);
	hf_al_init(&c->al, c->memory, ROOM, INCARNATION);
	KUNIT_ASSERT_EQ(test, hf_al_load(&c->al, c->ring, RING, EXTENTS), 0);
	for (step = 0; step < STEPS; step++) {
		u32 choice = test_below(&c->seed, 100);

		c->tick++;
		if (choice < 30)
			step_begin(test, c, false);
		else if (choice < 55)
			step_end(c);
		else if (choice < 65)
			step_flush(c);
		else if (choice < 72)
			step_bits(c);
		else if (choice < 87)
			step_record(c);
		else if (choice < 98)
			step_stable(c);
		else if (test_below(&c->seed, 2))
			step_term(test, c);
		else
			step_cut(test, c);
		check_cuts(test, c);
		forget_done(c);
	}
	check_empties(test, c);
	/* The run went through what it is for. */
	KUNIT_EXPECT_GT(test, c->cuts, 20);
	KUNIT_EXPECT_GT(test, c->ready, 100);
	KUNIT_EXPECT_GT(test, c->waited, 100);
	KUNIT_EXPECT_GT(test, c->full, 100);
	KUNIT_EXPECT_GT(test, c->trimmed, 100);
}

static struct kunit_case al_crash_cases[] = {
	KUNIT_CASE(random_crashes),
	{}
};

static struct kunit_suite al_crash_suite = {
	.name = "holdfast_al_crash",
	.test_cases = al_crash_cases,
};

kunit_test_suite(al_crash_suite);
MODULE_LICENSE("GPL");
