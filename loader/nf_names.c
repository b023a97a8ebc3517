// SPDX-License-Identifier: GPL-2.0-only
/* Names and numbers in the language of the pack netfilter. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "nf.h"

struct name {
	const char *name;
	int number;
};

static const struct name families[] = {
	{ "unix", AF_UNIX },
	{ "inet", AF_INET },
	{ "ipv4", AF_INET },
	{ "inet6", AF_INET6 },
	{ "ipv6", AF_INET6 },
	{ "ax25", AF_AX25 },
	{ "ipx", AF_IPX },
	{ "appletalk", AF_APPLETALK },
	{ "netrom", AF_NETROM },
	{ "x25", AF_X25 },
	{ "rose", AF_ROSE },
	{ "key", AF_KEY },
	{ "netlink", AF_NETLINK },
	{ "packet", AF_PACKET },
	{ "econet", AF_ECONET },
	{ "rds", AF_RDS },
	{ "pppox", AF_PPPOX },
	{ "llc", AF_LLC },
	{ "ib", AF_IB },
	{ "mpls", AF_MPLS },
	{ "can", AF_CAN },
	{ "tipc", AF_TIPC },
	{ "bluetooth", AF_BLUETOOTH },
	{ "iucv", AF_IUCV },
	{ "rxrpc", AF_RXRPC },
	{ "isdn", AF_ISDN },
	{ "phonet", AF_PHONET },
	{ "ieee802154", AF_IEEE802154 },
	{ "caif", AF_CAIF },
	{ "alg", AF_ALG },
	{ "nfc", AF_NFC },
	{ "vsock", AF_VSOCK },
	{ "kcm", AF_KCM },
	{ "qipcrtr", AF_QIPCRTR },
	{ "smc", AF_SMC },
	{ "xdp", AF_XDP },
	{ NULL, 0 },
};

static const struct name types[] = {
	{ "stream", SOCK_STREAM },
	{ "dgram", SOCK_DGRAM },
	{ "raw", SOCK_RAW },
	{ "rdm", SOCK_RDM },
	{ "seqpacket", SOCK_SEQPACKET },
	{ "dccp", SOCK_DCCP },
	{ "packet", SOCK_PACKET },
	{ NULL, 0 },
};

static const struct name socket_protocols[] = {
	{ "icmp", IPPROTO_ICMP },
	{ "tcp", IPPROTO_TCP },
	{ "udp", IPPROTO_UDP },
	{ "dccp", IPPROTO_DCCP },
	{ "icmpv6", IPPROTO_ICMPV6 },
	{ "sctp", IPPROTO_SCTP },
	{ "l2tp", 115 },
	{ "udplite", IPPROTO_UDPLITE },
	{ "mptcp", 262 },
	{ NULL, 0 },
};

static const struct name protocols[] = {
	{ "tcp", NF_TCP },   { "udp", NF_UDP },	  { "udplite", NF_UDPLITE },
	{ "icmp", NF_ICMP }, { "sctp", NF_SCTP }, { "dccp", NF_DCCP },
	{ NULL, 0 },
};

/* Digits alone, at most @max; or negative */
static long number_of(const char *text, long max)
{
	char *end;
	long number;

	if (*text < '0' || *text > '9')
		return -1;
	number = strtol(text, &end, 10);
	return *end || number > max ? -1 : number;
}

static int find(const struct name *names, const char *text, int max)
{
	for (; names->name; names++)
		if (!strcmp(names->name, text))
			return names->number;
	return number_of(text, max);
}

int cm_nf_family(const char *name)
{
	return find(families, name, 255);
}

int cm_nf_type(const char *name)
{
	return find(types, name, 15);
}

int cm_nf_socket_protocol(const char *name)
{
	return find(socket_protocols, name, 65535);
}

int cm_nf_protocol(const char *name)
{
	return find(protocols, name, -1);
}

uint64_t nf_word_of(const unsigned char *bytes)
{
	uint64_t word = 0;
	int i;

	for (i = 0; i < 8; i++)
		word = word << 8 | bytes[i];
	return word;
}

static void cut(struct nf_prefix *prefix)
{
	int len = prefix->len;

	prefix->bits[0] &= len >= 64 ? ~0ull : len ? ~0ull << (64 - len) : 0;
	prefix->bits[1] &= len >= 128 ? ~0ull : len > 64 ? ~0ull << (128 - len) : 0;
}

/* What looks like no address at all: it has a letter, and no colon as IPv6 does. */
static bool is_name(const char *text, size_t size)
{
	return !memchr(text, ':', size) &&
	       strcspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") < size;
}

const char *cm_nf_prefix(const char *text, struct nf_prefix *ret)
{
	unsigned char bytes[16] = {};
	char address[INET6_ADDRSTRLEN + 1];
	const char *slash = strchr(text, '/');
	size_t size = slash ? (size_t)(slash - text) : strlen(text);
	struct nf_prefix whole;
	long len;

	if (is_name(text, size))
		return "is a name, and names are not resolved: write its address (\"getent ahosts "
		       "NAME\" shows it)";
	if (size >= sizeof(address))
		return "is not an address: write one such as 10.0.0.0/8 or fd00::/8";
	memcpy(address, text, size);
	address[size] = '\0';
	*ret = (struct nf_prefix){ .ipv6 = strchr(address, ':') };
	if (inet_pton(ret->ipv6 ? AF_INET6 : AF_INET, address, bytes) != 1)
		return strchr(text, '-') ? "is not an address: of a range write the prefixes, "
					   "such as 10.0.0.0/30, 10.0.0.4"
					 : "is not an address: write one such as 10.0.0.0/8 or "
					   "fd00::/8";
	len = slash ? number_of(slash + 1, ret->ipv6 ? 128 : 32) : ret->ipv6 ? 128 : 32;
	if (len < 0)
		return ret->ipv6 ? "has no such prefix: its length goes from /0 to /128"
				 : "has no such prefix: its length goes from /0 to /32";
	ret->bits[0] = nf_word_of(bytes);
	ret->bits[1] = ret->ipv6 ? nf_word_of(bytes + 8) : 0;
	ret->len = len;
	if (ret->ipv6 && len >= 96 && !ret->bits[0] && ret->bits[1] >> 32 == 0xffff)
		*ret = (struct nf_prefix){ .bits = { ret->bits[1] << 32 }, .len = len - 96 };
	whole = *ret;
	cut(ret);
	return memcmp(whole.bits, ret->bits, sizeof(whole.bits))
		       ? "has bits behind its prefix: make them zero, or the prefix longer"
		       : NULL;
}
