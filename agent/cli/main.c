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
	cli_volume_commands,
	cli_events_commands,
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
	return !strcmp(name, "node") || !strcmp(name, "volume");
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
			fprintf(to, "  %-16s %s\n", name, c->help);
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

int main(int argc, char **argv)
{
	const struct cli_command *c;
	const char *env = getenv("HOLDFAST_SOCKET");
	int at = 1;

	argp_err_exit_status = CLI_USAGE;
	if (env && *env)
		cli_socket = env;
	while (at < argc && argv[at][0] == '-') {
		if (!strcmp(argv[at], "--socket") && at + 1 < argc) {
			cli_socket = argv[at + 1];
			at += 2;
		} else if (!strcmp(argv[at], "--help") || !strcmp(argv[at], "-h")) {
			usage(stdout, NULL);
			return CLI_OK;
		} else if (!strcmp(argv[at], "--version") || !strcmp(argv[at], "-V")) {
			puts(argp_program_version);
			return CLI_OK;
		} else {
			fprintf(stderr, "holdfast: '%s' is not an option here; see 'holdfast "
				"--help'\n", argv[at]);
			return CLI_USAGE;
		}
	}
	if (at >= argc) {
		usage(stderr, NULL);
		return CLI_USAGE;
	}
	if (!is_group(argv[at])) {
		c = find(NULL, argv[at]);
		if (c)
			return run(c, argc - at, argv + at);
		fprintf(stderr, "holdfast: there is no command '%s'; see 'holdfast --help'\n",
			argv[at]);
		return CLI_USAGE;
	}
	if (at + 1 >= argc || !strcmp(argv[at + 1], "--help")) {
		usage(at + 1 >= argc ? stderr : stdout, argv[at]);
		return at + 1 >= argc ? CLI_USAGE : CLI_OK;
	}
	c = find(argv[at], argv[at + 1]);
	if (c)
		return run(c, argc - at - 1, argv + at + 1);
	fprintf(stderr, "holdfast: there is no command '%s %s'; see 'holdfast %s --help'\n",
		argv[at], argv[at + 1], argv[at]);
	return CLI_USAGE;
}
