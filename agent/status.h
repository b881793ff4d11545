/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a volume is called: one of five words, from the state and the facts. */
#ifndef HOLDFAST_AGENT_STATUS_H
#define HOLDFAST_AGENT_STATUS_H

#include "facts.h"
#include "fsm.h"

/**
 * enum volume_status - how well a volume is, the worst that holds
 * @VOLUME_MAKING, @VOLUME_DELETING: before and after it is in service
 * @VOLUME_FAILED: no in-sync copy is heard of that could serve it
 * @VOLUME_HELD: its I/O waits: it is to be served and is not, or its primary holds
 * @VOLUME_DEGRADED: fewer in-sync copies than it shall have
 * @VOLUME_REBUILDING: the same, and one is being copied to
 * @VOLUME_HEALTHY: all its copies are in sync and heard of
 */
enum volume_status {
	VOLUME_MAKING,
	VOLUME_DELETING,
	VOLUME_FAILED,
	VOLUME_HELD,
	VOLUME_DEGRADED,
	VOLUME_REBUILDING,
	VOLUME_HEALTHY,
};

/*
 * @views: for each slot what its node's module says of the volume now, NULL if
 * that is not known or too old. @percent: of VOLUME_REBUILDING, how much is
 * there already of the copy that lacks most; 0 otherwise.
 */
enum volume_status volume_status(const struct fsm_volume *vol,
				 const struct kernel_volume *primary,
				 const struct kernel_volume *const views[HF_MAX_SLOTS],
				 unsigned int *percent);

/* "healthy", "rebuilding 37%" … */
const char *volume_status_text(enum volume_status status, unsigned int percent, char *text,
			       size_t size);

/* How far the rebuild of slot @nr is; false: none runs. */
bool volume_rebuild_percent(const struct fsm_volume *vol, const struct kernel_volume *primary,
			    unsigned int nr, unsigned int *percent);

#endif /* HOLDFAST_AGENT_STATUS_H */
