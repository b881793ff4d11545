// SPDX-License-Identifier: GPL-2.0
/*
 * Numbered multicast events. An event says only that something changed; the
 * facts come from a dump. So a lost event costs a dump and nothing else: its
 * number is missing, and the listener asks again.
 *
 * Events come from any context, netlink wants process context: they go through
 * a ring that a worker empties in order.
 *
 * Locks: ring_lock guards the ring and the numbers; innermost, irq-safe.
 */
#include "event.h"

#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/workqueue.h>
#include <net/genetlink.h>

#include "volume.h"

enum {
	HF_EVENT_RING	= 256,
	HF_EVENT_BYTES	= 256,	/* of one message, generous */
};

struct queued_event {
	struct hf_event_facts	facts;
	u64			seq;
	u64			term;
	u64			epoch;
	u8			uuid[16];
};

static DEFINE_SPINLOCK(ring_lock);
static struct queued_event ring[HF_EVENT_RING];	/* ring_lock */
static unsigned int ring_head, ring_tail;	/* ring_lock; free-running */
static u64 last_seq;				/* ring_lock */
static struct genl_family *event_family;	/* const while the module is loaded */

static int put_event(struct sk_buff *skb, const struct queued_event *ev)
{
	const struct hf_event_facts *facts = &ev->facts;

	if (nla_put_u64_64bit(skb, HOLDFAST_A_EVENT_SEQ, ev->seq, HOLDFAST_A_PAD) ||
	    nla_put_u8(skb, HOLDFAST_A_EVENT, facts->event) ||
	    nla_put(skb, HOLDFAST_A_UUID, sizeof(ev->uuid), ev->uuid) ||
	    nla_put_u64_64bit(skb, HOLDFAST_A_TERM, ev->term, HOLDFAST_A_PAD) ||
	    nla_put_u64_64bit(skb, HOLDFAST_A_EPOCH, ev->epoch, HOLDFAST_A_PAD))
		return -EMSGSIZE;
	if (facts->slot_nr >= 0 && nla_put_u8(skb, HOLDFAST_A_SLOT_NR, facts->slot_nr))
		return -EMSGSIZE;
	if (facts->life &&
	    nla_put_u64_64bit(skb, HOLDFAST_A_LIFE, facts->life, HOLDFAST_A_PAD))
		return -EMSGSIZE;
	if (facts->instance &&
	    nla_put_u64_64bit(skb, HOLDFAST_A_INSTANCE, facts->instance, HOLDFAST_A_PAD))
		return -EMSGSIZE;
	if (facts->link_id &&
	    nla_put_u64_64bit(skb, HOLDFAST_A_LINK_ID, facts->link_id, HOLDFAST_A_PAD))
		return -EMSGSIZE;
	if (facts->down_reason && nla_put_u8(skb, HOLDFAST_A_DOWN_REASON, facts->down_reason))
		return -EMSGSIZE;
	return 0;
}

static void multicast(const struct queued_event *ev)
{
	struct sk_buff *skb = genlmsg_new(HF_EVENT_BYTES, GFP_NOIO);
	void *hdr;

	if (!skb)
		return;
	hdr = genlmsg_put(skb, 0, 0, event_family, 0, HOLDFAST_CMD_EVENT);
	if (!hdr || put_event(skb, ev)) {
		nlmsg_free(skb);
		return;
	}
	genlmsg_end(skb, hdr);
	genlmsg_multicast(event_family, skb, 0, 0, GFP_NOIO);
}

static void multicast_work(struct work_struct *work)
{
	struct queued_event ev;

	for (;;) {
		spin_lock_irq(&ring_lock);
		if (ring_tail == ring_head) {
			spin_unlock_irq(&ring_lock);
			return;
		}
		ev = ring[ring_tail++ % HF_EVENT_RING];
		spin_unlock_irq(&ring_lock);
		multicast(&ev);
	}
}

static DECLARE_WORK(event_work, multicast_work);

void hf_event_send(struct hf_volume *vol, const struct hf_event_facts *facts)
{
	const struct hf_conf *conf;
	struct queued_event ev = { .facts = *facts };
	unsigned long flags;

	memcpy(ev.uuid, &vol->uuid, sizeof(ev.uuid));
	rcu_read_lock();
	conf = rcu_dereference(vol->conf);
	if (conf) {
		ev.term = conf->data.term;
		ev.epoch = conf->data.epoch;
	}
	rcu_read_unlock();

	spin_lock_irqsave(&ring_lock, flags);
	ev.seq = ++last_seq;
	/* A full ring drops the event: its number is missing, listeners dump. */
	if (ring_head - ring_tail < HF_EVENT_RING)
		ring[ring_head++ % HF_EVENT_RING] = ev;
	spin_unlock_irqrestore(&ring_lock, flags);
	schedule_work(&event_work);
}

void hf_event_start(struct genl_family *family)
{
	event_family = family;
}

void hf_event_stop(void)
{
	cancel_work_sync(&event_work);
}
