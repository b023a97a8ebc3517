/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A configuration: all that is, or is to be, in force. One structure for the text that an
 * administrator keeps (config.c), for what the kernel has, and for the way from one to the other
 * (plan.c). Not installed.
 */
#ifndef CM_CONFIG_H
#define CM_CONFIG_H

#include "internal.h"

struct cm_config_scope {
	char *cgroup; /* path below the mount, "/" for the whole system */
	uint64_t id;
	enum cm_mode mode;
	int values[CM_KNOBS_MAX]; /* by index of the knob */
	char given[CM_KNOBS_MAX]; /* of a new one: 0: a default, which loosens nothing */
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

/* As a text; NULL: no memory. */
char *cm_config_format(const struct cm_config *config);

void cm_config_free(struct cm_config *config);
static inline void cm_config_cleanup(struct cm_config **config)
{
	cm_config_free(*config);
}
#define _cleanup_config_ __attribute__((cleanup(cm_config_cleanup)))

const struct cm_config_policy *cm_config_policy(const struct cm_config *config, const char *name);
const struct cm_config_scope *cm_config_scope(const struct cm_config_policy *policy, uint64_t id);

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
