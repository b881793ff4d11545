// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The log of one device (scripts/lab.d/powercut_log.h) and what a cut leaves.
 *
 * A disk may lose any part of what it was told since the last flush, sector by
 * sector, and may have written back any of several versions of a sector.
 */
#define _GNU_SOURCE
#include "replay.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../scripts/lab.d/powercut_log.h"

static _Noreturn void die(const char *path, const char *what)
{
	fprintf(stderr, "hfreplay: %s: %s\n", path, what);
	exit(2);
}

uint64_t random_next(uint64_t *state)
{
	/* xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators" */
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

void device_open(struct device *device, const char *path, uint64_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) || !st.st_size)
		die(path, "cannot be opened, or is empty");
	device->path = path;
	device->log_bytes = (uint64_t)st.st_size;
	device->log = mmap(NULL, device->log_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	device->size = size;
	device->durable = calloc(1, size);
	device->state = calloc(1, size);
	if (device->log == MAP_FAILED || !device->durable || !device->state)
		die(path, "not enough memory");
}

/* The entry at @device->at, checked; false at the end. */
static bool entry_get(const struct device *device, struct log_entry *entry)
{
	uint64_t left = device->log_bytes - device->at, bytes = 0;

	if (!left)
		return false;
	if (left < sizeof(*entry))
		die(device->path, "ends in the middle of an entry");
	memcpy(entry, device->log + device->at, sizeof(*entry));
	if (entry->kind == LOG_WRITE || entry->kind == LOG_WRITE_FUA)
		bytes = entry->length;
	if (entry->magic != LOG_MAGIC || entry->kind < LOG_WRITE || entry->kind > LOG_FLUSH ||
	    entry->offset % SECTOR || entry->length % SECTOR)
		die(device->path, "is not a log of a recorded disk");
	if (left - sizeof(*entry) < bytes)
		die(device->path, "ends in the middle of a write");
	return true;
}

uint64_t device_next_ns(const struct device *device)
{
	struct log_entry entry;

	return entry_get(device, &entry) ? entry.time_ns : UINT64_MAX;
}

bool device_at_boundary(const struct device *device)
{
	struct log_entry entry;

	return entry_get(device, &entry) && entry.kind != LOG_WRITE && entry.kind != LOG_ZERO;
}

static void *grown(void *array, size_t nr, size_t *room, size_t size, const char *path)
{
	if (nr < *room)
		return array;
	*room = *room ? *room * 2 : 64;
	array = realloc(array, *room * size);
	if (!array)
		die(path, "not enough memory");
	return array;
}

static void put(uint8_t *image, const struct change *change, uint64_t from, uint64_t length)
{
	if (change->bytes)
		memcpy(image + change->at + from, change->bytes + from, length);
	else
		memset(image + change->at + from, 0, length);
}

static void settle(struct device *device, const struct change *change,
		   void (*changed)(void *, uint64_t), void *context)
{
	put(device->durable, change, 0, change->length);
	put(device->state, change, 0, change->length);
	for (uint64_t block = change->at / BLOCK;
	     block * BLOCK < change->at + change->length; block++)
		changed(context, block);
}

/* What is certain and has nothing uncertain before it need not wait for a flush. */
static void settle_first(struct device *device, bool all, void (*changed)(void *, uint64_t),
			 void *context)
{
	size_t nr = 0;

	while (nr < device->nr_pending && (all || device->pending[nr].certain))
		settle(device, &device->pending[nr++], changed, context);
	device->nr_pending -= nr;
	memmove(device->pending, device->pending + nr,
		device->nr_pending * sizeof(*device->pending));
}

/* The state is that of the durable content again. */
static void device_forget_cut(struct device *device)
{
	for (size_t i = 0; i < device->nr_touched; i++) {
		uint64_t at = (uint64_t)device->touched[i] * BLOCK;

		memcpy(device->state + at, device->durable + at, BLOCK);
	}
	device->nr_touched = 0;
}

void device_step(struct device *device, void (*changed)(void *, uint64_t), void *context)
{
	struct log_entry entry;
	struct change change = { 0 };

	if (!entry_get(device, &entry))
		return;
	device_forget_cut(device);
	device->at += sizeof(entry);
	change.at = entry.offset;
	change.length = entry.length;
	if (entry.kind == LOG_WRITE || entry.kind == LOG_WRITE_FUA) {
		change.bytes = device->log + device->at;
		device->at += entry.length;
	}
	if (entry.kind == LOG_FLUSH) {
		settle_first(device, true, changed, context);
		return;
	}
	if (change.at >= device->size)
		return;
	if (change.length > device->size - change.at)
		change.length = device->size - change.at;
	change.certain = entry.kind == LOG_WRITE_FUA || entry.kind == LOG_ZERO_FUA;
	device->pending = grown(device->pending, device->nr_pending, &device->room_pending,
				sizeof(*device->pending), device->path);
	device->pending[device->nr_pending++] = change;
	settle_first(device, false, changed, context);
}

static void touch(struct device *device, const struct change *change)
{
	for (uint64_t block = change->at / BLOCK;
	     block * BLOCK < change->at + change->length; block++) {
		device->touched = grown(device->touched, device->nr_touched,
					&device->room_touched, sizeof(*device->touched),
					device->path);
		device->touched[device->nr_touched++] = (uint32_t)block;
	}
}

void device_cut(struct device *device, enum loss loss, uint64_t *random)
{
	unsigned int odds = (unsigned int)(random_next(random) % 7) + 1;

	device_forget_cut(device);
	for (size_t i = 0; i < device->nr_pending; i++) {
		const struct change *change = &device->pending[i];

		if (loss == LOSE_ALL && !change->certain)
			continue;
		touch(device, change);
		if (loss != LOSE_SOME || change->certain) {
			put(device->state, change, 0, change->length);
			continue;
		}
		for (uint64_t from = 0; from < change->length; from += SECTOR)
			if ((random_next(random) >> 32) % 8 < odds)
				put(device->state, change, from, SECTOR);
	}
}
