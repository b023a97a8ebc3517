// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may talk to whom? By rules that each scope has for itself; the first one that matches
 * decides, and every scope on the path and the system must accept.
 *
 *	connect4, connect6		egress: connect(2) and TCP Fast Open, of TCP and UDP
 *	sendmsg4, sendmsg6		egress: UDP to an address that the call names
 *	socket_bind, socket_listen	bind, listen
 *	bind4, bind6, getsockname4, ...	remap, see remap.bpf.h
 *	socket_create			create, and no sockets that could go around egress rules
 *	inet_conn_request		ingress: who asks to connect by TCP is not answered
 *	socket_sock_rcv_skb		ingress of what has no connections, on demand
 *
 * The subject is the calling task, of ingress the receiving socket. Nothing is asked for what is
 * connected already.
 */
#define CM_LEVELS
#define CM_RULESETS
#include "checmate.bpf.h"

CM_PACK("netfilter", .question = "Who may talk to whom?");

/* Of each scope its own value counts, for its own rules. The writer needs CAP_SYS_ADMIN. */
#define KNOB(NAME, PATH, FIELDS...)                                                                \
	CM_KNOB(NAME, "kernel/checmate/netfilter/" PATH, .cap = 21, FIELDS)

KNOB(enable, "enable", .max = 1, .init = 1,
     .help = "1: the scope's rules are asked; 0: they are kept and not asked");
KNOB(error, "errno", .max = 5,
     .words = "EPERM EACCES ECONNREFUSED ENETUNREACH EHOSTUNREACH ETIMEDOUT",
     .help = "what who is dropped gets where the rule names no errno");
CM_TIMES(log_rate, "kernel/checmate/netfilter/log_rate",
	 .help = "events at most of what the scope's rules decide; 0: as many as of the pack");

#include "decide.bpf.h"
#include "iface.bpf.h"
#include "address.bpf.h"
#include "remap.bpf.h"

EGRESS_IPV4(connect4, address, "socket.connect", EXCHANGE_PEER)
EGRESS_IPV6(connect6, address, "socket.connect", EXCHANGE_PEER)
EGRESS_IPV4(sendmsg4, address, "socket.sendmsg", EXCHANGE_TARGET)
EGRESS_IPV6(sendmsg6, address, "socket.sendmsg", EXCHANGE_TARGET)

CM_HOOK(socket_bind, struct socket *sock, struct sockaddr *address, int length)
{
	struct step step = { .query.place = NF_PLACE(NF_BIND) };
	struct sock *sk = sock->sk;

	if (!sk || !is_asked(&step.row) || !read_address(sk, address, length, &step.query))
		return CM_ALLOW;
	step.query.uid = cm_own_uid();
	return ADDRESS_VERDICT(&step, NULL, "socket.bind", cm_deny_for);
}

CM_ON_REQUEST(bind4);
CM_SOCKADDR(bind4, address)
{
	return EXCHANGE_OWN(address, SET_IPV4);
}

CM_ON_REQUEST(bind6);
CM_SOCKADDR(bind6, address)
{
	return EXCHANGE_OWN(address, SET_IPV6);
}

CM_ON_REQUEST(getsockname4);
CM_SOCKADDR_SHOWN(getsockname4, address)
{
	show_own(address);
}

CM_ON_REQUEST(getsockname6);
CM_SOCKADDR_SHOWN(getsockname6, address)
{
	show_own(address);
}

CM_ON_REQUEST(getpeername4);
CM_SOCKADDR_SHOWN(getpeername4, address)
{
	show_peer(address);
}

CM_ON_REQUEST(getpeername6);
CM_SOCKADDR_SHOWN(getpeername6, address)
{
	show_peer(address);
}

CM_HOOK(socket_listen, struct socket *sock, int backlog)
{
	struct step step = { .query.place = NF_PLACE(NF_LISTEN) };
	struct sock *sk = sock->sk;

	if (!sk || !is_asked(&step.row) || !read_own_address(sk, &step.query))
		return CM_ALLOW;
	step.query.uid = cm_own_uid();
	return ADDRESS_VERDICT(&step, NULL, "socket.listen", cm_deny_for);
}

CM_HOOK(socket_create, int family, int type, int protocol, int kern)
{
	struct step step = { .query.place = NF_PLACE_CREATE };

	if (kern || !is_asked(&step.row))
		return CM_ALLOW;
	step.query.key = NF_CREATE_KEY(family, type, protocol_meant(family, type, protocol));
	step.query.uid = cm_own_uid();
	if (!ask(&step))
		return cm_allow();
	return VERDICT(&step, NULL, "socket.create", cm_deny_for, cm_u64("family", family),
		       cm_u64("type", type), cm_u64("protocol", protocol));
}

CM_HOOK(inet_conn_request, const struct sock *sk, struct sk_buff *skb, struct request_sock *req)
{
	struct step step = { .query.place = NF_PLACE(NF_INGRESS) };

	step.row = cm_scope_of_sock(sk);
	if (!step.row && !cm_system_in_force())
		return CM_ALLOW;
	step.query.uid = cm_sock_uid(sk);
	step.query.key = NF_KEY(NF_TCP, req->__req_common.skc_num);
	set_in6(&step.query, &req->__req_common.skc_v6_daddr);
#define DENY(ARGS...) cm_packet_deny_for(sk, ##ARGS)
	return ADDRESS_VERDICT(&step, ctx, "socket.accept", DENY);
}

#include "packet.bpf.h"

/* `checmate netfilter test`: the decision without a call. */
SEC("syscall")
int netfilter_test(struct nf_test *test)
{
	struct decision decision = { .step.row = test->row };
	const struct nf_iface_name iface = test->iface;
	struct nf_query *query = &decision.step.query;
	const struct finding *found;

	query->place = NF_PLACE(test->kind) | (test->ipv6 & 1) | NF_PLACE_TEST;
	query->address[0] = test->address[0];
	query->address[1] = test->address[1];
	query->uid = test->uid;
	query->key =
		test->kind == NF_CREATE
			? NF_CREATE_KEY(test->family, test->type,
					protocol_meant(test->family, test->type, test->protocol))
			: NF_KEY(protocol_of(test->protocol), test->port);
	if (test->kind == NF_EGRESS)
		exchange(&decision.step);
	ask(&decision.step);
	decide(&decision);
	if (iface.words[0])
		decide_by_iface(&decision, &iface);
	found = objection(&decision)->verdict ? objection(&decision) : &decision.accepted;
	test->is_denied = decision.denied.verdict != 0;
	test->verdict = found->verdict;
	test->by = found->by;
	test->row = found->row;
	if (test->kind != NF_CREATE)
		test->port = (__u16)decision.step.query.key;
	return 0;
}
