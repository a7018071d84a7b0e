#!/bin/sh
# Put what was built where it belongs: install.sh BUILD DESTDIR PREFIX VERSION. Called by `make install`.
# Replaces files by rename (install does), so that running programs keep theirs. Writes nothing outside DESTDIR.
set -eu
build=$1 dest=$2 prefix=$3 version=$4
major=${version%%.*}
cd "$(dirname "$0")/.."
case $prefix in /*) ;; *) echo "install.sh: PREFIX must be absolute: $prefix" >&2; exit 2 ;; esac

put() { # mode, folder below the prefix, files...
    mode=$1 folder=$dest$prefix/$2
    shift 2
    install -d "$folder"
    for file; do
        [ ! -e "$file" ] || install -m "$mode" "$file" "$folder/"
    done
}
fill() { sed -e "s|@PREFIX@|$prefix|g" -e "s|@VERSION@|$version|g" "$1"; }

put 755 bin "$build/sunlined" "$build/sunline-agent" "$build/sunline"
put 644 include client/sunline.h client/sunline_quality.h client/sunline_forecast.h
put 644 lib "$build/libsunline.a"
install -m 644 "$build/libsunline.so" "$dest$prefix/lib/libsunline.so.$version"
ln -sfn "libsunline.so.$version" "$dest$prefix/lib/libsunline.so.$major"
ln -sfn "libsunline.so.$major" "$dest$prefix/lib/libsunline.so"

install -d "$dest$prefix/lib/pkgconfig" "$dest$prefix/lib/systemd/system"
fill deploy/sunline.pc.in >"$dest$prefix/lib/pkgconfig/sunline.pc"
chmod 644 "$dest$prefix/lib/pkgconfig/sunline.pc"
for unit in deploy/systemd/*.service deploy/systemd/*.socket deploy/systemd/*.timer; do
    [ -e "$unit" ] || continue
    # The units name /usr/local/bin; an installation elsewhere has its own path.
    fill "$unit" | sed "s|/usr/local/bin/|$prefix/bin/|g" >"$dest$prefix/lib/systemd/system/${unit##*/}"
    chmod 644 "$dest$prefix/lib/systemd/system/${unit##*/}"
done

for page in docs/man/*.[1-8]; do
    [ ! -e "$page" ] || put 644 "share/man/man${page##*.}" "$page"
done
put 644 share/doc/sunline README.md CHANGELOG.md LICENSE docs/*.md proto/PROTOCOL.md
put 644 share/doc/sunline/adr docs/adr/*.md
put 644 share/doc/sunline/examples client/examples/*.c deploy/examples/*.yml deploy/examples/*.csv
put 755 share/doc/sunline/examples deploy/examples/*.py deploy/examples/*.sh
if [ -z "$dest" ] && [ "$(id -u)" -eq 0 ]; then
    ldconfig # so that programs find the shared library
fi
echo "installed below $dest$prefix"
