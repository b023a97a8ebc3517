#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031,SC2154 # helpers.bash and bats set them; each test has an output of its own
# Abuse that locks itself out: the pack ratelimit.

load ../../tests/helpers
load words

acts=$programs/lockout-try

# does CGROUP "RESULT..." ACT...: what one process gets there
does() {
	local got
	got=$("$acts" "/sys/fs/cgroup/$1" "$BATS_TEST_TMPDIR/work" "${@:3}" | tr '\n' ' ')
	equal "${*:3} in '$1'" "$2" "${got% }"
}

# lockout CGROUP JQ: of the first scope of that cgroup, as status has it
lockout() {
	command checmate status -j | jq -r --arg cgroup "/$1" \
		'[.[].scopes[] | select(.cgroup == $cgroup)][0].lockout | '"$2"
}

locked_out() {
	[[ $(lockout "$1" .reason) != null ]]
}

# says PATTERN: a line of what checmate printed is so
says() {
	grep -q "$1" <<<"$output" || fail "the output" "$1" "$output"
}

untraced does limit lockout

# --- what leads there

@test "so many forks within so many seconds lock a scope out; the last of them still succeeds" {
	limit a lockout_forks=4/10s
	does a "OK OK EPERM" 3xfork fork fork
	equal "reason" forks "$(lockout a .reason)"
}

@test "so do refusals by a rate, ports that are new, connects that are denied, and programs that cannot be run" {
	limit a lockout_refusals=3/10s mkdir=1/h:1
	does a "OK EAGAIN OK EAGAIN EPERM" mkdir:1 2xmkdir:2 fork mkdir:3 fork
	equal "reason" refusals "$(lockout a .reason)"
	limit a lockout_ports=5/10s
	does a "OK OK OK EPERM" ports:1000+4 20xconnect:1001 connect:7 fork
	equal "reason" ports "$(lockout a .reason)"
	limit a lockout_connects=3/10s connect=1/h:1
	does a "OK EAGAIN OK EAGAIN EPERM" connect:7 2xconnect:7 fork connect:7 fork
	equal "reason" connects "$(lockout a .reason)"
	limit a lockout_execs=3/10s
	does a "EACCES OK EACCES EPERM" 2xbadexec fork badexec fork
	equal "reason" execs "$(lockout a .reason)"
}

@test "a program that is not there is no attempt, nor is a port that was there before" {
	limit a lockout_execs=2/10s lockout_ports=2/10s
	does a "ENOENT OK OK" 5xbadexec:/nonexistent 9xconnect:7 fork
	equal "locked out" null "$(lockout a .)"
}

@test "fewer of them, or as many in more time, lock nothing out" {
	limit a lockout_forks=4/1s
	does a "OK OK OK OK OK OK" 3xfork sleep:1200 3xfork sleep:1200 3xfork sleep:1200
	equal "locked out" null "$(lockout a .)"
	does a "OK EPERM" 4xfork fork
}

@test "a denial by another policy counts as a connect that was denied" {
	limit a lockout_connects=2/10s
	checmate 0 load build/examples/port-one.bpf.o --cgroup "$a"
	does a "EPERM OK EPERM EPERM" connect:1 fork connect:1 fork
	checmate 0 unload port_one
}

# --- what it is

@test "who is locked out runs no program, forks not, gets no socket, opens no file to write; may read, and finish what is open" {
	limit a lockout_forks=1/10s
	does a "OK OK OK EPERM EPERM EPERM EPERM OK OK" exec write fork exec fork socket write read work
	limit a lockout_forks=1/10s lockout_open=1
	does a "OK OK EPERM OK" read fork read work
}

@test "it holds for what lies in the scope, and for nobody else" {
	limit a lockout_forks=1/10s
	does a/b "OK EPERM" fork fork
	does out "OK OK OK OK" 5xfork socket write exec
	checmate 0 disable ratelimit --cgroup "$a"
	limit a/b lockout_forks=1/10s
	does a/b "OK EPERM" fork fork
	does a "OK OK" 5xfork exec
}

@test "a scope is locked out by its own values, whatever those around it say" {
	limit a lockout_forks=100/10s
	limit a/b lockout_forks=2/10s
	does a/b "OK EPERM" 2xfork fork
	equal "the outer one" null "$(lockout a .)"
	does a "OK" 5xfork
}

@test "the whole system is never locked out: it says what would have been" {
	checmate 0 enable ratelimit lockout_forks=2/10s
	does a "OK" 9xfork
	checmate 0 disable ratelimit --cgroup /sys/fs/cgroup
	checmate 0 events -j
	jq -se 'map(select(.action == "scope.lockout")) | length > 0 and all(.reason == "lockout.permissive")' \
		<<<"$output" >/dev/null || fail "the events" "lockout.permissive" "$output"
}

@test "a permissive scope is not locked out either, and counts it" {
	local before
	before=$(count would_deny scope_lockout)
	checmate 0 enable ratelimit --permissive --cgroup "$a" lockout_forks=2/10s
	does a "OK" 5xfork
	equal "locked out" null "$(lockout a .)"
	equal "would-deny" 2 $(($(count would_deny scope_lockout) - before))
}

@test "a scope that becomes permissive while it is locked out may go on" {
	limit a lockout_forks=1/10s
	does a "OK EPERM" fork fork
	checmate 0 mode ratelimit permissive --cgroup "$a"
	does a "OK OK" fork socket
}

# --- how long

# lengths SECONDS...: of the lockouts since the test began, as their events have it
lengths() {
	checmate 0 events -j
	equal "lengths" "$*" "$(jq -r 'select(.reason == "lockout") | .fields.seconds' <<<"$output" | paste -sd ' ')"
}

@test "it ends by itself, and the next one takes twice as long, up to the most" {
	limit a lockout_forks=2/1s lockout_seconds=2 lockout_seconds_max=5
	does a "OK EPERM OK OK" 2xfork fork sleep:2100 fork
	sleep 1.2
	does a "OK EPERM OK EPERM" 2xfork fork sleep:2100 fork
	does a "OK OK" sleep:2000 2xfork
	equal "in a row" 3 "$(lockout a .times)"
	lengths 2 4 5
}

@test "who behaves for eight times as long as it lasted begins anew" {
	limit a lockout_forks=2/1s lockout_seconds=1
	does a "OK EPERM OK OK" 2xfork fork sleep:10000 2xfork
	lengths 1 1
}

@test "where it is to be held it lasts until it is released" {
	limit a lockout_forks=2/1s lockout_seconds=1 lockout_hold=1
	does a "OK OK EPERM" 2xfork sleep:1500 fork
	equal "seconds" "forks null" "$(lockout a '"\(.reason) \(.seconds)"')"
	checmate 0 status
	says "/a has locked itself out, ratelimit: forks, until it is released"
	checmate 0 release --cgroup "$a"
	does a "OK" fork
	equal "locked out" null "$(lockout a .)"
}

# --- release

@test "what is released counts as if it never had been" {
	limit a lockout_forks=2/10s
	does a "OK EPERM" 2xfork fork
	checmate 0 release --cgroup "$a"
	does a "OK OK EPERM" fork fork fork
	equal "the next" 1 "$(lockout a .times)"
}

@test "release of what is not locked out, of no cgroup and of the whole system fails in one line" {
	limit a lockout_forks=2/10s
	refused 1 "checmate: $a is not locked out: checmate status shows what is" release --cgroup "$a"
	refused 1 "checmate: /sys/fs/cgroup/out is not locked out: *" release --cgroup /sys/fs/cgroup/out
	refused 1 "checmate: no cgroup '/sys/fs/cgroup/nosuch': *" release --cgroup /sys/fs/cgroup/nosuch
	refused 2 "checmate: release needs --cgroup: *" release
	does a "OK" fork
}

@test "a scope that is made anew is not locked out" {
	limit a lockout_forks=1/10s lockout_hold=1
	does a "OK EPERM" fork fork
	checmate 0 disable ratelimit --cgroup "$a"
	limit a lockout_forks=9/10s
	does a "OK" fork
}

# --- what it is for

@test "one event says that it begins, why, and for how long; what it refuses is counted" {
	local lockouts refusals
	lockouts=$(count denied scope_lockout) refusals=$(count denied task_alloc)
	limit a lockout_forks=2/10s lockout_seconds=7
	does a "OK EPERM" 2xfork 3xfork
	checmate 0 events -j
	jq -se 'length == 1 and .[0].verdict == "notice" and .[0].action == "scope.lockout" and
		.[0].reason == "lockout" and .[0].fields.events == "forks" and .[0].fields.seconds == 7 and
		.[0].subject.cgroup == "/a"' <<<"$output" >/dev/null || fail "the events" "one" "$output"
	equal "lockouts" 1 $(($(count denied scope_lockout) - lockouts))
	equal "refusals" 3 $(($(count denied task_alloc) - refusals))
}

@test "a fork bomb locks itself out, the machine stays usable, and after the release the scope is" {
	limit a lockout_forks=100/10s lockout_hold=1
	in_cgroup a bash -c 'bomb() { bomb | bomb & }; bomb' 2>/dev/null &
	until_true 20 locked_out a
	does out "OK OK OK" 5xfork socket exec
	until_true 60 is_empty a
	checmate 0 release --cgroup "$a"
	does a "OK OK" fork exec
}

@test "a port scanner locks itself out before it has seen many of them" {
	limit a lockout_ports=20/10s
	does a "OK OK EPERM" ports:2000+19 ports:3000+500 socket
	equal "reason" ports "$(lockout a .reason)"
}
