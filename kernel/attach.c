// SPDX-License-Identifier: GPL-2.0
/*
 * The life of the local slot: attach opens the devices, reads what the last
 * life left and draws a new one; detach ends it, cleanly or by force; the last
 * reference closes the devices.
 *
 * Rules: R3b (a superblock of another incarnation is not attached, nor one of a
 * slot that the configuration does not have), R5 (a grace is owed unless the
 * metadata says that no promise was open), R10 (what the log names at attach,
 * and whether that life is unclean), R15 (the devices stay open until their
 * last I/O has ended).
 *
 * Locks: conf_lock of the volume around attach and detach.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "slot_impl.h"

#include <linux/netlink.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "event.h"
#include "main.h"
#include "replica.h"
#include "volume.h"

struct workqueue_struct *hf_slot_wq;
static struct workqueue_struct *free_wq;

/* Slots whose devices are not closed yet, for those who wait for that. */
static DEFINE_SPINLOCK(living_lock);
static LIST_HEAD(living);		/* living_lock */
static DECLARE_WAIT_QUEUE_HEAD(freed);

/* ------------------------------------------------------------------ life */

struct hf_slot *hf_slot_get(struct hf_slot *slot)
{
	kref_get(&slot->refs);
	return slot;
}

/* @life 0: any slot at all. */
static bool is_living(u64 life)
{
	struct hf_slot *slot;
	bool found = false;

	spin_lock(&living_lock);
	list_for_each_entry(slot, &living, living_entry)
		found |= !life || slot->life == life;
	spin_unlock(&living_lock);
	return found;
}

/* Drops the reference and waits, bounded, until the devices are closed. */
static void put_and_wait(struct hf_slot *slot)
{
	u64 life = slot->life;

	hf_slot_put(slot);
	wait_event_timeout(freed, !is_living(life),
			   msecs_to_jiffies(hf_time_ms(HF_DEVICE_TIMEOUT_MS)));
}

/* Process context: no I/O of ours is at the devices, no work has a reference. */
static void free_slot(struct work_struct *work)
{
	struct hf_slot *slot = container_of(work, struct hf_slot, free_work);

	/* The watch begins nothing; the worker of the log may still be leaving. */
	cancel_delayed_work_sync(&slot->watch_work);
	cancel_work_sync(&slot->log_work);
	cancel_work_sync(&slot->submit_work);
	hf_zero_detach(slot);
	hf_backing_close(&slot->data);
	hf_backing_close(&slot->meta);
	bioset_exit(&slot->bios);
	hf_bitmaps_destroy(slot);
	hf_meta_destroy(slot);
	kvfree(slot->al_memory);
	kfree(slot->scratch);
	hf_volume_del_object(slot->vol, &slot->vol_entry);
	hf_volume_put(slot->vol);
	spin_lock(&living_lock);
	list_del(&slot->living_entry);
	spin_unlock(&living_lock);
	kfree(slot);
	wake_up_all(&freed);
}

static void last_put(struct kref *refs)
{
	struct hf_slot *slot = container_of(refs, struct hf_slot, refs);

	queue_work(free_wq, &slot->free_work);
}

/* Any context. */
void hf_slot_put(struct hf_slot *slot)
{
	kref_put(&slot->refs, last_put);
}

static struct hf_slot *alloc_slot(struct hf_volume *vol, u8 slot_nr)
{
	struct hf_slot *slot = kzalloc(sizeof(*slot), GFP_KERNEL);

	if (!slot)
		return NULL;
	kref_init(&slot->refs);
	slot->vol = hf_volume_get(vol);
	slot->nr = slot_nr;
	do {
		slot->life = get_random_u64();
	} while (!slot->life);
	spin_lock(&living_lock);
	list_add(&slot->living_entry, &living);
	spin_unlock(&living_lock);
	spin_lock_init(&slot->log_lock);
	INIT_LIST_HEAD(&slot->roomless);
	INIT_LIST_HEAD(&slot->logging);
	INIT_LIST_HEAD(&slot->to_submit);
	INIT_LIST_HEAD(&slot->in_flight);
	init_waitqueue_head(&slot->drain_wait);
	INIT_WORK(&slot->log_work, hf_log_work);
	INIT_WORK(&slot->submit_work, hf_slot_submit_work);
	INIT_DELAYED_WORK(&slot->watch_work, hf_log_watch_work);
	INIT_WORK(&slot->free_work, free_slot);
	hf_volume_add_object(vol, &slot->vol_entry, &vol->slots);
	hf_zero_init(slot);
	slot->scratch = kmalloc_array(HF_LOG_MAX_ENTRIES, sizeof(*slot->scratch), GFP_KERNEL);
	slot->al_memory = kvmalloc(hf_al_memory_bytes(), GFP_KERNEL);
	if (hf_meta_init(slot) || bioset_init(&slot->bios, 16, 0, 0) || !slot->scratch ||
	    !slot->al_memory) {
		hf_slot_put(slot);
		return NULL;
	}
	return slot;
}

/* ---------------------------------------------------------------- attach */

/* Does the superblock belong here? */
static int check_super(struct hf_slot *slot, u64 incarnation, const struct hf_conf_data *conf,
		       struct netlink_ext_ack *extack)
{
	const struct hf_super *super = &slot->super;

	if (memcmp(super->volume, conf->volume, sizeof(super->volume))) {
		NL_SET_ERR_MSG(extack, "The metadata device belongs to another volume");
		return -EINVAL;
	}
	if (super->slot != slot->nr || super->node != slot->vol->node_id) {
		NL_SET_ERR_MSG(extack, "The metadata device belongs to another slot or node");
		return -EINVAL;
	}
	if (super->incarnation != incarnation) {
		NL_SET_ERR_MSG(extack, "The metadata device is of another incarnation of the slot");
		return -EINVAL;
	}
	if (super->layout.size_bytes != conf->size_bytes) {
		NL_SET_ERR_MSG(extack, "The slot was made for another size of the volume");
		return -EINVAL;
	}
	if (super->epoch > conf->epoch || super->term > conf->term) {
		NL_SET_ERR_MSG(extack, "The slot was told a newer configuration than this one");
		return -ESTALE;
	}
	if (!hf_conf_has_slot(conf, slot->nr, slot->vol->node_id, incarnation)) {
		NL_SET_ERR_MSG(extack, "The slot is not in the volume's configuration any more");
		return -ENOENT;
	}
	return 0;
}

static int check_sizes(struct hf_slot *slot, struct netlink_ext_ack *extack)
{
	if (hf_backing_bytes(&slot->data) < slot->super.layout.size_bytes) {
		NL_SET_ERR_MSG(extack, "The data device is smaller than the volume");
		return -ENOSPC;
	}
	if (hf_backing_bytes(&slot->meta) < hf_meta_min_bytes(&slot->super.layout)) {
		NL_SET_ERR_MSG(extack, "The metadata device is too small");
		return -ENOSPC;
	}
	return 0;
}

/* What the last life left: log, bits; then the volume's configuration. */
static int take_over(struct hf_slot *slot, const struct hf_conf_data *conf,
		     struct netlink_ext_ack *extack)
{
	struct hf_conf_data before = slot->super.conf;
	int error;

	hf_al_init(&slot->al, slot->al_memory, slot->super.layout.log_entries,
		   slot->super.incarnation);
	error = hf_log_load(slot);
	if (!error)
		error = hf_bitmaps_load(slot);
	if (!error) {
		slot->promises = hf_promise_book(&slot->vol->uuid, slot->super.promise_open);
		if (!slot->promises)
			error = -ENOMEM;
	}
	if (!error)
		error = hf_adopt_data(slot, slot->super.epoch ? &before : NULL, conf, true);
	if (error)
		NL_SET_ERR_MSG(extack, "The metadata device cannot be read or written");
	return error;
}

static int open_slot(struct hf_slot *slot, u64 incarnation, const char *data_path,
		     const char *meta_path, bool discard_zeroes, struct netlink_ext_ack *extack)
{
	const struct hf_conf_data *conf;
	int error;

	conf = &rcu_dereference_protected(slot->vol->conf,
					  lockdep_is_held(&slot->vol->conf_lock))->data;
	error = hf_backing_open(&slot->data, data_path, slot, extack);
	if (!error)
		error = hf_backing_open(&slot->meta, meta_path, slot, extack);
	if (error)
		return error;
	if (hf_backing_bytes(&slot->meta) < 2 * HF_META_BLOCK) {
		NL_SET_ERR_MSG(extack, "The metadata device is too small");
		return -ENOSPC;
	}
	if (bdev_logical_block_size(slot->data.bdev.bdev) > SECTOR_SIZE ||
	    bdev_logical_block_size(slot->meta.bdev.bdev) > HF_META_BLOCK) {
		NL_SET_ERR_MSG(extack, "The logical blocks of the device are too large");
		return -EINVAL;
	}
	error = hf_zero_attach(slot, discard_zeroes);
	if (error)
		return error;
	mutex_lock(&slot->meta_lock);
	error = hf_meta_load_super(slot, extack);
	if (!error)
		error = check_super(slot, incarnation, conf, extack);
	if (!error)
		error = check_sizes(slot, extack);
	if (!error)
		error = take_over(slot, conf, extack);
	mutex_unlock(&slot->meta_lock);
	return error;
}

/* Is the wanted end state there already? */
static int check_duplicate(const struct hf_slot *slot, u8 slot_nr, u64 incarnation,
			   const char *data_path, const char *meta_path,
			   struct netlink_ext_ack *extack)
{
	if (slot->nr != slot_nr || slot->super.incarnation != incarnation ||
	    !hf_slot_usable(slot)) {
		NL_SET_ERR_MSG(extack, "The volume has a slot here already");
		return -EEXIST;
	}
	if (strcmp(slot->data.path, data_path) || strcmp(slot->meta.path, meta_path)) {
		NL_SET_ERR_MSG(extack, "The slot is attached with other devices");
		return -EEXIST;
	}
	return 0;
}

int hf_slot_attach(struct hf_volume *vol, u8 slot_nr, u64 incarnation,
		   const char *data_path, const char *meta_path, bool discard_zeroes,
		   struct netlink_ext_ack *extack)
{
	struct hf_slot *slot;
	int error;

	lockdep_assert_held(&vol->conf_lock);
	if (slot_nr >= HF_MAX_SLOTS) {
		NL_SET_ERR_MSG(extack, "The slot number is out of range");
		return -EINVAL;
	}
	if (vol->slot) {
		return check_duplicate(vol->slot, slot_nr, incarnation, data_path, meta_path,
				       extack);
	}
	slot = alloc_slot(vol, slot_nr);
	if (!slot)
		return -ENOMEM;
	error = open_slot(slot, incarnation, data_path, meta_path, discard_zeroes, extack);
	if (error) {
		/* The devices are closed before the caller hears of it. */
		put_and_wait(slot);
		return error;
	}
	hf_slot_set_state(slot, HOLDFAST_SLOT_UP);
	vol->slot = slot;
	hf_event(vol, HOLDFAST_EVENT_SLOT, slot_nr);
	return 0;
}

/* ---------------------------------------------------------------- detach */

/* R5: a reboot owes nothing if no promise is open when the slot is left. */
static void close_promises(struct hf_slot *slot)
{
	mutex_lock(&slot->meta_lock);
	if (slot->super.promise_open && !hf_promise_open(slot->promises) &&
	    hf_slot_state(slot) != HOLDFAST_SLOT_FAILED) {
		slot->super.promise_open = false;
		hf_meta_save_super(slot);
	}
	mutex_unlock(&slot->meta_lock);
}

int hf_slot_open_promises(struct hf_slot *slot)
{
	int error = 0;

	mutex_lock(&slot->meta_lock);
	if (!hf_slot_usable(slot)) {
		error = -EIO;
	} else if (!slot->super.promise_open) {
		slot->super.promise_open = true;
		error = hf_meta_save_super(slot);
	}
	mutex_unlock(&slot->meta_lock);
	return error;
}

/* Writes and copies have ended, or the slot failed and will not wait for them. */
static bool drained_or_failed(struct hf_slot *slot)
{
	wait_event_timeout(slot->drain_wait,
			   !hf_slot_busy(slot) || hf_slot_state(slot) == HOLDFAST_SLOT_FAILED,
			   msecs_to_jiffies(hf_time_ms(HF_DEVICE_TIMEOUT_MS)));
	return !hf_slot_busy(slot) || hf_slot_state(slot) == HOLDFAST_SLOT_FAILED;
}

int hf_slot_detach(struct hf_volume *vol, bool force, struct netlink_ext_ack *extack)
{
	struct hf_slot *slot = vol->slot;
	u8 slot_nr;

	lockdep_assert_held(&vol->conf_lock);
	if (!slot)
		return 0;
	hf_replica_stop(vol, HOLDFAST_DOWN_LOCAL);
	slot_nr = slot->nr;
	if (hf_slot_state(slot) != HOLDFAST_SLOT_FAILED) {
		hf_slot_set_state(slot, HOLDFAST_SLOT_STOPPING);
		if (!force && !drained_or_failed(slot)) {
			hf_slot_set_state(slot, HOLDFAST_SLOT_UP);
			NL_SET_ERR_MSG(extack, "The data device has not ended its I/O in time");
			return -ETIMEDOUT;
		}
		if (!force) {
			hf_log_empty(slot);
			close_promises(slot);
		}
	}
	vol->slot = NULL;
	/* A device that hangs keeps its slot in the background (R15). */
	if (force)
		hf_slot_put(slot);
	else
		put_and_wait(slot);
	hf_event(vol, HOLDFAST_EVENT_SLOT, slot_nr);
	return 0;
}

/* ------------------------------------------------------------ load, unload */

void hf_slot_wait_all(void)
{
	wait_event(freed, !is_living(0));
}

void hf_slot_exit(void)
{
	hf_slot_wait_all();
	hf_zero_module_exit();
	if (free_wq)
		destroy_workqueue(free_wq);
	if (hf_slot_wq)
		destroy_workqueue(hf_slot_wq);
	free_wq = NULL;
	hf_slot_wq = NULL;
	hf_promise_exit();
}

int hf_slot_init(void)
{
	hf_promise_init();
	hf_slot_wq = alloc_workqueue("hf_slot", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	free_wq = alloc_workqueue("hf_slot_free", WQ_UNBOUND, 0);
	if (hf_slot_wq && free_wq && !hf_zero_module_init())
		return 0;
	hf_slot_exit();
	return -ENOMEM;
}
