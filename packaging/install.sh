#!/bin/sh
# Installs banger: fetches a release, verifies it, and hands over to `banger system install`.
#
#   sudo sh install.sh --owner alice
#
# Nothing is taken on trust of where it came from. With minisign on the machine, the signed manifest
# is checked against the public key below, and the archive against the manifest; without it, the
# archive is checked against the sha256 below. There is no way around both.
#
# All of it stands in functions, and the last line calls them: half a download does nothing.
set -eu

# ---- filled in by the release tool; as long as a @ stands in one, it counts for nothing
release_url='@release_url@'
public_key='@public_key@'
version='@version@'
sha256_x86_64='@sha256_x86_64@'
sha256_aarch64='@sha256_aarch64@'
# ----
product=banger
channel=stable

# The caps of banger itself, in bytes.
manifest_limit=1048576
signature_limit=16384
archive_limit=536870912

# Exit codes, as `banger --help` lists them.
usage=2
not_permitted=3
host_lacks=5
refused=6
unreachable=7

help() {
    cat <<'HELP'
Fetches a release of banger, verifies it, and installs it with `banger system install`

Usage: sudo sh install.sh [--from DIR|URL] [WORDS FOR banger system install]
       sh install.sh --unpack DIR [--from DIR|URL]

Options:
  --from DIR|URL   take the release from a folder on this machine, or from another https address
  --unpack DIR     only verify, and unpack into DIR, which must not exist
  --help           this text

Examples:
  sudo sh install.sh --owner alice
  sudo sh install.sh --from ./public --owner alice
  sh install.sh --unpack ./banger

The signature is checked with minisign, or where that is missing the sha256 that stands in this
script. The list of signing keys (keys.json) is not read: a key that was revoked after this script was
made is still taken here. Take the newest script; once installed, banger itself honours the list.
Exit codes are those of banger:
  0 done   1 other failure   2 usage   3 not permitted   5 the machine lacks something
  6 release refused   7 no release source, or not reachable
HELP
}

# fail CODE MESSAGE HINT
fail() {
    printf 'error: %s\n' "$2" >&2
    printf '  hint:  %s\n' "$3" >&2
    exit "$1"
}

refuse() {
    fail "$refused" "$1" "${2:-do not use this release; tell its publisher}"
}

say() {
    printf '%s\n' "$*" >&2
}

has() {
    command -v "$1" >/dev/null 2>&1
}

# Whether a pinned value is there.
pinned() {
    case $1 in
        '' | *@*) return 1 ;;
    esac
}

check_machine() {
    [ "$(uname -s)" = Linux ] || fail "$host_lacks" 'banger runs on Linux only' 'uname -s'
    case $(uname -m) in
        x86_64) target=x86_64-unknown-linux-gnu sum=$sha256_x86_64 ;;
        aarch64) target=aarch64-unknown-linux-gnu sum=$sha256_aarch64 ;;
        *)
            fail "$host_lacks" "there is no banger for $(uname -m)" \
                'releases are for x86_64 and aarch64'
            ;;
    esac
    for program in awk date grep gzip head id mktemp sed sha256sum tar tr wc; do
        has "$program" || fail "$host_lacks" "this machine lacks $program" \
            'install it with the package manager'
    done
}

# Installing wants root and systemd; unpacking does not.
check_may_install() {
    if [ "$(id -u)" -ne 0 ]; then
        fail "$not_permitted" 'only root can install banger' "sudo sh install.sh $*"
    fi
    if [ ! -d /run/systemd/system ]; then
        fail "$host_lacks" 'systemd does not run this machine' \
            'banger needs systemd as PID 1; to unpack only: --unpack DIR'
    fi
}

# Which way the release is verified; refuses when nothing is pinned to hold it against.
choose_way() {
    pinned "$version" || refuse 'no version is pinned in this script' \
        'take install.sh from a published release, not from the sources'
    if pinned "$public_key" && has minisign; then
        way=signature
    elif pinned "$sum"; then
        way=sum
        case $sum in *[!0-9a-f]*) refuse 'the sha256 pinned in this script is none' ;; esac
        [ "${#sum}" -eq 64 ] || refuse 'the sha256 pinned in this script is none'
    elif pinned "$public_key"; then
        fail "$host_lacks" "minisign is not installed, and no sha256 for $target is pinned" \
            'install minisign with the package manager'
    else
        refuse "neither a public key nor a sha256 for $target is pinned in this script" \
            'take install.sh from a published release, not from the sources'
    fi
}

# https with a host, http with a literal loopback address; no password, query or fragment.
check_url() {
    url=$1
    case $url in
        *[!-A-Za-z0-9._~:/%+,=\[\]]*)
            fail "$usage" "not an address of releases: $url" \
                'no user name, query, fragment or blank may stand in it'
            ;;
    esac
    host=${url#*://}
    host=${host%%/*}
    case $url in
        https://?*) [ -n "$host" ] && return ;;
        'http://[::1]' | 'http://[::1]/'* | 'http://[::1]:'*) return ;;
        http://127.*)
            host=${host%:*}
            case $host in
                *[!0-9.]*) ;;
                127.*.*.*) return ;;
            esac
            ;;
    esac
    fail "$usage" "not an address of releases: $url" \
        'only https is safe (http: loopback addresses only)'
}

# Where files come from: sets `folder` or `base`.
choose_source() {
    folder='' base=''
    if [ -z "$from" ]; then
        pinned "$release_url" || fail "$unreachable" 'no release source is pinned in this script' \
            'take install.sh from a published release, or name a source: --from DIR|URL'
        from=$release_url
    fi
    case $from in
        *'{channel}'*) from=${from%%'{channel}'*}$channel${from#*'{channel}'} ;;
    esac
    case $from in
        *://*)
            base=${from%/manifest.json}
            base=${base%/}
            check_url "$base"
            choose_client
            ;;
        *)
            folder=$from
            [ -d "$folder" ] || fail "$usage" "there is no folder $folder" 'ls'
            ;;
    esac
}

# BusyBox's wget neither checks certificates nor can be kept from redirects.
choose_client() {
    if has curl; then
        client=curl
    elif has wget && wget --version 2>/dev/null | grep -q 'GNU Wget'; then
        client=wget
    else
        fail "$host_lacks" 'neither curl nor GNU wget is installed' \
            'install curl, or fetch the release by hand: --from DIR'
    fi
}

# Asks for a URL, and writes what comes to standard output. An https address leads to https alone.
ask() {
    case $client:$1 in
        curl:https:*)
            curl -q --fail --silent --show-error --proto '=https' --tlsv1.2 --location \
                --proto-redir '=https' --max-redirs 4 --connect-timeout 30 --max-time 1800 \
                --speed-limit 1024 --speed-time 30 -- "$1"
            ;;
        curl:*)
            curl -q --fail --silent --show-error --proto '=http' --noproxy '*' --globoff \
                --connect-timeout 30 --max-time 1800 --speed-limit 1024 --speed-time 30 -- "$1"
            ;;
        wget:https:*)
            # it cannot tell a redirect to https from one to http, so it follows none
            limited wget --no-config --no-verbose --max-redirect=0 --tries=1 --timeout=30 \
                --output-document=- -- "$1"
            ;;
        wget:*)
            limited wget --no-config --no-verbose --max-redirect=0 --tries=1 --timeout=30 \
                --no-proxy --output-document=- -- "$1"
            ;;
    esac
}

# Runs a program under an overall deadline, where there is one to be had.
limited() {
    if has timeout; then
        timeout 1800 "$@"
    else
        "$@"
    fi
}

# bring WHAT LIMIT FILE: copies or fetches WHAT (a name, or a URL of its own) to FILE, no more than
# LIMIT bytes. Fails when there is no such file; ends the script when it cannot be asked for.
bring() {
    if [ -n "$folder" ]; then
        [ -f "$folder/$1" ] || return 1
        head -c "$(($2 + 1))" <"$folder/$1" >"$3"
    else
        case $1 in
            *://*) address=$1 ;;
            *) address=$base/$1 ;;
        esac
        # the status of the first program in a pipe is lost otherwise
        {
            status=0
            ask "$address" 2>"$temp/said" </dev/null || status=$?
            echo "$status" >"$temp/status"
        } | head -c "$(($2 + 1))" >"$3"
        status=$(cat "$temp/status")
    fi
    if [ "$(wc -c <"$3")" -gt "$2" ]; then
        refuse "${1##*/} is longer than the $2 bytes that it may have"
    fi
    [ -z "$folder" ] || return 0
    case $client:$status in
        *:0) ;;
        # the server answered, and has no such file
        curl:22 | wget:8) return 1 ;;
        curl:1) refuse "$address leads to a place without TLS" 'ask who runs the source' ;;
        *)
            fail "$unreachable" "cannot fetch $address: $(tail -n 1 "$temp/said")" \
                'check the address and the network, or fetch the release by hand: --from DIR'
            ;;
    esac
}

# Each value of a JSON text on a line of its own: path, tab, value as it is written. It reads no
# escapes but \" and \\, which is enough: names with others are not the names that are looked for.
flatten() {
    LC_ALL=C awk '
        BEGIN { RS = "\""; depth = 0; path[0] = "" }
        function name() { return kind[depth] == "[" ? at[depth] : key[depth] }
        function tell(value) {
            gsub(/[\t\r\n]/, "?", value)
            print path[depth] "." name() "\t" value
        }
        function word_ends() {
            if (word != "") tell(word)
            word = ""
        }
        inside {
            text = text $0
            match($0, /\\*$/)
            if (RLENGTH % 2) { text = text "\""; next }
            inside = 0
            if (kind[depth] == "{" && wants_key) { key[depth] = text; wants_key = 0 }
            else tell(text)
            next
        }
        {
            for (i = 1; i <= length($0); i++) {
                c = substr($0, i, 1)
                if (c == "{" || c == "[") {
                    below = depth ? path[depth] "." name() : ""
                    path[++depth] = below; kind[depth] = c; at[depth] = 0
                    wants_key = c == "{"
                } else if (c == "}" || c == "]") {
                    word_ends()
                    if (--depth < 0) exit 1
                    wants_key = 0
                } else if (c == ",") {
                    word_ends()
                    at[depth]++
                    wants_key = kind[depth] == "{"
                } else if (c !~ /[ \t\r\n:]/) word = word c
            }
            inside = 1; text = ""
        }
        END { if (depth) exit 1 }
    ' "$1"
}

# The value at a path, which must stand there exactly once.
value() {
    awk -F '\t' -v path="$1" '
        $1 == path { found = $2; count++ }
        END { if (count != 1) exit 1; print found }
    ' "$temp/flat" || refuse "the release's manifest has no single ${1##*.}"
}

# kind, name, url, size and digest of the archive for the target, a line each: of the one that brings a
# list of what belongs in it, and where there is none such, of the one without. None may be there twice.
artefact() {
    awk -F '\t' -v target="$target" '
        $1 ~ /^\.releases\.0\.assets\.[0-9]+\.[a-z_]+$/ {
            split($1, part, ".")
            if ((part[5], part[6]) in seen) exit 1
            seen[part[5], part[6]] = $2
            if (part[5] + 0 > last) last = part[5] + 0
        }
        END {
            for (i = 0; i <= last; i++)
                if (seen[i, "target"] == target) { place[seen[i, "kind"]] = i; count[seen[i, "kind"]]++ }
            kind = count["bundle"] ? "bundle" : "release"
            if (count[kind] != 1) exit 1
            found = place[kind]
            print kind; print seen[found, "name"]; print seen[found, "url"]
            print seen[found, "size"]; print seen[found, "digest"]
        }
    ' "$temp/flat"
}

# Whether version $1 is older than version $2, by semver's order.
is_older() {
    awk -v left="$1" -v right="$2" '
        function compare(a, b) {
            if (a ~ /^[0-9]+$/ && b ~ /^[0-9]+$/) return a + 0 < b + 0 ? -1 : a + 0 > b + 0
            if (a ~ /^[0-9]+$/) return -1
            if (b ~ /^[0-9]+$/) return 1
            return a "" < b "" ? -1 : a "" > b ""
        }
        function order(a, b,    pre_a, pre_b, x, y, n, m, i, result) {
            sub(/\+.*/, "", a); sub(/\+.*/, "", b)
            if (i = index(a, "-")) { pre_a = substr(a, i + 1); a = substr(a, 1, i - 1) }
            if (i = index(b, "-")) { pre_b = substr(b, i + 1); b = substr(b, 1, i - 1) }
            split(a, x, "."); split(b, y, ".")
            for (i = 1; i <= 3; i++) if (result = compare(x[i], y[i])) return result
            if (pre_a == pre_b) return 0
            if (pre_a == "") return 1
            if (pre_b == "") return -1
            n = split(pre_a, x, "."); m = split(pre_b, y, ".")
            for (i = 1; i <= n && i <= m; i++) if (result = compare(x[i], y[i])) return result
            return n < m ? -1 : n > m
        }
        BEGIN { exit order(left, right) < 0 ? 0 : 1 }
    '
}

# A signature file holds one to eight signatures of four lines each; one by the pinned key counts.
check_signature() {
    legacy=''
    number=0
    while [ "$number" -lt 8 ]; do
        sed -n "$((number * 4 + 1)),$((number * 4 + 4))p" "$temp/manifest.json.minisig" \
            >"$temp/one.minisig"
        [ -s "$temp/one.minisig" ] || break
        number=$((number + 1))
        # base64 of the algorithm: "ED" is prehashed, "Ed" is legacy, which minisign would take
        case $(sed -n 2p "$temp/one.minisig") in
            RU[QRST]*) ;;
            RW[QRST]*) legacy=yes && continue ;;
            *) continue ;;
        esac
        if minisign -V -q -P "$public_key" -m "$temp/manifest.json" -x "$temp/one.minisig" \
            >/dev/null 2>&1 </dev/null; then
            return
        fi
    done
    if [ -n "$legacy" ]; then
        refuse "the manifest is signed in minisign's legacy format, which is not taken"
    fi
    refuse 'the manifest is not signed by the key that is pinned in this script' \
        'fetch it again; if it stays so, do not use this source'
}

# Holds the signed manifest against what is expected, and sets what the archive must be.
read_manifest() {
    flatten "$temp/manifest.json" >"$temp/flat" || refuse "the release's manifest cannot be read"
    found=$(value .schema)
    [ "$found" = 1 ] || refuse "the release's manifest has schema $found" 'take a newer install.sh'
    found=$(value .product)
    [ "$found" = "$product" ] || refuse "the release is of $found, not of $product"
    found=$(value .channel)
    [ "$found" = "$channel" ] || refuse "the release is for channel $found, not for $channel"
    found=$(value .expires)
    check_expiry "$found"
    found=$(value .releases.0.version)
    case $found in
        '' | *[!-0-9A-Za-z.+]*) refuse "the release's version is none" ;;
    esac
    if is_older "$found" "$version"; then
        refuse "release $found is older than this script, which is of $version" \
            'the source offers an old release: ask who runs it'
    fi
    version=$found
    artefact >"$temp/artefact" || refuse "release $version has no single archive for $target" \
        'ask the publisher for a release for this machine (uname -m)'
    {
        read -r kind
        read -r name
        read -r url
        read -r size
        read -r digest
    } <"$temp/artefact"
    check_artefact
}

check_expiry() {
    case $1 in
        [0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]*Z) ;;
        *) refuse 'it cannot be told when the manifest expires' ;;
    esac
    expires=$(printf '%s' "${1%Z}" | head -c 19 | tr -cd 0-9)
    if [ "$expires" -le "$(date -u +%Y%m%d%H%M%S)" ]; then
        refuse "the manifest expired at $1" \
            'if the clock is right (date), the source is out of date: ask who runs it'
    fi
}

# What the archive of a kind is called.
archive_name() {
    case $kind in
        bundle) echo "$product-$version-$target.bundle.tar.gz" ;;
        *) echo "$product-$version-$target.tar.gz" ;;
    esac
}

check_artefact() {
    [ "$name" = "$(archive_name)" ] ||
        refuse "the archive of release $version is called $name"
    case $size in
        '' | 0* | *[!0-9]* | ??????????*) refuse "the archive's size is $size" ;;
    esac
    [ "$size" -le "$archive_limit" ] || refuse "the archive's size is $size"
    sum=${digest#sha256:}
    case $digest in
        sha256:*[!0-9a-f]*) refuse "the archive's digest is $digest" ;;
        sha256:*) [ "${#sum}" -eq 64 ] || refuse "the archive's digest is $digest" ;;
        *) refuse "the archive's digest is $digest" ;;
    esac
    # a folder holds it under its name
    [ -z "$folder" ] || url=$name
    case $url in
        *://*)
            case $base:$url in
                https:*:http:*) refuse 'the manifest leads from https to http' ;;
            esac
            check_url "$url"
            ;;
        '' | /* | *..* | *[!-A-Za-z0-9._/]*) refuse "the archive's address is $url" ;;
    esac
}

# Without a manifest its name tells which kind of archive there is; the pinned sum is of one of them.
bring_by_name() {
    for kind in bundle release; do
        name=$(archive_name)
        ! bring "$name" "$archive_limit" "$temp/archive" || return 0
    done
    fail "$unreachable" "there is no $name in $from" 'check the address'
}

# Brings the archive to $temp/archive, and sees that it is the one that was signed or pinned.
bring_archive() {
    if [ "$way" = signature ]; then
        bring manifest.json "$manifest_limit" "$temp/manifest.json" ||
            fail "$unreachable" "there is no manifest.json in $from" 'check the address'
        bring manifest.json.minisig "$signature_limit" "$temp/manifest.json.minisig" ||
            refuse 'the release is not signed: it has no manifest.json.minisig'
        check_signature
        read_manifest
        bring "$url" "$size" "$temp/archive" ||
            fail "$unreachable" "there is no $name in $from" 'check the address'
    else
        bring_by_name
    fi
    if [ "$way" = signature ] && [ "$(wc -c <"$temp/archive")" -ne "$size" ]; then
        refuse "$name does not have the $size bytes that were signed"
    fi
    actual=$(sha256sum <"$temp/archive")
    [ "${actual%% *}" = "$sum" ] || refuse "$name has sha256 ${actual%% *}, and should have $sum" \
        'fetch it again; if it stays so, do not use this source'
}

# Sees that the archive holds programs and units, and nothing else; one with a list holds that first, and
# files that are shared. No part of a path begins with a dot.
check_names() {
    tar -tzf "$temp/archive" </dev/null >"$temp/names" 2>/dev/null ||
        refuse "$name cannot be unpacked"
    belongs='(bin|units)/[a-z][a-z.-]*'
    if [ "$kind" = bundle ]; then
        [ "$(head -n 1 "$temp/names")" = release.json ] ||
            refuse "$name does not begin with the list of what belongs in it"
        part='[A-Za-z0-9_+@:-][A-Za-z0-9_.+@:-]*'
        belongs="release[.]json|bin/$part|units/$part|share(/$part)+"
    fi
    if grep -Eqv "^($belongs)\$" "$temp/names"; then
        refuse "$name holds what does not belong in a release"
    fi
}

# Unpacks the archive into a new folder.
unpack() {
    mkdir -- "$1" || fail 1 "cannot make $1" 'name a folder that can be made'
    if ! tar -xzopf "$temp/archive" -C "$1" </dev/null; then
        rm -rf -- "$1"
        fail 1 "cannot unpack to $1" 'df -h'
    fi
}

# The program itself must say that it is the version that was verified.
check_program() {
    said=$("$1/bin/banger" --version </dev/null 2>/dev/null) || fail "$host_lacks" \
        "cannot run $1/bin/banger" 'if that folder is mounted noexec: TMPDIR=/root sh install.sh'
    [ "$said" = "$product $version" ] || refuse "the program in release $version says: $said"
}

main() {
    from='' unpack_to='' client=''
    count=$#
    while [ "$count" -gt 0 ]; do
        word=$1
        shift
        count=$((count - 1))
        case $word in
            --from | --unpack)
                if [ "$count" -eq 0 ] || [ -z "$1" ]; then
                    fail "$usage" "$word needs a value" 'sh install.sh --help'
                fi
                if [ "$word" = --from ]; then from=$1; else unpack_to=$1; fi
                shift
                count=$((count - 1))
                ;;
            --help | -h) help && exit ;;
            *) set -- "$@" "$word" ;;
        esac
    done
    check_machine
    if [ -z "$unpack_to" ]; then
        check_may_install "$@"
    elif [ $# -gt 0 ]; then
        fail "$usage" "$1 means nothing with --unpack" 'sh install.sh --help'
    elif [ -e "$unpack_to" ] || [ -L "$unpack_to" ]; then
        fail "$usage" "$unpack_to exists" 'name a folder that does not'
    fi
    choose_way
    choose_source

    umask 022
    temp=$(mktemp -d) || fail 1 'cannot make a temporary folder' 'df -h /tmp'
    trap 'rm -rf "$temp"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' HUP TERM
    bring_archive
    check_names
    say "verified: banger $version, by its $way"
    if [ "$way" = signature ]; then
        say 'note: the list of signing keys was not read; a key revoked since this script was made counts'
    fi
    if [ -n "$unpack_to" ]; then
        unpack "$unpack_to"
        say "unpacked to $unpack_to; next: sudo $unpack_to/bin/banger system install"
        return
    fi
    unpack "$temp/release"
    check_program "$temp/release"
    "$temp/release/bin/banger" system install "$@"
}

# in braces, so that not even this line can be cut to one that does something else
{ main "$@"; }
