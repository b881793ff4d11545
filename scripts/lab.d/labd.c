// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * labd: first process of a small lab guest, or (--service) one of many in a
 * guest with systemd.
 *
 * Runs commands for the host over one virtio-serial port, many at a time, and
 * reaps orphans, as process 1 must. As a service it says that the guest is ready
 * when it gets SIGUSR1, else at once. The port is its only way in, so that the
 * network under test can be broken at will. It is not a login service: whoever
 * holds the port is the lab itself.
 *
 * Frames in both directions: le32 channel, u8 type, u8 zero, le16 length, then
 * the payload. The types are in enum frame_type, and again in proto.py. A
 * channel is one command; the host chooses its number. Output flows while the
 * channel has credit, given by the reader at the far end, so a reader that
 * stops holds up its own command only. Input flows likewise, the other way.
 *
 * One thread, no locks.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "labd.h"

static struct channel channels[CHANNELS];
static int port = -1;
static char *out_buf;
static size_t out_len, out_cap;
static char in_buf[FRAME_HEAD + 65536];
static size_t in_len;
static bool is_service;
static const char *ready_text = "";

static void die(const char *what)
{
	fprintf(stderr, "labd: %s: %s\n", what, strerror(errno));
	if (is_service)
		_exit(1);
	sync();
	reboot(RB_POWER_OFF);
	_exit(1);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static void queue_frame(uint32_t id, uint8_t type, const void *data, size_t len)
{
	uint32_t le_id = htole32(id);
	uint16_t le_len = htole16(len);

	if (out_len + FRAME_HEAD + len > out_cap) {
		out_cap = (out_len + FRAME_HEAD + len) * 2;
		out_buf = realloc(out_buf, out_cap);
		if (!out_buf)
			die("memory");
	}
	memcpy(out_buf + out_len, &le_id, 4);
	out_buf[out_len + 4] = type;
	out_buf[out_len + 5] = 0;
	memcpy(out_buf + out_len + 6, &le_len, 2);
	memcpy(out_buf + out_len + FRAME_HEAD, data, len);
	out_len += FRAME_HEAD + len;
}

static void queue_u32(uint32_t id, uint8_t type, uint32_t value)
{
	uint32_t le = htole32(value);

	queue_frame(id, type, &le, sizeof(le));
}

static void flush_out(void)
{
	size_t done = 0;

	while (done < out_len) {
		ssize_t n = write(port, out_buf + done, out_len - done);

		if (n <= 0)
			break;
		done += n;
	}
	if (done) {
		memmove(out_buf, out_buf + done, out_len - done);
		out_len -= done;
	}
}

static struct channel *find_channel(uint32_t id)
{
	for (int i = 0; i < CHANNELS; i++)
		if (channels[i].used && channels[i].id == id)
			return &channels[i];
	return NULL;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void refuse(uint32_t id, const char *why)
{
	queue_frame(id, FT_STDERR, why, strlen(why));
	queue_u32(id, FT_EXIT, 126);
}

static void child_exec(char **argv, int in, int out, int err)
{
	sigset_t none;
	int status;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	dup2(in, 0);
	dup2(out, 1);
	dup2(err, 2);
	execvp(argv[0], argv);
	status = errno == ENOENT ? 127 : 126;
	dprintf(2, "%s: %s\n", argv[0], strerror(errno));
	_exit(status);
}

static void close_channel(struct channel *ch)
{
	for (int i = 0; i < 3; i++)
		close_fd(&ch->fd[i]);
	free(ch->stdin_buf);
	ch->stdin_buf = NULL;
	ch->used = false;
}

/* Starts the process with pipes for its streams; 0 or -1. */
static int start_command(struct channel *ch, char **argv)
{
	int far[3] = { -1, -1, -1 }, p[2];

	ch->pid = -1;
	ch->stdin_buf = malloc(STDIN_WINDOW);
	for (int i = 0; i < 3; i++)
		ch->fd[i] = -1;
	for (int i = 0; i < 3 && !pipe2(p, O_CLOEXEC); i++) {
		ch->fd[i] = i ? p[0] : p[1];
		far[i] = i ? p[1] : p[0];
		fcntl(ch->fd[i], F_SETFL, O_NONBLOCK);
	}
	if (ch->stdin_buf && far[2] >= 0)
		ch->pid = fork();
	if (ch->pid == 0)
		child_exec(argv, far[0], far[1], far[2]);
	for (int i = 0; i < 3; i++)
		close_fd(&far[i]);
	return ch->pid < 0 ? -1 : 0;
}

static void open_channel(uint32_t id, char *data, size_t len)
{
	struct channel *ch = NULL;
	char *argv[ARGS + 1];
	int argc = 0;

	if (!len || data[len - 1] != '\0') {
		refuse(id, "labd: malformed command\n");
		return;
	}
	for (char *p = data; p < data + len && argc < ARGS; p += strlen(p) + 1)
		argv[argc++] = p;
	argv[argc] = NULL;
	for (int i = 0; i < CHANNELS && !ch; i++)
		if (!channels[i].used)
			ch = &channels[i];
	if (!ch) {
		refuse(id, "labd: too many commands at once\n");
		return;
	}
	memset(ch, 0, sizeof(*ch));
	if (start_command(ch, argv) < 0) {
		close_channel(ch);
		refuse(id, "labd: no resources for a command\n");
		return;
	}
	ch->id = id;
	ch->used = true;
	queue_u32(id, FT_CREDIT, STDIN_WINDOW);
}

static void push_stdin(struct channel *ch)
{
	ssize_t n;

	if (ch->fd[0] < 0) {
		/* Nobody reads any more: swallow, so that the sender can end. */
		if (ch->stdin_len)
			queue_u32(ch->id, FT_CREDIT, ch->stdin_len);
		ch->stdin_len = 0;
		return;
	}
	if (ch->stdin_len) {
		n = write(ch->fd[0], ch->stdin_buf, ch->stdin_len);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			close_fd(&ch->fd[0]);
			push_stdin(ch);
			return;
		}
		if (n > 0) {
			memmove(ch->stdin_buf, ch->stdin_buf + n,
				ch->stdin_len - n);
			ch->stdin_len -= n;
			queue_u32(ch->id, FT_CREDIT, n);
		}
	}
	if (ch->stdin_eof && !ch->stdin_len)
		close_fd(&ch->fd[0]);
}

/* Returns false when there is nothing to read at this moment. */
static bool pull_output(struct channel *ch, int which)
{
	char buf[FRAME_DATA];
	size_t want = sizeof(buf);
	ssize_t n;

	if (ch->fd[which] < 0)
		return false;
	if (!ch->closed && want > ch->credit)
		want = ch->credit;
	if (ch->exited && want > (size_t)ch->tail[which])
		want = ch->tail[which];
	if (!want)
		return false;
	n = read(ch->fd[which], buf, want);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		close_fd(&ch->fd[which]);
		return false;
	}
	if (ch->exited)
		ch->tail[which] -= n;
	if (!ch->closed) {
		ch->credit -= n;
		queue_frame(ch->id, which == 1 ? FT_STDOUT : FT_STDERR, buf, n);
	}
	return true;
}

/*
 * The command has ended: send what it wrote until then (the tails), then its
 * status. What processes left behind by it write later is not waited for.
 */
static void finish_channel(struct channel *ch)
{
	for (int i = 1; i < 3; i++) {
		while (out_len < OUT_HIGH && pull_output(ch, i))
			;
		if (!ch->closed && ch->fd[i] >= 0 && ch->tail[i] > 0)
			return;
	}
	queue_u32(ch->id, FT_EXIT, ch->status);
	close_channel(ch);
}

static void end_command(struct channel *ch)
{
	if (ch->exited)
		return;
	kill(-ch->pid, SIGTERM);
	kill(-ch->pid, SIGCONT);
	ch->kill_at_ms = now_ms() + KILL_GRACE_MS;
}

static void take_frame(uint32_t id, uint8_t type, char *data, size_t len)
{
	struct channel *ch = find_channel(id);
	uint32_t value = 0;

	if (type == FT_OPEN) {
		if (!ch)
			open_channel(id, data, len);
		return;
	}
	if (!ch)
		return;
	if (len >= 4)
		memcpy(&value, data, 4);
	switch (type) {
	case FT_STDIN:
		if (len > STDIN_WINDOW - ch->stdin_len)
			len = STDIN_WINDOW - ch->stdin_len;
		memcpy(ch->stdin_buf + ch->stdin_len, data, len);
		ch->stdin_len += len;
		push_stdin(ch);
		break;
	case FT_STDIN_EOF:
		ch->stdin_eof = true;
		push_stdin(ch);
		break;
	case FT_SIGNAL:
		if (len == 1 && !ch->exited)
			kill(-ch->pid, data[0]);
		break;
	case FT_CREDIT:
		ch->credit += le32toh(value);
		break;
	case FT_CLOSE:
		ch->closed = true;
		end_command(ch);
		break;
	}
}

static void read_port(void)
{
	ssize_t n = read(port, in_buf + in_len, sizeof(in_buf) - in_len);
	size_t off = 0;

	if (n <= 0)
		return;
	in_len += n;
	while (in_len - off >= FRAME_HEAD) {
		uint32_t id;
		uint16_t len;

		memcpy(&id, in_buf + off, 4);
		memcpy(&len, in_buf + off + 6, 2);
		len = le16toh(len);
		if (in_len - off < FRAME_HEAD + (size_t)len)
			break;
		take_frame(le32toh(id), in_buf[off + 4],
			   in_buf + off + FRAME_HEAD, len);
		off += FRAME_HEAD + len;
	}
	memmove(in_buf, in_buf + off, in_len - off);
	in_len -= off;
}

static void reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (int i = 0; i < CHANNELS; i++) {
			struct channel *ch = &channels[i];

			if (!ch->used || ch->exited || ch->pid != pid)
				continue;
			ch->exited = true;
			for (int k = 1; k < 3; k++)
				if (ioctl(ch->fd[k], FIONREAD, &ch->tail[k]))
					ch->tail[k] = 0;
			ch->status = WIFSIGNALED(status) ?
				128 + WTERMSIG(status) : WEXITSTATUS(status);
		}
	}
}

static void say_ready(void)
{
	queue_frame(0, FT_READY, ready_text, strlen(ready_text));
}

/* The signals that busybox's poweroff, halt and reboot send to process 1. */
static void read_signals(int sfd)
{
	struct signalfd_siginfo si;

	while (read(sfd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGCHLD)
			continue;
		if (is_service && si.ssi_signo == SIGUSR1) {
			say_ready();
			continue;
		}
		if (is_service)
			_exit(0);
		sync();
		reboot(si.ssi_signo == SIGTERM ? RB_AUTOBOOT : RB_POWER_OFF);
	}
	reap();
}

static int watch_signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static size_t fill_pollfds(struct pollfd *fds, int sfd, int *timeout)
{
	size_t nr = 0;

	fds[nr++] = (struct pollfd){ port, POLLIN | (out_len ? POLLOUT : 0), 0 };
	fds[nr++] = (struct pollfd){ sfd, POLLIN, 0 };
	for (int i = 0; i < CHANNELS; i++) {
		struct channel *ch = &channels[i];

		if (!ch->used)
			continue;
		if (ch->kill_at_ms && *timeout < 0)
			*timeout = 200;
		if (ch->fd[0] >= 0 && ch->stdin_len)
			fds[nr++] = (struct pollfd){ ch->fd[0], POLLOUT, 0 };
		for (int k = 1; k < 3; k++)
			if (ch->fd[k] >= 0 && out_len < OUT_HIGH &&
			    (ch->credit || ch->closed))
				fds[nr++] = (struct pollfd){ ch->fd[k], POLLIN, 0 };
	}
	return nr;
}

static void serve_channels(void)
{
	int64_t now = now_ms();

	for (int i = 0; i < CHANNELS; i++) {
		struct channel *ch = &channels[i];

		if (!ch->used)
			continue;
		push_stdin(ch);
		if (ch->exited) {
			finish_channel(ch);
			continue;
		}
		if (ch->kill_at_ms && now >= ch->kill_at_ms) {
			kill(-ch->pid, SIGKILL);
			ch->kill_at_ms = 0;
		}
		if (out_len < OUT_HIGH)
			pull_output(ch, 1);
		if (out_len < OUT_HIGH)
			pull_output(ch, 2);
	}
}

int main(int argc, char **argv)
{
	static struct pollfd fds[2 + 3 * CHANNELS];
	int sfd;

	if (argc > 1 && !strcmp(argv[1], "--service")) {
		is_service = true;
		argv++;
		argc--;
	}
	if (argc < 2)
		die("usage: labd [--service] PORT [TEXT]");
	if (argc > 2)
		ready_text = argv[2];
	port = open(argv[1], O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (port < 0)
		die(argv[1]);
	sfd = watch_signals();
	if (sfd < 0)
		die("signalfd");
	if (!is_service)
		say_ready();
	for (;;) {
		int timeout = -1;
		size_t nr;

		flush_out();
		nr = fill_pollfds(fds, sfd, &timeout);
		if (poll(fds, nr, timeout) < 0 && errno != EINTR)
			die("poll");
		if (fds[1].revents)
			read_signals(sfd);
		if (fds[0].revents & (POLLIN | POLLHUP | POLLERR))
			read_port();
		serve_channels();
	}
}
