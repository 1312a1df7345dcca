package logbook

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"example.org/ssh-gate/internal/record"
)

// cutAll are all lines of a stream; one that is too long is "!".
func cutAll(t *testing.T, in io.Reader) []string {
	t.Helper()
	l := newLines(in)
	var all []string
	for {
		text, err := l.next()
		switch {
		case err == nil:
			all = append(all, string(text))
		case errors.Is(err, errTooLong):
			all = append(all, "!")
		case errors.Is(err, io.EOF):
			if rest := l.rest(); len(rest) > 0 {
				all = append(all, "rest "+string(rest))
			}
			return all
		default:
			t.Fatal(err)
		}
	}
}

// TestLines cuts random streams, as they are and byte by byte, and compares with strings.Split.
func TestLines(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	lengths := []int{0, 1, 2, 100, record.MaxLine - 1, record.MaxLine, record.MaxLine + 1, bufferSize - 1, bufferSize, bufferSize + 1, 3 * bufferSize}
	for range 60 {
		var text strings.Builder
		var want []string
		for range random.IntN(12) {
			one := strings.Repeat(string(rune('a'+random.IntN(26))), lengths[random.IntN(len(lengths))])
			text.WriteString(one + "\n")
			if len(one) > record.MaxLine {
				one = "!"
			}
			want = append(want, one)
		}
		if random.IntN(2) == 0 {
			text.WriteString("end")
			want = append(want, "rest end")
		}
		for name, in := range map[string]io.Reader{
			"whole": strings.NewReader(text.String()), "halves": iotest.HalfReader(strings.NewReader(text.String())), "with the end": iotest.DataErrReader(strings.NewReader(text.String())),
		} {
			if got := cutAll(t, in); !slices.Equal(got, want) {
				t.Fatalf("%s: %.200q, want %.200q", name, got, want)
			}
		}
	}
	if got := cutAll(t, iotest.OneByteReader(strings.NewReader("a\n\nbc\nd"))); !slices.Equal(got, []string{"a", "", "bc", "rest d"}) {
		t.Errorf("%q", got)
	}
}

// TestLinesOffset: it stands behind the last line that was given, also behind one that was too long.
func TestLinesOffset(t *testing.T) {
	text := "a\n" + strings.Repeat("x", bufferSize) + "\n\nb\nrest"
	l := newLines(strings.NewReader(text))
	for _, want := range []int{2, 2 + bufferSize + 1, 2 + bufferSize + 2, 2 + bufferSize + 4} {
		if _, err := l.next(); err != nil && !errors.Is(err, errTooLong) || l.offset != int64(want) {
			t.Fatalf("offset %d, %v; want %d", l.offset, err, want)
		}
	}
	if _, err := l.next(); !errors.Is(err, io.EOF) || l.offset != int64(len(text)-4) {
		t.Errorf("offset %d, %v", l.offset, err)
	}
}

// TestLinesGrow: at its end a stream may be asked again, in the middle of a line too.
func TestLinesGrow(t *testing.T) {
	var in bytes.Buffer
	l := newLines(&in)
	for _, step := range []struct{ more, want string }{
		{"", ""}, {"a", ""}, {"b", ""}, {"c\n", "abc"}, {"", ""}, {strings.Repeat("x", record.MaxLine+1), ""}, {strings.Repeat("x", bufferSize), ""}, {"x\nd\n", "!d"}, {"\n", ""}, {"e\nf", "e"}, {"\n", "f"},
	} {
		in.WriteString(step.more)
		got := ""
		for {
			text, err := l.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if errors.Is(err, errTooLong) {
				text = []byte("!")
			}
			got += string(text)
		}
		if got != step.want {
			t.Errorf("%.20q gave %q, want %q", step.more, got, step.want)
		}
	}
}

// TestLinesErrors: an error of the stream is handed on, a reader that gives nothing is not asked for ever.
func TestLinesErrors(t *testing.T) {
	broken := errors.New("broken")
	l := newLines(io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(broken)))
	if text, err := l.next(); string(text) != "a" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := l.next(); !errors.Is(err, broken) {
		t.Error(err)
	}
	if rest := l.rest(); string(rest) != "b" {
		t.Errorf("%q", rest)
	}
	if _, err := newLines(idle{}).next(); !errors.Is(err, io.ErrNoProgress) {
		t.Error(err)
	}
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// endless gives n bytes of a pattern.
type endless struct {
	pattern string
	n       int64
}

func (e *endless) Read(b []byte) (int, error) {
	if e.n <= 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(int64(len(b)), e.n)], e.pattern)
	e.n -= int64(n)
	return n, nil
}

// TestLinesFlat: a stream of 256 MiB takes one buffer, whether it is one line or many.
func TestLinesFlat(t *testing.T) {
	const size = 256 << 20
	for name, c := range map[string]struct {
		pattern string
		lines   int
	}{
		"one line":   {strings.Repeat("x", 64<<10), 1},
		"long lines": {strings.Repeat("x", 128<<10-1) + "\n", 2048},
		"lines":      {strings.Repeat("x", 4095) + "\n", 65536},
	} {
		in := &endless{c.pattern, size}
		l := newLines(in)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		n := 0
		for {
			_, err := l.next()
			if errors.Is(err, io.EOF) {
				break
			}
			n++
		}
		n += min(1, len(l.rest()))
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 2*bufferSize {
			t.Errorf("%s: %d bytes were allocated", name, used)
		}
		if cap(l.buf) != bufferSize || n != c.lines {
			t.Errorf("%s: a buffer of %d bytes, %d lines, want %d", name, cap(l.buf), n, c.lines)
		}
	}
}

// TestLinesRelease: a stream that has ended needs no buffer.
func TestLinesRelease(t *testing.T) {
	l := newLines(strings.NewReader("a\nb"))
	for range 2 {
		l.next()
	}
	if rest := l.rest(); string(rest) != "b" {
		t.Errorf("%q", rest)
	}
	if l.release(); l.buf != nil || len(l.rest()) != 0 {
		t.Error("something is left")
	}
}
