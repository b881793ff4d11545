// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The volatile write cache of one disk: what was written and not yet flushed,
 * by block of 4 KiB, with one bit for each sector held. It knows neither nbdkit
 * nor faults. Blocks leave in the order of their first write, at a flush, when
 * the cache is full, or early by chance, as real disks may do at any time.
 *
 * The caller holds disk->lock in every function here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
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

int image_write(struct disk *d, const void *buf, size_t len, uint64_t at)
{
	const char *p = buf;

	while (len) {
		ssize_t n = pwrite(d->fd, p, len, at);

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
