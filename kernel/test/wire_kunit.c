// SPDX-License-Identifier: GPL-2.0
/* Messages: each opcode's right form, and every field of each one broken in turn. */
#include <kunit/test.h>
#include <asm/byteorder.h>
#include <linux/errno.h>
#include <linux/module.h>

#include "../bitmap_core.h"
#include "../wire.h"
#include "random.h"
#include "sample.h"

#define LINK	0x1234567890abcdefull

enum { TERM = 3, EPOCH = 8, SLOT = 1 };

/* A right message of every kind. */
struct message {
	u8			opcode;
	enum hf_wire_conn	conn;
	enum hf_wire_dir	dir;
	u8			version;	/* agreed on before it */
	u32			length;
	u32			range_len;
	u64			offset;
	bool			seq, cookie, crc;
};

static const struct message messages[] = {
	{ HF_OP_HELLO, HF_WIRE_CONTROL, HF_WIRE_TO_SLOT, 0, 248, 0, 0, 0, 0, 1 },
	{ HF_OP_HELLO_ACK, HF_WIRE_CONTROL, HF_WIRE_TO_PRIMARY, 0, 64, 0, 0, 0, 0, 1 },
	{ HF_OP_EXTENTS, HF_WIRE_CONTROL, HF_WIRE_TO_PRIMARY, 1, 16, 0, 0, 0, 0, 1 },
	{ HF_OP_OWN_BITS, HF_WIRE_CONTROL, HF_WIRE_TO_PRIMARY, 1, 2, 65536, 8192, 0, 0, 1 },
	{ HF_OP_READY, HF_WIRE_CONTROL, HF_WIRE_TO_PRIMARY, 1, 0, 0, 0, 0, 0, 0 },
	{ HF_OP_BEACON, HF_WIRE_CONTROL, HF_WIRE_TO_SLOT, 1, 0, 0, 0, 0, 0, 0 },
	{ HF_OP_BEACON_ACK, HF_WIRE_CONTROL, HF_WIRE_TO_PRIMARY, 1, 0, 0, 0, 0, 0, 0 },
	{ HF_OP_CONF, HF_WIRE_CONTROL, HF_WIRE_TO_SLOT, 1, 240, 0, 0, 0, 0, 1 },
	{ HF_OP_CONF, HF_WIRE_CONTROL, HF_WIRE_TO_PRIMARY, 1, 240, 0, 0, 0, 0, 1 },
	{ HF_OP_CONF_ACK, HF_WIRE_CONTROL, HF_WIRE_TO_SLOT, 1, 0, 0, 0, 0, 0, 0 },
	{ HF_OP_CONF_ACK, HF_WIRE_CONTROL, HF_WIRE_TO_PRIMARY, 1, 0, 0, 0, 0, 0, 0 },
	{ HF_OP_WRITE, HF_WIRE_DATA, HF_WIRE_TO_SLOT, 1, 4096, 4096, 512, 1, 1, 1 },
	{ HF_OP_COPY, HF_WIRE_DATA, HF_WIRE_TO_SLOT, 1, 512, 512, 512, 0, 1, 1 },
	{ HF_OP_COPY_ZERO, HF_WIRE_DATA, HF_WIRE_TO_SLOT, 1, 0, 8192, 4096, 0, 1, 0 },
	{ HF_OP_FLUSH, HF_WIRE_DATA, HF_WIRE_TO_SLOT, 1, 0, 0, 0, 0, 1, 0 },
	{ HF_OP_BITS, HF_WIRE_DATA, HF_WIRE_TO_SLOT, 1, 3, 69632, 4096, 0, 1, 1 },
	{ HF_OP_ACK, HF_WIRE_DATA, HF_WIRE_TO_PRIMARY, 1, 0, 0, 0, 0, 1, 0 },
	{ HF_OP_DISCARD, HF_WIRE_DATA, HF_WIRE_TO_SLOT, 1, 0, 2 << 20, 512, 1, 1, 0 },
	{ HF_OP_ZEROES, HF_WIRE_DATA, HF_WIRE_TO_SLOT, 1, 0, 1536, 1024, 1, 1, 0 },
	{ HF_OP_READ, HF_WIRE_DATA, HF_WIRE_TO_SLOT, 1, 0, 4096, 512, 0, 1, 0 },
	{ HF_OP_DATA, HF_WIRE_DATA, HF_WIRE_TO_PRIMARY, 1, 4096, 0, 0, 0, 1, 1 },
	{ HF_OP_READ_BITS, HF_WIRE_DATA, HF_WIRE_TO_SLOT, 1, 0, 69632, 4096, 0, 1, 0 },
};

static void expectation(struct hf_wire_expect *expect, const struct message *m)
{
	memset(expect, 0, sizeof(*expect));
	expect->conn = m->conn;
	expect->dir = m->dir;
	expect->version = m->version;
	expect->slot = SLOT;
	expect->granule_shift = 12;
	expect->link_id = LINK;
	expect->term = TERM;
	expect->volume_bytes = SAMPLE_BYTES;
}

static void right_header(struct hf_wire_hdr *hdr, const struct message *m)
{
	hf_wire_hdr_init(hdr, m->opcode, m->version ? m->version : 1, LINK, TERM, EPOCH,
			 m->opcode == HF_OP_BITS || m->opcode == HF_OP_READ_BITS ? 2 : SLOT);
	hdr->stamp = cpu_to_le64(77);
	if (m->dir == HF_WIRE_TO_SLOT) {
		hdr->stable = cpu_to_le64(5);
		hdr->missing_mask = 0xc;
	}
	hdr->length = cpu_to_le32(m->length);
	hdr->range_len = cpu_to_le32(m->range_len);
	hdr->offset = cpu_to_le64(m->offset);
	hdr->seq = cpu_to_le64(m->seq ? 9 : 0);
	hdr->cookie = cpu_to_le64(m->cookie ? 11 : 0);
	if (m->crc)
		hf_wire_hdr_payload_crc(hdr, 0x600d);
	hf_wire_hdr_seal(hdr);
}

static int check(struct hf_wire_hdr *hdr, const struct message *m, const char **why)
{
	struct hf_wire_expect expect;

	*why = NULL;
	expectation(&expect, m);
	hf_wire_hdr_seal(hdr);
	return hf_wire_hdr_check(hdr, &expect, why);
}

static const struct message *message(u8 opcode)
{
	const struct message *m = messages;

	while (m->opcode != opcode)
		m++;
	return m;
}

static void right_messages_pass(struct kunit *test)
{
	struct hf_wire_hdr hdr;
	const char *why;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(messages); i++) {
		right_header(&hdr, &messages[i]);
		KUNIT_EXPECT_EQ_MSG(test, check(&hdr, &messages[i], &why), 0, "opcode %u: %s",
				    messages[i].opcode, why);
	}
}

/* A message by hand, so that the format does not change unseen. */
static void format_is_what_it_was(struct kunit *test)
{
	static const u8 head[24] = {
		0x68, 0x6c, 0x66, 0x64, 1, 16, 2, 0,
		0xef, 0xcd, 0xab, 0x90, 0x78, 0x56, 0x34, 0x12, 3, 0, 0, 0, 0, 0, 0, 0,
	};
	static const u8 tail[32] = {
		0x00, 0x10, 0, 0, 0x00, 0x10, 0, 0, 0, 0, 0, 0, 0xc, 1, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 0x0d, 0x60, 0, 0, 0xc3, 0x5c, 0x58, 0xf4,
	};
	struct hf_wire_hdr hdr;

	right_header(&hdr, message(HF_OP_WRITE));
	KUNIT_EXPECT_EQ(test, memcmp(&hdr, head, sizeof(head)), 0);
	KUNIT_EXPECT_EQ(test, memcmp((u8 *)&hdr + 72, tail, sizeof(tail)), 0);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(hdr.hdr_crc),
			hf_wire_crc(HF_WIRE_CRC_INIT, &hdr, 100));
	/* The checksum as RFC 3720 gives it, before its last inversion. */
	KUNIT_EXPECT_EQ(test, ~hf_wire_crc(HF_WIRE_CRC_INIT, "123456789", 9), 0xe3069283u);
	KUNIT_EXPECT_EQ(test, hf_wire_crc(hf_wire_crc(HF_WIRE_CRC_INIT, "1234", 4), "56789", 5),
			hf_wire_crc(HF_WIRE_CRC_INIT, "123456789", 9));
}

static void other_connection_or_direction(struct kunit *test)
{
	struct hf_wire_expect expect;
	struct hf_wire_hdr hdr;
	const char *why;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(messages); i++) {
		right_header(&hdr, &messages[i]);
		expectation(&expect, &messages[i]);
		expect.conn = !expect.conn;
		KUNIT_EXPECT_EQ(test, hf_wire_hdr_check(&hdr, &expect, &why), -EPROTO);
		KUNIT_EXPECT_STREQ(test, why, "the message is on the wrong connection of the link");
		expect.conn = !expect.conn;
		expect.dir = !expect.dir;
		/* R1: a newer epoch goes in either direction. */
		if (messages[i].opcode != HF_OP_CONF && messages[i].opcode != HF_OP_CONF_ACK)
			KUNIT_EXPECT_EQ(test, hf_wire_hdr_check(&hdr, &expect, &why), -EPROTO);
	}
}

static void damage_is_seen(struct kunit *test)
{
	struct hf_wire_expect expect;
	struct hf_wire_hdr hdr;
	const char *why;
	unsigned int bit;

	expectation(&expect, message(HF_OP_WRITE));
	for (bit = 0; bit < 8 * sizeof(hdr); bit++) {
		right_header(&hdr, message(HF_OP_WRITE));
		((u8 *)&hdr)[bit / 8] ^= 1 << (bit % 8);
		KUNIT_EXPECT_EQ(test, hf_wire_hdr_check(&hdr, &expect, &why), -EBADMSG);
	}
}

#define REFUSED(op, change, sentence) do {				\
	const struct message *_m = message(op);				\
									\
	right_header(&hdr, _m);						\
	change;								\
	KUNIT_EXPECT_EQ(test, check(&hdr, _m, &why), -EPROTO);		\
	KUNIT_EXPECT_STREQ(test, why, sentence);			\
} while (0)

#define ACCEPTED(op, change) do {					\
	const struct message *_m = message(op);				\
									\
	right_header(&hdr, _m);						\
	change;								\
	KUNIT_EXPECT_EQ(test, check(&hdr, _m, &why), 0);		\
} while (0)

static void envelope(struct kunit *test)
{
	struct hf_wire_hdr hdr;
	const char *why;

	REFUSED(HF_OP_WRITE, hdr.opcode = 0, "the opcode is not known");
	REFUSED(HF_OP_WRITE, hdr.opcode = 10, "the opcode is not known");
	REFUSED(HF_OP_WRITE, hdr.opcode = 15, "the opcode is not known");
	REFUSED(HF_OP_WRITE, hdr.opcode = 100, "the opcode is not known");
	REFUSED(HF_OP_WRITE, hdr.opcode = 255, "the opcode is not known");
	REFUSED(HF_OP_WRITE, hdr.version = 2, "the version is not the one agreed on");
	REFUSED(HF_OP_HELLO, hdr.version = 2, "the version is not the one agreed on");
	REFUSED(HF_OP_HELLO_ACK, hdr.version = 2, "the version is not the one agreed on");
	REFUSED(HF_OP_HELLO_ACK, hdr.version = 0, "the version is not the one agreed on");
	REFUSED(HF_OP_WRITE, hdr.link_id = 0, "the message is of another link");
	REFUSED(HF_OP_WRITE, hdr.epoch = 0, "the epoch is 0");
	REFUSED(HF_OP_WRITE, hdr.resv = 1, "reserved bytes of the header are not zero");
	REFUSED(HF_OP_WRITE, hdr.resv2 = cpu_to_le32(1),
		"reserved bytes of the header are not zero");
	REFUSED(HF_OP_WRITE, hdr.resv3 = cpu_to_le32(1),
		"reserved bytes of the header are not zero");
	REFUSED(HF_OP_WRITE, hdr.slot = 2, "the message is for another slot");
	REFUSED(HF_OP_WRITE, hdr.term = cpu_to_le64(4), "the term is not that of the link");
	REFUSED(HF_OP_ACK, hdr.term = cpu_to_le64(2), "the term is not that of the link");
}

static void before_hello(struct kunit *test)
{
	struct hf_wire_expect expect;
	struct hf_wire_hdr hdr;
	const char *why;

	expectation(&expect, message(HF_OP_WRITE));
	expect.version = 0;
	right_header(&hdr, message(HF_OP_WRITE));
	KUNIT_EXPECT_EQ(test, hf_wire_hdr_check(&hdr, &expect, &why), -EPROTO);
	KUNIT_EXPECT_STREQ(test, why, "the message comes before hello and its answer");
}

/* R1: the slot must be able to answer a hello of another term, and say its own. */
static void other_term_in_hello(struct kunit *test)
{
	struct hf_wire_hdr hdr;
	const char *why;

	right_header(&hdr, message(HF_OP_HELLO));
	hdr.term = cpu_to_le64(9);
	KUNIT_EXPECT_EQ(test, check(&hdr, message(HF_OP_HELLO), &why), -ESTALE);
	hdr.length = cpu_to_le32(240);
	KUNIT_EXPECT_EQ(test, check(&hdr, message(HF_OP_HELLO), &why), -EPROTO);
	ACCEPTED(HF_OP_HELLO_ACK, hdr.status = HF_ST_TERM; hdr.term = cpu_to_le64(9));
	REFUSED(HF_OP_HELLO_ACK, hdr.status = HF_ST_LIFE; hdr.term = cpu_to_le64(9),
		"the term is not that of the link");
}

static void fields(struct kunit *test)
{
	static const char cookie[] =
		"a cookie is missing, or there is one where none belongs";
	static const char seq[] =
		"a sequence number is missing, or is where none belongs";
	struct hf_wire_hdr hdr;
	const char *why;

	REFUSED(HF_OP_BEACON, hdr.stamp = 0, "the message of a primary has no stamp");
	ACCEPTED(HF_OP_BEACON_ACK, hdr.stamp = 0);
	REFUSED(HF_OP_WRITE, hdr.missing_mask = 0x10, "the mask names slots that cannot be");
	REFUSED(HF_OP_ACK, hdr.missing_mask = 1, "a slot tells a stable mark or a mask");
	REFUSED(HF_OP_ACK, hdr.stable = cpu_to_le64(1), "a slot tells a stable mark or a mask");
	ACCEPTED(HF_OP_BEACON, hdr.holding_ms = cpu_to_le32(1000));
	REFUSED(HF_OP_WRITE, hdr.holding_ms = cpu_to_le32(1),
		"a message that is no beacon tells of holding");
	REFUSED(HF_OP_WRITE, hdr.cookie = 0, cookie);
	REFUSED(HF_OP_ACK, hdr.cookie = 0, cookie);
	REFUSED(HF_OP_BEACON, hdr.cookie = cpu_to_le64(1), cookie);
	REFUSED(HF_OP_WRITE, hdr.seq = 0, seq);
	REFUSED(HF_OP_COPY, hdr.seq = cpu_to_le64(1), seq);
	ACCEPTED(HF_OP_ACK, hdr.status = HF_ST_BUSY);
	REFUSED(HF_OP_ACK, hdr.status = HF_ST_BUSY + 1,
		"the status is not known, or in a message that has none");
	REFUSED(HF_OP_WRITE, hdr.status = 1,
		"the status is not known, or in a message that has none");
	REFUSED(HF_OP_BITS, hdr.slot = SLOT, "the dirty bits are for a slot that cannot be");
	REFUSED(HF_OP_BITS, hdr.slot = 4, "the dirty bits are for a slot that cannot be");
	REFUSED(HF_OP_OWN_BITS, hdr.slot = 2, "the message is for another slot");
	REFUSED(HF_OP_READ_BITS, hdr.slot = SLOT, "the dirty bits are for a slot that cannot be");
	REFUSED(HF_OP_READ, hdr.slot = 2, "the message is for another slot");
	REFUSED(HF_OP_READ, hdr.seq = cpu_to_le64(1), seq);
	REFUSED(HF_OP_DATA, hdr.cookie = 0, cookie);
	REFUSED(HF_OP_DATA, hdr.status = HF_ST_DEVICE,
		"the status is not known, or in a message that has none");
}

static void flags(struct kunit *test)
{
	struct hf_wire_hdr hdr;
	const char *why;

	ACCEPTED(HF_OP_WRITE, hdr.flags |= cpu_to_le16(HF_WIRE_FUA));
	ACCEPTED(HF_OP_WRITE, hdr.flags = 0; hdr.payload_crc = 0);
	ACCEPTED(HF_OP_COPY, hdr.flags = 0; hdr.payload_crc = 0);
	REFUSED(HF_OP_WRITE, hdr.flags |= cpu_to_le16(4), "a flag is not known");
	REFUSED(HF_OP_COPY, hdr.flags |= cpu_to_le16(HF_WIRE_FUA),
		"FUA is asked for in a message that is no write");
	ACCEPTED(HF_OP_READ, hdr.flags = cpu_to_le16(HF_WIRE_SOFT));
	REFUSED(HF_OP_WRITE, hdr.flags |= cpu_to_le16(HF_WIRE_SOFT),
		"errors are asked to be told in a message that is no read");
	ACCEPTED(HF_OP_DATA, hdr.flags = 0; hdr.payload_crc = 0);
	REFUSED(HF_OP_WRITE, hdr.flags = 0, "there is a payload checksum that is not valid");
	REFUSED(HF_OP_CONF, hdr.flags = 0; hdr.payload_crc = 0, "the payload has no checksum");
	REFUSED(HF_OP_BITS, hdr.flags = 0; hdr.payload_crc = 0, "the payload has no checksum");
	REFUSED(HF_OP_FLUSH, hdr.flags = cpu_to_le16(HF_WIRE_HAS_CRC),
		"there is a payload checksum without a payload");
}

static void set_range(struct hf_wire_hdr *hdr, u8 opcode, u64 offset, u32 length)
{
	hdr->offset = cpu_to_le64(offset);
	hdr->range_len = cpu_to_le32(length);
	if (opcode == HF_OP_WRITE || opcode == HF_OP_COPY)
		hdr->length = cpu_to_le32(length);
}

#define LENGTHS(op, len) REFUSED(op, hdr.length = cpu_to_le32(len), length)
#define RANGE(op, off, len) set_range(&hdr, op, off, len)

static void lengths_and_ranges(struct kunit *test)
{
	static const char length[] = "the payload's length is not one that this message can have";
	static const char past[] = "the range reaches past the end of the volume";
	struct hf_wire_hdr hdr;
	const char *why;

	LENGTHS(HF_OP_HELLO, 247);
	LENGTHS(HF_OP_HELLO, 256);
	LENGTHS(HF_OP_HELLO_ACK, 65);
	LENGTHS(HF_OP_CONF, 0xffffffff);
	LENGTHS(HF_OP_EXTENTS, 12);
	LENGTHS(HF_OP_EXTENTS, 8008);
	LENGTHS(HF_OP_OWN_BITS, HF_WIRE_MAX_BITS_BYTES + 1);
	LENGTHS(HF_OP_WRITE, HF_MAX_IO_BYTES + 512);
	LENGTHS(HF_OP_WRITE, 100);
	REFUSED(HF_OP_DATA, hdr.length = 0; hdr.flags = 0; hdr.payload_crc = 0, length);
	LENGTHS(HF_OP_DATA, HF_MAX_IO_BYTES + 1);
	REFUSED(HF_OP_READ, hdr.length = cpu_to_le32(512), length);
	REFUSED(HF_OP_READ_BITS, hdr.length = cpu_to_le32(3), length);
	REFUSED(HF_OP_READ, RANGE(HF_OP_READ, SAMPLE_BYTES - 512, 1024), past);
	REFUSED(HF_OP_READ, RANGE(HF_OP_READ, 0, HF_MAX_IO_BYTES + 512),
		"the range is larger than a message may carry");
	REFUSED(HF_OP_READ, RANGE(HF_OP_READ, 100, 512),
		"the range is not made of 512 byte sectors");
	REFUSED(HF_OP_READ_BITS, hdr.offset = cpu_to_le64(512),
		"the dirty bits do not begin at a granule");
	REFUSED(HF_OP_BEACON, hdr.length = cpu_to_le32(8); hf_wire_hdr_payload_crc(&hdr, 1),
		length);

	REFUSED(HF_OP_FLUSH, hdr.offset = cpu_to_le64(512), "there is a range where none belongs");
	REFUSED(HF_OP_FLUSH, hdr.range_len = cpu_to_le32(512),
		"there is a range where none belongs");
	REFUSED(HF_OP_COPY_ZERO, hdr.range_len = 0, "the range is empty");
	ACCEPTED(HF_OP_WRITE, RANGE(HF_OP_WRITE, SAMPLE_BYTES - 512, 512));
	REFUSED(HF_OP_WRITE, RANGE(HF_OP_WRITE, SAMPLE_BYTES - 512, 1024), past);
	REFUSED(HF_OP_WRITE, RANGE(HF_OP_WRITE, SAMPLE_BYTES, 512), past);
	REFUSED(HF_OP_WRITE, RANGE(HF_OP_WRITE, ~511ull, 512), past);
	REFUSED(HF_OP_WRITE, RANGE(HF_OP_WRITE, ~511ull, 1024), past);
	REFUSED(HF_OP_COPY_ZERO, RANGE(HF_OP_COPY_ZERO, 1ull << 63, 512), past);
	REFUSED(HF_OP_WRITE, hdr.offset = cpu_to_le64(100),
		"the range is not made of 512 byte sectors");
	REFUSED(HF_OP_COPY_ZERO, hdr.range_len = cpu_to_le32(700),
		"the range is not made of 512 byte sectors");
	ACCEPTED(HF_OP_WRITE, RANGE(HF_OP_WRITE, 0, HF_MAX_IO_BYTES));
	ACCEPTED(HF_OP_COPY_ZERO, RANGE(HF_OP_COPY_ZERO, 0, HF_MAX_IO_BYTES));
	REFUSED(HF_OP_COPY_ZERO, RANGE(HF_OP_COPY_ZERO, 0, HF_MAX_IO_BYTES + 512),
		"the range is larger than a message may carry");
	REFUSED(HF_OP_WRITE, hdr.range_len = cpu_to_le32(512),
		"payload and range differ in length");
}

/* R16: a write without payload, whose range may be larger than any payload. */
static void ranges_of_zeros(struct kunit *test)
{
	static const u8 opcodes[] = { HF_OP_DISCARD, HF_OP_ZEROES };
	static const char past[] = "the range reaches past the end of the volume";
	static const char large[] = "the range is larger than a message may carry";
	static const char sectors[] = "the range is not made of 512 byte sectors";
	struct hf_wire_hdr hdr;
	const char *why;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(opcodes); i++) {
		u8 op = opcodes[i];

		ACCEPTED(op, RANGE(op, 0, HF_MAX_ZERO_BYTES));
		ACCEPTED(op, RANGE(op, SAMPLE_BYTES - 512, 512));
		ACCEPTED(op, hdr.flags = cpu_to_le16(HF_WIRE_FUA));
		REFUSED(op, RANGE(op, 0, HF_MAX_ZERO_BYTES + 512), large);
		REFUSED(op, RANGE(op, SAMPLE_BYTES - HF_MAX_ZERO_BYTES + 512, HF_MAX_ZERO_BYTES),
			past);
		REFUSED(op, RANGE(op, SAMPLE_BYTES, 512), past);
		REFUSED(op, RANGE(op, ~511ull, 1024), past);
		REFUSED(op, RANGE(op, ~0ull - HF_MAX_ZERO_BYTES, HF_MAX_ZERO_BYTES), past);
		REFUSED(op, RANGE(op, 0, 0), "the range is empty");
		REFUSED(op, RANGE(op, 0, 700), sectors);
		REFUSED(op, RANGE(op, 100, 512), sectors);
		REFUSED(op, hdr.length = cpu_to_le32(512),
			"the payload's length is not one that this message can have");
		REFUSED(op, hdr.seq = 0,
			"a sequence number is missing, or is where none belongs");
		REFUSED(op, hdr.cookie = 0,
			"a cookie is missing, or there is one where none belongs");
		KUNIT_EXPECT_TRUE(test, hf_wire_is_write(op));
	}
	KUNIT_EXPECT_TRUE(test, hf_wire_is_write(HF_OP_WRITE));
	KUNIT_EXPECT_FALSE(test, hf_wire_is_write(HF_OP_COPY_ZERO));
	KUNIT_EXPECT_FALSE(test, hf_wire_is_write(HF_OP_FLUSH));
}

static void ranges_of_bits(struct kunit *test)
{
	static const char number[] =
		"the dirty bits are not as many as their range has granules";
	struct hf_wire_expect expect;
	struct hf_wire_hdr hdr;
	const char *why;

	REFUSED(HF_OP_BITS, hdr.offset = cpu_to_le64(512),
		"the dirty bits do not begin at a granule");
	REFUSED(HF_OP_BITS, hdr.range_len = cpu_to_le32(69632 - 512),
		"the dirty bits end inside a granule");
	REFUSED(HF_OP_BITS, hdr.length = cpu_to_le32(2), number);
	REFUSED(HF_OP_BITS, hdr.length = cpu_to_le32(4), number);

	/* Larger volume: one message's range has its own bound. */
	right_header(&hdr, message(HF_OP_BITS));
	expectation(&expect, message(HF_OP_BITS));
	expect.volume_bytes = 4ull << 30;
	hdr.range_len = cpu_to_le32(HF_WIRE_MAX_BITS_RANGE);
	hdr.length = cpu_to_le32(HF_WIRE_MAX_BITS_BYTES);
	hf_wire_hdr_seal(&hdr);
	KUNIT_EXPECT_EQ(test, hf_wire_hdr_check(&hdr, &expect, &why), 0);
	hdr.range_len = cpu_to_le32(HF_WIRE_MAX_BITS_RANGE + 4096);
	hf_wire_hdr_seal(&hdr);
	KUNIT_EXPECT_EQ(test, hf_wire_hdr_check(&hdr, &expect, &why), -EPROTO);
	KUNIT_EXPECT_STREQ(test, why, "the dirty bits of one message cover more than 1 GiB");

	/* The last granule of a volume may be a part of one. */
	right_header(&hdr, message(HF_OP_BITS));
	expect.granule_shift = 16;
	expect.volume_bytes = (2 << 20) + 4096;
	hdr.offset = cpu_to_le64(2 << 20);
	hdr.range_len = cpu_to_le32(4096);
	hdr.length = cpu_to_le32(1);
	hf_wire_hdr_seal(&hdr);
	KUNIT_EXPECT_EQ(test, hf_wire_hdr_check(&hdr, &expect, &why), 0);
	expect.granule_shift = 0;
	KUNIT_EXPECT_EQ(test, hf_wire_hdr_check(&hdr, &expect, &why), -EPROTO);
	KUNIT_EXPECT_STREQ(test, why, "dirty bits come before the granule is known");
}

static void payload_checksum(struct kunit *test)
{
	struct hf_wire_hdr hdr;

	right_header(&hdr, message(HF_OP_WRITE));
	KUNIT_EXPECT_TRUE(test, hf_wire_crc_ok(&hdr, 0x600d));
	KUNIT_EXPECT_FALSE(test, hf_wire_crc_ok(&hdr, 0x600e));
	hdr.flags = 0;
	KUNIT_EXPECT_TRUE(test, hf_wire_crc_ok(&hdr, 0x600e));
}

/* ------------------------------------------------------------ payloads */

static void hello_payload(struct kunit *test)
{
	struct hf_wire_hello hello = { .version_min = 1, .version_max = 1 };
	struct hf_conf_data conf;
	struct hf_wire_hdr hdr;
	const char *why = NULL;
	u8 version = 0;

	sample_conf(&conf);
	hf_conf_encode(&conf, &hello.conf);
	right_header(&hdr, message(HF_OP_HELLO));
	KUNIT_EXPECT_EQ(test, hf_wire_hello_check(&hdr, &hello, &conf, &version, &why), 0);
	KUNIT_EXPECT_EQ(test, version, 1);
	KUNIT_EXPECT_EQ(test, conf.primary_node, 11);
	hello.version_max = 9;
	KUNIT_EXPECT_EQ(test, hf_wire_hello_check(&hdr, &hello, &conf, &version, &why), 0);
	KUNIT_EXPECT_EQ(test, version, 1);
	hello.version_min = 2;
	KUNIT_EXPECT_EQ(test, hf_wire_hello_check(&hdr, &hello, &conf, &version, &why), -EPROTO);
	KUNIT_EXPECT_STREQ(test, why, "the two ends know no common version");
	hello.version_min = 10;
	KUNIT_EXPECT_EQ(test, hf_wire_hello_check(&hdr, &hello, &conf, &version, &why), -EPROTO);
	hello.version_min = 0;
	KUNIT_EXPECT_EQ(test, hf_wire_hello_check(&hdr, &hello, &conf, &version, &why), -EPROTO);
	KUNIT_EXPECT_STREQ(test, why, "the hello's range of versions is empty");
	hello.version_min = 1;
	hello.resv[5] = 1;
	KUNIT_EXPECT_EQ(test, hf_wire_hello_check(&hdr, &hello, &conf, &version, &why), -EPROTO);
	hello.resv[5] = 0;
	hdr.epoch = cpu_to_le64(9);
	KUNIT_EXPECT_EQ(test, hf_wire_hello_check(&hdr, &hello, &conf, &version, &why), -EPROTO);
	KUNIT_EXPECT_STREQ(test, why,
			   "the configuration is of another term or epoch than its header");
	conf.epoch = 9;
	conf.term = 4;
	conf.primary_node = 0;
	conf.primary_instance = 0;
	hf_conf_encode(&conf, &hello.conf);
	hdr.term = cpu_to_le64(4);
	KUNIT_EXPECT_EQ(test, hf_wire_hello_check(&hdr, &hello, &conf, &version, &why), -EPROTO);
	KUNIT_EXPECT_STREQ(test, why, "the hello's configuration has no primary");
}

static void conf_payload(struct kunit *test)
{
	struct hf_wire_conf wire;
	struct hf_conf_data conf;
	struct hf_wire_hdr hdr;
	const char *why = NULL;

	sample_conf(&conf);
	hf_conf_encode(&conf, &wire);
	right_header(&hdr, message(HF_OP_CONF));
	KUNIT_EXPECT_EQ(test, hf_wire_conf_check(&hdr, &wire, &conf, &why), 0);
	hdr.term = cpu_to_le64(2);
	KUNIT_EXPECT_EQ(test, hf_wire_conf_check(&hdr, &wire, &conf, &why), -EPROTO);
	wire.in_sync_mask = 0;
	KUNIT_EXPECT_EQ(test, hf_wire_conf_check(&hdr, &wire, &conf, &why), -EPROTO);
	KUNIT_EXPECT_STREQ(test, why, "the in-sync set is empty");
}

static void right_ack(struct hf_wire_hello_ack *ack)
{
	memset(ack, 0, sizeof(*ack));
	ack->life = cpu_to_le64(1);
	ack->incarnation = cpu_to_le64(2);
	ack->size_bytes = cpu_to_le64(SAMPLE_BYTES);
	ack->log_entries = cpu_to_le32(128);
	ack->extent_shift = cpu_to_le32(20);
	ack->granule_shift = cpu_to_le32(12);
	ack->flags = cpu_to_le32(HF_HELLO_UNCLEAN);
	ack->wait_ms = cpu_to_le32(2000);
}

#define ACK(result, change) do {						\
	int _result = (result);							\
										\
	right_ack(&ack);							\
	why = NULL;								\
	change;									\
	KUNIT_EXPECT_EQ(test, hf_wire_hello_ack_check(&ack, &expect, &why),	\
			_result);						\
	KUNIT_EXPECT_EQ(test, !why, _result == 0);				\
} while (0)

static void hello_ack(struct kunit *test)
{
	struct hf_wire_hello_ack ack;
	struct hf_wire_expect expect;
	const char *why;

	expectation(&expect, message(HF_OP_HELLO_ACK));
	ACK(0, (void)0);
	ACK(-EPROTO, ack.resv[3] = cpu_to_le32(1));
	ACK(0, ack.unmap_bytes = cpu_to_le32(192 << 10));
	ACK(0, ack.unmap_bytes = cpu_to_le32(HF_WIRE_MAX_UNMAP));
	ACK(-EPROTO, ack.unmap_bytes = cpu_to_le32(HF_WIRE_MAX_UNMAP + 512));
	ACK(-EPROTO, ack.unmap_bytes = cpu_to_le32(100));
	ACK(-EPROTO, ack.flags = cpu_to_le32(2));
	ACK(-EPROTO, ack.life = 0);
	ACK(-EPROTO, ack.incarnation = 0);
	ACK(-EPROTO, ack.size_bytes = cpu_to_le64(SAMPLE_BYTES + 4096));
	ACK(-EPROTO, ack.log_entries = 0);
	ACK(-EPROTO, ack.log_entries = cpu_to_le32(1));
	ACK(-EPROTO, ack.log_entries = cpu_to_le32(1001));
	ACK(-EPROTO, ack.extent_shift = cpu_to_le32(64));
	ACK(-EPROTO, ack.extent_shift = 0);
	ACK(-EPROTO, ack.granule_shift = cpu_to_le32(255));
	ACK(-EPROTO, ack.granule_shift = 0);
	ACK(0, ack.wait_ms = cpu_to_le32(20000));
	ACK(-EPROTO, ack.wait_ms = cpu_to_le32(20001));
}

static void extents_and_bits(struct kunit *test)
{
	__le64 extents[2] = { cpu_to_le64(0), cpu_to_le64(63) };
	u8 bits[3] = { 0xff, 0xff, 0x01 };
	u64 size = SAMPLE_BYTES;
	struct hf_wire_hdr hdr;
	const char *why = NULL;

	right_header(&hdr, message(HF_OP_EXTENTS));
	KUNIT_EXPECT_EQ(test, hf_wire_extents_check(&hdr, extents, size, 20, &why), 2);
	extents[1] = cpu_to_le64(64);
	KUNIT_EXPECT_EQ(test, hf_wire_extents_check(&hdr, extents, size, 20, &why), -EPROTO);
	KUNIT_EXPECT_EQ(test, hf_wire_extents_check(&hdr, extents, size + 4096, 20, &why), 2);
	extents[1] = cpu_to_le64(1ull << 32);
	KUNIT_EXPECT_EQ(test, hf_wire_extents_check(&hdr, extents, size, 20, &why), -EPROTO);

	right_header(&hdr, message(HF_OP_BITS));
	KUNIT_EXPECT_EQ(test, hf_wire_bits_check(&hdr, bits, 12, &why), 17);
	bits[2] = 0x02;
	KUNIT_EXPECT_EQ(test, hf_wire_bits_check(&hdr, bits, 12, &why), -EPROTO);
	KUNIT_EXPECT_STREQ(test, why, "bits are set past the end of their range");
	right_header(&hdr, message(HF_OP_OWN_BITS));
	KUNIT_EXPECT_EQ(test, hf_wire_bits_check(&hdr, bits, 12, &why), 16);
	KUNIT_EXPECT_EQ(test, hf_wire_bits_bytes(4096, 12), 1);
	KUNIT_EXPECT_EQ(test, hf_wire_bits_bytes(8 * 4096, 12), 1);
	KUNIT_EXPECT_EQ(test, hf_wire_bits_bytes(8 * 4096 + 512, 12), 2);
}

static void statuses(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, hf_wire_status_errno(HF_ST_OK), 0);
	KUNIT_EXPECT_EQ(test, hf_wire_status_errno(HF_ST_TERM), -ESTALE);
	KUNIT_EXPECT_EQ(test, hf_wire_status_errno(HF_ST_PRIMARY), -ESTALE);
	KUNIT_EXPECT_EQ(test, hf_wire_status_errno(HF_ST_VOLUME), -EINVAL);
	KUNIT_EXPECT_EQ(test, hf_wire_status_errno(HF_ST_INCARNATION), -ESTALE);
	KUNIT_EXPECT_EQ(test, hf_wire_status_errno(HF_ST_LIFE), -ESTALE);
	KUNIT_EXPECT_EQ(test, hf_wire_status_errno(HF_ST_DEVICE), -EIO);
	KUNIT_EXPECT_EQ(test, hf_wire_status_errno(HF_ST_CHECKSUM), -EILSEQ);
	KUNIT_EXPECT_EQ(test, hf_wire_status_errno(HF_ST_SIZE), -EINVAL);
	KUNIT_EXPECT_EQ(test, hf_wire_status_errno(HF_ST_BUSY), -EBUSY);
}

/* Whatever passes the check keeps within the bounds that its users rely on. */
static void random_headers(struct kunit *test)
{
	unsigned int i, passed = 0;
	u64 seed = 90210;

	for (i = 0; i < 60000; i++) {
		const struct message *m = &messages[test_below(&seed, ARRAY_SIZE(messages))];
		u32 changes = test_below(&seed, 4);
		struct hf_wire_hdr hdr;
		u64 offset, range;
		const char *why;

		right_header(&hdr, m);
		while (changes--)
			((u8 *)&hdr)[4 + test_below(&seed, 96)] = test_random(&seed);
		if (check(&hdr, m, &why)) {
			KUNIT_ASSERT_NOT_NULL(test, why);
			continue;
		}
		passed++;
		offset = le64_to_cpu(hdr.offset);
		range = le32_to_cpu(hdr.range_len);
		KUNIT_ASSERT_TRUE(test, offset <= SAMPLE_BYTES && range <= SAMPLE_BYTES - offset);
		KUNIT_ASSERT_TRUE(test, le32_to_cpu(hdr.length) <=
				  (m->conn == HF_WIRE_DATA ? (u32)HF_MAX_IO_BYTES
							   : (u32)HF_WIRE_MAX_CONTROL));
		KUNIT_ASSERT_TRUE(test, hdr.slot < HF_MAX_SLOTS && hdr.missing_mask < 16);
	}
	KUNIT_EXPECT_GT(test, passed, 10000);
	KUNIT_EXPECT_LT(test, passed, 50000);
}

static struct kunit_case wire_cases[] = {
	KUNIT_CASE(right_messages_pass),
	KUNIT_CASE(format_is_what_it_was),
	KUNIT_CASE(other_connection_or_direction),
	KUNIT_CASE(damage_is_seen),
	KUNIT_CASE(envelope),
	KUNIT_CASE(before_hello),
	KUNIT_CASE(other_term_in_hello),
	KUNIT_CASE(fields),
	KUNIT_CASE(flags),
	KUNIT_CASE(lengths_and_ranges),
	KUNIT_CASE(ranges_of_zeros),
	KUNIT_CASE(ranges_of_bits),
	KUNIT_CASE(payload_checksum),
	KUNIT_CASE(hello_payload),
	KUNIT_CASE(conf_payload),
	KUNIT_CASE(hello_ack),
	KUNIT_CASE(extents_and_bits),
	KUNIT_CASE(statuses),
	KUNIT_CASE(random_headers),
	{}
};

static struct kunit_suite wire_suite = {
	.name = "holdfast_wire",
	.test_cases = wire_cases,
};

kunit_test_suite(wire_suite);
MODULE_LICENSE("GPL");
