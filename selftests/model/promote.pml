/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Consensus and promotion: name, reconcile, activate (R4, R5, R7, R10).
 */

/* A commit voids every other proposal made for the epoch before it. */
inline committed() {
	pdrop = 0;
	padm = 0;
	pact = 0;
#if INTERMEDIATE
	mprev = mcur;
#endif
	mcur = 0
}
inline history() {
#if INTERMEDIATE
	cset1 = cset;
	cterm1 = cterm
#else
	skip
#endif
}

#define G_COMMIT_DROP(i)	IN(pdrop, i)
inline commit_drop(i) {
	history();
	cset = cset & ~B(i);
	committed();
	ghost_loss()
}
#define G_COMMIT_ADM(i)		IN(padm, i)
inline commit_adm(i) {
	history();
	cset = cset | B(i);
	committed();
	if
	:: !IN(mnew, i) ->
		munc = munc & ~B(i);
		mlost = mlost & ~B(i)
	:: else
	fi
}
/* The content that the activation settles: all reconciled copies have it. */
#define ALIVE(i)	(IN(cset, i) && !IN(mfail, i))
inline shown(i) {
	if
	:: ALIVE(i) && (x == 0 || cprim == i) -> x = cur[i]
	:: else
	fi
}
#define G_COMMIT_ACT		(pact != 0)
inline commit_act() {
	history();
	cset = pact;
	cact = 1;
	clast = 0;
	if
	:: IN(crel, cprim) -> clast = cprim + 1
	:: else
	fi;
	munc = munc & ~(cset & crel);
	mlost = mlost & ~(cset & crel);
	x = 0;
	shown(0);
	shown(1);
#if N > 2
	shown(2);
#endif
	ghost_activate(cprim, x);
	committed()
}

/* A primary that lives and has a slot to serve from. */
#define BUSY		(pst[cprim] == SERVE && ANYUSABLE(cprim))

/* R4, first step. R10: an unclean slot only when all others are known to be
 * unclean too. Naming over a serving primary is a fault of its own (nobody
 * can tell a paused node from a dead one). */
#ifdef MUT_UNCLEAN_FIRST
#define PROMOTABLE(p)	true
#else
#define PROMOTABLE(p)	(!IN(munc, p) || SUBSET(cset, munc & ~mfail))
#endif
/* R10: judged again when copying begins. */
#if defined(MUT_UNCLEAN_FIRST) || defined(MUT_UNCLEAN_JUDGED_ONCE)
#define STILLUNCLEAN(p)	true
#else
#define STILLUNCLEAN(p)	(!IN(munc, p) || SUBSET(cset, munc & (lk[p] | B(p))))
#endif
/* Slots 1 and 2 start alike where SYMMETRIC says so: the first of them to be
 * named is 1, without loss of generality. */
#if N > 2 && SYMMETRIC
#define ORDERED(p)	(p != 2 || named1)
#else
#define ORDERED(p)	true
#endif
#define G_NAME(p)	(cterm < TERMS && IN(cset, p) && !IN(mfail, p) && \
			 PROMOTABLE(p) && ORDERED(p) && \
			 (!BUSY || nf < NF && FAILOVERS))
inline name(p, set) {
	if
	:: BUSY -> nf++
	:: else
	fi;
	history();
	cterm++;
	cprim = p;
#if N > 2 && SYMMETRIC
	named1 = named1 || p == 1;
#endif
	cset = set;
	cact = 0;
	crel = (set) & ~mfail;
	committed()
}

/* The new primary links the slots that its naming cites. */
#define G_COLLECT(p, i)	(pst[p] == NAMED && LINKABLE(p, i) && IN(crel, i) && \
			 aset[i] == aset[p])

/* R5: slots promised not to help before the old lease ends. To wait is to let
 * the clock run until no other node holds a lease from them. */
#ifdef MUT_NO_GRACE_WAIT
#define PROMISED(p)	0
#else
#define PROMISED(p)	((lk[p] | B(p)) & ~mforgot)
#endif
inline wait_grace(p) {
	if
	:: p != 0 -> lease[0] = lease[0] & ~PROMISED(p)
	:: else
	fi;
	if
	:: p != 1 -> lease[1] = lease[1] & ~PROMISED(p)
	:: else
	fi;
#if N > 2
	if
	:: p != 2 -> lease[2] = lease[2] & ~PROMISED(p)
	:: else
	fi
#endif
}

/* R7: the union of what is above stable over the slots reached (R10: of the
 * logged extents after a reboot) is copied from the new primary; copied
 * ranges count as above stable themselves. R1: own backing I/O first. */
#ifdef MUT_NO_IO_WAIT
#define OWNREADY(p)	true
#else
#define OWNREADY(p)	(sub[p] == 0 && orph[p] == 0)
#endif
#define G_RECON(p)	(pst[p] == NAMED && OWNREADY(p) && IN(crel, p) && \
			 SUBSET(lk[p], crel) && STILLUNCLEAN(p))
inline recon(p) {
	wait_grace(p);
	pst[p] = RECON;
	if
#ifndef MUT_NO_RECON
	:: (mls & (lk[p] | B(p))) != 0 ->
		wv[p] = cur[p];
		ack[p] = B(p);
#ifndef MUT_RECON_NOT_ABOVE
		mls = mls | B(p);
		mlog = mlog | B(p);
#endif
		send_recon(p, 0);
		send_recon(p, 1);
#if N > 2
		send_recon(p, 2)
#endif
#endif
	:: else
	fi
}
inline send_recon(p, i) {
	if
	:: i != p ->
		send(p, i);
#ifdef MUT_RECON_NOT_ABOVE
		minc = minc | (lk[p] & B(i))
#endif
	:: else
	fi
}

/* R7: flush all of them, also if nothing was copied. */
#define G_RFLUSH(p, i)	(pst[p] == RECON && !IN(rfl[p], i) && pact == 0 && \
			 !IN(mfail, i) && \
			 (i == p || IN(lk[p], i) && slink[i] == p + 1) && \
			 (wv[p] == 0 || IN(ack[p], i)))
inline rflush(p, i) {
	flush(i);
	rfl[p] = rfl[p] | B(i)
}
#ifdef MUT_RECON_NOFLUSH
#define RECONCILED(p)	(lk[p] == 0 || wv[p] == 0 || SUBSET(lk[p], ack[p]))
#else
#define RECONCILED(p)	SUBSET(lk[p] | B(p), rfl[p])
#endif
#define G_ACTIVATE(p)	(pst[p] == RECON && pact == 0 && IN(mcur, p) && \
			 RECONCILED(p) && !IN(mfail, p) && \
			 (!IN(munc, p) || (lk[p] | B(p)) == aset[p]))
inline activate(p) {
	pact = lk[p] | B(p)
}
