// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Strict reading and plain writing of JSON, for commands, snapshots and
 * reports.  Not responsible for what the members mean.  Text that comes in was
 * written by another node or read from a disk: nothing of it is trusted.
 */
#include "json_util.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "hex.h"

void json_reader_begin(struct json_reader *r, const json_t *object, const char *what, char *why,
		       size_t why_size)
{
	memset(r, 0, sizeof(*r));
	r->object = object;
	r->what = what;
	r->why = why;
	r->why_size = why_size;
	if (!json_is_object(object)) {
		r->failed = true;
		if (why)
			snprintf(why, why_size, "%s is not an object", what);
	}
}

void json_reader_fail(struct json_reader *r, const char *name, const char *problem)
{
	if (r->failed)
		return;
	r->failed = true;
	if (r->why)
		snprintf(r->why, r->why_size, "%s: member \"%s\" %s", r->what, name, problem);
}

bool json_reader_has(const struct json_reader *r, const char *name)
{
	return !r->failed && json_object_get(r->object, name);
}

static const json_t *take(struct json_reader *r, const char *name)
{
	const json_t *value;

	if (r->failed)
		return NULL;
	value = json_object_get(r->object, name);
	if (!value)
		json_reader_fail(r, name, "is missing");
	else
		r->taken++;
	return value;
}

/* 0 after a fault. */
static json_int_t take_number(struct json_reader *r, const char *name, json_int_t min,
			      json_int_t max)
{
	const json_t *value = take(r, name);
	json_int_t number;

	if (!value)
		return 0;
	number = json_integer_value(value);
	if (!json_is_integer(value) || number < min || number > max) {
		json_reader_fail(r, name, "is not a number in its range");
		return 0;
	}
	return number;
}

u64 json_take_uint(struct json_reader *r, const char *name, u64 min, u64 max)
{
	return (u64)take_number(r, name, (json_int_t)min,
				max > INT64_MAX ? INT64_MAX : (json_int_t)max);
}

s32 json_take_int(struct json_reader *r, const char *name, s32 min, s32 max)
{
	return (s32)take_number(r, name, min, max);
}

bool json_take_bool(struct json_reader *r, const char *name)
{
	const json_t *value = take(r, name);

	if (!value)
		return false;
	if (!json_is_boolean(value))
		json_reader_fail(r, name, "is not true or false");
	return json_is_true(value);
}

static const char *take_hex(struct json_reader *r, const char *name, size_t size)
{
	const json_t *value = take(r, name);

	if (!value)
		return NULL;
	if (!json_is_string(value) || json_string_length(value) != 2 * size) {
		json_reader_fail(r, name, "has not its number of hex digits");
		return NULL;
	}
	return json_string_value(value);
}

void json_take_bytes(struct json_reader *r, const char *name, u8 *bytes, size_t size)
{
	const char *text = take_hex(r, name, size);

	memset(bytes, 0, size);
	if (text && !hex_decode(text, bytes, size))
		json_reader_fail(r, name, "is not in lower-case hex digits");
}

u64 json_take_id(struct json_reader *r, const char *name)
{
	const char *text = take_hex(r, name, sizeof(u64));
	uint64_t value = 0;

	if (text && !hex_decode_u64(text, &value))
		json_reader_fail(r, name, "is not in lower-case hex digits");
	return value;
}

void json_take_text(struct json_reader *r, const char *name, char *text, size_t size)
{
	const json_t *value = take(r, name);
	const char *from;
	size_t length, i;

	text[0] = '\0';
	if (!value)
		return;
	from = json_string_value(value);
	if (!from) {
		json_reader_fail(r, name, "is not a string");
		return;
	}
	length = json_string_length(value);
	if (length >= size) {
		json_reader_fail(r, name, "is too long");
		return;
	}
	for (i = 0; i < length; i++) {
		if ((unsigned char)from[i] < ' ' || from[i] == 0x7f) {
			json_reader_fail(r, name, "has control characters");
			return;
		}
	}
	memcpy(text, from, length + 1);
}

unsigned int json_take_enum(struct json_reader *r, const char *name, const char *const *names,
			    unsigned int count)
{
	const json_t *value = take(r, name);
	const char *text;
	unsigned int i;

	if (!value)
		return 0;
	text = json_string_value(value);
	for (i = 0; text && i < count; i++) {
		if (names[i] && !strcmp(text, names[i]))
			return i;
	}
	json_reader_fail(r, name, "is none of its words");
	return 0;
}

const json_t *json_take_array(struct json_reader *r, const char *name, size_t max)
{
	const json_t *value = take(r, name);

	if (!value)
		return NULL;
	if (!json_is_array(value) || json_array_size(value) > max) {
		json_reader_fail(r, name, "is not an array of its length");
		return NULL;
	}
	return value;
}

const json_t *json_take_object(struct json_reader *r, const char *name)
{
	const json_t *value = take(r, name);

	if (!value)
		return NULL;
	if (!json_is_object(value)) {
		json_reader_fail(r, name, "is not an object");
		return NULL;
	}
	return value;
}

int json_reader_end(struct json_reader *r)
{
	if (!r->failed && json_object_size(r->object) != r->taken) {
		r->failed = true;
		if (r->why)
			snprintf(r->why, r->why_size, "%s has members that are not known",
				 r->what);
	}
	return r->failed ? -EINVAL : 0;
}

void json_put(json_t **object, const char *name, json_t *value)
{
	if (!*object) {
		json_decref(value);
		return;
	}
	if (!value || json_object_set_new(*object, name, value)) {
		json_decref(*object);
		*object = NULL;
	}
}

void json_put_uint(json_t **object, const char *name, u64 value)
{
	json_put(object, name, json_integer((json_int_t)value));
}

void json_put_bytes(json_t **object, const char *name, const u8 *bytes, size_t size)
{
	char text[129];

	if (size > (sizeof(text) - 1) / 2) {
		json_put(object, name, NULL);
		return;
	}
	hex_encode(bytes, size, text);
	json_put(object, name, json_string(text));
}

void json_put_id(json_t **object, const char *name, u64 value)
{
	char text[17];

	hex_encode_u64(value, text);
	json_put(object, name, json_string(text));
}

void json_put_text(json_t **object, const char *name, const char *text)
{
	json_put(object, name, json_string(text));
}

void json_put_bool(json_t **object, const char *name, bool value)
{
	json_put(object, name, json_boolean(value));
}

void json_append(json_t **array, json_t *value)
{
	if (!*array) {
		json_decref(value);
		return;
	}
	if (!value || json_array_append_new(*array, value)) {
		json_decref(*array);
		*array = NULL;
	}
}
