/* SPDX-License-Identifier: GPL-2.0-only */
/* Limits of a scope of the pack netfilter, which the pack netfilter_limit keeps: nf_limit.c. */
#ifndef NF_LIMIT_H
#define NF_LIMIT_H

#include "internal.h"
#include "nf.h"

/*
 * nf_limit_set - from now on a scope has these limits; 0: none of that kind
 * @mode: of the scope, where the pack is not enabled there yet
 * @ret_old: what it had, to be set again if need be
 *
 * Where no kind has one, the pack is withdrawn from the scope. On failure nothing has changed.
 */
int nf_limit_set(struct cm *cm, const char *cgroup, enum cm_mode mode, const uint32_t *limits,
		 uint32_t *ret_old);

/* cm_nf_disable - withdraw a pack of netfilter's from a scope, NULL: the whole system alone */
int cm_nf_disable(struct cm *cm, const char *pack, const char *cgroup);

bool nf_has_limit(const uint32_t *limits);
/* The knob that is the limit of that kind. */
const struct cm_knob_decl *nf_limit_knob(const struct cm_object *object, enum nf_limit kind);

/* nf_limit_use - what of them is in use, and was refused; zeros where there are none */
int nf_limit_use(struct cm *cm, const char *cgroup, struct nf_limit_use *ret);

#endif /* NF_LIMIT_H */
