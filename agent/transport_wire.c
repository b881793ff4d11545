// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Preambles and addresses of the agents' port: bytes and text into structures
 * and back, with every bound checked.  Pure; the sockets are transport.c's.
 */
#include "transport.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "loop.h"

static void put_le32(uint8_t *at, uint32_t v)
{
	v = htole32(v);
	memcpy(at, &v, sizeof(v));
}

static uint32_t get_le32(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return le32toh(v);
}

/*
 * 0 magic, 4 version, 5 kind, 6 reserved (2), 8 from, 12 to, 16 cluster,
 * 32 bytes of body, 36 reserved (4)
 */
void transport_encode(const struct transport_hello *hello, uint32_t body_bytes,
		      uint8_t bytes[TRANSPORT_PREAMBLE_BYTES])
{
	memset(bytes, 0, TRANSPORT_PREAMBLE_BYTES);
	put_le32(bytes, TRANSPORT_MAGIC);
	bytes[4] = TRANSPORT_VERSION;
	bytes[5] = hello->kind;
	put_le32(bytes + 8, hello->from);
	put_le32(bytes + 12, hello->to);
	memcpy(bytes + 16, hello->cluster, 16);
	put_le32(bytes + 32, body_bytes);
}

bool transport_decode(const uint8_t bytes[TRANSPORT_PREAMBLE_BYTES], struct transport_hello *hello,
		      uint32_t *body_bytes, const char **why)
{
	memset(hello, 0, sizeof(*hello));
	if (get_le32(bytes) != TRANSPORT_MAGIC) {
		*why = "not a Holdfast agent";
		return false;
	}
	if (bytes[4] < TRANSPORT_VERSION_MIN || bytes[4] > TRANSPORT_VERSION) {
		*why = "the agents' protocol versions have none in common: upgrade the older node";
		return false;
	}
	if (bytes[6] || bytes[7] || get_le32(bytes + 36)) {
		*why = "reserved bytes of the preamble are not zero";
		return false;
	}
	hello->kind = bytes[5];
	if (!hello->kind || hello->kind > TRANSPORT_KIND_MAX) {
		*why = "unknown kind of connection";
		return false;
	}
	hello->from = get_le32(bytes + 8);
	hello->to = get_le32(bytes + 12);
	memcpy(hello->cluster, bytes + 16, 16);
	*body_bytes = get_le32(bytes + 32);
	if (*body_bytes > TRANSPORT_BODY_MAX) {
		*why = "the preamble's body is too long";
		return false;
	}
	return true;
}

size_t transport_encode_answer(bool ok, const char *why, uint8_t bytes[TRANSPORT_ANSWER_MAX])
{
	size_t len = why ? strnlen(why, TRANSPORT_WHY_MAX) : 0;
	uint16_t le_len = htole16((uint16_t)len);

	put_le32(bytes, TRANSPORT_ANSWER_MAGIC);
	bytes[4] = TRANSPORT_VERSION;
	bytes[5] = ok;
	memcpy(bytes + 6, &le_len, sizeof(le_len));
	if (len)
		memcpy(bytes + TRANSPORT_ANSWER_BYTES, why, len);
	return TRANSPORT_ANSWER_BYTES + len;
}

bool transport_decode_answer(const uint8_t bytes[TRANSPORT_ANSWER_BYTES], bool *ok,
			     size_t *why_bytes)
{
	uint16_t le_len;

	memcpy(&le_len, bytes + 6, sizeof(le_len));
	*why_bytes = le16toh(le_len);
	*ok = bytes[5];
	return get_le32(bytes) == TRANSPORT_ANSWER_MAGIC && bytes[5] <= 1 &&
	       *why_bytes <= TRANSPORT_WHY_MAX;
}

json_t *transport_decode_body(const char *bytes, size_t len)
{
	json_error_t error;
	json_t *body;

	if (len > TRANSPORT_BODY_MAX)
		return NULL;
	body = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &error);
	if (body && !json_is_object(body)) {
		json_decref(body);
		body = NULL;
	}
	return body;
}

bool transport_make_sockaddr(const char *ip, uint16_t port, struct sockaddr_storage *addr)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)addr;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)addr;

	memset(addr, 0, sizeof(*addr));
	if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return true;
	}
	if (inet_pton(AF_INET6, ip, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		return true;
	}
	return false;
}

bool transport_parse_address(const char *text, struct sockaddr_storage *addr)
{
	char ip[INET6_ADDRSTRLEN];
	const char *colon = strrchr(text, ':');
	char *end;
	size_t len;
	long port;

	if (!colon || colon == text || colon[1] < '0' || colon[1] > '9')
		return false;
	port = strtol(colon + 1, &end, 10);
	if (*end || port < 1 || port > 65535)
		return false;
	len = (size_t)(colon - text);
	if (text[0] == '[') {
		if (len < 3 || text[len - 1] != ']')
			return false;
		text++;
		len -= 2;
	} else if (memchr(text, ':', len)) {
		return false;
	}
	if (len >= sizeof(ip))
		return false;
	memcpy(ip, text, len);
	ip[len] = '\0';
	return transport_make_sockaddr(ip, (uint16_t)port, addr);
}

char *transport_format_address(const char *ip, uint16_t port)
{
	return xasprintf(strchr(ip, ':') ? "[%s]:%u" : "%s:%u", ip, port);
}
