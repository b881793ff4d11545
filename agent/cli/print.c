// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tables and pages.  The columns of nodes and volumes and the lines of events are
 * read by operators' scripts: their form does not change.
 */
#include "cli.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../event_text.h"
#include "../size_text.h"

const char *cli_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

void cli_warn_stale(const json_t *answer)
{
	if (json_is_true(json_object_get(answer, "stale")))
		fprintf(stderr, "holdfast: no leader is reached; this is what this node knew last\n");
}

int cli_print_json(const json_t *answer)
{
	if (json_dumpf(answer, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY))
		return cli_fail("the answer cannot be printed");
	putchar('\n');
	return CLI_OK;
}

void cli_print_nodes(FILE *to, const json_t *nodes)
{
	const json_t *node;
	size_t i;

	fprintf(to, "%-20s %-17s %-10s %-10s %s\n", "NODENAME", "IP", "NODE_ID", "ROLE",
		"STATUS");
	json_array_foreach(nodes, i, node)
		fprintf(to, "%-20s %-17s %-10s %-10s %s\n", cli_text(node, "name"),
			cli_text(node, "address"), cli_text(node, "id"), cli_text(node, "role"),
			cli_text(node, "status"));
}

void cli_print_volumes(FILE *to, const json_t *volumes)
{
	const json_t *vol;
	size_t i;

	fprintf(to, "%-20s %-9s %-5s %-20s%8s  %-8s  %s\n", "NODENAME", "VDISK", "DRIVE", "TYPE",
		"SIZE", "UUID", "VOLUMENAME");
	json_array_foreach(volumes, i, vol)
		fprintf(to, "%-20s %-9s %-5s %-20s%8s  %-8.8s  %s\n", cli_text(vol, "attached_on"),
			cli_text(vol, "vdisk"), cli_text(vol, "drive"), cli_text(vol, "type"),
			cli_text(vol, "size"), cli_text(vol, "uuid"), cli_text(vol, "name"));
}

/* What is asked of the disks, and how well each volume is. */
void cli_print_volumes_all(FILE *to, const json_t *volumes)
{
	const json_t *vol;
	size_t i;

	fprintf(to, "%-20s %-9s %-5s %-20s%8s %10s  %-15s %-8s  %s\n", "NODENAME", "VDISK",
		"DRIVE", "TYPE", "SIZE", "ALLOCATED", "STATUS", "UUID", "VOLUMENAME");
	json_array_foreach(volumes, i, vol) {
		fprintf(to, "%-20s %-9s %-5s %-20s%8s %9.1f%%  %-15s %-8.8s  %s\n",
			cli_text(vol, "attached_on"), cli_text(vol, "vdisk"),
			cli_text(vol, "drive"), cli_text(vol, "type"), cli_text(vol, "size"),
			json_real_value(json_object_get(vol, "allocated_pct")),
			cli_text(vol, "status"), cli_text(vol, "uuid"), cli_text(vol, "name"));
	}
}

void cli_print_events(FILE *to, const json_t *events)
{
	const json_t *e;
	char line[1024];
	size_t i;

	json_array_foreach(events, i, e) {
		event_format((uint64_t)json_integer_value(json_object_get(e, "time_ms")),
			     cli_text(e, "level"), cli_text(e, "module"), cli_text(e, "text"),
			     (uint32_t)json_integer_value(json_object_get(e, "code")), line,
			     sizeof(line));
		fprintf(to, "%s\n", line);
	}
}

static void print_time(FILE *to, const char *label, const json_t *ms)
{
	time_t secs = (time_t)(json_integer_value(ms) / 1000);
	struct tm tm;
	char text[64];

	if (secs && localtime_r(&secs, &tm) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S",
							 &tm))
		fprintf(to, "%-12s%s\n", label, text);
}

void cli_print_node(FILE *to, const json_t *node)
{
	const json_t *pair, *module = json_object_get(node, "module");
	json_t *heard = json_object_get(node, "heard_ms");
	char size[32];
	size_t i;

	fprintf(to, "%-12s%s\n%-12s%s\n%-12s%s\n%-12s%s\n%-12s%s\n", "Name", cli_text(node, "name"),
		"Id", cli_text(node, "id"), "Address", cli_text(node, "address"), "Role",
		cli_text(node, "role"), "Status", cli_text(node, "status"));
	print_time(to, "Since", json_object_get(node, "status_since_ms"));
	if (!strcmp(cli_text(node, "agent"), "silent"))
		fprintf(to, "%-12sagent silent%s%.1lld%s\n", "Agent",
			heard ? ", heard " : "", heard ? json_integer_value(heard) / 1000 : 0,
			heard ? " s ago" : "");
	else
		fprintf(to, "%-12srunning\n", "Agent");
	fprintf(to, "%-12s%s\n", "Module", json_is_true(module) ? "loaded" :
		json_is_false(module) ? "not loaded: run 'modprobe holdfast' there" : "not known");
	json_array_foreach(json_object_get(node, "backing"), i, pair) {
		size_format((uint64_t)json_integer_value(json_object_get(pair, "size_bytes")), size,
			    sizeof(size));
		fprintf(to, "%-12s%s:%s  %s  %s  %s\n", i ? "" : "Backing", cli_text(pair, "data"),
			cli_text(pair, "meta"), cli_text(pair, "drive"), size,
			*cli_text(pair, "volume") ? cli_text(pair, "volume") :
			json_is_true(json_object_get(pair, "retiring")) ? "being retired" : "free");
	}
}

static void print_slots(FILE *to, const json_t *slots)
{
	const json_t *slot;
	size_t i;

	fprintf(to, "\n%-5s %-20s %-16s %-5s %s\n", "SLOT", "NODE", "STATE", "DRIVE", "DEVICES");
	json_array_foreach(slots, i, slot) {
		char state[64];

		snprintf(state, sizeof(state), "%s", cli_text(slot, "state"));
		if (json_object_get(slot, "percent"))
			snprintf(state, sizeof(state), "%s %lld%%", cli_text(slot, "state"),
				 json_integer_value(json_object_get(slot, "percent")));
		fprintf(to, "%-5lld %-20s %-16s %-5s %s:%s", json_integer_value(
			json_object_get(slot, "slot")), cli_text(slot, "node"), state,
			cli_text(slot, "drive"), cli_text(slot, "data"), cli_text(slot, "meta"));
		if (*cli_text(slot, "error"))
			fprintf(to, "  (%s)", cli_text(slot, "error"));
		fprintf(to, "\n");
	}
}

void cli_print_volume(FILE *to, const json_t *vol)
{
	const json_t *disk = json_object_get(vol, "disk");
	const json_t *rebuild = json_object_get(vol, "last_rebuild");
	const char *on = cli_text(vol, "attached_on"), *wanted = cli_text(vol, "wanted_on");

	fprintf(to, "%-12s%s\n%-12s%s\n%-12s%s\n", "Name", cli_text(vol, "name"), "Disk",
		cli_text(vol, "vdisk"), "Uuid", cli_text(vol, "uuid"));
	fprintf(to, "%-12s%s\n%-12s%s\n%-12s%s\n", "Size", cli_text(vol, "size"), "Type",
		cli_text(vol, "type"), "Status", cli_text(vol, "status"));
	fprintf(to, "%-12s%.1f%%, %lldMB in all copies\n", "Allocated",
		json_real_value(json_object_get(vol, "allocated_pct")),
		json_integer_value(json_object_get(vol, "allocated_bytes")) >> 20);
	if (*cli_text(vol, "trouble"))
		fprintf(to, "%-12s%s\n", "Because", cli_text(vol, "trouble"));
	if (*on)
		fprintf(to, "%-12s%s, as /dev/%s\n", "Attached", on, cli_text(vol, "vdisk"));
	else if (*wanted)
		fprintf(to, "%-12snot yet; wanted on %s\n", "Attached", wanted);
	else
		fprintf(to, "%-12sno\n", "Attached");
	fprintf(to, "%-12s%lld\n%-12s%lld\n", "Term",
		json_integer_value(json_object_get(vol, "term")), "Epoch",
		json_integer_value(json_object_get(vol, "epoch")));
	if (disk)
		fprintf(to, "%-12s%s, %lld openers, %lld requests in flight, %lld held\n", "Device",
			cli_text(disk, "state"), json_integer_value(json_object_get(disk, "openers")),
			json_integer_value(json_object_get(disk, "in_flight")),
			json_integer_value(json_object_get(disk, "held")));
	if (rebuild)
		fprintf(to, "%-12s%lld bytes to %s in %lld ms\n", "Rebuilt",
			json_integer_value(json_object_get(rebuild, "bytes")),
			cli_text(rebuild, "node"),
			json_integer_value(json_object_get(rebuild, "ms")));
	print_slots(to, json_object_get(vol, "slots"));
}
