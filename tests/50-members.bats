#!/usr/bin/env bats
#
# Members: whatever a program starts ends with it, however far it has gone away (SEMANTICS 2). Each
# scenario is played where each actor has a cgroup of its own, and again with marks only, as on a
# machine whose cgroups are not ours.

load helper

setup() {
    troupe_setup
    [[ $BATS_TEST_DESCRIPTION != *"marks only"* ]] || export TROUPE_CGROUP=off
    write_program
    wanderer=''
    KILLED=''
}

teardown() {
    local status=0

    troupe_teardown || status=1
    [[ -z $KILLED || ! -e $KILLED ]] || rmdir "$KILLED" || status=1
    return $status
}

# The program: `escape HOW [COMMAND…]`. Its other process goes away HOW (near: it stays our child; far:
# it is nobody's) and becomes COMMAND… sleep; its pid is in escapee. What of the last incarnation is
# alive when the next begins is in overlaps.
write_program() {
    cat >"$DIR/escape" <<'EOF'
#!/bin/sh
cd "$(dirname "$0")" || exit 1
if [ -s escapee ] && line=$(cat "/proc/$(cat escapee)/stat" 2>/dev/null); then
    [ "${line#*) Z}" != "$line" ] || echo overlap >>overlaps
fi
rm -f escapee
how=$1
shift
away='echo $$ >escapee.new; mv escapee.new escapee; exec "$@"'
case $how in
near) setsid sh -c "$away" sh "$@" sleep 1000 & ;;
far) (setsid sh -c "$away" sh "$@" sleep 1000 &) ;;
esac
until [ -s escapee ]; do sleep 0.02; done
exec sleep 1000
EOF
    chmod 755 "$DIR/escape"
}

# tree HOW [COMMAND…]: shop/program runs it, shop/other is beside it.
tree() {
    local words

    words=$(printf ', "%s"' "$@")
    yaml shop.yaml <<EOF
troupe: 1
application: shop
supervisor:
  intensity: 100
  children:
    - {name: program, exec: ["$DIR/escape"$words], shutdown: 2s}
    - {name: other, exec: [sleep, "1000"]}
EOF
}

escapee_runs() {
    wanderer=$(cat "$DIR/escapee" 2>/dev/null) && [[ $wanderer ]] && ! process_is_gone "$wanderer" &&
        [[ $(cat "/proc/$wanderer/comm") == sleep ]]
}

up_with_escapee() {
    tree "$@"
    node_up shop.yaml
    wait_until 5 escapee_runs
    escapee_runs
}

# A stop is done only when it is gone; a restart begins only then.
ends_with_its_program() {
    local life other

    up_with_escapee "$@"
    other=$(pid_of shop/other)
    run timeout $((10 * TEST_SCALE)) troupe stop shop/program </dev/null
    assert_success
    run process_is_gone "$wanderer"
    assert_success
    timeout $((10 * TEST_SCALE)) troupe start shop/program </dev/null
    wait_until 5 escapee_runs
    escapee_runs
    life=$(incarnation_of shop/program)
    kill -KILL "$(pid_of shop/program)"
    last=$wanderer
    wait_until 10 is_restarted shop/program "$life"
    run process_is_gone "$last"
    assert_success
    assert_file_not_exists "$DIR/overlaps"
    assert_equal "$(pid_of shop/other)" "$other"
    wait_until 5 escapee_runs
    escapee_runs
    node_down
    run process_is_gone "$wanderer"
    assert_success
}

needs_root() {
    [[ $(id -u) == 0 ]] || skip "only root can become somebody else"
}

@test "a member in a session of its own" {
    ends_with_its_program near
}

@test "a member in a session of its own; marks only" {
    ends_with_its_program near
}

@test "a member that forked twice" {
    ends_with_its_program far
}

@test "a member that forked twice; marks only" {
    ends_with_its_program far
}

@test "a member without an environment" {
    ends_with_its_program far env -i
}

@test "a member without an environment; marks only" {
    ends_with_its_program far env -i
}

@test "a member that is another program by now" {
    ends_with_its_program far sh -c 'exec \"$@\"' sh
}

@test "a member that is another program by now; marks only" {
    ends_with_its_program far sh -c 'exec \"$@\"' sh
}

@test "a member that is another user by now" {
    needs_root
    ends_with_its_program far setpriv --reuid=nobody --regid=nogroup --clear-groups
}

@test "a member that is another user by now; marks only" {
    needs_root
    ends_with_its_program far setpriv --reuid=nobody --regid=nogroup --clear-groups
}

@test "a member that has lost its mark" {
    ends_with_its_program far prlimit --rttime=5000000:5000000
}

@test "a member that has lost its mark is nobody's, and killed as such; marks only" {
    ends_with_its_program far prlimit --rttime=5000000:5000000
}

@test "a member that has shed all it could" {
    ends_with_its_program far env -i prlimit --rttime=5000000:5000000
}

@test "a member that has shed all it could, while its parent lived; marks only" {
    ends_with_its_program near env -i prlimit --rttime=5000000:5000000
}

# ---- how they are told ---------------------------------------------------------------------------

# patient WHERE: shop/program ends at once, its other process (in its group, or away) half a second
# after the stop signal; it writes down each signal it gets.
patient() {
    local go

    [[ $1 == group ]] && go= || go=setsid
    cat >"$DIR/patient" <<EOF
#!/bin/sh
cd "$DIR" || exit 1
cat >worker <<'END'
trap 'echo TERM >>signals; [ "\$ends" ] || { ends=1; (sleep 0.5; kill -KILL \$\$) & }' TERM
echo \$\$ >escapee
while :; do sleep 0.02; done
END
$go sh worker &
until [ -s escapee ]; do sleep 0.02; done
exec sleep 1000
EOF
    chmod 755 "$DIR/patient"
    yaml shop.yaml <<EOF
troupe: 1
application: shop
supervisor:
  children:
    - {name: program, exec: ["$DIR/patient"], shutdown: 10s}
EOF
    node_up shop.yaml
    wait_until 5 test -s escapee
    wanderer=$(cat escapee)
}

is_told_once() {
    patient "$1"
    run timeout $((10 * TEST_SCALE)) troupe stop shop/program </dev/null
    assert_success
    run process_is_gone "$wanderer"
    assert_success
    assert_equal "$(cat signals)" TERM
}

@test "a member of the group hears the stop signal once" {
    is_told_once group
}

@test "a member of the group hears the stop signal once; marks only" {
    is_told_once group
}

@test "a member that went away hears the stop signal once" {
    is_told_once away
}

@test "a member that went away hears the stop signal once; marks only" {
    is_told_once away
}

deaf_member() {
    cat >"$DIR/deaf" <<'EOF'
trap "" TERM
exec "$@"
EOF
    tree far sh "$DIR/deaf"
    sed -i 's/shutdown: 2s/shutdown: 200ms/' shop.yaml
    node_up shop.yaml
    wait_until 5 escapee_runs
    escapee_runs
    run timeout $((10 * TEST_SCALE)) troupe stop shop/program </dev/null
    assert_success
    run process_is_gone "$wanderer"
    assert_success
}

@test "a member that does not hear is killed when the time is up" {
    deaf_member
}

@test "a member that does not hear is killed when the time is up; marks only" {
    deaf_member
}

# ---- a supervisor's death --------------------------------------------------------------------------

deep_tree() {
    yaml shop.yaml <<EOF
troupe: 1
application: shop
supervisor:
  intensity: 100
  children:
    - name: sub
      supervisor:
        children:
          - {name: program, exec: ["$DIR/escape", far, env, -i, prlimit, "--rttime=5000000:5000000"]}
          - name: deeper
            supervisor:
              children: [{name: plain, exec: [sleep, "1000"]}]
EOF
}

dies_with_supervisor() {
    local plain life i

    deep_tree
    node_up shop.yaml
    for ((i = 0; i < 5; i++)); do
        wait_until 5 escapee_runs
        escapee_runs
        last=$wanderer
        plain=$(pid_of shop/sub/deeper/plain)
        life=$(incarnation_of shop/sub)
        kill -KILL "$(pid_of shop/sub)"
        wait_until 10 is_restarted shop/sub "$life"
        run process_is_gone "$last"
        assert_success
        run process_is_gone "$plain"
        assert_success
    done
    assert_file_not_exists "$DIR/overlaps"
    wait_until 5 escapee_runs
    wait_until 5 tree_is_exactly --escaped 1 shop shop/sub shop/sub/program shop/sub/deeper \
        shop/sub/deeper/plain
}

@test "a supervisor that is killed takes all below it along" {
    dies_with_supervisor
}

@test "a supervisor that is killed takes all below it along; marks only" {
    dies_with_supervisor
}

# ---- actors of a service ----------------------------------------------------------------------------

# service_tree MAX [COMMAND…]: each of its actors has a program, whose other process goes away as COMMAND… sleep;
# its pid is in escapee.ID.
service_tree() {
    cat >"$DIR/serve.sh" <<EOF
away='echo \$\$ >escapee.new.\$TROUPE_ID; mv escapee.new.\$TROUPE_ID escapee.\$TROUPE_ID; exec "\$@"'
(setsid sh -c "\$away" sh ${*:2} sleep 1000 </dev/null >/dev/null 2>&1 &)
while IFS='	' read -r ref message rest; do printf '%s\t%s\n' "\$ref" "\$message"; done
EOF
    yaml shop.yaml <<EOF
troupe: 1
application: shop
supervisor:
  intensity: 100
  children:
    - {name: ports, service: {module: port, max: $1, args: {exec: "sh serve.sh"}}}
EOF
    node_up shop.yaml
}

# begin_with_escapee ID: its pid is in wanderer.
begin_with_escapee() {
    local gone=${2:-}

    there() {
        wanderer=$(cat "$DIR/escapee.$1" 2>/dev/null) && [[ $wanderer && $wanderer != "$gone" ]] &&
            [[ $(cat "/proc/$wanderer/comm" 2>/dev/null) == sleep ]]
    }
    assert_equal "$(troupe call "shop/ports/$1" hello)" hello
    wait_until 5 there "$1"
    there "$1"
}

ends_with_its_actor() {
    local of_a of_b

    service_tree "$@"
    begin_with_escapee a
    of_a=$wanderer
    begin_with_escapee b
    of_b=$wanderer
    kill -KILL "$(pid_of shop/ports/a)"
    wait_until 5 process_is_gone "$of_a"
    run process_is_gone "$of_b"
    assert_failure
    begin_with_escapee a "$of_a"
    of_a=$wanderer
    run timeout $((10 * TEST_SCALE)) troupe stop shop/ports/a </dev/null
    assert_success
    run process_is_gone "$of_a"
    assert_success
    kill -KILL "$(ps -o ppid= -p "$(pid_of shop/ports/b)" | tr -d ' ')"
    wait_until 5 process_is_gone "$of_b"
    begin_with_escapee b "$of_b"
    node_down
    run process_is_gone "$wanderer"
    assert_success
}

@test "an actor of a service takes what has left it along, and its neighbours' stay" {
    ends_with_its_actor 10
}

@test "an actor of a service takes what has left it along, and its neighbours' stay; marks only" {
    ends_with_its_actor 10
}

@test "so it does where a service has inner supervisors" {
    ends_with_its_actor 1000
}

@test "so it does when that has shed its mark" {
    local of_a

    service_tree 1000 env -i prlimit --rttime=5000000:5000000
    begin_with_escapee a
    of_a=$wanderer
    kill -KILL "$(pid_of shop/ports/a)"
    wait_until 5 process_is_gone "$of_a"
    begin_with_escapee a "$of_a"
}

@test "an actor of a service has no cgroup of its own, it lives in its supervisor's" {
    local pid

    service_tree 10
    needs_cgroups
    begin_with_escapee a
    pid=$(pid_of shop/ports/a)
    run sort -n "$CGROUP/shop.actor/ports.actor/cgroup.procs"
    assert_line "$pid"
    assert_line "$wanderer"
    assert_dir_not_exists "$CGROUP/shop.actor/ports.actor/a.actor"
}

# ---- the cgroup file system ------------------------------------------------------------------------

# The node's directory, in $CGROUP.
needs_cgroups() {
    local mount

    CGROUP=$(readlink "$TROUPE_RUN/.cgroup") && [[ -d $CGROUP ]] && return 0
    mount=$(awk '$0 ~ / - cgroup2 / { print $5; exit }' /proc/self/mountinfo)
    mount=$mount$(sed -n 's/^0:://p' /proc/self/cgroup)
    mkdir "$mount/troupe-probe-$$" 2>/dev/null || skip "cgroups are not ours to make"
    rmdir "$mount/troupe-probe-$$"
    echo "a cgroup could be made, and was not"
    return 1
}

no_cgroup() {
    [[ ! -e $CGROUP ]]
}

guard_and_root() {
    local table

    table=$(timeout $((10 * TEST_SCALE)) troupe ps -o path,pid </dev/null)
    ROOT=$(ps -o ppid= -p "$(awk '$1 == "sys" { print $2 }' <<<"$table")" | tr -d ' ')
    GUARD=$(ps -o ppid= -p "$ROOT" | tr -d ' ')
}

@test "each actor has a cgroup, over its restarts, and while its supervisor has it" {
    deep_tree
    node_up shop.yaml
    needs_cgroups
    wait_until 5 escapee_runs
    escapee_runs
    assert_equal "$(sort -n "$CGROUP/shop.actor/sub.actor/program.actor/cgroup.procs")" \
        "$(printf '%s\n' "$(pid_of shop/sub/program)" "$wanderer" | sort -n)"
    inode=$(stat -c %i "$CGROUP/shop.actor/sub.actor/deeper.actor/plain.actor")
    life=$(incarnation_of shop/sub/deeper/plain)
    kill -TERM "$(pid_of shop/sub/deeper/plain)"
    wait_until 5 is_restarted shop/sub/deeper/plain "$life"
    assert_equal "$(stat -c %i "$CGROUP/shop.actor/sub.actor/deeper.actor/plain.actor")" "$inode"
    timeout $((10 * TEST_SCALE)) troupe down shop </dev/null
    wait_until 5 test ! -e "$CGROUP/shop.actor"
    assert_dir_exists "$CGROUP/sys.actor"
    node_down
    run no_cgroup
    assert_success
}

# Since kernel 6.14 a cgroup that was killed is deadly to who is born there.
@test "a cgroup is kept over SIGKILL, and made anew when it was killed itself" {
    deep_tree
    node_up shop.yaml
    needs_cgroups
    plain=$CGROUP/shop.actor/sub.actor/deeper.actor/plain.actor
    inode=$(stat -c %i "$plain")
    life=$(incarnation_of shop/sub/deeper/plain)
    kill -KILL "$(pid_of shop/sub/deeper/plain)"
    wait_until 5 is_restarted shop/sub/deeper/plain "$life"
    assert_equal "$(stat -c %i "$plain")" "$inode"
    for round in 1 2 3; do
        life=$(incarnation_of shop/sub/deeper/plain)
        echo 1 >"$plain/cgroup.kill"
        wait_until 5 is_restarted shop/sub/deeper/plain "$life"
        assert_equal "$(incarnation_of shop/sub/deeper/plain)" $((life + 1))
        assert_equal "$(cat "$plain/cgroup.procs")" "$(pid_of shop/sub/deeper/plain)"
    done
}

@test "TROUPE_CGROUP=off: no cgroup is made; marks only" {
    deep_tree
    node_up shop.yaml
    assert_file_not_exists "$TROUPE_RUN/.cgroup"
    assert_equal "$(sed -n 's/^0:://p' "/proc/$(pid_of shop/sub/program)/cgroup")" \
        "$(sed -n 's/^0:://p' /proc/self/cgroup)"
}

@test "a root that is killed leaves no cgroup" {
    deep_tree
    node_up shop.yaml
    needs_cgroups
    guard_and_root
    kill -KILL "$ROOT"
    wait_until 10 no_cgroup
    wait_until 10 no_node_process
}

@test "a guard that is killed leaves no cgroup" {
    deep_tree
    node_up shop.yaml
    needs_cgroups
    guard_and_root
    kill -KILL "$GUARD"
    wait_until 10 no_cgroup
    wait_until 10 no_node_process
}

@test "what guard and root leave that are killed at once goes with the next start" {
    deep_tree
    node_up shop.yaml
    needs_cgroups
    wait_until 5 escapee_runs
    escapee_runs
    guard_and_root
    kill -KILL "$GUARD" "$ROOT"
    wait_until 5 process_is_gone "$ROOT"
    last=$wanderer
    old=$CGROUP
    wait_until 10 node_up shop.yaml
    assert_not_exists "$old"
    run process_is_gone "$last"
    assert_success
    needs_cgroups
    assert_not_equal "$CGROUP" "$old"
    assert_file_not_exists "$DIR/overlaps"
}

# Kernels since 6.14 kill whoever is born below a cgroup that was killed once.
@test "a node in a cgroup that was killed before does without" {
    tree far
    node_up shop.yaml
    needs_cgroups
    node_down
    KILLED=${CGROUP%/*}/troupe-killed-$$
    mkdir "$KILLED"
    echo 1 >"$KILLED/cgroup.kill"
    # shellcheck disable=SC2016
    run timeout $((60 * TEST_SCALE)) sh -c 'echo 0 >"$1/cgroup.procs"; exec troupe up -d shop.yaml' sh \
        "$KILLED" </dev/null 3>&- 4>&- 9>&-
    assert_success
    wait_until 5 escapee_runs
    escapee_runs
    life=$(incarnation_of shop/program)
    last=$wanderer
    kill -KILL "$(pid_of shop/program)"
    wait_until 5 is_restarted shop/program "$life"
    run process_is_gone "$last"
    assert_success
    assert_equal "$(incarnation_of shop/program)" $((life + 1))
    node_down
    wait_until 5 rmdir "$KILLED"
    KILLED=''
}
