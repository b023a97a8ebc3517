// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hardchroot's full mode: a jailed task finds nothing outside of its root, by any path. Asked for
 * each component of each path, by everybody, so it is a pack of its own: enabled beside hardchroot
 * where that cost is wanted, and of no cost anywhere else.
 *
 *	a lookup's directory		must be below the root: EACCES
 *	chdir, fchdir, chroot, fchroot	the new directory must be reachable below the root: EPERM
 */
#include "checmate.bpf.h"

CM_PACK("hardchroot_lookup", .question = "May a task that is locked in by chroot(2) search here?",
	.sealed_by = "hardchroot", .event_burst = 100, .event_interval_ms = 5000);

CM_KNOB(lookup_mode, "kernel/hardchroot/lookup_mode", .min = 0, .max = 1, .init = 1, .cap = -1,
	.help = "0 object: what is opened or named is judged; 1 full: each directory on the way "
		"too");

#include "call.bpf.h"
#include "jail.bpf.h"
#include "reach.bpf.h"
#include "undo.bpf.h"

#define MAY_CHDIR 0x40

CM_HOOK_QUICK(inode_permission, struct inode *inode, int mask)
{
	if (is_at_home(cm_current()))
		cm_done(inode_permission);
	return cm_ask(inode_permission, 0);
}

/*
 * Is a directory that is searched outside? Only one that this task's lookup is at: otherwise it is
 * a file system's own search, as overlayfs's in the layers below.
 */
static __always_inline bool is_search_outside(struct task_struct *task, struct inode *inode,
					      const struct cm_place *root,
					      struct cm_place *ret_place)
{
	struct nameidata *lookup = BPF_CORE_READ(task, nameidata);

	if (!lookup || BPF_CORE_READ(lookup, inode) != inode)
		return false;
	ret_place->dentry = (__u64)BPF_CORE_READ(lookup, path.dentry);
	ret_place->mount = cm_mount_of(BPF_CORE_READ(lookup, path.mnt));
	return !cm_is_below(ret_place, root);
}

/* chroot(".") on the way back: the directory it is about is searched and entered. */
static __noinline bool is_undoing(const struct inode *inode)
{
	struct cm_place cwd = cwd_of(cm_current());
	struct dentry *dentry = (struct dentry *)cwd.dentry;

	return BPF_CORE_READ(dentry, d_inode) == inode && is_way_back(&cwd) &&
	       current_call() == CALL_CHROOT;
}

CM_HOOK_FULL(inode_permission, struct inode *inode, int mask)
{
	struct task_struct *task = cm_current();
	struct cm_place root, place;
	int error = EACCES;

	if (!cm_ceiling(lookup_mode) || (inode->i_mode & S_IFMT) != S_IFDIR || !find_jail(&root))
		return CM_ALLOW;
	if (mask & MAY_CHDIR) {
		/* overlayfs asks once more for the directory below, as whoever mounted it */
		if (task->cred != task->real_cred || is_reachable_inode((__u64)inode, &root))
			return CM_ALLOW;
		place = (struct cm_place){ .dentry = name_of(inode), .mount = root.mount };
		error = EPERM;
		if (is_undoing(inode))
			return CM_ALLOW;
	} else if (!is_search_outside(task, inode, &root, &place) || is_undoing(inode)) {
		return CM_ALLOW;
	}
	return cm_deny_for(cm_value_of(cm_own_scope(), lookup_mode), error, "lookup.search",
			   "lookup_mode", cm_path("root", &root), cm_path("path", &place));
}
