/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a run starts and what may happen to it. The runner says which
 * scenario (SC_...) and may change a bound. Node 0 serves at first.
 */
#if defined(SC_THREE) || defined(SC_MARKS) || defined(SC_HELD) || \
    defined(SC_MISSED) || defined(SC_BITMAPS) || defined(SC_RECON)
#define N 3
#else
#define N 2
#endif
#ifndef NW
#define NW 2
#endif
#ifndef NF
#define NF 2
#endif
#ifndef TERMS
#define TERMS 3
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef LOSSES
#define LOSSES 1
#endif
#ifndef FAILOVERS
#define FAILOVERS 1
#endif
#ifndef DISKS
#define DISKS 0
#endif
#ifndef READS
#define READS 1
#endif
#ifndef INTERMEDIATE
#ifdef SC_MISSED
#define INTERMEDIATE 1
#else
#define INTERMEDIATE 0
#endif
#endif
#ifndef FLUSHES
#define FLUSHES 0
#endif
#ifndef SYMMETRIC
#if defined(SC_RECON) || defined(SC_MARKS) || defined(SC_HELD) || \
    defined(SC_MISSED)
#define SYMMETRIC 0
#else
#define SYMMETRIC 1
#endif
#endif
#ifndef CLEANS
#define CLEANS 0
#endif
#ifndef REBUILDS
#define REBUILDS 0
#endif
#ifndef FUA
#define FUA 1
#endif
