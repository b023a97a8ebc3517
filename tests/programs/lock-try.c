// SPDX-License-Identifier: GPL-2.0-only
/*
 * One attempt at a locked system by bpf(2), or a way round it; prints OK or the errno's name. Exit
 * status 0 unless misused. A MAP, LINK or PROG is the path of a pin, or "id:N".
 *
 *	update | delete | batch | take | mmap MAP
 *	chain MAP		another program into an array of programs
 *	detach LINK		BPF_LINK_DETACH
 *	change LINK		BPF_LINK_UPDATE
 *	change-shared LINK	the same with a second thread, which could exchange descriptors
 *	load TYPE ATTACH BTF-ID [VERDICT]	a program that returns VERDICT
 *	hold TYPE ATTACH BTF-ID	the same; then wait to be killed
 *	front BTF-ID		an LSM program that returns 1 << 32, attached
 *	uses MAP		a program that has the map
 *	uses-inner MAP		a program that has a map of maps, into which the map fits
 *	bind PORT		to IPv4 addresses
 *	umount DIR FLAGS
 *	move-mount DIR PLACE	a copy of the mount, by move_mount(2)
 *	sockaddr CGROUP ATTACH legacy|link	a program on socket addresses
 *	clone CGROUP		clone3(CLONE_INTO_CGROUP)
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LONGEST 65536

static char key[LONGEST], value[LONGEST];

static long bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static void say(long result)
{
	puts(result < 0 ? strerrorname_np(errno) : "OK");
	fflush(stdout);
}

/* Of what is set up, not of the attempt. */
static long must(long result, const char *what)
{
	if (result < 0) {
		fprintf(stderr, "lock-try: %s: %s\n", what, strerror(errno));
		exit(1);
	}
	return result;
}

static int get(const char *name)
{
	union bpf_attr attr = {};

	if (!strncmp(name, "id:", 3)) {
		attr.map_id = atoi(name + 3);
		return must(bpf(BPF_MAP_GET_FD_BY_ID, &attr), name);
	}
	attr.pathname = (uintptr_t)name;
	return must(bpf(BPF_OBJ_GET, &attr), name);
}

static int load(uint32_t type, uint32_t attach, uint32_t btf_id, const struct bpf_insn *program,
		size_t nr)
{
	union bpf_attr attr = { .prog_type = type,
				.insns = (uintptr_t)program,
				.insn_cnt = nr,
				.license = (uintptr_t) "GPL",
				.expected_attach_type = attach,
				.attach_btf_id = btf_id };

	strcpy(attr.prog_name, "stranger");
	return bpf(BPF_PROG_LOAD, &attr);
}

static int load_verdict(uint32_t type, uint32_t attach, uint32_t btf_id, uint64_t verdict)
{
	struct bpf_insn program[] = {
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_0, .imm = (int)verdict },
		{ .imm = (int)(verdict >> 32) },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return load(type, attach, btf_id, program, 3);
}

static int load_map(int map)
{
	struct bpf_insn program[] = {
		{ .code = BPF_LD | BPF_DW | BPF_IMM,
		  .dst_reg = BPF_REG_1,
		  .src_reg = BPF_PSEUDO_MAP_FD,
		  .imm = map },
		{ .imm = 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return load(BPF_PROG_TYPE_SOCKET_FILTER, 0, 0, program, 4);
}

static int load_inner(int map)
{
	struct bpf_map_info info = {};
	union bpf_attr attr = {
		.info = { .bpf_fd = map, .info_len = sizeof(info), .info = (uintptr_t)&info }
	};
	int outer;

	must(bpf(BPF_OBJ_GET_INFO_BY_FD, &attr), "info");
	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_ARRAY_OF_MAPS;
	attr.key_size = attr.value_size = 4;
	attr.max_entries = 1;
	attr.inner_map_fd = map;
	outer = must(bpf(BPF_MAP_CREATE, &attr), "map of maps");
	return load_map(outer);
}

static int attach(int program)
{
	union bpf_attr attr = {};

	if (program < 0)
		return program;
	attr.raw_tracepoint.prog_fd = program;
	return bpf(BPF_RAW_TRACEPOINT_OPEN, &attr);
}

static int element(int command, int map)
{
	union bpf_attr attr = { .map_fd = map, .key = (uintptr_t)key };

	if (command != BPF_MAP_DELETE_ELEM)
		attr.value = (uintptr_t)value;
	return bpf(command, &attr);
}

static int batch(int map)
{
	union bpf_attr attr = { .batch = { .keys = (uintptr_t)key,
					   .values = (uintptr_t)value,
					   .count = 1,
					   .map_fd = map } };

	return bpf(BPF_MAP_UPDATE_BATCH, &attr);
}

static int map_memory(int map)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0) == MAP_FAILED ? -1 : 0;
}

static int chain(int map)
{
	int program = must(load_verdict(BPF_PROG_TYPE_SOCKET_FILTER, 0, 0, 0), "program");

	memcpy(value, &program, sizeof(program));
	return element(BPF_MAP_UPDATE_ELEM, map);
}

static int change(int link)
{
	union bpf_attr attr = { .link_update = { .link_fd = link } };

	attr.link_update.new_prog_fd =
		must(load_verdict(BPF_PROG_TYPE_CGROUP_SYSCTL, BPF_CGROUP_SYSCTL, 0, 1), "program");
	return bpf(BPF_LINK_UPDATE, &attr);
}

static int detach(int link)
{
	union bpf_attr attr = { .link_detach = { .link_fd = link } };

	return bpf(BPF_LINK_DETACH, &attr);
}

static void *wait_long(void *none)
{
	(void)none;
	pause();
	return NULL;
}

static int sockaddr(const char *cgroup, uint32_t type, bool legacy)
{
	int dir = must(open(cgroup, O_RDONLY | O_DIRECTORY), cgroup);
	union bpf_attr attr = {};
	int program = must(load_verdict(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, type, 0, 1), "program");

	if (legacy) {
		attr.target_fd = dir;
		attr.attach_bpf_fd = program;
		attr.attach_type = type;
		attr.attach_flags = BPF_F_ALLOW_MULTI;
		return bpf(BPF_PROG_ATTACH, &attr);
	}
	attr.link_create.prog_fd = program;
	attr.link_create.target_fd = dir;
	attr.link_create.attach_type = type;
	return bpf(BPF_LINK_CREATE, &attr);
}

static long clone_into(const char *cgroup)
{
	struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD };
	long pid;

	args.cgroup = must(open(cgroup, O_RDONLY | O_DIRECTORY), cgroup);
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (!pid)
		_exit(0);
	return pid;
}

static int move_mount_to(const char *dir, const char *place)
{
	int copy = must(open_tree(AT_FDCWD, dir, OPEN_TREE_CLONE), dir);

	return move_mount(copy, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH);
}

static int bind_to(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = must(socket(AF_INET, SOCK_STREAM, 0), "socket");

	return bind(fd, (struct sockaddr *)&address, sizeof(address));
}

static const struct {
	const char *name;
	int (*run)(int fd);
} attempts[] = {
	{ "batch", batch },	      { "mmap", map_memory }, { "chain", chain },
	{ "detach", detach },	      { "change", change },   { "uses", load_map },
	{ "uses-inner", load_inner },
};

static int on_fd(const char *name, int fd)
{
	pthread_t thread;
	size_t i;

	for (i = 0; i < sizeof(attempts) / sizeof(*attempts); i++)
		if (!strcmp(name, attempts[i].name))
			return attempts[i].run(fd);
	if (!strcmp(name, "change-shared")) {
		pthread_create(&thread, NULL, wait_long, NULL);
		return change(fd);
	}
	return element(!strcmp(name, "update")	 ? BPF_MAP_UPDATE_ELEM
		       : !strcmp(name, "delete") ? BPF_MAP_DELETE_ELEM
						 : BPF_MAP_LOOKUP_AND_DELETE_ELEM,
		       fd);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	int fd;

	if (!strcmp(what, "load") && argc > 4) {
		say(load_verdict(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]),
				 argc > 5 ? strtoull(argv[5], NULL, 0) : 0));
	} else if (!strcmp(what, "hold") && argc > 4) {
		say(load_verdict(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]), 0));
		pause();
	} else if (!strcmp(what, "front")) {
		fd = attach(
			load_verdict(BPF_PROG_TYPE_LSM, BPF_LSM_MAC, atoi(argv[2]), 1ull << 32));
		say(fd);
		if (fd >= 0)
			pause();
	} else if (!strcmp(what, "bind")) {
		say(bind_to(atoi(argv[2])));
	} else if (!strcmp(what, "umount") && argc > 3) {
		say(umount2(argv[2], atoi(argv[3])));
	} else if (!strcmp(what, "move-mount") && argc > 3) {
		say(move_mount_to(argv[2], argv[3]));
	} else if (!strcmp(what, "sockaddr") && argc > 4) {
		say(sockaddr(argv[2], atoi(argv[3]), !strcmp(argv[4], "legacy")));
	} else if (!strcmp(what, "clone")) {
		say(clone_into(argv[2]));
	} else if (*what) {
		say(on_fd(what, get(argv[2])));
	} else {
		return 2;
	}
	return 0;
}
