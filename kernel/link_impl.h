/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The inside of a link, for link.c (life), link_facts.c (questions), send.c and
 * recv.c (the two step machines and the primary's end of the protocol) and
 * replica.c (the slot's end); debugfs.c looks.  Nobody else includes this.
 */
#ifndef _HOLDFAST_LINK_IMPL_H
#define _HOLDFAST_LINK_IMPL_H

#include "link.h"

#include <linux/completion.h>
#include <linux/kref.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "lease.h"
#include "wire.h"

struct hf_conn;
struct socket;

enum {
	HF_CONTROL_PAYLOAD_MAX	= HF_WIRE_MAX_CONTROL,
	HF_WINDOW_MIN_BYTES	= 2 * HF_MAX_IO_BYTES,
	HF_WINDOW_MAX_BYTES	= 16 * HF_MAX_IO_BYTES,
};

/**
 * struct hf_out - the message that a connection is sending
 * @hdr: built when the message leaves its queue, so that its stamp is read
 *	before the socket gets any of it (R5)
 * @owner: struct hf_msg, or struct hf_replica_io whose data this is; NULL for a
 *	message without an owner
 *
 * Life: as long as the connection. The connection's worker alone touches it.
 */
struct hf_out {
	struct hf_wire_hdr	hdr;
	unsigned int		hdr_done;
	unsigned int		length;
	unsigned int		length_done;
	const void		*buf;		/* payload, or: */
	const struct bio_vec	*bvecs;
	unsigned int		nr_bvecs;
	unsigned int		bvec_done;
	void			*owner;
	bool			busy;
	bool			more;		/* another one follows at once */
};

/**
 * struct hf_in - the message that a connection is receiving
 * @buf: where the payload goes, or @bvecs
 * @owner: struct hf_replica_io on the slot's data connection, on the primary's the
 *	struct hf_msg that DATA answers
 *
 * Life: as long as the connection. The connection's worker alone touches it.
 */
struct hf_in {
	struct hf_wire_hdr	hdr;
	unsigned int		hdr_done;
	bool			accepted;	/* the header was checked, room is there */
	bool			wrong_term;	/* a hello of another term */
	unsigned int		length;
	unsigned int		length_done;
	void			*buf;
	const struct bio_vec	*bvecs;
	unsigned int		nr_bvecs;
	void			*owner;
};

/**
 * struct hf_conn_ops - what a connection's worker asks of its end and kind
 * @next: fill in the next message to send; false: there is none
 * @sent: the message went to the socket whole
 * @header: a header came in and passed the checks of wire.c; says where the
 *	payload goes. -EAGAIN: no room now, ask again when kicked; other errors
 *	end the link
 * @message: the message came in whole; an error ends the link
 */
struct hf_conn_ops {
	bool (*next)(struct hf_conn *conn, struct hf_out *out);
	void (*sent)(struct hf_conn *conn, struct hf_out *out);
	int (*header)(struct hf_conn *conn, struct hf_in *in);
	int (*message)(struct hf_conn *conn, struct hf_in *in);
};

/**
 * struct hf_conn - one adopted socket
 *
 * Life and owner: part of its link. The worker steps both directions and never
 * sleeps on anything but the socket's lock and, on the data connection, memory.
 */
struct hf_conn {
	struct hf_link		*link;		/* const */
	const struct hf_conn_ops *ops;		/* const */
	struct workqueue_struct	*wq;		/* const */
	struct socket		*sock;		/* const until the link is stopped */
	bool			control;	/* const */
	bool			adopted;	/* callbacks are ours; open and stop alone */
	struct work_struct	work;
	struct hf_out		out;		/* worker only */
	struct hf_in		in;		/* worker only */
	void			*in_buf;	/* control: HF_CONTROL_PAYLOAD_MAX bytes */
	void			*out_buf;	/* control: the same; worker only */
	void			(*saved_data_ready)(struct sock *sk);	/* sk_callback_lock */
	void			(*saved_write_space)(struct sock *sk);	/* sk_callback_lock */
	void			(*saved_state_change)(struct sock *sk);	/* sk_callback_lock */
};

/* Control messages that wait to be sent; bits of hf_link.pending. */
enum hf_pending {
	HF_PENDING_HELLO	= 1 << 0,
	HF_PENDING_HELLO_ACK	= 1 << 1,
	HF_PENDING_BEACON	= 1 << 2,
	HF_PENDING_BEACON_ACK	= 1 << 3,
	HF_PENDING_CONF		= 1 << 4,
	HF_PENDING_CONF_ACK	= 1 << 5,
	HF_PENDING_REPORT	= 1 << 6,	/* extents, own bits, then ready */
};

/**
 * struct hf_link - the control and data connection to one slot, or from it
 *
 * Life: from hf_link_open() or hf_link_serve() to the last reference. The
 * opener (or the volume, see replica.h) holds one, each hf_replica_io one, the queued
 * setup work one. "Stopped" comes first and is final: sockets are given back,
 * every message has had its end, no worker of a connection runs.
 *
 * Locks: state_lock guards state, reason, pending and what they send;
 * queue_lock guards the message lists, and orders them against "started" and
 * "stopped".
 * Neither is held while taking the other, or while calling out.
 */
struct hf_link {
	struct kref		refs;
	struct hf_volume	*vol;		/* const, a reference */
	struct list_head	vol_entry;	/* vol->objects_lock */
	u64			term;		/* const */
	u64			id;		/* const */
	u8			slot_nr;	/* const */
	enum holdfast_role	role;		/* const */
	struct hf_conn		control;
	struct hf_conn		data;
	struct delayed_work	tick_work;
	struct work_struct	stop_work;
	struct completion	stopped_done;
	u64			opened_ns;	/* const */
	struct hf_wire_expect	expect;		/* set while opening; conn, dir: not used */

	spinlock_t		state_lock;	/* see above */
	enum holdfast_link_state state;		/* state_lock; written by set_state() alone */
	enum holdfast_down_reason reason;	/* state_lock */
	unsigned int		pending;	/* state_lock, enum hf_pending */
	u64			offered_epoch;	/* state_lock: of a conf by the slot */
	struct hf_wire_conf	conf;		/* state_lock: newest one to tell */
	u64			acked_epoch;	/* state_lock: for CONF_ACK */
	u64			heard_ns;	/* state_lock: last word on control */
	u64			stamp_newest;	/* state_lock: sent, or received (slot) */
	struct hf_lease		lease;		/* state_lock, primary */
	bool			lease_counts;	/* state_lock: has been ready (R5) */
	bool			data_crc;	/* any; payloads carry checksums */

	spinlock_t		queue_lock;	/* see above */
	bool			started;	/* queue_lock; no worker runs before */
	bool			stopped;	/* queue_lock */
	struct list_head	queued;		/* queue_lock: messages, or answers, to be sent */
	struct list_head	in_flight;	/* queue_lock, primary: not yet answered */
	struct list_head	recopy;		/* queue_lock, primary: wait for a private copy */
	u64			next_cookie;	/* queue_lock */
	u64			in_flight_bytes; /* queue_lock */
	u64			window_bytes;	/* queue_lock */
	u64			acked_bytes;	/* queue_lock: since rate_ns */
	u64			rate_ns;	/* queue_lock */

	/* The primary's end. */
	const struct hf_link_ops *ops;		/* const */
	void			(*tick)(void *owner, struct hf_link_tick *tick);	/* const */
	void			*owner;		/* const */
	struct hf_link_facts	facts;		/* const from WAITING on */

	/* The slot's end: replica.c. */
	struct hf_replica	*replica;	/* const */
};

/* link.c */
struct hf_link *hf_link_alloc(struct hf_volume *vol, enum holdfast_role role, u64 term, u64 id,
			      u8 slot_nr);
int hf_link_adopt_sockets(struct hf_link *link, int fd_control, int fd_data,
			  const struct hf_conn_ops *control_ops,
			  const struct hf_conn_ops *data_ops, struct netlink_ext_ack *extack);
void hf_link_start(struct hf_link *link);
struct hf_link *hf_link_get(struct hf_link *link);
void hf_link_put(struct hf_link *link);
bool hf_link_set_state(struct hf_link *link, enum holdfast_link_state to);
void hf_link_want(struct hf_link *link, unsigned int pending);
void hf_link_kick(struct hf_conn *conn);
void hf_link_heard(struct hf_link *link);
/* Ends @link and waits until it is stopped; bounded, takes no conf_lock. */
void hf_link_stop(struct hf_link *link, enum holdfast_down_reason reason);

extern struct workqueue_struct *hf_link_wq;	/* stop, setup and other waits */

/* What a message takes of the window, on its way there or back (R5). */
static inline u32 hf_msg_bytes(const struct hf_msg *msg)
{
	return msg->length + msg->reply_len;
}

/* send.c */
extern const struct hf_conn_ops hf_primary_control_ops;
extern const struct hf_conn_ops hf_primary_data_ops;
int hf_send_step(struct hf_conn *conn);		/* >0: did something; 0: nothing to do; <0 error */
void hf_send_hdr(struct hf_link *link, struct hf_out *out, u8 opcode, u64 epoch);
void hf_send_payload(struct hf_out *out, const void *buf, unsigned int length);
u32 hf_send_crc(const struct bio_vec *bvecs, unsigned int length, unsigned int done);
unsigned int hf_send_take_pending(struct hf_link *link, unsigned int allowed);
bool hf_primary_next_control(struct hf_conn *conn, struct hf_out *out);
bool hf_primary_next_data(struct hf_conn *conn, struct hf_out *out);
void hf_primary_sent(struct hf_conn *conn, struct hf_out *out);
void hf_primary_tick(struct hf_link *link, u64 now);
void hf_primary_fail_all(struct hf_link *link);
void hf_primary_again(struct hf_link *link, struct hf_msg *msg);
void hf_primary_end_msg(struct hf_link *link, struct hf_msg *msg, int error);
int hf_send_init(void);
void hf_send_exit(void);

/* recv.c */
int hf_recv_step(struct hf_conn *conn);		/* as hf_send_step() */
int hf_recv_control_header(struct hf_conn *conn, struct hf_in *in);
bool hf_recv_control_crc_ok(struct hf_in *in);
void hf_recv_refused(struct hf_link *link, const char *why);

/* replica.c */
void hf_replica_tick(struct hf_link *link, u64 now);
void hf_replica_stopped(struct hf_link *link);
void hf_replica_free(struct hf_link *link);

#endif /* _HOLDFAST_LINK_IMPL_H */
