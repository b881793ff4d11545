// SPDX-License-Identifier: GPL-2.0
/* Dirty bits (R3b): rounding, ends of words, blocks and volume; random against an array. */
#include <kunit/test.h>
#include <asm/byteorder.h>
#include <linux/module.h>

#include "../bitmap_core.h"
#include "random.h"

enum { GRANULE = 4096, SHIFT = 12 };

static struct hf_bitmap *new_bitmap(struct kunit *test, u64 size_bytes, u8 shift)
{
	struct hf_bitmap *bm = kunit_kzalloc(test, sizeof(*bm), GFP_KERNEL);
	u8 *words = kunit_kzalloc(test, hf_bitmap_words_bytes(size_bytes, shift), GFP_KERNEL);
	u8 *flags = kunit_kzalloc(test, 2 * hf_bitmap_flags_bytes(size_bytes, shift), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, bm);
	KUNIT_ASSERT_NOT_NULL(test, words);
	KUNIT_ASSERT_NOT_NULL(test, flags);
	memset(words, 0xff, hf_bitmap_words_bytes(size_bytes, shift));
	memset(flags, 0xff, 2 * hf_bitmap_flags_bytes(size_bytes, shift));
	hf_bitmap_init(bm, words, flags, size_bytes, shift);
	return bm;
}

static void sizes(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, hf_bitmap_nr_bits(1 << 20, 12), 256);
	KUNIT_EXPECT_EQ(test, hf_bitmap_nr_bits((1 << 20) + 1, 12), 257);
	KUNIT_EXPECT_EQ(test, hf_bitmap_nr_blocks(1 << 20, 12), 1);
	KUNIT_EXPECT_EQ(test, hf_bitmap_nr_blocks(32768ull * 4096, 12), 1);
	KUNIT_EXPECT_EQ(test, hf_bitmap_nr_blocks(32768ull * 4096 + 4096, 12), 2);
	KUNIT_EXPECT_EQ(test, hf_bitmap_words_bytes(32768ull * 4096 + 4096, 12), 8192);
	KUNIT_EXPECT_EQ(test, hf_bitmap_flags_bytes(64ull * 32768 * 4096, 12), 8);
	KUNIT_EXPECT_EQ(test, hf_bitmap_flags_bytes(64ull * 32768 * 4096 + 4096, 12), 16);
	KUNIT_EXPECT_EQ(test, hf_bitmap_nr_blocks(1ull << 40, 12), 8192);
}

static void marks_outward(struct kunit *test)
{
	struct hf_bitmap *bm = new_bitmap(test, 64 * GRANULE, SHIFT);
	u64 start, end;

	KUNIT_EXPECT_EQ(test, hf_bitmap_dirty_bytes(bm), 0);
	KUNIT_EXPECT_FALSE(test, hf_bitmap_next(bm, 0, &start, &end));
	KUNIT_EXPECT_TRUE(test, hf_bitmap_mark(bm, 3 * GRANULE + 4095, 2));
	KUNIT_EXPECT_FALSE(test, hf_bitmap_mark(bm, 3 * GRANULE, 2 * GRANULE));
	KUNIT_EXPECT_EQ(test, hf_bitmap_dirty_bytes(bm), 2 * GRANULE);
	KUNIT_ASSERT_TRUE(test, hf_bitmap_next(bm, 0, &start, &end));
	KUNIT_EXPECT_EQ(test, start, 3 * GRANULE);
	KUNIT_EXPECT_EQ(test, end, 5 * GRANULE);
	KUNIT_EXPECT_FALSE(test, hf_bitmap_next(bm, end, &start, &end));
	KUNIT_EXPECT_TRUE(test, hf_bitmap_test(bm, 0, 3 * GRANULE + 1));
	KUNIT_EXPECT_FALSE(test, hf_bitmap_test(bm, 0, 3 * GRANULE));
	KUNIT_EXPECT_FALSE(test, hf_bitmap_test(bm, 5 * GRANULE, 1 << 30));
	KUNIT_EXPECT_FALSE(test, hf_bitmap_mark(bm, 64 * GRANULE, 1));
	KUNIT_EXPECT_FALSE(test, hf_bitmap_mark(bm, 0, 0));
}

static void clears_inward(struct kunit *test)
{
	struct hf_bitmap *bm = new_bitmap(test, 64 * GRANULE - 512, SHIFT);

	hf_bitmap_mark_all(bm);
	KUNIT_EXPECT_EQ(test, hf_bitmap_dirty_bytes(bm), 64 * GRANULE - 512);
	KUNIT_EXPECT_FALSE(test, hf_bitmap_mark_all(bm));
	KUNIT_EXPECT_FALSE(test, hf_bitmap_clear(bm, 1, 2 * GRANULE - 2));
	KUNIT_EXPECT_TRUE(test, hf_bitmap_clear(bm, 1, 2 * GRANULE - 1));
	KUNIT_EXPECT_TRUE(test, hf_bitmap_test(bm, 0, 1));
	KUNIT_EXPECT_FALSE(test, hf_bitmap_test(bm, GRANULE, GRANULE));
	/* The last granule is not whole: it is cleared only up to the volume's end. */
	KUNIT_EXPECT_FALSE(test, hf_bitmap_clear(bm, 63 * GRANULE, GRANULE - 1024));
	KUNIT_EXPECT_TRUE(test, hf_bitmap_clear(bm, 63 * GRANULE, GRANULE - 512));
	KUNIT_EXPECT_EQ(test, hf_bitmap_dirty_bytes(bm), 62 * GRANULE);
	KUNIT_EXPECT_FALSE(test, hf_bitmap_clear(bm, 0, 0));
	KUNIT_EXPECT_TRUE(test, hf_bitmap_clear_all(bm));
	KUNIT_EXPECT_EQ(test, bm->nr_set, 0);
}

static void ranges_that_would_wrap_are_cut(struct kunit *test)
{
	struct hf_bitmap *bm = new_bitmap(test, 64 * GRANULE, SHIFT);

	KUNIT_EXPECT_TRUE(test, hf_bitmap_mark(bm, 62 * GRANULE, U64_MAX));
	KUNIT_EXPECT_EQ(test, bm->nr_set, 2);
	KUNIT_EXPECT_TRUE(test, hf_bitmap_durable(bm, U64_MAX, U64_MAX));
	KUNIT_EXPECT_TRUE(test, hf_bitmap_clear(bm, 62 * GRANULE, U64_MAX));
	KUNIT_EXPECT_EQ(test, bm->nr_set, 0);
}

static void layout_is_that_of_the_device(struct kunit *test)
{
	struct hf_bitmap *bm = new_bitmap(test, 40000ull * GRANULE, SHIFT);
	const u8 *block;

	hf_bitmap_mark(bm, 9 * GRANULE, 1);
	hf_bitmap_mark(bm, 32768ull * GRANULE, 1);
	block = hf_bitmap_block(bm, 0);
	KUNIT_EXPECT_EQ(test, block[0], 0);
	KUNIT_EXPECT_EQ(test, block[1], 2);
	block = hf_bitmap_block(bm, 1);
	KUNIT_EXPECT_EQ(test, block[0], 1);
}

static void loaded_bits_are_counted_and_the_tail_is_mended(struct kunit *test)
{
	struct hf_bitmap *bm = new_bitmap(test, 100 * GRANULE, SHIFT);
	u32 block = 0;

	bm->words[1] = cpu_to_le64(~0ull);
	bm->words[7] = cpu_to_le64(1);
	hf_bitmap_loaded(bm);
	KUNIT_EXPECT_EQ(test, bm->nr_set, 36);
	KUNIT_EXPECT_EQ(test, hf_bitmap_dirty_bytes(bm), 36 * GRANULE);
	KUNIT_EXPECT_TRUE(test, hf_bitmap_write_begin(bm, &block));
	hf_bitmap_write_end(bm, block, true);

	bm = new_bitmap(test, 32768ull * GRANULE, SHIFT);
	bm->words[511] = cpu_to_le64(1ull << 63);
	hf_bitmap_loaded(bm);
	KUNIT_EXPECT_EQ(test, bm->nr_set, 1);
	KUNIT_EXPECT_TRUE(test, hf_bitmap_saved(bm));
}

static void blocks_are_pending_until_written(struct kunit *test)
{
	struct hf_bitmap *bm = new_bitmap(test, 200 * 32768ull * GRANULE, SHIFT);
	u64 far = 150 * 32768ull * GRANULE;
	u32 block = 0;

	KUNIT_EXPECT_TRUE(test, hf_bitmap_saved(bm));
	KUNIT_EXPECT_FALSE(test, hf_bitmap_write_begin(bm, &block));
	hf_bitmap_mark(bm, far, 1);
	hf_bitmap_mark(bm, 0, 1);
	KUNIT_EXPECT_FALSE(test, hf_bitmap_durable(bm, far, 1));
	KUNIT_EXPECT_TRUE(test, hf_bitmap_durable(bm, far - GRANULE, GRANULE));
	KUNIT_EXPECT_EQ(test, bm->nr_unsaved, 2);

	block = 1;
	KUNIT_ASSERT_TRUE(test, hf_bitmap_write_begin(bm, &block));
	KUNIT_EXPECT_EQ(test, block, 150);
	KUNIT_EXPECT_FALSE(test, hf_bitmap_durable(bm, far, 1));
	/* Marked again while it is written: not taken twice, pending after. */
	hf_bitmap_mark(bm, far + GRANULE, 1);
	KUNIT_EXPECT_FALSE(test, hf_bitmap_write_begin(bm, &block));
	hf_bitmap_write_end(bm, 150, true);
	KUNIT_EXPECT_FALSE(test, hf_bitmap_durable(bm, far, 1));
	KUNIT_ASSERT_TRUE(test, hf_bitmap_write_begin(bm, &block));
	KUNIT_EXPECT_EQ(test, block, 150);
	hf_bitmap_write_end(bm, block, false);
	KUNIT_EXPECT_FALSE(test, hf_bitmap_durable(bm, far, 1));
	KUNIT_ASSERT_TRUE(test, hf_bitmap_write_begin(bm, &block));
	hf_bitmap_write_end(bm, block, true);
	KUNIT_EXPECT_TRUE(test, hf_bitmap_durable(bm, far, 1));
	KUNIT_EXPECT_FALSE(test, hf_bitmap_saved(bm));
	block = 0;
	KUNIT_ASSERT_TRUE(test, hf_bitmap_write_begin(bm, &block));
	KUNIT_EXPECT_EQ(test, block, 0);
	hf_bitmap_write_end(bm, block, true);
	KUNIT_EXPECT_TRUE(test, hf_bitmap_saved(bm));
}

/* ---------------------------------------------------------------- random */

enum { BITS = 33000 };		/* a block and a bit of the next */

struct table {
	u8	dirty[BITS];
	u8	piece[BITS / 8 + 2];
	u64	seed;
};

static void compare(struct kunit *test, const struct hf_bitmap *bm, const struct table *t)
{
	u64 from = 0, start, end, nr = 0, bit = 0;

	while (hf_bitmap_next(bm, from, &start, &end)) {
		KUNIT_ASSERT_TRUE(test, start >= from && start < end && end <= bm->size_bytes);
		for (; bit < start >> SHIFT; bit++)
			KUNIT_ASSERT_EQ(test, t->dirty[bit], 0);
		for (; bit < (end + GRANULE - 1) >> SHIFT; bit++, nr++)
			KUNIT_ASSERT_EQ(test, t->dirty[bit], 1);
		from = end;
	}
	for (; bit < BITS; bit++)
		KUNIT_ASSERT_EQ(test, t->dirty[bit], 0);
	KUNIT_ASSERT_EQ(test, bm->nr_set, nr);
}

static void step_merge(struct kunit *test, struct hf_bitmap *bm, struct table *t)
{
	u32 first = test_below(&t->seed, BITS), nr = 1 + test_below(&t->seed, 700), i;

	for (i = 0; i < nr / 8 + 1; i++)
		t->piece[i] = test_random(&t->seed) & test_random(&t->seed);
	for (i = 0; i < nr && first + i < BITS; i++)
		t->dirty[first + i] |= t->piece[i / 8] >> (i % 8) & 1;
	hf_bitmap_merge(bm, (u64)first << SHIFT, t->piece, nr);
	memset(t->piece, 0xff, sizeof(t->piece));
	hf_bitmap_export(bm, (u64)first << SHIFT, t->piece, nr);
	for (i = 0; i < (nr + 7) / 8 * 8; i++)
		KUNIT_ASSERT_EQ(test, t->piece[i / 8] >> (i % 8) & 1,
				i < nr && first + i < BITS ? t->dirty[first + i] : 0);
}

static void random_against_array(struct kunit *test)
{
	u64 size_bytes = (u64)BITS * GRANULE - 1536;
	struct hf_bitmap *bm = new_bitmap(test, size_bytes, SHIFT);
	struct table *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	unsigned int step;

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->seed = 777;
	for (step = 0; step < 600; step++) {
		u64 offset = (test_random(&t->seed) % size_bytes) & ~511ull;
		u64 length = 512 * (1 + test_below(&t->seed, 8192));
		u64 end = min(offset + length, size_bytes), bit;
		u32 choice = test_below(&t->seed, 5);

		if (choice < 2) {
			hf_bitmap_mark(bm, offset, length);
			for (bit = offset >> SHIFT; bit <= (end - 1) >> SHIFT; bit++)
				t->dirty[bit] = 1;
		} else if (choice < 4) {
			hf_bitmap_clear(bm, offset, length);
			for (bit = (offset + GRANULE - 1) >> SHIFT; bit < BITS; bit++)
				if (min(((bit + 1) << SHIFT), size_bytes) <= end)
					t->dirty[bit] = 0;
		} else {
			step_merge(test, bm, t);
		}
		compare(test, bm, t);
	}
}

static struct kunit_case bitmap_cases[] = {
	KUNIT_CASE(sizes),
	KUNIT_CASE(marks_outward),
	KUNIT_CASE(clears_inward),
	KUNIT_CASE(ranges_that_would_wrap_are_cut),
	KUNIT_CASE(layout_is_that_of_the_device),
	KUNIT_CASE(loaded_bits_are_counted_and_the_tail_is_mended),
	KUNIT_CASE(blocks_are_pending_until_written),
	KUNIT_CASE(random_against_array),
	{}
};

static struct kunit_suite bitmap_suite = {
	.name = "holdfast_bitmap_core",
	.test_cases = bitmap_cases,
};

kunit_test_suite(bitmap_suite);
MODULE_LICENSE("GPL");
