/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One rule broken on purpose (make SABOTAGE=…), so that the tests can be seen
 * to notice it.  Each macro is a constant, tested in one place a rule; an
 * ordinary build has them all at 0 and the compiler drops the code.
 */
#ifndef _HOLDFAST_SABOTAGE_H
#define _HOLDFAST_SABOTAGE_H

/* A write completes once the local copy has it; the others get it late (R2). */
#ifdef HF_SABOTAGE_EARLY_ACK
#define HF_BROKEN_EARLY_ACK		1
#else
#define HF_BROKEN_EARLY_ACK		0
#endif

/* A returning slot's logged extents and own bits are ignored (R9, R10). */
#ifdef HF_SABOTAGE_NO_ACTIVITY_LOG
#define HF_BROKEN_NO_ACTIVITY_LOG	1
#else
#define HF_BROKEN_NO_ACTIVITY_LOG	0
#endif

/* The missing mask is taken for empty everywhere (R3b). */
#ifdef HF_SABOTAGE_NO_MARKS
#define HF_BROKEN_NO_MARKS		1
#else
#define HF_BROKEN_NO_MARKS		0
#endif

/* Lease, deposition and loss of a slot do not stop completion (R3, R5, R6). */
#ifdef HF_SABOTAGE_NO_FENCE
#define HF_BROKEN_NO_FENCE		1
#else
#define HF_BROKEN_NO_FENCE		0
#endif

#define HF_BROKEN_ANY	(HF_BROKEN_EARLY_ACK | HF_BROKEN_NO_ACTIVITY_LOG | \
			 HF_BROKEN_NO_MARKS | HF_BROKEN_NO_FENCE)

/* Delay before a remote send, so that the break of R2 or R10 always shows. */
#define HF_BROKEN_SEND_DELAY_MS	2000
/* Each write waits for it, so it must not stall those who only want to go on. */
#define HF_BROKEN_LOG_DELAY_MS	40

struct hf_req;

/* Early-ack alone: send a copy that nobody waits for. serve_lock held. */
void hf_sabotage_send_late(struct hf_req *req, unsigned char nr);

#endif /* _HOLDFAST_SABOTAGE_H */
