// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * storage-tool: the calls of storage.h from a command line, for tests against
 * lvm itself and against one that is played.
 *
 *	storage-tool make ID thin|thick DEVICE
 *	storage-tool wipe|list ID thin|thick
 *	storage-tool create|open|remove|extend ID thin|thick NAME DATA_MIB META_MIB
 *	storage-tool snapshot ID thin|thick NAME SNAPSHOT
 *	storage-tool free
 *
 * Exit status 0, or 1 with "ERRNO: sentence" on standard error.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../disks.h"
#include "../../storage.h"

static int fail(int err, const char *why)
{
	fprintf(stderr, "%s: %s\n", strerrorname_np(-err), why);
	return 1;
}

static int list(const struct storage_drive *drive)
{
	char why[STORAGE_WHY_BYTES] = "";
	struct storage_list list;
	unsigned int i;
	int err = storage_drive_list(drive, &list, why, sizeof(why));

	if (err)
		return fail(err, why);
	printf("disk %s data %llu used %u.%02u meta %u.%02u full %d\n", list.disk,
	       (unsigned long long)list.data_bytes, list.data_pct / 100, list.data_pct % 100,
	       list.meta_pct / 100, list.meta_pct % 100, list.is_full);
	for (i = 0; i < list.count; i++)
		printf("item %s %llu%s\n", list.items[i].name,
		       (unsigned long long)list.items[i].bytes,
		       list.items[i].is_ours ? "" : " foreign");
	storage_list_clear(&list);
	return 0;
}

static int make(const struct storage_drive *drive, const char *device)
{
	char why[STORAGE_WHY_BYTES] = "";
	struct storage_made made;
	int err = storage_drive_make(drive, device, &made, why, sizeof(why));

	if (err)
		return fail(err, why);
	printf("made %s data %llu meta %llu %s\n", made.disk,
	       (unsigned long long)made.data_bytes, (unsigned long long)made.meta_bytes,
	       made.rotational ? "HDD" : "SSD");
	return 0;
}

static int list_free(void)
{
	struct disk disks[DISKS_MAX];
	unsigned int i, count = disks_free(disks, DISKS_MAX);

	for (i = 0; i < count; i++)
		printf("free %s %llu\n", disks[i].name, (unsigned long long)disks[i].bytes);
	return 0;
}

static int on_slot(const struct storage_drive *drive, int argc, char **argv)
{
	char data[STORAGE_PATH_BYTES], meta[STORAGE_PATH_BYTES], why[STORAGE_WHY_BYTES] = "";
	char at[2][STORAGE_PATH_BYTES];
	struct storage_slot slot = { .drive = *drive, .data_path = data, .meta_path = meta };
	int err = -EINVAL;

	snprintf(data, sizeof(data), "/dev/holdfast-%08x/%s", drive->id, argv[4]);
	snprintf(meta, sizeof(meta), "/dev/holdfast-%08x/%s-meta", drive->id, argv[4]);
	snprintf(slot.tag, sizeof(slot.tag), "holdfast.of.%s", argv[4]);
	slot.data_bytes = argc > 5 ? strtoull(argv[5], NULL, 10) << 20 : 0;
	slot.meta_bytes = argc > 6 ? strtoull(argv[6], NULL, 10) << 20 : 0;
	if (!strcmp(argv[1], "create"))
		err = storage_slot_create(&slot, why, sizeof(why));
	else if (!strcmp(argv[1], "open"))
		err = storage_slot_open(&slot, at[0], at[1], sizeof(at[0]), why, sizeof(why));
	else if (!strcmp(argv[1], "remove"))
		err = storage_slot_remove(&slot, why, sizeof(why));
	else if (!strcmp(argv[1], "extend"))
		err = storage_slot_extend(&slot, why, sizeof(why));
	else if (!strcmp(argv[1], "snapshot") && argc > 5)
		err = storage_slot_snapshot(&slot, argv[5], why, sizeof(why));
	if (err)
		return fail(err, why);
	if (!strcmp(argv[1], "open"))
		printf("%s %s\n", at[0], at[1]);
	return 0;
}

int main(int argc, char **argv)
{
	struct storage_drive drive = { .cluster = { 0xc1, 0x05, 0x7e, 0x12, 0, 0, 0, 1 } };
	char why[STORAGE_WHY_BYTES] = "";
	int err;

	if (argc == 2 && !strcmp(argv[1], "free"))
		return list_free();
	if (argc < 4)
		return fail(-EINVAL, "see the head of storage_tool.c");
	drive.id = (uint32_t)strtoul(argv[2], NULL, 16);
	drive.thick = !strcmp(argv[3], "thick");
	if (!strcmp(argv[1], "list"))
		return list(&drive);
	if (!strcmp(argv[1], "make") && argc > 4)
		return make(&drive, argv[4]);
	if (!strcmp(argv[1], "wipe")) {
		err = storage_drive_wipe(&drive, why, sizeof(why));
		return err ? fail(err, why) : 0;
	}
	return argc > 4 ? on_slot(&drive, argc, argv) : fail(-EINVAL, "a name is missing");
}
