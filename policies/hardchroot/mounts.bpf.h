/* SPDX-License-Identifier: GPL-2.0-only */
/* Mounts and chroot(2). The calls without a hook of their own are in caps.bpf.h. */
#ifndef MOUNTS_BPF_H
#define MOUNTS_BPF_H

#define CLONE_EMPTY_MNTNS (1ull << 37) /* 7.x */

CM_HOOK(sb_mount, const char *device, const struct path *path, const char *type)
{
	struct cm_place root, place = cm_place_of(path);

	if (!is_concerned(deny_mount, &root))
		return CM_ALLOW;
	return refuse(deny_mount, EPERM, "mount.mount", &root, cm_path("path", &place));
}

CM_HOOK(move_mount, const struct path *from, const struct path *to)
{
	struct cm_place root, place = cm_place_of(to);

	if (!is_concerned(deny_mount, &root))
		return CM_ALLOW;
	return refuse(deny_mount, EPERM, "mount.move_mount", &root, cm_path("path", &place));
}

CM_HOOK(sb_umount, struct vfsmount *mnt)
{
	struct cm_place root, place = { .dentry = (__u64)mnt->mnt_root, .mount = cm_mount_of(mnt) };

	if ((__u64)mnt == home.mnt)
		forget_home();
	if (!is_concerned(deny_mount, &root))
		return CM_ALLOW;
	return refuse(deny_mount, EPERM, "mount.umount", &root, cm_path("path", &place));
}

CM_HOOK(sb_remount, struct super_block *sb)
{
	struct cm_place root;

	if (!is_concerned(deny_mount, &root))
		return CM_ALLOW;
	return refuse(deny_mount, EPERM, "mount.remount", &root);
}

CM_HOOK(sb_pivotroot, const struct path *old, const struct path *new)
{
	struct cm_place root, place = cm_place_of(new);

	forget_home();
	if (!is_concerned(deny_pivot, &root))
		return CM_ALLOW;
	return refuse(deny_pivot, EPERM, "mount.pivot_root", &root, cm_path("path", &place));
}

/* A child in a namespace of its own, whose root is none. */
CM_HOOK(task_alloc, struct task_struct *task, __u64 clone_flags)
{
	struct cm_place root;

	if (!(clone_flags & CLONE_EMPTY_MNTNS) || !is_concerned(deny_mount, &root))
		return CM_ALLOW;
	return refuse(deny_mount, EPERM, "mount.clone", &root);
}

static __noinline void remember_origin(void)
{
	struct task_struct *task = cm_current();
	struct origin origin = origin_of(task);
	__u64 key = (__u64)task;

	origin.root = root_of(task);
	bpf_map_update_elem(&hardchroot_origins, &key, &origin, BPF_ANY);
}

static __always_inline bool may_go_back(const struct cm_place *place)
{
	return cm_knob(undo) && is_way_back(place);
}

/* Deeper is allowed. The working directory stays where it is: see enforce_chdir. */
CM_HOOK(path_chroot, const struct path *path)
{
	struct cm_place root, place = cm_place_of(path);
	struct rule rule;

	if (is_concerned(deny_chroot, &root) && !cm_is_below(&place, &root)) {
		if (may_go_back(&place))
			return CM_ALLOW;
		rule = rule_of(deny_chroot);
	} else if (cm_ceiling(enforce_chdir) > 1 && has_left_cwd(&place)) {
		root = place;
		rule = rule_of(enforce_chdir);
		rule.value.enforced = rule.value.enforced > 1;
		rule.value.shadow = rule.value.shadow > 1;
	} else {
		if (cm_knob(undo))
			remember_origin();
		return CM_ALLOW;
	}
	return refuse_by(rule, EPERM, "mount.chroot", &root, cm_path("path", &place));
}

#endif /* MOUNTS_BPF_H */
