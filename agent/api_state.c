// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the latest reports say of a volume, in one state a slot and one state a
 * volume.  A report that is too old says nothing: a slot is called in-sync only
 * when its own node says so now.
 */
#include "api_internal.h"

#include <stdio.h>
#include <string.h>

#include "heartbeat.h"
#include "module.h"
#include "status.h"

const char *api_slot_state_name(enum api_slot_state state)
{
	static const char *const names[] = {
		[API_SLOT_MAKING]	= "being made",
		[API_SLOT_IN_SYNC]	= "in-sync",
		[API_SLOT_UNREACHABLE]	= "unreachable",
		[API_SLOT_FAILED]	= "failed",
		[API_SLOT_REBUILDING]	= "rebuilding",
		[API_SLOT_STALE]	= "stale",
		[API_SLOT_AWAY]		= "away",
	};

	return names[state];
}

const struct kernel_view *api_view(struct agent *agent, uint32_t id)
{
	const struct node_report *report;
	uint32_t age_ms;

	if (id == agent->self.id)
		return module_view(agent->module);
	report = heartbeat_report(agent->heartbeat, id, &age_ms);
	if (!report || age_ms > node_scaled(agent, PLAN_SILENT_MS))
		return NULL;
	return &report->view;
}

static const struct kernel_volume *volume_of(struct agent *agent, uint32_t node,
					     const struct fsm_volume *vol)
{
	const struct kernel_view *view = node ? api_view(agent, node) : NULL;

	return view && view->loaded ? kernel_view_find(view, vol->uuid) : NULL;
}

static void slot_state(struct agent *agent, const struct fsm_volume *vol,
		       const struct kernel_volume *primary, unsigned int nr,
		       struct api_slot *slot)
{
	const struct kernel_volume *kv = volume_of(agent, vol->conf.slots[nr].node, vol);

	slot->in_sync = vol->conf.in_sync_mask & 1 << nr;
	slot->kernel = kv ? &kv->slot : NULL;
	if (vol->state == FSM_VOLUME_CREATING)
		slot->state = vol->made_mask & 1 << nr ? API_SLOT_IN_SYNC : API_SLOT_MAKING;
	else if (kv && (kv->slot.state == HOLDFAST_SLOT_FAILED || kv->slot.attach_error))
		slot->state = API_SLOT_FAILED;
	else if (slot->in_sync)
		slot->state = kv && kv->slot.state == HOLDFAST_SLOT_UP ? API_SLOT_IN_SYNC :
			      API_SLOT_UNREACHABLE;
	else
		slot->state = kv ? API_SLOT_STALE : API_SLOT_AWAY;
	if (slot->state == API_SLOT_FAILED)
		slot->error = kv->slot.error ? kv->slot.error : kv->slot.attach_error;
	if (slot->state == API_SLOT_STALE &&
	    volume_rebuild_percent(vol, primary, nr, &slot->percent))
		slot->state = API_SLOT_REBUILDING;
}

void api_volume_state(struct agent *agent, const struct fsm_volume *vol, struct api_volume *out)
{
	const struct kernel_volume *primary = volume_of(agent, vol->conf.primary_node, vol);
	const struct kernel_volume *views[HF_MAX_SLOTS] = { NULL };
	enum volume_status status;
	unsigned int i, percent;

	memset(out, 0, sizeof(*out));
	if (primary && primary->disk.state != HOLDFAST_DISK_NONE)
		out->disk = &primary->disk;
	if (out->disk && out->disk->state == HOLDFAST_DISK_ACTIVE &&
	    out->disk->instance == vol->conf.activated_instance)
		out->served_on = fsm_volume_served_on(vol);
	for (i = 0; i < HF_MAX_SLOTS; i++) {
		if (!vol->conf.slots[i].node)
			continue;
		slot_state(agent, vol, primary, i, &out->slots[i]);
		views[i] = volume_of(agent, vol->conf.slots[i].node, vol);
	}
	status = volume_status(vol, primary, views, &percent);
	out->is_healthy = status == VOLUME_HEALTHY;
	volume_status_text(status, percent, out->status, sizeof(out->status));
}

static const char *node_name(const struct agent *agent, uint32_t id)
{
	const struct fsm_node *node = fsm_node_by_id(agent->fsm, id);

	return node ? node->name : "?";
}

/* One slot's trouble, or nothing. */
static void slot_trouble(struct agent *agent, const struct fsm_volume *vol, unsigned int nr,
			 const struct api_slot *slot, char *why, size_t size)
{
	uint32_t id = vol->conf.slots[nr].node;
	const struct kernel_view *view = api_view(agent, id);
	const char *name = node_name(agent, id);

	if (slot->state == API_SLOT_IN_SYNC)
		return;
	if (!view)
		snprintf(why, size, "the copy on node %s (slot %u) is not heard of: its node or "
			 "agent is down or cut off", name, nr);
	else if (!view->loaded)
		snprintf(why, size, "the kernel module is not loaded on node %s (slot %u): run "
			 "'modprobe holdfast' there", name, nr);
	else if (slot->state == API_SLOT_FAILED)
		snprintf(why, size, "the copy on node %s (slot %u) failed: %s", name, nr,
			 slot->error ? strerror(slot->error < 0 ? -slot->error : slot->error) :
			 "a device error");
	else if (slot->state == API_SLOT_REBUILDING)
		snprintf(why, size, "the copy on node %s (slot %u) is being rebuilt, %u %% done",
			 name, nr, slot->percent);
	else if (slot->state == API_SLOT_MAKING)
		snprintf(why, size, "the copy on node %s (slot %u) is being made still", name, nr);
	else
		snprintf(why, size, "the copy on node %s (slot %u) is not in sync and not being "
			 "rebuilt", name, nr);
}

void api_volume_trouble(struct agent *agent, const struct fsm_volume *vol, char *why, size_t size)
{
	struct api_volume state;
	const struct kernel_view *view;
	unsigned int i;

	why[0] = '\0';
	api_volume_state(agent, vol, &state);
	for (i = 0; i < HF_MAX_SLOTS && !why[0]; i++) {
		if (vol->conf.slots[i].node)
			slot_trouble(agent, vol, i, &state.slots[i], why, size);
	}
	view = vol->wanted_node ? api_view(agent, vol->wanted_node) : NULL;
	if (why[0])
		return;
	if (vol->wanted_node && (!view || !view->loaded))
		snprintf(why, size, "node %s is not heard of, or has no kernel module",
			 node_name(agent, vol->wanted_node));
	else if (vol->wanted_node && !state.served_on)
		snprintf(why, size, "node %s does not serve it yet: term %llu, epoch %llu",
			 node_name(agent, vol->wanted_node), (unsigned long long)vol->conf.term,
			 (unsigned long long)vol->conf.epoch);
	else if (state.disk && state.disk->holding_ms)
		snprintf(why, size, "I/O is held on node %s", node_name(agent, vol->wanted_node));
	else
		snprintf(why, size, "all its copies are well");
}
