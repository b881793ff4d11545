// SPDX-License-Identifier: GPL-2.0
/*
 * The one break that needs code of its own: with SABOTAGE=early-ack a write is
 * sent to the other slots from a copy, which nobody waits for (breaks R2). Not
 * reached in an ordinary build.
 */
#include "sabotage.h"

#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "disk.h"

struct late {
	struct hf_msg	msg;
	struct bio_vec	bvec;
	u8		data[];
};

static void late_done(struct hf_msg *msg, int error)
{
	kfree(container_of(msg, struct late, msg));
}

void hf_sabotage_send_late(struct hf_req *req, unsigned char nr)
{
	struct hf_disk *disk = req->disk;
	struct late *late = kzalloc(sizeof(*late) + req->length, GFP_ATOMIC);
	unsigned int i, at = 0;

	if (!late)
		return;
	for (i = 0; i < req->nr_bvecs; i++) {
		const struct bio_vec *bvec = &req->bvecs[i];

		memcpy(late->data + at, page_address(bvec->bv_page) + bvec->bv_offset,
		       bvec->bv_len);
		at += bvec->bv_len;
	}
	late->bvec.bv_page = virt_to_page(late->data);
	late->bvec.bv_offset = offset_in_page(late->data);
	late->bvec.bv_len = req->length;
	late->msg.opcode = HF_OP_WRITE;
	late->msg.epoch = disk->serve.epoch;
	late->msg.missing_mask = disk->serve.missing_mask;
	late->msg.seq = req->seq;
	late->msg.offset = req->offset;
	late->msg.range_len = req->length;
	late->msg.length = req->length;
	late->msg.bvecs = &late->bvec;
	late->msg.nr_bvecs = 1;
	late->msg.done = late_done;
	hf_link_send(disk->remotes[nr].link, &late->msg);
}
