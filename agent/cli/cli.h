/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of the command line alone. */
#ifndef AGENT_CLI_CLI_H
#define AGENT_CLI_CLI_H

#include <argp.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum {
	CLI_OK		= 0,
	CLI_FAILED	= 1,
	CLI_USAGE	= 2,
};

/**
 * struct cli_command - one command
 * @group: "node", "volume", or NULL
 * @names: its name and aliases, apart by blanks
 * @run: argv[0] is the whole name; returns an exit status
 */
struct cli_command {
	const char *group;
	const char *names;
	int (*run)(int argc, char **argv);
	const char *help;
};

extern const struct cli_command cli_cluster_commands[], cli_node_commands[],
	cli_volume_commands[], cli_events_commands[], cli_drive_commands[],
	cli_settings_commands[];

extern const char *cli_socket;		/* path of the agent's socket */

/* One sentence to standard error; returns CLI_FAILED. */
int cli_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* --- client.c --- */

/*
 * Asks the agent. @body is stolen, may be NULL. Returns CLI_OK and the answer's
 * body (new reference), or CLI_FAILED after the agent's sentence was printed.
 */
int cli_ask(const char *method, const char *path, json_t *body, json_t **answer);

/* "/v1/volumes/NAME/attach" with NAME escaped; caller frees. */
char *cli_path(const char *fmt, const char *name);

/* Could a node or a volume be called that? Others are not sent: a path would lead elsewhere. */
bool cli_may_be_name(const char *name);

/*
 * Asks with GET, warns if the answer is not fresh, prints it by @print or as
 * JSON. @path is freed. Returns an exit status.
 */
int cli_show(char *path, bool json, void (*print)(FILE *to, const json_t *answer));

/* --- print.c --- */

/* Warns on standard error when the answer is only this node's copy. */
void cli_warn_stale(const json_t *answer);
int cli_print_json(const json_t *answer);
const char *cli_text(const json_t *object, const char *name);	/* "" if there is none */
void cli_print_nodes(FILE *to, const json_t *nodes);
void cli_print_volumes(FILE *to, const json_t *volumes);
void cli_print_volumes_all(FILE *to, const json_t *volumes);
void cli_print_events(FILE *to, const json_t *events);
void cli_print_node(FILE *to, const json_t *node);
void cli_print_volume(FILE *to, const json_t *volume);

#endif /* AGENT_CLI_CLI_H */
