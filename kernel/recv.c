// SPDX-License-Identifier: GPL-2.0
/*
 * Receiving on a link: the step machine that takes one message after the
 * other from a socket, straight into where its payload belongs, and what the
 * primary's end does with the answers of a slot.  The slot's end is replica.c.
 *
 * Rules: R5 (only stamps that this end sent are believed; the lease counts by
 * the stamp, never by the time of receipt), R8 (a wrong payload checksum, there
 * or here, is met by one resend; a bad header ends the link), Mistake 2 (an answer is
 * matched by a cookie that no other message of any link had).
 *
 * A peer is not trusted: every header goes through wire.c before a byte of
 * payload is read, and an error ends this link and nothing else.
 *
 * Locks: state_lock and queue_lock as struct hf_link says.  The message being
 * received belongs to the connection's worker.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "link_impl.h"

#include <linux/net.h>
#include <linux/ratelimit.h>
#include <linux/sched/mm.h>
#include <net/sock.h>

#include "main.h"
#include "trace.h"
#include "volume.h"

/* ---------------------------------------------------------- step machine */

/* >0: bytes; 0: nothing there now; <0: error, -ECONNRESET at the end of stream. */
static int recv_some(struct hf_conn *conn, struct msghdr *msg)
{
	int ret;

	msg->msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL;
	ret = sock_recvmsg(conn->sock, msg, msg->msg_flags);
	if (ret == -EAGAIN)
		return 0;
	if (ret == 0)
		return -ECONNRESET;
	return ret;
}

static int recv_buf(struct hf_conn *conn, void *buf, unsigned int length)
{
	struct kvec vec = { .iov_base = buf, .iov_len = length };
	struct msghdr msg = {};

	iov_iter_kvec(&msg.msg_iter, ITER_DEST, &vec, 1, length);
	return recv_some(conn, &msg);
}

static int recv_payload(struct hf_conn *conn, struct hf_in *in)
{
	struct msghdr msg = {};

	if (in->buf)
		return recv_buf(conn, (u8 *)in->buf + in->length_done,
				in->length - in->length_done);
	iov_iter_bvec(&msg.msg_iter, ITER_DEST, in->bvecs, in->nr_bvecs, in->length);
	iov_iter_advance(&msg.msg_iter, in->length_done);
	return recv_some(conn, &msg);
}

void hf_recv_refused(struct hf_link *link, const char *why)
{
	pr_info_ratelimited("%pUb slot %u: link ended: %s\n", &link->vol->uuid, link->slot_nr, why);
}

/* The checks of every header, before anything of the message is believed. */
static int check_header(struct hf_conn *conn, struct hf_in *in)
{
	struct hf_link *link = conn->link;
	struct hf_wire_expect expect = link->expect;
	const char *why = "";
	int ret;

	expect.conn = conn->control ? HF_WIRE_CONTROL : HF_WIRE_DATA;
	expect.dir = link->role == HOLDFAST_ROLE_SLOT ? HF_WIRE_TO_SLOT : HF_WIRE_TO_PRIMARY;
	ret = hf_wire_hdr_check(&in->hdr, &expect, &why);
	if (ret && ret != -ESTALE) {
		hf_recv_refused(link, why);
		return ret;
	}
	in->wrong_term = ret == -ESTALE;
	in->length = le32_to_cpu(in->hdr.length);
	return 0;
}

/*
 * Take what there is of one message. Connection's worker.
 * >0: did something; 0: nothing there, or no room for it; <0: error.
 */
int hf_recv_step(struct hf_conn *conn)
{
	struct hf_in *in = &conn->in;
	int ret;

	while (in->hdr_done < sizeof(in->hdr)) {
		ret = recv_buf(conn, (u8 *)&in->hdr + in->hdr_done,
			       sizeof(in->hdr) - in->hdr_done);
		if (ret <= 0)
			return ret;
		in->hdr_done += ret;
		if (in->hdr_done == sizeof(in->hdr)) {
			ret = check_header(conn, in);
			if (ret)
				return ret;
		}
	}
	if (!in->accepted) {
		ret = conn->ops->header(conn, in);
		if (ret == -EAGAIN)
			return 0;
		if (ret)
			return ret;
		in->accepted = true;
	}
	while (in->length_done < in->length) {
		ret = recv_payload(conn, in);
		if (ret <= 0)
			return ret;
		in->length_done += ret;
	}
	ret = conn->ops->message(conn, in);
	if (ret)
		return ret;
	memset(in, 0, sizeof(*in));
	return 1;
}

/* Control connection, both ends: the payload goes to the connection's buffer. */
int hf_recv_control_header(struct hf_conn *conn, struct hf_in *in)
{
	if (in->length > HF_CONTROL_PAYLOAD_MAX)
		return -EPROTO;
	in->buf = conn->in_buf;
	return 0;
}

/* Control connection, both ends: a wrong checksum here is a bad message. */
bool hf_recv_control_crc_ok(struct hf_in *in)
{
	return !in->length ||
	       hf_wire_crc_ok(&in->hdr, hf_wire_crc(HF_WIRE_CRC_INIT, in->buf, in->length));
}

/* ------------------------------------------------------- primary: answers */

/*
 * Every answer echoes the newest stamp that the slot has received (R5). A
 * stamp that was never sent would be a lease out of nothing.
 */
static int take_echo(struct hf_link *link, const struct hf_wire_hdr *hdr)
{
	u64 stamp = le64_to_cpu(hdr->stamp);
	unsigned long flags;
	bool ok;

	spin_lock_irqsave(&link->state_lock, flags);
	ok = stamp <= link->stamp_newest &&
	     hf_lease_echo(&link->lease, stamp, hf_boottime_ns());
	spin_unlock_irqrestore(&link->state_lock, flags);
	if (!ok)
		hf_recv_refused(link, "echo of a stamp that was not sent");
	return ok ? 0 : -EPROTO;
}

static int on_hello_ack(struct hf_link *link, struct hf_in *in)
{
	const struct hf_wire_hello_ack *ack = in->buf;
	struct hf_link_facts *facts = &link->facts;
	const char *why = "";

	if (hf_link_state(link) != HOLDFAST_LINK_OPENING)
		return -EPROTO;
	if (in->hdr.status != HF_ST_OK) {
		pr_info_ratelimited("%pUb slot %u: refused the link, status %u\n",
				    &link->vol->uuid, link->slot_nr, in->hdr.status);
		return in->hdr.status == HF_ST_DEVICE ? -EIO : -EREMOTEIO;
	}
	if (hf_wire_hello_ack_check(ack, &link->expect, &why)) {
		hf_recv_refused(link, why);
		return -EPROTO;
	}
	facts->life = le64_to_cpu(ack->life);
	facts->incarnation = le64_to_cpu(ack->incarnation);
	facts->size_bytes = le64_to_cpu(ack->size_bytes);
	facts->log_entries = le32_to_cpu(ack->log_entries);
	facts->extent_shift = le32_to_cpu(ack->extent_shift);
	facts->granule_shift = le32_to_cpu(ack->granule_shift);
	facts->unmap_bytes = le32_to_cpu(ack->unmap_bytes);
	facts->unclean = le32_to_cpu(ack->flags) & HF_HELLO_UNCLEAN;
	link->expect.version = in->hdr.version;
	link->expect.granule_shift = facts->granule_shift;
	if (!hf_link_set_state(link, HOLDFAST_LINK_WAITING))
		return -ENOTCONN;
	link->ops->hello(link);
	hf_link_want(link, HF_PENDING_BEACON);
	return 0;
}

static int on_extents(struct hf_link *link, struct hf_in *in)
{
	const __le64 *wire = in->buf;
	u32 *extents = in->buf;		/* narrowed in place: front to back is safe */
	const char *why = "";
	int nr, i;

	nr = hf_wire_extents_check(&in->hdr, wire, link->expect.volume_bytes,
				   link->facts.extent_shift, &why);
	if (nr < 0) {
		hf_recv_refused(link, why);
		return -EPROTO;
	}
	for (i = 0; i < nr; i++)
		extents[i] = (u32)le64_to_cpu(wire[i]);
	link->ops->extents(link, extents, nr);
	return 0;
}

static int on_own_bits(struct hf_link *link, struct hf_in *in)
{
	const char *why = "";
	int nr;

	nr = hf_wire_bits_check(&in->hdr, in->buf, link->facts.granule_shift, &why);
	if (nr < 0) {
		hf_recv_refused(link, why);
		return -EPROTO;
	}
	link->ops->own_bits(link, le64_to_cpu(in->hdr.offset), in->buf, nr);
	return 0;
}

static int on_ready(struct hf_link *link)
{
	unsigned long flags;

	spin_lock_irqsave(&link->state_lock, flags);
	link->lease_counts = true;
	spin_unlock_irqrestore(&link->state_lock, flags);
	if (!hf_link_set_state(link, HOLDFAST_LINK_READY))
		return -ENOTCONN;
	link->ops->ready(link);
	hf_link_kick(&link->data);
	return 0;
}

/* The slot's agent knew a newer epoch first (R1); its owner decides. */
static int on_conf(struct hf_link *link, struct hf_in *in)
{
	const struct hf_wire_conf *wire = in->buf;
	struct hf_conf_data conf;
	const char *why = "";
	unsigned long flags;

	if (hf_wire_conf_check(&in->hdr, wire, &conf, &why)) {
		hf_recv_refused(link, why);
		return -EPROTO;
	}
	spin_lock_irqsave(&link->state_lock, flags);
	link->offered_epoch = conf.epoch;
	spin_unlock_irqrestore(&link->state_lock, flags);
	link->ops->conf(link, wire);
	return 0;
}

/* What follows hello-ack comes in this order: all else, then ready, then no more lists. */
static bool in_order(const struct hf_link *link, u8 opcode)
{
	enum holdfast_link_state state = hf_link_state(link);

	switch (opcode) {
	case HF_OP_HELLO_ACK:
		return state == HOLDFAST_LINK_OPENING;
	case HF_OP_EXTENTS:
	case HF_OP_OWN_BITS:
	case HF_OP_READY:
		return state == HOLDFAST_LINK_WAITING;
	default:
		return state == HOLDFAST_LINK_WAITING || state == HOLDFAST_LINK_READY;
	}
}

static int primary_control_message(struct hf_conn *conn, struct hf_in *in)
{
	struct hf_link *link = conn->link;
	int ret;

	if (!hf_recv_control_crc_ok(in))
		return -EBADMSG;
	if (!in_order(link, in->hdr.opcode)) {
		/* A link that went down meanwhile is no fault of the slot's. */
		if (hf_link_state(link) == HOLDFAST_LINK_DOWN)
			return -ENOTCONN;
		hf_recv_refused(link, "message out of order");
		return -EPROTO;
	}
	ret = take_echo(link, &in->hdr);
	if (ret)
		return ret;
	hf_link_heard(link);
	switch (in->hdr.opcode) {
	case HF_OP_HELLO_ACK:
		return on_hello_ack(link, in);
	case HF_OP_EXTENTS:
		return on_extents(link, in);
	case HF_OP_OWN_BITS:
		return on_own_bits(link, in);
	case HF_OP_READY:
		return on_ready(link);
	case HF_OP_BEACON_ACK:
		link->ops->echo(link);
		return 0;
	case HF_OP_CONF:
		return on_conf(link, in);
	case HF_OP_CONF_ACK:
		link->ops->adopted(link, le64_to_cpu(in->hdr.epoch));
		return 0;
	}
	return -EPROTO;
}

/* This worker alone takes messages from the list while the link lives. */
static struct hf_msg *find_asked(struct hf_link *link, u64 cookie)
{
	struct hf_msg *msg, *found = NULL;
	unsigned long flags;

	spin_lock_irqsave(&link->queue_lock, flags);
	list_for_each_entry(msg, &link->in_flight, entry) {
		if (msg->cookie == cookie) {
			found = msg;
			break;
		}
	}
	spin_unlock_irqrestore(&link->queue_lock, flags);
	return found;
}

static void take_answered(struct hf_link *link, struct hf_msg *msg)
{
	unsigned long flags;

	spin_lock_irqsave(&link->queue_lock, flags);
	list_del_init(&msg->entry);
	link->in_flight_bytes -= hf_msg_bytes(msg);
	link->acked_bytes += hf_msg_bytes(msg);
	spin_unlock_irqrestore(&link->queue_lock, flags);
}

/*
 * The message that this is the answer to, in the form that it has when all is
 * well or not. DATA goes straight into the pages of the request (R15: they are
 * the link's until the message's end, which this worker brings about).
 */
static int primary_data_header(struct hf_conn *conn, struct hf_in *in)
{
	struct hf_link *link = conn->link;
	bool data = in->hdr.opcode == HF_OP_DATA;
	struct hf_msg *msg;

	msg = find_asked(link, le64_to_cpu(in->hdr.cookie));
	if (!msg) {
		hf_recv_refused(link, "answer to no message");
		return -EPROTO;
	}
	/* An answer to what is still being sent was not read by an honest slot. */
	if (conn->out.busy && conn->out.owner == msg) {
		hf_recv_refused(link, "answer to a message that was not sent whole");
		return -EPROTO;
	}
	if (in->length != (data ? msg->reply_len : 0) ||
	    (msg->reply_len && !data && in->hdr.status == HF_ST_OK)) {
		hf_recv_refused(link, "answer with other data than was asked for");
		return -EPROTO;
	}
	in->owner = msg;
	in->buf = data ? msg->private_copy : NULL;
	in->bvecs = msg->bvecs;
	in->nr_bvecs = msg->nr_bvecs;
	return 0;
}

static bool is_intact(const struct hf_in *in)
{
	if (!in->length || !(le16_to_cpu(in->hdr.flags) & HF_WIRE_HAS_CRC))
		return true;
	return hf_wire_crc_ok(&in->hdr, in->buf ?
			      hf_wire_crc(HF_WIRE_CRC_INIT, in->buf, in->length) :
			      hf_send_crc(in->bvecs, in->length, 0));
}

static int primary_data_message(struct hf_conn *conn, struct hf_in *in)
{
	struct hf_link *link = conn->link;
	const struct hf_wire_hdr *hdr = &in->hdr;
	struct hf_msg *msg = in->owner;
	u8 status = hdr->status;
	bool soft = msg->soft;
	int error;

	error = take_echo(link, hdr);
	if (error)
		return error;
	take_answered(link, msg);
	if (!is_intact(in))
		status = HF_ST_CHECKSUM;
	if (status == HF_ST_CHECKSUM && hf_msg_bytes(msg) && !msg->private_copy) {
		hf_primary_again(link, msg);
		return 0;
	}
	error = hf_wire_status_errno(status);
	hf_primary_end_msg(link, msg, error);
	if (status == HF_ST_CHECKSUM)
		hf_link_abort(link, HOLDFAST_DOWN_CHECKSUM);
	else if (status == HF_ST_DEVICE && !soft)
		hf_link_abort(link, HOLDFAST_DOWN_DEVICE);
	return 0;
}

const struct hf_conn_ops hf_primary_control_ops = {
	.next		= hf_primary_next_control,
	.header		= hf_recv_control_header,
	.message	= primary_control_message,
};

const struct hf_conn_ops hf_primary_data_ops = {
	.next		= hf_primary_next_data,
	.sent		= hf_primary_sent,
	.header		= primary_data_header,
	.message	= primary_data_message,
};
