// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The parts of storage that need no disk: lvm's reports, labels, the geometry of
 * pools, levels of usage and what a drive's node makes of a look, and children
 * that end, hang, or cannot be started.
 */
#include <errno.h>

#include "fixture.h"

#include "../../child.h"
#include "../../drive_watch.h"
#include "../../lvm.h"

#define MB	(1ull << 20)
#define GB	(1ull << 30)

/* As lvm 2.03.16 prints it. */
static const char report[] =
	"  {\n      \"report\": [\n          {\n              \"lv\": [\n"
	"                  {\"lv_name\":\"0a1b2c3d-0-11223344\", \"lv_size\":\"1073741824\", "
	"\"lv_tags\":\"holdfast.of.x,holdfast.slot\", \"lv_active\":\"active\", \"pool_lv\":\"pool\", "
	"\"segtype\":\"thin\", \"data_percent\":\"19.53\", \"metadata_percent\":\"\", "
	"\"lv_when_full\":\"\", \"lv_health_status\":\"\"},\n"
	"                  {\"lv_name\":\"pool\", \"lv_size\":\"209715200\", \"lv_tags\":\"holdfast.pool\", "
	"\"lv_active\":\"active\", \"pool_lv\":\"\", \"segtype\":\"thin-pool\", "
	"\"data_percent\":\"100.00\", \"metadata_percent\":\"11.08\", \"lv_when_full\":\"error\", "
	"\"lv_health_status\":\"out_of_data\"},\n"
	"                  {\"lv_name\":\"mine\", \"lv_size\":\"4194304\", \"lv_tags\":\"xholdfast.\", "
	"\"lv_active\":\"\", \"pool_lv\":\"\", \"segtype\":\"linear\", \"data_percent\":\"\", "
	"\"metadata_percent\":\"\", \"lv_when_full\":\"\", \"lv_health_status\":\"\"}\n"
	"              ]\n          }\n      ]\n  }\n";

static void test_report(void **state)
{
	const struct lvm_lv *lv;
	struct lvm_lvs lvs;
	char why[256] = "";

	(void)state;
	assert_int_equal(lvm_read_lvs(report, strlen(report), &lvs, why, sizeof(why)), 0);
	assert_int_equal(lvs.count, 3);
	lv = lvm_lvs_find(&lvs, "pool");
	assert_true(lv->is_pool && lv->is_ours && lv->error_when_full && lv->out_of_data);
	assert_int_equal(lv->data_pct, 10000);
	assert_int_equal(lv->meta_pct, 1108);
	lv = lvm_lvs_find(&lvs, "0a1b2c3d-0-11223344");
	assert_true(lv->is_ours && lv->is_active && !lv->is_pool && !lv->out_of_data);
	assert_int_equal(lv->data_pct, 1953);
	assert_true(lv->size_bytes == GB);
	assert_string_equal(lv->pool, "pool");
	lv = lvm_lvs_find(&lvs, "mine");
	assert_false(lv->is_ours || lv->is_active);
	assert_null(lvm_lvs_find(&lvs, "poo"));
	lvm_lvs_clear(&lvs);
}

/* Each member is needed, and of its form; a report cut anywhere is refused. */
static void test_report_malformed(void **state)
{
	static const char *const bent[][2] = {
		{ "lv_size\":\"1073741824", "lv_size\":\"-1" }, { "1073741824", "10737418 4" },
		{ "1073741824", "99999999999999999999" }, { "\"19.53\"", "\"19.5.3\"" },
		{ "\"19.53\"", "\"100.01\"" }, { "\"19.53\"", "19.53" }, { "\"19.53\"", "\".5\"" },
		{ "lv_active", "lv_action" }, { "\"0a1b2c3d-0-11223344\"", "\"\"" },
		{ "\"lv\"", "\"vg\"" }, { "\"report\"", "\"log\"" },
	};
	struct lvm_lvs lvs;
	char why[256], text[4096], *at;
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof(bent) / sizeof(bent[0]); i++) {
		at = strstr(report, bent[i][0]);
		assert_non_null(at);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - report), report, bent[i][1],
			 at + strlen(bent[i][0]));
		why[0] = '\0';
		if (!lvm_read_lvs(text, strlen(text), &lvs, why, sizeof(why)))
			fail_msg("%s was taken", bent[i][1]);
		assert_true(why[0]);
		assert_null(lvs.lvs);
	}
	for (len = 0; len < strlen(report) - 4; len++)
		assert_int_equal(lvm_read_lvs(report, len, &lvs, why, sizeof(why)), -EINVAL);
}

static void test_group(void **state)
{
	static const char group[] =
		"{\"report\": [{\"vg\": [{\"vg_name\":\"holdfast-0000abcd\", \"vg_size\":\"2146435072\", "
		"\"vg_free\":\"1048576\", \"vg_extent_size\":\"1048576\", "
		"\"vg_tags\":\"holdfast.drive\", \"vg_missing_pv_count\":\"1\"}]}]}";
	static const char none[] = "{\"report\": [{\"vg\": []}]}";
	struct lvm_vg vg;
	char why[256];

	(void)state;
	assert_int_equal(lvm_read_vg(group, strlen(group), &vg, why, sizeof(why)), 0);
	assert_string_equal(vg.name, "holdfast-0000abcd");
	assert_true(vg.is_ours && vg.free_bytes == MB && vg.missing_pvs == 1);
	assert_int_equal(lvm_read_vg(none, strlen(none), &vg, why, sizeof(why)), -ENOENT);
	assert_int_equal(lvm_read_vg("{}", 2, &vg, why, sizeof(why)), -EINVAL);
}

static void test_label(void **state)
{
	char pv[DISK_PV_BYTES];
	u8 block[4096] = { 0 };

	(void)state;
	assert_false(disks_read_label(block, sizeof(block), pv));
	memcpy(block + 512, "LABELONE", 8);
	block[512 + 20] = 32;
	memcpy(block + 512 + 24, "LVM2 001", 8);
	memcpy(block + 512 + 32, "HoldFast0123456789abcdef01234567", 32);
	assert_true(disks_read_label(block, sizeof(block), pv));
	assert_string_equal(pv, "HoldFast0123456789abcdef01234567");
	assert_false(disks_read_label(block, 1023, pv));	/* cut in its sector */
	block[512 + 40] = '/';
	assert_false(disks_read_label(block, sizeof(block), pv));
	block[512 + 40] = '0';
	block[512 + 21] = 2;	/* behind the sector */
	assert_false(disks_read_label(block, sizeof(block), pv));
}

static void test_geometry(void **state)
{
	u64 bytes;

	(void)state;
	for (bytes = DISK_MIN_BYTES; bytes <= 64ull << 40; bytes = bytes * 3 / 2 / MB * MB) {
		struct lvm_pool pool;
		u64 left;

		lvm_pool_geometry(bytes, MB, &pool);
		assert_true(pool.data_bytes && !(pool.data_bytes % MB) && !(pool.meta_bytes % MB));
		assert_true(pool.data_bytes + 2 * pool.meta_bytes <= bytes);
		/* room for the metadata of slots that fill it, 1 GB each */
		left = bytes - pool.data_bytes - 2 * pool.meta_bytes;
		assert_true(left >= 32 * MB);
		assert_true(left / fsm_slot_meta_bytes(GB) >= pool.data_bytes / (2 * GB) ||
			    left >= bytes / 100);
		assert_true(pool.data_bytes / 1024 / pool.chunk_kib <= 4u << 20);
		assert_true(pool.meta_bytes >= pool.data_bytes / 1024 / pool.chunk_kib * 64);
		assert_true(pool.data_bytes > bytes * 8 / 10);
	}
}

static void test_levels(void **state)
{
	(void)state;
	assert_int_equal(drive_usage_level(0, 6999, false), 0);
	assert_int_equal(drive_usage_level(0, 7000, false), 70);
	assert_int_equal(drive_usage_level(0, 9999, false), 90);
	assert_int_equal(drive_usage_level(0, 10000, false), 100);
	assert_int_equal(drive_usage_level(0, 5000, true), 100);
	/* down only when it is well below, and then to where it belongs */
	assert_int_equal(drive_usage_level(80, 7701, false), 80);
	assert_int_equal(drive_usage_level(80, 7700, false), 70);
	assert_int_equal(drive_usage_level(100, 9701, false), 100);
	assert_int_equal(drive_usage_level(100, 9700, false), 90);
	assert_int_equal(drive_usage_level(100, 0, false), 0);
	assert_int_equal(drive_usage_level(70, 8000, false), 80);
}

static struct fsm *one_drive(bool thick)
{
	struct fsm *fsm = fix_cluster(1);
	struct command cmd = fix_command(CMD_DRIVE_ADD);

	cmd.drive_add = (struct cmd_drive_add){
		.drive = 1, .node = NODE(1), .device = "/dev/sdb", .thick = thick,
		.overcommit_pct = 100,
	};
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	cmd = fix_command(CMD_DRIVE_MADE);
	cmd.drive_made = (struct cmd_drive_made){
		.drive = 1, .data_bytes = 4 * GB, .meta_bytes = 64 * MB, .disk = "sdb",
	};
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	return fsm;
}

static void test_note(void **state)
{
	struct storage_item items[] = { { .name = "stranger" } };
	struct drive_seen seen = { .absent = 1 };
	struct fsm *fsm = one_drive(false);
	const struct fsm_drive *drive = fsm_drive_by_id(fsm, 1);
	struct cmd_drive_note note;
	struct command cmd;

	(void)state;
	assert_false(drive_note(fsm, drive, &seen, &note));	/* one look is none */
	seen.absent = DRIVE_ABSENT_LOOKS;
	assert_true(drive_note(fsm, drive, &seen, &note) && note.faulty);
	seen.absent = 0;
	seen.known = true;
	seen.list.data_pct = 1000;
	seen.list.meta_pct = 8100;
	assert_true(drive_note(fsm, drive, &seen, &note) && note.usage_level == 80);
	seen.list.meta_pct = 0;
	seen.list.count = 1;
	seen.list.items = items;
	seen.nr_orphans = 1;
	assert_false(drive_note(fsm, drive, &seen, &note));	/* the state may be old */
	seen.orphans_known = true;
	assert_true(drive_note(fsm, drive, &seen, &note));
	assert_string_equal(note.orphan, "stranger");
	cmd = fix_command(CMD_DRIVE_NOTE);
	cmd.drive_note = note;
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	assert_false(drive_note(fsm, drive, &seen, &note));
	fsm_free(fsm);

	/* a thick drive that is full of what was promised is as it should be */
	fsm = one_drive(true);
	seen = (struct drive_seen){ .known = true, .list = { .data_pct = 10000 } };
	assert_false(drive_note(fsm, fsm_drive_by_id(fsm, 1), &seen, &note));
	fsm_free(fsm);
}

/* Volumes are made on drives, without a pair; their slots are known there. */
static void test_placed(void **state)
{
	struct fsm *fsm = one_drive(false);
	const struct fsm_drive *drive = fsm_drive_by_id(fsm, 1);
	struct command cmd = fix_create("web", GB, 1);
	const struct fsm_backing *slot;
	struct storage_item item = { 0 };

	(void)state;
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	slot = fsm_slot_backing(fsm, fix_volume(fsm, "web"), 0);
	assert_int_equal(slot->drive, 1);
	snprintf(item.name, sizeof(item.name), "%s", strrchr(slot->meta_path, '/') + 1);
	assert_true(drive_item_has_slot(fsm, drive, &item));
	item.name[0] ^= 1;
	assert_false(drive_item_has_slot(fsm, drive, &item));
	assert_int_equal(fsm_drive_slots(fsm, drive), 1);
	fsm_free(fsm);
}

static void test_child(void **state)
{
	static const char *const env[] = { "PATH=/bin:/usr/bin", "WORD=deed", NULL };
	struct child_result result;

	(void)state;
	assert_int_equal(child_run((const char *const[]){ "sh", "-c",
				   "echo out $WORD; echo err >&2; test ! -t 0; exit 7", NULL },
				   env, 20000, &result), 0);
	assert_int_equal(result.status, 7);
	assert_string_equal(result.out, "out deed\n");
	assert_string_equal(result.err, "err\n");
	child_result_clear(&result);
	assert_int_equal(child_run((const char *const[]){ "no-such-program", NULL }, env, 20000,
				   &result), -ENOENT);
	assert_int_equal(child_run((const char *const[]){ "sh", "-c", "kill -9 $$", NULL }, env,
				   20000, &result), -EINTR);
	/* one that hangs is ended, with all that it started */
	assert_int_equal(child_run((const char *const[]){ "sh", "-c", "sleep 60 & sleep 60",
				   NULL }, env, 200, &result), -ETIMEDOUT);
	/* more output than is taken does not stop it */
	assert_int_equal(child_run((const char *const[]){ "sh", "-c",
				   "head -c 9000000 /dev/zero", NULL }, env, 60000, &result), 0);
	assert_int_equal(result.out_len, CHILD_OUTPUT_MAX);
	child_result_clear(&result);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_report_malformed),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_label),
		cmocka_unit_test(test_geometry),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_note),
		cmocka_unit_test(test_placed),
		cmocka_unit_test(test_child),
	};

	return cmocka_run_group_tests_name("storage", tests, NULL, NULL);
}
