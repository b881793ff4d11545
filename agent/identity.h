/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who this node is: STATE/node.json. */
#ifndef AGENT_IDENTITY_H
#define AGENT_IDENTITY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node.h"
#include "token.h"

/**
 * struct identity - content of node.json
 * @token, @join_id: NODE_JOINING: what to ask with, and the command's id, so that
 *	an agent that is restarted in the middle asks for the same once more
 */
struct identity {
	enum node_phase phase;
	uint8_t cluster[FSM_UUID_BYTES];
	struct cmd_node node;
	char token[TOKEN_TEXT_MAX];
	uint64_t join_id;
};

/* 0; -ENOENT: alone; otherwise -errno and a sentence in @why. */
int identity_load(const char *state_dir, struct identity *identity, char *why, size_t why_len);

/* Atomic and durable. 0, or -errno and a sentence. */
int identity_save(const char *state_dir, const struct identity *identity, char *why,
		  size_t why_len);
int identity_remove(const char *state_dir);

/* An id that is drawn once in a boot of the machine: RUN/boot_id. 0 on error, logged. */
uint64_t identity_boot_id(const char *run_dir);

/* 1..63 of [a-z0-9.-], no dot or dash first or last. */
bool identity_name_is_valid(const char *name);

/*
 * This node's address as others see it: the source address of a route to
 * @towards (an IP), or of the default route, or the first address that is not
 * a loopback's. false: there is none.
 */
bool identity_default_address(const char *towards, char *ip, size_t size);

#endif /* AGENT_IDENTITY_H */
