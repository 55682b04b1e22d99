#!/bin/sh
# Installs what "make run" or "make test" needs and this machine lacks; does nothing when all is there.
# usage: scripts/install.sh run|test
set -eu

say() { printf '%s\n' "$*" >&2; }

has_postgres() {
	ls /usr/lib/postgresql/*/bin/postgres /usr/pgsql-*/bin/postgres /opt/homebrew/opt/postgresql@*/bin/postgres >/dev/null 2>&1 ||
		command -v postgres >/dev/null 2>&1
}
has_chromium() {
	for name in chromium chromium-browser google-chrome google-chrome-stable; do
		command -v "$name" >/dev/null 2>&1 && return 0
	done
	return 1
}
has_fonts() {
	[ -n "$(find /usr/share/fonts /usr/local/share/fonts /Library/Fonts -name '*.[to]tf' 2>/dev/null | head -n 1)" ]
}

missing=
has_postgres || missing="postgresql"
if [ "$1" = test ]; then
	has_chromium || missing="$missing chromium"
	has_fonts || missing="$missing fonts-dejavu-core"
	command -v flock >/dev/null 2>&1 || missing="$missing util-linux"
fi
[ -n "$missing" ] || exit 0

id=$(. /etc/os-release 2>/dev/null && echo "${ID:-}" || true)
if [ "$id" != debian ]; then
	say "This machine lacks:$(printf ' %s' $missing) (names of Debian's packages), and only Debian is installed by itself. Please run:"
	case $id in
	ubuntu) say "  sudo apt-get install postgresql fonts-dejavu-core && sudo snap install chromium" ;;
	fedora | rhel | centos | rocky | almalinux) say "  sudo dnf install postgresql-server chromium dejavu-sans-fonts util-linux" ;;
	arch) say "  sudo pacman -S postgresql chromium ttf-dejavu util-linux" ;;
	*) say "  (macOS) brew install postgresql@15 flock && brew install --cask google-chrome
  (elsewhere) install the server programs of PostgreSQL 15 or later, Chromium or Chrome with a TrueType font, and flock" ;;
	esac
	exit 1
fi

as_root=
if [ "$(id -u)" != 0 ]; then
	if ! command -v sudo >/dev/null 2>&1; then
		say "This machine lacks:$(printf ' %s' $missing). Please run as root: apt-get install$(printf ' %s' $missing)"
		exit 1
	fi
	as_root=sudo
fi

apt() {
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 "$@" >>"$log" 2>&1 || {
		tail -n 20 "$log" >&2
		say "apt-get $1 did not succeed; its whole output is in $log"
		exit 1
	}
}

log=$(mktemp /tmp/ribambelle-install.XXXXXX)
say "Installing with apt-get:$(printf ' %s' $missing) …"
apt update
case $missing in
*postgresql*)
	# Only the server's programs are wanted: Debian's own cluster on port 5432 is neither made nor started.
	if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
		apt install --no-install-recommends postgresql-common
		conf=/etc/postgresql-common/createcluster.conf
		$as_root cp -p "$conf" "$conf.ribambelle"
		trap '$as_root mv "$conf.ribambelle" "$conf"' EXIT
		echo "create_main_cluster = false" | $as_root tee -a "$conf" >/dev/null
	fi
	;;
esac
# shellcheck disable=SC2086 # a list of words
apt install --no-install-recommends $missing
rm -f "$log"
say "Installed."
