/* SPDX-License-Identifier: GPL-2.0 */
/* Random numbers that a seed repeats, in the kernel and in user space. */
#ifndef _HOLDFAST_TEST_RANDOM_H
#define _HOLDFAST_TEST_RANDOM_H

#include <linux/types.h>

/* xorshift64; the state is never 0. */
static inline u64 test_random(u64 *state)
{
	u64 x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return x;
}

/* 0 … @below - 1 */
static inline u32 test_below(u64 *state, u32 below)
{
	return (u32)(test_random(state) >> 33) % below;
}

#endif
