// SPDX-License-Identifier: GPL-2.0
/* The primary's account of log room (R10). */
#include <kunit/test.h>
#include <linux/module.h>

#include "../room.h"
#include "random.h"

static struct hf_room *new_room(struct kunit *test, unsigned int limit)
{
	struct hf_room *room = kunit_kzalloc(test, sizeof(*room), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, room);
	memset(room, 0xff, sizeof(*room));
	hf_room_init(room, limit);
	return room;
}

static void all_or_nothing(struct kunit *test)
{
	struct hf_room *room = new_room(test, 4);

	KUNIT_EXPECT_TRUE(test, hf_room_try_take(room, 10, 12));
	KUNIT_EXPECT_FALSE(test, hf_room_try_take(room, 13, 14));
	KUNIT_EXPECT_EQ(test, hf_room_counts(room, 13), 0);
	KUNIT_EXPECT_EQ(test, room->used, 3);
	KUNIT_EXPECT_TRUE(test, hf_room_try_take(room, 12, 13));
	KUNIT_EXPECT_EQ(test, hf_room_counts(room, 12), 2);
	KUNIT_EXPECT_TRUE(test, hf_room_try_take(room, 10, 13));
	KUNIT_EXPECT_EQ(test, room->used, 4);
	KUNIT_EXPECT_FALSE(test, hf_room_try_take(room, 20, 24));
}

static void release_frees_at_the_last_write(struct kunit *test)
{
	struct hf_room *room = new_room(test, 2);

	KUNIT_EXPECT_TRUE(test, hf_room_try_take(room, 5, 6));
	KUNIT_EXPECT_TRUE(test, hf_room_try_take(room, 5, 5));
	KUNIT_EXPECT_FALSE(test, hf_room_release(room, 5, 5));
	KUNIT_EXPECT_FALSE(test, hf_room_try_take(room, 7, 7));
	KUNIT_EXPECT_TRUE(test, hf_room_release(room, 5, 6));
	KUNIT_EXPECT_EQ(test, room->used, 0);
	KUNIT_EXPECT_TRUE(test, hf_room_try_take(room, 7, 8));
}

static void lowered_limit_gives_nothing_new(struct kunit *test)
{
	struct hf_room *room = new_room(test, 4);

	KUNIT_EXPECT_TRUE(test, hf_room_try_take(room, 0, 3));
	hf_room_set_limit(room, 2);
	KUNIT_EXPECT_TRUE(test, hf_room_try_take(room, 1, 2));
	KUNIT_EXPECT_FALSE(test, hf_room_try_take(room, 9, 9));
	hf_room_release(room, 0, 3);
	KUNIT_EXPECT_FALSE(test, hf_room_try_take(room, 9, 9));
	hf_room_release(room, 1, 2);
	KUNIT_EXPECT_TRUE(test, hf_room_try_take(room, 9, 10));
	hf_room_set_limit(room, 5000);
	KUNIT_EXPECT_EQ(test, room->limit, HF_LOG_MAX_ENTRIES);
}

static void whole_room(struct kunit *test)
{
	struct hf_room *room = new_room(test, HF_LOG_MAX_ENTRIES);
	u32 i;

	/* Far apart, so that chains form. */
	for (i = 0; i < HF_LOG_MAX_ENTRIES; i++)
		KUNIT_ASSERT_TRUE(test, hf_room_try_take(room, i * 2048, i * 2048));
	KUNIT_EXPECT_FALSE(test, hf_room_try_take(room, 1, 1));
	for (i = 0; i < HF_LOG_MAX_ENTRIES; i++)
		KUNIT_ASSERT_TRUE(test, hf_room_release(room, i * 2048, i * 2048));
	KUNIT_EXPECT_EQ(test, room->used, 0);
}

enum { HELD = 64, EXTENTS = 5000, LIMIT = 90 };

struct held {
	u32	first, last;
	bool	used;
};

struct account {
	struct held	held[HELD];
	u16		count[EXTENTS];
	u64		seed;
	unsigned int	used, refused, taken;
};

static void step(struct kunit *test, struct hf_room *room, struct account *a)
{
	struct held *one = &a->held[test_below(&a->seed, HELD)];
	unsigned int fresh = 0;
	u32 e;

	if (one->used) {
		for (e = one->first; e <= one->last; e++)
			fresh += !--a->count[e];
		a->used -= fresh;
		one->used = false;
		KUNIT_ASSERT_EQ(test, hf_room_release(room, one->first, one->last), fresh != 0);
		return;
	}
	one->first = test_below(&a->seed, EXTENTS - 6);
	one->last = one->first + test_below(&a->seed, 6);
	for (e = one->first; e <= one->last; e++)
		fresh += !a->count[e];
	one->used = !fresh || a->used + fresh <= LIMIT;
	KUNIT_ASSERT_EQ(test, hf_room_try_take(room, one->first, one->last), one->used);
	if (!one->used) {
		a->refused++;
		return;
	}
	for (e = one->first; e <= one->last; e++)
		a->count[e]++;
	a->used += fresh;
	a->taken++;
}

static void random_against_counts(struct kunit *test)
{
	struct hf_room *room = new_room(test, LIMIT);
	struct account *a = kunit_kzalloc(test, sizeof(*a), GFP_KERNEL);
	u32 i, e;

	KUNIT_ASSERT_NOT_NULL(test, a);
	a->seed = 31337;
	for (i = 0; i < 30000; i++) {
		step(test, room, a);
		KUNIT_ASSERT_EQ(test, room->used, a->used);
		e = test_below(&a->seed, EXTENTS);
		KUNIT_ASSERT_EQ(test, hf_room_counts(room, e), a->count[e]);
	}
	KUNIT_EXPECT_GT(test, a->refused, 100);
	KUNIT_EXPECT_GT(test, a->taken, 1000);
}

static struct kunit_case room_cases[] = {
	KUNIT_CASE(all_or_nothing),
	KUNIT_CASE(release_frees_at_the_last_write),
	KUNIT_CASE(lowered_limit_gives_nothing_new),
	KUNIT_CASE(whole_room),
	KUNIT_CASE(random_against_counts),
	{}
};

static struct kunit_suite room_suite = {
	.name = "holdfast_room",
	.test_cases = room_cases,
};

kunit_test_suite(room_suite);
MODULE_LICENSE("GPL");
