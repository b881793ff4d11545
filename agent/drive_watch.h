/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a node makes of what it sees on its drives. Pure. */
#ifndef AGENT_DRIVE_WATCH_H
#define AGENT_DRIVE_WATCH_H

#include "command.h"
#include "fsm.h"
#include "storage.h"

enum { DRIVE_HYSTERESIS = 300 };	/* hundredths of a percent below a level that end it */

/*
 * The level (0, 70, 80, 90, 100) of a pool that is @pct hundredths of a percent
 * full, when it was @level before: up at once, down only well below.
 */
u8 drive_usage_level(u8 level, unsigned int pct, bool full);

/* Does @item belong to a slot on @drive? */
bool drive_item_has_slot(const struct fsm *fsm, const struct fsm_drive *drive,
			 const struct storage_item *item);

/**
 * struct drive_seen - what a look at a drive found
 * @list: of the last look; without items if it failed
 * @absent: looks in a row that did not find its disk or its group
 * @nr_orphans: items of no slot in this look and in the one before
 */
struct drive_seen {
	struct storage_list	list;
	bool			known;		/* @list is of this disk */
	unsigned int		absent;
	unsigned int		nr_orphans;
	bool			orphans_known;	/* judged by a state that was current */
};

enum { DRIVE_ABSENT_LOOKS = 2 };	/* then it is faulty */

/* What the state should say of it; true if it does not say so already. */
bool drive_note(const struct fsm *fsm, const struct fsm_drive *drive,
		const struct drive_seen *seen, struct cmd_drive_note *note);

#endif /* AGENT_DRIVE_WATCH_H */
