// SPDX-License-Identifier: GPL-2.0-only
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "output.h"

void output_no_memory(void)
{
	fputs("checmate: out of memory\n", stderr);
	exit(EXIT_FAILURE);
}

/* Length of the UTF-8 character at @s, 0 if there is none; @ret_code is set on success. */
static size_t utf8_char(const unsigned char *s, size_t len, uint32_t *ret_code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t code = s[0];
	size_t n;

	if (s[0] < 0x80) {
		n = 1;
	} else if ((s[0] & 0xe0) == 0xc0) {
		n = 2;
		code &= 0x1f;
	} else if ((s[0] & 0xf0) == 0xe0) {
		n = 3;
		code &= 0x0f;
	} else if ((s[0] & 0xf8) == 0xf0) {
		n = 4;
		code &= 0x07;
	} else {
		return 0;
	}
	if (n > len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	/* A longer form than needed, a surrogate, or beyond Unicode. */
	if (code < least[n] || (code >= 0xd800 && code < 0xe000) || code > 0x10ffff)
		return 0;
	*ret_code = code;
	return n;
}

/* Would a terminal act on it? C0, DEL, C1, and the two line ends that Unicode adds. */
static bool is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029;
}

bool output_escaped(FILE *f, const char *s, size_t len, const char *extra, size_t room)
{
	const unsigned char *at = (const unsigned char *)s;

	len = strnlen(s, len);
	while (len) {
		uint32_t code = 0;
		size_t n = utf8_char(at, len, &code);
		bool escape = !n || is_control(code) || (n == 1 && strchr(extra, (int)code));
		size_t out;

		if (!n)
			n = 1;
		out = escape ? 4 * n : n;
		if (out > room)
			return false;
		if (escape) {
			for (size_t i = 0; i < n; i++)
				fprintf(f, "\\x%02x", at[i]);
		} else {
			fwrite(at, 1, n, f);
		}
		room -= out;
		at += n;
		len -= n;
	}
	return true;
}

FILE *output_memory(char **ret_text, size_t *ret_len)
{
	FILE *f = open_memstream(ret_text, ret_len);

	if (!f)
		output_no_memory();
	return f;
}

void output_memory_end(FILE *f)
{
	bool failed = ferror(f);

	if (fclose(f) || failed)
		output_no_memory();
}

struct json_object *output_need(struct json_object *json)
{
	if (!json)
		output_no_memory();
	return json;
}

struct json_object *output_string(const char *s, size_t len)
{
	static const char replacement[] = "\xef\xbf\xbd";
	const unsigned char *at = (const unsigned char *)s;
	struct json_object *json;
	size_t used = 0;
	char *copy;

	len = strnlen(s, len);
	copy = malloc(len * (sizeof(replacement) - 1) + 1);
	if (!copy)
		output_no_memory();
	while (len) {
		uint32_t code;
		size_t n = utf8_char(at, len, &code);

		if (n) {
			memcpy(copy + used, at, n);
			used += n;
		} else {
			n = 1;
			memcpy(copy + used, replacement, sizeof(replacement) - 1);
			used += sizeof(replacement) - 1;
		}
		at += n;
		len -= n;
	}
	json = output_need(json_object_new_string_len(copy, (int)used));
	free(copy);
	return json;
}

void output_json_line(FILE *f, struct json_object *json)
{
	const char *text;
	size_t left, n;

	text = json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN |
							    JSON_C_TO_STRING_NOSLASHESCAPE);
	if (!text)
		output_no_memory();
	/* json-c leaves the controls above U+007E as they are; terminals act on them. */
	for (left = strlen(text); left; text += n, left -= n) {
		uint32_t code = 0;

		n = utf8_char((const unsigned char *)text, left, &code);
		if (!n)
			n = 1;
		if (is_control(code))
			fprintf(f, "\\u%04x", code);
		else
			fwrite(text, 1, n, f);
	}
	fputc('\n', f);
	json_object_put(json);
}

void output_json(struct json_object *json)
{
	output_json_line(stdout, json);
}

struct table {
	size_t columns;
	unsigned int right;
	size_t nr;
	size_t allocated;
	char **cells;
};

static void add(struct table *table, const char *text, const char *extra)
{
	size_t size;
	FILE *f;

	if (table->nr == table->allocated) {
		table->allocated = table->allocated ? 2 * table->allocated : 64;
		table->cells = reallocarray(table->cells, table->allocated, sizeof(char *));
		if (!table->cells)
			output_no_memory();
	}
	f = output_memory(&table->cells[table->nr], &size);
	output_escaped(f, *text ? text : "-", OUTPUT_UNLIMITED, extra, OUTPUT_UNLIMITED);
	output_memory_end(f);
	table->nr++;
}

struct table *table_new(size_t columns, const char *const *headings, unsigned int right)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		output_no_memory();
	table->columns = columns;
	table->right = right;
	for (size_t i = 0; i < columns; i++)
		table_cell(table, headings[i]);
	return table;
}

void table_cell(struct table *table, const char *text)
{
	add(table, text, OUTPUT_TOKEN);
}

void table_text(struct table *table, const char *text)
{
	add(table, text, "");
}

void table_number(struct table *table, long long number)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", number);
	table_cell(table, text);
}

void table_count(struct table *table, unsigned long long count)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", count);
	table_cell(table, text);
}

/* Characters, not bytes: cells hold valid UTF-8. */
static size_t width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

static size_t column_width(const struct table *table, size_t column)
{
	size_t widest = 0;

	for (size_t i = column; i < table->nr; i += table->columns) {
		size_t w = width(table->cells[i]);

		if (w > widest)
			widest = w;
	}
	return widest;
}

void table_print(struct table *table)
{
	size_t *widths = calloc(table->columns, sizeof(*widths));

	if (!widths)
		output_no_memory();
	for (size_t c = 0; c < table->columns; c++)
		widths[c] = column_width(table, c);
	for (size_t i = 0; i < table->nr; i++) {
		size_t c = i % table->columns;
		int pad = (int)(widths[c] - width(table->cells[i]));
		bool last = c + 1 == table->columns;

		if (table->right & (1u << c))
			printf("%*s%s", pad, "", table->cells[i]);
		else
			printf("%s%*s", table->cells[i], last ? 0 : pad, "");
		fputs(last ? "\n" : "  ", stdout);
		free(table->cells[i]);
	}
	free(table->cells);
	free(table);
	free(widths);
}
