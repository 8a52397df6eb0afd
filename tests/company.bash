# shellcheck shell=bash
#
# Nodes that share their services, with one store in a folder: `load company` after `load nodes`. Their actors are
# those of tests/modules/entity.c, in shop/things.
#
#   member NAME [LINE…]    a node that knows the first one; its lease is $LEASE, a second
#   rows SQL               the store's rows of nodes and places
#   hit NAME ID            calls that actor from that node: how often it was hit in this life
#   noted PATTERN          how many lines of the actors' notes match
#   never_two              there were never two of an id

member() {
    local peers=()

    [[ -e first ]] && peers=("peers: [\"$(cat first)\"]")
    node "$1" "store: \"sqlite:$DIR/store\"" "lease: ${LEASE:-1s}" "${peers[@]}" "${@:2}"
    [[ -e first ]] || url_of "$1" >first
}

rows() {
    python3 - "$DIR"/store/place-*.db "$1" <<'END'
import sqlite3, sys
for row in sqlite3.connect("file:%s?mode=ro" % sys.argv[1], uri=True).execute(sys.argv[2]):
    print(*row)
END
}

hit() {
    at "$1" troupe call "shop/things/$2" hit
}

noted() {
    grep -c -- "$1" "$DIR/notes"
}

never_two() {
    [[ $(noted '^overlap') == 0 ]]
}
