/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The local slot: one copy of a volume on this node, data device and metadata
 * device.  Used in the same way by the primary for its own copy (req.c,
 * rebuild.c) and by the replica for what a link brings (replica.c).
 */
#ifndef _HOLDFAST_SLOT_H
#define _HOLDFAST_SLOT_H

#include <linux/bio.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "conf.h"
#include "../uapi/holdfast.h"

struct hf_slot;
struct hf_volume;
struct netlink_ext_ack;

enum hf_slot_op {
	HF_SLOT_READ,
	HF_SLOT_WRITE,		/* R10: its extents are in the durable log first */
	HF_SLOT_COPY,		/* reconciliation or rebuild: no log entry, no marks */
	HF_SLOT_COPY_ZERO,	/* the same, of zeros, whose room may be freed (R16) */
	HF_SLOT_DISCARD,	/* as WRITE, of zeros, whose room may be freed (R16) */
	HF_SLOT_ZEROES,		/* as WRITE, of zeros, whose room is kept (R16) */
	HF_SLOT_FLUSH,
};

/* What an I/O waits for; told to people, decides nothing. */
enum hf_slot_stage {
	HF_SLOT_STAGE_NEW,	/* not at the slot yet */
	HF_SLOT_STAGE_ROOM,	/* the log is full, or a bitmap is not there yet */
	HF_SLOT_STAGE_LOG,	/* for a log record */
	HF_SLOT_STAGE_SUBMIT,	/* for the worker that submits */
	HF_SLOT_STAGE_DEVICE,	/* for the data device */
};

/**
 * struct hf_slot_io - one operation on the local slot
 * @op: what
 * "WRITE" here means each of WRITE, DISCARD and ZEROES.
 * @fua: WRITE: durable before the end
 * @soft: READ: an error is the submitter's matter and fails no slot (R11)
 * @missing_mask: WRITE: slots outside the set as the primary knew it (R3b)
 * @term: WRITE: term of the write (R1); with another term than the slot's it ends with -ESTALE
 * @seq: WRITE: its sequence number in the term
 * @offset: first byte in the volume, multiple of 512
 * @length: bytes, multiple of 512, at most HF_MAX_IO_BYTES; DISCARD and ZEROES:
 *	HF_MAX_ZERO_BYTES, and as many extents as the log has entries
 * @bvecs: pages of the data; they belong to the I/O until @end (R15)
 * @nr_bvecs: how many
 * @bvec_done: bytes of the first bvec to skip
 * @may_sleep: the submitter may: saves a change of thread
 * @end: called once, from any context (softirq too), without locks; @error is
 *	0 or -errno. The memory belongs to the caller again from then on
 *
 * Owner: the caller's request embeds it. The slot keeps a reference on itself
 * from hf_slot_submit() to the return of @end.
 */
struct hf_slot_io {
	enum hf_slot_op		op;
	bool			fua;
	bool			soft;
	u8			missing_mask;
	u64			term;
	u64			seq;
	u64			offset;
	u32			length;
	const struct bio_vec	*bvecs;
	unsigned int		nr_bvecs;
	unsigned int		bvec_done;
	bool			may_sleep;
	void			(*end)(struct hf_slot_io *io, int error);

	/* slot.c, al.c alone */
	struct hf_slot		*slot;
	struct list_head	entry;		/* log_lock: on one list of the slot */
	bool			registered;	/* in the log core, to be ended there */
	u32			first_extent;
	u32			last_extent;
	u64			record;		/* waits for this log record */
	u64			flush_generation;
	u64			entered_ns;	/* CLOCK_BOOTTIME; the caller may read it at @end */
	u64			submitted_ns;
	u8			stage;		/* enum hf_slot_stage; read without a lock too */
	bool			zero_again;	/* the device could not: written by the worker */
};

/*
 * Any context but hard interrupt; without @may_sleep never sleeps. May call
 * @io->end at once.
 */
void hf_slot_submit(struct hf_slot *slot, struct hf_slot_io *io);

/* Process context, conf_lock of the volume held, may sleep on metadata I/O. */
int hf_slot_attach(struct hf_volume *vol, u8 slot_nr, u64 incarnation,
		   const char *data_path, const char *meta_path, bool discard_zeroes,
		   struct netlink_ext_ack *extack);
int hf_slot_detach(struct hf_volume *vol, bool force, struct netlink_ext_ack *extack);

/*
 * Persists term, epoch and configuration (R1), marks the ranges above stable
 * for every slot outside the set, clears the bitmaps of readmitted slots, sets
 * the bitmap of a new incarnation whole, moves the own log into the own
 * bitmap when this slot is outside the set (R3b, R10). Returns after all of
 * it is durable. Process context, conf_lock held.
 */
int hf_slot_adopt(struct hf_slot *slot, const struct hf_conf *old_conf,
		  const struct hf_conf *new_conf);

/* Every write of @term at or below @stable is on every in-sync slot. Any context. */
void hf_slot_stable(struct hf_slot *slot, u64 term, u64 stable);

struct hf_slot *hf_slot_get(struct hf_slot *slot);
void hf_slot_put(struct hf_slot *slot);
u8 hf_slot_nr(const struct hf_slot *slot);
u64 hf_slot_life(const struct hf_slot *slot);
u64 hf_slot_incarnation(const struct hf_slot *slot);
u64 hf_slot_size_bytes(const struct hf_slot *slot);	/* of the volume */
u32 hf_slot_nr_extents(const struct hf_slot *slot);
bool hf_slot_unclean(struct hf_slot *slot);		/* R10; ends at activation or readmission */
bool hf_slot_usable(const struct hf_slot *slot);	/* UP, no device error */
enum holdfast_slot_state hf_slot_state(const struct hf_slot *slot);
int hf_slot_error(const struct hf_slot *slot);		/* errno that failed it, or 0 */
u32 hf_slot_log_used(struct hf_slot *slot);
void hf_slot_paths(const struct hf_slot *slot, const char **data, const char **meta);
u32 hf_slot_log_entries(struct hf_slot *slot);		/* that new writes can count on (R10) */
u32 hf_slot_extent_shift(const struct hf_slot *slot);
u32 hf_slot_granule_shift(const struct hf_slot *slot);
u32 hf_slot_zero_max(const struct hf_slot *slot);	/* bytes of a DISCARD or ZEROES */
bool hf_slot_can_log(const struct hf_slot *slot, u32 bytes);	/* wherever they begin (R10) */
u32 hf_slot_unmap_bytes(const struct hf_slot *slot);	/* unit that DISCARD frees; 0: none */

/*
 * Logged extents that may differ (R7, R9): fills @extents, returns how many;
 * HF_LOG_MAX_ENTRIES is always room enough. hf_slot_all_logged(): the log
 * could not be read, so every extent of the volume may differ. Any context.
 */
unsigned int hf_slot_logged(struct hf_slot *slot, u32 *extents, unsigned int max);
bool hf_slot_all_logged(struct hf_slot *slot);

/* This life is ready for the primary of @term (R1); what that settles, it settles for it. */
void hf_slot_took_part(struct hf_slot *slot, u64 term);
/*
 * In the set by a decision about an earlier life, and with ranges of its own
 * that this one may have lost: not linked, and unclean, until it is dropped.
 */
bool hf_slot_owes(struct hf_slot *slot);

/* Dirty bits (R3b). Offsets and lengths in bytes. */
bool hf_slot_next_dirty(struct hf_slot *slot, u8 for_slot, u64 from, u64 *start, u64 *end);
u64 hf_slot_dirty_bytes(struct hf_slot *slot, u8 for_slot);
void hf_slot_export_dirty(struct hf_slot *slot, u8 for_slot, u64 offset, void *bits, u64 nr_bits);
/* Sets bits durably (R9: the other stale slots' bitmaps); process context. */
int hf_slot_set_dirty(struct hf_slot *slot, u8 for_slot, u64 offset,
		      const void *bits, unsigned int nr_bits);

/* Backing I/O of any earlier link or primary has ended (R1). */
unsigned int hf_slot_busy(struct hf_slot *slot);
/* Process context; -ETIMEDOUT when it does not end in time (R1: left out). */
int hf_slot_drain(struct hf_slot *slot, unsigned int timeout_ms);
/* Have @entry's function called whenever the slot gets idle, in any context. */
void hf_slot_drain_wait(struct hf_slot *slot, struct wait_queue_entry *entry);
void hf_slot_drain_unwait(struct hf_slot *slot, struct wait_queue_entry *entry);

/* R5: record a promise to (node, instance) received now; any context. */
void hf_slot_promise(struct hf_slot *slot, u32 node, u64 instance);
/* R5: ms before this slot may help (node, instance) into service. */
unsigned int hf_slot_promise_left(struct hf_slot *slot, u32 node, u64 instance);
/* R5: make it durable that promises may be open. conf_lock held, 0 or -EIO. */
int hf_slot_open_promises(struct hf_slot *slot);

/*
 * Load and unload. Every slot was detached by then; waits until the devices of
 * those that were detached by force have ended their I/O (R15).
 */
void hf_slot_wait_all(void);
int hf_slot_init(void);
void hf_slot_exit(void);

#endif /* _HOLDFAST_SLOT_H */
