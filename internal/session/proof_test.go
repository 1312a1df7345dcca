package session

import (
	"bytes"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFingerprintsAsSSHKeygen makes a key of every type that OpenSSH has, and a certificate of each, and holds their
// fingerprints against ssh-keygen -l.
func TestFingerprintsAsSSHKeygen(t *testing.T) {
	dir := makeKeys(t)
	for _, name := range []string{"ed25519", "rsa", "ecdsa256", "ecdsa384", "ecdsa521", "sk-ed25519", "sk-ecdsa256"} {
		for _, file := range []string{name + ".pub", name + "-cert.pub"} {
			line := readLine(t, filepath.Join(dir, file))
			want := strings.Fields(keygen(t, dir, "-l", "-E", "sha256", "-f", file))[1]
			got, err := proved(t, "publickey "+line+"\n").Fingerprints()
			if err != nil || !reflect.DeepEqual(got, []string{want}) {
				t.Errorf("%s: %q, %v; ssh-keygen says %s", file, got, err, want)
			}
		}
	}
}

// makeKeys makes NAME.pub and NAME-cert.pub. Keys of security keys are spelled by hand, for want of one: any 32 bytes are a
// key of Ed25519, and the point of a key of the other type comes from a plain one.
func makeKeys(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, options := range map[string]string{
		"ca": "ed25519", "ed25519": "ed25519", "rsa": "rsa -b 2048", "ecdsa256": "ecdsa -b 256", "ecdsa384": "ecdsa -b 384", "ecdsa521": "ecdsa -b 521",
	} {
		keygen(t, dir, append([]string{"-q", "-N", "", "-C", "", "-f", name, "-t"}, strings.Fields(options)...)...)
	}
	_, rest, _ := field(blobOf(t, readLine(t, filepath.Join(dir, "ecdsa256.pub"))))
	curve, rest, _ := field(rest)
	point, _, ok := field(rest)
	if !ok {
		t.Fatal("ecdsa256.pub is no key")
	}
	writeKey(t, dir, "sk-ed25519", "sk-ssh-ed25519@openssh.com", bytes.Repeat([]byte{7}, 32), []byte("ssh:"))
	writeKey(t, dir, "sk-ecdsa256", "sk-ecdsa-sha2-nistp256@openssh.com", curve, point, []byte("ssh:"))
	for _, name := range []string{"ed25519", "rsa", "ecdsa256", "ecdsa384", "ecdsa521", "sk-ed25519", "sk-ecdsa256"} {
		keygen(t, dir, "-q", "-s", "ca", "-I", "id", "-n", "tester", name+".pub")
	}
	return dir
}

func writeKey(t *testing.T, dir, name, kind string, fields ...[]byte) {
	t.Helper()
	blob := appendField(nil, []byte(kind))
	for _, f := range fields {
		blob = appendField(blob, f)
	}
	text := kind + " " + base64.StdEncoding.EncodeToString(blob) + "\n"
	if err := os.WriteFile(filepath.Join(dir, name+".pub"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func keygen(t *testing.T, dir string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("ssh-keygen")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("ssh-keygen is not installed")
		}
		t.Skip("needs ssh-keygen: apt-get install openssh-client")
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("ssh-keygen %q: %v\n%s", args, err, out)
	}
	return string(out)
}

func readLine(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(text), "\n")
}

func blobOf(t *testing.T, line string) []byte {
	t.Helper()
	blob, err := base64.StdEncoding.DecodeString(strings.Fields(line)[1])
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

// proved gives the session of a login that left this proof.
func proved(t *testing.T, proof string) *Session {
	t.Helper()
	return login(t, "SSH_USER_AUTH="+proofFile(t, proof))
}

func proofFile(t *testing.T, proof string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "proof")
	if err := os.WriteFile(file, []byte(proof), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// The key below is a well-known one: github.com's host key, whose fingerprint GitHub publishes.
const (
	knownKey   = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
	knownPrint = "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"
)

func TestFingerprintsOfMethods(t *testing.T) {
	key := "publickey " + knownKey + "\n"
	for proof, want := range map[string]int{
		key:                                          1,
		strings.TrimSuffix(key, "\n"):                1,
		key + key:                                    2,
		"password\n" + key:                           1,
		key + "keyboard-interactive/pam\n":           1,
		"hostbased " + knownKey + "\n" + key:         1,
		"\n\n" + key + "\n":                          1,
		strings.Repeat(key, maxMethods):              maxMethods,
		strings.Repeat(key, maxMethods+5):            maxMethods,
		key + strings.Repeat(" ", maxProof-len(key)): 1,
		"publickey ssh-ed25519\n" + key:              1,
		key[:len(key)-1] + " comment\n":              1,
	} {
		prints, err := proved(t, proof).Fingerprints()
		if err != nil || len(prints) != want {
			t.Errorf("%.90q: %q, %v; want %d", proof, prints, err, want)
		}
		for _, p := range prints {
			if p != knownPrint {
				t.Errorf("%.90q: %s, want %s", proof, p, knownPrint)
			}
		}
	}
}

func TestProofBroken(t *testing.T) {
	certificate := base64.StdEncoding.EncodeToString(appendField(appendField(nil, []byte("ssh-ed25519-cert-v01@openssh.com")), []byte("nonce")))
	unknown := base64.StdEncoding.EncodeToString(appendField(nil, []byte("ssh-new-cert-v09@openssh.com")))
	for proof, want := range map[string]string{
		"":                             "no key was used to log in",
		"\n":                           "no key was used to log in",
		"password\n":                   "no key was used to log in",
		"publickey\n":                  "no key was used to log in",
		"publickey ssh-ed25519":        "no key was used to log in",
		"PUBLICKEY " + knownKey:        "no key was used to log in",
		"hostbased " + knownKey:        "no key was used to log in",
		"\x00\xff\x1b[2J a b c d":      "no key was used to log in",
		"publickey x ???":              "line 1 is no base64",
		"publickey " + knownKey + "=":  "line 1 is no base64",
		"password\npublickey x \xff\n": "line 2 is no base64",
		"publickey x AAAA":             "line 1: is no public key",
		"publickey x AAAAAA==":         "", // an empty type: hashed as it is
		"publickey x /////2E=":         "line 1: is no public key",
		"publickey x " + certificate:   "line 1: is a broken certificate",
		"publickey x " + unknown:       `line 1: is a certificate of an unknown type, "ssh-new-cert-v09@openssh.com"`,
		"publickey " + knownKey + "\npublickey x AAAA": "line 2: is no public key",
	} {
		prints, err := proved(t, proof).Fingerprints()
		if want == "" {
			if err != nil {
				t.Errorf("%q: %v", proof, err)
			}
			continue
		}
		if err == nil || err.Error() != want || prints != nil {
			t.Errorf("%q: %q, %v; want %s", proof, prints, err, want)
		}
	}
}

// TestCertificateCut: a certificate that ends before its key does is broken, wherever it ends.
func TestCertificateCut(t *testing.T) {
	dir := makeKeys(t)
	for _, name := range []string{"ed25519", "rsa", "ecdsa256", "ecdsa384", "ecdsa521", "sk-ed25519", "sk-ecdsa256"} {
		key := blobOf(t, readLine(t, filepath.Join(dir, name+".pub")))
		certificate := blobOf(t, readLine(t, filepath.Join(dir, name+"-cert.pub")))
		_, rest, _ := field(key)
		end := bytes.Index(certificate, rest) + len(rest)
		for n := range len(certificate) + 1 {
			got, err := certifiedKey(certificate[:n])
			if n < end && err == nil {
				t.Errorf("%s: %d of %d bytes pass for a certificate", name, n, len(certificate))
			}
			if n >= end && (err != nil || !bytes.Equal(got, key)) {
				t.Errorf("%s: %d of %d bytes: %x, %v", name, n, len(certificate), got, err)
			}
		}
	}
}

func TestProofUnset(t *testing.T) {
	for _, env := range [][]string{nil, {"SSH_USER_AUTH="}} {
		if prints, err := login(t, env...).Fingerprints(); err == nil || !strings.Contains(err.Error(), "ExposeAuthInfo yes") {
			t.Errorf("%q: %q, %v", env, prints, err)
		}
	}
}

func TestProofModes(t *testing.T) {
	for mode, trusted := range map[os.FileMode]bool{
		0o600: true, 0o400: true, 0o700: true,
		0o640: false, 0o620: false, 0o610: false, 0o604: false, 0o602: false, 0o601: false, 0o666: false,
	} {
		file := proofFile(t, "publickey "+knownKey+"\n")
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		prints, err := login(t, "SSH_USER_AUTH="+file).Fingerprints()
		if trusted != (err == nil) {
			t.Errorf("mode %04o: %q, %v", mode, prints, err)
		}
	}
}

// TestProofNoFile: none of these is the file that sshd made, and none may hold the login up.
func TestProofNoFile(t *testing.T) {
	key := "publickey " + knownKey + "\n"
	file, large := proofFile(t, key), proofFile(t, key+strings.Repeat(" ", maxProof+1-len(key)))
	dir := t.TempDir()
	link, fifo := filepath.Join(dir, "link"), filepath.Join(dir, "fifo")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		link:                          "too many levels of symbolic links",
		fifo:                          "is not a small file",
		large:                         "is not a small file",
		dir:                           "is not a small file",
		"/dev/null":                   "is not a small file",
		filepath.Join(dir, "missing"): "no such file or directory",
		file + "/x":                   "not a directory",
		"\x1b[2J":                     "no such file or directory",
	} {
		prints, err := login(t, "SSH_USER_AUTH="+path).Fingerprints()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%q: %q, %v; want %q", path, prints, err, want)
		}
	}
}

func TestProofOwner(t *testing.T) {
	file := proofFile(t, "publickey "+knownKey+"\n")
	s, err := New(Environ{"LOGNAME=ada", "HOME=/home/ada", "SSH_USER_AUTH=" + file}, elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	if prints, err := s.Fingerprints(); err == nil {
		t.Errorf("the file of user %d, for user %d: %q", os.Getuid(), elsewhere, prints)
	}
}

func FuzzParseProof(f *testing.F) {
	for _, s := range []string{"", "publickey " + knownKey, "password\npublickey x AAAAAA==\n", "publickey x AAAAAWE="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		prints, err := parseProof(text, Fingerprint)
		if (err == nil) != (len(prints) > 0) || len(prints) > maxMethods {
			t.Errorf("%q: %q, %v", text, prints, err)
		}
		for _, p := range prints {
			if sum, err := base64.RawStdEncoding.DecodeString(strings.TrimPrefix(p, "SHA256:")); err != nil || len(sum) != 32 {
				t.Errorf("%q: %q is no fingerprint", text, p)
			}
		}
		if err != nil && strings.ContainsFunc(err.Error(), func(r rune) bool { return r < 0x20 || r > 0x7e }) {
			t.Errorf("%q: the message %q is not printable ASCII", text, err)
		}
	})
}

// TestCertificateIDs reads from a certificate of every type the key id that ssh-keygen wrote, to the byte.
func TestCertificateIDs(t *testing.T) {
	dir := makeKeys(t)
	for _, name := range []string{"ed25519", "rsa", "ecdsa256", "ecdsa384", "ecdsa521", "sk-ed25519", "sk-ecdsa256"} {
		for _, id := range []string{"id", "", "../x", "two words", "größe", "\xff\x1b[2J\n", strings.Repeat("x", 300)} {
			keygen(t, dir, "-q", "-s", "ca", "-I", id, "-n", "tester", "-z", "18446744073709551615", name+".pub")
			got, err := proved(t, "publickey "+readLine(t, filepath.Join(dir, name+"-cert.pub"))+"\n").CertificateIDs()
			if err != nil || !reflect.DeepEqual(got, []string{id}) {
				t.Errorf("%s: %q, %v; want %q", name, got, err, id)
			}
		}
		got, err := proved(t, "publickey "+readLine(t, filepath.Join(dir, name+".pub"))+"\n").CertificateIDs()
		if err == nil || got != nil || !strings.Contains(err.Error(), "no certificate") {
			t.Errorf("%s, a plain key: %q, %v", name, got, err)
		}
	}
	first := "publickey " + readLine(t, filepath.Join(dir, "ed25519-cert.pub")) + "\n"
	plain := "publickey " + knownKey + "\n"
	if got, err := proved(t, first+first).CertificateIDs(); err != nil || len(got) != 2 {
		t.Errorf("two certificates: %q, %v", got, err)
	}
	for _, proof := range []string{first + plain, plain + first} {
		if got, err := proved(t, proof).CertificateIDs(); err == nil || got != nil {
			t.Errorf("a plain key beside the certificate: %q, %v", got, err)
		}
	}
	if got, err := login(t).CertificateIDs(); err == nil || !strings.Contains(err.Error(), "ExposeAuthInfo yes") {
		t.Errorf("unset: %q, %v", got, err)
	}
}

// TestCertificateIDCut: a certificate that ends before its key id does is broken, wherever it ends.
func TestCertificateIDCut(t *testing.T) {
	dir := makeKeys(t)
	for _, name := range []string{"ed25519", "rsa", "ecdsa521", "sk-ecdsa256"} {
		keygen(t, dir, "-q", "-s", "ca", "-I", "the-key-id", "-n", "tester", name+".pub")
		certificate := blobOf(t, readLine(t, filepath.Join(dir, name+"-cert.pub")))
		end := bytes.Index(certificate, []byte("the-key-id")) + len("the-key-id")
		for n := range len(certificate) + 1 {
			id, err := certificateID(certificate[:n])
			if n < end && err == nil {
				t.Errorf("%s: %d of %d bytes give the id %q", name, n, len(certificate), id)
			}
			if n >= end && (err != nil || id != "the-key-id") {
				t.Errorf("%s: %d of %d bytes: %q, %v", name, n, len(certificate), id, err)
			}
		}
	}
}
