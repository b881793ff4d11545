// SPDX-License-Identifier: GPL-2.0
/*
 * The configuration of a volume as a value: from and to the wire, what makes
 * one acceptable by itself, and whether one may follow another (R1, R4, R9).
 * Who adopts it, and what adoption does, is conf.c's; which configuration is
 * proposed is the agent's, which links this file. Pure, no locks.
 */
#include "conf.h"

#include <asm/byteorder.h>
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/string.h>

#define CONF_MAX_BYTES	BIT_ULL(56)	/* keeps sums of offsets far from wrapping */
#define CONF_MAX_VDISK	65535		/* 16 minors each in the kernel's 20 bits */

static int refuse(const char **why, const char *sentence)
{
	*why = sentence;
	return -EINVAL;
}

static int check_slots(const struct hf_conf_data *conf, const char **why)
{
	unsigned int i, j;

	for (i = 0; i < HF_MAX_SLOTS; i++) {
		const struct hf_conf_slot *slot = &conf->slots[i];

		if (!slot->node) {
			if (slot->incarnation || slot->cited_life)
				return refuse(why, "an unused slot has an incarnation or a life");
			continue;
		}
		if (!slot->incarnation)
			return refuse(why, "a slot has no incarnation");
		for (j = 0; j < i; j++)
			if (conf->slots[j].node == slot->node)
				return refuse(why, "two slots are on the same node");
	}
	if (!conf->in_sync_mask)
		return refuse(why, "the in-sync set is empty");
	if (conf->in_sync_mask & ~hf_conf_used_mask(conf))
		return refuse(why, "the in-sync set names a slot that is not used");
	return 0;
}

/* R4: what term, primary and activation say together. */
static int check_primary(const struct hf_conf_data *conf, const char **why)
{
	if (!conf->epoch)
		return refuse(why, "the epoch is 0");
	if (conf->term >= conf->epoch)
		return refuse(why, "the term is not below the epoch");
	if (!conf->primary_node != !conf->primary_instance)
		return refuse(why, "the primary has a node without an instance, or the reverse");
	if (!conf->term && conf->primary_node)
		return refuse(why, "term 0 has a primary");
	if (conf->activated_term > conf->term)
		return refuse(why, "the activated term is above the term");
	if (!conf->activated_term != !conf->activated_instance)
		return refuse(why, "the activation has a term without an instance, or the reverse");
	if (conf->activated_term && conf->activated_term == conf->term &&
	    conf->activated_instance != conf->primary_instance)
		return refuse(why, "this term was activated by another instance than its primary");
	return 0;
}

static int check_values(const struct hf_conf_data *conf, const char **why)
{
	if (!memchr_inv(conf->volume, 0, sizeof(conf->volume)))
		return refuse(why, "the volume's UUID is zero");
	if (conf->size_bytes < HF_MIN_VOLUME_BYTES)
		return refuse(why, "the size is below 1 MiB");
	if (conf->size_bytes % HF_BLOCK_BYTES)
		return refuse(why, "the size is not a multiple of 4096 bytes");
	if (conf->size_bytes > CONF_MAX_BYTES)
		return refuse(why, "the size is above 64 PiB");
	if (!conf->vdisk || conf->vdisk > CONF_MAX_VDISK)
		return refuse(why, "the disk number is not between 1 and 65535");
	if (conf->policies & ~HF_POLICY_ALL)
		return refuse(why, "a policy is not known to this version");
	if (conf->policies & HF_POLICY_READS_CONFIRMED)
		return refuse(why, "confirmed reads are not supported by this version");
	if (conf->policies & HF_POLICY_PRIVATE_COPY)
		return refuse(why, "private copies are not supported by this version");
	if ((conf->policies & HF_POLICY_ERROR_WHEN_HELD) && !conf->held_timeout_ms)
		return refuse(why, "held I/O is to end with an error, but after no time");
	return 0;
}

static void read_wire(const struct hf_wire_conf *wire, struct hf_conf_data *conf)
{
	unsigned int i;

	memset(conf, 0, sizeof(*conf));
	memcpy(conf->volume, wire->volume, sizeof(conf->volume));
	conf->size_bytes = le64_to_cpu(wire->size_bytes);
	conf->term = le64_to_cpu(wire->term);
	conf->epoch = le64_to_cpu(wire->epoch);
	conf->primary_node = le32_to_cpu(wire->primary_node);
	conf->primary_instance = le64_to_cpu(wire->primary_instance);
	conf->activated_term = le64_to_cpu(wire->activated_term);
	conf->activated_instance = le64_to_cpu(wire->activated_instance);
	conf->policies = le32_to_cpu(wire->policies);
	conf->held_timeout_ms = le32_to_cpu(wire->held_timeout_ms);
	conf->vdisk = le32_to_cpu(wire->vdisk);
	conf->in_sync_mask = wire->in_sync_mask;
	for (i = 0; i < HF_MAX_SLOTS; i++) {
		conf->slots[i].node = le32_to_cpu(wire->slots[i].node);
		conf->slots[i].incarnation = le64_to_cpu(wire->slots[i].incarnation);
		conf->slots[i].cited_life = le64_to_cpu(wire->slots[i].cited_life);
	}
}

/**
 * hf_conf_decode - read and judge a configuration
 * @wire: as it arrived, in memory of our own
 * @conf: gets it; on refusal its content is of no use
 * @why: sentence on refusal
 *
 * Return: 0 or -EINVAL.
 */
int hf_conf_decode(const struct hf_wire_conf *wire, struct hf_conf_data *conf, const char **why)
{
	unsigned int i;
	int err;

	if (memchr_inv(wire->resv, 0, sizeof(wire->resv)) ||
	    memchr_inv(wire->resv2, 0, sizeof(wire->resv2)))
		return refuse(why, "reserved bytes of the configuration are not zero");
	for (i = 0; i < HF_MAX_SLOTS; i++)
		if (wire->slots[i].resv || wire->slots[i].resv2)
			return refuse(why, "reserved bytes of a slot are not zero");
	read_wire(wire, conf);
	err = check_values(conf, why);
	if (!err)
		err = check_slots(conf, why);
	if (!err)
		err = check_primary(conf, why);
	return err;
}

/**
 * hf_conf_encode - write a configuration
 * @conf: it
 * @wire: gets it, reserved bytes zero
 */
void hf_conf_encode(const struct hf_conf_data *conf, struct hf_wire_conf *wire)
{
	unsigned int i;

	memset(wire, 0, sizeof(*wire));
	memcpy(wire->volume, conf->volume, sizeof(wire->volume));
	wire->size_bytes = cpu_to_le64(conf->size_bytes);
	wire->term = cpu_to_le64(conf->term);
	wire->epoch = cpu_to_le64(conf->epoch);
	wire->primary_instance = cpu_to_le64(conf->primary_instance);
	wire->activated_term = cpu_to_le64(conf->activated_term);
	wire->activated_instance = cpu_to_le64(conf->activated_instance);
	wire->primary_node = cpu_to_le32(conf->primary_node);
	wire->policies = cpu_to_le32(conf->policies);
	wire->held_timeout_ms = cpu_to_le32(conf->held_timeout_ms);
	wire->vdisk = cpu_to_le32(conf->vdisk);
	wire->in_sync_mask = conf->in_sync_mask;
	for (i = 0; i < HF_MAX_SLOTS; i++) {
		wire->slots[i].node = cpu_to_le32(conf->slots[i].node);
		wire->slots[i].incarnation = cpu_to_le64(conf->slots[i].incarnation);
		wire->slots[i].cited_life = cpu_to_le64(conf->slots[i].cited_life);
	}
}

static bool same(const struct hf_conf_data *a, const struct hf_conf_data *b)
{
	struct hf_wire_conf wire_a, wire_b;

	hf_conf_encode(a, &wire_a);
	hf_conf_encode(b, &wire_b);
	return !memcmp(&wire_a, &wire_b, sizeof(wire_a));
}

/*
 * Does a slot number stand for the same copy? A copy that is replaced has
 * another incarnation, wherever it is put (R3b).
 */
static bool same_slot(const struct hf_conf_slot *a, const struct hf_conf_slot *b)
{
	return a->node == b->node && a->incarnation == b->incarnation;
}

/* What holds between any two configurations of a volume, however far apart. */
static const char *illegal_jump(const struct hf_conf_data *have, const struct hf_conf_data *offer)
{
	unsigned int i;

	if (offer->size_bytes != have->size_bytes)
		return "the size of a volume cannot be changed by this version";
	if (offer->vdisk != have->vdisk)
		return "the disk number of a volume cannot be changed";
	if (offer->term - have->term > offer->epoch - have->epoch)
		return "the term grew by more than the epoch";
	if (offer->activated_term < have->activated_term)
		return "the activated term goes back";
	if (offer->activated_term == have->activated_term &&
	    offer->activated_instance != have->activated_instance)
		return "another instance is named for an activation that was done";
	if (offer->term == have->term &&
	    (offer->primary_node != have->primary_node ||
	     offer->primary_instance != have->primary_instance))
		return "the primary was changed without a new term";
	for (i = 0; i < HF_MAX_SLOTS; i++)
		if (have->slots[i].incarnation &&
		    have->slots[i].incarnation == offer->slots[i].incarnation &&
		    have->slots[i].node != offer->slots[i].node)
			return "a slot is on another node under the same incarnation";
	return NULL;
}

/*
 * R3b: what joins, stays in or leaves the set is the same copy before and
 * after; so a slot that is added, replaced or removed is outside of both sets.
 * To another node it goes by removal and addition.
 */
static const char *illegal_slot(const struct hf_conf_data *have, const struct hf_conf_data *offer)
{
	u8 either = have->in_sync_mask | offer->in_sync_mask;
	unsigned int i;

	for (i = 0; i < HF_MAX_SLOTS; i++) {
		const struct hf_conf_slot *old = &have->slots[i], *new = &offer->slots[i];

		if (same_slot(old, new))
			continue;
		if (either & BIT(i))
			return "the in-sync set has a slot whose incarnation was not there before";
		if (old->node && new->node && old->node != new->node)
			return "a slot is put on another node without being removed first";
	}
	return NULL;
}

static bool slots_come_or_go(const struct hf_conf_data *have, const struct hf_conf_data *offer)
{
	return hf_conf_used_mask(have) != hf_conf_used_mask(offer);
}

/* R4: the one step from an epoch to the next. */
static const char *illegal_step(const struct hf_conf_data *have, const struct hf_conf_data *offer)
{
	bool activates = offer->activated_term != have->activated_term;

	if (slots_come_or_go(have, offer) &&
	    (activates || offer->term != have->term || offer->in_sync_mask != have->in_sync_mask))
		return "a slot is added or removed in a step that changes something else";
	if (offer->term != have->term) {
		if (offer->in_sync_mask != have->in_sync_mask)
			return "the configuration that names a primary changes the in-sync set";
		if (activates)
			return "a primary is named and activated in one step";
	} else if (activates) {
		if (offer->in_sync_mask & ~have->in_sync_mask)
			return "the activation adds a slot to the in-sync set";
	} else if (!hf_conf_activated(have) && offer->in_sync_mask != have->in_sync_mask) {
		return "the in-sync set was changed before the activation";
	}
	return illegal_slot(have, offer);
}

/**
 * hf_conf_compare - may a configuration follow the adopted one
 * @have: the adopted one; NULL: none
 * @offer: decoded one
 * @from_link: it came over a link, which raises the epoch within its term
 *	alone (R1)
 * @why: sentence, set for HF_CONF_STALE and HF_CONF_CONFLICT
 *
 * R4's steps are judged where @offer is the very next epoch; across a gap only
 * what holds between any two. An epoch of the in-between may be unknown here.
 *
 * Return: enum hf_conf_verdict.
 */
enum hf_conf_verdict hf_conf_compare(const struct hf_conf_data *have,
				     const struct hf_conf_data *offer, bool from_link,
				     const char **why)
{
	*why = NULL;
	if (!have) {
		if (!from_link)
			return HF_CONF_NEWER;
		*why = "a link offers the first configuration of a volume";
		return HF_CONF_CONFLICT;
	}
	if (memcmp(have->volume, offer->volume, sizeof(have->volume))) {
		*why = "the configuration is of another volume";
		return HF_CONF_CONFLICT;
	}
	if (offer->term < have->term) {
		*why = "the term goes back";
		return HF_CONF_STALE;
	}
	if (offer->epoch < have->epoch) {
		*why = "the epoch goes back";
		return HF_CONF_STALE;
	}
	if (offer->epoch == have->epoch) {
		if (same(have, offer))
			return HF_CONF_SAME;
		*why = "the epoch is the adopted one, but the content differs";
		return HF_CONF_CONFLICT;
	}
	if (from_link && offer->term != have->term) {
		*why = "a link offers a higher term";
		return HF_CONF_CONFLICT;
	}
	*why = illegal_jump(have, offer);
	if (!*why && offer->epoch == have->epoch + 1)
		*why = illegal_step(have, offer);
	return *why ? HF_CONF_CONFLICT : HF_CONF_NEWER;
}

/** hf_conf_used_mask - slots that have a node */
u8 hf_conf_used_mask(const struct hf_conf_data *conf)
{
	unsigned int i;
	u8 mask = 0;

	for (i = 0; i < HF_MAX_SLOTS; i++)
		if (conf->slots[i].node)
			mask |= BIT(i);
	return mask;
}

/** hf_conf_missing_mask - slots that have a node and are not in sync (R3b) */
u8 hf_conf_missing_mask(const struct hf_conf_data *conf)
{
	return hf_conf_used_mask(conf) & ~conf->in_sync_mask;
}

/** hf_conf_activated - has its primary been activated in its term (R4) */
bool hf_conf_activated(const struct hf_conf_data *conf)
{
	return conf->primary_node && conf->activated_term == conf->term &&
	       conf->activated_instance == conf->primary_instance;
}

/** hf_conf_slot_of - number of the slot on @node, or -1 */
int hf_conf_slot_of(const struct hf_conf_data *conf, u32 node)
{
	unsigned int i;

	for (i = 0; node && i < HF_MAX_SLOTS; i++)
		if (conf->slots[i].node == node)
			return i;
	return -1;
}

/** hf_conf_has_slot - is slot @nr the copy @incarnation on @node */
bool hf_conf_has_slot(const struct hf_conf_data *conf, u8 nr, u32 node, u64 incarnation)
{
	return nr < HF_MAX_SLOTS && node && conf->slots[nr].node == node &&
	       conf->slots[nr].incarnation == incarnation;
}
