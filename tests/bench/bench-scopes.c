// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes a crowd of scopes in one session, which a thousand calls of the command would take long to:
 *
 *	bench-scopes PACK DIR COUNT [KNOB=VALUE...]
 *
 * creates COUNT cgroups below the cgroup directory DIR and enables PACK in each.
 */
#include <err.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "checmate.h"

int main(int argc, char **argv)
{
	const char *const *settings = (const char *const *)argv + 4;
	char dir[PATH_MAX];
	struct cm *cm;
	long i, count;

	if (argc < 4)
		errx(2, "usage: bench-scopes PACK DIR COUNT [KNOB=VALUE...]");
	count = strtol(argv[3], NULL, 10);
	if (cm_open(CM_OPEN_WRITE, &cm))
		errx(1, "%s", cm_error(cm));
	for (i = 0; i < count; i++) {
		snprintf(dir, sizeof(dir), "%s/%04ld", argv[2], i);
		if (mkdir(dir, 0755) && errno != EEXIST)
			err(1, "%s", dir);
		if (cm_pack_enable(cm, argv[1], dir, CM_ENFORCE, settings))
			errx(1, "%s", cm_error(cm));
	}
	cm_close(cm);
	return 0;
}
