// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hfgarbage: the other end of a link that does not speak as it should.  Pairs
 * its two connections as holdfast-setup does, then sends what --kind names and
 * waits for the module to close the link.
 *
 *	hfgarbage --to IP:PORT | --listen PORT  --volume NAME --slot N --term T
 *		--kind KIND [--conf HEX] [--seed N] [--timeout S]
 *
 * With --to it plays the primary against a slot; --conf is the configuration as
 * "holdfast-setup conf --dry-run" prints it.  With --listen it plays the slot
 * against a primary and knows the kinds random, half-header, bad-crc and
 * silent.  Kinds that begin with "late-" first say hello as they should and
 * wait to be accepted.
 *
 * Prints one line: "closed" (exit 0), "open" when the module kept the link for
 * the whole time (exit 1). Exit 2: usage or trouble.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../../kernel/wire.h"

#define GREETING_MAGIC 0x75737468u
#define HDR_BYTES sizeof(struct hf_wire_hdr)

enum { CONTROL, DATA, ENDS };

struct greeting {		/* as in holdfast-setup */
	u32 magic;
	u32 end;
	u8 volume[16];
	u8 link_id[8];
};

static struct {
	const char *kind, *to, *conf;
	u8 volume[16];
	u64 term, link_id, seed;
	unsigned int port, slot, timeout_s;
} opt = { .timeout_s = 15, .seed = 1 };

static int fds[ENDS] = { -1, -1 };
static struct hf_wire_conf conf;
static struct hf_wire_hello hello;
static u64 random_state;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "hfgarbage: %s%s%s\n", what, errno ? ": " : "",
		errno ? strerror(errno) : "");
	exit(2);
}

static u64 next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void put(int end, const void *bytes, size_t len)
{
	/* The module may close at any byte: that is what is waited for. */
	if (send(fds[end], bytes, len, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
		die("send");
}

static void put_random(int end, size_t len)
{
	u64 bytes[512];
	size_t i, step;

	for (; len; len -= step) {
		step = len < sizeof(bytes) ? len : sizeof(bytes);
		for (i = 0; i < 512; i++)
			bytes[i] = next_random();
		put(end, bytes, step);
	}
}

/* ----------------------------------------------------------- connections */

static int dial(u32 end)
{
	struct greeting greeting = { .magic = htonl(GREETING_MAGIC), .end = htonl(end) };
	struct sockaddr_in addr = { .sin_family = AF_INET };
	char host[64], *colon;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	snprintf(host, sizeof(host), "%s", opt.to);
	colon = strchr(host, ':');
	if (fd < 0 || !colon)
		die("--to");
	*colon = '\0';
	addr.sin_port = htons((u16)atoi(colon + 1));
	inet_pton(AF_INET, host, &addr.sin_addr);
	memcpy(greeting.volume, opt.volume, sizeof(greeting.volume));
	memcpy(greeting.link_id, &opt.link_id, sizeof(greeting.link_id));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    send(fd, &greeting, sizeof(greeting), 0) != sizeof(greeting))
		die("connect");
	return fd;
}

static void serve(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons((u16)opt.port) };
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1, fd;
	struct greeting greeting;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) || listen(listener, 4))
		die("listen");
	puts("listening");
	fflush(stdout);
	while (fds[CONTROL] < 0 || fds[DATA] < 0) {
		fd = accept(listener, NULL, NULL);
		if (fd < 0 || recv(fd, &greeting, sizeof(greeting), MSG_WAITALL) !=
			      sizeof(greeting) || ntohl(greeting.end) >= ENDS)
			die("accept");
		memcpy(&opt.link_id, greeting.link_id, sizeof(opt.link_id));
		fds[ntohl(greeting.end)] = fd;
		put((int)ntohl(greeting.end), "+", 1);
	}
}

static u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000 + (u64)ts.tv_nsec / 1000000;
}

/* Reads both until the module closed both. */
static bool wait_closed(void)
{
	u64 deadline = now_ms() + opt.timeout_s * 1000;
	bool open[ENDS] = { true, true };
	char sink[4096];
	int i;

	while (open[CONTROL] || open[DATA]) {
		struct pollfd poller[ENDS] = {
			{ .fd = open[CONTROL] ? fds[CONTROL] : -1, .events = POLLIN },
			{ .fd = open[DATA] ? fds[DATA] : -1, .events = POLLIN },
		};
		u64 now = now_ms();

		if (now >= deadline || poll(poller, ENDS, (int)(deadline - now)) <= 0)
			return false;
		for (i = 0; i < ENDS; i++)
			if (poller[i].revents && recv(fds[i], sink, sizeof(sink), 0) <= 0)
				open[i] = false;
	}
	return true;
}

/* --------------------------------------------------------------- messages */

static void make_hello(struct hf_wire_hdr *hdr)
{
	hello.version_min = HF_WIRE_VERSION_MIN;
	hello.version_max = HF_WIRE_VERSION;
	hello.conf = conf;
	hf_wire_hdr_init(hdr, HF_OP_HELLO, 0, opt.link_id, opt.term, le64toh(conf.epoch),
			 (u8)opt.slot);
	hdr->stamp = htole64(1);
	hdr->length = htole32(sizeof(hello));
	hf_wire_hdr_payload_crc(hdr, hf_wire_crc(HF_WIRE_CRC_INIT, &hello, sizeof(hello)));
	hf_wire_hdr_seal(hdr);
}

static void make_write(struct hf_wire_hdr *hdr, u64 offset, u32 length)
{
	hf_wire_hdr_init(hdr, HF_OP_WRITE, HF_WIRE_VERSION, opt.link_id, opt.term,
			 le64toh(conf.epoch), (u8)opt.slot);
	hdr->stamp = htole64(2);
	hdr->cookie = htole64(1);
	hdr->seq = htole64(1);
	hdr->offset = htole64(offset);
	hdr->range_len = htole32(length);
	hdr->length = htole32(length);
}

static void send_hello(void)
{
	struct hf_wire_hdr hdr;

	make_hello(&hdr);
	put(CONTROL, &hdr, HDR_BYTES);
	put(CONTROL, &hello, sizeof(hello));
}

/* Reads answers until READY; the module says what it thinks of us before. */
static void wait_ready(void)
{
	struct timeval patience = { .tv_sec = opt.timeout_s };
	struct hf_wire_hdr hdr;
	static char payload[1 << 20];
	u32 length;

	setsockopt(fds[CONTROL], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	do {
		errno = 0;
		if (recv(fds[CONTROL], &hdr, HDR_BYTES, MSG_WAITALL) != (ssize_t)HDR_BYTES)
			die("the slot did not become ready");
		length = le32toh(hdr.length);
		if (length > sizeof(payload) ||
		    (length && recv(fds[CONTROL], payload, length, MSG_WAITALL) != (ssize_t)length))
			die("the slot's answer is cut off");
		if (hdr.opcode == HF_OP_HELLO_ACK && hdr.status) {
			fprintf(stderr, "hfgarbage: hello refused with status %u\n", hdr.status);
			exit(2);
		}
	} while (hdr.opcode != HF_OP_READY);
}

static bool is(const char *kind)
{
	return !strcmp(opt.kind, kind);
}

/* Before any hello. Returns false if @kind is not one of these. */
static bool send_early(void)
{
	struct hf_wire_hdr hdr;

	make_hello(&hdr);
	if (is("random")) {
		put_random(CONTROL, 3000 + next_random() % 5000);
		put_random(DATA, 3000 + next_random() % 5000);
		return true;
	}
	if (is("half-header")) {
		put(CONTROL, &hdr, 1 + next_random() % (HDR_BYTES - 1));
		return true;
	}
	if (is("half-payload")) {
		put(CONTROL, &hdr, HDR_BYTES);
		put(CONTROL, &hello, 1 + next_random() % (sizeof(hello) - 1));
		shutdown(fds[CONTROL], SHUT_WR);
		return true;
	}
	if (is("silent"))
		return true;
	if (is("data-first")) {
		make_write(&hdr, 0, 4096);
		hf_wire_hdr_seal(&hdr);
		put(DATA, &hdr, HDR_BYTES);
		put_random(DATA, 4096);
		return true;
	}
	if (is("bad-crc")) {
		((u8 *)&hdr)[8 + next_random() % (HDR_BYTES - 8)] ^= 1;
	} else {
		if (is("bad-magic"))
			hdr.magic = 0;
		else if (is("bad-version"))
			hdr.version = 200;
		else if (is("bad-opcode"))
			hdr.opcode = 99;
		else if (is("bad-link"))
			hdr.link_id ^= htole64(1);
		else if (is("bad-reserved"))
			hdr.resv2 = htole32(1);
		else if (is("huge-length"))
			hdr.length = htole32(0xfffffff0u);
		else if (is("wrong-volume"))
			hello.conf.volume[0] ^= 1;
		else if (is("wrong-primary"))
			hello.conf.primary_instance ^= htole64(1);
		else
			return false;
		hf_wire_hdr_payload_crc(&hdr, hf_wire_crc(HF_WIRE_CRC_INIT, &hello,
							  sizeof(hello)));
		hf_wire_hdr_seal(&hdr);
	}
	put(CONTROL, &hdr, HDR_BYTES);
	put(CONTROL, &hello, sizeof(hello));
	return true;
}

/*
 * Garbage and the end of the connections, at a moment at which the other end's
 * agent may still be handing them to its module.
 */
static void hang_up(void)
{
	static const struct linger reset = { .l_onoff = 1 };

	usleep((unsigned int)(next_random() % 12000));
	if (next_random() % 4) {
		setsockopt(fds[DATA], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fds[DATA]);
	}
	put_random(CONTROL, HDR_BYTES);
	close(fds[CONTROL]);
}

/*
 * A discard or zero write that cannot be. Its header alone: the module has to
 * see what is wrong by that, since nothing follows that it could stumble over.
 */
static bool send_late_zeros(u64 size)
{
	struct hf_wire_hdr hdr;

	make_write(&hdr, 0, 65536);
	hdr.length = 0;
	hdr.opcode = next_random() % 2 ? HF_OP_DISCARD : HF_OP_ZEROES;
	if (is("late-zeros-huge"))
		hdr.range_len = htole32(HF_MAX_ZERO_BYTES + 512);
	else if (is("late-zeros-most"))
		hdr.range_len = htole32(~511u);
	else if (is("late-zeros-past"))
		hdr.offset = htole64(size - 65536 + 512);
	else if (is("late-zeros-wrap"))
		hdr.offset = htole64(~0ull - 65535);
	else if (is("late-zeros-unaligned"))
		hdr.range_len = htole32(1000);
	else if (is("late-zeros-empty"))
		hdr.range_len = 0;
	else if (is("late-zeros-payload"))
		hdr.length = htole32(512);
	else
		return false;
	hf_wire_hdr_seal(&hdr);
	put(DATA, &hdr, HDR_BYTES);
	return true;
}

/* After a right hello. */
static void send_late(void)
{
	u64 size = le64toh(conf.size_bytes);
	struct hf_wire_hdr hdr;

	send_hello();
	wait_ready();
	if (send_late_zeros(size))
		return;
	make_write(&hdr, 0, 65536);
	if (is("late-random")) {
		put_random(DATA, 3000 + next_random() % 5000);
		return;
	}
	if (is("late-control")) {
		put_random(CONTROL, 3000 + next_random() % 5000);
		return;
	}
	if (is("late-offset"))
		hdr.offset = htole64(size - 4096);
	else if (is("late-unaligned"))
		hdr.offset = htole64(100);
	else if (is("late-huge"))
		hdr.length = hdr.range_len = htole32(HF_MAX_IO_BYTES + 4096);
	else if (is("late-wrap"))
		hdr.offset = htole64(~0ull - 4095);
	else if (is("late-term"))
		hdr.term = htole64(opt.term + 1);
	else if (is("late-opcode"))
		hdr.opcode = HF_OP_HELLO;
	else if (!is("late-half"))
		die("there is no such kind");
	hf_wire_hdr_seal(&hdr);
	put(DATA, &hdr, HDR_BYTES);
	put_random(DATA, is("late-half") ? 30000 : 65536);
	if (is("late-half"))
		shutdown(fds[DATA], SHUT_WR);
}

static void parse_conf(void)
{
	size_t i;

	if (!opt.conf)
		return;
	if (strlen(opt.conf) != 2 * sizeof(conf))
		die("--conf has the wrong length");
	for (i = 0; i < sizeof(conf); i++)
		if (sscanf(opt.conf + 2 * i, "%2hhx", (u8 *)&conf + i) != 1)
			die("--conf");
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "to", 1, NULL, 't' }, { "listen", 1, NULL, 'l' }, { "volume", 1, NULL, 'v' },
		{ "slot", 1, NULL, 's' }, { "term", 1, NULL, 'T' }, { "kind", 1, NULL, 'k' },
		{ "conf", 1, NULL, 'c' }, { "seed", 1, NULL, 'S' }, { "timeout", 1, NULL, 'w' },
		{ NULL, 0, NULL, 0 }
	};
	char answer;
	int c, i;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 't': opt.to = optarg; break;
		case 'l': opt.port = (unsigned int)atoi(optarg); break;
		case 'v': memcpy(opt.volume, optarg, strnlen(optarg, 15)); break;
		case 's': opt.slot = (unsigned int)atoi(optarg); break;
		case 'T': opt.term = strtoull(optarg, NULL, 0); break;
		case 'k': opt.kind = optarg; break;
		case 'c': opt.conf = optarg; break;
		case 'S': opt.seed = strtoull(optarg, NULL, 0); break;
		case 'w': opt.timeout_s = (unsigned int)atoi(optarg); break;
		default: return 2;
		}
	}
	if (!opt.kind || !opt.to == !opt.port)
		die("usage");
	random_state = opt.seed * 0x9e3779b97f4a7c15ull + 1;
	next_random();
	opt.link_id = next_random() | 1;
	parse_conf();

	if (opt.port)
		serve();
	for (i = 0; opt.to && i < ENDS; i++)
		fds[i] = dial((u32)i);
	for (i = 0; opt.to && i < ENDS; i++)
		if (recv(fds[i], &answer, 1, 0) != 1)
			die("the other end did not answer");
	if (is("hang-up")) {
		hang_up();
		return 0;
	}
	if (!send_early())
		send_late();
	if (!wait_closed()) {
		puts("open");
		return 1;
	}
	puts("closed");
	return 0;
}
