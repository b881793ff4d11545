// SPDX-License-Identifier: GPL-2.0
/*
 * Ranges in flight of one volume (R8): who waits for whom where ranges
 * overlap, and which writes a read met. It starts and completes nothing:
 * serve.c and rebuild.c do, and call in under serve_lock.
 *
 * A range that arrives counts the earlier ones that it overlaps, granted or
 * waiting; each of them takes one off when it leaves, and at none it is
 * granted. So overlapping ranges are granted strictly in order of arrival.
 *
 * A read counts the writes that it overlaps and that are granted and not
 * completed: those there at its begin, and those granted before its data is
 * in. When a write completes, exactly the overlapping reads counted it that
 * are still in flight, or whose data came in after the write was granted.
 */
#include "overlap.h"

#include <linux/bug.h>
#include <linux/interval_tree_generic.h>
#include <linux/kernel.h>

static u64 range_start(const struct hf_range *range)
{
	return range->start;
}

static u64 range_last(const struct hf_range *range)
{
	return range->last;
}

INTERVAL_TREE_DEFINE(struct hf_range, node, u64, subtree_last, range_start, range_last,
		     static, tree);

static struct hf_range *first_overlap(struct rb_root_cached *root, const struct hf_range *range)
{
	return tree_iter_first(root, range->start, range->last);
}

static struct hf_range *next_overlap(struct hf_range *pos, const struct hf_range *range)
{
	return tree_iter_next(pos, range->start, range->last);
}

static void set_range(struct hf_range *range, enum hf_range_kind kind, u64 offset, u64 length)
{
	INIT_LIST_HEAD(&range->entry);
	range->start = offset;
	range->last = offset + length - 1;
	range->kind = kind;
	range->again = false;
	range->completed = false;
	range->granted_at = 0;
	range->arrived_at = 0;
	range->blockers = 0;
	range->pending = 0;
}

void hf_overlap_init(struct hf_overlap *ov)
{
	ov->locks = RB_ROOT_CACHED;
	ov->reads = RB_ROOT_CACHED;
	ov->clock = 0;
	ov->nr_locks = 0;
	ov->nr_reads = 0;
}

static void grant(struct hf_overlap *ov, struct hf_range *range)
{
	struct hf_range *read;

	range->granted_at = ++ov->clock;
	if (range->kind != HF_RANGE_WRITE)
		return;
	for (read = first_overlap(&ov->reads, range); read; read = next_overlap(read, range))
		if (!read->arrived_at)
			read->pending++;
}

bool hf_overlap_begin(struct hf_overlap *ov, struct hf_range *range, enum hf_range_kind kind,
		      u64 offset, u64 length)
{
	struct hf_range *other;

	set_range(range, kind, offset, length);
	range->ticket = ++ov->clock;
	for (other = first_overlap(&ov->locks, range); other; other = next_overlap(other, range))
		range->blockers++;
	tree_insert(range, &ov->locks);
	ov->nr_locks++;
	if (range->blockers)
		return false;
	grant(ov, range);
	return true;
}

static void remove_read(struct hf_overlap *ov, struct hf_range *read)
{
	tree_remove(read, &ov->reads);
	ov->nr_reads--;
}

/* A granted write is over, in one way or the other: the reads that counted it. */
static void release_reads(struct hf_overlap *ov, struct hf_range *write, bool again,
			  struct list_head *ready)
{
	struct hf_range *read, *next;

	for (read = first_overlap(&ov->reads, write); read; read = next) {
		next = next_overlap(read, write);
		if (read->arrived_at && read->arrived_at < write->granted_at)
			continue;
		read->again |= again;
		if (--read->pending || !read->arrived_at)
			continue;
		remove_read(ov, read);
		list_add_tail(&read->entry, ready);
	}
}

void hf_overlap_complete(struct hf_overlap *ov, struct hf_range *range, struct list_head *ready)
{
	if (WARN_ON_ONCE(!range->granted_at || range->completed))
		return;
	range->completed = true;
	if (range->kind == HF_RANGE_WRITE)
		release_reads(ov, range, false, ready);
}

/* Few are granted at once: keep the list sorted as they are found. */
static void add_by_ticket(struct hf_range *range, struct list_head *granted)
{
	struct hf_range *pos;

	list_for_each_entry(pos, granted, entry)
		if (pos->ticket > range->ticket)
			break;
	list_add_tail(&range->entry, &pos->entry);
}

void hf_overlap_end(struct hf_overlap *ov, struct hf_range *range, struct list_head *granted,
		    struct list_head *ready)
{
	struct hf_range *other;

	tree_remove(range, &ov->locks);
	ov->nr_locks--;
	if (range->kind == HF_RANGE_WRITE && range->granted_at && !range->completed)
		release_reads(ov, range, true, ready);

	for (other = first_overlap(&ov->locks, range); other; other = next_overlap(other, range)) {
		if (other->ticket < range->ticket)
			continue;
		if (WARN_ON_ONCE(!other->blockers))
			continue;
		if (--other->blockers)
			continue;
		grant(ov, other);
		add_by_ticket(other, granted);
	}
}

void hf_overlap_read_begin(struct hf_overlap *ov, struct hf_range *read, u64 offset, u64 length)
{
	struct hf_range *write;

	set_range(read, HF_RANGE_READ, offset, length);
	for (write = first_overlap(&ov->locks, read); write; write = next_overlap(write, read))
		if (write->kind == HF_RANGE_WRITE && write->granted_at && !write->completed)
			read->pending++;
	tree_insert(read, &ov->reads);
	ov->nr_reads++;
}

bool hf_overlap_read_arrived(struct hf_overlap *ov, struct hf_range *read)
{
	read->arrived_at = ++ov->clock;
	if (read->pending)
		return false;
	remove_read(ov, read);
	return true;
}

void hf_overlap_read_cancel(struct hf_overlap *ov, struct hf_range *read)
{
	remove_read(ov, read);
}

const struct hf_range *hf_overlap_blocker(const struct hf_overlap *ov,
					  const struct hf_range *range)
{
	struct rb_root_cached *locks = (struct rb_root_cached *)&ov->locks;
	const struct hf_range *found = NULL;
	struct hf_range *other;
	bool blocks;

	for (other = first_overlap(locks, range); other; other = next_overlap(other, range)) {
		if (range->kind == HF_RANGE_READ)
			blocks = other->kind == HF_RANGE_WRITE && other->granted_at &&
				 !other->completed;
		else
			blocks = other->ticket < range->ticket;
		if (blocks && (!found || other->ticket < found->ticket))
			found = other;
	}
	return found;
}

bool hf_overlap_busy(const struct hf_overlap *ov, u64 offset, u64 length)
{
	/* Looking up changes nothing; the tree's interface has no const. */
	return tree_iter_first((struct rb_root_cached *)&ov->locks, offset, offset + length - 1);
}
