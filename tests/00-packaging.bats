#!/usr/bin/env bats
# What surrounds the programs: installing what is missing, running tests, linting, help.

load helper

# A command of this name that notes how it was called, and does what its standard input says.
fake() {
    mkdir -p "$DIR/fake"
    {
        echo '#!/bin/sh'
        echo "echo \"$1 \$*\" >>$DIR/calls"
        cat
    } >"$DIR/fake/$1"
    chmod +x "$DIR/fake/$1"
}

calls() {
    cat "$DIR/calls" 2>/dev/null
}

# A suite for run-tests that prints its standard input.
suite() {
    { echo '#!/bin/sh' && cat; } >"$DIR/$1"
    chmod +x "$DIR/$1"
}

run_tests() {
    SAN='' run "$TOP/scripts/run-tests" --logs "$DIR/logs" --jobs 2 "$@"
}

@test "installing does nothing and says nothing when nothing is missing" {
    fake apt-get <<<'exit 1'
    PATH=$DIR/fake:$PATH run "$TOP/scripts/install-deps" --test
    assert_success
    assert_output ""
    assert_not_exists "$DIR/calls"
}

@test "without root, what is missing is named with the command that installs it" {
    fake apt-get <<<'exit 1'
    fake dpkg-query <<<'exit 1'
    fake id <<<'echo 1000'
    PATH=$DIR/fake:$PATH run "$TOP/scripts/install-deps"
    assert_failure 1
    assert_output --partial "sudo apt-get install --no-install-recommends gcc"
    assert_output --partial "libev-dev"
    refute_output --partial "bats"
    refute [ "$(calls | grep -c ^apt-get)" -gt 0 ]
}

@test "package lists are fetched only when installing fails without that" {
    fake dpkg-query <<<"printf '%s installed\n' gcc libc6-dev make pkg-config libev-dev"
    fake id <<<'echo 0'
    fake apt-get <<<"[ \$1 = update ] || [ \$(grep -c '^apt-get install' $DIR/calls) -gt 1 ]"
    POLICY_RC_D=$DIR/policy PATH=$DIR/fake:$PATH run "$TOP/scripts/install-deps"
    assert_success
    run grep -o '^apt-get [a-z]*' "$DIR/calls"
    assert_output "$(printf 'apt-get install\napt-get update\napt-get install')"
    run grep -c 'install .* gcc' "$DIR/calls"
    assert_output 0 # what is there is not asked for
    assert_not_exists "$DIR/policy"
}

@test "no service is started by what is installed, and the hook for that goes away again" {
    fake dpkg-query <<<'exit 1'
    fake id <<<'echo 0'
    fake apt-get <<<"sh $DIR/policy; echo \"policy \$?\" >>$DIR/calls"
    POLICY_RC_D=$DIR/policy PATH=$DIR/fake:$PATH run "$TOP/scripts/install-deps"
    assert_success
    run calls
    assert_line "policy 101"
    assert_not_exists "$DIR/policy"
}

@test "the last line adds up every suite, and a failure is the exit status" {
    suite good <<<'echo "ok 1 - a"; echo "ok 2 - b # SKIP no such thing here"; echo 1..2'
    suite bad <<<'echo "not ok 1 - c"; echo "# why"; echo 1..1; exit 1'
    run_tests "$DIR/good"
    assert_success
    assert_equal "${lines[-1]}" "1 passed, 0 failed, 1 skipped"
    assert_output --partial "no such thing here"
    run_tests "$DIR/good" "$DIR/bad"
    assert_failure 1
    assert_equal "${lines[-1]}" "1 passed, 1 failed, 1 skipped"
    assert_output --partial "# why"
}

@test "a suite that breaks off is a failure, whatever it printed before" {
    suite short <<<'echo 1..3; echo "ok 1 - a"'
    suite silent <<<'exit 0'
    suite crash <<<'echo "ok 1 - a"; echo 1..1; kill -SEGV $$'
    run_tests "$DIR/short" "$DIR/silent" "$DIR/crash"
    assert_failure 1
    assert_equal "${lines[-1]}" "2 passed, 3 failed, 0 skipped"
}

@test "a suite that hangs is ended and is a failure" {
    suite hang <<<'echo 1..1; echo "ok 1 - a"; exec tail -f /dev/null'
    SUITE_SECONDS=1 run_tests "$DIR/hang"
    assert_failure 1
    assert_equal "${lines[-1]}" "1 passed, 1 failed, 0 skipped"
    assert_output --partial "ends within 1 s"
}

@test "every source is in the list of what is built" {
    cd "$TOP"
    missing=0
    while read -r file; do
        stem=${file#workers/} stem=${stem%.c}
        grep -qE "(^|[ :=])($file|$stem)( |\\\\|\$)" sources.mk || { echo "not built: $file" && missing=1; }
    done < <(ls lib/*.c cli/*.c supervisord/*.c workers/*.c)
    [ $missing = 0 ]
}

@test "every name in the list of what is built is a file" {
    cd "$TOP"
    run sh -c 'grep -oE "\b(lib|cli|supervisord|workers|tests)/[a-z0-9_/-]+\.[ch]\b" sources.mk | sort -u | xargs ls'
    assert_success
}

@test "includes go down the list of folders only" {
    run "$TOP/scripts/lint-includes"
    assert_success
    assert_output ""
}

@test "an include that goes up, or a library in the wrong place, is found" {
    mkdir -p repo/scripts repo/lib repo/cli repo/supervisord
    cp "$TOP/scripts/lint-includes" repo/scripts
    cd repo
    echo '#include "child.h"' >cli/a.c
    echo '#include <tpl.h>' >lib/b.c
    echo '#include "c.h"' >cli/c.c
    touch supervisord/child.h cli/c.h
    run scripts/lint-includes
    assert_failure 1
    assert_line "cli/a.c:1: cli must not know supervisord: child.h"
    assert_line "lib/b.c:1: <tpl.h> is not to be included here"
    assert_equal "${#lines[@]}" 2
}

@test "scripts and manual pages are clean" {
    cd "$TOP"
    run shellcheck scripts/* .ci/run etc/visit tests/helper.bash
    assert_success
    for page in man/*.[1-8]; do
        run mandoc -T lint -W warning "$page"
        assert_success
    done
}

@test "make help names every target that people call" {
    run make -s -C "$TOP" help
    assert_success
    for target in all check unit bats fuzz soak bench demo install uninstall lint format clean; do
        assert_line --regexp "^  $target "
    done
}

@test "the sample that the supervisor prints is a valid config" {
    troupe-supervisord --print-sample >sample.yaml
    run troupe check sample.yaml
    assert_success
}

@test "the reference manual that the supervisor prints is clean" {
    troupe-supervisord --print-manual >troupe.yaml.5
    run mandoc -T lint -W warning troupe.yaml.5
    assert_success
    for key in application strategy intensity period restart shutdown ready exec module link; do
        run grep -c "^\.It Cm $key\b" troupe.yaml.5
        refute_output 0
    done
}
