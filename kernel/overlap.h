/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ranges in flight of one volume (R8). Writes and copies exclude each other
 * where they overlap, in order of arrival; reads exclude nothing, but learn
 * which writes overlapped them while they were in flight.
 *
 * Pure: no locks of its own, no allocation. The caller holds one lock (the
 * disk's serve_lock) around every call, and owns the memory of each range
 * from before its begin until it is back out of the tree.
 */
#ifndef _HOLDFAST_OVERLAP_H
#define _HOLDFAST_OVERLAP_H

#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/types.h>

enum hf_range_kind {
	HF_RANGE_WRITE,		/* a write of a caller */
	HF_RANGE_COPY,		/* reconciliation or rebuild */
	HF_RANGE_READ,		/* a read of a caller */
};

/**
 * struct hf_range - one range in flight
 * @entry: free for the caller's lists while the range is not handed back in a
 *	list by a function below: granted and ready ranges come linked by it
 * @again: READ: a write that overlapped ended without completion: read again
 *
 * Embedded in a request, owned by it. All other members are overlap.c's.
 */
struct hf_range {
	struct list_head	entry;
	bool			again;
	/* private: */
	struct rb_node		node;
	u64			start;
	u64			last;
	u64			subtree_last;
	u64			ticket;		/* order of arrival of writes and copies */
	u64			granted_at;	/* 0: waits */
	u64			arrived_at;	/* READ: its data is in; 0: not yet */
	unsigned int		blockers;	/* earlier ranges that it waits for */
	unsigned int		pending;	/* READ: writes that it waits for */
	enum hf_range_kind	kind;
	bool			completed;	/* WRITE: to its caller (R2) */
};

/**
 * struct hf_overlap - all ranges in flight of a volume
 *
 * Embedded in the disk; life and lock are the disk's.
 */
struct hf_overlap {
	struct rb_root_cached	locks;		/* writes and copies */
	struct rb_root_cached	reads;
	u64			clock;		/* tickets, grants, arrivals */
	unsigned int		nr_locks;
	unsigned int		nr_reads;
};

/**
 * hf_overlap_init - nothing in flight
 * @ov: to set up
 */
void hf_overlap_init(struct hf_overlap *ov);

/**
 * hf_overlap_begin - ask for a range
 * @ov: ranges in flight
 * @range: to insert; memory of the caller, any content
 * @kind: HF_RANGE_WRITE or HF_RANGE_COPY
 * @offset: first byte
 * @length: bytes, not 0
 *
 * Return: true: granted now; false: it waits behind earlier ones and comes
 * back in the list of a later hf_overlap_end().
 */
bool hf_overlap_begin(struct hf_overlap *ov, struct hf_range *range, enum hf_range_kind kind,
		      u64 offset, u64 length);

/**
 * hf_overlap_complete - a granted write was completed to its caller (R2)
 * @ov: ranges in flight
 * @range: a write; stays locked until hf_overlap_end()
 * @ready: gets the reads (by @entry) whose data is in and that waited for this
 *	one last; they are out of the tree
 */
void hf_overlap_complete(struct hf_overlap *ov, struct hf_range *range, struct list_head *ready);

/**
 * hf_overlap_end - give a range back, granted or still waiting
 * @ov: ranges in flight
 * @range: write or copy; out of the tree afterwards. A write that was granted
 *	and not completed counts as failed: reads that met it get @again
 * @granted: gets the ranges (by @entry) that are granted by this, by order of
 *	arrival
 * @ready: as in hf_overlap_complete()
 */
void hf_overlap_end(struct hf_overlap *ov, struct hf_range *range, struct list_head *granted,
		    struct list_head *ready);

/**
 * hf_overlap_read_begin - a read starts
 * @ov: ranges in flight
 * @read: to insert, before its I/O is submitted
 * @offset: first byte
 * @length: bytes, not 0
 */
void hf_overlap_read_begin(struct hf_overlap *ov, struct hf_range *read, u64 offset, u64 length);

/**
 * hf_overlap_read_arrived - the data of a read is in
 * @ov: ranges in flight
 * @read: in the tree, not arrived before
 *
 * Return: true: every write that overlapped it is completed, the read is out
 * of the tree (look at @again); false: it comes in a list of ready reads.
 */
bool hf_overlap_read_arrived(struct hf_overlap *ov, struct hf_range *read);

/**
 * hf_overlap_read_cancel - take a read out, whatever its state
 * @ov: ranges in flight
 * @read: in the tree
 */
void hf_overlap_read_cancel(struct hf_overlap *ov, struct hf_range *read);

/**
 * hf_overlap_busy - is a write or copy, granted or waiting, in this range
 * @ov: ranges in flight
 * @offset: first byte
 * @length: bytes, not 0
 */
bool hf_overlap_busy(const struct hf_overlap *ov, u64 offset, u64 length);

/**
 * hf_overlap_blocker - what a range waits for, to be told to people
 * @ov: ranges in flight
 * @range: in the tree: a write or copy that waits, or a read whose data is in
 *
 * Return: the first that it waits for, by order of arrival, or NULL.
 */
const struct hf_range *hf_overlap_blocker(const struct hf_overlap *ov,
					  const struct hf_range *range);

/** hf_overlap_granted - does this write or copy have its range */
static inline bool hf_overlap_granted(const struct hf_range *range)
{
	return range->granted_at != 0;
}

/** hf_overlap_empty - is nothing in flight or waiting */
static inline bool hf_overlap_empty(const struct hf_overlap *ov)
{
	return !ov->nr_locks && !ov->nr_reads;
}

#endif /* _HOLDFAST_OVERLAP_H */
