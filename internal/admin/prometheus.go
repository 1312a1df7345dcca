package admin

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/argv"
	"example.org/ssh-gate/internal/logbook"
	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/record"
)

// Counters must never fall, or Prometheus takes what is left for new. So the file of the last run is where this one goes on, from
// a position that stands in it as a comment; rotation that drops old records changes nothing in what was counted.

// series is one counter's labels.
type series struct {
	event  record.Event
	reason record.Reason
	key    string
}

// counters is the content of the file.
type counters struct {
	records  map[series]int64
	damaged  int64
	last     time.Time // of the newest record
	position logbook.Position
	resumed  bool // a run before this one has counted up to position
}

const (
	// maxSeries bounds how many counters there are: whoever may call the gate by hand may make up names of keys.
	maxSeries = 2000
	other     = "other" // what is beyond that, and what is no name

	maxCounterFile = 4 << 20 // bytes
	tempName       = ".ssh-gate.new"
)

// prometheus brings the counters in a file up to date.
func (c *call) prometheus(book *logbook.Book, file string) int {
	if _, err := os.Stat(filepath.Dir(file)); err != nil {
		return c.fail(err, "install -d -m 755 "+argv.Quote([]string{filepath.Dir(file)})+", or name the folder that node_exporter's --collector.textfile.directory names")
	}
	// Not the counters' folder, which any account may open, and lock for as long as it likes.
	folder, err := os.Open(book.Folder())
	if err != nil {
		return c.fail(err, "ls -ld "+argv.Quote([]string{book.Folder()}))
	}
	defer folder.Close()
	if err := unix.Flock(int(folder.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return c.fail(fmt.Errorf("%+q: another run is under way: %w", book.Folder(), err), "try again")
	}
	counted, err := readCounters(file)
	if err != nil {
		return c.fail(fmt.Errorf("%+q is not what this verb writes: %w", file, err), "remove it to count anew")
	}
	counted.add(c, book)
	if err := replace(file, counted.text()); err != nil {
		return c.fail(err, whatToDo(err, argv.Quote([]string{filepath.Dir(file)})))
	}
	return c.finish(book, bufio.NewWriter(c.out))
}

// add counts what the log has got since. Where the position is gone, because the file was compressed or the log copied, what is
// newer than the newest that was counted is counted, and that is said.
func (t *counters) add(c *call, book *logbook.Book) {
	after := time.Time{}
	if t.resumed && !book.Skip(t.position) {
		after = t.last
		c.warn("the log was rotated away since the last run; records after %s are counted", after.Format(time.RFC3339Nano))
	}
	var before int64 // damaged lines that stand before a record that was counted, so they were as well
	for l := range book.All() {
		if l.Time.After(after) {
			t.count(series{l.Event, l.Reason, l.Key})
		} else {
			before = book.Damaged
		}
		if l.Time.After(t.last) {
			t.last = l.Time
		}
	}
	t.damaged += book.Damaged - before
	t.position, _ = book.Position() // or none, which is nowhere to be found
}

// count counts one record. Whoever can write into the log may make up events and reasons too.
func (t *counters) count(s series) {
	full := func(limit int) bool { _, known := t.records[s]; return !known && len(t.records) >= limit }
	if s.key != "" && !policy.IsName(s.key) || noPolicy(s.reason) || full(maxSeries) {
		s.key = other
	}
	if !policy.IsName(string(s.event)) || !policy.IsName(string(s.reason)) || full(maxSeries+len(record.Reasons)) {
		s.event, s.reason = other, other
	}
	t.records[s]++
}

// noPolicy says whether a record proves no policy of the key's name: anybody may call the gate with a name of his own making.
func noPolicy(reason record.Reason) bool {
	return slices.Contains([]record.Reason{record.PolicyMissing, record.Usage, record.ConfigMissing, record.ConfigUnsafe, record.ConfigUnreadable,
		record.ConfigInvalid, record.AccountUnknown, record.Misinstalled}, reason)
}

const (
	recordsName = "ssh_gate_records_total"
	damagedName = "ssh_gate_log_damaged_lines_total"
	lastName    = "ssh_gate_log_last_record_timestamp_seconds"
	stateMark   = "# ssh-gate goes on from: "
	stateFormat = stateMark + "device %d inode %d offset %d sum %d last %d\n"
)

// text is the file, in the text format of Prometheus, https://prometheus.io/docs/instrumenting/exposition_formats/.
func (t *counters) text() []byte {
	var b bytes.Buffer
	var last int64
	if !t.last.IsZero() {
		last = t.last.UnixMicro()
	}
	fmt.Fprintf(&b, stateFormat, t.position.Device, t.position.Inode, t.position.Offset, t.position.Sum, last)
	fmt.Fprintf(&b, "# HELP %s Records in the log, by event, reason and key.\n# TYPE %[1]s counter\n", recordsName)
	all := make([]series, 0, len(t.records))
	for s := range t.records {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b series) int {
		return cmp.Or(cmp.Compare(a.event, b.event), cmp.Compare(a.reason, b.reason), cmp.Compare(a.key, b.key))
	})
	for _, s := range all {
		fmt.Fprintf(&b, "%s{event=%s,reason=%s,key=%s} %d\n", recordsName, label(string(s.event)), label(string(s.reason)), label(s.key), t.records[s])
	}
	fmt.Fprintf(&b, "# HELP %s Lines of the log that are no records.\n# TYPE %[1]s counter\n%[1]s %d\n", damagedName, t.damaged)
	if !t.last.IsZero() {
		fmt.Fprintf(&b, "# HELP %s When the newest record was written.\n# TYPE %[1]s gauge\n%[1]s %d\n", lastName, t.last.Unix())
	}
	return b.Bytes()
}

// label quotes a text as the format wants it: printable ASCII here, in which only a backslash and a quote need one before them.
func label(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(record.Escape(text)) + `"`
}

// readCounters reads what text has written.
func readCounters(file string) (*counters, error) {
	t := &counters{records: make(map[series]int64)}
	info, err := os.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxCounterFile) {
		err = fmt.Errorf("it is no regular file of at most %d bytes", maxCounterFile)
	}
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		if err := t.readLine(line); err != nil {
			return nil, err // without the line, which may be of a file that is not for those who read this
		}
	}
	return t, nil
}

func (t *counters) readLine(line string) error {
	name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	switch {
	case strings.HasPrefix(line, stateMark):
		var last int64
		_, err := fmt.Sscanf(line, stateFormat, &t.position.Device, &t.position.Inode, &t.position.Offset, &t.position.Sum, &last)
		t.resumed = err == nil
		if last != 0 {
			t.last = time.UnixMicro(last).UTC()
		}
		return err
	case name == "#", name == lastName:
		return nil
	case name == damagedName:
		n, err := strconv.ParseInt(value, 10, 64)
		t.damaged = n
		return err
	}
	return t.readSeries(line)
}

func (t *counters) readSeries(line string) error {
	var event, reason, key string
	var n int64
	rest, ours := strings.CutPrefix(line, recordsName)
	if !ours {
		return errors.New("an unknown name")
	}
	if _, err := fmt.Sscanf(rest, "{event=%q,reason=%q,key=%q} %d\n", &event, &reason, &key, &n); err != nil {
		return err
	}
	key, ok := record.Unescape(key)
	if !ok || n < 0 {
		return errors.New("a value that is none")
	}
	t.records[series{record.Event(event), record.Reason(reason), key}] = n
	return nil
}

// replace puts a new file in the place of the old one, whole or not at all. The temporary name begins with a dot and does not end
// in .prom, so the collector passes over it. It is always the same, so that what an interrupted run has left goes with the next one.
func replace(file string, text []byte) error {
	name := filepath.Join(filepath.Dir(file), tempName)
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	fd, err := unix.Open(name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("%+q: %w", name, err)
	}
	defer os.Remove(name)
	temp := os.NewFile(uintptr(fd), name)
	_, err = temp.Write(text)
	if err = errors.Join(err, temp.Chmod(0o644), temp.Close()); err != nil {
		return err
	}
	return os.Rename(name, file)
}
