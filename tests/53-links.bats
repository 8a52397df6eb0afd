#!/usr/bin/env bats
#
# Links and monitors, from the supervisors' side (SEMANTICS 7): programs that speak their control
# socket (tests/helpers/party.py) watch each other, and programs that know nothing of Troupe.

load helper

# party NAME [KEY: VALUE…]: an entry for a child that does what `tell NAME` says.
party() {
    local name=$1 more

    shift
    more=$(printf ', %s' "$@")
    [[ $# -gt 0 ]] || more=
    echo "{name: $name, exec: [\"$TOP/tests/helpers/party.py\", \"$DIR\"]$more}"
}

# shop, with a and b, and what else is given; shop/back has c and d; shop/back/deep has e.
tree() {
    local extra

    extra=$(printf '    - %s\n' "$@")
    [[ $# -gt 0 ]] || extra=
    yaml shop.yaml <<YAML
troupe: 1
application: shop
supervisor:
  intensity: 1000
  children:
    - $(party a)
    - $(party b)
$extra
    - name: back
      supervisor:
        intensity: 1000
        children:
          - $(party c)
          - $(party d)
          - name: deep
            supervisor:
              intensity: 1000
              children:
                - $(party e)
YAML
    node_up shop.yaml
}

tell() { # NAME COMMAND…
    local name=$1

    shift
    wait_until 10 test -p "$DIR/$name.do"
    echo "$*" >"$DIR/$name.do"
}

heard() { # NAME LINE: such a line, once
    [[ $(grep -c -x -e "$2" "$DIR/$1.heard") == 1 ]]
}

wait_heard() { # NAME LINE
    wait_until 10 heard "$1" "$2" || {
        echo "$1 heard:"
        tail -n 20 "$DIR/$1.heard"
        return 1
    }
}

# What NAME has heard of ends and links, all of it.
assert_heard_only() { # NAME LINE…
    local name=$1

    shift
    diff <(printf '%s\n' "$@") <(grep -v -e '^here' -e '^DOWN 999' "$DIR/$name.heard")
}

# So that whatever was on its way has come: a question of one's own, behind all others.
SETTLED=9990
settle() { # NAME
    SETTLED=$((SETTLED + 1))
    tell "$1" say MONITOR $SETTLED shop/nobody
    wait_heard "$1" "DOWN $SETTLED shop/nobody noproc"
}

@test "the end of a sibling is told once, with its reason" {
    tree
    tell a say MONITOR 1 shop/b
    settle a
    tell b end 3
    wait_heard a 'DOWN 1 shop/b#1 exit:3'
    wait_heard b 'here 2'
    settle a
    assert_heard_only a 'DOWN 1 shop/b#1 exit:3'
}
