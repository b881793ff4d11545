// SPDX-License-Identifier: GPL-2.0-or-later
/* set, settings: what holds for the whole cluster. */
#include "cli.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct settings_options {
	bool json;
	int nr_words;
	const char *words[2];
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct settings_options *o = state->input;

	if (key == 'j') {
		o->json = true;
	} else if (key == ARGP_KEY_ARG) {
		if (o->nr_words == 2)
			argp_error(state, "'%s' is too much", arg);
		o->words[o->nr_words++] = arg;
	} else {
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "print JSON", 0 },
	{ 0 },
};

/* "10s", "500ms", "5m", "2h", or seconds. -1: not a time. */
static long long time_ms(const char *text)
{
	static const struct {
		const char	*unit;
		long long	ms;
	} units[] = {
		{ "ms", 1 }, { "s", 1000 }, { "", 1000 }, { "m", 60000 }, { "h", 3600000 },
		{ "d", 86400000 },
	};
	unsigned long long n;
	size_t i;
	char *end;

	if (*text < '0' || *text > '9' || strlen(text) > 12)
		return -1;
	n = strtoull(text, &end, 10);
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!strcmp(end, units[i].unit) && n <= 1000000000)
			return (long long)n * units[i].ms;
	}
	return -1;
}

static void print(FILE *to, const json_t *answer)
{
	long long ms = json_integer_value(json_object_get(answer, "rebuild_delay_ms"));

	if (ms % 1000)
		fprintf(to, "%-20s %lldms\n", "rebuild-delay", ms);
	else
		fprintf(to, "%-20s %llds\n", "rebuild-delay", ms / 1000);
}

static int cmd_settings(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = parse, .doc = "Prints the settings of the cluster.",
	};
	struct settings_options o = { .nr_words = 2 };

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	return cli_show(strdup("/v1/settings"), o.json, print);
}

static int cmd_set(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = parse, .args_doc = "NAME VALUE",
		.doc = "Changes a setting of the cluster.\v"
		       "rebuild-delay: a copy that is away so long is made anew on another node "
		       "(60s; with ms, s, m, h or d)",
	};
	struct settings_options o = { 0 };
	json_t *answer;
	long long ms;
	int rv;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (o.nr_words < 2) {
		fprintf(stderr, "%s: the name and the value are missing: rebuild-delay 60s\n", argv[0]);
		return CLI_USAGE;
	}
	if (strcmp(o.words[0], "rebuild-delay"))
		return cli_fail("there is no setting '%s': see 'holdfast settings'", o.words[0]);
	ms = time_ms(o.words[1]);
	if (ms < 0 || ms > UINT32_MAX)
		return cli_fail("'%s' is no time: give seconds, or a number with ms, s, m, h or d",
				o.words[1]);
	if (cli_ask("POST", "/v1/settings", json_pack("{s:I}", "rebuild_delay_ms", (json_int_t)ms),
		    &answer))
		return CLI_FAILED;
	rv = CLI_OK;
	if (o.json)
		rv = cli_print_json(answer);
	else
		print(stdout, answer);
	json_decref(answer);
	return rv;
}

const struct cli_command cli_settings_commands[] = {
	{ NULL, "settings", cmd_settings, "print the settings of the cluster" },
	{ NULL, "set", cmd_set, "change a setting of the cluster" },
	{ 0 },
};
