/* SPDX-License-Identifier: GPL-2.0-only */
/* The guard's other half: the names below /sys/fs/bpf/checmate and the mount that carries them. */
#ifndef CM_GUARD_PINS_BPF_H
#define CM_GUARD_PINS_BPF_H

/*
 * Run once by `checmate lock` with a descriptor of the directory. Later it changes nothing.
 */
SEC("syscall")
int cm_guard_place(struct cm_guard_place *ctx)
{
	struct file *file;
	struct vfsmount *mount;

	if (cm_guard.stage != CM_GUARD_IDLE)
		return -EALREADY;
	file = file_of(own_files(), ctx->directory_fd);
	mount = BPF_CORE_READ(file, f_path.mnt);
	cm_guard.directory = (__u64)BPF_CORE_READ(file, f_path.dentry);
	cm_guard.mount = (__u64)mount - bpf_core_field_offset(struct mount, mnt);
	return cm_guard.directory && mount ? 0 : -EBADF;
}

static __always_inline bool is_locked(void)
{
	return cm_guard.stage == CM_GUARD_LOCKED;
}

/* Deeper than any pin is; a name that deep is somewhere else. */
#define MAX_STEPS 6

/* Is it the directory of the pins, or below? */
static __always_inline bool is_pin(struct dentry *dentry)
{
	int i;

	for (i = 0; i < MAX_STEPS; i++) {
		if ((__u64)dentry == cm_guard.directory)
			return true;
		dentry = BPF_CORE_READ(dentry, d_parent);
	}
	return false;
}

static __always_inline long refuse_pin(struct dentry *dentry)
{
	return refuse_if(is_locked() && is_pin(dentry));
}

SEC("lsm/inode_unlink")
long BPF_PROG(cm_guard_unlink, struct inode *dir, struct dentry *dentry)
{
	return refuse_pin(dentry);
}

SEC("lsm/inode_rmdir")
long BPF_PROG(cm_guard_rmdir, struct inode *dir, struct dentry *dentry)
{
	return refuse_pin(dentry);
}

SEC("lsm/inode_create")
long BPF_PROG(cm_guard_create, struct inode *dir, struct dentry *dentry)
{
	return refuse_pin(dentry);
}

SEC("lsm/inode_mkdir")
long BPF_PROG(cm_guard_mkdir, struct inode *dir, struct dentry *dentry)
{
	return refuse_pin(dentry);
}

SEC("lsm/inode_symlink")
long BPF_PROG(cm_guard_symlink, struct inode *dir, struct dentry *dentry)
{
	return refuse_pin(dentry);
}

SEC("lsm/inode_link")
long BPF_PROG(cm_guard_link, struct dentry *old, struct inode *dir, struct dentry *new)
{
	return refuse_if(is_locked() && (is_pin(old) || is_pin(new)));
}

SEC("lsm/inode_rename")
long BPF_PROG(cm_guard_rename, struct inode *old_dir, struct dentry *old, struct inode *new_dir,
	      struct dentry *new)
{
	return refuse_if(is_locked() && (is_pin(old) || is_pin(new)));
}

/* Mounts one above the other up to the root of a namespace; a deeper one is taken for ours. */
#define MAX_MOUNTS 64

struct above {
	__u64 at; /* struct mount: that of the pins, then those above */
	__u64 mount, parent, mountpoint;
	int group; /* of the parent's peers, 0: its unmounts reach nobody */
	__u32 found, ended;
};

static long step_up(__u64 i, struct above *above)
{
	struct mount *at = (struct mount *)above->at, *parent = BPF_CORE_READ(at, mnt_parent);

	if (above->at == above->mount)
		above->found = 1;
	/* The unmounting of a copy in another namespace may spread to it. */
	if (above->group && (__u64)BPF_CORE_READ(at, mnt_mountpoint) == above->mountpoint &&
	    (BPF_CORE_READ(parent, mnt_group_id) == above->group ||
	     BPF_CORE_READ(parent, mnt_master)))
		above->found = 1;
	above->ended = above->at == (__u64)parent;
	above->at = (__u64)parent;
	return (above->found | above->ended) != 0;
}

/* Would the end of this mount be the end of the pins'? */
static __always_inline bool carries_pins(struct vfsmount *vfsmount)
{
	struct mount *mount = (void *)vfsmount - bpf_core_field_offset(struct mount, mnt);
	struct mount *parent = BPF_CORE_READ(mount, mnt_parent);
	struct above above = {
		.at = cm_guard.mount,
		.mount = (__u64)mount,
		.mountpoint = (__u64)BPF_CORE_READ(mount, mnt_mountpoint),
		.group = BPF_CORE_READ(parent, mnt_group_id),
	};

	bpf_loop(MAX_MOUNTS, step_up, &above, 0);
	return above.found || !above.ended;
}

SEC("lsm/sb_umount")
long BPF_PROG(cm_guard_umount, struct vfsmount *mount)
{
	return refuse_if(is_locked() && carries_pins(mount));
}

static __always_inline bool is_pins_mount(struct vfsmount *mount)
{
	return (__u64)mount - bpf_core_field_offset(struct mount, mnt) == cm_guard.mount;
}

/* Onto a place in it: a new mount, a bind, a move; and what is changed of the mount itself. */
SEC("lsm/sb_mount")
long BPF_PROG(cm_guard_mount, const char *device, struct path *path)
{
	return refuse_if(is_locked() && is_pins_mount(BPF_CORE_READ(path, mnt)));
}

SEC("lsm/move_mount")
long BPF_PROG(cm_guard_move_mount, struct path *from, struct path *to)
{
	return refuse_if(is_locked() && (is_pins_mount(BPF_CORE_READ(from, mnt)) ||
					 is_pins_mount(BPF_CORE_READ(to, mnt))));
}

#endif /* CM_GUARD_PINS_BPF_H */
