package session

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"example.org/ssh-gate/internal/address"
)

// login reads a session of the user who runs the test from this environment, and a home.
func login(t *testing.T, env ...string) *Session {
	t.Helper()
	s, err := New(append(env, "HOME=/home/tester"), os.Getuid())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConnection(t *testing.T) {
	for _, c := range []struct {
		text string
		ip   string
		port uint16
		addr string // where it is spelled otherwise than ip
	}{
		{"192.0.2.1 51234 198.51.100.2 22", "192.0.2.1", 51234, ""},
		{"2001:db8::1 1 2001:db8::2 2222", "2001:db8::1", 1, ""},
		{"::ffff:192.0.2.1 65535 ::ffff:198.51.100.2 22", "::ffff:192.0.2.1", 65535, "192.0.2.1"},
		{"fe80::1%eth0 22 fe80::2%eth0 22", "fe80::1%eth0", 22, "fe80::1"},
		{"fe80::1%br-lan.1:2 22 fe80::2%1 22", "fe80::1%br-lan.1:2", 22, "fe80::1"},
		{"UNKNOWN 65535 UNKNOWN 65535", "", 0, ""},
		{"UNKNOWN 65535 192.0.2.1 22", "", 0, ""},
		{"192.0.2.1 22 UNKNOWN 65535", "192.0.2.1", 22, ""},
	} {
		s := login(t, "SSH_CONNECTION="+c.text)
		if c.addr == "" {
			c.addr = c.ip
		}
		want, _ := address.Parse(c.addr)
		if s.Connection != c.text || s.ClientIP != c.ip || s.ClientPort != c.port || s.ClientAddr != want || !s.Remote() {
			t.Errorf("%q: connection %q, client %q port %d, remote %t", c.text, s.Connection, s.ClientIP, s.ClientPort, s.Remote())
		}
	}
}

// malformed are texts that are neither an address nor a port, in the place of one.
var malformed = struct{ addresses, ports []string }{
	addresses: []string{"", "x", "unknown", "192.0.2", "192.0.2.1.", "192.0.2.256", "192.0.2.1/24", "::1::", "fe80::1%", "fe80::1%a/b", "fe80::1%a\x1b", "fe80::1%..", "\x1b[2J", "\xff", "localhost", "UNKNOWN%1"},
	ports:     []string{"", "x", "-1", "+22", "65536", "99999999999999999999", "0x16", "22.0", "2\n2"},
}

func TestConnectionMalformed(t *testing.T) {
	texts := []string{" ", "192.0.2.1", "192.0.2.1 22", "192.0.2.1 22 198.51.100.2", "192.0.2.1 22 198.51.100.2 22 ", " 192.0.2.1 22 198.51.100.2 22", "192.0.2.1  22 198.51.100.2 22",
		"192.0.2.1 22 198.51.100.2 22 22", "192.0.2.1\t22\t198.51.100.2\t22", "192.0.2.1 22 198.51.100.2 22\n"}
	for _, a := range malformed.addresses {
		texts = append(texts, a+" 22 198.51.100.2 22", "192.0.2.1 22 "+a+" 22")
	}
	for _, p := range malformed.ports {
		texts = append(texts, "192.0.2.1 "+p+" 198.51.100.2 22", "192.0.2.1 22 198.51.100.2 "+p)
	}
	for _, text := range texts {
		s := login(t, "SSH_CONNECTION="+text)
		if s.Connection != "" || s.ClientIP != "" || s.ClientPort != 0 || s.ClientAddr != (address.Addr{}) {
			t.Errorf("%q: connection %q, client %q port %d", text, s.Connection, s.ClientIP, s.ClientPort)
		}
		if !s.Remote() {
			t.Errorf("%q: not remote, although sshd set it", text)
		}
	}
}

func TestNotRemote(t *testing.T) {
	for _, env := range [][]string{nil, {"SSH_CONNECTION="}, {"SSH_CLIENT=192.0.2.1 22 22"}, {"XSSH_CONNECTION=192.0.2.1 22 198.51.100.2 22"}} {
		if s := login(t, env...); s.Remote() || s.Connection != "" || s.ClientIP != "" {
			t.Errorf("%q: remote %t, connection %q, client %q", env, s.Remote(), s.Connection, s.ClientIP)
		}
	}
}

func TestClient(t *testing.T) {
	for _, text := range []string{"192.0.2.1 51234 22", "2001:db8::1 1 2222", "fe80::1%eth0 22 22", "UNKNOWN 65535 65535"} {
		if s := login(t, "SSH_CLIENT="+text); s.Client != text {
			t.Errorf("%q: %q", text, s.Client)
		}
	}
	texts := []string{"", " ", "192.0.2.1 22", "192.0.2.1 22 22 22", "192.0.2.1 22 198.51.100.2 22", "192.0.2.1 22 22 ", "192.0.2.1 22 22" + strings.Repeat("0", maxValue)}
	for _, a := range malformed.addresses {
		texts = append(texts, a+" 22 22")
	}
	for _, p := range malformed.ports {
		texts = append(texts, "192.0.2.1 "+p+" 22", "192.0.2.1 22 "+p)
	}
	for _, text := range texts {
		if s := login(t, "SSH_CLIENT="+text); s.Client != "" {
			t.Errorf("%q: %q, want none", text, s.Client)
		}
	}
}

func TestRequest(t *testing.T) {
	long := strings.Repeat("x", 131050)
	for _, request := range []string{"uptime", "", " ", "a\nb\x1b\xff", "A=B", long} {
		if s := login(t, "SSH_ORIGINAL_COMMAND="+request); s.Request != request {
			t.Errorf("%.40q: %.40q", request, s.Request)
		}
	}
	if s := login(t, "SSH_ORIGINAL_COMMANDX=a", "XSSH_ORIGINAL_COMMAND=b", "SSH_ORIGINAL_COMMAND"); s.Request != "" {
		t.Errorf("unset, but %q", s.Request)
	}
}

func TestTerminal(t *testing.T) {
	for _, c := range []struct{ tty, term, wantTTY, wantTerm string }{
		{"/dev/pts/3", "xterm-256color", "/dev/pts/3", "xterm-256color"},
		{"/dev/tty1", "rxvt-unicode+x", "/dev/tty1", "rxvt-unicode+x"},
		{"/dev/pts/3", "", "/dev/pts/3", ""},
		{"/dev/pts/3", "../../tmp/x", "/dev/pts/3", ""},
		{"/dev/pts/3", "a/b", "/dev/pts/3", ""},
		{"/dev/pts/3", "\x1b[2J", "/dev/pts/3", ""},
		{"/dev/pts/3", strings.Repeat("x", 65), "/dev/pts/3", ""},
		{"", "xterm", "", ""},
		{"pts/3", "xterm", "", ""},
		{"/tmp/x", "xterm", "", ""},
		{"/dev/../tmp/x", "xterm", "", ""},
		{"/dev/pts/3 ", "xterm", "", ""},
		{"/dev/pts/\n", "xterm", "", ""},
		{"/dev/" + strings.Repeat("x", 60), "xterm", "", ""},
	} {
		s := login(t, "SSH_TTY="+c.tty, "TERM="+c.term)
		if s.TTY != c.wantTTY || s.Term != c.wantTerm {
			t.Errorf("SSH_TTY=%q TERM=%q: %q, %q; want %q, %q", c.tty, c.term, s.TTY, s.Term, c.wantTTY, c.wantTerm)
		}
	}
	if s := login(t, "TERM=xterm"); s.TTY != "" || s.Term != "" {
		t.Errorf("without SSH_TTY: %q, %q", s.TTY, s.Term)
	}
}

func TestPlain(t *testing.T) {
	plain := "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@-"
	for c := range 256 {
		s := string([]byte{byte(c)})
		if got, want := Plain("a"+s, ""), strings.Contains(plain, s); got != want {
			t.Errorf("Plain(%q) = %t", "a"+s, got)
		}
	}
	for _, c := range []struct {
		value, extra string
		want         bool
	}{
		{"", "", false}, {"a", "", true}, {strings.Repeat("a", 64), "", true}, {strings.Repeat("a", 65), "", false},
		{".", "", true}, {"..", "", false}, {"a..b", "", false}, {"a.b.c", "", true}, {"-", "", true},
		{"a/b", "", false}, {"a/b", "/", true}, {"/../", "/", false}, {"a+b:c", "+:", true}, {"a+b;c", "+:", false}, {"é", "é", true}, {"é", "", false},
		{"\x00", "", false}, {"en_US.UTF-8@euro", "", true}, {"a b", "", false}, {"host$", "$", true}, {"host$", "", false},
	} {
		if got := Plain(c.value, c.extra); got != c.want {
			t.Errorf("Plain(%q, %q) = %t", c.value, c.extra, got)
		}
	}
}

func TestLocale(t *testing.T) {
	kept := []string{"LANG=en_US.UTF-8", "LC_ALL=C", "LC_TIME=de_DE@euro", "LC_X_9=posix"}
	dropped := []string{"LANG=", "LC_ALL=", "LC_=C", "LC_ALL", "LANG", "LANGUAGE=de:en", "LC_all=C", "LC_A-B=C", "LC_A B=C", "LC_A\n=C", "LC_É=C", "XLC_ALL=C", "LC=C", "lc_all=C",
		"LC_PAPER=../x", "LC_PAPER=a/b", "LC_PAPER=\x1b[2J", "LC_PAPER=\xff", "LC_PAPER=$(id)", "LC_PAPER=a=b", "LC_PAPER=a b", "LC_PAPER=" + strings.Repeat("x", 65), "LC_" + strings.Repeat("X", 62) + "=C"}
	var env []string
	for i, d := range dropped {
		env = append(env, d)
		if i < len(kept) {
			env = append(env, kept[i])
		}
	}
	if got := login(t, env...).Locale(); !reflect.DeepEqual(got, kept) {
		t.Errorf("kept %q, want %q", got, kept)
	}
}

func TestLocaleBound(t *testing.T) {
	var env []string
	for i := range 3 * maxLocale {
		env = append(env, fmt.Sprintf("LC_%d=C", i))
	}
	if got := login(t, env...).Locale(); !reflect.DeepEqual(got, env[:maxLocale]) {
		t.Errorf("kept %q", got)
	}
	if got := login(t).Locale(); got != nil {
		t.Errorf("of nothing, kept %q", got)
	}
}

func TestGet(t *testing.T) {
	env := Environ{"", "=", "A", "AB=0", "A=1", "A=2", "E=", "=C=3", "X=a=b"}
	for name, want := range map[string]string{"A": "1", "AB": "0", "E": "", "X": "a=b"} {
		if got, ok := env.Get(name); !ok || got != want {
			t.Errorf("Get(%q) = %q, %t", name, got, ok)
		}
	}
	for _, name := range []string{"a", "B", "C", "ABC", "AB=0"} {
		if got, ok := env.Get(name); ok {
			t.Errorf("Get(%q) = %q", name, got)
		}
	}
	if got, ok := login(t, "GIT_PROTOCOL=version=2").Env("GIT_PROTOCOL"); !ok || got != "version=2" {
		t.Errorf("Env gives %q, %t", got, ok)
	}
}

func TestLongValues(t *testing.T) {
	zone := strings.Repeat("a", maxValue)
	if s := login(t, "SSH_CONNECTION=fe80::1%"+zone+" 22 ::1 22", "SSH_CLIENT=fe80::1%"+zone+" 22 22", "SSH_TTY=/dev/"+zone); s.Connection != "" || s.Client != "" || s.TTY != "" {
		t.Errorf("connection %q, client %q, tty %q", s.Connection, s.Client, s.TTY)
	}
}
