// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the agent does while it leads: keeps the log's members as the state wants
 * them, runs the cluster's planner and proposes what it says, hands leadership
 * over to the voter that lead.h names.  Which decision follows from which facts
 * is plan.h's matter; losing leadership in the middle of anything is harmless.
 */
#include "leader.h"

#include <stdlib.h>

#include "heartbeat.h"
#include "lead.h"
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

static void hand_over(struct agent *agent, const struct facts *facts)
{
	static const char *const why[] = {
		[LEAD_HEARS_MORE] = "it hears more nodes",
		[LEAD_GOES_DOWN] = "this node goes down",
		[LEAD_FIRST] = "it joined first, and all is quiet",
	};
	uint64_t now = loop_now_ms();
	enum lead_reason reason;
	bool settled = agent->caught_up && !agent->leader_in_flight &&
		now - agent->lead_since_ms > node_scaled(agent, agent->lead_settled_ms);
	uint32_t node;

	if (now < agent->hand_over_not_before_ms)
		return;
	node = lead_choose(agent->fsm, facts, &agent->lead_memory, now,
			   node_scaled(agent, PLAN_FRESH_MS), settled, &reason);
	if (!node)
		return;
	log_info("node %08x shall lead: %s", node, why[reason]);
	agent->hand_over_not_before_ms = now + node_scaled(agent, NODE_HAND_OVER_MS);
	/* Where it does not stay, it is asked for less and less often. */
	if (reason == LEAD_FIRST && agent->lead_settled_ms < LEAD_SETTLED_MAX_MS)
		agent->lead_settled_ms *= 2;
	log_raft_transfer(agent->log, node);
}

static void began_to_lead(struct agent *agent)
{
	uint64_t now = loop_now_ms();

	if (!agent->lead_settled_ms ||
	    now - agent->lead_since_ms > node_scaled(agent, LEAD_FORGET_MS))
		agent->lead_settled_ms = LEAD_SETTLED_MS;
	agent->was_leader = true;
	agent->lead_since_ms = now;
	agent->lead_memory = (struct lead_memory){ 0 };
	agent->leader_in_flight = 0;
	plan_memory_clear(&agent->memory);
	log_info("this node leads now");
	log_raft_barrier(agent->log, leader_caught_up, agent);
}

void leader_look(struct agent *agent)
{
	struct command_list list = { 0 };
	struct node_report own = { 0 };
	u64 random[NODE_RANDOM_VALUES];
	struct plan_input in;
	struct facts facts;
	unsigned int i;

	if (!agent->was_leader)
		began_to_lead(agent);
	if (!agent->fsm->initialized)
		return;
	leader_members(agent);
	node_make_report(agent, &own);
	heartbeat_facts(agent->heartbeat, &own, &facts);
	rebuilds_watch(agent->rebuilds, agent->fsm, &facts);
	hand_over(agent, &facts);
	if (log_raft_hands_over(agent->log)) {
		node_report_clear(&own);
		return;		/* its end brings us back */
	}
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
