// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * holdfast: finds the command and runs it.  Every command talks to the local
 * agent and to nothing else.
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

#include "../node.h"

const char *argp_program_version = "holdfast " AGENT_VERSION;
const char *cli_socket = "/run/holdfast/holdfast.sock";

static const struct cli_command *const tables[] = {
	cli_cluster_commands,
	cli_node_commands,
	cli_drive_commands,
	cli_volume_commands,
	cli_events_commands,
	cli_settings_commands,
};

static const struct cli_command *find(const char *group, const char *name)
{
	const struct cli_command *c;
	size_t i, len = strlen(name);

	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		for (c = tables[i]; c->names; c++) {
			const char *at = c->names;

			if ((group && (!c->group || strcmp(group, c->group))) ||
			    (!group && c->group))
				continue;
			while (*at) {
				size_t n = strcspn(at, " ");

				if (n == len && !memcmp(at, name, n))
					return c;
				at += n;
				at += strspn(at, " ");
			}
		}
	}
	return NULL;
}

static bool is_group(const char *name)
{
	const struct cli_command *c;
	size_t i;

	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		for (c = tables[i]; c->names; c++) {
			if (c->group && !strcmp(c->group, name))
				return true;
		}
	}
	return false;
}

static bool is_help(const char *arg)
{
	return !strcmp(arg, "--help") || !strcmp(arg, "-h") || !strcmp(arg, "-?") ||
	       !strcmp(arg, "help");
}

static void usage(FILE *to, const char *group)
{
	const struct cli_command *c;
	size_t i;

	fprintf(to, "Usage: holdfast [--socket PATH] %s%sCOMMAND [OPTION…]\n\n",
		group ? group : "", group ? " " : "");
	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		for (c = tables[i]; c->names; c++) {
			char name[64];

			if (group && (!c->group || strcmp(group, c->group)))
				continue;
			snprintf(name, sizeof(name), "%s%s%.*s", c->group ? c->group : "",
				 c->group ? " " : "", (int)strcspn(c->names, " "), c->names);
			fprintf(to, "  %-16s %s", name, c->help);
			if (strchr(c->names, ' '))
				fprintf(to, " (also: %s)", strchr(c->names, ' ') + 1);
			fputc('\n', to);
		}
	}
	fputs("\nEach command has --help, and --json where it prints something.\n"
	      "Exit status: 0 done, 1 refused or failed (one sentence says why), 2 wrong usage.\n",
	      to);
}

static int run(const struct cli_command *c, int argc, char **argv)
{
	char name[96];

	snprintf(name, sizeof(name), "holdfast %s%s%.*s", c->group ? c->group : "",
		 c->group ? " " : "", (int)strcspn(c->names, " "), c->names);
	argv[0] = name;
	return c->run(argc, argv);
}

/* Options before the command. Returns the command's place, or -1 and an exit status. */
static int take_options(int argc, char **argv, int *status)
{
	static const char socket_option[] = "--socket";
	int at = 1;

	for (; at < argc && argv[at][0] == '-' && !is_help(argv[at]); at++) {
		if (!strncmp(argv[at], "--socket=", sizeof(socket_option))) {
			cli_socket = argv[at] + sizeof(socket_option);
		} else if (!strcmp(argv[at], socket_option)) {
			if (++at == argc) {
				fprintf(stderr, "holdfast: the path is missing: --socket PATH\n");
				*status = CLI_USAGE;
				return -1;
			}
			cli_socket = argv[at];
		} else if (!strcmp(argv[at], "--version") || !strcmp(argv[at], "-V")) {
			puts(argp_program_version);
			*status = CLI_OK;
			return -1;
		} else {
			fprintf(stderr, "holdfast: '%s' is not an option here; see 'holdfast "
				"--help'\n", argv[at]);
			*status = CLI_USAGE;
			return -1;
		}
	}
	return at;
}

/* The agent speaks JSON, which has no other bytes. */
static bool is_utf8(const char *text)
{
	json_t *json = json_string(text);
	bool is = json;

	json_decref(json);
	return is;
}

int main(int argc, char **argv)
{
	const char *env = getenv("HOLDFAST_SOCKET"), *group = NULL;
	const struct cli_command *c;
	int at, i, status = CLI_USAGE;

	argp_err_exit_status = CLI_USAGE;
	if (env && *env)
		cli_socket = env;
	at = take_options(argc, argv, &status);
	if (at < 0)
		return status;
	for (i = at; i < argc; i++) {
		if (!is_utf8(argv[i])) {
			fprintf(stderr, "holdfast: argument %d is not in UTF-8\n", i);
			return CLI_USAGE;
		}
	}
	if (at < argc && is_group(argv[at]))
		group = argv[at++];
	if (at >= argc || is_help(argv[at])) {
		usage(at >= argc ? stderr : stdout, group);
		return at >= argc ? CLI_USAGE : CLI_OK;
	}
	c = find(group, argv[at]);
	if (c)
		return run(c, argc - at, argv + at);
	fprintf(stderr, "holdfast: there is no command '%s%s%s'; see 'holdfast %s%s--help'\n",
		group ? group : "", group ? " " : "", argv[at], group ? group : "",
		group ? " " : "");
	return CLI_USAGE;
}
