#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# A kernel whose active LSMs lack bpf loads and attaches LSM programs without an error, and never runs
# them. Checmate must see that, refuse with exit status 3, and name the boot parameter that mends it.

load helpers

setup_file() {
	[[ ,$(</sys/kernel/security/lsm), != *,bpf,* ]] || {
		echo "this file is for a guest without bpf: tests/vm/run -l lockdown -- bats FILE" >&2
		return 1
	}
}

teardown_file() {
	reset
	assert_nothing_left
}

# What is active now, and bpf at the end.
parameter() {
	echo "lsm=$(</sys/kernel/security/lsm),bpf"
}

@test "doctor fails with exit status 3 and names the exact boot parameter" {
	checmate 3 doctor
	[[ $output == *"FAIL  BPF LSM runs: "* ]] || fail "doctor" "FAIL  BPF LSM runs" "$output"
	[[ $output == *" $(parameter)"* ]] || fail "doctor" "$(parameter)" "$output"
	[[ $stderr == "checmate: this kernel cannot run Checmate: BPF LSM runs: "* ]]
	local pattern
	pattern="(^|[^[:graph:]'\"])$(parameter)([^[:alnum:],_]|\$)"
	grep -qE "$pattern" <<<"$output" || fail "the parameter" "$(parameter), nothing more" "$output"
}

@test "doctor -j says the same" {
	checmate 3 doctor -j
	jq -e --arg parameter "$(parameter)" '.[] | select(.what == "BPF LSM runs")
		| .status == "fail" and (.fix | contains($parameter))' <<<"$output"
	jq -e 'all(.[]; .what == "BPF LSM runs" or .status != "fail")' <<<"$output"
}

@test "enable is refused with exit status 3 and one line with the parameter, and leaves nothing" {
	new_cgroup c
	checmate 3 enable yama
	[[ $stderr == *"$(parameter)"* ]] || fail "enable" "$(parameter)" "$stderr"
	leaves_nothing
	checmate 3 enable yama --cgroup /sys/fs/cgroup/c ptrace_scope=2
	[[ $stderr == *"$(parameter)"* ]] || fail "enable --cgroup" "$(parameter)" "$stderr"
	leaves_nothing
	[[ ! -e /proc/sys/kernel/yama && ! -e $pins ]]
	rmdir /sys/fs/cgroup/c
}

@test "a mistake is said before that: an unknown pack or a value out of range is exit status 1" {
	refused 1 "*no pack is named 'nosuch'*" enable nosuch
	refused 1 "*out of range*" enable yama ptrace_scope=4
}

@test "what needs no BPF LSM works: list, status, version, help" {
	checmate 0 list
	[[ $output =~ yama\ +disabled ]]
	checmate 0 status
	equal status "no pack is enabled" "$output"
	checmate 0 version
	checmate 0 help
}
