/* SPDX-License-Identifier: GPL-2.0-only */
/* Short words to build JSON with. */
#ifndef JSON_H
#define JSON_H

#include <stdint.h>

#include <json-c/json.h>

#include "output.h"

static inline void json_text(struct json_object *json, const char *key, const char *text)
{
	json_object_object_add(json, key, output_string(text, OUTPUT_UNLIMITED));
}

static inline void json_int(struct json_object *json, const char *key, int64_t value)
{
	json_object_object_add(json, key, output_need(json_object_new_int64(value)));
}

static inline void json_flag(struct json_object *json, const char *key, bool value)
{
	json_object_object_add(json, key, output_need(json_object_new_boolean(value)));
}

/* Adds an empty array and returns it. */
static inline struct json_object *json_array(struct json_object *json, const char *key)
{
	struct json_object *array = output_need(json_object_new_array());

	json_object_object_add(json, key, array);
	return array;
}

/* Adds an empty object and returns it. */
static inline struct json_object *json_item(struct json_object *array)
{
	struct json_object *json = output_need(json_object_new_object());

	json_object_array_add(array, json);
	return json;
}

#endif /* JSON_H */
