// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One program at a time, run to its end.  A program that changes storage must
 * not die in the middle because this process did: it leads a process group of
 * its own and writes to files in memory, so that no broken pipe reaches it.
 * One that does not end is asked, then killed; one that cannot be killed (its
 * device hangs) is left behind, and nothing else is run while it is there.
 *
 * Callers are serialized by the storage queue; @stuck is theirs alone.
 */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t stuck;	/* a program that outlived SIGKILL; 0: none */

static unsigned long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (unsigned long long)ts.tv_sec * 1000 + (unsigned long long)ts.tv_nsec / 1000000;
}

/* Until the process has ended, or @ms passed. */
static bool has_ended(int pidfd, unsigned int ms)
{
	struct pollfd pfd = { .fd = pidfd, .events = POLLIN };
	unsigned long long end = now_ms() + ms, now;
	int n;

	do {
		now = now_ms();
		n = poll(&pfd, 1, now < end ? (int)(end - now) : 0);
	} while (n < 0 && errno == EINTR);
	return n == 1;
}

static bool is_stuck(void)
{
	if (stuck && waitpid(stuck, NULL, WNOHANG) == 0)
		return true;
	stuck = 0;
	return false;
}

static int start(const char *const argv[], const char *const env[], int out, int err, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int error;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	posix_spawn_file_actions_adddup2(&actions, err, 2);
	posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
				 POSIX_SPAWN_SETSIGDEF);
	error = posix_spawnp(pid, argv[0], &actions, &attr, (char *const *)argv,
			     (char *const *)env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return -error;
}

/* Wait for the end of @pid, by force in the end. 0, -ETIMEDOUT, -EINTR. */
static int finish(pid_t pid, unsigned int timeout_ms, int *status)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), wait = 0;
	bool timed_out = false;

	if (pidfd < 0)
		return -errno;
	if (!has_ended(pidfd, timeout_ms)) {
		timed_out = true;
		kill(-pid, SIGTERM);
		if (!has_ended(pidfd, CHILD_TERM_MS))
			kill(-pid, SIGKILL);
	}
	if (timed_out && !has_ended(pidfd, CHILD_KILL_MS)) {
		stuck = pid;
		close(pidfd);
		return -ETIMEDOUT;
	}
	close(pidfd);
	while (waitpid(pid, &wait, 0) < 0 && errno == EINTR)
		;
	if (timed_out)
		return -ETIMEDOUT;
	if (!WIFEXITED(wait))
		return -EINTR;
	*status = WEXITSTATUS(wait);
	return 0;
}

static char *read_all(int fd, size_t *len)
{
	off_t end = lseek(fd, 0, SEEK_END);
	size_t size = end < 0 ? 0 : end > CHILD_OUTPUT_MAX ? CHILD_OUTPUT_MAX : (size_t)end;
	char *text = malloc(size + 1);
	ssize_t n;

	*len = 0;
	while (text && *len < size) {
		n = pread(fd, text + *len, size - *len, (off_t)*len);
		if (n <= 0)
			break;
		*len += (size_t)n;
	}
	if (text)
		text[*len] = '\0';
	return text;
}

int child_run(const char *const argv[], const char *const env[], unsigned int timeout_ms,
	      struct child_result *result)
{
	int out, err, rv;
	pid_t pid;

	memset(result, 0, sizeof(*result));
	if (is_stuck())
		return -EBUSY;
	out = memfd_create("child-out", MFD_CLOEXEC);
	err = memfd_create("child-err", MFD_CLOEXEC);
	rv = out < 0 || err < 0 ? -errno : start(argv, env, out, err, &pid);
	if (!rv)
		rv = finish(pid, timeout_ms, &result->status);
	if (!rv) {
		result->out = read_all(out, &result->out_len);
		result->err = read_all(err, &result->err_len);
		if (!result->out || !result->err) {
			child_result_clear(result);
			rv = -ENOMEM;
		}
	}
	if (out >= 0)
		close(out);
	if (err >= 0)
		close(err);
	return rv;
}

void child_result_clear(struct child_result *result)
{
	free(result->out);
	free(result->err);
	memset(result, 0, sizeof(*result));
}
