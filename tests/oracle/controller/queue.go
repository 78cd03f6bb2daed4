package main

import "time"

// queue holds the one key there is, with the moments at which it comes up: by the clock of the cluster, not by ours.
type queue struct {
	of  *cluster
	due []time.Time
}

func (q *queue) next() (time.Time, bool) {
	if len(q.due) == 0 {
		return time.Time{}, false
	}
	first := q.due[0]
	for _, at := range q.due[1:] {
		if at.Before(first) {
			first = at
		}
	}
	return first, true
}

func (q *queue) Add(string) { q.AddAfter("", 0) }

func (q *queue) AddAfter(_ string, after time.Duration) {
	at := q.of.now.Add(after)
	for _, other := range q.due {
		if other.Equal(at) {
			return
		}
	}
	q.due = append(q.due, at)
}

// Get takes all that is due by now: the controller's queue holds a key once, however often it was added.
func (q *queue) Get() (string, bool) {
	later := q.due[:0]
	for _, at := range q.due {
		if at.After(q.of.now) {
			later = append(later, at)
		}
	}
	q.due = later
	return namespace + "/" + name, false
}

func (q *queue) AddRateLimited(string)  { panic("the controller failed") }
func (q *queue) Done(string)            {}
func (q *queue) Forget(string)          {}
func (q *queue) NumRequeues(string) int { return 0 }
func (q *queue) Len() int               { return len(q.due) }
func (q *queue) ShutDown()              {}
func (q *queue) ShutDownWithDrain()     {}
func (q *queue) ShuttingDown() bool     { return false }
