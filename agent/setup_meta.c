// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * holdfast-setup format, dump-meta: make an empty slot on two devices, and say
 * what a metadata device holds, without the module.  Reading changes nothing
 * and needs no exclusive access; a slot in use may change meanwhile.
 */
#include "setup.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../kernel/al_core.h"
#include "../kernel/bitmap_core.h"
#include "backing.h"
#include "backing_dev.h"

#define RUNS_SHOWN	8

int setup_cmd_format(struct setup *setup)
{
	struct backing_slot slot = {
		.node = (u32)setup->node_id,
		.slot_nr = (u8)setup->slot,
		.incarnation = setup->incarnation,
		.data_path = setup->argv[0],
		.meta_path = setup->argv[1],
	};
	char why[BACKING_WHY_MAX];
	int err;

	if (!setup->size || !setup_parse_size(setup->size, &slot.size_bytes))
		return setup_usage("format needs --size");
	if (!setup->node_id || !setup->incarnation || setup->slot >= HF_MAX_SLOTS)
		return setup_usage("format needs --node-id, --incarnation and --slot below %d",
				   HF_MAX_SLOTS);

	memcpy(slot.volume, setup->volume, sizeof(slot.volume));
	err = backing_format(&slot, !setup->no_zero, (u32)setup->log_entries,
			     (u32)setup->extent_shift, why, sizeof(why));
	/* loop devices of files are for the formatting alone */
	backing_release(slot.data_path);
	backing_release(slot.meta_path);
	return err ? setup_fail("%s", why) : SETUP_OK;
}

/* The file is read by position; a short read is an error. */
static bool read_blocks(int fd, u64 block, void *buf, size_t blocks)
{
	size_t bytes = blocks * HF_META_BLOCK;

	return pread(fd, buf, bytes, (off_t)(block * HF_META_BLOCK)) == (ssize_t)bytes;
}

static void print_super(const struct hf_super *super)
{
	const struct hf_meta_layout *layout = &super->layout;
	char name[SETUP_NAME_MAX];
	int i;

	setup_volume_name(super->volume, name);
	printf("super generation=%llu volume=%s slot=%u node=%u incarnation=0x%016llx size_bytes=%llu term=%llu epoch=%llu promise_open=%d\n",
	       (unsigned long long)super->generation, name, super->slot, super->node,
	       (unsigned long long)super->incarnation, (unsigned long long)layout->size_bytes,
	       (unsigned long long)super->term, (unsigned long long)super->epoch,
	       super->promise_open);
	printf("layout extent_shift=%u log_entries=%u granule_shift=%u log_start=%u log_blocks=%u bitmap_start=%u bitmap_blocks=%u total_blocks=%llu\n",
	       layout->extent_shift, layout->log_entries, layout->granule_shift,
	       layout->log_start, layout->log_blocks, layout->bitmap_start,
	       layout->bitmap_blocks, (unsigned long long)layout->total_blocks);
	if (super->epoch)
		printf("conf epoch=%llu term=%llu primary=%u:0x%016llx activated=%llu:0x%016llx in_sync_mask=0x%x\n",
		       (unsigned long long)super->conf.epoch,
		       (unsigned long long)super->conf.term, super->conf.primary_node,
		       (unsigned long long)super->conf.primary_instance,
		       (unsigned long long)super->conf.activated_term,
		       (unsigned long long)super->conf.activated_instance,
		       super->conf.in_sync_mask);
	for (i = 0; i < HF_MAX_SLOTS; i++)
		if (super->bitmap_incarnation[i])
			printf("bitmap-for %d incarnation=0x%016llx\n", i,
			       (unsigned long long)super->bitmap_incarnation[i]);
}

static const struct hf_disk_log *newest_record(const struct hf_disk_log *ring, u32 blocks,
					       u64 incarnation)
{
	const struct hf_disk_log *best = NULL;
	u32 i;

	for (i = 0; i < blocks; i++)
		if (hf_al_record_valid(&ring[i], incarnation) &&
		    (!best || le64toh(ring[i].sequence) > le64toh(best->sequence)))
			best = &ring[i];
	return best;
}

static void print_record(const struct hf_disk_log *record)
{
	u32 i, word;

	if (!record) {
		puts("log unreadable: every extent may differ");
		return;
	}
	printf("log sequence=%llu term=%llu entries=%u\n",
	       (unsigned long long)le64toh(record->sequence),
	       (unsigned long long)le64toh(record->term), le32toh(record->entries));
	for (i = 0; i < le32toh(record->entries); i++) {
		word = le32toh(record->extent[i]);
		if ((word & HF_LOG_EXTENT_MASK) == HF_AL_ALL_EXTENTS)
			printf("extent all%s\n", word & HF_LOG_UNFLUSHED ? " unflushed" : "");
		else
			printf("extent %u%s\n", word & HF_LOG_EXTENT_MASK,
			       word & HF_LOG_UNFLUSHED ? " unflushed" : "");
	}
}

static int dump_log(int fd, const struct hf_super *super)
{
	u32 blocks = super->layout.log_blocks;
	struct hf_disk_log *ring = backing_dev_buffer(blocks * sizeof(*ring));

	if (!ring)
		return setup_fail("no memory");
	if (read_blocks(fd, super->layout.log_start, ring, blocks))
		print_record(newest_record(ring, blocks, super->incarnation));
	else
		puts("log cannot be read");
	free(ring);
	return SETUP_OK;
}

static void print_bitmap(int slot, const struct hf_bitmap *bm)
{
	u64 from = 0, start, end;
	int runs = 0;

	printf("bitmap %d dirty_bytes=%llu\n", slot,
	       (unsigned long long)hf_bitmap_dirty_bytes(bm));
	while (hf_bitmap_next(bm, from, &start, &end)) {
		if (++runs > RUNS_SHOWN) {
			puts("  …");
			break;
		}
		printf("  %llu-%llu\n", (unsigned long long)start, (unsigned long long)end);
		from = end;
	}
}

static int dump_bitmap(int fd, const struct hf_super *super, u8 slot)
{
	const struct hf_meta_layout *layout = &super->layout;
	u64 size = layout->size_bytes;
	u8 shift = (u8)layout->granule_shift;
	void *words = backing_dev_buffer(hf_bitmap_words_bytes(size, shift));
	void *flags = calloc(2, hf_bitmap_flags_bytes(size, shift));
	int ret = SETUP_OK;
	struct hf_bitmap bm;

	if (words && flags) {
		hf_bitmap_init(&bm, words, flags, size, shift);
		if (read_blocks(fd, hf_meta_bitmap_block(layout, slot), words,
				layout->bitmap_blocks)) {
			hf_bitmap_loaded(&bm);
			print_bitmap(slot, &bm);
		} else {
			printf("bitmap %d cannot be read\n", slot);
		}
	} else {
		ret = setup_fail("no memory");
	}
	free(words);
	free(flags);
	return ret;
}

/* The module writes past the page cache, so a device must be read past it too. */
static int open_meta(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECT);

	return fd >= 0 || errno != EINVAL ? fd : open(path, O_RDONLY | O_CLOEXEC);
}

static int read_super(int fd, const char *path, struct hf_super *super)
{
	struct hf_disk_super *copies = backing_dev_buffer(HF_SUPER_COPIES * sizeof(*copies));
	const char *why = "";
	int ret = SETUP_OK;

	if (fd < 0 || !copies)
		ret = setup_fail("%s cannot be opened: %m", path);
	else if (!read_blocks(fd, 0, copies, HF_SUPER_COPIES))
		ret = setup_fail("%s cannot be read", path);
	else if (hf_meta_choose(copies, super, &why))
		ret = setup_fail("%s holds no metadata of a slot: %s", path, why);
	free(copies);
	return ret;
}

int setup_read_super(const char *path, struct hf_super *super)
{
	int fd = open_meta(path), ret = read_super(fd, path, super);

	if (fd >= 0)
		close(fd);
	return ret;
}

int setup_cmd_dump_meta(struct setup *setup)
{
	int fd = open_meta(setup->argv[0]), ret, i;
	struct hf_super super;

	ret = read_super(fd, setup->argv[0], &super);
	if (!ret) {
		print_super(&super);
		ret = dump_log(fd, &super);
	}
	for (i = 0; !ret && i < HF_MAX_SLOTS; i++)
		ret = dump_bitmap(fd, &super, (u8)i);
	if (fd >= 0)
		close(fd);
	return ret;
}
