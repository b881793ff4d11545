// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a link: adopts the two connected sockets that the agent hands
 * over, steps both directions from the sockets' callbacks in one worker for
 * each connection, watches the time, and ends everything in one place.  What
 * is said on the link is not known here: send.c, recv.c (the primary's end)
 * and replica.c (the slot's end).
 *
 * Rules: R5 (control and data have contexts of their own, and neither waits
 * for a disk), R3 (a silent link, and a silent device behind a healthy link,
 * end it), R15 (after "stopped" no page of a message is in use here: payloads
 * go out by copy, and the connection's worker has ended).
 *
 * Locks: see struct hf_link.  sk_callback_lock of the socket guards the
 * callbacks and sk_user_data.  A link's workers never take conf_lock, so
 * hf_link_stop() and hf_link_close() may wait for them under it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "link_impl.h"

#include <linux/net.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "main.h"
#include "compat/compat.h"
#include "replica.h"
#include "slot.h"
#include "trace.h"
#include "volume.h"

struct workqueue_struct *hf_link_wq;
static struct workqueue_struct *stop_wq;
static struct workqueue_struct *control_wq;
static struct workqueue_struct *data_wq;

/* Longest time that a connection's worker steps before others get a turn. */
#define WORK_QUOTA_MS	2

/* ----------------------------------------------------------------- state */

/*
 * The only writer of link->state. Legal: forward along OPENING, WAITING,
 * READY, and from each to DOWN, which is final. False: not legal now.
 */
static bool __set_state(struct hf_link *link, enum holdfast_link_state to)
{
	enum holdfast_link_state from = link->state;
	bool legal;

	lockdep_assert_held(&link->state_lock);
	switch (to) {
	case HOLDFAST_LINK_OPENING:
		legal = from == HOLDFAST_LINK_NONE;
		break;
	case HOLDFAST_LINK_WAITING:
		legal = from == HOLDFAST_LINK_OPENING;
		break;
	case HOLDFAST_LINK_READY:
		legal = from == HOLDFAST_LINK_WAITING;
		break;
	case HOLDFAST_LINK_DOWN:
		legal = from != HOLDFAST_LINK_DOWN;
		break;
	default:
		legal = false;
	}
	if (!legal)
		return false;
	WRITE_ONCE(link->state, to);
	trace_hf_link_state(link->vol, link->slot_nr, from, to);
	return true;
}

bool hf_link_set_state(struct hf_link *link, enum holdfast_link_state to)
{
	unsigned long flags;
	bool done;

	spin_lock_irqsave(&link->state_lock, flags);
	done = __set_state(link, to);
	spin_unlock_irqrestore(&link->state_lock, flags);
	return done;
}

void hf_link_abort(struct hf_link *link, enum holdfast_down_reason reason)
{
	unsigned long flags;
	bool first;

	spin_lock_irqsave(&link->state_lock, flags);
	first = __set_state(link, HOLDFAST_LINK_DOWN);
	if (first)
		link->reason = reason;
	spin_unlock_irqrestore(&link->state_lock, flags);
	if (first)
		queue_work(stop_wq, &link->stop_work);
}

/* Every word on the control connection counts as a sign of life (R3). */
void hf_link_heard(struct hf_link *link)
{
	unsigned long flags;

	spin_lock_irqsave(&link->state_lock, flags);
	link->heard_ns = hf_boottime_ns();
	spin_unlock_irqrestore(&link->state_lock, flags);
}

/* ------------------------------------------------------- stepping a socket */

/* Have the worker look again. Any context; nothing before "started" or after "stopped". */
void hf_link_kick(struct hf_conn *conn)
{
	struct hf_link *link = conn->link;
	unsigned long flags;

	spin_lock_irqsave(&link->queue_lock, flags);
	if (link->started && !link->stopped)
		queue_work(conn->wq, &conn->work);
	spin_unlock_irqrestore(&link->queue_lock, flags);
}

/* Queue control messages; any context. */
void hf_link_want(struct hf_link *link, unsigned int pending)
{
	unsigned long flags;

	spin_lock_irqsave(&link->state_lock, flags);
	link->pending |= pending;
	spin_unlock_irqrestore(&link->state_lock, flags);
	hf_link_kick(&link->control);
}

static enum holdfast_down_reason reason_of(int error)
{
	switch (error) {
	case -EPROTO:
	case -EBADMSG:
		return HOLDFAST_DOWN_PROTOCOL;
	case -EIO:
		return HOLDFAST_DOWN_DEVICE;
	case -EREMOTEIO:
		return HOLDFAST_DOWN_REFUSED;
	default:
		return HOLDFAST_DOWN_CLOSED;
	}
}

static void conn_work(struct work_struct *work)
{
	struct hf_conn *conn = container_of(work, struct hf_conn, work);
	unsigned long until = jiffies + msecs_to_jiffies(WORK_QUOTA_MS);
	unsigned int noio = memalloc_noio_save();
	int sent, received;

	do {
		if (READ_ONCE(conn->link->state) == HOLDFAST_LINK_DOWN)
			goto out;
		sent = hf_send_step(conn);
		received = sent < 0 ? 0 : hf_recv_step(conn);
		if (sent < 0 || received < 0) {
			hf_link_abort(conn->link, reason_of(sent < 0 ? sent : received));
			goto out;
		}
		if (!sent && !received)
			goto out;
	} while (time_before_eq(jiffies, until));
	hf_link_kick(conn);
out:
	memalloc_noio_restore(noio);
}

/* ----------------------------------------------------- callbacks of a socket */

static void on_data_ready(struct sock *sk)
{
	struct hf_conn *conn;

	read_lock_bh(&sk->sk_callback_lock);
	conn = sk->sk_user_data;
	if (conn)
		hf_link_kick(conn);
	read_unlock_bh(&sk->sk_callback_lock);
}

static void on_write_space(struct sock *sk)
{
	struct hf_conn *conn;

	read_lock_bh(&sk->sk_callback_lock);
	conn = sk->sk_user_data;
	if (conn && sk_stream_is_writeable(sk)) {
		clear_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
		hf_link_kick(conn);
	}
	read_unlock_bh(&sk->sk_callback_lock);
}

static void on_state_change(struct sock *sk)
{
	struct hf_conn *conn;

	read_lock_bh(&sk->sk_callback_lock);
	conn = sk->sk_user_data;
	if (conn) {
		hf_link_kick(conn);
		conn->saved_state_change(sk);
	}
	read_unlock_bh(&sk->sk_callback_lock);
}

/* Take over a socket: one visible list of what is changed on it. */
static int adopt_socket(struct hf_conn *conn, struct netlink_ext_ack *extack)
{
	struct sock *sk = conn->sock->sk;

	write_lock_bh(&sk->sk_callback_lock);
	if (sk->sk_user_data) {
		write_unlock_bh(&sk->sk_callback_lock);
		NL_SET_ERR_MSG(extack, "The socket is in use by another link");
		return -EBUSY;
	}
	conn->saved_data_ready = sk->sk_data_ready;
	conn->saved_write_space = sk->sk_write_space;
	conn->saved_state_change = sk->sk_state_change;
	sk->sk_user_data = conn;
	sk->sk_data_ready = on_data_ready;
	sk->sk_write_space = on_write_space;
	sk->sk_state_change = on_state_change;
	write_unlock_bh(&sk->sk_callback_lock);

	tcp_sock_set_nodelay(sk);
	/* Its flags and its account of memory are the network stack's too. */
	lock_sock(sk);
	sk_set_memalloc(sk);
	sk->sk_allocation = GFP_NOIO | __GFP_MEMALLOC;
	sk->sk_use_task_frag = false;
	release_sock(sk);
	conn->adopted = true;
	return 0;
}

/* No callback of ours runs or begins after this. */
static void release_callbacks(struct hf_conn *conn)
{
	struct sock *sk;

	if (!conn->adopted)
		return;
	sk = conn->sock->sk;
	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_user_data = NULL;
	sk->sk_data_ready = conn->saved_data_ready;
	sk->sk_write_space = conn->saved_write_space;
	sk->sk_state_change = conn->saved_state_change;
	write_unlock_bh(&sk->sk_callback_lock);
}

/* The rest of what adopt_socket() changed; nobody of ours uses the socket any more. */
static void release_socket(struct hf_conn *conn)
{
	struct sock *sk;

	if (!conn->adopted)
		return;
	sk = conn->sock->sk;
	lock_sock(sk);
	sk->sk_allocation = GFP_KERNEL;
	sk_clear_memalloc(sk);
	release_sock(sk);
	conn->adopted = false;
}

static struct socket *lookup_socket(int fd, struct netlink_ext_ack *extack)
{
	struct socket *sock;
	struct sock *sk;
	int error;

	sock = sockfd_lookup(fd, &error);
	if (!sock) {
		NL_SET_ERR_MSG(extack, "The file descriptor is not a socket");
		return ERR_PTR(error);
	}
	sk = sock->sk;
	if (sock->type != SOCK_STREAM || sk->sk_protocol != IPPROTO_TCP ||
	    (sk->sk_family != AF_INET && sk->sk_family != AF_INET6)) {
		NL_SET_ERR_MSG(extack, "The socket is not a TCP socket");
		error = -EPROTOTYPE;
	} else if (READ_ONCE(sk->sk_state) != TCP_ESTABLISHED) {
		NL_SET_ERR_MSG(extack, "The socket is not connected");
		error = -ENOTCONN;
	} else {
		return sock;
	}
	sockfd_put(sock);
	return ERR_PTR(error);
}

static int conn_open(struct hf_conn *conn, int fd, const struct hf_conn_ops *ops,
		     struct netlink_ext_ack *extack)
{
	struct socket *sock = lookup_socket(fd, extack);
	int error;

	if (IS_ERR(sock))
		return PTR_ERR(sock);
	conn->ops = ops;
	if (conn->control) {
		conn->in_buf = kmalloc(HF_CONTROL_PAYLOAD_MAX, GFP_KERNEL);
		conn->out_buf = kmalloc(HF_CONTROL_PAYLOAD_MAX, GFP_KERNEL);
		if (!conn->in_buf || !conn->out_buf) {
			sockfd_put(sock);
			return -ENOMEM;
		}
	}
	conn->sock = sock;
	error = adopt_socket(conn, extack);
	if (error) {
		conn->sock = NULL;
		sockfd_put(sock);
	}
	return error;
}

/* Ends the worker of a connection. stop_work alone, after "stopped" is set. */
static void conn_stop(struct hf_conn *conn)
{
	release_callbacks(conn);
	if (conn->sock)
		kernel_sock_shutdown(conn->sock, SHUT_RDWR);
	cancel_work_sync(&conn->work);
	release_socket(conn);
}

static void conn_put_socket(struct hf_conn *conn)
{
	if (conn->sock)
		sockfd_put(conn->sock);
	conn->sock = NULL;
}

/* ------------------------------------------------------------------ time */

static void tick_work(struct work_struct *work)
{
	struct hf_link *link = container_of(to_delayed_work(work), struct hf_link, tick_work);
	enum holdfast_link_state state;
	struct sock *sk = link->control.sock->sk;
	u64 now = hf_boottime_ns(), heard;
	unsigned long flags;
	unsigned int limit_ms;

	spin_lock_irqsave(&link->state_lock, flags);
	state = link->state;
	heard = link->heard_ns;
	spin_unlock_irqrestore(&link->state_lock, flags);
	if (state == HOLDFAST_LINK_DOWN)
		return;

	limit_ms = state == HOLDFAST_LINK_OPENING ? HF_HANDSHAKE_MS : HF_LINK_TIMEOUT_MS;
	if (now > heard && now - heard > hf_time_ns(limit_ms)) {
		/* What has arrived, but was not looked at yet, is not silence. */
		if (skb_queue_empty_lockless(&sk->sk_receive_queue)) {
			hf_link_abort(link, HOLDFAST_DOWN_SILENT);
			return;
		}
		hf_link_kick(&link->control);
	}
	if (link->role == HOLDFAST_ROLE_PRIMARY)
		hf_primary_tick(link, now);
	else
		hf_replica_tick(link, now);
	queue_delayed_work(control_wq, &link->tick_work,
			   msecs_to_jiffies(hf_time_ms(HF_BEACON_MS)));
}

/* ------------------------------------------------------------------ life */

static void stop_work(struct work_struct *work)
{
	struct hf_link *link = container_of(work, struct hf_link, stop_work);
	unsigned long flags;
	bool first;

	spin_lock_irqsave(&link->queue_lock, flags);
	first = !link->stopped;
	link->stopped = true;
	spin_unlock_irqrestore(&link->queue_lock, flags);

	if (first) {
		conn_stop(&link->control);
		conn_stop(&link->data);
		cancel_delayed_work_sync(&link->tick_work);
		conn_put_socket(&link->control);
		conn_put_socket(&link->data);
	}
	if (link->role == HOLDFAST_ROLE_SLOT)
		hf_replica_stopped(link);
	else
		hf_primary_fail_all(link);
	if (!first)
		return;
	if (link->role == HOLDFAST_ROLE_PRIMARY)
		link->ops->down(link, link->reason);
	complete_all(&link->stopped_done);
}

static void init_conn(struct hf_conn *conn, struct hf_link *link, struct workqueue_struct *wq)
{
	conn->link = link;
	conn->wq = wq;
	conn->control = conn == &link->control;
	INIT_WORK(&conn->work, conn_work);
}

struct hf_link *hf_link_alloc(struct hf_volume *vol, enum holdfast_role role, u64 term, u64 id,
			      u8 slot_nr)
{
	struct hf_link *link = kzalloc(sizeof(*link), GFP_KERNEL);

	if (!link)
		return NULL;
	kref_init(&link->refs);
	link->vol = hf_volume_get(vol);
	link->role = role;
	link->term = term;
	link->id = id;
	link->slot_nr = slot_nr;
	init_conn(&link->control, link, control_wq);
	init_conn(&link->data, link, data_wq);
	INIT_DELAYED_WORK(&link->tick_work, tick_work);
	INIT_WORK(&link->stop_work, stop_work);
	init_completion(&link->stopped_done);
	spin_lock_init(&link->state_lock);
	spin_lock_init(&link->queue_lock);
	INIT_LIST_HEAD(&link->queued);
	INIT_LIST_HEAD(&link->in_flight);
	INIT_LIST_HEAD(&link->recopy);
	hf_lease_init(&link->lease);
	link->expect.slot = slot_nr;
	link->expect.link_id = id;
	link->expect.term = term;
	link->next_cookie = 1;
	link->window_bytes = HF_WINDOW_MIN_BYTES;
	link->opened_ns = hf_boottime_ns();
	link->heard_ns = link->opened_ns;
	link->rate_ns = link->opened_ns;
	hf_link_set_state(link, HOLDFAST_LINK_OPENING);
	hf_volume_add_object(vol, &link->vol_entry, &vol->links);
	return link;
}

int hf_link_adopt_sockets(struct hf_link *link, int fd_control, int fd_data,
			  const struct hf_conn_ops *control_ops,
			  const struct hf_conn_ops *data_ops, struct netlink_ext_ack *extack)
{
	int error;

	error = conn_open(&link->control, fd_control, control_ops, extack);
	if (!error)
		error = conn_open(&link->data, fd_data, data_ops, extack);
	if (!error)
		return 0;
	/* Not started: no worker ever looked at it, so nothing else can end it. */
	hf_link_set_state(link, HOLDFAST_LINK_DOWN);
	release_callbacks(&link->control);
	release_socket(&link->control);
	conn_put_socket(&link->control);
	return error;
}

/*
 * The callbacks are live since the sockets were adopted, one after the other,
 * which may sleep; what came in meanwhile waits for this, so both workers look
 * at once. From here on garbage may end the link before its clock is queued.
 */
void hf_link_start(struct hf_link *link)
{
	unsigned long flags;

	spin_lock_irqsave(&link->queue_lock, flags);
	link->started = true;
	spin_unlock_irqrestore(&link->queue_lock, flags);
	hf_link_kick(&link->control);
	hf_link_kick(&link->data);
	spin_lock_irqsave(&link->queue_lock, flags);
	if (!link->stopped)
		queue_delayed_work(control_wq, &link->tick_work,
				   msecs_to_jiffies(hf_time_ms(HF_BEACON_MS)));
	spin_unlock_irqrestore(&link->queue_lock, flags);
}

struct hf_link *hf_link_get(struct hf_link *link)
{
	kref_get(&link->refs);
	return link;
}

static void free_link(struct kref *refs)
{
	struct hf_link *link = container_of(refs, struct hf_link, refs);

	hf_volume_del_object(link->vol, &link->vol_entry);
	if (link->role == HOLDFAST_ROLE_SLOT)
		hf_replica_free(link);
	kfree(link->control.in_buf);
	kfree(link->control.out_buf);
	hf_volume_put(link->vol);
	kfree(link);
}

/* Process context. */
void hf_link_put(struct hf_link *link)
{
	kref_put(&link->refs, free_link);
}

void hf_link_stop(struct hf_link *link, enum holdfast_down_reason reason)
{
	hf_link_abort(link, reason);
	wait_for_completion(&link->stopped_done);
	/* Messages that came after "stopped" end by one more run. */
	flush_work(&link->stop_work);
}

/* --------------------------------------------------- the primary's interface */

struct hf_link *hf_link_open(struct hf_volume *vol, u8 slot_nr, u64 term, u64 link_id,
			     int fd_control, int fd_data, const struct hf_conf *conf,
			     const struct hf_link_ops *ops,
			     void (*tick)(void *owner, struct hf_link_tick *tick), void *owner,
			     struct netlink_ext_ack *extack)
{
	struct hf_link *link;
	int error;

	if (fd_control == fd_data) {
		NL_SET_ERR_MSG(extack, "The control and the data connection must be two sockets");
		return ERR_PTR(-EINVAL);
	}
	link = hf_link_alloc(vol, HOLDFAST_ROLE_PRIMARY, term, link_id, slot_nr);
	if (!link)
		return ERR_PTR(-ENOMEM);
	link->ops = ops;
	link->tick = tick;
	link->owner = owner;
	link->data_crc = !(conf->data.policies & HF_POLICY_NO_DATA_CRC);
	hf_conf_encode(&conf->data, &link->conf);
	link->expect.volume_bytes = conf->data.size_bytes;
	link->pending = HF_PENDING_HELLO;
	error = hf_link_adopt_sockets(link, fd_control, fd_data, &hf_primary_control_ops,
				      &hf_primary_data_ops, extack);
	if (error) {
		hf_link_put(link);
		return ERR_PTR(error);
	}
	hf_link_start(link);
	return link;
}

void hf_link_send_conf(struct hf_link *link, const struct hf_conf *conf)
{
	unsigned int want = HF_PENDING_CONF;
	struct hf_wire_conf wire;
	unsigned long flags;

	hf_conf_encode(&conf->data, &wire);
	spin_lock_irqsave(&link->state_lock, flags);
	link->conf = wire;
	if (link->offered_epoch && conf->data.epoch >= link->offered_epoch) {
		link->acked_epoch = conf->data.epoch;
		link->offered_epoch = 0;
		want |= HF_PENDING_CONF_ACK;
	}
	link->data_crc = !(conf->data.policies & HF_POLICY_NO_DATA_CRC);
	spin_unlock_irqrestore(&link->state_lock, flags);
	hf_link_want(link, want);
}

void hf_link_send(struct hf_link *link, struct hf_msg *msg)
{
	unsigned long flags;

	msg->link = link;
	msg->private_copy = NULL;
	msg->queued_ns = hf_boottime_ns();
	trace_hf_msg_queued(link->vol, link->slot_nr, msg, 0);
	spin_lock_irqsave(&link->queue_lock, flags);
	list_add_tail(&msg->entry, &link->queued);
	if (link->stopped)
		queue_work(stop_wq, &link->stop_work);
	else
		queue_work(link->data.wq, &link->data.work);
	spin_unlock_irqrestore(&link->queue_lock, flags);
}

void hf_link_close(struct hf_link *link)
{
	hf_link_stop(link, HOLDFAST_DOWN_LOCAL);
	hf_link_put(link);
}

/* ------------------------------------------------------------ load, unload */

void hf_link_exit(void)
{
	struct workqueue_struct **queues[] = { &data_wq, &control_wq, &hf_link_wq, &stop_wq };
	unsigned int i;

	/* Requests of links that are gone may still be at a device, and end here. */
	hf_slot_wait_all();
	for (i = 0; i < ARRAY_SIZE(queues); i++) {
		if (*queues[i])
			destroy_workqueue(*queues[i]);
		*queues[i] = NULL;
	}
	hf_replica_exit();
	hf_send_exit();
}

int hf_link_init(void)
{
	int error = hf_send_init();

	if (!error)
		error = hf_replica_init();
	if (error) {
		hf_send_exit();
		return error;
	}
	stop_wq = alloc_workqueue("hf_stop", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	hf_link_wq = alloc_workqueue("hf_link", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	control_wq = alloc_workqueue("hf_control", WQ_MEM_RECLAIM | WQ_HIGHPRI | WQ_PERCPU, 0);
	data_wq = alloc_workqueue("hf_data", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	if (stop_wq && hf_link_wq && control_wq && data_wq)
		return 0;
	hf_link_exit();
	return -ENOMEM;
}
