// SPDX-License-Identifier: GPL-2.0
/*
 * What the objects of a volume are doing now, in debugfs. Everything that lives
 * is shown, also what the volume has let go already: a disk whose last request is
 * still at a device that hangs, a link on its way down.
 *
 * A reader takes no conf_lock, since that may be held while a device hangs, and
 * no lock for longer than one line takes; between two lines it holds a
 * reference on the object. It is inside of debugfs_file_get() while it makes its
 * text, and not while the text is copied to a user's memory: so removal waits
 * for no user.
 *
 * Locks: objects_lock of the volume for its lists; serve_lock, log_lock,
 * state_lock and queue_lock, one line each.
 */
#include "debugfs.h"

#include <linux/debugfs.h>
#include <linux/sched/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "disk.h"
#include "link_impl.h"
#include "main.h"
#include "names.h"
#include "slot_impl.h"
#include "trace.h"
#include "volume.h"
#include "waits.h"

enum {
	HF_DEBUGFS_BYTES	= 32 << 10,	/* of text, before it is made again in more room */
	HF_DEBUGFS_IOS		= 128,		/* of one slot, the oldest of each stage */
};

static struct dentry *root;	/* const while the module is loaded */

static u64 ms_between(u64 from_ns, u64 to_ns)
{
	return to_ns > from_ns ? div_u64(to_ns - from_ns, NSEC_PER_MSEC) : 0;
}

/* ----------------------------------------------- the living, one by one */

/*
 * The next on @list after @prev (NULL: the first) that can still be had, with a
 * reference. An object leaves its list when its last reference is gone, so @prev,
 * which the caller has one on, is still in it.
 */
static struct list_head *next_get(struct hf_volume *vol, struct list_head *list,
				  struct list_head *prev, bool (*try_get)(struct list_head *entry))
{
	struct list_head *entry = prev ? prev : list;
	unsigned long flags;

	spin_lock_irqsave(&vol->objects_lock, flags);
	do {
		entry = entry->next;
	} while (entry != list && !try_get(entry));
	spin_unlock_irqrestore(&vol->objects_lock, flags);
	return entry != list ? entry : NULL;
}

static bool try_get_disk(struct list_head *entry)
{
	return kref_get_unless_zero(&list_entry(entry, struct hf_disk, vol_entry)->refs);
}

static bool try_get_slot(struct list_head *entry)
{
	return kref_get_unless_zero(&list_entry(entry, struct hf_slot, vol_entry)->refs);
}

static bool try_get_link(struct list_head *entry)
{
	return kref_get_unless_zero(&list_entry(entry, struct hf_link, vol_entry)->refs);
}

/* ---------------------------------------------------------------- requests */

static const char *kind_name(enum hf_req_kind kind)
{
	static const struct trace_print_flags names[] = {
		HF_REQ_KINDS(HF_TRACE_WORD, HF_TRACE_LAST)
	};

	return hf_name_of(names, ARRAY_SIZE(names), kind);
}

static void show_request(struct seq_file *m, struct hf_disk *disk, struct hf_req *req)
{
	char waits[HF_WAITS_BYTES];
	const char *kind = "";
	unsigned long flags;
	u64 since = 0, seq = 0, offset = 0;
	bool ghost = false, shown;
	u32 length = 0;

	spin_lock_irqsave(&disk->serve.serve_lock, flags);
	shown = req->state != HF_REQ_FREE;
	if (shown) {
		kind = kind_name(req->kind);
		ghost = req->state == HF_REQ_GHOST;
		since = req->arrived_ns;
		seq = req->seq;
		offset = req->offset;
		length = req->length;
		hf_waits_text(disk, req, waits);
	}
	spin_unlock_irqrestore(&disk->serve.serve_lock, flags);
	if (shown)
		seq_printf(m, "vd%u %016llx %s%s seq %llu %llu+%u age %llu ms waits for %s\n",
			   disk->vdisk, disk->instance, ghost ? "failed " : "", kind, seq, offset,
			   length, ms_between(since, hf_boottime_ns()), waits);
}

static void show_requests(struct seq_file *m, struct hf_volume *vol)
{
	struct list_head *entry = next_get(vol, &vol->disks, NULL, try_get_disk);
	struct hf_disk *disk;
	unsigned int i;

	while (entry) {
		disk = list_entry(entry, struct hf_disk, vol_entry);
		for (i = 0; i < HF_DISK_DEPTH + HF_DISK_GHOSTS; i++)
			show_request(m, disk, &disk->serve.pool[i]);
		entry = next_get(vol, &vol->disks, entry, try_get_disk);
		hf_disk_put(disk);
	}
}

/* ------------------------------------------------------------ local slots */

/* One I/O of a slot, copied under log_lock. */
struct io_line {
	enum hf_slot_op	op;
	u8		stage;
	u64		seq;
	u64		offset;
	u32		length;
	u64		entered_ns;
};

static unsigned int copy_ios(const struct list_head *list, struct io_line *lines, unsigned int max)
{
	const struct hf_slot_io *io;
	unsigned int nr = 0;

	list_for_each_entry(io, list, entry) {
		if (nr == max)
			break;
		lines[nr].op = io->op;
		lines[nr].stage = io->stage;
		lines[nr].seq = io->seq;
		lines[nr].offset = io->offset;
		lines[nr].length = io->length;
		lines[nr++].entered_ns = io->entered_ns;
	}
	return nr;
}

static const char *op_name(enum hf_slot_op op)
{
	static const struct trace_print_flags names[] = {
		HF_SLOT_OPS(HF_TRACE_WORD, HF_TRACE_LAST)
	};

	return hf_name_of(names, ARRAY_SIZE(names), op);
}

static void show_slot(struct seq_file *m, struct hf_slot *slot, struct io_line *lines)
{
	struct list_head *lists[] = {
		&slot->in_flight, &slot->to_submit, &slot->logging, &slot->roomless
	};
	unsigned int nr, i, j, busy;
	unsigned long flags;
	bool cleaning;
	u64 now;

	spin_lock_irqsave(&slot->log_lock, flags);
	busy = slot->nr_busy;
	cleaning = slot->cleaning;
	spin_unlock_irqrestore(&slot->log_lock, flags);
	seq_printf(m, "slot %u life %016llx %s error %d busy %u log %u of %u%s\n", slot->nr,
		   slot->life, hf_slot_state_name(hf_slot_state(slot)), hf_slot_error(slot), busy,
		   hf_slot_log_used(slot), hf_slot_log_entries(slot),
		   cleaning ? ", flushing to empty it" : "");
	for (i = 0; i < ARRAY_SIZE(lists); i++) {
		spin_lock_irqsave(&slot->log_lock, flags);
		nr = copy_ios(lists[i], lines, HF_DEBUGFS_IOS / ARRAY_SIZE(lists));
		spin_unlock_irqrestore(&slot->log_lock, flags);
		now = hf_boottime_ns();
		for (j = 0; j < nr; j++)
			seq_printf(m, "slot %u %s seq %llu %llu+%u age %llu ms waits for %s\n",
				   slot->nr, op_name(lines[j].op), lines[j].seq, lines[j].offset,
				   lines[j].length, ms_between(lines[j].entered_ns, now),
				   hf_waits_stage(lines[j].stage));
	}
}

static void show_slots(struct seq_file *m, struct hf_volume *vol)
{
	struct io_line *lines = kmalloc_array(HF_DEBUGFS_IOS, sizeof(*lines), GFP_KERNEL);
	struct list_head *entry;
	struct hf_slot *slot;

	if (!lines)
		return;
	entry = next_get(vol, &vol->slots, NULL, try_get_slot);
	while (entry) {
		slot = list_entry(entry, struct hf_slot, vol_entry);
		if (hf_slot_state(slot) != HOLDFAST_SLOT_NONE)
			show_slot(m, slot, lines);
		entry = next_get(vol, &vol->slots, entry, try_get_slot);
		hf_slot_put(slot);
	}
	kfree(lines);
}

/* ------------------------------------------------------------------ links */

/* A link's state, copied under its locks. */
struct link_line {
	enum holdfast_link_state	state;
	enum holdfast_down_reason	reason;
	u64				heard_ns, echoed_ns, lease_end_ns;
	u64				in_flight_bytes, window_bytes;
	unsigned int			nr_queued, nr_in_flight;
	bool				stopped;
};

static void copy_link(struct hf_link *link, struct link_line *line)
{
	struct list_head *pos;
	unsigned long flags;

	memset(line, 0, sizeof(*line));
	line->lease_end_ns = hf_link_lease_end(link);
	spin_lock_irqsave(&link->state_lock, flags);
	line->state = link->state;
	line->reason = link->reason;
	line->heard_ns = link->heard_ns;
	line->echoed_ns = link->lease.echoed_ns;
	spin_unlock_irqrestore(&link->state_lock, flags);

	/* Bounded by the operations of a disk, or by what a link may have a slot hold. */
	spin_lock_irqsave(&link->queue_lock, flags);
	list_for_each(pos, &link->queued)
		line->nr_queued++;
	list_for_each(pos, &link->in_flight)
		line->nr_in_flight++;
	line->in_flight_bytes = link->in_flight_bytes;
	line->window_bytes = link->window_bytes;
	line->stopped = link->stopped;
	spin_unlock_irqrestore(&link->queue_lock, flags);
}

static void show_link(struct seq_file *m, struct hf_link *link)
{
	bool primary = link->role == HOLDFAST_ROLE_PRIMARY;
	u64 now = hf_boottime_ns();
	struct link_line line;

	copy_link(link, &line);
	seq_printf(m, "%s slot %u term %llu id %llu %s", primary ? "to" : "serves", link->slot_nr,
		   link->term, link->id, hf_link_state_name(line.state));
	if (line.state == HOLDFAST_LINK_DOWN)
		seq_printf(m, " (%s%s)", hf_down_reason_name(line.reason),
			   line.stopped ? "" : ", ending");
	seq_printf(m, " heard %llu ms ago queued %u", ms_between(line.heard_ns, now),
		   line.nr_queued);
	if (primary) {
		seq_printf(m, " in flight %u, %llu of %llu bytes", line.nr_in_flight,
			   line.in_flight_bytes, line.window_bytes);
		if (line.echoed_ns)
			seq_printf(m, " echo of %llu ms ago", ms_between(line.echoed_ns, now));
		seq_printf(m, " lease left %llu ms", ms_between(now, line.lease_end_ns));
	}
	seq_putc(m, '\n');
}

static void show_links(struct seq_file *m, struct hf_volume *vol)
{
	struct list_head *entry = next_get(vol, &vol->links, NULL, try_get_link);
	struct hf_link *link;

	while (entry) {
		link = list_entry(entry, struct hf_link, vol_entry);
		show_link(m, link);
		entry = next_get(vol, &vol->links, entry, try_get_link);
		hf_link_put(link);
	}
}

/* ------------------------------------------------------------------ files */

/* Without the proxy of debugfs around reading: see above. */
static int show_guarded(struct seq_file *m, void (*show)(struct seq_file *m, struct hf_volume *vol))
{
	struct dentry *dentry = m->file->f_path.dentry;
	int err = debugfs_file_get(dentry);

	if (err)
		return err;
	show(m, m->private);
	debugfs_file_put(dentry);
	return 0;
}

#define DEFINE_FILE(_name)							\
static int _name##_show(struct seq_file *m, void *unused)			\
{										\
	return show_guarded(m, show_##_name);					\
}										\
										\
static int _name##_open(struct inode *inode, struct file *file)		\
{										\
	return single_open_size(file, _name##_show, inode->i_private,		\
				HF_DEBUGFS_BYTES);				\
}										\
										\
static const struct file_operations _name##_fops = {				\
	.owner		= THIS_MODULE,						\
	.open		= _name##_open,						\
	.read		= seq_read,						\
	.llseek		= seq_lseek,						\
	.release	= single_release,					\
}

DEFINE_FILE(requests);
DEFINE_FILE(slots);
DEFINE_FILE(links);

void hf_debugfs_add(struct hf_volume *vol)
{
	/* A reclaim from here might wait for a volume that only its agent can let go on. */
	unsigned int noio = memalloc_noio_save();
	char name[UUID_STRING_LEN + 1];

	snprintf(name, sizeof(name), "%pUb", &vol->uuid);
	vol->debugfs = debugfs_create_dir(name, root);
	debugfs_create_file_unsafe("requests", 0400, vol->debugfs, vol, &requests_fops);
	debugfs_create_file_unsafe("slots", 0400, vol->debugfs, vol, &slots_fops);
	debugfs_create_file_unsafe("links", 0400, vol->debugfs, vol, &links_fops);
	memalloc_noio_restore(noio);
}

void hf_debugfs_remove(struct hf_volume *vol)
{
	debugfs_remove_recursive(vol->debugfs);
	vol->debugfs = NULL;
}

void hf_debugfs_init(void)
{
	root = debugfs_create_dir("holdfast", NULL);
}

void hf_debugfs_exit(void)
{
	debugfs_remove_recursive(root);
}
