// SPDX-License-Identifier: GPL-2.0-or-later
/* hfio: options and dispatch. */
#include "hfio.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
	"usage: hfio COMMAND (--file PATH | --device PATH) [OPTION…]\n"
	"  append   [--count N] [--interval-us U]  commits numbered records with fdatasync and\n"
	"           prints each number once it is acknowledged; goes on after the last one found\n"
	"  verify   --acked N      prints 'found M': records 1…M are there and intact\n"
	"  sums     --bytes N      crc32c of each MiB\n"
	"  storm    --blocks N --threads T --seconds S --seed X [--interval-us U]\n"
	"           versioned blocks, written and read; the history goes to stdout\n"
	"  versions --blocks N     the version of each block of a storm\n"
	"  overlap  --blocks N --threads T --seconds S --seed X   overlapping writes\n"
	"  mix      --offset O --bytes N --seed X [--count N] [--interval-us U]\n"
	"           writes, discards and zeros of an area that read as zeros; prints the number\n"
	"           of each that was acknowledged\n"
	"  mixed    --offset O --bytes N --seed X --acked N [--count N]   is that there; with\n"
	"           --count nothing came after N\n"
	"  clear    --offset O --bytes N --how discard|zeroout|punch|range\n";

static const struct command {
	const char *name;
	int (*run)(const struct options *options);
} commands[] = {
	{ "append", run_append },	{ "verify", run_verify },	{ "sums", run_sums },
	{ "storm", run_storm },		{ "versions", run_versions },	{ "overlap", run_overlap },
	{ "mix", run_mix },		{ "mixed", run_mixed },		{ "clear", run_clear },
};

static void bad_usage(const char *why)
{
	fprintf(stderr, "hfio: %s\n%s", why, usage);
	exit(2);
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end || end == text)
		bad_usage("a number is wrong");
	return value;
}

static void parse(int argc, char **argv, struct options *options)
{
	static const struct option longs[] = {
		{ "file", 1, NULL, 'f' },	 { "device", 1, NULL, 'd' },
		{ "acked", 1, NULL, 'a' },	 { "bytes", 1, NULL, 'b' },
		{ "count", 1, NULL, 'c' },	 { "blocks", 1, NULL, 'n' },
		{ "seed", 1, NULL, 's' },	 { "interval-us", 1, NULL, 'i' },
		{ "threads", 1, NULL, 't' },	 { "seconds", 1, NULL, 'S' },
		{ "offset", 1, NULL, 'o' },	 { "how", 1, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (option) {
		case 'f': options->path = optarg; break;
		case 'd': options->path = optarg; options->device = true; break;
		case 'a': options->acked = number(optarg); break;
		case 'b': options->bytes = number(optarg); break;
		case 'c': options->count = number(optarg); break;
		case 'n': options->blocks = number(optarg); break;
		case 's': options->seed = number(optarg); break;
		case 'i': options->interval_us = (unsigned int)number(optarg); break;
		case 't': options->threads = (unsigned int)number(optarg); break;
		case 'S': options->seconds = (unsigned int)number(optarg); break;
		case 'o': options->offset = number(optarg); break;
		case 'h': options->how = optarg; break;
		default: bad_usage("an option is wrong");
		}
	}
	if (optind != argc || !options->path)
		bad_usage("--file or --device is missing");
	if (!options->threads || options->threads > 64 || options->blocks < options->threads)
		bad_usage("--threads must be 1 to 64, and not more than --blocks");
}

int main(int argc, char **argv)
{
	struct options options = { .threads = 1, .blocks = 256, .seconds = 10, .seed = 1 };

	if (argc < 2)
		bad_usage("no command");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].name))
			continue;
		parse(argc - 1, argv + 1, &options);
		return commands[i].run(&options);
	}
	bad_usage("unknown command");
	return 2;
}
