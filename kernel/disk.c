// SPDX-License-Identifier: GPL-2.0
/*
 * The disk object's life: prepare, what a configuration makes of it, release,
 * removal, and the jobs that its parts queue.
 *
 * Rules: R1 (instance), R4 (cited life), R6 (dead disks), R11 (a disk without a
 * slot), R13 (release).
 * Locks: conf_lock for commands and adoption; states are serve_lock's.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "disk.h"

#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/netlink.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "copy.h"
#include "diskless.h"
#include "event.h"
#include "gendisk.h"
#include "main.h"
#include "mend.h"
#include "promote.h"
#include "rebuild.h"
#include "sabotage.h"
#include "volume.h"

struct workqueue_struct *hf_disk_wq;
struct workqueue_struct *hf_job_wq;
static struct workqueue_struct *teardown_wq;

static void disk_free(struct kref *refs)
{
	struct hf_disk *disk = container_of(refs, struct hf_disk, refs);

	hf_volume_del_object(disk->vol, &disk->vol_entry);
	hf_remote_free(disk);
	hf_serve_free(disk);
	if (disk->slot)
		hf_slot_put(disk->slot);
	hf_volume_put(disk->vol);
	kvfree(disk);
}

struct hf_disk *hf_disk_get(struct hf_disk *disk)
{
	kref_get(&disk->refs);
	return disk;
}

void hf_disk_put(struct hf_disk *disk)
{
	kref_put(&disk->refs, disk_free);
}

static void queue_on(struct workqueue_struct *wq, struct hf_disk *disk, struct work_struct *work)
{
	hf_disk_get(disk);
	/* Queued already: that one holds a reference. Never the last one here. */
	if (!queue_work(wq, work))
		hf_disk_put(disk);
}

void hf_disk_queue(struct hf_disk *disk, struct work_struct *work)
{
	queue_on(hf_job_wq, disk, work);
}

/*
 * The teardown waits for jobs. On their own queue it would, when memory is short
 * and the queue's rescuer runs it, wait for works that only this rescuer can run.
 */
void hf_disk_queue_teardown(struct hf_disk *disk)
{
	queue_on(teardown_wq, disk, &disk->teardown_work);
}

/* ------------------------------------------------------------------- jobs */

static void submit_work(struct work_struct *work)
{
	hf_req_submit_local(container_of(work, struct hf_disk, submit_work));
}

static void show_work(struct work_struct *work)
{
	struct hf_disk *disk = container_of(work, struct hf_disk, show_work);

	hf_gendisk_show(disk);
	hf_disk_put(disk);
}

static void promote_work(struct work_struct *work)
{
	struct hf_disk *disk = container_of(work, struct hf_disk, promote_work);

	hf_promote_run(disk);
	hf_disk_put(disk);
}

static void repair_work(struct work_struct *work)
{
	struct hf_disk *disk = container_of(work, struct hf_disk, repair_work);

	hf_promote_repair(disk);
	hf_disk_put(disk);
}

static void settle_work(struct work_struct *work)
{
	struct hf_disk *disk = container_of(work, struct hf_disk, settle_work);

	hf_diskless_settle(disk);
	hf_disk_put(disk);
}

static void mend_work(struct work_struct *work)
{
	struct hf_disk *disk = container_of(work, struct hf_disk, mend_work);

	hf_mend_run(disk);
	hf_disk_put(disk);
}

/* R1: configurations that slots sent. */
static void adopt_offers(struct hf_disk *disk)
{
	struct hf_conf_data conf;
	struct hf_wire_conf *wire;
	const char *why;
	unsigned long flags;
	u8 nr;

	for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
		spin_lock_irqsave(&disk->serve.serve_lock, flags);
		wire = disk->remotes[nr].offered;
		disk->remotes[nr].offered = NULL;
		spin_unlock_irqrestore(&disk->serve.serve_lock, flags);
		if (wire && !hf_conf_decode(wire, &conf, &why))
			hf_conf_adopt(disk->vol, &conf, true, NULL);
		kfree(wire);
	}
}

static void control_work(struct work_struct *work)
{
	struct hf_disk *disk = container_of(work, struct hf_disk, control_work);
	struct hf_volume *vol = disk->vol;
	bool forget = false;

	hf_volume_lock(vol);
	if (READ_ONCE(disk->serve.state) != HOLDFAST_DISK_DEAD) {
		adopt_offers(disk);
		hf_remote_reap(disk, false);
	} else if (vol->disk == disk && READ_ONCE(disk->torn_down) &&
		   !READ_ONCE(disk->openers)) {
		vol->disk = NULL;
		forget = true;
	}
	hf_volume_unlock(vol);
	if (forget) {
		hf_event(vol, HOLDFAST_EVENT_DISK, hf_disk_event_nr(disk));
		hf_disk_put(disk);
	}
	hf_disk_put(disk);
}

/* R6, policy error: held too long. */
static void held_work(struct work_struct *work)
{
	struct hf_disk *disk = container_of(to_delayed_work(work), struct hf_disk, held_work);
	struct hf_serve *serve = &disk->serve;
	struct hf_ended ended;
	unsigned long flags;

	hf_serve_lock(disk, &ended, &flags);
	if (serve->hold_since_ns && (serve->policies & HF_POLICY_ERROR_WHEN_HELD) &&
	    hf_boottime_ns() - serve->hold_since_ns >=
	    (u64)serve->held_timeout_ms * NSEC_PER_MSEC) {
		serve->expired = true;
		hf_serve_fail_held(disk, &ended);
	}
	hf_serve_unlock(disk, &ended, flags);
}

static bool all_ended(struct hf_disk *disk)
{
	unsigned long flags;
	bool ended;

	spin_lock_irqsave(&disk->serve.serve_lock, flags);
	ended = list_empty(&disk->serve.all);
	spin_unlock_irqrestore(&disk->serve.serve_lock, flags);
	return ended;
}

/*
 * The disk is dead: nothing new begins. Each wait ends by what was aborted
 * before it, or by a device ending its I/O (R15).
 */
static void teardown_work(struct work_struct *work)
{
	struct hf_disk *disk = container_of(work, struct hf_disk, teardown_work);
	struct hf_ended ended;
	unsigned long flags;
	u8 nr;

	/* 1. Links: every message has its answer afterwards, none is added (LINK_ADD looks). */
	hf_volume_lock(disk->vol);
	hf_remote_reap(disk, true);
	hf_volume_unlock(disk->vol);

	/* 2. Jobs, which look at the state: they end pieces and ghosts that they own. */
	cancel_delayed_work_sync(&disk->held_work);
	flush_work(&disk->promote_work);
	flush_work(&disk->repair_work);
	flush_work(&disk->settle_work);
	flush_work(&disk->mend_work);
	for (nr = 0; nr < HF_MAX_SLOTS; nr++)
		if (disk->remotes[nr].rebuild)
			flush_work(&disk->remotes[nr].rebuild->work);
	flush_work(&disk->show_work);

	/* 3. Requests: what has no answer to wait for fails now, the rest as it comes. */
	hf_serve_lock(disk, &ended, &flags);
	hf_serve_judge_all(disk, &ended);
	hf_serve_unlock(disk, &ended, flags);
	wait_event(disk->wait, all_ended(disk));
	cancel_work_sync(&disk->submit_work);

	/* 4. The name, so that a later instance can have it. */
	hf_gendisk_remove(disk);

	spin_lock_irqsave(&disk->serve.serve_lock, flags);
	disk->torn_down = true;
	wake_up(&disk->wait);
	spin_unlock_irqrestore(&disk->serve.serve_lock, flags);
	hf_disk_queue(disk, &disk->control_work);
	hf_disk_put(disk);
}

/* --------------------------------------------------------------- commands */

static void take_slot(struct hf_disk *disk, struct hf_slot *slot)
{
	disk->slot = hf_slot_get(slot);
	disk->own_nr = hf_slot_nr(slot);
	disk->slot_life = hf_slot_life(slot);
	disk->extent_shift = hf_slot_extent_shift(slot);
	disk->zero_max_bytes = hf_slot_zero_max(slot);
}

static struct hf_disk *disk_alloc(struct hf_volume *vol, const struct hf_conf_data *conf)
{
	struct hf_disk *disk = kvzalloc(sizeof(*disk), GFP_KERNEL);

	if (!disk)
		return NULL;
	kref_init(&disk->refs);
	disk->vol = hf_volume_get(vol);
	INIT_LIST_HEAD(&disk->vol_entry);
	disk->own_nr = HF_DISK_NO_SLOT;
	if (vol->slot && hf_slot_usable(vol->slot))
		take_slot(disk, vol->slot);
	disk->vdisk = conf->vdisk;
	disk->size_bytes = conf->size_bytes;
	do {
		disk->instance = get_random_u64();
	} while (!disk->instance);
	init_waitqueue_head(&disk->wait);
	INIT_WORK(&disk->submit_work, submit_work);
	INIT_WORK(&disk->show_work, show_work);
	INIT_WORK(&disk->promote_work, promote_work);
	INIT_WORK(&disk->control_work, control_work);
	INIT_WORK(&disk->repair_work, repair_work);
	INIT_WORK(&disk->settle_work, settle_work);
	INIT_WORK(&disk->mend_work, mend_work);
	INIT_WORK(&disk->teardown_work, teardown_work);
	INIT_DELAYED_WORK(&disk->held_work, held_work);
	if (hf_serve_init(disk) || hf_remote_init(disk)) {
		hf_disk_put(disk);
		return NULL;
	}
	hf_volume_add_object(vol, &disk->vol_entry, &vol->disks);
	return disk;
}

static bool has_in_sync_slot(const struct hf_volume *vol, const struct hf_conf_data *conf)
{
	int nr = hf_conf_slot_of(conf, vol->node_id);

	return nr >= 0 && (conf->in_sync_mask & BIT(nr));
}

int hf_disk_event_nr(const struct hf_disk *disk)
{
	return disk->own_nr == HF_DISK_NO_SLOT ? HF_EVENT_NO_SLOT : disk->own_nr;
}

bool hf_disk_uses_slot(const struct hf_disk *disk, const struct hf_slot *slot)
{
	lockdep_assert_held(&disk->vol->conf_lock);
	switch (READ_ONCE(disk->serve.state)) {
	case HOLDFAST_DISK_DEAD:
		return false;
	case HOLDFAST_DISK_PREPARED:
		return disk->slot == slot;
	default:
		return disk->slot == slot && hf_serve_has_own(disk);
	}
}

void hf_disk_slot_failed(struct hf_disk *disk, struct hf_slot *slot, int error)
{
	struct hf_ended ended;
	unsigned long flags;

	if (!hf_disk_uses_slot(disk, slot))
		return;
	hf_serve_lock(disk, &ended, &flags);
	hf_serve_own_failed(disk, error);
	hf_serve_judge_all(disk, &ended);
	hf_serve_unlock(disk, &ended, flags);
}

int hf_disk_prepare(struct hf_volume *vol, u64 *instance, struct netlink_ext_ack *extack)
{
	const struct hf_conf *conf;
	struct hf_disk *disk, *old = vol->disk;
	unsigned long flags;

	lockdep_assert_held(&vol->conf_lock);
	conf = rcu_dereference_protected(vol->conf, lockdep_is_held(&vol->conf_lock));
	if (old && READ_ONCE(old->serve.state) != HOLDFAST_DISK_DEAD) {
		*instance = old->instance;
		return 0;
	}
	/* Nobody links to a slot of the own node: it is used, or it is not in the set. */
	if (has_in_sync_slot(vol, &conf->data) && !(vol->slot && hf_slot_usable(vol->slot))) {
		NL_SET_ERR_MSG(extack, "the in-sync slot of this node is not usable");
		return -EINVAL;
	}
	disk = disk_alloc(vol, &conf->data);
	if (!disk)
		return -ENOMEM;
	spin_lock_irqsave(&disk->serve.serve_lock, flags);
	hf_serve_set_state(disk, HOLDFAST_DISK_PREPARED);
	spin_unlock_irqrestore(&disk->serve.serve_lock, flags);
	vol->disk = disk;
	if (old)
		hf_disk_put(old);
	*instance = disk->instance;
	return 0;
}

void hf_disk_kill(struct hf_disk *disk, const char *why)
{
	lockdep_assert_held(&disk->vol->conf_lock);
	if (READ_ONCE(disk->serve.state) == HOLDFAST_DISK_DEAD)
		return;
	pr_info("vd%u: instance %016llx ends: %s\n", disk->vdisk, disk->instance, why);
	hf_serve_depose(disk);
}

int hf_disk_del(struct hf_disk *disk, bool force, struct netlink_ext_ack *extack)
{
	struct hf_volume *vol = disk->vol;
	unsigned long flags;
	bool busy;

	lockdep_assert_held(&vol->conf_lock);
	spin_lock_irqsave(&disk->serve.serve_lock, flags);
	busy = disk->openers && !force && disk->serve.state != HOLDFAST_DISK_DEAD;
	if (!busy)
		disk->closing = true;
	spin_unlock_irqrestore(&disk->serve.serve_lock, flags);
	if (busy) {
		NL_SET_ERR_MSG(extack, "the disk is open");
		return -EBUSY;
	}
	hf_disk_kill(disk, "removed");
	if (vol->disk == disk) {
		vol->disk = NULL;
		hf_disk_put(disk);
	}
	return 0;
}

void hf_disk_wait_gone(struct hf_disk *disk)
{
	wait_event_timeout(disk->wait, READ_ONCE(disk->torn_down),
			   msecs_to_jiffies(hf_time_ms(HF_LINK_TIMEOUT_MS)));
}

void hf_disk_fail(struct hf_disk *disk)
{
	struct hf_ended ended;
	unsigned long flags;

	hf_serve_lock(disk, &ended, &flags);
	hf_serve_fail_held(disk, &ended);
	hf_serve_unlock(disk, &ended, flags);
	hf_disk_queue(disk, &disk->repair_work);
}

void hf_disk_thaw(struct hf_disk *disk)
{
	struct hf_ended ended;
	unsigned long flags;

	hf_serve_lock(disk, &ended, &flags);
	disk->serve.expired = false;
	hf_serve_judge_all(disk, &ended);
	hf_serve_unlock(disk, &ended, flags);
}

/* ----------------------------------------------------------- release (R13) */

static const char *begin_release(struct hf_disk *disk, bool force, int *err)
{
	struct hf_serve *serve = &disk->serve;
	const char *why = NULL;
	unsigned long flags;

	spin_lock_irqsave(&serve->serve_lock, flags);
	if (serve->state != HOLDFAST_DISK_ACTIVE && serve->state != HOLDFAST_DISK_RELEASED) {
		why = "the disk is not active";
		*err = -EINVAL;
	} else if (disk->openers && !force) {
		why = "the disk is open";
		*err = -EBUSY;
	} else {
		disk->closing = true;
		hf_serve_set_state(disk, HOLDFAST_DISK_RELEASED);
	}
	spin_unlock_irqrestore(&serve->serve_lock, flags);
	return why;
}

static bool released_and_drained(struct hf_disk *disk)
{
	unsigned long flags;
	bool is;

	spin_lock_irqsave(&disk->serve.serve_lock, flags);
	is = disk->serve.state != HOLDFAST_DISK_RELEASED || hf_serve_drained(disk);
	spin_unlock_irqrestore(&disk->serve.serve_lock, flags);
	return is;
}

static int flush_set(struct hf_disk *disk)
{
	struct hf_msg flush = { .opcode = HF_OP_FLUSH };
	u8 mask = READ_ONCE(disk->serve.in_sync_mask) | READ_ONCE(disk->serve.counted_mask);
	int err = 0;
	u8 nr;

	if (hf_serve_has_own(disk))
		err = hf_copy_own(disk, HF_SLOT_FLUSH, 0, 0, NULL, 0);
	for (nr = 0; nr < HF_MAX_SLOTS && !err; nr++)
		if (nr != disk->own_nr && (mask & BIT(nr)))
			err = hf_copy_call(disk, nr, &flush);
	return err;
}

/* Nothing is completed from here on but under a newer epoch and fresh echoes. */
static int give_lease_back(struct hf_disk *disk)
{
	struct hf_serve *serve = &disk->serve;
	unsigned long flags;
	int err = -EAGAIN;
	u8 nr;

	spin_lock_irqsave(&serve->serve_lock, flags);
	if (serve->state == HOLDFAST_DISK_RELEASED && hf_serve_drained(disk)) {
		serve->lease_released = true;
		for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
			disk->remotes[nr].lease_end_ns = 0;
			if (disk->remotes[nr].link)
				hf_link_release_lease(disk->remotes[nr].link);
		}
		hf_serve_update_remotes(disk);
		err = 0;
	}
	spin_unlock_irqrestore(&serve->serve_lock, flags);
	return err;
}

int hf_disk_release(struct hf_disk *disk, bool force, unsigned int timeout_ms,
		    struct netlink_ext_ack *extack)
{
	unsigned long until = jiffies + msecs_to_jiffies(timeout_ms);
	const char *why;
	int err = 0;

	if (READ_ONCE(disk->serve.lease_released))
		return 0;
	why = begin_release(disk, force, &err);
	if (why) {
		if (extack)
			extack->_msg = why;
		return err;
	}
	do {
		wait_event_timeout(disk->wait, released_and_drained(disk),
				   max_t(long, until - jiffies, 1));
		if (!released_and_drained(disk) || !flush_set(disk))
			err = give_lease_back(disk);
		else
			err = -EAGAIN;
	} while (err && READ_ONCE(disk->serve.state) == HOLDFAST_DISK_RELEASED &&
		 time_before(jiffies, until) && !msleep_interruptible(20));
	if (err) {
		NL_SET_ERR_MSG(extack, "the disk did not drain in time");
		err = -ETIMEDOUT;
	}
	return err;
}

/* ---------------------------------------------------------- configuration */

static bool is_named(const struct hf_disk *disk, const struct hf_conf_data *conf)
{
	return conf->primary_node == disk->vol->node_id &&
	       conf->primary_instance == disk->instance;
}

int hf_disk_check_conf(struct hf_disk *disk, const struct hf_conf_data *offer,
		       struct netlink_ext_ack *extack)
{
	enum holdfast_disk_state state = READ_ONCE(disk->serve.state);
	bool own;

	if (state == HOLDFAST_DISK_DEAD || !is_named(disk, offer))
		return 0;
	/* R11: without an in-sync slot of its own it serves from the others. */
	own = offer->in_sync_mask & BIT(disk->own_nr);
	if (!own && has_in_sync_slot(disk->vol, offer)) {
		NL_SET_ERR_MSG(extack, "the disk was prepared without the slot of this node");
		return -EINVAL;
	}
	if (own && offer->term == disk->serve.term && disk->was_active &&
	    !hf_serve_has_own(disk)) {
		NL_SET_ERR_MSG(extack,
			       "the own slot of a primary is not readmitted while it serves");
		return -EOPNOTSUPP;
	}
	if (own && !hf_conf_activated(offer) &&
	    offer->slots[disk->own_nr].cited_life != disk->slot_life) {
		NL_SET_ERR_MSG(extack, "the configuration cites another life of the local slot");
		return -EINVAL;
	}
	if (hf_conf_activated(offer) && disk->serve.term != offer->term) {
		NL_SET_ERR_MSG(extack, "this term activates a disk that it did not name first");
		return -EINVAL;
	}
	return 0;
}

/* R6: its cache may be older than what another instance served meanwhile. */
static bool is_outlived(const struct hf_disk *disk, const struct hf_conf_data *offer)
{
	return disk->was_active && (offer->activated_instance != disk->instance);
}

/*
 * R11: it went without its own slot, and the others did not flush before they
 * are to be reconciled, maybe in lives that lost what was completed. An error to
 * the caller is then the truth.
 */
static bool is_unsettled(const struct hf_disk *disk, const struct hf_conf_data *offer)
{
	return disk->was_active && !(offer->in_sync_mask & BIT(disk->own_nr)) &&
	       !READ_ONCE(disk->serve.settled);
}

void hf_disk_before_conf(struct hf_disk *disk, const struct hf_conf_data *offer)
{
	struct hf_serve *serve = &disk->serve;
	enum holdfast_disk_state state = READ_ONCE(serve->state);

	lockdep_assert_held(&disk->vol->conf_lock);
	if (state == HOLDFAST_DISK_DEAD)
		return;
	if (!is_named(disk, offer)) {
		if (state == HOLDFAST_DISK_PREPARED)
			return;
		if (HF_BROKEN_NO_FENCE)
			WRITE_ONCE(serve->term, offer->term);
		else
			hf_disk_kill(disk, "deposed");
		return;
	}
	if (offer->term <= serve->term)
		return;
	if (is_outlived(disk, offer))
		hf_disk_kill(disk, "another instance was active meanwhile");
	else if (is_unsettled(disk, offer))
		hf_disk_kill(disk, "its own slot is lost, and the others had not flushed");
	else
		hf_serve_name(disk, offer);
}

void hf_disk_after_conf(struct hf_disk *disk, const struct hf_conf *conf)
{
	enum holdfast_disk_state state = READ_ONCE(disk->serve.state);

	lockdep_assert_held(&disk->vol->conf_lock);
	if (state == HOLDFAST_DISK_DEAD || !is_named(disk, &conf->data))
		return;
	if (state == HOLDFAST_DISK_RELEASED && hf_conf_activated(&conf->data)) {
		disk->closing = false;
		hf_serve_set_conf(disk, &conf->data);
		hf_serve_resume(disk);
	} else {
		hf_serve_set_conf(disk, &conf->data);
	}
	if (hf_conf_activated(&conf->data))
		disk->was_active = true;
	hf_disk_queue(disk, &disk->promote_work);
	hf_disk_queue(disk, &disk->repair_work);
	hf_disk_queue(disk, &disk->settle_work);
	hf_remote_send_conf(disk, conf);
}

/* ------------------------------------------------------------ load, unload */

int hf_disk_init(void)
{
	int err = -ENOMEM;

	hf_disk_wq = alloc_workqueue("holdfast_disk", WQ_MEM_RECLAIM | WQ_HIGHPRI | WQ_UNBOUND, 0);
	if (!hf_disk_wq)
		return -ENOMEM;
	hf_job_wq = alloc_workqueue("holdfast_job", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	if (!hf_job_wq)
		goto destroy_disk_wq;
	teardown_wq = alloc_workqueue("holdfast_teardown", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	if (!teardown_wq)
		goto destroy_job_wq;
	err = hf_gendisk_init();
	if (err)
		goto destroy_teardown_wq;
	return 0;

destroy_teardown_wq:
	destroy_workqueue(teardown_wq);
destroy_job_wq:
	destroy_workqueue(hf_job_wq);
destroy_disk_wq:
	destroy_workqueue(hf_disk_wq);
	return err;
}

void hf_disk_exit(void)
{
	/* Teardowns that still run end here, and then what they queued. */
	destroy_workqueue(teardown_wq);
	destroy_workqueue(hf_job_wq);
	destroy_workqueue(hf_disk_wq);
	hf_gendisk_exit();
}
