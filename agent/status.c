// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The status of a volume as people read it.  Pure: the state and the modules'
 * own words, nothing remembered.  A module that is not heard says nothing, so
 * its copy does not count as one.
 */
#include "status.h"

#include <stdio.h>

static bool runs(const struct kernel_remote *remote)
{
	return remote->rebuild_state == HOLDFAST_REBUILD_COPYING ||
	       remote->rebuild_state == HOLDFAST_REBUILD_FINISHING ||
	       remote->rebuild_state == HOLDFAST_REBUILD_ADMISSIBLE;
}

bool volume_rebuild_percent(const struct fsm_volume *vol, const struct kernel_volume *primary,
			    unsigned int nr, unsigned int *percent)
{
	const struct kernel_remote *remote =
		primary ? kernel_volume_remote(primary, (u8)nr) : NULL;
	u64 left;

	if (!remote || !runs(remote) || !(hf_conf_missing_mask(&vol->conf) & 1 << nr))
		return false;
	left = kernel_volume_left_bytes(primary, (u8)nr);
	if (left > vol->conf.size_bytes)
		left = vol->conf.size_bytes;
	*percent = (unsigned int)(100 - (left * 100 + vol->conf.size_bytes - 1) /
				  vol->conf.size_bytes);
	return true;
}

static bool slot_lives(const struct fsm_volume *vol, const struct kernel_volume *view,
		       unsigned int nr)
{
	return view && view->slot.state == HOLDFAST_SLOT_UP &&
	       view->slot.incarnation == vol->conf.slots[nr].incarnation;
}

static bool is_served(const struct fsm_volume *vol, const struct kernel_volume *primary)
{
	return primary && vol->conf.primary_node == vol->wanted_node &&
	       hf_conf_activated(&vol->conf) && primary->disk.state == HOLDFAST_DISK_ACTIVE &&
	       primary->disk.instance == vol->conf.primary_instance;
}

enum volume_status volume_status(const struct fsm_volume *vol,
				 const struct kernel_volume *primary,
				 const struct kernel_volume *const views[HF_MAX_SLOTS],
				 unsigned int *percent)
{
	unsigned int i, live = 0, least = 101, done;

	*percent = 0;
	if (vol->state == FSM_VOLUME_CREATING)
		return VOLUME_MAKING;
	if (vol->state == FSM_VOLUME_DELETING)
		return VOLUME_DELETING;
	for (i = 0; i < HF_MAX_SLOTS; i++) {
		if (vol->conf.in_sync_mask & 1 << i)
			live += slot_lives(vol, views[i], i);
		else if (volume_rebuild_percent(vol, primary, i, &done) && done < least)
			least = done;
	}
	if (!live)
		return VOLUME_FAILED;
	if (vol->wanted_node && (!is_served(vol, primary) || primary->disk.holding_ms))
		return VOLUME_HELD;
	if (live >= vol->copies)
		return VOLUME_HEALTHY;
	if (least > 100)
		return VOLUME_DEGRADED;
	*percent = least;
	return VOLUME_REBUILDING;
}

const char *volume_status_text(enum volume_status status, unsigned int percent, char *text,
			       size_t size)
{
	static const char *const names[] = {
		[VOLUME_MAKING]		= "being made",
		[VOLUME_DELETING]	= "being deleted",
		[VOLUME_FAILED]		= "failed",
		[VOLUME_HELD]		= "held",
		[VOLUME_DEGRADED]	= "degraded",
		[VOLUME_HEALTHY]	= "healthy",
	};

	if (status == VOLUME_REBUILDING)
		snprintf(text, size, "rebuilding %u%%", percent);
	else
		snprintf(text, size, "%s", names[status]);
	return text;
}
