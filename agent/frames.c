// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * JSON objects over a connection between two agents: framing, bounds, loss.
 * What the objects say is heartbeat.c's and relay.c's matter.  A frame longer
 * than the bound, or one that is no object, ends the connection: nothing from
 * the other end is trusted.
 */
#include "frames.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "loop.h"

/* Owned by whoever opened it until frames_close() or on_lost; freed when the handles are closed. */
struct frames {
	uv_tcp_t tcp;
	uv_timer_t lost_timer;		/* reports a loss from outside of frames_send() */
	int open_handles;
	bool closing;
	frames_cb on_frame;
	frames_lost_cb on_lost;
	void *data;
	uint8_t *buf;
	size_t len, size;
	uint32_t body_max;
	const char *lost_why;
};

struct frame_write {
	uv_write_t req;
	struct frames *frames;
	char *text;
	uint32_t head;
};

ssize_t frames_parse(const uint8_t *bytes, size_t len, uint32_t body_max, json_t **frame)
{
	json_error_t error;
	uint32_t body;

	*frame = NULL;
	if (len < FRAMES_HEAD_BYTES)
		return 0;
	memcpy(&body, bytes, sizeof(body));
	body = le32toh(body);
	if (!body || body > body_max)
		return -1;
	if (len - FRAMES_HEAD_BYTES < body)
		return 0;
	*frame = json_loadb((const char *)bytes + FRAMES_HEAD_BYTES, body, JSON_REJECT_DUPLICATES,
			    &error);
	if (!json_is_object(*frame)) {
		json_decref(*frame);
		*frame = NULL;
		return -1;
	}
	return FRAMES_HEAD_BYTES + (ssize_t)body;
}

static void handle_closed(uv_handle_t *handle)
{
	struct frames *frames = handle->data;

	if (--frames->open_handles)
		return;
	free(frames->buf);
	free(frames);
}

void frames_close(struct frames *frames)
{
	if (frames->closing)
		return;
	frames->closing = true;
	uv_close((uv_handle_t *)&frames->tcp, handle_closed);
	uv_close((uv_handle_t *)&frames->lost_timer, handle_closed);
}

static void lost(struct frames *frames, const char *why)
{
	if (frames->closing)
		return;
	frames_close(frames);
	frames->on_lost(frames->data, frames, why);
}

static void lost_timer_cb(uv_timer_t *timer)
{
	struct frames *frames = timer->data;

	lost(frames, frames->lost_why);
}

static void lost_soon(struct frames *frames, const char *why)
{
	if (frames->closing)
		return;
	frames->lost_why = why;
	uv_timer_start(&frames->lost_timer, lost_timer_cb, 0, 0);
}

static void alloc_cb(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct frames *frames = handle->data;

	(void)suggested;
	if (frames->size - frames->len < 4096) {
		frames->size = frames->size ? frames->size * 2 : 16384;
		frames->buf = realloc(frames->buf, frames->size);
		if (!frames->buf) {
			log_error("out of memory");
			abort();
		}
	}
	*buf = uv_buf_init((char *)frames->buf + frames->len,
			   (unsigned int)(frames->size - frames->len));
}

static void read_cb(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct frames *frames = stream->data;
	size_t at = 0;

	(void)buf;
	if (n < 0)
		return lost(frames, n == UV_EOF ? "the other end closed" : uv_strerror((int)n));
	frames->len += (size_t)n;
	while (!frames->closing) {
		json_t *frame;
		ssize_t took = frames_parse(frames->buf + at, frames->len - at, frames->body_max,
					    &frame);

		if (took < 0)
			return lost(frames, "the other end sent what is no frame");
		if (!took)
			break;
		at += (size_t)took;
		frames->on_frame(frames->data, frames, frame);
		json_decref(frame);
	}
	frames->len -= at;
	memmove(frames->buf, frames->buf + at, frames->len);
}

struct frames *frames_open(uv_loop_t *loop, int fd, frames_cb on_frame, frames_lost_cb on_lost,
			   void *data)
{
	struct frames *frames = xcalloc(1, sizeof(*frames));
	int rv;

	frames->body_max = FRAMES_BODY_MAX;
	frames->on_frame = on_frame;
	frames->on_lost = on_lost;
	frames->data = data;
	uv_tcp_init(loop, &frames->tcp);
	uv_timer_init(loop, &frames->lost_timer);
	frames->open_handles = 2;
	frames->tcp.data = frames;
	frames->lost_timer.data = frames;
	rv = uv_tcp_open(&frames->tcp, fd);
	if (!rv)
		rv = uv_read_start((uv_stream_t *)&frames->tcp, alloc_cb, read_cb);
	if (rv)
		lost_soon(frames, uv_strerror(rv));
	return frames;
}

void frames_bound(struct frames *frames, uint32_t body_max)
{
	frames->body_max = body_max;
}

static void write_cb(uv_write_t *req, int status)
{
	struct frame_write *w = req->data;

	/* After a close the frames may be freed already: do not touch them. */
	if (status < 0 && status != UV_ECANCELED)
		lost(w->frames, uv_strerror(status));
	free(w->text);
	free(w);
}

void frames_send(struct frames *frames, json_t *frame)
{
	struct frame_write *w;
	uv_buf_t bufs[2];
	size_t len;
	int rv;

	if (frames->closing) {
		json_decref(frame);
		return;
	}
	w = xcalloc(1, sizeof(*w));
	w->text = json_dumps(frame, JSON_COMPACT);
	json_decref(frame);
	len = w->text ? strlen(w->text) : 0;
	if (!len || len > FRAMES_BODY_MAX ||
	    uv_stream_get_write_queue_size((uv_stream_t *)&frames->tcp) > FRAMES_QUEUE_MAX) {
		free(w->text);
		free(w);
		return lost_soon(frames, "too much is waiting to be sent");
	}
	w->frames = frames;
	w->req.data = w;
	w->head = htole32((uint32_t)len);
	bufs[0] = uv_buf_init((char *)&w->head, FRAMES_HEAD_BYTES);
	bufs[1] = uv_buf_init(w->text, (unsigned int)len);
	rv = uv_write(&w->req, (uv_stream_t *)&frames->tcp, bufs, 2, write_cb);
	if (rv) {
		free(w->text);
		free(w);
		lost_soon(frames, uv_strerror(rv));
	}
}
