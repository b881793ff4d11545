// SPDX-License-Identifier: GPL-2.0
/*
 * The activity log of a slot in memory (R10). Kept here: which extents are in
 * the log and why none of them may leave yet; what the durable record and the
 * one under way say about each; and the records themselves. Not here: I/O,
 * waiting, and the decision when to flush or to write a record (al.c). The
 * caller holds the slot's lock.
 *
 * Safe at every instant is: a write is at the data device, or ended and not
 * flushed, or above stable, or its marks are not durable, only while every
 * record that a crash could leave as the newest (the durable one, and the one
 * under way) names its extent; and while it is not flushed, names it as such.
 * So a record under way that says less than the durable one counts at once,
 * and one that says more counts when it is durable.
 */
#include "al_core.h"

#include <asm/byteorder.h>
#include <linux/bug.h>
#include <linux/crc32c.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/string.h>

#define AL_NONE		U16_MAX
#define AL_ENTRIES	HF_LOG_MAX_ENTRIES
#define AL_BUCKETS	2048		/* power of two */
#define CRC_INIT	0xffffffffu

enum al_name {
	AL_ABSENT,
	AL_LISTED,		/* may differ */
	AL_UNFLUSHED,		/* may lose what it acknowledged */
};

enum al_counted {
	AL_BUSY		= 1 << 0,	/* in flight, not flushed, or marks not durable */
	AL_ENDED	= 1 << 1,	/* of those: not in flight */
};

size_t hf_al_memory_bytes(void)
{
	return AL_ENTRIES * sizeof(struct hf_al_entry) + AL_BUCKETS * sizeof(u16);
}

void hf_al_init(struct hf_al *al, void *memory, unsigned int capacity, u64 incarnation)
{
	unsigned int i;

	memset(al, 0, sizeof(*al));
	memset(memory, 0, hf_al_memory_bytes());
	al->entries = memory;
	al->buckets = (u16 *)(al->entries + AL_ENTRIES);
	al->capacity = capacity;
	al->incarnation = incarnation;
	INIT_LIST_HEAD(&al->lru);
	INIT_LIST_HEAD(&al->free);
	for (i = 0; i < AL_ENTRIES; i++)
		list_add_tail(&al->entries[i].lru, &al->free);
	for (i = 0; i < AL_BUCKETS; i++)
		al->buckets[i] = AL_NONE;
}

/* The link that points at the entry of @extent, or at the end of its chain. */
static u16 *find_link(struct hf_al *al, u32 extent)
{
	u16 *link = &al->buckets[(extent ^ (extent >> 10)) & (AL_BUCKETS - 1)];

	while (*link != AL_NONE && al->entries[*link].extent != extent)
		link = &al->entries[*link].next;
	return link;
}

static struct hf_al_entry *find(struct hf_al *al, u32 extent)
{
	u16 nr = *find_link(al, extent);

	return nr == AL_NONE ? NULL : &al->entries[nr];
}

static bool entry_durable(const struct hf_al *al, const struct hf_al_entry *entry)
{
	return entry->flush_gen <= al->flush_done;
}

static bool entry_marks_durable(const struct hf_al *al, const struct hf_al_entry *entry)
{
	return entry->bits_gen <= al->bits_done;
}

static bool entry_stable(const struct hf_al *al, const struct hf_al_entry *entry)
{
	if (entry->unsettled)
		return false;
	/* Term 0 has no writes: the entry is settled. */
	return !entry->term ||
	       (entry->term == al->stable_term && entry->seq <= al->stable_seq);
}

static bool entry_may_leave(const struct hf_al *al, const struct hf_al_entry *entry)
{
	return !entry->in_flight && entry_durable(al, entry) &&
	       entry_marks_durable(al, entry) && entry_stable(al, entry);
}

static bool entry_unflushed(const struct hf_al *al, const struct hf_al_entry *entry)
{
	return entry->in_flight || entry->lost || !entry_durable(al, entry);
}

static void recount(struct hf_al *al, struct hf_al_entry *entry)
{
	u8 counted = 0;

	if (entry->in_flight)
		counted = AL_BUSY;
	else if (!entry_durable(al, entry) || !entry_marks_durable(al, entry))
		counted = AL_BUSY | AL_ENDED;
	al->nr_busy += !!(counted & AL_BUSY) - !!(entry->counted & AL_BUSY);
	al->nr_ended += !!(counted & AL_ENDED) - !!(entry->counted & AL_ENDED);
	entry->counted = counted;
}

static void recount_all(struct hf_al *al)
{
	struct hf_al_entry *entry;

	list_for_each_entry(entry, &al->lru, lru)
		recount(al, entry);
}

static void set_unsettled(struct hf_al *al, struct hf_al_entry *entry, bool unsettled)
{
	al->nr_unsettled += unsettled - entry->unsettled;
	entry->unsettled = unsettled;
}

static struct hf_al_entry *add_entry(struct hf_al *al, u32 extent)
{
	struct hf_al_entry *entry = list_first_entry(&al->free, struct hf_al_entry, lru);
	u16 *link = find_link(al, extent);

	list_del(&entry->lru);
	memset(entry, 0, sizeof(*entry));
	entry->extent = extent;
	entry->next = AL_NONE;
	*link = entry - al->entries;
	list_add_tail(&entry->lru, &al->lru);
	al->nr_used++;
	return entry;
}

static void remove_entry(struct hf_al *al, struct hf_al_entry *entry)
{
	*find_link(al, entry->extent) = entry->next;
	list_move_tail(&entry->lru, &al->free);
	al->nr_used--;
}

/* ------------------------------------------------------------------ load */

void hf_al_record_seal(struct hf_disk_log *record)
{
	record->magic = cpu_to_le32(HF_LOG_MAGIC);
	record->crc = cpu_to_le32(crc32c(CRC_INIT, record, offsetof(struct hf_disk_log, crc)));
}

bool hf_al_record_valid(const struct hf_disk_log *record, u64 incarnation)
{
	return le32_to_cpu(record->magic) == HF_LOG_MAGIC &&
	       le64_to_cpu(record->incarnation) == incarnation &&
	       le64_to_cpu(record->sequence) &&
	       le32_to_cpu(record->crc) ==
	       crc32c(CRC_INIT, record, offsetof(struct hf_disk_log, crc));
}

static const struct hf_disk_log *newest_record(const struct hf_al *al,
					       const struct hf_disk_log *ring,
					       unsigned int nr_blocks)
{
	const struct hf_disk_log *newest = NULL;
	unsigned int i;

	for (i = 0; i < nr_blocks; i++) {
		u64 sequence = le64_to_cpu(ring[i].sequence);

		if (hf_al_ring_block(sequence, nr_blocks) != i ||
		    !hf_al_record_valid(&ring[i], al->incarnation))
			continue;
		if (!newest || sequence > le64_to_cpu(newest->sequence))
			newest = &ring[i];
	}
	return newest;
}

static int load_entry(struct hf_al *al, u32 value, u32 nr_extents)
{
	u32 extent = value & HF_LOG_EXTENT_MASK;
	struct hf_al_entry *entry;

	if (extent >= nr_extents || find(al, extent))
		return -EUCLEAN;
	entry = add_entry(al, extent);
	set_unsettled(al, entry, true);
	entry->lost = value & HF_LOG_UNFLUSHED;
	entry->durable = entry->lost ? AL_UNFLUSHED : AL_LISTED;
	if (entry->lost) {
		entry->flush_gen = al->flush_issued + 1;
		al->unclean = true;
	}
	recount(al, entry);
	return 0;
}

static int load_record(struct hf_al *al, const struct hf_disk_log *record, u32 nr_extents)
{
	u32 nr = le32_to_cpu(record->entries);
	int err = 0;
	u32 i;

	if (nr > AL_ENTRIES || memchr_inv(record->resv, 0, sizeof(record->resv)))
		return -EUCLEAN;
	if (nr == 1 && le32_to_cpu(record->extent[0]) == (HF_AL_ALL_EXTENTS | HF_LOG_UNFLUSHED)) {
		al->durable_all = true;
		return -EUCLEAN;
	}
	for (i = 0; i < nr && !err; i++)
		err = load_entry(al, le32_to_cpu(record->extent[i]), nr_extents);
	al->durable_names = nr;
	return err;
}

int hf_al_load(struct hf_al *al, const struct hf_disk_log *ring, unsigned int nr_blocks,
	       u32 nr_extents)
{
	const struct hf_disk_log *record = newest_record(al, ring, nr_blocks);
	struct hf_al_entry *entry, *next;
	int err = -EUCLEAN;

	if (record) {
		al->sequence = le64_to_cpu(record->sequence);
		al->durable_sequence = al->sequence;
		err = load_record(al, record, nr_extents);
	}
	if (!err)
		return 0;
	list_for_each_entry_safe(entry, next, &al->lru, lru) {
		entry->in_flight = 0;
		entry->flush_gen = 0;
		recount(al, entry);
		set_unsettled(al, entry, false);
		remove_entry(al, entry);
	}
	al->all = true;
	al->unclean = true;
	return err;
}

/* ---------------------------------------------------------------- writes */

/* Unsettled entries are none of the primary's account: writes have their room beside them. */
static unsigned int write_limit(const struct hf_al *al)
{
	return min_t(unsigned int, al->capacity + al->nr_unsettled, AL_ENTRIES);
}

static bool evictable(const struct hf_al *al, const struct hf_al_entry *entry, u32 first, u32 last)
{
	return (entry->extent < first || entry->extent > last) && entry_may_leave(al, entry);
}

/*
 * Makes sure that the extents that have no entry yet fit into @limit: what may
 * leave goes, the longest unused first. Changes nothing if that is not enough.
 */
static bool make_room(struct hf_al *al, u32 first, u32 last, unsigned int limit)
{
	struct hf_al_entry *entry, *next;
	unsigned int excess, found = 0, wanted = al->nr_used;
	u32 extent;

	if (last - first >= limit)
		return false;
	for (extent = first; extent <= last; extent++) {
		entry = find(al, extent);
		if (!entry)
			wanted++;
		else if (entry->in_flight == U16_MAX)
			return false;
	}
	/* Nothing new fits always, also while copies fill the log over its limit. */
	if (wanted <= limit || wanted == al->nr_used)
		return true;
	excess = wanted - limit;
	list_for_each_entry(entry, &al->lru, lru)
		found += evictable(al, entry, first, last);
	if (found < excess)
		return false;
	list_for_each_entry_safe(entry, next, &al->lru, lru) {
		if (!excess)
			break;
		if (!evictable(al, entry, first, last))
			continue;
		remove_entry(al, entry);
		excess--;
	}
	return true;
}

/* The record that must be durable before data of this entry is written; 0: none. */
static u64 record_needed(const struct hf_al *al, const struct hf_al_entry *entry)
{
	bool durable = al->durable_all || entry->durable == AL_UNFLUSHED;
	bool building = al->building_all || entry->building == AL_UNFLUSHED;

	if (al->record_busy)
		return !building ? al->sequence + 1 : durable ? 0 : al->sequence;
	return durable ? 0 : al->sequence + 1;
}

/* Registers one more write in an extent. Returns the record to wait for, or 0. */
static u64 register_write(struct hf_al *al, struct hf_al_entry *entry)
{
	entry->in_flight++;
	recount(al, entry);
	return record_needed(al, entry);
}

/*
 * An entry remembers its newest write alone.  One of an earlier term in the
 * same extent, not known to be stable, then waits for settle.
 */
static void note_seq(struct hf_al *al, struct hf_al_entry *entry, u64 term, u64 seq)
{
	if (term < entry->term) {
		set_unsettled(al, entry, true);
		return;
	}
	if (term > entry->term) {
		set_unsettled(al, entry, !entry_stable(al, entry));
		entry->term = term;
		entry->seq = seq;
		return;
	}
	entry->seq = max(entry->seq, seq);
}

static struct hf_al_entry *use_entry(struct hf_al *al, u32 extent)
{
	struct hf_al_entry *entry = find(al, extent);

	if (!entry)
		return add_entry(al, extent);
	list_move_tail(&entry->lru, &al->lru);
	return entry;
}

enum hf_al_answer hf_al_begin_write(struct hf_al *al, u32 first, u32 last, u64 term, u64 seq,
				    bool marks, u64 *sequence)
{
	u64 needed = 0;
	u32 extent;

	if (!make_room(al, first, last, write_limit(al)))
		return HF_AL_FULL;
	for (extent = first; extent <= last; extent++) {
		struct hf_al_entry *entry = use_entry(al, extent);

		note_seq(al, entry, term, seq);
		if (marks)
			entry->bits_gen = al->bits_issued + 1;
		needed = max(needed, register_write(al, entry));
	}
	*sequence = needed;
	return needed ? HF_AL_WAIT : HF_AL_READY;
}

enum hf_al_answer hf_al_begin_copy(struct hf_al *al, u32 first, u32 last, u64 *sequence)
{
	u64 needed = 0;
	u32 extent;

	if (!make_room(al, first, last, AL_ENTRIES))
		return HF_AL_FULL;
	for (extent = first; extent <= last; extent++) {
		struct hf_al_entry *entry = use_entry(al, extent);

		set_unsettled(al, entry, true);
		needed = max(needed, register_write(al, entry));
	}
	*sequence = needed;
	return needed ? HF_AL_WAIT : HF_AL_READY;
}

void hf_al_end_write(struct hf_al *al, u32 first, u32 last, bool flushed)
{
	u32 extent;

	for (extent = first; extent <= last; extent++) {
		struct hf_al_entry *entry = find(al, extent);

		if (WARN_ON_ONCE(!entry || !entry->in_flight))
			continue;
		entry->in_flight--;
		if (!flushed)
			entry->flush_gen = al->flush_issued + 1;
		recount(al, entry);
	}
}

u64 hf_al_flush_issue(struct hf_al *al)
{
	return ++al->flush_issued;
}

void hf_al_flush_done(struct hf_al *al, u64 generation)
{
	al->flush_done = max(al->flush_done, generation);
	recount_all(al);
}

u64 hf_al_bits_issue(struct hf_al *al)
{
	return ++al->bits_issued;
}

void hf_al_bits_done(struct hf_al *al, u64 generation)
{
	al->bits_done = max(al->bits_done, generation);
	recount_all(al);
}

void hf_al_marked(struct hf_al *al)
{
	struct hf_al_entry *entry;

	list_for_each_entry(entry, &al->lru, lru) {
		entry->bits_gen = al->bits_issued + 1;
		recount(al, entry);
	}
}

void hf_al_stable(struct hf_al *al, u64 term, u64 seq)
{
	if (term > al->stable_term) {
		al->stable_term = term;
		al->stable_seq = seq;
	} else if (term == al->stable_term) {
		al->stable_seq = max(al->stable_seq, seq);
	}
}

void hf_al_settle(struct hf_al *al, u64 term)
{
	struct hf_al_entry *entry;

	list_for_each_entry(entry, &al->lru, lru) {
		set_unsettled(al, entry, false);
		entry->lost = false;
		if (entry->term < term) {
			entry->term = 0;
			entry->seq = 0;
		}
	}
	al->all = false;
	al->unclean = false;
}

/* --------------------------------------------------------------- records */

/*
 * What the next record says about an entry. Without trim a name is kept as
 * strong as it is: the extent's next write then needs no record.
 */
static u8 name_for(const struct hf_al *al, const struct hf_al_entry *entry, bool trim)
{
	if (al->all || entry_unflushed(al, entry))
		return AL_UNFLUSHED;
	return trim ? AL_LISTED : max_t(u8, entry->durable, AL_LISTED);
}

u64 hf_al_record_begin(struct hf_al *al, struct hf_disk_log *record, u64 term, bool trim)
{
	struct hf_al_entry *entry, *next;
	unsigned int nr = 0;

	if (al->record_busy)
		return 0;
	memset(record, 0, sizeof(*record));
	list_for_each_entry_safe(entry, next, &al->lru, lru) {
		if (trim && entry_may_leave(al, entry)) {
			remove_entry(al, entry);
			continue;
		}
		entry->building = name_for(al, entry, trim);
		record->extent[nr++] = cpu_to_le32(entry->extent |
			(entry->building == AL_UNFLUSHED ? HF_LOG_UNFLUSHED : 0));
	}
	if (al->all) {
		memset(record->extent, 0, sizeof(record->extent));
		record->extent[0] = cpu_to_le32(HF_AL_ALL_EXTENTS | HF_LOG_UNFLUSHED);
		nr = 1;
	}
	al->building_names = nr;
	al->building_all = al->all;
	al->record_busy = true;
	al->sequence++;
	record->entries = cpu_to_le32(nr);
	record->sequence = cpu_to_le64(al->sequence);
	record->incarnation = cpu_to_le64(al->incarnation);
	record->term = cpu_to_le64(term);
	hf_al_record_seal(record);
	return al->sequence;
}

void hf_al_record_done(struct hf_al *al)
{
	struct hf_al_entry *entry;

	if (WARN_ON_ONCE(!al->record_busy))
		return;
	list_for_each_entry(entry, &al->lru, lru) {
		entry->durable = entry->building;
		entry->building = AL_ABSENT;
	}
	al->record_busy = false;
	al->durable_sequence = al->sequence;
	al->durable_names = al->building_names;
	al->durable_all = al->building_all;
	al->building_all = false;
}

/* ------------------------------------------------------------- questions */

bool hf_al_wants_flush(const struct hf_al *al)
{
	return al->nr_ended && 2 * al->nr_busy > al->capacity;
}

bool hf_al_wants_idle_flush(const struct hf_al *al)
{
	return al->nr_ended != 0;
}

bool hf_al_wants_trim(const struct hf_al *al)
{
	const struct hf_al_entry *entry;
	unsigned int kept = 0;

	if (al->record_busy)
		return false;
	if (al->durable_all)
		return !al->all;
	list_for_each_entry(entry, &al->lru, lru) {
		if (entry->durable == AL_ABSENT || entry_may_leave(al, entry))
			continue;
		if (entry->durable == AL_UNFLUSHED && !entry_unflushed(al, entry))
			return true;
		kept++;
	}
	return kept < al->durable_names;
}

unsigned int hf_al_used(const struct hf_al *al)
{
	return hf_al_list(al, HF_AL_LOGGED, NULL, 0);
}

unsigned int hf_al_room(const struct hf_al *al)
{
	return write_limit(al) - al->nr_unsettled;
}

unsigned int hf_al_list(const struct hf_al *al, enum hf_al_which which, u32 *extents,
			unsigned int max)
{
	const struct hf_al_entry *entry;
	unsigned int nr = 0;

	list_for_each_entry(entry, &al->lru, lru) {
		if (which == HF_AL_LOGGED ? entry_may_leave(al, entry) : entry_stable(al, entry))
			continue;
		if (extents && nr < max)
			extents[nr] = entry->extent;
		nr++;
	}
	return nr;
}
