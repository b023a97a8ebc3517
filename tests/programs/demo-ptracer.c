// SPDX-License-Identifier: GPL-2.0-only
/* demo-ptracer PID: let PID, and nobody else, debug this process; then wait to be debugged. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char *end;
	long pid;

	if (argc != 2 || (pid = strtol(argv[1], &end, 10)) <= 0 || *end) {
		fprintf(stderr, "usage: demo-ptracer PID\n");
		return 2;
	}
	if (prctl(PR_SET_PTRACER, pid)) {
		perror("demo-ptracer: PR_SET_PTRACER");
		return 1;
	}
	printf("pid %d: process %ld may debug me\n", getpid(), pid);
	if (fflush(stdout))
		return 1;
	for (;;)
		pause();
}
