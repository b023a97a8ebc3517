/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The slow model: rules at random, as a text in the pack's language, and the one that decides,
 * found by looking at each. It shares nothing with the loader.
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum kind {
	EGRESS,
	INGRESS,
	BIND,
	LISTEN,
	CREATE,
	KINDS
};

struct address {
	uint8_t bytes[16]; /* IPv4: the first four */
	bool ipv6;
};

struct range {
	struct address address;
	int len;
};

struct rule {
	enum kind kind;
	bool policy;
	int family;   /* 0 any, 4, 6; of CREATE a number, -1 any */
	int protocol; /* -1 any; else its number as the kernel has it */
	int nr_ranges, nr_ports;
	struct range ranges[4];
	int ports[4][2];
	int type; /* of CREATE; -1 any */
	int nr_uids;
	uint32_t uids[3][2];
	int nr_ifaces; /* of INGRESS */
	const char *ifaces[3];
	int error;
	int line;
};

struct question {
	enum kind kind;
	struct address address;
	int protocol, port;
	int family, type; /* of CREATE */
	uint32_t uid;
	const char *iface; /* of INGRESS; "": there is none */
};

struct answer {
	int line; /* 0: nobody wrote the rule */
	int error;
};

struct model {
	int nr;
	struct rule *rules;
	bool is_real; /* only of what calls.c brings about by calls */
};

uint32_t random_below(uint64_t *seed, uint32_t limit);
void model_make(struct model *model, uint64_t *seed, int nr);
void model_print(const struct model *model, FILE *f);
void model_ask(const struct model *model, uint64_t *seed, struct question *ret);
struct answer model_answer(const struct model *model, const struct question *question);
void question_print(const struct question *question, FILE *f);

#endif /* MODEL_H */
