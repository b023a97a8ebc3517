/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Places in the file system, and how an event tells them. Private half of the SDK.
 *
 * A place is a dentry seen through a mount, as in the kernel's struct path. Nothing is locked here:
 * what is renamed or mounted meanwhile is met as it was before or as it is after.
 */
#ifndef CM_PATH_BPF_H
#define CM_PATH_BPF_H

/* Addresses to read from; the mount is the struct mount around the vfsmount. */
struct cm_place {
	__u64 dentry;
	__u64 mount;
};

static __always_inline __u64 cm_mount_of(const struct vfsmount *mnt)
{
	return (__u64)mnt - bpf_core_field_offset(struct mount, mnt);
}

/* cm_place_of - the place that a hook's struct path names */
static __always_inline struct cm_place cm_place_of(const struct path *path)
{
	return (struct cm_place){ .dentry = (__u64)path->dentry, .mount = cm_mount_of(path->mnt) };
}

/* More than any depth that fits in memory; reached only if the kernel's data is broken. */
#define CM_MAX_COMPONENTS (1 << 20)

/* Where a mount's root is mounted; false at the end of all: a namespace's root, a detached tree. */
static __always_inline bool cm_leave_mount(struct cm_place *place)
{
	struct mount *mount = (struct mount *)place->mount;
	__u64 parent = (__u64)BPF_CORE_READ(mount, mnt_parent);

	if (!parent || parent == place->mount)
		return false;
	place->dentry = (__u64)BPF_CORE_READ(mount, mnt_mountpoint);
	place->mount = parent;
	return true;
}

static __always_inline bool cm_is_mount_root(const struct cm_place *place)
{
	struct mount *mount = (struct mount *)place->mount;

	return place->dentry == (__u64)BPF_CORE_READ(mount, mnt.mnt_root);
}

/* The directory a name is in; 0 at the root of all. */
static __always_inline __u64 cm_parent_of(__u64 address)
{
	struct dentry *dentry = (struct dentry *)address;
	__u64 parent = (__u64)BPF_CORE_READ(dentry, d_parent);

	return parent == address ? 0 : parent;
}

struct cm_below {
	struct cm_place at;
	struct cm_place root;
	bool found;
};

static long cm_below_step(__u64 i, struct cm_below *walk)
{
	__u64 parent;

	if (walk->at.dentry == walk->root.dentry && walk->at.mount == walk->root.mount) {
		walk->found = true;
		return 1;
	}
	if (cm_is_mount_root(&walk->at))
		return !cm_leave_mount(&walk->at);
	parent = cm_parent_of(walk->at.dentry);
	walk->at.dentry = parent;
	return !parent;
}

/*
 * Functions that are not static are verified once, not at each call. What they are given may be
 * NULL for all that the verifier knows then, and they must return a number.
 */

/* cm_is_below - is @place @root or below it, as a path would lead there? */
__noinline bool cm_is_below(const struct cm_place *place, const struct cm_place *root)
{
	struct cm_below walk = {};

	if (!place || !root)
		return false;
	walk.at = *place;
	walk.root = *root;
	bpf_loop(CM_MAX_COMPONENTS, cm_below_step, &walk, 0);
	return walk.found;
}

/*
 * Where a path is written, from its end, in the lower half; a name may run into the upper one. One
 * for each CPU, and never for two programs at once: on a kernel that preempts the second one does
 * without.
 */
struct cm_path_text {
	__u32 taken;
	__u32 begin; /* here, and not on the stack: the verifier would follow its values */
	char text[2 * CM_FIELD_LEN];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cm_path_text);
} cm_path_texts SEC(".maps");

#define CM_PATH_DOTS 3

static long cm_path_step(__u64 i, struct cm_place *at)
{
	struct dentry *dentry = (struct dentry *)at->dentry;
	struct cm_path_text *text;
	__u32 len, begin, first = 0;
	__u64 parent;

	text = bpf_map_lookup_elem(&cm_path_texts, &first);
	if (!text)
		return 1;
	if (cm_is_mount_root(at))
		return !cm_leave_mount(at);
	parent = cm_parent_of(at->dentry);
	if (!parent)
		return 1;
	begin = text->begin & (CM_FIELD_LEN - 1);
	len = BPF_CORE_READ(dentry, d_name.len);
	if (len > CM_FIELD_LEN - 2 - CM_PATH_DOTS)
		len = CM_FIELD_LEN - 2 - CM_PATH_DOTS;
	if (begin < len + 1 + CM_PATH_DOTS) {
		begin = (begin - CM_PATH_DOTS) & (CM_FIELD_LEN - 1);
		__builtin_memcpy(text->text + begin, "...", CM_PATH_DOTS);
		text->begin = begin;
		return 1;
	}
	begin = (begin - len) & (CM_FIELD_LEN - 1);
	bpf_probe_read_kernel(text->text + begin, len & (CM_FIELD_LEN - 1),
			      BPF_CORE_READ(dentry, d_name.name));
	begin = (begin - 1) & (CM_FIELD_LEN - 1);
	text->text[begin] = '/';
	text->begin = begin;
	at->dentry = parent;
	return 0;
}

/* The end of the path, from the root of the mount namespace, as much of it as there is room for. */
__noinline int cm_write_path(struct cm_field *field, const struct cm_place *place)
{
	struct cm_path_text *text;
	struct cm_place at;
	__u32 begin, first = 0;

	text = bpf_map_lookup_elem(&cm_path_texts, &first);
	if (!field || !place || !text || __sync_lock_test_and_set(&text->taken, 1))
		return 0;
	at = *place;
	text->begin = CM_FIELD_LEN - 1;
	text->text[CM_FIELD_LEN - 1] = 0;
	bpf_loop(CM_MAX_COMPONENTS, cm_path_step, &at, 0);
	begin = text->begin & (CM_FIELD_LEN - 1);
	if (begin == CM_FIELD_LEN - 1)
		cm_set_text(field->bytes, "/");
	else
		bpf_probe_read_kernel_str(field->bytes, CM_FIELD_LEN, text->text + begin);
	__sync_lock_test_and_set(&text->taken, 0);
	return 0;
}

static __always_inline void cm_field_path(struct cm_field **field, const struct cm_place *place)
{
	(*field)->type = CM_FIELD_TEXT;
	cm_write_path((*field)++, place);
}

/* cm_path - a field of an event: the path of a struct cm_place, cut at its beginning */
#define cm_path(NAME, PLACE) cm_field_(NAME, cm_field_path(&field_, PLACE))

#endif /* CM_PATH_BPF_H */
