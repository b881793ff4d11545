/* SPDX-License-Identifier: GPL-2.0 */
/*
 * debugfs: holdfast/UUID/{requests,slots,links}, for people who look for the
 * reason why something waits. No interface: it may change with any version.
 */
#ifndef _HOLDFAST_DEBUGFS_H
#define _HOLDFAST_DEBUGFS_H

struct hf_volume;

/* Process context. The caller orders the two calls for one UUID. */
void hf_debugfs_add(struct hf_volume *vol);
/* Waits for readers, each of which is in there for one text at most. */
void hf_debugfs_remove(struct hf_volume *vol);

void hf_debugfs_init(void);
void hf_debugfs_exit(void);

#endif /* _HOLDFAST_DEBUGFS_H */
