/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * S1 to S3 as assertions. "legal" holds every value that the block may show
 * from now on: the last completed one, and those of writes that are not
 * completed. An activation settles writes of older terms: from then on only
 * what the reference held is legal (R7: "never changes again").
 */
#define V(v)	(1 << (v))

inline ghost_begin(p, v) {
	if
	:: trm[p] == gterm ->
		legal = legal | V(v);
		fval = fval | V(v);
		if
		:: rdp == p + 1 -> rdl = rdl | V(v)
		:: else
		fi
	:: else
	fi
}

/* S2: nobody completes anything of a term after a higher one is active. */
inline ghost_complete(p, v, durable) {
	assert(trm[p] == gterm);			/* S2 */
	assert((legal & V(v)) != 0);
	legal = V(v);
	if
	:: durable -> fval = V(v)
	:: else -> fval = fval | V(v)
	fi
}

/*
 * A read that returned a value forbids older ones from then on. With a write
 * in flight (only a broken primary answers then) the newer stay possible.
 */
inline ghost_read(p) {
	assert(trm[p] == gterm);			/* S2 */
	assert((rdl & V(rdv)) != 0);			/* S1: not older */
	if
	:: (legal & V(rdv)) != 0 -> legal = legal & ~(V(rdv) - 1)
	:: else
	fi
}

inline ghost_activate(p, v) {
	/* 0: every copy of the set has failed since, nothing is left to show */
	assert((legal & V(v)) != 0 || v == 0);		/* S1: not lost */
	assert(cterm > gterm);
	legal = V(v);
	fval = V(v);			/* R7 has flushed it on every copy */
	if
	:: hv[p] != 0 ->		/* R6: will be sent again */
		legal = legal | V(hv[p]);
		fval = fval | V(hv[p])
	:: else
	fi;
	gterm = cterm
}

/* What is not flushed may go when no copy of the set kept its memory. */
inline ghost_loss() {
	if
	:: SUBSET(cset, mlost | mfail) -> legal = legal | fval
	:: else
	fi
}

/* S3: in-sync copies equal when no write is in flight. */
#define KEPT(i)		(IN(cset, i) && !IN(mnew, i) && !IN(mfail, i))
#define DIFFER(i, j)	(KEPT(i) && KEPT(j) && cur[i] != cur[j])
#if N == 2
#define UNEQUAL		DIFFER(0, 1)
#else
#define UNEQUAL		(DIFFER(0, 1) || DIFFER(0, 2) || DIFFER(1, 2))
#endif
#define QUIET(p)	(pst[p] == SERVE && trm[p] == cterm && IN(mcur, p) && \
			 wv[p] == 0 && hv[p] == 0)
#if N == 2
#define SETTLED		(QUIET(0) || QUIET(1))
#else
#define SETTLED		(QUIET(0) || QUIET(1) || QUIET(2))
#endif
