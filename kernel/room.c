// SPDX-License-Identifier: GPL-2.0
/*
 * The primary's account of log room (R10): a small hash of extents with the
 * number of writes above stable in each. It answers whether a write fits; who
 * waits, and in which order, is serve.c's. The caller holds serve_lock.
 */
#include "room.h"

#include <linux/bug.h>
#include <linux/kernel.h>

#define ROOM_NONE	U16_MAX

static u16 *bucket_of(struct hf_room *room, u32 extent)
{
	/* Neighbours fall into neighbouring buckets; far ones are mixed in. */
	return &room->buckets[(extent ^ (extent >> 11)) % ARRAY_SIZE(room->buckets)];
}

void hf_room_init(struct hf_room *room, unsigned int limit)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(room->buckets); i++)
		room->buckets[i] = ROOM_NONE;
	for (i = 0; i < ARRAY_SIZE(room->entries); i++) {
		room->entries[i].writes = 0;
		room->entries[i].next = i + 1 < ARRAY_SIZE(room->entries) ? i + 1 : ROOM_NONE;
	}
	room->free = 0;
	room->used = 0;
	hf_room_set_limit(room, limit);
}

void hf_room_set_limit(struct hf_room *room, unsigned int limit)
{
	room->limit = min_t(unsigned int, limit, ARRAY_SIZE(room->entries));
}

/* The link that points at the entry of @extent, or at the end of its chain. */
static u16 *find(struct hf_room *room, u32 extent)
{
	u16 *link = bucket_of(room, extent);

	while (*link != ROOM_NONE && room->entries[*link].extent != extent)
		link = &room->entries[*link].next;
	return link;
}

bool hf_room_try_take(struct hf_room *room, u32 first, u32 last)
{
	unsigned int needed = 0;
	u32 extent;

	if (last - first >= room->limit)
		return false;
	for (extent = first; extent <= last; extent++)
		needed += *find(room, extent) == ROOM_NONE;
	/* What costs nothing is given even while a lowered limit is exceeded. */
	if (needed && room->used + needed > room->limit)
		return false;
	for (extent = first; extent <= last; extent++) {
		u16 *link = find(room, extent);
		struct hf_room_entry *entry;

		if (*link == ROOM_NONE) {
			*link = room->free;
			entry = &room->entries[*link];
			room->free = entry->next;
			entry->extent = extent;
			entry->writes = 0;
			entry->next = ROOM_NONE;
			room->used++;
		}
		room->entries[*link].writes++;
	}
	return true;
}

bool hf_room_release(struct hf_room *room, u32 first, u32 last)
{
	bool freed = false;
	u32 extent;

	for (extent = first; extent <= last; extent++) {
		u16 *link = find(room, extent);
		u16 nr = *link;

		if (WARN_ON_ONCE(nr == ROOM_NONE))
			continue;
		if (--room->entries[nr].writes)
			continue;
		*link = room->entries[nr].next;
		room->entries[nr].next = room->free;
		room->free = nr;
		room->used--;
		freed = true;
	}
	return freed;
}

unsigned int hf_room_counts(const struct hf_room *room, u32 extent)
{
	u16 nr = *find((struct hf_room *)room, extent);

	return nr == ROOM_NONE ? 0 : room->entries[nr].writes;
}
