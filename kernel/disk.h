/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The primary's disk object: what DISK_PREPARE makes, what a configuration
 * names, and what carries /dev/vdN once it is activated.
 */
#ifndef _HOLDFAST_DISK_H
#define _HOLDFAST_DISK_H

#include <linux/blk-mq.h>
#include <linux/kref.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "../uapi/holdfast.h"
#include "conf.h"
#include "mend.h"
#include "remote.h"
#include "req.h"
#include "serve.h"

struct hf_volume;
struct netlink_ext_ack;

enum {
	HF_DISK_DEPTH		= 128,	/* tags of a volume */
	HF_DISK_SEGMENTS	= 128,	/* pieces of memory in one request */
	HF_DISK_GHOSTS		= 128,	/* failed writes that keep their range (R6) */
	HF_DISK_MINORS		= 16,
	HF_DISK_VDISK_MAX	= 0xffff,
	HF_DISK_RELEASE_MS	= 10000, /* DISK_RELEASE without TIMEOUT_MS */
	HF_DISK_NO_SLOT		= HF_MAX_SLOTS,	/* number of the slot of a disk without one */
};

/**
 * struct hf_disk - one instance of a volume's disk on this node (R1)
 *
 * Life: from DISK_PREPARE to the end of its teardown work, which runs once it
 * is DEAD; a later disk of the volume is another object with another instance.
 * Owner: vol->disk holds a reference, each opener, and each queued work.
 *
 * Locks: conf_lock of the volume serializes commands and adoption; everything
 * that a request meets is in @serve, under its lock.
 */
struct hf_disk {
	struct kref		refs;
	struct hf_volume	*vol;		/* const, referenced */
	struct list_head	vol_entry;	/* vol->objects_lock */
	struct hf_slot		*slot;		/* const, referenced: the local slot; NULL: none */
	u8			own_nr;		/* const: its number, or HF_DISK_NO_SLOT */
	u64			slot_life;	/* const: its life */
	u32			extent_shift;	/* serve_lock; 0: no slot has told it yet */
	u64			instance;	/* const */
	u32			vdisk;		/* const: N of /dev/vdN */
	u64			size_bytes;	/* const: no growth in this release */
	u32			zero_max_bytes;	/* const: of one discard or zero write (R16) */

	struct hf_serve		serve;
	struct hf_remote	remotes[HF_MAX_SLOTS];
	struct hf_mend		mends[HF_MENDS];	/* serve_lock */
	unsigned int		nr_mends;	/* serve_lock */

	unsigned int		openers;	/* serve_lock */
	bool			closing;	/* serve_lock: no new opener */
	bool			was_active;	/* serve_lock: may have been visible */
	bool			torn_down;	/* serve_lock: teardown_work is through */

	struct blk_mq_tag_set	tag_set;	/* show_work, teardown_work */
	struct gendisk		*gendisk;	/* show_work, teardown_work */
	bool			added;		/* the same: add_disk() succeeded */
	u32			discard_unit;	/* the same: as the queue has it; 0: none offered */

	struct work_struct	submit_work;	/* local I/O that was posted in hard interrupt */
	struct work_struct	show_work;	/* makes /dev/vdN appear */
	struct work_struct	promote_work;	/* R7 */
	struct work_struct	control_work;	/* what needs conf_lock, for link callbacks */
	struct work_struct	repair_work;	/* ranges of failed writes (R6) */
	struct work_struct	settle_work;	/* the other slots flush (R11) */
	struct work_struct	mend_work;	/* ranges that could not be read (R11) */
	struct work_struct	teardown_work;
	struct delayed_work	held_work;	/* policy error (R6) */
	wait_queue_head_t	wait;		/* drained, down, dead: whatever ends a wait */
};

extern struct workqueue_struct *hf_disk_wq;	/* short steps that wait for nothing */
extern struct workqueue_struct *hf_job_wq;	/* jobs that wait */

/* Process context, conf_lock held, unless said otherwise. */
int hf_disk_prepare(struct hf_volume *vol, u64 *instance, struct netlink_ext_ack *extack);
/* R13; conf_lock NOT held: waits for the drain. */
int hf_disk_release(struct hf_disk *disk, bool force, unsigned int timeout_ms,
		    struct netlink_ext_ack *extack);
int hf_disk_del(struct hf_disk *disk, bool force, struct netlink_ext_ack *extack);
/* Is @slot a copy that the disk goes by, so that it cannot go without the disk? */
bool hf_disk_uses_slot(const struct hf_disk *disk, const struct hf_slot *slot);
/* The volume's local slot failed (R3, R11). */
void hf_disk_slot_failed(struct hf_disk *disk, struct hf_slot *slot, int error);
/* DEAD, and torn down by a worker (R6). @why goes to the log. */
void hf_disk_kill(struct hf_disk *disk, const char *why);
/* Adoption in two halves around the slot's (conf.c). */
int hf_disk_check_conf(struct hf_disk *disk, const struct hf_conf_data *offer,
		       struct netlink_ext_ack *extack);
void hf_disk_before_conf(struct hf_disk *disk, const struct hf_conf_data *offer);
void hf_disk_after_conf(struct hf_disk *disk, const struct hf_conf *conf);

struct hf_disk *hf_disk_get(struct hf_disk *disk);	/* any context */
void hf_disk_put(struct hf_disk *disk);			/* any context */
/* FAIL and THAW of R6. */
void hf_disk_fail(struct hf_disk *disk);
void hf_disk_thaw(struct hf_disk *disk);
/* Bounded; conf_lock not held. After hf_disk_del(). */
void hf_disk_wait_gone(struct hf_disk *disk);
/* Queue one of the works above on hf_job_wq with a reference; any context. */
void hf_disk_queue(struct hf_disk *disk, struct work_struct *work);
void hf_disk_queue_teardown(struct hf_disk *disk);	/* the same, on a queue of its own */

/* For events and traces. Any context. */
int hf_disk_event_nr(const struct hf_disk *disk);

int hf_disk_init(void);
void hf_disk_exit(void);

#endif /* _HOLDFAST_DISK_H */
