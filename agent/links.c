// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Link connections: a link is a control and a data connection between the
 * agents of the primary's and the slot's node, paired by a random link id.
 * The primary's end opens both at once; the slot's end answers both when the
 * second has come; then each hands its pair to its module and keeps nothing.
 * A connection whose other half does not come in time is closed.  Whether the
 * link may serve is for the modules to say (R1).  Loop thread only.
 */
#include "links.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hex.h"
#include "loop.h"

enum { CONTROL, DATA, ENDS };

/* What both ends must agree on. */
struct link_key {
	uint8_t		volume[FSM_UUID_BYTES];
	uint8_t		slot_nr;
	uint32_t	node;		/* of the other end */
	uint64_t	term;
	uint64_t	link_id;
};

/*
 * A pair of connections on its way to the module. Owner: the loop; lives in
 * links->pairs until its last callback.
 * @expected: connections or calls that will call back
 */
struct pair {
	struct pair		*next;
	struct links		*links;
	struct link_key		key;
	bool			outgoing;
	int			fds[ENDS];
	unsigned int		expected;
	bool			failed;
	bool			handed;		/* LINK_ADD is under way */
	uint64_t		deadline_ms;	/* incoming: for the other half */
	struct hf_nl_call	call;
	links_done_cb		done;
	void			*data;
	char			why[TRANSPORT_WHY_MAX + 1];
};

struct links {
	uv_loop_t		*loop;
	struct transport	*transport;
	struct module		*module;
	links_address_cb	address;
	void			*data;
	unsigned int		time_scale_pct;
	uv_timer_t		timer;
	struct pair		*pairs;
	unsigned int		incoming;
	bool			closing;
	bool			timer_closed;
};

static uint64_t scaled(const struct links *links, uint64_t ms)
{
	return ms * links->time_scale_pct / 100;
}

static void free_when_ended(struct links *links)
{
	if (links->closing && links->timer_closed && !links->pairs)
		free(links);
}

static void close_fds(struct pair *pair)
{
	int i;

	for (i = 0; i < ENDS; i++) {
		if (pair->fds[i] >= 0)
			close(pair->fds[i]);
		pair->fds[i] = -1;
	}
}

static struct pair *new_pair(struct links *links, const struct link_key *key, bool outgoing)
{
	struct pair *pair = xcalloc(1, sizeof(*pair));

	pair->links = links;
	pair->key = *key;
	pair->outgoing = outgoing;
	pair->fds[CONTROL] = -1;
	pair->fds[DATA] = -1;
	pair->next = links->pairs;
	links->pairs = pair;
	links->incoming += !outgoing;
	return pair;
}

static void end_pair(struct pair *pair)
{
	struct links *links = pair->links;
	struct pair **at = &links->pairs;

	close_fds(pair);
	while (*at != pair)
		at = &(*at)->next;
	*at = pair->next;
	links->incoming -= !pair->outgoing;
	if (pair->why[0])
		log_info("links: slot %u, node %08" PRIx32 ": %s", pair->key.slot_nr,
			 pair->key.node, pair->why);
	if (pair->done)
		pair->done(pair->data, pair->why[0] ? pair->why : NULL);
	free(pair);
	free_when_ended(links);
}

static void on_added(void *data, struct hf_nl_call *call)
{
	struct pair *pair = data;

	if (call->error)
		snprintf(pair->why, sizeof(pair->why), "the module refused the link: %s",
			 call->why);
	/* The module has references of its own; ours go either way. */
	end_pair(pair);
}

static void set_options(int fd)
{
	int one = 1, idle_s = 1, tries = 3;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof(tries));
}

static void hand_over(struct pair *pair)
{
	struct hf_nl_call *call = &pair->call;

	set_options(pair->fds[CONTROL]);
	set_options(pair->fds[DATA]);
	call->cmd = HOLDFAST_CMD_LINK_ADD;
	memcpy(call->uuid, pair->key.volume, sizeof(call->uuid));
	call->term = pair->key.term;
	call->slot_nr = pair->key.slot_nr;
	call->role = pair->outgoing ? HOLDFAST_ROLE_PRIMARY : HOLDFAST_ROLE_SLOT;
	call->link_id = pair->key.link_id;
	call->fd_control = pair->fds[CONTROL];
	call->fd_data = pair->fds[DATA];
	pair->handed = true;
	module_call(pair->links->module, call, on_added, pair);
}

/* --------------------------------------------------------------- outgoing */

static void on_connection(struct pair *pair, int end, int fd, const char *why)
{
	pair->expected--;
	pair->fds[end] = fd >= 0 ? fd : -1;
	if (fd < 0 && !pair->failed) {
		pair->failed = true;
		snprintf(pair->why, sizeof(pair->why), "%s", why ? why : "no connection");
	}
	if (pair->expected)
		return;
	if (pair->links->closing && !pair->failed) {
		pair->failed = true;
		snprintf(pair->why, sizeof(pair->why), "the agent is ending");
	}
	if (pair->failed)
		end_pair(pair);
	else
		hand_over(pair);
}

static void on_control(void *data, int fd, const char *why)
{
	on_connection(data, CONTROL, fd, why);
}

static void on_data(void *data, int fd, const char *why)
{
	on_connection(data, DATA, fd, why);
}

static json_t *key_to_json(const struct link_key *key)
{
	char volume[2 * FSM_UUID_BYTES + 1], term[17], link[17];

	hex_encode(key->volume, sizeof(key->volume), volume);
	hex_encode_u64(key->term, term);
	hex_encode_u64(key->link_id, link);
	return json_pack("{s:s, s:i, s:s, s:s}", "volume", volume, "slot", key->slot_nr,
			 "term", term, "link", link);
}

const char *links_connect(struct links *links, const uint8_t *volume, uint8_t slot_nr,
			  uint64_t term, uint32_t node, links_done_cb done, void *data)
{
	struct link_key key = { .slot_nr = slot_nr, .node = node, .term = term };
	unsigned int timeout_ms = (unsigned int)scaled(links, LINKS_CONNECT_MS);
	char ip[FSM_ADDRESS_BYTES];
	struct pair *pair;
	uint16_t port;

	if (links->closing)
		return "the agent is ending";
	if (!links->address(links->data, node, ip, &port))
		return "the address of the slot's node is not known";

	memcpy(key.volume, volume, sizeof(key.volume));
	key.link_id = loop_random_u64();
	pair = new_pair(links, &key, true);
	pair->done = done;
	pair->data = data;
	pair->expected = ENDS;
	transport_connect(links->transport, ip, port, TRANSPORT_LINK_CONTROL, node,
			  key_to_json(&key), timeout_ms, on_control, pair);
	transport_connect(links->transport, ip, port, TRANSPORT_LINK_DATA, node,
			  key_to_json(&key), timeout_ms, on_data, pair);
	return NULL;
}

/* --------------------------------------------------------------- incoming */

static bool get_hex64(const json_t *body, const char *name, uint64_t *value)
{
	const char *text = json_string_value(json_object_get(body, name));

	return text && hex_decode_u64(text, value);
}

static bool key_from_json(const json_t *body, struct link_key *key)
{
	const char *volume = json_string_value(json_object_get(body, "volume"));
	const json_t *slot = json_object_get(body, "slot");

	if (!volume || !hex_decode(volume, key->volume, sizeof(key->volume)))
		return false;
	if (!json_is_integer(slot) || json_integer_value(slot) < 0 ||
	    json_integer_value(slot) >= HF_MAX_SLOTS)
		return false;
	key->slot_nr = (uint8_t)json_integer_value(slot);
	return get_hex64(body, "term", &key->term) && get_hex64(body, "link", &key->link_id) &&
	       key->link_id;
}

static bool same_key(const struct link_key *a, const struct link_key *b)
{
	return !memcmp(a->volume, b->volume, sizeof(a->volume)) && a->slot_nr == b->slot_nr &&
	       a->node == b->node && a->term == b->term && a->link_id == b->link_id;
}

static struct pair *find_half(const struct links *links, const struct link_key *key)
{
	struct pair *pair;

	for (pair = links->pairs; pair; pair = pair->next)
		if (!pair->outgoing && !pair->handed && same_key(&pair->key, key))
			return pair;
	return NULL;
}

static void refuse(int fd, const char *why)
{
	log_info("links: a connection was refused: %s", why);
	transport_answer(fd, false, why);
	close(fd);
}

static void arm_timer(struct links *links);

static void give_up(struct pair *pair, const char *why)
{
	int i;

	for (i = 0; i < ENDS; i++)
		if (pair->fds[i] >= 0)
			transport_answer(pair->fds[i], false, why);
	snprintf(pair->why, sizeof(pair->why), "%s", why);
	end_pair(pair);
}

/*
 * A new link takes the place of an older one of its term in the module, before
 * it has said anything. So nobody but the primary of that term gets so far.
 */
static bool is_stranger(const struct links *links, const struct link_key *key)
{
	const struct kernel_volume *volume = kernel_view_find(module_view(links->module),
							      key->volume);

	return volume && volume->conf.term == key->term && volume->conf.primary_node != key->node;
}

static void on_timer(uv_timer_t *timer)
{
	struct links *links = timer->data;
	uint64_t now = loop_now_ms();
	struct pair *pair, *next;

	for (pair = links->pairs; pair; pair = next) {
		next = pair->next;
		if (!pair->outgoing && !pair->handed && pair->deadline_ms <= now)
			give_up(pair, "the other connection of the link did not come");
	}
	arm_timer(links);
}

static void arm_timer(struct links *links)
{
	uint64_t now = loop_now_ms(), first = UINT64_MAX;
	const struct pair *pair;

	for (pair = links->pairs; pair; pair = pair->next)
		if (!pair->outgoing && !pair->handed && pair->deadline_ms < first)
			first = pair->deadline_ms;
	if (first == UINT64_MAX)
		uv_timer_stop(&links->timer);
	else
		uv_timer_start(&links->timer, on_timer, first > now ? first - now : 0, 0);
}

void links_accept(struct links *links, int fd, const struct transport_hello *hello)
{
	int end = hello->kind == TRANSPORT_LINK_CONTROL ? CONTROL : DATA;
	struct link_key key = { .node = hello->from };
	struct pair *pair;

	if (links->closing || !key_from_json(hello->body, &key)) {
		refuse(fd, links->closing ? "the agent is ending" :
					    "volume, slot, term or link id is missing or malformed");
		return;
	}
	if (is_stranger(links, &key)) {
		refuse(fd, "the caller is not the primary of this term");
		return;
	}
	pair = find_half(links, &key);
	if (pair && pair->fds[end] >= 0) {
		refuse(fd, "this connection of the link is there already");
		return;
	}
	if (!pair && links->incoming >= LINKS_MAX_PENDING) {
		refuse(fd, "too many half links wait for their other connection");
		return;
	}
	if (!pair) {
		pair = new_pair(links, &key, false);
		pair->deadline_ms = loop_now_ms() + scaled(links, LINKS_PAIR_MS);
	}

	pair->fds[end] = fd;
	if (pair->fds[CONTROL] >= 0 && pair->fds[DATA] >= 0) {
		/* From the answers on, every byte is the modules'. */
		transport_answer(pair->fds[CONTROL], true, NULL);
		transport_answer(pair->fds[DATA], true, NULL);
		hand_over(pair);
	}
	arm_timer(links);
}

static void on_accepted(void *data, int fd, const struct transport_hello *hello)
{
	links_accept(data, fd, hello);
}

struct links *links_open(uv_loop_t *loop, struct transport *transport, struct module *module,
			 links_address_cb address, void *data, unsigned int time_scale_pct)
{
	struct links *links = xcalloc(1, sizeof(*links));

	links->loop = loop;
	links->transport = transport;
	links->module = module;
	links->address = address;
	links->data = data;
	links->time_scale_pct = time_scale_pct;
	uv_timer_init(loop, &links->timer);
	links->timer.data = links;
	transport_handle(transport, TRANSPORT_LINK_CONTROL, on_accepted, links);
	transport_handle(transport, TRANSPORT_LINK_DATA, on_accepted, links);
	return links;
}

static void on_closed(uv_handle_t *handle)
{
	struct links *links = handle->data;

	links->timer_closed = true;
	free_when_ended(links);
}

void links_close(struct links *links)
{
	struct pair *pair, *next;

	links->closing = true;
	transport_handle(links->transport, TRANSPORT_LINK_CONTROL, NULL, NULL);
	transport_handle(links->transport, TRANSPORT_LINK_DATA, NULL, NULL);
	for (pair = links->pairs; pair; pair = next) {
		next = pair->next;
		if (!pair->outgoing && !pair->handed)
			give_up(pair, "the agent is ending");
	}
	uv_close((uv_handle_t *)&links->timer, on_closed);
}
