/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _HOLDFAST_REPORT_H
#define _HOLDFAST_REPORT_H

struct hf_volume;
struct sk_buff;

enum {
	HF_REPORT_BYTES	= 4096,	/* of one volume, generous: two paths and 12 nests */
};

/* Put everything known of a volume; -EMSGSIZE. Process context, conf_lock held. */
int hf_report_volume(struct sk_buff *skb, struct hf_volume *vol);

#endif /* _HOLDFAST_REPORT_H */
