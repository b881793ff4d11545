/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hfreplay: what would lie on the devices of a volume's slots had the power of
 * all nodes been cut at some moment, and whether the rules can live with it.
 */
#ifndef REPLAY_H
#define REPLAY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "../../kernel/al_core.h"
#include "../../kernel/bitmap_core.h"
#include "../../kernel/meta_core.h"

#define BLOCK	4096u
#define SECTOR	512u

/* What a cut leaves of the writes that no flush has covered. */
enum loss { LOSE_ALL, LOSE_NOTHING, LOSE_SOME, NR_LOSSES };

/* A write or a run of zeros (@bytes NULL) that took effect. */
struct change {
	uint64_t at;
	uint64_t length;
	const uint8_t *bytes;	/* in the log */
	bool certain;		/* FUA: no cut takes it away */
};

/**
 * struct device - one recorded device
 * @path: of its log
 * @log: the log, mapped
 * @log_bytes: its length
 * @at: next entry
 * @size: bytes that are looked at; what is beyond is nobody's
 * @durable: what a cut cannot take away
 * @state: what lies on it after the cut that is being looked at
 * @pending: after the last flush, in order
 * @touched: blocks in which @state may differ from @durable
 */
struct device {
	const char *path;
	const uint8_t *log;
	uint64_t log_bytes;
	uint64_t at;
	uint64_t size;
	uint8_t *durable;
	uint8_t *state;
	struct change *pending;
	size_t nr_pending;
	size_t room_pending;
	uint32_t *touched;
	size_t nr_touched;
	size_t room_touched;
};

enum { DATA, META, DEVICES };

/* What the log of a slot says of an extent. */
enum { LOGGED = 1, UNFLUSHED = 2 };

/**
 * struct slot - one copy
 * @device: its two devices
 * @formatted: its superblock is durable: from then on there is always one
 * @generation: of the superblock that was durable when last looked
 * @known: there is a superblock in this state; the rest is valid only then
 * @super: it
 * @extents: what the log says of each extent
 */
struct slot {
	struct device device[DEVICES];
	bool formatted;
	uint64_t generation;
	uint64_t epoch;
	bool known;
	struct hf_super super;
	uint8_t *extents;
	uint32_t nr_extents;
};

struct replay {
	struct slot slots[HF_MAX_SLOTS];
	unsigned int nr_slots;
	uint64_t volume_bytes;
	uint8_t *differs[HF_MAX_SLOTS][HF_MAX_SLOTS];	/* durable content, by block; i < j */
	uint64_t states;		/* looked at */
	uint64_t boundaries;
	uint64_t unequal;		/* blocks that differed, over all states */
	uint64_t covered;		/* pending data writes that a log had to name */
	uint64_t now;			/* ns, of the cut */
	unsigned int bad;
};

/* replay_log.c */
void device_open(struct device *device, const char *path, uint64_t size);
/* Time of the next entry, UINT64_MAX at the end. */
uint64_t device_next_ns(const struct device *device);
/* Is the next entry one after which more is durable than before. */
bool device_at_boundary(const struct device *device);
/* Lets the next entry take effect; @changed is told each block whose durable content changed. */
void device_step(struct device *device, void (*changed)(void *context, uint64_t block),
		 void *context);
void device_cut(struct device *device, enum loss loss, uint64_t *random);
uint64_t random_next(uint64_t *state);

/* replay_check.c */
/* Looks at the state of all devices; what is wrong is printed and counted in @replay->bad. */
void check_state(struct replay *replay, enum loss loss);
/* Slots of the newest configuration's in-sync set, by index in @replay->slots. */
unsigned int in_sync(const struct replay *replay);

#endif
