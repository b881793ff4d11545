// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Drives: disks of nodes on which the cluster makes its copies as logical
 * volumes.  A drive is added, made or refused by its node, takes slots while it
 * has room, and is wiped by its node at the end.  What is on the disk is
 * storage.h's work; which node gets a copy is decided with fsm_drive_best().
 *
 * Room is counted by what was promised, in whole extents, never by what a thin
 * pool happens to use: that is only watched, and told by events.
 */
#include <stdio.h>
#include <string.h>

#include "../kernel/meta_core.h"
#include "fsm_internal.h"

enum { OVERCOMMIT_MAX_PCT = 1000 };

static u64 whole_extents(u64 bytes)
{
	return (bytes + FSM_EXTENT_BYTES - 1) / FSM_EXTENT_BYTES * FSM_EXTENT_BYTES;
}

u64 fsm_slot_meta_bytes(u64 size_bytes)
{
	struct hf_meta_layout layout;
	const char *why;

	if (hf_meta_layout_init(&layout, size_bytes, 0, 0, 0, &why))
		return 0;
	return whole_extents(hf_meta_min_bytes(&layout));
}

/* ---------------------------------------------------------------- lookups */

static struct fsm_drive *drive_get(struct fsm *fsm, u32 id)
{
	unsigned int i;

	for (i = 0; id && i < fsm->nr_drives; i++) {
		if (fsm->drives[i].id == id)
			return &fsm->drives[i];
	}
	return NULL;
}

const struct fsm_drive *fsm_drive_by_id(const struct fsm *fsm, u32 id)
{
	return drive_get((struct fsm *)fsm, id);
}

const char *fsm_drive_text(const struct fsm_drive *drive, char *text, size_t size)
{
	snprintf(text, size, "%08x%04u%s", drive->node, drive->index, drive->disk);
	return text;
}

const struct fsm_drive *fsm_drive_find(const struct fsm *fsm, const char *text)
{
	char shown[FSM_DRIVE_TEXT_BYTES], id[16];
	unsigned int i;

	for (i = 0; i < fsm->nr_drives; i++) {
		const struct fsm_drive *drive = &fsm->drives[i];

		snprintf(id, sizeof(id), "%08x", drive->id);
		if (!strcmp(text, id) ||
		    !strcmp(text, fsm_drive_text(drive, shown, sizeof(shown))))
			return drive;
	}
	return NULL;
}

/* -------------------------------------------------------------------- room */

/* What the slots on a drive take of it. */
struct taken {
	unsigned int	slots;
	u64		data_bytes;
	u64		meta_bytes;
};

static struct taken taken_of(const struct fsm *fsm, const struct fsm_drive *drive)
{
	const struct fsm_node *node = fsm_node_by_id(fsm, drive->node);
	struct taken taken = { 0 };
	unsigned int i;

	for (i = 0; node && i < node->nr_backing; i++) {
		const struct fsm_backing *slot = &node->backing[i];

		if (slot->drive != drive->id)
			continue;
		taken.slots++;
		taken.data_bytes += whole_extents(slot->size_bytes);
		taken.meta_bytes += fsm_slot_meta_bytes(slot->size_bytes);
	}
	return taken;
}

unsigned int fsm_drive_slots(const struct fsm *fsm, const struct fsm_drive *drive)
{
	return taken_of(fsm, drive).slots;
}

u64 fsm_drive_promised_bytes(const struct fsm *fsm, const struct fsm_drive *drive)
{
	return taken_of(fsm, drive).data_bytes;
}

static u64 less(u64 bytes, u64 taken)
{
	return bytes > taken ? bytes - taken : 0;
}

/* What is left for data and for metadata; of a thick drive it is the same room. */
static void left_of(const struct fsm *fsm, const struct fsm_drive *drive, u64 *data, u64 *meta)
{
	struct taken taken = taken_of(fsm, drive);

	if (drive->thick) {
		*data = less(drive->data_bytes, taken.data_bytes + taken.meta_bytes);
		*meta = *data;
		return;
	}
	*data = less(drive->data_bytes / 100 * drive->overcommit_pct, taken.data_bytes);
	*meta = less(drive->meta_bytes, taken.meta_bytes);
}

static bool takes_slots(const struct fsm_drive *drive)
{
	return drive->state == FSM_DRIVE_READY && !drive->faulty && drive->usage_level < 100;
}

static bool fits(const struct fsm *fsm, const struct fsm_drive *drive, u64 size)
{
	u64 data, meta, need_data = whole_extents(size), need_meta = fsm_slot_meta_bytes(size);

	left_of(fsm, drive, &data, &meta);
	if (!takes_slots(drive) || !need_meta)
		return false;
	if (drive->thick)
		return need_data + need_meta <= data;
	return need_data <= data && need_meta <= meta;
}

u64 fsm_drive_free_bytes(const struct fsm *fsm, const struct fsm_drive *drive)
{
	u64 low = 0, high, middle, meta;

	left_of(fsm, drive, &high, &meta);
	high /= FSM_EXTENT_BYTES;
	while (low < high) {
		middle = low + (high - low + 1) / 2;
		if (fits(fsm, drive, middle * FSM_EXTENT_BYTES))
			low = middle;
		else
			high = middle - 1;
	}
	return low * FSM_EXTENT_BYTES;
}

const struct fsm_drive *fsm_drive_best(const struct fsm *fsm, const struct fsm_node *node,
				       u64 size)
{
	const struct fsm_drive *best = NULL;
	u64 best_bytes = 0, bytes;
	unsigned int i;

	for (i = 0; i < fsm->nr_drives; i++) {
		const struct fsm_drive *drive = &fsm->drives[i];

		if (drive->node != node->id || !fits(fsm, drive, size))
			continue;
		bytes = fsm_drive_free_bytes(fsm, drive);
		if (!best || bytes > best_bytes) {
			best = drive;
			best_bytes = bytes;
		}
	}
	return best;
}

/* ------------------------------------------------------------------- slots */

int fsm_drive_reserve(struct fsm_node *node, const struct fsm_drive *drive, u64 size,
		      const u8 *volume, u8 slot_nr, u64 incarnation)
{
	struct fsm_backing *slot;
	unsigned int i;
	char path[64];

	for (i = 0; i < node->nr_backing; i++) {
		if (!node->backing[i].data_path[0])
			break;
	}
	if (i == FSM_MAX_BACKING)
		return -1;
	if (i == node->nr_backing)
		node->nr_backing++;
	slot = &node->backing[i];
	memset(slot, 0, sizeof(*slot));
	snprintf(path, sizeof(path), "/dev/holdfast-%08x/%02x%02x%02x%02x-%u-%08x", drive->id,
		 volume[0], volume[1], volume[2], volume[3], slot_nr, (u32)incarnation);
	snprintf(slot->data_path, sizeof(slot->data_path), "%s", path);
	snprintf(slot->meta_path, sizeof(slot->meta_path), "%s-meta", path);
	slot->drive = drive->id;
	slot->size_bytes = size;
	slot->rotational = drive->rotational;
	slot->used = true;
	memcpy(slot->volume, volume, sizeof(slot->volume));
	return (int)i;
}

void fsm_drive_free(struct fsm_node *node, unsigned int index)
{
	memset(&node->backing[index], 0, sizeof(node->backing[index]));
	while (node->nr_backing && !node->backing[node->nr_backing - 1].data_path[0])
		node->nr_backing--;
}

/* ---------------------------------------------------------------- commands */

static u32 free_index(const struct fsm *fsm, u32 node, unsigned int *count)
{
	unsigned int i;
	u32 index;

	*count = 0;
	for (i = 0; i < fsm->nr_drives; i++)
		*count += fsm->drives[i].node == node;
	for (index = 0; ; index++) {
		for (i = 0; i < fsm->nr_drives; i++) {
			if (fsm->drives[i].node == node && fsm->drives[i].index == index)
				break;
		}
		if (i == fsm->nr_drives)
			return index;
	}
}

static enum fsm_code check_add(const struct fsm *fsm, const struct cmd_drive_add *add,
			       struct fsm_result *res)
{
	const struct fsm_node *node = fsm_node_by_id(fsm, add->node);
	unsigned int i;

	if (!node)
		return fsm_refuse(res, FSM_UNKNOWN, "there is no node %08x: see 'holdfast node ls'",
				  add->node);
	if (strncmp(add->device, "/dev/", 5) || !add->device[5])
		return fsm_refuse(res, FSM_INVALID,
				  "'%s' is no device: name one under /dev", add->device);
	if (add->overcommit_pct < 100 || add->overcommit_pct > OVERCOMMIT_MAX_PCT)
		return fsm_refuse(res, FSM_INVALID,
				  "an overcommitment of %u %% is not possible: choose 100 to %u",
				  add->overcommit_pct, OVERCOMMIT_MAX_PCT);
	if (add->thick && add->overcommit_pct != 100)
		return fsm_refuse(res, FSM_INVALID,
				  "a thick drive cannot be overcommitted: leave out one of the two");
	if (!add->drive || fsm_drive_by_id(fsm, add->drive))
		return fsm_refuse(res, FSM_EXISTS, "the drive's id is taken: try again");
	for (i = 0; i < fsm->nr_drives; i++) {
		const struct fsm_drive *other = &fsm->drives[i];

		if (other->node == add->node && !strcmp(other->device, add->device) &&
		    other->state == FSM_DRIVE_ADDING)
			return fsm_refuse(res, FSM_EXISTS, "%s on node %s is being added already",
					  add->device, node->name);
	}
	return FSM_OK;
}

enum fsm_code fsm_do_drive_add(struct fsm *fsm, const struct command *cmd, struct fsm_result *res)
{
	const struct cmd_drive_add *add = &cmd->drive_add;
	enum fsm_code code = check_add(fsm, add, res);
	struct fsm_drive *drive;
	unsigned int count;
	const char *disk;
	u32 index;

	if (code)
		return code;
	index = free_index(fsm, add->node, &count);
	if (count >= FSM_NODE_DRIVES || fsm->nr_drives >= FSM_MAX_DRIVES)
		return fsm_refuse(res, FSM_REFUSED, "node %08x has %u drives, as many as can be",
				  add->node, count);
	fsm->drives = fsm_grow(fsm->drives, fsm->nr_drives + 1, sizeof(*fsm->drives));
	drive = &fsm->drives[fsm->nr_drives++];
	memset(drive, 0, sizeof(*drive));
	drive->id = add->drive;
	drive->node = add->node;
	drive->index = index;
	drive->thick = add->thick;
	drive->overcommit_pct = add->overcommit_pct;
	drive->added_ms = cmd->time_ms;
	drive->add_id = cmd->id;
	memcpy(drive->device, add->device, sizeof(drive->device));
	disk = strrchr(drive->device, '/') + 1;
	snprintf(drive->disk, sizeof(drive->disk), "%.*s", FSM_DISK_BYTES - 1, disk);
	return FSM_OK;
}

static struct fsm_drive *known_drive(struct fsm *fsm, u32 id, struct fsm_result *res)
{
	struct fsm_drive *drive = drive_get(fsm, id);

	if (!drive)
		res->code = fsm_refuse(res, FSM_UNKNOWN,
				       "there is no drive %08x: see 'holdfast drive ls'", id);
	return drive;
}

enum fsm_code fsm_do_drive_made(struct fsm *fsm, const struct command *cmd, struct fsm_result *res)
{
	const struct cmd_drive_made *made = &cmd->drive_made;
	struct fsm_drive *drive = known_drive(fsm, made->drive, res);
	char text[FSM_DRIVE_TEXT_BYTES], size[32];

	if (!drive)
		return res->code;
	if (drive->state == FSM_DRIVE_READY)
		return FSM_OK;
	if (drive->state != FSM_DRIVE_ADDING)
		return fsm_refuse(res, FSM_STALE, "drive %08x is not being added", drive->id);
	if (!made->data_bytes || !made->disk[0] || (!drive->thick && !made->meta_bytes))
		return fsm_refuse(res, FSM_INVALID, "drive %08x has no size or no name", drive->id);
	drive->state = FSM_DRIVE_READY;
	drive->data_bytes = made->data_bytes;
	drive->meta_bytes = drive->thick ? 0 : made->meta_bytes;
	drive->rotational = made->rotational;
	memcpy(drive->disk, made->disk, sizeof(drive->disk));
	fsm_log(fsm, cmd, FSM_INFO, "DFS", 1013, "drive %s (%s, %s) added on node %08x",
		fsm_drive_text(drive, text, sizeof(text)), drive->rotational ? "HDD" : "SSD",
		fsm_size_text(drive->data_bytes, size, sizeof(size)), drive->node);
	return FSM_OK;
}

enum fsm_code fsm_do_drive_failed(struct fsm *fsm, const struct command *cmd,
				  struct fsm_result *res)
{
	struct fsm_drive *drive = known_drive(fsm, cmd->drive.drive, res);

	if (!drive)
		return res->code;
	if (drive->state != FSM_DRIVE_ADDING)
		return fsm_refuse(res, FSM_STALE, "drive %08x is not being added", drive->id);
	drive->state = FSM_DRIVE_REMOVING;
	drive->refused_id = drive->add_id;
	snprintf(drive->refusal, sizeof(drive->refusal), "%s", cmd->drive.reason);
	return FSM_OK;
}

enum fsm_code fsm_do_drive_remove(struct fsm *fsm, const struct command *cmd,
				  struct fsm_result *res)
{
	struct fsm_drive *drive = known_drive(fsm, cmd->drive.drive, res);
	char text[FSM_DRIVE_TEXT_BYTES];
	unsigned int slots;

	if (!drive)
		return res->code;
	if (drive->state == FSM_DRIVE_REMOVING)
		return FSM_OK;
	slots = fsm_drive_slots(fsm, drive);
	fsm_drive_text(drive, text, sizeof(text));
	if (slots)
		return fsm_refuse(res, FSM_REFUSED,
				  "drive %s holds %u %s of volumes: delete those volumes first", text,
				  slots, slots == 1 ? "copy" : "copies");
	if (drive->state != FSM_DRIVE_READY)
		return fsm_refuse(res, FSM_REFUSED, "drive %s is still being added", text);
	drive->state = FSM_DRIVE_REMOVING;
	return FSM_OK;
}

enum fsm_code fsm_do_drive_gone(struct fsm *fsm, const struct command *cmd, struct fsm_result *res)
{
	struct fsm_drive *drive = known_drive(fsm, cmd->drive.drive, res);
	char text[FSM_DRIVE_TEXT_BYTES];
	size_t index;

	if (!drive)
		return res->code;
	if (drive->state != FSM_DRIVE_REMOVING)
		return fsm_refuse(res, FSM_ILLEGAL, "drive %08x is not being removed", drive->id);
	if (!drive->refused_id)
		fsm_log(fsm, cmd, FSM_INFO, "DFS", 1014, "drive %s removed from node %08x",
			fsm_drive_text(drive, text, sizeof(text)), drive->node);
	index = (size_t)(drive - fsm->drives);
	memmove(drive, drive + 1, (fsm->nr_drives - index - 1) * sizeof(*drive));
	fsm->nr_drives--;
	return FSM_OK;
}

static void note_usage(struct fsm *fsm, const struct command *cmd, struct fsm_drive *drive,
		       u8 level)
{
	char text[FSM_DRIVE_TEXT_BYTES];

	fsm_drive_text(drive, text, sizeof(text));
	if (level == 100 && drive->usage_level < 100)
		fsm_log(fsm, cmd, FSM_ERROR, "DFS", 2016,
			"drive %s is full: writes to copies on it fail", text);
	else if (level > drive->usage_level)
		fsm_log(fsm, cmd, FSM_WARNING, "DFS", 2015, "drive %s is %u%% full", text, level);
	else if (drive->usage_level == 100 && level < 100)
		fsm_log(fsm, cmd, FSM_INFO, "DFS", 1016, "drive %s has room again", text);
	drive->usage_level = level;
}

enum fsm_code fsm_do_drive_note(struct fsm *fsm, const struct command *cmd, struct fsm_result *res)
{
	const struct cmd_drive_note *note = &cmd->drive_note;
	struct fsm_drive *drive = known_drive(fsm, note->drive, res);
	char text[FSM_DRIVE_TEXT_BYTES];

	if (!drive)
		return res->code;
	if (drive->state != FSM_DRIVE_READY)
		return fsm_refuse(res, FSM_STALE, "drive %08x is not ready", drive->id);
	if (note->usage_level && note->usage_level != 70 && note->usage_level != 80 &&
	    note->usage_level != 90 && note->usage_level != 100)
		return fsm_refuse(res, FSM_INVALID, "%u is no level of usage", note->usage_level);
	fsm_drive_text(drive, text, sizeof(text));
	if (note->faulty && !drive->faulty)
		fsm_log(fsm, cmd, FSM_ERROR, "DFS", 2014, "drive %s on node %08x is faulty", text,
			drive->node);
	else if (!note->faulty && drive->faulty)
		fsm_log(fsm, cmd, FSM_INFO, "DFS", 1015, "drive %s on node %08x is normal again",
			text, drive->node);
	drive->faulty = note->faulty;
	note_usage(fsm, cmd, drive, note->usage_level);
	if (note->nr_orphans > drive->nr_orphans)
		fsm_log(fsm, cmd, FSM_WARNING, "DFS", 2017,
			"drive %s holds %u logical %s of no volume, %.64s for one", text,
			note->nr_orphans, note->nr_orphans == 1 ? "volume" : "volumes",
			note->orphan);
	drive->nr_orphans = note->nr_orphans;
	return FSM_OK;
}
