package logbook

import (
	"fmt"
	"hash/crc32"
	"os"
	"strings"
	"testing"
	"time"

	"example.org/ssh-gate/internal/record"
	"example.org/ssh-gate/internal/recordtest"
)

// follow gives the references that Follow gives, with a "|" where it waited. Each wait makes the next step happen, and the one behind
// the last step ends it.
func follow(t *testing.T, b *Book, steps ...func()) string {
	t.Helper()
	var got []string
	for l := range b.Follow(func(pause time.Duration) bool {
		if pause <= 0 {
			t.Errorf("a pause of %v", pause)
		}
		if len(steps) == 0 {
			return false
		}
		steps[0]()
		steps = steps[1:]
		got = append(got, "|")
		return true
	}) {
		got = append(got, l.Ref)
	}
	return strings.Join(got, " ")
}

// begin makes a log of one record, and reads it.
func begin(t *testing.T) (folder, *Book) {
	t.Helper()
	f := newFolder(t)
	f.write("log", line("a"))
	b := f.open()
	if got := refs(b); got != "a" {
		t.Fatal(got)
	}
	return f, b
}

func TestFollow(t *testing.T) {
	f, b := begin(t)
	got := follow(t, b,
		func() {},
		func() { f.add("log", records("b", "c")) },
		func() { f.add("log", line("d")) },
	)
	if got != "| | b c | d" || b.Damaged != 0 || len(b.Problems) != 0 {
		t.Errorf("%s, %d damaged, %v", got, b.Damaged, b.Problems)
	}
}

// TestFollowHalf: a record is given when it is whole, whatever pieces it comes in.
func TestFollowHalf(t *testing.T) {
	f, b := begin(t)
	text := line("b")
	got := follow(t, b,
		func() { f.add("log", text[:20]) },
		func() { f.add("log", text[20:len(text)-1]) },
		func() { f.add("log", "\n"+line("c")+"garb") },
		func() { f.add("log", "age\n"+line("d")) },
		func() { f.add("log", strings.Repeat("x", 2*bufferSize)) },
		func() { f.add("log", "\n"+line("e")) },
	)
	if got != "| | | b c | d | | e" || b.Damaged != 2 {
		t.Errorf("%s, %d damaged", got, b.Damaged)
	}
}

// TestFollowHalfAtStart: what All left out because it was not whole comes when it is.
func TestFollowHalfAtStart(t *testing.T) {
	f := newFolder(t)
	text := line("b")
	f.write("log", line("a")+text[:30])
	b := f.open()
	if got := refs(b); got != "a" || b.Damaged != 0 {
		t.Fatalf("%s, %d damaged", got, b.Damaged)
	}
	if got := follow(t, b, func() { f.add("log", text[30:]) }); got != "| b" || b.Damaged != 0 {
		t.Errorf("%s, %d damaged", got, b.Damaged)
	}
}

// TestFollowRotation: rename and create, with a writer that still has the old file open, and goes on in it until the next rotation.
func TestFollowRotation(t *testing.T) {
	f, b := begin(t)
	got := follow(t, b,
		func() { f.add("log", line("b")); f.rename("log", "log.1"); f.write("log", ""); f.add("log", line("c")) },
		func() { f.add("log.1", line("late")) },
		func() { f.add("log.1", line("later")); f.add("log", line("d")) },
		func() { f.rename("log.1", "log.2"); f.rename("log", "log.1"); f.write("log", line("e")) },
		func() { f.add("log.1", line("late2")) },
		func() { f.add("log.2", line("too late")); f.add("log", line("f")) },
	)
	if got != "| b c | late | later d | e | late2 | f" || b.Damaged != 0 || len(b.Problems) != 0 {
		t.Errorf("%s, %d damaged, %v", got, b.Damaged, b.Problems)
	}
	if len(b.volumes) > 2 {
		t.Errorf("%d files are held open", len(b.volumes))
	}
}

// TestFollowDates: rotation to names with a date.
func TestFollowDates(t *testing.T) {
	f, b := begin(t)
	got := follow(t, b,
		func() { f.add("log", line("b")); f.rename("log", "log-20261121"); f.write("log", line("c")) },
		func() { f.rename("log", "log-20261122"); f.write("log", line("d")) },
	)
	if got != "| b c | d" {
		t.Error(got)
	}
}

// TestFollowTwoRotations between two looks: the file in the middle is read as well, also where it is compressed already.
func TestFollowTwoRotations(t *testing.T) {
	for name, middle := range map[string]func(f folder){
		"plain":      func(f folder) { f.write("log.1", records("c", "d")) },
		"compressed": func(f folder) { f.write("log.1.gz", recordtest.Zip(t, records("c", "d"))) },
		"both":       func(f folder) { f.write("log.1", records("c", "d")); f.write("log.1.gz", "half") },
	} {
		f, b := begin(t)
		got := follow(t, b,
			func() { f.add("log", line("b")); f.rename("log", "log.2"); middle(f); f.write("log", line("e")) },
			func() {},
			func() { f.add("log", line("f")) },
		)
		if got != "| b c d e | | f" || b.Damaged != 0 || len(b.Problems) != 0 {
			t.Errorf("%s: %s, %d damaged, %v", name, got, b.Damaged, b.Problems)
		}
	}
}

// TestFollowCompressedAtOnce: the old file is compressed before the next look; what was written into it is read where it was.
func TestFollowCompressedAtOnce(t *testing.T) {
	f, b := begin(t)
	got := follow(t, b, func() {
		f.add("log", line("b"))
		text, err := os.ReadFile(f.log())
		check(t, err)
		f.write("log.1.gz", recordtest.Zip(t, string(text)))
		check(t, os.Remove(f.log()))
		f.write("log", line("c"))
	}, func() { f.add("log", line("d")) })
	if got != "| b c | d" || b.Damaged != 0 {
		t.Errorf("%s, %d damaged", got, b.Damaged)
	}
}

// TestFollowTruncation: a log that has become shorter is a new one.
func TestFollowTruncation(t *testing.T) {
	f, b := begin(t)
	got := follow(t, b,
		func() { f.add("log", records("b", "c")) },
		func() { check(t, os.Truncate(f.log(), 0)) },
		func() { f.add("log", line("d")) },
		func() { f.add("log", "half") },
		func() { f.write("log", line("e")) }, // shorter by the half line only, which goes with what it was part of
		func() { f.add("log", line("f")) },
	)
	if got != "| b c | | d | | e | f" || b.Damaged != 0 {
		t.Errorf("%s, %d damaged", got, b.Damaged)
	}
}

// TestFollowMissing: between the renaming and the making of a new file there is none.
func TestFollowMissing(t *testing.T) {
	f, b := begin(t)
	got := follow(t, b,
		func() { f.rename("log", "log.1") },
		func() { f.add("log.1", line("b")) },
		func() { f.write("log", line("c")) },
		func() { check(t, os.Remove(f.log())) },
		func() {},
		func() { f.write("log", line("d")) },
	)
	if got != "| | b | c | | | d" || len(b.Problems) != 0 {
		t.Errorf("%s, %v", got, b.Problems)
	}
}

// TestFollowMissingAtStart: following may begin in that moment, also where the newest file that is there is a compressed one, which
// must not be taken for text that has become shorter.
func TestFollowMissingAtStart(t *testing.T) {
	f := newFolder(t)
	f.write("log.1", line("a"))
	b := f.open()
	if got := refs(b); got != "a" {
		t.Fatal(got)
	}
	if got := follow(t, b, func() { f.add("log.1", line("b")) }, func() { f.write("log", line("c")) }); got != "| b | c" {
		t.Error(got)
	}

	f = newFolder(t)
	f.write("log.1.gz", recordtest.Zip(t, strings.Repeat(line("a"), 1000)))
	b = f.open()
	if n := len(strings.Fields(refs(b))); n != 1000 {
		t.Fatal(n)
	}
	if got := follow(t, b, func() {}, func() { f.write("log", line("b")) }); got != "| | b" || b.Damaged != 0 || len(b.Problems) != 0 {
		t.Errorf("%s, %d damaged, %v", got, b.Damaged, b.Problems)
	}
}

// TestFollowProblemOnce: a file that cannot be read to its end is told once, not at every look.
func TestFollowProblemOnce(t *testing.T) {
	f, b := begin(t)
	whole := recordtest.Zip(t, records("b", "c"))
	got := follow(t, b,
		func() { f.rename("log", "log.2"); f.write("log.1.gz", whole[:len(whole)-4]); f.write("log", line("d")) },
		func() {}, func() {},
	)
	if got != "| b c d | |" || len(b.Problems) != 1 {
		t.Errorf("%s, %v", got, b.Problems)
	}
}

// TestFollowStrange: what takes the log's place and is none is waited out.
func TestFollowStrange(t *testing.T) {
	f, b := begin(t)
	got := follow(t, b,
		func() { f.rename("log", "log.1"); check(t, os.Mkdir(f.log(), 0o700)) },
		func() { f.add("log.1", line("b")) },
		func() { check(t, os.Remove(f.log())); f.write("log", line("c")) },
	)
	if got != "| | b | c" {
		t.Error(got)
	}
}

// TestFollowEarlyEnd: the reader may stop at any record.
func TestFollowEarlyEnd(t *testing.T) {
	f, b := begin(t)
	f.add("log", records("b", "c"))
	for l := range b.Follow(func(time.Duration) bool { t.Error("waits"); return false }) {
		if l.Ref != "b" {
			t.Error(l.Ref)
		}
		break
	}
}

// TestFollowLeavesNoFilesOpen however often the log is rotated.
func TestFollowLeavesNoFilesOpen(t *testing.T) {
	before := descriptors(t)
	f, b := begin(t)
	for n := range 5 {
		f.write(fmt.Sprintf("log-2025010%d", n), line("x"))
	}
	var steps []func()
	for n := range 20 {
		steps = append(steps, func() { f.rename("log", fmt.Sprintf("log-202601%02d", n)); f.write("log", line(fmt.Sprint(n))) })
	}
	got := follow(t, b, append(steps, func() {
		if n := descriptors(t) - before; n > 2 {
			t.Errorf("%d files are open", n)
		}
	})...)
	if want := 20; strings.Count(got, " ") != 2*want || !strings.HasSuffix(got, "| 19 |") {
		t.Error(got)
	}
	if b.Close(); descriptors(t) != before {
		t.Errorf("%d files are open", descriptors(t)-before)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	check(t, err)
	return len(entries)
}

// TestPosition: reading goes on where it has ended, across rotations.
func TestPosition(t *testing.T) {
	f, b := begin(t)
	at, ok := b.Position()
	if !ok || at.Offset != int64(len(line("a"))) {
		t.Fatalf("%+v, %t", at, ok)
	}
	resume := func(want string) {
		t.Helper()
		b := f.open()
		defer b.Close()
		if !b.Skip(at) {
			t.Fatal("the position is gone")
		}
		if got := refs(b); got != want || b.Damaged != 0 {
			t.Errorf("%q, want %q; %d damaged", got, want, b.Damaged)
		}
		at, ok = b.Position()
		if !ok {
			t.Error("no position")
		}
	}
	resume("")
	f.add("log", records("b", "c"))
	resume("b c")
	f.add("log", line("d")[:10])
	resume("")
	f.add("log", line("d")[10:])
	resume("d")
	f.add("log", line("e"))
	f.rename("log", "log.1") // and there is none for a moment
	resume("e")
	f.add("log.1", line("f"))
	f.write("log", line("g"))
	f.write("log.2.gz", recordtest.Zip(t, line("older")))
	resume("f g")
	f.rename("log.1", "log.2")
	f.rename("log", "log.1")
	f.write("log", "")
	resume("")
	f.add("log", line("h"))
	resume("h")
}

// TestSkipRefuses: where the place is gone nothing is skipped.
func TestSkipRefuses(t *testing.T) {
	f := newFolder(t)
	f.write("log.1", records("a", "b"))
	f.write("log", records("c", "d"))
	f.write("log.2.gz", recordtest.Zip(t, line("older")))
	id := func(name string) ID {
		info, err := os.Stat(f.path(name))
		check(t, err)
		return idOf(info)
	}
	one := int64(len(line("a")))
	sum := func(refs ...string) uint32 { return crc32.ChecksumIEEE([]byte(records(refs...))) }
	for name, at := range map[string]Position{
		"nowhere":                         {},
		"another file":                    {ID{id("log").Device, id("log").Inode + 1<<40}, one, sum("c")},
		"another disk":                    {ID{id("log").Device + 1, id("log").Inode}, one, sum("c")},
		"behind the end":                  {id("log"), 2*one + 1, sum("c", "d")},
		"far behind the end":              {id("log"), 1 << 62, 0},
		"within a line":                   {id("log"), one - 1, crc32.ChecksumIEEE([]byte(line("c")[:one-1]))},
		"before the beginning":            {id("log"), -1, 0},
		"in a compressed file":            {id("log.2.gz"), 0, 0},
		"in a file with the inode of one": {id("log"), one, sum("a")}, // whose records have the same length
	} {
		b := f.open()
		if b.Skip(at) {
			t.Errorf("%s: %+v is there", name, at)
		}
		if got := refs(b); got != "older a b c d" {
			t.Errorf("%s: %s", name, got)
		}
		b.Close()
	}
	for at, want := range map[Position]string{
		{id("log.1"), 0, 0}: "a b c d", {id("log.1"), one, sum("a")}: "b c d", {id("log.1"), 2 * one, sum("a", "b")}: "c d", {id("log"), 0, 0}: "c d",
		{id("log"), 2 * one, sum("c", "d")}: "",
	} {
		b := f.open()
		if !b.Skip(at) {
			t.Errorf("%+v is gone", at)
		}
		if got := refs(b); got != want {
			t.Errorf("%+v: %q, want %q", at, got, want)
		}
		b.Close()
	}
}

// TestPositionNone: a compressed file, which is newest for a moment, is no place to go on from.
func TestPositionNone(t *testing.T) {
	f := newFolder(t)
	f.write("log.1.gz", recordtest.Zip(t, line("a")))
	b := f.open()
	if got := refs(b); got != "a" {
		t.Error(got)
	}
	if at, ok := b.Position(); ok {
		t.Errorf("%+v", at)
	}
}

// TestPositionLong: the buffer holds more than was given.
func TestPositionLong(t *testing.T) {
	f := newFolder(t)
	f.write("log", line("a")+strings.Repeat("x", record.MaxLine+1)+"\n"+line("b")+"half")
	b := f.open()
	if got := refs(b); got != "a b" || b.Damaged != 1 {
		t.Errorf("%s, %d damaged", got, b.Damaged)
	}
	if at, _ := b.Position(); at.Offset != int64(2*len(line("a"))+record.MaxLine+2) {
		t.Errorf("%+v", at)
	}
}
