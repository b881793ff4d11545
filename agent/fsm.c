// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The state machine's frame: life of the state, dispatch of commands, outcomes
 * for retries, the ring of events, lookups and roles.  What the commands do is
 * in fsm_member.c (nodes, tokens), fsm_cordon.c (which of them count), fsm_drive.c
 * (drives), fsm_volume.c (volumes), fsm_place.c (where slots lie), fsm_wish.c
 * (where volumes are served) and fsm_conf.c (configurations).  No locks: one thread.
 */
#include "fsm.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fsm_internal.h"
#include "hex.h"

void *fsm_grow(void *array, size_t count, size_t size)
{
	void *more = reallocarray(array, count, size);

	if (!more) {
		fputs("holdfastd: no memory for the cluster's state\n", stderr);
		abort();
	}
	return more;
}

char *fsm_text(const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(fsm_grow(NULL, 1, size), text, size);
}

struct fsm *fsm_new(void)
{
	struct fsm *fsm = fsm_grow(NULL, 1, sizeof(*fsm));

	memset(fsm, 0, sizeof(*fsm));
	fsm->next_event_seq = 1;
	fsm->rebuild_delay_ms = FSM_REBUILD_DELAY_MS;
	return fsm;
}

void fsm_free(struct fsm *fsm)
{
	unsigned int i;

	if (!fsm)
		return;
	for (i = 0; i < fsm->event_count; i++)
		free(fsm->events[(fsm->event_first + i) % FSM_MAX_EVENTS].text);
	for (i = 0; i < FSM_REMEMBERED; i++)
		free(fsm->outcomes[i].sentence);
	free(fsm->events);
	free(fsm->nodes);
	free(fsm->drives);
	free(fsm->volumes);
	free(fsm);
}

enum fsm_code fsm_refuse(struct fsm_result *result, enum fsm_code code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(result->sentence, sizeof(result->sentence), format, args);
	va_end(args);
	return code;
}

void fsm_log(struct fsm *fsm, const struct command *cmd, enum fsm_level level, const char *domain,
	     u32 code, const char *format, ...)
{
	char text[FSM_SENTENCE_BYTES];
	struct fsm_event *event;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!fsm->events)
		fsm->events = fsm_grow(NULL, FSM_MAX_EVENTS, sizeof(*fsm->events));
	if (fsm->event_count == FSM_MAX_EVENTS) {
		free(fsm->events[fsm->event_first].text);
		fsm->event_first = (fsm->event_first + 1) % FSM_MAX_EVENTS;
		fsm->event_count--;
	}
	event = &fsm->events[(fsm->event_first + fsm->event_count++) % FSM_MAX_EVENTS];
	memset(event, 0, sizeof(*event));
	event->seq = fsm->next_event_seq++;
	event->time_ms = cmd->time_ms;
	event->level = level;
	event->code = code;
	snprintf(event->domain, sizeof(event->domain), "%s", domain);
	event->text = fsm_text(text);
}

const struct fsm_event *fsm_event_at(const struct fsm *fsm, unsigned int index)
{
	if (index >= fsm->event_count)
		return NULL;
	return &fsm->events[(fsm->event_first + index) % FSM_MAX_EVENTS];
}

typedef enum fsm_code (*fsm_do_fn)(struct fsm *fsm, const struct command *cmd,
				   struct fsm_result *res);

static const fsm_do_fn handlers[CMD_KINDS] = {
	[CMD_INIT]		= fsm_do_init,
	[CMD_TOKEN_ADD]		= fsm_do_token_add,
	[CMD_JOIN]		= fsm_do_join,
	[CMD_VOLUME_CREATE]	= fsm_do_create,
	[CMD_SLOT_MADE]		= fsm_do_made,
	[CMD_SLOT_FAILED]	= fsm_do_failed,
	[CMD_VOLUME_DELETE]	= fsm_do_delete,
	[CMD_SLOT_RETIRED]	= fsm_do_retired,
	[CMD_ATTACH]		= fsm_do_attach,
	[CMD_DETACH]		= fsm_do_detach,
	[CMD_MOVE]		= fsm_do_move,
	[CMD_WISH_REFUSED]	= fsm_do_wish_refused,
	[CMD_FAILOVER]		= fsm_do_failover,
	[CMD_NODE_DOWN]		= fsm_do_node_down,
	[CMD_NODE_UP]		= fsm_do_node_up,
	[CMD_REBUILD_BEGUN]	= fsm_do_rebuild_begun,
	[CMD_CONF]		= fsm_do_conf,
	[CMD_DRIVE_ADD]		= fsm_do_drive_add,
	[CMD_DRIVE_MADE]	= fsm_do_drive_made,
	[CMD_DRIVE_FAILED]	= fsm_do_drive_failed,
	[CMD_DRIVE_REMOVE]	= fsm_do_drive_remove,
	[CMD_DRIVE_GONE]	= fsm_do_drive_gone,
	[CMD_DRIVE_NOTE]	= fsm_do_drive_note,
	[CMD_SLOT_PLACE]	= fsm_do_place,
	[CMD_SLOT_UNPLACE]	= fsm_do_unplace,
	[CMD_NODE_CORDON]	= fsm_do_cordon,
	[CMD_NODE_UNCORDON]	= fsm_do_uncordon,
	[CMD_SET]		= fsm_do_set,
};

static void remember(struct fsm *fsm, u64 id, const struct fsm_result *result)
{
	struct fsm_outcome *outcome = &fsm->outcomes[fsm->outcome_next];

	free(outcome->sentence);
	outcome->id = id;
	outcome->code = result->code;
	outcome->sentence = result->sentence[0] ? fsm_text(result->sentence) : NULL;
	fsm->outcome_next = (fsm->outcome_next + 1) % FSM_REMEMBERED;
}

bool fsm_outcome(const struct fsm *fsm, u64 id, struct fsm_result *result)
{
	unsigned int i;

	for (i = 0; id && i < FSM_REMEMBERED; i++) {
		const struct fsm_outcome *outcome = &fsm->outcomes[i];

		if (outcome->id != id)
			continue;
		memset(result, 0, sizeof(*result));
		result->code = outcome->code;
		if (outcome->sentence)
			snprintf(result->sentence, sizeof(result->sentence), "%s",
				 outcome->sentence);
		return true;
	}
	return false;
}

void fsm_apply(struct fsm *fsm, const struct command *cmd, struct fsm_result *result)
{
	if (fsm_outcome(fsm, cmd->id, result))
		return;
	memset(result, 0, sizeof(*result));
	fsm->version++;
	if (cmd->kind <= CMD_NONE || cmd->kind >= CMD_KINDS || !cmd->id)
		result->code = fsm_refuse(result, FSM_INVALID, "the command is not known");
	else if (!fsm->initialized && cmd->kind != CMD_INIT)
		result->code = fsm_refuse(result, FSM_REFUSED,
					  "there is no cluster yet: make one with 'holdfast init' or join one with 'holdfast join TOKEN'");
	else
		result->code = handlers[cmd->kind](fsm, cmd, result);
	if (result->code == FSM_OK)
		result->sentence[0] = '\0';
	remember(fsm, cmd->id, result);
}

/* ---------------------------------------------------------------- lookups */

struct fsm_node *fsm_node_get(struct fsm *fsm, u32 id)
{
	unsigned int i;

	for (i = 0; id && i < fsm->nr_nodes; i++) {
		if (fsm->nodes[i].id == id)
			return &fsm->nodes[i];
	}
	return NULL;
}

const struct fsm_node *fsm_node_by_id(const struct fsm *fsm, u32 id)
{
	return fsm_node_get((struct fsm *)fsm, id);
}

const struct fsm_node *fsm_node_by_name(const struct fsm *fsm, const char *name)
{
	unsigned int i;

	for (i = 0; i < fsm->nr_nodes; i++) {
		if (!strcmp(fsm->nodes[i].name, name))
			return &fsm->nodes[i];
	}
	return NULL;
}

const struct fsm_node *fsm_node_find(const struct fsm *fsm, const char *text)
{
	const struct fsm_node *node = fsm_node_by_name(fsm, text);
	unsigned int i;
	char id[16];

	for (i = 0; !node && i < fsm->nr_nodes; i++) {
		snprintf(id, sizeof(id), "%08x", fsm->nodes[i].id);
		if (!strcmp(id, text) || !strcmp(fsm->nodes[i].address, text))
			node = &fsm->nodes[i];
	}
	return node;
}

struct fsm_volume *fsm_volume_get(struct fsm *fsm, const u8 *uuid)
{
	unsigned int i;

	for (i = 0; i < fsm->nr_volumes; i++) {
		if (!memcmp(fsm->volumes[i].uuid, uuid, FSM_UUID_BYTES))
			return &fsm->volumes[i];
	}
	return NULL;
}

const struct fsm_volume *fsm_volume_by_uuid(const struct fsm *fsm, const u8 *uuid)
{
	return fsm_volume_get((struct fsm *)fsm, uuid);
}

const struct fsm_volume *fsm_volume_by_name(const struct fsm *fsm, const char *name)
{
	unsigned int i;

	for (i = 0; i < fsm->nr_volumes; i++) {
		if (fsm->volumes[i].state != FSM_VOLUME_DELETING &&
		    !strcmp(fsm->volumes[i].name, name))
			return &fsm->volumes[i];
	}
	return NULL;
}

const struct fsm_volume *fsm_volume_find(const struct fsm *fsm, const char *text)
{
	const struct fsm_volume *vol = fsm_volume_by_name(fsm, text);
	unsigned int i;

	for (i = 0; !vol && i < fsm->nr_volumes; i++) {
		const struct fsm_volume *v = &fsm->volumes[i];
		char hex[2 * FSM_UUID_BYTES + 1];
		char vdisk[16];

		if (v->state == FSM_VOLUME_DELETING)
			continue;
		hex_encode(v->uuid, FSM_UUID_BYTES, hex);
		snprintf(vdisk, sizeof(vdisk), "vd%u", v->conf.vdisk);
		if (!strcmp(vdisk, text) || !strcmp(hex, text) ||
		    (strlen(text) == 8 && !strncmp(hex, text, 8)))
			vol = v;
	}
	return vol;
}

u32 fsm_volume_served_on(const struct fsm_volume *vol)
{
	if (vol->state != FSM_VOLUME_READY || !vol->conf.primary_node ||
	    !hf_conf_activated(&vol->conf))
		return 0;
	return vol->conf.primary_node;
}

/* ------------------------------------------------------------------ roles */

static unsigned int voters(const struct fsm *fsm)
{
	return fsm->nr_nodes > 10 ? 5 : 3;
}

bool fsm_node_votes(const struct fsm *fsm, u32 id)
{
	const struct fsm_node *node = fsm_node_by_id(fsm, id);

	return node && node->join_order <= voters(fsm);
}

void fsm_node_role(const struct fsm *fsm, u32 id, u32 leader, char *role, size_t size)
{
	unsigned int i, backup = 0;

	if (id == leader) {
		snprintf(role, size, "sds");
		return;
	}
	for (i = 0; i < fsm->nr_nodes && fsm_node_votes(fsm, id); i++) {
		const struct fsm_node *node = &fsm->nodes[i];

		if (node->id == leader || !fsm_node_votes(fsm, node->id))
			continue;
		backup++;
		if (node->id == id) {
			snprintf(role, size, "backup%u", backup);
			return;
		}
	}
	snprintf(role, size, "standard");
}

const char *const fsm_cordon_names[FSM_CORDONS] = {
	[FSM_CORDON_NONE]	= "none",
	[FSM_CORDON_OPERATOR]	= "operator",
	[FSM_CORDON_FORCE]	= "force",
	[FSM_CORDON_SHUTDOWN]	= "shutdown",
};

const char *fsm_cordon_name(enum fsm_cordon cordon)
{
	return cordon < FSM_CORDONS ? fsm_cordon_names[cordon] : "none";
}

const char *fsm_status_name(enum fsm_node_status status)
{
	return status == FSM_NODE_CORDONED ? "cordoned" : "normal";
}

/* -------------------------------------------------------------- sentences */

const char *fsm_node_text(const struct fsm *fsm, u32 id, char *text, size_t size)
{
	const struct fsm_node *node = fsm_node_by_id(fsm, id);

	if (node)
		snprintf(text, size, "%s", node->name);
	else
		snprintf(text, size, "%08x", id);
	return text;
}

const char *fsm_size_text(u64 bytes, char *text, size_t size)
{
	static const struct {
		unsigned int	shift;
		const char	*unit;
	} units[] = { { 40, "TB" }, { 30, "GB" }, { 20, "MB" }, { 10, "KB" } };
	unsigned int i;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (bytes && !(bytes & ((1ULL << units[i].shift) - 1))) {
			snprintf(text, size, "%llu%s",
				 (unsigned long long)(bytes >> units[i].shift), units[i].unit);
			return text;
		}
	}
	snprintf(text, size, "%llu bytes", (unsigned long long)bytes);
	return text;
}

bool fsm_name_valid(const char *name)
{
	static const char first[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	static const char others[] = "._-";
	size_t i;

	if (!name[0] || !strchr(first, name[0]))
		return false;
	for (i = 1; name[i]; i++) {
		if (!strchr(first, name[i]) && !strchr(others, name[i]))
			return false;
	}
	return true;
}

const char *fsm_slots_text(const struct fsm *fsm, const struct fsm_volume *vol, u8 mask,
			   char *text, size_t size)
{
	char name[FSM_NAME_BYTES];
	const char *joint = "";
	size_t used = 0;
	int i;

	snprintf(text, size, "no node");
	for (i = 0; i < HF_MAX_SLOTS && used < size; i++) {
		if (!(mask & 1 << i))
			continue;
		fsm_node_text(fsm, vol->conf.slots[i].node, name, sizeof(name));
		used += (size_t)snprintf(text + used, size - used, "%s%s", joint, name);
		joint = (mask >> (i + 1)) & ((mask >> (i + 1)) - 1) ? ", " : " and ";
	}
	return text;
}
