// SPDX-License-Identifier: GPL-2.0
/*
 * Says what an operation waits for, from the same facts by which serve.c and
 * order.c let it wait. It reads only; no rule lives here.
 *
 * Locks: the caller holds serve_lock. What belongs to the slot or a link is read
 * with READ_ONCE(): it may be a step behind.
 */
#include "waits.h"

#include "disk.h"
#include "main.h"
#include "names.h"

/* Text that grows; cut where the room ends. */
struct text {
	char	*at;
	size_t	length;
};

static __printf(2, 3) void add(struct text *text, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text->length += vscnprintf(text->at + text->length, HF_WAITS_BYTES - text->length,
				   format, args);
	va_end(args);
}

/* Why the disk starts nothing, or ends nothing that was started. */
static void tell_state(struct text *text, const struct hf_serve *serve)
{
	if (serve->state == HOLDFAST_DISK_NAMED)
		add(text, "activation at term %llu", serve->term);
	else if (serve->state == HOLDFAST_DISK_RELEASED)
		add(text, "epoch above %llu: the lease is given back", serve->epoch);
	else
		add(text, "the disk, which is %s", hf_disk_state_name(serve->state));
}

static void tell_range(struct text *text, struct hf_disk *disk, const struct hf_req *req)
{
	const struct hf_range *range = hf_overlap_blocker(&disk->serve.overlap, &req->range);
	const struct hf_req *other;

	if (!range) {
		add(text, "range");
	} else if (range->kind == HF_RANGE_COPY) {
		add(text, "range of a copy at %llu", range->start);
	} else {
		other = container_of(range, struct hf_req, range);
		if (other->seq)
			add(text, "range of write seq %llu", other->seq);
		else
			add(text, "range of a write at %llu", range->start);
	}
}

static void tell_mask(struct text *text, const char *what, u8 mask)
{
	u8 nr;

	for (nr = 0; nr < HF_MAX_SLOTS; nr++)
		if (mask & BIT(nr))
			add(text, " %s %u", what, nr);
}

/* R3b: slots that hold stable back, and with it room, until they confirm the epoch. */
static u8 unconfirmed_mask(const struct hf_disk *disk)
{
	const struct hf_serve *serve = &disk->serve;
	u8 mask = serve->in_sync_mask | serve->counted_mask;
	u8 nr;

	for (nr = 0; nr < HF_MAX_SLOTS; nr++)
		if (nr == disk->own_nr || disk->remotes[nr].adopted_epoch >= serve->epoch)
			mask &= ~BIT(nr);
	return mask;
}

static void tell_room(struct text *text, struct hf_disk *disk)
{
	struct hf_serve *serve = &disk->serve;
	u8 unconfirmed = unconfirmed_mask(disk);

	if (serve->state != HOLDFAST_DISK_ACTIVE) {
		tell_state(text, serve);
		return;
	}
	if (serve->seq - serve->stable >= HF_WINDOW)
		add(text, "window: %u writes above stable", HF_WINDOW);
	else
		add(text, "log room: %u of %u extents used", serve->room.used, serve->room.limit);
	if (unconfirmed) {
		add(text, ", until epoch %llu is adopted by", serve->epoch);
		tell_mask(text, "slot", unconfirmed);
	} else {
		add(text, ", seq %llu first", serve->stable + 1);
	}
}

const char *hf_waits_stage(u8 stage)
{
	static const char *const names[] = {
		[HF_SLOT_STAGE_NEW]	= "submission",
		[HF_SLOT_STAGE_ROOM]	= "log room",
		[HF_SLOT_STAGE_LOG]	= "log record",
		[HF_SLOT_STAGE_SUBMIT]	= "submission",
		[HF_SLOT_STAGE_DEVICE]	= "data device",
	};

	return stage < ARRAY_SIZE(names) ? names[stage] : "?";
}

/* A remote slot that must have it, was not sent it, and cannot get it now. */
static void tell_unsent(struct text *text, struct hf_disk *disk, u8 nr)
{
	const struct hf_remote *remote = &disk->remotes[nr];
	const struct hf_link *link = remote->foreign ? NULL : remote->link;

	if (link && hf_link_state(link) == HOLDFAST_LINK_READY)
		add(text, remote->ready ? "held: another life" : "held: link broken");
	else if (link && hf_link_state(link) != HOLDFAST_LINK_DOWN)
		add(text, "held: link %s", hf_link_state_name(hf_link_state(link)));
	else
		add(text, "held: link down, %s",
		    hf_down_reason_name(link ? hf_link_reason(link) : remote->down_reason));
}

static void tell_slot(struct text *text, struct hf_disk *disk, const struct hf_req *req, u8 nr)
{
	bool sent = req->sent_mask & BIT(nr);

	add(text, "%sslot %u ", text->length ? "; " : "", nr);
	if (sent && nr == disk->own_nr)
		add(text, "%s", hf_waits_stage(READ_ONCE(req->io.stage)));
	else if (sent)
		add(text, "%s", READ_ONCE(req->msgs[nr].msg.sent_ns) ? "acknowledgment" :
								      "send queue");
	else if (nr == disk->own_nr)
		add(text, "not submitted");
	else
		tell_unsent(text, disk, nr);
	if (req->void_mask & BIT(nr))
		add(text, " of an earlier term");
}

static void tell_lease(struct text *text, struct hf_disk *disk)
{
	u8 mask = (disk->serve.in_sync_mask | disk->serve.counted_mask) & ~BIT(disk->own_nr);
	u64 now = hf_boottime_ns();
	u8 nr;

	add(text, "lease of");
	for (nr = 0; nr < HF_MAX_SLOTS; nr++)
		if ((mask & BIT(nr)) &&
		    !hf_lease_holds(hf_remote_lease_end(&disk->remotes[nr]), now))
			add(text, " slot %u", nr);
}

/* R11: nothing completes between the loss of the own slot and the others' flush. */
static void tell_rest(struct text *text, struct hf_disk *disk)
{
	if (hf_serve_has_own(disk) && !hf_serve_own_usable(disk))
		add(text, "an epoch without the own slot");
	else if (hf_serve_wants_durable(disk) && !disk->serve.settled)
		add(text, "flush of the other slots");
	else
		tell_lease(text, disk);
}

static void tell_flight(struct text *text, struct hf_disk *disk, const struct hf_req *req)
{
	u8 missing = req->sent_mask;
	u8 nr;

	if (req->kind != HF_REQ_READ && !req->failing)
		missing |= hf_serve_required_mask(disk) & ~req->acked_mask;
	for (nr = 0; nr < HF_MAX_SLOTS; nr++)
		if (missing & BIT(nr))
			tell_slot(text, disk, req, nr);
	if (missing)
		return;
	if (!hf_serve_running(disk))
		tell_state(text, &disk->serve);
	else if (req->state == HF_REQ_GHOST)
		add(text, "repair");
	else
		tell_rest(text, disk);
}

void hf_waits_text(struct hf_disk *disk, const struct hf_req *req, char *to)
{
	struct text text = { .at = to };

	lockdep_assert_held(&disk->serve.serve_lock);
	to[0] = '\0';
	switch (req->state) {
	case HF_REQ_FREE:
		break;
	case HF_REQ_PARKED:
		tell_state(&text, &disk->serve);
		break;
	case HF_REQ_WAITS_RANGE:
	case HF_REQ_ARRIVED:
		tell_range(&text, disk, req);
		break;
	case HF_REQ_WAITS_ROOM:
		if (hf_req_is_zeros(req) && !req->zeroing)
			add(&text, "zeros on their way");
		else
			tell_room(&text, disk);
		break;
	case HF_REQ_FLYING:
	case HF_REQ_GHOST:
		tell_flight(&text, disk, req);
		break;
	case HF_REQ_AGAIN:
		tell_rest(&text, disk);
		break;
	}
}
