#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# kill -9 of checmate at its steps. Whatever it had done, the next call works and finds the state from
# before or the state that was asked for, nothing between; what is enforced is what is reported; and
# a state of "nothing enabled" leaves nothing.
#
# A step is a system call that others can notice the effect of. Killed after: each of them with
# CHECMATE_SOAK=1, else the telling ones: of many of one kind, some, and not the same ones on each kernel.

load helpers

teardown() {
	reset
}

teardown_file() {
	assert_nothing_left
}

# kill_after KIND COUNT ARG...: prints the step that it did not take any more
kill_after() {
	"$programs/lifecycle-kill" "$1" "$2" "$(type -P checmate)" "${@:3}"
}

# chosen EVERY: "KIND COUNT" of those in $steps after which to kill: of each kind the last, and every so
# many before, all dealt out to the three kernels
chosen() {
	local every=$1 i kind rename=-1 dealt=0
	local -A count=() total=()
	for i in "${!steps[@]}"; do
		kind=${steps[$i]}
		total[$kind]=$((${total[$kind]:-0} + 1))
		[[ $kind != rename ]] || rename=$i
	done
	for i in "${!steps[@]}"; do
		kind=${steps[$i]}
		count[$kind]=$((${count[$kind]:-0} + 1))
		if [[ ! ${CHECMATE_SOAK:-} ]]; then
			case $kind in
			bpf-map-create | bpf-prog-load | bpf-attach | bpf-pin-get | write | exit) continue ;;
			bpf-map-update) ((i > rename)) || continue ;; # until then all maps are its own
			esac
			((count[$kind] == total[$kind] ? dealt++ % 3 == third
				: (count[$kind] - 1) % (every * 3) == every * third)) || continue
		fi
		[[ $kind == exit ]] || echo "$kind ${count[$kind]}"
	done
}

complain() {
	complaints+="killed after $1: $2"$'\n'
}

# after_kill WHAT: state, enforcement and leftovers fit; the state before it is brought back.
after_kill() {
	local now
	run --separate-stderr command checmate status -j
	now=$output
	if [[ $status -ne 0 ]]; then
		complain "$1" "status fails: $stderr"
	elif [[ $now == "$old" ]]; then
		run in_old
		[[ $status -eq 0 ]] || complain "$1" "as before, but $output"
	elif [[ $now == "$new" ]]; then
		run in_new
		[[ $status -eq 0 ]] || complain "$1" "done, but $output"
	else
		complain "$1" "neither before nor after: $now"
	fi
	if [[ $now == "[]" ]] && ! until_true 5 nothing_left 2>/dev/null; then
		complain "$1" "left: $(leftovers | paste -sd ' ')"
		command checmate enable yama && command checmate disable yama
	fi
	[[ $now == "$old" ]] || before
	now=$(command checmate status -j)
	[[ $now == "$old" ]] || complain "$1" "undone, it is $now"
}

# sweep EVERY ARG...: `checmate ARG...`, killed after its steps. Calls before (makes the state it
# starts from, whatever there is), in_old and in_new (what holds before and after).
sweep() {
	local every=$1 old new steps kind count left complaints=
	shift
	before
	old=$(command checmate status -j)
	in_old
	mapfile -t steps < <(kill_after list 0 "$@")
	equal "the last step" end "${steps[-1]}"
	unset 'steps[-1]'
	new=$(command checmate status -j)
	in_new
	before
	while read -r -u 5 kind count; do
		left=$(kill_after "$kind" "$count" "$@")
		[[ $left != end ]] || complain "$kind $count" "it came to its end"
		after_kill "$kind $count"
	done 5< <(chosen "$every")
	[[ -z $complaints ]] || fail "checmate $*" "the state before or after" "$complaints"
}

disable_all() {
	command checmate disable yama 2>/dev/null || true
}

untraced kill_after chosen complain after_kill sweep disable_all

@test "kill -9 while enabling system-wide leaves either nothing or all of it" {
	target
	before() { disable_all; }
	in_old() { attempt OK "" read; }
	in_new() { attempt EPERM "" read && attempt OK "" child; }
	sweep 30 enable yama
}

@test "kill -9 while enabling in a cgroup, the first scope, leaves either nothing or all of it" {
	new_cgroup c
	target c
	before() { disable_all; }
	in_old() { attempt OK "" read; }
	in_new() { attempt EPERM "" read && attempt OK "" child; }
	sweep 90 enable yama --cgroup /sys/fs/cgroup/c
}

@test "kill -9 while disabling everything leaves either all of it or nothing" {
	new_cgroup c
	target
	before() {
		disable_all
		command checmate enable yama
		command checmate enable yama --cgroup /sys/fs/cgroup/c ptrace_scope=2
	}
	in_old() { attempt EPERM "" read && attempt EPERM c child; }
	in_new() { attempt OK "" read && attempt OK c child; }
	sweep 30 disable yama
}

@test "kill -9 while disabling the last scope leaves either all of it or nothing" {
	new_cgroup c
	target
	before() {
		disable_all
		command checmate enable yama --cgroup /sys/fs/cgroup/c ptrace_scope=2
	}
	in_old() { attempt EPERM c read && attempt EPERM c child; }
	in_new() { attempt OK c read && attempt OK c child; }
	sweep 90 disable yama --cgroup /sys/fs/cgroup/c
}

# System 1, and scopes in c (2), c/d/e (1, permissive); c/d has none.
nested() {
	new_cgroup c/d/e
	target
	base() {
		command checmate enable yama
		command checmate enable yama --cgroup /sys/fs/cgroup/c ptrace_scope=2
		command checmate enable yama --cgroup /sys/fs/cgroup/c/d/e
		command checmate mode yama permissive --cgroup /sys/fs/cgroup/c/d/e
	}
	disable_all
	base
}

@test "kill -9 while enabling a scope among nested ones leaves the values of before or after" {
	nested
	before() { command checmate disable yama --cgroup /sys/fs/cgroup/c/d 2>/dev/null || true; }
	in_old() { attempt EPERM "" read && attempt EPERM c/d/e child && attempt OK "" child; }
	in_new() { in_old; }
	sweep 9 enable yama --cgroup /sys/fs/cgroup/c/d ptrace_scope=2
}

@test "kill -9 while disabling a scope above others leaves the values of before or after" {
	nested
	before() {
		command checmate enable yama --cgroup /sys/fs/cgroup/c ptrace_scope=2 2>/dev/null || true
	}
	in_old() { attempt EPERM "" read && attempt EPERM c/d/e child && attempt EPERM c/d child; }
	in_new() { attempt EPERM "" read && attempt OK c/d/e child && attempt OK c/d child; }
	sweep 9 disable yama --cgroup /sys/fs/cgroup/c
}

@test "kill -9 while a scope above others is loosened leaves the values of before or after" {
	nested
	before() { command checmate set --cgroup /sys/fs/cgroup/c "$knob=2"; }
	in_old() { attempt EPERM "" read && attempt EPERM c/d/e child; }
	in_new() { attempt EPERM "" read && attempt OK c/d/e child; }
	sweep 9 set --cgroup /sys/fs/cgroup/c "$knob=0"
}

@test "kill -9 while a scope above others is made permissive leaves the mode of before or after" {
	nested
	before() { command checmate mode yama enforce --cgroup /sys/fs/cgroup/c; }
	in_old() { attempt EPERM "" read && attempt EPERM c/d/e child; }
	in_new() { attempt EPERM "" read && attempt OK c/d/e child; }
	sweep 9 mode yama permissive --cgroup /sys/fs/cgroup/c
}

@test "kill -9 while the system's scope is disabled leaves it or not, the cgroups' values as they were" {
	nested
	before() { command checmate enable yama 2>/dev/null || true; }
	in_old() { attempt EPERM "" read && attempt EPERM c/d/e child; }
	in_new() { attempt OK "" read && attempt EPERM c/d/e child; }
	sweep 9 disable yama --cgroup /sys/fs/cgroup
}
