// SPDX-License-Identifier: GPL-2.0
/*
 * Instantiates the tracepoints of trace.h.  Holds no state and no rule.
 */
#include "disk.h"
#include "replica_io.h"
#include "volume.h"

#define CREATE_TRACE_POINTS
#include "trace.h"
