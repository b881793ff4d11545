// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the agent does while it leads: keeps the log's members as the state wants
 * them, runs the cluster's planner and proposes what it says, hands leadership
 * over to a voter that hears more.  Which decision follows from which facts is
 * plan.h's matter; losing leadership in the middle of anything is harmless.
 */
#include "leader.h"

#include <stdlib.h>

#include "heartbeat.h"
#include "log_raft.h"
#include "loop.h"
#include "rebuilds.h"
#include "relay.h"

static void leader_proposed(void *data, int error, json_t *result)
{
	struct agent *agent = data;
	struct fsm_result r;

	if (!error && relay_read_result(result, &r) && r.code != FSM_OK)
		log_info("the plan was refused: %s", r.sentence);
	if (agent->leader_in_flight)
		agent->leader_in_flight--;
	node_kick(agent);
}

/* A barrier of this leadership, or of an earlier one: then more was applied since. */
static void leader_caught_up(void *data, int error, json_t *result)
{
	struct agent *agent = data;

	(void)result;
	if (!agent->was_leader)
		return;
	if (error)
		agent->was_leader = false;	/* begins anew if it leads still */
	else
		agent->caught_up = true;
	node_kick(agent);
}

static void leader_members(struct agent *agent)
{
	struct log_raft_member members[FSM_MAX_NODES];
	char *addresses[FSM_MAX_NODES];
	const struct fsm *fsm = agent->fsm;
	unsigned int i;

	for (i = 0; i < fsm->nr_nodes; i++) {
		const struct fsm_node *node = &fsm->nodes[i];

		addresses[i] = transport_format_address(node->address, node->port);
		members[i] = (struct log_raft_member){
			.id = node->id,
			.address = addresses[i],
			.voter = fsm_node_votes(fsm, node->id),
			.reachable = node->id == agent->self.id ||
				heartbeat_age_ms(agent->heartbeat, node->id) <
				node_scaled(agent, PLAN_FRESH_MS),
		};
	}
	log_raft_manage(agent->log, members, fsm->nr_nodes);
	for (i = 0; i < fsm->nr_nodes; i++)
		free(addresses[i]);
}

static uint32_t heard_by(const struct node_report *report, uint32_t id)
{
	unsigned int i;

	for (i = 0; i < report->nr_heard; i++) {
		if (report->heard[i].node == id)
			return report->heard[i].age_ms;
	}
	return report->node == id ? 0 : FACTS_NEVER_MS;
}

/*
 * A node that is cut off from the leader alone gets its reports through, by
 * others, but never the configurations that are committed for it: its I/O would
 * be held for as long as that lasts. So a leader that does not hear a node lets
 * a voter lead that hears that one and all that the leader hears.
 */
static void hand_over(struct agent *agent, const struct facts *facts)
{
	const struct fsm *fsm = agent->fsm;
	uint32_t fresh_ms = node_scaled(agent, PLAN_FRESH_MS);
	unsigned int i, n;

	if (loop_now_ms() < agent->hand_over_not_before_ms)
		return;
	for (i = 0; i < facts->count; i++) {
		const struct node_report *report = facts->entries[i].report;
		bool hears_more = false, hears_all = true;

		if (report->node == agent->self.id || facts->entries[i].age_ms > fresh_ms ||
		    heartbeat_age_ms(agent->heartbeat, report->node) > fresh_ms ||
		    !fsm_node_votes(fsm, report->node))
			continue;
		for (n = 0; n < fsm->nr_nodes; n++) {
			uint32_t id = fsm->nodes[n].id;
			uint32_t ours = heard_by(facts->entries[0].report, id);
			uint32_t theirs = heard_by(report, id);

			/* Not listed: it came a moment ago and is not listened for yet. */
			if (ours != FACTS_NEVER_MS && ours > 2 * fresh_ms && theirs <= fresh_ms)
				hears_more = true;
			if (ours <= fresh_ms && theirs > fresh_ms)
				hears_all = false;
		}
		if (!hears_more || !hears_all)
			continue;
		log_info("node %08x hears more nodes: it shall lead", report->node);
		agent->hand_over_not_before_ms =
			loop_now_ms() + node_scaled(agent, NODE_HAND_OVER_MS);
		return log_raft_transfer(agent->log, report->node);
	}
}

void leader_look(struct agent *agent)
{
	struct command_list list = { 0 };
	struct node_report own = { 0 };
	u64 random[NODE_RANDOM_VALUES];
	struct plan_input in;
	struct facts facts;
	unsigned int i;

	if (!agent->was_leader) {
		agent->was_leader = true;
		agent->leader_in_flight = 0;
		plan_memory_clear(&agent->memory);
		log_info("this node leads now");
		log_raft_barrier(agent->log, leader_caught_up, agent);
	}
	if (!agent->fsm->initialized)
		return;
	leader_members(agent);
	node_make_report(agent, &own);
	heartbeat_facts(agent->heartbeat, &own, &facts);
	rebuilds_watch(agent->rebuilds, agent->fsm, &facts);
	hand_over(agent, &facts);
	if (!agent->leader_in_flight || loop_now_ms() >= agent->leader_wait_until_ms) {
		node_plan_input(agent, &in, random);
		plan_cluster(agent->fsm, &facts, &agent->memory, &in, &list);
		agent->leader_in_flight = list.count;
		agent->leader_wait_until_ms = loop_now_ms() + node_scaled(agent, PLAN_SILENT_MS);
		for (i = 0; i < list.count; i++) {
			json_t *json = command_to_json(&list.commands[i]);

			log_debug("proposing %s", command_kind_name(list.commands[i].kind));
			log_raft_propose(agent->log, json, leader_proposed, agent);
			json_decref(json);
		}
		command_list_clear(&list);
	}
	node_report_clear(&own);
}
