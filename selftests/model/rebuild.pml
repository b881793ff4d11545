/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * R9: a stale slot is rebuilt from the primary's copy and readmitted.
 * Stages: 1 linked, list read; 2 the range is locked and copied; 3 clean;
 * 4 counted (bitmaps copied before); 5 readmission asked for.
 */
#define S_LINKED	1
#define S_CLEAN		3
#define S_COUNTED	4
#define S_ASKED		5

/* The list is read when the source has adopted a set without the slot. A
 * write in flight that is not mirrored is on the list as well. */
#define G_REBUILD(p, s)	(pst[p] == SERVE && LINKABLE(p, s) && rbs[p] == 0 && \
			 !IN(aset[p], s) && !DISKLESS(p) && \
			 !IN(aset[s], s) && REBUILDS)
#ifdef MUT_NO_OWN_RANGES
#define OWNRANGES(s)	false
#else
#define OWNRANGES(s)	(IN(mls, s) || IN(mlogu, s))
#endif
#ifdef MUT_LIST_WITHOUT_INFLIGHT
#define MISSED(p)	false
#else
#define MISSED(p)	(wv[p] != 0)
#endif
inline rebuild(p, s) {
	link_up(p, s);
	rbn[p] = s + 1;
	if
	:: IN(bits[p], s) || OWNRANGES(s) || MISSED(p) ->
		rbs[p] = S_LINKED
	:: else -> rbs[p] = S_CLEAN
	fi
}

/* R9: locked for copying only when no write in it is in flight or held. */
#define G_COPY(p, s)	(pst[p] == SERVE && rbs[p] == S_LINKED && \
			 rbn[p] == s + 1 && wv[p] == 0 && hv[p] == 0)
inline copy(p, s) {
	rbs[p] = COPYING;
	if
	:: slink[s] == p + 1 ->
		inb[s] = cur[p];
		inm[s] = 0;
		minf = minf & ~B(s);
		minc = minc | B(s)
	:: else
	fi
}

/* Bitmaps for the other stale slots, durably; then begin to count. */
#define G_COUNT(p, s)	(pst[p] == SERVE && rbs[p] == S_CLEAN && \
			 rbn[p] == s + 1 && slink[s] == p + 1)
inline count(p, s) {
#ifndef MUT_NO_BITMAP_COPY
	bits[s] = bits[s] | (bits[p] & ~B(s));
	dbits[s] = bits[s];
#endif
	rbs[p] = S_COUNTED;
#ifndef MUT_COUNT_LATE
	cnt[p] = B(s)
#endif
}

/* Wait for every write sent on this link, flush, ask. */
#define G_ASK(p, s)	(pst[p] == SERVE && rbs[p] == S_COUNTED && \
			 rbn[p] == s + 1 && IN(mcur, p) && slink[s] == p + 1 && \
			 (wv[p] == 0 || IN(ack[p], s) || HASTY))
#ifdef MUT_SENT_NOT_AWAITED
#define HASTY		true
#else
#define HASTY		false
#endif
inline ask(p, s) {
#ifndef MUT_READMIT_UNFLUSHED
	flush(s);
#endif
	rbs[p] = S_ASKED;
	padm = padm | B(s)
}

/* A lost link ends the attempt; but once readmission was asked for, the slot
 * is counted until some epoch+1 is committed. */
inline rebuild_fails(p, s) {
	if
#ifndef MUT_GIVEUP_UNKNOWN
	:: rbs[p] == S_ASKED
#endif
	:: else ->
		rbs[p] = 0;
		rbn[p] = 0;
		cnt[p] = 0
	fi
}
