# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# How tests/vm/kernel and tests/vm/tree get Debian packages: from the machine's own mirrors, checked by
# apt's own signatures, without a change to the system's apt. Sourced after lib.sh, never run.

readonly archive_keyring=/usr/share/keyrings/debian-archive-keyring.gpg
scratch=''  # of one fetch, in the directory that it fills
apt=''      # the private apt in it
archives='' # what configured_archives said

# begin_fetch DIR: DIR is made and locked, and there is an empty $scratch in it, gone at exit. The
# caller sees DIR's real path in $fetched.
begin_fetch() {
	local dir=$1 lock
	mkdir -p "$dir" 2>/dev/null || true
	[[ -w $dir ]] ||
		fail 1 "cannot write to $dir; run as root or set CHECMATE_CACHE to a directory of your own"
	# shellcheck disable=SC2034 # for those who source this
	fetched=$(cd "$dir" && pwd -P)
	exec {lock}>"$fetched/.lock"
	if ! flock -n "$lock"; then
		note "waiting for another fetch"
		flock "$lock"
	fi
	# Under the lock nobody else's scratch can be alive: what is there was left by a killed fetch.
	rm -rf "$fetched"/.fetch.*

	scratch=$(mktemp -d "$fetched/.fetch.XXXXXX")
	apt=$scratch/apt
	trap 'rm -rf "$scratch"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

# The machine's own Debian archives, as apt itself reads its sources whatever form they have:
# one line "main|security URI FILE" each. Other origins (vendors' repositories) are left out by
# the suite's name. Nothing need have been fetched: a fresh machine has no package lists.
configured_archives() {
	# shellcheck disable=SC2016 # the $() are apt's own
	apt-get indextargets --no-release-info --format '$(RELEASE) $(COMPONENT) $(REPO_URI) $(SOURCESENTRY)' \
		'Identifier: Packages' | awk '
		$2 != "main" { next }
		{ file = $4; sub(/:[0-9]+$/, "", file); sub(/\/$/, "", $3) }
		$1 ~ /^(bookworm|trixie|oldstable|stable)-security$/ { print "security", $3, file; next }
		$1 ~ /^(bookworm|trixie|oldstable|stable)(-updates|-backports)?$/ { print "main", $3, file }
	' | sort -u
}

# keyring_of FILE URI: the keyring file that source entry names, if it names one.
keyring_of() {
	local file=$1 uri=$2
	[[ -r $file ]] || return 0
	if [[ $file == *.sources ]]; then
		awk -v RS= -v uri="$uri" 'index($0, uri)' "$file" |
			sed -n 's/^Signed-By:[[:space:]]*\(\/[^[:space:]]*\).*/\1/Ip' | head -n 1
	else
		awk -v uri="$uri" '/^[[:space:]]*deb[[:space:]]/ && index($0, uri)' "$file" |
			sed -n 's/.*signed-by=\(\/[^] ,]*\).*/\1/Ip' | head -n 1
	fi
}

# write_sources FILE KEYRING SUITE...: sources for these suites on the configured mirrors. Without
# KEYRING each uses the one its configured entry names, or else the keys that apt trusts anyway.
write_sources() {
	local file=$1 keyring=$2 suite kind uri entry key found
	shift 2
	: >"$file"
	for suite in "$@"; do
		found=
		while read -r kind uri entry; do
			[[ $suite == *-security && $kind != security ]] && continue
			[[ $suite != *-security && $kind != main ]] && continue
			found=1
			key=${keyring:-$(keyring_of "$entry" "$uri")}
			printf 'deb %s%s %s main\n' "[arch=amd64${key:+ signed-by=$key}] " "$uri" "$suite" >>"$file"
			break
		done <<<"$archives"
		if [[ ! $found ]]; then
			[[ $suite == *-security ]] || fail 1 "apt's sources name no Debian archive to take $suite from"
			note "apt's sources name no security archive: $suite is left out"
		fi
	done
}

# A private apt in $apt: the machine's own configuration (proxy, credentials, methods) with its own
# sources, lists and package database on top, so that nothing of the system's is changed.
write_apt_conf() {
	mkdir -p "$apt"/{lists/partial,archives/partial,etc.d}
	: >"$apt/status"
	cat >"$apt/apt.conf" <<-END
		Dir::State "$apt";
		Dir::State::lists "$apt/lists";
		Dir::State::status "$apt/status";
		Dir::Cache "$apt";
		Dir::Cache::archives "$apt/archives";
		Dir::Etc::sourcelist "$apt/sources.list";
		Dir::Etc::sourceparts "$apt/etc.d";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "$apt/etc.d";
		Dir::Log "$apt";
		APT::Architecture "amd64";
		APT::Architectures "amd64";
		APT::Default-Release "";
		Acquire::Languages "none";
		Acquire::Retries "3";
		Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
		Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
	END
	# The unprivileged user apt downloads as must be able to enter.
	chmod 0755 "$scratch" "$apt"
}

# quiet LOG COMMAND...: what it says goes to LOG, its last errors are shown if it fails.
quiet() {
	local log=$1
	shift
	"$@" >"$log" 2>&1 && return
	grep -E '^(E|Err|W):' "$log" | tail -n 5 >&2 || tail -n 5 "$log" >&2
	return 1
}

# apt reads APT_CONFIG before its own directories, so the private file is named with -c, which
# it reads last.
private() {
	local tool=$1
	shift
	"$tool" -c "$apt/apt.conf" "$@"
}

# update_lists SUITE...: a new private apt that knows these suites
update_lists() {
	local suites=("$@")
	rm -rf "$apt"
	write_apt_conf
	archives=${archives:-$(configured_archives)}
	note "reading the package lists of ${suites[*]}"
	write_sources "$apt/sources.list" "" "${suites[@]}"
	quiet "$apt/update.log" private apt-get -q update -o APT::Update::Error-Mode=any && return
	if grep -q NO_PUBKEY "$apt/update.log" && [[ -r $archive_keyring ]]; then
		note "the configured keyring lacks a key: trying $archive_keyring"
		write_sources "$apt/sources.list" "$archive_keyring" "${suites[@]}"
		quiet "$apt/update.log" private apt-get -q update -o APT::Update::Error-Mode=any && return
	fi
	fail 1 "could not read the package lists of ${suites[*]}"
}
