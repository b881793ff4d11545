/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared by fsm.c and fsm_*.c alone.  Each
 * fsm_do_…() checks all of its command before it changes anything, and returns
 * FSM_OK or what fsm_refuse() returned.
 */
#ifndef HOLDFAST_AGENT_FSM_INTERNAL_H
#define HOLDFAST_AGENT_FSM_INTERNAL_H

#include "command.h"
#include "fsm.h"

/* Write the sentence of a refusal; returns @code. */
enum fsm_code fsm_refuse(struct fsm_result *result, enum fsm_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Append an event with the time of @cmd. */
void fsm_log(struct fsm *fsm, const struct command *cmd, enum fsm_level level, const char *domain,
	     u32 code, const char *format, ...) __attribute__((format(printf, 6, 7)));

/* A state without memory cannot go on: the process ends and is restarted. */
void *fsm_grow(void *array, size_t count, size_t size);
char *fsm_text(const char *text);

struct fsm_node *fsm_node_get(struct fsm *fsm, u32 id);
struct fsm_volume *fsm_volume_get(struct fsm *fsm, const u8 *uuid);
/* A node's name for sentences, its id in hex if it is not known. */
const char *fsm_node_text(const struct fsm *fsm, u32 id, char *text, size_t size);
/* "1GB", "1536MB" */
const char *fsm_size_text(u64 bytes, char *text, size_t size);
bool fsm_name_valid(const char *name);
/* Names of the nodes whose slots are in @mask, "v1 and v2". */
const char *fsm_slots_text(const struct fsm *fsm, const struct fsm_volume *vol, u8 mask,
			   char *text, size_t size);

enum fsm_code fsm_do_init(struct fsm *fsm, const struct command *cmd, struct fsm_result *res);
enum fsm_code fsm_do_token_add(struct fsm *fsm, const struct command *cmd, struct fsm_result *res);
enum fsm_code fsm_do_join(struct fsm *fsm, const struct command *cmd, struct fsm_result *res);
enum fsm_code fsm_do_node_down(struct fsm *fsm, const struct command *cmd, struct fsm_result *res);
enum fsm_code fsm_do_node_up(struct fsm *fsm, const struct command *cmd, struct fsm_result *res);

enum fsm_code fsm_do_drive_add(struct fsm *fsm, const struct command *cmd, struct fsm_result *res);
enum fsm_code fsm_do_drive_made(struct fsm *fsm, const struct command *cmd, struct fsm_result *res);
enum fsm_code fsm_do_drive_failed(struct fsm *fsm, const struct command *cmd,
				  struct fsm_result *res);
enum fsm_code fsm_do_drive_remove(struct fsm *fsm, const struct command *cmd,
				  struct fsm_result *res);
enum fsm_code fsm_do_drive_gone(struct fsm *fsm, const struct command *cmd, struct fsm_result *res);
enum fsm_code fsm_do_drive_note(struct fsm *fsm, const struct command *cmd, struct fsm_result *res);
/* The drive of @node with the most room that holds @size; NULL: none. */
const struct fsm_drive *fsm_drive_best(const struct fsm *fsm, const struct fsm_node *node,
				       u64 size);
/*
 * Fill a free entry of @node's backing for a slot on @drive, where there is
 * room; @paths of the logical volumes follow from the slot. -1: too many slots.
 */
int fsm_drive_reserve(struct fsm_node *node, const struct fsm_drive *drive, u64 size,
		      const u8 *volume, u8 slot_nr, u64 incarnation);
/* The entry of a slot that was given back is free again. */
void fsm_drive_free(struct fsm_node *node, unsigned int index);
enum fsm_code fsm_do_cordon(struct fsm *fsm, const struct command *cmd, struct fsm_result *res);
enum fsm_code fsm_do_uncordon(struct fsm *fsm, const struct command *cmd, struct fsm_result *res);
enum fsm_code fsm_do_set(struct fsm *fsm, const struct command *cmd, struct fsm_result *res);

/* fsm_place.c: take the best drive or free pair of a node for a slot; false: none. */
bool fsm_pair_reserve(struct fsm *fsm, struct fsm_volume *vol, u8 slot_nr, u32 id,
		      u64 incarnation);
void fsm_pair_retire(struct fsm *fsm, struct fsm_volume *vol, u8 slot_nr);
void fsm_pair_free(struct fsm *fsm, u32 id, struct fsm_backing *pair);
struct fsm_backing *fsm_pair_retiring(struct fsm *fsm, u32 id, const u8 *volume,
				      u64 incarnation);
/* The slot that is being placed is given up, if there is one. */
void fsm_place_end(struct fsm *fsm, struct fsm_volume *vol);
void fsm_place_failed(struct fsm *fsm, const struct command *cmd, struct fsm_volume *vol);
enum fsm_code fsm_do_place(struct fsm *fsm, const struct command *cmd, struct fsm_result *res);
enum fsm_code fsm_do_unplace(struct fsm *fsm, const struct command *cmd, struct fsm_result *res);

enum fsm_code fsm_do_create(struct fsm *fsm, const struct command *cmd, struct fsm_result *res);
enum fsm_code fsm_do_made(struct fsm *fsm, const struct command *cmd, struct fsm_result *res);
enum fsm_code fsm_do_failed(struct fsm *fsm, const struct command *cmd, struct fsm_result *res);
enum fsm_code fsm_do_delete(struct fsm *fsm, const struct command *cmd, struct fsm_result *res);
enum fsm_code fsm_do_retired(struct fsm *fsm, const struct command *cmd, struct fsm_result *res);

enum fsm_code fsm_do_attach(struct fsm *fsm, const struct command *cmd, struct fsm_result *res);
enum fsm_code fsm_do_detach(struct fsm *fsm, const struct command *cmd, struct fsm_result *res);
enum fsm_code fsm_do_move(struct fsm *fsm, const struct command *cmd, struct fsm_result *res);
enum fsm_code fsm_do_wish_refused(struct fsm *fsm, const struct command *cmd,
				  struct fsm_result *res);
enum fsm_code fsm_do_failover(struct fsm *fsm, const struct command *cmd, struct fsm_result *res);
enum fsm_code fsm_do_rebuild_begun(struct fsm *fsm, const struct command *cmd,
				   struct fsm_result *res);
/* Event 1003, once for each rebuild. */
void fsm_rebuild_begun(struct fsm *fsm, const struct command *cmd, struct fsm_volume *vol,
		       int slot_nr);
/* The volume no longer waits for a failover; @taker 0: it was given up. */
void fsm_failover_end(struct fsm *fsm, const struct command *cmd, struct fsm_volume *vol,
		      u32 taker);

enum fsm_code fsm_do_conf(struct fsm *fsm, const struct command *cmd, struct fsm_result *res);

#endif /* HOLDFAST_AGENT_FSM_INTERNAL_H */
