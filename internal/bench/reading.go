package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"example.org/ssh-gate/internal/record"
)

const logSize = 1 << 30 // bytes

// readLog measures the verb log on a log of 1 GiB of records, and on as much garbage: how many records a second, and the largest
// resident set.
func readLog(ctx context.Context, out io.Writer, dir string) error {
	gate, log, garbage := filepath.Join(dir, "ssh-gate"), filepath.Join(dir, "log"), filepath.Join(dir, "garbage")
	records, err := writeLog(log)
	if err := errors.Join(err, writeGarbage(garbage), build(ctx, gate, "./cmd/ssh-gate")); err != nil {
		return err
	}
	fmt.Fprintf(out, "A log of 1 GiB: %d records of different lengths; %s, %d processors, %s\n\n", records, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	fmt.Fprintf(out, "%-36s %9s %12s %10s %12s\n", "", "seconds", "records/s", "MiB/s", "memory, MiB")
	for _, c := range []struct {
		name    string
		records int
		args    []string
	}{
		{"log", records, []string{"log", "--file", log}},
		{"log --json", records, []string{"log", "--file", log, "--json"}},
		{"log --key --since, nothing met", records, []string{"log", "--file", log, "--key", "nobody", "--since", "2026-01-01"}},
		{"log --top", records, []string{"log", "--file", log, "--top"}},
		{"log --prometheus", records, []string{"log", "--file", log, "--prometheus", filepath.Join(dir, "prom")}},
		{"log, 1 GiB of garbage", 0, []string{"log", "--file", garbage}},
	} {
		took, peak, err := once(gate, c.args)
		if err := errors.Join(ctx.Err(), err); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		fmt.Fprintf(out, "%-36s %9.1f %12.0f %10.0f %12d\n", c.name, took.Seconds(), float64(c.records)/took.Seconds(),
			float64(logSize>>20)/took.Seconds(), peak>>10)
	}
	return nil
}

// once runs a verb, its output thrown away, and returns its time and largest resident set in KiB.
func once(gate string, args []string) (time.Duration, int64, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, 0, err
	}
	defer null.Close()
	start := time.Now()
	p, err := os.StartProcess(gate, append([]string{gate}, args...), &os.ProcAttr{Files: []*os.File{null, null, null}})
	if err != nil {
		return 0, 0, err
	}
	state, err := p.Wait()
	took := time.Since(start)
	if err == nil && !state.Success() {
		err = errors.New(state.String())
	}
	if err != nil {
		return 0, 0, err
	}
	return took, state.SysUsage().(*syscall.Rusage).Maxrss, nil
}

// writeLog writes records as they come: most requests are short, a few fill their record.
func writeLog(file string) (records int, err error) {
	random := rand.New(rand.NewPCG(1, 2))
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return records, write(file, func() []byte {
		records++
		request := fmt.Sprintf("systemctl restart app-%d.service; id", random.IntN(100_000))
		if records%1000 == 0 {
			request += string(make([]byte, record.MaxRequest))
		}
		e := record.Entry{Time: start.Add(time.Duration(records) * time.Second), Reason: record.NeedsShell, ClientIP: fmt.Sprintf("203.0.113.%d", random.IntN(256)),
			Port: 50022, User: "deploy", Key: fmt.Sprintf("key-%d", random.IntN(50)), Ref: "k3v9t2ma", PID: records, Host: "server",
			Request: request, Bytes: len(request), Detail: "';' at byte 33 needs a shell, and there is none; quote it, or send one plain command"}
		return e.Append(nil)
	})
}

func writeGarbage(file string) error {
	random := rand.New(rand.NewPCG(3, 4))
	block := make([]byte, 1<<20)
	for i := range block {
		block[i] = byte(random.Uint32())
	}
	return write(file, func() []byte { return block })
}

// write fills a file up to logSize with what next gives.
func write(file string, next func() []byte) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	for size := 0; size < logSize; {
		b := next()
		size += len(b)
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return errors.Join(w.Flush(), f.Close())
}
