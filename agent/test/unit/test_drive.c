// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Drives in the state: their life, what is refused, room for slots, events.
 */
#include "fixture.h"

#include "../../fsm_internal.h"
#include "../../state_json.h"

#define MB	(1ull << 20)
#define GB	(1ull << 30)

static enum fsm_code add(struct fsm *fsm, u32 id, u32 node, const char *device, bool thick,
			 u32 overcommit)
{
	struct command cmd = fix_command(CMD_DRIVE_ADD);

	cmd.drive_add.drive = id;
	cmd.drive_add.node = node;
	cmd.drive_add.thick = thick;
	cmd.drive_add.overcommit_pct = overcommit;
	snprintf(cmd.drive_add.device, FSM_PATH_BYTES, "%s", device);
	return fix_apply(fsm, &cmd);
}

static enum fsm_code made(struct fsm *fsm, u32 id, u64 data, u64 meta)
{
	struct command cmd = fix_command(CMD_DRIVE_MADE);

	cmd.drive_made.drive = id;
	cmd.drive_made.data_bytes = data;
	cmd.drive_made.meta_bytes = meta;
	snprintf(cmd.drive_made.disk, FSM_DISK_BYTES, "sd%c", (char)('a' + id));
	return fix_apply(fsm, &cmd);
}

static enum fsm_code change(struct fsm *fsm, enum command_kind kind, u32 id)
{
	struct command cmd = fix_command(kind);

	cmd.drive.drive = id;
	if (kind == CMD_DRIVE_FAILED)
		snprintf(cmd.drive.reason, sizeof(cmd.drive.reason), "/dev/sdb is mounted");
	return fix_apply(fsm, &cmd);
}

static enum fsm_code note(struct fsm *fsm, u32 id, u8 level, bool faulty, u32 orphans)
{
	struct command cmd = fix_command(CMD_DRIVE_NOTE);

	cmd.drive_note.drive = id;
	cmd.drive_note.usage_level = level;
	cmd.drive_note.faulty = faulty;
	cmd.drive_note.nr_orphans = orphans;
	if (orphans)
		snprintf(cmd.drive_note.orphan, FSM_SENTENCE_BYTES, "0a1b2c3d-0-01020304");
	return fix_apply(fsm, &cmd);
}

static void drive(struct fsm *fsm, u32 id, u32 node, u64 data, u64 meta, bool thick)
{
	char device[32];

	snprintf(device, sizeof(device), "/dev/x%u", id);
	assert_int_equal(add(fsm, id, node, device, thick, 100), FSM_OK);
	assert_int_equal(made(fsm, id, data, meta), FSM_OK);
}

static int reserve(struct fsm *fsm, u32 id, u64 size, u8 seed)
{
	const struct fsm_drive *d = fsm_drive_by_id(fsm, id);
	u8 uuid[FSM_UUID_BYTES];

	memset(uuid, seed, sizeof(uuid));
	return fsm_drive_reserve(fsm_node_get(fsm, d->node), d, size, uuid, 1,
				 0x1122334455667788ull + seed);
}

static void test_life(void **state)
{
	struct fsm *fsm = fix_cluster(2);
	const struct fsm_drive *d;
	char text[FSM_DRIVE_TEXT_BYTES];

	(void)state;
	assert_int_equal(add(fsm, 1, NODE(1), "/dev/disk/by-id/nice-disk", false, 150), FSM_OK);
	d = fsm_drive_by_id(fsm, 1);
	assert_int_equal(d->state, FSM_DRIVE_ADDING);
	assert_string_equal(d->disk, "nice-disk");
	assert_int_equal(fsm_drive_free_bytes(fsm, d), 0);
	assert_int_equal(change(fsm, CMD_DRIVE_REMOVE, 1), FSM_REFUSED);
	assert_int_equal(made(fsm, 1, 4 * GB, 64 * MB), FSM_OK);
	assert_string_equal(fix_event(fsm, 0),
			    "[info] [DFS] drive 101010100000sdb (SSD, 4GB) added on node 10101010:1013");
	assert_int_equal(made(fsm, 1, 9 * GB, 64 * MB), FSM_OK);	/* again: nothing */
	d = fsm_drive_by_id(fsm, 1);
	assert_true(d->data_bytes == 4 * GB);
	assert_ptr_equal(fsm_drive_find(fsm, "101010100000sdb"), d);
	assert_ptr_equal(fsm_drive_find(fsm, "00000001"), d);
	assert_null(fsm_drive_find(fsm, "101010100000sd"));
	assert_int_equal(change(fsm, CMD_DRIVE_FAILED, 1), FSM_STALE);
	assert_int_equal(change(fsm, CMD_DRIVE_GONE, 1), FSM_ILLEGAL);

	/* the second of this node; and an index that is free again is used again */
	drive(fsm, 2, NODE(1), GB, 64 * MB, false);
	assert_string_equal(fsm_drive_text(fsm_drive_by_id(fsm, 2), text, sizeof(text)),
			    "101010100001sdc");
	assert_int_equal(change(fsm, CMD_DRIVE_REMOVE, 1), FSM_OK);
	assert_int_equal(note(fsm, 1, 70, false, 0), FSM_STALE);
	assert_int_equal(change(fsm, CMD_DRIVE_GONE, 1), FSM_OK);
	assert_string_equal(fix_event(fsm, 0),
			    "[info] [DFS] drive 101010100000sdb removed from node 10101010:1014");
	assert_null(fsm_drive_by_id(fsm, 1));
	assert_int_equal(change(fsm, CMD_DRIVE_GONE, 1), FSM_UNKNOWN);
	drive(fsm, 3, NODE(1), GB, 64 * MB, false);
	assert_string_equal(fsm_drive_text(fsm_drive_by_id(fsm, 3), text, sizeof(text)),
			    "101010100000sdd");
	fsm_free(fsm);
}

static void test_refusals(void **state)
{
	struct fsm *fsm = fix_cluster(1);
	unsigned int events, i;

	(void)state;
	assert_int_equal(add(fsm, 1, NODE(2), "/dev/sdb", false, 100), FSM_UNKNOWN);
	assert_int_equal(add(fsm, 1, NODE(1), "sdb", false, 100), FSM_INVALID);
	assert_int_equal(add(fsm, 1, NODE(1), "/dev/", false, 100), FSM_INVALID);
	assert_int_equal(add(fsm, 1, NODE(1), "/dev/sdb", false, 99), FSM_INVALID);
	assert_int_equal(add(fsm, 1, NODE(1), "/dev/sdb", false, 1001), FSM_INVALID);
	assert_int_equal(add(fsm, 1, NODE(1), "/dev/sdb", true, 200), FSM_INVALID);
	assert_int_equal(add(fsm, 1, NODE(1), "/dev/sdb", false, 100), FSM_OK);
	assert_int_equal(add(fsm, 1, NODE(1), "/dev/sdc", false, 100), FSM_EXISTS);
	assert_int_equal(add(fsm, 2, NODE(1), "/dev/sdb", false, 100), FSM_EXISTS);
	assert_int_equal(made(fsm, 1, 0, MB), FSM_INVALID);
	assert_int_equal(made(fsm, 1, GB, 0), FSM_INVALID);

	/* refused by its node: whoever asked finds the sentence, the log nothing */
	events = fsm->event_count;
	assert_int_equal(change(fsm, CMD_DRIVE_FAILED, 1), FSM_OK);
	assert_int_equal(fsm_drive_by_id(fsm, 1)->refused_id, fsm_drive_by_id(fsm, 1)->add_id);
	assert_string_equal(fsm_drive_by_id(fsm, 1)->refusal, "/dev/sdb is mounted");
	assert_int_equal(made(fsm, 1, GB, MB), FSM_STALE);
	assert_int_equal(change(fsm, CMD_DRIVE_GONE, 1), FSM_OK);
	assert_int_equal(fsm->event_count, events);
	assert_int_equal(fsm->nr_drives, 0);

	for (i = 1; i <= FSM_NODE_DRIVES; i++)
		drive(fsm, i, NODE(1), GB, 64 * MB, false);
	assert_int_equal(add(fsm, 99, NODE(1), "/dev/sdz", false, 100), FSM_REFUSED);
	fsm_free(fsm);
}

static void test_room(void **state)
{
	struct fsm *fsm = fix_cluster(1);
	const struct fsm_node *node = fsm_node_by_id(fsm, NODE(1));
	const u64 meta = fsm_slot_meta_bytes(GB);
	int index;

	(void)state;
	assert_true(meta >= MB && meta < 16 * MB && !(meta % FSM_EXTENT_BYTES));
	assert_int_equal(fsm_slot_meta_bytes(0), 0);

	/* thin: data and metadata have rooms of their own */
	drive(fsm, 1, NODE(1), 3 * GB, 2 * meta, false);
	assert_true(fsm_drive_free_bytes(fsm, fsm_drive_by_id(fsm, 1)) >= GB);
	assert_int_equal(fsm_drive_best(fsm, node, GB)->id, 1);
	assert_null(fsm_drive_best(fsm, node, 4 * GB));
	assert_int_equal(reserve(fsm, 1, GB, 1), 2);
	assert_int_equal(reserve(fsm, 1, GB - 4096, 2), 3);
	assert_true(fsm_drive_promised_bytes(fsm, fsm_drive_by_id(fsm, 1)) == 2 * GB);
	assert_null(fsm_drive_best(fsm, node, GB));	/* no room for metadata */
	assert_int_equal(fsm_drive_free_bytes(fsm, fsm_drive_by_id(fsm, 1)), 0);
	assert_int_equal(change(fsm, CMD_DRIVE_REMOVE, 1), FSM_REFUSED);

	/* thick: one room for both */
	drive(fsm, 2, NODE(1), 2 * GB, 0, true);
	assert_null(fsm_drive_best(fsm, node, 2 * GB));
	assert_int_equal(fsm_drive_best(fsm, node, GB)->id, 2);
	assert_int_equal(reserve(fsm, 2, GB, 3), 4);
	assert_null(fsm_drive_best(fsm, node, GB));
	assert_true(fsm_drive_free_bytes(fsm, fsm_drive_by_id(fsm, 2)) < GB - meta);

	/* names follow from the slot alone; a place in the middle is used again */
	node = fsm_node_by_id(fsm, NODE(1));
	assert_string_equal(node->backing[2].data_path, "/dev/holdfast-00000001/01010101-1-55667789");
	assert_string_equal(node->backing[2].meta_path,
			    "/dev/holdfast-00000001/01010101-1-55667789-meta");
	assert_true(node->backing[2].used && node->backing[2].drive == 1);
	fsm_drive_free(fsm_node_get(fsm, NODE(1)), 3);
	assert_int_equal(node->nr_backing, 5);
	index = reserve(fsm, 1, GB, 4);
	assert_int_equal(index, 3);
	fsm_drive_free(fsm_node_get(fsm, NODE(1)), 3);
	fsm_drive_free(fsm_node_get(fsm, NODE(1)), 4);
	assert_int_equal(node->nr_backing, 3);
	fsm_drive_free(fsm_node_get(fsm, NODE(1)), 2);
	assert_int_equal(node->nr_backing, 2);	/* pairs stay */
	assert_int_equal(fsm_drive_slots(fsm, fsm_drive_by_id(fsm, 1)), 0);
	assert_int_equal(change(fsm, CMD_DRIVE_REMOVE, 1), FSM_OK);
	fsm_free(fsm);
}

static void test_full_and_faulty(void **state)
{
	struct fsm *fsm = fix_cluster(1);
	const struct fsm_node *node = fsm_node_by_id(fsm, NODE(1));
	unsigned int events;

	(void)state;
	drive(fsm, 1, NODE(1), 4 * GB, 64 * MB, false);
	assert_int_equal(note(fsm, 1, 60, false, 0), FSM_INVALID);
	assert_int_equal(note(fsm, 1, 80, false, 0), FSM_OK);
	assert_string_equal(fix_event(fsm, 0),
			    "[warning] [DFS] drive 101010100000sdb is 80% full:2015");
	events = fsm->event_count;
	assert_int_equal(note(fsm, 1, 80, false, 0), FSM_OK);
	assert_int_equal(note(fsm, 1, 70, false, 0), FSM_OK);
	assert_int_equal(fsm->event_count, events);	/* once a crossing, upwards */
	assert_non_null(fsm_drive_best(fsm, node, GB));
	assert_int_equal(note(fsm, 1, 100, false, 0), FSM_OK);
	assert_string_equal(fix_event(fsm, 0),
			    "[error] [DFS] drive 101010100000sdb is full: writes to copies on it fail:2016");
	assert_null(fsm_drive_best(fsm, node, GB));
	assert_int_equal(note(fsm, 1, 90, false, 0), FSM_OK);
	assert_string_equal(fix_event(fsm, 0),
			    "[info] [DFS] drive 101010100000sdb has room again:1016");
	assert_non_null(fsm_drive_best(fsm, node, GB));

	assert_int_equal(note(fsm, 1, 90, true, 0), FSM_OK);
	assert_string_equal(fix_event(fsm, 0),
			    "[error] [DFS] drive 101010100000sdb on node 10101010 is faulty:2014");
	assert_null(fsm_drive_best(fsm, node, GB));
	assert_int_equal(note(fsm, 1, 90, false, 0), FSM_OK);
	assert_string_equal(fix_event(fsm, 0),
			    "[info] [DFS] drive 101010100000sdb on node 10101010 is normal again:1015");

	assert_int_equal(note(fsm, 1, 90, false, 2), FSM_OK);
	assert_string_equal(fix_event(fsm, 0),
			    "[warning] [DFS] drive 101010100000sdb holds 2 logical volumes of no volume, 0a1b2c3d-0-01020304 for one:2017");
	events = fsm->event_count;
	assert_int_equal(note(fsm, 1, 90, false, 1), FSM_OK);
	assert_int_equal(note(fsm, 1, 90, false, 0), FSM_OK);
	assert_int_equal(fsm->event_count, events);
	assert_int_equal(note(fsm, 2, 90, false, 0), FSM_UNKNOWN);
	fsm_free(fsm);
}

/* Drives and their slots come back from a snapshot, a slot on no drive is refused. */
static void test_snapshot(void **state)
{
	struct fsm *fsm = fix_cluster(2), *back;
	json_t *json;
	char why[256];

	(void)state;
	drive(fsm, 1, NODE(1), 4 * GB, 64 * MB, false);
	drive(fsm, 2, NODE(1), 4 * GB, 64 * MB, true);
	reserve(fsm, 1, GB, 1);
	reserve(fsm, 2, GB, 2);
	fsm_drive_free(fsm_node_get(fsm, NODE(1)), 2);	/* an empty entry before one in use */
	note(fsm, 2, 90, true, 3);
	json = state_to_json(fsm);
	back = state_from_json(json, why, sizeof(why));
	assert_non_null(back);
	assert_int_equal(back->nr_drives, 2);
	assert_memory_equal(back->drives, fsm->drives, 2 * sizeof(*fsm->drives));
	assert_int_equal(fsm_drive_slots(back, fsm_drive_by_id(back, 2)), 1);
	fsm_free(back);

	json_array_remove(json_object_get(json, "drives"), 1);
	assert_null(state_from_json(json, why, sizeof(why)));
	json_array_append(json_object_get(json, "drives"),
			  json_array_get(json_object_get(json, "drives"), 0));
	assert_null(state_from_json(json, why, sizeof(why)));
	json_decref(json);
	fsm_free(fsm);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_full_and_faulty),
		cmocka_unit_test(test_snapshot),
	};

	return cmocka_run_group_tests_name("drive", tests, NULL, NULL);
}
