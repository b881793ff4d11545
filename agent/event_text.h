/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One line of the event log, to the letter of what operators' scripts read. Pure. */
#ifndef AGENT_EVENT_TEXT_H
#define AGENT_EVENT_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* "MM/DD/YYYY-HH:MM:SS [level] [MODULE] text:CODE", local time. */
void event_format(uint64_t time_ms, const char *level, const char *module, const char *text,
		  uint32_t code, char *line, size_t size);

/* "info", "warning", "error" of enum fsm_level; "?" for others. */
const char *event_level_name(unsigned int level);

#endif /* AGENT_EVENT_TEXT_H */
