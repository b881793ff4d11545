/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a replica does: takes writes (R2, R10, R3b), ends backing I/O, closes
 * links and adopts configurations (R1), flushes itself and empties its log
 * (R10). The primary's own slot takes the same steps.
 */

/* R1: close the link; what was received and not submitted is thrown away,
 * what was submitted goes on by itself. Only a mutation finds orph busy. */
inline close_link(i) {
	slink[i] = 0;
	inb[i] = 0;
	inm[i] = 0;
	minf = minf & ~B(i);
	minc = minc & ~B(i);
	if
	:: sub[i] != 0 ->
		if
		:: orph[i] != 0 -> cur[i] = orph[i]
		:: else
		fi;
		orph[i] = sub[i];
		sub[i] = 0;
		msubf = msubf & ~B(i);
		msubc = msubc & ~B(i)
	:: else
	fi
}

/* The replica's side of a link notices that the primary's side is gone. */
#define G_NOTICE(i, q)	(slink[i] == q + 1 && !IN(lk[q], i))

/* R10: the log is durable before the write goes to the device. R3b: marks for
 * the mask that the write carries and for all that this slot knows missing.
 * R9: rebuild copies need no entry. */
#ifdef MUT_MARK_PRIMARY_ONLY
#define MARKS(i)	(pst[i] == SERVE)
#else
#define MARKS(i)	true
#endif
#ifdef MUT_MARK_UNLINKED_ONLY
#define MASK(p)		(OUT(aset[p]) & ~lk[p])
#define OWNMASK(i)	0
#else
#define MASK(p)		OUT(aset[p])
#define OWNMASK(i)	OUT(aset[i])
#endif

#define G_SUBMIT(i)	(inb[i] != 0 && sub[i] == 0 && !IN(mfail, i))
inline submit(i) {
	sub[i] = inb[i];
	inb[i] = 0;
	if
	:: IN(minc, i) -> msubc = msubc | B(i)
	:: else ->
		mls = mls | B(i);
		mlog = mlog | B(i);
		/* FUA is not acknowledged before it is durable */
		if
		:: IN(minf, i)
		:: else ->
			mlu = mlu | B(i);
			mlogu = mlogu | B(i)
		fi;
		if
		:: MARKS(i) -> bits[i] = bits[i] | inm[i] | OWNMASK(i)
		:: else
		fi
	fi;
	if
	:: IN(minf, i) -> msubf = msubf | B(i)
	:: else
	fi;
	inm[i] = 0;
	minf = minf & ~B(i);
	minc = minc & ~B(i)
}

/* R2: acknowledge when the device has completed the write. */
#define G_ENDIO(i)	(sub[i] != 0)
inline endio(i) {
	cur[i] = sub[i];
	sub[i] = 0;
	if
	:: IN(msubf, i) -> dur[i] = cur[i]
	:: else
	fi;
	msubf = msubf & ~B(i);
	msubc = msubc & ~B(i);
	if
	:: pst[i] != NONE -> ack[i] = ack[i] | B(i)
	:: else ->
		if
		:: slink[i] != 0 && IN(lk[slink[i] - 1], i) ->
			afl[slink[i] - 1] = afl[slink[i] - 1] | B(i)
		:: else
		fi
	fi
}

#define G_ENDORPH(i)	(orph[i] != 0)
inline endorph(i) {
	cur[i] = orph[i];
	orph[i] = 0
}

#ifdef MUT_UNCLEAN_FORGOTTEN
#define KEEPUNC(i)	false
#else
#define KEEPUNC(i)	IN(munc, i)
#endif

/* A flush covers what ended before it was issued (R10). */
inline flush(i) {
	dur[i] = cur[i];
	if
	:: sub[i] == 0 && orph[i] == 0 ->
		mlu = mlu & ~B(i);
		/* an unclean life stays on record until it is reconciled */
		if
		:: KEEPUNC(i)
		:: else -> mlogu = mlogu & ~B(i)
		fi
	:: else
	fi
}

/* R10: an idle replica flushes itself, makes its bits durable, and empties
 * its log once stable allows. */
#ifdef MUT_LOG_DROP_AT_FLUSH
#define DROPPABLE(i)	(!IN(mlu, i) && !IN(mlogu, i))
#else
#define DROPPABLE(i)	(!IN(mlu, i) && !IN(mlogu, i) && !IN(mls, i))
#endif
#define G_IDLE(i)	(sub[i] == 0 && orph[i] == 0 && !IN(mfail, i) && \
			 (IN(mlu, i) || (IN(mlogu, i) && !KEEPUNC(i)) || \
			  (bits[i] != dbits[i] && !BITSLAZY) || \
			  (IN(mlog, i) && DROPPABLE(i))))
#ifdef MUT_BITS_LOST
#define BITSLAZY	true
#else
#define BITSLAZY	false
#endif
inline idle(i) {
	flush(i);
	if
	:: BITSLAZY
	:: else -> dbits[i] = bits[i]
	fi;
	if
	:: DROPPABLE(i) -> mlog = mlog & ~B(i)
	:: else
	fi
}

/* The volume's primary role on this node ends (R6), or is not there yet. */
inline clear_role(p) {
	pst[p] = NONE;
	lk[p] = 0;
	lease[p] = 0;
	cnt[p] = 0;
	wv[p] = 0;
	ack[p] = 0;
	afl[p] = 0;
	snt[p] = 0;
	rfl[p] = 0;
	rbs[p] = 0;
	rbn[p] = 0;
	mfua = mfua & ~B(p);
	mdone = mdone & ~B(p);
	if
	:: rdp == p + 1 -> rdp = 0; rdv = 0; rdl = 0
	:: else
	fi;
	if
	:: flp == p + 1 -> flp = 0; ffl = 0; fsn = 0
	:: else
	fi
}

/* Start over under a new set: what R9 had under way is looked at anew, and
 * links to slots outside the set are given up ("a drop committed late is
 * obeyed", R3). */
inline primary_adopts(p, set) {
	if
	:: cact && pst[p] == RECON ->		/* R4: activated, serve */
		pst[p] = SERVE;
		wv[p] = 0;
		ack[p] = 0;
		afl[p] = 0;
		snt[p] = 0;
		rfl[p] = 0;
		lk[p] = lk[p] & (set)
	:: pst[p] == SERVE ->
		lk[p] = lk[p] & (set);
		afl[p] = afl[p] & (set);
		if
		:: flp == p + 1 -> ffl = ffl & (set)
		:: else
		fi;
		cnt[p] = 0;
		rbs[p] = 0;
		rbn[p] = 0;
		rfl[p] = 0
	:: else
	fi
}

/* The node's agent tells its module the latest configuration (R1). */
#ifdef MUT_MARK_UNLINKED_ONLY
#define ADOPTLK(i)	lk[i]
#else
#define ADOPTLK(i)	0
#endif
#ifdef MUT_ADOPT_UNMARKED
#define ADOPTMARKS	false
#else
#define ADOPTMARKS	true
#endif
#define G_ADOPT(i)	(!IN(mcur, i))
inline adopt(i) {
	if
	:: trm[i] < cterm ->
		close_link(i);
		if
		:: cprim == i && clast == i + 1 && pst[i] == SERVE &&
		   wv[i] != 0 && !IN(mdone, i) ->
			assert(trm[i] == gterm);
			x = wv[i];		/* R6: same boot, same disk */
			y = IN(mfua, i);
			clear_role(i);
			hv[i] = x;
			mfua = mfua | (y << i)
		:: cprim == i && clast == i + 1 && hv[i] != 0 ->
			y = IN(mfua, i);
			clear_role(i);
			mfua = mfua | (y << i)
		:: else ->
			clear_role(i);
			hv[i] = 0
		fi;
		trm[i] = cterm;
		if
		/* R4: a module whose slot has another life refuses. */
		:: cprim == i && IN(crel, i) && !IN(mfail, i) && !cact ->
			pst[i] = NAMED;
			mnew = mnew & ~B(i)
		:: else
		fi
	:: else
	fi;
	adopt_set(i, cset);
	mcur = mcur | B(i)
#if INTERMEDIATE
	; mprev = mprev & ~B(i)
#endif
}
inline adopt_set(i, set) {
	/* R3b: ranges above stable are marked for every slot outside. */
	if
	:: IN(mls, i) && MARKS(i) && ADOPTMARKS -> bits[i] = bits[i] | (OUT(set) & ~(ADOPTLK(i)))
	:: else
	fi;
	bits[i] = bits[i] & ~(set);
	dbits[i] = dbits[i] & ~(set);
	aset[i] = set;
	primary_adopts(i, set)
}

/* R1: a link brings its own configuration, which need not be the latest, but
 * is of the same term and newer than what the slot knows. */
#define G_ADOPT_PREV(i)	(!IN(mcur | mprev, i) && trm[i] == cterm1 && \
			 (pst[i] == NONE || pst[i] == SERVE))
inline adopt_prev(i) {
	adopt_set(i, cset1);
	mprev = mprev | B(i)
}
