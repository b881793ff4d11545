// SPDX-License-Identifier: GPL-2.0
/*
 * Adoption of a configuration: the one function that changes vol->conf. It
 * judges the offer, stops what the offer ends, makes the local slot persist
 * it, publishes it, and then lets the disk and the links go by it.
 *
 * Rules: R1 (persisted before acted on, links of lower terms closed first, the
 * instance must be named), R4 (cited life), R6 (deposition).
 * Locks: conf_lock of the volume; readers of vol->conf use RCU.
 */
#include "conf.h"

#include <linux/netlink.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "disk.h"
#include "event.h"
#include "replica.h"
#include "slot.h"
#include "trace.h"
#include "volume.h"

static int refuse(struct netlink_ext_ack *extack, const char *why, int err)
{
	if (extack)
		extack->_msg = why;
	return err;
}

static int check_release_limits(const struct hf_conf_data *have, const struct hf_conf_data *offer,
				struct netlink_ext_ack *extack)
{
	if (have && have->size_bytes != offer->size_bytes)
		return refuse(extack, "changing the size of a volume is not supported",
			      -EOPNOTSUPP);
	if (have && have->vdisk != offer->vdisk)
		return refuse(extack, "the number of the disk cannot change", -EINVAL);
	if (offer->vdisk > HF_DISK_VDISK_MAX)
		return refuse(extack, "the number of the disk is too high", -EINVAL);
	if (offer->policies & HF_POLICY_READS_CONFIRMED)
		return refuse(extack, "confirmed reads are not supported", -EOPNOTSUPP);
	if (offer->policies & HF_POLICY_PRIVATE_COPY)
		return refuse(extack, "private copies are not supported", -EOPNOTSUPP);
	return 0;
}

static int judge(struct hf_volume *vol, const struct hf_conf_data *have,
		 const struct hf_conf_data *offer, bool from_link, struct netlink_ext_ack *extack)
{
	const char *why = "the configuration is refused";
	int err;

	if (memcmp(offer->volume, &vol->uuid, sizeof(offer->volume)))
		return refuse(extack, "the configuration is of another volume", -EINVAL);
	switch (hf_conf_compare(have, offer, from_link, &why)) {
	case HF_CONF_SAME:
		return -EALREADY;
	case HF_CONF_STALE:
		return refuse(extack, why, -ESTALE);
	case HF_CONF_CONFLICT:
		return refuse(extack, why, -EINVAL);
	case HF_CONF_NEWER:
		break;
	}
	err = check_release_limits(have, offer, extack);
	if (!err && vol->disk)
		err = hf_disk_check_conf(vol->disk, offer, extack);
	return err;
}

/* R1: everything of a lower term ends before the higher one is persisted. */
static void end_lower_term(struct hf_volume *vol, const struct hf_conf_data *have,
			   const struct hf_conf_data *offer)
{
	if (have && offer->term <= have->term)
		return;
	if (vol->disk)
		hf_remote_abort_below(vol->disk, offer->term, HOLDFAST_DOWN_TERM);
	hf_replica_stop(vol, HOLDFAST_DOWN_TERM);
}

int hf_conf_adopt(struct hf_volume *vol, const struct hf_conf_data *offer, bool from_link,
		  struct netlink_ext_ack *extack)
{
	struct hf_conf *have, *conf;
	int err;

	lockdep_assert_held(&vol->conf_lock);
	have = rcu_dereference_protected(vol->conf, lockdep_is_held(&vol->conf_lock));
	err = judge(vol, have ? &have->data : NULL, offer, from_link, extack);
	if (err)
		return err == -EALREADY ? 0 : err;

	conf = kzalloc(sizeof(*conf), GFP_KERNEL);
	if (!conf)
		return -ENOMEM;
	conf->data = *offer;
	if (vol->disk)
		hf_disk_before_conf(vol->disk, offer);
	end_lower_term(vol, have ? &have->data : NULL, offer);
	if (vol->slot && hf_slot_usable(vol->slot)) {
		err = hf_slot_adopt(vol->slot, have, conf);
		/* A failed slot acts on nothing any more: the rest of the node must go on. */
		if (err && hf_slot_usable(vol->slot)) {
			refuse(extack, "the local slot could not adopt the configuration", err);
			kfree(conf);
			return err;
		}
	}
	rcu_assign_pointer(vol->conf, conf);
	trace_hf_adopt(vol, offer->term, offer->epoch, offer->in_sync_mask, from_link);
	if (vol->disk)
		hf_disk_after_conf(vol->disk, conf);
	hf_replica_adopted(vol, conf, from_link);
	hf_event(vol, HOLDFAST_EVENT_CONF, HF_EVENT_NO_SLOT);
	if (have)
		kfree_rcu(have, rcu);
	return 0;
}
