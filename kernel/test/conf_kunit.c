// SPDX-License-Identifier: GPL-2.0
/* Configurations (R1, R4, R9): what makes one unacceptable, and each step between two. */
#include <kunit/test.h>
#include <asm/byteorder.h>
#include <linux/errno.h>
#include <linux/module.h>

#include "../conf.h"
#include "random.h"
#include "sample.h"

static int judge(const struct hf_conf_data *conf, const char **why)
{
	struct hf_wire_conf wire;
	struct hf_conf_data back;

	*why = NULL;
	hf_conf_encode(conf, &wire);
	return hf_conf_decode(&wire, &back, why);
}

static void travels_unchanged(struct kunit *test)
{
	struct hf_conf_data conf, back;
	struct hf_wire_conf wire, again;
	const char *why = NULL;

	sample_conf(&conf);
	conf.policies = HF_POLICY_ERROR_WHEN_HELD | HF_POLICY_NO_DATA_CRC;
	conf.held_timeout_ms = 30000;
	conf.slots[2].cited_life = 0x0102030405060708ull;
	hf_conf_encode(&conf, &wire);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(wire.slots[2].cited_life), 0x0102030405060708ull);
	KUNIT_EXPECT_EQ(test, ((u8 *)&wire)[16 + 3], 0x04);	/* 64 MiB, little endian */
	KUNIT_ASSERT_EQ(test, hf_conf_decode(&wire, &back, &why), 0);
	hf_conf_encode(&back, &again);
	KUNIT_EXPECT_EQ(test, memcmp(&wire, &again, sizeof(wire)), 0);
	KUNIT_EXPECT_EQ(test, back.size_bytes, SAMPLE_BYTES);
	KUNIT_EXPECT_EQ(test, back.term, 3);
	KUNIT_EXPECT_EQ(test, back.epoch, 8);
	KUNIT_EXPECT_EQ(test, back.primary_node, 11);
	KUNIT_EXPECT_EQ(test, back.primary_instance, 0x1111);
	KUNIT_EXPECT_EQ(test, back.activated_term, 3);
	KUNIT_EXPECT_EQ(test, back.held_timeout_ms, 30000);
	KUNIT_EXPECT_EQ(test, back.in_sync_mask, 3);
	KUNIT_EXPECT_EQ(test, back.slots[1].incarnation, 0x101);
}

#define REFUSED(change, sentence) do {					\
	sample_conf(&conf);						\
	change;								\
	KUNIT_EXPECT_EQ(test, judge(&conf, &why), -EINVAL);		\
	KUNIT_EXPECT_STREQ(test, why, sentence);			\
} while (0)

#define ACCEPTED(change) do {						\
	sample_conf(&conf);						\
	change;								\
	KUNIT_EXPECT_EQ(test, judge(&conf, &why), 0);			\
} while (0)

static void values_that_cannot_be(struct kunit *test)
{
	struct hf_conf_data conf;
	const char *why;

	REFUSED(memset(conf.volume, 0, 16), "the volume's UUID is zero");
	REFUSED(conf.size_bytes = (1 << 20) - 4096, "the size is below 1 MiB");
	ACCEPTED(conf.size_bytes = 1 << 20);
	REFUSED(conf.size_bytes += 512, "the size is not a multiple of 4096 bytes");
	ACCEPTED(conf.size_bytes = 1ull << 56);
	REFUSED(conf.size_bytes = (1ull << 56) + 4096, "the size is above 64 PiB");
	REFUSED(conf.vdisk = 0, "the disk number is not between 1 and 65535");
	REFUSED(conf.vdisk = 65536, "the disk number is not between 1 and 65535");
	ACCEPTED(conf.vdisk = 65535);
	REFUSED(conf.policies = 16, "a policy is not known to this version");
	REFUSED(conf.policies = HF_POLICY_READS_CONFIRMED,
		"confirmed reads are not supported by this version");
	REFUSED(conf.policies = HF_POLICY_PRIVATE_COPY,
		"private copies are not supported by this version");
	REFUSED(conf.policies = HF_POLICY_ERROR_WHEN_HELD,
		"held I/O is to end with an error, but after no time");
}

static void slots_that_cannot_be(struct kunit *test)
{
	struct hf_conf_data conf;
	const char *why;

	REFUSED(conf.in_sync_mask = 0, "the in-sync set is empty");
	REFUSED(conf.in_sync_mask = 0x9, "the in-sync set names a slot that is not used");
	REFUSED(conf.in_sync_mask = 0x11, "the in-sync set names a slot that is not used");
	REFUSED(conf.slots[1].incarnation = 0, "a slot has no incarnation");
	REFUSED(conf.slots[2].node = 11, "two slots are on the same node");
	REFUSED(conf.slots[3].incarnation = 1, "an unused slot has an incarnation or a life");
	REFUSED(conf.slots[3].cited_life = 1, "an unused slot has an incarnation or a life");
	ACCEPTED(conf.slots[0].cited_life = 1);
	ACCEPTED(conf.in_sync_mask = 0x4);
}

static void primaries_that_cannot_be(struct kunit *test)
{
	struct hf_conf_data conf;
	const char *why;

	REFUSED(conf.epoch = 0, "the epoch is 0");
	REFUSED(conf.term = 8, "the term is not below the epoch");
	REFUSED(conf.primary_instance = 0,
		"the primary has a node without an instance, or the reverse");
	REFUSED(conf.primary_node = 0,
		"the primary has a node without an instance, or the reverse");
	REFUSED(conf.term = 0, "term 0 has a primary");
	REFUSED(conf.activated_term = 4, "the activated term is above the term");
	REFUSED(conf.activated_instance = 0,
		"the activation has a term without an instance, or the reverse");
	REFUSED(conf.activated_term = 0,
		"the activation has a term without an instance, or the reverse");
	REFUSED(conf.activated_instance = 0x2222,
		"this term was activated by another instance than its primary");
	ACCEPTED(conf.activated_term = 2; conf.activated_instance = 0x2222);
	ACCEPTED(conf.term = 4; conf.primary_node = 0; conf.primary_instance = 0);
}

static void reserved_bytes_are_refused(struct kunit *test)
{
	struct hf_conf_data conf, back;
	struct hf_wire_conf wire;
	const char *why = NULL;

	sample_conf(&conf);
	hf_conf_encode(&conf, &wire);
	wire.resv[6] = 1;
	KUNIT_EXPECT_EQ(test, hf_conf_decode(&wire, &back, &why), -EINVAL);
	wire.resv[6] = 0;
	wire.resv2[23] = 1;
	KUNIT_EXPECT_EQ(test, hf_conf_decode(&wire, &back, &why), -EINVAL);
	KUNIT_EXPECT_STREQ(test, why, "reserved bytes of the configuration are not zero");
	wire.resv2[23] = 0;
	wire.slots[3].resv = cpu_to_le32(1);
	KUNIT_EXPECT_EQ(test, hf_conf_decode(&wire, &back, &why), -EINVAL);
	wire.slots[3].resv = 0;
	wire.slots[0].resv2 = cpu_to_le64(1);
	KUNIT_EXPECT_EQ(test, hf_conf_decode(&wire, &back, &why), -EINVAL);
	KUNIT_EXPECT_STREQ(test, why, "reserved bytes of a slot are not zero");
	wire.slots[0].resv2 = 0;
	KUNIT_EXPECT_EQ(test, hf_conf_decode(&wire, &back, &why), 0);
}

static void masks(struct kunit *test)
{
	struct hf_conf_data conf;

	sample_conf(&conf);
	KUNIT_EXPECT_EQ(test, hf_conf_used_mask(&conf), 0x7);
	KUNIT_EXPECT_EQ(test, hf_conf_missing_mask(&conf), 0x4);
	KUNIT_EXPECT_TRUE(test, hf_conf_activated(&conf));
	conf.term++;
	KUNIT_EXPECT_FALSE(test, hf_conf_activated(&conf));
	conf.primary_node = 0;
	conf.activated_term = conf.term;
	KUNIT_EXPECT_FALSE(test, hf_conf_activated(&conf));
	KUNIT_EXPECT_EQ(test, hf_conf_slot_of(&conf, 13), 2);
	KUNIT_EXPECT_EQ(test, hf_conf_slot_of(&conf, 14), -1);
	KUNIT_EXPECT_EQ(test, hf_conf_slot_of(&conf, 0), -1);
}

/* ----------------------------------------------------------------- steps */

#define COMES	"a slot is added or removed in a step that changes something else"

/* @node 0: removed */
static void add(struct hf_conf_data *conf, u8 nr, u32 node, u64 incarnation)
{
	conf->slots[nr].node = node;
	conf->slots[nr].incarnation = incarnation;
	conf->slots[nr].cited_life = 0;
}

#define STEP(link, verdict, change) do {				\
	enum hf_conf_verdict _verdict;					\
									\
	sample_conf(&have);						\
	sample_conf(&offer);						\
	offer.epoch++;							\
	change;								\
	_verdict = hf_conf_compare(&have, &offer, link, &why);		\
	KUNIT_EXPECT_EQ(test, _verdict, verdict);			\
	KUNIT_EXPECT_EQ(test, !why, _verdict <= HF_CONF_NEWER);		\
} while (0)

static void order_of_epochs_and_terms(struct kunit *test)
{
	struct hf_conf_data have, offer;
	const char *why;

	sample_conf(&offer);
	KUNIT_EXPECT_EQ(test, hf_conf_compare(NULL, &offer, false, &why), HF_CONF_NEWER);
	KUNIT_EXPECT_EQ(test, hf_conf_compare(NULL, &offer, true, &why), HF_CONF_CONFLICT);
	STEP(false, HF_CONF_NEWER, (void)0);
	STEP(true, HF_CONF_NEWER, (void)0);
	STEP(false, HF_CONF_SAME, offer.epoch = 8);
	STEP(true, HF_CONF_SAME, offer.epoch = 8);
	STEP(false, HF_CONF_CONFLICT, offer.epoch = 8; offer.in_sync_mask = 1);
	STEP(false, HF_CONF_STALE, offer.epoch = 7);
	STEP(false, HF_CONF_STALE, offer.term = 2; offer.epoch = 20);
	STEP(false, HF_CONF_CONFLICT, offer.volume[0]++);
	/* R1: a link may raise the epoch, within its term. */
	STEP(true, HF_CONF_CONFLICT, offer.term = 4);
	STEP(true, HF_CONF_NEWER, offer.epoch = 100);
	STEP(false, HF_CONF_CONFLICT, offer.term = 5);
	STEP(false, HF_CONF_NEWER, offer.term = 5; offer.epoch = 10);
	STEP(false, HF_CONF_CONFLICT, offer.size_bytes *= 2);
	STEP(false, HF_CONF_CONFLICT, offer.vdisk = 2);
}

static void primary_changes_with_the_term_alone(struct kunit *test)
{
	struct hf_conf_data have, offer;
	const char *why;

	STEP(false, HF_CONF_CONFLICT, offer.primary_node = 12);
	STEP(false, HF_CONF_CONFLICT, offer.primary_instance = 0x9;
	     offer.activated_instance = 0x9);
	STEP(false, HF_CONF_CONFLICT, offer.primary_node = 0; offer.primary_instance = 0;
	     offer.epoch = 50);
	STEP(false, HF_CONF_CONFLICT, have.activated_term = 2; have.activated_instance = 7;
	     offer.activated_term = 2; offer.activated_instance = 7; offer.primary_instance = 0x9);
	STEP(false, HF_CONF_NEWER, offer.term = 4; offer.primary_node = 12;
	     offer.primary_instance = 0x2222);
	STEP(false, HF_CONF_NEWER, offer.term = 4; offer.primary_node = 0;
	     offer.primary_instance = 0);
	/* What was activated stays written as it was. */
	STEP(false, HF_CONF_CONFLICT, offer.term = 4; offer.activated_instance = 0x5);
	STEP(false, HF_CONF_CONFLICT, offer.term = 4; offer.activated_term = 2;
	     offer.activated_instance = 0x5);
}

static void two_steps_of_promotion(struct kunit *test)
{
	struct hf_conf_data have, offer;
	const char *why;

	/* Name: leaves the set as it was and activates nothing. */
	STEP(false, HF_CONF_CONFLICT, offer.term = 4; offer.in_sync_mask = 1);
	STEP(false, HF_CONF_CONFLICT, offer.term = 4; offer.primary_instance = 0x2222;
	     offer.activated_term = 4; offer.activated_instance = 0x2222);
	/* Activate: reduces the set. */
	STEP(true, HF_CONF_NEWER, have.activated_term = 2; have.activated_instance = 7;
	     offer.in_sync_mask = 2);
	STEP(true, HF_CONF_NEWER, have.activated_term = 2; have.activated_instance = 7);
	STEP(true, HF_CONF_CONFLICT, have.activated_term = 2; have.activated_instance = 7;
	     offer.in_sync_mask = 7);
	/* Named and not activated: the set stays. */
	STEP(true, HF_CONF_CONFLICT, have.activated_term = 2; have.activated_instance = 7;
	     offer.activated_term = 2; offer.activated_instance = 7; offer.in_sync_mask = 1);
	STEP(true, HF_CONF_NEWER, have.activated_term = 2; have.activated_instance = 7;
	     offer.activated_term = 2; offer.activated_instance = 7);
	/* Across a gap the steps between are not known here. */
	STEP(false, HF_CONF_NEWER, offer.term = 4; offer.in_sync_mask = 1; offer.epoch = 12;
	     offer.activated_term = 4; offer.primary_instance = 0x2222;
	     offer.activated_instance = 0x2222);
}

static void slots_of_the_set_keep_their_incarnation(struct kunit *test)
{
	struct hf_conf_data have, offer;
	const char *why;

	STEP(true, HF_CONF_NEWER, offer.in_sync_mask = 1);
	STEP(true, HF_CONF_NEWER, offer.in_sync_mask = 7);
	STEP(true, HF_CONF_CONFLICT, offer.slots[0].incarnation++);
	STEP(true, HF_CONF_CONFLICT, offer.slots[1].node = 40);
	STEP(true, HF_CONF_CONFLICT, offer.in_sync_mask = 7; offer.slots[2].incarnation++);
	STEP(true, HF_CONF_NEWER, offer.slots[2].incarnation++);
	/* Its devices are replaced after it was dropped, not by the way. */
	STEP(true, HF_CONF_CONFLICT, offer.in_sync_mask = 1; offer.slots[1].incarnation++);
	STEP(true, HF_CONF_NEWER, offer.slots[3].node = 50; offer.slots[3].incarnation = 1);
	STEP(true, HF_CONF_CONFLICT, offer.slots[3].node = 50; offer.slots[3].incarnation = 1;
	     offer.in_sync_mask = 0xb);
}

/* R3b: a number is empty, or stands for one copy; what comes or goes is outside of the set. */
static void slots_come_and_go_outside_of_the_set(struct kunit *test)
{
	struct hf_conf_data have, offer;
	const char *why;

	STEP(false, HF_CONF_NEWER, add(&offer, 3, 50, 7));
	STEP(false, HF_CONF_NEWER, add(&offer, 2, 0, 0));
	STEP(true, HF_CONF_NEWER, add(&offer, 2, 0, 0); add(&offer, 3, 13, 7));
	/* Neither joins the set at once, nor leaves it by going. */
	STEP(false, HF_CONF_CONFLICT, add(&offer, 3, 50, 7); offer.in_sync_mask = 0xb);
	KUNIT_EXPECT_STREQ(test, why, COMES);
	STEP(false, HF_CONF_CONFLICT, add(&offer, 1, 0, 0); offer.in_sync_mask = 1);
	KUNIT_EXPECT_STREQ(test, why, COMES);
	STEP(true, HF_CONF_CONFLICT, have.in_sync_mask = 1; add(&have, 1, 0, 0));
	KUNIT_EXPECT_STREQ(test, why, COMES);
	/* And nothing else is decided with it. */
	STEP(false, HF_CONF_CONFLICT, add(&offer, 2, 0, 0); offer.in_sync_mask = 1);
	KUNIT_EXPECT_STREQ(test, why, COMES);
	STEP(false, HF_CONF_CONFLICT, add(&offer, 3, 50, 7); offer.in_sync_mask = 7);
	STEP(false, HF_CONF_CONFLICT, add(&offer, 3, 50, 7); offer.term = 4);
	KUNIT_EXPECT_STREQ(test, why, COMES);
	STEP(false, HF_CONF_CONFLICT, have.activated_term = 2; have.activated_instance = 7;
	     add(&offer, 2, 0, 0));
	KUNIT_EXPECT_STREQ(test, why, COMES);
	/* Lives that were cited for the activation may go in the same step. */
	STEP(false, HF_CONF_NEWER, have.slots[0].cited_life = 5; add(&offer, 3, 50, 7));
	/* A number that is used goes to another node by way of being empty. */
	STEP(false, HF_CONF_CONFLICT, add(&offer, 2, 50, 7));
	KUNIT_EXPECT_STREQ(test, why, "a slot is put on another node without being removed first");
	STEP(false, HF_CONF_NEWER, offer.epoch = 10; add(&offer, 2, 50, 7));
	/* The same copy is nowhere else, at whatever distance. */
	STEP(false, HF_CONF_CONFLICT, offer.epoch = 10;
	     add(&offer, 2, 50, have.slots[2].incarnation));
	KUNIT_EXPECT_STREQ(test, why, "a slot is on another node under the same incarnation");
	/* Far apart a slot may have gone, and another may have joined the set. */
	STEP(false, HF_CONF_NEWER, offer.epoch = 12; add(&offer, 1, 0, 0);
	     offer.in_sync_mask = 0x9; add(&offer, 3, 50, 7));
}

static void copy_of_a_number(struct kunit *test)
{
	struct hf_conf_data conf;

	sample_conf(&conf);
	KUNIT_EXPECT_TRUE(test, hf_conf_has_slot(&conf, 1, 12, 0x101));
	KUNIT_EXPECT_FALSE(test, hf_conf_has_slot(&conf, 1, 12, 0x102));
	KUNIT_EXPECT_FALSE(test, hf_conf_has_slot(&conf, 1, 13, 0x101));
	KUNIT_EXPECT_FALSE(test, hf_conf_has_slot(&conf, 2, 12, 0x101));
	KUNIT_EXPECT_FALSE(test, hf_conf_has_slot(&conf, 3, 0, 0));
	KUNIT_EXPECT_FALSE(test, hf_conf_has_slot(&conf, HF_MAX_SLOTS, 12, 0x101));
}

/* Whatever bytes arrive: what is accepted is encoded to the same bytes. */
static void random_bytes(struct kunit *test)
{
	struct hf_wire_conf wire, again;
	struct hf_conf_data conf;
	unsigned int i, accepted = 0;
	const char *why;
	u64 seed = 5150;

	for (i = 0; i < 20000; i++) {
		u32 n = test_below(&seed, 3) + 1;

		sample_conf(&conf);
		hf_conf_encode(&conf, &wire);
		while (n--)
			((u8 *)&wire)[test_below(&seed, sizeof(wire))] ^= 1 << test_below(&seed, 8);
		why = NULL;
		if (hf_conf_decode(&wire, &conf, &why)) {
			KUNIT_ASSERT_NOT_NULL(test, why);
			continue;
		}
		accepted++;
		hf_conf_encode(&conf, &again);
		KUNIT_ASSERT_EQ(test, memcmp(&wire, &again, sizeof(wire)), 0);
	}
	KUNIT_EXPECT_GT(test, accepted, 1000);
	KUNIT_EXPECT_LT(test, accepted, 19000);
}

static struct kunit_case conf_cases[] = {
	KUNIT_CASE(travels_unchanged),
	KUNIT_CASE(values_that_cannot_be),
	KUNIT_CASE(slots_that_cannot_be),
	KUNIT_CASE(primaries_that_cannot_be),
	KUNIT_CASE(reserved_bytes_are_refused),
	KUNIT_CASE(masks),
	KUNIT_CASE(order_of_epochs_and_terms),
	KUNIT_CASE(primary_changes_with_the_term_alone),
	KUNIT_CASE(two_steps_of_promotion),
	KUNIT_CASE(slots_of_the_set_keep_their_incarnation),
	KUNIT_CASE(slots_come_and_go_outside_of_the_set),
	KUNIT_CASE(copy_of_a_number),
	KUNIT_CASE(random_bytes),
	{}
};

static struct kunit_suite conf_suite = {
	.name = "holdfast_conf",
	.test_cases = conf_cases,
};

kunit_test_suite(conf_suite);
MODULE_LICENSE("GPL");
