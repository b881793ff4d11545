// SPDX-License-Identifier: GPL-2.0-or-later
/* node ls, info, cordon, uncordon, wait. */
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

/* ------------------------------------------------------- cordon and uncordon */

enum { OPT_FORCE = 256, OPT_SHUTDOWN, OPT_TIMEOUT, OPT_NORMAL, OPT_CORDONED };

struct cordon_options {
	bool json;
	const char *name, *wait_for;
	json_t *body;
};

#define TIMEOUT_OPTION	{ "timeout", OPT_TIMEOUT, "S", 0, "wait so many seconds at most", 0 }
#define JSON_OPTION	{ "json", 'j', NULL, 0, "print JSON", 0 }

static void take_timeout(struct argp_state *state, struct cordon_options *o, const char *arg)
{
	char *end;
	unsigned long s = strtoul(arg, &end, 10);

	if (*end || *arg < '0' || *arg > '9' || s > 3600)
		argp_error(state, "'%s' is not a number from 0 to 3600", arg);
	json_object_set_new(o->body, "timeout_ms", json_integer((json_int_t)s * 1000));
}

static error_t parse_cordon(int key, char *arg, struct argp_state *state)
{
	struct cordon_options *o = state->input;

	switch (key) {
	case 'j':
		o->json = true;
		break;
	case OPT_FORCE:
		json_object_set_new(o->body, "force", json_true());
		break;
	case OPT_SHUTDOWN:
		json_object_set_new(o->body, "shutdown", json_true());
		break;
	case OPT_TIMEOUT:
		take_timeout(state, o, arg);
		break;
	case OPT_NORMAL:
	case OPT_CORDONED:
		if (o->wait_for)
			argp_error(state, "wait for one thing at a time");
		o->wait_for = key == OPT_NORMAL ? "normal" : "cordoned";
		break;
	case ARGP_KEY_ARG:
		if (o->name)
			argp_error(state, "'%s' is too much", arg);
		o->name = arg;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* Asks for it of the node that was named, or of this one, and tells the outcome. */
static int send_cordon(struct cordon_options *o, const char *path_format)
{
	json_t *status = NULL, *answer = NULL;
	char *path;
	int rv = CLI_FAILED;

	if (!o->name) {
		if (cli_ask("GET", "/v1/status", NULL, &status))
			goto out;
		o->name = cli_text(status, "id");
	}
	if (!*o->name || !cli_may_be_name(o->name)) {
		rv = *o->name ? cli_fail("there is no node '%s': see 'holdfast node ls'", o->name) :
		     cli_fail("this node is not a member of a cluster");
		goto out;
	}
	path = cli_path(path_format, o->name);
	rv = cli_ask("POST", path, json_incref(o->body), &answer);
	free(path);
	if (rv)
		goto out;
	if (o->json)
		rv = cli_print_json(answer);
	else
		printf("Node %s is %s.\n", cli_text(answer, "name"), cli_text(answer, "status"));
	json_decref(answer);
out:
	json_decref(status);
	json_decref(o->body);
	return rv;
}

static int cmd_cordon(int argc, char **argv)
{
	static const struct argp_option argp_options[] = {
		{ "force", OPT_FORCE, NULL, 0, "also if a volume has its only in-sync copy there, and "
		  "open volumes too: their I/O there ends with errors", 0 },
		{ "for-shutdown", OPT_SHUTDOWN, NULL, 0, "it is about to go down: like --force, but "
		  "open volumes get a moment to be closed", 0 },
		TIMEOUT_OPTION,
		JSON_OPTION,
		{ 0 },
	};
	static const struct argp argp = {
		.options = argp_options, .parser = parse_cordon, .args_doc = "[NODE]",
		.doc = "Hands over what a node (this one) serves, and waits until nobody waits for it. "
		       "It is taken back by itself after its next boot, or by 'node uncordon'.",
	};
	struct cordon_options o = { .body = json_object() };

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	return send_cordon(&o, "/v1/nodes/%s/cordon");
}

static int cmd_uncordon(int argc, char **argv)
{
	static const struct argp_option argp_options[] = { TIMEOUT_OPTION, JSON_OPTION, { 0 } };
	static const struct argp argp = {
		.options = argp_options, .parser = parse_cordon, .args_doc = "[NODE]",
		.doc = "Takes back a node that was cordoned.",
	};
	struct cordon_options o = { .body = json_object() };

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	return send_cordon(&o, "/v1/nodes/%s/uncordon");
}

static int cmd_wait(int argc, char **argv)
{
	static const struct argp_option argp_options[] = {
		{ "normal", OPT_NORMAL, NULL, 0, "until it is normal", 0 },
		{ "cordoned", OPT_CORDONED, NULL, 0, "until it is cordoned", 0 },
		TIMEOUT_OPTION,
		JSON_OPTION,
		{ 0 },
	};
	static const struct argp argp = {
		.options = argp_options, .parser = parse_cordon,
		.args_doc = "[NODE] --normal|--cordoned",
		.doc = "Waits for the status of a node (30 seconds).",
	};
	struct cordon_options o = { .body = json_object() };

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (!o.wait_for) {
		fprintf(stderr, "%s: what to wait for is missing: --normal or --cordoned\n", argv[0]);
		json_decref(o.body);
		return CLI_USAGE;
	}
	json_object_set_new(o.body, "for", json_string(o.wait_for));
	return send_cordon(&o, "/v1/nodes/%s/wait");
}

const struct cli_command cli_node_commands[] = {
	{ "node", "ls list", cmd_ls, "list the nodes" },
	{ "node", "info inspect", cmd_info, "about one node" },
	{ "node", "cordon", cmd_cordon, "hand over what a node serves" },
	{ "node", "uncordon", cmd_uncordon, "take a cordoned node back" },
	{ "node", "wait", cmd_wait, "wait for the status of a node" },
	{ 0 },
};
