/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the backing*.c files alone. */
#ifndef AGENT_BACKING_INTERNAL_H
#define AGENT_BACKING_INTERNAL_H

#include <stddef.h>

/* Write the sentence of a refusal; returns @error. */
int backing_refuse(int error, char *why, size_t why_len, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif /* AGENT_BACKING_INTERNAL_H */
