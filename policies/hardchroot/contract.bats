#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The ways out of a chroot: one claim per row of cases/, as it has to be without the pack, with it, and
# with hardchroot_lookup as well, and one per knob. Nothing is run here: hardchroot.bats left in
# $CHECMATE_RESULTS what the programs said in a guest with kernel $CHECMATE_KERNEL.
# shellcheck disable=SC2154 # table.bash sets them

load table

setup_file() {
	if [[ ! -d ${CHECMATE_RESULTS:-} || ! ${CHECMATE_KERNEL:-} ]]; then
		echo "CHECMATE_RESULTS and CHECMATE_KERNEL must name what hardchroot.bats filled, and its kernel" >&2
		return 1
	fi
	differences >"$BATS_FILE_TMPDIR/differences"
}

# differences: of all rows in the three modes from what is expected, "ID MODE EXPECTED, not ACTUAL"
differences() {
	local row id mode i=0
	read_table
	for mode in off object full; do
		((++i))
		read_claims "$mode"
		for id in "${!table[@]}"; do
			expected "$id"
			[[ ${row[i]} == "${claims[$id]:-}" ]] ||
				echo "$id $mode: '${row[i]}' is expected, not '${claims[$id]:-}'"
		done
	done
}

# row ID: as expected in all three modes
row() {
	local line differ=0
	while read -r line; do
		[[ $line != "$1 "* ]] || { echo "$line" && differ=1; }
	done <"$BATS_FILE_TMPDIR/differences"
	((!differ))
}

# with_knob KNOB LIST OFF ON: the claim
with_knob() {
	local entry entries
	IFS=+ read -ra entries <<<"$2"
	for entry in "${entries[@]}"; do
		case $entry in
		"$1") echo "$4" && return ;;
		"$1":*) echo "${entry#*:}" && return ;;
		esac
	done
	echo "$3"
}

# claims_with_knob KNOB: of the row in ${row[@]}
claims_with_knob() {
	local lists off on i got=
	if [[ ${row[0]} != *"$1"* ]]; then
		echo "${row[1]}"
		return
	fi
	read -ra lists <<<"${row[0]}"
	read -ra off <<<"${row[1]}"
	read -ra on <<<"${row[2]}"
	for i in "${!off[@]}"; do
		got+="${got:+ }$(with_knob "$1" "${lists[i]:-${lists[0]}}" "${off[i]}" "${on[i]}")"
	done
	echo "$got"
}

# alone KNOB: with that one set, its own rows are refused, and no other
alone() {
	local row id differ=0 want
	read_table
	read_claims "$1"
	for id in $(rows_for "$1"); do
		expected "$id"
		want=$(claims_with_knob "$1")
		[[ $want == "${claims[$id]:-}" ]] ||
			{ echo "$id: '$want' is expected, not '${claims[$id]:-}'" && differ=1; }
	done
	((!differ))
}

@test "every row of the catalogue has a test here and a line in the table, and no other is there" {
	local rows
	rows=$("$BATS_TEST_DIRNAME/../../build/tests/hardchroot-cases" list | cut -d " " -f 1 | grep -v R)
	diff <(echo "$rows") <(sed -nE 's/^@test "([EU][0-9]+):.*/\1/p' "$BATS_TEST_FILENAME")
	diff <(echo "$rows") <(sed -nE 's/^([EU][0-9]+) .*/\1/p' "$BATS_TEST_DIRNAME/cases/expected" | uniq)
}

@test "E01: a second chroot does not let .. climb out of the first" {
	row E01
}

@test "E02: a second chroot does not make a working directory left in the first a way out" {
	row E02
}

@test "E03: a saved descriptor of the old root does not lead out by fchdir" {
	row E03
}

@test "E04: a saved descriptor of the old root opens nothing" {
	row E04
}

@test "E05: a saved descriptor of a directory beside the jail opens nothing upwards" {
	row E05
}

@test "E06: ... nor one of O_PATH" {
	row E06
}

@test "E07: a working directory left outside opens nothing" {
	row E07
}

@test "E08: a working directory left outside does not climb" {
	row E08
}

@test "E09: /proc/self/fd of a saved directory does not lead out by chdir" {
	row E09
}

@test "E10: /proc/self/fd of a saved directory does not become the root" {
	row E10
}

@test "E11: a saved directory does not become the root by fchroot" {
	row E11
}

@test "E12: fchroot does not exchange the jail for the failing root" {
	row E12
}

@test "E13: the jail's directory by another mount opens nothing upwards" {
	row E13
}

@test "E14: the jail's directory by another mount, entered by fchdir, opens nothing upwards" {
	row E14
}

@test "E15: a working directory that was moved out opens nothing" {
	row E15
}

@test "E16: a working directory that was moved up within an outer jail opens nothing" {
	row E16
}

@test "E17: SCM_RIGHTS brings no directory of the outside, but files" {
	row E17
}

@test "E18: pidfd_getfd takes nothing from a process outside" {
	row E18
}

@test "E19: a seccomp supervisor cannot put in a directory of the outside" {
	row E19
}

@test "E20: /proc/1/root leads nowhere" {
	row E20
}

@test "E21: /proc/PID/cwd and /proc/PID/fd of a process outside lead nowhere" {
	row E21
}

@test "E22: an O_PATH descriptor of a file outside is not opened through /proc" {
	row E22
}

@test "E23: a file outside is not linked into the jail by its descriptor" {
	row E23
}

@test "E24: ... nor by its name below /proc/self/fd" {
	row E24
}

@test "E25: a program outside is not executed by its descriptor" {
	row E25
}

@test "E26: no flag of openat2 makes a saved directory usable" {
	row E26
}

@test "E27: nothing is changed below a saved directory" {
	row E27
}

@test "E28: nothing is asked about below a saved directory; about the descriptor itself it may be" {
	row E28
}

@test "E29: io_uring opens nothing from a saved directory" {
	row E29
}

@test "E30: a polled io_uring made outside is a gap: it opens with its maker's root" {
	row E30
}

@test "E31: setns by pidfd does not lead to the namespace's root" {
	row E31
}

@test "E32: setns by /proc/self/ns/mnt does not lead to the namespace's root" {
	row E32
}

@test "E33: setns by a handle of the namespace does not lead to its root" {
	row E33
}

@test "E34: unshare does not take the root away from under a held directory" {
	row E34
}

@test "E35: ... nor does clone3" {
	row E35
}

@test "E36: open_tree does not make the jail a namespace in which it is none" {
	row E36
}

@test "E37: ... nor does fsmount with a new file system" {
	row E37
}

@test "E38: a new proc is not made, and would show nothing" {
	row E38
}

@test "E39: a detached copy of the outside opens nothing" {
	row E39
}

@test "E40: nothing is mounted, bound, remounted or unmounted" {
	row E40
}

@test "E41: a mount's restrictions stay" {
	row E41
}

@test "E42: the root is not exchanged by pivot_root" {
	row E42
}

@test "E43: the root's own mount is not unmounted; that would not lead out either" {
	row E43
}

@test "E44: no file outside is opened by its handle" {
	row E44
}

@test "E45: the kernel itself makes no user namespace for a jailed task" {
	row E45
}

@test "E46: a user namespace from before does not allow mounts" {
	row E46
}

@test "E47: device nodes are not made; fifos, files and sockets are" {
	row E47
}

@test "E48: files are not made set-uid or set-gid, in four ways; other modes are set" {
	row E48
}

@test "E49: file capabilities are not given" {
	row E49
}

@test "E50: a process outside is not traced; a child is" {
	row E50
}

@test "E51: a process outside is not read, compared or measured; a child is" {
	row E51
}

@test "E52: no signal reaches a process outside, and kill(-1) only the jail; a child is killed" {
	row E52
}

@test "E53: a descriptor does not send signals to a process outside; to its owner in the jail it does" {
	row E53
}

@test "E54: the session, group and capabilities of a process outside are not told; one's own are" {
	row E54
}

@test "E55: priorities are not raised, and those outside not changed; one's own is lowered" {
	row E55
}

@test "E56: scheduler and I/O priority of a process outside are not changed; one's own are" {
	row E56
}

@test "E57: limits of a process outside are not set; that they can be read is a gap" {
	row E57
}

@test "E58: abstract sockets of the outside are not reached; those of the jail are" {
	row E58
}

@test "E59: shared memory of the outside is not attached; that of the jail is" {
	row E59
}

@test "E60: queues and semaphores of the outside are not used; those of the jail are" {
	row E60
}

@test "E61: no sysctl is written, also by a descriptor from before; it is read" {
	row E61
}

@test "E62: no module, kexec, port, reboot or time" {
	row E62
}

@test "E63: nothing is pushed into the inherited terminal" {
	row E63
}

@test "E64: fanotify brings no file of the outside" {
	row E64
}

@test "E65: bpf(2) finds no map" {
	row E65
}

@test "E66: the kernel's helper programs are not set" {
	row E66
}

@test "E67: a task whose root another one has changed is jailed" {
	row E67
}

@test "U01: nobody goes back to the root it came from" {
	row U01
}

@test "U02: nor does its child" {
	row U02
}

@test "deny_mount alone denies exactly its own rows" {
	alone deny_mount
}

@test "deny_chroot alone denies exactly its own rows" {
	alone deny_chroot
}

@test "deny_pivot alone denies exactly its own rows" {
	alone deny_pivot
}

@test "enforce_chdir alone denies exactly its own rows" {
	alone enforce_chdir
}

@test "deny_chmod alone denies exactly its own rows" {
	alone deny_chmod
}

@test "deny_fchdir alone denies exactly its own rows" {
	alone deny_fchdir
}

@test "deny_mknod alone denies exactly its own rows" {
	alone deny_mknod
}

@test "deny_shmat alone denies exactly its own rows" {
	alone deny_shmat
}

@test "deny_unix alone denies exactly its own rows" {
	alone deny_unix
}

@test "findtask alone denies exactly its own rows" {
	alone findtask
}

@test "restrict_nice alone denies exactly its own rows" {
	alone restrict_nice
}

@test "deny_sysctl alone denies exactly its own rows" {
	alone deny_sysctl
}

@test "caps alone denies exactly its own rows" {
	alone caps
}

@test "deny_bad_rename alone denies exactly its own rows" {
	alone deny_bad_rename
}
