#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # jq expressions; helpers.bash and bats set the rest
# Audit events: one per refusal, complete, delivered once, to one reader; the kernel log's line where
# it is wanted; at most 10 in 5 s, with the rest told; nothing that a process calls itself hides it.

load helpers

setup() {
	checmate 0 enable yama
}

teardown() {
	reset
}

teardown_file() {
	assert_nothing_left
}

# A process reads the events: it holds the lock of the directory. (To try for the lock would be to
# hold it.)
is_read() {
	grep -q "FLOCK.*:$(stat -c %i "$pins") " /proc/locks
}

# refuse CGROUP ACTION [PID]: an attempt that is refused; the pid of who made it in $subject
refuse() {
	background in_cgroup "$1" as_user "$try" "$2" "${3:-$target}" >"$BATS_TEST_TMPDIR/said"
	subject=$started
	wait "$started"
	[[ $(<"$BATS_TEST_TMPDIR/said") == @(EPERM|EACCES) ]] ||
		fail "$2" "refused" "$(<"$BATS_TEST_TMPDIR/said")"
}

# event FILTER [LINE]: holds for that line of $output; $subject and $target are known to it
event() {
	[[ ${lines[${2:-0}]:-} ]] || fail "the event" "$1" none
	jq -e --argjson subject "$subject" --argjson target "$target" "$1" \
		<<<"${lines[${2:-0}]}" >/dev/null || fail "the event" "$1" "${lines[${2:-0}]}"
}

@test "without refusals there are no events" {
	target
	attempt OK "" child
	equal "attach by root" OK "$("$try" attach "$target")"
	checmate 0 events
	equal events "" "$output"
	checmate 0 events -j
	equal "events -j" "" "$output"
}

@test "a refusal is one event, with who, whom, where, what, why and which error" {
	new_cgroup a
	new_cgroup b
	target b
	refuse a attach
	checmate 0 events -j
	equal "number of events" 1 "${#lines[@]}"
	event '.verdict == "deny" and .pack == "yama" and .action == "ptrace.attach"'
	event '.reason == "not-descendant" and .error == "EPERM" and .suppressed == 0'
	event '.subject | .pid == $subject and .tid == $subject and .uid == 1000 and .gid == 1000
		and .comm == "lifecycle-try" and .cgroup == "/a"'
	event '.object | .pid == $target and .tid == $target and .uid == 1000 and .gid == 1000
		and .comm == "lifecycle-try" and .cgroup == "/b"'
	event ".subject.cgroup_id == $(stat -c %i /sys/fs/cgroup/a)"
	event '.object.cmdline | endswith("lifecycle-try pause")'
	event '.time | test("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z$")'
	event '.message == "ptrace attach of \"\(.object.cmdline)\"[\($target)] was attempted by \"lifecycle-try\"[\($subject)]"'
}

@test "the time of an event is that of the refusal" {
	target
	local before after
	before=$(date +%s)
	refuse "" read
	after=$(date +%s)
	checmate 0 events -j
	event "(.time[:19] + \"Z\" | fromdate) | . >= $before - 1 and . <= $after + 1"
}

@test "the text form has the same in one line, and ends with the sentence" {
	new_cgroup a
	target
	refuse a attach
	checmate 0 events
	equal "number of lines" 1 "${#lines[@]}"
	local want=" deny yama ptrace.attach pid=$subject tid=$subject uid=1000 gid=1000"
	want+=" comm=\"lifecycle-try\" cgroup=/a target_pid=$target target_tid=$target target_uid=1000"
	want+=" target_gid=1000 target_comm=\"lifecycle-try\" target_cgroup=/ error=EPERM"
	want+=" reason=not-descendant: ptrace attach of \""
	[[ $output == *"$want"*"\"[$target] was attempted by \"lifecycle-try\"[$subject]" ]] ||
		fail "the line" "...$want..." "$output"
}

@test "a thread is told from its process" {
	background as_user "$try" pair >"$BATS_TEST_TMPDIR/tid"
	target=$started
	until_true 20 test -s "$BATS_TEST_TMPDIR/tid"
	local tid
	tid=$(<"$BATS_TEST_TMPDIR/tid")
	refuse "" attach "$tid"
	checmate 0 events -j
	event ".object.pid == \$target and .object.tid == $tid"
}

@test "each reason has its name, and a traceme is its own action with the parent as subject" {
	target
	checmate 0 set "$knob=2"
	refuse "" attach
	attempt EPERM "" traceme
	new_cgroup c
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c ptrace_scope=3
	refuse c mem
	checmate 0 events -j
	equal "number of events" 3 "${#lines[@]}"
	event '.reason == "needs-cap-sys-ptrace" and .action == "ptrace.attach"' 0
	event '.reason == "needs-cap-sys-ptrace" and .action == "ptrace.traceme"' 1
	event '.subject.comm == "lifecycle-try" and .object.comm == "lifecycle-try"
		and .subject.pid != .object.pid' 1
	event '.message | startswith("ptrace traceme of \"")' 1
	event '.reason == "no-attach"' 2
}

@test "every way of access is reported, in order, and each event once" {
	target
	local action pids=()
	for action in attach seize read mem syscall getfd; do
		refuse "" "$action"
		pids+=("$subject")
	done
	checmate 0 events -j
	equal "the subjects" "${pids[*]}" "$(jq -s -r 'map(.subject.pid) | join(" ")' <<<"$output")"
	checmate 0 events
	equal "a second time" "" "$output"
}

@test "events -f shows what comes, until it gets SIGTERM or SIGINT: exit status 0" {
	local signal out=$BATS_TEST_TMPDIR/out
	target
	for signal in TERM INT; do
		# bash starts background commands with SIGINT ignored
		background env --default-signal=INT checmate events -f -j >"$out"
		local reader=$started
		refuse "" attach
		until_true 20 test -s "$out"
		refuse "" read
		until_true 20 bash -c '[[ $(wc -l <"$1") -eq 2 ]]' sh "$out"
		kill -s $signal "$reader"
		wait "$reader"
		equal "the subject of the last" "$subject" "$(tail -n 1 "$out" | jq .subject.pid)"
	done
}

@test "events -f keeps nobody from changing things, and ends with the last pack, saying so" {
	new_cgroup c
	background env checmate events -f 2>"$BATS_TEST_TMPDIR/err"
	local reader=$started
	until_true 20 is_read
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c
	checmate 0 disable yama
	wait "$reader"
	equal "the note" "checmate: note: the last pack was disabled, there are no more events" \
		"$(<"$BATS_TEST_TMPDIR/err")"
	leaves_nothing
}

@test "a second reader is refused while one reads, and can read after it" {
	background env checmate events -f >/dev/null
	local reader=$started
	until_true 20 is_read
	refused 1 "*another checmate reads the events*" events
	refused 1 "*another checmate reads the events*" events -f
	kill "$reader"
	wait "$reader"
	checmate 0 events
}

@test "a reader that is killed loses nothing that it had not read" {
	background env checmate events -f >/dev/null
	until_true 20 is_read
	kill -9 "$started"
	wait "$started" || true
	target
	refuse "" attach
	checmate 0 events -j
	event '.subject.pid == $subject'
}

@test "25 refusals at once are all refused, 10 told, and the next event tells of 15 suppressed" {
	target
	equal "refused" 25 "$(as_user "$try" flood "$target" 25)"
	checmate 0 events -j
	equal "events" 10 "${#lines[@]}"
	equal denied 25 "$(count denied)"
	equal suppressed 15 "$(count suppressed)"
	equal lost 0 "$(count lost)"
	# The window of 5 s has to pass: there is nothing to poll.
	sleep 5.2
	refuse "" attach
	checmate 0 events -j
	equal "events" 1 "${#lines[@]}"
	event '.suppressed == 15'
	sleep 5.2
	refuse "" attach
	checmate 0 events
	[[ $output == *" deny "* && $output != *suppressed* ]]
}

@test "--kmsg writes native Yama's sentence to the kernel log, at level notice" {
	target
	refuse "" attach
	dmesg --clear
	checmate 0 events --kmsg
	equal "output" "" "$output"
	local want="ptrace attach of \"$try pause\"[$target] was attempted by \"lifecycle-try\"[$subject]"
	equal "the record" "user  :notice: $want" "$(dmesg -x -t | grep ptrace | sed 's/^user *:/user  :/')"
}

@test "--kmsg tells of suppressed events and of permissive ones" {
	target
	as_user "$try" flood "$target" 12
	checmate 0 events --kmsg
	sleep 5.2
	checmate 0 mode yama permissive
	attempt OK "" read
	dmesg --clear
	checmate 0 events --kmsg
	[[ $(dmesg -t | grep -c '^checmate: 2 events suppressed$') -eq 1 ]]
	[[ $(dmesg -t) == *'was attempted by "lifecycle-try"['*'] (would-deny)'* ]]
}

@test "a command line of 1100 bytes hides neither pid, in the text, in JSON and in the kernel log" {
	local long
	long=$(printf 'x%.0s' {1..1100})
	background as_user "$try" pause any "$long" >"$BATS_TEST_TMPDIR/said"
	target=$started
	until_true 20 test -s "$BATS_TEST_TMPDIR/said"
	checmate 0 set "$knob=2"
	refuse "" attach
	refuse "" attach
	refuse "" attach
	checmate 0 events -j
	event '(.message | length < 700) and (.message | contains("[\($target)]"))'
	refuse "" attach
	checmate 0 events
	[[ $output == *" target_pid=$target "*"\"[$target] was attempted by \""* ]]
	refuse "" attach
	dmesg --clear
	checmate 0 events --kmsg
	[[ $(dmesg -t) == *"xxx\"[$target] was attempted by \"lifecycle-try\"[$subject]" ]] ||
		fail "the record" "both pids" "$(dmesg -t)"
}

@test "control characters, quotes and backslashes of a command line or a name arrive escaped" {
	local odd=$'a\nb\tc\e[31m"\\\x01\x7f\xff'
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_TEST_TMPDIR"
	cp "$try" "$BATS_TEST_TMPDIR/"$'e\n"x'
	background as_user "$BATS_TEST_TMPDIR/"$'e\n"x' pause any "$odd" >"$BATS_TEST_TMPDIR/said"
	target=$started
	until_true 20 test -s "$BATS_TEST_TMPDIR/said"
	checmate 0 set "$knob=2"
	refuse "" attach
	checmate 0 events
	equal "number of lines" 1 "${#lines[@]}"
	[[ $output == *' target_comm="e\x0a\x22x" '* ]] || fail comm escaped "$output"
	[[ $output == *'a\x0ab\x09c\x1b[31m\x22\x5c\x01\x7f\xff"['"$target]"* ]] ||
		fail "the command line" escaped "$output"
	refuse "" attach
	checmate 0 events -j
	equal "number of lines" 1 "${#lines[@]}"
	event '.object.comm == "e\n\"x" and (.object.cmdline | contains("a\nb\tc\u001b[31m\"\\"))'
	refuse "" attach
	dmesg --clear
	checmate 0 events --kmsg
	run dmesg -r
	equal "records" 1 "$(grep -c ptrace <<<"$output")"
	[[ $output == *'a\x0ab\x09c\x1b[31m\x22\x5c'* ]] || fail "the record" escaped "$output"
}

@test "a process that is gone is named by what it was called" {
	target
	refuse "" attach
	end_background
	checmate 0 events -j
	event '.object.comm == "lifecycle-try" and .object.cmdline == null and .object.pid == $target'
	event '.message == "ptrace attach of \"lifecycle-try\"[\($target)] was attempted by \"lifecycle-try\"[\($subject)]"'
}

@test "an event's cgroup that is removed is named so" {
	new_cgroup a
	target
	refuse a attach
	until_true 10 rmdir /sys/fs/cgroup/a
	checmate 0 events -j
	event '.subject.cgroup == "(removed)"'
}

@test "a closed output is a failure with one line" {
	target
	refuse "" attach
	run --separate-stderr -1 bash -c 'checmate events >/dev/full'
	[[ $(grep -c '' <<<"$stderr") -eq 1 && $stderr == "checmate: cannot write an event to standard output"* ]]
}
