// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A bitmap as a device may hold it, and what is done with one. Input: size of
 * the volume, granule; operations of 16 bytes; the rest is content.
 */
#include "../../kernel/bitmap_core.h"
#include "fuzz.h"

struct operation {
	u8	what;
	u8	bits;
	u8	resv[2];
	u32	length;
	u64	offset;
};

static void operate(struct hf_bitmap *bm, const struct operation *op, const uint8_t *tail,
		    size_t tail_bytes)
{
	u64 granule = 1ull << bm->granule_shift;
	u64 start, end, nr_bits;
	u32 block = 0;
	void *piece;

	switch (op->what % 7) {
	case 0:
		hf_bitmap_mark(bm, op->offset, op->length);
		break;
	case 1:
		hf_bitmap_clear(bm, op->offset, op->length);
		break;
	case 2:
		nr_bits = min((u64)op->bits + 1, (u64)tail_bytes * 8);
		piece = fuzz_copy(tail, (nr_bits + 7) / 8);
		hf_bitmap_merge(bm, op->offset & ~(granule - 1), piece, nr_bits);
		free(piece);
		break;
	case 3:
		piece = malloc((op->bits + 8) / 8);
		hf_bitmap_export(bm, op->offset & ~(granule - 1), piece, op->bits + 1);
		free(piece);
		break;
	case 4:
		if (!hf_bitmap_next(bm, op->offset, &start, &end))
			break;
		FUZZ_CLAIM(start < end && end <= bm->size_bytes);
		FUZZ_CLAIM(end > op->offset);
		FUZZ_CLAIM(hf_bitmap_test(bm, start, 1) && hf_bitmap_test(bm, end - 1, 1));
		break;
	case 5:
		if (hf_bitmap_write_begin(bm, &block))
			hf_bitmap_write_end(bm, block, op->bits & 1);
		break;
	case 6:
		hf_bitmap_durable(bm, op->offset, op->length);
		break;
	}
	FUZZ_CLAIM(bm->nr_set <= bm->nr_bits && bm->nr_unsaved <= bm->nr_blocks);
	FUZZ_CLAIM(hf_bitmap_dirty_bytes(bm) <= bm->size_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct operation op;
	struct hf_bitmap bm;
	void *words, *flags;
	size_t bytes, at = 4;
	u64 size_bytes;
	u8 shift;

	if (size < 4)
		return 0;
	size_bytes = (256 + (data[0] | data[1] << 8)) * 4096ull;
	shift = HF_GRANULE_MIN_SHIFT + data[2] % 8;
	bytes = hf_bitmap_words_bytes(size_bytes, shift);
	words = malloc(bytes);
	flags = malloc(2 * hf_bitmap_flags_bytes(size_bytes, shift));
	hf_bitmap_init(&bm, words, flags, size_bytes, shift);
	memcpy(words, data, min(bytes, size));
	hf_bitmap_loaded(&bm);
	for (; at + sizeof(op) <= size; at += sizeof(op)) {
		memcpy(&op, data + at, sizeof(op));
		op.offset %= size_bytes + 8192;
		operate(&bm, &op, data + at, size - at);
	}
	free(words);
	free(flags);
	return 0;
}

size_t fuzz_seed(unsigned int nr, uint8_t *data, size_t max)
{
	struct operation op;
	unsigned int i;

	if (nr >= 8 || max < 4 + 14 * sizeof(op))
		return 0;
	data[0] = nr * 31;
	data[1] = nr;
	data[2] = nr;
	data[3] = 0;
	for (i = 0; i < 14; i++) {
		op = (struct operation) { .what = i, .bits = i * 17, .length = 5000 * i,
					  .offset = i * 70000 };
		memcpy(data + 4 + i * sizeof(op), &op, sizeof(op));
	}
	return 4 + 14 * sizeof(op);
}
