/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Client of the module's generic netlink family (uapi/holdfast.h).
 */
#ifndef _AGENT_NL_H
#define _AGENT_NL_H

#include <stdbool.h>
#include <stddef.h>

#include "../kernel/conf.h"
#include "../uapi/holdfast.h"

#define HF_NL_WHY_MAX	256
#define HF_NL_PATH_MAX	256

struct hf_nl;

/**
 * struct hf_nl_call - one command with its arguments and its answer
 * @cmd: enum holdfast_cmd; which of the arguments go with it is said there.
 *	Of these @node_id, @flags, @timeout_ms and @rate_kbps are left out when 0
 * @error: 0 or -errno, as hf_nl_call() returned it
 * @why: when @error: one sentence, the module's own where it gave one
 *
 * Owner: the caller, from beginning to end.
 */
struct hf_nl_call {
	u8			cmd;
	u8			uuid[16];
	struct hf_conf_data	conf;
	u64			expected_epoch;
	u32			node_id;
	u32			flags;
	u8			slot_nr;
	u64			incarnation;
	char			data_path[HF_NL_PATH_MAX];
	char			meta_path[HF_NL_PATH_MAX];
	u64			term;
	u8			role;
	u64			link_id;
	int			fd_control;
	int			fd_data;
	u32			timeout_ms;
	u32			rate_kbps;

	/* arguments of some, answers of others */
	u64			life;
	u64			instance;

	/* answers */
	u64			epoch;
	bool			unclean;
	int			error;
	char			why[HF_NL_WHY_MAX];
};

/* What VOLUME_GET says of the slot on this node; @state HOLDFAST_SLOT_NONE: none. */
struct hf_nl_slot {
	u8	state;			/* enum holdfast_slot_state */
	u8	nr;
	bool	unclean;
	u64	life;
	u64	incarnation;
	u32	promise_ms;
	u32	log_used;
	u32	log_entries;
	u32	backing_busy;
	int	error;
	u64	own_dirty_bytes;
	char	data_path[HF_NL_PATH_MAX];
	char	meta_path[HF_NL_PATH_MAX];
};

/* The primary's disk; @state HOLDFAST_DISK_NONE: none. */
struct hf_nl_disk {
	u8	state;			/* enum holdfast_disk_state */
	u64	instance;
	u32	openers;
	u32	in_flight;
	u32	held;
	u32	holding_ms;
	u64	stable;
	u64	seq;
};

/* A remote slot of the primary, or on a slot's node the link to the primary. */
struct hf_nl_remote {
	bool	present;
	u8	link_state;		/* enum holdfast_link_state */
	bool	unclean;
	u8	rebuild_state;		/* enum holdfast_rebuild_state */
	u8	down_reason;		/* enum holdfast_down_reason */
	u32	flags;			/* enum holdfast_remote_flag */
	u32	lease_ms;
	u32	holding_ms;		/* on a slot: of the last beacon of the primary (R3) */
	u64	link_id;
	u64	life;
	u64	rebuild_total_bytes;
	u64	rebuild_done_bytes;
	u64	out_of_sync_bytes;
	u64	adopted_epoch;
};

/* One volume of a dump. @remotes and @out_of_sync are indexed by slot number. */
struct hf_nl_volume {
	u8			uuid[16];
	bool			has_conf;
	struct hf_conf_data	conf;
	u32			time_scale_pct;	/* 0: not told */
	struct hf_nl_slot	slot;
	struct hf_nl_disk	disk;
	struct hf_nl_remote	remotes[HF_MAX_SLOTS];
	u64			out_of_sync[HF_MAX_SLOTS];
};

struct hf_nl_volumes {
	struct hf_nl_volume	*volumes;
	size_t			nr;
};

/*
 * A client may be made while the module is absent; each call looks for the
 * family when it must, also after the module was loaded anew. One client is
 * used by one thread at a time. NULL: no memory or no netlink.
 */
struct hf_nl *hf_nl_new(void);
void hf_nl_free(struct hf_nl *nl);

/*
 * Carry out @call. Blocks as long as the kernel does. Returns 0 or -errno,
 * with call->why set; -ENODEV: the module is not loaded.
 */
int hf_nl_call(struct hf_nl *nl, struct hf_nl_call *call);

/*
 * Dump all volumes into @volumes, which hf_nl_volumes_free() releases.
 * Repeated while the kernel says that it was interrupted. @why gets a sentence
 * (HF_NL_WHY_MAX bytes). Returns 0 or -errno.
 */
int hf_nl_dump(struct hf_nl *nl, struct hf_nl_volumes *volumes, char *why);
void hf_nl_volumes_free(struct hf_nl_volumes *volumes);

/* The volume of @uuid in @volumes, or NULL. */
const struct hf_nl_volume *hf_nl_find(const struct hf_nl_volumes *volumes, const u8 *uuid);

#endif /* _AGENT_NL_H */
