// SPDX-License-Identifier: GPL-2.0-only
/* Does this kernel run BPF LSM programs? Answered by running one. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

#define LSM_LIST "/sys/kernel/security/lsm"

/* Reads a small file; empty if it cannot be read. */
static void read_line(const char *path, char *buf, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, buf, size - 1);

	buf[len < 0 ? 0 : len] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
}

int cm_lsm_list(char *buf, size_t size)
{
	read_line(LSM_LIST, buf, size);
	return buf[0] ? 0 : -ENOENT;
}

/* BPF programs hang on it: up to 6.12 at least, a 0 takes them all off, and nobody is told. */
bool cm_tracer_is_off(void)
{
	char line[8];

	read_line("/proc/sys/kernel/ftrace_enabled", line, sizeof(line));
	return !strcmp(line, "0");
}

static int refuse(struct cm *cm)
{
	char list[512];

	read_line("/sys/kernel/security/lockdown", list, sizeof(list));
	if (strstr(list, "[confidentiality]"))
		return cm_fail(
			cm, -EOPNOTSUPP,
			"kernel lockdown is in confidentiality mode, in which BPF may not read "
			"kernel memory: boot with lockdown=integrity or none");

	if (access("/sys/kernel/btf/vmlinux", F_OK))
		return cm_fail(cm, -EOPNOTSUPP,
			       "this kernel has no BTF (/sys/kernel/btf/vmlinux): it must be built "
			       "with CONFIG_DEBUG_INFO_BTF=y");
	if (cm_lsm_list(list, sizeof(list)))
		return cm_fail(
			cm, -EOPNOTSUPP,
			"this kernel does not run BPF LSM programs: add bpf to the end of its "
			"lsm= boot parameter (%s is not readable: mount -t securityfs "
			"securityfs /sys/kernel/security shows the present list)",
			LSM_LIST);
	return cm_fail(cm, -EOPNOTSUPP,
		       "this kernel does not run BPF LSM programs: boot it with lsm=%s,bpf", list);
}

static int check_tracer(struct cm *cm)
{
	if (!cm_tracer_is_off())
		return 0;
	return cm_fail(cm, -EOPNOTSUPP,
		       "the kernel's function tracer is off, on which BPF programs hang: echo 1 "
		       ">/proc/sys/kernel/ftrace_enabled");
}

static int run_probe(struct cm *cm)
{
	_cleanup_bpf_ struct bpf_object *bpf = NULL;
	struct bpf_map *constants, *results;
	struct bpf_program *program;
	uint32_t pid = getpid(), key = 0, seen = 0;
	struct bpf_link *link;
	size_t size;
	int err;

	bpf = cm_builtin_open(cm, &cm_builtin_probe, "checmate");
	if (!bpf)
		return -EIO;
	program = bpf_object__find_program_by_name(bpf, "cm_probe");
	constants = bpf_object__find_map_by_name(bpf, ".rodata");
	results = bpf_object__find_map_by_name(bpf, ".bss");
	memcpy(cm_section(constants, &size), &pid, sizeof(pid));
	err = bpf_object__load(bpf);
	if (err == -EPERM)
		return cm_fail(
			cm, err,
			"the kernel does not let us load BPF programs: no CAP_BPF, or kernel "
			"lockdown in confidentiality mode");
	if (err)
		return refuse(cm);
	link = bpf_program__attach_lsm(program);
	if (!link)
		return refuse(cm);
	if (getpgid(pid) < 0)
		seen = 0; /* asked for its side effect: the hook */
	err = bpf_map_lookup_elem(bpf_map__fd(results), &key, &seen);
	bpf_link__destroy(link);
	return err || !seen ? refuse(cm) : 0;
}

int cm_probe_lsm(struct cm *cm)
{
	int err = check_tracer(cm); /* 6.12 warns in its log when a program is taken off then */

	return err ? err : run_probe(cm);
}

static int found(struct cm *cm, const char *pack, void *arg)
{
	(void)cm;
	(void)pack;
	*(bool *)arg = true;
	return 0;
}

/* Whatever is in force was probed for when it came, and until the next boot the answer stays. */
int cm_probe_lsm_once(struct cm *cm)
{
	bool probed = false;
	int err = check_tracer(cm);

	if (!err)
		err = cm_pack_each(cm, found, &probed);
	return err || probed ? err : run_probe(cm);
}
