// SPDX-License-Identifier: GPL-2.0
/*
 * Arithmetic of leases and promises (R5, R13): when a primary may still
 * complete requests, and when a slot may help another one into service. Reads
 * no clock and keeps no timer: times are arguments, and their owner holds the
 * lock of each object. Sending beacons is send.c's, waiting is replica.c's.
 */
#include "lease.h"

#include <linux/kernel.h>
#include <linux/string.h>

#define NS_PER_MS	1000000ull

u32 hf_scaled_ms(u32 ms, u32 scale_pct)
{
	u64 pct = clamp_t(u32, scale_pct, HF_SCALE_MIN_PCT, HF_SCALE_MAX_PCT);
	u64 scaled = ms * pct;

	/* Without 64 bit division, which 32 bit kernels lack. */
	if (scaled > U32_MAX)
		return (u32)min_t(u64, (u64)(ms / 100) * pct, U32_MAX);
	return (u32)scaled / 100;
}

u64 hf_scaled_ns(u32 ms, u32 scale_pct)
{
	return hf_scaled_ms(ms, scale_pct) * NS_PER_MS;
}

void hf_lease_init(struct hf_lease *lease)
{
	lease->echoed_ns = 0;
	lease->floor_ns = 0;
}

bool hf_lease_echo(struct hf_lease *lease, u64 stamp_ns, u64 now_ns)
{
	if (stamp_ns > now_ns)
		return false;
	lease->echoed_ns = max(lease->echoed_ns, stamp_ns);
	return true;
}

void hf_lease_release(struct hf_lease *lease, u64 now_ns)
{
	lease->floor_ns = max(lease->floor_ns, now_ns);
}

u64 hf_lease_end(const struct hf_lease *lease, u64 lease_ns)
{
	if (lease->echoed_ns <= lease->floor_ns)
		return 0;
	return lease->echoed_ns + lease_ns;
}

u64 hf_lease_set_end(const u64 ends[HF_MAX_SLOTS], u8 mask)
{
	u64 end = HF_LEASE_NOT_NEEDED;
	unsigned int i;

	for (i = 0; i < HF_MAX_SLOTS; i++)
		if (mask & (1u << i))
			end = min(end, ends[i]);
	return end;
}

void hf_promises_init(struct hf_promises *promises, bool owes, u64 now_ns, u64 grace_ns)
{
	memset(promises, 0, sizeof(*promises));
	if (owes)
		hf_promises_owe(promises, now_ns, grace_ns);
}

void hf_promises_owe(struct hf_promises *promises, u64 now_ns, u64 grace_ns)
{
	promises->all_until_ns = max(promises->all_until_ns, now_ns + grace_ns);
}

/*
 * A promise to a second primary does not end the one to the first: the second
 * must wait for it, and is itself answered while it waits.  So several are
 * kept.  If more primaries come than fit, the promise that ends first gives
 * way: for each primary at least one to another is left that ends no earlier.
 */
void hf_promises_record(struct hf_promises *promises, u32 node, u64 instance, u64 now_ns,
			u64 grace_ns)
{
	struct hf_promise *first = &promises->to[0];
	unsigned int i;

	for (i = 0; i < HF_PROMISES; i++) {
		struct hf_promise *to = &promises->to[i];

		if (to->until_ns && to->node == node && to->instance == instance) {
			to->until_ns = max(to->until_ns, now_ns + grace_ns);
			return;
		}
		if (to->until_ns < first->until_ns)
			first = to;
	}
	first->node = node;
	first->instance = instance;
	first->until_ns = now_ns + grace_ns;
}

u64 hf_promises_left_ns(const struct hf_promises *promises, u32 node, u64 instance, u64 now_ns)
{
	u64 until = promises->all_until_ns;
	unsigned int i;

	for (i = 0; i < HF_PROMISES; i++) {
		const struct hf_promise *to = &promises->to[i];

		if (to->node != node || to->instance != instance)
			until = max(until, to->until_ns);
	}
	return until > now_ns ? until - now_ns : 0;
}

bool hf_promises_open(const struct hf_promises *promises, u64 now_ns)
{
	/* Node 0 is nobody: every promise is to another than it. */
	return hf_promises_left_ns(promises, 0, 0, now_ns) != 0;
}
