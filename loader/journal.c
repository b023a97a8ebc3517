// SPDX-License-Identifier: GPL-2.0-only
/*
 * What was in force before a configuration that is being applied, kept in the kernel until it is in
 * force as a whole: journal/text, and the objects of policies from files beside it. A call that
 * fails goes back to it; so does the next one after a call that died.
 */
#include <stdio.h>
#include <string.h>

#include "config.h"

#define HALF "journal_half" /* not complete, or no more needed */

static int keep(struct cm *cm, const char *name, const char *what)
{
	char from[PATH_MAX], to[PATH_MAX];
	_cleanup_close_ int fd = -1;
	int err = cm_pin_path(cm, from, "packs/%s/%s", name, what);

	if (!err)
		err = cm_pin_path(cm, to, HALF "/%s/%s", name, what);
	if (err)
		return err;
	fd = cm_pin_get(from);
	return fd < 0 ? cm_fail(cm, fd, "cannot open %s: %s", from, strerror(-fd))
		      : cm_pin_put(cm, fd, to);
}

static int keep_object(struct cm *cm, const char *name)
{
	char dir[PATH_MAX];
	int err = cm_pin_path(cm, dir, HALF "/%s", name);

	if (!err)
		err = cm_pin_mkdir(cm, dir);
	if (!err)
		err = keep(cm, name, "about");
	return err ? err : keep(cm, name, "object");
}

int cm_journal_put(struct cm *cm, const struct cm_config *config)
{
	_cleanup_free_ char *text = cm_config_format(config, true);
	char half[PATH_MAX], whole[PATH_MAX], path[PATH_MAX];
	size_t i;
	int err;

	if (!text)
		return cm_fail(cm, -ENOMEM, "out of memory");
	err = cm_pin_path(cm, half, HALF);
	if (!err)
		err = cm_pin_path(cm, whole, CM_JOURNAL);
	if (!err)
		err = cm_pin_mkdir(cm, CM_PINS);
	if (!err)
		err = cm_pin_mkdir(cm, half);
	for (i = 0; !err && i < config->nr; i++)
		if (config->policies[i].file)
			err = keep_object(cm, config->policies[i].name);
	if (!err)
		err = cm_pin_path(cm, path, HALF "/text");
	if (!err)
		err = cm_store_bytes(cm, path, "cm_journal", text, strlen(text) + 1);
	if (err)
		return err;
	return rename(half, whole)
		       ? cm_fail(cm, -errno, "cannot rename %s: %s", half, strerror(errno))
		       : 0;
}

bool cm_journal_exists(struct cm *cm)
{
	char whole[PATH_MAX], half[PATH_MAX];

	return !cm_pin_path(cm, whole, CM_JOURNAL) && !cm_pin_path(cm, half, HALF) &&
	       (cm_pin_exists(whole) || cm_pin_exists(half));
}

int cm_journal_remove(struct cm *cm)
{
	char half[PATH_MAX], whole[PATH_MAX];
	int err = cm_pin_path(cm, half, HALF);

	if (!err)
		err = cm_pin_path(cm, whole, CM_JOURNAL);
	if (err)
		return err;
	/* With the last policy it is gone already. */
	if (rename(whole, half) && errno != ENOENT)
		return cm_fail(cm, -errno, "cannot rename %s: %s", whole, strerror(errno));
	err = cm_pin_remove(cm, half);
	return err || !cm_pin_exists(CM_PINS) ? err : cm_pack_sweep(cm);
}

int cm_journal_undo(struct cm *cm)
{
	_cleanup_config_ struct cm_config *now = NULL, *before = NULL;
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	int err = cm_pin_path(cm, path, CM_JOURNAL "/text"), removed;

	if (err)
		return err;
	if (cm_pin_exists(path)) {
		err = cm_store_text(cm, path, &text);
		if (!err)
			err = cm_config_parse(cm, path, text, true, &before);
		if (!err)
			err = cm_config_read(cm, &now);
		cm->restoring = true;
		if (!err)
			err = cm_config_reach(cm, now, before);
		cm->restoring = false;
	}
	/* Even after a failure, or no call would ever do anything else. */
	removed = cm_journal_remove(cm);
	return err ? err : removed;
}
