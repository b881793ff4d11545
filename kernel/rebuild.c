// SPDX-License-Identifier: GPL-2.0
/*
 * Rebuild of a slot outside the set, from the own slot, or from another of the
 * set if there is none (R11; its marks and content come over its link): mirrors new writes to
 * it, copies what it lacks, begins to count it, flushes it, and reports that it
 * may be readmitted. Whether it is, consensus decides.
 *
 * The steps of R9 are the functions below, in the order of rebuild_run().
 *
 * Rules: R9, R3b (the marks that it goes by), R10 (what an unclean slot may
 * hold alone), R11, R16 (copy.c).
 * Locks: serve_lock for its state; beginning to count is one critical section
 * with sending what is in flight (serve.h, 4).
 */
#include "rebuild.h"

#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/netlink.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "copy.h"
#include "disk.h"
#include "event.h"
#include "main.h"
#include "sabotage.h"
#include "trace.h"
#include "volume.h"

static struct hf_remote *remote_of(struct hf_rebuild *rebuild)
{
	return &rebuild->disk->remotes[rebuild->nr];
}

/* serve_lock held: the one place that writes the state. */
static void set_state(struct hf_rebuild *rebuild, enum holdfast_rebuild_state state)
{
	if (rebuild->state == state)
		return;
	trace_hf_rebuild_state(rebuild->disk->vol, rebuild->nr, rebuild->state, state);
	rebuild->state = state;
	hf_event(rebuild->disk->vol, HOLDFAST_EVENT_REBUILD, rebuild->nr);
}

/* serve_lock held: the attempt lives while its link does, unbroken. */
static bool alive(struct hf_rebuild *rebuild)
{
	struct hf_remote *remote = remote_of(rebuild);

	return rebuild->disk->serve.state == HOLDFAST_DISK_ACTIVE && !rebuild->stop &&
	       remote->ready && !remote->missed && remote->link_id == rebuild->link_id;
}

static bool is_alive(struct hf_rebuild *rebuild)
{
	struct hf_serve *serve = &rebuild->disk->serve;
	unsigned long flags;
	bool is;

	spin_lock_irqsave(&serve->serve_lock, flags);
	is = alive(rebuild);
	spin_unlock_irqrestore(&serve->serve_lock, flags);
	return is;
}

static u64 current_epoch(struct hf_rebuild *rebuild)
{
	struct hf_serve *serve = &rebuild->disk->serve;
	unsigned long flags;
	u64 epoch;

	spin_lock_irqsave(&serve->serve_lock, flags);
	epoch = serve->epoch;
	spin_unlock_irqrestore(&serve->serve_lock, flags);
	return epoch;
}

static void mark(struct hf_rebuild *rebuild, u64 start, u64 end)
{
	u64 first = start >> rebuild->shift;
	u64 last = DIV_ROUND_UP_ULL(end, 1ULL << rebuild->shift);

	last = min(last, rebuild->nr_bits);
	if (first < last)
		bitmap_set(rebuild->bits, first, last - first);
}

/*
 * New writes go to it from here on. Those in flight do not, and their marks in
 * the own bitmap may come after it is read: so they are taken here.
 */
static int begin_mirror(struct hf_rebuild *rebuild)
{
	struct hf_disk *disk = rebuild->disk;
	struct hf_req *req;
	unsigned long flags;
	int err = -ECANCELED;

	spin_lock_irqsave(&disk->serve.serve_lock, flags);
	if (alive(rebuild)) {
		list_for_each_entry(req, &disk->serve.flights, entry)
			if (!HF_BROKEN_NO_MARKS)
				mark(rebuild, req->offset, req->offset + req->length);
		remote_of(rebuild)->mirror = true;
		hf_serve_update_remotes(disk);
		err = 0;
	}
	spin_unlock_irqrestore(&disk->serve.serve_lock, flags);
	return err;
}

static bool is_own(const struct hf_rebuild *rebuild)
{
	return rebuild->source == rebuild->disk->own_nr;
}

/* R9: a source that did not adopt the set that leaves the slot out has not marked all. */
static bool source_adopted(struct hf_rebuild *rebuild, u64 epoch)
{
	return is_own(rebuild) ||
	       READ_ONCE(rebuild->disk->remotes[rebuild->source].adopted_epoch) >= epoch;
}

/* Wakes with the confirmation, whose beacon is the longest that it takes. */
static int wait_adopted(struct hf_rebuild *rebuild, u64 epoch)
{
	while (!source_adopted(rebuild, epoch) && is_alive(rebuild))
		wait_event_timeout(rebuild->disk->wait,
				   source_adopted(rebuild, epoch) || !is_alive(rebuild), HZ / 10);
	return is_alive(rebuild) ? 0 : -ECANCELED;
}

static u64 granules_to_bytes(struct hf_rebuild *rebuild, u64 granules)
{
	return min(granules << rebuild->shift, rebuild->disk->size_bytes);
}

/* Granules of one message: a page of bits, and at most 1 GiB of the volume. */
static u64 some_bits(struct hf_rebuild *rebuild, u64 first)
{
	u64 most = min_t(u64, PAGE_SIZE * 8, max_t(u64, (1ULL << 30) >> rebuild->shift, 1));

	return min(rebuild->nr_bits - first, most);
}

/* What the source has marked for @stale, from granule @first on, into @page. */
static int get_bits(struct hf_rebuild *rebuild, u8 stale, struct page *page, u64 first,
		    u64 nr_bits)
{
	struct bio_vec bvec = { .bv_page = page, .bv_len = DIV_ROUND_UP(nr_bits, 8) };
	struct hf_msg msg = {
		.opcode		= HF_OP_READ_BITS,
		.bits_slot	= stale,
		.offset		= first << rebuild->shift,
		.reply_len	= bvec.bv_len,
		.bvecs		= &bvec,
		.nr_bvecs	= 1,
	};
	u8 *bytes = page_address(page);
	int err;

	memset(bytes, 0, PAGE_SIZE);
	if (is_own(rebuild)) {
		hf_slot_export_dirty(rebuild->disk->slot, stale, msg.offset, bytes, nr_bits);
		return 0;
	}
	msg.range_len = granules_to_bytes(rebuild, first + nr_bits) - msg.offset;
	err = hf_copy_call(rebuild->disk, rebuild->source, &msg);
	/* What a slot says past the end means nothing. */
	if (nr_bits % 8)
		bytes[nr_bits / 8] &= (1 << (nr_bits % 8)) - 1;
	return err;
}

/* The source's bits for the slot, once it adopted the set that leaves it out. */
static int take_marks(struct hf_rebuild *rebuild)
{
	struct page *page = alloc_page(GFP_NOIO);
	u64 first, nr_bits, i;
	const u8 *bytes;
	int err;

	if (!page)
		return -ENOMEM;
	bytes = page_address(page);
	err = wait_adopted(rebuild, current_epoch(rebuild));
	for (first = 0; first < rebuild->nr_bits && !err; first += nr_bits) {
		nr_bits = some_bits(rebuild, first);
		err = get_bits(rebuild, rebuild->nr, page, first, nr_bits);
		for (i = 0; i < nr_bits && !err; i++)
			if (bytes[i / 8] & (1 << (i % 8)))
				__set_bit(first + i, rebuild->bits);
	}
	__free_page(page);
	return err;
}

/* What the slot may hold that nobody else has: its logged extents, its own bits. */
static void take_own_ranges(struct hf_rebuild *rebuild)
{
	unsigned int shift = rebuild->disk->extent_shift;
	struct hf_remote *remote = remote_of(rebuild);
	unsigned int i;
	u64 at;

	if (HF_BROKEN_NO_ACTIVITY_LOG)
		return;
	for (i = 0; i < remote->nr_extents; i++) {
		at = (u64)remote->extents[i] << shift;
		/* A number outside the volume says: everything (an unreadable log). */
		if (at >= rebuild->disk->size_bytes)
			mark(rebuild, 0, rebuild->disk->size_bytes);
		else
			mark(rebuild, at, at + (1ULL << shift));
	}
	if (remote->own_bits && remote->nr_own_bits == rebuild->nr_bits)
		bitmap_or(rebuild->bits, rebuild->bits, remote->own_bits, rebuild->nr_bits);
}

static int make_list(struct hf_rebuild *rebuild)
{
	struct hf_serve *serve = &rebuild->disk->serve;
	unsigned long flags;
	int err;

	err = begin_mirror(rebuild);
	if (!err)
		err = take_marks(rebuild);
	if (err)
		return err;
	take_own_ranges(rebuild);
	if (rebuild->full)
		bitmap_fill(rebuild->bits, rebuild->nr_bits);
	spin_lock_irqsave(&serve->serve_lock, flags);
	rebuild->total_bytes = granules_to_bytes(rebuild, bitmap_weight(rebuild->bits,
									rebuild->nr_bits));
	/* An epoch that settled the attempt meanwhile has the last word on its state. */
	if (alive(rebuild))
		set_state(rebuild, HOLDFAST_REBUILD_COPYING);
	else
		err = -ECANCELED;
	spin_unlock_irqrestore(&serve->serve_lock, flags);
	return err;
}

/* Behind the rate that was asked for: sleep, or until the attempt ends. */
static void keep_rate(struct hf_rebuild *rebuild, u64 began_ns, u64 copied_bytes)
{
	u64 due_ns, now;

	if (!rebuild->rate_kbps)
		return;
	due_ns = began_ns + mul_u64_u64_div_u64(copied_bytes, NSEC_PER_SEC,
						(u64)rebuild->rate_kbps << 10);
	now = hf_boottime_ns();
	if (due_ns > now)
		wait_event_timeout(rebuild->disk->wait, !is_alive(rebuild),
				   nsecs_to_jiffies(due_ns - now) + 1);
}

static int copy_list(struct hf_rebuild *rebuild, struct hf_copier *copier)
{
	u64 began_ns = hf_boottime_ns(), copied = 0;
	u64 most = max_t(u64, HF_COPY_BYTES >> rebuild->shift, 1);
	u64 first, last, at, end;
	int err = 0;

	for (first = find_first_bit(rebuild->bits, rebuild->nr_bits);
	     first < rebuild->nr_bits && !err;
	     first = find_next_bit(rebuild->bits, rebuild->nr_bits, last)) {
		last = find_next_zero_bit(rebuild->bits, min(first + most, rebuild->nr_bits),
					  first);
		at = first << rebuild->shift;
		end = granules_to_bytes(rebuild, last);
		for (; at < end && !err; at += HF_COPY_BYTES) {
			u32 length = min_t(u64, end - at, HF_COPY_BYTES);

			if (!is_alive(rebuild))
				return -ECANCELED;
			err = hf_copier_copy(copier, at, length, HOLDFAST_DISK_ACTIVE);
			copied += length;
			keep_rate(rebuild, began_ns, copied);
		}
	}
	return err;
}

static void set_copier(struct hf_rebuild *rebuild, struct hf_copier *copier)
{
	struct hf_serve *serve = &rebuild->disk->serve;
	unsigned long flags;

	spin_lock_irqsave(&serve->serve_lock, flags);
	if (rebuild->copier)
		rebuild->done_bytes = rebuild->copier->done_bytes;
	rebuild->copier = copier;
	spin_unlock_irqrestore(&serve->serve_lock, flags);
}

static int copy_all(struct hf_rebuild *rebuild)
{
	struct hf_copier *copier;
	int err, waited;

	copier = hf_copier_alloc(rebuild->disk, rebuild->source, BIT(rebuild->nr), true);
	if (!copier)
		return -ENOMEM;
	set_copier(rebuild, copier);
	err = copy_list(rebuild, copier);
	waited = hf_copier_wait(copier, err);
	if (!err)
		err = waited;
	if (!err && !copier->targets)
		err = -ENOTCONN;
	set_copier(rebuild, NULL);
	hf_copier_free(copier);
	return err;
}

static int send_bits(struct hf_rebuild *rebuild, u8 stale, struct page *page)
{
	struct bio_vec bvec = { .bv_page = page };
	struct hf_msg msg = {};
	u64 first, nr_bits;
	int err = 0;

	for (first = 0; first < rebuild->nr_bits && !err; first += nr_bits) {
		nr_bits = some_bits(rebuild, first);
		err = get_bits(rebuild, stale, page, first, nr_bits);
		if (err || !memchr_inv(page_address(page), 0, PAGE_SIZE))
			continue;
		bvec.bv_len = DIV_ROUND_UP(nr_bits, 8);
		memset(&msg, 0, sizeof(msg));
		msg.opcode = HF_OP_BITS;
		msg.bits_slot = stale;
		msg.offset = first << rebuild->shift;
		msg.range_len = granules_to_bytes(rebuild, first + nr_bits) - msg.offset;
		msg.length = bvec.bv_len;
		msg.bvecs = &bvec;
		msg.nr_bvecs = 1;
		err = hf_copy_call(rebuild->disk, rebuild->nr, &msg);
	}
	return err;
}

/* R9: the source's bitmaps for the other stale slots, durably. */
static int copy_bitmaps(struct hf_rebuild *rebuild)
{
	struct page *page = alloc_page(GFP_NOIO);
	int err = 0;
	u8 nr;

	if (!page)
		return -ENOMEM;
	for (nr = 0; nr < HF_MAX_SLOTS && !err; nr++)
		if (nr != rebuild->nr && (READ_ONCE(rebuild->disk->serve.missing_mask) & BIT(nr)))
			err = send_bits(rebuild, nr, page);
	__free_page(page);
	return err;
}

/*
 * R9: for R2, R3, R5, stable and FLUSH, for every write not yet completed.
 * -EAGAIN when the set is another than when the bitmaps were copied: a slot
 * that was dropped meanwhile has marks that are not among them.
 */
static int begin_counting(struct hf_rebuild *rebuild, u64 epoch, u64 *newest)
{
	struct hf_disk *disk = rebuild->disk;
	struct hf_ended ended;
	unsigned long flags;
	int err = -ECANCELED;

	hf_serve_lock(disk, &ended, &flags);
	if (alive(rebuild) && disk->serve.epoch != epoch) {
		err = -EAGAIN;
	} else if (alive(rebuild)) {
		disk->serve.counted_mask |= BIT(rebuild->nr);
		remote_of(rebuild)->good_life = rebuild->life;
		*newest = disk->serve.seq;
		set_state(rebuild, HOLDFAST_REBUILD_FINISHING);
		hf_serve_update_remotes(disk);
		hf_serve_judge_all(disk, &ended);
		err = 0;
	}
	hf_serve_unlock(disk, &ended, flags);
	return err;
}

/* Everything up to @newest that was sent to the slot is answered; a miss shows in alive(). */
static bool answered(struct hf_rebuild *rebuild, u64 newest)
{
	struct hf_serve *serve = &rebuild->disk->serve;
	struct hf_req *req;
	unsigned long flags;
	bool all = true;

	spin_lock_irqsave(&serve->serve_lock, flags);
	list_for_each_entry(req, &serve->flights, entry)
		if (req->seq <= newest && (req->sent_mask & BIT(rebuild->nr)))
			all = false;
	spin_unlock_irqrestore(&serve->serve_lock, flags);
	return all;
}

static int finish(struct hf_rebuild *rebuild)
{
	struct hf_msg flush = { .opcode = HF_OP_FLUSH };
	struct hf_serve *serve = &rebuild->disk->serve;
	unsigned long flags;
	u64 epoch, newest = 0;
	int err;

	do {
		epoch = current_epoch(rebuild);
		err = wait_adopted(rebuild, epoch);
		if (!err)
			err = copy_bitmaps(rebuild);
		if (!err)
			err = begin_counting(rebuild, epoch, &newest);
	} while (err == -EAGAIN);
	if (err)
		return err;
	wait_event(rebuild->disk->wait, answered(rebuild, newest) || !is_alive(rebuild));
	if (!is_alive(rebuild))
		return -ENOTCONN;
	err = hf_copy_call(rebuild->disk, rebuild->nr, &flush);
	if (err)
		return err;
	spin_lock_irqsave(&serve->serve_lock, flags);
	if (alive(rebuild))
		set_state(rebuild, HOLDFAST_REBUILD_ADMISSIBLE);
	else
		err = -ENOTCONN;
	spin_unlock_irqrestore(&serve->serve_lock, flags);
	return err;
}

/* A slot that counts already stays counted until an epoch decides (R9). */
static void give_up(struct hf_rebuild *rebuild)
{
	struct hf_disk *disk = rebuild->disk;
	struct hf_ended ended;
	unsigned long flags;

	hf_serve_lock(disk, &ended, &flags);
	if (!(disk->serve.counted_mask & BIT(rebuild->nr)) &&
	    remote_of(rebuild)->link_id == rebuild->link_id)
		remote_of(rebuild)->mirror = false;
	/* An epoch may have settled it first. */
	if (rebuild->state != HOLDFAST_REBUILD_NONE || !rebuild->stop)
		set_state(rebuild, HOLDFAST_REBUILD_FAILED);
	hf_serve_update_remotes(disk);
	hf_serve_judge_all(disk, &ended);
	hf_serve_unlock(disk, &ended, flags);
}

static void rebuild_run(struct work_struct *work)
{
	struct hf_rebuild *rebuild = container_of(work, struct hf_rebuild, work);
	struct hf_disk *disk = rebuild->disk;
	unsigned int noio = memalloc_noio_save();
	unsigned long flags;
	int err;

	err = make_list(rebuild);
	if (!err)
		err = copy_all(rebuild);
	if (!err)
		err = finish(rebuild);
	if (err)
		give_up(rebuild);
	kvfree(rebuild->bits);
	rebuild->bits = NULL;
	spin_lock_irqsave(&disk->serve.serve_lock, flags);
	rebuild->running = false;
	wake_up(&disk->wait);
	spin_unlock_irqrestore(&disk->serve.serve_lock, flags);
	memalloc_noio_restore(noio);
	hf_disk_put(disk);
}

/* serve_lock held: the slot to read from, and what a bit of it stands for; -1: none now. */
static int find_source(struct hf_disk *disk, unsigned int *shift)
{
	u8 nr;

	if (hf_serve_has_own(disk)) {
		*shift = hf_slot_granule_shift(disk->slot);
		return disk->own_nr;
	}
	for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
		if ((disk->serve.in_sync_mask & BIT(nr)) && disk->remotes[nr].gets) {
			*shift = hf_link_facts(disk->remotes[nr].link)->granule_shift;
			return nr;
		}
	}
	return -1;
}

static int check_start(struct hf_disk *disk, u8 nr, u8 *source, unsigned int *shift,
		       struct netlink_ext_ack *extack)
{
	struct hf_serve *serve = &disk->serve;
	struct hf_remote *remote = &disk->remotes[nr];
	int from;
	const char *why = NULL;
	unsigned long flags;

	spin_lock_irqsave(&serve->serve_lock, flags);
	from = find_source(disk, shift);
	*source = max(from, 0);
	if (serve->state != HOLDFAST_DISK_ACTIVE)
		why = "the disk is not active";
	else if (from < 0 || (hf_serve_wants_durable(disk) && !serve->settled))
		why = "no slot of the set can be read from now";
	else if (nr == disk->own_nr || !(serve->used_mask & BIT(nr)))
		why = "no other slot of the volume has this number";
	else if ((serve->in_sync_mask | serve->counted_mask) & BIT(nr))
		why = "the slot is in sync or counted already";
	else if (!remote->ready)
		why = "the slot is not linked and ready";
	else if (hf_link_facts(remote->link)->granule_shift != *shift)
		why = "the slots' bitmaps differ in what a bit stands for";
	spin_unlock_irqrestore(&serve->serve_lock, flags);
	if (!why)
		return 0;
	if (extack)
		extack->_msg = why;
	return -EINVAL;
}

static bool is_running(struct hf_rebuild *rebuild)
{
	return rebuild && READ_ONCE(rebuild->running);
}

int hf_rebuild_start(struct hf_disk *disk, u8 nr, bool full, u32 rate_kbps,
		     struct netlink_ext_ack *extack)
{
	struct hf_remote *remote = &disk->remotes[nr];
	struct hf_rebuild *rebuild, *old;
	unsigned int shift = 0;
	unsigned long flags;
	u8 source;
	int err;

	lockdep_assert_held(&disk->vol->conf_lock);
	if (is_running(remote->rebuild) && !READ_ONCE(remote->rebuild->stop) &&
	    remote->rebuild->link_id == remote->link_id)
		return 0;
	err = check_start(disk, nr, &source, &shift, extack);
	if (err)
		return err;
	if (is_running(remote->rebuild)) {
		NL_SET_ERR_MSG(extack, "the former attempt has not ended yet");
		return -EBUSY;
	}
	rebuild = kzalloc(sizeof(*rebuild), GFP_KERNEL);
	if (!rebuild)
		return -ENOMEM;
	rebuild->disk = disk;
	rebuild->nr = nr;
	rebuild->full = full;
	rebuild->rate_kbps = rate_kbps;
	rebuild->source = source;
	rebuild->shift = shift;
	rebuild->nr_bits = DIV_ROUND_UP_ULL(disk->size_bytes, 1ULL << rebuild->shift);
	rebuild->bits = kvcalloc(BITS_TO_LONGS(rebuild->nr_bits), sizeof(long), GFP_KERNEL);
	if (!rebuild->bits) {
		kfree(rebuild);
		return -ENOMEM;
	}
	INIT_WORK(&rebuild->work, rebuild_run);
	rebuild->running = true;
	spin_lock_irqsave(&disk->serve.serve_lock, flags);
	rebuild->link_id = remote->link_id;
	rebuild->life = remote->life;
	old = remote->rebuild;
	remote->rebuild = rebuild;
	spin_unlock_irqrestore(&disk->serve.serve_lock, flags);
	hf_rebuild_free(old);
	hf_disk_get(disk);
	queue_work(hf_job_wq, &rebuild->work);
	return 0;
}

int hf_rebuild_stop(struct hf_disk *disk, u8 nr, struct netlink_ext_ack *extack)
{
	struct hf_rebuild *rebuild = disk->remotes[nr].rebuild;
	struct hf_ended ended;
	unsigned long flags;
	int err = 0;

	lockdep_assert_held(&disk->vol->conf_lock);
	hf_serve_lock(disk, &ended, &flags);
	if (disk->serve.counted_mask & BIT(nr)) {
		NL_SET_ERR_MSG(extack, "the slot is counted: only a new epoch decides");
		err = -EBUSY;
	} else if (rebuild) {
		rebuild->stop = true;
		if (rebuild->copier)
			rebuild->copier->cancelled = true;
		wake_up(&disk->wait);
	}
	hf_serve_unlock(disk, &ended, flags);
	return err;
}

bool hf_rebuild_goes_on(const struct hf_remote *remote)
{
	const struct hf_rebuild *rebuild = remote->rebuild;

	lockdep_assert_held(&remote->disk->serve.serve_lock);
	return rebuild && rebuild->link_id == remote->link_id && !remote->missed &&
	       rebuild->state == HOLDFAST_REBUILD_ADMISSIBLE;
}

void hf_rebuild_settle(struct hf_remote *remote, enum holdfast_rebuild_state state)
{
	struct hf_rebuild *rebuild = remote->rebuild;

	lockdep_assert_held(&remote->disk->serve.serve_lock);
	if (!rebuild)
		return;
	rebuild->stop = true;
	if (rebuild->copier)
		rebuild->copier->cancelled = true;
	set_state(rebuild, state);
	wake_up(&remote->disk->wait);
}

void hf_rebuild_forget(struct hf_remote *remote)
{
	lockdep_assert_held(&remote->disk->serve.serve_lock);
	hf_rebuild_settle(remote, HOLDFAST_REBUILD_NONE);
	if (remote->rebuild)
		remote->rebuild->forgotten = true;
}

void hf_rebuild_free(struct hf_rebuild *rebuild)
{
	if (!rebuild)
		return;
	cancel_work_sync(&rebuild->work);
	kvfree(rebuild->bits);
	kfree(rebuild);
}

void hf_rebuild_report(const struct hf_rebuild *rebuild, enum holdfast_rebuild_state *state,
		       u64 *total_bytes, u64 *done_bytes)
{
	if (rebuild && rebuild->forgotten)
		rebuild = NULL;
	*state = rebuild ? rebuild->state : HOLDFAST_REBUILD_NONE;
	*total_bytes = rebuild ? rebuild->total_bytes : 0;
	*done_bytes = 0;
	if (rebuild)
		*done_bytes = rebuild->copier ? rebuild->copier->done_bytes : rebuild->done_bytes;
}
