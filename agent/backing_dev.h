/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Block devices by path: sizes, zeros, loop devices. Between the files of
 * backing and of the tool. Everything here blocks.
 */
#ifndef AGENT_BACKING_DEV_H
#define AGENT_BACKING_DEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* An open device. Owner: who opened it; backing_dev_close() ends it. */
struct backing_dev {
	int		fd;
	uint64_t	bytes;
	uint32_t	sector_bytes;
	bool		read_only;
	dev_t		rdev;
};

enum backing_open {
	BACKING_LOOK,		/* read only, others may hold it */
	BACKING_OWN,		/* exclusive, for writing */
};

/* Direct I/O. Returns 0 or -errno; -EBUSY: somebody holds it. */
int backing_dev_open(struct backing_dev *dev, const char *device, enum backing_open how);
void backing_dev_close(struct backing_dev *dev);

/* Write zeros, durable only after backing_dev_flush(). Returns 0 or -errno. */
int backing_dev_zero(const struct backing_dev *dev, uint64_t offset, uint64_t bytes);
int backing_dev_flush(const struct backing_dev *dev);

/*
 * Whole aligned reads and writes of @bytes; @buf from backing_dev_buffer().
 * Return 0 or -errno.
 */
int backing_dev_read(const struct backing_dev *dev, uint64_t offset, void *buf, size_t bytes);
int backing_dev_write(const struct backing_dev *dev, uint64_t offset, const void *buf,
		      size_t bytes);
void *backing_dev_buffer(size_t bytes);	/* zeroed, free() */

/* The loop device of file @path: found, or -ENOENT. @device has BACKING_PATH_MAX bytes. */
int backing_loop_find(const char *path, char *device);
/* Make one, with direct I/O where the filesystem can. Returns 0 or -errno. */
int backing_loop_make(const char *path, char *device);
/* Detach it; one that is held stays. Returns 0 or -errno. */
int backing_loop_detach(const char *device);

#endif /* AGENT_BACKING_DEV_H */
