/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Backing devices of slots: check an operator's pair, make a slot on it, give
 * it back.  Everything here blocks: call it in the thread pool.
 */
#ifndef AGENT_BACKING_H
#define AGENT_BACKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BACKING_PATH_MAX	256
#define BACKING_WHY_MAX		256

/**
 * struct backing_info - a pair that can be used
 * @data_bytes, @meta_bytes: sizes of the devices
 * @volume_bytes: the largest volume that fits both, a multiple of 4 KiB
 * @data_path, @meta_path: the operator's paths, made absolute and free of links
 *	(a device under /dev keeps the name that was given: it may be a stable one)
 */
struct backing_info {
	uint64_t	data_bytes;
	uint64_t	meta_bytes;
	uint64_t	volume_bytes;
	bool		rotational;
	char		data_path[BACKING_PATH_MAX];
	char		meta_path[BACKING_PATH_MAX];
};

/**
 * struct backing_slot - a slot to make or to retire
 * @is_own: the devices were made for this slot alone: what their metadata says
 *	of another slot is a remnant of what lay there before
 * @is_zeroed: the data device reads as zeros from its making: none are written
 */
struct backing_slot {
	uint8_t		volume[16];
	uint32_t	node;
	uint8_t		slot_nr;
	uint64_t	incarnation;
	uint64_t	size_bytes;
	const char	*data_path;
	const char	*meta_path;
	bool		is_own;
	bool		is_zeroed;
};

/*
 * May the pair be used? Refused, with a sentence in @why: what does not exist,
 * is neither a block device nor a file, is mounted or swap, held by anybody,
 * carries a signature that libblkid knows, or is too small. Returns 0 or -errno.
 */
int backing_check(const char *data, const char *meta, struct backing_info *info, char *why,
		  size_t why_len);

/*
 * May the whole device be taken? Refused like a pair, and if it is smaller than
 * @min_bytes. @bytes is its size. Returns 0 or -errno.
 */
int backing_check_disk(const char *path, uint64_t min_bytes, uint64_t *bytes, char *why,
		       size_t why_len);

/* Does it look free, without opening it for good? For lists. */
bool backing_looks_free(const char *path);

/*
 * A file becomes a loop device with direct I/O; one that is there already for
 * this file is found again. @device (BACKING_PATH_MAX bytes) is the block device
 * for @path, which is @path itself if that is one. Returns 0 or -errno.
 */
int backing_device(const char *path, char *device, char *why, size_t why_len);

/* Detach the loop device of a file, if there is one and nobody holds it. */
void backing_release(const char *path);

/*
 * Zero the volume's range of the data device, check samples of it, then write
 * the metadata (R16). Metadata that is of this volume, slot and incarnation
 * already means that all was done: nothing is written. Returns 0 or -errno.
 */
int backing_make(const struct backing_slot *slot, char *why, size_t why_len);

/* Wipe the metadata if it is of this volume and incarnation. Returns 0 or -errno. */
int backing_retire(const struct backing_slot *slot, char *why, size_t why_len);

/*
 * Format without asking what was there (for the tool). @log_entries and
 * @extent_shift 0: the defaults.
 */
int backing_format(const struct backing_slot *slot, bool zero_data, uint32_t log_entries,
		   uint32_t extent_shift, char *why, size_t why_len);

#endif /* AGENT_BACKING_H */
