/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Zeros on the data device of a slot (R16). For slot.c, attach.c and the
 * slot's own struct; nobody else includes this.
 */
#ifndef _HOLDFAST_ZERO_H
#define _HOLDFAST_ZERO_H

#include <linux/atomic.h>
#include <linux/bio.h>
#include <linux/completion.h>
#include <linux/list.h>
#include <linux/workqueue.h>

struct hf_slot;
struct hf_slot_io;

enum {
	HF_ZERO_BIOS	= 4,		/* of HF_MAX_IO_BYTES each, written at once */
	HF_ZERO_PIECE	= 64 << 10,	/* read back at once; the smallest unit of dm-thin */
};

struct hf_zeroer;

/* One request of a step. Owner: the worker; the device until its end. */
struct hf_zero_bio {
	struct bio		bio;
	struct hf_zeroer	*zeroer;
};

/**
 * struct hf_zeroer - the worker of a slot for zeros
 * @unit: a discard of whole units of so many bytes frees them, and they read as
 *	zeros; 0: none does, or nobody said so
 * @no_offload: the device refused REQ_OP_WRITE_ZEROES, though it offers it
 *
 * Life and owner: embedded in the slot. Each I/O in @queue holds a reference on
 * the slot.
 */
struct hf_zeroer {
	struct work_struct	work;
	struct list_head	queue;		/* log_lock: I/O to be done, by entry */
	u32			unit;		/* const after attach */
	bool			no_offload;	/* any */
	struct hf_zero_bio	*bios;		/* worker; HF_ZERO_BIOS of them */
	atomic_t		pending;	/* bios at the device */
	struct completion	done;		/* pending got 0 */
	blk_status_t		status;		/* any error of them */
	struct bio_vec		vecs[HF_ZERO_PIECE / PAGE_SIZE];	/* worker; pages const */
};

/* No bio alone does it. */
#define HF_ZERO_BY_WORKER	((__force blk_opf_t)REQ_OP_READ)

/*
 * The bio that does it: one without memory that has the device write zeros, or
 * a write of hf_zero_vecs(), which suffice for HF_MAX_IO_BYTES. Any context.
 */
blk_opf_t hf_zero_opf(const struct hf_slot *slot, const struct hf_slot_io *io);
const struct bio_vec *hf_zero_vecs(void);
/* Its end: the device cannot do that after all, and the worker is to do it. Any context. */
bool hf_zero_refused(struct hf_slot *slot, struct hf_slot_io *io, const struct bio *bio);
/* To the worker; @io is on no list. Any context. */
void hf_zero_queue(struct hf_slot *slot, struct hf_slot_io *io);

/* Process context: before anything else; after the devices are open; at the end. */
void hf_zero_init(struct hf_slot *slot);
int hf_zero_attach(struct hf_slot *slot, bool discard_zeroes);
void hf_zero_detach(struct hf_slot *slot);

int hf_zero_module_init(void);
void hf_zero_module_exit(void);

#endif /* _HOLDFAST_ZERO_H */
