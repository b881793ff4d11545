/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of the simulated primary alone; what others call is in sim.h. */
#ifndef HOLDFAST_AGENT_TEST_SIM_PRIMARY_H
#define HOLDFAST_AGENT_TEST_SIM_PRIMARY_H

#include "sim.h"

#define COOKIE(kind, value) ((u64)(kind) << 56 | (value))
enum { COOKIE_WRITE = 1, COOKIE_FLUSH = 2, COOKIE_COPY = 3, COOKIE_OWN_FLUSH = 7 };

/* sim_primary.c */
int primary_own_slot(struct sim *sim, const struct mvol *mv);
bool primary_names(struct sim *sim, const struct mvol *mv);
u8 primary_completion_set(struct sim *sim, const struct mvol *mv);
bool primary_may_complete(struct sim *sim, struct mvol *mv);

/* sim_request.c */
void primary_send_request(struct sim *sim, struct mvol *mv, struct preq *req, int slot);
void primary_start(struct sim *sim, struct mvol *mv, struct preq *req);
void primary_tell_client(struct sim *sim, struct mvol *mv, const struct preq *req, bool ok);
void primary_progress(struct sim *sim, struct mvol *mv);

/* sim_remote.c */
void primary_tell(struct sim *sim, struct mvol *mv, struct plink *link, struct lmsg *msg);
void primary_beacon(struct sim *sim, struct mvol *mv, struct plink *link);

#endif /* HOLDFAST_AGENT_TEST_SIM_PRIMARY_H */
