// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The service manager's protocol: datagrams of NAME=VALUE lines to the socket
 * named by $NOTIFY_SOCKET, and $WATCHDOG_USEC, the longest silence that is still
 * taken for life.  Both are taken out of the environment, so that no child
 * speaks for the agent.  The protocol is stable and small enough not to need a
 * library for it.
 *
 * A message is never waited for: if the manager's queue is full, the next one
 * tells the same.
 */
#include "notify.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "loop.h"

enum {
	STATUS_MS	= 5000,	/* how old the line for people may be */
	FEEDS		= 3,	/* so often within the longest silence */
};

static struct {
	int			fd;
	struct sockaddr_un	to;
	socklen_t		to_len;
	uv_timer_t		timer;
	bool			running;	/* the timer has to be closed */
	bool			watched;
	void			(*describe)(void *data, char *text, size_t len);
	void			*data;
	char			said[256];
} notify = { .fd = -1 };

static void say(const char *text)
{
	if (notify.fd < 0)
		return;
	if (sendto(notify.fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL,
		   (const struct sockaddr *)&notify.to, notify.to_len) < 0)
		log_debug("the service manager does not listen: %s", strerror(errno));
}

/* A path, or with '@' a name in the abstract namespace, which starts with a zero byte. */
static bool set_address(const char *path)
{
	size_t len = strlen(path);

	if ((path[0] != '/' && path[0] != '@') || len < 2 || len >= sizeof(notify.to.sun_path)) {
		log_warning("NOTIFY_SOCKET '%s' is no address", path);
		return false;
	}
	notify.to.sun_family = AF_UNIX;
	memcpy(notify.to.sun_path, path, len + 1);
	if (path[0] == '@')
		notify.to.sun_path[0] = '\0';
	notify.to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	return true;
}

/* The watchdog's limit in milliseconds, 0 if there is none for this process. */
static uint64_t watchdog_ms(void)
{
	const char *text = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	unsigned long long usec;
	char *end;

	if (!text || (pid && strtoul(pid, NULL, 10) != (unsigned long)getpid()))
		return 0;
	errno = 0;
	usec = strtoull(text, &end, 10);
	return errno || *end ? 0 : usec / 1000;
}

static void tell_status(void)
{
	char now[sizeof(notify.said)], text[sizeof(now) + 16];

	notify.describe(notify.data, now, sizeof(now));
	if (!strcmp(now, notify.said))
		return;
	strcpy(notify.said, now);
	snprintf(text, sizeof(text), "STATUS=%s", now);
	say(text);
}

static void feed_cb(uv_timer_t *timer)
{
	(void)timer;
	if (notify.watched)
		say("WATCHDOG=1");
	tell_status();
}

void notify_open(uv_loop_t *loop, void (*describe)(void *data, char *text, size_t len), void *data)
{
	const char *path = getenv("NOTIFY_SOCKET");
	uint64_t limit = watchdog_ms(), every = STATUS_MS;

	if (path && set_address(path))
		notify.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	if (notify.fd < 0)
		return;
	notify.describe = describe;
	notify.data = data;
	notify.watched = limit;
	if (limit && limit / FEEDS < every)
		every = limit / FEEDS ? limit / FEEDS : 1;
	say("READY=1");
	tell_status();
	uv_timer_init(loop, &notify.timer);
	uv_timer_start(&notify.timer, feed_cb, 0, every);
	notify.running = true;
}

void notify_stopping(void)
{
	say("STOPPING=1\nSTATUS=stopping; volumes go on under the module");
}

void notify_close(void)
{
	if (notify.running)
		uv_close((uv_handle_t *)&notify.timer, NULL);
	notify.running = false;
	if (notify.fd >= 0)
		close(notify.fd);
	notify.fd = -1;
}
