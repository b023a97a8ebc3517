#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016,SC2154 # rules may have a $; helpers.bash and bats set them
# The pack netfilter in a configuration: its rules are part of what checmate save shows, -f puts in
# force and diff compares. Nobody listens at the ports here: what is accepted gets ECONNREFUSED.

load ../../tests/helpers

ways=$programs/net-ways
a=/sys/fs/cgroup/a

# To load the pack takes longer than all else in most tests: it stays, in a scope of nobody's, which
# each configuration here has.
setup_file() {
	new_cgroup keep
	checmate 0 enable netfilter --cgroup /sys/fs/cgroup/keep
}

setup() {
	file=$BATS_TEST_TMPDIR/state.conf
	chmod -R go-w "$BATS_RUN_TMPDIR"
	new_cgroup a/b
	new_cgroup out
}

teardown() {
	end_background
	command checmate disable netfilter_limit 2>/dev/null || :
	command checmate disable netfilter --cgroup /sys/fs/cgroup 2>/dev/null || :
	local dir
	for dir in $a/b $a /sys/fs/cgroup/out; do
		[[ ! -e $dir ]] || until_true 10 rmdir "$dir" 2>/dev/null
	done
}

teardown_file() {
	withdraw netfilter
	clean
	assert_nothing_left
}

# write: the configuration, from standard input, beside the scope that keeps the pack
write() {
	{
		cat
		printf 'policy netfilter {\n\tscope "/keep" { }\n'
		[[ ! ${scopes:-} ]] || printf '%s\n' "$scopes"
		echo '}'
	} >"$file"
}

# configured: of the pack, its scopes from standard input; put in force
configured() {
	local scopes
	scopes=$(cat)
	: | write
	checmate 0 -f "$file"
}

# gets OUTCOME CGROUP WAY ADDRESS PORT
gets() {
	equal "$3 to $4 port $5 in '$2'" "$1" "$(in_cgroup "$2" "$ways" "${@:3}")"
}

# wrong LINE PATTERN: the file is refused with that place and one line that matches, nothing is changed
wrong() {
	local before
	before=$(command checmate save)
	refused 1 "checmate: $file:$1: $2" -f "$file"
	refused 1 "checmate: $file:$1: $2" diff -f "$file"
	equal "what is in force" "$before" "$(command checmate save)"
}

untraced write configured gets

@test "rules in a configuration are in force, each scope's own and the system's, and go if it has none" {
	configured <<-'END'
		scope "/a" {
			rules {
				# to one port only
				egress tcp to 127.0.0.1 port { 4000, 4001 } accept
				egress policy drop errno EACCES
			}
		}
		scope "/a/b" { rules { egress tcp port 4001 drop errno EHOSTUNREACH } }
		scope "/" { rules { deny port 4009; } }
	END
	gets ECONNREFUSED a connect 127.0.0.1 4001
	gets EACCES a connect 127.0.0.1 4002
	gets EHOSTUNREACH a/b connect 127.0.0.1 4001
	gets EACCES a/b connect 127.0.0.1 4002
	gets EPERM out connect 127.0.0.1 4009
	configured <<-'END'
		scope "/a" { }
	END
	gets ECONNREFUSED a connect 127.0.0.1 4002
	gets ECONNREFUSED a/b connect 127.0.0.1 4001
	gets ECONNREFUSED out connect 127.0.0.1 4009
	checmate 0 netfilter list --cgroup "$a"
	equal "the rules of 'a'" "no rules" "$output"
}

@test "save, -f and save give the same bytes: comments, sets, blank lines and odd spelling included" {
	printf '%s\n' '' '  # } "not" a { brace'\''s \ $HOME' 'set lan {' $'\t10.0.0.0/8, # two' \
		'  ::1 }' '' $'egress\ttcp to @lan count accept; egress   policy drop' '# the end' |
		tee "$BATS_TEST_TMPDIR/rules" >"$BATS_TEST_TMPDIR/odd"
	printf 'ingress policy drop\r\ncreate family alg drop' >"$BATS_TEST_TMPDIR/unended"
	checmate 0 netfilter load --cgroup "$a" --permissive "$BATS_TEST_TMPDIR/odd"
	checmate 0 netfilter load --cgroup "$a/b" "$BATS_TEST_TMPDIR/unended"
	checmate 0 netfilter load - </dev/null
	command checmate save >"$BATS_TEST_TMPDIR/first"
	cp "$BATS_TEST_TMPDIR/first" "$file"
	checmate 0 diff -f "$file"
	equal "diff to what was saved" "" "$output"
	configured </dev/null
	cp "$BATS_TEST_TMPDIR/first" "$file"
	checmate 0 -f "$file"
	command checmate save >"$BATS_TEST_TMPDIR/second"
	cmp "$BATS_TEST_TMPDIR/first" "$BATS_TEST_TMPDIR/second"
	grep -qF 'brace'\''s \ $HOME' "$BATS_TEST_TMPDIR/second"
	checmate 0 netfilter list -j --cgroup "$a"
	equal "rules and lines of 'a'" $'3 set lan {\n\t10.0.0.0/8, # two\n  ::1 }
7 egress\ttcp to @lan count accept\n7 egress   policy drop' \
		"$(jq -r '.[] | "\(.line) \(.rule)"' <<<"$output")"
	gets ECONNREFUSED a connect 127.0.0.1 4000
	equal "socket(alg) in 'a/b'" EPERM "$(in_cgroup a/b "$ways" create 38 5 0)"
}

@test "diff shows the lines of rules that go and come, and -f changes them alone" {
	configured <<-'END'
		scope "/a" {
			rules {
		egress tcp port 4000 accept
		egress tcp port 4001 drop
		egress policy accept
			}
		}
	END
	local scopes='	scope "/a" {
		rules {
egress tcp port 4000 accept
egress tcp port 4002 drop
	deny port 4003
egress policy accept
		}
	}
	scope "/out" { mode = permissive rules { deny port 1 } }'
	: | write
	checmate 0 diff -f "$file"
	equal "diff" "rules netfilter in /out
	+ deny port 1
rules netfilter in /a
	- egress tcp port 4001 drop
	+ egress tcp port 4002 drop
	+  deny port 4003" "$(grep -v '^enable' <<<"$output")"
	[[ ${lines[0]} == "enable netfilter in /out: permissive"* ]]
	checmate 0 diff -j -f "$file"
	json '.[1] == {change: "rules", policy: "netfilter", cgroup: "/out", to: "deny port 1"} and
		(.[2].from | contains("4001")) and (.[2].to | contains("4002"))'
	gets EPERM a connect 127.0.0.1 4001
	checmate 0 -f "$file"
	gets ECONNREFUSED a connect 127.0.0.1 4001
	gets EPERM a connect 127.0.0.1 4002
	checmate 0 diff -f "$file"
	equal "diff to what is in force" "" "$output"
}

@test "a mistake in rules is told with the file's line and column and the word, and nothing is applied" {
	configured <<-'END'
		scope "/a" { rules { deny port 4000 } }
	END
	local scopes='	scope "/a" {
		rules {
			egress policy drop
			egress tpc accept
		}
	}'
	: | write
	wrong 6:11 '"tpc" is not expected*'
	scopes='	scope "/a" { rules { egress tcp port 70000 drop } }'
	wrong_at() {
		: | write
		wrong "$@"
	}
	wrong_at 3:39 '"70000" is not a port*'
	scopes='	scope "/a" { rules {
		egress policy drop
		egress policy accept } }'
	wrong_at 5:3 '"egress" has a policy in line 4*'
	scopes='	scope "/a" { rules { egress to { 10.0.0.0/8 drop } } }'
	wrong_at 3:46 '"drop" is not expected*'
	scopes='	scope "/a" { rules = "deny port 1" }'
	wrong_at 3 "'rules' needs a block*"
	scopes='	scope "/a" { "rules" = "0" }'
	: | write
	refused 1 "*'rules' needs a block*" -f "$file"
	scopes='	scope "/a" { rules { deny port 1 } rules { deny port 2 } }'
	wrong_at 3 'scope /a has rules already'
	scopes='	scope "/a" { rules { deny port 1 } colour = red }'
	wrong_at 3 '*colour*'
	scopes='	scope "/a" { rules {
deny port 1
} }
	scope "/out" { colour = red }'
	wrong_at 6 '*colour*'
	scopes=
	printf 'policy netfilter {\n scope "/a" { rules { deny port 1 # } } }' >"$file"
	wrong 2 "'rules' needs a block*"
	write <<<'policy yama { scope "/a" { rules { deny port 1 } } }'
	wrong 1 'policy yama has no rules, netfilter has'
	gets EPERM a connect 127.0.0.1 4000
}

@test "where a later part fails, the former rules are in force again, counted limits too" {
	configured <<-'END'
		scope "/a" {
			rules {
				limit connections 3 per scope
				egress tcp port 4000 drop errno EACCES # the former
			}
		}
	END
	command checmate save >"$BATS_TEST_TMPDIR/before"
	cp "$top/build/tests/bpf/config-bad.bpf.o" "$BATS_TEST_TMPDIR/"
	local scopes='	scope "/a" { rules { deny port 4001 } }
	scope "/out" { rules { deny port 4002 } }'
	: | write
	cat >>"$file" <<-END
		policy config_bad {
			file = "$BATS_TEST_TMPDIR/config-bad.bpf.o"
			scope "/" { }
		}
	END
	command checmate -f "$file" 2>"$BATS_TEST_TMPDIR/said" && fail "-f" 1 0
	grep -q "nothing was changed" "$BATS_TEST_TMPDIR/said"
	equal "what is in force" "$(<"$BATS_TEST_TMPDIR/before")" "$(command checmate save)"
	gets EACCES a connect 127.0.0.1 4000
	gets ECONNREFUSED a connect 127.0.0.1 4001
	gets ECONNREFUSED out connect 127.0.0.1 4002
	equal "the limit" 3 "$(command checmate get -n kernel.checmate.netfilter.limit_per_scope --cgroup "$a")"
}

@test "kill -9 at a step of -f leaves the rules of before or after" {
	configured <<-'END'
		scope "/a" { rules { egress tcp port 4000 drop errno EACCES } }
	END
	local before after now steps i step every=30
	local -A count=()
	before=$(command checmate save)
	cp "$file" "$BATS_TEST_TMPDIR/one"
	local scopes='	scope "/a" { rules { egress tcp port 4000 drop errno EHOSTUNREACH } }
	scope "/out" { mode = permissive rules { limit connections 1 per source } }'
	: | write
	cp "$file" "$BATS_TEST_TMPDIR/other"
	mapfile -t steps < <("$programs/lifecycle-kill" list 0 "$(type -P checmate)" -f "$file")
	equal "the last step" end "${steps[-1]}"
	unset 'steps[-1]'
	after=$(command checmate save)
	[[ $after != "$before" ]]
	[[ ! ${CHECMATE_SOAK:-} ]] || every=1
	for ((i = 0; i < ${#steps[@]}; i++)); do
		step=${steps[$i]}
		count[$step]=$((${count[$step]:-0} + 1))
		((i % every == 0)) && [[ $step != exit ]] || continue
		cp "$BATS_TEST_TMPDIR/one" "$file"
		checmate 0 -f "$file"
		cp "$BATS_TEST_TMPDIR/other" "$file"
		"$programs/lifecycle-kill" "$step" "${count[$step]}" "$(type -P checmate)" -f "$file" >/dev/null
		now=$(command checmate save)
		[[ $now == "$before" || $now == "$after" ]] ||
			fail "killed after $step ${count[$step]}" "before or after" "$now"
	done
}

@test "a limit in rules brings netfilter_limit, is saved with them, and what was set since apart" {
	configured <<-'END'
		scope "/a" { mode = permissive rules { limit connections 5 per destination } }
	END
	local limit=kernel.checmate.netfilter.limit_per_destination
	equal "the limit" 5 "$(command checmate get -n $limit --cgroup "$a")"
	command checmate save >"$file"
	equal "what is saved of netfilter_limit" "" "$(grep netfilter_limit "$file" || :)"
	sed -i s/5/7/ "$file"
	checmate 0 -f "$file"
	equal "the limit" 7 "$(command checmate get -n $limit --cgroup "$a")"
	checmate 0 set --cgroup "$a" $limit=4
	command checmate save >"$file"
	grep -q 'policy netfilter_limit' "$file"
	checmate 0 set --cgroup "$a" $limit=9
	checmate 0 -f "$file"
	equal "the limit" 4 "$(command checmate get -n $limit --cgroup "$a")"
	equal "what is saved" "$(<"$file")" "$(command checmate save)"
}

# probe STOP: tries without pause until that file is there, prints what else it gets than ECONNREFUSED
probe() {
	echo begun
	while [[ ! -e $1 ]]; do
		"$ways" connect 127.0.0.1 4000
	done | grep -vx ECONNREFUSED || :
}

@test "rules of more than 4 MiB are saved, put in force and undone" {
	local big=$BATS_TEST_TMPDIR/big
	{
		printf '# %05000000d\n' 0
		echo 'egress tcp port 4000 drop errno EACCES'
	} >"$big"
	checmate 0 netfilter load --cgroup "$a" "$big"
	command checmate save | sed 's/EACCES/EHOSTUNREACH/' >"$file.other"
	configured </dev/null
	checmate 0 netfilter load --cgroup "$a" "$big"
	{
		cat "$file.other"
		printf 'policy config_bad { file = "%s" scope "/" { } }\n' "$BATS_TEST_TMPDIR/config-bad.bpf.o"
	} >"$file"
	cp "$top/build/tests/bpf/config-bad.bpf.o" "$BATS_TEST_TMPDIR/"
	command checmate -f "$file" && fail "-f" 1 0
	gets EACCES a connect 127.0.0.1 4000
	cp "$file.other" "$file"
	checmate 0 -f "$file"
	gets EHOSTUNREACH a connect 127.0.0.1 4000
	cmp "$file" <(command checmate save)
}

@test "rules that are permissive, or off, in one of two configurations are not enforced in between" {
	configured <<-'END'
		scope "/a" { mode = permissive rules { egress tcp port 4000 drop } }
	END
	cp "$file" "$BATS_TEST_TMPDIR/permissive"
	sed 's/mode = permissive/knobs { enable = 0 }/' "$file" >"$BATS_TEST_TMPDIR/off"
	configured <<-'END'
		scope "/a" { rules { egress tcp port 4001 drop } }
	END
	cp "$file" "$BATS_TEST_TMPDIR/enforce"
	local stop=$BATS_TEST_TMPDIR/stop said=$BATS_TEST_TMPDIR/said i
	background in_cgroup a probe "$stop" >"$said"
	until_true 10 test -s "$said"
	for i in permissive off permissive off; do
		cp "$BATS_TEST_TMPDIR/$i" "$file"
		checmate 0 -f "$file"
		cp "$BATS_TEST_TMPDIR/enforce" "$file"
		checmate 0 -f "$file"
	done
	touch "$stop"
	wait "$started"
	equal "what it got" begun "$(<"$said")"
}
