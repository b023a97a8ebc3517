/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A configuration: all that is, or is to be, in force. One structure for the text that an
 * administrator keeps (config.c), for what the kernel has, and for the way from one to the other
 * (plan.c). Not installed.
 */
#ifndef CM_CONFIG_H
#define CM_CONFIG_H

#include "internal.h"
#include "nf_kernel.h"

struct cm_config_rules {
	char *text;
	uint32_t limits[NF_LIMITS]; /* of connections, as the text says; 0: none */
};

struct cm_config_scope {
	char *cgroup; /* path below the mount, "/" for the whole system */
	uint64_t id;
	enum cm_mode mode;
	int values[CM_KNOBS_MAX];      /* by index of the knob */
	char given[CM_KNOBS_MAX];      /* of a new one: 0: a default, which loosens nothing */
	struct cm_config_rules *rules; /* of the pack netfilter; NULL: none */
};

struct cm_config_policy {
	char name[CM_NAME_LEN];
	char *file; /* where its object came or is to come from; NULL: built-in */
	uint32_t priority;
	struct cm_object *object; /* its declarations, and what is loaded if it has to be */
	size_t nr_scopes;
	struct cm_config_scope *scopes;
};

struct cm_config {
	size_t nr;
	struct cm_config_policy *policies;
};

/* What the kernel has. */
int cm_config_read(struct cm *cm, struct cm_config **ret);

/*
 * From a text; @from names it in sentences. @journal: it was written by us for the way back,
 * objects are those that were kept with it, and a cgroup that is gone is left out.
 */
int cm_config_parse(struct cm *cm, const char *from, const char *text, bool journal,
		    struct cm_config **ret);

/* As a text; NULL: no memory. @journal: for the way back, what follows from the rest is in it too.
 */
char *cm_config_format(const struct cm_config *config, bool journal);

void cm_config_free(struct cm_config *config);
static inline void cm_config_cleanup(struct cm_config **config)
{
	cm_config_free(*config);
}
#define _cleanup_config_ __attribute__((cleanup(cm_config_cleanup)))

const struct cm_config_policy *cm_config_policy(const struct cm_config *config, const char *name);
const struct cm_config_scope *cm_config_scope(const struct cm_config_policy *policy, uint64_t id);

/* config_rules.c: "rules { ... }" of a scope, in the language of the pack netfilter */
struct cm_block {
	char *text;	       /* NULL: a scope has it */
	uint32_t line, column; /* where it begins in the whole text */
};

struct cm_blocks {
	size_t nr;
	struct cm_block *blocks;
};

/* The text with the number of each block in its place, on as many lines. */
int cm_blocks_cut(struct cm *cm, const char *from, const char *text, char **ret,
		  struct cm_blocks *ret_blocks);
void cm_blocks_free(struct cm_blocks *blocks);
/* The scope gets the block of that number; @is_new: is it right? If not, that is told with its
 * place.
 */
int cm_rules_take(struct cm *cm, const char *from, struct cm_blocks *blocks, const char *number,
		  bool is_new, struct cm_config_policy *policy, struct cm_config_scope *scope);
int cm_rules_read(struct cm *cm, struct cm_config_policy *policy); /* those in force */
void cm_rules_free(struct cm_config_rules *rules);
/* Are a scope's rules enforced? */
bool cm_rules_hold(const struct cm_config_policy *policy, const struct cm_config_scope *scope);
bool cm_rules_equal(const struct cm_config_rules *a, const struct cm_config_rules *b);
/* Limits in rules are kept by a pack of its own: where no text says how, as they stand there. */
int cm_rules_add_limits(struct cm *cm, struct cm_config *config);
/* Would that make the same of the scope of that pack? */
bool cm_rules_imply(const struct cm_config *config, const struct cm_config_policy *policy,
		    const struct cm_config_scope *scope);

/* plan.c */
int cm_config_reach(struct cm *cm, const struct cm_config *now, const struct cm_config *wanted);

/* Besides what is in force the scopes of @more, all of them or none. */
int cm_config_add(struct cm *cm, const struct cm_config *more);

/* journal.c: what was in force before the configuration that is being applied */
int cm_journal_put(struct cm *cm, const struct cm_config *config);
int cm_journal_undo(struct cm *cm); /* back to what it says, and remove it */
int cm_journal_remove(struct cm *cm);
bool cm_journal_exists(struct cm *cm);

#define CM_JOURNAL "journal"

#endif /* CM_CONFIG_H */
