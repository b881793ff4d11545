/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Join tokens: where to ask and the secret to show, as one word. Pure but for SHA-256. */
#ifndef AGENT_TOKEN_H
#define AGENT_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TOKEN_SECRET_BYTES	= 16,
	TOKEN_HASH_BYTES	= 32,
	TOKEN_TEXT_MAX		= 64,		/* with its NUL */
	TOKEN_VALID_MS		= 3600 * 1000,
};

struct token {
	char ip[46];
	uint16_t port;
	uint8_t secret[TOKEN_SECRET_BYTES];
};

/* false: the address is not one. */
bool token_encode(const struct token *token, char text[TOKEN_TEXT_MAX]);

/* false: mistyped or not a token; *why says which. */
bool token_decode(const char *text, struct token *token, const char **why);

/* SHA-256 of the secret: all that the cluster's state keeps of it. */
void token_hash(const uint8_t secret[TOKEN_SECRET_BYTES], uint8_t hash[TOKEN_HASH_BYTES]);

#endif /* AGENT_TOKEN_H */
