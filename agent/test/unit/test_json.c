// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * JSON forms: every command, the state and reports come back as they went, and
 * what is malformed is refused whole, with a sentence.
 */
#include <errno.h>

#include "fixture.h"

#include "../../facts.h"
#include "../../state_json.h"

static u64 seed = 7;

static u64 draw(u64 limit)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (seed >> 33) % limit;
}

static void fill_conf(struct hf_conf_data *conf)
{
	unsigned int i;

	memset(conf->volume, 0xab, sizeof(conf->volume));
	conf->size_bytes = 1 << 20;
	conf->term = 3;
	conf->epoch = 9;
	conf->primary_node = NODE(2);
	conf->primary_instance = UINT64_MAX - 1;
	conf->activated_term = 2;
	conf->activated_instance = 0x8000000000000001ull;
	conf->policies = HF_POLICY_ERROR_WHEN_HELD;
	conf->held_timeout_ms = 5000;
	conf->vdisk = 4;
	conf->in_sync_mask = 5;
	for (i = 0; i < 3; i++) {
		conf->slots[i].node = NODE(i + 1);
		conf->slots[i].incarnation = UINT64_MAX - i;
		conf->slots[i].cited_life = i;
	}
}

/* One command of each kind with all of its members set. */
static struct command sample(enum command_kind kind)
{
	struct command cmd = fix_command(kind);

	cmd.id = UINT64_MAX - (u64)kind;
	switch (kind) {
	case CMD_INIT:
		memset(cmd.init.cluster, 5, sizeof(cmd.init.cluster));
		fix_node(&cmd.init.node, 1);
		break;
	case CMD_TOKEN_ADD:
		memset(cmd.token_add.hash, 0xfe, sizeof(cmd.token_add.hash));
		cmd.token_add.expires_ms = NOW;
		break;
	case CMD_JOIN:
		memset(cmd.join.hash, 0xfe, sizeof(cmd.join.hash));
		fix_node(&cmd.join.node, 2);
		cmd.join.node.backing[1].rotational = true;
		break;
	case CMD_VOLUME_CREATE:
		cmd = fix_create("web", 1 << 20, 3);
		cmd.volume_create.policies = HF_POLICY_NO_DATA_CRC;
		cmd.volume_create.attach_mode = FSM_ATTACH_FOLLOW;
		cmd.volume_create.nr_nodes = 2;
		cmd.volume_create.nodes[0] = NODE(3);
		cmd.volume_create.nodes[1] = UINT32_MAX;
		break;
	case CMD_SLOT_MADE:
	case CMD_SLOT_FAILED:
	case CMD_SLOT_RETIRED:
		memset(cmd.slot.volume, 3, sizeof(cmd.slot.volume));
		cmd.slot.slot_nr = 3;
		cmd.slot.node = NODE(2);
		cmd.slot.incarnation = UINT64_MAX;
		if (kind == CMD_SLOT_FAILED)
			snprintf(cmd.slot.reason, sizeof(cmd.slot.reason), "no \"room\" \\ left");
		break;
	case CMD_VOLUME_DELETE:
	case CMD_ATTACH:
	case CMD_DETACH:
	case CMD_MOVE:
		memset(cmd.wish.volume, 3, sizeof(cmd.wish.volume));
		cmd.wish.node = NODE(3);
		cmd.wish.force = true;
		break;
	case CMD_WISH_REFUSED:
		cmd.wish_refused.request_id = UINT64_MAX;
		cmd.wish_refused.node = NODE(3);
		break;
	case CMD_FAILOVER:
		cmd.failover.from = NODE(1);
		cmd.failover.to = NODE(2);
		break;
	case CMD_NODE_DOWN:
	case CMD_NODE_UP:
	case CMD_NODE_UNCORDON:
		cmd.node_status.node = NODE(2);
		cmd.node_status.boot_id = UINT64_MAX;
		break;
	case CMD_NODE_CORDON:
		cmd.node_cordon.node = NODE(2);
		cmd.node_cordon.cordon = FSM_CORDON_SHUTDOWN;
		cmd.node_cordon.boot_id = UINT64_MAX;
		break;
	case CMD_SLOT_PLACE:
	case CMD_SLOT_UNPLACE:
		memset(cmd.slot_place.volume, 3, sizeof(cmd.slot_place.volume));
		cmd.slot_place.slot_nr = 3;
		cmd.slot_place.lost_nr = HF_MAX_SLOTS;
		cmd.slot_place.node = NODE(3);
		cmd.slot_place.incarnation = UINT64_MAX;
		break;
	case CMD_SET:
		cmd.set.rebuild_delay_ms = 10000;
		break;
	case CMD_REBUILD_BEGUN:
		cmd.rebuild_begun.slot_nr = 2;
		break;
	case CMD_DRIVE_ADD:
		cmd.drive_add = (struct cmd_drive_add){
			.drive = UINT32_MAX, .node = NODE(2), .device = "/dev/disk/by-id/x y",
			.thick = true, .overcommit_pct = 100,
		};
		break;
	case CMD_DRIVE_MADE:
		cmd.drive_made = (struct cmd_drive_made){
			.drive = 7, .data_bytes = INT64_MAX, .meta_bytes = 1, .rotational = true,
			.disk = "sdb",
		};
		break;
	case CMD_DRIVE_FAILED:
	case CMD_DRIVE_REMOVE:
	case CMD_DRIVE_GONE:
		cmd.drive.drive = 7;
		if (kind == CMD_DRIVE_FAILED)
			snprintf(cmd.drive.reason, sizeof(cmd.drive.reason), "sdb is mounted");
		break;
	case CMD_DRIVE_NOTE:
		cmd.drive_note = (struct cmd_drive_note){
			.drive = 7, .faulty = true, .usage_level = 90, .nr_orphans = 2,
			.orphan = "0a1b2c3d-0-01020304",
		};
		break;
	default:
		cmd.conf.step = STEP_NAME;
		cmd.conf.expected_epoch = 8;
		fill_conf(&cmd.conf.conf);
		cmd.conf.unclean_mask = 5;
		cmd.conf.lost_mask = 2;
		cmd.conf.life = 0xfedcba9876543210ull;
	}
	return cmd;
}

static void test_commands_round_trip(void **state)
{
	struct command cmd, back;
	char why[256] = "";
	size_t size;
	char *text;
	int kind;

	(void)state;
	for (kind = CMD_INIT; kind < CMD_KINDS; kind++) {
		cmd = sample(kind);
		assert_int_equal(command_encode(&cmd, &text, &size), 0);
		if (command_decode(text, size, &back, why, sizeof(why)))
			fail_msg("%s: %s", command_kind_name(kind), why);
		assert_memory_equal(&cmd, &back, sizeof(cmd));
		free(text);
	}
}

/* Take members away, add others, change types and values: all refused. */
static void test_commands_malformed(void **state)
{
	char why[256];
	int kind;

	(void)state;
	for (kind = CMD_INIT; kind < CMD_KINDS; kind++) {
		struct command cmd = sample(kind), back;
		json_t *json = command_to_json(&cmd), *copy, *value;
		const char *key;

		json_object_foreach(json, key, value) {
			copy = json_deep_copy(json);
			json_object_del(copy, key);
			why[0] = '\0';
			assert_int_equal(command_from_json(copy, &back, why, sizeof(why)), -EINVAL);
			assert_true(why[0] != '\0');
			assert_int_equal(back.kind, CMD_NONE);
			json_object_set_new(copy, key, json_null());
			assert_int_equal(command_from_json(copy, &back, NULL, 0), -EINVAL);
			json_decref(copy);
		}
		json_object_set_new(json, "more", json_integer(1));
		assert_int_equal(command_from_json(json, &back, why, sizeof(why)), -EINVAL);
		assert_non_null(strstr(why, "not known"));
		json_decref(json);
	}
}

/* Garbage never crashes the decoders; ASan watches. */
static void test_garbage(void **state)
{
	struct command cmd, back;
	struct fsm *fsm;
	unsigned int i, n;
	size_t size;
	char *text;

	(void)state;
	for (i = 0; i < 20000; i++) {
		cmd = sample(1 + (int)draw(CMD_KINDS - 1));
		assert_int_equal(command_encode(&cmd, &text, &size), 0);
		for (n = (unsigned int)draw(4); n < 4; n++)
			text[draw(size)] = (char)draw(256);
		if (draw(3) == 0)
			size = draw(size);
		if (command_decode(text, size, &back, NULL, 0) == 0) {
			struct fsm_result result;

			/* Well-formed by chance: it must be safe to apply. */
			fsm = fsm_new();
			fsm_apply(fsm, &back, &result);
			fsm_free(fsm);
		}
		free(text);
	}
}

static struct fsm *rich_state(void)
{
	struct fsm *fsm = fix_cluster(3);
	struct command cmd = fix_create("new", 1 << 20, 1);

	fix_ready(fsm, "web", 2);
	fix_serve(fsm, "web", NODE(2));
	cmd.volume_create.attach_mode = FSM_ATTACH_FOLLOW;
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	fix_token(fsm, 99);
	cmd = fix_set(fix_volume(fsm, "web"), STEP_DROP, 2);
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	assert_int_equal(fix_wish(fsm, "web", CMD_DETACH, 0, false), FSM_OK);
	assert_int_equal(fix_wish(fsm, "web", CMD_ATTACH, NODE(1), false), FSM_REFUSED);
	return fsm;
}

static void test_state_round_trip(void **state)
{
	struct fsm *fsm = rich_state(), *back;
	char why[256] = "", *text, *again;
	struct fsm_result a, b;
	size_t size, size_again;

	(void)state;
	assert_int_equal(state_encode(fsm, &text, &size), 0);
	back = state_decode(text, size, why, sizeof(why));
	if (!back)
		fail_msg("%s", why);
	assert_int_equal(state_encode(back, &again, &size_again), 0);
	assert_string_equal(text, again);
	assert_memory_equal(fsm->volumes, back->volumes,
			    fsm->nr_volumes * sizeof(*fsm->volumes));
	assert_memory_equal(fsm->nodes, back->nodes, fsm->nr_nodes * sizeof(*fsm->nodes));
	/* It goes on in the same way, retries included. */
	assert_true(fsm_outcome(back, fix_id, &b));
	assert_true(fsm_outcome(fsm, fix_id, &a));
	assert_string_equal(a.sentence, b.sentence);
	free(text);
	free(again);
	fsm_free(fsm);
	fsm_free(back);
}

static void test_state_malformed(void **state)
{
	struct fsm *fsm = rich_state(), *back;
	json_t *json = state_to_json(fsm), *copy, *value;
	unsigned int i, n;
	const char *key;
	char *text, why[256];
	size_t size;

	(void)state;
	json_object_foreach(json, key, value) {
		copy = json_deep_copy(json);
		json_object_del(copy, key);
		assert_null(state_from_json(copy, why, sizeof(why)));
		json_decref(copy);
	}
	/* A slot on a pair that is not there. */
	copy = json_deep_copy(json);
	value = json_array_get(json_object_get(copy, "volumes"), 0);
	json_array_set_new(json_object_get(value, "backing"), 0, json_integer(9));
	assert_null(state_from_json(copy, why, sizeof(why)));
	assert_non_null(strstr(why, "pair"));
	json_decref(copy);
	json_decref(json);
	assert_int_equal(state_encode(fsm, &text, &size), 0);
	for (i = 0; i < 1500; i++) {
		char *bent = malloc(size);

		memcpy(bent, text, size);
		for (n = 0; n < 3; n++)
			bent[draw(size)] = (char)(' ' + draw(90));
		back = state_decode(bent, draw(4) ? size : draw(size), NULL, 0);
		fsm_free(back);
		free(bent);
	}
	free(text);
	fsm_free(fsm);
}

static void fill_report(struct node_report *report)
{
	struct kernel_volume *vol;

	memset(report, 0, sizeof(*report));
	report->node = NODE(2);
	report->boot_id = UINT64_MAX;
	report->state_version = 42;
	snprintf(report->agent_version, sizeof(report->agent_version), "1.0");
	report->nr_heard = 2;
	report->heard[0] = (struct heard){ NODE(1), 12, FACTS_NEVER_MS };
	report->heard[1] = (struct heard){ NODE(3), UINT32_MAX, 0 };
	report->view.loaded = true;
	vol = kernel_view_add(&report->view);
	fill_conf(&vol->conf);
	memcpy(vol->uuid, vol->conf.volume, sizeof(vol->uuid));
	vol->slot = (struct kernel_slot){ .state = HOLDFAST_SLOT_FAILED, .slot_nr = 1,
		.unclean = true, .life = UINT64_MAX, .incarnation = 5, .promise_ms = 1,
		.log_used = 2, .log_entries = 3, .backing_busy = 4, .error = -5,
		.attach_error = -6, .own_dirty_bytes = 7, .allocated_bytes = 8 };
	vol->disk = (struct kernel_disk){ .state = HOLDFAST_DISK_ACTIVE, .instance = UINT64_MAX,
		.openers = 1, .in_flight = 2, .held = 3, .holding_ms = 4, .stable = 5,
		.seq = UINT64_MAX };
	vol->nr_remotes = 1;
	vol->remotes[0] = (struct kernel_remote){ .slot_nr = 2,
		.link_state = HOLDFAST_LINK_READY, .rebuild_state = HOLDFAST_REBUILD_FAILED,
		.down_reason = HOLDFAST_DOWN_CHECKSUM, .unclean = true, .flags = 31,
		.lease_ms = 5, .holding_ms = 6, .link_id = 7, .life = UINT64_MAX,
		.adopted_epoch = 9, .rebuild_total_bytes = 10, .rebuild_done_bytes = 11,
		.out_of_sync_bytes = 12 };
	vol->out_of_sync_bytes[3] = 4096;
	report->storage.nr_drives = 1;
	report->storage.drives[0] = (struct drive_report){ .drive = UINT32_MAX, .present = true,
		.data_pct = 9999, .meta_pct = 10000, .data_bytes = 5, .used_bytes = 4,
		.disk = "nvme0n1" };
	report->storage.nr_disks = 1;
	report->storage.disks[0] = (struct disk_report){ .disk = "sdz", .size_bytes = INT64_MAX,
		.rotational = true };
}

static void test_report_round_trip(void **state)
{
	struct node_report report, back;
	char why[256] = "";
	json_t *json;

	(void)state;
	fill_report(&report);
	json = node_report_to_json(&report);
	assert_non_null(json);
	if (node_report_from_json(json, &back, why, sizeof(why)))
		fail_msg("%s", why);
	assert_memory_equal(report.heard, back.heard, sizeof(report.heard));
	assert_int_equal(back.boot_id, report.boot_id);
	assert_int_equal(back.view.nr_volumes, 1);
	assert_memory_equal(&back.view.volumes[0], &report.view.volumes[0],
			    sizeof(struct kernel_volume));
	node_report_clear(&back);
	json_decref(json);
	node_report_clear(&report);
}

/* Every member of every part of a report, broken: refused, nothing leaks. */
static void break_all(json_t *root, json_t *part)
{
	struct node_report back;
	json_t *value;
	const char *key;
	void *tmp;
	size_t i;

	if (json_is_array(part)) {
		json_array_foreach(part, i, value)
			break_all(root, value);
		return;
	}
	json_object_foreach_safe(part, tmp, key, value) {
		json_t *kept = json_incref(value);

		json_object_set_new(part, key, json_real(1.5));
		assert_int_equal(node_report_from_json(root, &back, NULL, 0), -EINVAL);
		json_object_set_new(part, key, json_integer(-1));
		if (strcmp(key, "error") && strcmp(key, "attach_error"))
			assert_int_equal(node_report_from_json(root, &back, NULL, 0), -EINVAL);
		json_object_set_new(part, key, kept);
		break_all(root, kept);
	}
}

static void test_report_malformed(void **state)
{
	struct node_report report;
	json_t *json;

	(void)state;
	fill_report(&report);
	json = node_report_to_json(&report);
	break_all(json, json);
	json_decref(json);
	node_report_clear(&report);
}

/* R9: marks say what an attempt begins with, its own progress what it has left. */
static void test_left_bytes(void **state)
{
	struct kernel_volume vol = { .nr_remotes = 1, .slot.state = HOLDFAST_SLOT_UP };
	struct kernel_remote *remote = &vol.remotes[0];

	(void)state;
	fill_conf(&vol.conf);
	vol.conf.in_sync_mask = 1;
	memset(vol.conf.slots, 0, sizeof(vol.conf.slots));
	vol.conf.slots[0] = (struct hf_conf_slot){ .node = 1, .incarnation = 1 };
	vol.conf.slots[2] = (struct hf_conf_slot){ .node = 3, .incarnation = 3 };
	vol.out_of_sync_bytes[0] = 1;
	vol.out_of_sync_bytes[1] = 2;
	vol.out_of_sync_bytes[2] = 1000;
	assert_int_equal(kernel_volume_left_bytes(&vol, 0), 0);
	assert_int_equal(kernel_volume_left_bytes(&vol, 1), 0);
	assert_int_equal(kernel_volume_left_bytes(&vol, HF_MAX_SLOTS), 0);
	/* not linked, and after an attempt that failed */
	*remote = (struct kernel_remote){ .slot_nr = 1 };
	assert_int_equal(kernel_volume_left_bytes(&vol, 2), 1000);
	*remote = (struct kernel_remote){ .slot_nr = 2, .rebuild_total_bytes = 1200,
					  .rebuild_done_bytes = 900 };
	assert_int_equal(kernel_volume_left_bytes(&vol, 2), 1000);
	remote->rebuild_state = HOLDFAST_REBUILD_FAILED;
	assert_int_equal(kernel_volume_left_bytes(&vol, 2), 1000);
	remote->rebuild_state = HOLDFAST_REBUILD_COPYING;
	assert_int_equal(kernel_volume_left_bytes(&vol, 2), 300);
	remote->rebuild_state = HOLDFAST_REBUILD_FINISHING;
	assert_int_equal(kernel_volume_left_bytes(&vol, 2), 300);
	remote->rebuild_state = HOLDFAST_REBUILD_ADMISSIBLE;
	remote->rebuild_done_bytes = 1300;
	assert_int_equal(kernel_volume_left_bytes(&vol, 2), 0);
	/* R11: without marks of its own it may be all. */
	vol.slot.state = HOLDFAST_SLOT_NONE;
	remote->rebuild_state = HOLDFAST_REBUILD_NONE;
	assert_int_equal(kernel_volume_left_bytes(&vol, 2), vol.conf.size_bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands_round_trip),
		cmocka_unit_test(test_commands_malformed),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_state_round_trip),
		cmocka_unit_test(test_state_malformed),
		cmocka_unit_test(test_report_round_trip),
		cmocka_unit_test(test_report_malformed),
		cmocka_unit_test(test_left_bytes),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
