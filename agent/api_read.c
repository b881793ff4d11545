// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Answers to reads: the state and the facts as JSON.  On the leader they are as
 * fresh as its reports; elsewhere ("stale": true) they are this node's copy and
 * what it hears itself.
 */
#include "api_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event_text.h"
#include "heartbeat.h"
#include "hex.h"
#include "log_raft.h"
#include "loop.h"
#include "module.h"
#include "nl_event.h"
#include "rebuilds.h"
#include "size_text.h"

enum { EVENTS_DEFAULT = 500 };

static json_t *id_json(uint32_t id)
{
	char text[9];

	snprintf(text, sizeof(text), "%08x", id);
	return json_string(text);
}

static json_t *bytes_json(const uint8_t *bytes, size_t len)
{
	char text[65];

	hex_encode(bytes, len, text);
	return json_string(text);
}

static json_t *name_json(const struct agent *agent, uint32_t id)
{
	const struct fsm_node *node = id ? fsm_node_by_id(agent->fsm, id) : NULL;

	return node ? json_string(node->name) : json_null();
}

/* ------------------------------------------------------------------- nodes */

static json_t *node_json(struct agent *agent, const struct fsm_node *node)
{
	const struct kernel_view *view = api_view(agent, node->id);
	uint32_t age_ms = heartbeat_age_ms(agent->heartbeat, node->id);
	bool silent = age_ms > node_scaled(agent, PLAN_SILENT_MS);
	const char *log_role = agent->log ? log_raft_role(agent->log, node->id) : NULL;
	json_t *json, *pairs = json_array();
	unsigned int i;
	char role[16];

	fsm_node_role(agent->fsm, node->id, node_leader(agent), role, sizeof(role));
	for (i = 0; i < node->nr_backing; i++) {
		const struct fsm_backing *b = &node->backing[i];
		const struct fsm_volume *vol =
			b->used ? fsm_volume_by_uuid(agent->fsm, b->volume) : NULL;

		json_array_append_new(pairs, json_pack("{s:s, s:s, s:I, s:s, s:o}",
			"data", b->data_path, "meta", b->meta_path,
			"size_bytes", (json_int_t)b->size_bytes,
			"drive", b->rotational ? "HDD" : "SSD",
			"volume", vol && !b->retiring ? json_string(vol->name) : json_null()));
		if (b->retiring)
			json_object_set_new(json_array_get(pairs, json_array_size(pairs) - 1),
					    "retiring", json_true());
	}
	json = json_pack("{s:s, s:s, s:i, s:o, s:s, s:s, s:s, s:s*, s:o, s:o}",
			 "name", node->name, "address", node->address, "port", node->port,
			 "id", id_json(node->id), "role", role,
			 "status", fsm_status_name(node->status),
			 "agent", silent ? "silent" : "running",
			 "log", log_role,
			 "module", view ? json_boolean(view->loaded) : json_null(),
			 "backing", pairs);
	if (age_ms != FACTS_NEVER_MS)
		json_object_set_new(json, "heard_ms", json_integer(age_ms));
	json_object_set_new(json, "cordon", node->cordon ?
			    json_string(fsm_cordon_name(node->cordon)) : json_null());
	json_object_set_new(json, "down", json_boolean(node->down));
	json_object_set_new(json, "joined_ms", json_integer((json_int_t)node->joined_ms));
	json_object_set_new(json, "status_since_ms", json_integer((json_int_t)node->status_ms));
	return json;
}

static json_t *read_nodes(struct agent *agent, bool stale)
{
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < agent->fsm->nr_nodes; i++)
		json_array_append_new(list, node_json(agent, &agent->fsm->nodes[i]));
	return api_ok(json_pack("{s:o, s:b}", "nodes", list, "stale", stale));
}

static json_t *read_node(struct agent *agent, const char *name, bool stale)
{
	const struct fsm_node *node = fsm_node_find(agent->fsm, name);
	json_t *json;

	if (!node)
		return api_error(404, "there is no node '%s': see 'holdfast node ls'", name);
	json = node_json(agent, node);
	json_object_set_new(json, "stale", json_boolean(stale));
	return api_ok(json);
}

/* ----------------------------------------------------------------- volumes */

static json_t *slots_json(struct agent *agent, const struct fsm_volume *vol,
			  const struct api_volume *state)
{
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < HF_MAX_SLOTS; i++) {
		const struct hf_conf_slot *conf = &vol->conf.slots[i];
		const struct fsm_backing *pair;
		json_t *json;

		if (!conf->node)
			continue;
		pair = fsm_slot_backing(agent->fsm, vol, (int)i);
		json = json_pack("{s:i, s:o, s:o, s:s, s:b}", "slot", (int)i,
				 "node", name_json(agent, conf->node),
				 "node_id", id_json(conf->node),
				 "state", api_slot_state_name(state->slots[i].state),
				 "in_sync", state->slots[i].in_sync);
		if (state->slots[i].state == API_SLOT_REBUILDING)
			json_object_set_new(json, "percent", json_integer(state->slots[i].percent));
		if (state->slots[i].error)
			json_object_set_new(json, "error", json_string(
				strerror(abs(state->slots[i].error))));
		if (state->slots[i].kernel)
			json_object_set_new(json, "unclean",
					    json_boolean(state->slots[i].kernel->unclean));
		if (pair) {
			json_object_set_new(json, "data", json_string(pair->data_path));
			json_object_set_new(json, "meta", json_string(pair->meta_path));
			json_object_set_new(json, "drive",
					    json_string(pair->rotational ? "HDD" : "SSD"));
		}
		json_array_append_new(list, json);
	}
	return list;
}

static void add_disk(json_t *json, const struct kernel_disk *disk)
{
	json_object_set_new(json, "disk", json_pack("{s:s, s:i, s:i, s:i, s:i}",
		"state", hf_nl_disk_name(disk->state),
		"openers", (int)disk->openers, "in_flight", (int)disk->in_flight,
		"held", (int)disk->held, "holding_ms", (int)disk->holding_ms));
}

/* What all copies take of their drives, and of what part of their size that is. */
static void add_allocated(json_t *json, const struct fsm_volume *vol,
			  const struct api_volume *state)
{
	u64 bytes = 0, size = 0;
	unsigned int i;

	for (i = 0; i < HF_MAX_SLOTS; i++) {
		const struct kernel_slot *slot = state->slots[i].kernel;

		if (!vol->conf.slots[i].node || !slot)
			continue;
		bytes += slot->allocated_bytes;
		size += vol->conf.size_bytes;
	}
	json_object_set_new(json, "allocated_bytes", json_integer((json_int_t)bytes));
	json_object_set_new(json, "allocated_pct", json_real(size ? 100.0 * (double)bytes /
							     (double)size : 0));
}

/* SSD only if every copy's device is one. */
static const char *drive_of(const struct agent *agent, const struct fsm_volume *vol)
{
	unsigned int i;

	for (i = 0; i < HF_MAX_SLOTS; i++) {
		const struct fsm_backing *pair = vol->conf.slots[i].node ?
			fsm_slot_backing(agent->fsm, vol, (int)i) : NULL;

		if (pair && pair->rotational)
			return "HDD";
	}
	return "SSD";
}

json_t *api_volume_json(struct agent *agent, const struct fsm_volume *vol)
{
	const struct rebuild_record *rebuild = rebuilds_last(agent->rebuilds, vol->uuid);
	uint32_t attached = fsm_volume_served_on(vol);
	char vdisk[16], size[32], type[16];
	struct api_volume state;
	json_t *json;

	api_volume_state(agent, vol, &state);
	snprintf(vdisk, sizeof(vdisk), "vd%u", vol->conf.vdisk);
	snprintf(type, sizeof(type), "%u-copy", vol->copies);
	size_format(vol->conf.size_bytes, size, sizeof(size));
	json = json_pack("{s:s, s:o, s:s, s:I, s:s, s:i, s:s, s:s, s:s, s:o, s:o, s:I, s:I, s:o}",
			 "name", vol->name, "uuid", bytes_json(vol->uuid, FSM_UUID_BYTES),
			 "vdisk", vdisk, "size_bytes", (json_int_t)vol->conf.size_bytes,
			 "size", size, "copies", vol->copies, "type", type,
			 "drive", drive_of(agent, vol), "status", state.status,
			 "attached_on", name_json(agent, attached),
			 "wanted_on", name_json(agent, vol->wanted_node),
			 "term", (json_int_t)vol->conf.term, "epoch", (json_int_t)vol->conf.epoch,
			 "slots", slots_json(agent, vol, &state));
	json_object_set_new(json, "served", json_boolean(state.served_on));
	add_allocated(json, vol, &state);
	json_object_set_new(json, "replacement_on", name_json(agent, vol->place.node));
	json_object_set_new(json, "healthy", json_boolean(state.is_healthy));
	json_object_set_new(json, "attach", json_string(vol->attach_mode == FSM_ATTACH_AUTO ?
							"auto" : "follow"));
	if (state.disk)
		add_disk(json, state.disk);
	if (rebuild && !rebuild->running)
		json_object_set_new(json, "last_rebuild", json_pack("{s:o, s:I, s:I}",
			"node", name_json(agent, rebuild->node),
			"bytes", (json_int_t)rebuild->bytes, "ms", (json_int_t)rebuild->took_ms));
	if (!state.is_healthy) {
		char why[512];

		api_volume_trouble(agent, vol, why, sizeof(why));
		json_object_set_new(json, "trouble", json_string(why));
	}
	return json;
}

static json_t *read_volumes(struct agent *agent, bool stale)
{
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < agent->fsm->nr_volumes; i++) {
		if (agent->fsm->volumes[i].state != FSM_VOLUME_DELETING)
			json_array_append_new(list,
					      api_volume_json(agent, &agent->fsm->volumes[i]));
	}
	return api_ok(json_pack("{s:o, s:b}", "volumes", list, "stale", stale));
}

static json_t *read_volume(struct agent *agent, const char *name, bool stale)
{
	const struct fsm_volume *vol = fsm_volume_find(agent->fsm, name);
	json_t *json;

	if (!vol)
		return api_error(404, "there is no volume '%s': see 'holdfast volume ls'", name);
	json = api_volume_json(agent, vol);
	json_object_set_new(json, "stale", json_boolean(stale));
	return api_ok(json);
}

/* ------------------------------------------------------------------ events */

static json_t *read_events(struct agent *agent, const struct api_request *request, bool stale)
{
	const char *text = json_string_value(json_object_get(request->query, "n"));
	const struct fsm *fsm = agent->fsm;
	json_t *list = json_array();
	unsigned long n = EVENTS_DEFAULT;
	unsigned int i;
	char *end;

	if (text) {
		errno = 0;
		n = strtoul(text, &end, 10);
		if (errno || *end || *text < '0' || *text > '9') {
			json_decref(list);
			return api_error(400, "'%s' is not a number of events", text);
		}
	}
	i = n < fsm->event_count ? fsm->event_count - (unsigned int)n : 0;
	for (; i < fsm->event_count; i++) {
		const struct fsm_event *e = fsm_event_at(fsm, i);

		json_array_append_new(list, json_pack("{s:I, s:I, s:s, s:s, s:s, s:i}",
			"seq", (json_int_t)e->seq, "time_ms", (json_int_t)e->time_ms,
			"level", event_level_name(e->level), "module", e->domain,
			"text", e->text, "code", (int)e->code));
	}
	return api_ok(json_pack("{s:o, s:b}", "events", list, "stale", stale));
}

/* -------------------------------------------------------------------- both */

json_t *api_status_json(struct agent *agent)
{
	static const char *const phases[] = {
		[NODE_ALONE]	= "alone",
		[NODE_FOUNDING]	= "founding",
		[NODE_JOINING]	= "joining",
		[NODE_MEMBER]	= "member",
	};
	const char *trouble = module_trouble(agent->module);

	return json_pack("{s:s, s:s, s:o, s:s, s:o, s:o, s:I, s:I, s:I, s:b, s:s*, s:i}",
			 "version", AGENT_VERSION, "phase", phases[agent->phase],
			 "id", agent->self.id ? id_json(agent->self.id) : json_null(),
			 "name", agent->self.id ? agent->self.name : "",
			 "cluster", agent->phase == NODE_MEMBER ?
			 bytes_json(agent->cluster, FSM_UUID_BYTES) : json_null(),
			 "leader", node_leader(agent) ? id_json(node_leader(agent)) : json_null(),
			 "log_term", agent->log ? (json_int_t)log_raft_term(agent->log) : 0,
			 "applied", agent->log ? (json_int_t)log_raft_applied(agent->log) : 0,
			 "state_version", (json_int_t)agent->fsm->version,
			 "module", module_view(agent->module)->loaded, "module_trouble", trouble,
			 "time_scale_pct", (int)agent->options.time_scale_pct);
}

json_t *api_read(struct agent *agent, const struct api_request *request, bool stale)
{
	if (api_is(request, "GET", 1, "nodes"))
		return read_nodes(agent, stale);
	if (api_is(request, "GET", 2, "nodes"))
		return read_node(agent, request->path[1], stale);
	if (api_is(request, "GET", 1, "volumes"))
		return read_volumes(agent, stale);
	if (api_is(request, "GET", 2, "volumes"))
		return read_volume(agent, request->path[1], stale);
	if (api_is(request, "GET", 1, "drives"))
		return api_read_drives(agent, stale);
	if (api_is(request, "GET", 2, "drives"))
		return api_read_drive(agent, request->path[1], stale);
	if (api_is(request, "GET", 1, "settings"))
		return api_settings(agent);
	if (api_is(request, "GET", 1, "events"))
		return read_events(agent, request, stale);
	return api_error(404, "there is no such resource: /v1/%s", request->path[0]);
}
