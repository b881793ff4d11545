/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _HOLDFAST_EVENT_H
#define _HOLDFAST_EVENT_H

#include <linux/types.h>

#include "../uapi/holdfast.h"

struct hf_volume;
struct genl_family;

#define HF_EVENT_NO_SLOT	(-1)

/**
 * struct hf_event_facts - what an event says beside the volume
 * @event: what happened
 * @slot_nr: of which slot, or HF_EVENT_NO_SLOT
 * @life: 0: not told; likewise @instance and @link_id
 * @down_reason: HOLDFAST_DOWN_NONE: not told
 */
struct hf_event_facts {
	enum holdfast_event		event;
	int				slot_nr;
	u64				life;
	u64				instance;
	u64				link_id;
	enum holdfast_down_reason	down_reason;
};

/* Any context, under any lock. Multicast follows from a worker. */
void hf_event_send(struct hf_volume *vol, const struct hf_event_facts *facts);

/* The same for an event without further facts. */
static inline void hf_event(struct hf_volume *vol, enum holdfast_event event, int slot_nr)
{
	struct hf_event_facts facts = { .event = event, .slot_nr = slot_nr };

	hf_event_send(vol, &facts);
}

/* Load and unload. Process context. */
void hf_event_start(struct genl_family *family);
void hf_event_stop(void);

#endif /* _HOLDFAST_EVENT_H */
