// SPDX-License-Identifier: GPL-2.0
/*
 * What others may ask of a link: who it is, in which state, and the lease that
 * comes by it.  It changes nothing but the floor under the lease.
 *
 * Rules: R5 (the lease counts from ready on), R13 (release).
 * Locks: state_lock, see struct hf_link; the rest is const or read once.
 */
#include "link_impl.h"

#include "main.h"

u64 hf_link_lease_end(const struct hf_link *const_link)
{
	struct hf_link *link = (struct hf_link *)const_link;
	unsigned long flags;
	u64 end = 0;

	spin_lock_irqsave(&link->state_lock, flags);
	if (link->lease_counts)
		end = hf_lease_end(&link->lease, hf_time_ns(HF_LEASE_MS));
	spin_unlock_irqrestore(&link->state_lock, flags);
	return end;
}

void hf_link_release_lease(struct hf_link *link)
{
	unsigned long flags;

	spin_lock_irqsave(&link->state_lock, flags);
	hf_lease_release(&link->lease, hf_boottime_ns());
	spin_unlock_irqrestore(&link->state_lock, flags);
}

void *hf_link_owner(const struct hf_link *link)
{
	return link->owner;
}

u8 hf_link_slot_nr(const struct hf_link *link)
{
	return link->slot_nr;
}

u64 hf_link_id(const struct hf_link *link)
{
	return link->id;
}

u64 hf_link_term(const struct hf_link *link)
{
	return link->term;
}

enum holdfast_link_state hf_link_state(const struct hf_link *link)
{
	return READ_ONCE(link->state);
}

enum holdfast_down_reason hf_link_reason(const struct hf_link *link)
{
	return READ_ONCE(link->reason);
}

const struct hf_link_facts *hf_link_facts(const struct hf_link *link)
{
	return &link->facts;
}
