/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A link: the control and data connection between the primary and one slot,
 * at one term.  The primary's end sends messages and gets one answer each; the
 * slot's end is served by replica.c.
 */
#ifndef _HOLDFAST_LINK_H
#define _HOLDFAST_LINK_H

#include <linux/bio.h>
#include <linux/types.h>

#include "../uapi/holdfast.h"
#include "../uapi/holdfast_wire.h"

struct hf_link;
struct hf_volume;
struct hf_slot;
struct hf_conf;
struct netlink_ext_ack;

/**
 * struct hf_msg - one message of the primary on the data connection
 * @opcode: HF_OP_WRITE, DISCARD, ZEROES, COPY, COPY_ZERO, FLUSH, BITS, READ or
 *	READ_BITS
 * @reply_len: READ, READ_BITS: bytes that come back, into @bvecs from their
 *	first byte on; whoever shares them may write there meanwhile, so they are
 *	checked as they come, and on a difference received once more aside (R8)
 * @done: called exactly once: with 0 when the slot answered HF_ST_OK, -EIO for
 *	HF_ST_DEVICE, another -errno when it was refused, -ENOTCONN when the link
 *	went down before the answer (the outcome is unknown then). Process
 *	context, from a worker of the link, never from within hf_link_send(). No
 *	page of @bvecs is in the socket's queue any more (R15)
 * The payload checksum, the stamp and cookie are the link's own work; a
 * HF_ST_CHECKSUM answer is met by one resend from a private copy (R8) inside.
 *
 * Owner: the sender's request embeds it; the link has it from hf_link_send()
 * until @done.
 */
struct hf_msg {
	u8			opcode;
	u8			missing_mask;
	u8			bits_slot;	/* BITS: for which slot */
	bool			fua;
	bool			soft;		/* READ: an error fails no slot */
	u64			epoch;
	u64			seq;
	u64			offset;
	u32			range_len;
	u32			length;		/* bytes of payload */
	u32			reply_len;
	const struct bio_vec	*bvecs;
	unsigned int		nr_bvecs;
	unsigned int		bvec_done;
	void			(*done)(struct hf_msg *msg, int error);

	/* link.c, send.c alone */
	struct hf_link		*link;
	struct list_head	entry;
	u64			cookie;
	u64			queued_ns;	/* CLOCK_BOOTTIME */
	u64			sent_ns;	/* CLOCK_BOOTTIME, when it left the queue */
	void			*private_copy;	/* R8: what a resend reads instead of @bvecs */
};

/**
 * struct hf_link_ops - what the primary hears of a link
 * All are called in process context from workers of the link, without locks of
 * the link. hf_link_close() waits for these workers, also under conf_lock: so
 * none of them may take conf_lock, wait for a disk, or wait for the link.
 * @hello: the slot answered; facts are valid (hf_link_facts())
 * @extents: logged extents of the slot, in parts, before @ready
 * @own_bits: bits of the slot's bitmap for itself, in parts, before @ready
 * @ready: the slot is ready (R1); messages may be sent
 * @echo: a beacon was answered (held requests may go on)
 * @adopted: the slot confirmed @epoch
 * @conf: the slot sent a configuration of a higher epoch of this term (R1)
 * @down: the link is down, once; every message has had its @done
 */
struct hf_link_ops {
	void (*hello)(struct hf_link *link);
	void (*extents)(struct hf_link *link, const u32 *extents, unsigned int nr);
	void (*own_bits)(struct hf_link *link, u64 offset, const void *bits, unsigned int nr_bits);
	void (*ready)(struct hf_link *link);
	void (*echo)(struct hf_link *link);
	void (*adopted)(struct hf_link *link, u64 epoch);
	void (*conf)(struct hf_link *link, const struct hf_wire_conf *conf);
	void (*down)(struct hf_link *link, enum holdfast_down_reason reason);
};

/* What the hello-ack of a slot said; const from @hello on. */
struct hf_link_facts {
	u64	life;
	u64	incarnation;
	u64	size_bytes;
	u32	log_entries;
	u32	extent_shift;
	u32	granule_shift;
	u32	unmap_bytes;	/* unit that a discard frees there; 0: none (R16) */
	bool	unclean;
};

/* Values that go into every header of a link; any context. Filled by the primary. */
struct hf_link_tick {
	u64	epoch;
	u64	stable;
	u8	missing_mask;
	u32	holding_ms;
};

/*
 * Adopt two connected TCP sockets as the primary's end towards @slot_nr. The
 * returned link holds a reference on @vol; @owner comes back from
 * hf_link_owner(). Starts hello and beacons by itself; @tick is called for
 * beacons and message headers, under no lock, and must not sleep.
 */
struct hf_link *hf_link_open(struct hf_volume *vol, u8 slot_nr, u64 term, u64 link_id,
			     int fd_control, int fd_data, const struct hf_conf *conf,
			     const struct hf_link_ops *ops,
			     void (*tick)(void *owner, struct hf_link_tick *tick), void *owner,
			     struct netlink_ext_ack *extack);
/* Adopt the sockets as the slot's end; replica.c serves them. conf_lock held. */
int hf_link_serve(struct hf_volume *vol, u64 term, u64 link_id, int fd_control, int fd_data,
		  struct netlink_ext_ack *extack);

/*
 * Queue @msg; any context, also under a spinlock. @msg->done follows in every
 * case, later and from a worker.
 */
void hf_link_send(struct hf_link *link, struct hf_msg *msg);
/* Send @conf on the control connection; answered by ops->adopted. Any context. */
void hf_link_send_conf(struct hf_link *link, const struct hf_conf *conf);
/* Begin to end the link; ops->down follows from its worker. Any context. */
void hf_link_abort(struct hf_link *link, enum holdfast_down_reason reason);
/* After down: wait for its workers, drop the owner's reference. Process context. */
void hf_link_close(struct hf_link *link);

/*
 * End of the lease from this slot, CLOCK_BOOTTIME ns; 0: none (R5). Counts from
 * ready on; stays as it is when the link goes down. Any context.
 */
u64 hf_link_lease_end(const struct hf_link *link);
/* R13: no echo of a stamp taken before now counts any more. */
void hf_link_release_lease(struct hf_link *link);

void *hf_link_owner(const struct hf_link *link);
u8 hf_link_slot_nr(const struct hf_link *link);
u64 hf_link_id(const struct hf_link *link);
u64 hf_link_term(const struct hf_link *link);
enum holdfast_link_state hf_link_state(const struct hf_link *link);
enum holdfast_down_reason hf_link_reason(const struct hf_link *link);
const struct hf_link_facts *hf_link_facts(const struct hf_link *link);

/* Load and unload. Process context. */
int hf_link_init(void);
void hf_link_exit(void);

#endif /* _HOLDFAST_LINK_H */
