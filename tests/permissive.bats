#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016,SC2154 # jq expressions; helpers.bash and bats set the rest
# Mode permissive: nothing is refused, what would have been is counted and reported. Of several
# scopes the strictest enforcing value decides; a permissive one never hides it.

load helpers

teardown() {
	clean
}

teardown_file() {
	reset
	assert_nothing_left
}

# Outcomes of everything that Yama judges, one word each.
outcomes() {
	local action
	for action in attach seize read mem syscall getfd; do
		in_cgroup "$1" as_user "$try" "$action" "$target"
	done
	in_cgroup "$1" as_user "$try" child
	in_cgroup "$1" as_user "$try" traceme
	"$try" attach "$target"
}

# permissive [CGROUP], enforce [CGROUP]
permissive() {
	checmate 0 mode yama permissive ${1:+--cgroup "/sys/fs/cgroup/$1"}
}

enforce() {
	checmate 0 mode yama enforce ${1:+--cgroup "/sys/fs/cgroup/$1"}
}

# scope CGROUP VALUE: enabled there
scope() {
	new_cgroup "$1"
	checmate 0 enable yama --cgroup "/sys/fs/cgroup/$1" "ptrace_scope=$2"
}

verdicts() {
	command checmate events -j | jq -r .verdict | sort | uniq -c | awk '{ print $2 "=" $1 }' | paste -sd ' '
}

untraced outcomes permissive enforce scope

@test "system-wide permissive changes no outcome at any value, and counts what would be denied" {
	target
	local free value would
	free=$(outcomes "")
	for value in 0 1 2; do
		would=("0 0 0 0" "0 6 0 0" "0 7 0 1")
		system "$value"
		permissive
		equal "outcomes at $value" "$free" "$(outcomes "")"
		counted "${would[$value]}"
	done
}

@test "permissive in a cgroup changes no outcome at any value, not even at 3 until it is enforced" {
	system 0
	enforce
	target
	local free value
	scope c 0
	free=$(outcomes c)
	permissive c
	for value in 1 2 3; do
		checmate 0 set --cgroup /sys/fs/cgroup/c "$knob=$value"
		equal "outcomes at $value" "$free" "$(outcomes c)"
	done
	counted "0 20 0 2"
	enforce c
	attempt EPERM c attach
}

@test "what would be denied is an event with the verdict would-deny and the errno it would have been" {
	reset # and with it what is left of the rate of events
	system 1
	permissive
	target
	attempt OK "" attach
	attempt OK "" read
	checmate 0 events -j
	equal events 2 "${#lines[@]}"
	jq -e --argjson pid "$target" '.verdict == "would-deny" and .error == "EPERM"
		and .reason == "not-descendant" and .object.pid == $pid' <<<"${lines[0]}"
}

@test "enforce after permissive denies, permissive after enforce allows, at once" {
	reset # and with it what is left of the rate of events
	system 1
	enforce
	target
	attempt EPERM "" attach
	permissive
	attempt OK "" attach
	permissive
	attempt OK "" attach
	enforce
	attempt EPERM "" attach
	counted "2 2 0 0"
	equal "events" "deny=2 would-deny=2" "$(verdicts)"
}

@test "a permissive cgroup under an enforcing system: the system's value denies, the rest would" {
	reset # and with it what is left of the rate of events
	system 1
	enforce
	scope c 2
	permissive c
	target
	attempt EPERM c attach # by 1
	attempt OK c child     # 2 would
	attempt OK c traceme   # 2 would
	counted "1 1 0 1"
	equal "events" "deny=1 would-deny=2" "$(verdicts)"
}

@test "an enforcing cgroup under a permissive system: denied there, would be denied elsewhere" {
	system 1
	permissive
	scope c 1
	target
	attempt OK "" attach
	attempt EPERM c attach
	attempt OK c child
	counted "1 1 0 0"
}

@test "nested modes: of the enforcing scopes the strictest denies, wherever it stands" {
	system 0
	enforce
	scope c 1
	scope c/d 2
	permissive c/d
	scope c/d/e 0
	target
	attempt EPERM c/d/e attach # c: enforce 1
	attempt OK c/d/e child     # c/d: permissive 2
	attempt OK c child
	counted "1 1 0 0"
	permissive c
	enforce c/d
	attempt EPERM c/d/e child # c/d: enforce 2
	attempt OK c attach       # c: permissive 1
	permissive c/d
	attempt OK c/d/e child
	attempt OK c/d/e attach
	counted "2 4 0 0"
}

@test "between two tasks the enforcing side decides, the permissive side is only reported" {
	system 0
	enforce
	scope c 2
	permissive c
	new_cgroup d
	target d any
	attempt OK c attach # 2 would
	counted "0 1 0 0"
	scope d 1
	attempt OK c attach # it named anyone
	counted "0 2 0 0"
	checmate 0 set --cgroup /sys/fs/cgroup/d "$knob=2"
	attempt EPERM c attach
	counted "1 2 0 0"
}

@test "get shows a permissive scope's value, status its mode" {
	system 0
	scope c 2
	permissive c
	value 2 c
	checmate 0 status
	[[ ${lines[-1]} =~ ^yama\ .*\ permissive\ +kernel.yama.ptrace_scope\ +2\ +2\ +/c$ ]]
}

@test "enabled with --permissive, it counts from the first moment and never denies" {
	reset
	checmate 0 enable yama --permissive ptrace_scope=2
	target
	attempt OK "" attach
	new_cgroup c
	checmate 0 enable yama --permissive --cgroup /sys/fs/cgroup/c ptrace_scope=3
	attempt OK c attach
	equal "denied and would-deny of access checks, then of traceme" "0 2 0 0" "$(counts)"
}
