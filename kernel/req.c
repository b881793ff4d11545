// SPDX-License-Identifier: GPL-2.0
/*
 * One operation: what is taken from a block layer request, and what is handed
 * to the local slot and to a link for it. When it is handed to whom, and when
 * it ends, is serve.c's.
 *
 * A discard, and a write of zeros, is a write without data (R16).
 *
 * Rules: R2 (FUA is FUA everywhere, and every write is without an own slot,
 * R11), R3b (each write carries epoch and missing mask), R15 (the bit in
 * sent_mask is the owner's mark on the pages).
 */
#include "req.h"

#include "disk.h"
#include "main.h"

static unsigned int gather(struct request *rq, struct bio_vec *bvecs)
{
	struct req_iterator iter;
	struct bio_vec bv;
	unsigned int nr = 0;

	rq_for_each_bvec(bv, rq, iter) {
		/* The limit on segments bounds the pieces; never trust it with memory. */
		if (WARN_ON_ONCE(nr == HF_DISK_SEGMENTS))
			return 0;
		bvecs[nr++] = bv;
	}
	return nr;
}

bool hf_req_fill(struct hf_req *req, struct request *rq)
{
	struct hf_pdu *pdu = blk_mq_rq_to_pdu(rq);

	req->rq = rq;
	req->seq = 0;
	req->arrived_ns = hf_boottime_ns();
	req->sent_mask = 0;
	req->acked_mask = 0;
	req->void_mask = 0;
	req->volatile_mask = 0;
	req->tried_mask = 0;
	req->stuck = false;
	req->failing = false;
	req->zeroing = false;
	req->fua = false;
	req->opcode = 0;
	req->offset = 0;
	req->length = 0;
	req->bvecs = NULL;
	req->nr_bvecs = 0;
	switch (req_op(rq)) {
	case REQ_OP_FLUSH:
		req->kind = HF_REQ_FLUSH;
		return true;
	case REQ_OP_READ:
		req->kind = HF_REQ_READ;
		break;
	case REQ_OP_WRITE:
		req->kind = HF_REQ_WRITE;
		req->opcode = HF_OP_WRITE;
		req->fua = rq->cmd_flags & REQ_FUA;
		break;
	case REQ_OP_DISCARD:
		req->kind = HF_REQ_WRITE;
		req->opcode = HF_OP_DISCARD;
		break;
	case REQ_OP_WRITE_ZEROES:
		req->kind = HF_REQ_WRITE;
		req->opcode = rq->cmd_flags & REQ_NOUNMAP ? HF_OP_ZEROES : HF_OP_DISCARD;
		break;
	default:
		return false;
	}
	req->offset = (u64)blk_rq_pos(rq) << SECTOR_SHIFT;
	req->length = blk_rq_bytes(rq);
	req->first_extent = req->offset >> req->disk->extent_shift;
	req->last_extent = (req->offset + req->length - 1) >> req->disk->extent_shift;
	if (!req->length || req->offset + req->length > req->disk->size_bytes)
		return false;
	if (hf_req_is_zeros(req))
		return req->length <= req->disk->zero_max_bytes;
	req->bvecs = pdu->bvecs;
	req->nr_bvecs = gather(rq, pdu->bvecs);
	return req->nr_bvecs;
}

static enum hf_slot_op slot_op(const struct hf_req *req)
{
	switch (req->kind) {
	case HF_REQ_READ:
		return HF_SLOT_READ;
	case HF_REQ_WRITE:
		break;
	default:
		return HF_SLOT_FLUSH;
	}
	switch (req->opcode) {
	case HF_OP_DISCARD:
		return HF_SLOT_DISCARD;
	case HF_OP_ZEROES:
		return HF_SLOT_ZEROES;
	default:
		return HF_SLOT_WRITE;
	}
}

void hf_req_post_local(struct hf_req *req)
{
	struct hf_disk *disk = req->disk;
	struct hf_slot_io *io = &req->io;

	lockdep_assert_held(&disk->serve.serve_lock);
	memset(io, 0, sizeof(*io));
	io->op = slot_op(req);
	io->fua = req->fua;
	io->soft = true;
	io->missing_mask = disk->serve.missing_mask;
	io->term = disk->serve.term;
	io->seq = req->seq;
	io->offset = req->offset;
	io->length = req->length;
	io->bvecs = req->bvecs;
	io->nr_bvecs = req->nr_bvecs;
	io->end = hf_serve_local_end;
	req->sent_mask |= BIT(disk->own_nr);
	list_add_tail(&req->todo_entry, &disk->serve.todo);
}

void hf_req_post_remote(struct hf_req *req, u8 nr)
{
	struct hf_disk *disk = req->disk;
	struct hf_msg *msg = &req->msgs[nr].msg;

	lockdep_assert_held(&disk->serve.serve_lock);
	memset(msg, 0, sizeof(*msg));
	msg->epoch = disk->serve.epoch;
	msg->missing_mask = disk->serve.missing_mask;
	msg->done = hf_serve_remote_done;
	switch (req->kind) {
	case HF_REQ_FLUSH:
		msg->opcode = HF_OP_FLUSH;
		break;
	case HF_REQ_READ:
		msg->opcode = HF_OP_READ;
		msg->soft = true;
		msg->reply_len = req->length;
		break;
	case HF_REQ_WRITE:
		msg->opcode = req->opcode;
		msg->fua = req->fua || hf_serve_wants_durable(disk);
		if (!msg->fua)
			req->volatile_mask |= BIT(nr);
		msg->seq = req->seq;
		msg->length = hf_req_is_zeros(req) ? 0 : req->length;
		break;
	}
	if (req->kind != HF_REQ_FLUSH) {
		msg->offset = req->offset;
		msg->range_len = req->length;
		msg->bvecs = req->bvecs;
		msg->nr_bvecs = req->nr_bvecs;
	}
	req->sent_mask |= BIT(nr);
	hf_link_send(disk->remotes[nr].link, msg);
}

void hf_req_submit_local(struct hf_disk *disk)
{
	struct hf_serve *serve = &disk->serve;
	struct hf_req *req;
	unsigned long flags;

	for (;;) {
		spin_lock_irqsave(&serve->serve_lock, flags);
		req = list_first_entry_or_null(&serve->todo, struct hf_req, todo_entry);
		if (req)
			list_del_init(&req->todo_entry);
		spin_unlock_irqrestore(&serve->serve_lock, flags);
		if (!req)
			return;
		/* From here the slot owns the pages, and @req may be gone on return. */
		hf_slot_submit(disk->slot, &req->io);
	}
}
