#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# Checmate's Yama decides as Linux's own does: one claim per case of cases/, as it holds on
# native Yama. Nothing is run here: cases/collect left the lines of both in
# $CHECMATE_RESULTS/native-SCOPE.txt and ours-SCOPE.txt, from two guests with one kernel.

setup_file() {
	export CASES=${YAMA_CASES:-$BATS_TEST_DIRNAME/../../build/tests/yama-cases}
	local scope

	if [[ ! -d ${CHECMATE_RESULTS:-} ]]; then
		echo "CHECMATE_RESULTS must name the directory that cases/collect filled" >&2
		return 1
	fi
	for scope in 0 1 2 3 none; do
		"$CASES" expect -s "$scope" all >"$BATS_FILE_TMPDIR/expect-$scope.txt"
	done
}

# The line of case ID in a file.
line() {
	grep -e "^$1 " -- "$2" 2>/dev/null || echo "$1 has no line in $2"
}

# Is ID the same on both at scope 0 to 3, and as the contract says? Where ours need not be the
# same because it does better, OURS is what it may be instead.
same_as_native() {
	local id=$1 better=${2:-} scope want native ours
	local differ=0 skipped=''

	for scope in 0 1 2 3; do
		want=$(line "$id" "$BATS_FILE_TMPDIR/expect-$scope.txt")
		native=$(line "$id" "$CHECMATE_RESULTS/native-$scope.txt")
		ours=$(line "$id" "$CHECMATE_RESULTS/ours-$scope.txt")
		if [[ $native == "$id skip="* && $ours == "$native" ]]; then
			skipped=${native#*=}
			continue
		fi
		if [[ $native != "$want" ]]; then
			printf 'contract: scope %s\n  expected %s\n  native   %s\n' \
				"$scope" "$want" "$native"
			differ=1
		fi
		if [[ $ours == "$id skip=no-file" ]]; then
			skipped='no /proc/sys door on this kernel'
		elif [[ $ours != "$native" && $ours != "$id ${better:-none}" ]]; then
			printf 'ours differs: scope %s\n  native   %s\n  ours     %s\n' \
				"$scope" "$native" "$ours"
			differ=1
		fi
	done
	((!differ)) || return 1
	[[ -z $skipped ]] || skip "$skipped"
}

@test "A01: an unrelated process may attach only at scope 0" {
	same_as_native A01
}

@test "A02: a parent may attach to its child up to scope 1" {
	same_as_native A02
}

@test "A03: a grandparent may attach to its grandchild up to scope 1" {
	same_as_native A03
}

@test "A04: a child may attach to its parent only at scope 0" {
	same_as_native A04
}

@test "A05: any thread of the parent counts as the parent" {
	same_as_native A05
}

@test "A06: a child forked by another thread of the process is still its child" {
	same_as_native A06
}

@test "A07: ... also when that thread is gone" {
	same_as_native A07
}

@test "A08: the grandparent of an orphan loses it above scope 0" {
	same_as_native A08
}

@test "A09: ... unless it is the subreaper the orphan fell to" {
	same_as_native A09
}

@test "A10: a child made with CLONE_PARENT is no descendant of its maker" {
	same_as_native A10
}

@test "A11: a non-leader thread of a sibling is as closed as its leader" {
	same_as_native A11
}

@test "A12: a non-leader thread of a child is as open as its leader" {
	same_as_native A12
}

@test "A13: a thread whose leader has exited still belongs to its parent" {
	same_as_native A13
}

@test "A14: a process may read itself at every scope and attach to itself at none" {
	same_as_native A14
}

@test "A15: memory is open at every scope to those who share it" {
	same_as_native A15
}

@test "A16: sharing memory opens nothing but memory" {
	same_as_native A16
}

@test "A17: a vfork child may read its parent but not attach to it" {
	same_as_native A17
}

@test "A18: a zombie refuses at every scope as it does without Yama" {
	same_as_native A18
}

@test "A19: a pid that is not there is ESRCH at every scope" {
	same_as_native A19
}

@test "A20: a kernel thread refuses root at every scope as it does without Yama" {
	same_as_native A20
}

@test "A21: a child that is not dumpable refuses at every scope" {
	same_as_native A21
}

@test "A22: consent does not open another uid at any scope" {
	same_as_native A22
}

@test "A23: a target that is traced already cannot be attached to, consent or not" {
	same_as_native A23
}

@test "C01: root with its capabilities may attach up to scope 2" {
	same_as_native C01
}

@test "C02: uid 0 without capabilities is an unrelated process" {
	same_as_native C02
}

@test "C03: a user with CAP_SYS_PTRACE may attach up to scope 2" {
	same_as_native C03
}

@test "C04: a capability that is permitted but not effective does not count" {
	same_as_native C04
}

@test "C05: the capabilities of the very thread that attaches count" {
	same_as_native C05
}

@test "C06: the owner of the target's user namespace may attach up to scope 2" {
	same_as_native C06
}

@test "C07: ... also when that namespace is nested in another of the same owner" {
	same_as_native C07
}

@test "C08: capabilities in the common user namespace suffice up to scope 2" {
	same_as_native C08
}

@test "C09: siblings without capabilities in their user namespace are unrelated" {
	same_as_native C09
}

@test "C10: nobody attaches out of his user namespace" {
	same_as_native C10
}

@test "C11: a user may not attach into a user namespace that root owns" {
	same_as_native C11
}

@test "C12: a user may not attach into a user namespace of another uid" {
	same_as_native C12
}

@test "R01: PR_SET_PTRACER_ANY opens a process to everybody at scope 1" {
	same_as_native R01
}

@test "R02: PR_SET_PTRACER 0 takes the consent back" {
	same_as_native R02
}

@test "R03: a named process may attach at scope 1" {
	same_as_native R03
}

@test "R04: so may the descendants of a named ancestor" {
	same_as_native R04
}

@test "R05: naming itself lets no sibling in" {
	same_as_native R05
}

@test "R06: naming itself lets its children in" {
	same_as_native R06
}

@test "R07: a later name replaces the one before" {
	same_as_native R07
}

@test "R08: a call that fails leaves the consent as it was" {
	same_as_native R08
}

@test "R09: naming pid 1 lets everybody in" {
	same_as_native R09
}

@test "R10: a forked child does not inherit the consent" {
	same_as_native R10
}

@test "R11: the consent is the process's, whichever thread gave it" {
	same_as_native R11
}

@test "R12: naming a thread names its process" {
	same_as_native R12
}

@test "R13: the consent ends with the thread that was named" {
	same_as_native R13
}

@test "R14: the consent stays when the named thread executes a program" {
	same_as_native R14
}

@test "R15: a child of the named process may attach" {
	same_as_native R15
}

@test "R16: an orphaned descendant of the named process may not" {
	same_as_native R16
}

@test "R17: nor may anybody once the named process is gone" {
	same_as_native R17
}

@test "R18: another process that got the named pid may not attach" {
	same_as_native R18
}

@test "R19: the consent outlives an exec by the target's leader" {
	same_as_native R19
}

@test "R20: the consent ends with an exec by another thread of the target" {
	same_as_native R20
}

@test "R21: the name outlives an exec by the tracer's leader, not one by its other thread" {
	same_as_native R21
}

@test "R22: the consent outlives the target's leader while a thread lives" {
	same_as_native R22
}

@test "R23: taking the consent back does not shut out who is attached" {
	same_as_native R23
}

@test "R24: consent given at scope 0 holds at scope 1" {
	same_as_native R24
}

@test "N01: pids are those of the caller's pid namespace" {
	same_as_native N01
}

@test "N02: consent to all reaches out of a pid namespace" {
	same_as_native N02
}

@test "N03: a pid that exists only outside cannot be named" {
	same_as_native N03
}

@test "N04: after unshare(CLONE_NEWPID) the old pids still hold" {
	same_as_native N04
}

@test "N05: naming pid 1 of a pid namespace lets in those born in it" {
	same_as_native N05
}

@test "P01: every accepted argument of PR_SET_PTRACER is accepted at every scope" {
	same_as_native P01
}

@test "P02: every refused argument of PR_SET_PTRACER is refused at every scope" {
	same_as_native P02
}

@test "P03: a 32-bit PR_SET_PTRACER works alike" {
	same_as_native P03
}

@test "P04: PR_SET_PTRACER ignores its unused arguments and bits" {
	same_as_native P04
}

@test "T01: an unprivileged parent may be asked to trace up to scope 1" {
	same_as_native T01
}

@test "T02: a root parent may be asked to trace up to scope 2" {
	same_as_native T02
}

@test "T03: a root parent without capabilities is an unprivileged one" {
	same_as_native T03
}

@test "T04: the parent's effective capability counts, not the child's" {
	same_as_native T04
}

@test "T05: a parent may trace a child in a user namespace of its own up to scope 2" {
	same_as_native T05
}

@test "T06: nobody can ask to be traced twice" {
	same_as_native T06
}

@test "X01: opening /proc/PID/mem is an attach, refused with EACCES" {
	same_as_native X01
}

@test "X02: reading /proc/PID/syscall and personality is an attach, opening is not" {
	same_as_native X02
}

@test "X03: reading /proc/PID/stack takes CAP_SYS_ADMIN and an attach" {
	same_as_native X03
}

@test "X04: pidfd_getfd is an attach" {
	same_as_native X04
}

@test "X05: perf_event_open with sigtrap is an attach, but for privileged callers" {
	same_as_native X05
}

@test "X06: transferring nothing is no attach" {
	same_as_native X06
}

@test "X07: what only reads about a process is open at every scope" {
	same_as_native X07
}

@test "X08: the files of a kernel thread are closed to root at scope 3" {
	same_as_native X08
}

@test "E01: a tracer and its threads keep reading memory up to scope 1" {
	same_as_native E01
}

@test "E02: other threads of the target and children of the tracer are not covered" {
	same_as_native E02
}

@test "E03: what a tracer opens anew is decided anew" {
	same_as_native E03
}

@test "E04: ptrace goes on at every scope on what is attached" {
	same_as_native E04
}

@test "E05: an open mem file goes on, an open syscall file is decided at each read" {
	same_as_native E05
}

@test "E06: the children of a traced process are attached to at every scope" {
	same_as_native E06
}

@test "E07: an orphan of a traced process stays open to its tracer" {
	same_as_native E07
}

@test "S01: the sysctl takes and refuses every string as Linux does" {
	same_as_native S01
}

@test "S02: the sysctl can be opened, written and read by whom Linux lets" {
	same_as_native S02
}

@test "S03: the sysctl stays at 3 once it is there" {
	same_as_native S03
}

@test "S04: the sysctl treats offsets, flags and sizes of writes as Linux does" {
	same_as_native S04
}

@test "S05: the sysctl reads as Linux's does and has its attributes" {
	same_as_native S05
}

@test "L01: each denial is logged once, with target and agent" {
	same_as_native L01
}

@test "L02: a denied TRACEME is logged with the child as target" {
	same_as_native L02
}

@test "L03: what others refuse is not logged" {
	same_as_native L03
}

@test "L04: the log takes ten records in five seconds and counts the rest" {
	same_as_native L04
}

# Linux passes control bytes other than \f \n \r \t \v \a \e raw, ours escapes them all: the reader of
# an event is a terminal more often than not.
@test "L05: unusual command lines are logged escaped" {
	same_as_native L05 'quotes="say_\x22a\x22_b\x5cc" blanks="blanks_a\x09b\x0ac\x0dd\x0ce\x0bf__g_" bytes="bytes_\x01\x1b\x07\x7f_<c3><a9>" args="empty__x" argv0="" zombie=""'
}

# Linux's record is cut short and stays unseen until the next one; ours may be whole and at once.
@test "L06: a command line too long for a record is logged no worse than by Linux" {
	same_as_native L06 "now=1 later=0 whole=1"
}

@test "P05: without any Yama PR_SET_PTRACER is unknown" {
	local want got

	want=$(line P05 "$BATS_FILE_TMPDIR/expect-none.txt")
	got=$(line P05 "$CHECMATE_RESULTS/ours-none.txt")
	printf 'expected %s\ngot      %s\n' "$want" "$got"
	[[ $got == "$want" ]]
}

@test "every case has its claim here" {
	local id title

	while read -r id title; do
		grep -q "^@test \"$id: " "$BATS_TEST_FILENAME" || {
			echo "no claim for $id ($title)"
			return 1
		}
	done < <("$CASES" list)
}
