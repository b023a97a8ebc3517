// SPDX-License-Identifier: GPL-2.0-only
/*
 *	look-again POLICY VERB OBJECT...
 *
 * In one session of the library's: the greatest value of each of the policy's knobs, and its hooks,
 * as a line; and again behind each VERB, "replace", or "load" when it has been withdrawn.
 */
#include <stdio.h>
#include <string.h>

#include "checmate.h"

static void print(const struct cm_pack_info *pack)
{
	size_t i;

	for (i = 0; i < pack->nr_knobs; i++)
		printf("%s%d", i ? " " : "", (int)pack->knobs[i].decl->max);
	for (i = 0; i < pack->nr_hooks; i++)
		printf(" %s", pack->hooks[i].name);
	putchar('\n');
}

static int look(struct cm *cm, const char *policy)
{
	struct cm_packs *packs;
	int err = cm_packs_get(cm, CM_PACKS_ENABLED, &packs);
	size_t i;

	if (err)
		return err;
	for (i = 0; i < packs->nr; i++)
		if (!strcmp(packs->packs[i].decl->name, policy))
			print(&packs->packs[i]);
	cm_packs_free(packs);
	return 0;
}

static int change(struct cm *cm, const char *policy, const char *verb, const char *object)
{
	static const struct cm_load_options options;
	int err;

	if (!strcmp(verb, "replace"))
		return cm_policy_replace(cm, policy, object);
	err = cm_pack_disable(cm, policy, NULL);
	return err ? err : cm_policy_load(cm, object, &options);
}

int main(int argc, char **argv)
{
	struct cm *cm = NULL;
	int err, i;

	if (argc < 4 || argc % 2)
		return 2;
	err = cm_open(CM_OPEN_WRITE, &cm);
	if (!err)
		err = look(cm, argv[1]);
	for (i = 2; !err && i < argc; i += 2) {
		err = change(cm, argv[1], argv[i], argv[i + 1]);
		if (!err)
			err = look(cm, argv[1]);
	}
	if (err)
		fprintf(stderr, "look-again: %s\n", cm ? cm_error(cm) : "out of memory");
	cm_close(cm);
	return err != 0;
}
