// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The log as a device may hold it, and a life that begins with it. Input:
 * which checksums to mend; two records of which the first names are given;
 * then operations, one byte each.
 */
#include <asm/byteorder.h>
#include <linux/errno.h>

#include "../../kernel/al_core.h"
#include "fuzz.h"

enum { RING = 2, NAMES = 40, PART = 92 + 4 * NAMES, EXTENTS = 64, ROOM = 12 };
#define INCARNATION	0x1234u

static unsigned int flights[EXTENTS];

static void operate(struct hf_al *al, u8 op, u64 *seq)
{
	static struct hf_disk_log record;
	u32 extent = (op >> 2) % (EXTENTS - 1);
	u64 sequence;

	switch (op & 3) {
	case 0:
		if (hf_al_begin_write(al, extent, extent + 1, 1, ++*seq, op & 0x80, &sequence) !=
		    HF_AL_FULL) {
			flights[extent]++;
			FUZZ_CLAIM(sequence <= hf_al_durable(al) + 2);
		}
		break;
	case 1:
		if (!flights[extent])
			break;
		flights[extent]--;
		hf_al_end_write(al, extent, extent + 1, op & 0x80);
		break;
	case 2:
		hf_al_flush_done(al, hf_al_flush_issue(al));
		hf_al_bits_done(al, hf_al_bits_issue(al));
		hf_al_stable(al, 1, *seq);
		if (op & 0x40)
			hf_al_settle(al, 2);
		break;
	case 3:
		if (hf_al_record_begin(al, &record, 1, op & 4)) {
			FUZZ_CLAIM(hf_al_record_valid(&record, INCARNATION));
			FUZZ_CLAIM(le32_to_cpu(record.entries) <= HF_LOG_MAX_ENTRIES);
		}
		hf_al_record_done(al);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct hf_disk_log ring[RING];
	u32 extents[HF_LOG_MAX_ENTRIES];
	unsigned int i, nr;
	void *memory;
	struct hf_al al;
	u64 seq = 0;
	int err;

	if (size < 1 + RING * PART)
		return 0;
	memset(ring, 0, sizeof(ring));
	for (i = 0; i < RING; i++) {
		memcpy(&ring[i], data + 1 + i * PART, PART);
		if (data[0] & (1 << i))
			hf_al_record_seal(&ring[i]);
	}
	memset(flights, 0, sizeof(flights));
	memory = malloc(hf_al_memory_bytes());
	hf_al_init(&al, memory, ROOM, INCARNATION);
	err = hf_al_load(&al, ring, RING, EXTENTS);
	FUZZ_CLAIM(err == 0 || err == -EUCLEAN);
	FUZZ_CLAIM(!err == !hf_al_all(&al));
	FUZZ_CLAIM(!err || hf_al_unclean(&al));
	nr = hf_al_list(&al, HF_AL_LOGGED, extents, HF_LOG_MAX_ENTRIES);
	FUZZ_CLAIM(nr <= EXTENTS);
	for (i = 0; i < nr; i++)
		FUZZ_CLAIM(extents[i] < EXTENTS);
	for (i = 1 + RING * PART; i < size; i++)
		operate(&al, data[i], &seq);
	FUZZ_CLAIM(hf_al_used(&al) <= EXTENTS);
	free(memory);
	return 0;
}

size_t fuzz_seed(unsigned int nr, uint8_t *data, size_t max)
{
	static struct hf_disk_log record;
	unsigned int i, j;

	if (nr >= 8 || max < 1 + RING * PART + 64)
		return 0;
	data[0] = 3;
	for (i = 0; i < RING; i++) {
		memset(&record, 0, sizeof(record));
		record.sequence = cpu_to_le64(4 + i);
		record.incarnation = cpu_to_le64(INCARNATION);
		record.entries = cpu_to_le32(nr + i);
		for (j = 0; j < nr + i; j++)
			record.extent[j] = cpu_to_le32(j * 3 | (j & 1 ? HF_LOG_UNFLUSHED : 0));
		hf_al_record_seal(&record);
		memcpy(data + 1 + i * PART, &record, PART);
	}
	for (i = 0; i < 64; i++)
		data[1 + RING * PART + i] = i * 37 + nr;
	return 1 + RING * PART + 64;
}
