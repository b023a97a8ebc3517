#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031,SC2154 # each test is a subshell; helpers.bash and bats set the rest
# Configurations: checmate -f FILE puts all of a text in force or nothing, diff shows what that would
# change, save shows what is in force in the same form.

load helpers

setup() {
	file=$BATS_TEST_TMPDIR/state.conf
	objects=$BATS_TEST_TMPDIR/objects
	mkdir "$objects"
	cp "$top"/build/tests/bpf/config-*.bpf.o "$objects/"
	chmod -R go-w "$BATS_RUN_TMPDIR"
}

teardown() {
	local name
	for name in config_a yama; do
		command checmate unload "$name" >/dev/null 2>&1 || true
	done
	reset
}

teardown_file() {
	assert_nothing_left
}

# write: the configuration, from standard input
write() {
	cat >"$file"
}

# diff_is LINES: what diff shows
diff_is() {
	checmate 0 diff -f "$file"
	equal "diff" "$1" "$output"
}

saved() {
	command checmate save
}

# two: yama system-wide at 1 and in /c at 2, config_a permissive in /c, before yama
two() {
	new_cgroup c
	write <<END
# whole line comments are fine
policy yama {
	scope "/" { knobs { ptrace_scope = 1 } }
	scope "/c" { knobs { kernel.yama.ptrace_scope = 2 } }
}
policy config_a {
	file = "$objects/config-a.bpf.o"
	priority = 0
	scope "/sys/fs/cgroup/c" {
		mode = permissive
	}
}
END
}

@test "a configuration is put in force as it says: policies, order, scopes, values, modes" {
	two
	checmate 0 -f "$file"
	value 1
	value 2 c
	equal "level in /c" 1 "$(command checmate get -n kernel.config_a.level --cgroup /c)"
	equal "modes" "config_a permissive
yama enforce
yama enforce" "$(command checmate status -j | jq -r '.[] | .name as $n | .scopes[] | "\($n) \(.mode)"')"
	target
	attempt EPERM "" attach
	attempt OK "" child
	attempt EPERM c child
}

@test "what is not in the file is withdrawn: an empty one leaves nothing" {
	two
	checmate 0 -f "$file"
	: | write
	checmate 0 -f "$file"
	scopes ""
	leaves_nothing
}

@test "save and -f are each other's inverse, and a second -f changes nothing" {
	two
	checmate 0 -f "$file"
	saved >"$BATS_TEST_TMPDIR/first"
	local before
	before=$(leftovers)
	checmate 0 -f "$file"
	equal "objects of the kernel" "$before" "$(leftovers)"
	cp "$BATS_TEST_TMPDIR/first" "$file"
	diff_is ""
	: | write
	checmate 0 -f "$file"
	cp "$BATS_TEST_TMPDIR/first" "$file"
	checmate 0 -f "$file"
	equal "what is saved" "$(<"$BATS_TEST_TMPDIR/first")" "$(saved)"
}

@test "diff names each change once, in the order in which it is made, and changes nothing" {
	two
	new_cgroup d
	remember
	diff_is "enable yama in /: enforce kernel.yama.ptrace_scope=1
enable yama in /c: enforce kernel.yama.ptrace_scope=2
load config_a in /c: permissive kernel.config_a.level=1 from $objects/config-a.bpf.o"
	unchanged
	checmate 0 -f "$file"
	cp "$objects/config-b.bpf.o" "$objects/config-a.bpf.o"
	write <<END
policy yama {
	priority = 7
	scope "/" { knobs { ptrace_scope = 0 } }
	scope "/d" { mode = permissive }
}
policy config_a {
	file = "$objects/config-a.bpf.o"
	scope "/c" { knobs { level = 2 } }
}
END
	remember
	diff_is "priority yama: 0 -> 7
enable yama in /d: permissive kernel.yama.ptrace_scope=1
replace config_a by $objects/config-a.bpf.o
set config_a in /c: kernel.config_a.level 1 -> 2
mode config_a in /c: permissive -> enforce
set yama in /: kernel.yama.ptrace_scope 1 -> 0
disable yama in /c"
	unchanged
	checmate 0 diff -j -f "$file"
	jq -e 'length == 7 and .[0] == {change: "priority", policy: "yama", from: 0, to: 7} and
		.[3].to == 2 and .[4].from == "permissive"' <<<"$output"
	checmate 0 -f "$file"
	diff_is ""
	value 0
	target c
	attempt EPERM c attach
	checmate 0 events -j
	equal "the reason, of the new object" level-b "$(jq -r .reason <<<"${lines[0]}")"
}

# wrong PATTERN: the file is refused with one line that matches, nothing is changed
wrong() {
	remember
	refused 1 "$1" -f "$file"
	unchanged
}

@test "a text that is wrong is refused with its place, and nothing of it is applied" {
	checmate 0 enable yama
	printf 'policy yama {\n\tscope "/" {\n\t\tcolour = red\n\t}\n}\n' | write
	wrong "*state.conf:3: *colour*"
	printf 'policy yama { scope "/" { knobs { ptrace_scope = 9 } } }' | write
	wrong "*state.conf: policy yama, scope /: kernel.yama.ptrace_scope: 9 is out of range*"
	printf 'policy yama { scope "/" { knobs { nosuch = 1 } } }' | write
	wrong "*policy yama, scope /: *no knob 'nosuch'*"
	printf 'policy yama { scope "/" { mode = lax } }' | write
	wrong "*policy yama, scope /: mode 'lax' is neither*"
	printf 'policy yama { scope "/nosuch" { } }' | write
	wrong "*policy yama, scope /nosuch: no cgroup*"
	printf 'policy yama { }' | write
	wrong "*policy yama: it has no scope*"
	printf 'policy nosuch { scope "/" { } }' | write
	wrong "*policy nosuch: no built-in pack has that name*"
	printf 'policy yama { priority = -1 scope "/" { } }' | write
	wrong "*policy yama: priority '-1' is no number*"
	printf 'policy yama { scope "/" { } }\npolicy yama { scope "/" { } }' | write
	wrong "*state.conf:2: *"
	printf 'policy yama { scope "/" { } scope "/sys/fs/cgroup" { } }' | write
	wrong "*scope /sys/fs/cgroup: it is there already*"
	printf 'policy yama {\n\tscope "/" {\n\t}\n' | write
	wrong "*state.conf:4: the text ends within a block: '}' is missing"
	printf 'policy yama { scope "/" { } }\n/*/ policy x { }\n' | write
	wrong "*state.conf:3: the text ends within a comment: '*/' is missing"
	printf 'policy x { file = "/nosuch.o" scope "/" { } }' | write
	wrong "*policy x: cannot open /nosuch.o*"
	head -c 100 /dev/zero | write
	wrong "*is not a text*"
}

@test "a file that others can write, or that is not there, is refused" {
	two
	chmod 666 "$file"
	wrong "*can be written by others than root*"
	rm "$file"
	wrong "*No such file*"
}

@test "what fails half-way is undone: policies, values, modes and order are as before" {
	two
	checmate 0 -f "$file"
	saved >"$BATS_TEST_TMPDIR/before"
	# The last step fails: a policy's programs are not what the verifier takes.
	cp "$top/build/tests/bpf/config-bad.bpf.o" "$objects/"
	write <<END
policy yama {
	priority = 9
	scope "/" { knobs { ptrace_scope = 2 } }
}
policy config_a {
	file = "$objects/config-b.bpf.o"
	scope "/c" { knobs { level = 2 } }
}
policy config_bad {
	file = "$objects/config-bad.bpf.o"
	scope "/" { }
}
END
	command checmate -f "$file" 2>"$BATS_TEST_TMPDIR/said" && fail "-f" 1 0
	[[ $(<"$BATS_TEST_TMPDIR/said") == "checmate: "*"nothing was changed"* ]] ||
		fail "the message" "nothing was changed" "$(<"$BATS_TEST_TMPDIR/said")"
	equal "what is saved" "$(<"$BATS_TEST_TMPDIR/before")" "$(saved)"
	target
	attempt EPERM "" attach
	attempt OK "" child
	attempt EPERM c child
}

@test "a value that lasts until reboot is set last, and refuses what would lower it" {
	new_cgroup c
	printf 'policy config_a { file = "%s" scope "/c" { knobs { level = 3 } } }' \
		"$objects/config-a.bpf.o" | write
	diff_is "load config_a in /c: enforce kernel.config_a.level=0 from $objects/config-a.bpf.o
set config_a in /c: kernel.config_a.level 0 -> 3"
	checmate 0 -f "$file"
	: | write
	wrong "*holds until reboot*"
	printf 'policy yama { scope "/" { } }\npolicy config_a { file = "%s" scope "/c" { knobs { level = 2 } } }' \
		"$objects/config-a.bpf.o" | write
	wrong "*holds until reboot*"
	until_true 10 rmdir /sys/fs/cgroup/c
}

# probe STOP: tries without pause until that file is there; prints how many were refused
probe() {
	while [[ ! -e $1 ]]; do
		"$programs/as-user" "$try" flood "$target" 1000
	done
}

@test "a scope that is permissive in the file never enforces, not even for a moment" {
	new_cgroup c
	target c
	printf 'policy yama { scope "/c" { mode = permissive knobs { ptrace_scope = 2 } } }' | write
	local stop=$BATS_TEST_TMPDIR/stop said=$BATS_TEST_TMPDIR/said
	background in_cgroup c probe "$stop" >"$said"
	until_true 10 test -s "$said"
	checmate 0 -f "$file"
	touch "$stop"
	wait "$started"
	equal "refused" 0 "$(sort -u "$said")"
	[[ $(count would_deny) -gt 0 ]]
}

# After a kill: what was before or what was asked for.
between() {
	local now
	now=$(saved)
	[[ $now == "$before" || $now == "$after" ]] ||
		fail "killed after $1" "before or after" "$now"
}

@test "kill -9 at a step of -f leaves the configuration of before or after" {
	local before after steps step i every=40
	new_cgroup c
	checmate 0 enable yama
	before=$(saved)
	two
	cp "$file" "$BATS_TEST_TMPDIR/two"
	mapfile -t steps < <("$programs/lifecycle-kill" list 0 "$(type -P checmate)" -f "$file")
	equal "the last step" end "${steps[-1]}"
	unset 'steps[-1]'
	after=$(saved)
	[[ ! ${CHECMATE_SOAK:-} ]] || every=1
	local -A count=()
	for ((i = 0; i < ${#steps[@]}; i++)); do
		step=${steps[$i]}
		count[$step]=$((${count[$step]:-0} + 1))
		((i % every == 0)) && [[ $step != exit ]] || continue
		printf '%s\n' "$before" >"$file"
		checmate 0 -f "$file"
		cp "$BATS_TEST_TMPDIR/two" "$file"
		"$programs/lifecycle-kill" "$step" "${count[$step]}" "$(type -P checmate)" -f "$file" >/dev/null
		between "$step ${count[$step]}"
	done
}
