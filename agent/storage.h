/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Storage of copies on drives, whatever makes it (lvm.c): a drive is made of a
 * disk, a slot is a data and a metadata device on it.  Every call may be
 * repeated after it was killed at any point, and goes on where that one was.
 * All of them block, some for a minute: they run one at a time, in the storage
 * queue (storage_queue.h).
 */
#ifndef AGENT_STORAGE_H
#define AGENT_STORAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	STORAGE_WHY_BYTES	= 256,
	STORAGE_NAME_BYTES	= 128,
	STORAGE_PATH_BYTES	= 256,
	STORAGE_DISK_BYTES	= 32,
	STORAGE_TIMEOUT_MS	= 120000,	/* of one step; scaled */
};

/**
 * struct storage_drive - which drive
 * @cluster: the first 8 bytes of its id: another cluster's drive is not ours
 */
struct storage_drive {
	uint32_t	id;
	uint8_t		cluster[8];
	bool		thick;
};

/**
 * struct storage_slot - which slot
 * @data_path, @meta_path: "/dev/GROUP/NAME", as the state has them
 * @tag: of what it is, for who looks at the machine: "volume.slot.incarnation"
 */
struct storage_slot {
	struct storage_drive	drive;
	uint64_t		data_bytes;
	uint64_t		meta_bytes;
	const char		*data_path;
	const char		*meta_path;
	char			tag[80];
};

/* A drive that was made: what slots may take of it. */
struct storage_made {
	uint64_t	data_bytes;
	uint64_t	meta_bytes;	/* 0: it is thick */
	bool		rotational;
	char		disk[STORAGE_DISK_BYTES];
};

/* Something that lies on a drive and is no part of the drive itself. */
struct storage_item {
	char		name[STORAGE_NAME_BYTES];
	uint64_t	bytes;
	uint64_t	used_bytes;	/* thin: what the pool gave to it; else all */
	bool		is_ours;
};

/**
 * struct storage_list - what is on a drive
 * @data_pct, @meta_pct: hundredths of a percent in use (thick: allocated)
 * @is_full: no data can be written to what has not been written before
 * Owner: the caller, storage_list_clear()
 */
struct storage_list {
	uint64_t		data_bytes;
	uint64_t		used_bytes;
	unsigned int		data_pct;
	unsigned int		meta_pct;
	bool			is_full;
	bool			rotational;
	char			disk[STORAGE_DISK_BYTES];
	unsigned int		count;
	struct storage_item	*items;
};

/* @pct: of time_scale, for the bound of a step. Once, before all else. */
void storage_set_scale(unsigned int pct);

/*
 * Make a drive of @device. Refused with -EPERM and a sentence if the device must
 * not be taken; any other error may be mended and tried again.
 */
int storage_drive_make(const struct storage_drive *drive, const char *device,
		       struct storage_made *made, char *why, size_t why_len);

/* Take away all of a drive, or what was begun. A disk that is not there is done. */
int storage_drive_wipe(const struct storage_drive *drive, char *why, size_t why_len);

/* -ENODEV: its disk is not there. */
int storage_drive_list(const struct storage_drive *drive, struct storage_list *list, char *why,
		       size_t why_len);
void storage_list_clear(struct storage_list *list);

/*
 * Both devices of a slot, made where they are not, and activated. Thin ones
 * read as zeros from the beginning (R16). -ENOSPC: the drive has no room.
 */
int storage_slot_create(const struct storage_slot *slot, char *why, size_t why_len);

/* Activated, and where they are: "/dev/dm-3". -ENOENT: there is no such slot. */
int storage_slot_open(const struct storage_slot *slot, char *data, char *meta, size_t size,
		      char *why, size_t why_len);

/* Where they are if they are active, without asking anybody. 0 or -ENOENT. */
int storage_slot_find(const struct storage_slot *slot, char *data, char *meta, size_t size);

/* Both devices are gone. -EBUSY: somebody holds one. -ENODEV: the disk is not there. */
int storage_slot_remove(const struct storage_slot *slot, char *why, size_t why_len);

/* To slot->data_bytes and meta_bytes, if they are smaller. */
int storage_slot_extend(const struct storage_slot *slot, char *why, size_t why_len);

/* A snapshot @name of the data device, on thin drives (-EOPNOTSUPP on thick). */
int storage_slot_snapshot(const struct storage_slot *slot, const char *name, char *why,
			  size_t why_len);

#endif /* AGENT_STORAGE_H */
