/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Socket addresses as LSM hooks get them: a pointer into the kernel's memory and a length, both the
 * caller's choice and checked by nobody yet. Private half of the SDK.
 */
#ifndef CM_NET_BPF_H
#define CM_NET_BPF_H

/* Constants of the socket interface; a macro has no type information to be taken from. */
#ifndef AF_INET
#define AF_UNSPEC 0
#define AF_UNIX	  1
#define AF_INET	  2
#define AF_INET6  10
#endif

#ifndef SOCK_STREAM
#define SOCK_STREAM 1
#define SOCK_DGRAM  2
#define SOCK_RAW    3
#endif

#define CM_SOCKADDR_IN_LEN  16
#define CM_SOCKADDR_IN6_LEN 24 /* RFC 2133's: without the scope id */

/* An IPv4 address and port, both in network byte order. */
struct cm_ipv4_address {
	__u32 address;
	__u16 port;
	__u16 zero; /* no padding: may be the key of a map */
};

/*
 * cm_read_ipv4 - the IPv4 address that @ADDRESS of @LENGTH bytes names
 *
 * That of AF_INET, and of AF_INET6 an address such as ::ffff:127.0.0.1, by which an IPv6 socket
 * speaks IPv4. False if it names none.
 */
static __always_inline bool cm_read_ipv4(const struct sockaddr *address, int length,
					 struct cm_ipv4_address *ret)
{
	struct {
		__u16 family, port;
		__u32 word, words[4]; /* AF_INET: address, unused; AF_INET6: flow, address */
	} any = {};

	*ret = (struct cm_ipv4_address){};
	/* The kernel refuses what is shorter. */
	if (length < CM_SOCKADDR_IN_LEN || bpf_probe_read_kernel(&any, CM_SOCKADDR_IN_LEN, address))
		return false;
	ret->port = any.port;
	if (any.family == AF_INET) {
		ret->address = any.word;
		return true;
	}
	if (any.family != AF_INET6 || length < CM_SOCKADDR_IN6_LEN ||
	    bpf_probe_read_kernel(&any, CM_SOCKADDR_IN6_LEN, address))
		return false;
	ret->address = any.words[3];
	return !any.words[0] && !any.words[1] && any.words[2] == bpf_htonl(0xffff);
}

/*
 * cm_read_port - the port that @ADDRESS names, IPv4 or IPv6, in network byte order
 *
 * AF_UNSPEC counts: bind(2) takes it for AF_INET.
 */
static __always_inline bool cm_read_port(const struct sockaddr *address, int length, __u16 *ret)
{
	struct {
		__u16 family, port;
	} any = {};

	if (length < (int)sizeof(any) || bpf_probe_read_kernel(&any, sizeof(any), address))
		return false;
	*ret = any.port;
	return any.family == AF_INET || any.family == AF_INET6 || any.family == AF_UNSPEC;
}

#endif /* CM_NET_BPF_H */
