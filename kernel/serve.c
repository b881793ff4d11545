// SPDX-License-Identifier: GPL-2.0
/*
 * Runs the primary's operations: takes their ranges and room, fans them out,
 * collects the answers, and decides under one lock what completes, what is
 * held and what fails. Which configuration is in force, who gets messages and
 * what counts as holding is order.c's; the memory of an operation is req.c's.
 *
 * Rules: R2 (completion), R3 (hold, send again), R5 (lease at the moment of
 * completion), R6 (fail, ghosts), R8 (overlap, reads), R10 (room), R15.
 * Locks: serve_lock, see serve.h.
 */
#include "serve.h"

#include "copy.h"
#include "disk.h"
#include "event.h"
#include "main.h"
#include "mend.h"
#include "sabotage.h"
#include "trace.h"

/* The request leaves for the block layer, the operation for the pool. */
static void end_rq(struct hf_disk *disk, struct hf_req *req, blk_status_t status,
		   struct hf_ended *ended)
{
	struct hf_serve *serve = &disk->serve;
	struct hf_pdu *pdu;

	WARN_ON_ONCE(req->sent_mask);
	if (req->rq) {
		trace_hf_req_completed(req, HF_TRACE_NO_SLOT, blk_status_to_errno(status));
		pdu = blk_mq_rq_to_pdu(req->rq);
		pdu->status = status;
		list_add_tail(&req->rq->queuelist, &ended->requests);
		req->rq = NULL;
		serve->nr_reqs--;
	}
	if (req->stuck)
		serve->nr_stuck--;
	if (req->state == HF_REQ_GHOST)
		serve->nr_ghosts--;
	if (req->zeroing)
		serve->zero_bytes -= req->length;
	req->zeroing = false;
	req->stuck = false;
	req->state = HF_REQ_FREE;
	list_del(&req->all_entry);
	list_move(&req->entry, &serve->free);
}

static void read_again(struct hf_disk *disk, struct hf_req *req)
{
	trace_hf_req_again(req, HF_TRACE_NO_SLOT, 0);
	req->state = HF_REQ_AGAIN;
	list_move_tail(&req->entry, &disk->serve.again);
}

/* R11: a slot of the set that can be read from and was not found bad; -1: none now. */
static int read_source(const struct hf_disk *disk, const struct hf_req *req)
{
	u8 may = disk->serve.in_sync_mask & ~req->tried_mask;
	u8 nr;

	if ((may & BIT(disk->own_nr)) && hf_serve_own_usable(disk))
		return disk->own_nr;
	for (nr = 0; nr < HF_MAX_SLOTS; nr++)
		if ((may & BIT(nr)) && disk->remotes[nr].gets)
			return nr;
	return -1;
}

static void start_read(struct hf_disk *disk, struct hf_req *req, struct hf_ended *ended)
{
	struct hf_serve *serve = &disk->serve;
	int nr = read_source(disk, req);

	/* R3: no slot of the set can read it. One that is lost now may come back. */
	if (!(serve->in_sync_mask & ~req->tried_mask)) {
		end_rq(disk, req, BLK_STS_IOERR, ended);
		return;
	}
	if (nr < 0) {
		read_again(disk, req);
		return;
	}
	list_del_init(&req->entry);
	hf_overlap_read_begin(&serve->overlap, &req->range, req->offset, req->length);
	req->state = HF_REQ_FLYING;
	serve->nr_reads++;
	if (nr == disk->own_nr)
		hf_req_post_local(req);
	else
		hf_req_post_remote(req, nr);
}

/* Its data is in and every overlapping write is completed; out of the tree (R8, R5). */
static void read_ready(struct hf_disk *disk, struct hf_req *req, struct hf_ended *ended)
{
	struct hf_serve *serve = &disk->serve;

	serve->nr_reads--;
	if (serve->state == HOLDFAST_DISK_DEAD || req->failing) {
		end_rq(disk, req, BLK_STS_IOERR, ended);
		return;
	}
	if (!req->range.again && hf_serve_may_complete(disk)) {
		/* R11: who could not read it gets it from who could. */
		if (req->tried_mask)
			hf_mend_want(disk, req->tried_mask, req->offset, req->length);
		end_rq(disk, req, BLK_STS_OK, ended);
		return;
	}
	if (req->range.again && hf_serve_may_complete(disk))
		start_read(disk, req, ended);
	else
		read_again(disk, req);
}

static bool room_fits(struct hf_serve *serve, struct hf_req *req)
{
	return serve->seq - serve->stable < HF_WINDOW &&
	       hf_room_try_take(&serve->room, req->first_extent, req->last_extent);
}

/* R10, R3b: number, place and receivers in one section; see serve.h. */
static void launch(struct hf_disk *disk, struct hf_req *req)
{
	struct hf_serve *serve = &disk->serve;
	struct hf_window_entry *entry;
	u8 nr;

	req->seq = ++serve->seq;
	entry = &serve->window[req->seq % HF_WINDOW];
	entry->first_extent = req->first_extent;
	entry->last_extent = req->last_extent;
	entry->done = false;
	req->state = HF_REQ_FLYING;
	req->acked_mask = 0;
	list_move_tail(&req->entry, &serve->flights);
	trace_hf_req_launched(req, HF_TRACE_NO_SLOT, 0);
	if (hf_serve_own_usable(disk))
		hf_req_post_local(req);
	for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
		if (!disk->remotes[nr].gets)
			continue;
		if (HF_BROKEN_EARLY_ACK)
			hf_sabotage_send_late(req, nr);
		else
			hf_req_post_remote(req, nr);
	}
}

/*
 * R16: zeros are many and large, and a slot may have to write them. So many that
 * the slots are busy go on to the line for room, the rest waits here and lets
 * writes pass; in that line nobody passes anybody.
 */
static void let_zeros_in(struct hf_serve *serve)
{
	struct hf_req *req, *next;

	list_for_each_entry_safe(req, next, &serve->waits_zeros, entry) {
		if (serve->zero_bytes && serve->zero_bytes + req->length > HF_ZERO_WINDOW)
			break;
		serve->zero_bytes += req->length;
		req->zeroing = true;
		list_move_tail(&req->entry, &serve->waits_room);
	}
}

void hf_serve_start_room_waiters(struct hf_disk *disk)
{
	struct hf_serve *serve = &disk->serve;
	struct hf_req *req, *next;

	lockdep_assert_held(&serve->serve_lock);
	if (serve->state != HOLDFAST_DISK_ACTIVE)
		return;
	let_zeros_in(serve);
	list_for_each_entry_safe(req, next, &serve->waits_room, entry) {
		if (!room_fits(serve, req))
			break;
		launch(disk, req);
	}
}

/* Has its range; in order of arrival behind those that wait for room already. */
static void granted_write(struct hf_disk *disk, struct hf_req *req)
{
	struct hf_serve *serve = &disk->serve;

	trace_hf_req_granted(req, HF_TRACE_NO_SLOT, 0);
	req->state = HF_REQ_WAITS_ROOM;
	list_add_tail(&req->entry,
		      hf_req_is_zeros(req) ? &serve->waits_zeros : &serve->waits_room);
}

static void start(struct hf_disk *disk, struct hf_req *req, struct hf_ended *ended)
{
	struct hf_serve *serve = &disk->serve;

	if (serve->expired) {
		end_rq(disk, req, BLK_STS_IOERR, ended);
		return;
	}
	if (serve->state != HOLDFAST_DISK_ACTIVE) {
		trace_hf_req_parked(req, HF_TRACE_NO_SLOT, 0);
		req->state = HF_REQ_PARKED;
		list_move_tail(&req->entry, &serve->parked);
		return;
	}
	switch (req->kind) {
	case HF_REQ_READ:
		start_read(disk, req, ended);
		break;
	case HF_REQ_FLUSH:
		req->state = HF_REQ_FLYING;
		list_move_tail(&req->entry, &serve->flushes);
		hf_serve_judge(disk, req, ended);
		break;
	case HF_REQ_WRITE:
		list_del_init(&req->entry);
		if (!hf_overlap_begin(&serve->overlap, &req->range, HF_RANGE_WRITE, req->offset,
				      req->length)) {
			trace_hf_req_waits_range(req, HF_TRACE_NO_SLOT, 0);
			req->state = HF_REQ_WAITS_RANGE;
			break;
		}
		granted_write(disk, req);
		hf_serve_start_room_waiters(disk);
		break;
	}
}

/* What a range that was given back sets free. */
static void pass_on(struct hf_disk *disk, struct list_head *granted, struct list_head *ready,
		    struct hf_ended *ended)
{
	struct hf_range *range, *next;

	list_for_each_entry_safe(range, next, granted, entry) {
		list_del_init(&range->entry);
		if (range->kind == HF_RANGE_COPY)
			hf_copy_granted(range);
		else
			granted_write(disk, container_of(range, struct hf_req, range));
	}
	list_for_each_entry_safe(range, next, ready, entry) {
		list_del_init(&range->entry);
		read_ready(disk, container_of(range, struct hf_req, range), ended);
	}
	hf_serve_start_room_waiters(disk);
}

void hf_serve_copy_end(struct hf_disk *disk, struct hf_range *range, struct hf_ended *ended)
{
	LIST_HEAD(granted);
	LIST_HEAD(ready);

	lockdep_assert_held(&disk->serve.serve_lock);
	hf_overlap_end(&disk->serve.overlap, range, &granted, &ready);
	pass_on(disk, &granted, &ready, ended);
}

/* Its place in the window; one that stable has passed is another write's. */
static void set_done(struct hf_serve *serve, const struct hf_req *req)
{
	if (req->seq > serve->stable)
		serve->window[req->seq % HF_WINDOW].done = true;
}

/* A write ends: all that must have it have it, or it never went anywhere. */
static void write_end(struct hf_disk *disk, struct hf_req *req, blk_status_t status,
		      struct hf_ended *ended)
{
	struct hf_serve *serve = &disk->serve;
	LIST_HEAD(granted);
	LIST_HEAD(ready);

	if (!status)
		hf_overlap_complete(&serve->overlap, &req->range, &ready);
	hf_overlap_end(&serve->overlap, &req->range, &granted, &ready);
	trace_hf_req_released(req, HF_TRACE_NO_SLOT, 0);
	set_done(serve, req);
	end_rq(disk, req, status, ended);
	hf_serve_advance_stable(disk);
	pass_on(disk, &granted, &ready, ended);
}

/* R6: failed to its caller, keeps its range and its place above stable. */
static void make_ghost(struct hf_disk *disk, struct hf_req *req, struct hf_ended *ended)
{
	struct hf_serve *serve = &disk->serve;
	struct hf_pdu *pdu = blk_mq_rq_to_pdu(req->rq);

	trace_hf_req_completed(req, HF_TRACE_NO_SLOT, -EIO);
	pdu->status = BLK_STS_IOERR;
	list_add_tail(&req->rq->queuelist, &ended->requests);
	req->rq = NULL;
	req->bvecs = NULL;
	req->nr_bvecs = 0;
	req->failing = false;
	serve->nr_reqs--;
	serve->nr_ghosts++;
	if (req->stuck)
		serve->nr_stuck--;
	req->stuck = false;
	req->state = HF_REQ_GHOST;
	/* No record left for a further failed write: the disk must end (R6). */
	if (serve->nr_ghosts >= HF_DISK_GHOSTS)
		hf_serve_set_state(disk, HOLDFAST_DISK_DEAD);
}

/* Ends @req with an error if it may end now; true: something changed. */
static bool fail_one(struct hf_disk *disk, struct hf_req *req, struct hf_ended *ended)
{
	struct hf_serve *serve = &disk->serve;
	bool dead = serve->state == HOLDFAST_DISK_DEAD;

	switch (req->state) {
	case HF_REQ_PARKED:
	case HF_REQ_AGAIN:
		end_rq(disk, req, BLK_STS_IOERR, ended);
		return true;
	case HF_REQ_WAITS_RANGE:
	case HF_REQ_WAITS_ROOM:
		list_del_init(&req->entry);
		write_end(disk, req, BLK_STS_IOERR, ended);
		return true;
	case HF_REQ_ARRIVED:
		hf_overlap_read_cancel(&serve->overlap, &req->range);
		serve->nr_reads--;
		end_rq(disk, req, BLK_STS_IOERR, ended);
		return true;
	case HF_REQ_FLYING:
		req->failing = true;
		if (req->sent_mask)
			return false;
		if (req->kind == HF_REQ_FLUSH)
			end_rq(disk, req, BLK_STS_IOERR, ended);
		else if (dead)
			write_end(disk, req, BLK_STS_IOERR, ended);
		else
			make_ghost(disk, req, ended);
		return true;
	case HF_REQ_GHOST:
		if (!dead || req->sent_mask || req->repair_bvecs)
			return false;
		write_end(disk, req, BLK_STS_IOERR, ended);
		return true;
	default:
		return false;
	}
}

/* One end may end others: begin again after each, there are few. */
static void fail_all(struct hf_disk *disk, struct hf_ended *ended)
{
	struct hf_req *req;
	bool changed;

	do {
		changed = false;
		list_for_each_entry(req, &disk->serve.all, all_entry) {
			changed = fail_one(disk, req, ended);
			if (changed)
				break;
		}
	} while (changed);
}

void hf_serve_fail_held(struct hf_disk *disk, struct hf_ended *ended)
{
	lockdep_assert_held(&disk->serve.serve_lock);
	if (disk->serve.hold_since_ns)
		fail_all(disk, ended);
	hf_serve_judge_all(disk, ended);
}

static void set_stuck(struct hf_serve *serve, struct hf_req *req, bool stuck)
{
	if (req->stuck == stuck)
		return;
	req->stuck = stuck;
	if (stuck) {
		trace_hf_req_held(req, HF_TRACE_NO_SLOT, 0);
		serve->nr_stuck++;
	} else {
		serve->nr_stuck--;
	}
}

/* To every slot that must have it, can get it, and neither has it nor may have it soon. */
static void send_missing(struct hf_disk *disk, struct hf_req *req, u8 required)
{
	u8 want = required & ~(req->acked_mask | req->sent_mask);
	u8 nr;

	for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
		if (!(want & BIT(nr)))
			continue;
		if (nr == disk->own_nr && hf_serve_own_usable(disk))
			hf_req_post_local(req);
		else if (disk->remotes[nr].gets)
			hf_req_post_remote(req, nr);
	}
}

/* R15: a device that is not in the set any more has its pages still. */
static bool is_caught(const struct hf_disk *disk, const struct hf_req *req)
{
	return req->kind == HF_REQ_WRITE && req->sent_mask == BIT(disk->own_nr) &&
	       !hf_serve_has_own(disk);
}

void hf_serve_judge(struct hf_disk *disk, struct hf_req *req, struct hf_ended *ended)
{
	struct hf_serve *serve = &disk->serve;
	u8 required = hf_serve_required_mask(disk);

	lockdep_assert_held(&serve->serve_lock);
	if (serve->state == HOLDFAST_DISK_DEAD || (req->failing && req->state == HF_REQ_FLYING)) {
		fail_one(disk, req, ended);
		return;
	}
	if (!hf_serve_running(disk))
		return;
	if (req->state == HF_REQ_FLYING)
		send_missing(disk, req, required);
	if (is_caught(disk, req) && !(required & ~req->acked_mask) &&
	    hf_serve_may_complete(disk)) {
		/* On all that count: what comes after need not wait for that device. */
		set_done(serve, req);
		hf_serve_advance_stable(disk);
		hf_serve_start_room_waiters(disk);
	}
	if (req->sent_mask || (required & ~req->acked_mask)) {
		set_stuck(serve, req, false);
		return;
	}
	if (req->state == HF_REQ_GHOST) {
		if (!req->repair_bvecs)
			write_end(disk, req, BLK_STS_IOERR, ended);
		return;
	}
	if (!hf_serve_may_complete(disk)) {
		set_stuck(serve, req, true);
		return;
	}
	if (req->kind == HF_REQ_WRITE)
		write_end(disk, req, BLK_STS_OK, ended);
	else
		end_rq(disk, req, BLK_STS_OK, ended);
}

void hf_serve_judge_all(struct hf_disk *disk, struct hf_ended *ended)
{
	struct hf_serve *serve = &disk->serve;
	struct hf_req *req, *next;
	LIST_HEAD(list);

	lockdep_assert_held(&serve->serve_lock);
	if (serve->state == HOLDFAST_DISK_DEAD) {
		fail_all(disk, ended);
		return;
	}
	/* By sequence. An end appends to these lists, and removes nothing but itself. */
	list_for_each_entry_safe(req, next, &serve->flights, entry)
		hf_serve_judge(disk, req, ended);
	list_for_each_entry_safe(req, next, &serve->flushes, entry)
		hf_serve_judge(disk, req, ended);
	if (hf_serve_may_complete(disk)) {
		list_splice_init(&serve->again, &list);
		list_for_each_entry_safe(req, next, &list, entry)
			start_read(disk, req, ended);
	}
	if (serve->state == HOLDFAST_DISK_ACTIVE) {
		list_splice_init(&serve->parked, &list);
		list_for_each_entry_safe(req, next, &list, entry)
			start(disk, req, ended);
	}
	hf_serve_advance_stable(disk);
	hf_serve_start_room_waiters(disk);
}

blk_status_t hf_serve_begin(struct hf_disk *disk, struct request *rq)
{
	struct hf_serve *serve = &disk->serve;
	blk_status_t status = BLK_STS_IOERR;
	struct hf_ended ended;
	struct hf_req *req;
	unsigned long flags;

	hf_serve_lock(disk, &ended, &flags);
	req = list_first_entry_or_null(&serve->free, struct hf_req, entry);
	/* The pool has one for every tag and every ghost. */
	if (serve->state != HOLDFAST_DISK_DEAD && !WARN_ON_ONCE(!req) && hf_req_fill(req, rq)) {
		list_del_init(&req->entry);
		list_add_tail(&req->all_entry, &serve->all);
		serve->nr_reqs++;
		trace_hf_req_arrived(req, HF_TRACE_NO_SLOT, 0);
		start(disk, req, &ended);
		status = BLK_STS_OK;
	}
	hf_serve_unlock(disk, &ended, flags);
	return status;
}

/* From another slot, or again from this one once the lease holds. */
static void read_elsewhere(struct hf_disk *disk, struct hf_req *req, struct hf_ended *ended)
{
	hf_overlap_read_cancel(&disk->serve.overlap, &req->range);
	disk->serve.nr_reads--;
	if (hf_serve_may_complete(disk))
		start_read(disk, req, ended);
	else
		read_again(disk, req);
}

/* @good: what was read counts, as far as the slot goes. */
static void read_end(struct hf_disk *disk, struct hf_req *req, bool good, struct hf_ended *ended)
{
	if (!good && !req->failing && disk->serve.state != HOLDFAST_DISK_DEAD) {
		read_elsewhere(disk, req, ended);
		return;
	}
	req->state = HF_REQ_ARRIVED;
	if (hf_overlap_read_arrived(&disk->serve.overlap, &req->range))
		read_ready(disk, req, ended);
	else if (disk->serve.state == HOLDFAST_DISK_DEAD || req->failing)
		fail_one(disk, req, ended);
}

static void acknowledged(struct hf_disk *disk, struct hf_req *req, u8 nr, u64 since_ns)
{
	req->acked_mask |= BIT(nr);
	if (req->kind == HF_REQ_WRITE)
		hf_latency_add(&disk->serve.latency[nr],
			       div_u64(hf_boottime_ns() - since_ns, NSEC_PER_USEC));
}

void hf_serve_local_end(struct hf_slot_io *io, int error)
{
	struct hf_req *req = container_of(io, struct hf_req, io);
	struct hf_disk *disk = req->disk;
	u8 own = BIT(disk->own_nr);
	struct hf_ended ended;
	unsigned long flags;
	bool bad_range;

	hf_serve_lock(disk, &ended, &flags);
	trace_hf_req_acked(req, disk->own_nr, error);
	/* R11: a read error that did not fail the slot is of that range alone. */
	bad_range = req->kind == HF_REQ_READ && error && hf_slot_usable(disk->slot);
	req->sent_mask &= ~own;
	if (req->void_mask & own)
		req->void_mask &= ~own;
	else if (!error)
		acknowledged(disk, req, disk->own_nr, io->entered_ns);
	else if (bad_range)
		req->tried_mask |= own;
	else
		hf_serve_own_failed(disk, error);
	if (req->kind == HF_REQ_READ)
		read_end(disk, req, !error && hf_serve_own_usable(disk), &ended);
	else
		hf_serve_judge(disk, req, &ended);
	hf_serve_unlock(disk, &ended, flags);
}

/*
 * Does the answer of @remote to a read count? From the slot as it is now, in the
 * set now, over the link of this term; an error is the range's if the link lives.
 */
static bool remote_read_counts(const struct hf_disk *disk, const struct hf_remote *remote,
			       const struct hf_msg *msg, bool voided)
{
	return !voided && remote->link == msg->link && remote->gets &&
	       (disk->serve.in_sync_mask & BIT(remote->nr));
}

void hf_serve_remote_done(struct hf_msg *msg, int error)
{
	struct hf_req_msg *part = container_of(msg, struct hf_req_msg, msg);
	struct hf_req *req = part->req;
	struct hf_disk *disk = req->disk;
	struct hf_remote *remote = &disk->remotes[part->nr];
	bool read = req->kind == HF_REQ_READ, counts;
	u8 bit = BIT(part->nr);
	struct hf_ended ended;
	unsigned long flags;

	hf_serve_lock(disk, &ended, &flags);
	trace_hf_req_acked(req, part->nr, error);
	counts = read && remote_read_counts(disk, remote, msg, req->void_mask & bit);
	req->sent_mask &= ~bit;
	req->volatile_mask &= ~bit;
	if (req->void_mask & bit)
		req->void_mask &= ~bit;
	else if (!error)
		acknowledged(disk, req, part->nr, msg->queued_ns);
	if (read && error == -EIO && counts)
		req->tried_mask |= bit;
	else if (error && remote->link == msg->link)
		hf_remote_broken(remote, error == -EIO ? HOLDFAST_DOWN_DEVICE :
					 HOLDFAST_DOWN_PROTOCOL);
	/* A rebuild, the repair of a ghost, or a flush may wait for this answer. */
	if (remote->mirror || req->state == HF_REQ_GHOST || disk->serve.own_failed)
		wake_up(&disk->wait);
	if (read)
		read_end(disk, req, !error && counts, &ended);
	else
		hf_serve_judge(disk, req, &ended);
	hf_serve_unlock(disk, &ended, flags);
}

void hf_serve_lock(struct hf_disk *disk, struct hf_ended *ended, unsigned long *flags)
	__acquires(&disk->serve.serve_lock)
{
	unsigned long irq_flags;

	INIT_LIST_HEAD(&ended->requests);
	spin_lock_irqsave(&disk->serve.serve_lock, irq_flags);
	*flags = irq_flags;
}

void hf_serve_unlock(struct hf_disk *disk, struct hf_ended *ended, unsigned long flags)
	__releases(&disk->serve.serve_lock)
{
	struct hf_serve *serve = &disk->serve;
	struct request *rq, *next;
	bool todo;

	if (hf_serve_drained(disk) && wq_has_sleeper(&disk->wait))
		wake_up(&disk->wait);
	hf_serve_update_hold(disk);
	todo = !list_empty(&serve->todo);
	spin_unlock_irqrestore(&serve->serve_lock, flags);

	list_for_each_entry_safe(rq, next, &ended->requests, queuelist) {
		struct hf_pdu *pdu = blk_mq_rq_to_pdu(rq);

		list_del_init(&rq->queuelist);
		blk_mq_end_request(rq, pdu->status);
	}
	/* The slot takes I/O in any context but hard interrupt. */
	if (todo && in_hardirq())
		queue_work(hf_disk_wq, &disk->submit_work);
	else if (todo)
		hf_req_submit_local(disk);
}
