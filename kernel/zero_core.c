// SPDX-License-Identifier: GPL-2.0
/*
 * Ranges of zeros (R16) as numbers: sizes, units, what is offered. How a range
 * is zeroed is zero.c's, when it is sent serve.c's. Pure, no locks.
 */
#include "zero_core.h"

#include <linux/kernel.h>
#include <linux/math64.h>

#include "../uapi/holdfast_wire.h"

u32 hf_zero_max_bytes(u32 extent_shift, u32 log_entries)
{
	u64 reach = (u64)(log_entries / 8) << extent_shift;

	return clamp_t(u64, reach, HF_MAX_IO_BYTES, HF_MAX_ZERO_BYTES);
}

u32 hf_zero_log_entries(u32 bytes, u32 extent_shift)
{
	/* The worst begin is the last sector of an extent. */
	return ((bytes - 512) >> extent_shift) + 2;
}

bool hf_zero_inner(u64 offset, u64 length, u32 unit, u64 *start, u64 *end)
{
	u64 first = div_u64(offset + unit - 1, unit);
	u64 past = div_u64(offset + length, unit);

	if (first >= past)
		return false;
	*start = first * unit;
	*end = past * unit;
	return true;
}

u32 hf_zero_offer(const u32 *units, u8 mask)
{
	u32 unit = 0;
	u8 nr;

	for (nr = 0; nr < HF_MAX_SLOTS; nr++)
		if (mask & (1u << nr))
			unit = max(unit, units[nr]);
	return unit;
}
