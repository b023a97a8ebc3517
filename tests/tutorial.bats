#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# docs/first-policy.md: every command in it, in its order, in one shell, with the output it shows.

load helpers

tutorial=$top/docs/first-policy.md

teardown() {
	end_background
	[[ ! -e $pins/packs/port_one ]] || command checmate unload port_one
	clean
}

teardown_file() {
	assert_nothing_left
}

# blocks LANGUAGE: what stands in the fenced blocks of that language
blocks() {
	awk -v begin="\`\`\`$1" '$0 == "```" { inside = 0 } inside { print } $0 == begin { inside = 1 }' \
		"$tutorial"
}

# What differs from run to run, what a script's shell says in more words, and what depends on the
# module: its note, and the name of the door with the table's width.
comparable() {
	sed -E '/^checmate: note: /d; s/^bash: line [0-9]+: /bash: /; s/^[0-9T:.-]+Z /TIME /
		s/(pid|tid)=[0-9]+/\1=N/g; s/"\[[0-9]+\]/"[N]/g; s/ (none|procfs) / DOOR /; s/ +/ /g'
}

# in_shell COMMAND: run by the tutorial's own shell; what it prints
in_shell() {
	local line
	printf '%s\necho "<done>"\n' "$1" >&"$to_shell"
	while IFS= read -r -t 120 -u "$from_shell" line && [[ $line != "<done>" ]]; do
		echo "$line"
	done
}

@test "the tutorial's policy is the example" {
	equal "the source" "$(sed -n '/^#include/,$p' "$top/examples/port-one.bpf.c")" "$(blocks c)"
}

@test "every command of the tutorial does what the tutorial shows" {
	local command='' expected='' line commands=0
	cd "$BATS_TEST_TMPDIR"
	blocks c >port-one.bpf.c
	coproc SHELL_OF_TUTORIAL { exec bash 2>&1 3>&-; }
	background_pids+=("$SHELL_OF_TUTORIAL_PID")
	exec {to_shell}>&"${SHELL_OF_TUTORIAL[1]}" {from_shell}<&"${SHELL_OF_TUTORIAL[0]}"
	check() {
		[[ $command ]] || return 0
		equal "the output of '$command'" "$(comparable <<<"$expected")" \
			"$(in_shell "$command" | comparable)"
		((++commands))
	}
	while IFS= read -r line; do
		if [[ $line == '# '* ]]; then
			check
			command=${line#\# } expected=
		else
			expected+=${expected:+$'\n'}$line
		fi
	done < <(blocks console)
	check
	((commands > 20)) || fail "commands run" "more than 20" "$commands"
}
