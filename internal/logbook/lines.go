package logbook

import (
	"bytes"
	"errors"
	"io"

	"example.org/ssh-gate/internal/record"
)

// errTooLong is a line that no record is as long as. It has been passed over.
var errTooLong = errors.New("the line is too long")

// lines cuts a stream at its line ends, in a buffer that never grows.
type lines struct {
	in         io.Reader
	buf        []byte
	start, end int
	skipping   bool  // within a line that is too long
	offset     int64 // of buf[start] in the stream
}

const bufferSize = 4 * record.MaxLine

func newLines(in io.Reader) *lines { return &lines{in: in} }

// next gives the next line without its end, valid until the call after. At the end of the stream it gives io.EOF, and may be asked
// again when there is more.
func (l *lines) next() ([]byte, error) {
	searched := 0
	for {
		if i := bytes.IndexByte(l.buf[l.start+searched:l.end], '\n'); i >= 0 {
			line := l.buf[l.start : l.start+searched+i]
			l.consume(searched + i + 1)
			if l.skipping || len(line) > record.MaxLine {
				l.skipping = false
				return nil, errTooLong
			}
			return line, nil
		}
		searched = l.end - l.start
		if searched > record.MaxLine {
			l.skipping = true
			l.consume(searched)
			searched = 0
		}
		if err := l.fill(); err != nil {
			return nil, err
		}
	}
}

// rest gives what stands behind the last line end, once.
func (l *lines) rest() []byte {
	rest := l.buf[l.start:l.end]
	l.consume(len(rest))
	if l.skipping {
		l.skipping = false
		return []byte{0} // no record
	}
	return rest
}

func (l *lines) consume(n int) {
	l.start += n
	l.offset += int64(n)
}

// taken is how much was read of the stream, given out or not.
func (l *lines) taken() int64 { return l.offset + int64(l.end-l.start) }

func (l *lines) fill() error {
	if l.buf == nil {
		l.buf = make([]byte, bufferSize)
	}
	if l.start > 0 && len(l.buf)-l.end < record.MaxLine {
		l.end = copy(l.buf, l.buf[l.start:l.end])
		l.start = 0
	}
	n, err := l.in.Read(l.buf[l.end:])
	l.end += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// release gives the buffer up; the stream is at its end, and what rest gave is the last to be used of it.
func (l *lines) release() { l.buf, l.start, l.end = nil, 0, 0 }
