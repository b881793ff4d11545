// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Commands about the life of a volume: nodes are chosen, slots are made (R16),
 * epoch 1 is committed, and at the end slots are retired.  Which pair of a node
 * a slot gets is in fsm_place.c, where a volume is served in fsm_wish.c.
 */
#include <stdio.h>
#include <string.h>

#include "fsm_internal.h"

static bool chosen(const u32 *places, unsigned int count, u32 node)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (places[i] == node)
			return true;
	}
	return false;
}

/* Most free backing first, then the order of joining. NULL: no node is left. */
static const struct fsm_node *next_node(const struct fsm *fsm, u64 size, const u32 *places,
					unsigned int count)
{
	const struct fsm_node *best = NULL;
	unsigned int i;

	for (i = 0; i < fsm->nr_nodes; i++) {
		const struct fsm_node *node = &fsm->nodes[i];

		if (chosen(places, count, node->id) || !fsm_node_can_hold(fsm, node, NULL, size))
			continue;
		if (!best || fsm_node_free_bytes(fsm, node) > fsm_node_free_bytes(fsm, best))
			best = node;
	}
	return best;
}

static enum fsm_code place_named(const struct fsm *fsm, const struct cmd_volume_create *c,
				 unsigned int i, u32 *places, struct fsm_result *res)
{
	const struct fsm_node *node = fsm_node_by_id(fsm, c->nodes[i]);
	char size[32];

	if (!node)
		return fsm_refuse(res, FSM_UNKNOWN, "there is no node %08x: see 'holdfast node ls'",
				  c->nodes[i]);
	if (chosen(places, i, node->id))
		return fsm_refuse(res, FSM_INVALID,
				  "node %s is named twice: a node holds one copy of a volume",
				  node->name);
	if (node->status != FSM_NODE_NORMAL)
		return fsm_refuse(res, FSM_REFUSED,
				  "node %s is cordoned: name another node, or wait until it is back",
				  node->name);
	if (!fsm_node_can_hold(fsm, node, NULL, c->size_bytes))
		return fsm_refuse(res, FSM_REFUSED,
				  "node %s has no free backing of %s or more: name another node",
				  node->name, fsm_size_text(c->size_bytes, size, sizeof(size)));
	places[i] = node->id;
	return FSM_OK;
}

static enum fsm_code choose_places(const struct fsm *fsm, const struct cmd_volume_create *c,
				   u32 *places, struct fsm_result *res)
{
	enum fsm_code code;
	unsigned int i;
	char size[32];

	for (i = 0; i < c->nr_nodes; i++) {
		code = place_named(fsm, c, i, places, res);
		if (code)
			return code;
	}
	for (; i < c->copies; i++) {
		const struct fsm_node *node = next_node(fsm, c->size_bytes, places, i);

		if (!node)
			return fsm_refuse(res, FSM_REFUSED,
					  "%u %s of %s %s as many nodes with free backing, and there %s %u: ask for fewer or smaller copies, or add nodes",
					  c->copies, c->copies == 1 ? "copy" : "copies",
					  fsm_size_text(c->size_bytes, size, sizeof(size)),
					  c->copies == 1 ? "needs" : "need", i == 1 ? "is" : "are", i);
		places[i] = node->id;
	}
	return FSM_OK;
}

/* "vd7" would be taken for a disk. */
static bool is_disk_name(const char *name)
{
	return !strncmp(name, "vd", 2) && name[2] && !name[2 + strspn(name + 2, "0123456789")];
}

static enum fsm_code check_create(const struct fsm *fsm, const struct cmd_volume_create *c,
				  struct fsm_result *res)
{
	static const u8 none[FSM_UUID_BYTES];
	unsigned int i;

	if (!fsm_name_valid(c->name) || is_disk_name(c->name))
		return fsm_refuse(res, FSM_INVALID,
				  "'%s' is no volume name: use letters, digits, '.', '_' and '-', and not the form vdN",
				  c->name);
	if (fsm_volume_by_name(fsm, c->name))
		return fsm_refuse(res, FSM_EXISTS,
				  "a volume named %s exists: choose another name", c->name);
	if (!memcmp(c->uuid, none, sizeof(none)) || fsm_volume_by_uuid(fsm, c->uuid))
		return fsm_refuse(res, FSM_EXISTS, "the volume's UUID is taken: try again");
	if (c->size_bytes < HF_MIN_VOLUME_BYTES)
		return fsm_refuse(res, FSM_INVALID, "%llu bytes are too small: a volume has 1MB at least",
				  (unsigned long long)c->size_bytes);
	if (c->size_bytes % HF_BLOCK_BYTES)
		return fsm_refuse(res, FSM_INVALID,
				  "%llu bytes are not a multiple of 4096: round the size",
				  (unsigned long long)c->size_bytes);
	if (c->copies < 1 || c->copies > HF_MAX_SLOTS)
		return fsm_refuse(res, FSM_INVALID, "%u copies are not possible: choose 1 to %u",
				  c->copies, HF_MAX_SLOTS);
	if (c->nr_nodes > c->copies)
		return fsm_refuse(res, FSM_INVALID,
				  "%u nodes are named for %u copies: name as many nodes as copies at most",
				  c->nr_nodes, c->copies);
	if (c->policies & ~(u32)HF_POLICY_ALL)
		return fsm_refuse(res, FSM_INVALID, "the policies have unknown bits");
	if (c->policies & (HF_POLICY_READS_CONFIRMED | HF_POLICY_PRIVATE_COPY))
		return fsm_refuse(res, FSM_INVALID,
				  "confirmed reads and private copies are not supported yet: leave them out");
	if (!(c->policies & HF_POLICY_ERROR_WHEN_HELD) != !c->held_timeout_ms)
		return fsm_refuse(res, FSM_INVALID,
				  "a time to hold I/O goes with the policy 'error' and only with it");
	for (i = 0; i < c->copies; i++) {
		if (!c->incarnations[i])
			return fsm_refuse(res, FSM_INVALID, "a slot has no incarnation");
	}
	if (fsm->nr_volumes >= FSM_MAX_VOLUMES)
		return fsm_refuse(res, FSM_REFUSED, "there are %u volumes, as many as can be",
				  fsm->nr_volumes);
	return FSM_OK;
}

static u32 free_vdisk(const struct fsm *fsm)
{
	u32 vdisk;
	unsigned int i;

	for (vdisk = 1; ; vdisk++) {
		for (i = 0; i < fsm->nr_volumes; i++) {
			if (fsm->volumes[i].conf.vdisk == vdisk)
				break;
		}
		if (i == fsm->nr_volumes)
			return vdisk;
	}
}

enum fsm_code fsm_do_create(struct fsm *fsm, const struct command *cmd, struct fsm_result *res)
{
	const struct cmd_volume_create *c = &cmd->volume_create;
	u32 places[HF_MAX_SLOTS];
	struct fsm_volume *vol;
	enum fsm_code code;
	unsigned int i;
	u32 vdisk;

	code = check_create(fsm, c, res);
	if (!code)
		code = choose_places(fsm, c, places, res);
	if (code)
		return code;
	vdisk = free_vdisk(fsm);
	fsm->volumes = fsm_grow(fsm->volumes, fsm->nr_volumes + 1, sizeof(*fsm->volumes));
	vol = &fsm->volumes[fsm->nr_volumes++];
	memset(vol, 0, sizeof(*vol));
	memcpy(vol->name, c->name, sizeof(vol->name));
	memcpy(vol->uuid, c->uuid, sizeof(vol->uuid));
	vol->state = FSM_VOLUME_CREATING;
	vol->copies = c->copies;
	vol->attach_mode = c->attach_mode;
	vol->created_ms = cmd->time_ms;
	vol->create_id = cmd->id;
	memcpy(vol->conf.volume, c->uuid, sizeof(vol->conf.volume));
	vol->conf.size_bytes = c->size_bytes;
	vol->conf.policies = c->policies;
	vol->conf.held_timeout_ms = c->held_timeout_ms;
	vol->conf.vdisk = vdisk;
	for (i = 0; i < c->copies; i++) {
		vol->conf.slots[i].node = places[i];
		vol->conf.slots[i].incarnation = c->incarnations[i];
		fsm_pair_reserve(fsm, vol, (u8)i, places[i], c->incarnations[i]);
	}
	return FSM_OK;
}

/* Is it the slot that is being placed? */
static bool is_placed(const struct fsm_volume *vol, const struct cmd_slot *s)
{
	return vol->place.node && vol->place.node == s->node &&
	       vol->place.slot_nr == s->slot_nr && vol->place.incarnation == s->incarnation;
}

/* The volume that the command speaks of; NULL and a sentence if it has no such slot. */
static struct fsm_volume *slot_volume(struct fsm *fsm, const struct cmd_slot *s,
				      struct fsm_result *res)
{
	struct fsm_volume *vol = fsm_volume_get(fsm, s->volume);
	const struct hf_conf_slot *slot;

	if (!vol || s->slot_nr >= HF_MAX_SLOTS) {
		res->code = fsm_refuse(res, FSM_UNKNOWN, "there is no such volume or slot");
		return NULL;
	}
	slot = &vol->conf.slots[s->slot_nr];
	if (is_placed(vol, s) ||
	    (slot->node && slot->node == s->node && slot->incarnation == s->incarnation))
		return vol;
	res->code = fsm_refuse(res, FSM_STALE, "slot %u of volume %s is not that of node %08x",
			       s->slot_nr, vol->name, s->node);
	return NULL;
}

enum fsm_code fsm_do_made(struct fsm *fsm, const struct command *cmd, struct fsm_result *res)
{
	struct fsm_volume *vol = slot_volume(fsm, &cmd->slot, res);

	if (!vol)
		return res->code;
	if (is_placed(vol, &cmd->slot)) {
		vol->place.made = true;
		return FSM_OK;
	}
	if (vol->state != FSM_VOLUME_CREATING || vol->made_mask & 1 << cmd->slot.slot_nr)
		return FSM_OK;
	vol->made_mask |= (u8)(1 << cmd->slot.slot_nr);
	if (vol->made_mask != hf_conf_used_mask(&vol->conf))
		return FSM_OK;
	/* R16: every slot reads as zeros, so all are in sync. */
	vol->state = FSM_VOLUME_READY;
	vol->conf.epoch = 1;
	vol->conf.in_sync_mask = vol->made_mask;
	fsm_log(fsm, cmd, FSM_INFO, "DFS", 1006, "volume %s (vd%u) is ready with %u %s", vol->name,
		vol->conf.vdisk, vol->copies, vol->copies == 1 ? "copy" : "copies");
	return FSM_OK;
}

enum fsm_code fsm_do_failed(struct fsm *fsm, const struct command *cmd, struct fsm_result *res)
{
	struct fsm_volume *vol = slot_volume(fsm, &cmd->slot, res);
	char node[FSM_NAME_BYTES];

	if (!vol)
		return res->code;
	if (is_placed(vol, &cmd->slot)) {
		fsm_place_failed(fsm, cmd, vol);
		return FSM_OK;
	}
	if (vol->state != FSM_VOLUME_CREATING)
		return fsm_refuse(res, FSM_STALE, "volume %s is not being made", vol->name);
	vol->state = FSM_VOLUME_DELETING;
	vol->refused_id = vol->create_id;
	snprintf(vol->refusal, sizeof(vol->refusal), "node %s could not make its copy: %.*s",
		 fsm_node_text(fsm, cmd->slot.node, node, sizeof(node)),
		 FSM_SENTENCE_BYTES - 100, cmd->slot.reason);
	fsm_log(fsm, cmd, FSM_ERROR, "DFS", 2006, "volume %s (vd%u) was not made: %.*s", vol->name,
		vol->conf.vdisk, FSM_SENTENCE_BYTES - 100, vol->refusal);
	return FSM_OK;
}

enum fsm_code fsm_do_delete(struct fsm *fsm, const struct command *cmd, struct fsm_result *res)
{
	struct fsm_volume *vol = fsm_volume_get(fsm, cmd->wish.volume);
	char node[FSM_NAME_BYTES];
	u32 where;

	if (!vol || vol->state == FSM_VOLUME_DELETING)
		return fsm_refuse(res, FSM_UNKNOWN,
				  "there is no such volume: see 'holdfast volume ls'");
	where = vol->wanted_node ? vol->wanted_node : vol->conf.primary_node;
	if (where)
		return fsm_refuse(res, FSM_REFUSED,
				  "volume %s (vd%u) is attached on node %s: detach it first",
				  vol->name, vol->conf.vdisk,
				  fsm_node_text(fsm, where, node, sizeof(node)));
	vol->state = FSM_VOLUME_DELETING;
	fsm_place_end(fsm, vol);
	fsm_log(fsm, cmd, FSM_INFO, "DFS", 1007, "volume %s (vd%u) deleted", vol->name,
		vol->conf.vdisk);
	return FSM_OK;
}

enum fsm_code fsm_do_retired(struct fsm *fsm, const struct command *cmd, struct fsm_result *res)
{
	struct fsm_backing *pair = fsm_pair_retiring(fsm, cmd->slot.node, cmd->slot.volume,
						     cmd->slot.incarnation);
	u8 bit = (u8)(1 << cmd->slot.slot_nr);
	struct fsm_volume *vol;
	size_t index;

	/* What is left of a slot that was removed: the volume goes on without it. */
	if (pair) {
		fsm_pair_free(fsm, cmd->slot.node, pair);
		return FSM_OK;
	}
	vol = slot_volume(fsm, &cmd->slot, res);
	if (!vol)
		return res->code;
	if (vol->state != FSM_VOLUME_DELETING)
		return fsm_refuse(res, FSM_ILLEGAL, "volume %s is not being deleted", vol->name);
	if (vol->retired_mask & bit)
		return FSM_OK;
	pair = (struct fsm_backing *)fsm_slot_backing(fsm, vol, cmd->slot.slot_nr);
	if (pair)
		fsm_pair_free(fsm, cmd->slot.node, pair);
	vol->retired_mask |= bit;
	if (vol->retired_mask != hf_conf_used_mask(&vol->conf))
		return FSM_OK;
	index = (size_t)(vol - fsm->volumes);
	memmove(vol, vol + 1, (fsm->nr_volumes - index - 1) * sizeof(*vol));
	fsm->nr_volumes--;
	return FSM_OK;
}
