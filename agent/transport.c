// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The one port between agents: preamble and answer of every connection, both
 * ends, on raw non-blocking sockets, so that a data link can be handed to the
 * module with nothing read past the preamble.  What is said afterwards belongs
 * to the kind's owner (log_raft, heartbeat, relay, links).  Nothing that comes
 * in is trusted: sizes are bounded before memory is taken, the number of
 * connections that have not yet said who they are is bounded, and each has a
 * deadline.
 */
#include "transport.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop.h"

enum conn_state {
	CONN_CONNECTING,
	CONN_SENDING,
	CONN_READING_ANSWER,
	CONN_READING_WHY,
	CONN_READING_PREAMBLE,
	CONN_READING_BODY,
	CONN_DONE,
};

/*
 * One connection until it is handed over. Created by an accept or a connect,
 * freed when both of its handles are closed; loop thread only.
 */
struct conn {
	struct transport *t;
	struct conn *next, **link;	/* t->conns */
	uv_poll_t poll;
	uv_timer_t timer;
	int open_handles;
	enum conn_state state;
	int fd;
	bool accepted;
	bool answer_ok;
	uint8_t *buf;			/* being sent or read */
	size_t len, at;
	struct transport_hello hello;
	transport_connect_cb done;
	void *data;
	int error;			/* of a failure that is told later */
	char why[TRANSPORT_WHY_MAX + 1];
};

struct handler {
	transport_accept_cb cb;
	void *data;
};

struct transport {
	uv_loop_t *loop;
	unsigned int time_scale_pct;
	uint32_t node;
	uint8_t cluster[16];
	bool has_identity;
	struct handler handlers[TRANSPORT_KIND_MAX + 1];
	uv_poll_t *listener;		/* freed by its close callback */
	int listen_fd;
	struct conn *conns;
	unsigned int pending;		/* accepted ones among conns */
};

/* ------------------------------------------------------ one connection */

static void conn_handle_closed(uv_handle_t *handle)
{
	struct conn *c = handle->data;

	if (--c->open_handles)
		return;
	json_decref(c->hello.body);
	free(c->buf);
	free(c);
}

/* Takes the connection out of the transport; its socket is no longer polled. */
static void conn_retire(struct conn *c)
{
	c->state = CONN_DONE;
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	if (c->accepted)
		c->t->pending--;
	uv_close((uv_handle_t *)&c->timer, conn_handle_closed);
	if (c->open_handles == 2)
		uv_close((uv_handle_t *)&c->poll, conn_handle_closed);
}

static void conn_fail(struct conn *c, int error, const char *why)
{
	transport_connect_cb done = c->done;
	void *data = c->data;
	int fd = c->fd;

	conn_retire(c);
	if (c->accepted && fd >= 0 && *why)
		transport_answer(fd, false, why);
	if (fd >= 0)
		close(fd);
	if (c->accepted)
		log_debug("a connection was refused: %s", why);
	else
		done(data, error, why);
}

static void conn_timer_cb(uv_timer_t *timer)
{
	struct conn *c = timer->data;

	if (c->why[0])
		conn_fail(c, c->error, c->why);
	else
		conn_fail(c, -ETIMEDOUT, c->accepted ? "the preamble did not come in time" :
			  "no answer in time");
}

static void conn_set_options(struct transport *t, int fd, uint8_t kind)
{
	unsigned int silent_ms = TRANSPORT_SILENT_MS * t->time_scale_pct / 100;
	int one = 1, secs = 1 + (int)silent_ms / 3000, count = 3;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (kind == TRANSPORT_LINK_CONTROL || kind == TRANSPORT_LINK_DATA)
		return;		/* the module has its own timeouts */
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silent_ms, sizeof(silent_ms));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &secs, sizeof(secs));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &secs, sizeof(secs));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

static void conn_expect(struct conn *c, enum conn_state state, size_t len)
{
	free(c->buf);
	c->buf = xcalloc(1, len + 1);
	c->len = len;
	c->at = 0;
	c->state = state;
}

static void conn_hand_over_accepted(struct conn *c)
{
	struct transport *t = c->t;
	struct transport_hello hello = c->hello;
	const struct handler *handler = &t->handlers[hello.kind];
	int fd = c->fd;

	c->hello.body = NULL;
	conn_retire(c);
	conn_set_options(t, fd, hello.kind);
	handler->cb(handler->data, fd, &hello);
	json_decref(hello.body);
}

static void conn_hand_over_connected(struct conn *c)
{
	transport_connect_cb done = c->done;
	void *data = c->data;
	int fd = c->fd;

	conn_retire(c);
	done(data, fd, NULL);
}

/* Who is this, and is it meant for us? NULL, or the sentence of the refusal. */
static const char *conn_judge(const struct conn *c)
{
	const struct transport *t = c->t;
	const struct transport_hello *hello = &c->hello;

	if (hello->kind == TRANSPORT_CALL) {
		if (!t->has_identity)
			return "this node is not a member of a cluster";
	} else {
		if (!t->has_identity)
			return "this node is not a member of a cluster";
		if (memcmp(hello->cluster, t->cluster, 16))
			return "this node is a member of another cluster";
		if (hello->to != t->node)
			return "this is not the node that was called";
		if (!hello->from || hello->from == t->node)
			return "the caller's node id is not valid";
	}
	if (!t->handlers[hello->kind].cb)
		return "this kind of connection is not served here";
	return NULL;
}

/* A step's bytes are complete. */
static void conn_advance_accepted(struct conn *c)
{
	const char *why = NULL;
	uint32_t body_bytes;

	if (c->state == CONN_READING_PREAMBLE) {
		if (!transport_decode(c->buf, &c->hello, &body_bytes, &why)) {
			conn_fail(c, -EPROTO, why);
			return;
		}
		why = conn_judge(c);
		if (why) {
			conn_fail(c, -EPROTO, why);
			return;
		}
		if (body_bytes) {
			conn_expect(c, CONN_READING_BODY, body_bytes);
			return;
		}
	} else {
		c->hello.body = transport_decode_body((char *)c->buf, c->len);
		if (!c->hello.body) {
			conn_fail(c, -EPROTO, "the preamble's body is not a JSON object");
			return;
		}
	}
	conn_hand_over_accepted(c);
}

static void conn_poll_cb(uv_poll_t *poll, int status, int events);

static void conn_advance_connected(struct conn *c)
{
	size_t why_bytes;

	switch (c->state) {
	case CONN_SENDING:
		conn_expect(c, CONN_READING_ANSWER, TRANSPORT_ANSWER_BYTES);
		uv_poll_start(&c->poll, UV_READABLE, conn_poll_cb);
		break;
	case CONN_READING_ANSWER:
		if (!transport_decode_answer(c->buf, &c->answer_ok, &why_bytes)) {
			conn_fail(c, -EPROTO, "what answered there is not a Holdfast agent");
			break;
		}
		if (why_bytes)
			conn_expect(c, CONN_READING_WHY, why_bytes);
		else if (c->answer_ok)
			conn_hand_over_connected(c);
		else
			conn_fail(c, -EACCES, "refused without a reason");
		break;
	default:	/* CONN_READING_WHY */
		if (c->answer_ok) {
			conn_hand_over_connected(c);
		} else {
			snprintf(c->why, sizeof(c->why), "%s", (char *)c->buf);
			conn_fail(c, -EACCES, c->why);
		}
		break;
	}
}

static void conn_poll_cb(uv_poll_t *poll, int status, int events)
{
	struct conn *c = poll->data;
	int error = 0;
	socklen_t error_len = sizeof(error);
	ssize_t n;

	(void)events;
	/* libuv calls any error of the socket EBADF: the socket knows better. */
	if (status < 0 || c->state == CONN_CONNECTING)
		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &error_len);
	if (error)
		return conn_fail(c, -error, strerror(error));
	if (status < 0)
		return conn_fail(c, status, uv_strerror(status));
	if (c->state == CONN_CONNECTING)
		c->state = CONN_SENDING;
	if (c->state == CONN_SENDING)
		n = send(c->fd, c->buf + c->at, c->len - c->at, MSG_NOSIGNAL);
	else
		n = recv(c->fd, c->buf + c->at, c->len - c->at, 0);
	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return;
		return conn_fail(c, -errno, strerror(errno));
	}
	if (!n)
		return conn_fail(c, -ECONNRESET, "the other end closed the connection");
	c->at += (size_t)n;
	if (c->at < c->len)
		return;
	if (c->accepted)
		conn_advance_accepted(c);
	else
		conn_advance_connected(c);
}

static struct conn *conn_new(struct transport *t, int fd, bool accepted, unsigned int timeout_ms)
{
	struct conn *c = xcalloc(1, sizeof(*c));

	c->t = t;
	c->fd = fd;
	c->accepted = accepted;
	c->link = &t->conns;
	c->next = t->conns;
	if (c->next)
		c->next->link = &c->next;
	t->conns = c;
	if (accepted)
		t->pending++;
	c->timer.data = c;
	c->poll.data = c;
	uv_timer_init(t->loop, &c->timer);
	c->open_handles = 1;
	if (fd >= 0) {
		uv_poll_init(t->loop, &c->poll, fd);
		c->open_handles = 2;
	}
	uv_timer_start(&c->timer, conn_timer_cb, timeout_ms, 0);
	return c;
}

/* ---------------------------------------------------------------- acceptor */

/*
 * A peer's preamble follows its connect at once. So what has said nothing for
 * the longest time gives way, and whoever holds connections open in silence
 * does not keep the others out.
 */
static void drop_oldest(struct transport *t)
{
	struct conn *c, *oldest = NULL;

	for (c = t->conns; c; c = c->next)	/* the newest first */
		if (c->accepted)
			oldest = c;
	if (oldest)
		conn_fail(oldest, -EBUSY, "too many connections wait for their preamble");
}

static void listen_cb(uv_poll_t *poll, int status, int events)
{
	struct transport *t = poll->data;

	(void)events;
	if (status < 0)
		return;
	for (;;) {
		struct conn *c;
		int fd = accept4(t->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		if (t->pending >= TRANSPORT_PENDING_MAX)
			drop_oldest(t);
		c = conn_new(t, fd, true, TRANSPORT_HELLO_MS * t->time_scale_pct / 100);
		conn_expect(c, CONN_READING_PREAMBLE, TRANSPORT_PREAMBLE_BYTES);
		uv_poll_start(&c->poll, UV_READABLE, conn_poll_cb);
	}
}

int transport_listen(struct transport *t, uint16_t port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in any4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd, one = 1, zero = 0, rv;

	fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		rv = bind(fd, (struct sockaddr *)&any, sizeof(any));
	} else {	/* a kernel without IPv6 */
		fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fd < 0)
			return -errno;
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		rv = bind(fd, (struct sockaddr *)&any4, sizeof(any4));
	}
	if (rv < 0 || listen(fd, 128) < 0) {
		rv = -errno;
		close(fd);
		return rv;
	}
	t->listen_fd = fd;
	t->listener = xcalloc(1, sizeof(*t->listener));
	uv_poll_init(t->loop, t->listener, fd);
	t->listener->data = t;
	uv_poll_start(t->listener, UV_READABLE, listen_cb);
	return 0;
}

void transport_answer(int fd, bool ok, const char *why)
{
	uint8_t bytes[TRANSPORT_ANSWER_MAX];
	size_t len = transport_encode_answer(ok, why, bytes);

	/* A peer that takes no 520 bytes on an empty connection loses it. */
	if (send(fd, bytes, len, MSG_NOSIGNAL) < 0)
		log_debug("an answer was not sent: %s", strerror(errno));
}

/* --------------------------------------------------------------- connector */

static void conn_fail_soon(struct conn *c, int error, const char *why)
{
	c->error = error;
	snprintf(c->why, sizeof(c->why), "%s", why);
	uv_timer_start(&c->timer, conn_timer_cb, 0, 0);
}

void transport_connect(struct transport *t, const char *ip, uint16_t port, enum transport_kind kind,
		       uint32_t to, json_t *body, unsigned int timeout_ms,
		       transport_connect_cb done, void *data)
{
	struct transport_hello hello = { .kind = (uint8_t)kind, .from = t->node, .to = to };
	struct sockaddr_storage addr;
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	size_t text_len = text ? strlen(text) : 0;
	const char *why = NULL;
	struct conn *c;
	int fd = -1;

	json_decref(body);
	if (kind != TRANSPORT_CALL)
		memcpy(hello.cluster, t->cluster, 16);
	if (text_len > TRANSPORT_BODY_MAX) {
		why = "the message is too long";
	} else if (!transport_make_sockaddr(ip, port, &addr)) {
		why = "the address is not an IP address";
	} else {
		fd = socket(addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fd < 0)
			why = strerror(errno);
	}
	c = conn_new(t, fd, false, timeout_ms);
	c->done = done;
	c->data = data;
	conn_expect(c, CONN_CONNECTING, TRANSPORT_PREAMBLE_BYTES + text_len);
	transport_encode(&hello, (uint32_t)text_len, c->buf);
	if (text_len)
		memcpy(c->buf + TRANSPORT_PREAMBLE_BYTES, text, text_len);
	free(text);
	if (why)
		return conn_fail_soon(c, -EINVAL, why);
	conn_set_options(t, fd, (uint8_t)kind);
	if (connect(fd, (struct sockaddr *)&addr, addr.ss_family == AF_INET ?
		    sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)) < 0 &&
	    errno != EINPROGRESS)
		return conn_fail_soon(c, -errno, strerror(errno));
	uv_poll_start(&c->poll, UV_WRITABLE, conn_poll_cb);
}

/* --------------------------------------------------------------- transport */

struct transport *transport_open(uv_loop_t *loop, unsigned int time_scale_pct)
{
	struct transport *t = xcalloc(1, sizeof(*t));

	t->loop = loop;
	t->time_scale_pct = time_scale_pct;
	t->listen_fd = -1;
	return t;
}

void transport_set_identity(struct transport *t, uint32_t node, const uint8_t cluster[16])
{
	t->node = node;
	memcpy(t->cluster, cluster, 16);
	t->has_identity = true;
}

void transport_handle(struct transport *t, enum transport_kind kind, transport_accept_cb cb,
		      void *data)
{
	t->handlers[kind] = (struct handler){ .cb = cb, .data = data };
}

static void listener_closed(uv_handle_t *handle)
{
	free(handle);
}

void transport_close(struct transport *t)
{
	while (t->conns)
		conn_fail(t->conns, -ECANCELED, t->conns->accepted ? "" : "the agent stops");
	if (t->listener) {
		uv_close((uv_handle_t *)t->listener, listener_closed);
		close(t->listen_fd);
	}
	free(t);
}
