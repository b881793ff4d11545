// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * holdfast-setup: the kernel module by hand, without an agent: for tests, for
 * rescue and for development.  This file reads the command line and carries
 * out the commands that are one netlink call; the others are in setup_*.c.
 * It decides nothing and keeps nothing: whoever uses it beside an agent acts
 * against that agent.
 */
#include "setup.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	OPT_HELP = 256, OPT_JSON, OPT_FORCE, OPT_FULL, OPT_NEW, OPT_NO_ZERO, OPT_DISCARD_ZEROES, OPT_BACKGROUND,
	OPT_LOOP, OPT_DRY_RUN, OPT_UUID, OPT_TO, OPT_SIZE, OPT_PRIMARY, OPT_ACTIVATED,
	OPT_IN_SYNC, OPT_COPY, OPT_NODE_ID, OPT_SLOT, OPT_INCARNATION, OPT_VDISK, OPT_TERM,
	OPT_EPOCH, OPT_EXPECT, OPT_POLICIES, OPT_HELD_TIMEOUT, OPT_PORT, OPT_COUNT, OPT_TIMEOUT,
	OPT_RATE, OPT_LIFE, OPT_INSTANCE, OPT_LINK_ID, OPT_LOG_ENTRIES, OPT_EXTENT_SHIFT,
	OPT_BYTES, OPT_FROM_META,
};

static const struct option options[] = {
	{ "help",	no_argument,		NULL, OPT_HELP },
	{ "json",	no_argument,		NULL, OPT_JSON },
	{ "force",	no_argument,		NULL, OPT_FORCE },
	{ "full",	no_argument,		NULL, OPT_FULL },
	{ "new",	no_argument,		NULL, OPT_NEW },
	{ "no-zero",	no_argument,		NULL, OPT_NO_ZERO },
	{ "discard-zeroes", no_argument,	NULL, OPT_DISCARD_ZEROES },
	{ "background",	no_argument,		NULL, OPT_BACKGROUND },
	{ "loop",	no_argument,		NULL, OPT_LOOP },
	{ "dry-run",	no_argument,		NULL, OPT_DRY_RUN },
	{ "uuid",	required_argument,	NULL, OPT_UUID },
	{ "to",		required_argument,	NULL, OPT_TO },
	{ "size",	required_argument,	NULL, OPT_SIZE },
	{ "primary",	required_argument,	NULL, OPT_PRIMARY },
	{ "activated",	required_argument,	NULL, OPT_ACTIVATED },
	{ "in-sync",	required_argument,	NULL, OPT_IN_SYNC },
	{ "copy",	required_argument,	NULL, OPT_COPY },
	{ "bytes",	required_argument,	NULL, OPT_BYTES },
	{ "from-meta",	required_argument,	NULL, OPT_FROM_META },
	{ "node-id",	required_argument,	NULL, OPT_NODE_ID },
	{ "slot",	required_argument,	NULL, OPT_SLOT },
	{ "incarnation", required_argument,	NULL, OPT_INCARNATION },
	{ "vdisk",	required_argument,	NULL, OPT_VDISK },
	{ "term",	required_argument,	NULL, OPT_TERM },
	{ "epoch",	required_argument,	NULL, OPT_EPOCH },
	{ "expect",	required_argument,	NULL, OPT_EXPECT },
	{ "policies",	required_argument,	NULL, OPT_POLICIES },
	{ "held-timeout", required_argument,	NULL, OPT_HELD_TIMEOUT },
	{ "port",	required_argument,	NULL, OPT_PORT },
	{ "count",	required_argument,	NULL, OPT_COUNT },
	{ "timeout",	required_argument,	NULL, OPT_TIMEOUT },
	{ "rate",	required_argument,	NULL, OPT_RATE },
	{ "life",	required_argument,	NULL, OPT_LIFE },
	{ "instance",	required_argument,	NULL, OPT_INSTANCE },
	{ "link-id",	required_argument,	NULL, OPT_LINK_ID },
	{ "log-entries", required_argument,	NULL, OPT_LOG_ENTRIES },
	{ "extent-shift", required_argument,	NULL, OPT_EXTENT_SHIFT },
	{ NULL, 0, NULL, 0 }
};

static const char usage[] =
"Usage: holdfast-setup COMMAND [VOLUME] [ARGUMENT...] [OPTION...]\n"
"The kernel module holdfast by hand. VOLUME is a UUID or a name of up to 15\n"
"characters, which stands for its own bytes. Numbers may be written 0x...\n"
"\n"
"Devices\n"
"  format VOLUME DATA META --slot N --node-id ID --size S --incarnation I\n"
"      [--log-entries N] [--extent-shift N] [--no-zero]   make an empty slot;\n"
"      everything on both devices is lost\n"
"  dump-meta META                      print superblock, log and bitmaps\n"
"Configuration\n"
"  conf VOLUME [--new | --bytes HEX | --from-meta META] [--expect E]\n"
"      [--node-id ME] [--dry-run] [FIELD...]   adopt a configuration: the module's\n"
"      own with the fields given here and the next epoch; --new: from nothing,\n"
"      epoch 1; or one as \"get VOLUME conf.bytes\" or --dry-run print it, or the\n"
"      one of a superblock, as they are. Fields: --size S --vdisk N\n"
"      --term T --epoch E --primary NODE:INSTANCE|none\n"
"      --activated TERM:INSTANCE|now --copy NR=NODE:INCARNATION[:LIFE]|none\n"
"      --in-sync NR,NR... --policies BITS --held-timeout MS\n"
"  del VOLUME [--force]                forget the volume\n"
"Slot of this node\n"
"  attach-slot VOLUME NR INCARNATION DATA META [--discard-zeroes]\n"
"      --discard-zeroes: what DATA discards reads as zeros (a thin volume whose\n"
"      pool zeroes new blocks)\n"
"  detach-slot VOLUME [--life L] [--force]\n"
"Disk of this node (the primary)\n"
"  prepare VOLUME                      print the instance\n"
"  release VOLUME [--instance I] [--force] [--timeout S]\n"
"  del-disk VOLUME [--instance I] [--force]\n"
"  fail VOLUME [--instance I]          fail what is held\n"
"  thaw VOLUME [--instance I]          try again what is held\n"
"Links\n"
"  listen VOLUME --slot N --term T --port P [--timeout S] [--background] [--loop]\n"
"      take the slot's end of a link from a connecting primary\n"
"  connect VOLUME --slot N --term T --to IP:PORT [--timeout S]\n"
"  del-link VOLUME --slot N [--link-id L]\n"
"  rebuild start|stop VOLUME --slot N [--full] [--rate KBPS]\n"
"To look\n"
"  show [VOLUME] [--json]\n"
"  get VOLUME PATH                     one value of show --json: slot.life\n"
"  events [--count N] [--timeout S] [--json]\n"
"  wait VOLUME CONDITION... [--timeout S]    all conditions at once; of:\n"
"      link N STATE, slot STATE, disk STATE, rebuild N STATE, reconciled N,\n"
"      counted N, admissible N, lost N, new-life N, adopted N EPOCH, epoch E,\n"
"      term T, holding, flowing, held N, openers N, stable, idle, gone\n"
"\n"
"Exit status: 0 done, 1 refused or failed, 2 wrong usage.\n";

int setup_fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("holdfast-setup: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	return SETUP_FAILED;
}

int setup_usage(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("holdfast-setup: ", stderr);
	vfprintf(stderr, fmt, args);
	fputs(" (see holdfast-setup --help)\n", stderr);
	va_end(args);
	return SETUP_USAGE;
}

bool setup_parse_u64(const char *text, u64 *value)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*value = strtoull(text, &end, 0);
	return !errno && !*end;
}

bool setup_parse_size(const char *text, u64 *value)
{
	unsigned int shift = 0;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*value = strtoull(text, &end, 10);
	switch (toupper((unsigned char)*end)) {
	case 'K': shift = 10; break;
	case 'M': shift = 20; break;
	case 'G': shift = 30; break;
	case 'T': shift = 40; break;
	}
	if (shift && *++end && strcasecmp(end, "b") && strcasecmp(end, "ib"))
		return false;
	if (errno || (!shift && *end) || *value > UINT64_MAX >> shift)
		return false;
	*value <<= shift;
	return true;
}

static bool parse_uuid(const char *text, u8 *uuid)
{
	unsigned int i, n = 0, byte;

	for (i = 0; i < 16; i++) {
		if (text[n] == '-')
			n++;
		if (!isxdigit((unsigned char)text[n]) ||
		    !isxdigit((unsigned char)text[n + 1]) ||
		    sscanf(text + n, "%2x", &byte) != 1)
			return false;
		uuid[i] = (u8)byte;
		n += 2;
	}
	return !text[n];
}

bool setup_parse_volume(const char *text, u8 *volume)
{
	size_t len = strlen(text);

	if (parse_uuid(text, volume))
		return true;
	if (!len || len > 15)
		return false;
	memset(volume, 0, 16);
	memcpy(volume, text, len);
	return true;
}

void setup_volume_name(const u8 *volume, char *name)
{
	size_t i, len = strnlen((const char *)volume, 16);
	int n = 0;

	for (i = 0; i < 16; i++)
		if (i < len ? !isgraph(volume[i]) : volume[i])
			break;
	if (len && i == 16) {
		snprintf(name, SETUP_NAME_MAX, "%.16s", (const char *)volume);
		return;
	}
	for (i = 0; i < 16; i++)
		n += snprintf(name + n, (size_t)(SETUP_NAME_MAX - n), "%s%02x",
			      i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", volume[i]);
}

int setup_find(struct setup *setup, struct hf_nl_volumes *volumes,
	       const struct hf_nl_volume **volume)
{
	char why[HF_NL_WHY_MAX];

	*volume = NULL;
	if (hf_nl_dump(setup->nl, volumes, why))
		return setup_fail("%s", why);
	*volume = hf_nl_find(volumes, setup->volume);
	return SETUP_OK;
}

int setup_call(struct setup *setup, struct hf_nl_call *call)
{
	memcpy(call->uuid, setup->volume, sizeof(call->uuid));
	if (setup->force)
		call->flags |= HOLDFAST_FLAG_FORCE;
	if (hf_nl_call(setup->nl, call))
		return setup_fail("%s (%s)", call->why, strerrorname_np(-call->error));
	return SETUP_OK;
}

static int cmd_del(struct setup *setup)
{
	struct hf_nl_call call = { .cmd = HOLDFAST_CMD_VOLUME_DEL };

	return setup_call(setup, &call);
}

static int cmd_attach_slot(struct setup *setup)
{
	struct hf_nl_call call = {
		.cmd = HOLDFAST_CMD_SLOT_ATTACH,
		.flags = setup->discard_zeroes ? HOLDFAST_FLAG_DISCARD_ZEROES : 0,
	};
	u64 nr;
	int ret;

	if (!setup_parse_u64(setup->argv[0], &nr) || nr > 255 ||
	    !setup_parse_u64(setup->argv[1], &call.incarnation))
		return setup_usage("attach-slot VOLUME NR INCARNATION DATA META");
	if (strlen(setup->argv[2]) >= sizeof(call.data_path) ||
	    strlen(setup->argv[3]) >= sizeof(call.meta_path))
		return setup_usage("a path is too long");

	call.slot_nr = (u8)nr;
	strcpy(call.data_path, setup->argv[2]);
	strcpy(call.meta_path, setup->argv[3]);
	ret = setup_call(setup, &call);
	if (!ret)
		printf("life 0x%016llx %s\n", (unsigned long long)call.life,
		       call.unclean ? "unclean" : "clean");
	return ret;
}

/* Life and instance guard a command against meeting another object than was meant. */
static int fill_identity(struct setup *setup, struct hf_nl_call *call)
{
	const struct hf_nl_volume *volume;
	struct hf_nl_volumes volumes;
	int ret;

	call->life = setup->life;
	call->instance = setup->instance;
	ret = setup_find(setup, &volumes, &volume);
	if (ret)
		return ret;
	if (volume && !(setup->given & SETUP_LIFE))
		call->life = volume->slot.life;
	if (volume && !(setup->given & SETUP_INSTANCE))
		call->instance = volume->disk.instance;
	hf_nl_volumes_free(&volumes);
	return SETUP_OK;
}

static int identified_call(struct setup *setup, u8 cmd)
{
	struct hf_nl_call call = { .cmd = cmd, .timeout_ms = (u32)setup->timeout_s * 1000 };
	int ret = fill_identity(setup, &call);

	return ret ? ret : setup_call(setup, &call);
}

static int cmd_detach_slot(struct setup *setup)
{
	return identified_call(setup, HOLDFAST_CMD_SLOT_DETACH);
}

static int cmd_release(struct setup *setup)
{
	return identified_call(setup, HOLDFAST_CMD_DISK_RELEASE);
}

static int cmd_del_disk(struct setup *setup)
{
	return identified_call(setup, HOLDFAST_CMD_DISK_DEL);
}

static int cmd_fail(struct setup *setup)
{
	return identified_call(setup, HOLDFAST_CMD_DISK_FAIL);
}

static int cmd_thaw(struct setup *setup)
{
	return identified_call(setup, HOLDFAST_CMD_DISK_THAW);
}

static int cmd_prepare(struct setup *setup)
{
	struct hf_nl_call call = { .cmd = HOLDFAST_CMD_DISK_PREPARE };
	int ret = setup_call(setup, &call);

	if (!ret)
		printf("0x%016llx\n", (unsigned long long)call.instance);
	return ret;
}

static int cmd_del_link(struct setup *setup)
{
	struct hf_nl_call call = {
		.cmd = HOLDFAST_CMD_LINK_DEL,
		.slot_nr = (u8)setup->slot,
		.link_id = setup->link_id,
	};

	return setup_call(setup, &call);
}

static int cmd_rebuild(struct setup *setup)
{
	struct hf_nl_call call = {
		.slot_nr = (u8)setup->slot,
		.rate_kbps = (u32)setup->rate_kbps,
		.flags = setup->full ? HOLDFAST_FLAG_FULL : 0,
	};

	if (!strcmp(setup->argv[0], "start"))
		call.cmd = HOLDFAST_CMD_REBUILD_START;
	else if (!strcmp(setup->argv[0], "stop"))
		call.cmd = HOLDFAST_CMD_REBUILD_STOP;
	else
		return setup_usage("rebuild start VOLUME, or rebuild stop VOLUME");
	return setup_call(setup, &call);
}

enum {
	NEEDS_VOLUME	= 1 << 0,
	MAY_VOLUME	= 1 << 1,	/* with or without */
	VOLUME_SECOND	= 1 << 2,	/* after the command's first word */
	NEEDS_SLOT	= 1 << 3,
	NEEDS_MODULE	= 1 << 4,
	ANY_WORDS	= 1 << 5,	/* at least @words */
};

static const struct command {
	const char	*name;
	int		words;		/* beside the volume */
	unsigned int	flags;
	int		(*run)(struct setup *setup);
} commands[] = {
	{ "format",	2, NEEDS_VOLUME | NEEDS_SLOT, setup_cmd_format },
	{ "dump-meta",	1, 0, setup_cmd_dump_meta },
	{ "conf",	0, NEEDS_VOLUME | NEEDS_MODULE, setup_cmd_conf },
	{ "del",	0, NEEDS_VOLUME | NEEDS_MODULE, cmd_del },
	{ "attach-slot", 4, NEEDS_VOLUME | NEEDS_MODULE, cmd_attach_slot },
	{ "detach-slot", 0, NEEDS_VOLUME | NEEDS_MODULE, cmd_detach_slot },
	{ "prepare",	0, NEEDS_VOLUME | NEEDS_MODULE, cmd_prepare },
	{ "release",	0, NEEDS_VOLUME | NEEDS_MODULE, cmd_release },
	{ "del-disk",	0, NEEDS_VOLUME | NEEDS_MODULE, cmd_del_disk },
	{ "fail",	0, NEEDS_VOLUME | NEEDS_MODULE, cmd_fail },
	{ "thaw",	0, NEEDS_VOLUME | NEEDS_MODULE, cmd_thaw },
	{ "listen",	0, NEEDS_VOLUME | NEEDS_SLOT | NEEDS_MODULE, setup_cmd_listen },
	{ "connect",	0, NEEDS_VOLUME | NEEDS_SLOT | NEEDS_MODULE, setup_cmd_connect },
	{ "del-link",	0, NEEDS_VOLUME | NEEDS_SLOT | NEEDS_MODULE, cmd_del_link },
	{ "rebuild",	1, NEEDS_VOLUME | VOLUME_SECOND | NEEDS_SLOT | NEEDS_MODULE, cmd_rebuild },
	{ "show",	0, MAY_VOLUME | NEEDS_MODULE, setup_cmd_show },
	{ "get",	1, NEEDS_VOLUME | NEEDS_MODULE, setup_cmd_get },
	{ "events",	0, NEEDS_MODULE, setup_cmd_events },
	{ "wait",	1, NEEDS_VOLUME | NEEDS_MODULE | ANY_WORDS, setup_cmd_wait },
};

/* The number's place in @setup, its limit, and its bit in setup->given. */
static u64 *number_of(struct setup *setup, int opt, u64 *max, u32 *given)
{
	*max = UINT64_MAX;
	*given = 0;
	switch (opt) {
	case OPT_NODE_ID: *max = UINT32_MAX; return &setup->node_id;
	case OPT_SLOT: *max = 255; return &setup->slot;
	case OPT_INCARNATION: return &setup->incarnation;
	case OPT_VDISK: *max = UINT32_MAX; *given = SETUP_VDISK; return &setup->vdisk;
	case OPT_TERM: *given = SETUP_TERM; return &setup->term;
	case OPT_EPOCH: *given = SETUP_EPOCH; return &setup->epoch;
	case OPT_EXPECT: *given = SETUP_EXPECT; return &setup->expect;
	case OPT_POLICIES: *max = UINT32_MAX; *given = SETUP_POLICIES; return &setup->policies;
	case OPT_HELD_TIMEOUT:
		*max = UINT32_MAX;
		*given = SETUP_HELD;
		return &setup->held_timeout_ms;
	case OPT_PORT: *max = 65535; return &setup->port;
	case OPT_COUNT: return &setup->count;
	case OPT_TIMEOUT: *max = 86400; *given = SETUP_TIMEOUT; return &setup->timeout_s;
	case OPT_RATE: *max = UINT32_MAX; return &setup->rate_kbps;
	case OPT_LIFE: *given = SETUP_LIFE; return &setup->life;
	case OPT_INSTANCE: *given = SETUP_INSTANCE; return &setup->instance;
	case OPT_LINK_ID: return &setup->link_id;
	case OPT_LOG_ENTRIES: *max = UINT32_MAX; return &setup->log_entries;
	case OPT_EXTENT_SHIFT: *max = 63; return &setup->extent_shift;
	default: return NULL;
	}
}

static int take_option(struct setup *setup, int opt, const char *name)
{
	u64 *number, max;
	u32 given;

	switch (opt) {
	case OPT_JSON: setup->json = true; return 0;
	case OPT_FORCE: setup->force = true; return 0;
	case OPT_FULL: setup->full = true; return 0;
	case OPT_NEW: setup->fresh = true; return 0;
	case OPT_NO_ZERO: setup->no_zero = true; return 0;
	case OPT_DISCARD_ZEROES: setup->discard_zeroes = true; return 0;
	case OPT_BACKGROUND: setup->background = true; return 0;
	case OPT_LOOP: setup->loop = true; return 0;
	case OPT_DRY_RUN: setup->dry_run = true; return 0;
	case OPT_UUID: setup->uuid = optarg; return 0;
	case OPT_TO: setup->to = optarg; return 0;
	case OPT_SIZE: setup->size = optarg; return 0;
	case OPT_PRIMARY: setup->primary = optarg; return 0;
	case OPT_ACTIVATED: setup->activated = optarg; return 0;
	case OPT_IN_SYNC: setup->in_sync = optarg; return 0;
	case OPT_BYTES: setup->bytes = optarg; return 0;
	case OPT_FROM_META: setup->from_meta = optarg; return 0;
	case OPT_COPY:
		if (setup->nr_copies == HF_MAX_SLOTS)
			return setup_usage("a volume has at most %d slots", HF_MAX_SLOTS);
		setup->copies[setup->nr_copies++] = optarg;
		return 0;
	}

	number = number_of(setup, opt, &max, &given);
	if (!number)
		return setup_usage("unknown option or missing value");
	if (!setup_parse_u64(optarg, number) || *number > max)
		return setup_usage("\"%s\" is no number for --%s", optarg, name);
	setup->given |= given;
	return 0;
}

/* Which of the words is the volume; shifts it out of argv. */
static int take_volume(struct setup *setup, const struct command *command)
{
	int at = command->flags & VOLUME_SECOND ? 1 : 0;
	const char *text = setup->uuid;
	int i;

	if (!text && (command->flags & NEEDS_VOLUME || setup->argc)) {
		if (setup->argc <= at)
			return setup_usage("%s needs a volume", command->name);
		text = setup->argv[at];
		for (i = at; i + 1 < setup->argc; i++)
			setup->argv[i] = setup->argv[i + 1];
		setup->argc--;
		setup->uuid = text;
	}
	if (text && !setup_parse_volume(text, setup->volume))
		return setup_usage("\"%s\" is neither a UUID nor a name of up to 15 characters", text);
	return 0;
}

static int check_words(struct setup *setup, const struct command *command)
{
	int ret;

	if (command->flags & (NEEDS_VOLUME | MAY_VOLUME)) {
		ret = take_volume(setup, command);
		if (ret)
			return ret;
	}
	if (setup->argc < command->words)
		return setup_usage("%s needs more arguments", command->name);
	if (setup->argc > command->words && !(command->flags & ANY_WORDS))
		return setup_usage("%s does not take \"%s\"", command->name,
				   setup->argv[command->words]);
	if (command->flags & NEEDS_SLOT && setup->slot == UINT64_MAX)
		return setup_usage("%s needs --slot", command->name);
	return 0;
}

static int run(struct setup *setup, const char *name)
{
	const struct command *command = NULL;
	size_t i;
	int ret;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(commands[i].name, name))
			command = &commands[i];
	if (!command)
		return setup_usage("there is no command \"%s\"", name);
	ret = check_words(setup, command);
	if (ret)
		return ret;

	if (command->flags & NEEDS_MODULE) {
		setup->nl = hf_nl_new();
		if (!setup->nl)
			return setup_fail("the kernel's generic netlink cannot be reached");
	}
	ret = command->run(setup);
	hf_nl_free(setup->nl);
	if (fflush(stdout))
		return setup_fail("the output could not be written: %s", strerror(errno));
	return ret;
}

int main(int argc, char **argv)
{
	struct setup setup = { .slot = UINT64_MAX, .timeout_s = 10 };
	int opt, index = 0, ret;

	while ((opt = getopt_long(argc, argv, "h", options, &index)) != -1) {
		if (opt == 'h' || opt == OPT_HELP) {
			fputs(usage, stdout);
			return SETUP_OK;
		}
		if (opt == '?')
			return SETUP_USAGE;
		ret = take_option(&setup, opt, options[index].name);
		if (ret)
			return ret;
	}
	if (optind == argc) {
		fputs(usage, stderr);
		return SETUP_USAGE;
	}
	setup.argc = argc - optind - 1;
	setup.argv = argv + optind + 1;
	return run(&setup, argv[optind]);
}
