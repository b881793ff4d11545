/* SPDX-License-Identifier: GPL-2.0 */
/*
 * States in words, the same as the agent's and the tracepoints'. Any context;
 * a value without a word is "?".
 */
#ifndef _HOLDFAST_NAMES_H
#define _HOLDFAST_NAMES_H

#include <linux/tracepoint-defs.h>

#include "../uapi/holdfast.h"

/* Any list of trace.h. */
const char *hf_name_of(const struct trace_print_flags *names, unsigned int nr, unsigned long value);

const char *hf_disk_state_name(enum holdfast_disk_state state);
const char *hf_slot_state_name(enum holdfast_slot_state state);
const char *hf_link_state_name(enum holdfast_link_state state);
const char *hf_rebuild_state_name(enum holdfast_rebuild_state state);
const char *hf_down_reason_name(enum holdfast_down_reason reason);

#endif /* _HOLDFAST_NAMES_H */
