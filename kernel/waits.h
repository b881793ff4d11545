/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What an operation of the disk waits for, in words for people.
 */
#ifndef _HOLDFAST_WAITS_H
#define _HOLDFAST_WAITS_H

#include <linux/types.h>

struct hf_disk;
struct hf_req;

enum {
	HF_WAITS_BYTES	= 160,	/* room for the longest text, with its end */
};

/* What an I/O of a slot waits for; enum hf_slot_stage. */
const char *hf_waits_stage(u8 stage);

/*
 * Writes what @req waits for now to @text, HF_WAITS_BYTES long. The work is
 * bounded by the operations in flight. serve_lock held; any context.
 */
void hf_waits_text(struct hf_disk *disk, const struct hf_req *req, char *text);

#endif /* _HOLDFAST_WAITS_H */
