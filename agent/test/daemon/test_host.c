// SPDX-License-Identifier: GPL-2.0-or-later
/* What the agent tells the host: the service manager, and udev. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../disk_names.h"
#include "../../loop.h"
#include "../../notify.h"

static char dir[] = "/tmp/holdfast-host-XXXXXX";

/* -------------------------------------------------------------- notify.h */

/* A service manager: a datagram socket, and what came. */
struct manager {
	int fd;
	int feeds, ready, stopping;
	char status[256];
};

static void describe(void *data, char *text, size_t len)
{
	snprintf(text, len, "%d feedings", *(int *)data);
}

static int listen_as(struct manager *m, const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));

	memset(m, 0, sizeof(*m));
	strcpy(at.sun_path, path);
	if (path[0] == '@')
		at.sun_path[0] = '\0';
	m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return bind(m->fd, (struct sockaddr *)&at, len);
}

static void take(struct manager *m)
{
	char text[512], *line, *rest;
	ssize_t n;

	while ((n = recv(m->fd, text, sizeof(text) - 1, 0)) > 0) {
		text[n] = '\0';
		for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
			m->ready += !strcmp(line, "READY=1");
			m->feeds += !strcmp(line, "WATCHDOG=1");
			m->stopping += !strcmp(line, "STOPPING=1");
			if (!strncmp(line, "STATUS=", 7))
				strcpy(m->status, line + 7);
		}
	}
}

/* Runs the loop until the manager was fed @feeds times, or for 20 seconds. */
static void run_until_fed(uv_loop_t *loop, struct manager *m, int feeds)
{
	uint64_t end = loop_now_ms() + 20000;

	for (take(m); m->feeds < feeds && loop_now_ms() < end; take(m))
		uv_run(loop, UV_RUN_ONCE);
}

static void with_manager_at(const char *path)
{
	struct manager m;
	uv_loop_t loop;
	int fed = 7;

	assert_int_equal(listen_as(&m, path), 0);
	setenv("NOTIFY_SOCKET", path, 1);
	setenv("WATCHDOG_USEC", "60000", 1);
	unsetenv("WATCHDOG_PID");
	uv_loop_init(&loop);
	notify_open(&loop, describe, &fed);
	take(&m);
	assert_int_equal(m.ready, 1);
	assert_string_equal(m.status, "7 feedings");
	assert_null(getenv("NOTIFY_SOCKET"));
	assert_null(getenv("WATCHDOG_USEC"));
	fed = 8;
	run_until_fed(&loop, &m, 3);
	assert_true(m.feeds >= 3);
	assert_string_equal(m.status, "8 feedings");
	notify_stopping();
	notify_close();
	take(&m);
	assert_int_equal(m.stopping, 1);
	assert_int_equal(m.ready, 1);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	close(m.fd);
}

static void the_manager_is_told(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/notify", dir);
	with_manager_at(path);
	snprintf(path, sizeof(path), "@holdfast-test-%d", getpid());
	with_manager_at(path);
}

/* The limit is for another process: nothing is fed, but readiness is told. */
static void the_watchdog_of_another(void **state)
{
	char path[128];
	struct manager m;
	uv_loop_t loop;
	int fed = 0;

	(void)state;
	snprintf(path, sizeof(path), "%s/other", dir);
	assert_int_equal(listen_as(&m, path), 0);
	setenv("NOTIFY_SOCKET", path, 1);
	setenv("WATCHDOG_USEC", "1000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	uv_loop_init(&loop);
	notify_open(&loop, describe, &fed);
	uv_run(&loop, UV_RUN_ONCE);
	take(&m);
	assert_int_equal(m.ready, 1);
	assert_int_equal(m.feeds, 0);
	notify_close();
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	close(m.fd);
}

/* By hand, or with an address that is none: no timer, no word, no failure. */
static void nobody_listens(void **state)
{
	static const char *const none[] = { NULL, "", "@", "relative", "/nobody/is/here" };
	uv_loop_t loop;
	int fed = 0;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		unsetenv("NOTIFY_SOCKET");
		if (none[i])
			setenv("NOTIFY_SOCKET", none[i], 1);
		uv_loop_init(&loop);
		notify_open(&loop, describe, &fed);
		notify_stopping();
		notify_close();
		uv_run(&loop, UV_RUN_DEFAULT);
		assert_int_equal(uv_loop_close(&loop), 0);
	}
}

/* ---------------------------------------------------------- disk_names.h */

static const char uuid_text[2][33] = {
	"00112233445566778899aabbccddeeff", "f0e0d0c0b0a090807060504030201000",
};

static char *name_path(int i)
{
	return xasprintf("%s/volumes/%s", dir, uuid_text[i]);
}

static void assert_name(int i, const char *want)
{
	char text[128] = "", *path = name_path(i);
	FILE *file = fopen(path, "r");

	if (!want) {
		assert_null(file);
	} else {
		assert_non_null(file);
		assert_non_null(fgets(text, sizeof(text), file));
		assert_string_equal(text, want);
		fclose(file);
	}
	free(path);
}

static void names_follow_the_state(void **state)
{
	struct disk_names *names = disk_names_open(dir);
	struct fsm_volume volumes[2] = {
		{ .name = "web", .uuid = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88,
					   0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff } },
		{ .name = "db.1", .uuid = { 0xf0, 0xe0, 0xd0, 0xc0, 0xb0, 0xa0, 0x90, 0x80, 0x70,
					    0x60, 0x50, 0x40, 0x30, 0x20, 0x10, 0x00 } },
	};
	struct fsm fsm = { .version = 1, .nr_volumes = 2, .volumes = volumes };
	char *path = name_path(0);

	(void)state;
	disk_names_update(names, &fsm);
	assert_name(0, "HOLDFAST_NAME=web\n");
	assert_name(1, "HOLDFAST_NAME=db.1\n");
	/* nothing new: nothing is touched */
	assert_int_equal(unlink(path), 0);
	disk_names_update(names, &fsm);
	assert_name(0, NULL);
	fsm.version = 2;
	disk_names_update(names, &fsm);
	assert_name(0, "HOLDFAST_NAME=web\n");
	/* deleted */
	fsm.version = 3;
	fsm.nr_volumes = 1;
	disk_names_update(names, &fsm);
	assert_name(0, "HOLDFAST_NAME=web\n");
	assert_name(1, NULL);
	disk_names_free(names);
	/* an agent that starts knows nothing at first, and takes nothing away */
	names = disk_names_open(dir);
	fsm.nr_volumes = 0;
	fsm.version = 0;
	disk_names_update(names, &fsm);
	assert_name(0, "HOLDFAST_NAME=web\n");
	disk_names_free(names);
	unlink(path);
	free(path);
	path = xasprintf("%s/volumes", dir);
	assert_int_equal(rmdir(path), 0);	/* no leftover of any kind */
	free(path);
}

static void names_that_cannot_be_written(void **state)
{
	struct disk_names *names = disk_names_open("/proc/self/nowhere");
	struct fsm_volume vol = { .name = "web" };
	struct fsm fsm = { .version = 1, .nr_volumes = 1, .volumes = &vol };

	(void)state;
	disk_names_update(names, &fsm);
	disk_names_free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_manager_is_told),
		cmocka_unit_test(the_watchdog_of_another),
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(names_follow_the_state),
		cmocka_unit_test(names_that_cannot_be_written),
	};
	char *clean;
	int rv;

	if (!mkdtemp(dir))
		return 1;
	rv = cmocka_run_group_tests_name("host", tests, NULL, NULL);
	clean = xasprintf("rm -rf %s", dir);
	rv |= system(clean);
	free(clean);
	return rv;
}
