/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The API over HTTP on a unix socket that root alone can open. */
#ifndef AGENT_HTTP_H
#define AGENT_HTTP_H

struct agent;
struct http;

/* NULL after a logged sentence. */
struct http *http_open(struct agent *agent);

/* Requests that wait are answered before. */
void http_close(struct http *http);

#endif /* AGENT_HTTP_H */
