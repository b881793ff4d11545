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
	lk[0] = set & ~B(0);
	lease[0] = set & ~B(0);
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
inline scenario() {
	healthy(ALL)
}
