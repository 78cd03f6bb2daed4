# What is taken from the distribution. Sourced, after dev/lib/progress.sh.
# shellcheck shell=bash

# apt_install <why> <package…>: as root; anybody else is told what root has to type.
apt_install() {
  local why=$1 policy=/usr/sbin/policy-rc.d
  shift
  command -v apt-get >/dev/null || fail "missing on this machine: $*; install what provides it with your package manager"
  ((EUID == 0)) ||
    fail "missing on this machine: $*; as root, type: apt-get update && apt-get install --no-install-recommends $*"
  say "Installing from apt, $why"
  # Packages with a daemon would start it at once (etcd and containerd on their default ports): nobody asked for that.
  if [[ ! -e $policy ]]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
  fi
  export DEBIAN_FRONTEND=noninteractive
  step "apt-get update" apt-get update -q
  step "apt-get install $*" apt-get install -q -y --no-install-recommends "$@"
}
