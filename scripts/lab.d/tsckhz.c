// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tsckhz: print the frequency of this machine's time stamp counter in kHz.
 *
 * An emulated guest sees the host's counter, but on a busy host it measures
 * the frequency badly; it is told instead, so that its clock does not drift.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#define SAMPLES		50
#define SPAN_NS		300000000LL

struct sample {
	int64_t ns;
	uint64_t ticks;
};

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* The pair of readings that was interrupted the least. */
static struct sample take(void)
{
	struct sample best = { 0, 0 };
	uint64_t shortest = UINT64_MAX;

	for (int i = 0; i < SAMPLES; i++) {
		uint64_t before = __rdtsc();
		int64_t ns = now_ns();
		uint64_t after = __rdtsc();

		if (after - before < shortest) {
			shortest = after - before;
			best = (struct sample){ ns, before + shortest / 2 };
		}
	}
	return best;
}

int main(void)
{
	struct timespec span = { 0, SPAN_NS };
	struct sample a, b;

	a = take();
	nanosleep(&span, NULL);
	b = take();
	printf("%.0f\n", (double)(b.ticks - a.ticks) * 1e6 / (b.ns - a.ns));
	return 0;
}
