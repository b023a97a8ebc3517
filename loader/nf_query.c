// SPDX-License-Identifier: GPL-2.0-only
/* What `checmate netfilter test` is asked, from words. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checmate.h"
#include "nf.h"

struct asked {
	struct cm_netfilter_query *query;
	char *error;
	size_t error_size;
};

static int refuse(const struct asked *asked, const char *word, const char *what)
{
	snprintf(asked->error, asked->error_size, "\"%.100s\" %s", word, what);
	return -EINVAL;
}

static void put_word(uint8_t *bytes, uint64_t word)
{
	int i;

	for (i = 0; i < 8; i++)
		bytes[i] = word >> (56 - 8 * i);
}

static void put_address(struct cm_netfilter_query *query, const struct nf_prefix *prefix)
{
	if (prefix->ipv6) {
		put_word(query->address, prefix->bits[0]);
		put_word(query->address + 8, prefix->bits[1]);
	} else {
		put_word(query->address, 0);
		put_word(query->address + 8, 0xffff00000000ull | prefix->bits[0] >> 32);
	}
}

/* "10.0.0.1:80", "[fd00::1]:80"; without a port it is 0. */
static int parse_address(const struct asked *asked, const char *word)
{
	char address[64];
	const char *rest, *wrong;
	struct nf_prefix prefix;
	unsigned long port = 0;
	char *end = "";
	size_t len;

	rest = word[0] == '[' ? strchr(word, ']') : strchr(word, ':');
	if (word[0] != '[' && rest && strchr(rest + 1, ':'))
		rest = NULL; /* IPv6 without a port */
	len = rest ? (size_t)(rest - word) : strlen(word);
	if (len >= sizeof(address) || strchr(word, '/') || (word[0] == '[' && !rest))
		return refuse(asked, word, "is not ADDRESS:PORT");
	snprintf(address, sizeof(address), "%.*s", (int)len, word);
	wrong = cm_nf_prefix(address + (word[0] == '['), &prefix);
	if (wrong)
		return refuse(asked, word, wrong);
	if (rest)
		rest += *rest == ']';
	if (rest && *rest == ':' && rest[1] >= '0' && rest[1] <= '9')
		port = strtoul(rest + 1, &end, 10);
	else if (rest && *rest)
		end = "?";
	if (*end || port > 65535)
		return refuse(asked, word, "has a port that is none: they go from 0 to 65535");
	put_address(asked->query, &prefix);
	asked->query->port = port;
	return 0;
}

static int parse_uid(const struct asked *asked, const char *word)
{
	unsigned long uid;
	char *end;

	uid = strtoul(word, &end, 10);
	if (word[0] < '0' || word[0] > '9' || *end || uid > NF_UID_MAX)
		return refuse(asked, word, "is no uid: write a number");
	asked->query->uid = uid;
	return 0;
}

static int parse_iface(const struct asked *asked, const char *word)
{
	struct nf_iface_name name;
	const char *wrong = cm_nf_iface(word, &name);

	if (wrong)
		return refuse(asked, word, wrong);
	memcpy(asked->query->iface, &name, sizeof(name));
	return 0;
}

/* "uid 1000", of ingress "iface eth0", both or nothing. */
static int parse_rest(const struct asked *asked, const char *const *words)
{
	bool is_ingress = asked->query->kind == NF_INGRESS;
	int err = 0;

	for (; !err && words[0]; words += 2) {
		if (strcmp(words[0], "uid") && !(is_ingress && !strcmp(words[0], "iface")))
			return refuse(asked, words[0],
				      is_ingress ? "is not asked: \"uid N\" and \"iface NAME\" may "
						   "stand here"
						 : "is not asked: \"uid N\" may stand here");
		if (!words[1])
			return refuse(asked, words[0], "needs a word behind it");
		err = words[0][0] == 'u' ? parse_uid(asked, words[1])
					 : parse_iface(asked, words[1]);
	}
	return err;
}

static int parse_create(const struct asked *asked, const char *const *words)
{
	int family = words[1] ? cm_nf_family(words[1]) : -1;
	int type = words[1] && words[2] ? cm_nf_type(words[2]) : -1;
	bool has_protocol = type >= 0 && words[3] && strcmp(words[3], "uid");
	int protocol = 0;

	if (!words[1] || !words[2])
		return refuse(asked, words[0], "needs FAMILY TYPE [PROTOCOL] [uid N]");
	if (has_protocol)
		protocol = cm_nf_socket_protocol(words[3]);
	if (family < 0)
		return refuse(asked, words[1], "is no family that is known here: give its number");
	if (type < 0)
		return refuse(asked, words[2], "is no type: stream, dgram, raw and seqpacket are");
	if (protocol < 0)
		return refuse(asked, words[3],
			      "is no protocol that is known here: give its number");
	asked->query->family = family;
	asked->query->type = type;
	asked->query->protocol = protocol;
	return parse_rest(asked, words + 3 + has_protocol);
}

int cm_netfilter_query(const char *const *words, struct cm_netfilter_query *ret, char *error,
		       size_t error_size)
{
	static const char *const kinds[] = { [NF_EGRESS] = "egress",
					     [NF_INGRESS] = "ingress",
					     [NF_BIND] = "bind",
					     [NF_LISTEN] = "listen",
					     [NF_CREATE] = "create" };
	const struct asked asked = { ret, error, error_size };
	uint32_t kind = 0;
	int protocol;

	memset(ret, 0, sizeof(*ret));
	if (!words[0])
		return refuse(&asked, "test", "needs what is to be asked");
	while (kind < NF_KINDS && strcmp(words[0], kinds[kind]))
		kind++;
	if (kind == NF_KINDS)
		return refuse(&asked, words[0],
			      "is not asked: egress, ingress, bind, listen and create are");
	ret->kind = kind;
	if (kind == NF_CREATE)
		return parse_create(&asked, words);
	if (!words[1] || !words[2])
		return refuse(&asked, words[0], "needs PROTOCOL ADDRESS:PORT [uid N] [iface NAME]");
	protocol = cm_nf_socket_protocol(words[1]);
	if (protocol < 0)
		return refuse(&asked, words[1], "is no protocol: tcp and udp are");
	ret->protocol = protocol;
	return parse_address(&asked, words[2]) ?: parse_rest(&asked, words + 3);
}
