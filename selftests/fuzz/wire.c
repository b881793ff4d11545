// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Header and payload of a message. Input: connection, direction, agreed
 * version, whether to mend the header's checksum; header; payload.
 */
#include <asm/byteorder.h>
#include <linux/errno.h>

#include "../../kernel/test/sample.h"
#include "../../kernel/wire.h"
#include "fuzz.h"

enum { PREFIX = 4, LINK = 77, TERM = 3, GRANULE_SHIFT = 12 };

static void check_payload(const struct hf_wire_hdr *hdr, const struct hf_wire_expect *expect,
			  const void *payload)
{
	struct hf_conf_data conf;
	const char *why = NULL;
	u8 version;
	int nr;

	switch (hdr->opcode) {
	case HF_OP_HELLO:
		if (!hf_wire_hello_check(hdr, payload, &conf, &version, &why))
			FUZZ_CLAIM(version == 1 && conf.primary_node && conf.in_sync_mask);
		break;
	case HF_OP_HELLO_ACK:
		if (!hf_wire_hello_ack_check(payload, expect, &why)) {
			const struct hf_wire_hello_ack *ack = payload;

			FUZZ_CLAIM(le32_to_cpu(ack->extent_shift) < 31);
			FUZZ_CLAIM(le32_to_cpu(ack->log_entries) <= HF_LOG_MAX_ENTRIES);
		}
		break;
	case HF_OP_CONF:
		if (!hf_wire_conf_check(hdr, payload, &conf, &why))
			FUZZ_CLAIM(conf.size_bytes % HF_BLOCK_BYTES == 0);
		break;
	case HF_OP_EXTENTS:
		nr = hf_wire_extents_check(hdr, payload, SAMPLE_BYTES, 20, &why);
		FUZZ_CLAIM(nr <= HF_WIRE_MAX_EXTENTS);
		for (int i = 0; i < nr; i++)
			FUZZ_CLAIM(le64_to_cpu(((const __le64 *)payload)[i]) < SAMPLE_BYTES >> 20);
		break;
	case HF_OP_BITS:
	case HF_OP_OWN_BITS:
		nr = hf_wire_bits_check(hdr, payload, GRANULE_SHIFT, &why);
		FUZZ_CLAIM(nr <= (int)(SAMPLE_BYTES >> GRANULE_SHIFT));
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hf_wire_expect expect = {
		.link_id = LINK, .term = TERM, .slot = 1, .granule_shift = GRANULE_SHIFT,
		.volume_bytes = SAMPLE_BYTES,
	};
	const char *why = NULL;
	struct hf_wire_hdr hdr;
	u64 offset, range_len;
	void *payload;
	int err;

	if (size < PREFIX + sizeof(hdr))
		return 0;
	expect.conn = data[0] & 1;
	expect.dir = data[1] & 1;
	expect.version = data[2] & 1;
	memcpy(&hdr, data + PREFIX, sizeof(hdr));
	if (data[3] & 1)
		hf_wire_hdr_seal(&hdr);
	err = hf_wire_hdr_check(&hdr, &expect, &why);
	FUZZ_CLAIM(!err || why);
	if (err && err != -ESTALE)
		return 0;
	offset = le64_to_cpu(hdr.offset);
	range_len = le32_to_cpu(hdr.range_len);
	FUZZ_CLAIM(offset <= SAMPLE_BYTES && range_len <= SAMPLE_BYTES - offset);
	FUZZ_CLAIM(le32_to_cpu(hdr.length) <= HF_MAX_IO_BYTES);
	FUZZ_CLAIM(range_len <= HF_MAX_IO_BYTES || le32_to_cpu(hdr.length) < range_len);
	FUZZ_CLAIM(!hf_wire_is_write(hdr.opcode) || (hdr.seq && range_len));
	FUZZ_CLAIM(expect.conn == HF_WIRE_DATA || le32_to_cpu(hdr.length) <= HF_WIRE_MAX_CONTROL);
	FUZZ_CLAIM(hdr.slot < HF_MAX_SLOTS && hdr.status <= HF_ST_BUSY);

	/* As a receiver does: exactly hdr.length bytes, if so many came. */
	if (size - PREFIX - sizeof(hdr) < le32_to_cpu(hdr.length))
		return 0;
	payload = fuzz_copy(data + PREFIX + sizeof(hdr), le32_to_cpu(hdr.length));
	check_payload(&hdr, &expect, payload);
	free(payload);
	return 0;
}

struct shape {
	u8	opcode, conn, dir, version;
	u32	length, range_len;
	bool	seq, cookie, crc;
};

size_t fuzz_seed(unsigned int nr, uint8_t *data, size_t max)
{
	static const struct shape shapes[] = {
		{ HF_OP_HELLO, 0, 0, 0, 248, 0, 0, 0, 1 },
		{ HF_OP_HELLO_ACK, 0, 1, 0, 64, 0, 0, 0, 1 },
		{ HF_OP_EXTENTS, 0, 1, 1, 24, 0, 0, 0, 1 },
		{ HF_OP_OWN_BITS, 0, 1, 1, 3, 17 * 4096, 0, 0, 1 },
		{ HF_OP_BEACON, 0, 0, 1, 0, 0, 0, 0, 0 },
		{ HF_OP_READY, 0, 1, 1, 0, 0, 0, 0, 0 },
		{ HF_OP_CONF, 0, 0, 1, 240, 0, 0, 0, 1 },
		{ HF_OP_WRITE, 1, 0, 1, 512, 512, 1, 1, 1 },
		{ HF_OP_COPY_ZERO, 1, 0, 1, 0, 4096, 0, 1, 0 },
		{ HF_OP_BITS, 1, 0, 1, 3, 17 * 4096, 0, 1, 1 },
		{ HF_OP_FLUSH, 1, 0, 1, 0, 0, 0, 1, 0 },
		{ HF_OP_ACK, 1, 1, 1, 0, 0, 0, 1, 0 },
		{ HF_OP_DISCARD, 1, 0, 1, 0, 65536, 1, 1, 0 },
		{ HF_OP_ZEROES, 1, 0, 1, 0, 4096, 1, 1, 0 },
		{ HF_OP_READ, 1, 0, 1, 0, 4096, 0, 1, 0 },
		{ HF_OP_DATA, 1, 1, 1, 512, 0, 0, 1, 1 },
		{ HF_OP_READ_BITS, 1, 0, 1, 0, 17 * 4096, 0, 1, 0 },
	};
	u8 *payload = data + PREFIX + sizeof(struct hf_wire_hdr);
	const struct shape *s = &shapes[nr];
	struct hf_conf_data conf;
	struct hf_wire_conf wire;
	struct hf_wire_hdr tmp;

	if (nr >= ARRAY_SIZE(shapes) || max < PREFIX + sizeof(tmp) + 600)
		return 0;
	data[0] = s->conn;
	data[1] = s->dir;
	data[2] = s->version;
	data[3] = 1;
	hf_wire_hdr_init(&tmp, s->opcode, 1, LINK, TERM, 8,
			 s->opcode == HF_OP_BITS || s->opcode == HF_OP_READ_BITS ? 2 : 1);
	tmp.stamp = cpu_to_le64(5);
	tmp.length = cpu_to_le32(s->length);
	tmp.range_len = cpu_to_le32(s->range_len);
	tmp.seq = cpu_to_le64(s->seq);
	tmp.cookie = cpu_to_le64(s->cookie);
	if (s->crc)
		hf_wire_hdr_payload_crc(&tmp, 1);
	hf_wire_hdr_seal(&tmp);
	memcpy(data + PREFIX, &tmp, sizeof(tmp));
	/* Twice as much payload as the header says: a wrong length then has its bytes. */
	memset(payload, 0, 600);
	sample_conf(&conf);
	hf_conf_encode(&conf, &wire);
	if (s->opcode == HF_OP_HELLO) {
		payload[0] = 1;
		payload[1] = 1;
		memcpy(payload + 8, &wire, sizeof(wire));
	} else if (s->opcode == HF_OP_CONF) {
		memcpy(payload, &wire, sizeof(wire));
	} else if (s->opcode == HF_OP_HELLO_ACK) {
		struct hf_wire_hello_ack ack = {
			.life = cpu_to_le64(1), .incarnation = cpu_to_le64(2),
			.size_bytes = cpu_to_le64(SAMPLE_BYTES), .log_entries = cpu_to_le32(128),
			.extent_shift = cpu_to_le32(20), .granule_shift = cpu_to_le32(12),
		};

		memcpy(payload, &ack, sizeof(ack));
	}
	return PREFIX + sizeof(tmp) + 600;
}
