#!/bin/sh
# An actor in shell: it counts words. Run by etc/examples/ports.yaml, which see.
#
#   troupe call ports/words count "to be or not to be"      6
#   troupe call ports/words total                           6
#
# A request is REF, MESSAGE and arguments with TABs between them; in these \t \n \\ stand for a TAB, a
# newline and a backslash, which is what printf %b undoes.

TAB=$(printf '\t')
total=0

answer() { printf '%s\t%s\n' "$ref" "$1"; } # numbers need no escapes
fail() { printf '!%s\t%s\n' "$ref" "$1"; }

count() {
    set -f
    # shellcheck disable=SC2046 # to be split into words
    set -- $(printf '%b' "$1")
    total=$((total + $#))
    answer $#
    printf 'status\t%s words so far\n' "$total"
}

printf 'describe\tcount\ts\tI\tcounts the words of a text\n'
printf 'describe\ttotal\t\tI\ttells how many words it has counted\n'
printf 'ready\n'

while IFS=$TAB read -r ref message text; do
    case $message in
    count) count "$text" ;;
    total) answer "$total" ;;
    *) fail "unknown_message $message" ;;
    esac
done
