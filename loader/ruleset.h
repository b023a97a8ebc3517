/* SPDX-License-Identifier: GPL-2.0-only */
/* Rulesets of a policy in force: ruleset.c. A row is a scope's, 0 the system's. */
#ifndef RULESET_H
#define RULESET_H

#include "internal.h"

struct cm_ruleset {
	const void *bytes;
	size_t size;  /* one of 1 << CM_RULESET_... */
	bool demands; /* it needs the hooks on demand */
};

int cm_ruleset_put(struct cm *cm, struct cm_pack *pack, uint32_t row,
		   const struct cm_ruleset *ruleset);
/* No rules; where there are none already, and of a policy that has none, nothing is done. */
int cm_ruleset_clear(struct cm *cm, struct cm_pack *pack, uint32_t row);
/* A copy, released with free(); NULL if there is none. */
int cm_ruleset_get(struct cm *cm, const struct cm_pack *pack, uint32_t row, void **ret,
		   size_t *ret_size);

/* Does a ruleset of one of these rows need the hooks on demand? */
int cm_ruleset_demands(struct cm *cm, const struct cm_pack *pack, const uint32_t *rows, size_t nr,
		       bool *ret);

/* demand.c: hooks on demand, CM_ON_DEMAND() */
/* Under which prefix the program of a hook is pinned in packs/NAME. */
const char *cm_demand_prefix(const struct cm_object *object, const char *hook);
/* In the chains, before a ruleset that needs them is put in place. */
int cm_demand_wake(struct cm *cm, struct cm_pack *pack);
/* In the chains or out of them, as the rulesets in force need it. */
int cm_demand_settle(struct cm *cm, struct cm_pack *pack);
/* The same after an interrupted call, which may have left them half way. */
int cm_demand_recover(struct cm *cm, struct cm_pack *pack);

#endif /* RULESET_H */
