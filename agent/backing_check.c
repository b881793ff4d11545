// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Is a device free to be used: an operator's pair, or a disk that shall become
 * a drive?  Nothing is taken that somebody holds or that carries a signature,
 * and nothing is written.  No locks.
 */
#include "backing.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../kernel/meta_core.h"
#include "backing_dev.h"
#include "backing_internal.h"

/* Lines of mountinfo begin "id parent major:minor …". */
static bool is_mounted(dev_t rdev)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	unsigned int major, minor;
	bool mounted = false;
	char *line = NULL;
	size_t size = 0;

	if (!file)
		return false;
	while (!mounted && getline(&line, &size, file) > 0)
		if (sscanf(line, "%*d %*d %u:%u", &major, &minor) == 2)
			mounted = makedev(major, minor) == rdev;
	free(line);
	fclose(file);
	return mounted;
}

static bool is_swap(dev_t rdev)
{
	FILE *file = fopen("/proc/swaps", "re");
	char path[PATH_MAX], *line = NULL;
	bool swap = false;
	size_t size = 0;
	struct stat st;

	if (!file)
		return false;
	while (!swap && getline(&line, &size, file) > 0)
		if (sscanf(line, "%4095s", path) == 1 && !stat(path, &st))
			swap = S_ISBLK(st.st_mode) && st.st_rdev == rdev;
	free(line);
	fclose(file);
	return swap;
}

/*
 * A signature that libblkid knows, file system, raid or partition table: its
 * name into @name. Returns 1, 0 for none, or -errno.
 */
static int find_signature(int fd, char *name, size_t name_len)
{
	blkid_probe probe = blkid_new_probe();
	const char *value = NULL;
	int ret;

	if (!probe)
		return -ENOMEM;
	if (blkid_probe_set_device(probe, fd, 0, 0)) {
		blkid_free_probe(probe);
		return -EIO;
	}
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_BADCSUM);
	blkid_probe_enable_partitions(probe, 1);
	/* -2 is "more than one", and just as much a signature */
	ret = blkid_do_safeprobe(probe);
	if (ret == 0 && blkid_probe_lookup_value(probe, "TYPE", &value, NULL))
		blkid_probe_lookup_value(probe, "PTTYPE", &value, NULL);
	if (ret == 0 || ret == -2)
		snprintf(name, name_len, "%s", value ? value : "unknown");
	blkid_free_probe(probe);
	return ret == 0 || ret == -2 ? 1 : ret == 1 ? 0 : -EIO;
}

/* One of a pair while it is checked. */
struct candidate {
	const char	*path;
	const char	*word;		/* for sentences */
	char		real[BACKING_PATH_MAX];
	struct stat	st;
	uint64_t	bytes;
};

static int check_free(struct candidate *c, char *why, size_t why_len)
{
	char loop[BACKING_PATH_MAX];
	struct backing_dev dev;
	const char *device = c->path;
	int err;

	if (S_ISBLK(c->st.st_mode)) {
		if (is_mounted(c->st.st_rdev))
			return backing_refuse(-EBUSY, why, why_len, "%s %s is mounted", c->word, c->path);
		if (is_swap(c->st.st_rdev))
			return backing_refuse(-EBUSY, why, why_len, "%s %s is used for swap", c->word,
					      c->path);
	} else if (backing_loop_find(c->path, loop)) {
		c->bytes = (uint64_t)c->st.st_size;
		return 0;
	} else {
		device = loop;
	}

	err = backing_dev_open(&dev, device, BACKING_OWN);
	if (err == -EBUSY)
		return backing_refuse(err, why, why_len, "%s %s is in use: somebody holds it open",
				      c->word, c->path);
	if (err)
		return backing_refuse(err, why, why_len, "%s %s cannot be opened: %s", c->word, c->path,
				      strerror(-err));
	c->bytes = dev.bytes;
	if (dev.read_only)
		err = backing_refuse(-EROFS, why, why_len, "%s %s is read-only", c->word, c->path);
	else if (dev.sector_bytes != 512)
		err = backing_refuse(-EINVAL, why, why_len,
				     "%s %s has sectors of %u bytes, only 512 can be used", c->word,
				     c->path, dev.sector_bytes);
	backing_dev_close(&dev);
	return err;
}

/* Metadata of a slot is a signature too; libblkid does not know ours. */
static bool carries_slot(int fd)
{
	struct hf_disk_super *blocks = backing_dev_buffer(HF_SUPER_COPIES * sizeof(*blocks));
	const size_t bytes = HF_SUPER_COPIES * sizeof(*blocks);
	bool found = false;
	struct hf_super super;
	const char *reason;

	if (blocks && pread(fd, blocks, bytes, 0) == (ssize_t)bytes)
		found = hf_meta_choose(blocks, &super, &reason) != -ENODATA;
	free(blocks);
	return found;
}

static int check_signature(struct candidate *c, char *why, size_t why_len)
{
	char name[64];
	int ret, fd = open(c->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return backing_refuse(-errno, why, why_len, "%s %s cannot be read: %s", c->word, c->path,
				      strerror(errno));
	ret = find_signature(fd, name, sizeof(name));
	if (ret == 1)
		ret = backing_refuse(-EEXIST, why, why_len,
				     "%s %s carries a signature (%s); wipe it first if it is not needed",
				     c->word, c->path, name);
	else if (ret < 0)
		backing_refuse(ret, why, why_len, "%s %s cannot be probed: %s", c->word, c->path,
			       strerror(-ret));
	else if (carries_slot(fd))
		ret = backing_refuse(-EEXIST, why, why_len,
				     "%s %s carries the metadata of a Holdfast slot; wipe it first if it is not needed",
				     c->word, c->path);
	close(fd);
	return ret;
}

static int check_one(struct candidate *c, char *why, size_t why_len)
{
	char real[PATH_MAX];
	int err;

	if (c->path[0] != '/')
		return backing_refuse(-EINVAL, why, why_len, "%s %s must be an absolute path", c->word,
				      c->path);
	if (stat(c->path, &c->st))
		return backing_refuse(-errno, why, why_len, "%s %s: %s", c->word, c->path,
				      strerror(errno));
	if (!S_ISBLK(c->st.st_mode) && !S_ISREG(c->st.st_mode))
		return backing_refuse(-ENOTBLK, why, why_len,
				      "%s %s is neither a block device nor a file", c->word, c->path);
	/* A device keeps the name it was given: one under by-id outlives a reboot. */
	if (S_ISREG(c->st.st_mode) && !realpath(c->path, real))
		return backing_refuse(-errno, why, why_len, "%s %s: %s", c->word, c->path,
				      strerror(errno));
	if (snprintf(c->real, sizeof(c->real), "%s", S_ISREG(c->st.st_mode) ? real : c->path) >=
	    (int)sizeof(c->real))
		return backing_refuse(-ENAMETOOLONG, why, why_len, "the path of %s is too long", c->word);

	err = check_free(c, why, why_len);
	return err ? err : check_signature(c, why, why_len);
}

static bool fits(uint64_t volume_bytes, uint64_t meta_bytes)
{
	struct hf_meta_layout layout;
	const char *reason;

	return !hf_meta_layout_init(&layout, volume_bytes, 0, 0, 0, &reason) &&
	       hf_meta_min_bytes(&layout) <= meta_bytes;
}

/* The largest volume for a pair of these sizes; 0: none. */
static uint64_t largest_volume(uint64_t data_bytes, uint64_t meta_bytes)
{
	uint64_t low = HF_MIN_VOLUME_BYTES / HF_BLOCK_BYTES, high = data_bytes / HF_BLOCK_BYTES;
	uint64_t middle;

	if (high < low || !fits(low * HF_BLOCK_BYTES, meta_bytes))
		return 0;
	while (low < high) {
		middle = low + (high - low + 1) / 2;
		if (fits(middle * HF_BLOCK_BYTES, meta_bytes))
			low = middle;
		else
			high = middle - 1;
	}
	return low * HF_BLOCK_BYTES;
}

static bool is_rotational(const struct candidate *c)
{
	dev_t dev = S_ISBLK(c->st.st_mode) ? c->st.st_rdev : c->st.st_dev;
	static const char *const places[] = { "queue", "../queue" };	/* disk, partition */
	char path[128], digit = '0';
	size_t i;
	int fd;

	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s/rotational", major(dev),
			 minor(dev), places[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (read(fd, &digit, 1) != 1)
			digit = '0';
		close(fd);
		break;
	}
	return digit == '1';
}

static bool same_device(const struct candidate *a, const struct candidate *b)
{
	if (S_ISBLK(a->st.st_mode) && S_ISBLK(b->st.st_mode))
		return a->st.st_rdev == b->st.st_rdev;
	return a->st.st_dev == b->st.st_dev && a->st.st_ino == b->st.st_ino;
}

int backing_check(const char *data, const char *meta, struct backing_info *info, char *why,
		  size_t why_len)
{
	struct candidate d = { .path = data, .word = "the data device" };
	struct candidate m = { .path = meta, .word = "the metadata device" };
	int err;

	err = check_one(&d, why, why_len);
	if (!err)
		err = check_one(&m, why, why_len);
	if (err)
		return err;
	if (same_device(&d, &m))
		return backing_refuse(-EINVAL, why, why_len,
				      "%s cannot be data and metadata device at once", data);

	memset(info, 0, sizeof(*info));
	info->data_bytes = d.bytes;
	info->meta_bytes = m.bytes;
	info->volume_bytes = largest_volume(d.bytes, m.bytes);
	info->rotational = is_rotational(&d);
	strcpy(info->data_path, d.real);
	strcpy(info->meta_path, m.real);
	if (d.bytes < HF_MIN_VOLUME_BYTES)
		return backing_refuse(-ENOSPC, why, why_len, "%s is too small: a volume has at least 1 MiB",
				      data);
	if (!info->volume_bytes)
		return backing_refuse(-ENOSPC, why, why_len, "%s is too small for metadata", meta);
	return 0;
}

int backing_check_disk(const char *path, uint64_t min_bytes, uint64_t *bytes, char *why,
		       size_t why_len)
{
	struct candidate c = { .path = path, .word = "the device" };
	int err;

	if (stat(path, &c.st))
		return backing_refuse(-errno, why, why_len, "the device %s: %s", path,
				      strerror(errno));
	if (!S_ISBLK(c.st.st_mode))
		return backing_refuse(-ENOTBLK, why, why_len, "%s is no block device", path);
	err = check_one(&c, why, why_len);
	if (err)
		return err;
	*bytes = c.bytes;
	if (c.bytes < min_bytes)
		return backing_refuse(-ENOSPC, why, why_len,
				      "the device %s is too small: a drive has at least %llu MiB",
				      path, (unsigned long long)(min_bytes >> 20));
	return 0;
}

bool backing_looks_free(const char *path)
{
	struct stat st;
	char name[64];
	bool free_one;
	int fd;

	if (stat(path, &st) || !S_ISBLK(st.st_mode) || is_mounted(st.st_rdev) ||
	    is_swap(st.st_rdev))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	free_one = !find_signature(fd, name, sizeof(name)) && !carries_slot(fd);
	close(fd);
	return free_one;
}
