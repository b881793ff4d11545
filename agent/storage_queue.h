/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Work on storage, one job at a time and in order.  Jobs wait here and not in
 * the thread pool, where others' work (the log's) would wait behind them: a
 * disk that hangs takes one thread.
 */
#ifndef AGENT_STORAGE_QUEUE_H
#define AGENT_STORAGE_QUEUE_H

#include <stdbool.h>
#include <uv.h>

struct storage_queue;
struct storage_job;

/**
 * typedef storage_job_cb - a part of a job
 * The first part runs in the pool, the second in the loop thread afterwards.
 */
typedef void (*storage_job_cb)(struct storage_job *job);

/* Embedded in what a caller keeps until @done was called. */
struct storage_job {
	struct storage_job	*next;
	struct storage_queue	*queue;
	storage_job_cb		run;
	storage_job_cb		done;
	bool			cancelled;	/* @run was never called */
	uv_work_t		work;
};

struct storage_queue *storage_queue_open(uv_loop_t *loop);
void storage_queue_submit(struct storage_queue *queue, struct storage_job *job,
			  storage_job_cb run, storage_job_cb done);

/* Every job's @done is still called, cancelled or not; the queue frees itself after the last. */
void storage_queue_close(struct storage_queue *queue);

#endif /* AGENT_STORAGE_QUEUE_H */
