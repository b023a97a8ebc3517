// SPDX-License-Identifier: GPL-2.0-only
/* From source to object: build. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

/* "DIR/NAME.c" -> "NAME.o", as a compiler does */
static bool object_name(const char *source, char *buf, size_t size)
{
	const char *slash = strrchr(source, '/'), *name = slash ? slash + 1 : source;
	size_t len = strlen(name);

	if (len < 3 || strcmp(name + len - 2, ".c"))
		return false;
	return snprintf(buf, size, "%.*s.o", (int)len - 2, name) < (int)size;
}

enum cli_status cmd_build(const struct cli *cli)
{
	const char *source = cli->operands[0], *output = cli->output;
	char name[PATH_MAX], error[1024];

	if (!output) {
		if (!object_name(source, name, sizeof(name)))
			return cli_misuse(cli, "build: \"%.200s\" is not a NAME.c: use -o", source);
		output = name;
	}
	if (!cm_build(source, output, cli->btf, error, sizeof(error)))
		return CLI_DONE;
	cli_error("%s: %s", source, error);
	return CLI_FAILED;
}
