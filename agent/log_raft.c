// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The replicated log on libraft: start and stop, proposals with their results,
 * linearizable reads, membership one change at a time.  It knows nothing of what
 * commands mean; libraft's connections are log_transport.c's.
 *
 * Commands come back by index: the library drops the result of a command that
 * nobody here waits for, so results are kept beside the waiting proposal.
 *
 * libraft 0.22.1 dereferences NULL when a snapshot of the leader arrives while
 * a local one is being written; such a message is dropped (the leader sends it
 * again after the install timeout).
 */
#include "log_raft.h"

#include <errno.h>
#include <raft.h>
#include <raft/uv.h>
#include <stdlib.h>
#include <string.h>

#include "log_transport.h"
#include "loop.h"

/* A command or a barrier on its way; freed when its callback has been called. */
struct proposal {
	struct proposal *next, **link;		/* lr->proposals */
	struct log_raft *lr;
	struct raft_apply apply;
	struct raft_barrier barrier;
	uv_timer_t fail_timer;
	int error;
	json_t *result;
	log_raft_done_cb done;
	void *data;
};

/* One for the process; loop thread only. */
struct log_raft {
	uv_loop_t *loop;
	struct log_transport *lt;
	char *address;
	unsigned int time_scale_pct;
	const struct log_raft_ops *ops;
	void *data;

	struct raft raft;
	struct raft_io io;
	struct raft_fsm fsm;
	struct raft_tracer tracer;

	int (*io_start)(struct raft_io *io, unsigned int msecs, raft_io_tick_cb tick,
			raft_io_recv_cb recv);
	raft_io_recv_cb io_recv;
	raft_io_tick_cb io_tick;
	uint64_t last_tick_ms;
	bool listening;			/* a tick was late: not acted upon */
	enum raft_state state;		/* of libraft, as it was logged last */

	struct proposal *proposals;
	struct raft_change change;
	bool change_pending;
	struct raft_transfer transfer;
	bool transfer_pending;
	uint64_t change_not_before_ms;
	bool closing;
	void (*closed)(void *data);
	void *closed_data;
};

static struct log_raft *from_io(struct raft_io *io)
{
	return (struct log_raft *)((char *)io - offsetof(struct log_raft, io));
}

static unsigned int scaled(const struct log_raft *lr, unsigned int ms)
{
	return ms * lr->time_scale_pct / 100;
}

/* ------------------------------------------------- libraft's state machine */

static int sm_apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
	struct log_raft *lr = fsm->data;
	raft_index index = raft_last_applied(&lr->raft) + 1;
	struct proposal *p;
	json_t *json;

	*result = NULL;
	json = lr->ops->apply(lr->data, buf->base, buf->len);
	for (p = lr->proposals; p; p = p->next) {
		if (p->apply.index == index && !p->result) {
			p->result = json;
			json = NULL;
			break;
		}
	}
	json_decref(json);
	lr->ops->kick(lr->data);
	return 0;
}

static int sm_snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned int *n_bufs)
{
	struct log_raft *lr = fsm->data;
	char *text = lr->ops->snapshot(lr->data);
	size_t len = strlen(text);
	/* libraft stores multiples of eight bytes; blanks may follow JSON text. */
	size_t padded = (len + 7) / 8 * 8;

	*bufs = raft_malloc(sizeof(**bufs));
	if (!*bufs) {
		free(text);
		return RAFT_NOMEM;
	}
	(*bufs)[0].base = raft_malloc(padded);
	(*bufs)[0].len = padded;
	if (!(*bufs)[0].base) {
		raft_free(*bufs);
		free(text);
		return RAFT_NOMEM;
	}
	memset((*bufs)[0].base, ' ', padded);
	memcpy((*bufs)[0].base, text, len);
	free(text);
	*n_bufs = 1;
	return 0;
}

static int sm_restore(struct raft_fsm *fsm, struct raft_buffer *buf)
{
	struct log_raft *lr = fsm->data;

	if (lr->ops->restore(lr->data, buf->base, buf->len)) {
		log_error("raft: the snapshot in the state directory cannot be read");
		return RAFT_MALFORMED;
	}
	raft_free(buf->base);
	lr->ops->kick(lr->data);
	return 0;
}

/* ---------------------------------------------------------- start and stop */

static void io_recv(struct raft_io *io, struct raft_message *msg)
{
	struct log_raft *lr = from_io(io);

	if (msg->type == RAFT_INSTALL_SNAPSHOT && lr->raft.legacy.snapshot_taking) {
		raft_configuration_close(&msg->install_snapshot.conf);
		raft_free(msg->install_snapshot.data.base);
		log_info("raft: a snapshot of the leader waits for our own to be written");
		return;
	}
	lr->io_recv(io, msg);
}

/*
 * A node that stood still for a moment finds its timers expired and what the
 * others sent meanwhile unread. It reads first: else a leader would step down,
 * and a follower ask for votes, though nobody was missing but itself.
 */
static void io_tick(struct raft_io *io)
{
	struct log_raft *lr = from_io(io);
	uint64_t now = loop_now_ms(), late = now - lr->last_tick_ms;

	lr->last_tick_ms = now;
	lr->listening = !lr->listening && late > scaled(lr, LOG_RAFT_LATE_MS);
	if (lr->listening)
		log_info("raft: a tick came after %llu ms: listening first",
			 (unsigned long long)late);
	else
		lr->io_tick(io);
}

static int io_start(struct raft_io *io, unsigned int msecs, raft_io_tick_cb tick,
		    raft_io_recv_cb recv)
{
	struct log_raft *lr = from_io(io);

	lr->io_recv = recv;
	lr->io_tick = tick;
	lr->last_tick_ms = loop_now_ms();
	return lr->io_start(io, msecs, io_tick, io_recv);
}

static void trace_emit(struct raft_tracer *tracer, int type, const void *info)
{
	const struct raft_tracer_info *i = info;

	(void)tracer;
	if (type == RAFT_TRACER_DIAGNOSTIC && i->version >= 1 && i->diagnostic.level <= 3)
		log_debug("raft: %s", i->diagnostic.message);
}

/*
 * A leader gives up later than followers look for another: one voter of three
 * is away, the other stands still for a second; by giving up at once it would
 * only make an election, and could lead again no sooner than after it.
 */
static void state_changed(struct log_raft *lr, enum raft_state state)
{
	unsigned int ms = state == RAFT_LEADER ? LOG_RAFT_LEADER_MS : LOG_RAFT_ELECTION_MS;

	if (lr->state != RAFT_UNAVAILABLE && state != RAFT_UNAVAILABLE)
		log_info("raft: %s, was %s; term %llu", raft_state_name(state),
			 raft_state_name(lr->state),
			 (unsigned long long)raft_current_term(&lr->raft));
	if (state == RAFT_LEADER || lr->state == RAFT_LEADER)
		raft_set_election_timeout(&lr->raft, scaled(lr, ms));
	lr->state = state;
}

static void step_cb(struct raft *raft)
{
	struct log_raft *lr = raft->data;

	if (raft_state(raft) != lr->state)
		state_changed(lr, raft_state(raft));
	lr->ops->kick(lr->data);
}

struct log_raft *log_raft_open(uv_loop_t *loop, struct transport *transport, const char *dir,
			       uint32_t id, const char *address, unsigned int time_scale_pct,
			       unsigned int snapshot_every, const struct log_raft_ops *ops,
			       void *data)
{
	struct log_raft *lr = xcalloc(1, sizeof(*lr));
	unsigned int seed;
	int rv;

	lr->loop = loop;
	lr->time_scale_pct = time_scale_pct;
	lr->lt = log_transport_open(loop, transport, address,
				    scaled(lr, LOG_RAFT_ELECTION_MS));
	lr->address = xstrdup(address);
	lr->ops = ops;
	lr->data = data;
	lr->tracer = (struct raft_tracer){ .version = 2, .emit = trace_emit };
	lr->fsm = (struct raft_fsm){
		.version = 1,
		.data = lr,
		.apply = sm_apply,
		.snapshot = sm_snapshot,
		.restore = sm_restore,
	};
	rv = raft_uv_init(&lr->io, loop, dir, log_transport_of(lr->lt));
	if (rv) {
		log_error("raft: the state directory %s is not usable: %s", dir, lr->io.errmsg);
		goto err;
	}
	raft_uv_set_segment_size(&lr->io, LOG_RAFT_SEGMENT_BYTES);
	raft_uv_set_connect_retry_delay(&lr->io, scaled(lr, LOG_RAFT_ELECTION_MS) / 4);
	raft_uv_set_tracer(&lr->io, &lr->tracer);
	rv = raft_init(&lr->raft, &lr->io, &lr->fsm, id, address);
	if (rv) {
		log_error("raft: %s", raft_errmsg(&lr->raft));
		raft_uv_close(&lr->io);
		goto err;
	}
	lr->raft.data = lr;
	lr->raft.tracer = &lr->tracer;
	lr->raft.legacy.step_cb = step_cb;
	lr->io_start = lr->io.start;
	lr->io.start = io_start;
	loop_random(&seed, sizeof(seed));
	raft_seed(&lr->raft, seed);
	raft_set_pre_vote(&lr->raft, true);
	raft_set_election_timeout(&lr->raft, scaled(lr, LOG_RAFT_ELECTION_MS));
	raft_set_heartbeat_timeout(&lr->raft, scaled(lr, LOG_RAFT_ELECTION_MS) / 10);
	raft_set_install_snapshot_timeout(&lr->raft, scaled(lr, 2000));
	/* Refuse commands while less than a segment is allocated ahead (a full disk). */
	raft_set_capacity_threshold(&lr->raft, LOG_RAFT_SEGMENT_BYTES / 1024);
	raft_set_snapshot_threshold(&lr->raft, snapshot_every);
	raft_set_snapshot_trailing(&lr->raft, snapshot_every / 4);
	return lr;
err:
	log_transport_free(lr->lt);
	free(lr->address);
	free(lr);
	return NULL;
}

int log_raft_bootstrap(struct log_raft *lr)
{
	struct raft_configuration conf;
	int rv;

	raft_configuration_init(&conf);
	rv = raft_configuration_add(&conf, lr->raft.id, lr->address, RAFT_VOTER);
	if (!rv)
		rv = raft_bootstrap(&lr->raft, &conf);
	raft_configuration_close(&conf);
	if (rv)
		log_error("raft: a new log was not made: %s", raft_strerror(rv));
	return rv;
}

int log_raft_start(struct log_raft *lr)
{
	int rv = raft_start(&lr->raft);

	if (rv)
		log_error("raft: does not start: %s", raft_errmsg(&lr->raft));
	return rv;
}

static void raft_closed(struct raft *raft)
{
	struct log_raft *lr = raft->data;

	raft_uv_close(&lr->io);
	lr->closed(lr->closed_data);
	log_transport_free(lr->lt);
	free(lr->address);
	free(lr);
}

void log_raft_close(struct log_raft *lr, void (*closed)(void *data), void *data)
{
	lr->closing = true;
	lr->closed = closed;
	lr->closed_data = data;
	log_transport_refuse(lr->lt);
	raft_close(&lr->raft, raft_closed);
}

/* ------------------------------------------------------------------- state */

static struct raft *raft_of(const struct log_raft *lr)
{
	return (struct raft *)&lr->raft;	/* libraft's getters take it without const */
}

const char *log_raft_strerror(int error)
{
	return raft_strerror(error);
}

bool log_raft_is_leader(const struct log_raft *lr)
{
	return raft_state(raft_of(lr)) == RAFT_LEADER;
}

uint32_t log_raft_leader(const struct log_raft *lr)
{
	const char *address;
	raft_id id = 0;

	raft_leader(raft_of(lr), &id, &address);
	return (uint32_t)id;
}

uint64_t log_raft_term(const struct log_raft *lr)
{
	return raft_current_term(&lr->raft);
}

uint64_t log_raft_applied(const struct log_raft *lr)
{
	return raft_last_applied(raft_of(lr));
}

static const struct raft_server *member(const struct log_raft *lr, uint32_t id)
{
	unsigned int i;

	for (i = 0; i < lr->raft.configuration.n; i++) {
		if (lr->raft.configuration.servers[i].id == id)
			return &lr->raft.configuration.servers[i];
	}
	return NULL;
}

const char *log_raft_role(const struct log_raft *lr, uint32_t id)
{
	const struct raft_server *server = member(lr, id);

	return server ? raft_role_name(server->role) : NULL;
}

/* --------------------------------------------------------------- proposals */

static void proposal_closed(uv_handle_t *handle)
{
	struct proposal *p = handle->data;

	json_decref(p->result);
	free(p);
}

static void proposal_end(struct proposal *p, int error)
{
	*p->link = p->next;
	if (p->next)
		p->next->link = p->link;
	p->done(p->data, error, error ? NULL : p->result);
	uv_close((uv_handle_t *)&p->fail_timer, proposal_closed);
}

static void proposal_fail_cb(uv_timer_t *timer)
{
	struct proposal *p = timer->data;

	proposal_end(p, p->error);
}

static void proposal_applied(struct raft_apply *req, int status, void *result)
{
	(void)result;
	proposal_end(req->data, status);
}

static void proposal_barrier_done(struct raft_barrier *req, int status)
{
	proposal_end(req->data, status);
}

static struct proposal *proposal_new(struct log_raft *lr, log_raft_done_cb done, void *data)
{
	struct proposal *p = xcalloc(1, sizeof(*p));

	p->lr = lr;
	p->done = done;
	p->data = data;
	p->apply.data = p;
	p->barrier.data = p;
	p->fail_timer.data = p;
	uv_timer_init(lr->loop, &p->fail_timer);
	p->link = &lr->proposals;
	p->next = lr->proposals;
	if (p->next)
		p->next->link = &p->next;
	lr->proposals = p;
	return p;
}

/*
 * Not after 0 ms: libuv 1.44 runs such a timer in the round that it was started
 * in. Who proposes again when it has failed would keep the loop from ever
 * looking at a socket, and closed proposals from being freed.
 */
static void proposal_fail_soon(struct proposal *p, int error)
{
	p->error = error;
	p->apply.index = 0;
	uv_timer_start(&p->fail_timer, proposal_fail_cb, 1, 0);
}

void log_raft_propose(struct log_raft *lr, json_t *command, log_raft_done_cb done, void *data)
{
	struct proposal *p = proposal_new(lr, done, data);
	char *text = json_dumps(command, JSON_COMPACT);
	struct raft_buffer buf;
	size_t len;
	int rv;

	if (lr->closing || !log_raft_is_leader(lr)) {
		free(text);
		return proposal_fail_soon(p, RAFT_NOTLEADER);
	}
	len = text ? strlen(text) : 0;
	buf.len = (len + 7) / 8 * 8;	/* libraft wants multiples of eight */
	buf.base = raft_malloc(buf.len);
	if (!text || !buf.base) {
		free(text);
		raft_free(buf.base);
		return proposal_fail_soon(p, RAFT_NOMEM);
	}
	memset(buf.base, ' ', buf.len);
	memcpy(buf.base, text, len);
	free(text);
	rv = raft_apply(&lr->raft, &p->apply, &buf, 1, proposal_applied);
	if (!rv)
		return;
	if (rv == RAFT_NOTLEADER || rv == RAFT_NOSPACE)
		raft_free(buf.base);	/* it was not looked at */
	proposal_fail_soon(p, rv);
}

void log_raft_barrier(struct log_raft *lr, log_raft_done_cb done, void *data)
{
	struct proposal *p = proposal_new(lr, done, data);
	int rv;

	if (lr->closing || !log_raft_is_leader(lr))
		return proposal_fail_soon(p, RAFT_NOTLEADER);
	rv = raft_barrier(&lr->raft, &p->barrier, proposal_barrier_done);
	if (rv)
		proposal_fail_soon(p, rv);
}

/* -------------------------------------------------------------- membership */

static void change_done(struct raft_change *req, int status)
{
	struct log_raft *lr = req->data;

	lr->change_pending = false;
	if (status) {
		log_info("raft: a change of membership failed, will be tried again: %s",
			 raft_strerror(status));
		lr->change_not_before_ms = loop_now_ms() + scaled(lr, 1000);
	}
	lr->ops->kick(lr->data);
}

static void change_began(struct log_raft *lr, int rv)
{
	if (!rv) {
		lr->change_pending = true;
		return;
	}
	log_debug("raft: no change of membership now: %s", raft_strerror(rv));
	lr->change_not_before_ms = loop_now_ms() + scaled(lr, 500);
}

static void transfer_done(struct raft_transfer *req)
{
	struct log_raft *lr = req->data;

	lr->transfer_pending = false;
	lr->ops->kick(lr->data);
}

bool log_raft_hands_over(const struct log_raft *lr)
{
	return lr->transfer_pending;
}

void log_raft_transfer(struct log_raft *lr, uint32_t id)
{
	if (lr->closing || lr->transfer_pending || !log_raft_is_leader(lr))
		return;
	memset(&lr->transfer, 0, sizeof(lr->transfer));
	lr->transfer.data = lr;
	if (!raft_transfer(&lr->raft, &lr->transfer, id, transfer_done))
		lr->transfer_pending = true;
}

static bool is_wanted(const struct log_raft_member *members, size_t nr, raft_id id)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		if (members[i].id == id)
			return true;
	}
	return false;
}

void log_raft_manage(struct log_raft *lr, const struct log_raft_member *members, size_t nr)
{
	const struct raft_configuration *conf = &lr->raft.configuration;
	size_t i;

	if (lr->closing || lr->change_pending || lr->transfer_pending || !log_raft_is_leader(lr) ||
	    lr->raft.configuration_uncommitted_index ||
	    loop_now_ms() < lr->change_not_before_ms)
		return;
	lr->change.data = lr;
	for (i = 0; i < nr; i++) {
		const struct log_raft_member *m = &members[i];
		const struct raft_server *server = member(lr, m->id);
		int role = m->voter ? RAFT_VOTER : RAFT_STANDBY;

		if (!server) {
			log_info("raft: adding node %08x", m->id);
			return change_began(lr, raft_add(&lr->raft, &lr->change, m->id, m->address,
							 change_done));
		}
		if (server->role != role && m->reachable) {
			log_info("raft: node %08x becomes %s", m->id, raft_role_name(role));
			return change_began(lr, raft_assign(&lr->raft, &lr->change, m->id, role,
							    change_done));
		}
	}
	for (i = 0; i < conf->n; i++) {
		raft_id id = conf->servers[i].id;

		if (id != lr->raft.id && !is_wanted(members, nr, id)) {
			log_info("raft: removing node %08x", (uint32_t)id);
			return change_began(lr, raft_remove(&lr->raft, &lr->change, id,
							    change_done));
		}
	}
}
