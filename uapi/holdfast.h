/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Generic netlink family "holdfast": how an agent commands the module.
 * The specification is Documentation/netlink/specs/holdfast.yaml; every
 * command needs CAP_NET_ADMIN in the initial user namespace.
 *
 * A command describes a wanted end state and may be repeated: a duplicate
 * changes nothing and succeeds.  Every refusal carries a sentence in the
 * extended acknowledgment and changes nothing.
 *
 * Volume attributes of VOLUME_GET (do, dump) and their nesting:
 *
 *   HOLDFAST_A_UUID, HOLDFAST_A_CONF (binary struct hf_wire_conf),
 *   HOLDFAST_A_LOCAL_SLOT { SLOT_NR, SLOT_STATE, LIFE, INCARNATION, UNCLEAN,
 *       PROMISE_MS, LOG_USED, LOG_ENTRIES, BACKING_BUSY, ERROR,
 *       OWN_DIRTY_BYTES, DATA_PATH, META_PATH },
 *   HOLDFAST_A_DISK { DISK_STATE, INSTANCE, OPENERS, IN_FLIGHT, HELD,
 *       HOLDING_MS, STABLE, SEQ },
 *   HOLDFAST_A_REMOTE_SLOT { SLOT_NR, LINK_STATE, LINK_ID, LIFE, UNCLEAN,
 *       REMOTE_FLAGS, REBUILD_STATE, REBUILD_TOTAL_BYTES, REBUILD_DONE_BYTES,
 *       OUT_OF_SYNC_BYTES, LEASE_MS, ADOPTED_EPOCH, DOWN_REASON }  (repeated,
 *       on the primary: each other slot; on a slot: the link to the primary,
 *       SLOT_NR is then the slot's own),
 *   HOLDFAST_A_OUT_OF_SYNC { SLOT_NR, OUT_OF_SYNC_BYTES } (repeated: this
 *       slot's marks for each other slot, linked or not). On the primary that
 *       is what a rebuild has to copy; the bits are cleared by readmission, so
 *       while one runs its TOTAL less its DONE bytes are what is left.
 *
 * VOLUME_GET dumps carry the generation in the message header's sequence
 * check (NLM_F_DUMP_INTR is set when a volume came or went): dump again.
 */
#ifndef _UAPI_HOLDFAST_H
#define _UAPI_HOLDFAST_H

#include <linux/types.h>

#define HOLDFAST_GENL_NAME	"holdfast"
#define HOLDFAST_GENL_VERSION	1
#define HOLDFAST_MCGRP_EVENTS	"events"

/**
 * enum holdfast_cmd - commands
 * @HOLDFAST_CMD_VOLUME_GET: one volume by UUID, or a dump of all
 * @HOLDFAST_CMD_VOLUME_SET: make the volume known, adopt a configuration.
 *	UUID, CONF, EXPECTED_EPOCH (the epoch that the module has now; 0 for a
 *	volume it does not know). A configuration equal to the adopted one is a
 *	duplicate and succeeds; -ESTALE if EXPECTED_EPOCH is not the module's
 *	epoch, or epoch or term go back. NODE_ID once, with the first command.
 *	Answer: EPOCH. Returns after adoption is durable on the local slot (R1)
 * @HOLDFAST_CMD_VOLUME_DEL: forget a volume; -EBUSY while its disk is open,
 *	unless HOLDFAST_FLAG_FORCE (held I/O then ends with an error)
 * @HOLDFAST_CMD_SLOT_ATTACH: UUID, SLOT_NR, INCARNATION, DATA_PATH,
 *	META_PATH: open both devices exclusively, read the metadata, draw a
 *	life. FLAGS: HOLDFAST_FLAG_DISCARD_ZEROES, which no queue tells, so that
 *	whoever made the device must (R16). -ENOENT if the adopted configuration
 *	has no such slot on this node. Answer: LIFE, UNCLEAN
 * @HOLDFAST_CMD_SLOT_DETACH: UUID, LIFE; closes links, waits (bounded) for
 *	backing I/O, closes the devices; FORCE: leaves devices open in the
 *	background until their I/O has ended (R15)
 * @HOLDFAST_CMD_DISK_PREPARE: UUID: set up the disk object without a visible
 *	disk. Answer: INSTANCE (R1). A disk that exists answers its instance
 * @HOLDFAST_CMD_DISK_RELEASE: UUID, INSTANCE: hold, drain, flush, release the
 *	lease (R13). -EBUSY if open, unless FORCE. Answer after the drain;
 *	bounded by TIMEOUT_MS, -ETIMEDOUT undoes nothing: repeat or go on by a
 *	new epoch
 * @HOLDFAST_CMD_DISK_DEL: UUID, INSTANCE: remove the disk; -EBUSY if open,
 *	unless FORCE (held I/O fails, R6)
 * @HOLDFAST_CMD_DISK_FAIL: UUID, INSTANCE: fail what is held (R6)
 * @HOLDFAST_CMD_DISK_THAW: UUID, INSTANCE: try held requests again (R6)
 * @HOLDFAST_CMD_LINK_ADD: UUID, TERM, SLOT_NR, ROLE, LINK_ID, FD_CONTROL,
 *	FD_DATA (connected TCP sockets; the module takes its own references)
 * @HOLDFAST_CMD_LINK_DEL: UUID, SLOT_NR, LINK_ID (0: any)
 * @HOLDFAST_CMD_REBUILD_START: UUID, SLOT_NR, FLAGS (HOLDFAST_FLAG_FULL):
 *	begin to rebuild a linked slot outside of the set (R9), RATE_KBPS
 * @HOLDFAST_CMD_REBUILD_STOP: UUID, SLOT_NR; -EBUSY once the slot is counted
 *	(then only a new epoch decides, R9)
 * @HOLDFAST_CMD_EVENT: multicast only: EVENT_SEQ, EVENT, UUID and whatever of
 *	SLOT_NR, TERM, EPOCH, LIFE, INSTANCE, LINK_ID, DOWN_REASON applies. A gap in
 *	EVENT_SEQ means: dump again
 */
enum holdfast_cmd {
	HOLDFAST_CMD_UNSPEC,
	HOLDFAST_CMD_VOLUME_GET,
	HOLDFAST_CMD_VOLUME_SET,
	HOLDFAST_CMD_VOLUME_DEL,
	HOLDFAST_CMD_SLOT_ATTACH,
	HOLDFAST_CMD_SLOT_DETACH,
	HOLDFAST_CMD_DISK_PREPARE,
	HOLDFAST_CMD_DISK_RELEASE,
	HOLDFAST_CMD_DISK_DEL,
	HOLDFAST_CMD_DISK_FAIL,
	HOLDFAST_CMD_DISK_THAW,
	HOLDFAST_CMD_LINK_ADD,
	HOLDFAST_CMD_LINK_DEL,
	HOLDFAST_CMD_REBUILD_START,
	HOLDFAST_CMD_REBUILD_STOP,
	HOLDFAST_CMD_EVENT,
	__HOLDFAST_CMD_MAX,
};

#define HOLDFAST_CMD_MAX (__HOLDFAST_CMD_MAX - 1)

enum holdfast_attr {
	HOLDFAST_A_UNSPEC,
	HOLDFAST_A_PAD,
	HOLDFAST_A_UUID,		/* binary, 16 */
	HOLDFAST_A_CONF,		/* binary, struct hf_wire_conf */
	HOLDFAST_A_EXPECTED_EPOCH,	/* u64 */
	HOLDFAST_A_NODE_ID,		/* u32, this node's own id, not 0 */
	HOLDFAST_A_FLAGS,		/* u32, enum holdfast_flag */
	HOLDFAST_A_TERM,		/* u64 */
	HOLDFAST_A_EPOCH,		/* u64 */
	HOLDFAST_A_LOCAL_SLOT,		/* nest */
	HOLDFAST_A_DISK,		/* nest */
	HOLDFAST_A_REMOTE_SLOT,		/* nest, repeated */
	HOLDFAST_A_OUT_OF_SYNC,		/* nest, repeated */
	HOLDFAST_A_SLOT_NR,		/* u8 */
	HOLDFAST_A_SLOT_STATE,		/* u8, enum holdfast_slot_state */
	HOLDFAST_A_LIFE,		/* u64 */
	HOLDFAST_A_INCARNATION,		/* u64 */
	HOLDFAST_A_UNCLEAN,		/* u8, 0 or 1 */
	HOLDFAST_A_PROMISE_MS,		/* u32 */
	HOLDFAST_A_LOG_USED,		/* u32 */
	HOLDFAST_A_LOG_ENTRIES,		/* u32 */
	HOLDFAST_A_BACKING_BUSY,	/* u32, backing I/O not yet ended */
	HOLDFAST_A_ERROR,		/* s32, errno that failed the slot, 0 */
	HOLDFAST_A_OWN_DIRTY_BYTES,	/* u64 */
	HOLDFAST_A_DATA_PATH,		/* string */
	HOLDFAST_A_META_PATH,		/* string */
	HOLDFAST_A_DISK_STATE,		/* u8, enum holdfast_disk_state */
	HOLDFAST_A_INSTANCE,		/* u64 */
	HOLDFAST_A_OPENERS,		/* u32 */
	HOLDFAST_A_IN_FLIGHT,		/* u32 */
	HOLDFAST_A_HELD,		/* u32 */
	HOLDFAST_A_HOLDING_MS,		/* u32, since when, 0: not holding */
	HOLDFAST_A_STABLE,		/* u64 */
	HOLDFAST_A_SEQ,			/* u64 */
	HOLDFAST_A_LINK_STATE,		/* u8, enum holdfast_link_state */
	HOLDFAST_A_LINK_ID,		/* u64 */
	HOLDFAST_A_REMOTE_FLAGS,	/* u32, enum holdfast_remote_flag */
	HOLDFAST_A_REBUILD_STATE,	/* u8, enum holdfast_rebuild_state */
	HOLDFAST_A_REBUILD_TOTAL_BYTES,	/* u64 */
	HOLDFAST_A_REBUILD_DONE_BYTES,	/* u64 */
	HOLDFAST_A_OUT_OF_SYNC_BYTES,	/* u64 */
	HOLDFAST_A_LEASE_MS,		/* u32, left */
	HOLDFAST_A_ADOPTED_EPOCH,	/* u64, that the slot confirmed */
	HOLDFAST_A_DOWN_REASON,		/* u8, enum holdfast_down_reason */
	HOLDFAST_A_TIMEOUT_MS,		/* u32 */
	HOLDFAST_A_ROLE,		/* u8, enum holdfast_role */
	HOLDFAST_A_FD_CONTROL,		/* u32 */
	HOLDFAST_A_FD_DATA,		/* u32 */
	HOLDFAST_A_RATE_KBPS,		/* u32, 0: no limit */
	HOLDFAST_A_EVENT,		/* u8, enum holdfast_event */
	HOLDFAST_A_EVENT_SEQ,		/* u64 */
	HOLDFAST_A_TIME_SCALE_PCT,	/* u32, 100: unscaled */
	__HOLDFAST_A_MAX,
};

#define HOLDFAST_A_MAX (__HOLDFAST_A_MAX - 1)

enum holdfast_flag {
	HOLDFAST_FLAG_FORCE	= 1 << 0,
	HOLDFAST_FLAG_FULL	= 1 << 1,	/* REBUILD_START: begin with every bit set */
	HOLDFAST_FLAG_DISCARD_ZEROES = 1 << 2,	/* SLOT_ATTACH: what the data device discards
						 * reads as zeros, and so does the rest of
						 * room that it takes for a write
						 */
	HOLDFAST_FLAG_ALL	= 7,
};

/**
 * enum holdfast_slot_state - the local slot
 * @HOLDFAST_SLOT_NONE: no slot attached
 * @HOLDFAST_SLOT_UP: attached and usable
 * @HOLDFAST_SLOT_FAILED: a device failed or hung; serves nothing, ERROR says why
 * @HOLDFAST_SLOT_STOPPING: detaching, waits for its last I/O
 */
enum holdfast_slot_state {
	HOLDFAST_SLOT_NONE,
	HOLDFAST_SLOT_UP,
	HOLDFAST_SLOT_FAILED,
	HOLDFAST_SLOT_STOPPING,
};

/**
 * enum holdfast_disk_state - the primary's disk
 * @HOLDFAST_DISK_NONE: no disk object
 * @HOLDFAST_DISK_PREPARED: has an instance, is not named, not visible
 * @HOLDFAST_DISK_NAMED: the configuration names it; links, reconciles (R7);
 *	visible only if it was activated before in this boot (then it holds)
 * @HOLDFAST_DISK_ACTIVE: activated, serves (and holds when R2, R3, R5 say so)
 * @HOLDFAST_DISK_RELEASED: drained for a move or detach, lease given back (R13)
 * @HOLDFAST_DISK_DEAD: deposed or failed; errors only, until its openers go (R6)
 */
enum holdfast_disk_state {
	HOLDFAST_DISK_NONE,
	HOLDFAST_DISK_PREPARED,
	HOLDFAST_DISK_NAMED,
	HOLDFAST_DISK_ACTIVE,
	HOLDFAST_DISK_RELEASED,
	HOLDFAST_DISK_DEAD,
};

/**
 * enum holdfast_link_state - a link
 * @HOLDFAST_LINK_NONE: not connected
 * @HOLDFAST_LINK_OPENING: hello is on its way
 * @HOLDFAST_LINK_WAITING: hello done; the slot is not ready yet (R1, R5)
 * @HOLDFAST_LINK_READY: serves
 * @HOLDFAST_LINK_DOWN: ended; DOWN_REASON says why
 */
enum holdfast_link_state {
	HOLDFAST_LINK_NONE,
	HOLDFAST_LINK_OPENING,
	HOLDFAST_LINK_WAITING,
	HOLDFAST_LINK_READY,
	HOLDFAST_LINK_DOWN,
};

enum holdfast_remote_flag {
	HOLDFAST_REMOTE_RECONCILED	= 1 << 0,	/* R7 done with this life, at this term */
	HOLDFAST_REMOTE_COUNTED		= 1 << 1,	/* R9 */
	HOLDFAST_REMOTE_ADMISSIBLE	= 1 << 2,	/* R9 done: propose epoch+1 with it */
	HOLDFAST_REMOTE_LOST		= 1 << 3,	/* R3: propose epoch+1 without it */
	HOLDFAST_REMOTE_NEW_LIFE	= 1 << 4,	/* another life: not continued (R3, R10) */
};

enum holdfast_rebuild_state {
	HOLDFAST_REBUILD_NONE,
	HOLDFAST_REBUILD_COPYING,
	HOLDFAST_REBUILD_FINISHING,	/* counted, waits for acks, flush */
	HOLDFAST_REBUILD_ADMISSIBLE,
	HOLDFAST_REBUILD_FAILED,
};

enum holdfast_down_reason {
	HOLDFAST_DOWN_NONE,
	HOLDFAST_DOWN_CLOSED,		/* the other end closed, or the socket failed */
	HOLDFAST_DOWN_SILENT,		/* no answer in time on the control connection */
	HOLDFAST_DOWN_DEVICE,		/* the slot reported a device error */
	HOLDFAST_DOWN_DEVICE_SILENT,	/* beacons answered, device did not */
	HOLDFAST_DOWN_PROTOCOL,		/* garbage, bad header, wrong state */
	HOLDFAST_DOWN_REFUSED,		/* hello refused */
	HOLDFAST_DOWN_TERM,		/* a higher term closed it (R1) */
	HOLDFAST_DOWN_LOCAL,		/* LINK_DEL, detach, removal */
	HOLDFAST_DOWN_CHECKSUM,		/* payload wrong twice (R8) */
	HOLDFAST_DOWN_REMOVED,		/* the slot left the configuration, or was replaced */
};

enum holdfast_role {
	HOLDFAST_ROLE_PRIMARY	= 1,
	HOLDFAST_ROLE_SLOT	= 2,
};

/**
 * enum holdfast_event - what happened; facts follow from a dump
 */
enum holdfast_event {
	HOLDFAST_EVENT_UNSPEC,
	HOLDFAST_EVENT_CONF,		/* a configuration was adopted */
	HOLDFAST_EVENT_SLOT,		/* the local slot changed state */
	HOLDFAST_EVENT_DISK,		/* the disk changed state */
	HOLDFAST_EVENT_LINK,		/* a link changed state */
	HOLDFAST_EVENT_HOLD,		/* held I/O began or ended */
	HOLDFAST_EVENT_SLOT_LOST,	/* an in-sync or counted slot is lost (R3) */
	HOLDFAST_EVENT_RECONCILED,	/* all slots linked so far are reconciled (R7) */
	HOLDFAST_EVENT_REBUILD,		/* a rebuild changed state */
	HOLDFAST_EVENT_REMOVED,		/* the volume is gone from the module */
	HOLDFAST_EVENT_OPENERS,		/* first open or last close of the disk */
};

#endif /* _UAPI_HOLDFAST_H */
