// SPDX-License-Identifier: GPL-2.0-only
/*
 * scope-collide DIR COUNT MODULUS: makes the cgroups DIR/0 to DIR/COUNT-1, all of whose serial
 * numbers leave the same remainder. Nothing tells them, but each cgroup that is made takes as many
 * as the one before: so MODULUS are made from one to the next.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void make(const char *path)
{
	if (mkdir(path, 0755)) {
		perror(path);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	int modulus = argc == 4 ? atoi(argv[3]) : 0;
	int count = modulus ? atoi(argv[2]) : 0, i, j;
	char path[4096];

	if (!count) {
		fprintf(stderr, "usage: scope-collide DIR COUNT MODULUS\n");
		return 2;
	}
	for (i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/%d", argv[1], i);
		for (j = 1; i && j < modulus; j++) {
			make(path);
			if (rmdir(path)) {
				perror(path);
				return 1;
			}
		}
		make(path);
	}
	return 0;
}
