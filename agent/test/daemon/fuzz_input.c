// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Everything that the agent reads from other machines, its own disk and its
 * socket. The first byte chooses the reader. What is accepted must come back the
 * same when it is written and read again; what is refused has a sentence.
 */
#include "../../../selftests/fuzz/fuzz.h"

#include "../../api_internal.h"
#include "../../command.h"
#include "../../disks.h"
#include "../../facts.h"
#include "../../frames.h"
#include "../../identity.h"
#include "../../lvm_report.h"
#include "../../size_text.h"
#include "../../state_json.h"
#include "../../token.h"
#include "../../transport.h"

enum reader {
	READ_PREAMBLE,
	READ_BODY,
	READ_FRAME,
	READ_COMMAND,
	READ_REPORT,
	READ_STATE,
	READ_NODE,
	READ_TOKEN,
	READ_SIZE,
	READ_ADDRESS,
	READ_REQUEST,
	READ_LVS,
	READ_VG,
	READ_LABEL,
	READERS,
};

static char why_text[512];
static bool accepted;		/* by the last reader */

static void read_preamble(const uint8_t *data, size_t size)
{
	uint8_t again[TRANSPORT_PREAMBLE_BYTES];
	struct transport_hello hello;
	const char *why = NULL;
	uint32_t bytes;

	if (size < sizeof(again))
		return;
	if (!transport_decode(data, &hello, &bytes, &why)) {
		FUZZ_CLAIM(why);
		return;
	}
	accepted = true;
	FUZZ_CLAIM(bytes <= TRANSPORT_BODY_MAX && hello.kind && hello.kind <= TRANSPORT_KIND_MAX);
	transport_encode(&hello, bytes, again);
	FUZZ_CLAIM(!memcmp(again, data, sizeof(again)));
}

/* What lvm printed: taken whole and in bounds, or refused with a sentence. */
static void read_lvs(const uint8_t *data, size_t size)
{
	struct lvm_lvs lvs;
	unsigned int i;

	if (lvm_read_lvs((const char *)data, size, &lvs, why_text, sizeof(why_text))) {
		FUZZ_CLAIM(why_text[0] && !lvs.lvs && !lvs.count);
		return;
	}
	accepted = true;
	FUZZ_CLAIM(lvs.count <= LVM_MAX_LVS);
	for (i = 0; i < lvs.count; i++) {
		const struct lvm_lv *lv = &lvs.lvs[i];

		FUZZ_CLAIM(lv->name[0] && strlen(lv->name) < LVM_NAME_BYTES);
		FUZZ_CLAIM(lv->size_bytes <= INT64_MAX);
		FUZZ_CLAIM(lv->data_pct <= 10000 && lv->meta_pct <= 10000);
		FUZZ_CLAIM(lvm_lvs_find(&lvs, lv->name));
	}
	lvm_lvs_clear(&lvs);
}

static void read_vg(const uint8_t *data, size_t size)
{
	struct lvm_vg vg;

	if (lvm_read_vg((const char *)data, size, &vg, why_text, sizeof(why_text))) {
		FUZZ_CLAIM(why_text[0]);
		return;
	}
	accepted = true;
	FUZZ_CLAIM(vg.name[0] && vg.size_bytes <= INT64_MAX && vg.free_bytes <= INT64_MAX);
}

static void read_label(const uint8_t *data, size_t size)
{
	char pv[DISK_PV_BYTES];

	if (!disks_read_label(data, size, pv))
		return;
	accepted = true;
	FUZZ_CLAIM(strlen(pv) == DISK_PV_BYTES - 1);
}

static void read_frame(const uint8_t *data, size_t size)
{
	json_t *frame;
	ssize_t took = frames_parse(data, size, FRAMES_BODY_MAX, &frame);

	accepted = took > 0;
	FUZZ_CLAIM(took <= (ssize_t)size);
	FUZZ_CLAIM((took > 0) == json_is_object(frame));
	json_decref(frame);
}

static void read_command(const char *text, size_t size)
{
	struct command *cmd = calloc(2, sizeof(*cmd));
	json_t *one, *two;

	why_text[0] = '\0';
	if (command_decode(text, size, &cmd[0], why_text, sizeof(why_text))) {
		FUZZ_CLAIM(why_text[0]);
	} else {
		accepted = true;
		one = command_to_json(&cmd[0]);
		FUZZ_CLAIM(one && !command_from_json(one, &cmd[1], why_text, sizeof(why_text)));
		two = command_to_json(&cmd[1]);
		FUZZ_CLAIM(json_equal(one, two));
		json_decref(one);
		json_decref(two);
	}
	free(cmd);
}

static void read_report(const char *text, size_t size)
{
	json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL), *one, *two;
	struct node_report *r = calloc(2, sizeof(*r));

	why_text[0] = '\0';
	if (json && node_report_from_json(json, &r[0], why_text, sizeof(why_text))) {
		FUZZ_CLAIM(why_text[0]);
	} else if (json) {
		accepted = true;
		one = node_report_to_json(&r[0]);
		FUZZ_CLAIM(one && !node_report_from_json(one, &r[1], why_text, sizeof(why_text)));
		two = node_report_to_json(&r[1]);
		FUZZ_CLAIM(json_equal(one, two));
		json_decref(one);
		json_decref(two);
		node_report_clear(&r[1]);
	}
	node_report_clear(&r[0]);
	free(r);
	json_decref(json);
}

static void read_state(const char *text, size_t size)
{
	struct fsm *fsm, *again;
	char *one, *two;
	size_t one_size, two_size;

	why_text[0] = '\0';
	fsm = state_decode(text, size, why_text, sizeof(why_text));
	if (!fsm) {
		FUZZ_CLAIM(why_text[0]);
		return;
	}
	accepted = true;
	FUZZ_CLAIM(!state_encode(fsm, &one, &one_size));
	again = state_decode(one, one_size, why_text, sizeof(why_text));
	FUZZ_CLAIM(again);
	FUZZ_CLAIM(!state_encode(again, &two, &two_size));
	FUZZ_CLAIM(one_size == two_size && !memcmp(one, two, one_size));
	fsm_free(fsm);
	fsm_free(again);
	free(one);
	free(two);
}

static void read_node(const char *text, size_t size)
{
	json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL), *one;
	struct cmd_node node, again;

	why_text[0] = '\0';
	if (json && cmd_node_from_json(json, &node, why_text, sizeof(why_text))) {
		accepted = true;
		one = cmd_node_to_json(&node);
		FUZZ_CLAIM(cmd_node_from_json(one, &again, why_text, sizeof(why_text)));
		FUZZ_CLAIM(!memcmp(&node, &again, sizeof(node)));
		json_decref(one);
	} else if (json) {
		FUZZ_CLAIM(why_text[0]);
	}
	json_decref(json);
}

static void read_token(const char *text)
{
	struct token token, again;
	char one[TOKEN_TEXT_MAX];
	const char *why = NULL;

	if (!token_decode(text, &token, &why)) {
		FUZZ_CLAIM(why);
		return;
	}
	accepted = true;
	FUZZ_CLAIM(token_encode(&token, one) && token_decode(one, &again, &why));
	FUZZ_CLAIM(!memcmp(&token, &again, sizeof(token)));
}

static void read_size(const char *text)
{
	uint64_t bytes, again;
	const char *why = NULL;
	char one[32];

	if (!size_parse(text, &bytes, &why)) {
		FUZZ_CLAIM(why);
		return;
	}
	accepted = true;
	size_format(bytes, one, sizeof(one));
	FUZZ_CLAIM(size_parse(one, &again, &why) && again == bytes);
}

static void read_address(const char *text)
{
	struct sockaddr_storage addr;

	accepted = transport_parse_address(text, &addr);
	if (accepted)
		FUZZ_CLAIM(addr.ss_family == AF_INET || addr.ss_family == AF_INET6);
}

static void read_request(const char *text, size_t size)
{
	json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL), *answer = NULL;
	struct api_request request;
	unsigned int i;

	if (json && api_request_read(json, &request, &answer)) {
		accepted = true;
		FUZZ_CLAIM(request.method && request.nr_path && !answer);
		for (i = 0; i < request.nr_path; i++)
			FUZZ_CLAIM(request.path[i][0]);
	} else if (json) {
		FUZZ_CLAIM(json_integer_value(json_object_get(answer, "status")) >= 400);
	}
	json_decref(answer);
	json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *bytes;
	json_t *body;
	char *text;
	size_t len;

	if (!size)
		return 0;
	len = size - 1;
	accepted = false;
	bytes = fuzz_copy(data + 1, len);
	text = calloc(1, len + 1);
	memcpy(text, bytes, len);
	switch (data[0] % READERS) {
	case READ_PREAMBLE:
		read_preamble(bytes, len);
		break;
	case READ_BODY:
		body = transport_decode_body((char *)bytes, len);
		accepted = body;
		json_decref(body);
		break;
	case READ_FRAME:
		read_frame(bytes, len);
		break;
	case READ_COMMAND:
		read_command((char *)bytes, len);
		break;
	case READ_REPORT:
		read_report((char *)bytes, len);
		break;
	case READ_STATE:
		read_state((char *)bytes, len);
		break;
	case READ_NODE:
		read_node((char *)bytes, len);
		break;
	case READ_TOKEN:
		read_token(text);
		break;
	case READ_SIZE:
		read_size(text);
		break;
	case READ_ADDRESS:
		read_address(text);
		break;
	case READ_LVS:
		read_lvs(bytes, len);
		break;
	case READ_VG:
		read_vg(bytes, len);
		break;
	case READ_LABEL:
		read_label(bytes, len);
		break;
	default:
		read_request((char *)bytes, len);
		break;
	}
	free(bytes);
	free(text);
	return 0;
}

/* ------------------------------------------------------------ right inputs */

static struct cmd_node sample_node(uint32_t id)
{
	struct cmd_node node = { .id = id, .port = 7340, .nr_backing = 1 };

	snprintf(node.name, sizeof(node.name), "v%u", id);
	snprintf(node.address, sizeof(node.address), "10.0.0.%u", id);
	strcpy(node.backing[0].data_path, "/dev/vdb");
	strcpy(node.backing[0].meta_path, "/dev/vdc");
	node.backing[0].size_bytes = 1u << 30;
	return node;
}

static void sample_command(unsigned int nr, struct command *cmd)
{
	static const enum command_kind kinds[] = {
		CMD_INIT, CMD_TOKEN_ADD, CMD_JOIN, CMD_VOLUME_CREATE, CMD_SLOT_MADE, CMD_ATTACH,
		CMD_NODE_DOWN, CMD_CONF,
	};

	command_begin(cmd, kinds[nr], nr + 1, 1000, 1);
	switch (cmd->kind) {
	case CMD_INIT:
		cmd->init.cluster[0] = 1;
		cmd->init.node = sample_node(1);
		break;
	case CMD_TOKEN_ADD:
		cmd->token_add.expires_ms = 3600000;
		break;
	case CMD_JOIN:
		cmd->join.node = sample_node(2);
		break;
	case CMD_VOLUME_CREATE:
		strcpy(cmd->volume_create.name, "web");
		cmd->volume_create.uuid[0] = 7;
		cmd->volume_create.size_bytes = 1 << 20;
		cmd->volume_create.copies = 1;
		cmd->volume_create.incarnations[0] = 5;
		break;
	case CMD_SLOT_MADE:
		cmd->slot.volume[0] = 7;
		cmd->slot.node = 1;
		cmd->slot.incarnation = 5;
		break;
	case CMD_CONF:
		cmd->conf.step = STEP_NAME;
		cmd->conf.expected_epoch = 1;
		cmd->conf.conf = (struct hf_conf_data){
			.volume = { 7 }, .size_bytes = 1 << 20, .term = 1, .epoch = 2,
			.primary_node = 1, .primary_instance = 9, .vdisk = 1, .in_sync_mask = 1,
			.slots = { { .node = 1, .incarnation = 5, .cited_life = 3 } },
		};
		break;
	default:
		cmd->wish.volume[0] = 7;
		cmd->node_status.node = 1;
		break;
	}
}

static size_t put(uint8_t *data, size_t max, enum reader reader, char *text)
{
	size_t len = strlen(text);

	if (len + 1 > max)
		abort();
	data[0] = (uint8_t)reader;
	memcpy(data + 1, text, len);
	free(text);
	return len + 1;
}

static char *dump(json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	json_decref(json);
	return text;
}

static char *sample_state(void)
{
	struct fsm *fsm = fsm_new();
	struct fsm_result result;
	struct command cmd;
	unsigned int nr;
	size_t size;
	char *text;

	for (nr = 0; nr < 8; nr++) {
		sample_command(nr, &cmd);
		fsm_apply(fsm, &cmd, &result);
	}
	if (state_encode(fsm, &text, &size))
		abort();
	fsm_free(fsm);
	return text;
}

static char *sample_report(void)
{
	struct node_report report = { .node = 1, .boot_id = 2, .nr_heard = 1 };
	struct kernel_volume *vol;
	char *text;

	report.heard[0] = (struct heard){ .node = 2, .age_ms = 10, .refused_ms = FACTS_NEVER_MS };
	report.view.loaded = true;
	vol = kernel_view_add(&report.view);
	vol->uuid[0] = 7;
	vol->conf.volume[0] = 7;
	vol->conf.size_bytes = 1 << 20;
	vol->slot.state = HOLDFAST_SLOT_UP;
	vol->nr_remotes = 1;
	text = dump(node_report_to_json(&report));
	node_report_clear(&report);
	return text;
}

static size_t right_input(unsigned int nr, uint8_t *data, size_t max)
{
	static const char *const texts[] = { "12M", "3GiB", "[2001:db8::1]:7340", "10.0.0.1:1",
		"{\"method\":\"POST\",\"path\":\"/v1/volumes/web/attach\",\"query\":{},\"body\":"
		"{\"node\":\"v2\"},\"origin\":1,\"id\":\"0123456789abcdef\",\"deadline_ms\":30000}" };
	static const enum reader readers[] = { READ_SIZE, READ_SIZE, READ_ADDRESS, READ_ADDRESS,
					       READ_REQUEST };
	struct transport_hello hello = { .kind = TRANSPORT_PEER, .from = 1, .to = 2 };
	struct token token = { .ip = "10.0.0.1", .port = 7340 };
	struct cmd_node node = sample_node(1);
	char text[TOKEN_TEXT_MAX];
	struct command cmd;

	if (nr < 8) {
		sample_command(nr, &cmd);
		return put(data, max, READ_COMMAND, dump(command_to_json(&cmd)));
	}
	if (nr < 13)
		return put(data, max, readers[nr - 8], strdup(texts[nr - 8]));
	switch (nr) {
	case 13:
		data[0] = READ_PREAMBLE;
		transport_encode(&hello, 10, data + 1);
		return 1 + TRANSPORT_PREAMBLE_BYTES;
	case 14:
		memcpy(data, "\x02\x08\0\0\0{\"a\":{}}", 13);
		return 13;
	case 15:
		return put(data, max, READ_STATE, sample_state());
	case 16:
		return put(data, max, READ_REPORT, sample_report());
	case 17:
		return put(data, max, READ_NODE, dump(cmd_node_to_json(&node)));
	case 18:
		token_encode(&token, text);
		return put(data, max, READ_TOKEN, strdup(text));
	case 19:
		return put(data, max, READ_BODY, strdup("{\"address\":\"10.0.0.1:7340\"}"));
	case 20:
		return put(data, max, READ_LVS, strdup(
			"{\"report\":[{\"lv\":[{\"lv_name\":\"pool\",\"lv_size\":\"1048576\","
			"\"lv_tags\":\"a,holdfast.pool\",\"lv_active\":\"active\",\"pool_lv\":\"\","
			"\"segtype\":\"thin-pool\",\"data_percent\":\"12.34\","
			"\"metadata_percent\":\"100.00\",\"lv_when_full\":\"error\","
			"\"lv_health_status\":\"out_of_data\"}]}]}"));
	case 21:
		return put(data, max, READ_VG, strdup(
			"{\"report\":[{\"vg\":[{\"vg_name\":\"holdfast-1\",\"vg_size\":\"9\","
			"\"vg_free\":\"8\",\"vg_extent_size\":\"7\",\"vg_tags\":\"holdfast.drive\","
			"\"vg_missing_pv_count\":\"0\"}]}]}"));
	case 22:
		memset(data, 0, 1 + 512);
		data[0] = READ_LABEL;
		memcpy(data + 1, "LABELONE", 8);
		data[1 + 20] = 32;
		memcpy(data + 1 + 24, "LVM2 001HoldFast0123456789abcdef01234567", 40);
		return 1 + 512;
	default:
		return 0;
	}
}

/* An input that is not accepted as it is would test nothing behind the first refusal. */
size_t fuzz_seed(unsigned int nr, uint8_t *data, size_t max)
{
	size_t size = right_input(nr, data, max);

	if (size) {
		LLVMFuzzerTestOneInput(data, size);
		if (!accepted)
			fprintf(stderr, "right input %u is refused: %s\n", nr, why_text);
		FUZZ_CLAIM(accepted);
	}
	return size;
}
