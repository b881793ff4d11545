// SPDX-License-Identifier: GPL-2.0
/*
 * The visible block device: tag set, limits, open and release, and the way of
 * a request into serve.c. It knows nothing of slots or configurations.
 *
 * Rules: R6 (openers of a dead disk keep it until they go), R15 (a timeout
 * never completes a request: its pages may be with a device or a socket).
 * Locks: openers and closing are under serve_lock. The gendisk and tag set
 * belong to the show and teardown jobs, which do not overlap.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "gendisk.h"

#include <linux/blk-mq.h>
#include <linux/cpumask.h>
#include <linux/module.h>

#include "compat/compat.h"
#include "disk.h"
#include "event.h"
#include "sysfs.h"
#include "volume.h"
#include "zero_core.h"

static int hf_major;	/* const while the module is loaded */

static blk_status_t queue_rq(struct blk_mq_hw_ctx *hctx, const struct blk_mq_queue_data *bd)
{
	blk_mq_start_request(bd->rq);
	return hf_serve_begin(hctx->queue->queuedata, bd->rq);
}

/* Held I/O is held as long as the rules say (R3, R6): never ended by time here. */
static enum blk_eh_timer_return timeout(struct request *rq)
{
	return BLK_EH_RESET_TIMER;
}

/*
 * A flush of a backing device ends a flush of ours, with the lock of the device's
 * flush machinery held: ours is another class of lock, and always the inner one.
 */
static struct lock_class_key flush_lock_key;

static int init_hctx(struct blk_mq_hw_ctx *hctx, void *data, unsigned int index)
{
	blk_mq_hctx_set_fq_lock_class(hctx, &flush_lock_key);
	return 0;
}

static const struct blk_mq_ops mq_ops = {
	.queue_rq	= queue_rq,
	.init_hctx	= init_hctx,
	.timeout	= timeout,
};

static int open_disk(HF_COMPAT_OPEN_ARGS)
{
	struct hf_disk *disk = HF_COMPAT_OPEN_DISK->private_data;
	bool first = false;
	unsigned long flags;
	int err = 0;

	spin_lock_irqsave(&disk->serve.serve_lock, flags);
	if (disk->closing || disk->serve.state == HOLDFAST_DISK_DEAD) {
		err = -ENXIO;
	} else {
		first = !disk->openers++;
		hf_disk_get(disk);
	}
	spin_unlock_irqrestore(&disk->serve.serve_lock, flags);
	if (first)
		hf_event(disk->vol, HOLDFAST_EVENT_OPENERS, hf_disk_event_nr(disk));
	return err;
}

static void release_disk(HF_COMPAT_RELEASE_ARGS)
{
	struct hf_disk *disk = gendisk->private_data;
	unsigned long flags;
	bool last, gone;

	spin_lock_irqsave(&disk->serve.serve_lock, flags);
	last = !--disk->openers;
	gone = last && disk->torn_down;
	spin_unlock_irqrestore(&disk->serve.serve_lock, flags);
	if (last)
		hf_event(disk->vol, HOLDFAST_EVENT_OPENERS, hf_disk_event_nr(disk));
	/* A dead disk is forgotten with its last opener (R6). */
	if (gone)
		hf_disk_queue(disk, &disk->control_work);
	hf_disk_put(disk);
}

static const struct block_device_operations fops = {
	.owner		= THIS_MODULE,
	.open		= open_disk,
	.release	= release_disk,
};

static int alloc_tags(struct hf_disk *disk)
{
	struct blk_mq_tag_set *set = &disk->tag_set;

	set->ops = &mq_ops;
	set->nr_hw_queues = min(num_online_cpus(), 4U);
	set->queue_depth = HF_DISK_DEPTH;
	set->numa_node = NUMA_NO_NODE;
	set->cmd_size = struct_size((struct hf_pdu *)NULL, bvecs, HF_DISK_SEGMENTS);
	/* One budget of tags a volume, so that a held one takes none of another's. */
	set->flags = HF_COMPAT_BLK_MQ_F_MERGE | BLK_MQ_F_TAG_HCTX_SHARED;
	set->timeout = 30 * HZ;
	return blk_mq_alloc_tag_set(set);
}

/* R16: stacked from what all slots that are linked say of themselves. */
static u32 discard_unit(struct hf_disk *disk)
{
	u32 units[HF_MAX_SLOTS] = {};
	unsigned long flags;
	u8 nr, mask = 0;

	/* R11: a disk without a slot offers none; whoever asks for zeros writes them. */
	if (!disk->slot)
		return 0;
	mask = BIT(disk->own_nr);
	units[disk->own_nr] = hf_slot_unmap_bytes(disk->slot);
	spin_lock_irqsave(&disk->serve.serve_lock, flags);
	for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
		if (!disk->remotes[nr].ready)
			continue;
		units[nr] = hf_link_facts(disk->remotes[nr].link)->unmap_bytes;
		mask |= BIT(nr);
	}
	spin_unlock_irqrestore(&disk->serve.serve_lock, flags);
	return hf_zero_offer(units, mask);
}

/* A copy joined that frees room, or in larger units; what was offered stays. */
static void update_discard(struct hf_disk *disk)
{
	u32 unit = max(discard_unit(disk), disk->discard_unit);

	if (unit == disk->discard_unit)
		return;
	disk->discard_unit = unit;
	hf_compat_set_discard(disk->gendisk->queue, disk->zero_max_bytes, unit);
}

static int alloc_disk(struct hf_disk *disk)
{
	struct hf_compat_limits limits = {
		.logical_block_bytes	= 512,
		.physical_block_bytes	= HF_BLOCK_BYTES,
		.max_io_bytes		= HF_MAX_IO_BYTES,
		.max_segments		= HF_DISK_SEGMENTS,
		.max_zero_bytes		= disk->zero_max_bytes,
		.discard_bytes		= discard_unit(disk),
	};
	struct gendisk *gendisk;

	gendisk = hf_compat_alloc_disk(&disk->tag_set, &limits, disk);
	if (IS_ERR(gendisk))
		return PTR_ERR(gendisk);
	gendisk->major = hf_major;
	gendisk->first_minor = disk->vdisk * HF_DISK_MINORS;
	gendisk->minors = HF_DISK_MINORS;
	gendisk->fops = &fops;
	gendisk->private_data = disk;
	snprintf(gendisk->disk_name, sizeof(gendisk->disk_name), "vd%u", disk->vdisk);
	set_capacity(gendisk, disk->size_bytes >> SECTOR_SHIFT);
	disk->gendisk = gendisk;
	disk->discard_unit = limits.discard_bytes;
	return 0;
}

static int try_show(struct hf_disk *disk)
{
	int err;

	err = alloc_tags(disk);
	if (err)
		return err;
	err = alloc_disk(disk);
	if (err)
		goto free_tags;
	err = device_add_disk(NULL, disk->gendisk, hf_sysfs_groups);
	if (err)
		goto put_disk;
	disk->added = true;
	return 0;

put_disk:
	put_disk(disk->gendisk);
	disk->gendisk = NULL;
free_tags:
	blk_mq_free_tag_set(&disk->tag_set);
	memset(&disk->tag_set, 0, sizeof(disk->tag_set));
	return err;
}

static bool is_dead(struct hf_disk *disk)
{
	return READ_ONCE(disk->serve.state) == HOLDFAST_DISK_DEAD;
}

void hf_gendisk_show(struct hf_disk *disk)
{
	bool told = false;
	int err;

	if (disk->added) {
		update_discard(disk);
		return;
	}
	/* An older instance may still be on its way out and have the name: try again. */
	while (!disk->added && !is_dead(disk)) {
		err = try_show(disk);
		if (!err)
			break;
		if (!told)
			pr_warn("vd%u: cannot show the disk yet, error %d\n", disk->vdisk, err);
		told = true;
		wait_event_timeout(disk->wait, is_dead(disk), HZ / 4);
	}
	if (disk->added)
		hf_event(disk->vol, HOLDFAST_EVENT_DISK, hf_disk_event_nr(disk));
}

void hf_gendisk_remove(struct hf_disk *disk)
{
	if (!disk->added)
		return;
	del_gendisk(disk->gendisk);
	put_disk(disk->gendisk);
	blk_mq_free_tag_set(&disk->tag_set);
	disk->gendisk = NULL;
	disk->added = false;
}

int hf_gendisk_init(void)
{
	hf_major = register_blkdev(0, "holdfast");
	return hf_major < 0 ? hf_major : 0;
}

void hf_gendisk_exit(void)
{
	unregister_blkdev(hf_major, "holdfast");
}
