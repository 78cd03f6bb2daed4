package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const patience = 5 * time.Second

// paused does something while nobody writes into a folder, as storage copies a volume at one moment. Who writes are
// processes of containers, which have the folder mounted; the node's own processes see those mounts too, and go on.
func paused(folder string, act func() error) error {
	stopped := map[int]bool{}
	defer func() {
		for pid := range stopped {
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
	}()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		running := false
		for _, pid := range users(folder) {
			if state(pid) != "T" {
				running = true
				stopped[pid] = syscall.Kill(pid, syscall.SIGSTOP) == nil
			}
		}
		if !running {
			return act()
		}
		if time.Now().After(deadline) {
			return errors.New("those who write into the volume could not be paused")
		}
	}
}

// users lists the processes of other mount namespaces that have the folder mounted.
func users(folder string) []int {
	own, _ := os.Readlink("/proc/self/ns/mnt")
	files, _ := filepath.Glob("/proc/[0-9]*/mountinfo")
	found := []int{}
	for _, file := range files {
		process := filepath.Dir(file)
		if where, err := os.Readlink(filepath.Join(process, "ns/mnt")); err != nil || where == own {
			continue
		}
		mounts, err := os.ReadFile(file)
		pid, _ := strconv.Atoi(filepath.Base(process))
		if err == nil && strings.Contains(string(mounts), "/"+filepath.Base(folder)+" ") && state(pid) != "Z" {
			found = append(found, pid)
		}
	}
	return found
}

// state is the letter that the kernel gives for what a process does; empty of one that is gone.
func state(pid int) string {
	content, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	_, after, ok := strings.Cut(string(content), ") ")
	if err != nil || !ok {
		return ""
	}
	return after[:1]
}
