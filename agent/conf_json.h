/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A volume's configuration as JSON.
 */
#ifndef HOLDFAST_AGENT_CONF_JSON_H
#define HOLDFAST_AGENT_CONF_JSON_H

#include <jansson.h>
#include <stddef.h>

#include "../kernel/conf.h"

json_t *conf_to_json(const struct hf_conf_data *conf);	/* new reference or NULL */
/* Strict; 0 or -EINVAL with a sentence. */
int conf_from_json(const json_t *json, struct hf_conf_data *conf, char *why, size_t why_size);

#endif /* HOLDFAST_AGENT_CONF_JSON_H */
