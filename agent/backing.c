// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Backing devices of slots: make a slot on a pair of devices with the same
 * zeros as everywhere (R16); give it back.  Whether an operator's pair may be
 * taken is asked in backing_check.c.  Which pair serves which volume is the
 * cluster state's affair.  No locks: one pair is worked on by one caller at a
 * time, and two at once meet at the exclusive open.
 */
#include "backing.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../kernel/meta_core.h"
#include "backing_dev.h"
#include "backing_internal.h"

#define SAMPLES		64	/* blocks that are read back after zeroing */

int backing_refuse(int error, char *why, size_t why_len, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, why_len, fmt, args);
	va_end(args);
	return error;
}

int backing_device(const char *path, char *device, char *why, size_t why_len)
{
	struct stat st;
	int err;

	if (stat(path, &st))
		return backing_refuse(-errno, why, why_len, "%s: %s", path, strerror(errno));
	if (S_ISBLK(st.st_mode)) {
		if (snprintf(device, BACKING_PATH_MAX, "%s", path) >= BACKING_PATH_MAX)
			return backing_refuse(-ENAMETOOLONG, why, why_len, "a path is too long");
		return 0;
	}
	if (!S_ISREG(st.st_mode))
		return backing_refuse(-ENOTBLK, why, why_len, "%s is neither a block device nor a file",
				      path);

	err = backing_loop_find(path, device);
	if (err)
		err = backing_loop_make(path, device);
	if (err)
		backing_refuse(err, why, why_len, "no loop device for %s: %s", path, strerror(-err));
	return err;
}

void backing_release(const char *path)
{
	char device[BACKING_PATH_MAX];
	struct stat st;

	if (!stat(path, &st) && S_ISREG(st.st_mode) && !backing_loop_find(path, device))
		backing_loop_detach(device);
}

/* ------------------------------------------------------------------- make */

/* What a metadata device says: 0 with @super, -ENODATA for nothing, or -errno. */
static int read_super(const char *device, struct hf_super *super)
{
	struct hf_disk_super *blocks = backing_dev_buffer(HF_SUPER_COPIES * sizeof(*blocks));
	struct backing_dev dev;
	const char *reason;
	int err;

	if (!blocks)
		return -ENOMEM;
	err = backing_dev_open(&dev, device, BACKING_LOOK);
	if (!err) {
		err = backing_dev_read(&dev, 0, blocks, HF_SUPER_COPIES * sizeof(*blocks));
		backing_dev_close(&dev);
	}
	if (!err)
		err = hf_meta_choose(blocks, super, &reason);
	free(blocks);
	return err;
}

static bool is_of(const struct hf_super *super, const struct backing_slot *slot)
{
	return !memcmp(super->volume, slot->volume, sizeof(super->volume)) &&
	       super->incarnation == slot->incarnation && super->slot == slot->slot_nr;
}

static int write_block(void *context, u64 block, const void *data)
{
	return backing_dev_write(context, block * HF_META_BLOCK, data, HF_META_BLOCK);
}

static int zero_blocks(void *context, u64 block, u64 count)
{
	return backing_dev_zero(context, block * HF_META_BLOCK, count * HF_META_BLOCK);
}

static int flush_blocks(void *context)
{
	return backing_dev_flush(context);
}

/* Zeros that a device only claims to have written are found out by samples (R16). */
static int sample_zeros(const struct backing_dev *dev, uint64_t bytes)
{
	static const char zeros[HF_BLOCK_BYTES];
	uint64_t blocks = bytes / HF_BLOCK_BYTES, block;
	char *buf = backing_dev_buffer(HF_BLOCK_BYTES);
	int err = buf ? 0 : -ENOMEM;
	unsigned int i;

	for (i = 0; !err && i < SAMPLES; i++) {
		if (i < 2)
			block = i ? blocks - 1 : 0;
		else if (getrandom(&block, sizeof(block), 0) == sizeof(block))
			block %= blocks;
		else
			err = -EIO;
		if (!err)
			err = backing_dev_read(dev, block * HF_BLOCK_BYTES, buf, HF_BLOCK_BYTES);
		if (!err && memcmp(buf, zeros, sizeof(zeros)))
			err = -EILSEQ;
	}
	free(buf);
	return err;
}

static int zero_data(const struct backing_slot *slot, const char *device, char *why,
		     size_t why_len)
{
	struct backing_dev dev;
	int err = backing_dev_open(&dev, device, BACKING_OWN);

	if (err)
		return backing_refuse(err, why, why_len, "%s cannot be taken: %s", device, strerror(-err));
	if (dev.bytes < slot->size_bytes)
		err = backing_refuse(-ENOSPC, why, why_len, "%s is smaller than the volume", device);
	if (!err) {
		if (!slot->is_zeroed)
			err = backing_dev_zero(&dev, 0, slot->size_bytes);
		if (!err)
			err = backing_dev_flush(&dev);
		if (!err)
			err = sample_zeros(&dev, slot->size_bytes);
		if (err == -EILSEQ)
			backing_refuse(err, why, why_len, "%s does not read as zeros after zeroing", device);
		else if (err)
			backing_refuse(err, why, why_len, "%s cannot be zeroed: %s", device,
				       strerror(-err));
	}
	backing_dev_close(&dev);
	return err;
}

static int write_meta(const struct backing_slot *slot, const char *device,
		      const struct hf_meta_layout *layout, char *why, size_t why_len)
{
	struct backing_dev dev;
	struct hf_meta_writer writer = {
		.write = write_block, .zero = zero_blocks, .flush = flush_blocks,
		.context = &dev,
	};
	void *block = backing_dev_buffer(HF_META_BLOCK);
	int err = block ? backing_dev_open(&dev, device, BACKING_OWN) : -ENOMEM;

	if (err) {
		free(block);
		return backing_refuse(err, why, why_len, "%s cannot be taken: %s", device, strerror(-err));
	}
	if (dev.bytes < hf_meta_min_bytes(layout)) {
		err = backing_refuse(-ENOSPC, why, why_len, "%s is too small for the volume's metadata",
				     device);
	} else {
		err = hf_meta_format(layout, slot->volume, slot->incarnation, slot->slot_nr,
				     slot->node, block, &writer);
		if (err)
			backing_refuse(err, why, why_len, "%s cannot be formatted: %s", device,
				       strerror(-err));
	}
	backing_dev_close(&dev);
	free(block);
	return err;
}

static int format_devices(const struct backing_slot *slot, const char *data, const char *meta,
			  bool zero, const struct hf_meta_layout *layout, char *why,
			  size_t why_len)
{
	int err = zero ? zero_data(slot, data, why, why_len) : 0;

	/* Metadata last: its presence says that the zeros are there. */
	return err ? err : write_meta(slot, meta, layout, why, why_len);
}

int backing_format(const struct backing_slot *slot, bool zero, uint32_t log_entries,
		   uint32_t extent_shift, char *why, size_t why_len)
{
	char data[BACKING_PATH_MAX], meta[BACKING_PATH_MAX];
	struct hf_meta_layout layout;
	const char *reason = NULL;
	int err;

	err = hf_meta_layout_init(&layout, slot->size_bytes, extent_shift, log_entries, 0, &reason);
	if (err)
		return backing_refuse(err, why, why_len, "%s", reason);
	err = backing_device(slot->data_path, data, why, why_len);
	if (!err)
		err = backing_device(slot->meta_path, meta, why, why_len);
	return err ? err : format_devices(slot, data, meta, zero, &layout, why, why_len);
}

int backing_make(const struct backing_slot *slot, char *why, size_t why_len)
{
	char meta[BACKING_PATH_MAX];
	struct hf_super super;
	int err;

	err = backing_device(slot->meta_path, meta, why, why_len);
	if (err)
		return err;
	err = read_super(meta, &super);
	if (!err && is_of(&super, slot))
		return 0;
	if (slot->is_own && (!err || err == -ENODATA || err == -EINVAL))
		return backing_format(slot, true, 0, 0, why, why_len);
	if (!err)
		return backing_refuse(-EEXIST, why, why_len, "%s carries the metadata of another slot",
				      slot->meta_path);
	if (err != -ENODATA)
		return backing_refuse(err, why, why_len, "%s cannot be read as metadata: %s",
				      slot->meta_path, strerror(-err));
	return backing_format(slot, true, 0, 0, why, why_len);
}

int backing_retire(const struct backing_slot *slot, char *why, size_t why_len)
{
	struct backing_dev dev;
	char meta[BACKING_PATH_MAX];
	struct hf_super super;
	int err;

	err = backing_device(slot->meta_path, meta, why, why_len);
	if (err)
		return err;
	err = read_super(meta, &super);
	if (err == -ENODATA || (!err && !is_of(&super, slot)))
		return 0;
	if (err)
		return backing_refuse(err, why, why_len, "%s cannot be read: %s", slot->meta_path,
				      strerror(-err));

	err = backing_dev_open(&dev, meta, BACKING_OWN);
	if (err)
		return backing_refuse(err, why, why_len, "%s cannot be taken: %s", slot->meta_path,
				      strerror(-err));
	err = backing_dev_zero(&dev, 0, (uint64_t)HF_SUPER_COPIES * HF_META_BLOCK);
	if (!err)
		err = backing_dev_flush(&dev);
	backing_dev_close(&dev);
	if (err)
		return backing_refuse(err, why, why_len, "%s cannot be wiped: %s", slot->meta_path,
				      strerror(-err));
	backing_release(slot->data_path);
	backing_release(slot->meta_path);
	return 0;
}
