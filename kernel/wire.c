// SPDX-License-Identifier: GPL-2.0
/*
 * Messages of a link as bytes: built, sealed, and checked field by field
 * before anything acts on them. One table says what each opcode may carry.
 * Sockets are send.c's and recv.c's; what a right message means is
 * replica.c's and the primary's. Pure, no locks.
 */
#include "wire.h"

#include <asm/byteorder.h>
#include <linux/build_bug.h>
#include <linux/crc32c.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "bitmap_core.h"
#include "lease.h"
#include "meta_core.h"

static_assert(sizeof(struct hf_wire_hdr) == 104);
static_assert(sizeof(struct hf_wire_conf) == 240);
static_assert(sizeof(struct hf_wire_hello) == 248);
static_assert(sizeof(struct hf_wire_hello_ack) == 64);

enum wire_way {
	WAY_TO_SLOT	= 1 << HF_WIRE_TO_SLOT,
	WAY_TO_PRIMARY	= 1 << HF_WIRE_TO_PRIMARY,
	WAY_BOTH	= WAY_TO_SLOT | WAY_TO_PRIMARY,
};

enum wire_has {
	HAS_TICK	= 1 << 0,	/* stamp, stable, missing_mask: to the slot */
	HAS_HOLDING	= 1 << 1,
	HAS_COOKIE	= 1 << 2,
	HAS_SEQ		= 1 << 3,
	HAS_RANGE	= 1 << 4,	/* offset, range_len: data */
	HAS_BITS	= 1 << 5,	/* offset, range_len: dirty bits */
	HAS_STATUS	= 1 << 6,
	HAS_FUA		= 1 << 7,
	HAS_DATA	= 1 << 8,	/* payload: range_len bytes */
	HAS_SURE_CRC	= 1 << 9,	/* a payload is never without checksum */
	HAS_LONG_RANGE	= 1 << 10,	/* a range of zeros: up to HF_MAX_ZERO_BYTES */
	HAS_SOFT	= 1 << 12,
};

struct wire_rule {
	u8	known;
	u8	conn;
	u8	way;
	u16	has;
	u32	min_bytes;		/* of payload */
	u32	max_bytes;
	u32	unit_bytes;
};

#define RULE(_conn, _way, _has, _min, _max, _unit) {			\
	.known = 1, .conn = HF_WIRE_##_conn, .way = WAY_##_way,		\
	.has = (_has), .min_bytes = (_min), .max_bytes = (_max),	\
	.unit_bytes = (_unit) }
#define RULE_FIXED(_conn, _way, _has, _type)				\
	RULE(_conn, _way, (_has) | HAS_SURE_CRC, sizeof(_type), sizeof(_type), 1)
#define RULE_BARE(_conn, _way, _has)	RULE(_conn, _way, _has, 0, 0, 1)

static const struct wire_rule rules[] = {
	[HF_OP_HELLO]	    = RULE_FIXED(CONTROL, TO_SLOT, HAS_TICK, struct hf_wire_hello),
	[HF_OP_HELLO_ACK]   = RULE_FIXED(CONTROL, TO_PRIMARY, HAS_STATUS,
					 struct hf_wire_hello_ack),
	[HF_OP_EXTENTS]	    = RULE(CONTROL, TO_PRIMARY, HAS_SURE_CRC, sizeof(__le64),
				   HF_WIRE_MAX_EXTENTS * sizeof(__le64), sizeof(__le64)),
	[HF_OP_OWN_BITS]    = RULE(CONTROL, TO_PRIMARY, HAS_BITS | HAS_SURE_CRC, 1,
				   HF_WIRE_MAX_BITS_BYTES, 1),
	[HF_OP_READY]	    = RULE_BARE(CONTROL, TO_PRIMARY, 0),
	[HF_OP_BEACON]	    = RULE_BARE(CONTROL, TO_SLOT, HAS_TICK | HAS_HOLDING),
	[HF_OP_BEACON_ACK]  = RULE_BARE(CONTROL, TO_PRIMARY, 0),
	[HF_OP_CONF]	    = RULE_FIXED(CONTROL, BOTH, HAS_TICK, struct hf_wire_conf),
	[HF_OP_CONF_ACK]    = RULE_BARE(CONTROL, BOTH, HAS_TICK),
	[HF_OP_WRITE]	    = RULE(DATA, TO_SLOT, HAS_TICK | HAS_COOKIE | HAS_SEQ | HAS_RANGE |
				   HAS_FUA | HAS_DATA, 512, HF_MAX_IO_BYTES, 512),
	[HF_OP_COPY]	    = RULE(DATA, TO_SLOT, HAS_TICK | HAS_COOKIE | HAS_RANGE | HAS_DATA,
				   512, HF_MAX_IO_BYTES, 512),
	[HF_OP_COPY_ZERO]   = RULE_BARE(DATA, TO_SLOT, HAS_TICK | HAS_COOKIE | HAS_RANGE),
	[HF_OP_FLUSH]	    = RULE_BARE(DATA, TO_SLOT, HAS_TICK | HAS_COOKIE),
	[HF_OP_BITS]	    = RULE(DATA, TO_SLOT, HAS_TICK | HAS_COOKIE | HAS_BITS | HAS_SURE_CRC,
				   1, HF_WIRE_MAX_BITS_BYTES, 1),
	[HF_OP_ACK]	    = RULE_BARE(DATA, TO_PRIMARY, HAS_COOKIE | HAS_STATUS),
	[HF_OP_DISCARD]	    = RULE_BARE(DATA, TO_SLOT, HAS_TICK | HAS_COOKIE | HAS_SEQ |
					HAS_RANGE | HAS_LONG_RANGE | HAS_FUA),
	[HF_OP_ZEROES]	    = RULE_BARE(DATA, TO_SLOT, HAS_TICK | HAS_COOKIE | HAS_SEQ |
					HAS_RANGE | HAS_LONG_RANGE | HAS_FUA),
	[HF_OP_READ]	    = RULE_BARE(DATA, TO_SLOT, HAS_TICK | HAS_COOKIE | HAS_RANGE |
					HAS_SOFT),
	[HF_OP_DATA]	    = RULE(DATA, TO_PRIMARY, HAS_COOKIE, 1, HF_MAX_IO_BYTES, 1),
	[HF_OP_READ_BITS]   = RULE_BARE(DATA, TO_SLOT, HAS_TICK | HAS_COOKIE | HAS_BITS),
};

static int refuse(const char **why, const char *sentence)
{
	*why = sentence;
	return -EPROTO;
}

static u32 hdr_crc(const struct hf_wire_hdr *hdr)
{
	return crc32c(HF_WIRE_CRC_INIT, hdr, offsetof(struct hf_wire_hdr, hdr_crc));
}

u32 hf_wire_crc(u32 crc, const void *data, size_t bytes)
{
	return crc32c(crc, data, bytes);
}

void hf_wire_hdr_init(struct hf_wire_hdr *hdr, u8 opcode, u8 version, u64 link_id,
		      u64 term, u64 epoch, u8 slot)
{
	memset(hdr, 0, sizeof(*hdr));
	hdr->magic = cpu_to_le32(HF_WIRE_MAGIC);
	hdr->version = opcode == HF_OP_HELLO ? HF_WIRE_VERSION_MIN : version;
	hdr->opcode = opcode;
	hdr->link_id = cpu_to_le64(link_id);
	hdr->term = cpu_to_le64(term);
	hdr->epoch = cpu_to_le64(epoch);
	hdr->slot = slot;
}

void hf_wire_hdr_payload_crc(struct hf_wire_hdr *hdr, u32 crc)
{
	hdr->flags |= cpu_to_le16(HF_WIRE_HAS_CRC);
	hdr->payload_crc = cpu_to_le32(crc);
}

void hf_wire_hdr_seal(struct hf_wire_hdr *hdr)
{
	hdr->hdr_crc = cpu_to_le32(hdr_crc(hdr));
}

bool hf_wire_crc_ok(const struct hf_wire_hdr *hdr, u32 crc)
{
	return !(le16_to_cpu(hdr->flags) & HF_WIRE_HAS_CRC) ||
	       le32_to_cpu(hdr->payload_crc) == crc;
}

u32 hf_wire_bits_bytes(u32 range_bytes, u8 granule_shift)
{
	return (hf_bitmap_nr_bits(range_bytes, granule_shift) + 7) >> 3;
}

/* ---------------------------------------------------------------- header */

static int check_envelope(const struct hf_wire_hdr *hdr, const struct hf_wire_expect *expect,
			  const char **why)
{
	const struct wire_rule *rule;
	u8 version;

	if (hdr->opcode >= ARRAY_SIZE(rules) || !rules[hdr->opcode].known)
		return refuse(why, "the opcode is not known");
	rule = &rules[hdr->opcode];
	if (rule->conn != expect->conn)
		return refuse(why, "the message is on the wrong connection of the link");
	if (!(rule->way & (1 << expect->dir)))
		return refuse(why, "the message goes in the wrong direction");
	if (hdr->opcode == HF_OP_HELLO) {
		version = HF_WIRE_VERSION_MIN;
	} else if (expect->version) {
		version = expect->version;
	} else {
		if (hdr->opcode != HF_OP_HELLO_ACK)
			return refuse(why, "the message comes before hello and its answer");
		version = clamp_t(u8, hdr->version, HF_WIRE_VERSION_MIN, HF_WIRE_VERSION);
	}
	if (hdr->version != version)
		return refuse(why, "the version is not the one agreed on");
	if (le64_to_cpu(hdr->link_id) != expect->link_id)
		return refuse(why, "the message is of another link");
	if (!le64_to_cpu(hdr->epoch))
		return refuse(why, "the epoch is 0");
	if (hdr->resv || hdr->resv2 || hdr->resv3)
		return refuse(why, "reserved bytes of the header are not zero");
	return 0;
}

static int check_slot(const struct hf_wire_hdr *hdr, const struct hf_wire_expect *expect,
		      const char **why)
{
	if (hdr->opcode == HF_OP_BITS || hdr->opcode == HF_OP_READ_BITS) {
		if (hdr->slot >= HF_MAX_SLOTS || hdr->slot == expect->slot)
			return refuse(why, "the dirty bits are for a slot that cannot be");
		return 0;
	}
	if (hdr->slot != expect->slot)
		return refuse(why, "the message is for another slot");
	return 0;
}

/* Fields that not every opcode has. */
static int check_fields(const struct hf_wire_hdr *hdr, enum hf_wire_dir dir, u16 has,
			const char **why)
{
	if (dir == HF_WIRE_TO_SLOT) {
		if (!hdr->stamp)
			return refuse(why, "the message of a primary has no stamp");
		if (hdr->missing_mask >> HF_MAX_SLOTS)
			return refuse(why, "the mask names slots that cannot be");
	} else if (hdr->stable || hdr->missing_mask) {
		return refuse(why, "a slot tells a stable mark or a mask");
	}
	if (!(has & HAS_HOLDING) && hdr->holding_ms)
		return refuse(why, "a message that is no beacon tells of holding");
	if (!(has & HAS_COOKIE) != !hdr->cookie)
		return refuse(why, "a cookie is missing, or there is one where none belongs");
	if (!(has & HAS_SEQ) != !hdr->seq)
		return refuse(why, "a sequence number is missing, or is where none belongs");
	if (hdr->status > ((has & HAS_STATUS) ? HF_ST_BUSY : 0))
		return refuse(why, "the status is not known, or in a message that has none");
	return 0;
}

static int check_flags(const struct hf_wire_hdr *hdr, u16 has, const char **why)
{
	u16 flags = le16_to_cpu(hdr->flags);

	if (flags & ~HF_WIRE_FLAGS_ALL)
		return refuse(why, "a flag is not known");
	if ((flags & HF_WIRE_FUA) && !(has & HAS_FUA))
		return refuse(why, "FUA is asked for in a message that is no write");
	if ((flags & HF_WIRE_SOFT) && !(has & HAS_SOFT))
		return refuse(why, "errors are asked to be told in a message that is no read");
	if (flags & HF_WIRE_HAS_CRC) {
		if (!hdr->length)
			return refuse(why, "there is a payload checksum without a payload");
	} else {
		if (hdr->payload_crc)
			return refuse(why, "there is a payload checksum that is not valid");
		if (has & HAS_SURE_CRC)
			return refuse(why, "the payload has no checksum");
	}
	return 0;
}

static int check_bits_range(const struct hf_wire_hdr *hdr, const struct hf_wire_expect *expect,
			    u64 offset, u32 range_len, const char **why)
{
	u64 granule_mask;

	if (!expect->granule_shift)
		return refuse(why, "dirty bits come before the granule is known");
	granule_mask = (1ull << expect->granule_shift) - 1;
	if (range_len > HF_WIRE_MAX_BITS_RANGE)
		return refuse(why, "the dirty bits of one message cover more than 1 GiB");
	if (offset & granule_mask)
		return refuse(why, "the dirty bits do not begin at a granule");
	if ((range_len & granule_mask) && offset + range_len != expect->volume_bytes)
		return refuse(why, "the dirty bits end inside a granule");
	if (hdr->opcode == HF_OP_READ_BITS)
		return 0;
	if (le32_to_cpu(hdr->length) != hf_wire_bits_bytes(range_len, expect->granule_shift))
		return refuse(why, "the dirty bits are not as many as their range has granules");
	return 0;
}

static int check_range(const struct hf_wire_hdr *hdr, const struct hf_wire_expect *expect,
		       u16 has, const char **why)
{
	u64 offset = le64_to_cpu(hdr->offset);
	u32 range_len = le32_to_cpu(hdr->range_len);

	if (!(has & (HAS_RANGE | HAS_BITS))) {
		if (offset || range_len)
			return refuse(why, "there is a range where none belongs");
		return 0;
	}
	if (!range_len)
		return refuse(why, "the range is empty");
	if (offset > expect->volume_bytes || range_len > expect->volume_bytes - offset)
		return refuse(why, "the range reaches past the end of the volume");
	if (has & HAS_BITS)
		return check_bits_range(hdr, expect, offset, range_len, why);
	if (offset % 512 || range_len % 512)
		return refuse(why, "the range is not made of 512 byte sectors");
	if (range_len > ((has & HAS_LONG_RANGE) ? HF_MAX_ZERO_BYTES : HF_MAX_IO_BYTES))
		return refuse(why, "the range is larger than a message may carry");
	if ((has & HAS_DATA) && hdr->length != hdr->range_len)
		return refuse(why, "payload and range differ in length");
	return 0;
}

static int check_length(const struct hf_wire_hdr *hdr, const struct wire_rule *rule,
			const char **why)
{
	u32 length = le32_to_cpu(hdr->length);

	if (length < rule->min_bytes || length > rule->max_bytes || length % rule->unit_bytes)
		return refuse(why, "the payload's length is not one that this message can have");
	return 0;
}

int hf_wire_hdr_check(const struct hf_wire_hdr *hdr, const struct hf_wire_expect *expect,
		      const char **why)
{
	const struct wire_rule *rule;
	int err;

	if (le32_to_cpu(hdr->magic) != HF_WIRE_MAGIC) {
		*why = "the header's magic is wrong";
		return -EBADMSG;
	}
	if (le32_to_cpu(hdr->hdr_crc) != hdr_crc(hdr)) {
		*why = "the header's checksum is wrong";
		return -EBADMSG;
	}
	err = check_envelope(hdr, expect, why);
	if (err)
		return err;
	rule = &rules[hdr->opcode];
	err = check_slot(hdr, expect, why);
	if (!err)
		err = check_fields(hdr, expect->dir, rule->has, why);
	if (!err)
		err = check_flags(hdr, rule->has, why);
	if (!err)
		err = check_length(hdr, rule, why);
	if (!err)
		err = check_range(hdr, expect, rule->has, why);
	if (err)
		return err;
	if (le64_to_cpu(hdr->term) == expect->term)
		return 0;
	if (hdr->opcode == HF_OP_HELLO_ACK && hdr->status == HF_ST_TERM)
		return 0;	/* a refusal may tell the slot's own term (R1) */
	*why = "the term is not that of the link";
	return hdr->opcode == HF_OP_HELLO ? -ESTALE : -EPROTO;
}

/* -------------------------------------------------------------- payloads */

int hf_wire_conf_check(const struct hf_wire_hdr *hdr, const struct hf_wire_conf *wire,
		       struct hf_conf_data *conf, const char **why)
{
	if (hf_conf_decode(wire, conf, why))
		return -EPROTO;
	if (conf->term != le64_to_cpu(hdr->term) || conf->epoch != le64_to_cpu(hdr->epoch))
		return refuse(why, "the configuration is of another term or epoch than its header");
	return 0;
}

int hf_wire_hello_check(const struct hf_wire_hdr *hdr, const struct hf_wire_hello *hello,
			struct hf_conf_data *conf, u8 *version, const char **why)
{
	if (memchr_inv(hello->resv, 0, sizeof(hello->resv)))
		return refuse(why, "reserved bytes of the hello are not zero");
	if (!hello->version_min || hello->version_min > hello->version_max)
		return refuse(why, "the hello's range of versions is empty");
	if (hello->version_min > HF_WIRE_VERSION || hello->version_max < HF_WIRE_VERSION_MIN)
		return refuse(why, "the two ends know no common version");
	if (hf_wire_conf_check(hdr, &hello->conf, conf, why))
		return -EPROTO;
	if (!conf->primary_node)
		return refuse(why, "the hello's configuration has no primary");
	*version = min_t(u8, hello->version_max, HF_WIRE_VERSION);
	return 0;
}

int hf_wire_hello_ack_check(const struct hf_wire_hello_ack *ack,
			    const struct hf_wire_expect *expect, const char **why)
{
	u32 extent_shift = le32_to_cpu(ack->extent_shift);
	u32 log_entries = le32_to_cpu(ack->log_entries);
	struct hf_meta_layout layout;

	if (memchr_inv(ack->resv, 0, sizeof(ack->resv)))
		return refuse(why, "reserved bytes of the hello's answer are not zero");
	if (le32_to_cpu(ack->flags) & ~HF_HELLO_FLAGS_ALL)
		return refuse(why, "a flag of the hello's answer is not known");
	if (!ack->life || !ack->incarnation)
		return refuse(why, "the slot has no life or no incarnation");
	if (le64_to_cpu(ack->size_bytes) != expect->volume_bytes)
		return refuse(why, "the slot has another size than the volume");
	if (!extent_shift || !log_entries || !ack->granule_shift)
		return refuse(why, "the slot's geometry is not complete");
	if (hf_meta_layout_init(&layout, expect->volume_bytes, extent_shift, log_entries,
				le32_to_cpu(ack->granule_shift), why))
		return -EPROTO;
	if (le32_to_cpu(ack->unmap_bytes) > HF_WIRE_MAX_UNMAP ||
	    le32_to_cpu(ack->unmap_bytes) % 512)
		return refuse(why, "the slot frees room in units that cannot be");
	if (le32_to_cpu(ack->wait_ms) > hf_scaled_ms(HF_GRACE_MS, HF_SCALE_MAX_PCT))
		return refuse(why, "the slot would wait for longer than any grace");
	return 0;
}

int hf_wire_extents_check(const struct hf_wire_hdr *hdr, const __le64 *extents,
			  u64 volume_bytes, u32 extent_shift, const char **why)
{
	u64 nr_extents = (volume_bytes + (1ull << extent_shift) - 1) >> extent_shift;
	u32 nr = le32_to_cpu(hdr->length) / sizeof(*extents);
	u32 i;

	for (i = 0; i < nr; i++)
		if (le64_to_cpu(extents[i]) >= nr_extents)
			return refuse(why, "an extent lies past the end of the volume");
	return nr;
}

int hf_wire_bits_check(const struct hf_wire_hdr *hdr, const void *bits,
		       u8 granule_shift, const char **why)
{
	u32 nr = hf_bitmap_nr_bits(le32_to_cpu(hdr->range_len), granule_shift);
	const u8 *bytes = bits;

	if (nr % 8 && bytes[nr / 8] >> (nr % 8))
		return refuse(why, "bits are set past the end of their range");
	return nr;
}

int hf_wire_status_errno(u8 status)
{
	switch (status) {
	case HF_ST_OK:
		return 0;
	case HF_ST_TERM:
	case HF_ST_PRIMARY:
	case HF_ST_INCARNATION:
	case HF_ST_LIFE:
		return -ESTALE;
	case HF_ST_DEVICE:
		return -EIO;
	case HF_ST_CHECKSUM:
		return -EILSEQ;
	case HF_ST_BUSY:
		return -EBUSY;
	default:
		return -EINVAL;
	}
}
