#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Under load: no wrong verdict, no failed registration, nothing left behind. That the kernel did not
# complain is the runner's claim. CHECMATE_SECONDS: how long the first storm lasts (6; 20 with
# CHECMATE_SOAK=1), others half.

# shellcheck disable=SC2154 # words of helpers.bash
# shellcheck disable=SC2030,SC2031 # each test is a subshell
load helpers

cgroups=/sys/fs/cgroup
preempt=/sys/kernel/debug/sched/preempt

teardown() {
	[[ ! ${preemption:-} ]] || echo "$preemption" >"$preempt"
	reset
}

teardown_file() {
	assert_nothing_left
}

seconds=${CHECMATE_SECONDS:-$([[ ${CHECMATE_SOAK:-} ]] && echo 20 || echo 6)}

# race SECONDS: with the knob's file where there is one
race() {
	local file=()
	[[ ! -e $knob_file ]] || file=("$knob_file")
	"$programs/stress-race" "$1" "${file[@]}"
	until_true 20 registered 0
}

# entries MAP: of the map of that name
entries() {
	bpftool -j map dump name "$1" | jq length
}

# registered COUNT: so many relations, and so many tracers in them, are stored
registered() {
	[[ $(entries relations) == "$1" && $(entries tracers) == "$1" ]]
}

scopes_are() {
	[[ $(bpftool -j map dump pinned "$pins/packs/yama/scopes" | jq length) == "$1" ]]
}

@test "3000 ancestors are walked to the end: the top may trace the bottom, a stranger may not" {
	checmate 0 enable yama ptrace_scope=1
	run -0 "$programs/stress-chain" 3000
	equal "verdicts" "top bottom OK
middle bottom OK
stranger bottom EPERM
bottom top EPERM
bottom declared EPERM
bottom declared OK
stranger declared EPERM" "$output"
}

# bats test_tags=parallel
@test "64 threads register and attach while the value goes up and down: no wrong verdict" {
	checmate 0 enable yama ptrace_scope=1
	race "$seconds"
}

# bats test_tags=parallel
@test "no wrong verdict either where the kernel may be preempted anywhere" {
	[[ -w $preempt ]] || skip "this kernel's preemption cannot be chosen"
	preemption=$(grep -o '([a-z]*)' "$preempt" | tr -d '()')
	echo full >"$preempt"
	checmate 0 enable yama ptrace_scope=1
	race $(((seconds + 1) / 2))
}

# bats test_tags=parallel
@test "of a storm of tasks that register and end, the living ones' relations are left, and no other" {
	local said=$BATS_TEST_TMPDIR/said
	checmate 0 enable yama ptrace_scope=1
	background "$programs/stress-storm" hold >"$said"
	until_true 10 grep -q registered "$said"
	registered 1
	"$programs/stress-storm" $(((seconds + 1) / 2))
	until_true 20 registered 1
	end_background
	until_true 20 registered 0
	equal "errors when a task is freed" 0 "$(count errors task_free)"
	equal "errors when one is made" 0 "$(count errors task_alloc)"
}

# The scope "gone" that status shows, if any, is in force in the cgroup that has that name now.
is_true() {
	local shown
	checmate 0 status -j
	shown=$(jq '.[].scopes[] | select(.cgroup == "/gone") | .cgroup_id' <<<"$output")
	[[ $output != *removed* ]] && [[ ! $shown || $shown == $(stat -c %i "$cgroups/gone") ]]
}

# At each step of `checmate ARG...` on the cgroup "gone", this cgroup is removed, or ($1: again) also
# made anew. A call that succeeds may have met the new one; one that fails leaves no scope.
removed_meanwhile() {
	local again=$1 n action status=0
	shift
	action="rmdir $cgroups/gone"
	[[ $again != again ]] || action+=" && mkdir $cgroups/gone"
	checmate 0 enable yama ptrace_scope=0
	for ((n = 1; ; n++)); do
		new_cgroup gone
		[[ $1 == enable ]] || checmate 0 enable yama --cgroup "$cgroups/gone"
		status=$("$programs/scope-between" "$n" "$action" checmate "$@" 2>/dev/null)
		[[ $status != end ]] || break
		is_true || fail "status after step $n ($status)" "scopes of cgroups that are there" "$output"
		[[ $status == 0 || $output != */gone* ]] ||
			fail "scopes after step $n failed" "only the system's" "$output"
		[[ ! -e $cgroups/gone ]] || rmdir "$cgroups/gone"
	done
	((n > 3)) # it was in the midst of it
}

@test "a cgroup removed and made again while it is made a scope leaves no scope behind" {
	removed_meanwhile again enable yama --cgroup "$cgroups/gone"
}

@test "nor one that is removed while its value is set" {
	removed_meanwhile never set --cgroup "$cgroups/gone" "$knob=2"
}

# Makes and removes what enable_some is at work on.
remove_some() {
	local n
	while [[ ! -e $stop ]]; do
		for n in 3 1 4 2 5; do
			rmdir "$cgroups/race/$n/below" "$cgroups/race/$n"
			mkdir -p "$cgroups/race/$n/below"
		done 2>/dev/null
	done
	return 0
}

# anyhow STATUSES ARG...: one of these exit statuses, and one line when it fails
anyhow() {
	local status=0 said
	said=$(command checmate "${@:2}" 2>&1) || status=$?
	[[ $1 == *"$status"* && $(grep -c '' <<<"$said") -le 1 ]] ||
		fail "checmate ${*:2}" "status $1, one line at most" "$status: $said"
}

# bats test_tags=parallel
@test "cgroups removed while scopes in them are enabled, set and disabled leave no trace" {
	local end=$((SECONDS + (seconds + 1) / 2)) n=0 stop=$BATS_TEST_TMPDIR/stop
	checmate 0 enable yama ptrace_scope=0
	new_cgroup kept
	checmate 0 enable yama --cgroup "$cgroups/kept" ptrace_scope=2
	mkdir -p "$cgroups"/race/{1..5}/below
	background remove_some
	while ((SECONDS < end)); do
		n=$((n % 5 + 1))
		anyhow 01 enable yama --cgroup "$cgroups/race/$n"
		anyhow 01 enable yama --cgroup "$cgroups/race/$n/below"
		anyhow 01 set --cgroup "$cgroups/race/$n" "$knob=2"
		anyhow 0 set --cgroup "$cgroups/kept" "$knob=$((n % 3))"
		anyhow 01 disable yama --cgroup "$cgroups/race/$n"
	done
	touch "$stop"
	wait "$started"
	checmate 0 status
	[[ $output != *removed* ]] || fail "status" "no removed cgroup" "$output"
	find "$cgroups/race" -mindepth 1 -depth -type d -exec rmdir {} +
	until_true 10 scopes_are 1
	checmate 0 set --cgroup "$cgroups/kept" "$knob=1"
	run -0 "$programs/scope-matrix" "$cgroups" "$cgroups/kept" <<<try
	equal "verdicts in the one that stayed" \
		"unrelated=EPERM child=OK any=OK root=OK traceme=OK" "${lines[1]}"
}
