// SPDX-License-Identifier: GPL-2.0-only
/* Is each hook of 2016's Checmate asked? Its arguments are those of the kernel's function. */
#include "checmate.bpf.h"

struct file;
struct msghdr;

CM_PACK("hooks_2016", .question = "Is each hook of 2016 asked?");

/* By the task's cgroup, a socket's, and without one. */
#define BY_TASK(HOOK, ARGS...)                                                                     \
	CM_HOOK(HOOK, ##ARGS)                                                                      \
	{                                                                                          \
		return cm_in_force() ? cm_allow() : CM_ALLOW;                                      \
	}
#define BY_SOCKET(HOOK, ARGS...)                                                                   \
	CM_HOOK(HOOK, struct socket *sock, ##ARGS)                                                 \
	{                                                                                          \
		return cm_sock_in_force(sock->sk) ? cm_allow() : CM_ALLOW;                         \
	}
#define UNSCOPED(HOOK, ARGS...)                                                                    \
	CM_HOOK(HOOK, ##ARGS)                                                                      \
	{                                                                                          \
		return cm_allow();                                                                 \
	}

BY_TASK(file_open, struct file *file)
BY_TASK(task_alloc, struct task_struct *task, unsigned long flags)
UNSCOPED(task_free, struct task_struct *task)
BY_TASK(unix_stream_connect, struct sock *sock, struct sock *other, struct sock *newsk)
BY_SOCKET(unix_may_send, struct socket *other)
BY_TASK(socket_create, int family, int type, int protocol, int kern)
BY_SOCKET(socket_bind, struct sockaddr *address, int length)
BY_SOCKET(socket_connect, struct sockaddr *address, int length)
BY_SOCKET(socket_listen, int backlog)
BY_SOCKET(socket_accept, struct socket *newsock)
BY_SOCKET(socket_sendmsg, struct msghdr *msg, int size)
BY_SOCKET(socket_recvmsg, struct msghdr *msg, int size, int flags)
BY_SOCKET(socket_shutdown, int how)
UNSCOPED(sk_free_security, struct sock *sk)

CM_HOOK(socket_sock_rcv_skb, struct sock *sk, struct sk_buff *skb)
{
	return cm_packet_in_force(sk) ? cm_allow() : CM_ALLOW;
}
