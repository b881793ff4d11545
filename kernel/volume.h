/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _HOLDFAST_VOLUME_H
#define _HOLDFAST_VOLUME_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/uuid.h>

#include "conf.h"

struct hf_slot;
struct hf_disk;
struct hf_link;

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
	uuid_t			uuid;		/* const after create */
	u32			node_id;	/* const after create: this node */
	struct mutex		conf_lock;	/* serializes every control change of the volume */
	struct hf_conf __rcu	*conf;		/* written under conf_lock, by conf.c alone */
	struct hf_slot		*slot;		/* conf_lock; data path users hold their own reference */
	struct hf_disk		*disk;		/* conf_lock */
	struct hf_link		*server_link;	/* conf_lock; this node's slot serves the primary by it */
	bool			dead;		/* conf_lock; being removed */
};

struct hf_volume *hf_volume_find_get(const uuid_t *uuid);
struct hf_volume *hf_volume_get(struct hf_volume *vol);
void hf_volume_put(struct hf_volume *vol);

#endif /* _HOLDFAST_VOLUME_H */
