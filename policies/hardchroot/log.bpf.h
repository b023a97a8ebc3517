/* SPDX-License-Identifier: GPL-2.0-only */
/* An audit of what is run in a jail. */
#ifndef LOG_BPF_H
#define LOG_BPF_H

CM_HOOK(bprm_committed_creds, struct linux_binprm *bprm)
{
	struct cm_place root, place;

	if (!is_concerned(execlog, &root) || !cm_knob(execlog))
		return CM_ALLOW;
	place.dentry = (__u64)BPF_CORE_READ(bprm, file, f_path.dentry);
	place.mount = cm_mount_of(BPF_CORE_READ(bprm, file, f_path.mnt));
	cm_notice("exec", "execlog", cm_path("root", &root), cm_path("path", &place));
	return CM_ALLOW;
}

#endif /* LOG_BPF_H */
