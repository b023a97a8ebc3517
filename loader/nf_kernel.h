/* SPDX-License-Identifier: GPL-2.0-only */
/* Rules of the pack netfilter that are in force: netfilter.c, nf_sockets.c. */
#ifndef NF_KERNEL_H
#define NF_KERNEL_H

#include <string.h>

#include "nf.h"
#include "ruleset.h"

#define CM_NF_PACK "netfilter"

static inline bool cm_nf_is(const char *pack)
{
	return !strcmp(pack, CM_NF_PACK);
}

/* What the programs say, of a task in the scope of @row. */
int cm_nf_ask(struct cm *cm, const struct cm_netfilter_query *query, uint32_t row,
	      struct nf_test *ret);
/*
 * End the UDP sockets that are connected to where they may not send. What hinders is a note: the
 * rules are in force.
 */
void cm_nf_end_refused(struct cm *cm, struct cm_pack *pack);
/* A scope's rules are enforced from now on; false: they refuse no sending, so there is none to end.
 */
bool cm_nf_end_sockets(struct cm *cm, const char *cgroup);

/* For a configuration, whose limits are those of the pack netfilter_limit: rules by themselves. */
int cm_nf_check(const char *name, const char *text, size_t size, uint32_t *ret_limits, char *error,
		size_t error_size);
/* Of the scope of that id; *ret is released with free(), NULL: it has none. */
int cm_nf_read(struct cm *cm, struct cm_pack *pack, uint64_t id, char **ret, uint32_t *ret_limits);
/* In force in a scope in which the pack is; NULL: none. */
int cm_nf_write(struct cm *cm, const char *cgroup, const char *text);

#endif /* NF_KERNEL_H */
