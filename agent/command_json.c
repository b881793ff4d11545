// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Commands to and from JSON.  Strict: a command that comes from another node's
 * log entry has exactly the members of its kind.  Form and ranges alone are
 * checked; fsm.c decides whether the command makes sense.
 */
#include "command.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "conf_json.h"
#include "json_util.h"

static const char *const kind_names[CMD_KINDS] = {
	[CMD_INIT]		= "init",
	[CMD_TOKEN_ADD]		= "token_add",
	[CMD_JOIN]		= "join",
	[CMD_VOLUME_CREATE]	= "volume_create",
	[CMD_SLOT_MADE]		= "slot_made",
	[CMD_SLOT_FAILED]	= "slot_failed",
	[CMD_VOLUME_DELETE]	= "volume_delete",
	[CMD_SLOT_RETIRED]	= "slot_retired",
	[CMD_ATTACH]		= "attach",
	[CMD_DETACH]		= "detach",
	[CMD_MOVE]		= "move",
	[CMD_WISH_REFUSED]	= "wish_refused",
	[CMD_FAILOVER]		= "failover",
	[CMD_NODE_DOWN]		= "node_down",
	[CMD_NODE_UP]		= "node_up",
	[CMD_REBUILD_BEGUN]	= "rebuild_begun",
	[CMD_CONF]		= "conf",
	[CMD_DRIVE_ADD]		= "drive_add",
	[CMD_DRIVE_MADE]	= "drive_made",
	[CMD_DRIVE_FAILED]	= "drive_failed",
	[CMD_DRIVE_REMOVE]	= "drive_remove",
	[CMD_DRIVE_GONE]	= "drive_gone",
	[CMD_DRIVE_NOTE]	= "drive_note",
	[CMD_SLOT_PLACE]	= "slot_place",
	[CMD_SLOT_UNPLACE]	= "slot_unplace",
	[CMD_NODE_CORDON]	= "node_cordon",
	[CMD_NODE_UNCORDON]	= "node_uncordon",
	[CMD_SET]		= "set",
};

static const char *const step_names[STEP_KINDS] = {
	[STEP_NAME]	= "name",
	[STEP_ACTIVATE]	= "activate",
	[STEP_DROP]	= "drop",
	[STEP_READMIT]	= "readmit",
	[STEP_GIVE_UP]	= "give_up",
	[STEP_RELEASE]	= "release",
	[STEP_ADD]	= "add",
	[STEP_REMOVE]	= "remove",
};

static const char *const attach_names[] = {
	[FSM_ATTACH_AUTO]	= "auto",
	[FSM_ATTACH_FOLLOW]	= "follow",
};

static const char *const cordon_names[FSM_CORDONS] = {
	[FSM_CORDON_NONE]	= "none",
	[FSM_CORDON_OPERATOR]	= "operator",
	[FSM_CORDON_FORCE]	= "force",
	[FSM_CORDON_SHUTDOWN]	= "shutdown",
};

const char *command_kind_name(enum command_kind kind)
{
	return kind > CMD_NONE && kind < CMD_KINDS ? kind_names[kind] : "none";
}

const char *conf_step_name(enum conf_step step)
{
	return step > STEP_NONE && step < STEP_KINDS ? step_names[step] : "none";
}

json_t *cmd_node_to_json(const struct cmd_node *node)
{
	json_t *json = json_object();
	json_t *pairs = json_array();
	unsigned int i;

	json_put_uint(&json, "id", node->id);
	json_put_text(&json, "name", node->name);
	json_put_text(&json, "address", node->address);
	json_put_uint(&json, "port", node->port);
	for (i = 0; i < node->nr_backing; i++) {
		json_t *pair = json_object();

		json_put_text(&pair, "data", node->backing[i].data_path);
		json_put_text(&pair, "meta", node->backing[i].meta_path);
		json_put_uint(&pair, "size", node->backing[i].size_bytes);
		json_put_bool(&pair, "rotational", node->backing[i].rotational);
		json_append(&pairs, pair);
	}
	json_put(&json, "backing", pairs);
	return json;
}

bool cmd_node_from_json(const json_t *json, struct cmd_node *node, char *why, size_t why_size)
{
	struct json_reader n, p;
	const json_t *pairs;
	size_t i;

	memset(node, 0, sizeof(*node));
	json_reader_begin(&n, json, "node", why, why_size);
	node->id = (u32)json_take_uint(&n, "id", 1, UINT32_MAX);
	json_take_text(&n, "name", node->name, sizeof(node->name));
	json_take_text(&n, "address", node->address, sizeof(node->address));
	node->port = (u16)json_take_uint(&n, "port", 1, UINT16_MAX);
	pairs = json_take_array(&n, "backing", FSM_MAX_PAIRS);
	for (i = 0; pairs && i < json_array_size(pairs); i++) {
		struct cmd_backing *pair = &node->backing[i];

		json_reader_begin(&p, json_array_get(pairs, i), "backing", why, why_size);
		json_take_text(&p, "data", pair->data_path, sizeof(pair->data_path));
		json_take_text(&p, "meta", pair->meta_path, sizeof(pair->meta_path));
		pair->size_bytes = json_take_uint(&p, "size", 1, INT64_MAX);
		pair->rotational = json_take_bool(&p, "rotational");
		if (json_reader_end(&p))
			return false;
		node->nr_backing++;
	}
	return !json_reader_end(&n);
}

static void take_node(struct json_reader *r, struct cmd_node *node)
{
	const json_t *object = json_take_object(r, "node");

	if (object && !cmd_node_from_json(object, node, r->why, r->why_size))
		r->failed = true;
}

static void create_to_json(json_t **json, const struct cmd_volume_create *c)
{
	json_t *nodes = json_array();
	json_t *incarnations = json_object();
	unsigned int i;
	char name[8];

	json_put_text(json, "name", c->name);
	json_put_bytes(json, "uuid", c->uuid, sizeof(c->uuid));
	json_put_uint(json, "size", c->size_bytes);
	json_put_uint(json, "copies", c->copies);
	json_put_uint(json, "policies", c->policies);
	json_put_uint(json, "held_timeout_ms", c->held_timeout_ms);
	json_put_text(json, "attach", attach_names[c->attach_mode]);
	for (i = 0; i < c->nr_nodes; i++)
		json_append(&nodes, json_integer(c->nodes[i]));
	json_put(json, "nodes", nodes);
	for (i = 0; i < HF_MAX_SLOTS; i++) {
		snprintf(name, sizeof(name), "%u", i);
		json_put_id(&incarnations, name, c->incarnations[i]);
	}
	json_put(json, "incarnations", incarnations);
}

static void create_from_json(struct json_reader *r, struct cmd_volume_create *c)
{
	const json_t *nodes, *incarnations;
	struct json_reader n;
	char name[8];
	size_t i;

	json_take_text(r, "name", c->name, sizeof(c->name));
	json_take_bytes(r, "uuid", c->uuid, sizeof(c->uuid));
	c->size_bytes = json_take_uint(r, "size", 0, INT64_MAX);
	c->copies = (u8)json_take_uint(r, "copies", 0, UINT8_MAX);
	c->policies = (u32)json_take_uint(r, "policies", 0, UINT32_MAX);
	c->held_timeout_ms = (u32)json_take_uint(r, "held_timeout_ms", 0, UINT32_MAX);
	c->attach_mode = json_take_enum(r, "attach", attach_names, 2);
	nodes = json_take_array(r, "nodes", HF_MAX_SLOTS);
	for (i = 0; nodes && i < json_array_size(nodes); i++) {
		const json_t *node = json_array_get(nodes, i);
		json_int_t id = json_integer_value(node);

		if (!json_is_integer(node) || id < 1 || id > UINT32_MAX)
			json_reader_fail(r, "nodes", "has what is no node id");
		c->nodes[c->nr_nodes++] = (u32)id;
	}
	incarnations = json_take_object(r, "incarnations");
	if (!incarnations)
		return;
	json_reader_begin(&n, incarnations, "incarnations", r->why, r->why_size);
	for (i = 0; i < HF_MAX_SLOTS; i++) {
		snprintf(name, sizeof(name), "%zu", i);
		c->incarnations[i] = json_take_id(&n, name);
	}
	if (json_reader_end(&n))
		r->failed = true;
}

static void slot_to_json(json_t **json, const struct cmd_slot *s, bool failed)
{
	json_put_bytes(json, "volume", s->volume, sizeof(s->volume));
	json_put_uint(json, "slot", s->slot_nr);
	json_put_uint(json, "node", s->node);
	json_put_id(json, "incarnation", s->incarnation);
	if (failed)
		json_put_text(json, "reason", s->reason);
}

static void slot_from_json(struct json_reader *r, struct cmd_slot *s, bool failed)
{
	json_take_bytes(r, "volume", s->volume, sizeof(s->volume));
	s->slot_nr = (u8)json_take_uint(r, "slot", 0, HF_MAX_SLOTS - 1);
	s->node = (u32)json_take_uint(r, "node", 1, UINT32_MAX);
	s->incarnation = json_take_id(r, "incarnation");
	if (failed)
		json_take_text(r, "reason", s->reason, sizeof(s->reason));
}

static void place_to_json(json_t **json, const struct cmd_slot_place *p)
{
	json_put_bytes(json, "volume", p->volume, sizeof(p->volume));
	json_put_uint(json, "slot", p->slot_nr);
	json_put_uint(json, "lost", p->lost_nr);
	json_put_uint(json, "node", p->node);
	json_put_id(json, "incarnation", p->incarnation);
}

static void place_from_json(struct json_reader *r, struct cmd_slot_place *p)
{
	json_take_bytes(r, "volume", p->volume, sizeof(p->volume));
	p->slot_nr = (u8)json_take_uint(r, "slot", 0, HF_MAX_SLOTS - 1);
	p->lost_nr = (u8)json_take_uint(r, "lost", 0, HF_MAX_SLOTS);
	p->node = (u32)json_take_uint(r, "node", 1, UINT32_MAX);
	p->incarnation = json_take_id(r, "incarnation");
}

static void cordon_to_json(json_t **json, const struct cmd_node_cordon *c)
{
	json_put_uint(json, "node", c->node);
	json_put_text(json, "cordon", cordon_names[c->cordon]);
	json_put_id(json, "boot_id", c->boot_id);
}

static void cordon_from_json(struct json_reader *r, struct cmd_node_cordon *c)
{
	c->node = (u32)json_take_uint(r, "node", 1, UINT32_MAX);
	c->cordon = json_take_enum(r, "cordon", cordon_names, FSM_CORDONS);
	c->boot_id = json_take_id(r, "boot_id");
}

static void conf_cmd_to_json(json_t **json, const struct cmd_conf *c)
{
	json_put_text(json, "step", conf_step_name(c->step));
	json_put_uint(json, "expected_epoch", c->expected_epoch);
	json_put(json, "conf", conf_to_json(&c->conf));
	json_put_uint(json, "unclean", c->unclean_mask);
	json_put_uint(json, "lost", c->lost_mask);
	json_put_id(json, "life", c->life);
}

static void conf_cmd_from_json(struct json_reader *r, struct cmd_conf *c)
{
	const json_t *conf;

	c->step = json_take_enum(r, "step", step_names, STEP_KINDS);
	c->expected_epoch = json_take_uint(r, "expected_epoch", 0, INT64_MAX);
	c->unclean_mask = (u8)json_take_uint(r, "unclean", 0, (1 << HF_MAX_SLOTS) - 1);
	c->lost_mask = (u8)json_take_uint(r, "lost", 0, (1 << HF_MAX_SLOTS) - 1);
	c->life = json_take_id(r, "life");
	conf = json_take_object(r, "conf");
	if (conf && conf_from_json(conf, &c->conf, r->why, r->why_size))
		r->failed = true;
}

static void drive_to_json(json_t **json, const struct command *cmd)
{
	const struct cmd_drive_add *add = &cmd->drive_add;
	const struct cmd_drive_made *made = &cmd->drive_made;
	const struct cmd_drive_note *note = &cmd->drive_note;

	if (cmd->kind == CMD_DRIVE_ADD) {
		json_put_uint(json, "drive", add->drive);
		json_put_uint(json, "node", add->node);
		json_put_text(json, "device", add->device);
		json_put_bool(json, "thick", add->thick);
		json_put_uint(json, "overcommit", add->overcommit_pct);
	} else if (cmd->kind == CMD_DRIVE_MADE) {
		json_put_uint(json, "drive", made->drive);
		json_put_uint(json, "data_bytes", made->data_bytes);
		json_put_uint(json, "meta_bytes", made->meta_bytes);
		json_put_bool(json, "rotational", made->rotational);
		json_put_text(json, "disk", made->disk);
	} else if (cmd->kind == CMD_DRIVE_NOTE) {
		json_put_uint(json, "drive", note->drive);
		json_put_bool(json, "faulty", note->faulty);
		json_put_uint(json, "usage", note->usage_level);
		json_put_uint(json, "orphans", note->nr_orphans);
		json_put_text(json, "orphan", note->orphan);
	} else {
		json_put_uint(json, "drive", cmd->drive.drive);
		if (cmd->kind == CMD_DRIVE_FAILED)
			json_put_text(json, "reason", cmd->drive.reason);
	}
}

static void drive_from_json(struct json_reader *r, struct command *cmd)
{
	u32 drive = (u32)json_take_uint(r, "drive", 1, UINT32_MAX);

	if (cmd->kind == CMD_DRIVE_ADD) {
		cmd->drive_add.drive = drive;
		cmd->drive_add.node = (u32)json_take_uint(r, "node", 1, UINT32_MAX);
		json_take_text(r, "device", cmd->drive_add.device, FSM_PATH_BYTES);
		cmd->drive_add.thick = json_take_bool(r, "thick");
		cmd->drive_add.overcommit_pct =
			(u32)json_take_uint(r, "overcommit", 0, UINT32_MAX);
	} else if (cmd->kind == CMD_DRIVE_MADE) {
		cmd->drive_made.drive = drive;
		cmd->drive_made.data_bytes = json_take_uint(r, "data_bytes", 0, INT64_MAX);
		cmd->drive_made.meta_bytes = json_take_uint(r, "meta_bytes", 0, INT64_MAX);
		cmd->drive_made.rotational = json_take_bool(r, "rotational");
		json_take_text(r, "disk", cmd->drive_made.disk, FSM_DISK_BYTES);
	} else if (cmd->kind == CMD_DRIVE_NOTE) {
		cmd->drive_note.drive = drive;
		cmd->drive_note.faulty = json_take_bool(r, "faulty");
		cmd->drive_note.usage_level = (u8)json_take_uint(r, "usage", 0, 100);
		cmd->drive_note.nr_orphans = (u32)json_take_uint(r, "orphans", 0, UINT32_MAX);
		json_take_text(r, "orphan", cmd->drive_note.orphan, FSM_SENTENCE_BYTES);
	} else {
		cmd->drive.drive = drive;
		if (cmd->kind == CMD_DRIVE_FAILED)
			json_take_text(r, "reason", cmd->drive.reason, FSM_SENTENCE_BYTES);
	}
}

/* The members of each kind, written. */
static void body_to_json(json_t **json, const struct command *cmd)
{
	switch (cmd->kind) {
	case CMD_INIT:
		json_put_bytes(json, "cluster", cmd->init.cluster, sizeof(cmd->init.cluster));
		json_put(json, "node", cmd_node_to_json(&cmd->init.node));
		break;
	case CMD_TOKEN_ADD:
		json_put_bytes(json, "hash", cmd->token_add.hash, sizeof(cmd->token_add.hash));
		json_put_uint(json, "expires_ms", cmd->token_add.expires_ms);
		break;
	case CMD_JOIN:
		json_put_bytes(json, "hash", cmd->join.hash, sizeof(cmd->join.hash));
		json_put(json, "node", cmd_node_to_json(&cmd->join.node));
		break;
	case CMD_VOLUME_CREATE:
		create_to_json(json, &cmd->volume_create);
		break;
	case CMD_SLOT_MADE:
	case CMD_SLOT_RETIRED:
	case CMD_SLOT_FAILED:
		slot_to_json(json, &cmd->slot, cmd->kind == CMD_SLOT_FAILED);
		break;
	case CMD_VOLUME_DELETE:
	case CMD_ATTACH:
	case CMD_DETACH:
	case CMD_MOVE:
		json_put_bytes(json, "volume", cmd->wish.volume, sizeof(cmd->wish.volume));
		json_put_uint(json, "node", cmd->wish.node);
		json_put_bool(json, "force", cmd->wish.force);
		break;
	case CMD_WISH_REFUSED:
		json_put_bytes(json, "volume", cmd->wish_refused.volume, FSM_UUID_BYTES);
		json_put_id(json, "request_id", cmd->wish_refused.request_id);
		json_put_uint(json, "node", cmd->wish_refused.node);
		break;
	case CMD_FAILOVER:
		json_put_bytes(json, "volume", cmd->failover.volume, FSM_UUID_BYTES);
		json_put_uint(json, "from", cmd->failover.from);
		json_put_uint(json, "to", cmd->failover.to);
		break;
	case CMD_NODE_DOWN:
	case CMD_NODE_UP:
	case CMD_NODE_UNCORDON:
		json_put_uint(json, "node", cmd->node_status.node);
		json_put_id(json, "boot_id", cmd->node_status.boot_id);
		break;
	case CMD_REBUILD_BEGUN:
		json_put_bytes(json, "volume", cmd->rebuild_begun.volume, FSM_UUID_BYTES);
		json_put_uint(json, "slot", cmd->rebuild_begun.slot_nr);
		break;
	case CMD_CONF:
		conf_cmd_to_json(json, &cmd->conf);
		break;
	case CMD_DRIVE_ADD:
	case CMD_DRIVE_MADE:
	case CMD_DRIVE_FAILED:
	case CMD_DRIVE_REMOVE:
	case CMD_DRIVE_GONE:
	case CMD_DRIVE_NOTE:
		drive_to_json(json, cmd);
		break;
	case CMD_SLOT_PLACE:
	case CMD_SLOT_UNPLACE:
		place_to_json(json, &cmd->slot_place);
		break;
	case CMD_NODE_CORDON:
		cordon_to_json(json, &cmd->node_cordon);
		break;
	case CMD_SET:
		json_put_uint(json, "rebuild_delay_ms", cmd->set.rebuild_delay_ms);
		break;
	default:
		json_put(json, "kind", NULL);
	}
}

static void body_from_json(struct json_reader *r, struct command *cmd)
{
	switch (cmd->kind) {
	case CMD_INIT:
		json_take_bytes(r, "cluster", cmd->init.cluster, sizeof(cmd->init.cluster));
		take_node(r, &cmd->init.node);
		break;
	case CMD_TOKEN_ADD:
		json_take_bytes(r, "hash", cmd->token_add.hash, sizeof(cmd->token_add.hash));
		cmd->token_add.expires_ms = json_take_uint(r, "expires_ms", 0, INT64_MAX);
		break;
	case CMD_JOIN:
		json_take_bytes(r, "hash", cmd->join.hash, sizeof(cmd->join.hash));
		take_node(r, &cmd->join.node);
		break;
	case CMD_VOLUME_CREATE:
		create_from_json(r, &cmd->volume_create);
		break;
	case CMD_SLOT_MADE:
	case CMD_SLOT_RETIRED:
	case CMD_SLOT_FAILED:
		slot_from_json(r, &cmd->slot, cmd->kind == CMD_SLOT_FAILED);
		break;
	case CMD_VOLUME_DELETE:
	case CMD_ATTACH:
	case CMD_DETACH:
	case CMD_MOVE:
		json_take_bytes(r, "volume", cmd->wish.volume, sizeof(cmd->wish.volume));
		cmd->wish.node = (u32)json_take_uint(r, "node", 0, UINT32_MAX);
		cmd->wish.force = json_take_bool(r, "force");
		break;
	case CMD_WISH_REFUSED:
		json_take_bytes(r, "volume", cmd->wish_refused.volume, FSM_UUID_BYTES);
		cmd->wish_refused.request_id = json_take_id(r, "request_id");
		cmd->wish_refused.node = (u32)json_take_uint(r, "node", 1, UINT32_MAX);
		break;
	case CMD_FAILOVER:
		json_take_bytes(r, "volume", cmd->failover.volume, FSM_UUID_BYTES);
		cmd->failover.from = (u32)json_take_uint(r, "from", 1, UINT32_MAX);
		cmd->failover.to = (u32)json_take_uint(r, "to", 1, UINT32_MAX);
		break;
	case CMD_NODE_DOWN:
	case CMD_NODE_UP:
	case CMD_NODE_UNCORDON:
		cmd->node_status.node = (u32)json_take_uint(r, "node", 1, UINT32_MAX);
		cmd->node_status.boot_id = json_take_id(r, "boot_id");
		break;
	case CMD_REBUILD_BEGUN:
		json_take_bytes(r, "volume", cmd->rebuild_begun.volume, FSM_UUID_BYTES);
		cmd->rebuild_begun.slot_nr =
			(u8)json_take_uint(r, "slot", 0, HF_MAX_SLOTS - 1);
		break;
	case CMD_CONF:
		conf_cmd_from_json(r, &cmd->conf);
		break;
	case CMD_DRIVE_ADD:
	case CMD_DRIVE_MADE:
	case CMD_DRIVE_FAILED:
	case CMD_DRIVE_REMOVE:
	case CMD_DRIVE_GONE:
	case CMD_DRIVE_NOTE:
		drive_from_json(r, cmd);
		break;
	case CMD_SLOT_PLACE:
	case CMD_SLOT_UNPLACE:
		place_from_json(r, &cmd->slot_place);
		break;
	case CMD_NODE_CORDON:
		cordon_from_json(r, &cmd->node_cordon);
		break;
	case CMD_SET:
		cmd->set.rebuild_delay_ms = (u32)json_take_uint(r, "rebuild_delay_ms", 0,
								UINT32_MAX);
		break;
	default:
		r->failed = true;
	}
}

json_t *command_to_json(const struct command *cmd)
{
	json_t *json = json_object();

	json_put_text(&json, "kind", command_kind_name(cmd->kind));
	json_put_id(&json, "id", cmd->id);
	json_put_uint(&json, "time_ms", cmd->time_ms);
	json_put_uint(&json, "origin", cmd->origin);
	body_to_json(&json, cmd);
	return json;
}

int command_from_json(const json_t *json, struct command *cmd, char *why, size_t why_size)
{
	struct json_reader r;

	memset(cmd, 0, sizeof(*cmd));
	json_reader_begin(&r, json, "command", why, why_size);
	cmd->kind = json_take_enum(&r, "kind", kind_names, CMD_KINDS);
	cmd->id = json_take_id(&r, "id");
	if (!r.failed && !cmd->id)
		json_reader_fail(&r, "id", "is zero");
	cmd->time_ms = json_take_uint(&r, "time_ms", 0, INT64_MAX);
	cmd->origin = (u32)json_take_uint(&r, "origin", 0, UINT32_MAX);
	if (!r.failed)
		body_from_json(&r, cmd);
	if (json_reader_end(&r)) {
		memset(cmd, 0, sizeof(*cmd));
		return -EINVAL;
	}
	return 0;
}
