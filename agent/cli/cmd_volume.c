// SPDX-License-Identifier: GPL-2.0-or-later
/* volume create, ls, info, attach, detach, move, rm, wait. */
#include "cli.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../size_text.h"

enum {
	OPT_NODE = 256,
	OPT_SIZE,
	OPT_COPIES,
	OPT_ATTACH,
	OPT_FORCE,
	OPT_TIMEOUT,
	OPT_ATTACHED,
	OPT_HEALTHY,
	OPT_DETACHED,
	OPT_HELD,
};

/* What any of the commands may be given; a command takes those of its own options. */
struct volume_options {
	bool json, yes, all, no_name;
	const char *name, *wait_for;
	json_t *body, *nodes;
};

#define JSON_OPTION	{ "json", 'j', NULL, 0, "print JSON", 0 }
#define TIMEOUT_OPTION	{ "timeout", OPT_TIMEOUT, "S", 0, "wait so many seconds at most", 0 }

static json_int_t number(struct argp_state *state, const char *arg, json_int_t min, json_int_t max)
{
	json_int_t n = 0;
	const char *at;

	for (at = arg; *at >= '0' && *at <= '9' && n <= max; at++)
		n = n * 10 + (*at - '0');
	if (*at || at == arg || n < min || n > max)
		argp_error(state, "'%s' is not a number from %lld to %lld", arg, min, max);
	return n;
}

static void take_size(struct volume_options *o, const char *arg)
{
	uint64_t bytes;
	const char *why;

	if (!size_parse_volume(arg, &bytes, &why)) {
		cli_fail("'%s' cannot be a volume's size: %s", arg, why);
		exit(CLI_FAILED);
	}
	json_object_set_new(o->body, "size_bytes", json_integer((json_int_t)bytes));
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct volume_options *o = state->input;

	switch (key) {
	case 'j':
		o->json = true;
		break;
	case 'a':
		o->all = true;
		break;
	case 'y':
		o->yes = true;
		break;
	case 's':
		take_size(o, arg);
		break;
	case 'c':
		json_object_set_new(o->body, "copies", json_integer(number(state, arg, 1, 4)));
		break;
	case OPT_NODE:
		json_array_append_new(o->nodes, json_string(arg));
		break;
	case OPT_ATTACH:
		if (strcmp(arg, "auto") && strcmp(arg, "follow"))
			argp_error(state, "'%s' is neither auto nor follow", arg);
		json_object_set_new(o->body, "attach", json_string(arg));
		break;
	case OPT_HELD:
		json_object_set_new(o->body, "held_timeout_ms",
				    json_integer(number(state, arg, 1, 86400) * 1000));
		break;
	case OPT_FORCE:
		json_object_set_new(o->body, "force", json_true());
		break;
	case OPT_TIMEOUT:
		json_object_set_new(o->body, "timeout_ms",
				    json_integer(number(state, arg, 0, 3600) * 1000));
		break;
	case OPT_ATTACHED:
	case OPT_HEALTHY:
	case OPT_DETACHED:
		if (o->wait_for)
			argp_error(state, "wait for one thing at a time");
		o->wait_for = key == OPT_ATTACHED ? "attached" : key == OPT_HEALTHY ? "healthy" :
			      "detached";
		break;
	case ARGP_KEY_ARG:
		if (o->no_name || o->name)
			argp_error(state, "'%s' is too much", arg);
		o->name = arg;
		break;
	case ARGP_KEY_END:
		if (!o->no_name && !o->name)
			argp_error(state, "the volume's name is missing");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static void begin(struct volume_options *o, const struct argp *argp, int argc, char **argv)
{
	o->body = json_object();
	o->nodes = json_array();
	argp_parse(argp, argc, argv, 0, NULL, o);
}

/* The node of a command that takes one at most; -1 after a usage error. */
static int take_node(struct volume_options *o, const char *command)
{
	if (json_array_size(o->nodes) > 1) {
		fprintf(stderr, "%s: name one node\n", command);
		return -1;
	}
	if (json_array_size(o->nodes))
		json_object_set(o->body, "node", json_array_get(o->nodes, 0));
	return 0;
}

typedef void (*print_fn)(const struct volume_options *o, const json_t *answer);

/* Sends what was read, prints the answer. @path is freed. */
static int send_to(struct volume_options *o, const char *method, char *path, print_fn print)
{
	json_t *answer;
	int rv = cli_ask(method, path, o->body, &answer);

	free(path);
	json_decref(o->nodes);
	if (rv)
		return rv;
	cli_warn_stale(answer);
	if (o->json)
		rv = cli_print_json(answer);
	else
		print(o, answer);
	json_decref(answer);
	return rv;
}

/* About the volume that was named. */
static int send_named(struct volume_options *o, const char *method, const char *path_fmt,
		      print_fn print)
{
	if (!cli_may_be_name(o->name))
		return cli_fail("there is no volume '%s': see 'holdfast volume ls'", o->name);
	return send_to(o, method, cli_path(path_fmt, o->name), print);
}

static void print_made(const struct volume_options *o, const json_t *answer)
{
	const json_t *slot;
	size_t i;

	(void)o;
	printf("Volume %s (%s) is made: %s, %s on", cli_text(answer, "name"),
	       cli_text(answer, "vdisk"), cli_text(answer, "size"), cli_text(answer, "type"));
	json_array_foreach(json_object_get(answer, "slots"), i, slot)
		printf("%s %s", i ? "," : "", cli_text(slot, "node"));
	printf("\n");
}

static void print_list(const struct volume_options *o, const json_t *answer)
{
	(void)o;
	cli_print_volumes(stdout, json_object_get(answer, "volumes"));
}

static void print_list_all(const struct volume_options *o, const json_t *answer)
{
	(void)o;
	cli_print_volumes_all(stdout, json_object_get(answer, "volumes"));
}

static void print_info(const struct volume_options *o, const json_t *answer)
{
	(void)o;
	cli_print_volume(stdout, answer);
}

static void print_attached(const struct volume_options *o, const json_t *answer)
{
	(void)o;
	printf("Volume %s is attached on node %s as /dev/%s.\n", cli_text(answer, "name"),
	       cli_text(answer, "attached_on"), cli_text(answer, "vdisk"));
}

static void print_detached(const struct volume_options *o, const json_t *answer)
{
	(void)o;
	printf("Volume %s (%s) is detached.\n", cli_text(answer, "name"),
	       cli_text(answer, "vdisk"));
}

static void print_deleted(const struct volume_options *o, const json_t *answer)
{
	(void)o;
	printf("Volume %s is deleted%s.\n", cli_text(answer, "deleted"),
	       json_is_true(json_object_get(answer, "complete")) ? "" :
	       "; its copies are given back when their nodes are there and its disk is closed");
}

static void print_waited(const struct volume_options *o, const json_t *answer)
{
	printf("Volume %s (%s) is %s.\n", cli_text(answer, "name"), cli_text(answer, "vdisk"),
	       o->wait_for);
}

static int cmd_create(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "size", 's', "SIZE", 0, "bytes, or with K, M, G, T: powers of 1024", 0 },
		{ "copies", 'c', "N", 0, "1 to 4 copies on as many nodes (2)", 0 },
		{ "node", OPT_NODE, "NODE", 0, "put a copy there; may be given again", 0 },
		{ "attach", OPT_ATTACH, "MODE", 0, "auto: it is attached where it fails over to; "
		  "follow: only where it is published (auto)", 0 },
		{ "held-timeout", OPT_HELD, "S", 0, "held I/O ends with an error after S seconds "
		  "(it is held until it can go on)", 0 },
		TIMEOUT_OPTION,
		JSON_OPTION,
		{ 0 },
	};
	static const struct argp argp = {
		.options = options, .parser = parse, .args_doc = "NAME --size SIZE",
		.doc = "Makes a volume and waits until all its copies are made.\v"
		       "For example: holdfast volume create web --size 1GB --copies 2",
	};
	static struct volume_options o = { 0 };

	begin(&o, &argp, argc, argv);
	if (!json_object_get(o.body, "size_bytes")) {
		fprintf(stderr, "%s: the size is missing: --size SIZE\n", argv[0]);
		return CLI_USAGE;
	}
	json_object_set_new(o.body, "name", json_string(o.name));
	if (json_array_size(o.nodes))
		json_object_set(o.body, "nodes", o.nodes);
	return send_to(&o, "POST", strdup("/v1/volumes"), print_made);
}

static int cmd_ls(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "all", 'a', NULL, 0, "also what each takes on the disks, and how well it is", 0 },
		JSON_OPTION,
		{ 0 },
	};
	static const struct argp argp = {
		.options = options, .parser = parse,
		.doc = "Lists the volumes; NODENAME is where each is attached.",
	};
	static struct volume_options o = { .no_name = true };

	begin(&o, &argp, argc, argv);
	json_decref(o.body);
	o.body = NULL;
	return send_to(&o, "GET", strdup("/v1/volumes"), o.all ? print_list_all : print_list);
}

static int cmd_info(int argc, char **argv)
{
	static const struct argp_option options[] = { JSON_OPTION, { 0 } };
	static const struct argp argp = {
		.options = options, .parser = parse, .args_doc = "NAME",
		.doc = "Tells about one volume and its copies, by name, vdN or UUID.",
	};
	static struct volume_options o = { 0 };

	begin(&o, &argp, argc, argv);
	json_decref(o.body);
	o.body = NULL;
	return send_named(&o, "GET", "/v1/volumes/%s", print_info);
}

static int cmd_attach(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "node", OPT_NODE, "NODE", 0, "attach it there (on this node)", 0 },
		TIMEOUT_OPTION,
		JSON_OPTION,
		{ 0 },
	};
	static const struct argp argp = {
		.options = options, .parser = parse, .args_doc = "NAME",
		.doc = "Attaches a volume to a node that has a copy of it, and waits until its disk is "
		       "there.",
	};
	static struct volume_options o = { 0 };

	begin(&o, &argp, argc, argv);
	if (take_node(&o, argv[0]))
		return CLI_USAGE;
	return send_named(&o, "POST", "/v1/volumes/%s/attach", print_attached);
}

static int cmd_detach(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "force", OPT_FORCE, NULL, 0, "also while it is open: its I/O ends with errors", 0 },
		TIMEOUT_OPTION,
		JSON_OPTION,
		{ 0 },
	};
	static const struct argp argp = {
		.options = options, .parser = parse, .args_doc = "NAME",
		.doc = "Detaches a volume from the node where it is attached.",
	};
	static struct volume_options o = { 0 };

	begin(&o, &argp, argc, argv);
	return send_named(&o, "POST", "/v1/volumes/%s/detach", print_detached);
}

static int cmd_move(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "node", OPT_NODE, "NODE", 0, "attach it there instead", 0 },
		{ "force", OPT_FORCE, NULL, 0, "also while it is open: its I/O ends with errors", 0 },
		TIMEOUT_OPTION,
		JSON_OPTION,
		{ 0 },
	};
	static const struct argp argp = {
		.options = options, .parser = parse, .args_doc = "NAME --node NODE",
		.doc = "Moves a volume to another node that has a copy of it.\v"
		       "For example: holdfast volume move web --node v2",
	};
	static struct volume_options o = { 0 };

	begin(&o, &argp, argc, argv);
	if (take_node(&o, argv[0]))
		return CLI_USAGE;
	if (!json_object_get(o.body, "node")) {
		fprintf(stderr, "%s: where to is missing: --node NODE\n", argv[0]);
		return CLI_USAGE;
	}
	return send_named(&o, "POST", "/v1/volumes/%s/move", print_attached);
}

static bool is_confirmed(const struct volume_options *o)
{
	char line[16];

	if (o->yes)
		return true;
	if (!isatty(STDIN_FILENO)) {
		cli_fail("volume %s is not deleted: nobody can be asked here, confirm with -y",
			 o->name);
		return false;
	}
	fprintf(stderr, "Delete volume %s and all its data? [y/N] ", o->name);
	if (fgets(line, sizeof(line), stdin) && (line[0] == 'y' || line[0] == 'Y'))
		return true;
	cli_fail("volume %s is not deleted", o->name);
	return false;
}

static int cmd_rm(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "yes", 'y', NULL, 0, "do not ask", 0 },
		JSON_OPTION,
		{ 0 },
	};
	static const struct argp argp = {
		.options = options, .parser = parse, .args_doc = "NAME",
		.doc = "Deletes a volume that is not attached, and all its data.",
	};
	static struct volume_options o = { 0 };

	begin(&o, &argp, argc, argv);
	if (!is_confirmed(&o))
		return CLI_FAILED;
	return send_named(&o, "DELETE", "/v1/volumes/%s", print_deleted);
}

static int cmd_wait(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "attached", OPT_ATTACHED, NULL, 0, "until it is attached, and served", 0 },
		{ "node", OPT_NODE, "NODE", 0, "with --attached: there", 0 },
		{ "healthy", OPT_HEALTHY, NULL, 0, "until all its copies are in sync", 0 },
		{ "detached", OPT_DETACHED, NULL, 0, "until it is attached nowhere", 0 },
		TIMEOUT_OPTION,
		JSON_OPTION,
		{ 0 },
	};
	static const struct argp argp = {
		.options = options, .parser = parse,
		.args_doc = "NAME --attached|--healthy|--detached",
		.doc = "Waits for a state of a volume (30 seconds).",
	};
	static struct volume_options o = { 0 };

	begin(&o, &argp, argc, argv);
	if (take_node(&o, argv[0]))
		return CLI_USAGE;
	if (!o.wait_for) {
		fprintf(stderr, "%s: what to wait for is missing: --attached, --healthy or "
			"--detached\n", argv[0]);
		return CLI_USAGE;
	}
	json_object_set_new(o.body, "for", json_string(o.wait_for));
	return send_named(&o, "POST", "/v1/volumes/%s/wait", print_waited);
}

const struct cli_command cli_volume_commands[] = {
	{ "volume", "create add", cmd_create, "make a volume" },
	{ "volume", "ls list", cmd_ls, "list the volumes" },
	{ "volume", "info inspect", cmd_info, "about one volume and its copies" },
	{ "volume", "attach", cmd_attach, "attach a volume to a node" },
	{ "volume", "detach", cmd_detach, "detach a volume" },
	{ "volume", "move", cmd_move, "attach a volume to another node" },
	{ "volume", "rm remove delete", cmd_rm, "delete a volume" },
	{ "volume", "wait", cmd_wait, "wait for a state of a volume" },
	{ 0 },
};
