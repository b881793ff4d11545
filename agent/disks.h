/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disks of this machine: which carry a physical volume, which are free, and
 * where a mapped volume is.  All from sysfs and the disks themselves, so that
 * nothing depends on udev's links.  Everything here blocks.
 */
#ifndef AGENT_DISKS_H
#define AGENT_DISKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DISK_NAME_BYTES	= 32,
	DISK_PATH_BYTES	= 64,
	DISK_PV_BYTES	= 33,	/* 32 characters, without dashes, and a NUL */
	DISKS_MAX	= 16,	/* free ones in a list */
};

#define DISK_MIN_BYTES	(256ull << 20)	/* of a drive */

/* A block device: "sdb", "/dev/sdb". */
struct disk {
	char		name[DISK_NAME_BYTES];
	char		path[DISK_PATH_BYTES];
	uint64_t	bytes;
	bool		rotational;
};

/*
 * The device with the physical volume @pv; of a multipath device the whole, not
 * one of its paths. 0, -ENOENT, or -errno.
 */
int disks_find_pv(const char *pv, struct disk *disk);

/* What is known of a device by path. 0 or -errno. */
int disks_by_path(const char *path, struct disk *disk);

/* Whole disks that could be added, at most @max; returns how many. */
unsigned int disks_free(struct disk *disks, unsigned int max);

/* "/dev/dm-N" of the mapped device @name, if it is active. 0 or -ENOENT. */
int disks_find_mapped(const char *name, char *path, size_t size);

/*
 * The physical volume that the first 4 KiB of a device, @block, tell of: its
 * uuid without dashes. Pure.
 */
bool disks_read_label(const uint8_t *block, size_t len, char pv[DISK_PV_BYTES]);

#endif /* AGENT_DISKS_H */
