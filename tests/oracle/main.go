// The oracle answers when a CronJob fires, with the library that the CronJob controller itself asks.
//
// It reads cases as JSON lines from standard input and writes one answer per case, in order, to standard output. What
// the API server checks before robfig/cron sees the schedule (Kubernetes 1.34, batch validation) is checked here too.
// Time zones come from the directory in ZONEINFO alone, so that both sides of a comparison read the same database.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/robfig/cron/v3"
)

// A search that takes longer never ends: the library has cases in which it does not.
const timeLimit = 3 * time.Second

type question struct {
	Expr  string `json:"expr"`
	TZ    string `json:"tz"`
	After int64  `json:"after"` // microseconds since 1970
	Count int    `json:"count"`
}

type answer struct {
	OK      bool    `json:"ok"`
	Error   string  `json:"error,omitempty"`
	Endless bool    `json:"endless,omitempty"`
	Next    []int64 `json:"next"` // seconds since 1970; shorter than count where the library finds no more
}

var zonePart = regexp.MustCompile(`^[A-Za-z0-9._+][A-Za-z0-9._+-]{0,13}$`)

func main() {
	questions, err := read()
	if err != nil {
		fmt.Fprintln(os.Stderr, "oracle:", err)
		os.Exit(1)
	}
	answers := make([]answer, len(questions))
	indices := make(chan int)
	var workers sync.WaitGroup
	for range runtime.NumCPU() {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for index := range indices {
				answers[index] = askWithin(timeLimit, questions[index])
			}
		}()
	}
	for index := range questions {
		indices <- index
	}
	close(indices)
	workers.Wait()
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	for _, each := range answers {
		if err := encoder.Encode(each); err != nil {
			fmt.Fprintln(os.Stderr, "oracle:", err)
			os.Exit(1)
		}
	}
	if err := out.Flush(); err != nil {
		fmt.Fprintln(os.Stderr, "oracle:", err)
		os.Exit(1)
	}
}

func read() ([]question, error) {
	var questions []question
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var each question
		if err := json.Unmarshal(lines.Bytes(), &each); err != nil {
			return nil, err
		}
		questions = append(questions, each)
	}
	return questions, lines.Err()
}

// askWithin leaves a search that does not end behind: there is no way to stop it but to exit.
func askWithin(limit time.Duration, asked question) answer {
	answered := make(chan answer, 1)
	go func() { answered <- ask(asked) }()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case given := <-answered:
		return given
	case <-timer.C:
		return answer{OK: true, Endless: true, Next: []int64{}}
	}
}

func ask(asked question) (given answer) {
	// The library slices out of range for "TZ=UTC" without a blank; the API server answers such a panic with an error.
	defer func() {
		if reason := recover(); reason != nil {
			given = answer{Error: fmt.Sprint("panic: ", reason), Next: []int64{}}
		}
	}()
	schedule, err := parse(asked.Expr, asked.TZ)
	if err != nil {
		return answer{Error: err.Error(), Next: []int64{}}
	}
	next := []int64{}
	for at := time.UnixMicro(asked.After).UTC(); len(next) < asked.Count; {
		at = schedule.Next(at)
		if at.IsZero() {
			break
		}
		next = append(next, at.Unix())
	}
	return answer{OK: true, Next: next}
}

func parse(expression, zone string) (cron.Schedule, error) {
	if _, err := cron.ParseStandard(expression); err != nil {
		return nil, err
	}
	if strings.Contains(expression, "TZ") {
		return nil, errors.New("a schedule must not hold a time zone")
	}
	if err := checkZone(zone); err != nil {
		return nil, err
	}
	return cron.ParseStandard("TZ=" + zone + " " + expression)
}

func checkZone(zone string) error {
	for _, part := range strings.Split(zone, "/") {
		if part == "." || part == ".." || !zonePart.MatchString(part) {
			return fmt.Errorf("unknown time zone %s", zone)
		}
	}
	if strings.EqualFold(zone, "Local") {
		return errors.New("a time zone must be explicit")
	}
	// The library loads the zone, and refuses what is none; but it falls back to the machine's own database.
	_, err := os.Stat(filepath.Join(os.Getenv("ZONEINFO"), filepath.FromSlash(zone)))
	return err
}
