#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# What a policy declares besides its knobs: their second names, and profiles, which are values by name.

load helpers

# Files that are root's, in a directory that is.
files=/run/checmate-test
facets=$files/facets.bpf.o
edited=$files/edited.bpf.o
system=/sys/fs/cgroup

setup_file() {
	mkdir -p "$files"
	install -m 644 "$top"/build/tests/bpf/facets.bpf.o "$files"
}

setup() {
	umask 022
}

teardown() {
	local name
	for name in facets other; do
		command checmate unload "$name" >/dev/null 2>&1 || true
	done
	reset
}

teardown_file() {
	rm -rf "$files"
	assert_nothing_left
}

# json FILTER: holds for $output
json() {
	jq -e "$1" <<<"$output" >/dev/null || fail "the JSON output" "$1" "$output"
}

# edit SECTION OLD NEW...: a copy of the object, with NEW for each OLD in that section
edit() {
	local section=$1 script='' longer
	shift
	for (( ; $#; )); do
		longer=$((${#2} - ${#1}))
		if ((longer > 0)); then
			script+="s,$1\\x00\\{$longer\\},$2,;"
		else
			script+="s,$1,$2$(printf '%*s' $((-longer)) '' | sed 's/ /\\x00/g'),;"
		fi
		shift 2
	done
	llvm-objcopy --dump-section "$section=$files/section" "$facets" "$edited"
	LC_ALL=C sed "$script" <"$files/section" >"$files/section.new"
	llvm-objcopy --update-section "$section=$files/section.new" "$facets" "$edited"
}

# knob_is VALUE NAME [CGROUP]: as get shows it
knob_is() {
	equal "$2" "$1" "$(command checmate get -n "$2" --cgroup "$system/${3:-}")"
}

# --- second names

@test "a knob has both of its names, with dots and slashes, for get, set, load, enable and -f" {
	new_cgroup c
	checmate 0 load "$facets" kernel.olders.one=2 two_x=3
	knob_is 2 kernel.facets.one
	knob_is 2 kernel/olders/one
	knob_is 3 kernel.facets.two
	checmate 0 get kernel/olders/one
	equal "get by the second name" "kernel.olders.one = 2" "$output"
	checmate 0 set kernel.olders.one=3
	knob_is 3 kernel.facets.one
	checmate 0 set kernel/facets/two=4
	knob_is 4 kernel.olders.two_x
	checmate 0 enable facets --cgroup "$system/c" kernel/olders/two_x=7
	knob_is 7 kernel.facets.two c
	echo "policy facets { file = \"$facets\"
		scope \"/\" { knobs { kernel.olders.one = 1 kernel.facets.two = 5 } } }" >"$files/conf"
	checmate 0 -f "$files/conf"
	knob_is 1 kernel.facets.one
	knob_is 5 kernel.olders.two_x
}

@test "what is shown has the first name; list -j has the second one besides, where there is one" {
	checmate 0 load "$facets"
	checmate 0 list -j
	json '.[] | select(.name == "facets") | [.knobs[] | [.name, .alias]] ==
		[["kernel.facets.one", "kernel.olders.one"], ["kernel.facets.two", "kernel.olders.two_x"]]'
	json '.[] | select(.name == "yama") | .knobs | all(has("alias") | not)'
	checmate 0 save
	[[ $output == *"kernel.facets.one = 1"*"kernel.facets.two = 0"* && $output != *olders* ]]
	checmate 0 status
	[[ $output == *kernel.facets.one* && $output != *olders* ]]
}

@test "both names are files of one value, which go with the policy" {
	modprobe checmate 2>/dev/null || skip "no module for this kernel"
	checmate 0 load "$facets"
	echo 2 >/proc/sys/kernel/olders/one
	equal "the first file" 2 "$(</proc/sys/kernel/facets/one)"
	knob_is 2 kernel.facets.one
	checmate 0 set kernel.facets.one=3
	equal "the second file" 3 "$(</proc/sys/kernel/olders/one)"
	echo 9 >/proc/sys/kernel/facets/two
	run -1 bash -c 'echo 0 >/proc/sys/kernel/olders/two_x'
	equal "the latched value" 9 "$(</proc/sys/kernel/olders/two_x)"
	rm -rf "$pins" # short of a reboot, what the latch does not stop
	run -1 cat /proc/sys/kernel/olders/one
	checmate 0 load "$facets"
	equal "a new one" 0 "$(</proc/sys/kernel/olders/two_x)"
	checmate 0 unload facets
	[[ ! -e /proc/sys/kernel/olders && ! -e /proc/sys/kernel/facets ]]
	rmmod checmate
}

@test "a second name that is no path, or that two knobs of an object have, is refused" {
	local bad
	for bad in kernel/olders/. kernel//olders/two kernel/Olders/two /kernel/olders/two olders; do
		edit .rodata.cm_knobs kernel/olders/two_x "$bad"
		refused 1 "*facets: knob declaration 1 is broken" load "$edited"
	done
	edit .rodata.cm_knobs kernel/olders/two_x kernel/olders/one
	refused 1 "*facets: two knobs are named kernel.olders.one" load "$edited"
	edit .rodata.cm_knobs kernel/olders/two_x kernel/facets/one
	refused 1 "*facets: two knobs are named kernel.facets.one" load "$edited"
	edit .rodata.cm_knobs kernel/facets/two kernel/facets/one
	refused 1 "*facets: two knobs are named kernel.facets.one" load "$edited"
	edit .rodata.cm_knobs kernel/olders/two_x kernel/facets/two
	refused 1 "*facets: knob kernel.facets.two has itself as an alias" load "$edited"
	leaves_nothing
}

@test "a second name that another policy in force has, as either, or the kernel, is refused" {
	local others=(kernel/facets/one kernel/others/one kernel/facets/two kernel/others/two)
	checmate 0 load "$facets"
	remember
	edit .rodata.cm_knobs "${others[@]}"
	refused 1 "*other: policy facets has knob kernel.olders.one already" load "$edited" --name other
	edit .rodata.cm_knobs "${others[@]}" kernel/olders/one kernel/facets/two
	refused 1 "*other: policy facets has knob kernel.facets.two already" load "$edited" --name other
	edit .rodata.cm_knobs kernel/olders/one kernel/x/one kernel/facets/one kernel/olders/one
	refused 1 "*other: policy facets has knob kernel.olders.one already" load "$edited" --name other
	unchanged
	checmate 0 unload facets
	edit .rodata.cm_knobs kernel/olders/two_x kernel/panic
	refused 1 "*/proc/sys/kernel/panic exists: its knob needs another path" load "$edited"
	leaves_nothing
}

@test "a built-in pack is refused while another policy has a name of its knob" {
	edit .rodata.cm_knobs kernel/olders/one kernel/yama/ptrace_scope
	checmate 0 load "$edited"
	remember
	refused 1 "*yama: policy facets has knob kernel.yama.ptrace_scope already" enable yama
	unchanged
	knob_is 1 kernel.yama.ptrace_scope
}

@test "an object whose second names differ takes no other's place" {
	checmate 0 load "$facets"
	edit .rodata.cm_knobs kernel/olders/one kernel/olders/new
	refused 1 "*lacks knob kernel.facets.one, or has it with other bounds, place, alias*" \
		replace facets "$edited"
	checmate 0 replace facets "$facets"
}
