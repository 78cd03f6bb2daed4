// Command etcd is the API server's store in the node image that dev/engine/node-image makes: the distribution's own is too old
// for what kubeadm tells it. As a package here it shares its dependencies with Kubernetes.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
