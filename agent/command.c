// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Commands as values: lists, names, and their text in the consensus log.  The
 * JSON form is in command_json.c; what a command does is fsm.c's work.
 */
#include "command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct command *command_list_add(struct command_list *list)
{
	if (list->count == list->room) {
		unsigned int room = list->room ? 2 * list->room : 8;
		struct command *more = reallocarray(list->commands, room, sizeof(*more));

		if (!more)
			return NULL;
		list->commands = more;
		list->room = room;
	}
	memset(&list->commands[list->count], 0, sizeof(*list->commands));
	return &list->commands[list->count++];
}

void command_list_clear(struct command_list *list)
{
	free(list->commands);
	memset(list, 0, sizeof(*list));
}

void command_begin(struct command *cmd, enum command_kind kind, u64 id, u64 time_ms, u32 origin)
{
	memset(cmd, 0, sizeof(*cmd));
	cmd->kind = kind;
	cmd->id = id;
	cmd->time_ms = time_ms;
	cmd->origin = origin;
}

int command_encode(const struct command *cmd, char **text, size_t *size)
{
	json_t *json = command_to_json(cmd);

	*text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	if (!*text)
		return -ENOMEM;
	*size = strlen(*text);
	return 0;
}

int command_decode(const char *text, size_t size, struct command *cmd, char *why, size_t why_size)
{
	json_error_t error;
	json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	int ret;

	if (!json) {
		if (why)
			snprintf(why, why_size, "command is not JSON: %s", error.text);
		memset(cmd, 0, sizeof(*cmd));
		return -EINVAL;
	}
	ret = command_from_json(json, cmd, why, why_size);
	json_decref(json);
	return ret;
}
