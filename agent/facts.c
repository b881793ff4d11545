// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Facts as values: growing, copying, finding.  The JSON form is in
 * facts_json.c.  Not responsible for where facts come from (nl.c, heartbeats).
 */
#include "facts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct kernel_volume *kernel_view_add(struct kernel_view *view)
{
	if (view->nr_volumes == view->room) {
		unsigned int room = view->room ? 2 * view->room : 4;
		struct kernel_volume *more = reallocarray(view->volumes, room, sizeof(*more));

		if (!more)
			return NULL;
		view->volumes = more;
		view->room = room;
	}
	memset(&view->volumes[view->nr_volumes], 0, sizeof(*view->volumes));
	return &view->volumes[view->nr_volumes++];
}

void kernel_view_clear(struct kernel_view *view)
{
	free(view->volumes);
	memset(view, 0, sizeof(*view));
}

int kernel_view_copy(struct kernel_view *to, const struct kernel_view *from)
{
	memset(to, 0, sizeof(*to));
	if (from->nr_volumes) {
		to->volumes = reallocarray(NULL, from->nr_volumes, sizeof(*to->volumes));
		if (!to->volumes)
			return -ENOMEM;
		memcpy(to->volumes, from->volumes, from->nr_volumes * sizeof(*to->volumes));
	}
	to->loaded = from->loaded;
	to->nr_volumes = from->nr_volumes;
	to->room = from->nr_volumes;
	return 0;
}

const struct kernel_volume *kernel_view_find(const struct kernel_view *view, const u8 *uuid)
{
	unsigned int i;

	for (i = 0; i < view->nr_volumes; i++) {
		if (!memcmp(view->volumes[i].uuid, uuid, FSM_UUID_BYTES))
			return &view->volumes[i];
	}
	return NULL;
}

const struct kernel_remote *kernel_volume_remote(const struct kernel_volume *vol, u8 slot_nr)
{
	unsigned int i;

	for (i = 0; i < vol->nr_remotes && i < HF_MAX_SLOTS; i++) {
		if (vol->remotes[i].slot_nr == slot_nr)
			return &vol->remotes[i];
	}
	return NULL;
}

u64 kernel_volume_left_bytes(const struct kernel_volume *vol, u8 slot_nr)
{
	const struct kernel_remote *remote = kernel_volume_remote(vol, slot_nr);

	if (slot_nr >= HF_MAX_SLOTS || !(hf_conf_missing_mask(&vol->conf) & 1 << slot_nr))
		return 0;
	switch (remote ? remote->rebuild_state : HOLDFAST_REBUILD_NONE) {
	case HOLDFAST_REBUILD_COPYING:
	case HOLDFAST_REBUILD_FINISHING:
	case HOLDFAST_REBUILD_ADMISSIBLE:
		/* The marks stay until it is readmitted: they tell what an attempt began with. */
		return remote->rebuild_total_bytes > remote->rebuild_done_bytes ?
		       remote->rebuild_total_bytes - remote->rebuild_done_bytes : 0;
	default:
		/* R11: a primary without marks of its own knows when it has asked another slot. */
		if (vol->slot.state != HOLDFAST_SLOT_UP)
			return vol->conf.size_bytes;
		return vol->out_of_sync_bytes[slot_nr];
	}
}

void node_report_clear(struct node_report *report)
{
	kernel_view_clear(&report->view);
	memset(report, 0, sizeof(*report));
}

int node_report_copy(struct node_report *to, const struct node_report *from)
{
	*to = *from;
	return kernel_view_copy(&to->view, &from->view);
}
