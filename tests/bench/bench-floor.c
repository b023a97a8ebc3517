// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs a command while the bare machinery is attached to a hook, and nothing of it before or
 * after: what a policy costs is counted above that.
 *
 *	bench-floor HOOK [POLICY.bpf.o...] -- COMMAND [ARG...]
 *
 * The policies are asked in that order; without one the chain is empty. Nothing is pinned.
 */
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "internal.h"

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
static int attach_dispatcher(const char *name)
{
	int hook = libbpf_find_vmlinux_btf_id(name, BPF_LSM_MAC), chain, dispatcher;

	if (hook < 0)
		errx(1, "no hook %s", name);
	chain = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "chain", 4, 4, 1, NULL);
	dispatcher = cm_chain_dispatcher(chain, hook);
	if (chain < 0 || dispatcher < 0 || bpf_raw_tracepoint_open(NULL, dispatcher) < 0)
		err(1, "cannot attach the dispatcher");
	return chain;
}

/* Behind what has @chain for its next; returns the policy's own. */
static int put_policy(const char *path, const char *hook, int chain)
{
	struct bpf_object *object = open_object(path);
	struct bpf_program *found = NULL;
	char rule[64], next[64];
	struct bpf_map *map;
	__u32 zero = 0;
	int fd;

	snprintf(rule, sizeof(rule), "cm_%s", hook);
	snprintf(next, sizeof(next), "cm_next__%s", hook);
	bpf_object__for_each_program(found, object)
		bpf_program__set_autoload(found, !strcmp(bpf_program__name(found), rule));
	load(object);
	fd = program(object, rule);
	if (bpf_map_update_elem(chain, &zero, &fd, BPF_ANY))
		err(1, "cannot put %s into the chain", path);
	map = bpf_object__find_map_by_name(object, next);
	if (!map)
		errx(1, "%s has no rule for %s", path, hook);
	return bpf_map__fd(map);
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
	int separator = 2, chain, i;

	while (separator < argc && strcmp(argv[separator], "--"))
		separator++;
	if (separator + 1 >= argc)
		errx(2, "usage: bench-floor HOOK [POLICY.bpf.o...] -- COMMAND [ARG...]");
	chain = attach_dispatcher(argv[1]);
	for (i = 2; i < separator; i++)
		chain = put_policy(argv[i], argv[1], chain);
	return run(argv + separator + 1);
}
