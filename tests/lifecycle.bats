#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# A pack's life: what enabling sets, what keeps it in force, what disabling leaves (nothing), and the
# one value that its file, sysctl(8) and the command share.

load helpers

teardown() {
	rm -f /etc/sysctl.d/90-checmate-test.conf /etc/modprobe.d/checmate-test.conf
	reset
}

teardown_file() {
	assert_nothing_left
}

has_module() {
	[[ -e /lib/modules/$(uname -r)/extra/checmate.ko ]]
}

need_module() {
	has_module || skip "no /proc/sys door on this kernel: its headers want a newer gcc than Debian 12 has"
}

# --- enabling

@test "enabling sets the declared default, system-wide or in a cgroup, or the value that is given" {
	new_cgroup c
	checmate 0 enable yama
	value 1
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c ptrace_scope=2
	value 2 c
	checmate 0 disable yama
	checmate 0 enable yama ptrace_scope=0
	value 0
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c
	value 1 c
}

@test "enabled in a cgroup alone, the system's value is 0 and nobody else is restricted" {
	new_cgroup c
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c
	value 0
	value 1 c
	scopes /c
	target
	attempt OK "" attach
	target c
	attempt EPERM c attach
}

@test "a cgroup's value may be set while the system's is 0, and the system's without its scope enabled" {
	new_cgroup c
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c
	checmate 0 set --cgroup /sys/fs/cgroup/c "$knob=2"
	value 2 c
	value 0
	target
	attempt OK "" attach
	attempt EPERM c child
}

@test "enforcement needs no process: with every one of ours dead it goes on, and can be withdrawn" {
	new_cgroup c
	checmate 0 enable yama
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c ptrace_scope=2
	if pgrep -x checmate; then
		fail "processes of ours" none "some"
	fi
	target
	attempt EPERM "" attach
	attempt EPERM c child
	attempt OK "" child
	checmate 0 disable yama
	attempt OK "" attach
}

# --- disabling

@test "disable leaves no program, map, link, pin or file, and PR_SET_PTRACER is unknown again" {
	leaves_nothing
	new_cgroup c
	checmate 0 enable yama
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c
	[[ -n $(leftovers) ]]
	checmate 0 disable yama
	leaves_nothing
	[[ ! -e /proc/sys/kernel/yama && ! -e $pins ]]
	equal prctl EINVAL "$(as_user "$try" ptracer any)"
}

@test "disable leaves no module behind that enable had loaded" {
	need_module
	! grep -q '^checmate ' /proc/modules || rmmod checmate
	checmate 0 enable yama
	grep -q '^checmate ' /proc/modules
	checmate 0 disable yama
	run ! grep "^checmate " /proc/modules
}

@test "disabling the last scope unloads the pack, any other leaves it in force" {
	new_cgroup c
	new_cgroup d
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c
	checmate 0 enable yama --cgroup /sys/fs/cgroup/d
	checmate 0 disable yama --cgroup /sys/fs/cgroup/c
	scopes /d
	target d
	attempt EPERM "" attach
	checmate 0 disable yama --cgroup /sys/fs/cgroup/d
	scopes ""
	leaves_nothing
	attempt OK "" attach
}

@test "system and cgroup come and go in any order, each with its own value" {
	new_cgroup c
	local on off
	target c
	for on in "system cgroup" "cgroup system"; do
		for off in "system cgroup" "cgroup system"; do
			one_order "$on" "$off"
		done
	done
}

change() {
	case $1-$2 in
	enable-system) checmate 0 enable yama ;;
	enable-cgroup) checmate 0 enable yama --cgroup /sys/fs/cgroup/c ptrace_scope=2 ;;
	disable-system) checmate 0 disable yama --cgroup /sys/fs/cgroup ;;
	disable-cgroup) checmate 0 disable yama --cgroup /sys/fs/cgroup/c ;;
	esac
}

# only SCOPE: it is in force, and the other is not
only() {
	case $1 in
	system)
		scopes /
		attempt OK c child
		;;
	cgroup)
		scopes /c
		attempt EPERM c child
		;;
	esac
	attempt EPERM "" attach
}

# one_order ENABLED-FIRST-AND-SECOND DISABLED-FIRST-AND-SECOND
one_order() {
	change enable "${1% *}"
	only "${1% *}"
	change enable "${1#* }"
	scopes "/ /c"
	attempt EPERM c child
	attempt OK "" child
	change disable "${2% *}"
	only "${2#* }"
	change disable "${2#* }"
	scopes ""
	leaves_nothing
}

@test "nothing of an earlier life comes back: neither value, mode, counters nor relations" {
	checmate 0 enable yama ptrace_scope=2
	checmate 0 mode yama permissive
	target "" any
	attempt OK "" attach
	equal would_deny 1 "$(count would_deny)"
	checmate 0 disable yama
	checmate 0 enable yama
	value 1
	equal mode enforce "$(command checmate status -j | jq -r '.[].scopes[].mode')"
	equal would_deny 0 "$(count would_deny)"
	attempt EPERM "" attach
}

@test "the system's mode does not outlive its scope while a cgroup keeps the pack" {
	new_cgroup c
	checmate 0 enable yama
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c
	checmate 0 mode yama permissive
	checmate 0 disable yama --cgroup /sys/fs/cgroup
	checmate 0 enable yama
	target
	attempt EPERM "" attach
}

@test "a removed cgroup takes its scope with it, and a new one of that name starts free" {
	new_cgroup c
	new_cgroup d
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c
	checmate 0 enable yama --cgroup /sys/fs/cgroup/d
	rmdir /sys/fs/cgroup/c
	scopes /d
	new_cgroup c
	scopes /d
	target c
	attempt OK c attach
}

@test "when the only scope's cgroup is removed, nothing is in force and the pack can go or come back" {
	new_cgroup c
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c
	rmdir /sys/fs/cgroup/c
	scopes ""
	target
	attempt OK "" attach
	new_cgroup c
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c
	scopes /c
	attempt EPERM c attach
	rmdir /sys/fs/cgroup/c
	checmate 0 disable yama
	leaves_nothing
}

@test "after the pins were removed by hand nothing is enforced, and enabling works as the first time" {
	checmate 0 enable yama ptrace_scope=2
	target
	attempt EPERM "" attach
	rm -rf "$pins"
	until_true 10 attempt OK "" attach
	scopes ""
	checmate 0 enable yama
	value 1
	attempt EPERM "" attach
	[[ ! -e $knob_file ]] || equal "the file" 1 "$(<"$knob_file")"
	checmate 0 set "$knob=0"
	attempt OK "" attach
	[[ ! -e $knob_file ]] || equal "the file" 0 "$(<"$knob_file")"
}

# --- a value that lasts until reboot

@test "3 in a cgroup cannot be lowered, made permissive or disabled, and 3 may be set again" {
	new_cgroup c/d
	checmate 0 enable yama
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c
	checmate 0 set --cgroup /sys/fs/cgroup/c "$knob=3"
	remember
	local i
	for i in 0 2; do
		refused 1 "*holds until reboot*" set --cgroup /sys/fs/cgroup/c "$knob=$i"
	done
	refused 1 "*holds until reboot*" mode yama permissive --cgroup /sys/fs/cgroup/c
	refused 1 "*holds until reboot*" disable yama --cgroup /sys/fs/cgroup/c
	refused 1 "*holds until reboot*" disable yama
	unchanged
	checmate 0 set --cgroup /sys/fs/cgroup/c "$knob=3"
	checmate 0 mode yama enforce --cgroup /sys/fs/cgroup/c
	target c/d
	equal "attach by root" EPERM "$("$try" attach "$target")"
	# What is not held by it can go: here the system's scope.
	checmate 0 disable yama --cgroup /sys/fs/cgroup
	equal "attach by root" EPERM "$("$try" attach "$target")"
}

@test "a cgroup's 3 ends with the cgroup" {
	new_cgroup c
	checmate 0 enable yama
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c ptrace_scope=3
	rmdir /sys/fs/cgroup/c
	scopes /
	checmate 0 disable yama
	leaves_nothing
}

# --- the file under /proc/sys

@test "without a module to be had, enabling says so in a note, and get and set do all" {
	! grep -q '^checmate ' /proc/modules || rmmod checmate
	mkdir -p /etc/modprobe.d
	echo blacklist checmate >/etc/modprobe.d/checmate-test.conf
	checmate 0 enable yama
	[[ $stderr == "checmate: note: no file /proc/sys/kernel/yama/ptrace_scope: "* ]] ||
		fail "the note" "no file ..." "$stderr"
	[[ ! -e $knob_file ]]
	equal door none "$(command checmate status -j | jq -r '.[].door')"
	checmate 0 set "$knob=2"
	value 2
	attempt EPERM "" child
}

@test "unloading the module takes the file and changes nothing else" {
	need_module
	checmate 0 enable yama ptrace_scope=2
	equal "the file" 2 "$(<"$knob_file")"
	rmmod checmate
	[[ ! -e /proc/sys/kernel/yama ]]
	value 2
	target "" any
	attempt EPERM "" attach
	checmate 0 set "$knob=1"
	value 1
	attempt OK "" attach
	attempt OK "" child
}

@test "after the module was unloaded and loaded again, the next enable makes the file" {
	need_module
	new_cgroup c
	checmate 0 enable yama ptrace_scope=2
	rmmod checmate
	modprobe checmate
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c
	equal "the file" 2 "$(<"$knob_file")"
	echo 0 >"$knob_file"
	value 0
}

@test "the file, sysctl -w, sysctl --system, checmate set and get have one value" {
	need_module
	checmate 0 enable yama
	equal "the file" 1 "$(<"$knob_file")"
	echo 2 >"$knob_file"
	value 2
	equal sysctl 2 "$(sysctl -n "$knob")"
	attempt EPERM "" child
	sysctl -qw "$knob=0"
	value 0
	equal "the file" 0 "$(<"$knob_file")"
	attempt OK "" child
	checmate 0 set "$knob=1"
	equal "the file" 1 "$(<"$knob_file")"
	equal sysctl 1 "$(sysctl -n "$knob")"
	echo "$knob = 2" >/etc/sysctl.d/90-checmate-test.conf
	# What else is in this machine's configuration may fail in a guest.
	sysctl --system >/dev/null 2>&1 || true
	value 2
	equal "the file" 2 "$(<"$knob_file")"
	attempt EPERM "" child
}

@test "the file refuses what is out of range or no number, and who has no CAP_SYS_PTRACE" {
	need_module
	checmate 0 enable yama
	local text
	for text in 4 -1 x ''; do
		run bash -c 'echo "$1" >"$2"' sh "$text" "$knob_file"
		[[ $status -ne 0 && $output == *"Invalid argument"* ]] || fail "'$text'" EINVAL "$output"
	done
	run setpriv --bounding-set -sys_ptrace --inh-caps -sys_ptrace bash -c "echo 0 >$knob_file"
	[[ $status -ne 0 && $output == *"Operation not permitted"* ]]
	run as_user bash -c "echo 0 >$knob_file"
	[[ $status -ne 0 && $output == *"Permission denied"* ]]
	equal "the file, for anyone" 1 "$(as_user cat "$knob_file")"
	value 1
}

@test "the file shows the system's value while only a cgroup is in scope, and goes with the last" {
	need_module
	new_cgroup c
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c ptrace_scope=2
	equal "the file" 0 "$(<"$knob_file")"
	checmate 0 disable yama --cgroup /sys/fs/cgroup/c
	[[ ! -e /proc/sys/kernel/yama ]]
}

@test "where the kernel lets the function tracer be switched off, no policy is asked: status and doctor say so" {
	local tracer=/proc/sys/kernel/ftrace_enabled
	checmate 0 enable yama
	target
	if (echo 0 >$tracer) 2>/dev/null; then
		attempt OK "" read
		checmate 0 status
		equal "status" "checmate: note: no policy is asked: the kernel's function tracer is off (echo 1 >$tracer)" \
			"$stderr"
		checmate 3 doctor
		[[ $output == *"FAIL  BPF LSM runs"*"echo 1 >$tracer"* ]]
		echo 1 >$tracer
	fi
	attempt EPERM "" read
	checmate 0 status
	equal "status" "" "$stderr"
	checmate 0 doctor
}
