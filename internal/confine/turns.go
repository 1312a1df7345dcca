package confine

import (
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/policy"
)

// TurnsDir is where an installation keeps count of sessions and starts.
const TurnsDir = "/run/ssh-gate"

const (
	maxTurns   = 1 << 20 // bytes of the file of one account
	turnsMode  = 0o600
	mutexByte  = 1 << 62 // a place in the file of starts that stands for both
	slotsBegin = 1 << 32 // places in the FIFO that stand for sessions
	mutexWait  = time.Second
	mutexPoll  = 2 * time.Millisecond
)

// Turns keeps count of one account's starts and sessions, for one login. Starts are moments of CLOCK_BOOTTIME, which nobody sets back, in a
// file. A session is a lock on a place in a FIFO beside it, which the kernel holds as long as the program, or what it started, has the
// descriptor, and releases however it ends (open file description locks, fcntl(2)). A FIFO, because a program can open again for writing
// what it has inherited and its account owns, and a FIFO takes no room on the disk.
type Turns struct {
	file     int // of starts, never the program's
	sessions int // a FIFO; the program inherits it
	err      error
}

// LimitError says that a limit is reached and when to try again.
type LimitError struct {
	Often bool // too often, not too many at once
	text  string
	retry time.Duration // 0: not known
}

func (e *LimitError) Error() string {
	if e.retry == 0 {
		return e.text + "; try again when one has ended"
	}
	whole := (e.retry + time.Second - 1).Truncate(time.Second) // earlier would be too early
	return e.text + "; try again in " + policy.Duration(whole)
}

// OpenTurns opens the file of an account, or makes it; what keeps it from that is what each turn then fails with. The folder must belong
// to root or to this user, and be written by nobody else, but for group, which a setgid installation lends; -1: none is.
func OpenTurns(dir string, uid, group int) *Turns {
	t := &Turns{file: -1, sessions: -1}
	if t.err = t.open(dir, strconv.Itoa(uid), group); t.err != nil {
		t.err = fmt.Errorf("%+q: %w", dir, t.err)
	}
	return t
}

func (t *Turns) open(dir, name string, group int) error {
	folder, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(folder)
	var st unix.Stat_t
	if err := unix.Fstat(folder, &st); err != nil {
		return err
	}
	if st.Uid != 0 && int(st.Uid) != unix.Getuid() || st.Mode&0o002 != 0 || st.Mode&0o020 != 0 && int(st.Gid) != group {
		return fmt.Errorf("belongs to user %d with mode %04o, so others can change the count", st.Uid, st.Mode&0o7777)
	}
	if t.file, err = openOwn(folder, name, unix.S_IFREG, unix.O_RDWR); err != nil {
		return err
	}
	t.sessions, err = openOwn(folder, name+".sessions", unix.S_IFIFO, unix.O_RDONLY)
	return err
}

// openOwn opens what is this user's in the folder, or makes it. A mode that keeps him out himself, by an odd umask or by a program that
// had the descriptor, is put right.
func openOwn(folder int, name string, kind uint32, how int) (fd int, err error) {
	how |= unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	fd, err = unix.Openat(folder, name, how, 0)
	if errors.Is(err, unix.ENOENT) {
		if err = unix.Mknodat(folder, name, kind|turnsMode, 0); err != nil && !errors.Is(err, unix.EEXIST) {
			return -1, err
		}
		fd, err = unix.Openat(folder, name, how, 0)
	}
	if errors.Is(err, unix.EACCES) && unix.Fchmodat(folder, name, turnsMode, 0) == nil {
		fd, err = unix.Openat(folder, name, how, 0)
	}
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return -1, err
	}
	if st.Mode&unix.S_IFMT != kind || int(st.Uid) != unix.Getuid() {
		return -1, errors.New("holds something else than what the gate has made for the account under its number")
	}
	return fd, nil
}

// Take counts one start under a label, which stands for a rule or a key. It fails with a LimitError where there are as many
// as the limits allow. The descriptor is for the program to inherit; -1: none.
func (t *Turns) Take(label string, l *policy.Limits) (inherit int, err error) {
	if t.err != nil {
		return -1, t.err
	}
	unlock, err := t.lock()
	if err != nil {
		return -1, err
	}
	defer unlock()
	inherit = -1
	if l.Sessions > 0 {
		if err := t.session(label, l.Sessions); err != nil {
			return -1, err
		}
		inherit = t.sessions
	}
	if l.Rate.Times > 0 {
		if err := t.start(label, l.Rate); err != nil {
			return -1, err
		}
	}
	return inherit, nil
}

// lock keeps other gates of the account out, for no longer than mutexWait: in a plain installation its programs can open the file, too.
func (t *Turns) lock() (unlock func(), err error) {
	place := func(kind int16) error {
		return unix.FcntlFlock(uintptr(t.file), unix.F_OFD_SETLK, &unix.Flock_t{Type: kind, Start: mutexByte, Len: 1})
	}
	for waited := time.Duration(0); ; waited += mutexPoll {
		err = place(unix.F_WRLCK)
		if err == nil {
			return func() { place(unix.F_UNLCK) }, nil
		}
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES) || waited >= mutexWait {
			return nil, fmt.Errorf("the count of sessions and starts is held by somebody else: %w", err)
		}
		pause := unix.NsecToTimespec(int64(mutexPoll))
		unix.Nanosleep(&pause, nil)
	}
}

// session takes the first free place of a label. A read lock is all that a descriptor for reading may have; that a place is taken, by
// another login, shows in that a write lock would be refused.
func (t *Turns) session(label string, most int) error {
	first := int64(slotsBegin + uint64(digest(label))<<10)
	for i := range int64(most) {
		query := unix.Flock_t{Type: unix.F_WRLCK, Start: first + i, Len: 1}
		if err := unix.FcntlFlock(uintptr(t.sessions), unix.F_OFD_GETLK, &query); err != nil {
			return fmt.Errorf("sessions cannot be counted: %w", err)
		}
		if query.Type != unix.F_UNLCK {
			continue
		}
		claim := unix.Flock_t{Type: unix.F_RDLCK, Start: first + i, Len: 1}
		if err := unix.FcntlFlock(uintptr(t.sessions), unix.F_OFD_SETLK, &claim); err != nil {
			return fmt.Errorf("sessions cannot be counted: %w", err)
		}
		return nil
	}
	return &LimitError{text: fmt.Sprintf("%d at once are allowed, and so many run", most)}
}

func digest(label string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(label))
	return h.Sum32()
}

// start notes the moment of a start, unless there were enough in the time before.
func (t *Turns) start(label string, rate policy.Rate) error {
	var boot unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot); err != nil {
		return err
	}
	now := boot.Nano()
	text, err := t.read()
	if err != nil {
		return err
	}
	var kept strings.Builder
	var mine []int64
	for line := range strings.Lines(text) {
		if moments, ok := strings.CutPrefix(line, strconv.Quote(label)+" "); ok {
			_, moments, _ = strings.Cut(moments, " ")
			mine = append(mine, recent(moments, now-int64(rate.Window), now)...) // of a torn text there may be two
		} else if counts(line, now) {
			kept.WriteString(line)
		}
	}
	if len(mine) >= rate.Times {
		wait := mine[len(mine)-rate.Times] + int64(rate.Window) - now
		return &LimitError{true, fmt.Sprintf("%d in %s are allowed", rate.Times, policy.Duration(rate.Window)), max(time.Duration(wait), time.Second)}
	}
	fmt.Fprintf(&kept, "%q %d", label, int64(rate.Window))
	for _, m := range append(mine, now) {
		kept.WriteString(" " + strconv.FormatInt(m, 10))
	}
	kept.WriteString("\n")
	return t.write(kept.String())
}

// counts says whether a line of another label, which ends with its window and its moments, still has one in its window: else it goes.
func counts(line string, now int64) bool {
	quoted, err := strconv.QuotedPrefix(line)
	if err != nil || !strings.HasSuffix(line, "\n") {
		return false
	}
	words := strings.Fields(line[len(quoted):])
	if len(words) < 2 {
		return false
	}
	window, err := strconv.ParseInt(words[0], 10, 64)
	return err == nil && len(recent(words[len(words)-1], now-window, now)) > 0
}

// recent are the moments since then. One that lies ahead is from before the machine was started anew.
func recent(text string, since, now int64) (moments []int64) {
	for _, word := range strings.Fields(text) {
		if m, err := strconv.ParseInt(word, 10, 64); err == nil && m > since && m <= now {
			moments = append(moments, m)
		}
	}
	return moments
}

func (t *Turns) read() (string, error) {
	var st unix.Stat_t
	if err := unix.Fstat(t.file, &st); err != nil {
		return "", err
	}
	if st.Size > maxTurns {
		return "", fmt.Errorf("the count of starts has %d bytes, more than %d", st.Size, maxTurns)
	}
	buf := make([]byte, st.Size)
	n, err := unix.Pread(t.file, buf, 0)
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

// write puts the text in the place of the old one. A gate that is killed in between leaves a part; what of it cannot be read counts for
// nothing.
func (t *Turns) write(text string) error {
	if len(text) > maxTurns {
		return fmt.Errorf("the count of starts would have %d bytes, more than %d", len(text), maxTurns)
	}
	// Half of it in the old one's place would lose what is counted already.
	if err := unix.Fallocate(t.file, 0, 0, int64(len(text))); err != nil && !errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("the count of starts cannot be written: %w", err)
	}
	if n, err := unix.Pwrite(t.file, []byte(text), 0); err != nil || n < len(text) {
		return fmt.Errorf("the count of starts cannot be written: %d of %d bytes, %w", n, len(text), errors.Join(err, unix.EIO))
	}
	return unix.Ftruncate(t.file, int64(len(text)))
}
