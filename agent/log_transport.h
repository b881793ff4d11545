/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libraft's connections over the agents' port. */
#ifndef AGENT_LOG_TRANSPORT_H
#define AGENT_LOG_TRANSPORT_H

#include <raft.h>
#include <raft/uv.h>
#include <uv.h>

#include "transport.h"

struct log_transport;

/* @address: of this node, "IP:PORT", told to the others. */
struct log_transport *log_transport_open(uv_loop_t *loop, struct transport *transport,
					 const char *address, unsigned int connect_ms);

/* What libraft is given; valid until log_transport_free(). */
struct raft_uv_transport *log_transport_of(struct log_transport *lt);

/* Takes no more connections: the log is being closed. */
void log_transport_refuse(struct log_transport *lt);

/* After libraft has closed it, or never had it. */
void log_transport_free(struct log_transport *lt);

#endif /* AGENT_LOG_TRANSPORT_H */
