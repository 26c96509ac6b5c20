#!/bin/sh
# Runs the probe's tests with the extension built under AddressSanitizer (and UndefinedBehaviorSanitizer).
#
#     tests/probe/asan.sh PYTHON [pytest options]
set -eu
python=${1:?which python}
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

mkdir "$build/src"
cp -r "$root/src/opcodetrace" "$build/src/opcodetrace"
rm -f "$build"/src/opcodetrace/probe/*.so
include=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
suffix=$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')
${CC:-gcc} -shared -fPIC -std=c11 -O1 -g -Wall -Wextra -fvisibility=hidden -fno-omit-frame-pointer \
    -fsanitize=address,undefined -fno-sanitize-recover=undefined -I"$include" \
    "$root"/src/opcodetrace/probe/*.c -o "$build/src/opcodetrace/probe/_probe$suffix"

export LD_PRELOAD="$(${CC:-gcc} -print-file-name=libasan.so) $(${CC:-gcc} -print-file-name=libubsan.so)"
export ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0
export UBSAN_OPTIONS=print_stacktrace=1
case $suffix in *t-*) ;; *) export PYTHONMALLOC=malloc ;; esac # the free-threaded build has its own only
export PYTHONPATH="$build/src"
cd "$root"
"$python" -m pytest -q -p no:cacheprovider tests/probe tests/spool "$@"
