package keyline

import (
	"fmt"
	"strings"
)

// MaxPublicKey bounds, in bytes, a file with one public key; the longest takes less than 3,000 beside its comment.
const MaxPublicKey = 64 << 10

// minBits is the shortest RSA modulus that a new key line should have, NIST SP 800-57 part 1, for a key in use after 2030.
const minBits = 3072

// Fault is what is wrong with a file that should hold one public key, and what to type about it. Neither tells what the file holds.
type Fault struct{ Problem, Hint string }

func (f *Fault) Error() string { return f.Problem }

// foreign are beginnings of files with keys that are not as OpenSSH writes public ones. FILE stands for the file's name.
var foreign = [...]struct{ start, problem, hint string }{
	{"-----BEGIN OPENSSH PRIVATE KEY", "is a private key, which never leaves the client", privateHint},
	{"-----BEGIN RSA PRIVATE KEY", "is a private key, which never leaves the client", privateHint},
	{"-----BEGIN EC PRIVATE KEY", "is a private key, which never leaves the client", privateHint},
	{"-----BEGIN DSA PRIVATE KEY", "is a private key, which never leaves the client", privateHint},
	{"-----BEGIN PRIVATE KEY", "is a private key, which never leaves the client", privateHint},
	{"-----BEGIN ENCRYPTED PRIVATE KEY", "is a private key, which never leaves the client", privateHint},
	{"SSH PRIVATE KEY FILE FORMAT", "is a private key, which never leaves the client", privateHint},
	{"PuTTY-User-Key-File-", "is PuTTY's private key, which never leaves the client", "on the client: puttygen FILE -O public-openssh -o FILE.pub"},
	{"---- BEGIN SSH2 PUBLIC KEY", "is a public key as PuTTY and SSH2 write it", "ssh-keygen -i -f FILE > FILE.pub"},
	{"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY", "is a private key, which never leaves the client", privateHint},
	{"-----BEGIN PUBLIC KEY", "is a public key as OpenSSL writes it", "ssh-keygen -i -m PKCS8 -f FILE > FILE.pub"},
	{"-----BEGIN RSA PUBLIC KEY", "is a public key as OpenSSL writes it", "ssh-keygen -i -m PEM -f FILE > FILE.pub"},
	{"-----BEGIN", "is no public key as ssh-keygen writes it", "give the .pub file that ssh-keygen writes beside the private key"},
	{"\xff\xfe", "is UTF-16, as PowerShell writes it", "iconv -f UTF-16 -t UTF-8 FILE > FILE.pub"},
	{"\xfe\xff", "is UTF-16", "iconv -f UTF-16 -t UTF-8 FILE > FILE.pub"},
}

const privateHint = "on the client: ssh-keygen -y -f FILE > FILE.pub, and give FILE.pub; if others have seen FILE, make a new key"

// ReadPublic reads a file with one public key as ssh-keygen writes it, fit for a new key line.
func ReadPublic(data []byte) (*PublicKey, *Fault) {
	const give = "give the .pub file that ssh-keygen writes beside the private key"
	if len(data) > MaxPublicKey {
		return nil, &Fault{fmt.Sprintf("is longer than the %d bytes that are read of a public key", MaxPublicKey), give}
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	for _, f := range foreign {
		if strings.HasPrefix(strings.TrimLeft(text, " \t\n"), f.start) {
			return nil, &Fault{f.problem, f.hint}
		}
	}
	if strings.Contains(text, " PRIVATE KEY-----") {
		return nil, &Fault{"holds a private key, which never leaves the client", privateHint}
	}
	var found []string
	for line := range strings.Lines(text) {
		if line = strings.Trim(line, " \t\n"); line != "" && line[0] != '#' {
			found = append(found, line)
		}
	}
	switch {
	case len(found) == 0:
		return nil, &Fault{"holds no key", give}
	case strings.ContainsRune(text, 0):
		return nil, &Fault{"holds a NUL, which no text has", give}
	}
	l := Line{Text: found[0]}
	l.read()
	if len(found) > 1 {
		return nil, several(found)
	}
	return l.fit()
}

// several tells more keys than one from one key that was broken into lines on its way.
func several(found []string) *Fault {
	keys := 0
	for _, text := range found {
		l := Line{Text: text}
		if l.read(); l.Kind == Key {
			keys++
		}
	}
	if keys < len(found) {
		return &Fault{"holds more than one line, and not each is a key", "write the key into one line, without line breaks"}
	}
	return &Fault{fmt.Sprintf("holds %d keys", keys), "put each into a file of its own, and give each a policy"}
}

// fit says why a line is no public key for a new key line.
func (l *Line) fit() (*PublicKey, *Fault) {
	k := &l.Public
	head, _, _ := strings.Cut(l.Text, " ")
	switch {
	case isCertificate(head):
		return nil, &Fault{"is a certificate", "give the public key that it certifies; for all keys of an authority see ssh-gate(8), One command for all keys"}
	case l.Kind != Key && strings.Contains(l.Why, "too short"):
		return nil, &Fault{"is an RSA key of less than 1024 bits, which sshd refuses", newKey}
	case l.Kind != Key:
		return nil, &Fault{"is no public key: " + l.Why, "give the .pub file that ssh-keygen writes beside the private key, as it is"}
	case len(l.Options) > 0:
		return nil, &Fault{"has options in front of the key", "take them out: the key line gets its own"}
	case innerOf(k.Type) == "ssh-dss":
		return nil, &Fault{"is a DSA key, which sshd has not taken since OpenSSH 7.0", newKey}
	case innerOf(k.Type) == "ssh-rsa" && k.Bits < minBits:
		return nil, &Fault{fmt.Sprintf("is an RSA key of %d bits, and less than %d are too few for a new key line", k.Bits, minBits), newKey}
	}
	k.Type = innerOf(k.Type)
	return k, nil
}

const newKey = "make a new key on the client: ssh-keygen -t ed25519"
