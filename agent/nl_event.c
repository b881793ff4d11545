// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The module's multicast events: one socket that also hears netlink's own
 * news of families, so that a module which is loaded later, or loaded anew, is
 * noticed without asking again and again.  Events are numbered by the module;
 * a number that is left out, and a receive buffer that ran over, are reported
 * as a gap.  Says what happened and decides nothing.  No locks: one thread.
 */
#include "nl_event.h"

#include <stdlib.h>
#include <string.h>

#include <linux/genetlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>

#include "nl_internal.h"

#define EVENT_BUFFER_BYTES	(1024 * 1024)
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))

struct hf_nl_events {
	struct nl_sock			*sock;
	const struct hf_nl_event_ops	*ops;
	void				*arg;
	int				family;		/* 0: the module is not there */
	int				group;
	u64				last_seq;	/* 0: none yet */
};

/*
 * Ask on a socket of its own: answers must not meet multicast messages in one
 * queue. Returns whether the family is there and its group is joined.
 */
static bool join(struct hf_nl_events *events)
{
	struct nl_sock *sock = nl_socket_alloc();
	int family = -1, group = -1;

	if (sock && !genl_connect(sock)) {
		family = genl_ctrl_resolve(sock, HOLDFAST_GENL_NAME);
		if (family > 0)
			group = genl_ctrl_resolve_grp(sock, HOLDFAST_GENL_NAME,
						      HOLDFAST_MCGRP_EVENTS);
	}
	nl_socket_free(sock);
	if (family <= 0 || group <= 0)
		return false;
	if (nl_socket_add_membership(events->sock, group))
		return false;

	events->family = family;
	events->group = group;
	events->last_seq = 0;
	return true;
}

static void on_family(struct hf_nl_events *events, struct nlmsghdr *hdr)
{
	struct genlmsghdr *genl = nlmsg_data(hdr);
	struct nlattr *attrs[CTRL_ATTR_MAX + 1];

	if (genlmsg_parse(hdr, 0, attrs, CTRL_ATTR_MAX, NULL) < 0 ||
	    !attrs[CTRL_ATTR_FAMILY_NAME] ||
	    nla_strcmp(attrs[CTRL_ATTR_FAMILY_NAME], HOLDFAST_GENL_NAME))
		return;

	if (genl->cmd == CTRL_CMD_DELFAMILY && events->family) {
		nl_socket_drop_membership(events->sock, events->group);
		events->family = 0;
		events->ops->module(events->arg, false);
	} else if (genl->cmd == CTRL_CMD_NEWFAMILY && !events->family && join(events)) {
		events->ops->module(events->arg, true);
	}
}

static void on_holdfast(struct hf_nl_events *events, struct nlmsghdr *hdr)
{
	struct nlattr *attrs[HOLDFAST_A_MAX + 1];
	struct hf_nl_event event = { .slot_nr = -1 };

	if (genlmsg_parse(hdr, 0, attrs, HOLDFAST_A_MAX, hf_nl_policy) < 0) {
		events->ops->gap(events->arg);
		return;
	}
	event.seq = hf_nl_u64(attrs, HOLDFAST_A_EVENT_SEQ);
	event.event = hf_nl_u8(attrs, HOLDFAST_A_EVENT);
	if (attrs[HOLDFAST_A_UUID])
		memcpy(event.uuid, nla_data(attrs[HOLDFAST_A_UUID]), sizeof(event.uuid));
	if (attrs[HOLDFAST_A_SLOT_NR])
		event.slot_nr = nla_get_u8(attrs[HOLDFAST_A_SLOT_NR]);
	event.term = hf_nl_u64(attrs, HOLDFAST_A_TERM);
	event.epoch = hf_nl_u64(attrs, HOLDFAST_A_EPOCH);
	event.life = hf_nl_u64(attrs, HOLDFAST_A_LIFE);
	event.instance = hf_nl_u64(attrs, HOLDFAST_A_INSTANCE);
	event.link_id = hf_nl_u64(attrs, HOLDFAST_A_LINK_ID);
	event.down_reason = hf_nl_u8(attrs, HOLDFAST_A_DOWN_REASON);

	if (events->last_seq && event.seq != events->last_seq + 1)
		events->ops->gap(events->arg);
	events->last_seq = event.seq;
	events->ops->event(events->arg, &event);
}

static int on_message(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *hdr = nlmsg_hdr(msg);
	struct hf_nl_events *events = arg;

	if (hdr->nlmsg_type == GENL_ID_CTRL)
		on_family(events, hdr);
	else if (events->family && hdr->nlmsg_type == events->family)
		on_holdfast(events, hdr);
	return NL_OK;
}

struct hf_nl_events *hf_nl_events_new(const struct hf_nl_event_ops *ops, void *arg)
{
	struct hf_nl_events *events = calloc(1, sizeof(*events));
	int notify;

	if (!events)
		return NULL;
	events->ops = ops;
	events->arg = arg;
	events->sock = nl_socket_alloc();
	if (!events->sock || genl_connect(events->sock))
		goto fail;

	nl_socket_disable_seq_check(events->sock);
	nl_socket_modify_cb(events->sock, NL_CB_VALID, NL_CB_CUSTOM, on_message, events);
	nl_socket_set_buffer_size(events->sock, EVENT_BUFFER_BYTES, 0);
	notify = genl_ctrl_resolve_grp(events->sock, "nlctrl", "notify");
	if (notify <= 0 || nl_socket_add_membership(events->sock, notify) ||
	    nl_socket_set_nonblocking(events->sock))
		goto fail;

	/* Joined after the news of families are heard: nothing falls between. */
	join(events);
	return events;
fail:
	hf_nl_events_free(events);
	return NULL;
}

void hf_nl_events_free(struct hf_nl_events *events)
{
	if (!events)
		return;
	if (events->sock)
		nl_socket_free(events->sock);
	free(events);
}

int hf_nl_events_fd(const struct hf_nl_events *events)
{
	return nl_socket_get_fd(events->sock);
}

void hf_nl_events_read(struct hf_nl_events *events)
{
	int err;

	do {
		err = nl_recvmsgs_default(events->sock);
		/* libnl's word for a receive buffer that ran over (ENOBUFS) */
		if (err == -NLE_NOMEM)
			events->ops->gap(events->arg);
	} while (err >= 0 || err == -NLE_NOMEM);
}

bool hf_nl_events_module(const struct hf_nl_events *events)
{
	return events->family != 0;
}

static const char *word(const char *const *words, size_t nr, u8 value)
{
	return value < nr && words[value] ? words[value] : "?";
}

const char *hf_nl_event_name(u8 event)
{
	static const char *const words[] = {
		[HOLDFAST_EVENT_CONF]		= "conf",
		[HOLDFAST_EVENT_SLOT]		= "slot",
		[HOLDFAST_EVENT_DISK]		= "disk",
		[HOLDFAST_EVENT_LINK]		= "link",
		[HOLDFAST_EVENT_HOLD]		= "hold",
		[HOLDFAST_EVENT_SLOT_LOST]	= "slot-lost",
		[HOLDFAST_EVENT_RECONCILED]	= "reconciled",
		[HOLDFAST_EVENT_REBUILD]	= "rebuild",
		[HOLDFAST_EVENT_REMOVED]	= "removed",
		[HOLDFAST_EVENT_OPENERS]	= "openers",
	};

	return word(words, ARRAY_SIZE(words), event);
}

const char *hf_nl_slot_name(u8 state)
{
	static const char *const words[] = {
		[HOLDFAST_SLOT_NONE]		= "none",
		[HOLDFAST_SLOT_UP]		= "up",
		[HOLDFAST_SLOT_FAILED]		= "failed",
		[HOLDFAST_SLOT_STOPPING]	= "stopping",
	};

	return word(words, ARRAY_SIZE(words), state);
}

const char *hf_nl_disk_name(u8 state)
{
	static const char *const words[] = {
		[HOLDFAST_DISK_NONE]		= "none",
		[HOLDFAST_DISK_PREPARED]	= "prepared",
		[HOLDFAST_DISK_NAMED]		= "named",
		[HOLDFAST_DISK_ACTIVE]		= "active",
		[HOLDFAST_DISK_RELEASED]	= "released",
		[HOLDFAST_DISK_DEAD]		= "dead",
	};

	return word(words, ARRAY_SIZE(words), state);
}

const char *hf_nl_link_name(u8 state)
{
	static const char *const words[] = {
		[HOLDFAST_LINK_NONE]		= "none",
		[HOLDFAST_LINK_OPENING]		= "opening",
		[HOLDFAST_LINK_WAITING]		= "waiting",
		[HOLDFAST_LINK_READY]		= "ready",
		[HOLDFAST_LINK_DOWN]		= "down",
	};

	return word(words, ARRAY_SIZE(words), state);
}

const char *hf_nl_rebuild_name(u8 state)
{
	static const char *const words[] = {
		[HOLDFAST_REBUILD_NONE]		= "none",
		[HOLDFAST_REBUILD_COPYING]	= "copying",
		[HOLDFAST_REBUILD_FINISHING]	= "finishing",
		[HOLDFAST_REBUILD_ADMISSIBLE]	= "admissible",
		[HOLDFAST_REBUILD_FAILED]	= "failed",
	};

	return word(words, ARRAY_SIZE(words), state);
}

const char *hf_nl_down_name(u8 reason)
{
	static const char *const words[] = {
		[HOLDFAST_DOWN_NONE]		= "none",
		[HOLDFAST_DOWN_CLOSED]		= "closed",
		[HOLDFAST_DOWN_SILENT]		= "silent",
		[HOLDFAST_DOWN_DEVICE]		= "device",
		[HOLDFAST_DOWN_DEVICE_SILENT]	= "device-silent",
		[HOLDFAST_DOWN_PROTOCOL]	= "protocol",
		[HOLDFAST_DOWN_REFUSED]		= "refused",
		[HOLDFAST_DOWN_TERM]		= "term",
		[HOLDFAST_DOWN_LOCAL]		= "local",
		[HOLDFAST_DOWN_CHECKSUM]	= "checksum",
		[HOLDFAST_DOWN_REMOVED]		= "removed",
	};

	return word(words, ARRAY_SIZE(words), reason);
}
