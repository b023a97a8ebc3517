/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * I/O refused for what it is, however seldom: by the flags of a file, its size, its type of file
 * system, the length of a write, and what may become code. Not a matter of buckets: of the scopes
 * on a path the strictest decides.
 */
#ifndef IO_BPF_H
#define IO_BPF_H

#include "call.bpf.h"

#define PROT_EXEC	0x4
#define VM_EXEC		0x4
#define F_SETFL		4
#define ATTR_SIZE	(1 << 3)
#define O_APPEND_BIT	00002000
#define O_DSYNC_BIT	00010000 /* also in O_SYNC */
#define O_DIRECT_BIT	00040000
#define S_IFMT		0170000
#define S_IFREG		0100000
#define S_IFIFO		0010000
#define S_IWUSR		00200
#define S_IWGRP		00020
#define S_IWOTH		00002
#define TMPFS_MAGIC	0x01021994
#define HUGETLBFS_MAGIC 0x958458f6
#define KIB		10 /* as a shift */

/* A mount of the kernel's own, for what has no path. */
#define MNT_NS_INTERNAL ((__u64)-22)

/* May a knob bind the caller? If so, *ret_scope is its row, if that is known. */
#define may_bind(NAME, RET_SCOPE)                                                                  \
	(cm_is_anywhere(NAME) && (!cm_own_is_outside(RET_SCOPE) || cm_system(NAME)))

#define binds(NAME, RET_SCOPE)                                                                     \
	(may_bind(NAME, RET_SCOPE) && !is_kernel_thread() &&                                       \
	 (*(RET_SCOPE) = known_row(*(RET_SCOPE)), true))

/* The verdict, which may be a refusal that is one too many (abuse.bpf.h). */
static __always_inline long counted(long verdict)
{
	refused(verdict);
	return verdict;
}

/* A knob's value, where it is to be compared and not to be used as it is. */
static __always_inline struct cm_value where(bool is_enforced, bool is_shadow)
{
	return (struct cm_value){ is_enforced, is_shadow };
}

static __always_inline struct cm_value beyond(struct cm_value limit, __u32 shift, __u64 amount)
{
	return where(limit.enforced > 0 && amount > (__u64)limit.enforced << shift,
		     limit.shadow > 0 && amount > (__u64)limit.shadow << shift);
}

/* --- types of file systems */

#define AS_BIT(NAME)  FS_##NAME,
#define AS_NAME(NAME) { .text = #NAME },

enum {
	FS_TYPES(AS_BIT) FS_OTHER
};

/* The longest one ends within two words. */
union fs_name {
	char text[16];
	__u64 words[2];
};

static const union fs_name fs_names[] = { FS_TYPES(AS_NAME) };

CM_ASSERT(sizeof(fs_names) == FS_OTHER * sizeof(union fs_name) && FS_OTHER == 30,
	  "a knob has 31 bits, the last one for all other types");

#define FS_BIT(NAME) (1u << FS_##NAME)

/* Files that are no data: what is written there has a place, and nothing grows. */
#define FS_WITHOUT_SIZE                                                                            \
	(FS_BIT(proc) | FS_BIT(sysfs) | FS_BIT(cgroup2) | FS_BIT(debugfs) | FS_BIT(tracefs) |      \
	 FS_BIT(securityfs) | FS_BIT(bpf))

static __always_inline const char *fs_name_of(const struct file *file)
{
	return BPF_CORE_READ(file, f_inode, i_sb, s_type, name);
}

/* The bit in deny_fs of a type by its name. Not static: see cm_forget(). */
__noinline __u32 fs_bit(__u64 name)
{
	union fs_name own = {};
	__u32 i;

	bpf_probe_read_kernel_str(own.text, sizeof(own.text), (const void *)name);
	for (i = 0; i < FS_OTHER; i++)
		if (own.words[0] == fs_names[i].words[0] && own.words[1] == fs_names[i].words[1])
			return 1u << i;
	return 1u << FS_OTHER;
}

/* --- what is opened */

static __always_inline bool is_fifo(const struct file *file)
{
	return (file->f_inode->i_mode & S_IFMT) == S_IFIFO;
}

static __always_inline struct cm_value of_fs(struct cm_value value, const struct file *file)
{
	__u32 bit = fs_bit((__u64)fs_name_of(file));

	return where(value.enforced & bit, value.shadow & bit);
}

/* A pipe with O_DIRECT is one of packets: that has nothing to do with a disk. */
static __always_inline long refuse_open(volatile cm_counter_line *cm_here, const struct file *file,
					__u32 scope)
{
	struct cm_place place = cm_place_of(&file->f_path);
	long verdict = CM_ALLOW;

	if (is_kernel_thread())
		return CM_ALLOW;
	scope = known_row(scope);
	if (file->f_flags & O_DIRECT_BIT && !is_fifo(file))
		verdict = cm_deny_for(cm_value_of(scope, deny_direct), EINVAL, "file.open",
				      "deny_direct", cm_path("path", &place));
	if (!verdict && file->f_flags & O_DSYNC_BIT)
		verdict = cm_deny_for(cm_value_of(scope, deny_sync), EPERM, "file.open",
				      "deny_sync", cm_path("path", &place));
	if (!verdict && cm_is_anywhere(deny_fs))
		verdict = cm_deny_for(of_fs(cm_value_of(scope, deny_fs), file), EPERM, "file.open",
				      "deny_fs", cm_path("path", &place),
				      cm_text("type", fs_name_of(file)));
	return counted(verdict);
}

/* The other way to O_DIRECT; fcntl(2) leaves O_SYNC and O_DSYNC as they are. */
CM_HOOK(file_fcntl, struct file *file, unsigned int command, unsigned long argument)
{
	struct cm_place place;
	__u32 scope = 0;

	if (command != F_SETFL || !(argument & O_DIRECT_BIT) || file->f_flags & O_DIRECT_BIT ||
	    is_fifo(file) || !binds(deny_direct, &scope))
		return CM_ALLOW;
	place = cm_place_of(&file->f_path);
	return counted(cm_deny_for(cm_value_of(scope, deny_direct), EINVAL, "file.fcntl",
				   "deny_direct", cm_path("path", &place)));
}

/* --- what is written */

/* Where the call's data or room ends in the file; 0: there is none. */
static __always_inline __u64 end_of(const struct call *call, const struct file *file)
{
	__u64 at = call->at;

	if (!call->length)
		return 0;
	if (call->flags & RWF_APPEND ||
	    (file->f_flags & O_APPEND_BIT && !(call->flags & RWF_NOAPPEND)))
		at = AT_END;
	if (call->kind == CALL_ROOM)
		at = call->at;
	if (at == AT_END)
		at = file->f_inode->i_size;
	else if (at == AT_POSITION)
		at = file->f_pos;
	return at + call->length;
}

static __always_inline bool has_size(const struct file *file)
{
	return (file->f_inode->i_mode & S_IFMT) == S_IFREG &&
	       !(fs_bit((__u64)fs_name_of(file)) & FS_WITHOUT_SIZE);
}

/*
 * What moves data may ask for more than there is, so it does not say what it would write: programs
 * that get EINVAL go on by reading and writing. A call that is not known might be any.
 */
#define refuse_beyond(NAME, SHIFT, AMOUNT, ERROR)                                                  \
	({                                                                                         \
		struct cm_value limit_ = cm_value_of(scope, NAME);                                 \
		long refused_;                                                                     \
                                                                                                   \
		if (call.kind == CALL_UNKNOWN)                                                     \
			refused_ = cm_deny_for(limit_, EOPNOTSUPP, "file.write", #NAME ".unknown", \
					       cm_path("path", &place));                           \
		else                                                                               \
			refused_ = cm_deny_for(beyond(limit_, SHIFT, AMOUNT),                      \
					       call.kind == CALL_MOVE ? EINVAL : ERROR,            \
					       "file.write", #NAME, cm_path("path", &place));      \
		refused_;                                                                          \
	})

static __always_inline long refuse_write(volatile cm_counter_line *cm_here, const struct file *file,
					 __u32 scope)
{
	struct cm_place place = cm_place_of(&file->f_path);
	struct call call = {};
	long verdict = CM_ALLOW;

	if (is_kernel_thread())
		return CM_ALLOW;
	scope = known_row(scope);
	read_call(&call);
	if (call.flags & (RWF_SYNC | RWF_DSYNC))
		verdict = cm_deny_for(cm_value_of(scope, deny_sync), EPERM, "file.write",
				      "deny_sync", cm_path("path", &place));
	if (!verdict && cm_is_anywhere(max_write) && call.kind != CALL_ROOM)
		verdict = refuse_beyond(max_write, 0, call.length, EPERM);
	if (!verdict && cm_is_anywhere(max_file_size) && has_size(file))
		verdict = refuse_beyond(max_file_size, KIB, end_of(&call, file), EFBIG);
	return counted(verdict);
}

/* Since 6.2 a mount's mapping of ids comes first. */
extern int LINUX_KERNEL_VERSION __kconfig;

#define VERSION_6_2 (6 << 16 | 2 << 8)

/* In assembler: the compiler would compute a place in the context, which no verifier allows. */
#define read_argument(NUMBER)                                                                      \
	({                                                                                         \
		__u64 argument_;                                                                   \
                                                                                                   \
		asm volatile("%0 = *(u64 *)(%1 + " #NUMBER " * 8)" : "=r"(argument_) : "r"(ctx));  \
		argument_;                                                                         \
	})

/* Truncation, by whatever call: its size is here. The dentry and what changes: see read_argument().
 */
CM_HOOK(inode_setattr)
{
	struct dentry *dentry;
	struct iattr *change;
	__u32 scope = 0;
	long long size;

	if (!binds(max_file_size, &scope))
		return CM_ALLOW;
	if (LINUX_KERNEL_VERSION < VERSION_6_2) {
		dentry = (struct dentry *)read_argument(0);
		change = (struct iattr *)read_argument(1);
	} else {
		dentry = (struct dentry *)read_argument(1);
		change = (struct iattr *)read_argument(2);
	}
	size = BPF_CORE_READ(change, ia_size);
	if (!(BPF_CORE_READ(change, ia_valid) & ATTR_SIZE) ||
	    size <= BPF_CORE_READ(dentry, d_inode, i_size))
		return CM_ALLOW;
	return counted(cm_deny_for(beyond(cm_value_of(scope, max_file_size), KIB, size), EFBIG,
				   "file.truncate", "max_file_size",
				   cm_text("name", BPF_CORE_READ(dentry, d_name.name)),
				   cm_u64("size", size)));
}

/* --- what becomes code */

#define OPEN_OR_NAMELESS  1
#define WRITABLE_BY_MODE  2
#define WRITABLE_BY_OTHER (S_IWGRP | S_IWOTH)

/* Root owns the libraries: what counts for it is that others may write. */
static __always_inline bool is_owner(const struct inode *inode)
{
	__u32 uid = cm_current()->cred->uid.val;

	return uid && uid == BPF_CORE_READ(inode, i_uid.val);
}

/*
 * From which value of deny_exec_writable on is a file refused? 0: from none. Whether the caller is
 * in the file's group is not asked: an access list, too, shows as that group's right. Not static:
 * see cm_forget().
 */
__noinline __u32 writable_degree(__u64 address)
{
	struct file *file = (struct file *)address;
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	unsigned int mode = BPF_CORE_READ(inode, i_mode);

	if ((mode & S_IFMT) != S_IFREG)
		return 0;
	if (BPF_CORE_READ(inode, i_writecount.counter) > 0 || !BPF_CORE_READ(inode, i_nlink))
		return OPEN_OR_NAMELESS;
	if (mode & WRITABLE_BY_OTHER || (mode & S_IWUSR && is_owner(inode)))
		return WRITABLE_BY_MODE;
	return 0;
}

static __always_inline struct cm_value at_least(struct cm_value value, __s32 degree)
{
	return where(degree && value.enforced >= degree, degree && value.shadow >= degree);
}

static __always_inline struct cm_place place_of(__u64 address)
{
	struct file *file = (struct file *)address;

	return (struct cm_place){ .dentry = (__u64)BPF_CORE_READ(file, f_path.dentry),
				  .mount = cm_mount_of(BPF_CORE_READ(file, f_path.mnt)) };
}

/* ADDRESS: of the struct file. */
#define refuse_code(SCOPE, ADDRESS, ACTION)                                                        \
	({                                                                                         \
		__u64 address_ = ADDRESS;                                                          \
		struct cm_place place_ = place_of(address_);                                       \
                                                                                                   \
		cm_deny_for(at_least(cm_value_of(SCOPE, deny_exec_writable),                       \
				     writable_degree(address_)),                                   \
			    EPERM, ACTION, "deny_exec_writable", cm_path("path", &place_));        \
	})

/*
 * @file is NULL for anonymous memory, which verifiers before 6.14 do not believe: they would take
 * the question out.
 */
CM_HOOK_QUICK(mmap_file, struct file *file, unsigned long asked, unsigned long prot)
{
	__u32 scope = 0;

	if (prot & PROT_EXEC && may_bind(deny_exec_writable, &scope))
		goto ask;
	cm_done(mmap_file);
ask:
	return cm_ask(mmap_file, scope);
}

CM_HOOK_FULL(mmap_file, struct file *file, unsigned long asked, unsigned long prot)
{
	__u64 address = cm_forget((__u64)file);
	__u32 scope = hint;

	if (!address || is_kernel_thread())
		return CM_ALLOW;
	scope = known_row(scope);
	return counted(refuse_code(scope, address, "file.mmap"));
}

CM_HOOK(file_mprotect, struct vm_area_struct *area, unsigned long asked, unsigned long prot)
{
	__u64 address;
	__u32 scope = 0;

	if (!(prot & PROT_EXEC) || area->vm_flags & VM_EXEC || !binds(deny_exec_writable, &scope))
		return CM_ALLOW;
	address = (__u64)BPF_CORE_READ(area, vm_file);
	return address ? counted(refuse_code(scope, address, "file.mprotect")) : CM_ALLOW;
}

/* memfd_create(2), and shared memory of System V. */
static __always_inline bool is_memory(__u64 address)
{
	struct file *file = (struct file *)address;
	unsigned long magic = BPF_CORE_READ(file, f_inode, i_sb, s_magic);
	struct mount *mount = (struct mount *)cm_mount_of(BPF_CORE_READ(file, f_path.mnt));

	return (magic == TMPFS_MAGIC || magic == HUGETLBFS_MAGIC) &&
	       (__u64)BPF_CORE_READ(mount, mnt_ns) == MNT_NS_INTERNAL;
}

/* Here before its mapping is: of what is refused then, the caller would be killed. */
CM_HOOK(bprm_check_security, struct linux_binprm *bprm)
{
	__u64 file = cm_forget((__u64)bprm->file);
	struct cm_place place;
	long verdict = CM_ALLOW;
	__u32 scope = 0;

	if (binds(deny_memfd_exec, &scope) && is_memory(file)) {
		place = place_of(file);
		verdict = cm_deny_for(cm_value_of(scope, deny_memfd_exec), EACCES, "task.exec",
				      "deny_memfd_exec", cm_path("path", &place));
	}
	if (!verdict && binds(deny_exec_writable, &scope))
		verdict = refuse_code(scope, file, "task.exec");
	return counted(verdict);
}

#endif /* IO_BPF_H */
