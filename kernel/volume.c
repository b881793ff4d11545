// SPDX-License-Identifier: GPL-2.0
/*
 * The registry of volumes: find, create, remove, reference. It knows in which
 * order the parts of a volume end, and nothing of what they do.
 *
 * Locks: registry_lock guards the list and is innermost of the mutexes: it is
 * never held while a conf_lock is taken. It orders the coming and going of a
 * name in debugfs too.
 */
#include "volume.h"

#include <linux/netlink.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "compat/compat.h"
#include "debugfs.h"
#include "disk.h"
#include "event.h"
#include "replica.h"
#include "slot.h"

static DEFINE_MUTEX(registry_lock);
static LIST_HEAD(registry);		/* registry_lock; in order of creation */
static u64 last_dump_order;		/* registry_lock */
static atomic_t generation = ATOMIC_INIT(1);

static void volume_free(struct kref *refs)
{
	struct hf_volume *vol = container_of(refs, struct hf_volume, refs);

	/* Readers of the configuration hold a reference or conf_lock; links may be in RCU. */
	kfree_rcu(rcu_dereference_protected(vol->conf, true), rcu);
	kfree(vol);
}

struct hf_volume *hf_volume_get(struct hf_volume *vol)
{
	kref_get(&vol->refs);
	return vol;
}

void hf_volume_put(struct hf_volume *vol)
{
	if (vol)
		kref_put(&vol->refs, volume_free);
}

unsigned int hf_volume_generation(void)
{
	return atomic_read(&generation);
}

void hf_volume_add_object(struct hf_volume *vol, struct list_head *entry, struct list_head *list)
{
	unsigned long flags;

	spin_lock_irqsave(&vol->objects_lock, flags);
	list_add_tail(entry, list);
	spin_unlock_irqrestore(&vol->objects_lock, flags);
}

void hf_volume_del_object(struct hf_volume *vol, struct list_head *entry)
{
	unsigned long flags;

	spin_lock_irqsave(&vol->objects_lock, flags);
	list_del_init(entry);
	spin_unlock_irqrestore(&vol->objects_lock, flags);
}

u32 hf_volume_short(const struct hf_volume *vol)
{
	return get_unaligned_be32(vol->uuid.b);
}

static struct hf_volume *__find(const uuid_t *uuid)
{
	struct hf_volume *vol;

	lockdep_assert_held(&registry_lock);
	list_for_each_entry(vol, &registry, entry)
		if (uuid_equal(&vol->uuid, uuid))
			return vol;
	return NULL;
}

struct hf_volume *hf_volume_find_get(const uuid_t *uuid)
{
	struct hf_volume *vol;

	mutex_lock(&registry_lock);
	vol = __find(uuid);
	if (vol)
		hf_volume_get(vol);
	mutex_unlock(&registry_lock);
	return vol;
}

void hf_volume_lock(struct hf_volume *vol)
{
	mutex_lock(&vol->conf_lock);
	vol->noio = memalloc_noio_save();
}

void hf_volume_unlock(struct hf_volume *vol)
{
	unsigned int noio = vol->noio;

	lockdep_assert_held(&vol->conf_lock);
	mutex_unlock(&vol->conf_lock);
	memalloc_noio_restore(noio);
}

struct hf_volume *hf_volume_next_get(u64 dump_order)
{
	struct hf_volume *vol, *found = NULL;

	mutex_lock(&registry_lock);
	list_for_each_entry(vol, &registry, entry) {
		if (vol->dump_order > dump_order) {
			found = hf_volume_get(vol);
			break;
		}
	}
	mutex_unlock(&registry_lock);
	return found;
}

/* A primary whose slot failed goes on without it, or ends (R3, R11). */
static void slot_failed_work(struct work_struct *work)
{
	struct hf_volume *vol = container_of(work, struct hf_volume, slot_failed_work);

	hf_volume_lock(vol);
	if (vol->disk && vol->slot && !hf_slot_usable(vol->slot))
		hf_disk_slot_failed(vol->disk, vol->slot, vol->slot_error);
	hf_volume_unlock(vol);
	hf_event(vol, HOLDFAST_EVENT_SLOT, HF_EVENT_NO_SLOT);
	hf_volume_put(vol);
}

void hf_volume_slot_failed(struct hf_volume *vol, int error)
{
	hf_volume_get(vol);
	vol->slot_error = error;
	if (!queue_work(hf_job_wq, &vol->slot_failed_work))
		hf_volume_put(vol);
}

struct hf_volume *hf_volume_create(const uuid_t *uuid, u32 node_id)
{
	struct hf_volume *vol, *have;

	vol = kzalloc(sizeof(*vol), GFP_KERNEL);
	if (!vol)
		return NULL;
	kref_init(&vol->refs);
	uuid_copy(&vol->uuid, uuid);
	vol->node_id = node_id;
	mutex_init(&vol->conf_lock);
	spin_lock_init(&vol->objects_lock);
	INIT_LIST_HEAD(&vol->disks);
	INIT_LIST_HEAD(&vol->slots);
	INIT_LIST_HEAD(&vol->links);
	INIT_WORK(&vol->slot_failed_work, slot_failed_work);

	mutex_lock(&registry_lock);
	have = __find(uuid);
	if (have) {
		hf_volume_get(have);
	} else {
		vol->dump_order = ++last_dump_order;
		list_add_tail(&vol->entry, &registry);
		hf_debugfs_add(vol);
		hf_volume_get(vol);
		atomic_inc(&generation);
	}
	mutex_unlock(&registry_lock);
	if (have) {
		kfree(vol);
		return have;
	}
	return vol;
}

/*
 * In stages: nothing new begins (dead), the disk ends and with it the links of
 * the primary, the link that serves ends, the slot closes, the registry lets go.
 */
int hf_volume_remove(struct hf_volume *vol, bool force, struct netlink_ext_ack *extack)
{
	bool removed = false;
	int err = 0;

	hf_volume_lock(vol);
	if (vol->dead)
		goto out;
	if (vol->disk) {
		err = hf_disk_del(vol->disk, force, extack);
		if (err && !force)
			goto out;
	}
	hf_replica_stop(vol, HOLDFAST_DOWN_LOCAL);
	if (vol->slot) {
		err = hf_slot_detach(vol, force, extack);
		if (err && !force)
			goto out;
	}
	err = 0;
	vol->dead = true;
	removed = true;
	mutex_lock(&registry_lock);
	list_del(&vol->entry);
	hf_debugfs_remove(vol);
	atomic_inc(&generation);
	mutex_unlock(&registry_lock);
out:
	hf_volume_unlock(vol);
	if (removed) {
		hf_event(vol, HOLDFAST_EVENT_REMOVED, HF_EVENT_NO_SLOT);
		hf_volume_put(vol);
	}
	return err;
}

void hf_volume_remove_all(void)
{
	struct hf_volume *vol;

	while ((vol = hf_volume_next_get(0))) {
		hf_volume_remove(vol, true, NULL);
		hf_volume_put(vol);
	}
}
