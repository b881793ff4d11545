// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lvm's JSON reports, as lvm 2.03 writes them: {"report": [{"lv": [{…}]}]}, every
 * value a text.  It is another program's output: nothing in it is believed
 * before its form is checked, and a report is taken whole or not at all.
 */
#include "lvm_report.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A member that is a text; NULL and a sentence if it is not. */
static const char *text_of(const json_t *row, const char *name, char *why, size_t why_len)
{
	const char *text = json_string_value(json_object_get(row, name));

	if (!text)
		snprintf(why, why_len, "lvm's report has no text %s", name);
	return text;
}

static bool take_name(const json_t *row, const char *name, bool may_be_empty, char *to, char *why,
		      size_t why_len)
{
	const char *text = text_of(row, name, why, why_len);
	size_t len = text ? strlen(text) : 0;

	if (!text)
		return false;
	if (len >= LVM_NAME_BYTES || (!len && !may_be_empty)) {
		snprintf(why, why_len, "lvm's report has %s as %s", len ? "a long text" : "nothing",
			 name);
		return false;
	}
	memcpy(to, text, len + 1);
	return true;
}

static bool take_bytes(const json_t *row, const char *name, uint64_t *bytes, char *why,
		       size_t why_len)
{
	const char *text = text_of(row, name, why, why_len);
	char *end;

	if (!text)
		return false;
	errno = 0;
	*bytes = *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : 0;
	if (*text < '0' || *text > '9' || errno || *end || *bytes > INT64_MAX) {
		snprintf(why, why_len, "lvm's report has '%.32s' as %s", text, name);
		return false;
	}
	return true;
}

/* "12.34" to 1234; "" to 0. */
static bool take_percent(const json_t *row, const char *name, unsigned int *pct, char *why,
			 size_t why_len)
{
	const char *text = text_of(row, name, why, why_len), *at;
	unsigned int value = 0, decimals = 0;
	bool point = false;

	if (!text)
		return false;
	for (at = text; *at; at++) {
		if (*at == '.' && !point && at != text) {
			point = true;
		} else if (*at >= '0' && *at <= '9' && value <= 100000) {
			if (decimals < 2)
				value = value * 10 + (unsigned int)(*at - '0');
			decimals += point;
		} else {
			value = UINT32_MAX;
			break;
		}
	}
	for (; decimals < 2 && value <= 10000; decimals++)
		value *= 10;
	if (value > 10000) {
		snprintf(why, why_len, "lvm's report has '%.32s' as %s", text, name);
		return false;
	}
	*pct = value;
	return true;
}

/* Tags are a list with commas. */
static bool take_tags(const json_t *row, const char *name, bool *is_ours, char *why,
		      size_t why_len)
{
	const char *text = text_of(row, name, why, why_len), *at = text;

	*is_ours = false;
	while (at && *at) {
		*is_ours |= !strncmp(at, LVM_TAG, strlen(LVM_TAG));
		at = strchr(at, ',');
		at = at ? at + 1 : NULL;
	}
	return text;
}

static bool read_lv(const json_t *row, struct lvm_lv *lv, char *why, size_t why_len)
{
	const char *active = text_of(row, "lv_active", why, why_len);
	const char *type = text_of(row, "segtype", why, why_len);
	const char *full = text_of(row, "lv_when_full", why, why_len);
	const char *health = text_of(row, "lv_health_status", why, why_len);

	if (!active || !type || !full || !health)
		return false;
	lv->is_active = !strncmp(active, "active", 6);
	lv->is_pool = !strcmp(type, "thin-pool");
	lv->error_when_full = !strcmp(full, "error");
	lv->out_of_data = !strcmp(health, "out_of_data");
	return take_name(row, "lv_name", false, lv->name, why, why_len) &&
	       take_name(row, "pool_lv", true, lv->pool, why, why_len) &&
	       take_bytes(row, "lv_size", &lv->size_bytes, why, why_len) &&
	       take_tags(row, "lv_tags", &lv->is_ours, why, why_len) &&
	       take_percent(row, "data_percent", &lv->data_pct, why, why_len) &&
	       take_percent(row, "metadata_percent", &lv->meta_pct, why, why_len);
}

/* The rows of the one report; NULL and a sentence. @json is then the caller's to free. */
static const json_t *rows_of(const char *text, size_t len, const char *what, json_t **json,
			     char *why, size_t why_len)
{
	const json_t *rows;
	json_error_t error;

	*json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!*json) {
		snprintf(why, why_len, "lvm's report is not JSON: %s", error.text);
		return NULL;
	}
	rows = json_object_get(json_array_get(json_object_get(*json, "report"), 0), what);
	if (!json_is_array(rows) || json_array_size(rows) > LVM_MAX_LVS) {
		snprintf(why, why_len, "lvm's report has no list of %s", what);
		return NULL;
	}
	return rows;
}

int lvm_read_lvs(const char *text, size_t len, struct lvm_lvs *lvs, char *why, size_t why_len)
{
	const json_t *rows;
	json_t *json;
	size_t i;
	int rv = 0;

	memset(lvs, 0, sizeof(*lvs));
	rows = rows_of(text, len, "lv", &json, why, why_len);
	if (!rows) {
		json_decref(json);
		return -EINVAL;
	}
	lvs->lvs = calloc(json_array_size(rows) + 1, sizeof(*lvs->lvs));
	if (!lvs->lvs) {
		snprintf(why, why_len, "no memory");
		rv = -ENOMEM;
	}
	for (i = 0; !rv && i < json_array_size(rows); i++) {
		if (!read_lv(json_array_get(rows, i), &lvs->lvs[i], why, why_len))
			rv = -EINVAL;
		lvs->count++;
	}
	json_decref(json);
	if (rv)
		lvm_lvs_clear(lvs);
	return rv;
}

int lvm_read_vg(const char *text, size_t len, struct lvm_vg *vg, char *why, size_t why_len)
{
	uint64_t missing = 0;
	const json_t *rows, *row;
	json_t *json;
	int rv = -EINVAL;

	memset(vg, 0, sizeof(*vg));
	rows = rows_of(text, len, "vg", &json, why, why_len);
	row = rows ? json_array_get(rows, 0) : NULL;
	if (rows && !row) {
		snprintf(why, why_len, "lvm reports no volume group");
		rv = -ENOENT;
	} else if (row && take_name(row, "vg_name", false, vg->name, why, why_len) &&
		   take_bytes(row, "vg_size", &vg->size_bytes, why, why_len) &&
		   take_bytes(row, "vg_free", &vg->free_bytes, why, why_len) &&
		   take_bytes(row, "vg_extent_size", &vg->extent_bytes, why, why_len) &&
		   take_tags(row, "vg_tags", &vg->is_ours, why, why_len) &&
		   take_bytes(row, "vg_missing_pv_count", &missing, why, why_len)) {
		vg->missing_pvs = missing > UINT32_MAX ? UINT32_MAX : (unsigned int)missing;
		rv = 0;
	}
	json_decref(json);
	return rv;
}

void lvm_lvs_clear(struct lvm_lvs *lvs)
{
	free(lvs->lvs);
	memset(lvs, 0, sizeof(*lvs));
}

const struct lvm_lv *lvm_lvs_find(const struct lvm_lvs *lvs, const char *name)
{
	unsigned int i;

	for (i = 0; i < lvs->count; i++) {
		if (!strcmp(lvs->lvs[i].name, name))
			return &lvs->lvs[i];
	}
	return NULL;
}
