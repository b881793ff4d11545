// SPDX-License-Identifier: GPL-2.0
/*
 * The slot's end of a link: judges the primary's hello, waits until the slot
 * may serve it, and begins and ends it.  What goes over the control connection
 * is replica_control.c's, writes and copies are replica_io.c's, the slot itself
 * is slot.c's, and which configuration is right is conf.c's.
 *
 * Rules: R1 (exactly the slot's term and the primary that its configuration
 * names; ready only when backing I/O of earlier links has ended), R3b (a
 * superblock of another incarnation is not linked), R4 (before activation only
 * the cited life), R5 (a promise is recorded before the answer that carries
 * it; no other primary is helped before it ran out).
 *
 * Locks: conf_lock guards the opening and the volume's links; link->state_lock
 * the phase and the stamp.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "replica.h"

#include <linux/netlink.h>
#include <linux/slab.h>

#include "event.h"
#include "main.h"
#include "replica_io.h"
#include "volume.h"

/* --------------------------------------------------------- small accessors */

void hf_replica_set_phase(struct hf_replica *replica, enum hf_replica_phase phase)
{
	unsigned long flags;

	spin_lock_irqsave(&replica->link->state_lock, flags);
	replica->phase = phase;
	spin_unlock_irqrestore(&replica->link->state_lock, flags);
}

enum hf_replica_phase hf_replica_phase(struct hf_replica *replica)
{
	enum hf_replica_phase phase;
	unsigned long flags;

	spin_lock_irqsave(&replica->link->state_lock, flags);
	phase = replica->phase;
	spin_unlock_irqrestore(&replica->link->state_lock, flags);
	return phase;
}

/* The epoch that goes into what this end sends. Any context. */
u64 hf_replica_epoch(struct hf_link *link)
{
	u64 epoch;

	rcu_read_lock();
	epoch = rcu_dereference(link->vol->conf)->data.epoch;
	rcu_read_unlock();
	return epoch;
}

/* The newest stamp received; what every answer echoes (R5). */
u64 hf_replica_stamp(struct hf_link *link)
{
	unsigned long flags;
	u64 stamp;

	spin_lock_irqsave(&link->state_lock, flags);
	stamp = link->stamp_newest;
	spin_unlock_irqrestore(&link->state_lock, flags);
	return stamp;
}

static void take_stamp(struct hf_replica *replica, u64 stamp)
{
	struct hf_link *link = replica->link;
	unsigned long flags;

	/* The promise first: an answer may carry the stamp from then on (R5). */
	hf_slot_promise(replica->slot, replica->primary_node, replica->primary_instance);
	spin_lock_irqsave(&link->state_lock, flags);
	link->stamp_newest = max(link->stamp_newest, stamp);
	spin_unlock_irqrestore(&link->state_lock, flags);
}

/* What every message of an accepted link carries: stamp and stable. */
void hf_replica_note(struct hf_link *link, const struct hf_wire_hdr *hdr)
{
	struct hf_replica *replica = link->replica;

	take_stamp(replica, le64_to_cpu(hdr->stamp));
	hf_slot_stable(replica->slot, link->term, le64_to_cpu(hdr->stable));
}

/* ----------------------------------------------------------------- opening */

/* Queue the setup work, with a reference on the link of its own. */
void hf_replica_want_setup(struct hf_replica *replica, unsigned int delay_ms)
{
	struct hf_link *link = hf_link_get(replica->link);

	/* It was queued already: then it has its reference. */
	if (mod_delayed_work(hf_link_wq, &replica->setup_work, msecs_to_jiffies(delay_ms)))
		hf_link_put(link);
}

/* The slot's last backing I/O ended; called by its wait queue, any context. */
static int on_drained(struct wait_queue_entry *entry, unsigned int mode, int sync, void *key)
{
	hf_replica_want_setup(container_of(entry, struct hf_replica, drained), 0);
	return 0;
}

/*
 * Is this primary to be served, in the words of enum hf_status. conf_lock
 * held; may adopt a newer epoch of the same term (R1).
 */
static u8 judge_hello(struct hf_replica *replica)
{
	struct hf_volume *vol = replica->link->vol;
	const struct hf_conf_data *hello = &replica->hello_conf;
	struct hf_slot *slot = vol->slot;
	const struct hf_conf_data *conf;

	lockdep_assert_held(&vol->conf_lock);
	conf = &rcu_dereference_protected(vol->conf, lockdep_is_held(&vol->conf_lock))->data;
	if (vol->dead || memcmp(hello->volume, conf->volume, sizeof(conf->volume)))
		return HF_ST_VOLUME;
	if (replica->hello_term || hello->term != conf->term || conf->term != replica->link->term)
		return HF_ST_TERM;
	if (!slot || !hf_slot_usable(slot))
		return HF_ST_DEVICE;
	if (hello->epoch > conf->epoch) {
		int error = hf_conf_adopt(vol, hello, true, NULL);

		if (error)
			return error == -EIO ? HF_ST_DEVICE : HF_ST_PRIMARY;
		conf = &rcu_dereference_protected(vol->conf,
						  lockdep_is_held(&vol->conf_lock))->data;
	}
	if (!conf->primary_node || hello->primary_node != conf->primary_node ||
	    hello->primary_instance != conf->primary_instance)
		return HF_ST_PRIMARY;
	if (hf_slot_nr(slot) != replica->link->slot_nr ||
	    !hf_conf_has_slot(conf, hf_slot_nr(slot), vol->node_id, hf_slot_incarnation(slot)))
		return HF_ST_INCARNATION;
	/* R4: what was decided about another life does not hold for this one. */
	if (!hf_conf_activated(conf) && (conf->in_sync_mask & BIT(hf_slot_nr(slot))) &&
	    conf->slots[hf_slot_nr(slot)].cited_life != hf_slot_life(slot))
		return HF_ST_LIFE;
	/* R10: what it lost comes back by R7, or after a drop by R9. */
	if (hf_conf_activated(conf) && hf_slot_owes(slot))
		return HF_ST_LIFE;
	if (conf->size_bytes != hf_slot_size_bytes(slot))
		return HF_ST_SIZE;
	/* R5: a reboot from here on owes a grace, and must know it. */
	if (hf_slot_open_promises(slot))
		return HF_ST_DEVICE;
	return HF_ST_OK;
}

static void accept_hello(struct hf_replica *replica)
{
	struct hf_slot *slot = replica->link->vol->slot;
	struct hf_wire_hello_ack *ack = &replica->ack;
	struct hf_link *link = replica->link;

	replica->slot = hf_slot_get(slot);
	replica->primary_node = replica->hello_conf.primary_node;
	replica->primary_instance = replica->hello_conf.primary_instance;
	WRITE_ONCE(link->data_crc, !(replica->hello_conf.policies & HF_POLICY_NO_DATA_CRC));
	link->expect.granule_shift = hf_slot_granule_shift(slot);
	link->expect.volume_bytes = hf_slot_size_bytes(slot);
	ack->life = cpu_to_le64(hf_slot_life(slot));
	ack->incarnation = cpu_to_le64(hf_slot_incarnation(slot));
	ack->size_bytes = cpu_to_le64(hf_slot_size_bytes(slot));
	ack->log_entries = cpu_to_le32(hf_slot_log_entries(slot));
	ack->extent_shift = cpu_to_le32(hf_slot_extent_shift(slot));
	ack->granule_shift = cpu_to_le32(hf_slot_granule_shift(slot));
	ack->unmap_bytes = cpu_to_le32(hf_slot_unmap_bytes(slot));
	ack->flags = cpu_to_le32(hf_slot_unclean(slot) ? HF_HELLO_UNCLEAN : 0);
	ack->wait_ms = cpu_to_le32(hf_slot_promise_left(slot, replica->primary_node,
							replica->primary_instance));
	take_stamp(replica, replica->hello_stamp);
}

static void stop_waiting(struct hf_replica *replica)
{
	if (replica->waiting)
		hf_slot_drain_unwait(replica->slot, &replica->drained);
	replica->waiting = false;
}

/* Ends the volume's link in @place and takes it out of there. conf_lock held. */
static void stop_link(struct hf_link **place, enum holdfast_down_reason reason)
{
	struct hf_link *link = *place;

	if (!link)
		return;
	hf_link_stop(link, reason);
	stop_waiting(link->replica);
	*place = NULL;
	hf_link_put(link);
}

/* One of the volume's links, and not down. conf_lock held. */
static bool is_present(const struct hf_volume *vol, const struct hf_link *link)
{
	return link && (vol->server_link == link || vol->next_link == link) &&
	       hf_link_state(link) != HOLDFAST_LINK_DOWN;
}

/*
 * R1: a link with the right hello replaces the older one of the same primary,
 * which is stopped before anything of the new one is waited for.
 */
static void take_place(struct hf_volume *vol, struct hf_link *link)
{
	lockdep_assert_held(&vol->conf_lock);
	if (vol->next_link != link)
		return;
	stop_link(&vol->server_link, HOLDFAST_DOWN_LOCAL);
	vol->server_link = link;
	vol->next_link = NULL;
}

static void answer_hello(struct hf_replica *replica)
{
	replica->status = judge_hello(replica);
	/* It ended meanwhile: then it replaces nothing. */
	if (hf_link_state(replica->link) == HOLDFAST_LINK_DOWN)
		return;
	replica->link->expect.version = replica->hello_version;
	if (replica->status == HF_ST_OK) {
		take_place(replica->link->vol, replica->link);
		accept_hello(replica);
		hf_link_set_state(replica->link, HOLDFAST_LINK_WAITING);
		hf_replica_set_phase(replica, HF_REPLICA_DRAIN);
	} else {
		hf_replica_set_phase(replica, HF_REPLICA_REFUSED);
	}
	hf_link_want(replica->link, HF_PENDING_HELLO_ACK);
}

/*
 * R1: nothing that was submitted for an earlier link may still land. R5: no
 * promise to another primary may be open. Comes back until both hold.
 */
static bool may_be_ready(struct hf_replica *replica)
{
	unsigned int left_ms;

	if (!replica->waiting) {
		/* In the queue first, so that an end between here and there is seen. */
		hf_slot_drain_wait(replica->slot, &replica->drained);
		replica->waiting = true;
	}
	if (hf_slot_busy(replica->slot))
		return false;
	left_ms = hf_slot_promise_left(replica->slot, replica->primary_node,
				       replica->primary_instance);
	if (left_ms) {
		hf_replica_want_setup(replica, left_ms);
		return false;
	}
	return true;
}

static void begin_report(struct hf_replica *replica)
{
	if (!may_be_ready(replica))
		return;
	stop_waiting(replica);
	replica->extents = kmalloc_array(HF_LOG_MAX_ENTRIES, sizeof(*replica->extents),
					 GFP_KERNEL);
	if (!replica->extents) {
		hf_link_abort(replica->link, HOLDFAST_DOWN_LOCAL);
		return;
	}
	replica->all_extents = hf_slot_all_logged(replica->slot);
	replica->nr_extents = replica->all_extents ? hf_slot_nr_extents(replica->slot) :
			      hf_slot_logged(replica->slot, replica->extents, HF_LOG_MAX_ENTRIES);
	hf_replica_set_phase(replica, HF_REPLICA_REPORT);
	hf_link_want(replica->link, HF_PENDING_REPORT);
}

static void setup_work(struct work_struct *work)
{
	struct hf_replica *replica = container_of(to_delayed_work(work), struct hf_replica,
						  setup_work);
	struct hf_link *link = replica->link;
	struct hf_volume *vol = link->vol;
	bool opened = false;

	hf_volume_lock(vol);
	if (is_present(vol, link)) {
		if (hf_replica_phase(replica) == HF_REPLICA_CHECK) {
			answer_hello(replica);
			opened = true;
		}
		if (hf_replica_phase(replica) == HF_REPLICA_DRAIN)
			begin_report(replica);
	}
	hf_volume_unlock(vol);
	if (opened)
		hf_event(vol, HOLDFAST_EVENT_LINK, link->slot_nr);
	hf_link_put(link);
}

/* -------------------------------------------------------------------- life */

/* Every beacon period. A failed slot has nothing to say on a link (R3). */
void hf_replica_tick(struct hf_link *link, u64 now)
{
	struct hf_replica *replica = link->replica;

	if (hf_replica_phase(replica) >= HF_REPLICA_DRAIN && !hf_slot_usable(replica->slot)) {
		/* One period for the answers that say so. */
		if (replica->failure_seen)
			hf_link_abort(link, HOLDFAST_DOWN_DEVICE);
		replica->failure_seen = true;
	}
	/* Room may have come back without a request of this link's being freed. */
	hf_replica_io_unstall(replica);
}

/*
 * The link is stopped; runs again for answers that came late. Must not wait
 * for the setup and offer works, which may wait for conf_lock.
 */
void hf_replica_stopped(struct hf_link *link)
{
	struct hf_replica *replica = link->replica;

	hf_replica_io_stopped(link);
	if (cancel_delayed_work(&replica->setup_work))
		hf_link_put(link);
	hf_event(link->vol, HOLDFAST_EVENT_LINK, link->slot_nr);
}

void hf_replica_free(struct hf_link *link)
{
	struct hf_replica *replica = link->replica;

	if (!replica)
		return;
	stop_waiting(replica);
	if (replica->slot)
		hf_slot_put(replica->slot);
	kfree(replica->extents);
	hf_replica_io_destroy(replica);
	kfree(replica);
}

static int alloc_replica(struct hf_link *link)
{
	struct hf_replica *replica = kzalloc(sizeof(*replica), GFP_KERNEL);

	if (!replica)
		return -ENOMEM;
	replica->link = link;
	INIT_DELAYED_WORK(&replica->setup_work, setup_work);
	INIT_WORK(&replica->offer_work, hf_replica_offer_work);
	init_waitqueue_func_entry(&replica->drained, on_drained);
	link->replica = replica;
	return hf_replica_io_init(replica);
}

/* Is a link at @term to be served here at all? The rest is hello's matter. */
static int check_serve(struct hf_volume *vol, u64 term, struct netlink_ext_ack *extack)
{
	const struct hf_conf *conf;

	conf = rcu_dereference_protected(vol->conf, lockdep_is_held(&vol->conf_lock));
	if (!conf || !vol->slot) {
		NL_SET_ERR_MSG(extack, "The volume has no slot here");
		return -ENODEV;
	}
	if (conf->data.term != term) {
		NL_SET_ERR_MSG(extack, "The link is of another term than the volume");
		return -ESTALE;
	}
	if (conf->data.primary_node == vol->node_id) {
		NL_SET_ERR_MSG(extack, "This node is the primary itself");
		return -EINVAL;
	}
	return 0;
}

static bool has_link(const struct hf_volume *vol, u64 link_id)
{
	return (is_present(vol, vol->server_link) && vol->server_link->id == link_id) ||
	       (is_present(vol, vol->next_link) && vol->next_link->id == link_id);
}

int hf_link_serve(struct hf_volume *vol, u64 term, u64 link_id, int fd_control, int fd_data,
		  struct netlink_ext_ack *extack)
{
	struct hf_link *link;
	int error;

	lockdep_assert_held(&vol->conf_lock);
	error = check_serve(vol, term, extack);
	if (error)
		return error;
	if (fd_control == fd_data) {
		NL_SET_ERR_MSG(extack, "The control and the data connection must be two sockets");
		return -EINVAL;
	}
	if (has_link(vol, link_id))
		return 0;
	link = hf_link_alloc(vol, HOLDFAST_ROLE_SLOT, term, link_id, hf_slot_nr(vol->slot));
	if (!link)
		return -ENOMEM;
	error = alloc_replica(link);
	if (!error) {
		link->expect.volume_bytes = hf_slot_size_bytes(vol->slot);
		error = hf_link_adopt_sockets(link, fd_control, fd_data, &hf_replica_control_ops,
					      &hf_replica_data_ops, extack);
	}
	if (error) {
		hf_link_put(link);
		return error;
	}
	/* One that is up gives way to a right hello alone. */
	stop_link(&vol->next_link, HOLDFAST_DOWN_LOCAL);
	if (is_present(vol, vol->server_link)) {
		vol->next_link = link;
	} else {
		stop_link(&vol->server_link, HOLDFAST_DOWN_LOCAL);
		vol->server_link = link;
	}
	hf_link_start(link);
	return 0;
}

void hf_replica_stop(struct hf_volume *vol, enum holdfast_down_reason reason)
{
	lockdep_assert_held(&vol->conf_lock);
	stop_link(&vol->next_link, reason);
	stop_link(&vol->server_link, reason);
}

void hf_replica_unlink(struct hf_volume *vol, u64 link_id)
{
	struct hf_link *links[] = { vol->server_link, vol->next_link };
	unsigned int i;

	lockdep_assert_held(&vol->conf_lock);
	for (i = 0; i < ARRAY_SIZE(links); i++)
		if (links[i] && (!link_id || links[i]->id == link_id))
			hf_link_abort(links[i], HOLDFAST_DOWN_LOCAL);
}

void hf_replica_adopted(struct hf_volume *vol, const struct hf_conf *conf, bool from_link)
{
	struct hf_link *link = vol->server_link;
	unsigned long flags;

	lockdep_assert_held(&vol->conf_lock);
	if (!link || conf->data.term != link->term)
		return;
	/* R3b: another copy is meant, or none. A hello that told so gets its answer. */
	if (hf_replica_phase(link->replica) >= HF_REPLICA_DRAIN && vol->slot &&
	    !hf_conf_has_slot(&conf->data, hf_slot_nr(vol->slot), vol->node_id,
			      hf_slot_incarnation(vol->slot)))
		hf_link_abort(link, HOLDFAST_DOWN_REMOVED);
	if (from_link)
		return;
	spin_lock_irqsave(&link->state_lock, flags);
	hf_conf_encode(&conf->data, &link->conf);
	spin_unlock_irqrestore(&link->state_lock, flags);
	hf_link_want(link, HF_PENDING_CONF);
}

bool hf_replica_info(struct hf_volume *vol, struct hf_replica_info *info)
{
	struct hf_link *link = vol->server_link;

	lockdep_assert_held(&vol->conf_lock);
	if (!link)
		return false;
	info->state = hf_link_state(link);
	info->reason = hf_link_reason(link);
	info->link_id = link->id;
	info->term = link->term;
	info->holding_ms = info->state == HOLDFAST_LINK_READY ?
			   READ_ONCE(link->replica->holding_ms) : 0;
	return true;
}
