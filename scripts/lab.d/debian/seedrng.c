// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * seedrng: give the kernel's random number generator 64 bytes from standard
 * input and have it used at once.
 *
 * Guests resumed from one saved state would otherwise all draw the same
 * "random" numbers, and with them the same identifiers.
 */
#include <fcntl.h>
#include <linux/random.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SEED_BYTES	64

int main(void)
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

		if (n <= 0) {
			fprintf(stderr, "seedrng: no seed on standard input\n");
			return 1;
		}
		done += n;
	}
	fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, RNDADDENTROPY, &seed) ||
	    ioctl(fd, RNDRESEEDCRNG)) {
		perror("seedrng");
		return 1;
	}
	return 0;
}
