/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KUnit in user space: runs the unchanged kernel/test/ files, one program
 * each, and prints TAP. A failed expectation goes on, a failed assertion ends
 * its case; memory of a case is freed after it.
 */
#ifndef _SHIM_KUNIT_TEST_H
#define _SHIM_KUNIT_TEST_H

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <linux/kernel.h>
#include <linux/string.h>

#define GFP_KERNEL		0
#define MODULE_LICENSE(x)	extern int kunit_shim_license
#define MODULE_DESCRIPTION(x)	extern int kunit_shim_description

struct kunit_memory {
	struct kunit_memory	*next;
	u64			data[];
};

struct kunit {
	bool			failed;
	jmp_buf			abort;
	struct kunit_memory	*memory;
};

struct kunit_case {
	void		(*run_case)(struct kunit *test);
	const char	*name;
};

struct kunit_suite {
	const char		name[64];
	struct kunit_case	*test_cases;
};

#define KUNIT_CASE(fn)	{ .run_case = (fn), .name = #fn }

static inline void *kunit_kzalloc(struct kunit *test, size_t bytes, int gfp)
{
	struct kunit_memory *memory = calloc(1, sizeof(*memory) + bytes);

	(void)gfp;
	if (!memory)
		abort();
	memory->next = test->memory;
	test->memory = memory;
	return memory->data;
}

#define KUNIT_SHIM_CHECK(test, ok, fatal, text, fmt, ...) do {				\
	if (ok)										\
		break;									\
	(test)->failed = true;								\
	printf("# %s:%d: expected %s; " fmt "\n", __FILE__, __LINE__, text, ##__VA_ARGS__);	\
	if (fatal)									\
		longjmp((test)->abort, 1);						\
} while (0)

#define KUNIT_SHIM_CMP(test, a, op, b, fatal, fmt, ...) do {				\
	long long _l = (long long)(a), _r = (long long)(b);				\
											\
	KUNIT_SHIM_CHECK(test, _l op _r, fatal, #a " " #op " " #b,			\
			 "they are %lld and %lld " fmt, _l, _r, ##__VA_ARGS__);		\
} while (0)

#define KUNIT_EXPECT_EQ(test, a, b)	KUNIT_SHIM_CMP(test, a, ==, b, false, "")
#define KUNIT_EXPECT_NE(test, a, b)	KUNIT_SHIM_CMP(test, a, !=, b, false, "")
#define KUNIT_EXPECT_LT(test, a, b)	KUNIT_SHIM_CMP(test, a, <, b, false, "")
#define KUNIT_EXPECT_LE(test, a, b)	KUNIT_SHIM_CMP(test, a, <=, b, false, "")
#define KUNIT_EXPECT_GT(test, a, b)	KUNIT_SHIM_CMP(test, a, >, b, false, "")
#define KUNIT_EXPECT_GE(test, a, b)	KUNIT_SHIM_CMP(test, a, >=, b, false, "")
#define KUNIT_ASSERT_EQ(test, a, b)	KUNIT_SHIM_CMP(test, a, ==, b, true, "")
#define KUNIT_ASSERT_NE(test, a, b)	KUNIT_SHIM_CMP(test, a, !=, b, true, "")
#define KUNIT_ASSERT_LE(test, a, b)	KUNIT_SHIM_CMP(test, a, <=, b, true, "")
#define KUNIT_EXPECT_EQ_MSG(test, a, b, fmt, ...) \
	KUNIT_SHIM_CMP(test, a, ==, b, false, fmt, ##__VA_ARGS__)
#define KUNIT_ASSERT_EQ_MSG(test, a, b, fmt, ...) \
	KUNIT_SHIM_CMP(test, a, ==, b, true, fmt, ##__VA_ARGS__)
#define KUNIT_EXPECT_TRUE(test, c)	KUNIT_SHIM_CHECK(test, (c), false, #c, "")
#define KUNIT_EXPECT_FALSE(test, c)	KUNIT_SHIM_CHECK(test, !(c), false, "not " #c, "")
#define KUNIT_ASSERT_TRUE(test, c)	KUNIT_SHIM_CHECK(test, (c), true, #c, "")
#define KUNIT_ASSERT_FALSE(test, c)	KUNIT_SHIM_CHECK(test, !(c), true, "not " #c, "")
#define KUNIT_ASSERT_TRUE_MSG(test, c, fmt, ...) \
	KUNIT_SHIM_CHECK(test, (c), true, #c, fmt, ##__VA_ARGS__)
#define KUNIT_EXPECT_TRUE_MSG(test, c, fmt, ...) \
	KUNIT_SHIM_CHECK(test, (c), false, #c, fmt, ##__VA_ARGS__)
#define KUNIT_EXPECT_PTR_EQ(test, a, b) \
	KUNIT_SHIM_CHECK(test, (const void *)(a) == (const void *)(b), false, #a " == " #b, "")
#define KUNIT_EXPECT_NULL(test, p)	KUNIT_SHIM_CHECK(test, !(p), false, "no " #p, "")
#define KUNIT_EXPECT_NOT_NULL(test, p)	KUNIT_SHIM_CHECK(test, (p), false, #p, "")
#define KUNIT_ASSERT_NOT_NULL(test, p)	KUNIT_SHIM_CHECK(test, (p), true, #p, "")
#define KUNIT_EXPECT_STREQ(test, a, b) do {						\
	const char *_l = (a), *_r = (b);						\
											\
	KUNIT_SHIM_CHECK(test, _l && _r && !strcmp(_l, _r), false, #a " as " #b,	\
			 "it is \"%s\"", _l ? _l : "(null)");				\
} while (0)

static inline void kunit_shim_free(struct kunit *test)
{
	while (test->memory) {
		struct kunit_memory *next = test->memory->next;

		free(test->memory);
		test->memory = next;
	}
}

static __attribute__((noinline)) bool kunit_shim_case(const struct kunit_case *one)
{
	static struct kunit test;

	test.failed = false;
	test.memory = NULL;
	if (!setjmp(test.abort))
		one->run_case(&test);
	kunit_shim_free(&test);
	return !test.failed;
}

static inline int kunit_shim_run(const struct kunit_suite *suite)
{
	const struct kunit_case *one;
	int nr = 0, failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (one = suite->test_cases; one->run_case; one++) {
		bool ok = kunit_shim_case(one);

		failed += !ok;
		printf("%sok %d - %s: %s\n", ok ? "" : "not ", ++nr, suite->name, one->name);
	}
	return failed ? 1 : 0;
}

#define kunit_test_suite(suite)				\
	int main(void)					\
	{						\
		return kunit_shim_run(&(suite));	\
	}						\
	extern int kunit_shim_suite

#endif
