// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A mutation loop for compilers without libFuzzer: right inputs of the target,
 * changed at random by a seed, for a number of seconds. A finding ends the
 * program by a signal or by the sanitizer; the input is in the file "finding".
 *
 *   TARGET SECONDS SEED          run
 *   TARGET --seeds FOLDER        write the right inputs into files
 */
#include <time.h>

#include "fuzz.h"

enum { INPUT_BYTES = 70000, SEED_COUNT = 64 };

static uint64_t state;

static uint32_t below(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32) % n;
}

static void store(const char *path, const uint8_t *data, size_t size)
{
	FILE *file = fopen(path, "wb");

	if (!file || fwrite(data, 1, size, file) != size || fclose(file)) {
		perror(path);
		exit(2);
	}
}

static uint64_t interesting(void)
{
	static const uint64_t values[] = {
		0, 1, 2, 7, 8, 63, 64, 127, 128, 255, 256, 511, 512, 1000, 1001, 4095, 4096,
		65535, 65536, 0x7fffffff, 0x80000000, 0xffffffff, 1ull << 32, 1ull << 56,
		1ull << 63, ~0ull,
	};

	return values[below(sizeof(values) / sizeof(values[0]))];
}

static size_t mutate(uint8_t *data, size_t size)
{
	unsigned int changes = 1 + below(4);
	uint64_t value;
	size_t at, width;

	while (changes-- && size) {
		at = below(size);
		switch (below(5)) {
		case 0:
			data[at] ^= 1u << below(8);
			break;
		case 1:
			data[at] = below(256);
			break;
		case 2:
			width = 1u << below(4);
			value = interesting();
			memcpy(data + at, &value, width < size - at ? width : size - at);
			break;
		case 3:
			size = below(8) ? size : at + 1;
			break;
		case 4:
			width = 1 + below(16);
			if (at + 2 * width < size)
				memcpy(data + at, data + at + width, width);
			break;
		}
	}
	return size;
}

static int write_seeds(const char *folder)
{
	static uint8_t data[INPUT_BYTES];
	char path[4096];
	unsigned int nr;
	size_t size;

	for (nr = 0; nr < SEED_COUNT; nr++) {
		size = fuzz_seed(nr, data, INPUT_BYTES);
		if (!size)
			break;
		snprintf(path, sizeof(path), "%s/seed-%u", folder, nr);
		store(path, data, size);
	}
	return nr ? 0 : 1;
}

int main(int argc, char **argv)
{
	static uint8_t data[INPUT_BYTES];
	unsigned int seeds = 0;
	uint64_t runs = 0;
	time_t end;

	if (argc != 3) {
		fprintf(stderr, "usage: %s SECONDS SEED | --seeds FOLDER\n", argv[0]);
		return 2;
	}
	if (!strcmp(argv[1], "--seeds"))
		return write_seeds(argv[2]);
	while (seeds < SEED_COUNT && fuzz_seed(seeds, data, INPUT_BYTES))
		seeds++;
	state = strtoull(argv[2], NULL, 0) * 2654435761u + 1;
	end = time(NULL) + atoi(argv[1]);
	while (time(NULL) < end) {
		unsigned int batch = 200;

		while (batch--) {
			size_t size = fuzz_seed(below(seeds), data, INPUT_BYTES);

			size = mutate(data, size);
			if (getenv("FUZZ_KEEP"))
				store("finding", data, size);
			LLVMFuzzerTestOneInput(data, size);
			runs++;
		}
	}
	printf("%llu runs\n", (unsigned long long)runs);
	return 0;
}
