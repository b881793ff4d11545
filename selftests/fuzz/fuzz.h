/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a fuzz target gives: libFuzzer's entry, and right inputs to start from.
 * The same targets run under libFuzzer and under the plain driver in driver.c.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes the right input number @nr, at most @max bytes; returns its length, 0: no more. */
size_t fuzz_seed(unsigned int nr, uint8_t *data, size_t max);

/* A claim about what was accepted: a finding if it does not hold. */
#define FUZZ_CLAIM(condition) do {						\
	if (!(condition)) {							\
		fprintf(stderr, "finding: %s:%d: not %s\n", __FILE__, __LINE__,	\
			#condition);						\
		abort();							\
	}									\
} while (0)

/* A copy of exactly this length: reading past it is seen. */
static inline void *fuzz_copy(const void *data, size_t size)
{
	void *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	if (size)
		memcpy(copy, data, size);
	return copy;
}

#endif
