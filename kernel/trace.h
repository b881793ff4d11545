/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints: every change of state, and every arrow of a write through the
 * files.  Enable with: echo 1 > /sys/kernel/tracing/events/holdfast/enable
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM holdfast

#if !defined(_HOLDFAST_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _HOLDFAST_TRACE_H

#include <linux/tracepoint.h>
#include <linux/types.h>

#ifndef _HOLDFAST_TRACE_ENUMS
#define _HOLDFAST_TRACE_ENUMS
enum hf_trace_object {
	HF_TRACE_SLOT,
	HF_TRACE_DISK,
	HF_TRACE_LINK,
	HF_TRACE_REBUILD,
};

enum hf_trace_step {
	HF_STEP_ARRIVED,	/* disk.c took it from the block layer */
	HF_STEP_WAITS_OVERLAP,	/* R8 */
	HF_STEP_WAITS_ROOM,	/* R10 */
	HF_STEP_SENT,		/* has a sequence number, is on its way */
	HF_STEP_LOG_WAIT,	/* slot.c: waits for the durable log (R10) */
	HF_STEP_BACKING,	/* slot.c: submitted to the data device */
	HF_STEP_BACKING_END,	/* slot.c: the data device ended it */
	HF_STEP_WIRE_OUT,	/* send.c: handed to the socket */
	HF_STEP_WIRE_IN,	/* recv.c: received whole */
	HF_STEP_ACKED,		/* a slot acknowledged */
	HF_STEP_HELD,		/* R3, R5 */
	HF_STEP_AGAIN,		/* sent again (R3, R6) */
	HF_STEP_COMPLETED,	/* to the caller */
	HF_STEP_FAILED,		/* to the caller, with an error (R6) */
	HF_STEP_RELEASED,	/* its range is free (R8) */
};
#endif

TRACE_EVENT(hf_transition,
	TP_PROTO(const u8 *uuid, enum hf_trace_object object, int slot_nr, int from, int to),
	TP_ARGS(uuid, object, slot_nr, from, to),
	TP_STRUCT__entry(
		__array(u8, uuid, 16)
		__field(u8, object)
		__field(int, slot_nr)
		__field(int, from)
		__field(int, to)
	),
	TP_fast_assign(
		memcpy(__entry->uuid, uuid, 16);
		__entry->object = object;
		__entry->slot_nr = slot_nr;
		__entry->from = from;
		__entry->to = to;
	),
	TP_printk("%pU %s slot %d: %d -> %d", __entry->uuid,
		  __print_symbolic(__entry->object,
				   { HF_TRACE_SLOT, "slot" },
				   { HF_TRACE_DISK, "disk" },
				   { HF_TRACE_LINK, "link" },
				   { HF_TRACE_REBUILD, "rebuild" }),
		  __entry->slot_nr, __entry->from, __entry->to)
);

TRACE_EVENT(hf_adopt,
	TP_PROTO(const u8 *uuid, u64 term, u64 epoch, u8 in_sync_mask, bool from_link),
	TP_ARGS(uuid, term, epoch, in_sync_mask, from_link),
	TP_STRUCT__entry(
		__array(u8, uuid, 16)
		__field(u64, term)
		__field(u64, epoch)
		__field(u8, in_sync_mask)
		__field(bool, from_link)
	),
	TP_fast_assign(
		memcpy(__entry->uuid, uuid, 16);
		__entry->term = term;
		__entry->epoch = epoch;
		__entry->in_sync_mask = in_sync_mask;
		__entry->from_link = from_link;
	),
	TP_printk("%pU term %llu epoch %llu in sync %#x%s", __entry->uuid,
		  __entry->term, __entry->epoch, __entry->in_sync_mask,
		  __entry->from_link ? " by link" : "")
);

TRACE_EVENT(hf_io,
	TP_PROTO(enum hf_trace_step step, int slot_nr, u64 seq, u64 offset, u32 bytes, int error),
	TP_ARGS(step, slot_nr, seq, offset, bytes, error),
	TP_STRUCT__entry(
		__field(u8, step)
		__field(int, slot_nr)
		__field(u64, seq)
		__field(u64, offset)
		__field(u32, bytes)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->step = step;
		__entry->slot_nr = slot_nr;
		__entry->seq = seq;
		__entry->offset = offset;
		__entry->bytes = bytes;
		__entry->error = error;
	),
	TP_printk("%s slot %d seq %llu %llu+%u error %d",
		  __print_symbolic(__entry->step,
				   { HF_STEP_ARRIVED, "arrived" },
				   { HF_STEP_WAITS_OVERLAP, "waits-overlap" },
				   { HF_STEP_WAITS_ROOM, "waits-room" },
				   { HF_STEP_SENT, "sent" },
				   { HF_STEP_LOG_WAIT, "log-wait" },
				   { HF_STEP_BACKING, "backing" },
				   { HF_STEP_BACKING_END, "backing-end" },
				   { HF_STEP_WIRE_OUT, "wire-out" },
				   { HF_STEP_WIRE_IN, "wire-in" },
				   { HF_STEP_ACKED, "acked" },
				   { HF_STEP_HELD, "held" },
				   { HF_STEP_AGAIN, "again" },
				   { HF_STEP_COMPLETED, "completed" },
				   { HF_STEP_FAILED, "failed" },
				   { HF_STEP_RELEASED, "released" }),
		  __entry->slot_nr, __entry->seq, __entry->offset, __entry->bytes,
		  __entry->error)
);

#endif /* _HOLDFAST_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
