// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The disks of this machine.  A drive is known by the uuid of its physical
 * volume, never by a letter: disks are looked through for it.  Our own disks are
 * never opened (their I/O may be held), nor is a mapped device that is
 * suspended.  Decides nothing but what is free.
 */
#include "disks.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "backing.h"
#include "backing_dev.h"

#define SYS		"/sys/class/block"
#define LABEL_SECTORS	4
#define LABEL_BYTES	(LABEL_SECTORS * 512)

/* A line of an attribute of @name; false: there is none. */
static bool read_line(const char *name, const char *attribute, char *text, size_t size)
{
	char path[1024];
	FILE *file;
	bool got;

	snprintf(path, sizeof(path), SYS "/%s/%s", name, attribute);
	file = fopen(path, "re");
	if (!file)
		return false;
	got = fgets(text, (int)size, file);
	fclose(file);
	if (got)
		text[strcspn(text, "\n")] = '\0';
	return got;
}

static bool has(const char *name, const char *attribute)
{
	char path[1024];

	snprintf(path, sizeof(path), SYS "/%s/%s", name, attribute);
	return !access(path, F_OK);
}

static bool starts(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* Major number of our own disks; 0: the module is not there. */
static unsigned int our_major(void)
{
	FILE *file = fopen("/proc/devices", "re");
	unsigned int major, found = 0;
	bool blocks = false;
	char line[128], name[64];

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		if (starts(line, "Block devices"))
			blocks = true;
		else if (blocks && sscanf(line, "%u %63s", &major, name) == 2 &&
			 !strcmp(name, "holdfast"))
			found = major;
	}
	fclose(file);
	return found;
}

static bool is_ours(const char *name)
{
	unsigned int major = our_major(), of;
	char text[32];

	return major && read_line(name, "dev", text, sizeof(text)) &&
	       sscanf(text, "%u:", &of) == 1 && of == major;
}

/* May it be read without a wait that has no end? */
static bool is_readable(const char *name)
{
	char text[128];

	if (starts(name, "ram") || starts(name, "sr") || starts(name, "fd") ||
	    starts(name, "zram") || is_ours(name))
		return false;
	if (read_line(name, "dm/suspended", text, sizeof(text)) && strcmp(text, "0"))
		return false;
	if (read_line(name, "dm/name", text, sizeof(text)) && starts(text, "holdfast--"))
		return false;
	return read_line(name, "size", text, sizeof(text)) && strtoull(text, NULL, 10);
}

static bool is_path_of_multipath(const char *name)
{
	char dir[300], of[300], uuid[128];
	struct dirent *entry;
	bool is_path = false;
	DIR *holders;

	snprintf(dir, sizeof(dir), SYS "/%s/holders", name);
	holders = opendir(dir);
	while (holders && !is_path && (entry = readdir(holders))) {
		snprintf(of, sizeof(of), "%s", entry->d_name);
		is_path = read_line(of, "dm/uuid", uuid, sizeof(uuid)) && starts(uuid, "mpath-");
	}
	if (holders)
		closedir(holders);
	return is_path;
}

static void fill(const char *name, struct disk *disk)
{
	char text[32];

	memset(disk, 0, sizeof(*disk));
	snprintf(disk->name, sizeof(disk->name), "%.31s", name);
	snprintf(disk->path, sizeof(disk->path), "/dev/%.31s", name);
	if (read_line(name, "size", text, sizeof(text)))
		disk->bytes = strtoull(text, NULL, 10) * 512;
	if (read_line(name, "queue/rotational", text, sizeof(text)) ||
	    read_line(name, "../queue/rotational", text, sizeof(text)))
		disk->rotational = text[0] == '1';
}

/* ------------------------------------------------------------------ labels */

bool disks_read_label(const uint8_t *block, size_t len, char pv[DISK_PV_BYTES])
{
	const uint8_t *sector, *uuid;
	uint32_t offset;
	size_t at;
	int i;

	for (at = 0; at + 512 <= len && at < LABEL_BYTES; at += 512) {
		sector = block + at;
		if (memcmp(sector, "LABELONE", 8) || memcmp(sector + 24, "LVM2 001", 8))
			continue;
		offset = sector[20] | (uint32_t)sector[21] << 8 | (uint32_t)sector[22] << 16 |
			 (uint32_t)sector[23] << 24;
		if (offset > 512 - 32)
			continue;
		uuid = sector + offset;
		for (i = 0; i < 32 && (isalnum(uuid[i]) || uuid[i] == '!' || uuid[i] == '#'); i++)
			pv[i] = (char)uuid[i];
		pv[i] = '\0';
		if (i == 32)
			return true;
	}
	return false;
}

static bool read_pv(const struct disk *disk, char pv[DISK_PV_BYTES])
{
	uint8_t *block = backing_dev_buffer(4096);
	struct backing_dev dev;
	bool found = false;

	if (block && !backing_dev_open(&dev, disk->path, BACKING_LOOK)) {
		if (dev.bytes >= 4096 && !backing_dev_read(&dev, 0, block, 4096))
			found = disks_read_label(block, 4096, pv);
		backing_dev_close(&dev);
	}
	free(block);
	return found;
}

int disks_find_pv(const char *pv, struct disk *disk)
{
	DIR *dir = opendir(SYS);
	char found[DISK_PV_BYTES];
	struct dirent *entry;
	int err = -ENOENT;

	if (!dir)
		return -errno;
	while (err && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || strlen(entry->d_name) >= DISK_NAME_BYTES ||
		    !is_readable(entry->d_name) || is_path_of_multipath(entry->d_name))
			continue;
		fill(entry->d_name, disk);
		if (read_pv(disk, found) && !strcmp(found, pv))
			err = 0;
	}
	closedir(dir);
	return err;
}

int disks_by_path(const char *path, struct disk *disk)
{
	char link[64], target[512];
	struct stat st;
	ssize_t n;

	if (stat(path, &st))
		return -errno;
	if (!S_ISBLK(st.st_mode))
		return -ENOTBLK;
	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(st.st_rdev),
		 minor(st.st_rdev));
	n = readlink(link, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	if (!strrchr(target, '/') || strlen(strrchr(target, '/') + 1) >= DISK_NAME_BYTES)
		return -ENAMETOOLONG;
	fill(strrchr(target, '/') + 1, disk);
	return 0;
}

/* -------------------------------------------------------------------- free */

static bool has_entries(const char *name, const char *what)
{
	char path[300];
	struct dirent *entry;
	bool any = false;
	DIR *dir;

	snprintf(path, sizeof(path), SYS "/%s/%s", name, what);
	dir = opendir(path);
	while (dir && !any && (entry = readdir(dir)))
		any = entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return any;
}

static bool has_partitions(const char *name)
{
	struct dirent *entry;
	bool any = false;
	char path[300], part[600];
	DIR *dir;

	snprintf(path, sizeof(path), SYS "/%s", name);
	dir = opendir(path);
	while (dir && !any && (entry = readdir(dir))) {
		snprintf(part, sizeof(part), "%s/partition", entry->d_name);
		any = entry->d_name[0] != '.' && starts(entry->d_name, name) && has(name, part);
	}
	if (dir)
		closedir(dir);
	return any;
}

static bool could_be_added(const char *name)
{
	static const char *const not_disks[] = { "loop", "dm-", "md", "nbd", "mmcblk0boot" };
	char text[32];
	size_t i;

	for (i = 0; i < sizeof(not_disks) / sizeof(not_disks[0]); i++) {
		if (starts(name, not_disks[i]))
			return false;
	}
	return is_readable(name) && !has(name, "partition") &&
	       read_line(name, "size", text, sizeof(text)) &&
	       strtoull(text, NULL, 10) * 512 >= DISK_MIN_BYTES &&
	       read_line(name, "ro", text, sizeof(text)) && text[0] == '0' &&
	       !has_entries(name, "holders") && !has_partitions(name);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct disk *)a)->name, ((const struct disk *)b)->name);
}

unsigned int disks_free(struct disk *disks, unsigned int max)
{
	DIR *dir = opendir(SYS);
	struct dirent *entry;
	unsigned int count = 0;

	while (dir && count < max && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || strlen(entry->d_name) >= DISK_NAME_BYTES ||
		    !could_be_added(entry->d_name))
			continue;
		fill(entry->d_name, &disks[count]);
		count += backing_looks_free(disks[count].path);
	}
	if (dir)
		closedir(dir);
	qsort(disks, count, sizeof(*disks), by_name);
	return count;
}

/* ------------------------------------------------------------------ mapped */

int disks_find_mapped(const char *name, char *path, size_t size)
{
	DIR *dir = opendir(SYS);
	struct dirent *entry;
	char text[256];
	int err = -ENOENT;

	if (!dir)
		return -errno;
	while (err && (entry = readdir(dir))) {
		if (!starts(entry->d_name, "dm-") ||
		    !read_line(entry->d_name, "dm/name", text, sizeof(text)) ||
		    strcmp(text, name))
			continue;
		if (snprintf(path, size, "/dev/%.31s", entry->d_name) < (int)size)
			err = 0;
	}
	closedir(dir);
	return err;
}
