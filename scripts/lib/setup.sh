# shellcheck shell=sh
# What this project needs on a machine, and how what is missing is installed. POSIX sh, for scripts/dev, scripts/test
# and .ci/run to source in the repository's root.

# One line a tool: what needs it (the tests need what `cargo dev` needs, too), the program to look for, its
# package for apt (or one of several), dnf, pacman and brew (- for none), and its name.
tools() {
    jre=openjdk-17-jre-headless/openjdk-21-jre-headless
    cat <<END
dev   cc      gcc         gcc                       gcc                     xcode          a C compiler (cc)
dev   c++     g++         gcc-c++                   gcc                     xcode          a C++ compiler (c++)
dev   make    make        make                      make                    xcode          make
dev   cargo   -           -                         -                       -              Rust $(rust_version) or newer
test  java    $jre        java-21-openjdk-headless  jre21-openjdk-headless  openjdk@21     Java 17 or newer (java)
test  mvn     maven       maven                     maven                   maven          Apache Maven (mvn)
test  kill    procps      util-linux                util-linux              -              the program kill
test  initdb  postgresql  postgresql-server         postgresql              postgresql@17  the server programs of PostgreSQL (initdb)
test  curl    curl        curl                      curl                    curl           curl
test  promtool prometheus golang-github-prometheus  prometheus              prometheus     Prometheus's checker (promtool)
END
}

# Reads the options that scripts/dev and scripts/test share: sets `consent` for `setup`, and `options` to how many
# arguments they are.
# shellcheck disable=SC2034 # those who source this use it
read_options() {
    consent=ask
    options=0
    if [ "${CI:-}" = true ]; then consent=yes; fi
    for argument in "$@"; do
        case "$argument" in
        --yes) consent=yes ;;
        --help | -h)
            help
            exit
            ;;
        *) break ;;
        esac
        options=$((options + 1))
    done
}

# Installs what $1 (dev or test) needs and this machine lacks; silent where nothing is missing. $2 is `yes` to go on
# without a question. Returns 1 where something is still missing.
setup() {
    find_installed
    missing=$(missing_for "$1")
    [ -n "$missing" ] || return 0

    say "Missing:"
    say "$(names "$missing" | sed 's/^/  /')"
    plan=$(plan_for "$missing") || return 1
    say "To install it:"
    say "$(printf '%s\n' "$plan" | sed 's/^/  /')"
    if [ "$2" != yes ]; then
        if [ ! -t 0 ]; then
            say "Run these, or this command again with --yes."
            return 1
        fi
        printf 'Run these now? [Y/n] ' >&2
        read -r answer || answer=n
        case "$answer" in
        '' | [Yy] | [Yy][Ee][Ss]) ;;
        *) return 1 ;;
        esac
    fi
    # A pipe would be the standard input of the commands, which may ask for a password.
    sh -ec "$plan" >&2 || return 1

    find_installed
    missing=$(missing_for "$1")
    [ -n "$missing" ] || return 0
    say "Still missing:"
    say "$(names "$missing" | sed 's/^/  /')"
    case "$missing" in
    *cargo*) say "rustup show says which Rust is in use here, rustup default stable chooses the newest." ;;
    esac
    return 1
}

say() { printf '%s\n' "$*" >&2; }

# The oldest Rust that builds this project.
rust_version() { sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml; }

# The tools that $1 needs and that are not there, as lines of `tools`.
missing_for() {
    tools | while read -r need program packages; do
        if { [ "$need" = dev ] || [ "$need" = "$1" ]; } && ! has "$program"; then
            printf '%s\n' "$need $program $packages"
        fi
    done
}

names() {
    printf '%s\n' "$1" | while read -r _ _ _ _ _ _ name; do printf '%s\n' "$name"; done
}

has() {
    case "$1" in
    # macOS has these two as stubs that offer to install them.
    cc | c++ | make)
        command -v "$1" >/dev/null && { [ "$(uname)" != Darwin ] || xcode-select -p >/dev/null 2>&1; }
        ;;
    cargo) has_rust ;;
    java) [ "$(java_major)" -ge 17 ] ;;
    # Shells have one of their own.
    kill) env kill -l >/dev/null 2>&1 ;;
    # Debian keeps these programs out of the search path, a folder a version.
    initdb) command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 ;;
    *) command -v "$1" >/dev/null ;;
    esac
}

has_rust() {
    found=$(cargo --version 2>/dev/null | sed -n 's/^cargo \([0-9]*\.[0-9]*\).*/\1/p')
    wanted=$(rust_version)
    [ -n "$found" ] || return 1
    [ "${found%%.*}" -gt "${wanted%%.*}" ] ||
        { [ "${found%%.*}" -eq "${wanted%%.*}" ] && [ "${found#*.}" -ge "${wanted#*.}" ]; }
}

# The major version of the Java that the tests would use; 1 stands for those before 9, 0 for none.
java_major() {
    java="${JAVA_HOME:+$JAVA_HOME/bin/}java"
    major=$("$java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)
    printf '%s' "${major:-0}"
}

# Puts what rustup and brew have installed, and not put on the search path, there.
find_installed() {
    rust="${CARGO_HOME:-$HOME/.cargo}/bin"
    if [ -x "$rust/cargo" ] && ! has cargo; then PATH="$rust:$PATH"; fi
    if command -v brew >/dev/null; then
        for program in java initdb; do
            has "$program" && continue
            for bin in "$(brew --prefix)"/opt/openjdk@21/bin "$(brew --prefix)"/opt/postgresql@17/bin; do
                if [ -x "$bin/$program" ]; then PATH="$bin:$PATH"; fi
            done
        done
    fi
    export PATH
}

# The command lines that install these lines of `tools`.
plan_for() {
    manager=
    for known in apt-get dnf pacman brew; do
        if command -v "$known" >/dev/null; then
            manager=$known
            break
        fi
    done
    packages=$(printf '%s\n' "$1" | while read -r _ _ apt dnf pacman brew _; do
        case "$manager" in
        apt-get) printf '%s\n' "$apt" ;;
        dnf) printf '%s\n' "$dnf" ;;
        pacman) printf '%s\n' "$pacman" ;;
        *) printf '%s\n' "$brew" ;;
        esac
    done | grep -vx -e - | sort -u)
    case "$1" in
    *cargo*) rust=$(plan_for_rust) ;;
    *) rust= ;;
    esac
    case "$rust" in
    curl*) command -v curl >/dev/null || packages="curl $packages" ;;
    esac

    if printf '%s\n' "$packages" | grep -qx xcode; then
        printf '%s\n' "xcode-select --install  # opens a window; run this command again when it is done"
        packages=$(printf '%s\n' "$packages" | grep -vx xcode)
    fi
    if [ -n "$packages" ]; then
        if [ -z "$manager" ]; then
            say "None of apt-get, dnf, pacman and brew is here: install these by hand."
            return 1
        fi
        root=
        if [ "$manager" != brew ] && [ "$(id -u)" != 0 ]; then
            if ! command -v sudo >/dev/null; then
                say "To install packages takes root or sudo: run this command as root once, or install these by hand."
                return 1
            fi
            root='sudo '
        fi
        # shellcheck disable=SC2086 # a word a package
        set -- $packages
        case "$manager" in
        apt-get)
            list=$(printf '%s, ' "$@" | sed 's/, $//; s,/, | ,g')
            printf '%s\n' "${root}apt-get update -q" \
                "${root}env DEBIAN_FRONTEND=noninteractive apt-get satisfy -qy --no-install-recommends '$list'"
            ;;
        dnf) printf '%s\n' "${root}dnf install -y $*" ;;
        pacman) printf '%s\n' "${root}pacman -Syu --needed --noconfirm $*" ;;
        brew) printf '%s\n' "brew install $*" ;;
        esac
    fi
    if [ -n "$rust" ]; then printf '%s\n' "$rust"; fi
}

plan_for_rust() {
    if command -v rustup >/dev/null; then
        printf '%s' 'rustup update stable'
    elif command -v curl >/dev/null || ! command -v wget >/dev/null; then
        printf '%s' "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal"
    else
        printf '%s' "wget -qO- https://sh.rustup.rs | sh -s -- -y --profile minimal"
    fi
}
