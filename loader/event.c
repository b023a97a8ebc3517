// SPDX-License-Identifier: GPL-2.0-only
/* Audit events (one pinned ring buffer for all packs) and counters. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "internal.h"

#define EVENTS_SIZE (1 << 18) /* bytes; about 900 events that nobody has read yet */

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
	const struct cm_event *event = data;

	if (size < sizeof(*event) || event->version != CM_EVENT_VERSION)
		return 0; /* of a layout we do not know */
	reader->count++;
	reader->result = reader->fn(event, reader->arg);
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

static int sum_counters(struct cm *cm, const struct cm_object *object, const struct cm_hook *hook,
			const uint64_t *counters, struct cm_hook_stats *stats)
{
	const uint64_t *line = counters + hook->counters / sizeof(*counters);
	size_t cpu, i;

	(void)cm;
	memset(stats, 0, sizeof(*stats));
	strcpy(stats->pack, object->name);
	memcpy(stats->hook, hook->name, sizeof(stats->hook));
	for (cpu = 0; cpu < CM_CPUS; cpu++, line += CM_COUNTERS)
		for (i = 0; i < CM_COUNTERS; i++)
			stats->counters[i] += line[i];
	return 0;
}

struct all_stats {
	struct cm_hook_stats *stats;
	size_t nr;
};

static int pack_stats(struct cm *cm, const char *name, void *arg)
{
	struct all_stats *all = arg;
	_cleanup_object_ struct cm_object *object = NULL;
	_cleanup_free_ uint64_t *counters = NULL;
	_cleanup_close_ int fd = -1;
	struct cm_hook_stats *more;
	char path[PATH_MAX];
	uint32_t zero = 0;
	size_t i;
	int err;

	err = cm_pin_path(cm, path, "packs/%s/counters", name);
	if (err)
		return err;
	fd = cm_pin_get(path);
	err = fd < 0 ? cm_fail(cm, fd, "cannot open %s: %s", path, strerror(-fd))
		     : cm_object_open(cm, name, &object);
	if (err)
		return err;
	counters = calloc(1, bpf_map__value_size(cm_object_map(object, ".bss.cm_counters")));
	more = realloc(all->stats, (all->nr + object->nr_hooks + 1) * sizeof(*more));
	if (more)
		all->stats = more;
	if (!counters || !more)
		return cm_fail(cm, -ENOMEM, "out of memory");
	err = bpf_map_lookup_elem(fd, &zero, counters);
	if (err)
		return cm_fail(cm, err, "cannot read %s: %s", path, strerror(-err));
	for (i = 0; i < object->nr_hooks; i++)
		sum_counters(cm, object, &object->hooks[i], counters, &more[all->nr++]);
	return 0;
}

int cm_stats_get(struct cm *cm, struct cm_hook_stats **ret, size_t *ret_nr)
{
	struct all_stats all = {};
	int err = cm_pack_each(cm, pack_stats, &all);

	if (err) {
		free(all.stats);
		return err;
	}
	*ret = all.stats;
	*ret_nr = all.nr;
	return 0;
}
