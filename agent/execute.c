// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Carries out the actions of plan_node().  Level-triggered like the plan: what
 * cannot be begun now is left out, the next plan names it again.  Actions of
 * one volume go one after the other along a lane, so that a step that needs
 * the one before never overtakes it; what may take long (links, zeroing, the
 * release of a disk) leaves the lane and is tracked by itself, so that a new
 * configuration never waits for it (R3).  Decides nothing.  Loop thread only;
 * struct flight is the pool's while its work runs.
 */
#include "execute.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backing.h"
#include "loop.h"
#include "storage_queue.h"

enum {
	MAX_MAKING	= 2,		/* slots zeroed at a time: they share the thread pool */
	FORGET_MS	= 60000,	/* an action not seen for so long may begin at once */
};

/* One action on its way. Owner: its lane, or execute->flights. */
struct flight {
	struct flight		*next;
	struct execute		*execute;
	struct lane		*lane;		/* NULL: it has left the lane */
	struct action		action;
	struct hf_nl_call	call;
	uv_work_t		work;
	struct storage_job	job;
	bool			asks_storage;	/* its devices are not active */
	int			error;
	char			why[BACKING_WHY_MAX];
};

/* The rest of one plan for one volume. Owner: execute->lanes until it has ended. */
struct lane {
	struct lane	*next;
	struct execute	*execute;
	unsigned int	at;
	unsigned int	count;
	struct action	actions[];
};

/* When an action was begun last. */
struct memory {
	struct memory	*next;
	struct action	action;
	uint64_t	begun_ms;
};

struct execute {
	uv_loop_t			*loop;
	struct module			*module;
	struct links			*links;
	struct storage_queue		*storage;
	const struct execute_ops	*ops;
	void				*data;
	unsigned int			time_scale_pct;
	uint32_t			node;
	struct lane			*lanes;
	struct flight			*flights;
	struct memory			*memory;
	unsigned int			making;
	bool				closing;
};

static void step_lane(struct lane *lane);

static void free_when_ended(struct execute *execute)
{
	struct memory *memory;

	if (!execute->closing || execute->lanes || execute->flights)
		return;
	while ((memory = execute->memory)) {
		execute->memory = memory->next;
		free(memory);
	}
	free(execute);
}

/* The same action of another plan, whatever else it carries. */
static bool same_action(const struct action *a, const struct action *b)
{
	return a->kind == b->kind && !memcmp(a->volume, b->volume, sizeof(a->volume)) &&
	       a->slot_nr == b->slot_nr && a->life == b->life && a->instance == b->instance &&
	       a->epoch == b->epoch && a->term == b->term &&
	       a->incarnation == b->incarnation && a->conf.epoch == b->conf.epoch;
}

/* Its failure or delay says nothing about the actions that follow it. */
static bool is_independent(enum action_kind kind)
{
	return kind == ACT_LINK_CONNECT || kind == ACT_LINK_DEL || kind == ACT_REBUILD_START;
}

static bool leaves_lane(enum action_kind kind)
{
	return kind == ACT_LINK_CONNECT || kind == ACT_DISK_RELEASE || kind == ACT_SLOT_MAKE ||
	       kind == ACT_SLOT_RETIRE;
}

/* Making and retiring take their time, and are not done over each other. */
static bool same_devices(const struct action *a, const struct action *b)
{
	return (a->kind == ACT_SLOT_MAKE || a->kind == ACT_SLOT_RETIRE) &&
	       (b->kind == ACT_SLOT_MAKE || b->kind == ACT_SLOT_RETIRE) &&
	       !strcmp(a->meta_path, b->meta_path);
}

static bool in_flight(const struct execute *execute, const struct action *action)
{
	const struct flight *flight;

	for (flight = execute->flights; flight; flight = flight->next)
		if (same_action(&flight->action, action) ||
		    same_devices(&flight->action, action))
			return true;
	return false;
}

/*
 * May the action begin now? Notes that it does. What was not begun for long is
 * forgotten on the way.
 */
static bool try_begin(struct execute *execute, const struct action *action)
{
	uint64_t now = loop_now_ms(), wait;
	struct memory **at = &execute->memory, *memory;

	while ((memory = *at)) {
		wait = (uint64_t)memory->action.retry_ms * execute->time_scale_pct / 100;
		if (same_action(&memory->action, action)) {
			if (now - memory->begun_ms < wait)
				return false;
			memory->begun_ms = now;
			return true;
		}
		if (now - memory->begun_ms > FORGET_MS + wait) {
			*at = memory->next;
			free(memory);
		} else {
			at = &memory->next;
		}
	}
	memory = xcalloc(1, sizeof(*memory));
	memory->action = *action;
	memory->begun_ms = now;
	memory->next = execute->memory;
	execute->memory = memory;
	return true;
}

/* ---------------------------------------------------------------- the end */

static void end_lane(struct lane *lane)
{
	struct execute *execute = lane->execute;
	struct lane **at = &execute->lanes;

	while (*at != lane)
		at = &(*at)->next;
	*at = lane->next;
	free(lane);
}

static void propose_slot(struct flight *flight, enum command_kind kind)
{
	const struct action *action = &flight->action;
	struct execute *execute = flight->execute;
	struct command command;

	command_begin(&command, kind, 0, 0, execute->node);
	memcpy(command.slot.volume, action->volume, sizeof(command.slot.volume));
	command.slot.slot_nr = action->slot_nr;
	command.slot.node = execute->node;
	command.slot.incarnation = action->incarnation;
	if (kind == CMD_SLOT_FAILED)
		snprintf(command.slot.reason, sizeof(command.slot.reason), "%s", flight->why);
	execute->ops->propose(execute->data, &command);
}

/* What follows from the outcome beside the next plan. */
static void note_outcome(struct flight *flight)
{
	const struct action *action = &flight->action;
	struct execute *execute = flight->execute;

	switch (action->kind) {
	case ACT_SLOT_ATTACH:
		/* the module's absence says nothing about the slot */
		if (flight->error != -ENODEV)
			module_note_attach(execute->module, action->volume, flight->error);
		break;
	case ACT_SLOT_MAKE:
		/* What may be mended is tried again; the state waits. */
		if (action->drive.id && (flight->error == -ETIMEDOUT || flight->error == -EAGAIN ||
					 flight->error == -EINTR))
			break;
		propose_slot(flight, flight->error ? CMD_SLOT_FAILED : CMD_SLOT_MADE);
		break;
	case ACT_SLOT_RETIRE:
		if (!flight->error)
			propose_slot(flight, CMD_SLOT_RETIRED);
		break;
	default:
		break;
	}
}

static void end_flight(struct flight *flight)
{
	struct execute *execute = flight->execute;
	struct flight **at = &execute->flights;
	struct lane *lane = flight->lane;

	while (*at != flight)
		at = &(*at)->next;
	*at = flight->next;
	if (flight->error)
		log_info("execute: %s: %s", action_kind_name(flight->action.kind), flight->why);

	if (!execute->closing) {
		note_outcome(flight);
		module_refresh(execute->module);
	}
	if (lane && (execute->closing ||
		     (flight->error && !is_independent(flight->action.kind))))
		end_lane(lane);
	else if (lane)
		step_lane(lane);
	free(flight);
	if (!execute->closing)
		execute->ops->changed(execute->data);
	free_when_ended(execute);
}

static void on_called(void *data, struct hf_nl_call *call)
{
	struct flight *flight = data;

	flight->error = call->error;
	snprintf(flight->why, sizeof(flight->why), "%s", call->why);
	end_flight(flight);
}

/* -------------------------------------------------------------- the begin */

static void begin_call(struct flight *flight)
{
	static const u8 commands[ACT_KINDS] = {
		[ACT_VOLUME_SET]	= HOLDFAST_CMD_VOLUME_SET,
		[ACT_SLOT_ATTACH]	= HOLDFAST_CMD_SLOT_ATTACH,
		[ACT_SLOT_DETACH]	= HOLDFAST_CMD_SLOT_DETACH,
		[ACT_DISK_PREPARE]	= HOLDFAST_CMD_DISK_PREPARE,
		[ACT_DISK_RELEASE]	= HOLDFAST_CMD_DISK_RELEASE,
		[ACT_DISK_DEL]		= HOLDFAST_CMD_DISK_DEL,
		[ACT_LINK_DEL]		= HOLDFAST_CMD_LINK_DEL,
		[ACT_REBUILD_START]	= HOLDFAST_CMD_REBUILD_START,
		[ACT_VOLUME_DEL]	= HOLDFAST_CMD_VOLUME_DEL,
	};
	const struct action *action = &flight->action;
	struct hf_nl_call *call = &flight->call;

	call->cmd = commands[action->kind];
	memcpy(call->uuid, action->volume, sizeof(call->uuid));
	call->conf = action->conf;
	call->expected_epoch = action->epoch;
	call->flags = action->force ? HOLDFAST_FLAG_FORCE : 0;
	/* R16: pools of ours zero new blocks. No queue tells, so the module must be told. */
	if (action->kind == ACT_SLOT_ATTACH && action->drive.id && !action->drive.thick)
		call->flags |= HOLDFAST_FLAG_DISCARD_ZEROES;
	call->slot_nr = action->slot_nr;
	call->incarnation = action->incarnation;
	call->link_id = action->link_id;
	call->timeout_ms = action->timeout_ms;
	call->life = action->life;
	call->instance = action->instance;
	module_call(flight->execute->module, call, on_called, flight);
}

/* -------------------------------------------------------- slots on drives */

static void describe_slot(const struct action *action, struct storage_slot *slot)
{
	size_t len = 0, i;

	memset(slot, 0, sizeof(*slot));
	slot->drive = action->drive;
	slot->data_bytes = (action->size_bytes + FSM_EXTENT_BYTES - 1) / FSM_EXTENT_BYTES *
			   FSM_EXTENT_BYTES;
	slot->meta_bytes = fsm_slot_meta_bytes(action->size_bytes);
	slot->data_path = action->data_path;
	slot->meta_path = action->meta_path;
	len = (size_t)snprintf(slot->tag, sizeof(slot->tag), "holdfast.of.");
	for (i = 0; i < FSM_UUID_BYTES; i++)
		len += (size_t)snprintf(slot->tag + len, sizeof(slot->tag) - len, "%02x",
					action->volume[i]);
	snprintf(slot->tag + len, sizeof(slot->tag) - len, ".%u.%016llx", action->slot_nr,
		 (unsigned long long)action->incarnation);
}

static int open_slot(struct flight *flight, const struct storage_slot *slot)
{
	return storage_slot_open(slot, flight->call.data_path, flight->call.meta_path,
				 sizeof(flight->call.data_path), flight->why,
				 sizeof(flight->why));
}

/* In the pool. */
static void run_storage(struct storage_job *job)
{
	struct flight *flight = (struct flight *)((char *)job - offsetof(struct flight, job));
	struct storage_slot slot;

	describe_slot(&flight->action, &slot);
	flight->error = 0;
	if (flight->action.kind == ACT_SLOT_RETIRE)
		flight->error = storage_slot_remove(&slot, flight->why, sizeof(flight->why));
	if (flight->action.kind == ACT_SLOT_MAKE)
		flight->error = storage_slot_create(&slot, flight->why, sizeof(flight->why));
	if (!flight->error && flight->action.kind != ACT_SLOT_RETIRE)
		flight->error = open_slot(flight, &slot);
	if (flight->error == -ENODEV)	/* which would mean: no module */
		flight->error = -ENXIO;
}

static void queue_work(struct flight *flight, uv_work_cb work, uv_after_work_cb after)
{
	flight->work.data = flight;
	uv_queue_work(flight->execute->loop, &flight->work, work, after);
}

static void work_on_slot(uv_work_t *work);
static void on_slot_worked(uv_work_t *work, int status);

static void storage_done(struct storage_job *job)
{
	struct flight *flight = (struct flight *)((char *)job - offsetof(struct flight, job));

	if (job->cancelled)
		flight->error = -ECANCELED;
	if (flight->action.kind == ACT_SLOT_ATTACH) {
		if (flight->error)
			end_flight(flight);
		else
			begin_call(flight);
	} else if (flight->action.kind == ACT_SLOT_MAKE && !flight->error) {
		queue_work(flight, work_on_slot, on_slot_worked);
	} else {
		flight->execute->making--;
		end_flight(flight);
	}
}

static void ask_storage(struct flight *flight)
{
	storage_queue_submit(flight->execute->storage, &flight->job, run_storage, storage_done);
}

/* ----------------------------------------------------------------- devices */

/* In the pool. */
static void find_devices(uv_work_t *work)
{
	struct flight *flight = work->data;
	const struct action *action = &flight->action;
	struct storage_slot slot;

	if (action->drive.id) {
		describe_slot(action, &slot);
		flight->asks_storage = storage_slot_find(&slot, flight->call.data_path,
							 flight->call.meta_path,
							 sizeof(flight->call.data_path));
		return;
	}
	flight->error = backing_device(action->data_path, flight->call.data_path, flight->why,
				       sizeof(flight->why));
	if (!flight->error)
		flight->error = backing_device(action->meta_path, flight->call.meta_path,
					       flight->why, sizeof(flight->why));
}

static void on_devices(uv_work_t *work, int status)
{
	struct flight *flight = work->data;

	(void)status;
	if (flight->error)
		end_flight(flight);
	else if (flight->asks_storage)
		ask_storage(flight);
	else
		begin_call(flight);
}

/* In the pool. */
static void work_on_slot(uv_work_t *work)
{
	struct flight *flight = work->data;
	const struct action *action = &flight->action;
	struct backing_slot slot = {
		.node = flight->execute->node,
		.slot_nr = action->slot_nr,
		.incarnation = action->incarnation,
		.size_bytes = action->size_bytes,
		.data_path = action->data_path,
		.meta_path = action->meta_path,
	};

	memcpy(slot.volume, action->volume, sizeof(slot.volume));
	if (action->drive.id) {
		slot.data_path = flight->call.data_path;
		slot.meta_path = flight->call.meta_path;
		slot.is_own = true;
		slot.is_zeroed = !action->drive.thick;
	}
	if (action->kind == ACT_SLOT_MAKE)
		flight->error = backing_make(&slot, flight->why, sizeof(flight->why));
	else
		flight->error = backing_retire(&slot, flight->why, sizeof(flight->why));
}

static void on_slot_worked(uv_work_t *work, int status)
{
	struct flight *flight = work->data;

	(void)status;
	flight->execute->making--;
	end_flight(flight);
}

static void on_linked(void *data, const char *why)
{
	struct flight *flight = data;

	flight->error = why ? -ENOTCONN : 0;
	snprintf(flight->why, sizeof(flight->why), "%s", why ? why : "");
	end_flight(flight);
}

/* Returns false when it could not even begin; then nothing calls back. */
static bool begin_link(struct flight *flight)
{
	const struct action *action = &flight->action;
	const char *why = links_connect(flight->execute->links, action->volume, action->slot_nr,
					action->term, action->node, on_linked, flight);

	if (why)
		log_info("execute: %s: %s", action_kind_name(action->kind), why);
	return !why;
}

/* Returns false when it was not begun. */
static bool begin(struct execute *execute, struct lane *lane, const struct action *action)
{
	struct flight *flight = xcalloc(1, sizeof(*flight));

	flight->execute = execute;
	flight->lane = leaves_lane(action->kind) ? NULL : lane;
	flight->action = *action;
	flight->next = execute->flights;
	execute->flights = flight;

	switch (action->kind) {
	case ACT_LINK_CONNECT:
		if (begin_link(flight))
			return true;
		execute->flights = flight->next;
		free(flight);
		return false;
	case ACT_SLOT_MAKE:
	case ACT_SLOT_RETIRE:
		execute->making++;
		if (action->drive.id)
			ask_storage(flight);
		else
			queue_work(flight, work_on_slot, on_slot_worked);
		return true;
	case ACT_SLOT_ATTACH:
		queue_work(flight, find_devices, on_devices);
		return true;
	default:
		begin_call(flight);
		return true;
	}
}

static bool has_room(const struct execute *execute, const struct action *action)
{
	return (action->kind != ACT_SLOT_MAKE && action->kind != ACT_SLOT_RETIRE) ||
	       execute->making < MAX_MAKING;
}

/*
 * Go on along the lane until something has to be waited for. What is in flight
 * or has to wait for its retry stops the lane, unless nothing depends on it.
 */
static void step_lane(struct lane *lane)
{
	struct execute *execute = lane->execute;
	const struct action *action;

	while (lane->at < lane->count) {
		action = &lane->actions[lane->at++];
		if (action->kind == ACT_PROPOSE) {
			execute->ops->propose(execute->data, &action->command);
			continue;
		}
		if (in_flight(execute, action) || !has_room(execute, action) ||
		    !try_begin(execute, action)) {
			if (is_independent(action->kind))
				continue;
			break;
		}
		if (!begin(execute, lane, action))
			continue;
		if (!leaves_lane(action->kind))
			return;
		if (!is_independent(action->kind))
			break;
	}
	end_lane(lane);
}

static const struct lane *find_lane(const struct execute *execute, const uint8_t *volume)
{
	const struct lane *lane;

	for (lane = execute->lanes; lane; lane = lane->next)
		if (!memcmp(lane->actions[0].volume, volume, FSM_UUID_BYTES))
			return lane;
	return NULL;
}

/* Is @nr the first action of its volume in @list? */
static bool is_first(const struct action_list *list, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (!memcmp(list->actions[i].volume, list->actions[nr].volume, FSM_UUID_BYTES))
			return false;
	return true;
}

static struct lane *new_lane(struct execute *execute, const struct action_list *list,
			     unsigned int first)
{
	const uint8_t *volume = list->actions[first].volume;
	unsigned int i, count = 0;
	struct lane *lane;

	for (i = first; i < list->count; i++)
		count += !memcmp(list->actions[i].volume, volume, FSM_UUID_BYTES);
	lane = xcalloc(1, sizeof(*lane) + count * sizeof(lane->actions[0]));
	for (i = first; i < list->count; i++)
		if (!memcmp(list->actions[i].volume, volume, FSM_UUID_BYTES))
			lane->actions[lane->count++] = list->actions[i];
	lane->execute = execute;
	lane->next = execute->lanes;
	execute->lanes = lane;
	return lane;
}

void execute_actions(struct execute *execute, const struct action_list *list)
{
	unsigned int i;

	for (i = 0; i < list->count && !execute->closing; i++)
		if (is_first(list, i) && !find_lane(execute, list->actions[i].volume))
			step_lane(new_lane(execute, list, i));
}

struct execute *execute_open(uv_loop_t *loop, struct module *module, struct links *links,
			     struct storage_queue *storage, const struct execute_ops *ops,
			     void *data, unsigned int time_scale_pct)
{
	struct execute *execute = xcalloc(1, sizeof(*execute));

	execute->loop = loop;
	execute->module = module;
	execute->links = links;
	execute->storage = storage;
	execute->ops = ops;
	execute->data = data;
	execute->time_scale_pct = time_scale_pct;
	return execute;
}

void execute_set_node(struct execute *execute, uint32_t node)
{
	execute->node = node;
}

void execute_close(struct execute *execute)
{
	execute->closing = true;
	free_when_ended(execute);
}
