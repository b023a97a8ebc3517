// SPDX-License-Identifier: GPL-2.0-only
/* Audit events (one pinned ring buffer for all packs) and counters. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "internal.h"

#define EVENTS_SIZE (1 << 18) /* bytes; 420 to 900 events that nobody has read yet */

int cm_events_open(struct cm *cm, bool create, int *ret_fd)
{
	char path[PATH_MAX];
	int err = cm_pin_path(cm, path, "events"), fd;

	if (err)
		return err;
	fd = cm_pin_get(path);
	if (fd == -ENOENT && create) {
		fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "cm_events", 0, 0, EVENTS_SIZE, NULL);
		err = fd < 0 ? fd : cm_pin_put(cm, fd, path);
		if (err && fd >= 0)
			close(fd);
		if (err)
			return fd < 0 ? cm_fail(cm, fd, "cannot create the events map: %s",
						strerror(-fd))
				      : err;
	}
	if (fd < 0)
		return cm_fail(cm, fd, "no pack is enabled, so there are no events");
	*ret_fd = fd;
	return 0;
}

struct reader {
	cm_event_fn fn;
	void *arg;
	int count;
	int result;
};

static int deliver(void *context, void *data, size_t size)
{
	struct reader *reader = context;
	const struct cm_event *record = data;
	struct cm_event event = {};

	if (size < CM_EVENT_SHORT || record->version != CM_EVENT_VERSION)
		return 0; /* of a layout we do not know */
	memcpy(&event, record, size < sizeof(event) ? size : sizeof(event));
	reader->count++;
	reader->result = reader->fn(&event, reader->arg);
	return reader->result ? -ECANCELED : 0;
}

/* While waiting: is the ring we hold still the one that is in force? */
static bool still_pinned(uint32_t id)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);
	_cleanup_close_ int fd = cm_pin_get(CM_PINS "/events");

	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) && info.id == id;
}

static int wait_and_deliver(struct cm *cm, int fd, struct ring_buffer *ring, struct reader *reader,
			    int timeout_ms)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);
	int err, slice;

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return cm_fail(cm, -EIO, "cannot look at the events map");
	err = ring_buffer__consume(ring);
	while (err == 0 && timeout_ms) {
		if (!still_pinned(info.id)) {
			err = ring_buffer__consume(ring); /* said while it was going */
			if (err == 0)
				return cm_fail(cm, -ENOENT, "the last pack was disabled");
			break;
		}
		slice = timeout_ms < 0 || timeout_ms > 1000 ? 1000 : timeout_ms;
		err = ring_buffer__poll(ring, slice);
		if (timeout_ms > 0)
			timeout_ms -= slice;
	}
	if (reader->result)
		return reader->result;
	if (err == -EINTR)
		return cm_fail(cm, err, "interrupted");
	return err < 0 ? cm_fail(cm, err, "cannot read events: %s", strerror(-err)) : reader->count;
}

int cm_events_read(struct cm *cm, int timeout_ms, cm_event_fn fn, void *arg)
{
	struct reader reader = { .fn = fn, .arg = arg };
	_cleanup_close_ int fd = -1, turn = -1;
	struct ring_buffer *ring;
	int err = cm_events_open(cm, false, &fd);

	if (err)
		return err;
	cm_unlock(cm); /* a reader that waits must not keep writers out */
	turn = open(CM_PINS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (turn < 0)
		return cm_fail(cm, -ENOENT, "the last pack was disabled");
	if (flock(turn, LOCK_EX | LOCK_NB))
		return cm_fail(cm, -EBUSY, "another checmate reads the events: stop it first");
	ring = ring_buffer__new(fd, deliver, &reader, NULL);
	if (!ring)
		return cm_fail(cm, -errno, "cannot map the events: %s", strerror(errno));
	err = wait_and_deliver(cm, fd, ring, &reader, timeout_ms);
	ring_buffer__free(ring);
	return err;
}

/* Each variable of the counters' section is a line per CPU; its name says whose. */
static const char *counters_of(const char *variable, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(variable, prefix, len) ? NULL : variable + len;
}

static void sum_counters(struct cm_stats *stats, const struct cm_object *object,
			 const char *variable, const uint64_t *line)
{
	const char *hook = counters_of(variable, "cm_counters__");
	const char *own = counters_of(variable, "cm_own__");
	struct cm_own_stats *count;
	struct cm_hook_stats *row;
	size_t cpu, i;

	if (hook) {
		row = &stats->hooks[stats->nr_hooks++];
		snprintf(row->pack, sizeof(row->pack), "%s", object->name);
		snprintf(row->hook, sizeof(row->hook), "%s", hook);
		for (cpu = 0; cpu < CM_CPUS; cpu++, line += CM_COUNTERS)
			for (i = 0; i < CM_COUNTERS; i++)
				row->counters[i] += line[i];
	} else if (own) {
		count = &stats->own[stats->nr_own++];
		snprintf(count->pack, sizeof(count->pack), "%s", object->name);
		snprintf(count->name, sizeof(count->name), "%s", own);
		for (cpu = 0; cpu < CM_CPUS; cpu++, line += CM_COUNTERS)
			count->count += line[0];
	}
}

static int grow(struct cm *cm, struct cm_stats *stats, size_t more)
{
	size_t hooks = stats->nr_hooks + more, own = stats->nr_own + more;
	void *longer = realloc(stats->hooks, hooks * sizeof(*stats->hooks));

	if (!longer)
		return cm_fail(cm, -ENOMEM, "out of memory");
	stats->hooks = longer;
	memset(stats->hooks + stats->nr_hooks, 0, more * sizeof(*stats->hooks));
	longer = realloc(stats->own, own * sizeof(*stats->own));
	if (!longer)
		return cm_fail(cm, -ENOMEM, "out of memory");
	stats->own = longer;
	memset(stats->own + stats->nr_own, 0, more * sizeof(*stats->own));
	return 0;
}

static int pack_stats(struct cm *cm, const char *name, void *arg)
{
	struct cm_stats *stats = arg;
	static const char section[] = ".bss.cm_counters";
	_cleanup_object_ struct cm_object *object = NULL;
	_cleanup_free_ uint64_t *counters = NULL;
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	const char *variable;
	uint32_t zero = 0;
	size_t size, i;
	int err;

	err = cm_pin_path(cm, path, "packs/%s/counters", name);
	if (err)
		return err;
	fd = cm_pin_get(path);
	if (fd == -ENOENT)
		return 0; /* not enabled */
	err = fd < 0 ? cm_fail(cm, fd, "cannot open %s: %s", path, strerror(-fd))
		     : cm_object_open(cm, name, &object);
	if (err)
		return err;
	size = bpf_map__value_size(cm_object_map(object, section));
	counters = calloc(1, size);
	if (!counters)
		return cm_fail(cm, -ENOMEM, "out of memory");
	err = grow(cm, stats, size / (CM_CPUS * CM_COUNTERS * sizeof(*counters)) + 1);
	if (err)
		return err;
	err = bpf_map_lookup_elem(fd, &zero, counters);
	if (err)
		return cm_fail(cm, err, "cannot read %s: %s", path, strerror(-err));
	for (i = 0; (variable = cm_object_variable_name(object, section, i)); i++)
		sum_counters(stats, object, variable,
			     counters + cm_object_variable(object, section, variable) /
						sizeof(*counters));
	return 0;
}

int cm_stats_get(struct cm *cm, struct cm_stats **ret)
{
	struct cm_stats *stats = calloc(1, sizeof(*stats));
	int err =
		stats ? cm_pack_each(cm, pack_stats, stats) : cm_fail(cm, -ENOMEM, "out of memory");

	if (err) {
		cm_stats_free(stats);
		return err;
	}
	*ret = stats;
	return 0;
}

void cm_stats_free(struct cm_stats *stats)
{
	if (!stats)
		return;
	free(stats->hooks);
	free(stats->own);
	free(stats);
}
