// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Join tokens.  Bytes: version 1, address family (4 or 6), address, port (big
 * endian), secret, the first two bytes of the SHA-256 of all before (so that a
 * mistyped token is told from a refused one).  Text: base32 without padding,
 * read in either case.
 */
#include "token.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

enum {
	TOKEN_VERSION	= 1,
	TOKEN_BYTES_MAX	= 2 + 16 + 2 + TOKEN_SECRET_BYTES + 2,
};

static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static void sha256(const uint8_t *bytes, size_t len, uint8_t hash[TOKEN_HASH_BYTES])
{
	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, bytes, len, hash))
		abort();	/* the library's self-test failed: nothing may be trusted */
}

void token_hash(const uint8_t secret[TOKEN_SECRET_BYTES], uint8_t hash[TOKEN_HASH_BYTES])
{
	sha256(secret, TOKEN_SECRET_BYTES, hash);
}

static void base32_encode(const uint8_t *bytes, size_t len, char *text)
{
	uint32_t acc = 0;
	unsigned int bits = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		acc = acc << 8 | bytes[i];
		for (bits += 8; bits >= 5; bits -= 5)
			*text++ = base32[acc >> (bits - 5) & 31];
	}
	if (bits)
		*text++ = base32[acc << (5 - bits) & 31];
	*text = '\0';
}

/* Number of bytes, or -1. */
static int base32_decode(const char *text, uint8_t *bytes, size_t size)
{
	uint32_t acc = 0;
	unsigned int bits = 0;
	size_t n = 0;

	for (; *text; text++) {
		const char *at = strchr(base32, toupper((unsigned char)*text));

		if (!at)
			return -1;
		acc = acc << 5 | (uint32_t)(at - base32);
		bits += 5;
		if (bits >= 8) {
			if (n == size)
				return -1;
			bits -= 8;
			bytes[n++] = (uint8_t)(acc >> bits);
		}
	}
	if (bits >= 5 || (acc & ((1u << bits) - 1)))
		return -1;
	return (int)n;
}

bool token_encode(const struct token *token, char text[TOKEN_TEXT_MAX])
{
	uint8_t bytes[TOKEN_BYTES_MAX], hash[TOKEN_HASH_BYTES];
	uint16_t port = htons(token->port);
	size_t len = 2;

	bytes[0] = TOKEN_VERSION;
	if (inet_pton(AF_INET, token->ip, bytes + 2) == 1) {
		bytes[1] = 4;
		len += 4;
	} else if (inet_pton(AF_INET6, token->ip, bytes + 2) == 1) {
		bytes[1] = 6;
		len += 16;
	} else {
		return false;
	}
	memcpy(bytes + len, &port, sizeof(port));
	len += sizeof(port);
	memcpy(bytes + len, token->secret, TOKEN_SECRET_BYTES);
	len += TOKEN_SECRET_BYTES;
	sha256(bytes, len, hash);
	memcpy(bytes + len, hash, 2);
	base32_encode(bytes, len + 2, text);
	return true;
}

bool token_decode(const char *text, struct token *token, const char **why)
{
	uint8_t bytes[TOKEN_BYTES_MAX], hash[TOKEN_HASH_BYTES];
	size_t address_len;
	uint16_t port;
	int len;

	*why = "the token is not complete or mistyped; copy it again from the output of "
	       "'holdfast init' or 'holdfast token'";
	memset(token, 0, sizeof(*token));
	if (strlen(text) >= TOKEN_TEXT_MAX)
		return false;
	len = base32_decode(text, bytes, sizeof(bytes));
	if (len < 2 + 4 + 2 + TOKEN_SECRET_BYTES + 2 || bytes[0] != TOKEN_VERSION ||
	    (bytes[1] != 4 && bytes[1] != 6))
		return false;
	address_len = bytes[1] == 4 ? 4 : 16;
	if ((size_t)len != 2 + address_len + 2 + TOKEN_SECRET_BYTES + 2)
		return false;
	sha256(bytes, (size_t)len - 2, hash);
	if (memcmp(hash, bytes + len - 2, 2))
		return false;
	if (!inet_ntop(bytes[1] == 4 ? AF_INET : AF_INET6, bytes + 2, token->ip,
		       sizeof(token->ip)))
		return false;
	memcpy(&port, bytes + 2 + address_len, sizeof(port));
	token->port = ntohs(port);
	memcpy(token->secret, bytes + 2 + address_len + 2, TOKEN_SECRET_BYTES);
	return token->port;
}
