// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * resumed: what a guest that goes on from a saved state needs at once. It sets
 * the system's clock from the machine's, which is the host's, and gives the
 * random number generator 64 bytes from standard input and has it use them.
 *
 * Guests resumed from one state would otherwise live in the past, and all draw
 * the same "random" numbers, and with them the same identifiers. The clock is
 * set when the machine's second changes, so that a busy host makes no error.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/random.h>
#include <linux/rtc.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define SEED_BYTES	64
#define POLL_NS		2000000
#define POLLS		2000

static bool read_rtc(int fd, time_t *now)
{
	struct rtc_time rtc;
	struct tm tm = { 0 };

	if (ioctl(fd, RTC_RD_TIME, &rtc))
		return false;
	tm.tm_sec = rtc.tm_sec;
	tm.tm_min = rtc.tm_min;
	tm.tm_hour = rtc.tm_hour;
	tm.tm_mday = rtc.tm_mday;
	tm.tm_mon = rtc.tm_mon;
	tm.tm_year = rtc.tm_year;
	*now = timegm(&tm);
	return true;
}

static int set_clock(void)
{
	struct timespec pause = { 0, POLL_NS }, set = { 0, 0 };
	int fd = open("/dev/rtc0", O_RDONLY | O_CLOEXEC);
	time_t first;

	if (fd < 0 || !read_rtc(fd, &first))
		return -1;
	for (int i = 0; i < POLLS; i++) {
		if (!read_rtc(fd, &set.tv_sec))
			return -1;
		if (set.tv_sec != first)
			return clock_settime(CLOCK_REALTIME, &set);
		nanosleep(&pause, NULL);
	}
	return -1;
}

static int seed_random(void)
{
	struct {
		struct rand_pool_info head;
		unsigned char data[SEED_BYTES];
	} seed = { .head = { SEED_BYTES * 8, SEED_BYTES } };
	unsigned char *to = (unsigned char *)seed.head.buf;
	size_t done = 0;
	int fd;

	while (done < SEED_BYTES) {
		ssize_t n = read(0, to + done, SEED_BYTES - done);

		if (n <= 0)
			return -1;
		done += n;
	}
	fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, RNDADDENTROPY, &seed))
		return -1;
	return ioctl(fd, RNDRESEEDCRNG);
}

int main(void)
{
	if (seed_random()) {
		perror("resumed: random numbers");
		return 1;
	}
	if (set_clock()) {
		perror("resumed: clock");
		return 1;
	}
	return 0;
}
