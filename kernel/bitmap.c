// SPDX-License-Identifier: GPL-2.0
/*
 * The dirty bits of a slot: one bitmap for each slot number, itself included,
 * in memory only while something was ever set in it, and saved to the metadata
 * device.  The bits themselves are bitmap_core.c's.
 *
 * Rules: R3b (marks), R9 (bits for other slots are durable before the answer),
 * R10 (an extent leaves the log only when its bits are durable: al.c asks).
 *
 * Locks: log_lock guards every bitmap; meta_lock the writing, the making and the
 * end of one, so that with either of them a pointer that is set stays.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "slot_impl.h"

#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "sabotage.h"
#include "volume.h"

static void free_bitmap(struct hf_bitmap *bm)
{
	if (!bm)
		return;
	kvfree(bm->words);
	kvfree(bm->pending);
	kfree(bm);
}

static struct hf_bitmap *new_bitmap(const struct hf_meta_layout *layout)
{
	unsigned int noio = memalloc_noio_save();
	struct hf_bitmap *bm = kzalloc(sizeof(*bm), GFP_KERNEL);
	void *words, *flags;

	words = kvmalloc(hf_bitmap_words_bytes(layout->size_bytes, layout->granule_shift),
			 GFP_KERNEL);
	flags = kvmalloc(2 * hf_bitmap_flags_bytes(layout->size_bytes, layout->granule_shift),
			 GFP_KERNEL);
	memalloc_noio_restore(noio);
	if (!bm || !words || !flags) {
		kvfree(words);
		kvfree(flags);
		kfree(bm);
		return NULL;
	}
	hf_bitmap_init(bm, words, flags, layout->size_bytes, layout->granule_shift);
	return bm;
}

/* Have a bitmap for that slot number; 0 if it is there already. */
int hf_bitmap_make(struct hf_slot *slot, u8 for_slot)
{
	struct hf_bitmap *bm;
	unsigned long flags;

	lockdep_assert_held(&slot->meta_lock);
	if (slot->bitmaps[for_slot])
		return 0;
	bm = new_bitmap(&slot->super.layout);
	if (!bm)
		return -ENOMEM;
	spin_lock_irqsave(&slot->log_lock, flags);
	slot->bitmaps[for_slot] = bm;
	slot->wanted_bitmaps &= ~BIT(for_slot);
	spin_unlock_irqrestore(&slot->log_lock, flags);
	return 0;
}

/* At attach, before anyone else sees the slot. */
static int load_bitmap(struct hf_slot *slot, u8 for_slot, void *block)
{
	const struct hf_meta_layout *layout = &slot->super.layout;
	u64 start = hf_meta_bitmap_block(layout, for_slot);
	int error;
	u32 i;

	for (i = 0; i < layout->bitmap_blocks; i++) {
		error = hf_meta_read(slot, start + i, block);
		if (error)
			return error;
		if (!memchr_inv(block, 0, HF_META_BLOCK))
			continue;
		error = hf_bitmap_make(slot, for_slot);
		if (error)
			return error;
		memcpy((u8 *)slot->bitmaps[for_slot]->words + (u64)i * HF_META_BLOCK, block,
		       HF_META_BLOCK);
	}
	if (slot->bitmaps[for_slot])
		hf_bitmap_loaded(slot->bitmaps[for_slot]);
	return 0;
}

int hf_bitmaps_load(struct hf_slot *slot)
{
	void *block = (void *)__get_free_page(GFP_KERNEL);
	int error = block ? 0 : -ENOMEM;
	u8 nr;

	for (nr = 0; !error && nr < HF_MAX_SLOTS; nr++)
		error = load_bitmap(slot, nr, block);
	free_page((unsigned long)block);
	return error;
}

/*
 * Make all bits durable as they are now. Log records that writes wait for go
 * in between, so that a large bitmap does not hold them up.
 */
int hf_bitmaps_save(struct hf_slot *slot)
{
	bool written = false;
	unsigned long flags;
	int error;
	u8 nr;

	lockdep_assert_held(&slot->meta_lock);
	for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
		struct hf_bitmap *bm = slot->bitmaps[nr];
		u64 start = hf_meta_bitmap_block(&slot->super.layout, nr);
		u32 block = 0;
		bool some;

		while (bm) {
			if (slot->meta_stuck)
				return -EIO;
			spin_lock_irqsave(&slot->log_lock, flags);
			some = hf_bitmap_write_begin(bm, &block);
			if (some)
				memcpy(slot->meta_page, hf_bitmap_block(bm, block), HF_META_BLOCK);
			spin_unlock_irqrestore(&slot->log_lock, flags);
			if (!some)
				break;
			error = hf_meta_write(slot, start + block, slot->meta_page, false);
			spin_lock_irqsave(&slot->log_lock, flags);
			hf_bitmap_write_end(bm, block, !error);
			spin_unlock_irqrestore(&slot->log_lock, flags);
			if (!error)
				error = hf_log_write_records(slot);
			if (error)
				return error;
			written = true;
		}
	}
	return written ? hf_meta_flush(slot) : 0;
}

/*
 * The numbers in @mask have no slot any more, and the superblock says so: their
 * bits are cleared on the device, and the memory goes. No write sets one
 * meanwhile, since none marks for a number without a slot.
 */
int hf_bitmaps_forget(struct hf_slot *slot, u8 mask)
{
	struct hf_bitmap *gone[HF_MAX_SLOTS] = {};
	unsigned long flags;
	int error;
	u8 nr;

	lockdep_assert_held(&slot->meta_lock);
	if (!mask)
		return 0;
	spin_lock_irqsave(&slot->log_lock, flags);
	for (nr = 0; nr < HF_MAX_SLOTS; nr++)
		if ((mask & BIT(nr)) && slot->bitmaps[nr])
			hf_bitmap_clear_all(slot->bitmaps[nr]);
	spin_unlock_irqrestore(&slot->log_lock, flags);
	error = hf_bitmaps_save(slot);
	if (error)
		return error;
	spin_lock_irqsave(&slot->log_lock, flags);
	for (nr = 0; nr < HF_MAX_SLOTS; nr++)
		if (mask & BIT(nr))
			swap(gone[nr], slot->bitmaps[nr]);
	spin_unlock_irqrestore(&slot->log_lock, flags);
	for (nr = 0; nr < HF_MAX_SLOTS; nr++)
		free_bitmap(gone[nr]);
	return 0;
}

/* log_lock held; a bitmap that is not there is the caller's to have made. */
void __hf_bitmaps_mark(struct hf_slot *slot, u8 mask, u64 offset, u64 length)
{
	u8 nr;

	lockdep_assert_held(&slot->log_lock);
	if (HF_BROKEN_NO_MARKS)
		return;
	for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
		if ((mask & BIT(nr)) && slot->bitmaps[nr])
			hf_bitmap_mark(slot->bitmaps[nr], offset, length);
	}
}

/* log_lock and meta_lock held (the latter for the scratch list). */
void __hf_bitmaps_mark_extents(struct hf_slot *slot, u8 mask, enum hf_al_which which)
{
	u32 shift = slot->super.layout.extent_shift;
	unsigned int nr, i;

	lockdep_assert_held(&slot->log_lock);
	lockdep_assert_held(&slot->meta_lock);
	if (!mask)
		return;
	if (hf_al_all(&slot->al)) {
		__hf_bitmaps_mark(slot, mask, 0, slot->super.layout.size_bytes);
		return;
	}
	nr = hf_al_list(&slot->al, which, slot->scratch, HF_LOG_MAX_ENTRIES);
	for (i = 0; i < nr; i++)
		__hf_bitmaps_mark(slot, mask, (u64)slot->scratch[i] << shift, 1ull << shift);
}

void hf_bitmaps_destroy(struct hf_slot *slot)
{
	u8 nr;

	for (nr = 0; nr < HF_MAX_SLOTS; nr++)
		free_bitmap(slot->bitmaps[nr]);
}

/* ------------------------------------------------------ public, see slot.h */

bool hf_slot_next_dirty(struct hf_slot *slot, u8 for_slot, u64 from, u64 *start, u64 *end)
{
	unsigned long flags;
	bool found = false;

	spin_lock_irqsave(&slot->log_lock, flags);
	if (for_slot < HF_MAX_SLOTS && slot->bitmaps[for_slot])
		found = hf_bitmap_next(slot->bitmaps[for_slot], from, start, end);
	spin_unlock_irqrestore(&slot->log_lock, flags);
	return found;
}

u64 hf_slot_dirty_bytes(struct hf_slot *slot, u8 for_slot)
{
	unsigned long flags;
	u64 bytes = 0;

	spin_lock_irqsave(&slot->log_lock, flags);
	if (for_slot < HF_MAX_SLOTS && slot->bitmaps[for_slot])
		bytes = hf_bitmap_dirty_bytes(slot->bitmaps[for_slot]);
	spin_unlock_irqrestore(&slot->log_lock, flags);
	return bytes;
}

void hf_slot_export_dirty(struct hf_slot *slot, u8 for_slot, u64 offset, void *bits, u64 nr_bits)
{
	unsigned long flags;

	memset(bits, 0, DIV_ROUND_UP_ULL(nr_bits, 8));
	spin_lock_irqsave(&slot->log_lock, flags);
	if (for_slot < HF_MAX_SLOTS && slot->bitmaps[for_slot])
		hf_bitmap_export(slot->bitmaps[for_slot], offset, bits, nr_bits);
	spin_unlock_irqrestore(&slot->log_lock, flags);
}

int hf_slot_set_dirty(struct hf_slot *slot, u8 for_slot, u64 offset,
		      const void *bits, unsigned int nr_bits)
{
	unsigned long flags;
	int error;

	if (for_slot >= HF_MAX_SLOTS)
		return -EINVAL;
	mutex_lock(&slot->meta_lock);
	if (!hf_slot_usable(slot))
		error = -EIO;
	else if (!(slot->used_mask & BIT(for_slot)))
		/* As for a write's marks: removed, or all bits will be set. */
		error = 0;
	else
		error = hf_bitmap_make(slot, for_slot);
	if (!error && slot->bitmaps[for_slot]) {
		spin_lock_irqsave(&slot->log_lock, flags);
		hf_bitmap_merge(slot->bitmaps[for_slot], offset, bits, nr_bits);
		spin_unlock_irqrestore(&slot->log_lock, flags);
		error = hf_bitmaps_save(slot);
	}
	mutex_unlock(&slot->meta_lock);
	return error;
}
