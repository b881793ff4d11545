// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A node's own planner: compares what the state wants of this node with what
 * its module says, and names the next commands to the module.  Knows nothing
 * of other nodes but their status; whether a configuration may change is the
 * leader's business.  A module whose configuration is newer than this copy of
 * the state (a link raised its epoch, R1) is right.
 */
#include <string.h>

#include "plan_internal.h"

enum {
	RETRY_MS	= 500,	/* a command that was refused */
	RETRY_LINK_MS	= 300,
	RETRY_MAKE_MS	= 1000,
	RETRY_FAILED_MS	= 5000,	/* a slot whose device failed */
};

/* One volume in one call. */
struct node_scene {
	const struct fsm		*fsm;
	const u8			*uuid;
	const struct fsm_volume		*vol;	/* NULL: nothing but the slot is known */
	const struct kernel_volume	*view;	/* NULL: the module does not know it */
	const struct plan_input		*in;
	struct action_list		*out;
	int				slot_nr;	/* this node's slot, -1: it has none */
	unsigned int			rebuilds;	/* from this node, under way */
};

static struct action *act(const struct node_scene *s, enum action_kind kind, u32 retry_ms)
{
	struct action *action = action_list_add(s->out);

	if (!action)
		return NULL;
	action->kind = kind;
	memcpy(action->volume, s->uuid, sizeof(action->volume));
	action->slot_nr = s->slot_nr < 0 ? 0 : (u8)s->slot_nr;
	if (s->vol && s->slot_nr >= 0)
		action->incarnation = s->vol->conf.slots[s->slot_nr].incarnation;
	action->retry_ms = (u32)plan_scaled(s->in, retry_ms);
	return action;
}

static void add_backing(const struct fsm *fsm, const struct fsm_backing *pair,
			struct action *action)
{
	const struct fsm_drive *drive = fsm_drive_by_id(fsm, pair->drive);

	memcpy(action->data_path, pair->data_path, sizeof(action->data_path));
	memcpy(action->meta_path, pair->meta_path, sizeof(action->meta_path));
	if (!drive)
		return;
	action->drive.id = drive->id;
	action->drive.thick = drive->thick;
	memcpy(action->drive.cluster, fsm->cluster, sizeof(action->drive.cluster));
}

static void add_paths(const struct node_scene *s, struct action *action)
{
	const struct fsm_backing *pair = fsm_slot_backing(s->fsm, s->vol, s->slot_nr);

	if (action && pair)
		add_backing(s->fsm, pair, action);
}

/* ---------------------------------------------------- creation and deletion */

static void make_slot(const struct node_scene *s, u64 incarnation)
{
	struct action *action = act(s, ACT_SLOT_MAKE, RETRY_MAKE_MS);

	if (!action)
		return;
	action->incarnation = incarnation;
	action->size_bytes = s->vol->conf.size_bytes;
	action->vdisk = s->vol->conf.vdisk;
	add_paths(s, action);
}

static void plan_making(const struct node_scene *s)
{
	if (s->in->current && !(s->vol->made_mask & 1 << s->slot_nr))
		make_slot(s, s->vol->conf.slots[s->slot_nr].incarnation);
}

/* A slot that shall be added to a volume in service. */
static void plan_placed(const struct node_scene *s)
{
	if (s->in->current && !s->vol->place.made)
		make_slot(s, s->vol->place.incarnation);
}

static void end_in_module(const struct node_scene *s)
{
	struct action *action;

	if (s->view->disk.state != HOLDFAST_DISK_NONE) {
		action = act(s, ACT_DISK_DEL, RETRY_MS);
		if (action) {
			action->instance = s->view->disk.instance;
			action->force = true;
		}
	}
	if (s->view->slot.state != HOLDFAST_SLOT_NONE) {
		action = act(s, ACT_SLOT_DETACH, RETRY_MS);
		if (action) {
			action->life = s->view->slot.life;
			action->force = true;
		}
	}
	action = act(s, ACT_VOLUME_DEL, RETRY_MS);
	if (action)
		action->force = true;
}

static void plan_deleting(const struct node_scene *s)
{
	if (!s->in->current)
		return;
	if (s->view)
		end_in_module(s);
	else if (!(s->vol->retired_mask & 1 << s->slot_nr))
		add_paths(s, act(s, ACT_SLOT_RETIRE, RETRY_MAKE_MS));
}

/* What is left of a slot that was removed; the volume itself may be gone. */
static void plan_retiring(const struct fsm *fsm, const struct fsm_backing *pair,
			  const struct kernel_view *view, const struct plan_input *in,
			  struct action_list *out)
{
	struct node_scene s = {
		.uuid = pair->volume, .in = in, .out = out, .slot_nr = pair->slot_nr,
		.view = kernel_view_find(view, pair->volume),
	};
	const struct fsm_volume *vol = fsm_volume_by_uuid(fsm, pair->volume);
	struct action *action;

	/* This copy of the state may lag: what the module has may be a later slot. */
	if (s.view && ((vol && s.view->conf.epoch > vol->conf.epoch) ||
		       (s.view->slot.state != HOLDFAST_SLOT_NONE &&
			s.view->slot.incarnation != pair->incarnation)))
		return;
	if (s.view) {
		end_in_module(&s);
		return;
	}
	action = act(&s, ACT_SLOT_RETIRE, RETRY_MAKE_MS);
	if (!action)
		return;
	action->incarnation = pair->incarnation;
	add_backing(fsm, pair, action);
}

/* --------------------------------------------------- configuration and slot */

static void set_conf(const struct node_scene *s)
{
	struct action *action = act(s, ACT_VOLUME_SET, RETRY_MS);

	if (!action)
		return;
	action->epoch = s->view ? s->view->conf.epoch : 0;
	action->conf = s->vol->conf;
}

static void attach_slot(const struct node_scene *s)
{
	add_paths(s, act(s, ACT_SLOT_ATTACH, 2 * RETRY_MS));
}

/*
 * A copy that was dropped because its drive is full would fail again: it waits
 * until there is room. One that is in the set is good as it is.
 */
static bool waits_for_room(const struct node_scene *s)
{
	const struct fsm_backing *pair = fsm_slot_backing(s->fsm, s->vol, s->slot_nr);
	const struct fsm_drive *drive = pair ? fsm_drive_by_id(s->fsm, pair->drive) : NULL;

	return drive && drive->usage_level == 100 &&
	       !(s->vol->conf.in_sync_mask & 1 << s->slot_nr);
}

/* A failed device gets another life once nothing is served from it. */
static void plan_slot(const struct node_scene *s)
{
	u8 disk = s->view->disk.state;
	struct action *action;

	if (s->view->slot.state != HOLDFAST_SLOT_UP && waits_for_room(s))
		return;
	if (s->view->slot.state == HOLDFAST_SLOT_NONE) {
		attach_slot(s);
	} else if (s->view->slot.state == HOLDFAST_SLOT_FAILED &&
		   disk != HOLDFAST_DISK_ACTIVE && disk != HOLDFAST_DISK_NAMED) {
		action = act(s, ACT_SLOT_DETACH, RETRY_FAILED_MS);
		if (action) {
			action->life = s->view->slot.life;
			action->force = true;
		}
	}
}

/* --------------------------------------------------------------------- disk */

static bool conf_names_disk(const struct node_scene *s)
{
	return s->view->conf.primary_node == s->in->self &&
	       s->view->conf.primary_instance == s->view->disk.instance;
}

/* A wish from the future comes from another clock: no wait then. */
static bool opener_had_time(const struct node_scene *s)
{
	u64 now = s->in->unix_ms, since = s->vol->wanted_ms;

	return now < since || now - since >= plan_scaled(s->in, PLAN_OPEN_MS);
}

/* May an open disk be let go? */
static bool by_force(const struct node_scene *s)
{
	const struct fsm_node *self = fsm_node_by_id(s->fsm, s->in->self);

	if (s->vol->wanted_force || !self)
		return s->vol->wanted_force;
	return self->cordon == FSM_CORDON_FORCE ||
	       (self->cordon == FSM_CORDON_SHUTDOWN && opener_had_time(s));
}

static void delete_disk(const struct node_scene *s)
{
	bool force = by_force(s);
	struct action *action;

	if (s->view->disk.openers && !force)
		return;
	action = act(s, ACT_DISK_DEL, RETRY_MS);
	if (!action)
		return;
	action->instance = s->view->disk.instance;
	action->force = force;
}

/* The wish goes back to who serves: its disk stayed open. */
static void refuse_wish(const struct node_scene *s)
{
	const struct fsm_node *self = fsm_node_by_id(s->fsm, s->in->self);
	struct action *action;

	if (!opener_had_time(s))
		return;
	if (!self || self->status != FSM_NODE_NORMAL)
		return;
	action = act(s, ACT_PROPOSE, 2 * RETRY_MS);
	if (!action)
		return;
	command_begin(&action->command, CMD_WISH_REFUSED, 0, s->in->unix_ms, s->in->self);
	memcpy(action->command.wish_refused.volume, s->vol->uuid, FSM_UUID_BYTES);
	action->command.wish_refused.request_id = s->vol->request_id;
	action->command.wish_refused.node = s->in->self;
}

/* R13: this node shall no longer serve. */
static void plan_leaving(const struct node_scene *s)
{
	const struct kernel_disk *disk = &s->view->disk;
	bool named = conf_names_disk(s), force = by_force(s);
	struct action *action;

	if (disk->state == HOLDFAST_DISK_NONE)
		return;
	if (!named || disk->state == HOLDFAST_DISK_DEAD) {
		/* Deposed while it served: it is dead as soon as the module knows. */
		if (disk->state != HOLDFAST_DISK_ACTIVE)
			delete_disk(s);
		return;
	}
	if (disk->state == HOLDFAST_DISK_RELEASED)
		return;
	if (disk->openers && !force) {
		refuse_wish(s);
		return;
	}
	if (disk->state == HOLDFAST_DISK_NAMED) {
		delete_disk(s);
		return;
	}
	action = act(s, ACT_DISK_RELEASE, 2 * RETRY_MS);
	if (!action)
		return;
	action->instance = disk->instance;
	action->force = force;
	action->timeout_ms = (u32)plan_scaled(s->in, PLAN_RELEASE_MS);
}

static void plan_disk(const struct node_scene *s)
{
	const struct kernel_disk *disk = &s->view->disk;

	if (s->vol->wanted_node != s->in->self) {
		plan_leaving(s);
		return;
	}
	/* Without a slot of its own it needs none (R11). */
	if (s->slot_nr >= 0 && s->view->slot.state != HOLDFAST_SLOT_UP)
		return;
	/* A dead disk keeps its openers; the new one is another instance (R6). */
	if (disk->state == HOLDFAST_DISK_NONE || disk->state == HOLDFAST_DISK_DEAD)
		act(s, ACT_DISK_PREPARE, RETRY_MS);
	else if (disk->state == HOLDFAST_DISK_RELEASED && !conf_names_disk(s))
		delete_disk(s);
}

/* -------------------------------------------------------- links and rebuilds */

static bool should_link(const struct node_scene *s, int slot)
{
	const struct hf_conf_data *conf = &s->view->conf;
	const struct fsm_node *node = fsm_node_by_id(s->fsm, conf->slots[slot].node);

	if (!node || slot == s->slot_nr)
		return false;
	if (!hf_conf_activated(conf))
		return conf->in_sync_mask & 1 << slot && conf->slots[slot].cited_life;
	/* R3: a slot of the set may be linked again at any time. */
	return conf->in_sync_mask & 1 << slot || node->status == FSM_NODE_NORMAL;
}

static void connect_slot(const struct node_scene *s, int slot)
{
	struct action *action = act(s, ACT_LINK_CONNECT, RETRY_LINK_MS);

	if (!action)
		return;
	action->slot_nr = (u8)slot;
	action->node = s->view->conf.slots[slot].node;
	action->term = s->view->conf.term;
}

static bool should_rebuild(const struct node_scene *s, const struct kernel_remote *remote)
{
	return s->view->disk.state == HOLDFAST_DISK_ACTIVE &&
	       hf_conf_activated(&s->view->conf) &&
	       hf_conf_missing_mask(&s->view->conf) & 1 << remote->slot_nr &&
	       remote->link_state == HOLDFAST_LINK_READY &&
	       !(remote->flags & HOLDFAST_REMOTE_COUNTED) &&
	       (remote->rebuild_state == HOLDFAST_REBUILD_NONE ||
		remote->rebuild_state == HOLDFAST_REBUILD_FAILED);
}

static void count_rebuilds(struct node_scene *s, const struct kernel_view *view)
{
	unsigned int i, k;

	for (i = 0; i < view->nr_volumes; i++) {
		const struct kernel_volume *vol = &view->volumes[i];

		for (k = 0; k < vol->nr_remotes && vol->disk.state == HOLDFAST_DISK_ACTIVE; k++)
			s->rebuilds += vol->remotes[k].rebuild_state == HOLDFAST_REBUILD_COPYING ||
				       vol->remotes[k].rebuild_state == HOLDFAST_REBUILD_FINISHING;
	}
}

static void plan_links(struct node_scene *s)
{
	u8 disk = s->view->disk.state;
	struct action *action;
	int slot;

	/* Also with a slot that failed: it goes on with the others (R11). */
	if (!conf_names_disk(s) ||
	    (disk != HOLDFAST_DISK_NAMED && disk != HOLDFAST_DISK_ACTIVE))
		return;
	for (slot = 0; slot < HF_MAX_SLOTS; slot++) {
		const struct kernel_remote *remote = kernel_volume_remote(s->view, (u8)slot);

		if (!should_link(s, slot))
			continue;
		if (!remote || remote->link_state == HOLDFAST_LINK_NONE ||
		    remote->link_state == HOLDFAST_LINK_DOWN) {
			connect_slot(s, slot);
		} else if (should_rebuild(s, remote) && s->rebuilds < PLAN_MAX_REBUILDS) {
			s->rebuilds++;
			action = act(s, ACT_REBUILD_START, RETRY_MS);
			if (action)
				action->slot_nr = (u8)slot;
		}
	}
}

static void plan_ready(struct node_scene *s)
{
	if (!s->view || s->view->conf.epoch < s->vol->conf.epoch)
		set_conf(s);
	if (!s->view) {
		attach_slot(s);
		return;
	}
	plan_slot(s);
	plan_disk(s);
	plan_links(s);
}

/*
 * R11: no slot here. The volume is known as long as it is to be served here, and
 * until its disk is gone.
 */
static void plan_bare(struct node_scene *s)
{
	bool wanted = s->vol->wanted_node == s->in->self;

	if (!wanted && !s->view)
		return;
	if (s->view && s->view->slot.state != HOLDFAST_SLOT_NONE)
		return;
	if (s->view && !wanted && s->view->disk.state == HOLDFAST_DISK_NONE) {
		if (s->in->current && s->view->conf.primary_node != s->in->self)
			act(s, ACT_VOLUME_DEL, RETRY_MS);
		else if (s->view->conf.epoch < s->vol->conf.epoch)
			set_conf(s);
		return;
	}
	if (!s->view || s->view->conf.epoch < s->vol->conf.epoch)
		set_conf(s);
	if (!s->view)
		return;
	plan_disk(s);
	plan_links(s);
}

/* What a copy of the state that lagged has set up in the module since. */
static void plan_leftover(const struct fsm *fsm, const struct kernel_volume *volume,
			  const struct plan_input *in, struct action_list *out)
{
	const struct fsm_node *self = fsm_node_by_id(fsm, in->self);
	const struct fsm_volume *vol = fsm_volume_by_uuid(fsm, volume->uuid);
	struct node_scene s = {
		.uuid = volume->uuid, .in = in, .out = out, .slot_nr = volume->slot.slot_nr,
		.view = volume,
	};
	unsigned int i;

	if (!self || (vol && hf_conf_slot_of(&vol->conf, in->self) >= 0))
		return;
	/* A disk without a slot, or what is left of it: plan_bare(). */
	if (vol && vol->state == FSM_VOLUME_READY && volume->slot.state == HOLDFAST_SLOT_NONE)
		return;
	for (i = 0; i < self->nr_backing; i++) {
		if (self->backing[i].used &&
		    !memcmp(self->backing[i].volume, volume->uuid, FSM_UUID_BYTES))
			return;
	}
	end_in_module(&s);
}

static void plan_pairs(const struct fsm *fsm, const struct kernel_view *view,
		       const struct plan_input *in, struct action_list *out)
{
	const struct fsm_node *self = fsm_node_by_id(fsm, in->self);
	unsigned int i;

	for (i = 0; self && i < self->nr_backing; i++) {
		if (self->backing[i].retiring && in->current)
			plan_retiring(fsm, &self->backing[i], view, in, out);
	}
}

void plan_node(const struct fsm *fsm, const struct kernel_view *view,
	       const struct plan_input *in, struct action_list *out)
{
	unsigned int i;

	for (i = 0; i < fsm->nr_volumes; i++) {
		const struct fsm_volume *vol = &fsm->volumes[i];
		struct node_scene s = {
			.fsm = fsm, .uuid = vol->uuid, .vol = vol, .in = in, .out = out,
			.view = kernel_view_find(view, vol->uuid),
			.slot_nr = hf_conf_slot_of(&vol->conf, in->self),
		};

		if (vol->place.node == in->self) {
			s.slot_nr = vol->place.slot_nr;
			plan_placed(&s);
			s.slot_nr = hf_conf_slot_of(&vol->conf, in->self);
		}
		if (s.slot_nr < 0) {
			if (vol->state == FSM_VOLUME_READY && view->loaded) {
				count_rebuilds(&s, view);
				plan_bare(&s);
			}
			continue;
		}
		if (vol->state == FSM_VOLUME_CREATING) {
			plan_making(&s);
		} else if (vol->state == FSM_VOLUME_DELETING) {
			plan_deleting(&s);
		} else if (view->loaded) {
			count_rebuilds(&s, view);
			plan_ready(&s);
		}
	}
	plan_pairs(fsm, view, in, out);
	for (i = 0; i < view->nr_volumes && in->current; i++)
		plan_leftover(fsm, &view->volumes[i], in, out);
}
