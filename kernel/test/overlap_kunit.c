// SPDX-License-Identifier: GPL-2.0
/* Ranges in flight (R8): by hand, and against a model that compares all pairs. */
#include <kunit/test.h>
#include <linux/module.h>

#include "../overlap.h"
#include "random.h"

static unsigned int list_length(const struct list_head *list)
{
	const struct list_head *pos;
	unsigned int nr = 0;

	for (pos = list->next; pos != list; pos = pos->next)
		nr++;
	return nr;
}

static void disjoint_writes_run_together(struct kunit *test)
{
	struct hf_range a, b;
	struct hf_overlap ov;
	LIST_HEAD(granted);
	LIST_HEAD(ready);

	hf_overlap_init(&ov);
	KUNIT_EXPECT_TRUE(test, hf_overlap_empty(&ov));
	KUNIT_EXPECT_TRUE(test, hf_overlap_begin(&ov, &a, HF_RANGE_WRITE, 0, 4096));
	KUNIT_EXPECT_TRUE(test, hf_overlap_begin(&ov, &b, HF_RANGE_WRITE, 4096, 512));
	KUNIT_EXPECT_TRUE(test, hf_overlap_busy(&ov, 4095, 1));
	KUNIT_EXPECT_TRUE(test, hf_overlap_busy(&ov, 4607, 1));
	KUNIT_EXPECT_FALSE(test, hf_overlap_busy(&ov, 4608, 1 << 20));
	hf_overlap_complete(&ov, &a, &ready);
	hf_overlap_end(&ov, &a, &granted, &ready);
	KUNIT_EXPECT_FALSE(test, hf_overlap_empty(&ov));
	hf_overlap_complete(&ov, &b, &ready);
	hf_overlap_end(&ov, &b, &granted, &ready);
	KUNIT_EXPECT_TRUE(test, hf_overlap_empty(&ov));
	KUNIT_EXPECT_TRUE(test, list_empty(&granted));
	KUNIT_EXPECT_TRUE(test, list_empty(&ready));
}

static void later_waits_for_end_not_completion(struct kunit *test)
{
	struct hf_range a, b;
	struct hf_overlap ov;
	LIST_HEAD(granted);
	LIST_HEAD(ready);

	hf_overlap_init(&ov);
	KUNIT_EXPECT_TRUE(test, hf_overlap_begin(&ov, &a, HF_RANGE_WRITE, 0, 4096));
	KUNIT_EXPECT_FALSE(test, hf_overlap_begin(&ov, &b, HF_RANGE_WRITE, 4095, 1));
	hf_overlap_complete(&ov, &a, &ready);
	KUNIT_EXPECT_FALSE(test, hf_overlap_granted(&b));
	hf_overlap_end(&ov, &a, &granted, &ready);
	KUNIT_EXPECT_TRUE(test, hf_overlap_granted(&b));
	KUNIT_EXPECT_PTR_EQ(test, list_first_entry(&granted, struct hf_range, entry), &b);
}

/* A small write behind a queued large one must not slip past it. */
static void waiting_range_blocks_later_ones(struct kunit *test)
{
	struct hf_range first, large, small, copy;
	struct hf_overlap ov;
	LIST_HEAD(granted);
	LIST_HEAD(ready);

	hf_overlap_init(&ov);
	KUNIT_EXPECT_TRUE(test, hf_overlap_begin(&ov, &first, HF_RANGE_WRITE, 0, 512));
	KUNIT_EXPECT_FALSE(test, hf_overlap_begin(&ov, &large, HF_RANGE_WRITE, 0, 8192));
	KUNIT_EXPECT_FALSE(test, hf_overlap_begin(&ov, &small, HF_RANGE_WRITE, 4096, 512));
	KUNIT_EXPECT_FALSE(test, hf_overlap_begin(&ov, &copy, HF_RANGE_COPY, 4096, 512));
	hf_overlap_end(&ov, &first, &granted, &ready);
	KUNIT_EXPECT_EQ(test, list_length(&granted), 1);
	KUNIT_EXPECT_TRUE(test, hf_overlap_granted(&large));
	KUNIT_EXPECT_FALSE(test, hf_overlap_granted(&small));
	INIT_LIST_HEAD(&granted);
	hf_overlap_end(&ov, &large, &granted, &ready);
	KUNIT_EXPECT_EQ(test, list_length(&granted), 1);
	KUNIT_EXPECT_TRUE(test, hf_overlap_granted(&small));
	INIT_LIST_HEAD(&granted);
	hf_overlap_end(&ov, &small, &granted, &ready);
	KUNIT_EXPECT_TRUE(test, hf_overlap_granted(&copy));
}

static void waiting_range_given_up_frees_later_ones(struct kunit *test)
{
	struct hf_range first, middle, last;
	struct hf_overlap ov;
	LIST_HEAD(granted);
	LIST_HEAD(ready);

	hf_overlap_init(&ov);
	KUNIT_EXPECT_TRUE(test, hf_overlap_begin(&ov, &first, HF_RANGE_COPY, 0, 512));
	KUNIT_EXPECT_FALSE(test, hf_overlap_begin(&ov, &middle, HF_RANGE_WRITE, 0, 1024));
	KUNIT_EXPECT_FALSE(test, hf_overlap_begin(&ov, &last, HF_RANGE_WRITE, 512, 512));
	hf_overlap_end(&ov, &middle, &granted, &ready);
	KUNIT_EXPECT_TRUE(test, hf_overlap_granted(&last));
	KUNIT_EXPECT_EQ(test, list_length(&granted), 1);
}

static void granted_in_order_of_arrival(struct kunit *test)
{
	struct hf_range all, high, low;
	struct hf_overlap ov;
	LIST_HEAD(granted);
	LIST_HEAD(ready);

	hf_overlap_init(&ov);
	KUNIT_EXPECT_TRUE(test, hf_overlap_begin(&ov, &all, HF_RANGE_WRITE, 0, 65536));
	KUNIT_EXPECT_FALSE(test, hf_overlap_begin(&ov, &high, HF_RANGE_WRITE, 32768, 512));
	KUNIT_EXPECT_FALSE(test, hf_overlap_begin(&ov, &low, HF_RANGE_WRITE, 0, 512));
	hf_overlap_end(&ov, &all, &granted, &ready);
	KUNIT_ASSERT_EQ(test, list_length(&granted), 2);
	KUNIT_EXPECT_PTR_EQ(test, list_entry(granted.next, struct hf_range, entry), &high);
	KUNIT_EXPECT_PTR_EQ(test, list_entry(granted.prev, struct hf_range, entry), &low);
}

static void read_waits_for_write_that_was_there(struct kunit *test)
{
	struct hf_range write, read;
	struct hf_overlap ov;
	LIST_HEAD(granted);
	LIST_HEAD(ready);

	hf_overlap_init(&ov);
	hf_overlap_begin(&ov, &write, HF_RANGE_WRITE, 0, 4096);
	hf_overlap_read_begin(&ov, &read, 2048, 4096);
	KUNIT_EXPECT_FALSE(test, hf_overlap_read_arrived(&ov, &read));
	hf_overlap_complete(&ov, &write, &ready);
	KUNIT_ASSERT_EQ(test, list_length(&ready), 1);
	KUNIT_EXPECT_PTR_EQ(test, list_first_entry(&ready, struct hf_range, entry), &read);
	KUNIT_EXPECT_FALSE(test, read.again);
	/* The range is still locked, but nothing of it is missing to a reader. */
	hf_overlap_read_begin(&ov, &read, 0, 512);
	KUNIT_EXPECT_TRUE(test, hf_overlap_read_arrived(&ov, &read));
	hf_overlap_end(&ov, &write, &granted, &ready);
	KUNIT_EXPECT_TRUE(test, hf_overlap_empty(&ov));
}

/* Not there at the start of the read, completed before its data is in: no wait. */
static void read_meets_write_in_the_middle(struct kunit *test)
{
	struct hf_range write, late, read;
	struct hf_overlap ov;
	LIST_HEAD(granted);
	LIST_HEAD(ready);

	hf_overlap_init(&ov);
	hf_overlap_read_begin(&ov, &read, 0, 4096);
	hf_overlap_begin(&ov, &write, HF_RANGE_WRITE, 0, 512);
	hf_overlap_begin(&ov, &late, HF_RANGE_WRITE, 0, 512);
	KUNIT_EXPECT_FALSE(test, hf_overlap_read_arrived(&ov, &read));
	hf_overlap_complete(&ov, &write, &ready);
	/* The later one was granted after the data came in. */
	KUNIT_EXPECT_EQ(test, list_length(&ready), 1);
	hf_overlap_end(&ov, &write, &granted, &ready);
	KUNIT_EXPECT_TRUE(test, hf_overlap_granted(&late));
	KUNIT_EXPECT_EQ(test, ov.nr_reads, 0);
}

static void failed_write_makes_the_read_go_again(struct kunit *test)
{
	struct hf_range write, read, early;
	struct hf_overlap ov;
	LIST_HEAD(granted);
	LIST_HEAD(ready);

	hf_overlap_init(&ov);
	hf_overlap_begin(&ov, &write, HF_RANGE_WRITE, 0, 512);
	hf_overlap_read_begin(&ov, &read, 0, 512);
	hf_overlap_read_begin(&ov, &early, 0, 512);
	KUNIT_EXPECT_FALSE(test, hf_overlap_read_arrived(&ov, &read));
	hf_overlap_end(&ov, &write, &granted, &ready);
	KUNIT_ASSERT_EQ(test, list_length(&ready), 1);
	KUNIT_EXPECT_TRUE(test, read.again);
	KUNIT_EXPECT_TRUE(test, hf_overlap_read_arrived(&ov, &early));
	KUNIT_EXPECT_TRUE(test, early.again);
}

static void copies_do_not_hold_reads(struct kunit *test)
{
	struct hf_range copy, read;
	struct hf_overlap ov;
	LIST_HEAD(ready);

	hf_overlap_init(&ov);
	hf_overlap_begin(&ov, &copy, HF_RANGE_COPY, 0, 4096);
	hf_overlap_read_begin(&ov, &read, 0, 4096);
	KUNIT_EXPECT_TRUE(test, hf_overlap_read_arrived(&ov, &read));
	hf_overlap_complete(&ov, &copy, &ready);
	hf_overlap_read_begin(&ov, &read, 0, 4096);
	hf_overlap_read_cancel(&ov, &read);
	KUNIT_EXPECT_EQ(test, ov.nr_reads, 0);
}

/* ----------------------------------------------------------------- model */

enum model_state { FREE, WAITS, GRANTED, COMPLETED };

struct model_lock {
	struct hf_range		range;
	enum model_state	state;
	enum hf_range_kind	kind;
	u64			start, end;
	u64			arrived;	/* tick */
};

struct model_read {
	struct hf_range	range;
	bool		active, arrived, again;
	u64		start, end;
	u32		needs;			/* bit for each lock that it must outlast */
};

enum { LOCKS = 24, READS = 12, SPAN = 64 };

struct model {
	struct hf_overlap	ov;
	struct model_lock	locks[LOCKS];
	struct model_read	reads[READS];
	u64			tick;
	u64			seed;
	struct list_head	granted, ready;
};

static bool crosses(u64 start_a, u64 end_a, u64 start_b, u64 end_b)
{
	return start_a < end_b && start_b < end_a;
}

/* May this lock be granted: no earlier one that overlaps, in whatever state. */
static bool model_free(const struct model *m, const struct model_lock *lock)
{
	unsigned int i;

	for (i = 0; i < LOCKS; i++) {
		const struct model_lock *other = &m->locks[i];

		if (other != lock && other->state != FREE && other->arrived < lock->arrived &&
		    crosses(other->start, other->end, lock->start, lock->end))
			return false;
	}
	return true;
}

static void model_grant(struct model *m, struct model_lock *lock)
{
	unsigned int i;

	lock->state = GRANTED;
	if (lock->kind != HF_RANGE_WRITE)
		return;
	for (i = 0; i < READS; i++)
		if (m->reads[i].active && !m->reads[i].arrived &&
		    crosses(m->reads[i].start, m->reads[i].end, lock->start, lock->end))
			m->reads[i].needs |= 1u << (lock - m->locks);
}

/* Both sides agree on who is granted and ready; the lists are emptied. */
static void model_compare(struct kunit *test, struct model *m)
{
	struct hf_range *range, *next;
	unsigned int i, ready = 0;
	u64 last = 0;

	for (i = 0; i < LOCKS; i++) {
		struct model_lock *lock = &m->locks[i];

		if (lock->state == WAITS && model_free(m, lock))
			model_grant(m, lock);
		if (lock->state != FREE)
			KUNIT_ASSERT_EQ(test, hf_overlap_granted(&lock->range),
					lock->state != WAITS);
	}
	list_for_each_entry_safe(range, next, &m->granted, entry) {
		struct model_lock *lock = container_of(range, struct model_lock, range);

		KUNIT_ASSERT_EQ(test, lock->state, GRANTED);
		KUNIT_ASSERT_TRUE(test, lock->arrived > last);
		last = lock->arrived;
	}
	list_for_each_entry_safe(range, next, &m->ready, entry) {
		struct model_read *read = container_of(range, struct model_read, range);

		KUNIT_ASSERT_TRUE(test, read->active && read->arrived && !read->needs);
		KUNIT_ASSERT_EQ(test, read->again, range->again);
		read->active = false;
		ready++;
	}
	for (i = 0; i < READS; i++)
		KUNIT_ASSERT_FALSE(test, m->reads[i].active && m->reads[i].arrived &&
				   !m->reads[i].needs);
	INIT_LIST_HEAD(&m->granted);
	INIT_LIST_HEAD(&m->ready);
}

static void model_over(struct model *m, struct model_lock *lock, bool failed)
{
	u32 bit = 1u << (lock - m->locks);
	unsigned int i;

	for (i = 0; i < READS; i++) {
		if (!m->reads[i].active || !(m->reads[i].needs & bit))
			continue;
		m->reads[i].needs &= ~bit;
		m->reads[i].again |= failed;
	}
}

static void step_lock(struct kunit *test, struct model *m, struct model_lock *lock)
{
	u32 choice = test_below(&m->seed, 8);

	switch (lock->state) {
	case FREE:
		lock->start = test_below(&m->seed, SPAN);
		lock->end = lock->start + 1 + test_below(&m->seed, 12);
		lock->kind = choice < 6 ? HF_RANGE_WRITE : HF_RANGE_COPY;
		lock->arrived = ++m->tick;
		lock->state = WAITS;
		hf_overlap_begin(&m->ov, &lock->range, lock->kind, lock->start << 9,
				 (lock->end - lock->start) << 9);
		break;
	case WAITS:
		if (choice)
			break;
		lock->state = FREE;
		hf_overlap_end(&m->ov, &lock->range, &m->granted, &m->ready);
		break;
	case GRANTED:
		if (lock->kind == HF_RANGE_WRITE)
			model_over(m, lock, choice == 0);
		if (choice == 0) {
			lock->state = FREE;
			hf_overlap_end(&m->ov, &lock->range, &m->granted, &m->ready);
		} else {
			lock->state = COMPLETED;
			hf_overlap_complete(&m->ov, &lock->range, &m->ready);
		}
		break;
	case COMPLETED:
		lock->state = FREE;
		hf_overlap_end(&m->ov, &lock->range, &m->granted, &m->ready);
		break;
	}
	model_compare(test, m);
}

static void step_read(struct kunit *test, struct model *m, struct model_read *read)
{
	unsigned int i;

	if (!read->active) {
		*read = (struct model_read) { .active = true };
		read->start = test_below(&m->seed, SPAN);
		read->end = read->start + 1 + test_below(&m->seed, 12);
		for (i = 0; i < LOCKS; i++)
			if (m->locks[i].state == GRANTED && m->locks[i].kind == HF_RANGE_WRITE &&
			    crosses(m->locks[i].start, m->locks[i].end, read->start, read->end))
				read->needs |= 1u << i;
		hf_overlap_read_begin(&m->ov, &read->range, read->start << 9,
				      (read->end - read->start) << 9);
	} else if (!read->arrived) {
		read->arrived = true;
		KUNIT_ASSERT_EQ(test, hf_overlap_read_arrived(&m->ov, &read->range), !read->needs);
		if (!read->needs) {
			KUNIT_ASSERT_EQ(test, read->again, read->range.again);
			read->active = false;
		}
	}
	model_compare(test, m);
}

static void random_against_model(struct kunit *test)
{
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	unsigned int step;

	KUNIT_ASSERT_NOT_NULL(test, m);
	m->seed = 20240611;
	hf_overlap_init(&m->ov);
	INIT_LIST_HEAD(&m->granted);
	INIT_LIST_HEAD(&m->ready);
	for (step = 0; step < 40000; step++) {
		if (test_below(&m->seed, 3))
			step_lock(test, m, &m->locks[test_below(&m->seed, LOCKS)]);
		else
			step_read(test, m, &m->reads[test_below(&m->seed, READS)]);
	}
}

static void blocker_is_the_first_in_the_way(struct kunit *test)
{
	struct hf_range first, second, third, read;
	struct hf_overlap ov;
	LIST_HEAD(granted);
	LIST_HEAD(ready);

	hf_overlap_init(&ov);
	KUNIT_EXPECT_TRUE(test, hf_overlap_begin(&ov, &first, HF_RANGE_WRITE, 4096, 4096));
	KUNIT_EXPECT_FALSE(test, hf_overlap_begin(&ov, &second, HF_RANGE_COPY, 0, 8192));
	KUNIT_EXPECT_FALSE(test, hf_overlap_begin(&ov, &third, HF_RANGE_WRITE, 0, 8192));
	KUNIT_EXPECT_NULL(test, hf_overlap_blocker(&ov, &first));
	KUNIT_EXPECT_PTR_EQ(test, hf_overlap_blocker(&ov, &second), &first);
	KUNIT_EXPECT_PTR_EQ(test, hf_overlap_blocker(&ov, &third), &first);

	/* A read waits for writes that are granted and not completed, in any order. */
	hf_overlap_read_begin(&ov, &read, 0, 8192);
	KUNIT_EXPECT_FALSE(test, hf_overlap_read_arrived(&ov, &read));
	KUNIT_EXPECT_PTR_EQ(test, hf_overlap_blocker(&ov, &read), &first);
	hf_overlap_complete(&ov, &first, &ready);
	KUNIT_EXPECT_NULL(test, hf_overlap_blocker(&ov, &read));
	KUNIT_EXPECT_PTR_EQ(test, hf_overlap_blocker(&ov, &third), &first);
	hf_overlap_end(&ov, &first, &granted, &ready);
	KUNIT_EXPECT_PTR_EQ(test, hf_overlap_blocker(&ov, &third), &second);
}

static struct kunit_case overlap_cases[] = {
	KUNIT_CASE(disjoint_writes_run_together),
	KUNIT_CASE(later_waits_for_end_not_completion),
	KUNIT_CASE(waiting_range_blocks_later_ones),
	KUNIT_CASE(waiting_range_given_up_frees_later_ones),
	KUNIT_CASE(granted_in_order_of_arrival),
	KUNIT_CASE(read_waits_for_write_that_was_there),
	KUNIT_CASE(read_meets_write_in_the_middle),
	KUNIT_CASE(failed_write_makes_the_read_go_again),
	KUNIT_CASE(copies_do_not_hold_reads),
	KUNIT_CASE(blocker_is_the_first_in_the_way),
	KUNIT_CASE(random_against_model),
	{}
};

static struct kunit_suite overlap_suite = {
	.name = "holdfast_overlap",
	.test_cases = overlap_cases,
};

kunit_test_suite(overlap_suite);
MODULE_LICENSE("GPL");
