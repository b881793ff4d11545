/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LAB_POWERCUT_CACHE_H
#define LAB_POWERCUT_CACHE_H

#include <pthread.h>
#include <stdint.h>

#define BLOCK		4096u
#define SECTOR		512u
#define BUCKETS		16384u

enum fault { FAULT_OK, FAULT_ERROR, FAULT_READ, FAULT_WRITE, FAULT_HANG,
	     FAULT_SLOW };

/* Unflushed content of one block; lives from its write until written back. */
struct entry {
	uint64_t nr;
	uint8_t valid;		/* one bit for each sector held here */
	struct entry *hash_next;
	struct entry *older, *newer;
	unsigned char data[BLOCK];
};

struct disk {
	char name[32];
	uint64_t size;
	int fd;
	int base_fd;			/* -1, or read where not yet written */
	uint8_t *own;			/* with a base: a bit for each block that
					 * the image holds; a shared mapping */
	pthread_mutex_t lock;
	struct entry *bucket[BUCKETS];	/* lock */
	struct entry *oldest, *newest;	/* lock */
	uint64_t entries;		/* lock */
	uint64_t writes, flushes, fuas, early_writes;	/* lock */
	uint64_t random;		/* lock */
	uint64_t cache_bytes;		/* const while serving */
	unsigned int early_percent;	/* const while serving */
	int log_fd;			/* -1: nothing is recorded */
	enum fault fault;		/* fault_lock */
	unsigned int slow_ms;		/* fault_lock */
};

static inline uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

/* The bits of the sectors in bytes @from … @from + @len of a block. */
static inline unsigned int sector_mask(unsigned int from, unsigned int len)
{
	return ((1u << len / SECTOR) - 1) << from / SECTOR;
}

/* All return 0, or -1 with errno. disk->lock is held. */
int image_read(struct disk *d, void *buf, size_t len, uint64_t at);
int image_zero(struct disk *d, size_t len, uint64_t at);
int image_write(struct disk *d, const void *buf, size_t len, uint64_t at);
int write_back(struct disk *d, const struct entry *e, unsigned int mask);
int cache_write(struct disk *d, const char *buf, uint32_t len, uint64_t at);
int cache_flush(struct disk *d);
void cache_forget(struct disk *d, uint64_t len, uint64_t at);
/* Lays what the cache holds over @buf, which was read from the image. */
void cache_read(struct disk *d, char *buf, uint32_t len, uint64_t at);

/* powercut_log.c; 0, or -1 with errno. @data NULL: zeroes, or a flush. */
int log_open(struct disk *d, const char *dir);
int log_note(struct disk *d, unsigned int kind, const void *data, uint64_t len, uint64_t at);

#endif
