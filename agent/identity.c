// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The node's identity on its own disk: written whole, durable and atomic, read
 * strictly.  Also what of an identity is taken from the machine: its boot, its
 * address.  What an identity is used for is membership.c's matter.
 */
#include "identity.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hex.h"
#include "json_util.h"
#include "loop.h"

static const char *const phase_names[] = {
	[NODE_ALONE]	= "alone",
	[NODE_FOUNDING]	= "founding",
	[NODE_JOINING]	= "joining",
	[NODE_MEMBER]	= "member",
};

static json_t *identity_to_json(const struct identity *identity)
{
	json_t *json = json_object();

	json_put_uint(&json, "version", 1);
	json_put_text(&json, "phase", phase_names[identity->phase]);
	json_put_bytes(&json, "cluster", identity->cluster, sizeof(identity->cluster));
	json_put(&json, "node", cmd_node_to_json(&identity->node));
	if (identity->phase == NODE_JOINING) {
		json_put_text(&json, "token", identity->token);
		json_put_id(&json, "join_id", identity->join_id);
	}
	return json;
}

int identity_load(const char *state_dir, struct identity *identity, char *why, size_t why_len)
{
	char *path = xasprintf("%s/node.json", state_dir);
	const json_t *node;
	struct json_reader r;
	json_error_t error;
	json_t *json;
	int rv = -EINVAL;

	memset(identity, 0, sizeof(*identity));
	if (access(path, F_OK) < 0 && errno == ENOENT) {
		free(path);
		return -ENOENT;
	}
	json = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (!json) {
		snprintf(why, why_len, "%s cannot be read: %s", path, error.text);
		free(path);
		return -EINVAL;
	}
	json_reader_begin(&r, json, "node.json", why, why_len);
	json_take_uint(&r, "version", 1, 1);
	identity->phase = (enum node_phase)json_take_enum(&r, "phase", phase_names, 4);
	json_take_bytes(&r, "cluster", identity->cluster, sizeof(identity->cluster));
	node = json_take_object(&r, "node");
	if (identity->phase == NODE_JOINING) {
		json_take_text(&r, "token", identity->token, sizeof(identity->token));
		identity->join_id = json_take_id(&r, "join_id");
	}
	if (!json_reader_end(&r) && cmd_node_from_json(node, &identity->node, why, why_len))
		rv = 0;
	json_decref(json);
	free(path);
	return rv;
}

static int write_durably(const char *dir, const char *path, const char *text)
{
	char *tmp = xasprintf("%s.new", path);
	size_t len = strlen(text);
	int rv = 0, fd, dir_fd;

	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) {
		rv = -errno;
		goto out;
	}
	if (write(fd, text, len) != (ssize_t)len || fsync(fd) < 0)
		rv = errno ? -errno : -EIO;
	close(fd);
	if (!rv && rename(tmp, path) < 0)
		rv = -errno;
	dir_fd = rv ? -1 : open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd >= 0) {
		if (fsync(dir_fd) < 0)
			rv = -errno;
		close(dir_fd);
	} else if (!rv) {
		rv = -errno;
	}
out:
	free(tmp);
	return rv;
}

int identity_save(const char *state_dir, const struct identity *identity, char *why,
		  size_t why_len)
{
	char *path = xasprintf("%s/node.json", state_dir);
	json_t *json = identity_to_json(identity);
	char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
	int rv = text ? write_durably(state_dir, path, text) : -ENOMEM;

	if (rv)
		snprintf(why, why_len, "%s cannot be written: %s", path, strerror(-rv));
	free(text);
	json_decref(json);
	free(path);
	return rv;
}

int identity_remove(const char *state_dir)
{
	char *path = xasprintf("%s/node.json", state_dir);
	int rv = unlink(path) < 0 && errno != ENOENT ? -errno : 0;

	free(path);
	return rv;
}

uint64_t identity_boot_id(const char *run_dir)
{
	char *path = xasprintf("%s/boot_id", run_dir);
	char text[17] = "";
	uint64_t id = 0;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (read(fd, text, 16) != 16 || !hex_decode_u64(text, &id))
			id = 0;
		close(fd);
	}
	if (!id) {
		id = loop_random_u64();
		hex_encode_u64(id, text);
		if (write_durably(run_dir, path, text)) {
			log_error("%s cannot be written", path);
			id = 0;
		}
	}
	free(path);
	return id;
}

bool identity_name_is_valid(const char *name)
{
	size_t len = strlen(name), i;

	if (!len || len > FSM_NAME_BYTES - 1)
		return false;
	for (i = 0; i < len; i++) {
		bool edge = !i || i == len - 1;

		if (!(name[i] >= 'a' && name[i] <= 'z') && !(name[i] >= '0' && name[i] <= '9') &&
		    (edge || (name[i] != '.' && name[i] != '-')))
			return false;
	}
	return true;
}

/* Asks the routing table; nothing is sent by connecting a UDP socket. */
static bool source_towards(const char *towards, char *ip, size_t size)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	bool ok = false;
	int fd;

	if (!transport_make_sockaddr(towards, TRANSPORT_PORT, &addr))
		return false;
	fd = socket(addr.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	if (!connect(fd, (struct sockaddr *)&addr, addr.ss_family == AF_INET ?
		     sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)) &&
	    !getsockname(fd, (struct sockaddr *)&addr, &len)) {
		const void *at = addr.ss_family == AF_INET ?
			(void *)&((struct sockaddr_in *)&addr)->sin_addr :
			(void *)&((struct sockaddr_in6 *)&addr)->sin6_addr;

		ok = inet_ntop(addr.ss_family, at, ip, (socklen_t)size) != NULL;
	}
	close(fd);
	return ok;
}

bool identity_default_address(const char *towards, char *ip, size_t size)
{
	struct ifaddrs *list, *i;
	bool ok = false;

	/* 192.0.2.0/24 is nobody's: what has a route there is the default route. */
	if (source_towards(towards ? towards : "192.0.2.1", ip, size))
		return true;
	if (getifaddrs(&list) < 0)
		return false;
	for (i = list; i && !ok; i = i->ifa_next) {
		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET ||
		    !(i->ifa_flags & IFF_UP) || (i->ifa_flags & IFF_LOOPBACK))
			continue;
		ok = inet_ntop(AF_INET, &((struct sockaddr_in *)i->ifa_addr)->sin_addr, ip,
			       (socklen_t)size) != NULL;
	}
	freeifaddrs(list);
	return ok;
}
