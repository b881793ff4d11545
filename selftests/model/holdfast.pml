/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A model of the replication protocol for Spin; see README. One process takes
 * one step of one node after another; every step is atomic.
 */
#include "scenario.pml"
#include "state.pml"
#include "ghost.pml"
#include "slot.pml"
#include "primary.pml"
#include "promote.pml"
#include "rebuild.pml"
#include "fault.pml"
#include "start.pml"

/* The name of the step is for the replay of a trail; a search prints nothing. */
#define STEP(guard, action)	\
	:: d_step { (guard) -> printf(#action); printf("\n"); action }

/* Steps of one slot. */
#if INTERMEDIATE
#define PREVIOUS(i)	STEP(G_ADOPT_PREV(i), adopt_prev(i))
#else
#define PREVIOUS(i)
#endif
#define SLOT(i)						\
	PREVIOUS(i)					\
	STEP(G_SUBMIT(i), submit(i))			\
	STEP(G_ENDIO(i), endio(i))			\
	STEP(G_ENDORPH(i), endorph(i))			\
	STEP(G_IDLE(i), idle(i))			\
	STEP(G_ADOPT(i), adopt(i))			\
	STEP(G_COMMIT_DROP(i), commit_drop(i))		\
	STEP(G_COMMIT_ADM(i), commit_adm(i))		\
	STEP(G_CRASH(i, 0), crash(i, 0))		\
	STEP(G_CRASH(i, 1), crash(i, 1))		\
	STEP(G_CRASH(i, 2), crash(i, 2))		\
	STEP(G_CRASH(i, 3), crash(i, 3))		\
	STEP(G_RESTART(i), restart(i))			\
	STEP(G_DISKFAIL(i), diskfail(i))		\
	STEP(DIFFER(i, (i + 1) % N) && SETTLED, assert(false))

/* Steps of one primary. */
#define PRIMARY(p)					\
	STEP(G_WRITE(p), write(p, 0))			\
	STEP(G_WRITE(p) && FUA, write(p, 1))		\
	STEP(G_RESUME(p), resume(p))			\
	STEP(G_COMPLETE(p), complete(p))		\
	STEP(G_RELEASE(p), release(p))			\
	STEP(G_READ_END(p), read_end(p))		\
	STEP(G_FLUSH(p), client_flush(p))		\
	STEP(G_FLUSH_END(p), flush_end(p))		\
	STEP(G_NAME(p), name(p, NAMESET))		\
	NAMEONE(p)					\
	STEP(G_RECON(p), recon(p))			\
	STEP(G_ACTIVATE(p), activate(p))

/* Steps of a primary towards a slot. */
#define PAIR(p, i)					\
	STEP(G_NOTICE(i, p), close_link(i))		\
	STEP(G_ACK(p, i), take_ack(p, i))		\
	STEP(G_READ(p, i), read(p, i))			\
	STEP(G_FLUSH_ONE(p, i), flush_one(p, i))	\
	STEP(G_LINKDOWN(p, i), linkdown(p, i))		\
	STEP(G_RELINK(p, i), relink(p, i))		\
	STEP(G_DROP(p, i), pdrop = pdrop | B(i))	\
	STEP(G_STABLE(p, i), stable(i))			\
	STEP(G_FLUSH11(p, i), flush11(p, i))		\
	STEP(G_COLLECT(p, i), link_up(p, i))		\
	STEP(G_RFLUSH(p, i), rflush(p, i))		\
	STEP(G_REBUILD(p, i), rebuild(p, i))		\
	STEP(G_COPY(p, i), copy(p, i))			\
	STEP(G_COUNT(p, i), count(p, i))		\
	STEP(G_ASK(p, i), ask(p, i))

/* Witnesses: situations that the search must reach, else it shows little. */
#if defined(WIT_TWICE_PROMOTED)		/* two failovers, both writes done */
#define WIT	(gterm == 3 && nw == 2 && legal == V(3) && SETTLED)
#elif defined(WIT_RESUMED)		/* R6: a held write comes to a later term */
#define WIT	(pst[0] == SERVE && trm[0] > 1 && hv[0] != 0)
#elif defined(WIT_READMITTED)		/* R9, and the slot serves later */
#define WIT	(pst[1] == SERVE && gterm > 1 && wv[1] != 0)
#elif defined(WIT_ALL_READMITTED)	/* R9 for two slots */
#define WIT	(cset == ALL && SETTLED)
#elif defined(WIT_DISKLESS)		/* R11: a write done without own disk */
#define WIT	(pst[0] == SERVE && !IN(aset[0], 0) && legal == V(3))
#elif defined(WIT_CONTINUED)		/* R3: a rebooted slot goes on */
#define WIT	(pst[0] == SERVE && nf == NF && legal == V(3) && lk[0] != 0)
#elif defined(WIT_ALL_UNCLEAN)		/* R10: reference among unclean slots */
#define WIT	(pst[1] == RECON && munc == ALL)
#endif
#ifdef WIT
#define WITNESS	STEP(WIT, assert(false))
#else
#define WITNESS
#endif

/* R4: naming leaves the set as it was. */
#define NAMESET		cset
#ifdef MUT_ONE_STEP
#define NAMEONE(p)	STEP(G_NAME(p) && cset != B(p), name(p, B(p)))
#else
#define NAMEONE(p)
#endif

active proctype volume() {
	d_step { scenario() };
	do
	WITNESS
	STEP(G_COMMIT_ACT, commit_act())
	SLOT(0)
	SLOT(1)
	PRIMARY(0)
	PRIMARY(1)
	PAIR(0, 0)
	PAIR(0, 1)
	PAIR(1, 0)
	PAIR(1, 1)
#if N > 2
	SLOT(2)
	PRIMARY(2)
	PAIR(0, 2)
	PAIR(1, 2)
	PAIR(2, 0)
	PAIR(2, 1)
	PAIR(2, 2)
#endif
	od
}
