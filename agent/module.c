// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel module as the daemon sees it: keeps the latest dump, listens to
 * events, runs commands in libuv's thread pool with a socket each.  Decides
 * nothing.  Everything in struct module belongs to the loop's thread; a call
 * in the pool touches only its own struct task.  At most MAX_RUNNING commands
 * are in the pool at a time, since it is shared with the consensus log's disk
 * writes; the others wait in order.
 */
#include "module.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop.h"
#include "nl_event.h"

enum {
	MAX_RUNNING	= 8,
	DUMP_GAP_MS	= 20,	/* between two dumps: the kernel shall not be asked in a circle */
};

struct socket {
	struct socket	*next;
	struct hf_nl	*nl;
};

/* One command or, with @call NULL, one dump. Owner: the module's lists, then the pool. */
struct task {
	struct task		*next;
	struct module		*module;
	struct socket		*socket;
	struct hf_nl_call	*call;
	module_done_cb		done;
	void			*data;
	struct hf_nl_volumes	volumes;
	int			error;
	char			why[HF_NL_WHY_MAX];
	uv_work_t		work;
};

struct attach_note {
	struct attach_note	*next;
	uint8_t			volume[FSM_UUID_BYTES];
	int			error;
};

struct module {
	uv_loop_t		*loop;
	void			(*changed)(void *data);
	void			*data;
	struct hf_nl_events	*events;
	uv_poll_t		poll;
	uv_timer_t		gap;
	uint32_t		node;
	struct kernel_view	view;
	char			trouble[HF_NL_WHY_MAX];
	struct attach_note	*notes;
	struct socket		*idle;
	struct task		*waiting;	/* first in, first out */
	struct task		**waiting_end;
	unsigned int		running;
	unsigned int		handles;	/* not closed yet */
	bool			dumping;
	bool			dump_wanted;
	bool			closing;
};

static void free_when_ended(struct module *module)
{
	struct attach_note *note;
	struct socket *socket;

	if (!module->closing || module->running || module->handles)
		return;
	while ((socket = module->idle)) {
		module->idle = socket->next;
		hf_nl_free(socket->nl);
		free(socket);
	}
	while ((note = module->notes)) {
		module->notes = note->next;
		free(note);
	}
	hf_nl_events_free(module->events);
	kernel_view_clear(&module->view);
	free(module);
}

/* ------------------------------------------------------------------- view */

static int note_of(const struct module *module, const uint8_t *volume)
{
	const struct attach_note *note;

	for (note = module->notes; note; note = note->next)
		if (!memcmp(note->volume, volume, sizeof(note->volume)))
			return note->error;
	return 0;
}

static void fill_slot(const struct hf_nl_slot *from, struct kernel_slot *to)
{
	to->state = from->state;
	to->slot_nr = from->nr;
	to->unclean = from->unclean;
	to->life = from->life;
	to->incarnation = from->incarnation;
	to->promise_ms = from->promise_ms;
	to->log_used = from->log_used;
	to->log_entries = from->log_entries;
	to->backing_busy = from->backing_busy;
	to->error = from->error;
	to->own_dirty_bytes = from->own_dirty_bytes;
}

static void fill_disk(const struct hf_nl_disk *from, struct kernel_disk *to)
{
	to->state = from->state;
	to->instance = from->instance;
	to->openers = from->openers;
	to->in_flight = from->in_flight;
	to->held = from->held;
	to->holding_ms = from->holding_ms;
	to->stable = from->stable;
	to->seq = from->seq;
}

static void fill_remote(const struct hf_nl_remote *from, u8 slot_nr, struct kernel_remote *to)
{
	to->slot_nr = slot_nr;
	to->link_state = from->link_state;
	to->rebuild_state = from->rebuild_state;
	to->down_reason = from->down_reason;
	to->unclean = from->unclean;
	to->flags = from->flags;
	to->lease_ms = from->lease_ms;
	to->holding_ms = from->holding_ms;
	to->link_id = from->link_id;
	to->life = from->life;
	to->adopted_epoch = from->adopted_epoch;
	to->rebuild_total_bytes = from->rebuild_total_bytes;
	to->rebuild_done_bytes = from->rebuild_done_bytes;
	to->out_of_sync_bytes = from->out_of_sync_bytes;
}

static void fill_volume(const struct module *module, const struct hf_nl_volume *from,
			struct kernel_volume *to)
{
	u8 i;

	memcpy(to->uuid, from->uuid, sizeof(to->uuid));
	to->conf = from->conf;
	fill_slot(&from->slot, &to->slot);
	to->slot.attach_error = note_of(module, from->uuid);
	fill_disk(&from->disk, &to->disk);
	for (i = 0; i < HF_MAX_SLOTS; i++) {
		if (from->remotes[i].present)
			fill_remote(&from->remotes[i], i, &to->remotes[to->nr_remotes++]);
		to->out_of_sync_bytes[i] = from->out_of_sync[i];
	}
}

/* Returns false without memory: the old view stays. */
static bool take_view(struct module *module, const struct hf_nl_volumes *volumes)
{
	struct kernel_view view = { .loaded = true };
	struct kernel_volume *to;
	size_t i;

	for (i = 0; i < volumes->nr; i++) {
		to = kernel_view_add(&view);
		if (!to) {
			kernel_view_clear(&view);
			return false;
		}
		fill_volume(module, &volumes->volumes[i], to);
	}
	kernel_view_clear(&module->view);
	module->view = view;
	return true;
}

/* ------------------------------------------------------------------ tasks */

static void start_waiting(struct module *module);

static struct socket *take_socket(struct module *module)
{
	struct socket *socket = module->idle;

	if (socket) {
		module->idle = socket->next;
		return socket;
	}
	socket = calloc(1, sizeof(*socket));
	if (!socket)
		return NULL;
	socket->nl = hf_nl_new();
	if (socket->nl)
		return socket;
	free(socket);
	return NULL;
}

/* In the pool. */
static void run_task(uv_work_t *work)
{
	struct task *task = work->data;

	if (!task->socket) {
		task->error = -ENOMEM;
		snprintf(task->why, sizeof(task->why), "no memory for a netlink socket");
	} else if (task->call) {
		hf_nl_call(task->socket->nl, task->call);
	} else {
		task->error = hf_nl_dump(task->socket->nl, &task->volumes, task->why);
	}
}

static void end_dump(struct module *module, struct task *task)
{
	module->dumping = false;
	if (task->error) {
		snprintf(module->trouble, sizeof(module->trouble), "%s", task->why);
		if (task->error == -ENODEV)
			kernel_view_clear(&module->view);
	} else if (take_view(module, &task->volumes)) {
		module->trouble[0] = '\0';
	} else {
		snprintf(module->trouble, sizeof(module->trouble), "no memory for a dump");
	}
	if (module->dump_wanted)
		module_refresh(module);
	module->changed(module->data);
}

/* Back on the loop. */
static void after_task(uv_work_t *work, int status)
{
	struct task *task = work->data;
	struct module *module = task->module;

	(void)status;
	if (task->socket) {
		task->socket->next = module->idle;
		module->idle = task->socket;
	}
	module->running--;
	if (task->call && task->error) {
		task->call->error = task->error;
		memcpy(task->call->why, task->why, sizeof(task->call->why));
	}
	if (task->call)
		task->done(task->data, task->call);
	else if (!module->closing)
		end_dump(module, task);
	start_waiting(module);
	hf_nl_volumes_free(&task->volumes);
	free(task);
	free_when_ended(module);
}

static void start(struct module *module, struct task *task)
{
	task->socket = take_socket(module);
	task->work.data = task;
	module->running++;
	uv_queue_work(module->loop, &task->work, run_task, after_task);
}

static void start_waiting(struct module *module)
{
	struct task *task;

	while (module->running < MAX_RUNNING && (task = module->waiting)) {
		module->waiting = task->next;
		if (!module->waiting)
			module->waiting_end = &module->waiting;
		start(module, task);
	}
}

static void begin_dump(struct module *module)
{
	struct task *task = xcalloc(1, sizeof(*task));

	module->dumping = true;
	module->dump_wanted = false;
	task->module = module;
	/* beside the limit: a view must come in while all commands hang */
	start(module, task);
}

static void on_gap_over(uv_timer_t *timer)
{
	struct module *module = timer->data;

	if (module->dump_wanted && !module->dumping)
		begin_dump(module);
}

void module_refresh(struct module *module)
{
	module->dump_wanted = true;
	if (!module->closing && !module->dumping && !uv_is_active((uv_handle_t *)&module->gap))
		uv_timer_start(&module->gap, on_gap_over, DUMP_GAP_MS, 0);
}

void module_call(struct module *module, struct hf_nl_call *call, module_done_cb done, void *data)
{
	struct task *task = xcalloc(1, sizeof(*task));

	call->error = 0;
	call->why[0] = '\0';
	task->module = module;
	task->call = call;
	task->done = done;
	task->data = data;
	if (call->cmd == HOLDFAST_CMD_VOLUME_SET)
		call->node_id = module->node;
	*module->waiting_end = task;
	module->waiting_end = &task->next;
	start_waiting(module);
}

/* ----------------------------------------------------------------- events */

static void on_event(void *data, const struct hf_nl_event *event)
{
	log_debug("module: event %llu: %s", (unsigned long long)event->seq,
		  hf_nl_event_name(event->event));
	module_refresh(data);
}

static void on_gap(void *data)
{
	module_refresh(data);
}

static void on_module(void *data, bool present)
{
	log_info("module: the kernel module was %s", present ? "loaded" : "unloaded");
	module_refresh(data);
}

static const struct hf_nl_event_ops event_ops = {
	.event = on_event, .gap = on_gap, .module = on_module,
};

static void on_readable(uv_poll_t *poll, int status, int revents)
{
	struct module *module = poll->data;

	(void)status;
	(void)revents;
	hf_nl_events_read(module->events);
}

struct module *module_open(uv_loop_t *loop, void (*changed)(void *data), void *data)
{
	struct module *module = xcalloc(1, sizeof(*module));

	module->loop = loop;
	module->changed = changed;
	module->data = data;
	module->waiting_end = &module->waiting;
	snprintf(module->trouble, sizeof(module->trouble), "the kernel module was not asked yet");
	module->events = hf_nl_events_new(&event_ops, module);
	if (!module->events ||
	    uv_poll_init(loop, &module->poll, hf_nl_events_fd(module->events))) {
		hf_nl_events_free(module->events);
		free(module);
		return NULL;
	}
	uv_timer_init(loop, &module->gap);
	module->poll.data = module;
	module->gap.data = module;
	module->handles = 2;
	uv_poll_start(&module->poll, UV_READABLE, on_readable);
	begin_dump(module);
	return module;
}

static void on_closed(uv_handle_t *handle)
{
	struct module *module = handle->data;

	module->handles--;
	free_when_ended(module);
}

void module_close(struct module *module)
{
	struct task *task;

	module->closing = true;
	while ((task = module->waiting)) {
		module->waiting = task->next;
		task->call->error = -ECANCELED;
		snprintf(task->call->why, sizeof(task->call->why), "the agent is ending");
		task->done(task->data, task->call);
		free(task);
	}
	module->waiting_end = &module->waiting;
	uv_close((uv_handle_t *)&module->poll, on_closed);
	uv_close((uv_handle_t *)&module->gap, on_closed);
}

void module_set_node(struct module *module, uint32_t node)
{
	module->node = node;
}

const struct kernel_view *module_view(const struct module *module)
{
	return &module->view;
}

const char *module_trouble(const struct module *module)
{
	return module->trouble[0] ? module->trouble : NULL;
}

void module_note_attach(struct module *module, const uint8_t *volume, int error)
{
	struct attach_note **at, *note;

	for (at = &module->notes; (note = *at); at = &note->next)
		if (!memcmp(note->volume, volume, sizeof(note->volume)))
			break;
	if (note && !error) {
		*at = note->next;
		free(note);
	} else if (note) {
		note->error = error;
	} else if (error) {
		note = xcalloc(1, sizeof(*note));
		memcpy(note->volume, volume, sizeof(note->volume));
		note->error = error;
		note->next = module->notes;
		module->notes = note;
	}
}
