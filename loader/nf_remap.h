/* SPDX-License-Identifier: GPL-2.0-only */
/* What remaps of the pack netfilter need beside the ruleset they are in: nf_remap.c. */
#ifndef NF_REMAP_H
#define NF_REMAP_H

#include "internal.h"

/* Before a ruleset that has some is put in place. */
int cm_nf_remap_prepare(struct cm *cm, const struct cm_pack *pack, uint32_t row);
/* After another one, or none, has taken its place: whether that has some. */
int cm_nf_remap_note(struct cm *cm, const struct cm_pack *pack, uint32_t row, bool has);

#endif /* NF_REMAP_H */
