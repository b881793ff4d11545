// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * HTTP on a unix socket: from libmicrohttpd to api.h and back.  The daemon's
 * epoll descriptor is watched by the loop; it has no thread of its own.  A
 * request whose answer is not there at once is suspended until it is.  What
 * paths mean is api.c's matter.
 */
#include "http.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "api.h"
#include "loop.h"
#include "node.h"

enum {
	HTTP_MAX_CONNECTIONS	= 128,
	HTTP_SILENT_S		= 20,	/* nothing comes, or nothing is taken; a wait is not silence */
};

/*
 * One request. Owned by its connection until it is completed, and by the API
 * until that has answered: the later of the two frees it.
 */
struct http_request {
	struct http_request *next;	/* http->requests */
	struct http *http;		/* NULL: ended before the API answered */
	struct MHD_Connection *connection;
	char *body;
	size_t body_len;
	bool too_long;
	bool asked;			/* the API has it and has not answered */
	bool suspended;
	bool completed;			/* the connection is gone */
	json_t *answer;
};

struct http {
	struct agent *agent;
	struct MHD_Daemon *daemon;
	char *path;
	uv_poll_t poll;
	uv_timer_t timer;
	int open_handles;
	bool closing;
	struct http_request *requests;
};

static void timer_cb(uv_timer_t *timer);

static void run(struct http *http)
{
	MHD_UNSIGNED_LONG_LONG timeout_ms;

	if (http->closing)
		return;
	MHD_run(http->daemon);
	if (MHD_get_timeout(http->daemon, &timeout_ms) == MHD_YES) {
		if (timeout_ms > 1000)
			timeout_ms = 1000;
	} else {
		timeout_ms = 1000;
	}
	uv_timer_start(&http->timer, timer_cb, timeout_ms, 0);
}

static void timer_cb(uv_timer_t *timer)
{
	run(timer->data);
}

static void poll_cb(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	run(poll->data);
}

static void request_free(struct http_request *r)
{
	struct http_request **at;

	for (at = r->http ? &r->http->requests : NULL; at && *at != r; at = &(*at)->next)
		;
	if (at)
		*at = r->next;
	json_decref(r->answer);
	free(r->body);
	free(r);
}

static json_t *make_error(int status, const char *sentence)
{
	return json_pack("{s:i, s:{s:s}}", "status", status, "body", "error", sentence);
}

static void answer_cb(void *data, json_t *answer)
{
	struct http_request *r = data;

	r->asked = false;
	if (r->completed) {
		json_decref(answer);
		return request_free(r);
	}
	if (r->answer)		/* the agent stops; it was answered for the API */
		json_decref(answer);
	else
		r->answer = answer ? answer : make_error(500, "the answer could not be written");
	if (r->suspended) {
		r->suspended = false;
		MHD_resume_connection(r->connection);
		if (!r->http->closing)
			uv_timer_start(&r->http->timer, timer_cb, 0, 0);
	}
}

static enum MHD_Result respond(struct http_request *r)
{
	int status = (int)json_integer_value(json_object_get(r->answer, "status"));
	json_t *body = json_object_get(r->answer, "body");
	char *text = body ? json_dumps(body, JSON_INDENT(2) | JSON_ENCODE_ANY) : NULL;
	struct MHD_Response *response;
	enum MHD_Result rv;

	if (!text)
		text = xstrdup("{}");
	response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
	rv = MHD_queue_response(r->connection, status ? (unsigned int)status : 500, response);
	MHD_destroy_response(response);
	return rv;
}

static enum MHD_Result query_cb(void *data, enum MHD_ValueKind kind, const char *key,
				const char *value)
{
	(void)kind;
	json_object_set_new(data, key, json_string(value ? value : ""));
	return MHD_YES;
}

/* NULL and a sentence if it is none. */
static json_t *make_request(struct http_request *r, const char *url, const char *method,
			    const char **why)
{
	json_t *query = json_object(), *body = NULL, *request;
	json_error_t error;

	MHD_get_connection_values(r->connection, MHD_GET_ARGUMENT_KIND, query_cb, query);
	if (r->body_len) {
		body = json_loadb(r->body, r->body_len, JSON_REJECT_DUPLICATES, &error);
		if (!json_is_object(body)) {
			json_decref(body);
			json_decref(query);
			*why = "the request's body is not a JSON object";
			return NULL;
		}
	}
	request = json_pack("{s:s, s:s, s:o, s:o*}", "method", method, "path", url, "query", query,
			    "body", body);
	if (!request)
		*why = "the request is not in UTF-8";
	return request;
}

static struct http_request *request_new(struct http *http, struct MHD_Connection *connection)
{
	struct http_request *r = xcalloc(1, sizeof(*r));

	r->http = http;
	r->connection = connection;
	r->next = http->requests;
	http->requests = r;
	return r;
}

static enum MHD_Result handler_cb(void *data, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_len, void **context)
{
	struct http *http = data;
	struct http_request *r = *context;
	const char *why = NULL;
	json_t *request;

	(void)version;
	if (!r) {
		*context = request_new(http, connection);
		return MHD_YES;
	}
	if (*upload_len) {
		if (r->body_len + *upload_len > API_BODY_MAX) {
			r->too_long = true;
		} else {
			r->body = realloc(r->body, r->body_len + *upload_len);
			if (!r->body)
				return MHD_NO;
			memcpy(r->body + r->body_len, upload, *upload_len);
			r->body_len += *upload_len;
		}
		*upload_len = 0;
		return MHD_YES;
	}
	if (!r->answer && r->too_long)
		r->answer = make_error(413, "the request is longer than 64 KiB");
	if (!r->answer) {
		request = make_request(r, url, method, &why);
		if (request) {
			r->asked = true;
			api_handle(http->agent, request, answer_cb, r);
		} else {
			r->answer = make_error(400, why);
		}
	}
	if (r->answer)
		return respond(r);
	r->suspended = true;
	MHD_suspend_connection(connection);
	return MHD_YES;
}

static void completed_cb(void *data, struct MHD_Connection *connection, void **context,
			 enum MHD_RequestTerminationCode code)
{
	struct http_request *r = *context;

	(void)data;
	(void)connection;
	(void)code;
	if (!r)
		return;
	*context = NULL;
	r->completed = true;
	if (!r->asked)
		request_free(r);
}

static int listen_unix(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	/* The port is ours already: whoever left this socket does not run. */
	unlink(path);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || chmod(path, 0600) < 0 ||
	    listen(fd, 64) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

struct http *http_open(struct agent *agent)
{
	struct http *http = xcalloc(1, sizeof(*http));
	const union MHD_DaemonInfo *info;
	int fd;

	http->agent = agent;
	http->path = xasprintf("%s/holdfast.sock", agent->options.run_dir);
	fd = listen_unix(http->path);
	if (fd < 0) {
		log_error("%s cannot be listened on: %s", http->path, strerror(errno));
		goto err;
	}
	http->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
					handler_cb, http, MHD_OPTION_LISTEN_SOCKET, fd,
					MHD_OPTION_NOTIFY_COMPLETED, completed_cb, http,
					MHD_OPTION_CONNECTION_LIMIT, HTTP_MAX_CONNECTIONS,
					MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)HTTP_SILENT_S,
					MHD_OPTION_END);
	info = http->daemon ? MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (!info) {
		log_error("the HTTP server does not start");
		close(fd);
		goto err;
	}
	uv_poll_init(agent->loop, &http->poll, info->epoll_fd);
	uv_timer_init(agent->loop, &http->timer);
	http->open_handles = 2;
	http->poll.data = http;
	http->timer.data = http;
	uv_poll_start(&http->poll, UV_READABLE, poll_cb);
	return http;
err:
	free(http->path);
	free(http);
	return NULL;
}

static void handle_closed(uv_handle_t *handle)
{
	struct http *http = handle->data;
	struct http_request *r;

	if (--http->open_handles)
		return;
	MHD_run(http->daemon);
	MHD_stop_daemon(http->daemon);
	/* What the API has not answered yet (a device is being checked) ends by itself. */
	for (r = http->requests; r; r = r->next)
		r->http = NULL;
	unlink(http->path);
	free(http->path);
	free(http);
}

void http_close(struct http *http)
{
	struct http_request *r;

	http->closing = true;
	for (r = http->requests; r; r = r->next) {
		if (!r->suspended)
			continue;
		r->suspended = false;
		if (!r->answer)
			r->answer = make_error(503, "the agent stops; ask again when it runs");
		MHD_resume_connection(r->connection);
	}
	MHD_run(http->daemon);
	MHD_run(http->daemon);
	uv_close((uv_handle_t *)&http->poll, handle_closed);
	uv_close((uv_handle_t *)&http->timer, handle_closed);
}
