// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Clients of the torture run: many threads on one disk.
 *
 * storm: each thread owns every n-th block and writes versions of it that grow
 * by one, each durable (O_DSYNC), and reads them back.  The history goes to
 * stdout, one line for each operation, with CLOCK_BOOTTIME in ms:
 *
 *	w BLOCK VERSION BEGIN END	acknowledged
 *	r BLOCK VERSION BEGIN END	read
 *	x BLOCK VERSION BEGIN END	failed: its outcome is not known
 *
 * A version of -1 is a torn or foreign block.  At its start each thread reads all
 * blocks that it owns.
 *
 * A line "i BLOCK VERSION" goes before each write, so that a reader of the
 * history knows what may be there if the machine dies in between.
 *
 * overlap: threads write overlapping ranges of random length without any
 * order among them.  What they leave is free, but it must be the same on all
 * copies (R8, S3).
 */
#define _GNU_SOURCE
#include "hfio.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct thread {
	pthread_t id;
	const struct options *options;
	unsigned int nr;
	uint64_t *versions;	/* of the blocks it owns, index block / threads */
	int failed;
};

static pthread_mutex_t stdout_lock = PTHREAD_MUTEX_INITIALIZER;

static void tell(char what, uint64_t block, uint64_t version, uint64_t begin, uint64_t end)
{
	pthread_mutex_lock(&stdout_lock);
	if (what == 'i')
		printf("i %llu %llu\n", (unsigned long long)block, (unsigned long long)version);
	else
		printf("%c %llu %lld %llu %llu\n", what, (unsigned long long)block,
		       (long long)version, (unsigned long long)begin, (unsigned long long)end);
	fflush(stdout);
	pthread_mutex_unlock(&stdout_lock);
}

/* The version of a block on the disk; 0: never written; UINT64_MAX: torn or foreign. */
static int read_version(int fd, struct record *record, uint64_t block, uint64_t *version)
{
	if (pread(fd, record, RECORD_BYTES, (off_t)(block * RECORD_BYTES)) !=
	    (ssize_t)RECORD_BYTES)
		return -errno;
	if (record_blank(record))
		*version = 0;
	else if (record_good(record, block + 1))
		*version = record->version;
	else
		*version = UINT64_MAX;
	return 0;
}

static int storm_read(int fd, struct record *record, struct thread *self, uint64_t block)
{
	uint64_t begin = now_ms(), version;

	if (read_version(fd, record, block, &version)) {
		tell('x', block, 0, begin, now_ms());
		return -1;
	}
	tell('r', block, version, begin, now_ms());
	if (version != self->versions[block / self->options->threads]) {
		fprintf(stderr, "hfio: block %llu reads as version %llu, %llu was written\n",
			(unsigned long long)block, (unsigned long long)version,
			(unsigned long long)self->versions[block / self->options->threads]);
		return -1;
	}
	return 0;
}

static int storm_write(int fd, struct record *record, struct thread *self, uint64_t block)
{
	uint64_t *version = &self->versions[block / self->options->threads];
	uint64_t begin;

	record_make(record, block + 1, *version + 1, self->options->seed);
	tell('i', block, *version + 1, 0, 0);
	begin = now_ms();
	if (pwrite(fd, record, RECORD_BYTES, (off_t)(block * RECORD_BYTES)) !=
	    (ssize_t)RECORD_BYTES) {
		tell('x', block, *version + 1, begin, now_ms());
		return -1;
	}
	(*version)++;
	tell('w', block, *version, begin, now_ms());
	return 0;
}

static void *storm_thread(void *data)
{
	struct thread *self = data;
	const struct options *options = self->options;
	uint64_t owned = options->blocks / options->threads;
	uint64_t state = options->seed * 7919 + self->nr + 1;
	uint64_t end = now_ms() + options->seconds * 1000ull;
	struct record *record = aligned(RECORD_BYTES);
	int fd = open_target(options, O_RDWR | O_DSYNC);

	for (uint64_t i = 0; i < owned; i++) {
		uint64_t block = i * options->threads + self->nr, begin = now_ms();

		if (read_version(fd, record, block, &self->versions[i])) {
			self->failed = 1;
			goto out;
		}
		tell('r', block, self->versions[i], begin, now_ms());
	}
	while (now_ms() < end) {
		uint64_t block = random_next(&state) % owned * options->threads + self->nr;
		int error = random_next(&state) % 4 ? storm_write(fd, record, self, block) :
						      storm_read(fd, record, self, block);

		if (error) {
			self->failed = 1;
			break;
		}
		if (options->interval_us)
			usleep(options->interval_us);
	}
out:
	free(record);
	close(fd);
	return NULL;
}

static void *overlap_thread(void *data)
{
	struct thread *self = data;
	const struct options *options = self->options;
	uint64_t state = options->seed * 104729 + self->nr + 1;
	uint64_t end = now_ms() + options->seconds * 1000ull;
	uint64_t sectors = options->blocks * (RECORD_BYTES / 512);
	uint8_t *data_512 = aligned(32 * 512);
	int fd = open_target(options, O_RDWR);

	while (now_ms() < end) {
		uint64_t length = 1 + random_next(&state) % 32;
		uint64_t first = random_next(&state) % (sectors - length + 1);

		memset(data_512, (int)(random_next(&state) & 0xff), length * 512);
		if (pwrite(fd, data_512, length * 512, (off_t)(first * 512)) !=
		    (ssize_t)(length * 512)) {
			fprintf(stderr, "hfio: write failed: %s\n", strerror(errno));
			self->failed = 1;
			break;
		}
	}
	free(data_512);
	close(fd);
	return NULL;
}

static int run_threads(const struct options *options, void *(*body)(void *))
{
	struct thread *threads = calloc(options->threads, sizeof(*threads));
	int failed = 0;

	if (!threads)
		return 1;
	for (unsigned int i = 0; i < options->threads; i++) {
		threads[i].options = options;
		threads[i].nr = i;
		threads[i].versions = calloc(options->blocks / options->threads + 1,
					     sizeof(uint64_t));
		if (!threads[i].versions ||
		    pthread_create(&threads[i].id, NULL, body, &threads[i])) {
			fprintf(stderr, "hfio: no memory for thread %u\n", i);
			exit(1);
		}
	}
	for (unsigned int i = 0; i < options->threads; i++) {
		pthread_join(threads[i].id, NULL);
		failed |= threads[i].failed;
		free(threads[i].versions);
	}
	free(threads);
	return failed;
}

int run_storm(const struct options *options)
{
	return run_threads(options, storm_thread);
}

int run_overlap(const struct options *options)
{
	return run_threads(options, overlap_thread);
}

/* "v BLOCK VERSION" for each block, as it is on the disk; -1: torn or foreign. */
int run_versions(const struct options *options)
{
	int fd = open_target(options, O_RDONLY);
	struct record *record = aligned(RECORD_BYTES);

	for (uint64_t block = 0; block < options->blocks; block++) {
		uint64_t version;

		if (read_version(fd, record, block, &version)) {
			fprintf(stderr, "hfio: block %llu cannot be read: %s\n",
				(unsigned long long)block, strerror(errno));
			return 1;
		}
		printf("v %llu %lld\n", (unsigned long long)block, (long long)version);
	}
	free(record);
	close(fd);
	return 0;
}
