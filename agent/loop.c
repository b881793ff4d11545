// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What every part of the daemon needs and no part owns: the two clocks, random
 * bytes, log lines on standard error (the journal adds the time), memory that
 * is there or ends the process.  No state but the log level.
 */
#include "loop.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>

static enum log_level log_max = LOG_LEVEL_INFO;

static const char *const log_names[] = {
	[LOG_LEVEL_ERROR]	= "error",
	[LOG_LEVEL_WARNING]	= "warning",
	[LOG_LEVEL_INFO]	= "info",
	[LOG_LEVEL_DEBUG]	= "debug",
};

static uint64_t clock_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t loop_now_ms(void)
{
	return clock_ms(CLOCK_BOOTTIME);
}

uint64_t loop_wall_ms(void)
{
	return clock_ms(CLOCK_REALTIME);
}

void loop_random(void *buf, size_t len)
{
	uint8_t *at = buf;

	while (len) {
		ssize_t n = getrandom(at, len, 0);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			log_error("no random bytes from the kernel: %s", strerror(errno));
			abort();
		}
		at += n;
		len -= (size_t)n;
	}
}

uint32_t loop_random_u32(void)
{
	uint32_t v = 0;

	while (!v)
		loop_random(&v, sizeof(v));
	return v;
}

uint64_t loop_random_u64(void)
{
	uint64_t v = 0;

	while (!v)
		loop_random(&v, sizeof(v));
	return v;
}

void log_set_level(enum log_level level)
{
	log_max = level;
}

bool log_parse_level(const char *name, enum log_level *level)
{
	size_t i;

	for (i = 0; i < sizeof(log_names) / sizeof(log_names[0]); i++) {
		if (!strcasecmp(name, log_names[i])) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (level > log_max)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "holdfastd: %s: %s\n", log_names[level], text);
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p) {
		log_error("out of memory");
		abort();
	}
	return p;
}

char *xstrdup(const char *s)
{
	char *p = strdup(s);

	if (!p) {
		log_error("out of memory");
		abort();
	}
	return p;
}

char *xasprintf(const char *fmt, ...)
{
	char *p = NULL;
	va_list ap;
	int rv;

	va_start(ap, fmt);
	rv = vasprintf(&p, fmt, ap);
	va_end(ap);
	if (rv < 0) {
		log_error("out of memory");
		abort();
	}
	return p;
}
