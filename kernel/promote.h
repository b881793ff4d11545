/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _HOLDFAST_PROMOTE_H
#define _HOLDFAST_PROMOTE_H

struct hf_disk;

/* A pass of reconciliation, and activation when it is due (R4, R7). Process context, may wait. */
void hf_promote_run(struct hf_disk *disk);
/* Copies own content over the ranges of failed writes (R6). Process context, may wait. */
void hf_promote_repair(struct hf_disk *disk);

#endif /* _HOLDFAST_PROMOTE_H */
