/* SPDX-License-Identifier: GPL-2.0 */
/* A warning of ours is a bug of ours: the test run ends. */
#ifndef _SHIM_LINUX_BUG_H
#define _SHIM_LINUX_BUG_H

#include <stdio.h>
#include <stdlib.h>

#define WARN_ON_ONCE(condition) ({					\
	bool _warn = (condition);					\
									\
	if (_warn) {							\
		fprintf(stderr, "WARN %s:%d: %s\n", __FILE__, __LINE__,	\
			#condition);					\
		abort();						\
	}								\
	_warn; })

#endif
