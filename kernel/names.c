// SPDX-License-Identifier: GPL-2.0
/*
 * Words for states, for sysfs and debugfs.  The lists are trace.h's, where the
 * tracing machinery wants them.  Holds no state and no rule.
 */
#include "names.h"

#include <linux/kernel.h>

#include "trace.h"

const char *hf_name_of(const struct trace_print_flags *names, unsigned int nr, unsigned long value)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (names[i].mask == value)
			return names[i].name;
	return "?";
}

const char *hf_disk_state_name(enum holdfast_disk_state state)
{
	static const struct trace_print_flags names[] = {
		HF_DISK_STATES(HF_TRACE_WORD, HF_TRACE_LAST)
	};

	return hf_name_of(names, ARRAY_SIZE(names), state);
}

const char *hf_slot_state_name(enum holdfast_slot_state state)
{
	static const struct trace_print_flags names[] = {
		HF_SLOT_STATES(HF_TRACE_WORD, HF_TRACE_LAST)
	};

	return hf_name_of(names, ARRAY_SIZE(names), state);
}

const char *hf_link_state_name(enum holdfast_link_state state)
{
	static const struct trace_print_flags names[] = {
		HF_LINK_STATES(HF_TRACE_WORD, HF_TRACE_LAST)
	};

	return hf_name_of(names, ARRAY_SIZE(names), state);
}

const char *hf_rebuild_state_name(enum holdfast_rebuild_state state)
{
	static const struct trace_print_flags names[] = {
		HF_REBUILD_STATES(HF_TRACE_WORD, HF_TRACE_LAST)
	};

	return hf_name_of(names, ARRAY_SIZE(names), state);
}

const char *hf_down_reason_name(enum holdfast_down_reason reason)
{
	static const struct trace_print_flags names[] = {
		HF_DOWN_REASONS(HF_TRACE_WORD, HF_TRACE_LAST)
	};

	return hf_name_of(names, ARRAY_SIZE(names), reason);
}
