// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Drives and slots as logical volumes.  A drive is a physical volume, whose uuid
 * says of which cluster and drive it is, and a group named after the drive; a
 * slot is two volumes named after it.  So each step finds what an earlier
 * attempt left, killed wherever it was, and goes on from there; nothing that
 * lacks our tag is ever removed.
 *
 * Data lies in a thin pool that fails writes when it is full, unless the drive
 * is thick; metadata never does.
 */
#include "storage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backing.h"
#include "lvm.h"

#define POOL	"pool"

/* Words of lvm. */
#define WORDS(...)	((const char *const[]){ __VA_ARGS__, NULL })

/* ------------------------------------------------------------------ drives */

/* PV uuids have dashes after 6, 4, 4, 4, 4, 4 characters. */
static void with_dashes(const char *pv, char *text, size_t size)
{
	snprintf(text, size, "%.6s-%.4s-%.4s-%.4s-%.4s-%.4s-%.6s", pv, pv + 6, pv + 10, pv + 14,
		 pv + 18, pv + 22, pv + 26);
}

static int make_pv(struct lvm_at *at, const char *device, char *why, size_t why_len)
{
	char uuid[48], refusal[BACKING_WHY_MAX];
	uint64_t bytes;
	int err;

	err = disks_by_path(device, &at->disk);
	if (!err || err == -ENOENT || err == -ENOTBLK)
		err = backing_check_disk(device, DISK_MIN_BYTES, &bytes, refusal,
					 sizeof(refusal));
	else
		snprintf(refusal, sizeof(refusal), "the device %.200s: %s", device,
			 strerror(-err));
	if (err) {
		snprintf(why, why_len, "%s", refusal);
		return -EPERM;
	}
	with_dashes(at->pv, uuid, sizeof(uuid));
	return lvm_run(at, why, why_len, "pvcreate",
		       WORDS("-y", "--uuid", uuid, "--norestorefile", at->disk.path));
}

static int make_group(const struct lvm_at *at, struct lvm_vg *vg, char *why, size_t why_len)
{
	int err = lvm_group(at, vg, why, why_len);

	if (err != -ENOENT)
		return err;
	err = lvm_run(at, why, why_len, "vgcreate",
		      WORDS("-y", "-s", "1m", "--setautoactivation", "n", "--addtag",
			    LVM_TAG "drive", at->vg, at->disk.path));
	return err ? err : lvm_group(at, vg, why, why_len);
}

static int new_pool(const struct lvm_at *at, const struct lvm_vg *vg, char *why, size_t why_len)
{
	char data[32], meta[32], chunk[32];
	struct lvm_pool pool;

	lvm_pool_geometry(vg->free_bytes, vg->extent_bytes, &pool);
	if (!pool.data_bytes) {
		snprintf(why, why_len, "%s has no room for a pool", at->disk.path);
		return -EPERM;
	}
	snprintf(data, sizeof(data), "%llub", (unsigned long long)pool.data_bytes);
	snprintf(meta, sizeof(meta), "%llub", (unsigned long long)pool.meta_bytes);
	snprintf(chunk, sizeof(chunk), "%uk", pool.chunk_kib);
	return lvm_run(at, why, why_len, "lvcreate",
		       WORDS("-y", "--type", "thin-pool", "-n", POOL, "-L", data, "--chunksize",
			     chunk, "--poolmetadatasize", meta, "-Z", "y", "--addtag",
			     LVM_TAG "pool", at->vg));
}

/* Nothing but a pool can be there before the drive is ready: what is half is made anew. */
static int make_pool(const struct lvm_at *at, struct lvm_vg *vg, char *why, size_t why_len)
{
	const struct lvm_lv *pool;
	struct lvm_lvs lvs;
	char full[64];
	int err;

	err = lvm_list(at, &lvs, why, why_len);
	if (err)
		return err;
	pool = lvm_lvs_find(&lvs, POOL);
	if (pool && pool->is_pool && pool->is_ours) {
		snprintf(full, sizeof(full), "%s/" POOL, at->vg);
		err = pool->error_when_full ? 0 :
			lvm_run(at, why, why_len, "lvchange",
				WORDS("-y", "--errorwhenfull", "y", full));
		lvm_lvs_clear(&lvs);
		return err;
	}
	if (lvs.count)
		err = lvm_run(at, why, why_len, "lvremove", WORDS("-f", "-y", at->vg));
	lvm_lvs_clear(&lvs);
	if (!err)
		err = lvm_group(at, vg, why, why_len);
	return err ? err : new_pool(at, vg, why, why_len);
}

static int report_made(const struct lvm_at *at, struct storage_made *made, char *why,
		       size_t why_len)
{
	const struct lvm_lv *pool;
	struct lvm_lvs lvs;
	struct lvm_vg vg;
	int err;

	memset(made, 0, sizeof(*made));
	made->rotational = at->disk.rotational;
	snprintf(made->disk, sizeof(made->disk), "%s", at->disk.name);
	err = lvm_group(at, &vg, why, why_len);
	if (err)
		return err;
	made->data_bytes = vg.size_bytes;
	if (at->drive->thick)
		return 0;
	err = lvm_list(at, &lvs, why, why_len);
	if (err)
		return err;
	pool = lvm_lvs_find(&lvs, POOL);
	if (pool && pool->error_when_full) {
		made->data_bytes = pool->size_bytes;
		made->meta_bytes = vg.free_bytes;
	} else {
		snprintf(why, why_len, "the pool of %s does not fail when it is full", at->vg);
		err = -EIO;
	}
	lvm_lvs_clear(&lvs);
	return err;
}

static int refuse_foreign(const struct lvm_at *at, char *why, size_t why_len)
{
	snprintf(why, why_len, "group %s on %s is not ours: it lacks our tag", at->vg,
		 at->disk.path);
	return -EPERM;
}

int storage_drive_make(const struct storage_drive *drive, const char *device,
		       struct storage_made *made, char *why, size_t why_len)
{
	struct lvm_at at;
	struct lvm_vg vg;
	int err;

	err = lvm_find(drive, &at, why, why_len);
	if (err == -ENODEV)
		err = make_pv(&at, device, why, why_len);
	if (!err)
		err = make_group(&at, &vg, why, why_len);
	if (!err && !vg.is_ours)
		err = refuse_foreign(&at, why, why_len);
	if (!err && !drive->thick)
		err = make_pool(&at, &vg, why, why_len);
	return err ? err : report_made(&at, made, why, why_len);
}

int storage_drive_wipe(const struct storage_drive *drive, char *why, size_t why_len)
{
	struct lvm_at at;
	struct lvm_vg vg;
	int err;

	err = lvm_find(drive, &at, why, why_len);
	if (err)
		return err == -ENODEV ? 0 : err;
	err = lvm_group(&at, &vg, why, why_len);
	if (!err && !vg.is_ours)
		return refuse_foreign(&at, why, why_len);
	if (!err)
		err = lvm_run(&at, why, why_len, "vgremove", WORDS("-f", "-y", at.vg));
	else if (err == -ENOENT)
		err = 0;
	return err ? err : lvm_run(&at, why, why_len, "pvremove", WORDS("-y", at.disk.path));
}

/* -------------------------------------------------------------------- list */

static bool is_part_of_drive(const struct lvm_lv *lv)
{
	return !strcmp(lv->name, POOL) || lv->name[0] == '[';
}

static void fill_usage(struct storage_list *list, const struct lvm_vg *vg,
		       const struct lvm_lvs *lvs)
{
	const struct lvm_lv *pool = lvm_lvs_find(lvs, POOL);

	if (pool && pool->is_pool) {
		list->data_bytes = pool->size_bytes;
		list->data_pct = pool->data_pct;
		list->meta_pct = pool->meta_pct;
		list->used_bytes = (uint64_t)((double)pool->size_bytes * pool->data_pct / 10000);
		list->is_full = pool->out_of_data;
		return;
	}
	list->data_bytes = vg->size_bytes;
	list->used_bytes = vg->size_bytes - vg->free_bytes;
	if (vg->size_bytes)
		list->data_pct = (unsigned int)((double)list->used_bytes * 10000 /
						(double)vg->size_bytes);
}

int storage_drive_list(const struct storage_drive *drive, struct storage_list *list, char *why,
		       size_t why_len)
{
	struct lvm_lvs lvs;
	struct lvm_at at;
	struct lvm_vg vg;
	unsigned int i;
	int err;

	memset(list, 0, sizeof(*list));
	err = lvm_find(drive, &at, why, why_len);
	memset(&vg, 0, sizeof(vg));
	memset(&lvs, 0, sizeof(lvs));
	/* Each run costs: the pool, if there is one, tells all that is asked of the group. */
	if (!err && drive->thick)
		err = lvm_group(&at, &vg, why, why_len);
	if (!err)
		err = lvm_list(&at, &lvs, why, why_len);
	if (err == -ENOENT)	/* the label alone is left of it */
		err = -ENODEV;
	if (err)
		return err;
	fill_usage(list, &vg, &lvs);
	list->rotational = at.disk.rotational;
	snprintf(list->disk, sizeof(list->disk), "%s", at.disk.name);
	list->items = calloc(lvs.count + 1, sizeof(*list->items));
	for (i = 0; list->items && i < lvs.count; i++) {
		struct storage_item *item = &list->items[list->count];

		if (is_part_of_drive(&lvs.lvs[i]))
			continue;
		snprintf(item->name, sizeof(item->name), "%s", lvs.lvs[i].name);
		item->bytes = lvs.lvs[i].size_bytes;
		item->used_bytes = *lvs.lvs[i].pool ?
			item->bytes / 10000 * lvs.lvs[i].data_pct : item->bytes;
		item->is_ours = lvs.lvs[i].is_ours;
		list->count++;
	}
	lvm_lvs_clear(&lvs);
	return list->items ? 0 : -ENOMEM;
}

void storage_list_clear(struct storage_list *list)
{
	free(list->items);
	memset(list, 0, sizeof(*list));
}

/* ------------------------------------------------------------------- slots */

/* The volume's name in a path "/dev/GROUP/NAME". */
static const char *name_in(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void full_name(const struct lvm_at *at, const char *path, char *full, size_t size)
{
	snprintf(full, size, "%s/%.127s", at->vg, name_in(path));
}

/* The device-mapper's name: dashes of both parts doubled. */
static void mapped_name(const struct lvm_at *at, const char *path, char *mapped, size_t size)
{
	const char *parts[] = { at->vg, name_in(path) }, *from;
	size_t len = 0, i;

	for (i = 0; i < 2; i++) {
		if (i && len + 1 < size)
			mapped[len++] = '-';
		for (from = parts[i]; *from && len + 2 < size; from++) {
			mapped[len++] = *from;
			if (*from == '-')
				mapped[len++] = '-';
		}
	}
	mapped[len] = '\0';
}

/* One of a slot's two volumes: there, ours, large enough? 1: it has to be made. */
static int inspect(const struct lvm_lvs *lvs, const char *path, uint64_t bytes, char *why,
		   size_t why_len)
{
	const struct lvm_lv *lv = lvm_lvs_find(lvs, name_in(path));

	if (!lv)
		return 1;
	if (!lv->is_ours || lv->size_bytes < bytes) {
		snprintf(why, why_len, "%s is there and %s", path,
			 lv->is_ours ? "too small" : "not ours");
		return -EEXIST;
	}
	return 0;
}

static int make_volume(const struct lvm_at *at, const struct storage_slot *slot, const char *path,
		       uint64_t bytes, bool thin, char *why, size_t why_len)
{
	char size[32];

	snprintf(size, sizeof(size), "%llub", (unsigned long long)bytes);
	if (thin)
		return lvm_run(at, why, why_len, "lvcreate",
			       WORDS("-y", "--type", "thin", "-n", name_in(path), "--thinpool", POOL,
				     "-V", size, "--addtag", LVM_TAG "slot", "--addtag", slot->tag,
				     at->vg));
	/* What lay there is zeroed by who formats the slot: all of it, not only its head. */
	return lvm_run(at, why, why_len, "lvcreate",
		       WORDS("-y", "--type", "linear", "-n", name_in(path), "-L", size, "-W", "n",
			     "-Z", "n", "--addtag", LVM_TAG "slot", "--addtag", slot->tag,
			     at->vg));
}

static int find_list(const struct storage_slot *slot, struct lvm_at *at, struct lvm_lvs *lvs,
		     char *why, size_t why_len)
{
	int err = lvm_find(&slot->drive, at, why, why_len);

	memset(lvs, 0, sizeof(*lvs));
	return err ? err : lvm_list(at, lvs, why, why_len);
}

int storage_slot_create(const struct storage_slot *slot, char *why, size_t why_len)
{
	bool thin = !slot->drive.thick;
	struct lvm_lvs lvs;
	struct lvm_at at;
	int data, meta, err;

	err = find_list(slot, &at, &lvs, why, why_len);
	if (err)
		return err;
	data = inspect(&lvs, slot->data_path, slot->data_bytes, why, why_len);
	meta = data < 0 ? data :
	       inspect(&lvs, slot->meta_path, slot->meta_bytes, why, why_len);
	lvm_lvs_clear(&lvs);
	if (data < 0 || meta < 0)
		return data < 0 ? data : meta;
	if (meta)
		err = make_volume(&at, slot, slot->meta_path, slot->meta_bytes, false, why,
				  why_len);
	if (!err && data)
		err = make_volume(&at, slot, slot->data_path, slot->data_bytes, thin, why,
				  why_len);
	return err;
}

int storage_slot_find(const struct storage_slot *slot, char *data, char *meta, size_t size)
{
	char mapped[300];
	struct lvm_at at;
	int err;

	lvm_name(&slot->drive, &at);
	mapped_name(&at, slot->data_path, mapped, sizeof(mapped));
	err = disks_find_mapped(mapped, data, size);
	if (err)
		return err;
	mapped_name(&at, slot->meta_path, mapped, sizeof(mapped));
	return disks_find_mapped(mapped, meta, size);
}

int storage_slot_open(const struct storage_slot *slot, char *data, char *meta, size_t size,
		      char *why, size_t why_len)
{
	char full_data[200], full_meta[200];
	struct lvm_at at;
	int err;

	if (!storage_slot_find(slot, data, meta, size))
		return 0;
	err = lvm_find(&slot->drive, &at, why, why_len);
	if (err)
		return err;
	full_name(&at, slot->data_path, full_data, sizeof(full_data));
	full_name(&at, slot->meta_path, full_meta, sizeof(full_meta));
	err = lvm_run(&at, why, why_len, "lvchange",
		      WORDS("-y", "-a", "y", "-K", full_data, full_meta));
	if (err)
		return err;
	err = storage_slot_find(slot, data, meta, size);
	if (err)
		snprintf(why, why_len, "%s is not active after its activation", slot->data_path);
	return err;
}

int storage_slot_remove(const struct storage_slot *slot, char *why, size_t why_len)
{
	const char *paths[2] = { slot->data_path, slot->meta_path };
	struct lvm_lvs lvs;
	char full[200];
	struct lvm_at at;
	int err, i;

	err = find_list(slot, &at, &lvs, why, why_len);
	for (i = 0; i < 2 && !err; i++) {
		const struct lvm_lv *lv = lvm_lvs_find(&lvs, name_in(paths[i]));

		if (!lv)
			continue;
		full_name(&at, paths[i], full, sizeof(full));
		if (lv->is_ours) {
			err = lvm_run(&at, why, why_len, "lvremove", WORDS("-f", "-y", full));
		} else {
			snprintf(why, why_len, "%s is not ours: it lacks our tag", full);
			err = -EPERM;
		}
	}
	lvm_lvs_clear(&lvs);
	return err;
}

int storage_slot_extend(const struct storage_slot *slot, char *why, size_t why_len)
{
	const char *paths[2] = { slot->data_path, slot->meta_path };
	const uint64_t bytes[2] = { slot->data_bytes, slot->meta_bytes };
	char full[200], size[32];
	struct lvm_lvs lvs;
	struct lvm_at at;
	int err, i;

	err = find_list(slot, &at, &lvs, why, why_len);
	for (i = 0; i < 2 && !err; i++) {
		const struct lvm_lv *lv = lvm_lvs_find(&lvs, name_in(paths[i]));

		full_name(&at, paths[i], full, sizeof(full));
		snprintf(size, sizeof(size), "%llub", (unsigned long long)bytes[i]);
		if (!lv || !lv->is_ours) {
			snprintf(why, why_len, "%s is not there, or not ours", full);
			err = -ENOENT;
		} else if (lv->size_bytes < bytes[i]) {
			err = lvm_run(&at, why, why_len, "lvextend", WORDS("-y", "-L", size, full));
		}
	}
	lvm_lvs_clear(&lvs);
	return err;
}

int storage_slot_snapshot(const struct storage_slot *slot, const char *name, char *why,
			  size_t why_len)
{
	struct lvm_lvs lvs;
	char full[200];
	struct lvm_at at;
	int err;

	if (slot->drive.thick) {
		snprintf(why, why_len, "a thick drive has no snapshots");
		return -EOPNOTSUPP;
	}
	err = find_list(slot, &at, &lvs, why, why_len);
	if (err)
		return err;
	full_name(&at, slot->data_path, full, sizeof(full));
	if (!lvm_lvs_find(&lvs, name))
		err = lvm_run(&at, why, why_len, "lvcreate",
			      WORDS("-y", "-s", "-n", name, "-k", "n", "--addtag", LVM_TAG "snapshot",
				    "--addtag", slot->tag, full));
	lvm_lvs_clear(&lvs);
	return err;
}
