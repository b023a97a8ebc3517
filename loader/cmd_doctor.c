// SPDX-License-Identifier: GPL-2.0-only
/* Requirements: doctor. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "cli.h"
#include "output.h"

static const struct {
	const char *label;
	const char *key;
} names[] = {
	[CM_CHECK_OK] = { "ok", "ok" },
	[CM_CHECK_WARN] = { "WARN", "warning" },
	[CM_CHECK_FAIL] = { "FAIL", "fail" },
};

static void print_json(const struct cm_check *checks, size_t nr)
{
	struct json_object *array = output_need(json_object_new_array());

	for (size_t i = 0; i < nr; i++) {
		const struct cm_check *check = &checks[i];
		struct json_object *json = output_need(json_object_new_object());

		json_object_object_add(json, "status",
				       output_string(names[check->status].key, OUTPUT_UNLIMITED));
		json_object_object_add(json, "what",
				       output_string(check->what, sizeof(check->what)));
		json_object_object_add(json, "found",
				       output_string(check->found, sizeof(check->found)));
		json_object_object_add(json, "fix", output_string(check->fix, sizeof(check->fix)));
		json_object_array_add(array, json);
	}
	output_json(array);
}

static void print_text(const struct cm_check *checks, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		const struct cm_check *check = &checks[i];

		printf("%-4s  ", names[check->status].label);
		output_escaped(stdout, check->what, sizeof(check->what), "", OUTPUT_UNLIMITED);
		if (*check->found) {
			fputs(": ", stdout);
			output_escaped(stdout, check->found, sizeof(check->found), "",
				       OUTPUT_UNLIMITED);
		}
		putchar('\n');
		if (*check->fix) {
			fputs("      to mend: ", stdout);
			output_escaped(stdout, check->fix, sizeof(check->fix), "",
				       OUTPUT_UNLIMITED);
			putchar('\n');
		}
	}
}

enum cli_status cmd_doctor(const struct cli *cli)
{
	const struct cm_check *first = NULL;
	struct cm_check *checks = NULL;
	size_t nr = 0;
	int err;

	err = cm_doctor(&checks, &nr);
	if (cli_given(cli, CLI_JSON))
		print_json(checks, nr);
	else
		print_text(checks, nr);
	/* What was found comes before the summary, also when both go to one file. */
	fflush(stdout);
	for (size_t i = 0; i < nr && !first; i++)
		if (checks[i].status == CM_CHECK_FAIL)
			first = &checks[i];
	if (err)
		cli_error("%s: %s%s%s",
			  err == -EOPNOTSUPP ? "this kernel cannot run Checmate"
					     : "Checmate cannot work here yet",
			  first ? first->what : strerror(-err), first ? ": " : "",
			  first ? first->found : "");
	free(checks);
	if (!err)
		return CLI_DONE;
	return err == -EOPNOTSUPP ? CLI_UNSUPPORTED : CLI_FAILED;
}
