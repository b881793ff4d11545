/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The states that scenarios start from. */

/* All of "set" equal and linked, node 0 activated at term 1. */
inline healthy(set) {
	cset = set;
	cact = 1;
	clast = 1;
	crel = set;
	legal = V(1);
	fval = V(1);
	mcur = ALL;
	pst[0] = SERVE;
	lk[0] = (set) & ~B(0);
	lease[0] = (set) & ~B(0);
	settle(0, set);
	settle(1, set);
#if N > 2
	settle(2, set)
#endif
}
inline settle(i, set) {
	cur[i] = 1;
	dur[i] = 1;
	trm[i] = 1;
	aset[i] = set;
	if
	:: i != 0 && IN(set, i) -> slink[i] = 1
	:: else
	fi
}
/* Slot i is stale since before the content of now; "src" have marks for it. */
inline stale(i) {
	cur[i] = 1;
	dur[i] = 1;
	aset[i] = ALL;
	mcur = mcur & ~B(i)
}
inline marked(i, m) {
	bits[i] = m;
	dbits[i] = m
}

inline scenario() {
#if defined(SC_REBUILD)
	/* One slot in sync, the other stale; a write was missed. */
	healthy(B(0));
	nw = 1;
	cur[0] = 2;
	dur[0] = 2;
	legal = V(2);
	fval = V(2);
	marked(0, B(1));
	stale(1)
#elif defined(SC_BITMAPS)
	/* One slot in sync, two stale; a write was missed. */
	healthy(B(0));
	nw = 1;
	cur[0] = 2;
	dur[0] = 2;
	legal = V(2);
	fval = V(2);
	marked(0, B(1) | B(2));
	stale(1);
	stale(2)
#elif defined(SC_MARKS)
	/* Two in sync, one just lost, a write in flight. */
	healthy(B(0) | B(1));
	stale(2);
	write(0, 0)
#elif defined(SC_HELD)
	/* As before, but the lost slot is still in the set: the write is
	 * held for it, and dropping it is part of the run. */
	healthy(ALL);
	lk[0] = B(1);
	slink[2] = 0;
	write(0, 0)
#elif defined(SC_MISSED)
	/* Slot 2 was just readmitted and lost again, a write is held for it;
	 * slot 1 has not heard of the readmission. */
	healthy(ALL);
	aset[1] = B(0) | B(1);
	cset1 = B(0) | B(1);
	cterm1 = 1;
	mcur = B(0) | B(2);
	mprev = B(1);
	lk[0] = B(1);
	slink[2] = 0;
	write(0, 0)
#elif defined(SC_RECON)
	/* The primary crashed with a write in flight that slot 1 alone
	 * got. */
	healthy(ALL);
	nw = 1;
	legal = V(1) | V(2);
	fval = V(1) | V(2);
	cur[1] = 2;
	mlu = B(1);
	mlogu = B(1);
	mls = B(1);
	mlog = B(1);
	pst[0] = NONE;
	lk[0] = 0;
	lease[0] = 0;
	clast = 0;
	crel = B(1) | B(2);
	mnew = B(0)
#elif defined(SC_LIVES)
	/* The primary is diskless, its only slot is remote (R11). */
	healthy(ALL);
	cset = B(1);
	aset[0] = B(1);
	aset[1] = B(1);
	mfail = B(0);
	cur[0] = 0;
	dur[0] = 0;
	rfl[0] = B(1)
#else
	healthy(ALL)
#endif
}
