// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The volatile write cache of one disk: what was written and not yet flushed,
 * by block of 4 KiB, with one bit for each sector held. It knows neither nbdkit
 * nor faults. Blocks leave in the order of their first write, at a flush, when
 * the cache is full, or early by chance, as real disks may do at any time.
 *
 * Below the cache is the image, which may lie over a base that many disks share
 * and none writes: what the image holds is said by a bit for each block.
 *
 * The caller holds disk->lock in every function here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "powercut_cache.h"

static struct entry **slot_of(struct disk *d, uint64_t nr)
{
	struct entry **p = &d->bucket[mix(nr) % BUCKETS];

	while (*p && (*p)->nr != nr)
		p = &(*p)->hash_next;
	return p;
}

static void drop_entry(struct disk *d, struct entry *e)
{
	*slot_of(d, e->nr) = e->hash_next;
	if (e->older)
		e->older->newer = e->newer;
	else
		d->oldest = e->newer;
	if (e->newer)
		e->newer->older = e->older;
	else
		d->newest = e->older;
	d->entries--;
	free(e);
}

/* Reads of what is beyond the end of the file are zeroes. */
static int read_file(int fd, char *p, size_t len, uint64_t at)
{
	while (len) {
		ssize_t n = pread(fd, p, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0) {
			memset(p, 0, len);
			return 0;
		}
		p += n;
		at += n;
		len -= n;
	}
	return 0;
}

static int write_file(int fd, const char *p, size_t len, uint64_t at)
{
	while (len) {
		ssize_t n = pwrite(fd, p, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		p += n;
		at += n;
		len -= n;
	}
	return 0;
}

static bool owns(const struct disk *d, uint64_t nr)
{
	return d->own[nr / 8] & 1u << nr % 8;
}

/*
 * Makes the blocks of a range those of the image. Blocks at the ends that are
 * not covered whole get their other sectors from the base first.
 */
static int take_blocks(struct disk *d, size_t len, uint64_t at)
{
	uint64_t last = (at + len - 1) / BLOCK;
	char buf[BLOCK];

	for (uint64_t nr = at / BLOCK; nr <= last; nr++) {
		bool whole = nr * BLOCK >= at && (nr + 1) * BLOCK <= at + len;

		if (owns(d, nr))
			continue;
		if (!whole && (read_file(d->base_fd, buf, BLOCK, nr * BLOCK) ||
			       write_file(d->fd, buf, BLOCK, nr * BLOCK)))
			return -1;
		d->own[nr / 8] |= 1u << nr % 8;
	}
	return 0;
}

int image_read(struct disk *d, void *buf, size_t len, uint64_t at)
{
	char *p = buf;

	if (d->base_fd < 0)
		return read_file(d->fd, p, len, at);
	while (len) {
		bool own = owns(d, at / BLOCK);
		size_t part = BLOCK - at % BLOCK;

		while (part < len && owns(d, (at + part) / BLOCK) == own)
			part += BLOCK;
		if (part > len)
			part = len;
		if (read_file(own ? d->fd : d->base_fd, p, part, at) < 0)
			return -1;
		p += part;
		at += part;
		len -= part;
	}
	return 0;
}

int image_write(struct disk *d, const void *buf, size_t len, uint64_t at)
{
	if (d->base_fd >= 0 && take_blocks(d, len, at) < 0)
		return -1;
	return write_file(d->fd, buf, len, at);
}

int image_zero(struct disk *d, size_t len, uint64_t at)
{
	if (d->base_fd >= 0 && take_blocks(d, len, at) < 0)
		return -1;
	return fallocate(d->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at,
			 len);
}

/* Writes the sectors of an entry that are in @mask to the image. */
int write_back(struct disk *d, const struct entry *e, unsigned int mask)
{
	mask &= e->valid;
	if (mask == 0xff)
		return image_write(d, e->data, BLOCK, e->nr * BLOCK);
	for (unsigned int i = 0; i < BLOCK / SECTOR; i++) {
		if (!(mask & 1u << i))
			continue;
		if (image_write(d, e->data + i * SECTOR, SECTOR,
				e->nr * BLOCK + i * SECTOR) < 0)
			return -1;
	}
	return 0;
}

static struct entry *get_entry(struct disk *d, uint64_t nr)
{
	struct entry **p = slot_of(d, nr);
	struct entry *e = *p;

	if (e) {
		d->random = mix(d->random);
		if (d->random % 100 < d->early_percent) {
			d->early_writes++;
			if (write_back(d, e, 0xff) < 0)
				return NULL;
			e->valid = 0;
		}
		return e;
	}
	if (d->entries * BLOCK >= d->cache_bytes) {
		d->early_writes++;
		if (write_back(d, d->oldest, 0xff) < 0)
			return NULL;
		drop_entry(d, d->oldest);
		p = slot_of(d, nr);
	}
	e = malloc(sizeof(*e));
	if (!e) {
		errno = ENOMEM;
		return NULL;
	}
	e->nr = nr;
	e->valid = 0;
	e->hash_next = NULL;
	*p = e;
	e->newer = NULL;
	e->older = d->newest;
	if (d->newest)
		d->newest->newer = e;
	else
		d->oldest = e;
	d->newest = e;
	d->entries++;
	return e;
}

/* @buf NULL means zeroes. */
int cache_write(struct disk *d, const char *buf, uint32_t len,
		       uint64_t at)
{
	while (len) {
		unsigned int from = at % BLOCK;
		unsigned int part = BLOCK - from < len ? BLOCK - from : len;
		struct entry *e = get_entry(d, at / BLOCK);

		if (!e)
			return -1;
		if (buf) {
			memcpy(e->data + from, buf, part);
			buf += part;
		} else {
			memset(e->data + from, 0, part);
		}
		e->valid |= sector_mask(from, part);
		at += part;
		len -= part;
	}
	return 0;
}

/* Forgets what the cache holds of a range: newer content is on the image. */
void cache_forget(struct disk *d, uint64_t len, uint64_t at)
{
	while (len && d->entries) {
		unsigned int from = at % BLOCK;
		unsigned int part = BLOCK - from < len ? BLOCK - from : len;
		struct entry *e = *slot_of(d, at / BLOCK);

		if (e) {
			e->valid &= ~sector_mask(from, part);
			if (!e->valid)
				drop_entry(d, e);
		}
		at += part;
		len -= part;
	}
}

int cache_flush(struct disk *d)
{
	while (d->oldest) {
		if (write_back(d, d->oldest, 0xff) < 0)
			return -1;
		drop_entry(d, d->oldest);
	}
	return 0;
}

void cache_read(struct disk *d, char *buf, uint32_t len, uint64_t at)
{
	for (uint32_t done = 0; done < len && d->entries; done += SECTOR) {
		struct entry *e = *slot_of(d, (at + done) / BLOCK);
		unsigned int from = (at + done) % BLOCK;

		if (e && e->valid & sector_mask(from, SECTOR))
			memcpy(buf + done, e->data + from, SECTOR);
	}
}
