/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints: every arrow of a write through the files, and every change of
 * state.  Documentation/observability.rst tells what each means and shows how
 * to use them.
 *
 * A write is one hf_req on the primary.  What it has the own slot do is one
 * hf_io, and what it sends to another slot one hf_msg, which is one hf_replica
 * there, by the same cookie, with an hf_io of its own.  Volume and sequence
 * number are in all of them; "volume" is the first eight digits of the UUID, as
 * "holdfast volume ls" prints it.
 *
 * The words for states are here too; names.c has them for the other files.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM holdfast

#if !defined(_HOLDFAST_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _HOLDFAST_TRACE_H

#include <linux/tracepoint.h>
#include <linux/types.h>

#ifndef _HOLDFAST_TRACE_WORDS
#define _HOLDFAST_TRACE_WORDS

struct hf_msg;
struct hf_replica_io;
struct hf_req;
struct hf_slot_io;
struct hf_volume;

#define HF_TRACE_NO_SLOT	(-1)

#define HF_DISK_STATES(X, E)				\
	X(HOLDFAST_DISK_NONE, "none")			\
	X(HOLDFAST_DISK_PREPARED, "prepared")		\
	X(HOLDFAST_DISK_NAMED, "named")			\
	X(HOLDFAST_DISK_ACTIVE, "active")		\
	X(HOLDFAST_DISK_RELEASED, "released")		\
	E(HOLDFAST_DISK_DEAD, "dead")

#define HF_SLOT_STATES(X, E)				\
	X(HOLDFAST_SLOT_NONE, "none")			\
	X(HOLDFAST_SLOT_UP, "up")			\
	X(HOLDFAST_SLOT_FAILED, "failed")		\
	E(HOLDFAST_SLOT_STOPPING, "stopping")

#define HF_LINK_STATES(X, E)				\
	X(HOLDFAST_LINK_NONE, "none")			\
	X(HOLDFAST_LINK_OPENING, "opening")		\
	X(HOLDFAST_LINK_WAITING, "waiting")		\
	X(HOLDFAST_LINK_READY, "ready")			\
	E(HOLDFAST_LINK_DOWN, "down")

#define HF_REBUILD_STATES(X, E)				\
	X(HOLDFAST_REBUILD_NONE, "none")		\
	X(HOLDFAST_REBUILD_COPYING, "copying")		\
	X(HOLDFAST_REBUILD_FINISHING, "finishing")	\
	X(HOLDFAST_REBUILD_ADMISSIBLE, "admissible")	\
	E(HOLDFAST_REBUILD_FAILED, "failed")

#define HF_DOWN_REASONS(X, E)				\
	X(HOLDFAST_DOWN_NONE, "none")			\
	X(HOLDFAST_DOWN_CLOSED, "closed")		\
	X(HOLDFAST_DOWN_SILENT, "silent")		\
	X(HOLDFAST_DOWN_DEVICE, "device")		\
	X(HOLDFAST_DOWN_DEVICE_SILENT, "device-silent")	\
	X(HOLDFAST_DOWN_PROTOCOL, "protocol")		\
	X(HOLDFAST_DOWN_REFUSED, "refused")		\
	X(HOLDFAST_DOWN_TERM, "term")			\
	X(HOLDFAST_DOWN_LOCAL, "local")			\
	X(HOLDFAST_DOWN_CHECKSUM, "checksum")		\
	E(HOLDFAST_DOWN_REMOVED, "removed")

#define HF_REQ_KINDS(X, E)					\
	X(HF_REQ_READ, "read")				\
	X(HF_REQ_WRITE, "write")			\
	E(HF_REQ_FLUSH, "flush")

#define HF_SLOT_OPS(X, E)					\
	X(HF_SLOT_READ, "read")				\
	X(HF_SLOT_WRITE, "write")			\
	X(HF_SLOT_COPY, "copy")				\
	X(HF_SLOT_COPY_ZERO, "copy-zero")		\
	X(HF_SLOT_DISCARD, "discard")			\
	X(HF_SLOT_ZEROES, "zeroes")			\
	E(HF_SLOT_FLUSH, "flush")

#define HF_DATA_OPS(X, E)					\
	X(HF_OP_WRITE, "write")				\
	X(HF_OP_COPY, "copy")				\
	X(HF_OP_COPY_ZERO, "copy-zero")			\
	X(HF_OP_FLUSH, "flush")				\
	X(HF_OP_DISCARD, "discard")			\
	X(HF_OP_ZEROES, "zeroes")			\
	E(HF_OP_BITS, "bits")

#endif /* _HOLDFAST_TRACE_WORDS */

#define HF_TRACE_ENUM(value, text) TRACE_DEFINE_ENUM(value);
#define HF_TRACE_WORD(value, text) { value, text },
#define HF_TRACE_LAST(value, text) { value, text }

HF_DISK_STATES(HF_TRACE_ENUM, HF_TRACE_ENUM)
HF_SLOT_STATES(HF_TRACE_ENUM, HF_TRACE_ENUM)
HF_LINK_STATES(HF_TRACE_ENUM, HF_TRACE_ENUM)
HF_REBUILD_STATES(HF_TRACE_ENUM, HF_TRACE_ENUM)
HF_REQ_KINDS(HF_TRACE_ENUM, HF_TRACE_ENUM)
HF_SLOT_OPS(HF_TRACE_ENUM, HF_TRACE_ENUM)
HF_DATA_OPS(HF_TRACE_ENUM, HF_TRACE_ENUM)

#define hf_print_word(value, list) __print_symbolic(value, list(HF_TRACE_WORD, HF_TRACE_LAST))

/* ------------------------------------------------- a caller's operation */

DECLARE_EVENT_CLASS(hf_req,
	TP_PROTO(const struct hf_req *req, int slot_nr, int error),
	TP_ARGS(req, slot_nr, error),
	TP_STRUCT__entry(
		__field(u32, volume)
		__field(u32, vdisk)
		__field(u8, kind)
		__field(s8, slot)
		__field(u64, seq)
		__field(u64, offset)
		__field(u32, bytes)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->volume = hf_volume_short(req->disk->vol);
		__entry->vdisk = req->disk->vdisk;
		__entry->kind = req->kind;
		__entry->slot = slot_nr;
		__entry->seq = req->seq;
		__entry->offset = req->offset;
		__entry->bytes = req->length;
		__entry->error = error;
	),
	TP_printk("volume %08x vd%u %s slot %d seq %llu %llu+%u error %d", __entry->volume,
		  __entry->vdisk, hf_print_word(__entry->kind, HF_REQ_KINDS), __entry->slot,
		  __entry->seq, __entry->offset, __entry->bytes, __entry->error)
);

#define HF_REQ_EVENT(name)							\
DEFINE_EVENT(hf_req, hf_req_##name,						\
	TP_PROTO(const struct hf_req *req, int slot_nr, int error),		\
	TP_ARGS(req, slot_nr, error))

HF_REQ_EVENT(arrived);		/* taken from the block layer */
HF_REQ_EVENT(parked);		/* the disk serves nothing now */
HF_REQ_EVENT(waits_range);	/* behind an overlapping write or copy (R8) */
HF_REQ_EVENT(granted);		/* has its range; waits for log room, if there is none (R10) */
HF_REQ_EVENT(launched);		/* has its number, goes to all slots (R2, R3b) */
HF_REQ_EVENT(acked);		/* a slot acknowledged it, or failed to */
HF_REQ_EVENT(again);		/* a read: once more, when the lease holds (R5) */
HF_REQ_EVENT(held);		/* all have it, and the lease does not hold (R5) */
HF_REQ_EVENT(completed);	/* to its caller */
HF_REQ_EVENT(released);		/* its range is free (R8) */

/* Some requests are held, or none is any more (R3, R5). */
TRACE_EVENT(hf_hold,
	TP_PROTO(const struct hf_volume *vol, bool holding, unsigned int requests),
	TP_ARGS(vol, holding, requests),
	TP_STRUCT__entry(
		__field(u32, volume)
		__field(bool, holding)
		__field(unsigned int, requests)
	),
	TP_fast_assign(
		__entry->volume = hf_volume_short(vol);
		__entry->holding = holding;
		__entry->requests = requests;
	),
	TP_printk("volume %08x %s, %u requests", __entry->volume,
		  __entry->holding ? "holding" : "not holding", __entry->requests)
);

/* ------------------------------------------------------- the local slot */

DECLARE_EVENT_CLASS(hf_io,
	TP_PROTO(const struct hf_volume *vol, u8 slot_nr, const struct hf_slot_io *io, int error),
	TP_ARGS(vol, slot_nr, io, error),
	TP_STRUCT__entry(
		__field(u32, volume)
		__field(u8, op)
		__field(u8, slot)
		__field(u64, seq)
		__field(u64, offset)
		__field(u32, bytes)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->volume = hf_volume_short(vol);
		__entry->op = io->op;
		__entry->slot = slot_nr;
		__entry->seq = io->seq;
		__entry->offset = io->offset;
		__entry->bytes = io->length;
		__entry->error = error;
	),
	TP_printk("volume %08x %s slot %u seq %llu %llu+%u error %d", __entry->volume,
		  hf_print_word(__entry->op, HF_SLOT_OPS), __entry->slot, __entry->seq,
		  __entry->offset, __entry->bytes, __entry->error)
);

#define HF_IO_EVENT(name)							\
DEFINE_EVENT(hf_io, hf_io_##name,						\
	TP_PROTO(const struct hf_volume *vol, u8 slot_nr, const struct hf_slot_io *io, int error), \
	TP_ARGS(vol, slot_nr, io, error))

HF_IO_EVENT(waits_room);	/* the log is full, or a bitmap is not there yet (R10, R3b) */
HF_IO_EVENT(waits_log);		/* for a record that names its extents (R10) */
HF_IO_EVENT(covered);		/* the durable log names its extents (R10) */
HF_IO_EVENT(submitted);		/* to the data device */
HF_IO_EVENT(ended);		/* the data device ended it, or it never went there */

/* --------------------------------------- a message, on the primary's end */

DECLARE_EVENT_CLASS(hf_msg,
	TP_PROTO(const struct hf_volume *vol, u8 slot_nr, const struct hf_msg *msg, int error),
	TP_ARGS(vol, slot_nr, msg, error),
	TP_STRUCT__entry(
		__field(u32, volume)
		__field(u8, op)
		__field(u8, slot)
		__field(u64, cookie)
		__field(u64, seq)
		__field(u64, offset)
		__field(u32, bytes)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->volume = hf_volume_short(vol);
		__entry->op = msg->opcode;
		__entry->slot = slot_nr;
		__entry->cookie = msg->cookie;
		__entry->seq = msg->seq;
		__entry->offset = msg->offset;
		__entry->bytes = msg->range_len;
		__entry->error = error;
	),
	TP_printk("volume %08x %s slot %u cookie %llu seq %llu %llu+%u error %d",
		  __entry->volume, hf_print_word(__entry->op, HF_DATA_OPS), __entry->slot,
		  __entry->cookie, __entry->seq, __entry->offset, __entry->bytes,
		  __entry->error)
);

#define HF_MSG_EVENT(name)							\
DEFINE_EVENT(hf_msg, hf_msg_##name,						\
	TP_PROTO(const struct hf_volume *vol, u8 slot_nr, const struct hf_msg *msg, int error), \
	TP_ARGS(vol, slot_nr, msg, error))

HF_MSG_EVENT(queued);		/* to be sent to the slot */
HF_MSG_EVENT(sent);		/* the socket has all of it */
HF_MSG_EVENT(acked);		/* the slot answered, or the link is at its end */
HF_MSG_EVENT(again);		/* its payload changed under way: sent once more (R8) */

/* ------------------------------------------ a message, on the slot's end */

DECLARE_EVENT_CLASS(hf_replica,
	TP_PROTO(const struct hf_replica_io *rio, int error),
	TP_ARGS(rio, error),
	TP_STRUCT__entry(
		__field(u32, volume)
		__field(u8, op)
		__field(u8, slot)
		__field(u64, cookie)
		__field(u64, seq)
		__field(u64, offset)
		__field(u32, bytes)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->volume = hf_volume_short(rio->link->vol);
		__entry->op = rio->opcode;
		__entry->slot = rio->link->slot_nr;
		__entry->cookie = rio->cookie;
		__entry->seq = rio->io.seq;
		__entry->offset = rio->io.offset;
		__entry->bytes = rio->io.length;
		__entry->error = error;
	),
	TP_printk("volume %08x %s slot %u cookie %llu seq %llu %llu+%u error %d",
		  __entry->volume, hf_print_word(__entry->op, HF_DATA_OPS), __entry->slot,
		  __entry->cookie, __entry->seq, __entry->offset, __entry->bytes,
		  __entry->error)
);

#define HF_REPLICA_EVENT(name)							\
DEFINE_EVENT(hf_replica, hf_replica_##name,					\
	TP_PROTO(const struct hf_replica_io *rio, int error),			\
	TP_ARGS(rio, error))

HF_REPLICA_EVENT(received);	/* the message is here, whole */
HF_REPLICA_EVENT(applied);	/* the slot has done what it asks */
HF_REPLICA_EVENT(answered);	/* the answer goes to the socket */

/* ------------------------------------------------- configurations, states */

TRACE_EVENT(hf_adopt,
	TP_PROTO(const struct hf_volume *vol, u64 term, u64 epoch, u8 in_sync_mask, bool from_link),
	TP_ARGS(vol, term, epoch, in_sync_mask, from_link),
	TP_STRUCT__entry(
		__field(u32, volume)
		__field(u64, term)
		__field(u64, epoch)
		__field(u8, in_sync_mask)
		__field(bool, from_link)
	),
	TP_fast_assign(
		__entry->volume = hf_volume_short(vol);
		__entry->term = term;
		__entry->epoch = epoch;
		__entry->in_sync_mask = in_sync_mask;
		__entry->from_link = from_link;
	),
	TP_printk("volume %08x term %llu epoch %llu in sync %#x%s", __entry->volume,
		  __entry->term, __entry->epoch, __entry->in_sync_mask,
		  __entry->from_link ? " by link" : "")
);

DECLARE_EVENT_CLASS(hf_state,
	TP_PROTO(const struct hf_volume *vol, u8 slot_nr, int from, int to),
	TP_ARGS(vol, slot_nr, from, to),
	TP_STRUCT__entry(
		__field(u32, volume)
		__field(u8, slot)
		__field(int, from)
		__field(int, to)
	),
	TP_fast_assign(
		__entry->volume = hf_volume_short(vol);
		__entry->slot = slot_nr;
		__entry->from = from;
		__entry->to = to;
	),
	TP_printk("volume %08x slot %u: %s -> %s", __entry->volume, __entry->slot,
		  hf_print_word(__entry->from, HF_DISK_STATES),
		  hf_print_word(__entry->to, HF_DISK_STATES))
);

DEFINE_EVENT(hf_state, hf_disk_state,
	TP_PROTO(const struct hf_volume *vol, u8 slot_nr, int from, int to),
	TP_ARGS(vol, slot_nr, from, to)
);

#define HF_STATE_EVENT(name, list)						\
DEFINE_EVENT_PRINT(hf_state, name,						\
	TP_PROTO(const struct hf_volume *vol, u8 slot_nr, int from, int to),	\
	TP_ARGS(vol, slot_nr, from, to),					\
	TP_printk("volume %08x slot %u: %s -> %s", __entry->volume, __entry->slot, \
		  hf_print_word(__entry->from, list), hf_print_word(__entry->to, list)))

HF_STATE_EVENT(hf_slot_state, HF_SLOT_STATES);
HF_STATE_EVENT(hf_link_state, HF_LINK_STATES);
HF_STATE_EVENT(hf_rebuild_state, HF_REBUILD_STATES);

#endif /* _HOLDFAST_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
