// SPDX-License-Identifier: GPL-2.0
/*
 * Puts a volume's facts into a netlink message, nested as uapi/holdfast.h
 * draws it. Reads only; no rule lives here.
 *
 * Locks: the caller holds conf_lock; what serve_lock guards is copied under it
 * before it is put.
 */
#include "report.h"

#include <net/genetlink.h>

#include "disk.h"
#include "main.h"
#include "rebuild.h"
#include "replica.h"
#include "volume.h"

static int put_u64(struct sk_buff *skb, int attr, u64 value)
{
	return nla_put_u64_64bit(skb, attr, value, HOLDFAST_A_PAD);
}

static u32 ms_since(u64 since_ns)
{
	u64 ms;

	if (!since_ns)
		return 0;
	ms = div_u64(hf_boottime_ns() - since_ns, NSEC_PER_MSEC);
	return clamp_t(u64, ms, 1, U32_MAX);
}

static int put_slot(struct sk_buff *skb, struct hf_volume *vol)
{
	struct hf_slot *slot = vol->slot;
	const char *data, *meta;
	struct nlattr *nest;

	if (!slot)
		return 0;
	hf_slot_paths(slot, &data, &meta);
	nest = nla_nest_start(skb, HOLDFAST_A_LOCAL_SLOT);
	if (!nest ||
	    nla_put_u8(skb, HOLDFAST_A_SLOT_NR, hf_slot_nr(slot)) ||
	    nla_put_u8(skb, HOLDFAST_A_SLOT_STATE, hf_slot_state(slot)) ||
	    put_u64(skb, HOLDFAST_A_LIFE, hf_slot_life(slot)) ||
	    put_u64(skb, HOLDFAST_A_INCARNATION, hf_slot_incarnation(slot)) ||
	    nla_put_u8(skb, HOLDFAST_A_UNCLEAN, hf_slot_unclean(slot)) ||
	    /* To a primary that nothing was promised to: the longest that is owed. */
	    nla_put_u32(skb, HOLDFAST_A_PROMISE_MS, hf_slot_promise_left(slot, 0, 0)) ||
	    nla_put_u32(skb, HOLDFAST_A_LOG_USED, hf_slot_log_used(slot)) ||
	    nla_put_u32(skb, HOLDFAST_A_LOG_ENTRIES, hf_slot_log_entries(slot)) ||
	    nla_put_u32(skb, HOLDFAST_A_BACKING_BUSY, hf_slot_busy(slot)) ||
	    nla_put_s32(skb, HOLDFAST_A_ERROR, hf_slot_error(slot)) ||
	    put_u64(skb, HOLDFAST_A_OWN_DIRTY_BYTES,
		    hf_slot_dirty_bytes(slot, hf_slot_nr(slot))) ||
	    nla_put_string(skb, HOLDFAST_A_DATA_PATH, data) ||
	    nla_put_string(skb, HOLDFAST_A_META_PATH, meta))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static u32 count_held(const struct hf_serve *serve)
{
	return serve->hold_since_ns ? serve->nr_reqs : 0;
}

static int put_disk_object(struct sk_buff *skb, struct hf_disk *disk)
{
	struct hf_serve *serve = &disk->serve;
	enum holdfast_disk_state state;
	u32 openers, in_flight, held;
	u64 hold_since, stable, seq;
	struct nlattr *nest;
	unsigned long flags;

	spin_lock_irqsave(&serve->serve_lock, flags);
	state = serve->state;
	openers = disk->openers;
	in_flight = serve->nr_reqs;
	held = count_held(serve);
	hold_since = serve->hold_since_ns;
	stable = serve->stable;
	seq = serve->seq;
	spin_unlock_irqrestore(&serve->serve_lock, flags);

	nest = nla_nest_start(skb, HOLDFAST_A_DISK);
	if (!nest ||
	    nla_put_u8(skb, HOLDFAST_A_DISK_STATE, state) ||
	    put_u64(skb, HOLDFAST_A_INSTANCE, disk->instance) ||
	    nla_put_u32(skb, HOLDFAST_A_OPENERS, openers) ||
	    nla_put_u32(skb, HOLDFAST_A_IN_FLIGHT, in_flight) ||
	    nla_put_u32(skb, HOLDFAST_A_HELD, held) ||
	    nla_put_u32(skb, HOLDFAST_A_HOLDING_MS, ms_since(hold_since)) ||
	    put_u64(skb, HOLDFAST_A_STABLE, stable) ||
	    put_u64(skb, HOLDFAST_A_SEQ, seq))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/* A remote slot's facts, copied under serve_lock. */
struct remote_facts {
	enum holdfast_link_state	link_state;
	enum holdfast_down_reason	reason;
	enum holdfast_rebuild_state	rebuild_state;
	u64				link_id, life, adopted_epoch;
	u64				total_bytes, done_bytes, lease_end_ns;
	u32				flags;
	bool				unclean;
};

static u32 remote_flags(const struct hf_disk *disk, const struct hf_remote *remote,
			enum holdfast_rebuild_state rebuild_state)
{
	const struct hf_serve *serve = &disk->serve;
	bool in_sync = serve->in_sync_mask & BIT(remote->nr);
	bool counted = serve->counted_mask & BIT(remote->nr);
	u32 flags = 0;

	if (remote->ready && remote->good_life && remote->good_life == remote->life)
		flags |= HOLDFAST_REMOTE_RECONCILED;
	if (counted)
		flags |= HOLDFAST_REMOTE_COUNTED;
	if (counted && remote->gets && rebuild_state == HOLDFAST_REBUILD_ADMISSIBLE)
		flags |= HOLDFAST_REMOTE_ADMISSIBLE;
	if (remote->lost)
		flags |= HOLDFAST_REMOTE_LOST;
	if ((in_sync || counted) && hf_serve_running(disk) && remote->life &&
	    remote->life != remote->good_life)
		flags |= HOLDFAST_REMOTE_NEW_LIFE;
	return flags;
}

static void get_facts(struct hf_disk *disk, struct hf_remote *remote, struct remote_facts *facts)
{
	const struct hf_link *link;
	unsigned long flags;

	spin_lock_irqsave(&disk->serve.serve_lock, flags);
	link = remote->foreign ? NULL : remote->link;
	facts->link_state = link ? hf_link_state(link) :
			    remote->link_id ? HOLDFAST_LINK_DOWN : HOLDFAST_LINK_NONE;
	facts->reason = link ? hf_link_reason(link) : remote->down_reason;
	facts->link_id = remote->link_id;
	facts->life = remote->life;
	facts->unclean = remote->unclean;
	facts->adopted_epoch = remote->adopted_epoch;
	facts->lease_end_ns = hf_remote_lease_end(remote);
	hf_rebuild_report(remote->rebuild, &facts->rebuild_state, &facts->total_bytes,
			  &facts->done_bytes);
	facts->flags = remote_flags(disk, remote, facts->rebuild_state);
	spin_unlock_irqrestore(&disk->serve.serve_lock, flags);
}

static int put_remote(struct sk_buff *skb, struct hf_disk *disk, struct hf_remote *remote)
{
	struct remote_facts facts;
	struct nlattr *nest;
	u64 now = hf_boottime_ns();
	u32 lease_ms;

	get_facts(disk, remote, &facts);
	lease_ms = facts.lease_end_ns > now ?
		   div_u64(facts.lease_end_ns - now, NSEC_PER_MSEC) : 0;
	nest = nla_nest_start(skb, HOLDFAST_A_REMOTE_SLOT);
	if (!nest ||
	    nla_put_u8(skb, HOLDFAST_A_SLOT_NR, remote->nr) ||
	    nla_put_u8(skb, HOLDFAST_A_LINK_STATE, facts.link_state) ||
	    put_u64(skb, HOLDFAST_A_LINK_ID, facts.link_id) ||
	    put_u64(skb, HOLDFAST_A_LIFE, facts.life) ||
	    nla_put_u8(skb, HOLDFAST_A_UNCLEAN, facts.unclean) ||
	    nla_put_u32(skb, HOLDFAST_A_REMOTE_FLAGS, facts.flags) ||
	    nla_put_u8(skb, HOLDFAST_A_REBUILD_STATE, facts.rebuild_state) ||
	    put_u64(skb, HOLDFAST_A_REBUILD_TOTAL_BYTES, facts.total_bytes) ||
	    put_u64(skb, HOLDFAST_A_REBUILD_DONE_BYTES, facts.done_bytes) ||
	    put_u64(skb, HOLDFAST_A_OUT_OF_SYNC_BYTES,
		    hf_serve_has_own(disk) ? hf_slot_dirty_bytes(disk->slot, remote->nr) : 0) ||
	    nla_put_u32(skb, HOLDFAST_A_LEASE_MS, lease_ms) ||
	    put_u64(skb, HOLDFAST_A_ADOPTED_EPOCH, facts.adopted_epoch) ||
	    nla_put_u8(skb, HOLDFAST_A_DOWN_REASON, facts.reason))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/* On a slot: the link to the primary. */
static int put_server_link(struct sk_buff *skb, struct hf_volume *vol)
{
	struct hf_replica_info info;
	struct nlattr *nest;

	if (!vol->slot || !hf_replica_info(vol, &info))
		return 0;
	nest = nla_nest_start(skb, HOLDFAST_A_REMOTE_SLOT);
	if (!nest ||
	    nla_put_u8(skb, HOLDFAST_A_SLOT_NR, hf_slot_nr(vol->slot)) ||
	    nla_put_u8(skb, HOLDFAST_A_LINK_STATE, info.state) ||
	    put_u64(skb, HOLDFAST_A_LINK_ID, info.link_id) ||
	    nla_put_u32(skb, HOLDFAST_A_HOLDING_MS, info.holding_ms) ||
	    nla_put_u8(skb, HOLDFAST_A_DOWN_REASON, info.reason))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int put_out_of_sync(struct sk_buff *skb, struct hf_volume *vol, u8 used_mask)
{
	struct nlattr *nest;
	u8 nr;

	for (nr = 0; vol->slot && nr < HF_MAX_SLOTS; nr++) {
		if (nr == hf_slot_nr(vol->slot) || !(used_mask & BIT(nr)))
			continue;
		nest = nla_nest_start(skb, HOLDFAST_A_OUT_OF_SYNC);
		if (!nest ||
		    nla_put_u8(skb, HOLDFAST_A_SLOT_NR, nr) ||
		    put_u64(skb, HOLDFAST_A_OUT_OF_SYNC_BYTES, hf_slot_dirty_bytes(vol->slot, nr)))
			return -EMSGSIZE;
		nla_nest_end(skb, nest);
	}
	return 0;
}

int hf_report_volume(struct sk_buff *skb, struct hf_volume *vol)
{
	const struct hf_conf *conf;
	struct hf_wire_conf wire;
	u8 used = 0, nr;

	lockdep_assert_held(&vol->conf_lock);
	conf = rcu_dereference_protected(vol->conf, lockdep_is_held(&vol->conf_lock));
	if (nla_put(skb, HOLDFAST_A_UUID, sizeof(vol->uuid), &vol->uuid) ||
	    nla_put_u32(skb, HOLDFAST_A_NODE_ID, vol->node_id) ||
	    nla_put_u32(skb, HOLDFAST_A_TIME_SCALE_PCT, hf_time_scale_pct))
		return -EMSGSIZE;
	if (conf) {
		hf_conf_encode(&conf->data, &wire);
		used = hf_conf_used_mask(&conf->data);
		if (nla_put(skb, HOLDFAST_A_CONF, sizeof(wire), &wire))
			return -EMSGSIZE;
	}
	if (put_slot(skb, vol) || put_out_of_sync(skb, vol, used))
		return -EMSGSIZE;
	if (!vol->disk)
		return put_server_link(skb, vol);
	if (put_disk_object(skb, vol->disk))
		return -EMSGSIZE;
	/* A torn down disk has no slot and no links to tell of. */
	if (READ_ONCE(vol->disk->serve.state) == HOLDFAST_DISK_DEAD)
		return put_server_link(skb, vol);
	for (nr = 0; nr < HF_MAX_SLOTS; nr++)
		if (nr != vol->disk->own_nr && (used & BIT(nr)) &&
		    put_remote(skb, vol->disk, &vol->disk->remotes[nr]))
			return -EMSGSIZE;
	/* Prepared only: the node may still serve another primary. */
	if (READ_ONCE(vol->disk->serve.state) == HOLDFAST_DISK_PREPARED)
		return put_server_link(skb, vol);
	return 0;
}
