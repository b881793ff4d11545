// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests about drives: what they are and how full, added and removed.  Whether
 * a disk may be taken is found out on its own node; who asked waits for that.
 */
#include "api_internal.h"

#include <stdio.h>
#include <string.h>

#include "drives.h"
#include "heartbeat.h"
#include "json_util.h"
#include "loop.h"

/* The latest report of node @id about its storage that is fresh; NULL: none. */
static const struct storage_report *storage_of(struct agent *agent, uint32_t id,
					       struct storage_report *own)
{
	const struct node_report *report;
	uint32_t age_ms;

	if (id == agent->self.id) {
		drives_report(agent->drives, own);
		return own;
	}
	report = heartbeat_report(agent->heartbeat, id, &age_ms);
	if (!report || age_ms > node_scaled(agent, PLAN_SILENT_MS))
		return NULL;
	return &report->storage;
}

static const char *status_of(const struct fsm_drive *drive)
{
	if (drive->state == FSM_DRIVE_ADDING)
		return "adding";
	if (drive->state == FSM_DRIVE_REMOVING)
		return "removing";
	return drive->faulty ? "faulty" : "normal";
}

static json_t *drive_json(struct agent *agent, const struct fsm_drive *drive,
			  const struct storage_report *report)
{
	const struct fsm_node *node = fsm_node_by_id(agent->fsm, drive->node);
	char text[FSM_DRIVE_TEXT_BYTES], node_id[9], id[9];
	json_t *json;
	unsigned int i;

	snprintf(node_id, sizeof(node_id), "%08x", drive->node);
	snprintf(id, sizeof(id), "%08x", drive->id);
	json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}",
			 "node", node ? node->name : node_id, "node_id", node_id,
			 "id", fsm_drive_text(drive, text, sizeof(text)), "group_id", id,
			 "device", drive->disk, "added_as", drive->device,
			 "type", drive->rotational ? "HDD" : "SSD", "status", status_of(drive),
			 "provisioning", drive->thick ? "thick" : "thin");
	json_object_set_new(json, "size_bytes",
			    json_integer((json_int_t)(drive->data_bytes + drive->meta_bytes)));
	json_object_set_new(json, "data_bytes", json_integer((json_int_t)drive->data_bytes));
	json_object_set_new(json, "promised_bytes", json_integer(
		(json_int_t)fsm_drive_promised_bytes(agent->fsm, drive)));
	json_object_set_new(json, "free_bytes", json_integer(
		(json_int_t)fsm_drive_free_bytes(agent->fsm, drive)));
	json_object_set_new(json, "overcommit_pct", json_integer(drive->overcommit_pct));
	json_object_set_new(json, "copies", json_integer(fsm_drive_slots(agent->fsm, drive)));
	json_object_set_new(json, "level_pct", json_integer(drive->usage_level));
	json_object_set_new(json, "orphans", json_integer(drive->nr_orphans));
	for (i = 0; report && i < report->nr_drives; i++) {
		const struct drive_report *d = &report->drives[i];

		if (d->drive != drive->id)
			continue;
		json_object_set_new(json, "device", json_string(d->disk));
		json_object_set_new(json, "used_bytes", json_integer((json_int_t)d->used_bytes));
		json_object_set_new(json, "used_pct", json_real(d->data_pct / 100.0));
		json_object_set_new(json, "metadata_pct", json_real(d->meta_pct / 100.0));
	}
	return json;
}

/* A disk became a drive after its node looked for free ones. */
static bool is_drive_by_now(const struct fsm *fsm, const struct fsm_node *node,
			    const struct storage_report *report, const char *disk)
{
	const char *now;
	unsigned int i, k;

	for (i = 0; i < fsm->nr_drives; i++) {
		if (fsm->drives[i].node != node->id || fsm->drives[i].state == FSM_DRIVE_ADDING)
			continue;
		now = fsm->drives[i].disk;
		for (k = 0; k < report->nr_drives; k++) {
			if (report->drives[k].drive == fsm->drives[i].id)
				now = report->drives[k].disk;
		}
		if (!strcmp(now, disk))
			return true;
	}
	return false;
}

/* Disks that are no drives yet. */
static void add_free(json_t *list, const struct fsm *fsm, const struct fsm_node *node,
		     const struct storage_report *report)
{
	char node_id[9];
	unsigned int i;

	snprintf(node_id, sizeof(node_id), "%08x", node->id);
	for (i = 0; report && i < report->nr_disks; i++) {
		if (is_drive_by_now(fsm, node, report, report->disks[i].disk))
			continue;
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}",
			"node", node->name, "node_id", node_id,
			"device", report->disks[i].disk,
			"type", report->disks[i].rotational ? "HDD" : "SSD",
			"status", "available",
			"size_bytes", (json_int_t)report->disks[i].size_bytes));
	}
}

json_t *api_read_drives(struct agent *agent, bool stale)
{
	const struct fsm *fsm = agent->fsm;
	const struct storage_report *report;
	struct storage_report own;
	json_t *list = json_array();
	unsigned int i, k;

	for (i = 0; i < fsm->nr_nodes; i++) {
		report = storage_of(agent, fsm->nodes[i].id, &own);
		for (k = 0; k < fsm->nr_drives; k++) {
			if (fsm->drives[k].node == fsm->nodes[i].id)
				json_array_append_new(list, drive_json(agent, &fsm->drives[k],
								       report));
		}
		add_free(list, fsm, &fsm->nodes[i], report);
	}
	return api_ok(json_pack("{s:o, s:b}", "drives", list, "stale", stale));
}

static json_t *no_drive(const char *text)
{
	return api_error(404, "there is no drive '%s': see 'holdfast drive ls'", text);
}

/* What lies on the drive: the copies of volumes. */
static json_t *copies_json(const struct agent *agent, const struct fsm_drive *drive)
{
	const struct fsm_node *node = fsm_node_by_id(agent->fsm, drive->node);
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; node && i < node->nr_backing; i++) {
		const struct fsm_backing *slot = &node->backing[i];
		const struct fsm_volume *vol;

		if (slot->drive != drive->id)
			continue;
		vol = fsm_volume_by_uuid(agent->fsm, slot->volume);
		json_array_append_new(list, json_pack("{s:s, s:I, s:s, s:s}",
			"volume", vol ? vol->name : "", "size_bytes",
			(json_int_t)slot->size_bytes, "data", slot->data_path,
			"meta", slot->meta_path));
	}
	return list;
}

json_t *api_read_drive(struct agent *agent, const char *text, bool stale)
{
	const struct fsm_drive *drive = fsm_drive_find(agent->fsm, text);
	struct storage_report own;
	json_t *json;

	if (!drive)
		return no_drive(text);
	json = drive_json(agent, drive, storage_of(agent, drive->node, &own));
	json_object_set_new(json, "on_it", copies_json(agent, drive));
	json_object_set_new(json, "stale", json_boolean(stale));
	return api_ok(json);
}

/* --------------------------------------------------------------------- add */

static const struct fsm_drive *added_by(const struct fsm *fsm, uint64_t command_id)
{
	unsigned int i;

	for (i = 0; i < fsm->nr_drives; i++) {
		if (fsm->drives[i].add_id == command_id)
			return &fsm->drives[i];
	}
	return NULL;
}

static json_t *check_added(struct agent *agent, struct api_wait *wait, bool late)
{
	const struct fsm_drive *drive = added_by(agent->fsm, wait->command_id);
	const struct fsm_node *node;
	struct storage_report own;

	if (!drive)
		return api_error(409, "the drive was not added, or was removed in the meantime");
	if (drive->refused_id == wait->command_id)
		return api_error(409, "%s", drive->refusal);
	if (drive->state == FSM_DRIVE_READY)
		return api_ok(drive_json(agent, drive, storage_of(agent, drive->node, &own)));
	node = fsm_node_by_id(agent->fsm, drive->node);
	return late ? api_error(504, "%s on node %s is not a drive yet: it goes on, see 'holdfast "
				"drive ls'", drive->device, node ? node->name : "?") : NULL;
}

static void serve_add(struct agent *agent, const struct api_request *request, api_done_cb done,
		      void *data)
{
	char why[FSM_SENTENCE_BYTES] = "", name[FSM_NAME_BYTES] = "";
	struct cmd_drive_add *add;
	json_t *body, *answer = NULL;
	struct json_reader r;
	struct command cmd;

	api_begin(agent, request, CMD_DRIVE_ADD, &cmd);
	add = &cmd.drive_add;
	body = api_body_of(request, &r, why, sizeof(why));
	json_take_text(&r, "device", add->device, sizeof(add->device));
	if (json_reader_has(&r, "node"))
		json_take_text(&r, "node", name, sizeof(name));
	if (json_reader_has(&r, "thick"))
		add->thick = json_take_bool(&r, "thick");
	add->overcommit_pct = 100;
	if (json_reader_has(&r, "overcommit_pct"))
		add->overcommit_pct = (u32)json_take_uint(&r, "overcommit_pct", 0, UINT32_MAX);
	if (json_reader_end(&r))
		answer = api_error(400, "%s", why);
	else
		add->node = name[0] ? api_find_node(agent, name, &answer) : request->origin;
	json_decref(body);
	if (answer)
		return done(data, answer);
	add->drive = loop_random_u32();
	api_propose(agent, &cmd, api_wait_new(request, NULL, check_added, done, data));
}

/* ------------------------------------------------------------------ remove */

static json_t *check_removed(struct agent *agent, struct api_wait *wait, bool late)
{
	const struct fsm_drive *drive = fsm_drive_by_id(agent->fsm, wait->drive);

	if (!drive)
		return api_ok(json_pack("{s:s, s:b}", "removed", wait->name, "complete", 1));
	return late ? api_error(504, "drive %s is not wiped yet: its node does it as soon as it can",
				wait->name) : NULL;
}

static void serve_remove(struct agent *agent, const struct api_request *request, api_done_cb done,
			 void *data)
{
	const struct fsm_drive *drive = fsm_drive_find(agent->fsm, request->path[1]);
	char why[FSM_SENTENCE_BYTES] = "";
	struct fsm_result outcome;
	struct api_wait *wait;
	struct json_reader r;
	struct command cmd;
	json_t *body;
	int bad;

	/* A removal that is asked for again after it was done. */
	if (!drive && request->id && fsm_outcome(agent->fsm, request->id, &outcome) &&
	    outcome.code == FSM_OK)
		return done(data, api_ok(json_pack("{s:s, s:b}", "removed", request->path[1],
						   "complete", 1)));
	if (!drive)
		return done(data, no_drive(request->path[1]));
	body = api_body_of(request, &r, why, sizeof(why));
	bad = json_reader_end(&r);
	json_decref(body);
	if (bad)
		return done(data, api_error(400, "%s", why));
	api_begin(agent, request, CMD_DRIVE_REMOVE, &cmd);
	cmd.drive.drive = drive->id;
	wait = api_wait_new(request, NULL, check_removed, done, data);
	wait->drive = drive->id;
	snprintf(wait->name, sizeof(wait->name), "%s", request->path[1]);
	api_propose(agent, &cmd, wait);
}

bool api_drive_serve(struct agent *agent, const struct api_request *request, api_done_cb done,
		     void *data)
{
	if (api_is(request, "POST", 1, "drives"))
		serve_add(agent, request, done, data);
	else if (api_is(request, "DELETE", 2, "drives"))
		serve_remove(agent, request, done, data);
	else
		return false;
	return true;
}
