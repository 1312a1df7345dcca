package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.org/ssh-gate/internal/logbook"
	"example.org/ssh-gate/internal/testhost"
	"example.org/ssh-gate/internal/testsshd"
)

const (
	fewDenials  = 4000 // of TestLoad, unless SSH_GATE_LOAD says how many
	atATime     = 64
	rotateEvery = time.Second
)

// TestLoad: two users are denied 64 requests at a time while the packaged logrotate file rotates every second. No record is lost, torn
// or there twice. `make load` does it 100,000 times.
func TestLoad(t *testing.T) {
	logrotate := testsshd.RequireTool(t, "logrotate", "logrotate")
	if !testhost.Enter(t) {
		return
	}
	m := install(t)
	users := []testhost.User{m.deploy, testhost.AddUser(t, "partner")}
	total := fewDenials
	if text := os.Getenv("SSH_GATE_LOAD"); text != "" {
		n, err := strconv.Atoi(text)
		check(t, err)
		total = n
	}
	rotated := rotate(t, logrotate)
	start := time.Now()
	deny(t, users, total)
	took := time.Since(start)
	rotations := rotated()

	seen := map[string]int{}
	book, err := logbook.Open(testhost.Log)
	check(t, err)
	defer book.Close()
	for line := range book.All() {
		seen[line.User+" "+line.Request]++
	}
	lost, twice := 0, 0
	for i := range total {
		switch n := seen[fmt.Sprintf("%s %d;", users[i%len(users)].Name, i)]; {
		case n == 0:
			lost++
		case n > 1:
			twice++
		}
	}
	t.Logf("%d denials, %d at a time, of %d users, with %d rotations, in %.0f s: %d lost, %d torn, %d twice, %d in the log",
		total, atATime, len(users), rotations, took.Seconds(), lost, book.Damaged, twice, len(seen))
	if lost+twice+int(book.Damaged) > 0 || len(seen) != total || book.Problems != nil {
		t.Errorf("problems: %v", book.Problems)
	}
	if rotations < 2 {
		t.Errorf("only %d rotations", rotations)
	}
}

// deny sends so many requests that are denied.
func deny(t *testing.T, users []testhost.User, total int) {
	t.Helper()
	var next atomic.Int64
	var workers sync.WaitGroup
	for range atATime {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < total; i = int(next.Add(1)) - 1 {
				gate := users[i%len(users)].Command(remote(fmt.Sprintf("%d;", i)), "/usr/bin/ssh-gate", "--key", "deploy")
				var exit *exec.ExitError
				if err := gate.Run(); !errors.As(err, &exit) || exit.ExitCode() != 77 {
					t.Errorf("%d: %v", i, err)
				}
			}
		})
	}
	workers.Wait()
}

// rotate rotates as the packaged file says, but keeps all, ahead of the many gates that want the processors, until the function that it returns ends it, and says how often it was.
func rotate(t *testing.T, logrotate string) (end func() int) {
	t.Helper()
	text, err := os.ReadFile("../../packaging/logrotate/ssh-gate")
	check(t, err)
	text = regexp.MustCompile(`(?m)^(\s*)rotate \d+$`).ReplaceAll(text, []byte("${1}rotate 100000"))
	dir := t.TempDir()
	config, state := filepath.Join(dir, "config"), filepath.Join(dir, "state")
	check(t, os.WriteFile(config, text, 0o644))
	stop, done := make(chan bool), make(chan int)
	go func() {
		n := 0
		ticker := time.NewTicker(rotateEvery)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				done <- n
				return
			case <-ticker.C:
				if out, err := exec.Command("nice", "-n", "-19", logrotate, "-f", "-s", state, config).CombinedOutput(); err != nil {
					t.Errorf("logrotate: %v\n%s", err, out)
				}
				n++
			}
		}
	}()
	return func() int {
		close(stop)
		return <-done
	}
}
