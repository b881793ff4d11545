// SPDX-License-Identifier: GPL-2.0-or-later
/* node ls, node info. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

struct node_options {
	bool json, may_name;
	const char *name;
};

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "print JSON", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct node_options *o = state->input;

	if (key == 'j') {
		o->json = true;
	} else if (key == ARGP_KEY_ARG) {
		if (!o->may_name || o->name)
			argp_error(state, "'%s' is too much", arg);
		o->name = arg;
	} else {
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static void print_list(FILE *to, const json_t *answer)
{
	cli_print_nodes(to, json_object_get(answer, "nodes"));
}

static int cmd_ls(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "Lists the nodes of the cluster: sds leads, backups vote with it.",
	};
	struct node_options o = { 0 };

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	return cli_show(strdup("/v1/nodes"), o.json, print_list);
}

static int cmd_info(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "[NODE]",
		.doc = "Tells about one node, by name, id or address (this node).",
	};
	struct node_options o = { .may_name = true };
	json_t *status = NULL;
	int rv;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (!o.name) {
		if (cli_ask("GET", "/v1/status", NULL, &status))
			return CLI_FAILED;
		o.name = cli_text(status, "id");
		if (!*o.name) {
			json_decref(status);
			return cli_fail("this node is not a member of a cluster: run 'holdfast init' to "
					"make one, or 'holdfast join TOKEN' to join one");
		}
	}
	if (cli_may_be_name(o.name))
		rv = cli_show(cli_path("/v1/nodes/%s", o.name), o.json, cli_print_node);
	else
		rv = cli_fail("there is no node '%s': see 'holdfast node ls'", o.name);
	json_decref(status);
	return rv;
}

const struct cli_command cli_node_commands[] = {
	{ "node", "ls list", cmd_ls, "list the nodes" },
	{ "node", "info inspect", cmd_info, "about one node" },
	{ 0 },
};
