// SPDX-License-Identifier: GPL-2.0-or-later
/* node ls, node info. */
#include "cli.h"

#include <stdlib.h>

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

static int cmd_ls(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "Lists the nodes of the cluster: sds leads, backups vote with it.",
	};
	struct node_options o = { 0 };
	json_t *answer;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (cli_ask("GET", "/v1/nodes", NULL, &answer))
		return CLI_FAILED;
	cli_warn_stale(answer);
	if (o.json)
		cli_print_json(answer);
	else
		cli_print_nodes(stdout, json_object_get(answer, "nodes"));
	json_decref(answer);
	return CLI_OK;
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
	json_t *answer, *status = NULL;
	char *path;
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
	path = cli_path("/v1/nodes/%s", o.name);
	rv = cli_ask("GET", path, NULL, &answer);
	free(path);
	json_decref(status);
	if (rv)
		return rv;
	cli_warn_stale(answer);
	if (o.json)
		cli_print_json(answer);
	else
		cli_print_node(stdout, answer);
	json_decref(answer);
	return CLI_OK;
}

const struct cli_command cli_node_commands[] = {
	{ "node", "ls list", cmd_ls, "list the nodes" },
	{ "node", "info inspect", cmd_info, "about one node" },
	{ 0 },
};
