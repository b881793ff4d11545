/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copies the content of one slot to others, piece by piece: the engine of
 * reconciliation (R7), rebuild (R9) and mending (R11).
 */
#ifndef _HOLDFAST_COPY_H
#define _HOLDFAST_COPY_H

#include <linux/types.h>
#include <linux/workqueue.h>

#include "link.h"
#include "overlap.h"
#include "slot.h"

struct hf_disk;
struct hf_copier;

enum {
	HF_COPY_BYTES	= 256 << 10,	/* of one piece; a multiple of the block */
	HF_COPY_PAGES	= HF_COPY_BYTES / PAGE_SIZE,
	HF_COPY_DEPTH	= 4,		/* pieces under way */
};

/* One remote slot's part of a piece. */
struct hf_copy_msg {
	struct hf_msg	msg;
	struct hf_copy	*copy;	/* const */
};

/**
 * struct hf_copy - one piece under way
 * @free: no piece; then nobody but the copier's job touches it
 * @waits: its range is not granted yet
 * @pending_mask: slots that it was sent to and that did not answer
 * @io: reads from the own slot, then writes to it; never both in one copier
 *
 * Life and owner: embedded in the copier. serve_lock guards the state; @io
 * belongs to the slot while reading.
 */
struct hf_copy {
	struct hf_copier	*copier;	/* const */
	struct hf_range		range;
	struct work_struct	work;		/* next step, process context */
	bool			free;
	bool			waits;
	bool			read;		/* the content is in @pages */
	u64			offset;
	u32			length;
	u8			pending_mask;
	int			error;
	struct page		*pages[HF_COPY_PAGES];	/* const */
	struct bio_vec		bvecs[HF_COPY_PAGES];
	unsigned int		nr_bvecs;
	struct hf_slot_io	io;
	struct hf_copy_msg	msgs[HF_MAX_SLOTS];
};

/**
 * struct hf_copier - a job's pieces
 * @source: slot that is read; the own one, or another by its link
 * @soft: a read error of the source fails no slot (R11)
 * @targets: slots to copy to; a slot that fails a piece leaves the mask
 * @lock_ranges: take each range's lock (R8); without, nothing else may write
 *
 * Life and owner: allocated by a job and freed by it after hf_copier_wait().
 */
struct hf_copier {
	struct hf_disk		*disk;		/* const; the job holds a reference */
	u8			source;		/* const */
	bool			lock_ranges;	/* const */
	bool			soft;		/* const once it copies */
	u8			targets;	/* serve_lock */
	bool			cancelled;	/* serve_lock: begin nothing more */
	int			error;		/* serve_lock: reading failed */
	unsigned int		nr_busy;	/* serve_lock */
	u64			done_bytes;	/* serve_lock */
	struct hf_copy		copies[HF_COPY_DEPTH];
};

/* Process context, all of them. */
struct hf_copier *hf_copier_alloc(struct hf_disk *disk, u8 source, u8 targets,
				  bool lock_ranges);
void hf_copier_free(struct hf_copier *copier);
/*
 * Begin to copy [offset, offset + length), at most HF_COPY_BYTES. Waits for a
 * free piece. Returns -ECANCELED when there is no target left or the disk's
 * state is not @state any more, an error when the
 * source cannot be read.
 */
int hf_copier_copy(struct hf_copier *copier, u64 offset, u32 length,
		   enum holdfast_disk_state state);
/* Waits until no piece is under way; @cancel: pieces that wait for a range give up. */
int hf_copier_wait(struct hf_copier *copier, bool cancel);

/*
 * Send one message of another kind (FLUSH, BITS) to a slot and wait for the
 * answer; -ENOTCONN when the link is not ready.
 */
int hf_copy_call(struct hf_disk *disk, u8 nr, struct hf_msg *msg);
/* Read from a slot, the own one or another, and wait. */
int hf_copy_read(struct hf_disk *disk, u8 nr, u64 offset, u32 length,
		 const struct bio_vec *bvecs, unsigned int nr_bvecs);
/* Flush the own slot and wait; or read from it. */
int hf_copy_own(struct hf_disk *disk, enum hf_slot_op op, u64 offset, u32 length,
		const struct bio_vec *bvecs, unsigned int nr_bvecs);

/* serve_lock held: the range of a piece was granted. */
void hf_copy_granted(struct hf_range *range);

#endif /* _HOLDFAST_COPY_H */
