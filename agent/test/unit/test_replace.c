// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Slots that are added and removed, nodes that are cordoned, and what a volume
 * is called meanwhile: every illegal step is refused with its sentence, every
 * pair has one owner, and the five words say what is.
 */
#include "fixture.h"

#include "../../status.h"

static struct command place(const struct fsm_volume *vol, u32 node, u8 slot, u8 lost)
{
	struct command cmd = fix_command(CMD_SLOT_PLACE);

	memcpy(cmd.slot_place.volume, vol->uuid, FSM_UUID_BYTES);
	cmd.slot_place.node = node;
	cmd.slot_place.slot_nr = slot;
	cmd.slot_place.lost_nr = lost;
	cmd.slot_place.incarnation = ++fix_id;
	return cmd;
}

static enum fsm_code placed_slot(struct fsm *fsm, const struct fsm_volume *vol,
				 enum command_kind kind, const struct command *from)
{
	struct command cmd = fix_command(kind);

	memcpy(cmd.slot.volume, vol->uuid, FSM_UUID_BYTES);
	cmd.slot.slot_nr = from->slot_place.slot_nr;
	cmd.slot.node = from->slot_place.node;
	cmd.slot.incarnation = from->slot_place.incarnation;
	snprintf(cmd.slot.reason, sizeof(cmd.slot.reason), "the device is on fire");
	return fix_apply(fsm, &cmd);
}

static struct command add(const struct fsm_volume *vol)
{
	struct command cmd = fix_step(vol, STEP_ADD);

	cmd.conf.conf.slots[vol->place.slot_nr].node = vol->place.node;
	cmd.conf.conf.slots[vol->place.slot_nr].incarnation = vol->place.incarnation;
	return cmd;
}

static struct command removal(const struct fsm_volume *vol, u8 slot)
{
	struct command cmd = fix_step(vol, STEP_REMOVE);

	memset(&cmd.conf.conf.slots[slot], 0, sizeof(cmd.conf.conf.slots[slot]));
	return cmd;
}

/* Four nodes; "web" has two copies, is served on v1, and v2's copy was dropped. */
static struct fsm *degraded(const struct fsm_volume **vol)
{
	struct fsm *fsm = fix_cluster(4);
	struct command cmd;

	fix_ready(fsm, "web", 2);
	*vol = fix_serve(fsm, "web", NODE(1));
	cmd = fix_set(*vol, STEP_DROP, 1);
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	return fsm;
}

#define assert_refused(fsm, cmd, code, part) do {			\
	(cmd).id = ++fix_id;						\
	assert_int_equal(fix_apply(fsm, &(cmd)), code);			\
	assert_non_null(strstr(fix_result.sentence, part));		\
} while (0)

static const struct fsm_backing *pair_of(struct fsm *fsm, u32 node, u64 incarnation)
{
	const struct fsm_node *n = fsm_node_by_id(fsm, node);
	unsigned int i;

	for (i = 0; i < n->nr_backing; i++) {
		if (n->backing[i].used && n->backing[i].incarnation == incarnation)
			return &n->backing[i];
	}
	return NULL;
}

static void test_place(void **state)
{
	const struct fsm_volume *vol;
	struct fsm *fsm = degraded(&vol);
	struct command cmd;

	(void)state;
	cmd = place(vol, NODE(9), 2, 1);
	assert_refused(fsm, cmd, FSM_UNKNOWN, "no node");
	cmd = place(vol, NODE(3), 1, 1);
	assert_refused(fsm, cmd, FSM_STALE, "not free");
	cmd = place(vol, NODE(3), 2, 0);
	assert_refused(fsm, cmd, FSM_STALE, "not lost");
	cmd = place(vol, NODE(2), 2, 1);
	assert_refused(fsm, cmd, FSM_REFUSED, "cannot hold another copy");
	cmd = place(vol, NODE(3), 2, 1);
	cmd.slot_place.incarnation = vol->conf.slots[0].incarnation;
	assert_refused(fsm, cmd, FSM_ILLEGAL, "used again");
	cmd = place(vol, NODE(3), 2, 1);
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	assert_non_null(pair_of(fsm, NODE(3), cmd.slot_place.incarnation));
	assert_false(fsm_node_can_hold(fsm, fsm_node_by_id(fsm, NODE(3)), vol, 1 << 20));
	cmd = place(vol, NODE(4), 3, 1);
	assert_refused(fsm, cmd, FSM_STALE, "already");
	fsm_free(fsm);
}

/* One that cannot be made is given up; its pair is free when the node has said so. */
static void test_place_fails(void **state)
{
	const struct fsm_volume *vol;
	struct fsm *fsm = degraded(&vol);
	struct command cmd = place(vol, NODE(3), 2, 1);

	(void)state;
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	assert_int_equal(placed_slot(fsm, vol, CMD_SLOT_FAILED, &cmd), FSM_OK);
	assert_int_equal(vol->place.node, 0);
	assert_int_equal(vol->failures, 1);
	assert_int_equal(vol->failed_node, NODE(3));
	assert_non_null(strstr(fix_event(fsm, 0), "on fire:2007"));
	assert_true(pair_of(fsm, NODE(3), cmd.slot_place.incarnation)->retiring);
	assert_false(fsm_node_can_hold(fsm, fsm_node_by_id(fsm, NODE(3)), vol, 1 << 20));
	assert_int_equal(placed_slot(fsm, vol, CMD_SLOT_RETIRED, &cmd), FSM_OK);
	assert_null(pair_of(fsm, NODE(3), cmd.slot_place.incarnation));
	assert_true(fsm_node_can_hold(fsm, fsm_node_by_id(fsm, NODE(3)), vol, 1 << 20));
	fsm_free(fsm);
}

static void test_add_and_remove(void **state)
{
	const struct fsm_volume *vol;
	struct fsm *fsm = degraded(&vol);
	struct command cmd = place(vol, NODE(3), 2, 1), where = cmd;
	u64 lost = vol->conf.slots[1].incarnation;

	(void)state;
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	cmd = add(vol);
	assert_refused(fsm, cmd, FSM_ILLEGAL, "before it is made (R16)");
	assert_int_equal(placed_slot(fsm, vol, CMD_SLOT_MADE, &where), FSM_OK);
	cmd = add(vol);
	cmd.conf.conf.slots[2].incarnation++;
	assert_refused(fsm, cmd, FSM_STALE, "was not placed so");
	cmd = add(vol);
	cmd.conf.conf.in_sync_mask = 5;
	assert_refused(fsm, cmd, FSM_ILLEGAL, "changes the in-sync set");
	cmd = add(vol);
	memset(&cmd.conf.conf.slots[1], 0, sizeof(cmd.conf.conf.slots[1]));
	assert_refused(fsm, cmd, FSM_ILLEGAL, "of one slot");
	cmd = add(vol);
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	assert_non_null(strstr(fix_event(fsm, 0), "new copy on node 30303030:1018"));
	assert_int_equal(vol->added_mask, 4);
	cmd = removal(vol, 0);
	assert_refused(fsm, cmd, FSM_ILLEGAL, "names a slot that is not there");
	cmd = fix_set(vol, STEP_READMIT, 5);
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	assert_int_equal(vol->added_mask, 0);
	/* All copies are there: the lost one is not wanted back. */
	cmd = fix_set(vol, STEP_READMIT, 7);
	assert_refused(fsm, cmd, FSM_STALE, "all its copies");
	cmd = removal(vol, 1);
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	assert_non_null(strstr(fix_event(fsm, 0), "copy on node 20202020 retired:1022"));
	assert_int_equal(vol->conf.slots[1].node, 0);
	assert_true(pair_of(fsm, NODE(2), lost)->retiring);
	cmd = removal(vol, 2);
	assert_refused(fsm, cmd, FSM_ILLEGAL, "names a slot that is not there");
	cmd = fix_set(vol, STEP_DROP, 1);
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	cmd = removal(vol, 2);
	assert_refused(fsm, cmd, FSM_ILLEGAL, "before another is in its place");
	fsm_free(fsm);
}

/* The volume is deleted while a slot is being placed. */
static void test_deleted_meanwhile(void **state)
{
	const struct fsm_volume *vol;
	struct fsm *fsm = degraded(&vol);
	struct command where = place(vol, NODE(3), 2, 1), cmd;
	u8 uuid[FSM_UUID_BYTES];

	(void)state;
	assert_int_equal(fix_apply(fsm, &where), FSM_OK);
	memcpy(uuid, vol->uuid, sizeof(uuid));
	assert_int_equal(fix_wish(fsm, "web", CMD_DETACH, 0, false), FSM_OK);
	cmd = fix_step(vol, STEP_RELEASE);
	cmd.conf.conf.term++;
	cmd.conf.conf.primary_node = 0;
	cmd.conf.conf.primary_instance = 0;
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	assert_int_equal(fix_wish(fsm, "web", CMD_VOLUME_DELETE, 0, false), FSM_OK);
	vol = fsm_volume_by_uuid(fsm, uuid);
	assert_int_equal(vol->place.node, 0);
	assert_true(pair_of(fsm, NODE(3), where.slot_place.incarnation)->retiring);
	assert_int_equal(fix_slot(fsm, vol, CMD_SLOT_RETIRED, 0), FSM_OK);
	assert_int_equal(fix_slot(fsm, vol, CMD_SLOT_RETIRED, 1), FSM_OK);
	assert_null(fsm_volume_by_uuid(fsm, uuid));
	assert_non_null(pair_of(fsm, NODE(3), where.slot_place.incarnation));
	cmd = fix_command(CMD_SLOT_RETIRED);
	memcpy(cmd.slot.volume, uuid, FSM_UUID_BYTES);
	cmd.slot.slot_nr = 2;
	cmd.slot.node = NODE(3);
	cmd.slot.incarnation = where.slot_place.incarnation;
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	assert_null(pair_of(fsm, NODE(3), where.slot_place.incarnation));
	fsm_free(fsm);
}

static enum fsm_code cordon(struct fsm *fsm, u32 node, enum fsm_cordon kind, u64 boot)
{
	struct command cmd = fix_command(CMD_NODE_CORDON);

	cmd.node_cordon.node = node;
	cmd.node_cordon.cordon = kind;
	cmd.node_cordon.boot_id = boot;
	return fix_apply(fsm, &cmd);
}

static enum fsm_code node_command(struct fsm *fsm, enum command_kind kind, u32 node, u64 boot)
{
	struct command cmd = fix_command(kind);

	cmd.node_status.node = node;
	cmd.node_status.boot_id = boot;
	return fix_apply(fsm, &cmd);
}

static enum fsm_node_status status_of(struct fsm *fsm, u32 node)
{
	return fsm_node_by_id(fsm, node)->status;
}

static void test_cordon(void **state)
{
	const struct fsm_volume *vol;
	struct fsm *fsm = degraded(&vol);

	(void)state;
	assert_int_equal(cordon(fsm, NODE(1), FSM_CORDON_OPERATOR, 7), FSM_REFUSED);
	assert_non_null(strstr(fix_result.sentence, "only in-sync copy of volume web"));
	assert_int_equal(status_of(fsm, NODE(1)), FSM_NODE_NORMAL);
	assert_int_equal(cordon(fsm, NODE(2), FSM_CORDON_OPERATOR, 7), FSM_OK);
	assert_int_equal(status_of(fsm, NODE(2)), FSM_NODE_CORDONED);
	assert_string_equal(fix_event(fsm, 1),
			    "[warning] [DFS] ID 20202020 node is cordoned:2010");
	assert_string_equal(fix_event(fsm, 0), "[info] [DFS] ID 20202020 node will exit:1002");
	/* Lost and heard again in the same boot: cordoned as before. */
	assert_int_equal(node_command(fsm, CMD_NODE_DOWN, NODE(2), 0), FSM_OK);
	assert_int_equal(node_command(fsm, CMD_NODE_UP, NODE(2), 7), FSM_OK);
	assert_int_equal(status_of(fsm, NODE(2)), FSM_NODE_CORDONED);
	assert_false(fsm_node_by_id(fsm, NODE(2))->down);
	/* Another boot ends it. */
	assert_int_equal(node_command(fsm, CMD_NODE_UP, NODE(2), 8), FSM_OK);
	assert_int_equal(status_of(fsm, NODE(2)), FSM_NODE_NORMAL);
	assert_string_equal(fix_event(fsm, 0), "[info] [DFS] ID 20202020 node is back:1005");
	/* By force and for a shutdown the gate is open; down, an uncordon is refused. */
	assert_int_equal(cordon(fsm, NODE(1), FSM_CORDON_SHUTDOWN, 7), FSM_OK);
	assert_int_equal(node_command(fsm, CMD_NODE_UNCORDON, NODE(1), 0), FSM_OK);
	assert_int_equal(status_of(fsm, NODE(1)), FSM_NODE_NORMAL);
	assert_int_equal(node_command(fsm, CMD_NODE_DOWN, NODE(1), 0), FSM_OK);
	assert_int_equal(node_command(fsm, CMD_NODE_UNCORDON, NODE(1), 0), FSM_REFUSED);
	assert_non_null(strstr(fix_result.sentence, "taken back by itself"));
	fsm_free(fsm);
}

static void test_settings(void **state)
{
	struct fsm *fsm = fix_cluster(1);
	struct command cmd = fix_command(CMD_SET);

	(void)state;
	assert_int_equal(fsm->rebuild_delay_ms, 60000);
	cmd.set.rebuild_delay_ms = 10000;
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	assert_int_equal(fsm->rebuild_delay_ms, 10000);
	cmd.set.rebuild_delay_ms = UINT32_MAX;
	assert_refused(fsm, cmd, FSM_INVALID, "too long");
	assert_int_equal(fsm->rebuild_delay_ms, 10000);
	fsm_free(fsm);
}

/* ------------------------------------------------------------------ statuses */

struct seen {
	struct kernel_volume		volumes[HF_MAX_SLOTS];
	const struct kernel_volume	*views[HF_MAX_SLOTS];
};

static void see(struct seen *seen, const struct fsm_volume *vol)
{
	int i;

	memset(seen, 0, sizeof(*seen));
	for (i = 0; i < HF_MAX_SLOTS; i++) {
		struct kernel_volume *v = &seen->volumes[i];

		if (!vol->conf.slots[i].node)
			continue;
		v->conf = vol->conf;
		v->slot.state = HOLDFAST_SLOT_UP;
		v->slot.slot_nr = (u8)i;
		v->slot.incarnation = vol->conf.slots[i].incarnation;
		seen->views[i] = v;
	}
}

static void assert_called(const struct fsm_volume *vol, const struct seen *seen, const char *text)
{
	unsigned int percent;
	char got[32];
	int nr = hf_conf_slot_of(&vol->conf, vol->conf.primary_node);
	enum volume_status status = volume_status(vol, nr < 0 ? NULL : seen->views[nr],
						  seen->views, &percent);

	assert_string_equal(volume_status_text(status, percent, got, sizeof(got)), text);
}

static void test_status(void **state)
{
	const struct fsm_volume *vol;
	struct fsm *fsm = fix_cluster(3);
	struct kernel_remote *remote;
	struct command cmd;
	struct seen seen;

	(void)state;
	vol = fix_ready(fsm, "web", 2);
	see(&seen, vol);
	assert_called(vol, &seen, "healthy");
	seen.views[1] = NULL;
	assert_called(vol, &seen, "degraded");
	seen.views[0] = NULL;
	assert_called(vol, &seen, "failed");
	vol = fix_serve(fsm, "web", NODE(1));
	see(&seen, vol);
	assert_called(vol, &seen, "held");
	seen.volumes[0].disk.state = HOLDFAST_DISK_ACTIVE;
	seen.volumes[0].disk.instance = vol->conf.primary_instance;
	assert_called(vol, &seen, "healthy");
	seen.volumes[0].disk.holding_ms = 5;
	assert_called(vol, &seen, "held");
	seen.volumes[0].disk.holding_ms = 0;
	seen.volumes[1].slot.incarnation++;
	assert_called(vol, &seen, "degraded");
	seen.volumes[1].slot.incarnation--;
	seen.volumes[1].slot.state = HOLDFAST_SLOT_FAILED;
	assert_called(vol, &seen, "degraded");
	cmd = fix_set(vol, STEP_DROP, 1);
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	seen.volumes[1].slot.state = HOLDFAST_SLOT_UP;
	seen.volumes[0].conf = vol->conf;
	assert_called(vol, &seen, "degraded");
	seen.volumes[0].nr_remotes = 1;
	remote = &seen.volumes[0].remotes[0];
	remote->slot_nr = 1;
	remote->link_state = HOLDFAST_LINK_READY;
	remote->rebuild_state = HOLDFAST_REBUILD_COPYING;
	remote->rebuild_total_bytes = 1 << 20;
	remote->rebuild_done_bytes = 1 << 18;
	assert_called(vol, &seen, "rebuilding 25%");
	remote->rebuild_done_bytes = (1 << 20) - 1;
	assert_called(vol, &seen, "rebuilding 99%");
	fsm_free(fsm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_place_fails),
		cmocka_unit_test(test_add_and_remove),
		cmocka_unit_test(test_deleted_meanwhile),
		cmocka_unit_test(test_cordon),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_status),
	};

	return cmocka_run_group_tests_name("replace", tests, NULL, NULL);
}
