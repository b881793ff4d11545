/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes as hex digits and back: lower case alone, so that a value has one text. */
#ifndef HOLDFAST_AGENT_HEX_H
#define HOLDFAST_AGENT_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* @text takes 2 * @len + 1 bytes. */
void hex_encode(const uint8_t *bytes, size_t len, char *text);

/* Exactly @len bytes; false if @text is anything else, @bytes is then zeroes. */
bool hex_decode(const char *text, uint8_t *bytes, size_t len);

/* 16 digits, the highest first; @text takes 17 bytes. */
void hex_encode_u64(uint64_t value, char *text);
bool hex_decode_u64(const char *text, uint64_t *value);

#endif /* HOLDFAST_AGENT_HEX_H */
