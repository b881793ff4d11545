/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hfio: the clients of the tests.  Every block that they write tells what it
 * is, so that a reader needs no memory of the writer.
 */
#ifndef HFIO_H
#define HFIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_BYTES 4096u

/**
 * struct record - one self-identifying block
 * @magic: "hfiorec\0"
 * @number: APPEND: position of the record, from 1; STORM: number of the block
 * @version: STORM: how often the block was written; APPEND: 1
 * @writer: who wrote it
 * @fill: bytes that follow from number and version
 * @crc: crc32c of all before it
 */
struct record {
	uint64_t magic;
	uint64_t number;
	uint64_t version;
	uint64_t writer;
	uint8_t fill[RECORD_BYTES - 4 * 8 - 4];
	uint32_t crc;
} __attribute__((packed));

struct options {
	const char *path;
	bool device;
	uint64_t acked;
	uint64_t bytes;
	uint64_t count;
	uint64_t blocks;
	uint64_t seed;
	unsigned int interval_us;
	unsigned int threads;
	unsigned int seconds;
	uint64_t offset;
	const char *how;
};

uint32_t crc32c(const void *data, size_t bytes);
void record_make(struct record *record, uint64_t number, uint64_t version, uint64_t writer);
/* Is it intact, and the record @number? */
bool record_good(const struct record *record, uint64_t number);
/* Never written: all zeros. */
bool record_blank(const struct record *record);
/* Aligned memory for O_DIRECT; ends the program when there is none. */
void *aligned(size_t bytes);
/* Opens options->path; ends the program with a sentence if it cannot. */
int open_target(const struct options *options, int flags);
/* CLOCK_BOOTTIME in ms. */
uint64_t now_ms(void);
uint64_t random_next(uint64_t *state);

int run_append(const struct options *options);
int run_verify(const struct options *options);
int run_sums(const struct options *options);
int run_storm(const struct options *options);
int run_versions(const struct options *options);
int run_overlap(const struct options *options);
int run_mix(const struct options *options);
int run_mixed(const struct options *options);
int run_clear(const struct options *options);

#endif
