// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * holdfast-setup listen, connect: the two ends of a link without agents.  Each
 * of the two connections opens with a few bytes that pair them and is answered
 * by one byte; then both ends hand their sockets to their modules.  There is no
 * authentication: for a lab's own network.
 */
#include "setup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define GREETING_MAGIC	0x75737468u
#define GREETING_MS	5000

enum { CONTROL, DATA, ENDS };

/* Opens each connection. The rest of the link is between the modules. */
struct greeting {
	u32	magic;		/* network order */
	u32	end;		/* network order: CONTROL or DATA */
	u8	volume[16];
	u8	link_id[8];
};

static u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000 + (u64)ts.tv_nsec / 1000000;
}

static void set_timeout(int fd, unsigned int ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

static void set_options(int fd)
{
	unsigned int user_timeout_ms = HF_LINK_TIMEOUT_MS * 2;
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms, sizeof(user_timeout_ms));
	set_timeout(fd, 0);
}

static int hand_over(struct setup *setup, const int *fds, u8 role, u64 link_id)
{
	struct hf_nl_call call = {
		.cmd = HOLDFAST_CMD_LINK_ADD,
		.slot_nr = (u8)setup->slot,
		.term = setup->term,
		.role = role,
		.link_id = link_id,
		.fd_control = fds[CONTROL],
		.fd_data = fds[DATA],
	};

	set_options(fds[CONTROL]);
	set_options(fds[DATA]);
	return setup_call(setup, &call);
}

static void close_pair(int *fds)
{
	int i;

	for (i = 0; i < ENDS; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

/* ---------------------------------------------------------------- connect */

static bool parse_target(const char *text, struct sockaddr_in *addr)
{
	char host[64];
	const char *colon = strrchr(text, ':');
	u64 port;

	if (!colon || (size_t)(colon - text) >= sizeof(host) ||
	    !setup_parse_u64(colon + 1, &port) || !port || port > 65535)
		return false;
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	memset(addr, 0, sizeof(*addr));
	addr->sin_family = AF_INET;
	addr->sin_port = htons((u16)port);
	return inet_pton(AF_INET, host, &addr->sin_addr) == 1;
}

static int connect_end(const struct setup *setup, const struct sockaddr_in *addr, u32 end,
		       u64 link_id)
{
	struct greeting greeting = { .magic = htonl(GREETING_MAGIC), .end = htonl(end) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	memcpy(greeting.volume, setup->volume, sizeof(greeting.volume));
	memcpy(greeting.link_id, &link_id, sizeof(greeting.link_id));
	set_timeout(fd, (unsigned int)setup->timeout_s * 1000);
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) ||
	    send(fd, &greeting, sizeof(greeting), MSG_NOSIGNAL) != sizeof(greeting)) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

/* The other end answers when it has both. */
static int read_answers(const int *fds)
{
	char answer;
	ssize_t n;
	int i;

	for (i = 0; i < ENDS; i++) {
		n = recv(fds[i], &answer, 1, 0);
		if (n != 1)
			return n ? -errno : -ECONNRESET;
	}
	return 0;
}

int setup_cmd_connect(struct setup *setup)
{
	int fds[ENDS] = { -1, -1 }, i, ret, err = 0;
	u64 link_id = setup->link_id;
	struct sockaddr_in addr;

	if (!setup->to || !parse_target(setup->to, &addr))
		return setup_usage("connect needs --to IP:PORT");
	while (!link_id)
		if (getrandom(&link_id, sizeof(link_id), 0) != sizeof(link_id))
			return setup_fail("no random number: %s", strerror(errno));

	for (i = 0; i < ENDS && !err; i++) {
		fds[i] = connect_end(setup, &addr, (u32)i, link_id);
		if (fds[i] < 0)
			err = fds[i];
	}
	if (!err)
		err = read_answers(fds);
	if (err)
		ret = setup_fail("cannot connect to %s: %s", setup->to, strerror(-err));
	else
		ret = hand_over(setup, fds, HOLDFAST_ROLE_PRIMARY, link_id);
	close_pair(fds);
	if (!ret)
		printf("link 0x%016llx\n", (unsigned long long)link_id);
	return ret;
}

/* ----------------------------------------------------------------- listen */

static int open_listener(u16 port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 16)) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

/* Returns the connection's end, with the link id, or -1 for a stranger. */
static int read_greeting(const struct setup *setup, int fd, u64 *link_id)
{
	struct greeting greeting;

	set_timeout(fd, GREETING_MS);
	if (recv(fd, &greeting, sizeof(greeting), MSG_WAITALL) != sizeof(greeting) ||
	    greeting.magic != htonl(GREETING_MAGIC) || ntohl(greeting.end) >= ENDS ||
	    memcmp(greeting.volume, setup->volume, sizeof(greeting.volume)))
		return -1;
	memcpy(link_id, greeting.link_id, sizeof(*link_id));
	return (int)ntohl(greeting.end);
}

/*
 * Accept until two connections of one link are there, or @deadline. Returns
 * whether they are.
 */
static bool accept_pair(const struct setup *setup, int listener, u64 deadline, int *fds,
			u64 *link_id)
{
	struct pollfd poller = { .fd = listener, .events = POLLIN };
	u64 now, id;
	int fd, end;

	*link_id = 0;
	while (fds[CONTROL] < 0 || fds[DATA] < 0) {
		now = now_ms();
		if (now >= deadline || poll(&poller, 1, (int)(deadline - now)) <= 0)
			return false;
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		end = read_greeting(setup, fd, &id);
		if (end < 0) {
			close(fd);
			continue;
		}
		/* the half of an attempt that its other end gave up */
		if (id != *link_id)
			close_pair(fds);
		*link_id = id;
		if (fds[end] >= 0)
			close(fds[end]);
		fds[end] = fd;
	}
	return true;
}

/* Both ends answered: from here on every byte is the modules'. */
static int serve_pair(struct setup *setup, int *fds, u64 link_id)
{
	int i, ret;

	for (i = 0; i < ENDS; i++)
		if (send(fds[i], "+", 1, MSG_NOSIGNAL) != 1)
			return setup_fail("the other end went away");
	ret = hand_over(setup, fds, HOLDFAST_ROLE_SLOT, link_id);
	if (!ret)
		printf("link 0x%016llx\n", (unsigned long long)link_id);
	fflush(stdout);
	return ret;
}

static int serve(struct setup *setup, int listener)
{
	u64 deadline = now_ms() + setup->timeout_s * 1000, link_id;
	int fds[ENDS] = { -1, -1 }, ret = SETUP_FAILED;

	do {
		if (!accept_pair(setup, listener, deadline, fds, &link_id)) {
			if (!setup->loop)
				ret = setup_fail("nobody connected in %llu s",
						 (unsigned long long)setup->timeout_s);
			else
				ret = SETUP_OK;
			break;
		}
		ret = serve_pair(setup, fds, link_id);
		close_pair(fds);
	} while (setup->loop);
	close_pair(fds);
	return ret;
}

int setup_cmd_listen(struct setup *setup)
{
	int listener, null, ret;
	pid_t child;

	if (!setup->port)
		return setup_usage("listen needs --port");
	listener = open_listener((u16)setup->port);
	if (listener < 0)
		return setup_fail("cannot listen on port %llu: %s",
				  (unsigned long long)setup->port, strerror(-listener));

	if (setup->background) {
		/* The parent's return says that connections are accepted from now on. */
		fflush(stdout);
		child = fork();
		if (child < 0)
			return setup_fail("cannot fork: %s", strerror(errno));
		if (child > 0) {
			printf("pid %d\n", (int)child);
			close(listener);
			return SETUP_OK;
		}
		setsid();
		null = open("/dev/null", O_RDWR);
		for (ret = 0; null >= 0 && ret < 3; ret++)
			dup2(null, ret);
	}
	ret = serve(setup, listener);
	close(listener);
	return ret;
}
