/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Strict reading and plain writing of JSON objects.  A reader takes members
 * one by one and at its end refuses an object that has others.  After the
 * first fault every call does nothing and returns zeroes, so that a decoder
 * reads as a list of members.
 */
#ifndef HOLDFAST_AGENT_JSON_UTIL_H
#define HOLDFAST_AGENT_JSON_UTIL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

/* @why may be NULL. Life: on the stack of the decoder. */
struct json_reader {
	const json_t	*object;
	const char	*what;		/* "command", for sentences */
	char		*why;
	size_t		why_size;
	size_t		taken;
	bool		failed;
};

void json_reader_begin(struct json_reader *r, const json_t *object, const char *what, char *why,
		       size_t why_size);
/* A sentence about member @name. */
void json_reader_fail(struct json_reader *r, const char *name, const char *problem);
bool json_reader_has(const struct json_reader *r, const char *name);
u64 json_take_uint(struct json_reader *r, const char *name, u64 min, u64 max);
s32 json_take_int(struct json_reader *r, const char *name, s32 min, s32 max);
bool json_take_bool(struct json_reader *r, const char *name);
/* 16 hex digits. */
u64 json_take_id(struct json_reader *r, const char *name);
/* @size bytes as hex digits. */
void json_take_bytes(struct json_reader *r, const char *name, u8 *bytes, size_t size);
/* Text without control characters that fits @size with its NUL. */
void json_take_text(struct json_reader *r, const char *name, char *text, size_t size);
/* One of @names[0..count-1]; its index. */
unsigned int json_take_enum(struct json_reader *r, const char *name, const char *const *names,
			    unsigned int count);
/* Borrowed; NULL if it is not an array of at most @max, or not an object. */
const json_t *json_take_array(struct json_reader *r, const char *name, size_t max);
const json_t *json_take_object(struct json_reader *r, const char *name);
/* 0, or -EINVAL when something was wrong or members are left over. */
int json_reader_end(struct json_reader *r);

/* Writers: a failed allocation leaves *@object NULL and the rest does nothing. */
void json_put(json_t **object, const char *name, json_t *value);	/* takes @value */
void json_put_uint(json_t **object, const char *name, u64 value);	/* below 2^63 */
void json_put_id(json_t **object, const char *name, u64 value);
void json_put_bytes(json_t **object, const char *name, const u8 *bytes, size_t size);
void json_put_text(json_t **object, const char *name, const char *text);
void json_put_bool(json_t **object, const char *name, bool value);
void json_append(json_t **array, json_t *value);			/* takes @value */

#endif /* HOLDFAST_AGENT_JSON_UTIL_H */
