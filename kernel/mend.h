/* SPDX-License-Identifier: GPL-2.0 */
/* Ranges that a slot could not read are written anew from one that could (R11). */
#ifndef _HOLDFAST_MEND_H
#define _HOLDFAST_MEND_H

#include <linux/types.h>

struct hf_disk;

enum {
	HF_MENDS	= 16,	/* ranges that wait; more are found by the next read */
};

/* One range, and the slots that could not read it. */
struct hf_mend {
	u64	offset;
	u32	length;
	u8	bad_mask;
};

/* serve_lock held: have the range written to these slots by mend_work. */
void hf_mend_want(struct hf_disk *disk, u8 bad_mask, u64 offset, u32 length);
/* mend_work. */
void hf_mend_run(struct hf_disk *disk);

#endif /* _HOLDFAST_MEND_H */
