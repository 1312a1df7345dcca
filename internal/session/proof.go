package session

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	maxProof   = 64 << 10 // bytes of the file that SSH_USER_AUTH names
	maxMethods = 16       // authentication methods in it; sshd's own limit on AuthenticationMethods is lower
)

// Fingerprints returns the fingerprints, as ssh-keygen -l prints them, of the keys that this login proved to hold: the lines
// "publickey TYPE BASE64" of the file that SSH_USER_AUTH names (sshd_config(5), ExposeAuthInfo). Of a certificate it is the
// fingerprint of the certified key. The file must be this user's own, written by nobody else, and no link.
func (s *Session) Fingerprints() ([]string, error) { return s.proved(Fingerprint) }

// CertificateIDs returns the key ids of the certificates that this login proved to hold, by the same file. A login that used a plain
// key, too, has none that could stand for it.
func (s *Session) CertificateIDs() ([]string, error) { return s.proved(certificateID) }

func (s *Session) proved(what func(blob []byte) (string, error)) ([]string, error) {
	path, ok := s.env.Get("SSH_USER_AUTH")
	if !ok || path == "" {
		return nil, errors.New("SSH_USER_AUTH is not set; sshd sets it with ExposeAuthInfo yes")
	}
	text, err := readProof(path, s.Account.UID)
	if err != nil {
		return nil, fmt.Errorf("SSH_USER_AUTH: %w", err)
	}
	return parseProof(text, what)
}

// readProof reads the file by its own rules, not safefile's: sshd makes it in /tmp, with mode 0600, owned by the login user.
func readProof(path string, uid int) (string, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("%q: %w", path, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "", fmt.Errorf("%q: %w", path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || int(st.Uid) != uid || st.Mode&0o077 != 0 || st.Size > maxProof {
		return "", fmt.Errorf("%q is not a small file that only user %d can read and write", path, uid)
	}
	buf := make([]byte, st.Size)
	n := 0
	for n < len(buf) {
		m, err := unix.Read(fd, buf[n:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("%q: %w", path, err)
		}
		if m == 0 {
			break
		}
		n += m
	}
	return string(buf[:n]), nil
}

func parseProof(text string, what func(blob []byte) (string, error)) ([]string, error) {
	var prints []string
	for i, line := range strings.SplitN(text, "\n", maxMethods) {
		f := strings.Fields(line)
		if len(f) < 3 || f[0] != "publickey" {
			continue
		}
		blob, err := base64.StdEncoding.DecodeString(f[2])
		if err != nil {
			return nil, fmt.Errorf("line %d is no base64", i+1)
		}
		print, err := what(blob)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		prints = append(prints, print)
	}
	if prints == nil {
		return nil, errors.New("no key was used to log in")
	}
	return prints, nil
}

// Fingerprint is SHA256: and the unpadded base64 of the digest of a key in wire format, RFC 4253 6.6.
func Fingerprint(blob []byte) (string, error) {
	blob, err := certifiedKey(blob)
	if err != nil {
		return "", err
	}
	sum := sha256(blob)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:]), nil
}

// certificates gives, for each certificate type, the type of the key in it and how many fields that key has; PROTOCOL.certkeys
// and PROTOCOL.u2f of OpenSSH. In a certificate they stand behind the type and a nonce.
var certificates = [...]struct {
	cert, plain string
	fields      int
}{
	{"ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519", 1},
	{"ssh-rsa-cert-v01@openssh.com", "ssh-rsa", 2},
	{"ecdsa-sha2-nistp256-cert-v01@openssh.com", "ecdsa-sha2-nistp256", 2},
	{"ecdsa-sha2-nistp384-cert-v01@openssh.com", "ecdsa-sha2-nistp384", 2},
	{"ecdsa-sha2-nistp521-cert-v01@openssh.com", "ecdsa-sha2-nistp521", 2},
	{"sk-ssh-ed25519-cert-v01@openssh.com", "sk-ssh-ed25519@openssh.com", 2},
	{"sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", 3},
}

// certifiedKey returns the plain key of a certificate, and anything else as it is.
func certifiedKey(blob []byte) ([]byte, error) {
	kind, rest, ok := field(blob)
	if !ok {
		return nil, errors.New("is no public key")
	}
	for _, c := range certificates {
		if string(kind) != c.cert {
			continue
		}
		_, rest, ok = field(rest) // the nonce
		key := appendField(nil, []byte(c.plain))
		for range c.fields {
			var f []byte
			if ok {
				f, rest, ok = field(rest)
			}
			key = appendField(key, f)
		}
		if !ok {
			return nil, errors.New("is a broken certificate")
		}
		return key, nil
	}
	if strings.Contains(string(kind), "-cert-") {
		return nil, fmt.Errorf("is a certificate of an unknown type, %q", kind)
	}
	return blob, nil
}

// certificateID is the key id of a certificate: behind the key come a serial number of 8 bytes and a type of 4, PROTOCOL.certkeys.
func certificateID(blob []byte) (string, error) {
	kind, rest, ok := field(blob)
	if !ok {
		return "", errors.New("is no public key")
	}
	for _, c := range certificates {
		if string(kind) != c.cert {
			continue
		}
		for range 1 + c.fields { // the nonce, and the key
			if ok {
				_, rest, ok = field(rest)
			}
		}
		const serialAndType = 12
		if !ok || len(rest) < serialAndType {
			return "", errors.New("is a broken certificate")
		}
		id, _, ok := field(rest[serialAndType:])
		if !ok {
			return "", errors.New("is a broken certificate")
		}
		return string(id), nil
	}
	return "", fmt.Errorf("is a key of the type %q, and no certificate", kind)
}

// field reads one string of the SSH wire format, RFC 4251 5.
func field(b []byte) (value, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := binary.BigEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return nil, nil, false
	}
	return b[4 : 4+n], b[4+n:], true
}

func appendField(b, value []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(value))), value...)
}
