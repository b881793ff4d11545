/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small cluster as state, for the unit tests: nodes v1, v2, v3, each with
 * two pairs of backing, and a volume "web" of two copies.
 */
#ifndef HOLDFAST_TEST_FIXTURE_H
#define HOLDFAST_TEST_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../command.h"
#include "../../fsm.h"

#define NODE(n)	(0x10101010u * (n))
#define NOW	1614588890000ull	/* unix ms */

static u64 fix_id = 1000;
static struct fsm_result fix_result;

static inline enum fsm_code fix_apply(struct fsm *fsm, const struct command *cmd)
{
	fsm_apply(fsm, cmd, &fix_result);
	return fix_result.code;
}

static inline struct command fix_command(enum command_kind kind)
{
	struct command cmd;

	command_begin(&cmd, kind, ++fix_id, NOW, NODE(1));
	return cmd;
}

static inline void fix_node(struct cmd_node *node, unsigned int n)
{
	unsigned int i;

	node->id = NODE(n);
	node->port = 7340;
	snprintf(node->name, sizeof(node->name), "v%u", n);
	snprintf(node->address, sizeof(node->address), "10.0.0.%u", n);
	node->nr_backing = 2;
	for (i = 0; i < 2; i++) {
		snprintf(node->backing[i].data_path, FSM_PATH_BYTES, "/dev/d%u", i);
		snprintf(node->backing[i].meta_path, FSM_PATH_BYTES, "/dev/m%u", i);
		node->backing[i].size_bytes = i ? 4ull << 30 : 1ull << 30;
	}
}

static inline void fix_token(struct fsm *fsm, u8 seed)
{
	struct command cmd = fix_command(CMD_TOKEN_ADD);

	memset(cmd.token_add.hash, seed, FSM_HASH_BYTES);
	cmd.token_add.expires_ms = NOW + 3600000;
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
}

static inline enum fsm_code fix_join(struct fsm *fsm, unsigned int n, u8 seed)
{
	struct command cmd = fix_command(CMD_JOIN);

	memset(cmd.join.hash, seed, FSM_HASH_BYTES);
	fix_node(&cmd.join.node, n);
	return fix_apply(fsm, &cmd);
}

static inline struct fsm *fix_cluster(unsigned int nodes)
{
	struct command cmd = fix_command(CMD_INIT);
	struct fsm *fsm = fsm_new();
	unsigned int n;

	cmd.init.cluster[0] = 7;
	fix_node(&cmd.init.node, 1);
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	for (n = 2; n <= nodes; n++) {
		fix_token(fsm, (u8)n);
		assert_int_equal(fix_join(fsm, n, (u8)n), FSM_OK);
	}
	return fsm;
}

static inline struct command fix_create(const char *name, u64 size, u8 copies)
{
	struct command cmd = fix_command(CMD_VOLUME_CREATE);
	unsigned int i;

	snprintf(cmd.volume_create.name, FSM_NAME_BYTES, "%s", name);
	memset(cmd.volume_create.uuid, 0x32, FSM_UUID_BYTES);
	memcpy(cmd.volume_create.uuid, name, strlen(name) < 8 ? strlen(name) : 8);
	memcpy(cmd.volume_create.uuid + 8, &fix_id, sizeof(fix_id));
	cmd.volume_create.size_bytes = size;
	cmd.volume_create.copies = copies;
	for (i = 0; i < HF_MAX_SLOTS; i++)
		cmd.volume_create.incarnations[i] = ++fix_id;
	return cmd;
}

static inline const struct fsm_volume *fix_volume(struct fsm *fsm, const char *name)
{
	const struct fsm_volume *vol = fsm_volume_by_name(fsm, name);

	assert_non_null(vol);
	return vol;
}

static inline enum fsm_code fix_slot(struct fsm *fsm, const struct fsm_volume *vol,
				     enum command_kind kind, u8 slot)
{
	struct command cmd = fix_command(kind);

	memcpy(cmd.slot.volume, vol->uuid, FSM_UUID_BYTES);
	cmd.slot.slot_nr = slot;
	cmd.slot.node = vol->conf.slots[slot].node;
	cmd.slot.incarnation = vol->conf.slots[slot].incarnation;
	snprintf(cmd.slot.reason, sizeof(cmd.slot.reason), "the device is on fire");
	return fix_apply(fsm, &cmd);
}

/* A volume that is ready. */
static inline const struct fsm_volume *fix_ready(struct fsm *fsm, const char *name, u8 copies)
{
	struct command cmd = fix_create(name, 1 << 20, copies);
	const struct fsm_volume *vol;
	u8 i;

	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	vol = fix_volume(fsm, name);
	for (i = 0; i < copies; i++)
		assert_int_equal(fix_slot(fsm, vol, CMD_SLOT_MADE, i), FSM_OK);
	return fix_volume(fsm, name);
}

static inline enum fsm_code fix_wish(struct fsm *fsm, const char *name, enum command_kind kind,
				     u32 node, bool force)
{
	struct command cmd = fix_command(kind);

	memcpy(cmd.wish.volume, fix_volume(fsm, name)->uuid, FSM_UUID_BYTES);
	cmd.wish.node = node;
	cmd.wish.force = force;
	return fix_apply(fsm, &cmd);
}

static inline struct command fix_step(const struct fsm_volume *vol, enum conf_step step)
{
	struct command cmd = fix_command(CMD_CONF);
	int i;

	cmd.conf.step = step;
	cmd.conf.conf = vol->conf;
	cmd.conf.expected_epoch = vol->conf.epoch;
	cmd.conf.conf.epoch++;
	for (i = 0; i < HF_MAX_SLOTS; i++)
		cmd.conf.conf.slots[i].cited_life = 0;
	return cmd;
}

/* The next term with @node, lives 1, 2, … of all in the set. */
static inline struct command fix_name(const struct fsm_volume *vol, u32 node, u64 instance)
{
	struct command cmd = fix_step(vol, STEP_NAME);
	int i;

	cmd.conf.conf.term++;
	cmd.conf.conf.primary_node = node;
	cmd.conf.conf.primary_instance = instance;
	for (i = 0; i < HF_MAX_SLOTS; i++) {
		if (vol->conf.in_sync_mask & 1 << i)
			cmd.conf.conf.slots[i].cited_life = 100 + (u64)i;
	}
	return cmd;
}

static inline struct command fix_activate(const struct fsm_volume *vol, u8 set)
{
	struct command cmd = fix_step(vol, STEP_ACTIVATE);

	cmd.conf.conf.activated_term = vol->conf.term;
	cmd.conf.conf.activated_instance = vol->conf.primary_instance;
	cmd.conf.conf.in_sync_mask = set;
	return cmd;
}

static inline struct command fix_set(const struct fsm_volume *vol, enum conf_step step, u8 set)
{
	struct command cmd = fix_step(vol, step);

	cmd.conf.conf.in_sync_mask = set;
	cmd.conf.lost_mask = vol->conf.in_sync_mask & (u8)~set;
	cmd.conf.life = 55;
	return cmd;
}

/* Attached and activated on @node with all slots in the set. */
static inline const struct fsm_volume *fix_serve(struct fsm *fsm, const char *name, u32 node)
{
	const struct fsm_volume *vol = fix_volume(fsm, name);
	struct command cmd;

	if (vol->wanted_node != node)
		assert_int_equal(fix_wish(fsm, name, CMD_ATTACH, node, false), FSM_OK);
	cmd = fix_name(vol, node, 900 + vol->conf.term);
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	cmd = fix_activate(vol, vol->conf.in_sync_mask);
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	assert_int_equal(fsm_volume_served_on(vol), node);
	return vol;
}

/* The text of the event @back from the last, with level and code. */
static inline const char *fix_event(const struct fsm *fsm, unsigned int back)
{
	static const char *const levels[] = { "info", "warning", "error" };
	static char text[4][400];
	static unsigned int turn;
	const struct fsm_event *event = fsm_event_at(fsm, fsm->event_count - 1 - back);

	if (!event)
		return "";
	turn = (turn + 1) % 4;
	snprintf(text[turn], sizeof(text[turn]), "[%s] [%s] %s:%u", levels[event->level],
		 event->domain, event->text, event->code);
	return text[turn];
}

#endif /* HOLDFAST_TEST_FIXTURE_H */
