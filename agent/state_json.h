/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole state as JSON: the content of a raft snapshot.
 */
#ifndef HOLDFAST_AGENT_STATE_JSON_H
#define HOLDFAST_AGENT_STATE_JSON_H

#include <jansson.h>

#include "fsm.h"

json_t *state_to_json(const struct fsm *fsm);	/* new reference, NULL without memory */
/* Strict: NULL and a sentence in @why for anything that state_to_json() does not write. */
struct fsm *state_from_json(const json_t *json, char *why, size_t why_size);

/* As text; *@text is malloced. 0, -ENOMEM. */
int state_encode(const struct fsm *fsm, char **text, size_t *size);
struct fsm *state_decode(const char *text, size_t size, char *why, size_t why_size);

#endif /* HOLDFAST_AGENT_STATE_JSON_H */
