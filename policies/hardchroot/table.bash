# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# cases/expected and the catalogue's output, as hardchroot.bats (in the guest) and contract.bats (on the
# host) read them.
# shellcheck disable=SC2034,SC2154 # for each other, and for the files that load this

# Where the catalogue's output is, a file for each mode: tests/run takes it out of the guest.
lines_of=${CHECMATE_RESULTS:-${BATS_FILE_TMPDIR:?}}/hardchroot

# read_table: into ${table[ID]}, the columns for this kernel
read_table() {
	local id kernels columns
	declare -gA table=()
	while IFS='|' read -r id kernels columns; do
		[[ $id == [EU]* && ($kernels == ' * ' || ,${kernels// /}, == *",$CHECMATE_KERNEL,"*) ]] ||
			continue
		table[${id% }]=$columns
	done <"$BATS_TEST_DIRNAME/cases/expected"
}

# expected ID: into ${row[@]}: the lists of knobs, then the claims that are off, object and full
expected() {
	IFS='|' read -ra row <<<"${table[$1]:?no line for $CHECMATE_KERNEL in cases/expected}"
	row=("${row[@]# }")
	row=("${row[@]% }")
}

# read_claims MODE: into ${claims[ID]}
read_claims() {
	local id rest
	declare -gA claims=()
	while read -r id rest; do
		claims[$id]=$rest
	done <"$lines_of/$1"
}

knobs=(deny_mount deny_chroot deny_pivot enforce_chdir deny_chmod deny_fchdir deny_mknod deny_shmat
	deny_unix findtask restrict_nice deny_sysctl caps deny_bad_rename)

# One row of each knob, for the tests of the others.
of_each=(E40 E10 E42 E08 E48 E04 E47 E59 E58 E52 E55 E61 E62 E27)

# rows_for KNOB: which the test of the knob alone runs: all with CHECMATE_SOAK
rows_for() {
	local row id
	[[ ! ${CHECMATE_SOAK:-} ]] || { echo "${!table[@]}" && return; }
	for id in "${!table[@]}"; do
		expected "$id"
		[[ ${row[0]} != *"$1"* && " ${of_each[*]} " != *" $id "* ]] || echo "$id"
	done
}
