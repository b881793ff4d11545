// SPDX-License-Identifier: GPL-2.0-or-later
/* What comes from other machines or from a disk: preambles, frames, node.json, requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../frames.h"
#include "../../hex.h"
#include "../../identity.h"
#include "../../loop.h"
#include "../../transport.h"

static const struct transport_hello sample = {
	.kind = TRANSPORT_LINK_DATA,
	.from = 0xf8891810,
	.to = 0xe08dc3c4,
	.cluster = "0123456789abcde",
};

static void preamble_comes_back(void **state)
{
	uint8_t bytes[TRANSPORT_PREAMBLE_BYTES];
	struct transport_hello back;
	uint32_t body_bytes;
	const char *why;

	(void)state;
	transport_encode(&sample, TRANSPORT_BODY_MAX, bytes);
	assert_true(transport_decode(bytes, &back, &body_bytes, &why));
	assert_int_equal(back.kind, sample.kind);
	assert_int_equal(back.from, sample.from);
	assert_int_equal(back.to, sample.to);
	assert_memory_equal(back.cluster, sample.cluster, 16);
	assert_int_equal(body_bytes, TRANSPORT_BODY_MAX);
}

/* Each field at its bounds, with the sentence that belongs to it. */
static void preambles_that_are_refused(void **state)
{
	static const struct {
		unsigned int at;
		uint8_t value;
		const char *sentence;
	} cases[] = {
		{ 0, 0, "not a Holdfast agent" },
		{ 3, 0xff, "not a Holdfast agent" },
		{ 4, TRANSPORT_VERSION_MIN - 1, "protocol versions" },
		{ 4, TRANSPORT_VERSION + 1, "protocol versions" },
		{ 5, 0, "unknown kind" },
		{ 5, TRANSPORT_KIND_MAX + 1, "unknown kind" },
		{ 6, 1, "reserved bytes" },
		{ 7, 0x80, "reserved bytes" },
		{ 36, 1, "reserved bytes" },
		{ 39, 1, "reserved bytes" },
		{ 35, 1, "too long" },
	};
	uint8_t bytes[TRANSPORT_PREAMBLE_BYTES];
	struct transport_hello back;
	uint32_t body_bytes;
	const char *why;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		transport_encode(&sample, 0, bytes);
		bytes[cases[i].at] = cases[i].value;
		why = NULL;
		assert_false(transport_decode(bytes, &back, &body_bytes, &why));
		assert_non_null(strstr(why, cases[i].sentence));
	}
	transport_encode(&sample, TRANSPORT_BODY_MAX + 1, bytes);
	assert_false(transport_decode(bytes, &back, &body_bytes, &why));
}

static void bodies(void **state)
{
	static const char *const bad[] = { "", "[]", "1", "{", "{\"a\":1,\"a\":2}", "{} x", "\xff" };
	json_t *body = transport_decode_body("{\"a\":1}", 7);
	size_t i;

	(void)state;
	assert_non_null(body);
	json_decref(body);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_null(transport_decode_body(bad[i], strlen(bad[i])));
	assert_null(transport_decode_body("{}", TRANSPORT_BODY_MAX + 1));
}

static size_t make_frame(uint8_t *bytes, uint32_t said, const char *text)
{
	bytes[0] = (uint8_t)said;
	bytes[1] = (uint8_t)(said >> 8);
	bytes[2] = (uint8_t)(said >> 16);
	bytes[3] = (uint8_t)(said >> 24);
	memcpy(bytes + 4, text, strlen(text));
	return 4 + strlen(text);
}

static void frames_come_in_pieces(void **state)
{
	uint8_t bytes[64];
	size_t len = make_frame(bytes, 9, "{\"a\":1234}"), i;
	json_t *frame;

	(void)state;
	len = make_frame(bytes, 10, "{\"a\":1234}");
	for (i = 0; i < len; i++) {
		assert_int_equal(frames_parse(bytes, i, FRAMES_BODY_MAX, &frame), 0);
		assert_null(frame);
	}
	assert_int_equal(frames_parse(bytes, sizeof(bytes), FRAMES_BODY_MAX, &frame), len);
	assert_int_equal(json_integer_value(json_object_get(frame, "a")), 1234);
	json_decref(frame);
	/* A bound of the caller's holds before the frame is complete. */
	assert_int_equal(frames_parse(bytes, len, 10, &frame), len);
	json_decref(frame);
	assert_int_equal(frames_parse(bytes, 4, 9, &frame), -1);
}

static void frames_that_are_none(void **state)
{
	uint8_t bytes[64];
	json_t *frame;
	size_t len;

	(void)state;
	len = make_frame(bytes, 0, "");
	assert_int_equal(frames_parse(bytes, len, FRAMES_BODY_MAX, &frame), -1);
	len = make_frame(bytes, FRAMES_BODY_MAX + 1, "");
	assert_int_equal(frames_parse(bytes, len, FRAMES_BODY_MAX, &frame), -1);
	len = make_frame(bytes, 0xffffffff, "{}");
	assert_int_equal(frames_parse(bytes, len, FRAMES_BODY_MAX, &frame), -1);
	len = make_frame(bytes, 2, "[]");
	assert_int_equal(frames_parse(bytes, len, FRAMES_BODY_MAX, &frame), -1);
	len = make_frame(bytes, 3, "{}}");
	assert_int_equal(frames_parse(bytes, len, FRAMES_BODY_MAX, &frame), -1);
	len = make_frame(bytes, 13, "{\"a\":1,\"a\":2}");
	assert_int_equal(frames_parse(bytes, len, FRAMES_BODY_MAX, &frame), -1);
	assert_null(frame);
}

/* Any flip of any byte of a frame or preamble is borne, whatever comes of it. */
static void noise_is_borne(void **state)
{
	uint8_t bytes[TRANSPORT_PREAMBLE_BYTES], frame_bytes[64];
	struct transport_hello back;
	uint32_t body_bytes, seed = 1;
	unsigned int i, k;
	const char *why;
	json_t *frame;
	size_t len;

	(void)state;
	for (i = 0; i < 20000; i++) {
		transport_encode(&sample, 100, bytes);
		len = make_frame(frame_bytes, 26, "{\"call\":1,\"args\":{\"b\":[]}}");
		for (k = 0; k < 1 + i % 3; k++) {
			seed = seed * 1664525 + 1013904223;
			bytes[seed % sizeof(bytes)] ^= (uint8_t)(seed >> 24);
			frame_bytes[(seed >> 8) % len] ^= (uint8_t)(seed >> 16);
		}
		if (transport_decode(bytes, &back, &body_bytes, &why))
			assert_true(body_bytes <= TRANSPORT_BODY_MAX &&
				    back.kind <= TRANSPORT_KIND_MAX);
		if (frames_parse(frame_bytes, len, FRAMES_BODY_MAX, &frame) > 0)
			assert_true(json_is_object(frame));
		json_decref(frame);
	}
}

static struct identity make_identity(void)
{
	struct identity identity = {
		.phase = NODE_JOINING,
		.cluster = "0123456789abcde",
		.node = { .id = 7, .name = "v1", .address = "10.0.0.1", .port = 7340,
			  .nr_backing = 1 },
		.token = "AAAA",
		.join_id = 0x123456789abcdef0,
	};

	strcpy(identity.node.backing[0].data_path, "/dev/vdb");
	strcpy(identity.node.backing[0].meta_path, "/dev/vdc");
	identity.node.backing[0].size_bytes = 1u << 30;
	identity.node.backing[0].rotational = true;
	return identity;
}

static void identity_comes_back(void **state)
{
	struct identity identity = make_identity(), back;
	char dir[] = "/tmp/holdfast-test-XXXXXX", *path, why[256];

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(identity_load(dir, &back, why, sizeof(why)), -ENOENT);
	assert_int_equal(identity_save(dir, &identity, why, sizeof(why)), 0);
	assert_int_equal(identity_load(dir, &back, why, sizeof(why)), 0);
	assert_int_equal(back.phase, NODE_JOINING);
	assert_int_equal(back.join_id, identity.join_id);
	assert_string_equal(back.token, "AAAA");
	assert_string_equal(back.node.backing[0].meta_path, "/dev/vdc");
	assert_true(back.node.backing[0].rotational);
	assert_int_equal(back.node.backing[0].size_bytes, 1u << 30);
	/* A file that was cut off or changed by hand is refused, not half read. */
	path = xasprintf("%s/node.json", dir);
	assert_int_equal(truncate(path, 40), 0);
	assert_int_equal(identity_load(dir, &back, why, sizeof(why)), -EINVAL);
	assert_int_not_equal(strlen(why), 0);
	assert_int_equal(identity_remove(dir), 0);
	assert_int_equal(identity_remove(dir), 0);
	free(path);
	assert_int_equal(rmdir(dir), 0);
}

static void identity_refuses(const char *name, json_t *value)
{
	struct identity identity = make_identity();
	json_t *json = cmd_node_to_json(&identity.node);
	struct cmd_node node;
	char why[256] = "";

	json_object_set_new(json, name, value);
	assert_false(cmd_node_from_json(json, &node, why, sizeof(why)));
	assert_int_not_equal(strlen(why), 0);
	json_decref(json);
}

static void nodes_that_are_refused(void **state)
{
	json_t *many = json_array();
	int i;

	(void)state;
	identity_refuses("id", json_integer(0));
	identity_refuses("id", json_integer(1ll << 32));
	identity_refuses("id", json_string("7"));
	identity_refuses("port", json_integer(65536));
	identity_refuses("name", json_string("\x01"));
	identity_refuses("colour", json_true());
	identity_refuses("backing", json_null());
	for (i = 0; i < FSM_MAX_PAIRS + 1; i++)
		json_array_append_new(many, json_object());
	identity_refuses("backing", many);
	identity_refuses("backing", json_pack("[{}]"));
	identity_refuses("backing", json_pack("[{s:s, s:s, s:i, s:b, s:i}]", "data", "a", "meta", "b",
					      "size", 1, "rotational", 1, "x", 1));
}

static void hex(void **state)
{
	uint8_t bytes[4];
	uint64_t id;
	char text[17];

	(void)state;
	assert_true(hex_decode("00ffa1b2", bytes, 4));
	hex_encode(bytes, 4, text);
	assert_string_equal(text, "00ffa1b2");
	assert_false(hex_decode("00ffa1b", bytes, 4));
	assert_false(hex_decode("00ffa1b2c", bytes, 4));
	assert_false(hex_decode("00ffa1bg", bytes, 4));
	assert_false(hex_decode("00ffA1b2", bytes, 4));	/* a value has one text */
	hex_encode_u64(0x0123456789abcdefull, text);
	assert_string_equal(text, "0123456789abcdef");
	assert_true(hex_decode_u64(text, &id));
	assert_true(id == 0x0123456789abcdefull);
	assert_false(hex_decode_u64("0123456789abcde", &id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(preamble_comes_back),
		cmocka_unit_test(preambles_that_are_refused),
		cmocka_unit_test(bodies),
		cmocka_unit_test(frames_come_in_pieces),
		cmocka_unit_test(frames_that_are_none),
		cmocka_unit_test(noise_is_borne),
		cmocka_unit_test(identity_comes_back),
		cmocka_unit_test(nodes_that_are_refused),
		cmocka_unit_test(hex),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
