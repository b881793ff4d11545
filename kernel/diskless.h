/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Serving without a slot of its own in the set (R11): what has to happen before
 * the other slots alone have what was completed, and which of them is relied on.
 */
#ifndef _HOLDFAST_DISKLESS_H
#define _HOLDFAST_DISKLESS_H

#include <linux/types.h>

struct bio_vec;
struct hf_disk;

/*
 * settle_work. The own slot left the set: waits for the answers to what was
 * sent without FUA, has every slot of the set flush, and lets completions go on.
 * Gives up if it cannot; a link that becomes ready and a new epoch queue it again.
 */
void hf_diskless_settle(struct hf_disk *disk);

/*
 * serve_lock held. R7: the slot that the others are made equal to, the same one
 * for the whole term; -1: none of those that are linked may be it now.
 */
int hf_diskless_reference(struct hf_disk *disk);

#endif /* _HOLDFAST_DISKLESS_H */
