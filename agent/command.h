/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands: the entries of the consensus log.  Whatever is random or read from
 * a clock is drawn by the proposer and travels inside.
 */
#ifndef HOLDFAST_AGENT_COMMAND_H
#define HOLDFAST_AGENT_COMMAND_H

#include <jansson.h>

#include "fsm.h"

/**
 * enum command_kind - what a command does
 * @CMD_INIT: makes the cluster; its first command
 * @CMD_TOKEN_ADD: a join token
 * @CMD_JOIN: a node joins by a token
 * @CMD_VOLUME_CREATE: chooses places and begins to make slots
 * @CMD_SLOT_MADE: the node's agent has zeroed and formatted the slot (R16); the
 *	last one of a new volume commits epoch 1
 * @CMD_SLOT_FAILED: it could not; the volume's creation, or this place, is
 *	given up
 * @CMD_VOLUME_DELETE: begins the deletion of a detached volume
 * @CMD_SLOT_RETIRED: the node's agent has given the slot's pair back
 * @CMD_SLOT_PLACE: by the leader: a slot is to be made on a node, to be added
 * @CMD_SLOT_UNPLACE: by the leader: it is not wanted any more
 * @CMD_ATTACH: wish: served on a node (it is not attached elsewhere)
 * @CMD_DETACH: wish: served nowhere
 * @CMD_MOVE: wish: served on another node (R13)
 * @CMD_WISH_REFUSED: by the primary's agent: the disk is open and there was no
 *	force; the wish returns to the primary
 * @CMD_FAILOVER: by the leader: the wanted node cannot serve, another shall
 * @CMD_NODE_DOWN: by the leader: declared down
 * @CMD_NODE_UP: by the leader: taken back
 * @CMD_NODE_CORDON: wish: the node hands over what it serves
 * @CMD_NODE_UNCORDON: the end of that
 * @CMD_SET: settings of the cluster
 * @CMD_REBUILD_BEGUN: by the leader: for the event log
 * @CMD_CONF: a new configuration, compare-and-set on the epoch
 * @CMD_DRIVE_ADD: a disk of a node shall hold copies
 * @CMD_DRIVE_MADE: its node has made the volume group
 * @CMD_DRIVE_FAILED: it could not, or must not; what was begun is taken away
 * @CMD_DRIVE_REMOVE: the drive, on which no slot is, is given up
 * @CMD_DRIVE_GONE: its node has wiped it
 * @CMD_DRIVE_NOTE: what its node sees of it has changed
 */
enum command_kind {
	CMD_NONE,
	CMD_INIT,
	CMD_TOKEN_ADD,
	CMD_JOIN,
	CMD_VOLUME_CREATE,
	CMD_SLOT_MADE,
	CMD_SLOT_FAILED,
	CMD_VOLUME_DELETE,
	CMD_SLOT_RETIRED,
	CMD_ATTACH,
	CMD_DETACH,
	CMD_MOVE,
	CMD_WISH_REFUSED,
	CMD_FAILOVER,
	CMD_NODE_DOWN,
	CMD_NODE_UP,
	CMD_REBUILD_BEGUN,
	CMD_CONF,
	CMD_DRIVE_ADD,
	CMD_DRIVE_MADE,
	CMD_DRIVE_FAILED,
	CMD_DRIVE_REMOVE,
	CMD_DRIVE_GONE,
	CMD_DRIVE_NOTE,
	CMD_SLOT_PLACE,
	CMD_SLOT_UNPLACE,
	CMD_NODE_CORDON,
	CMD_NODE_UNCORDON,
	CMD_SET,
	CMD_KINDS,
};

/**
 * enum conf_step - which legal step a CMD_CONF claims to be
 * @STEP_NAME: R4 step 1: term+1, a primary, lives cited, the set as it was
 * @STEP_ACTIVATE: R4 step 2: the set becomes the reconciled slots
 * @STEP_DROP: R3: the slots of @lost_mask leave the set, and no other
 * @STEP_READMIT: R9: exactly one slot joins the set
 * @STEP_GIVE_UP: R9: epoch+1 and nothing else, ends the counting of a slot
 * @STEP_RELEASE: R13: term+1, no primary, the set as it was
 * @STEP_ADD: the slot that was placed and made is there, outside of the set
 * @STEP_REMOVE: one slot outside of the set is there no more
 */
enum conf_step {
	STEP_NONE,
	STEP_NAME,
	STEP_ACTIVATE,
	STEP_DROP,
	STEP_READMIT,
	STEP_GIVE_UP,
	STEP_RELEASE,
	STEP_ADD,
	STEP_REMOVE,
	STEP_KINDS,
};

struct cmd_backing {
	char	data_path[FSM_PATH_BYTES];
	char	meta_path[FSM_PATH_BYTES];
	u64	size_bytes;
	bool	rotational;
};

struct cmd_node {
	u32			id;
	char			name[FSM_NAME_BYTES];
	char			address[FSM_ADDRESS_BYTES];
	u16			port;
	unsigned int		nr_backing;
	struct cmd_backing	backing[FSM_MAX_PAIRS];
};

struct cmd_init {
	u8		cluster[FSM_UUID_BYTES];
	struct cmd_node	node;
};

struct cmd_token_add {
	u8	hash[FSM_HASH_BYTES];
	u64	expires_ms;
};

struct cmd_join {
	u8		hash[FSM_HASH_BYTES];	/* of the secret that was presented */
	struct cmd_node	node;
};

struct cmd_volume_create {
	char			name[FSM_NAME_BYTES];
	u8			uuid[FSM_UUID_BYTES];
	u64			size_bytes;
	u8			copies;
	u32			policies;	/* enum hf_conf_policy */
	u32			held_timeout_ms;
	enum fsm_attach_mode	attach_mode;
	unsigned int		nr_nodes;	/* named by the operator, at most @copies */
	u32			nodes[HF_MAX_SLOTS];
	u64			incarnations[HF_MAX_SLOTS];	/* drawn, not 0 */
};

struct cmd_slot {		/* SLOT_MADE, SLOT_FAILED, SLOT_RETIRED */
	u8	volume[FSM_UUID_BYTES];
	u8	slot_nr;
	u32	node;
	u64	incarnation;
	char	reason[FSM_SENTENCE_BYTES];	/* SLOT_FAILED: a sentence */
};

struct cmd_wish {		/* VOLUME_DELETE, ATTACH, DETACH, MOVE */
	u8	volume[FSM_UUID_BYTES];
	u32	node;		/* ATTACH, MOVE */
	bool	force;		/* DETACH, MOVE */
};

struct cmd_wish_refused {
	u8	volume[FSM_UUID_BYTES];
	u64	request_id;	/* of the wish */
	u32	node;		/* that still serves */
};

struct cmd_failover {
	u8	volume[FSM_UUID_BYTES];
	u32	from;
	u32	to;
};

struct cmd_slot_place {		/* SLOT_PLACE, SLOT_UNPLACE */
	u8	volume[FSM_UUID_BYTES];
	u8	slot_nr;	/* free in the configuration */
	u8	lost_nr;	/* PLACE: slot outside of the set; HF_MAX_SLOTS: none */
	u32	node;
	u64	incarnation;	/* drawn */
};

struct cmd_node_status {	/* NODE_DOWN, NODE_UP, NODE_UNCORDON */
	u32	node;
	u64	boot_id;	/* NODE_UP: of its last report */
};

struct cmd_node_cordon {
	u32			node;
	enum fsm_cordon		cordon;
	u64			boot_id;	/* of its last report, 0: none */
};

struct cmd_set {
	u32	rebuild_delay_ms;
};

struct cmd_rebuild_begun {
	u8	volume[FSM_UUID_BYTES];
	u8	slot_nr;
};

/**
 * struct cmd_conf - STEP and its evidence
 * @expected_epoch: the epoch that @conf follows; conf.epoch is one more
 * @unclean_mask: NAME: slots whose cited life is unclean (R10)
 * @lost_mask: DROP: the slots that are lost
 * @life: READMIT: life of the slot that is ready for admission
 */
struct cmd_conf {
	enum conf_step		step;
	u64			expected_epoch;
	struct hf_conf_data	conf;
	u8			unclean_mask;
	u8			lost_mask;
	u64			life;
};

struct cmd_drive_add {
	u32	drive;		/* drawn, not 0 */
	u32	node;
	char	device[FSM_PATH_BYTES];
	bool	thick;
	u32	overcommit_pct;	/* 100 to 1000; thick: 100 */
};

struct cmd_drive_made {
	u32	drive;
	u64	data_bytes;
	u64	meta_bytes;
	bool	rotational;
	char	disk[FSM_DISK_BYTES];
};

struct cmd_drive {		/* DRIVE_FAILED, DRIVE_REMOVE, DRIVE_GONE */
	u32	drive;
	char	reason[FSM_SENTENCE_BYTES];	/* DRIVE_FAILED: a sentence */
};

struct cmd_drive_note {
	u32	drive;
	bool	faulty;
	u8	usage_level;		/* 0, 70, 80, 90, 100 */
	u32	nr_orphans;
	char	orphan[FSM_SENTENCE_BYTES];	/* name of the first, or empty */
};

/**
 * struct command - one command
 * @id: drawn at random, not 0; a retry has the same
 * @time_ms: unix, the proposer's clock
 * @origin: node that proposes; 0 before there is one
 */
struct command {
	enum command_kind	kind;
	u64			id;
	u64			time_ms;
	u32			origin;
	union {
		struct cmd_init			init;
		struct cmd_token_add		token_add;
		struct cmd_join			join;
		struct cmd_volume_create	volume_create;
		struct cmd_slot			slot;
		struct cmd_wish			wish;
		struct cmd_wish_refused		wish_refused;
		struct cmd_failover		failover;
		struct cmd_node_status		node_status;
		struct cmd_rebuild_begun	rebuild_begun;
		struct cmd_conf			conf;
		struct cmd_drive_add		drive_add;
		struct cmd_drive_made		drive_made;
		struct cmd_drive		drive;
		struct cmd_drive_note		drive_note;
		struct cmd_slot_place		slot_place;
		struct cmd_node_cordon		node_cordon;
		struct cmd_set			set;
	};
};

/* A list that grows; zero-initialized it is empty. */
struct command_list {
	unsigned int	count;
	unsigned int	room;
	struct command	*commands;
};

/* Returns a zeroed place at the end, or NULL without memory. */
struct command *command_list_add(struct command_list *list);
void command_list_clear(struct command_list *list);	/* frees */

/* Fill the common part and zero the rest; the caller sets the union's member. */
void command_begin(struct command *cmd, enum command_kind kind, u64 id, u64 time_ms, u32 origin);

/* New reference, or NULL without memory. */
json_t *command_to_json(const struct command *cmd);
/*
 * Strict: every member must be there, of its type and in range, and no other.
 * Returns 0, or -EINVAL and a sentence in @why (may be NULL).
 */
int command_from_json(const json_t *json, struct command *cmd, char *why, size_t why_size);

/* The node of CMD_INIT and CMD_JOIN, as a join call and node.json have it, too. */
json_t *cmd_node_to_json(const struct cmd_node *node);
bool cmd_node_from_json(const json_t *json, struct cmd_node *node, char *why, size_t why_size);

/* Text of a command for the log; *@text is malloced. 0, -ENOMEM. */
int command_encode(const struct command *cmd, char **text, size_t *size);
int command_decode(const char *text, size_t size, struct command *cmd, char *why,
		   size_t why_size);

const char *command_kind_name(enum command_kind kind);	/* "volume_create" */
const char *conf_step_name(enum conf_step step);	/* "name" */

#endif /* HOLDFAST_AGENT_COMMAND_H */
