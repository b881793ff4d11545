/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Dirty bits of one slot number over memory that the caller gives (R3b), laid
 * out as on the metadata device, so that a block is written as it stands.
 * Pure: the caller holds the slot's lock; no allocation.
 */
#ifndef _HOLDFAST_BITMAP_CORE_H
#define _HOLDFAST_BITMAP_CORE_H

#include <linux/types.h>

#include "../uapi/holdfast_wire.h"

enum hf_granule_limits {
	HF_GRANULE_MIN_SHIFT	= 12,
	HF_GRANULE_MAX_SHIFT	= 28,
};

/**
 * struct hf_bitmap - dirty bits, one a granule
 * @words: the bits, whole metadata blocks
 * @pending: a bit for each block: memory is newer than the device
 * @writing: a bit for each block: a write of it is under way
 * @nr_bits: bits that stand for a granule
 * @nr_set: of them, how many are set
 * @nr_blocks: metadata blocks
 * @nr_unsaved: blocks pending or being written
 * @size_bytes: of the volume
 * @granule_shift: log2 of a granule in bytes
 *
 * Owner: the slot. The memory behind it is the slot's.
 */
struct hf_bitmap {
	__le64		*words;
	u64		*pending;
	u64		*writing;
	u64		nr_bits;
	u64		nr_set;
	u32		nr_blocks;
	u32		nr_unsaved;
	u64		size_bytes;
	u8		granule_shift;
};

/** hf_bitmap_nr_bits - bits for a volume of @size_bytes */
u64 hf_bitmap_nr_bits(u64 size_bytes, u8 granule_shift);
/** hf_bitmap_nr_blocks - metadata blocks of one bitmap, also on the device */
u32 hf_bitmap_nr_blocks(u64 size_bytes, u8 granule_shift);
/** hf_bitmap_words_bytes - memory for @words, bytes: whole blocks */
size_t hf_bitmap_words_bytes(u64 size_bytes, u8 granule_shift);
/** hf_bitmap_flags_bytes - memory for each of @pending and @writing, bytes */
size_t hf_bitmap_flags_bytes(u64 size_bytes, u8 granule_shift);

/**
 * hf_bitmap_init - an all clean bitmap, equal to a device full of zeros
 * @bm: to set up
 * @words: hf_bitmap_words_bytes() of memory, any content, 8 byte aligned
 * @flags: twice hf_bitmap_flags_bytes() of memory, any content, 8 byte aligned
 * @size_bytes: of the volume
 * @granule_shift: HF_GRANULE_MIN_SHIFT … MAX_SHIFT
 */
void hf_bitmap_init(struct hf_bitmap *bm, void *words, void *flags, u64 size_bytes,
		    u8 granule_shift);

/**
 * hf_bitmap_loaded - @words were read from the device after hf_bitmap_init()
 * @bm: bitmap
 *
 * Counts, and clears (as pending) bits that stand for nothing.
 */
void hf_bitmap_loaded(struct hf_bitmap *bm);

/**
 * hf_bitmap_mark - set the bits of all granules that a range touches
 * @bm: bitmap
 * @offset: first byte
 * @length: bytes; a range past the end of the volume is cut off
 *
 * Return: true if a bit changed: there is something to make durable.
 */
bool hf_bitmap_mark(struct hf_bitmap *bm, u64 offset, u64 length);

/**
 * hf_bitmap_clear - clear the bits of all granules wholly inside a range
 * @bm: bitmap
 * @offset: first byte
 * @length: bytes
 *
 * The last granule of the volume counts as inside when the range reaches the
 * volume's end.
 *
 * Return: true if a bit changed.
 */
bool hf_bitmap_clear(struct hf_bitmap *bm, u64 offset, u64 length);

bool hf_bitmap_mark_all(struct hf_bitmap *bm);	/* true if a bit changed */
bool hf_bitmap_clear_all(struct hf_bitmap *bm);	/* true if a bit changed */

/** hf_bitmap_test - is any granule that the range touches dirty */
bool hf_bitmap_test(const struct hf_bitmap *bm, u64 offset, u64 length);

/**
 * hf_bitmap_next - next dirty run
 * @bm: bitmap
 * @from: byte to look from
 * @start: gets the run's first byte, >= the granule of @from
 * @end: gets the byte after the run, at most the volume's size
 *
 * Return: false if nothing is dirty from there on.
 */
bool hf_bitmap_next(const struct hf_bitmap *bm, u64 from, u64 *start, u64 *end);

/** hf_bitmap_dirty_bytes - bytes of the volume that are dirty */
u64 hf_bitmap_dirty_bytes(const struct hf_bitmap *bm);

/**
 * hf_bitmap_merge - set the bits that are set in a piece of another bitmap
 * @bm: bitmap
 * @offset: byte of the volume that bit 0 of @bits stands for, a multiple of the granule
 * @bits: bytes, bit 0 of byte 0 first
 * @nr_bits: how many; those past the volume's end are not looked at
 *
 * Return: true if a bit changed.
 */
bool hf_bitmap_merge(struct hf_bitmap *bm, u64 offset, const void *bits, u64 nr_bits);

/**
 * hf_bitmap_export - copy a piece out, in the form hf_bitmap_merge() takes
 * @bm: bitmap
 * @offset: as there
 * @bits: gets DIV_ROUND_UP(nr_bits, 8) bytes, the rest of the last byte 0
 * @nr_bits: how many; those past the volume's end are 0
 */
void hf_bitmap_export(const struct hf_bitmap *bm, u64 offset, void *bits, u64 nr_bits);

/* Blocks to be written to the metadata device. */

/**
 * hf_bitmap_write_begin - take the next pending block
 * @bm: bitmap
 * @block: block to look from; gets the number of the one taken
 *
 * A block that is being written is not taken a second time before
 * hf_bitmap_write_end(). The caller copies it (hf_bitmap_block()) under the
 * same hold of its lock.
 *
 * Return: false: none from @block on.
 */
bool hf_bitmap_write_begin(struct hf_bitmap *bm, u32 *block);

/** hf_bitmap_write_end - the write of @block ended; a failed one is pending again */
void hf_bitmap_write_end(struct hf_bitmap *bm, u32 block, bool ok);

/** hf_bitmap_block - the 4096 bytes of a block, as they go to the device */
const void *hf_bitmap_block(const struct hf_bitmap *bm, u32 block);

/** hf_bitmap_durable - are the bits of this range on the device as they are here */
bool hf_bitmap_durable(const struct hf_bitmap *bm, u64 offset, u64 length);

/** hf_bitmap_saved - are all bits on the device as they are here */
static inline bool hf_bitmap_saved(const struct hf_bitmap *bm)
{
	return !bm->nr_unsaved;
}

#endif /* _HOLDFAST_BITMAP_CORE_H */
