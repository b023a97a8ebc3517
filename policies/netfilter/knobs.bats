#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# The knobs of the pack netfilter: are a scope's rules asked, which errno a drop gives that names none,
# and how many events there may be. Nobody listens at the ports: what is accepted gets ECONNREFUSED.

load ../../tests/helpers
load words

ways=$programs/net-ways
prefix=kernel.checmate.netfilter

# gets OUTCOME CGROUP WAY ADDRESS PORT [TIMES]: what that way to the address gets there
gets() {
	equal "$3 to $4 port $5 in '$2'" "$1" "$(in_cgroup "$2" "$ways" "${@:3}")"
}

# sets KNOB=VALUE [CGROUP]: of the system without a cgroup
sets() {
	checmate 0 set "$prefix.$1" ${2:+--cgroup "/sys/fs/cgroup/$2"}
}

# events JQ: what that makes of those which wait
events() {
	command checmate events -j | jq -rs "$1"
}

# left_out HOOK: events of it, so far
left_out() {
	command checmate stats -j | jq --arg hook "$1" '.[] | select(.hook == $hook and .pack == "netfilter") | .suppressed'
}

untraced gets sets events left_out

# --- errno

@test "errno: each way gets what the knob says, a rule's own errno counts before, and test says the same" {
	local error way
	rules a <<-'END'
		egress port 4001 drop
		egress port 4002 drop errno ENETDOWN
		bind port 4003 drop
		listen port 4004 drop
		deny port 4005
		create family alg drop
		egress policy drop
		egress port 4009 accept
	END
	gets EPERM a connect 127.0.0.1 4001
	for error in EACCES ECONNREFUSED ENETUNREACH EHOSTUNREACH ETIMEDOUT EPERM; do
		sets errno=$error a
		answers "denied with $error by line 1 of /a: egress port 4001 drop" a egress tcp 10.1.2.3:4001
		gets "$error" a/b sendto 127.0.0.1 4001
	done
	sets errno=EHOSTUNREACH a
	command checmate events >/dev/null
	for way in connect fastopen uring udp sendto sendmsg sendmmsg uring_sendmsg; do
		gets EHOSTUNREACH a $way 127.0.0.1 4001
		gets EHOSTUNREACH a $way ::1 4001
		gets ENETDOWN a $way 127.0.0.1 4002
	done
	gets EHOSTUNREACH a bind 127.0.0.1 4003
	gets EHOSTUNREACH a listen 127.0.0.1 4004
	gets EHOSTUNREACH a connect 127.0.0.1 4005
	gets EHOSTUNREACH a connect 127.0.0.1 4006
	equal "socket(alg)" EHOSTUNREACH "$(in_cgroup a "$ways" create 38 5 0)"
	equal "socket(packet), which goes around" EPERM "$(in_cgroup a "$ways" create 17 3 0)"
	for way in "egress tcp 127.0.0.1:4006" "bind tcp 127.0.0.1:4003" "create alg seqpacket"; do
		# shellcheck disable=SC2086 # words
		checmate 0 netfilter test --cgroup "$a" $way
		equal "test $way" "denied with EHOSTUNREACH" "${output%% by line*}"
	done
	answers "denied with ENETDOWN by line 2 of /a: egress port 4002 drop errno ENETDOWN" a egress tcp 127.0.0.1:4002
	equal "errno of the events" "EHOSTUNREACH ENETDOWN EPERM" \
		"$(events '[.[].error] | unique | join(" ")')"
	refused 1 "*errno*" set "$prefix.errno=ENOENT" --cgroup "$a"
}

@test "errno: of the scope whose rule refuses, the system's as well; permissive, it is told" {
	rules a <<<"egress port 4001 drop"
	rules a/b <<<"egress port 4002 drop"
	rules / <<<"egress port 4003 drop"
	sets errno=EACCES a
	sets errno=ENETUNREACH
	gets EACCES a/b connect 127.0.0.1 4001
	gets EPERM a/b connect 127.0.0.1 4002
	gets ENETUNREACH a/b connect 127.0.0.1 4003
	gets ENETUNREACH out connect 127.0.0.1 4003
	command checmate events >/dev/null
	checmate 0 mode netfilter permissive --cgroup "$a"
	gets ECONNREFUSED a connect 127.0.0.1 4001
	equal "the event" "would-deny EACCES" "$(events '.[] | "\(.verdict) \(.error)"')"
	answers "would be denied with EACCES by line 1 of /a: egress port 4001 drop" a egress tcp 127.0.0.1:4001
}

# --- enable

@test "enable=0: the rules are kept and nothing of them is asked or counted; those above hold" {
	rules a <<-'END'
		egress port 4001 drop
		egress port 4002 count accept
		bind tcp port 80 remap 30080
		ingress policy drop
	END
	rules a/b <<<"egress port 4003 drop"
	sets enable=0 a/b
	gets ECONNREFUSED a/b connect 127.0.0.1 4003
	gets EPERM a/b connect 127.0.0.1 4001
	answers "denied with EPERM by line 1 of /a: egress port 4001 drop" a/b egress tcp 127.0.0.1:4001
	sets enable=0 a
	gets ECONNREFUSED a connect 127.0.0.1 4001
	gets ECONNREFUSED a/b connect 127.0.0.1 4001
	gets ECONNREFUSED a connect 127.0.0.1 4002
	gets OK a/b sendto ::1 4001
	answers "accepted: no rule says otherwise" a bind tcp 127.0.0.1:80
	answers "accepted: no rule says otherwise" a ingress tcp 127.0.0.1:80
	checmate 0 netfilter list -j --cgroup "$a"
	equal "counts" "1 0" "$(jq -r '"\(.[0].count) \(.[1].count)"' <<<"$output")"
	sets enable=1 a
	gets EPERM a connect 127.0.0.1 4001
	gets ECONNREFUSED a connect 127.0.0.1 4002
	answers "accepted as port 30080 by line 3 of /a: bind tcp port 80 remap 30080" a bind tcp 127.0.0.1:80
	checmate 0 netfilter list -j --cgroup "$a"
	equal "counts" "2 1" "$(jq -r '"\(.[0].count) \(.[1].count)"' <<<"$output")"
	# Where no port is exchanged, what accepts is decided in another way.
	rules a <<<"egress port 4002 count accept"
	sets enable=0 a
	gets ECONNREFUSED a connect 127.0.0.1 4002
	sets enable=1 a
	gets ECONNREFUSED a connect 127.0.0.1 4002
	checmate 0 netfilter list -j --cgroup "$a"
	equal "count" 1 "$(jq '.[0].count' <<<"$output")"
}

@test "enable: of the whole system by its file below /proc/sys as well, and kept by a configuration" {
	rules / <<<"egress port 4001 drop"
	gets EPERM out connect 127.0.0.1 4001
	if [[ -e /proc/sys/kernel/checmate/netfilter/enable ]]; then
		echo 0 >/proc/sys/kernel/checmate/netfilter/enable
		! echo 2 >/proc/sys/kernel/checmate/netfilter/enable || fail "echo 2" EINVAL OK
	else
		[[ $CHECMATE_KERNEL == 7 ]] || fail "the file" "there" "not there"
		sets enable=0
	fi
	gets ECONNREFUSED out connect 127.0.0.1 4001
	command checmate save >"$BATS_TEST_TMPDIR/state.conf"
	sets enable=1
	gets EPERM out connect 127.0.0.1 4001
	chmod -R go-w "$BATS_RUN_TMPDIR"
	checmate 0 -f "$BATS_TEST_TMPDIR/state.conf"
	gets ECONNREFUSED out connect 127.0.0.1 4001
}

# --- log_rate

@test "log_rate: so many events of a scope's rules, the rest is refused, counted and told of; others have theirs" {
	local before
	rules a <<<"egress port 4001 drop"
	rules out <<<"egress port 4001 drop"
	sets log_rate=3/h a
	before=$(left_out connect4)
	gets EPERM a/b connect 127.0.0.1 4001 10
	gets EPERM out connect 127.0.0.1 4001 4
	equal "events of each" "/a/b 3
/out 4" "$(events 'group_by(.subject.cgroup)[] | "\(.[0].subject.cgroup) \(length)"')"
	equal "left out" 7 $(($(left_out connect4) - before))
	checmate 0 netfilter list -j --cgroup "$a"
	json '.[0].count == 10'
	sets log_rate=0 a
	gets EPERM a connect 127.0.0.1 4001 5
	equal "events without a rate" 5 "$(events length)"
}

@test "log_rate: of what is accepted and logged as well, of packets, and of a permissive scope" {
	rules a <<-'END'
		egress udp port 4001 log accept
		egress tcp port 4002 drop
		ingress udp drop
	END
	sets log_rate=2/h a
	gets OK a sendto 127.0.0.1 4001 5
	equal "events" "notice notice" "$(events '[.[].verdict] | join(" ")')"
	sets log_rate=0 a
	checmate 0 mode netfilter permissive --cgroup "$a"
	sets log_rate=4/h a
	gets ECONNREFUSED a connect 127.0.0.1 4002 5
	equal "events" "would-deny would-deny" "$(events '[.[].verdict] | join(" ")')"
}

@test "log_rate: a new period has its own, and what was left out before is told" {
	rules a <<<"egress port 4001 drop"
	sets log_rate=1/s a
	gets EPERM a connect 127.0.0.1 4001 20
	command checmate events >/dev/null
	a_new_one() {
		gets EPERM a connect 127.0.0.1 4001
		said=$(events '.[0].suppressed')
		[[ $said != null ]]
	}
	until_true 10 a_new_one 2>/dev/null
	((said >= 18)) || fail "left out" "18 or more" "$said"
}
