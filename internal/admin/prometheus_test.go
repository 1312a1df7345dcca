package admin

import (
	"fmt"
	"hash/crc32"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/record"
	"example.org/ssh-gate/internal/recordtest"
)

// counted is the file as Prometheus' own parser reads it: each series by its labels, in the order of their names.
func (d *desk) counted(file string) map[string]float64 {
	d.Helper()
	var parser expfmt.TextParser
	families, err := parser.TextToMetricFamilies(strings.NewReader(d.read(file)))
	if err != nil {
		d.Fatalf("%v\n%s", err, d.read(file))
	}
	all := map[string]float64{}
	for name, family := range families {
		if family.GetHelp() == "" || strings.HasSuffix(name, "_total") != (family.GetType().String() == "COUNTER") {
			d.Errorf("%s is a %s: %q", name, family.GetType(), family.GetHelp())
		}
		for _, m := range family.GetMetric() {
			id := name
			for _, l := range m.GetLabel() {
				id += " " + l.GetValue()
			}
			if _, twice := all[id]; twice {
				d.Errorf("%s stands twice", id)
			}
			all[id] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return all
}

// wantCount runs the verb and compares the counters of denials and damage. None may be less than the last time.
func (d *desk) wantCount(denied, damaged float64, errs string) {
	d.Helper()
	before := map[string]float64{}
	if _, err := os.Stat(d.path("x.prom")); err == nil {
		before = d.counted("x.prom")
	}
	d.want(exitOK, "", errs, "log", "--prometheus", "$DIR/x.prom", "--file", "$DIR/log")
	after := d.counted("x.prom")
	for id, n := range before {
		if after[id] < n {
			d.Errorf("%s fell from %v to %v", id, n, after[id])
		}
	}
	if a, b := after[recordsName+" denied no-rule ci"], after[damagedName]; a != denied || b != damaged {
		d.Errorf("%v denied, %v damaged; want %v, %v", a, b, denied, damaged)
	}
}

// ticker gives one record after the other; the clock goes on.
func ticker() func() string {
	n := 0
	return func() string {
		n++
		return denial(at(day-time.Duration(n)*time.Second), "ci", "192.0.2.7", "id")
	}
}

func rotatedAway(last string) string {
	return "ssh-gate: warning: the log was rotated away since the last run; records after " + last + " are counted\n"
}

func TestPrometheus(t *testing.T) {
	d := newDesk(t)
	text := ""
	for _, e := range entries() {
		text += string(e.Append(nil))
	}
	d.write("log", text+"damage\n")
	d.want(exitOK, "", "ssh-gate: warning: damaged lines passed over: 1\n", "log", "--prometheus", "$DIR/x.prom", "--file", "$DIR/log")
	var st unix.Stat_t
	check(t, unix.Stat(d.path("log"), &st))
	want := fmt.Sprintf(`# ssh-gate goes on from: device %d inode %d offset %d sum %d last %d
# HELP ssh_gate_records_total Records in the log, by event, reason and key.
# TYPE ssh_gate_records_total counter
ssh_gate_records_total{event="allowed",reason="matched",key="borg"} 1
ssh_gate_records_total{event="denied",reason="control-character",key="ci"} 1
ssh_gate_records_total{event="denied",reason="needs-shell",key="ci"} 1
ssh_gate_records_total{event="denied",reason="no-rule",key=""} 1
ssh_gate_records_total{event="denied",reason="no-rule",key="CI"} 1
ssh_gate_records_total{event="denied",reason="no-rule",key="ci"} 1
ssh_gate_records_total{event="error",reason="policy-invalid",key="partner"} 1
# HELP ssh_gate_log_damaged_lines_total Lines of the log that are no records.
# TYPE ssh_gate_log_damaged_lines_total counter
ssh_gate_log_damaged_lines_total 1
# HELP ssh_gate_log_last_record_timestamp_seconds When the newest record was written.
# TYPE ssh_gate_log_last_record_timestamp_seconds gauge
ssh_gate_log_last_record_timestamp_seconds %d
`, st.Dev, st.Ino, len(text)+7, crc32.ChecksumIEEE([]byte(text+"damage\n")), now.UnixMicro(), now.Unix())
	if got := d.read("x.prom"); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if got := d.counted("x.prom"); len(got) != 9 || got[recordsName+" denied no-rule "] != 1 {
		t.Errorf("%v", got)
	}
	info, err := os.Stat(d.path("x.prom"))
	check(t, err)
	if info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v: node_exporter cannot read it", info.Mode())
	}
}

// TestPrometheusRotation: counters go on, and never fall, whatever becomes of the files.
func TestPrometheusRotation(t *testing.T) {
	d, next := newDesk(t), ticker()
	d.write("log", next()+next()+"damage\n")
	d.wantCount(2, 1, "ssh-gate: warning: damaged lines passed over: 1\n")
	d.wantCount(2, 1, "")
	d.add("log", next())
	d.wantCount(3, 1, "")
	half := next()
	d.add("log", half[:30])
	d.wantCount(3, 1, "")
	d.add("log", half[30:])
	d.wantCount(4, 1, "")

	// Rename and create, with records on both sides.
	d.add("log", next())
	check(t, os.Rename(d.path("log"), d.path("log.1")))
	d.write("log", next())
	d.wantCount(6, 1, "")

	// Renamed, and none made yet.
	d.add("log", next())
	check(t, os.Rename(d.path("log.1"), d.path("log.2")))
	check(t, os.Rename(d.path("log"), d.path("log.1")))
	d.wantCount(7, 1, "")
	d.add("log.1", next())
	d.write("log", next()+"damage\n")
	d.wantCount(9, 2, "ssh-gate: warning: damaged lines passed over: 1\n")

	// Old files are deleted.
	check(t, os.Remove(d.path("log.2")))
	check(t, os.Remove(d.path("log.1")))
	d.wantCount(9, 2, "")

	// The live file goes too, and a new one comes.
	check(t, os.Remove(d.path("log")))
	d.write("log", next())
	check(t, os.Rename(d.path("log"), d.path("aside"))) // which keeps its inode from being used again
	d.write("log", d.read("aside"))
	d.wantCount(10, 2, rotatedAway(at(day-9*time.Second).Format(time.RFC3339Nano)))
}

// TestPrometheusCompression: where the place to go on from was compressed, what is newer is counted, damage before it not once more.
func TestPrometheusCompression(t *testing.T) {
	d, next := newDesk(t), ticker()
	d.write("log", next()+"damage\n"+next())
	d.wantCount(2, 1, "ssh-gate: warning: damaged lines passed over: 1\n")
	d.write("log.1.gz", recordtest.Zip(t, d.read("log")+next()+"more damage\n"))
	check(t, os.Rename(d.path("log"), d.path("gone")))
	d.write("log", next())
	d.wantCount(4, 2, rotatedAway(at(day-2*time.Second).Format(time.RFC3339Nano))+"ssh-gate: warning: damaged lines passed over: 2\n")
	d.wantCount(4, 2, "")

	// A compressed file is the newest there is: what was counted is known by its time.
	check(t, os.Rename(d.path("log.1.gz"), d.path("log.2.gz")))
	d.write("log.1.gz", recordtest.Zip(t, d.read("log")+next()))
	check(t, os.Rename(d.path("log"), d.path("gone too")))
	for _, last := range []int{4, 5} {
		d.wantCount(5, 2, rotatedAway(at(day-time.Duration(last)*time.Second).Format(time.RFC3339Nano))+"ssh-gate: warning: damaged lines passed over: 2\n")
	}
}

// TestPrometheusSpelling: however the log is named, it is the same log.
func TestPrometheusSpelling(t *testing.T) {
	d, next := newDesk(t), ticker()
	d.write("log", next())
	for _, file := range []string{"$DIR/log", "$DIR//log", "$DIR/./log", "$DIR/../" + d.dir[strings.LastIndexByte(d.dir, '/')+1:] + "/log"} {
		d.want(exitOK, "", "", "log", "--prometheus", "$DIR/x.prom", "--file", file)
		if n := d.counted("x.prom")[recordsName+" denied no-rule ci"]; n != 1 {
			t.Errorf("%s: counted %v times", file, n)
		}
	}
}

// TestPrometheusTruncated: a log that was truncated and has grown again is another one, by its times.
func TestPrometheusTruncated(t *testing.T) {
	d, next := newDesk(t), ticker()
	d.write("log", next()+next())
	d.wantCount(2, 0, "")
	check(t, os.Truncate(d.path("log"), 0))
	d.add("log", next())
	d.wantCount(3, 0, rotatedAway(at(day-2*time.Second).Format(time.RFC3339Nano)))
	d.wantCount(3, 0, "")
}

// TestPrometheusFarFuture: one record of a wrong clock, or made up, does not make the others count twice.
func TestPrometheusFarFuture(t *testing.T) {
	d, next := newDesk(t), ticker()
	d.write("log", next()+denial(time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), "ci", "", "x")+denial(time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC), "ci", "", "x"))
	d.wantCount(3, 0, "")
	d.write("copy", d.read("log"))
	check(t, os.Rename(d.path("copy"), d.path("log")))
	d.wantCount(3, 0, rotatedAway("9999-12-31T23:59:59Z"))
}

// TestPrometheusLabels: what stands between the quotes is what the key is called; what is no name is none's.
func TestPrometheusLabels(t *testing.T) {
	d := newDesk(t)
	text := ""
	for _, key := range append(hostile, "a.b_c-9", "other") {
		text += denial(at(time.Hour), key, "", "x")
	}
	for _, line := range []string{`"event":"a\" 7\nb","reason":"no-rule"`, `"event":"denied","reason":"x{y=\"z\"} 9"`, `"event":"` + strings.Repeat("e", 65) + `","reason":"r"`} {
		text += `{"time":"2026-11-22T11:00:00Z",` + line + "}\n"
	}
	d.write("log", text)
	d.run("log", "--prometheus", "$DIR/x.prom", "--file", "$DIR/log")
	first := d.counted("x.prom")
	for id, want := range map[string]float64{
		recordsName + " denied no-rule a.b_c-9":      1,
		recordsName + " denied no-rule other":        float64(len(hostile)) + 1,
		recordsName + " other other ":                2, // the event with a line end is damage
		damagedName:                                  1,
		"ssh_gate_log_last_record_timestamp_seconds": float64(at(time.Hour).Unix()),
	} {
		if first[id] != want {
			t.Errorf("%s is %v, want %v", id, first[id], want)
		}
		delete(first, id)
	}
	if len(first) != 0 {
		t.Errorf("there is also %v", first)
	}
	// What the next run reads back is what this one wrote.
	before := d.read("x.prom")
	d.want(exitOK, "", "", "log", "--prometheus", "$DIR/x.prom", "--file", "$DIR/log")
	if after := d.read("x.prom"); after != before {
		t.Errorf("%s\nbecame\n%s", before, after)
	}
}

// TestReadCounters: a label of any text comes back, also one that this version would not write.
func TestReadCounters(t *testing.T) {
	for _, key := range hostile {
		c := &counters{records: map[series]int64{{record.Denied, record.NoRule, key}: 7}, damaged: 3}
		d := newDesk(t)
		d.write("x.prom", string(c.text()))
		back, err := readCounters(d.path("x.prom"))
		if err != nil || len(back.records) != 1 || back.records[series{record.Denied, record.NoRule, key}] != 7 || back.damaged != 3 {
			t.Errorf("%q: %v, %v", key, back, err)
		}
		if len(d.counted("x.prom")) != 2 {
			t.Errorf("%q", key)
		}
	}
}

// TestPrometheusFlood: made-up names, events and reasons do not make series without end, and the next run reads the file back.
func TestPrometheusFlood(t *testing.T) {
	d := newDesk(t)
	var text strings.Builder
	const flood = 3 * maxSeries
	for n := range flood {
		text.WriteString(denial(at(time.Hour), fmt.Sprintf("%064d", n), "", "x"))
		fmt.Fprintf(&text, `{"time":"2026-11-22T11:00:00Z","event":"denied","reason":"reason-%d","key":"ci"}`+"\n", n)
		fmt.Fprintf(&text, `{"time":"2026-11-22T11:00:00Z","event":"event-%d","reason":"r","key":"%s"}`+"\n", n, strings.Repeat("k", 4000))
	}
	d.write("log", text.String())
	for range 2 {
		d.want(exitOK, "", "", "log", "--prometheus", "$DIR/x.prom", "--file", "$DIR/log")
		all := d.counted("x.prom")
		total := 0.0
		for id, n := range all {
			if strings.HasPrefix(id, recordsName) {
				total += n
			}
		}
		if len(all) > maxSeries+len(record.Reasons)+10 || total != 3*flood {
			t.Fatalf("%d series of %v records", len(all), total)
		}
		if n := len(d.read("x.prom")); n > maxCounterFile/4 {
			t.Errorf("%d bytes", n)
		}
	}
	d.add("log", denial(at(time.Minute), "late", "", "x"))
	before := d.counted("x.prom")[recordsName+" denied no-rule other"]
	d.want(exitOK, "", "", "log", "--prometheus", "$DIR/x.prom", "--file", "$DIR/log")
	if after := d.counted("x.prom")[recordsName+" denied no-rule other"]; after != before+1 {
		t.Errorf("%v, then %v", before, after)
	}
}

// TestPrometheusFolder: neither a run nor an interrupted one leaves a file beside its own.
func TestPrometheusFolder(t *testing.T) {
	d := newDesk(t)
	d.write("log", denial(at(time.Hour), "ci", "", "x"))
	check(t, os.Mkdir(d.path("text"), 0o755))
	d.write("text/"+tempName, "half of a fi") // of a run that was killed
	d.want(exitOK, "", "", "log", "--prometheus", "$DIR/text/x.prom", "--file", "$DIR/log")
	entries, err := os.ReadDir(d.path("text"))
	check(t, err)
	if len(entries) != 1 || entries[0].Name() != "x.prom" {
		t.Errorf("%v", entries)
	}

	// What lies where the temporary file goes is not written through.
	d.write("victim", "precious")
	check(t, os.Symlink(d.path("victim"), d.path("text/"+tempName)))
	d.want(exitOK, "", "", "log", "--prometheus", "$DIR/text/x.prom", "--file", "$DIR/log")
	if got := d.read("victim"); got != "precious" {
		t.Errorf("%q", got)
	}
	check(t, os.Mkdir(d.path("text/"+tempName), 0o755))
	d.write("text/"+tempName+"/x", "")
	if got := d.run("log", "--prometheus", "$DIR/text/x.prom", "--file", "$DIR/log"); got.status != exitFindings || !strings.HasPrefix(got.errs, "ssh-gate: error: remove $DIR/text/"+tempName+": ") {
		t.Errorf("%+v", got)
	}
	if d.counted("text/x.prom")[recordsName+" denied no-rule ci"] != 1 {
		t.Error("a failed run changed the file")
	}
	d.want(exitFindings, "", "ssh-gate: error: stat $DIR/none: no such file or directory\nssh-gate: hint: install -d -m 755 $DIR/none, or name the folder that node_exporter's --collector.textfile.directory names\n",
		"log", "--prometheus", "$DIR/none/x.prom", "--file", "$DIR/log")
}

// TestPrometheusTwoRuns: one at a time, so that none undoes what the other has counted.
func TestPrometheusTwoRuns(t *testing.T) {
	d := newDesk(t)
	d.write("log", denial(at(time.Hour), "ci", "", "x"))
	folder, err := os.Open(d.dir)
	check(t, err)
	check(t, unix.Flock(int(folder.Fd()), unix.LOCK_SH))
	d.want(exitFindings, "", "ssh-gate: error: \"$DIR\": another run is under way: resource temporarily unavailable\nssh-gate: hint: try again\n", "log", "--prometheus", "$DIR/x.prom", "--file", "$DIR/log")
	check(t, folder.Close())
	d.wantCount(1, 0, "")
}

// TestPrometheusStrangeFile: what this verb has not written is neither read as if it had nor replaced.
func TestPrometheusStrangeFile(t *testing.T) {
	d := newDesk(t)
	d.write("log", denial(at(time.Hour), "ci", "", "x"))
	const series = recordsName + `{event="denied",reason="no-rule",key="ci"} `
	for text, problem := range map[string]string{
		"garbage\n":                         "an unknown name",
		"\x1b[2J":                           "an unknown name",
		"node_load1 0.5\n":                  "an unknown name",
		series + "-1\n":                     "a value that is none",
		series + "1.5\n":                    "",
		series + "1e3\n":                    "",
		series + "99999999999999999999\n":   "",
		series + "\n":                       "",
		series + "7 123456\n":               "",
		recordsName + " 7\n":                "",
		recordsName + `{key="ci"} 7` + "\n": "",
		recordsName + `{event="a",reason="b",key="\\x41"} 7` + "\n": "a value that is none",
		damagedName + " x\n":                  "invalid syntax",
		stateMark + "nowhere\n":               "",
		stateMark + "device 1 inode 2\n":      "",
		"\n":                                  "an unknown name",
		strings.Repeat("x", maxCounterFile+1): fmt.Sprintf("it is no regular file of at most %d bytes", maxCounterFile),
	} {
		d.write("x.prom", text)
		got := d.run("log", "--prometheus", "$DIR/x.prom", "--file", "$DIR/log")
		if got.status != exitFindings || got.out != "" || !strings.HasPrefix(got.errs, `ssh-gate: error: "$DIR/x.prom" is not what this verb writes: `) || !strings.Contains(got.errs, problem) ||
			!strings.HasSuffix(got.errs, "\nssh-gate: hint: remove it to count anew\n") {
			t.Errorf("%.60q: %+v", text, got)
		}
		if d.read("x.prom") != text {
			t.Errorf("%.60q was replaced", text)
		}
	}
	for name, make := range map[string]func(string) error{
		"fifo":   func(path string) error { return unix.Mkfifo(path, 0o600) },
		"folder": func(path string) error { return os.Mkdir(path, 0o700) },
		"device": func(path string) error { return os.Symlink("/dev/zero", path) },
		"loop":   func(path string) error { return os.Symlink(path, path) },
	} {
		check(t, make(d.path(name)))
		got := d.run("log", "--prometheus", "$DIR/"+name, "--file", "$DIR/log")
		if got.status != exitFindings || !strings.Contains(got.errs, "is not what this verb writes") {
			t.Errorf("%s: %+v", name, got)
		}
	}
	// A link leads to a file that may not be for those who read the messages.
	d.write("x.prom", series+"5\n")
	check(t, os.Symlink("x.prom", d.path("link")))
	if got := d.run("log", "--prometheus", "$DIR/link", "--file", "$DIR/log"); got.status != exitFindings || !strings.Contains(got.errs, "is not what this verb writes") {
		t.Errorf("%+v", got)
	}
	d.write("empty", "")
	d.want(exitOK, "", "", "log", "--prometheus", "$DIR/empty", "--file", "$DIR/log")
	if d.counted("empty")[recordsName+" denied no-rule ci"] != 1 {
		t.Error(d.read("empty"))
	}
}

// TestReasonsAreLabels: everything that this version writes has a series of its own.
func TestReasonsAreLabels(t *testing.T) {
	for _, m := range record.Reasons {
		if !policy.IsName(string(m.Reason)) || !policy.IsName(string(m.Event)) {
			t.Errorf("%s, %s", m.Reason, m.Event)
		}
	}
}
