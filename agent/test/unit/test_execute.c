// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The executor against a module, links and devices that are played: order in
 * a lane, what leaves it, nothing twice at a time, retry times, and what is
 * proposed afterwards. Time is played too. Prints TAP.
 */
#include "../../execute.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../backing.h"
#include "../../loop.h"

#define ROOM 64

/* ------------------------------------------------------------ what is played */

static struct { struct hf_nl_call *call; module_done_cb done; void *data; } calls[ROOM];
static struct { links_done_cb done; void *data; u8 slot_nr; } links_asked[ROOM];
static struct command proposed[ROOM];
static unsigned int nr_calls, nr_links, nr_proposed, nr_changed, nr_refreshed, nr_made;
static int make_result, attach_note;
static uint64_t now_ms = 1000;

uint64_t loop_now_ms(void) { return now_ms; }

void log_line(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p)
		abort();
	return p;
}

void module_call(struct module *module, struct hf_nl_call *call, module_done_cb done, void *data)
{
	(void)module;
	calls[nr_calls].call = call;
	calls[nr_calls].done = done;
	calls[nr_calls++].data = data;
}

void module_refresh(struct module *module)
{
	(void)module;
	nr_refreshed++;
}

void module_note_attach(struct module *module, const uint8_t *volume, int error)
{
	(void)module;
	(void)volume;
	attach_note = error;
}

const char *links_connect(struct links *links, const uint8_t *volume, uint8_t slot_nr,
			  uint64_t term, uint32_t node, links_done_cb done, void *data)
{
	(void)links;
	(void)volume;
	(void)term;
	if (node == 99)
		return "the address of the slot's node is not known";
	links_asked[nr_links].slot_nr = slot_nr;
	links_asked[nr_links].done = done;
	links_asked[nr_links++].data = data;
	return NULL;
}

int backing_device(const char *path, char *device, char *why, size_t why_len)
{
	if (strstr(path, "missing")) {
		snprintf(why, why_len, "%s is missing", path);
		return -ENOENT;
	}
	snprintf(device, BACKING_PATH_MAX, "%s.loop", path);
	return 0;
}

int backing_make(const struct backing_slot *slot, char *why, size_t why_len)
{
	(void)slot;
	__atomic_add_fetch(&nr_made, 1, __ATOMIC_RELAXED);
	snprintf(why, why_len, "played");
	return make_result;
}

int backing_retire(const struct backing_slot *slot, char *why, size_t why_len)
{
	(void)slot;
	(void)why;
	(void)why_len;
	return make_result;
}

/* Of the storage: what is asked of it, and the job that waits. */
static char storage_calls[ROOM];
static int storage_result;
static bool storage_active;
static struct storage_job *storage_waits;

void storage_queue_submit(struct storage_queue *queue, struct storage_job *job,
			  storage_job_cb run, storage_job_cb done)
{
	(void)queue;
	job->run = run;
	job->done = done;
	storage_waits = job;
}

static int storage_called(char what, const struct storage_slot *slot, char *why, size_t why_len)
{
	storage_calls[strlen(storage_calls)] = what;
	snprintf(why, why_len, "played for %s", slot->tag);
	return storage_result;
}

int storage_slot_create(const struct storage_slot *slot, char *why, size_t why_len)
{
	return storage_called('c', slot, why, why_len);
}

int storage_slot_remove(const struct storage_slot *slot, char *why, size_t why_len)
{
	return storage_called('r', slot, why, why_len);
}

int storage_slot_find(const struct storage_slot *slot, char *data, char *meta, size_t size)
{
	(void)slot;
	snprintf(data, size, "/dev/dm-1");
	snprintf(meta, size, "/dev/dm-2");
	return storage_active ? 0 : -ENOENT;
}

int storage_slot_open(const struct storage_slot *slot, char *data, char *meta, size_t size,
		      char *why, size_t why_len)
{
	snprintf(data, size, "/dev/dm-1");
	snprintf(meta, size, "/dev/dm-2");
	return storage_called('o', slot, why, why_len);
}

static void on_propose(void *data, const struct command *cmd)
{
	(void)data;
	proposed[nr_proposed++] = *cmd;
}

static void on_changed(void *data)
{
	(void)data;
	nr_changed++;
}

static const struct execute_ops ops = { .propose = on_propose, .changed = on_changed };

/* ------------------------------------------------------------------- frame */

static unsigned int nr_tests, nr_failed;
static uv_loop_t loop;
static struct execute *execute;

static void check(bool good, const char *what)
{
	nr_failed += !good;
	printf("%sok %u - %s\n", good ? "" : "not ", ++nr_tests, what);
}

static void begin(void)
{
	nr_calls = nr_links = nr_proposed = nr_changed = nr_refreshed = nr_made = 0;
	make_result = 0;
	attach_note = 1;
	now_ms += 100000;
	execute = execute_open(&loop, NULL, NULL, NULL, &ops, NULL, 100);
	execute_set_node(execute, 7);
}

static void end(void)
{
	uv_run(&loop, UV_RUN_DEFAULT);
	execute_close(execute);
}

static struct action make(enum action_kind kind, u8 volume, u64 key)
{
	struct action action = { .kind = kind, .retry_ms = 500 };

	memset(action.volume, volume, sizeof(action.volume));
	action.epoch = key;
	strcpy(action.data_path, "/data");
	snprintf(action.meta_path, sizeof(action.meta_path), "/meta%u", volume);
	return action;
}

static void plan(unsigned int count, ...)
{
	struct action actions[ROOM];
	struct action_list list = { .actions = actions, .count = count };
	unsigned int i;
	va_list args;

	va_start(args, count);
	for (i = 0; i < count; i++)
		actions[i] = *va_arg(args, struct action *);
	va_end(args);
	execute_actions(execute, &list);
}

static void answer(unsigned int nr, int error)
{
	calls[nr].call->error = error;
	calls[nr].done(calls[nr].data, calls[nr].call);
}

/* ------------------------------------------------------------------- tests */

static void test_order(void)
{
	struct action set = make(ACT_VOLUME_SET, 1, 5), prepare = make(ACT_DISK_PREPARE, 1, 0);

	begin();
	plan(2, &set, &prepare);
	check(nr_calls == 1 && calls[0].call->cmd == HOLDFAST_CMD_VOLUME_SET,
	      "the first action begins alone");
	check(calls[0].call->expected_epoch == 5, "with what it carries");
	plan(2, &set, &prepare);
	check(nr_calls == 1, "the same plan again begins nothing while it runs");
	answer(0, 0);
	check(nr_calls == 2 && calls[1].call->cmd == HOLDFAST_CMD_DISK_PREPARE,
	      "the second follows when the first has ended");
	check(nr_refreshed == 1 && nr_changed == 1, "a new dump and a new plan are asked for");
	answer(1, 0);
	end();
}

static void test_failure(void)
{
	struct action set = make(ACT_VOLUME_SET, 1, 5), prepare = make(ACT_DISK_PREPARE, 1, 0);

	begin();
	plan(2, &set, &prepare);
	answer(0, -ESTALE);
	check(nr_calls == 1, "after a failure the rest is left for the next plan");
	plan(2, &set, &prepare);
	check(nr_calls == 1, "what failed is not begun again before its time");
	now_ms += 499;
	plan(2, &set, &prepare);
	check(nr_calls == 1, "nor a little before");
	now_ms += 1;
	plan(2, &set, &prepare);
	check(nr_calls == 2, "but then");
	set.epoch = 6;
	answer(1, -ESTALE);
	plan(1, &set);
	check(nr_calls == 3, "another epoch is another action");
	answer(2, 0);
	end();
}

static void test_volumes(void)
{
	struct action a = make(ACT_VOLUME_SET, 1, 1), b = make(ACT_VOLUME_SET, 2, 1);

	begin();
	plan(2, &a, &b);
	check(nr_calls == 2, "volumes do not wait for each other");
	answer(1, 0);
	answer(0, 0);
	end();
}

static void test_links(void)
{
	struct action one = make(ACT_LINK_CONNECT, 1, 0), two = make(ACT_LINK_CONNECT, 1, 0);
	struct action nobody = make(ACT_LINK_CONNECT, 1, 0), set = make(ACT_VOLUME_SET, 1, 9);

	begin();
	one.slot_nr = 1;
	two.slot_nr = 2;
	nobody.slot_nr = 3;
	nobody.node = 99;
	plan(4, &one, &nobody, &two, &set);
	check(nr_links == 2 && nr_calls == 1, "links hold up nothing, not even one without address");
	plan(2, &one, &two);
	check(nr_links == 2, "none is opened twice at a time");
	now_ms += 10000;
	answer(0, 0);
	set.epoch = 10;
	plan(2, &one, &set);
	check(nr_links == 2 && nr_calls == 2,
	      "a new configuration does not wait for a link under way (R3)");
	links_asked[0].done(links_asked[0].data, "refused");
	plan(1, &one);
	check(nr_links == 2, "the lane of the volume is still busy");
	answer(1, 0);
	plan(1, &one);
	check(nr_links == 3, "ended, it is opened again when its time has come");
	links_asked[1].done(links_asked[1].data, NULL);
	links_asked[2].done(links_asked[2].data, NULL);
	end();
}

static void test_release(void)
{
	struct action release = make(ACT_DISK_RELEASE, 1, 0), set = make(ACT_VOLUME_SET, 1, 3);
	struct action detach = make(ACT_SLOT_DETACH, 1, 0);

	begin();
	plan(2, &release, &detach);
	check(nr_calls == 1, "what follows a release waits for a plan after it");
	plan(3, &set, &release, &detach);
	check(nr_calls == 2 && calls[1].call->cmd == HOLDFAST_CMD_VOLUME_SET,
	      "a configuration passes a release that drains");
	answer(1, 0);
	check(nr_calls == 2, "the release is not begun twice");
	answer(0, -ETIMEDOUT);
	end();
}

static void test_slots(void)
{
	struct action make1 = make(ACT_SLOT_MAKE, 1, 0), make2 = make(ACT_SLOT_MAKE, 2, 0);
	struct action make3 = make(ACT_SLOT_MAKE, 3, 0), attach = make(ACT_SLOT_ATTACH, 4, 0);
	struct action retire;

	begin();
	make1.incarnation = 11;
	plan(3, &make1, &make2, &make3);
	uv_run(&loop, UV_RUN_DEFAULT);
	check(nr_made == 2 && nr_proposed == 2, "two slots are made at a time, not three");
	plan(1, &make3);
	uv_run(&loop, UV_RUN_DEFAULT);
	check(nr_made == 3 && nr_proposed == 3, "the third with a later plan");
	check(proposed[0].kind == CMD_SLOT_MADE && proposed[0].slot.node == 7,
	      "that a slot is made is proposed in this node's name");
	make_result = -ENOSPC;
	now_ms += 1000;
	plan(1, &make1);
	uv_run(&loop, UV_RUN_DEFAULT);
	check(proposed[3].kind == CMD_SLOT_FAILED && proposed[3].slot.incarnation == 11 &&
	      !strcmp(proposed[3].slot.reason, "played"), "a failure too, with its sentence");

	make_result = 0;
	retire = make(ACT_SLOT_RETIRE, 2, 0);
	strcpy(retire.meta_path, make1.meta_path);
	now_ms += 1000;
	plan(2, &make1, &retire);
	uv_run(&loop, UV_RUN_DEFAULT);
	check(nr_proposed == 5 && proposed[4].kind == CMD_SLOT_MADE,
	      "nothing is retired where a slot is being made");

	plan(1, &attach);
	uv_run(&loop, UV_RUN_DEFAULT);
	check(nr_calls == 1 && !strcmp(calls[0].call->data_path, "/data.loop"),
	      "a slot is attached by its block devices");
	answer(0, -EIO);
	check(attach_note == -EIO, "an attach that failed is noted for the planners");
	now_ms += 1000;
	plan(1, &attach);
	uv_run(&loop, UV_RUN_DEFAULT);
	answer(1, -ENODEV);
	check(attach_note == -EIO, "that the module is absent says nothing about the slot");
	now_ms += 1000;
	strcpy(attach.data_path, "/missing");
	plan(1, &attach);
	uv_run(&loop, UV_RUN_DEFAULT);
	check(nr_calls == 2 && attach_note == -ENOENT, "a device that is gone is noted as well");
	end();
}

/* A slot on a drive: devices first, one storage job at a time, then the rest. */
static void test_drive_slots(void)
{
	struct action made = { .kind = ACT_SLOT_MAKE, .volume = { 9 }, .incarnation = 7,
			       .size_bytes = 1 << 30, .drive = { .id = 5 } };
	struct action attach = made, retire = made;

	attach.kind = ACT_SLOT_ATTACH;
	retire.kind = ACT_SLOT_RETIRE;
	begin();
	memset(storage_calls, 0, sizeof(storage_calls));
	nr_made = 0;
	plan(1, &made);
	check(storage_waits && !nr_made, "a slot on a drive waits for its devices");
	storage_waits->run(storage_waits);
	storage_waits->done(storage_waits);
	uv_run(&loop, UV_RUN_DEFAULT);
	check(!strcmp(storage_calls, "co") && nr_made == 1 && nr_proposed == 1 &&
	      proposed[0].kind == CMD_SLOT_MADE, "they are made, opened, formatted, told of");

	storage_result = -ETIMEDOUT;
	now_ms += 60000;
	plan(1, &made);
	storage_waits->run(storage_waits);
	storage_waits->done(storage_waits);
	check(nr_proposed == 1, "what may be mended is not given up");
	storage_result = -ENOSPC;
	now_ms += 60000;
	plan(1, &made);
	storage_waits->run(storage_waits);
	storage_waits->done(storage_waits);
	check(nr_proposed == 2 && proposed[1].kind == CMD_SLOT_FAILED,
	      "a drive without room fails the slot");

	storage_result = 0;
	storage_waits = NULL;
	storage_active = true;
	memset(storage_calls, 0, sizeof(storage_calls));
	plan(1, &attach);
	uv_run(&loop, UV_RUN_DEFAULT);
	check(!storage_waits && nr_calls == 1 && !strcmp(calls[0].call->data_path, "/dev/dm-1") &&
	      !strcmp(calls[0].call->meta_path, "/dev/dm-2"),
	      "active devices are attached without asking the storage");
	check(calls[0].call->flags == HOLDFAST_FLAG_DISCARD_ZEROES,
	      "the module is told that a thin volume discards to zeros (R16)");
	answer(0, 0);
	storage_active = false;
	now_ms += 60000;
	plan(1, &attach);
	uv_run(&loop, UV_RUN_DEFAULT);
	storage_waits->run(storage_waits);
	storage_waits->done(storage_waits);
	check(!strcmp(storage_calls, "o") && nr_calls == 2, "others are activated first");
	answer(1, 0);
	storage_active = true;
	attach.drive.thick = true;
	now_ms += 60000;
	plan(1, &attach);
	uv_run(&loop, UV_RUN_DEFAULT);
	check(nr_calls == 3 && !calls[2].call->flags, "of a thick one nothing is promised");
	answer(2, 0);
	storage_active = false;

	memset(storage_calls, 0, sizeof(storage_calls));
	plan(1, &retire);
	storage_waits->run(storage_waits);
	storage_waits->done(storage_waits);
	check(!strcmp(storage_calls, "r") && nr_proposed == 3 &&
	      proposed[2].kind == CMD_SLOT_RETIRED, "a slot that is given up is removed");
	end();
}

static void test_propose(void)
{
	struct action propose = make(ACT_PROPOSE, 1, 0), set = make(ACT_VOLUME_SET, 1, 3);

	begin();
	propose.command.kind = CMD_CONF;
	plan(2, &propose, &set);
	check(nr_proposed == 1 && proposed[0].kind == CMD_CONF && nr_calls == 1,
	      "a proposal is passed on and holds up nothing");
	execute_close(execute);
	answer(0, 0);
	check(nr_changed == 0, "after the end nothing is called back");
}

int main(void)
{
	uv_loop_init(&loop);
	test_order();
	test_failure();
	test_volumes();
	test_links();
	test_release();
	test_slots();
	test_drive_slots();
	test_propose();
	uv_run(&loop, UV_RUN_DEFAULT);
	printf("1..%u\n", nr_tests);
	return nr_failed != 0;
}
