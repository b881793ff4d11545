// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Configurations: every illegal step is refused with its sentence and changes
 * nothing (R1, R3, R4, R9, R10, R12, R13), and whatever is accepted, also out of
 * random garbage, is what a module accepts from the configuration before.
 */
#include "fixture.h"

/* Apply; a refusal must leave the volume as it was. */
static enum fsm_code step(struct fsm *fsm, struct command *cmd)
{
	struct fsm_volume before = *fsm_volume_by_uuid(fsm, cmd->conf.conf.volume);
	unsigned int events = fsm->event_count;
	enum fsm_code code;

	cmd->id = ++fix_id;
	code = fix_apply(fsm, cmd);
	if (code) {
		assert_memory_equal(&before, fsm_volume_by_uuid(fsm, before.uuid),
				    sizeof(before));
		assert_int_equal(fsm->event_count, events);
		assert_true(strlen(fix_result.sentence) > 10);
	}
	return code;
}

#define assert_illegal(fsm, cmd, part) do {				\
	assert_int_equal(step(fsm, cmd), FSM_ILLEGAL);			\
	assert_non_null(strstr(fix_result.sentence, part));		\
} while (0)

static struct fsm *attached(const struct fsm_volume **vol, u8 copies)
{
	struct fsm *fsm = fix_cluster(3);

	*vol = fix_ready(fsm, "web", copies);
	assert_int_equal(fix_wish(fsm, "web", CMD_ATTACH, NODE(1), false), FSM_OK);
	return fsm;
}

static void test_compare_and_set(void **state)
{
	const struct fsm_volume *vol;
	struct fsm *fsm = attached(&vol, 2);
	struct command cmd = fix_name(vol, NODE(1), 7);

	(void)state;
	cmd.conf.expected_epoch = 0;
	assert_int_equal(step(fsm, &cmd), FSM_STALE);
	cmd.conf.expected_epoch = 1;
	cmd.conf.conf.epoch = 3;
	assert_int_equal(step(fsm, &cmd), FSM_STALE);
	cmd.conf.conf.epoch = 2;
	assert_int_equal(step(fsm, &cmd), FSM_OK);
	assert_int_equal(step(fsm, &cmd), FSM_STALE);
	fsm_free(fsm);
}

static void test_constants(void **state)
{
	const struct fsm_volume *vol;
	struct fsm *fsm = attached(&vol, 2);
	struct command cmd;

	(void)state;
	cmd = fix_name(vol, NODE(1), 7);
	cmd.conf.conf.size_bytes *= 2;
	assert_illegal(fsm, &cmd, "changes UUID, size");
	cmd = fix_name(vol, NODE(1), 7);
	cmd.conf.conf.vdisk++;
	assert_illegal(fsm, &cmd, "changes UUID, size");
	cmd = fix_name(vol, NODE(1), 7);
	cmd.conf.conf.slots[1].incarnation++;
	assert_illegal(fsm, &cmd, "incarnation (R3b)");
	cmd = fix_name(vol, NODE(1), 7);
	cmd.conf.conf.slots[1].node = NODE(3);
	assert_illegal(fsm, &cmd, "another node");
	cmd = fix_name(vol, NODE(1), 7);
	cmd.conf.conf.in_sync_mask = 0;
	assert_illegal(fsm, &cmd, "empty (R3)");
	cmd = fix_name(vol, NODE(1), 7);
	cmd.conf.conf.in_sync_mask = 7;
	assert_illegal(fsm, &cmd, "not there");
	cmd = fix_name(vol, NODE(1), 7);
	cmd.conf.step = STEP_NONE;
	assert_illegal(fsm, &cmd, "not known");
	fsm_free(fsm);
}

static void test_name(void **state)
{
	const struct fsm_volume *vol;
	struct fsm *fsm = attached(&vol, 3);
	struct command cmd;

	(void)state;
	cmd = fix_name(vol, NODE(1), 7);
	cmd.conf.conf.term++;
	cmd.conf.conf.term++;
	assert_illegal(fsm, &cmd, "not in the next");
	cmd = fix_name(vol, NODE(1), 7);
	cmd.conf.conf.term--;
	assert_illegal(fsm, &cmd, "not in the next");
	cmd = fix_name(vol, NODE(1), 0);
	assert_illegal(fsm, &cmd, "no instance");
	cmd = fix_name(vol, NODE(2), 7);
	assert_int_equal(step(fsm, &cmd), FSM_STALE);
	cmd = fix_name(vol, NODE(1), 7);
	cmd.conf.conf.activated_term = 1;
	cmd.conf.conf.activated_instance = 7;
	assert_illegal(fsm, &cmd, "two steps (R4)");
	cmd = fix_name(vol, NODE(1), 7);
	cmd.conf.conf.in_sync_mask = 3;
	assert_illegal(fsm, &cmd, "changes the in-sync set");
	cmd = fix_name(vol, NODE(1), 7);
	cmd.conf.conf.slots[0].cited_life = 0;
	assert_illegal(fsm, &cmd, "cited wrongly");
	/* R10: unclean while one of the others is not known to be. */
	cmd = fix_name(vol, NODE(1), 7);
	cmd.conf.unclean_mask = 3;
	assert_illegal(fsm, &cmd, "(R10)");
	cmd = fix_name(vol, NODE(1), 7);
	cmd.conf.unclean_mask = 7;
	cmd.conf.conf.slots[2].cited_life = 0;
	assert_illegal(fsm, &cmd, "(R10)");
	cmd = fix_name(vol, NODE(1), 7);
	cmd.conf.unclean_mask = 6;
	assert_int_equal(step(fsm, &cmd), FSM_OK);
	assert_int_equal(vol->named_unclean_mask, 6);
	assert_false(hf_conf_activated(&vol->conf));
	fsm_free(fsm);
}

static void test_activate(void **state)
{
	const struct fsm_volume *vol;
	struct fsm *fsm = attached(&vol, 3);
	struct command cmd = fix_name(vol, NODE(1), 7);

	(void)state;
	cmd.conf.conf.slots[2].cited_life = 0;
	assert_int_equal(step(fsm, &cmd), FSM_OK);
	cmd = fix_activate(vol, 3);
	cmd.conf.conf.primary_instance = 8;
	cmd.conf.conf.activated_instance = 8;
	assert_illegal(fsm, &cmd, "another term, node or instance");
	cmd = fix_activate(vol, 3);
	cmd.conf.conf.activated_instance = 8;
	assert_illegal(fsm, &cmd, "does not name this");
	cmd = fix_activate(vol, 7);
	assert_illegal(fsm, &cmd, "not cited");
	cmd = fix_activate(vol, 2);
	assert_illegal(fsm, &cmd, "promoted slot is not in the set");
	cmd = fix_activate(vol, 3);
	cmd.conf.conf.slots[0].cited_life = 100;
	assert_illegal(fsm, &cmd, "cites lives");
	/* Nothing of the set may change before (R4). */
	cmd = fix_set(vol, STEP_DROP, 3);
	assert_illegal(fsm, &cmd, "before the primary is activated");
	cmd = fix_activate(vol, 1);
	assert_int_equal(step(fsm, &cmd), FSM_OK);
	assert_int_equal(vol->conf.in_sync_mask, 1);
	cmd = fix_activate(vol, 1);
	assert_illegal(fsm, &cmd, "activated already");
	fsm_free(fsm);
}

static void test_activate_unclean(void **state)
{
	const struct fsm_volume *vol;
	struct fsm *fsm = attached(&vol, 2);
	struct command cmd = fix_name(vol, NODE(1), 7);

	(void)state;
	cmd.conf.unclean_mask = 3;
	assert_int_equal(step(fsm, &cmd), FSM_OK);
	cmd = fix_activate(vol, 1);
	assert_illegal(fsm, &cmd, "without all others");
	cmd = fix_activate(vol, 3);
	assert_int_equal(step(fsm, &cmd), FSM_OK);
	assert_int_equal(vol->named_unclean_mask, 0);
	fsm_free(fsm);
}

static void test_set(void **state)
{
	const struct fsm_volume *vol;
	struct fsm *fsm = attached(&vol, 3);
	struct command cmd;

	(void)state;
	fix_serve(fsm, "web", NODE(1));
	cmd = fix_set(vol, STEP_DROP, 3);
	cmd.conf.lost_mask = 6;
	assert_illegal(fsm, &cmd, "other slots than are named");
	cmd = fix_set(vol, STEP_DROP, 7);
	assert_illegal(fsm, &cmd, "other slots than are named");
	cmd = fix_set(vol, STEP_DROP, 3);
	cmd.conf.conf.term++;
	assert_illegal(fsm, &cmd, "term, primary or activation");
	cmd = fix_set(vol, STEP_DROP, 3);
	cmd.conf.conf.slots[0].cited_life = 9;
	assert_illegal(fsm, &cmd, "after the activation");
	cmd = fix_set(vol, STEP_DROP, 1);
	assert_int_equal(step(fsm, &cmd), FSM_OK);
	/* R12: what is not in sync is not promoted. */
	assert_int_equal(fix_wish(fsm, "web", CMD_MOVE, NODE(2), true), FSM_REFUSED);
	cmd = fix_set(vol, STEP_READMIT, 7);
	assert_illegal(fsm, &cmd, "one slot and one life");
	cmd = fix_set(vol, STEP_READMIT, 3);
	cmd.conf.life = 0;
	assert_illegal(fsm, &cmd, "one slot and one life");
	cmd = fix_set(vol, STEP_READMIT, 2);
	assert_illegal(fsm, &cmd, "drops a slot");
	cmd = fix_set(vol, STEP_READMIT, 9);
	assert_illegal(fsm, &cmd, "not there");
	cmd = fix_set(vol, STEP_GIVE_UP, 3);
	assert_illegal(fsm, &cmd, "giving up");
	cmd = fix_set(vol, STEP_GIVE_UP, 1);
	assert_int_equal(step(fsm, &cmd), FSM_OK);
	cmd = fix_set(vol, STEP_READMIT, 3);
	assert_int_equal(step(fsm, &cmd), FSM_OK);
	cmd = fix_set(vol, STEP_DROP, 1 | 4);
	assert_illegal(fsm, &cmd, "adds a slot");
	fsm_free(fsm);
}

/* R11: the primary has no slot, or loses it while it serves. */
static void test_without_own_slot(void **state)
{
	const struct fsm_volume *vol;
	struct fsm *fsm = fix_cluster(3);
	struct command cmd;

	(void)state;
	vol = fix_ready(fsm, "web", 2);
	assert_int_equal(fix_wish(fsm, "web", CMD_ATTACH, NODE(3), false), FSM_OK);
	cmd = fix_name(vol, NODE(3), 7);
	memset(&cmd.conf.conf.slots[0].cited_life, 0, sizeof(u64));
	memset(&cmd.conf.conf.slots[1].cited_life, 0, sizeof(u64));
	assert_illegal(fsm, &cmd, "cited wrongly");
	/* R10: the reference would be unclean, and another slot is not known to be. */
	cmd = fix_name(vol, NODE(3), 7);
	cmd.conf.conf.slots[1].cited_life = 0;
	cmd.conf.unclean_mask = 1;
	assert_illegal(fsm, &cmd, "(R10)");
	cmd = fix_name(vol, NODE(3), 7);
	cmd.conf.unclean_mask = 3;
	assert_int_equal(step(fsm, &cmd), FSM_OK);
	cmd = fix_activate(vol, 1);
	assert_illegal(fsm, &cmd, "without all others of the set (R10)");
	cmd = fix_activate(vol, 3);
	assert_int_equal(step(fsm, &cmd), FSM_OK);
	assert_true(hf_conf_activated(&vol->conf));
	cmd = fix_set(vol, STEP_DROP, 2);
	assert_int_equal(step(fsm, &cmd), FSM_OK);
	cmd = fix_set(vol, STEP_READMIT, 3);
	assert_int_equal(step(fsm, &cmd), FSM_OK);
	fsm_free(fsm);
	fsm = attached(&vol, 2);
	fix_serve(fsm, "web", NODE(1));
	cmd = fix_set(vol, STEP_DROP, 2);
	assert_int_equal(step(fsm, &cmd), FSM_OK);
	cmd = fix_set(vol, STEP_READMIT, 3);
	assert_illegal(fsm, &cmd, "while it serves without it (R11)");
	/* R6: the same instance may be named again; another one needs the slot. */
	cmd = fix_name(vol, NODE(1), 99);
	cmd.conf.conf.slots[0].cited_life = 0;
	assert_illegal(fsm, &cmd, "not in sync (R4, R12)");
	cmd.conf.conf.primary_instance = vol->conf.activated_instance;
	assert_int_equal(step(fsm, &cmd), FSM_OK);
	fsm_free(fsm);
}

static void test_release(void **state)
{
	const struct fsm_volume *vol;
	struct fsm *fsm = attached(&vol, 2);
	struct command cmd;

	(void)state;
	cmd = fix_step(vol, STEP_RELEASE);
	cmd.conf.conf.term++;
	assert_int_equal(step(fsm, &cmd), FSM_STALE);
	fix_serve(fsm, "web", NODE(1));
	cmd = fix_step(vol, STEP_RELEASE);
	cmd.conf.conf.primary_node = 0;
	cmd.conf.conf.primary_instance = 0;
	assert_illegal(fsm, &cmd, "next term");
	cmd.conf.conf.term++;
	cmd.conf.conf.in_sync_mask = 1;
	assert_illegal(fsm, &cmd, "changes the set");
	cmd.conf.conf.in_sync_mask = 3;
	cmd.conf.conf.primary_node = NODE(2);
	assert_illegal(fsm, &cmd, "names a primary");
	cmd.conf.conf.primary_node = 0;
	assert_int_equal(step(fsm, &cmd), FSM_OK);
	fsm_free(fsm);
}

static u64 seed = 1;

static u64 draw(u64 limit)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (seed >> 33) % limit;
}

/* Bend a legal step in one to three places. */
static void bend(struct hf_conf_data *conf)
{
	unsigned int n = (unsigned int)draw(3) + 1;

	while (n--) {
		switch (draw(9)) {
		case 0:
			conf->term += draw(3) - 1;
			break;
		case 1:
			conf->primary_node = NODE(draw(4));
			break;
		case 2:
			conf->primary_instance = draw(4);
			break;
		case 3:
			conf->activated_term = draw(6);
			break;
		case 4:
			conf->activated_instance = draw(4);
			break;
		case 5:
			conf->in_sync_mask = (u8)draw(16);
			break;
		case 6:
			conf->slots[draw(4)].cited_life = draw(3);
			break;
		case 7:
			conf->slots[draw(4)].incarnation += draw(2);
			break;
		default:
			conf->slots[draw(4)].node = NODE(draw(4));
		}
	}
}

/* Whatever gets through is what conf_core.c, that is a module, lets through. */
static void test_random_steps(void **state)
{
	const struct fsm_volume *vol;
	struct fsm *fsm = attached(&vol, 3);
	unsigned int accepted = 0;
	unsigned int i;

	(void)state;
	for (i = 0; i < 60000; i++) {
		enum conf_step kind = (enum conf_step)(1 + draw(STEP_KINDS - 1));
		struct hf_conf_data before = vol->conf, back;
		struct hf_wire_conf wire;
		struct command cmd;
		const char *why;

		if (draw(20) == 0)
			fix_wish(fsm, "web", draw(2) ? CMD_MOVE : CMD_ATTACH,
				 NODE(1 + draw(3)), true);
		cmd = kind == STEP_NAME ? fix_name(vol, vol->wanted_node, 1 + draw(3)) :
		      kind == STEP_ACTIVATE ? fix_activate(vol, (u8)(1 + draw(7))) :
		      fix_set(vol, kind, (u8)(1 + draw(7)));
		if (kind == STEP_RELEASE) {
			cmd.conf.conf.in_sync_mask = vol->conf.in_sync_mask;
			cmd.conf.conf.term++;
			cmd.conf.conf.primary_node = 0;
			cmd.conf.conf.primary_instance = 0;
		}
		cmd.conf.unclean_mask = (u8)draw(8);
		if (draw(2))
			bend(&cmd.conf.conf);
		if (step(fsm, &cmd))
			continue;
		accepted++;
		hf_conf_encode(&vol->conf, &wire);
		assert_int_equal(hf_conf_decode(&wire, &back, &why), 0);
		assert_int_equal(hf_conf_compare(&before, &vol->conf, false, &why),
				 HF_CONF_NEWER);
	}
	assert_true(accepted > 1000);
	fsm_free(fsm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compare_and_set),
		cmocka_unit_test(test_constants),
		cmocka_unit_test(test_name),
		cmocka_unit_test(test_activate),
		cmocka_unit_test(test_activate_unclean),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_without_own_slot),
		cmocka_unit_test(test_release),
		cmocka_unit_test(test_random_steps),
	};

	return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
