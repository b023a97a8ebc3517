// SPDX-License-Identifier: GPL-2.0-only
/* The chains as they are: what the kernel comes by, not what ought to be. */
#include <stdio.h>
#include <string.h>

#include "internal.h"

struct orders {
	struct cm_hook_order *orders;
	size_t nr;
	const char *cgroup; /* path below the mount, or NULL */
};

static int add_node(struct cm *cm, struct orders *orders, struct cm_hook_order *order,
		    const struct cm_node *node)
{
	_cleanup_pack_ struct cm_pack *pack = NULL;
	int err;

	if (orders->cgroup) {
		err = cm_pack_open(cm, node->pack, &pack);
		if (err || !cm_scope_covers(cm, pack, orders->cgroup))
			return err;
	}
	memcpy(order->policies[order->nr].policy, node->pack, sizeof(node->pack));
	order->policies[order->nr++].priority = node->priority;
	return 0;
}

static int add_hook(struct cm *cm, const char *hook, void *arg)
{
	_cleanup_chain_ struct cm_chain chain;
	struct orders *orders = arg;
	struct cm_hook_order *more, *order;
	size_t i;
	int err = cm_chain_read(cm, hook, &chain);

	if (!err)
		err = cm_chain_follow(cm, hook, &chain);
	if (err)
		return err;
	more = realloc(orders->orders, (orders->nr + 1) * sizeof(*more));
	if (!more)
		return cm_fail(cm, -ENOMEM, "out of memory");
	orders->orders = more;
	order = &more[orders->nr];
	memset(order, 0, sizeof(*order));
	snprintf(order->hook, sizeof(order->hook), "%s", hook);
	for (i = 0; !err && i < chain.nr; i++)
		err = add_node(cm, orders, order, &chain.nodes[i]);
	orders->nr += order->nr > 0;
	return err;
}

int cm_order_get(struct cm *cm, const char *hook, const char *cgroup, struct cm_hook_order **ret,
		 size_t *ret_nr)
{
	struct orders orders = {};
	char path[PATH_MAX], hooks[PATH_MAX];
	uint64_t id;
	int err = cgroup ? cm_cgroup_id(cm, cgroup, &id, path) : 0;

	orders.cgroup = cgroup ? path : NULL;
	if (!err)
		err = cm_pin_path(cm, hooks, "hooks%s%s", hook ? "/" : "", hook ? hook : "");
	if (!err && !hook)
		err = cm_pin_each(cm, hooks, add_hook, &orders);
	else if (!err && !strchr(hook, '/') && hook[0] != '.' && cm_pin_exists(hooks))
		err = add_hook(cm, hook, &orders);
	if (err) {
		free(orders.orders);
		return err;
	}
	*ret = orders.orders;
	*ret_nr = orders.nr;
	return 0;
}
