// SPDX-License-Identifier: GPL-2.0
/*
 * Dirty bits of one slot number (R3b): set outward, cleared inward, counted,
 * and followed to the metadata device block by block. Where the memory comes
 * from and who writes the blocks is bitmap.c's. The caller holds the slot's
 * lock; nothing here sleeps or allocates.
 */
#include "bitmap_core.h"

#include <asm/byteorder.h>
#include <linux/bitops.h>
#include <linux/bug.h>
#include <linux/kernel.h>
#include <linux/string.h>

#define WORD_BITS	64
#define BLOCK_WORDS	(HF_META_BLOCK / 8)
#define BLOCK_BITS	(HF_META_BLOCK * 8)

u64 hf_bitmap_nr_bits(u64 size_bytes, u8 granule_shift)
{
	return (size_bytes + (1ull << granule_shift) - 1) >> granule_shift;
}

u32 hf_bitmap_nr_blocks(u64 size_bytes, u8 granule_shift)
{
	return (hf_bitmap_nr_bits(size_bytes, granule_shift) + BLOCK_BITS - 1) >> 15;
}

size_t hf_bitmap_words_bytes(u64 size_bytes, u8 granule_shift)
{
	return (size_t)hf_bitmap_nr_blocks(size_bytes, granule_shift) * HF_META_BLOCK;
}

size_t hf_bitmap_flags_bytes(u64 size_bytes, u8 granule_shift)
{
	return DIV_ROUND_UP(hf_bitmap_nr_blocks(size_bytes, granule_shift), WORD_BITS) * 8;
}

void hf_bitmap_init(struct hf_bitmap *bm, void *words, void *flags, u64 size_bytes,
		    u8 granule_shift)
{
	size_t flags_bytes = hf_bitmap_flags_bytes(size_bytes, granule_shift);

	bm->words = words;
	bm->pending = flags;
	bm->writing = bm->pending + flags_bytes / 8;
	bm->nr_bits = hf_bitmap_nr_bits(size_bytes, granule_shift);
	bm->nr_set = 0;
	bm->nr_blocks = hf_bitmap_nr_blocks(size_bytes, granule_shift);
	bm->nr_unsaved = 0;
	bm->size_bytes = size_bytes;
	bm->granule_shift = granule_shift;
	memset(words, 0, hf_bitmap_words_bytes(size_bytes, granule_shift));
	memset(flags, 0, 2 * flags_bytes);
}

static bool flag_test(const u64 *flags, u32 block)
{
	return flags[block / WORD_BITS] & BIT_ULL(block % WORD_BITS);
}

static void flag_set(u64 *flags, u32 block)
{
	flags[block / WORD_BITS] |= BIT_ULL(block % WORD_BITS);
}

static void flag_clear(u64 *flags, u32 block)
{
	flags[block / WORD_BITS] &= ~BIT_ULL(block % WORD_BITS);
}

static void touch(struct hf_bitmap *bm, u32 block)
{
	if (flag_test(bm->pending, block))
		return;
	flag_set(bm->pending, block);
	if (!flag_test(bm->writing, block))
		bm->nr_unsaved++;
}

/* The bits of @mask become set or clear. Returns true if one changed. */
static bool change_word(struct hf_bitmap *bm, u64 word, u64 mask, bool set)
{
	u64 old = le64_to_cpu(bm->words[word]);
	u64 new = set ? old | mask : old & ~mask;

	if (new == old)
		return false;
	bm->words[word] = cpu_to_le64(new);
	if (set)
		bm->nr_set += hweight64(new ^ old);
	else
		bm->nr_set -= hweight64(new ^ old);
	touch(bm, word / BLOCK_WORDS);
	return true;
}

/* Bits @first to @last of the word that @first lies in, cut off at its end. */
static u64 word_mask(u64 first, u64 last)
{
	u64 mask = ~0ull << (first % WORD_BITS);

	if (last / WORD_BITS == first / WORD_BITS)
		mask &= ~0ull >> (WORD_BITS - 1 - last % WORD_BITS);
	return mask;
}

static bool change_bits(struct hf_bitmap *bm, u64 first, u64 last, bool set)
{
	bool changed = false;
	u64 bit = first;

	while (bit <= last) {
		changed |= change_word(bm, bit / WORD_BITS, word_mask(bit, last), set);
		bit = (bit / WORD_BITS + 1) * WORD_BITS;
	}
	return changed;
}

void hf_bitmap_loaded(struct hf_bitmap *bm)
{
	u64 nr_words = (u64)bm->nr_blocks * BLOCK_WORDS;
	u64 word;

	bm->nr_set = 0;
	for (word = 0; word < nr_words; word++)
		bm->nr_set += hweight64(le64_to_cpu(bm->words[word]));
	if (bm->nr_bits < nr_words * WORD_BITS)
		change_bits(bm, bm->nr_bits, nr_words * WORD_BITS - 1, false);
}

/* Cuts a range off at the volume's end; false if nothing of it is left. */
static bool clip(const struct hf_bitmap *bm, u64 offset, u64 *length)
{
	if (offset >= bm->size_bytes || !*length)
		return false;
	*length = min(*length, bm->size_bytes - offset);
	return true;
}

bool hf_bitmap_mark(struct hf_bitmap *bm, u64 offset, u64 length)
{
	if (!clip(bm, offset, &length))
		return false;
	return change_bits(bm, offset >> bm->granule_shift,
			   (offset + length - 1) >> bm->granule_shift, true);
}

bool hf_bitmap_clear(struct hf_bitmap *bm, u64 offset, u64 length)
{
	u64 first, end;

	if (!clip(bm, offset, &length))
		return false;
	first = hf_bitmap_nr_bits(offset, bm->granule_shift);
	if (offset + length == bm->size_bytes)
		end = bm->nr_bits;
	else
		end = (offset + length) >> bm->granule_shift;
	return first < end && change_bits(bm, first, end - 1, false);
}

bool hf_bitmap_mark_all(struct hf_bitmap *bm)
{
	return change_bits(bm, 0, bm->nr_bits - 1, true);
}

bool hf_bitmap_clear_all(struct hf_bitmap *bm)
{
	return change_bits(bm, 0, bm->nr_bits - 1, false);
}

/* First bit >= @bit that is set (or, not @set, clear), or nr_bits. */
static u64 find_bit_from(const struct hf_bitmap *bm, u64 bit, bool set)
{
	while (bit < bm->nr_bits) {
		u64 word = le64_to_cpu(bm->words[bit / WORD_BITS]);

		if (!set)
			word = ~word;
		word &= ~0ull << (bit % WORD_BITS);
		if (word)
			return min(bm->nr_bits, (bit & ~63ull) + __ffs64(word));
		bit = (bit & ~63ull) + WORD_BITS;
	}
	return bm->nr_bits;
}

bool hf_bitmap_test(const struct hf_bitmap *bm, u64 offset, u64 length)
{
	if (!clip(bm, offset, &length))
		return false;
	return find_bit_from(bm, offset >> bm->granule_shift, true) <=
	       (offset + length - 1) >> bm->granule_shift;
}

bool hf_bitmap_next(const struct hf_bitmap *bm, u64 from, u64 *start, u64 *end)
{
	u64 bit;

	/* A run that ended with the volume may have ended inside its granule. */
	if (from >= bm->size_bytes)
		return false;
	bit = find_bit_from(bm, from >> bm->granule_shift, true);
	if (bit == bm->nr_bits)
		return false;
	*start = bit << bm->granule_shift;
	*end = min(find_bit_from(bm, bit, false) << bm->granule_shift, bm->size_bytes);
	return true;
}

u64 hf_bitmap_dirty_bytes(const struct hf_bitmap *bm)
{
	u64 bytes = bm->nr_set << bm->granule_shift;

	/* The last granule may reach past the volume. */
	if (find_bit_from(bm, bm->nr_bits - 1, true) < bm->nr_bits)
		bytes -= (bm->nr_bits << bm->granule_shift) - bm->size_bytes;
	return bytes;
}

bool hf_bitmap_merge(struct hf_bitmap *bm, u64 offset, const void *bits, u64 nr_bits)
{
	u64 first = offset >> bm->granule_shift;
	const u8 *bytes = bits;
	bool changed = false;
	u64 i;

	if (first >= bm->nr_bits)
		return false;
	nr_bits = min(nr_bits, bm->nr_bits - first);
	for (i = 0; i < nr_bits; i += 8) {
		unsigned int shift = (first + i) % WORD_BITS;
		u64 byte = bytes[i / 8];

		if (nr_bits - i < 8)
			byte &= BIT_ULL(nr_bits - i) - 1;
		if (!byte)
			continue;
		changed |= change_word(bm, (first + i) / WORD_BITS, byte << shift, true);
		if (shift > WORD_BITS - 8 && byte >> (WORD_BITS - shift))
			changed |= change_word(bm, (first + i) / WORD_BITS + 1,
					       byte >> (WORD_BITS - shift), true);
	}
	return changed;
}

void hf_bitmap_export(const struct hf_bitmap *bm, u64 offset, void *bits, u64 nr_bits)
{
	u64 first = offset >> bm->granule_shift;
	u8 *bytes = bits;
	u64 bit;

	memset(bits, 0, (nr_bits + 7) >> 3);
	for (bit = find_bit_from(bm, first, true); bit < bm->nr_bits && bit - first < nr_bits;
	     bit = find_bit_from(bm, bit + 1, true))
		bytes[(bit - first) / 8] |= 1u << ((bit - first) % 8);
}

bool hf_bitmap_write_begin(struct hf_bitmap *bm, u32 *block)
{
	u32 i;

	for (i = *block; i < bm->nr_blocks; i++) {
		if (!bm->pending[i / WORD_BITS]) {
			i |= WORD_BITS - 1;
			continue;
		}
		if (!flag_test(bm->pending, i) || flag_test(bm->writing, i))
			continue;
		flag_clear(bm->pending, i);
		flag_set(bm->writing, i);
		*block = i;
		return true;
	}
	return false;
}

void hf_bitmap_write_end(struct hf_bitmap *bm, u32 block, bool ok)
{
	if (WARN_ON_ONCE(!flag_test(bm->writing, block)))
		return;
	flag_clear(bm->writing, block);
	if (!ok)
		flag_set(bm->pending, block);
	if (!flag_test(bm->pending, block))
		bm->nr_unsaved--;
}

const void *hf_bitmap_block(const struct hf_bitmap *bm, u32 block)
{
	return bm->words + (size_t)block * BLOCK_WORDS;
}

bool hf_bitmap_durable(const struct hf_bitmap *bm, u64 offset, u64 length)
{
	u64 block, last;

	if (!clip(bm, offset, &length))
		return true;
	last = ((offset + length - 1) >> bm->granule_shift) / BLOCK_BITS;
	for (block = (offset >> bm->granule_shift) / BLOCK_BITS; block <= last; block++)
		if (flag_test(bm->pending, block) || flag_test(bm->writing, block))
			return false;
	return true;
}
