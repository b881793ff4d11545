// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Attributes of the module's answers into structs.  Pure: reads one message
 * and writes one struct.  Attributes that this version does not know are
 * passed over, absent ones read as zero; what has the wrong length or form
 * makes the whole message bad.  No locks.
 */
#include "nl_internal.h"

#include <errno.h>
#include <string.h>

#include <linux/genetlink.h>
#include <netlink/genl/genl.h>

struct nla_policy hf_nl_policy[HOLDFAST_A_MAX + 1] = {
	[HOLDFAST_A_UUID]		= { .minlen = 16, .maxlen = 16 },
	[HOLDFAST_A_CONF]		= { .minlen = sizeof(struct hf_wire_conf),
					    .maxlen = sizeof(struct hf_wire_conf) },
	[HOLDFAST_A_EXPECTED_EPOCH]	= { .type = NLA_U64 },
	[HOLDFAST_A_NODE_ID]		= { .type = NLA_U32 },
	[HOLDFAST_A_FLAGS]		= { .type = NLA_U32 },
	[HOLDFAST_A_TERM]		= { .type = NLA_U64 },
	[HOLDFAST_A_EPOCH]		= { .type = NLA_U64 },
	[HOLDFAST_A_LOCAL_SLOT]		= { .type = NLA_NESTED },
	[HOLDFAST_A_DISK]		= { .type = NLA_NESTED },
	[HOLDFAST_A_REMOTE_SLOT]	= { .type = NLA_NESTED },
	[HOLDFAST_A_OUT_OF_SYNC]	= { .type = NLA_NESTED },
	[HOLDFAST_A_SLOT_NR]		= { .type = NLA_U8 },
	[HOLDFAST_A_SLOT_STATE]		= { .type = NLA_U8 },
	[HOLDFAST_A_LIFE]		= { .type = NLA_U64 },
	[HOLDFAST_A_INCARNATION]	= { .type = NLA_U64 },
	[HOLDFAST_A_UNCLEAN]		= { .type = NLA_U8 },
	[HOLDFAST_A_PROMISE_MS]		= { .type = NLA_U32 },
	[HOLDFAST_A_LOG_USED]		= { .type = NLA_U32 },
	[HOLDFAST_A_LOG_ENTRIES]	= { .type = NLA_U32 },
	[HOLDFAST_A_BACKING_BUSY]	= { .type = NLA_U32 },
	[HOLDFAST_A_ERROR]		= { .type = NLA_U32 },
	[HOLDFAST_A_OWN_DIRTY_BYTES]	= { .type = NLA_U64 },
	[HOLDFAST_A_DATA_PATH]		= { .type = NLA_STRING },
	[HOLDFAST_A_META_PATH]		= { .type = NLA_STRING },
	[HOLDFAST_A_DISK_STATE]		= { .type = NLA_U8 },
	[HOLDFAST_A_INSTANCE]		= { .type = NLA_U64 },
	[HOLDFAST_A_OPENERS]		= { .type = NLA_U32 },
	[HOLDFAST_A_IN_FLIGHT]		= { .type = NLA_U32 },
	[HOLDFAST_A_HELD]		= { .type = NLA_U32 },
	[HOLDFAST_A_HOLDING_MS]		= { .type = NLA_U32 },
	[HOLDFAST_A_STABLE]		= { .type = NLA_U64 },
	[HOLDFAST_A_SEQ]		= { .type = NLA_U64 },
	[HOLDFAST_A_LINK_STATE]		= { .type = NLA_U8 },
	[HOLDFAST_A_LINK_ID]		= { .type = NLA_U64 },
	[HOLDFAST_A_REMOTE_FLAGS]	= { .type = NLA_U32 },
	[HOLDFAST_A_REBUILD_STATE]	= { .type = NLA_U8 },
	[HOLDFAST_A_REBUILD_TOTAL_BYTES] = { .type = NLA_U64 },
	[HOLDFAST_A_REBUILD_DONE_BYTES]	= { .type = NLA_U64 },
	[HOLDFAST_A_OUT_OF_SYNC_BYTES]	= { .type = NLA_U64 },
	[HOLDFAST_A_LEASE_MS]		= { .type = NLA_U32 },
	[HOLDFAST_A_ADOPTED_EPOCH]	= { .type = NLA_U64 },
	[HOLDFAST_A_DOWN_REASON]	= { .type = NLA_U8 },
	[HOLDFAST_A_TIMEOUT_MS]		= { .type = NLA_U32 },
	[HOLDFAST_A_ROLE]		= { .type = NLA_U8 },
	[HOLDFAST_A_FD_CONTROL]		= { .type = NLA_U32 },
	[HOLDFAST_A_FD_DATA]		= { .type = NLA_U32 },
	[HOLDFAST_A_RATE_KBPS]		= { .type = NLA_U32 },
	[HOLDFAST_A_EVENT]		= { .type = NLA_U8 },
	[HOLDFAST_A_EVENT_SEQ]		= { .type = NLA_U64 },
	[HOLDFAST_A_TIME_SCALE_PCT]	= { .type = NLA_U32 },
};

u8 hf_nl_u8(struct nlattr **attrs, int attr)
{
	return attrs[attr] ? nla_get_u8(attrs[attr]) : 0;
}

u32 hf_nl_u32(struct nlattr **attrs, int attr)
{
	return attrs[attr] ? nla_get_u32(attrs[attr]) : 0;
}

u64 hf_nl_u64(struct nlattr **attrs, int attr)
{
	return attrs[attr] ? nla_get_u64(attrs[attr]) : 0;
}

static void get_string(struct nlattr **attrs, int attr, char *to)
{
	to[0] = '\0';
	if (attrs[attr])
		nla_strlcpy(to, attrs[attr], HF_NL_PATH_MAX);
}

static int parse_nest(struct nlattr *nest, struct nlattr **attrs)
{
	return nla_parse_nested(attrs, HOLDFAST_A_MAX, nest, hf_nl_policy) < 0 ? -EBADMSG : 0;
}

static int parse_slot(struct nlattr *nest, struct hf_nl_slot *slot)
{
	struct nlattr *attrs[HOLDFAST_A_MAX + 1];

	if (parse_nest(nest, attrs))
		return -EBADMSG;

	slot->state = hf_nl_u8(attrs, HOLDFAST_A_SLOT_STATE);
	slot->nr = hf_nl_u8(attrs, HOLDFAST_A_SLOT_NR);
	if (slot->nr >= HF_MAX_SLOTS)
		return -EBADMSG;
	slot->unclean = hf_nl_u8(attrs, HOLDFAST_A_UNCLEAN);
	slot->life = hf_nl_u64(attrs, HOLDFAST_A_LIFE);
	slot->incarnation = hf_nl_u64(attrs, HOLDFAST_A_INCARNATION);
	slot->promise_ms = hf_nl_u32(attrs, HOLDFAST_A_PROMISE_MS);
	slot->log_used = hf_nl_u32(attrs, HOLDFAST_A_LOG_USED);
	slot->log_entries = hf_nl_u32(attrs, HOLDFAST_A_LOG_ENTRIES);
	slot->backing_busy = hf_nl_u32(attrs, HOLDFAST_A_BACKING_BUSY);
	slot->error = (int)hf_nl_u32(attrs, HOLDFAST_A_ERROR);
	slot->own_dirty_bytes = hf_nl_u64(attrs, HOLDFAST_A_OWN_DIRTY_BYTES);
	get_string(attrs, HOLDFAST_A_DATA_PATH, slot->data_path);
	get_string(attrs, HOLDFAST_A_META_PATH, slot->meta_path);
	return 0;
}

static int parse_disk(struct nlattr *nest, struct hf_nl_disk *disk)
{
	struct nlattr *attrs[HOLDFAST_A_MAX + 1];

	if (parse_nest(nest, attrs))
		return -EBADMSG;

	disk->state = hf_nl_u8(attrs, HOLDFAST_A_DISK_STATE);
	disk->instance = hf_nl_u64(attrs, HOLDFAST_A_INSTANCE);
	disk->openers = hf_nl_u32(attrs, HOLDFAST_A_OPENERS);
	disk->in_flight = hf_nl_u32(attrs, HOLDFAST_A_IN_FLIGHT);
	disk->held = hf_nl_u32(attrs, HOLDFAST_A_HELD);
	disk->holding_ms = hf_nl_u32(attrs, HOLDFAST_A_HOLDING_MS);
	disk->stable = hf_nl_u64(attrs, HOLDFAST_A_STABLE);
	disk->seq = hf_nl_u64(attrs, HOLDFAST_A_SEQ);
	return 0;
}

/* A nest that is about one slot. */
static int parse_slot_nest(struct nlattr *nest, struct nlattr **attrs, u8 *nr)
{
	if (parse_nest(nest, attrs))
		return -EBADMSG;
	*nr = hf_nl_u8(attrs, HOLDFAST_A_SLOT_NR);
	return *nr < HF_MAX_SLOTS ? 0 : -EBADMSG;
}

static int parse_remote(struct nlattr *nest, struct hf_nl_volume *volume)
{
	struct nlattr *attrs[HOLDFAST_A_MAX + 1];
	struct hf_nl_remote *remote;
	u8 nr;

	if (parse_slot_nest(nest, attrs, &nr))
		return -EBADMSG;

	remote = &volume->remotes[nr];
	remote->present = true;
	remote->link_state = hf_nl_u8(attrs, HOLDFAST_A_LINK_STATE);
	remote->unclean = hf_nl_u8(attrs, HOLDFAST_A_UNCLEAN);
	remote->rebuild_state = hf_nl_u8(attrs, HOLDFAST_A_REBUILD_STATE);
	remote->down_reason = hf_nl_u8(attrs, HOLDFAST_A_DOWN_REASON);
	remote->flags = hf_nl_u32(attrs, HOLDFAST_A_REMOTE_FLAGS);
	remote->lease_ms = hf_nl_u32(attrs, HOLDFAST_A_LEASE_MS);
	remote->holding_ms = hf_nl_u32(attrs, HOLDFAST_A_HOLDING_MS);
	remote->link_id = hf_nl_u64(attrs, HOLDFAST_A_LINK_ID);
	remote->life = hf_nl_u64(attrs, HOLDFAST_A_LIFE);
	remote->rebuild_total_bytes = hf_nl_u64(attrs, HOLDFAST_A_REBUILD_TOTAL_BYTES);
	remote->rebuild_done_bytes = hf_nl_u64(attrs, HOLDFAST_A_REBUILD_DONE_BYTES);
	remote->out_of_sync_bytes = hf_nl_u64(attrs, HOLDFAST_A_OUT_OF_SYNC_BYTES);
	remote->adopted_epoch = hf_nl_u64(attrs, HOLDFAST_A_ADOPTED_EPOCH);
	return 0;
}

static int parse_out_of_sync(struct nlattr *nest, struct hf_nl_volume *volume)
{
	struct nlattr *attrs[HOLDFAST_A_MAX + 1];
	u8 nr;

	if (parse_slot_nest(nest, attrs, &nr))
		return -EBADMSG;

	volume->out_of_sync[nr] = hf_nl_u64(attrs, HOLDFAST_A_OUT_OF_SYNC_BYTES);
	return 0;
}

static int parse_conf(struct nlattr *attr, struct hf_nl_volume *volume)
{
	struct hf_wire_conf wire;
	const char *why = NULL;

	memcpy(&wire, nla_data(attr), sizeof(wire));
	if (hf_conf_decode(&wire, &volume->conf, &why))
		return -EBADMSG;

	volume->has_conf = true;
	return 0;
}

int hf_nl_parse_volume(struct nlmsghdr *hdr, struct hf_nl_volume *volume)
{
	struct nlattr *attrs[HOLDFAST_A_MAX + 1];
	struct nlattr *attr;
	int rem, err = 0;

	if (genlmsg_parse(hdr, 0, attrs, HOLDFAST_A_MAX, hf_nl_policy) < 0)
		return -EBADMSG;
	if (!attrs[HOLDFAST_A_UUID])
		return -EBADMSG;

	memset(volume, 0, sizeof(*volume));
	memcpy(volume->uuid, nla_data(attrs[HOLDFAST_A_UUID]), sizeof(volume->uuid));
	volume->time_scale_pct = hf_nl_u32(attrs, HOLDFAST_A_TIME_SCALE_PCT);
	if (attrs[HOLDFAST_A_CONF])
		err = parse_conf(attrs[HOLDFAST_A_CONF], volume);
	if (!err && attrs[HOLDFAST_A_LOCAL_SLOT])
		err = parse_slot(attrs[HOLDFAST_A_LOCAL_SLOT], &volume->slot);
	if (!err && attrs[HOLDFAST_A_DISK])
		err = parse_disk(attrs[HOLDFAST_A_DISK], &volume->disk);

	nla_for_each_attr(attr, genlmsg_attrdata(nlmsg_data(hdr), 0),
			  genlmsg_attrlen(nlmsg_data(hdr), 0), rem) {
		if (err)
			break;
		if (nla_type(attr) == HOLDFAST_A_REMOTE_SLOT)
			err = parse_remote(attr, volume);
		else if (nla_type(attr) == HOLDFAST_A_OUT_OF_SYNC)
			err = parse_out_of_sync(attr, volume);
	}

	return err;
}
