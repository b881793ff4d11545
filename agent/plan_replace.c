// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The leader's planner for the number of slots of a volume in service.  A copy
 * that is away for rebuild-delay is made anew on another node: a slot is placed
 * there (SLOT_PLACE), made by that node, added outside of the set (ADD), rebuilt
 * and readmitted like any stale slot (plan_volume.c), and then what is too many
 * is removed (REMOVE).  Every step is read off the state, so that whoever leads
 * next goes on with it.  If the lost copy returns meanwhile, the one with fewer
 * bytes left to copy is kept.
 *
 * Without a primary there is no rebuild: such a volume waits.
 */
#include <string.h>

#include "plan_internal.h"

/* The slots of one volume as they count here. */
struct redundancy {
	u8		outside;	/* used, not in sync */
	u8		present;	/* of those: linked with the primary */
	u8		expired;	/* of those: away for rebuild-delay */
	unsigned int	copies;
	unsigned int	in_sync;
	unsigned int	used;
};

static unsigned int count(u8 mask)
{
	return (unsigned int)__builtin_popcount(mask);
}

static bool is_present(const struct scene *s, int slot)
{
	const struct kernel_remote *remote = kernel_volume_remote(s->primary, (u8)slot);

	return plan_node_normal(s->p, s->conf->slots[slot].node) && remote &&
	       remote->link_state == HOLDFAST_LINK_READY;
}

/* How long a slot outside of the set is away, as far as this leader knows. */
static u64 away_ms(const struct scene *s, int slot, bool present)
{
	const struct fsm_node *node = fsm_node_by_id(s->p->fsm, s->conf->slots[slot].node);
	u64 *since = &s->memory->away_since_ms[slot];
	u64 now = s->p->in->mono_ms, away, cordoned;

	if (present || s->memory->away_incarnation[slot] != s->conf->slots[slot].incarnation)
		*since = 0;
	s->memory->away_incarnation[slot] = s->conf->slots[slot].incarnation;
	if (present)
		return 0;
	if (!*since)
		*since = now;
	away = now - *since;
	/* The log remembers it over a change of the leader. */
	if (node && node->status == FSM_NODE_CORDONED && s->p->in->unix_ms > node->status_ms) {
		cordoned = s->p->in->unix_ms - node->status_ms;
		if (cordoned > away)
			away = cordoned;
	}
	return away;
}

static void look_at_slots(const struct scene *s, struct redundancy *r)
{
	int i;

	memset(r, 0, sizeof(*r));
	r->outside = hf_conf_missing_mask(s->conf);
	r->copies = s->vol->copies;
	r->in_sync = count(s->conf->in_sync_mask);
	r->used = count(hf_conf_used_mask(s->conf));
	for (i = 0; i < HF_MAX_SLOTS; i++) {
		bool present;

		if (!(r->outside & 1 << i)) {
			s->memory->away_since_ms[i] = 0;
			continue;
		}
		present = is_present(s, i);
		if (present)
			r->present |= (u8)(1 << i);
		if (away_ms(s, i, present) >= s->p->fsm->rebuild_delay_ms && !present)
			r->expired |= (u8)(1 << i);
	}
}

/* ------------------------------------------------------------------ removal */

static bool propose_remove(const struct scene *s, int slot)
{
	struct cmd_conf *c = plan_conf_command(s, STEP_REMOVE);

	if (c)
		memset(&c->conf.slots[slot], 0, sizeof(c->conf.slots[slot]));
	return true;
}

/*
 * Of the copies that are here, or are here for the first time, the one that has
 * most to copy; of two that are equal the newer. -1: none.
 */
static int dearest(const struct scene *s, const struct redundancy *r)
{
	u64 most = 0, left;
	int i, found = -1;

	for (i = 0; i < HF_MAX_SLOTS; i++) {
		bool added = s->vol->added_mask & 1 << i;

		if (!(r->outside & 1 << i) || (!added && !(r->present & 1 << i)))
			continue;
		left = kernel_volume_left_bytes(s->primary, (u8)i);
		if (found < 0 || left > most || (left == most && added)) {
			found = i;
			most = left;
		}
	}
	return found;
}

/* More slots than copies. True: something was proposed. */
static bool plan_surplus(const struct scene *s, const struct redundancy *r)
{
	unsigned int needed;
	int slot;

	if (r->used <= r->copies || !r->outside)
		return false;
	if (r->in_sync >= r->copies)
		return propose_remove(s, __builtin_ctz(r->outside));
	needed = r->copies - r->in_sync;
	slot = dearest(s, r);
	if (slot < 0 || count(r->present & (u8)~(1 << slot)) < needed)
		return false;
	return propose_remove(s, slot);
}

/* ------------------------------------------------------------------ placing */

/* Rebuilds elsewhere that read from or write to @node. */
static unsigned int rebuilds_of(const struct fsm *fsm, u32 node)
{
	unsigned int v, sum = 0;
	int i;

	for (v = 0; v < fsm->nr_volumes; v++) {
		const struct fsm_volume *vol = &fsm->volumes[v];

		if (vol->state != FSM_VOLUME_READY)
			continue;
		sum += vol->place.node == node;
		for (i = 0; i < HF_MAX_SLOTS; i++)
			sum += vol->added_mask & 1 << i && vol->conf.slots[i].node == node;
		sum += vol->conf.primary_node == node && (vol->place.node || vol->added_mask);
	}
	return sum;
}

static bool may_take(const struct scene *s, const struct fsm_node *node)
{
	const struct node_report *report = plan_report(s->p, node->id);

	return report && report->view.loaded &&
	       fsm_node_can_hold(s->p->fsm, node, s->vol, s->conf->size_bytes) &&
	       rebuilds_of(s->p->fsm, node->id) < PLAN_MAX_REBUILDS;
}

/* Most free backing first, then the order of joining; one that failed comes last. */
static const struct fsm_node *choose_node(const struct scene *s)
{
	const struct fsm *fsm = s->p->fsm;
	const struct fsm_node *best = NULL, *failed = NULL;
	unsigned int i;

	for (i = 0; i < fsm->nr_nodes; i++) {
		const struct fsm_node *node = &fsm->nodes[i];

		if (!may_take(s, node))
			continue;
		if (s->vol->failures && node->id == s->vol->failed_node)
			failed = node;
		else if (!best || fsm_node_free_bytes(fsm, node) > fsm_node_free_bytes(fsm, best))
			best = node;
	}
	return best ? best : failed;
}

static bool backs_off(const struct scene *s)
{
	u64 wait = PLAN_RETRY_PLACE_MS, now = s->p->in->unix_ms;
	u32 i;

	if (!s->vol->failures || now < s->vol->failed_ms)
		return false;
	for (i = 1; i < s->vol->failures && wait < PLAN_RETRY_PLACE_MAX_MS; i++)
		wait *= 2;
	if (wait > PLAN_RETRY_PLACE_MAX_MS)
		wait = PLAN_RETRY_PLACE_MAX_MS;
	return now - s->vol->failed_ms < plan_scaled(s->p->in, wait);
}

static int free_number(const struct scene *s)
{
	u8 used = hf_conf_used_mask(s->conf);
	int i;

	for (i = 0; i < HF_MAX_SLOTS; i++) {
		if (!(used & 1 << i))
			return i;
	}
	return -1;
}

static bool propose_place(const struct scene *s, const struct fsm_node *node, u8 number,
			  const struct redundancy *r)
{
	u64 incarnation = plan_draw(s->p);
	struct command *cmd = incarnation ? plan_command(s->p, CMD_SLOT_PLACE) : NULL;

	if (!cmd)
		return true;
	memcpy(cmd->slot_place.volume, s->vol->uuid, FSM_UUID_BYTES);
	cmd->slot_place.slot_nr = number;
	cmd->slot_place.lost_nr = r->expired ? (u8)__builtin_ctz(r->expired) : HF_MAX_SLOTS;
	cmd->slot_place.node = node->id;
	cmd->slot_place.incarnation = incarnation;
	return true;
}

/* Fewer slots than copies are in sync or on their way. True: something was proposed. */
static bool plan_deficit(const struct scene *s, const struct redundancy *r)
{
	const struct fsm_node *node;
	int number = free_number(s);
	u8 dead;

	if (backs_off(s) ||
	    rebuilds_of(s->p->fsm, s->conf->primary_node) >= PLAN_MAX_REBUILDS)
		return false;
	node = choose_node(s);
	if (!node)
		return false;
	if (number >= 0)
		return propose_place(s, node, (u8)number, r);
	/* Every number is taken: one that is lost gives way before its successor. */
	dead = r->expired & s->vol->added_mask;
	if (!dead)
		dead = r->expired;
	return dead && propose_remove(s, __builtin_ctz(dead));
}

/* A slot is being made on another node. True: something was proposed. */
static bool plan_placed(const struct scene *s, bool wanted)
{
	const struct fsm_place *place = &s->vol->place;
	struct cmd_conf *c;
	struct command *cmd;

	if (!wanted || !plan_node_normal(s->p, place->node)) {
		cmd = plan_command(s->p, CMD_SLOT_UNPLACE);
		if (!cmd)
			return true;
		memcpy(cmd->slot_place.volume, s->vol->uuid, FSM_UUID_BYTES);
		cmd->slot_place.slot_nr = place->slot_nr;
		cmd->slot_place.lost_nr = place->lost_nr;
		cmd->slot_place.node = place->node;
		cmd->slot_place.incarnation = place->incarnation;
		return true;
	}
	if (!place->made)
		return false;
	c = plan_conf_command(s, STEP_ADD);
	if (c) {
		c->conf.slots[place->slot_nr].node = place->node;
		c->conf.slots[place->slot_nr].incarnation = place->incarnation;
	}
	return true;
}

bool plan_replace(const struct scene *s)
{
	struct redundancy r;
	unsigned int expected;

	look_at_slots(s, &r);
	expected = r.in_sync + count(r.outside & (u8)~r.expired);
	if (s->vol->place.node)
		return plan_placed(s, expected < r.copies);
	if (plan_surplus(s, &r))
		return true;
	return expected < r.copies && plan_deficit(s, &r);
}
