// SPDX-License-Identifier: GPL-2.0
/*
 * I/O on the metadata device, one block at a time, and the superblock.  The
 * formats are meta_core.c's; what goes into log and bitmaps is al.c's and
 * bitmap.c's.
 *
 * Rules: R1 (term, epoch and configuration are durable before they are acted
 * on), R3 (an error or hang of the metadata device is its slot's failure),
 * R15 (the page and bio of a hung I/O stay with it, and so does the slot).
 *
 * Locks: meta_lock held by every caller, so one I/O at a time.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "slot_impl.h"

#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "main.h"
#include "volume.h"

static void meta_end(struct bio *bio)
{
	struct hf_slot *slot = bio->bi_private;

	complete(&slot->meta_done);
	hf_slot_put(slot);
}

/* One I/O of meta_page; @opf without data is a flush. */
static int meta_io(struct hf_slot *slot, blk_opf_t opf, u64 block, bool payload)
{
	struct bio *bio = &slot->meta_bio;
	unsigned long timeout = msecs_to_jiffies(hf_time_ms(HF_DEVICE_TIMEOUT_MS));

	lockdep_assert_held(&slot->meta_lock);
	if (slot->meta_stuck)
		return -EIO;
	bio_init(bio, slot->meta.bdev.bdev, &slot->meta_vec, 1, opf);
	if (payload) {
		bio->bi_iter.bi_sector = block * (HF_META_BLOCK >> SECTOR_SHIFT);
		__bio_add_page(bio, virt_to_page(slot->meta_page), HF_META_BLOCK,
			       offset_in_page(slot->meta_page));
	}
	bio->bi_private = hf_slot_get(slot);
	bio->bi_end_io = meta_end;
	reinit_completion(&slot->meta_done);
	submit_bio(bio);
	if (!wait_for_completion_io_timeout(&slot->meta_done, timeout)) {
		slot->meta_stuck = true;
		hf_slot_fail(slot, -ETIMEDOUT);
		return -EIO;
	}
	if (bio->bi_status) {
		hf_slot_fail(slot, blk_status_to_errno(bio->bi_status));
		return -EIO;
	}
	return 0;
}

int hf_meta_read(struct hf_slot *slot, u64 block, void *to)
{
	int error = meta_io(slot, REQ_OP_READ | REQ_META, block, true);

	if (!error)
		memcpy(to, slot->meta_page, HF_META_BLOCK);
	return error;
}

/* @from may be meta_page itself. */
int hf_meta_write(struct hf_slot *slot, u64 block, const void *from, bool durable)
{
	blk_opf_t opf = REQ_OP_WRITE | REQ_META | REQ_SYNC;

	if (slot->meta_stuck)
		return -EIO;
	if (durable)
		opf |= REQ_FUA;
	if (from != slot->meta_page)
		memcpy(slot->meta_page, from, HF_META_BLOCK);
	return meta_io(slot, opf, block, true);
}

int hf_meta_flush(struct hf_slot *slot)
{
	return meta_io(slot, REQ_OP_WRITE | REQ_PREFLUSH | REQ_SYNC, 0, false);
}

/* Reads both copies and takes the one that counts. */
int hf_meta_load_super(struct hf_slot *slot, struct netlink_ext_ack *extack)
{
	struct hf_disk_super *copies;
	const char *why = "";
	unsigned int i;
	int error;

	copies = kvmalloc_array(HF_SUPER_COPIES, sizeof(*copies), GFP_KERNEL);
	if (!copies)
		return -ENOMEM;
	for (i = 0; i < HF_SUPER_COPIES; i++) {
		error = hf_meta_read(slot, i, &copies[i]);
		if (error) {
			NL_SET_ERR_MSG(extack, "The metadata device cannot be read");
			goto out;
		}
	}
	error = hf_meta_choose(copies, &slot->super, &why);
	if (error) {
		NL_SET_ERR_MSG(extack, "The metadata device has no usable superblock");
		pr_info("%pUb: metadata device refused: %s\n", &slot->vol->uuid, why);
	}
out:
	kvfree(copies);
	return error;
}

/* Durable when it returns 0. */
int hf_meta_save_super(struct hf_slot *slot)
{
	if (slot->meta_stuck)
		return -EIO;
	slot->super.generation++;
	hf_meta_encode(&slot->super, slot->meta_page);
	/* What it says of the bitmaps must not be durable before them. */
	return meta_io(slot, REQ_OP_WRITE | REQ_META | REQ_SYNC | REQ_PREFLUSH | REQ_FUA,
		       hf_meta_copy(slot->super.generation), true);
}

int hf_meta_init(struct hf_slot *slot)
{
	mutex_init(&slot->meta_lock);
	init_completion(&slot->meta_done);
	slot->meta_page = (void *)__get_free_page(GFP_KERNEL);
	return slot->meta_page ? 0 : -ENOMEM;
}

void hf_meta_destroy(struct hf_slot *slot)
{
	free_page((unsigned long)slot->meta_page);
}
