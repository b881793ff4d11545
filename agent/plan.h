/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The planners: what to do next, from the state and the facts.  Pure: no I/O,
 * no clock, nothing drawn.  Level-triggered: called again and again, each call
 * names the next steps towards what is wanted, and every step may be repeated.
 */
#ifndef HOLDFAST_AGENT_PLAN_H
#define HOLDFAST_AGENT_PLAN_H

#include "command.h"
#include "facts.h"
#include "fsm.h"
#include "storage.h"

/* Times of the decisions in milliseconds, before the factor time_scale_pct. */
enum {
	PLAN_HEARTBEAT_MS	= 250,
	PLAN_FRESH_MS		= 1000,	/* a report that is older is not relied upon */
	PLAN_SILENT_MS		= 2000,	/* nobody hears it: down */
	PLAN_BACK_MS		= 2000,	/* heard without a gap: taken back */
	PLAN_RECONCILE_MS	= 3000,	/* wait of an activation for a slot within reach */
	PLAN_RELINK_MS		= 1000,	/* wait for a lost slot to be linked again */
	PLAN_OPEN_MS		= 2000,	/* wait for an open disk to be closed */
	PLAN_RELEASE_MS		= 5000,	/* bound of a DISK_RELEASE */
	PLAN_FINISHING_MS	= 30000, /* a rebuild that is counted and gets no further is given up */
	PLAN_RETRY_PLACE_MS	= 10000, /* first wait after a node could not make a slot; doubles */
	PLAN_RETRY_PLACE_MAX_MS	= 600000,
};

enum {
	PLAN_MAX_REBUILDS	= 4,	/* at once from a node, and onto a node */
};

/**
 * struct plan_input - what a planner may know besides state and facts
 * @self: this node
 * @mono_ms: a clock that never goes back
 * @unix_ms: time for commands
 * @current: this node's copy of the state has all that its leader has told of;
 *	what cannot be undone is begun only then (a restarted agent lags)
 * @scale_pct: time_scale_pct, 100: unscaled
 * @random: values drawn before the call; ids of commands are taken from them,
 *	and the plan ends early (to be called again) when they are used up
 */
struct plan_input {
	u32		self;
	u64		mono_ms;
	u64		unix_ms;
	bool		current;
	unsigned int	scale_pct;
	unsigned int	nr_random;
	const u64	*random;
};

/**
 * struct plan_memory - what the leader's planner remembers between its calls
 * Zeroed when leadership begins. Only waits are measured by it: losing it
 * delays a decision and never makes one wrong.
 */
struct plan_memory {
	struct {
		u32	node;
		u64	heard_since_ms;	/* mono, fresh without a gap; 0: is not */
	} nodes[FSM_MAX_NODES];
	unsigned int	room;
	unsigned int	nr_volumes;
	struct plan_volume_memory {
		u8	uuid[FSM_UUID_BYTES];
		u64	epoch;
		u64	epoch_since_ms;			/* mono: @epoch seen first */
		u64	ready_since_ms;			/* mono: could be named since; 0: cannot */
		u64	lost_since_ms[HF_MAX_SLOTS];	/* mono, 0: is not lost */
		u64	finishing_since_ms[HF_MAX_SLOTS]; /* mono, 0: is not */
		u64	away_since_ms[HF_MAX_SLOTS];	/* mono, out of the set and not linked */
		u64	away_incarnation[HF_MAX_SLOTS];	/* whose time that is */
		bool	seen;
	} *volumes;
};

void plan_memory_clear(struct plan_memory *memory);	/* frees, zeroes */

/*
 * The leader's planner. Appends to @out what it shall propose, in this order.
 * Call it on the leader at each heartbeat interval, after a commit and after a
 * report that changed; not while a proposal of an earlier call is still
 * without an answer (or for at most PLAN_SILENT_MS).
 */
void plan_cluster(const struct fsm *fsm, const struct facts *facts, struct plan_memory *memory,
		  const struct plan_input *in, struct command_list *out);

/**
 * enum action_kind - what a node shall do
 * The members of struct action that each uses follow its name. All but
 * LINK_CONNECT, SLOT_MAKE and SLOT_RETIRE are one netlink command.
 * @ACT_VOLUME_SET: conf, epoch (expected)
 * @ACT_SLOT_ATTACH: slot_nr, incarnation, data_path, meta_path
 * @ACT_SLOT_DETACH: slot_nr, life, force
 * @ACT_SLOT_MAKE: slot_nr, incarnation, size_bytes, vdisk, data_path,
 *	meta_path. Zeroes the data device and formats the metadata device (R16).
 *	Metadata that is already formatted for this volume and incarnation means
 *	that it is made: then nothing is written. When done: propose
 *	CMD_SLOT_MADE; when it cannot be done: CMD_SLOT_FAILED
 * @ACT_SLOT_RETIRE: slot_nr, incarnation, data_path, meta_path: if the metadata
 *	is of this volume, wipe it. When done: propose CMD_SLOT_RETIRED
 * @ACT_DISK_PREPARE: none
 * @ACT_DISK_RELEASE: instance, force, timeout_ms
 * @ACT_DISK_DEL: instance, force
 * @ACT_LINK_CONNECT: slot_nr, node, term: open both connections to that node's
 *	agent and hand them to both modules under one new link id; nothing if an
 *	attempt for this volume, slot and term is under way
 * @ACT_LINK_DEL: slot_nr, link_id
 * @ACT_REBUILD_START: slot_nr
 * @ACT_VOLUME_DEL: force
 * @ACT_PROPOSE: command, to be relayed to the leader
 */
enum action_kind {
	ACT_NONE,
	ACT_VOLUME_SET,
	ACT_SLOT_ATTACH,
	ACT_SLOT_DETACH,
	ACT_SLOT_MAKE,
	ACT_SLOT_RETIRE,
	ACT_DISK_PREPARE,
	ACT_DISK_RELEASE,
	ACT_DISK_DEL,
	ACT_LINK_CONNECT,
	ACT_LINK_DEL,
	ACT_REBUILD_START,
	ACT_VOLUME_DEL,
	ACT_PROPOSE,
	ACT_KINDS,
};

/**
 * struct action - one step of this node
 * @drive: of the slot whose paths are told; id 0: they are a pair
 * @retry_ms: (scaled) the same action, that is the same kind, volume, slot_nr
 *	and key (life, instance, epoch or term), is not begun again sooner
 * Actions of one volume are in order: after one that fails the rest of that
 * volume's list is left for the next plan.
 */
struct action {
	enum action_kind	kind;
	u8			volume[FSM_UUID_BYTES];
	u8			slot_nr;
	bool			force;
	u32			node;
	u32			timeout_ms;
	u32			retry_ms;
	u32			vdisk;
	u64			epoch;
	u64			term;
	u64			life;
	u64			instance;
	u64			incarnation;
	u64			link_id;
	u64			size_bytes;
	struct hf_conf_data	conf;
	struct command		command;
	struct storage_drive	drive;
	char			data_path[FSM_PATH_BYTES];
	char			meta_path[FSM_PATH_BYTES];
};

struct action_list {
	unsigned int	count;
	unsigned int	room;
	struct action	*actions;
};

struct action *action_list_add(struct action_list *list);
void action_list_clear(struct action_list *list);	/* frees */
const char *action_kind_name(enum action_kind kind);

/*
 * Every node's planner, in->self. Call it when the state changed, when the
 * module said something, and at each heartbeat interval.
 */
void plan_node(const struct fsm *fsm, const struct kernel_view *view,
	       const struct plan_input *in, struct action_list *out);

#endif /* HOLDFAST_AGENT_PLAN_H */
