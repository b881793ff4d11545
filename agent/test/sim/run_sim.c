// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * run-sim: histories by seed, mutants by name, the story of a failing seed.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim.h"

static const char *const mutant_names[MUTANTS] = {
	[MUTANT_EARLY_ACK]		= "early-ack (R2)",
	[MUTANT_NO_HOLD]		= "no-hold (R3)",
	[MUTANT_NO_LEASE]		= "no-lease (R5)",
	[MUTANT_NO_GRACE]		= "no-grace (R5)",
	[MUTANT_NO_RECONCILE]		= "no-reconcile (R7)",
	[MUTANT_NO_R7_FLUSH]		= "no-reconcile-flush (R7)",
	[MUTANT_LATE_IO]		= "late-io (R1)",
	[MUTANT_NO_MARKS]		= "no-marks (R3b)",
	[MUTANT_MARKS_VOLATILE]		= "marks-volatile (R10)",
	[MUTANT_NO_LOG]			= "no-log (R10)",
	[MUTANT_UNCLEAN_FIRST]		= "unclean-first (R10)",
	[MUTANT_NO_LIFE]		= "no-life (R3, R4)",
	[MUTANT_COUNT_LATE]		= "count-late (R9)",
	[MUTANT_REBUILD_UNFLUSHED]	= "rebuild-unflushed (R9)",
	[MUTANT_READ_OVERLAP]		= "read-overlap (R8)",
	[MUTANT_ONE_STEP]		= "one-step (R4)",
	[MUTANT_SETTLE_AT_ATTACH]	= "settle-at-attach (R10)",
	[MUTANT_REUSE_BITS]		= "reuse-bits (R3b)",
	[MUTANT_OTHER_BITS]		= "other-bits (R9)",
	[MUTANT_REMOVED_COUNTS]		= "removed-counts (R2)",
	[MUTANT_RETIRE_EARLY]		= "retire-early",
	[MUTANT_RETIRE_NEVER]		= "retire-never",
	[MUTANT_UNMADE]			= "unmade (R16)",
	[MUTANT_NO_PLACE]		= "no-place",
};

struct totals {
	u64	histories;
	u64	events;
	u64	acked;
	u64	reads;
	u64	steps[STEP_KINDS];
	u64	rest_us;	/* longest time to come to rest */
};

/* Runs until all is served and redundant; S4 is violated when that takes too long. */
static void come_to_rest(struct sim *sim, struct totals *totals, const char *after)
{
	u64 since = sim->now;

	while (!sim->failure[0] && !sim_settled(sim)) {
		sim_run_until(sim, sim->now + 100 * SIM_MS);
		if (sim->now - since > 90 * SIM_S) {
			sim_dump(sim);
			sim_fail(sim, "S4: not at rest 90 s after %s", after);
		}
	}
	if (!sim->failure[0] && sim->now - since > totals->rest_us)
		totals->rest_us = sim->now - since;
}

/* A node is lost when all is well, its copies are made elsewhere, and it returns. */
static void lose_a_node(struct sim *sim, struct totals *totals)
{
	/* The last faults may not have been noticed yet. */
	sim_run_until(sim, sim->now + 6 * SIM_S);
	come_to_rest(sim, totals, "the last fault");
	if (sim->failure[0])
		return;
	sim_lose_node(sim);
	if (sim_chance(sim, 70))
		come_to_rest(sim, totals, "a node went for good");
	else
		sim_run_until(sim, sim->now + sim_below(sim, 20 * SIM_S));
	if (sim->failure[0])
		return;
	sim_return_node(sim);
	come_to_rest(sim, totals, "that node came back");
}

/* One history. True: nothing was violated. */
static bool history(const struct sim_options *opt, struct totals *totals, bool print)
{
	struct sim *sim = sim_new(opt);
	unsigned int i;
	bool well;

	sim_start_history(sim, sim_chance(sim, 50) ? 3 : 4, sim_chance(sim, 75) ? 1 : 2);
	sim_run_until(sim, opt->fault_us);
	if (!sim->failure[0])
		sim_heal(sim);
	come_to_rest(sim, totals, "the last fault");
	if (!sim->failure[0] && sim_chance(sim, 40))
		lose_a_node(sim, totals);
	if (!sim->failure[0])
		sim_check_end(sim);
	well = !sim->failure[0];
	totals->histories++;
	totals->events += sim->events_run;
	for (i = 0; i < SIM_VOLUMES; i++) {
		totals->acked += sim->checks[i].acked;
		totals->reads += sim->checks[i].reads;
	}
	for (i = 0; i < STEP_KINDS; i++)
		totals->steps[i] += sim->conf_steps[i];
	if (!well && print) {
		if (!opt->verbose)
			sim_print_trace(sim);
		printf("seed %llu: %s\n", (unsigned long long)opt->seed, sim->failure);
	}
	sim_free(sim);
	return well;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print_totals(const struct totals *t, double took)
{
	unsigned int i;

	printf("# %llu histories, %llu events, %llu writes and %llu reads in %.0f s (%.0f histories a minute); longest rest after healing %.1f s;",
	       (unsigned long long)t->histories, (unsigned long long)t->events,
	       (unsigned long long)t->acked, (unsigned long long)t->reads, took,
	       (double)t->histories * 60 / (took + 0.001), (double)t->rest_us / SIM_S);
	for (i = STEP_NAME; i < STEP_KINDS; i++)
		printf(" %s %llu", conf_step_name(i), (unsigned long long)t->steps[i]);
	printf("\n");
}

static int run_mutants(u64 seeds, u64 fault_us, int only)
{
	struct totals totals = { 0 };
	int failed = 0, nr = 0;
	int m;

	printf("1..%d\n", only ? 1 : MUTANTS - 1);
	for (m = MUTANT_NONE + 1; m < MUTANTS; m++) {
		struct sim_options opt = { .mutant = m, .faults = true, .fault_us = fault_us };

		if (only && m != only)
			continue;
		for (opt.seed = 1; opt.seed <= seeds; opt.seed++) {
			if (!history(&opt, &totals, only != 0))
				break;
		}
		nr++;
		if (opt.seed <= seeds) {
			printf("ok %d - mutant %s is caught by seed %llu\n", nr, mutant_names[m],
			       (unsigned long long)opt.seed);
		} else {
			printf("not ok %d - mutant %s is not caught in %llu histories\n", nr,
			       mutant_names[m], (unsigned long long)seeds);
			failed++;
		}
		fflush(stdout);
	}
	return failed ? 1 : 0;
}

static int run_seeds(u64 first, u64 count, double limit, struct sim_options opt)
{
	struct totals totals = { 0 };
	double begin = seconds();
	int failed = 0;
	u64 seed;

	for (seed = first; !count || seed < first + count; seed++) {
		if (limit > 0 && seconds() - begin > limit)
			break;
		opt.seed = seed;
		if (!history(&opt, &totals, true)) {
			failed++;
			break;
		}
	}
	print_totals(&totals, seconds() - begin);
	printf("%s 1 - simulation: seeds %llu to %llu\n", failed ? "not ok" : "ok",
	       (unsigned long long)first, (unsigned long long)(first + totals.histories - 1));
	return failed ? 1 : 0;
}

static int usage(const char *name)
{
	fprintf(stderr,
		"usage: %s [--seeds N] [--seconds S] [--first SEED] [--seed SEED] [--mutants] [--mutant NR] [--length S] [--verbose]\n",
		name);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seeds", required_argument, NULL, 'n' },
		{ "seconds", required_argument, NULL, 't' },
		{ "first", required_argument, NULL, 'f' },
		{ "seed", required_argument, NULL, 's' },
		{ "length", required_argument, NULL, 'l' },
		{ "mutants", no_argument, NULL, 'm' },
		{ "mutant", required_argument, NULL, 'M' },
		{ "verbose", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	struct sim_options opt = { .faults = true, .fault_us = 60 * SIM_S };
	u64 count = 0, first = 1;
	double limit = 0;
	bool mutants = false;
	int only = 0, c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (c) {
		case 'n':
			count = strtoull(optarg, NULL, 10);
			break;
		case 't':
			limit = atof(optarg);
			break;
		case 'f':
			first = strtoull(optarg, NULL, 10);
			break;
		case 's':
			first = strtoull(optarg, NULL, 10);
			count = 1;
			break;
		case 'l':
			opt.fault_us = strtoull(optarg, NULL, 10) * SIM_S;
			break;
		case 'm':
			mutants = true;
			break;
		case 'M':
			mutants = true;
			only = atoi(optarg);
			break;
		case 'v':
			opt.verbose = true;
			break;
		default:
			return usage(argv[0]);
		}
	}
	if (optind < argc || only < 0 || only >= MUTANTS)
		return usage(argv[0]);
	if (mutants)
		return run_mutants(count ? count : 10000, opt.fault_us, only);
	return run_seeds(first, count ? count : limit > 0 ? 0 : 100, limit, opt);
}
