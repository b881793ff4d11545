// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Commands about nodes and tokens: a cluster is made, nodes join by one-time
 * tokens.  Whether they may be relied upon is in fsm_cordon.c.
 */
#include <stdio.h>
#include <string.h>

#include "fsm_internal.h"

static enum fsm_code check_backing(const struct cmd_node *node, struct fsm_result *res)
{
	unsigned int i, j;

	for (i = 0; i < node->nr_backing; i++) {
		const struct cmd_backing *a = &node->backing[i];

		if (a->data_path[0] != '/' || a->meta_path[0] != '/')
			return fsm_refuse(res, FSM_INVALID,
					  "a backing path must be absolute: give --backing /DATA:/META");
		if (!strcmp(a->data_path, a->meta_path))
			return fsm_refuse(res, FSM_INVALID,
					  "%s is named as data and as metadata device: give two devices",
					  a->data_path);
		if (a->size_bytes < HF_MIN_VOLUME_BYTES)
			return fsm_refuse(res, FSM_INVALID,
					  "%s is too small: a volume needs 1MB at least",
					  a->data_path);
		for (j = 0; j < i; j++) {
			const struct cmd_backing *b = &node->backing[j];

			if (!strcmp(a->data_path, b->data_path) ||
			    !strcmp(a->data_path, b->meta_path) ||
			    !strcmp(a->meta_path, b->data_path) ||
			    !strcmp(a->meta_path, b->meta_path))
				return fsm_refuse(res, FSM_INVALID,
						  "%s:%s shares a device with another --backing: give each its own",
						  a->data_path, a->meta_path);
		}
	}
	return FSM_OK;
}

static bool address_valid(const char *address)
{
	return address[0] && !address[strspn(address, "0123456789abcdefABCDEF.:")];
}

static enum fsm_code check_node(const struct fsm *fsm, const struct cmd_node *node,
				struct fsm_result *res)
{
	unsigned int i;

	if (!node->id || !node->port || node->nr_backing > FSM_MAX_PAIRS)
		return fsm_refuse(res, FSM_INVALID, "the node's id or port is zero");
	if (!fsm_name_valid(node->name))
		return fsm_refuse(res, FSM_INVALID,
				  "'%s' is no node name: use letters, digits, '.', '_' and '-'",
				  node->name);
	if (!address_valid(node->address))
		return fsm_refuse(res, FSM_INVALID,
				  "'%s' is no IP address: give one with --address",
				  node->address);
	for (i = 0; i < fsm->nr_nodes; i++) {
		const struct fsm_node *other = &fsm->nodes[i];

		if (other->id == node->id)
			return fsm_refuse(res, FSM_EXISTS,
					  "node id %08x is taken: try to join again", node->id);
		if (!strcmp(other->name, node->name))
			return fsm_refuse(res, FSM_EXISTS,
					  "a node named %s exists: choose another name with --name",
					  node->name);
		if (!strcmp(other->address, node->address) && other->port == node->port)
			return fsm_refuse(res, FSM_EXISTS,
					  "node %s has the address %s already: give another with --address",
					  other->name, node->address);
	}
	if (fsm->nr_nodes >= FSM_MAX_NODES)
		return fsm_refuse(res, FSM_REFUSED, "the cluster is full: it has %u nodes",
				  fsm->nr_nodes);
	return check_backing(node, res);
}

static void add_node(struct fsm *fsm, const struct command *cmd, const struct cmd_node *from)
{
	struct fsm_node *node;
	unsigned int i;

	fsm->nodes = fsm_grow(fsm->nodes, fsm->nr_nodes + 1, sizeof(*fsm->nodes));
	node = &fsm->nodes[fsm->nr_nodes++];
	memset(node, 0, sizeof(*node));
	node->id = from->id;
	memcpy(node->name, from->name, sizeof(node->name));
	memcpy(node->address, from->address, sizeof(node->address));
	node->port = from->port;
	node->join_order = fsm->nr_nodes;
	node->joined_ms = cmd->time_ms;
	node->status_ms = cmd->time_ms;
	node->nr_backing = from->nr_backing;
	for (i = 0; i < from->nr_backing; i++) {
		const struct cmd_backing *pair = &from->backing[i];

		memcpy(node->backing[i].data_path, pair->data_path, FSM_PATH_BYTES);
		memcpy(node->backing[i].meta_path, pair->meta_path, FSM_PATH_BYTES);
		node->backing[i].size_bytes = pair->size_bytes;
		node->backing[i].rotational = pair->rotational;
	}
	fsm_log(fsm, cmd, FSM_INFO, "DFS", 1001, "ID %08x node joined. hostname=%s, ip address=%s",
		node->id, node->name, node->address);
}

enum fsm_code fsm_do_init(struct fsm *fsm, const struct command *cmd, struct fsm_result *res)
{
	enum fsm_code code;

	if (fsm->initialized)
		return fsm_refuse(res, FSM_EXISTS,
				  "this node is in a cluster already: it cannot make another");
	code = check_node(fsm, &cmd->init.node, res);
	if (code)
		return code;
	fsm->initialized = true;
	memcpy(fsm->cluster, cmd->init.cluster, sizeof(fsm->cluster));
	add_node(fsm, cmd, &cmd->init.node);
	return FSM_OK;
}

/* A place for a token: a free one, else one that can admit nobody any more. */
static struct fsm_token *token_place(struct fsm *fsm, u64 now_ms)
{
	unsigned int i;

	if (fsm->nr_tokens < FSM_MAX_TOKENS)
		return &fsm->tokens[fsm->nr_tokens++];
	for (i = 0; i < fsm->nr_tokens; i++) {
		if (fsm->tokens[i].used || fsm->tokens[i].expires_ms < now_ms)
			return &fsm->tokens[i];
	}
	return NULL;
}

static struct fsm_token *token_find(struct fsm *fsm, const u8 *hash)
{
	unsigned int i;

	for (i = 0; i < fsm->nr_tokens; i++) {
		if (!memcmp(fsm->tokens[i].hash, hash, FSM_HASH_BYTES))
			return &fsm->tokens[i];
	}
	return NULL;
}

bool fsm_token_admits(const struct fsm *fsm, const u8 *hash, u64 now_ms)
{
	const struct fsm_token *token = token_find((struct fsm *)fsm, hash);

	return token && !token->used && token->expires_ms >= now_ms;
}

enum fsm_code fsm_do_token_add(struct fsm *fsm, const struct command *cmd, struct fsm_result *res)
{
	struct fsm_token *token;

	if (cmd->token_add.expires_ms <= cmd->time_ms)
		return fsm_refuse(res, FSM_INVALID, "the token would expire before it is made");
	if (token_find(fsm, cmd->token_add.hash))
		return fsm_refuse(res, FSM_EXISTS, "the token exists");
	token = token_place(fsm, cmd->time_ms);
	if (!token)
		return fsm_refuse(res, FSM_REFUSED,
				  "%u tokens are waiting to be used: use one of them or wait until one expires",
				  FSM_MAX_TOKENS);
	memcpy(token->hash, cmd->token_add.hash, sizeof(token->hash));
	token->expires_ms = cmd->token_add.expires_ms;
	token->used = false;
	return FSM_OK;
}

enum fsm_code fsm_do_join(struct fsm *fsm, const struct command *cmd, struct fsm_result *res)
{
	struct fsm_token *token = token_find(fsm, cmd->join.hash);
	enum fsm_code code;

	if (!token)
		return fsm_refuse(res, FSM_REFUSED,
				  "the token is not one of this cluster: make one with 'holdfast token' on a node of it");
	if (token->used)
		return fsm_refuse(res, FSM_REFUSED,
				  "the token has been used, and admits one node only: make another with 'holdfast token'");
	if (token->expires_ms < cmd->time_ms)
		return fsm_refuse(res, FSM_REFUSED,
				  "the token has expired: make another with 'holdfast token'");
	code = check_node(fsm, &cmd->join.node, res);
	if (code)
		return code;
	token->used = true;
	add_node(fsm, cmd, &cmd->join.node);
	return FSM_OK;
}
