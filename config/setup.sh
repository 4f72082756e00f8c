# shellcheck shell=sh
# What config/quickstart and tests/run share: finding what is missing and fetching it. Sourced, never run; the
# caller has changed to the top of the source tree and said in `me` who it is. Debian 12 and 13 and Raspberry Pi OS.

me=${me:-config/setup.sh}

say() {
    printf '%s: %s\n' "$me" "$*" >&2
}

die() {
    say "$*"
    exit 1
}

# The libraries that the daemon links, and the compiler for them. nodejs and npm build the web assets; they never run
# later. libcurl comes in two builds that exclude each other; either will do, so it is asked for apart.
BUILD_PACKAGES='build-essential cmake pkg-config ca-certificates libevent-dev liblua5.4-dev libsqlite3-dev libudev-dev
libserialport-dev libjansson-dev libsodium-dev zlib1g-dev libarchive-dev'

installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# missing PACKAGE...: prints those that are not installed. One call of dpkg-query for all of them: on a Pi each costs
# 30 ms, and this runs at every start. Elsewhere than on a Debian nobody knows: then cmake says what it does not find.
missing() {
    command -v dpkg-query >/dev/null || return 0
    dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
        awk -v want="$*" '$1 == "installed" { have[$2] = 1 }
            END { n = split(want, name, " "); for (i = 1; i <= n; i++) if (!(name[i] in have)) print name[i] }'
}

# Node may come from elsewhere than Debian (then there is no package npm): what counts is the command.
missing_build() {
    # shellcheck disable=SC2086 # a list of words
    missing $BUILD_PACKAGES
    installed libcurl4-gnutls-dev || missing libcurl4-openssl-dev
    command -v node >/dev/null || echo nodejs
    command -v npm >/dev/null || echo npm
}

# apt_install WHY PACKAGE...: says what it does before it does it.
apt_install() {
    why=$1
    shift
    command -v apt-get >/dev/null ||
        die "no apt-get on this system. Install these by hand, under the names that they have here: $*"
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null ||
            die "these packages are missing and there is no sudo: run as root: apt-get install $*"
        as_root=sudo
    fi
    say "installing $why with ${as_root:+sudo }apt-get: $*"
    $as_root apt-get update -qq || die "apt-get update failed: is there a network? See the lines above."
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" ||
        die "apt-get could not install them: see the lines above."
}

# npm_ci FOLDER WHAT: node_modules as the lock file says. A copy of the lock file is put into node_modules when all went
# well: a half-done or outdated folder has none, or another.
npm_ci() {
    [ -f "$1/package-lock.json" ] || return 0
    cmp -s "$1/package-lock.json" "$1/node_modules/.installed-lock.json" && return 0
    say "fetching $2 with npm ci in $1/"
    (cd "$1" && npm ci --no-audit --no-fund --loglevel=error) ||
        die "npm ci in $1/ failed: see the lines above. Without a network it has to run once where there is one."
    cp "$1/package-lock.json" "$1/node_modules/.installed-lock.json"
}

# configure BUILD SETTING=VALUE...: runs cmake only when there is something to tell it: no build yet, or another value.
configure() {
    build=$1
    shift
    known=yes
    for setting in "$@"; do
        grep -qs "^${setting%%=*}:[A-Z]*=${setting#*=}\$" "$build/CMakeCache.txt" || known=no
    done
    # Without one of these the last configuring broke off.
    [ -f "$build/Makefile" ] || [ -f "$build/build.ninja" ] || known=no
    [ $known = no ] || return 0
    for setting in "$@"; do
        shift
        set -- "$@" "-D$setting"
    done
    mkdir -p "$build"
    if ! cmake -S . -B "$build" "$@" >"$build/configure.log" 2>&1; then
        cat "$build/configure.log" >&2
        die "cmake could not configure $build/: see the lines above. $build/ may be deleted if it is an old one."
    fi
}

jobs() {
    nproc 2>/dev/null || echo 1
}
