// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Watches the primaries' reports for rebuilds that begin and end, for people who
 * ask how fast the last one was.  Kept in memory by the leader; nothing is
 * decided by it.
 */
#include "rebuilds.h"

#include <stdlib.h>
#include <string.h>

#include "loop.h"

struct entry {
	struct entry *next;
	uint8_t uuid[FSM_UUID_BYTES];
	uint8_t slot_nr;
	struct rebuild_record record;
};

struct rebuilds {
	struct entry *entries;
};

static struct entry *find(const struct rebuilds *rebuilds, const uint8_t *uuid)
{
	struct entry *e;

	for (e = rebuilds->entries; e; e = e->next) {
		if (!memcmp(e->uuid, uuid, FSM_UUID_BYTES))
			return e;
	}
	return NULL;
}

const struct rebuild_record *rebuilds_last(const struct rebuilds *rebuilds, const uint8_t *uuid)
{
	const struct entry *e = find(rebuilds, uuid);

	return e ? &e->record : NULL;
}

static void begin(struct rebuilds *rebuilds, const struct fsm_volume *vol,
		  const struct kernel_remote *remote)
{
	struct entry *e = find(rebuilds, vol->uuid);

	if (e && e->record.running && e->slot_nr == remote->slot_nr) {
		if (remote->rebuild_done_bytes > e->record.bytes)
			e->record.bytes = remote->rebuild_done_bytes;
		return;
	}
	if (!e) {
		e = xcalloc(1, sizeof(*e));
		memcpy(e->uuid, vol->uuid, sizeof(e->uuid));
		e->next = rebuilds->entries;
		rebuilds->entries = e;
	}
	e->slot_nr = remote->slot_nr;
	e->record = (struct rebuild_record){
		.running = true,
		.node = vol->conf.slots[remote->slot_nr].node,
		.bytes = remote->rebuild_done_bytes,
		.begun_ms = loop_now_ms(),
	};
}

static void watch_volume(struct rebuilds *rebuilds, const struct fsm_volume *vol,
			 const struct kernel_volume *kv)
{
	struct entry *e = find(rebuilds, vol->uuid);
	unsigned int i;

	for (i = 0; i < kv->nr_remotes; i++) {
		const struct kernel_remote *remote = &kv->remotes[i];
		bool in_set = vol->conf.in_sync_mask & 1 << remote->slot_nr;

		if (e && e->record.running && e->slot_nr == remote->slot_nr &&
		    (in_set || remote->rebuild_state == HOLDFAST_REBUILD_ADMISSIBLE ||
		     remote->rebuild_state == HOLDFAST_REBUILD_NONE)) {
			if (remote->rebuild_done_bytes > e->record.bytes)
				e->record.bytes = remote->rebuild_done_bytes;
			e->record.running = false;
			e->record.took_ms = loop_now_ms() - e->record.begun_ms;
		} else if (!in_set && (remote->rebuild_state == HOLDFAST_REBUILD_COPYING ||
				       remote->rebuild_state == HOLDFAST_REBUILD_FINISHING)) {
			begin(rebuilds, vol, remote);
		}
	}
}

void rebuilds_watch(struct rebuilds *rebuilds, const struct fsm *fsm, const struct facts *facts)
{
	unsigned int v, i;

	for (v = 0; v < fsm->nr_volumes; v++) {
		const struct fsm_volume *vol = &fsm->volumes[v];
		uint32_t primary = fsm_volume_served_on(vol);

		for (i = 0; primary && i < facts->count; i++) {
			const struct node_report *report = facts->entries[i].report;
			const struct kernel_volume *kv;

			if (report->node != primary)
				continue;
			kv = kernel_view_find(&report->view, vol->uuid);
			if (kv)
				watch_volume(rebuilds, vol, kv);
		}
	}
}

struct rebuilds *rebuilds_open(void)
{
	return xcalloc(1, sizeof(struct rebuilds));
}

void rebuilds_close(struct rebuilds *rebuilds)
{
	while (rebuilds->entries) {
		struct entry *e = rebuilds->entries;

		rebuilds->entries = e->next;
		free(e);
	}
	free(rebuilds);
}
