/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections to all other agents, heartbeats over them, who hears whom. */
#ifndef AGENT_HEARTBEAT_H
#define AGENT_HEARTBEAT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "facts.h"
#include "frames.h"

struct agent;
struct heartbeat;

struct heartbeat *heartbeat_open(struct agent *agent);
void heartbeat_close(struct heartbeat *hb);

/* At every tick: sends what is due, connects what is not connected. */
void heartbeat_tick(struct heartbeat *hb);

/* Send a report at once: the module said something, or the leader changed. */
void heartbeat_now(struct heartbeat *hb);

/* The process was stopped: nobody's silence during it counts. */
void heartbeat_forgive(struct heartbeat *hb, uint64_t gap_ms);

/* Fills facts from the latest reports and @own; valid until the loop runs on. */
void heartbeat_facts(struct heartbeat *hb, const struct node_report *own, struct facts *facts);

/* Fills report->heard. */
void heartbeat_heard(struct heartbeat *hb, struct node_report *report);

/* Milliseconds since node @id was heard; FACTS_NEVER_MS: not since this agent began. */
uint32_t heartbeat_age_ms(struct heartbeat *hb, uint32_t id);

/* The latest report of node @id as it came in, or NULL; borrowed. */
const struct node_report *heartbeat_report(struct heartbeat *hb, uint32_t id, uint32_t *age_ms);

/*
 * Did node @id say in its last heartbeat that it leads and has applied all that
 * was committed before? Then @version is that of its state, @age_ms old.
 */
bool heartbeat_leads(struct heartbeat *hb, uint32_t id, uint64_t *version, uint32_t *age_ms);

/* Our connection to node @id, or NULL. */
struct frames *heartbeat_frames(struct heartbeat *hb, uint32_t id);

/* A connected node which says that it has a connection to @leader; 0: none. */
uint32_t heartbeat_go_between(struct heartbeat *hb, uint32_t leader);

#endif /* AGENT_HEARTBEAT_H */
