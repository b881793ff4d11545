// SPDX-License-Identifier: GPL-2.0-or-later
/* Two configurations: what is accepted is encoded to the same bytes, and compared. */
#include "../../kernel/test/sample.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hf_conf_data have, offer;
	struct hf_wire_conf wire, again;
	enum hf_conf_verdict verdict;
	const char *why = NULL;

	if (size < 2 * sizeof(wire) + 1)
		return 0;
	memcpy(&wire, data, sizeof(wire));
	if (hf_conf_decode(&wire, &have, &why)) {
		FUZZ_CLAIM(why);
		return 0;
	}
	hf_conf_encode(&have, &again);
	FUZZ_CLAIM(!memcmp(&wire, &again, sizeof(wire)));
	FUZZ_CLAIM(have.in_sync_mask && !(have.in_sync_mask & ~hf_conf_used_mask(&have)));
	FUZZ_CLAIM(!(hf_conf_missing_mask(&have) & have.in_sync_mask));
	FUZZ_CLAIM(have.size_bytes >= HF_MIN_VOLUME_BYTES && have.vdisk);
	memcpy(&wire, data + sizeof(wire), sizeof(wire));
	if (hf_conf_decode(&wire, &offer, &why))
		return 0;
	verdict = hf_conf_compare(&have, &offer, data[2 * sizeof(wire)] & 1, &why);
	FUZZ_CLAIM((verdict <= HF_CONF_NEWER) == !why);
	if (verdict == HF_CONF_NEWER) {
		FUZZ_CLAIM(offer.epoch > have.epoch && offer.term >= have.term);
		FUZZ_CLAIM(!(data[2 * sizeof(wire)] & 1) || offer.term == have.term);
		FUZZ_CLAIM(offer.size_bytes == have.size_bytes);
	}
	return 0;
}

size_t fuzz_seed(unsigned int nr, uint8_t *data, size_t max)
{
	struct hf_conf_data have, offer;
	struct hf_wire_conf wire;

	if (nr >= 6 || max < 2 * sizeof(wire) + 1)
		return 0;
	sample_conf(&have);
	sample_conf(&offer);
	offer.epoch += nr;
	if (nr == 2)
		offer.in_sync_mask = 1;
	if (nr == 3)
		offer.term++;
	hf_conf_encode(&have, &wire);
	memcpy(data, &wire, sizeof(wire));
	hf_conf_encode(&offer, &wire);
	memcpy(data + sizeof(wire), &wire, sizeof(wire));
	data[2 * sizeof(wire)] = nr & 1;
	return 2 * sizeof(wire) + 1;
}
