/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LAB_LABD_H
#define LAB_LABD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FRAME_HEAD	8
#define FRAME_DATA	16384
#define STDIN_WINDOW	65536
#define OUT_HIGH	(512 * 1024)
#define CHANNELS	128
#define ARGS		1024
#define KILL_GRACE_MS	2000

enum frame_type {
	FT_OPEN = 1,		/* host: payload is the command's words */
	FT_STDIN = 2,
	FT_STDIN_EOF = 3,
	FT_SIGNAL = 4,		/* host: u8 signal number */
	FT_CREDIT = 5,		/* both: le32 bytes */
	FT_CLOSE = 6,		/* host: the client is gone, end the command */
	FT_READY = 16,		/* guest: booted; payload for people */
	FT_STDOUT = 17,
	FT_STDERR = 18,
	FT_EXIT = 19,		/* guest: le32 status as a shell says it */
	FT_KERNEL = 20,		/* guest-boot: boot this kernel release instead */
};

/* One running command; lives from FT_OPEN until FT_EXIT is queued. */
struct channel {
	bool used;
	bool exited;		/* the process has been reaped */
	bool closed;		/* the client is gone: drop its output */
	bool stdin_eof;		/* close fd[0] once stdin_buf is written */
	uint32_t id;
	pid_t pid;
	int status;
	int fd[3];		/* our ends of stdin, stdout, stderr or -1 */
	uint32_t credit;	/* bytes that may go out */
	char *stdin_buf;	/* STDIN_WINDOW bytes */
	size_t stdin_len;
	int64_t kill_at_ms;	/* 0 or when SIGKILL is due */
	int tail[3];		/* once exited: bytes of output still to send */
};

#endif
