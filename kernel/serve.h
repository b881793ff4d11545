/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The order of the primary: which operations run, which are held, which are
 * completed, under which configuration.
 */
#ifndef _HOLDFAST_SERVE_H
#define _HOLDFAST_SERVE_H

#include <linux/blk_types.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "../uapi/holdfast.h"
#include "conf.h"
#include "latency.h"
#include "overlap.h"
#include "room.h"

struct hf_disk;
struct hf_link_tick;
struct hf_msg;
struct hf_req;
struct hf_slot_io;
struct request;

enum {
	HF_WINDOW	= 1024,	/* writes between stable and the newest */
	HF_ZERO_WINDOW	= 2 * HF_MAX_ZERO_BYTES,	/* zeros on their way (R16) */
};

/* One write between stable and the newest, by its sequence number. */
struct hf_window_entry {
	u32	first_extent;
	u32	last_extent;
	bool	done;		/* on every slot that must have it */
};

/**
 * struct hf_serve - what the primary's requests meet
 *
 * Life and owner: embedded in the disk.
 *
 * serve_lock is the one order of "mask, registration above stable, adoption,
 * begin counting, completion". Why one lock suffices:
 *
 *  1. A write takes its sequence number, its place in @flights, its missing
 *     mask and the set of slots that it is sent to in one critical section.
 *     So for every other critical section it either is in @flights or will
 *     see what that section changed.
 *  2. A drop (R3) first makes the local slot adopt, which marks what is
 *     registered there for the dropped slot and from then on marks by its own
 *     knowledge, under the slot's lock (R3b): a write that took the old mask
 *     before and is registered after is marked by the slot itself. Only then
 *     the masks change here. Until then no write could complete without the
 *     dropped slot; from then on those in @flights are judged by the new set.
 *     So what completes without a slot is marked for it.
 *  3. @stable does not pass anything until every slot of the new set confirmed
 *     its epoch (@epoch against adopted_epoch), so their logs still hold what
 *     they must mark at their own adoption (R3b).
 *  4. A slot begins to count (R9) in one critical section with sending it
 *     every write of @flights that it does not have, and every flush. A
 *     completion is decided in a critical section too, so it happens before
 *     (then the slot has the write: mirrored, or copied under its range's
 *     lock) or it needs the slot's acknowledgment.
 *  5. A readmission moves the bit from @counted_mask to @in_sync_mask in one
 *     critical section: at no moment is the slot in neither.
 *  6. From the failure of the own slot on nothing is completed until the set is
 *     without it and every slot of the set has flushed, after the last answer to
 *     a write that was sent without FUA (R11). Such writes are posted before
 *     @own_failed is set and are in volatile_mask, or after it and with FUA.
 *  7. Deposition sets the state before the local slot adopts the higher term,
 *     so nothing is completed after this node has begun to follow another.
 *
 * Order: conf_lock > serve_lock > a link's and the slot's own locks. Nothing
 * is submitted to the slot under it (its end may come at once), and the block
 * layer's requests are ended after it is dropped.
 */
struct hf_serve {
	spinlock_t		serve_lock;	/* irq-safe: the slot's end comes from interrupts */
	enum holdfast_disk_state state;		/* written by hf_serve_set_state() alone */
	bool			own_reconciled;	/* R7, R5 done with the reference, this term */
	u8			reference;	/* R7, without own slot: number + 1, for the term */
	bool			own_failed;	/* R11: the own slot is lost, or left the set */
	bool			settled;	/* R11: what was completed is durable there */
	bool			lease_released;	/* R13: completes nothing until the next epoch */
	u64			term;
	u64			epoch;
	u8			in_sync_mask;
	u8			counted_mask;	/* R9 */
	u8			missing_mask;	/* R3b */
	u8			used_mask;
	u32			policies;
	u32			held_timeout_ms;

	u64			seq;		/* newest, of this term */
	u64			stable;
	struct hf_window_entry	window[HF_WINDOW];
	struct hf_overlap	overlap;
	struct hf_room		room;

	struct list_head	free;		/* pool */
	struct list_head	all;		/* every operation not in the pool */
	struct list_head	parked;
	struct list_head	waits_room;
	struct list_head	waits_zeros;	/* not let to the room yet */
	struct list_head	flights;	/* writes and ghosts by seq */
	struct list_head	flushes;
	struct list_head	again;
	struct list_head	todo;
	unsigned int		nr_reqs;	/* of the block layer */
	unsigned int		nr_ghosts;
	unsigned int		nr_reads;	/* FLYING or ARRIVED */
	unsigned int		nr_stuck;	/* for the lease alone */
	u64			zero_bytes;	/* of discards and zero writes let to the room */
	u64			hold_since_ns;	/* 0: not holding */
	bool			expired;	/* policy error: new ones fail at once */
	struct hf_latency	latency[HF_MAX_SLOTS];	/* writes, from posting to acknowledgment */

	struct hf_req		*pool;		/* const */
};

/* Requests to end once serve_lock is dropped. */
struct hf_ended {
	struct list_head	requests;	/* by queuelist */
};

int hf_serve_init(struct hf_disk *disk);
void hf_serve_free(struct hf_disk *disk);

/* A request of the block layer. Any context but hard interrupt. */
blk_status_t hf_serve_begin(struct hf_disk *disk, struct request *rq);
/* Answers. Any context. */
void hf_serve_local_end(struct hf_slot_io *io, int error);
void hf_serve_remote_done(struct hf_msg *msg, int error);

/*
 * Bracket of everything that may let operations go on: lock, change, judge all,
 * unlock, end and submit what results. Any context but hard interrupt.
 */
void hf_serve_lock(struct hf_disk *disk, struct hf_ended *ended, unsigned long *flags)
	__acquires(&disk->serve.serve_lock);
void hf_serve_unlock(struct hf_disk *disk, struct hf_ended *ended, unsigned long flags)
	__releases(&disk->serve.serve_lock);
/* All with serve_lock held. */
void hf_serve_judge(struct hf_disk *disk, struct hf_req *req, struct hf_ended *ended);
void hf_serve_judge_all(struct hf_disk *disk, struct hf_ended *ended);
void hf_serve_start_room_waiters(struct hf_disk *disk);
void hf_serve_fail_held(struct hf_disk *disk, struct hf_ended *ended);
void hf_serve_copy_end(struct hf_disk *disk, struct hf_range *range, struct hf_ended *ended);

/* order.c; with serve_lock held. */
void hf_serve_set_state(struct hf_disk *disk, enum holdfast_disk_state state);
void hf_serve_update_remotes(struct hf_disk *disk);	/* who gets, who is lost, room */
void hf_serve_update_hold(struct hf_disk *disk);
void hf_serve_advance_stable(struct hf_disk *disk);
void hf_serve_own_failed(struct hf_disk *disk, int error);
/* Its own slot is in the set: what it holds counts, and it is read from (R11). */
bool hf_serve_has_own(const struct hf_disk *disk);
bool hf_serve_own_usable(const struct hf_disk *disk);	/* and can be given I/O */
bool hf_serve_wants_durable(const struct hf_disk *disk);	/* R2: writes go as FUA */
u8 hf_serve_required_mask(const struct hf_disk *disk);	/* R2: whose acknowledgment counts */
bool hf_serve_running(const struct hf_disk *disk);	/* operations go on */
bool hf_serve_may_complete(const struct hf_disk *disk);	/* and the lease holds now (R5) */
bool hf_serve_drained(const struct hf_disk *disk);	/* nothing FLYING or ARRIVED */

/* Configuration; process context, each takes serve_lock itself. */
void hf_serve_depose(struct hf_disk *disk);		/* R6 */
void hf_serve_name(struct hf_disk *disk, const struct hf_conf_data *conf);	/* R4 (1) */
void hf_serve_set_conf(struct hf_disk *disk, const struct hf_conf_data *conf);	/* masks */
void hf_serve_activate(struct hf_disk *disk);		/* R4 (2), own slot reconciled */
void hf_serve_resume(struct hf_disk *disk);		/* R13: after a newer epoch */
/* Values for headers and beacons; any context, no lock held. */
void hf_serve_tick(void *owner, struct hf_link_tick *tick);

#endif /* _HOLDFAST_SERVE_H */
