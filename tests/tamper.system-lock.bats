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
	checmate 0 netfilter load - <<-'END'
		egress port 4001 drop errno EACCES
		bind tcp port 4080 remap 30080
		ingress udp from 127.0.0.2 drop
		limit connections 2 per destination
	END
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

# --- the rules of netfilter

@test "rules cannot be exchanged nor taken away, and decide as before" {
	local ways=$programs/net-ways id
	refused 1 "checmate: cannot change rules: locked until reboot" netfilter load - <<<"egress policy accept"
	refused 1 "checmate: cannot change rules: locked until reboot" netfilter flush
	id=$(bpftool -j map show | jq '.[] | select(.name == "cm_ruleset") | .id')
	equal "update of the rules" EPERM "$("$attempts" update "id:$id")"
	equal "a program that has the rules" EPERM "$("$attempts" uses "id:$id")"
	equal "update of the map of rules" EPERM "$("$attempts" update "$pins/packs/netfilter/map_cm_rulesets_14")"
	equal "delete of the rules" EPERM "$("$attempts" delete "$pins/packs/netfilter/map_cm_rulesets_14")"
	equal "update of what says which count" EPERM \
		"$("$attempts" update "$pins/packs/netfilter/map__bss_cm_rulesets")"
	equal "update of what sockets are shown" EPERM \
		"$("$attempts" update "$pins/packs/netfilter/map_shown")"
	equal "update of where ports are exchanged" EPERM \
		"$("$attempts" update "$pins/packs/netfilter/map__bss_nf_remaps")"
	equal "what exchanges ports, taken away" EPERM \
		"$("$attempts" detach "$pins/packs/netfilter/link_cm_bind4")"
	equal "bind to 4080" 4080 "$("$programs/remap-try" bind tcp 127.0.0.1 4080)"
	equal "connect to 4001" EACCES "$("$ways" connect 127.0.0.1 4001)"
	equal "connect to 4002" ECONNREFUSED "$("$ways" connect 127.0.0.1 4002)"
	run rm "$pins/hooks/socket_sock_rcv_skb/link"
	[[ $status -ne 0 && $output == *"Operation not permitted"* ]]
	equal "datagrams" 127.0.0.3 \
		"$("$programs/net-packets" udp 127.0.0.1 5000 127.0.0.2 127.0.0.3)"
	checmate 0 netfilter test egress tcp 127.0.0.1:4001
	equal "test" "denied with EACCES by line 1 of /: egress port 4001 drop errno EACCES" "$output"
	checmate 0 netfilter list -j
	json '.[0].count == 1'
}

@test "what limits count cannot be changed, nor the limits loosened, and they hold as before" {
	local map sockets=$programs/net-sockets
	for map in counts places requests _bss_cm_per_scope__uses; do
		equal "update of $map" EPERM "$("$attempts" update "$pins/packs/netfilter_limit/map_$map")"
		equal "delete of $map" EPERM "$("$attempts" delete "$pins/packs/netfilter_limit/map_$map")"
	done
	refused 1 "*is 2: locked, it can only become stricter" set kernel.checmate.netfilter.limit_per_destination=3
	equal "one after the other" "OK OK OK EUSERS OK OK " "$("$sockets" "serve s 127.0.0.1 5000" \
		"connect a 127.0.0.1 5000" "connect b 127.0.0.1 5000" "connect c 127.0.0.1 5000" "reset a" \
		"connect c 127.0.0.1 5000" | tr '\n' ' ')"
}
