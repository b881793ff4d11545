// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hfio: discards and zero writes among plain ones.  What operation number N of a
 * seed is follows from both alone, so that what a disk must hold is known on
 * another node too, from the number of the last operation that was acknowledged.
 */
#define _GNU_SOURCE
#include "hfio.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SECTOR		512u
#define MOST		(1u << 20)	/* of a write; zeros: four times as much */
#define UNKNOWN		64		/* operations whose end may not have been told */

enum op { OP_WRITE, OP_DISCARD, OP_ZEROOUT, OP_PUNCH, OP_RANGE, OPS };

static const char *const names[OPS] = { "write", "discard", "zeroout", "punch", "range" };

struct step {
	enum op op;
	uint64_t offset, length;
};

/* A third are writes, most ranges small; half of them begin and end anywhere. */
static struct step step_of(const struct options *options, uint64_t number)
{
	uint64_t state = options->seed * 0x9e3779b97f4a7c15ull ^ number * 0xd1342543de82ef95ull;
	uint64_t unit, most, sectors = options->bytes / SECTOR;
	struct step step;

	random_next(&state);
	step.op = random_next(&state) % 3 ? 1 + random_next(&state) % (OPS - 1) : OP_WRITE;
	most = step.op == OP_WRITE ? MOST : 4 * MOST;
	if (random_next(&state) % 4)
		most /= 16;
	unit = random_next(&state) % 2 ? 1 : 65536 / SECTOR;
	step.length = (1 + random_next(&state) % (most / SECTOR) + unit - 1) / unit * unit;
	if (step.length > sectors)
		step.length = sectors;
	step.offset = random_next(&state) % (sectors - step.length + 1) / unit * unit;
	step.offset *= SECTOR;
	step.length *= SECTOR;
	return step;
}

/* What a write leaves: never zero, never the same twice. */
static void fill(uint8_t *to, const struct step *step, uint64_t number)
{
	uint64_t i, word;

	for (i = 0; i < step->length; i += sizeof(word)) {
		word = (number << 40 | (step->offset + i)) ^ 0xa5a5000000000000ull;
		memcpy(to + i, &word, sizeof(word));
	}
}

static int clear(int fd, enum op op, uint64_t offset, uint64_t length)
{
	uint64_t range[2] = { offset, length };

	switch (op) {
	case OP_DISCARD:
		return ioctl(fd, BLKDISCARD, range);
	case OP_ZEROOUT:
		return ioctl(fd, BLKZEROOUT, range);
	case OP_PUNCH:
		return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
				 (off_t)length);
	default:
		return fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
				 (off_t)length);
	}
}

static int do_step(int fd, const struct options *options, const struct step *step, uint64_t number,
		   uint8_t *buffer)
{
	uint64_t at = options->offset + step->offset;
	ssize_t done;

	if (step->op != OP_WRITE)
		return clear(fd, step->op, at, step->length);
	fill(buffer, step, number);
	done = pwrite(fd, buffer, step->length, (off_t)at);
	return done == (ssize_t)step->length ? 0 : -1;
}

/* Prints the number of each operation once it is acknowledged. */
int run_mix(const struct options *options)
{
	uint8_t *buffer = aligned(MOST + 65536);
	int fd = open_target(options, O_RDWR | O_DIRECT);
	struct step step;
	uint64_t number;

	for (number = 1; !options->count || number <= options->count; number++) {
		step = step_of(options, number);
		if (do_step(fd, options, &step, number, buffer)) {
			fprintf(stderr, "hfio: operation %llu, %s of %llu bytes at %llu: %s\n",
				(unsigned long long)number, names[step.op],
				(unsigned long long)step.length, (unsigned long long)step.offset,
				strerror(errno));
			return 1;
		}
		printf("%llu\n", (unsigned long long)number);
		fflush(stdout);
		if (options->interval_us)
			usleep(options->interval_us);
	}
	return 0;
}

static void apply(uint8_t *shadow, const struct step *step, uint64_t number)
{
	if (step->op == OP_WRITE)
		fill(shadow + step->offset, step, number);
	else
		memset(shadow + step->offset, 0, step->length);
}

/* Compares with what the first @acked operations left; the next ones may be there or not. */
int run_mixed(const struct options *options)
{
	uint8_t *shadow = calloc(1, options->bytes), *known = calloc(1, options->bytes / SECTOR);
	uint64_t number, at, bytes, compared = 0, bad = 0, i;
	int fd = open_target(options, O_RDONLY | O_DIRECT);
	uint8_t *buffer = aligned(MOST);
	struct step step;

	if (!shadow || !known)
		return 1;
	memset(known, 1, options->bytes / SECTOR);
	for (number = 1; number <= options->acked + (options->count ? 0 : UNKNOWN); number++) {
		step = step_of(options, number);
		if (number <= options->acked)
			apply(shadow, &step, number);
		else
			memset(known + step.offset / SECTOR, 0, step.length / SECTOR);
	}
	for (at = 0; at < options->bytes; at += bytes) {
		bytes = options->bytes - at < MOST ? options->bytes - at : MOST;
		if (pread(fd, buffer, bytes, (off_t)(options->offset + at)) != (ssize_t)bytes) {
			fprintf(stderr, "hfio: reading at %llu: %s\n", (unsigned long long)at,
				strerror(errno));
			return 1;
		}
		for (i = 0; i < bytes; i += SECTOR) {
			if (!known[(at + i) / SECTOR])
				continue;
			compared++;
			if (!memcmp(buffer + i, shadow + at + i, SECTOR))
				continue;
			if (!bad++)
				printf("sector %llu differs\n",
				       (unsigned long long)((at + i) / SECTOR));
		}
	}
	printf("compared %llu sectors, %llu differ\n", (unsigned long long)compared,
	       (unsigned long long)bad);
	return bad || !compared;
}

/* One range, by the ways that there are. */
int run_clear(const struct options *options)
{
	int fd = open_target(options, O_RDWR | O_DIRECT), op;

	for (op = OP_DISCARD; op < OPS; op++)
		if (options->how && !strcmp(options->how, names[op]))
			break;
	if (op == OPS) {
		fprintf(stderr, "hfio: --how discard|zeroout|punch|range\n");
		return 2;
	}
	if (!clear(fd, (enum op)op, options->offset, options->bytes))
		return 0;
	fprintf(stderr, "hfio: %s: %s\n", names[op], strerror(errno));
	return 1;
}
