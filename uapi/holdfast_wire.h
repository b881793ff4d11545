/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What two Holdfast modules say to each other, and what one writes to a
 * metadata device.  All integers are little endian.  Every structure is a
 * multiple of 8 bytes, has no padding, and its reserved bytes are sent as
 * zero and refused when they are not.
 *
 * Rules (R…) are those of Documentation/protocol.rst.
 */
#ifndef _UAPI_HOLDFAST_WIRE_H
#define _UAPI_HOLDFAST_WIRE_H

#include <linux/types.h>

/* Limits that every part shares. */
enum {
	HF_MAX_SLOTS		= 4,	/* replica slots of a volume */
	HF_BLOCK_BYTES		= 4096,	/* unit of sizes and dirty bits */
	HF_MIN_VOLUME_BYTES	= 1 << 20,
	HF_MAX_IO_BYTES		= 1 << 20,	/* payload of one message */
	HF_MAX_ZERO_BYTES	= 1 << 24,	/* range of one discard or zero write */
	HF_NAME_MAX		= 63,	/* bytes of a volume's name */
};

/*
 * Times in milliseconds (R5, R9, R10).  One factor, the module parameter
 * time_scale_pct and the agent's option of the same name, scales them all.
 */
enum {
	HF_BEACON_MS		= 300,
	HF_LEASE_MS		= 1500,
	HF_GRACE_MS		= 2000,
	HF_LINK_TIMEOUT_MS	= 2000,	/* no answer on the control connection */
	HF_DEVICE_TIMEOUT_MS	= 10000,	/* node answers, device does not */
	HF_IDLE_MS		= 1000,	/* without a write: empty the log */
	HF_HANDSHAKE_MS		= 5000,	/* from adoption of the sockets to hello-ack */
};

/* ------------------------------------------------------------------ wire */

#define HF_WIRE_MAGIC		0x64666c68u	/* "hlfd" */
#define HF_WIRE_VERSION_MIN	1
#define HF_WIRE_VERSION		1

/**
 * enum hf_opcode - what a message is
 * Control connection, primary to slot:
 * @HF_OP_HELLO: opens the link; payload struct hf_wire_hello
 * @HF_OP_BEACON: carries stamp and stable (R5)
 * @HF_OP_CONF: a newer epoch of the same term; payload struct hf_wire_conf.
 *	Goes in either direction (R1) and is answered by HF_OP_CONF_ACK
 * Control connection, slot to primary:
 * @HF_OP_HELLO_ACK: payload struct hf_wire_hello_ack
 * @HF_OP_EXTENTS: a part of the logged extents; payload: array of __le64
 *	extent numbers; only between hello-ack and ready
 * @HF_OP_OWN_BITS: a part of the slot's bitmap for itself, as @HF_OP_BITS
 * @HF_OP_READY: the slot serves this link from here on (R1, R5)
 * @HF_OP_BEACON_ACK: echoes the newest stamp
 * @HF_OP_CONF_ACK: epoch in the header is adopted
 * Data connection, primary to slot; each is answered by HF_OP_ACK with the
 * same cookie:
 * @HF_OP_WRITE: a write of the volume; payload: the data
 * @HF_OP_COPY: a block copy of a reconciliation or rebuild; needs no log entry
 * @HF_OP_COPY_ZERO: the same for a range of zeros, which is written (R16);
 *	no payload, the range's length is in the header's range_len
 * @HF_OP_FLUSH: flush of the data device
 * @HF_OP_BITS: bits of the bitmap for slot @slot from byte @offset of the
 *	volume on, one bit a bitmap granule; set durably before the answer (R9)
 * @HF_OP_DISCARD: a write of zeros that need no room: a write of the volume in
 *	every respect, without payload, its range (range_len, up to
 *	HF_MAX_ZERO_BYTES) reads as zeros afterwards; the slot gives the room
 *	back where its device can, and writes zeros where not (R16)
 * @HF_OP_ZEROES: the same, and the room is kept
 * @HF_OP_READ: reads @range_len bytes from @offset on (R11)
 * @HF_OP_READ_BITS: asks for the slot's bitmap for slot @slot over the range, as
 *	@HF_OP_BITS tells it (R9)
 * Data connection, slot to primary:
 * @HF_OP_ACK: the answer; status in the header
 * @HF_OP_DATA: the answer to READ and READ_BITS when all is well; payload: what
 *	was asked for
 */
enum hf_opcode {
	HF_OP_HELLO		= 1,
	HF_OP_HELLO_ACK		= 2,
	HF_OP_EXTENTS		= 3,
	HF_OP_OWN_BITS		= 4,
	HF_OP_READY		= 5,
	HF_OP_BEACON		= 6,
	HF_OP_BEACON_ACK	= 7,
	HF_OP_CONF		= 8,
	HF_OP_CONF_ACK		= 9,
	HF_OP_WRITE		= 16,
	HF_OP_COPY		= 17,
	HF_OP_COPY_ZERO		= 18,
	HF_OP_FLUSH		= 19,
	HF_OP_BITS		= 20,
	HF_OP_ACK		= 21,
	HF_OP_DISCARD		= 22,
	HF_OP_ZEROES		= 23,
	HF_OP_READ		= 24,
	HF_OP_DATA		= 25,
	HF_OP_READ_BITS		= 26,
};

/**
 * enum hf_status - outcome in HF_OP_ACK and HF_OP_HELLO_ACK
 * @HF_ST_OK: done
 * @HF_ST_TERM: the slot's term differs (R1)
 * @HF_ST_PRIMARY: the configuration does not name this primary's instance (R1)
 * @HF_ST_VOLUME: not this volume
 * @HF_ST_INCARNATION: the slot's superblock is of another incarnation (R3b)
 * @HF_ST_LIFE: the configuration cites another life of the slot (R4)
 * @HF_ST_DEVICE: the slot's data or metadata device failed
 * @HF_ST_CHECKSUM: payload checksum differs; send again from a private copy (R8)
 * @HF_ST_SIZE: sizes of volume and slot differ (R9)
 * @HF_ST_BUSY: another live link of this term serves the slot
 */
enum hf_status {
	HF_ST_OK		= 0,
	HF_ST_TERM		= 1,
	HF_ST_PRIMARY		= 2,
	HF_ST_VOLUME		= 3,
	HF_ST_INCARNATION	= 4,
	HF_ST_LIFE		= 5,
	HF_ST_DEVICE		= 6,
	HF_ST_CHECKSUM		= 7,
	HF_ST_SIZE		= 8,
	HF_ST_BUSY		= 9,
};

enum hf_wire_flags {
	HF_WIRE_FUA		= 1 << 0,	/* of a write: durable before the answer */
	HF_WIRE_HAS_CRC		= 1 << 1,	/* payload_crc is valid */
	HF_WIRE_SOFT		= 1 << 3,	/* READ: an error is told and fails no slot (R11) */
	HF_WIRE_FLAGS_ALL	= HF_WIRE_FUA | HF_WIRE_HAS_CRC | HF_WIRE_SOFT,
};

/**
 * struct hf_wire_hdr - begins every message, 104 bytes
 * @magic: HF_WIRE_MAGIC
 * @version: version both ends speak (agreed on in hello)
 * @opcode: enum hf_opcode
 * @flags: enum hf_wire_flags
 * @link_id: drawn by the agent for this pair of connections; another value
 *	ends the link
 * @term: term of the link
 * @epoch: sender's epoch; for CONF_ACK the adopted one
 * @seq: WRITE, DISCARD, ZEROES: sequence number in the term, from 1; otherwise 0
 * @stable: every write at or below is on every in-sync slot (R2, R10)
 * @stamp: primary: CLOCK_BOOTTIME ns read before handing to the socket;
 *	slot: the newest stamp received (R5)
 * @cookie: drawn by the sender of a request, returned in its answer
 * @offset: first byte of the range in the volume
 * @range_len: bytes of the range (WRITE, COPY: equal to @length)
 * @length: bytes of payload after the header
 * @holding_ms: BEACON: how long the primary has been holding I/O, 0 if it is not (R3)
 * @missing_mask: slots outside the committed in-sync set (R3b)
 * @slot: slot number the link serves; BITS, OWN_BITS and READ_BITS: slot the bits
 *	are for
 * @status: enum hf_status
 * @resv: 0
 * @payload_crc: crc32c of the payload
 * @hdr_crc: crc32c of all bytes before it
 */
struct hf_wire_hdr {
	__le32	magic;
	__u8	version;
	__u8	opcode;
	__le16	flags;
	__le64	link_id;
	__le64	term;
	__le64	epoch;
	__le64	seq;
	__le64	stable;
	__le64	stamp;
	__le64	cookie;
	__le64	offset;
	__le32	range_len;
	__le32	length;
	__le32	holding_ms;
	__u8	missing_mask;
	__u8	slot;
	__u8	status;
	__u8	resv;
	__le32	resv2;
	__le32	resv3;
	__le32	payload_crc;
	__le32	hdr_crc;
};

/* One slot in a configuration: 32 bytes. @node 0: the slot is not used. */
struct hf_wire_conf_slot {
	__le32	node;
	__le32	resv;
	__le64	incarnation;
	__le64	cited_life;	/* by the naming configuration; 0: not cited (R4) */
	__le64	resv2;
};

enum hf_conf_policy {
	HF_POLICY_ERROR_WHEN_HELD	= 1 << 0,	/* R6: policy error, else hold */
	HF_POLICY_READS_CONFIRMED	= 1 << 1,	/* R5; refused so far */
	HF_POLICY_PRIVATE_COPY		= 1 << 2,	/* R8; refused so far */
	HF_POLICY_NO_DATA_CRC		= 1 << 3,	/* no payload checksums */
	HF_POLICY_ALL			= 0xf,
};

/* A whole configuration: 240 bytes. */
struct hf_wire_conf {
	__u8	volume[16];
	__le64	size_bytes;
	__le64	term;
	__le64	epoch;
	__le64	primary_instance;
	__le64	activated_term;		/* 0: never activated */
	__le64	activated_instance;
	__le32	primary_node;		/* 0: none */
	__le32	policies;		/* enum hf_conf_policy */
	__le32	held_timeout_ms;	/* for HF_POLICY_ERROR_WHEN_HELD */
	__le32	vdisk;			/* N of /dev/vdN, from 1 */
	__u8	in_sync_mask;
	__u8	resv[7];
	__u8	resv2[24];
	struct hf_wire_conf_slot slots[HF_MAX_SLOTS];
};

/* HF_OP_HELLO */
struct hf_wire_hello {
	__u8	version_min;
	__u8	version_max;
	__u8	resv[6];
	struct hf_wire_conf conf;
};

enum hf_hello_flags {
	HF_HELLO_UNCLEAN	= 1 << 0,	/* R10: this life is unclean */
	HF_HELLO_FLAGS_ALL	= HF_HELLO_UNCLEAN,
};

/* HF_OP_HELLO_ACK: 64 bytes. Status in the header; nothing else counts if it is not OK. */
struct hf_wire_hello_ack {
	__le64	life;
	__le64	incarnation;
	__le64	size_bytes;
	__le32	log_entries;		/* capacity of the activity log (R10) */
	__le32	extent_shift;		/* log2 of an extent in bytes */
	__le32	granule_shift;		/* log2 of the bytes of one dirty bit */
	__le32	flags;			/* enum hf_hello_flags */
	__le32	wait_ms;		/* promise left before it can be ready (R5) */
	__le32	unmap_bytes;		/* unit of room that a discard frees; 0: none (R16) */
	__le32	resv[4];
};

/* --------------------------------------------------------------- on disk */

/*
 * Metadata device, in blocks of 4096 bytes:
 *   0, 1          superblock, two copies; the one with the higher @generation
 *                 and a right checksum counts
 *   2 … 2+R-1     activity log: a ring of R records of one block each; the
 *                 valid record with the highest sequence number counts, each
 *                 record holds the whole log
 *   then, per slot number 0…3: the dirty bitmap for that slot, each rounded up
 *                 to whole blocks, bit 0 of byte 0 first
 */
#define HF_META_MAGIC		0x6174656d64666c68ull	/* "hlfdmeta" */
#define HF_META_VERSION		1
#define HF_LOG_MAGIC		0x676f6c66u		/* "flog" */

enum {
	HF_META_BLOCK		= 4096,
	HF_LOG_RING_BLOCKS	= 16,
	HF_LOG_MAX_ENTRIES	= 1000,
	HF_LOG_DEFAULT_ENTRIES	= 128,
	HF_EXTENT_DEFAULT_SHIFT	= 20,	/* 1 MiB */
	HF_GRANULE_DEFAULT_SHIFT = 12,	/* 4 KiB a dirty bit */
};

/**
 * struct hf_disk_super - superblock of a slot, one 4096 byte block
 * @term, @epoch, @conf: highest that the slot was told, persisted before it
 *	acts on them (R1); @conf is the configuration of exactly that epoch
 * @promise_open: 1 while a promise may be outstanding, so that a reboot owes a
 *	full grace (R5); fresh metadata has 0
 * @bitmap_incarnation: for each slot number, the incarnation that its bitmap
 *	is for (R3b)
 */
struct hf_disk_super {
	__le64	magic;
	__le32	version;
	__le32	block_bytes;		/* sizeof this block, 4096 */
	__le64	generation;
	__u8	volume[16];
	__le64	incarnation;
	__le64	size_bytes;		/* of the volume */
	__le64	term;
	__le64	epoch;
	__le32	slot;
	__le32	node;
	__le32	extent_shift;
	__le32	log_entries;
	__le32	granule_shift;
	__le32	log_start;		/* block of the first log record */
	__le32	log_blocks;
	__le32	bitmap_start;		/* block of the first bitmap */
	__le32	bitmap_blocks;		/* blocks of each bitmap */
	__le32	promise_open;
	__le64	bitmap_incarnation[HF_MAX_SLOTS];
	struct hf_wire_conf conf;
	__u8	resv[3708];
	__le32	crc;			/* crc32c of all bytes before it */
};

enum hf_log_entry_bits {
	/* low 31 bits of an entry: number of the extent */
	HF_LOG_EXTENT_MASK	= 0x7fffffff,
};

#define HF_LOG_UNFLUSHED	0x80000000u	/* may lose acknowledged writes (R10) */

/* One record of the activity log, one block. */
struct hf_disk_log {
	__le32	magic;
	__le32	entries;
	__le64	sequence;
	__le64	incarnation;
	__le64	term;			/* term of the writes that it covers */
	__u8	resv[60];
	__le32	extent[HF_LOG_MAX_ENTRIES];
	__le32	crc;			/* crc32c of all bytes before it */
};

#endif /* _UAPI_HOLDFAST_WIRE_H */
