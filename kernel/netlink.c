// SPDX-License-Identifier: GPL-2.0
/*
 * Generic netlink family "holdfast": checks what a caller sends, finds the
 * object that it means, and hands over. Every refusal has a sentence. What a
 * command does is its object's; what a dump says is report.c's.
 *
 * Mistake 5 of the design: every command says which term, epoch, life or
 * instance it means, and is compared under the object's lock.
 * Locks: conf_lock of the volume around each command, but for waits.
 */
#include "netlink.h"

#include <linux/netlink.h>
#include <net/genetlink.h>

#include "compat/compat.h"
#include "disk.h"
#include "event.h"
#include "main.h"
#include "rebuild.h"
#include "replica.h"
#include "report.h"
#include "volume.h"

static struct genl_family family;

/* ----------------------------------------------------------------- policies */

static struct netlink_range_validation range_nonzero_u64 = {
	.min = 1,
	.max = U64_MAX,
};

static struct netlink_range_validation range_node = {
	.min = 1,
	.max = U32_MAX,
};

static struct netlink_range_validation range_fd = {
	.max = S32_MAX,
};

static struct netlink_range_validation range_timeout = {
	.min = 1,
	.max = 600 * MSEC_PER_SEC,
};

#define POLICY_UUID		NLA_POLICY_EXACT_LEN(16)
#define POLICY_SLOT_NR		NLA_POLICY_MAX(NLA_U8, HF_MAX_SLOTS - 1)
#define POLICY_NONZERO		NLA_POLICY_FULL_RANGE(NLA_U64, &range_nonzero_u64)
#define POLICY_FLAGS(mask)	NLA_POLICY_MASK(NLA_U32, mask)
#define POLICY_PATH		{ .type = NLA_NUL_STRING, .len = PATH_MAX - 1 }

static const struct nla_policy volume_policy[HOLDFAST_A_UUID + 1] = {
	[HOLDFAST_A_UUID]		= POLICY_UUID,
};

static const struct nla_policy volume_set_policy[HOLDFAST_A_NODE_ID + 1] = {
	[HOLDFAST_A_UUID]		= POLICY_UUID,
	[HOLDFAST_A_CONF]		= NLA_POLICY_EXACT_LEN(sizeof(struct hf_wire_conf)),
	[HOLDFAST_A_EXPECTED_EPOCH]	= { .type = NLA_U64 },
	[HOLDFAST_A_NODE_ID]		= NLA_POLICY_FULL_RANGE(NLA_U32, &range_node),
};

static const struct nla_policy volume_del_policy[HOLDFAST_A_FLAGS + 1] = {
	[HOLDFAST_A_UUID]		= POLICY_UUID,
	[HOLDFAST_A_FLAGS]		= POLICY_FLAGS(HOLDFAST_FLAG_FORCE),
};

static const struct nla_policy slot_attach_policy[HOLDFAST_A_META_PATH + 1] = {
	[HOLDFAST_A_UUID]		= POLICY_UUID,
	[HOLDFAST_A_FLAGS]		= POLICY_FLAGS(HOLDFAST_FLAG_DISCARD_ZEROES),
	[HOLDFAST_A_SLOT_NR]		= POLICY_SLOT_NR,
	[HOLDFAST_A_INCARNATION]	= POLICY_NONZERO,
	[HOLDFAST_A_DATA_PATH]		= POLICY_PATH,
	[HOLDFAST_A_META_PATH]		= POLICY_PATH,
};

static const struct nla_policy slot_detach_policy[HOLDFAST_A_LIFE + 1] = {
	[HOLDFAST_A_UUID]		= POLICY_UUID,
	[HOLDFAST_A_FLAGS]		= POLICY_FLAGS(HOLDFAST_FLAG_FORCE),
	[HOLDFAST_A_LIFE]		= POLICY_NONZERO,
};

static const struct nla_policy disk_policy[HOLDFAST_A_TIMEOUT_MS + 1] = {
	[HOLDFAST_A_UUID]		= POLICY_UUID,
	[HOLDFAST_A_FLAGS]		= POLICY_FLAGS(HOLDFAST_FLAG_FORCE),
	[HOLDFAST_A_INSTANCE]		= POLICY_NONZERO,
	[HOLDFAST_A_TIMEOUT_MS]		= NLA_POLICY_FULL_RANGE(NLA_U32, &range_timeout),
};

static const struct nla_policy disk_only_policy[HOLDFAST_A_INSTANCE + 1] = {
	[HOLDFAST_A_UUID]		= POLICY_UUID,
	[HOLDFAST_A_INSTANCE]		= POLICY_NONZERO,
};

static const struct nla_policy disk_del_policy[HOLDFAST_A_INSTANCE + 1] = {
	[HOLDFAST_A_UUID]		= POLICY_UUID,
	[HOLDFAST_A_FLAGS]		= POLICY_FLAGS(HOLDFAST_FLAG_FORCE),
	[HOLDFAST_A_INSTANCE]		= POLICY_NONZERO,
};

static const struct nla_policy link_add_policy[HOLDFAST_A_FD_DATA + 1] = {
	[HOLDFAST_A_UUID]		= POLICY_UUID,
	[HOLDFAST_A_SLOT_NR]		= POLICY_SLOT_NR,
	[HOLDFAST_A_TERM]		= POLICY_NONZERO,
	[HOLDFAST_A_LINK_ID]		= POLICY_NONZERO,
	[HOLDFAST_A_ROLE]		= NLA_POLICY_RANGE(NLA_U8, HOLDFAST_ROLE_PRIMARY,
							   HOLDFAST_ROLE_SLOT),
	[HOLDFAST_A_FD_CONTROL]		= NLA_POLICY_FULL_RANGE(NLA_U32, &range_fd),
	[HOLDFAST_A_FD_DATA]		= NLA_POLICY_FULL_RANGE(NLA_U32, &range_fd),
};

static const struct nla_policy link_del_policy[HOLDFAST_A_LINK_ID + 1] = {
	[HOLDFAST_A_UUID]		= POLICY_UUID,
	[HOLDFAST_A_SLOT_NR]		= POLICY_SLOT_NR,
	[HOLDFAST_A_LINK_ID]		= { .type = NLA_U64 },
};

static const struct nla_policy rebuild_start_policy[HOLDFAST_A_RATE_KBPS + 1] = {
	[HOLDFAST_A_UUID]		= POLICY_UUID,
	[HOLDFAST_A_SLOT_NR]		= POLICY_SLOT_NR,
	[HOLDFAST_A_FLAGS]		= POLICY_FLAGS(HOLDFAST_FLAG_FULL),
	[HOLDFAST_A_RATE_KBPS]		= { .type = NLA_U32 },
};

static const struct nla_policy rebuild_stop_policy[HOLDFAST_A_SLOT_NR + 1] = {
	[HOLDFAST_A_UUID]		= POLICY_UUID,
	[HOLDFAST_A_SLOT_NR]		= POLICY_SLOT_NR,
};

/* ------------------------------------------------------------------ helpers */

#define REQUIRE(info, attr) GENL_REQ_ATTR_CHECK(info, attr)

static int refuse(struct genl_info *info, const char *why, int err)
{
	if (info->extack)
		info->extack->_msg = why;
	return err;
}

static u32 flags_of(struct genl_info *info)
{
	return info->attrs[HOLDFAST_A_FLAGS] ? nla_get_u32(info->attrs[HOLDFAST_A_FLAGS]) : 0;
}

static struct hf_volume *find_volume(struct genl_info *info, int *err)
{
	struct hf_volume *vol;
	uuid_t uuid;

	*err = -EINVAL;
	if (REQUIRE(info, HOLDFAST_A_UUID)) {
		refuse(info, "the volume's UUID is missing", 0);
		return NULL;
	}
	import_uuid(&uuid, nla_data(info->attrs[HOLDFAST_A_UUID]));
	vol = hf_volume_find_get(&uuid);
	if (!vol)
		*err = refuse(info, "this node knows no volume with this UUID", -ENOENT);
	return vol;
}

/* The volume with its conf_lock held; undone by unlock_volume(). */
static struct hf_volume *lock_volume(struct genl_info *info, int *err)
{
	struct hf_volume *vol = find_volume(info, err);

	if (!vol)
		return NULL;
	hf_volume_lock(vol);
	if (!vol->dead && rcu_access_pointer(vol->conf))
		return vol;
	hf_volume_unlock(vol);
	hf_volume_put(vol);
	*err = refuse(info, "this node knows no volume with this UUID", -ENOENT);
	return NULL;
}

static void unlock_volume(struct hf_volume *vol)
{
	hf_volume_unlock(vol);
	hf_volume_put(vol);
}

/* The disk of exactly the instance that the caller means; conf_lock held. */
static struct hf_disk *find_disk(struct genl_info *info, struct hf_volume *vol, int *err)
{
	*err = -EINVAL;
	if (REQUIRE(info, HOLDFAST_A_INSTANCE)) {
		refuse(info, "the disk's instance is missing", 0);
		return NULL;
	}
	if (vol->disk && vol->disk->instance == nla_get_u64(info->attrs[HOLDFAST_A_INSTANCE]))
		return vol->disk;
	*err = refuse(info, "the volume has no disk of this instance here", -ENOENT);
	return NULL;
}

static struct sk_buff *new_answer(struct genl_info *info, size_t bytes, void **hdr)
{
	struct sk_buff *skb = genlmsg_new(bytes, GFP_KERNEL);

	if (!skb)
		return NULL;
	*hdr = genlmsg_put_reply(skb, info, &family, 0, info->genlhdr->cmd);
	if (*hdr)
		return skb;
	nlmsg_free(skb);
	return NULL;
}

static int answer_u64(struct genl_info *info, int attr, u64 value, int flag_attr, bool flag)
{
	struct sk_buff *skb;
	void *hdr;

	skb = new_answer(info, NLMSG_DEFAULT_SIZE, &hdr);
	if (!skb)
		return -ENOMEM;
	if (nla_put_u64_64bit(skb, attr, value, HOLDFAST_A_PAD) ||
	    (flag_attr && nla_put_u8(skb, flag_attr, flag))) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return genlmsg_reply(skb, info);
}

/* ------------------------------------------------------------------ volumes */

static int volume_get_doit(struct sk_buff *request, struct genl_info *info)
{
	struct hf_volume *vol;
	struct sk_buff *skb;
	void *hdr;
	int err;

	vol = lock_volume(info, &err);
	if (!vol)
		return err;
	err = -ENOMEM;
	skb = new_answer(info, HF_REPORT_BYTES, &hdr);
	if (skb)
		err = hf_report_volume(skb, vol);
	unlock_volume(vol);
	if (err) {
		nlmsg_free(skb);
		return err;
	}
	genlmsg_end(skb, hdr);
	return genlmsg_reply(skb, info);
}

/* cb->args[0]: dump_order of the last volume that went out. */
static int volume_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct hf_volume *vol;
	void *hdr;
	int err = 0;

	cb->seq = hf_volume_generation();
	while (!err && (vol = hf_volume_next_get(cb->args[0]))) {
		hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq, &family,
				  NLM_F_MULTI, HOLDFAST_CMD_VOLUME_GET);
		err = -EMSGSIZE;
		if (hdr) {
			genl_dump_check_consistent(cb, hdr);
			hf_volume_lock(vol);
			err = vol->dead ? -ENOENT : hf_report_volume(skb, vol);
			hf_volume_unlock(vol);
			if (err)
				genlmsg_cancel(skb, hdr);
			else
				genlmsg_end(skb, hdr);
		}
		if (err != -EMSGSIZE) {
			cb->args[0] = vol->dump_order;
			err = 0;
		}
		hf_volume_put(vol);
	}
	/* A full message with something in it: the dump goes on with the next one. */
	return err && !skb->len ? err : skb->len;
}

static struct hf_volume *find_or_create(struct genl_info *info, const struct hf_conf_data *conf,
					bool *created, int *err)
{
	struct hf_volume *vol;
	uuid_t uuid;

	import_uuid(&uuid, conf->volume);
	vol = hf_volume_find_get(&uuid);
	*created = false;
	if (vol)
		return vol;
	*err = -EINVAL;
	if (nla_get_u64(info->attrs[HOLDFAST_A_EXPECTED_EPOCH])) {
		*err = refuse(info, "the volume is not known here, its epoch cannot be expected",
			      -ESTALE);
		return NULL;
	}
	if (!info->attrs[HOLDFAST_A_NODE_ID]) {
		refuse(info, "the first command for a volume must tell the node's own id", 0);
		return NULL;
	}
	vol = hf_volume_create(&uuid, nla_get_u32(info->attrs[HOLDFAST_A_NODE_ID]));
	*created = true;
	*err = -ENOMEM;
	return vol;
}

/* Compare-and-set on the epoch; a repetition of what is adopted succeeds. */
static int set_volume(struct genl_info *info, struct hf_volume *vol,
		      const struct hf_conf_data *offer, u64 *epoch)
{
	u64 expected = nla_get_u64(info->attrs[HOLDFAST_A_EXPECTED_EPOCH]);
	const struct hf_conf *have;
	const char *why;
	int err = 0;

	hf_volume_lock(vol);
	have = rcu_dereference_protected(vol->conf, lockdep_is_held(&vol->conf_lock));
	if (vol->dead)
		err = refuse(info, "the volume is being removed", -ENOENT);
	else if (info->attrs[HOLDFAST_A_NODE_ID] &&
		 nla_get_u32(info->attrs[HOLDFAST_A_NODE_ID]) != vol->node_id)
		err = refuse(info, "the node's own id differs from the one told before", -EINVAL);
	else if (have && have->data.epoch != expected &&
		 hf_conf_compare(&have->data, offer, false, &why) != HF_CONF_SAME)
		err = refuse(info, "the expected epoch is not the adopted one", -ESTALE);
	else
		err = hf_conf_adopt(vol, offer, false, info->extack);
	have = rcu_dereference_protected(vol->conf, lockdep_is_held(&vol->conf_lock));
	*epoch = have ? have->data.epoch : 0;
	hf_volume_unlock(vol);
	return err;
}

static int volume_set_doit(struct sk_buff *request, struct genl_info *info)
{
	struct hf_conf_data offer;
	struct hf_volume *vol;
	const char *why = "the configuration cannot be read";
	bool created;
	u64 epoch;
	int err;

	if (REQUIRE(info, HOLDFAST_A_UUID) || REQUIRE(info, HOLDFAST_A_CONF) ||
	    REQUIRE(info, HOLDFAST_A_EXPECTED_EPOCH))
		return refuse(info, "UUID, configuration and expected epoch are needed", -EINVAL);
	if (hf_conf_decode(nla_data(info->attrs[HOLDFAST_A_CONF]), &offer, &why))
		return refuse(info, why, -EINVAL);
	if (memcmp(offer.volume, nla_data(info->attrs[HOLDFAST_A_UUID]), sizeof(offer.volume)))
		return refuse(info, "the configuration is of another volume", -EINVAL);
	vol = find_or_create(info, &offer, &created, &err);
	if (!vol)
		return err;
	err = set_volume(info, vol, &offer, &epoch);
	if (err && created)
		hf_volume_remove(vol, true, NULL);
	hf_volume_put(vol);
	return err ? err : answer_u64(info, HOLDFAST_A_EPOCH, epoch, 0, false);
}

static int volume_del_doit(struct sk_buff *request, struct genl_info *info)
{
	struct hf_volume *vol;
	struct hf_disk *disk;
	int err;

	vol = find_volume(info, &err);
	if (!vol)
		return err;
	hf_volume_lock(vol);
	disk = vol->disk ? hf_disk_get(vol->disk) : NULL;
	hf_volume_unlock(vol);
	err = hf_volume_remove(vol, flags_of(info) & HOLDFAST_FLAG_FORCE, info->extack);
	if (disk && !err)
		hf_disk_wait_gone(disk);
	if (disk)
		hf_disk_put(disk);
	hf_volume_put(vol);
	return err;
}

/* -------------------------------------------------------------------- slots */

static int slot_attach_doit(struct sk_buff *request, struct genl_info *info)
{
	struct nlattr **attrs = info->attrs;
	struct hf_volume *vol;
	bool unclean = false;
	u64 life = 0;
	int err;

	if (REQUIRE(info, HOLDFAST_A_SLOT_NR) || REQUIRE(info, HOLDFAST_A_INCARNATION) ||
	    REQUIRE(info, HOLDFAST_A_DATA_PATH) || REQUIRE(info, HOLDFAST_A_META_PATH))
		return refuse(info, "slot number, incarnation and both paths are needed", -EINVAL);
	vol = lock_volume(info, &err);
	if (!vol)
		return err;
	err = hf_slot_attach(vol, nla_get_u8(attrs[HOLDFAST_A_SLOT_NR]),
			     nla_get_u64(attrs[HOLDFAST_A_INCARNATION]),
			     nla_data(attrs[HOLDFAST_A_DATA_PATH]),
			     nla_data(attrs[HOLDFAST_A_META_PATH]),
			     flags_of(info) & HOLDFAST_FLAG_DISCARD_ZEROES, info->extack);
	if (!err) {
		life = hf_slot_life(vol->slot);
		unclean = hf_slot_unclean(vol->slot);
		/* A disk that was prepared without the slot cannot be named with it (R11). */
		if (vol->disk && !vol->disk->slot &&
		    READ_ONCE(vol->disk->serve.state) == HOLDFAST_DISK_PREPARED)
			hf_disk_kill(vol->disk, "a slot was attached");
		hf_event(vol, HOLDFAST_EVENT_SLOT, hf_slot_nr(vol->slot));
	}
	unlock_volume(vol);
	return err ? err : answer_u64(info, HOLDFAST_A_LIFE, life, HOLDFAST_A_UNCLEAN, unclean);
}

static int slot_detach_doit(struct sk_buff *request, struct genl_info *info)
{
	bool force = flags_of(info) & HOLDFAST_FLAG_FORCE;
	struct hf_volume *vol;
	int err;

	if (REQUIRE(info, HOLDFAST_A_LIFE))
		return refuse(info, "the slot's life is missing", -EINVAL);
	vol = lock_volume(info, &err);
	if (!vol)
		return err;
	if (!vol->slot) {
		err = 0;
	} else if (hf_slot_life(vol->slot) != nla_get_u64(info->attrs[HOLDFAST_A_LIFE])) {
		err = refuse(info, "the attached slot has another life", -ESTALE);
	} else if (vol->disk && !force && hf_disk_uses_slot(vol->disk, vol->slot)) {
		err = refuse(info, "a disk uses the slot; delete the disk first", -EBUSY);
	} else {
		if (vol->disk && hf_disk_uses_slot(vol->disk, vol->slot))
			hf_disk_kill(vol->disk, "its slot was detached");
		err = hf_slot_detach(vol, force, info->extack);
		hf_event(vol, HOLDFAST_EVENT_SLOT, HF_EVENT_NO_SLOT);
	}
	unlock_volume(vol);
	return err;
}

/* -------------------------------------------------------------------- disks */

static int disk_prepare_doit(struct sk_buff *request, struct genl_info *info)
{
	struct hf_volume *vol;
	u64 instance = 0;
	int err;

	vol = lock_volume(info, &err);
	if (!vol)
		return err;
	err = hf_disk_prepare(vol, &instance, info->extack);
	unlock_volume(vol);
	return err ? err : answer_u64(info, HOLDFAST_A_INSTANCE, instance, 0, false);
}

/* RELEASE, FAIL, THAW and DEL: all mean one instance, and may wait without conf_lock. */
static int disk_doit(struct sk_buff *request, struct genl_info *info)
{
	struct nlattr *timeout = NULL;
	bool force = false;
	struct hf_volume *vol;
	struct hf_disk *disk;
	int err;

	vol = lock_volume(info, &err);
	if (!vol)
		return err;
	disk = find_disk(info, vol, &err);
	if (disk)
		hf_disk_get(disk);
	if (info->genlhdr->cmd == HOLDFAST_CMD_DISK_DEL && (disk || err == -ENOENT)) {
		/* A disk that is gone is what the caller wants. */
		err = disk ? hf_disk_del(disk, flags_of(info) & HOLDFAST_FLAG_FORCE,
					 info->extack) : refuse(info, NULL, 0);
	}
	unlock_volume(vol);
	if (!disk)
		return err;
	switch (info->genlhdr->cmd) {
	case HOLDFAST_CMD_DISK_RELEASE:
		force = flags_of(info) & HOLDFAST_FLAG_FORCE;
		timeout = info->attrs[HOLDFAST_A_TIMEOUT_MS];
		err = hf_disk_release(disk, force, timeout ? nla_get_u32(timeout) :
				      hf_time_ms(HF_DISK_RELEASE_MS), info->extack);
		break;
	case HOLDFAST_CMD_DISK_FAIL:
		hf_disk_fail(disk);
		err = 0;
		break;
	case HOLDFAST_CMD_DISK_THAW:
		hf_disk_thaw(disk);
		err = 0;
		break;
	case HOLDFAST_CMD_DISK_DEL:
		if (!err)
			hf_disk_wait_gone(disk);
		break;
	}
	hf_disk_put(disk);
	return err;
}

/* -------------------------------------------------------------------- links */

static int link_add_doit(struct sk_buff *request, struct genl_info *info)
{
	struct nlattr **attrs = info->attrs;
	struct hf_volume *vol;
	u64 term, link_id;
	u32 control, data;
	u8 nr;
	int err;

	if (REQUIRE(info, HOLDFAST_A_TERM) || REQUIRE(info, HOLDFAST_A_SLOT_NR) ||
	    REQUIRE(info, HOLDFAST_A_ROLE) || REQUIRE(info, HOLDFAST_A_LINK_ID) ||
	    REQUIRE(info, HOLDFAST_A_FD_CONTROL) || REQUIRE(info, HOLDFAST_A_FD_DATA))
		return refuse(info, "term, slot number, role, link id and both sockets are needed",
			      -EINVAL);
	term = nla_get_u64(attrs[HOLDFAST_A_TERM]);
	link_id = nla_get_u64(attrs[HOLDFAST_A_LINK_ID]);
	control = nla_get_u32(attrs[HOLDFAST_A_FD_CONTROL]);
	data = nla_get_u32(attrs[HOLDFAST_A_FD_DATA]);
	nr = nla_get_u8(attrs[HOLDFAST_A_SLOT_NR]);
	vol = lock_volume(info, &err);
	if (!vol)
		return err;
	if (nla_get_u8(attrs[HOLDFAST_A_ROLE]) == HOLDFAST_ROLE_PRIMARY) {
		if (vol->disk)
			err = hf_remote_link(vol->disk, nr, term, link_id, control, data,
					     info->extack);
		else
			err = refuse(info, "the volume has no disk here", -EINVAL);
	} else if (!vol->slot || hf_slot_nr(vol->slot) != nr) {
		err = refuse(info, "this slot of the volume is not attached here", -EINVAL);
	} else {
		err = hf_link_serve(vol, term, link_id, control, data, info->extack);
	}
	unlock_volume(vol);
	return err;
}

static int link_del_doit(struct sk_buff *request, struct genl_info *info)
{
	struct hf_volume *vol;
	u64 link_id = 0;
	u8 nr;
	int err;

	if (REQUIRE(info, HOLDFAST_A_SLOT_NR))
		return refuse(info, "the slot number is missing", -EINVAL);
	nr = nla_get_u8(info->attrs[HOLDFAST_A_SLOT_NR]);
	if (info->attrs[HOLDFAST_A_LINK_ID])
		link_id = nla_get_u64(info->attrs[HOLDFAST_A_LINK_ID]);
	vol = lock_volume(info, &err);
	if (!vol)
		return err;
	if (vol->disk)
		hf_remote_unlink(vol->disk, nr, link_id);
	if (vol->slot && hf_slot_nr(vol->slot) == nr)
		hf_replica_unlink(vol, link_id);
	unlock_volume(vol);
	return 0;
}

/* ----------------------------------------------------------------- rebuilds */

static int rebuild_doit(struct sk_buff *request, struct genl_info *info)
{
	struct nlattr *rate;
	struct hf_volume *vol;
	u8 nr;
	int err;

	if (REQUIRE(info, HOLDFAST_A_SLOT_NR))
		return refuse(info, "the slot number is missing", -EINVAL);
	nr = nla_get_u8(info->attrs[HOLDFAST_A_SLOT_NR]);
	vol = lock_volume(info, &err);
	if (!vol)
		return err;
	if (!vol->disk) {
		err = refuse(info, "the volume has no disk here", -EINVAL);
	} else if (info->genlhdr->cmd == HOLDFAST_CMD_REBUILD_START) {
		rate = info->attrs[HOLDFAST_A_RATE_KBPS];
		err = hf_rebuild_start(vol->disk, nr, flags_of(info) & HOLDFAST_FLAG_FULL,
				       rate ? nla_get_u32(rate) : 0, info->extack);
	} else {
		err = hf_rebuild_stop(vol->disk, nr, info->extack);
	}
	unlock_volume(vol);
	return err;
}

/* ------------------------------------------------------------------- family */

#define OP(command, function, attr_policy, nr) {			\
	.cmd		= HOLDFAST_CMD_##command,			\
	.doit		= function,					\
	.policy		= attr_policy,					\
	.maxattr	= nr,						\
	.flags		= GENL_ADMIN_PERM,				\
}

static const struct genl_ops ops[] = {
	{
		.cmd		= HOLDFAST_CMD_VOLUME_GET,
		.doit		= volume_get_doit,
		.dumpit		= volume_get_dumpit,
		.policy		= volume_policy,
		.maxattr	= ARRAY_SIZE(volume_policy) - 1,
		.flags		= GENL_ADMIN_PERM,
	},
	OP(VOLUME_SET, volume_set_doit, volume_set_policy,
	   ARRAY_SIZE(volume_set_policy) - 1),
	OP(VOLUME_DEL, volume_del_doit, volume_del_policy,
	   ARRAY_SIZE(volume_del_policy) - 1),
	OP(SLOT_ATTACH, slot_attach_doit, slot_attach_policy,
	   ARRAY_SIZE(slot_attach_policy) - 1),
	OP(SLOT_DETACH, slot_detach_doit, slot_detach_policy,
	   ARRAY_SIZE(slot_detach_policy) - 1),
	OP(DISK_PREPARE, disk_prepare_doit, volume_policy,
	   ARRAY_SIZE(volume_policy) - 1),
	OP(DISK_RELEASE, disk_doit, disk_policy,
	   ARRAY_SIZE(disk_policy) - 1),
	OP(DISK_DEL, disk_doit, disk_del_policy,
	   ARRAY_SIZE(disk_del_policy) - 1),
	OP(DISK_FAIL, disk_doit, disk_only_policy,
	   ARRAY_SIZE(disk_only_policy) - 1),
	OP(DISK_THAW, disk_doit, disk_only_policy,
	   ARRAY_SIZE(disk_only_policy) - 1),
	OP(LINK_ADD, link_add_doit, link_add_policy,
	   ARRAY_SIZE(link_add_policy) - 1),
	OP(LINK_DEL, link_del_doit, link_del_policy,
	   ARRAY_SIZE(link_del_policy) - 1),
	OP(REBUILD_START, rebuild_doit, rebuild_start_policy,
	   ARRAY_SIZE(rebuild_start_policy) - 1),
	OP(REBUILD_STOP, rebuild_doit, rebuild_stop_policy,
	   ARRAY_SIZE(rebuild_stop_policy) - 1),
};

static const struct genl_multicast_group groups[] = {
	{ .name = HOLDFAST_MCGRP_EVENTS, .flags = GENL_UNS_ADMIN_PERM },
};

static struct genl_family family = {
	.name		= HOLDFAST_GENL_NAME,
	.version	= HOLDFAST_GENL_VERSION,
	.module		= THIS_MODULE,
	.ops		= ops,
	.n_ops		= ARRAY_SIZE(ops),
	.mcgrps		= groups,
	.n_mcgrps	= ARRAY_SIZE(groups),
	.resv_start_op	= HOLDFAST_CMD_VOLUME_GET,
	.parallel_ops	= true,
};

int hf_netlink_init(void)
{
	int err = genl_register_family(&family);

	if (!err)
		hf_event_start(&family);
	return err;
}

void hf_netlink_exit(void)
{
	genl_unregister_family(&family);
}
