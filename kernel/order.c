// SPDX-License-Identifier: GPL-2.0
/*
 * What the primary's operations are judged by: the disk's state, the masks of
 * the configuration in force, which slots get messages and which are lost, the
 * lease, stable, and since when I/O is held. It runs no operation (serve.c)
 * and decides on no configuration (conf.c).
 *
 * Rules: R2, R3, R3b (stable waits for confirmations), R5, R6, R9 (counting),
 * R11 (going on without the own slot), R13 (release).
 * Locks: serve_lock guards all of it, see the argument in serve.h.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "serve.h"

#include "disk.h"
#include "event.h"
#include "main.h"
#include "rebuild.h"
#include "sabotage.h"
#include "trace.h"
#include "volume.h"

void hf_serve_set_state(struct hf_disk *disk, enum holdfast_disk_state state)
{
	struct hf_serve *serve = &disk->serve;
	struct hf_event_facts facts = {
		.event		= HOLDFAST_EVENT_DISK,
		.slot_nr	= hf_disk_event_nr(disk),
		.instance	= disk->instance,
	};

	lockdep_assert_held(&serve->serve_lock);
	/* DEAD is the end of an instance, and nothing becomes PREPARED again (R6). */
	if (serve->state == state || serve->state == HOLDFAST_DISK_DEAD ||
	    WARN_ON_ONCE(state == HOLDFAST_DISK_PREPARED && serve->state != HOLDFAST_DISK_NONE))
		return;
	trace_hf_disk_state(disk->vol, hf_disk_event_nr(disk), serve->state, state);
	serve->state = state;
	hf_event_send(disk->vol, &facts);
	wake_up(&disk->wait);
	if (state == HOLDFAST_DISK_DEAD)
		hf_disk_queue_teardown(disk);
}

bool hf_serve_has_own(const struct hf_disk *disk)
{
	return READ_ONCE(disk->serve.in_sync_mask) & BIT(disk->own_nr);
}

bool hf_serve_own_usable(const struct hf_disk *disk)
{
	return hf_serve_has_own(disk) && !disk->serve.own_failed && hf_slot_usable(disk->slot);
}

bool hf_serve_wants_durable(const struct hf_disk *disk)
{
	return disk->serve.own_failed || !hf_serve_has_own(disk);
}

u8 hf_serve_required_mask(const struct hf_disk *disk)
{
	const struct hf_serve *serve = &disk->serve;
	u8 mask = serve->in_sync_mask | serve->counted_mask;
	u8 nr;

	if (HF_BROKEN_EARLY_ACK)
		return BIT(disk->own_nr);
	if (HF_BROKEN_NO_FENCE)
		for (nr = 0; nr < HF_MAX_SLOTS; nr++)
			if (disk->remotes[nr].lost)
				mask &= ~BIT(nr);
	return mask;
}

bool hf_serve_running(const struct hf_disk *disk)
{
	const struct hf_serve *serve = &disk->serve;

	return serve->state == HOLDFAST_DISK_ACTIVE ||
	       (serve->state == HOLDFAST_DISK_RELEASED && !serve->lease_released);
}

/* R5: from every remote in-sync or counted slot; with none, nobody else can be promoted. */
static bool lease_holds(const struct hf_disk *disk)
{
	u8 mask = (disk->serve.in_sync_mask | disk->serve.counted_mask) & ~BIT(disk->own_nr);
	u64 ends[HF_MAX_SLOTS] = {};
	u8 nr;

	if (HF_BROKEN_NO_FENCE)
		return true;
	for (nr = 0; nr < HF_MAX_SLOTS; nr++)
		if (mask & BIT(nr))
			ends[nr] = hf_remote_lease_end(&disk->remotes[nr]);
	return hf_lease_holds(hf_lease_set_end(ends, mask), hf_boottime_ns());
}

bool hf_serve_may_complete(const struct hf_disk *disk)
{
	/*
	 * From a failure of the own slot on nothing more completes, also not by an
	 * acknowledgment that is on its way (R1, R3); the slot knows before the disk.
	 * Without it, not before the others flushed what was completed (R11).
	 */
	bool safe = hf_serve_has_own(disk) ? hf_serve_own_usable(disk) : disk->serve.settled;

	return hf_serve_running(disk) && safe && lease_holds(disk);
}

bool hf_serve_drained(const struct hf_disk *disk)
{
	const struct hf_serve *serve = &disk->serve;

	return list_empty(&serve->flights) && list_empty(&serve->flushes) && !serve->nr_reads;
}

/*
 * R11: with other slots in the set the primary holds, until the set is without
 * its own. R3: an error of the last slot that it can go on with is its callers';
 * at once, before anything could be tried again on the slot. A slot that knows of
 * a higher term (-ESTALE) has ended this disk in any case (R1, R6).
 */
void hf_serve_own_failed(struct hf_disk *disk, int error)
{
	struct hf_serve *serve = &disk->serve;
	bool others = serve->in_sync_mask & ~BIT(disk->own_nr);

	lockdep_assert_held(&serve->serve_lock);
	if (HF_BROKEN_NO_FENCE && error == -ESTALE)
		return;
	if (serve->state == HOLDFAST_DISK_DEAD || serve->own_failed)
		return;
	if (serve->state != HOLDFAST_DISK_PREPARED && !hf_serve_has_own(disk))
		return;
	if (others && serve->state == HOLDFAST_DISK_ACTIVE && error != -ESTALE) {
		pr_err("vd%u: the local slot failed, error %d: goes on without it\n", disk->vdisk,
		       error);
		serve->own_failed = true;
		hf_event(disk->vol, HOLDFAST_EVENT_SLOT_LOST, disk->own_nr);
		return;
	}
	pr_err("vd%u: the local slot failed, error %d: the disk ends\n", disk->vdisk, error);
	hf_serve_set_state(disk, HOLDFAST_DISK_DEAD);
}

/*
 * R3b: a new set counts for stable once every slot in it confirmed its epoch,
 * and every slot that is counted: it may be the source of a rebuild next, and
 * marks at its adoption what is above stable by then.
 */
static bool epoch_confirmed(const struct hf_disk *disk)
{
	const struct hf_serve *serve = &disk->serve;
	u8 mask = serve->in_sync_mask | serve->counted_mask;
	u8 nr;

	for (nr = 0; nr < HF_MAX_SLOTS; nr++)
		if (nr != disk->own_nr && (mask & BIT(nr)) &&
		    disk->remotes[nr].adopted_epoch < serve->epoch)
			return false;
	return true;
}

void hf_serve_advance_stable(struct hf_disk *disk)
{
	struct hf_serve *serve = &disk->serve;
	struct hf_window_entry *entry;
	u64 before = serve->stable;

	lockdep_assert_held(&serve->serve_lock);
	if (!hf_serve_running(disk) || !epoch_confirmed(disk))
		return;
	while (serve->stable < serve->seq) {
		entry = &serve->window[(serve->stable + 1) % HF_WINDOW];
		if (!entry->done)
			break;
		hf_room_release(&serve->room, entry->first_extent, entry->last_extent);
		serve->stable++;
	}
	if (serve->stable != before && hf_serve_own_usable(disk))
		hf_slot_stable(disk->slot, serve->term, serve->stable);
}

void hf_serve_update_hold(struct hf_disk *disk)
{
	struct hf_serve *serve = &disk->serve;
	bool obstructed, holding;
	u8 nr;

	lockdep_assert_held(&serve->serve_lock);
	obstructed = serve->state != HOLDFAST_DISK_ACTIVE || serve->nr_stuck ||
		     !list_empty(&serve->again) ||
		     (hf_serve_wants_durable(disk) && !serve->settled);
	for (nr = 0; nr < HF_MAX_SLOTS; nr++)
		obstructed |= disk->remotes[nr].lost;
	if (!obstructed)
		serve->expired = false;
	holding = obstructed && serve->nr_reqs && serve->state != HOLDFAST_DISK_DEAD;
	if (holding == !!serve->hold_since_ns)
		return;
	serve->hold_since_ns = holding ? hf_boottime_ns() : 0;
	trace_hf_hold(disk->vol, holding, serve->nr_reqs);
	if (holding && (serve->policies & HF_POLICY_ERROR_WHEN_HELD))
		mod_delayed_work(hf_disk_wq, &disk->held_work,
				 msecs_to_jiffies(serve->held_timeout_ms));
	hf_event(disk->vol, HOLDFAST_EVENT_HOLD, hf_disk_event_nr(disk));
}

static bool remote_gets(const struct hf_disk *disk, const struct hf_remote *remote)
{
	const struct hf_serve *serve = &disk->serve;

	if (!hf_serve_running(disk) || !remote->ready)
		return false;
	/* R3: a slot of the set is continued only in the life that is known to be whole. */
	if ((serve->in_sync_mask | serve->counted_mask) & BIT(remote->nr))
		return remote->good_life && remote->life == remote->good_life;
	return remote->mirror;
}

void hf_serve_update_remotes(struct hf_disk *disk)
{
	struct hf_serve *serve = &disk->serve;
	bool own = hf_serve_has_own(disk);
	unsigned int limit = own ? hf_slot_log_entries(disk->slot) : HF_LOG_MAX_ENTRIES;
	struct hf_remote *remote;
	bool must, lost;
	u8 nr;

	lockdep_assert_held(&serve->serve_lock);
	for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
		remote = &disk->remotes[nr];
		if (nr == disk->own_nr)
			continue;
		remote->gets = remote_gets(disk, remote);
		must = (serve->in_sync_mask | serve->counted_mask) & BIT(nr);
		/* With no log of its own it goes by those that will be linked again, too (R10). */
		if (remote->gets || (!own && must && remote->log_entries))
			limit = min(limit, remote->log_entries);
		lost = hf_serve_running(disk) && must && !remote->gets;
		if (lost && !remote->lost)
			hf_event(disk->vol, HOLDFAST_EVENT_SLOT_LOST, nr);
		remote->lost = lost;
	}
	hf_room_set_limit(&serve->room, max(limit, 1U));
}

/*
 * R9: any newer epoch settles what an unanswered readmission came to. A slot
 * that was counted is in the set now; or it stays counted, since the epoch was
 * about something else and the slot is whole; or the attempt is given up.
 */
static void settle_counted(struct hf_disk *disk, const struct hf_conf_data *conf)
{
	struct hf_serve *serve = &disk->serve;
	u8 nr;

	for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
		struct hf_remote *remote = &disk->remotes[nr];

		if (conf->in_sync_mask & BIT(nr)) {
			remote->mirror = false;
			serve->counted_mask &= ~BIT(nr);
			hf_rebuild_settle(remote, HOLDFAST_REBUILD_NONE);
		} else if ((serve->counted_mask & BIT(nr)) &&
			   !(remote->gets && hf_rebuild_goes_on(remote))) {
			remote->mirror = false;
			remote->good_life = 0;
			serve->counted_mask &= ~BIT(nr);
			hf_rebuild_settle(remote, HOLDFAST_REBUILD_FAILED);
		}
	}
}

static void take_conf(struct hf_disk *disk, const struct hf_conf_data *conf)
{
	struct hf_serve *serve = &disk->serve;
	u8 nr;

	lockdep_assert_held(&serve->serve_lock);
	for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
		/* R3b: a slot that was removed or replaced ends here, counted or not. */
		if (disk->remotes[nr].incarnation == conf->slots[nr].incarnation)
			continue;
		serve->counted_mask &= ~BIT(nr);
		hf_remote_set_slot(&disk->remotes[nr], conf->slots[nr].incarnation);
	}
	for (nr = 0; nr < HF_MAX_SLOTS; nr++)
		if ((serve->in_sync_mask & ~conf->in_sync_mask) & BIT(nr))
			disk->remotes[nr].good_life = 0;
	if (serve->epoch != conf->epoch)
		settle_counted(disk, conf);
	/* R11: also if it was well; what is in flight to the others is not durable. */
	if (serve->state == HOLDFAST_DISK_ACTIVE && hf_serve_has_own(disk) &&
	    !(conf->in_sync_mask & BIT(disk->own_nr)))
		serve->own_failed = true;
	serve->epoch = conf->epoch;
	serve->in_sync_mask = conf->in_sync_mask;
	serve->missing_mask = hf_conf_missing_mask(conf);
	serve->used_mask = hf_conf_used_mask(conf);
	serve->policies = conf->policies;
	serve->held_timeout_ms = conf->held_timeout_ms;
	/* R3: it was the last one that could take its place. */
	if (serve->own_failed && conf->in_sync_mask == BIT(disk->own_nr)) {
		pr_err("vd%u: no slot is left beside the failed one: the disk ends\n",
		       disk->vdisk);
		hf_serve_set_state(disk, HOLDFAST_DISK_DEAD);
	}
}

void hf_serve_set_conf(struct hf_disk *disk, const struct hf_conf_data *conf)
{
	struct hf_ended ended;
	unsigned long flags;

	hf_serve_lock(disk, &ended, &flags);
	take_conf(disk, conf);
	hf_serve_update_remotes(disk);
	hf_serve_judge_all(disk, &ended);
	hf_serve_unlock(disk, &ended, flags);
}

void hf_serve_depose(struct hf_disk *disk)
{
	struct hf_ended ended;
	unsigned long flags;

	hf_serve_lock(disk, &ended, &flags);
	hf_serve_set_state(disk, HOLDFAST_DISK_DEAD);
	hf_serve_judge_all(disk, &ended);
	hf_serve_unlock(disk, &ended, flags);
}

/*
 * R4 (1), R6: named at a new term. What is in flight from an earlier term of
 * this instance stays where it is, unacknowledged; its answers do not count.
 */
void hf_serve_name(struct hf_disk *disk, const struct hf_conf_data *conf)
{
	struct hf_serve *serve = &disk->serve;
	struct hf_ended ended;
	struct hf_req *req;
	unsigned long flags;
	u8 nr;

	hf_serve_lock(disk, &ended, &flags);
	hf_serve_set_state(disk, HOLDFAST_DISK_NAMED);
	serve->term = conf->term;
	serve->own_reconciled = false;
	serve->reference = 0;
	serve->lease_released = false;
	serve->counted_mask = 0;
	for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
		struct hf_remote *remote = &disk->remotes[nr];

		remote->good_life = 0;
		remote->lease_end_ns = 0;
		remote->adopted_epoch = 0;
		remote->mirror = false;
		/* An older term's link serves nothing any more (R1). */
		remote->ready = false;
	}
	list_for_each_entry(req, &serve->all, all_entry) {
		/* A read of the own slot is good while no other instance was active. */
		req->void_mask = req->sent_mask;
		if (req->kind == HF_REQ_READ) {
			req->void_mask &= ~BIT(disk->own_nr);
			continue;
		}
		req->acked_mask = 0;
		if (req->stuck) {
			req->stuck = false;
			serve->nr_stuck--;
		}
	}
	take_conf(disk, conf);
	hf_serve_update_remotes(disk);
	hf_serve_unlock(disk, &ended, flags);
}

/*
 * R4 (2). Writes held from an earlier term of this instance keep their ranges
 * and take new numbers, in their order; ghosts were covered by the
 * reconciliation, which copied every logged extent (R6, R7).
 */
static void restart_flights(struct hf_disk *disk)
{
	struct hf_serve *serve = &disk->serve;
	struct hf_req *req;

	list_for_each_entry(req, &serve->flights, entry) {
		req->seq = 0;
		if (req->state == HF_REQ_GHOST)
			req->acked_mask = ~0;
		else
			req->state = HF_REQ_WAITS_ROOM;
	}
	serve->seq = 0;
	serve->stable = 0;
	hf_room_init(&serve->room, 1);
}

void hf_serve_activate(struct hf_disk *disk)
{
	struct hf_serve *serve = &disk->serve;
	struct hf_req *req, *next;
	struct hf_ended ended;
	unsigned long flags;
	LIST_HEAD(ghosts);

	hf_serve_lock(disk, &ended, &flags);
	if (serve->state != HOLDFAST_DISK_NAMED)
		goto out;
	restart_flights(disk);
	list_for_each_entry_safe(req, next, &serve->flights, entry)
		if (req->state == HF_REQ_GHOST)
			list_move_tail(&req->entry, &ghosts);
	list_splice_init(&serve->flights, &serve->waits_room);
	list_splice(&ghosts, &serve->flights);
	/* R7 flushed all of the set; from here on the own slot alone may have it. */
	serve->settled = !hf_serve_has_own(disk);
	hf_serve_set_state(disk, HOLDFAST_DISK_ACTIVE);
	hf_serve_update_remotes(disk);
	hf_serve_judge_all(disk, &ended);
out:
	hf_serve_unlock(disk, &ended, flags);
}

void hf_serve_resume(struct hf_disk *disk)
{
	struct hf_ended ended;
	unsigned long flags;

	hf_serve_lock(disk, &ended, &flags);
	if (disk->serve.state == HOLDFAST_DISK_RELEASED) {
		disk->serve.lease_released = false;
		hf_serve_set_state(disk, HOLDFAST_DISK_ACTIVE);
		hf_serve_update_remotes(disk);
		hf_serve_judge_all(disk, &ended);
	}
	hf_serve_unlock(disk, &ended, flags);
}

void hf_serve_tick(void *owner, struct hf_link_tick *tick)
{
	struct hf_disk *disk = ((struct hf_remote *)owner)->disk;
	struct hf_serve *serve = &disk->serve;
	unsigned long flags;
	u64 since;

	spin_lock_irqsave(&serve->serve_lock, flags);
	tick->epoch = serve->epoch;
	tick->stable = serve->stable;
	tick->missing_mask = serve->missing_mask;
	since = serve->hold_since_ns;
	spin_unlock_irqrestore(&serve->serve_lock, flags);
	/* Holding for less than a millisecond is holding. */
	tick->holding_ms = since ? max_t(u64, 1, div_u64(hf_boottime_ns() - since,
							  NSEC_PER_MSEC)) : 0;
}

int hf_serve_init(struct hf_disk *disk)
{
	struct hf_serve *serve = &disk->serve;
	unsigned int nr_reqs = HF_DISK_DEPTH + HF_DISK_GHOSTS;
	unsigned int i;
	u8 nr;

	spin_lock_init(&serve->serve_lock);
	INIT_LIST_HEAD(&serve->free);
	INIT_LIST_HEAD(&serve->all);
	INIT_LIST_HEAD(&serve->parked);
	INIT_LIST_HEAD(&serve->waits_room);
	INIT_LIST_HEAD(&serve->waits_zeros);
	INIT_LIST_HEAD(&serve->flights);
	INIT_LIST_HEAD(&serve->flushes);
	INIT_LIST_HEAD(&serve->again);
	INIT_LIST_HEAD(&serve->todo);
	hf_overlap_init(&serve->overlap);
	hf_room_init(&serve->room, 1);
	serve->settled = true;
	serve->pool = kvcalloc(nr_reqs, sizeof(*serve->pool), GFP_KERNEL);
	if (!serve->pool)
		return -ENOMEM;
	for (i = 0; i < nr_reqs; i++) {
		struct hf_req *req = &serve->pool[i];

		req->disk = disk;
		INIT_LIST_HEAD(&req->all_entry);
		INIT_LIST_HEAD(&req->todo_entry);
		list_add_tail(&req->entry, &serve->free);
		for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
			req->msgs[nr].req = req;
			req->msgs[nr].nr = nr;
		}
	}
	return 0;
}

void hf_serve_free(struct hf_disk *disk)
{
	kvfree(disk->serve.pool);
}
