// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The slot's end of a link in a module: which primary it serves (R1, R4), when
 * it is ready (R1, R5), promises, and the answers.
 */
#include <stdio.h>
#include <string.h>

#include "sim.h"

static void answer(struct sim *sim, struct mvol *mv, u64 link, struct lmsg *msg)
{
	msg->epoch = mv->conf.epoch;
	msg->term = mv->conf.term;
	msg->stamp = mv->server.link == link ? mv->server.stamp : 0;
	msg->slot = (u8)slot_nr(sim, mv);
	link_send(sim, link, mv->node, msg);
}

void replica_close(struct sim *sim, struct mvol *mv, bool tell)
{
	struct lmsg fin = { .op = MSG_FIN };

	if (!mv->server.link)
		return;
	if (tell)
		link_send(sim, mv->server.link, mv->node, &fin);
	slot_drop_received(sim, mv, mv->server.link);
	memset(&mv->server, 0, sizeof(mv->server));
}

void replica_open(struct sim *sim, struct mvol *mv, u64 link)
{
	if (!mv->known)
		return;
	replica_close(sim, mv, true);
	mv->server.link = link;
	mv->server.state = HOLDFAST_LINK_OPENING;
	mv->server.last_rx_us = sim->now;
}

static const char *hello_fault(struct sim *sim, struct mvol *mv, const struct lmsg *msg)
{
	int own = slot_nr(sim, mv);

	if (!slot_up(mv) || own < 0)
		return "no slot";
	if (msg->term != mv->conf.term)
		return "term";
	if (msg->conf.primary_instance != mv->conf.primary_instance)
		return "primary";
	if (msg->conf.slots[own].incarnation != slot_dev(sim, mv)->incarnation)
		return "incarnation";
	if (!hf_conf_activated(&msg->conf) &&
	    msg->conf.slots[own].cited_life != mv->slot.life &&
	    !sim_mutant(sim, MUTANT_NO_LIFE))
		return "life";
	/* It is made whole by R7, or after a drop by R9. */
	if ((hf_conf_activated(&msg->conf) || sim_mutant(sim, MUTANT_OWING_REFUSED)) &&
	    slot_owes(sim, mv))
		return "owes";
	return NULL;
}

/* HELLO_ACK and READY in one, when R1 and R5 allow. */
static void try_ready(struct sim *sim, struct mvol *mv)
{
	int own = slot_nr(sim, mv);
	struct lmsg ack = { .op = MSG_READY };

	if (mv->server.state != HOLDFAST_LINK_WAITING || mv->adopting || !slot_up(mv) || own < 0)
		return;
	if (mv->slot.busy && !sim_mutant(sim, MUTANT_LATE_IO))
		return;
	if (slot_promise_ns(sim, mv))
		return;
	ack.life = mv->slot.life;
	ack.unclean = mv->slot.unclean;
	ack.extents = slot_blocks(mv, HF_AL_LOGGED);
	ack.own = mv->slot.bits[own];
	if (sim_mutant(sim, MUTANT_OWN_LEFT_OUT) && !hf_conf_activated(&mv->conf))
		ack.own = 0;
	if (sim_mutant(sim, MUTANT_NO_LOG))
		ack.extents = ack.own = 0;
	check_linked(sim, mv->volume, mv->node, mv->slot.al.incarnation);
	mv->server.state = HOLDFAST_LINK_READY;
	mv->slot.ready_term = mv->conf.term;
	slot_dev(sim, mv)->promise_open = true;
	answer(sim, mv, mv->server.link, &ack);
}

static void hello(struct sim *sim, struct mvol *mv, const struct lmsg *msg)
{
	const char *fault = hello_fault(sim, mv, msg);

	if (fault) {
		sim_trace(sim, "n%d v%d refuses link %llu: %s", mv->node, mv->volume,
			  (unsigned long long)msg->link, fault);
		replica_close(sim, mv, true);
		return;
	}
	mv->server.state = HOLDFAST_LINK_WAITING;
	mv->server.hello_done = true;
	if (msg->conf.epoch > mv->conf.epoch)
		vol_adopt(sim, mv, &msg->conf, true);
	try_ready(sim, mv);
}

static void promise(struct sim *sim, struct mvol *mv, const struct lmsg *msg)
{
	if (mv->server.state != HOLDFAST_LINK_READY)
		return;
	hf_promises_record(&mv->promises, mv->conf.primary_node, mv->conf.primary_instance,
			   sim_clock_ns(sim, mv->node), hf_scaled_ns(HF_GRACE_MS, 100));
	if (msg->stamp > mv->server.stamp)
		mv->server.stamp = msg->stamp;
}

void replica_message(struct sim *sim, struct mvol *mv, const struct lmsg *msg)
{
	struct lmsg ack = { .op = MSG_BEACON_ACK };

	if (mv->server.link != msg->link)
		return;
	mv->server.last_rx_us = sim->now;
	if (msg->op == MSG_FIN) {
		replica_close(sim, mv, false);
		return;
	}
	if (msg->op == MSG_HELLO) {
		hello(sim, mv, msg);
		return;
	}
	if (msg->term != mv->conf.term || !mv->server.hello_done) {
		replica_close(sim, mv, true);
		return;
	}
	promise(sim, mv, msg);
	if (hf_conf_activated(&mv->conf) && slot_up(mv) &&
	    hf_conf_slot_of(&mv->conf, sim->nodes[mv->node].id) >= 0)
		hf_al_stable(&mv->slot.al, msg->term, msg->stable);
	switch (msg->op) {
	case MSG_BEACON:
		mv->server.holding_ms = msg->holding_ms;
		answer(sim, mv, msg->link, &ack);
		break;
	case MSG_CONF:
		if (vol_adopt(sim, mv, &msg->conf, true) == 0 && !mv->adopting) {
			ack.op = MSG_CONF_ACK;
			answer(sim, mv, msg->link, &ack);
		}
		break;
	case MSG_WRITE:
		slot_write(sim, mv, msg, false);
		break;
	case MSG_COPY:
		slot_write(sim, mv, msg, true);
		break;
	case MSG_FLUSH:
		slot_flush(sim, mv, msg->link, msg->cookie);
		break;
	case MSG_BITS:
		slot_set_bits(sim, mv, msg);
		break;
	default:
		break;
	}
}

/* The module has made a configuration durable: tell who is linked. */
void replica_conf_adopted(struct sim *sim, struct mvol *mv)
{
	struct lmsg msg = { .op = MSG_CONF_ACK };

	if (!mv->server.link || !mv->server.hello_done)
		return;
	answer(sim, mv, mv->server.link, &msg);
	msg.op = MSG_CONF;
	msg.conf = mv->conf;
	answer(sim, mv, mv->server.link, &msg);
	try_ready(sim, mv);
}

void slot_done(struct sim *sim, struct mvol *mv, u64 link, u64 cookie, enum mop op, bool ok)
{
	struct lmsg ack = { .op = MSG_ACK, .cookie = cookie, .status = ok ? 0 : 1 };

	if (!link) {
		primary_slot_done(sim, mv, cookie, op, ok);
	} else if (link == mv->server.link) {
		ack.block = op;
		answer(sim, mv, link, &ack);
	}
	if (op == MSG_WRITE)
		try_ready(sim, mv);
}

void replica_tick(struct sim *sim, struct mvol *mv)
{
	if (!mv->server.link)
		return;
	if (sim->now - mv->server.last_rx_us > HF_LINK_TIMEOUT_MS * SIM_MS) {
		sim_trace(sim, "n%d v%d link %llu silent at the slot", mv->node, mv->volume,
			  (unsigned long long)mv->server.link);
		replica_close(sim, mv, true);
		return;
	}
	try_ready(sim, mv);
}
