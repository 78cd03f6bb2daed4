// The oracle answers which Jobs the CronJob controller makes, and when. It is that controller, from Kubernetes' own
// source, in a cluster of one CronJob whose clock is turned by hand.
//
// It reads cases as JSON lines from standard input and writes one answer per case, in order, to standard output. All
// times are milliseconds since 1970. Time zones come from the directory in ZONEINFO alone.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller/cronjob"
	"k8s.io/utils/ptr"
)

const (
	namespace = "team"
	name      = "nightly"
)

// question is the life of a CronJob from `created` to `end`.
type question struct {
	Schedule string  `json:"schedule"`
	TZ       string  `json:"tz"`
	Deadline *int64  `json:"deadline"` // seconds
	Created  int64   `json:"created"`
	End      int64   `json:"end"`
	Lag      int64   `json:"lag"`  // how late the controller looks
	Work     []int64 `json:"work"` // how long the Jobs work, in turn
	Events   []event `json:"events"`
}

// event is what happens to the CronJob or its controller: "die" and "revive" the controller, "suspend", "resume", "edit".
type event struct {
	At       int64  `json:"at"`
	Do       string `json:"do"`
	Schedule string `json:"schedule,omitempty"`
	TZ       string `json:"tz,omitempty"`
	Forget   bool   `json:"forget,omitempty"` // lastScheduleTime becomes now before
}

type made struct {
	At   int64 `json:"at"`
	Tick int64 `json:"tick"`
}

type answer struct {
	Jobs []made `json:"jobs"`
	Last int64  `json:"last"` // lastScheduleTime at the end; 0 for none
}

func main() {
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	lines, out := bufio.NewScanner(os.Stdin), bufio.NewWriter(os.Stdout)
	lines.Buffer(nil, 1<<20)
	for encoder := json.NewEncoder(out); lines.Scan(); {
		var asked question
		err := json.Unmarshal(lines.Bytes(), &asked)
		if err == nil {
			err = encoder.Encode(live(asked))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "oracle:", err)
			os.Exit(1)
		}
	}
	if err := out.Flush(); err != nil {
		fmt.Fprintln(os.Stderr, "oracle:", err)
		os.Exit(1)
	}
}

// cluster is what there is: a CronJob, its Jobs, a clock, and the controller with its queue.
type cluster struct {
	now      time.Time
	asked    question
	controls *cronjob.ControllerV2
	queue    queue
	jobs     cache.SharedIndexInformer
	cronJobs cache.SharedIndexInformer
	dead     bool
	working  []work
	made     []made
}

type work struct {
	job *batchv1.Job
	end time.Time
}

func live(asked question) answer {
	of := &cluster{
		now: time.UnixMilli(asked.Created), asked: asked,
		jobs: newInformer(&batchv1.Job{}), cronJobs: newInformer(&batchv1.CronJob{}), made: []made{},
	}
	of.queue.of = of
	of.controls = newController(context.Background(), of)
	born := &batchv1.CronJob{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name, UID: "c", CreationTimestamp: metav1.NewTime(of.now),
		},
		Spec: batchv1.CronJobSpec{
			Schedule: asked.Schedule, TimeZone: &asked.TZ, StartingDeadlineSeconds: asked.Deadline,
			ConcurrencyPolicy: batchv1.ForbidConcurrent, Suspend: ptr.To(false),
			SuccessfulJobsHistoryLimit: ptr.To[int32](3), FailedJobsHistoryLimit: ptr.To[int32](3),
		},
	}
	of.keep(born)
	enqueue(of.controls, born)
	for of.step() {
	}
	last := int64(0)
	if at := of.cronJob().Status.LastScheduleTime; at != nil {
		last = at.UnixMilli()
	}
	return answer{Jobs: of.made, Last: last}
}

// step does what comes next, and reports whether there was something.
func (of *cluster) step() bool {
	at, do := time.UnixMilli(of.asked.End), (func())(nil)
	if len(of.asked.Events) > 0 {
		if event := time.UnixMilli(of.asked.Events[0].At); event.Before(at) {
			at, do = event, of.happen
		}
	}
	for index, each := range of.working {
		if each.end.Before(at) {
			at, do = each.end, func() { of.finish(index) }
		}
	}
	if due, ok := of.queue.next(); ok && !of.dead {
		look := due.Add(time.Duration(of.asked.Lag) * time.Millisecond)
		if look.Before(of.now) {
			look = of.now
		}
		if look.Before(at) {
			at, do = look, func() { processNext(of.controls, context.Background()) }
		}
	}
	if do == nil {
		return false
	}
	of.now = at
	do()
	return true
}

func (of *cluster) happen() {
	event := of.asked.Events[0]
	of.asked.Events = of.asked.Events[1:]
	if event.Forget {
		of.write(func(current *batchv1.CronJob) { current.Status.LastScheduleTime = ptr.To(metav1.NewTime(of.now)) })
	}
	switch event.Do {
	case "die":
		of.dead, of.queue.due = true, nil
	case "revive":
		of.dead = false
		enqueue(of.controls, of.cronJob())
	case "suspend", "resume":
		of.write(func(current *batchv1.CronJob) { current.Spec.Suspend = ptr.To(event.Do == "suspend") })
	case "edit":
		of.write(func(current *batchv1.CronJob) {
			current.Spec.Schedule, current.Spec.TimeZone = event.Schedule, &event.TZ
		})
	default:
		panic(event.Do)
	}
}

func (of *cluster) cronJob() *batchv1.CronJob {
	found, _, _ := of.cronJobs.GetIndexer().GetByKey(namespace + "/" + name)
	return found.(*batchv1.CronJob)
}

func (of *cluster) keep(cronJob *batchv1.CronJob) {
	if err := of.cronJobs.GetIndexer().Add(cronJob); err != nil {
		panic(err)
	}
}

// write changes the CronJob, and lets the controller see it.
func (of *cluster) write(change func(*batchv1.CronJob)) {
	old := of.cronJob()
	next := old.DeepCopy()
	change(next)
	// As the API server keeps them: whole seconds.
	if last := next.Status.LastScheduleTime; last != nil {
		next.Status.LastScheduleTime = ptr.To(metav1.NewTime(last.Truncate(time.Second)))
	}
	of.keep(next)
	if !of.dead {
		updateCronJob(of.controls, klog.Background(), old, next)
	}
}

func (of *cluster) begin(job *batchv1.Job) *batchv1.Job {
	tick, err := time.Parse(time.RFC3339, job.Annotations[batchv1.CronJobScheduledTimestampAnnotation])
	if err != nil {
		panic(err)
	}
	job = job.DeepCopy()
	job.Namespace, job.UID = namespace, types.UID(job.Name)
	job.Status.StartTime = ptr.To(metav1.NewTime(of.now))
	if err := of.jobs.GetIndexer().Add(job); err != nil {
		panic(err)
	}
	lasts := of.asked.Work[len(of.made)%len(of.asked.Work)]
	of.made = append(of.made, made{At: of.now.UnixMilli(), Tick: tick.UnixMilli()})
	of.working = append(of.working, work{job, of.now.Add(time.Duration(lasts) * time.Millisecond)})
	return job
}

func (of *cluster) finish(index int) {
	old := of.working[index].job
	of.working = append(of.working[:index], of.working[index+1:]...)
	job := old.DeepCopy()
	job.ResourceVersion = "2"
	job.Status.CompletionTime = ptr.To(metav1.NewTime(of.now))
	job.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}
	if err := of.jobs.GetIndexer().Update(job); err != nil {
		panic(err)
	}
	if !of.dead {
		updateJob(of.controls, old, job)
	}
}
