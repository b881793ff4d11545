/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _HOLDFAST_SYSFS_H
#define _HOLDFAST_SYSFS_H

#include <linux/sysfs.h>

/* For device_add_disk(): /sys/block/vdN/holdfast/. */
extern const struct attribute_group *hf_sysfs_groups[];

#endif /* _HOLDFAST_SYSFS_H */
