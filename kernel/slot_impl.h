/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The inside of the local slot, for slot.c (I/O, state), attach.c (life),
 * meta.c (superblock, metadata I/O), al.c (log worker) and bitmap.c (dirty
 * bits); debugfs.c looks. Nobody else includes this.
 */
#ifndef _HOLDFAST_SLOT_IMPL_H
#define _HOLDFAST_SLOT_IMPL_H

#include "slot.h"

#include <linux/completion.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "al_core.h"
#include "backing.h"
#include "bitmap_core.h"
#include "meta_core.h"
#include "promise.h"
#include "zero.h"

/**
 * struct hf_slot - the local copy of a volume
 *
 * Life: from hf_slot_attach() to the last reference: vol->slot, each link that
 * serves from it, each I/O at a device, each queued work. The devices are
 * closed at the end, in process context.
 *
 * Locks, outer first: the volume's conf_lock; meta_lock (mutex): the
 * superblock and every metadata I/O; log_lock (spinlock, irq-safe, since
 * devices end I/O in interrupts): log, bits, lists, state. Mistake 1: marking,
 * registration in the log and what an adoption scans are each one section of
 * log_lock.
 */
struct hf_slot {
	struct kref		refs;
	struct hf_volume	*vol;		/* const, a reference */
	u8			nr;		/* const */
	u64			life;		/* const */
	struct hf_backing	data;		/* const */
	struct hf_backing	meta;		/* const */
	struct hf_promise_book	*promises;	/* const */
	struct bio_set		bios;
	struct list_head	living_entry;	/* attach.c */
	struct list_head	vol_entry;	/* vol->objects_lock */

	struct mutex		meta_lock;	/* see above */
	struct hf_super		super;		/* meta_lock; layout, incarnation: const */
	void			*meta_page;	/* meta_lock; the device's while stuck */
	struct bio		meta_bio;	/* as meta_page */
	struct bio_vec		meta_vec;	/* as meta_page */
	struct completion	meta_done;	/* as meta_page */
	bool			meta_stuck;	/* meta_lock: the device never answered */
	u32			*scratch;	/* meta_lock: HF_LOG_MAX_ENTRIES extents */

	spinlock_t		log_lock;	/* see above */
	enum holdfast_slot_state state;		/* log_lock; written by __set_state() alone */
	int			error;		/* log_lock: errno that failed it */
	struct hf_al		al;		/* log_lock */
	void			*al_memory;	/* const */
	struct hf_bitmap	*bitmaps[HF_MAX_SLOTS];	/* log_lock; NULL: all clean */
	u8			wanted_bitmaps;	/* log_lock: to be made by the log worker */
	u64			term;		/* log_lock: of the adopted configuration */
	u8			used_mask;	/* log_lock: slots of the adopted configuration */
	u8			outside_mask;	/* log_lock: other slots outside of the set */
	bool			activated;	/* log_lock: the adopted configuration is */
	bool			in_set;		/* log_lock: this slot is, as adopted */
	u64			ready_term;	/* log_lock: the last that this life took part in */
	struct list_head	roomless;	/* log_lock: no room in the log, or no bitmap */
	struct list_head	logging;	/* log_lock: wait for a log record */
	struct list_head	to_submit;	/* log_lock: wait for submit_work */
	struct list_head	in_flight;	/* log_lock: at the data device, oldest first */
	unsigned int		nr_busy;	/* log_lock: writes and copies not ended */
	wait_queue_head_t	drain_wait;	/* nr_busy got 0, cleaning ended, or failed */
	u64			last_write_ns;	/* log_lock */

	bool			cleaning;	/* log_lock: own flush is at the data device */
	bool			clean_due;	/* log_lock: begin one */
	bool			trim_due;	/* log_lock: write a record without what may go */
	u64			clean_generation; /* of the flush; set before it is submitted */
	u64			clean_began_ns;	/* log_lock */
	struct bio		clean_bio;	/* the flush's while cleaning */

	struct hf_zeroer	zeroer;		/* zero.c */

	struct work_struct	log_work;	/* al.c */
	struct work_struct	submit_work;	/* slot.c */
	struct delayed_work	watch_work;	/* al.c: idle slots, hung devices */
	struct work_struct	free_work;	/* attach.c */
};

extern struct workqueue_struct *hf_slot_wq;

/* slot.c */
void hf_slot_fail(struct hf_slot *slot, int error);	/* any context; the one place */
bool hf_slot_set_state(struct hf_slot *slot, enum holdfast_slot_state to);
void hf_slot_submit_work(struct work_struct *work);
void __hf_slot_register(struct hf_slot *slot, struct hf_slot_io *io, struct list_head *ready);
void hf_slot_end_unsubmitted(struct list_head *ios, int error);	/* of no list; any context */
/* What is done in steps (zero.c); @io is on no list. Any context. */
bool hf_slot_enter_flight(struct hf_slot *slot, struct hf_slot_io *io);	/* false: slot failed */
bool hf_slot_still_in_flight(struct hf_slot *slot, struct hf_slot_io *io);	/* each step */
void hf_slot_leave_flight(struct hf_slot *slot, struct hf_slot_io *io, int error);

/* meta.c; meta_lock held, may sleep, bounded; an error fails the slot */
int hf_meta_read(struct hf_slot *slot, u64 block, void *to);
int hf_meta_write(struct hf_slot *slot, u64 block, const void *from, bool durable);
int hf_meta_flush(struct hf_slot *slot);
int hf_meta_load_super(struct hf_slot *slot, struct netlink_ext_ack *extack);
int hf_meta_save_super(struct hf_slot *slot);
int hf_meta_init(struct hf_slot *slot);
void hf_meta_destroy(struct hf_slot *slot);

/* bitmap.c; meta_lock held but for the __ ones, which want log_lock */
int hf_bitmaps_load(struct hf_slot *slot);
int hf_bitmap_make(struct hf_slot *slot, u8 for_slot);
int hf_bitmaps_save(struct hf_slot *slot);
int hf_bitmaps_forget(struct hf_slot *slot, u8 mask);
void __hf_bitmaps_mark(struct hf_slot *slot, u8 mask, u64 offset, u64 length);
void __hf_bitmaps_mark_extents(struct hf_slot *slot, u8 mask, enum hf_al_which which);
void hf_bitmaps_destroy(struct hf_slot *slot);

/* al.c */
void hf_log_work(struct work_struct *work);
void hf_log_watch_work(struct work_struct *work);
int hf_log_load(struct hf_slot *slot);
int hf_log_write_records(struct hf_slot *slot);		/* meta_lock held */
int hf_log_empty(struct hf_slot *slot);			/* before a clean detach */
void __hf_log_kick(struct hf_slot *slot);		/* any context */
void __hf_log_watch(struct hf_slot *slot);		/* any context, with a reference */

/* adopt.c; meta_lock held */
int hf_adopt_data(struct hf_slot *slot, const struct hf_conf_data *old,
		  const struct hf_conf_data *conf, bool attaching);

#endif /* _HOLDFAST_SLOT_IMPL_H */
