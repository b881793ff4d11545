// SPDX-License-Identifier: GPL-2.0
/*
 * The copy engine: reads a range of one slot and writes it to others while the
 * range is locked. The own slot is read and written as it is, another by its
 * link. Which ranges, to whom and what follows from it is promote.c's,
 * rebuild.c's and mend.c's.
 *
 * Rules: R8 (copies take the same lock as writes), R15 (pages stay until every
 * answer is in), R16 (a zero range is sent as an order to write zeros).
 * Locks: serve_lock for the state of a piece; the steps run from work items.
 */
#include "copy.h"

#include <linux/gfp.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "disk.h"
#include "trace.h"

static void step_work(struct work_struct *work);
static void read_end(struct hf_slot_io *io, int error);
static void read_done(struct hf_msg *msg, int error);
static void own_written(struct hf_slot_io *io, int error);
static void copy_done(struct hf_msg *msg, int error);

struct hf_copier *hf_copier_alloc(struct hf_disk *disk, u8 source, u8 targets, bool lock_ranges)
{
	struct hf_copier *copier;
	unsigned int i, j;
	u8 nr;

	copier = kvzalloc(sizeof(*copier), GFP_NOIO);
	if (!copier)
		return NULL;
	copier->disk = disk;
	copier->source = source;
	copier->targets = targets;
	copier->lock_ranges = lock_ranges;
	for (i = 0; i < HF_COPY_DEPTH; i++) {
		struct hf_copy *copy = &copier->copies[i];

		copy->copier = copier;
		copy->free = true;
		INIT_WORK(&copy->work, step_work);
		for (nr = 0; nr < HF_MAX_SLOTS; nr++)
			copy->msgs[nr].copy = copy;
		for (j = 0; j < HF_COPY_PAGES; j++) {
			copy->pages[j] = alloc_page(GFP_NOIO);
			if (!copy->pages[j]) {
				hf_copier_free(copier);
				return NULL;
			}
		}
	}
	return copier;
}

void hf_copier_free(struct hf_copier *copier)
{
	unsigned int i, j;

	for (i = 0; i < HF_COPY_DEPTH; i++) {
		/* A piece that has ended may still be leaving its work item. */
		if (copier->copies[i].copier)
			cancel_work_sync(&copier->copies[i].work);
		for (j = 0; j < HF_COPY_PAGES; j++)
			if (copier->copies[i].pages[j])
				__free_page(copier->copies[i].pages[j]);
	}
	kvfree(copier);
}

/* Own pages as bvecs of exactly @length bytes. */
static unsigned int fill_bvecs(struct hf_copy *copy)
{
	unsigned int nr = 0;
	u32 left = copy->length;

	while (left) {
		copy->bvecs[nr].bv_page = copy->pages[nr];
		copy->bvecs[nr].bv_offset = 0;
		copy->bvecs[nr].bv_len = min_t(u32, left, PAGE_SIZE);
		left -= copy->bvecs[nr].bv_len;
		nr++;
	}
	return nr;
}

static void own_io(struct hf_copy *copy, enum hf_slot_op op,
		   void (*end)(struct hf_slot_io *io, int error))
{
	struct hf_slot_io *io = &copy->io;

	memset(io, 0, sizeof(*io));
	io->op = op;
	io->soft = copy->copier->soft;
	io->offset = copy->offset;
	io->length = copy->length;
	io->bvecs = copy->bvecs;
	io->nr_bvecs = copy->nr_bvecs;
	io->may_sleep = true;
	io->end = end;
	hf_slot_submit(copy->copier->disk->slot, io);
}

/* The content is there, or cannot be had: the next step. */
static void end_read(struct hf_copy *copy, int error)
{
	copy->error = error;
	copy->read = true;
	queue_work(hf_disk_wq, &copy->work);
}

static void read_remote(struct hf_copy *copy)
{
	struct hf_disk *disk = copy->copier->disk;
	struct hf_remote *remote = &disk->remotes[copy->copier->source];
	struct hf_msg *msg = &copy->msgs[remote->nr].msg;
	struct hf_ended ended;
	unsigned long flags;
	bool sent;

	memset(msg, 0, sizeof(*msg));
	msg->opcode = HF_OP_READ;
	msg->soft = copy->copier->soft;
	msg->offset = copy->offset;
	msg->range_len = copy->length;
	msg->reply_len = copy->length;
	msg->bvecs = copy->bvecs;
	msg->nr_bvecs = copy->nr_bvecs;
	msg->done = read_done;
	hf_serve_lock(disk, &ended, &flags);
	sent = remote->ready;
	if (sent)
		hf_link_send(remote->link, msg);
	hf_serve_unlock(disk, &ended, flags);
	if (!sent)
		end_read(copy, -ENOTCONN);
}

static void start_read(struct hf_copy *copy)
{
	copy->nr_bvecs = fill_bvecs(copy);
	if (copy->copier->source == copy->copier->disk->own_nr)
		own_io(copy, HF_SLOT_READ, read_end);
	else
		read_remote(copy);
}

static bool is_zero(const struct hf_copy *copy)
{
	u32 left = copy->length;
	unsigned int i;

	for (i = 0; left; i++) {
		u32 here = min_t(u32, left, PAGE_SIZE);

		if (memchr_inv(page_address(copy->pages[i]), 0, here))
			return false;
		left -= here;
	}
	return true;
}

/* serve_lock held: the piece is over, its range goes back. */
static void finish(struct hf_copy *copy, struct hf_ended *ended)
{
	struct hf_copier *copier = copy->copier;
	struct hf_disk *disk = copier->disk;

	if (copy->error && !copier->error)
		copier->error = copy->error;
	if (!copy->error)
		copier->done_bytes += copy->length;
	if (copier->lock_ranges)
		hf_serve_copy_end(disk, &copy->range, ended);
	copy->free = true;
	copier->nr_busy--;
	wake_up(&disk->wait);
}

/* serve_lock held. True: it is to be written to the own slot, without the lock. */
static bool send_piece(struct hf_copy *copy, bool zero, struct hf_ended *ended)
{
	struct hf_copier *copier = copy->copier;
	struct hf_disk *disk = copier->disk;
	u8 nr;

	for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
		struct hf_remote *remote = &disk->remotes[nr];
		struct hf_msg *msg = &copy->msgs[nr].msg;

		if (!(copier->targets & BIT(nr)))
			continue;
		if (nr == disk->own_nr) {
			copy->pending_mask |= BIT(nr);
			continue;
		}
		if (!remote->ready) {
			copier->targets &= ~BIT(nr);
			continue;
		}
		memset(msg, 0, sizeof(*msg));
		msg->opcode = zero ? HF_OP_COPY_ZERO : HF_OP_COPY;
		msg->epoch = disk->serve.epoch;
		msg->missing_mask = disk->serve.missing_mask;
		msg->offset = copy->offset;
		msg->range_len = copy->length;
		if (!zero) {
			msg->length = copy->length;
			msg->bvecs = copy->bvecs;
			msg->nr_bvecs = copy->nr_bvecs;
		}
		msg->done = copy_done;
		copy->pending_mask |= BIT(nr);
		hf_link_send(remote->link, msg);
	}
	if (!copy->pending_mask)
		finish(copy, ended);
	return copy->pending_mask & BIT(disk->own_nr);
}

/* Granted: read; read: send. */
static void step_work(struct work_struct *work)
{
	struct hf_copy *copy = container_of(work, struct hf_copy, work);
	struct hf_disk *disk = copy->copier->disk;
	struct hf_ended ended;
	unsigned long flags;
	bool zero, own = false;

	if (!copy->read) {
		start_read(copy);
		return;
	}
	zero = !copy->error && is_zero(copy);
	hf_serve_lock(disk, &ended, &flags);
	if (copy->error)
		finish(copy, &ended);
	else
		own = send_piece(copy, zero, &ended);
	hf_serve_unlock(disk, &ended, flags);
	/* Pending until own_written(), so the piece is ours still. */
	if (own)
		own_io(copy, HF_SLOT_COPY, own_written);
}

static void read_end(struct hf_slot_io *io, int error)
{
	end_read(container_of(io, struct hf_copy, io), error);
}

static void read_done(struct hf_msg *msg, int error)
{
	end_read(container_of(msg, struct hf_copy_msg, msg)->copy, error);
}

/* The slot fails by itself when it cannot write. */
static void own_written(struct hf_slot_io *io, int error)
{
	struct hf_copy *copy = container_of(io, struct hf_copy, io);
	struct hf_disk *disk = copy->copier->disk;
	struct hf_ended ended;
	unsigned long flags;

	hf_serve_lock(disk, &ended, &flags);
	copy->pending_mask &= ~BIT(disk->own_nr);
	if (error)
		copy->copier->targets &= ~BIT(disk->own_nr);
	if (!copy->pending_mask)
		finish(copy, &ended);
	hf_serve_unlock(disk, &ended, flags);
}

static void copy_done(struct hf_msg *msg, int error)
{
	struct hf_copy_msg *part = container_of(msg, struct hf_copy_msg, msg);
	struct hf_copy *copy = part->copy;
	struct hf_copier *copier = copy->copier;
	struct hf_disk *disk = copier->disk;
	u8 nr = part - copy->msgs;
	struct hf_ended ended;
	unsigned long flags;

	hf_serve_lock(disk, &ended, &flags);
	copy->pending_mask &= ~BIT(nr);
	if (error) {
		copier->targets &= ~BIT(nr);
		if (disk->remotes[nr].link == msg->link)
			hf_remote_broken(&disk->remotes[nr], HOLDFAST_DOWN_DEVICE);
	}
	if (!copy->pending_mask)
		finish(copy, &ended);
	hf_serve_unlock(disk, &ended, flags);
}

void hf_copy_granted(struct hf_range *range)
{
	struct hf_copy *copy = container_of(range, struct hf_copy, range);

	copy->waits = false;
	queue_work(hf_disk_wq, &copy->work);
}

static struct hf_copy *try_take(struct hf_copier *copier, enum holdfast_disk_state state, int *err)
{
	struct hf_serve *serve = &copier->disk->serve;
	struct hf_copy *found = NULL;
	unsigned long flags;
	unsigned int i;

	spin_lock_irqsave(&serve->serve_lock, flags);
	for (i = 0; i < HF_MAX_SLOTS; i++)
		if (i != copier->disk->own_nr && !copier->disk->remotes[i].ready)
			copier->targets &= ~BIT(i);
	*err = copier->error;
	if (!*err && (!copier->targets || copier->cancelled || serve->state != state))
		*err = -ECANCELED;
	for (i = 0; !*err && !found && i < HF_COPY_DEPTH; i++)
		if (copier->copies[i].free)
			found = &copier->copies[i];
	if (found) {
		found->free = false;
		copier->nr_busy++;
	}
	spin_unlock_irqrestore(&serve->serve_lock, flags);
	return found;
}

int hf_copier_copy(struct hf_copier *copier, u64 offset, u32 length,
		   enum holdfast_disk_state state)
{
	struct hf_disk *disk = copier->disk;
	struct hf_copy *copy;
	struct hf_ended ended;
	unsigned long flags;
	int err;

	wait_event(disk->wait, (copy = try_take(copier, state, &err)) || err);
	if (err)
		return err;
	copy->offset = offset;
	copy->length = length;
	copy->error = 0;
	copy->read = false;
	copy->pending_mask = 0;
	hf_serve_lock(disk, &ended, &flags);
	copy->waits = copier->lock_ranges &&
		      !hf_overlap_begin(&disk->serve.overlap, &copy->range, HF_RANGE_COPY, offset,
					length);
	if (!copy->waits)
		queue_work(hf_disk_wq, &copy->work);
	hf_serve_unlock(disk, &ended, flags);
	return 0;
}

static bool idle(struct hf_copier *copier)
{
	unsigned long flags;
	bool idle;

	spin_lock_irqsave(&copier->disk->serve.serve_lock, flags);
	idle = !copier->nr_busy;
	spin_unlock_irqrestore(&copier->disk->serve.serve_lock, flags);
	return idle;
}

int hf_copier_wait(struct hf_copier *copier, bool cancel)
{
	struct hf_disk *disk = copier->disk;
	struct hf_ended ended;
	unsigned long flags;
	unsigned int i;

	if (cancel) {
		hf_serve_lock(disk, &ended, &flags);
		for (i = 0; i < HF_COPY_DEPTH; i++) {
			struct hf_copy *copy = &copier->copies[i];

			if (copy->free || !copy->waits)
				continue;
			copy->waits = false;
			copy->error = -ECANCELED;
			finish(copy, &ended);
		}
		hf_serve_unlock(disk, &ended, flags);
	}
	/* What is at a device or on a link ends by itself (R15). */
	wait_event(disk->wait, idle(copier));
	return copier->error;
}

/* ------------------------------------------------------ single operations */

struct call {
	struct hf_slot_io	io;
	struct completion	done;
	int			error;
};

/* A message of a call; found by its address, the link knows nothing of us. */
struct call_msg {
	struct hf_msg		msg;
	struct completion	done;
	int			error;
};

static void call_done(struct hf_msg *msg, int error)
{
	struct call_msg *call = container_of(msg, struct call_msg, msg);

	call->error = error;
	complete(&call->done);
}

int hf_copy_call(struct hf_disk *disk, u8 nr, struct hf_msg *msg)
{
	struct hf_remote *remote = &disk->remotes[nr];
	struct call_msg *call;
	struct hf_ended ended;
	unsigned long flags;
	int err = 0;

	call = kzalloc(sizeof(*call), GFP_NOIO);
	if (!call)
		return -ENOMEM;
	call->msg = *msg;
	call->msg.done = call_done;
	init_completion(&call->done);
	hf_serve_lock(disk, &ended, &flags);
	call->msg.epoch = disk->serve.epoch;
	call->msg.missing_mask = disk->serve.missing_mask;
	if (remote->ready)
		hf_link_send(remote->link, &call->msg);
	else
		err = -ENOTCONN;
	hf_serve_unlock(disk, &ended, flags);
	if (!err) {
		/* Ends: the link answers, or goes down by its own timeouts. */
		wait_for_completion(&call->done);
		err = call->error;
	}
	kfree(call);
	return err;
}

static void own_end(struct hf_slot_io *io, int error)
{
	struct call *call = container_of(io, struct call, io);

	call->error = error;
	complete(&call->done);
}

int hf_copy_read(struct hf_disk *disk, u8 nr, u64 offset, u32 length,
		 const struct bio_vec *bvecs, unsigned int nr_bvecs)
{
	struct hf_msg read = {
		.opcode		= HF_OP_READ,
		.offset		= offset,
		.range_len	= length,
		.reply_len	= length,
		.bvecs		= bvecs,
		.nr_bvecs	= nr_bvecs,
	};

	if (nr == disk->own_nr)
		return hf_copy_own(disk, HF_SLOT_READ, offset, length, bvecs, nr_bvecs);
	return hf_copy_call(disk, nr, &read);
}

int hf_copy_own(struct hf_disk *disk, enum hf_slot_op op, u64 offset, u32 length,
		const struct bio_vec *bvecs, unsigned int nr_bvecs)
{
	struct call *call = kzalloc(sizeof(*call), GFP_NOIO);
	int err;

	if (!call)
		return -ENOMEM;
	init_completion(&call->done);
	call->io.op = op;
	call->io.offset = offset;
	call->io.length = length;
	call->io.bvecs = bvecs;
	call->io.nr_bvecs = nr_bvecs;
	call->io.may_sleep = true;
	call->io.end = own_end;
	hf_slot_submit(disk->slot, &call->io);
	wait_for_completion(&call->done);
	err = call->error;
	kfree(call);
	return err;
}
