/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What this node promised for each volume (R5). Outlives detach, attach and
 * removal of the volume: kept until the module goes.
 */
#ifndef _HOLDFAST_PROMISE_H
#define _HOLDFAST_PROMISE_H

#include <linux/types.h>
#include <linux/uuid.h>

struct hf_promise_book;

/*
 * The volume's book, made if it is not there; NULL without memory. @owes: the
 * metadata says that a promise of an earlier boot may be open: a full grace
 * from the module's load on, if the book is new. Process context.
 */
struct hf_promise_book *hf_promise_book(const uuid_t *volume, bool owes);

/* Any context. */
void hf_promise_record(struct hf_promise_book *book, u32 node, u64 instance);
unsigned int hf_promise_left_ms(struct hf_promise_book *book, u32 node, u64 instance);
bool hf_promise_open(struct hf_promise_book *book);
unsigned int hf_promise_all_left_ms(struct hf_promise_book *book);	/* to a stranger */

void hf_promise_init(void);
void hf_promise_exit(void);

#endif /* _HOLDFAST_PROMISE_H */
