// SPDX-License-Identifier: GPL-2.0
/*
 * Load and unload: an ordered list of the parts that need it.  No rule of the
 * protocol lives here and nothing is guarded.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "main.h"

#include <linux/module.h>

#include "debugfs.h"
#include "disk.h"
#include "event.h"
#include "link.h"
#include "netlink.h"
#include "sabotage.h"
#include "slot.h"
#include "volume.h"

unsigned int hf_time_scale_pct = HF_SCALE_MIN_PCT;
module_param_named(time_scale_pct, hf_time_scale_pct, uint, 0444);
MODULE_PARM_DESC(time_scale_pct, "scales every time of the protocol, 100 to 1000 percent");

static int __init hf_init(void)
{
	int err;

	if (hf_time_scale_pct < HF_SCALE_MIN_PCT || hf_time_scale_pct > HF_SCALE_MAX_PCT) {
		pr_err("time_scale_pct must be from %d to %d\n", HF_SCALE_MIN_PCT,
		       HF_SCALE_MAX_PCT);
		return -EINVAL;
	}
	err = hf_slot_init();
	if (err)
		return err;
	err = hf_link_init();
	if (err)
		goto exit_slot;
	err = hf_disk_init();
	if (err)
		goto exit_link;
	hf_debugfs_init();
	err = hf_netlink_init();
	if (err)
		goto exit_debugfs;
	if (HF_BROKEN_ANY)
		pr_warn("this build breaks a rule on purpose, it loses data\n");
	return 0;

exit_debugfs:
	hf_debugfs_exit();
	hf_disk_exit();
exit_link:
	hf_link_exit();
exit_slot:
	hf_slot_exit();
	return err;
}

static void __exit hf_exit(void)
{
	hf_netlink_exit();	/* no command is running, none comes */
	hf_volume_remove_all();
	hf_debugfs_exit();	/* no volume's files are left, and nobody is in them */
	hf_slot_wait_all();	/* devices of slots that were forced out: no failure comes later */
	hf_disk_exit();		/* no disk is left */
	hf_link_exit();
	hf_slot_exit();
	hf_event_stop();
}

module_init(hf_init);
module_exit(hf_exit);

MODULE_DESCRIPTION("Highly available block storage for container clusters");
MODULE_LICENSE("GPL");
MODULE_SOFTDEP("pre: libcrc32c");
