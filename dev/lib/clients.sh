# kubectl and helm: this machine's own where they suit the cluster, else built ones. Sourced, after settings and progress.
# shellcheck shell=bash

HELM_OLDEST=v3.17.0               # knows --take-ownership

at_least() { printf '%s\n' "$1" "$2" | sort -V -C; }

# kubectl is good for servers one minor apart. `kubectl version` names its own in several ways; GitVersion is in all of them.
kubectl_suits() {
  local minor wanted=${KUBERNETES_VERSION#v1.}
  wanted=${wanted%%.*}
  minor=$("$1" version --client --output json 2>/dev/null | sed -nE 's/.*"gitVersion": *"v1\.([0-9]+)\..*/\1/p')
  [[ -n $minor ]] && ((minor >= wanted - 1 && minor <= wanted + 1))
}
helm_suits() { at_least "$HELM_OLDEST" "$("$1" version --template '{{.Version}}' 2>/dev/null)"; }

# Builds what this machine lacks of the two.
clients() {
  local needed=() name own
  for name in kubectl helm; do
    if own=$(type -P "$name") && ! "${name}_suits" "$own"; then
      note "$own does not suit Kubernetes ${KUBERNETES_VERSION%.*}; the cluster gets one of its own"
      own=""
    fi
    [[ -n $own ]] || needed+=("$name")
  done
  "$REPO/dev/tools/build" "${needed[@]}"
}
