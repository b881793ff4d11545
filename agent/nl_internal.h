/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the files of the netlink client alone: attributes to structs.
 */
#ifndef _AGENT_NL_INTERNAL_H
#define _AGENT_NL_INTERNAL_H

#include <netlink/attr.h>
#include <netlink/netlink.h>

#include "nl.h"

/* Types of all attributes, for nla_parse(). */
extern struct nla_policy hf_nl_policy[HOLDFAST_A_MAX + 1];

/* One message of VOLUME_GET into @volume. Returns 0 or -EBADMSG. */
int hf_nl_parse_volume(struct nlmsghdr *hdr, struct hf_nl_volume *volume);

u8 hf_nl_u8(struct nlattr **attrs, int attr);
u32 hf_nl_u32(struct nlattr **attrs, int attr);
u64 hf_nl_u64(struct nlattr **attrs, int attr);

#endif /* _AGENT_NL_INTERNAL_H */
