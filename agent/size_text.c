// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sizes in text, both ways.  Units are powers of 1024 whatever they are called,
 * as in the command line's own tables.
 */
#include "size_text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "../uapi/holdfast_wire.h"

static const char units[] = "BKMGT";

bool size_parse(const char *text, uint64_t *bytes, const char **why)
{
	const char *at = text, *unit;
	unsigned int shift = 0;
	uint64_t value = 0;

	*why = "a size is a whole number of bytes, or one followed by K, M, G or T, as 512M or 1GB "
	       "(powers of 1024)";
	if (*at < '0' || *at > '9')
		return false;
	for (; *at >= '0' && *at <= '9'; at++) {
		uint64_t digit = (uint64_t)(*at - '0');

		if (value > (UINT64_MAX - digit) / 10)
			goto too_large;
		value = value * 10 + digit;
	}
	if (*at) {
		unit = strchr(units, *at & ~0x20);
		if (!unit || !*unit)
			return false;
		shift = (unsigned int)(unit - units) * 10;
		at++;
		if (shift && strcasecmp(at, "") && strcasecmp(at, "B") && strcasecmp(at, "iB"))
			return false;
		if (!shift && *at)
			return false;
	}
	if (value > (uint64_t)INT64_MAX >> shift)
		goto too_large;
	*bytes = value << shift;
	return true;
too_large:
	*why = "the size is larger than any volume can be";
	return false;
}

bool size_parse_volume(const char *text, uint64_t *bytes, const char **why)
{
	if (!size_parse(text, bytes, why))
		return false;
	if (*bytes < HF_MIN_VOLUME_BYTES) {
		*why = "a volume has 1M at least";
		return false;
	}
	if (*bytes % HF_BLOCK_BYTES) {
		*why = "the size of a volume is a multiple of 4K: round it";
		return false;
	}
	return true;
}

void size_format(uint64_t bytes, char *text, size_t size)
{
	unsigned int unit = 0;

	while (bytes && unit < 4 && !(bytes & 1023)) {
		bytes >>= 10;
		unit++;
	}
	if (unit)
		snprintf(text, size, "%llu%cB", (unsigned long long)bytes, units[unit]);
	else
		snprintf(text, size, "%lluB", (unsigned long long)bytes);
}
