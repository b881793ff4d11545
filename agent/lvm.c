// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs lvm as a child: its words, its bound, its reports and its complaints.
 * It is shown the one disk that it is to work on and no other, so that it never
 * opens a disk whose I/O is held; it waits for no udev, and keeps no backups of
 * its own.  What it is run for is in storage_lvm.c.
 */
#include "lvm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "child.h"
#include "loop.h"

#define PV_PREFIX	"HoldFast"	/* with cluster and drive id all of its 32 characters */

static const char config[] =
	"activation { udev_sync=0 udev_rules=0 monitoring=0 error_when_full=1 process_priority=0 } "
	"devices { use_devicesfile=0 } backup { backup=0 archive=0 } "
	"global { suffix=1 units=\"b\" } log { report_command_log=0 } "
	"report { binary_values_as_numeric=0 }";

static unsigned int scale_pct = 100;

void storage_set_scale(unsigned int pct)
{
	scale_pct = pct;
}

void lvm_name(const struct storage_drive *drive, struct lvm_at *at)
{
	int i, len = 0;

	memset(at, 0, sizeof(*at));
	at->drive = drive;
	len = snprintf(at->pv, sizeof(at->pv), PV_PREFIX);
	for (i = 0; i < 8; i++)
		len += snprintf(at->pv + len, sizeof(at->pv) - (size_t)len, "%02x",
				drive->cluster[i]);
	snprintf(at->pv + len, sizeof(at->pv) - (size_t)len, "%08x", drive->id);
	snprintf(at->vg, sizeof(at->vg), "holdfast-%08x", drive->id);
}

int lvm_find(const struct storage_drive *drive, struct lvm_at *at, char *why, size_t why_len)
{
	int err;

	lvm_name(drive, at);
	err = disks_find_pv(at->pv, &at->disk);
	if (!err)
		return 0;
	snprintf(why, why_len, "no disk of this node carries drive %08x", drive->id);
	return err == -ENOENT ? -ENODEV : err;
}

/* -------------------------------------------------------------------- runs */

/* The last line of lvm's complaints that is not a mere warning. */
static void complaint(const struct child_result *result, char *why, size_t why_len)
{
	const char *at = result->err, *line = NULL, *end;
	size_t len = 0;

	while (*at) {
		end = at + strcspn(at, "\n");
		while (*at == ' ')
			at++;
		if (end > at && strncmp(at, "WARNING:", 8) && strncmp(at, "Run `", 5)) {
			line = at;
			len = (size_t)(end - at);
		}
		at = *end ? end + 1 : end;
	}
	if (line)
		snprintf(why, why_len, "lvm: %.*s", len > 200 ? 200 : (int)len, line);
	else
		snprintf(why, why_len, "lvm ended with status %d and said nothing",
			 result->status);
}

static int meaning_of(const char *why)
{
	static const struct {
		const char	*words;
		int		error;
	} known[] = {
		{ "nsufficient free space", -ENOSPC },
		{ "nsufficient suitable allocatable extents", -ENOSPC },
		{ "reached its limit", -ENOSPC },
		{ "in use", -EBUSY },
		{ "not found", -ENOENT },
		{ "ailed to find", -ENOENT },
		{ "is used by another device", -EBUSY },
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strstr(why, known[i].words))
			return known[i].error;
	}
	return -EIO;
}

static int run(const struct lvm_at *at, const char *command, const char *const words[],
	       struct child_result *result, char *why, size_t why_len)
{
	static const char *const env[] = {
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "LVM_SUPPRESS_FD_WARNINGS=1",
		NULL,
	};
	const char *program = getenv("HOLDFAST_LVM");
	const char *argv[LVM_MAX_WORDS + 8];
	unsigned int timeout_ms = (unsigned int)((uint64_t)STORAGE_TIMEOUT_MS * scale_pct / 100);
	size_t n = 0, i;
	int err;

	argv[n++] = program && *program ? program : "lvm";
	argv[n++] = command;
	argv[n++] = "--config";
	argv[n++] = config;
	argv[n++] = "--devices";
	argv[n++] = at->disk.path;
	for (i = 0; words[i] && i < LVM_MAX_WORDS; i++)
		argv[n++] = words[i];
	argv[n] = NULL;
	err = child_run(argv, env, timeout_ms, result);
	if (err == -ENOENT) {
		snprintf(why, why_len, "lvm is not found: install the package lvm2");
		return -ENOEXEC;
	}
	if (err == -ETIMEDOUT)
		snprintf(why, why_len, "lvm %s did not end within %u s", command,
			 timeout_ms / 1000);
	else if (err == -EBUSY)
		snprintf(why, why_len, "an lvm that hangs cannot be killed: nothing else is begun");
	else if (err)
		snprintf(why, why_len, "lvm %s was not run to its end: %s", command,
			 strerror(-err));
	return err == -EBUSY ? -EAGAIN : err;
}

int lvm_run(const struct lvm_at *at, char *why, size_t why_len, const char *command,
	    const char *const words[])
{
	struct child_result result;
	int err = run(at, command, words, &result, why, why_len);

	if (!err && result.status) {
		complaint(&result, why, why_len);
		err = meaning_of(why);
	}
	child_result_clear(&result);
	return err;
}

/* ----------------------------------------------------------------- reports */

#define REPORT	"--reportformat", "json", "--units", "b", "--nosuffix"

int lvm_list(const struct lvm_at *at, struct lvm_lvs *lvs, char *why, size_t why_len)
{
	const char *const words[] = { REPORT, "-o", LVM_LV_FIELDS, at->vg, NULL };
	struct child_result result;
	int err = run(at, "lvs", words, &result, why, why_len);

	memset(lvs, 0, sizeof(*lvs));
	if (!err && result.status) {
		complaint(&result, why, why_len);
		err = meaning_of(why);
	}
	if (!err)
		err = lvm_read_lvs(result.out, result.out_len, lvs, why, why_len);
	child_result_clear(&result);
	return err;
}

int lvm_group(const struct lvm_at *at, struct lvm_vg *vg, char *why, size_t why_len)
{
	/* By selection: a group that is not there is an empty list, and no failure. */
	char select[64];
	const char *const words[] = { REPORT, "-o", LVM_VG_FIELDS, "-S", select, NULL };
	struct child_result result;
	int err;

	snprintf(select, sizeof(select), "vg_name=%s", at->vg);
	err = run(at, "vgs", words, &result, why, why_len);
	if (!err && result.status) {
		complaint(&result, why, why_len);
		err = -EIO;
	}
	if (!err)
		err = lvm_read_vg(result.out, result.out_len, vg, why, why_len);
	child_result_clear(&result);
	if (!err && strcmp(vg->name, at->vg)) {
		snprintf(why, why_len, "lvm reports group %.64s, asked for %s", vg->name, at->vg);
		err = -EINVAL;
	}
	return err;
}

/* ------------------------------------------------------------------- pools */

/*
 * Chunks are as small as can be while there are at most 4 Mi of them; each takes
 * 64 bytes of the pool's metadata, and as much again is left for changes that are
 * under way. A hundredth of the group (at least 32 MiB, at most half) is left
 * for the metadata devices of slots, which are never thin: a full pool must not
 * take the marks of what was missed.
 */
void lvm_pool_geometry(uint64_t free_bytes, uint64_t extent_bytes, struct lvm_pool *pool)
{
	uint64_t left = free_bytes / 100, twice;

	if (left < 32ull << 20)
		left = 32ull << 20;
	if (left > free_bytes / 2)
		left = free_bytes / 2;
	pool->chunk_kib = 64;
	while (free_bytes / 1024 / pool->chunk_kib > 4u << 20)
		pool->chunk_kib *= 2;
	pool->meta_bytes = free_bytes / 1024 / pool->chunk_kib * 64 * 2;
	if (pool->meta_bytes < 4ull << 20)
		pool->meta_bytes = 4ull << 20;
	pool->meta_bytes = (pool->meta_bytes + extent_bytes - 1) / extent_bytes * extent_bytes;
	twice = left + 2 * pool->meta_bytes;
	pool->data_bytes = free_bytes > twice ?
		(free_bytes - twice) / extent_bytes * extent_bytes : 0;
}
