/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _HOLDFAST_MAIN_H
#define _HOLDFAST_MAIN_H

#include <linux/ktime.h>
#include <linux/types.h>

#include "lease.h"

extern unsigned int hf_time_scale_pct;	/* module parameter, const after load */

/* Any of the times in holdfast_wire.h, as this machine is scaled. Any context. */
static inline unsigned int hf_time_ms(unsigned int ms)
{
	return hf_scaled_ms(ms, hf_time_scale_pct);
}

static inline u64 hf_time_ns(unsigned int ms)
{
	return hf_scaled_ns(ms, hf_time_scale_pct);
}

/* The one clock of leases and promises (R5). Any context. */
static inline u64 hf_boottime_ns(void)
{
	return ktime_get_boottime_ns();
}

#endif /* _HOLDFAST_MAIN_H */
