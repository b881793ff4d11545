/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long the last rebuild of each volume took, as its reports showed it. */
#ifndef AGENT_REBUILDS_H
#define AGENT_REBUILDS_H

#include <stdbool.h>
#include <stdint.h>

#include "facts.h"
#include "fsm.h"

/**
 * struct rebuild_record - the last rebuild of a volume
 * @running: since @begun_ms; otherwise it took @took_ms for @bytes
 */
struct rebuild_record {
	bool running;
	uint32_t node;		/* whose slot it was */
	uint64_t bytes;
	uint64_t begun_ms;	/* loop_now_ms() */
	uint64_t took_ms;
};

struct rebuilds;

struct rebuilds *rebuilds_open(void);
void rebuilds_close(struct rebuilds *rebuilds);

/* Looks at the latest reports; the leader calls it with each. */
void rebuilds_watch(struct rebuilds *rebuilds, const struct fsm *fsm, const struct facts *facts);

/* NULL: none was seen since this agent began to lead. */
const struct rebuild_record *rebuilds_last(const struct rebuilds *rebuilds, const uint8_t *uuid);

#endif /* AGENT_REBUILDS_H */
