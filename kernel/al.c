// SPDX-License-Identifier: GPL-2.0
/*
 * The activity log of the slot at work: one worker a slot writes its records,
 * gathering all writes that wait into one; it empties the log of a slot that
 * is idle or over half full; and a watch notices idleness and devices that
 * hang.  What a record says and what may leave it is al_core.c's.
 *
 * Rules: R10 (a record is durable before the writes that it covers; an extent
 * leaves by a flush issued after its last write, stable, and durable bits, and
 * then by a record), R3 (a device that hangs is its slot's failure).
 *
 * Locks: the worker has meta_lock, since it does the metadata I/O; log_lock
 * around every touch of the log.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "main.h"
#include "slot_impl.h"
#include "trace.h"
#include "volume.h"

/*
 * The worker begins I/O of its own, so it has a reference. A slot that lost its
 * last one is on its way out, and its log says enough: nothing is begun for it.
 */
void __hf_log_kick(struct hf_slot *slot)
{
	if (!kref_get_unless_zero(&slot->refs))
		return;
	if (!queue_work(hf_slot_wq, &slot->log_work))
		hf_slot_put(slot);
}

/* Runs while there is something to watch, and stops by itself. */
void __hf_log_watch(struct hf_slot *slot)
{
	queue_delayed_work(hf_slot_wq, &slot->watch_work,
			   msecs_to_jiffies(hf_time_ms(HF_IDLE_MS) / 4));
}

/* ----------------------------------------------------------------- records */

/* Writes without room, or without a bitmap, try again. log_lock held. */
static void __retry_roomless(struct hf_slot *slot)
{
	struct hf_slot_io *io, *next;
	LIST_HEAD(waiting);

	lockdep_assert_held(&slot->log_lock);
	if (list_empty(&slot->roomless))
		return;
	list_splice_init(&slot->roomless, &waiting);
	list_for_each_entry_safe(io, next, &waiting, entry) {
		list_del(&io->entry);
		__hf_slot_register(slot, io, &slot->to_submit);
	}
	if (!list_empty(&slot->to_submit))
		queue_work(hf_slot_wq, &slot->submit_work);
}

/* The record under way is durable: what it covers goes to the device. log_lock held. */
static void __release_logged(struct hf_slot *slot)
{
	struct hf_slot_io *io, *next;

	hf_al_record_done(&slot->al);
	list_for_each_entry_safe(io, next, &slot->logging, entry) {
		if (io->record > hf_al_durable(&slot->al))
			continue;
		WRITE_ONCE(io->stage, HF_SLOT_STAGE_SUBMIT);
		trace_hf_io_covered(slot->vol, slot->nr, io, 0);
		list_move_tail(&io->entry, &slot->to_submit);
	}
	queue_work(hf_slot_wq, &slot->submit_work);
}

/* 0: nothing to write now; else the sequence of a record in meta_page. log_lock held. */
static u64 __next_record(struct hf_slot *slot)
{
	bool trim;

	__retry_roomless(slot);
	trim = slot->trim_due && !slot->cleaning && hf_al_wants_trim(&slot->al);
	if (!slot->cleaning)
		slot->trim_due = false;
	if (slot->state == HOLDFAST_SLOT_FAILED || (list_empty(&slot->logging) && !trim))
		return 0;
	return hf_al_record_begin(&slot->al, slot->meta_page, slot->term, trim);
}

/* All records that are due. meta_lock held. */
int hf_log_write_records(struct hf_slot *slot)
{
	unsigned long flags;
	u64 sequence;
	int error;

	lockdep_assert_held(&slot->meta_lock);
	for (;;) {
		if (slot->meta_stuck)
			return -EIO;
		spin_lock_irqsave(&slot->log_lock, flags);
		sequence = __next_record(slot);
		spin_unlock_irqrestore(&slot->log_lock, flags);
		if (!sequence)
			return hf_slot_state(slot) == HOLDFAST_SLOT_FAILED ? -EIO : 0;
		error = hf_meta_write(slot, hf_meta_log_block(&slot->super.layout, sequence),
				      slot->meta_page, true);
		if (error)
			return error;
		spin_lock_irqsave(&slot->log_lock, flags);
		__release_logged(slot);
		/* Room may be there now for those without. */
		slot->trim_due |= !list_empty(&slot->roomless);
		spin_unlock_irqrestore(&slot->log_lock, flags);
	}
}

/* ---------------------------------------------------------------- emptying */

static void clean_end(struct bio *bio)
{
	struct hf_slot *slot = bio->bi_private;
	int error = blk_status_to_errno(bio->bi_status);
	unsigned long flags;

	bio_uninit(bio);
	spin_lock_irqsave(&slot->log_lock, flags);
	slot->cleaning = false;
	if (!error)
		hf_al_flush_done(&slot->al, slot->clean_generation);
	slot->trim_due = true;
	__hf_log_kick(slot);
	spin_unlock_irqrestore(&slot->log_lock, flags);
	/* R2: a flush that fails is the slot's loss, never tried again. */
	if (error)
		hf_slot_fail(slot, error);
	wake_up_all(&slot->drain_wait);
	hf_slot_put(slot);
}

/* The flush of the data device goes by itself while the bits are being saved. */
static void clean(struct hf_slot *slot)
{
	unsigned long flags;
	u64 bits;

	spin_lock_irqsave(&slot->log_lock, flags);
	if (!slot->clean_due || slot->cleaning || slot->state == HOLDFAST_SLOT_FAILED) {
		spin_unlock_irqrestore(&slot->log_lock, flags);
		return;
	}
	slot->clean_due = false;
	slot->cleaning = true;
	slot->clean_began_ns = hf_boottime_ns();
	bits = hf_al_bits_issue(&slot->al);
	slot->clean_generation = hf_al_flush_issue(&slot->al);
	spin_unlock_irqrestore(&slot->log_lock, flags);

	bio_init(&slot->clean_bio, slot->data.bdev.bdev, NULL, 0,
		 REQ_OP_WRITE | REQ_PREFLUSH | REQ_SYNC);
	slot->clean_bio.bi_private = hf_slot_get(slot);
	slot->clean_bio.bi_end_io = clean_end;
	submit_bio(&slot->clean_bio);

	if (hf_bitmaps_save(slot))
		return;
	spin_lock_irqsave(&slot->log_lock, flags);
	hf_al_bits_done(&slot->al, bits);
	slot->trim_due = true;
	spin_unlock_irqrestore(&slot->log_lock, flags);
}

static int make_wanted_bitmaps(struct hf_slot *slot)
{
	u8 nr, wanted = READ_ONCE(slot->wanted_bitmaps);

	for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
		if ((wanted & BIT(nr)) && hf_bitmap_make(slot, nr))
			return -ENOMEM;
	}
	return 0;
}

void hf_log_work(struct work_struct *work)
{
	struct hf_slot *slot = container_of(work, struct hf_slot, log_work);
	unsigned int noio = memalloc_noio_save();

	mutex_lock(&slot->meta_lock);
	if (make_wanted_bitmaps(slot))
		hf_slot_fail(slot, -ENOMEM);
	if (!hf_log_write_records(slot)) {
		clean(slot);
		hf_log_write_records(slot);
	}
	mutex_unlock(&slot->meta_lock);
	memalloc_noio_restore(noio);
	hf_slot_put(slot);
}

/* ------------------------------------------------------------------- watch */

static bool hangs(u64 since_ns, u64 now)
{
	return now > since_ns && now - since_ns > hf_time_ns(HF_DEVICE_TIMEOUT_MS);
}

void hf_log_watch_work(struct work_struct *work)
{
	struct hf_slot *slot = container_of(to_delayed_work(work), struct hf_slot, watch_work);
	const struct hf_slot_io *oldest;
	u64 now = hf_boottime_ns();
	bool again, hung = false;
	unsigned long flags;

	spin_lock_irqsave(&slot->log_lock, flags);
	oldest = list_first_entry_or_null(&slot->in_flight, struct hf_slot_io, entry);
	if ((oldest && hangs(oldest->submitted_ns, now)) ||
	    (slot->cleaning && hangs(slot->clean_began_ns, now)))
		hung = true;
	if (!slot->cleaning && now - slot->last_write_ns >= hf_time_ns(HF_IDLE_MS)) {
		slot->clean_due |= hf_al_wants_idle_flush(&slot->al);
		slot->trim_due |= hf_al_wants_trim(&slot->al);
		if (slot->clean_due || slot->trim_due)
			__hf_log_kick(slot);
	}
	again = slot->state != HOLDFAST_SLOT_FAILED &&
		(oldest || slot->cleaning || slot->nr_busy || hf_al_used(&slot->al) ||
		 hf_al_wants_trim(&slot->al));
	spin_unlock_irqrestore(&slot->log_lock, flags);
	if (hung)
		hf_slot_fail(slot, -ETIMEDOUT);
	else if (again)
		__hf_log_watch(slot);
}

/* ---------------------------------------------------------- attach, detach */

/* At attach: what the last life left. No lock needed but meta_lock. */
int hf_log_load(struct hf_slot *slot)
{
	const struct hf_meta_layout *layout = &slot->super.layout;
	struct hf_disk_log *ring;
	int error = 0;
	u32 i;

	ring = kvmalloc_array(layout->log_blocks, sizeof(*ring), GFP_KERNEL);
	if (!ring)
		return -ENOMEM;
	for (i = 0; i < layout->log_blocks && !error; i++)
		error = hf_meta_read(slot, layout->log_start + i, &ring[i]);
	if (!error && hf_al_load(&slot->al, ring, layout->log_blocks,
				 hf_meta_nr_extents(layout)) == -EUCLEAN)
		pr_warn("%pUb: slot %u: the log cannot be read, every extent may differ\n",
			&slot->vol->uuid, slot->nr);
	kvfree(ring);
	return error;
}

static bool cleaning(struct hf_slot *slot)
{
	unsigned long flags;
	bool yes;

	spin_lock_irqsave(&slot->log_lock, flags);
	yes = slot->cleaning && slot->state != HOLDFAST_SLOT_FAILED;
	spin_unlock_irqrestore(&slot->log_lock, flags);
	return yes;
}

static void run_worker(struct hf_slot *slot, bool with_clean)
{
	unsigned long flags;

	spin_lock_irqsave(&slot->log_lock, flags);
	slot->clean_due |= with_clean;
	slot->trim_due = true;
	__hf_log_kick(slot);
	spin_unlock_irqrestore(&slot->log_lock, flags);
	flush_work(&slot->log_work);
	wait_event_timeout(slot->drain_wait, !cleaning(slot),
			   msecs_to_jiffies(hf_time_ms(HF_DEVICE_TIMEOUT_MS)));
}

/* Before a clean detach: flush, save bits, name in the log only what must stay. */
int hf_log_empty(struct hf_slot *slot)
{
	run_worker(slot, true);
	if (cleaning(slot))
		return -ETIMEDOUT;
	run_worker(slot, false);
	return hf_slot_state(slot) == HOLDFAST_SLOT_FAILED ? -EIO : 0;
}
