// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

#include <json-c/json.h>

#include "cmd_field.h"
#include "output.h"

/* Those that the policy has given the event. */
static size_t nr_fields(const struct cm_event *event)
{
	size_t nr = 0;

	while (nr < CM_FIELDS && event->fields[nr].type != CM_FIELD_NONE)
		nr++;
	return nr;
}

/* As text, what is none already. */
static const char *field_value(const struct cm_field *field, char *buf, size_t size)
{
	switch (field->type) {
	case CM_FIELD_S64:
		snprintf(buf, size, "%" PRId64, (int64_t)field->number);
		break;
	case CM_FIELD_HEX:
		snprintf(buf, size, "0x%" PRIx64, (uint64_t)field->number);
		break;
	case CM_FIELD_IPV4:
		inet_ntop(AF_INET, field->bytes, buf, size);
		break;
	case CM_FIELD_IPV6:
		inet_ntop(AF_INET6, field->bytes, buf, size);
		break;
	default: /* unsigned, a port, or of a type that is newer than this */
		snprintf(buf, size, "%" PRIu64, (uint64_t)field->number);
	}
	return buf;
}

static void print_field(FILE *f, const struct cm_field *field)
{
	char value[64];

	fputc(' ', f);
	output_escaped(f, field->name, sizeof(field->name), OUTPUT_TOKEN "=", OUTPUT_UNLIMITED);
	fputc('=', f);
	if (field->type != CM_FIELD_TEXT) {
		fputs(field_value(field, value, sizeof(value)), f);
		return;
	}
	fputc('"', f);
	output_escaped(f, (const char *)field->bytes, sizeof(field->bytes), OUTPUT_QUOTED,
		       OUTPUT_UNLIMITED);
	fputc('"', f);
}

void field_print(FILE *f, const struct cm_event *event)
{
	for (size_t i = 0; i < nr_fields(event); i++)
		print_field(f, &event->fields[i]);
}

static struct json_object *json_value(const struct cm_field *field)
{
	char value[64];

	switch (field->type) {
	case CM_FIELD_U64:
	case CM_FIELD_PORT:
		return output_need(json_object_new_uint64(field->number));
	case CM_FIELD_S64:
		return output_need(json_object_new_int64((int64_t)field->number));
	case CM_FIELD_TEXT:
		return output_string((const char *)field->bytes, sizeof(field->bytes));
	default:
		return output_string(field_value(field, value, sizeof(value)), sizeof(value));
	}
}

struct json_object *field_json(const struct cm_event *event)
{
	struct json_object *json = output_need(json_object_new_object());

	for (size_t i = 0; i < nr_fields(event); i++) {
		char name[CM_FIELD_NAME_LEN + 1] = "";

		memcpy(name, event->fields[i].name, sizeof(event->fields[i].name));
		json_object_object_add(json, name, json_value(&event->fields[i]));
	}
	return json;
}
