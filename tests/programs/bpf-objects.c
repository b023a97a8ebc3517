// SPDX-License-Identifier: GPL-2.0-only
/*
 * bpf-objects: each program, map and link in the kernel, "KIND ID NAME TYPE" in a line; TYPE is a
 * number of linux/bpf.h, and a link has no name. For what is asked after each test: to tell owners,
 * bpftool loads a program of its own at each call.
 *
 * Of a map nothing but "map ID": it is not opened. An array of programs that is opened between its
 * last user and the work that empties it is never freed: the second close takes one more reference
 * for that work, which is queued already and drops one (prog_array_map_clear in
 * kernel/bpf/arraymap.c).
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOT_OPENED (-1)

static const struct {
	const char *name;
	int next, open;
} kinds[] = {
	{ "prog", BPF_PROG_GET_NEXT_ID, BPF_PROG_GET_FD_BY_ID },
	{ "map", BPF_MAP_GET_NEXT_ID, NOT_OPENED },
	{ "link", BPF_LINK_GET_NEXT_ID, BPF_LINK_GET_FD_BY_ID },
};

static void die(void)
{
	perror("bpf-objects");
	exit(1);
}

static int bpf(int cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int get_info(int fd, void *info, __u32 size)
{
	union bpf_attr attr = {};

	attr.info.bpf_fd = (__u32)fd;
	attr.info.info = (__u64)(unsigned long)info;
	attr.info.info_len = size;
	return bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
}

static int describe(const char *kind, int fd, const char **name, __u32 *type)
{
	static struct bpf_prog_info prog;
	static struct bpf_link_info link;

	*name = "";
	if (!strcmp(kind, "prog")) {
		memset(&prog, 0, sizeof(prog));
		if (get_info(fd, &prog, sizeof(prog)))
			return -1;
		*name = prog.name;
		*type = prog.type;
	} else {
		memset(&link, 0, sizeof(link));
		if (get_info(fd, &link, sizeof(link)))
			return -1;
		*type = link.type;
	}
	return 0;
}

int main(void)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		union bpf_attr attr = {};

		while (!bpf(kinds[i].next, &attr)) {
			__u32 id = attr.next_id, type = 0;
			const char *name;
			int fd;

			memset(&attr, 0, sizeof(attr));
			attr.start_id = id;
			if (kinds[i].open == NOT_OPENED) {
				printf("%s %u\n", kinds[i].name, id);
				continue;
			}
			attr.prog_id = id; /* the same place for a link */
			fd = bpf(kinds[i].open, &attr);
			if (fd >= 0 && !describe(kinds[i].name, fd, &name, &type))
				printf("%s %u %s %u\n", kinds[i].name, id, name, type);
			else if (fd >= 0 || errno != ENOENT) /* it may have gone meanwhile */
				die();
			close(fd);
			memset(&attr, 0, sizeof(attr));
			attr.start_id = id;
		}
		if (errno != ENOENT)
			die();
	}
	return 0;
}
