#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# checmate lock where what is in force is so for the whole system and in no cgroup: then there is no scope
# that a task could leave, and nothing is asked at each lookup of a name. The rest is as in
# tamper.lock.bats. In a guest of its own, which stays locked.

load helpers

attempts=$programs/lock-try

setup_file() {
	checmate 0 enable yama
	checmate 0 lock
}

# guarded: the hooks that the guard is on, from the names of its pins
guarded() {
	local link
	for link in "$pins"/lock/link_*; do
		echo "${link##*/link_cm_guard_}"
	done
}

@test "the guard is on all that it is on elsewhere, but what asks for tasks that leave a scope" {
	equal "guarded" "bpf bpf_prog create link mkdir mount move_mount rename rmdir symlink sysctl umount unlink" \
		"$(guarded | LC_ALL=C sort | paste -sd ' ')"
}

@test "mounts over the pins are refused, by mount(2) and by move_mount(2)" {
	run mount -t tmpfs none "$pins"
	[[ $status -ne 0 && $output == *"permission denied"* ]]
	equal "move_mount" EPERM "$("$attempts" move-mount /tmp "$pins")"
}

@test "tasks are moved from cgroup to cgroup as before" {
	local task
	new_cgroup a
	sleep 100 3>&- &
	task=$!
	echo $task >/sys/fs/cgroup/a/cgroup.procs
	echo $task >/sys/fs/cgroup/cgroup.procs
	kill $task
}

@test "the pack cannot be withdrawn, nor its value loosened" {
	refused 1 "checmate: cannot withdraw a policy: locked until reboot" disable yama
	refused 1 "*is 1: locked, it can only become stricter" set "$knob=0"
	target
	attempt EPERM "" attach
	end_background
}
