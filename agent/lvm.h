/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between lvm.c, which runs lvm, and storage_lvm.c, which says what for. */
#ifndef AGENT_LVM_H
#define AGENT_LVM_H

#include "disks.h"
#include "lvm_report.h"
#include "storage.h"

enum { LVM_MAX_WORDS = 32 };

/* A drive where it is now. */
struct lvm_at {
	const struct storage_drive	*drive;
	struct disk			disk;
	char				pv[DISK_PV_BYTES];	/* without dashes */
	char				vg[32];
};

/* Names of the drive, without looking for its disk. */
void lvm_name(const struct storage_drive *drive, struct lvm_at *at);
/* Look for its disk. 0, -ENODEV and a sentence. */
int lvm_find(const struct storage_drive *drive, struct lvm_at *at, char *why, size_t why_len);

/*
 * Run "lvm COMMAND…" on the disk of @at alone; @words end with NULL. 0, or
 * -errno and lvm's own last sentence: -ENOSPC when lvm says that there is no
 * room, -EBUSY when something is in use, -ETIMEDOUT, -ENOEXEC when lvm is not
 * installed, -EIO else.
 */
int lvm_run(const struct lvm_at *at, char *why, size_t why_len, const char *command,
	    const char *const words[]);
int lvm_list(const struct lvm_at *at, struct lvm_lvs *lvs, char *why, size_t why_len);
/* -ENOENT: there is no such group. */
int lvm_group(const struct lvm_at *at, struct lvm_vg *vg, char *why, size_t why_len);

/* Geometry of a thin pool in a group of so many free bytes; pure. */
struct lvm_pool {
	uint64_t	data_bytes;
	uint64_t	meta_bytes;	/* of the pool's own metadata, kept twice */
	unsigned int	chunk_kib;
};
void lvm_pool_geometry(uint64_t free_bytes, uint64_t extent_bytes, struct lvm_pool *pool);

#endif /* AGENT_LVM_H */
