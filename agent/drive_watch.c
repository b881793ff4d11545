// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From a look at a drive to what the state should say of it: how full, whether
 * it is there, what lies on it that nobody knows.  Pure.
 */
#include "drive_watch.h"

#include <stdio.h>
#include <string.h>

u8 drive_usage_level(u8 level, unsigned int pct, bool full)
{
	static const u8 levels[] = { 100, 90, 80, 70 };
	size_t i;

	for (i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		unsigned int at = levels[i] * 100;

		if (full || pct >= at || (level >= levels[i] && pct + DRIVE_HYSTERESIS > at))
			return levels[i];
	}
	return 0;
}

bool drive_item_has_slot(const struct fsm *fsm, const struct fsm_drive *drive,
			 const struct storage_item *item)
{
	const struct fsm_node *node = fsm_node_by_id(fsm, drive->node);
	unsigned int i;

	for (i = 0; node && i < node->nr_backing; i++) {
		const struct fsm_backing *slot = &node->backing[i];

		if (slot->drive == drive->id &&
		    (!strcmp(strrchr(slot->data_path, '/') + 1, item->name) ||
		     !strcmp(strrchr(slot->meta_path, '/') + 1, item->name)))
			return true;
	}
	return false;
}

bool drive_note(const struct fsm *fsm, const struct fsm_drive *drive,
		const struct drive_seen *seen, struct cmd_drive_note *note)
{
	unsigned int i, pct = seen->list.data_pct;

	memset(note, 0, sizeof(*note));
	note->drive = drive->id;
	note->faulty = seen->absent >= DRIVE_ABSENT_LOOKS || (drive->faulty && seen->absent);
	note->usage_level = drive->usage_level;
	note->nr_orphans = drive->nr_orphans;
	if (seen->known) {
		/* What a thick drive promised is there: it never runs full by itself. */
		if (seen->list.meta_pct > pct)
			pct = seen->list.meta_pct;
		note->usage_level = drive->thick ? 0 :
			drive_usage_level(drive->usage_level, pct, seen->list.is_full);
		if (seen->orphans_known)
			note->nr_orphans = seen->nr_orphans;
	}
	for (i = 0; note->nr_orphans && seen->known && i < seen->list.count; i++) {
		if (drive_item_has_slot(fsm, drive, &seen->list.items[i]))
			continue;
		snprintf(note->orphan, sizeof(note->orphan), "%s", seen->list.items[i].name);
		break;
	}
	return drive->state == FSM_DRIVE_READY &&
	       (note->faulty != drive->faulty || note->usage_level != drive->usage_level ||
		note->nr_orphans != drive->nr_orphans);
}
