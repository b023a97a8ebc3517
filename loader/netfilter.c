// SPDX-License-Identifier: GPL-2.0-only
/* The pack netfilter: rules of a scope put in place, shown, taken away, asked. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "nf_kernel.h"
#include "nf_limit.h"
#include "nf_remap.h"

#define PACK CM_NF_PACK

/* @ret: its bytes are released with free() */
static int compile(const char *name, const char *text, size_t size, struct cm_ruleset *ret,
		   uint32_t *ret_limits, char *error, size_t error_size)
{
	struct nf_rules *rules;
	void *bytes;
	int err = cm_nf_parse(name, text, size, &rules, error, error_size);

	*ret = (struct cm_ruleset){};
	if (err)
		return err;
	memcpy(ret_limits, rules->limits, sizeof(rules->limits));
	err = cm_nf_compile(rules, &bytes, &ret->size, error, error_size);
	cm_nf_free(rules);
	if (err)
		return err;
	ret->bytes = bytes;
	ret->demands = ((struct nf_header *)bytes)->has & NF_HAS_PACKETS;
	return 0;
}

static void release(struct cm_ruleset *ruleset)
{
	free((void *)ruleset->bytes);
}

#define _cleanup_ruleset_ __attribute__((cleanup(release)))

int cm_nf_check(const char *name, const char *text, size_t size, uint32_t *ret_limits, char *error,
		size_t error_size)
{
	_cleanup_ruleset_ struct cm_ruleset ruleset;

	return compile(name, text, size, &ruleset, ret_limits, error, error_size);
}

int cm_netfilter_check(const char *name, const char *text, size_t size, char *error,
		       size_t error_size)
{
	uint32_t limits[NF_LIMITS];

	return cm_nf_check(name, text, size, limits, error, error_size);
}

/* With the row and the mode of the scope itself, 0 of the system. */
static int open_row(struct cm *cm, const char *cgroup, struct cm_pack **ret, uint32_t *ret_row,
		    enum cm_mode *ret_mode)
{
	struct cm_scope_record record;
	bool is_there = false;
	int err = cm_pack_open(cm, PACK, ret);

	if (!err)
		err = cm_scope_get(cm, *ret, cgroup, &record, &is_there);
	if (err)
		return err;
	if (!is_there)
		return cm_fail(cm, -ENOENT, "pack " PACK " is not enabled %s%s",
			       cgroup ? "in " : "system-wide", cgroup ? cgroup : "");
	*ret_row = record.scope.row;
	*ret_mode = record.scope.mode;
	return 0;
}

/* Enabled there first, if it is not; *ret_fresh says so. */
static int enable(struct cm *cm, const char *cgroup, enum cm_mode mode, bool *ret_fresh)
{
	int err = cm_pack_enable(cm, PACK, cgroup, mode, NULL);

	*ret_fresh = !err;
	return err == -EEXIST ? 0 : err;
}

static bool has(const struct cm_ruleset *ruleset, uint32_t what)
{
	return ((const struct nf_header *)ruleset->bytes)->has & what;
}

static int put_rules(struct cm *cm, struct cm_pack *pack, uint32_t row,
		     const struct cm_ruleset *ruleset)
{
	bool has_remaps = has(ruleset, NF_HAS_REMAPS);
	int err = has_remaps ? cm_nf_remap_prepare(cm, pack, row) : 0;

	if (!err)
		err = cm_ruleset_put(cm, pack, row, ruleset);
	return err || has_remaps ? err : cm_nf_remap_note(cm, pack, row, false);
}

/* A limit that is new holds before the rules do, one that is not there any more a moment longer. */
static int put(struct cm *cm, struct cm_pack *pack, const char *cgroup, uint32_t row,
	       enum cm_mode mode, const uint32_t *limits, const struct cm_ruleset *ruleset)
{
	bool has_limit = nf_has_limit(limits);
	char why[sizeof(cm->error)];
	uint32_t old[NF_LIMITS], unused[NF_LIMITS];
	int err = has_limit ? nf_limit_set(cm, cgroup, mode, limits, old) : 0;

	if (err)
		return err;
	err = put_rules(cm, pack, row, ruleset);
	if (err && has_limit) {
		memcpy(why, cm->error, sizeof(why));
		nf_limit_set(cm, cgroup, mode, old, unused);
		memcpy(cm->error, why, sizeof(why));
	}
	return err || has_limit ? err : nf_limit_set(cm, cgroup, mode, limits, old);
}

int cm_netfilter_load(struct cm *cm, const char *cgroup, enum cm_mode mode, const char *name,
		      const char *text, size_t size)
{
	_cleanup_pack_ struct cm_pack *pack = NULL;
	_cleanup_ruleset_ struct cm_ruleset ruleset = {};
	char error[sizeof(cm->error)], why[sizeof(cm->error)];
	uint32_t row, limits[NF_LIMITS];
	bool fresh = false;
	int err = cm_lock_refuse(cm, "change rules");

	if (err)
		return err;
	err = compile(name, text, size, &ruleset, limits, error, sizeof(error));
	if (err)
		return cm_fail(cm, err, "%s", error);
	err = enable(cm, cgroup, mode, &fresh);
	if (!err)
		err = open_row(cm, cgroup, &pack, &row, &mode);
	if (!err)
		err = put(cm, pack, cgroup, row, mode, limits, &ruleset);
	if (err && fresh) { /* the reason is worth more than what undoing it may say */
		memcpy(why, cm->error, sizeof(why));
		cm_nf_disable(cm, PACK, cgroup);
		memcpy(cm->error, why, sizeof(why));
	}
	if (!err && has(&ruleset, NF_HAS_NO_SENDING))
		cm_nf_end_refused(cm, pack);
	return err;
}

static int clear(struct cm *cm, struct cm_pack *pack, uint32_t row)
{
	int err = cm_ruleset_clear(cm, pack, row);

	return err ? err : cm_nf_remap_note(cm, pack, row, false);
}

int cm_netfilter_flush(struct cm *cm, const char *cgroup)
{
	static const uint32_t none[NF_LIMITS];
	_cleanup_pack_ struct cm_pack *pack = NULL;
	uint32_t row, old[NF_LIMITS];
	enum cm_mode mode = CM_ENFORCE;
	int err = cm_lock_refuse(cm, "change rules");

	if (!err)
		err = open_row(cm, cgroup, &pack, &row, &mode);
	if (!err)
		err = clear(cm, pack, row);
	return err ? err : nf_limit_set(cm, cgroup, mode, none, old);
}

/* --- what is in place */

static int by_text(const void *a, const void *b)
{
	const struct cm_netfilter_rule *x = a, *y = b;

	return x->line != y->line ? (x->line < y->line ? -1 : 1) : x->text < y->text ? -1 : 1;
}

/* A ruleset of ours: all that it refers to lies in it. */
static bool is_whole(const struct nf_header *header, size_t size)
{
	return header->layout == NF_LAYOUT && header->size <= size && header->rules <= size &&
	       header->nr_rules <= (size - header->rules) / sizeof(struct nf_rule) &&
	       header->text <= size && header->text_len <= size - header->text;
}

/* What is in place; NULL: nothing. */
static int get_whole(struct cm *cm, struct cm_pack *pack, uint32_t row, void **ret)
{
	size_t size;
	int err = cm_ruleset_get(cm, pack, row, ret, &size);

	return !err && *ret && !is_whole(*ret, size)
		       ? cm_fail(cm, -EPROTO,
				 "the rules there were put in place by another checmate")
		       : err;
}

bool cm_nf_end_sockets(struct cm *cm, const char *cgroup)
{
	_cleanup_pack_ struct cm_pack *pack = NULL;
	_cleanup_free_ void *bytes = NULL;
	enum cm_mode mode;
	uint32_t row;

	if (open_row(cm, cgroup, &pack, &row, &mode) || get_whole(cm, pack, row, &bytes) ||
	    !bytes || !(((struct nf_header *)bytes)->has & NF_HAS_NO_SENDING))
		return false;
	cm_nf_end_refused(cm, pack);
	return true;
}

/* NULL: the record is of something that nobody wrote. */
static const struct nf_rule *rule_at(const void *bytes, uint32_t at)
{
	const struct nf_header *header = bytes;
	const struct nf_rule *rule = (const struct nf_rule *)((const char *)bytes + at);

	if (at < header->rules || at >= header->rules + header->nr_rules * sizeof(struct nf_rule) ||
	    rule->text > header->text_len || rule->text_len > header->text_len - rule->text ||
	    !rule->text_len)
		return NULL;
	return rule;
}

static void fill_rule(const void *bytes, const struct nf_rule *rule, const struct nf_limit_use *use,
		      struct cm_netfilter_rule *ret)
{
	const struct nf_header *header = bytes;

	ret->text = (const char *)bytes + header->text + rule->text;
	ret->text_len = rule->text_len;
	ret->line = rule->line;
	ret->is_counted = rule->verdict & NF_COUNT;
	ret->count = rule->count;
	if (rule->limit && rule->limit <= NF_LIMITS) {
		ret->is_counted = ret->is_limit = true;
		ret->count = use->refused[rule->limit - 1];
		ret->held = use->held[rule->limit - 1];
	}
}

void cm_netfilter_rules_free(struct cm_netfilter_rules *rules)
{
	if (!rules)
		return;
	free(rules->rules);
	free(rules->memory);
	free(rules);
}

int cm_netfilter_list(struct cm *cm, const char *cgroup, struct cm_netfilter_rules **ret)
{
	_cleanup_pack_ struct cm_pack *pack = NULL;
	struct cm_netfilter_rules *rules = calloc(1, sizeof(*rules));
	const struct nf_header *header;
	const struct nf_rule *rule;
	struct nf_limit_use use;
	enum cm_mode mode;
	uint32_t row, i;
	int err = rules ? open_row(cm, cgroup, &pack, &row, &mode)
			: cm_fail(cm, -ENOMEM, "out of memory");

	if (!err)
		err = nf_limit_use(cm, cgroup, &use);
	if (!err)
		err = get_whole(cm, pack, row, &rules->memory);
	header = err ? NULL : rules->memory;
	if (!err && header) {
		rules->rules = calloc(header->nr_rules + 1, sizeof(*rules->rules));
		if (!rules->rules)
			err = cm_fail(cm, -ENOMEM, "out of memory");
	}
	for (i = 0; !err && header && i < header->nr_rules; i++) {
		rule = rule_at(header, header->rules + i * sizeof(*rule));
		if (rule)
			fill_rule(header, rule, &use, &rules->rules[rules->nr++]);
	}
	if (err) {
		cm_netfilter_rules_free(rules);
		return err;
	}
	if (rules->nr)
		qsort(rules->rules, rules->nr, sizeof(*rules->rules), by_text);
	*ret = rules;
	return 0;
}

/* --- for a configuration */

int cm_nf_write(struct cm *cm, const char *cgroup, const char *text)
{
	_cleanup_ruleset_ struct cm_ruleset ruleset = {};
	_cleanup_pack_ struct cm_pack *pack = NULL;
	uint32_t row, limits[NF_LIMITS];
	char error[sizeof(cm->error)];
	enum cm_mode mode;
	int err = open_row(cm, cgroup, &pack, &row, &mode);

	if (err || !text)
		return err ? err : clear(cm, pack, row);
	err = compile("rules", text, strlen(text), &ruleset, limits, error, sizeof(error));
	return err ? cm_fail(cm, err, "%s", error) : put_rules(cm, pack, row, &ruleset);
}

/* "limit connections N per ..." */
static void read_limits(const struct nf_header *header, uint32_t *ret)
{
	const struct nf_rule *rule;
	char text[64];
	uint32_t i;

	memset(ret, 0, NF_LIMITS * sizeof(*ret));
	for (i = 0; i < header->nr_rules; i++) {
		rule = rule_at(header, header->rules + i * sizeof(*rule));
		if (!rule || !rule->limit || rule->limit > NF_LIMITS)
			continue;
		snprintf(text, sizeof(text), "%.*s", (int)rule->text_len,
			 (const char *)header + header->text + rule->text);
		sscanf(text, "limit connections %u", &ret[rule->limit - 1]);
	}
}

int cm_nf_read(struct cm *cm, struct cm_pack *pack, uint64_t id, char **ret, uint32_t *ret_limits)
{
	_cleanup_free_ void *bytes = NULL;
	struct cm_scope_record record = {};
	const struct nf_header *header;
	int err;

	*ret = NULL;
	if (id != CM_CGROUP_ROOT && cm_scope_find(pack, id, &record))
		return 0; /* removed meanwhile */
	err = get_whole(cm, pack, record.scope.row, &bytes);
	if (err || !bytes)
		return err;
	header = bytes;
	read_limits(header, ret_limits);
	*ret = strndup((char *)bytes + header->text, header->text_len);
	return *ret ? 0 : cm_fail(cm, -ENOMEM, "out of memory");
}

/* --- what would be decided */

static void make_test(const struct cm_netfilter_query *query, uint32_t row, struct nf_test *ret)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	*ret = (struct nf_test){ .kind = query->kind,
				 .row = row,
				 .uid = query->uid,
				 .port = query->port,
				 .family = query->family,
				 .type = query->type,
				 .protocol = query->protocol };
	memcpy(&ret->iface, query->iface, sizeof(ret->iface));
	ret->ipv6 = memcmp(query->address, mapped, sizeof(mapped)) != 0;
	ret->address[0] = nf_word_of(query->address);
	ret->address[1] = nf_word_of(query->address + 8);
	if (!ret->ipv6) {
		ret->address[0] = ret->address[1] << 32;
		ret->address[1] = 0;
	}
}

int cm_nf_ask(struct cm *cm, const struct cm_netfilter_query *query, uint32_t row,
	      struct nf_test *ret)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = ret, .ctx_size_in = sizeof(*ret));
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	int err = cm_pin_path(cm, path, "packs/" PACK "/run_netfilter_test");

	if (err)
		return err;
	make_test(query, row, ret);
	fd = cm_pin_get(path);
	err = fd < 0 ? fd : bpf_prog_test_run_opts(fd, &opts);
	return err ? cm_fail(cm, err, "cannot ask the pack " PACK ": %s", strerror(-err)) : 0;
}

/* The scope of a row, as it is called in the hierarchy. */
static int name_scope(struct cm *cm, struct cm_pack *pack, uint32_t row,
		      struct cm_netfilter_answer *answer)
{
	_cleanup_free_ struct cm_scope_record *records = NULL;
	size_t nr, i;
	int err;

	strcpy(answer->cgroup, "/");
	err = row ? cm_scopes_read(cm, pack, &records, &nr) : 0;
	for (i = 0; !err && row && i < nr; i++)
		if (records[i].scope.row == row)
			return cm_cgroup_path(cm, records[i].id, answer->cgroup,
					      sizeof(answer->cgroup));
	return err;
}

static int name_rule(struct cm *cm, struct cm_pack *pack, const struct nf_test *test,
		     struct cm_netfilter_answer *answer)
{
	_cleanup_free_ void *bytes = NULL;
	const struct nf_rule *rule;
	size_t size = 0;
	int err;

	if (test->verdict & NF_BY_IFACE)
		return cm_fail(cm, -EINVAL,
			       "it depends on the interface by which it comes: add \"iface NAME\"");
	answer->error = test->verdict & NF_ERRNO;
	answer->is_denied = test->is_denied;
	answer->port = test->port;
	if (!test->by)
		return 0;
	err = name_scope(cm, pack, test->row, answer);
	if (!err)
		err = cm_ruleset_get(cm, pack, test->row, &bytes, &size);
	if (err || !bytes || !is_whole(bytes, size))
		return err;
	rule = rule_at(bytes, test->by);
	if (!rule)
		return 0;
	answer->line = rule->line;
	answer->rule = strndup((char *)bytes + ((struct nf_header *)bytes)->text + rule->text,
			       rule->text_len);
	return answer->rule ? 0 : cm_fail(cm, -ENOMEM, "out of memory");
}

int cm_netfilter_test(struct cm *cm, const char *cgroup, const struct cm_netfilter_query *query,
		      struct cm_netfilter_answer *ret)
{
	_cleanup_pack_ struct cm_pack *pack = NULL;
	uint64_t id = CM_CGROUP_ROOT;
	struct nf_test test;
	char path[PATH_MAX] = "/";
	int err = cm_pack_open(cm, PACK, &pack);

	memset(ret, 0, sizeof(*ret));
	if (!err && cgroup)
		err = cm_cgroup_id(cm, cgroup, &id, path);
	if (err)
		return err;
	err = cm_nf_ask(cm, query, id == CM_CGROUP_ROOT ? 0 : cm_scope_row(cm, pack, path), &test);
	return err ? err : name_rule(cm, pack, &test, ret);
}
