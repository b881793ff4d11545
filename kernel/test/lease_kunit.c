// SPDX-License-Identifier: GPL-2.0
/* Leases and promises (R5, R13). Times are ns of CLOCK_BOOTTIME. */
#include <kunit/test.h>
#include <linux/module.h>

#include "../lease.h"

#define MS	1000000ull
#define LEASE	(1500 * MS)
#define GRACE	(2000 * MS)

static void times_scale(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, hf_scaled_ms(HF_LEASE_MS, 100), 1500);
	KUNIT_EXPECT_EQ(test, hf_scaled_ms(HF_BEACON_MS, 250), 750);
	KUNIT_EXPECT_EQ(test, hf_scaled_ms(HF_BEACON_MS, 0), 300);
	KUNIT_EXPECT_EQ(test, hf_scaled_ms(HF_BEACON_MS, 5000), 3000);
	KUNIT_EXPECT_EQ(test, hf_scaled_ms(3, 150), 4);
	KUNIT_EXPECT_EQ(test, hf_scaled_ms(1000000000, 1000), U32_MAX);
	KUNIT_EXPECT_EQ(test, hf_scaled_ms(100000000, 1000), 1000000000);
	KUNIT_EXPECT_EQ(test, hf_scaled_ns(HF_GRACE_MS, 100), GRACE);
	/* R5: a grace outlasts a lease, at every scale, by more than 10 % of clock error. */
	KUNIT_EXPECT_GT(test, hf_scaled_ms(HF_GRACE_MS, 100),
			hf_scaled_ms(HF_LEASE_MS, 100) * 11 / 10);
	KUNIT_EXPECT_GT(test, hf_scaled_ms(HF_GRACE_MS, 130),
			hf_scaled_ms(HF_LEASE_MS, 130) * 11 / 10);
	KUNIT_EXPECT_GT(test, hf_scaled_ms(HF_LEASE_MS, 100), 4 * hf_scaled_ms(HF_BEACON_MS, 100));
}

static void lease_ends_at_stamp_plus_lease(struct kunit *test)
{
	struct hf_lease lease;

	hf_lease_init(&lease);
	KUNIT_EXPECT_EQ(test, hf_lease_end(&lease, LEASE), 0);
	KUNIT_EXPECT_TRUE(test, hf_lease_echo(&lease, 0, 5));
	KUNIT_EXPECT_EQ(test, hf_lease_end(&lease, LEASE), 0);
	/* Received late: the time of receipt is worth nothing. */
	KUNIT_EXPECT_TRUE(test, hf_lease_echo(&lease, 100 * MS, 900 * MS));
	KUNIT_EXPECT_EQ(test, hf_lease_end(&lease, LEASE), 1600 * MS);
	KUNIT_EXPECT_TRUE(test, hf_lease_holds(1600 * MS, 1600 * MS - 1));
	KUNIT_EXPECT_FALSE(test, hf_lease_holds(1600 * MS, 1600 * MS));
	/* An older echo that arrives after a newer one takes nothing away. */
	KUNIT_EXPECT_TRUE(test, hf_lease_echo(&lease, 50 * MS, 950 * MS));
	KUNIT_EXPECT_EQ(test, hf_lease_end(&lease, LEASE), 1600 * MS);
	/* A stamp that was never sent. */
	KUNIT_EXPECT_FALSE(test, hf_lease_echo(&lease, 2000 * MS, 1999 * MS));
	KUNIT_EXPECT_EQ(test, hf_lease_end(&lease, LEASE), 1600 * MS);
}

static void release_needs_fresh_stamps(struct kunit *test)
{
	struct hf_lease lease;

	hf_lease_init(&lease);
	hf_lease_echo(&lease, 100 * MS, 110 * MS);
	hf_lease_release(&lease, 200 * MS);
	KUNIT_EXPECT_EQ(test, hf_lease_end(&lease, LEASE), 0);
	hf_lease_echo(&lease, 199 * MS, 210 * MS);
	KUNIT_EXPECT_EQ(test, hf_lease_end(&lease, LEASE), 0);
	hf_lease_echo(&lease, 200 * MS, 215 * MS);
	KUNIT_EXPECT_EQ(test, hf_lease_end(&lease, LEASE), 0);
	hf_lease_release(&lease, 150 * MS);
	hf_lease_echo(&lease, 200 * MS + 1, 220 * MS);
	KUNIT_EXPECT_EQ(test, hf_lease_end(&lease, LEASE), 1700 * MS + 1);
}

static void set_is_as_good_as_its_worst(struct kunit *test)
{
	u64 ends[HF_MAX_SLOTS] = { 0, 500, 300, 700 };

	KUNIT_EXPECT_EQ(test, hf_lease_set_end(ends, 0xe), 300);
	KUNIT_EXPECT_EQ(test, hf_lease_set_end(ends, 0xa), 500);
	KUNIT_EXPECT_EQ(test, hf_lease_set_end(ends, 0x8), 700);
	KUNIT_EXPECT_EQ(test, hf_lease_set_end(ends, 0xf), 0);
	KUNIT_EXPECT_TRUE(test, hf_lease_set_end(ends, 0) == HF_LEASE_NOT_NEEDED);
	KUNIT_EXPECT_TRUE(test, hf_lease_holds(hf_lease_set_end(ends, 0), 1ull << 62));
	KUNIT_EXPECT_FALSE(test, hf_lease_holds(hf_lease_set_end(ends, 0xf), 1));
}

static void promise_binds_against_others(struct kunit *test)
{
	struct hf_promises p;

	hf_promises_init(&p, false, 0, GRACE);
	KUNIT_EXPECT_FALSE(test, hf_promises_open(&p, 1));
	KUNIT_EXPECT_EQ(test, hf_promises_left_ns(&p, 2, 20, 1), 0);
	hf_promises_record(&p, 1, 10, 1000 * MS, GRACE);
	KUNIT_EXPECT_TRUE(test, hf_promises_open(&p, 1000 * MS));
	KUNIT_EXPECT_EQ(test, hf_promises_left_ns(&p, 1, 10, 1000 * MS), 0);
	KUNIT_EXPECT_EQ(test, hf_promises_left_ns(&p, 2, 20, 1000 * MS), GRACE);
	/* Another instance on the same node is another primary. */
	KUNIT_EXPECT_EQ(test, hf_promises_left_ns(&p, 1, 11, 2500 * MS), 500 * MS);
	KUNIT_EXPECT_EQ(test, hf_promises_left_ns(&p, 2, 20, 3000 * MS - 1), 1);
	KUNIT_EXPECT_EQ(test, hf_promises_left_ns(&p, 2, 20, 3000 * MS), 0);
	KUNIT_EXPECT_FALSE(test, hf_promises_open(&p, 3000 * MS));
	/* Renewed; a late record never shortens. */
	hf_promises_record(&p, 1, 10, 1500 * MS, GRACE);
	hf_promises_record(&p, 1, 10, 1400 * MS, GRACE);
	KUNIT_EXPECT_EQ(test, hf_promises_left_ns(&p, 2, 20, 3000 * MS), 500 * MS);
}

/* The second primary is answered while it waits for the first one's promise. */
static void second_promise_does_not_end_the_first(struct kunit *test)
{
	struct hf_promises p;

	hf_promises_init(&p, false, 0, GRACE);
	hf_promises_record(&p, 1, 10, 1000 * MS, GRACE);
	hf_promises_record(&p, 2, 20, 1100 * MS, GRACE);
	hf_promises_record(&p, 2, 20, 1400 * MS, GRACE);
	KUNIT_EXPECT_EQ(test, hf_promises_left_ns(&p, 2, 20, 1400 * MS), 1600 * MS);
	KUNIT_EXPECT_EQ(test, hf_promises_left_ns(&p, 1, 10, 1400 * MS), GRACE);
	KUNIT_EXPECT_EQ(test, hf_promises_left_ns(&p, 3, 30, 1400 * MS), GRACE);
}

static void more_promises_than_places(struct kunit *test)
{
	struct hf_promises p;
	unsigned int i;

	hf_promises_init(&p, false, 0, GRACE);
	for (i = 0; i < 3 * HF_PROMISES; i++)
		hf_promises_record(&p, 100 + i, i, (1000 + i) * MS, GRACE);
	/* None may be forgotten towards anybody that it was not made to. */
	for (i = 0; i < 3 * HF_PROMISES - 1; i++)
		KUNIT_EXPECT_EQ(test, hf_promises_left_ns(&p, 100 + i, i, 1011 * MS), GRACE);
	KUNIT_EXPECT_EQ(test, hf_promises_left_ns(&p, 100 + i, i, 1011 * MS), GRACE - 1 * MS);
	/* Places of promises that have run out are used without a debt. */
	hf_promises_init(&p, false, 0, GRACE);
	for (i = 0; i < 2 * HF_PROMISES; i++)
		hf_promises_record(&p, 100 + i, i, 10000ull * i * MS, GRACE);
	i--;
	KUNIT_EXPECT_EQ(test, hf_promises_left_ns(&p, 100 + i, i, 10000ull * i * MS), 0);
}

static void load_owes_a_full_grace_unless_fresh(struct kunit *test)
{
	struct hf_promises p;

	hf_promises_init(&p, true, 5000 * MS, GRACE);
	KUNIT_EXPECT_EQ(test, hf_promises_left_ns(&p, 1, 10, 5000 * MS), GRACE);
	KUNIT_EXPECT_TRUE(test, hf_promises_open(&p, 6999 * MS));
	KUNIT_EXPECT_FALSE(test, hf_promises_open(&p, 7000 * MS));
	hf_promises_owe(&p, 1000 * MS, GRACE);
	KUNIT_EXPECT_EQ(test, hf_promises_left_ns(&p, 1, 10, 5000 * MS), GRACE);
	hf_promises_owe(&p, 6000 * MS, GRACE);
	KUNIT_EXPECT_EQ(test, hf_promises_left_ns(&p, 1, 10, 7000 * MS), 1000 * MS);
}

static struct kunit_case lease_cases[] = {
	KUNIT_CASE(times_scale),
	KUNIT_CASE(lease_ends_at_stamp_plus_lease),
	KUNIT_CASE(release_needs_fresh_stamps),
	KUNIT_CASE(set_is_as_good_as_its_worst),
	KUNIT_CASE(promise_binds_against_others),
	KUNIT_CASE(second_promise_does_not_end_the_first),
	KUNIT_CASE(more_promises_than_places),
	KUNIT_CASE(load_owes_a_full_grace_unless_fresh),
	{}
};

static struct kunit_suite lease_suite = {
	.name = "holdfast_lease",
	.test_cases = lease_cases,
};

kunit_test_suite(lease_suite);
MODULE_LICENSE("GPL");
