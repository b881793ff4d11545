/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernels that the module is built for (6.1 and 6.12
 * of Debian 12).  The only file with conditions on the kernel.  A feature that
 * shows as a macro is asked for by that macro, since stable trees carry new
 * interfaces back; the rest goes by version.
 */
#ifndef _HOLDFAST_COMPAT_H
#define _HOLDFAST_COMPAT_H

#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/err.h>
#include <linux/version.h>
#include <linux/workqueue.h>
#include <net/genetlink.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#include <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif

#ifndef WQ_PERCPU
#define WQ_PERCPU 0
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 14, 0)
#define HF_COMPAT_BLK_MQ_F_MERGE	0
#else
#define HF_COMPAT_BLK_MQ_F_MERGE	BLK_MQ_F_SHOULD_MERGE
#endif

/* ------------------------------------------------------- backing devices */

/* An exclusively opened block device; all zero: none. */
struct hf_compat_bdev {
	struct block_device	*bdev;
	struct file		*file;	/* NULL on kernels that open without one */
};

/* Open for reading and writing, exclusively. Process context. */
static inline int hf_compat_bdev_open(const char *path, void *holder, struct hf_compat_bdev *out)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0)
	struct file *file = bdev_file_open_by_path(path, BLK_OPEN_READ | BLK_OPEN_WRITE,
						   holder, NULL);

	if (IS_ERR(file))
		return PTR_ERR(file);
	out->file = file;
	out->bdev = file_bdev(file);
#else
	struct block_device *bdev = blkdev_get_by_path(path, FMODE_READ | FMODE_WRITE |
						       FMODE_EXCL, holder);

	if (IS_ERR(bdev))
		return PTR_ERR(bdev);
	out->file = NULL;
	out->bdev = bdev;
#endif
	return 0;
}

/* Process context. */
static inline void hf_compat_bdev_close(struct hf_compat_bdev *bdev)
{
	if (!bdev->bdev)
		return;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0)
	bdev_fput(bdev->file);
#else
	blkdev_put(bdev->bdev, FMODE_READ | FMODE_WRITE | FMODE_EXCL);
#endif
	bdev->bdev = NULL;
	bdev->file = NULL;
}

/* ------------------------------------------------------- the visible disk */

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
#define HF_COMPAT_OPEN_ARGS		struct gendisk *gendisk, blk_mode_t mode
#define HF_COMPAT_OPEN_DISK		(gendisk)
#define HF_COMPAT_RELEASE_ARGS		struct gendisk *gendisk
#else
#define HF_COMPAT_OPEN_ARGS		struct block_device *bdev, fmode_t mode
#define HF_COMPAT_OPEN_DISK		((bdev)->bd_disk)
#define HF_COMPAT_RELEASE_ARGS		struct gendisk *gendisk, fmode_t mode
#endif

/* What the module asks of the queue limits, the same on every kernel. */
struct hf_compat_limits {
	unsigned int	logical_block_bytes;
	unsigned int	physical_block_bytes;
	unsigned int	max_io_bytes;
	unsigned int	max_segments;
	unsigned int	max_zero_bytes;		/* of a discard or zero write */
	unsigned int	discard_bytes;		/* unit of discards; 0: none */
};

/* Offer discards, on a disk that may be in use. Process context. */
static inline void hf_compat_set_discard(struct request_queue *queue, unsigned int max_bytes,
					 unsigned int unit_bytes)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
	struct queue_limits lim = queue_limits_start_update(queue);

	lim.max_hw_discard_sectors = max_bytes >> SECTOR_SHIFT;
	lim.discard_granularity = unit_bytes;
	/* The limits were right before, and these depend on no other. */
	WARN_ON_ONCE(queue_limits_commit_update(queue, &lim));
#else
	queue->limits.discard_granularity = unit_bytes;
	blk_queue_max_discard_sectors(queue, max_bytes >> SECTOR_SHIFT);
#endif
}

/*
 * A disk on @set with a volatile write cache, FUA, stable pages and zero
 * writes; discards if there is a unit of them. ERR_PTR on failure. Process
 * context.
 */
static inline struct gendisk *hf_compat_alloc_disk(struct blk_mq_tag_set *set,
						   const struct hf_compat_limits *want, void *data)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
	struct queue_limits lim = {
		.logical_block_size	= want->logical_block_bytes,
		.physical_block_size	= want->physical_block_bytes,
		.io_min			= want->physical_block_bytes,
		.max_hw_sectors		= want->max_io_bytes >> SECTOR_SHIFT,
		.max_segments		= want->max_segments,
		.max_segment_size	= UINT_MAX,
		.max_write_zeroes_sectors = want->max_zero_bytes >> SECTOR_SHIFT,
		.max_hw_discard_sectors	= want->discard_bytes ?
					  want->max_zero_bytes >> SECTOR_SHIFT : 0,
		.discard_granularity	= want->discard_bytes,
		.features		= BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA |
					  BLK_FEAT_STABLE_WRITES,
	};

	return blk_mq_alloc_disk(set, &lim, data);
#else
	struct gendisk *disk = blk_mq_alloc_disk(set, data);
	struct request_queue *queue;

	if (IS_ERR(disk))
		return disk;
	queue = disk->queue;
	blk_queue_logical_block_size(queue, want->logical_block_bytes);
	blk_queue_physical_block_size(queue, want->physical_block_bytes);
	blk_queue_io_min(queue, want->physical_block_bytes);
	blk_queue_max_hw_sectors(queue, want->max_io_bytes >> SECTOR_SHIFT);
	blk_queue_max_segments(queue, want->max_segments);
	blk_queue_max_segment_size(queue, UINT_MAX);
	blk_queue_max_write_zeroes_sectors(queue, want->max_zero_bytes >> SECTOR_SHIFT);
	queue->limits.discard_granularity = want->discard_bytes;
	blk_queue_max_discard_sectors(queue, want->discard_bytes ?
				      want->max_zero_bytes >> SECTOR_SHIFT : 0);
	blk_queue_flag_set(QUEUE_FLAG_NONROT, queue);
	blk_queue_flag_set(QUEUE_FLAG_STABLE_WRITES, queue);
	blk_queue_write_cache(queue, true, true);
	return disk;
#endif
}

/* ---------------------------------------------------------------- netlink */

/* Attributes of a running dump. */
static inline struct nlattr **hf_compat_dump_attrs(struct netlink_callback *cb)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	return genl_info_dump(cb)->attrs;
#else
	return genl_dumpit_info(cb)->attrs;
#endif
}

#endif /* _HOLDFAST_COMPAT_H */
