// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A disk with a volatile write cache: after a power cut of what was not
 * flushed a random part is there, and not in the order of writing.
 */
#include <stdio.h>
#include <string.h>

#include "sim.h"

u64 dev_read(const struct sdev *dev, u32 block)
{
	unsigned int i;

	for (i = dev->nr_cached; i--; ) {
		if (dev->cached[i].block == block)
			return dev->cached[i].value;
	}
	return dev->durable[block];
}

#define NO_BLOCK UINT32_MAX

static void forget_block(struct sdev *dev, u32 block)
{
	unsigned int i;

	for (i = 0; i < dev->nr_cached; i++) {
		if (dev->cached[i].block == block)
			dev->cached[i].block = NO_BLOCK;
	}
}

void dev_write(struct sim *sim, struct sdev *dev, u32 block, u64 value, bool fua)
{
	(void)sim;
	if (fua) {
		forget_block(dev, block);
		dev->durable[block] = value;
		return;
	}
	/* A full cache writes its oldest entry by itself. */
	if (dev->nr_cached == sizeof(dev->cached) / sizeof(dev->cached[0]))
		dev_flush(dev, dev->first_cached + 1);
	dev->cached[dev->nr_cached].block = block;
	dev->cached[dev->nr_cached++].value = value;
}

/* What is in the cache now: all before this. */
u64 dev_mark(const struct sdev *dev)
{
	return dev->first_cached + dev->nr_cached;
}

/* All entries before @until become durable. */
void dev_flush(struct sdev *dev, u64 until)
{
	unsigned int i, count;

	if (until <= dev->first_cached)
		return;
	count = (unsigned int)(until - dev->first_cached);
	if (count > dev->nr_cached)
		count = dev->nr_cached;
	for (i = 0; i < count; i++) {
		if (dev->cached[i].block != NO_BLOCK)
			dev->durable[dev->cached[i].block] = dev->cached[i].value;
	}
	dev->first_cached += count;
	memmove(dev->cached, dev->cached + count,
		(dev->nr_cached - count) * sizeof(dev->cached[0]));
	dev->nr_cached -= count;
}

void dev_power_cut(struct sim *sim, struct sdev *dev)
{
	unsigned int survive = (unsigned int)sim_below(sim, 3) * 50;
	unsigned int i;

	for (i = 0; i < dev->nr_cached; i++) {
		if (dev->cached[i].block != NO_BLOCK && sim_chance(sim, survive))
			dev->durable[dev->cached[i].block] = dev->cached[i].value;
	}
	dev->first_cached += dev->nr_cached;
	dev->nr_cached = 0;
}
