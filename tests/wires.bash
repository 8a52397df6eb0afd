# shellcheck shell=bash
#
# Wires that can be cut (tests/helpers/cut_proxy.py): `load wires` after `load helper`.
#
#   wire NAME PORT        a wire to that port of the loopback; its own port is in ${WIRE[NAME]}
#   order NAME WORD       cut, forth, back, heal, reset; back when it is done

# shellcheck disable=SC2034 # read by who loads this
declare -A WIRE

wire() {
    mkfifo "$DIR/$1.orders"
    in_background "$1" python3 "$TOP/tests/helpers/cut_proxy.py" "$2" "$DIR/$1.orders"
    wait_until 10 grep -q port "$DIR/$1.out"
    # shellcheck disable=SC2034 # the same
    WIRE[$1]=$(awk '/^port/ { print $2 }' "$DIR/$1.out")
}

order() {
    local before

    before=$(grep -c "^$2 " "$DIR/$1.out") || true
    echo "$2" >"$DIR/$1.orders"
    wait_until 10 eval "((\$(grep -c '^$2 ' '$DIR/$1.out') > $before))"
}
