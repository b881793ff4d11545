// SPDX-License-Identifier: GPL-2.0
/*
 * The store of promises: one book a volume, for as long as the module is
 * loaded, so that a promise survives whatever happens to slot and volume (R5).
 * The arithmetic is lease.c's.
 *
 * Locks: books_lock guards the list; a book's entry_lock guards its promises
 * and is taken in any context.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "promise.h"

#include <linux/list.h>
#include <linux/math64.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "lease.h"
#include "main.h"

/*
 * The promises for one volume.
 *
 * Life: from the first attach of a slot of the volume to the module's unload.
 */
struct hf_promise_book {
	struct list_head	entry;		/* books_lock */
	uuid_t			volume;		/* const */
	spinlock_t		entry_lock;
	struct hf_promises	promises;	/* entry_lock */
};

static DEFINE_MUTEX(books_lock);
static LIST_HEAD(books);
static u64 loaded_ns;	/* const after load */

struct hf_promise_book *hf_promise_book(const uuid_t *volume, bool owes)
{
	struct hf_promise_book *book;

	mutex_lock(&books_lock);
	list_for_each_entry(book, &books, entry) {
		if (uuid_equal(&book->volume, volume))
			goto unlock;
	}
	book = kzalloc(sizeof(*book), GFP_KERNEL);
	if (!book)
		goto unlock;
	uuid_copy(&book->volume, volume);
	spin_lock_init(&book->entry_lock);
	hf_promises_init(&book->promises, owes, loaded_ns, hf_time_ns(HF_GRACE_MS));
	list_add(&book->entry, &books);
unlock:
	mutex_unlock(&books_lock);
	return book;
}

void hf_promise_record(struct hf_promise_book *book, u32 node, u64 instance)
{
	unsigned long flags;

	spin_lock_irqsave(&book->entry_lock, flags);
	hf_promises_record(&book->promises, node, instance, hf_boottime_ns(),
			   hf_time_ns(HF_GRACE_MS));
	spin_unlock_irqrestore(&book->entry_lock, flags);
}

unsigned int hf_promise_left_ms(struct hf_promise_book *book, u32 node, u64 instance)
{
	unsigned long flags;
	u64 left_ns;

	spin_lock_irqsave(&book->entry_lock, flags);
	left_ns = hf_promises_left_ns(&book->promises, node, instance, hf_boottime_ns());
	spin_unlock_irqrestore(&book->entry_lock, flags);
	return div_u64(left_ns + NSEC_PER_MSEC - 1, NSEC_PER_MSEC);
}

bool hf_promise_open(struct hf_promise_book *book)
{
	unsigned long flags;
	bool open;

	spin_lock_irqsave(&book->entry_lock, flags);
	open = hf_promises_open(&book->promises, hf_boottime_ns());
	spin_unlock_irqrestore(&book->entry_lock, flags);
	return open;
}

unsigned int hf_promise_all_left_ms(struct hf_promise_book *book)
{
	return hf_promise_left_ms(book, 0, 0);
}

void hf_promise_init(void)
{
	loaded_ns = hf_boottime_ns();
}

void hf_promise_exit(void)
{
	struct hf_promise_book *book, *next;

	list_for_each_entry_safe(book, next, &books, entry) {
		list_del(&book->entry);
		kfree(book);
	}
}
