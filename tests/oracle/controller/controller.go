package main

import (
	"context"
	"reflect"
	"time"
	"unsafe"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	batchinformers "k8s.io/client-go/informers/batch/v1"
	clientset "k8s.io/client-go/kubernetes"
	batchclient "k8s.io/client-go/kubernetes/typed/batch/v1"
	batchlisters "k8s.io/client-go/listers/batch/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller/cronjob"
)

// The controller's own functions: none of them is exported, and all of them are wanted as they are.

//go:linkname processNext k8s.io/kubernetes/pkg/controller/cronjob.(*ControllerV2).processNextWorkItem
func processNext(jm *cronjob.ControllerV2, ctx context.Context) bool

//go:linkname enqueue k8s.io/kubernetes/pkg/controller/cronjob.(*ControllerV2).enqueueController
func enqueue(jm *cronjob.ControllerV2, obj interface{})

//go:linkname updateCronJob k8s.io/kubernetes/pkg/controller/cronjob.(*ControllerV2).updateCronJob
func updateCronJob(jm *cronjob.ControllerV2, logger klog.Logger, old interface{}, curr interface{})

//go:linkname updateJob k8s.io/kubernetes/pkg/controller/cronjob.(*ControllerV2).updateJob
func updateJob(jm *cronjob.ControllerV2, old, cur interface{})

// newController returns the controller, with the cluster's objects, clock and queue in place of real ones.
func newController(ctx context.Context, of *cluster) *cronjob.ControllerV2 {
	jm, err := cronjob.NewControllerV2(ctx, jobInformer{of.jobs}, cronJobInformer{of.cronJobs}, client{of: of})
	if err != nil {
		panic(err)
	}
	set(jm, "now", func() time.Time { return of.now })
	set(jm, "queue", workqueue.TypedRateLimitingInterface[string](&of.queue))
	return jm
}

// set puts a value into a field that is not exported.
func set[T any](jm *cronjob.ControllerV2, field string, value T) {
	place := reflect.ValueOf(jm).Elem().FieldByName(field)
	*(*T)(unsafe.Pointer(place.UnsafeAddr())) = value
}

type jobInformer struct{ cache.SharedIndexInformer }

func (i jobInformer) Informer() cache.SharedIndexInformer { return i.SharedIndexInformer }
func (i jobInformer) Lister() batchlisters.JobLister      { return batchlisters.NewJobLister(i.GetIndexer()) }

type cronJobInformer struct{ cache.SharedIndexInformer }

func (i cronJobInformer) Informer() cache.SharedIndexInformer { return i.SharedIndexInformer }
func (i cronJobInformer) Lister() batchlisters.CronJobLister {
	return batchlisters.NewCronJobLister(i.GetIndexer())
}

var (
	_ batchinformers.JobInformer     = jobInformer{}
	_ batchinformers.CronJobInformer = cronJobInformer{}
)

func newInformer(example runtime.Object) cache.SharedIndexInformer {
	indexers := cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}
	return cache.NewSharedIndexInformer(&cache.ListWatch{}, example, 0, indexers)
}

// client is as much of an API server as the controller asks for.
type client struct {
	clientset.Interface
	of *cluster
}

func (c client) BatchV1() batchclient.BatchV1Interface { return batch{of: c.of} }

type batch struct {
	batchclient.BatchV1Interface
	of *cluster
}

func (b batch) Jobs(string) batchclient.JobInterface         { return jobs{of: b.of} }
func (b batch) CronJobs(string) batchclient.CronJobInterface { return cronJobs{of: b.of} }

type jobs struct {
	batchclient.JobInterface
	of *cluster
}

func (j jobs) Get(_ context.Context, name string, _ metav1.GetOptions) (*batchv1.Job, error) {
	found, ok, _ := j.of.jobs.GetIndexer().GetByKey(namespace + "/" + name)
	if !ok {
		return nil, errors.NewNotFound(batchv1.Resource("jobs"), name)
	}
	return found.(*batchv1.Job), nil
}

func (j jobs) Create(_ context.Context, job *batchv1.Job, _ metav1.CreateOptions) (*batchv1.Job, error) {
	if _, ok, _ := j.of.jobs.GetIndexer().GetByKey(namespace + "/" + job.Name); ok {
		return nil, errors.NewAlreadyExists(batchv1.Resource("jobs"), job.Name)
	}
	return j.of.begin(job), nil
}

func (j jobs) Delete(_ context.Context, name string, _ metav1.DeleteOptions) error {
	found, ok, _ := j.of.jobs.GetIndexer().GetByKey(namespace + "/" + name)
	if !ok {
		return errors.NewNotFound(batchv1.Resource("jobs"), name)
	}
	return j.of.jobs.GetIndexer().Delete(found)
}

type cronJobs struct {
	batchclient.CronJobInterface
	of *cluster
}

func (c cronJobs) Get(context.Context, string, metav1.GetOptions) (*batchv1.CronJob, error) {
	return c.of.cronJob(), nil
}

func (c cronJobs) UpdateStatus(_ context.Context, next *batchv1.CronJob, _ metav1.UpdateOptions) (*batchv1.CronJob, error) {
	c.of.write(func(current *batchv1.CronJob) { current.Status = next.Status })
	return next, nil
}
