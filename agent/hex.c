// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hex digits, the one form in which the agent writes bytes and ids as text.
 * Pure; text that comes in is not trusted.
 */
#include "hex.h"

#include <string.h>

void hex_encode(const uint8_t *bytes, size_t len, char *text)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < len; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	text[2 * len] = '\0';
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool hex_decode(const char *text, uint8_t *bytes, size_t len)
{
	size_t i;

	memset(bytes, 0, len);
	if (strlen(text) != 2 * len)
		return false;
	for (i = 0; i < len; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0) {
			memset(bytes, 0, len);
			return false;
		}
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

void hex_encode_u64(uint64_t value, char *text)
{
	uint8_t bytes[8];
	unsigned int i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(value >> (56 - 8 * i));
	hex_encode(bytes, sizeof(bytes), text);
}

bool hex_decode_u64(const char *text, uint64_t *value)
{
	uint8_t bytes[8];
	bool ok = hex_decode(text, bytes, sizeof(bytes));
	unsigned int i;

	*value = 0;
	for (i = 0; i < sizeof(bytes); i++)
		*value = *value << 8 | bytes[i];
	return ok;
}
