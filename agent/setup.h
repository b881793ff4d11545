/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the files of the tool holdfast-setup alone.
 */
#ifndef _AGENT_SETUP_H
#define _AGENT_SETUP_H

#include <jansson.h>
#include <stdbool.h>

#include "../kernel/meta_core.h"
#include "nl.h"

#define SETUP_NAME_MAX	40

enum {
	SETUP_OK	= 0,
	SETUP_FAILED	= 1,
	SETUP_USAGE	= 2,
};

/**
 * struct setup - one run of the tool: its options, what is left of its words
 * @volume: set for every command that takes a volume
 * The strings are those of main()'s arguments.
 */
struct setup {
	u8		volume[16];
	int		argc;
	char		**argv;

	bool		json;
	bool		force;
	bool		full;
	bool		fresh;		/* --new */
	bool		no_zero;
	bool		discard_zeroes;
	bool		background;
	bool		loop;
	bool		dry_run;
	const char	*uuid;
	const char	*to;
	const char	*size;
	const char	*primary;
	const char	*activated;
	const char	*in_sync;
	const char	*bytes;
	const char	*from_meta;
	const char	*copies[HF_MAX_SLOTS];
	unsigned int	nr_copies;
	u64		node_id;
	u64		slot;		/* HF_MAX_SLOTS: not given */
	u64		incarnation;
	u64		vdisk;
	u64		term;
	u64		epoch;
	u64		expect;
	u64		policies;
	u64		held_timeout_ms;
	u64		port;
	u64		count;
	u64		timeout_s;
	u64		rate_kbps;
	u64		life;
	u64		instance;
	u64		link_id;
	u64		log_entries;
	u64		extent_shift;
	u32		given;		/* bits of enum setup_given */

	struct hf_nl	*nl;
};

/* Numbers for which "not given" differs from 0. */
enum setup_given {
	SETUP_TERM	= 1 << 0,
	SETUP_EPOCH	= 1 << 1,
	SETUP_EXPECT	= 1 << 2,
	SETUP_POLICIES	= 1 << 3,
	SETUP_LIFE	= 1 << 4,
	SETUP_INSTANCE	= 1 << 5,
	SETUP_VDISK	= 1 << 6,
	SETUP_HELD	= 1 << 7,
	SETUP_TIMEOUT	= 1 << 8,
};

/* One sentence to stderr; return the exit status of that kind. */
int setup_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int setup_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

bool setup_parse_u64(const char *text, u64 *value);
bool setup_parse_size(const char *text, u64 *value);
/* A UUID, or a name of up to 15 characters, which stands for its own bytes. */
bool setup_parse_volume(const char *text, u8 *volume);
void setup_volume_name(const u8 *volume, char *name);

/*
 * Dump into @volumes; sets *volume to the one of the command line, NULL when the
 * module does not know it. Returns an exit status; complains by itself.
 */
int setup_find(struct setup *setup, struct hf_nl_volumes *volumes,
	       const struct hf_nl_volume **volume);
/* Carry out @call on the volume of the command line; complains by itself. */
int setup_call(struct setup *setup, struct hf_nl_call *call);

/* setup_show.c */
json_t *setup_volume_json(const struct hf_nl_volume *volume);
int setup_cmd_show(struct setup *setup);
int setup_cmd_get(struct setup *setup);

/* setup_conf.c */
#define SETUP_CONF_HEX	(2 * sizeof(struct hf_wire_conf) + 1)
void setup_conf_hex(const struct hf_conf_data *conf, char *hex);
int setup_cmd_conf(struct setup *setup);

/* setup_link.c */
int setup_cmd_listen(struct setup *setup);
int setup_cmd_connect(struct setup *setup);

/* setup_wait.c */
int setup_cmd_wait(struct setup *setup);
int setup_cmd_events(struct setup *setup);

/* setup_meta.c */
/* The superblock of a metadata device; complains by itself. */
int setup_read_super(const char *path, struct hf_super *super);
int setup_cmd_format(struct setup *setup);
int setup_cmd_dump_meta(struct setup *setup);

#endif /* _AGENT_SETUP_H */
