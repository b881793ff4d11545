/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The drives of this node: made and wiped as the state wants, and looked at. */
#ifndef AGENT_DRIVES_H
#define AGENT_DRIVES_H

#include "facts.h"

struct agent;
struct drives;

struct drives *drives_open(struct agent *agent);
void drives_close(struct drives *drives);	/* before the storage queue */

/*
 * Begin what is due. At every look of the loop. @current: the copy of the state
 * is not older than what the leader has told of: no disk is changed by another.
 */
void drives_look(struct drives *drives, bool current);

/* Something happened to a slot: look at the drives soon. */
void drives_hurry(struct drives *drives);

/* What others are told. */
void drives_report(const struct drives *drives, struct storage_report *report);

/* Fills in what the slots of @view take of their drives. */
void drives_fill_allocated(const struct drives *drives, struct kernel_view *view);

#endif /* AGENT_DRIVES_H */
