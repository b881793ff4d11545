// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who shall lead: the voter that joined first, once it is well and all is quiet;
 * sooner only one that goes on hearing more, or any when the leader's machine goes
 * down.
 */
#include "fixture.h"

#include "../../lead.h"

#define FRESH	1000

/* Nodes v1 to v4, all of which hear each other; the first entry is the leader's. */
struct view {
	struct fsm *fsm;
	struct facts facts;
	struct node_report reports[4];
	enum lead_reason reason;
	struct lead_memory memory;
	u64 now_ms;
};

static struct heard *heard(struct view *view, unsigned int by, unsigned int n)
{
	struct node_report *report = &view->reports[by - 1];
	unsigned int i;

	for (i = 0; i < report->nr_heard; i++) {
		if (report->heard[i].node == NODE(n))
			return &report->heard[i];
	}
	fail_msg("v%u does not list v%u", by, n);
	return NULL;
}

static void all_well(struct view *view, unsigned int leader)
{
	unsigned int by, n;

	memset(view, 0, sizeof(*view));
	view->fsm = fix_cluster(4);
	for (by = 1; by <= 4; by++) {
		struct node_report *report = &view->reports[by - 1];

		report->node = NODE(by);
		for (n = 1; n <= 4; n++) {
			if (n != by)
				report->heard[report->nr_heard++] = (struct heard){
					.node = NODE(n), .age_ms = 100,
					.refused_ms = FACTS_NEVER_MS };
		}
	}
	view->facts.entries[view->facts.count++].report = &view->reports[leader - 1];
	for (by = 4; by; by--) {
		if (by == leader)
			continue;
		view->facts.entries[view->facts.count].age_ms = 100;
		view->facts.entries[view->facts.count++].report = &view->reports[by - 1];
	}
}

static struct fsm_node *node_of(struct view *view, unsigned int n)
{
	return (struct fsm_node *)fsm_node_by_id(view->fsm, NODE(n));
}

static u32 choose(struct view *view, bool settled)
{
	return lead_choose(view->fsm, &view->facts, &view->memory, view->now_ms, FRESH, settled,
			   &view->reason);
}

static void end(struct view *view)
{
	fsm_free(view->fsm);
}

static void first_stays(void **state)
{
	struct view view;

	(void)state;
	all_well(&view, 1);
	assert_int_equal(choose(&view, true), 0);
	assert_int_equal(view.reason, LEAD_STAY);
	end(&view);
}

static void first_gets_it_back(void **state)
{
	struct view view;

	(void)state;
	all_well(&view, 3);
	assert_int_equal(choose(&view, false), 0);
	assert_int_equal(choose(&view, true), NODE(1));
	assert_int_equal(view.reason, LEAD_FIRST);
	end(&view);
}

static void not_while_it_is_unwell(void **state)
{
	struct view view;

	(void)state;
	all_well(&view, 3);
	node_of(&view, 1)->status = FSM_NODE_CORDONED;
	assert_int_equal(choose(&view, true), NODE(2));
	end(&view);

	all_well(&view, 3);
	heard(&view, 3, 1)->age_ms = 1500;		/* its connection is bad */
	assert_int_equal(choose(&view, true), NODE(2));
	end(&view);

	all_well(&view, 3);
	heard(&view, 1, 4)->age_ms = 1500;		/* it hears fewer */
	assert_int_equal(choose(&view, true), NODE(2));
	end(&view);

	all_well(&view, 3);
	view.facts.entries[3].age_ms = 1500;		/* its report is old */
	assert_ptr_equal(view.facts.entries[3].report, &view.reports[0]);
	assert_int_equal(choose(&view, true), NODE(2));
	end(&view);
}

static void never_to_who_does_not_vote(void **state)
{
	struct view view;

	(void)state;
	all_well(&view, 1);
	node_of(&view, 1)->cordon = FSM_CORDON_SHUTDOWN;
	node_of(&view, 2)->status = FSM_NODE_CORDONED;
	node_of(&view, 3)->status = FSM_NODE_CORDONED;
	assert_false(fsm_node_votes(view.fsm, NODE(4)));
	assert_int_equal(choose(&view, true), 0);
	assert_int_equal(view.reason, LEAD_STAY);
	end(&view);
}

static void who_goes_down_gives_it_up(void **state)
{
	struct view view;

	(void)state;
	all_well(&view, 1);
	node_of(&view, 1)->cordon = FSM_CORDON_OPERATOR;
	node_of(&view, 1)->status = FSM_NODE_CORDONED;
	assert_int_equal(choose(&view, true), 0);
	node_of(&view, 1)->cordon = FSM_CORDON_SHUTDOWN;
	assert_int_equal(choose(&view, false), NODE(2));
	assert_int_equal(view.reason, LEAD_GOES_DOWN);
	end(&view);
}

static void who_hears_more_for_a_while_gets_it(void **state)
{
	struct view view;

	(void)state;
	all_well(&view, 1);
	heard(&view, 1, 4)->age_ms = 2500;
	heard(&view, 2, 4)->age_ms = 2500;
	assert_int_equal(choose(&view, false), 0);
	view.now_ms += FRESH - 1;
	assert_int_equal(choose(&view, false), 0);
	view.now_ms += 1;
	assert_int_equal(choose(&view, false), NODE(3));
	assert_int_equal(view.reason, LEAD_HEARS_MORE);
	heard(&view, 3, 2)->age_ms = 1500;		/* but hears another no more */
	assert_int_equal(choose(&view, false), 0);
	end(&view);
}

/* v4 stood still and is heard again, by v3 a moment before it is by the leader. */
static void who_wakes_up_moves_nothing(void **state)
{
	struct view view;

	(void)state;
	all_well(&view, 1);
	heard(&view, 1, 4)->age_ms = 4000;
	assert_int_equal(choose(&view, true), 0);
	view.now_ms += FRESH / 2;
	heard(&view, 1, 4)->age_ms = 10;
	assert_int_equal(choose(&view, true), 0);
	view.now_ms += 10 * FRESH;
	heard(&view, 1, 4)->age_ms = 4000;		/* and again, much later */
	assert_int_equal(choose(&view, true), 0);
	assert_int_equal(view.reason, LEAD_STAY);
	end(&view);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_stays),
		cmocka_unit_test(first_gets_it_back),
		cmocka_unit_test(not_while_it_is_unwell),
		cmocka_unit_test(never_to_who_does_not_vote),
		cmocka_unit_test(who_goes_down_gives_it_up),
		cmocka_unit_test(who_hears_more_for_a_while_gets_it),
		cmocka_unit_test(who_wakes_up_moves_nothing),
	};

	return cmocka_run_group_tests_name("lead", tests, NULL, NULL);
}
