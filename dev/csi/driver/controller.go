package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func (d *driver) ControllerGetCapabilities(context.Context, *csi.ControllerGetCapabilitiesRequest) (*csi.ControllerGetCapabilitiesResponse, error) {
	r := &csi.ControllerGetCapabilitiesResponse{}
	for _, c := range []csi.ControllerServiceCapability_RPC_Type{
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_VOLUME, csi.ControllerServiceCapability_RPC_CREATE_DELETE_SNAPSHOT,
		csi.ControllerServiceCapability_RPC_CLONE_VOLUME, csi.ControllerServiceCapability_RPC_LIST_SNAPSHOTS,
		csi.ControllerServiceCapability_RPC_SINGLE_NODE_MULTI_WRITER,
	} {
		r.Capabilities = append(r.Capabilities, &csi.ControllerServiceCapability{Type: &csi.ControllerServiceCapability_Rpc{
			Rpc: &csi.ControllerServiceCapability_RPC{Type: c}}})
	}
	return r, nil
}

// misbehave does what a driver of another kind does when it is to make a copy: the parameter "copies" of a StorageClass.
func misbehave(c context.Context, how string) error {
	switch how {
	case "none":
		return status.Error(codes.InvalidArgument, "this driver makes no copies")
	case "full":
		return status.Error(codes.ResourceExhausted, "no room for a copy in the pool")
	case "hang":
		<-c.Done()
		return status.FromContextError(c.Err()).Err()
	}
	return nil
}

func missing(what string) error  { return status.Error(codes.InvalidArgument, what+" is missing") }
func notFound(what string) error { return status.Error(codes.NotFound, what+" does not exist") }

func (d *driver) CreateVolume(c context.Context, q *csi.CreateVolumeRequest) (*csi.CreateVolumeResponse, error) {
	if q.GetName() == "" {
		return nil, missing("name")
	}
	if len(q.GetVolumeCapabilities()) == 0 {
		return nil, missing("volume_capabilities")
	}
	for _, capability := range q.GetVolumeCapabilities() {
		if capability.GetBlock() != nil {
			return nil, status.Error(codes.InvalidArgument, "no block volumes")
		}
	}
	if q.GetVolumeContentSource() != nil {
		if err := misbehave(c, q.GetParameters()["copies"]); err != nil {
			return nil, err
		}
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	bytes := max(q.GetCapacityRange().GetRequiredBytes(), 1<<20)
	if limit := q.GetCapacityRange().GetLimitBytes(); limit > 0 && bytes > limit {
		return nil, status.Error(codes.OutOfRange, "limit")
	}
	var from, source string
	if s := q.GetVolumeContentSource().GetSnapshot(); s != nil {
		if _, ok := d.get("snapshots", s.GetSnapshotId()); !ok {
			return nil, notFound("snapshot")
		}
		from, source = d.path("snapshots", s.GetSnapshotId()), s.GetSnapshotId()
	} else if v := q.GetVolumeContentSource().GetVolume(); v != nil {
		if _, ok := d.get("volumes", v.GetVolumeId()); !ok {
			return nil, notFound("volume")
		}
		from, source = d.path("volumes", v.GetVolumeId()), v.GetVolumeId()
	}
	r := record{ID: id("vol", q.GetName()), Name: q.GetName(), Source: source, Bytes: bytes, Created: time.Now()}
	if old, ok := d.get("volumes", r.ID); ok {
		if old.Bytes != bytes || old.Source != source {
			return nil, status.Error(codes.AlreadyExists, "another volume has this name")
		}
	} else if err := d.store("volumes", from, r); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &csi.CreateVolumeResponse{Volume: &csi.Volume{VolumeId: r.ID, CapacityBytes: bytes, ContentSource: q.GetVolumeContentSource()}}, nil
}

func (d *driver) remove(kind, id string) error {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if id == "" {
		return missing("id")
	}
	if err := os.Remove(d.record(kind, id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return status.Error(codes.Internal, err.Error())
	}
	return os.RemoveAll(d.path(kind, id))
}

func (d *driver) DeleteVolume(_ context.Context, q *csi.DeleteVolumeRequest) (*csi.DeleteVolumeResponse, error) {
	return &csi.DeleteVolumeResponse{}, d.remove("volumes", q.GetVolumeId())
}

func (d *driver) DeleteSnapshot(_ context.Context, q *csi.DeleteSnapshotRequest) (*csi.DeleteSnapshotResponse, error) {
	return &csi.DeleteSnapshotResponse{}, d.remove("snapshots", q.GetSnapshotId())
}

func (d *driver) ValidateVolumeCapabilities(_ context.Context, q *csi.ValidateVolumeCapabilitiesRequest) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	if q.GetVolumeId() == "" || len(q.GetVolumeCapabilities()) == 0 {
		return nil, missing("volume_id or volume_capabilities")
	}
	if _, ok := d.get("volumes", q.GetVolumeId()); !ok {
		return nil, notFound("volume")
	}
	return &csi.ValidateVolumeCapabilitiesResponse{Confirmed: &csi.ValidateVolumeCapabilitiesResponse_Confirmed{
		VolumeCapabilities: q.GetVolumeCapabilities()}}, nil
}

func view(r *record) *csi.Snapshot {
	return &csi.Snapshot{SnapshotId: r.ID, SourceVolumeId: r.Source, SizeBytes: r.Bytes, CreationTime: timestamppb.New(r.Created), ReadyToUse: true}
}

func (d *driver) CreateSnapshot(c context.Context, q *csi.CreateSnapshotRequest) (*csi.CreateSnapshotResponse, error) {
	if q.GetName() == "" || q.GetSourceVolumeId() == "" {
		return nil, missing("name or source_volume_id")
	}
	if err := misbehave(c, q.GetParameters()["copies"]); err != nil {
		return nil, err
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	key := id("snap", q.GetName())
	if old, ok := d.get("snapshots", key); ok {
		if old.Source != q.GetSourceVolumeId() {
			return nil, status.Error(codes.AlreadyExists, "another snapshot has this name")
		}
		return &csi.CreateSnapshotResponse{Snapshot: view(old)}, nil
	}
	v, ok := d.get("volumes", q.GetSourceVolumeId())
	if !ok {
		return nil, notFound("volume")
	}
	r := record{ID: key, Name: q.GetName(), Source: v.ID, Bytes: v.Bytes, Created: time.Now()}
	if err := d.store("snapshots", d.path("volumes", v.ID), r); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &csi.CreateSnapshotResponse{Snapshot: view(&r)}, nil
}

func (d *driver) ListSnapshots(_ context.Context, q *csi.ListSnapshotsRequest) (*csi.ListSnapshotsResponse, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	files, _ := filepath.Glob(filepath.Join(d.root, "snapshots", "*.json"))
	sort.Strings(files)
	all := []*csi.ListSnapshotsResponse_Entry{}
	for _, file := range files {
		key := filepath.Base(file)
		r, ok := d.get("snapshots", key[:len(key)-len(".json")])
		if ok && (q.GetSnapshotId() == "" || q.GetSnapshotId() == r.ID) && (q.GetSourceVolumeId() == "" || q.GetSourceVolumeId() == r.Source) {
			all = append(all, &csi.ListSnapshotsResponse_Entry{Snapshot: view(r)})
		}
	}
	start := 0
	if q.GetStartingToken() != "" {
		var err error
		if start, err = strconv.Atoi(q.GetStartingToken()); err != nil || start > len(all) {
			return nil, status.Error(codes.Aborted, "starting_token")
		}
	}
	all, next := all[start:], ""
	if m := int(q.GetMaxEntries()); m > 0 && m < len(all) {
		all, next = all[:m], strconv.Itoa(start+m)
	}
	return &csi.ListSnapshotsResponse{Entries: all, NextToken: next}, nil
}
