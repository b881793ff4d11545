// SPDX-License-Identifier: GPL-2.0-or-later
/* init, join, token, status: this node and its cluster. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

enum { OPT_ADDRESS = 256, OPT_NAME, OPT_BACKING };

struct entry_options {
	bool join, json;
	const char *token;
	json_t *body;
};

static const struct argp_option entry_argp_options[] = {
	{ "address", OPT_ADDRESS, "IP", 0, "address at which the other nodes reach this one (that "
	  "of the default route)", 0 },
	{ "name", OPT_NAME, "NAME", 0, "this node's name (the host's)", 0 },
	{ "backing", OPT_BACKING, "DATA:META", 0, "a pair of empty devices or files for one copy of "
	  "one volume: its data, and beside it its metadata; may be given again", 0 },
	{ "json", 'j', NULL, 0, "print JSON", 0 },
	{ 0 },
};

static void add_pair(struct argp_state *state, struct entry_options *o, const char *arg)
{
	const char *colon = strchr(arg, ':');
	json_t *pairs = json_object_get(o->body, "backing");

	if (!colon || colon == arg || !colon[1] || strchr(colon + 1, ':'))
		argp_error(state, "'%s' is not a pair DATA:META", arg);
	if (!pairs) {
		pairs = json_array();
		json_object_set_new(o->body, "backing", pairs);
	}
	json_array_append_new(pairs, json_pack("{s:s%, s:s}", "data", arg, (size_t)(colon - arg),
					       "meta", colon + 1));
}

static error_t parse_entry(int key, char *arg, struct argp_state *state)
{
	struct entry_options *o = state->input;

	switch (key) {
	case OPT_ADDRESS:
		json_object_set_new(o->body, "address", json_string(arg));
		break;
	case OPT_NAME:
		json_object_set_new(o->body, "name", json_string(arg));
		break;
	case OPT_BACKING:
		add_pair(state, o, arg);
		break;
	case 'j':
		o->json = true;
		break;
	case ARGP_KEY_ARG:
		if (!o->join || o->token)
			argp_error(state, "'%s' is too much", arg);
		o->token = arg;
		json_object_set_new(o->body, "token", json_string(arg));
		break;
	case ARGP_KEY_END:
		if (o->join && !o->token)
			argp_error(state, "the token is missing: 'holdfast token' on a member "
				   "prints one");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static int cmd_init(int argc, char **argv)
{
	static const struct argp argp = {
		.options = entry_argp_options,
		.parser = parse_entry,
		.doc = "Makes a cluster of this node and prints how the next node joins it.",
	};
	static struct entry_options o;
	json_t *answer, *node;

	o.body = json_object();
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (cli_ask("POST", "/v1/init", o.body, &answer))
		return CLI_FAILED;
	node = json_object_get(answer, "node");
	if (o.json) {
		cli_print_json(answer);
	} else {
		printf("Node %s (%s) at %s has made a cluster.\n"
		       "To add a node, run this there within an hour; 'holdfast token' prints a token "
		       "for each further one:\n\n    holdfast join %s\n", cli_text(node, "name"),
		       cli_text(node, "id"), cli_text(node, "address"), cli_text(answer, "token"));
	}
	json_decref(answer);
	return CLI_OK;
}

static int cmd_join(int argc, char **argv)
{
	static const struct argp argp = {
		.options = entry_argp_options,
		.parser = parse_entry,
		.args_doc = "TOKEN",
		.doc = "Makes this node a member of the cluster that made TOKEN.",
	};
	static struct entry_options o = { .join = true };
	json_t *answer, *node;

	o.body = json_object();
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (cli_ask("POST", "/v1/join", o.body, &answer))
		return CLI_FAILED;
	node = json_object_get(answer, "node");
	if (o.json)
		cli_print_json(answer);
	else
		printf("Node %s (%s) at %s has joined the cluster.\n", cli_text(node, "name"),
		       cli_text(node, "id"), cli_text(node, "address"));
	json_decref(answer);
	return CLI_OK;
}

static error_t parse_json(int key, char *arg, struct argp_state *state)
{
	if (key == 'j')
		*(bool *)state->input = true;
	else if (key == ARGP_KEY_ARG)
		argp_error(state, "'%s' is too much", arg);
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

static const struct argp_option json_options[] = {
	{ "json", 'j', NULL, 0, "print JSON", 0 },
	{ 0 },
};

static int cmd_token(int argc, char **argv)
{
	static const struct argp argp = {
		.options = json_options,
		.parser = parse_json,
		.doc = "Prints a token with which one node can join within an hour.",
	};
	bool json = false;
	json_t *answer;

	argp_parse(&argp, argc, argv, 0, NULL, &json);
	if (cli_ask("POST", "/v1/tokens", NULL, &answer))
		return CLI_FAILED;
	if (json)
		cli_print_json(answer);
	else
		puts(cli_text(answer, "token"));
	json_decref(answer);
	return CLI_OK;
}

static int cmd_status(int argc, char **argv)
{
	static const struct argp argp = {
		.options = json_options,
		.parser = parse_json,
		.doc = "Tells how this node's own agent and module are, without asking others.",
	};
	bool json = false;
	json_t *answer;

	argp_parse(&argp, argc, argv, 0, NULL, &json);
	if (cli_ask("GET", "/v1/status", NULL, &answer))
		return CLI_FAILED;
	if (json) {
		cli_print_json(answer);
	} else {
		printf("%-12s%s\n%-12s%s\n%-12s%s\n%-12s%s\n", "Agent", cli_text(answer, "version"),
		       "Phase", cli_text(answer, "phase"), "Id", cli_text(answer, "id"), "Leader",
		       *cli_text(answer, "leader") ? cli_text(answer, "leader") : "none");
		printf("%-12s%s\n", "Module", json_is_true(json_object_get(answer, "module")) ?
		       "loaded" : *cli_text(answer, "module_trouble") ?
		       cli_text(answer, "module_trouble") : "not loaded");
	}
	json_decref(answer);
	return CLI_OK;
}

const struct cli_command cli_cluster_commands[] = {
	{ NULL, "init", cmd_init, "make a cluster of this node" },
	{ NULL, "join", cmd_join, "make this node a member of a cluster" },
	{ NULL, "token", cmd_token, "print a token for one more node" },
	{ NULL, "status", cmd_status, "this node's own agent and module" },
	{ 0 },
};
