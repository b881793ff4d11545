// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * holdfast-setup wait, events: wait for a state of the module, or print what
 * it tells.  A wait listens first and dumps after, so that nothing falls
 * between; it dumps again at each event and, since counters and leases have no
 * events of their own, ten times a second as well.
 */
#include "setup.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "nl_event.h"

#define TICK_MS		100

static u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000 + (u64)ts.tv_nsec / 1000000;
}

enum subject {
	IS_LINK, IS_SLOT, IS_DISK, IS_REBUILD, IS_FLAG, IS_ADOPTED, IS_EPOCH, IS_TERM, IS_HOLDING,
	IS_FLOWING, IS_HELD, IS_OPENERS, IS_STABLE, IS_IDLE, IS_GONE,
};

static const struct word {
	const char	*name;
	enum subject	subject;
	bool		has_slot;
	bool		has_state;	/* a word */
	bool		has_number;
	u32		flag;
} words[] = {
	{ "link", IS_LINK, true, true, false, 0 },
	{ "slot", IS_SLOT, false, true, false, 0 },
	{ "disk", IS_DISK, false, true, false, 0 },
	{ "rebuild", IS_REBUILD, true, true, false, 0 },
	{ "reconciled", IS_FLAG, true, false, false, HOLDFAST_REMOTE_RECONCILED },
	{ "counted", IS_FLAG, true, false, false, HOLDFAST_REMOTE_COUNTED },
	{ "admissible", IS_FLAG, true, false, false, HOLDFAST_REMOTE_ADMISSIBLE },
	{ "lost", IS_FLAG, true, false, false, HOLDFAST_REMOTE_LOST },
	{ "new-life", IS_FLAG, true, false, false, HOLDFAST_REMOTE_NEW_LIFE },
	{ "adopted", IS_ADOPTED, true, false, true, 0 },
	{ "epoch", IS_EPOCH, false, false, true, 0 },
	{ "term", IS_TERM, false, false, true, 0 },
	{ "holding", IS_HOLDING, false, false, false, 0 },
	{ "flowing", IS_FLOWING, false, false, false, 0 },
	{ "held", IS_HELD, false, false, true, 0 },
	{ "openers", IS_OPENERS, false, false, true, 0 },
	{ "stable", IS_STABLE, false, false, false, 0 },
	{ "idle", IS_IDLE, false, false, false, 0 },
	{ "gone", IS_GONE, false, false, false, 0 },
};

struct condition {
	const struct word	*word;
	u64			slot;
	u64			number;
	const char		*state;
};

#define MAX_CONDITIONS	8

static bool state_known(const struct condition *cond)
{
	const char *(*name)(u8 state) = cond->word->subject == IS_LINK ? hf_nl_link_name :
					cond->word->subject == IS_SLOT ? hf_nl_slot_name :
					cond->word->subject == IS_DISK ? hf_nl_disk_name :
					hf_nl_rebuild_name;
	u8 i;

	for (i = 0; strcmp(name(i), "?"); i++)
		if (!strcmp(name(i), cond->state))
			return true;
	return false;
}

static int parse_condition(const struct setup *setup, int *at, struct condition *cond)
{
	const char *name = setup->argv[(*at)++];
	size_t i;

	memset(cond, 0, sizeof(*cond));
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(words[i].name, name))
			cond->word = &words[i];
	if (!cond->word)
		return setup_usage("\"%s\" is nothing to wait for", name);

	if (cond->word->has_slot) {
		if (*at >= setup->argc || !setup_parse_u64(setup->argv[(*at)++], &cond->slot) ||
		    cond->slot >= HF_MAX_SLOTS)
			return setup_usage("%s needs a slot number", name);
	}
	if (cond->word->has_number) {
		if (*at >= setup->argc || !setup_parse_u64(setup->argv[(*at)++], &cond->number))
			return setup_usage("%s needs a number", name);
	}
	if (cond->word->has_state) {
		if (*at >= setup->argc)
			return setup_usage("%s needs a state", name);
		cond->state = setup->argv[(*at)++];
		if (!state_known(cond))
			return setup_usage("%s knows no state \"%s\"", name, cond->state);
	}
	return SETUP_OK;
}

static bool is_met(const struct condition *cond, const struct hf_nl_volume *volume)
{
	const struct hf_nl_remote *remote;

	if (!volume)
		return cond->word->subject == IS_GONE;
	remote = &volume->remotes[cond->slot];

	switch (cond->word->subject) {
	case IS_LINK:
		return !strcmp(hf_nl_link_name(remote->link_state), cond->state);
	case IS_SLOT:
		return !strcmp(hf_nl_slot_name(volume->slot.state), cond->state);
	case IS_DISK:
		return !strcmp(hf_nl_disk_name(volume->disk.state), cond->state);
	case IS_REBUILD:
		return !strcmp(hf_nl_rebuild_name(remote->rebuild_state), cond->state);
	case IS_FLAG:
		return remote->flags & cond->word->flag;
	case IS_ADOPTED:
		return remote->adopted_epoch >= cond->number;
	case IS_EPOCH:
		return volume->conf.epoch >= cond->number;
	case IS_TERM:
		return volume->conf.term >= cond->number;
	case IS_HOLDING:
		return volume->disk.holding_ms;
	case IS_FLOWING:
		return volume->disk.state == HOLDFAST_DISK_ACTIVE && !volume->disk.holding_ms &&
		       !volume->disk.held;
	case IS_HELD:
		return volume->disk.held >= cond->number;
	case IS_OPENERS:
		return volume->disk.openers == cond->number;
	case IS_STABLE:
		return volume->disk.stable == volume->disk.seq;
	case IS_IDLE:
		return !volume->slot.log_used && !volume->slot.backing_busy;
	case IS_GONE:
		return false;
	}
	return false;
}

static void on_event(void *arg, const struct hf_nl_event *event)
{
	(void)event;
	*(bool *)arg = true;
}

static void on_gap(void *arg)
{
	*(bool *)arg = true;
}

static void on_module(void *arg, bool present)
{
	(void)present;
	*(bool *)arg = true;
}

static const struct hf_nl_event_ops wait_ops = {
	.event = on_event, .gap = on_gap, .module = on_module,
};

/* Returns whether all are met; *unmet is one that is not. */
static int all_met(struct setup *setup, const struct condition *conds, int nr, const char **unmet)
{
	const struct hf_nl_volume *volume;
	struct hf_nl_volumes volumes;
	int i, ret = setup_find(setup, &volumes, &volume);

	*unmet = NULL;
	if (ret)
		return ret;
	for (i = 0; i < nr && !*unmet; i++)
		if (!is_met(&conds[i], volume))
			*unmet = conds[i].word->name;
	hf_nl_volumes_free(&volumes);
	return SETUP_OK;
}

static void poll_events(struct hf_nl_events *events, u64 deadline)
{
	struct pollfd fd = { .fd = hf_nl_events_fd(events), .events = POLLIN };
	u64 now = now_ms();
	int left = now >= deadline ? 0 : deadline - now > TICK_MS ? TICK_MS : (int)(deadline - now);

	if (poll(&fd, 1, left) > 0)
		hf_nl_events_read(events);
}

int setup_cmd_wait(struct setup *setup)
{
	struct condition conds[MAX_CONDITIONS];
	struct hf_nl_events *events;
	bool woken = false;
	const char *unmet;
	u64 deadline;
	int at = 0, nr = 0, ret;

	while (at < setup->argc) {
		if (nr == MAX_CONDITIONS)
			return setup_usage("at most %d conditions", MAX_CONDITIONS);
		ret = parse_condition(setup, &at, &conds[nr++]);
		if (ret)
			return ret;
	}
	events = hf_nl_events_new(&wait_ops, &woken);
	if (!events)
		return setup_fail("the module's events cannot be heard");

	deadline = now_ms() + setup->timeout_s * 1000;
	for (;;) {
		ret = all_met(setup, conds, nr, &unmet);
		if (ret || !unmet)
			break;
		if (now_ms() >= deadline) {
			ret = setup_fail("waited %llu s in vain for: %s",
					 (unsigned long long)setup->timeout_s, unmet);
			break;
		}
		poll_events(events, deadline);
	}
	hf_nl_events_free(events);
	return ret;
}

struct printer {
	struct setup	*setup;
	u64		left;
};

static void print_event(void *arg, const struct hf_nl_event *event)
{
	struct printer *printer = arg;
	char name[SETUP_NAME_MAX];

	if (!printer->left)
		return;
	printer->left--;
	setup_volume_name(event->uuid, name);
	if (printer->setup->json)
		printf("{\"seq\": %llu, \"event\": \"%s\", \"volume\": \"%s\", \"slot\": %d, "
		       "\"term\": %llu, \"epoch\": %llu, \"link_id\": \"0x%016llx\", "
		       "\"reason\": \"%s\"}\n",
		       (unsigned long long)event->seq, hf_nl_event_name(event->event), name,
		       event->slot_nr, (unsigned long long)event->term,
		       (unsigned long long)event->epoch, (unsigned long long)event->link_id,
		       hf_nl_down_name(event->down_reason));
	else
		printf("%llu %s %s slot=%d term=%llu epoch=%llu reason=%s\n",
		       (unsigned long long)event->seq, hf_nl_event_name(event->event), name,
		       event->slot_nr, (unsigned long long)event->term,
		       (unsigned long long)event->epoch, hf_nl_down_name(event->down_reason));
	fflush(stdout);
}

static void print_gap(void *arg)
{
	(void)arg;
	puts("gap");
	fflush(stdout);
}

static void print_module(void *arg, bool present)
{
	(void)arg;
	puts(present ? "module came" : "module went");
	fflush(stdout);
}

static const struct hf_nl_event_ops print_ops = {
	.event = print_event, .gap = print_gap, .module = print_module,
};

int setup_cmd_events(struct setup *setup)
{
	struct printer printer = { .setup = setup, .left = setup->count ? setup->count : UINT64_MAX };
	bool bounded = setup->given & SETUP_TIMEOUT;
	u64 deadline = now_ms() + setup->timeout_s * 1000;
	struct hf_nl_events *events = hf_nl_events_new(&print_ops, &printer);
	int ret = SETUP_OK;

	if (!events)
		return setup_fail("the module's events cannot be heard");
	while (printer.left) {
		if (bounded && now_ms() >= deadline) {
			if (setup->count)
				ret = setup_fail("%llu events did not come in time",
						 (unsigned long long)printer.left);
			break;
		}
		poll_events(events, bounded ? deadline : UINT64_MAX);
	}
	hf_nl_events_free(events);
	return ret;
}
