// SPDX-License-Identifier: GPL-2.0-only
/* The `checmate` command: table of verbs, command line, messages. Each family is in a cmd_*.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>
#include <popt.h>

#include "cli.h"
#include "output.h"

/* Messages are cut here: an operand may be as long as the system's limit for arguments. */
#define MESSAGE_MAX 1000

static enum cli_status cmd_version(const struct cli *cli);
static enum cli_status cmd_help(const struct cli *cli);

/* The man page has the same order. */
static const struct cli_verb verbs[] = {
	{ "doctor", "", "check what Checmate needs here, and say how to mend it", CLI_JSON, 0, 0,
	  cmd_doctor },
	{ "list", "", "show the packs there are", CLI_JSON, 0, 0, cmd_list },
	{ "status", "", "show what is in force, and where", CLI_JSON, 0, 0, cmd_status },
	{ "enable", "PACK [KNOB=VALUE...]", "put a pack in force",
	  CLI_CGROUPS | CLI_PERMISSIVE | CLI_PROFILE, 1, -1, cmd_enable },
	{ "disable", "PACK", "withdraw a pack, from everywhere unless --cgroup is given",
	  CLI_CGROUP, 1, 1, cmd_disable },
	{ "load", "FILE [KNOB=VALUE...]", "put a policy from an object file in force",
	  CLI_CGROUPS | CLI_NAME | CLI_PRIORITY | CLI_PERMISSIVE, 1, -1, cmd_load },
	{ "unload", "POLICY", "withdraw a policy from everywhere", 0, 1, 1, cmd_unload },
	{ "replace", "POLICY FILE", "put another object in a policy's place, at once", 0, 2, 2,
	  cmd_replace },
	{ "order", "[HOOK | POLICY]", "show in what order policies are asked, or change it",
	  CLI_CGROUP | CLI_PRIORITY | CLI_JSON, 0, 1, cmd_order },
	{ "show", "POLICY", "show all about a policy in force", CLI_JSON, 1, 1, cmd_show },
	{ "get", "NAME", "show the value of a knob", CLI_CGROUP | CLI_VALUE_ONLY | CLI_JSON, 1, 1,
	  cmd_get },
	{ "set", "NAME=VALUE", "set a knob", CLI_CGROUP, 1, 1, cmd_set },
	{ "mode", "PACK enforce|permissive", "let a pack deny, or only count and report",
	  CLI_CGROUP, 2, 2, cmd_mode },
	{ "release", "", "let a cgroup that has locked itself out go on", CLI_CGROUP, 0, 0,
	  cmd_release },
	{ "netfilter", "load FILE | list | flush | test WHAT... | check FILE",
	  "rules of the pack netfilter", CLI_CGROUP | CLI_PERMISSIVE | CLI_JSON, 1, -1,
	  cmd_netfilter },
	{ "lock", "", "until reboot, allow nothing but stricter values", 0, 0, 0, cmd_lock },
	{ "diff", "", "show what \"checmate -f FILE\" would change", CLI_FILE | CLI_JSON, 0, 0,
	  cmd_diff },
	{ "save", "", "show what is in force in the form of such a file", 0, 0, 0, cmd_save },
	{ "events", "", "show refusals; each is shown once, to one reader",
	  CLI_FOLLOW | CLI_KMSG | CLI_JSON, 0, 0, cmd_events },
	{ "stats", "", "show the counters of the packs in force", CLI_JSON, 0, 0, cmd_stats },
	{ "build", "FILE.c", "compile a policy", CLI_OUTPUT | CLI_BTF, 1, 1, cmd_build },
	{ "version", "", "show the version", CLI_JSON, 0, 0, cmd_version },
	{ "help", "[VERB]", "show this help, or that of a verb", 0, 0, 1, cmd_help },
};

/* What "checmate -f FILE" is, without a verb. */
static const struct cli_verb apply = {
	.name = "-f", .operands = "", .options = CLI_FILE, .run = cmd_apply
};

#define NR_VERBS (sizeof(verbs) / sizeof(verbs[0]))

static const struct poptOption options[] = {
	{ "cgroup", 0, POPT_ARG_STRING, NULL, CLI_CGROUP,
	  "scope: a cgroup v2 directory (default: the whole system)", "DIR" },
	{ "file", 'f', POPT_ARG_STRING, NULL, CLI_FILE, "a configuration", "FILE" },
	{ "name", 0, POPT_ARG_STRING, NULL, CLI_NAME, "call the policy so", "NAME" },
	{ "priority", 0, POPT_ARG_STRING, NULL, CLI_PRIORITY,
	  "place in the order: the lower runs first", "P" },
	{ "profile", 0, POPT_ARG_STRING, NULL, CLI_PROFILE,
	  "values that the pack declares under that name", "NAME" },
	{ "permissive", 0, POPT_ARG_NONE, NULL, CLI_PERMISSIVE,
	  "in mode permissive from the first moment", NULL },
	{ "value", 'n', POPT_ARG_NONE, NULL, CLI_VALUE_ONLY, "print the value alone", NULL },
	{ "follow", 'f', POPT_ARG_NONE, NULL, CLI_FOLLOW, "wait for more, until interrupted",
	  NULL },
	{ "kmsg", 0, POPT_ARG_NONE, NULL, CLI_KMSG,
	  "write to the kernel log instead of standard output", NULL },
	{ "output", 'o', POPT_ARG_STRING, NULL, CLI_OUTPUT,
	  "object file (default: NAME.o of FILE NAME.c, here)", "OUT" },
	{ "btf", 0, POPT_ARG_STRING, NULL, CLI_BTF,
	  "take the types of vmlinux.h from here (default: the running kernel)", "FILE" },
	{ "json", 'j', POPT_ARG_NONE, NULL, CLI_JSON, "print JSON", NULL },
	{ "version", 0, POPT_ARG_NONE, NULL, CLI_VERSION, "show the version", NULL },
	{ "help", 'h', POPT_ARG_NONE, NULL, CLI_HELP, "show help", NULL },
	POPT_TABLEEND
};

static void message(const char *prefix, const char *hint, const char *format, va_list args)
{
	char *text, *line;
	size_t len;
	FILE *f;

	if (vasprintf(&text, format, args) < 0)
		output_no_memory();
	f = output_memory(&line, &len);
	fputs(prefix, f);
	if (!output_escaped(f, text, OUTPUT_UNLIMITED, "", MESSAGE_MAX))
		fputs("...", f);
	if (hint)
		fprintf(f, "; see \"checmate help%s%s\"", *hint ? " " : "", hint);
	fputc('\n', f);
	output_memory_end(f);
	fwrite(line, 1, len, stderr);
	free(line);
	free(text);
}

void cli_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	message("checmate: ", NULL, format, args);
	va_end(args);
}

void cli_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	message("checmate: note: ", NULL, format, args);
	va_end(args);
}

enum cli_status cli_misuse(const struct cli *cli, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	message("checmate: ", cli->verb && cli->verb != &apply ? cli->verb->name : "", format,
		args);
	va_end(args);
	return CLI_MISUSE;
}

/* Each line by itself, below the sentence it belongs to. */
static void print_detail(const char *detail)
{
	char *text, *rest, *line;

	if (!detail)
		return;
	text = rest = strdup(detail);
	if (!text)
		output_no_memory();
	while ((line = strsep(&rest, "\n"))) {
		if (!*line)
			continue;
		fputs("  ", stderr);
		if (!output_escaped(stderr, line, OUTPUT_UNLIMITED, "", MESSAGE_MAX))
			fputs("...", stderr);
		fputc('\n', stderr);
	}
	free(text);
}

enum cli_status cli_done(const struct cm *cm, int err)
{
	const char *notice;

	if (err >= 0) {
		notice = cm_notice(cm);
		if (notice && *notice)
			cli_note("%s", notice);
		return CLI_DONE;
	}
	cli_error("%s", cm ? cm_error(cm) : strerror(-err));
	print_detail(cm_error_detail(cm));
	return err == -EOPNOTSUPP ? CLI_UNSUPPORTED : CLI_FAILED;
}

bool cli_is_setting(const char *operand)
{
	const char *equals = strchr(operand, '=');

	return equals && equals != operand && equals[1];
}

enum cli_status cli_priority(const struct cli *cli, uint32_t *ret)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(cli->priority, &end, 10);
	if (*cli->priority < '0' || *cli->priority > '9' || *end || errno || value > UINT32_MAX)
		return cli_misuse(cli,
				  "%s: --priority goes from 0 to %u, \"%.40s\" is not in there",
				  cli->verb->name, UINT32_MAX, cli->priority);
	*ret = value;
	return CLI_DONE;
}

static const struct cli_verb *find_verb(const char *name)
{
	for (size_t i = 0; i < NR_VERBS; i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

/* @which: enum cli_option, the options to show */
static void print_options(unsigned int which)
{
	for (const struct poptOption *o = options; o->longName; o++) {
		char left[32], dash[] = "-x, ";

		if (!(which & (unsigned int)o->val))
			continue;
		dash[1] = o->shortName;
		snprintf(left, sizeof(left), "%s--%s%s%s", o->shortName ? dash : "    ",
			 o->longName, o->argDescrip ? " " : "", o->argDescrip ? o->argDescrip : "");
		printf("  %-18s %s\n", left, o->descrip);
	}
}

/* The options that a verb takes, as the table of options has them. */
static unsigned int options_of(const struct cli_verb *verb)
{
	return verb->options | (verb->options & CLI_CGROUPS ? CLI_CGROUP : 0);
}

static void print_verb_help(const struct cli_verb *verb)
{
	printf("Usage: checmate %s [OPTION...]%s%s\n\n", verb->name, *verb->operands ? " " : "",
	       verb->operands);
	printf("checmate %s: %s\n\n", verb->name, verb->help);
	print_options(options_of(verb) | CLI_HELP);
}

static void print_help(void)
{
	puts("Usage: checmate VERB [OPTION...] [OPERAND...]\n"
	     "       checmate -f FILE    put the configuration in FILE in force, and nothing "
	     "else\n");
	for (size_t i = 0; i < NR_VERBS; i++) {
		char left[64];

		snprintf(left, sizeof(left), "%s %s", verbs[i].name, verbs[i].operands);
		printf("  %-29s %s\n", left, verbs[i].help);
	}
	puts("\nOptions, before or after the operands (\"checmate help VERB\" has those of a "
	     "verb):");
	print_options(~0u);
	puts("\nExit status: 0 done, 1 failed, 2 bad command line, 3 this kernel cannot.\n"
	     "See checmate(8).");
}

static enum cli_status cmd_help(const struct cli *cli)
{
	const struct cli_verb *verb;

	if (!cli->nr_operands) {
		print_help();
		return CLI_DONE;
	}
	verb = find_verb(cli->operands[0]);
	if (!verb)
		return cli_misuse(&(struct cli){ 0 }, "there is no verb \"%s\"", cli->operands[0]);
	print_verb_help(verb);
	return CLI_DONE;
}

static enum cli_status cmd_version(const struct cli *cli)
{
	struct json_object *json;

	if (!cli_given(cli, CLI_JSON)) {
		printf("checmate %s (ABI %d)\n", CM_VERSION, CM_ABI);
		return CLI_DONE;
	}
	json = output_need(json_object_new_object());
	json_object_object_add(json, "version", output_string(CM_VERSION, OUTPUT_UNLIMITED));
	json_object_object_add(json, "abi", output_need(json_object_new_int(CM_ABI)));
	output_json(json);
	return CLI_DONE;
}

/* An option's value; those of --cgroup are collected. */
static enum cli_status store_value(struct cli *cli, int option, char *value)
{
	char **cgroups, **place = option == CLI_NAME	  ? &cli->name
				  : option == CLI_OUTPUT  ? &cli->output
				  : option == CLI_BTF	  ? &cli->btf
				  : option == CLI_FILE	  ? &cli->file
				  : option == CLI_PROFILE ? &cli->profile
							  : &cli->priority;
	const struct poptOption *o;

	if (!value)
		output_no_memory();
	if (option == CLI_CGROUP) {
		cgroups = realloc(cli->cgroups, (cli->nr_cgroups + 2) * sizeof(*cgroups));
		if (!cgroups)
			output_no_memory();
		cli->cgroups = cgroups;
		cgroups[cli->nr_cgroups++] = value;
		cgroups[cli->nr_cgroups] = NULL;
		cli->cgroup = cgroups[0];
		return CLI_DONE;
	}
	if (*place) {
		free(value);
		for (o = options; o->val != option; o++)
			;
		return cli_misuse(cli, "--%s is given twice", o->longName);
	}
	*place = value;
	return CLI_DONE;
}

/*
 * -f is short for --follow with `events`, and for --file else: the table as it is to be parsed.
 */
static void choose_options(struct poptOption *ret, int argc, const char **argv)
{
	bool events = false;

	for (int i = 1; i < argc; i++)
		events |= !strcmp(argv[i], "events");
	memcpy(ret, options, sizeof(options));
	for (; ret->longName; ret++)
		if (ret->val == (events ? CLI_FILE : CLI_FOLLOW))
			ret->shortName = 0;
}

/* Parse options wherever they stand; operands stay with @popt. */
static enum cli_status parse_options(struct cli *cli, poptContext popt, int argc, const char **argv)
{
	enum cli_status status;
	int val;

	while ((val = poptGetNextOpt(popt)) > 0) {
		if (val & (CLI_CGROUP | CLI_NAME | CLI_PRIORITY | CLI_OUTPUT | CLI_BTF | CLI_FILE |
			   CLI_PROFILE)) {
			status = store_value(cli, val, poptGetOptArg(popt));
			if (status != CLI_DONE)
				return status;
		}
		cli->options |= (unsigned int)val;
	}
	if (val == -1)
		return CLI_DONE;
	/* Operands are not known yet; a guess is good enough for a pointer to the help. */
	for (int i = 1; i < argc && !cli->verb; i++)
		cli->verb = find_verb(argv[i]);
	return cli_misuse(cli, "%s: \"%.200s\"", poptStrerror(val),
			  poptBadOption(popt, POPT_BADOPTION_NOALIAS));
}

static enum cli_status check_operands(const struct cli *cli)
{
	const struct cli_verb *verb = cli->verb;
	unsigned int wrong = cli->options & ~(options_of(verb) | CLI_HELP | CLI_VERSION);

	for (const struct poptOption *o = options; o->longName; o++)
		if (wrong & (unsigned int)o->val)
			return cli_misuse(cli, "%s does not take --%s", verb->name, o->longName);
	if (cli->nr_cgroups > 1 && !(verb->options & CLI_CGROUPS))
		return cli_misuse(cli, "--cgroup is given twice");
	for (size_t i = 0; i < cli->nr_cgroups; i++)
		if (!*cli->cgroups[i])
			return cli_misuse(cli, "--cgroup needs a directory");
	if (cli->nr_operands < verb->min)
		return cli_misuse(cli, "%s needs %s", verb->name, verb->operands);
	if (verb->max >= 0 && cli->nr_operands > verb->max)
		return cli_misuse(cli, "%s: unexpected operand \"%.200s\"", verb->name,
				  cli->operands[verb->max]);
	for (int i = 0; i < cli->nr_operands; i++)
		if (!*cli->operands[i])
			return cli_misuse(cli, "%s: an operand is empty", verb->name);
	return CLI_DONE;
}

static enum cli_status run(struct cli *cli, poptContext popt, int argc, const char **argv)
{
	static const char *none[] = { NULL };
	enum cli_status status = parse_options(cli, popt, argc, argv);
	const char **operands;

	if (status != CLI_DONE)
		return status;
	operands = poptGetArgs(popt);
	cli->operands = operands ? operands : none;
	if (*cli->operands) {
		cli->verb = find_verb(*cli->operands);
		if (!cli->verb)
			return cli_misuse(cli, "there is no verb \"%.200s\"", *cli->operands);
		cli->operands++;
	} else if (cli_given(cli, CLI_FILE)) {
		cli->verb = &apply;
	} else if (cli_given(cli, CLI_VERSION)) {
		cli->verb = find_verb("version");
	} else if (cli_given(cli, CLI_HELP)) {
		print_help();
		return CLI_DONE;
	} else {
		return cli_misuse(cli, "no verb is given");
	}
	while (cli->operands[cli->nr_operands])
		cli->nr_operands++;
	if (cli_given(cli, CLI_HELP)) {
		print_verb_help(cli->verb);
		return CLI_DONE;
	}
	if (cli_given(cli, CLI_VERSION) && strcmp(cli->verb->name, "version"))
		return cli_misuse(cli, "--version stands alone");
	status = check_operands(cli);
	return status == CLI_DONE ? cli->verb->run(cli) : status;
}

int main(int argc, char **argv)
{
	struct poptOption chosen[sizeof(options) / sizeof(*options)];
	struct cli cli = { 0 };
	enum cli_status status;
	poptContext popt;

	/*
	 * A message must never land in a file that took the number of a closed standard stream;
	 * read-only, so that lost output is an error.
	 */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
			return CLI_FAILED;

	/* The verb is an operand, and its options follow it. */
	unsetenv("POSIXLY_CORRECT");
	choose_options(chosen, argc, (const char **)argv);
	popt = poptGetContext(NULL, argc, (const char **)argv, chosen, 0);
	if (!popt)
		output_no_memory();
	status = run(&cli, popt, argc, (const char **)argv);
	errno = 0;
	if (fflush(stdout) || ferror(stdout)) {
		cli_error("cannot write to standard output%s%s", errno ? ": " : "",
			  errno ? strerror(errno) : "");
		status = status == CLI_DONE ? CLI_FAILED : status;
	}
	for (size_t i = 0; i < cli.nr_cgroups; i++)
		free(cli.cgroups[i]);
	free(cli.cgroups);
	free(cli.name);
	free(cli.priority);
	free(cli.output);
	free(cli.btf);
	free(cli.file);
	poptFreeContext(popt);
	return status;
}
