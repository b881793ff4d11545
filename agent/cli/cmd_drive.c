// SPDX-License-Identifier: GPL-2.0-or-later
/* drive add, ls, info, rm. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_NODE = 256, OPT_THICK, OPT_OVERCOMMIT };

struct drive_options {
	bool json, may_name;
	const char *what;	/* "device", "drive": what the argument names */
	const char *name;
	json_t *body;
};

#define JSON_OPTION	{ "json", 'j', NULL, 0, "print JSON", 0 }

static const struct argp_option json_options[] = {
	JSON_OPTION,
	{ 0 },
};

static void add_overcommit(struct argp_state *state, struct drive_options *o, const char *arg)
{
	char *end;
	long pct;

	errno = 0;
	pct = strtol(arg, &end, 10);
	if (errno || *end || end == arg || pct < 100 || pct > 1000)
		argp_error(state, "'%s' is no overcommitment: give 100 to 1000 (percent)", arg);
	json_object_set_new(o->body, "overcommit_pct", json_integer(pct));
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct drive_options *o = state->input;

	switch (key) {
	case 'j':
		o->json = true;
		break;
	case OPT_NODE:
		json_object_set_new(o->body, "node", json_string(arg));
		break;
	case OPT_THICK:
		json_object_set_new(o->body, "thick", json_true());
		break;
	case OPT_OVERCOMMIT:
		add_overcommit(state, o, arg);
		break;
	case ARGP_KEY_ARG:
		if (!o->what || o->name)
			argp_error(state, "'%s' is too much", arg);
		o->name = arg;
		break;
	case ARGP_KEY_END:
		if (o->what && !o->name)
			argp_error(state, "the %s is missing", o->what);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* Sizes of drives are told in GB with one decimal. */
static const char *gb(const json_t *drive, const char *name, char *text, size_t size)
{
	double bytes = (double)json_integer_value(json_object_get(drive, name));

	snprintf(text, size, "%.1f", bytes / (1 << 30));
	return text;
}

static void print_list(FILE *to, const json_t *answer)
{
	const json_t *drive;
	char size[32], use[16];
	size_t i;

	fprintf(to, "%-20s %-9s %-5s %-5s %-9s %-22s %s\n", "NODENAME", "DEVICE", "USE", "TYPE",
		"SIZE(GB)", "DRIVE ID", "STATUS");
	json_array_foreach(json_object_get(answer, "drives"), i, drive) {
		const json_t *used = json_object_get(drive, "used_pct");

		snprintf(use, sizeof(use), "-");
		if (used)
			snprintf(use, sizeof(use), "%.0f%%", json_number_value(used));
		fprintf(to, "%-20s %-9s %-5s %-5s %-9s %-22s %s\n", cli_text(drive, "node"),
			cli_text(drive, "device"), use, cli_text(drive, "type"),
			gb(drive, "size_bytes", size, sizeof(size)),
			*cli_text(drive, "id") ? cli_text(drive, "id") : "-",
			cli_text(drive, "status"));
	}
}

static void print_drive(FILE *to, const json_t *drive)
{
	const json_t *copy, *used = json_object_get(drive, "used_pct");
	char size[32];
	size_t i;

	fprintf(to, "%-14s%s\n%-14s%s\n%-14s%s (added as %s)\n%-14s%s, %s\n%-14s%s\n", "Drive",
		cli_text(drive, "id"), "Node", cli_text(drive, "node"), "Device",
		cli_text(drive, "device"), cli_text(drive, "added_as"), "Type",
		cli_text(drive, "type"), cli_text(drive, "provisioning"), "Status",
		cli_text(drive, "status"));
	fprintf(to, "%-14s%s GB\n", "Size", gb(drive, "size_bytes", size, sizeof(size)));
	fprintf(to, "%-14s%s GB", "Promised", gb(drive, "promised_bytes", size, sizeof(size)));
	fprintf(to, " of %s GB, overcommitment %lld%%\n",
		gb(drive, "data_bytes", size, sizeof(size)),
		json_integer_value(json_object_get(drive, "overcommit_pct")));
	fprintf(to, "%-14s%s GB\n", "Free", gb(drive, "free_bytes", size, sizeof(size)));
	if (used)
		fprintf(to, "%-14s%.2f%% of its data room, %.2f%% of the pool's metadata\n", "In use",
			json_number_value(used),
			json_number_value(json_object_get(drive, "metadata_pct")));
	if (json_integer_value(json_object_get(drive, "orphans")))
		fprintf(to, "%-14s%lld logical volumes of no volume\n", "Orphans",
			json_integer_value(json_object_get(drive, "orphans")));
	json_array_foreach(json_object_get(drive, "on_it"), i, copy)
		fprintf(to, "%-14s%s  %s\n", i ? "" : "Copies", cli_text(copy, "volume"),
			cli_text(copy, "data"));
}

static int cmd_add(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "node", OPT_NODE, "NODE", 0, "the node that has the device (this node)", 0 },
		{ "thick", OPT_THICK, NULL, 0, "copies take all of their room at once; else a thin "
		  "pool is made, from which they take what is written", 0 },
		{ "overcommit", OPT_OVERCOMMIT, "PCT", 0, "thin: so much of the pool's size may be "
		  "promised to copies (100)", 0 },
		JSON_OPTION,
		{ 0 },
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "DEVICE",
		.doc = "Gives an empty disk to the cluster: LVM is put on it, and copies of volumes "
		       "are made there. Everything on it is lost; a disk that is in use or that "
		       "carries a signature is refused.",
	};
	static struct drive_options o = { .what = "device" };
	json_t *answer;
	char size[32];

	o.body = json_object();
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	json_object_set_new(o.body, "device", json_string(o.name));
	if (cli_ask("POST", "/v1/drives", o.body, &answer))
		return CLI_FAILED;
	if (o.json)
		cli_print_json(answer);
	else
		printf("Drive %s is added: %s on node %s, %s, %s GB, %s.\n", cli_text(answer, "id"),
		       cli_text(answer, "device"), cli_text(answer, "node"),
		       cli_text(answer, "type"), gb(answer, "size_bytes", size, sizeof(size)),
		       cli_text(answer, "provisioning"));
	json_decref(answer);
	return CLI_OK;
}

static int cmd_ls(int argc, char **argv)
{
	static const struct argp argp = {
		.options = json_options,
		.parser = parse,
		.doc = "Lists the drives of all nodes, and the disks that could be added.",
	};
	struct drive_options o = { 0 };

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	return cli_show(strdup("/v1/drives"), o.json, print_list);
}

static int cmd_info(int argc, char **argv)
{
	static const struct argp argp = {
		.options = json_options,
		.parser = parse,
		.args_doc = "DRIVE",
		.doc = "Tells about one drive, by its id, and what lies on it.",
	};
	struct drive_options o = { .what = "drive" };

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (!cli_may_be_name(o.name))
		return cli_fail("there is no drive '%s': see 'holdfast drive ls'", o.name);
	return cli_show(cli_path("/v1/drives/%s", o.name), o.json, print_drive);
}

static int cmd_rm(int argc, char **argv)
{
	static const struct argp argp = {
		.options = json_options,
		.parser = parse,
		.args_doc = "DRIVE",
		.doc = "Takes an empty drive, by its id, out of the cluster and wipes LVM off it.",
	};
	struct drive_options o = { .what = "drive" };
	json_t *answer;
	char *path;
	int rv;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (!cli_may_be_name(o.name))
		return cli_fail("there is no drive '%s': see 'holdfast drive ls'", o.name);
	path = cli_path("/v1/drives/%s", o.name);
	rv = cli_ask("DELETE", path, NULL, &answer);
	free(path);
	if (rv)
		return rv;
	if (o.json)
		cli_print_json(answer);
	else
		printf("Drive %s is removed.\n", cli_text(answer, "removed"));
	json_decref(answer);
	return CLI_OK;
}

const struct cli_command cli_drive_commands[] = {
	{ "drive", "add create", cmd_add, "give a disk to the cluster" },
	{ "drive", "ls list", cmd_ls, "list drives and disks that could be added" },
	{ "drive", "info inspect", cmd_info, "about one drive" },
	{ "drive", "rm remove delete", cmd_rm, "take a drive out of the cluster" },
	{ 0 },
};
