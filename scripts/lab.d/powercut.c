// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * powercut: nbdkit plugin, disks with a volatile write cache whose power can
 * be cut.
 *
 * One process serves all disks of one node, each an export of its own, so that
 * one cut hits all at the same instant. What was written and not flushed (or
 * written with FUA) is held in memory only; a cut drops it, or all but a subset
 * chosen by a seed. The images need no fsync: losing the host's power is not
 * what is modelled. It does not model torn blocks below the unit of a cut, nor
 * older versions of a block that was written twice, unless early=PERCENT makes
 * the disk write back some blocks early, as real disks may at any time.
 *
 * Parameters: dir=FOLDER, disk=NAME:BYTES (repeated), base=NAME:FILE (after the
 * disk: what it holds where it was never written), control-fd=N, early=PERCENT,
 * cache=BYTES per disk, record=1 (each disk's requests go to NAME.log, powercut_log.h).
 *
 * Control, one line each way on control-fd; "ready" is said when serving:
 *   cut none|all|SEED [UNIT]   end of power: "ok dirty=N kept=M", then exit
 *   fault NAME ok|error|read-error|write-error|hang|slow [MS]
 *   stat NAME                  "ok dirty=… writes=… flushes=… fua=… early=…"
 *
 * Locks: disk->lock guards the cache, the image and the counters of one disk;
 * fault_lock guards the fault modes. fault_lock is never held with disk->lock.
 */
#define NBDKIT_API_VERSION 2
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <nbdkit-plugin.h>

#include "powercut_cache.h"
#include "powercut_log.h"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

#define DISKS		64
#define DIRECT_ZERO	(1u << 20)	/* zeroes this long are written at once */

static struct disk disks[DISKS];
static unsigned int nr_disks;
static const char *dir;
static int control_fd = -1;
static unsigned int early_percent;
static bool record;
static uint64_t cache_bytes = 64 << 20;
static pthread_mutex_t fault_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t fault_changed = PTHREAD_COND_INITIALIZER;

static uint64_t name_hash(const char *s)
{
	uint64_t h = 0;

	while (*s)
		h = mix(h ^ (unsigned char)*s++);
	return h;
}

/* ---- faults ---- */

/* Waits as the fault of the disk says; false: fail the request. */
static bool pass_fault(struct disk *d, bool is_write)
{
	struct timespec ts = { 0, 0 };
	enum fault f;

	pthread_mutex_lock(&fault_lock);
	while (d->fault == FAULT_HANG)
		pthread_cond_wait(&fault_changed, &fault_lock);
	f = d->fault;
	ts.tv_sec = d->slow_ms / 1000;
	ts.tv_nsec = d->slow_ms % 1000 * 1000000L;
	pthread_mutex_unlock(&fault_lock);
	if (f == FAULT_SLOW)
		nanosleep(&ts, NULL);
	if (f == FAULT_ERROR || f == (is_write ? FAULT_WRITE : FAULT_READ)) {
		errno = EIO;
		nbdkit_set_error(EIO);
		return false;
	}
	return true;
}

/* ---- requests ---- */

static void *pc_open(int readonly)
{
	const char *name = nbdkit_export_name();

	(void)readonly;
	for (unsigned int i = 0; i < nr_disks; i++)
		if (!strcmp(disks[i].name, name))
			return &disks[i];
	nbdkit_error("no disk '%s'", name);
	return NULL;
}

static int64_t pc_get_size(void *handle)
{
	return ((struct disk *)handle)->size;
}

static int pc_block_size(void *handle, uint32_t *min, uint32_t *pref,
			 uint32_t *max)
{
	(void)handle;
	*min = SECTOR;
	*pref = BLOCK;
	*max = 32 << 20;
	return 0;
}

static int pc_yes(void *handle)
{
	(void)handle;
	return 1;
}

static int pc_fua_native(void *handle)
{
	(void)handle;
	return NBDKIT_FUA_NATIVE;
}

static int pc_pread(void *handle, void *buf, uint32_t len, uint64_t at,
		    uint32_t flags)
{
	struct disk *d = handle;
	char *out = buf;
	int ret;

	(void)flags;
	if (!pass_fault(d, false))
		return -1;
	pthread_mutex_lock(&d->lock);
	ret = image_read(d, out, len, at);
	if (!ret)
		cache_read(d, out, len, at);
	pthread_mutex_unlock(&d->lock);
	if (ret)
		nbdkit_error("%s: read of the image: %m", d->name);
	return ret;
}

static int pc_pwrite(void *handle, const void *buf, uint32_t len, uint64_t at,
		     uint32_t flags)
{
	struct disk *d = handle;
	int ret;

	if (!pass_fault(d, true))
		return -1;
	pthread_mutex_lock(&d->lock);
	d->writes++;
	if (flags & NBDKIT_FLAG_FUA) {
		d->fuas++;
		ret = image_write(d, buf, len, at);
		if (!ret)
			cache_forget(d, len, at);
	} else {
		ret = cache_write(d, buf, len, at);
	}
	if (!ret)
		ret = log_note(d, flags & NBDKIT_FLAG_FUA ? LOG_WRITE_FUA : LOG_WRITE, buf, len, at);
	pthread_mutex_unlock(&d->lock);
	if (ret)
		nbdkit_error("%s: write: %m", d->name);
	return ret;
}

/* Long runs go to the image at once, which a disk may do with any write. */
static int pc_zero(void *handle, uint32_t len, uint64_t at, uint32_t flags)
{
	struct disk *d = handle;
	int ret;

	if (!pass_fault(d, true))
		return -1;
	pthread_mutex_lock(&d->lock);
	d->writes++;
	if (flags & NBDKIT_FLAG_FUA || len >= DIRECT_ZERO) {
		ret = image_zero(d, len, at);
		if (ret < 0)
			nbdkit_error("%s: zero of the image: %m", d->name);
		else
			cache_forget(d, len, at);
	} else {
		ret = cache_write(d, NULL, len, at);
	}
	if (!ret)
		ret = log_note(d, flags & NBDKIT_FLAG_FUA ? LOG_ZERO_FUA : LOG_ZERO, NULL, len, at);
	pthread_mutex_unlock(&d->lock);
	return ret;
}

static int pc_flush(void *handle, uint32_t flags)
{
	struct disk *d = handle;
	int ret;

	(void)flags;
	if (!pass_fault(d, true))
		return -1;
	pthread_mutex_lock(&d->lock);
	d->flushes++;
	ret = cache_flush(d);
	if (!ret)
		ret = log_note(d, LOG_FLUSH, NULL, 0, 0);
	pthread_mutex_unlock(&d->lock);
	return ret;
}

/* ---- control ---- */

/* Sectors of an entry that survive; the seed also sets how many in all do. */
static unsigned int survivors(const struct disk *d, const struct entry *e,
			      uint64_t seed, unsigned int unit)
{
	uint64_t base = mix(seed) ^ name_hash(d->name);
	unsigned int odds = mix(seed ^ 1) % 7 + 1, mask = 0;

	for (unsigned int i = 0; i < BLOCK / SECTOR; i++) {
		uint64_t nr = e->nr;

		if (unit == SECTOR)
			nr = nr * 8 + i;
		if (mix(base ^ mix(nr)) % 8 < odds)
			mask |= 1u << i;
	}
	return mask & e->valid;
}

/* Never returns: power is off. The locks stay held, so nothing moves again. */
static void cut(const char *what, unsigned int unit)
{
	uint64_t seed = strtoull(what, NULL, 0), dirty = 0, kept = 0;

	for (unsigned int i = 0; i < nr_disks; i++)
		pthread_mutex_lock(&disks[i].lock);
	for (unsigned int i = 0; i < nr_disks; i++) {
		for (struct entry *e = disks[i].oldest; e; e = e->newer) {
			unsigned int mask = 0;

			if (!strcmp(what, "all"))
				mask = e->valid;
			else if (strcmp(what, "none"))
				mask = survivors(&disks[i], e, seed, unit);
			dirty += __builtin_popcount(e->valid);
			kept += __builtin_popcount(mask);
			if (mask && write_back(&disks[i], e, mask) < 0)
				dprintf(control_fd, "error image\n");
		}
	}
	dprintf(control_fd, "ok dirty=%llu kept=%llu\n",
		(unsigned long long)dirty, (unsigned long long)kept);
	_exit(0);
}

static bool set_fault(struct disk *d, const char *mode, unsigned int ms)
{
	static const char *const names[] = { "ok", "error", "read-error",
					     "write-error", "hang", "slow" };

	for (unsigned int i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(mode, names[i]))
			continue;
		pthread_mutex_lock(&fault_lock);
		d->fault = i;
		d->slow_ms = ms;
		pthread_cond_broadcast(&fault_changed);
		pthread_mutex_unlock(&fault_lock);
		return true;
	}
	return false;
}

static void stat_disk(struct disk *d)
{
	pthread_mutex_lock(&d->lock);
	dprintf(control_fd,
		"ok dirty=%llu writes=%llu flushes=%llu fua=%llu early=%llu\n",
		(unsigned long long)d->entries, (unsigned long long)d->writes,
		(unsigned long long)d->flushes, (unsigned long long)d->fuas,
		(unsigned long long)d->early_writes);
	pthread_mutex_unlock(&d->lock);
}

static void obey(char *line)
{
	char *word[4] = { "", "", "", "" }, *save = NULL;
	struct disk *d = NULL;
	unsigned int nr = 0;

	for (char *p = strtok_r(line, " \n", &save); p && nr < 4;
	     p = strtok_r(NULL, " \n", &save))
		word[nr++] = p;
	if (!strcmp(word[0], "cut") && nr > 1)
		cut(word[1], strtoul(word[2], NULL, 0));
	for (unsigned int i = 0; i < nr_disks; i++)
		if (!strcmp(disks[i].name, word[1]))
			d = &disks[i];
	if (d && !strcmp(word[0], "stat"))
		stat_disk(d);
	else if (d && !strcmp(word[0], "fault") &&
		 set_fault(d, word[2], strtoul(word[3], NULL, 0)))
		dprintf(control_fd, "ok\n");
	else
		dprintf(control_fd, "error bad command\n");
}

static void *control_thread(void *unused)
{
	FILE *f = fdopen(dup(control_fd), "r");
	char line[256];

	(void)unused;
	dprintf(control_fd, "ready\n");
	while (f && fgets(line, sizeof(line), f))
		obey(line);
	_exit(0);		/* the lab is gone */
}

static int pc_after_fork(void)
{
	pthread_t thread;

	if (control_fd < 0)
		return 0;
	errno = pthread_create(&thread, NULL, control_thread, NULL);
	if (errno) {
		nbdkit_error("thread: %m");
		return -1;
	}
	pthread_detach(thread);
	return 0;
}

/* ---- configuration ---- */

static int add_disk(const char *value)
{
	const char *colon = strrchr(value, ':');
	struct disk *d = &disks[nr_disks];

	if (!colon || nr_disks == DISKS ||
	    (size_t)(colon - value) >= sizeof(d->name)) {
		nbdkit_error("disk=NAME:BYTES expected, not '%s'", value);
		return -1;
	}
	memcpy(d->name, value, colon - value);
	d->size = strtoull(colon + 1, NULL, 0);
	d->random = name_hash(d->name);
	d->fd = d->base_fd = d->log_fd = -1;
	pthread_mutex_init(&d->lock, NULL);
	if (!d->size || d->size % BLOCK) {
		nbdkit_error("%s: size must be a multiple of %u", d->name, BLOCK);
		return -1;
	}
	nr_disks++;
	return 0;
}

static int add_base(const char *value)
{
	const char *colon = strchr(value, ':');
	size_t len = colon ? (size_t)(colon - value) : 0;

	for (unsigned int i = 0; i < nr_disks; i++) {
		struct disk *d = &disks[i];

		if (strncmp(d->name, value, len) || d->name[len] || !len)
			continue;
		if (d->base_fd >= 0)
			close(d->base_fd);
		d->base_fd = open(colon + 1, O_RDONLY | O_CLOEXEC);
		if (d->base_fd < 0) {
			nbdkit_error("%s: %m", colon + 1);
			return -1;
		}
		return 0;
	}
	nbdkit_error("base=NAME:FILE of a disk expected, not '%s'", value);
	return -1;
}

static int pc_config(const char *key, const char *value)
{
	if (!strcmp(key, "disk"))
		return add_disk(value);
	if (!strcmp(key, "base"))
		return add_base(value);
	if (!strcmp(key, "dir"))
		dir = value;
	else if (!strcmp(key, "control-fd"))
		control_fd = atoi(value);
	else if (!strcmp(key, "early"))
		early_percent = strtoul(value, NULL, 0);
	else if (!strcmp(key, "record"))
		record = strtoul(value, NULL, 0);
	else if (!strcmp(key, "cache"))
		cache_bytes = strtoull(value, NULL, 0);
	else {
		nbdkit_error("unknown parameter '%s'", key);
		return -1;
	}
	return 0;
}

/* Which blocks the image holds is in a file beside it, so that it outlives us. */
static int map_own(struct disk *d)
{
	size_t len = (d->size / BLOCK + 7) / 8;
	char *path;
	int fd;

	if (d->base_fd < 0)
		return 0;
	if (asprintf(&path, "%s/%s.map", dir, d->name) < 0)
		return -1;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, len) < 0) {
		nbdkit_error("%s: %m", path);
		free(path);
		return -1;
	}
	free(path);
	d->own = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (d->own == MAP_FAILED) {
		nbdkit_error("map of %s: %m", d->name);
		return -1;
	}
	return 0;
}

static int pc_get_ready(void)
{
	char *path = NULL;

	if (!dir || !nr_disks || cache_bytes < BLOCK) {
		nbdkit_error("dir=, disk= and a cache of a block are needed");
		return -1;
	}
	for (unsigned int i = 0; i < nr_disks; i++) {
		struct disk *d = &disks[i];

		d->early_percent = early_percent;
		d->cache_bytes = cache_bytes;
		free(path);
		if (asprintf(&path, "%s/%s.img", dir, d->name) < 0)
			return -1;
		d->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (d->fd < 0 || ftruncate(d->fd, d->size) < 0) {
			nbdkit_error("%s: %m", path);
			free(path);
			return -1;
		}
		if (record && log_open(d, dir) < 0) {
			nbdkit_error("%s: its log: %m", d->name);
			free(path);
			return -1;
		}
		if (map_own(d) < 0) {
			free(path);
			return -1;
		}
	}
	free(path);
	return 0;
}

static struct nbdkit_plugin plugin = {
	.name = "powercut",
	.longname = "disks with a volatile write cache",
	.config = pc_config,
	.config_help = "dir=FOLDER disk=NAME:BYTES... [base=NAME:FILE]... [control-fd=N] [early=PERCENT] [cache=BYTES] [record=1]",
	.get_ready = pc_get_ready,
	.after_fork = pc_after_fork,
	.open = pc_open,
	.get_size = pc_get_size,
	.block_size = pc_block_size,
	.can_multi_conn = pc_yes,
	.can_fast_zero = pc_yes,
	.can_fua = pc_fua_native,
	.can_flush = pc_yes,
	.can_zero = pc_yes,
	.can_trim = pc_yes,
	.pread = pc_pread,
	.pwrite = pc_pwrite,
	.zero = pc_zero,
	.trim = pc_zero,
	.flush = pc_flush,
	.errno_is_preserved = 1,
};

NBDKIT_REGISTER_PLUGIN(plugin)
