/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The two block devices of a slot: opened exclusively, by path, and closed
 * when no I/O of ours is at them any more.
 */
#ifndef _HOLDFAST_BACKING_H
#define _HOLDFAST_BACKING_H

#include <linux/blk_types.h>
#include <linux/bio.h>
#include <linux/completion.h>

#include "compat/compat.h"

struct netlink_ext_ack;

/**
 * struct hf_backing - one opened device
 *
 * Life and owner: part of its slot; closed when the slot's last reference goes.
 */
struct hf_backing {
	struct hf_compat_bdev	bdev;		/* const while the slot lives */
	char			*path;		/* const */
};

/* Process context, may sleep. @holder: any address of the opener's own. */
int hf_backing_open(struct hf_backing *backing, const char *path, void *holder,
		    struct netlink_ext_ack *extack);
void hf_backing_close(struct hf_backing *backing);
u64 hf_backing_bytes(const struct hf_backing *backing);

#endif /* _HOLDFAST_BACKING_H */
