// SPDX-License-Identifier: GPL-2.0-or-later
/* What people type and read: sizes, names, tokens, addresses, event lines, tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../cli/cli.h"
#include "../../event_text.h"
#include "../../identity.h"
#include "../../size_text.h"
#include "../../token.h"
#include "../../transport.h"

static void sizes_that_are_sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {
		{ "0", 0 }, { "4096", 4096 }, { "512B", 512 }, { "1K", 1024 }, { "1k", 1024 },
		{ "1KB", 1024 }, { "1KiB", 1024 }, { "3mib", 3u << 20 }, { "1GB", 1u << 30 },
		{ "2T", 2ull << 40 }, { "9223372036854775807", INT64_MAX },
		{ "8388607T", 8388607ull << 40 },
	};
	const char *why;
	uint64_t bytes;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(size_parse(cases[i].text, &bytes, &why));
		assert_int_equal(bytes, cases[i].bytes);
	}
}

static void sizes_that_are_none(void **state)
{
	static const char *const cases[] = {
		"", " 1", "-1", "+1", "1 G", "1.5G", "G", "1X", "1GX", "1GBB", "1iB", "1BB", "0x10",
		"18446744073709551616", "9223372036854775808", "8388608T", "99999999999999999999T",
		"1G\n", "1\xc3\xa9",
	};
	const char *why;
	uint64_t bytes;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		why = NULL;
		assert_false(size_parse(cases[i], &bytes, &why));
		assert_non_null(why);
	}
	assert_false(size_parse_volume("1048575", &bytes, &why));
	assert_false(size_parse_volume("1048577", &bytes, &why));
	assert_true(size_parse_volume("1M", &bytes, &why));
}

static void sizes_are_printed_as_they_are_read(void **state)
{
	static const uint64_t cases[] = { 0, 1, 512, 4096, 1u << 20, 1536u << 20, 1u << 30,
					  5ull << 40, (1ull << 50) + 4096, 12345678 };
	const char *why;
	char text[32];
	uint64_t bytes;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_format(cases[i], text, sizeof(text));
		assert_true(size_parse(text, &bytes, &why));
		assert_int_equal(bytes, cases[i]);
	}
	size_format(1u << 30, text, sizeof(text));
	assert_string_equal(text, "1GB");
}

static void names(void **state)
{
	char longest[65];

	(void)state;
	assert_true(identity_name_is_valid("v1"));
	assert_true(identity_name_is_valid("pvc-ffab26ce-2b09-4d5f-accb-24911374f777"));
	assert_true(identity_name_is_valid("a.b"));
	assert_false(identity_name_is_valid(""));
	assert_false(identity_name_is_valid("V1"));
	assert_false(identity_name_is_valid("-a"));
	assert_false(identity_name_is_valid("a-"));
	assert_false(identity_name_is_valid(".a"));
	assert_false(identity_name_is_valid("a/b"));
	assert_false(identity_name_is_valid("a b"));
	assert_false(identity_name_is_valid("\xc3\xa9"));
	memset(longest, 'a', 64);
	longest[64] = '\0';
	assert_false(identity_name_is_valid(longest));
	longest[63] = '\0';
	assert_true(identity_name_is_valid(longest));
}

static void tokens_come_back(void **state)
{
	static const char *const ips[] = { "10.77.0.1", "255.255.255.255", "2001:db8::1", "::" };
	struct token token = { .port = 7340 }, back;
	char text[TOKEN_TEXT_MAX], lower[TOKEN_TEXT_MAX];
	const char *why;
	size_t i, c;

	(void)state;
	for (i = 0; i < sizeof(ips) / sizeof(ips[0]); i++) {
		memset(token.ip, 0, sizeof(token.ip));
		strcpy(token.ip, ips[i]);
		for (c = 0; c < TOKEN_SECRET_BYTES; c++)
			token.secret[c] = (uint8_t)(c * 37 + i);
		assert_true(token_encode(&token, text));
		for (c = 0; text[c]; c++)
			lower[c] = text[c] | (text[c] >= 'A' ? 0x20 : 0);
		lower[c] = '\0';
		assert_true(token_decode(lower, &back, &why));
		assert_string_equal(back.ip, ips[i]);
		assert_int_equal(back.port, 7340);
		assert_memory_equal(back.secret, token.secret, TOKEN_SECRET_BYTES);
	}
	strcpy(token.ip, "host");
	assert_false(token_encode(&token, text));
}

/* Every single wrong character is found, as is every truncation. */
static void tokens_that_are_mistyped(void **state)
{
	struct token token = { .ip = "10.0.0.1", .port = 1, .secret = "0123456789abcde" }, back;
	char text[TOKEN_TEXT_MAX], bad[2 * TOKEN_TEXT_MAX];
	unsigned int found = 0, tried = 0;
	const char *why;
	size_t i;

	(void)state;
	assert_true(token_encode(&token, text));
	for (i = 0; text[i]; i++) {
		strcpy(bad, text);
		bad[i] = bad[i] == 'A' ? 'B' : 'A';
		tried++;
		found += !token_decode(bad, &back, &why);
		strcpy(bad, text);
		bad[i] = '\0';
		assert_false(token_decode(bad, &back, &why));
		bad[i] = '!';
		assert_false(token_decode(bad, &back, &why));
	}
	assert_int_equal(found, tried);
	sprintf(bad, "%s%s", text, text);
	assert_false(token_decode(bad, &back, &why));
}

static void addresses(void **state)
{
	static const char *const good[] = { "10.0.0.1:7340", "[2001:db8::1]:1", "[::]:65535" };
	static const char *const bad[] = {
		"", ":", ":7340", "10.0.0.1", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:65536",
		"10.0.0.1:7340x", "10.0.0.1: 7", "2001:db8::1:7340", "[]:1", "[::1:1", "::1]:1",
		"host:1", "10.0.0.256:1",
		"[aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]:1",
	};
	struct sockaddr_storage addr;
	char *text;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(transport_parse_address(good[i], &addr));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(transport_parse_address(bad[i], &addr));
	text = transport_format_address("::1", 7);
	assert_string_equal(text, "[::1]:7");
	free(text);
}

static void event_lines(void **state)
{
	char line[256];

	(void)state;
	setenv("TZ", "UTC", 1);
	event_format(1614589380123ull, "warning", "DFS", "ID bce5139c node is cordoned", 2010, line,
		     sizeof(line));
	assert_string_equal(line,
			    "03/01/2021-09:03:00 [warning] [DFS] ID bce5139c node is cordoned:2010");
	assert_string_equal(event_level_name(0), "info");
	assert_string_equal(event_level_name(1), "warning");
	assert_string_equal(event_level_name(2), "error");
	assert_string_equal(event_level_name(3), "?");
	event_format(0, "info", "VD", "x", 1, line, 8);	/* cut off, not overrun */
	assert_int_equal(strlen(line), 7);
}

static void table(void (*print)(FILE *to, const json_t *list), const char *list,
		  const char *wanted)
{
	json_t *json = json_loads(list, 0, NULL);
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	assert_non_null(json);
	print(to, json);
	fclose(to);
	assert_string_equal(text, wanted);
	free(text);
	json_decref(json);
}

/* To the letter of the operators' documentation. */
static void node_columns(void **state)
{
	(void)state;
	table(cli_print_nodes,
	      "[{\"name\": \"v1\", \"address\": \"192.168.3.36\", \"id\": \"f8891810\","
	      " \"role\": \"sds\", \"status\": \"normal\"},"
	      " {\"name\": \"v3\", \"address\": \"192.168.3.160\", \"id\": \"6a41aeba\","
	      " \"role\": \"backup2\", \"status\": \"cordoned\"}]",
	      "NODENAME             IP                NODE_ID    ROLE       STATUS\n"
	      "v1                   192.168.3.36      f8891810   sds        normal\n"
	      "v3                   192.168.3.160     6a41aeba   backup2    cordoned\n");
}

static void volume_columns(void **state)
{
	(void)state;
	table(cli_print_volumes,
	      "[{\"name\": \"pvc-7c8f39fb-74e3-4f2f-9495-5e9c5c475903\", \"attached_on\": \"v2\","
	      " \"vdisk\": \"vd2\", \"drive\": \"SSD\", \"type\": \"2-copy\", \"size\": \"1GB\","
	      " \"uuid\": \"0c763db4000000000000000000000000\"},"
	      " {\"name\": \"web\", \"attached_on\": null, \"vdisk\": \"vd3\", \"drive\": \"HDD\","
	      " \"type\": \"3-copy\", \"size\": \"1536MB\", \"uuid\": \"4ac2b383\"}]",
	      "NODENAME             VDISK     DRIVE TYPE                    SIZE  UUID      VOLUMENAME\n"
	      "v2                   vd2       SSD   2-copy                   1GB  0c763db4  "
	      "pvc-7c8f39fb-74e3-4f2f-9495-5e9c5c475903\n"
	      "                     vd3       HDD   3-copy                1536MB  4ac2b383  web\n");
}

static void paths_are_escaped(void **state)
{
	char *path = cli_path("/v1/volumes/%s/attach", "a/b ?%\xff");

	(void)state;
	assert_string_equal(path, "/v1/volumes/a%2Fb%20%3F%25%FF/attach");
	free(path);
}

const char *cli_socket = "";

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_that_are_sizes),
		cmocka_unit_test(sizes_that_are_none),
		cmocka_unit_test(sizes_are_printed_as_they_are_read),
		cmocka_unit_test(names),
		cmocka_unit_test(tokens_come_back),
		cmocka_unit_test(tokens_that_are_mistyped),
		cmocka_unit_test(addresses),
		cmocka_unit_test(event_lines),
		cmocka_unit_test(node_columns),
		cmocka_unit_test(volume_columns),
		cmocka_unit_test(paths_are_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
