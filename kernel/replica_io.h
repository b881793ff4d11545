/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The inside of the slot's end of a link: replica.c has its life and
 * opening, replica_control.c the control connection, replica_io.c the data
 * connection.
 */
#ifndef _HOLDFAST_REPLICA_IO_H
#define _HOLDFAST_REPLICA_IO_H

#include <linux/mempool.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "link_impl.h"
#include "slot.h"

enum {
	HF_REPLICA_MAX_REQUESTS	= 256,
	HF_REPLICA_MAX_BYTES	= 8 * HF_MAX_IO_BYTES,
	HF_REPLICA_INLINE_VECS	= 2,
};

/**
 * enum hf_replica_phase - how far the opening of a link is, on the slot's end
 * @HF_REPLICA_NEW: no hello yet
 * @HF_REPLICA_CHECK: hello is here, the setup work judges it
 * @HF_REPLICA_REFUSED: the answer says no; the link ends after it
 * @HF_REPLICA_DRAIN: accepted; waits for earlier backing I/O and promises
 * @HF_REPLICA_REPORT: sends logged extents and own bits, then ready
 * @HF_REPLICA_READY: serves
 */
enum hf_replica_phase {
	HF_REPLICA_NEW,
	HF_REPLICA_CHECK,
	HF_REPLICA_REFUSED,
	HF_REPLICA_DRAIN,
	HF_REPLICA_REPORT,
	HF_REPLICA_READY,
};

/**
 * struct hf_replica - the slot's end of one link
 *
 * Life and owner: its link's. A queued setup or offer work holds a reference
 * on the link, since they may wait for conf_lock longer than the link lives.
 */
struct hf_replica {
	struct hf_link		*link;		/* const */
	enum hf_replica_phase	phase;		/* link->state_lock */
	struct hf_slot		*slot;		/* set with DRAIN, then const; a reference */
	u32			primary_node;	/* set with DRAIN, then const */
	u64			primary_instance;

	struct delayed_work	setup_work;
	struct wait_queue_entry	drained;	/* in the slot's drain queue while waiting */
	bool			waiting;	/* conf_lock: drained is in the queue */
	struct hf_conf_data	hello_conf;	/* const from CHECK on */
	bool			hello_term;	/* ... the hello's term was another */
	u8			hello_version;
	u64			hello_stamp;
	u8			status;		/* const from the answer on */
	struct hf_wire_hello_ack ack;

	u32			*extents;	/* set with REPORT; then control worker */
	unsigned int		nr_extents;
	bool			all_extents;	/* every one: the log was unreadable */
	u64			reported;	/* extents so far */
	u64			own_from;	/* own bits are reported up to here */
	bool			hello_answered;	/* control worker */

	struct work_struct	offer_work;
	struct hf_conf_data	offered;	/* link->state_lock: newest conf from the primary */
	u32			holding_ms;	/* any */
	bool			failure_seen;	/* tick work */

	mempool_t		requests;
	mempool_t		pages;
	mempool_t		vecs;
	atomic_t		nr_requests;
	atomic_long_t		bytes;
	bool			stalled;	/* the data worker waits for room */
};

/**
 * struct hf_replica_io - one message of the primary, from header to answer
 * @io: what the slot does for it
 * @length: bytes of payload, of the message or of its answer
 * @pages of @vecs: belong to the link's pool, and to @io while that runs (R15)
 *
 * Owner: the data connection's worker until it is submitted; the slot until
 * the end of @io; then the queue of answers, and the data worker again. Holds a
 * reference on the link.
 */
struct hf_replica_io {
	struct hf_link		*link;
	struct hf_slot_io	io;
	struct list_head	entry;		/* link->queued */
	struct work_struct	work;		/* BITS; and to be freed after "stopped" */
	u64			cookie;
	u8			opcode;
	u8			bits_slot;
	u8			status;
	bool			counted;
	unsigned int		length;
	unsigned int		nr_vecs;	/* with a page */
	struct bio_vec		*vecs;
	struct bio_vec		inline_vecs[HF_REPLICA_INLINE_VECS];
	void			*bits;		/* BITS, READ_BITS: payload */
};

extern const struct hf_conn_ops hf_replica_control_ops;
extern const struct hf_conn_ops hf_replica_data_ops;

/* replica.c; any context */
void hf_replica_set_phase(struct hf_replica *replica, enum hf_replica_phase phase);
enum hf_replica_phase hf_replica_phase(struct hf_replica *replica);
void hf_replica_want_setup(struct hf_replica *replica, unsigned int delay_ms);
u64 hf_replica_epoch(struct hf_link *link);
void hf_replica_note(struct hf_link *link, const struct hf_wire_hdr *hdr);
u64 hf_replica_stamp(struct hf_link *link);

/* replica_control.c; on hf_link_wq, with a reference on the link */
void hf_replica_offer_work(struct work_struct *work);

/* replica_io.c */
int hf_replica_io_init(struct hf_replica *replica);
void hf_replica_io_destroy(struct hf_replica *replica);
void hf_replica_io_stopped(struct hf_link *link);
void hf_replica_io_unstall(struct hf_replica *replica);

#endif /* _HOLDFAST_REPLICA_IO_H */
