// A CSI driver for development clusters: a volume is a folder, a snapshot or clone is a copy of it.
package main

import (
	"context"
	"flag"
	"log"
	"net"
	"os"
	"path/filepath"
	"sync"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

const name = "folders.csi.dev"

type driver struct {
	csi.UnimplementedIdentityServer
	csi.UnimplementedControllerServer
	csi.UnimplementedNodeServer
	registration.UnimplementedRegistrationServer
	mutex          sync.Mutex
	root, node, at string
}

func (d *driver) GetPluginInfo(context.Context, *csi.GetPluginInfoRequest) (*csi.GetPluginInfoResponse, error) {
	return &csi.GetPluginInfoResponse{Name: name, VendorVersion: "dev"}, nil
}

func (d *driver) GetPluginCapabilities(context.Context, *csi.GetPluginCapabilitiesRequest) (*csi.GetPluginCapabilitiesResponse, error) {
	return &csi.GetPluginCapabilitiesResponse{Capabilities: []*csi.PluginCapability{{Type: &csi.PluginCapability_Service_{
		Service: &csi.PluginCapability_Service{Type: csi.PluginCapability_Service_CONTROLLER_SERVICE}}}}}, nil
}

func (d *driver) Probe(context.Context, *csi.ProbeRequest) (*csi.ProbeResponse, error) {
	return &csi.ProbeResponse{Ready: wrapperspb.Bool(true)}, nil
}

func serve(at string, register func(*grpc.Server)) {
	_ = os.MkdirAll(filepath.Dir(at), 0o750)
	_ = os.Remove(at)
	listener, err := net.Listen("unix", at)
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	register(server)
	log.Fatal(server.Serve(listener))
}

func main() {
	root, node, kubelet := flag.String("root", "", ""), flag.String("node", "", ""), flag.String("kubelet", "/var/lib/kubelet", "")
	flag.Parse()
	d := &driver{root: *root, node: *node, at: filepath.Join(*kubelet, "plugins", name, "csi.sock")}
	for _, kind := range []string{"volumes", "snapshots"} {
		if err := os.MkdirAll(filepath.Join(*root, kind), 0o755); err != nil {
			log.Fatal(err)
		}
	}
	go serve(filepath.Join(*kubelet, "plugins_registry", name+"-reg.sock"), func(s *grpc.Server) { registration.RegisterRegistrationServer(s, d) })
	serve(d.at, func(s *grpc.Server) {
		csi.RegisterIdentityServer(s, d)
		csi.RegisterControllerServer(s, d)
		csi.RegisterNodeServer(s, d)
	})
}
