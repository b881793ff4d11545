/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The serving primary: writes (R2, R8), reads (R5, R8), lost slots (R3),
 * stable (R3b), going diskless (R11).
 */

/* R2, R5: every slot of the set and every counted one. The adopted set is the
 * old one until a drop is committed and told (R3). */
#define COUNTED(p)	(aset[p] | cnt[p])
#ifdef MUT_LEASE_UNCOUNTED
#define LEASED(p)	SUBSET(aset[p] & ~B(p), lease[p])
#else
#define LEASED(p)	SUBSET(COUNTED(p) & ~B(p), lease[p])
#endif
#ifdef MUT_NO_LEASE
#define MAY_ANSWER(p)	true
#else
#define MAY_ANSWER(p)	LEASED(p)
#endif
#ifdef MUT_COMPLETE_BEFORE_COMMIT
#define AWAITED(p)	(COUNTED(p) & (lk[p] | B(p)))
#else
#define AWAITED(p)	COUNTED(p)
#endif
#define DISKLESS(p)	(!IN(aset[p], p))
/* R11: from the device error on, not only from the commit of the drop. */
#if defined(MUT_DISKLESS_NOFLUSH)
#define FLUSHED11(p)	true
#elif defined(MUT_DISKLESS_FROM_COMMIT)
#define FLUSHED11(p)	(!DISKLESS(p) || SUBSET(aset[p], rfl[p]))
#else
#define FLUSHED11(p)	(!DISKLESS(p) && !IN(mfail, p) || \
			 DISKLESS(p) && SUBSET(aset[p], rfl[p]))
#endif
#define DURABLY(p)	(IN(mfua, p) || DISKLESS(p))	/* R2, R11 */

/* Hand the write to slot i's link, or to the own device. */
inline send(p, i) {
	if
	:: (IN(lk[p], i) && slink[i] == p + 1) || (i == p && !IN(mfail, p)) ->
		inb[i] = wv[p];
		inm[i] = MASK(p);
		if
		:: pst[p] == SERVE && DURABLY(p) -> minf = minf | B(i)
		:: else -> minf = minf & ~B(i)
		fi
	:: else
	fi
}
inline send_all(p) {
	snt[p] = lk[p] | B(p);
	send(p, 0);
	send(p, 1);
#if N > 2
	send(p, 2)
#endif
}

/* R8: no second write of the range before the first is released; R9: nor
 * while it is locked for copying. fua is 0 or 1. */
#define COPYING	2
#define G_WRITE(p)	(pst[p] == SERVE && wv[p] == 0 && hv[p] == 0 && \
			 rbs[p] != COPYING && nw < NW)
inline write(p, fua) {
	nw++;
	wv[p] = nw + 1;
	ghost_begin(p, wv[p]);
	mfua = mfua & ~B(p) | (fua << p);
	send_all(p)
}

/* R6: named again in the same boot, what was held is sent again. */
#define G_RESUME(p)	(pst[p] == SERVE && wv[p] == 0 && hv[p] != 0 && \
			 rbs[p] != COPYING)
inline resume(p) {
	wv[p] = hv[p];
	hv[p] = 0;
	send_all(p)
}

#define G_ACK(p, i)	(IN(afl[p], i))
inline take_ack(p, i) {
	afl[p] = afl[p] & ~B(i);
	if
	:: IN(lk[p], i) -> ack[p] = ack[p] | B(i)
	:: else
	fi;
	if
	:: rbs[p] == COPYING && rbn[p] == i + 1 ->
		ack[p] = 0;
		rbs[p] = COPYING + 1
	:: else
	fi
}

/* R8: released when all that it was sent to have answered or lost the link. */
inline release(p) {
	if
	:: IN(mdone, p) && (snt[p] & lk[p] & ~ack[p]) == 0 ->
		wv[p] = 0;
		ack[p] = 0;
		snt[p] = 0;
		mfua = mfua & ~B(p);
		mdone = mdone & ~B(p)
	:: else
	fi
}
#define G_COMPLETE(p)	(pst[p] == SERVE && wv[p] != 0 && !IN(mdone, p) && \
			 SUBSET(AWAITED(p), ack[p]) && MAY_ANSWER(p) && \
			 FLUSHED11(p))
inline complete(p) {
	ghost_complete(p, wv[p], DURABLY(p));
	mdone = mdone | B(p);
	release(p)
}
#define G_RELEASE(p)	(IN(mdone, p) && (snt[p] & lk[p] & ~ack[p]) == 0)

/* A read from slot i: the own one, or a remote one when diskless (R11). */
#define G_READ(p, i)	(READS && pst[p] == SERVE && rdp == 0 && IN(aset[p], i) && \
			 (p == i && !IN(mfail, i) || \
			  DISKLESS(p) && IN(lk[p], i) && slink[i] == p + 1))
inline read(p, i) {
	rdp = p + 1;
	rdv = cur[i];
	rdl = legal
}
/* R5: tested when the data has arrived; R8: nor while a write overlaps. */
#ifdef MUT_READ_NO_OVERLAP
#define CLEAR8(p)	true
#else
#define CLEAR8(p)	(wv[p] == 0 && hv[p] == 0)
#endif
#define G_READ_END(p)	(rdp == p + 1 && pst[p] == SERVE && MAY_ANSWER(p) && \
			 CLEAR8(p) && FLUSHED11(p))
inline read_end(p) {
	ghost_read(p);
	rdp = 0;
	rdv = 0;
	rdl = 0
}

/* R2: a FLUSH completes when all of the set and the counted have flushed. */
#ifdef MUT_FLUSH_LOCAL
#define FAWAITED(p)	B(p)
#else
#define FAWAITED(p)	AWAITED(p)
#endif
#define G_FLUSH(p)	(FLUSHES && pst[p] == SERVE && flp == 0 && \
			 wv[p] == 0 && hv[p] == 0)
inline client_flush(p) {
	flp = p + 1;
	if
	:: trm[p] == gterm -> fsn = legal & ~(legal - 1)
	:: else
	fi
}
#define G_FLUSH_ONE(p, i)	(flp == p + 1 && IN(COUNTED(p), i) && \
			 !IN(ffl, i) && (i == p && !IN(mfail, i) || \
			 i != p && IN(lk[p], i) && slink[i] == p + 1))
inline flush_one(p, i) {
	flush(i);
	ffl = ffl | B(i)
}
#define G_FLUSH_END(p)	(flp == p + 1 && pst[p] == SERVE && \
			 SUBSET(FAWAITED(p), ffl) && MAY_ANSWER(p) && \
			 FLUSHED11(p))
inline flush_end(p) {
	assert(trm[p] == gterm);			/* S2 */
	fval = fval & ~(fsn - 1);	/* nothing older comes back */
	flp = 0;
	ffl = 0;
	fsn = 0
}

/* R3: the primary gives a link up. Free when the other end is gone. */
#define G_LINKDOWN(p, i)	(IN(lk[p], i) && (slink[i] != p + 1 || nf < NF && LOSSES))
inline linkdown(p, i) {
	if
	:: slink[i] == p + 1 -> nf++
	:: else
	fi;
	lk[p] = lk[p] & ~B(i);
	afl[p] = afl[p] & ~B(i);
	rfl[p] = rfl[p] & ~B(i);
	if
	:: rbn[p] == i + 1 -> rebuild_fails(p, i)
	:: else
	fi
}

/* R3: may the link of a slot be taken up again at the same term? In the set:
 * only with its life unchanged, or, when no in-sync slot is usable, if it
 * lost nothing. */
#define USABLE(p, j)	(IN(aset[p], j) && (IN(lk[p], j) || \
			 j == p && !IN(mfail, j)))
#if N == 2
#define ANYUSABLE(p)	(USABLE(p, 0) || USABLE(p, 1))
#else
#define ANYUSABLE(p)	(USABLE(p, 0) || USABLE(p, 1) || USABLE(p, 2))
#endif
#ifdef MUT_LIFE_IGNORED
#define LIFE_OK(p, i)	true
#else
#define LIFE_OK(p, i)	(!IN(mnew, i) || !ANYUSABLE(p) && !IN(munc, i))
#endif
/* R1: ready only when the backing I/O of every earlier link has ended. */
#ifdef MUT_NO_IO_WAIT
#define READY(i)	(slink[i] == 0)
#else
#define READY(i)	(slink[i] == 0 && sub[i] == 0 && orph[i] == 0)
#endif
#define LINKABLE(p, i)	(!IN(lk[p], i) && i != p && trm[i] == trm[p] && \
			 READY(i) && !IN(mfail, i))
inline link_up(p, i) {
	slink[i] = p + 1;
	lk[p] = lk[p] | B(i);
	lease[p] = lease[p] | B(i);	/* R5: echo of the opening's stamp */
	mforgot = mforgot & ~B(i);
	mnew = mnew & ~B(i)
}
#define G_RELINK(p, i)	(pst[p] == SERVE && LINKABLE(p, i) && \
			 IN(aset[p], i) && LIFE_OK(p, i))
inline relink(p, i) {
	link_up(p, i);
	if
	:: wv[p] != 0 && !IN(ack[p], i) ->
		snt[p] = snt[p] | B(i);
		send(p, i)
	:: else
	fi
}

/* R3: ask for epoch+1 without a slot whose link is lost or whose device
 * failed; never for the last that is usable. R9: also to give up a
 * readmission whose outcome is unknown. */
#define LOST(p, i)	(i != p && !IN(lk[p], i) || i == p && IN(mfail, p))
#if N == 2
#define OTHERUSABLE(p, i)	(USABLE(p, 1 - i))
#else
#define OTHERUSABLE(p, i)	(i != 0 && USABLE(p, 0) || \
				 i != 1 && USABLE(p, 1) || \
				 i != 2 && USABLE(p, 2))
#endif
#define G_DROP(p, i)	(pst[p] == SERVE && IN(mcur, p) && LOST(p, i) && \
			 !IN(pdrop, i) && OTHERUSABLE(p, i) && \
			 IN(COUNTED(p), i))

/* R3b: stable passes a write only once all in the set have adopted it. */
#if INTERMEDIATE && !defined(MUT_STABLE_BY_SET)
#define SAME(p, j)	(IN(mcur, p) && IN(mcur, j) || IN(mprev, p) && IN(mprev, j))
#else
#define SAME(p, j)	(aset[j] == aset[p])
#endif
#define ADOPTED(p, j)	(!IN(aset[p], j) || trm[j] == trm[p] && SAME(p, j))
#if N == 2
#define ALLADOPTED(p)	(ADOPTED(p, 0) && ADOPTED(p, 1))
#else
#define ALLADOPTED(p)	(ADOPTED(p, 0) && ADOPTED(p, 1) && ADOPTED(p, 2))
#endif
#ifdef MUT_STABLE_EARLY
#define STABLEOK(p)	true
#else
#define STABLEOK(p)	ALLADOPTED(p)
#endif
#define G_STABLE(p, i)	(pst[p] == SERVE && IN(mls, i) && IN(aset[p], i) && \
			 (i == p || IN(lk[p], i) && slink[i] == p + 1) && \
			 wv[p] == 0 && hv[p] == 0 && STABLEOK(p))
inline stable(i) {
	mls = mls & ~B(i)
}

/* R11: before anything more is completed, the remote slots flush. */
#define G_FLUSH11(p, i)	(pst[p] == SERVE && DISKLESS(p) && IN(aset[p], i) && \
			 !IN(rfl[p], i) && IN(lk[p], i) && \
			 slink[i] == p + 1 && sub[i] == 0 && inb[i] == 0 && \
			 (wv[p] == 0 || IN(ack[p], i)))
inline flush11(p, i) {
	flush(i);
	rfl[p] = rfl[p] | B(i);
	if
	:: SUBSET(aset[p], rfl[p]) -> fval = legal
	:: else
	fi
}
