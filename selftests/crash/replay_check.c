// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What must hold of the devices of all slots after a cut at any moment.
 *
 * For each slot by itself: its metadata loads and never goes back (R1), and
 * each write that its data device may lose is named as unflushed by its log,
 * whatever the cut left of the metadata (R10).  For each pair: where the data
 * differs, the next primary or the next rebuild knows it (R3b, R7, R9).
 */
#include "replay.h"

#include <asm/byteorder.h>
#include <linux/errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN	20	/* what is wrong after that is only counted */

static const char *const losses[NR_LOSSES] = {
	"all that was not flushed is lost", "nothing is lost", "a part of it is lost",
};

static __attribute__((format(printf, 4, 5)))
void wrong(struct replay *replay, const struct slot *slot, enum loss loss, const char *text, ...)
{
	va_list args;

	if (replay->bad++ >= SHOWN)
		return;
	printf("# cut at %.6f s, %s: slot %u: ", (double)replay->now / 1e9, losses[loss],
	       slot->super.slot);
	va_start(args, text);
	vprintf(text, args);
	va_end(args);
	printf("\n");
}

/* The record that counts, as the module chooses it; NULL: none is valid. */
static const struct hf_disk_log *newest_record(const struct slot *slot)
{
	const struct hf_disk_log *found = NULL;

	for (uint32_t i = 0; i < slot->super.layout.log_blocks; i++) {
		const struct hf_disk_log *record = (const void *)
			(slot->device[META].state +
			 (uint64_t)(slot->super.layout.log_start + i) * HF_META_BLOCK);

		if (hf_al_record_valid(record, slot->super.incarnation) &&
		    (!found || le64_to_cpu(record->sequence) > le64_to_cpu(found->sequence)))
			found = record;
	}
	return found;
}

static bool load_log(struct slot *slot)
{
	const struct hf_disk_log *record = newest_record(slot);
	uint32_t nr_extents = hf_meta_nr_extents(&slot->super.layout);

	if (slot->nr_extents != nr_extents) {
		free(slot->extents);
		slot->extents = malloc(nr_extents);
		slot->nr_extents = nr_extents;
	}
	if (!slot->extents)
		exit(2);
	memset(slot->extents, 0, nr_extents);
	if (!record)
		return false;
	for (uint32_t i = 0; i < le32_to_cpu(record->entries); i++) {
		uint32_t entry = le32_to_cpu(record->extent[i]);
		uint32_t extent = entry & HF_LOG_EXTENT_MASK;
		uint8_t says = entry & HF_LOG_UNFLUSHED ? LOGGED | UNFLUSHED : LOGGED;

		if (extent == HF_AL_ALL_EXTENTS)
			for (uint32_t all = 0; all < nr_extents; all++)
				slot->extents[all] |= says;
		else if (extent >= nr_extents)
			return false;
		else
			slot->extents[extent] |= says;
	}
	return true;
}

static void load_slot(struct replay *replay, struct slot *slot, enum loss loss)
{
	const struct hf_disk_super *copies = (const void *)slot->device[META].state;
	const char *why = "it is not there";
	int err;

	slot->known = false;
	err = hf_meta_choose(copies, &slot->super, &why);
	if (err == -ENODATA && !slot->formatted)
		return;
	if (err) {
		wrong(replay, slot, loss, "no superblock: %s", why ? why : "it is not there");
		return;
	}
	if (slot->super.layout.size_bytes != replay->volume_bytes) {
		wrong(replay, slot, loss, "a volume of another size");
		return;
	}
	slot->known = true;
	if (slot->super.generation < slot->generation || slot->super.epoch < slot->epoch)
		wrong(replay, slot, loss, "the superblock went back from epoch %llu to %llu (R1)",
		      (unsigned long long)slot->epoch, (unsigned long long)slot->super.epoch);
	if (loss == LOSE_ALL) {
		slot->formatted = true;
		slot->generation = slot->super.generation;
		slot->epoch = slot->super.epoch;
	}
	if (!load_log(slot))
		wrong(replay, slot, loss, "no valid record of the log (R10)");
}

/* The configuration with the highest epoch that any slot was told. */
static const struct hf_conf_data *newest_conf(const struct replay *replay)
{
	const struct hf_super *newest = NULL;

	for (unsigned int i = 0; i < replay->nr_slots; i++) {
		const struct slot *slot = &replay->slots[i];

		if (slot->known && slot->super.epoch && (!newest || slot->super.epoch > newest->epoch))
			newest = &slot->super;
	}
	return newest ? &newest->conf : NULL;
}

unsigned int in_sync(const struct replay *replay)
{
	const struct hf_conf_data *conf = newest_conf(replay);
	unsigned int mask = 0;

	for (unsigned int i = 0; conf && i < replay->nr_slots; i++) {
		const struct slot *slot = &replay->slots[i];

		if (slot->known && conf->in_sync_mask & 1u << slot->super.slot)
			mask |= 1u << i;
	}
	return mask;
}

/* R10: the log names a write before the data device gets it, until it is flushed. */
static void check_unflushed(struct replay *replay, struct slot *slot, enum loss loss)
{
	const struct device *data = &slot->device[DATA];
	unsigned int shift = slot->super.layout.extent_shift;

	for (size_t i = 0; i < data->nr_pending; i++) {
		const struct change *change = &data->pending[i];

		if (change->certain || !change->length)
			continue;
		replay->covered++;
		for (uint64_t extent = change->at >> shift;
		     extent <= (change->at + change->length - 1) >> shift; extent++) {
			if (slot->extents[extent] & UNFLUSHED)
				continue;
			wrong(replay, slot, loss,
			      "an unflushed write at %llu is not named so by the log (R10)",
			      (unsigned long long)change->at);
			return;
		}
	}
}

/* Does @holder's bitmap for slot number @nr (its own too) say that @block is dirty. */
static bool marked(const struct slot *holder, const struct slot *of, uint64_t block)
{
	const struct hf_meta_layout *layout = &holder->super.layout;
	const uint8_t *bits = holder->device[META].state +
		hf_meta_bitmap_block(layout, (u8)of->super.slot) * HF_META_BLOCK;
	uint64_t bit = block * BLOCK >> layout->granule_shift;

	if (holder != of &&
	    holder->super.bitmap_incarnation[of->super.slot] != of->super.incarnation)
		return true;	/* another incarnation: all bits count as set (R3b) */
	return bits[bit / 8] & 1u << bit % 8;
}

static bool logged(const struct slot *slot, uint64_t block)
{
	return slot->extents[block * BLOCK >> slot->super.layout.extent_shift] & LOGGED;
}

/*
 * Two slots of the set: what differs is in a log (R7).  One of them stale: or in
 * the other's marks for it, or in its own (R3b, R9).  Two stale ones: no matter.
 */
static bool known_to_differ(const struct replay *replay, unsigned int i, unsigned int j,
			    unsigned int set, uint64_t block)
{
	const struct slot *a = &replay->slots[i], *b = &replay->slots[j];

	if (logged(a, block) || logged(b, block))
		return true;
	if (!(set & 1u << j))
		return marked(a, b, block) || marked(b, b, block);
	if (!(set & 1u << i))
		return marked(b, a, block) || marked(a, a, block);
	return false;
}

static void check_block(struct replay *replay, unsigned int i, unsigned int j, unsigned int set,
			uint64_t block, enum loss loss)
{
	const uint8_t *a = replay->slots[i].device[DATA].state + block * BLOCK;
	const uint8_t *b = replay->slots[j].device[DATA].state + block * BLOCK;

	if (!memcmp(a, b, BLOCK))
		return;
	replay->unequal++;
	if (!known_to_differ(replay, i, j, set, block))
		wrong(replay, &replay->slots[i], loss,
		      "differs from slot %u at %llu, and neither a log nor a mark says so (R3b, R7)",
		      replay->slots[j].super.slot, (unsigned long long)(block * BLOCK));
}

static void check_pair(struct replay *replay, unsigned int i, unsigned int j, enum loss loss)
{
	const struct device *pair[2] = { &replay->slots[i].device[DATA],
					 &replay->slots[j].device[DATA] };
	unsigned int set = in_sync(replay);
	const uint8_t *differs = replay->differs[i][j];

	if (!(set & (1u << i | 1u << j)))
		return;
	for (uint64_t block = 0; block < replay->volume_bytes / BLOCK; block++)
		if (differs[block])
			check_block(replay, i, j, set, block, loss);
	for (unsigned int end = 0; end < 2; end++)
		for (size_t k = 0; k < pair[end]->nr_touched; k++)
			if (!differs[pair[end]->touched[k]])
				check_block(replay, i, j, set, pair[end]->touched[k], loss);
}

void check_state(struct replay *replay, enum loss loss)
{
	unsigned int set;

	replay->states++;
	for (unsigned int i = 0; i < replay->nr_slots; i++)
		load_slot(replay, &replay->slots[i], loss);
	set = in_sync(replay);
	for (unsigned int i = 0; i < replay->nr_slots; i++) {
		if (set & 1u << i)
			check_unflushed(replay, &replay->slots[i], loss);
		for (unsigned int j = i + 1; j < replay->nr_slots; j++)
			if (replay->slots[i].known && replay->slots[j].known)
				check_pair(replay, i, j, loss);
	}
}
