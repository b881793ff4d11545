/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The slot's end of a link: serves the primary from the local slot.  At most
 * one link a volume, vol->server_link, which stays there after it went down,
 * until a new one replaces it. A link that comes while that one is up is
 * vol->next_link, and replaces it once its hello was found right: whoever gets
 * a connection this far costs the primary nothing.
 */
#ifndef _HOLDFAST_REPLICA_H
#define _HOLDFAST_REPLICA_H

#include <linux/types.h>

#include "../uapi/holdfast.h"

struct hf_conf;
struct hf_volume;

/**
 * struct hf_replica_info - the link to the primary, as VOLUME_GET reports it
 * @holding_ms: how long the primary said that it is holding I/O, 0: it is not
 *	(R3: other agents may then ask on its behalf)
 */
struct hf_replica_info {
	enum holdfast_link_state	state;
	enum holdfast_down_reason	reason;
	u64				link_id;
	u64				term;
	u32				holding_ms;
};

/*
 * End both links, those that there are, and discard what they have received and
 * not submitted (R1). What is at the device ends by itself: hf_slot_busy().
 * Waits for the link's own workers alone. conf_lock held.
 */
void hf_replica_stop(struct hf_volume *vol, enum holdfast_down_reason reason);

/* LINK_DEL on the slot's node. conf_lock held. @link_id 0: any. */
void hf_replica_unlink(struct hf_volume *vol, u64 link_id);

/*
 * A newer epoch was adopted: the link of a slot that it does not have ends, and
 * the primary is told of one that did not come from a link (R1). conf_lock
 * held, @conf published.
 */
void hf_replica_adopted(struct hf_volume *vol, const struct hf_conf *conf, bool from_link);

/* False: no link was ever added. conf_lock held. */
bool hf_replica_info(struct hf_volume *vol, struct hf_replica_info *info);

/* Called by hf_link_init() and hf_link_exit(). */
int hf_replica_init(void);
void hf_replica_exit(void);

#endif /* _HOLDFAST_REPLICA_H */
