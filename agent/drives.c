// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The drives of this node.  Level-triggered: a drive that is being added is made
 * until that is committed or refused, one that is being removed is wiped, one
 * that is ready is looked at again and again, and what was found is proposed
 * until the state says so.  At most one job a drive and one for free disks are
 * on their way.  Loop thread only; a job's own part is the pool's while it runs.
 */
#include "drives.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disks.h"
#include "drive_watch.h"
#include "loop.h"
#include "node.h"
#include "storage_queue.h"

enum {
	LOOK_MS		= 10000,	/* scaled: between two looks at a drive */
	HURRY_MS	= 1000,		/* scaled: at the least between them */
	RETRY_MS	= 2000,		/* scaled: what failed and may be mended */
	FREE_MS		= 15000,	/* scaled: between two looks for free disks */
	PROPOSE_MS	= 1000,		/* scaled */
};

/* One drive of this node, from its first sight in the state until it is gone there. */
struct one {
	struct one		*next;
	struct drives		*drives;
	struct storage_drive	drive;
	bool			in_state;	/* mark of the last sweep */
	bool			busy;		/* its job is queued or runs */
	uint64_t		next_ms;	/* not begun before */
	uint64_t		next_note_ms;
	struct drive_seen	seen;
	unsigned int		orphans_before;

	struct storage_job	job;
	enum fsm_drive_state	job_for;
	char			device[FSM_PATH_BYTES];
	struct storage_made	made;
	struct storage_list	list;
	int			error;
	char			why[STORAGE_WHY_BYTES];
};

struct drives {
	struct agent		*agent;
	struct one		*all;
	bool			closing;
	bool			current;	/* the state, at the last look */
	unsigned int		jobs;		/* not ended yet */
	uint64_t		hurry_ms;	/* a look was asked for then; 0: none */

	bool			free_busy;
	uint64_t		next_free_ms;
	struct storage_job	free_job;
	unsigned int		nr_free;	/* in @free; the job's while it runs: in @found */
	struct disk		free[DISKS_MAX];
	unsigned int		nr_found;
	struct disk		found[DISKS_MAX];
};

static uint64_t in_ms(const struct drives *drives, unsigned int ms)
{
	return loop_now_ms() + node_scaled(drives->agent, ms);
}

static void free_when_ended(struct drives *drives)
{
	struct one *one;

	if (!drives->closing || drives->jobs)
		return;
	while ((one = drives->all)) {
		drives->all = one->next;
		storage_list_clear(&one->seen.list);
		free(one);
	}
	free(drives);
}

/* --------------------------------------------------------------- proposals */

static void propose_end(struct one *one, enum command_kind kind)
{
	struct agent *agent = one->drives->agent;
	struct command cmd;

	command_begin(&cmd, kind, 0, 0, 0);
	if (kind == CMD_DRIVE_MADE) {
		cmd.drive_made.drive = one->drive.id;
		cmd.drive_made.data_bytes = one->made.data_bytes;
		cmd.drive_made.meta_bytes = one->made.meta_bytes;
		cmd.drive_made.rotational = one->made.rotational;
		snprintf(cmd.drive_made.disk, sizeof(cmd.drive_made.disk), "%s", one->made.disk);
	} else {
		cmd.drive.drive = one->drive.id;
		if (kind == CMD_DRIVE_FAILED)
			snprintf(cmd.drive.reason, sizeof(cmd.drive.reason), "%s", one->why);
	}
	node_propose(agent, &cmd);
}

static void propose_note(struct one *one, const struct fsm_drive *drive)
{
	struct agent *agent = one->drives->agent;
	struct command cmd;

	/* A copy of the state that nobody leads may be old: no judgement by it. */
	if (!node_leader(agent) || loop_now_ms() < one->next_note_ms)
		return;
	command_begin(&cmd, CMD_DRIVE_NOTE, 0, 0, 0);
	if (!drive_note(agent->fsm, drive, &one->seen, &cmd.drive_note))
		return;
	one->next_note_ms = in_ms(one->drives, PROPOSE_MS);
	node_propose(agent, &cmd);
}

/* -------------------------------------------------------------------- jobs */

/* In the pool. */
static void run_job(struct storage_job *job)
{
	struct one *one = (struct one *)((char *)job - offsetof(struct one, job));

	one->why[0] = '\0';
	if (one->job_for == FSM_DRIVE_ADDING)
		one->error = storage_drive_make(&one->drive, one->device, &one->made, one->why,
						sizeof(one->why));
	else if (one->job_for == FSM_DRIVE_REMOVING)
		one->error = storage_drive_wipe(&one->drive, one->why, sizeof(one->why));
	else
		one->error = storage_drive_list(&one->drive, &one->list, one->why,
						sizeof(one->why));
}

static void take_list(struct one *one)
{
	struct agent *agent = one->drives->agent;
	const struct fsm_drive *drive = fsm_drive_by_id(agent->fsm, one->drive.id);
	unsigned int i, orphans = 0;

	if (one->error) {
		if (one->error == -ENODEV)
			one->seen.absent++;
		return;
	}
	storage_list_clear(&one->seen.list);
	one->seen.list = one->list;
	memset(&one->list, 0, sizeof(one->list));
	one->seen.known = true;
	one->seen.absent = 0;
	if (!one->drives->current)
		return;
	for (i = 0; drive && i < one->seen.list.count; i++)
		orphans += !drive_item_has_slot(agent->fsm, drive, &one->seen.list.items[i]);
	one->seen.nr_orphans = orphans < one->orphans_before ? orphans : one->orphans_before;
	one->seen.orphans_known = true;
	if (orphans != one->orphans_before)
		drives_hurry(one->drives);
	one->orphans_before = orphans;
}

static void job_done(struct storage_job *job)
{
	struct one *one = (struct one *)((char *)job - offsetof(struct one, job));
	struct drives *drives = one->drives;

	one->busy = false;
	drives->jobs--;
	if (drives->closing || job->cancelled) {
		storage_list_clear(&one->list);
		return free_when_ended(drives);
	}
	one->next_ms = in_ms(drives, one->error ? RETRY_MS : LOOK_MS);
	if (one->error)
		log_info("drive %08x: %s", one->drive.id, one->why);
	if (one->job_for == FSM_DRIVE_READY) {
		take_list(one);
	} else {
		one->next_ms = in_ms(drives, RETRY_MS);
		drives->next_free_ms = 0;
		if (!one->error)
			propose_end(one, one->job_for == FSM_DRIVE_ADDING ? CMD_DRIVE_MADE :
				    CMD_DRIVE_GONE);
		else if (one->job_for == FSM_DRIVE_ADDING && one->error != -ETIMEDOUT &&
			 one->error != -EAGAIN && one->error != -EINTR)
			propose_end(one, CMD_DRIVE_FAILED);
	}
	node_kick(drives->agent);
}

static void begin_job(struct one *one, const struct fsm_drive *drive)
{
	struct drives *drives = one->drives;

	one->busy = true;
	one->job_for = drive->state;
	one->drive.thick = drive->thick;
	memcpy(one->device, drive->device, sizeof(one->device));
	drives->jobs++;
	storage_queue_submit(drives->agent->storage, &one->job, run_job, job_done);
}

/* -------------------------------------------------------------- free disks */

/* In the pool. */
static void run_free(struct storage_job *job)
{
	struct drives *drives = (struct drives *)((char *)job -
						  offsetof(struct drives, free_job));

	drives->nr_found = disks_free(drives->found, DISKS_MAX);
}

/* Does an operator's pair name it? */
static bool is_of_pair(const struct agent *agent, const struct disk *disk)
{
	const struct fsm_node *self = fsm_node_by_id(agent->fsm, agent->self.id);
	unsigned int i;

	for (i = 0; self && i < self->nr_backing; i++) {
		if (!strcmp(self->backing[i].data_path, disk->path) ||
		    !strcmp(self->backing[i].meta_path, disk->path))
			return true;
	}
	return false;
}

static void free_done(struct storage_job *job)
{
	struct drives *drives = (struct drives *)((char *)job -
						  offsetof(struct drives, free_job));
	unsigned int i;

	drives->jobs--;
	drives->free_busy = false;
	if (drives->closing || job->cancelled)
		return free_when_ended(drives);
	drives->nr_free = 0;
	for (i = 0; i < drives->nr_found; i++) {
		if (!is_of_pair(drives->agent, &drives->found[i]))
			drives->free[drives->nr_free++] = drives->found[i];
	}
	drives->next_free_ms = in_ms(drives, FREE_MS);
}

/* -------------------------------------------------------------------- look */

static struct one *find(struct drives *drives, const struct fsm_drive *drive)
{
	struct one *one;

	for (one = drives->all; one; one = one->next) {
		if (one->drive.id == drive->id)
			return one;
	}
	one = xcalloc(1, sizeof(*one));
	one->drives = drives;
	one->drive.id = drive->id;
	memcpy(one->drive.cluster, drives->agent->fsm->cluster, sizeof(one->drive.cluster));
	one->next = drives->all;
	drives->all = one;
	return one;
}

static void forget_gone(struct drives *drives)
{
	struct one **at = &drives->all, *one;

	while ((one = *at)) {
		if (one->in_state || one->busy) {
			at = &one->next;
			continue;
		}
		*at = one->next;
		storage_list_clear(&one->seen.list);
		free(one);
	}
}

static void look_at(struct one *one, const struct fsm_drive *drive, bool current)
{
	uint64_t now = loop_now_ms();

	one->in_state = true;
	if (one->busy)
		return;
	if (drive->state == FSM_DRIVE_READY && one->drives->hurry_ms &&
	    now >= one->drives->hurry_ms && one->next_ms > now)
		one->next_ms = now;
	/* Another thing is wanted of it than what was tried last. */
	if (drive->state != FSM_DRIVE_READY && one->job_for != drive->state)
		one->next_ms = now;
	if (now >= one->next_ms && (current || drive->state == FSM_DRIVE_READY))
		begin_job(one, drive);
	else if (drive->state == FSM_DRIVE_READY)
		propose_note(one, drive);
}

void drives_look(struct drives *drives, bool current)
{
	const struct agent *agent = drives->agent;
	const struct fsm *fsm = agent->fsm;
	uint64_t now = loop_now_ms();
	struct one *one;
	unsigned int i;

	drives->current = current;
	if (drives->closing || agent->phase != NODE_MEMBER)
		return;
	for (one = drives->all; one; one = one->next)
		one->in_state = false;
	for (i = 0; i < fsm->nr_drives; i++) {
		if (fsm->drives[i].node == agent->self.id)
			look_at(find(drives, &fsm->drives[i]), &fsm->drives[i], current);
	}
	forget_gone(drives);
	if (drives->hurry_ms && now >= drives->hurry_ms)
		drives->hurry_ms = 0;
	if (!drives->free_busy && now >= drives->next_free_ms) {
		drives->free_busy = true;
		drives->jobs++;
		storage_queue_submit(agent->storage, &drives->free_job, run_free, free_done);
	}
}

void drives_hurry(struct drives *drives)
{
	if (!drives->hurry_ms)
		drives->hurry_ms = in_ms(drives, HURRY_MS);
}

void drives_report(const struct drives *drives, struct storage_report *report)
{
	const struct one *one;
	unsigned int i;

	memset(report, 0, sizeof(*report));
	for (one = drives->all; one && report->nr_drives < FSM_NODE_DRIVES; one = one->next) {
		struct drive_report *d = &report->drives[report->nr_drives];

		if (!one->seen.known)
			continue;
		report->nr_drives++;
		d->drive = one->drive.id;
		d->present = !one->seen.absent;
		d->data_bytes = one->seen.list.data_bytes;
		d->used_bytes = one->seen.list.used_bytes;
		d->data_pct = (u16)one->seen.list.data_pct;
		d->meta_pct = (u16)one->seen.list.meta_pct;
		snprintf(d->disk, sizeof(d->disk), "%s", one->seen.list.disk);
	}
	for (i = 0; i < drives->nr_free; i++) {
		struct disk_report *d = &report->disks[report->nr_disks++];

		snprintf(d->disk, sizeof(d->disk), "%s", drives->free[i].name);
		d->size_bytes = drives->free[i].bytes;
		d->rotational = drives->free[i].rotational;
	}
}

/* Of the data device of a slot: 0 while it has not been seen. */
static u64 allocated(const struct drives *drives, const struct fsm_backing *backing)
{
	const char *name = strrchr(backing->data_path, '/');
	const struct one *one;
	unsigned int i;

	for (one = drives->all; one && name; one = one->next) {
		if (one->drive.id != backing->drive)
			continue;
		for (i = 0; i < one->seen.list.count; i++) {
			if (!strcmp(one->seen.list.items[i].name, name + 1))
				return one->seen.list.items[i].used_bytes;
		}
	}
	return 0;
}

void drives_fill_allocated(const struct drives *drives, struct kernel_view *view)
{
	const struct fsm *fsm = drives->agent->fsm;
	unsigned int i;

	for (i = 0; i < view->nr_volumes; i++) {
		const struct fsm_volume *vol = fsm_volume_by_uuid(fsm, view->volumes[i].uuid);
		struct kernel_slot *slot = &view->volumes[i].slot;
		const struct fsm_backing *backing;

		if (slot->state == HOLDFAST_SLOT_NONE || !vol)
			continue;
		backing = fsm_slot_backing(fsm, vol, slot->slot_nr);
		if (backing)
			slot->allocated_bytes = backing->drive ? allocated(drives, backing) :
				vol->conf.size_bytes;
	}
}

struct drives *drives_open(struct agent *agent)
{
	struct drives *drives = xcalloc(1, sizeof(*drives));

	drives->agent = agent;
	return drives;
}

void drives_close(struct drives *drives)
{
	drives->closing = true;
	free_when_ended(drives);
}
