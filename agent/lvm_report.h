/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading of lvm's JSON reports. Pure. */
#ifndef AGENT_LVM_REPORT_H
#define AGENT_LVM_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LVM_NAME_BYTES = 128, LVM_MAX_LVS = 4096 };

/* What is asked for, in this form: --units b --nosuffix -o these. */
#define LVM_LV_FIELDS \
	"lv_name,lv_size,lv_tags,lv_active,pool_lv,segtype,data_percent,metadata_percent," \
	"lv_when_full,lv_health_status"
#define LVM_VG_FIELDS "vg_name,vg_size,vg_free,vg_extent_size,vg_tags,vg_missing_pv_count"

/**
 * struct lvm_lv - one logical volume
 * @pool: name of its thin pool, or empty
 * @is_ours: it carries a tag of ours
 * @data_pct, @meta_pct: hundredths of a percent; 0 where there is none
 * @error_when_full: a pool that fails writes when it is full
 * @out_of_data: a pool without room, or a volume in such a state
 */
struct lvm_lv {
	char		name[LVM_NAME_BYTES];
	char		pool[LVM_NAME_BYTES];
	uint64_t	size_bytes;
	bool		is_ours;
	bool		is_active;
	bool		is_pool;
	bool		error_when_full;
	bool		out_of_data;
	unsigned int	data_pct;
	unsigned int	meta_pct;
};

/* Owner: the caller, lvm_lvs_clear(). */
struct lvm_lvs {
	unsigned int	count;
	struct lvm_lv	*lvs;
};

struct lvm_vg {
	char		name[LVM_NAME_BYTES];
	uint64_t	size_bytes;
	uint64_t	free_bytes;
	uint64_t	extent_bytes;
	bool		is_ours;
	unsigned int	missing_pvs;
};

/* Tags begin so on everything that is ours. */
#define LVM_TAG	"holdfast."

/*
 * The report of "lvs" or "vgs". Members that are not asked for are passed over,
 * missing or malformed ones refuse the whole. 0; -EINVAL, -ENOMEM with a
 * sentence. lvm_read_vg(): -ENOENT if the report names none.
 */
int lvm_read_lvs(const char *text, size_t len, struct lvm_lvs *lvs, char *why, size_t why_len);
int lvm_read_vg(const char *text, size_t len, struct lvm_vg *vg, char *why, size_t why_len);
void lvm_lvs_clear(struct lvm_lvs *lvs);
const struct lvm_lv *lvm_lvs_find(const struct lvm_lvs *lvs, const char *name);

#endif /* AGENT_LVM_REPORT_H */
