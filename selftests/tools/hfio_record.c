// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Self-identifying records, and the client that commits them one by one.
 */
#define _GNU_SOURCE
#include "hfio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RECORD_MAGIC 0x006365726f696668ull	/* "hfiorec" */

static uint32_t crc_table[256];

/* Before main(): two threads that filled it at the same time saw torn records. */
static __attribute__((constructor)) void fill_crc_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int bit = 0; bit < 8; bit++)
			c = c & 1 ? (c >> 1) ^ 0x82f63b78u : c >> 1;
		crc_table[i] = c;
	}
}

uint32_t crc32c(const void *data, size_t bytes)
{
	const uint8_t *p = data;
	uint32_t crc = ~0u;

	while (bytes--)
		crc = crc_table[(crc ^ *p++) & 0xff] ^ (crc >> 8);
	return ~crc;
}

uint64_t random_next(uint64_t *state)
{
	/* xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators" */
	uint64_t x = *state ? *state : 0x9e3779b97f4a7c15ull;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 0x2545f4914f6cdd1dull;
}

uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void *aligned(size_t bytes)
{
	void *memory = NULL;

	if (posix_memalign(&memory, 4096, bytes)) {
		fprintf(stderr, "hfio: no memory\n");
		exit(1);
	}
	memset(memory, 0, bytes);
	return memory;
}

int open_target(const struct options *options, int flags)
{
	int fd = open(options->path, flags | (options->device ? O_DIRECT : 0), 0644);

	if (fd < 0) {
		fprintf(stderr, "hfio: %s cannot be opened: %s\n", options->path, strerror(errno));
		exit(1);
	}
	return fd;
}

void record_make(struct record *record, uint64_t number, uint64_t version, uint64_t writer)
{
	uint64_t state = number * 1000003 + version;

	record->magic = RECORD_MAGIC;
	record->number = number;
	record->version = version;
	record->writer = writer;
	for (size_t i = 0; i < sizeof(record->fill); i += 8) {
		uint64_t word = random_next(&state);
		size_t left = sizeof(record->fill) - i;

		memcpy(record->fill + i, &word, left < 8 ? left : 8);
	}
	record->crc = crc32c(record, offsetof(struct record, crc));
}

bool record_good(const struct record *record, uint64_t number)
{
	return record->magic == RECORD_MAGIC && record->number == number &&
	       record->crc == crc32c(record, offsetof(struct record, crc));
}

bool record_blank(const struct record *record)
{
	const uint8_t *bytes = (const uint8_t *)record;

	for (size_t i = 0; i < RECORD_BYTES; i++)
		if (bytes[i])
			return false;
	return true;
}

/*
 * The records of a file or disk.  A file grows; a disk ends, and the record
 * after its last block goes to the first one again: record N has slot
 * (N - 1) % slots.  A writer that is faster than the test expects does not end.
 */
struct ring {
	int fd;
	uint64_t slots;
	struct record *record;
};

static struct ring ring_open(const struct options *options, int flags)
{
	struct ring ring = { .fd = open_target(options, flags), .slots = UINT64_MAX,
			     .record = aligned(RECORD_BYTES) };
	off_t end;

	if (!options->device)
		return ring;
	end = lseek(ring.fd, 0, SEEK_END);
	if (end < (off_t)RECORD_BYTES) {
		fprintf(stderr, "hfio: %s has no room for a record\n", options->path);
		exit(1);
	}
	ring.slots = (uint64_t)end / RECORD_BYTES;
	return ring;
}

static void ring_close(struct ring *ring)
{
	free(ring->record);
	close(ring->fd);
}

static bool ring_has(const struct ring *ring, uint64_t number)
{
	off_t at = (off_t)((number - 1) % ring->slots * RECORD_BYTES);

	return pread(ring->fd, ring->record, RECORD_BYTES, at) == (ssize_t)RECORD_BYTES &&
	       record_good(ring->record, number);
}

/* The number that the intact record of slot @slot bears; 0: it has none. */
static uint64_t ring_number(const struct ring *ring, uint64_t slot)
{
	uint64_t number;

	if (pread(ring->fd, ring->record, RECORD_BYTES, (off_t)(slot * RECORD_BYTES)) !=
	    (ssize_t)RECORD_BYTES)
		return 0;
	number = ring->record->number;
	return number && (number - 1) % ring->slots == slot && record_good(ring->record, number) ?
	       number : 0;
}

/*
 * The last record up to which all are there without a gap or a broken one: all
 * from 1 on, or as many as the disk has room for, less the one whose slot the
 * write after the last may have begun to overwrite.
 */
static uint64_t ring_last(const struct ring *ring)
{
	uint64_t last = ring_number(ring, 0), oldest;

	if (last) {
		for (uint64_t slot = 1; slot < ring->slots && ring_has(ring, last + 1); slot++)
			last++;
	} else if (ring->slots != UINT64_MAX) {
		last = ring_number(ring, ring->slots - 1);
	}
	oldest = last < ring->slots ? 1 : last - ring->slots + 2;
	for (uint64_t number = oldest; number <= last; number++)
		if (!ring_has(ring, number))
			return number - 1;
	return last;
}

int run_append(const struct options *options)
{
	struct ring ring = ring_open(options, O_RDWR | (options->device ? 0 : O_CREAT));
	uint64_t number = ring_last(&ring);

	for (uint64_t done = 0; !options->count || done < options->count; done++) {
		off_t at = (off_t)(number++ % ring.slots * RECORD_BYTES);

		record_make(ring.record, number, 1, options->seed);
		if (pwrite(ring.fd, ring.record, RECORD_BYTES, at) != (ssize_t)RECORD_BYTES ||
		    fdatasync(ring.fd)) {
			fprintf(stderr, "hfio: record %llu was not committed: %s\n",
				(unsigned long long)number, strerror(errno));
			return 1;
		}
		printf("%llu\n", (unsigned long long)number);
		fflush(stdout);
		if (options->interval_us)
			usleep(options->interval_us);
	}
	ring_close(&ring);
	return 0;
}

int run_verify(const struct options *options)
{
	struct ring ring = ring_open(options, O_RDONLY);
	uint64_t found = ring_last(&ring);

	printf("found %llu\n", (unsigned long long)found);
	ring_close(&ring);
	if (found < options->acked) {
		fprintf(stderr, "hfio: record %llu was acknowledged and is missing or broken\n",
			(unsigned long long)found + 1);
		return 1;
	}
	return 0;
}

int run_sums(const struct options *options)
{
	int fd = open_target(options, O_RDONLY);
	size_t chunk = 1 << 20;
	uint8_t *data = aligned(chunk);
	uint64_t offset = 0;

	while (offset < options->bytes) {
		uint64_t want = options->bytes - offset < chunk ? options->bytes - offset : chunk;
		ssize_t got = pread(fd, data, want, (off_t)offset);

		if (got != (ssize_t)want) {
			fprintf(stderr, "hfio: %s cannot be read at %llu: %s\n", options->path,
				(unsigned long long)offset, got < 0 ? strerror(errno) : "its end");
			return 1;
		}
		printf("%llu %08x\n", (unsigned long long)offset, crc32c(data, want));
		offset += want;
	}
	free(data);
	close(fd);
	return 0;
}
