// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Block devices by path, and loop devices for files.  All I/O is direct, so
 * that what is read back was on the device and nothing stays in a page cache
 * beside the module's own I/O.  Decides nothing; blocks.
 */
#include "backing_dev.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/fs.h>
#include <linux/loop.h>

#include "backing.h"

#define ZERO_STEP_BYTES		(64ull << 20)
#define ZERO_BUFFER_BYTES	(1u << 20)
#define BUFFER_ALIGN		4096
#define LOOP_TRIES		16

int backing_dev_open(struct backing_dev *dev, const char *device, enum backing_open how)
{
	int flags = O_CLOEXEC | O_DIRECT, sector = 0, read_only = 0, err;
	struct stat st;

	memset(dev, 0, sizeof(*dev));
	flags |= how == BACKING_OWN ? O_RDWR | O_EXCL : O_RDONLY;
	dev->fd = open(device, flags);
	if (dev->fd < 0)
		return -errno;

	if (fstat(dev->fd, &st) || !S_ISBLK(st.st_mode)) {
		err = -ENOTBLK;
		goto fail;
	}
	if (ioctl(dev->fd, BLKGETSIZE64, &dev->bytes) || ioctl(dev->fd, BLKSSZGET, &sector) ||
	    ioctl(dev->fd, BLKROGET, &read_only)) {
		err = -errno;
		goto fail;
	}
	dev->rdev = st.st_rdev;
	dev->sector_bytes = (uint32_t)sector;
	dev->read_only = read_only;
	return 0;
fail:
	backing_dev_close(dev);
	return err;
}

void backing_dev_close(struct backing_dev *dev)
{
	if (dev->fd >= 0)
		close(dev->fd);
	dev->fd = -1;
}

void *backing_dev_buffer(size_t bytes)
{
	void *buf;

	if (posix_memalign(&buf, BUFFER_ALIGN, bytes))
		return NULL;
	memset(buf, 0, bytes);
	return buf;
}

int backing_dev_read(const struct backing_dev *dev, uint64_t offset, void *buf, size_t bytes)
{
	size_t done = 0;
	ssize_t n;

	while (done < bytes) {
		n = pread(dev->fd, (char *)buf + done, bytes - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

int backing_dev_write(const struct backing_dev *dev, uint64_t offset, const void *buf,
		      size_t bytes)
{
	size_t done = 0;
	ssize_t n;

	while (done < bytes) {
		n = pwrite(dev->fd, (const char *)buf + done, bytes - done,
			   (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

static int write_zeros(const struct backing_dev *dev, uint64_t offset, uint64_t bytes)
{
	void *buf = backing_dev_buffer(ZERO_BUFFER_BYTES);
	int err = buf ? 0 : -ENOMEM;
	uint64_t step;

	while (!err && bytes) {
		step = bytes < ZERO_BUFFER_BYTES ? bytes : ZERO_BUFFER_BYTES;
		err = backing_dev_write(dev, offset, buf, step);
		offset += step;
		bytes -= step;
	}
	free(buf);
	return err;
}

/* In steps: one ioctl over a large disk could not be interrupted for minutes. */
int backing_dev_zero(const struct backing_dev *dev, uint64_t offset, uint64_t bytes)
{
	uint64_t range[2];
	int err;

	while (bytes) {
		range[0] = offset;
		range[1] = bytes < ZERO_STEP_BYTES ? bytes : ZERO_STEP_BYTES;
		if (ioctl(dev->fd, BLKZEROOUT, range)) {
			if (errno != EOPNOTSUPP && errno != EINVAL)
				return -errno;
			err = write_zeros(dev, range[0], range[1]);
			if (err)
				return err;
		}
		offset += range[1];
		bytes -= range[1];
	}
	return 0;
}

int backing_dev_flush(const struct backing_dev *dev)
{
	return fsync(dev->fd) ? -errno : 0;
}

/* ------------------------------------------------------------------- loop */

static bool loop_is_of(const char *device, const struct stat *file)
{
	struct loop_info64 info;
	bool same = false;
	int fd = open(device, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (!ioctl(fd, LOOP_GET_STATUS64, &info))
		same = info.lo_device == file->st_dev && info.lo_inode == file->st_ino &&
		       !info.lo_offset && !info.lo_sizelimit;
	close(fd);
	return same;
}

int backing_loop_find(const char *path, char *device)
{
	struct dirent *entry;
	char bound[300];
	struct stat st;
	DIR *dir;
	int err = -ENOENT;

	if (stat(path, &st))
		return -errno;
	dir = opendir("/sys/block");
	if (!dir)
		return -errno;
	while (err && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, "loop", 4))
			continue;
		snprintf(bound, sizeof(bound), "/sys/block/%s/loop", entry->d_name);
		if (access(bound, F_OK))
			continue;
		if (snprintf(device, BACKING_PATH_MAX, "/dev/%s", entry->d_name) <
			    BACKING_PATH_MAX && loop_is_of(device, &st))
			err = 0;
	}
	closedir(dir);
	return err;
}

static int configure(int control, int file, const char *path, char *device)
{
	struct loop_config config = { .fd = (uint32_t)file };
	int nr, loop, err;

	nr = ioctl(control, LOOP_CTL_GET_FREE);
	if (nr < 0)
		return -errno;
	snprintf(device, BACKING_PATH_MAX, "/dev/loop%d", nr);
	loop = open(device, O_RDWR | O_CLOEXEC);
	if (loop < 0)
		return -errno;

	config.block_size = 512;
	config.info.lo_flags = LO_FLAGS_DIRECT_IO;
	snprintf((char *)config.info.lo_file_name, sizeof(config.info.lo_file_name), "%s", path);
	err = ioctl(loop, LOOP_CONFIGURE, &config) ? -errno : 0;
	close(loop);
	return err;
}

int backing_loop_make(const char *path, char *device)
{
	int control, file, tries, err = -EBUSY;

	file = open(path, O_RDWR | O_CLOEXEC);
	if (file < 0)
		return -errno;
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0) {
		err = -errno;
		close(file);
		return err;
	}
	/* Between "this one is free" and taking it somebody else may come. */
	for (tries = 0; err == -EBUSY && tries < LOOP_TRIES; tries++)
		err = configure(control, file, path, device);
	close(control);
	close(file);
	return err;
}

int backing_loop_detach(const char *device)
{
	int fd = open(device, O_RDWR | O_EXCL | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = ioctl(fd, LOOP_CLR_FD, 0) ? -errno : 0;
	close(fd);
	return err;
}
