/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells udev the names of the volumes. */
#ifndef AGENT_DISK_NAMES_H
#define AGENT_DISK_NAMES_H

#include "fsm.h"

struct disk_names;

/* Files are kept below @run_dir. Ends the process without memory. */
struct disk_names *disk_names_open(const char *run_dir);
void disk_names_free(struct disk_names *names);

/* Before a disk of @fsm is made to appear; cheap when nothing changed. */
void disk_names_update(struct disk_names *names, const struct fsm *fsm);

#endif /* AGENT_DISK_NAMES_H */
