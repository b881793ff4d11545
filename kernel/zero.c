// SPDX-License-Identifier: GPL-2.0
/*
 * Zeros on the data device of a slot (R16): how a range comes to read as zeros,
 * and gives its room back where it can. When a range may be touched (log,
 * marks, order) is slot.c's.
 *
 * Three ways, by what the device is:
 *  1. It writes zeros by itself (REQ_OP_WRITE_ZEROES): one request, asynchronous.
 *     The block layer's contract is that the range reads as zeros afterwards;
 *     without REQ_NOUNMAP the device may free it.
 *  2. Who attached the slot says that discarded room reads as zeros (dm-thin with
 *     zeroing on; the queue does not tell). What a discard covers in whole units
 *     is discarded; then all of the range is read back, and written with zeros
 *     where it is not zero. That takes care of the ends, which dm-thin leaves
 *     alone, without allocating what is free already; and of a pool that is
 *     read-only or out of metadata space, which answers a discard with success
 *     and discards nothing.
 *  3. Any other device is written with zeros.
 *
 * What takes more than one request is done by one worker a slot, one range
 * after the other, since these are many and large, and no write may wait behind
 * them. It allocates nothing: bios and pages are the slot's. It waits for the
 * device as long as that takes (R15); al.c's watch sees each step, so that a
 * device which hangs fails the slot.
 *
 * Locks: log_lock for the queue; everything else is the worker's.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "zero.h"

#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "slot_impl.h"
#include "wire.h"
#include "zero_core.h"

static struct workqueue_struct *zero_wq;

/* What is written: the zero page, as often as the largest I/O wants it. */
static struct bio_vec zero_vecs[HF_MAX_IO_BYTES / PAGE_SIZE];

/* ------------------------------------------------------------- the device */

static bool writes_zeros(const struct hf_slot *slot)
{
	return !READ_ONCE(slot->zeroer.no_offload) &&
	       bdev_write_zeroes_sectors(slot->data.bdev.bdev);
}

/* Does a discard free room here that then reads as zeros. */
static bool frees_room(const struct hf_slot *slot, const struct hf_slot_io *io)
{
	return io->op != HF_SLOT_ZEROES && slot->zeroer.unit;
}

u32 hf_slot_unmap_bytes(const struct hf_slot *slot)
{
	struct block_device *bdev = slot->data.bdev.bdev;

	if (slot->zeroer.unit)
		return slot->zeroer.unit;
	if (!writes_zeros(slot) || !bdev_max_discard_sectors(bdev))
		return 0;
	return clamp_t(u32, bdev_discard_granularity(bdev), HF_BLOCK_BYTES, HF_WIRE_MAX_UNMAP);
}

/* ------------------------------------------------- one request, asynchronous */

blk_opf_t hf_zero_opf(const struct hf_slot *slot, const struct hf_slot_io *io)
{
	/* No zeros carry FUA: a flush follows them. */
	if (io->zero_again || io->fua || frees_room(slot, io))
		return HF_ZERO_BY_WORKER;
	if (writes_zeros(slot))
		return REQ_OP_WRITE_ZEROES | REQ_SYNC |
		       (io->op == HF_SLOT_ZEROES ? REQ_NOUNMAP : 0);
	return io->length <= HF_MAX_IO_BYTES ? REQ_OP_WRITE | REQ_SYNC : HF_ZERO_BY_WORKER;
}

const struct bio_vec *hf_zero_vecs(void)
{
	return zero_vecs;
}

/* A device may only find out by doing it that it cannot. */
static bool is_refusal(blk_status_t status)
{
	return status == BLK_STS_NOTSUPP || status == BLK_STS_TARGET;
}

bool hf_zero_refused(struct hf_slot *slot, struct hf_slot_io *io, const struct bio *bio)
{
	if (bio_op(bio) != REQ_OP_WRITE_ZEROES || !is_refusal(bio->bi_status))
		return false;
	WRITE_ONCE(slot->zeroer.no_offload, true);
	io->zero_again = true;
	return true;
}

/* -------------------------------------------------- several, by the worker */

static void step_end(struct bio *bio)
{
	struct hf_zeroer *zeroer = container_of(bio, struct hf_zero_bio, bio)->zeroer;

	if (bio->bi_status)
		WRITE_ONCE(zeroer->status, bio->bi_status);
	if (atomic_dec_and_test(&zeroer->pending))
		complete(&zeroer->done);
}

/* The first @nr bios, at once. Returns when the device has ended them (R15). */
static blk_status_t run_bios(struct hf_zeroer *zeroer, unsigned int nr)
{
	unsigned int i;

	zeroer->status = BLK_STS_OK;
	reinit_completion(&zeroer->done);
	atomic_set(&zeroer->pending, nr);
	for (i = 0; i < nr; i++)
		submit_bio(&zeroer->bios[i].bio);
	wait_for_completion_io(&zeroer->done);
	return zeroer->status;
}

static void set_bio(struct hf_slot *slot, unsigned int nr, blk_opf_t opf, u64 offset, u64 bytes,
		    struct bio_vec *vecs)
{
	struct bio *bio = &slot->zeroer.bios[nr].bio;

	bio_init(bio, slot->data.bdev.bdev, NULL, 0, opf);
	bio->bi_end_io = step_end;
	if (vecs) {
		bio_set_flag(bio, BIO_CLONED);
		bio->bi_io_vec = vecs;
	}
	bio->bi_iter.bi_sector = offset >> SECTOR_SHIFT;
	bio->bi_iter.bi_size = bytes;
}

static int write_zeros(struct hf_slot *slot, struct hf_slot_io *io, u64 offset, u64 end)
{
	blk_status_t status;
	unsigned int nr;
	u64 bytes;

	while (offset < end) {
		if (!hf_slot_still_in_flight(slot, io))
			return -EIO;
		for (nr = 0; nr < HF_ZERO_BIOS && offset < end; nr++, offset += bytes) {
			bytes = min_t(u64, end - offset, HF_MAX_IO_BYTES);
			set_bio(slot, nr, REQ_OP_WRITE | REQ_SYNC, offset, bytes, zero_vecs);
		}
		status = run_bios(&slot->zeroer, nr);
		if (status)
			return blk_status_to_errno(status);
	}
	return 0;
}

/* False: the device would not, and the range is as it was or zeros. */
static bool offload(struct hf_slot *slot, struct hf_slot_io *io, int *error)
{
	blk_opf_t opf = REQ_OP_WRITE_ZEROES | REQ_SYNC;
	blk_status_t status;

	if (!writes_zeros(slot))
		return false;
	if (io->op == HF_SLOT_ZEROES)
		opf |= REQ_NOUNMAP;
	set_bio(slot, 0, opf, io->offset, io->length, NULL);
	status = run_bios(&slot->zeroer, 1);
	if (is_refusal(status)) {
		WRITE_ONCE(slot->zeroer.no_offload, true);
		return false;
	}
	*error = blk_status_to_errno(status);
	return true;
}

/* What is not discarded after all is found by reading it. */
static int discard_inside(struct hf_slot *slot, struct hf_slot_io *io)
{
	blk_status_t status;
	u64 start, end;

	if (!hf_zero_inner(io->offset, io->length, slot->zeroer.unit, &start, &end))
		return 0;
	set_bio(slot, 0, REQ_OP_DISCARD | REQ_SYNC, start, end - start, NULL);
	status = run_bios(&slot->zeroer, 1);
	return is_refusal(status) ? 0 : blk_status_to_errno(status);
}

static bool page_is_zero(const struct bio_vec *vec, u32 bytes)
{
	return !memchr_inv(page_address(vec->bv_page), 0, bytes);
}

/* The part of a piece from its first page that is not zero to its last; false: none. */
static bool find_rest(const struct hf_zeroer *zeroer, u32 bytes, u32 *from, u32 *to)
{
	bool found = false;
	u32 at, here;

	for (at = 0; at < bytes; at += here) {
		here = min_t(u32, bytes - at, PAGE_SIZE);
		if (page_is_zero(&zeroer->vecs[at / PAGE_SIZE], here))
			continue;
		if (!found)
			*from = at;
		*to = at + here;
		found = true;
	}
	return found;
}

static int clear_rest(struct hf_slot *slot, struct hf_slot_io *io)
{
	struct hf_zeroer *zeroer = &slot->zeroer;
	u64 at = io->offset, end = io->offset + io->length;
	u32 bytes, from, to;
	blk_status_t status;
	int error;

	for (; at < end; at += bytes) {
		/* Pieces begin where units may, so that a free unit is not touched. */
		bytes = min_t(u64, end - at, HF_ZERO_PIECE - at % HF_ZERO_PIECE);
		if (!hf_slot_still_in_flight(slot, io))
			return -EIO;
		set_bio(slot, 0, REQ_OP_READ | REQ_SYNC, at, bytes, zeroer->vecs);
		status = run_bios(zeroer, 1);
		if (status)
			return blk_status_to_errno(status);
		if (!find_rest(zeroer, bytes, &from, &to))
			continue;
		error = write_zeros(slot, io, at + from, at + to);
		if (error)
			return error;
	}
	return 0;
}

static int flush(struct hf_slot *slot)
{
	set_bio(slot, 0, REQ_OP_WRITE | REQ_PREFLUSH | REQ_SYNC, 0, 0, NULL);
	return blk_status_to_errno(run_bios(&slot->zeroer, 1));
}

static int make_zeros(struct hf_slot *slot, struct hf_slot_io *io)
{
	int error = 0;

	if (frees_room(slot, io)) {
		error = discard_inside(slot, io);
		if (!error)
			error = clear_rest(slot, io);
	} else if (!offload(slot, io, &error)) {
		error = write_zeros(slot, io, io->offset, io->offset + io->length);
	}
	if (!error && io->fua)
		error = hf_slot_still_in_flight(slot, io) ? flush(slot) : -EIO;
	return error;
}

static struct hf_slot_io *next_io(struct hf_slot *slot)
{
	struct hf_slot_io *io;
	unsigned long flags;

	spin_lock_irqsave(&slot->log_lock, flags);
	io = list_first_entry_or_null(&slot->zeroer.queue, struct hf_slot_io, entry);
	if (io)
		list_del_init(&io->entry);
	spin_unlock_irqrestore(&slot->log_lock, flags);
	return io;
}

static void zero_work(struct work_struct *work)
{
	struct hf_zeroer *zeroer = container_of(work, struct hf_zeroer, work);
	struct hf_slot *slot = container_of(zeroer, struct hf_slot, zeroer);
	unsigned int noio = memalloc_noio_save();
	struct hf_slot_io *io;
	LIST_HEAD(late);

	while ((io = next_io(slot))) {
		if (hf_slot_enter_flight(slot, io))
			hf_slot_leave_flight(slot, io, make_zeros(slot, io));
		else
			list_add_tail(&io->entry, &late);
	}
	hf_slot_end_unsubmitted(&late, -EIO);
	memalloc_noio_restore(noio);
}

void hf_zero_queue(struct hf_slot *slot, struct hf_slot_io *io)
{
	unsigned long flags;
	LIST_HEAD(late);

	spin_lock_irqsave(&slot->log_lock, flags);
	if (slot->state != HOLDFAST_SLOT_FAILED) {
		list_add_tail(&io->entry, &slot->zeroer.queue);
		queue_work(zero_wq, &slot->zeroer.work);
	} else {
		list_add_tail(&io->entry, &late);
	}
	spin_unlock_irqrestore(&slot->log_lock, flags);
	hf_slot_end_unsubmitted(&late, -EIO);
}

/* ------------------------------------------------------------------- life */

void hf_zero_init(struct hf_slot *slot)
{
	struct hf_zeroer *zeroer = &slot->zeroer;

	INIT_WORK(&zeroer->work, zero_work);
	INIT_LIST_HEAD(&zeroer->queue);
	init_completion(&zeroer->done);
}

int hf_zero_attach(struct hf_slot *slot, bool discard_zeroes)
{
	struct block_device *bdev = slot->data.bdev.bdev;
	struct hf_zeroer *zeroer = &slot->zeroer;
	u32 unit = bdev_discard_granularity(bdev);
	unsigned int i;

	zeroer->bios = kcalloc(HF_ZERO_BIOS, sizeof(*zeroer->bios), GFP_KERNEL);
	if (!zeroer->bios)
		return -ENOMEM;
	for (i = 0; i < HF_ZERO_BIOS; i++)
		zeroer->bios[i].zeroer = zeroer;
	if (!discard_zeroes || !bdev_max_discard_sectors(bdev) || bdev_discard_alignment(bdev) ||
	    unit % SECTOR_SIZE || unit > HF_WIRE_MAX_UNMAP)
		return 0;
	for (i = 0; i < ARRAY_SIZE(zeroer->vecs); i++) {
		struct page *page = alloc_page(GFP_KERNEL);

		if (!page)
			return -ENOMEM;
		bvec_set_page(&zeroer->vecs[i], page, PAGE_SIZE, 0);
	}
	zeroer->unit = max_t(u32, unit, HF_BLOCK_BYTES);
	return 0;
}

void hf_zero_detach(struct hf_slot *slot)
{
	struct hf_zeroer *zeroer = &slot->zeroer;
	unsigned int i;

	cancel_work_sync(&zeroer->work);
	for (i = 0; i < ARRAY_SIZE(zeroer->vecs); i++)
		if (zeroer->vecs[i].bv_page)
			__free_page(zeroer->vecs[i].bv_page);
	kfree(zeroer->bios);
}

int hf_zero_module_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(zero_vecs); i++)
		bvec_set_page(&zero_vecs[i], ZERO_PAGE(0), PAGE_SIZE, 0);
	zero_wq = alloc_workqueue("hf_zero", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	return zero_wq ? 0 : -ENOMEM;
}

void hf_zero_module_exit(void)
{
	if (zero_wq)
		destroy_workqueue(zero_wq);
	zero_wq = NULL;
}
