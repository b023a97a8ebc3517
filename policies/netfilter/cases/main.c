// SPDX-License-Identifier: GPL-2.0-only
/*
 * netfilter-cases CASE ARG...
 *
 *	compile SEED SETS	that many rulesets at random, and 1000 lookups in each
 *
 *	nested SEED		of prefixes that lie in each other as deep as can be
 *
 *	decide SEED SETS CGROUP	loaded there, and 100 decisions of the kernel's in each
 *
 *	calls SEED SETS OUTER INNER HOST HOST
 *				by calls of a task in the second of the cgroups, see calls.c
 *
 *	wrong FILE [CGROUP]	each of its cases is refused, there as well
 *
 *	rules NUMBER		so many rules that match nothing of this machine's
 *
 * A difference from the slow model is shown, with all that led to it; the exit status is 1.
 */
#include <stdlib.h>
#include <string.h>

#include "../../../loader/nf.h"
#include "cases.h"

static uint64_t word_of(const uint8_t *bytes)
{
	uint64_t word = 0;
	int i;

	for (i = 0; i < 8; i++)
		word = word << 8 | bytes[i];
	return word;
}

static int protocol_of(int protocol)
{
	return protocol == 6	 ? NF_TCP
	       : protocol == 17	 ? NF_UDP
	       : protocol == 136 ? NF_UDPLITE
	       : protocol == 132 ? NF_SCTP
	       : protocol == 1	 ? NF_ICMP
				 : NF_OTHER;
}

static void query_of(const struct question *question, struct nf_query *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->place = NF_PLACE((__u32)question->kind) | question->address.ipv6;
	ret->address[0] = word_of(question->address.bytes);
	ret->address[1] = word_of(question->address.bytes + 8);
	ret->uid = question->uid;
	ret->key = question->kind == CREATE
			   ? NF_CREATE_KEY(question->family, question->type, question->protocol)
			   : NF_KEY(protocol_of(question->protocol), question->port);
}

static __u32 find(const void *ruleset, size_t size, const struct nf_query *query,
		  const struct nf_iface_name *iface)
{
#define FIND(SIZE)                                                                                 \
	nf_find_by_iface(ruleset, 1u << (SIZE), nf_find(ruleset, 1u << (SIZE), query), iface)
	switch (size) {
	case 1u << CM_RULESET_0:
		return FIND(CM_RULESET_0);
	case 1u << CM_RULESET_1:
		return FIND(CM_RULESET_1);
	case 1u << CM_RULESET_2:
		return FIND(CM_RULESET_2);
	default:
		return FIND(CM_RULESET_3);
	}
}

char *text_of(const struct model *model, size_t *ret_size)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_size);

	if (!f)
		exit(2);
	model_print(model, f);
	fclose(f);
	return text;
}

static void *compile(const char *text, size_t size, size_t *ret_size)
{
	struct nf_rules *rules;
	char error[512];
	void *ruleset;

	if (cm_nf_parse("text", text, size, &rules, error, sizeof(error)) ||
	    cm_nf_compile(rules, &ruleset, ret_size, error, sizeof(error))) {
		fprintf(stderr, "%s\n", error);
		exit(1);
	}
	cm_nf_free(rules);
	return ruleset;
}

void expect(const struct model *model, const struct question *question, int line, int error)
{
	struct answer answer = model_answer(model, question);

	if (answer.line == line && answer.error == error)
		return;
	printf("model: line %d errno %d, here: line %d errno %d, of ", answer.line, answer.error,
	       line, error);
	question_print(question, stdout);
	puts("\nin");
	model_print(model, stdout);
	exit(1);
}

static void check(const struct model *model, uint64_t *seed, int questions)
{
	struct question question;
	const struct nf_rule *rule;
	struct nf_iface_name iface;
	struct nf_query query;
	size_t size, text_size;
	char *text = text_of(model, &text_size);
	void *ruleset = compile(text, text_size, &size);

	while (questions--) {
		model_ask(model, seed, &question);
		query_of(&question, &query);
		memset(&iface, 0, sizeof(iface));
		memcpy(&iface, question.iface, strlen(question.iface));
		rule = (const struct nf_rule *)((char *)ruleset +
						find(ruleset, size, &query, &iface));
		expect(model, &question, rule->line, rule->verdict & NF_ERRNO);
	}
	free(ruleset);
	free(text);
}

static void check_random(uint64_t seed, int sets)
{
	struct model model = { .is_real = false };
	int i;

	for (i = 0; i < sets; i++) {
		/* Mostly few, where more depends on each one; now and then many. */
		model_make(&model, &seed, 1 + random_below(&seed, i % 50 ? 40 : 2000));
		check(&model, &seed, 1000);
		free(model.rules);
	}
	printf("%d rulesets, %d decisions as the model has them\n", sets, sets * 1000);
}

/* 0, 10, 110, 1110, ...: each bit parts one off; and all of them within each other. */
static void check_nested(uint64_t seed)
{
	struct model model = { .rules = calloc(600, sizeof(*model.rules)) };
	struct range range;
	int len, outside;

	if (!model.rules)
		exit(2);
	for (outside = 0; outside < 2; outside++) {
		for (len = 1; len <= 128; len++) {
			struct rule *rule = &model.rules[model.nr++];

			memset(&range, 0, sizeof(range));
			range.address.ipv6 = true;
			memset(range.address.bytes, 0xff, 16);
			range.len = len;
			range.address.bytes[(len - 1) / 8] ^= outside ? 0x80 >> (len - 1) % 8 : 0;
			for (int bit = len; bit < 128; bit++)
				range.address.bytes[bit / 8] &= ~(0x80 >> bit % 8);
			*rule = (struct rule){ .kind = EGRESS,
					       .protocol = -1,
					       .nr_ranges = 1,
					       .ranges = { range },
					       .error = len % 7 + 1,
					       .line = model.nr };
		}
		check(&model, &seed, 20000);
	}
	puts("nested prefixes as the model has them");
	free(model.rules);
}

static void print_rules(int number)
{
	uint64_t seed = 20261129;
	int i;

	for (i = 0; i < number; i++) {
		uint32_t a = random_below(&seed, 1 << 24), b = random_below(&seed, 1 << 24);

		if (i % 2)
			printf("egress tcp to 10.%u.%u.%u port %u accept\n", a >> 16, a >> 8 & 255,
			       a & 255, b & 0xffff);
		else
			printf("egress tcp to fd%02x:%x::%x port %u accept\n", b >> 16, a >> 16,
			       a & 0xffff, b & 0xffff);
	}
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 0;

	if (seed && strcmp(argv[1], "rules") && strcmp(argv[1], "wrong"))
		printf("seed %llu\n", (unsigned long long)seed);
	if (argc == 4 && seed && !strcmp(argv[1], "compile"))
		check_random(seed, atoi(argv[3]));
	else if (argc == 3 && seed && !strcmp(argv[1], "nested"))
		check_nested(seed);
	else if (argc == 5 && seed && !strcmp(argv[1], "decide"))
		decide_random(seed, atoi(argv[3]), argv[4]);
	else if (argc == 8 && seed && !strcmp(argv[1], "calls"))
		call_random(seed, atoi(argv[3]), (const char **)argv + 4, (const char **)argv + 6);
	else if ((argc == 3 || argc == 4) && !strcmp(argv[1], "wrong"))
		refuse_wrong(argv[2], argv[3]);
	else if (argc == 3 && !strcmp(argv[1], "rules"))
		print_rules(atoi(argv[2]));
	else
		return 2;
	return 0;
}
