/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The primary's account of log room (R10): the extents of all writes above
 * stable, each with a count of its writes. A write is sent to no slot before
 * its extents fit, together with these, the smallest log linked.
 *
 * Pure: the caller holds the disk's serve_lock around every call. No
 * allocation after init. All slots of a volume have one extent size; a link
 * whose slot has another is refused.
 */
#ifndef _HOLDFAST_ROOM_H
#define _HOLDFAST_ROOM_H

#include <linux/types.h>

#include "../uapi/holdfast_wire.h"

/* Members are room.c's. */
struct hf_room_entry {
	u32	extent;
	u32	writes;		/* 0: free */
	u16	next;
};

/**
 * struct hf_room - room given out
 * @used: different extents of all writes above stable
 * @limit: capacity of the smallest log
 *
 * Embedded in the disk; life and lock are the disk's.
 */
struct hf_room {
	unsigned int		used;
	unsigned int		limit;
	/* private: */
	u16			free;
	u16			buckets[2048];
	struct hf_room_entry	entries[HF_LOG_MAX_ENTRIES];
};

/**
 * hf_room_init - nothing given out
 * @room: to set up
 * @limit: capacity of the smallest log, 1 … HF_LOG_MAX_ENTRIES
 */
void hf_room_init(struct hf_room *room, unsigned int limit);

/**
 * hf_room_set_limit - a log was linked or left
 * @room: room
 * @limit: as above. If it is below what is used, nothing is given until enough
 *	came back
 */
void hf_room_set_limit(struct hf_room *room, unsigned int limit);

/**
 * hf_room_try_take - room for a write
 * @room: room
 * @first: first extent
 * @last: last extent, >= @first
 *
 * All or nothing. Whoever is refused waits for a release, in order of arrival.
 *
 * Return: true if taken.
 */
bool hf_room_try_take(struct hf_room *room, u32 first, u32 last);

/**
 * hf_room_release - the write is at or below stable, or was given up
 * @room: room
 * @first: as taken
 * @last: as taken
 *
 * Return: true if an extent became free: those who wait may try again.
 */
bool hf_room_release(struct hf_room *room, u32 first, u32 last);

/** hf_room_counts - writes above stable in this extent */
unsigned int hf_room_counts(const struct hf_room *room, u32 extent);

#endif /* _HOLDFAST_ROOM_H */
