# A fresh Debian in a folder, where no registry of images can be relied on. Sourced.
# shellcheck shell=bash

# debian <suite> <folder> [package…]: the smallest one, and these packages. Needs a folder of our own, which stays.
debian() {
  local suite=$1 root=$2 mirror="" packages
  shift 2
  packages=$(IFS=,; echo "$*")
  # The mirror that this machine itself uses, if it is Debian's; else the one that debootstrap knows.
  # shellcheck source=/dev/null
  if [[ $(. /etc/os-release && echo "$ID") == debian ]]; then
    # shellcheck disable=SC2016  # apt's own placeholders
    mirror=$(apt-get indextargets --format '$(SUITE) $(LABEL) $(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' |
      awk '$2 == "Debian" {print $3; exit}')
  fi
  # Documents and translations have no reader in a container.
  mkdir -p "$root/etc/dpkg/dpkg.cfg.d"
  printf 'path-exclude=/usr/share/%s/*\n' doc man info locale >"$root/etc/dpkg/dpkg.cfg.d/slim"
  unshare --mount debootstrap --variant=minbase ${packages:+--include="$packages"} "$suite" "$root" ${mirror:+"$mirror"}
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,info,locale}/* \
    "$root"/var/log/*
}

# The base image that the Dockerfile names.
debian_base() { sed -n 's/^ARG DEBIAN=//p' "$REPO/Dockerfile"; }
debian_suite() { sed -E 's/.*:([a-z]+)-.*/\1/' <<<"$1"; }
