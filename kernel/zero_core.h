/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ranges of zeros (R16): how large one may be, what of it a device can give
 * back, and what a disk may promise of them. Pure, any context.
 */
#ifndef _HOLDFAST_ZERO_CORE_H
#define _HOLDFAST_ZERO_CORE_H

#include <linux/types.h>

/**
 * hf_zero_max_bytes - largest range of one discard or zero write of a volume
 * @extent_shift: log2 of an extent in bytes
 * @log_entries: capacity of the activity log
 *
 * An eighth of the log's reach, since such a range is logged whole before any of
 * it is zeroed (R10); but never less than a plain write may have, which each log
 * has room for, and never more than HF_MAX_ZERO_BYTES.
 *
 * Return: bytes, a multiple of 64 KiB.
 */
u32 hf_zero_max_bytes(u32 extent_shift, u32 log_entries);

/**
 * hf_zero_log_entries - log entries that a range of so many bytes may need
 * @bytes: length of the range, not 0
 * @extent_shift: log2 of an extent in bytes
 *
 * Wherever it begins.
 */
u32 hf_zero_log_entries(u32 bytes, u32 extent_shift);

/**
 * hf_zero_inner - the whole units in a range
 * @offset: first byte of the range
 * @length: its bytes
 * @unit: bytes of a unit, not 0, need not be a power of two; one begins at 0
 * @start: gets the first byte of the first whole unit
 * @end: gets the byte after the last whole unit
 *
 * Return: is there one; @start and @end are not set without.
 */
bool hf_zero_inner(u64 offset, u64 length, u32 unit, u64 *start, u64 *end);

/**
 * hf_zero_offer - unit of the discards that a disk offers
 * @units: for each slot number the unit in which that copy frees room, 0: never
 * @mask: slots that count
 *
 * A disk whose copies all would write zeros offers no discard: who asks for it
 * expects it to be cheap, and would be answered by writing the whole range. One
 * copy that gains by it is enough; the others write zeros then, so that all
 * read the same.
 *
 * Return: bytes; 0: none is offered.
 */
u32 hf_zero_offer(const u32 *units, u8 mask);

#endif /* _HOLDFAST_ZERO_CORE_H */
