// SPDX-License-Identifier: GPL-2.0
/*
 * A configuration comes to the slot: what it means for dirty bits, log and
 * waiting writes, and its way into the superblock.  Whether it may be adopted
 * was judged before (conf.c).
 *
 * Rules: R1 (durable before it is acted on; what older terms left unsubmitted
 * is discarded), R3b (ranges above stable are marked for every slot outside of
 * the set; readmission clears; an incarnation that the bitmap is not for sets
 * all bits, and the bitmap of a slot that was removed is for none), R7 and R10
 * (activation or readmission settles what earlier terms and lives left, log and
 * own bits alike; a slot outside of the set moves its log to its own bitmap).
 *
 * Locks: meta_lock held throughout; the change is one section of log_lock, so
 * that each write is either marked by its own mask or found by the scan.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "slot_impl.h"

#include "volume.h"

/**
 * struct change - what a configuration changes here; masks of slot numbers
 * @outside: other slots that are outside of the set
 * @fill: bitmaps that are for another incarnation: all bits are to be set
 * @clear: slots that are in the set again, or from the start
 * @forget: numbers without a slot whose bitmaps go
 * @own_outside: this slot is outside of the set
 * @settle: what earlier terms and lives left is dealt with
 */
struct change {
	u8	outside;
	u8	fill;
	u8	clear;
	u8	forget;
	bool	own_outside;
	bool	settle;
};

static bool outside_of(const struct hf_conf_data *conf, const struct hf_slot *slot)
{
	return !hf_conf_has_slot(conf, slot->nr, slot->vol->node_id, slot->super.incarnation) ||
	       (hf_conf_missing_mask(conf) & BIT(slot->nr));
}

static void plan_change(const struct hf_slot *slot, const struct hf_conf_data *old,
			const struct hf_conf_data *conf, bool attaching, struct change *change)
{
	u8 used = hf_conf_used_mask(conf), missing = hf_conf_missing_mask(conf);
	u8 was_missing = old ? hf_conf_missing_mask(old) : 0;
	bool was_active = old && old->term == conf->term && hf_conf_activated(old);
	bool was_outside = old && outside_of(old, slot);
	/* The primary's own slot is the reference; any other was ready in this term. */
	bool took_part = !attaching && (conf->primary_node == slot->vol->node_id ||
					READ_ONCE(slot->ready_term) == conf->term);
	u8 nr;

	memset(change, 0, sizeof(*change));
	change->own_outside = outside_of(conf, slot);
	change->outside = missing & ~BIT(slot->nr);
	/*
	 * A slot of the set may have acknowledged writes of an epoch before it
	 * adopted that epoch, since the two have no order (R1). So what the log
	 * says at attach is settled by no configuration that came meanwhile; nor
	 * by one that was decided about an earlier life, and is told to this one.
	 */
	change->settle = change->own_outside ||
			 (took_part && (was_outside || (hf_conf_activated(conf) && !was_active)));
	for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
		bool known = slot->super.bitmap_incarnation[nr] == conf->slots[nr].incarnation;

		if (!(used & BIT(nr))) {
			if (nr != slot->nr &&
			    (slot->bitmaps[nr] || slot->super.bitmap_incarnation[nr]))
				change->forget |= BIT(nr);
			continue;
		}
		if (!(missing & BIT(nr))) {
			if (!known || (nr == slot->nr ? change->settle : !!(was_missing & BIT(nr))))
				change->clear |= BIT(nr);
		} else if (!known) {
			change->fill |= BIT(nr);
		}
	}
}

/* In process context and before anything changed: it may fail here alone. */
static int make_bitmaps(struct hf_slot *slot, const struct change *change)
{
	u8 wanted = change->outside | change->fill;
	u8 nr;
	int error;

	if (change->own_outside)
		wanted |= BIT(slot->nr);
	for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
		if (!(wanted & BIT(nr)))
			continue;
		error = hf_bitmap_make(slot, nr);
		if (error)
			return error;
	}
	return 0;
}

/* Writes and copies among @from that no device has yet. log_lock held. */
static void __take_unsubmitted(struct list_head *from, struct list_head *stale)
{
	struct hf_slot_io *io, *next;

	list_for_each_entry_safe(io, next, from, entry) {
		if (io->op != HF_SLOT_READ && io->op != HF_SLOT_FLUSH)
			list_move_tail(&io->entry, stale);
	}
}

static u64 __change(struct hf_slot *slot, const struct hf_conf_data *conf,
		    const struct change *change, struct list_head *stale)
{
	u8 nr;

	lockdep_assert_held(&slot->log_lock);
	if (conf->term != slot->term) {
		__take_unsubmitted(&slot->roomless, stale);
		__take_unsubmitted(&slot->logging, stale);
		__take_unsubmitted(&slot->to_submit, stale);
	}
	slot->term = conf->term;
	slot->used_mask = hf_conf_used_mask(conf);
	slot->outside_mask = change->outside;
	slot->wanted_bitmaps &= slot->used_mask;
	slot->activated = hf_conf_activated(conf);
	slot->in_set = !change->own_outside;
	for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
		if (!slot->bitmaps[nr])
			continue;
		if (change->fill & BIT(nr))
			hf_bitmap_mark_all(slot->bitmaps[nr]);
		else if (change->clear & BIT(nr))
			hf_bitmap_clear_all(slot->bitmaps[nr]);
	}
	__hf_bitmaps_mark_extents(slot, change->outside, HF_AL_ABOVE_STABLE);
	if (change->own_outside)
		__hf_bitmaps_mark_extents(slot, BIT(slot->nr), HF_AL_LOGGED);
	hf_al_marked(&slot->al);
	return hf_al_bits_issue(&slot->al);
}

/*
 * The bits first: the superblock says for which incarnations they are. Those
 * of a removed slot last: cleared bits must never pass for its bitmap.
 */
static int make_durable(struct hf_slot *slot, const struct hf_conf_data *conf,
			const struct change *change)
{
	u8 used = hf_conf_used_mask(conf), nr;
	int error;

	error = hf_bitmaps_save(slot);
	if (error)
		return error;
	for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
		if (used & BIT(nr))
			slot->super.bitmap_incarnation[nr] = conf->slots[nr].incarnation;
		else if (change->forget & BIT(nr))
			slot->super.bitmap_incarnation[nr] = 0;
	}
	slot->super.term = conf->term;
	slot->super.epoch = conf->epoch;
	slot->super.conf = *conf;
	error = hf_meta_save_super(slot);
	return error ? error : hf_bitmaps_forget(slot, change->forget);
}

/* @old: what the superblock has, NULL: nothing yet. @attaching: a new life begins. */
int hf_adopt_data(struct hf_slot *slot, const struct hf_conf_data *old,
		  const struct hf_conf_data *conf, bool attaching)
{
	struct change change;
	unsigned long flags;
	LIST_HEAD(stale);
	int error;
	u64 bits;

	lockdep_assert_held(&slot->meta_lock);
	plan_change(slot, old, conf, attaching, &change);
	error = make_bitmaps(slot, &change);
	if (error)
		return error;
	spin_lock_irqsave(&slot->log_lock, flags);
	bits = __change(slot, conf, &change, &stale);
	spin_unlock_irqrestore(&slot->log_lock, flags);
	hf_slot_end_unsubmitted(&stale, -ESTALE);

	error = make_durable(slot, conf, &change);
	if (error) {
		/* Half adopted is neither: R3's failure of the slot. */
		hf_slot_fail(slot, error);
		return error;
	}
	spin_lock_irqsave(&slot->log_lock, flags);
	hf_al_bits_done(&slot->al, bits);
	if (change.settle)
		hf_al_settle(&slot->al, conf->term);
	slot->trim_due = true;
	__hf_log_kick(slot);
	spin_unlock_irqrestore(&slot->log_lock, flags);
	__hf_log_watch(slot);
	return 0;
}

int hf_slot_adopt(struct hf_slot *slot, const struct hf_conf *old_conf,
		  const struct hf_conf *new_conf)
{
	const struct hf_conf_data *old;
	int error = -EIO;

	mutex_lock(&slot->meta_lock);
	/* What counts is what the superblock has, whatever the volume had. */
	old = slot->super.epoch ? &slot->super.conf : NULL;
	if (hf_slot_state(slot) != HOLDFAST_SLOT_FAILED) {
		struct hf_conf_data before;

		if (old)
			before = *old;
		error = hf_adopt_data(slot, old ? &before : NULL, &new_conf->data, false);
	}
	mutex_unlock(&slot->meta_lock);
	return error;
}
