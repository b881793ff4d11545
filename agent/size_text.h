/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes as people write them: 1GB is 2^30 bytes. Pure. */
#ifndef AGENT_SIZE_TEXT_H
#define AGENT_SIZE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Plain bytes, or a whole number followed by K, M, G or T with an optional B or
 * iB, in either case. false and a sentence in *why for anything else.
 */
bool size_parse(const char *text, uint64_t *bytes, const char **why);

/* As size_parse(), and a size that a volume can have. */
bool size_parse_volume(const char *text, uint64_t *bytes, const char **why);

/* "1GB", "1536MB", "1000B": the largest unit that divides it. */
void size_format(uint64_t bytes, char *text, size_t size);

#endif /* AGENT_SIZE_TEXT_H */
