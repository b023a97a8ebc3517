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
	clean # a value that holds in a cgroup goes with it
	for name in facets other; do
		command checmate unload "$name" >/dev/null 2>&1 || true
	done
	reset
}

teardown_file() {
	rm -rf "$files"
	assert_nothing_left
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

# modes CGROUP: "POLICY MODE" of those that are in force in that scope
modes() {
	command checmate status -j |
		jq -r "[.[] | .name as \$n | .scopes[] | select(.cgroup == \"$1\") | \$n, .mode] | join(\" \")"
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
	edit .rodata.cm_knobs kernel/olders/one kernel/panic
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

# --- profiles

@test "list, list -j, show and show -j tell the profiles" {
	checmate 0 load "$facets"
	checmate 0 list
	[[ ${lines[0]} =~ ^PACK\ +STATE\ +PROFILES\ +QUESTION$ ]]
	[[ $output =~ facets\ +enabled\ +quiet,full\ +Is\ an && $output =~ yama\ +disabled\ +-\ +May ]]
	checmate 0 list -j
	json '.[] | select(.name == "yama") | .profiles == []'
	json '.[] | select(.name == "facets") | .profiles == [
		{ name: "quiet", settings: "one=0 two=2", help: "nobody is refused" },
		{ name: "full", settings: "kernel.olders.two_x=3  one=2", with: "yama",
		  help: "nobody attaches, twice" }]'
	checmate 0 show facets
	[[ $output == *$'\n'"profile   quiet: one=0 two=2"$'\n'"profile   full: "*"one=2, with yama"$'\n'* ]]
	checmate 0 show -j facets
	json '[.profiles[].name] == ["quiet", "full"]'
}

@test "a profile's values come into force, those of the command line instead of its own" {
	new_cgroup c
	new_cgroup d
	new_cgroup e
	checmate 0 load "$facets" --cgroup "$system/e"
	checmate 0 enable facets --profile quiet --cgroup "$system/c"
	knob_is 0 kernel.facets.one c
	knob_is 2 kernel.facets.two c
	checmate 0 enable facets --profile quiet --cgroup "$system/d" --permissive two=9 kernel.olders.one=1
	knob_is 1 kernel.facets.one d
	knob_is 9 kernel.facets.two d
	equal "in /d" "facets permissive" "$(modes /d)"
	checmate 0 enable facets --profile quiet
	knob_is 2 kernel.facets.two
	knob_is 0 kernel.facets.one
	scopes "/ / /c /c /d /d /e /e" # a line for each knob
}

@test "the pack along with a profile is enabled in the same scopes; where it is, it stays as it is" {
	new_cgroup c
	new_cgroup d
	new_cgroup e
	checmate 0 load "$facets" --cgroup "$system/e"
	checmate 0 enable yama --permissive --cgroup "$system/d" ptrace_scope=2
	checmate 0 enable facets --profile full --cgroup "$system/c" --cgroup "$system/d"
	equal "in /c" "facets enforce yama enforce" "$(modes /c)"
	equal "in /d" "facets enforce yama permissive" "$(modes /d)"
	value 1 c
	value 2 d
	knob_is 2 kernel.facets.one d
	target c
	attempt EPERM c attach
	attempt OK "" child
}

@test "without a profile, too, a pack comes into force in several cgroups or in none" {
	new_cgroup c
	new_cgroup d
	remember
	refused 1 "*no cgroup*" enable yama --cgroup "$system/c" --cgroup "$system/nosuch"
	refused 1 "*already enabled in $system/c*nothing was changed" \
		enable yama --cgroup "$system/c" --cgroup "$system/d" --cgroup "$system/c"
	unchanged
	leaves_nothing
	checmate 0 enable yama --cgroup "$system/c" --cgroup "$system/d" ptrace_scope=2
	scopes "/c /d"
	value 2 d
}

@test "where one of the packs cannot come into force, nothing of the profile does" {
	new_cgroup c
	new_cgroup d
	edit .rodata.cm_knobs kernel/olders/one kernel/yama/ptrace_scope
	checmate 0 load "$edited" --cgroup "$system/d" one=3
	remember
	refused 1 "*yama: policy facets has knob kernel.yama.ptrace_scope already; nothing was changed" \
		enable facets --profile full --cgroup "$system/c"
	refused 1 "*already enabled in $system/d*" enable facets --profile quiet \
		--cgroup "$system/c" --cgroup "$system/d"
	unchanged
	scopes "/d /d"
	knob_is 3 kernel.facets.one d
}

@test "a default of a profile loosens no value that is there, what the profile says may" {
	modprobe checmate 2>/dev/null || skip "no module for this kernel"
	new_cgroup c
	edit .rodata.cm_profiles "one=0 two=2" "one=1"
	checmate 0 load "$edited" --cgroup "$system/c"
	echo 4 >/proc/sys/kernel/facets/two
	echo 3 >/proc/sys/kernel/facets/one
	checmate 0 enable facets --profile quiet
	knob_is 4 kernel.facets.two
	knob_is 1 kernel.facets.one
	checmate 0 unload facets
	rmmod checmate
}

@test "a profile that is not there is misuse, and those there are are named" {
	checmate 0 load "$facets"
	remember
	refused 2 "*pack facets has no profile 'loud', it has: quiet, full; see *" enable facets --profile loud
	refused 2 "*pack facets has no profile '', it has: *" enable facets --profile ""
	refused 2 "*pack yama has no profiles; *" enable yama --profile quiet
	refused 2 "*--profile is given twice*" enable facets --profile quiet --profile full
	refused 2 "*load does not take --profile*" load "$facets" --profile quiet
	refused 1 "*no pack is named 'nosuch'*" enable nosuch --profile quiet
	refused 1 "*pack facets has no knob 'x'" enable facets --profile quiet x=1
	refused 1 "*already enabled system-wide; nothing was changed" enable facets --profile quiet
	unchanged
}

@test "an object with a profile that cannot be is refused by load and by build" {
	local -a wrong=(
		"one=0 two=2" "six=0" "pack facets has no knob 'six'"
		"one=0 two=2" "one=4" "kernel.facets.one: 4 is out of range: it goes from 0 to 3"
		"one=0 two=2" "one=" "kernel.facets.one: '' is not a number"
		"one=0 two=2" "one" "'one' is not KNOB=VALUE"
		yama nosuch "there is no other built-in pack 'nosuch'"
	)
	local i
	for ((i = 0; i < ${#wrong[@]}; i += 3)); do
		edit .rodata.cm_profiles "${wrong[i]}" "${wrong[i + 1]}"
		refused 1 "checmate: facets: profile *: ${wrong[i + 2]}" load "$edited"
	done
	edit .rodata.cm_profiles quiet Quiet
	refused 1 "*facets: profile declaration 0 is broken" load "$edited"
	edit .rodata.cm_profiles full quiet
	refused 1 "*facets: profile declaration 1 is broken" load "$edited"
	cd "$BATS_TEST_TMPDIR"
	sed 's/one=0 two=2/one=0 twwo=2/' "$top/tests/bpf/facets.bpf.c" >wrong.bpf.c
	refused 1 "checmate: wrong.bpf.c: facets: profile quiet: pack facets has no knob 'twwo'" build wrong.bpf.c
	cp "$top/tests/bpf/facets.bpf.c" right.bpf.c
	checmate 0 build right.bpf.c
	checmate 0 build -o /dev/null right.bpf.c
	[[ -c /dev/null ]]
	leaves_nothing
}
