// SPDX-License-Identifier: GPL-2.0
/*
 * The primary's other slots: opens and ends their links, keeps what each told
 * of itself (life, logged extents, own bits), and says whether a link may be
 * used. What is sent over a ready link is serve.c's, promote.c's and
 * rebuild.c's.
 *
 * Rules: R1 (term of a link), R3 (a life that is known is continued), R5
 * (lease), R10 (life, extents).
 * Locks: callbacks of a link take serve_lock alone, as link.h asks; what needs
 * conf_lock goes to control_work.
 */
#include "remote.h"

#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/netlink.h>
#include <linux/slab.h>

#include "disk.h"
#include "event.h"
#include "main.h"
#include "rebuild.h"
#include "volume.h"
#include "zero_core.h"

static void link_event(struct hf_remote *remote, struct hf_link *link)
{
	struct hf_event_facts facts = {
		.event		= HOLDFAST_EVENT_LINK,
		.slot_nr	= remote->nr,
		.life		= remote->life,
		.instance	= remote->disk->instance,
		.link_id	= hf_link_id(link),
		.down_reason	= hf_link_reason(link),
	};

	hf_event_send(remote->disk->vol, &facts);
}

u64 hf_remote_lease_end(const struct hf_remote *remote)
{
	u64 end = remote->lease_end_ns;

	lockdep_assert_held(&remote->disk->serve.serve_lock);
	if (remote->link && !remote->foreign &&
	    hf_link_term(remote->link) == remote->disk->serve.term)
		end = max(end, hf_link_lease_end(remote->link));
	return end;
}

void hf_remote_broken(struct hf_remote *remote, enum holdfast_down_reason reason)
{
	struct hf_disk *disk = remote->disk;

	lockdep_assert_held(&disk->serve.serve_lock);
	remote->missed = true;
	if (remote->link && !remote->down)
		hf_link_abort(remote->link, reason);
	if (!remote->ready)
		return;
	remote->ready = false;
	remote->mirror = false;
	hf_serve_update_remotes(disk);
	wake_up(&disk->wait);
}

/*
 * R5, R9: nothing of the former slot counts for this one, neither its lease nor
 * its confirmations nor the life that was whole. Its link is aborted here, and
 * closed by control_work or by the next link.
 */
void hf_remote_set_slot(struct hf_remote *remote, u64 incarnation)
{
	lockdep_assert_held(&remote->disk->serve.serve_lock);
	if (remote->incarnation == incarnation)
		return;
	hf_remote_broken(remote, HOLDFAST_DOWN_REMOVED);
	remote->incarnation = incarnation;
	remote->foreign = remote->link;
	remote->mirror = false;
	remote->unclean = false;
	remote->life = 0;
	remote->good_life = 0;
	remote->hello_epoch = 0;
	remote->adopted_epoch = 0;
	remote->lease_end_ns = 0;
	remote->nr_extents = 0;
	remote->nr_own_bits = 0;
	remote->link_id = 0;
	remote->down_reason = HOLDFAST_DOWN_NONE;
	memset(&remote->disk->serve.latency[remote->nr], 0, sizeof(struct hf_latency));
	hf_rebuild_forget(remote);
}

/* serve_lock held: what @link says is about the slot as it is. */
static bool is_present(const struct hf_remote *remote, const struct hf_link *link)
{
	return remote->link == link && !remote->foreign;
}

static void on_hello(struct hf_link *link)
{
	struct hf_remote *remote = hf_link_owner(link);
	const struct hf_link_facts *facts = hf_link_facts(link);
	struct hf_disk *disk = remote->disk;
	unsigned long flags;
	bool is_slot;
	u32 shift;

	spin_lock_irqsave(&disk->serve.serve_lock, flags);
	/* R3b: the very copy that the configuration has, whatever the slot believes. */
	is_slot = !remote->foreign && facts->incarnation == remote->incarnation;
	/* The first slot of the set tells a disk without a slot the geometry (R11). */
	if (is_slot && !disk->extent_shift && (disk->serve.in_sync_mask & BIT(remote->nr)))
		disk->extent_shift = facts->extent_shift;
	shift = disk->extent_shift;
	if (is_slot) {
		remote->life = facts->life;
		remote->unclean = facts->unclean;
		remote->log_entries = facts->log_entries;
		remote->nr_extents = 0;
		remote->nr_own_bits = 0;
	}
	spin_unlock_irqrestore(&disk->serve.serve_lock, flags);
	/* The account of room and the copy lists go by one geometry (R10). */
	if (!is_slot || facts->extent_shift != shift || facts->size_bytes != disk->size_bytes ||
	    !facts->log_entries ||
	    (disk->zero_max_bytes &&
	     facts->log_entries < hf_zero_log_entries(disk->zero_max_bytes, shift)))
		hf_link_abort(link, HOLDFAST_DOWN_REFUSED);
	link_event(remote, link);
}

static void on_extents(struct hf_link *link, const u32 *extents, unsigned int nr)
{
	struct hf_remote *remote = hf_link_owner(link);
	unsigned long flags;

	if (nr > HF_LOG_MAX_ENTRIES - remote->nr_extents) {
		hf_link_abort(link, HOLDFAST_DOWN_PROTOCOL);
		return;
	}
	spin_lock_irqsave(&remote->disk->serve.serve_lock, flags);
	memcpy(remote->extents + remote->nr_extents, extents, nr * sizeof(*extents));
	remote->nr_extents += nr;
	spin_unlock_irqrestore(&remote->disk->serve.serve_lock, flags);
}

/*
 * Only this link's worker writes the bits before ready, and they are read
 * after ready: no lock is needed for the content.
 */
static void on_own_bits(struct hf_link *link, u64 offset, const void *bits, unsigned int nr_bits)
{
	struct hf_remote *remote = hf_link_owner(link);
	unsigned int shift = hf_link_facts(link)->granule_shift;
	u64 total = DIV_ROUND_UP_ULL(remote->disk->size_bytes, 1ULL << shift);
	u64 first = offset >> shift;
	unsigned int i;

	if (first > total || nr_bits > total - first) {
		hf_link_abort(link, HOLDFAST_DOWN_PROTOCOL);
		return;
	}
	if (!remote->own_bits) {
		remote->own_bits = kvcalloc(BITS_TO_LONGS(total), sizeof(long), GFP_NOIO);
		if (!remote->own_bits) {
			hf_link_abort(link, HOLDFAST_DOWN_LOCAL);
			return;
		}
	} else if (!remote->nr_own_bits) {
		memset(remote->own_bits, 0, BITS_TO_LONGS(total) * sizeof(long));
	}
	remote->nr_own_bits = total;
	for (i = 0; i < nr_bits; i++)
		if (((const u8 *)bits)[i / 8] & (1 << (i % 8)))
			__set_bit(first + i, remote->own_bits);
}

/* serve_lock held: the link is ready and is this slot's present one. */
static void take_ready(struct hf_remote *remote, struct hf_ended *ended)
{
	struct hf_disk *disk = remote->disk;

	remote->ready = true;
	remote->missed = false;
	/* The slot adopted what the hello carried before it answered. */
	remote->adopted_epoch = max(remote->adopted_epoch, remote->hello_epoch);
	hf_serve_update_remotes(disk);
	/* R3: the same life goes on with all that it did not acknowledge. */
	hf_serve_judge_all(disk, ended);
	if (disk->serve.state == HOLDFAST_DISK_NAMED)
		hf_disk_queue(disk, &disk->promote_work);
	/* R16: another copy may free room. */
	if (disk->serve.state == HOLDFAST_DISK_ACTIVE)
		hf_disk_queue(disk, &disk->show_work);
	if (disk->serve.nr_ghosts)
		hf_disk_queue(disk, &disk->repair_work);
	if (disk->serve.own_failed && !disk->serve.settled)
		hf_disk_queue(disk, &disk->settle_work);
}

static void on_ready(struct hf_link *link)
{
	struct hf_remote *remote = hf_link_owner(link);
	struct hf_disk *disk = remote->disk;
	struct hf_ended ended;
	unsigned long flags;

	hf_serve_lock(disk, &ended, &flags);
	if (is_present(remote, link) && !remote->down && hf_link_term(link) == disk->serve.term)
		take_ready(remote, &ended);
	hf_serve_unlock(disk, &ended, flags);
	link_event(remote, link);
}

static void on_echo(struct hf_link *link)
{
	struct hf_remote *remote = hf_link_owner(link);
	struct hf_disk *disk = remote->disk;
	struct hf_ended ended;
	unsigned long flags;

	hf_serve_lock(disk, &ended, &flags);
	if (disk->serve.nr_stuck || !list_empty(&disk->serve.again))
		hf_serve_judge_all(disk, &ended);
	hf_serve_unlock(disk, &ended, flags);
}

static void on_adopted(struct hf_link *link, u64 epoch)
{
	struct hf_remote *remote = hf_link_owner(link);
	struct hf_disk *disk = remote->disk;
	struct hf_ended ended;
	unsigned long flags;

	hf_serve_lock(disk, &ended, &flags);
	if (is_present(remote, link) && hf_link_term(link) == disk->serve.term &&
	    epoch > remote->adopted_epoch) {
		remote->adopted_epoch = epoch;
		hf_serve_advance_stable(disk);
		hf_serve_start_room_waiters(disk);
	}
	hf_serve_unlock(disk, &ended, flags);
}

/* R1: a slot knows a newer epoch; adopting takes conf_lock, so a worker does it. */
static void on_conf(struct hf_link *link, const struct hf_wire_conf *conf)
{
	struct hf_remote *remote = hf_link_owner(link);
	struct hf_disk *disk = remote->disk;
	struct hf_wire_conf *copy = kmemdup(conf, sizeof(*conf), GFP_NOIO);
	unsigned long flags;

	if (!copy)
		return;
	spin_lock_irqsave(&disk->serve.serve_lock, flags);
	swap(remote->offered, copy);
	spin_unlock_irqrestore(&disk->serve.serve_lock, flags);
	kfree(copy);
	hf_disk_queue(disk, &disk->control_work);
}

static void on_down(struct hf_link *link, enum holdfast_down_reason reason)
{
	struct hf_remote *remote = hf_link_owner(link);
	struct hf_disk *disk = remote->disk;
	struct hf_ended ended;
	unsigned long flags;

	hf_serve_lock(disk, &ended, &flags);
	if (remote->link == link)
		remote->down = true;
	if (is_present(remote, link)) {
		remote->down_reason = reason;
		hf_remote_broken(remote, reason);
		hf_serve_judge_all(disk, &ended);
	}
	wake_up(&disk->wait);
	hf_serve_unlock(disk, &ended, flags);
	link_event(remote, link);
	hf_disk_queue(disk, &disk->control_work);
}

static const struct hf_link_ops link_ops = {
	.hello		= on_hello,
	.extents	= on_extents,
	.own_bits	= on_own_bits,
	.ready		= on_ready,
	.echo		= on_echo,
	.adopted	= on_adopted,
	.conf		= on_conf,
	.down		= on_down,
};

/*
 * Takes the link out of use, ends it and waits until every message on it has
 * had its done(). Process context, conf_lock held or the disk torn down.
 */
static void close_link(struct hf_remote *remote)
{
	struct hf_disk *disk = remote->disk;
	struct hf_ended ended;
	struct hf_link *link;
	unsigned long flags;

	hf_serve_lock(disk, &ended, &flags);
	link = remote->link;
	if (link && !remote->foreign) {
		/* R5: what it promised outlives the connection. */
		remote->lease_end_ns = hf_remote_lease_end(remote);
		hf_remote_broken(remote, HOLDFAST_DOWN_LOCAL);
		remote->down_reason = hf_link_reason(link);
	}
	remote->link = NULL;
	remote->foreign = false;
	if (link)
		hf_serve_judge_all(disk, &ended);
	hf_serve_unlock(disk, &ended, flags);
	if (link)
		hf_link_close(link);
}

static bool link_is_down(struct hf_remote *remote)
{
	unsigned long flags;
	bool down;

	spin_lock_irqsave(&remote->disk->serve.serve_lock, flags);
	down = remote->link && remote->down;
	spin_unlock_irqrestore(&remote->disk->serve.serve_lock, flags);
	return down;
}

static int check_link(struct hf_disk *disk, const struct hf_conf_data *conf, u8 nr, u64 term,
		      struct netlink_ext_ack *extack)
{
	if (conf->primary_node != disk->vol->node_id || conf->primary_instance != disk->instance) {
		NL_SET_ERR_MSG(extack, "the configuration does not name this disk's instance");
		return -EINVAL;
	}
	if (conf->term != term) {
		NL_SET_ERR_MSG(extack, "the link is of another term than the configuration");
		return -ESTALE;
	}
	if (nr == disk->own_nr || !(hf_conf_used_mask(conf) & BIT(nr))) {
		NL_SET_ERR_MSG(extack, "no other slot of the volume has this number");
		return -EINVAL;
	}
	return 0;
}

/* A link may be ready, or down, before hf_link_open() has returned it. */
static void link_opened(struct hf_remote *remote, struct hf_link *link)
{
	struct hf_disk *disk = remote->disk;
	struct hf_ended ended;
	unsigned long flags;

	hf_serve_lock(disk, &ended, &flags);
	remote->link = link;
	if (hf_link_state(link) == HOLDFAST_LINK_READY && !remote->ready)
		take_ready(remote, &ended);
	if (hf_link_state(link) == HOLDFAST_LINK_DOWN) {
		remote->down = true;
		hf_disk_queue(disk, &disk->control_work);
	}
	hf_serve_unlock(disk, &ended, flags);
}

int hf_remote_link(struct hf_disk *disk, u8 nr, u64 term, u64 link_id, int fd_control,
		   int fd_data, struct netlink_ext_ack *extack)
{
	struct hf_remote *remote = &disk->remotes[nr];
	struct hf_serve *serve = &disk->serve;
	const struct hf_conf *conf;
	enum holdfast_disk_state state;
	struct hf_link *link;
	unsigned long flags;
	int err;

	lockdep_assert_held(&disk->vol->conf_lock);
	conf = rcu_dereference_protected(disk->vol->conf, true);
	err = check_link(disk, &conf->data, nr, term, extack);
	if (err)
		return err;
	state = READ_ONCE(serve->state);
	if (state != HOLDFAST_DISK_NAMED && state != HOLDFAST_DISK_ACTIVE) {
		NL_SET_ERR_MSG(extack, "the disk is neither named nor active");
		return -EINVAL;
	}
	if (remote->link && remote->link_id == link_id)
		return 0;
	close_link(remote);
	spin_lock_irqsave(&serve->serve_lock, flags);
	remote->down = false;
	remote->down_reason = HOLDFAST_DOWN_NONE;
	remote->life = 0;
	remote->link_id = link_id;
	remote->hello_epoch = conf->data.epoch;
	spin_unlock_irqrestore(&serve->serve_lock, flags);
	link = hf_link_open(disk->vol, nr, term, link_id, fd_control, fd_data, conf, &link_ops,
			    hf_serve_tick, remote, extack);
	if (IS_ERR(link))
		return PTR_ERR(link);
	link_opened(remote, link);
	return 0;
}

void hf_remote_unlink(struct hf_disk *disk, u8 nr, u64 link_id)
{
	struct hf_remote *remote = &disk->remotes[nr];

	lockdep_assert_held(&disk->vol->conf_lock);
	if (remote->link && (!link_id || remote->link_id == link_id))
		hf_link_abort(remote->link, HOLDFAST_DOWN_LOCAL);
}

void hf_remote_abort_below(struct hf_disk *disk, u64 term, enum holdfast_down_reason reason)
{
	unsigned long flags;
	u8 nr;

	for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
		struct hf_remote *remote = &disk->remotes[nr];

		spin_lock_irqsave(&disk->serve.serve_lock, flags);
		if (remote->link && !remote->down && hf_link_term(remote->link) < term)
			hf_link_abort(remote->link, reason);
		spin_unlock_irqrestore(&disk->serve.serve_lock, flags);
	}
}

void hf_remote_reap(struct hf_disk *disk, bool all)
{
	u8 nr;

	for (nr = 0; nr < HF_MAX_SLOTS; nr++)
		if (all || link_is_down(&disk->remotes[nr]))
			close_link(&disk->remotes[nr]);
}

void hf_remote_send_conf(struct hf_disk *disk, const struct hf_conf *conf)
{
	u8 nr;

	lockdep_assert_held(&disk->vol->conf_lock);
	for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
		struct hf_link *link = disk->remotes[nr].link;

		if (link && hf_link_term(link) == conf->data.term)
			hf_link_send_conf(link, conf);
	}
}

int hf_remote_init(struct hf_disk *disk)
{
	u8 nr;

	for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
		struct hf_remote *remote = &disk->remotes[nr];

		remote->disk = disk;
		remote->nr = nr;
		remote->extents = kvcalloc(HF_LOG_MAX_ENTRIES, sizeof(u32), GFP_KERNEL);
		if (!remote->extents)
			return -ENOMEM;
	}
	return 0;
}

void hf_remote_free(struct hf_disk *disk)
{
	u8 nr;

	for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
		struct hf_remote *remote = &disk->remotes[nr];

		kvfree(remote->extents);
		kvfree(remote->own_bits);
		kfree(remote->offered);
		hf_rebuild_free(remote->rebuild);
	}
}
