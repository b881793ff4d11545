/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One agent: its parts, its identity, and the loop that holds wanted against actual. */
#ifndef AGENT_NODE_H
#define AGENT_NODE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "command.h"
#include "facts.h"
#include "fsm.h"
#include "lead.h"
#include "plan.h"
#include "transport.h"

#define AGENT_VERSION	"0.1.0"

enum {
	NODE_TICK_MS		= 100,	/* scaled */
	NODE_GAP_MS		= 1000,	/* scaled: a tick this late means that we were stopped */
	NODE_MAX_PROPOSALS	= 256,
	NODE_RANDOM_VALUES	= 64,	/* drawn for a planner's call */
	NODE_HAND_OVER_MS	= 10000,	/* scaled: between two attempts to hand leadership over */
};

/**
 * enum node_phase - how far this node's membership is
 * @NODE_ALONE: no cluster; waits for init or join
 * @NODE_FOUNDING: makes a cluster, CMD_INIT is not committed yet
 * @NODE_JOINING: asks a cluster to take it
 * @NODE_MEMBER: in the log
 */
enum node_phase {
	NODE_ALONE,
	NODE_FOUNDING,
	NODE_JOINING,
	NODE_MEMBER,
};

struct agent_options {
	const char *state_dir;
	const char *run_dir;
	const char *name;		/* NULL: the host's */
	unsigned int time_scale_pct;
	unsigned int snapshot_every;	/* commands of the log */
	uint16_t port;
};

struct api_wait;
struct disk_names;
struct module;
struct rebuilds;
struct drives;
struct execute;
struct heartbeat;
struct http;
struct membership;
struct links;
struct log_raft;
struct node_proposal;
struct relay;
struct storage_queue;

/* One for the process, from main()'s begin to its end; loop thread only. */
struct agent {
	struct agent_options options;
	uv_loop_t *loop;
	struct transport *transport;
	struct heartbeat *heartbeat;
	struct relay *relay;
	struct http *http;
	struct module *module;
	struct links *links;
	struct execute *execute;
	struct storage_queue *storage;
	struct drives *drives;
	struct rebuilds *rebuilds;
	struct disk_names *disk_names;
	struct log_raft *log;		/* NULL before founding or joining */
	struct fsm *fsm;		/* this node's copy, never NULL */

	enum node_phase phase;
	struct cmd_node self;		/* id 0 while alone */
	uint8_t cluster[FSM_UUID_BYTES];
	uint64_t boot_id;
	struct membership *membership;

	uv_timer_t tick;
	uv_timer_t kick;
	uint64_t last_tick_ms;
	uint64_t paused_ms;		/* time in which this process did not run */
	uint64_t next_dump_ms;
	uint64_t last_digest;		/* of the module's view that others were told at once */
	bool module_was_loaded;
	bool was_leader;
	bool caught_up;		/* a leader that has applied all that was committed before */
	uint32_t last_leader;
	struct plan_memory memory;
	uint64_t hand_over_not_before_ms;
	uint64_t lead_since_ms;
	struct lead_memory lead_memory;
	unsigned int lead_settled_ms;	/* unscaled; how long it leads before it gives way */
	unsigned int leader_in_flight;	/* proposals of the leader's planner */
	uint64_t leader_wait_until_ms;
	struct node_proposal *proposals;
	unsigned int nr_proposals;
	struct api_wait *waits;
	bool stopping;
	void (*stopped)(struct agent *agent);
};

/* 0, or 1 after a logged sentence; then node_stop() is not called: the process ends. */
int node_start(struct agent *agent);
void node_stop(struct agent *agent, void (*stopped)(struct agent *agent));

/* Look at everything again, soon, from the loop. Any callback may call it. */
void node_kick(struct agent *agent);

/* A clock that stands still while this process is stopped: ages of others. */
uint64_t node_mono_ms(const struct agent *agent);
unsigned int node_scaled(const struct agent *agent, unsigned int ms);

bool node_is_leader(const struct agent *agent);
uint32_t node_leader(const struct agent *agent);	/* 0: not known */

/*
 * Relays a command to the leader; fills id, time and origin where they are 0,
 * and drops it if one like it is on its way.
 */
void node_propose(struct agent *agent, const struct command *cmd);

/* Clocks and @random's NODE_RANDOM_VALUES fresh values for a planner. */
void node_plan_input(struct agent *agent, struct plan_input *in, u64 *random);

/* What this node tells others; the caller clears it. */
void node_make_report(struct agent *agent, struct node_report *report);

/* Opens the log; @bootstrap: as its only member. 0 or 1 after a logged sentence. */
int node_open_log(struct agent *agent, bool bootstrap);

/* The state has this node: the modules are told its id, the phase becomes member. */
void node_became_member(struct agent *agent);

#endif /* AGENT_NODE_H */
