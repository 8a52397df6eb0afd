#!/usr/bin/env bats
# `make install`: what lands where, and that it works from there without the build tree.

load helper

setup() {
    troupe_setup
    PREFIX=$DIR/usr
}

make_quietly() {
    env -u MAKEFLAGS -u TROUPE_MODULE_PATH make -s -C "$TOP" BUILD="$BUILD" "$@" \
        </dev/null 3>&- 4>&- 9>&-
}

# From here on only what was installed is found.
use_installed() {
    make_quietly install PREFIX="$PREFIX"
    PATH=$PREFIX/bin:${PATH//$BUILD\/bin:/}
    unset TROUPE_MODULE_PATH
}

@test "everything lands below the prefix, and the prefix below DESTDIR" {
    make_quietly install DESTDIR="$DIR/stage" PREFIX=/usr
    cd stage
    for file in usr/bin/troupe usr/bin/troupe-supervisord usr/lib/libtroupe.a \
        usr/lib/libtroupe.so.0 usr/include/troupe.h usr/lib/pkgconfig/troupe.pc \
        usr/lib/troupe/workers/counter.so usr/lib/systemd/system/troupe@.service \
        usr/share/man/man1/troupe.1 usr/share/man/man3/libtroupe.3 \
        usr/share/man/man5/troupe.yaml.5 usr/share/man/man7/troupe.7 \
        usr/share/man/man7/troupe-port.7 usr/lib/troupe/workers/port.so \
        usr/share/man/man8/troupe-node.8 usr/share/man/man8/troupe-supervisord.8 \
        usr/share/bash-completion/completions/troupe usr/share/zsh/site-functions/_troupe \
        usr/share/fish/vendor_completions.d/troupe.fish etc/troupe/sample.yaml; do
        assert_file_not_empty "$file"
    done
    run grep -rl -e "$DIR" -e '@[A-Z]*@' usr/lib/pkgconfig usr/lib/systemd usr/share etc
    assert_output ""
}

@test "where it cannot write, install says so in one line, and what helps" {
    make_quietly documents
    touch "$DIR/theirs" # root may write anywhere but below a file
    run make_quietly install PREFIX="$DIR/theirs/usr"
    assert_failure
    assert_line --index 0 "make install: $DIR/theirs/usr cannot be written: run it as root, or with PREFIX=\$HOME/.local"
}

@test "uninstall leaves no file" {
    make_quietly install PREFIX="$PREFIX"
    make_quietly uninstall PREFIX="$PREFIX"
    run find "$PREFIX" ! -type d
    assert_output ""
}

@test "a node runs from where it was installed, its modules too" {
    use_installed
    yaml shop.yaml <<'END'
troupe: 1
application: shop
supervisor:
  children:
    - {name: counter, module: counter, args: {start: 3}}
END
    node_up shop.yaml
    assert_equal "$(state_of shop/counter)" ready
    run readlink "/proc/$(pid_of shop/counter)/exe"
    assert_output "$PREFIX/bin/troupe-supervisord"
    run grep -c "$BUILD/" "/proc/$(pid_of shop/counter)/maps"
    assert_output 0
}

@test "a module is built outside the tree with what pkg-config says" {
    use_installed
    cat >hello.c <<'END'
#include <troupe.h>

static int init(struct troupe *self)
{
    troupe_ready_text(self, "hello from %s", troupe_path(self));
    return TROUPE_READY;
}

TROUPE_ACTOR(.init = init);
END
    export PKG_CONFIG_PATH=$PREFIX/lib/pkgconfig
    # shellcheck disable=SC2046
    cc -std=c11 -Wall -Wextra -Werror ${SAN:+-fsanitize=$SAN} -shared -fPIC -o hello.so hello.c \
        $(pkg-config --cflags --libs troupe) -Wl,-rpath,"$PREFIX/lib"
    yaml shop.yaml <<'END'
troupe: 1
application: shop
supervisor:
  children:
    - {name: hello, module: hello}
END
    export TROUPE_MODULE_PATH=$DIR
    node_up shop.yaml
    assert_equal "$(state_of shop/hello)" ready
    run troupe status shop/hello
    assert_output --partial "hello from shop/hello"
}

@test "the installed manual pages and completions can be read by what reads them" {
    use_installed
    for page in "$PREFIX"/share/man/man?/*; do
        run mandoc -T lint -W warning "$page"
        assert_success
    done
    run bash --norc -c ". $PREFIX/share/bash-completion/completions/troupe && complete -p troupe"
    assert_success
    run troupe check "$PREFIX/etc/troupe/sample.yaml"
    assert_success
}

@test "the program library and the manual carry the same version" {
    use_installed
    version=$(PKG_CONFIG_PATH=$PREFIX/lib/pkgconfig pkg-config --modversion troupe)
    run troupe version
    assert_output --partial "$version"
    run troupe-supervisord --version
    assert_output --partial "$version"
    assert_exists "$PREFIX/lib/libtroupe.so.$version"
    run head -n 20 "$TOP/CHANGELOG.md"
    assert_output --partial "$version"
}

@test "a service manager hears when the node is ready, and stops it with TERM" {
    use_installed
    yaml shop.yaml <<'END'
troupe: 1
application: shop
supervisor:
  children:
    - {name: counter, module: counter}
END
    # As Type=notify does it: a datagram socket, whose name the process finds in its environment.
    cat >listen.py <<'END'
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
while True:
    print(s.recv(4096).decode(), flush=True)
END
    in_background heard python3 -u listen.py "$DIR/notify"
    wait_until 5 test -S "$DIR/notify"
    NOTIFY_SOCKET=$DIR/notify in_background node troupe-supervisord --foreground "$DIR/shop.yaml"
    guard=$!
    wait_until 10 grep -q READY=1 heard.out
    assert_equal "$(state_of shop/counter)" ready
    kill -TERM "$guard"
    wait_until 10 process_is_gone "$guard"
    wait "$guard"
    wait_until 5 no_node_process
}

@test "the systemd unit names programs and folders of its own prefix" {
    make_quietly install PREFIX=/opt/troupe DESTDIR="$DIR/stage"
    unit=$DIR/stage/opt/troupe/lib/systemd/system/troupe@.service
    run grep -c '^Type=notify' "$unit"
    assert_output 1
    run grep '^ExecStart=' "$unit"
    assert_output --partial "ExecStart=/opt/troupe/bin/troupe-supervisord "
    assert_output --partial " /opt/troupe/etc/troupe/%i.yaml"
}
