// Command dns is CoreDNS with the four plugins that a cluster needs. The stock binary links the SDKs of three clouds,
// which would take longer to compile than everything else here but Kubernetes.
package main

import (
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/forward"
	_ "github.com/coredns/coredns/plugin/kubernetes"

	"github.com/coredns/coredns/coremain"
)

func main() {
	coremain.Run()
}
