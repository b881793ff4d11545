// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The planners, decision by decision, from facts written by hand: the cases
 * that the simulation meets rarely or cannot see (slow is not dead, a silent
 * agent, open disks, deletion).
 */
#include "fixture.h"

#include "../../plan.h"

/* All that a planner is given; every node up, heard and linked with nobody. */
struct desk {
	struct fsm		*fsm;
	struct node_report	reports[3];
	struct facts		facts;
	struct plan_memory	memory;
	struct plan_input	in;
	struct command_list	commands;
	struct action_list	actions;
	u64			random[16];
};

static void desk_open(struct desk *d, u8 copies)
{
	unsigned int i, k;

	memset(d, 0, sizeof(*d));
	d->fsm = fix_cluster(3);
	if (copies)
		fix_ready(d->fsm, "web", copies);
	for (i = 0; i < 3; i++) {
		struct node_report *r = &d->reports[i];

		r->node = NODE(i + 1);
		r->view.loaded = true;
		for (k = 0; k < 3; k++) {
			if (k != i)
				r->heard[r->nr_heard++] =
					(struct heard){ NODE(k + 1), 100, FACTS_NEVER_MS };
		}
		d->facts.entries[i].report = r;
		d->facts.entries[i].age_ms = 50;
	}
	d->facts.count = 3;
	d->in.self = NODE(1);
	d->in.mono_ms = 100000;
	d->in.unix_ms = NOW;
	d->in.scale_pct = 100;
	d->in.current = true;
	d->in.nr_random = 16;
	d->in.random = d->random;
}

static void desk_close(struct desk *d)
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		node_report_clear(&d->reports[i]);
	command_list_clear(&d->commands);
	action_list_clear(&d->actions);
	plan_memory_clear(&d->memory);
	fsm_free(d->fsm);
}

/* Plan; the only command, or NULL if there is none. */
static const struct command *lead(struct desk *d)
{
	unsigned int i;

	for (i = 0; i < 16; i++)
		d->random[i] = ++fix_id;
	command_list_clear(&d->commands);
	plan_cluster(d->fsm, &d->facts, &d->memory, &d->in, &d->commands);
	assert_true(d->commands.count <= 1);
	return d->commands.count ? d->commands.commands : NULL;
}

/* Plan and commit until nothing is proposed any more. */
static const struct command *lead_and_commit(struct desk *d)
{
	const struct command *cmd = lead(d);

	if (cmd)
		assert_int_equal(fix_apply(d->fsm, cmd), FSM_OK);
	return cmd;
}

static const struct action_list *act(struct desk *d, unsigned int n)
{
	action_list_clear(&d->actions);
	d->in.self = NODE(n);
	plan_node(d->fsm, &d->reports[n - 1].view, &d->in, &d->actions);
	d->in.self = NODE(1);
	return &d->actions;
}

static struct kernel_volume *view(struct desk *d, unsigned int n)
{
	return (struct kernel_volume *)kernel_view_find(&d->reports[n - 1].view,
							fix_volume(d->fsm, "web")->uuid);
}

/* The module of node @n has the volume's configuration and its slot. */
static struct kernel_volume *know(struct desk *d, unsigned int n, u64 life)
{
	const struct fsm_volume *vol = fix_volume(d->fsm, "web");
	struct kernel_volume *v = view(d, n);

	if (!v)
		v = kernel_view_add(&d->reports[n - 1].view);
	memcpy(v->uuid, vol->uuid, sizeof(v->uuid));
	v->conf = vol->conf;
	v->slot.state = HOLDFAST_SLOT_UP;
	v->slot.slot_nr = (u8)hf_conf_slot_of(&vol->conf, NODE(n));
	v->slot.incarnation = vol->conf.slots[v->slot.slot_nr].incarnation;
	v->slot.life = life;
	return v;
}

static void disk(struct kernel_volume *v, u8 state, u64 instance)
{
	v->disk.state = state;
	v->disk.instance = instance;
}

/* "web" served on v2 (slot 1, instance 900) with v1 (slot 0) linked. */
static void serve_on_v2(struct desk *d)
{
	struct kernel_volume *v;

	fix_serve(d->fsm, "web", NODE(2));
	know(d, 1, 11)->nr_remotes = 1;
	v = view(d, 1);
	v->remotes[0] = (struct kernel_remote){ .slot_nr = 0,
						.link_state = HOLDFAST_LINK_READY };
	v = know(d, 2, 12);
	disk(v, HOLDFAST_DISK_ACTIVE, 900);
	v->nr_remotes = 1;
	v->remotes[0] = (struct kernel_remote){ .slot_nr = 0, .life = 11,
						.link_state = HOLDFAST_LINK_READY };
}

static void silence(struct desk *d, unsigned int n, u32 age_ms)
{
	unsigned int i, k;

	d->facts.entries[n - 1].age_ms = age_ms;
	for (i = 0; i < 3; i++) {
		for (k = 0; k < d->reports[i].nr_heard; k++) {
			if (d->reports[i].heard[k].node == NODE(n))
				d->reports[i].heard[k].age_ms = age_ms;
		}
	}
}

static void test_slow_is_not_dead(void **state)
{
	struct desk d;

	(void)state;
	desk_open(&d, 2);
	serve_on_v2(&d);
	assert_null(lead(&d));
	silence(&d, 2, 1900);
	assert_null(lead(&d));
	/* Silent, but its module answers v1's. */
	silence(&d, 2, 5000);
	assert_null(lead(&d));
	view(&d, 1)->remotes[0].link_state = HOLDFAST_LINK_DOWN;
	/* One other node hears it. */
	d.reports[2].heard[1].age_ms = 300;
	assert_null(lead(&d));
	d.reports[2].heard[1].age_ms = 5000;
	/* Its machine refuses connections: the agent alone is dead. */
	d.reports[2].heard[1].refused_ms = 500;
	assert_null(lead(&d));
	d.reports[2].heard[1].refused_ms = FACTS_NEVER_MS;
	/* A report that is old says nothing about others. */
	d.facts.entries[2].age_ms = 5000;
	d.reports[2].heard[1].age_ms = 10;
	assert_int_equal(lead_and_commit(&d)->kind, CMD_NODE_DOWN);
	assert_int_equal(fsm_node_by_id(d.fsm, NODE(2))->status, FSM_NODE_CORDONED);
	desk_close(&d);
}

/* Power of the primary is cut: who takes over, by which steps. */
static void test_failover(void **state)
{
	const struct fsm_volume *vol;
	const struct command *cmd;
	struct kernel_volume *v;
	struct desk d;

	(void)state;
	desk_open(&d, 2);
	serve_on_v2(&d);
	vol = fix_volume(d.fsm, "web");
	silence(&d, 2, 2500);
	view(&d, 1)->remotes[0].link_state = HOLDFAST_LINK_DOWN;
	assert_int_equal(lead_and_commit(&d)->kind, CMD_NODE_DOWN);
	assert_int_equal(lead_and_commit(&d)->kind, CMD_FAILOVER);
	assert_int_equal(vol->wanted_node, NODE(1));
	assert_null(lead(&d));		/* v1 has no disk yet */
	assert_int_equal(act(&d, 1)->count, 1);
	assert_int_equal(d.actions.actions[0].kind, ACT_DISK_PREPARE);
	v = view(&d, 1);
	v->nr_remotes = 0;
	disk(v, HOLDFAST_DISK_PREPARED, 77);
	cmd = lead_and_commit(&d);
	assert_int_equal(cmd->conf.step, STEP_NAME);
	assert_int_equal(vol->conf.term, 2);
	assert_int_equal(vol->conf.slots[0].cited_life, 11);
	assert_int_equal(vol->conf.slots[1].cited_life, 0);
	assert_int_equal(act(&d, 1)->actions[0].kind, ACT_VOLUME_SET);
	assert_null(lead(&d));		/* not adopted yet */
	v->conf = vol->conf;
	disk(v, HOLDFAST_DISK_NAMED, 77);
	v->slot.promise_ms = 900;
	assert_null(lead(&d));		/* R5: bound by a promise */
	v->slot.promise_ms = 0;
	cmd = lead_and_commit(&d);	/* nobody else to wait for */
	assert_int_equal(cmd->conf.step, STEP_ACTIVATE);
	assert_int_equal(fsm_volume_served_on(vol), NODE(1));
	assert_int_equal(vol->conf.in_sync_mask, 1);
	desk_close(&d);
}

static void test_activation_waits(void **state)
{
	const struct fsm_volume *vol;
	struct kernel_volume *v;
	struct desk d;

	(void)state;
	desk_open(&d, 2);
	vol = fix_volume(d.fsm, "web");
	assert_int_equal(fix_wish(d.fsm, "web", CMD_ATTACH, NODE(2), false), FSM_OK);
	know(&d, 1, 11)->slot.state = HOLDFAST_SLOT_NONE;
	disk(know(&d, 2, 12), HOLDFAST_DISK_PREPARED, 77);
	assert_null(lead(&d));		/* v1 is about to attach its slot */
	know(&d, 1, 11);
	assert_int_equal(lead_and_commit(&d)->conf.step, STEP_NAME);
	assert_int_equal(vol->conf.slots[0].cited_life, 11);
	v = know(&d, 2, 12);
	disk(v, HOLDFAST_DISK_NAMED, 77);
	know(&d, 1, 11);
	assert_null(lead(&d));
	assert_int_equal(act(&d, 2)->count, 1);
	assert_int_equal(d.actions.actions[0].kind, ACT_LINK_CONNECT);
	assert_int_equal(d.actions.actions[0].node, NODE(1));
	assert_int_equal(d.actions.actions[0].term, 1);
	v->nr_remotes = 1;
	v->remotes[0] = (struct kernel_remote){ .slot_nr = 0, .life = 11,
						.link_state = HOLDFAST_LINK_READY };
	d.in.mono_ms += PLAN_RECONCILE_MS + 100;
	assert_null(lead(&d));		/* linked: it is being reconciled */
	v->remotes[0].flags = HOLDFAST_REMOTE_RECONCILED;
	assert_int_equal(lead_and_commit(&d)->conf.step, STEP_ACTIVATE);
	assert_int_equal(vol->conf.in_sync_mask, 3);
	desk_close(&d);
}

/* R10: the unclean slot waits, the clean one goes first, all unclean may. */
static void test_unclean(void **state)
{
	const struct fsm_volume *vol;
	const struct command *cmd;
	struct desk d;

	(void)state;
	desk_open(&d, 2);
	vol = fix_volume(d.fsm, "web");
	assert_int_equal(fix_wish(d.fsm, "web", CMD_ATTACH, NODE(2), false), FSM_OK);
	disk(know(&d, 2, 12), HOLDFAST_DISK_PREPARED, 77);
	view(&d, 2)->slot.unclean = true;
	d.in.mono_ms += 60000;
	assert_null(lead(&d));		/* nothing is known of v1 */
	d.in.mono_ms += 60000;
	assert_null(lead(&d));
	know(&d, 1, 11);
	cmd = lead(&d);
	assert_int_equal(cmd->kind, CMD_FAILOVER);
	assert_int_equal(cmd->failover.to, NODE(1));
	view(&d, 1)->slot.unclean = true;
	cmd = lead_and_commit(&d);
	assert_int_equal(cmd->conf.step, STEP_NAME);
	assert_int_equal(cmd->conf.unclean_mask, 3);
	assert_int_equal(vol->named_unclean_mask, 3);
	/* v1 comes back clean, with another life: proposed anew, never activated. */
	disk(know(&d, 2, 12), HOLDFAST_DISK_NAMED, 77);
	view(&d, 2)->slot.unclean = true;
	know(&d, 1, 13)->slot.unclean = false;
	d.in.mono_ms += 60000;
	cmd = lead(&d);
	assert_int_equal(cmd->kind, CMD_FAILOVER);
	assert_int_equal(cmd->failover.to, NODE(1));
	desk_close(&d);
}

static void test_drop(void **state)
{
	const struct fsm_volume *vol;
	const struct command *cmd;
	struct kernel_volume *v;
	struct desk d;

	(void)state;
	desk_open(&d, 2);
	serve_on_v2(&d);
	vol = fix_volume(d.fsm, "web");
	v = view(&d, 2);
	v->remotes[0].flags = HOLDFAST_REMOTE_LOST;
	v->remotes[0].link_state = HOLDFAST_LINK_DOWN;
	assert_null(lead(&d));
	d.in.mono_ms += PLAN_RELINK_MS - 1;
	assert_null(lead(&d));
	/* Linked again in time: the wait begins anew. */
	v->remotes[0].flags = 0;
	assert_null(lead(&d));
	v->remotes[0].flags = HOLDFAST_REMOTE_LOST;
	assert_null(lead(&d));
	/* At once when it has another life. */
	view(&d, 1)->slot.life = 99;
	cmd = lead(&d);
	assert_int_equal(cmd->conf.step, STEP_DROP);
	view(&d, 1)->slot.life = 11;
	d.in.mono_ms += PLAN_RELINK_MS;
	/* A report from before the latest epoch decides nothing. */
	v->conf.epoch--;
	assert_null(lead(&d));
	v->conf.epoch++;
	cmd = lead_and_commit(&d);
	assert_int_equal(cmd->conf.step, STEP_DROP);
	assert_int_equal(cmd->conf.lost_mask, 1);
	assert_int_equal(vol->conf.in_sync_mask, 2);
	desk_close(&d);
}

/* R3: the agent of the primary is dead; the beacons tell that it holds. */
static void test_drop_for_silent_primary(void **state)
{
	const struct command *cmd;
	struct kernel_volume *v;
	struct desk d;

	(void)state;
	desk_open(&d, 3);
	fix_serve(d.fsm, "web", NODE(2));
	d.facts.entries[1].age_ms = 30000;
	d.reports[0].heard[0].refused_ms = 200;
	v = know(&d, 1, 11);
	v->nr_remotes = 1;
	v->remotes[0] = (struct kernel_remote){ .slot_nr = 0,
		.link_state = HOLDFAST_LINK_READY };
	v = know(&d, 3, 13);
	v->nr_remotes = 1;
	v->remotes[0] = (struct kernel_remote){ .slot_nr = 2,
		.link_state = HOLDFAST_LINK_DOWN };
	assert_null(lead(&d));		/* nothing is held */
	view(&d, 1)->remotes[0].holding_ms = PLAN_RELINK_MS;
	cmd = lead_and_commit(&d);
	assert_int_equal(cmd->conf.step, STEP_DROP);
	assert_int_equal(cmd->conf.lost_mask, 4);
	desk_close(&d);
}

static void test_rebuild(void **state)
{
	const struct fsm_volume *vol;
	struct kernel_volume *v;
	struct command cmd;
	struct desk d;

	(void)state;
	desk_open(&d, 2);
	serve_on_v2(&d);
	vol = fix_volume(d.fsm, "web");
	cmd = fix_set(vol, STEP_DROP, 2);
	assert_int_equal(fix_apply(d.fsm, &cmd), FSM_OK);
	v = view(&d, 2);
	v->conf = vol->conf;
	assert_int_equal(act(&d, 2)->count, 1);
	assert_int_equal(d.actions.actions[0].kind, ACT_REBUILD_START);
	v->remotes[0].rebuild_state = HOLDFAST_REBUILD_COPYING;
	assert_int_equal(act(&d, 2)->count, 0);
	assert_int_equal(lead_and_commit(&d)->kind, CMD_REBUILD_BEGUN);
	assert_null(lead(&d));
	/* Counted, and lost: only a new epoch ends it (R9). */
	v->remotes[0].rebuild_state = HOLDFAST_REBUILD_FAILED;
	v->remotes[0].flags = HOLDFAST_REMOTE_COUNTED | HOLDFAST_REMOTE_LOST;
	assert_int_equal(act(&d, 2)->count, 0);
	assert_int_equal(lead_and_commit(&d)->conf.step, STEP_GIVE_UP);
	v->conf = vol->conf;
	/* Counted, and gets no further. */
	v->remotes[0].rebuild_state = HOLDFAST_REBUILD_FINISHING;
	v->remotes[0].flags = HOLDFAST_REMOTE_COUNTED;
	assert_null(lead(&d));
	d.in.mono_ms += PLAN_FINISHING_MS - 1;
	assert_null(lead(&d));
	d.in.mono_ms += 1;
	assert_int_equal(lead_and_commit(&d)->conf.step, STEP_GIVE_UP);
	v->conf = vol->conf;
	assert_null(lead(&d));
	v->remotes[0].rebuild_state = HOLDFAST_REBUILD_ADMISSIBLE;
	v->remotes[0].flags = HOLDFAST_REMOTE_COUNTED | HOLDFAST_REMOTE_ADMISSIBLE;
	assert_int_equal(lead_and_commit(&d)->conf.step, STEP_READMIT);
	assert_int_equal(vol->conf.in_sync_mask, 3);
	assert_int_equal(vol->rebuilding_mask, 0);
	desk_close(&d);
}

static void test_node_back(void **state)
{
	struct command cmd = { 0 };
	struct desk d;

	(void)state;
	desk_open(&d, 0);
	cmd = fix_command(CMD_NODE_DOWN);
	cmd.node_status.node = NODE(3);
	assert_int_equal(fix_apply(d.fsm, &cmd), FSM_OK);
	assert_null(lead(&d));
	d.in.mono_ms += PLAN_BACK_MS - 1;
	assert_null(lead(&d));
	d.facts.entries[2].age_ms = PLAN_FRESH_MS + 1;	/* a gap: begins anew */
	assert_null(lead(&d));
	d.facts.entries[2].age_ms = 10;
	d.in.mono_ms += 1;
	assert_null(lead(&d));
	d.in.mono_ms += PLAN_BACK_MS;
	d.reports[2].view.loaded = false;		/* no module, no service */
	assert_null(lead(&d));
	d.reports[2].view.loaded = true;
	assert_null(lead(&d));
	d.in.mono_ms += PLAN_BACK_MS;
	assert_int_equal(lead_and_commit(&d)->kind, CMD_NODE_UP);
	desk_close(&d);
}

/* The primary's machine was rebooted and was back before anyone missed it. */
static void test_primary_restarted(void **state)
{
	const struct fsm_volume *vol;
	struct kernel_volume *v;
	struct desk d;

	(void)state;
	desk_open(&d, 2);
	serve_on_v2(&d);
	vol = fix_volume(d.fsm, "web");
	v = know(&d, 2, 55);
	v->nr_remotes = 0;
	disk(v, HOLDFAST_DISK_NONE, 0);
	assert_null(lead(&d));
	assert_int_equal(act(&d, 2)->actions[0].kind, ACT_DISK_PREPARE);
	disk(v, HOLDFAST_DISK_PREPARED, 901);
	assert_int_equal(lead_and_commit(&d)->conf.step, STEP_NAME);
	assert_int_equal(vol->conf.term, 2);
	assert_int_equal(vol->conf.primary_instance, 901);
	desk_close(&d);
}

/* A device error of the primary's own slot moves the volume. */
static void test_failed_local_slot(void **state)
{
	const struct fsm_volume *vol;
	const struct command *cmd;
	struct kernel_volume *v;
	struct desk d;

	(void)state;
	desk_open(&d, 2);
	serve_on_v2(&d);
	vol = fix_volume(d.fsm, "web");
	v = view(&d, 2);
	v->slot.state = HOLDFAST_SLOT_FAILED;
	v->slot.error = -5;
	v->disk.state = HOLDFAST_DISK_DEAD;
	v->disk.openers = 1;
	cmd = lead_and_commit(&d);
	assert_int_equal(cmd->kind, CMD_FAILOVER);
	assert_int_equal(cmd->failover.to, NODE(1));
	disk(view(&d, 1), HOLDFAST_DISK_PREPARED, 77);
	assert_int_equal(lead_and_commit(&d)->conf.step, STEP_NAME);
	assert_int_equal(vol->conf.primary_node, NODE(1));
	/* The node was not declared down: no 1019 is owed. */
	assert_false(fsm_node_by_id(d.fsm, NODE(2))->failover_open);
	desk_close(&d);
}

static void test_open_disk_is_not_moved(void **state)
{
	const struct fsm_volume *vol;
	struct kernel_volume *v;
	struct desk d;

	(void)state;
	desk_open(&d, 2);
	serve_on_v2(&d);
	vol = fix_volume(d.fsm, "web");
	v = view(&d, 2);
	v->disk.openers = 1;
	assert_int_equal(fix_wish(d.fsm, "web", CMD_MOVE, NODE(1), false), FSM_OK);
	v->conf = vol->conf;
	assert_int_equal(act(&d, 2)->count, 0);		/* it may yet be closed */
	disk(view(&d, 1), HOLDFAST_DISK_PREPARED, 77);
	assert_null(lead(&d));				/* R13: not before the release */
	d.in.unix_ms += PLAN_OPEN_MS;
	assert_int_equal(act(&d, 2)->count, 1);
	assert_int_equal(d.actions.actions[0].kind, ACT_PROPOSE);
	assert_int_equal(d.actions.actions[0].command.kind, CMD_WISH_REFUSED);
	/* Closed: it is released, and only then the other is named. */
	v->disk.openers = 0;
	assert_int_equal(act(&d, 2)->actions[0].kind, ACT_DISK_RELEASE);
	assert_null(lead(&d));
	v->disk.state = HOLDFAST_DISK_RELEASED;
	assert_int_equal(act(&d, 2)->count, 0);
	assert_int_equal(lead_and_commit(&d)->conf.step, STEP_NAME);
	assert_int_equal(vol->conf.primary_node, NODE(1));
	desk_close(&d);
}

static void test_detach(void **state)
{
	const struct fsm_volume *vol;
	struct kernel_volume *v;
	struct desk d;

	(void)state;
	desk_open(&d, 2);
	serve_on_v2(&d);
	vol = fix_volume(d.fsm, "web");
	v = view(&d, 2);
	v->disk.openers = 2;
	assert_int_equal(fix_wish(d.fsm, "web", CMD_DETACH, 0, true), FSM_OK);
	assert_null(lead(&d));
	assert_int_equal(act(&d, 2)->actions[0].kind, ACT_DISK_RELEASE);
	assert_true(d.actions.actions[0].force);
	v->disk.state = HOLDFAST_DISK_RELEASED;
	assert_int_equal(lead_and_commit(&d)->conf.step, STEP_RELEASE);
	assert_int_equal(vol->conf.primary_node, 0);
	v->conf = vol->conf;
	v->disk.state = HOLDFAST_DISK_DEAD;
	assert_int_equal(act(&d, 2)->actions[0].kind, ACT_DISK_DEL);
	assert_null(lead(&d));
	desk_close(&d);
}

static void test_making_and_deleting(void **state)
{
	struct kernel_volume *v;
	struct command cmd;
	struct desk d;

	(void)state;
	desk_open(&d, 0);
	cmd = fix_create("web", 1 << 20, 1);
	assert_int_equal(fix_apply(d.fsm, &cmd), FSM_OK);
	assert_int_equal(act(&d, 2)->count, 0);
	assert_int_equal(act(&d, 1)->count, 1);
	assert_int_equal(d.actions.actions[0].kind, ACT_SLOT_MAKE);
	assert_string_equal(d.actions.actions[0].data_path, "/dev/d0");
	assert_int_equal(d.actions.actions[0].size_bytes, 1 << 20);
	fix_slot(d.fsm, fix_volume(d.fsm, "web"), CMD_SLOT_MADE, 0);
	assert_int_equal(act(&d, 1)->count, 2);
	assert_int_equal(d.actions.actions[0].kind, ACT_VOLUME_SET);
	assert_int_equal(d.actions.actions[0].epoch, 0);
	assert_int_equal(d.actions.actions[1].kind, ACT_SLOT_ATTACH);
	v = know(&d, 1, 11);
	assert_int_equal(act(&d, 1)->count, 0);
	assert_int_equal(fix_wish(d.fsm, "web", CMD_VOLUME_DELETE, 0, false), FSM_OK);
	assert_int_equal(act(&d, 1)->count, 2);
	assert_int_equal(d.actions.actions[0].kind, ACT_SLOT_DETACH);
	assert_int_equal(d.actions.actions[0].life, v->slot.life);
	assert_int_equal(d.actions.actions[1].kind, ACT_VOLUME_DEL);
	kernel_view_clear(&d.reports[0].view);
	d.reports[0].view.loaded = true;
	assert_int_equal(act(&d, 1)->count, 1);
	assert_int_equal(d.actions.actions[0].kind, ACT_SLOT_RETIRE);
	desk_close(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slow_is_not_dead),
		cmocka_unit_test(test_failover),
		cmocka_unit_test(test_activation_waits),
		cmocka_unit_test(test_unclean),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_drop_for_silent_primary),
		cmocka_unit_test(test_rebuild),
		cmocka_unit_test(test_node_back),
		cmocka_unit_test(test_primary_restarted),
		cmocka_unit_test(test_failed_local_slot),
		cmocka_unit_test(test_open_disk_is_not_moved),
		cmocka_unit_test(test_detach),
		cmocka_unit_test(test_making_and_deleting),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
