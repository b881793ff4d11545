/* SPDX-License-Identifier: GPL-2.0 */
/* A configuration that is right in every point, for tests to break. */
#ifndef _HOLDFAST_TEST_SAMPLE_H
#define _HOLDFAST_TEST_SAMPLE_H

#include <linux/string.h>

#include "../conf.h"

#define SAMPLE_BYTES	(64ull << 20)

/* Term 3, epoch 8, primary on node 11, slots 0 to 2, of which 0 and 1 in sync. */
static inline void sample_conf(struct hf_conf_data *conf)
{
	unsigned int i;

	memset(conf, 0, sizeof(*conf));
	for (i = 0; i < sizeof(conf->volume); i++)
		conf->volume[i] = 0xa0 + i;
	conf->size_bytes = SAMPLE_BYTES;
	conf->term = 3;
	conf->epoch = 8;
	conf->primary_node = 11;
	conf->primary_instance = 0x1111;
	conf->activated_term = 3;
	conf->activated_instance = 0x1111;
	conf->vdisk = 1;
	conf->in_sync_mask = 0x3;
	for (i = 0; i < 3; i++) {
		conf->slots[i].node = 11 + i;
		conf->slots[i].incarnation = 0x100 + i;
	}
}

#endif
