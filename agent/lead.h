/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which node shall lead the log. Pure. */
#ifndef AGENT_LEAD_H
#define AGENT_LEAD_H

#include "facts.h"

enum {
	LEAD_SETTLED_MS		= 30000,	/* scaled: led so long, a leader may give way */
	LEAD_SETTLED_MAX_MS	= 480000,	/* scaled: it doubles each time up to this */
	LEAD_FORGET_MS		= 3600000,	/* scaled: after so long it begins anew */
};

enum lead_reason {
	LEAD_STAY,
	LEAD_HEARS_MORE,	/* another voter hears a node that the leader does not hear */
	LEAD_GOES_DOWN,		/* the leader's machine goes down */
	LEAD_FIRST,		/* a voter that joined earlier is well again */
};

/**
 * struct lead_memory - who hears more than the leader, and since when
 * Zero-initialized it is empty.
 */
struct lead_memory {
	u32	node;
	u64	since_ms;
};

/*
 * The node that shall lead instead of this one, whose report is the first of
 * @facts and which leads; @reason says why. 0: it stays. @now_ms: of any clock.
 * @fresh_ms: what is older is not relied upon. @settled: nothing has moved for a
 * while.
 */
u32 lead_choose(const struct fsm *fsm, const struct facts *facts, struct lead_memory *memory,
		u64 now_ms, u32 fresh_ms, bool settled, enum lead_reason *reason);

#endif /* AGENT_LEAD_H */
