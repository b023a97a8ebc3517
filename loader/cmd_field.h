/* SPDX-License-Identifier: GPL-2.0-only */
/* The fields of an event that its policy has named. */
#ifndef CMD_FIELD_H
#define CMD_FIELD_H

#include <stdio.h>

#include "checmate.h"

struct json_object;

/* field_print - " name=value" for each */
void field_print(FILE *f, const struct cm_event *event);

/* field_json - an object of them, empty if there is none */
struct json_object *field_json(const struct cm_event *event);

#endif /* CMD_FIELD_H */
