/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The module's multicast events, with the loss of one noticed.
 */
#ifndef _AGENT_NL_EVENT_H
#define _AGENT_NL_EVENT_H

#include "nl.h"

struct hf_nl_events;

/* One event; @slot_nr -1 and every other field 0 where it did not come. */
struct hf_nl_event {
	u64	seq;
	u8	event;			/* enum holdfast_event */
	u8	uuid[16];
	int	slot_nr;
	u64	term;
	u64	epoch;
	u64	life;
	u64	instance;
	u64	link_id;
	u8	down_reason;		/* enum holdfast_down_reason */
};

/**
 * struct hf_nl_event_ops - what a listener hears
 * @event: an event came in
 * @gap: at least one event was lost: dump again
 * @module: the module came (@present) or went; after it came, dump again
 */
struct hf_nl_event_ops {
	void (*event)(void *arg, const struct hf_nl_event *event);
	void (*gap)(void *arg);
	void (*module)(void *arg, bool present);
};

/*
 * Begin to listen; the module may be absent, its coming is then heard. @ops is
 * kept by reference. NULL: no memory or no netlink.
 */
struct hf_nl_events *hf_nl_events_new(const struct hf_nl_event_ops *ops, void *arg);
void hf_nl_events_free(struct hf_nl_events *events);

/* To be watched for reading; then call hf_nl_events_read(), which never blocks. */
int hf_nl_events_fd(const struct hf_nl_events *events);
void hf_nl_events_read(struct hf_nl_events *events);

/* Is the module there, as far as it was heard? */
bool hf_nl_events_module(const struct hf_nl_events *events);

/* Words for people and scripts; "?" for a value that is not known. */
const char *hf_nl_event_name(u8 event);
const char *hf_nl_slot_name(u8 state);
const char *hf_nl_disk_name(u8 state);
const char *hf_nl_link_name(u8 state);
const char *hf_nl_rebuild_name(u8 state);
const char *hf_nl_down_name(u8 reason);

#endif /* _AGENT_NL_EVENT_H */
