// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The whole state to and from JSON, for raft's snapshots.  Strict: form and
 * ranges, and what the code relies upon between the parts (indexes of backing
 * pairs, the order of events) are checked; a snapshot that is refused is never
 * half loaded.
 */
#include "state_json.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_json.h"
#include "fsm_internal.h"
#include "json_util.h"

#define STATE_VERSION 2

static const char *const status_names[] = { "normal", "cordoned" };
static const char *const attach_names[] = { "auto", "follow" };
static const char *const drive_names[] = { "adding", "ready", "removing" };
static const char *const state_names[] = { "creating", "ready", "deleting" };

static json_t *node_to_json(const struct fsm_node *node)
{
	json_t *json = json_object();
	json_t *pairs = json_array();
	unsigned int i;

	json_put_uint(&json, "id", node->id);
	json_put_text(&json, "name", node->name);
	json_put_text(&json, "address", node->address);
	json_put_uint(&json, "port", node->port);
	json_put_text(&json, "status", status_names[node->status]);
	json_put_bool(&json, "down", node->down);
	json_put_text(&json, "cordon", fsm_cordon_name(node->cordon));
	json_put_id(&json, "cordon_boot", node->cordon_boot);
	json_put_bool(&json, "failover_open", node->failover_open);
	json_put_uint(&json, "joined_ms", node->joined_ms);
	json_put_uint(&json, "status_ms", node->status_ms);
	for (i = 0; i < node->nr_backing; i++) {
		const struct fsm_backing *pair = &node->backing[i];
		json_t *p = json_object();

		json_put_text(&p, "data", pair->data_path);
		json_put_text(&p, "meta", pair->meta_path);
		json_put_uint(&p, "drive", pair->drive);
		json_put_uint(&p, "size", pair->size_bytes);
		json_put_bool(&p, "rotational", pair->rotational);
		json_put_bool(&p, "used", pair->used);
		json_put_bool(&p, "retiring", pair->retiring);
		json_put_uint(&p, "slot", pair->slot_nr);
		json_put_id(&p, "incarnation", pair->incarnation);
		json_put_bytes(&p, "volume", pair->volume, sizeof(pair->volume));
		json_append(&pairs, p);
	}
	json_put(&json, "backing", pairs);
	return json;
}

static int node_from_json(const json_t *json, struct fsm_node *node, char *why, size_t why_size)
{
	struct json_reader r, p;
	const json_t *pairs;
	size_t i;

	json_reader_begin(&r, json, "node", why, why_size);
	node->id = (u32)json_take_uint(&r, "id", 1, UINT32_MAX);
	json_take_text(&r, "name", node->name, sizeof(node->name));
	json_take_text(&r, "address", node->address, sizeof(node->address));
	node->port = (u16)json_take_uint(&r, "port", 1, UINT16_MAX);
	node->status = json_take_enum(&r, "status", status_names, 2);
	node->down = json_take_bool(&r, "down");
	node->cordon = json_take_enum(&r, "cordon", fsm_cordon_names, FSM_CORDONS);
	node->cordon_boot = json_take_id(&r, "cordon_boot");
	node->failover_open = json_take_bool(&r, "failover_open");
	node->joined_ms = json_take_uint(&r, "joined_ms", 0, INT64_MAX);
	node->status_ms = json_take_uint(&r, "status_ms", 0, INT64_MAX);
	pairs = json_take_array(&r, "backing", FSM_MAX_BACKING);
	for (i = 0; pairs && i < json_array_size(pairs); i++) {
		struct fsm_backing *pair = &node->backing[i];

		json_reader_begin(&p, json_array_get(pairs, i), "backing", why, why_size);
		json_take_text(&p, "data", pair->data_path, sizeof(pair->data_path));
		json_take_text(&p, "meta", pair->meta_path, sizeof(pair->meta_path));
		pair->drive = (u32)json_take_uint(&p, "drive", 0, UINT32_MAX);
		/* a free entry, kept for the indexes behind it, is empty */
		pair->size_bytes = json_take_uint(&p, "size", !!pair->data_path[0], INT64_MAX);
		pair->rotational = json_take_bool(&p, "rotational");
		pair->used = json_take_bool(&p, "used");
		pair->retiring = json_take_bool(&p, "retiring");
		pair->slot_nr = (u8)json_take_uint(&p, "slot", 0, HF_MAX_SLOTS - 1);
		pair->incarnation = json_take_id(&p, "incarnation");
		json_take_bytes(&p, "volume", pair->volume, sizeof(pair->volume));
		if (json_reader_end(&p))
			return -EINVAL;
		node->nr_backing++;
	}
	return json_reader_end(&r);
}

static json_t *drive_to_json(const struct fsm_drive *drive)
{
	json_t *json = json_object();

	json_put_uint(&json, "id", drive->id);
	json_put_uint(&json, "node", drive->node);
	json_put_uint(&json, "index", drive->index);
	json_put_text(&json, "state", drive_names[drive->state]);
	json_put_bool(&json, "thick", drive->thick);
	json_put_bool(&json, "rotational", drive->rotational);
	json_put_bool(&json, "faulty", drive->faulty);
	json_put_uint(&json, "usage", drive->usage_level);
	json_put_uint(&json, "overcommit", drive->overcommit_pct);
	json_put_uint(&json, "data_bytes", drive->data_bytes);
	json_put_uint(&json, "meta_bytes", drive->meta_bytes);
	json_put_uint(&json, "orphans", drive->nr_orphans);
	json_put_uint(&json, "added_ms", drive->added_ms);
	json_put_id(&json, "add_id", drive->add_id);
	json_put_id(&json, "refused_id", drive->refused_id);
	json_put_text(&json, "refusal", drive->refusal);
	json_put_text(&json, "device", drive->device);
	json_put_text(&json, "disk", drive->disk);
	return json;
}

static int drive_from_json(const json_t *json, struct fsm_drive *drive, char *why, size_t why_size)
{
	struct json_reader r;

	json_reader_begin(&r, json, "drive", why, why_size);
	drive->id = (u32)json_take_uint(&r, "id", 1, UINT32_MAX);
	drive->node = (u32)json_take_uint(&r, "node", 1, UINT32_MAX);
	drive->index = (u32)json_take_uint(&r, "index", 0, FSM_NODE_DRIVES - 1);
	drive->state = json_take_enum(&r, "state", drive_names, 3);
	drive->thick = json_take_bool(&r, "thick");
	drive->rotational = json_take_bool(&r, "rotational");
	drive->faulty = json_take_bool(&r, "faulty");
	drive->usage_level = (u8)json_take_uint(&r, "usage", 0, 100);
	drive->overcommit_pct = (u32)json_take_uint(&r, "overcommit", 100, UINT16_MAX);
	drive->data_bytes = json_take_uint(&r, "data_bytes", 0, INT64_MAX);
	drive->meta_bytes = json_take_uint(&r, "meta_bytes", 0, INT64_MAX);
	drive->nr_orphans = (u32)json_take_uint(&r, "orphans", 0, UINT32_MAX);
	drive->added_ms = json_take_uint(&r, "added_ms", 0, INT64_MAX);
	drive->add_id = json_take_id(&r, "add_id");
	drive->refused_id = json_take_id(&r, "refused_id");
	json_take_text(&r, "refusal", drive->refusal, sizeof(drive->refusal));
	json_take_text(&r, "device", drive->device, sizeof(drive->device));
	json_take_text(&r, "disk", drive->disk, sizeof(drive->disk));
	return json_reader_end(&r);
}

static json_t *place_to_json(const struct fsm_place *place)
{
	json_t *json = json_object();

	json_put_uint(&json, "node", place->node);
	json_put_uint(&json, "slot", place->slot_nr);
	json_put_uint(&json, "lost", place->lost_nr);
	json_put_bool(&json, "made", place->made);
	json_put_id(&json, "incarnation", place->incarnation);
	return json;
}

static int place_from_json(const json_t *json, struct fsm_place *place, char *why, size_t why_size)
{
	struct json_reader r;

	json_reader_begin(&r, json, "place", why, why_size);
	place->node = (u32)json_take_uint(&r, "node", 0, UINT32_MAX);
	place->slot_nr = (u8)json_take_uint(&r, "slot", 0, HF_MAX_SLOTS - 1);
	place->lost_nr = (u8)json_take_uint(&r, "lost", 0, HF_MAX_SLOTS);
	place->made = json_take_bool(&r, "made");
	place->incarnation = json_take_id(&r, "incarnation");
	return json_reader_end(&r);
}

static json_t *volume_to_json(const struct fsm_volume *vol)
{
	json_t *json = json_object();
	json_t *pairs = json_array();
	int i;

	json_put_text(&json, "name", vol->name);
	json_put_text(&json, "state", state_names[vol->state]);
	json_put_uint(&json, "copies", vol->copies);
	json_put_text(&json, "attach", attach_names[vol->attach_mode]);
	json_put_uint(&json, "created_ms", vol->created_ms);
	json_put_id(&json, "create_id", vol->create_id);
	json_put_uint(&json, "wanted_node", vol->wanted_node);
	json_put_bool(&json, "wanted_force", vol->wanted_force);
	json_put_uint(&json, "wanted_ms", vol->wanted_ms);
	json_put_id(&json, "request_id", vol->request_id);
	json_put_id(&json, "refused_id", vol->refused_id);
	json_put_text(&json, "refusal", vol->refusal);
	json_put_uint(&json, "attached_node", vol->attached_node);
	json_put_uint(&json, "failover_from", vol->failover_from);
	json_put_uint(&json, "named_unclean", vol->named_unclean_mask);
	json_put_uint(&json, "made", vol->made_mask);
	json_put_uint(&json, "retired", vol->retired_mask);
	json_put_uint(&json, "rebuilding", vol->rebuilding_mask);
	json_put_uint(&json, "added", vol->added_mask);
	json_put_uint(&json, "failed_node", vol->failed_node);
	json_put_uint(&json, "failed_ms", vol->failed_ms);
	json_put_uint(&json, "failures", vol->failures);
	json_put(&json, "place", place_to_json(&vol->place));
	for (i = 0; i < HF_MAX_SLOTS; i++)
		json_append(&pairs, json_integer(vol->backing[i]));
	json_put(&json, "backing", pairs);
	json_put(&json, "conf", conf_to_json(&vol->conf));
	return json;
}

static u8 take_mask(struct json_reader *r, const char *name)
{
	return (u8)json_take_uint(r, name, 0, (1 << HF_MAX_SLOTS) - 1);
}

static void volume_backing(struct json_reader *r, struct fsm_volume *vol)
{
	const json_t *pairs = json_take_array(r, "backing", HF_MAX_SLOTS);
	size_t i;

	for (i = 0; pairs && i < HF_MAX_SLOTS; i++) {
		const json_t *pair = json_array_get(pairs, i);
		json_int_t index = json_integer_value(pair);

		if (!json_is_integer(pair) || index < 0 || index >= FSM_MAX_BACKING) {
			json_reader_fail(r, "backing", "has no index of a pair");
			return;
		}
		vol->backing[i] = (u8)index;
	}
}

static int volume_from_json(const json_t *json, struct fsm_volume *vol, char *why, size_t why_size)
{
	const json_t *conf, *place;
	struct json_reader r;

	json_reader_begin(&r, json, "volume", why, why_size);
	json_take_text(&r, "name", vol->name, sizeof(vol->name));
	vol->state = json_take_enum(&r, "state", state_names, 3);
	vol->copies = (u8)json_take_uint(&r, "copies", 1, HF_MAX_SLOTS);
	vol->attach_mode = json_take_enum(&r, "attach", attach_names, 2);
	vol->created_ms = json_take_uint(&r, "created_ms", 0, INT64_MAX);
	vol->create_id = json_take_id(&r, "create_id");
	vol->wanted_node = (u32)json_take_uint(&r, "wanted_node", 0, UINT32_MAX);
	vol->wanted_force = json_take_bool(&r, "wanted_force");
	vol->wanted_ms = json_take_uint(&r, "wanted_ms", 0, INT64_MAX);
	vol->request_id = json_take_id(&r, "request_id");
	vol->refused_id = json_take_id(&r, "refused_id");
	json_take_text(&r, "refusal", vol->refusal, sizeof(vol->refusal));
	vol->attached_node = (u32)json_take_uint(&r, "attached_node", 0, UINT32_MAX);
	vol->failover_from = (u32)json_take_uint(&r, "failover_from", 0, UINT32_MAX);
	vol->named_unclean_mask = take_mask(&r, "named_unclean");
	vol->made_mask = take_mask(&r, "made");
	vol->retired_mask = take_mask(&r, "retired");
	vol->rebuilding_mask = take_mask(&r, "rebuilding");
	vol->added_mask = take_mask(&r, "added");
	vol->failed_node = (u32)json_take_uint(&r, "failed_node", 0, UINT32_MAX);
	vol->failed_ms = json_take_uint(&r, "failed_ms", 0, INT64_MAX);
	vol->failures = (u32)json_take_uint(&r, "failures", 0, UINT32_MAX);
	volume_backing(&r, vol);
	place = json_take_object(&r, "place");
	conf = json_take_object(&r, "conf");
	if (json_reader_end(&r) || place_from_json(place, &vol->place, why, why_size) ||
	    conf_from_json(conf, &vol->conf, why, why_size))
		return -EINVAL;
	memcpy(vol->uuid, vol->conf.volume, sizeof(vol->uuid));
	return 0;
}

/* Small and many: an array of seq, time, level, domain, code, text. */
static json_t *event_to_json(const struct fsm_event *event)
{
	return json_pack("[I, I, i, s, I, s]", (json_int_t)event->seq,
			 (json_int_t)event->time_ms, (int)event->level, event->domain,
			 (json_int_t)event->code, event->text);
}

static int event_from_json(const json_t *json, struct fsm_event *event)
{
	json_int_t seq, time_ms, code;
	const char *domain, *text;
	int level;

	if (json_unpack((json_t *)json, "[I, I, i, s, I, s!]", &seq, &time_ms, &level, &domain,
			&code, &text))
		return -EINVAL;
	if (seq < 1 || time_ms < 0 || level < FSM_INFO || level > FSM_ERROR || code < 0 ||
	    code > UINT32_MAX || strlen(domain) >= FSM_DOMAIN_BYTES ||
	    strlen(text) >= FSM_SENTENCE_BYTES)
		return -EINVAL;
	event->seq = (u64)seq;
	event->time_ms = (u64)time_ms;
	event->level = (enum fsm_level)level;
	event->code = (u32)code;
	snprintf(event->domain, sizeof(event->domain), "%s", domain);
	event->text = fsm_text(text);
	return 0;
}

static json_t *token_to_json(const struct fsm_token *token)
{
	json_t *json = json_object();

	json_put_bytes(&json, "hash", token->hash, sizeof(token->hash));
	json_put_uint(&json, "expires_ms", token->expires_ms);
	json_put_bool(&json, "used", token->used);
	return json;
}

static int token_from_json(const json_t *json, struct fsm_token *token, char *why, size_t why_size)
{
	struct json_reader r;

	json_reader_begin(&r, json, "token", why, why_size);
	json_take_bytes(&r, "hash", token->hash, sizeof(token->hash));
	token->expires_ms = json_take_uint(&r, "expires_ms", 0, INT64_MAX);
	token->used = json_take_bool(&r, "used");
	return json_reader_end(&r);
}

static json_t *outcomes_to_json(const struct fsm *fsm)
{
	json_t *array = json_array();
	unsigned int i;

	for (i = 0; i < FSM_REMEMBERED; i++) {
		const struct fsm_outcome *o =
			&fsm->outcomes[(fsm->outcome_next + i) % FSM_REMEMBERED];
		json_t *json;

		if (!o->id)
			continue;
		json = json_object();
		json_put_id(&json, "id", o->id);
		json_put_uint(&json, "code", o->code);
		json_put_text(&json, "sentence", o->sentence ? o->sentence : "");
		json_append(&array, json);
	}
	return array;
}

static int outcomes_from_json(const json_t *array, struct fsm *fsm, char *why, size_t why_size)
{
	char sentence[FSM_SENTENCE_BYTES];
	struct json_reader r;
	size_t i;

	for (i = 0; i < json_array_size(array); i++) {
		struct fsm_outcome *o = &fsm->outcomes[i];

		json_reader_begin(&r, json_array_get(array, i), "outcome", why, why_size);
		o->id = json_take_id(&r, "id");
		o->code = (enum fsm_code)json_take_uint(&r, "code", FSM_OK, FSM_ILLEGAL);
		json_take_text(&r, "sentence", sentence, sizeof(sentence));
		if (json_reader_end(&r))
			return -EINVAL;
		o->sentence = sentence[0] ? fsm_text(sentence) : NULL;
	}
	fsm->outcome_next = (unsigned int)(i % FSM_REMEMBERED);
	return 0;
}

json_t *state_to_json(const struct fsm *fsm)
{
	json_t *json = json_object();
	json_t *nodes = json_array(), *tokens = json_array();
	json_t *volumes = json_array(), *events = json_array();
	json_t *drives = json_array();
	unsigned int i;

	for (i = 0; i < fsm->nr_nodes; i++)
		json_append(&nodes, node_to_json(&fsm->nodes[i]));
	for (i = 0; i < fsm->nr_drives; i++)
		json_append(&drives, drive_to_json(&fsm->drives[i]));
	for (i = 0; i < fsm->nr_tokens; i++)
		json_append(&tokens, token_to_json(&fsm->tokens[i]));
	for (i = 0; i < fsm->nr_volumes; i++)
		json_append(&volumes, volume_to_json(&fsm->volumes[i]));
	for (i = 0; i < fsm->event_count; i++)
		json_append(&events, event_to_json(fsm_event_at(fsm, i)));
	json_put_uint(&json, "holdfast_state", STATE_VERSION);
	json_put_bool(&json, "initialized", fsm->initialized);
	json_put_bytes(&json, "cluster", fsm->cluster, sizeof(fsm->cluster));
	json_put_uint(&json, "version", fsm->version);
	json_put_uint(&json, "next_event_seq", fsm->next_event_seq);
	json_put_uint(&json, "rebuild_delay_ms", fsm->rebuild_delay_ms);
	json_put(&json, "nodes", nodes);
	json_put(&json, "drives", drives);
	json_put(&json, "tokens", tokens);
	json_put(&json, "volumes", volumes);
	json_put(&json, "events", events);
	json_put(&json, "outcomes", outcomes_to_json(fsm));
	return json;
}

static int load_members(struct json_reader *r, struct fsm *fsm)
{
	const json_t *nodes = json_take_array(r, "nodes", FSM_MAX_NODES);
	const json_t *tokens = json_take_array(r, "tokens", FSM_MAX_TOKENS);
	size_t i;

	if (r->failed)
		return -EINVAL;
	fsm->nodes = fsm_grow(NULL, json_array_size(nodes) + 1, sizeof(*fsm->nodes));
	for (i = 0; i < json_array_size(nodes); i++) {
		struct fsm_node *node = &fsm->nodes[i];

		memset(node, 0, sizeof(*node));
		if (node_from_json(json_array_get(nodes, i), node, r->why, r->why_size))
			return -EINVAL;
		node->join_order = ++fsm->nr_nodes;
	}
	for (i = 0; i < json_array_size(tokens); i++) {
		if (token_from_json(json_array_get(tokens, i), &fsm->tokens[i], r->why,
				    r->why_size))
			return -EINVAL;
		fsm->nr_tokens++;
	}
	return 0;
}

/* A slot's entry names a drive of its own node. */
static bool drives_fit(const struct fsm *fsm)
{
	unsigned int i, n;

	for (n = 0; n < fsm->nr_nodes; n++) {
		const struct fsm_node *node = &fsm->nodes[n];

		for (i = 0; i < node->nr_backing; i++) {
			const struct fsm_drive *drive;

			if (!node->backing[i].drive)
				continue;
			drive = fsm_drive_by_id(fsm, node->backing[i].drive);
			if (!drive || drive->node != node->id)
				return false;
		}
	}
	return true;
}

static int load_drives(struct json_reader *r, struct fsm *fsm)
{
	const json_t *drives;
	size_t i;

	drives = json_take_array(r, "drives", FSM_MAX_DRIVES);
	if (!drives)
		return -EINVAL;
	fsm->drives = fsm_grow(NULL, json_array_size(drives) + 1, sizeof(*fsm->drives));
	for (i = 0; i < json_array_size(drives); i++) {
		struct fsm_drive *drive = &fsm->drives[i];

		memset(drive, 0, sizeof(*drive));
		if (drive_from_json(json_array_get(drives, i), drive, r->why, r->why_size))
			return -EINVAL;
		fsm->nr_drives++;
		if (!fsm_node_by_id(fsm, drive->node) ||
		    fsm_drive_by_id(fsm, drive->id) != drive) {
			json_reader_fail(r, "drives", "has one of no node, or one twice");
			return -EINVAL;
		}
	}
	if (!drives_fit(fsm)) {
		json_reader_fail(r, "drives", "lacks one that a slot is on");
		return -EINVAL;
	}
	return 0;
}

static int load_volumes(struct json_reader *r, struct fsm *fsm)
{
	const json_t *volumes = json_take_array(r, "volumes", FSM_MAX_VOLUMES);
	int slot;
	size_t i;

	if (!volumes)
		return -EINVAL;
	fsm->volumes = fsm_grow(NULL, json_array_size(volumes) + 1, sizeof(*fsm->volumes));
	for (i = 0; i < json_array_size(volumes); i++) {
		struct fsm_volume *vol = &fsm->volumes[i];

		memset(vol, 0, sizeof(*vol));
		if (volume_from_json(json_array_get(volumes, i), vol, r->why, r->why_size))
			return -EINVAL;
		for (slot = 0; slot < HF_MAX_SLOTS; slot++) {
			bool placed = vol->place.node && vol->place.slot_nr == slot;

			if ((vol->conf.slots[slot].node || placed) &&
			    !fsm_slot_backing(fsm, vol, slot)) {
				json_reader_fail(r, "volumes", "names a pair that is not there");
				return -EINVAL;
			}
		}
		fsm->nr_volumes++;
	}
	return 0;
}

static int load_events(struct json_reader *r, struct fsm *fsm)
{
	const json_t *events = json_take_array(r, "events", FSM_MAX_EVENTS);
	u64 last = 0;
	size_t i;

	if (!events)
		return -EINVAL;
	fsm->events = fsm_grow(NULL, FSM_MAX_EVENTS, sizeof(*fsm->events));
	for (i = 0; i < json_array_size(events); i++) {
		struct fsm_event *event = &fsm->events[i];

		if (event_from_json(json_array_get(events, i), event)) {
			json_reader_fail(r, "events", "has what is no event");
			return -EINVAL;
		}
		fsm->event_count++;
		if ((last && event->seq != last + 1) || event->seq >= fsm->next_event_seq) {
			json_reader_fail(r, "events", "are out of order");
			return -EINVAL;
		}
		last = event->seq;
	}
	return 0;
}

struct fsm *state_from_json(const json_t *json, char *why, size_t why_size)
{
	struct fsm *fsm = fsm_new();
	const json_t *outcomes;
	struct json_reader r;

	json_reader_begin(&r, json, "state", why, why_size);
	json_take_uint(&r, "holdfast_state", STATE_VERSION, STATE_VERSION);
	fsm->initialized = json_take_bool(&r, "initialized");
	json_take_bytes(&r, "cluster", fsm->cluster, sizeof(fsm->cluster));
	fsm->version = json_take_uint(&r, "version", 0, INT64_MAX);
	fsm->next_event_seq = json_take_uint(&r, "next_event_seq", 1, INT64_MAX);
	fsm->rebuild_delay_ms = (u32)json_take_uint(&r, "rebuild_delay_ms", 0,
						    FSM_MAX_REBUILD_DELAY_MS);
	if (load_members(&r, fsm) || load_drives(&r, fsm) || load_volumes(&r, fsm) ||
	    load_events(&r, fsm))
		goto refuse;
	outcomes = json_take_array(&r, "outcomes", FSM_REMEMBERED);
	if (!outcomes || outcomes_from_json(outcomes, fsm, why, why_size))
		goto refuse;
	if (json_reader_end(&r))
		goto refuse;
	return fsm;

refuse:
	fsm_free(fsm);
	return NULL;
}

int state_encode(const struct fsm *fsm, char **text, size_t *size)
{
	json_t *json = state_to_json(fsm);

	*text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	if (!*text)
		return -ENOMEM;
	*size = strlen(*text);
	return 0;
}

struct fsm *state_decode(const char *text, size_t size, char *why, size_t why_size)
{
	json_error_t error;
	json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	struct fsm *fsm;

	if (!json) {
		if (why)
			snprintf(why, why_size, "state is not JSON: %s", error.text);
		return NULL;
	}
	fsm = state_from_json(json, why, why_size);
	json_decref(json);
	return fsm;
}
