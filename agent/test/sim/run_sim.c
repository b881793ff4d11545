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

/* Broken rules, each with the profile of histories that shows it. */
static const struct {
	const char	*name;
	const char	*profile;
} mutants[MUTANTS] = {
	[MUTANT_EARLY_ACK]		= { "early-ack (R2)", "mixed" },
	[MUTANT_NO_HOLD]		= { "no-hold (R3)", "mixed" },
	[MUTANT_NO_LEASE]		= { "no-lease (R5)", "mixed" },
	[MUTANT_NO_GRACE]		= { "no-grace (R5)", "promises" },
	[MUTANT_NO_RECONCILE]		= { "no-reconcile (R7)", "mixed" },
	[MUTANT_NO_R7_FLUSH]		= { "no-reconcile-flush (R7)", "steps" },
	[MUTANT_LATE_IO]		= { "late-io (R1)", "slow-devices" },
	[MUTANT_NO_MARKS]		= { "no-marks (R3b)", "mixed" },
	[MUTANT_MARKS_VOLATILE]		= { "marks-volatile (R10)", "slow-clients" },
	[MUTANT_NO_LOG]			= { "no-log (R10)", "mixed" },
	[MUTANT_UNCLEAN_FIRST]		= { "unclean-first (R10)", "mixed" },
	[MUTANT_NO_LIFE]		= { "no-life (R3, R4)", "leaderless" },
	[MUTANT_COUNT_LATE]		= { "count-late (R9)", "mixed" },
	[MUTANT_REBUILD_UNFLUSHED]	= { "rebuild-unflushed (R9)", "mixed" },
	[MUTANT_READ_OVERLAP]		= { "read-overlap (R8)", "mixed" },
	[MUTANT_ONE_STEP]		= { "one-step (R4)", "mixed" },
	[MUTANT_SETTLE_AT_ATTACH]	= { "settle-at-attach (R10)", "mixed" },
	[MUTANT_REUSE_BITS]		= { "reuse-bits (R3b)", "mixed" },
	[MUTANT_OTHER_BITS]		= { "other-bits (R9)", "slow-clients" },
	[MUTANT_REMOVED_COUNTS]		= { "removed-counts (R2)", "mixed" },
	[MUTANT_RETIRE_EARLY]		= { "retire-early", "mixed" },
	[MUTANT_RETIRE_NEVER]		= { "retire-never", "mixed" },
	[MUTANT_UNMADE]			= { "unmade (R16)", "mixed" },
	[MUTANT_NO_PLACE]		= { "no-place", "mixed" },
	[MUTANT_OWN_CLEARED]		= { "own-cleared (R10)", "leaderless" },
	[MUTANT_OWN_LEFT_OUT]		= { "own-left-out (R7)", "slow-clients" },
	[MUTANT_OWING_REFUSED]		= { "owing-refused (R7)", "slow-clients" },
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

/* Of this process: a busy machine is no reason to give up earlier. */
static double cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool mutant_is_caught(struct sim_options *opt, u64 seeds, double limit, bool print)
{
	double end = cpu_seconds() + limit;
	struct totals totals = { 0 };

	for (opt->seed = 1; opt->seed <= seeds && cpu_seconds() < end; opt->seed++) {
		if (!history(opt, &totals, print))
			return true;
	}
	opt->seed--;
	return false;
}

static int run_mutants(struct sim_options opt, u64 seeds, double limit, int only)
{
	const struct sim_profile *profile = opt.profile;
	int failed = 0, nr = 0;
	int m;

	printf("1..%d\n", only ? 1 : MUTANTS - 1);
	for (m = MUTANT_NONE + 1; m < MUTANTS; m++) {
		double begin = cpu_seconds();
		bool caught;

		if (only && m != only)
			continue;
		opt.mutant = m;
		opt.profile = profile ? profile : sim_profile_named(mutants[m].profile);
		caught = mutant_is_caught(&opt, seeds, limit, only != 0);
		failed += !caught;
		printf("%sok %d - mutant %s is %scaught by seed %llu of the %s histories (%.1f s)\n",
		       caught ? "" : "not ", ++nr, mutants[m].name, caught ? "" : "not ",
		       (unsigned long long)opt.seed, opt.profile->name, cpu_seconds() - begin);
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
		"usage: %s [--seeds N] [--seconds S] [--first SEED] [--seed SEED] [--profile NAME] [--mutants] [--mutant NR] [--length S] [--verbose]\n",
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
		{ "profile", required_argument, NULL, 'p' },
		{ "mutants", no_argument, NULL, 'm' },
		{ "mutant", required_argument, NULL, 'M' },
		{ "verbose", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	struct sim_options opt = { .faults = true, .fault_us = 60 * SIM_S };
	u64 count = 0, first = 1;
	double limit = 0;
	bool all = false;
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
		case 'p':
			opt.profile = sim_profile_named(optarg);
			if (!opt.profile)
				return usage(argv[0]);
			break;
		case 'm':
			all = true;
			break;
		case 'M':
			all = true;
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
	if (all)
		return run_mutants(opt, count ? count : UINT64_MAX, limit > 0 ? limit : 60, only);
	return run_seeds(first, count ? count : limit > 0 ? 0 : 100, limit, opt);
}
