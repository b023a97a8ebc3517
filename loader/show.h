/* SPDX-License-Identifier: GPL-2.0-only */
/* What the verbs that show policies share. */
#ifndef SHOW_H
#define SHOW_H

#include "checmate.h"
#include "output.h"

static inline void show_free_packs(struct cm_packs **packs)
{
	cm_packs_free(*packs);
}

static inline void show_free_stats(struct cm_stats **stats)
{
	cm_stats_free(*stats);
}

static inline const char *show_mode(enum cm_mode mode)
{
	return mode == CM_PERMISSIVE ? "permissive" : "enforce";
}

/* Released at the end of the block. */
#define PACKS __attribute__((cleanup(show_free_packs))) struct cm_packs *
#define STATS __attribute__((cleanup(show_free_stats))) struct cm_stats *

/* cmd_pack.c: the scopes of a policy in force, as `status` has them; @table NULL: a new one */
void status_json(struct json_object *json, const struct cm_pack_info *pack);
struct table *status_table(struct table *table, const struct cm_pack_info *pack);

void profiles_json(struct json_object *json, const struct cm_pack_info *pack);

/* cmd_stats.c: the counters of a hook, as `stats` has them */
#define STATS_SHOWN 6
void stats_headings(const char **ret); /* STATS_SHOWN of them */
void stats_cells(struct table *table, const struct cm_hook_stats *stats);
void stats_json(struct json_object *json, const struct cm_hook_stats *stats);

#endif /* SHOW_H */
