/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Facts: what the nodes see.  A kernel_view is what one node's module says
 * (VOLUME_GET, holdfast.h); a node_report is what its agent tells every other
 * agent in each heartbeat; facts are the latest reports as one node has them.
 */
#ifndef HOLDFAST_AGENT_FACTS_H
#define HOLDFAST_AGENT_FACTS_H

#include <jansson.h>

#include "../uapi/holdfast.h"
#include "fsm.h"

#define FACTS_NEVER_MS	UINT32_MAX	/* an age: never */

/**
 * struct kernel_slot - LOCAL_SLOT
 * @attach_error: the agent's own: -errno of its last SLOT_ATTACH that failed
 *	since the slot was last up, else 0
 * @allocated_bytes: the agent's own: what the data device takes of its drive, as
 *	it saw last; of a pair: all of the volume's size
 */
struct kernel_slot {
	u8	state;			/* enum holdfast_slot_state; NONE: no slot */
	u8	slot_nr;
	bool	unclean;
	u64	life;
	u64	incarnation;
	u32	promise_ms;
	u32	log_used;
	u32	log_entries;
	u32	backing_busy;
	s32	error;
	s32	attach_error;
	u64	own_dirty_bytes;
	u64	allocated_bytes;
};

struct kernel_disk {
	u8	state;			/* enum holdfast_disk_state; NONE: no disk */
	u64	instance;
	u32	openers;
	u32	in_flight;
	u32	held;
	u32	holding_ms;
	u64	stable;
	u64	seq;
};

/**
 * struct kernel_remote - REMOTE_SLOT
 * On the primary one for each other slot; on a slot one, the link to the
 * primary, @slot_nr is then the slot's own.
 * @holding_ms: on a slot: what the primary's last beacon said (R3)
 */
struct kernel_remote {
	u8	slot_nr;
	u8	link_state;		/* enum holdfast_link_state */
	u8	rebuild_state;		/* enum holdfast_rebuild_state */
	u8	down_reason;		/* enum holdfast_down_reason */
	bool	unclean;
	u32	flags;			/* enum holdfast_remote_flag */
	u32	lease_ms;
	u32	holding_ms;
	u64	link_id;
	u64	life;
	u64	adopted_epoch;
	u64	rebuild_total_bytes;
	u64	rebuild_done_bytes;
	u64	out_of_sync_bytes;
};

/* One volume of one module. */
struct kernel_volume {
	u8			uuid[FSM_UUID_BYTES];
	struct hf_conf_data	conf;		/* adopted by the module */
	struct kernel_slot	slot;
	struct kernel_disk	disk;
	unsigned int		nr_remotes;
	struct kernel_remote	remotes[HF_MAX_SLOTS];
	u64			out_of_sync_bytes[HF_MAX_SLOTS];	/* this slot's marks */
};

/**
 * struct kernel_view - all of a module
 * @loaded: the module answers; false: nothing else counts
 * Zero-initialized it is empty. Owner of @volumes: whoever fills it.
 */
struct kernel_view {
	bool			loaded;
	unsigned int		nr_volumes;
	unsigned int		room;
	struct kernel_volume	*volumes;
};

/* Returns a zeroed place at the end, or NULL without memory. */
struct kernel_volume *kernel_view_add(struct kernel_view *view);
void kernel_view_clear(struct kernel_view *view);	/* frees @volumes */
int kernel_view_copy(struct kernel_view *to, const struct kernel_view *from);	/* 0, -ENOMEM */
const struct kernel_volume *kernel_view_find(const struct kernel_view *view, const u8 *uuid);
const struct kernel_remote *kernel_volume_remote(const struct kernel_volume *vol, u8 slot_nr);
/*
 * Bytes that the primary whose view this is would still copy to a slot outside
 * of the set, whether it is linked or not; 0 for a slot of the set.
 */
u64 kernel_volume_left_bytes(const struct kernel_volume *vol, u8 slot_nr);

/**
 * struct heard - one node as another hears it
 * @age_ms: since its last heartbeat came in; since the agent's own start if
 *	none has come yet
 * @refused_ms: since its machine last refused a connection (a reset: the
 *	machine lives, its agent does not); FACTS_NEVER_MS: never
 */
struct heard {
	u32	node;
	u32	age_ms;
	u32	refused_ms;
};

/* A drive as its node saw it last; hundredths of a percent. */
struct drive_report {
	u32	drive;
	bool	present;
	u16	data_pct;
	u16	meta_pct;
	u64	data_bytes;
	u64	used_bytes;
	char	disk[FSM_DISK_BYTES];	/* the kernel's name now */
};

/* A disk that could become a drive. */
struct disk_report {
	char	disk[FSM_DISK_BYTES];
	u64	size_bytes;
	bool	rotational;
};

enum { FACTS_MAX_DISKS = 16 };

struct storage_report {
	unsigned int		nr_drives;
	struct drive_report	drives[FSM_NODE_DRIVES];
	unsigned int		nr_disks;
	struct disk_report	disks[FACTS_MAX_DISKS];
};

/**
 * struct node_report - what an agent tells in a heartbeat
 * @boot_id: drawn by the agent once in a boot of the machine (kept in /run)
 * @state_version: fsm.version of its copy
 * @leading: it leads, and has applied all that was committed before
 */
struct node_report {
	u32			node;
	u64			boot_id;
	char			agent_version[32];
	u64			state_version;
	bool			leading;
	unsigned int		nr_heard;
	struct heard		heard[FSM_MAX_NODES];
	struct kernel_view	view;
	struct storage_report	storage;
};

void node_report_clear(struct node_report *report);
int node_report_copy(struct node_report *to, const struct node_report *from);	/* 0, -ENOMEM */
json_t *node_report_to_json(const struct node_report *report);	/* new reference or NULL */
/* Strict. 0, or -EINVAL with a sentence, -ENOMEM. @report is empty on error. */
int node_report_from_json(const json_t *json, struct node_report *report, char *why,
			  size_t why_size);
json_t *kernel_view_to_json(const struct kernel_view *view);
int kernel_view_from_json(const json_t *json, struct kernel_view *view, char *why,
			  size_t why_size);

/**
 * struct facts - the latest report of every node
 * @entries: one for each node that ever reported, this node's own included
 *	(age 0). @age_ms is the time since the report came in
 */
struct facts {
	unsigned int	count;
	struct {
		u32				age_ms;
		const struct node_report	*report;	/* borrowed */
	} entries[FSM_MAX_NODES];
};

#endif /* HOLDFAST_AGENT_FACTS_H */
