// SPDX-License-Identifier: GPL-2.0-only
/*
 * scope-collide DIR COUNT MODULUS: makes the cgroups DIR/0 to DIR/COUNT-1, all of whose ids leave
 * the same remainder. Ids only go up, so cgroups are made and removed until one fits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_TRIES 200000

static unsigned long make(const char *path)
{
	struct stat st;

	if (mkdir(path, 0755) || stat(path, &st)) {
		perror(path);
		exit(1);
	}
	return st.st_ino; /* of a cgroup, its id */
}

int main(int argc, char **argv)
{
	unsigned long modulus = argc == 4 ? strtoul(argv[3], NULL, 10) : 0, first = 0, id;
	int count = modulus ? atoi(argv[2]) : 0, i, tries = 0;
	char path[4096];

	if (!count) {
		fprintf(stderr, "usage: scope-collide DIR COUNT MODULUS\n");
		return 2;
	}
	for (i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/%d", argv[1], i);
		id = make(path);
		while (i && id % modulus != first % modulus) {
			if (rmdir(path) || ++tries == MOST_TRIES) {
				perror("scope-collide: no such cgroup was to be had");
				return 1;
			}
			id = make(path);
		}
		if (!i)
			first = id;
		printf("%lu\n", id);
	}
	return 0;
}
