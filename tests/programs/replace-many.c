// SPDX-License-Identifier: GPL-2.0-only
/*
 *	replace-many POLICY TIMES OBJECT...
 *
 * Puts one of the objects after the other in the policy's place, through the library: what
 * `checmate replace` does, without a process for each.
 */
#include <stdio.h>
#include <stdlib.h>

#include "checmate.h"

int main(int argc, char **argv)
{
	struct cm *cm = NULL;
	long times, i;
	int err;

	if (argc < 4)
		return 2;
	times = atol(argv[2]);
	err = cm_open(CM_OPEN_WRITE, &cm);
	for (i = 0; !err && i < times; i++)
		err = cm_policy_replace(cm, argv[1], argv[3 + i % (argc - 3)]);
	if (err)
		fprintf(stderr, "replace-many: %ld: %s\n", i, cm ? cm_error(cm) : "out of memory");
	cm_close(cm);
	return err != 0;
}
