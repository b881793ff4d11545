// SPDX-License-Identifier: GPL-2.0
/*
 * A primary without a slot of its own in the set. What it completes must be
 * durable on the others, since nothing of its own would bring it back: writes go
 * to them as FUA (req.c), and when the own slot is lost at run time, they flush
 * what they acknowledged before. Reads from other slots are serve.c's.
 *
 * Rules: R2 (durable acknowledgments), R7 and R10 (which slot is the
 * reference), R11.
 * Locks: serve_lock; the flush is argued in serve.h, 6.
 */
#include "diskless.h"

#include <linux/delay.h>
#include <linux/sched/mm.h>

#include "copy.h"
#include "disk.h"

static bool wanted(const struct hf_disk *disk)
{
	const struct hf_serve *serve = &disk->serve;

	lockdep_assert_held(&serve->serve_lock);
	return serve->state == HOLDFAST_DISK_ACTIVE && serve->own_failed && !serve->settled &&
	       !hf_serve_has_own(disk);
}

/* Nothing that was sent without FUA is without its answer; or it is not wanted. */
static bool answered(struct hf_disk *disk)
{
	struct hf_serve *serve = &disk->serve;
	struct hf_req *req;
	unsigned long flags;
	bool all = true;

	spin_lock_irqsave(&serve->serve_lock, flags);
	if (wanted(disk))
		list_for_each_entry(req, &serve->flights, entry)
			all &= !req->volatile_mask;
	spin_unlock_irqrestore(&serve->serve_lock, flags);
	return all;
}

/* The slots that count, each over the link that it has now. False: not wanted. */
static bool take_set(struct hf_disk *disk, u8 *mask, u64 *link_id)
{
	struct hf_serve *serve = &disk->serve;
	unsigned long flags;
	bool want;
	u8 nr;

	spin_lock_irqsave(&serve->serve_lock, flags);
	want = wanted(disk);
	*mask = serve->in_sync_mask | serve->counted_mask;
	for (nr = 0; nr < HF_MAX_SLOTS; nr++)
		link_id[nr] = disk->remotes[nr].link_id;
	spin_unlock_irqrestore(&serve->serve_lock, flags);
	return want;
}

/* Every slot that counts now flushed, over the very link that it still has. */
static void conclude(struct hf_disk *disk, u8 flushed, const u64 *link_id)
{
	struct hf_serve *serve = &disk->serve;
	struct hf_ended ended;
	unsigned long flags;
	bool all;
	u8 nr;

	hf_serve_lock(disk, &ended, &flags);
	all = wanted(disk);
	for (nr = 0; nr < HF_MAX_SLOTS; nr++)
		if ((serve->in_sync_mask | serve->counted_mask) & BIT(nr))
			all &= (flushed & BIT(nr)) && disk->remotes[nr].gets &&
			       disk->remotes[nr].link_id == link_id[nr];
	if (all) {
		serve->settled = true;
		hf_serve_judge_all(disk, &ended);
	}
	hf_serve_unlock(disk, &ended, flags);
}

void hf_diskless_settle(struct hf_disk *disk)
{
	struct hf_msg flush = { .opcode = HF_OP_FLUSH };
	unsigned int noio = memalloc_noio_save();
	u64 link_id[HF_MAX_SLOTS];
	u8 mask, flushed = 0, nr;
	int err;

	wait_event(disk->wait, answered(disk));
	if (take_set(disk, &mask, link_id)) {
		for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
			if (!(mask & BIT(nr)))
				continue;
			/* Another error ends the link, and the next one brings us back. */
			while ((err = hf_copy_call(disk, nr, &flush)) == -ENOMEM)
				msleep(20);
			if (!err)
				flushed |= BIT(nr);
		}
		conclude(disk, flushed, link_id);
	}
	memalloc_noio_restore(noio);
}

/* R10: an unclean slot only while all of the set are present and unclean. */
static bool all_unclean(const struct hf_disk *disk)
{
	u8 nr;

	for (nr = 0; nr < HF_MAX_SLOTS; nr++)
		if ((disk->serve.in_sync_mask & BIT(nr)) &&
		    !(disk->remotes[nr].ready && disk->remotes[nr].unclean))
			return false;
	return true;
}

static bool may_be(const struct hf_disk *disk, u8 nr)
{
	const struct hf_remote *remote = &disk->remotes[nr];

	return (disk->serve.in_sync_mask & BIT(nr)) && remote->ready &&
	       (!remote->unclean || all_unclean(disk));
}

int hf_diskless_reference(struct hf_disk *disk)
{
	struct hf_serve *serve = &disk->serve;
	u8 nr;

	lockdep_assert_held(&serve->serve_lock);
	if (serve->reference)
		return may_be(disk, serve->reference - 1) ? serve->reference - 1 : -1;
	for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
		if (may_be(disk, nr)) {
			serve->reference = nr + 1;
			return nr;
		}
	}
	return -1;
}
