// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reports to and from JSON: the body of a heartbeat.  It comes from another
 * node, so everything is checked for form and range before it is believed.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "conf_json.h"
#include "facts.h"
#include "json_util.h"

static json_t *slot_to_json(const struct kernel_slot *slot)
{
	json_t *json = json_object();

	json_put_uint(&json, "state", slot->state);
	json_put_uint(&json, "slot", slot->slot_nr);
	json_put_bool(&json, "unclean", slot->unclean);
	json_put_id(&json, "life", slot->life);
	json_put_id(&json, "incarnation", slot->incarnation);
	json_put_uint(&json, "promise_ms", slot->promise_ms);
	json_put_uint(&json, "log_used", slot->log_used);
	json_put_uint(&json, "log_entries", slot->log_entries);
	json_put_uint(&json, "backing_busy", slot->backing_busy);
	json_put(&json, "error", json_integer(slot->error));
	json_put(&json, "attach_error", json_integer(slot->attach_error));
	json_put_uint(&json, "own_dirty_bytes", slot->own_dirty_bytes);
	json_put_uint(&json, "allocated_bytes", slot->allocated_bytes);
	return json;
}

static int slot_from_json(const json_t *json, struct kernel_slot *slot, char *why, size_t why_size)
{
	struct json_reader r;

	json_reader_begin(&r, json, "slot", why, why_size);
	slot->state = (u8)json_take_uint(&r, "state", 0, HOLDFAST_SLOT_STOPPING);
	slot->slot_nr = (u8)json_take_uint(&r, "slot", 0, HF_MAX_SLOTS - 1);
	slot->unclean = json_take_bool(&r, "unclean");
	slot->life = json_take_id(&r, "life");
	slot->incarnation = json_take_id(&r, "incarnation");
	slot->promise_ms = (u32)json_take_uint(&r, "promise_ms", 0, UINT32_MAX);
	slot->log_used = (u32)json_take_uint(&r, "log_used", 0, UINT32_MAX);
	slot->log_entries = (u32)json_take_uint(&r, "log_entries", 0, UINT32_MAX);
	slot->backing_busy = (u32)json_take_uint(&r, "backing_busy", 0, UINT32_MAX);
	slot->error = json_take_int(&r, "error", INT32_MIN, INT32_MAX);
	slot->attach_error = json_take_int(&r, "attach_error", INT32_MIN, INT32_MAX);
	slot->own_dirty_bytes = json_take_uint(&r, "own_dirty_bytes", 0, INT64_MAX);
	slot->allocated_bytes = json_take_uint(&r, "allocated_bytes", 0, INT64_MAX);
	return json_reader_end(&r);
}

static json_t *disk_to_json(const struct kernel_disk *disk)
{
	json_t *json = json_object();

	json_put_uint(&json, "state", disk->state);
	json_put_id(&json, "instance", disk->instance);
	json_put_uint(&json, "openers", disk->openers);
	json_put_uint(&json, "in_flight", disk->in_flight);
	json_put_uint(&json, "held", disk->held);
	json_put_uint(&json, "holding_ms", disk->holding_ms);
	json_put_id(&json, "stable", disk->stable);
	json_put_id(&json, "seq", disk->seq);
	return json;
}

static int disk_from_json(const json_t *json, struct kernel_disk *disk, char *why, size_t why_size)
{
	struct json_reader r;

	json_reader_begin(&r, json, "disk", why, why_size);
	disk->state = (u8)json_take_uint(&r, "state", 0, HOLDFAST_DISK_DEAD);
	disk->instance = json_take_id(&r, "instance");
	disk->openers = (u32)json_take_uint(&r, "openers", 0, UINT32_MAX);
	disk->in_flight = (u32)json_take_uint(&r, "in_flight", 0, UINT32_MAX);
	disk->held = (u32)json_take_uint(&r, "held", 0, UINT32_MAX);
	disk->holding_ms = (u32)json_take_uint(&r, "holding_ms", 0, UINT32_MAX);
	disk->stable = json_take_id(&r, "stable");
	disk->seq = json_take_id(&r, "seq");
	return json_reader_end(&r);
}

static json_t *remote_to_json(const struct kernel_remote *remote)
{
	json_t *json = json_object();

	json_put_uint(&json, "slot", remote->slot_nr);
	json_put_uint(&json, "link_state", remote->link_state);
	json_put_uint(&json, "rebuild_state", remote->rebuild_state);
	json_put_uint(&json, "down_reason", remote->down_reason);
	json_put_bool(&json, "unclean", remote->unclean);
	json_put_uint(&json, "flags", remote->flags);
	json_put_uint(&json, "lease_ms", remote->lease_ms);
	json_put_uint(&json, "holding_ms", remote->holding_ms);
	json_put_id(&json, "link_id", remote->link_id);
	json_put_id(&json, "life", remote->life);
	json_put_uint(&json, "adopted_epoch", remote->adopted_epoch);
	json_put_uint(&json, "rebuild_total", remote->rebuild_total_bytes);
	json_put_uint(&json, "rebuild_done", remote->rebuild_done_bytes);
	json_put_uint(&json, "out_of_sync", remote->out_of_sync_bytes);
	return json;
}

static int remote_from_json(const json_t *json, struct kernel_remote *remote, char *why,
			    size_t why_size)
{
	struct json_reader r;

	json_reader_begin(&r, json, "remote slot", why, why_size);
	remote->slot_nr = (u8)json_take_uint(&r, "slot", 0, HF_MAX_SLOTS - 1);
	remote->link_state = (u8)json_take_uint(&r, "link_state", 0, HOLDFAST_LINK_DOWN);
	remote->rebuild_state = (u8)json_take_uint(&r, "rebuild_state", 0,
						   HOLDFAST_REBUILD_FAILED);
	remote->down_reason = (u8)json_take_uint(&r, "down_reason", 0, UINT8_MAX);
	remote->unclean = json_take_bool(&r, "unclean");
	remote->flags = (u32)json_take_uint(&r, "flags", 0, UINT32_MAX);
	remote->lease_ms = (u32)json_take_uint(&r, "lease_ms", 0, UINT32_MAX);
	remote->holding_ms = (u32)json_take_uint(&r, "holding_ms", 0, UINT32_MAX);
	remote->link_id = json_take_id(&r, "link_id");
	remote->life = json_take_id(&r, "life");
	remote->adopted_epoch = json_take_uint(&r, "adopted_epoch", 0, INT64_MAX);
	remote->rebuild_total_bytes = json_take_uint(&r, "rebuild_total", 0, INT64_MAX);
	remote->rebuild_done_bytes = json_take_uint(&r, "rebuild_done", 0, INT64_MAX);
	remote->out_of_sync_bytes = json_take_uint(&r, "out_of_sync", 0, INT64_MAX);
	return json_reader_end(&r);
}

static json_t *volume_to_json(const struct kernel_volume *vol)
{
	json_t *json = json_object();
	json_t *remotes = json_array(), *marks = json_array();
	unsigned int i;

	json_put(&json, "conf", conf_to_json(&vol->conf));
	json_put(&json, "slot", slot_to_json(&vol->slot));
	json_put(&json, "disk", disk_to_json(&vol->disk));
	for (i = 0; i < vol->nr_remotes && i < HF_MAX_SLOTS; i++)
		json_append(&remotes, remote_to_json(&vol->remotes[i]));
	json_put(&json, "remotes", remotes);
	for (i = 0; i < HF_MAX_SLOTS; i++)
		json_append(&marks, json_integer((json_int_t)vol->out_of_sync_bytes[i]));
	json_put(&json, "out_of_sync", marks);
	return json;
}

static int volume_from_json(const json_t *json, struct kernel_volume *vol, char *why,
			    size_t why_size)
{
	const json_t *conf, *slot, *disk, *remotes, *marks;
	struct json_reader r;
	size_t i;

	json_reader_begin(&r, json, "volume", why, why_size);
	conf = json_take_object(&r, "conf");
	slot = json_take_object(&r, "slot");
	disk = json_take_object(&r, "disk");
	remotes = json_take_array(&r, "remotes", HF_MAX_SLOTS);
	marks = json_take_array(&r, "out_of_sync", HF_MAX_SLOTS);
	if (json_reader_end(&r))
		return -EINVAL;
	if (conf_from_json(conf, &vol->conf, why, why_size) ||
	    slot_from_json(slot, &vol->slot, why, why_size) ||
	    disk_from_json(disk, &vol->disk, why, why_size))
		return -EINVAL;
	memcpy(vol->uuid, vol->conf.volume, sizeof(vol->uuid));
	for (i = 0; i < json_array_size(remotes); i++) {
		if (remote_from_json(json_array_get(remotes, i), &vol->remotes[i], why, why_size))
			return -EINVAL;
		vol->nr_remotes++;
	}
	for (i = 0; i < json_array_size(marks); i++) {
		json_int_t bytes = json_integer_value(json_array_get(marks, i));

		if (!json_is_integer(json_array_get(marks, i)) || bytes < 0) {
			json_reader_fail(&r, "out_of_sync", "has what is no size");
			return -EINVAL;
		}
		vol->out_of_sync_bytes[i] = (u64)bytes;
	}
	return 0;
}

json_t *kernel_view_to_json(const struct kernel_view *view)
{
	json_t *json = json_object();
	json_t *volumes = json_array();
	unsigned int i;

	json_put_bool(&json, "loaded", view->loaded);
	for (i = 0; i < view->nr_volumes; i++)
		json_append(&volumes, volume_to_json(&view->volumes[i]));
	json_put(&json, "volumes", volumes);
	return json;
}

int kernel_view_from_json(const json_t *json, struct kernel_view *view, char *why,
			  size_t why_size)
{
	const json_t *volumes;
	struct json_reader r;
	size_t i;

	memset(view, 0, sizeof(*view));
	json_reader_begin(&r, json, "view", why, why_size);
	view->loaded = json_take_bool(&r, "loaded");
	volumes = json_take_array(&r, "volumes", FSM_MAX_VOLUMES);
	if (json_reader_end(&r))
		return -EINVAL;
	for (i = 0; i < json_array_size(volumes); i++) {
		struct kernel_volume *vol = kernel_view_add(view);

		if (!vol) {
			kernel_view_clear(view);
			return -ENOMEM;
		}
		if (volume_from_json(json_array_get(volumes, i), vol, why, why_size)) {
			kernel_view_clear(view);
			return -EINVAL;
		}
	}
	return 0;
}

static json_t *storage_to_json(const struct storage_report *storage)
{
	json_t *json = json_object(), *drives = json_array(), *disks = json_array();
	unsigned int i;

	for (i = 0; i < storage->nr_drives && i < FSM_NODE_DRIVES; i++) {
		const struct drive_report *drive = &storage->drives[i];
		json_t *d = json_object();

		json_put_uint(&d, "drive", drive->drive);
		json_put_bool(&d, "present", drive->present);
		json_put_uint(&d, "data_pct", drive->data_pct);
		json_put_uint(&d, "meta_pct", drive->meta_pct);
		json_put_uint(&d, "data_bytes", drive->data_bytes);
		json_put_uint(&d, "used_bytes", drive->used_bytes);
		json_put_text(&d, "disk", drive->disk);
		json_append(&drives, d);
	}
	for (i = 0; i < storage->nr_disks && i < FACTS_MAX_DISKS; i++) {
		json_t *d = json_object();

		json_put_text(&d, "disk", storage->disks[i].disk);
		json_put_uint(&d, "size_bytes", storage->disks[i].size_bytes);
		json_put_bool(&d, "rotational", storage->disks[i].rotational);
		json_append(&disks, d);
	}
	json_put(&json, "drives", drives);
	json_put(&json, "disks", disks);
	return json;
}

static int drive_report_from_json(const json_t *json, struct drive_report *drive, char *why,
				  size_t why_size)
{
	struct json_reader r;

	json_reader_begin(&r, json, "drive", why, why_size);
	drive->drive = (u32)json_take_uint(&r, "drive", 1, UINT32_MAX);
	drive->present = json_take_bool(&r, "present");
	drive->data_pct = (u16)json_take_uint(&r, "data_pct", 0, 10000);
	drive->meta_pct = (u16)json_take_uint(&r, "meta_pct", 0, 10000);
	drive->data_bytes = json_take_uint(&r, "data_bytes", 0, INT64_MAX);
	drive->used_bytes = json_take_uint(&r, "used_bytes", 0, INT64_MAX);
	json_take_text(&r, "disk", drive->disk, sizeof(drive->disk));
	return json_reader_end(&r);
}

static int disk_report_from_json(const json_t *json, struct disk_report *disk, char *why,
				 size_t why_size)
{
	struct json_reader r;

	json_reader_begin(&r, json, "disk", why, why_size);
	json_take_text(&r, "disk", disk->disk, sizeof(disk->disk));
	disk->size_bytes = json_take_uint(&r, "size_bytes", 0, INT64_MAX);
	disk->rotational = json_take_bool(&r, "rotational");
	return json_reader_end(&r);
}

static int storage_from_json(const json_t *json, struct storage_report *storage, char *why,
			     size_t why_size)
{
	const json_t *drives, *disks;
	struct json_reader r;
	size_t i;

	json_reader_begin(&r, json, "storage", why, why_size);
	drives = json_take_array(&r, "drives", FSM_NODE_DRIVES);
	disks = json_take_array(&r, "disks", FACTS_MAX_DISKS);
	if (json_reader_end(&r))
		return -EINVAL;
	for (i = 0; i < json_array_size(drives); i++) {
		if (drive_report_from_json(json_array_get(drives, i), &storage->drives[i], why,
					   why_size))
			return -EINVAL;
		storage->nr_drives++;
	}
	for (i = 0; i < json_array_size(disks); i++) {
		if (disk_report_from_json(json_array_get(disks, i), &storage->disks[i], why,
					  why_size))
			return -EINVAL;
		storage->nr_disks++;
	}
	return 0;
}

json_t *node_report_to_json(const struct node_report *report)
{
	json_t *json = json_object();
	json_t *heard = json_array();
	unsigned int i;

	json_put_uint(&json, "node", report->node);
	json_put_id(&json, "boot_id", report->boot_id);
	json_put_text(&json, "agent_version", report->agent_version);
	json_put_uint(&json, "state_version", report->state_version);
	json_put_bool(&json, "leading", report->leading);
	for (i = 0; i < report->nr_heard && i < FSM_MAX_NODES; i++) {
		json_t *h = json_object();

		json_put_uint(&h, "node", report->heard[i].node);
		json_put_uint(&h, "age_ms", report->heard[i].age_ms);
		json_put_uint(&h, "refused_ms", report->heard[i].refused_ms);
		json_append(&heard, h);
	}
	json_put(&json, "heard", heard);
	json_put(&json, "view", kernel_view_to_json(&report->view));
	json_put(&json, "storage", storage_to_json(&report->storage));
	return json;
}

static int heard_from_json(const json_t *json, struct heard *heard, char *why, size_t why_size)
{
	struct json_reader r;

	json_reader_begin(&r, json, "heard", why, why_size);
	heard->node = (u32)json_take_uint(&r, "node", 1, UINT32_MAX);
	heard->age_ms = (u32)json_take_uint(&r, "age_ms", 0, UINT32_MAX);
	heard->refused_ms = (u32)json_take_uint(&r, "refused_ms", 0, UINT32_MAX);
	return json_reader_end(&r);
}

int node_report_from_json(const json_t *json, struct node_report *report, char *why,
			  size_t why_size)
{
	const json_t *heard, *view, *storage;
	struct json_reader r;
	size_t i;
	int ret = -EINVAL;

	memset(report, 0, sizeof(*report));
	json_reader_begin(&r, json, "report", why, why_size);
	report->node = (u32)json_take_uint(&r, "node", 1, UINT32_MAX);
	report->boot_id = json_take_id(&r, "boot_id");
	json_take_text(&r, "agent_version", report->agent_version,
		       sizeof(report->agent_version));
	report->state_version = json_take_uint(&r, "state_version", 0, INT64_MAX);
	report->leading = json_take_bool(&r, "leading");
	heard = json_take_array(&r, "heard", FSM_MAX_NODES);
	view = json_take_object(&r, "view");
	storage = json_take_object(&r, "storage");
	if (json_reader_end(&r))
		goto refuse;
	for (i = 0; i < json_array_size(heard); i++) {
		if (heard_from_json(json_array_get(heard, i), &report->heard[i], why, why_size))
			goto refuse;
		report->nr_heard++;
	}
	ret = storage_from_json(storage, &report->storage, why, why_size);
	if (!ret)
		ret = kernel_view_from_json(view, &report->view, why, why_size);
	if (!ret)
		return 0;
refuse:
	node_report_clear(report);
	return ret;
}
