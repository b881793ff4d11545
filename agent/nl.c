// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Synchronous client of the generic netlink family "holdfast": one socket, one
 * command at a time.  Responsible for encoding a command, for the answer and
 * for the sentence of a refusal; decides nothing.  The family's number is
 * looked up when it is first needed and again when the kernel does not know it
 * any more, since the module may be loaded anew under a running client.  No
 * locks: a client belongs to one thread at a time.
 */
#include "nl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>

#include "nl_internal.h"

#ifndef NETLINK_GET_STRICT_CHK
#define NETLINK_GET_STRICT_CHK 12
#endif

/* Interrupted dumps in a row before the caller is told. */
#define DUMP_TRIES	16
#define RECEIVE_BYTES	(256 * 1024)

struct hf_nl {
	struct nl_sock	*sock;
	int		family;		/* 0: not known now */
	char		*why;		/* of the call that runs */
	int		error;		/* of the call that runs */
	bool		done;
};

/* Attributes of each command, ended by HOLDFAST_A_UNSPEC. */
static const u8 request[HOLDFAST_CMD_MAX + 1][10] = {
	[HOLDFAST_CMD_VOLUME_SET]	= { HOLDFAST_A_UUID, HOLDFAST_A_CONF,
					    HOLDFAST_A_EXPECTED_EPOCH, HOLDFAST_A_NODE_ID },
	[HOLDFAST_CMD_VOLUME_DEL]	= { HOLDFAST_A_UUID, HOLDFAST_A_FLAGS },
	[HOLDFAST_CMD_SLOT_ATTACH]	= { HOLDFAST_A_UUID, HOLDFAST_A_SLOT_NR,
					    HOLDFAST_A_INCARNATION, HOLDFAST_A_DATA_PATH,
					    HOLDFAST_A_META_PATH, HOLDFAST_A_FLAGS },
	[HOLDFAST_CMD_SLOT_DETACH]	= { HOLDFAST_A_UUID, HOLDFAST_A_LIFE, HOLDFAST_A_FLAGS },
	[HOLDFAST_CMD_DISK_PREPARE]	= { HOLDFAST_A_UUID },
	[HOLDFAST_CMD_DISK_RELEASE]	= { HOLDFAST_A_UUID, HOLDFAST_A_INSTANCE,
					    HOLDFAST_A_FLAGS, HOLDFAST_A_TIMEOUT_MS },
	[HOLDFAST_CMD_DISK_DEL]		= { HOLDFAST_A_UUID, HOLDFAST_A_INSTANCE,
					    HOLDFAST_A_FLAGS },
	[HOLDFAST_CMD_DISK_FAIL]	= { HOLDFAST_A_UUID, HOLDFAST_A_INSTANCE },
	[HOLDFAST_CMD_DISK_THAW]	= { HOLDFAST_A_UUID, HOLDFAST_A_INSTANCE },
	[HOLDFAST_CMD_LINK_ADD]		= { HOLDFAST_A_UUID, HOLDFAST_A_TERM, HOLDFAST_A_SLOT_NR,
					    HOLDFAST_A_ROLE, HOLDFAST_A_LINK_ID,
					    HOLDFAST_A_FD_CONTROL, HOLDFAST_A_FD_DATA },
	[HOLDFAST_CMD_LINK_DEL]		= { HOLDFAST_A_UUID, HOLDFAST_A_SLOT_NR,
					    HOLDFAST_A_LINK_ID },
	[HOLDFAST_CMD_REBUILD_START]	= { HOLDFAST_A_UUID, HOLDFAST_A_SLOT_NR,
					    HOLDFAST_A_FLAGS, HOLDFAST_A_RATE_KBPS },
	[HOLDFAST_CMD_REBUILD_STOP]	= { HOLDFAST_A_UUID, HOLDFAST_A_SLOT_NR },
};

static int put_optional(struct nl_msg *msg, int attr, u32 value)
{
	return value ? nla_put_u32(msg, attr, value) : 0;
}

static int put_conf(struct nl_msg *msg, const struct hf_conf_data *conf)
{
	struct hf_wire_conf wire;

	hf_conf_encode(conf, &wire);
	return nla_put(msg, HOLDFAST_A_CONF, sizeof(wire), &wire);
}

static int put_attr(struct nl_msg *msg, int attr, const struct hf_nl_call *call)
{
	switch (attr) {
	case HOLDFAST_A_UUID:
		return nla_put(msg, attr, sizeof(call->uuid), call->uuid);
	case HOLDFAST_A_CONF:
		return put_conf(msg, &call->conf);
	case HOLDFAST_A_EXPECTED_EPOCH:
		return nla_put_u64(msg, attr, call->expected_epoch);
	case HOLDFAST_A_NODE_ID:
		return put_optional(msg, attr, call->node_id);
	case HOLDFAST_A_FLAGS:
		return put_optional(msg, attr, call->flags);
	case HOLDFAST_A_SLOT_NR:
		return nla_put_u8(msg, attr, call->slot_nr);
	case HOLDFAST_A_INCARNATION:
		return nla_put_u64(msg, attr, call->incarnation);
	case HOLDFAST_A_DATA_PATH:
		return nla_put_string(msg, attr, call->data_path);
	case HOLDFAST_A_META_PATH:
		return nla_put_string(msg, attr, call->meta_path);
	case HOLDFAST_A_LIFE:
		return nla_put_u64(msg, attr, call->life);
	case HOLDFAST_A_INSTANCE:
		return nla_put_u64(msg, attr, call->instance);
	case HOLDFAST_A_TIMEOUT_MS:
		return put_optional(msg, attr, call->timeout_ms);
	case HOLDFAST_A_TERM:
		return nla_put_u64(msg, attr, call->term);
	case HOLDFAST_A_ROLE:
		return nla_put_u8(msg, attr, call->role);
	case HOLDFAST_A_LINK_ID:
		return nla_put_u64(msg, attr, call->link_id);
	case HOLDFAST_A_FD_CONTROL:
		return nla_put_u32(msg, attr, (u32)call->fd_control);
	case HOLDFAST_A_FD_DATA:
		return nla_put_u32(msg, attr, (u32)call->fd_data);
	case HOLDFAST_A_RATE_KBPS:
		return put_optional(msg, attr, call->rate_kbps);
	default:
		return -NLE_INVAL;
	}
}

/*
 * The sentence behind a struct nlmsgerr: its attributes follow the original
 * message's header (the payload too, unless the kernel capped it).
 */
static void note_extack(struct nlmsghdr *hdr, size_t skip, char *why)
{
	struct nlattr *attrs[NLMSGERR_ATTR_MAX + 1];
	size_t off = NLMSG_HDRLEN + NLMSG_ALIGN(skip);

	if (!(hdr->nlmsg_flags & NLM_F_ACK_TLVS) || hdr->nlmsg_len <= off)
		return;
	if (nla_parse(attrs, NLMSGERR_ATTR_MAX, (struct nlattr *)((char *)hdr + off),
		      (int)(hdr->nlmsg_len - off), NULL) < 0)
		return;
	if (attrs[NLMSGERR_ATTR_MSG])
		nla_strlcpy(why, attrs[NLMSGERR_ATTR_MSG], HF_NL_WHY_MAX);
}

static int on_error(struct sockaddr_nl *addr, struct nlmsgerr *err, void *arg)
{
	struct nlmsghdr *hdr = (struct nlmsghdr *)((char *)err - NLMSG_HDRLEN);
	struct hf_nl *nl = arg;
	size_t skip = sizeof(*err);

	(void)addr;
	if (!(hdr->nlmsg_flags & NLM_F_CAPPED))
		skip += err->msg.nlmsg_len - NLMSG_HDRLEN;
	nl->error = err->error;
	nl->done = true;
	note_extack(hdr, skip, nl->why);
	return NL_STOP;
}

static int on_ack(struct nl_msg *msg, void *arg)
{
	struct hf_nl *nl = arg;

	(void)msg;
	nl->done = true;
	return NL_STOP;
}

/* End of a dump; an error that ended it is the payload. */
static int on_finish(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *hdr = nlmsg_hdr(msg);
	struct hf_nl *nl = arg;

	nl->done = true;
	if (hdr->nlmsg_len < NLMSG_HDRLEN + sizeof(int))
		return NL_STOP;
	nl->error = *(int *)nlmsg_data(hdr);
	if (nl->error)
		note_extack(hdr, sizeof(int), nl->why);
	return NL_STOP;
}

struct hf_nl *hf_nl_new(void)
{
	struct timeval patience = { .tv_sec = 60 };
	struct hf_nl *nl;
	int fd, one = 1;

	nl = calloc(1, sizeof(*nl));
	if (!nl)
		return NULL;
	nl->sock = nl_socket_alloc();
	if (!nl->sock || genl_connect(nl->sock)) {
		hf_nl_free(nl);
		return NULL;
	}

	fd = nl_socket_get_fd(nl->sock);
	/* Kernels without one of these only say less in their refusals. */
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	nl_socket_set_buffer_size(nl->sock, RECEIVE_BYTES, 0);
	nl_socket_set_msg_buf_size(nl->sock, 64 * 1024);
	return nl;
}

void hf_nl_free(struct hf_nl *nl)
{
	if (!nl)
		return;
	if (nl->sock)
		nl_socket_free(nl->sock);
	free(nl);
}

static int say(struct hf_nl *nl, int error, const char *sentence)
{
	if (!nl->why[0])
		snprintf(nl->why, HF_NL_WHY_MAX, "%s", sentence);
	return error;
}

static int find_family(struct hf_nl *nl)
{
	int family;

	if (nl->family)
		return 0;
	family = genl_ctrl_resolve(nl->sock, HOLDFAST_GENL_NAME);
	if (family < 0)
		return say(nl, -ENODEV, "the kernel module holdfast is not loaded");

	nl->family = family;
	return 0;
}

/*
 * Receive until the kernel's acknowledgement. What a callback has set counts
 * before what libnl makes of it.
 */
static int receive(struct hf_nl *nl, nl_recvmsg_msg_cb_t on_valid, void *arg)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int err = 0;

	if (!cb)
		return say(nl, -ENOMEM, "no memory");
	nl_cb_err(cb, NL_CB_CUSTOM, on_error, nl);
	nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_ack, nl);
	nl_cb_set(cb, NL_CB_FINISH, NL_CB_CUSTOM, on_finish, nl);
	if (on_valid)
		nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_valid, arg);

	nl->done = false;
	nl->error = 0;
	while (!nl->done && err >= 0)
		err = nl_recvmsgs(nl->sock, cb);
	nl_cb_put(cb);

	if (nl->error)
		return say(nl, nl->error, strerror(-nl->error));
	if (err == -NLE_DUMP_INTR)
		return say(nl, -EAGAIN, "the list of volumes kept changing");
	if (!nl->done)
		return say(nl, -EIO, nl_geterror(err));
	return 0;
}

/* A socket that failed half way may hold rests of an answer: begin anew. */
static void reopen(struct hf_nl *nl)
{
	struct hf_nl *fresh = hf_nl_new();
	struct nl_sock *old = nl->sock;

	if (!fresh)
		return;
	nl->sock = fresh->sock;
	nl->family = 0;
	fresh->sock = old;
	hf_nl_free(fresh);
}

static int exchange(struct hf_nl *nl, struct nl_msg *msg, nl_recvmsg_msg_cb_t on_valid, void *arg)
{
	int err = nl_send_auto(nl->sock, msg);

	if (err < 0)
		return say(nl, -EIO, nl_geterror(err));
	return receive(nl, on_valid, arg);
}

static int on_answer(struct nl_msg *msg, void *arg)
{
	struct nlattr *attrs[HOLDFAST_A_MAX + 1];
	struct hf_nl_call *call = arg;

	if (genlmsg_parse(nlmsg_hdr(msg), 0, attrs, HOLDFAST_A_MAX, hf_nl_policy) < 0)
		return NL_SKIP;
	if (attrs[HOLDFAST_A_EPOCH])
		call->epoch = nla_get_u64(attrs[HOLDFAST_A_EPOCH]);
	if (attrs[HOLDFAST_A_LIFE])
		call->life = nla_get_u64(attrs[HOLDFAST_A_LIFE]);
	if (attrs[HOLDFAST_A_INSTANCE])
		call->instance = nla_get_u64(attrs[HOLDFAST_A_INSTANCE]);
	if (attrs[HOLDFAST_A_UNCLEAN])
		call->unclean = nla_get_u8(attrs[HOLDFAST_A_UNCLEAN]);
	return NL_OK;
}

/* A message to the module's family, to be filled and freed by the caller. */
static int begin(struct hf_nl *nl, u8 cmd, int flags, struct nl_msg **msg)
{
	int err = find_family(nl);

	if (err)
		return err;
	*msg = nlmsg_alloc();
	if (*msg && genlmsg_put(*msg, NL_AUTO_PORT, NL_AUTO_SEQ, nl->family, 0,
				NLM_F_REQUEST | flags, cmd, HOLDFAST_GENL_VERSION))
		return 0;
	nlmsg_free(*msg);
	return say(nl, -ENOMEM, "no memory");
}

static int call_once(struct hf_nl *nl, struct hf_nl_call *call)
{
	const u8 *attr = request[call->cmd];
	struct nl_msg *msg;
	int err;

	err = begin(nl, call->cmd, NLM_F_ACK, &msg);
	if (err)
		return err;
	for (; !err && *attr; attr++)
		if (put_attr(msg, *attr, call))
			err = -EMSGSIZE;

	if (err)
		say(nl, err, "the command does not fit a message");
	else
		err = exchange(nl, msg, on_answer, call);
	nlmsg_free(msg);
	return err;
}

/*
 * -ENOENT without a sentence is the netlink layer's "no such family": the
 * module was unloaded or loaded anew since the family was looked up.
 */
static bool family_is_gone(const struct hf_nl *nl, int err)
{
	return err == -ENOENT && strcmp(nl->why, strerror(ENOENT)) == 0;
}

int hf_nl_call(struct hf_nl *nl, struct hf_nl_call *call)
{
	int err;

	call->why[0] = '\0';
	nl->why = call->why;
	if (!call->cmd || call->cmd > HOLDFAST_CMD_MAX || !request[call->cmd][0]) {
		call->error = say(nl, -EOPNOTSUPP, "this is not a command to send");
		return call->error;
	}

	err = call_once(nl, call);
	if (family_is_gone(nl, err)) {
		nl->family = 0;
		nl->why[0] = '\0';
		err = call_once(nl, call);
	}
	if (err == -EIO)
		reopen(nl);
	call->error = err;
	return err;
}

struct dump {
	struct hf_nl_volumes	*volumes;
	int			error;
};

static int on_volume(struct nl_msg *msg, void *arg)
{
	struct dump *dump = arg;
	struct hf_nl_volumes *volumes = dump->volumes;
	struct hf_nl_volume *grown;
	int err;

	if (dump->error)
		return NL_SKIP;
	grown = reallocarray(volumes->volumes, volumes->nr + 1, sizeof(*grown));
	if (!grown) {
		dump->error = -ENOMEM;
		return NL_SKIP;
	}
	volumes->volumes = grown;
	err = hf_nl_parse_volume(nlmsg_hdr(msg), &grown[volumes->nr]);
	if (err)
		dump->error = err;
	else
		volumes->nr++;
	return NL_OK;
}

static int dump_once(struct hf_nl *nl, struct hf_nl_volumes *volumes)
{
	struct dump dump = { .volumes = volumes };
	struct nl_msg *msg;
	int err;

	err = begin(nl, HOLDFAST_CMD_VOLUME_GET, NLM_F_DUMP, &msg);
	if (err)
		return err;
	err = exchange(nl, msg, on_volume, &dump);
	nlmsg_free(msg);

	if (!err && dump.error)
		err = say(nl, dump.error, "the module's dump cannot be read");
	return err;
}

int hf_nl_dump(struct hf_nl *nl, struct hf_nl_volumes *volumes, char *why)
{
	int err = -EAGAIN, tries;

	nl->why = why;
	for (tries = 0; tries < DUMP_TRIES; tries++) {
		memset(volumes, 0, sizeof(*volumes));
		why[0] = '\0';
		err = dump_once(nl, volumes);
		if (!err)
			return 0;
		hf_nl_volumes_free(volumes);
		if (family_is_gone(nl, err))
			nl->family = 0;
		else if (err != -EAGAIN)
			break;
	}
	if (err == -EIO)
		reopen(nl);
	return err;
}

void hf_nl_volumes_free(struct hf_nl_volumes *volumes)
{
	free(volumes->volumes);
	volumes->volumes = NULL;
	volumes->nr = 0;
}

const struct hf_nl_volume *hf_nl_find(const struct hf_nl_volumes *volumes, const u8 *uuid)
{
	size_t i;

	for (i = 0; i < volumes->nr; i++)
		if (!memcmp(volumes->volumes[i].uuid, uuid, sizeof(volumes->volumes[i].uuid)))
			return &volumes->volumes[i];
	return NULL;
}
