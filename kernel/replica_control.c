// SPDX-License-Identifier: GPL-2.0
/*
 * The control connection of the slot's end: takes hello, beacons and
 * configurations, answers them, and reports what the slot knows before it says
 * ready.  Whether a hello is right, and when the slot may serve, is replica.c's;
 * writes and copies are replica_io.c's.
 *
 * Rules: R1 (epochs travel in both directions), R3 ("holding since" is kept for
 * the agent).  Mistake 4: the connection's worker never waits; what needs
 * conf_lock or a disk is the setup or the offer work.
 *
 * Locks: link->state_lock guards the phase, the stamp and the offered
 * configuration; the offer work takes conf_lock.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "replica_io.h"

#include "event.h"
#include "replica.h"
#include "volume.h"

/* Log extents in one message; the payload limit has room for more. */
#define EXTENTS_PER_MESSAGE	512

/* --------------------------------------------------- control: what comes in */

static int on_hello(struct hf_replica *replica, struct hf_in *in)
{
	const char *why = "";

	if (hf_replica_phase(replica) != HF_REPLICA_NEW)
		return -EPROTO;
	if (hf_wire_hello_check(&in->hdr, in->buf, &replica->hello_conf,
				&replica->hello_version, &why)) {
		hf_recv_refused(replica->link, why);
		return -EPROTO;
	}
	replica->hello_term = in->wrong_term;
	replica->hello_stamp = le64_to_cpu(in->hdr.stamp);
	hf_replica_set_phase(replica, HF_REPLICA_CHECK);
	hf_replica_want_setup(replica, 0);
	return 0;
}

/* On hf_link_wq: adoption waits for conf_lock and for the metadata device. */
void hf_replica_offer_work(struct work_struct *work)
{
	struct hf_replica *replica = container_of(work, struct hf_replica, offer_work);
	struct hf_link *link = replica->link;
	struct hf_volume *vol = link->vol;
	struct hf_conf_data offered;
	unsigned int want = 0;
	unsigned long flags;
	int error = 0;
	u64 epoch;

	spin_lock_irqsave(&link->state_lock, flags);
	offered = replica->offered;
	spin_unlock_irqrestore(&link->state_lock, flags);

	hf_volume_lock(vol);
	if (vol->server_link != link || hf_link_state(link) == HOLDFAST_LINK_DOWN)
		goto unlock;
	epoch = hf_replica_epoch(link);
	if (offered.epoch > epoch)
		error = hf_conf_adopt(vol, &offered, true, NULL);
	epoch = hf_replica_epoch(link);
	if (!error && epoch >= offered.epoch) {
		want = HF_PENDING_CONF_ACK;
		spin_lock_irqsave(&link->state_lock, flags);
		link->acked_epoch = epoch;
		spin_unlock_irqrestore(&link->state_lock, flags);
	}
unlock:
	hf_volume_unlock(vol);
	if (want)
		hf_link_want(link, want);
	if (error)
		hf_link_abort(link, error == -EIO ? HOLDFAST_DOWN_DEVICE : HOLDFAST_DOWN_PROTOCOL);
	hf_link_put(link);
}

static int on_conf(struct hf_replica *replica, struct hf_in *in)
{
	struct hf_link *link = replica->link;
	struct hf_conf_data conf;
	const char *why = "";
	unsigned long flags;

	if (hf_wire_conf_check(&in->hdr, in->buf, &conf, &why)) {
		hf_recv_refused(link, why);
		return -EPROTO;
	}
	spin_lock_irqsave(&link->state_lock, flags);
	replica->offered = conf;
	spin_unlock_irqrestore(&link->state_lock, flags);
	hf_link_get(link);
	if (!queue_work(hf_link_wq, &replica->offer_work))
		hf_link_put(link);
	return 0;
}

static int control_message(struct hf_conn *conn, struct hf_in *in)
{
	struct hf_link *link = conn->link;
	struct hf_replica *replica = link->replica;

	if (!hf_recv_control_crc_ok(in))
		return -EBADMSG;
	hf_link_heard(link);
	if (in->hdr.opcode == HF_OP_HELLO)
		return on_hello(replica, in);
	if (hf_replica_phase(replica) < HF_REPLICA_DRAIN) {
		hf_recv_refused(link, "message before hello was answered");
		return -EPROTO;
	}
	hf_replica_note(link, &in->hdr);
	switch (in->hdr.opcode) {
	case HF_OP_BEACON:
		WRITE_ONCE(replica->holding_ms, le32_to_cpu(in->hdr.holding_ms));
		hf_link_want(link, HF_PENDING_BEACON_ACK);
		return 0;
	case HF_OP_CONF:
		return on_conf(replica, in);
	case HF_OP_CONF_ACK:
		return 0;
	}
	return -EPROTO;
}

/* --------------------------------------------------- control: what goes out */

static void begin_answer(struct hf_link *link, struct hf_out *out, u8 opcode)
{
	hf_send_hdr(link, out, opcode, hf_replica_epoch(link));
	out->hdr.stamp = cpu_to_le64(hf_replica_stamp(link));
}

static void build_extents(struct hf_conn *conn, struct hf_out *out)
{
	struct hf_replica *replica = conn->link->replica;
	__le64 *to = conn->out_buf;
	unsigned int nr;

	nr = min_t(u64, replica->nr_extents - replica->reported, EXTENTS_PER_MESSAGE);
	for (unsigned int i = 0; i < nr; i++) {
		u64 at = replica->reported + i;

		to[i] = cpu_to_le64(replica->all_extents ? at : replica->extents[at]);
	}
	replica->reported += nr;
	begin_answer(conn->link, out, HF_OP_EXTENTS);
	hf_send_payload(out, to, nr * sizeof(*to));
}

/* False: no more own bits. */
static bool build_own_bits(struct hf_conn *conn, struct hf_out *out)
{
	struct hf_replica *replica = conn->link->replica;
	struct hf_slot *slot = replica->slot;
	u64 size = hf_slot_size_bytes(slot);
	u64 start, end, range;
	u32 bytes;

	if (replica->own_from >= size ||
	    !hf_slot_next_dirty(slot, hf_slot_nr(slot), replica->own_from, &start, &end))
		return false;
	range = min_t(u64, size - start, HF_WIRE_MAX_BITS_RANGE);
	bytes = hf_wire_bits_bytes(range, hf_slot_granule_shift(slot));
	hf_slot_export_dirty(slot, hf_slot_nr(slot), start, conn->out_buf,
			     DIV_ROUND_UP_ULL(range, 1ull << hf_slot_granule_shift(slot)));
	replica->own_from = start + range;
	begin_answer(conn->link, out, HF_OP_OWN_BITS);
	out->hdr.offset = cpu_to_le64(start);
	out->hdr.range_len = cpu_to_le32(range);
	hf_send_payload(out, conn->out_buf, bytes);
	return true;
}

/* One part of the report a turn; beacons go between them. */
static bool build_report(struct hf_conn *conn, struct hf_out *out)
{
	struct hf_replica *replica = conn->link->replica;
	struct hf_link *link = conn->link;

	if (replica->reported < replica->nr_extents) {
		build_extents(conn, out);
	} else if (!build_own_bits(conn, out)) {
		if (!hf_link_set_state(link, HOLDFAST_LINK_READY))
			return false;
		hf_replica_set_phase(replica, HF_REPLICA_READY);
		hf_slot_took_part(replica->slot, link->term);
		begin_answer(link, out, HF_OP_READY);
		return true;
	}
	hf_link_want(link, HF_PENDING_REPORT);
	return true;
}

static void build_hello_ack(struct hf_conn *conn, struct hf_out *out)
{
	struct hf_replica *replica = conn->link->replica;

	begin_answer(conn->link, out, HF_OP_HELLO_ACK);
	out->hdr.status = replica->status;
	hf_send_payload(out, &replica->ack, sizeof(replica->ack));
}

static void build_conf(struct hf_conn *conn, struct hf_out *out)
{
	struct hf_wire_conf *wire = conn->out_buf;
	struct hf_link *link = conn->link;
	unsigned long flags;

	spin_lock_irqsave(&link->state_lock, flags);
	*wire = link->conf;
	spin_unlock_irqrestore(&link->state_lock, flags);
	begin_answer(link, out, HF_OP_CONF);
	out->hdr.epoch = wire->epoch;
	hf_send_payload(out, wire, sizeof(*wire));
}

static void build_conf_ack(struct hf_conn *conn, struct hf_out *out)
{
	struct hf_link *link = conn->link;
	unsigned long flags;
	u64 epoch;

	spin_lock_irqsave(&link->state_lock, flags);
	epoch = link->acked_epoch;
	spin_unlock_irqrestore(&link->state_lock, flags);
	begin_answer(link, out, HF_OP_CONF_ACK);
	out->hdr.epoch = cpu_to_le64(epoch);
}

static bool next_control(struct hf_conn *conn, struct hf_out *out)
{
	struct hf_link *link = conn->link;
	unsigned int allowed = HF_PENDING_HELLO_ACK;

	if (link->replica->hello_answered)
		allowed = ~0u;
	switch (hf_send_take_pending(link, allowed)) {
	case HF_PENDING_HELLO_ACK:
		build_hello_ack(conn, out);
		return true;
	case HF_PENDING_BEACON_ACK:
		begin_answer(link, out, HF_OP_BEACON_ACK);
		return true;
	case HF_PENDING_CONF:
		build_conf(conn, out);
		return true;
	case HF_PENDING_CONF_ACK:
		build_conf_ack(conn, out);
		return true;
	case HF_PENDING_REPORT:
		return build_report(conn, out);
	}
	return false;
}

static void control_sent(struct hf_conn *conn, struct hf_out *out)
{
	struct hf_replica *replica = conn->link->replica;

	switch (out->hdr.opcode) {
	case HF_OP_HELLO_ACK:
		replica->hello_answered = true;
		if (replica->status != HF_ST_OK)
			hf_link_abort(conn->link, HOLDFAST_DOWN_REFUSED);
		break;
	case HF_OP_READY:
		hf_event(conn->link->vol, HOLDFAST_EVENT_LINK, conn->link->slot_nr);
		break;
	}
}

const struct hf_conn_ops hf_replica_control_ops = {
	.next		= next_control,
	.sent		= control_sent,
	.header		= hf_recv_control_header,
	.message	= control_message,
};
