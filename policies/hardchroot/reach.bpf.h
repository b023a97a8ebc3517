/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where only a directory's inode is known: is it anywhere below a root, by its own tree or through
 * any mount of its file system?
 */
#ifndef REACH_BPF_H
#define REACH_BPF_H

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* The mounts of a file system: a list up to 6.18, then a chain of pointers. */
struct super_block___list {
	struct list_head s_mounts;
};

struct mount___list {
	struct list_head mnt_instance;
};

struct super_block___chain {
	struct mount *s_mounts;
};

struct mount___chain {
	struct mount *mnt_next_for_sb;
};

/* The names of an inode: in a union of its own up to 6.x */
struct dentry___union {
	union {
		struct hlist_node d_alias;
	} d_u;
};

struct dentry___plain {
	struct hlist_node d_alias;
};

#pragma clang attribute pop

static __always_inline __u64 name_of(const struct inode *inode)
{
	__u64 first = (__u64)BPF_CORE_READ(inode, i_dentry.first);

	if (!first)
		return 0;
	if (bpf_core_field_exists(struct dentry___plain, d_alias))
		return first - bpf_core_field_offset(struct dentry___plain, d_alias);
	return first - bpf_core_field_offset(struct dentry___union, d_u.d_alias);
}

struct descent {
	__u64 dentry;
	__u64 ancestor;
	bool found;
};

static long climb_tree(__u64 i, struct descent *walk)
{
	if (walk->dentry == walk->ancestor) {
		walk->found = true;
		return 1;
	}
	walk->dentry = cm_parent_of(walk->dentry);
	return !walk->dentry;
}

/* In the file system's own tree, without regard to mounts */
__noinline bool is_descendant(__u64 dentry, __u64 ancestor)
{
	struct descent walk = { .dentry = dentry, .ancestor = ancestor };

	bpf_loop(CM_MAX_COMPONENTS, climb_tree, &walk, 0);
	return walk.found;
}

struct mounts {
	__u64 next; /* of a list: the member of the next mount */
	__u64 end;
	__u64 dentry;
	struct cm_place root;
	bool found;
};

static __always_inline bool is_chain(void)
{
	return bpf_core_field_exists(struct mount___chain, mnt_next_for_sb);
}

/* The mount that a link leads to, and the link to the next one. */
static __always_inline __u64 mount_at(__u64 link, __u64 *ret_next)
{
	__u64 address = link;
	struct mount___chain *chain = (struct mount___chain *)link;
	struct list_head *list = (struct list_head *)link;

	if (is_chain()) {
		*ret_next = (__u64)BPF_CORE_READ(chain, mnt_next_for_sb);
		return address;
	}
	*ret_next = (__u64)BPF_CORE_READ(list, next);
	return address - bpf_core_field_offset(struct mount___list, mnt_instance);
}

static __always_inline __u64 root_of_mount(__u64 address)
{
	struct mount *mount = (struct mount *)address;

	return (__u64)BPF_CORE_READ(mount, mnt.mnt_root);
}

static long try_mount(__u64 i, struct mounts *walk)
{
	struct cm_place place;

	if (!walk->next || walk->next == walk->end)
		return 1;
	place.mount = mount_at(walk->next, &walk->next);
	place.dentry = root_of_mount(place.mount);
	if (is_descendant(walk->dentry, place.dentry) && cm_is_below(&place, &walk->root))
		walk->found = true;
	return walk->found;
}

#define MAX_MOUNTS 100000 /* of one namespace: fs.mount-max */

static __noinline bool is_reachable_inode(__u64 address, const struct cm_place *root)
{
	struct inode *inode = (struct inode *)address;
	__u64 sb = (__u64)BPF_CORE_READ(inode, i_sb);
	struct super_block___chain *chain = (struct super_block___chain *)sb;
	struct super_block___list *list = (struct super_block___list *)sb;
	struct mounts walk = { .dentry = name_of(inode) };

	if (!walk.dentry || !root)
		return false;
	if (is_descendant(walk.dentry, root->dentry))
		return true;
	walk.root = *root;
	if (is_chain()) {
		walk.next = (__u64)BPF_CORE_READ(chain, s_mounts);
	} else {
		walk.end = sb + bpf_core_field_offset(struct super_block___list, s_mounts);
		walk.next = (__u64)BPF_CORE_READ(list, s_mounts.next);
	}
	bpf_loop(MAX_MOUNTS, try_mount, &walk, 0);
	return walk.found;
}

#endif /* REACH_BPF_H */
