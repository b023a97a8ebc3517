// SPDX-License-Identifier: GPL-2.0-only
/* Decisions of the kernel's, as `checmate netfilter test` gets them. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "checmate.h"

void must(struct cm *cm, int err)
{
	if (!err)
		return;
	fprintf(stderr, "%s\n", cm_error(cm));
	exit(1);
}

static void query_of(const struct question *question, struct cm_netfilter_query *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->kind = question->kind;
	ret->port = question->port;
	ret->family = question->family;
	ret->type = question->type;
	ret->protocol = question->protocol;
	ret->uid = question->uid;
	memcpy(ret->iface, question->iface, strlen(question->iface));
	if (question->address.ipv6) {
		memcpy(ret->address, question->address.bytes, 16);
	} else {
		memset(ret->address + 10, 0xff, 2);
		memcpy(ret->address + 12, question->address.bytes, 4);
	}
}

void load(struct cm *cm, const char *cgroup, const struct model *model)
{
	size_t size;
	char *text = text_of(model, &size);

	must(cm, cm_netfilter_load(cm, cgroup, CM_ENFORCE, "text", text, size));
	free(text);
}

static void decide_on(struct cm *cm, const char *cgroup, const struct model *model, uint64_t *seed,
		      int questions)
{
	struct cm_netfilter_answer answer;
	struct cm_netfilter_query query;
	struct question question;

	load(cm, cgroup, model);
	while (questions--) {
		model_ask(model, seed, &question);
		query_of(&question, &query);
		must(cm, cm_netfilter_test(cm, cgroup, &query, &answer));
		if (answer.is_denied != !!answer.error) {
			puts("denied and no errno, or an errno and not denied");
			exit(1);
		}
		expect(model, &question, answer.line, answer.error);
		free(answer.rule);
	}
}

void decide_random(uint64_t seed, int sets, const char *cgroup)
{
	struct model model = { .is_real = false };
	struct cm *cm = NULL;
	int i;

	must(cm, cm_open(CM_OPEN_WRITE, &cm));
	for (i = 0; i < sets; i++) {
		/* Of all the sizes that there are but the largest. */
		model_make(&model, &seed, i % 10 == 9 ? 3000 : i % 10 == 4 ? 200 : 20);
		decide_on(cm, cgroup, &model, &seed, 100);
		free(model.rules);
	}
	cm_close(cm);
	printf("%d rulesets, %d decisions as the model has them\n", sets, sets * 100);
}
