/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the agent does while it leads. */
#ifndef AGENT_LEADER_H
#define AGENT_LEADER_H

#include "node.h"

/* Takes the leader's next steps; at every look of a node that leads. */
void leader_look(struct agent *agent);

#endif /* AGENT_LEADER_H */
