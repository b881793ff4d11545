// SPDX-License-Identifier: GPL-2.0
/*
 * I/O on the local slot, from hf_slot_submit() to the end, its states, and its
 * one way to fail.  When an extent is in the log is al.c's and al_core.c's,
 * which slots are outside of the set adopt.c's, life and devices attach.c's.
 *
 * Rules: R2 (an I/O ends when the data device ended it; FUA and flush as
 * asked; a failed flush is the slot's failure, never tried again), R3b and
 * Mistake 1 (marks and registration are one section of log_lock), R10 (the
 * durable log names the extent before the data is submitted), R15 (what is at
 * the device ends when the device ends it, also after the slot failed).
 *
 * Locks: log_lock, see struct hf_slot.  Nothing is called out with it held.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "slot_impl.h"

#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "main.h"
#include "sabotage.h"
#include "trace.h"
#include "volume.h"
#include "zero_core.h"

/* ----------------------------------------------------------------- state */

/*
 * The only writer of slot->state. Legal: NONE to UP, UP to FAILED or STOPPING,
 * STOPPING to UP (a detach that was given up) or FAILED.
 */
static bool __set_state(struct hf_slot *slot, enum holdfast_slot_state to)
{
	enum holdfast_slot_state from = slot->state;
	bool legal;

	lockdep_assert_held(&slot->log_lock);
	switch (to) {
	case HOLDFAST_SLOT_UP:
		legal = from == HOLDFAST_SLOT_NONE || from == HOLDFAST_SLOT_STOPPING;
		break;
	case HOLDFAST_SLOT_FAILED:
		legal = from == HOLDFAST_SLOT_UP || from == HOLDFAST_SLOT_STOPPING;
		break;
	case HOLDFAST_SLOT_STOPPING:
		legal = from == HOLDFAST_SLOT_UP;
		break;
	default:
		legal = false;
	}
	if (!legal)
		return false;
	WRITE_ONCE(slot->state, to);
	trace_hf_slot_state(slot->vol, slot->nr, from, to);
	return true;
}

bool hf_slot_set_state(struct hf_slot *slot, enum holdfast_slot_state to)
{
	unsigned long flags;
	bool done;

	spin_lock_irqsave(&slot->log_lock, flags);
	done = __set_state(slot, to);
	spin_unlock_irqrestore(&slot->log_lock, flags);
	return done;
}

static bool is_busy_kind(const struct hf_slot_io *io)
{
	return io->op != HF_SLOT_READ && io->op != HF_SLOT_FLUSH;
}

/* A write of the volume: logged (R10), marked (R3b), of one term (R1). */
static bool is_write(const struct hf_slot_io *io)
{
	return io->op == HF_SLOT_WRITE || io->op == HF_SLOT_DISCARD || io->op == HF_SLOT_ZEROES;
}

static bool is_zeros(const struct hf_slot_io *io)
{
	return io->op == HF_SLOT_COPY_ZERO || io->op == HF_SLOT_DISCARD ||
	       io->op == HF_SLOT_ZEROES;
}

/*
 * The end of every I/O. @submitted: it was at the device. @io is on no list.
 */
static void end_io(struct hf_slot_io *io, int error, bool submitted)
{
	struct hf_slot *slot = io->slot;
	unsigned long flags;
	bool idle = false;

	spin_lock_irqsave(&slot->log_lock, flags);
	if (slot->state == HOLDFAST_SLOT_FAILED && !error)
		error = -EIO;
	if (io->registered)
		hf_al_end_write(&slot->al, io->first_extent, io->last_extent,
				!submitted || (io->fua && !error));
	if (io->op == HF_SLOT_FLUSH && submitted && !error)
		hf_al_flush_done(&slot->al, io->flush_generation);
	if (is_busy_kind(io))
		idle = !--slot->nr_busy;
	if (!slot->cleaning && !slot->clean_due && hf_al_wants_flush(&slot->al)) {
		slot->clean_due = true;
		__hf_log_kick(slot);
	}
	spin_unlock_irqrestore(&slot->log_lock, flags);
	if (idle)
		wake_up_all(&slot->drain_wait);
	trace_hf_io_ended(slot->vol, slot->nr, io, error);
	io->end(io, error);
	hf_slot_put(slot);
}

void hf_slot_end_unsubmitted(struct list_head *ios, int error)
{
	struct hf_slot_io *io, *next;

	list_for_each_entry_safe(io, next, ios, entry) {
		list_del_init(&io->entry);
		end_io(io, error, false);
	}
}

/*
 * R3: any error or hang of a device of the slot ends here, once. What waits is
 * ended; what is at the device ends when the device ends it (R15).
 */
void hf_slot_fail(struct hf_slot *slot, int error)
{
	unsigned long flags;
	LIST_HEAD(waiting);
	bool first;

	spin_lock_irqsave(&slot->log_lock, flags);
	first = __set_state(slot, HOLDFAST_SLOT_FAILED);
	if (first) {
		slot->error = error;
		list_splice_init(&slot->roomless, &waiting);
		list_splice_tail_init(&slot->logging, &waiting);
		list_splice_tail_init(&slot->to_submit, &waiting);
		list_splice_tail_init(&slot->zeroer.queue, &waiting);
	}
	spin_unlock_irqrestore(&slot->log_lock, flags);
	if (!first)
		return;
	pr_err("%pUb: slot %u failed with error %d\n", &slot->vol->uuid, slot->nr, error);
	hf_slot_end_unsubmitted(&waiting, -EIO);
	wake_up_all(&slot->drain_wait);
	hf_volume_slot_failed(slot->vol, error);
}

/* --------------------------------------------------------- at the device */

static void take_off(struct hf_slot *slot, struct hf_slot_io *io)
{
	unsigned long flags;

	spin_lock_irqsave(&slot->log_lock, flags);
	list_del_init(&io->entry);
	spin_unlock_irqrestore(&slot->log_lock, flags);
}

void hf_slot_leave_flight(struct hf_slot *slot, struct hf_slot_io *io, int error)
{
	take_off(slot, io);
	/* R11: who can read it elsewhere mends it; a slot that cannot be mended fails then. */
	if (error && !(io->soft && io->op == HF_SLOT_READ))
		hf_slot_fail(slot, error);
	end_io(io, error ? -EIO : 0, true);
}

static void data_bio_end(struct bio *bio)
{
	struct hf_slot_io *io = bio->bi_private;
	int error = blk_status_to_errno(bio->bi_status);
	struct hf_slot *slot = io->slot;
	bool refused = is_zeros(io) && hf_zero_refused(slot, io, bio);

	bio_put(bio);
	if (!refused) {
		hf_slot_leave_flight(slot, io, error);
		return;
	}
	take_off(slot, io);
	hf_zero_queue(slot, io);
}

static blk_opf_t opf_of(const struct hf_slot_io *io)
{
	switch (io->op) {
	case HF_SLOT_READ:
		return REQ_OP_READ;
	case HF_SLOT_FLUSH:
		return REQ_OP_WRITE | REQ_PREFLUSH | REQ_SYNC;
	case HF_SLOT_COPY_ZERO:
	case HF_SLOT_DISCARD:
	case HF_SLOT_ZEROES:
		return hf_zero_opf(io->slot, io);
	default:
		return REQ_OP_WRITE | REQ_SYNC | (io->fua ? REQ_FUA : 0);
	}
}

/* Takes its place among what is at the device; false: the slot failed. */
bool hf_slot_enter_flight(struct hf_slot *slot, struct hf_slot_io *io)
{
	unsigned long flags;
	bool up;

	spin_lock_irqsave(&slot->log_lock, flags);
	up = slot->state != HOLDFAST_SLOT_FAILED;
	if (up) {
		io->submitted_ns = hf_boottime_ns();
		WRITE_ONCE(io->stage, HF_SLOT_STAGE_DEVICE);
		list_add_tail(&io->entry, &slot->in_flight);
		/* Only writes that ended before now are covered (Mistake 3). */
		if (io->op == HF_SLOT_FLUSH)
			io->flush_generation = hf_al_flush_issue(&slot->al);
	}
	spin_unlock_irqrestore(&slot->log_lock, flags);
	if (up)
		trace_hf_io_submitted(slot->vol, slot->nr, io, 0);
	return up;
}

/*
 * What takes several requests is refreshed before each, so that only a device
 * that does not end one of them is found to hang.
 */
bool hf_slot_still_in_flight(struct hf_slot *slot, struct hf_slot_io *io)
{
	unsigned long flags;
	bool up;

	spin_lock_irqsave(&slot->log_lock, flags);
	up = slot->state != HOLDFAST_SLOT_FAILED;
	if (up) {
		io->submitted_ns = hf_boottime_ns();
		list_move_tail(&io->entry, &slot->in_flight);
	}
	spin_unlock_irqrestore(&slot->log_lock, flags);
	return up;
}

/* The pages are the caller's, or ours, until the end: as a clone has them. */
static void set_memory(struct bio *bio, const struct hf_slot_io *io)
{
	if (bio_op(bio) == REQ_OP_WRITE_ZEROES)
		return;
	bio_set_flag(bio, BIO_CLONED);
	if (is_zeros(io)) {
		bio->bi_io_vec = (struct bio_vec *)hf_zero_vecs();
		return;
	}
	bio->bi_io_vec = (struct bio_vec *)io->bvecs;
	bio->bi_iter.bi_bvec_done = io->bvec_done;
}

/* Process context that may wait for the device's queue. */
static void submit_io(struct hf_slot *slot, struct hf_slot_io *io)
{
	blk_opf_t opf = opf_of(io);
	struct bio *bio;

	if (is_zeros(io) && opf == HF_ZERO_BY_WORKER) {
		hf_zero_queue(slot, io);
		return;
	}
	if (!hf_slot_enter_flight(slot, io)) {
		end_io(io, -EIO, false);
		return;
	}
	bio = bio_alloc_bioset(slot->data.bdev.bdev, 0, opf, GFP_NOIO, &slot->bios);
	bio->bi_private = io;
	bio->bi_end_io = data_bio_end;
	if (io->op != HF_SLOT_FLUSH) {
		set_memory(bio, io);
		bio->bi_iter.bi_sector = io->offset >> SECTOR_SHIFT;
		bio->bi_iter.bi_size = io->length;
	}
	submit_bio(bio);
}

static void submit_all(struct hf_slot *slot, struct list_head *ios)
{
	struct hf_slot_io *io, *next;
	struct blk_plug plug;

	blk_start_plug(&plug);
	list_for_each_entry_safe(io, next, ios, entry) {
		list_del_init(&io->entry);
		submit_io(slot, io);
	}
	blk_finish_plug(&plug);
}

void hf_slot_submit_work(struct work_struct *work)
{
	struct hf_slot *slot = container_of(work, struct hf_slot, submit_work);
	unsigned int noio = memalloc_noio_save();
	unsigned long flags;
	LIST_HEAD(ios);

	spin_lock_irqsave(&slot->log_lock, flags);
	list_splice_init(&slot->to_submit, &ios);
	spin_unlock_irqrestore(&slot->log_lock, flags);
	submit_all(slot, &ios);
	memalloc_noio_restore(noio);
}

/* --------------------------------------------------------------- entering */

static enum hf_al_answer register_in_log(struct hf_slot *slot, struct hf_slot_io *io, u8 marks)
{
	u32 shift = slot->super.layout.extent_shift;

	io->first_extent = io->offset >> shift;
	io->last_extent = (io->offset + io->length - 1) >> shift;
	/* R7: a copy of a reconciliation counts as above stable until activation. */
	if (!is_write(io))
		return hf_al_begin_copy(&slot->al, io->first_extent, io->last_extent,
					&io->record);
	return hf_al_begin_write(&slot->al, io->first_extent, io->last_extent, io->term, io->seq,
				 marks, &io->record);
}

static u8 marks_of(struct hf_slot *slot, const struct hf_slot_io *io)
{
	if (!is_write(io) || HF_BROKEN_NO_MARKS)
		return 0;
	/*
	 * A number without a slot here: it was removed, and nobody will ask; or it
	 * was added by an epoch that is on its way, whose adoption sets all bits.
	 */
	return (io->missing_mask | slot->outside_mask) & slot->used_mask & ~BIT(slot->nr);
}

static u8 absent_bitmaps(struct hf_slot *slot, u8 mask)
{
	u8 absent = 0, nr;

	for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
		if ((mask & BIT(nr)) && !slot->bitmaps[nr])
			absent |= BIT(nr);
	}
	return absent;
}

/*
 * One section of log_lock: mark what is missing elsewhere (R3b) and register
 * in the log (R10). Puts @io on @ready, or where it waits.
 */
void __hf_slot_register(struct hf_slot *slot, struct hf_slot_io *io, struct list_head *ready)
{
	u8 marks = marks_of(slot, io);
	u8 absent = absent_bitmaps(slot, marks);

	lockdep_assert_held(&slot->log_lock);
	if (absent) {
		WRITE_ONCE(io->stage, HF_SLOT_STAGE_ROOM);
		trace_hf_io_waits_room(slot->vol, slot->nr, io, 0);
		slot->wanted_bitmaps |= absent;
		list_add_tail(&io->entry, &slot->roomless);
		return;
	}
	switch (register_in_log(slot, io, marks)) {
	case HF_AL_READY:
		WRITE_ONCE(io->stage, HF_SLOT_STAGE_SUBMIT);
		trace_hf_io_covered(slot->vol, slot->nr, io, 0);
		list_add_tail(&io->entry, ready);
		break;
	case HF_AL_WAIT:
		list_add_tail(&io->entry, &slot->logging);
		WRITE_ONCE(io->stage, HF_SLOT_STAGE_LOG);
		trace_hf_io_waits_log(slot->vol, slot->nr, io, 0);
		break;
	case HF_AL_FULL:
		WRITE_ONCE(io->stage, HF_SLOT_STAGE_ROOM);
		trace_hf_io_waits_room(slot->vol, slot->nr, io, 0);
		slot->trim_due = true;
		slot->clean_due |= hf_al_wants_idle_flush(&slot->al);
		list_add_tail(&io->entry, &slot->roomless);
		return;
	}
	io->registered = true;
	__hf_bitmaps_mark(slot, marks, io->offset, io->length);
}

static bool wants_log(const struct hf_slot *slot, const struct hf_slot_io *io)
{
	if (is_write(io))
		return true;
	/* R10: a rebuild's copies need no entry; a reconciliation's do (R7). */
	return is_busy_kind(io) && !slot->activated;
}

static int __enter(struct hf_slot *slot, struct hf_slot_io *io, struct list_head *ready)
{
	lockdep_assert_held(&slot->log_lock);
	if (slot->state != HOLDFAST_SLOT_UP)
		return -EIO;
	if (is_write(io) && io->term != slot->term)
		return -ESTALE;
	/* R10: it would wait for room that there is never. */
	if (is_write(io) && is_zeros(io) && !hf_slot_can_log(slot, io->length))
		return -EINVAL;
	if (is_busy_kind(io)) {
		slot->nr_busy++;
		slot->last_write_ns = io->entered_ns;
	}
	if (!wants_log(slot, io)) {
		WRITE_ONCE(io->stage, HF_SLOT_STAGE_SUBMIT);
		list_add_tail(&io->entry, ready);
		return 0;
	}
	__hf_slot_register(slot, io, ready);
	if (list_empty(ready))
		__hf_log_kick(slot);
	return 0;
}

void hf_slot_submit(struct hf_slot *slot, struct hf_slot_io *io)
{
	unsigned long flags;
	LIST_HEAD(ready);
	int error;

	io->slot = hf_slot_get(slot);
	io->registered = false;
	io->entered_ns = hf_boottime_ns();
	WRITE_ONCE(io->stage, HF_SLOT_STAGE_NEW);
	io->zero_again = false;
	spin_lock_irqsave(&slot->log_lock, flags);
	error = __enter(slot, io, &ready);
	if (!error && !io->may_sleep && !list_empty(&ready)) {
		list_splice_tail_init(&ready, &slot->to_submit);
		queue_work(hf_slot_wq, &slot->submit_work);
	}
	spin_unlock_irqrestore(&slot->log_lock, flags);

	if (error) {
		io->end(io, error);
		hf_slot_put(slot);
		return;
	}
	__hf_log_watch(slot);
	if (!list_empty(&ready)) {
		unsigned int noio = memalloc_noio_save();

		submit_all(slot, &ready);
		memalloc_noio_restore(noio);
	}
}

/* ------------------------------------------------------- stable, draining */

void hf_slot_stable(struct hf_slot *slot, u64 term, u64 stable)
{
	unsigned long flags;

	spin_lock_irqsave(&slot->log_lock, flags);
	if (term == slot->term) {
		hf_al_stable(&slot->al, term, stable);
		/* R10: a slot that waits for room goes on with it. */
		if (!list_empty(&slot->roomless)) {
			slot->trim_due = true;
			__hf_log_kick(slot);
		}
	}
	spin_unlock_irqrestore(&slot->log_lock, flags);
}

unsigned int hf_slot_busy(struct hf_slot *slot)
{
	unsigned long flags;
	unsigned int busy;

	spin_lock_irqsave(&slot->log_lock, flags);
	busy = slot->nr_busy;
	spin_unlock_irqrestore(&slot->log_lock, flags);
	return busy;
}

int hf_slot_drain(struct hf_slot *slot, unsigned int timeout_ms)
{
	if (wait_event_timeout(slot->drain_wait, !hf_slot_busy(slot),
			       msecs_to_jiffies(timeout_ms)))
		return 0;
	return -ETIMEDOUT;
}

void hf_slot_drain_wait(struct hf_slot *slot, struct wait_queue_entry *entry)
{
	add_wait_queue(&slot->drain_wait, entry);
}

void hf_slot_drain_unwait(struct hf_slot *slot, struct wait_queue_entry *entry)
{
	remove_wait_queue(&slot->drain_wait, entry);
}

/* ----------------------------------------------------------------- facts */

unsigned int hf_slot_logged(struct hf_slot *slot, u32 *extents, unsigned int max)
{
	unsigned long flags;
	unsigned int nr;

	spin_lock_irqsave(&slot->log_lock, flags);
	nr = hf_al_list(&slot->al, HF_AL_LOGGED, extents, max);
	spin_unlock_irqrestore(&slot->log_lock, flags);
	return min(nr, max);
}

bool hf_slot_all_logged(struct hf_slot *slot)
{
	unsigned long flags;
	bool all;

	spin_lock_irqsave(&slot->log_lock, flags);
	all = hf_al_all(&slot->al);
	spin_unlock_irqrestore(&slot->log_lock, flags);
	return all;
}

u32 hf_slot_log_used(struct hf_slot *slot)
{
	unsigned long flags;
	u32 used;

	spin_lock_irqsave(&slot->log_lock, flags);
	used = hf_al_used(&slot->al);
	spin_unlock_irqrestore(&slot->log_lock, flags);
	return used;
}

/*
 * What new writes can count on. What earlier lives left takes room until it is
 * settled; before an activation that is bound to come, since no write does
 * earlier, and a slot whose log was full must be linked for it (R7, R10).
 */
u32 hf_slot_log_entries(struct hf_slot *slot)
{
	u32 room = slot->super.layout.log_entries;
	unsigned long flags;

	spin_lock_irqsave(&slot->log_lock, flags);
	if (slot->activated)
		room = hf_al_room(&slot->al);
	spin_unlock_irqrestore(&slot->log_lock, flags);
	return room;
}

static bool __owes(struct hf_slot *slot)
{
	const struct hf_bitmap *own = slot->bitmaps[slot->nr];

	lockdep_assert_held(&slot->log_lock);
	return slot->in_set && own && hf_bitmap_dirty_bytes(own);
}

bool hf_slot_owes(struct hf_slot *slot)
{
	unsigned long flags;
	bool owes;

	spin_lock_irqsave(&slot->log_lock, flags);
	owes = __owes(slot);
	spin_unlock_irqrestore(&slot->log_lock, flags);
	return owes;
}

void hf_slot_took_part(struct hf_slot *slot, u64 term)
{
	unsigned long flags;

	spin_lock_irqsave(&slot->log_lock, flags);
	slot->ready_term = term;
	spin_unlock_irqrestore(&slot->log_lock, flags);
}

bool hf_slot_unclean(struct hf_slot *slot)
{
	unsigned long flags;
	bool unclean;

	spin_lock_irqsave(&slot->log_lock, flags);
	unclean = hf_al_unclean(&slot->al) || __owes(slot);
	spin_unlock_irqrestore(&slot->log_lock, flags);
	return unclean;
}

u8 hf_slot_nr(const struct hf_slot *slot)
{
	return slot->nr;
}

u64 hf_slot_life(const struct hf_slot *slot)
{
	return slot->life;
}

u64 hf_slot_incarnation(const struct hf_slot *slot)
{
	return slot->super.incarnation;
}

u64 hf_slot_size_bytes(const struct hf_slot *slot)
{
	return slot->super.layout.size_bytes;
}

u32 hf_slot_nr_extents(const struct hf_slot *slot)
{
	return hf_meta_nr_extents(&slot->super.layout);
}

u32 hf_slot_extent_shift(const struct hf_slot *slot)
{
	return slot->super.layout.extent_shift;
}

u32 hf_slot_zero_max(const struct hf_slot *slot)
{
	return hf_zero_max_bytes(slot->super.layout.extent_shift, slot->super.layout.log_entries);
}

bool hf_slot_can_log(const struct hf_slot *slot, u32 bytes)
{
	return hf_zero_log_entries(bytes, slot->super.layout.extent_shift) <=
	       slot->super.layout.log_entries;
}

u32 hf_slot_granule_shift(const struct hf_slot *slot)
{
	return slot->super.layout.granule_shift;
}

bool hf_slot_usable(const struct hf_slot *slot)
{
	return READ_ONCE(slot->state) == HOLDFAST_SLOT_UP;
}

enum holdfast_slot_state hf_slot_state(const struct hf_slot *slot)
{
	return READ_ONCE(slot->state);
}

int hf_slot_error(const struct hf_slot *slot)
{
	return READ_ONCE(slot->error);
}

void hf_slot_paths(const struct hf_slot *slot, const char **data, const char **meta)
{
	*data = slot->data.path;
	*meta = slot->meta.path;
}

void hf_slot_promise(struct hf_slot *slot, u32 node, u64 instance)
{
	hf_promise_record(slot->promises, node, instance);
}

unsigned int hf_slot_promise_left(struct hf_slot *slot, u32 node, u64 instance)
{
	return hf_promise_left_ms(slot->promises, node, instance);
}
