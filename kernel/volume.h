/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _HOLDFAST_VOLUME_H
#define _HOLDFAST_VOLUME_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/uuid.h>
#include <linux/workqueue.h>

#include "conf.h"

struct dentry;
struct hf_slot;
struct hf_disk;
struct hf_link;
struct netlink_ext_ack;

/**
 * struct hf_volume - one volume as this node knows it
 *
 * Life: created by the first VOLUME_SET, ended by VOLUME_DEL or module exit.
 * Owner: the registry holds one reference; a disk, a slot, each link, and
 * each running netlink command hold one each.
 */
struct hf_volume {
	struct kref		refs;
	struct list_head	entry;		/* registry_lock */
	u64			dump_order;	/* const after create */
	uuid_t			uuid;		/* const after create */
	u32			node_id;	/* const after create: this node */
	struct mutex		conf_lock;	/* serializes every control change of the volume */
	unsigned int		noio;		/* conf_lock: of hf_volume_lock() */
	struct hf_conf __rcu	*conf;		/* written under conf_lock, by conf.c alone */
	struct hf_slot		*slot;		/* conf_lock; others hold their own reference */
	struct hf_disk		*disk;		/* conf_lock */
	struct hf_link		*server_link;	/* conf_lock; the slot serves the primary by it */
	struct hf_link		*next_link;	/* conf_lock; takes its place after a right hello */
	bool			dead;		/* conf_lock; being removed */
	spinlock_t		objects_lock;	/* innermost, irq-safe: what lives, for debugfs */
	struct list_head	disks;		/* objects_lock; all whose memory is not freed */
	struct list_head	slots;		/* objects_lock; the same */
	struct list_head	links;		/* objects_lock; the same */
	struct dentry		*debugfs;	/* the registry's lock */
	int			slot_error;	/* const once slot_failed_work is queued */
	struct work_struct	slot_failed_work; /* holds a reference while queued */
};

/* Process context; all of them. A found volume is referenced. */
struct hf_volume *hf_volume_find_get(const uuid_t *uuid);
/* The volume after @dump_order in order of creation, for dumps; NULL at the end. */
struct hf_volume *hf_volume_next_get(u64 dump_order);
/* Known afterwards, under conf_lock on return; the existing one if there is one. */
struct hf_volume *hf_volume_create(const uuid_t *uuid, u32 node_id);
/* Ends everything of the volume; -EBUSY when its disk is open and not @force. */
int hf_volume_remove(struct hf_volume *vol, bool force, struct netlink_ext_ack *extack);
/* Module exit: removes all. */
void hf_volume_remove_all(void);
/* Grows whenever a volume comes or goes. Any context. */
unsigned int hf_volume_generation(void);
/* First eight digits of the UUID, as people see it. Any context. */
u32 hf_volume_short(const struct hf_volume *vol);

/*
 * conf_lock, the only way to it. No allocation by its holder waits for I/O: what
 * is held on the volume's own disk may wait for what the holder is about to do.
 * Process context.
 */
void hf_volume_lock(struct hf_volume *vol);
void hf_volume_unlock(struct hf_volume *vol);

/* An object of @vol begins to live, by its vol_entry, or ends. Any context. */
void hf_volume_add_object(struct hf_volume *vol, struct list_head *entry, struct list_head *list);
void hf_volume_del_object(struct hf_volume *vol, struct list_head *entry);

struct hf_volume *hf_volume_get(struct hf_volume *vol);	/* any context */
void hf_volume_put(struct hf_volume *vol);		/* any context */

/*
 * The local slot became FAILED, once (R3): a work item tells the disk. Any
 * context, no lock of the slot held.
 */
void hf_volume_slot_failed(struct hf_volume *vol, int error);

#endif /* _HOLDFAST_VOLUME_H */
