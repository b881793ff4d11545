// SPDX-License-Identifier: GPL-2.0
/*
 * What a named primary does before it may serve: waits out the promises of its
 * own slot and the backing I/O of earlier links, makes all reached slots equal
 * to the reference where they may differ, flushes them, and activates once the
 * configuration says so. The reference is its own slot, or another's if it has
 * none in the set (diskless.c). Also mends the ranges of writes that were failed to
 * their caller while the disk lives on.
 *
 * It runs as a job that is queued whenever a slot becomes ready or a
 * configuration was adopted; each run does one pass over what is new.
 *
 * Rules: R1 (drain), R4, R5 (promise of the own slot), R6 (ghosts), R7 by
 * logged extents and own bits, R10 (unclean lives), R11.
 * Locks: serve_lock for what is read of and written to remotes.
 */
#include "promote.h"

#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "copy.h"
#include "disk.h"
#include "diskless.h"
#include "event.h"
#include "main.h"
#include "volume.h"

/* Slots of one pass, as they were when it began. */
struct pass {
	u8	ready_mask;		/* in-sync, linked */
	u8	new_mask;		/* of these: not reconciled yet */
	u8	source;			/* the reference */
	u64	link_id[HF_MAX_SLOTS];
	u64	life[HF_MAX_SLOTS];
	bool	whole;			/* a log could not be read: everything may differ */
	u64	own_bits[HF_MAX_SLOTS];	/* 0: it has none; else how many bits it told of */
	unsigned long *extents;		/* union of the logged extents and of own bits */
	unsigned long nr_extents;	/* of the volume */
};

static bool named(struct hf_disk *disk)
{
	return READ_ONCE(disk->serve.state) == HOLDFAST_DISK_NAMED;
}

static bool nothing_sent(struct hf_disk *disk)
{
	struct hf_req *req;
	unsigned long flags;
	u8 sent = 0;

	spin_lock_irqsave(&disk->serve.serve_lock, flags);
	list_for_each_entry(req, &disk->serve.all, all_entry)
		sent |= req->sent_mask;
	/* R15: what a device holds that is not in the set undoes nothing here. */
	if (!hf_serve_has_own(disk))
		sent &= ~BIT(disk->own_nr);
	spin_unlock_irqrestore(&disk->serve.serve_lock, flags);
	return !sent;
}

/* Sleeps while the disk is named, at most @ms. */
static void pause_ms(struct hf_disk *disk, unsigned int ms)
{
	wait_event_timeout(disk->wait, !named(disk), msecs_to_jiffies(ms) + 1);
}

/*
 * R1: nothing of an earlier term or link is under way at the own slot, and R5:
 * what it promised to another primary has run out. Waits as long as named.
 */
static bool own_slot_is_free(struct hf_disk *disk)
{
	unsigned int left;
	bool own = hf_serve_has_own(disk);

	while (named(disk) && (!nothing_sent(disk) ||
			       (own && hf_slot_drain(disk->slot, hf_time_ms(HF_LINK_TIMEOUT_MS)))))
		pause_ms(disk, 20);
	if (!own)
		return named(disk);
	while (named(disk)) {
		left = hf_slot_promise_left(disk->slot, disk->vol->node_id, disk->instance);
		if (!left)
			return true;
		pause_ms(disk, left);
	}
	return false;
}

static bool conf_is_activated(struct hf_disk *disk)
{
	const struct hf_conf *conf;
	bool activated;

	rcu_read_lock();
	conf = rcu_dereference(disk->vol->conf);
	activated = hf_conf_activated(&conf->data) &&
		    conf->data.term == READ_ONCE(disk->serve.term) &&
		    conf->data.primary_instance == disk->instance;
	rcu_read_unlock();
	return activated;
}

/*
 * R10, judged when copying begins: an unclean slot is the reference only while
 * every slot of the set is present and unclean.
 */
static bool may_be_reference(struct hf_disk *disk)
{
	struct hf_serve *serve = &disk->serve;
	unsigned long flags;
	bool may = true;
	u8 nr;

	/* Without a slot of its own the choice goes by the same rule (diskless.c). */
	if (!hf_serve_has_own(disk) || !hf_slot_unclean(disk->slot))
		return true;
	spin_lock_irqsave(&serve->serve_lock, flags);
	for (nr = 0; nr < HF_MAX_SLOTS; nr++)
		if (nr != disk->own_nr && (serve->in_sync_mask & BIT(nr)))
			may &= disk->remotes[nr].ready && disk->remotes[nr].unclean;
	spin_unlock_irqrestore(&serve->serve_lock, flags);
	return may;
}

static void add_extents(struct pass *pass, const u32 *extents, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (extents[i] < pass->nr_extents)
			__set_bit(extents[i], pass->extents);
		else
			pass->whole = true;
	}
}

/* serve_lock held: who is there, and what their logs name. */
static void collect_remotes(struct hf_disk *disk, struct pass *pass)
{
	u8 nr;

	for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
		struct hf_remote *remote = &disk->remotes[nr];

		if (nr == disk->own_nr || !remote->ready ||
		    !(disk->serve.in_sync_mask & BIT(nr)))
			continue;
		pass->ready_mask |= BIT(nr);
		if (remote->good_life != remote->life)
			pass->new_mask |= BIT(nr);
		pass->link_id[nr] = remote->link_id;
		pass->life[nr] = remote->life;
		pass->own_bits[nr] = remote->nr_own_bits;
		add_extents(pass, remote->extents, remote->nr_extents);
	}
}

static void add_bytes(struct hf_disk *disk, struct pass *pass, u64 start, u64 end)
{
	unsigned int shift = disk->extent_shift;
	unsigned long extent = start >> shift;

	for (; extent < pass->nr_extents && (u64)extent << shift < end; extent++)
		__set_bit(extent, pass->extents);
}

/*
 * R10: a life that is in the set by a decision about an earlier one has in its
 * own bitmap what that one may have lost. A remote's bits were written before
 * it was ready; should a later link overwrite them now, this pass is not
 * concluded for it.
 */
static void add_own_bits(struct hf_disk *disk, struct pass *pass)
{
	unsigned int shift;
	u64 from = 0, start, end, total;
	unsigned long bit;
	u8 nr;

	/* Without an own slot there is no common granule: all may differ (R11). */
	if (!hf_serve_has_own(disk)) {
		for (nr = 0; nr < HF_MAX_SLOTS; nr++)
			pass->whole |= pass->own_bits[nr] != 0;
		return;
	}
	shift = hf_slot_granule_shift(disk->slot);
	total = DIV_ROUND_UP_ULL(disk->size_bytes, 1ULL << shift);
	while (hf_slot_next_dirty(disk->slot, disk->own_nr, from, &start, &end)) {
		add_bytes(disk, pass, start, end);
		from = end;
	}
	for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
		if (!pass->own_bits[nr])
			continue;
		if (pass->own_bits[nr] != total) {
			pass->whole = true;
			continue;
		}
		for_each_set_bit(bit, disk->remotes[nr].own_bits, total)
			add_bytes(disk, pass, (u64)bit << shift, (u64)(bit + 1) << shift);
	}
}

static int collect_own(struct hf_disk *disk, struct pass *pass)
{
	u32 *own = kvcalloc(HF_LOG_MAX_ENTRIES, sizeof(*own), GFP_NOIO);

	if (!own)
		return -ENOMEM;
	add_extents(pass, own, hf_slot_logged(disk->slot, own, HF_LOG_MAX_ENTRIES));
	pass->whole |= hf_slot_all_logged(disk->slot);
	kvfree(own);
	return 0;
}

static int collect(struct hf_disk *disk, struct pass *pass)
{
	unsigned int shift = READ_ONCE(disk->extent_shift);
	unsigned long flags;
	int source, err = 0;

	/* No slot was linked yet that could tell. */
	if (!shift)
		return -ENOTCONN;
	pass->nr_extents = DIV_ROUND_UP_ULL(disk->size_bytes, 1ULL << shift);
	pass->extents = kvcalloc(BITS_TO_LONGS(pass->nr_extents), sizeof(long), GFP_NOIO);
	if (!pass->extents)
		return -ENOMEM;
	if (hf_serve_has_own(disk))
		err = collect_own(disk, pass);
	if (err)
		return err;
	spin_lock_irqsave(&disk->serve.serve_lock, flags);
	source = hf_serve_has_own(disk) ? disk->own_nr : hf_diskless_reference(disk);
	collect_remotes(disk, pass);
	spin_unlock_irqrestore(&disk->serve.serve_lock, flags);
	if (source < 0)
		return -ENOTCONN;
	pass->source = source;
	add_own_bits(disk, pass);
	if (pass->whole)
		bitmap_fill(pass->extents, pass->nr_extents);
	return 0;
}

/* The reference's content over every extent of the union, to all others that are linked. */
static u8 copy_extents(struct hf_disk *disk, struct pass *pass)
{
	unsigned int shift = disk->extent_shift;
	u8 source = pass->ready_mask & BIT(pass->source);
	struct hf_copier *copier;
	unsigned long extent;
	u8 targets = 0;
	int err = 0;

	if (pass->ready_mask == source)
		return source;
	copier = hf_copier_alloc(disk, pass->source, pass->ready_mask & ~source, false);
	if (!copier)
		return 0;
	for_each_set_bit(extent, pass->extents, pass->nr_extents) {
		u64 at = (u64)extent << shift;
		u64 end = min(at + (1ULL << shift), disk->size_bytes);

		for (; at < end && !err; at += HF_COPY_BYTES)
			err = hf_copier_copy(copier, at, min_t(u64, end - at, HF_COPY_BYTES),
					     HOLDFAST_DISK_NAMED);
		if (err)
			break;
	}
	if (!hf_copier_wait(copier, err) && !err)
		targets = copier->targets | source;
	hf_copier_free(copier);
	return targets;
}

/* R7: all of them, also if nothing was copied. */
static u8 flush_all(struct hf_disk *disk, u8 targets)
{
	struct hf_msg flush = { .opcode = HF_OP_FLUSH };
	u8 nr;

	for (nr = 0; nr < HF_MAX_SLOTS; nr++)
		if ((targets & BIT(nr)) && hf_copy_call(disk, nr, &flush))
			targets &= ~BIT(nr);
	return targets;
}

static void conclude(struct hf_disk *disk, const struct pass *pass, u8 done_mask)
{
	unsigned long flags;
	u8 nr;

	spin_lock_irqsave(&disk->serve.serve_lock, flags);
	if (named(disk)) {
		for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
			struct hf_remote *remote = &disk->remotes[nr];

			/* The very link that everything went over, and no later one. */
			if ((done_mask & BIT(nr)) && remote->ready && !remote->missed &&
			    remote->link_id == pass->link_id[nr])
				remote->good_life = pass->life[nr];
		}
		disk->serve.own_reconciled = true;
	}
	spin_unlock_irqrestore(&disk->serve.serve_lock, flags);
	hf_event(disk->vol, HOLDFAST_EVENT_RECONCILED, hf_disk_event_nr(disk));
}

/* Returns 0 when nothing of this run is left to do. */
static int reconcile(struct hf_disk *disk)
{
	struct pass pass = {};
	u8 done = 0;
	bool own;
	int err;

	err = collect(disk, &pass);
	if (err || (!pass.new_mask && disk->serve.own_reconciled))
		goto out;
	if (pass.ready_mask)
		done = copy_extents(disk, &pass);
	own = pass.source == disk->own_nr;
	if (own)
		err = hf_copy_own(disk, HF_SLOT_FLUSH, 0, 0, NULL, 0);
	if (err)
		goto out;
	done = flush_all(disk, done);
	if ((pass.ready_mask && !done) || !(own || (done & BIT(pass.source))))
		err = -EAGAIN;
	else
		conclude(disk, &pass, done);
out:
	kvfree(pass.extents);
	return err;
}

void hf_promote_run(struct hf_disk *disk)
{
	unsigned int noio = memalloc_noio_save();
	bool activated;
	int err = 0;

	if (!named(disk) || !own_slot_is_free(disk))
		goto out;
	activated = conf_is_activated(disk);
	/* Once activated, the set is what was reconciled: only the own part may be due. */
	if (!activated || !READ_ONCE(disk->serve.own_reconciled)) {
		if (!may_be_reference(disk))
			goto out;
		err = reconcile(disk);
	}
	if (named(disk) && READ_ONCE(disk->serve.own_reconciled) && conf_is_activated(disk)) {
		hf_serve_activate(disk);
		hf_disk_queue(disk, &disk->show_work);
	} else if (named(disk) && err && err != -EIO && err != -ENOTCONN) {
		/* Memory, or all links went: a new link or this try mends it. */
		pause_ms(disk, 100);
		hf_disk_queue(disk, &disk->promote_work);
	}
out:
	memalloc_noio_restore(noio);
}

/* ------------------------------------------------------------------ ghosts */

static struct bio_vec *alloc_pages_of(u32 length, unsigned int *nr)
{
	unsigned int i;
	struct bio_vec *bvecs;

	*nr = DIV_ROUND_UP(length, PAGE_SIZE);
	bvecs = kcalloc(*nr, sizeof(*bvecs), GFP_NOIO);
	for (i = 0; bvecs && i < *nr; i++) {
		bvecs[i].bv_page = alloc_page(GFP_NOIO);
		bvecs[i].bv_len = min_t(u32, length - i * PAGE_SIZE, PAGE_SIZE);
		if (bvecs[i].bv_page)
			continue;
		while (i--)
			__free_page(bvecs[i].bv_page);
		kfree(bvecs);
		bvecs = NULL;
	}
	return bvecs;
}

static void free_pages_of(struct bio_vec *bvecs, unsigned int nr)
{
	while (nr--)
		__free_page(bvecs[nr].bv_page);
	kfree(bvecs);
}

/* serve_lock held: slots that could be given the range of this ghost now. */
static u8 ghost_needs(struct hf_disk *disk, struct hf_req *req)
{
	u8 mask = 0, nr;

	for (nr = 0; nr < HF_MAX_SLOTS; nr++)
		if (disk->remotes[nr].gets)
			mask |= BIT(nr);
	return mask & hf_serve_required_mask(disk) & ~(req->acked_mask | req->sent_mask);
}

static struct hf_req *find_ghost(struct hf_disk *disk)
{
	struct hf_req *req, *found = NULL;
	unsigned long flags;

	spin_lock_irqsave(&disk->serve.serve_lock, flags);
	list_for_each_entry(req, &disk->serve.flights, entry) {
		if (req->state == HF_REQ_GHOST && !req->repair_bvecs && ghost_needs(disk, req)) {
			found = req;
			break;
		}
	}
	spin_unlock_irqrestore(&disk->serve.serve_lock, flags);
	return found;
}

static bool ghost_is_answered(struct hf_disk *disk, struct hf_req *req)
{
	unsigned long flags;
	bool answered;

	spin_lock_irqsave(&disk->serve.serve_lock, flags);
	answered = !req->sent_mask;
	spin_unlock_irqrestore(&disk->serve.serve_lock, flags);
	return answered;
}

/*
 * The own slot acknowledged its zeros, so zeros are its content: nothing has to
 * be read. The last answer ends the ghost; one that does not come leaves it for
 * the next link.
 */
static bool repair_zeros(struct hf_disk *disk, struct hf_req *req)
{
	struct hf_ended ended;
	unsigned long flags;
	u8 need = 0, nr;

	hf_serve_lock(disk, &ended, &flags);
	if (req->state == HF_REQ_GHOST &&
	    (!hf_serve_has_own(disk) || (req->acked_mask & BIT(disk->own_nr))))
		need = ghost_needs(disk, req);
	for (nr = 0; nr < HF_MAX_SLOTS; nr++)
		if (need & BIT(nr))
			hf_req_post_remote(req, nr);
	hf_serve_unlock(disk, &ended, flags);
	return need;
}

/*
 * serve_lock held. Whose content the range gets: the own slot's; without one that
 * of a slot that has the write if there is any, since those that have it stay as
 * they are. HF_DISK_NO_SLOT: nobody can be read now.
 */
static u8 ghost_source(const struct hf_disk *disk, const struct hf_req *req)
{
	u8 can = 0, nr;

	if (hf_serve_has_own(disk))
		return disk->own_nr;
	for (nr = 0; nr < HF_MAX_SLOTS; nr++)
		if ((disk->serve.in_sync_mask & BIT(nr)) && disk->remotes[nr].gets)
			can |= BIT(nr);
	if (can & req->acked_mask)
		can &= req->acked_mask;
	else if (disk->serve.in_sync_mask & req->acked_mask)
		can = 0;
	return can ? __ffs(can) : HF_DISK_NO_SLOT;
}

/* The ghost keeps its range meanwhile, and repair_bvecs keep the ghost. */
static bool repair(struct hf_disk *disk, struct hf_req *req)
{
	struct hf_ended ended;
	struct bio_vec *bvecs;
	unsigned long flags;
	unsigned int nr_bvecs;
	bool read;
	u8 need, nr, source;

	bvecs = alloc_pages_of(req->length, &nr_bvecs);
	if (!bvecs)
		return false;
	hf_serve_lock(disk, &ended, &flags);
	if (req->state != HF_REQ_GHOST) {
		hf_serve_unlock(disk, &ended, flags);
		free_pages_of(bvecs, nr_bvecs);
		return true;
	}
	req->repair_bvecs = bvecs;
	source = ghost_source(disk, req);
	hf_serve_unlock(disk, &ended, flags);
	read = source != HF_DISK_NO_SLOT &&
	       !hf_copy_read(disk, source, req->offset, req->length, bvecs, nr_bvecs);

	hf_serve_lock(disk, &ended, &flags);
	req->bvecs = bvecs;
	req->nr_bvecs = nr_bvecs;
	need = read ? ghost_needs(disk, req) : 0;
	for (nr = 0; nr < HF_MAX_SLOTS; nr++)
		if (need & BIT(nr))
			hf_req_post_remote(req, nr);
	hf_serve_unlock(disk, &ended, flags);
	wait_event(disk->wait, ghost_is_answered(disk, req));

	hf_serve_lock(disk, &ended, &flags);
	req->bvecs = NULL;
	req->nr_bvecs = 0;
	req->repair_bvecs = NULL;
	hf_serve_judge(disk, req, &ended);
	hf_serve_unlock(disk, &ended, flags);
	free_pages_of(bvecs, nr_bvecs);
	return read;
}

void hf_promote_repair(struct hf_disk *disk)
{
	unsigned int noio = memalloc_noio_save();
	struct hf_req *req;

	while ((req = find_ghost(disk)))
		if (!(hf_req_is_zeros(req) ? repair_zeros(disk, req) : repair(disk, req)))
			break;
	memalloc_noio_restore(noio);
}
