/* SPDX-License-Identifier: GPL-2.0 */
/* Only the types; what hangs on them is in linux/interval_tree_generic.h. */
#ifndef _SHIM_LINUX_RBTREE_H
#define _SHIM_LINUX_RBTREE_H

#include <linux/kernel.h>

struct rb_node {
	struct rb_node	*prev, *next;
};

struct rb_root_cached {
	struct rb_node	*first;
};

#define RB_ROOT_CACHED	((struct rb_root_cached) { NULL })

#endif
