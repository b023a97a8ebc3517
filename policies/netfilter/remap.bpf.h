/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ports that are exchanged: a program binds to one and gets another, and finds what is there under
 * the one it knows.
 *
 *	bind4, bind6			as the hook on bind(2) has decided, which cannot rewrite
 *	connect4, ..., sendmsg6		to the own port of a scope
 *	getsockname4, ..., getpeername6	the port that the program has named
 *
 * What a socket is shown is kept with it: later rules do not change that. The programs for bind and
 * for what is shown are attached when the first rule wants them.
 */
#ifndef REMAP_BPF_H
#define REMAP_BPF_H

#include "address.bpf.h"

/* Ports as they are on the wire; what is not exchanged is 0. */
struct shown {
	__be16 own, own_real;
	__be16 peer, peer_real;
};

/* A connection that is accepted has what the listening socket has. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct shown);
} shown SEC(".maps");

/* --- bind */

/*
 * The hook has decided and counted; by other rules perhaps, so all is asked again. An errno; or 1:
 * the port cannot be hidden, there is no memory. Not static: see cm_forget().
 */
__noinline int exchange_own(struct bpf_sock_addr *address, const struct step *step)
{
	__be16 asked = address->user_port, real;
	struct decision decision;
	bool is_hidden;
	struct shown *own;

	if (!step)
		return -EPERM;
	decision = (struct decision){ .step = *step };
	ask(&decision.step);
	decide(&decision);
	if (decision.denied.verdict)
		return -(int)(decision.denied.verdict & NF_ERRNO);
	is_hidden = decision.remap && !(decision.remap & NF_REAL);
	real = bpf_htons((__u16)decision.step.query.key);
	own = bpf_sk_storage_get(&shown, address->sk, NULL,
				 is_hidden ? BPF_SK_STORAGE_GET_F_CREATE : 0);
	if (own) {
		own->own = is_hidden ? asked : 0;
		own->own_real = is_hidden ? real : 0;
	}
	if (decision.remap)
		address->user_port = real;
	return is_hidden && !own;
}

#define EXCHANGE_OWN(ADDRESS, SET)                                                                 \
	({                                                                                         \
		struct step step_ = { .query.place = NF_PLACE(NF_BIND) | NF_PLACE_TEST };          \
		struct bpf_sock *sk_ = (ADDRESS)->sk;                                              \
		long exchange_ = CM_ALLOW;                                                         \
                                                                                                   \
		/* The kernel refuses to bind what is bound. */                                    \
		if (is_asked(&step_.row) && !sk_->src_port) {                                      \
			step_.query.key = NF_KEY(protocol_of((ADDRESS)->protocol),                 \
						 bpf_ntohs((__u16)(ADDRESS)->user_port));          \
			SET(&step_.query, ADDRESS);                                                \
			step_.query.uid = cm_own_uid();                                            \
			exchange_ = exchange_own(ADDRESS, &step_);                                 \
			if (exchange_ > 0) {                                                       \
				cm_count_in(cm_here, CM_COUNT_ERROR);                              \
				exchange_ = CM_ALLOW;                                              \
			}                                                                          \
		}                                                                                  \
		exchange_;                                                                         \
	})

/* --- what is shown */

static __always_inline void show_own(struct bpf_sock_addr *address)
{
	struct shown *own = bpf_sk_storage_get(&shown, address->sk, NULL, 0);

	if (own && own->own && own->own_real == (__be16)address->user_port)
		address->user_port = own->own;
}

static __always_inline void show_peer(struct bpf_sock_addr *address)
{
	struct shown *peer = bpf_sk_storage_get(&shown, address->sk, NULL, 0);

	if (peer && peer->peer && peer->peer_real == (__be16)address->user_port)
		address->user_port = peer->peer;
}

/* --- connect and sendmsg */

/*
 * Rows with such rules; a row too many costs time alone. Beside the rules: most scopes have none,
 * and their connections ask no more than this.
 */
volatile struct nf_remaps nf_remaps SEC(".bss.nf_remaps");

/* May there be one in this scope, or one above it? */
static __always_inline bool may_exchange(__u32 row)
{
	struct cm_level level;

	if (nf_remaps.rows[row & (CM_ROWS - 1)] || nf_remaps.rows[0])
		return true;
	return cm_read_level(row, &level) && level.above;
}

/*
 * Whose port is it? The first scope's whose rule on bind at that address changes it. An address
 * that may be another host's counts only where the rule names it. What is bound to no address in
 * particular is reached by loopback, and the other way round.
 */
struct search {
	struct step step;
	__u64 counterpart[2];
	__u32 is_here;
	__u32 is_found;
};

static __always_inline void find_counterpart(struct search *search)
{
	const struct nf_query *query = &search->step.query;
	__u64 loopback = query->place & 1 ? 0 : 127ull << 56 | 1ull << 32;

	if (!query->address[0] && !query->address[1]) {
		search->is_here = 1;
		search->counterpart[0] = loopback;
		search->counterpart[1] = query->place & 1;
	} else if (query->place & 1) {
		search->is_here = !query->address[0] && query->address[1] == 1;
	} else {
		search->is_here = query->address[0] >> 56 == 127;
	}
}

static __always_inline bool is_own(struct search *search)
{
	ask(&search->step);
	return is_remapping(&search->step) && (search->is_here || search->step.verdict & NF_OWN);
}

static long search_scope(__u64 i, struct search *search)
{
	struct step *step = &search->step;
	__u64 high = step->query.address[0], low = step->query.address[1];

	search->is_found = is_own(search);
	if (!search->is_found && search->is_here) {
		step->query.address[0] = search->counterpart[0];
		step->query.address[1] = search->counterpart[1];
		search->is_found = is_own(search);
		step->query.address[0] = high;
		step->query.address[1] = low;
	}
	if (search->is_found || is_last(step))
		return 1;
	step->row = step->above;
	return 0;
}

/* The port of what @step is to ask about is changed. Not static: see cm_forget(). */
__noinline int exchange(struct step *step)
{
	struct search search;

	if (!step || !may_exchange(step->row))
		return 0;
	search.step = *step; /* at once, or it would be on the stack twice */
	search.is_here = search.is_found = 0;
	search.counterpart[0] = search.counterpart[1] = 0;
	search.step.query.place = NF_PLACE(NF_BIND) | (step->query.place & 1) | NF_PLACE_TEST;
	find_counterpart(&search);
	bpf_loop(LEVELS, search_scope, &search, 0);
	if (!search.is_found)
		return 0;
	remap(&search.step);
	step->query.key = search.step.query.key;
	step->verdict = search.step.verdict;
	return 1;
}

/* The same of a socket that connects, which is shown whom it has named; 1: no memory for that. */
__noinline int exchange_peer(struct bpf_sock_addr *address, struct step *step)
{
	__be16 asked = address->user_port;
	bool is_hidden;
	struct shown *peer;

	if (!step || !may_exchange(step->row))
		return 0;
	is_hidden = exchange(step) && !(step->verdict & NF_REAL);
	address->user_port = bpf_htons((__u16)step->query.key);
	peer = bpf_sk_storage_get(&shown, address->sk, NULL,
				  is_hidden ? BPF_SK_STORAGE_GET_F_CREATE : 0);
	if (peer) {
		peer->peer = is_hidden ? asked : 0;
		peer->peer_real = is_hidden ? (__be16)address->user_port : 0;
	}
	return is_hidden && !peer;
}

/* Egress is asked about the port that is reached. */
#define EXCHANGE_PEER(ADDRESS, STEP)                                                               \
	do {                                                                                       \
		if (nf_remaps.anywhere && exchange_peer(ADDRESS, STEP))                            \
			cm_count_in(cm_here, CM_COUNT_ERROR);                                      \
	} while (0)
#define EXCHANGE_TARGET(ADDRESS, STEP)                                                             \
	do {                                                                                       \
		if (nf_remaps.anywhere && exchange(STEP))                                          \
			(ADDRESS)->user_port = bpf_htons((__u16)(STEP)->query.key);                \
	} while (0)

#endif /* REMAP_BPF_H */
