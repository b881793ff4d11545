// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hfsql: a database as a client of the tests.
 *
 *   hfsql run --db FILE [--count N]	commits transactions, one line each once it
 *					is acknowledged; ends at SIGTERM and then tells
 *					the longest that one took
 *   hfsql verify --db FILE --acked N	is the database sound, is every one there
 *
 * SQLite as people run it who want to keep their data: WAL, synchronous=FULL.
 * A transaction writes an entry whose content follows from its number and moves
 * a total in another table, so that a half one shows.
 */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sqlite3.h>

#define BODY_BYTES 512

static volatile sig_atomic_t ending;

static void on_signal(int nr)
{
	(void)nr;
	ending = 1;
}

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int complain(sqlite3 *db, const char *what)
{
	fprintf(stderr, "hfsql: %s: %s\n", what, sqlite3_errmsg(db));
	return 1;
}

/* What entry @number must contain; Knuth's MMIX generator (TAOCP 2, 3.3.4). */
static void body_of(int64_t number, unsigned char *body)
{
	uint64_t state = (uint64_t)number;
	int i;

	for (i = 0; i < BODY_BYTES; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		body[i] = (unsigned char)(state >> 56);
	}
}

static sqlite3 *open_db(const char *path, bool create)
{
	const char *setup = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
			    "CREATE TABLE IF NOT EXISTS entry(number INTEGER PRIMARY KEY, body BLOB NOT NULL);"
			    "CREATE TABLE IF NOT EXISTS total(one INTEGER PRIMARY KEY CHECK(one = 1), sum INTEGER);"
			    "INSERT OR IGNORE INTO total VALUES(1, 0);";
	sqlite3 *db = NULL;

	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0),
			    NULL)) {
		complain(db, path);
		exit(1);
	}
	if (create && sqlite3_exec(db, setup, NULL, NULL, NULL)) {
		complain(db, "the tables were not made");
		exit(1);
	}
	return db;
}

/* One number out of the database; ends the program if there is none. */
static int64_t number_of(sqlite3 *db, const char *query)
{
	sqlite3_stmt *stmt = NULL;
	int64_t value;

	if (sqlite3_prepare_v2(db, query, -1, &stmt, NULL) || sqlite3_step(stmt) != SQLITE_ROW) {
		complain(db, query);
		exit(1);
	}
	value = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return value;
}

static bool commit_one(sqlite3 *db, sqlite3_stmt *insert, sqlite3_stmt *move, int64_t number)
{
	unsigned char body[BODY_BYTES];

	body_of(number, body);
	sqlite3_bind_int64(insert, 1, number);
	sqlite3_bind_blob(insert, 2, body, BODY_BYTES, SQLITE_STATIC);
	sqlite3_bind_int64(move, 1, number);
	if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) ||
	    sqlite3_step(insert) != SQLITE_DONE || sqlite3_step(move) != SQLITE_DONE ||
	    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL))
		return false;
	sqlite3_reset(insert);
	sqlite3_reset(move);
	return true;
}

static int run(const char *path, int64_t count)
{
	struct sigaction action = { .sa_handler = on_signal };
	sqlite3 *db = open_db(path, true);
	sqlite3_stmt *insert = NULL, *move = NULL;
	int64_t number, last, longest = 0;

	sigaction(SIGTERM, &action, NULL);
	if (sqlite3_prepare_v2(db, "INSERT INTO entry VALUES(?, ?)", -1, &insert, NULL) ||
	    sqlite3_prepare_v2(db, "UPDATE total SET sum = sum + ?", -1, &move, NULL))
		return complain(db, "a statement was not understood");
	number = number_of(db, "SELECT coalesce(max(number), 0) FROM entry");
	last = count ? number + count : INT64_MAX;
	while (!ending && number < last) {
		int64_t begin = now_us();

		if (!commit_one(db, insert, move, ++number))
			return complain(db, "a transaction was not committed");
		if (now_us() - begin > longest)
			longest = now_us() - begin;
		printf("%" PRId64 "\n", number);
		fflush(stdout);
	}
	sqlite3_finalize(insert);
	sqlite3_finalize(move);
	sqlite3_close(db);
	printf("longest %" PRId64 " ms\n", longest / 1000);
	return 0;
}

/* Entries from 1 on without a gap or a wrong one. */
static int64_t entries_from_start(sqlite3 *db)
{
	unsigned char body[BODY_BYTES];
	sqlite3_stmt *stmt = NULL;
	int64_t number = 0;

	if (sqlite3_prepare_v2(db, "SELECT number, body FROM entry ORDER BY number", -1, &stmt, NULL)) {
		complain(db, "the entries cannot be read");
		exit(1);
	}
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		body_of(number + 1, body);
		if (sqlite3_column_int64(stmt, 0) != number + 1 ||
		    sqlite3_column_bytes(stmt, 1) != BODY_BYTES ||
		    memcmp(sqlite3_column_blob(stmt, 1), body, BODY_BYTES))
			break;
		number++;
	}
	sqlite3_finalize(stmt);
	return number;
}

static int verify(const char *path, int64_t acked)
{
	sqlite3 *db = open_db(path, false);
	sqlite3_stmt *stmt = NULL;
	int64_t found;
	int status = 0;

	if (sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt, NULL) ||
	    sqlite3_step(stmt) != SQLITE_ROW)
		return complain(db, "the integrity was not checked");
	printf("integrity %s\n", (const char *)sqlite3_column_text(stmt, 0));
	if (strcmp((const char *)sqlite3_column_text(stmt, 0), "ok"))
		status = 1;
	sqlite3_finalize(stmt);
	found = entries_from_start(db);
	printf("found %" PRId64 "\n", found);
	if (found != number_of(db, "SELECT count(*) FROM entry") ||
	    found * (found + 1) / 2 != number_of(db, "SELECT sum FROM total")) {
		fprintf(stderr, "hfsql: entries and their total differ after number %" PRId64 "\n",
			found);
		status = 1;
	}
	if (found < acked) {
		fprintf(stderr, "hfsql: transaction %" PRId64 " was acknowledged and is missing\n",
			found + 1);
		status = 1;
	}
	sqlite3_close(db);
	return status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "db", required_argument, NULL, 'd' },
		{ "count", required_argument, NULL, 'c' },
		{ "acked", required_argument, NULL, 'a' },
		{ NULL, 0, NULL, 0 },
	};
	int64_t count = 0, acked = 0;
	const char *path = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'd':
			path = optarg;
			break;
		case 'c':
			count = atoll(optarg);
			break;
		case 'a':
			acked = atoll(optarg);
			break;
		default:
			return 2;
		}
	}
	if (path && optind == argc - 1 && !strcmp(argv[optind], "run"))
		return run(path, count);
	if (path && optind == argc - 1 && !strcmp(argv[optind], "verify"))
		return verify(path, acked);
	fprintf(stderr, "usage: hfsql run|verify --db FILE [--count N] [--acked N]\n");
	return 2;
}
