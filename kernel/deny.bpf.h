/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a rule says: "I object", with fields of its own. Whether that counts is decided here, by the
 * scope of the subject:
 *
 *	not in force there	allowed, not counted
 *	permissive		counted as would-deny, event, allowed
 *	enforce			counted as denied, event, refused with the errno
 *
 * Each word exists for three subjects:
 *
 *	cm_X()		the task that makes the call, by its cgroup
 *	cm_sock_X(SK)	the socket, by the cgroup it was made in (that of the listening one for an
 *			accepted connection); the event names the calling task as well. For the
 *			socket hooks that a system call leads to: socket_bind, _connect, _sendmsg
 *... cm_packet_X(SK)	the same where a packet leads to it: socket_sock_rcv_skb, inet_conn_request.
 *			The task is whichever was interrupted, so it is neither asked nor named.
 *
 * A socket that belongs to no cgroup (made by the kernel, in interrupt context) is in the system's
 * scope alone: what is enabled in cgroups lets it pass. A scope that cannot be found out, because
 * the kernel's data is broken, denies, and is counted as an error. Where a socket is being freed
 * (sk_free_security) its cgroup may be gone: decide nothing there. A request socket (the `req` of
 * inet_conn_request) has no cgroup: the listening socket is the subject.
 */
#ifndef CM_DENY_BPF_H
#define CM_DENY_BPF_H

/*
 * cm_scope_of_sock - the scope that a socket is in, as cm_scope_of() of a task
 *
 * To the verifier of 6.12+ the `sk` of a struct socket may be NULL: that is in no cgroup.
 */
static __always_inline __u32 cm_scope_of_sock(const struct sock *sk)
{
	return sk && cm_state.head.nr_scopes ? cm_row_of(sk->sk_cgrp_data.cgroup) : 0;
}

/* Is the policy in force in a scope: as a knob's value, see cm_value_of(). */
static __always_inline struct cm_value cm_force_in(__u32 scope)
{
	return cm_value_in(scope, CM_INDEX_IN_FORCE, 0, 1, CM_STRICTEST_MAX);
}

/* cm_system_in_force - is the policy enabled system-wide, in either mode? One word of memory. */
#define cm_system_in_force() (cm_state.system[CM_INDEX_IN_FORCE] != 0)

/*
 * cm_in_force - has the policy anything to say on this subject? In either mode; cm_deny() asks it
 * itself: for a rule that has work to do before it knows whether it objects.
 */
#define cm_in_force()	       (cm_force_in(cm_own_scope()).shadow != 0)
#define cm_sock_in_force(SK)   (cm_force_in(cm_scope_of_sock(SK)).shadow != 0)
#define cm_packet_in_force(SK) cm_sock_in_force(SK)

/* cm_enforced - the same in enforce mode: for a rule that changes something instead of objecting */
#define cm_enforced()	     (cm_force_in(cm_own_scope()).enforced != 0)
#define cm_sock_enforced(SK) (cm_force_in(cm_scope_of_sock(SK)).enforced != 0)

/*
 * cm_knob - a knob's value for this subject, as a number
 *
 * The strictest among the enforcing scopes up to the root; where none enforces, among the
 * permissive ones. "Strictest" is what CM_KNOB() says: of a knob that is no degree of strictness,
 * such as the number of a port, two scopes on one path combine to the larger number.
 */
#define cm_knob_of(SCOPE, NAME)                                                                    \
	({                                                                                         \
		__u32 scope_ = SCOPE;                                                              \
		struct cm_value value_ = cm_value_of(scope_, NAME);                                \
		cm_force_in(scope_).enforced ? value_.enforced : value_.shadow;                    \
	})
#define cm_knob(NAME)		 cm_knob_of(cm_own_scope(), NAME)
#define cm_sock_knob(SK, NAME)	 cm_knob_of(cm_scope_of_sock(SK), NAME)
#define cm_packet_knob(SK, NAME) cm_sock_knob(SK, NAME)

/* cm_allow - return it where the rule was asked, in force, and has no objection: counted */
#define cm_allow()                                                                                 \
	({                                                                                         \
		cm_count_in(cm_here, CM_COUNT_ALLOWED);                                            \
		CM_ALLOW;                                                                          \
	})

/*
 * Fields of an event: at most CM_FIELDS behind the reason of cm_deny(). NAME is a string constant
 * shorter than CM_FIELD_NAME_LEN, [a-z0-9_]; the value is looked at only if there is an event.
 */
#define cm_u64(NAME, VALUE) cm_field_(NAME, cm_field_number(&field_, CM_FIELD_U64, VALUE))
#define cm_s64(NAME, VALUE) cm_field_(NAME, cm_field_number(&field_, CM_FIELD_S64, VALUE))
#define cm_hex(NAME, VALUE) cm_field_(NAME, cm_field_number(&field_, CM_FIELD_HEX, VALUE))
/* A port and an address as the kernel keeps them, in network byte order; of IPv6 its address. */
#define cm_port(NAME, VALUE)                                                                       \
	cm_field_(NAME, cm_field_number(&field_, CM_FIELD_PORT, bpf_ntohs(VALUE)))
#define cm_ipv4(NAME, VALUE)   cm_field_(NAME, cm_field_ipv4(&field_, VALUE))
#define cm_ipv6(NAME, POINTER) cm_field_(NAME, cm_field_ipv6(&field_, POINTER))
/* A string in the kernel's memory, at most CM_FIELD_LEN - 1 bytes of it. */
#define cm_text(NAME, POINTER) cm_field_(NAME, cm_field_text(&field_, POINTER))

/* Within cm_deny(): `field_` is the next one of the event. */
#define cm_field_(NAME, SET)                                                                       \
	({                                                                                         \
		CM_ASSERT(sizeof(NAME) > 1, "a field needs a name");                               \
		cm_set_text(field_->name, NAME);                                                   \
		SET;                                                                               \
	})

static __always_inline void cm_field_number(struct cm_field **field, __u32 type, __u64 value)
{
	(*field)->type = type;
	(*field)++->number = value;
}

static __always_inline void cm_field_ipv4(struct cm_field **field, __u32 address)
{
	(*field)->type = CM_FIELD_IPV4;
	__builtin_memcpy((*field)++->bytes, &address, sizeof(address));
}

static __always_inline void cm_field_ipv6(struct cm_field **field, const void *address)
{
	(*field)->type = CM_FIELD_IPV6;
	bpf_probe_read_kernel((*field)++->bytes, 16, address);
}

static __always_inline void cm_field_text(struct cm_field **field, const void *text)
{
	(*field)->type = CM_FIELD_TEXT;
	bpf_probe_read_kernel_str((*field)++->bytes, CM_FIELD_LEN, text);
}

/* The three kinds of subject, as the event names them. Not static: see cm_forget(). */
__noinline int cm_subject_task(struct cm_party *party)
{
	struct task_struct *task = cm_current();

	if (party)
		cm_party_of(party, task, task->cred);
	return 0;
}

static __always_inline void cm_subject_packet(struct cm_party *party, const struct sock *sk)
{
	if (sk)
		party->cgroup = sk->sk_cgrp_data.cgroup->kn->id;
}

static __always_inline void cm_subject_sock(struct cm_party *party, const struct sock *sk)
{
	cm_subject_task(party);
	cm_subject_packet(party, sk);
}

/*
 * cm_deny_for - object as far as a knob says so: where its value is not 0
 * @VALUE: struct cm_value: what cm_value_of() gives, or several such combined
 * @ERROR, @ACTION: as those of cm_deny(), below
 * @REASON: string in the policy's memory or a constant, cut to CM_NAME_LEN - 1 bytes
 * further arguments: fields of the event
 *
 * For a policy of many rules, each with a knob of its own.
 */
#define cm_deny_for(VALUE, ERROR, ACTION, REASON, FIELDS...)                                       \
	cm_deny_by(0, VALUE, cm_subject_task(&event_->subject), ERROR, ACTION,                     \
		   bpf_probe_read_kernel_str(event_->reason, sizeof(event_->reason), REASON),      \
		   "{subject} attempted " ACTION, ##FIELDS)

/* cm_packet_deny_for - the same where a packet for SK leads to it, as cm_packet_deny() */
#define cm_packet_deny_for(SK, VALUE, ERROR, ACTION, REASON, FIELDS...)                            \
	cm_deny_by(0, VALUE, cm_subject_packet(&event_->subject, SK), ERROR, ACTION,               \
		   bpf_probe_read_kernel_str(event_->reason, sizeof(event_->reason), REASON),      \
		   "a packet led to " ACTION, ##FIELDS)

/*
 * cm_leave_out - an event that the rule has reason to leave out, such as a rate of its own
 *
 * Counted as suppressed, as those are that the pack's rate keeps back; the next event tells how
 * many.
 */
#define cm_leave_out() cm_leave_out_in(cm_here)

/* cm_deny_silently - the same without an event: counted, refused where the value says so */
#define cm_deny_silently(VALUE, ERROR)                                                             \
	({                                                                                         \
		const long error_ = ERROR;                                                         \
		struct cm_value force_ = VALUE;                                                    \
                                                                                                   \
		if (force_.shadow)                                                                 \
			cm_count_denial(cm_here, force_.enforced);                                 \
		force_.enforced ? -error_ : (long)CM_ALLOW;                                        \
	})

/*
 * cm_deny - object; in a rule: return cm_deny(...)
 * @ERROR: errno, positive, that the caller gets
 * @ACTION: what was attempted, dotted: "socket.connect"; string constant shorter than CM_NAME_LEN
 * @REASON: which rule objects; likewise
 * further arguments: fields of the event, cm_u64() and the like
 *
 * Its value is -ERROR or CM_ALLOW: see the head of this file.
 */
#define cm_deny(ERROR, ACTION, REASON, FIELDS...)                                                  \
	cm_deny_in(cm_own_scope(), cm_subject_task(&event_->subject), ERROR, ACTION, REASON,       \
		   "{subject} attempted " ACTION, ##FIELDS)
#define cm_sock_deny(SK, ERROR, ACTION, REASON, FIELDS...)                                         \
	cm_deny_in(cm_scope_of_sock(SK), cm_subject_sock(&event_->subject, SK), ERROR, ACTION,     \
		   REASON, "{subject} attempted " ACTION, ##FIELDS)
#define cm_packet_deny(SK, ERROR, ACTION, REASON, FIELDS...)                                       \
	cm_deny_in(cm_scope_of_sock(SK), cm_subject_packet(&event_->subject, SK), ERROR, ACTION,   \
		   REASON, "a packet led to " ACTION, ##FIELDS)

/*
 * cm_notice - report what is no denial: for a rule that only looks
 * @ACTION, @REASON, further arguments: as of cm_deny()
 *
 * Where the policy is in force for the calling task, in either mode. It is counted nowhere: declare
 * a CM_COUNTER() for that.
 */
#define cm_notice(ACTION, REASON, FIELDS...)                                                       \
	do {                                                                                       \
		const __u32 size_ = cm_event_size(FIELDS);                                         \
		struct cm_event *event_ = NULL;                                                    \
                                                                                                   \
		if (cm_in_force())                                                                 \
			event_ = cm_event_new(cm_here, CM_NOTICE, 0, size_);                       \
		if (event_)                                                                        \
			cm_event_send(cm_subject_task(&event_->subject), ACTION,                   \
				      cm_set_text(event_->reason, REASON), "{subject}: " ACTION,   \
				      ##FIELDS);                                                   \
	} while (0)

#define cm_event_size(FIELDS...) (___bpf_narg(FIELDS) ? sizeof(struct cm_event) : CM_EVENT_SHORT)

/* Fills `event_`, SUBJECT and SET_REASON in their parts, and submits it. */
#define cm_event_send(SUBJECT, ACTION, SET_REASON, MESSAGE, FIELDS...)                             \
	do {                                                                                       \
		struct cm_field *field_ = event_->fields;                                          \
                                                                                                   \
		CM_ASSERT(___bpf_narg(FIELDS) <= CM_FIELDS, "too many fields");                    \
		cm_set_text(event_->action, ACTION);                                               \
		SET_REASON;                                                                        \
		cm_set_text(event_->message, MESSAGE);                                             \
		SUBJECT;                                                                           \
		(void)(field_, ##FIELDS);                                                          \
		bpf_ringbuf_submit(event_, 0);                                                     \
	} while (0)

#define cm_deny_in(SCOPE, SUBJECT, ERROR, ACTION, REASON, MESSAGE, FIELDS...)                      \
	({                                                                                         \
		__u32 in_ = SCOPE;                                                                 \
                                                                                                   \
		cm_deny_by(in_, cm_force_in(in_), SUBJECT, ERROR, ACTION,                          \
			   cm_set_text(event_->reason, REASON), MESSAGE, ##FIELDS);                \
	})

#define cm_deny_by(SCOPE, FORCE, SUBJECT, ERROR, ACTION, SET_REASON, MESSAGE, FIELDS...)           \
	({                                                                                         \
		const __u32 size_ = cm_event_size(FIELDS);                                         \
		const long error_ = ERROR;                                                         \
		__u32 scope_ = SCOPE;                                                              \
		struct cm_value force_ = FORCE;                                                    \
		struct cm_event *event_ = NULL;                                                    \
                                                                                                   \
		if (scope_ == CM_ROW_UNKNOWN)                                                      \
			cm_count_in(cm_here, CM_COUNT_ERROR);                                      \
		if (force_.shadow)                                                                 \
			event_ = cm_event_begin(cm_here,                                           \
						force_.enforced ? CM_ENFORCE : CM_PERMISSIVE,      \
						error_, size_);                                    \
		if (event_)                                                                        \
			cm_event_send(SUBJECT, ACTION, SET_REASON, MESSAGE, ##FIELDS);             \
		force_.enforced ? -error_ : (long)CM_ALLOW;                                        \
	})

#endif /* CM_DENY_BPF_H */
