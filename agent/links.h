/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Link connections: opens or accepts the control and the data connection of a
 * link and hands the pair to the module.
 */
#ifndef AGENT_LINKS_H
#define AGENT_LINKS_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "module.h"
#include "transport.h"

struct links;

enum {
	LINKS_PAIR_MS		= 3000,	/* for the second connection of a pair, scaled */
	LINKS_CONNECT_MS	= 3000,	/* for an outgoing connection, scaled */
	LINKS_MAX_PENDING	= 256,	/* accepted connections that wait for their other half */
};

/* Where @node's agent listens; false: not known. @ip has room for 46 bytes. */
typedef bool (*links_address_cb)(void *data, uint32_t node, char *ip, uint16_t *port);

/* @why: NULL when the module has both sockets, else one sentence. */
typedef void (*links_done_cb)(void *data, const char *why);

/* Takes over the kinds LINK_CONTROL and LINK_DATA of @transport. */
struct links *links_open(uv_loop_t *loop, struct transport *transport, struct module *module,
			 links_address_cb address, void *data, unsigned int time_scale_pct);

/*
 * Closes what is not handed over yet. Attempts under way still have their
 * @done; it frees itself after the last one.
 */
void links_close(struct links *links);

/*
 * The primary's end: both connections to @node's agent, then LINK_ADD. Returns
 * NULL when it is begun: @done follows exactly once, on the loop, never from
 * inside this function. Otherwise one sentence, and no @done.
 */
const char *links_connect(struct links *links, const uint8_t *volume, uint8_t slot_nr,
			  uint64_t term, uint32_t node, links_done_cb done, void *data);

/*
 * The slot's end, for the transport: owns @fd from here on. The body is
 * {"volume": hex, "slot": number, "term": hex, "link": hex}.
 */
void links_accept(struct links *links, int fd, const struct transport_hello *hello);

#endif /* AGENT_LINKS_H */
