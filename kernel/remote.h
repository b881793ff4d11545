/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A slot on another node as the primary sees it: its link, what is known of
 * its life, what it may be used for.
 */
#ifndef _HOLDFAST_REMOTE_H
#define _HOLDFAST_REMOTE_H

#include <linux/types.h>

#include "link.h"

struct hf_disk;
struct hf_rebuild;
struct netlink_ext_ack;

/**
 * struct hf_remote - one other slot
 * @incarnation: of the slot that has the number in the configuration in force;
 *	0: none. Everything else is about this one
 * @link: the newest link, also after it went down, until it is closed
 * @foreign: @link is of a former slot of the number, and means nothing here
 * @ready: link is READY and was not found broken
 * @gets: writes and flushes go to it now
 * @mirror: outside of the set, gets new writes for a rebuild (R9)
 * @good_life: the life that may be continued at this term: it was reconciled
 *	(R7) or readmitted (R9); 0: none
 * @lost: in-sync or counted, and unusable (R3)
 * @lease_end_ns: of links that were closed, at this term
 * @missed: it failed to acknowledge something on this link (R9)
 *
 * Life and owner: embedded in the disk. serve_lock guards all that is not
 * const; @link is changed under conf_lock as well, so that a holder of
 * conf_lock may use it without serve_lock.
 */
struct hf_remote {
	struct hf_disk		*disk;		/* const */
	u8			nr;		/* const: slot number */
	u64			incarnation;
	struct hf_link		*link;
	bool			foreign;
	bool			ready;
	bool			down;		/* ops->down came for @link */
	bool			gets;
	bool			mirror;
	bool			lost;
	bool			missed;
	bool			unclean;
	u64			life;		/* of the present link, from hello on */
	u64			good_life;
	u64			hello_epoch;	/* that the present link was opened with */
	u64			adopted_epoch;	/* that the slot confirmed at this term */
	u64			lease_end_ns;
	u32			log_entries;
	u32			*extents;	/* HF_LOG_MAX_ENTRIES; logged by this life */
	unsigned int		nr_extents;
	unsigned long		*own_bits;	/* its bitmap for itself; NULL: none came */
	u64			nr_own_bits;
	enum holdfast_down_reason down_reason;	/* of the last link */
	u64			link_id;	/* of the last link */
	struct hf_rebuild	*rebuild;	/* of the last attempt */
	struct hf_wire_conf	*offered;	/* by the slot, for control_work to adopt */
};

int hf_remote_init(struct hf_disk *disk);
void hf_remote_free(struct hf_disk *disk);	/* all links are closed */

/* LINK_ADD on the primary. Process context, conf_lock held. */
int hf_remote_link(struct hf_disk *disk, u8 nr, u64 term, u64 link_id, int fd_control,
		   int fd_data, struct netlink_ext_ack *extack);
/* LINK_DEL. conf_lock held. @link_id 0: any. */
void hf_remote_unlink(struct hf_disk *disk, u8 nr, u64 link_id);
/* Abort all links whose term is below @term. conf_lock held. */
void hf_remote_abort_below(struct hf_disk *disk, u64 term, enum holdfast_down_reason reason);
/* Close the links that are down, or @all. Process context, conf_lock held. */
void hf_remote_reap(struct hf_disk *disk, bool all);
/* Tell every link a new epoch. conf_lock held. */
void hf_remote_send_conf(struct hf_disk *disk, const struct hf_conf *conf);

/*
 * serve_lock held: the configuration has this slot under the number from here
 * on, 0 for none; what was known of another one is forgotten.
 */
void hf_remote_set_slot(struct hf_remote *remote, u64 incarnation);
/* serve_lock held: the link broke, whatever ops->down says later. */
void hf_remote_broken(struct hf_remote *remote, enum holdfast_down_reason reason);
/* serve_lock held: end of the lease from this slot, CLOCK_BOOTTIME ns. */
u64 hf_remote_lease_end(const struct hf_remote *remote);

#endif /* _HOLDFAST_REMOTE_H */
