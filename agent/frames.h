/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A connection between two agents that carries JSON objects, each behind its length. */
#ifndef AGENT_FRAMES_H
#define AGENT_FRAMES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum {
	FRAMES_HEAD_BYTES	= 4,		/* length, little endian */
	FRAMES_BODY_MAX		= 4 << 20,
	FRAMES_QUEUE_MAX	= 16 << 20,	/* unsent bytes: the other end is lost */
};

struct frames;

/* @frame is borrowed. The callee may call frames_close(). */
typedef void (*frames_cb)(void *data, struct frames *frames, json_t *frame);

/* The other end closed, failed or sent garbage: @frames is gone when it returns. */
typedef void (*frames_lost_cb)(void *data, struct frames *frames, const char *why);

/*
 * Pure: one step over @len received bytes. Returns how many bytes the first
 * frame takes and sets *@frame (new reference), 0 if it is not complete, -1 if
 * what comes there cannot be a frame, or is one of more than @body_max.
 */
ssize_t frames_parse(const uint8_t *bytes, size_t len, uint32_t body_max, json_t **frame);

/* Takes @fd, a connected socket. No callback is called from inside. */
struct frames *frames_open(uv_loop_t *loop, int fd, frames_cb on_frame, frames_lost_cb on_lost,
			   void *data);

/* Takes no frame that is longer; FRAMES_BODY_MAX until then. */
void frames_bound(struct frames *frames, uint32_t body_max);

/* @frame is stolen. A frame to a lost connection is dropped: on_lost tells. */
void frames_send(struct frames *frames, json_t *frame);

/* What was sent before goes out if the socket takes it at once; no callback follows. */
void frames_close(struct frames *frames);

#endif /* AGENT_FRAMES_H */
