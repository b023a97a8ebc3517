// SPDX-License-Identifier: GPL-2.0-only
/* Every requirement, tried on the running kernel. Nothing stays. */
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#include "../kernel/module/door.h"
#include "internal.h"

#define MAX_CHECKS 16

struct report {
	struct cm_check checks[MAX_CHECKS];
	size_t nr;
	int result;
};

static struct cm_check *add(struct report *report, enum cm_check_status status, const char *what)
{
	struct cm_check *check = &report->checks[report->nr++];

	check->status = status;
	snprintf(check->what, sizeof(check->what), "%s", what);
	return check;
}

#define SAY(field, ...) snprintf(field, sizeof(field), __VA_ARGS__)

/* The most telling failure counts: a kernel that cannot, before something that can be mended. */
static void fails(struct report *report, int error)
{
	if (!report->result || error == -EOPNOTSUPP)
		report->result = error;
}

static void check_kernel(struct report *report)
{
	struct cm_check *check = add(report, CM_CHECK_OK, "kernel");
	unsigned int major = 0, minor = 0;
	struct utsname name;

	if (uname(&name) || sscanf(name.release, "%u.%u", &major, &minor) != 2)
		name.release[0] = '\0';
	SAY(check->found, "%.64s on %.32s", name.release, name.machine);
	if (major > 6 || (major == 6 && minor >= 1))
		return;
	check->status = CM_CHECK_WARN;
	SAY(check->fix, "tested on 6.1 and later: expect an older one to refuse the programs");
}

static void check_btf(struct report *report)
{
	bool there = !access("/sys/kernel/btf/vmlinux", R_OK);
	struct cm_check *check =
		add(report, there ? CM_CHECK_OK : CM_CHECK_FAIL, "kernel type data (BTF)");

	SAY(check->found, there ? "/sys/kernel/btf/vmlinux" : "no /sys/kernel/btf/vmlinux");
	if (there)
		return;
	SAY(check->fix, "use a kernel built with CONFIG_DEBUG_INFO_BTF=y");
	fails(report, -EOPNOTSUPP);
}

static void check_lock(struct report *report, const struct cm *cm)
{
	SAY(add(report, CM_CHECK_OK, "lock")->found, "%s",
	    cm->locked ? "locked until reboot" : "not locked");
}

static void check_lsm(struct report *report, struct cm *cm)
{
	/* A locked system runs them, and might not let the probe on its hook. */
	int err = cm->locked ? 0 : cm_probe_lsm(cm);
	struct cm_check *check = add(report, err ? CM_CHECK_FAIL : CM_CHECK_OK, "BPF LSM runs");
	char list[200];

	if (cm_lsm_list(list, sizeof(list)))
		SAY(list, "unknown");
	SAY(check->found, "a probe program %s (active: %s)",
	    cm->locked ? "is not needed now"
	    : err      ? "was not run"
		       : "ran",
	    list);
	if (!err)
		return;
	SAY(check->fix, "%s", cm_error(cm));
	fails(report, err);
}

static void check_bpffs(struct report *report)
{
	struct statfs fs;
	bool there = !statfs(CM_BPFFS, &fs) && fs.f_type == BPF_FS_MAGIC;
	struct cm_check *check =
		add(report, there ? CM_CHECK_OK : CM_CHECK_FAIL, "bpf file system");

	SAY(check->found, there ? CM_BPFFS : "not mounted at " CM_BPFFS);
	if (there)
		return;
	SAY(check->fix, "mount -t bpf -o mode=0700 bpf " CM_BPFFS);
	fails(report, -EIO);
}

static void check_cgroup(struct report *report, struct cm *cm)
{
	char path[PATH_MAX];
	uint64_t id = 0;
	int err = cm_cgroup_id_below(cm, "/", &id);
	struct cm_check *check = add(report, err ? CM_CHECK_WARN : CM_CHECK_OK, "cgroup v2");

	if (!err && !cm_cgroup_path(cm, id, path, sizeof(path)) && !strcmp(path, "/")) {
		SAY(check->found, "%.200s", cm->cgroup_mount);
		if (id == CM_CGROUP_ROOT)
			return;
		check->status = CM_CHECK_WARN;
		SAY(check->found, "%.180s is not the root of the hierarchy", cm->cgroup_mount);
		SAY(check->fix,
		    "run in the initial cgroup namespace, or cgroup scopes are limited to "
		    "what is below");
		return;
	}
	check->status = CM_CHECK_WARN;
	SAY(check->found, "not mounted");
	SAY(check->fix, "mount -t cgroup2 none /sys/fs/cgroup (without it: the whole system only)");
}

static void check_door(struct report *report)
{
	struct cm_check *check = add(report, CM_CHECK_OK, "files under /proc/sys");
	struct utsname name;
	char path[256];

	if (uname(&name))
		name.release[0] = '\0';
	if (cm_native_active("yama")) {
		SAY(check->found, "native Yama has kernel/yama/ptrace_scope");
	} else if (!access(CM_DOOR_DEVICE, F_OK)) {
		SAY(check->found, "module checmate is loaded");
	} else {
		snprintf(path, sizeof(path), "/lib/modules/%.64s/extra/checmate.ko", name.release);
		if (access(path, F_OK))
			snprintf(path, sizeof(path), "/lib/modules/%.64s/updates/dkms/checmate.ko",
				 name.release);
		if (!access(path, F_OK)) {
			SAY(check->found, "module checmate is installed, loaded when it is needed");
			return;
		}
		check->status = CM_CHECK_WARN;
		SAY(check->found, "module checmate is not installed for this kernel");
		SAY(check->fix,
		    "optional: make module && make install; without it knobs are reached "
		    "by checmate get and set");
	}
}

int cm_doctor(struct cm_check **ret, size_t *ret_nr)
{
	struct report report = {};
	struct cm *cm = NULL;
	char why[256];
	int err;

	err = cm_open(0, &cm);
	SAY(why, "%s", cm_error(cm)); /* the checks below leave sentences of their own */
	if (err == -EPERM || err == -ENOMEM) {
		struct cm_check *check = add(&report, CM_CHECK_FAIL, "privileges");

		SAY(check->found, "CAP_SYS_ADMIN is missing");
		SAY(check->fix, "run as root");
		fails(&report, err);
	} else {
		check_kernel(&report);
		check_btf(&report);
		check_lsm(&report, cm);
		check_bpffs(&report);
		check_cgroup(&report, cm);
		check_door(&report);
		check_lock(&report, cm);
		if (err && err != -ENOENT) { /* the lock, or pins of another version */
			SAY(add(&report, CM_CHECK_FAIL, "present state")->found, "%s", why);
			fails(&report, -EIO);
		}
	}
	cm_close(cm);
	*ret = malloc(sizeof(report.checks));
	if (!*ret)
		return -ENOMEM;
	memcpy(*ret, report.checks, sizeof(report.checks));
	*ret_nr = report.nr;
	return report.result;
}
