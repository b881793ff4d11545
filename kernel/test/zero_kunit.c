// SPDX-License-Identifier: GPL-2.0
/* Ranges of zeros: sizes against the log's room, whole units, what is offered (R16). */
#include <kunit/test.h>
#include <linux/module.h>

#include "../meta_core.h"
#include "../room.h"
#include "../zero_core.h"

static void largest_range(struct kunit *test)
{
	/* the default log: 128 extents of 1 MiB */
	KUNIT_EXPECT_EQ(test, hf_zero_max_bytes(20, HF_LOG_DEFAULT_ENTRIES), 16u << 20);
	KUNIT_EXPECT_EQ(test, hf_zero_max_bytes(20, 64), 8u << 20);
	/* small logs: as much as a plain write */
	KUNIT_EXPECT_EQ(test, hf_zero_max_bytes(20, 2), (u32)HF_MAX_IO_BYTES);
	KUNIT_EXPECT_EQ(test, hf_zero_max_bytes(16, 128), (u32)HF_MAX_IO_BYTES);
	/* large ones: bounded, and no overflow */
	KUNIT_EXPECT_EQ(test, hf_zero_max_bytes(30, HF_LOG_MAX_ENTRIES), (u32)HF_MAX_ZERO_BYTES);
	KUNIT_EXPECT_EQ(test, hf_zero_max_bytes(16, 200), 25u << 16);
}

/* R10: no log that can be is too small for the largest range, wherever it begins. */
static void every_log_has_room(struct kunit *test)
{
	struct hf_room *room = kunit_kzalloc(test, sizeof(*room), GFP_KERNEL);
	struct hf_meta_layout layout;
	u32 shift, entries, bytes, needed;
	const char *why;
	u64 offset;

	KUNIT_ASSERT_NOT_NULL(test, room);
	for (shift = 16; shift <= 30; shift++) {
		for (entries = 1; entries <= HF_LOG_MAX_ENTRIES; entries += entries < 40 ? 1 : 17) {
			if (hf_meta_layout_init(&layout, 1ull << 40, shift, entries, 0, &why))
				continue;
			bytes = hf_zero_max_bytes(shift, entries);
			needed = hf_zero_log_entries(bytes, shift);
			KUNIT_EXPECT_LE(test, needed, entries);
			KUNIT_EXPECT_EQ(test, bytes % 65536, 0u);
			offset = (3ull << shift) - 512;
			hf_room_init(room, entries);
			KUNIT_EXPECT_TRUE_MSG(test,
					      hf_room_try_take(room, offset >> shift,
							       (offset + bytes - 1) >> shift),
					      "shift %u, %u entries", shift, entries);
			KUNIT_EXPECT_LE(test, room->used, needed);
		}
	}
}

static void whole_units(struct kunit *test)
{
	u64 start = 1, end = 1;

	KUNIT_EXPECT_TRUE(test, hf_zero_inner(0, 65536, 65536, &start, &end));
	KUNIT_EXPECT_EQ(test, start, 0ull);
	KUNIT_EXPECT_EQ(test, end, 65536ull);
	KUNIT_EXPECT_TRUE(test, hf_zero_inner(512, 196608, 65536, &start, &end));
	KUNIT_EXPECT_EQ(test, start, 65536ull);
	KUNIT_EXPECT_EQ(test, end, 196608ull);
	/* a unit that is no power of two */
	KUNIT_EXPECT_TRUE(test, hf_zero_inner(100 << 10, 1 << 20, 192 << 10, &start, &end));
	KUNIT_EXPECT_EQ(test, start, 192ull << 10);
	KUNIT_EXPECT_EQ(test, end, 960ull << 10);
	/* far out */
	KUNIT_EXPECT_TRUE(test, hf_zero_inner((1ull << 50) + 1, 3ull << 30, 1u << 30, &start,
					      &end));
	KUNIT_EXPECT_EQ(test, start, (1ull << 50) + (1ull << 30));
	KUNIT_EXPECT_EQ(test, end, (1ull << 50) + (3ull << 30));
	/* none */
	start = 7;
	end = 7;
	KUNIT_EXPECT_FALSE(test, hf_zero_inner(0, 65535, 65536, &start, &end));
	KUNIT_EXPECT_FALSE(test, hf_zero_inner(512, 65536, 65536, &start, &end));
	KUNIT_EXPECT_FALSE(test, hf_zero_inner(1, 131070, 65536 * 2, &start, &end));
	KUNIT_EXPECT_EQ(test, start, 7ull);
	KUNIT_EXPECT_EQ(test, end, 7ull);
}

static void what_is_offered(struct kunit *test)
{
	static const u32 units[HF_MAX_SLOTS] = { 0, 65536, 4096, 196608 };

	KUNIT_EXPECT_EQ(test, hf_zero_offer(units, 0x1), 0u);
	KUNIT_EXPECT_EQ(test, hf_zero_offer(units, 0x0), 0u);
	KUNIT_EXPECT_EQ(test, hf_zero_offer(units, 0x3), 65536u);
	KUNIT_EXPECT_EQ(test, hf_zero_offer(units, 0x5), 4096u);
	KUNIT_EXPECT_EQ(test, hf_zero_offer(units, 0xf), 196608u);
	KUNIT_EXPECT_EQ(test, hf_zero_offer(units, 0x7), 65536u);
}

static struct kunit_case zero_cases[] = {
	KUNIT_CASE(largest_range),
	KUNIT_CASE(every_log_has_room),
	KUNIT_CASE(whole_units),
	KUNIT_CASE(what_is_offered),
	{}
};

static struct kunit_suite zero_suite = {
	.name = "holdfast_zero",
	.test_cases = zero_cases,
};

kunit_test_suite(zero_suite);

MODULE_LICENSE("GPL");
