# shellcheck shell=bash
#
# Services, and what their actors keep.

bench_services() {
    bench_saves
}
