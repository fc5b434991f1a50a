#!/bin/bash
# Shows that the demo leaves nothing behind: after its normal end, after Ctrl-C, and after kill -9 at random moments.
#
# usage: sudo test/demo/nothing_left.sh [KILLS] [SEED]     (10 kills; about 8 minutes)
#
# Runs in namespaces of its own, so that other work on this machine neither disturbs nor is counted; the judge is
# ../bed/leftovers.sh, which knows nothing about the demo. Cgroups are shared: one in which processes live is other work
# (a process of ours would be counted as a process). Exit status 0 only if nothing was left any time.
set -u
here=$(cd "$(dirname "$0")" && pwd)
if [ "${MOSIX_ALONE:-}" != yes ]; then
  MOSIX_ALONE=yes exec unshare --pid --mount --net --ipc --fork --kill-child --mount-proc bash "$0" "$@"
fi
mount -t tmpfs tmpfs /tmp && mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /dev/shm || exit 2
ip link set lo up
kills=${1:-10}
RANDOM=${2:-$$}
echo "seed ${2:-$$}"
cd "$here/../.." || exit 2
export NODE_DISABLE_COMPILE_CACHE=1 # npm's own, in /tmp
export PATH="$PWD/node_modules/.bin:$PATH" # the project's Node, as under npm
mkdir /run/judge
failed=0

# Drops the lines of cgroups that hold processes somewhere below the first directory of theirs that is new.
without_busy_cgroups() {
  local kind key top
  while read -r kind key rest; do
    if [ "$kind" = left ] && [ "$key" = cgroup ]; then
      top=$(sed -E 's|(/mosix-[^/]*).*|\1|' <<<"${rest%% *}")
      [ -n "$(find "$top" -name cgroup.procs -exec cat {} + 2>/dev/null)" ] && continue
      [ -d "$top" ] || continue
    fi
    echo "$kind $key $rest"
  done
}

# What is left now, into /run/judge/left.
look() {
  "$here/../bed/leftovers.sh" compare /run/judge/before --ignore /run/judge --wait 15 >/run/judge/all
  without_busy_cgroups </run/judge/all >/run/judge/left
}

# judge NAME EXIT: what is there now and was not there before the demo?
judge() {
  local name=$1 code=$2
  look
  # A cgroup of other work may be empty for the moment between its last process and its removal: what is ours stays.
  if [ -s /run/judge/left ]; then
    sleep 30
    look
  fi
  if [ ! -s /run/judge/left ]; then
    echo "ok    $name (exit status $code): nothing left"
  else
    echo "FAIL  $name (exit status $code)"
    sed 's/^/      /' /run/judge/left
    failed=1
  fi
}

node tools/build.ts --quiet
"$here/../bed/leftovers.sh" snapshot /run/judge/before
timeout 300 npm run --silent demo >/run/judge/out 2>&1
judge 'normal end' $?
timeout --foreground --signal=INT --kill-after=60 20 npm run --silent demo >/run/judge/out 2>&1
judge 'Ctrl-C after 20 s' $?
for ((i = 1; i <= kills; i++)); do
  moment=$((RANDOM % 450 + 5))
  npm run --silent demo >/run/judge/out 2>&1 &
  sleep "$((moment / 10)).$((moment % 10))"
  # the demo itself, not npm in front of it
  demo=$(pgrep -f '^[^ ]*node .*test/demo/demo.ts' | head -n 1)
  [ -n "$demo" ] && kill -9 "$demo"
  wait $!
  judge "kill -9 after $((moment / 10)).$((moment % 10)) s${demo:+ of process $demo}" $?
done
exit $failed
