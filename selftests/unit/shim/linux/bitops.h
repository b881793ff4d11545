/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SHIM_LINUX_BITOPS_H
#define _SHIM_LINUX_BITOPS_H

#include <linux/bits.h>
#include <linux/types.h>

static inline unsigned int hweight64(u64 w)
{
	return __builtin_popcountll(w);
}

static inline unsigned int hweight8(u32 w)
{
	return __builtin_popcount(w & 0xff);
}

/* Number of the lowest set bit; @w is not 0. */
static inline unsigned long __ffs64(u64 w)
{
	return __builtin_ctzll(w);
}

#endif
