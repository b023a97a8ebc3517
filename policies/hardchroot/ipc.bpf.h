/* SPDX-License-Identifier: GPL-2.0-only */
/* What has a name that is not in the file system: abstract Unix sockets, System V IPC. */
#ifndef IPC_BPF_H
#define IPC_BPF_H

#ifndef __VMLINUX_H__
struct sockaddr_un {
	unsigned short sun_family;
	char sun_path[108];
} __attribute__((preserve_access_index));

struct unix_address {
	int len;
	struct sockaddr_un name[0];
} __attribute__((preserve_access_index));

struct unix_sock {
	struct sock sk;
	struct unix_address *addr;
} __attribute__((preserve_access_index));
#endif

/* --- abstract Unix sockets --- */

CM_HOOK(socket_post_create, struct socket *sock, int family)
{
	if (family == AF_UNIX)
		remember_maker((__u64)sock->sk);
	return CM_ALLOW;
}

/* Whoever gives it its name answers for it. */
CM_HOOK(socket_bind, struct socket *sock, struct sockaddr *address)
{
	struct sock *sk = sock->sk;

	if (sk && sk->__sk_common.skc_family == AF_UNIX)
		remember_maker((__u64)sk);
	return CM_ALLOW;
}

static __always_inline bool is_abstract(const struct sock *sk)
{
	struct unix_address *address = BPF_CORE_READ((const struct unix_sock *)sk, addr);
	unsigned char first = 1;

	if (!address || BPF_CORE_READ(address, len) <= (int)sizeof(short))
		return false;
	bpf_probe_read_kernel(&first, sizeof(first),
			      (char *)address + bpf_core_field_offset(struct unix_address, name) +
				      bpf_core_field_offset(struct sockaddr_un, sun_path));
	return !first;
}

/* The process that called listen(2) on a socket from before the pack was loaded; NULL if unknown.
 */
static __always_inline const struct task_struct *listener_of(const struct sock *sk)
{
	struct pid *pid = BPF_CORE_READ(sk, sk_peer_pid);
	__u64 first;

	if (!pid)
		return NULL;
	first = (__u64)BPF_CORE_READ(pid, tasks[1].first);
	return first ? (const struct task_struct *)(first -
						    bpf_core_field_offset(struct task_struct,
									  pid_links[1]))
		     : NULL;
}

static __noinline bool is_reachable(__u64 address, const struct cm_place *root)
{
	const struct sock *sk = (const struct sock *)address;
	const struct task_struct *listener;

	if (!root || !is_abstract(sk))
		return true;
	if (bpf_map_lookup_elem(&makers, &address))
		return is_made_below(address, root);
	listener = listener_of(sk);
	return listener && is_task_below(listener, root);
}

CM_HOOK(unix_stream_connect, struct sock *sk, struct sock *other)
{
	struct cm_place root;

	if (!is_concerned(deny_unix, &root) || is_reachable((__u64)other, &root))
		return CM_ALLOW;
	return refuse(deny_unix, EPERM, "unix.connect", &root);
}

CM_HOOK(unix_may_send, struct socket *sock, struct socket *other)
{
	struct sock *to = other->sk;
	struct cm_place root;

	if (!to || !is_concerned(deny_unix, &root) || is_reachable((__u64)to, &root))
		return CM_ALLOW;
	return refuse(deny_unix, EPERM, "unix.send", &root);
}

/* --- System V --- */

CM_HOOK(shm_alloc_security, struct kern_ipc_perm *perm)
{
	remember_maker((__u64)perm);
	return CM_ALLOW;
}

CM_HOOK(msg_queue_alloc_security, struct kern_ipc_perm *perm)
{
	remember_maker((__u64)perm);
	return CM_ALLOW;
}

CM_HOOK(sem_alloc_security, struct kern_ipc_perm *perm)
{
	remember_maker((__u64)perm);
	return CM_ALLOW;
}

/* Asked for each use of all three kinds. */
CM_HOOK(ipc_permission, struct kern_ipc_perm *perm)
{
	struct cm_place root;

	if (!is_concerned(deny_shmat, &root) || is_made_below((__u64)perm, &root))
		return CM_ALLOW;
	return refuse(deny_shmat, EACCES, "ipc.permission", &root);
}

#endif /* IPC_BPF_H */
