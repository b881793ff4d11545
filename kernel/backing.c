// SPDX-License-Identifier: GPL-2.0
/*
 * Opens and closes the backing devices of a slot.  What is read or written on
 * them is meta.c's and slot.c's; what differs between kernels is compat.h's.
 * No rule of the protocol, no lock.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "backing.h"

#include <linux/slab.h>

int hf_backing_open(struct hf_backing *backing, const char *path, void *holder,
		    struct netlink_ext_ack *extack)
{
	int error;

	backing->path = kstrdup(path, GFP_KERNEL);
	if (!backing->path)
		return -ENOMEM;
	error = hf_compat_bdev_open(path, holder, &backing->bdev);
	if (!error)
		return 0;
	switch (error) {
	case -EBUSY:
		NL_SET_ERR_MSG(extack, "The device is mounted or held by someone else");
		break;
	case -ENOTBLK:
		NL_SET_ERR_MSG(extack, "The path is not a block device");
		break;
	default:
		NL_SET_ERR_MSG(extack, "The device cannot be opened");
	}
	kfree(backing->path);
	backing->path = NULL;
	return error;
}

void hf_backing_close(struct hf_backing *backing)
{
	hf_compat_bdev_close(&backing->bdev);
	kfree(backing->path);
	backing->path = NULL;
}

u64 hf_backing_bytes(const struct hf_backing *backing)
{
	return bdev_nr_bytes(backing->bdev.bdev);
}
