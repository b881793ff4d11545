/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _HOLDFAST_NETLINK_H
#define _HOLDFAST_NETLINK_H

/* The generic netlink family; last to come, first to go. Process context. */
int hf_netlink_init(void);
void hf_netlink_exit(void);

#endif /* _HOLDFAST_NETLINK_H */
