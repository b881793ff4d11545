/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The activity log of a slot in memory (R10): which extents may differ, what
 * its record on the metadata device says about them, and when an extent may
 * leave. Does no I/O: the slot writes the records that are built here.
 *
 * Pure: the caller holds the slot's lock around every call. No allocation
 * after init.
 *
 * A write: hf_al_begin_write() … [record] … data … hf_al_end_write().
 * A record: hf_al_record_begin() … written … hf_al_record_done(); one at a time.
 * Emptying: hf_al_bits_issue(), hf_al_flush_issue() … both done …
 * hf_al_bits_done(), hf_al_flush_done(), then a record with trim.
 */
#ifndef _HOLDFAST_AL_CORE_H
#define _HOLDFAST_AL_CORE_H

#include <linux/list.h>
#include <linux/types.h>

#include "../uapi/holdfast_wire.h"

/*
 * Extent number in a record that stands for every extent of the volume: the
 * log could not be read (R10).
 */
#define HF_AL_ALL_EXTENTS	HF_LOG_EXTENT_MASK

/* An extent in the log. Owner: the log; all members are al_core.c's. */
struct hf_al_entry {
	struct list_head	lru;		/* in use: by last use; else: free list */
	u32			extent;
	u16			next;		/* hash chain, HF_AL_NONE ends */
	u16			in_flight;	/* writes begun and not ended */
	u64			term;		/* newest write: (term, seq) */
	u64			seq;
	u64			flush_gen;	/* flush that makes it durable; 0: is */
	u64			bits_gen;	/* bit write that makes its marks durable; 0: are */
	u8			durable;	/* what the last durable record says */
	u8			building;	/* what the record under way says */
	bool			unsettled;	/* earlier life's or copied: waits for settle */
	bool			lost;		/* unflushed by an earlier life, not settled */
	u8			counted;	/* in nr_busy, nr_ended */
};

/**
 * struct hf_al - the log of one slot
 *
 * Embedded in the slot; life and lock are the slot's. Members are al_core.c's.
 */
struct hf_al {
	struct hf_al_entry	*entries;
	u16			*buckets;
	unsigned int		capacity;	/* entries for writes */
	struct list_head	lru;
	struct list_head	free;
	unsigned int		nr_used;
	unsigned int		nr_busy;	/* in flight, or need a flush or durable bits */
	unsigned int		nr_ended;	/* of those, not in flight */
	unsigned int		nr_unsettled;
	unsigned int		durable_names;	/* in the last durable record */
	unsigned int		building_names;
	u64			incarnation;
	u64			sequence;	/* of the record under way, or the last */
	u64			durable_sequence;
	u64			stable_term;
	u64			stable_seq;
	u64			flush_issued;
	u64			flush_done;
	u64			bits_issued;
	u64			bits_done;
	bool			record_busy;
	bool			all;		/* every extent may differ */
	bool			durable_all;
	bool			building_all;
	bool			unclean;	/* this life began unclean */
};

/** hf_al_memory_bytes - memory that hf_al_init() wants */
size_t hf_al_memory_bytes(void);

/**
 * hf_al_init - an empty log
 * @al: to set up
 * @memory: hf_al_memory_bytes() of it, 8 byte aligned, any content
 * @capacity: log_entries of the superblock, 1 … HF_LOG_MAX_ENTRIES: what
 *	writes may use beside the unsettled entries; copies may use what a
 *	record can hold
 * @incarnation: of the slot
 */
void hf_al_init(struct hf_al *al, void *memory, unsigned int capacity, u64 incarnation);

/**
 * hf_al_load - take over what an earlier life left
 * @al: just set up
 * @ring: all blocks of the log as read (a read error is the slot's failure)
 * @nr_blocks: how many, a power of two
 * @nr_extents: of the volume
 *
 * The valid record with the highest sequence number counts. Without one, or
 * with one that names what cannot be, every extent may differ and the life is
 * unclean; so it is too when the record says so of an earlier life.
 *
 * Return: 0, or -EUCLEAN when every extent may differ.
 */
int hf_al_load(struct hf_al *al, const struct hf_disk_log *ring, unsigned int nr_blocks,
	       u32 nr_extents);

/** hf_al_unclean - this life may have lost what it acknowledged (R10) */
static inline bool hf_al_unclean(const struct hf_al *al)
{
	return al->unclean;
}

/** hf_al_all - every extent may differ: hf_al_list() cannot name them */
static inline bool hf_al_all(const struct hf_al *al)
{
	return al->all;
}

/**
 * enum hf_al_answer - of hf_al_begin_write()
 * @HF_AL_READY: the durable log names the extents: submit the data
 * @HF_AL_WAIT: registered; submit the data once hf_al_durable() reaches the
 *	sequence number that was given
 * @HF_AL_FULL: no room, nothing was registered; try again after a record, a
 *	flush, or a higher stable
 */
enum hf_al_answer {
	HF_AL_READY,
	HF_AL_WAIT,
	HF_AL_FULL,
};

/**
 * hf_al_begin_write - before a write of the data device
 * @al: log
 * @first: first extent
 * @last: last extent, >= @first
 * @term: of the write
 * @seq: of the write
 * @marks: the write set dirty bits that are not durable yet
 * @sequence: HF_AL_WAIT: gets the record to wait for
 *
 * From here on the extents count as above stable and unflushed (R3b, R7).
 */
enum hf_al_answer hf_al_begin_write(struct hf_al *al, u32 first, u32 last, u64 term, u64 seq,
				    bool marks, u64 *sequence);

/**
 * hf_al_begin_copy - before a copy of a reconciliation (R7)
 * @al: log
 * @first: first extent
 * @last: last extent, >= @first
 * @sequence: as for a write
 *
 * The extents count as above stable until hf_al_settle(), which the activation
 * brings. A copy of a rebuild needs no entry (R10).
 */
enum hf_al_answer hf_al_begin_copy(struct hf_al *al, u32 first, u32 last, u64 *sequence);

/**
 * hf_al_end_write - the data device has ended the write or copy, or it was given up
 * @al: log
 * @first: as at its begin
 * @last: as at its begin
 * @flushed: it is durable by itself (FUA), or was never submitted
 */
void hf_al_end_write(struct hf_al *al, u32 first, u32 last, bool flushed);

/**
 * hf_al_flush_issue - a flush of the data device is about to be submitted
 * @al: log
 *
 * Return: its generation, for hf_al_flush_done(). It covers the writes that
 * ended before this call and no other.
 */
u64 hf_al_flush_issue(struct hf_al *al);

/** hf_al_flush_done - that flush succeeded (one that fails is not reported here) */
void hf_al_flush_done(struct hf_al *al, u64 generation);

/**
 * hf_al_bits_issue - all pending blocks of all bitmaps are about to be written
 * @al: log
 *
 * Return: generation for hf_al_bits_done(); it covers marks set before.
 */
u64 hf_al_bits_issue(struct hf_al *al);

/** hf_al_bits_done - all of those blocks are durable */
void hf_al_bits_done(struct hf_al *al, u64 generation);

/** hf_al_marked - bits of every entry were set (adoption, R3b): they must be durable first */
void hf_al_marked(struct hf_al *al);

/**
 * hf_al_stable - every write of @term up to @seq is on every in-sync slot
 * @al: log
 * @term: term; a lower one than known changes nothing
 * @seq: sequence number; a lower one changes nothing
 *
 * Entries of other terms stay as they are.
 */
void hf_al_stable(struct hf_al *al, u64 term, u64 seq);

/**
 * hf_al_settle - what terms below @term and earlier lives left is dealt with
 * @al: log
 * @term: entries of this term stay
 *
 * Called when a configuration activated in @term is adopted (R7), after the
 * logged extents of a slot outside the set are durable in its own bitmap, or
 * at readmission. Those entries may leave then once they are flushed, and the
 * life is no longer unclean: it holds what the set holds. Not when attach finds
 * a newer configuration for a slot of the set: what the log names may be from
 * that very term (no order between writes and epochs, R1).
 */
void hf_al_settle(struct hf_al *al, u64 term);

/**
 * hf_al_record_begin - build the next record
 * @al: log
 * @record: one block, gets the sealed record
 * @term: current term of the slot
 * @trim: leave out all that may leave, and name what is flushed as such;
 *	without it they stay as they are, so that warm extents need no record
 *
 * Return: its sequence number; 0: the one before is still under way.
 */
u64 hf_al_record_begin(struct hf_al *al, struct hf_disk_log *record, u64 term, bool trim);

/**
 * hf_al_record_done - the record under way is durable
 * @al: log
 *
 * A record whose write fails is never done: the slot has failed then.
 */
void hf_al_record_done(struct hf_al *al);

/** hf_al_durable - sequence number of the last durable record */
static inline u64 hf_al_durable(const struct hf_al *al)
{
	return al->durable_sequence;
}

/** hf_al_record_busy - is a record under way */
static inline bool hf_al_record_busy(const struct hf_al *al)
{
	return al->record_busy;
}

/** hf_al_ring_block - block of the ring, from 0, for the record @sequence */
static inline u32 hf_al_ring_block(u64 sequence, u32 nr_blocks)
{
	return (u32)(sequence & (nr_blocks - 1));	/* nr_blocks: power of two */
}

/** hf_al_wants_flush - over half full of what a flush or durable bits would free */
bool hf_al_wants_flush(const struct hf_al *al);

/** hf_al_wants_idle_flush - an idle slot should flush and save bits: something waits for it */
bool hf_al_wants_idle_flush(const struct hf_al *al);

/** hf_al_wants_trim - a record with trim would say less than the durable one */
bool hf_al_wants_trim(const struct hf_al *al);

/**
 * hf_al_room - entries that new writes can count on
 *
 * What earlier lives left, and copies, stay until they are settled and are not
 * the primary's to count: a write finds the whole capacity beside them, as long
 * as a record can hold both.
 */
unsigned int hf_al_room(const struct hf_al *al);

/** hf_al_used - entries that may not leave yet */
unsigned int hf_al_used(const struct hf_al *al);

enum hf_al_which {
	HF_AL_LOGGED,		/* all that may differ: may not leave yet (R7, R9, R10) */
	HF_AL_ABOVE_STABLE,	/* ranges above stable, and earlier lives' (R3b) */
};

/**
 * hf_al_list - list extents
 * @al: log
 * @which: which
 * @extents: gets them, in no order; NULL: only count
 * @max: room in @extents; HF_LOG_MAX_ENTRIES always suffices
 *
 * Return: how many there are; hf_al_all() is for the caller to ask.
 */
unsigned int hf_al_list(const struct hf_al *al, enum hf_al_which which, u32 *extents,
			unsigned int max);

/* Records as they lie on the device. */

/** hf_al_record_seal - fill in magic and checksum; entries and extents are the caller's */
void hf_al_record_seal(struct hf_disk_log *record);

/**
 * hf_al_record_valid - is this block a whole record of this slot
 * @record: block as read
 * @incarnation: of the slot
 */
bool hf_al_record_valid(const struct hf_disk_log *record, u64 incarnation);

#endif /* _HOLDFAST_AL_CORE_H */
