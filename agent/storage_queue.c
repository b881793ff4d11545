// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A line of jobs of which the first is in the thread pool.  Loop thread only.
 */
#include "storage_queue.h"

#include <stdlib.h>

#include "loop.h"

struct storage_queue {
	uv_loop_t		*loop;
	struct storage_job	*first;		/* the one that runs */
	struct storage_job	**last;
	bool			closing;
};

static void begin_first(struct storage_queue *queue);

static void work_cb(uv_work_t *work)
{
	struct storage_job *job = work->data;

	job->run(job);
}

static void end_first(struct storage_queue *queue)
{
	struct storage_job *job = queue->first;

	queue->first = job->next;
	if (!queue->first)
		queue->last = &queue->first;
	job->done(job);	/* may free it, or submit another */
}

static void after_cb(uv_work_t *work, int status)
{
	struct storage_job *job = work->data;
	struct storage_queue *queue = job->queue;

	job->cancelled = status == UV_ECANCELED;
	end_first(queue);
	if (queue->closing) {
		while (queue->first) {
			queue->first->cancelled = true;
			end_first(queue);
		}
		free(queue);
	} else if (queue->first) {
		begin_first(queue);
	}
}

static void begin_first(struct storage_queue *queue)
{
	struct storage_job *job = queue->first;

	job->work.data = job;
	uv_queue_work(queue->loop, &job->work, work_cb, after_cb);
}

struct storage_queue *storage_queue_open(uv_loop_t *loop)
{
	struct storage_queue *queue = xcalloc(1, sizeof(*queue));

	queue->loop = loop;
	queue->last = &queue->first;
	return queue;
}

void storage_queue_submit(struct storage_queue *queue, struct storage_job *job,
			  storage_job_cb run, storage_job_cb done)
{
	bool idle = !queue->first;

	job->next = NULL;
	job->queue = queue;
	job->run = run;
	job->done = done;
	job->cancelled = false;
	*queue->last = job;
	queue->last = &job->next;
	if (idle)
		begin_first(queue);
}

void storage_queue_close(struct storage_queue *queue)
{
	queue->closing = true;
	if (!queue->first)
		free(queue);
}
