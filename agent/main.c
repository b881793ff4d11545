// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * holdfastd: options, process set-up, signals.  The agent itself is node.c.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "log_raft.h"
#include "loop.h"
#include "module.h"
#include "node.h"
#include "notify.h"

enum {
	OPT_STATE = 256,
	OPT_RUN,
	OPT_NAME,
	OPT_SCALE,
	OPT_PORT,
	OPT_SNAPSHOT,
	OPT_FOREGROUND,
	OPT_DAEMON,
	OPT_LOG,
};

enum { STOP_MAX_S = 10 };

struct main_options {
	struct agent_options agent;
	bool daemon;
};

/* The agent, and what only the process as a whole needs. */
struct process {
	struct agent agent;
	uv_loop_t loop;
	uv_signal_t term, interrupt;
	int ready_fd;		/* tells the starter of a --daemon */
};

const char *argp_program_version = "holdfastd " AGENT_VERSION;

static const struct argp_option options[] = {
	{ "state", OPT_STATE, "DIR", 0, "where the node's state is kept (/var/lib/holdfast)", 0 },
	{ "run", OPT_RUN, "DIR", 0, "where the socket is (/run/holdfast)", 0 },
	{ "name", OPT_NAME, "NAME", 0, "this node's name (the host's)", 0 },
	{ "port", OPT_PORT, "PORT", 0, "port of the agents (7340)", 0 },
	{ "time-scale", OPT_SCALE, "PCT", 0, "stretch every time-out, 100 to 1000 percent; "
	  "the same on all nodes, and in the module (100)", 0 },
	{ "snapshot-every", OPT_SNAPSHOT, "N", 0, "shorten the log after N commands (1024)", 0 },
	{ "foreground", OPT_FOREGROUND, NULL, 0, "stay in the foreground (the default)", 0 },
	{ "daemon", OPT_DAEMON, NULL, 0, "go to the background when the agent is up; log to "
	  "RUN/holdfastd.log", 0 },
	{ "log", OPT_LOG, "LEVEL", 0, "error, warning, info or debug (info)", 0 },
	{ 0 },
};

static unsigned long number(struct argp_state *state, const char *arg, unsigned long min,
			    unsigned long max)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(arg, &end, 10);
	if (errno || *end || *arg < '0' || *arg > '9' || n < min || n > max)
		argp_error(state, "'%s' is not a number from %lu to %lu", arg, min, max);
	return n;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct main_options *o = state->input;
	enum log_level level;

	switch (key) {
	case OPT_STATE:
		o->agent.state_dir = arg;
		break;
	case OPT_RUN:
		o->agent.run_dir = arg;
		break;
	case OPT_NAME:
		o->agent.name = arg;
		break;
	case OPT_PORT:
		o->agent.port = (uint16_t)number(state, arg, 1, 65535);
		break;
	case OPT_SCALE:
		o->agent.time_scale_pct = (unsigned int)number(state, arg, 100, 1000);
		break;
	case OPT_SNAPSHOT:
		o->agent.snapshot_every = (unsigned int)number(state, arg, 8, 65536);
		break;
	case OPT_FOREGROUND:
		o->daemon = false;
		break;
	case OPT_DAEMON:
		o->daemon = true;
		break;
	case OPT_LOG:
		if (!log_parse_level(arg, &level))
			argp_error(state, "'%s' is not a log level", arg);
		log_set_level(level);
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is too much: the agent takes options alone", arg);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "The agent of Holdfast: membership, failover and rebuild of this node's volumes. "
	       "It is commanded with holdfast(8).",
};

/* Returns in the child; the parent ends when the child says that it is up, or ends. */
static int into_background(void)
{
	int fds[2], status;
	char byte;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	switch (fork()) {
	case -1:
		return -1;
	case 0:
		close(fds[0]);
		setsid();
		return fds[1];
	default:
		close(fds[1]);
		status = read(fds[0], &byte, 1) == 1 ? 0 : 1;
		if (status)
			fprintf(stderr, "holdfastd: the agent did not come up; see its log\n");
		_exit(status);
	}
}

static void tell_ready(struct process *p)
{
	char *path;
	int fd;

	if (p->ready_fd < 0)
		return;
	path = xasprintf("%s/holdfastd.log", p->agent.options.run_dir);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	free(path);
	if (fd >= 0) {
		dup2(fd, STDERR_FILENO);
		dup2(fd, STDOUT_FILENO);
		close(fd);
	}
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		dup2(fd, STDIN_FILENO);
		close(fd);
	}
	if (write(p->ready_fd, "", 1) < 0)
		log_warning("whoever started this agent is gone");
	close(p->ready_fd);
}

/* For "systemctl status". */
static void describe(void *data, char *text, size_t len)
{
	const struct agent *agent = data;
	const struct fsm_node *leader = fsm_node_by_id(agent->fsm, node_leader(agent));
	unsigned int i, served = 0;

	if (agent->phase != NODE_MEMBER) {
		snprintf(text, len, agent->phase == NODE_ALONE ? "waits for 'holdfast init' or "
			 "'holdfast join'" : "on the way into the cluster");
		return;
	}
	for (i = 0; i < module_view(agent->module)->nr_volumes; i++)
		served += module_view(agent->module)->volumes[i].disk.state ==
			  HOLDFAST_DISK_ACTIVE;
	snprintf(text, len, "node %08x (%s), %s%s; %u %s served here%s", agent->self.id,
		 agent->self.name, leader ? "led by " : "no leader is known",
		 leader ? leader->name : "", served, served == 1 ? "volume is" : "volumes are",
		 module_view(agent->module)->loaded ? "" : "; the kernel module is not loaded");
}

static void stopped(struct agent *agent)
{
	struct process *p = agent->loop->data;

	uv_close((uv_handle_t *)&p->term, NULL);
	uv_close((uv_handle_t *)&p->interrupt, NULL);
	notify_close();
}

static void signal_cb(uv_signal_t *handle, int signum)
{
	struct process *p = handle->loop->data;

	(void)signum;
	log_info("stopping; volumes go on under the module");
	notify_stopping();
	/* Whatever still waits for a device then ends with the process. */
	alarm(STOP_MAX_S);
	node_stop(&p->agent, stopped);
}

/* Two agents on one state would ruin it, also in two network namespaces. */
static int lock_state(const char *dir)
{
	char *path = xasprintf("%s/lock", dir);
	int fd, tries = 0;

	mkdir(dir, 0700);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		log_error("%s cannot be opened: %s", path, strerror(errno));
	free(path);
	/* One that was just killed may take a moment to go. */
	while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (++tries == 20) {
			log_error("%s is used by another holdfastd", dir);
			close(fd);
			return -1;
		}
		usleep(100000);
	}
	return fd;
}

int main(int argc, char **argv)
{
	struct main_options o = {
		.agent = {
			.state_dir = "/var/lib/holdfast",
			.run_dir = "/run/holdfast",
			.time_scale_pct = 100,
			.snapshot_every = LOG_RAFT_SNAPSHOT_EVERY,
			.port = TRANSPORT_PORT,
		},
	};
	static struct process p = { .ready_fd = -1 };
	int lock_fd, rv;

	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	/* Blocking commands of the module and the log's writes share the pool. */
	setenv("UV_THREADPOOL_SIZE", "16", 0);
	signal(SIGPIPE, SIG_IGN);
	umask(077);
	if (o.daemon) {
		p.ready_fd = into_background();
		if (p.ready_fd < 0) {
			log_error("no process for the background: %s", strerror(errno));
			return 1;
		}
	}
	lock_fd = lock_state(o.agent.state_dir);
	if (lock_fd < 0)
		return 1;
	/* R6: the agent must run while dirty pages cannot be written. Not always permitted. */
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		log_info("memory is not locked: %s", strerror(errno));

	uv_loop_init(&p.loop);
	p.loop.data = &p;
	p.agent.loop = &p.loop;
	p.agent.options = o.agent;
	if (node_start(&p.agent))
		return 1;
	uv_signal_init(&p.loop, &p.term);
	uv_signal_init(&p.loop, &p.interrupt);
	uv_signal_start(&p.term, signal_cb, SIGTERM);
	uv_signal_start(&p.interrupt, signal_cb, SIGINT);
	tell_ready(&p);
	notify_open(&p.loop, describe, &p.agent);
	uv_run(&p.loop, UV_RUN_DEFAULT);
	rv = uv_loop_close(&p.loop);
	if (rv)
		log_debug("the loop ended with handles open");
	close(lock_fd);
	return 0;
}
