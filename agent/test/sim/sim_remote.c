// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The primary's links to the slots on other nodes: ready, lost, and what is
 * sent again when one is there again (R3).
 */
#include "sim_primary.h"

void primary_tell(struct sim *sim, struct mvol *mv, struct plink *link, struct lmsg *msg)
{
	msg->term = mv->conf.term;
	msg->epoch = mv->conf.epoch;
	msg->stable = mv->stable;
	msg->stamp = sim_clock_ns(sim, mv->node);
	msg->slot = (u8)(link - mv->links);
	msg->missing = hf_conf_missing_mask(&mv->conf);
	msg->holding_ms = primary_holding_ms(sim, mv);
	link_send(sim, link->link, mv->node, msg);
}

/* ------------------------------------------------------------------- links */

void primary_link_open(struct sim *sim, struct mvol *mv, u8 slot, u64 id)
{
	struct plink *link = &mv->links[slot];
	struct lmsg msg = { .op = MSG_HELLO };

	if (!mv->known || !primary_names(sim, mv) || mv->adopting)
		return;
	if (link->link)
		primary_link_down(sim, mv, slot, true);
	link->link = id;
	link->state = HOLDFAST_LINK_OPENING;
	link->last_rx_us = sim->now;
	hf_lease_init(&link->lease);
	msg.conf = mv->conf;
	primary_tell(sim, mv, link, &msg);
}

void primary_link_down(struct sim *sim, struct mvol *mv, u8 slot, bool tell_slot)
{
	struct plink *link = &mv->links[slot];
	struct lmsg fin = { .op = MSG_FIN };
	unsigned int i;

	if (!link->link)
		return;
	if (tell_slot)
		link_send(sim, link->link, mv->node, &fin);
	link->link = 0;
	link->state = HOLDFAST_LINK_DOWN;
	link->unanswered = 0;
	link->reconciled = false;
	link->reconcile_copy = 0;
	hf_lease_init(&link->lease);
	/* What was not answered on this link is not waited for on a later one. */
	for (i = 0; i < SIM_REQS; i++)
		mv->reqs[i].sent_mask &= (u8)~(1 << slot) | mv->reqs[i].acked_mask;
	rebuild_end(sim, mv, slot);
	if (primary_set(mv) & 1 << slot && mv->disk == HOLDFAST_DISK_ACTIVE && !link->lost) {
		sim_trace(sim, "n%d v%d slot %u lost", mv->node, mv->volume, slot);
		link->lost = true;
	}
	if (mv->disk == HOLDFAST_DISK_ACTIVE)
		primary_progress(sim, mv);
}

/* R3: what the slot did not acknowledge is sent again, in order. */
static void resend(struct sim *sim, struct mvol *mv, int slot)
{
	u64 after = 0;

	for (;;) {
		struct preq *next = NULL;
		unsigned int i;

		for (i = 0; i < SIM_REQS; i++) {
			struct preq *req = &mv->reqs[i];

			if (req->used && req->started && req->kind == REQ_WRITE &&
			    req->seq > after && (!next || req->seq < next->seq))
				next = req;
		}
		if (!next)
			break;
		after = next->seq;
		if (!(next->acked_mask & 1 << slot))
			primary_send_request(sim, mv, next, slot);
	}
	for (after = 0; after < SIM_REQS; after++) {
		struct preq *req = &mv->reqs[after];

		if (req->used && req->started && req->kind == REQ_FLUSH &&
		    !(req->acked_mask & 1 << slot))
			primary_send_request(sim, mv, req, slot);
	}
}

static void link_ready(struct sim *sim, struct mvol *mv, u8 slot, const struct lmsg *msg)
{
	struct plink *link = &mv->links[slot];
	struct lmsg conf = { .op = MSG_CONF, .conf = mv->conf };

	link->state = HOLDFAST_LINK_READY;
	link->life = msg->life;
	link->unclean = msg->unclean;
	link->blocks = msg->extents | msg->own;
	link->adopted_epoch = msg->epoch;
	link->unanswered = 0;
	sim_trace(sim, "n%d v%d slot %u ready, life %llx, blocks %02x", mv->node, mv->volume, slot,
		  (unsigned long long)link->life, link->blocks);
	if (msg->epoch < mv->conf.epoch)
		primary_tell(sim, mv, link, &conf);
	if (!hf_conf_activated(&mv->conf)) {
		reconcile_begin(sim, mv);
		return;
	}
	if (!(mv->conf.in_sync_mask & 1 << slot))
		return;
	if (link->life != link->base_life && !sim_mutant(sim, MUTANT_NO_LIFE)) {
		link->new_life = true;
		primary_link_down(sim, mv, slot, true);
		return;
	}
	link->lost = false;
	resend(sim, mv, slot);
}

static void ack(struct sim *sim, struct mvol *mv, u8 slot, const struct lmsg *msg)
{
	struct plink *link = &mv->links[slot];
	unsigned int i;

	if (msg->status) {
		primary_link_down(sim, mv, slot, true);
		return;
	}
	if (msg->cookie >> 56 >= COOKIE_COPY) {
		copy_done(sim, mv, slot, msg->cookie, (enum mop)msg->block);
		return;
	}
	if (link->unanswered)
		link->unanswered--;
	for (i = 0; i < SIM_REQS; i++) {
		struct preq *req = &mv->reqs[i];

		if (!req->used || !req->started)
			continue;
		if ((req->kind == REQ_WRITE && msg->cookie == COOKIE(COOKIE_WRITE, req->seq)) ||
		    (req->kind == REQ_FLUSH && msg->cookie == COOKIE(COOKIE_FLUSH, req->value)))
			req->acked_mask |= (u8)(1 << slot);
	}
	rebuild_continue(sim, mv, slot);
}

void primary_message(struct sim *sim, struct mvol *mv, const struct lmsg *msg)
{
	struct plink *link;
	u8 slot;

	for (slot = 0; slot < HF_MAX_SLOTS; slot++) {
		if (mv->links[slot].link == msg->link)
			break;
	}
	if (slot == HF_MAX_SLOTS)
		return;
	link = &mv->links[slot];
	if (msg->op == MSG_FIN) {
		primary_link_down(sim, mv, slot, false);
		return;
	}
	if (msg->term != mv->conf.term) {
		primary_link_down(sim, mv, slot, true);
		return;
	}
	link->last_rx_us = sim->now;
	if (msg->stamp && link->state == HOLDFAST_LINK_READY &&
	    !hf_lease_echo(&link->lease, msg->stamp, sim_clock_ns(sim, mv->node)))
		sim_fail(sim, "n%d v%d: an echo from the future", mv->node, mv->volume);
	if (msg->op == MSG_READY)
		link_ready(sim, mv, slot, msg);
	else if (msg->op == MSG_CONF_ACK && msg->epoch > link->adopted_epoch)
		link->adopted_epoch = msg->epoch;
	else if (msg->op == MSG_CONF)
		vol_adopt(sim, mv, &msg->conf, true);
	else if (msg->op == MSG_ACK)
		ack(sim, mv, slot, msg);
	primary_progress(sim, mv);
}

void primary_beacon(struct sim *sim, struct mvol *mv, struct plink *link)
{
	struct lmsg msg = { .op = MSG_BEACON };

	if (link->state != HOLDFAST_LINK_READY ||
	    sim->now - link->last_beacon_us < HF_BEACON_MS * SIM_MS)
		return;
	link->last_beacon_us = sim->now;
	primary_tell(sim, mv, link, &msg);
}
