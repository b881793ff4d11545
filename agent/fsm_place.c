// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where slots lie: each backing of a node, a pair of devices or two logical
 * volumes on a drive, is free, belongs to one slot, or waits until its node has
 * confirmed that nothing of a former slot is left in it (retiring).  Here it
 * changes hands, and nowhere else; and here a slot is placed that shall be added
 * to a volume in service.  When one is wanted is decided by the leader's planner
 * (plan_replace.c).
 */
#include <stdio.h>
#include <string.h>

#include "fsm_internal.h"

/* The smallest free pair of @node that holds @size; -1: none. */
static int best_pair(const struct fsm_node *node, u64 size)
{
	int best = -1;
	unsigned int i;

	for (i = 0; i < node->nr_backing; i++) {
		const struct fsm_backing *pair = &node->backing[i];

		/* an entry without a path waits for a slot on a drive */
		if (pair->used || !pair->data_path[0] || pair->size_bytes < size)
			continue;
		if (best < 0 || pair->size_bytes < node->backing[best].size_bytes)
			best = (int)i;
	}
	return best;
}

u64 fsm_node_free_bytes(const struct fsm *fsm, const struct fsm_node *node)
{
	u64 bytes = 0;
	unsigned int i;

	for (i = 0; i < node->nr_backing; i++) {
		if (!node->backing[i].used)
			bytes += node->backing[i].size_bytes;
	}
	for (i = 0; i < fsm->nr_drives; i++) {
		if (fsm->drives[i].node == node->id)
			bytes += fsm_drive_free_bytes(fsm, &fsm->drives[i]);
	}
	return bytes;
}

static bool has_pair_of(const struct fsm_node *node, const u8 *volume)
{
	unsigned int i;

	for (i = 0; i < node->nr_backing; i++) {
		if (node->backing[i].used &&
		    !memcmp(node->backing[i].volume, volume, FSM_UUID_BYTES))
			return true;
	}
	return false;
}

bool fsm_node_can_hold(const struct fsm *fsm, const struct fsm_node *node,
		       const struct fsm_volume *vol, u64 size)
{
	if (node->status != FSM_NODE_NORMAL ||
	    (!fsm_drive_best(fsm, node, size) && best_pair(node, size) < 0))
		return false;
	/* R11: whoever serves it without a copy could not be rebuilt meanwhile. */
	return !vol || (hf_conf_slot_of(&vol->conf, node->id) < 0 &&
			vol->wanted_node != node->id && vol->conf.primary_node != node->id &&
			!has_pair_of(node, vol->uuid));
}

/* The node of slot @slot_nr, of the one that is being placed too; 0: none. */
static u32 slot_node(const struct fsm_volume *vol, int slot_nr)
{
	if (slot_nr < 0 || slot_nr >= HF_MAX_SLOTS)
		return 0;
	if (vol->place.node && vol->place.slot_nr == slot_nr)
		return vol->place.node;
	return vol->conf.slots[slot_nr].node;
}

const struct fsm_backing *fsm_slot_backing(const struct fsm *fsm, const struct fsm_volume *vol,
					   int slot_nr)
{
	u32 id = slot_node(vol, slot_nr);
	const struct fsm_node *node = id ? fsm_node_by_id(fsm, id) : NULL;

	if (!node || vol->backing[slot_nr] >= node->nr_backing)
		return NULL;
	return &node->backing[vol->backing[slot_nr]];
}

bool fsm_pair_reserve(struct fsm *fsm, struct fsm_volume *vol, u8 slot_nr, u32 id, u64 incarnation)
{
	struct fsm_node *node = fsm_node_get(fsm, id);
	u64 size = vol->conf.size_bytes;
	const struct fsm_drive *drive;
	struct fsm_backing *pair;
	int index = -1;

	if (!node)
		return false;
	drive = fsm_drive_best(fsm, node, size);
	if (drive)
		index = fsm_drive_reserve(node, drive, size, vol->uuid, slot_nr, incarnation);
	if (index < 0)
		index = best_pair(node, size);
	if (index < 0)
		return false;
	pair = &node->backing[index];
	pair->used = true;
	pair->retiring = false;
	pair->slot_nr = slot_nr;
	pair->incarnation = incarnation;
	memcpy(pair->volume, vol->uuid, sizeof(pair->volume));
	vol->backing[slot_nr] = (u8)index;
	return true;
}

void fsm_pair_free(struct fsm *fsm, u32 id, struct fsm_backing *pair)
{
	struct fsm_node *node = fsm_node_get(fsm, id);

	if (pair->drive && node) {
		fsm_drive_free(node, (unsigned int)(pair - node->backing));
		return;
	}
	pair->used = false;
	pair->retiring = false;
	pair->slot_nr = 0;
	pair->incarnation = 0;
	memset(pair->volume, 0, sizeof(pair->volume));
}

/* The slot is given up: what is in its pair is retired. */
void fsm_pair_retire(struct fsm *fsm, struct fsm_volume *vol, u8 slot_nr)
{
	struct fsm_backing *pair =
		(struct fsm_backing *)fsm_slot_backing(fsm, vol, slot_nr);

	if (pair)
		pair->retiring = true;
	vol->backing[slot_nr] = 0;
}

struct fsm_backing *fsm_pair_retiring(struct fsm *fsm, u32 id, const u8 *volume, u64 incarnation)
{
	struct fsm_node *node = fsm_node_get(fsm, id);
	unsigned int i;

	for (i = 0; node && i < node->nr_backing; i++) {
		struct fsm_backing *pair = &node->backing[i];

		if (pair->retiring && pair->incarnation == incarnation &&
		    !memcmp(pair->volume, volume, FSM_UUID_BYTES))
			return pair;
	}
	return NULL;
}

/* ------------------------------------------------------------------ placing */

void fsm_place_end(struct fsm *fsm, struct fsm_volume *vol)
{
	u8 slot_nr = vol->place.slot_nr;

	if (!vol->place.node)
		return;
	fsm_pair_retire(fsm, vol, slot_nr);
	memset(&vol->place, 0, sizeof(vol->place));
}

static struct fsm_volume *place_volume(struct fsm *fsm, const struct cmd_slot_place *p,
				       struct fsm_result *res)
{
	struct fsm_volume *vol = fsm_volume_get(fsm, p->volume);

	if (vol && vol->state == FSM_VOLUME_READY)
		return vol;
	res->code = fsm_refuse(res, FSM_UNKNOWN, "there is no such volume in service");
	return NULL;
}

static enum fsm_code check_place(const struct fsm *fsm, const struct fsm_volume *vol,
				 const struct cmd_slot_place *p, struct fsm_result *res)
{
	const struct fsm_node *node = fsm_node_by_id(fsm, p->node);
	int i;

	if (!node)
		return fsm_refuse(res, FSM_UNKNOWN, "there is no node %08x", p->node);
	if (vol->place.node)
		return fsm_refuse(res, FSM_STALE, "a slot of volume %s is being placed already",
				  vol->name);
	if (!p->incarnation || p->slot_nr >= HF_MAX_SLOTS || vol->conf.slots[p->slot_nr].node)
		return fsm_refuse(res, FSM_STALE, "slot %u of volume %s is not free",
				  p->slot_nr, vol->name);
	if (p->lost_nr < HF_MAX_SLOTS && !(hf_conf_missing_mask(&vol->conf) & 1 << p->lost_nr))
		return fsm_refuse(res, FSM_STALE, "slot %u of volume %s is not lost", p->lost_nr,
				  vol->name);
	for (i = 0; i < HF_MAX_SLOTS; i++) {
		if (vol->conf.slots[i].incarnation == p->incarnation)
			return fsm_refuse(res, FSM_ILLEGAL,
					  "the incarnation of slot %d is used again (R3b)", i);
	}
	if (!fsm_node_can_hold(fsm, node, vol, vol->conf.size_bytes))
		return fsm_refuse(res, FSM_REFUSED,
				  "node %s cannot hold another copy of volume %s", node->name,
				  vol->name);
	return FSM_OK;
}

enum fsm_code fsm_do_place(struct fsm *fsm, const struct command *cmd, struct fsm_result *res)
{
	const struct cmd_slot_place *p = &cmd->slot_place;
	struct fsm_volume *vol = place_volume(fsm, p, res);
	enum fsm_code code;

	if (!vol)
		return res->code;
	code = check_place(fsm, vol, p, res);
	if (code)
		return code;
	if (!fsm_pair_reserve(fsm, vol, p->slot_nr, p->node, p->incarnation))
		return fsm_refuse(res, FSM_REFUSED, "node %08x has no free pair", p->node);
	vol->place.node = p->node;
	vol->place.slot_nr = p->slot_nr;
	vol->place.lost_nr = p->lost_nr;
	vol->place.incarnation = p->incarnation;
	vol->place.made = false;
	return FSM_OK;
}

enum fsm_code fsm_do_unplace(struct fsm *fsm, const struct command *cmd, struct fsm_result *res)
{
	const struct cmd_slot_place *p = &cmd->slot_place;
	struct fsm_volume *vol = place_volume(fsm, p, res);

	if (!vol)
		return res->code;
	if (vol->place.node != p->node || vol->place.incarnation != p->incarnation)
		return fsm_refuse(res, FSM_STALE, "volume %s has no such slot being placed",
				  vol->name);
	fsm_place_end(fsm, vol);
	return FSM_OK;
}

/* A node could not make the slot: another, or this one later. */
void fsm_place_failed(struct fsm *fsm, const struct command *cmd, struct fsm_volume *vol)
{
	fsm_log(fsm, cmd, FSM_WARNING, "VD", 2007,
		"volume %s (vd%u) new copy on node %08x was not made: %.*s", vol->name,
		vol->conf.vdisk, cmd->slot.node, FSM_SENTENCE_BYTES - 140, cmd->slot.reason);
	vol->failed_node = vol->place.node;
	vol->failed_ms = cmd->time_ms;
	if (vol->failures < UINT32_MAX)
		vol->failures++;
	fsm_place_end(fsm, vol);
}
