/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One program run to its end, with a bound. Blocks: call it in the thread pool. */
#ifndef AGENT_CHILD_H
#define AGENT_CHILD_H

#include <stddef.h>

/**
 * struct child_result - what a program that ended left
 * @status: its exit status
 * @out, @err: what it wrote, with a NUL behind it; cut at CHILD_OUTPUT_MAX.
 *	Owner: the caller, child_result_clear()
 */
struct child_result {
	int	status;
	char	*out;
	size_t	out_len;
	char	*err;
	size_t	err_len;
};

enum {
	CHILD_OUTPUT_MAX	= 4 << 20,
	CHILD_TERM_MS		= 15000,	/* from SIGTERM to SIGKILL */
	CHILD_KILL_MS		= 5000,		/* from SIGKILL until it is given up */
};

/*
 * Run @argv (@argv[0] is looked up in PATH) with @env and no descriptors of
 * ours. Its output goes to files in memory, never to a pipe: it lives on by
 * itself when this process is killed. Returns 0 when it ended by exit();
 * -ETIMEDOUT when it had to be killed, -EINTR when something else killed it,
 * -EBUSY when a program of before could not be killed and is still there, or
 * another -errno when it could not be started.
 */
int child_run(const char *const argv[], const char *const env[], unsigned int timeout_ms,
	      struct child_result *result);
void child_result_clear(struct child_result *result);

#endif /* AGENT_CHILD_H */
