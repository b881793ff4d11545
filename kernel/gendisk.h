/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _HOLDFAST_GENDISK_H
#define _HOLDFAST_GENDISK_H

struct hf_disk;

/* Make /dev/vdN appear; returns when it has or the disk is dead. Process context. */
void hf_gendisk_show(struct hf_disk *disk);
/* Take it away; no request is in flight. Process context. */
void hf_gendisk_remove(struct hf_disk *disk);

int hf_gendisk_init(void);
void hf_gendisk_exit(void);

#endif /* _HOLDFAST_GENDISK_H */
