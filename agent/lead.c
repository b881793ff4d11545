// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which node shall lead: the decision, from the state and what the nodes hear.
 * Pure; handing the lead over is leader.c's and libraft's matter.
 */
#include "lead.h"

static u32 heard_by(const struct node_report *report, u32 id)
{
	unsigned int i;

	for (i = 0; i < report->nr_heard; i++) {
		if (report->heard[i].node == id)
			return report->heard[i].age_ms;
	}
	return report->node == id ? 0 : FACTS_NEVER_MS;
}

/* Does @other hear all that @own hears? @more: and somebody that @own does not. */
static bool hears_all(const struct fsm *fsm, const struct node_report *own,
		      const struct node_report *other, u32 fresh_ms, bool *more)
{
	unsigned int n;

	*more = false;
	for (n = 0; n < fsm->nr_nodes; n++) {
		u32 ours = heard_by(own, fsm->nodes[n].id);
		u32 theirs = heard_by(other, fsm->nodes[n].id);

		/* Not listed: it came a moment ago and is not listened for yet. */
		if (ours != FACTS_NEVER_MS && ours > 2 * fresh_ms && theirs <= fresh_ms)
			*more = true;
		if (ours <= fresh_ms && theirs > fresh_ms)
			return false;
	}
	return true;
}

/* Has @node heard more for a while? One that wakes up is heard by one node first. */
static bool lasts(struct lead_memory *memory, u32 node, u64 now_ms, u32 fresh_ms)
{
	if (memory->node != node) {
		memory->node = node;
		memory->since_ms = now_ms;
	}
	return node && now_ms - memory->since_ms >= fresh_ms;
}

/*
 * A node that is cut off from the leader alone gets its reports through, by
 * others, but never the configurations that are committed for it: its I/O would
 * be held for as long as that lasts. So a leader that does not hear a node lets
 * a voter lead that hears that one and all that the leader hears.
 *
 * Otherwise the lead belongs to the voter that joined first: a node that had a
 * fault, or was slow for a moment, is what it was before when it is well again.
 */
u32 lead_choose(const struct fsm *fsm, const struct facts *facts, struct lead_memory *memory,
		u64 now_ms, u32 fresh_ms, bool settled, enum lead_reason *reason)
{
	const struct node_report *own = facts->entries[0].report;
	const struct fsm_node *self = fsm_node_by_id(fsm, own->node), *best = NULL;
	bool down = self && self->cordon == FSM_CORDON_SHUTDOWN;
	u32 hears_more = 0;
	unsigned int i;

	*reason = LEAD_STAY;
	for (i = 1; i < facts->count; i++) {
		const struct node_report *report = facts->entries[i].report;
		const struct fsm_node *node = fsm_node_by_id(fsm, report->node);
		bool more;

		if (!node || facts->entries[i].age_ms > fresh_ms ||
		    heard_by(own, node->id) > fresh_ms || !fsm_node_votes(fsm, node->id) ||
		    !hears_all(fsm, own, report, fresh_ms, &more))
			continue;
		if (more && (!hears_more || node->id == memory->node))
			hears_more = node->id;
		if (node->status == FSM_NODE_NORMAL &&
		    (!best || node->join_order < best->join_order))
			best = node;
	}
	if (lasts(memory, hears_more, now_ms, fresh_ms)) {
		*reason = LEAD_HEARS_MORE;
		return hears_more;
	}
	/* Who hears more must not be passed over meanwhile. */
	if (!self || !best || hears_more)
		return 0;
	if (down)
		*reason = LEAD_GOES_DOWN;
	else if (settled && best->join_order < self->join_order)
		*reason = LEAD_FIRST;
	return *reason == LEAD_STAY ? 0 : best->id;
}
