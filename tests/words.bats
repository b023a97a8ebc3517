#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# How values are spelt: the words that a knob has for them, and rates.

load helpers

# Files that are root's, in a directory that is.
files=/run/checmate-test
object=$files/words.bpf.o
edited=$files/edited.bpf.o
a=/sys/fs/cgroup/a

setup_file() {
	mkdir -p "$files"
	install -m 644 "$top"/build/tests/bpf/words.bpf.o "$files"
}

setup() {
	umask 022
	new_cgroup a
}

teardown() {
	[[ ! -e $pins/packs/words ]] || command checmate unload words
	clean
	! grep -q '^checmate ' /proc/modules || rmmod checmate
}

teardown_file() {
	rm -rf "$files"
	assert_nothing_left
}

# values "VALUE..." KNOB...: as get shows them, in the cgroup $in or for the whole system
values() {
	local wanted=$1 got='' each
	shift
	for each; do
		got+="${got:+ }$(command checmate get -n "checmate.words.$each" --cgroup "${in:-/sys/fs/cgroup}")"
	done
	equal "$* in ${in:-the system}" "$wanted" "$got"
}

# rate "N PER BURST"
rate() {
	values "$1" rate rate_per rate_burst
}

# edit OLD NEW: a copy of the object with NEW, no longer than that, for OLD in its knobs
edit() {
	llvm-objcopy --dump-section ".rodata.cm_knobs=$files/section" "$object" "$edited"
	# shellcheck disable=SC2016 # perl's
	perl -0777 -pe 'BEGIN { ($old, $new) = splice @ARGV, 0, 2 }
		s/\Q$old\E/$new . "\0" x (length($old) - length($new))/e or die' "$1" "$2" \
		<"$files/section" >"$files/section.new"
	llvm-objcopy --update-section ".rodata.cm_knobs=$files/section.new" "$object" "$edited"
}

# --- words

@test "a word names the value that is so far above the least one, and decides as the number does" {
	checmate 0 load "$object" --cgroup "$a" error=EACCES
	in=$a values 3 error
	run in_cgroup a renice -n 1 -p $BASHPID
	[[ $output == *"Permission denied"* ]] || fail renice "Permission denied" "$output"
	checmate 0 set --cgroup "$a" checmate.words.error=EPERM
	in=$a values 2 error
	checmate 0 set --cgroup "$a" checmate.words.error=off
	in=$a values 1 error
	checmate 0 set --cgroup "$a" checmate.words.error=3
	in=$a values 3 error
}

@test "where bits are combined a value is a list of words, or none" {
	checmate 0 load "$object" deny=9p,low
	values 5 deny
	checmate 0 set checmate.words.deny=high
	values 2 deny
	checmate 0 set checmate.words.deny=low,high,low
	values 3 deny
	checmate 0 set checmate.words.deny=none
	values 0 deny
	checmate 0 set checmate.words.deny=0x6
	values 6 deny
	checmate 0 set checmate.words.named=none # which is a word there
	values 2 named
}

@test "get, status and save show numbers, list -j the words and which knob is a rate" {
	checmate 0 load "$object" deny=low,9p
	checmate 0 get checmate.words.deny
	equal "get" "checmate.words.deny = 5" "$output"
	checmate 0 status -j
	json '.[0].scopes[0].knobs[] | select(.name == "checmate.words.deny").set == 5'
	checmate 0 list -j
	json '[.[] | select(.name == "words").knobs[] | { key: .name[15:], value: (.words, .rate) } |
		select(.value)] | from_entries == { deny: ["low", "high", "9p"], error: ["off", "EPERM", "EACCES"],
		named: ["other", "none"], rate: true, rare: true, times: true }'
}

@test "a word that a knob does not have is refused in one line with those it has, and nothing is changed" {
	local each
	checmate 0 load "$object" deny=low
	checmate 0 enable words --cgroup "$a" error=EPERM
	remember
	for each in lo Low low,med,9p=med low,= ,low= low,none=none "low 9p" 9px -; do
		refused 1 "checmate: checmate.words.deny: '${each##*=}' is neither a number nor one of: low high 9p" \
			set "checmate.words.deny=${each%=*}"
	done
	refused 1 "checmate: checmate.words.error: 'low' is neither a number nor one of: off EPERM EACCES" \
		set --cgroup "$a" checmate.words.error=low
	refused 1 "checmate: checmate.words.error: 'EPERM,EACCES' is neither *" \
		set --cgroup "$a" checmate.words.error=EPERM,EACCES
	refused 1 "checmate: checmate.words.plain: 'none' is not a number" set checmate.words.plain=none
	refused 1 "checmate: checmate.words.deny: 8 is out of range: *" set checmate.words.deny=8
	unchanged
	checmate 0 unload words
	refused 1 "checmate: checmate.words.deny: 'med' is neither *" load "$object" deny=low,med
	leaves_nothing
}

# --- rates

@test "N/UNIT:BURST sets a rate, its seconds and its burst; without a burst that is N, as far as it may be" {
	local each
	checmate 0 load "$object" --cgroup "$a" rate=100/s:20
	in=$a rate "100 1 20"
	for each in "7/10s 7 10 7" "7/m:3 7 60 3" "8/min 8 60 8" "1/5m:0x10 1 300 16" "2/h:9 2 3600 9" \
		"0/s 0 1 1" "30/030m:4 30 1800 4"; do
		checmate 0 set --cgroup "$a" "checmate.words.rate=${each%% *}"
		in=$a rate "${each#* }"
	done
	checmate 0 set --cgroup "$a" checmate.words.rate=9
	in=$a rate "9 1800 4"
	checmate 0 set --cgroup "$a" checmate.words.rate_burst=2
	in=$a rate "9 1800 2"
	checmate 0 set --cgroup "$a" checmate/words/seldom=3/2m
	in=$a values "3 120 3" rare rare_per rare_burst
	in=$a rate "9 1800 2"
	checmate 0 enable words rate=6/2s:3 rate_per=4
	rate "6 4 3"
	checmate 0 set checmate.words.rate=5/s:8
	rate "5 1 8"
}

@test "a rate that has no burst takes N/UNIT, and none behind it" {
	checmate 0 load "$object" --cgroup "$a" times=20/10s
	in=$a values "20 10" times times_per
	refused 1 "checmate: checmate.words.times: '5/s:8' is not N/UNIT, where *" \
		set --cgroup "$a" checmate.words.times=5/s:8
	in=$a values "20 10" times times_per
	checmate 0 set --cgroup "$a" checmate.words.times=7/m
	in=$a values "7 60" times times_per
}

@test "a rate that is misspelt or out of bounds is refused in one line, and none of its three values changes" {
	local each
	checmate 0 load "$object" rate=5/2s:3
	checmate 0 enable words --cgroup "$a" rate=5/2s:3
	remember
	for each in 5/ 5/x 5/s: 5/s:x 5/s:3:4 /s 5/-1s 5/1.5m 5/sec 5/ms x/s 5//s +5/s "5/ s" \
		5/00000000000000000000000000000000000000000000000000000000000000001s; do
		refused 1 "checmate: checmate.words.rate: '${each:0:32}' is not N/UNIT\[:BURST\], where UNIT is s, m, h, d, or a number of them: 10s" \
			set "checmate.words.rate=$each"
		refused 1 "checmate: checmate.words.rate: '*' is not N/UNIT*" set --cgroup "$a" "checmate.words.rate=$each"
	done
	for each in "rate -1/s -1" "rate 1000001/s:1 1000001" "rate_per 5/0s 0s" "rate_per 5/d:3 d" \
		"rate_per 5/99999999999999999999s 99999999999999999999s" "rate_burst 5/s:0 0"; do
		read -ra each <<<"$each"
		refused 1 "checmate: checmate.words.${each[0]}: ${each[2]} is out of range: *" \
			set "checmate.words.rate=${each[1]}"
		refused 1 "checmate: checmate.words.${each[0]}: ${each[2]} is out of range: *" \
			set --cgroup "$a" "checmate.words.rate=${each[1]}"
	done
	refused 1 "checmate: checmate.words.rate_per: '1/s' is not a number" set checmate.words.rate_per=1/s
	unchanged
	checmate 0 unload words
	refused 1 "*rate_burst: 0 is out of range*" load "$object" rate=5/s:0
	leaves_nothing
}

# writes VALUE [STRACE-OPTION...]: of which files, in which order
writes() {
	local value=$1
	shift
	strace -qq -y -o "$files/trace" -e trace=write "$@" checmate set "checmate.words.rate=$value" || return
	sed -n 's,^write([0-9]*</proc/sys/checmate/words/\([a-z_]*\)>.*,\1,p' "$files/trace" | paste -sd ' '
}

@test "of a rate's system-wide values what becomes stricter is written first, so it is never looser than both" {
	modprobe checmate 2>/dev/null || skip "no module for this kernel"
	checmate 0 load "$object" rate=5/2s:3 # of these a larger number, a longer time, a smaller burst is stricter
	equal "stricter, stricter, looser" "rate rate_per rate_burst" "$(writes 6/3s:4)"
	equal "looser, stricter, stricter" "rate_per rate_burst rate" "$(writes 2/4s:2)"
	equal "looser, looser, stricter" "rate_burst rate rate_per" "$(writes 1/1s:1)"
	rate "1 1 1"
}

@test "where one of a rate's values cannot be written, those that were written before are put back" {
	modprobe checmate 2>/dev/null || skip "no module for this kernel"
	checmate 0 load "$object" rate=5/2s:3
	run -1 writes 6/3s:4 -e inject=write:error=EIO -P /proc/sys/checmate/words/rate_burst
	[[ $output == "checmate: cannot write 4 to /proc/sys/checmate/words/rate_burst: "* && ${#lines[@]} -eq 1 ]] ||
		fail "the message" "one line" "$output"
	rate "5 2 3"
}

# --- configurations, profiles

@test "a configuration has words and rates, save prints the numbers that restore them" {
	local conf=$files/state.conf
	cat >"$conf" <<-END
		policy words {
			file = "$object"
			scope "/" { knobs { deny = "low,9p" error = EPERM rate = 30/m:5 } }
			scope "/a" { knobs { error = EACCES rate = "10/s" rare = 2 } }
		}
	END
	checmate 0 -f "$conf"
	values "5 2 30 60 5" deny error rate rate_per rate_burst
	checmate 0 diff -f "$conf"
	equal "what would change" "" "$output"
	checmate 0 save
	[[ $output == *"checmate.words.deny = 5"*"checmate.words.rate = 30"*"checmate.words.rate_per = 60"*"checmate.words.rate_burst = 5"*"checmate.words.rate = 10"*"checmate.words.rate_per = 1"*"checmate.words.rate_burst = 10"* ]] ||
		fail "save" "numbers" "$output"
	echo "$output" >"$files/saved.conf"
	checmate 0 unload words
	checmate 0 -f "$files/saved.conf"
	checmate 0 diff -f "$conf"
	equal "what would change" "" "$output"
	sed -i 's,30/m:5,40/2m:4,; s/low,9p/high/' "$conf"
	checmate 0 -f "$conf"
	values "2 2 40 120 4" deny error rate rate_per rate_burst
	remember
	sed -i 's,10/s,10/fortnight,' "$conf"
	refused 1 "checmate: $conf: policy words, scope /a: checmate.words.rate: '10/fortnight' is not N/UNIT*" -f "$conf"
	sed -i 's,10/fortnight,10/s,; s/high/medium/' "$conf"
	refused 1 "checmate: $conf: policy words, scope /: checmate.words.deny: 'medium' is neither *" -f "$conf"
	unchanged
}

@test "a profile has words and rates" {
	checmate 0 load "$object" --cgroup "$a"
	checmate 0 enable words --profile some rare=1/m
	values "5 3 30 60 5 1 60 1" deny error rate rate_per rate_burst rare rare_per rare_burst
}

# --- declarations

@test "words that cannot be meant, and a rate without its seconds, are refused in one line" {
	local i broken=(
		"low high 9p" "low high 9*" "deny: a word has A-Z, a-z, 0-9, _, . and -"
		"low high 9p" $'low\thigh 9p' "deny: a word has A-Z, a-z, 0-9, _, . and -"
		"low high 9p" "low low 9p" "deny: one is there twice"
		"low high 9p" "low 0x9" "deny: one is a number"
		"low high 9p" "a b c d" "deny: there are more than its bounds allow"
		"off EPERM EACCES" "off a b c" "error: there are more than its bounds allow"
	)
	for ((i = 0; i < ${#broken[@]}; i += 3)); do
		edit "${broken[i]}" "${broken[i + 1]}"
		refused 1 "checmate: words: the words of knob checmate.words.${broken[i + 2]}" load "$edited"
	done
	# As far as the field goes: no NUL is left.
	perl -0777 -pe 's/low high 9p\0{245}/"a" x 256/e or die' <"$files/section" >"$files/section.new"
	llvm-objcopy --update-section ".rodata.cm_knobs=$files/section.new" "$object" "$edited"
	refused 1 "checmate: words: the words of knob checmate.words.deny: they do not end" load "$edited"
	edit checmate/words/rate_per checmate/words/rate_pro
	refused 1 "checmate: words: the rate checmate.words.rate has no knob checmate.words.rate_per" load "$edited"
	leaves_nothing
}

@test "an object whose words are others is no replacement" {
	checmate 0 load "$object"
	remember
	edit "low high 9p" "high low 9p"
	refused 1 "*lacks knob checmate.words.deny, or has it with other*words: unload and load it" replace words "$edited"
	unchanged
}
