/* SPDX-License-Identifier: GPL-2.0-only */
/* For cppcheck, which sees no system headers: libbpf's macros that look like no C. */
#define LIBBPF_OPTS(TYPE, NAME, ...) struct TYPE NAME = { __VA_ARGS__ }
#define bpf_object__for_each_program(PROGRAM, OBJECT)                                              \
	for (PROGRAM = bpf_object__next_program(OBJECT, 0); PROGRAM;                               \
	     PROGRAM = bpf_object__next_program(OBJECT, PROGRAM))
#define bpf_object__for_each_map(MAP, OBJECT)                                                      \
	for (MAP = bpf_object__next_map(OBJECT, 0); MAP; MAP = bpf_object__next_map(OBJECT, MAP))
