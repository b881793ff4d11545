// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Both copies of the superblock as a device may hold them. Input: which
 * checksums to mend; the first 384 bytes of each copy, all up to the reserved
 * ones, which are zeros.
 */
#include <asm/byteorder.h>
#include <linux/crc32c.h>
#include <linux/errno.h>

#include "../../kernel/meta_core.h"
#include "../../kernel/test/sample.h"
#include "fuzz.h"

enum { PART = 384 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct hf_disk_super copies[HF_SUPER_COPIES];
	u64 seen[HF_MAX_SLOTS] = { 0 };
	const char *why = NULL;
	struct hf_super super;
	unsigned int i;
	int err;

	if (size < 1 + 2 * PART)
		return 0;
	memset(copies, 0, sizeof(copies));
	for (i = 0; i < HF_SUPER_COPIES; i++) {
		memcpy(&copies[i], data + 1 + i * PART, PART);
		if (data[0] & (1 << i))
			copies[i].crc = cpu_to_le32(crc32c(0xffffffffu, &copies[i],
						    offsetof(struct hf_disk_super, crc)));
	}
	err = hf_meta_choose(copies, &super, &why);
	if (err) {
		FUZZ_CLAIM(why && (err == -EINVAL || err == -ENODATA));
		return 0;
	}
	/* As its users do: index by the slot, go to the last block. */
	seen[super.slot] = super.incarnation;
	FUZZ_CLAIM(seen[super.slot] && super.node);
	FUZZ_CLAIM(hf_meta_nr_extents(&super.layout) < HF_LOG_EXTENT_MASK);
	FUZZ_CLAIM(super.layout.log_entries && super.layout.log_entries <= HF_LOG_MAX_ENTRIES);
	FUZZ_CLAIM(hf_meta_bitmap_block(&super.layout, HF_MAX_SLOTS) == super.layout.total_blocks);
	FUZZ_CLAIM(hf_meta_log_block(&super.layout, ~0ull) < super.layout.bitmap_start);
	FUZZ_CLAIM(!super.epoch || super.conf.in_sync_mask);
	hf_meta_encode(&super, &copies[0]);
	FUZZ_CLAIM(!hf_meta_decode(&copies[0], &super, &why));
	return 0;
}

size_t fuzz_seed(unsigned int nr, uint8_t *data, size_t max)
{
	static struct hf_disk_super block;
	struct hf_super super = { .incarnation = 9, .slot = nr % HF_MAX_SLOTS, .node = 11 };
	const char *why;

	if (nr >= 2 * HF_MAX_SLOTS || max < 1 + 2 * PART)
		return 0;
	sample_conf(&super.conf);
	memcpy(super.volume, super.conf.volume, sizeof(super.volume));
	super.epoch = super.conf.epoch;
	super.term = super.conf.term;
	if (hf_meta_layout_init(&super.layout, SAMPLE_BYTES, 0, 0, 0, &why))
		return 0;
	data[0] = 3;
	super.generation = 4 + (nr & 1) * 2;
	hf_meta_encode(&super, &block);
	memcpy(data + 1, &block, PART);
	super.generation = 5;
	hf_meta_encode(&super, &block);
	memcpy(data + 1 + PART, &block, PART);
	/* The second half: with the other copy torn. */
	if (nr >= HF_MAX_SLOTS)
		data[1 + (nr & 1) * PART] ^= 1;
	return 1 + 2 * PART;
}
