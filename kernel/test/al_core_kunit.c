// SPDX-License-Identifier: GPL-2.0
/*
 * The activity log (R10): each condition for leaving by hand; records that are
 * torn, foreign or impossible; the random crash test is in al_crash_kunit.c.
 */
#include <kunit/test.h>
#include <asm/byteorder.h>
#include <linux/errno.h>
#include <linux/module.h>

#include "../al_core.h"

enum { RING = 4, EXTENTS = 1000, ROOM = 8 };
#define INCARNATION	0x5105u

struct log {
	struct hf_al		al;
	struct hf_disk_log	ring[RING];
	struct hf_disk_log	record;
};

static struct log *new_log(struct kunit *test)
{
	struct log *log = kunit_kzalloc(test, sizeof(*log), GFP_KERNEL);
	void *memory = kunit_kzalloc(test, hf_al_memory_bytes(), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, log);
	KUNIT_ASSERT_NOT_NULL(test, memory);
	hf_al_init(&log->al, memory, ROOM, INCARNATION);
	log->ring[1].sequence = cpu_to_le64(1);
	log->ring[1].incarnation = cpu_to_le64(INCARNATION);
	hf_al_record_seal(&log->ring[1]);
	KUNIT_ASSERT_EQ(test, hf_al_load(&log->al, log->ring, RING, EXTENTS), 0);
	return log;
}

/* The next life over the same ring. */
static int reload(struct kunit *test, struct log *log)
{
	void *memory = kunit_kzalloc(test, hf_al_memory_bytes(), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, memory);
	hf_al_init(&log->al, memory, ROOM, INCARNATION);
	return hf_al_load(&log->al, log->ring, RING, EXTENTS);
}

static u64 put_record(struct log *log, bool trim)
{
	u64 sequence = hf_al_record_begin(&log->al, &log->record, 1, trim);

	if (sequence) {
		log->ring[hf_al_ring_block(sequence, RING)] = log->record;
		hf_al_record_done(&log->al);
	}
	return sequence;
}

static void flush(struct log *log)
{
	hf_al_flush_done(&log->al, hf_al_flush_issue(&log->al));
}

static void save_bits(struct log *log)
{
	hf_al_bits_done(&log->al, hf_al_bits_issue(&log->al));
}

/* What the last record built says of an extent: 0, 'l'isted or 'u'nflushed. */
static char named(const struct log *log, u32 extent)
{
	u32 i;

	for (i = 0; i < le32_to_cpu(log->record.entries); i++) {
		u32 value = le32_to_cpu(log->record.extent[i]);

		if ((value & HF_LOG_EXTENT_MASK) == extent)
			return value & HF_LOG_UNFLUSHED ? 'u' : 'l';
	}
	return 0;
}

static void begin(struct kunit *test, struct log *log, u32 extent, u64 seq)
{
	u64 sequence;

	KUNIT_ASSERT_NE(test, hf_al_begin_write(&log->al, extent, extent, 1, seq, false, &sequence),
			HF_AL_FULL);
}

static void cold_extent_waits_for_its_record(struct kunit *test)
{
	struct log *log = new_log(test);
	u64 sequence = 0, second = 0;

	KUNIT_EXPECT_EQ(test, hf_al_begin_write(&log->al, 7, 8, 1, 1, false, &sequence),
			HF_AL_WAIT);
	KUNIT_EXPECT_EQ(test, sequence, 2);
	KUNIT_EXPECT_EQ(test, hf_al_durable(&log->al), 1);
	KUNIT_EXPECT_EQ(test, hf_al_record_begin(&log->al, &log->record, 1, false), 2);
	KUNIT_EXPECT_TRUE(test, hf_al_record_busy(&log->al));
	KUNIT_EXPECT_EQ(test, hf_al_record_begin(&log->al, &log->record, 1, false), 0);
	/* Named by the record under way, and by the one after it. */
	KUNIT_EXPECT_EQ(test, hf_al_begin_write(&log->al, 8, 8, 1, 2, false, &sequence),
			HF_AL_WAIT);
	KUNIT_EXPECT_EQ(test, sequence, 2);
	KUNIT_EXPECT_EQ(test, hf_al_begin_write(&log->al, 8, 9, 1, 3, false, &second), HF_AL_WAIT);
	KUNIT_EXPECT_EQ(test, second, 3);
	hf_al_record_done(&log->al);
	KUNIT_EXPECT_EQ(test, hf_al_durable(&log->al), 2);
	KUNIT_EXPECT_EQ(test, named(log, 7), 'u');
	KUNIT_EXPECT_EQ(test, named(log, 8), 'u');
	KUNIT_EXPECT_EQ(test, named(log, 9), 0);
	/* Warm now. */
	KUNIT_EXPECT_EQ(test, hf_al_begin_write(&log->al, 7, 8, 1, 4, false, &sequence),
			HF_AL_READY);
	KUNIT_EXPECT_EQ(test, hf_al_used(&log->al), 3);
}

static void leaves_only_flushed_stable_and_marked(struct kunit *test)
{
	struct log *log = new_log(test);
	u64 sequence, flushing, saving;

	hf_al_begin_write(&log->al, 5, 5, 1, 1, true, &sequence);
	put_record(log, false);
	/* A flush issued while the write is in flight is none. */
	flushing = hf_al_flush_issue(&log->al);
	hf_al_end_write(&log->al, 5, 5, false);
	hf_al_flush_done(&log->al, flushing);
	hf_al_stable(&log->al, 1, 1);
	saving = hf_al_bits_issue(&log->al);
	hf_al_bits_done(&log->al, saving);
	put_record(log, true);
	KUNIT_EXPECT_EQ(test, named(log, 5), 'u');
	flush(log);
	KUNIT_EXPECT_TRUE(test, hf_al_wants_trim(&log->al));
	put_record(log, true);
	KUNIT_EXPECT_EQ(test, named(log, 5), 0);
	KUNIT_EXPECT_FALSE(test, hf_al_wants_trim(&log->al));

	/* Flushed and stable, marks not durable. */
	hf_al_begin_write(&log->al, 5, 5, 1, 2, true, &sequence);
	put_record(log, false);
	hf_al_end_write(&log->al, 5, 5, false);
	flush(log);
	hf_al_stable(&log->al, 1, 2);
	put_record(log, true);
	KUNIT_EXPECT_EQ(test, named(log, 5), 'l');
	save_bits(log);
	put_record(log, true);
	KUNIT_EXPECT_EQ(test, named(log, 5), 0);

	/* Flushed, not stable. */
	begin(test, log, 5, 3);
	put_record(log, false);
	hf_al_end_write(&log->al, 5, 5, false);
	flush(log);
	hf_al_stable(&log->al, 1, 2);
	put_record(log, true);
	KUNIT_EXPECT_EQ(test, named(log, 5), 'l');
	KUNIT_EXPECT_EQ(test, hf_al_list(&log->al, HF_AL_ABOVE_STABLE, NULL, 0), 1);
	hf_al_stable(&log->al, 1, 3);
	KUNIT_EXPECT_EQ(test, hf_al_list(&log->al, HF_AL_ABOVE_STABLE, NULL, 0), 0);
	put_record(log, true);
	KUNIT_EXPECT_EQ(test, named(log, 5), 0);
	KUNIT_EXPECT_EQ(test, hf_al_used(&log->al), 0);
}

static void flushed_name_is_not_enough_for_a_write(struct kunit *test)
{
	struct log *log = new_log(test);
	u64 sequence;

	begin(test, log, 5, 1);
	put_record(log, false);
	hf_al_end_write(&log->al, 5, 5, false);
	flush(log);
	put_record(log, true);
	KUNIT_EXPECT_EQ(test, named(log, 5), 'l');
	KUNIT_EXPECT_EQ(test, hf_al_begin_write(&log->al, 5, 5, 1, 2, false, &sequence),
			HF_AL_WAIT);
	KUNIT_EXPECT_EQ(test, sequence, hf_al_durable(&log->al) + 1);
}

/* The record under way drops the extent: the durable one that names it is no help. */
static void record_under_way_that_drops_counts_at_once(struct kunit *test)
{
	struct log *log = new_log(test);
	u64 sequence;

	begin(test, log, 5, 1);
	put_record(log, false);
	hf_al_end_write(&log->al, 5, 5, false);
	flush(log);
	hf_al_stable(&log->al, 1, 1);
	KUNIT_EXPECT_EQ(test, hf_al_record_begin(&log->al, &log->record, 1, true), 3);
	KUNIT_EXPECT_EQ(test, hf_al_begin_write(&log->al, 5, 5, 1, 2, false, &sequence),
			HF_AL_WAIT);
	KUNIT_EXPECT_EQ(test, sequence, 4);
	KUNIT_EXPECT_FALSE(test, hf_al_wants_trim(&log->al));
}

/* The same for a record under way that names it as flushed only. */
static void record_under_way_that_weakens_counts_at_once(struct kunit *test)
{
	struct log *log = new_log(test);
	u64 sequence;

	begin(test, log, 5, 1);
	put_record(log, false);
	hf_al_end_write(&log->al, 5, 5, false);
	flush(log);
	KUNIT_EXPECT_EQ(test, hf_al_record_begin(&log->al, &log->record, 1, true), 3);
	KUNIT_EXPECT_EQ(test, hf_al_begin_write(&log->al, 5, 5, 1, 2, false, &sequence),
			HF_AL_WAIT);
	KUNIT_EXPECT_EQ(test, sequence, 4);
}

static void warm_extent_stays_warm_without_trim(struct kunit *test)
{
	struct log *log = new_log(test);
	u64 sequence;

	begin(test, log, 5, 1);
	put_record(log, false);
	hf_al_end_write(&log->al, 5, 5, false);
	flush(log);
	hf_al_stable(&log->al, 1, 1);
	put_record(log, false);
	KUNIT_EXPECT_EQ(test, named(log, 5), 'u');
	KUNIT_EXPECT_EQ(test, hf_al_begin_write(&log->al, 5, 5, 1, 2, false, &sequence),
			HF_AL_READY);
}

static void durable_write_needs_no_flush(struct kunit *test)
{
	struct log *log = new_log(test);

	begin(test, log, 5, 1);
	put_record(log, false);
	hf_al_end_write(&log->al, 5, 5, true);
	KUNIT_EXPECT_FALSE(test, hf_al_wants_idle_flush(&log->al));
	hf_al_stable(&log->al, 1, 1);
	put_record(log, true);
	KUNIT_EXPECT_EQ(test, named(log, 5), 0);
}

static void full_log_takes_what_may_leave(struct kunit *test)
{
	struct log *log = new_log(test);
	u64 sequence;
	u32 i;

	for (i = 0; i < ROOM; i++)
		begin(test, log, i, i + 1);
	KUNIT_EXPECT_EQ(test, hf_al_begin_write(&log->al, 50, 50, 1, 20, false, &sequence),
			HF_AL_FULL);
	KUNIT_EXPECT_EQ(test, hf_al_used(&log->al), ROOM);
	put_record(log, false);
	for (i = 0; i < ROOM; i++)
		hf_al_end_write(&log->al, i, i, false);
	KUNIT_EXPECT_TRUE(test, hf_al_wants_flush(&log->al));
	KUNIT_EXPECT_TRUE(test, hf_al_wants_idle_flush(&log->al));
	flush(log);
	KUNIT_EXPECT_FALSE(test, hf_al_wants_flush(&log->al));
	hf_al_stable(&log->al, 1, 3);		/* extents 0, 1, 2 */
	KUNIT_EXPECT_EQ(test, hf_al_begin_write(&log->al, 50, 53, 1, 20, false, &sequence),
			HF_AL_FULL);
	KUNIT_EXPECT_EQ(test, hf_al_begin_write(&log->al, 1, 3, 1, 20, false, &sequence),
			HF_AL_READY);
	KUNIT_EXPECT_EQ(test, hf_al_begin_write(&log->al, 50, 51, 1, 21, false, &sequence),
			HF_AL_FULL);
	KUNIT_EXPECT_EQ(test, hf_al_begin_write(&log->al, 50, 50, 1, 21, false, &sequence),
			HF_AL_WAIT);
	KUNIT_EXPECT_EQ(test, hf_al_begin_write(&log->al, 100, 100 + ROOM, 1, 22, false, &sequence),
			HF_AL_FULL);
	put_record(log, false);
	KUNIT_EXPECT_EQ(test, named(log, 0), 0);
	KUNIT_EXPECT_EQ(test, named(log, 50), 'u');
}

static void half_full_wants_flush(struct kunit *test)
{
	struct log *log = new_log(test);
	u32 i;

	for (i = 0; i < ROOM / 2; i++)
		begin(test, log, i, i + 1);
	hf_al_end_write(&log->al, 0, 0, false);
	KUNIT_EXPECT_FALSE(test, hf_al_wants_flush(&log->al));
	begin(test, log, 20, 20);
	KUNIT_EXPECT_TRUE(test, hf_al_wants_flush(&log->al));
	hf_al_marked(&log->al);
	flush(log);
	KUNIT_EXPECT_TRUE(test, hf_al_wants_flush(&log->al));
	save_bits(log);
	KUNIT_EXPECT_FALSE(test, hf_al_wants_flush(&log->al));
}

/* Mistake 2: stable of a term says nothing of another. */
static void stable_is_per_term(struct kunit *test)
{
	struct log *log = new_log(test);
	u64 sequence;

	begin(test, log, 5, 9);
	put_record(log, false);
	hf_al_end_write(&log->al, 5, 5, false);
	flush(log);
	hf_al_stable(&log->al, 2, 100);
	hf_al_stable(&log->al, 1, 100);
	put_record(log, true);
	KUNIT_EXPECT_EQ(test, named(log, 5), 'l');
	hf_al_begin_write(&log->al, 6, 6, 2, 1, false, &sequence);
	hf_al_settle(&log->al, 2);
	KUNIT_EXPECT_EQ(test, hf_al_list(&log->al, HF_AL_ABOVE_STABLE, NULL, 0), 0);
	put_record(log, true);
	KUNIT_EXPECT_EQ(test, named(log, 5), 0);
	KUNIT_EXPECT_EQ(test, named(log, 6), 'u');
	hf_al_stable(&log->al, 2, 50);
	KUNIT_EXPECT_EQ(test, log->al.stable_seq, 100);
}

static void next_life_is_unclean_by_unflushed_alone(struct kunit *test)
{
	struct log *log = new_log(test);
	u32 extents[ROOM];

	begin(test, log, 5, 1);
	begin(test, log, 6, 2);
	put_record(log, false);
	KUNIT_EXPECT_EQ(test, reload(test, log), 0);
	KUNIT_EXPECT_TRUE(test, hf_al_unclean(&log->al));
	KUNIT_EXPECT_FALSE(test, hf_al_all(&log->al));
	KUNIT_EXPECT_EQ(test, hf_al_list(&log->al, HF_AL_LOGGED, extents, ROOM), 2);
	KUNIT_EXPECT_EQ(test, extents[0] + extents[1], 11);
	KUNIT_EXPECT_EQ(test, hf_al_list(&log->al, HF_AL_ABOVE_STABLE, NULL, 0), 2);
	KUNIT_EXPECT_EQ(test, hf_al_room(&log->al), ROOM);

	/* A flush of this life brings nothing back: still unflushed in the record. */
	flush(log);
	hf_al_stable(&log->al, 1, 100);
	put_record(log, true);
	KUNIT_EXPECT_EQ(test, named(log, 5), 'u');
	KUNIT_EXPECT_EQ(test, reload(test, log), 0);
	KUNIT_EXPECT_TRUE(test, hf_al_unclean(&log->al));

	/* Settled: clean, and it leaves once this life has flushed it. */
	hf_al_settle(&log->al, 2);
	KUNIT_EXPECT_FALSE(test, hf_al_unclean(&log->al));
	put_record(log, true);
	KUNIT_EXPECT_EQ(test, named(log, 5), 'u');
	flush(log);
	put_record(log, true);
	KUNIT_EXPECT_EQ(test, named(log, 5), 0);
	KUNIT_EXPECT_EQ(test, reload(test, log), 0);
	KUNIT_EXPECT_FALSE(test, hf_al_unclean(&log->al));
	KUNIT_EXPECT_EQ(test, hf_al_used(&log->al), 0);
}

static void flushed_but_not_stable_leaves_a_clean_life(struct kunit *test)
{
	struct log *log = new_log(test);

	begin(test, log, 5, 1);
	put_record(log, false);
	hf_al_end_write(&log->al, 5, 5, false);
	flush(log);
	put_record(log, true);
	KUNIT_EXPECT_EQ(test, reload(test, log), 0);
	KUNIT_EXPECT_FALSE(test, hf_al_unclean(&log->al));
	KUNIT_EXPECT_EQ(test, hf_al_list(&log->al, HF_AL_LOGGED, NULL, 0), 1);
	put_record(log, true);
	KUNIT_EXPECT_EQ(test, named(log, 5), 'l');
}

static void copies_stay_until_settled(struct kunit *test)
{
	struct log *log = new_log(test);
	u64 sequence;
	u32 i;

	/* More than the room for writes. */
	for (i = 0; i < 3 * ROOM; i++)
		KUNIT_EXPECT_EQ(test, hf_al_begin_copy(&log->al, i, i, &sequence), HF_AL_WAIT);
	put_record(log, false);
	KUNIT_EXPECT_EQ(test, hf_al_begin_copy(&log->al, 0, 1, &sequence), HF_AL_READY);
	hf_al_end_write(&log->al, 0, 1, false);
	hf_al_end_write(&log->al, 0, 3 * ROOM - 1, false);
	flush(log);
	hf_al_stable(&log->al, 1, 0);
	put_record(log, true);
	KUNIT_EXPECT_EQ(test, named(log, 0), 'l');
	KUNIT_EXPECT_EQ(test, hf_al_room(&log->al), ROOM);
	KUNIT_EXPECT_EQ(test, hf_al_begin_write(&log->al, 3, 4, 1, 1, false, &sequence),
			HF_AL_WAIT);
	KUNIT_EXPECT_EQ(test, reload(test, log), 0);
	KUNIT_EXPECT_EQ(test, hf_al_used(&log->al), 3 * ROOM);
	hf_al_settle(&log->al, 1);
	flush(log);
	KUNIT_EXPECT_EQ(test, hf_al_begin_write(&log->al, 99, 99, 1, 1, false, &sequence),
			HF_AL_WAIT);
	put_record(log, true);
	KUNIT_EXPECT_EQ(test, named(log, 0), 0);
	KUNIT_EXPECT_EQ(test, named(log, 99), 'u');
	KUNIT_EXPECT_EQ(test, hf_al_begin_copy(&log->al, 0, HF_LOG_MAX_ENTRIES, &sequence),
			HF_AL_FULL);
}

/* What was left by an earlier life never takes the room that the primary counts on. */
static void unsettled_entries_leave_writes_their_room(struct kunit *test)
{
	struct log *log = new_log(test);
	u64 sequence;
	u32 i;

	for (i = 0; i < ROOM; i++)
		begin(test, log, i, i + 1);
	put_record(log, false);
	KUNIT_EXPECT_EQ(test, reload(test, log), 0);
	KUNIT_EXPECT_EQ(test, hf_al_room(&log->al), ROOM);
	for (i = 0; i < ROOM; i++)
		begin(test, log, 100 + i, i + 1);
	KUNIT_EXPECT_EQ(test, hf_al_begin_write(&log->al, 200, 200, 1, 20, false, &sequence),
			HF_AL_FULL);
	KUNIT_EXPECT_EQ(test, hf_al_used(&log->al), 2 * ROOM);
	put_record(log, true);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(log->record.entries), 2 * ROOM);
	hf_al_settle(&log->al, 1);
	KUNIT_EXPECT_EQ(test, hf_al_begin_write(&log->al, 200, 200, 1, 20, false, &sequence),
			HF_AL_FULL);
	hf_al_end_write(&log->al, 100, 100 + ROOM - 1, false);
	hf_al_stable(&log->al, 1, 20);
	flush(log);
	KUNIT_EXPECT_EQ(test, hf_al_begin_write(&log->al, 200, 200, 1, 20, false, &sequence),
			HF_AL_WAIT);
}

/* A log that is full to the last name of a record still takes a write after settle. */
static void record_full_of_copies(struct kunit *test)
{
	struct log *log = new_log(test);
	u64 sequence;

	KUNIT_EXPECT_EQ(test, hf_al_begin_copy(&log->al, 0, HF_LOG_MAX_ENTRIES - 1, &sequence),
			HF_AL_WAIT);
	KUNIT_EXPECT_EQ(test, hf_al_room(&log->al), 0);
	KUNIT_EXPECT_EQ(test, hf_al_begin_copy(&log->al, 3, 3, &sequence), HF_AL_WAIT);
	hf_al_end_write(&log->al, 3, 3, false);
	hf_al_end_write(&log->al, 0, HF_LOG_MAX_ENTRIES - 1, false);
	flush(log);
	hf_al_settle(&log->al, 1);
	KUNIT_EXPECT_EQ(test, hf_al_room(&log->al), ROOM);
	KUNIT_EXPECT_EQ(test, hf_al_begin_write(&log->al, 5000, 5001, 1, 1, false, &sequence),
			HF_AL_WAIT);
	KUNIT_EXPECT_LE(test, log->al.nr_used, ROOM);
}

static void torn_record_leaves_the_one_before(struct kunit *test)
{
	struct log *log = new_log(test);

	begin(test, log, 5, 1);
	put_record(log, false);
	begin(test, log, 6, 2);
	put_record(log, false);
	((u8 *)&log->ring[3])[4000] ^= 1;
	KUNIT_EXPECT_EQ(test, reload(test, log), 0);
	KUNIT_EXPECT_EQ(test, hf_al_durable(&log->al), 2);
	KUNIT_EXPECT_EQ(test, hf_al_list(&log->al, HF_AL_LOGGED, NULL, 0), 1);
}

static void record_in_a_wrong_place_is_none(struct kunit *test)
{
	struct log *log = new_log(test);

	begin(test, log, 5, 1);
	put_record(log, false);
	log->ring[0] = log->ring[2];
	memset(&log->ring[2], 0, sizeof(log->ring[2]));
	KUNIT_EXPECT_EQ(test, reload(test, log), 0);
	KUNIT_EXPECT_EQ(test, hf_al_durable(&log->al), 1);
}

static void unreadable(struct kunit *test, struct log *log)
{
	KUNIT_EXPECT_EQ(test, reload(test, log), -EUCLEAN);
	KUNIT_EXPECT_TRUE(test, hf_al_unclean(&log->al));
	KUNIT_EXPECT_TRUE(test, hf_al_all(&log->al));
	KUNIT_EXPECT_EQ(test, hf_al_used(&log->al), 0);
}

static void impossible_records_mean_all_extents(struct kunit *test)
{
	struct log *log = new_log(test);
	struct hf_disk_log *record = &log->ring[2];

	begin(test, log, 5, 1);
	begin(test, log, 6, 1);
	put_record(log, false);
	/* Another slot's. */
	record->incarnation = cpu_to_le64(INCARNATION + 1);
	hf_al_record_seal(record);
	KUNIT_EXPECT_EQ(test, reload(test, log), 0);
	KUNIT_EXPECT_EQ(test, hf_al_durable(&log->al), 1);
	record->incarnation = cpu_to_le64(INCARNATION);

	record->extent[0] = cpu_to_le32(EXTENTS);
	hf_al_record_seal(record);
	unreadable(test, log);
	record->extent[0] = record->extent[1];
	hf_al_record_seal(record);
	unreadable(test, log);
	record->extent[0] = cpu_to_le32(5);
	record->entries = cpu_to_le32(HF_LOG_MAX_ENTRIES + 1);
	hf_al_record_seal(record);
	unreadable(test, log);
	record->entries = cpu_to_le32(1);
	record->resv[7] = 1;
	hf_al_record_seal(record);
	unreadable(test, log);
	record->resv[7] = 0;
	hf_al_record_seal(record);
	KUNIT_EXPECT_EQ(test, reload(test, log), 0);
	memset(log->ring, 0, sizeof(log->ring));
	unreadable(test, log);
	memset(log->ring, 0x5a, sizeof(log->ring));
	unreadable(test, log);
}

static void all_extents_survive_records_and_lives(struct kunit *test)
{
	struct log *log = new_log(test);
	u64 sequence;

	memset(log->ring, 0, sizeof(log->ring));
	unreadable(test, log);
	KUNIT_EXPECT_FALSE(test, hf_al_wants_trim(&log->al));
	KUNIT_EXPECT_EQ(test, hf_al_begin_write(&log->al, 5, 5, 1, 1, false, &sequence),
			HF_AL_WAIT);
	put_record(log, true);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(log->record.entries), 1);
	KUNIT_EXPECT_EQ(test, named(log, HF_AL_ALL_EXTENTS), 'u');
	/* Every extent is named by that. */
	KUNIT_EXPECT_EQ(test, hf_al_begin_write(&log->al, 9, 9, 1, 2, false, &sequence),
			HF_AL_READY);
	hf_al_end_write(&log->al, 9, 9, false);
	unreadable(test, log);
	KUNIT_EXPECT_EQ(test, hf_al_begin_write(&log->al, 5, 5, 1, 1, false, &sequence),
			HF_AL_READY);
	hf_al_settle(&log->al, 2);
	KUNIT_EXPECT_TRUE(test, hf_al_wants_trim(&log->al));
	put_record(log, true);
	KUNIT_EXPECT_EQ(test, named(log, 5), 'u');
	KUNIT_EXPECT_EQ(test, named(log, HF_AL_ALL_EXTENTS), 0);
	KUNIT_EXPECT_EQ(test, reload(test, log), 0);
}

static void extent_in_too_many_flights_is_refused(struct kunit *test)
{
	struct log *log = new_log(test);
	u64 sequence;
	u32 i;

	for (i = 0; i < U16_MAX; i++)
		begin(test, log, 5, i + 1);
	KUNIT_EXPECT_EQ(test, hf_al_begin_write(&log->al, 5, 5, 1, 1, false, &sequence),
			HF_AL_FULL);
	hf_al_end_write(&log->al, 5, 5, false);
	KUNIT_EXPECT_EQ(test, hf_al_begin_write(&log->al, 5, 5, 1, 1, false, &sequence),
			HF_AL_WAIT);
}

static struct kunit_case al_cases[] = {
	KUNIT_CASE(cold_extent_waits_for_its_record),
	KUNIT_CASE(leaves_only_flushed_stable_and_marked),
	KUNIT_CASE(flushed_name_is_not_enough_for_a_write),
	KUNIT_CASE(record_under_way_that_drops_counts_at_once),
	KUNIT_CASE(record_under_way_that_weakens_counts_at_once),
	KUNIT_CASE(warm_extent_stays_warm_without_trim),
	KUNIT_CASE(durable_write_needs_no_flush),
	KUNIT_CASE(full_log_takes_what_may_leave),
	KUNIT_CASE(half_full_wants_flush),
	KUNIT_CASE(stable_is_per_term),
	KUNIT_CASE(next_life_is_unclean_by_unflushed_alone),
	KUNIT_CASE(flushed_but_not_stable_leaves_a_clean_life),
	KUNIT_CASE(copies_stay_until_settled),
	KUNIT_CASE(unsettled_entries_leave_writes_their_room),
	KUNIT_CASE(record_full_of_copies),
	KUNIT_CASE(torn_record_leaves_the_one_before),
	KUNIT_CASE(record_in_a_wrong_place_is_none),
	KUNIT_CASE(impossible_records_mean_all_extents),
	KUNIT_CASE(all_extents_survive_records_and_lives),
	KUNIT_CASE(extent_in_too_many_flights_is_refused),
	{}
};

static struct kunit_suite al_suite = {
	.name = "holdfast_al_core",
	.test_cases = al_cases,
};

kunit_test_suite(al_suite);
MODULE_LICENSE("GPL");
