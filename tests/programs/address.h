/* SPDX-License-Identifier: GPL-2.0-only */
/* An address and a port as they are written, for programs of the tests. */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

union address {
	struct sockaddr any;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
	struct sockaddr_un local;
};

/* The length; what is no address ends the program. */
static socklen_t parse(const char *address, const char *port, union address *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET6, address, &ret->ipv6.sin6_addr) == 1) {
		ret->ipv6.sin6_family = AF_INET6;
		ret->ipv6.sin6_port = htons(atoi(port));
		return sizeof(ret->ipv6);
	}
	ret->ipv4.sin_family = AF_INET;
	ret->ipv4.sin_port = htons(atoi(port));
	if (inet_pton(AF_INET, address, &ret->ipv4.sin_addr) != 1)
		exit(2);
	return sizeof(ret->ipv4);
}

#endif /* ADDRESS_H */
