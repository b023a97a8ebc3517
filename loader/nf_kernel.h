/* SPDX-License-Identifier: GPL-2.0-only */
/* Rules of the pack netfilter that are in force: netfilter.c, nf_sockets.c. */
#ifndef NF_KERNEL_H
#define NF_KERNEL_H

#include "nf.h"
#include "ruleset.h"

/* What the programs say, of a task in the scope of @row. */
int cm_nf_ask(struct cm *cm, const struct cm_netfilter_query *query, uint32_t row,
	      struct nf_test *ret);
/*
 * End the UDP sockets that are connected to where they may not send. What hinders is a note: the
 * rules are in force.
 */
void cm_nf_end_refused(struct cm *cm, struct cm_pack *pack);

#endif /* NF_KERNEL_H */
