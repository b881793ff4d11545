// SPDX-License-Identifier: GPL-2.0-or-later
/* The log's interface on a real loop: what is refused must not keep the loop busy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <ftw.h>
#include <raft.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../log_raft.h"

enum { DEADLINE_S = 20, LEAST = 3 };

static struct fixture {
	uv_loop_t loop;
	uv_timer_t look;		/* as an agent's: started by a kick, after 0 ms */
	uv_async_t event;		/* stands for any socket */
	struct log_raft *log;
	unsigned int refused;
	bool seen;
} f;

static json_t *apply(void *data, const char *text, size_t len)
{
	(void)data; (void)text; (void)len;
	return NULL;
}

static char *snapshot(void *data)
{
	(void)data;
	return strdup("{}");
}

static int restore(void *data, const char *text, size_t len)
{
	(void)data; (void)text; (void)len;
	return 0;
}

static void kick(void *data)
{
	(void)data;
}

static void look(uv_timer_t *timer);

static void proposed(void *data, int error, json_t *result)
{
	(void)data; (void)result;
	assert_int_equal(error, RAFT_NOTLEADER);
	f.refused++;
	if (!f.seen)
		uv_timer_start(&f.look, look, 0, 0);
	else
		uv_stop(&f.loop);
}

static void look(uv_timer_t *timer)
{
	json_t *command = json_pack("{s:i}", "a", 1);

	(void)timer;
	/* Told in the middle of the chain: the loop is in its timers then. */
	if (f.refused == LEAST)
		assert_int_equal(uv_async_send(&f.event), 0);
	log_raft_propose(f.log, command, proposed, NULL);
	json_decref(command);
}

static void on_event(uv_async_t *event)
{
	(void)event;
	f.seen = true;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st; (void)type; (void)ftw;
	return remove(path);
}

static void closed(void *data)
{
	*(bool *)data = true;
}

static void refused_again_and_again(void **state)
{
	static const struct log_raft_ops ops = { apply, snapshot, restore, kick };
	char dir[] = "/tmp/holdfast-test-log-XXXXXX";
	struct transport *transport;
	bool gone = false;

	(void)state;
	alarm(DEADLINE_S);		/* a loop that never looks at its events ends here */
	assert_non_null(mkdtemp(dir));
	assert_int_equal(uv_loop_init(&f.loop), 0);
	uv_timer_init(&f.loop, &f.look);
	uv_async_init(&f.loop, &f.event, on_event);
	transport = transport_open(&f.loop, 100);
	assert_non_null(transport);
	f.log = log_raft_open(&f.loop, transport, dir, 1, "127.0.0.1:1", 100, 1024, &ops, NULL);
	assert_non_null(f.log);
	assert_int_equal(log_raft_start(f.log), 0);
	assert_false(log_raft_is_leader(f.log));
	uv_timer_start(&f.look, look, 0, 0);
	uv_run(&f.loop, UV_RUN_DEFAULT);
	assert_true(f.seen);
	assert_in_range(f.refused, LEAST + 1, LEAST + 1000);
	log_raft_close(f.log, closed, &gone);
	uv_close((uv_handle_t *)&f.look, NULL);
	uv_close((uv_handle_t *)&f.event, NULL);
	transport_close(transport);
	uv_run(&f.loop, UV_RUN_DEFAULT);
	assert_true(gone);
	assert_int_equal(uv_loop_close(&f.loop), 0);
	alarm(0);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused_again_and_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
