// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the verifier says to a program, cut down to what its author needs: the line of the source,
 * the reason, the last instructions. A log has a page per branch; all of it is for CHECMATE_DEBUG.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "internal.h"

/* The most that every kernel takes; touched is only what is written. */
#define LOG_SIZE ((1u << 24) - 1)
#define LINES	 4 /* of the end of the log */

struct cm_logs {
	size_t nr;
	char *text;
};

int cm_logs_prepare(struct cm *cm, struct cm_object *object, struct cm_logs **ret)
{
	struct cm_logs *logs = calloc(1, sizeof(*logs));
	struct bpf_program *program;
	size_t i = 0;

	if (!logs)
		return cm_fail(cm, -ENOMEM, "out of memory");
	bpf_object__for_each_program(program, object->bpf)
		logs->nr++;
	logs->text = mmap(NULL, (logs->nr + 1) * (size_t)LOG_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (logs->text == MAP_FAILED) {
		free(logs);
		return cm_fail(cm, -ENOMEM, "out of memory");
	}
	bpf_object__for_each_program(program, object->bpf)
		bpf_program__set_log_buf(program, logs->text + i++ * LOG_SIZE, LOG_SIZE);
	*ret = logs;
	return 0;
}

void cm_logs_free(struct cm_logs *logs)
{
	munmap(logs->text, (logs->nr + 1) * (size_t)LOG_SIZE);
	free(logs);
}

static const char *missing_hook(const struct cm_object *object)
{
	struct btf *btf = btf__load_vmlinux_btf();
	char function[sizeof("bpf_lsm_") + sizeof(object->hooks->name)];
	size_t i;

	for (i = 0; btf && i < object->nr_hooks; i++) {
		snprintf(function, sizeof(function), "bpf_lsm_%s", object->hooks[i].name);
		if (btf__find_by_name_kind(btf, function, BTF_KIND_FUNC) < 0)
			break;
	}
	btf__free(btf);
	return btf && i < object->nr_hooks ? object->hooks[i].name : NULL;
}

/* Is it one of the verifier's own sums at the end? */
static bool is_summary(const char *line)
{
	return !strncmp(line, "processed ", 10) || !strncmp(line, "verification time", 17) ||
	       !strncmp(line, "stack depth", 11) || !*line;
}

/* @log is cut into lines; what is to be shown of them. */
static char *shorten(char *log, const char **ret_reason)
{
	const char *last[LINES] = {}, *source = NULL;
	char *line, *rest = log, *text = NULL;
	size_t nr = 0, all = 0, i, size;
	FILE *f = open_memstream(&text, &size);
	bool report = false;

	while (f && (line = strsep(&rest, "\n"))) {
		all += rest != NULL;
		/* 7.x says it all again, in a page of its own. */
		report |= !strncmp(line, "Verification failed: ", 21);
		if (report || is_summary(line))
			continue;
		if (line[0] == ';' && line[1] == ' ')
			source = line + 2;
		else
			last[nr++ % LINES] = line;
	}
	if (!f)
		return NULL;
	*ret_reason = nr ? last[(nr - 1) % LINES] : NULL;
	if (source)
		fprintf(f, "source: %s\n", source);
	for (i = nr < LINES ? 0 : nr - LINES; i < nr; i++)
		fprintf(f, "log:    %s\n", last[i % LINES]);
	fprintf(f, "all %zu lines: CHECMATE_DEBUG=1\n", all);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

int cm_logs_fail(struct cm *cm, const struct cm_object *object, const struct cm_logs *logs, int err)
{
	const char *hook, *reason = NULL;
	struct bpf_program *program;
	char *log = logs->text;

	hook = missing_hook(object);
	if (hook)
		return cm_fail(cm, -EOPNOTSUPP, "%s: this kernel has no LSM hook %s", object->name,
			       hook);
	program = bpf_object__next_program(object->bpf, NULL);
	while (program && !*log) {
		log += LOG_SIZE;
		program = bpf_object__next_program(object->bpf, program);
	}
	if (!program)
		return cm_fail(cm, err, "the kernel refuses %s: %s (CHECMATE_DEBUG=1 shows more)",
			       object->name, strerror(-err));
	if (getenv("CHECMATE_DEBUG"))
		fputs(log, stderr);
	free(cm->detail);
	cm->detail = shorten(log, &reason);
	return cm_fail(cm, err, "the kernel refuses %s, program %s: %.300s", object->name,
		       bpf_program__name(program), reason ? reason : strerror(-err));
}
