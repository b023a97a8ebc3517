#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# The command: its verbs, its JSON, its exit statuses, and one line for each mistake, which changes
# nothing. Exit status: 0 done, 1 failed, 2 misuse, 3 this kernel cannot (doctor.nobpf.bats).

load helpers

teardown() {
	reset
}

teardown_file() {
	assert_nothing_left
}

verbs=(doctor list status enable disable load unload replace order show get set mode lock events stats version help)

# misuse ARG...: refused with a pointer to the help, with nothing on standard output
misuse() {
	checmate 2 "$@"
	[[ $stderr == *'see "checmate help'* ]] || fail "checmate $*" "a hint at the help" "$stderr"
	equal "output of checmate $*" "" "$output"
}

# --- help and version

@test "--help, -h and help print the same to standard output, with every verb and the exit statuses" {
	local verb text
	checmate 0 --help
	text=$output
	for verb in "${verbs[@]}"; do
		[[ $text == *$'\n'"  $verb "* ]] || fail "--help" "verb $verb" "$text"
	done
	[[ $text == *"Exit status: 0 done, 1 failed, 2 "*", 3 this kernel cannot."* ]]
	checmate 0 -h
	equal "-h" "$text" "$output"
	checmate 0 help
	equal "help" "$text" "$output"
}

@test "each verb's --help is what help VERB prints, and does nothing else" {
	local verb text
	for verb in "${verbs[@]}"; do
		checmate 0 help "$verb"
		text=$output
		[[ $text == "Usage: checmate $verb"* ]] || fail "help $verb" "its usage" "$text"
		checmate 0 "$verb" --help
		equal "$verb --help" "$text" "$output"
	done
	leaves_nothing
}

@test "version and --version print the version, for anyone" {
	checmate 0 version
	[[ $output =~ ^checmate\ [0-9]+\.[0-9]+\.[0-9]+\ \(ABI\ [0-9]+\)$ ]]
	local text=$output
	checmate 0 --version
	equal "--version" "$text" "$output"
	equal "as uid 1000" "$text" "$(as_user checmate version)"
	checmate 0 version -j
	json '(.version | test("^[0-9]+\\.[0-9]+\\.[0-9]+$")) and (.abi | type == "number")'
}

# --- what is shown

@test "doctor finds all it needs here, and says so in text and JSON" {
	checmate 0 doctor
	[[ $output == *"BPF LSM runs"* && $output != *FAIL* ]]
	checmate 0 doctor -j
	json 'length >= 5'
	json 'all(.[]; (.status | IN("ok", "warning")) and (.what | length > 0)
		and (.found | length > 0) and has("fix"))'
	json 'all(.[]; (.status == "ok") == (.fix == ""))'
	json 'any(.[]; .what == "BPF LSM runs" and .status == "ok")'
	leaves_nothing
}

@test "list shows every pack with its question, knobs and hooks, enabled or not" {
	checmate 0 list
	[[ ${lines[0]} =~ ^PACK\ +STATE\ +PROFILES\ +QUESTION$ && $output =~ yama\ +disabled\ +-\ +[A-Z] ]]
	checmate 0 list -j
	json '.[] | select(.name == "yama") | .enabled == false and (.question | endswith("?"))
		and (.hooks | contains(["ptrace_access_check", "ptrace_traceme"]))'
	json '.[] | select(.name == "yama") | .knobs == [{ name: "kernel.yama.ptrace_scope",
		help: .knobs[0].help, min: 0, max: 3, default: 1, latch: 3 }]'
	checmate 0 enable yama
	checmate 0 list
	[[ $output =~ yama\ +enabled\ +-\ +[A-Z] ]]
	checmate 0 list -j
	json '.[] | select(.name == "yama") | .enabled'
}

@test "status shows nothing before, and each scope with mode and values after" {
	checmate 0 status
	equal "status" "no pack is enabled" "$output"
	checmate 0 status -j
	equal "status -j" "[]" "$output"
	new_cgroup c
	checmate 0 enable yama
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c ptrace_scope=2
	checmate 0 mode yama permissive --cgroup /sys/fs/cgroup/c
	checmate 0 status
	[[ ${lines[0]} =~ ^PACK\ +DOOR\ +MODE\ +KNOB\ +SET\ +EFFECTIVE\ +CGROUP$ ]]
	[[ ${lines[1]} =~ ^yama\ +[a-z]+\ +enforce\ +kernel.yama.ptrace_scope\ +1\ +1\ +/$ ]]
	[[ ${lines[2]} =~ ^yama\ +[a-z]+\ +permissive\ +kernel.yama.ptrace_scope\ +2\ +2\ +/c$ ]]
	checmate 0 status -j
	json '.[0].name == "yama" and .[0].native == false
		and (.[0].door | IN("procfs", "none")) and (.[0].scopes | length == 2)'
	json '.[0].scopes[0] == { cgroup: "/", cgroup_id: 1, mode: "enforce",
		knobs: [{ name: "kernel.yama.ptrace_scope", set: 1, effective: 1 }] }'
	json '.[0].scopes[1] | .cgroup == "/c" and .mode == "permissive" and .knobs[0].set == 2'
	json ".[0].scopes[1].cgroup_id == $(stat -c %i /sys/fs/cgroup/c)"
}

@test "get prints a knob by its sysctl name or its path, as text, JSON or bare" {
	checmate 0 enable yama ptrace_scope=2
	local name
	for name in kernel.yama.ptrace_scope kernel/yama/ptrace_scope; do
		checmate 0 get "$name"
		equal "get $name" "kernel.yama.ptrace_scope = 2" "$output"
	done
	checmate 0 get -n "$knob"
	equal "get -n" 2 "$output"
	checmate 0 get -j "$knob"
	json '. == { name: "kernel.yama.ptrace_scope", value: 2, cgroup: "/" }'
}

@test "get --cgroup shows the strictest value from there to the root" {
	new_cgroup c/d
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c ptrace_scope=2
	checmate 0 get -n --cgroup /sys/fs/cgroup/c/d "$knob"
	equal "below the scope" 2 "$output"
	checmate 0 get -n "$knob"
	equal "the system" 0 "$output"
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c/d ptrace_scope=1
	checmate 0 get -j --cgroup /sys/fs/cgroup/c/d "$knob"
	json '. == { name: "kernel.yama.ptrace_scope", value: 2, cgroup: "/sys/fs/cgroup/c/d" }'
}

@test "stats counts per hook, and shows nothing when nothing is enabled" {
	checmate 0 stats
	equal "stats" "no pack is enabled" "$output"
	checmate 0 stats -j
	equal "stats -j" "[]" "$output"
	checmate 0 enable yama
	checmate 0 stats
	[[ ${lines[0]} =~ ^PACK\ +HOOK\ +ALLOWED\ +DENIED\ +WOULD-DENY ]]
	[[ $output =~ yama\ +ptrace_access_check\ +0\ +0\ +0 ]]
	checmate 0 stats -j
	json 'all(.[]; .pack == "yama" and (keys - ["pack", "hook"]
		== ["allowed", "denied", "errors", "lost", "suppressed", "would_deny"]))'
	json 'map(.hook) | contains(["ptrace_access_check", "ptrace_traceme"])'
}

@test "output that cannot be written is a failure" {
	run --separate-stderr -1 bash -c 'checmate list >/dev/full'
	[[ $stderr == "checmate: cannot write to standard output"* ]]
}

# --- mistakes on the command line: exit status 2

@test "without a verb, or with one that is not there, checmate points to its help" {
	misuse
	misuse nosuch
	misuse help nosuch
	misuse enabl yama
	misuse ''
}

@test "a verb refuses operands too few, too many, or empty" {
	misuse enable
	misuse disable
	misuse disable yama more
	misuse get
	misuse get "$knob" more
	misuse set
	misuse mode yama
	misuse mode yama enforce more
	misuse status more
	misuse enable ''
	leaves_nothing
}

@test "a verb refuses options that are unknown, not its own, or without their value" {
	misuse status --nosuch
	misuse status --cgroup /sys/fs/cgroup
	misuse enable yama -j
	misuse list -f
	misuse enable yama --cgroup
	misuse enable yama --cgroup ''
	misuse disable yama --cgroup /sys/fs/cgroup --cgroup /sys/fs/cgroup
	misuse get -n -j "$knob"
	misuse events --kmsg -j
	leaves_nothing
}

@test "set, enable and mode refuse what is not spelt as they need it" {
	misuse set "$knob"
	misuse set "$knob="
	misuse set =1
	misuse get "$knob=1"
	misuse enable yama ptrace_scope
	misuse enable yama ptrace_scope=
	misuse mode yama sometimes
	leaves_nothing
}

# --- what cannot be done: exit status 1, one line, nothing changed

@test "a pack or a knob that is not there is refused, and nothing changes" {
	refused 1 "*no pack is named 'nosuch'*" enable nosuch
	refused 1 "*no pack is named 'nosuch'*" disable nosuch
	refused 1 "*no pack is named 'nosuch'*" mode nosuch permissive
	refused 1 "*no pack is named '../yama'*" enable ../yama
	refused 1 "*has no knob 'nosuch'*" enable yama nosuch=1
	refused 1 "*no knob is named 'kernel.nosuch'*" get kernel.nosuch
	refused 1 "*no knob is named 'kernel.nosuch'*" set kernel.nosuch=1
	leaves_nothing
}

@test "what needs an enabled pack is refused without one, and nothing changes" {
	refused 1 "*not enabled*" disable yama
	refused 1 "*not enabled*" disable yama --cgroup /sys/fs/cgroup
	refused 1 "*not enabled*" mode yama permissive
	refused 1 "*not enabled: checmate enable yama" get "$knob"
	refused 1 "*not enabled: checmate enable yama" set "$knob=1"
	refused 1 "*no pack is enabled*" events -f
	leaves_nothing
	checmate 0 events
	equal "events" "" "$output"
}

@test "a second enable of the same scope is refused and changes nothing" {
	new_cgroup c
	checmate 0 enable yama ptrace_scope=2
	remember
	refused 1 "*already enabled system-wide" enable yama
	refused 1 "*already enabled system-wide" enable yama ptrace_scope=0
	refused 1 "*already enabled system-wide" enable yama --cgroup /sys/fs/cgroup
	unchanged
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c ptrace_scope=1
	remember
	refused 1 "*already enabled in /sys/fs/cgroup/c" enable yama --cgroup /sys/fs/cgroup/c
	refused 1 "*already enabled in *c/." enable yama --cgroup /sys/fs/cgroup/c/. ptrace_scope=0
	unchanged
}

@test "disable, set and mode of a scope where the pack is not enabled are refused" {
	new_cgroup c/d
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c
	remember
	local dir=/sys/fs/cgroup/c/d
	refused 1 "*not enabled in $dir" disable yama --cgroup $dir
	refused 1 "*not enabled in $dir" mode yama permissive --cgroup $dir
	refused 1 "*not enabled in $dir: checmate enable yama --cgroup $dir" set --cgroup $dir "$knob=1"
	refused 1 "*not enabled system-wide" disable yama --cgroup /sys/fs/cgroup
	refused 1 "*not enabled system-wide" mode yama permissive
	unchanged
}

@test "a value out of range is refused with the range, and nothing changes" {
	new_cgroup c
	local value
	for value in 4 -1 010 0xffffffff 99999999999999999999; do
		refused 1 "*$value is out of range: it goes from 0 to 3" enable yama "ptrace_scope=$value"
	done
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c
	checmate 0 enable yama
	remember
	for value in 4 -1; do
		refused 1 "*out of range*" set "$knob=$value"
		refused 1 "*out of range*" set --cgroup /sys/fs/cgroup/c "$knob=$value"
	done
	unchanged
}

@test "a value that is not a number is refused, and nothing changes" {
	new_cgroup c
	refused 1 "*'x' is not a number" enable yama ptrace_scope=x
	checmate 0 enable yama
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c
	remember
	local value
	for value in x 1x 1.0 +1 - 0x 08 ' 1' '1 ' $'1\n' $'\t1'; do
		refused 1 "*is not a number" set "$knob=$value"
	done
	refused 1 "*is not a number" set --cgroup /sys/fs/cgroup/c "$knob=1 2"
	unchanged
}

@test "set takes decimal, hexadecimal and octal, as the kernel does" {
	checmate 0 enable yama
	local value
	for value in 2:2 0x1:1 02:2 -0:0 0X2:2; do
		checmate 0 set "$knob=${value%:*}"
		equal "after $value" "${value#*:}" "$(command checmate get -n "$knob")"
	done
}

@test "a cgroup that is not there, or is none, is refused and nothing changes" {
	refused 1 "*no cgroup '/sys/fs/cgroup/nosuch'*" enable yama --cgroup /sys/fs/cgroup/nosuch
	refused 1 "*'/tmp' is not a cgroup v2 directory*" enable yama --cgroup /tmp
	refused 1 "*no cgroup '/sys/fs/cgroup/cgroup.procs'*" enable yama \
		--cgroup /sys/fs/cgroup/cgroup.procs
	checmate 0 enable yama
	remember
	refused 1 "*no cgroup*" enable yama --cgroup /sys/fs/cgroup/nosuch
	refused 1 "*no cgroup*" disable yama --cgroup /sys/fs/cgroup/nosuch
	refused 1 "*no cgroup*" mode yama permissive --cgroup /sys/fs/cgroup/nosuch
	refused 1 "*no cgroup*" get --cgroup /sys/fs/cgroup/nosuch "$knob"
	refused 1 "*no cgroup*" set --cgroup /sys/fs/cgroup/nosuch "$knob=1"
	unchanged
}

@test "a cgroup may be named relative to the working directory" {
	new_cgroup c
	(cd /sys/fs/cgroup && command checmate enable yama --cgroup c)
	checmate 0 status -j
	json '.[0].scopes[0].cgroup == "/c"'
	# The root of the hierarchy is the whole system.
	checmate 0 enable yama --cgroup /sys/fs/cgroup
	json_root=$(command checmate status -j | jq -r '.[0].scopes[0].cgroup')
	equal "the root's scope" / "$json_root"
}

@test "who is not root is refused by every verb that looks or changes, and nothing changes" {
	checmate 0 enable yama
	local before args
	before=$(state)
	for args in "enable yama" "disable yama" "mode yama permissive" "set $knob=0" \
		"get $knob" status list stats events doctor; do
		# shellcheck disable=SC2086 # words
		run --separate-stderr -1 as_user checmate $args
		[[ $(grep -c '' <<<"$stderr") -eq 1 && $stderr == checmate:* ]] ||
			fail "checmate $args as uid 1000" "one line" "$stderr"
	done
	equal "the state" "$before" "$(state)"
}

@test "root without CAP_SYS_PTRACE cannot set the knob" {
	new_cgroup c
	checmate 0 enable yama
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c
	local before
	before=$(state)
	run --separate-stderr -1 setpriv --bounding-set -sys_ptrace --inh-caps -sys_ptrace \
		checmate set "$knob=0"
	[[ $(grep -c '' <<<"$stderr") -eq 1 && $stderr == checmate:* ]]
	run --separate-stderr -1 setpriv --bounding-set -sys_ptrace --inh-caps -sys_ptrace \
		checmate set --cgroup /sys/fs/cgroup/c "$knob=0"
	[[ $(grep -c '' <<<"$stderr") -eq 1 && $stderr == checmate:* ]]
	equal "the state" "$before" "$(state)"
}

# --- at the same moment

@test "while another checmate is at work, each verb gives up with one line and changes nothing" {
	checmate 0 enable yama
	local before args i=0
	before=$(state)
	background flock -F /sys/fs/bpf sleep 1000
	until_true 5 bash -c '! flock -n /sys/fs/bpf true'
	local pids=()
	for args in "enable yama --cgroup /sys/fs/cgroup" "disable yama" "set $knob=0" \
		"mode yama permissive" status; do
		i=$((i + 1))
		# shellcheck disable=SC2086 # words
		command checmate $args >"$BATS_TEST_TMPDIR/$i.out" 2>"$BATS_TEST_TMPDIR/$i.err" 3>&- &
		pids+=($!)
	done
	for i in "${!pids[@]}"; do
		local status=0
		wait "${pids[$i]}" || status=$?
		equal "exit status" 1 "$status"
		equal "message" "checmate: another checmate is at work; nothing was changed, try again" \
			"$(<"$BATS_TEST_TMPDIR/$((i + 1)).err")"
		[[ ! -s $BATS_TEST_TMPDIR/$((i + 1)).out ]]
	done
	end_background
	equal "the state" "$before" "$(state)"
}

# bats test_tags=parallel
@test "eight that enable at once wait for each other and all succeed" {
	local i pids=()
	for i in {1..8}; do
		new_cgroup "c$i"
	done
	for i in {1..8}; do
		command checmate enable yama --cgroup "/sys/fs/cgroup/c$i" 3>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i"
	done
	checmate 0 status -j
	json '.[0].scopes | map(.cgroup) == [range(1; 9) | "/c\(.)"]'
	for i in {1..8}; do
		command checmate disable yama --cgroup "/sys/fs/cgroup/c$i" 3>&- &
		pids[i - 1]=$!
	done
	for i in "${pids[@]}"; do
		wait "$i"
	done
	leaves_nothing
}
