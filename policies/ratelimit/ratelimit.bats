#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# Rates as verdicts: the pack ratelimit.

load ../../tests/helpers
load words

cases=$programs/ratelimit-cases

# does EXPECTED CGROUP KIND TIMES: what so many attempts get there
does() {
	rm -rf "$BATS_TEST_TMPDIR"/work/0-*
	equal "$3 in '$2'" "$1" "$(in_cgroup "$2" "$cases" "$3" "$4" "$BATS_TEST_TMPDIR/work")"
}

untraced does limit

# --- each kind

@test "each kind of operation has its own rate: the burst succeeds, the next gets EAGAIN" {
	local kind knob
	for kind in create:file_create tmpfile:file_create symlink:file_create link:file_create mkdir:mkdir \
		unlink:unlink rmdir:unlink rename:rename connect:connect bind:bind mount:mount signal:signal; do
		knob=${kind#*:}
		limit a "$knob=1/h:3"
		does "OK 3 EAGAIN 2" a "${kind%:*}" 5
		does "OK 5" out "${kind%:*}" 5
	done
}

@test "so have those that it takes to start a program: open, exec, fork and write" {
	local kind
	# One of each is what the shell does that starts it.
	for kind in open exec fork; do
		limit a "$kind=1" "${kind}_per=3600" "${kind}_burst=4"
		does "OK 3 EAGAIN 2" a "$kind" 5
		does "OK 5" out "$kind" 5
	done
	# The answer is written, too, when there is a token again.
	limit a write=1 write_per=2 write_burst=4
	does "OK 3 EAGAIN 2" a write 5
	does "OK 5" out write 5
}

@test "a signal 0 asks and is not counted" {
	limit a signal=1 signal_per=3600
	does "OK 5" a signal0 5
	does "OK 1 EAGAIN 1" a signal 2
}

@test "the signal that a child asked for when its parent ends comes without a token" {
	limit a signal=1/h:1
	does "OK 1 EAGAIN 2" a signal 3
	until_true 10 is_empty a
}

@test "0 is any number, and the kinds that have no rate are not limited" {
	limit a mkdir=0 bind=1 bind_per=3600
	does "OK 50" a mkdir 50
	does "OK 1 EAGAIN 49" a bind 50
	does "OK 50" a connect 50
}

@test "the errno is what the knob of the kind says" {
	local error
	for error in EAGAIN EPERM EDQUOT EMFILE; do
		limit a mkdir=1/h:1 "mkdir_errno=$error"
		does "OK 1 $error 1" a mkdir 2
	done
}

# --- scopes

@test "a cgroup and what lies in it draw from one bucket, and nobody else does" {
	limit a bind=1 bind_per=3600 bind_burst=5
	does "OK 2" a bind 2
	does "OK 3 EAGAIN 1" a/b bind 4
	does "OK 9" out bind 9
}

@test "every scope on the path must have a token, and what one refuses costs nothing in another" {
	limit a bind=1 bind_per=3600 bind_burst=5
	limit a/b bind=1 bind_per=3600 bind_burst=2
	does "OK 2 EAGAIN 8" a/b bind 10
	does "OK 3 EAGAIN 1" a bind 4
}

@test "a scope within cannot have more than the one around it" {
	limit a bind=1 bind_per=3600 bind_burst=3
	limit a/b bind=1000000 bind_burst=1000000
	does "OK 3 EAGAIN 7" a/b bind 10
}

@test "system-wide the rate holds for all together" {
	checmate 0 enable ratelimit bind=1 bind_per=3600 bind_burst=4
	does "OK 2" a bind 2
	does "OK 2 EAGAIN 1" out bind 3
	does "OK 0 EAGAIN 2" a bind 2
	checmate 0 disable ratelimit --cgroup /sys/fs/cgroup
}

@test "a permissive scope refuses nothing and counts what it would have" {
	local would denied
	would=$(count would_deny socket_bind) denied=$(count denied socket_bind)
	limit a bind=1 bind_per=3600
	checmate 0 mode ratelimit permissive --cgroup "$a"
	does "OK 5" a bind 5
	equal "would-deny" 4 $(($(count would_deny socket_bind) - would))
	equal "denied" 0 $(($(count denied socket_bind) - denied))
	checmate 0 mode ratelimit enforce --cgroup "$a"
	does "OK 0 EAGAIN 2" a bind 2
}

# --- events

@test "what is refused in a row makes two events: when it begins, and with its number when it has ended" {
	limit a bind=10 bind_burst=2
	does "OK 2 EAGAIN 6" a bind 8
	sleep 1.2
	does "OK 1" a bind 1
	checmate 0 events -j
	jq -se 'length == 2 and .[0].error == "EAGAIN" and .[0].reason == "bind" and
		.[0].subject.cgroup == "/a" and .[1].verdict == "notice" and .[1].reason == "bind.end" and
		.[1].fields.refused == 6' <<<"$output" >/dev/null || fail "the events" "two" "$output"
}

# --- rates

# bats test_tags=parallel
@test "in any time no more succeed than the rate gives and the burst, and no fewer than the rate gives" {
	local threads
	limit a bind=2000 bind_burst=1000
	for threads in 1 8 64; do
		equal "$threads threads" exact \
			"$(in_cgroup a "$cases" bind $threads 2000 1000 2 "$BATS_TEST_TMPDIR/work")"
	done
	# A burst of 3: for so long an emulated CPU may be away before a token is lost.
	set_in a bind=7 bind_burst=3
	sleep 0.5
	equal "7 a second" exact "$(in_cgroup a "$cases" bind 8 7 3 3 "$BATS_TEST_TMPDIR/work")"
}

@test "a rate that is changed holds at once, and the change is worth no burst" {
	limit a bind=1 bind_per=3600 bind_burst=1000
	does "OK 1000 EAGAIN 1" a bind 1001
	set_in a bind_per=1
	does "OK 0 EAGAIN 5" a bind 5
	set_in a bind=1000 bind_burst=50
	does "OK 0 EAGAIN 1" a bind 1
	sleep 0.1
	does "OK 20" a bind 20
}
