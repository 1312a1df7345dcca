package keyline

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.org/ssh-gate/internal/testsshd"
)

const sample = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"

func one(t *testing.T, text string) Line {
	t.Helper()
	lines, err := Parse([]byte(text))
	if err != nil || len(lines) != 1 {
		t.Fatalf("%q: %d lines, %v", text, len(lines), err)
	}
	return lines[0]
}

func TestParse(t *testing.T) {
	text := "# a\n\n restrict," + `command="x \"y\" z"` + " " + sample + " me@there \r\nrubbish\nrestrict " + sample
	lines, err := Parse([]byte(text))
	check(t, err)
	var kinds []Kind
	for i, l := range lines {
		kinds = append(kinds, l.Kind)
		if l.Number != i+1 || !strings.HasPrefix(text[l.Start:], l.Text) || (l.Kind == Ignored) != (l.Why != "") {
			t.Errorf("%+v", l)
		}
	}
	if want := []Kind{Blank, Blank, Key, Ignored, Key}; !reflect.DeepEqual(kinds, want) {
		t.Errorf("%v, want %v", kinds, want)
	}
	l := lines[2]
	if command, ok := l.Command(); !ok || command != `x "y" z` || l.Public.Comment != "me@there" || l.Public.Bits != 256 || l.CertAuthority() {
		t.Errorf("%+v", l)
	}
	if want := `restrict,command="x \"y\" z" ` + sample + " me@there"; l.String() != want {
		t.Errorf("%s, want %s", l.String(), want)
	}
	if l := one(t, `cert-authority,principals="a" `+sample); !l.CertAuthority() || l.Kind != Key {
		t.Errorf("%+v", l)
	}
	if l := one(t, `cert-authority,principals="a",principals="a" `+sample); l.Kind != Ignored || l.Why != "it has the option principals twice" {
		t.Errorf("%+v", l)
	}
}

func TestBounds(t *testing.T) {
	for text, want := range map[string]string{
		strings.Repeat("x", MaxFile+1):               "is 4194305 bytes long, more than the 4194304 that are read",
		strings.Repeat("\n", MaxLines+1):             "has more than the 50000 lines that are read",
		"\n" + strings.Repeat("x", MaxLine+1) + "\n": "has a line 2 of 65537 bytes, more than the 65536 that are read",
	} {
		if lines, err := Parse([]byte(text)); err == nil || err.Error() != want || lines != nil {
			t.Errorf("%.10q: %v", text, err)
		}
	}
	for _, text := range []string{strings.Repeat("\n", MaxLines), strings.Repeat("x", MaxLine) + "\n", ""} {
		if _, err := Parse([]byte(text)); err != nil {
			t.Error(err)
		}
	}
}

func TestPermits(t *testing.T) {
	all := Permits{true, true, true, true, true}
	for options, want := range map[string]Permits{
		"": all, "restrict ": {}, "restrict,pty ": {PTY: true}, "pty,restrict ": {}, "restrict,X11-Forwarding,user-rc ": {X11Forwarding: true, UserRC: true},
		"no-pty ": {true, true, true, false, true}, "no-port-forwarding,no-agent-forwarding,no-x11-forwarding,no-user-rc ": {PTY: true}, "no-touch-required ": all,
	} {
		if l := one(t, options+sample); l.Permits() != want {
			t.Errorf("%s: %+v", options, l.Permits())
		}
	}
}

func TestExpiry(t *testing.T) {
	berlin := time.FixedZone("", 3600)
	for value, want := range map[string]string{
		"20990101": "2098-12-31T23:00:00Z", "20990101Z": "2099-01-01T00:00:00Z", "209901021504utc": "2099-01-02T15:04:00Z", "20990102150405Z": "2099-01-02T15:04:05Z",
		`20990101Z",expiry-time="20980101Z`: "2098-01-01T00:00:00Z",
	} {
		l := one(t, `expiry-time="`+value+`" `+sample)
		if got, ok := l.Expiry(berlin); !ok || got.UTC().Format(time.RFC3339) != want {
			t.Errorf("%s: %v, %t", value, got, ok)
		}
	}
	for _, moment := range []string{"2099-01-02T15:04:00Z", "2099-01-02T15:04:05+02:00"} {
		at, err := time.Parse(time.RFC3339, moment)
		check(t, err)
		if got, ok := parseExpiry(FormatExpiry(at), berlin); !ok || !got.Equal(at) {
			t.Errorf("%s: %s, %v", moment, FormatExpiry(at), got)
		}
	}
}

// TestAsSSHKeygen holds types, sizes, fingerprints and foreign formats against what ssh-keygen says and writes.
func TestAsSSHKeygen(t *testing.T) {
	dir := t.TempDir()
	for _, kind := range []string{"ed25519", "rsa 1024", "rsa 2048", "rsa 3072", "rsa 4096", "ecdsa 256", "ecdsa 384", "ecdsa 521"} {
		name, size, _ := strings.Cut(kind, " ")
		file := filepath.Join(dir, name+size)
		args := []string{"-q", "-t", name, "-N", "", "-C", "me @there", "-f", file}
		if size != "" {
			args = append(args, "-b", size)
		}
		testsshd.Keygen(t, args...)
		text, err := os.ReadFile(file + ".pub")
		check(t, err)
		told := strings.Fields(testsshd.Keygen(t, "-l", "-f", file+".pub"))
		k, fault := ReadPublic(text)
		if name == "rsa" && len(size) == 4 && size < "3072" {
			if fault == nil || !strings.Contains(fault.Problem, size+" bits") {
				t.Errorf("%s: %v", kind, fault)
			}
			continue
		}
		if fault != nil {
			t.Errorf("%s: %v", kind, fault)
			continue
		}
		if told[0] != strconv.Itoa(k.Bits) || told[1] != k.Fingerprint() || k.String()+"\n" != string(text) || k.Comment != "me @there" {
			t.Errorf("%s: %d %s %s, ssh-keygen says %v", kind, k.Bits, k.Fingerprint(), k, told)
		}
		// The same key in the other formats is refused with the command that gives it back.
		for format, hint := range map[string]string{"RFC4716": "ssh-keygen -i -f FILE > FILE.pub", "PKCS8": "ssh-keygen -i -m PKCS8 -f FILE > FILE.pub", "PEM": "ssh-keygen -i -m PEM -f FILE > FILE.pub"} {
			if name == "ed25519" && format != "RFC4716" || name == "ecdsa" && format == "PEM" {
				continue // ssh-keygen cannot write them
			}
			foreign := filepath.Join(dir, "foreign")
			check(t, os.WriteFile(foreign, []byte(testsshd.Keygen(t, "-e", "-m", format, "-f", file+".pub")), 0o600))
			text, err := os.ReadFile(foreign)
			check(t, err)
			if _, fault := ReadPublic(text); fault == nil || fault.Hint != hint {
				t.Errorf("%s in %s: %+v", kind, format, fault)
				continue
			}
			words := strings.Fields(strings.NewReplacer("FILE", foreign, "> FILE.pub", "").Replace(hint))
			again, fault := ReadPublic([]byte(testsshd.Keygen(t, words[1:]...)))
			if fault != nil || !again.Same(k) {
				t.Errorf("%s from %s: %v", kind, format, fault)
			}
		}
	}
	for _, format := range []string{"RFC4716", "PKCS8", "PEM"} {
		file := filepath.Join(dir, "private"+format)
		testsshd.Keygen(t, "-q", "-t", "rsa", "-m", format, "-N", "", "-f", file)
		text, err := os.ReadFile(file)
		check(t, err)
		for _, text := range [][]byte{text, append([]byte("\n"), text...), append([]byte(sample+"\n"), text...), bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))} {
			if _, fault := ReadPublic(text); fault == nil || !strings.Contains(fault.Problem, "a private key") || fault.Hint != privateHint {
				t.Errorf("%s: %+v", format, fault)
			}
		}
	}
	// A certificate.
	testsshd.Keygen(t, "-q", "-s", filepath.Join(dir, "rsa3072"), "-I", "id", "-n", "x", filepath.Join(dir, "ed25519.pub"))
	text, err := os.ReadFile(filepath.Join(dir, "ed25519-cert.pub"))
	check(t, err)
	if _, fault := ReadPublic(text); fault == nil || fault.Problem != "is a certificate" {
		t.Errorf("%+v", fault)
	}
	if l := one(t, string(text)); l.Kind != Ignored || !strings.Contains(l.Why, "certificate") {
		t.Errorf("%+v", l)
	}
}

// The security keys are made up: their curves' points are not checked, by sshd's ssh-keygen -l neither.
func TestReadPublic(t *testing.T) {
	f := appendField
	sk := "sk-ssh-ed25519@openssh.com " + base(f(f(f(nil, []byte("sk-ssh-ed25519@openssh.com")), make([]byte, 32)), []byte("ssh:")))
	file := filepath.Join(t.TempDir(), "sk.pub")
	check(t, os.WriteFile(file, []byte(sk+"\n"), 0o600))
	told := strings.Fields(testsshd.Keygen(t, "-l", "-f", file))
	if k, fault := ReadPublic([]byte(sk)); fault != nil || told[0] != strconv.Itoa(k.Bits) || told[1] != k.Fingerprint() {
		t.Errorf("%+v, %+v, %v", k, fault, told)
	}
	dss := f(nil, []byte("ssh-dss"))
	for range 4 {
		dss = f(dss, []byte{1, 2, 3})
	}
	for text, want := range map[string]string{
		"":                                     "holds no key",
		"\n# nothing\n":                        "holds no key",
		"x":                                    "is no public key: it holds no key",
		"ssh-ed25519":                          "is no public key: it holds no key",
		"hello world":                          "is no public key: it begins with no type of a key and no option of sshd's",
		"ssh-ed25519 AAAA":                     "is no public key: its key is of another type than it says",
		"ssh-ed25519 !!!!":                     "is no public key: its key is no base64",
		"ssh-rsa" + sample[11:]:                "is no public key: its key is of another type than it says",
		sample[:len(sample)-4]:                 "is no public key: its key is broken: part of it is missing, or too much",
		"restrict " + sample:                   "has options in front of the key",
		sample + "\n" + sample + "\n":          "holds 2 keys",
		sample[:40] + "\n" + sample[40:]:       "holds more than one line, and not each is a key",
		sample + "\x00":                        "holds a NUL, which no text has",
		"ssh-dss " + base(dss):                 "is a DSA key, which sshd has not taken since OpenSSH 7.0",
		"\xff\xfes\x00s\x00h\x00":              "is UTF-16, as PowerShell writes it",
		"PuTTY-User-Key-File-3: ssh-ed25519\n": "is PuTTY's private key, which never leaves the client",
		strings.Repeat(" ", MaxPublicKey+1):    "is longer than the 65536 bytes that are read of a public key",
		"-----BEGIN CERTIFICATE-----\n":        "is no public key as ssh-keygen writes it",
	} {
		k, fault := ReadPublic([]byte(text))
		if k != nil || fault == nil || fault.Problem != want || fault.Hint == "" {
			t.Errorf("%.60q: %+v, want %s", text, fault, want)
		}
	}
	for _, text := range []string{sample, sample + "\n", "\ufeff" + sample + " x\r\n", "# comment\n\n" + sample + "\n\n", "  " + sample} {
		if k, fault := ReadPublic([]byte(text)); fault != nil || k.Fingerprint() != "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU" {
			t.Errorf("%q: %+v, %v", text, k, fault)
		}
	}
}

// FuzzParse: what is parsed and written again is the same key line, and no text breaks a bound silently.
func FuzzParse(f *testing.F) {
	for _, line := range corpus {
		f.Add(strings.NewReplacer("K", sample, "T", "ssh-ed25519", "B", sample[12:]).Replace(line))
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines, err := Parse([]byte(text))
		if err != nil {
			return
		}
		var whole strings.Builder
		for _, l := range lines {
			whole.WriteString(l.Text + "\n")
			if l.Kind != Key {
				continue
			}
			again := one(t, l.String())
			if again.Kind != Key || !again.Public.Same(&l.Public) || !reflect.DeepEqual(again.Options, l.Options) || again.Public.Comment != l.Public.Comment {
				t.Errorf("%q: written %q, read %+v, not %+v", l.Text, l.String(), again, l)
			}
			for _, o := range l.Options {
				if !Writable(o.Value) {
					t.Errorf("%q: %q cannot be written", l.Text, o.Value)
				}
			}
		}
		if strings.TrimSuffix(whole.String(), "\n") != strings.TrimSuffix(text, "\n") {
			t.Errorf("%q: the lines are %q", text, whole.String())
		}
	})
}

// FuzzReadPublic: what is taken is one key that sshd would take, and no fault repeats what the file holds.
func FuzzReadPublic(f *testing.F) {
	for _, text := range []string{sample, "restrict " + sample, "-----BEGIN OPENSSH PRIVATE KEY-----\n", "ssh-rsa AAAA"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		k, fault := ReadPublic([]byte(text))
		if (k == nil) == (fault == nil) {
			t.Fatalf("%+v, %v", k, fault)
		}
		if fault != nil {
			return
		}
		if l := one(t, k.String()); l.Kind != Key || !l.Public.Same(k) {
			t.Errorf("%q: %+v", text, l)
		}
	})
}

func base(blob []byte) string { return base64.StdEncoding.EncodeToString(blob) }
