package keyline

import (
	"encoding/base64"
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.org/ssh-gate/internal/testsshd"
)

func TestMain(m *testing.M) {
	testsshd.Proxy()
	os.Exit(m.Run())
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// accepts asks sshd whether a file lets a client in: ssh ends with 255 where it does not.
func accepts(t *testing.T, server *testsshd.Server, client *testsshd.Client, file string) bool {
	t.Helper()
	check(t, os.WriteFile(filepath.Join(server.Dir, "authorized_keys"), []byte(file), 0o600))
	host := testsshd.Pipe // the faster one
	if strings.Contains(file, "from=") {
		host = testsshd.Loopback
	}
	err := client.SSH(t, "-o", "KexAlgorithms=curve25519-sha256", host, "true").Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return err == nil || exit.ExitCode() != 255
}

// lets says what Parse makes of a file: whether it has a line for this key that is no authority's.
func lets(t *testing.T, file string, key *PublicKey) bool {
	t.Helper()
	lines, err := Parse([]byte(file))
	check(t, err)
	for i := range lines {
		if lines[i].Kind == Key && lines[i].Public.Same(key) && !lines[i].CertAuthority() {
			return true
		}
	}
	return false
}

// In these K is a key's type and base64, T its type and B its base64.
var corpus = []string{
	"", "\n\n", "K", "K\n", "K comment\n", "K  two  words \n", "  K\n", "\t K\n", "\vK\n", "\fK", "\rK", "#K\n", " #K\n", "# \nK\n", "x\nK\n", "\xef\xbb\xbfK\n", "K\r\n", "K comment\r\n", "\r\nK\r\n",
	"T\tB\n", "T   \t B\n", "T\vB\n", "T\nB\n", "T\n", "T \n", "T", "B\n", "T B\vx\n", "T B\v\n", "T \vB\n", "T B\f comment\n", "T B=\n", "T B#\n", "T Bx\n", "T xB\n", "T -B\n", "T B B\n", "T T B\n", "T=B",
	"K\x00 comment\n", "K \x00\n", "\x00K\n", " \x00K\n", "T\x00 B\n", "restrict\x00 K\n", "restrict \x00K\n", "K\x00", "x\x00\nK\n",
	"restrict K\n", "RESTRICT K\n", "ReStRiCt\tK\n", "restrict  \t K\n", "restrict,pty K\n", "restrict, K\n", "restrict,,pty K\n", ",restrict K\n", ", K\n", ",, K\n", "restrict ,pty K\n", "restrict,pty, K\n",
	"restrict pty K\n", "restrictpty K\n", "no-restrict K\n", "no-pty K\n", "NO-PTY K\n", "no-no-pty K\n", "ptyx K\n", "pty=\"x\" K\n", "pty= K\n", "no-cert-authority K\n", "cert-authority K\n", "Cert-Authority K\n", "unknown K\n",
	"port-forwarding K\n", "no-port-forwarding K\n", "agent-forwarding,no-agent-forwarding K\n", "X11-forwarding K\n", "no-x11-forwarding K\n", "user-rc K\n", "no-user-rc K\n", "no-touch-required K\n", "touch-required K\n",
	"verify-required K\n", "no-verify-required K\n", "idle-timeout=\"1\" K\n",
	`command="true" K`, `COMMAND="true" K`, `command="true",restrict K`, `command="true" ,restrict K`, `command = "true" K`, `command= "true" K`, `command=true K`, `command='true' K`, `command="" K`, `command K`, `command= K`,
	`command="true K`, `command="true"" K`, `command="true"x K`, `command="true"restrict K`, `command="a","b" K`, `command="a",command="a" K`, `command="a",COMMAND="b" K`, `command="true;true" K`,
	`command="echo \"a b\"" K`, `command="a\\" K`, `command="a\" K`, `command="a\\\" K`, `command="a\\"" K`, `command="a\\\"" K`, `\"command="true" K`, `command="true"\" K`, `command=\"true\" K`, `command="a\nb" K`, "command=\"a\tb\" K", "command=\"a\x00b\" K",
	`command="true", K`, `command="#" K`, `"command=true" K`, `"" K`, `"restrict" K`, `restrict"" K`, `restrict" " K`,
	`from="*" K`, `from="127.0.0.1" K`, `from="*",from="*" K`, `from=* K`, `from="127.0.0.0/8,::1" K`,
	`expiry-time="20990101" K`, `expiry-time="209901011200" K`, `expiry-time="20990101120000" K`, `expiry-time="20990101Z" K`, `expiry-time="209901011200z" K`, `expiry-time="20990101120000Z" K`, `expiry-time="20990101UTC" K`,
	`expiry-time="2099010112Z" K`, `expiry-time="2099-01-01" K`, `expiry-time="" K`, `expiry-time="Z" K`, `expiry-time="20991301Z" K`, `expiry-time="20990132Z" K`, `expiry-time="2099010124" K`, `expiry-time="209901012400" K`, `expiry-time="never" K`,
	`expiry-time="20990101Z",expiry-time="20980101Z" K`, `expiry-time="x0990101" K`, `expiry-time="20990101 " K`, `expiry-time=20990101 K`, `expiry-time="2099 1 1" K`, `expiry-time="20990231" K`, `expiry-time="20990100" K`, `expiry-time="20990101235961" K`,
	`expiry-time="20990101235962" K`, `expiry-time="2099011 " K`, `expiry-time="2099011x" K`, `expiry-time="2099+1+1" K`, `expiry-time="20990101  00" K`, `expiry-time="2099    " K`, `expiry-time="20992901" K`,
	`environment="A=b" K`, `environment="A" K`, `environment="=b" K`, `environment="A-B=b" K`, `environment="A_B=" K`, `environment="A=b",environment="A=c" K`, `environment="1=b" K`,
	`permitopen="localhost:22" K`, `permitopen="localhost:*" K`, `permitopen="localhost" K`, `permitopen="22" K`, `permitopen="[::1]:22" K`, `permitopen="[::1]22" K`, `permitopen="[::1:22" K`, `permitopen="::1:22" K`, `permitopen="localhost:0" K`,
	`permitopen="localhost:65536" K`, `permitopen=":22" K`, `permitopen="none" K`, `permitopen="" K`, `permitopen="localhost/22" K`, `permitopen="localhost:ssh" K`, `permitopen="localhost:" K`,
	`permitlisten="22" K`, `permitlisten="*" K`, `permitlisten="localhost:22" K`, `permitlisten="" K`, `permitlisten="0" K`,
	`tunnel="0" K`, `tunnel="any" K`, `tunnel="x" K`, `tunnel="" K`, `tunnel="-1" K`, `tunnel="2147483645" K`, `tunnel="2147483646" K`, `tunnel=0 K`,
	"restrict,command=\"true\",from=\"127.0.0.1\",expiry-time=\"209901010000Z\" K a@b\n", "K\nK\n", "unknown K\nrestrict K\n", "cert-authority K\nK\n",
	"ssh-new-type AAAA\nK", "no-pty T x B",
}

// other holds spellings in which the type and the key do not agree, by the type of the key.
var other = map[string][]string{
	"ed25519": {"ED25519 B", "ssh-ED25519 B", "ssh-rsa B", "ssh-rsa T B", "ssh-ed25519-cert-v01@openssh.com B", "ecdsa-sha2-nistp256 B", "sk-ssh-ed25519@openssh.com B"},
	"rsa":     {"rsa-sha2-256 B", "rsa-sha2-512 B", "RSA B", "ssh-rsa B", "rsa B", "ssh-rsa-cert-v01@openssh.com B"},
	"ecdsa":   {"ecdsa-sha2-nistp384 B", "ecdsa-sha2-nistp521 B", "ecdsa-sha2-nistp256 B", "ECDSA B", "webauthn-sk-ecdsa-sha2-nistp256@openssh.com B", "sk-ecdsa-sha2-nistp256@openssh.com B"},
}

// TestAsSSHD: what sshd takes for a line with a key is a Key, and nothing else is.
func TestAsSSHD(t *testing.T) {
	server := testsshd.New(t)
	for _, kind := range []string{"ed25519", "rsa", "ecdsa"} {
		client := server.Client(t, kind)
		check(t, os.Remove(client.Key))
		testsshd.Keygen(t, "-q", "-t", kind, "-N", "", "-C", "", "-f", client.Key)
		f := strings.Fields(client.Public(t))
		public, why := readKey(f[0] + " " + f[1])
		if why != "" {
			t.Fatal(why)
		}
		lines := other[kind]
		if kind == "ed25519" {
			lines = append(lines, corpus...)
		}
		for _, blob := range mangled(f[0], public.Blob) {
			lines = append(lines, "T "+base64.StdEncoding.EncodeToString(blob))
		}
		for _, line := range lines {
			file := strings.NewReplacer("K", f[0]+" "+f[1], "T", f[0], "B", f[1]).Replace(line)
			want := accepts(t, server, client, file)
			if got := lets(t, file, &public); got != want {
				t.Errorf("%s: %q: sshd says %t, Parse %t", kind, line, want, got)
			}
		}
	}
}

// TestAuthorityAsSSHD: a client with a certificate is let in by a line that Parse calls a certificate authority's, with its principals.
func TestAuthorityAsSSHD(t *testing.T) {
	server := testsshd.New(t)
	client := server.Client(t, "client")
	me, err := user.Current()
	check(t, err)
	authority := filepath.Join(server.Dir, "authority")
	testsshd.Keygen(t, "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", authority)
	testsshd.Keygen(t, "-q", "-s", authority, "-I", "id", "-n", me.Username, client.Key+".pub")
	text, err := os.ReadFile(authority + ".pub")
	check(t, err)
	key := strings.TrimSpace(string(text))
	for line, want := range map[string]bool{
		"K": false, "cert-authority K": true, "CERT-authority K x\n": true, "no-cert-authority K": false, "cert-authority,cert-authority K": true, "restrict,cert-authority K": true,
		`cert-authority,principals="NAME" K`: true, `cert-authority,principals="x,NAME" K`: true, `principals="NAME",cert-authority K`: true,
		`cert-authority,principals="NAME",principals="NAME" K`: false, `cert-authority="yes" K`: false, "cert-authorityK": false,
	} {
		file := strings.NewReplacer("K", key, "NAME", me.Username).Replace(line)
		if got := accepts(t, server, client, file); got != want {
			t.Errorf("%q: sshd says %t", line, got)
		}
		if l := one(t, file); (l.Kind == Key && l.CertAuthority()) != want {
			t.Errorf("%q: Parse says %+v", line, l)
		}
	}
}

// mangled gives spellings of a key in base64 that differ from the canonical one.
func mangled(name string, blob []byte) [][]byte {
	r := wire{rest: blob}
	r.next()
	inner := func(name string) []byte { return append(appendField(nil, []byte(name)), r.rest...) }
	var all [][]byte
	for _, name := range []string{"", "RSA", "rsa", "ED25519", "ed25519", "ECDSA", "ssh-rsa", "rsa-sha2-512", "ssh-ed25519", "SSH-RSA", "ssh-ed25519\x00", "ecdsa-sha2-nistp384"} {
		all = append(all, inner(name))
	}
	all = append(all, append(append([]byte(nil), blob...), 0), blob[:len(blob)-1], blob[:4], appendField(nil, []byte(name)))
	if name == "ssh-rsa" {
		e, n := r.next(), r.next()
		start := appendField(nil, []byte(name))
		join := func(e, n []byte) []byte { return appendField(appendField(append([]byte(nil), start...), e), n) }
		all = append(all, join(append([]byte{0}, e...), n), join(e, append([]byte{0, 0}, n...)), join(e, n[1:]), join(nil, n), join(e, nil))
	}
	return all
}

// TestExpired: sshd refuses a key behind its time, the earliest of several, and takes FormatExpiry's spelling.
func TestExpired(t *testing.T) {
	server := testsshd.New(t)
	client := server.Client(t, "client")
	past, future := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2099, 12, 31, 23, 59, 59, 0, time.UTC)
	expiry := func(at time.Time) Option { return Valued("expiry-time", FormatExpiry(at)) }
	for options, want := range map[string]bool{
		JoinOptions([]Option{expiry(past)}): false, JoinOptions([]Option{expiry(past.Add(time.Second))}): false, JoinOptions([]Option{expiry(future)}): true,
		JoinOptions([]Option{expiry(future), expiry(past)}): false, JoinOptions([]Option{expiry(past), expiry(future)}): false,
	} {
		file := options + " " + client.Public(t) + "\n"
		if got := accepts(t, server, client, file); got != want {
			t.Errorf("%s: %t", options, got)
		}
		l := one(t, file)
		if at, ok := l.Expiry(time.UTC); !ok || at.After(time.Now()) != want {
			t.Errorf("%s: %v", options, at)
		}
	}
}
