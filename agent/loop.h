/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clocks, randomness, log lines and small helpers of the daemon. */
#ifndef AGENT_LOOP_H
#define AGENT_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/* Milliseconds of CLOCK_BOOTTIME: for ages and deadlines on this node alone. */
uint64_t loop_now_ms(void);

/* Milliseconds since 1970: for what people read and for expiry of tokens. */
uint64_t loop_wall_ms(void);

/* Fills @buf from the kernel; ends the process if the kernel cannot. */
void loop_random(void *buf, size_t len);
uint32_t loop_random_u32(void);	/* never 0 */
uint64_t loop_random_u64(void);	/* never 0 */

void log_set_level(enum log_level level);
bool log_parse_level(const char *name, enum log_level *level);
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)	log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)	log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)	log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

/*
 * calloc() that ends the process when there is no memory: the daemon keeps no
 * state that a restart would lose, and I/O does not depend on it.
 */
void *xcalloc(size_t n, size_t size);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif /* AGENT_LOOP_H */
