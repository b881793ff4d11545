/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of the model: one volume of one block, N slots, one per node.
 * Masks are bytes with one bit per slot. Values of the block are small
 * integers: 1 is what was there, 2 and 3 are the writes; 0 is "none".
 * A variable without meaning in some situation is kept at 0 there, so that
 * equal situations are equal states.
 */

#define B(i)		(1 << (i))
#define IN(m, i)	(((m) >> (i)) & 1)
#define ALL		((1 << N) - 1)
#define OUT(m)		(ALL & ~(m))
#define SUBSET(a, b)	(((a) & ~(b)) == 0)

/* The committed configuration: changed only by commit and name. */
byte cterm = 1;		/* term */
byte cprim;		/* node of the primary */
byte cset;		/* in-sync set */
bit cact;		/* activated (R4, second step) */
byte clast;		/* node + 1 of the last activated instance, 0 = gone */
byte crel;		/* slots and lives cited at naming that still live (R4) */

#if INTERMEDIATE
byte cset1;		/* set of the epoch before */
byte cterm1;		/* term of the epoch before */
byte mprev;		/* modules that know the epoch before, not the latest */
#endif

/* Proposals on the way to consensus; any commit makes the others void (CAS). */
byte pdrop;		/* slots to drop (R3) */
byte padm;		/* slots to readmit (R9) */
byte pact;		/* set to activate (R4), 0 = none */

/* One slot, on its node. */
byte cur[N];		/* content as the device answers */
byte dur[N];		/* content that survives a power cut for certain */
byte bits[N];		/* dirty bits for other slots (R3b), in memory */
byte dbits[N];		/* the same, durable */
byte trm[N];		/* term that this node's module was told (R1) */
byte aset[N];		/* in-sync set that it adopted */
byte slink[N];		/* node + 1 of the primary that its link is with */
byte inb[N];		/* write received or in the socket, not yet submitted */
byte inm[N];		/* mask of missing slots that it carries (R3b) */
byte sub[N];		/* write submitted to the device, of the link of now */
byte orph[N];		/* write submitted to the device, of an earlier link */
/* One bit per slot. */
byte mlu;		/* written and not flushed since */
byte mls;		/* ranges above stable */
byte mlog;		/* durable log names the block (R10) */
byte mlogu;		/* ... as unflushed */
byte munc;		/* life is unclean (R10) */
byte mnew;		/* attached anew since the primary last accepted its life */
byte mfail;		/* device failed for good */
byte minf;		/* inb is FUA */
byte msubf;		/* sub is FUA */
byte minc;		/* inb is a rebuild copy (R9) */
byte msubc;		/* sub is a rebuild copy */
byte mcur;		/* module knows the latest committed configuration */
byte mforgot;		/* slot that forgot a promise by rebooting (mutation) */

/* The primary role of a node. Its term and set are trm[] and aset[]. */
#define NONE	0
#define NAMED	1	/* first step of R4: collects slots */
#define RECON	2	/* R7 under way */
#define SERVE	3
byte pst[N];
byte lk[N];		/* slots that it holds a link to */
byte lease[N];		/* slots whose lease has not ended by the clock (R5) */
byte cnt[N];		/* slot being counted (R9) */
byte wv[N];		/* write in flight; in RECON the copied content */
byte hv[N];		/* write held while named again in the same boot (R6) */
byte ack[N];		/* slots whose answer has arrived */
byte afl[N];		/* slots whose answer is on its way */
byte snt[N];		/* slots that the write was sent to */
byte rfl[N];		/* slots flushed in RECON, or on going diskless (R11) */
byte rbs[N];		/* rebuild: stage */
byte rbn[N];		/* rebuild: slot + 1 */
byte mfua;		/* wv is FUA */
byte mdone;		/* wv completed to its caller, range not yet released */

/* One read at a time in the whole volume. */
byte rdp;		/* node + 1 that serves it */
byte rdv;		/* data that arrived */
byte rdl;		/* ghost: values that it may return */

/* One FLUSH at a time in the whole volume. */
byte flp;		/* node + 1 that serves it */
byte ffl;		/* slots that have flushed */
byte fsn;		/* ghost: the value completed before it began */

/* Ghosts: what the properties need and no node reads. */
byte legal;		/* values that the block may show from now on */
byte fval;		/* values that may show after all copies lost power */
byte gterm = 1;		/* highest activated term */
byte mlost;		/* slots that lost power with unflushed data */
/* Bounds. */
#if N > 2 && SYMMETRIC
bit named1;		/* slot 1 was named before */
#endif
byte nw;		/* writes begun */
byte nf;		/* faults */
byte nc;		/* clean restarts */

hidden byte x, y;
