/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of the cluster: a deterministic state machine over the consensus
 * log.  It does no I/O, draws nothing and knows no clock: time and random
 * values come inside the commands (command.h).  Every node's copy goes through
 * the same values in the same order.
 *
 * Safety is kept here: fsm_apply() refuses every configuration that is not a
 * legal step of the rules R1 to R13 from the one before, whoever proposes it.
 * What to propose is the planners' work (plan.h).
 */
#ifndef HOLDFAST_AGENT_FSM_H
#define HOLDFAST_AGENT_FSM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../kernel/conf.h"

enum {
	FSM_MAX_NODES		= 64,
	FSM_MAX_VOLUMES		= 4096,
	FSM_MAX_PAIRS		= 16,	/* of a node, named by its operator */
	FSM_MAX_BACKING		= 255,	/* of a node: its pairs, and a slot on a drive each */
	FSM_MAX_DRIVES		= 1024,	/* of the cluster */
	FSM_NODE_DRIVES		= 32,	/* of a node */
	FSM_EXTENT_BYTES	= 1 << 20, /* a logical volume is a multiple of it */
	FSM_MAX_TOKENS		= 64,
	FSM_MAX_EVENTS		= 10000,
	FSM_REMEMBERED		= 1024,	/* outcomes of commands, for retries */
	FSM_NAME_BYTES		= 64,	/* of a node or volume, with its NUL */
	FSM_ADDRESS_BYTES	= 46,	/* text of an IP address */
	FSM_PATH_BYTES		= 256,
	FSM_DISK_BYTES		= 32,	/* the kernel's name of a disk, "sdb" */
	FSM_DRIVE_TEXT_BYTES	= 48,	/* a drive's id as users see it */
	FSM_SENTENCE_BYTES	= 256,	/* a refusal, an event's text */
	FSM_DOMAIN_BYTES	= 8,	/* module tag of an event */
	FSM_UUID_BYTES		= 16,
	FSM_HASH_BYTES		= 32,
	FSM_REBUILD_DELAY_MS	= 60 * 1000,	/* default of the setting */
	FSM_MAX_REBUILD_DELAY_MS = 7 * 24 * 3600 * 1000,
};

struct command;

enum fsm_node_status {
	FSM_NODE_NORMAL,
	FSM_NODE_CORDONED,	/* nothing is placed on or attached to it */
};

/* Why a node that may be alive is cordoned. */
enum fsm_cordon {
	FSM_CORDON_NONE,
	FSM_CORDON_OPERATOR,	/* its volumes are handed over as they are closed */
	FSM_CORDON_FORCE,	/* open disks are let go with errors */
	FSM_CORDON_SHUTDOWN,	/* it is about to go: open disks wait a moment only */
	FSM_CORDONS,
};

/**
 * struct fsm_backing - a data device and its metadata device
 * @drive: id of the drive that has both as logical volumes; 0: a pair
 * @data_path, @meta_path: as the operator named them; empty: the entry is free
 *	for a slot on a drive
 * @size_bytes: that a volume may use
 * @rotational: HDD, else SSD
 * @used: it belongs to slot @slot_nr, @incarnation, of @volume; these are
 *	zero otherwise
 * @retiring: that slot is gone, and the node has not confirmed yet that
 *	nothing of it is left here; @used still
 */
struct fsm_backing {
	char	data_path[FSM_PATH_BYTES];
	char	meta_path[FSM_PATH_BYTES];
	u32	drive;
	u64	size_bytes;
	bool	rotational;
	bool	used;
	bool	retiring;
	u8	slot_nr;
	u64	incarnation;
	u8	volume[FSM_UUID_BYTES];
};

/**
 * struct fsm_node - one node
 * @id: never 0; also its id in raft
 * @join_order: 1 for the node that made the cluster; gaps never occur
 * @status: cordoned while it is @down or there is a @cordon
 * @down: the leader has declared it down; it serves nothing and nobody waits
 *	for it
 * @cordon: an operator or its own shutdown asked for it; the node may be alive
 * @cordon_boot: the boot in which that was asked; it ends with another
 * @failover_open: a failover of volumes that were attached here is under way
 *	(event 1019 is owed)
 */
struct fsm_node {
	u32			id;
	char			name[FSM_NAME_BYTES];
	char			address[FSM_ADDRESS_BYTES];
	u16			port;
	u32			join_order;
	enum fsm_node_status	status;
	bool			down;
	enum fsm_cordon		cordon;
	u64			cordon_boot;
	bool			failover_open;
	u64			joined_ms;	/* unix */
	u64			status_ms;	/* unix, since when @status holds */
	unsigned int		nr_backing;
	struct fsm_backing	backing[FSM_MAX_BACKING];
};

enum fsm_drive_state {
	FSM_DRIVE_ADDING,	/* its node checks the device and makes the volume group */
	FSM_DRIVE_READY,
	FSM_DRIVE_REMOVING,	/* its node wipes it, or what was begun of it */
};

/**
 * struct fsm_drive - a disk of a node that the cluster puts copies on
 * @id: drawn, never 0; the volume group is named after it
 * @index: on its node, the four digits in the id that users see
 * @thick: copies are allocated in full; else from a thin pool
 * @faulty: its node does not find it, or cannot use it
 * @usage_level: 70, 80, 90, 100: the pool is at least so full, 0: it is not
 * @overcommit_pct: thin: what may be promised, in percent of @data_bytes
 * @data_bytes: thin: of the pool; thick: of all of the drive
 * @meta_bytes: thin: kept for metadata devices; thick: 0, they count as data
 * @nr_orphans: logical volumes there that belong to no slot
 * @add_id: id of the command that added it
 * @refused_id: equals @add_id when it could not be added, @refusal says why
 * @device: as it was named by who added it
 * @disk: the kernel's name then
 */
struct fsm_drive {
	u32			id;
	u32			node;
	u32			index;
	enum fsm_drive_state	state;
	bool			thick;
	bool			rotational;
	bool			faulty;
	u8			usage_level;
	u32			overcommit_pct;
	u64			data_bytes;
	u64			meta_bytes;
	u32			nr_orphans;
	u64			added_ms;	/* unix */
	u64			add_id;
	u64			refused_id;
	char			refusal[FSM_SENTENCE_BYTES];
	char			device[FSM_PATH_BYTES];
	char			disk[FSM_DISK_BYTES];
};

struct fsm_token {
	u8	hash[FSM_HASH_BYTES];	/* SHA-256 of the secret */
	u64	expires_ms;		/* unix */
	bool	used;
};

enum fsm_attach_mode {
	FSM_ATTACH_AUTO,	/* follows a failover at once */
	FSM_ATTACH_FOLLOW,	/* attached only where it is published */
};

enum fsm_volume_state {
	FSM_VOLUME_CREATING,	/* slots are being made; conf.epoch is 0 */
	FSM_VOLUME_READY,
	FSM_VOLUME_DELETING,	/* name is free again; waits for its slots to be retired */
};

/**
 * struct fsm_place - a slot that is to be added
 * @node: 0: there is none
 * @lost_nr: the slot that it is to replace; HF_MAX_SLOTS: none
 * @made: its node has zeroed and formatted it (R16): it may be added
 * The backing on @node is used for (volume, @slot_nr, @incarnation).
 */
struct fsm_place {
	u32	node;
	u8	slot_nr;
	u8	lost_nr;
	bool	made;
	u64	incarnation;
};

/**
 * struct fsm_volume - one volume
 * @wanted_node: node that shall serve it; 0: none. Where it *is* served says
 *	fsm_volume_served_on()
 * @wanted_force: the wish was made with force: an open disk is let go
 * @wanted_ms: unix ms of that wish
 * @request_id: id of the command that made the last wish
 * @refused_id: id of a wish that could not be fulfilled, @refusal says why
 * @attached_node: node that the last event 1009 named, 0 after a 1011
 * @failover_from: failed over from this node, not served yet; else 0
 * @named_unclean_mask: slots that the naming configuration of the current term
 *	cites with an unclean life (R10); 0 once it is activated
 * @made_mask, @retired_mask: slots made (CREATING), given back (DELETING)
 * @rebuilding_mask: slots for which event 1003 was logged and 1020 not yet
 * @added_mask: slots that were added to replace one and are not in sync yet
 * @place: the slot that is being made to be added
 * @failed_node, @failed_ms, @failures: the last node that could not make a
 *	slot, when (unix), and how often in a row
 * @backing: for each slot number, that of @place too, the index of its pair on
 *	its node
 * @conf: the configuration; epoch 0 while CREATING, @conf.vdisk valid always
 */
struct fsm_volume {
	char			name[FSM_NAME_BYTES];
	u8			uuid[FSM_UUID_BYTES];
	enum fsm_volume_state	state;
	u8			copies;
	enum fsm_attach_mode	attach_mode;
	u64			created_ms;	/* unix */
	u64			create_id;	/* id of the creating command */
	u32			wanted_node;
	bool			wanted_force;
	u64			wanted_ms;
	u64			request_id;
	u64			refused_id;
	char			refusal[FSM_SENTENCE_BYTES];
	u32			attached_node;
	u32			failover_from;
	u8			named_unclean_mask;
	u8			made_mask;
	u8			retired_mask;
	u8			rebuilding_mask;
	u8			added_mask;
	struct fsm_place	place;
	u32			failed_node;
	u64			failed_ms;
	u32			failures;
	u8			backing[HF_MAX_SLOTS];
	struct hf_conf_data	conf;
};

enum fsm_level {
	FSM_INFO,
	FSM_WARNING,
	FSM_ERROR,
};

struct fsm_event {
	u64		seq;		/* from 1, without gaps */
	u64		time_ms;	/* unix */
	enum fsm_level	level;
	u32		code;
	char		domain[FSM_DOMAIN_BYTES];	/* "DFS", "VD" */
	char		*text;		/* without the code; owned by the ring */
};

enum fsm_code {
	FSM_OK,
	FSM_REFUSED,		/* not possible now; the sentence says why and what to do */
	FSM_UNKNOWN,		/* names something that does not exist */
	FSM_EXISTS,
	FSM_INVALID,		/* malformed, out of range */
	FSM_STALE,		/* compare-and-set failed: the epoch has moved on */
	FSM_ILLEGAL,		/* a configuration step that the rules forbid */
};

/* Outcome of a command. Equal on every node. */
struct fsm_result {
	enum fsm_code	code;
	char		sentence[FSM_SENTENCE_BYTES];	/* empty if FSM_OK */
};

struct fsm_outcome {
	u64		id;
	enum fsm_code	code;
	char		*sentence;	/* NULL if empty */
};

/**
 * struct fsm - the whole state
 * @version: grows by one with every command applied
 * @rebuild_delay_ms: setting: a copy that is away this long is made elsewhere
 * @events: ring of @event_count, oldest at @event_first
 * @outcomes: ring of the last FSM_REMEMBERED outcomes
 *
 * Owner: whoever called fsm_new(); pointers into it are valid until the next
 * fsm_apply() or fsm_free().
 */
struct fsm {
	bool			initialized;
	u8			cluster[FSM_UUID_BYTES];
	u64			version;
	u32			rebuild_delay_ms;
	unsigned int		nr_nodes;
	struct fsm_node		*nodes;		/* by join order */
	unsigned int		nr_drives;
	struct fsm_drive	*drives;	/* by adding */
	unsigned int		nr_tokens;
	struct fsm_token	tokens[FSM_MAX_TOKENS];
	unsigned int		nr_volumes;
	struct fsm_volume	*volumes;	/* by creation */
	u64			next_event_seq;
	unsigned int		event_first;
	unsigned int		event_count;
	struct fsm_event	*events;
	unsigned int		outcome_next;
	struct fsm_outcome	outcomes[FSM_REMEMBERED];
};

struct fsm *fsm_new(void);
void fsm_free(struct fsm *fsm);

/*
 * Apply one committed command. A command whose id is remembered returns the
 * outcome it had and changes nothing. A refusal changes nothing either (but
 * @version and the remembered outcomes).
 */
void fsm_apply(struct fsm *fsm, const struct command *cmd, struct fsm_result *result);

/* The outcome of command @id if it was applied and is remembered. */
bool fsm_outcome(const struct fsm *fsm, u64 id, struct fsm_result *result);

/* Would a node that shows a secret of this hash be let in? */
bool fsm_token_admits(const struct fsm *fsm, const u8 *hash, u64 now_ms);

/* Lookups; NULL: there is none. Volumes being deleted are found by UUID alone. */
const struct fsm_node *fsm_node_by_id(const struct fsm *fsm, u32 id);
const struct fsm_node *fsm_node_by_name(const struct fsm *fsm, const char *name);
/* By name, or by id in 8 hex digits, or by address. */
const struct fsm_node *fsm_node_find(const struct fsm *fsm, const char *text);
const struct fsm_volume *fsm_volume_by_name(const struct fsm *fsm, const char *name);
const struct fsm_volume *fsm_volume_by_uuid(const struct fsm *fsm, const u8 *uuid);
/* By name, or by "vdN", or by UUID (its first 8 hex digits or all 32). */
const struct fsm_volume *fsm_volume_find(const struct fsm *fsm, const char *text);

/* Node on which the volume is activated now; 0: none. */
u32 fsm_volume_served_on(const struct fsm_volume *vol);
/* The pair that backs slot @slot_nr; NULL: the slot is not used. */
const struct fsm_backing *fsm_slot_backing(const struct fsm *fsm, const struct fsm_volume *vol,
					   int slot_nr);
/* Bytes that volumes may still take on a node, in its free pairs and on its drives. */
u64 fsm_node_free_bytes(const struct fsm *fsm, const struct fsm_node *node);

const struct fsm_drive *fsm_drive_by_id(const struct fsm *fsm, u32 id);
/* By the id that users see, or by 8 hex digits. */
const struct fsm_drive *fsm_drive_find(const struct fsm *fsm, const char *text);
/* "7eb00b7d0000sdb": its node, index and disk. */
const char *fsm_drive_text(const struct fsm_drive *drive, char *text, size_t size);
/* Slots on a drive, those that are given back among them. */
unsigned int fsm_drive_slots(const struct fsm *fsm, const struct fsm_drive *drive);
/* Bytes promised to them, rounded to extents, without metadata. */
u64 fsm_drive_promised_bytes(const struct fsm *fsm, const struct fsm_drive *drive);
/* The largest volume that would fit; 0: it takes nothing now. */
u64 fsm_drive_free_bytes(const struct fsm *fsm, const struct fsm_drive *drive);
/* Size of the metadata device of a slot, in whole extents; 0: no such volume. */
u64 fsm_slot_meta_bytes(u64 size_bytes);
/*
 * May a slot of @size bytes of @vol (NULL: of a new volume) be placed on @node:
 * it is normal, has room, no slot of the volume, nor what is left of one?
 */
bool fsm_node_can_hold(const struct fsm *fsm, const struct fsm_node *node,
		       const struct fsm_volume *vol, u64 size);

/*
 * Raft: the first three nodes by join order vote (five of more than ten). A
 * node that is away keeps its vote.
 */
bool fsm_node_votes(const struct fsm *fsm, u32 id);
/* "sds" for @leader, "backup1"… for the other voters by join order, "standard". */
void fsm_node_role(const struct fsm *fsm, u32 id, u32 leader, char *role, size_t size);
const char *fsm_status_name(enum fsm_node_status status);
extern const char *const fsm_cordon_names[FSM_CORDONS];
const char *fsm_cordon_name(enum fsm_cordon cordon);

/* @index 0: the oldest kept. */
const struct fsm_event *fsm_event_at(const struct fsm *fsm, unsigned int index);

#endif /* HOLDFAST_AGENT_FSM_H */
