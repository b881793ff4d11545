/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One operation of a caller of /dev/vdN, from its arrival to its end.
 */
#ifndef _HOLDFAST_REQ_H
#define _HOLDFAST_REQ_H

#include <linux/blk-mq.h>
#include <linux/list.h>

#include "link.h"
#include "overlap.h"
#include "slot.h"

struct hf_disk;
struct hf_req;

enum hf_req_kind {
	HF_REQ_READ,
	HF_REQ_WRITE,		/* of data, or of zeros: see @opcode */
	HF_REQ_FLUSH,
};

/**
 * enum hf_req_state - where an operation is
 * @HF_REQ_FREE: in the pool
 * @HF_REQ_PARKED: the disk does not serve now; on serve->parked
 * @HF_REQ_WAITS_RANGE: behind an overlapping write or copy (R8); in the tree
 * @HF_REQ_WAITS_ROOM: has its range, waits for log room (R10); on serve->waits_room,
 *	or before that on serve->waits_zeros
 * @HF_REQ_FLYING: at the slots, or held (R3); writes on serve->flights by
 *	sequence, flushes on serve->flushes
 * @HF_REQ_ARRIVED: read: data is in, waits for an overlapping write (R8)
 * @HF_REQ_AGAIN: read: to be read again once the lease holds (R5); on serve->again
 * @HF_REQ_GHOST: write that was failed to its caller and keeps its range (R6);
 *	on serve->flights
 */
enum hf_req_state {
	HF_REQ_FREE,
	HF_REQ_PARKED,
	HF_REQ_WAITS_RANGE,
	HF_REQ_WAITS_ROOM,
	HF_REQ_FLYING,
	HF_REQ_ARRIVED,
	HF_REQ_AGAIN,
	HF_REQ_GHOST,
};

/* One remote slot's part of an operation. */
struct hf_req_msg {
	struct hf_msg	msg;	/* owned by the link while the bit in @sent_mask is set */
	struct hf_req	*req;	/* const */
	u8		nr;	/* const: slot number */
};

/**
 * struct hf_req - one operation
 * @rq: the block layer's request; ours until it is ended. NULL: ghost
 * @sent_mask: slots that have it and did not answer; no page goes back to its
 *	owner while it is not 0 (R15)
 * @acked_mask: slots that acknowledged it at this term
 * @void_mask: of @sent_mask: sent at an earlier term, the answer does not count
 * @volatile_mask: of @sent_mask: writes that were sent without FUA (R11)
 * @tried_mask: read: slots that could not read it (R11)
 * @stuck: waits for the lease alone
 * @zeroing: counts in serve->zero_bytes
 * @failing: to be failed as soon as @sent_mask is 0 (R6)
 * @arrived_ns: CLOCK_BOOTTIME
 * @repair_pages: ghost: own content, for the slots that lack it
 *
 * Life: one of a fixed pool that is allocated with the disk, so that no write
 * allocates. Owner: the pool, then the request it was taken for, then (ghost)
 * the disk. Everything but const members is under serve_lock; @io belongs to
 * the slot while the own bit is in @sent_mask.
 */
struct hf_req {
	struct hf_range		range;
	struct list_head	entry;		/* by state, see above */
	struct list_head	all_entry;	/* serve->all */
	struct list_head	todo_entry;	/* serve->todo: local I/O to submit */
	struct hf_disk		*disk;		/* const */
	struct request		*rq;
	enum hf_req_kind	kind;
	enum hf_req_state	state;
	u8			opcode;		/* WRITE: HF_OP_WRITE, DISCARD, ZEROES */
	u64			seq;
	u64			offset;
	u32			length;
	u32			first_extent;
	u32			last_extent;
	u8			sent_mask;
	u8			acked_mask;
	u8			void_mask;
	u8			volatile_mask;
	u8			tried_mask;
	bool			fua;
	bool			stuck;
	bool			failing;
	bool			zeroing;
	u64			arrived_ns;
	const struct bio_vec	*bvecs;
	unsigned int		nr_bvecs;
	struct bio_vec		*repair_bvecs;
	struct hf_slot_io	io;
	struct hf_req_msg	msgs[HF_MAX_SLOTS];
};

/**
 * struct hf_pdu - private part of a block layer request
 * @status: outcome, once it is on a list of ended requests
 * @bvecs: its memory, gathered over its bios
 */
struct hf_pdu {
	blk_status_t	status;
	struct bio_vec	bvecs[];
};

/* A discard or a write of zeros: a write without memory (R16). */
static inline bool hf_req_is_zeros(const struct hf_req *req)
{
	return req->kind == HF_REQ_WRITE && req->opcode != HF_OP_WRITE;
}

/* Gathers @rq into @req; false: not an operation that the disk offers. Any context. */
bool hf_req_fill(struct hf_req *req, struct request *rq);
/* Hand it to one slot; serve_lock held, its bit is set in sent_mask by this. */
void hf_req_post_local(struct hf_req *req);
void hf_req_post_remote(struct hf_req *req, u8 nr);
/* Submit the local I/O that was posted. No lock held, not in hard interrupt. */
void hf_req_submit_local(struct hf_disk *disk);

#endif /* _HOLDFAST_REQ_H */
