/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The few kernel types that the core and our packs read, with only the members they read: libbpf
 * relocates each access to the running kernel's layout (CO-RE), so no header of a particular kernel
 * is needed to build. A policy that wants all types includes its own vmlinux.h before the SDK.
 *
 * Differences between kernel versions are quarantined here, each with the version that brought it.
 */
#ifndef CM_TYPES_BPF_H
#define CM_TYPES_BPF_H

#ifndef __VMLINUX_H__

#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct list_head {
	struct list_head *next, *prev;
};

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct hlist_head {
	struct hlist_node *first;
};

typedef struct {
	unsigned int val;
} kuid_t;

typedef struct {
	unsigned int val;
} kgid_t;

struct user_namespace {
	struct user_namespace *parent;
	int level;
	kuid_t owner;
};

/* Two 32-bit words up to 6.2, one 64-bit word since: read as the first 32 bits (see cm_has_cap). */
typedef struct {
	__u32 low;
} kernel_cap_t;

struct cred {
	kuid_t uid;
	kgid_t gid;
	kuid_t euid;
	kernel_cap_t cap_effective;
	struct user_namespace *user_ns;
};

struct kernfs_node {
	__u64 id;
};

struct cgroup_subsys_state {
	struct cgroup_subsys_state *parent;
	__u64 serial_nr;
};

struct cgroup {
	struct cgroup_subsys_state self; /* first: a parent css is its cgroup's address */
	int level;
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct xarray {
	void *xa_head;
};

struct xa_node {
	unsigned char shift;
	void *slots[64];
};

struct idr {
	struct xarray idr_rt;
};

struct pid_namespace {
	struct idr idr;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct hlist_head tasks[4];
	struct upid numbers[1];
};

struct qstr {
	unsigned int len;
	const unsigned char *name;
};

typedef struct {
	int counter;
} atomic_t;

struct file_system_type {
	const char *name;
};

struct super_block {
	unsigned long s_magic;
	struct file_system_type *s_type;
};

struct inode {
	unsigned short i_mode;
	kuid_t i_uid;
	unsigned long i_ino;
	unsigned int i_nlink;
	long long i_size;
	atomic_t i_writecount; /* open for writing so many times; below 0: must not be */
	struct super_block *i_sb;
	struct hlist_head i_dentry;
};

struct iattr {
	unsigned int ia_valid;
	long long ia_size;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

/* Not in the kernel's own headers: what a struct vfsmount is part of. */
struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	struct mnt_namespace *mnt_ns;
};

struct mnt_namespace {
	struct mount *root;
};

struct nsproxy {
	struct mnt_namespace *mnt_ns;
};

struct fs_struct {
	struct path root;
	struct path pwd;
};

struct file {
	unsigned int f_flags;
	unsigned int f_mode;
	struct inode *f_inode;
	struct path f_path;
	long long f_pos;
};

struct vm_area_struct {
	unsigned long vm_flags;
	struct file *vm_file;
};

struct linux_binprm {
	struct file *file;
};

/* A lookup that is under way, in the task that does it. */
struct nameidata {
	struct path path;
	struct inode *inode;
};

struct kernel_siginfo;
struct kern_ipc_perm;
struct thread_info {
	unsigned int status;
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int flags;
	int static_prio;
	struct fs_struct *fs;
	struct nsproxy *nsproxy;
	struct nameidata *nameidata;
	unsigned int ptrace;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	struct hlist_node pid_links[4];
	__u64 start_boottime;
	__u64 self_exec_id;
	const struct cred *real_cred;
	const struct cred *cred;
	char comm[16];
	struct css_set *cgroups;
};

struct in6_addr {
	union {
		__be32 u6_addr32[4];
	} in6_u;
};

/* A network namespace. */
struct net {
	struct hlist_head *dev_index_head; /* 256 lists of interfaces, by their index */
};

typedef struct {
	struct net *net;
} possible_net_t;

/* The peer's address and port are in network byte order, the own port in the machine's. */
struct sock_common {
	possible_net_t skc_net;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	__u16 skc_num;
	__be16 skc_dport;
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	struct in6_addr skc_v6_daddr; /* of a request socket also IPv4's, v4-mapped */
	struct in6_addr skc_v6_rcv_saddr;
	struct sock *skc_listener; /* of a request socket; NULL: it is kept nowhere (SYN cookies) */
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

struct sock {
	struct sock_common __sk_common;
	__u16 sk_type;
	__u16 sk_protocol;
	kuid_t sk_uid; /* of who made it, or has taken it over by fchown(2) */
	struct pid *sk_peer_pid;
	struct sock_cgroup_data sk_cgrp_data;
};

struct mptcp_sock {
	struct sock *first; /* the TCP socket that it begins with */
};

struct request_sock {
	struct sock_common __req_common;
};

struct socket {
	short type;
	struct sock *sk;
};

struct sockaddr {
	unsigned short sa_family;
};

/* A network interface, in a list of those of its namespace. */
struct net_device {
	char name[16];
	int ifindex;
	struct hlist_node index_hlist;
};

/* The headers are where `head` and these add up to. */
struct sk_buff {
	int skb_iif; /* index of the interface by which it has come */
	unsigned int len;
	__u16 transport_header;
	__u16 network_header;
	unsigned char *head;
};

#pragma clang attribute pop

enum {
	IPPROTO_TCP = 6,
	IPPROTO_UDP = 17,
};

enum {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT = 2,
	TCP_CLOSE = 7,
	TCP_LISTEN = 10,
};

#else /* __VMLINUX_H__: no other header may define a type again */

#define NULL		       ((void *)0)
#define offsetof(TYPE, MEMBER) __builtin_offsetof(TYPE, MEMBER)

#endif /* __VMLINUX_H__ */
#endif /* CM_TYPES_BPF_H */
