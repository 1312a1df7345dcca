package confine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/policy"
)

// open opens the test user's own count below dir, as each login does.
func open(t *testing.T, dir string) *Turns {
	t.Helper()
	turns := OpenTurns(dir, os.Getuid(), -1)
	t.Cleanup(func() {
		for _, fd := range []int{turns.file, turns.sessions} {
			if fd >= 0 {
				unix.Close(fd)
			}
		}
	})
	return turns
}

func countFile(dir string) string { return filepath.Join(dir, strconv.Itoa(os.Getuid())) }

func rate(times int, window time.Duration) *policy.Limits {
	return &policy.Limits{Rate: policy.Rate{Times: times, Window: window}}
}

func now(t *testing.T) int64 {
	t.Helper()
	var boot unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot); err != nil {
		t.Fatal(err)
	}
	return boot.Nano()
}

// TestRateWindow: exactly so many starts lie in any window; those before it, and those of another boot, count for nothing.
func TestRateWindow(t *testing.T) {
	const hour = int64(time.Hour)
	for _, c := range []struct {
		name  string
		ago   []int64 // seconds
		times int
		retry string // of the refusal; empty: it starts
	}{
		{"none", nil, 1, ""},
		{"one", []int64{10}, 1, "59m50s"},
		{"one of two", []int64{10}, 2, ""},
		{"two of two", []int64{1800, 10}, 2, "30m"},
		{"more than allowed now", []int64{3000, 1800, 10}, 1, "59m50s"},
		{"the oldest has left", []int64{3601, 10}, 2, ""},
		{"all have left", []int64{90000, 7200, 3601}, 1, ""},
		{"from before the machine was started", []int64{-5000, -10}, 1, ""},
		{"almost", []int64{3599}, 1, "1s"},
	} {
		dir := t.TempDir()
		at := now(t)
		text := `"k #1" 3600000000000`
		for _, ago := range c.ago {
			text += " " + strconv.FormatInt(at-ago*int64(time.Second), 10)
		}
		writeCount(t, dir, text+"\n")
		_, err := open(t, dir).Take("k #1", rate(c.times, time.Duration(hour)))
		var limit *LimitError
		if c.retry == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		want := fmt.Sprintf("%d in 1h are allowed; try again in %s", c.times, c.retry)
		if !errors.As(err, &limit) || !limit.Often || err.Error() != want {
			t.Errorf("%s: %v, want %s", c.name, err, want)
		}
	}
}

func writeCount(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.WriteFile(countFile(dir), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestRetryRegression: the time was rounded to the nearest second, so who came back when told was refused again.
func TestRetryRegression(t *testing.T) {
	for wait, want := range map[time.Duration]string{
		time.Second: "1s", 1100 * time.Millisecond: "2s", 1499 * time.Millisecond: "2s", 1500 * time.Millisecond: "2s", 2 * time.Second: "2s",
		time.Hour + 1: "1h0m1s",
	} {
		if e := (&LimitError{text: "x", retry: wait}); e.Error() != "x; try again in "+want {
			t.Errorf("%s: %s", wait, e)
		}
	}
}

// TestRateLabels: each label counts for itself, and a refusal costs no other label its count, nor counts itself.
func TestRateLabels(t *testing.T) {
	dir := t.TempDir()
	turns := open(t, dir)
	labels := []string{"k", "k #1", "k #11", "users/k", "k \"x\" 99", "k\nx", "k é"}
	for _, label := range labels {
		for n := range 5 {
			_, err := turns.Take(label, rate(2, time.Hour))
			if (n < 2) != (err == nil) {
				t.Errorf("%q, start %d: %v", label, n, err)
			}
		}
	}
	text, err := os.ReadFile(countFile(dir))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "\n"); n != len(labels) {
		t.Errorf("%d lines: %q", n, text)
	}
}

// TestRateForgetsRegression: starts of labels that nobody uses any more stayed, until the account was shut out.
func TestRateForgetsRegression(t *testing.T) {
	dir := t.TempDir()
	at := now(t)
	var old strings.Builder
	for n := range 5000 {
		fmt.Fprintf(&old, "\"k #%d\" 1000000000 %d\n", n, at-int64(time.Minute))
	}
	fmt.Fprintf(&old, "\"kept\" 3600000000000 %d\n", at-int64(time.Minute))
	writeCount(t, dir, old.String())
	if _, err := open(t, dir).Take("k", rate(1, time.Second)); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(countFile(dir)); err != nil || strings.Count(string(text), "\n") != 2 || !strings.HasPrefix(string(text), "\"kept\"") {
		t.Errorf("%.200q, %v", text, err)
	}
}

// TestTurnsModeRegression: a program that had the descriptor of the sessions, or an odd umask, could take the account's own rights on its
// files away, and so shut all its keys out.
func TestTurnsModeRegression(t *testing.T) {
	dir := t.TempDir()
	limits := &policy.Limits{Sessions: 3, Rate: policy.Rate{Times: 9, Window: time.Hour}}
	for range 2 {
		if _, err := open(t, dir).Take("k", limits); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{countFile(dir), countFile(dir) + ".sessions"} {
			if err := os.Chmod(name, 0); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestRateFiles: whatever is left in the file by a gate that was killed, or by a program that has it, has a defined end.
func TestRateFiles(t *testing.T) {
	at := now(t)
	recent := strconv.FormatInt(at-int64(time.Minute), 10)
	line := `"k" 3600000000000 ` + recent + "\n"
	for name, c := range map[string]struct {
		text string
		want string // of the error of a start under 1/1h; empty: none
	}{
		"empty":                   {"", ""},
		"garbage":                 {"\x00\xff\x1b[2J\nxx\n\n\n\"", ""},
		"one line":                {line, "1 in 1h"},
		"beside garbage":          {"\x00\xff\n" + line + "\"k\n\"k\" x y z\n", "1 in 1h"},
		"words that are none":     {`"k" 3600000000000 ` + recent + " x -1 99999999999999999999999 0x10\n", "1 in 1h"},
		"torn behind":             {strings.TrimSuffix(line, "\n"), "1 in 1h"},
		"torn in a moment":        {`"k" ` + recent[:3], ""},
		"the tail of an old text": {line + `"k" 1` + "\n", "1 in 1h"},
		"another label's tail":    {line + `er" 1 2 3`, "1 in 1h"},
		"largest":                 {line + strings.Repeat("x", maxTurns-len(line)-1) + "\n", "1 in 1h"},
		"nothing but garbage":     {strings.Repeat("x", maxTurns-1) + "\n", ""},
		"too large":               {strings.Repeat("x", maxTurns+1), "bytes, more than"},
	} {
		dir := t.TempDir()
		writeCount(t, dir, c.text)
		_, err := open(t, dir).Take("k", rate(1, time.Hour))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
			continue
		}
		text, readErr := os.ReadFile(countFile(dir))
		if readErr != nil {
			t.Fatal(readErr)
		}
		if err != nil && string(text) != c.text {
			t.Errorf("%s: a refusal changed the file to %.200q", name, text)
		}
		if err == nil {
			if _, err := open(t, dir).Take("k", rate(1, time.Hour)); err == nil {
				t.Errorf("%s: the start was not counted: %.200q", name, text)
			}
		}
	}
}

// TestRateAtOnce: of many that come at once no more start than may, and each that starts is counted.
func TestRateAtOnce(t *testing.T) {
	dir := t.TempDir()
	const allowed, all = 7, 40
	var wait sync.WaitGroup
	results := make(chan error, all)
	for range all {
		turns := open(t, dir)
		wait.Go(func() {
			_, err := turns.Take("k", rate(allowed, time.Hour))
			results <- err
		})
	}
	wait.Wait()
	close(results)
	started := 0
	for err := range results {
		var limit *LimitError
		if err == nil {
			started++
		} else if !errors.As(err, &limit) {
			t.Error(err)
		}
	}
	if started != allowed {
		t.Errorf("%d started, want %d", started, allowed)
	}
}

// TestSessionPlaces: a place is a lock of the description that the program inherits, and free when that is closed.
func TestSessionPlaces(t *testing.T) {
	dir := t.TempDir()
	limits := &policy.Limits{Sessions: 3}
	var held []*Turns
	for n := range 5 {
		turns := open(t, dir)
		fd, err := turns.Take("k", limits)
		var limit *LimitError
		if n >= 3 {
			if !errors.As(err, &limit) || limit.Often || fd != -1 || err.Error() != "3 at once are allowed, and so many run; try again when one has ended" {
				t.Errorf("%d: %d, %v", n, fd, err)
			}
			continue
		}
		if err != nil || fd != turns.sessions {
			t.Errorf("%d: %d, %v", n, fd, err)
		}
		mode, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err != nil || mode&unix.O_ACCMODE != unix.O_RDONLY {
			t.Errorf("flags %o, %v", mode, err)
		}
		held = append(held, turns)
	}
	if _, err := open(t, dir).Take("other", limits); err != nil {
		t.Errorf("another label: %v", err)
	}
	unix.Close(held[1].file) // execve closes it, and it holds no place
	held[1].file = -1
	if _, err := open(t, dir).Take("k", limits); err == nil {
		t.Error("a place went with the wrong descriptor")
	}
	copied, err := unix.Dup(held[1].sessions) // what a fork has
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(held[1].sessions)
	held[1].sessions = -1
	if _, err := open(t, dir).Take("k", limits); err == nil {
		t.Error("a place was free while a copy of its descriptor was open")
	}
	unix.Close(copied)
	if _, err := open(t, dir).Take("k", limits); err != nil {
		t.Error(err)
	}
	if _, err := open(t, dir).Take("k", limits); err == nil {
		t.Error("more than three")
	}
}

// TestSessionsAndRate: a start that finds no place is not counted, and one that comes too soon keeps no place.
func TestSessionsAndRate(t *testing.T) {
	dir := t.TempDir()
	both := &policy.Limits{Sessions: 1, Rate: policy.Rate{Times: 2, Window: time.Hour}}
	first := open(t, dir)
	if _, err := first.Take("k", both); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		var limit *LimitError
		if _, err := open(t, dir).Take("k", both); !errors.As(err, &limit) || limit.Often {
			t.Errorf("%v", err)
		}
	}
	unix.Close(first.sessions)
	first.sessions = -1
	second := open(t, dir)
	if _, err := second.Take("k", both); err != nil {
		t.Fatalf("the refusals were counted: %v", err)
	}
	unix.Close(second.sessions)
	second.sessions = -1
	var limit *LimitError
	third := open(t, dir)
	if fd, err := third.Take("k", both); !errors.As(err, &limit) || !limit.Often || fd != -1 {
		t.Errorf("%v", err)
	}
}

// TestTurnsMutex: who holds the file, by a lock that a descriptor for reading may have, makes a start fail, and not hang.
func TestTurnsMutex(t *testing.T) {
	dir := t.TempDir()
	turns := open(t, dir)
	reader, err := os.Open(countFile(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	place := unix.Flock_t{Type: unix.F_RDLCK, Start: mutexByte, Len: 1}
	if err := unix.FcntlFlock(reader.Fd(), unix.F_OFD_SETLK, &place); err != nil {
		t.Fatal(err)
	}
	for _, limits := range []*policy.Limits{rate(1, time.Hour), {Sessions: 1}} {
		if fd, err := turns.Take("k", limits); err == nil || fd != -1 || !strings.Contains(err.Error(), "held by somebody else") {
			t.Errorf("%d, %v", fd, err)
		}
	}
	place.Type = unix.F_UNLCK
	if err := unix.FcntlFlock(reader.Fd(), unix.F_OFD_SETLK, &place); err != nil {
		t.Fatal(err)
	}
	if _, err := turns.Take("k", rate(1, time.Hour)); err != nil {
		t.Error(err)
	}
	if _, err := open(t, dir).Take("k", &policy.Limits{Sessions: 1}); err != nil {
		t.Error(err)
	}
}

// TestTurnsFolder: only a folder that nobody else can change is counted in.
func TestTurnsFolder(t *testing.T) {
	for mode, good := range map[os.FileMode]bool{
		0o700: true, 0o755: true, 0o711: true, 0o775: false, 0o757: false, 0o777: false, 0o777 | os.ModeSticky: false, 0o720: false, 0o702: false,
	} {
		dir := t.TempDir()
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := open(t, dir).Take("k", rate(1, time.Hour)); good != (err == nil) {
			t.Errorf("%s: %v", mode, err)
		}
		if good {
			continue
		}
		group := os.Getgid()
		lent := OpenTurns(dir, os.Getuid(), group)
		_, err := lent.Take("k", rate(1, time.Hour))
		if byGroup := mode&0o022 == 0o020; byGroup != (err == nil) {
			t.Errorf("%s, lent group %d: %v", mode, group, err)
		}
	}
}
