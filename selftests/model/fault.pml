/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Faults. A node that crashes is back at once; that it stays away for long is
 * the same as that its steps are not taken. A pause of a node likewise.
 */

/* What is on the medium after a power cut: the flushed content, or what the
 * device or a write in flight left there. */
#define G_CRASH(i, k)	(nf < NF && CRASHES && !IN(mfail, i) && \
			 (k == 0 || k == 1 && cur[i] != dur[i] || \
			  k == 2 && sub[i] != 0 || k == 3 && orph[i] != 0))
inline crash(i, k) {
	nf++;
	reboot(i, k)
}
inline reboot(i, k) {
	if
	:: k == 0 -> cur[i] = dur[i]
	:: k == 1
	:: k == 2 -> cur[i] = sub[i]
	:: k == 3 -> cur[i] = orph[i]
	fi;
	dur[i] = cur[i];
	sub[i] = 0;
	orph[i] = 0;
	msubf = msubf & ~B(i);
	msubc = msubc & ~B(i);
	close_link(i);
	clear_role(i);
	hv[i] = 0;
	mfua = mfua & ~B(i);
	crel = crel & ~B(i);		/* another life (R4) */
	mnew = mnew | B(i);
	if
	:: clast == i + 1 -> clast = 0	/* another instance (R6) */
	:: else
	fi;
	mlost = mlost | ((mlu | mlogu) & B(i));
	mlu = mlu & ~B(i);
	/* R10: what the log says after the reboot. */
	if
	:: IN(mlogu, i) -> munc = munc | B(i)
	:: else -> munc = munc & ~B(i)
	fi;
	bits[i] = dbits[i];
	if
	:: IN(mlog, i) ->
		mls = mls | B(i);
		bits[i] = bits[i] | OUT(aset[i])
	:: else -> mls = mls & ~B(i)
	fi;
#ifdef MUT_RESTART_NO_WAIT
	mforgot = mforgot | B(i);	/* R5: owes a full grace */
#endif
	ghost_loss()
}

/* R10: a clean stop drains, flushes and makes the bits durable; the log keeps
 * what is not stable. */
#define G_RESTART(i)	(nc < CLEANS && !IN(mfail, i) && \
			 sub[i] == 0 && orph[i] == 0)
inline restart(i) {
	nc++;
	idle(i);
	reboot(i, 1)
}

/* A data device fails for good. */
#define G_DISKFAIL(i)	(nf < NF && DISKS && !IN(mfail, i))
inline diskfail(i) {
	nf++;
	close_link(i);
	sub[i] = 0;
	orph[i] = 0;
	msubf = msubf & ~B(i);
	msubc = msubc & ~B(i);
	mfail = mfail | B(i);
	mlu = mlu & ~B(i);
	mls = mls & ~B(i);
	mlog = mlog & ~B(i);
	mlogu = mlogu & ~B(i);
	munc = munc & ~B(i);
	cur[i] = 0;
	dur[i] = 0;
	bits[i] = 0;
	dbits[i] = 0;
	if
	:: pst[i] == NAMED || pst[i] == RECON -> clear_role(i); hv[i] = 0
	:: else
	fi;
	ghost_loss()
}
