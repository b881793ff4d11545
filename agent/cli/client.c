// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The smallest HTTP client that can talk to the local agent: one request on one
 * connection over its unix socket, the answer read to the end.
 */
#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_MAX = 64 << 20 };

int cli_fail(const char *fmt, ...)
{
	va_list ap;

	fputs("holdfast: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return CLI_FAILED;
}

char *cli_path(const char *fmt, const char *name)
{
	const char *hole = strstr(fmt, "%s");
	char *path = malloc(strlen(fmt) + 3 * strlen(name) + 1), *at = path;

	if (!path)
		abort();
	memcpy(at, fmt, (size_t)(hole - fmt));
	at += hole - fmt;
	for (; *name; name++) {
		if (isalnum((unsigned char)*name) || strchr("-._~", *name))
			*at++ = *name;
		else
			at += sprintf(at, "%%%02X", (unsigned char)*name);
	}
	strcpy(at, hole + 2);
	return path;
}

static int connect_agent(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(cli_socket) >= sizeof(addr.sun_path)) {
		cli_fail("the socket's path is too long: %s", cli_socket);
		return -1;
	}
	strcpy(addr.sun_path, cli_socket);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && !connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return fd;
	if (errno == EACCES || errno == EPERM)
		cli_fail("the agent's socket %s may be opened by root alone: use sudo", cli_socket);
	else if (errno == ENOENT || errno == ECONNREFUSED)
		cli_fail("the agent does not run on this node (nobody listens on %s): start it with "
			 "'systemctl start holdfast' or 'holdfastd --daemon'", cli_socket);
	else
		cli_fail("the agent was not reached on %s: %s", cli_socket, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool send_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		text += n;
		len -= (size_t)n;
	}
	return true;
}

static char *read_all(int fd, size_t *len)
{
	size_t size = 65536;
	char *text = malloc(size);

	*len = 0;
	while (text) {
		ssize_t n = read(fd, text + *len, size - *len - 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || *len > ANSWER_MAX) {
			free(text);
			return NULL;
		}
		if (!n)
			break;
		*len += (size_t)n;
		if (size - *len < 4096) {
			size *= 2;
			text = realloc(text, size);
		}
	}
	if (text)
		text[*len] = '\0';
	return text;
}

static int take_answer(const char *text, json_t **answer)
{
	const char *body = strstr(text, "\r\n\r\n");
	json_error_t error;
	const char *why;
	json_t *json;
	int status;

	if (sscanf(text, "HTTP/1.%*d %d", &status) != 1 || !body)
		return cli_fail("the agent ended in the middle of its answer; look whether it was done, "
				"and try again");
	json = json_loads(body + 4, JSON_DECODE_ANY, &error);
	if (!json)
		return cli_fail("the agent's answer is not JSON: %s", error.text);
	if (status >= 200 && status < 300) {
		*answer = json;
		return CLI_OK;
	}
	why = json_string_value(json_object_get(json, "error"));
	cli_fail("%s", why ? why : "the agent refused without a reason");
	json_decref(json);
	return CLI_FAILED;
}

bool cli_may_be_name(const char *name)
{
	return *name && !strchr(name, '/');
}

int cli_show(char *path, bool json, void (*print)(FILE *to, const json_t *answer))
{
	json_t *answer;
	int rv = cli_ask("GET", path, NULL, &answer);

	free(path);
	if (rv)
		return rv;
	cli_warn_stale(answer);
	if (json)
		rv = cli_print_json(answer);
	else
		print(stdout, answer);
	json_decref(answer);
	return rv;
}

int cli_ask(const char *method, const char *path, json_t *body, json_t **answer)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL, *request, *got;
	int fd = connect_agent(), rv;
	size_t len;

	json_decref(body);
	if (fd < 0) {
		free(text);
		return CLI_FAILED;
	}
	if (asprintf(&request, "%s %s HTTP/1.1\r\nHost: holdfast\r\nConnection: close\r\n"
		     "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", method,
		     path, text ? strlen(text) : 0, text ? text : "") < 0)
		abort();
	free(text);
	got = send_all(fd, request, strlen(request)) ? read_all(fd, &len) : NULL;
	free(request);
	close(fd);
	if (!got)
		return cli_fail("the agent went away; look whether it was done, and try again");
	rv = take_answer(got, answer);
	free(got);
	return rv;
}
