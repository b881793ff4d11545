/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Arithmetic of the read lease and of the slots' promises (R5, R13). All
 * times are CLOCK_BOOTTIME in ns, given by the caller. Pure: the caller has
 * the lock (or the only thread) that guards each object.
 */
#ifndef _HOLDFAST_LEASE_H
#define _HOLDFAST_LEASE_H

#include <linux/limits.h>
#include <linux/types.h>

#include "../uapi/holdfast_wire.h"

enum hf_scale_limits {
	HF_SCALE_MIN_PCT	= 100,
	HF_SCALE_MAX_PCT	= 1000,
};

#define HF_LEASE_NOT_NEEDED	U64_MAX		/* end of the lease of an empty set */

/**
 * hf_scaled_ms - a time of the table in holdfast_wire.h, scaled
 * @ms: HF_…_MS
 * @scale_pct: time_scale_pct; taken as the nearest limit if outside them
 *
 * Return: ms.
 */
u32 hf_scaled_ms(u32 ms, u32 scale_pct);

/** hf_scaled_ns - as hf_scaled_ms(), in ns */
u64 hf_scaled_ns(u32 ms, u32 scale_pct);

/**
 * struct hf_lease - lease from one slot
 * @echoed_ns: highest stamp that came back; 0: none
 * @floor_ns: no stamp at or before this one counts (R13); 0: all count
 *
 * Embedded in the link, guarded by its lock, dies with it.
 */
struct hf_lease {
	u64	echoed_ns;
	u64	floor_ns;
};

/** hf_lease_init - no echo yet */
void hf_lease_init(struct hf_lease *lease);

/**
 * hf_lease_echo - a slot echoed a stamp
 * @lease: of that slot
 * @stamp_ns: echoed; 0: the slot has received none
 * @now_ns: time now
 *
 * Return: false and no change if the stamp lies in the future: a slot that
 * lies, which ends the link.
 */
bool hf_lease_echo(struct hf_lease *lease, u64 stamp_ns, u64 now_ns);

/**
 * hf_lease_release - from now on only stamps taken after @now_ns count (R13)
 * @lease: of a slot
 * @now_ns: time now
 */
void hf_lease_release(struct hf_lease *lease, u64 now_ns);

/**
 * hf_lease_end - when the lease from this slot ends
 * @lease: of that slot
 * @lease_ns: hf_scaled_ns(HF_LEASE_MS, …)
 *
 * Return: time; 0: there is none.
 */
u64 hf_lease_end(const struct hf_lease *lease, u64 lease_ns);

/**
 * hf_lease_set_end - when the lease from a set of slots ends
 * @ends: for each slot number what hf_lease_end() said
 * @mask: the remote slots that are in sync or counted
 *
 * Return: the earliest; 0 if one has none; HF_LEASE_NOT_NEEDED if @mask is 0.
 */
u64 hf_lease_set_end(const u64 ends[HF_MAX_SLOTS], u8 mask);

/** hf_lease_holds - may a request be completed at @now_ns under a lease that ends at @end_ns */
static inline bool hf_lease_holds(u64 end_ns, u64 now_ns)
{
	return now_ns < end_ns;
}

enum {
	HF_PROMISES	= 4,
};

/**
 * struct hf_promise - to one primary: no other before @until_ns
 */
struct hf_promise {
	u32	node;
	u64	instance;
	u64	until_ns;	/* 0: entry not used */
};

/**
 * struct hf_promises - what this node promised for one volume
 * @all_until_ns: nobody may be helped before (module load)
 * @to: the newest promises
 *
 * Outlives detach and attach of the slot: lives with the volume (R5).
 */
struct hf_promises {
	u64			all_until_ns;
	struct hf_promise	to[HF_PROMISES];
};

/**
 * hf_promises_init - after module load
 * @promises: to set up
 * @owes: false only when the metadata says that none may be outstanding
 * @now_ns: time now
 * @grace_ns: hf_scaled_ns(HF_GRACE_MS, …)
 */
void hf_promises_init(struct hf_promises *promises, bool owes, u64 now_ns, u64 grace_ns);

/**
 * hf_promises_owe - the same for metadata that is first seen later (attach)
 * @promises: of the volume
 * @now_ns: time now
 * @grace_ns: as above
 */
void hf_promises_owe(struct hf_promises *promises, u64 now_ns, u64 grace_ns);

/**
 * hf_promises_record - a message of a primary arrived; before its answer is queued
 * @promises: of the volume
 * @node: primary's node
 * @instance: primary's instance
 * @now_ns: time of receipt, or later
 * @grace_ns: as above
 */
void hf_promises_record(struct hf_promises *promises, u32 node, u64 instance, u64 now_ns,
			u64 grace_ns);

/**
 * hf_promises_left_ns - time before this primary may be helped into service
 * @promises: of the volume
 * @node: primary's node
 * @instance: primary's instance
 * @now_ns: time now
 *
 * Return: ns, 0: at once.
 */
u64 hf_promises_left_ns(const struct hf_promises *promises, u32 node, u64 instance, u64 now_ns);

/** hf_promises_open - is any promise, to anybody, outstanding at @now_ns */
bool hf_promises_open(const struct hf_promises *promises, u64 now_ns);

#endif /* _HOLDFAST_LEASE_H */
