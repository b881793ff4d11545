/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one port between agents.  Every connection opens with a preamble that
 * says who calls whom for what; the acceptor answers with one status frame,
 * and from there on the socket belongs to the kind's owner.  This is the seam
 * where mutual TLS goes: nobody else opens or accepts a connection.
 */
#ifndef AGENT_TRANSPORT_H
#define AGENT_TRANSPORT_H

#include <jansson.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define TRANSPORT_PORT		7340
#define TRANSPORT_MAGIC		0x74666c68u	/* "hlft" */
#define TRANSPORT_ANSWER_MAGIC	0x61666c68u	/* "hlfa" */
#define TRANSPORT_VERSION_MIN	1
#define TRANSPORT_VERSION	1

enum {
	TRANSPORT_PREAMBLE_BYTES = 40,
	TRANSPORT_ANSWER_BYTES	= 8,
	TRANSPORT_BODY_MAX	= 64 << 10,
	TRANSPORT_WHY_MAX	= 512,
	TRANSPORT_ANSWER_MAX	= TRANSPORT_ANSWER_BYTES + TRANSPORT_WHY_MAX,
	TRANSPORT_PENDING_MAX	= 256,	/* accepted, preamble not yet complete */
	TRANSPORT_HELLO_MS	= 3000,	/* for a whole preamble, scaled */
	TRANSPORT_SILENT_MS	= 4000,	/* unacknowledged data: the connection is dead, scaled */
};

enum transport_kind {
	TRANSPORT_RAFT		= 1,
	TRANSPORT_PEER		= 2,	/* frames.h: heartbeats, facts, relayed calls */
	TRANSPORT_CALL		= 3,	/* frames.h: one call of a node that is no member yet */
	TRANSPORT_LINK_CONTROL	= 4,
	TRANSPORT_LINK_DATA	= 5,
	TRANSPORT_KIND_MAX	= 5,
};

/* What a preamble says. @body: an object or NULL; owned by whoever holds the struct. */
struct transport_hello {
	uint8_t	kind;
	uint32_t from;
	uint32_t to;
	uint8_t	cluster[16];
	json_t	*body;
};

struct transport;

/*
 * An accepted connection with a valid preamble. The handler owns @fd
 * (non-blocking), must call transport_answer(), and borrows @hello.
 */
typedef void (*transport_accept_cb)(void *data, int fd, const struct transport_hello *hello);

/*
 * @fd is -errno and @why one sentence when it failed; otherwise the callee owns
 * @fd. -ECONNREFUSED: that machine lives, its agent does not.
 */
typedef void (*transport_connect_cb)(void *data, int fd, const char *why);

/* Pure: decodes the fixed part; @why is set when it returns false. */
bool transport_decode(const uint8_t bytes[TRANSPORT_PREAMBLE_BYTES], struct transport_hello *hello,
		      uint32_t *body_bytes, const char **why);
void transport_encode(const struct transport_hello *hello, uint32_t body_bytes,
		      uint8_t bytes[TRANSPORT_PREAMBLE_BYTES]);

/* Pure: the acceptor's answer, as many bytes as are returned. */
size_t transport_encode_answer(bool ok, const char *why, uint8_t bytes[TRANSPORT_ANSWER_MAX]);
/* Pure: its fixed part; false: not an answer. */
bool transport_decode_answer(const uint8_t bytes[TRANSPORT_ANSWER_BYTES], bool *ok,
			     size_t *why_bytes);

/* Pure: an object of at most TRANSPORT_BODY_MAX bytes without duplicate keys, or NULL. */
json_t *transport_decode_body(const char *bytes, size_t len);

/* "192.0.2.1:7340" or "[2001:db8::1]:7340"; false if @text is neither. */
bool transport_parse_address(const char *text, struct sockaddr_storage *addr);
bool transport_make_sockaddr(const char *ip, uint16_t port, struct sockaddr_storage *addr);
char *transport_format_address(const char *ip, uint16_t port);	/* caller frees */

struct transport *transport_open(uv_loop_t *loop, unsigned int time_scale_pct);

/* Ends all connections under way (their callbacks get -1) and stops listening. */
void transport_close(struct transport *t);

/* Until it is set, only TRANSPORT_CALL is accepted, and nothing can be connected but it. */
void transport_set_identity(struct transport *t, uint32_t node, const uint8_t cluster[16]);

void transport_handle(struct transport *t, enum transport_kind kind, transport_accept_cb cb,
		      void *data);

/* 0 or -errno. */
int transport_listen(struct transport *t, uint16_t port);

/*
 * Connects, sends the preamble, reads the answer. @body is stolen. @done is
 * called exactly once, never from inside this function.
 */
void transport_connect(struct transport *t, const char *ip, uint16_t port, enum transport_kind kind,
		       uint32_t to, json_t *body, unsigned int timeout_ms,
		       transport_connect_cb done, void *data);

/* The acceptor's answer; fits the empty socket buffer, so it never blocks. */
void transport_answer(int fd, bool ok, const char *why);

#endif /* AGENT_TRANSPORT_H */
