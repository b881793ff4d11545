/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Messages of a link: seal what is sent, check every field of what arrived.
 * Pure: no locks, no allocation, any context. A sentence in @why is static
 * text, set with every refusal, and @why is never NULL.
 *
 * Which fields an opcode uses (all others are 0 and refused when they are not;
 * magic, version, opcode, link_id, term, epoch, slot and hdr_crc are in all):
 *
 *   HELLO		stamp, stable, missing_mask, payload (with crc)
 *   BEACON		stamp, stable, missing_mask, holding_ms
 *   CONF, CONF_ACK	to the slot: stamp, stable, missing_mask; CONF: payload
 *			(with crc); epoch is that of the payload, or adopted
 *   HELLO_ACK		stamp, status, payload (with crc, also if refused)
 *   EXTENTS		stamp, payload (with crc)
 *   OWN_BITS		stamp, offset, range_len, payload (with crc)
 *   READY, BEACON_ACK	stamp
 *   WRITE		stamp, stable, missing_mask, cookie, seq, offset,
 *			range_len, payload (crc by policy), flag FUA
 *   COPY		as WRITE without seq and FUA
 *   COPY_ZERO		as COPY without payload
 *   DISCARD, ZEROES	as WRITE without payload, range_len up to HF_MAX_ZERO_BYTES
 *   FLUSH		stamp, stable, missing_mask, cookie
 *   BITS		as FLUSH, and offset, range_len, payload (with crc)
 *   READ		as FLUSH, and offset, range_len, flag SOFT
 *   READ_BITS		as FLUSH, and offset, range_len
 *   ACK		stamp, cookie, status
 *   DATA		stamp, cookie, payload (crc by policy; of bits always)
 *
 * OWN_BITS, BITS and READ_BITS cover @range_len bytes of the volume from @offset on, both
 * multiples of the granule (the range may end with the volume); one bit a
 * granule, bits past the range are 0. HELLO is always sent with header version
 * HF_WIRE_VERSION_MIN, everything after with the version agreed on.
 */
#ifndef _HOLDFAST_WIRE_CORE_H
#define _HOLDFAST_WIRE_CORE_H

#include <linux/types.h>

#include "conf.h"
#include "../uapi/holdfast_wire.h"

enum hf_wire_limits {
	HF_WIRE_MAX_UNMAP	= 1 << 30,	/* unmap_bytes of a slot */
	HF_WIRE_MAX_BITS_RANGE	= 1 << 30,	/* bytes of volume in one BITS message */
	HF_WIRE_MAX_BITS_BYTES	= (HF_WIRE_MAX_BITS_RANGE / HF_BLOCK_BYTES) / 8,
	HF_WIRE_MAX_EXTENTS	= HF_LOG_MAX_ENTRIES,	/* in one EXTENTS message */
	HF_WIRE_MAX_CONTROL	= HF_WIRE_MAX_BITS_BYTES, /* largest payload, control connection */
};

enum hf_wire_conn {
	HF_WIRE_CONTROL,
	HF_WIRE_DATA,
};

enum hf_wire_dir {
	HF_WIRE_TO_SLOT,
	HF_WIRE_TO_PRIMARY,
};

/**
 * struct hf_wire_expect - what a message that arrives here must agree with
 * @conn: connection it arrived on
 * @dir: its direction
 * @version: version agreed on; 0: hello and its answer are not through
 * @slot: number of the slot that the link serves
 * @granule_shift: log2 of the bytes of a dirty bit of that slot; 0: not known
 *	yet, BITS and OWN_BITS are refused
 * @link_id: id of the link
 * @term: term of the link
 * @volume_bytes: size of the volume
 */
struct hf_wire_expect {
	enum hf_wire_conn	conn;
	enum hf_wire_dir	dir;
	u8			version;
	u8			slot;
	u8			granule_shift;
	u64			link_id;
	u64			term;
	u64			volume_bytes;
};

/**
 * hf_wire_hdr_init - begin a header: all zero but these
 * @hdr: to fill
 * @opcode: enum hf_opcode
 * @version: agreed version, 0 for HELLO
 * @link_id: id of the link
 * @term: term of the link
 * @epoch: sender's epoch
 * @slot: slot that the link serves
 */
void hf_wire_hdr_init(struct hf_wire_hdr *hdr, u8 opcode, u8 version, u64 link_id,
		      u64 term, u64 epoch, u8 slot);

/**
 * hf_wire_hdr_payload_crc - note the checksum of the payload, before sealing
 * @hdr: header
 * @crc: from hf_wire_crc() over the whole payload
 */
void hf_wire_hdr_payload_crc(struct hf_wire_hdr *hdr, u32 crc);

/**
 * hf_wire_hdr_seal - compute the header's checksum; last step before it is sent
 * @hdr: header
 */
void hf_wire_hdr_seal(struct hf_wire_hdr *hdr);

/**
 * hf_wire_hdr_check - may this header be acted on
 * @hdr: header that arrived, in memory of our own
 * @expect: what the link knows
 * @why: sentence on refusal
 *
 * Checks every field against the table above. Whoever calls it does not read
 * the payload before it said 0.
 *
 * Return: 0; -EBADMSG for a wrong magic or checksum; -EPROTO for anything that
 * a right sender does not send; -ESTALE only for a HELLO in which all is right
 * but the term (the slot answers HF_ST_TERM). Each but -ESTALE ends the link.
 */
int hf_wire_hdr_check(const struct hf_wire_hdr *hdr, const struct hf_wire_expect *expect,
		      const char **why);

#define HF_WIRE_CRC_INIT	0xffffffffu

/**
 * hf_wire_crc - payload checksum, in pieces
 * @crc: HF_WIRE_CRC_INIT for the first piece, then the last result
 * @data: piece
 * @bytes: its length
 *
 * Return: crc32c as linux/crc32c.h computes it, without a last inversion.
 */
u32 hf_wire_crc(u32 crc, const void *data, size_t bytes);

/**
 * hf_wire_crc_ok - is the payload what the sender summed
 * @hdr: checked header
 * @crc: over the payload that arrived
 *
 * Return: true also if the message carries no checksum.
 */
bool hf_wire_crc_ok(const struct hf_wire_hdr *hdr, u32 crc);

/**
 * hf_wire_hello_check - judge the payload of HELLO
 * @hdr: its checked header (0 or -ESTALE)
 * @hello: payload, checksum right
 * @conf: gets the configuration
 * @version: gets the version to speak: the highest that both ends know
 * @why: sentence on refusal
 *
 * The volume, the primary and the incarnation are for the caller to compare.
 *
 * Return: 0 or -EPROTO.
 */
int hf_wire_hello_check(const struct hf_wire_hdr *hdr, const struct hf_wire_hello *hello,
			struct hf_conf_data *conf, u8 *version, const char **why);

/**
 * hf_wire_hello_ack_check - judge the payload of a HELLO_ACK with HF_ST_OK
 * @ack: payload, checksum right
 * @expect: what the link knows (size)
 * @why: sentence on refusal
 *
 * Return: 0, or -EPROTO.
 */
int hf_wire_hello_ack_check(const struct hf_wire_hello_ack *ack,
			    const struct hf_wire_expect *expect, const char **why);

/**
 * hf_wire_conf_check - judge the payload of CONF
 * @hdr: its checked header
 * @wire: payload, checksum right
 * @conf: gets the configuration
 * @why: sentence on refusal
 *
 * Return: 0 or -EPROTO; whether it is newer is for hf_conf_compare().
 */
int hf_wire_conf_check(const struct hf_wire_hdr *hdr, const struct hf_wire_conf *wire,
		       struct hf_conf_data *conf, const char **why);

/**
 * hf_wire_extents_check - judge the payload of EXTENTS
 * @hdr: its checked header (gives the length)
 * @extents: payload, checksum right
 * @volume_bytes: size of the volume
 * @extent_shift: of the slot, from its checked hello-ack
 * @why: sentence on refusal
 *
 * Return: how many extents there are, or -EPROTO.
 */
int hf_wire_extents_check(const struct hf_wire_hdr *hdr, const __le64 *extents,
			  u64 volume_bytes, u32 extent_shift, const char **why);

/**
 * hf_wire_bits_check - judge the payload of BITS or OWN_BITS
 * @hdr: its checked header
 * @bits: payload, checksum right
 * @granule_shift: as in struct hf_wire_expect
 * @why: sentence on refusal
 *
 * Return: how many bits there are, or -EPROTO.
 */
int hf_wire_bits_check(const struct hf_wire_hdr *hdr, const void *bits,
		       u8 granule_shift, const char **why);

/**
 * hf_wire_bits_bytes - payload of a BITS message over a range
 * @range_bytes: at most HF_WIRE_MAX_BITS_RANGE
 * @granule_shift: log2 of a granule in bytes
 *
 * Return: bytes.
 */
u32 hf_wire_bits_bytes(u32 range_bytes, u8 granule_shift);

/**
 * hf_wire_status_errno - what an answer means here
 * @status: enum hf_status of a checked header
 *
 * Return: 0, -EIO (device), -ESTALE (term, primary, incarnation, life),
 * -EILSEQ (checksum), -EBUSY or -EINVAL.
 */
int hf_wire_status_errno(u8 status);

/** hf_wire_is_write - is a message of this opcode a write of the volume */
static inline bool hf_wire_is_write(u8 opcode)
{
	return opcode == HF_OP_WRITE || opcode == HF_OP_DISCARD || opcode == HF_OP_ZEROES;
}

#endif /* _HOLDFAST_WIRE_CORE_H */
