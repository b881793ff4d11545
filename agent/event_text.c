// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The form of an event line.  Which events there are, and their words, is the
 * state machine's matter.
 */
#include "event_text.h"

#include <stdio.h>
#include <time.h>

const char *event_level_name(unsigned int level)
{
	static const char *const names[] = { "info", "warning", "error" };

	return level < sizeof(names) / sizeof(names[0]) ? names[level] : "?";
}

void event_format(uint64_t time_ms, const char *level, const char *module, const char *text,
		  uint32_t code, char *line, size_t size)
{
	time_t secs = (time_t)(time_ms / 1000);
	char when[32];
	struct tm tm;

	if (!localtime_r(&secs, &tm) || !strftime(when, sizeof(when), "%m/%d/%Y-%H:%M:%S", &tm))
		snprintf(when, sizeof(when), "-");
	snprintf(line, size, "%s [%s] [%s] %s:%u", when, level, module, text, code);
}
