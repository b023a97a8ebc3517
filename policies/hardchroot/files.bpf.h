/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files: what a jailed task opens, changes by name or is handed must be below its root, by whatever
 * way it got there: a saved descriptor, a working directory left outside, /proc, a race.
 */
#ifndef FILES_BPF_H
#define FILES_BPF_H

#define FMODE_WRITE 0x2
#define FMODE_PATH  0x4000

#define S_IFCHR 0020000
#define S_IFBLK 0060000
#define S_IFREG 0100000
#define S_ISUID 04000
#define S_ISGID 02000
#define S_IXGRP 00010

#define MQUEUE_MAGIC	 0x19800202
#define SYSFS_MAGIC	 0x62656572
#define CGROUP_MAGIC	 0x27e0eb
#define BINFMTFS_MAGIC	 0x42494e4d
#define DEBUGFS_MAGIC	 0x64626720
#define TRACEFS_MAGIC	 0x74726163
#define SECURITYFS_MAGIC 0x73636673
#define EFIVARFS_MAGIC	 0xde5e81e4

/* A mount of the kernel's own, for what has no path: pipes, sockets, memfd_create(2). */
#define MNT_NS_INTERNAL ((__u64)-22)

/*
 * FMODE_BACKING: the file in a layer that overlayfs opens for one of its own. The bit came with 6.5
 * and moved with 6.14, when fanotify's own files got the old one.
 */
extern int LINUX_KERNEL_VERSION __kconfig;

#define VERSION(MAJOR, MINOR) ((MAJOR) << 16 | (MINOR) << 8)

static __always_inline bool is_in_layer(const struct file *file)
{
	if (LINUX_KERNEL_VERSION < VERSION(6, 5))
		return false;
	return file->f_mode & (LINUX_KERNEL_VERSION < VERSION(6, 14) ? 1 << 25 : 1 << 24);
}

static __always_inline bool has_no_path(const struct cm_place *place)
{
	struct mount *mount = (struct mount *)place->mount;

	return (__u64)BPF_CORE_READ(mount, mnt_ns) == MNT_NS_INTERNAL;
}

/* Is the caller's working directory outside? Then what it opens may have been found from there. */
__noinline bool has_left_cwd(const struct cm_place *root)
{
	struct cm_place cwd = cwd_of(cm_current());

	return root && cwd.mount && !cm_is_below(&cwd, root);
}

/* Settings of the whole system that are files, but not below /proc/sys. */
static __always_inline bool is_settings(__u64 magic)
{
	return magic == SYSFS_MAGIC || magic == CGROUP_MAGIC || magic == BINFMTFS_MAGIC ||
	       magic == DEBUGFS_MAGIC || magic == TRACEFS_MAGIC || magic == SECURITYFS_MAGIC ||
	       magic == EFIVARFS_MAGIC;
}

/* What is outside: by deny_fchdir, or by enforce_chdir while the working directory is as well. */
static __always_inline struct rule outside_rule(const struct cm_place *root)
{
	struct rule rule = rule_of(deny_fchdir), other;

	if (rule.value.enforced || !cm_ceiling(enforce_chdir) || !has_left_cwd(root))
		return rule;
	other = rule_of(enforce_chdir);
	if (other.value.enforced || !rule.value.shadow)
		rule = other;
	return rule;
}

#define is_concerned_outside(ROOT)                                                                 \
	((cm_ceiling(deny_fchdir) | cm_ceiling(enforce_chdir)) && is_jailed(ROOT))

CM_HOOK_QUICK(file_open, struct file *file)
{
	if (is_at_home(cm_current()))
		cm_done(file_open);
	return cm_ask(file_open, 0);
}

CM_HOOK_FULL(file_open, struct file *file)
{
	struct cm_place root, place;
	struct rule rule;
	__u64 magic;

	if (is_in_layer(file) || !find_jail(&root))
		return CM_ALLOW;
	place = cm_place_of(&file->f_path);
	magic = BPF_CORE_READ(file, f_inode, i_sb, s_magic);
	if (magic == MQUEUE_MAGIC && (file->f_inode->i_mode & S_IFMT) == S_IFREG) {
		/* mq_open(3) finds it through a mount of the kernel's own */
		if (is_made_below(place.dentry, &root))
			return CM_ALLOW;
		rule = rule_of(deny_shmat);
	} else if (has_no_path(&place)) {
		return CM_ALLOW;
	} else if (!cm_is_below(&place, &root)) {
		rule = outside_rule(&root);
	} else if (file->f_mode & FMODE_WRITE && is_settings(magic)) {
		rule = rule_of(deny_sysctl);
	} else {
		return CM_ALLOW;
	}
	return refuse_by(rule, EACCES, "file.open", &root, cm_path("path", &place));
}

CM_SYSCTL(call)
{
	struct cm_place root;

	if (!call->write || !is_concerned(deny_sysctl, &root))
		return CM_ALLOW;
	return refuse(deny_sysctl, EACCES, "sysctl.write", &root);
}

/*
 * A descriptor that another process gives. Regular files pass: programs split in a jailed and a
 * free part hand them over.
 */
CM_HOOK(file_receive, struct file *file)
{
	struct cm_place root, place;

	if (!is_concerned(deny_fchdir, &root))
		return CM_ALLOW;
	if ((file->f_inode->i_mode & S_IFMT) != S_IFDIR && !(file->f_mode & FMODE_PATH))
		return CM_ALLOW;
	place = cm_place_of(&file->f_path);
	if (cm_is_below(&place, &root))
		return CM_ALLOW;
	return refuse(deny_fchdir, EACCES, "file.receive", &root, cm_path("path", &place));
}

/* Is a change by name outside, if the caller is jailed? @dir: where the name is. */
static __always_inline bool is_outside(const struct path *dir, struct cm_place *ret_place,
				       struct cm_place *ret_root)
{
	if (!is_concerned_outside(ret_root))
		return false;
	*ret_place = cm_place_of(dir);
	return !cm_is_below(ret_place, ret_root);
}

#define refuse_outside(ERROR, ACTION, DIR)                                                         \
	({                                                                                         \
		struct cm_place root_, place_;                                                     \
		struct rule rule_;                                                                 \
		long refused_ = CM_ALLOW;                                                          \
                                                                                                   \
		if (is_outside(DIR, &place_, &root_)) {                                            \
			rule_ = outside_rule(&root_);                                              \
			refused_ =                                                                 \
				refuse_by(rule_, ERROR, ACTION, &root_, cm_path("path", &place_)); \
		}                                                                                  \
		refused_;                                                                          \
	})

CM_HOOK(path_mkdir, const struct path *dir, struct dentry *dentry, unsigned short mode)
{
	return refuse_outside(EACCES, "path.mkdir", dir);
}

CM_HOOK(path_rmdir, const struct path *dir, struct dentry *dentry)
{
	return refuse_outside(EACCES, "path.rmdir", dir);
}

CM_HOOK(path_unlink, const struct path *dir, struct dentry *dentry)
{
	return refuse_outside(EACCES, "path.unlink", dir);
}

CM_HOOK(path_symlink, const struct path *dir, struct dentry *dentry, const char *target)
{
	return refuse_outside(EACCES, "path.symlink", dir);
}

CM_HOOK(path_truncate, const struct path *path)
{
	return refuse_outside(EACCES, "path.truncate", path);
}

CM_HOOK(path_chown, const struct path *path, unsigned int uid, unsigned int gid)
{
	return refuse_outside(EACCES, "path.chown", path);
}

/* The old name is reached through the same mount as the new one, or the call fails. */
CM_HOOK(path_link, struct dentry *old, const struct path *dir, struct dentry *dentry)
{
	struct cm_place root, place;
	int error = EPERM;
	struct rule rule;

	if (!is_concerned_outside(&root))
		return CM_ALLOW;
	place.dentry = (__u64)old;
	place.mount = cm_mount_of(dir->mnt);
	if (cm_is_below(&place, &root)) {
		if (!is_outside(dir, &place, &root))
			return CM_ALLOW;
		error = EACCES;
	}
	rule = outside_rule(&root);
	return refuse_by(rule, error, "path.link", &root, cm_path("path", &place));
}

static __always_inline bool is_directory(const struct dentry *dentry)
{
	return (BPF_CORE_READ(dentry, d_inode, i_mode) & S_IFMT) == S_IFDIR;
}

CM_HOOK(path_rename, const struct path *old_dir, struct dentry *old, const struct path *new_dir,
	struct dentry *new)
{
	struct cm_place root, place;
	bool is_new;
	struct rule rule;

	if (!cm_ceiling(deny_bad_rename) && !cm_ceiling(deny_fchdir) && !cm_ceiling(enforce_chdir))
		return CM_ALLOW;
	if (!is_jailed(&root))
		return CM_ALLOW;
	place = cm_place_of(old_dir);
	is_new = cm_is_below(&place, &root);
	if (is_new) {
		place = cm_place_of(new_dir);
		if (cm_is_below(&place, &root))
			return CM_ALLOW;
	}
	rule = outside_rule(&root);
	if (!rule.value.enforced && is_new && is_directory(old))
		rule = rule_of(deny_bad_rename);
	return refuse_by(rule, EACCES, "path.rename", &root, cm_path("path", &place));
}

#define DEVICE(MAJOR, MINOR) ((MAJOR) << 8 | (MINOR))

/* As the hook has it: 12 bits of the major number from bit 8 on, the minor one's low byte below. */
static __always_inline bool is_harmless_device(unsigned short mode, unsigned int device)
{
	if ((mode & S_IFMT) != S_IFCHR)
		return false;
	switch (device) {
	case DEVICE(1, 3): /* null */
	case DEVICE(1, 5): /* zero */
	case DEVICE(1, 7): /* full */
	case DEVICE(1, 8): /* random */
	case DEVICE(1, 9): /* urandom */
	case DEVICE(5, 0): /* tty */
		return true;
	default:
		return false;
	}
}

static __always_inline bool is_refused_device(unsigned short mode, unsigned int device)
{
	unsigned short type = mode & S_IFMT;

	if (type != S_IFCHR && type != S_IFBLK)
		return false;
	return !is_harmless_device(mode, device) || !cm_knob(mknod_allow);
}

CM_HOOK(path_mknod, const struct path *dir, struct dentry *dentry, unsigned short mode,
	unsigned int device)
{
	struct cm_place root, place;
	int error = EACCES;
	struct rule rule;

	if (is_outside(dir, &place, &root)) {
		rule = outside_rule(&root);
	} else if (is_concerned(deny_mknod, &root) && is_refused_device(mode, device)) {
		place = cm_place_of(dir);
		error = EPERM;
		rule = rule_of(deny_mknod);
	} else {
		return CM_ALLOW;
	}
	return refuse_by(rule, error, "path.mknod", &root, cm_path("path", &place),
			 cm_text("name", dentry->d_name.name), cm_hex("device", device));
}

/* A program that gives its user or group to whoever runs it. */
static __always_inline bool gives_identity(unsigned int mode)
{
	return mode & S_ISUID || (mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
}

CM_HOOK(path_chmod, const struct path *path, unsigned short mode)
{
	struct cm_place root, place;
	struct rule rule;

	if (is_outside(path, &place, &root)) {
		rule = outside_rule(&root);
	} else if (gives_identity(mode) && !is_directory(path->dentry) &&
		   is_concerned(deny_chmod, &root)) {
		place = cm_place_of(path);
		rule = rule_of(deny_chmod);
	} else {
		return CM_ALLOW;
	}
	return refuse_by(rule, EACCES, "path.chmod", &root, cm_path("path", &place),
			 cm_hex("mode", mode));
}

/* open(O_CREAT) and mknod(2) make such programs as well; here too the makers of message queues. */
CM_HOOK(inode_create, struct inode *dir, struct dentry *dentry, unsigned short mode)
{
	struct cm_place root;

	if (cm_ceiling(deny_shmat) && dir->i_sb->s_magic == MQUEUE_MAGIC)
		remember_maker((__u64)dentry);
	if (!gives_identity(mode) || !is_concerned(deny_chmod, &root))
		return CM_ALLOW;
	return refuse(deny_chmod, EACCES, "inode.create", &root,
		      cm_text("name", dentry->d_name.name), cm_hex("mode", mode));
}

#endif /* FILES_BPF_H */
