/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Simulation of a whole cluster in one process, in virtual time: the agent's
 * own state machine and planners, a model of consensus with faults, a model of
 * the modules that uses the module's own pure files (configuration, activity
 * log, lease, room, overlap), disks with a volatile cache, and clients whose
 * history is checked.  Everything random comes from one seed.
 */
#ifndef HOLDFAST_TEST_SIM_H
#define HOLDFAST_TEST_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../../kernel/al_core.h"
#include "../../../kernel/conf.h"
#include "../../../kernel/lease.h"
#include "../../../kernel/overlap.h"
#include "../../../kernel/room.h"
#include "../../command.h"
#include "../../facts.h"
#include "../../fsm.h"
#include "../../plan.h"

enum {
	SIM_NODES	= 4,
	SIM_VOLUMES	= 2,
	SIM_PAIRS	= 3,	/* of devices, on every node */
	SIM_BLOCKS	= 8,
	SIM_EXTENTS	= 4,	/* of two blocks */
	SIM_RING	= 4,	/* blocks of a log */
	SIM_ROOM	= 2,	/* entries of a log for writes */
	SIM_REQS	= 8,
	SIM_TRACE	= 6000,
	SIM_MAX_EVENTS	= 1 << 16,
};

#define SIM_MS		1000ull			/* virtual time is in us */
#define SIM_S		(1000 * SIM_MS)
#define ALL_BLOCKS	((1u << SIM_BLOCKS) - 1)

/* Rules that can be broken on purpose, to show that it is noticed. */
enum mutant {
	MUTANT_NONE,
	MUTANT_EARLY_ACK,	/* R2: complete when the own slot has it */
	MUTANT_NO_HOLD,		/* R3: complete before the drop is committed */
	MUTANT_NO_LEASE,	/* R5: serve without a lease */
	MUTANT_NO_GRACE,	/* R5: slots wait for no promise */
	MUTANT_NO_RECONCILE,	/* R7: nothing is copied */
	MUTANT_NO_R7_FLUSH,	/* R7: reconciled, not flushed */
	MUTANT_LATE_IO,		/* R1: ready while earlier backing I/O runs */
	MUTANT_NO_MARKS,	/* R3b: missing slots are not marked */
	MUTANT_MARKS_VOLATILE,	/* R10: entries leave before marks are durable */
	MUTANT_NO_LOG,		/* R10: a returning slot's log is ignored */
	MUTANT_UNCLEAN_FIRST,	/* R10: lives are all called clean */
	MUTANT_NO_LIFE,		/* R3, R4: a new life is continued as if it were the old */
	MUTANT_COUNT_LATE,	/* R9: readmitted without being counted before */
	MUTANT_REBUILD_UNFLUSHED, /* R9: readmitted without a flush */
	MUTANT_READ_OVERLAP,	/* R8: reads do not wait for writes */
	MUTANT_ONE_STEP,	/* R4: serves as soon as it is named */
	MUTANT_SETTLE_AT_ATTACH, /* R10: a log is settled by an epoch that was missed */
	MUTANT_REUSE_BITS,	/* R3b: marks of a number go on for another incarnation */
	MUTANT_OTHER_BITS,	/* R9: readmitted without the marks for other slots */
	MUTANT_REMOVED_COUNTS,	/* a removed slot is waited for still */
	MUTANT_RETIRE_EARLY,	/* a pair is given back with its slot in it */
	MUTANT_RETIRE_NEVER,	/* a pair is never given back */
	MUTANT_UNMADE,		/* R16: a slot is called made that is not */
	MUTANT_NO_PLACE,	/* nothing is rebuilt elsewhere */
	MUTANT_OWN_CLEARED,	/* R10: own bits settled by what an earlier life earned */
	MUTANT_OWN_LEFT_OUT,	/* R7: own bits are no part of the union */
	MUTANT_OWING_REFUSED,	/* R7: who has own bits is not reconciled */
	MUTANTS,
};

struct sim;
struct mvol;
struct ev;

typedef void (*ev_fn)(struct sim *sim, struct ev *ev);

/* An event; belongs to the queue until its function is called. */
struct ev {
	u64	at;
	u64	order;
	int	node;		/* -1: of no node */
	u32	boot;		/* dropped if the node was cut since */
	u32	agent;		/* dropped if the agent was killed since; 0: any */
	ev_fn	fn;
	int	volume;
	void	*p;		/* freed with the event */
	u64	a[4];
};

/* ------------------------------------------------------- disks (persistent) */

struct cached_write {
	u32	block;
	u64	value;
};

/* Devices of one slot; survive a power cut. */
struct sdev {
	bool			made;
	int			volume;
	u64			incarnation;
	struct hf_conf_data	conf;		/* superblock; epoch 0: none yet */
	bool			promise_open;
	u32			bits[HF_MAX_SLOTS];
	struct hf_disk_log	ring[SIM_RING];
	u64			durable[SIM_BLOCKS];
	u64			first_cached;	/* index of cached[0] since ever */
	unsigned int		nr_cached;
	struct cached_write	cached[256];
};

/* ---------------------------------------------------------------- messages */

enum mop {
	MSG_HELLO, MSG_HELLO_ACK, MSG_READY, MSG_BEACON, MSG_BEACON_ACK, MSG_CONF, MSG_CONF_ACK,
	MSG_FIN,
	MSG_WRITE, MSG_COPY, MSG_FLUSH, MSG_BITS, MSG_ACK,
};

struct lmsg {
	enum mop		op;
	u64			link;
	u64			term;
	u64			epoch;
	u64			seq;
	u64			stable;
	u64			stamp;
	u64			cookie;
	u64			value;
	u64			life;
	u32			block;
	u32			extents;	/* HELLO_ACK/READY: blocks logged */
	u32			own;		/* READY: blocks of its own bitmap */
	u32			holding_ms;
	u8			missing;
	u8			slot;
	u8			status;
	bool			unclean;
	bool			fua;
	struct hf_conf_data	conf;
};

/* A pair of connections; index + 1 is its link id. */
struct slink {
	int	volume;
	int	primary;	/* nodes */
	int	slot;
	u64	last_at[2][2];	/* direction, channel: order of arrival */
};

/* ------------------------------------------------------------------ module */

/* A write of a slot on its way to the data device. */
struct swrite {
	bool	used;
	bool	submitted;
	bool	logged;		/* registered in the log */
	bool	full;		/* waits for room in the log */
	bool	marks;		/* it set a dirty bit */
	bool	copy;
	bool	fua;
	u8	missing;
	u32	block;
	u64	value;
	u64	wait_record;
	u64	link;		/* received on; 0: own */
	u64	cookie;
	u64	seq;
};

struct mslot {
	u8		state;
	u64		life;
	bool		unclean;
	struct hf_al	al;
	void		*al_memory;
	u32		bits[HF_MAX_SLOTS];
	bool		bits_busy;
	bool		flush_busy;	/* its own, for the log */
	bool		record_trim;
	struct hf_disk_log record;	/* being written */
	u64		last_write_us;
	u64		ready_term;	/* in which this life was linked or named */
	unsigned int	busy;		/* writes at the device */
	struct swrite	writes[64];
};

/* The slot's end of a link. */
struct server {
	u64	link;		/* 0: none */
	u8	state;		/* enum holdfast_link_state */
	bool	hello_done;
	u64	stamp;
	u64	last_rx_us;
	u32	holding_ms;
	struct lmsg hello;	/* waits to be answered by READY */
};

struct rebuild {
	u8	state;		/* enum holdfast_rebuild_state */
	u32	dirty;
	u32	copying;	/* block + 1 under way */
	u32	total;		/* blocks at its beginning */
	u8	bits_sent;	/* masks of slots */
	u8	bits_acked;
	bool	flush_sent;
	struct hf_range range;
};

/* The primary's end of a link, one for each slot number. */
struct plink {
	u64		link;
	u8		state;
	u64		life;
	u64		base_life;	/* the life that counts in the set */
	u64		counted_life;	/* the one that is being readmitted */
	bool		unclean;
	bool		lost;
	bool		new_life;
	bool		counted;
	bool		admissible;
	bool		reconciled;
	bool		reconcile_flush;
	u32		reconcile_todo;
	u32		reconcile_copy;	/* block + 1 under way, also of the pass before */
	u32		reconcile_pass;
	u32		blocks;		/* logged or in its own bitmap */
	u64		adopted_epoch;
	u64		last_rx_us;
	u64		last_beacon_us;
	unsigned int	unanswered;	/* writes sent and not answered on this link */
	struct hf_lease	lease;
	struct rebuild	rebuild;
};

enum req_kind { REQ_WRITE, REQ_READ, REQ_FLUSH };

/* Owner: the primary from arrival to completion. */
struct preq {
	struct hf_range	range;
	bool		used;
	bool		granted;
	bool		started;	/* sent (write, flush), data in (read) */
	enum req_kind	kind;
	bool		fua;
	u32		block;
	u64		value;
	u64		seq;
	u64		arrived_us;
	int		check;		/* handle of the checker */
	u8		sent_mask;
	u8		acked_mask;
	bool		read_ready;
};

struct pend {			/* completed, above stable */
	u64	seq;
	u32	extent;
};

struct mvol {
	int			node;
	int			volume;
	bool			known;
	unsigned int		pair;		/* of the slot, while it is attached */
	struct hf_conf_data	conf;		/* in effect */
	struct hf_conf_data	shown;		/* durable: what the agent sees */
	bool			adopting;	/* not durable yet */
	u64			adopt_token;
	struct hf_conf_data	offered;	/* by a link while adopting */
	bool			has_offer;
	struct hf_promises	promises;
	struct mslot		slot;
	struct server		server;
	/* primary */
	u8			disk;
	u64			instance;
	bool			serving;	/* active and past R5's and R7's waits */
	bool			own_flushed;
	bool			own_flush_busy;
	unsigned int		openers;
	u64			seq;
	u64			stable;
	u64			holding_since_us;
	bool			releasing;
	struct hf_room		room;
	struct hf_overlap	overlap;
	struct preq		reqs[SIM_REQS];
	unsigned int		nr_pend;
	struct pend		pend[64];
	struct plink		links[HF_MAX_SLOTS];
};

/* ------------------------------------------------------------------- nodes */

enum { SIM_ACTION_KEYS = 64 };

struct action_key {
	enum action_kind	kind;
	int			volume;
	u8			slot_nr;
	u64			key;
	u64			until_us;
	bool			busy;
};

struct snode {
	u32			id;
	bool			up;
	u32			boot;
	u64			paused_until;	/* virtual us; 0: runs */
	u64			slow_until;	/* its data devices take seconds */
	double			rate;		/* of its clock */
	u64			offset_ns;
	struct sdev		dev[SIM_PAIRS];
	struct mvol		vols[SIM_VOLUMES];
	/* agent */
	bool			agent_up;
	u32			agent;		/* life of the agent, from 1 */
	u64			agent_since_us;
	u64			agent_dead_until;
	struct fsm		*fsm;
	unsigned int		applied;	/* log entries */
	char			*snapshot;
	size_t			snapshot_size;
	unsigned int		snapshot_at;
	struct plan_memory	memory;
	u64			proposal_until_us;
	struct node_report	reports[SIM_NODES];
	u64			report_us[SIM_NODES];	/* received; 0: never */
	u64			heard_us[SIM_NODES];
	struct action_key	keys[SIM_ACTION_KEYS];
};

/* ----------------------------------------------------------------- checker */

struct cand {
	u64	value;
	u64	issued;		/* counter */
	u64	settled;	/* counter; UINT64_MAX: in flight */
	bool	current;	/* may be what a read returns */
	bool	since;		/* may come back when the client's node loses power */
	bool	snap;
};

enum { CHECK_CANDS = 96, CHECK_OPS = 64 };

struct check_block {
	unsigned int	count;
	struct cand	cands[CHECK_CANDS];
};

struct check_op {
	bool		used;
	enum req_kind	kind;
	u32		block;
	u64		value;
	u64		begun;		/* counter */
	u64		instance;
	unsigned int	nr_allowed;	/* read */
	u64		allowed[CHECK_CANDS];
};

struct check {
	u64			counter;
	struct check_block	blocks[SIM_BLOCKS];
	struct check_op		ops[CHECK_OPS];
	u64			instance;	/* that serves, by the log */
	u64			top_term;	/* highest that completed something */
	u64			top_since_us;	/* when it did first */
	u64			writes, reads, flushes, acked;
};

/* One on every node for every volume: it uses the disk whenever it is there. */
struct client {
	u64		instance;	/* that it has open; 0: none */
	unsigned int	outstanding;
	bool		flushing;
};

/* -------------------------------------------------------------- the cluster */

struct log_entry {
	char	*text;
	size_t	size;
};

enum sim_fault {
	FAULT_ABSENCE,		/* planned: cordon, reboot */
	FAULT_CUT,		/* power of one node */
	FAULT_CUT_ALL,
	FAULT_AGENT,		/* killed */
	FAULT_ONE_WAY,		/* between two nodes */
	FAULT_TWO_WAYS,
	FAULT_ISOLATE,
	FAULT_PAUSE,
	FAULT_PROMISES,		/* one cut off, what another promised goes through a reboot */
	FAULT_SLOW,		/* device, with its links */
	FAULT_LATENCY,
	FAULT_LEADERLESS,	/* the leader's agent dies, and a node reboots at once */
	FAULT_KINDS,
};

/* What a history is made of; constant. */
struct sim_profile {
	const char	*name;
	unsigned int	weights[FAULT_KINDS];
	u64		gap_us;		/* longest time between two faults */
	u64		client_us;	/* and between two requests of a client */
	unsigned int	quiet_pct;	/* of requests that seconds of silence follow, besides 0.5 */
	unsigned int	step_pct;	/* of configurations that a fault follows soon */
	unsigned int	aim_pct;	/* of faults that hit a primary */
	unsigned int	scale_pct;	/* patience of the agents; 0: by chance */
	u8		copies;		/* 0: by chance */
};

struct sim_options {
	u64		seed;
	bool		verbose;
	enum mutant	mutant;
	bool		faults;		/* random ones */
	u64		fault_us;	/* how long */
	u8		copies;		/* 0: by chance */
	const struct sim_profile *profile;	/* NULL: by chance */
};

struct sim {
	struct sim_options	opt;
	const struct sim_profile *profile;
	u64			rng;
	u64			now;
	u64			order;
	struct ev		**heap;
	unsigned int		nr_heap, room_heap;
	unsigned int		nr_nodes;
	unsigned int		nr_volumes;
	struct snode		nodes[SIM_NODES];
	bool			cut[SIM_NODES][SIM_NODES];	/* from, to */
	u32			slow_ms;			/* extra delay */
	struct slink		*links;
	unsigned int		nr_links, room_links;
	u64			next_id;
	/* consensus */
	struct log_entry	*log;
	unsigned int		nr_log, room_log;
	int			leader;		/* -1 */
	u64			leader_bad_since;
	struct fsm		*truth;		/* has applied the whole log */
	struct check		checks[SIM_VOLUMES];
	struct client		clients[SIM_VOLUMES][SIM_NODES];
	bool			wants_closed[SIM_VOLUMES];	/* for a move or detach */
	bool			flushing[SIM_VOLUMES];
	u64			next_value[SIM_VOLUMES];
	unsigned int		agent_scale_pct;	/* below 100: rash decisions */
	u8			uuid[SIM_VOLUMES][16];
	bool			healed;
	int			gone;		/* node that stays away; -1: none */
	bool			operator_quiet;
	char			failure[512];
	char			*trace[SIM_TRACE];
	unsigned int		trace_next;
	u64			events_run;
	u64			conf_steps[STEP_KINDS];
};

/* sim.c: queue, randomness, clocks, trace */
u64 sim_random(struct sim *sim);
u64 sim_below(struct sim *sim, u64 limit);
bool sim_chance(struct sim *sim, unsigned int percent);
u64 sim_id(struct sim *sim);			/* never 0, never twice */
struct ev *sim_at(struct sim *sim, u64 delay, int node, ev_fn fn);
void sim_trace(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_fail(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
u64 sim_unix_ms(const struct sim *sim);
u64 sim_clock_ns(const struct sim *sim, int node);
bool sim_reach(const struct sim *sim, int from, int to);
bool sim_mutant(const struct sim *sim, enum mutant mutant);
int sim_node_index(const struct sim *sim, u32 id);
struct sim *sim_new(const struct sim_options *options);
void sim_free(struct sim *sim);
void sim_run_until(struct sim *sim, u64 until);
void sim_print_trace(const struct sim *sim);
void sim_cut_power(struct sim *sim, int node);
void sim_power_on(struct sim *sim, int node);
void sim_kill_agent(struct sim *sim, int node, u64 for_us);
void sim_pause(struct sim *sim, int node, u64 for_us);
void sim_start_history(struct sim *sim, unsigned int nodes, unsigned int volumes);
void sim_heal(struct sim *sim);
/* One node goes for good, or comes back after all. */
void sim_lose_node(struct sim *sim);
void sim_return_node(struct sim *sim);
bool sim_settled(struct sim *sim);		/* S4: all is served and redundant */
void sim_check_end(struct sim *sim);		/* S3 */

void sim_dump(struct sim *sim);			/* into the trace */

/* sim_device.c */
u64 dev_read(const struct sdev *dev, u32 block);
void dev_write(struct sim *sim, struct sdev *dev, u32 block, u64 value, bool fua);
void dev_flush(struct sdev *dev, u64 until);
u64 dev_mark(const struct sdev *dev);
void dev_power_cut(struct sim *sim, struct sdev *dev);

/* sim_slot.c: the local slot of a module */
void slot_attach(struct sim *sim, struct mvol *mv, unsigned int pair);
void slot_stop(struct sim *sim, struct mvol *mv);
bool slot_up(const struct mvol *mv);
bool slot_owes(const struct sim *sim, const struct mvol *mv);
int slot_nr(const struct sim *sim, const struct mvol *mv);
struct sdev *slot_dev(struct sim *sim, struct mvol *mv);
void slot_write(struct sim *sim, struct mvol *mv, const struct lmsg *msg, bool copy);
void slot_flush(struct sim *sim, struct mvol *mv, u64 link, u64 cookie);
void slot_set_bits(struct sim *sim, struct mvol *mv, const struct lmsg *msg);
/* @link UINT64_MAX: all, the primary's own too. */
void slot_drop_received(struct sim *sim, struct mvol *mv, u64 link);
void slot_tick(struct sim *sim, struct mvol *mv);
u32 slot_blocks(const struct mvol *mv, enum hf_al_which which);
void slot_adopting(struct sim *sim, struct mvol *mv, const struct hf_conf_data *old);
void slot_adopted(struct sim *sim, struct mvol *mv, const struct hf_conf_data *old);
u64 slot_promise_ns(struct sim *sim, const struct mvol *mv);
/* Answers of slot.c: @link 0 is the primary's own slot. */
void slot_done(struct sim *sim, struct mvol *mv, u64 link, u64 cookie, enum mop op, bool ok);

/* sim_conf.c: adoption */
int vol_adopt(struct sim *sim, struct mvol *mv, const struct hf_conf_data *conf, bool from_link);
void vol_adopted(struct sim *sim, struct mvol *mv);

/* sim_replica.c: the slot's end of links */
void replica_open(struct sim *sim, struct mvol *mv, u64 link);
void replica_message(struct sim *sim, struct mvol *mv, const struct lmsg *msg);
void replica_close(struct sim *sim, struct mvol *mv, bool tell);
void replica_tick(struct sim *sim, struct mvol *mv);
void replica_conf_adopted(struct sim *sim, struct mvol *mv);

/* sim_link.c: sending */
u64 link_new(struct sim *sim, int volume, int primary, int slot);
void link_send(struct sim *sim, u64 link, int from, const struct lmsg *msg);

/* sim_primary.c, sim_request.c, sim_remote.c */
void primary_link_open(struct sim *sim, struct mvol *mv, u8 slot, u64 link);
void primary_message(struct sim *sim, struct mvol *mv, const struct lmsg *msg);
void primary_link_down(struct sim *sim, struct mvol *mv, u8 slot, bool tell);
void primary_conf_adopted(struct sim *sim, struct mvol *mv, const struct hf_conf_data *old);
void primary_deposed(struct sim *sim, struct mvol *mv);
void primary_slot_done(struct sim *sim, struct mvol *mv, u64 cookie, enum mop op, bool ok);
void primary_tick(struct sim *sim, struct mvol *mv);
bool primary_submit(struct sim *sim, struct mvol *mv, enum req_kind kind, u32 block, u64 value,
		    bool fua, int check);
int primary_prepare(struct sim *sim, struct mvol *mv);
int primary_release(struct sim *sim, struct mvol *mv, u64 instance, bool force);
int primary_delete(struct sim *sim, struct mvol *mv, u64 instance, bool force);
void primary_stable(struct sim *sim, struct mvol *mv);
void primary_continue(struct sim *sim, struct mvol *mv);
void primary_after_overlap(struct sim *sim, struct mvol *mv, struct list_head *granted,
			   struct list_head *ready);
u8 primary_set(const struct mvol *mv);		/* in sync and counted */
u32 primary_holding_ms(const struct sim *sim, const struct mvol *mv);

/* sim_rebuild.c: reconciliation and rebuild */
void reconcile_begin(struct sim *sim, struct mvol *mv);
void reconcile_continue(struct sim *sim, struct mvol *mv);
int rebuild_start(struct sim *sim, struct mvol *mv, u8 slot);
void rebuild_continue(struct sim *sim, struct mvol *mv, u8 slot);
void rebuild_end(struct sim *sim, struct mvol *mv, u8 slot);
void copy_done(struct sim *sim, struct mvol *mv, u8 slot, u64 cookie, enum mop op);
void rebuild_granted(struct sim *sim, struct mvol *mv, struct hf_range *range);

/* sim_agent.c */
void agent_start(struct sim *sim, int node);
void agent_stop(struct sim *sim, int node);
void agent_view(struct sim *sim, int node, struct kernel_view *view);
void agent_propose(struct sim *sim, int node, struct command *cmd);
void consensus_start(struct sim *sim);
/* The operator's or the test's own: committed at once. */
enum fsm_code consensus_commit(struct sim *sim, const struct command *cmd, char *why,
			       size_t why_size);

/* sim_check.c */
int check_begin(struct sim *sim, int volume, enum req_kind kind, u32 block, u64 value,
		u64 instance);
void check_done(struct sim *sim, int volume, int op, bool ok, u64 value, u64 term,
		u64 arrived_us);
void check_power_cut(struct sim *sim, int node);
void check_conf(struct sim *sim, int volume, const struct hf_conf_data *old,
		const struct hf_conf_data *conf);
void check_init(struct sim *sim);
/* Every pair has one owner, no volume two slots on a node; after each commit. */
void check_places(struct sim *sim);
/* @incarnation is linked: it must not have been given back. */
/* There is another slot where this one shall be made: it may not be wanted any more. */
void check_stale_make(struct sim *sim, int node, int volume, u64 incarnation);
void check_linked(struct sim *sim, int volume, int node, u64 incarnation);

/* sim_client.c */
void client_start(struct sim *sim, int volume, int node);
void client_done(struct sim *sim, int volume, int node, u64 instance, enum req_kind kind);
void client_dead(struct sim *sim, int volume, int node, u64 instance);

/* sim_fault.c */
void faults_start(struct sim *sim);
void fault_after_step(struct sim *sim, const struct hf_conf_data *conf);

/* sim_profile.c */
const struct sim_profile *sim_profile_named(const char *name);
const struct sim_profile *sim_profile_by_chance(struct sim *sim);
enum sim_fault sim_profile_fault(struct sim *sim);

#endif /* HOLDFAST_TEST_SIM_H */
