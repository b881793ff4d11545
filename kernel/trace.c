// SPDX-License-Identifier: GPL-2.0
/*
 * Instantiates the tracepoints of trace.h.  Holds no state and no rule.
 */
#define CREATE_TRACE_POINTS
#include "trace.h"
