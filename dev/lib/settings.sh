# Every name, version and folder of the development cluster, in one place. Sourced, never run.
# shellcheck shell=bash disable=SC2034  # the sourcing scripts use what is set here

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
STATE=${BORG_DEV_STATE:-$REPO/dev/.state}
CACHE=${BORG_DEV_CACHE:-${XDG_CACHE_HOME:-${HOME:?is not set, and neither is BORG_DEV_CACHE}/.cache}/borg-operator}
UV_VERSION=0.13.9                 # installed where there is none, or only one older than UV_OLDEST
UV_OLDEST=0.13.0

KUBERNETES_VERSION=$(awk '$1 == "k8s.io/kubernetes" {print $2; exit}' "$REPO/dev/tools/go.mod")
# Of the images that kind's release names for this very version of kind (dev/tools/programs), the one of our Kubernetes' minor.
KIND_NODE_IMAGE=${BORG_DEV_KIND_NODE_IMAGE:-kindest/node:v1.34.11@sha256:44e222ee2132dab25ff87301682f89eb82c7880ea3a1bf543bfe9708fd08d67d}

IMAGE_PREFIX=${BORG_DEV_IMAGE_PREFIX:-ghcr.io/borg-operator}
IMAGE_TAG=${BORG_DEV_IMAGE_TAG:-dev}
IMAGES=(operator api runner sshd)

RELEASE=borg-operator             # the Helm release, and the operator's Deployment
FACADE=$RELEASE-api               # the facade's Deployment and Service
RELEASE_NAMESPACE=borg-system     # where both run
DEMO_NAMESPACE=borg-demo          # where a newcomer plays; `make up` creates it
OURS=borg-dev/made-by=make-up     # the label of namespaces that may go with `make down`

# The facade's port on nodes; and on this machine, where that is another one, so that several checkouts do not meet.
# A checkout that was moved keeps the name that its cluster got; a copy of one that is still there gets its own.
PLACE=$(cat "$STATE/place" 2>/dev/null || echo "$REPO")
[[ $PLACE -ef $REPO || ! -e $PLACE/dev/cluster ]] || PLACE=$REPO
CHECKOUT=$(cksum <<<"$PLACE" | cut -d ' ' -f 1)
FACADE_NODE_PORT=30500
FACADE_HOST_PORT=${BORG_DEV_FACADE_PORT:-$((20000 + CHECKOUT % 10000))}

# What dev/tools builds, by what it was built from: kubectl, helm, kind and, for the local driver, Kubernetes.
TOOLS=$CACHE/tools-$KUBERNETES_VERSION-$(cat "$REPO"/dev/tools/{build,programs,go.mod,go.sum,*/main.go} | sha256sum | cut -c 1-10)

# What dev/csi builds: the CSI driver of the local cluster and its sidecars.
CSI_TOOLS=$CACHE/csi-$(cat "$REPO"/dev/csi/{build,go.mod,go.sum,driver/*.go} | sha256sum | cut -c 1-10)

# The local driver's one node. It lives in namespaces of its own, so of all this only the link, the subnet of HOST_IP,
# the firewall table and the control group are visible on the machine. Clusters of several checkouts differ in their
# number, which the driver chooses: 0, 1, 2…
NUMBER=$(cat "$STATE/number" 2>/dev/null || echo 0)
NODE=borg-dev
LINK=borg-dev$NUMBER              # the machine's end of the cable into the node
FIREWALL_TABLE=borg-dev$NUMBER
CGROUP=borg-dev$NUMBER
HOST_IP=10.213.$NUMBER.1
NODE_IP=${BORG_DEV_NODE_IP:-10.213.$NUMBER.2}
API_PORT=${BORG_DEV_API_PORT:-6443}
ETCD_PORT=${BORG_DEV_ETCD_PORT:-2379}
ETCD_PEER_PORT=${BORG_DEV_ETCD_PEER_PORT:-2380}
POD_SUBNET=10.214.0.0/16
SERVICE_SUBNET=10.215.0.0/16
SERVICE_IP=10.215.0.1             # of the service "kubernetes": the first of its subnet
CONTAINERS=$CACHE/containerd$NUMBER    # containerd's images and layers; they outlive the cluster
VOLUMES=40                        # PersistentVolumes that wait for claims
CSI_DRIVER=folders.csi.dev        # the CSI driver, as dev/csi/driver calls itself
KIND_CLUSTER=borg-dev-$CHECKOUT
