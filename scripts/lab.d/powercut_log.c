// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Records what a disk was told to do (powercut_log.h). A request that cannot be
 * recorded fails: a log with a hole would be taken for the truth. The caller
 * holds disk->lock, so that the order of the log is the order of the effects.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "powercut_cache.h"
#include "powercut_log.h"

int log_open(struct disk *d, const char *dir)
{
	char *path;

	if (asprintf(&path, "%s/%s.log", dir, d->name) < 0)
		return -1;
	d->log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	free(path);
	return d->log_fd < 0 ? -1 : 0;
}

int log_note(struct disk *d, unsigned int kind, const void *data, uint64_t len, uint64_t at)
{
	struct log_entry entry = { .magic = LOG_MAGIC, .kind = kind, .offset = at, .length = len };
	struct iovec parts[] = { { &entry, sizeof(entry) }, { (void *)data, data ? len : 0 } };
	size_t want = sizeof(entry) + parts[1].iov_len;
	struct timespec now;
	ssize_t done;

	if (d->log_fd < 0)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	entry.time_ns = (uint64_t)now.tv_sec * 1000000000u + now.tv_nsec;
	done = writev(d->log_fd, parts, data ? 2 : 1);
	if (done == (ssize_t)want)
		return 0;
	if (done >= 0)
		errno = ENOSPC;
	return -1;
}
