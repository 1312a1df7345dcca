package admin

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/keyline"
	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/safefile"
)

// withoutProgram leaves out what is said where the gate is not installed.
func withoutProgram(a answer) answer {
	var kept []string
	for text := range strings.Lines(a.errs) {
		if !strings.Contains(text, "the key line calls /usr/bin/ssh-gate, which cannot be used yet") {
			kept = append(kept, text)
		}
	}
	a.errs = strings.Join(kept, "")
	return a
}

func TestInit(t *testing.T) {
	d := newDesk(t)
	d.write("ci.pub", keyA+" ci@build\n")
	args := []string{"init", "ci", "--public-key", "$DIR/ci.pub", "--policy-dir", "$DIR/keys", "--from", "203.0.113.7,2001:db8::/32", "--expires", "2027-01-01"}
	const key = `restrict,command="/usr/bin/ssh-gate --key ci --policy-dir $DIR/keys",from="203.0.113.7,2001:db8::/32",expiry-time="202701010000Z" ` + keyA + " ci@build\n"
	const put = "ssh-gate: note: put this line into ~/.ssh/authorized_keys of the account, or repeat this with --install USER\n"
	const newer = "ssh-gate: note: expiry-time in UTC takes OpenSSH 9.1 or newer on this host; an older sshd refuses the key, and the policy's expires holds without it\n"
	want := answer{exitOK, key, "ssh-gate: note: wrote the policy $DIR/keys/ci.toml, which allows uptime and nothing else; edit it\n" + newer + put}
	if got := withoutProgram(d.run(args...)); got != want {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	text, _, err := safefile.Read(d.path("keys/ci.toml"), policy.MaxBytes, safefile.Owner(os.Geteuid()))
	check(t, err)
	p, faults := policy.Parse("ci", "ci.toml", text)
	if faults != nil {
		t.Fatal(faults.Render())
	}
	if len(p.Rules) != 1 || p.Rules[0].Patterns[0].Text != "uptime" || len(p.From) != 2 || p.Expires.Format("2006-01-02 15:04") != "2027-01-01 00:00" || p.Users != nil || p.Fingerprints != nil {
		t.Errorf("%+v", p)
	}
	// What is commented out holds as well once it is not.
	live := strings.NewReplacer("# users", "users", "# fingerprints", "fingerprints", "# [[allow]]", "[[allow]]", "# name", "name", "# command", "command", "# args", "args").Replace(string(text))
	if p, faults = policy.Parse("ci", "ci.toml", []byte(live)); faults != nil || len(p.Users) != 1 || len(p.Rules) != 2 || p.Fingerprints[0] != "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU" {
		t.Errorf("%+v, %v\n%s", p, faults, live)
	}
	if l, err := keyline.Parse([]byte(key)); err != nil || l[0].Kind != keyline.Key || l[0].Permits() != (keyline.Permits{}) {
		t.Errorf("%+v, %v", l, err)
	}
	// Again: what somebody has written there stays.
	d.write("keys/ci.toml", "users = [\"ada\"]\n")
	want.errs = "ssh-gate: note: the policy $DIR/keys/ci.toml stands there already and stays as it is; the key may do what it allows\n" + newer + put
	if got := withoutProgram(d.run(args...)); got != want || d.read("keys/ci.toml") != "users = [\"ada\"]\n" {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	d.write("keys/ci.toml", "user = [\"ada\"]\n")
	if got := d.run(args...); got.status != exitFindings || got.out != "" || !strings.Contains(got.errs, "unknown key") || d.read("keys/ci.toml") != "user = [\"ada\"]\n" {
		t.Errorf("%+v", got)
	}
}

func TestInitFormats(t *testing.T) {
	d := newDesk(t)
	d.write("ci.pub", keyA+" it's {{ evil }} \x1b[2J\n")
	const clean = keyA + " it_s____evil______2J"
	run := func(args ...string) answer {
		return withoutProgram(d.run(append([]string{"init", "ci", "--public-key", "$DIR/ci.pub", "--policy-dir", "$DIR/keys", "--print"}, args...)...))
	}
	for format, want := range map[string]string{
		"text": `restrict,command="/usr/bin/ssh-gate --key ci --policy-dir $DIR/keys" ` + clean + "\n",
		"ansible": "- name: key ci of ssh-gate\n  ansible.posix.authorized_key:\n    user: 'ACCOUNT'\n    key: '" + clean +
			"'\n    key_options: 'restrict,command=\"/usr/bin/ssh-gate --key ci --policy-dir $DIR/keys\"'\n",
		"puppet": "ssh_authorized_key { 'ssh-gate-ci':\n  ensure  => present,\n  user    => 'ACCOUNT',\n  type    => 'ssh-ed25519',\n  key     => '" + keyA[12:] +
			"',\n  options => ['restrict', 'command=\"/usr/bin/ssh-gate --key ci --policy-dir $DIR/keys\"'],\n}\n",
	} {
		got := run("--format", format)
		if got.status != exitOK || !strings.HasSuffix(got.out, "\n# authorized_keys\n"+want) || !strings.HasPrefix(got.out, "# $DIR/keys/ci.toml\n# What the key ci may run.") {
			t.Errorf("%s: %+v", format, got)
		}
	}
	if got := run("--format", "ansible", "--install", "deploy"); !strings.Contains(got.out, "    user: 'deploy'\n") || !strings.Contains(got.out, "users   = [\"deploy\"]") || strings.Contains(got.errs, "ACCOUNT") {
		t.Errorf("%+v", got)
	}
	if entries, err := os.ReadDir(d.path("keys")); err != nil || len(entries) != 0 {
		t.Errorf("--print wrote %v, %v", entries, err)
	}
}

func TestInitMisuse(t *testing.T) {
	d := newDesk(t)
	d.write("ci.pub", keyA+"\n")
	for args, problem := range map[string]string{
		"init":                                                           "the name of the key is missing; it comes first: ssh-gate init NAME --public-key FILE",
		"init --public-key $DIR/ci.pub":                                  "the name of the key is missing; it comes first: ssh-gate init NAME --public-key FILE",
		"init --public-key $DIR/ci.pub ci":                               `"ci" is one argument too many`,
		"init ci":                                                        "--public-key is missing; give the .pub file that ssh-keygen writes beside the private key",
		"init ../ci --public-key x":                                      `"../ci" is no name of a key; it takes letters, digits and . _ -, a letter or digit first, at most 64`,
		"init ci --public-key x --from x":                                `--from "x": "x" is no address and no network`,
		"init ci --from 192.0.2.1,":                                      `--from "192.0.2.1,": "" is no address and no network`,
		"init ci --from ::ffff:192.0.2.1":                                `--from "::ffff:192.0.2.1": "::ffff:192.0.2.1" is an IPv4 address in the spelling of IPv6; write it as 192.0.2.1`,
		"init ci --from 192.0.2.1/24":                                    `--from "192.0.2.1/24": 192.0.2.1/24 has bits set behind those that its prefix length counts`,
		"init ci --expires tomorrow":                                     `--expires "tomorrow": "tomorrow" is no date; write 90d, 2027-01-01 or 2027-01-01T12:00:00Z`,
		"init ci --expires 2026-11-22":                                   `--expires "2026-11-22": that moment is over`,
		"init ci --policy-dir /a'b":                                      `--policy-dir "/a'b": "/a'b" stands in the key line, so it takes letters, digits and / . _ - + only`,
		"init ci --public-key x --format x":                              `--format takes text, ansible or puppet, not "x"`,
		"init ci --public-key x --print --install root":                  "--print writes nothing, and --install writes; give one of them",
		"init ci --public-key x --replace":                               "--replace and --authorized-keys go with --install only, and with --format text",
		"init ci --public-key x --authorized-keys /x":                    "--replace and --authorized-keys go with --install only, and with --format text",
		"init ci --public-key $DIR/ci.pub --install a:b":                 `"a:b" is no name of an account`,
		"init ci --public-key $DIR/ci.pub --format puppet --install a'b": `"a'b" is no name of an account`,
	} {
		d.want(exitUsage, "", "ssh-gate: error: "+problem+"\nssh-gate: hint: ssh-gate init --help\n", strings.Fields(args)...)
	}
}

// TestInitRefuses: what cannot be done is told with what to do, and changes nothing.
func TestInitRefuses(t *testing.T) {
	d := newDesk(t)
	d.write("ci.pub", keyA+"\n")
	d.write("private", "-----BEGIN OPENSSH PRIVATE KEY-----\nsecret\n")
	d.write("none.pub", "\x1b[2J secret\n")
	check(t, errors.Join(os.Mkdir(d.path("open"), 0o755), os.Chmod(d.path("open"), 0o777), os.Symlink("keys", d.path("link")), os.Symlink("/none", d.path("keys/dangling.toml"))))
	check(t, unix.Mkfifo(d.path("fifo"), 0o600))
	check(t, unix.Mkfifo(d.path("keys/fifo.toml"), 0o600))
	check(t, os.Mkdir(d.path("keys/folder.toml"), 0o755))
	for args, want := range map[string]string{
		"init ci --public-key $DIR/absent": "error: the public key \"$DIR/absent\": no such file or directory\nssh-gate: hint: give the .pub file that ssh-keygen writes beside the private key; ssh-keygen -t ed25519 makes both\n",
		"init ci --public-key $DIR/absent.pub": "error: the public key \"$DIR/absent.pub\": no such file or directory\nssh-gate: hint: ssh-keygen -t ed25519 -f $DIR/absent makes it, with its private half; " +
			"for a key that you have: ssh-keygen -y -f PRIVATE > $DIR/absent.pub\n",
		"init ci --public-key $DIR/fifo":                                "error: the public key \"$DIR/fifo\" is not a regular file\nssh-gate: hint: write the key into a file, and give that\n",
		"init ci --public-key $DIR/private":                             "error: \"$DIR/private\" is a private key, which never leaves the client\nssh-gate: hint: on the client: ssh-keygen -y -f $DIR/private > $DIR/private.pub, and give $DIR/private.pub; if others have seen $DIR/private, make a new key\n",
		"init ci --public-key $DIR/none.pub":                            "error: \"$DIR/none.pub\" is no public key: it begins with no type of a key and no option of sshd's\nssh-gate: hint: give the .pub file that ssh-keygen writes beside the private key, as it is\n",
		"init ci --public-key $DIR/ci.pub --policy-dir $DIR/absent":     "error: \"$DIR/absent\" does not exist\nssh-gate: hint: install -d -m 755 $DIR/absent\n",
		"init ci --public-key $DIR/ci.pub --policy-dir $DIR/open":       "error: \"$DIR/open\" may be written by others (mode 0777)\nssh-gate: hint: chmod go-w \"$DIR/open\"\n",
		"init dangling --public-key $DIR/ci.pub --policy-dir $DIR/keys": "error: \"/none\" does not exist, and a link leads there\nssh-gate: hint: remove the link, or take another name for the key\n",
		"init fifo --public-key $DIR/ci.pub --policy-dir $DIR/keys":     "error: \"$DIR/keys/fifo.toml\" is a FIFO, not a regular file\nssh-gate: hint: name a regular file, or put one in its place\n",
		"init folder --public-key $DIR/ci.pub --policy-dir $DIR/keys":   "error: \"$DIR/keys/folder.toml\" is a folder, not a regular file\nssh-gate: hint: name a regular file, or put one in its place\n",
		"init ci --public-key $DIR/ci.pub --policy-dir $DIR/keys --install deamon": "error: there is no account \"deamon\" in /etc/passwd\n" +
			"ssh-gate: hint: did you mean daemon? If not: make it with useradd; for an account of another database leave --install out, and put the printed line into its authorized_keys\n",
		"init ci --public-key $DIR/ci.pub --policy-dir $DIR/keys --install nobody-has-this-name": "error: there is no account \"nobody-has-this-name\" in /etc/passwd\n" +
			"ssh-gate: hint: make it with useradd; for an account of another database leave --install out, and put the printed line into its authorized_keys\n",
	} {
		before := tree(t, d.dir)
		d.want(exitFindings, "", "ssh-gate: "+want, strings.Fields(args)...)
		if after := tree(t, d.dir); after != before {
			t.Errorf("%s: %s\nbecame\n%s", args, before, after)
		}
	}
	if os.Geteuid() != 0 {
		d.want(exitFindings, "", "ssh-gate: error: the policy \"/usr/ci.toml\" cannot be written: permission denied\nssh-gate: hint: do it as root, or name a folder of your own: --policy-dir DIR\n",
			"init", "ci", "--public-key", "$DIR/ci.pub", "--policy-dir", "/usr")
	}
	// A link to a folder that is trusted is as good as the folder.
	if got := d.run("init", "ci", "--public-key", "$DIR/ci.pub", "--policy-dir", "$DIR/link"); got.status != exitOK {
		t.Errorf("%+v", got)
	}
	if _, err := os.Stat(filepath.Join(d.dir, "keys/ci.toml")); err != nil {
		t.Error(err)
	}
}
