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

# "CASE FILE" for each file of each row of the table.
mapped() {
    awk -F ' *\\| *' '$2 ~ /^([SX]|seed )[0-9]+$/ {
        n = split($4, files, /, */)
        for (i = 1; i <= n; i++) print $2, files[i]
    }' README.md | LC_ALL=C sort
}

# "CASE FILE" for each case that a title names.
titled() {
    awk '/^@test "/ {
        title = $0
        while (match(title, /([SX]|seed )[0-9][0-9]/)) {
            print substr(title, RSTART, RLENGTH), FILENAME
            title = substr(title, RSTART + RLENGTH)
        }
    }' [1-9]*.bats | LC_ALL=C sort -u
}

@test "the table of cases and the titles of the tests say the same" {
    run diff <(mapped) <(titled)
    assert_success
}
