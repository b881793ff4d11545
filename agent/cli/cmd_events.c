// SPDX-License-Identifier: GPL-2.0-or-later
/* events: the history of the cluster. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

struct events_options {
	bool json;
	const char *n;
};

static const struct argp_option options[] = {
	{ "number", 'n', "N", 0, "the last N events (500)", 0 },
	{ "json", 'j', NULL, 0, "print JSON", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct events_options *o = state->input;

	switch (key) {
	case 'n':
		if (!*arg || strspn(arg, "0123456789") != strlen(arg) || strlen(arg) > 9)
			argp_error(state, "'%s' is not a number of events", arg);
		o->n = arg;
		break;
	case 'j':
		o->json = true;
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is too much", arg);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static void print(FILE *to, const json_t *answer)
{
	cli_print_events(to, json_object_get(answer, "events"));
}

static int cmd_events(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "Prints what happened in the cluster, oldest first.",
	};
	struct events_options o = { .n = "500" };

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	return cli_show(cli_path("/v1/events?n=%s", o.n), o.json, print);
}

const struct cli_command cli_events_commands[] = {
	{ NULL, "events event", cmd_events, "what happened in the cluster" },
	{ 0 },
};
