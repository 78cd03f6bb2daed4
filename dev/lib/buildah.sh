# buildah, kept apart from the machine's own images, and in a mount namespace so that it leaves no mount behind. Sourced.
# shellcheck shell=bash

export BUILDAH_ISOLATION=chroot
buildah_driver=overlay
mkdir -p "$CACHE"
[[ $(stat -f -c %T "$CACHE") != overlayfs ]] || buildah_driver=vfs

buildah() {
  unshare --mount buildah --root "$CACHE/buildah" --runroot "$CACHE/buildah-run" --storage-driver "$buildah_driver" "$@"
}
