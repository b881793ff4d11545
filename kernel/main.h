/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _HOLDFAST_MAIN_H
#define _HOLDFAST_MAIN_H

#include <linux/ktime.h>
#include <linux/types.h>

extern unsigned int hf_time_scale_pct;	/* module parameter, const after load */

/* Any of the times in holdfast_wire.h, as this machine is scaled. Any context. */
static inline unsigned int hf_scaled_ms(unsigned int ms)
{
	return ms * hf_time_scale_pct / 100;
}

/* The one clock of leases and promises (R5). Any context. */
static inline u64 hf_boottime_ns(void)
{
	return ktime_get_boottime_ns();
}

#endif /* _HOLDFAST_MAIN_H */
