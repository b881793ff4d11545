// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hfreplay: options, the merge of the logs in time, and the images for a file
 * system's check.  Exit status: 0 all good, 1 something is wrong, 2 usage.
 */
#define _GNU_SOURCE
#include "replay.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char usage[] =
	"usage: hfreplay --size BYTES --slot DATA.log META.log … [--seed N]\n"
	"                [--image FILE --hook PROGRAM --hooks N --acked FILE --begin NS]\n"
	"  looks at what a cut at every flush boundary would leave; N times after the time\n"
	"  NS, evenly spread over the boundaries, writes each in-sync slot's content to\n"
	"  FILE and runs PROGRAM FILE RECORD, where RECORD is the last one acknowledged\n"
	"  until then: --acked has lines of a number and its time in ns\n";

struct ack {
	uint64_t number;
	uint64_t ns;
};

static struct {
	const char *image, *hook, *acked;
	uint64_t size, seed, begin;
	unsigned int hooks;
	const char *paths[HF_MAX_SLOTS][DEVICES];
	unsigned int nr_slots;
} opt = { .seed = 1 };

static struct ack *acks;
static size_t nr_acks;

static _Noreturn void bad_usage(const char *why)
{
	fprintf(stderr, "hfreplay: %s\n%s", why, usage);
	exit(2);
}

static void parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "size", 1, NULL, 'b' }, { "slot", 1, NULL, 's' }, { "seed", 1, NULL, 'r' },
		{ "image", 1, NULL, 'i' }, { "hook", 1, NULL, 'h' }, { "hooks", 1, NULL, 'n' },
		{ "acked", 1, NULL, 'a' }, { "begin", 1, NULL, 'B' }, { NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (option) {
		case 'b': opt.size = strtoull(optarg, NULL, 0); break;
		case 'r': opt.seed = strtoull(optarg, NULL, 0); break;
		case 'i': opt.image = optarg; break;
		case 'h': opt.hook = optarg; break;
		case 'n': opt.hooks = (unsigned int)strtoul(optarg, NULL, 0); break;
		case 'a': opt.acked = optarg; break;
		case 'B': opt.begin = strtoull(optarg, NULL, 0); break;
		case 's':
			if (opt.nr_slots == HF_MAX_SLOTS || optind >= argc)
				bad_usage("--slot takes two logs, at most four times");
			opt.paths[opt.nr_slots][DATA] = optarg;
			opt.paths[opt.nr_slots++][META] = argv[optind++];
			break;
		default: bad_usage("an option is wrong");
		}
	}
	if (optind != argc || !opt.size || opt.size % BLOCK || !opt.nr_slots || !opt.seed)
		bad_usage("--size (a multiple of 4096), --slot or --seed is missing or wrong");
	if (!opt.hook != !opt.image || (opt.hook && !opt.hooks))
		bad_usage("--hook, --hooks and --image go together");
}

static void read_acks(void)
{
	FILE *file = opt.acked ? fopen(opt.acked, "r") : NULL;
	unsigned long long number, ns;
	size_t room = 0;

	if (!file && opt.acked)
		bad_usage("--acked cannot be read");
	while (file && fscanf(file, "%llu %llu", &number, &ns) == 2) {
		if (nr_acks == room) {
			room = room ? room * 2 : 1024;
			acks = realloc(acks, room * sizeof(*acks));
		}
		if (!acks)
			exit(2);
		acks[nr_acks++] = (struct ack){ number, ns };
	}
	if (file)
		fclose(file);
}

static uint64_t acked_until(uint64_t ns)
{
	uint64_t number = 0;

	for (size_t i = 0; i < nr_acks; i++)
		if (acks[i].ns <= ns && acks[i].number > number)
			number = acks[i].number;
	return number;
}

static void set_up(struct replay *replay)
{
	replay->volume_bytes = opt.size;
	replay->nr_slots = opt.nr_slots;
	for (unsigned int i = 0; i < opt.nr_slots; i++) {
		device_open(&replay->slots[i].device[DATA], opt.paths[i][DATA], opt.size);
		device_open(&replay->slots[i].device[META], opt.paths[i][META], 16 << 20);
		for (unsigned int j = i + 1; j < opt.nr_slots; j++) {
			replay->differs[i][j] = calloc(opt.size / BLOCK, 1);
			if (!replay->differs[i][j])
				exit(2);
		}
	}
}

/* The device whose next entry is the earliest; NULL: all logs are at their end. */
static struct device *next_device(struct replay *replay, unsigned int *slot, unsigned int *which)
{
	struct device *first = NULL;
	uint64_t ns = UINT64_MAX;

	for (unsigned int i = 0; i < replay->nr_slots; i++)
		for (unsigned int k = 0; k < DEVICES; k++)
			if (device_next_ns(&replay->slots[i].device[k]) < ns) {
				first = &replay->slots[i].device[k];
				ns = device_next_ns(first);
				*slot = i;
				*which = k;
			}
	replay->now = ns;
	return first;
}

struct step {
	struct replay *replay;
	unsigned int slot;
	bool data;
};

static void durable_changed(void *context, uint64_t block)
{
	struct step *step = context;

	for (unsigned int j = 0; step->data && j < step->replay->nr_slots; j++) {
		unsigned int low = j < step->slot ? j : step->slot;
		unsigned int high = j < step->slot ? step->slot : j;

		if (low != high)
			step->replay->differs[low][high][block] =
				!!memcmp(step->replay->slots[low].device[DATA].durable + block * BLOCK,
					 step->replay->slots[high].device[DATA].durable + block * BLOCK,
					 BLOCK);
	}
}

static void cut(struct replay *replay, enum loss loss, uint64_t *random)
{
	for (unsigned int i = 0; i < replay->nr_slots; i++)
		for (unsigned int k = 0; k < DEVICES; k++)
			device_cut(&replay->slots[i].device[k], loss, random);
	check_state(replay, loss);
}

static void write_image(const struct device *device)
{
	static const uint8_t zeros[BLOCK];
	int fd = open(opt.image, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int err = fd < 0 || ftruncate(fd, (off_t)device->size);

	for (uint64_t at = 0; at < device->size && !err; at += BLOCK)
		if (memcmp(device->state + at, zeros, BLOCK))
			err = pwrite(fd, device->state + at, BLOCK, (off_t)at) != BLOCK;
	if (err || close(fd)) {
		fprintf(stderr, "hfreplay: %s: %s\n", opt.image, strerror(errno));
		exit(2);
	}
}

/* The user's view after this cut: any slot of the set may be the one that goes on. */
static unsigned int run_hooks(struct replay *replay)
{
	unsigned int set = in_sync(replay), run = 0;
	char number[32];

	snprintf(number, sizeof(number), "%llu", (unsigned long long)acked_until(replay->now));
	for (unsigned int i = 0; i < replay->nr_slots; i++) {
		int status = -1;
		pid_t child;

		if (!(set & 1u << i))
			continue;
		write_image(&replay->slots[i].device[DATA]);
		fflush(stdout);
		child = fork();
		if (!child) {
			execlp(opt.hook, opt.hook, opt.image, number, (char *)NULL);
			_exit(127);
		}
		if (child < 0 || waitpid(child, &status, 0) != child || status) {
			printf("# cut at %.6f s: slot %u: the file system's check fails\n",
			       (double)replay->now / 1e9, replay->slots[i].super.slot);
			replay->bad++;
		}
		run++;
	}
	return run;
}

static uint64_t count_boundaries(struct replay *replay)
{
	struct replay count = *replay;
	unsigned int slot, which;
	uint64_t nr = 0;

	for (unsigned int i = 0; i < replay->nr_slots; i++)
		for (unsigned int k = 0; k < DEVICES; k++) {
			struct device *device = &count.slots[i].device[k];

			device->pending = NULL;
			device->room_pending = device->nr_pending = 0;
			device->size = 0;	/* the entries alone */
		}
	for (;;) {
		struct device *device = next_device(&count, &slot, &which);

		if (!device)
			return nr;
		if (device_at_boundary(device) && count.now >= opt.begin)
			nr++;
		device_step(device, durable_changed, &(struct step){ &count, slot, false });
	}
}

int main(int argc, char **argv)
{
	static struct replay replay;
	unsigned int slot = 0, which = 0, hooks = 0;
	uint64_t random, every, after = 0;
	struct device *device;

	parse(argc, argv);
	random = opt.seed;
	read_acks();
	set_up(&replay);
	every = opt.hooks ? count_boundaries(&replay) / opt.hooks + 1 : 0;
	while ((device = next_device(&replay, &slot, &which))) {
		if (device_at_boundary(device)) {
			replay.boundaries++;
			for (enum loss loss = 0; loss < NR_LOSSES; loss++)
				cut(&replay, loss, &random);
			if (every && replay.now >= opt.begin && after++ % every == every / 2)
				hooks += run_hooks(&replay);
		}
		device_step(device, durable_changed, &(struct step){ &replay, slot, which == DATA });
	}
	printf("# %llu boundaries, %llu states, %llu unequal blocks, %llu unflushed writes looked up, %u file systems checked\n",
	       (unsigned long long)replay.boundaries, (unsigned long long)replay.states,
	       (unsigned long long)replay.unequal, (unsigned long long)replay.covered, hooks);
	if (replay.bad)
		printf("# %u faults\n", replay.bad);
	if (!replay.covered || !replay.unequal || (opt.hook && !hooks)) {
		printf("# nothing was there to be checked\n");
		return 1;
	}
	return !!replay.bad;
}
