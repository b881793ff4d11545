// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libraft's connections over the agents' port: one way each, opened by the node
 * that sends.  Who may connect is transport.c's matter (and TLS's later); what is
 * said is libraft's.
 */
#include "log_transport.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loop.h"

struct raft_connect {
	struct raft_connect *next, **link;	/* lt->connects, until done or cancelled */
	struct log_transport *lt;
	struct raft_uv_connect *req;		/* NULL: cancelled */
};

/* One for the log; loop thread only. */
struct log_transport {
	uv_loop_t *loop;
	struct transport *transport;
	char *address;
	unsigned int connect_ms;
	bool closing;
	struct raft_uv_transport rt;
	raft_uv_accept_cb accept_cb;
	raft_uv_transport_close_cb closed_cb;
	uv_timer_t close_timer;
	struct raft_connect *connects;
};

static int rt_init(struct raft_uv_transport *rt, raft_id id, const char *address)
{
	(void)rt;
	(void)id;
	(void)address;
	return 0;
}

static struct uv_stream_s *rt_stream(struct log_transport *lt, int fd)
{
	uv_tcp_t *tcp = raft_malloc(sizeof(*tcp));	/* libraft frees it */
	int rv;

	if (!tcp) {
		close(fd);
		return NULL;
	}
	uv_tcp_init(lt->loop, tcp);
	rv = uv_tcp_open(tcp, fd);
	if (rv) {
		close(fd);
		uv_close((uv_handle_t *)tcp, (uv_close_cb)raft_free);
		return NULL;
	}
	return (struct uv_stream_s *)tcp;
}

static void rt_accept(void *data, int fd, const struct transport_hello *hello)
{
	struct log_transport *lt = data;
	const char *address = json_string_value(json_object_get(hello->body, "address"));
	struct sockaddr_storage addr;
	struct uv_stream_s *stream;

	if (lt->closing || !lt->accept_cb || !address || strlen(address) > 64 ||
	    !transport_parse_address(address, &addr)) {
		transport_answer(fd, false, "no raft connection is taken now");
		close(fd);
		return;
	}
	transport_answer(fd, true, NULL);
	stream = rt_stream(lt, fd);
	if (stream)
		lt->accept_cb(&lt->rt, hello->from, address, stream);
}

static int rt_listen(struct raft_uv_transport *rt, raft_uv_accept_cb cb)
{
	struct log_transport *lt = rt->impl;

	lt->accept_cb = cb;
	transport_handle(lt->transport, TRANSPORT_RAFT, rt_accept, lt);
	return 0;
}

static void rt_connected(void *data, int fd, const char *why)
{
	struct raft_connect *c = data;
	struct log_transport *lt = c->lt;
	struct uv_stream_s *stream = NULL;

	if (!c->req) {
		if (fd >= 0)
			close(fd);
		free(c);
		return;
	}
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	if (fd >= 0)
		stream = rt_stream(lt, fd);
	else
		log_debug("raft: no connection: %s", why);
	c->req->cb(c->req, stream, stream ? 0 : RAFT_NOCONNECTION);
	free(c);
}

static int rt_connect(struct raft_uv_transport *rt, struct raft_uv_connect *req, raft_id id,
		      const char *address, raft_uv_connect_cb cb)
{
	struct log_transport *lt = rt->impl;
	struct raft_connect *c;
	const char *colon = strrchr(address, ':');
	const char *ip = address;
	size_t ip_len;
	char host[64];

	if (!colon)
		return RAFT_NOCONNECTION;
	ip_len = (size_t)(colon - address);
	if (*ip == '[') {
		ip++;
		ip_len -= 2;
	}
	if (ip_len >= sizeof(host))
		return RAFT_NOCONNECTION;
	memcpy(host, ip, ip_len);
	host[ip_len] = '\0';

	c = xcalloc(1, sizeof(*c));
	req->cb = cb;
	c->lt = lt;
	c->req = req;
	c->link = &lt->connects;
	c->next = lt->connects;
	if (c->next)
		c->next->link = &c->next;
	lt->connects = c;
	transport_connect(lt->transport, host, (uint16_t)atoi(colon + 1), TRANSPORT_RAFT,
			  (uint32_t)id, json_pack("{s:s}", "address", lt->address),
			  lt->connect_ms, rt_connected, c);
	return 0;
}

static void rt_close_timer_closed(uv_handle_t *handle)
{
	struct log_transport *lt = handle->data;

	lt->closed_cb(&lt->rt);
}

static void rt_close(struct raft_uv_transport *rt, raft_uv_transport_close_cb cb)
{
	struct log_transport *lt = rt->impl;

	lt->accept_cb = NULL;
	lt->closed_cb = cb;
	while (lt->connects) {
		struct raft_connect *c = lt->connects;
		struct raft_uv_connect *req = c->req;

		lt->connects = c->next;
		if (c->next)
			c->next->link = &lt->connects;
		c->req = NULL;
		req->cb(req, NULL, RAFT_CANCELED);
	}
	/* libraft expects its callback from the loop, not from in here. */
	uv_timer_init(lt->loop, &lt->close_timer);
	lt->close_timer.data = lt;
	uv_close((uv_handle_t *)&lt->close_timer, rt_close_timer_closed);
}

/* ------------------------------------------------------------------- outside */

struct log_transport *log_transport_open(uv_loop_t *loop, struct transport *transport,
					 const char *address, unsigned int connect_ms)
{
	struct log_transport *lt = xcalloc(1, sizeof(*lt));

	lt->loop = loop;
	lt->transport = transport;
	lt->address = xstrdup(address);
	lt->connect_ms = connect_ms;
	lt->rt = (struct raft_uv_transport){
		.version = 1,
		.impl = lt,
		.init = rt_init,
		.listen = rt_listen,
		.connect = rt_connect,
		.close = rt_close,
	};
	return lt;
}

struct raft_uv_transport *log_transport_of(struct log_transport *lt)
{
	return &lt->rt;
}

void log_transport_refuse(struct log_transport *lt)
{
	lt->closing = true;
	transport_handle(lt->transport, TRANSPORT_RAFT, NULL, NULL);
}

void log_transport_free(struct log_transport *lt)
{
	free(lt->address);
	free(lt);
}
