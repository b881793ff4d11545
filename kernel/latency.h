/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How long slots take to acknowledge writes: a histogram whose buckets double.
 *
 * Pure: the caller holds the lock that guards the histogram. No clock of its
 * own, no allocation.
 */
#ifndef _HOLDFAST_LATENCY_H
#define _HOLDFAST_LATENCY_H

#include <linux/log2.h>
#include <linux/types.h>

enum {
	HF_LATENCY_FIRST_SHIFT	= 4,	/* the first bucket ends at 16 us */
	HF_LATENCY_BUCKETS	= 22,	/* the last begins at 16.8 s */
};

/**
 * struct hf_latency - acknowledgment times of one slot
 * @counts: bucket n counts times below hf_latency_below_us(n)
 *
 * Embedded in the disk; life and lock are the disk's.
 */
struct hf_latency {
	u64	counts[HF_LATENCY_BUCKETS];
};

/** hf_latency_below_us - end of bucket @nr in microseconds; 0: it has none */
static inline u64 hf_latency_below_us(unsigned int nr)
{
	return nr < HF_LATENCY_BUCKETS - 1 ? 1ULL << (HF_LATENCY_FIRST_SHIFT + nr) : 0;
}

/** hf_latency_add - count one time of @us microseconds */
static inline void hf_latency_add(struct hf_latency *latency, u64 us)
{
	unsigned int nr = 0;

	if (us >> HF_LATENCY_FIRST_SHIFT)
		nr = ilog2(us) - HF_LATENCY_FIRST_SHIFT + 1;
	if (nr >= HF_LATENCY_BUCKETS)
		nr = HF_LATENCY_BUCKETS - 1;
	latency->counts[nr]++;
}

#endif /* _HOLDFAST_LATENCY_H */
