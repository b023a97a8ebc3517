/* SPDX-License-Identifier: GPL-2.0-only */
/* What the cases of the pack netfilter share. */
#ifndef CASES_H
#define CASES_H

#include "model.h"

char *text_of(const struct model *model, size_t *ret_size);
/* Ends the program, with all that there is to say, if the model has it otherwise. */
void expect(const struct model *model, const struct question *question, int line, int error);

/* decide.c */
struct cm;
/* Ends the program with the sentence, if it failed. */
void must(struct cm *cm, int err);
void load(struct cm *cm, const char *cgroup, const struct model *model);
void decide_random(uint64_t seed, int sets, const char *cgroup);

/* calls.c */
void call_random(uint64_t seed, int sets, const char *const *cgroups, const char *const *hosts);

/* wrong.c; @cgroup: NULL, or where they are to be loaded as well */
void refuse_wrong(const char *path, const char *cgroup);

#endif /* CASES_H */
