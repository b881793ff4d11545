// SPDX-License-Identifier: GPL-2.0
/* The histogram of acknowledgment times: each time is in the bucket that names it. */
#include <kunit/test.h>
#include <linux/module.h>

#include "../latency.h"

static unsigned int bucket_of(struct kunit *test, u64 us)
{
	struct hf_latency latency = {};
	unsigned int i, nr = HF_LATENCY_BUCKETS;
	u64 sum = 0;

	hf_latency_add(&latency, us);
	for (i = 0; i < HF_LATENCY_BUCKETS; i++) {
		sum += latency.counts[i];
		if (latency.counts[i])
			nr = i;
	}
	KUNIT_EXPECT_EQ(test, sum, 1ULL);
	return nr;
}

static void a_time_is_below_its_bound_alone(struct kunit *test)
{
	unsigned int i;

	KUNIT_EXPECT_EQ(test, bucket_of(test, 0), 0U);
	for (i = 0; i < HF_LATENCY_BUCKETS - 1; i++) {
		KUNIT_EXPECT_EQ(test, bucket_of(test, hf_latency_below_us(i) - 1), i);
		KUNIT_EXPECT_EQ(test, bucket_of(test, hf_latency_below_us(i)), i + 1);
	}
}

static void the_last_bucket_has_no_bound(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, hf_latency_below_us(0), 16ULL);
	KUNIT_EXPECT_EQ(test, hf_latency_below_us(HF_LATENCY_BUCKETS - 2), 16777216ULL);
	KUNIT_EXPECT_EQ(test, hf_latency_below_us(HF_LATENCY_BUCKETS - 1), 0ULL);
	KUNIT_EXPECT_EQ(test, bucket_of(test, 1ULL << 40), HF_LATENCY_BUCKETS - 1U);
	KUNIT_EXPECT_EQ(test, bucket_of(test, ~0ULL), HF_LATENCY_BUCKETS - 1U);
}

static struct kunit_case latency_cases[] = {
	KUNIT_CASE(a_time_is_below_its_bound_alone),
	KUNIT_CASE(the_last_bucket_has_no_bound),
	{}
};

static struct kunit_suite latency_suite = {
	.name = "holdfast_latency",
	.test_cases = latency_cases,
};

kunit_test_suite(latency_suite);
MODULE_LICENSE("GPL");
