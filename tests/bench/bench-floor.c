// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs a command while the bare machinery is attached to the hook ptrace_access_check, and nothing
 * of it before or after: what a policy costs is counted above that.
 *
 *	bench-floor [POLICY.bpf.o...] -- COMMAND [ARG...]
 *
 * The policies are asked in that order; without one the chain is empty. Nothing is pinned.
 */
#include <err.h>
#include <errno.h>
#include <string.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "internal.h"

#define HOOK "ptrace_access_check"

static struct bpf_object *open_object(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);

	if (!object)
		err(1, "cannot open %s", path);
	return object;
}

static void load(struct bpf_object *object)
{
	int error = bpf_object__load(object);

	if (error)
		errx(1, "cannot load %s: %s", bpf_object__name(object), strerror(-error));
}

static int program(struct bpf_object *object, const char *name)
{
	struct bpf_program *found = bpf_object__find_program_by_name(object, name);

	if (!found)
		errx(1, "%s has no program %s", bpf_object__name(object), name);
	return bpf_program__fd(found);
}

/* Attaches the loader's own dispatcher; returns its chain. */
static int attach_dispatcher(void)
{
	int hook = libbpf_find_vmlinux_btf_id(HOOK, BPF_LSM_MAC), chain, dispatcher;

	if (hook < 0)
		errx(1, "no hook " HOOK);
	chain = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "chain", 4, 4, 1, NULL);
	dispatcher = cm_chain_dispatcher(chain, hook);
	if (chain < 0 || dispatcher < 0 || bpf_raw_tracepoint_open(NULL, dispatcher) < 0)
		err(1, "cannot attach the dispatcher");
	return chain;
}

/* Behind what has @chain for its next; returns the policy's own. */
static int put_policy(const char *path, int chain)
{
	struct bpf_object *object = open_object(path);
	struct bpf_map *next = bpf_object__find_map_by_name(object, "cm_next__" HOOK);
	struct bpf_program *found = NULL;
	__u32 zero = 0;
	int fd;

	bpf_object__for_each_program(found, object)
		bpf_program__set_autoload(found, !strcmp(bpf_program__name(found), "cm_" HOOK));
	load(object);
	fd = program(object, "cm_" HOOK);
	if (bpf_map_update_elem(chain, &zero, &fd, BPF_ANY))
		err(1, "cannot put %s into the chain", path);
	if (!next)
		errx(1, "%s has no rule for " HOOK, path);
	return bpf_map__fd(next);
}

static int run(char **command)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		execvp(command[0], command);
		err(127, "%s", command[0]);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			err(1, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
	int separator = 1, chain, i;

	while (separator < argc && strcmp(argv[separator], "--"))
		separator++;
	if (separator + 1 >= argc)
		errx(2, "usage: bench-floor [POLICY.bpf.o...] -- COMMAND [ARG...]");
	chain = attach_dispatcher();
	for (i = 1; i < separator; i++)
		chain = put_policy(argv[i], chain);
	return run(argv + separator + 1);
}
