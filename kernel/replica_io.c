// SPDX-License-Identifier: GPL-2.0
/*
 * The data connection of the slot's end: takes each message into pages of the
 * link's own pool, has the slot do what it asks, and answers.  What the slot
 * does with a write is slot.c's; whether the link may be served is replica.c's.
 *
 * Rules: R2 (the answer follows the end of the data device's I/O), R11 (reads
 * for a primary that has no copy, or a bad one), R8 (a wrong
 * payload checksum is answered, not applied), R9 (bits are durable before the
 * answer), R15 (pages stay with the I/O until the device ended it, also after
 * the link is gone).
 *
 * What a peer can make this end hold is bounded: so many requests and bytes a
 * link; beyond that the socket is not read until something was freed.
 *
 * Locks: link->queue_lock guards the queue of answers.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "replica_io.h"

#include <linux/bvec.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "replica.h"
#include "trace.h"

static struct kmem_cache *request_cache;

/* ------------------------------------------------------ room and its return */

/* The data worker found no room; whoever frees some wakes it. */
static bool has_room(struct hf_replica *replica, unsigned int length)
{
	if (atomic_read(&replica->nr_requests) >= HF_REPLICA_MAX_REQUESTS)
		return false;
	return !atomic_long_read(&replica->bytes) ||
	       atomic_long_read(&replica->bytes) + length <= HF_REPLICA_MAX_BYTES;
}

void hf_replica_io_unstall(struct hf_replica *replica)
{
	/* Pairs with the barrier in data_header(): one of the two sees the other. */
	smp_mb();
	if (READ_ONCE(replica->stalled)) {
		WRITE_ONCE(replica->stalled, false);
		hf_link_kick(&replica->link->data);
	}
}

/* Gives everything back but the reference on the link, which it returns. */
static struct hf_link *free_request(struct hf_replica_io *rio)
{
	struct hf_link *link = rio->link;
	struct hf_replica *replica = link->replica;
	unsigned int i;

	for (i = 0; i < rio->nr_vecs; i++)
		mempool_free(rio->vecs[i].bv_page, &replica->pages);
	if (rio->vecs && rio->vecs != rio->inline_vecs)
		mempool_free(rio->vecs, &replica->vecs);
	kvfree(rio->bits);
	if (rio->counted) {
		atomic_long_sub(rio->length, &replica->bytes);
		atomic_dec(&replica->nr_requests);
	}
	mempool_free(rio, &replica->requests);
	hf_replica_io_unstall(replica);
	return link;
}

/* Process context: may be the last use of the link. */
static void free_request_work(struct work_struct *work)
{
	struct hf_replica_io *rio = container_of(work, struct hf_replica_io, work);

	hf_link_put(free_request(rio));
}

/* Bytes that come with a message, or go with its answer. */
static unsigned int payload_of(struct hf_link *link, const struct hf_wire_hdr *hdr)
{
	u32 range_len = le32_to_cpu(hdr->range_len);

	switch (hdr->opcode) {
	case HF_OP_READ:
		return range_len;
	case HF_OP_READ_BITS:
		return hf_wire_bits_bytes(range_len, hf_slot_granule_shift(link->replica->slot));
	default:
		return le32_to_cpu(hdr->length);
	}
}

static bool asks_for_data(const struct hf_replica_io *rio)
{
	return rio->opcode == HF_OP_READ || rio->opcode == HF_OP_READ_BITS;
}

static struct hf_replica_io *new_request(struct hf_link *link, const struct hf_wire_hdr *hdr)
{
	struct hf_replica *replica = link->replica;
	unsigned int length = payload_of(link, hdr);
	struct hf_replica_io *rio;

	if (!has_room(replica, length))
		return NULL;
	rio = mempool_alloc(&replica->requests, GFP_NOWAIT | __GFP_NOWARN);
	if (!rio)
		return NULL;
	memset(rio, 0, sizeof(*rio));
	rio->link = hf_link_get(link);
	rio->cookie = le64_to_cpu(hdr->cookie);
	rio->opcode = hdr->opcode;
	rio->bits_slot = hdr->slot;
	rio->length = length;
	rio->counted = true;
	atomic_inc(&replica->nr_requests);
	atomic_long_add(length, &replica->bytes);
	return rio;
}

/* Pages for the payload; goes on where it stopped. False: not all yet. */
static bool get_pages(struct hf_replica *replica, struct hf_replica_io *rio)
{
	unsigned int nr = DIV_ROUND_UP(rio->length, PAGE_SIZE);

	if (!rio->vecs) {
		rio->vecs = rio->inline_vecs;
		if (nr > HF_REPLICA_INLINE_VECS)
			rio->vecs = mempool_alloc(&replica->vecs, GFP_NOWAIT | __GFP_NOWARN);
		if (!rio->vecs)
			return false;
	}
	while (rio->nr_vecs < nr) {
		unsigned int rest = rio->length - rio->nr_vecs * PAGE_SIZE;
		struct page *page = mempool_alloc(&replica->pages, GFP_NOWAIT | __GFP_NOWARN);

		if (!page)
			return false;
		bvec_set_page(&rio->vecs[rio->nr_vecs++], page,
			      min_t(unsigned int, rest, PAGE_SIZE), 0);
	}
	return true;
}

/* -------------------------------------------------------------- answering */

static u8 status_of(int error)
{
	switch (error) {
	case 0:
		return HF_ST_OK;
	case -ESTALE:
		return HF_ST_TERM;
	default:
		return HF_ST_DEVICE;
	}
}

/* Any context. Queue the answer; after "stopped" there is nobody to answer. */
static void answer(struct hf_replica_io *rio, u8 status)
{
	struct hf_link *link = rio->link;
	unsigned long flags;
	bool stopped;

	rio->status = status;
	spin_lock_irqsave(&link->queue_lock, flags);
	stopped = link->stopped;
	if (!stopped) {
		list_add_tail(&rio->entry, &link->queued);
		queue_work(link->data.wq, &link->data.work);
	}
	spin_unlock_irqrestore(&link->queue_lock, flags);
	/* With @rio may go the last reference on the link, and its lock. */
	if (stopped) {
		INIT_WORK(&rio->work, free_request_work);
		queue_work(hf_link_wq, &rio->work);
	}
}

static void slot_io_end(struct hf_slot_io *io, int error)
{
	struct hf_replica_io *rio = container_of(io, struct hf_replica_io, io);

	trace_hf_replica_applied(rio, error);
	answer(rio, status_of(error));
}

static void begin_answer(struct hf_link *link, struct hf_out *out, u8 opcode,
			 const struct hf_replica_io *rio)
{
	hf_send_hdr(link, out, opcode, hf_replica_epoch(link));
	out->hdr.cookie = cpu_to_le64(rio->cookie);
	out->hdr.stamp = cpu_to_le64(hf_replica_stamp(link));
}

/* @rio belongs to @out until its last byte is sent, or the link is stopped. */
static void build_data(struct hf_link *link, struct hf_out *out, struct hf_replica_io *rio)
{
	begin_answer(link, out, HF_OP_DATA, rio);
	out->owner = rio;
	if (rio->bits) {
		hf_send_payload(out, rio->bits, rio->length);
		return;
	}
	out->length = rio->length;
	out->hdr.length = cpu_to_le32(rio->length);
	out->bvecs = rio->vecs;
	out->nr_bvecs = rio->nr_vecs;
	if (READ_ONCE(link->data_crc))
		hf_wire_hdr_payload_crc(&out->hdr, hf_send_crc(rio->vecs, rio->length, 0));
}

static bool next_answer(struct hf_conn *conn, struct hf_out *out)
{
	struct hf_link *link = conn->link;
	struct hf_replica_io *rio;
	unsigned long flags;

	spin_lock_irqsave(&link->queue_lock, flags);
	rio = list_first_entry_or_null(&link->queued, struct hf_replica_io, entry);
	if (rio) {
		list_del(&rio->entry);
		out->more = !list_empty(&link->queued);
	}
	spin_unlock_irqrestore(&link->queue_lock, flags);
	if (!rio)
		return false;
	trace_hf_replica_answered(rio, rio->status);
	if (asks_for_data(rio) && rio->status == HF_ST_OK) {
		build_data(link, out, rio);
		return true;
	}
	begin_answer(link, out, HF_OP_ACK, rio);
	out->hdr.status = rio->status;
	/* Never the last reference: the link is not stopped yet. */
	hf_link_put(free_request(rio));
	return true;
}

/* The data went to the socket, which has copied it (R15). */
static void answer_sent(struct hf_conn *conn, struct hf_out *out)
{
	if (out->owner)
		hf_link_put(free_request(out->owner));
	out->owner = NULL;
}

/* -------------------------------------------------------------- receiving */

static int data_header(struct hf_conn *conn, struct hf_in *in)
{
	struct hf_link *link = conn->link;
	struct hf_replica *replica = link->replica;
	struct hf_replica_io *rio = in->owner;

	if (hf_link_state(link) != HOLDFAST_LINK_READY) {
		hf_recv_refused(link, "message before the slot was ready");
		return -EPROTO;
	}
	WRITE_ONCE(replica->stalled, true);
	/* Pairs with the barrier in hf_replica_io_unstall(). */
	smp_mb();
	if (!rio) {
		rio = new_request(link, &in->hdr);
		if (!rio)
			return -EAGAIN;
		in->owner = rio;
		hf_replica_note(link, &in->hdr);
	}
	if (rio->opcode == HF_OP_BITS || rio->opcode == HF_OP_READ_BITS) {
		rio->bits = kvmalloc(rio->length, GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
		if (!rio->bits)
			return -ENOMEM;
		in->buf = rio->opcode == HF_OP_BITS ? rio->bits : NULL;
	} else if (rio->length && !get_pages(replica, rio)) {
		return -EAGAIN;
	}
	WRITE_ONCE(replica->stalled, false);
	in->bvecs = rio->vecs;
	in->nr_bvecs = rio->nr_vecs;
	return 0;
}

static bool payload_ok(const struct hf_in *in, const struct hf_replica_io *rio)
{
	if (!in->length || !(le16_to_cpu(in->hdr.flags) & HF_WIRE_HAS_CRC))
		return true;
	if (rio->bits)
		return hf_wire_crc_ok(&in->hdr, hf_wire_crc(HF_WIRE_CRC_INIT, rio->bits,
							    rio->length));
	return hf_wire_crc_ok(&in->hdr, hf_send_crc(rio->vecs, rio->length, 0));
}

/* R9: durable before the answer. On hf_link_wq, since it waits for the disk. */
static void bits_work(struct work_struct *work)
{
	struct hf_replica_io *rio = container_of(work, struct hf_replica_io, work);
	struct hf_replica *replica = rio->link->replica;
	u32 shift = hf_slot_granule_shift(replica->slot);
	unsigned int nr_bits = DIV_ROUND_UP_ULL((u64)rio->io.length, 1ull << shift);

	answer(rio, status_of(hf_slot_set_dirty(replica->slot, rio->bits_slot, rio->io.offset,
						rio->bits, nr_bits)));
}

static int begin_bits(struct hf_link *link, struct hf_in *in, struct hf_replica_io *rio)
{
	const char *why = "";

	if (hf_wire_bits_check(&in->hdr, rio->bits, hf_slot_granule_shift(link->replica->slot),
			       &why) < 0) {
		hf_recv_refused(link, why);
		return -EPROTO;
	}
	in->owner = NULL;
	INIT_WORK(&rio->work, bits_work);
	queue_work(hf_link_wq, &rio->work);
	return 0;
}

/* R9: what this copy has marked for another slot, for a primary without a copy. */
static int begin_read_bits(struct hf_link *link, struct hf_in *in, struct hf_replica_io *rio)
{
	struct hf_slot *slot = link->replica->slot;
	u64 nr_bits = DIV_ROUND_UP_ULL((u64)rio->io.length, 1ull << hf_slot_granule_shift(slot));

	memset(rio->bits, 0, rio->length);
	hf_slot_export_dirty(slot, rio->bits_slot, rio->io.offset, rio->bits, nr_bits);
	in->owner = NULL;
	answer(rio, hf_slot_usable(slot) ? HF_ST_OK : HF_ST_DEVICE);
	return 0;
}

static enum hf_slot_op slot_op(u8 opcode)
{
	switch (opcode) {
	case HF_OP_READ:
		return HF_SLOT_READ;
	case HF_OP_WRITE:
		return HF_SLOT_WRITE;
	case HF_OP_COPY:
		return HF_SLOT_COPY;
	case HF_OP_COPY_ZERO:
		return HF_SLOT_COPY_ZERO;
	case HF_OP_DISCARD:
		return HF_SLOT_DISCARD;
	case HF_OP_ZEROES:
		return HF_SLOT_ZEROES;
	default:
		return HF_SLOT_FLUSH;
	}
}

static bool is_long(u8 opcode)
{
	return opcode == HF_OP_DISCARD || opcode == HF_OP_ZEROES;
}

static int data_message(struct hf_conn *conn, struct hf_in *in)
{
	struct hf_link *link = conn->link;
	struct hf_replica_io *rio = in->owner;
	const struct hf_wire_hdr *hdr = &in->hdr;
	struct hf_slot_io *io = &rio->io;

	io->offset = le64_to_cpu(hdr->offset);
	io->length = le32_to_cpu(hdr->range_len);
	io->seq = le64_to_cpu(hdr->seq);
	trace_hf_replica_received(rio, 0);
	if (!payload_ok(in, rio)) {
		in->owner = NULL;
		answer(rio, HF_ST_CHECKSUM);
		return 0;
	}
	if (rio->opcode == HF_OP_BITS)
		return begin_bits(link, in, rio);
	if (rio->opcode == HF_OP_READ_BITS)
		return begin_read_bits(link, in, rio);
	/* R10: it would never find room. */
	if (is_long(rio->opcode) && !hf_slot_can_log(link->replica->slot, io->length)) {
		hf_recv_refused(link, "a range of zeros is larger than the log has room for");
		return -EPROTO;
	}

	io->op = slot_op(rio->opcode);
	io->fua = le16_to_cpu(hdr->flags) & HF_WIRE_FUA;
	io->soft = le16_to_cpu(hdr->flags) & HF_WIRE_SOFT;
	io->missing_mask = hdr->missing_mask;
	io->term = link->term;
	io->bvecs = rio->vecs;
	io->nr_bvecs = rio->nr_vecs;
	io->may_sleep = true;
	io->end = slot_io_end;
	in->owner = NULL;
	hf_slot_submit(link->replica->slot, io);
	return 0;
}

const struct hf_conn_ops hf_replica_data_ops = {
	.next		= next_answer,
	.sent		= answer_sent,
	.header		= data_header,
	.message	= data_message,
};

/* ------------------------------------------------------------------- life */

/* stop_work: what was received and not submitted is discarded (R1), so are answers. */
void hf_replica_io_stopped(struct hf_link *link)
{
	struct hf_replica_io *rio, *next;
	unsigned long flags;
	LIST_HEAD(answers);

	spin_lock_irqsave(&link->queue_lock, flags);
	list_splice_init(&link->queued, &answers);
	spin_unlock_irqrestore(&link->queue_lock, flags);
	list_for_each_entry_safe(rio, next, &answers, entry)
		hf_link_put(free_request(rio));
	if (link->data.in.owner)
		hf_link_put(free_request(link->data.in.owner));
	link->data.in.owner = NULL;
	/* Data that was on its way out: the socket holds copies alone. */
	if (link->data.out.owner)
		hf_link_put(free_request(link->data.out.owner));
	link->data.out.owner = NULL;
}

int hf_replica_io_init(struct hf_replica *replica)
{
	unsigned int nr = HF_MAX_IO_BYTES / PAGE_SIZE;
	int error;

	error = mempool_init_slab_pool(&replica->requests, 4, request_cache);
	if (!error)
		error = mempool_init_page_pool(&replica->pages, nr, 0);
	if (!error)
		error = mempool_init_kmalloc_pool(&replica->vecs, 1, nr * sizeof(struct bio_vec));
	return error;
}

void hf_replica_io_destroy(struct hf_replica *replica)
{
	mempool_exit(&replica->requests);
	mempool_exit(&replica->pages);
	mempool_exit(&replica->vecs);
}

int hf_replica_init(void)
{
	request_cache = KMEM_CACHE(hf_replica_io, SLAB_HWCACHE_ALIGN);
	return request_cache ? 0 : -ENOMEM;
}

void hf_replica_exit(void)
{
	kmem_cache_destroy(request_cache);
	request_cache = NULL;
}
