/* SPDX-License-Identifier: GPL-2.0-only */
/* What door-driver.c and door-stress.c share. */
#ifndef CHECMATE_DOOR_DRIVER_H
#define CHECMATE_DOOR_DRIVER_H

#include <stdbool.h>

#include "door.h"

/* Prints OK or the errno's name; returns the exit status 0. */
int say(int err);
__attribute__((format(printf, 1, 2), noreturn)) void die(const char *format, ...);

/* The device, opened once. */
int door(void);
void copy_path(char *to, const char *from);
/* Both return an errno or 0. */
int add_simple(int map, const char *path, int latch);
int door_remove(const char *path);

int create_map(const char *type, unsigned int value_size, unsigned int entries, unsigned int flags);
int open_pin(const char *pin, unsigned int flags);
int map_int(int fd, unsigned int offset, const int *store);

int cmd_fill(const char *prefix);
int cmd_latch_race(const char *pin, const char *file, int latch, int rounds);
int cmd_churn(int seconds, const char *prefix);

#endif /* CHECMATE_DOOR_DRIVER_H */
