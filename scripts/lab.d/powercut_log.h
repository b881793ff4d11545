/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log of what a disk was told to do, for a replay of every moment at which
 * its power could have been cut.  One file a disk: entries one after the other,
 * in the order in which they took effect; a write's bytes follow its entry.
 * In the byte order of the machine: who records is who replays.
 */
#ifndef LAB_POWERCUT_LOG_H
#define LAB_POWERCUT_LOG_H

#include <stdint.h>

#define LOG_MAGIC	0x676c6370u	/* "pclg" */

enum log_kind {
	LOG_WRITE	= 1,	/* may be lost until the next flush */
	LOG_WRITE_FUA	= 2,	/* durable when answered */
	LOG_ZERO	= 3,	/* as LOG_WRITE, of zeroes; no bytes follow */
	LOG_ZERO_FUA	= 4,
	LOG_FLUSH	= 5,	/* all entries before it are durable */
};

/**
 * struct log_entry - one request
 * @magic: LOG_MAGIC
 * @kind: enum log_kind
 * @time_ns: CLOCK_MONOTONIC of the host when it took effect
 * @offset: first byte
 * @length: bytes
 */
struct log_entry {
	uint32_t magic;
	uint32_t kind;
	uint64_t time_ns;
	uint64_t offset;
	uint64_t length;
};

#endif
