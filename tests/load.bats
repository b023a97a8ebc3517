#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# Policies from files: loaded, ordered, replaced and unloaded while the system runs. CHECMATE_REPLACEMENTS:
# how often a denying policy is replaced under a prober (40; 10000 with CHECMATE_SOAK=1).

load helpers

# Files that are root's, in a directory that is.
files=/run/checmate-test
refuse=$files/refuse.bpf.o
layout=$(sed -n 's/^#define CM_ABI //p' kernel/abi.h)

# What guests have by that name asks for its CPUs when it starts: the hook that most policies here are on.
jq() {
	/usr/bin/jq "$@"
}

setup_file() {
	mkdir -p "$files"
	install -m 644 "$top"/build/tests/bpf/*.bpf.o "$files"
}

setup() {
	umask 022
}

teardown() {
	unload_all
	reset
}

teardown_file() {
	rm -rf "$files"
	assert_nothing_left
}

unload_all() {
	local name
	end_background
	[[ -e $pins/packs ]] || return 0
	for name in "$pins"/packs/*; do
		command checmate unload "${name##*/}" >/dev/null 2>&1 || true
	done
}

# chain "POLICY..." [HOOK]: the policies on the hook, as they are asked
chain() {
	local got
	got=$(command checmate order -j "${2:-task_getscheduler}" |
		jq -r '[.[].policies[].name] | join(" ")')
	equal "the chain of ${2:-task_getscheduler}" "$1" "$got"
}

# answer ERRNO: what a stranger's attempt gets
answer() {
	attempt "$1" "${2:-}" scheduler
}

untraced chain answer

# --- load, unload

@test "a policy from a file decides system-wide, is shown as a pack is, and leaves nothing" {
	target
	answer OK
	checmate 0 load "$refuse"
	answer EUSERS
	checmate 0 list
	[[ $output =~ refuse\ +enabled\ +-\ +Is\ it\ asked\ at\ all\? ]]
	checmate 0 get kernel.refuse.on
	equal "get" "kernel.refuse.on = 1" "$output"
	checmate 0 set kernel.refuse.on=0
	answer OK
	checmate 0 set kernel.refuse.on=1
	checmate 0 mode refuse permissive
	answer OK
	checmate 0 mode refuse enforce
	answer EUSERS
	equal "denied" 2 "$(count denied task_getscheduler)"
	checmate 0 unload refuse
	answer OK
	leaves_nothing
}

@test "loaded for some cgroups it decides there and nowhere else, with the values that are given" {
	new_cgroup a
	new_cgroup b
	target
	checmate 0 load "$refuse" --cgroup /sys/fs/cgroup/a --cgroup /sys/fs/cgroup/b kernel.refuse.on=1
	scopes "/a /b"
	answer OK
	answer EUSERS a
	answer EUSERS b
	checmate 0 disable refuse --cgroup /sys/fs/cgroup/a
	answer OK a
	checmate 0 enable refuse --cgroup /sys/fs/cgroup/a on=0
	answer OK a
	answer EUSERS b
	checmate 0 disable refuse --cgroup /sys/fs/cgroup/a
	checmate 0 disable refuse --cgroup /sys/fs/cgroup/b
	leaves_nothing
}

@test "one object may be loaded under several names, each a policy of its own" {
	checmate 0 load "$files/count.bpf.o"
	checmate 0 load "$files/count.bpf.o" --name other
	chain "count other"
	checmate 0 unload count
	chain other
	refused 1 "*no pack is named 'count'*" unload count
}

@test "what is in force is the object that was loaded, whatever becomes of the file" {
	target
	cp "$refuse" "$files/moving.bpf.o"
	checmate 0 load "$files/moving.bpf.o"
	echo junk >"$files/moving.bpf.o"
	checmate 0 show refuse -j
	json ".sha256 == \"$(sha256sum <"$refuse" | cut -d' ' -f1)\" and .origin == \"$files/moving.bpf.o\""
	rm "$files/moving.bpf.o"
	checmate 0 set kernel.refuse.on=0
	answer OK
	checmate 0 order refuse --priority 3
	answer OK
	checmate 0 set kernel.refuse.on=1
	answer EUSERS
}

# bats test_tags=once
@test "show has hooks with place, knobs, scopes, mode, counters, priority, origin, digest and layout" {
	new_cgroup c
	checmate 0 load "$files/count.bpf.o"
	checmate 0 load "$refuse" --cgroup /sys/fs/cgroup/c
	checmate 0 show refuse -j
	json ".name == \"refuse\" and .priority == 100 and .layout == $layout and (.sha256 | length == 64)"
	json '.hooks == [{ hook: "task_getscheduler", place: 2, of: 2, allowed: 0, denied: 0,
		would_deny: 0, lost: 0, suppressed: 0, errors: 0 }]'
	json '.scopes == [{ cgroup: "/c", cgroup_id: .scopes[0].cgroup_id, mode: "enforce",
		knobs: [{ name: "kernel.refuse.on", set: 1, effective: 1 }] }]'
	checmate 0 show refuse
	[[ $output =~ origin\ +$refuse && $output =~ task_getscheduler\ +2\ +2\ +0\ +0 ]]
	checmate 0 enable yama
	checmate 0 show yama -j
	json '.origin == "built-in"'
	refused 1 '*no policy "nosuch" is in force*' show nosuch
}

# --- order

@test "the lower priority is asked first and its answer counts, equals in the order of loading" {
	target
	checmate 0 load "$refuse"
	answer EUSERS
	checmate 0 load "$files/never.bpf.o" --priority 7
	answer EPERM
	checmate 0 load "$files/count.bpf.o" --name b --priority 7
	checmate 0 load "$files/count.bpf.o" --name a --priority 7
	checmate 0 load "$files/count.bpf.o" --name first --priority 0
	chain "first never b a refuse"
	checmate 0 order task_getscheduler
	[[ ${lines[2]} =~ ^task_getscheduler\ +2\ +5\ +7\ +never$ ]]
}

@test "the order stays what it is when policies are loaded, replaced and unloaded around it" {
	local i
	for i in 4 2 9 6; do
		checmate 0 load "$files/count.bpf.o" --name "p$i" --priority "$i"
	done
	chain "p2 p4 p6 p9"
	checmate 0 replace p4 "$files/count.bpf.o"
	chain "p2 p4 p6 p9"
	checmate 0 unload p6
	chain "p2 p4 p9"
	checmate 0 load "$files/count.bpf.o" --name p3 --priority 3
	chain "p2 p3 p4 p9"
	checmate 0 replace p2 "$files/count.bpf.o"
	checmate 0 replace p9 "$files/count.bpf.o"
	chain "p2 p3 p4 p9"
	checmate 0 unload p2
	chain "p3 p4 p9"
}

@test "order changes a policy's place in either direction, on all of its hooks, with all its state" {
	local i
	target
	checmate 0 load "$files/refuse-more.bpf.o"
	checmate 0 load "$files/never.bpf.o" --priority 200
	checmate 0 load "$files/count.bpf.o"
	checmate 0 set kernel.refuse.on=1
	chain "count refuse never"
	answer EBUSY
	checmate 0 order refuse --priority 0
	chain "refuse count never"
	chain "refuse count" task_getsid
	answer EBUSY
	checmate 0 order refuse --priority 1
	chain "count refuse never"
	checmate 0 order count --priority 150
	chain "refuse count never"
	chain "refuse count" task_getsid
	answer EBUSY
	checmate 0 order count --priority 300
	chain "refuse never count"
	checmate 0 order refuse --priority 400
	chain "never count refuse"
	chain "count refuse" task_getsid
	answer EPERM
	checmate 0 get -n kernel.refuse.on
	equal "the knob" 1 "$output"
	equal "denied, of refuse" 3 "$(command checmate stats -j |
		jq '.[] | select(.pack == "refuse" and .hook == "task_getscheduler").denied')"
	refused 1 "*no policy 'nosuch' is in force" order nosuch --priority 1
}

# bats test_tags=once
@test "order says how many policies a hook has, and which are in force for a cgroup" {
	new_cgroup c/d
	checmate 0 order
	equal "order" "no policy is in force there" "$output"
	checmate 0 load "$files/count.bpf.o"
	checmate 0 load "$files/refuse-more.bpf.o" --cgroup /sys/fs/cgroup/c
	checmate 0 order -j
	json 'map({ hook, count }) == [{ hook: "task_getscheduler", count: 2 },
		{ hook: "task_getsid", count: 2 }]'
	checmate 0 order -j --cgroup /sys/fs/cgroup/c/d
	json 'map(.count) == [2, 2]'
	checmate 0 order -j --cgroup /sys/fs/cgroup
	json 'map(.policies[].name) == ["count", "count"]'
	checmate 0 order -j file_open
	json '. == []'
	checmate 0 order -j ../packs
	json '. == []'
}

# probe [ERRNO...]: in the background, until probed; it has what CPU time the changes leave
probe() {
	rm -f "$BATS_FILE_TMPDIR/stop"
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR"
	nice "$programs/replace-prober" "$BATS_FILE_TMPDIR/stop" "$@" >"$BATS_TEST_TMPDIR/probed" 2>&1 3>&- &
	prober=$!
}

# probed: prints how many attempts there were; not one had another result
probed() {
	touch "$BATS_FILE_TMPDIR/stop"
	wait "$prober" || fail "the prober" "no wrong result" "$(<"$BATS_TEST_TMPDIR/probed")"
	cut -d' ' -f1 "$BATS_TEST_TMPDIR/probed"
}

@test "while the order changes, each call meets each policy once: none is missed, none asked twice" {
	local i attempts
	for i in 1 2 3; do
		checmate 0 load "$files/count.bpf.o" --name "p$i" --priority "$((i * 10))"
	done
	probe
	for i in {1..3}; do
		checmate 0 order p1 --priority 25
		checmate 0 order p3 --priority 5
		checmate 0 order p3 --priority 30
		checmate 0 order p1 --priority 10
	done
	probed
	read -r attempts _ <"$BATS_TEST_TMPDIR/probed"
	chain "p1 p2 p3"
	((attempts > 1000))
	equal "calls that each has counted" "$attempts $attempts $attempts" \
		"$(command checmate stats -j |
			jq -r 'map(select(.hook == "task_getscheduler").allowed | tostring) | join(" ")')"
}

@test "while others come and go before, between and behind, a denying policy always denies" {
	local i
	checmate 0 load "$refuse"
	probe EUSERS
	for i in {1..4}; do
		checmate 0 load "$files/count.bpf.o" --name before --priority 1
		checmate 0 load "$files/count.bpf.o" --name between --priority 2
		checmate 0 load "$files/count.bpf.o" --name behind --priority 200
		checmate 0 unload between
		checmate 0 unload before
		checmate 0 unload behind
	done
	probed
}

# --- replace

@test "replacing keeps scopes, values, mode, maps, counters and place" {
	new_cgroup c
	target
	checmate 0 load "$files/count.bpf.o" --priority 200
	checmate 0 load "$refuse" on=0
	checmate 0 enable refuse --cgroup /sys/fs/cgroup/c
	answer EUSERS c
	checmate 0 replace refuse "$files/refuse-busy.bpf.o"
	answer OK
	answer EBUSY c
	scopes "/ / /c" # of count, then of refuse
	chain "refuse count"
	equal denied 2 "$(command checmate stats -j | jq 'map(select(.pack == "refuse"))[0].denied')"
	equal "the map" 2 "$(bpftool -j map dump pinned "$pins/packs/refuse/map_seen" |
		jq '.[0].formatted.value')"
	checmate 0 mode refuse permissive --cgroup /sys/fs/cgroup/c
	checmate 0 replace refuse "$refuse"
	answer OK c
	checmate 0 show refuse -j
	json ".origin == \"$refuse\""
}

@test "a hook that the new object adds comes, one that it drops goes, and counts go on" {
	target
	checmate 0 load "$refuse"
	answer EUSERS
	attempt OK "" session
	checmate 0 replace refuse "$files/refuse-more.bpf.o"
	answer EBUSY
	attempt EBUSY "" session
	chain refuse task_getsid
	equal denied 2 "$(count denied task_getscheduler)"
	checmate 0 replace refuse "$files/refuse-less.bpf.o"
	answer OK
	attempt EUSERS "" session
	chain ""
	[[ ! -e $pins/hooks/task_getscheduler ]]
	checmate 0 unload refuse
	leaves_nothing
}

@test "a session that goes on sees the object that it has put in a policy's place" {
	checmate 0 load "$refuse"
	equal "bounds and hooks in one session" "1 task_getscheduler
1 task_getscheduler task_getsid
1 task_getscheduler
2 task_getscheduler" \
		"$("$programs/look-again" refuse replace "$files/refuse-more.bpf.o" replace "$refuse" \
			load "$files/refuse-knob.bpf.o")"
}

@test "an object with other knobs or maps, or with a mistake, is refused, and the old one goes on" {
	target
	checmate 0 load "$refuse"
	remember
	refused 1 "*lacks knob kernel.refuse.on, or has it with other bounds*" \
		replace refuse "$files/refuse-knob.bpf.o"
	refused 1 "*lacks map seen, or has it with another layout*" \
		replace refuse "$files/refuse-map.bpf.o"
	refused 1 "*lacks knob*" replace refuse "$files/deny.bpf.o"
	refused 1 "*not an object file*" replace refuse /etc/passwd
	refused 1 "*no policy 'nosuch' is in force" replace nosuch "$refuse"
	refused 1 "*no policy 'yama' is in force" replace yama "$refuse"
	unchanged
	answer EUSERS
	checmate 0 enable yama
	checmate 0 set --cgroup /sys/fs/cgroup "$knob=2"
}

@test "a value that lasts until reboot cannot be replaced away" {
	new_cgroup c
	install -m 644 "$top/build/yama.bpf.o" "$files/yama.bpf.o"
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c ptrace_scope=3
	refused 1 "*holds until reboot" replace yama "$files/yama.bpf.o"
	rmdir /sys/fs/cgroup/c
	checmate 0 replace yama "$files/yama.bpf.o"
}

@test "replaced again and again under a prober on two CPUs: no success, no wrong errno" {
	local times=${CHECMATE_REPLACEMENTS:-$([[ ${CHECMATE_SOAK:-} ]] && echo 10000 || echo 40)}
	checmate 0 load "$refuse"
	probe EUSERS EBUSY
	"$programs/replace-many" refuse "$times" "$files/refuse-busy.bpf.o" "$refuse"
	probed
	echo "# $times replacements, $(cut -d' ' -f1 "$BATS_TEST_TMPDIR/probed") attempts" >&3
}

# --- limits and refusals

@test "a hook has 32 policies; the 33rd is refused with one line, and nothing of it is left" {
	local i
	for i in {1..32}; do
		checmate 0 load "$files/count.bpf.o" --name "p$i"
	done
	remember
	refused 1 "*hook task_getscheduler has its 32 policies already: unload one first" \
		load "$files/refuse-more.bpf.o"
	unchanged
	target
	checmate 0 replace p32 "$files/count.bpf.o"
	checmate 0 unload p7
	checmate 0 load "$refuse"
	answer EUSERS
	checmate 0 order -j task_getscheduler
	json '.[0].count == 32 and .[0].policies[31].name == "refuse"'
}

# bats test_tags=once
@test "a file that others than root can have written is refused, and so is its directory" {
	cp "$refuse" "$files/bad.bpf.o"
	chmod 664 "$files/bad.bpf.o"
	refused 1 "*bad.bpf.o can be written by others than root: chmod go-w" load "$files/bad.bpf.o"
	chmod 646 "$files/bad.bpf.o"
	refused 1 "*can be written by others*" load "$files/bad.bpf.o"
	chmod 644 "$files/bad.bpf.o"
	chown 1000 "$files/bad.bpf.o"
	refused 1 "*belongs to uid 1000: it must belong to root" load "$files/bad.bpf.o"
	mkdir -p "$files/dir"
	cp "$refuse" "$files/dir/bad.bpf.o"
	chmod 777 "$files/dir"
	refused 1 "*directory $files/dir can be written by others than root*" load "$files/dir/bad.bpf.o"
	ln -s "$files/dir/bad.bpf.o" "$files/link.bpf.o"
	refused 1 "*directory $files/dir can be written*" load "$files/link.bpf.o"
	chmod 1777 "$files/dir"
	checmate 0 load "$files/link.bpf.o"
	checmate 0 unload refuse
	leaves_nothing
}

# bats test_tags=once
@test "what is no file or no BPF object is refused by name" {
	refused 1 "*cannot open $files/nosuch: No such file or directory" load "$files/nosuch"
	refused 1 "*$files is not a file" load "$files"
	mkfifo "$files/fifo"
	refused 1 "*is not a file" load "$files/fifo"
	: >"$files/empty"
	refused 1 "*is not an object file (ELF)" load "$files/empty"
	echo junk >"$files/junk"
	refused 1 "*is not an object file (ELF)" load "$files/junk"
	refused 1 "*is for another machine than BPF*" load /bin/true
	# The byte order, in the sixth byte.
	cp "$refuse" "$files/big.bpf.o"
	printf '\2' | dd of="$files/big.bpf.o" bs=1 seek=5 conv=notrunc status=none
	refused 1 "*byte order of another architecture*" load "$files/big.bpf.o"
	printf '\1' | dd of="$files/big.bpf.o" bs=1 seek=4 conv=notrunc status=none
	refused 1 "*is a 32-bit file*" load "$files/big.bpf.o"
	local size
	for size in 64 1000 20000; do
		head -c "$size" "$refuse" >"$files/cut.bpf.o"
		checmate 1 load "$files/cut.bpf.o"
	done
	truncate -s 5M "$files/large"
	refused 1 "*is larger than 4 MiB" load "$files/large"
	leaves_nothing
}

# edit SECTION COMMAND...: a copy of refuse.bpf.o, its section as the command makes it of it
edit() {
	local section=$1
	shift
	llvm-objcopy --dump-section "$section=$files/section" "$refuse" "$files/edited.bpf.o"
	"$@" <"$files/section" >"$files/section.new"
	llvm-objcopy --update-section "$section=$files/section.new" "$refuse" "$files/edited.bpf.o"
}

other_layout() {
	printf '\1\0\0\0'
	tail -c +5
}

# bats test_tags=once
@test "an object without CM_PACK, for another layout or without licence is refused" {
	refused 1 "*is not a Checmate policy: it has no CM_PACK()" load "$files/nopack.bpf.o"
	edit .rodata.cm_pack other_layout
	refused 1 "*was built for layout 1, this checmate has $layout: rebuild it" load "$files/edited.bpf.o"
	edit license sed 's/GPL/MIT/'
	refused 1 "*has licence 'MIT'*" load "$files/edited.bpf.o"
	llvm-objcopy --rename-section license=other "$refuse" "$files/edited.bpf.o"
	refused 1 "*states no licence*" load "$files/edited.bpf.o"
	edit .rodata.cm_pack sed 's/refuse/re\/use/'
	refused 1 "*its CM_PACK() is broken*" load "$files/edited.bpf.o"
	leaves_nothing
}

@test "a hook that the kernel lacks is named, with exit status 3" {
	refused 3 "*this kernel has no LSM hook no_such_hook" load "$files/nohook.bpf.o"
	leaves_nothing
}

# bats test_tags=once
@test "a name or a knob that is in use is refused" {
	checmate 0 load "$refuse"
	remember
	refused 1 "*the name refuse is in use: give another with --name" load "$refuse"
	refused 1 "*the name yama is in use*" load "$files/count.bpf.o" --name yama
	refused 1 "*policy refuse has knob kernel.refuse.on already" load "$refuse" --name other
	refused 1 "*/proc/sys/kernel/panic exists: its knob needs another path" \
		load "$files/kernelknob.bpf.o"
	refused 1 "*is no name: *" load "$files/count.bpf.o" --name ../x
	refused 1 "*is no name: *" load "$files/count.bpf.o" --name "$(printf 'x%.0s' {1..32})"
	unchanged
}

# bats test_tags=once
@test "a knob setting or a cgroup that is wrong is refused, and nothing is left" {
	new_cgroup c
	refused 1 "*has no knob 'nosuch'" load "$refuse" nosuch=1
	refused 1 "*out of range*" load "$refuse" on=2
	refused 1 "*is not a number" load "$refuse" on=x
	refused 1 "*no cgroup*" load "$refuse" --cgroup /sys/fs/cgroup/c --cgroup /sys/fs/cgroup/nosuch
	refused 1 "*already enabled in*" load "$refuse" --cgroup /sys/fs/cgroup/c --cgroup /sys/fs/cgroup/c
	leaves_nothing
}

# bats test_tags=once
@test "a command line that is wrong is misuse, with exit status 2" {
	local args
	for args in load "load $refuse on" "load $refuse --priority x" "load $refuse --priority -1" \
		"load $refuse --priority 4294967296" "load $refuse --name a --name b" \
		"load $refuse -j" unload "unload a b" "unload a --cgroup /" "replace a" "replace a b c" \
		"order --priority 1" "order a b" "order a --priority 1 -j" show "show a b" \
		"enable yama --name x" "disable yama --cgroup /a --cgroup /b"; do
		# shellcheck disable=SC2086 # words
		checmate 2 $args
		[[ $stderr == *'see "checmate help'* ]] || fail "checmate $args" "a hint" "$stderr"
	done
	leaves_nothing
}

@test "the verifier's refusal shows the author's line and the reason in a few lines, all of it on demand" {
	run --separate-stderr -1 command checmate load "$files/unverified.bpf.o"
	mapfile -t lines <<<"$stderr"
	[[ ${lines[0]} == "checmate: the kernel refuses unverified, program cm_ptrace_access_check: "*"invalid mem access"* ]] ||
		fail "the first line" "program and reason" "$stderr"
	[[ ${lines[1]} == "  source: return *nowhere ? -EPERM : CM_ALLOW;"* ]] ||
		fail "the second line" "the source" "$stderr"
	((${#lines[@]} <= 8)) || fail "lines" "a few" "$stderr"
	CHECMATE_DEBUG=1 run --separate-stderr -1 command checmate load "$files/unverified.bpf.o"
	[[ $stderr == *$'\n'"processed "* ]]
	leaves_nothing
}

# --- kill -9

# killed_everywhere OLD NEW ARG...: `checmate ARG...`, killed after some of its steps: the next call works,
# and the answer of then and from then on is OLD or NEW. Calls before, which makes the state it starts from.
killed_everywhere() {
	local old=$1 new=$2 steps kind n total=0 got
	local -A count=()
	shift 2
	before
	mapfile -t steps < <("$programs/lifecycle-kill" list 0 "$(type -P checmate)" "$@")
	equal "the last step" end "${steps[-1]}"
	answer "$new"
	for kind in "${steps[@]}"; do
		n=$((${count[$kind]:-0} + 1))
		count[$kind]=$n
		[[ $kind != end && $kind != exit ]] || continue
		[[ $kind == rename || $((total++ % 90)) -eq $((third * 30)) || ${CHECMATE_SOAK:-} ]] || continue
		before
		answer "$old"
		"$programs/lifecycle-kill" "$kind" "$n" "$(type -P checmate)" "$@" >/dev/null
		got=$(as_user "$try" scheduler "$target")
		[[ $got == "$old" || $got == "$new" ]] || fail "after $kind $n" "$old or $new" "$got"
		command checmate status >/dev/null || fail "status after $kind $n" "success" "failure"
		[[ ! -e $pins/building && ! -e $pins/replacing && ! -e $pins/retired ]] ||
			fail "after $kind $n and a call" "nothing unfinished" "$(ls "$pins")"
		got=$(as_user "$try" scheduler "$target")
		[[ $got == "$old" || $got == "$new" ]] || fail "after $kind $n and a call" "$old or $new" "$got"
	done
}

@test "kill -9 while loading leaves nothing or all of it" {
	target
	before() { unload_refuse && leaves_nothing; }
	unload_refuse() { command checmate unload refuse 2>/dev/null || true; }
	killed_everywhere OK EUSERS load "$refuse"
	before
}

@test "kill -9 while replacing leaves the old one or the new one, with its hooks" {
	target
	checmate 0 load "$refuse"
	before() { command checmate replace refuse "$refuse"; }
	killed_everywhere EUSERS EBUSY replace refuse "$files/refuse-more.bpf.o"
	checmate 0 unload refuse
	leaves_nothing
}

@test "kill -9 while the order changes leaves the old one or the new one" {
	target
	checmate 0 load "$refuse"
	checmate 0 load "$files/never.bpf.o" --priority 200
	before() { command checmate order never --priority 200; }
	killed_everywhere EUSERS EPERM order never --priority 1
	checmate 0 unload refuse
	checmate 0 unload never
	leaves_nothing
}
