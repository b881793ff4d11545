// SPDX-License-Identifier: GPL-2.0
/* The metadata device: geometry, superblock, choice between copies, format. */
#include <kunit/test.h>
#include <asm/byteorder.h>
#include <linux/crc32c.h>
#include <linux/errno.h>
#include <linux/module.h>

#include "../al_core.h"
#include "../meta_core.h"
#include "random.h"
#include "sample.h"

static void geometry(struct kunit *test)
{
	struct hf_meta_layout l;
	const char *why;

	KUNIT_ASSERT_EQ(test, hf_meta_layout_init(&l, 1ull << 30, 0, 0, 0, &why), 0);
	KUNIT_EXPECT_EQ(test, l.extent_shift, 20);
	KUNIT_EXPECT_EQ(test, l.log_entries, 128);
	KUNIT_EXPECT_EQ(test, l.granule_shift, 12);
	KUNIT_EXPECT_EQ(test, l.log_start, 2);
	KUNIT_EXPECT_EQ(test, l.log_blocks, 16);
	KUNIT_EXPECT_EQ(test, l.bitmap_start, 18);
	KUNIT_EXPECT_EQ(test, l.bitmap_blocks, 8);
	KUNIT_EXPECT_EQ(test, l.total_blocks, 18 + 4 * 8);
	KUNIT_EXPECT_EQ(test, hf_meta_min_bytes(&l), 50 * 4096);
	KUNIT_EXPECT_EQ(test, hf_meta_nr_extents(&l), 1024);
	KUNIT_EXPECT_EQ(test, hf_meta_bitmap_block(&l, 3), 18 + 24);
	KUNIT_EXPECT_EQ(test, hf_meta_log_block(&l, 0), 2);
	KUNIT_EXPECT_EQ(test, hf_meta_log_block(&l, 31), 17);
	KUNIT_EXPECT_EQ(test, hf_meta_log_block(&l, 32), 2);

	KUNIT_ASSERT_EQ(test, hf_meta_layout_init(&l, (1ull << 30) + 4096, 0, 0, 0, &why), 0);
	KUNIT_EXPECT_EQ(test, l.bitmap_blocks, 9);
	KUNIT_EXPECT_EQ(test, hf_meta_nr_extents(&l), 1025);
	/* One bit for 4 KiB up to 1 TiB, coarser above. */
	KUNIT_ASSERT_EQ(test, hf_meta_layout_init(&l, 1ull << 40, 0, 0, 0, &why), 0);
	KUNIT_EXPECT_EQ(test, l.granule_shift, 12);
	KUNIT_ASSERT_EQ(test, hf_meta_layout_init(&l, (1ull << 40) + 4096, 0, 0, 0, &why), 0);
	KUNIT_EXPECT_EQ(test, l.granule_shift, 13);
	KUNIT_ASSERT_EQ(test, hf_meta_layout_init(&l, 1ull << 56, 0, 0, 0, &why), 0);
	KUNIT_EXPECT_EQ(test, l.granule_shift, 28);
	KUNIT_EXPECT_EQ(test, l.extent_shift, 26);
}

static void geometry_that_cannot_be(struct kunit *test)
{
	struct hf_meta_layout l;
	const char *why;
	u64 size = 1ull << 30;

	KUNIT_EXPECT_EQ(test, hf_meta_layout_init(&l, (1 << 20) - 4096, 0, 0, 0, &why), -EINVAL);
	KUNIT_EXPECT_STREQ(test, why, "the size is below 1 MiB");
	KUNIT_EXPECT_EQ(test, hf_meta_layout_init(&l, size + 512, 0, 0, 0, &why), -EINVAL);
	KUNIT_EXPECT_EQ(test, hf_meta_layout_init(&l, (1ull << 56) + 4096, 0, 0, 0, &why), -EINVAL);
	KUNIT_EXPECT_EQ(test, hf_meta_layout_init(&l, size, 15, 0, 0, &why), -EINVAL);
	KUNIT_EXPECT_EQ(test, hf_meta_layout_init(&l, size, 31, 0, 0, &why), -EINVAL);
	KUNIT_EXPECT_EQ(test, hf_meta_layout_init(&l, 1ull << 56, 20, 0, 0, &why), -EINVAL);
	KUNIT_EXPECT_STREQ(test, why, "the volume has more extents than a log can name");
	KUNIT_EXPECT_EQ(test, hf_meta_layout_init(&l, size, 0, 1001, 0, &why), -EINVAL);
	KUNIT_EXPECT_EQ(test, hf_meta_layout_init(&l, size, 0, 1, 0, &why), -EINVAL);
	KUNIT_EXPECT_EQ(test, hf_meta_layout_init(&l, size, 0, 2, 0, &why), 0);
	KUNIT_EXPECT_EQ(test, hf_meta_layout_init(&l, size, 16, 16, 0, &why), -EINVAL);
	KUNIT_EXPECT_EQ(test, hf_meta_layout_init(&l, size, 16, 17, 0, &why), 0);
	KUNIT_EXPECT_EQ(test, hf_meta_layout_init(&l, size, 0, 0, 11, &why), -EINVAL);
	KUNIT_EXPECT_EQ(test, hf_meta_layout_init(&l, size, 0, 0, 29, &why), -EINVAL);
	/* The largest write, placed as badly as can be, fits the smallest log. */
	KUNIT_EXPECT_EQ(test, hf_meta_min_log_entries(20), 2);
	KUNIT_EXPECT_EQ(test, hf_meta_min_log_entries(16), 17);
	KUNIT_EXPECT_EQ(test, hf_meta_min_log_entries(22), 2);
}

/* -------------------------------------------------------- superblocks */

struct supers {
	struct hf_disk_super	copies[HF_SUPER_COPIES];
	struct hf_super		super, found;
};

static struct supers *new_supers(struct kunit *test)
{
	struct supers *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	const char *why;

	KUNIT_ASSERT_NOT_NULL(test, s);
	sample_conf(&s->super.conf);
	memcpy(s->super.volume, s->super.conf.volume, 16);
	s->super.generation = 6;
	s->super.incarnation = 0x100;
	s->super.term = s->super.conf.term;
	s->super.epoch = s->super.conf.epoch;
	s->super.slot = 1;
	s->super.node = 12;
	s->super.promise_open = true;
	s->super.bitmap_incarnation[2] = 0x102;
	KUNIT_ASSERT_EQ(test, 0,
			hf_meta_layout_init(&s->super.layout, SAMPLE_BYTES, 0, 0, 0, &why));
	hf_meta_encode(&s->super, &s->copies[0]);
	s->super.generation = 7;
	s->super.promise_open = false;
	hf_meta_encode(&s->super, &s->copies[1]);
	return s;
}

static void reseal(struct hf_disk_super *block)
{
	block->crc = cpu_to_le32(crc32c(0xffffffffu, block, offsetof(struct hf_disk_super, crc)));
}

static void superblock_travels_unchanged(struct kunit *test)
{
	struct supers *s = new_supers(test);
	struct hf_disk_super *again = kunit_kzalloc(test, sizeof(*again), GFP_KERNEL);
	const char *why = NULL;

	KUNIT_ASSERT_NOT_NULL(test, again);
	KUNIT_ASSERT_EQ(test, hf_meta_decode(&s->copies[0], &s->found, &why), 0);
	hf_meta_encode(&s->found, again);
	KUNIT_EXPECT_EQ(test, memcmp(again, &s->copies[0], sizeof(*again)), 0);
	KUNIT_EXPECT_EQ(test, s->found.generation, 6);
	KUNIT_EXPECT_EQ(test, s->found.incarnation, 0x100);
	KUNIT_EXPECT_EQ(test, s->found.slot, 1);
	KUNIT_EXPECT_EQ(test, s->found.node, 12);
	KUNIT_EXPECT_TRUE(test, s->found.promise_open);
	KUNIT_EXPECT_EQ(test, s->found.bitmap_incarnation[2], 0x102);
	KUNIT_EXPECT_EQ(test, s->found.conf.in_sync_mask, 3);
	KUNIT_EXPECT_EQ(test, s->found.layout.total_blocks, s->super.layout.total_blocks);
	KUNIT_EXPECT_EQ(test, ((u8 *)again)[0], 'h');
	KUNIT_EXPECT_EQ(test, ((u8 *)again)[7], 'a');
}

static void newer_whole_copy_counts(struct kunit *test)
{
	struct supers *s = new_supers(test);
	const char *why;

	KUNIT_ASSERT_EQ(test, hf_meta_choose(s->copies, &s->found, &why), 0);
	KUNIT_EXPECT_EQ(test, s->found.generation, 7);
	KUNIT_EXPECT_FALSE(test, s->found.promise_open);
	/* Torn: the one before counts. */
	s->copies[1].resv[2000] ^= 4;
	KUNIT_ASSERT_EQ(test, hf_meta_choose(s->copies, &s->found, &why), 0);
	KUNIT_EXPECT_EQ(test, s->found.generation, 6);
	memset(&s->copies[1], 0, sizeof(s->copies[1]));
	KUNIT_ASSERT_EQ(test, hf_meta_choose(s->copies, &s->found, &why), 0);
	memset(&s->copies[0], 0, sizeof(s->copies[0]));
	s->found.generation = 99;
	KUNIT_EXPECT_EQ(test, hf_meta_choose(s->copies, &s->found, &why), -ENODATA);
	KUNIT_EXPECT_STREQ(test, why, "the device holds no metadata of a slot");
	KUNIT_EXPECT_EQ(test, s->found.generation, 99);
}

static void copies_that_contradict(struct kunit *test)
{
	struct supers *s = new_supers(test);
	struct hf_disk_super *swap = kunit_kzalloc(test, sizeof(*swap), GFP_KERNEL);
	const char *why;

	KUNIT_ASSERT_NOT_NULL(test, swap);
	*swap = s->copies[0];
	s->copies[0] = s->copies[1];
	s->copies[1] = *swap;
	KUNIT_EXPECT_EQ(test, hf_meta_choose(s->copies, &s->found, &why), -EINVAL);
	KUNIT_EXPECT_STREQ(test, why, "a copy of the superblock is in the other's place");

	s = new_supers(test);
	s->copies[1].incarnation = cpu_to_le64(0x101);
	reseal(&s->copies[1]);
	KUNIT_EXPECT_EQ(test, hf_meta_choose(s->copies, &s->found, &why), -EINVAL);
	KUNIT_EXPECT_STREQ(test, why, "the copies of the superblock are of different slots");
	s->copies[1].incarnation = cpu_to_le64(0x100);
	/* A newer program wrote it: the older copy would be a step back. */
	s->copies[1].version = cpu_to_le32(2);
	reseal(&s->copies[1]);
	KUNIT_EXPECT_EQ(test, hf_meta_choose(s->copies, &s->found, &why), -EINVAL);
	KUNIT_EXPECT_STREQ(test, why, "the metadata is of a version that is not known here");
}

#define REFUSED(change, sentence) do {						\
	struct hf_disk_super *b;						\
										\
	s = new_supers(test);							\
	b = &s->copies[0];							\
	change;									\
	reseal(b);								\
	KUNIT_EXPECT_EQ(test, hf_meta_decode(b, &s->found, &why), -EINVAL);	\
	KUNIT_EXPECT_STREQ(test, why, sentence);				\
} while (0)

static void superblocks_that_cannot_be(struct kunit *test)
{
	struct supers *s;
	const char *why;

	REFUSED(b->block_bytes = cpu_to_le32(512),
		"the metadata is of a version that is not known here");
	REFUSED(b->resv[3707] = 1, "reserved bytes of the superblock are not zero");
	REFUSED(memset(b->volume, 0, 16), "the superblock's volume is zero");
	REFUSED(b->slot = cpu_to_le32(4),
		"the superblock's slot, node or incarnation cannot be");
	REFUSED(b->node = 0, "the superblock's slot, node or incarnation cannot be");
	REFUSED(b->incarnation = 0, "the superblock's slot, node or incarnation cannot be");
	REFUSED(b->promise_open = cpu_to_le32(2),
		"the superblock's promise is neither open nor closed");
	REFUSED(b->log_entries = 0, "the superblock's geometry is not complete");
	REFUSED(b->size_bytes = cpu_to_le64(512), "the size is below 1 MiB");
	REFUSED(b->size_bytes = cpu_to_le64(1ull << 40),
		"the superblock's geometry does not fit its size");
	REFUSED(b->bitmap_start = cpu_to_le32(19),
		"the superblock's geometry does not fit its size");
	REFUSED(b->log_blocks = cpu_to_le32(8),
		"the superblock's geometry does not fit its size");
	REFUSED(b->log_start = cpu_to_le32(0),
		"the superblock's geometry does not fit its size");
	REFUSED(b->epoch = cpu_to_le64(9),
		"the superblock's configuration is of another term or epoch");
	REFUSED(b->term = cpu_to_le64(2),
		"the superblock's configuration is of another term or epoch");
	REFUSED(b->epoch = 0,
		"the superblock has a configuration without an epoch");
	REFUSED(b->conf.volume[3] ^= 1,
		"the superblock's configuration is of another volume or size");
	REFUSED(b->conf.size_bytes = cpu_to_le64(2 << 20),
		"the superblock's configuration is of another volume or size");
	REFUSED(b->conf.in_sync_mask = 0, "the in-sync set is empty");
}

/* -------------------------------------------------------------- format */

enum { DEVICE_BLOCKS = 64 };

struct device {
	u8		blocks[DEVICE_BLOCKS][HF_META_BLOCK];
	unsigned int	steps, fail_at;
};

static bool fails(struct device *d)
{
	return ++d->steps == d->fail_at;
}

static int device_write(void *context, u64 block, const void *data)
{
	struct device *d = context;

	if (fails(d))
		return -EIO;
	memcpy(d->blocks[block], data, HF_META_BLOCK);
	return 0;
}

static int device_zero(void *context, u64 block, u64 count)
{
	struct device *d = context;

	if (fails(d))
		return -EIO;
	memset(d->blocks[block], 0, count * HF_META_BLOCK);
	return 0;
}

static int device_flush(void *context)
{
	return fails(context) ? -EIO : 0;
}

static int format(struct kunit *test, struct device *d, const struct hf_meta_layout *layout)
{
	struct hf_meta_writer writer = { device_write, device_zero, device_flush, d };
	void *block = kunit_kzalloc(test, HF_META_BLOCK, GFP_KERNEL);
	u8 volume[16] = { 9, 8, 7 };

	KUNIT_ASSERT_NOT_NULL(test, block);
	return hf_meta_format(layout, volume, 0xfeed, 2, 5, block, &writer);
}

static void formatted_device_is_a_fresh_slot(struct kunit *test)
{
	struct device *d = kunit_kzalloc(test, sizeof(*d), GFP_KERNEL);
	void *memory = kunit_kzalloc(test, hf_al_memory_bytes(), GFP_KERNEL);
	struct hf_meta_layout layout;
	struct hf_super super;
	struct hf_al al;
	const char *why;

	KUNIT_ASSERT_NOT_NULL(test, d);
	KUNIT_ASSERT_NOT_NULL(test, memory);
	memset(d->blocks, 0xee, sizeof(d->blocks));
	KUNIT_ASSERT_EQ(test, hf_meta_layout_init(&layout, SAMPLE_BYTES, 0, 0, 0, &why), 0);
	KUNIT_ASSERT_EQ(test, layout.total_blocks, 22);
	KUNIT_ASSERT_EQ(test, format(test, d, &layout), 0);
	KUNIT_ASSERT_EQ(test, hf_meta_choose((void *)d->blocks, &super, &why), 0);
	KUNIT_EXPECT_EQ(test, super.incarnation, 0xfeed);
	KUNIT_EXPECT_EQ(test, super.slot, 2);
	KUNIT_EXPECT_EQ(test, super.node, 5);
	KUNIT_EXPECT_EQ(test, super.epoch, 0);
	KUNIT_EXPECT_FALSE(test, super.promise_open);
	KUNIT_EXPECT_EQ(test, super.bitmap_incarnation[0], 0);
	/* Either copy alone will do. */
	KUNIT_EXPECT_EQ(test, hf_meta_decode((void *)d->blocks[0], &super, &why), 0);
	KUNIT_EXPECT_EQ(test, hf_meta_decode((void *)d->blocks[1], &super, &why), 0);
	hf_al_init(&al, memory, layout.log_entries, 0xfeed);
	KUNIT_EXPECT_EQ(test, hf_al_load(&al, (void *)d->blocks[layout.log_start],
					 layout.log_blocks, hf_meta_nr_extents(&layout)), 0);
	KUNIT_EXPECT_FALSE(test, hf_al_unclean(&al));
	KUNIT_EXPECT_EQ(test, hf_al_used(&al), 0);
	KUNIT_EXPECT_TRUE(test, !memchr_inv(d->blocks[layout.bitmap_start], 0, 4 * HF_META_BLOCK));
	KUNIT_EXPECT_EQ(test, d->blocks[22][0], 0xee);
}

static void format_that_breaks_off_is_none(struct kunit *test)
{
	struct device *d = kunit_kzalloc(test, sizeof(*d), GFP_KERNEL);
	struct hf_meta_layout layout;
	struct hf_super super;
	unsigned int steps, i;
	const char *why;

	KUNIT_ASSERT_NOT_NULL(test, d);
	KUNIT_ASSERT_EQ(test, hf_meta_layout_init(&layout, SAMPLE_BYTES, 0, 0, 0, &why), 0);
	KUNIT_ASSERT_EQ(test, format(test, d, &layout), 0);
	steps = d->steps;
	KUNIT_EXPECT_GT(test, steps, 6);
	for (i = 1; i <= steps; i++) {
		/* An earlier slot's metadata is there. */
		d->steps = 0;
		d->fail_at = 0;
		KUNIT_ASSERT_EQ(test, format(test, d, &layout), 0);
		d->steps = 0;
		d->fail_at = i;
		KUNIT_EXPECT_EQ(test, format(test, d, &layout), -EIO);
		if (i >= 2 && i < steps - 1)
			KUNIT_EXPECT_EQ(test, hf_meta_choose((void *)d->blocks, &super, &why),
					-ENODATA);
	}
}

static void format_refuses_nonsense(struct kunit *test)
{
	struct hf_meta_writer writer = { device_write, device_zero, device_flush, NULL };
	u8 volume[16] = { 1 }, nil[16] = { 0 };
	struct hf_meta_layout layout;
	const char *why;

	KUNIT_ASSERT_EQ(test, hf_meta_layout_init(&layout, SAMPLE_BYTES, 0, 0, 0, &why), 0);
	KUNIT_EXPECT_EQ(test, hf_meta_format(&layout, nil, 1, 0, 1, NULL, &writer), -EINVAL);
	KUNIT_EXPECT_EQ(test, hf_meta_format(&layout, volume, 0, 0, 1, NULL, &writer), -EINVAL);
	KUNIT_EXPECT_EQ(test, hf_meta_format(&layout, volume, 1, 4, 1, NULL, &writer), -EINVAL);
	KUNIT_EXPECT_EQ(test, hf_meta_format(&layout, volume, 1, 0, 0, NULL, &writer), -EINVAL);
}

static struct kunit_case meta_cases[] = {
	KUNIT_CASE(geometry),
	KUNIT_CASE(geometry_that_cannot_be),
	KUNIT_CASE(superblock_travels_unchanged),
	KUNIT_CASE(newer_whole_copy_counts),
	KUNIT_CASE(copies_that_contradict),
	KUNIT_CASE(superblocks_that_cannot_be),
	KUNIT_CASE(formatted_device_is_a_fresh_slot),
	KUNIT_CASE(format_that_breaks_off_is_none),
	KUNIT_CASE(format_refuses_nonsense),
	{}
};

static struct kunit_suite meta_suite = {
	.name = "holdfast_meta_core",
	.test_cases = meta_cases,
};

kunit_test_suite(meta_suite);
MODULE_LICENSE("GPL");
