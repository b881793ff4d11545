// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hfnl: one message to the generic netlink family "holdfast", as right or as
 * wrong as its arguments say, on a raw socket; prints what the kernel answers.
 *
 *	hfnl [--uid N] [--userns] [--version N] [--flags N] COMMAND [ATTR=TYPE:VALUE]…
 *
 * TYPE is u8, u32, u64, s (string with its NUL), or x (hex bytes; "x:" alone is
 * an empty attribute). Exit status: 0 accepted, 1 refused, 2 usage or trouble.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>

#include "../../uapi/holdfast.h"

#define BYTES 8192

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "hfnl: %s: %s\n", what, errno ? strerror(errno) : "wrong");
	exit(2);
}

static void add(struct nlmsghdr *msg, int type, const void *data, size_t len)
{
	struct nlattr *attr = (struct nlattr *)((char *)msg + NLMSG_ALIGN(msg->nlmsg_len));

	if (msg->nlmsg_len + NLA_HDRLEN + NLA_ALIGN(len) > BYTES)
		die("the message is too long");
	attr->nla_type = (uint16_t)type;
	attr->nla_len = (uint16_t)(NLA_HDRLEN + len);
	memcpy((char *)attr + NLA_HDRLEN, data, len);
	msg->nlmsg_len = NLMSG_ALIGN(msg->nlmsg_len) + (uint32_t)NLA_ALIGN(attr->nla_len);
}

static void add_hex(struct nlmsghdr *msg, int type, const char *hex)
{
	uint8_t bytes[BYTES];
	size_t n = 0;

	for (; hex[0] && hex[1] && n < sizeof(bytes); hex += 2, n++)
		if (sscanf(hex, "%2hhx", &bytes[n]) != 1)
			die("hex");
	add(msg, type, bytes, n);
}

static void add_argument(struct nlmsghdr *msg, const char *text)
{
	char *at;
	long type = strtol(text, &at, 0);
	uint64_t value;

	errno = 0;
	if (*at++ != '=')
		die(text);
	if (!strncmp(at, "x:", 2)) {
		add_hex(msg, (int)type, at + 2);
		return;
	}
	if (!strncmp(at, "s:", 2)) {
		add(msg, (int)type, at + 2, strlen(at + 2) + 1);
		return;
	}
	value = strtoull(strchr(at, ':') ? strchr(at, ':') + 1 : "", NULL, 0);
	if (!strncmp(at, "u8:", 3))
		add(msg, (int)type, &(uint8_t){ (uint8_t)value }, 1);
	else if (!strncmp(at, "u32:", 4))
		add(msg, (int)type, &(uint32_t){ (uint32_t)value }, 4);
	else if (!strncmp(at, "u64:", 4))
		add(msg, (int)type, &value, 8);
	else
		die(text);
}

static struct nlmsghdr *start(void *buf, int type, int flags, int command, int version)
{
	struct nlmsghdr *msg = buf;
	struct genlmsghdr *genl = NLMSG_DATA(msg);

	memset(buf, 0, BYTES);
	msg->nlmsg_type = (uint16_t)type;
	msg->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	msg->nlmsg_len = NLMSG_HDRLEN + GENL_HDRLEN;
	genl->cmd = (uint8_t)command;
	genl->version = (uint8_t)version;
	return msg;
}

static struct nlattr *find(struct nlattr *attr, size_t len, int type)
{
	while (len >= NLA_HDRLEN && attr->nla_len >= NLA_HDRLEN && attr->nla_len <= len) {
		size_t step = NLA_ALIGN(attr->nla_len);

		if ((attr->nla_type & NLA_TYPE_MASK) == type)
			return attr;
		if (step >= len)
			break;
		len -= step;
		attr = (struct nlattr *)((char *)attr + step);
	}
	return NULL;
}

static void exchange(int fd, struct nlmsghdr *msg, void *answer)
{
	ssize_t n;

	if (send(fd, msg, msg->nlmsg_len, 0) != (ssize_t)msg->nlmsg_len)
		die("send");
	n = recv(fd, answer, BYTES, 0);
	if (n < (ssize_t)NLMSG_HDRLEN)
		die("receive");
}

static int family(int fd)
{
	static char buf[BYTES], answer[BYTES];
	struct nlmsghdr *msg = start(buf, GENL_ID_CTRL, 0, CTRL_CMD_GETFAMILY, 1);
	struct nlmsghdr *reply = (struct nlmsghdr *)answer;
	struct nlattr *attr;

	add(msg, CTRL_ATTR_FAMILY_NAME, HOLDFAST_GENL_NAME, sizeof(HOLDFAST_GENL_NAME));
	exchange(fd, msg, answer);
	if (reply->nlmsg_type == NLMSG_ERROR)
		return -1;
	attr = find((struct nlattr *)((char *)NLMSG_DATA(reply) + GENL_HDRLEN),
		    reply->nlmsg_len - NLMSG_HDRLEN - GENL_HDRLEN, CTRL_ATTR_FAMILY_ID);
	recv(fd, buf, sizeof(buf), MSG_DONTWAIT);	/* the acknowledgement */
	return attr ? *(uint16_t *)((char *)attr + NLA_HDRLEN) : -1;
}

/* Prints the outcome; other messages before it are answers. */
static int outcome(int fd, struct nlmsghdr *msg)
{
	static char answer[BYTES];
	struct nlmsghdr *reply = (struct nlmsghdr *)answer;
	struct nlmsgerr *err = NLMSG_DATA(reply);
	struct nlattr *attr = NULL;
	size_t off;

	exchange(fd, msg, answer);
	while (reply->nlmsg_type != NLMSG_ERROR && reply->nlmsg_type != NLMSG_DONE)
		if (recv(fd, answer, sizeof(answer), 0) < (ssize_t)NLMSG_HDRLEN)
			die("receive");
	if (reply->nlmsg_type == NLMSG_DONE || !err->error) {
		puts("accepted");
		return 0;
	}
	off = NLMSG_HDRLEN + sizeof(*err);
	if (!(reply->nlmsg_flags & NLM_F_CAPPED))
		off += NLMSG_ALIGN(err->msg.nlmsg_len - NLMSG_HDRLEN);
	if (reply->nlmsg_flags & NLM_F_ACK_TLVS && reply->nlmsg_len > off)
		attr = find((struct nlattr *)(answer + off), reply->nlmsg_len - off,
			    NLMSGERR_ATTR_MSG);
	printf("refused %s: %s\n", strerrorname_np(-err->error),
	       attr ? (char *)attr + NLA_HDRLEN : "(no sentence)");
	return 1;
}

int main(int argc, char **argv)
{
	static char buf[BYTES];
	int uid = 0, userns = 0, version = HOLDFAST_GENL_VERSION, flags = 0, i = 1, one = 1;
	struct nlmsghdr *msg;
	int fd, id;

	for (; i < argc && !strncmp(argv[i], "--", 2); i++) {
		if (!strcmp(argv[i], "--userns"))
			userns = 1;
		else if (i + 1 == argc)
			die(argv[i]);
		else if (!strcmp(argv[i], "--uid"))
			uid = atoi(argv[++i]);
		else if (!strcmp(argv[i], "--version"))
			version = atoi(argv[++i]);
		else if (!strcmp(argv[i], "--flags"))
			flags = (int)strtol(argv[++i], NULL, 0);
		else
			die(argv[i]);
	}
	if (i == argc)
		die("no command");
	if (uid && setuid((uid_t)uid))
		die("setuid");
	if (userns && unshare(CLONE_NEWUSER))
		die("unshare");

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ .tv_sec = 30 },
		   sizeof(struct timeval));
	id = family(fd);
	if (id < 0) {
		puts("refused ENOENT: there is no family holdfast");
		return 1;
	}
	msg = start(buf, id, flags, atoi(argv[i++]), version);
	for (; i < argc; i++)
		add_argument(msg, argv[i]);
	return outcome(fd, msg);
}
