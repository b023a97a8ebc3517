/* SPDX-License-Identifier: GPL-2.0-only */
/* What the verbs of the `checmate` command share: the parsed command line and the way out. */
#ifndef CLI_H
#define CLI_H

#include <stdbool.h>

#include "checmate.h"

/* Exit status. */
enum cli_status {
	CLI_DONE = 0,
	CLI_FAILED = 1,
	CLI_MISUSE = 2,	     /* of the command line */
	CLI_UNSUPPORTED = 3, /* this kernel cannot */
};

/* Options; a verb states which ones it takes, --help always works. */
enum cli_option {
	CLI_HELP = 1 << 0,
	CLI_VERSION = 1 << 1,
	CLI_JSON = 1 << 2,
	CLI_CGROUP = 1 << 3,
	CLI_VALUE_ONLY = 1 << 4,
	CLI_FOLLOW = 1 << 5,
	CLI_KMSG = 1 << 6,
	CLI_NAME = 1 << 7,
	CLI_PRIORITY = 1 << 8,
	CLI_FILE = 1 << 12,
	CLI_PERMISSIVE = 1 << 13,
	CLI_CGROUPS = 1 << 9, /* --cgroup, any number of times */
	CLI_OUTPUT = 1 << 10,
	CLI_BTF = 1 << 11,
	CLI_PROFILE = 1 << 14,
};

struct cli {
	const struct cli_verb *verb;
	unsigned int options; /* enum cli_option, those given */
	char *cgroup;	      /* the first; NULL: the whole system */
	char **cgroups;	      /* all of them, NULL-terminated; NULL if none */
	size_t nr_cgroups;
	char *file; /* of a configuration */
	char *name;
	char *priority;
	char *profile;
	char *output;	       /* of build */
	char *btf;	       /* for build */
	const char **operands; /* NULL-terminated, without the verb; never NULL */
	int nr_operands;
};

struct cli_verb {
	const char *name;
	const char *operands; /* as the help shows them */
	const char *help;     /* one line */
	unsigned int options; /* enum cli_option */
	int min;	      /* operands */
	int max;	      /* -1: no limit */
	enum cli_status (*run)(const struct cli *cli);
};

static inline bool cli_given(const struct cli *cli, enum cli_option option)
{
	return cli->options & option;
}

static inline enum cm_mode cli_mode(const struct cli *cli)
{
	return cli_given(cli, CLI_PERMISSIVE) ? CM_PERMISSIVE : CM_ENFORCE;
}

/* One line on standard error, "checmate: ..."; escaped, so that it stays one. */
void cli_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, "checmate: note: ...". */
void cli_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same with a pointer to the help of the verb; what it returns is to be returned. */
enum cli_status cli_misuse(const struct cli *cli, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * cli_done - the last word on a session's call
 * @cm: may be NULL (no memory for it)
 * @err: what the call returned: an error is reported, after success a notice is
 */
enum cli_status cli_done(const struct cm *cm, int err);

/* "--priority P" as a number; misuse otherwise. */
enum cli_status cli_priority(const struct cli *cli, uint32_t *ret);

/* Is it NAME=VALUE, with something on either side? */
bool cli_is_setting(const char *operand);

static inline void cli_closep(struct cm **cm)
{
	cm_close(*cm);
}

/* A session that ends with the block. */
#define CLI_SESSION __attribute__((cleanup(cli_closep))) struct cm *

enum cli_status cmd_apply(const struct cli *cli);
enum cli_status cmd_diff(const struct cli *cli);
enum cli_status cmd_save(const struct cli *cli);
enum cli_status cmd_doctor(const struct cli *cli);
enum cli_status cmd_list(const struct cli *cli);
enum cli_status cmd_status(const struct cli *cli);
enum cli_status cmd_release(const struct cli *cli);
enum cli_status cmd_load(const struct cli *cli);
enum cli_status cmd_unload(const struct cli *cli);
enum cli_status cmd_replace(const struct cli *cli);
enum cli_status cmd_order(const struct cli *cli);
enum cli_status cmd_show(const struct cli *cli);
enum cli_status cmd_enable(const struct cli *cli);
enum cli_status cmd_disable(const struct cli *cli);
enum cli_status cmd_lock(const struct cli *cli);
enum cli_status cmd_get(const struct cli *cli);
enum cli_status cmd_set(const struct cli *cli);
enum cli_status cmd_mode(const struct cli *cli);
enum cli_status cmd_netfilter(const struct cli *cli);
enum cli_status cmd_events(const struct cli *cli);
enum cli_status cmd_build(const struct cli *cli);
enum cli_status cmd_stats(const struct cli *cli);

#endif /* CLI_H */
