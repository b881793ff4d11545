// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * holdfast-setup conf: build a configuration from the module's own and the
 * options, and have it adopted by compare-and-set on the epoch.  Judges no
 * step: the module does.
 */
#include "setup.h"

#include <stdio.h>
#include <string.h>

#include "hex.h"

/* "A:B" of two numbers; a third only with @third. */
static bool parse_pair(const char *text, u64 *first, u64 *second, u64 *third)
{
	char copy[128], *a, *b, *c, *save = NULL;

	if (strlen(text) >= sizeof(copy))
		return false;
	strcpy(copy, text);
	a = strtok_r(copy, ":", &save);
	b = strtok_r(NULL, ":", &save);
	c = strtok_r(NULL, ":", &save);
	if (!a || !b || (c && !third) || strtok_r(NULL, ":", &save))
		return false;
	if (c && !setup_parse_u64(c, third))
		return false;
	return setup_parse_u64(a, first) && setup_parse_u64(b, second);
}

static int take_copy(struct hf_conf_data *conf, const char *text)
{
	u64 node, incarnation, life = 0;
	unsigned int nr;

	if (text[0] < '0' || text[0] > '9' || text[1] != '=')
		return setup_usage("--copy takes NR=NODE:INCARNATION[:LIFE] or NR=none, not \"%s\"", text);
	nr = (unsigned int)(text[0] - '0');
	if (nr >= HF_MAX_SLOTS)
		return setup_usage("slot numbers go from 0 to %d", HF_MAX_SLOTS - 1);
	memset(&conf->slots[nr], 0, sizeof(conf->slots[nr]));
	if (!strcmp(text + 2, "none"))
		return SETUP_OK;

	if (!parse_pair(text + 2, &node, &incarnation, &life) || node > UINT32_MAX)
		return setup_usage("--copy takes NR=NODE:INCARNATION[:LIFE] or NR=none, not \"%s\"", text);
	conf->slots[nr].node = (u32)node;
	conf->slots[nr].incarnation = incarnation;
	conf->slots[nr].cited_life = life;
	return SETUP_OK;
}

static int take_in_sync(struct hf_conf_data *conf, const char *text)
{
	char copy[64], *word, *save = NULL;
	u64 nr;

	if (strlen(text) >= sizeof(copy))
		return setup_usage("--in-sync takes slot numbers");
	strcpy(copy, text);
	conf->in_sync_mask = 0;
	for (word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		if (!setup_parse_u64(word, &nr) || nr >= 8)
			return setup_usage("--in-sync takes slot numbers, not \"%s\"", word);
		conf->in_sync_mask |= (u8)(1 << nr);
	}
	return SETUP_OK;
}

static int take_primary(const struct setup *setup, struct hf_conf_data *conf)
{
	u64 node, instance;

	if (setup->primary && !strcmp(setup->primary, "none")) {
		conf->primary_node = 0;
		conf->primary_instance = 0;
	} else if (setup->primary) {
		if (!parse_pair(setup->primary, &node, &instance, NULL) || node > UINT32_MAX)
			return setup_usage("--primary takes NODE:INSTANCE or none");
		conf->primary_node = (u32)node;
		conf->primary_instance = instance;
	}

	if (setup->activated && !strcmp(setup->activated, "now")) {
		conf->activated_term = conf->term;
		conf->activated_instance = conf->primary_instance;
	} else if (setup->activated &&
		   !parse_pair(setup->activated, &conf->activated_term,
			       &conf->activated_instance, NULL)) {
		return setup_usage("--activated takes TERM:INSTANCE or now");
	}
	return SETUP_OK;
}

static int take_fields(const struct setup *setup, struct hf_conf_data *conf)
{
	unsigned int i;
	int ret = SETUP_OK;

	if (setup->size && !setup_parse_size(setup->size, &conf->size_bytes))
		return setup_usage("\"%s\" is no size", setup->size);
	if (setup->given & SETUP_VDISK)
		conf->vdisk = (u32)setup->vdisk;
	if (setup->given & SETUP_TERM)
		conf->term = setup->term;
	if (setup->given & SETUP_EPOCH)
		conf->epoch = setup->epoch;
	if (setup->given & SETUP_POLICIES)
		conf->policies = (u32)setup->policies;
	if (setup->given & SETUP_HELD)
		conf->held_timeout_ms = (u32)setup->held_timeout_ms;

	for (i = 0; i < setup->nr_copies && !ret; i++)
		ret = take_copy(conf, setup->copies[i]);
	if (!ret && setup->in_sync)
		ret = take_in_sync(conf, setup->in_sync);
	return ret ? ret : take_primary(setup, conf);
}

void setup_conf_hex(const struct hf_conf_data *conf, char *hex)
{
	struct hf_wire_conf wire;

	hf_conf_encode(conf, &wire);
	hex_encode((const u8 *)&wire, sizeof(wire), hex);
}

static int take_bytes(const char *hex, struct hf_conf_data *conf)
{
	struct hf_wire_conf wire;
	const char *why;

	if (!hex_decode(hex, (u8 *)&wire, sizeof(wire)))
		return setup_usage("--bytes takes %zu lower-case hex digits", 2 * sizeof(wire));
	if (hf_conf_decode(&wire, conf, &why))
		return setup_fail("%s", why);
	return SETUP_OK;
}

/* What the options are applied to; @volume is what the module has, or NULL. */
static int take_base(const struct setup *setup, const struct hf_nl_volume *volume,
		     struct hf_conf_data *conf)
{
	struct hf_super super;
	int ret;

	if (setup->bytes)
		return take_bytes(setup->bytes, conf);
	if (setup->from_meta) {
		ret = setup_read_super(setup->from_meta, &super);
		if (ret)
			return ret;
		if (!super.epoch)
			return setup_fail("%s has seen no configuration yet", setup->from_meta);
		*conf = super.conf;
		return SETUP_OK;
	}

	if (!setup->fresh && !(volume && volume->has_conf))
		return setup_fail("the module does not know this volume: begin with --new");
	if (!setup->fresh)
		*conf = volume->conf;
	else
		conf->vdisk = 1;
	memcpy(conf->volume, setup->volume, sizeof(conf->volume));
	conf->epoch++;
	return SETUP_OK;
}

int setup_cmd_conf(struct setup *setup)
{
	struct hf_nl_call call = { .cmd = HOLDFAST_CMD_VOLUME_SET };
	const struct hf_nl_volume *volume = NULL;
	struct hf_nl_volumes volumes = { 0 };
	char hex[SETUP_CONF_HEX];
	int ret = SETUP_OK;

	/* with a base of its own, a dry run needs no module */
	if (!setup->dry_run || !(setup->fresh || setup->bytes || setup->from_meta))
		ret = setup_find(setup, &volumes, &volume);
	if (ret)
		return ret;
	if (volume && volume->has_conf)
		call.expected_epoch = volume->conf.epoch;
	ret = take_base(setup, volume, &call.conf);
	hf_nl_volumes_free(&volumes);
	if (!ret)
		ret = take_fields(setup, &call.conf);
	if (ret)
		return ret;

	call.node_id = (u32)setup->node_id;
	if (setup->given & SETUP_EXPECT)
		call.expected_epoch = setup->expect;
	if (setup->dry_run) {
		setup_conf_hex(&call.conf, hex);
		puts(hex);
		return SETUP_OK;
	}
	ret = setup_call(setup, &call);
	if (!ret)
		printf("epoch %llu\n", (unsigned long long)call.epoch);
	return ret;
}
