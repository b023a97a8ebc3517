#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Scopes (contract K01): of the system's value and of those on the paths of both tasks' cgroups the
# strictest decides.
#
#	strictest   a stranger   direct child   declared ANY   root    PTRACE_TRACEME
#	0           OK           OK             OK             OK      OK
#	1           EPERM        OK             OK             OK      OK
#	2           EPERM        EPERM          EPERM          OK      EPERM
#	3           EPERM        EPERM          EPERM          EPERM   EPERM
#
# CHECMATE_SEED repeats a run of the random trees; CHECMATE_SOAK makes them long.

# shellcheck disable=SC2154 # words of helpers.bash
# shellcheck disable=SC2030,SC2031 # each test is a subshell
load helpers

cgroups=/sys/fs/cgroup

# Hundreds of calls: the command is run from memory, not from the host's file system.
setup_file() {
	local bin=$BATS_FILE_TMPDIR/bin library
	mkdir "$bin"
	cp "$(type -P checmate)" "$bin"
	while read -r library; do
		cp -L "$library" "$bin"
	done < <(ldd "$bin/checmate" | grep -o '/[^ ]*')
	export PATH=$bin:$PATH LD_LIBRARY_PATH=$bin
}

teardown() {
	reset
	command checmate disable yama 2>/dev/null || true # what a 3 in a cgroup refused before
	start_over
}

teardown_file() {
	assert_nothing_left
}

# --- words of this file

# A system-wide 3 lasts until reboot; what a reboot does is done by hand.
start_over() {
	[[ -e $pins ]] || return 0
	rm -rf "$pins"
	[[ ! -e /sys/module/checmate ]] || rmmod checmate
}

# enable CGROUP VALUE; "" is the system
enable() {
	new_cgroup "$1"
	command checmate enable yama --cgroup "$cgroups/$1" "ptrace_scope=$2"
}

disable() {
	command checmate disable yama --cgroup "$cgroups/$1"
}

value() {
	command checmate set --cgroup "$cgroups/$1" "$knob=$2"
}

# effective CGROUP VALUE: is what is reported to hold there
effective() {
	equal "the value of '/$1'" "$2" "$(command checmate get -n --cgroup "$cgroups/$1" "$knob")"
}

# matrix TRACERS TARGETS: scope-matrix in these cgroups; its pids by role in $pid
matrix() {
	local line word
	new_cgroup "$1"
	new_cgroup "$2"
	coproc matrix { exec "$programs/scope-matrix" "$cgroups/$1" "$cgroups/$2" 3>&-; }
	background_pids+=("$matrix_PID")
	read -r -t 60 -u "${matrix[0]}" line
	declare -gA pid
	for word in ${line#pids }; do
		pid[${word%=*}]=${word#*=}
	done
}

ask() {
	echo "$1" >&"${matrix[1]}"
}

answer() {
	read -r -t 120 -u "${matrix[0]}" answer
}

tracers_in() {
	echo "${pid[tracer]}" >"$cgroups/$1/cgroup.procs"
	echo "${pid[root]}" >"$cgroups/$1/cgroup.procs"
}

targets_in() {
	echo "${pid[child]}" >"$cgroups/$1/cgroup.procs"
	echo "${pid[sibling]}" >"$cgroups/$1/cgroup.procs"
	echo "${pid[any]}" >"$cgroups/$1/cgroup.procs"
}

verdicts=(
	"unrelated=OK child=OK any=OK root=OK traceme=OK"
	"unrelated=EPERM child=OK any=OK root=OK traceme=OK"
	"unrelated=EPERM child=EPERM any=EPERM root=OK traceme=EPERM"
	"unrelated=EPERM child=EPERM any=EPERM root=EPERM traceme=EPERM"
)

# judged SCOPE WHAT: every relation is judged as at that value
judged() {
	ask try
	answer
	equal "$2" "${verdicts[$1]}" "$answer"
}

strictest() {
	local most=0 value
	for value; do
		((value <= most)) || most=$value
	done
	echo "$most"
}

# Entries of the map of scopes.
scopes() {
	bpftool -j map dump pinned "$pins/packs/yama/scopes" | jq length
}

scopes_are() {
	[[ $(scopes) == "$1" ]]
}

id_of() {
	stat -c %i "$cgroups/$1"
}

# --- the truth table

@test "the strictest of the system, the tracer's cgroup and the target's decides: all 64 combinations" {
	# A third on each of the three kernels; by make soak all of them.
	local system a b tracers targets
	enable "" 0
	enable a 0
	enable b 0
	enable a3 3 # a 3 cannot be taken back: it has cgroups of its own
	enable b3 3
	matrix a b
	for system in 0 1 2 3; do # the 3 last, which cannot be taken back either
		if [[ -e $knob_file ]] && ((system % 2)); then
			echo "$system" >"$knob_file"
		else
			command checmate set "$knob=$system"
		fi
		for a in 0 1 2 3; do
			tracers=a
			((a < 3)) && value a "$a" || tracers=a3
			tracers_in "$tracers"
			for b in 0 1 2 3; do
				[[ ${CHECMATE_SOAK:-} ]] || (((system + a + b) % 3 == third)) || continue
				targets=b
				((b < 3)) && value b "$b" || targets=b3
				targets_in "$targets"
				judged "$(strictest "$system" "$a" "$b")" \
					"system $system, tracer's cgroup $a, target's $b"
			done
		done
	done
}

@test "tracer and target in one scope are bound by it, and tasks outside are not" {
	enable in 2
	matrix in in
	judged 2 "both inside"
	tracers_in ""
	judged 2 "the target inside"
	targets_in ""
	judged 0 "both outside"
	tracers_in in
	judged 2 "the tracer inside"
}

# --- nested

@test "a scope that is tightened or loosened is so for everything below it, at once" {
	local at=n/1/2/3/4/5/6/7
	enable n 0
	new_cgroup "$at"
	matrix "$at" ""
	judged 0 "the top at 0"
	for value in 1 2 1 0 2 0; do
		value n "$value"
		judged "$value" "seven levels below a scope set to $value"
		effective "$at" "$value"
	done
}

@test "a scope set lower than one above it loosens nothing, and counts once that one is lower" {
	enable n 2
	enable n/below 0
	matrix n/below ""
	judged 2 "0 below 2"
	effective n/below 2
	value n/below 1
	judged 2 "1 below 2"
	value n 0
	judged 1 "1 below 0"
	effective n/below 1
	effective n 0
	equal "what status says" "1 1" "$(command checmate status -j |
		jq -r '.[0].scopes[] | select(.cgroup | endswith("/n/below")).knobs[0] | "\(.set) \(.effective)"')"
}

@test "a scope enabled or disabled between two others changes what is below it, and only that" {
	enable n 0
	enable n/1/2/3 1
	new_cgroup n/1/other
	matrix n/1/2/3 ""
	judged 1 "before"
	enable n/1/2 2
	judged 2 "below the new scope"
	effective n/1/2/3 2
	tracers_in n/1/other
	judged 0 "beside it"
	tracers_in n/1/2/3
	disable n/1/2
	judged 1 "after it"
	effective n/1/2/3 1
	disable n
	judged 1 "after the outermost is gone"
	disable n/1/2/3
	[[ ! -e $pins ]] # that was the last one
}

@test "a scope enabled above existing ones, and above tasks in none, binds them all" {
	new_cgroup n/1/2
	enable n/1/2 1
	enable n/3 0
	matrix n/1/2 ""
	enable n 2
	judged 2 "in a scope that was there before"
	tracers_in n/1
	judged 2 "in no scope of its own"
	tracers_in n/3
	judged 2 "in a scope that was looser"
}

@test "a task that moves to another cgroup is judged by that one from the next attempt on" {
	local i
	enable strict 2
	enable strict/deeper/still 0
	enable loose 0
	enable middle 1
	matrix loose loose
	for i in 1 2; do
		tracers_in strict/deeper/still
		judged 2 "tracer moved into strict"
		tracers_in middle
		judged 1 "tracer moved into middle"
		targets_in strict
		judged 2 "target moved into strict"
		tracers_in ""
		judged 2 "tracer moved out of all"
		targets_in loose
		judged 0 "target moved into loose"
		targets_in middle
		judged 1 "target moved into middle"
		targets_in loose
		tracers_in loose
		judged 0 "both back in loose"
	done
}

# A tree of depth 8. Names that begin alike, with what sorts before and after "/", for the loader puts
# paths in order.
plant() {
	local at=t name
	nodes=(t)
	for name in a b c d e f g; do
		at+=/$name
		nodes+=("$at" "$at-" "$at.x" "${at}b")
	done
	for at in "${nodes[@]}"; do
		new_cgroup "$at"
	done
}

# The model: nothing but the values that were set, by path.
model() {
	local at=$1 most=$system
	while :; do
		((${own[$at]:-0} <= most)) || most=${own[$at]}
		[[ $at == */* ]] || break
		at=${at%/*}
	done
	echo "$most"
}

# One change at random; what it was in $did.
change() {
	local at=${nodes[RANDOM % ${#nodes[@]}]} v=$((RANDOM % 3))
	case $((RANDOM % 8)) in
	0)
		command checmate set "$knob=$((v % 2))"
		system=$((v % 2))
		did="system $system"
		;;
	1 | 2)
		[[ ${own[$at]:-} ]] || return 0
		disable "$at"
		unset "own[$at]"
		did="disable $at"
		;;
	*)
		if [[ ${own[$at]:-} ]]; then
			value "$at" "$v"
		else
			enable "$at" "$v"
		fi
		own[$at]=$v
		did="$at $v"
		;;
	esac
}

@test "nested scopes at random, to depth 8, are the strictest along the path, as a model says" {
	local seed=${CHECMATE_SEED:-$((RANDOM * 32768 + RANDOM))} rounds=15 round system=0 did from to
	local -A own=()
	local -a nodes=()
	[[ ! ${CHECMATE_SOAK:-} ]] || rounds=2000
	echo "seed: CHECMATE_SEED=$seed" # shown when the test fails
	RANDOM=$((seed % 32768))
	plant
	enable "" 0
	matrix t t
	for ((round = 1; round <= rounds; round++)); do
		did=nothing
		change
		from=${nodes[RANDOM % ${#nodes[@]}]} to=${nodes[RANDOM % ${#nodes[@]}]}
		echo "$round: $did; $from -> $to"
		tracers_in "$from"
		targets_in "$to"
		judged "$(strictest "$(model "$from")" "$(model "$to")")" "round $round, $from -> $to"
		((round % 4)) || effective "$from" "$(model "$from")"
	done
}

# --- removed cgroups

@test "a removed cgroup leaves no entry, and a new one of its name starts without a scope" {
	local before
	enable "" 0
	enable gone 2
	enable gone/below 1
	before=$(id_of gone)
	equal "scopes" 2 "$(scopes)"
	rmdir "$cgroups/gone/below"
	until_true 10 scopes_are 1
	rmdir "$cgroups/gone"
	until_true 10 scopes_are 0
	[[ $(command checmate status) != *gone* ]]
	new_cgroup gone
	[[ $(id_of gone) != "$before" ]] || fail "the id of the new cgroup" "another" "$before"
	effective gone 0
	matrix gone ""
	judged 0 "in the new cgroup"
	refused 1 "*not enabled in*" set --cgroup "$cgroups/gone" "$knob=1"
}

@test "a scope whose value lasts until reboot ends with its cgroup, row and all" {
	enable "" 0
	enable gone 3
	refused 1 "*until reboot*" disable yama --cgroup "$cgroups/gone"
	rmdir "$cgroups/gone"
	until_true 10 scopes_are 0
	enable next 0 # takes the row that is free again
	matrix next ""
	judged 0 "in the scope that came after"
}

@test "scopes that follow each other in one row never hand on their value" {
	local i
	enable "" 0
	enable base 0
	matrix base ""
	for i in {1..12}; do
		enable "row$i" $((i % 2 ? 2 : 1))
		tracers_in "row$i"
		judged $((i % 2 ? 2 : 1)) "in scope $i"
		tracers_in base
		judged 0 "outside scope $i"
		rmdir "$cgroups/row$i"
	done
	until_true 10 scopes_are 1
}

# --- the cache

@test "cgroups that share a line of the cache each get their own answer" {
	local i round value=(0 2 1 0)
	enable "" 0
	new_cgroup line
	"$programs/scope-collide" "$cgroups/line" 4 4096
	for i in 0 1 2; do # 3 is in no scope
		enable "line/$i" "${value[i]}"
	done
	matrix line/0 ""
	for round in 1 2 3; do
		for i in 0 1 2 3 1 3 2; do
			tracers_in "line/$i"
			judged "${value[i]}" "in $i of the colliding cgroups, round $round"
		done
		tracers_in line/0
		for i in 3 2 1 0; do
			targets_in "line/$i"
			judged "$(strictest "${value[0]}" "${value[i]}")" "target in $i, round $round"
		done
		targets_in ""
		value=("${value[@]:1:3}" 0) # and after a change
		for i in 0 1 2; do
			value "line/$i" "${value[i]}"
		done
	done
}

# --- changes under way

# bats test_tags=parallel
@test "while scopes around it come, go and change, no verdict flickers" {
	local end n=0
	enable outer 1
	new_cgroup outer/inner/in
	matrix outer/inner/in ""
	ask "watch 6"
	end=$((SECONDS + 5))
	while ((SECONDS < end)); do
		n=$((n + 1))
		enable outer/inner 0
		enable outer/inner/in 1
		value outer/inner 1
		enable "beside$n" 1
		disable outer/inner
		rmdir "$cgroups/beside$n"
		disable outer/inner/in
	done
	answer
	[[ $answer =~ ^unrelated=EPERM:[0-9]+\ child=OK:[0-9]+\ any=OK:[0-9]+\ root=OK:[0-9]+$ ]] ||
		fail "verdicts meanwhile" "EPERM OK OK OK" "$answer"
}

# bats test_tags=parallel
@test "while a value moves from one level to another, what both forbid stays forbidden" {
	local end
	enable outer 1
	enable outer/inner 0
	matrix outer/inner ""
	ask "watch 6"
	end=$((SECONDS + 5))
	while ((SECONDS < end)); do # one of the two is always at 1 or more
		value outer/inner 2
		value outer 0
		value outer 2
		value outer/inner 0
		value outer 1
	done
	answer
	[[ $answer =~ ^unrelated=EPERM:[0-9]+\ child=OK.*\ any=OK.*\ root=OK:[0-9]+$ ]] ||
		fail "verdicts meanwhile" "EPERM for the stranger, OK for root" "$answer"
}

# --- many

# crowd COUNT: three times so many scopes, many/V/0000 and on with the value V
crowd() {
	local v
	for v in 0 1 2; do
		new_cgroup "many/$v"
		"$programs/bench-scopes" yama "$cgroups/many/$v" "$1" "ptrace_scope=$v"
	done
}

# in_some_of COUNT: the verdicts in some of the crowd
in_some_of() {
	local v n
	for n in 0000 0001 "$(printf %04d $(($1 - 1)))"; do
		for v in 2 0 1; do
			tracers_in "many/$v/$n"
			judged "$v" "in scope many/$v/$n"
		done
	done
}

# bats test_tags=once
@test "1000 scopes at once: each has its own value, status lists them, all go with their cgroups" {
	enable "" 0
	crowd 333
	equal "scopes" 999 "$(scopes)"
	matrix many/0/0000 ""
	in_some_of 333
	value many/0/0100 2
	disable many/2/0100
	enable many 1
	enable beside 2
	equal "scopes" 1000 "$(scopes)"
	for i in 0/0000:1 0/0100:2 1/0332:1 2/0332:2 2/0100:1; do
		tracers_in "many/${i%:*}"
		judged "${i#*:}" "in scope many/${i%:*}, below one with 1"
	done
	equal "scopes that status lists" 1001 \
		"$(command checmate status -j | jq '.[0].scopes | length')"
	equal "lines of status" 1002 "$(command checmate status | wc -l)"
	tracers_in ""
	disable many
	disable beside
	(cd "$cgroups/many" && rmdir {0..2}/*/)
	until_true 10 scopes_are 0
	judged 0 "after all of them"
}

@test "there is room for 4095 scopes, and one more is refused with one line" {
	[[ ${CHECMATE_SOAK:-} ]] || skip "long: CHECMATE_SOAK=1"
	enable "" 0
	crowd 1365
	matrix many/0/0000 ""
	in_some_of 1365
	new_cgroup more
	refused 1 "*has its 4095 scopes already*" enable yama --cgroup "$cgroups/more"
	in_some_of 1365
	tracers_in ""
	rmdir "$cgroups/many/0/0007" # one that goes makes room
	until_true 10 scopes_are 4094
	enable more 2
	tracers_in more
	judged 2 "in the last one"
}
