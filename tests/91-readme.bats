#!/usr/bin/env bats
#
# README's tour: its commands, run in order, print what README says they print, but for numbers.

# shellcheck disable=SC2016 # what is taken out of README is expanded later
bats_require_minimum_version 1.5.0
load helper

setup() {
    troupe_setup
    require redis-server nngcat python3
}

# A section's commands in order: each in $DIR/N.command, what it is to print in $DIR/N.wanted.
take_tour() { # SECTION
    awk -v dir="$DIR" -v section="## $1" '
        /^## / { inside = $0 == section }
        !inside { next }
        /^    \$ / { close(file); n++; print substr($0, 7) >(dir "/" n ".command")
                     file = dir "/" n ".wanted"; printf "" >file; next }
        /^    / && n { print substr($0, 5) >file; next }
        END { print n }' "$TOP/README.md"
}

block() { # LANGUAGE: the first such block
    awk -v begin="\`\`\`$1" '$0 == begin && !done { inside = 1; next }
                             $0 == "```" { done = done || inside; inside = 0 } inside' "$TOP/README.md"
}

# What may differ from one run to another: dates, numbers with their units, and how wide columns are.
# What an actor answers may not.
masked() { # COMMAND
    case $1 in
    *"troupe call"* | *nngcat*) awk 1 && return ;;
    esac
    sed -E -e 's/[0-9-]{10}T[0-9:.]+Z/TIME/' -e 's/^[A-Z][a-z]{2} [A-Z][a-z]{2} .*$/DATE/' -e 's/[0-9]+(\.[0-9]+)?(ms|s|m|h|k|M)?\>/N/g' \
        -e 's/[[:blank:]]+/ /g' -e 's/ $//'
}

# What the words between the commands ask of the reader, and the time that he takes to read them.
before() { # COMMAND
    case $1 in
    *"check wrong.yaml"*)
        sed -e 's/one_for_one/one_for_won/' -e 's|\[shop/db\]|[shop/bd]|' shop.yaml >wrong.yaml
        ;;
    *shop/double*)
        block awk >double.awk
        troupe add shop "$(sed -n 's/^With `\({name: double.*}\)` among.*/\1/p' "$TOP/README.md")"
        described() { troupe describe shop/double | grep -q ^double; }
        wait_until 5 described
        ;;
    *"log -n 2"*)
        has_two() { (($(troupe log -n 2 shop/heart | wc -l) == 2)); }
        wait_until 10 has_two
        ;;
    *"troupe nodes"*)
        session_stands() { [[ $(troupe nodes -o state) == up ]]; }
        wait_until 20 session_stands
        ;;
    *"members -o path"*)
        both_are_known() { (($(troupe members -o path counters | wc -l) == 2)); }
        wait_until 10 both_are_known
        ;;
    *./job*)
        printf '#!/bin/sh\nexit 0\n' >job
        chmod +x job
        ;;
    esac
}

after() { # COMMAND
    [[ $1 != kill*shop/* ]] || wait_until 10 is_restarted shop/counter 1
}

# Each command, and whether it printed what it is to print.
walk() { # STEPS
    local steps=$1 step command

    for ((step = 1; step <= steps; step++)); do
        command=$(cat "$step.command")
        before "$command"
        timeout $((30 * TEST_SCALE)) bash -c "$command" >"$step.got" 2>&1 </dev/null 3>&- 4>&- || true
        after "$command"
        diff <(masked "$command" <"$step.wanted") <(masked "$command" <"$step.got") || {
            echo "README is wrong about: $command"
            return 1
        }
    done
}

@test "the tour in README goes as README says" {
    local port steps

    port=$(free_port)
    block yaml | sed "s/6399/$port/" >shop.yaml
    steps=$(take_tour "Five minutes")
    ((steps > 15))
    walk "$steps"
}

@test "two nodes do as README says of several" {
    local steps

    mkdir etc
    cp -r "$TOP/etc/cluster" etc/cluster
    rm -f etc/cluster/cookie
    EAST_PORT=$(free_port) WEST_PORT=$(free_port)
    export EAST_PORT WEST_PORT
    use_node west
    use_node east
    steps=$(take_tour "Several nodes")
    ((steps > 10))
    sed -i -E "s#TROUPE_RUN=/tmp/(east|west)#TROUPE_RUN=$DIR/\1 TROUPE_STATE=$DIR/\1.state#" ./*.command
    run grep -l /tmp/east ./*.command
    assert_failure
    walk "$steps"
}

@test "services do as README says" {
    local steps

    mkdir etc
    cp "$TOP"/etc/{carts,blackjack}.yaml etc
    steps=$(take_tour "Services")
    ((steps > 10))
    walk "$steps"
}
