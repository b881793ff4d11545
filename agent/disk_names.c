// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One file for each volume, RUN/volumes/UUID, with its name as a udev property.
 * The module knows a volume by its UUID alone, and a udev rule must neither read
 * a disk, whose I/O may be held, nor wait for the agent: it reads this file.
 * Hence the file is there before the disk is, and stays while the agent is away.
 *
 * A name never changes while its volume exists, so a file is written once, and
 * removed with the volume; what is deleted while no agent runs goes with the next
 * boot.
 * Failure costs a link under /dev/holdfast/by-name and is only logged.
 */
#include "disk_names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hex.h"
#include "loop.h"

enum { UUID_TEXT = 2 * FSM_UUID_BYTES + 1 };

/* One for the agent; loop thread only. */
struct disk_names {
	char	*dir;
	u64	version;	/* of the state that the files show */
	bool	shown;		/* they do */
	u8	(*seen)[FSM_UUID_BYTES];	/* volumes of that state */
	unsigned int nr_seen;
};

struct disk_names *disk_names_open(const char *run_dir)
{
	struct disk_names *names = xcalloc(1, sizeof(*names));

	names->dir = xasprintf("%s/volumes", run_dir);
	return names;
}

void disk_names_free(struct disk_names *names)
{
	if (!names)
		return;
	free(names->seen);
	free(names->dir);
	free(names);
}

/* Readers see the whole file or none. */
static bool write_file(const char *path, const char *text)
{
	char *fresh = xasprintf("%s.new", path);
	size_t len = strlen(text);
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool done = fd >= 0 && write(fd, text, len) == (ssize_t)len;

	if (fd >= 0)
		close(fd);
	done = done && !rename(fresh, path);
	if (!done)
		log_warning("%s cannot be written: %s", path, strerror(errno));
	free(fresh);
	return done;
}

static bool write_name(const struct disk_names *names, const struct fsm_volume *vol)
{
	char uuid[UUID_TEXT], *path, *text;
	bool done = true;

	hex_encode(vol->uuid, sizeof(vol->uuid), uuid);
	path = xasprintf("%s/%s", names->dir, uuid);
	text = xasprintf("HOLDFAST_NAME=%s\n", vol->name);
	if (access(path, F_OK) < 0)
		done = write_file(path, text);
	free(text);
	free(path);
	return done;
}

/*
 * Only what this process saw and sees no more: while the log is read again at the
 * start, most volumes are not there yet.
 */
static void remove_gone(const struct disk_names *names, const struct fsm *fsm)
{
	char uuid[UUID_TEXT], *path;
	unsigned int i;

	for (i = 0; i < names->nr_seen; i++) {
		if (fsm_volume_by_uuid(fsm, names->seen[i]))
			continue;
		hex_encode(names->seen[i], FSM_UUID_BYTES, uuid);
		path = xasprintf("%s/%s", names->dir, uuid);
		unlink(path);
		free(path);
	}
}

static void remember(struct disk_names *names, const struct fsm *fsm)
{
	unsigned int i;

	free(names->seen);
	names->seen = xcalloc(fsm->nr_volumes + 1, sizeof(*names->seen));
	names->nr_seen = fsm->nr_volumes;
	for (i = 0; i < fsm->nr_volumes; i++)
		memcpy(names->seen[i], fsm->volumes[i].uuid, FSM_UUID_BYTES);
}

void disk_names_update(struct disk_names *names, const struct fsm *fsm)
{
	bool done = true;
	unsigned int i;

	if (names->shown && names->version == fsm->version)
		return;
	if (mkdir(names->dir, 0700) < 0 && errno != EEXIST) {
		log_warning("%s cannot be made: %s", names->dir, strerror(errno));
		done = false;
	}
	for (i = 0; done && i < fsm->nr_volumes; i++)
		done = write_name(names, &fsm->volumes[i]);
	remove_gone(names, fsm);
	remember(names, fsm);
	/* What failed is tried again with the next change, not ten times a second. */
	names->version = fsm->version;
	names->shown = true;
}
