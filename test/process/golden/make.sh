#!/bin/sh
# Makes version-1.tar.gz: the data directories of two nodes as a program of format version 1 leaves them.
#
#   killed/   a node of three, killed: log and hints (for a node that was away) end where they end
#   stopped/  a node alone, stopped in order: with snapshots of its indexes
#
# Run once per format version and never again: what is in the archive is what users have on their
# disks. golden.test.ts reads it with the program of today.
set -eu
halo=$1
target=$PWD/$2
work=$(mktemp -d)
trap 'kill -9 $(cat "$work"/*/*.pid "$work"/*.pid 2>/dev/null) 2>/dev/null; rm -rf "$work"' EXIT
cd "$work"

wait_for() { until curl -sf "$1/readyz?for=write" >/dev/null; do sleep 0.1; done; }

fill() { # through the node at $1
  put() { curl -sf -X PUT "$@" >/dev/null; }
  put -H 'Content-Type: text/plain' -H 'Halo-Meta-Author: Ada' -d 'hello' "$1/kv/b/plain"
  put -d '' "$1/kv/b/empty"
  put -d 'one' "$1/kv/b/siblings"
  put -d 'two' "$1/kv/b/siblings"
  put -d 'odd' "$1/kv/b/%00%FF%2F"
  head -c 10000 /dev/zero | tr '\0' 'x' | put --data-binary @- "$1/kv/b/body"
  head -c 900000 /dev/zero | put --data-binary @- "$1/kv/b/large"
  curl -sf -X PUT -H 'Content-Type: application/json' -d '{"policy":"lww"}' "$1/buckets/last" >/dev/null
  put -d 'first' "$1/kv/last/write"
  put -d 'second' "$1/kv/last/write"
  put -d 'to be deleted' "$1/kv/b/gone"
  context=$(curl -s -o /dev/null -D - "$1/kv/b/gone" | tr -d '\r' | sed -n 's/^Halo-Context: //p')
  curl -sf -X DELETE -H "Halo-Context: $context" "$1/kv/b/gone" >/dev/null
}

"$halo" serve --data stopped --name alone --http 127.0.0.1:7970 --tcp 127.0.0.1:7971 --partitions 16 \
  --max-value-bytes 4000000 --snapshot-bytes 100000 >"$work/log" 2>&1 &
node=$!
echo $node >alone.pid
wait_for http://127.0.0.1:7970
fill http://127.0.0.1:7970
head -c 3000000 /dev/zero | curl -sf -X PUT --data-binary @- http://127.0.0.1:7970/kv/b/streamed >/dev/null
kill -TERM $node
wait $node || true

"$halo" dev --data three --http-port 7970 --tcp-port 7980 >"$work/log" 2>&1 &
echo $! >dev.pid
for port in 7970 7971 7972; do wait_for http://127.0.0.1:$port; done
sleep 3 # all three own the ring
fill http://127.0.0.1:7970
kill -9 "$(cat three/node-2.pid)"
for number in 1 2 3 4 5; do
  curl -sf -X PUT -d "missed by a node $number" "http://127.0.0.1:7970/kv/b/hinted-$number" >/dev/null
done
sleep 1
kill -9 "$(cat dev.pid)" "$(cat three/node-1.pid)" "$(cat three/node-3.pid)"
mv three/node-1 killed
rm -f killed/lock.* stopped/lock.*
tar --sort=name --owner=0 --group=0 --numeric-owner -czf "$target" killed stopped
ls -l "$target"
