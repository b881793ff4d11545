// SPDX-License-Identifier: GPL-2.0
/*
 * Load and unload: an ordered list of the parts that need it.  No rule of the
 * protocol lives here and nothing is guarded.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "main.h"

#include <linux/module.h>

#include "sabotage.h"

unsigned int hf_time_scale_pct = 100;
module_param_named(time_scale_pct, hf_time_scale_pct, uint, 0444);
MODULE_PARM_DESC(time_scale_pct, "scales every time of the protocol, 100 to 1000 percent");

static int __init hf_init(void)
{
	if (hf_time_scale_pct < 100 || hf_time_scale_pct > 1000) {
		pr_err("time_scale_pct must be from 100 to 1000\n");
		return -EINVAL;
	}
	if (HF_BROKEN_ANY)
		pr_warn("this build breaks a rule on purpose, it loses data\n");
	return 0;
}

static void __exit hf_exit(void)
{
}

module_init(hf_init);
module_exit(hf_exit);

MODULE_DESCRIPTION("Highly available block storage for container clusters");
MODULE_LICENSE("GPL");
