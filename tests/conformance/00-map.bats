#!/usr/bin/env bats
#
# README.md says which case is tested where; this holds it to that.

bats_require_minimum_version 1.5.0
load ../helper

setup() {
    cd "$BATS_TEST_DIRNAME" || return 1
}

teardown() {
    :
}

# The scenarios of the seeds that are asked for: D.1 and D.2, D.3, D.4, D.5, D.6. Their sources have no
# 20, 24, 40, 47, 60, 62 and 66.
ASKED_FOR="$(echo {01..19} {21..23} {25..39} {41..46} {48..59} 61 63 64 65 67 68 69 70)"

# "CASE FILE" for each file of each row of the table; "CASE later" when it has its test to come.
rows() {
    awk -F ' *\\| *' '$2 ~ /^([SXF]|seed )[0-9]+$/ {
        n = split($4, files, /, */)
        for (i = 1; i <= n; i++) print $2, files[i]
    }' README.md
}

mapped() {
    rows | grep -v -E ' (later|units|none)$' | LC_ALL=C sort
}

# "CASE FILE" for each case that a title names. Outside this folder it is the seeds' scenarios alone, by
# the part that they belong to, "D.5 59", or, of services, by an F.
titled() {
    awk '/^@test "/ {
        title = $0
        file = FILENAME
        sub(/.*\//, "", file)
        if (FILENAME ~ /\//) gsub(/[SX][0-9][0-9]|seed [0-9][0-9]/, "", title)
        gsub(/D\.[0-9] /, "seed ", title)
        for (rest = title; match(rest, /[^A-Za-z0-9]F[0-9]+/); rest = substr(rest, RSTART + RLENGTH))
            print substr(rest, RSTART + 1, RLENGTH - 1), file
        while (match(title, /([SX]|seed )[0-9][0-9]/)) {
            print substr(title, RSTART, RLENGTH), file
            title = substr(title, RSTART + RLENGTH)
        }
    }' [1-9]*.bats ../[1-9]*.bats ../fault/[89]*.bats | LC_ALL=C sort -u
}

@test "the table of cases and the titles of the tests say the same" {
    run diff <(mapped) <(titled)
    assert_success
}

@test "every scenario of the seeds that is asked for is in the table: tested, or for later" {
    run diff <(tr ' ' '\n' <<<"$ASKED_FOR") <(rows | sed -n 's/^seed \([0-9]*\) .*/\1/p' | sort -u)
    assert_success
}
