// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Profiles: what a history is made of. The mixed one has a little of all; each
 * of the others crowds what one kind of mistake needs to show.
 */
#include "sim.h"

#include <string.h>

static const struct sim_profile profiles[] = {
	{
		.name = "mixed",
		.weights = {
			[FAULT_ABSENCE] = 6, [FAULT_CUT] = 24, [FAULT_CUT_ALL] = 6,
			[FAULT_AGENT] = 16, [FAULT_ONE_WAY] = 10, [FAULT_TWO_WAYS] = 12,
			[FAULT_ISOLATE] = 10, [FAULT_PAUSE] = 8, [FAULT_PROMISES] = 2,
			[FAULT_SLOW] = 4, [FAULT_LATENCY] = 2,
		},
		.gap_us = 15 * SIM_S,
		.client_us = 25 * SIM_MS,
	}, {
		/* Something happens to the primary soon after each step of its volume. */
		.name = "steps",
		.weights = {
			[FAULT_CUT] = 40, [FAULT_AGENT] = 10, [FAULT_TWO_WAYS] = 10,
			[FAULT_ISOLATE] = 10, [FAULT_PAUSE] = 5,
		},
		.gap_us = 10 * SIM_S,
		.client_us = 25 * SIM_MS,
		.step_pct = 30,
	}, {
		/* What is lost stays unwritten for long, and the sets are large. */
		.name = "slow-clients",
		.weights = {
			[FAULT_CUT] = 50, [FAULT_CUT_ALL] = 10, [FAULT_AGENT] = 5,
			[FAULT_TWO_WAYS] = 10,
		},
		.gap_us = 8 * SIM_S,
		.client_us = 400 * SIM_MS,
		.step_pct = 20,
		.copies = 3,
	}, {
		/* Slots reboot while nobody can decide anything. */
		.name = "leaderless",
		.weights = {
			[FAULT_LEADERLESS] = 60, [FAULT_CUT] = 15, [FAULT_AGENT] = 10,
		},
		.gap_us = 8 * SIM_S,
		.client_us = 200 * SIM_MS,
		.step_pct = 5,
	}, {
		/*
		 * The primary is cut off from agents without patience, and the copy that
		 * promised it something reboots, which it can be promoted after when it
		 * was idle: the lease runs still.
		 */
		.name = "promises",
		.weights = {
			[FAULT_PROMISES] = 70, [FAULT_ISOLATE] = 20, [FAULT_PAUSE] = 10,
		},
		.gap_us = 10 * SIM_S,
		.client_us = 25 * SIM_MS,
		.quiet_pct = 4,
		.aim_pct = 80,
		.scale_pct = 15,
	}, {
		/* Writes that reach the device long after their link has ended. */
		.name = "slow-devices",
		.weights = {
			[FAULT_SLOW] = 70, [FAULT_TWO_WAYS] = 15, [FAULT_CUT] = 15,
		},
		.gap_us = 8 * SIM_S,
		.client_us = 25 * SIM_MS,
	},
};

enum { NR_PROFILES = sizeof(profiles) / sizeof(profiles[0]) };

const struct sim_profile *sim_profile_named(const char *name)
{
	unsigned int i;

	for (i = 0; i < NR_PROFILES; i++) {
		if (!strcmp(profiles[i].name, name))
			return &profiles[i];
	}
	return NULL;
}

/* Mostly the mixed one. */
const struct sim_profile *sim_profile_by_chance(struct sim *sim)
{
	return sim_chance(sim, 60) ? &profiles[0] : &profiles[sim_below(sim, NR_PROFILES)];
}

enum sim_fault sim_profile_fault(struct sim *sim)
{
	unsigned int total = 0, kind;
	u64 dice;

	for (kind = 0; kind < FAULT_KINDS; kind++)
		total += sim->profile->weights[kind];
	dice = sim_below(sim, total);
	for (kind = 0; dice >= sim->profile->weights[kind]; kind++)
		dice -= sim->profile->weights[kind];
	return (enum sim_fault)kind;
}
