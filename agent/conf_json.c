// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A volume's configuration as JSON, in commands, snapshots and reports.  Form
 * alone is checked here; whether a configuration is a legal step is
 * fsm_conf.c's work, whether it is well-formed for a module conf_core.c's.
 */
#include "conf_json.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "json_util.h"

json_t *conf_to_json(const struct hf_conf_data *conf)
{
	json_t *json = json_object();
	json_t *slots = json_array();
	int i;

	json_put_bytes(&json, "volume", conf->volume, sizeof(conf->volume));
	json_put_uint(&json, "size", conf->size_bytes);
	json_put_uint(&json, "term", conf->term);
	json_put_uint(&json, "epoch", conf->epoch);
	json_put_uint(&json, "primary_node", conf->primary_node);
	json_put_id(&json, "primary_instance", conf->primary_instance);
	json_put_uint(&json, "activated_term", conf->activated_term);
	json_put_id(&json, "activated_instance", conf->activated_instance);
	json_put_uint(&json, "policies", conf->policies);
	json_put_uint(&json, "held_timeout_ms", conf->held_timeout_ms);
	json_put_uint(&json, "vdisk", conf->vdisk);
	json_put_uint(&json, "in_sync", conf->in_sync_mask);
	for (i = 0; i < HF_MAX_SLOTS; i++) {
		json_t *slot = json_object();

		json_put_uint(&slot, "node", conf->slots[i].node);
		json_put_id(&slot, "incarnation", conf->slots[i].incarnation);
		json_put_id(&slot, "cited_life", conf->slots[i].cited_life);
		json_append(&slots, slot);
	}
	json_put(&json, "slots", slots);
	return json;
}

int conf_from_json(const json_t *json, struct hf_conf_data *conf, char *why, size_t why_size)
{
	struct json_reader r, s;
	const json_t *slots;
	size_t i;

	memset(conf, 0, sizeof(*conf));
	json_reader_begin(&r, json, "conf", why, why_size);
	json_take_bytes(&r, "volume", conf->volume, sizeof(conf->volume));
	conf->size_bytes = json_take_uint(&r, "size", 0, INT64_MAX);
	conf->term = json_take_uint(&r, "term", 0, INT64_MAX);
	conf->epoch = json_take_uint(&r, "epoch", 0, INT64_MAX);
	conf->primary_node = (u32)json_take_uint(&r, "primary_node", 0, UINT32_MAX);
	conf->primary_instance = json_take_id(&r, "primary_instance");
	conf->activated_term = json_take_uint(&r, "activated_term", 0, INT64_MAX);
	conf->activated_instance = json_take_id(&r, "activated_instance");
	conf->policies = (u32)json_take_uint(&r, "policies", 0, HF_POLICY_ALL);
	conf->held_timeout_ms = (u32)json_take_uint(&r, "held_timeout_ms", 0, UINT32_MAX);
	conf->vdisk = (u32)json_take_uint(&r, "vdisk", 0, UINT32_MAX);
	conf->in_sync_mask = (u8)json_take_uint(&r, "in_sync", 0, (1 << HF_MAX_SLOTS) - 1);
	slots = json_take_array(&r, "slots", HF_MAX_SLOTS);
	if (slots && json_array_size(slots) != HF_MAX_SLOTS)
		json_reader_fail(&r, "slots", "has not its length");
	for (i = 0; !r.failed && i < HF_MAX_SLOTS; i++) {
		struct hf_conf_slot *slot = &conf->slots[i];

		json_reader_begin(&s, json_array_get(slots, i), "slot", why, why_size);
		slot->node = (u32)json_take_uint(&s, "node", 0, UINT32_MAX);
		slot->incarnation = json_take_id(&s, "incarnation");
		slot->cited_life = json_take_id(&s, "cited_life");
		if (json_reader_end(&s))
			return -EINVAL;
	}
	return json_reader_end(&r);
}
