// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * holdfast-setup show, get: what the module knows, for people and as JSON.
 * Identities (lives, instances, incarnations, link ids) are strings of the
 * form 0x0123456789abcdef, since JSON's numbers cannot hold them.
 */
#include "setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nl_event.h"

static const struct {
	u32		bit;
	const char	*name;
} remote_flags[] = {
	{ HOLDFAST_REMOTE_RECONCILED, "reconciled" },
	{ HOLDFAST_REMOTE_COUNTED, "counted" },
	{ HOLDFAST_REMOTE_ADMISSIBLE, "admissible" },
	{ HOLDFAST_REMOTE_LOST, "lost" },
	{ HOLDFAST_REMOTE_NEW_LIFE, "new-life" },
};

static json_t *id(u64 value)
{
	return json_sprintf("0x%016llx", (unsigned long long)value);
}

static json_t *conf_json(const struct hf_conf_data *conf)
{
	json_t *slots = json_array(), *in_sync = json_array();
	char hex[SETUP_CONF_HEX];
	int i;

	setup_conf_hex(conf, hex);
	for (i = 0; i < HF_MAX_SLOTS; i++) {
		if (conf->slots[i].node)
			json_array_append_new(slots,
				json_pack("{s:i, s:I, s:o, s:o}", "slot", i,
					  "node", (json_int_t)conf->slots[i].node,
					  "incarnation", id(conf->slots[i].incarnation),
					  "cited_life", id(conf->slots[i].cited_life)));
		if (conf->in_sync_mask & 1 << i)
			json_array_append_new(in_sync, json_integer(i));
	}
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:o, s:I, s:I, s:o, s:o, s:s}",
			 "size_bytes", (json_int_t)conf->size_bytes,
			 "vdisk", (json_int_t)conf->vdisk,
			 "term", (json_int_t)conf->term,
			 "epoch", (json_int_t)conf->epoch,
			 "primary_node", (json_int_t)conf->primary_node,
			 "primary_instance", id(conf->primary_instance),
			 "activated_term", (json_int_t)conf->activated_term,
			 "activated_instance", id(conf->activated_instance),
			 "policies", (json_int_t)conf->policies,
			 "held_timeout_ms", (json_int_t)conf->held_timeout_ms,
			 "in_sync", in_sync, "slots", slots, "bytes", hex);
}

static json_t *slot_json(const struct hf_nl_slot *slot)
{
	return json_pack("{s:s, s:i, s:o, s:o, s:b, s:I, s:I, s:I, s:I, s:i, s:I, s:s, s:s}",
			 "state", hf_nl_slot_name(slot->state), "slot", slot->nr,
			 "life", id(slot->life), "incarnation", id(slot->incarnation),
			 "unclean", slot->unclean,
			 "promise_ms", (json_int_t)slot->promise_ms,
			 "log_used", (json_int_t)slot->log_used,
			 "log_entries", (json_int_t)slot->log_entries,
			 "backing_busy", (json_int_t)slot->backing_busy,
			 "error", slot->error,
			 "own_dirty_bytes", (json_int_t)slot->own_dirty_bytes,
			 "data_path", slot->data_path, "meta_path", slot->meta_path);
}

static json_t *disk_json(const struct hf_nl_disk *disk)
{
	return json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I}",
			 "state", hf_nl_disk_name(disk->state),
			 "instance", id(disk->instance),
			 "openers", (json_int_t)disk->openers,
			 "in_flight", (json_int_t)disk->in_flight,
			 "held", (json_int_t)disk->held,
			 "holding_ms", (json_int_t)disk->holding_ms,
			 "stable", (json_int_t)disk->stable, "seq", (json_int_t)disk->seq);
}

static json_t *remote_json(const struct hf_nl_remote *remote)
{
	json_t *flags = json_array();
	size_t i;

	for (i = 0; i < sizeof(remote_flags) / sizeof(remote_flags[0]); i++)
		if (remote->flags & remote_flags[i].bit)
			json_array_append_new(flags, json_string(remote_flags[i].name));
	return json_pack("{s:s, s:s, s:o, s:o, s:b, s:o, s:s, s:I, s:I, s:I, s:I, s:I, s:I}",
			 "link", hf_nl_link_name(remote->link_state),
			 "down_reason", hf_nl_down_name(remote->down_reason),
			 "link_id", id(remote->link_id), "life", id(remote->life),
			 "unclean", remote->unclean, "flags", flags,
			 "rebuild", hf_nl_rebuild_name(remote->rebuild_state),
			 "rebuild_total_bytes", (json_int_t)remote->rebuild_total_bytes,
			 "rebuild_done_bytes", (json_int_t)remote->rebuild_done_bytes,
			 "out_of_sync_bytes", (json_int_t)remote->out_of_sync_bytes,
			 "lease_ms", (json_int_t)remote->lease_ms,
			 "holding_ms", (json_int_t)remote->holding_ms,
			 "adopted_epoch", (json_int_t)remote->adopted_epoch);
}

json_t *setup_volume_json(const struct hf_nl_volume *volume)
{
	json_t *remotes = json_object(), *marks = json_object();
	char name[SETUP_NAME_MAX], key[4];
	int i;

	setup_volume_name(volume->uuid, name);
	for (i = 0; i < HF_MAX_SLOTS; i++) {
		snprintf(key, sizeof(key), "%d", i);
		if (volume->remotes[i].present)
			json_object_set_new(remotes, key, remote_json(&volume->remotes[i]));
		if (volume->out_of_sync[i])
			json_object_set_new(marks, key,
					    json_integer((json_int_t)volume->out_of_sync[i]));
	}
	return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o}", "volume", name,
			 "time_scale_pct", (json_int_t)volume->time_scale_pct,
			 "conf", volume->has_conf ? conf_json(&volume->conf) : json_null(),
			 "slot", slot_json(&volume->slot), "disk", disk_json(&volume->disk),
			 "remote", remotes, "out_of_sync", marks);
}

static void print_scalar(const json_t *value)
{
	char *text;

	if (json_is_string(value)) {
		fputs(json_string_value(value), stdout);
		return;
	}
	text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	fputs(text ? text : "?", stdout);
	free(text);
}

/* One line an object, "key=value" each: as easy to read as to grep. */
static void print_line(const char *head, const json_t *object)
{
	const char *key;
	json_t *value;

	fputs(head, stdout);
	json_object_foreach((json_t *)object, key, value) {
		if ((json_is_string(value) && !json_string_length(value)) ||
		    !strcmp(key, "bytes"))
			continue;
		printf(" %s=", key);
		print_scalar(value);
	}
	putchar('\n');
}

static void print_volume(const struct hf_nl_volume *volume)
{
	json_t *json = setup_volume_json(volume), *value;
	char head[32];
	const char *key;

	if (!json)
		return;
	printf("%s\n", json_string_value(json_object_get(json, "volume")));
	print_line("  conf", json_object_get(json, "conf"));
	print_line("  slot", json_object_get(json, "slot"));
	print_line("  disk", json_object_get(json, "disk"));
	json_object_foreach(json_object_get(json, "remote"), key, value) {
		snprintf(head, sizeof(head), "  remote %s", key);
		print_line(head, value);
	}
	if (json_object_size(json_object_get(json, "out_of_sync")))
		print_line("  out_of_sync", json_object_get(json, "out_of_sync"));
	json_decref(json);
}

int setup_cmd_show(struct setup *setup)
{
	const struct hf_nl_volume *volume;
	struct hf_nl_volumes volumes;
	json_t *list = json_array();
	size_t i;
	int ret = setup_find(setup, &volumes, &volume);

	if (ret)
		return ret;
	if (setup->uuid && !volume)
		ret = setup_fail("the module does not know this volume");
	for (i = 0; !ret && i < volumes.nr; i++) {
		if (setup->uuid && &volumes.volumes[i] != volume)
			continue;
		if (setup->json)
			json_array_append_new(list, setup_volume_json(&volumes.volumes[i]));
		else
			print_volume(&volumes.volumes[i]);
	}
	if (!ret && setup->json) {
		json_dumpf(setup->uuid ? json_array_get(list, 0) : list, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(list);
	hf_nl_volumes_free(&volumes);
	return ret;
}

/* "remote.1.link", "conf.in_sync": a walk by keys. */
static const json_t *walk(const json_t *value, const char *path)
{
	char copy[128], *word, *save = NULL;

	if (strlen(path) >= sizeof(copy))
		return NULL;
	strcpy(copy, path);
	for (word = strtok_r(copy, ".", &save); word; word = strtok_r(NULL, ".", &save)) {
		if (json_is_array(value))
			value = json_array_get(value, strtoul(word, NULL, 10));
		else
			value = json_object_get(value, word);
	}
	return value;
}

int setup_cmd_get(struct setup *setup)
{
	const struct hf_nl_volume *volume;
	struct hf_nl_volumes volumes;
	const json_t *value;
	json_t *json;
	int ret = setup_find(setup, &volumes, &volume);

	if (ret)
		return ret;
	json = volume ? setup_volume_json(volume) : NULL;
	value = walk(json, setup->argv[0]);
	if (!volume) {
		ret = setup_fail("the module does not know this volume");
	} else if (!value) {
		ret = setup_fail("there is no value %s", setup->argv[0]);
	} else {
		print_scalar(value);
		putchar('\n');
	}
	json_decref(json);
	hf_nl_volumes_free(&volumes);
	return ret;
}
