/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The configuration of a volume: one object, replaced whole (R1).  The pure
 * part (conf_core.c) is linked by the agent and its simulation too.
 */
#ifndef _HOLDFAST_CONF_H
#define _HOLDFAST_CONF_H

#include <linux/types.h>

#include "../uapi/holdfast_wire.h"

struct hf_conf_slot {
	u32	node;		/* 0: not used */
	u64	incarnation;
	u64	cited_life;	/* 0: not cited (R4) */
};

/* A configuration in the CPU's own order. */
struct hf_conf_data {
	u8	volume[16];
	u64	size_bytes;
	u64	term;
	u64	epoch;
	u32	primary_node;	/* 0: none */
	u64	primary_instance;
	u64	activated_term;
	u64	activated_instance;
	u32	policies;
	u32	held_timeout_ms;
	u32	vdisk;
	u8	in_sync_mask;
	struct hf_conf_slot slots[HF_MAX_SLOTS];
};

/**
 * enum hf_conf_verdict - what a configuration is against the adopted one
 * @HF_CONF_SAME: equal: a duplicate
 * @HF_CONF_NEWER: may be adopted
 * @HF_CONF_STALE: epoch or term goes back
 * @HF_CONF_CONFLICT: same epoch with other content, or an illegal step
 */
enum hf_conf_verdict {
	HF_CONF_SAME,
	HF_CONF_NEWER,
	HF_CONF_STALE,
	HF_CONF_CONFLICT,
};

/* Pure, conf_core.c. */
int hf_conf_decode(const struct hf_wire_conf *wire, struct hf_conf_data *conf, const char **why);
void hf_conf_encode(const struct hf_conf_data *conf, struct hf_wire_conf *wire);
enum hf_conf_verdict hf_conf_compare(const struct hf_conf_data *have,
				     const struct hf_conf_data *offer, bool from_link,
				     const char **why);
u8 hf_conf_used_mask(const struct hf_conf_data *conf);		/* slots with a node */
u8 hf_conf_missing_mask(const struct hf_conf_data *conf);	/* used, not in sync (R3b) */
/* R4: step 2 is done for this term and instance. */
bool hf_conf_activated(const struct hf_conf_data *conf);
int hf_conf_slot_of(const struct hf_conf_data *conf, u32 node);	/* slot number or -1 */
/* Is this very copy a slot of the volume (R3b). */
bool hf_conf_has_slot(const struct hf_conf_data *conf, u8 nr, u32 node, u64 incarnation);

#ifdef __KERNEL__
#include <linux/rcupdate.h>

struct hf_volume;
struct netlink_ext_ack;

/* The RCU object; const after it is published. Freed by RCU when replaced. */
struct hf_conf {
	struct hf_conf_data	data;
	struct rcu_head		rcu;
};

/*
 * The only writer of vol->conf: compares, persists on the local slot (R1),
 * closes links of lower terms, tells the disk, publishes, sends on to links.
 * @from_link: offered by a link, which may raise the epoch within its term
 * alone. Process context, conf_lock held. Returns 0 also for a duplicate,
 * -ESTALE, -EINVAL or the metadata error otherwise.
 */
int hf_conf_adopt(struct hf_volume *vol, const struct hf_conf_data *offer, bool from_link,
		  struct netlink_ext_ack *extack);
#endif

#endif /* _HOLDFAST_CONF_H */
