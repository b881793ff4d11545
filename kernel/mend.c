// SPDX-License-Identifier: GPL-2.0
/*
 * Mends what a slot of the set could not read: whole blocks around the range are
 * read from another slot and written to it, while nobody else writes there. A
 * slot that takes the write is good again; one that does not fails by it (R3).
 *
 * Rules: R8 (under the range's lock), R11. What is written is what the slot has
 * already, or should have: no mark and no log entry is needed (R3b, R10).
 * Locks: serve_lock for the list of ranges.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "mend.h"

#include <linux/sched/mm.h>

#include "copy.h"
#include "disk.h"

void hf_mend_want(struct hf_disk *disk, u8 bad_mask, u64 offset, u32 length)
{
	struct hf_mend *mend;
	unsigned int i;

	lockdep_assert_held(&disk->serve.serve_lock);
	for (i = 0; i < disk->nr_mends; i++) {
		mend = &disk->mends[i];
		if (mend->offset == offset && mend->length == length) {
			mend->bad_mask |= bad_mask;
			return;
		}
	}
	if (disk->nr_mends == HF_MENDS)
		return;
	mend = &disk->mends[disk->nr_mends++];
	mend->offset = offset;
	mend->length = length;
	mend->bad_mask = bad_mask;
	hf_disk_queue(disk, &disk->mend_work);
}

/* The next range, with who reads and who is written to; false: nothing to do. */
static bool take(struct hf_disk *disk, struct hf_mend *mend, u8 *source, u8 *targets)
{
	struct hf_serve *serve = &disk->serve;
	unsigned long flags;
	u8 good = 0, nr;
	bool found;

	spin_lock_irqsave(&serve->serve_lock, flags);
	found = disk->nr_mends && serve->state == HOLDFAST_DISK_ACTIVE;
	if (found)
		*mend = disk->mends[--disk->nr_mends];
	else
		disk->nr_mends = 0;
	for (nr = 0; nr < HF_MAX_SLOTS; nr++)
		if (nr == disk->own_nr ? hf_serve_own_usable(disk) : disk->remotes[nr].gets)
			good |= BIT(nr) & serve->in_sync_mask;
	spin_unlock_irqrestore(&serve->serve_lock, flags);
	if (!found)
		return false;
	*targets = good & mend->bad_mask;
	good &= ~mend->bad_mask;
	*source = good ? __ffs(good) : HF_DISK_NO_SLOT;
	return true;
}

static void mend_range(struct hf_disk *disk, const struct hf_mend *mend, u8 source, u8 targets)
{
	u64 at = round_down(mend->offset, HF_BLOCK_BYTES);
	u64 end = round_up(mend->offset + mend->length, HF_BLOCK_BYTES);
	struct hf_copier *copier;
	u8 written = 0;
	int err = 0;

	copier = hf_copier_alloc(disk, source, targets, true);
	if (!copier)
		return;
	copier->soft = true;
	for (; at < end && !err; at += HF_COPY_BYTES)
		err = hf_copier_copy(copier, at, min_t(u64, end - at, HF_COPY_BYTES),
				     HOLDFAST_DISK_ACTIVE);
	if (!hf_copier_wait(copier, err) && !err)
		written = copier->targets;
	hf_copier_free(copier);
	pr_warn_ratelimited("vd%u: bytes %llu to %llu could not be read on slots %#x: %s\n",
			    disk->vdisk, mend->offset, mend->offset + mend->length - 1,
			    mend->bad_mask, written == targets ? "written anew" : "not mended");
}

void hf_mend_run(struct hf_disk *disk)
{
	unsigned int noio = memalloc_noio_save();
	struct hf_mend mend;
	u8 source, targets;

	while (take(disk, &mend, &source, &targets))
		if (targets && source != HF_DISK_NO_SLOT)
			mend_range(disk, &mend, source, targets);
	memalloc_noio_restore(noio);
}
