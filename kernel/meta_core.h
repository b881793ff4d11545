/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The metadata device: where what lies, the superblock, and how a fresh one
 * is written. Pure; used by the module (meta.c) and by the agent, which
 * formats new slots (R16). No locks, no allocation.
 */
#ifndef _HOLDFAST_META_CORE_H
#define _HOLDFAST_META_CORE_H

#include <linux/types.h>

#include "conf.h"
#include "../uapi/holdfast_wire.h"

enum hf_meta_limits {
	HF_EXTENT_MIN_SHIFT	= 16,
	HF_EXTENT_MAX_SHIFT	= 30,
	HF_SUPER_COPIES		= 2,
};

/**
 * struct hf_meta_layout - geometry of a metadata device; blocks of HF_META_BLOCK
 * @size_bytes: of the volume
 * @extent_shift: log2 of an extent in bytes
 * @log_entries: capacity of the log
 * @granule_shift: log2 of the bytes of a dirty bit
 * @log_start: first block of the log's ring
 * @log_blocks: blocks of the ring, a power of two
 * @bitmap_start: first block of the bitmap for slot 0
 * @bitmap_blocks: blocks of each bitmap
 * @total_blocks: blocks in all
 */
struct hf_meta_layout {
	u64	size_bytes;
	u32	extent_shift;
	u32	log_entries;
	u32	granule_shift;
	u32	log_start;
	u32	log_blocks;
	u32	bitmap_start;
	u32	bitmap_blocks;
	u64	total_blocks;
};

/**
 * hf_meta_layout_init - geometry for a volume
 * @layout: gets it
 * @size_bytes: of the volume
 * @extent_shift: 0: default, coarser for volumes whose extents would not fit a record
 * @log_entries: 0: default
 * @granule_shift: 0: default, coarser for volumes above 1 TiB
 * @why: sentence on refusal
 *
 * Return: 0 or -EINVAL.
 */
int hf_meta_layout_init(struct hf_meta_layout *layout, u64 size_bytes, u32 extent_shift,
			u32 log_entries, u32 granule_shift, const char **why);

/** hf_meta_min_log_entries - entries that the largest write needs */
u32 hf_meta_min_log_entries(u32 extent_shift);
/** hf_meta_min_bytes - size that a metadata device must have */
u64 hf_meta_min_bytes(const struct hf_meta_layout *layout);
/** hf_meta_nr_extents - extents of the volume */
u32 hf_meta_nr_extents(const struct hf_meta_layout *layout);
/** hf_meta_bitmap_block - first block of the bitmap for @slot */
u64 hf_meta_bitmap_block(const struct hf_meta_layout *layout, u8 slot);
/** hf_meta_log_block - block of the record @sequence */
u64 hf_meta_log_block(const struct hf_meta_layout *layout, u64 sequence);

/**
 * struct hf_super - superblock in the CPU's own order
 * @generation: grows with every write; copy @generation & 1 is the one written
 * @volume: UUID
 * @incarnation: of the slot
 * @term: highest that the slot was told (R1)
 * @epoch: highest that the slot was told; 0: fresh, @conf is all zero
 * @slot: its number
 * @node: node that it was made for
 * @promise_open: a promise may be outstanding (R5)
 * @bitmap_incarnation: of which incarnation of each slot its bitmap knows; 0:
 *	of none yet (R3b)
 * @layout: geometry
 * @conf: configuration of @epoch
 */
struct hf_super {
	u64			generation;
	u8			volume[16];
	u64			incarnation;
	u64			term;
	u64			epoch;
	u32			slot;
	u32			node;
	bool			promise_open;
	u64			bitmap_incarnation[HF_MAX_SLOTS];
	struct hf_meta_layout	layout;
	struct hf_conf_data	conf;
};

/**
 * hf_meta_encode - build a sealed superblock
 * @super: what it is to say
 * @block: gets it
 *
 * Writes: raise @generation, encode, write to copy hf_meta_copy(), durably.
 */
void hf_meta_encode(const struct hf_super *super, struct hf_disk_super *block);

/**
 * hf_meta_decode - check one copy
 * @block: as read
 * @super: gets it
 * @why: sentence on refusal
 *
 * Return: 0; -EBADMSG: not a whole superblock (never written, torn); -EINVAL:
 * whole, but it says what cannot be, or is of a version not known here.
 */
int hf_meta_decode(const struct hf_disk_super *block, struct hf_super *super, const char **why);

/**
 * hf_meta_choose - read the superblock
 * @copies: blocks 0 and 1 as read; one that could not be read: zeros
 * @super: gets the one that counts; written to only on success
 * @why: sentence on refusal
 *
 * Return: 0, -ENODATA: no copy is a superblock; -EINVAL: the one that counts
 * is not acceptable, or the copies contradict each other.
 */
int hf_meta_choose(const struct hf_disk_super copies[HF_SUPER_COPIES], struct hf_super *super,
		   const char **why);

/** hf_meta_copy - copy (block number) to which this generation is written */
static inline u32 hf_meta_copy(u64 generation)
{
	return generation & 1;
}

/**
 * struct hf_meta_writer - how hf_meta_format() reaches the device
 * @write: write one block; 0 or -errno
 * @zero: write zeros over @count blocks; 0 or -errno
 * @flush: make all of it durable; 0 or -errno
 * @context: for them
 */
struct hf_meta_writer {
	int	(*write)(void *context, u64 block, const void *data);
	int	(*zero)(void *context, u64 block, u64 count);
	int	(*flush)(void *context);
	void	*context;
};

/**
 * hf_meta_format - make a device the metadata of a fresh slot
 * @layout: geometry
 * @volume: UUID
 * @incarnation: not 0
 * @slot: number
 * @node: this node, not 0
 * @block: HF_META_BLOCK bytes to work in, 8 byte aligned
 * @writer: the device
 *
 * The superblock is written last: a device whose format broke off is none.
 * The log is empty, the bitmaps are clean and for no incarnation yet, no
 * promise is outstanding.
 *
 * Return: 0, -EINVAL, or what the writer said.
 */
int hf_meta_format(const struct hf_meta_layout *layout, const u8 volume[16], u64 incarnation,
		   u32 slot, u32 node, void *block, const struct hf_meta_writer *writer);

#endif /* _HOLDFAST_META_CORE_H */
