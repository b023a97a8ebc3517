/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel types that the guard reads, with only the members it reads, all by CO-RE and probe
 * read. Version differences are here, each with the version that brought it.
 */
#ifndef CM_GUARD_TYPES_BPF_H
#define CM_GUARD_TYPES_BPF_H

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct dentry {
	struct dentry *d_parent;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	struct mount *mnt_master;
	int mnt_group_id;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	void *private_data;
	struct path f_path;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

typedef struct {
	int counter;
} atomic_t;

struct files_struct {
	atomic_t count;
	struct fdtable *fdt;
};

struct kernfs_node {
	struct kernfs_node *parent; /* up to 6.14 */
	struct kernfs_node *__parent;
	const char *name;
	void *priv; /* of a cgroup's directory: the cgroup */
	__u64 id;
};

struct super_block {
	unsigned long s_magic;
};

struct inode {
	struct super_block *i_sb;
	void *i_private; /* of a kernfs file: its node */
};

struct cgroup;

struct cgroup_subsys_state {
	struct cgroup_subsys_state *parent;
};

struct cgroup {
	struct cgroup_subsys_state self;
	int level;
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct task_struct {
	struct files_struct *files;
	struct css_set *cgroups;
};

struct bpf_map {
	__u32 id;
	enum bpf_map_type map_type;
	__u32 key_size;
	__u32 value_size;
	struct bpf_map *inner_map_meta;
};

struct bpf_prog_aux {
	__u32 id;
	__u32 used_map_cnt;
	__u32 attach_btf_id;
	enum bpf_prog_type saved_dst_prog_type;
	const char *attach_func_name;
	struct bpf_map **used_maps;
};

struct bpf_prog {
	enum bpf_prog_type type;
	enum bpf_attach_type expected_attach_type;
	struct bpf_prog_aux *aux;
};

struct bpf_link {
	enum bpf_link_type type;
	enum bpf_attach_type attach_type; /* since 6.17 */
};

struct bpf_cgroup_link {
	struct bpf_link link;
	enum bpf_attach_type type; /* up to 6.16: its attach type */
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__bpf_prog {
	struct bpf_iter_meta *meta;
	struct bpf_prog *prog;
};

#pragma clang attribute pop

static __always_inline struct kernfs_node *parent_of(struct kernfs_node *node)
{
	if (bpf_core_field_exists(node->__parent))
		return BPF_CORE_READ(node, __parent);
	return BPF_CORE_READ(node, parent);
}

static __always_inline __u32 attach_type_of(struct bpf_link *link)
{
	if (bpf_core_field_exists(link->attach_type))
		return BPF_CORE_READ(link, attach_type);
	return BPF_CORE_READ((struct bpf_cgroup_link *)link, type);
}

#endif /* CM_GUARD_TYPES_BPF_H */
