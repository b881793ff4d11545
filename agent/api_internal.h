/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the api_*.c files alone. */
#ifndef AGENT_API_INTERNAL_H
#define AGENT_API_INTERNAL_H

#include "api.h"
#include "fsm.h"
#include "node.h"

enum { API_MAX_SEGMENTS = 6 };

/**
 * struct api_request - a request taken apart; borrowed by whom it is given to
 * @path, @nr_path: segments of the path after "v1"
 * @origin: node where it came in
 * @id: id for the command that it becomes: a repetition is applied once
 * @deadline_ms: loop_now_ms() until which the caller waits
 */
struct api_request {
	char text[512];
	char *path[API_MAX_SEGMENTS];
	unsigned int nr_path;
	const char *method;
	json_t *query;		/* object or NULL */
	json_t *body;		/* object or NULL */
	uint32_t origin;
	uint64_t id;
	uint64_t deadline_ms;
};

/* false: not a request; *@answer is then the refusal. */
bool api_request_read(json_t *json, struct api_request *request, json_t **answer);
bool api_is(const struct api_request *request, const char *method, unsigned int nr_path,
	    const char *first);

/* New references. */
json_t *api_ok(json_t *body);		/* steals */
json_t *api_error(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
json_t *api_result(const struct fsm_result *result);	/* a refusal of the state machine */

/* --- api_read.c: answers from state and facts --- */
json_t *api_read(struct agent *agent, const struct api_request *request, bool stale);
json_t *api_volume_json(struct agent *agent, const struct fsm_volume *vol);
json_t *api_status_json(struct agent *agent);

/* --- api_state.c: what the facts say of a volume --- */
enum api_slot_state {
	API_SLOT_MAKING,
	API_SLOT_IN_SYNC,
	API_SLOT_UNREACHABLE,	/* in the set, its node or module is not heard */
	API_SLOT_FAILED,
	API_SLOT_REBUILDING,
	API_SLOT_STALE,
	API_SLOT_AWAY,		/* stale, and its node is not heard */
};

struct api_slot {
	enum api_slot_state state;
	unsigned int percent;		/* REBUILDING */
	int error;			/* FAILED: errno or 0 */
	bool in_sync;			/* in the committed set */
	const struct kernel_slot *kernel;	/* NULL: not told or too old */
};

struct api_volume {
	char status[32];		/* "healthy", "rebuilding 37%" … */
	bool is_healthy;
	uint32_t served_on;		/* node whose disk serves now; 0: none */
	const struct kernel_disk *disk;	/* of the configured primary; NULL: not told */
	struct api_slot slots[HF_MAX_SLOTS];
};

/* Fresh view of node @id, or NULL. Own node's included. */
const struct kernel_view *api_view(struct agent *agent, uint32_t id);
void api_volume_state(struct agent *agent, const struct fsm_volume *vol, struct api_volume *out);
const char *api_slot_state_name(enum api_slot_state state);

/* Why @vol is not served or not whole, in words; never empty. */
void api_volume_trouble(struct agent *agent, const struct fsm_volume *vol, char *why, size_t size);

/* --- api_volume.c: requests of the leader that change volumes or wait for them --- */
void api_volume_serve(struct agent *agent, const struct api_request *request, api_done_cb done,
		      void *data);

/*
 * What requests that become a command have in common: the body is begun to be
 * read, the command begun with the request's own id, a wait made (@vol may be
 * NULL), and the command proposed with what is waited for afterwards.
 */
struct json_reader;
json_t *api_body_of(const struct api_request *request, struct json_reader *r, char *why,
		    size_t why_size);
void api_begin(const struct agent *agent, const struct api_request *request,
	       enum command_kind kind, struct command *cmd);
/* A text that names a node: its id; 0 and *@answer set if there is none. */
uint32_t api_find_node(const struct agent *agent, const char *text, json_t **answer);

/* --- api_drive.c: drives --- */
json_t *api_read_drives(struct agent *agent, bool stale);
json_t *api_read_drive(struct agent *agent, const char *text, bool stale);
/* false: the request is about something else. */
bool api_drive_serve(struct agent *agent, const struct api_request *request, api_done_cb done,
		     void *data);

/* --- api_node.c: requests of the leader about nodes and settings --- */
json_t *api_settings(const struct agent *agent);
bool api_node_serves(const struct api_request *request);
void api_node_serve(struct agent *agent, const struct api_request *request, api_done_cb done,
		    void *data);

/* --- api_member.c: init, join, tokens; on the node where they came in --- */
void api_member_handle(struct agent *agent, struct api_request *request, api_done_cb done,
		       void *data);

/* --- api.c: waiting --- */
struct api_wait;
/* The answer (new reference) when the wait is over, or NULL. @late: the deadline has passed. */
typedef json_t *(*api_check_cb)(struct agent *agent, struct api_wait *wait, bool late);

/* A request that waits for a state. Freed after it is answered. */
struct api_wait {
	struct api_wait *next;		/* agent->waits */
	api_check_cb check;
	uint8_t uuid[FSM_UUID_BYTES];
	char name[FSM_NAME_BYTES];
	uint64_t command_id;
	uint64_t begun_ms;
	uint64_t deadline_ms;
	uint32_t node;
	uint32_t drive;
	api_done_cb done;
	void *data;
};

struct api_wait *api_wait_new(const struct api_request *request, const struct fsm_volume *vol,
			      api_check_cb check, api_done_cb done, void *data);
void api_propose(struct agent *agent, const struct command *cmd, struct api_wait *wait);

/* Takes @wait, which was xcalloc'ed with everything but the list filled in. */
void api_wait_add(struct agent *agent, struct api_wait *wait);

#endif /* AGENT_API_INTERNAL_H */
