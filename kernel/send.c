// SPDX-License-Identifier: GPL-2.0
/*
 * Sending on a link: the step machine that hands one message after the other
 * to a socket, and what the primary's end has to say: hello, beacons,
 * configurations on the control connection; writes, copies, flushes and bits
 * on the data connection.  What comes back is recv.c's.
 *
 * Rules: R5 (the stamp is read when the message leaves its queue, before the
 * socket gets any of it; data in flight is bounded by bytes and, through the
 * measured rate, by a quarter of the lease), R8 (a payload that changed under
 * way is sent once more, from a private copy), R15 (payloads are copied into
 * the socket: when the worker has ended, no page is in use).
 *
 * Locks: state_lock and queue_lock as struct hf_link says.  The message being
 * sent belongs to the connection's worker.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "link_impl.h"

#include <linux/bvec.h>
#include <linux/delay.h>
#include <linux/mempool.h>
#include <linux/mm.h>
#include <linux/net.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <net/sock.h>

#include "main.h"
#include "sabotage.h"
#include "trace.h"

/* One private copy is always to be had, so that a resend is never stuck (R8). */
static mempool_t *copy_pool;

/* ---------------------------------------------------------- step machine */

/* >0: all handed over; 0: the socket is full; <0: the link is at its end. */
static int send_hdr(struct hf_conn *conn, struct hf_out *out)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	struct kvec vec;
	int ret;

	if (out->length || out->more)
		msg.msg_flags |= MSG_MORE;
	while (out->hdr_done < sizeof(out->hdr)) {
		vec.iov_base = (u8 *)&out->hdr + out->hdr_done;
		vec.iov_len = sizeof(out->hdr) - out->hdr_done;
		ret = kernel_sendmsg(conn->sock, &msg, &vec, 1, vec.iov_len);
		if (ret == -EAGAIN || ret == 0)
			return 0;
		if (ret < 0)
			return ret;
		out->hdr_done += ret;
	}
	return 1;
}

static int send_payload(struct hf_conn *conn, struct hf_out *out)
{
	while (out->length_done < out->length) {
		struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
		struct kvec vec;
		int ret;

		if (out->more)
			msg.msg_flags |= MSG_MORE;
		if (out->buf) {
			vec.iov_base = (u8 *)out->buf + out->length_done;
			vec.iov_len = out->length - out->length_done;
			iov_iter_kvec(&msg.msg_iter, ITER_SOURCE, &vec, 1, vec.iov_len);
		} else {
			iov_iter_bvec(&msg.msg_iter, ITER_SOURCE, out->bvecs, out->nr_bvecs,
				      out->bvec_done + out->length);
			iov_iter_advance(&msg.msg_iter, out->bvec_done + out->length_done);
		}
		ret = sock_sendmsg(conn->sock, &msg);
		if (ret == -EAGAIN || ret == 0)
			return 0;
		if (ret < 0)
			return ret;
		out->length_done += ret;
	}
	return 1;
}

/*
 * Hand over what there is of one message. Connection's worker.
 * >0: did something; 0: nothing to send, or the socket is full; <0: error.
 */
int hf_send_step(struct hf_conn *conn)
{
	struct hf_out *out = &conn->out;
	unsigned int noreclaim;
	int ret;

	if (!out->busy) {
		memset(out, 0, sizeof(*out));
		if (!conn->ops->next(conn, out))
			return 0;
		hf_wire_hdr_seal(&out->hdr);
		out->busy = true;
	}
	noreclaim = memalloc_noreclaim_save();
	ret = send_hdr(conn, out);
	if (ret > 0)
		ret = send_payload(conn, out);
	memalloc_noreclaim_restore(noreclaim);
	if (ret <= 0)
		return ret;
	out->busy = false;
	if (conn->ops->sent)
		conn->ops->sent(conn, out);
	return 1;
}

/* Begin a header with what is in all of them. */
void hf_send_hdr(struct hf_link *link, struct hf_out *out, u8 opcode, u64 epoch)
{
	hf_wire_hdr_init(&out->hdr, opcode, opcode == HF_OP_HELLO ? 0 : link->expect.version,
			 link->id, link->term, epoch, link->slot_nr);
}

/* A payload in memory of the link's own; always with its checksum. */
void hf_send_payload(struct hf_out *out, const void *buf, unsigned int length)
{
	out->buf = buf;
	out->length = length;
	out->hdr.length = cpu_to_le32(length);
	hf_wire_hdr_payload_crc(&out->hdr, hf_wire_crc(HF_WIRE_CRC_INIT, buf, length));
}

/* ------------------------------------------------ primary: common header */

/* The stamp of a message that is about to be sent (R5). */
static u64 take_stamp(struct hf_link *link)
{
	unsigned long flags;
	u64 stamp;

	spin_lock_irqsave(&link->state_lock, flags);
	stamp = max(hf_boottime_ns(), link->stamp_newest);
	link->stamp_newest = stamp;
	spin_unlock_irqrestore(&link->state_lock, flags);
	return stamp;
}

/* Epoch, stable and mask are those of the moment of sending, but for a WRITE's mask. */
static void primary_hdr(struct hf_link *link, struct hf_out *out, u8 opcode,
			struct hf_link_tick *tick)
{
	link->tick(link->owner, tick);
	hf_send_hdr(link, out, opcode, tick->epoch);
	out->hdr.stable = cpu_to_le64(tick->stable);
	out->hdr.missing_mask = tick->missing_mask;
	out->hdr.stamp = cpu_to_le64(take_stamp(link));
}

/* ---------------------------------------------- primary: control connection */

/* The newest configuration, copied to where the worker sends it from. */
static u64 copy_conf(struct hf_link *link, struct hf_wire_conf *to)
{
	unsigned long flags;

	spin_lock_irqsave(&link->state_lock, flags);
	*to = link->conf;
	spin_unlock_irqrestore(&link->state_lock, flags);
	return le64_to_cpu(to->epoch);
}

static void build_hello(struct hf_conn *conn, struct hf_out *out)
{
	struct hf_wire_hello *hello = conn->out_buf;
	struct hf_link_tick tick;

	memset(hello, 0, sizeof(*hello));
	hello->version_min = HF_WIRE_VERSION_MIN;
	hello->version_max = HF_WIRE_VERSION;
	primary_hdr(conn->link, out, HF_OP_HELLO, &tick);
	out->hdr.epoch = cpu_to_le64(copy_conf(conn->link, &hello->conf));
	out->hdr.missing_mask = 0;
	hf_send_payload(out, hello, sizeof(*hello));
}

static void build_conf(struct hf_conn *conn, struct hf_out *out)
{
	struct hf_link_tick tick;
	u64 epoch;

	primary_hdr(conn->link, out, HF_OP_CONF, &tick);
	epoch = copy_conf(conn->link, conn->out_buf);
	out->hdr.epoch = cpu_to_le64(epoch);
	hf_send_payload(out, conn->out_buf, sizeof(struct hf_wire_conf));
}

static void build_conf_ack(struct hf_conn *conn, struct hf_out *out, u64 epoch)
{
	struct hf_link_tick tick;

	primary_hdr(conn->link, out, HF_OP_CONF_ACK, &tick);
	out->hdr.epoch = cpu_to_le64(epoch);
}

static void build_beacon(struct hf_conn *conn, struct hf_out *out)
{
	struct hf_link_tick tick;

	primary_hdr(conn->link, out, HF_OP_BEACON, &tick);
	out->hdr.holding_ms = cpu_to_le32(tick.holding_ms);
}

/*
 * Take the most urgent of @link->pending. Nothing but hello goes out before
 * its answer is in. Also used by replica.c.
 */
unsigned int hf_send_take_pending(struct hf_link *link, unsigned int allowed)
{
	unsigned int pending, taken = 0;
	unsigned long flags;

	spin_lock_irqsave(&link->state_lock, flags);
	pending = link->pending & allowed;
	if (pending) {
		taken = pending & -pending;
		link->pending &= ~taken;
	}
	spin_unlock_irqrestore(&link->state_lock, flags);
	return taken;
}

bool hf_primary_next_control(struct hf_conn *conn, struct hf_out *out)
{
	struct hf_link *link = conn->link;
	unsigned int allowed = HF_PENDING_HELLO;
	unsigned long flags;
	u64 epoch;

	if (hf_link_state(link) != HOLDFAST_LINK_OPENING)
		allowed = ~0u;
	switch (hf_send_take_pending(link, allowed)) {
	case HF_PENDING_HELLO:
		build_hello(conn, out);
		return true;
	case HF_PENDING_BEACON:
		build_beacon(conn, out);
		return true;
	case HF_PENDING_CONF:
		build_conf(conn, out);
		return true;
	case HF_PENDING_CONF_ACK:
		spin_lock_irqsave(&link->state_lock, flags);
		epoch = link->acked_epoch;
		spin_unlock_irqrestore(&link->state_lock, flags);
		build_conf_ack(conn, out, epoch);
		return true;
	}
	return false;
}

/* ------------------------------------------------- primary: data connection */

/* Of @length bytes from byte @done of the first one on. */
u32 hf_send_crc(const struct bio_vec *bvecs, unsigned int length, unsigned int done)
{
	struct bvec_iter start = { .bi_size = length, .bi_bvec_done = done };
	u32 crc = HF_WIRE_CRC_INIT;
	struct bvec_iter iter;
	struct bio_vec bv;

	for_each_bvec(bv, bvecs, iter, start) {
		void *data = bvec_kmap_local(&bv);

		crc = hf_wire_crc(crc, data, bv.bv_len);
		kunmap_local(data);
	}
	return crc;
}

static void copy_bvecs(const struct hf_msg *msg, void *to)
{
	struct bvec_iter start = { .bi_size = msg->length, .bi_bvec_done = msg->bvec_done };
	struct bvec_iter iter;
	struct bio_vec bv;

	for_each_bvec(bv, msg->bvecs, iter, start) {
		memcpy_from_bvec(to, &bv);
		to += bv.bv_len;
	}
}

/* A build that breaks R2 or R10 on purpose sends late, so that it always shows. */
static bool held_back(const struct hf_msg *msg)
{
	unsigned int delay_ms = 0;

	if (HF_BROKEN_EARLY_ACK)
		delay_ms = HF_BROKEN_SEND_DELAY_MS;
	else if (HF_BROKEN_NO_ACTIVITY_LOG)
		delay_ms = HF_BROKEN_LOG_DELAY_MS;
	return delay_ms && hf_wire_is_write(msg->opcode) &&
	       hf_boottime_ns() < msg->queued_ns + (u64)delay_ms * NSEC_PER_MSEC;
}

static struct hf_msg *take_msg(struct hf_link *link, bool *more, bool *late)
{
	struct hf_msg *msg;
	unsigned long flags;

	spin_lock_irqsave(&link->queue_lock, flags);
	msg = list_first_entry_or_null(&link->queued, struct hf_msg, entry);
	if (msg && !list_empty(&link->in_flight) &&
	    link->in_flight_bytes + hf_msg_bytes(msg) > link->window_bytes)
		msg = NULL;
	if (msg && held_back(msg)) {
		*late = true;
		msg = NULL;
	}
	if (msg) {
		list_move_tail(&msg->entry, &link->in_flight);
		link->in_flight_bytes += hf_msg_bytes(msg);
		msg->cookie = link->next_cookie++;
		msg->sent_ns = hf_boottime_ns();
		*more = !list_empty(&link->queued) &&
			link->in_flight_bytes + HF_MAX_IO_BYTES <= link->window_bytes;
	}
	spin_unlock_irqrestore(&link->queue_lock, flags);
	return msg;
}

static void build_msg(struct hf_link *link, struct hf_out *out, struct hf_msg *msg)
{
	struct hf_link_tick tick;
	u32 crc;

	primary_hdr(link, out, msg->opcode, &tick);
	out->hdr.cookie = cpu_to_le64(msg->cookie);
	out->hdr.offset = cpu_to_le64(msg->offset);
	out->hdr.range_len = cpu_to_le32(msg->range_len);
	out->hdr.length = cpu_to_le32(msg->length);
	if (hf_wire_is_write(msg->opcode)) {
		/* Mask and epoch under which the write was registered (R3b). */
		out->hdr.epoch = cpu_to_le64(msg->epoch);
		out->hdr.missing_mask = msg->missing_mask;
		out->hdr.seq = cpu_to_le64(msg->seq);
		if (msg->fua)
			out->hdr.flags |= cpu_to_le16(HF_WIRE_FUA);
	}
	if (msg->opcode == HF_OP_BITS || msg->opcode == HF_OP_READ_BITS)
		out->hdr.slot = msg->bits_slot;
	if (msg->soft)
		out->hdr.flags |= cpu_to_le16(HF_WIRE_SOFT);
	out->owner = msg;
	out->length = msg->length;
	if (!msg->length)
		return;
	if (msg->private_copy) {
		out->buf = msg->private_copy;
	} else {
		out->bvecs = msg->bvecs;
		out->nr_bvecs = msg->nr_bvecs;
		out->bvec_done = msg->bvec_done;
	}
	if (!READ_ONCE(link->data_crc) && msg->opcode != HF_OP_BITS)
		return;
	crc = msg->private_copy ? hf_wire_crc(HF_WIRE_CRC_INIT, msg->private_copy, msg->length) :
				  hf_send_crc(msg->bvecs, msg->length, msg->bvec_done);
	hf_wire_hdr_payload_crc(&out->hdr, crc);
}

bool hf_primary_next_data(struct hf_conn *conn, struct hf_out *out)
{
	struct hf_link *link = conn->link;
	struct hf_msg *msg;
	bool late = false;

	if (hf_link_state(link) != HOLDFAST_LINK_READY)
		return false;
	msg = take_msg(link, &out->more, &late);
	while (HF_BROKEN_NO_ACTIVITY_LOG && late) {
		late = false;
		msleep(HF_BROKEN_LOG_DELAY_MS / 4);
		msg = take_msg(link, &out->more, &late);
	}
	if (!msg)
		return false;
	build_msg(link, out, msg);
	return true;
}

void hf_primary_sent(struct hf_conn *conn, struct hf_out *out)
{
	struct hf_msg *msg = out->owner;

	if (msg)
		trace_hf_msg_sent(conn->link->vol, conn->link->slot_nr, msg, 0);
}

/* ------------------------------------------------ ends of a message, resend */

/* What was received aside goes where it belongs (R8). */
static void take_private_copy(struct hf_msg *msg)
{
	const void *from = msg->private_copy;
	struct bvec_iter start = { .bi_size = msg->reply_len };
	struct bvec_iter iter;
	struct bio_vec bv;

	for_each_bvec(bv, msg->bvecs, iter, start) {
		memcpy_to_bvec(&bv, from);
		from += bv.bv_len;
	}
}

/* @msg is on no list any more. A worker of the link. */
void hf_primary_end_msg(struct hf_link *link, struct hf_msg *msg, int error)
{
	trace_hf_msg_acked(link->vol, link->slot_nr, msg, error);
	if (msg->private_copy && msg->reply_len && !error)
		take_private_copy(msg);
	if (msg->private_copy)
		mempool_free(msg->private_copy, copy_pool);
	msg->private_copy = NULL;
	msg->done(msg, error);
}

/*
 * R8: the payload changed between checksum and socket, or what was read changed
 * where it was received. @msg is on no list;
 * it is queued again, first of all, or waits for memory until the next tick.
 */
void hf_primary_again(struct hf_link *link, struct hf_msg *msg)
{
	void *copy = mempool_alloc(copy_pool, GFP_NOWAIT);
	unsigned long flags;

	if (copy) {
		if (!msg->reply_len)
			copy_bvecs(msg, copy);
		msg->private_copy = copy;
	}
	trace_hf_msg_again(link->vol, link->slot_nr, msg, copy ? 0 : -ENOMEM);
	spin_lock_irqsave(&link->queue_lock, flags);
	list_add(&msg->entry, copy ? &link->queued : &link->recopy);
	spin_unlock_irqrestore(&link->queue_lock, flags);
	if (copy)
		hf_link_kick(&link->data);
}

/* The window that lets through what a quarter of the lease can carry (R5). */
static void measure_rate(struct hf_link *link, u64 now)
{
	u64 elapsed_us, window;

	lockdep_assert_held(&link->queue_lock);
	elapsed_us = div_u64(now - link->rate_ns, NSEC_PER_USEC);
	if (!link->acked_bytes || !elapsed_us)
		return;
	window = div64_u64(link->acked_bytes * (hf_time_ms(HF_LEASE_MS) / 4) * USEC_PER_MSEC,
			   elapsed_us);
	window = clamp_t(u64, window, HF_WINDOW_MIN_BYTES, HF_WINDOW_MAX_BYTES);
	link->window_bytes = (3 * link->window_bytes + window) / 4;
	link->acked_bytes = 0;
	link->rate_ns = now;
}

/* Every beacon period: beacon, answers that are late, memory for resends. */
void hf_primary_tick(struct hf_link *link, u64 now)
{
	struct hf_msg *msg, *next;
	bool device_silent = false;
	unsigned long flags;
	LIST_HEAD(recopy);

	hf_link_want(link, HF_PENDING_BEACON);
	if (HF_BROKEN_ANY)
		hf_link_kick(&link->data);
	spin_lock_irqsave(&link->queue_lock, flags);
	measure_rate(link, now);
	msg = list_first_entry_or_null(&link->in_flight, struct hf_msg, entry);
	if (msg && now > msg->sent_ns && now - msg->sent_ns > hf_time_ns(HF_DEVICE_TIMEOUT_MS))
		device_silent = true;
	list_splice_init(&link->recopy, &recopy);
	spin_unlock_irqrestore(&link->queue_lock, flags);

	list_for_each_entry_safe_reverse(msg, next, &recopy, entry)
		hf_primary_again(link, msg);
	if (device_silent)
		hf_link_abort(link, HOLDFAST_DOWN_DEVICE_SILENT);
}

/* The link is stopped: nothing is in use by a socket; all that waits ends. */
void hf_primary_fail_all(struct hf_link *link)
{
	struct hf_msg *msg, *next;
	unsigned long flags;
	LIST_HEAD(ended);

	spin_lock_irqsave(&link->queue_lock, flags);
	list_splice_init(&link->in_flight, &ended);
	list_splice_tail_init(&link->recopy, &ended);
	list_splice_tail_init(&link->queued, &ended);
	link->in_flight_bytes = 0;
	spin_unlock_irqrestore(&link->queue_lock, flags);
	list_for_each_entry_safe(msg, next, &ended, entry) {
		list_del_init(&msg->entry);
		hf_primary_end_msg(link, msg, -ENOTCONN);
	}
}

/* ------------------------------------------------------------ load, unload */

static void *alloc_copy(gfp_t gfp, void *data)
{
	return kvmalloc(HF_MAX_IO_BYTES, GFP_NOIO | __GFP_NORETRY | __GFP_NOWARN);
}

static void free_copy(void *copy, void *data)
{
	kvfree(copy);
}

int hf_send_init(void)
{
	copy_pool = mempool_create(1, alloc_copy, free_copy, NULL);
	return copy_pool ? 0 : -ENOMEM;
}

void hf_send_exit(void)
{
	mempool_destroy(copy_pool);
	copy_pool = NULL;
}
