/* SPDX-License-Identifier: GPL-2.0-only */
/* How the command shows things: one-line text that no input can break, aligned tables, JSON. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct json_object;

#define OUTPUT_UNLIMITED ((size_t)-1)

/* Bytes a quoted string escapes: what native Yama does, control characters come on top. */
#define OUTPUT_QUOTED "\\\""
/* A field that ends at white space. */
#define OUTPUT_TOKEN "\\\" "

/*
 * output_escaped - write a string that may hold anything
 * @extra: bytes to escape besides control characters and bytes that are not UTF-8
 * @room: write at most so many bytes; never ends within an escape or a character
 *
 * A NUL within @len ends the string. Returns whether all of it was written.
 */
bool output_escaped(FILE *f, const char *s, size_t len, const char *extra, size_t room);

/* A stream into memory, and its end: what was written is in @ret_text, to be freed. */
FILE *output_memory(char **ret_text, size_t *ret_len);
void output_memory_end(FILE *f);

/* Give up for want of memory: for verbs that only show something. */
void output_no_memory(void) __attribute__((noreturn));

/* output_need - what json-c returned, or no return at all */
struct json_object *output_need(struct json_object *json);

/* A JSON string of at most @len bytes; what is not UTF-8 becomes U+FFFD. */
struct json_object *output_string(const char *s, size_t len);

/* Write as one line and release; output_json(): on standard output. */
void output_json_line(FILE *f, struct json_object *json);
void output_json(struct json_object *json);

/* A table with a heading; columns in @right are aligned right, the last one is never padded. */
struct table;

struct table *table_new(size_t columns, const char *const *headings, unsigned int right);

/* table_cell - append the next cell; white space and controls are escaped, "" becomes "-" */
void table_cell(struct table *table, const char *text);

/* table_text - the same for a sentence, which may hold spaces: for a last column */
void table_text(struct table *table, const char *text);
void table_number(struct table *table, long long number);
void table_count(struct table *table, unsigned long long count);

/* table_print - print on standard output and release */
void table_print(struct table *table);

#endif /* OUTPUT_H */
