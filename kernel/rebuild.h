/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _HOLDFAST_REBUILD_H
#define _HOLDFAST_REBUILD_H

#include <linux/types.h>
#include <linux/workqueue.h>

#include "../uapi/holdfast.h"

struct hf_copier;
struct hf_disk;
struct hf_remote;
struct netlink_ext_ack;

/**
 * struct hf_rebuild - one attempt to bring a slot back into the set (R9)
 *
 * Life: from REBUILD_START to the next attempt on the same slot, or the disk's
 * end. Owner: the remote; its work holds a reference on the disk.
 */
struct hf_rebuild {
	struct hf_disk			*disk;		/* const */
	struct work_struct		work;
	u8				nr;		/* const: slot to rebuild */
	u8				source;		/* const: slot of the set that is read */
	u64				link_id;	/* const: it ends with this link */
	u64				life;		/* const */
	bool				full;		/* const */
	u32				rate_kbps;	/* const; 0: no limit */
	enum holdfast_rebuild_state	state;		/* serve_lock */
	bool				stop;		/* serve_lock */
	bool				forgotten;	/* serve_lock: the slot was removed */
	bool				running;	/* serve_lock */
	u64				total_bytes;	/* serve_lock */
	struct hf_copier		*copier;	/* serve_lock */
	u64				done_bytes;	/* serve_lock; without the copier's */
	unsigned int			shift;		/* const: log2 of a granule */
	u64				nr_bits;	/* const */
	unsigned long			*bits;		/* granules to copy; the work alone */
};

/* Process context, conf_lock held. */
int hf_rebuild_start(struct hf_disk *disk, u8 nr, bool full, u32 rate_kbps,
		     struct netlink_ext_ack *extack);
int hf_rebuild_stop(struct hf_disk *disk, u8 nr, struct netlink_ext_ack *extack);
/* serve_lock held: the last attempt has done its part, on the present link. */
bool hf_rebuild_goes_on(const struct hf_remote *remote);
/* serve_lock held: an epoch decided on the last attempt; what is left of it stops. */
void hf_rebuild_settle(struct hf_remote *remote, enum holdfast_rebuild_state state);
/* serve_lock held: the slot is none any more, and nothing is told of an attempt on it. */
void hf_rebuild_forget(struct hf_remote *remote);
/* It does not run. Process context. */
void hf_rebuild_free(struct hf_rebuild *rebuild);
/* serve_lock held. */
void hf_rebuild_report(const struct hf_rebuild *rebuild, enum holdfast_rebuild_state *state,
		       u64 *total_bytes, u64 *done_bytes);

#endif /* _HOLDFAST_REBUILD_H */
