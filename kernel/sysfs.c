// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/block/vdN/holdfast/: what a disk is and does, one value or one table a
 * file, as Documentation/ABI/testing/sysfs-block-holdfast has it. It reads only,
 * never the disk itself, whose I/O may be held, and waits for nothing but the
 * spinlocks of the data path, each for the copying of a few numbers.
 *
 * In a group of its own, since a "serial" beside the block layer's attributes is
 * taken for that of a virtio disk. The attributes are gone, and nobody is in
 * them, before del_gendisk() returns, hence before the disk object.
 *
 * Locks: serve_lock; the slot's log_lock inside of its own functions; RCU for
 * the configuration.
 */
#include "sysfs.h"

#include <linux/blkdev.h>
#include <linux/device.h>

#include "disk.h"
#include "main.h"
#include "names.h"
#include "rebuild.h"
#include "volume.h"

static struct hf_disk *disk_of(struct device *dev)
{
	return dev_to_disk(dev)->private_data;
}

/* ---------------------------------------------------------------- one value */

static ssize_t uuid_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%16phN\n", &disk_of(dev)->vol->uuid);
}
static DEVICE_ATTR_RO(uuid);

static ssize_t openers_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(disk_of(dev)->openers));
}
static DEVICE_ATTR_RO(openers);

static ssize_t instance_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%016llx\n", disk_of(dev)->instance);
}
static DEVICE_ATTR_RO(instance);

static ssize_t state_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", hf_disk_state_name(READ_ONCE(disk_of(dev)->serve.state)));
}
static DEVICE_ATTR_RO(state);

static ssize_t emit_u64(struct hf_disk *disk, const u64 *at, char *buf)
{
	unsigned long flags;
	u64 value;

	spin_lock_irqsave(&disk->serve.serve_lock, flags);
	value = *at;
	spin_unlock_irqrestore(&disk->serve.serve_lock, flags);
	return sysfs_emit(buf, "%llu\n", value);
}

static ssize_t term_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return emit_u64(disk_of(dev), &disk_of(dev)->serve.term, buf);
}
static DEVICE_ATTR_RO(term);

static ssize_t epoch_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return emit_u64(disk_of(dev), &disk_of(dev)->serve.epoch, buf);
}
static DEVICE_ATTR_RO(epoch);

static ssize_t seq_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return emit_u64(disk_of(dev), &disk_of(dev)->serve.seq, buf);
}
static DEVICE_ATTR_RO(seq);

static ssize_t stable_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return emit_u64(disk_of(dev), &disk_of(dev)->serve.stable, buf);
}
static DEVICE_ATTR_RO(stable);

static ssize_t in_flight_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(disk_of(dev)->serve.nr_reqs));
}
static DEVICE_ATTR_RO(in_flight);

static ssize_t held_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct hf_disk *disk = disk_of(dev);
	unsigned long flags;
	unsigned int held;

	spin_lock_irqsave(&disk->serve.serve_lock, flags);
	held = disk->serve.hold_since_ns ? disk->serve.nr_reqs : 0;
	spin_unlock_irqrestore(&disk->serve.serve_lock, flags);
	return sysfs_emit(buf, "%u\n", held);
}
static DEVICE_ATTR_RO(held);

static ssize_t holding_ms_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct hf_disk *disk = disk_of(dev);
	u64 now = hf_boottime_ns(), since;
	unsigned long flags;

	spin_lock_irqsave(&disk->serve.serve_lock, flags);
	since = disk->serve.hold_since_ns;
	spin_unlock_irqrestore(&disk->serve.serve_lock, flags);
	/* Holding for less than a millisecond is holding. */
	return sysfs_emit(buf, "%llu\n", !since ? 0 : now <= since ? 1 :
			  max_t(u64, 1, div_u64(now - since, NSEC_PER_MSEC)));
}
static DEVICE_ATTR_RO(holding_ms);

/* ---------------------------------------------- tables, one line for a slot */

/* One slot of the configuration in force, copied under serve_lock. */
struct slot_row {
	bool				used;
	bool				own;
	bool				lost;
	const char			*set;
	enum holdfast_link_state	link;
	enum holdfast_down_reason	reason;
	enum holdfast_rebuild_state	rebuild;
	u64				done_bytes, total_bytes;
	struct hf_latency		latency;
};

static void get_row(struct hf_disk *disk, u8 nr, struct slot_row *row)
{
	struct hf_remote *remote = &disk->remotes[nr];
	struct hf_serve *serve = &disk->serve;
	const struct hf_link *link;
	unsigned long flags;

	memset(row, 0, sizeof(*row));
	spin_lock_irqsave(&serve->serve_lock, flags);
	row->own = nr == disk->own_nr;
	row->used = (serve->used_mask & BIT(nr)) || row->own;
	row->set = serve->in_sync_mask & BIT(nr) ? "in-sync" :
		   serve->counted_mask & BIT(nr) ? "counted" : "out";
	row->latency = serve->latency[nr];
	if (!row->own) {
		link = remote->foreign ? NULL : remote->link;
		row->link = link ? hf_link_state(link) :
			    remote->link_id ? HOLDFAST_LINK_DOWN : HOLDFAST_LINK_NONE;
		row->reason = link ? hf_link_reason(link) : remote->down_reason;
		row->lost = remote->lost;
		hf_rebuild_report(remote->rebuild, &row->rebuild, &row->total_bytes,
				  &row->done_bytes);
	}
	spin_unlock_irqrestore(&serve->serve_lock, flags);
}

static u32 node_of(struct hf_volume *vol, u8 nr)
{
	const struct hf_conf *conf;
	u32 node;

	rcu_read_lock();
	conf = rcu_dereference(vol->conf);
	node = conf ? conf->data.slots[nr].node : 0;
	rcu_read_unlock();
	return node;
}

static ssize_t slots_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct hf_disk *disk = disk_of(dev);
	struct slot_row row;
	int length;
	u8 nr;

	length = sysfs_emit(buf, "slot node set place state reason lost\n");
	for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
		get_row(disk, nr, &row);
		if (!row.used)
			continue;
		length += sysfs_emit_at(buf, length, "%u %08x %s %s %s %s %u\n", nr,
					node_of(disk->vol, nr), row.set,
					row.own ? "own" : "remote",
					row.own ? hf_slot_state_name(hf_slot_state(disk->slot)) :
						  hf_link_state_name(row.link),
					hf_down_reason_name(row.reason), row.lost);
	}
	return length;
}
static DEVICE_ATTR_RO(slots);

static ssize_t out_of_sync_bytes_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct hf_disk *disk = disk_of(dev);
	struct slot_row row;
	int length;
	u8 nr;

	length = sysfs_emit(buf, "slot bytes\n");
	for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
		get_row(disk, nr, &row);
		/* Without an own slot the marks are where the copies are (R11). */
		if (row.used && hf_serve_has_own(disk))
			length += sysfs_emit_at(buf, length, "%u %llu\n", nr,
						hf_slot_dirty_bytes(disk->slot, nr));
	}
	return length;
}
static DEVICE_ATTR_RO(out_of_sync_bytes);

static ssize_t rebuild_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct hf_disk *disk = disk_of(dev);
	struct slot_row row;
	int length;
	u8 nr;

	length = sysfs_emit(buf, "slot state done_bytes total_bytes\n");
	for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
		get_row(disk, nr, &row);
		if (row.used && !row.own)
			length += sysfs_emit_at(buf, length, "%u %s %llu %llu\n", nr,
						hf_rebuild_state_name(row.rebuild),
						row.done_bytes, row.total_bytes);
	}
	return length;
}
static DEVICE_ATTR_RO(rebuild);

static ssize_t write_latency_us_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct hf_disk *disk = disk_of(dev);
	struct slot_row row;
	unsigned int i;
	int length;
	u8 nr;

	length = sysfs_emit(buf, "slot");
	for (i = 0; i < HF_LATENCY_BUCKETS - 1; i++)
		length += sysfs_emit_at(buf, length, " %llu", hf_latency_below_us(i));
	length += sysfs_emit_at(buf, length, " inf\n");
	for (nr = 0; nr < HF_MAX_SLOTS; nr++) {
		get_row(disk, nr, &row);
		if (!row.used)
			continue;
		length += sysfs_emit_at(buf, length, "%u", nr);
		for (i = 0; i < HF_LATENCY_BUCKETS; i++)
			length += sysfs_emit_at(buf, length, " %llu", row.latency.counts[i]);
		length += sysfs_emit_at(buf, length, "\n");
	}
	return length;
}
static DEVICE_ATTR_RO(write_latency_us);

static struct attribute *attrs[] = {
	&dev_attr_uuid.attr,
	&dev_attr_openers.attr,
	&dev_attr_instance.attr,
	&dev_attr_state.attr,
	&dev_attr_term.attr,
	&dev_attr_epoch.attr,
	&dev_attr_seq.attr,
	&dev_attr_stable.attr,
	&dev_attr_in_flight.attr,
	&dev_attr_held.attr,
	&dev_attr_holding_ms.attr,
	&dev_attr_slots.attr,
	&dev_attr_out_of_sync_bytes.attr,
	&dev_attr_rebuild.attr,
	&dev_attr_write_latency_us.attr,
	NULL,
};

static const struct attribute_group group = {
	.name	= "holdfast",
	.attrs	= attrs,
};

const struct attribute_group *hf_sysfs_groups[] = {
	&group,
	NULL,
};
