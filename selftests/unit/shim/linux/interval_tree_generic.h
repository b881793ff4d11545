/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The interface of the kernel's interval trees over a list sorted by start:
 * the same answers in the same order, without the speed.
 */
#ifndef _SHIM_LINUX_INTERVAL_TREE_GENERIC_H
#define _SHIM_LINUX_INTERVAL_TREE_GENERIC_H

#include <linux/rbtree.h>

#define INTERVAL_TREE_DEFINE(STRUCT, RB, TYPE, SUBTREE, START, LAST, STATIC, NAME)	\
STATIC void NAME##_insert(STRUCT *item, struct rb_root_cached *root)			\
{											\
	struct rb_node **at = &root->first, *prev = NULL;				\
											\
	item->SUBTREE = LAST(item);							\
	while (*at && START(container_of(*at, STRUCT, RB)) <= START(item)) {		\
		prev = *at;								\
		at = &prev->next;							\
	}										\
	item->RB.prev = prev;								\
	item->RB.next = *at;								\
	if (*at)									\
		(*at)->prev = &item->RB;						\
	*at = &item->RB;								\
}											\
											\
STATIC void NAME##_remove(STRUCT *item, struct rb_root_cached *root)			\
{											\
	if (item->RB.prev)								\
		item->RB.prev->next = item->RB.next;					\
	else										\
		root->first = item->RB.next;						\
	if (item->RB.next)								\
		item->RB.next->prev = item->RB.prev;					\
	item->RB.prev = NULL;								\
	item->RB.next = NULL;								\
}											\
											\
static STRUCT *NAME##_from(struct rb_node *node, TYPE start, TYPE last)			\
{											\
	for (; node; node = node->next) {						\
		STRUCT *item = container_of(node, STRUCT, RB);				\
											\
		if (START(item) > last)							\
			break;								\
		if (LAST(item) >= start)						\
			return item;							\
	}										\
	return NULL;									\
}											\
											\
STATIC STRUCT *NAME##_iter_first(struct rb_root_cached *root, TYPE start, TYPE last)	\
{											\
	return NAME##_from(root->first, start, last);					\
}											\
											\
STATIC STRUCT *NAME##_iter_next(STRUCT *item, TYPE start, TYPE last)			\
{											\
	return NAME##_from(item->RB.next, start, last);					\
}

#endif
