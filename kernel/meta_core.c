// SPDX-License-Identifier: GPL-2.0
/*
 * The metadata device as bytes: geometry, superblock (R1: what a slot was told
 * outlives it), and a fresh format. Reads and writes nothing by itself: meta.c
 * does in the module, the agent through a writer when it makes a slot (R16).
 * Pure, no locks.
 */
#include "meta_core.h"

#include <asm/byteorder.h>
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/crc32c.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "al_core.h"
#include "bitmap_core.h"

#define CRC_INIT		0xffffffffu
#define META_LOG_START		HF_SUPER_COPIES
#define META_MAX_BITS		BIT_ULL(28)	/* 1 TiB at 4 KiB: 32 MiB of bits */

static_assert(sizeof(struct hf_disk_super) == HF_META_BLOCK);
static_assert(sizeof(struct hf_disk_log) == HF_META_BLOCK);
static_assert((HF_LOG_RING_BLOCKS & (HF_LOG_RING_BLOCKS - 1)) == 0);

static int refuse(const char **why, const char *sentence)
{
	*why = sentence;
	return -EINVAL;
}

u32 hf_meta_min_log_entries(u32 extent_shift)
{
	/* Extents that a write of the largest size can touch. */
	return ((HF_MAX_IO_BYTES - 512) >> extent_shift) + 2;
}

u32 hf_meta_nr_extents(const struct hf_meta_layout *layout)
{
	return (layout->size_bytes + (1ull << layout->extent_shift) - 1) >> layout->extent_shift;
}

static u32 default_extent_shift(u64 size_bytes)
{
	u32 shift = HF_EXTENT_DEFAULT_SHIFT;

	while (size_bytes >> shift >= HF_AL_ALL_EXTENTS - 1)
		shift++;
	return shift;
}

static u32 default_granule_shift(u64 size_bytes)
{
	u32 shift = HF_GRANULE_DEFAULT_SHIFT;

	while (size_bytes >> shift > META_MAX_BITS)
		shift++;
	return shift;
}

int hf_meta_layout_init(struct hf_meta_layout *layout, u64 size_bytes, u32 extent_shift,
			u32 log_entries, u32 granule_shift, const char **why)
{
	if (size_bytes < HF_MIN_VOLUME_BYTES)
		return refuse(why, "the size is below 1 MiB");
	if (size_bytes % HF_BLOCK_BYTES)
		return refuse(why, "the size is not a multiple of 4096 bytes");
	if (size_bytes > 1ull << 56)
		return refuse(why, "the size is above 64 PiB");
	if (!extent_shift)
		extent_shift = default_extent_shift(size_bytes);
	if (!granule_shift)
		granule_shift = default_granule_shift(size_bytes);
	if (!log_entries)
		log_entries = HF_LOG_DEFAULT_ENTRIES;
	if (extent_shift < HF_EXTENT_MIN_SHIFT || extent_shift > HF_EXTENT_MAX_SHIFT)
		return refuse(why, "the extents are smaller than 64 KiB or larger than 1 GiB");
	if (size_bytes >> extent_shift >= HF_AL_ALL_EXTENTS - 1)
		return refuse(why, "the volume has more extents than a log can name");
	if (log_entries > HF_LOG_MAX_ENTRIES ||
	    log_entries < hf_meta_min_log_entries(extent_shift))
		return refuse(why, "the log has too few entries for one write, or more than 1000");
	if (granule_shift < HF_GRANULE_MIN_SHIFT || granule_shift > HF_GRANULE_MAX_SHIFT)
		return refuse(why, "a dirty bit stands for less than 4 KiB or more than 256 MiB");

	layout->size_bytes = size_bytes;
	layout->extent_shift = extent_shift;
	layout->log_entries = log_entries;
	layout->granule_shift = granule_shift;
	layout->log_start = META_LOG_START;
	layout->log_blocks = HF_LOG_RING_BLOCKS;
	layout->bitmap_start = layout->log_start + layout->log_blocks;
	layout->bitmap_blocks = hf_bitmap_nr_blocks(size_bytes, granule_shift);
	layout->total_blocks = layout->bitmap_start + (u64)HF_MAX_SLOTS * layout->bitmap_blocks;
	return 0;
}

u64 hf_meta_min_bytes(const struct hf_meta_layout *layout)
{
	return layout->total_blocks * HF_META_BLOCK;
}

u64 hf_meta_bitmap_block(const struct hf_meta_layout *layout, u8 slot)
{
	return layout->bitmap_start + (u64)slot * layout->bitmap_blocks;
}

u64 hf_meta_log_block(const struct hf_meta_layout *layout, u64 sequence)
{
	return layout->log_start + hf_al_ring_block(sequence, layout->log_blocks);
}

/* ------------------------------------------------------------ superblock */

static u32 super_crc(const struct hf_disk_super *block)
{
	return crc32c(CRC_INIT, block, offsetof(struct hf_disk_super, crc));
}

void hf_meta_encode(const struct hf_super *super, struct hf_disk_super *block)
{
	const struct hf_meta_layout *layout = &super->layout;
	unsigned int i;

	memset(block, 0, sizeof(*block));
	block->magic = cpu_to_le64(HF_META_MAGIC);
	block->version = cpu_to_le32(HF_META_VERSION);
	block->block_bytes = cpu_to_le32(HF_META_BLOCK);
	block->generation = cpu_to_le64(super->generation);
	memcpy(block->volume, super->volume, sizeof(block->volume));
	block->incarnation = cpu_to_le64(super->incarnation);
	block->size_bytes = cpu_to_le64(layout->size_bytes);
	block->term = cpu_to_le64(super->term);
	block->epoch = cpu_to_le64(super->epoch);
	block->slot = cpu_to_le32(super->slot);
	block->node = cpu_to_le32(super->node);
	block->extent_shift = cpu_to_le32(layout->extent_shift);
	block->log_entries = cpu_to_le32(layout->log_entries);
	block->granule_shift = cpu_to_le32(layout->granule_shift);
	block->log_start = cpu_to_le32(layout->log_start);
	block->log_blocks = cpu_to_le32(layout->log_blocks);
	block->bitmap_start = cpu_to_le32(layout->bitmap_start);
	block->bitmap_blocks = cpu_to_le32(layout->bitmap_blocks);
	block->promise_open = cpu_to_le32(super->promise_open);
	for (i = 0; i < HF_MAX_SLOTS; i++)
		block->bitmap_incarnation[i] = cpu_to_le64(super->bitmap_incarnation[i]);
	if (super->epoch)
		hf_conf_encode(&super->conf, &block->conf);
	block->crc = cpu_to_le32(super_crc(block));
}

/* The geometry that is stored is the one this version computes, or none. */
static int decode_layout(const struct hf_disk_super *block, struct hf_meta_layout *layout,
			 const char **why)
{
	u32 extent_shift = le32_to_cpu(block->extent_shift);
	u32 log_entries = le32_to_cpu(block->log_entries);
	u32 granule_shift = le32_to_cpu(block->granule_shift);

	if (!extent_shift || !log_entries || !granule_shift)
		return refuse(why, "the superblock's geometry is not complete");
	if (hf_meta_layout_init(layout, le64_to_cpu(block->size_bytes), extent_shift,
				log_entries, granule_shift, why))
		return -EINVAL;
	if (le32_to_cpu(block->log_start) != layout->log_start ||
	    le32_to_cpu(block->log_blocks) != layout->log_blocks ||
	    le32_to_cpu(block->bitmap_start) != layout->bitmap_start ||
	    le32_to_cpu(block->bitmap_blocks) != layout->bitmap_blocks)
		return refuse(why, "the superblock's geometry does not fit its size");
	return 0;
}

static int decode_conf(const struct hf_disk_super *block, struct hf_super *super,
		       const char **why)
{
	super->term = le64_to_cpu(block->term);
	super->epoch = le64_to_cpu(block->epoch);
	if (!super->epoch) {
		if (super->term || memchr_inv(&block->conf, 0, sizeof(block->conf)))
			return refuse(why, "the superblock has a configuration without an epoch");
		return 0;
	}
	if (hf_conf_decode(&block->conf, &super->conf, why))
		return -EINVAL;
	if (super->conf.epoch != super->epoch || super->conf.term != super->term)
		return refuse(why, "the superblock's configuration is of another term or epoch");
	if (memcmp(super->conf.volume, super->volume, sizeof(super->volume)) ||
	    super->conf.size_bytes != super->layout.size_bytes)
		return refuse(why, "the superblock's configuration is of another volume or size");
	return 0;
}

static int decode_identity(const struct hf_disk_super *block, struct hf_super *super,
			   const char **why)
{
	unsigned int i;

	if (memchr_inv(block->resv, 0, sizeof(block->resv)))
		return refuse(why, "reserved bytes of the superblock are not zero");
	super->generation = le64_to_cpu(block->generation);
	memcpy(super->volume, block->volume, sizeof(super->volume));
	super->incarnation = le64_to_cpu(block->incarnation);
	super->slot = le32_to_cpu(block->slot);
	super->node = le32_to_cpu(block->node);
	super->promise_open = block->promise_open != 0;
	for (i = 0; i < HF_MAX_SLOTS; i++)
		super->bitmap_incarnation[i] = le64_to_cpu(block->bitmap_incarnation[i]);
	if (!memchr_inv(super->volume, 0, sizeof(super->volume)))
		return refuse(why, "the superblock's volume is zero");
	if (!super->incarnation || !super->node || super->slot >= HF_MAX_SLOTS)
		return refuse(why, "the superblock's slot, node or incarnation cannot be");
	if (le32_to_cpu(block->promise_open) > 1)
		return refuse(why, "the superblock's promise is neither open nor closed");
	return 0;
}

int hf_meta_decode(const struct hf_disk_super *block, struct hf_super *super, const char **why)
{
	int err;

	memset(super, 0, sizeof(*super));
	if (le64_to_cpu(block->magic) != HF_META_MAGIC) {
		*why = "the device holds no metadata of a slot";
		return -EBADMSG;
	}
	if (le32_to_cpu(block->crc) != super_crc(block)) {
		*why = "the superblock's checksum is wrong";
		return -EBADMSG;
	}
	if (le32_to_cpu(block->version) != HF_META_VERSION ||
	    le32_to_cpu(block->block_bytes) != HF_META_BLOCK)
		return refuse(why, "the metadata is of a version that is not known here");
	err = decode_identity(block, super, why);
	if (!err)
		err = decode_layout(block, &super->layout, why);
	if (!err)
		err = decode_conf(block, super, why);
	return err;
}

/* Two copies of one slot differ only in what is written while it lives. */
static bool same_slot(const struct hf_super *a, const struct hf_super *b)
{
	return !memcmp(a->volume, b->volume, sizeof(a->volume)) &&
	       a->incarnation == b->incarnation && a->slot == b->slot && a->node == b->node &&
	       a->layout.size_bytes == b->layout.size_bytes &&
	       a->layout.extent_shift == b->layout.extent_shift &&
	       a->layout.log_entries == b->layout.log_entries &&
	       a->layout.granule_shift == b->layout.granule_shift;
}

int hf_meta_choose(const struct hf_disk_super copies[HF_SUPER_COPIES], struct hf_super *super,
		   const char **why)
{
	const struct hf_super *chosen = NULL;
	struct hf_super found[HF_SUPER_COPIES];
	unsigned int i;
	int err;

	for (i = 0; i < HF_SUPER_COPIES; i++) {
		err = hf_meta_decode(&copies[i], &found[i], why);
		if (err == -EBADMSG)
			continue;
		if (err)
			return err;
		if (hf_meta_copy(found[i].generation) != i)
			return refuse(why, "a copy of the superblock is in the other's place");
		if (chosen && !same_slot(chosen, &found[i]))
			return refuse(why, "the copies of the superblock are of different slots");
		if (!chosen || found[i].generation > chosen->generation)
			chosen = &found[i];
	}
	if (!chosen)
		return -ENODATA;
	*super = *chosen;
	*why = NULL;
	return 0;
}

/* ---------------------------------------------------------------- format */

static int format_log(const struct hf_meta_layout *layout, u64 incarnation, void *block,
		      const struct hf_meta_writer *writer)
{
	struct hf_disk_log *record = block;

	memset(record, 0, sizeof(*record));
	record->sequence = cpu_to_le64(1);
	record->incarnation = cpu_to_le64(incarnation);
	hf_al_record_seal(record);
	return writer->write(writer->context, hf_meta_log_block(layout, 1), block);
}

static int format_supers(struct hf_super *super, void *block, const struct hf_meta_writer *writer)
{
	int err = 0;

	/* Both copies, so that a damaged block does not make it a device without metadata. */
	for (super->generation = 1; super->generation <= HF_SUPER_COPIES && !err;
	     super->generation++) {
		hf_meta_encode(super, block);
		err = writer->write(writer->context, hf_meta_copy(super->generation), block);
	}
	return err ? err : writer->flush(writer->context);
}

int hf_meta_format(const struct hf_meta_layout *layout, const u8 volume[16], u64 incarnation,
		   u32 slot, u32 node, void *block, const struct hf_meta_writer *writer)
{
	struct hf_super super;
	int err;

	if (!incarnation || !node || slot >= HF_MAX_SLOTS || !memchr_inv(volume, 0, 16))
		return -EINVAL;
	memset(&super, 0, sizeof(super));
	memcpy(super.volume, volume, sizeof(super.volume));
	super.incarnation = incarnation;
	super.slot = slot;
	super.node = node;
	super.layout = *layout;

	err = writer->zero(writer->context, 0, HF_SUPER_COPIES);
	if (!err)
		err = writer->flush(writer->context);
	if (!err)
		err = writer->zero(writer->context, layout->log_start,
				   layout->total_blocks - layout->log_start);
	if (!err)
		err = format_log(layout, incarnation, block, writer);
	if (!err)
		err = writer->flush(writer->context);
	if (!err)
		err = format_supers(&super, block, writer);
	return err;
}
