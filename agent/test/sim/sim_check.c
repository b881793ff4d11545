// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The checker: for every block the set of values that a read may return (S1,
 * a linearizable register that forgets only what was not flushed, and only
 * when the client's own node loses power), the fence (S2), and that every
 * committed configuration is one that a module takes from the one before.
 */
#include <stdio.h>
#include <string.h>

#include "sim.h"

#define IN_FLIGHT UINT64_MAX

void check_init(struct sim *sim)
{
	unsigned int v, b;

	for (v = 0; v < SIM_VOLUMES; v++) {
		struct check *c = &sim->checks[v];

		memset(c, 0, sizeof(*c));
		c->counter = 1;
		for (b = 0; b < SIM_BLOCKS; b++) {
			c->blocks[b].count = 1;
			c->blocks[b].cands[0].current = true;
			c->blocks[b].cands[0].since = true;
		}
	}
}

static void compact(struct check_block *b)
{
	unsigned int i, kept = 0;

	for (i = 0; i < b->count; i++) {
		if (b->cands[i].current || b->cands[i].since)
			b->cands[kept++] = b->cands[i];
	}
	b->count = kept;
}

static void allow(struct check_op *op, u64 value)
{
	if (op->nr_allowed < CHECK_CANDS)
		op->allowed[op->nr_allowed++] = value;
}

/* A value became possible: reads under way may return it. */
static void tell_reads(struct check *c, u32 block, u64 value)
{
	unsigned int i;

	for (i = 0; i < CHECK_OPS; i++) {
		if (c->ops[i].used && c->ops[i].kind == REQ_READ && c->ops[i].block == block)
			allow(&c->ops[i], value);
	}
}

int check_begin(struct sim *sim, int volume, enum req_kind kind, u32 block, u64 value,
		u64 instance)
{
	struct check *c = &sim->checks[volume];
	struct check_block *b = &c->blocks[block];
	struct check_op *op = NULL;
	unsigned int i;
	int handle;

	for (handle = 0; handle < CHECK_OPS; handle++) {
		if (!c->ops[handle].used) {
			op = &c->ops[handle];
			break;
		}
	}
	if (!op)
		return -1;
	if (kind == REQ_WRITE && b->count == CHECK_CANDS) {
		compact(b);
		if (b->count == CHECK_CANDS)
			return -1;
	}
	memset(op, 0, sizeof(*op));
	op->used = true;
	op->kind = kind;
	op->block = block;
	op->value = value;
	op->begun = ++c->counter;
	op->instance = instance;
	if (kind == REQ_WRITE) {
		struct cand *cand = &b->cands[b->count++];

		*cand = (struct cand){ .value = value, .issued = op->begun, .settled = IN_FLIGHT,
				       .current = true, .since = true, .snap = true };
		tell_reads(c, block, value);
		c->writes++;
	} else if (kind == REQ_READ) {
		for (i = 0; i < b->count; i++) {
			if (b->cands[i].current)
				allow(op, b->cands[i].value);
		}
	} else {
		u32 k;

		for (k = 0; k < SIM_BLOCKS; k++) {
			for (i = 0; i < c->blocks[k].count; i++)
				c->blocks[k].cands[i].snap = c->blocks[k].cands[i].current;
		}
	}
	return handle;
}

static struct cand *find(struct check_block *b, u64 value)
{
	unsigned int i;

	for (i = 0; i < b->count; i++) {
		if (b->cands[i].value == value)
			return &b->cands[i];
	}
	return NULL;
}

static void write_done(struct check *c, struct check_op *op, bool ok)
{
	struct check_block *b = &c->blocks[op->block];
	struct cand *cand = find(b, op->value);
	unsigned int i;

	if (!cand)
		return;
	if (cand->settled == IN_FLIGHT)
		cand->settled = ++c->counter;
	if (!ok)
		return;
	c->acked++;
	for (i = 0; i < b->count; i++) {
		if (&b->cands[i] != cand && b->cands[i].settled < op->begun)
			b->cands[i].current = false;
	}
	compact(b);
}

static void read_done(struct sim *sim, int volume, struct check *c, struct check_op *op,
		      u64 value)
{
	struct check_block *b = &c->blocks[op->block];
	struct cand *cand = find(b, value);
	char expected[160] = "";
	unsigned int i;

	c->reads++;
	for (i = 0; i < op->nr_allowed; i++) {
		if (op->allowed[i] == value)
			break;
	}
	if (i == op->nr_allowed) {
		for (i = 0; i < op->nr_allowed && i < 6; i++)
			snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected),
				 " %llu", (unsigned long long)op->allowed[i]);
		sim_fail(sim, "S1: volume %d block %u reads %llu, possible are:%s", volume,
			 op->block, (unsigned long long)value, expected);
		return;
	}
	if (!cand || !cand->current)
		return;
	for (i = 0; i < b->count; i++) {
		if (&b->cands[i] != cand && b->cands[i].settled < op->begun)
			b->cands[i].current = false;
	}
	compact(b);
}

static void flush_done(struct check *c)
{
	unsigned int i;
	u32 k;

	c->flushes++;
	for (k = 0; k < SIM_BLOCKS; k++) {
		struct check_block *b = &c->blocks[k];

		for (i = 0; i < b->count; i++) {
			if (!b->cands[i].snap)
				b->cands[i].since = b->cands[i].current;
		}
		compact(b);
	}
}

/* S2: nothing that arrived after a higher term completed something completes. */
static void check_fence(struct sim *sim, int volume, struct check *c, u64 term, u64 arrived_us)
{
	if (term < c->top_term && arrived_us >= c->top_since_us)
		sim_fail(sim, "S2: volume %d completes in term %llu a request that arrived after term %llu served",
			 volume, (unsigned long long)term, (unsigned long long)c->top_term);
	if (term > c->top_term) {
		c->top_term = term;
		c->top_since_us = sim->now;
	}
}

void check_done(struct sim *sim, int volume, int handle, bool ok, u64 value, u64 term,
		u64 arrived_us)
{
	struct check *c = &sim->checks[volume];
	struct check_op *op = &c->ops[handle];

	if (!op->used)
		return;
	op->used = false;
	if (ok)
		check_fence(sim, volume, c, term, arrived_us);
	if (op->kind == REQ_WRITE)
		write_done(c, op, ok);
	else if (ok && op->kind == REQ_READ)
		read_done(sim, volume, c, op, value);
	else if (ok)
		flush_done(c);
}

/* All values since the last flush may be what is there after this. */
static void relax(struct check *c)
{
	unsigned int i;
	u32 k;

	for (k = 0; k < SIM_BLOCKS; k++) {
		for (i = 0; i < c->blocks[k].count; i++) {
			struct cand *cand = &c->blocks[k].cands[i];

			cand->current = true;
			if (cand->settled != IN_FLIGHT)
				cand->settled = c->counter;
			tell_reads(c, k, cand->value);
		}
	}
	++c->counter;
}

void check_power_cut(struct sim *sim, int node)
{
	unsigned int v, i;

	for (v = 0; v < sim->nr_volumes; v++) {
		struct check *c = &sim->checks[v];
		struct mvol *mv = &sim->nodes[node].vols[v];

		for (i = 0; i < SIM_REQS; i++) {
			struct preq *req = &mv->reqs[i];

			if (req->used && req->check >= 0)
				check_done(sim, (int)v, req->check, false, 0, 0, 0);
		}
		if (c->instance && mv->instance == c->instance)
			relax(c);
	}
}

static bool owns(const struct fsm_volume *vol, const struct fsm_node *node, unsigned int pair)
{
	int slot = hf_conf_slot_of(&vol->conf, node->id);

	if (vol->place.node == node->id && vol->backing[vol->place.slot_nr] == pair)
		return true;
	return slot >= 0 && vol->backing[slot] == pair && !(vol->retired_mask & 1 << slot);
}

void check_places(struct sim *sim)
{
	const struct fsm *fsm = sim->truth;
	unsigned int n, p, v;

	for (n = 0; n < fsm->nr_nodes; n++) {
		const struct fsm_node *node = &fsm->nodes[n];

		for (p = 0; p < node->nr_backing; p++) {
			const struct fsm_backing *pair = &node->backing[p];
			unsigned int owners = 0;

			for (v = 0; v < fsm->nr_volumes; v++) {
				if (!owns(&fsm->volumes[v], node, p))
					continue;
				owners++;
				if (memcmp(pair->volume, fsm->volumes[v].uuid, FSM_UUID_BYTES))
					sim_fail(sim, "n%u pair %u is not the volume's that uses it",
						 n, p);
			}
			if (owners + pair->retiring != pair->used)
				sim_fail(sim, "n%u pair %u has %u owners, used %d retiring %d",
					 n, p, owners, pair->used, pair->retiring);
		}
		for (v = 0; v < fsm->nr_volumes; v++) {
			if (fsm->volumes[v].place.node == node->id &&
			    hf_conf_slot_of(&fsm->volumes[v].conf, node->id) >= 0)
				sim_fail(sim, "n%u volume %u has two slots there", n, v);
		}
	}
}

static bool has_pair(const struct sim *sim, int volume, int node, u64 incarnation)
{
	const struct fsm_node *n = &sim->truth->nodes[node];
	unsigned int i;

	for (i = 0; i < n->nr_backing; i++) {
		if (n->backing[i].used && n->backing[i].incarnation == incarnation &&
		    !memcmp(n->backing[i].volume, sim->uuid[volume], FSM_UUID_BYTES))
			return true;
	}
	return false;
}

void check_linked(struct sim *sim, int volume, int node, u64 incarnation)
{
	if (!has_pair(sim, volume, node, incarnation))
		sim_fail(sim, "n%d v%d a slot that was given back is linked", node, volume);
}

void check_stale_make(struct sim *sim, int node, int volume, u64 incarnation)
{
	if (has_pair(sim, volume, node, incarnation))
		sim_fail(sim, "n%d v%d a slot is to be made where another is", node, volume);
}

void check_conf(struct sim *sim, int volume, const struct hf_conf_data *old,
		const struct hf_conf_data *conf)
{
	struct check *c = &sim->checks[volume];
	struct hf_wire_conf wire;
	struct hf_conf_data back;
	const char *why = "";
	unsigned int i;
	u32 k;

	hf_conf_encode(conf, &wire);
	if (hf_conf_decode(&wire, &back, &why))
		sim_fail(sim, "volume %d: a module refuses the configuration: %s", volume, why);
	else if (hf_conf_compare(old, conf, false, &why) != HF_CONF_NEWER)
		sim_fail(sim, "volume %d: a module refuses the step: %s", volume, why);
	if (!hf_conf_activated(conf) || c->instance == conf->primary_instance)
		return;
	/* R7 flushed all that the new primary has. */
	c->instance = conf->primary_instance;
	for (k = 0; k < SIM_BLOCKS; k++) {
		for (i = 0; i < c->blocks[k].count; i++)
			c->blocks[k].cands[i].since = c->blocks[k].cands[i].current;
		compact(&c->blocks[k]);
	}
}
