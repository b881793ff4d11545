// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The state machine's commands: nodes, tokens, volumes, wishes, and the events
 * and sentences that users see.
 */
#include "fixture.h"

#define assert_sentence(part) assert_non_null(strstr(fix_result.sentence, part))

static void test_init_and_join(void **state)
{
	struct fsm *fsm = fsm_new();
	struct command cmd = fix_command(CMD_TOKEN_ADD);
	char role[16];

	(void)state;
	assert_int_equal(fix_apply(fsm, &cmd), FSM_REFUSED);
	assert_sentence("holdfast init");
	fsm_free(fsm);
	fsm = fix_cluster(4);
	assert_int_equal(fsm->nr_nodes, 4);
	assert_string_equal(fsm_node_by_id(fsm, NODE(2))->name, "v2");
	assert_ptr_equal(fsm_node_find(fsm, "10.0.0.3"), fsm_node_by_id(fsm, NODE(3)));
	assert_ptr_equal(fsm_node_find(fsm, "40404040"), fsm_node_by_name(fsm, "v4"));
	fsm_node_role(fsm, NODE(1), NODE(2), role, sizeof(role));
	assert_string_equal(role, "backup1");
	fsm_node_role(fsm, NODE(2), NODE(2), role, sizeof(role));
	assert_string_equal(role, "sds");
	fsm_node_role(fsm, NODE(3), NODE(2), role, sizeof(role));
	assert_string_equal(role, "backup2");
	fsm_node_role(fsm, NODE(4), NODE(2), role, sizeof(role));
	assert_string_equal(role, "standard");
	assert_true(fsm_node_votes(fsm, NODE(3)));
	assert_false(fsm_node_votes(fsm, NODE(4)));
	cmd = fix_command(CMD_INIT);
	fix_node(&cmd.init.node, 5);
	assert_int_equal(fix_apply(fsm, &cmd), FSM_EXISTS);
	fsm_free(fsm);
}

static void test_tokens(void **state)
{
	struct fsm *fsm = fix_cluster(1);
	struct command cmd;

	(void)state;
	assert_int_equal(fix_join(fsm, 2, 9), FSM_REFUSED);
	assert_sentence("not one of this cluster");
	fix_token(fsm, 9);
	assert_int_equal(fix_join(fsm, 2, 9), FSM_OK);
	assert_int_equal(fix_join(fsm, 3, 9), FSM_REFUSED);
	assert_sentence("has been used");
	fix_token(fsm, 10);
	cmd = fix_command(CMD_JOIN);
	cmd.time_ms = NOW + 3600001;
	memset(cmd.join.hash, 10, FSM_HASH_BYTES);
	fix_node(&cmd.join.node, 3);
	assert_int_equal(fix_apply(fsm, &cmd), FSM_REFUSED);
	assert_sentence("expired");
	/* Refused for another reason: the token is not used up by that. */
	assert_int_equal(fix_join(fsm, 2, 10), FSM_EXISTS);
	assert_int_equal(fix_join(fsm, 3, 10), FSM_OK);
	assert_int_equal(fsm->nr_nodes, 3);
	fsm_free(fsm);
}

static void test_tokens_that_admit(void **state)
{
	struct fsm *fsm = fix_cluster(1);
	u8 hash[FSM_HASH_BYTES];

	(void)state;
	memset(hash, 9, sizeof(hash));
	assert_false(fsm_token_admits(fsm, hash, NOW));
	fix_token(fsm, 9);
	assert_true(fsm_token_admits(fsm, hash, NOW + 3600000));
	assert_false(fsm_token_admits(fsm, hash, NOW + 3600001));
	assert_int_equal(fix_join(fsm, 2, 9), FSM_OK);
	assert_false(fsm_token_admits(fsm, hash, NOW));
	fsm_free(fsm);
}

static void test_join_refusals(void **state)
{
	struct fsm *fsm = fix_cluster(1);
	struct command cmd;

	(void)state;
	fix_token(fsm, 2);
	cmd = fix_command(CMD_JOIN);
	memset(cmd.join.hash, 2, FSM_HASH_BYTES);
	fix_node(&cmd.join.node, 2);
	snprintf(cmd.join.node.name, FSM_NAME_BYTES, "v1");
	assert_int_equal(fix_apply(fsm, &cmd), FSM_EXISTS);
	assert_sentence("--name");
	cmd.id = ++fix_id;
	snprintf(cmd.join.node.name, FSM_NAME_BYTES, "a b");
	assert_int_equal(fix_apply(fsm, &cmd), FSM_INVALID);
	cmd.id = ++fix_id;
	fix_node(&cmd.join.node, 2);
	snprintf(cmd.join.node.backing[1].meta_path, FSM_PATH_BYTES, "/dev/d0");
	assert_int_equal(fix_apply(fsm, &cmd), FSM_INVALID);
	assert_sentence("shares a device");
	cmd.id = ++fix_id;
	fix_node(&cmd.join.node, 2);
	cmd.join.node.backing[0].size_bytes = 4096;
	assert_int_equal(fix_apply(fsm, &cmd), FSM_INVALID);
	assert_sentence("too small");
	assert_int_equal(fsm->nr_nodes, 1);
	fsm_free(fsm);
}

static void test_retry_is_applied_once(void **state)
{
	struct fsm *fsm = fix_cluster(2);
	struct command cmd = fix_create("web", 1 << 20, 2);
	struct fsm_result outcome;
	u64 version;

	(void)state;
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	version = fsm->version;
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	assert_int_equal(fsm->nr_volumes, 1);
	assert_int_equal(fsm->version, version);
	cmd.id = ++fix_id;
	assert_int_equal(fix_apply(fsm, &cmd), FSM_EXISTS);
	assert_true(fsm_outcome(fsm, cmd.id, &outcome));
	assert_int_equal(outcome.code, FSM_EXISTS);
	assert_string_equal(outcome.sentence, fix_result.sentence);
	fsm_free(fsm);
}

static void test_create_refusals(void **state)
{
	static const struct {
		const char	*name;
		u64		size;
		u8		copies;
		enum fsm_code	code;
		const char	*part;
	} cases[] = {
		{ "", 1 << 20, 1, FSM_INVALID, "no volume name" },
		{ "a/b", 1 << 20, 1, FSM_INVALID, "no volume name" },
		{ "vd7", 1 << 20, 1, FSM_INVALID, "vdN" },
		{ "web", (1 << 20) - 4096, 1, FSM_INVALID, "too small" },
		{ "web", (1 << 20) + 512, 1, FSM_INVALID, "multiple of 4096" },
		{ "web", 1 << 20, 0, FSM_INVALID, "choose 1 to 4" },
		{ "web", 1 << 20, 5, FSM_INVALID, "choose 1 to 4" },
		{ "web", 1 << 20, 4, FSM_REFUSED, "4 copies of 1MB need" },
		{ "web", 8ull << 30, 1, FSM_REFUSED, "1 copy of 8GB needs" },
	};
	struct fsm *fsm = fix_cluster(3);
	struct command cmd;
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cmd = fix_create(cases[i].name, cases[i].size, cases[i].copies);
		assert_int_equal(fix_apply(fsm, &cmd), cases[i].code);
		assert_sentence(cases[i].part);
		assert_int_equal(fsm->nr_volumes, 0);
	}
	cmd = fix_create("web", 1 << 20, 2);
	cmd.volume_create.nr_nodes = 2;
	cmd.volume_create.nodes[0] = NODE(1);
	cmd.volume_create.nodes[1] = NODE(1);
	assert_int_equal(fix_apply(fsm, &cmd), FSM_INVALID);
	assert_sentence("named twice");
	cmd = fix_create("web", 1 << 20, 1);
	cmd.volume_create.policies = HF_POLICY_PRIVATE_COPY;
	assert_int_equal(fix_apply(fsm, &cmd), FSM_INVALID);
	assert_sentence("not supported yet");
	cmd = fix_create("web", 1 << 20, 1);
	cmd.volume_create.policies = HF_POLICY_ERROR_WHEN_HELD;
	assert_int_equal(fix_apply(fsm, &cmd), FSM_INVALID);
	fsm_free(fsm);
}

static void test_placement(void **state)
{
	struct fsm *fsm = fix_cluster(3);
	const struct fsm_volume *vol;
	struct command cmd;

	(void)state;
	/* Equal nodes: by the order of joining; the smaller pair that fits. */
	cmd = fix_create("a", 1 << 30, 2);
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	vol = fix_volume(fsm, "a");
	assert_int_equal(vol->conf.slots[0].node, NODE(1));
	assert_int_equal(vol->conf.slots[1].node, NODE(2));
	assert_int_equal(vol->backing[0], 0);
	assert_int_equal(vol->conf.vdisk, 1);
	/* v3 has the most free backing now. */
	cmd = fix_create("b", 2ull << 30, 2);
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	vol = fix_volume(fsm, "b");
	assert_int_equal(vol->conf.slots[0].node, NODE(3));
	assert_int_equal(vol->conf.slots[1].node, NODE(1));
	assert_int_equal(vol->backing[0], 1);
	assert_int_equal(vol->conf.vdisk, 2);
	/* Named nodes first. */
	cmd = fix_create("c", 1 << 30, 1);
	cmd.volume_create.nr_nodes = 1;
	cmd.volume_create.nodes[0] = NODE(2);
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	assert_int_equal(fix_volume(fsm, "c")->conf.slots[0].node, NODE(2));
	assert_int_equal(fsm_node_free_bytes(fsm, fsm_node_by_id(fsm, NODE(2))), 0);
	assert_ptr_equal(fsm_volume_find(fsm, "vd3"), fix_volume(fsm, "c"));
	fsm_free(fsm);
}

static void test_making(void **state)
{
	struct fsm *fsm = fix_cluster(2);
	struct command cmd = fix_create("web", 1 << 20, 2);
	const struct fsm_volume *vol;

	(void)state;
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	vol = fix_volume(fsm, "web");
	assert_int_equal(fix_wish(fsm, "web", CMD_ATTACH, NODE(1), false), FSM_REFUSED);
	assert_sentence("still being made");
	assert_int_equal(fix_slot(fsm, vol, CMD_SLOT_MADE, 1), FSM_OK);
	assert_int_equal(vol->conf.epoch, 0);
	assert_int_equal(fix_slot(fsm, vol, CMD_SLOT_MADE, 0), FSM_OK);
	assert_int_equal(vol->state, FSM_VOLUME_READY);
	assert_int_equal(vol->conf.epoch, 1);
	assert_int_equal(vol->conf.term, 0);
	assert_int_equal(vol->conf.in_sync_mask, 3);
	/* Late failures and repeated reports change nothing. */
	assert_int_equal(fix_slot(fsm, vol, CMD_SLOT_FAILED, 0), FSM_STALE);
	assert_int_equal(fix_slot(fsm, vol, CMD_SLOT_MADE, 0), FSM_OK);
	assert_int_equal(fix_slot(fsm, vol, CMD_SLOT_RETIRED, 0), FSM_ILLEGAL);
	assert_int_equal(vol->conf.epoch, 1);
	fsm_free(fsm);
}

static void test_making_fails(void **state)
{
	struct fsm *fsm = fix_cluster(2);
	struct command cmd = fix_create("web", 1 << 20, 2);
	const struct fsm_volume *vol;
	struct fsm_volume copy;

	(void)state;
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	copy = *fix_volume(fsm, "web");
	assert_int_equal(fix_slot(fsm, &copy, CMD_SLOT_FAILED, 1), FSM_OK);
	vol = fsm_volume_by_uuid(fsm, copy.uuid);
	assert_int_equal(vol->refused_id, cmd.id);
	assert_non_null(strstr(vol->refusal, "node v2 could not make its copy: the device is on fire"));
	assert_null(fsm_volume_by_name(fsm, "web"));
	assert_int_equal(fix_slot(fsm, &copy, CMD_SLOT_RETIRED, 0), FSM_OK);
	assert_int_equal(fix_slot(fsm, &copy, CMD_SLOT_RETIRED, 1), FSM_OK);
	assert_int_equal(fsm->nr_volumes, 0);
	assert_false(fsm_node_by_id(fsm, NODE(1))->backing[0].used);
	fsm_free(fsm);
}

static void test_delete(void **state)
{
	struct fsm *fsm = fix_cluster(2);
	struct fsm_volume copy;

	(void)state;
	fix_ready(fsm, "web", 2);
	fix_ready(fsm, "db", 1);
	fix_serve(fsm, "web", NODE(2));
	assert_int_equal(fix_wish(fsm, "web", CMD_VOLUME_DELETE, 0, false), FSM_REFUSED);
	assert_sentence("attached on node v2: detach it first");
	copy = *fix_volume(fsm, "db");
	assert_int_equal(fix_wish(fsm, "db", CMD_VOLUME_DELETE, 0, false), FSM_OK);
	assert_null(fsm_volume_find(fsm, "db"));
	assert_string_equal(fix_event(fsm, 0), "[info] [DFS] volume db (vd2) deleted:1007");
	/* The name is free at once, the disk's number when the last slot is gone. */
	fix_ready(fsm, "db", 1);
	assert_int_equal(fix_volume(fsm, "db")->conf.vdisk, 3);
	assert_int_equal(fix_slot(fsm, &copy, CMD_SLOT_RETIRED, 0), FSM_OK);
	assert_null(fsm_volume_by_uuid(fsm, copy.uuid));
	assert_non_null(fsm_volume_find(fsm, "db"));
	fsm_free(fsm);
}

static void test_wishes(void **state)
{
	struct fsm *fsm = fix_cluster(3);
	const struct fsm_volume *vol = fix_ready(fsm, "web", 2);
	struct command cmd;

	(void)state;
	assert_int_equal(fix_wish(fsm, "web", CMD_DETACH, 0, false), FSM_REFUSED);
	assert_int_equal(fix_wish(fsm, "web", CMD_MOVE, NODE(2), false), FSM_REFUSED);
	assert_int_equal(fix_wish(fsm, "web", CMD_ATTACH, NODE(9), false), FSM_UNKNOWN);
	/* R11: also without a copy. */
	assert_int_equal(fix_wish(fsm, "web", CMD_ATTACH, NODE(3), false), FSM_OK);
	assert_int_equal(vol->wanted_node, NODE(3));
	assert_int_equal(fix_wish(fsm, "web", CMD_DETACH, 0, false), FSM_OK);
	fix_serve(fsm, "web", NODE(2));
	assert_string_equal(fix_event(fsm, 0),
			    "[info] [DFS] volume web (vd1) created on node 20202020:1009");
	assert_int_equal(fix_wish(fsm, "web", CMD_ATTACH, NODE(2), false), FSM_OK);
	assert_int_equal(fix_wish(fsm, "web", CMD_ATTACH, NODE(1), false), FSM_REFUSED);
	assert_sentence("holdfast volume move");
	/* Open: the wish goes back to who serves. */
	assert_int_equal(fix_wish(fsm, "web", CMD_MOVE, NODE(1), false), FSM_OK);
	cmd = fix_command(CMD_WISH_REFUSED);
	memcpy(cmd.wish_refused.volume, vol->uuid, FSM_UUID_BYTES);
	cmd.wish_refused.request_id = vol->request_id;
	cmd.wish_refused.node = NODE(2);
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	assert_int_equal(vol->wanted_node, NODE(2));
	assert_int_equal(vol->refused_id, vol->request_id);
	assert_non_null(strstr(vol->refusal, "is open on node v2"));
	cmd.id = ++fix_id;
	assert_int_equal(fix_apply(fsm, &cmd), FSM_STALE);
	/* With force it does not. */
	assert_int_equal(fix_wish(fsm, "web", CMD_MOVE, NODE(1), true), FSM_OK);
	cmd.id = ++fix_id;
	cmd.wish_refused.request_id = vol->request_id;
	assert_int_equal(fix_apply(fsm, &cmd), FSM_STALE);
	/* A copy that is not in sync would stay so while its node serves. */
	cmd = fix_set(vol, STEP_DROP, 2);
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	assert_int_equal(fix_wish(fsm, "web", CMD_DETACH, 0, false), FSM_OK);
	assert_int_equal(fix_wish(fsm, "web", CMD_ATTACH, NODE(1), false), FSM_REFUSED);
	assert_sentence("node v1 has a copy of volume web that is not in sync: choose v2, or a node without a copy");
	fsm_free(fsm);
}

static void test_move_events(void **state)
{
	struct fsm *fsm = fix_cluster(2);
	const struct fsm_volume *vol = fix_ready(fsm, "web", 2);
	struct command cmd;

	(void)state;
	fix_serve(fsm, "web", NODE(2));
	assert_int_equal(fix_wish(fsm, "web", CMD_MOVE, NODE(1), false), FSM_OK);
	fix_serve(fsm, "web", NODE(1));
	assert_string_equal(fix_event(fsm, 1),
			    "[info] [DFS] volume web (vd1) created on node 10101010:1009");
	assert_string_equal(fix_event(fsm, 0),
			    "[info] [DFS] volume web (vd1) removed on node 20202020:1011");
	assert_int_equal(fix_wish(fsm, "web", CMD_DETACH, 0, false), FSM_OK);
	cmd = fix_step(vol, STEP_RELEASE);
	cmd.conf.conf.term++;
	cmd.conf.conf.primary_node = 0;
	cmd.conf.conf.primary_instance = 0;
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	assert_string_equal(fix_event(fsm, 0),
			    "[info] [DFS] volume web (vd1) removed on node 10101010:1011");
	assert_int_equal(fsm_volume_served_on(vol), 0);
	fsm_free(fsm);
}

static enum fsm_code node_status(struct fsm *fsm, enum command_kind kind, u32 node)
{
	struct command cmd = fix_command(kind);

	cmd.node_status.node = node;
	return fix_apply(fsm, &cmd);
}

static enum fsm_code failover(struct fsm *fsm, const char *name, u32 from, u32 to)
{
	struct command cmd = fix_command(CMD_FAILOVER);

	memcpy(cmd.failover.volume, fix_volume(fsm, name)->uuid, FSM_UUID_BYTES);
	cmd.failover.from = from;
	cmd.failover.to = to;
	return fix_apply(fsm, &cmd);
}

/* The history that the operators know, to the letter. */
static void test_failover_events(void **state)
{
	static const char *const story[] = {
		"[warning] [DFS] ID 20202020 node is cordoned:2010",
		"[info] [DFS] ID 20202020 node will exit:1002",
		"[info] [DFS] volume web (vd1) created on node 10101010:1009",
		"[info] [DFS] volume web (vd1) removed on node 20202020:1011",
		"[warning] [VD] volume web (vd1) copy on node 20202020 dropped:1012",
		"[info] [DFS] node (20202020) failover completed. hostname=v1, ip address=10.0.0.1 :1019",
		"[info] [DFS] ID 20202020 node is back:1005",
		"[info] [VD] volume web (vd1) rebuilding on node 20202020:1003",
		"[info] [VD] volume web (vd1) rebuild completed, ret:0:1020",
	};
	struct fsm *fsm = fix_cluster(3);
	const struct fsm_volume *vol = fix_ready(fsm, "web", 2);
	struct command cmd;
	unsigned int i, n = sizeof(story) / sizeof(story[0]);

	(void)state;
	fix_serve(fsm, "web", NODE(2));
	assert_int_equal(node_status(fsm, CMD_NODE_DOWN, NODE(2)), FSM_OK);
	assert_int_equal(node_status(fsm, CMD_NODE_DOWN, NODE(2)), FSM_OK);
	assert_int_equal(failover(fsm, "web", NODE(2), NODE(3)), FSM_REFUSED);
	assert_int_equal(failover(fsm, "web", NODE(2), NODE(1)), FSM_OK);
	assert_int_equal(failover(fsm, "web", NODE(2), NODE(1)), FSM_STALE);
	cmd = fix_name(vol, NODE(1), 77);
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	cmd = fix_activate(vol, 1);
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	assert_int_equal(node_status(fsm, CMD_NODE_UP, NODE(2)), FSM_OK);
	cmd = fix_command(CMD_REBUILD_BEGUN);
	memcpy(cmd.rebuild_begun.volume, vol->uuid, FSM_UUID_BYTES);
	cmd.rebuild_begun.slot_nr = 1;
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	cmd.id = ++fix_id;
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	cmd = fix_set(vol, STEP_READMIT, 3);
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	for (i = 0; i < n; i++)
		assert_string_equal(fix_event(fsm, n - 1 - i), story[i]);
	/* Number, UUID, size and name are what they were. */
	assert_int_equal(vol->conf.vdisk, 1);
	assert_int_equal(vol->conf.size_bytes, 1 << 20);
	assert_string_equal(vol->name, "web");
	fsm_free(fsm);
}

/* 1019 comes once, after the last of the volumes is served again. */
static void test_failover_of_two(void **state)
{
	struct fsm *fsm = fix_cluster(2);
	const struct fsm_volume *a, *b;
	struct command cmd;

	(void)state;
	fix_ready(fsm, "a", 2);
	fix_ready(fsm, "b", 2);
	fix_serve(fsm, "a", NODE(2));
	fix_serve(fsm, "b", NODE(2));
	a = fix_volume(fsm, "a");
	b = fix_volume(fsm, "b");
	node_status(fsm, CMD_NODE_DOWN, NODE(2));
	failover(fsm, "a", NODE(2), NODE(1));
	failover(fsm, "b", NODE(2), NODE(1));
	cmd = fix_name(a, NODE(1), 70);
	fix_apply(fsm, &cmd);
	cmd = fix_name(b, NODE(1), 71);
	fix_apply(fsm, &cmd);
	cmd = fix_activate(b, 1);
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	assert_null(strstr(fix_event(fsm, 0), ":1019"));
	cmd = fix_activate(a, 1);
	assert_int_equal(fix_apply(fsm, &cmd), FSM_OK);
	assert_non_null(strstr(fix_event(fsm, 0), "failover completed. hostname=v1, ip address=10.0.0.1 :1019"));
	fsm_free(fsm);
}

static void test_event_ring(void **state)
{
	struct fsm *fsm = fix_cluster(1);
	unsigned int i;

	(void)state;
	for (i = 0; i < FSM_MAX_EVENTS; i++)
		node_status(fsm, i % 2 ? CMD_NODE_UP : CMD_NODE_DOWN, NODE(1));
	assert_int_equal(fsm->event_count, FSM_MAX_EVENTS);
	assert_int_equal(fsm_event_at(fsm, FSM_MAX_EVENTS - 1)->seq, fsm->next_event_seq - 1);
	assert_int_equal(fsm_event_at(fsm, 0)->seq, fsm->next_event_seq - FSM_MAX_EVENTS);
	assert_null(fsm_event_at(fsm, FSM_MAX_EVENTS));
	fsm_free(fsm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init_and_join),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_tokens_that_admit),
		cmocka_unit_test(test_join_refusals),
		cmocka_unit_test(test_retry_is_applied_once),
		cmocka_unit_test(test_create_refusals),
		cmocka_unit_test(test_placement),
		cmocka_unit_test(test_making),
		cmocka_unit_test(test_making_fails),
		cmocka_unit_test(test_delete),
		cmocka_unit_test(test_wishes),
		cmocka_unit_test(test_move_events),
		cmocka_unit_test(test_failover_events),
		cmocka_unit_test(test_failover_of_two),
		cmocka_unit_test(test_event_ring),
	};

	return cmocka_run_group_tests_name("fsm", tests, NULL, NULL);
}
