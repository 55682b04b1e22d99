#!/bin/sh
# Other people's Odoo clients against the event module: Python's xmlrpc.client, Debian's python3-odoorpc, and from npm
# odoo-await and odoo-xmlrpc. With URL DB USER PASSWORD as arguments, against that server instead.
# Needs the network once: apt-get install python3-odoorpc, npm.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
served=
finish() {
	[ -z "$served" ] || kill "$served" 2>/dev/null || true
	[ -z "$served" ] || wait "$served" 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT INT TERM

if [ $# -eq 4 ]; then
	url=$1 db=$2 user=$3 password=$4
else
	url=http://127.0.0.1:18069 db=odoo user=admin password=admin
	(cd "$root" && go build -o "$work/ribambelle" .)
	RIBAMBELLE_HOME="$work/home" "$work/ribambelle" odoo serve --listen 127.0.0.1:18069 --db "$db" --user "$user" --password "$password" >"$work/log" 2>&1 &
	served=$!
	tries=0
	until grep -q "answers on" "$work/log"; do
		tries=$((tries + 1))
		[ "$tries" -lt 120 ] || { cat "$work/log"; exit 1; }
		sleep 0.5
	done
fi

python3 "$here/python_xmlrpc.py" "$url" "$db" "$user" "$password"
if /usr/bin/python3 -c 'import odoorpc' 2>/dev/null; then
	/usr/bin/python3 "$here/odoorpc_client.py" "$url" "$db" "$user" "$password"
else
	echo "odoorpc: not installed (apt-get install python3-odoorpc)" >&2
	exit 1
fi
cd "$work"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent odoo-await@3.4.1 odoo-xmlrpc@1.0.8
NODE_PATH="$work/node_modules" node "$here/npm_clients.cjs" "$url" "$db" "$user" "$password"
