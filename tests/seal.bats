#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# Sealed until reboot: a knob of a pack that, once it is 1 for the whole system, keeps the pack and
# another one in force, and their values from becoming looser. It is there against mistakes: each test
# ends as root would end it, by removing the pins.

load helpers

# Files that are root's, in a directory that is.
files=/run/checmate-test
seal=$files/seal.bpf.o
bound=$files/bound.bpf.o
system=/sys/fs/cgroup
sealed="checmate: kernel.seal.lock=1 holds until reboot: "

setup_file() {
	mkdir -p "$files"
	install -m 644 "$top"/build/tests/bpf/{seal,bound,unverified}.bpf.o "$files"
}

setup() {
	umask 022
	new_cgroup c
	new_cgroup d
	checmate 0 load "$bound" flags=3
	checmate 0 load "$seal" level=2 most=5
	checmate 0 enable seal --cgroup "$system/c" level=3
}

teardown() {
	rm -rf "$pins"
	! grep -q '^checmate ' /proc/modules || rmmod checmate
	reset
}

teardown_file() {
	rm -rf "$files"
	assert_nothing_left
}

# is VALUE NAME [CGROUP]: as get shows it
is() {
	equal "$2" "$1" "$(command checmate get -n "$2" --cgroup "$system/${3:-}")"
}

@test "until the knob is 1 for the whole system nothing is sealed; 1 in a cgroup is not that" {
	checmate 0 set --cgroup "$system/c" kernel.seal.lock=1
	checmate 0 set kernel.seal.level=0
	checmate 0 set --cgroup "$system/c" kernel.seal.level=1
	checmate 0 set kernel.bound.flags=0
	checmate 0 mode bound permissive
	checmate 0 unload bound
	checmate 0 disable seal --cgroup "$system"
	clean
	checmate 0 unload seal
	leaves_nothing
}

@test "sealed, values of both packs become stricter or stay, in every scope, and never looser" {
	checmate 0 set kernel.seal.lock=1
	remember
	refused 1 "${sealed}kernel.seal.level is 2 and cannot become looser" set kernel.seal.level=1
	refused 1 "${sealed}kernel.seal.level is 2 and *" set kernel/oldseal/level=0
	refused 1 "${sealed}kernel.seal.most is 5 and *" set kernel.seal.most=6
	refused 1 "${sealed}kernel.seal.level is 3 in $system/c and *" set --cgroup "$system/c" kernel.seal.level=2
	refused 1 "${sealed}kernel.bound.flags is 3 and *" set kernel.bound.flags=5
	refused 1 "*kernel?seal?lock is 1: that holds until reboot" set kernel.seal.lock=0
	unchanged
	checmate 0 set kernel.seal.level=2
	checmate 0 set kernel.seal.level=3
	checmate 0 set kernel.seal.most=4
	checmate 0 set --cgroup "$system/c" kernel.seal.most=1
	checmate 0 set kernel.bound.flags=7
	refused 1 "${sealed}kernel.seal.level is 3 and *" set kernel.seal.level=2
	is 4 kernel.seal.most
	is 1 kernel.seal.most c
}

@test "sealed, both packs stay in force as they are, and further scopes with them" {
	checmate 0 list -j
	json '.[] | select(.name == "seal") | (.knobs | map(.seal)) == [true, null, null]'
	json '.[] | select(.name == "bound").sealed_by == "seal"'
	checmate 0 set kernel.seal.lock=1
	remember
	local pack
	for pack in seal bound; do
		refused 1 "${sealed}pack $pack cannot be withdrawn" disable "$pack"
		refused 1 "${sealed}pack $pack cannot be withdrawn" unload "$pack"
		refused 1 "${sealed}pack $pack cannot be withdrawn" disable "$pack" --cgroup "$system"
		refused 1 "${sealed}pack $pack cannot become permissive" mode "$pack" permissive
		refused 1 "${sealed}policy $pack cannot be replaced" replace "$pack" "$files/$pack.bpf.o"
	done
	refused 1 "${sealed}pack seal cannot be withdrawn" disable seal --cgroup "$system/c"
	refused 1 "${sealed}pack seal cannot become permissive" mode seal permissive --cgroup "$system/c"
	unchanged
	checmate 0 mode seal enforce
	checmate 0 enable seal --cgroup "$system/d" --permissive level=1
	checmate 0 enable bound --cgroup "$system/d"
	refused 1 "${sealed}pack bound cannot be withdrawn" disable bound --cgroup "$system/d"
	refused 1 "${sealed}kernel.seal.level is 1 in *" set --cgroup "$system/d" kernel.seal.level=0
	checmate 0 enable yama
	checmate 0 disable yama
	rmdir "$system/d"
	is 2 kernel.seal.level
}

@test "a permissive scope is sealed as it is" {
	checmate 0 mode seal permissive
	checmate 0 set kernel.seal.lock=1
	refused 1 "${sealed}kernel.seal.level is 2 and *" set kernel.seal.level=1
	refused 1 "${sealed}kernel.bound.flags is 3 and *" set kernel.bound.flags=1
	checmate 0 mode seal enforce
	refused 1 "${sealed}pack seal cannot become permissive" mode seal permissive
}

@test "a configuration that loosens what is sealed changes nothing, one that tightens is applied" {
	local conf=$files/state.conf
	checmate 0 save
	echo "$output" >"$files/before"
	sed 's/seal.lock = 0/seal.lock = 1/; s/most = 5/most = 4/' "$files/before" >"$conf"
	checmate 0 -f "$conf"
	is 4 kernel.seal.most
	remember
	sed -i 's/level = 2/level = 3/; s/most = 4/most = 6/' "$conf"
	refused 1 "${sealed}kernel.seal.most is 4 and cannot become looser" -f "$conf"
	: >"$conf"
	refused 1 "${sealed}pack * cannot be withdrawn" -f "$conf"
	checmate 0 save
	{
		echo "$output"
		echo "policy unverified { file = \"$files/unverified.bpf.o\" scope \"/\" { } }"
	} | sed 's/level = 2/level = 3/; s,scope "/c",scope "/d" { } scope "/c",' >"$conf"
	run --separate-stderr -1 command checmate -f "$conf"
	[[ $stderr == *"nothing was changed"* ]] || fail "what is said" "nothing was changed" "$stderr"
	unchanged
	sed -i /unverified/d "$conf"
	checmate 0 -f "$conf"
	is 3 kernel.seal.level
	is 3 kernel.seal.level d
}

@test "sealed, the files take stricter values alone, those of a policy that was there before as well" {
	modprobe checmate 2>/dev/null || skip "no module for this kernel"
	checmate 0 set kernel.bound.flags=3 # whose call makes the files
	write() {
		equal "$1 into $3" "$2" "$("$programs/door-driver" write "/proc/sys/kernel/$3" "$1")"
	}
	write 1 "OK 1" seal/level
	write 2 "OK 1" seal/level
	write 0 "OK 1" bound/flags
	write 1 "OK 1" seal/lock
	write 1 EACCES seal/level
	write 1 EACCES oldseal/level
	write 4 EINVAL seal/level
	write 6 EACCES seal/most
	write 3 "OK 1" oldseal/level
	write 4 "OK 1" seal/most
	write 0 EINVAL seal/lock
	write 2 "OK 1" bound/flags
	write 5 EACCES bound/flags
	write 6 "OK 1" bound/flags
	refused 1 "${sealed}kernel.seal.level is 3 and *" set kernel.seal.level=2
	is 6 kernel.bound.flags
	# The module's memory of it is shorter than the policies'.
	rmmod checmate
	modprobe checmate
	checmate 0 set kernel.seal.level=3
	write 2 EACCES seal/level
	write 0 EACCES bound/flags
	write 7 "OK 1" bound/flags
}

@test "what is written before the pack is enabled system-wide is sealed against its enabling" {
	modprobe checmate 2>/dev/null || skip "no module for this kernel"
	checmate 0 disable seal --cgroup "$system"
	echo 2 >/proc/sys/kernel/seal/level
	echo 1 >/proc/sys/kernel/seal/lock
	remember
	refused 1 "${sealed}kernel.seal.level is 2 and *" enable seal most=1 level=1
	refused 1 "*kernel.seal.lock is 1: that holds until reboot" enable seal most=1 lock=0
	refused 1 "${sealed}the values of seal cannot become permissive" enable seal --permissive
	unchanged
	checmate 0 enable seal most=1
	is 2 kernel.seal.level
	is 1 kernel.seal.most
}

@test "a seal without a latch, two of them, or a name that is none do not build" {
	cd "$BATS_TEST_TMPDIR"
	cp "$top/tests/bpf/seal.bpf.c" seal.bpf.c
	checmate 0 build seal.bpf.c
	sed -i '3i #define SEAL_FLAGS CM_KNOB_SEAL' seal.bpf.c
	refused 1 "*seal: a seal needs a latch" build seal.bpf.c
	sed 's/"seal", /&.sealed_by = "other", /' "$top/tests/bpf/seal.bpf.c" >seal.bpf.c
	refused 1 "*seal: a pack has one seal, its own or another's" build seal.bpf.c
	sed 's/sealed_by = "seal"/sealed_by = "Seal"/' "$top/tests/bpf/bound.bpf.c" >bound.bpf.c
	refused 1 "*bound: .sealed_by is no name" build bound.bpf.c
}
