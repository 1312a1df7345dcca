package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.org/ssh-gate/internal/testhost"
	"example.org/ssh-gate/internal/testsshd"
)

// policyOf is the name of the policy of a public key by its fingerprint, as the manual's own command tells it.
func policyOf(t *testing.T, public string) string {
	t.Helper()
	for _, line := range commandsOf(t, "ssh-gate.8") {
		if strings.HasPrefix(line, "ssh-keygen -lf key.pub | ") {
			return strings.TrimSpace(testhost.Run(t, "sh", "-c", strings.Replace(line, "key.pub", public, 1)))
		}
	}
	t.Fatal("the manual does not say how a fingerprint becomes a name")
	return ""
}

// TestKeyFromFingerprint: sshd_config names the gate for every key, and each key has a policy of its own, of whatever type it is.
func TestKeyFromFingerprint(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	m := install(t)
	force := "ForceCommand /usr/bin/ssh-gate --key-from fingerprint"
	server := testhost.NewServer(t, force, "ExposeAuthInfo yes")
	dir := t.TempDir()
	var lines []string
	keys := map[string]string{}
	for name, options := range map[string]string{
		"ed25519": "-t ed25519", "rsa2048": "-t rsa -b 2048", "rsa3072": "-t rsa -b 3072", "ecdsa256": "-t ecdsa -b 256", "ecdsa384": "-t ecdsa -b 384",
		"ecdsa521": "-t ecdsa -b 521", "stranger": "-t ed25519",
	} {
		key := filepath.Join(dir, name)
		testsshd.Keygen(t, append(strings.Fields(options), "-q", "-N", "", "-f", key)...)
		for print := ""; name == "ed25519" && (!strings.Contains(print, "+") || !strings.Contains(print, "/")); { // both of which are spelled otherwise in a name
			check(t, os.Remove(key))
			testsshd.NewKey(t, key)
			print = strings.Fields(testhost.Run(t, "ssh-keygen", "-lf", key+".pub"))[1]
		}
		keys[name] = key
		lines = append(lines, testhost.KeyLine(t, `command="/bin/sh"`, key)) // ForceCommand beats it
		if name != "stranger" {
			text := fmt.Sprintf("log = \"all\"\n[[allow]]\ncommand = \"echo %s\"\n", name)
			check(t, os.WriteFile("/etc/ssh-gate/keys/"+policyOf(t, key+".pub")+".toml", []byte(text), 0o644))
		}
	}
	server.WriteKeys(t, m.deploy, lines...)
	login := func(name, request string) (outcome, entry) {
		return one(t, func() outcome { return run(t, server.Login(t, m.deploy, keys[name], request)) })
	}
	for name, key := range keys {
		o, e := login(name, "echo "+name)
		if name == "stranger" {
			if o.status != 78 || o.stdout != "" || e.Reason != "policy-missing" || e.Key != policyOf(t, key+".pub") {
				t.Errorf("%s: %+v, %+v", name, o, e)
			}
			continue
		}
		if o.stdout != name+"\n" || e.Event != "allowed" || e.Key != policyOf(t, key+".pub") {
			t.Errorf("%s: %+v, %+v", name, o, e)
		}
	}
	if o, e := login("rsa3072", "echo ed25519"); o.status != 77 || e.Reason != "no-rule" {
		t.Errorf("with another's request: %+v, %+v", o, e)
	}

	// Of two keys none is meant.
	server.Configure(t, force, "ExposeAuthInfo yes", "Match all", "AuthenticationMethods publickey,publickey")
	cmd := server.Login(t, m.deploy, keys["ed25519"], "echo ed25519")
	cmd.Args = append([]string{"ssh", "-i", keys["rsa2048"]}, cmd.Args[1:]...)
	if o, e := one(t, func() outcome { return run(t, cmd) }); o.status != 77 || o.stdout != "" || e.Reason != "key-not-proved" || !strings.Contains(e.Detail, "several keys") || e.Key != "" {
		t.Errorf("two keys: %+v, %+v", o, e)
	}
	// Without ExposeAuthInfo nobody says which key it was.
	server.Configure(t, force)
	if o, e := login("ed25519", "echo ed25519"); o.status != 77 || o.stdout != "" || e.Reason != "key-not-proved" || e.Request != "echo ed25519" {
		t.Errorf("without ExposeAuthInfo: %+v, %+v", o, e)
	}
	// It is the same with the gate as login shell.
	server.Configure(t, force, "ExposeAuthInfo yes")
	testhost.Run(t, "usermod", "-s", "/usr/bin/ssh-gate", "deploy")
	if o, e := login("ecdsa256", "echo ecdsa256"); o.stdout != "ecdsa256\n" || e.Key == "" {
		t.Errorf("as login shell: %+v, %+v", o, e)
	}
}

// TestKeyFromCertificate: the key id that the authority wrote names the policy, if a policy can have that name.
func TestKeyFromCertificate(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	m := install(t)
	ca := testsshd.NewKey(t, filepath.Join(t.TempDir(), "ca"))
	check(t, os.WriteFile("/etc/ca.pub", []byte(testhost.KeyLine(t, "", ca)+"\n"), 0o644))
	config := []string{"ForceCommand /usr/bin/ssh-gate --key-from cert-id", "ExposeAuthInfo yes", "TrustedUserCAKeys /etc/ca.pub"}
	server := testhost.NewServer(t, config...)
	key := server.Key(t, "user")
	longest := "a" + strings.Repeat("b", 63)
	for _, name := range []string{"deploy.ci-1_x", longest, "x"} {
		check(t, os.WriteFile("/etc/ssh-gate/keys/"+name+".toml", []byte("log = \"all\"\n[[allow]]\ncommand = \"id -un\"\n"), 0o644))
	}
	check(t, os.WriteFile("/etc/ssh-gate/x.toml", []byte("[[allow]]\ncommand = \"id -un\"\n"), 0o644))
	login := func() (outcome, entry) {
		return one(t, func() outcome { return run(t, server.Login(t, m.deploy, key, "id -un")) })
	}
	sign := func(ca, id string) {
		testsshd.Keygen(t, "-q", "-s", ca, "-I", id, "-n", "deploy", "-V", "-1m:+1h", key+".pub")
	}
	for _, id := range []string{"deploy.ci-1_x", longest, "x"} {
		sign(ca, id)
		if o, e := login(); o.stdout != "deploy\n" || e.Key != id || e.Event != "allowed" {
			t.Errorf("%s: %+v, %+v", id, o, e)
		}
	}
	for _, id := range []string{"", "../x", "..", ".", ".x", "-x", "/etc/ssh-gate/keys/x", "x/../x", "keys/x", "x y", " x", "x ", "x\n", "x\x1b[2J", "\xff", "größe", "x\u200b",
		longest + "c", "x:y", "--policy", "x*"} {
		sign(ca, id)
		o, e := login()
		if o.status != 77 || o.stdout != "" || o.stderr != "ssh-gate: denied (ref "+e.Ref+")\n" || e.Reason != "key-not-proved" || e.Key != "" || e.Request != "id -un" {
			t.Errorf("%q: %+v, %+v", id, o, e)
		}
	}
	sign(ca, "no-policy")
	if o, e := login(); o.status != 78 || e.Reason != "policy-missing" || e.Key != "no-policy" {
		t.Errorf("%+v, %+v", o, e)
	}

	// A plain key has no id.
	check(t, os.Remove(key+"-cert.pub"))
	server.Authorize(t, m.deploy, "", key)
	if o, e := login(); o.status != 77 || o.stdout != "" || e.Reason != "key-not-proved" || !strings.Contains(e.Detail, "no certificate") {
		t.Errorf("a plain key: %+v, %+v", o, e)
	}

	// Who writes the account's authorized_keys is an authority, too, unless sshd_config takes that from him.
	own := server.Key(t, "own-ca")
	server.Authorize(t, m.deploy, "cert-authority", own)
	sign(own, "x")
	if o, e := login(); o.stdout != "deploy\n" || e.Key != "x" {
		t.Errorf("an authority of his own: %+v, %+v", o, e)
	}
	server.Configure(t, append(config, "AuthorizedKeysFile none")...)
	if o := run(t, server.Login(t, m.deploy, key, "id -un")); o.status != 255 || o.stdout != "" {
		t.Errorf("AuthorizedKeysFile none: %+v", o)
	}
}

// TestKeyFromProof: a file that sshd has not made for this user is no proof, and is the reason of a denial on the record.
func TestKeyFromProof(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	m := install(t)
	other := testhost.AddUser(t, "other")
	key := filepath.Join(t.TempDir(), "key")
	testsshd.Keygen(t, "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key)
	line := "publickey " + strings.TrimSpace(testhost.KeyLine(t, "", key)) + "\n"
	check(t, os.WriteFile("/etc/ssh-gate/keys/"+policyOf(t, key+".pub")+".toml", []byte("[[allow]]\ncommand = \"id -un\"\n"), 0o644))
	for _, u := range []testhost.User{m.deploy, other} {
		u.Write(t, "proof", line)
		check(t, os.Chmod("/home/"+u.Name, 0o755))
	}
	m.deploy.Write(t, "garbage", "\x00\xff\x1b[2J publickey\n")
	m.deploy.Write(t, "half", line[:60])
	m.deploy.Write(t, "empty", "")
	m.deploy.Write(t, "large", line+strings.Repeat("\n", 1<<17))
	check(t, os.Symlink("/home/deploy/proof", "/home/deploy/link"))
	check(t, os.WriteFile("/home/readable", []byte(line), 0o644))
	check(t, os.Chmod("/home/deploy", 0o755))
	for _, from := range []string{"fingerprint", "cert-id"} {
		for _, file := range []string{"unset", "", "/home/other/proof", "/home/readable", "/home/deploy/link", "/home/deploy/garbage", "/home/deploy/half", "/home/deploy/empty",
			"/home/deploy/large", "/home/deploy", "/home/deploy/missing", "/dev/stdin", "/proc/self/environ", "proof", "\x1b[2J"} {
			env := remote("id -un")
			if file != "unset" {
				env = append(env, "SSH_USER_AUTH="+file)
			}
			o, e := one(t, func() outcome { return m.gate(t, env, "--key-from", from) })
			if o.status != 77 || o.stdout != "" || o.stderr != "ssh-gate: denied (ref "+e.Ref+")\n" || e.Reason != "key-not-proved" || e.Request != "id -un" {
				t.Errorf("%s, %q: %+v, %+v", from, file, o, e)
			}
		}
	}
	if o := m.gate(t, append(remote("id -un"), "SSH_USER_AUTH=/home/deploy/proof"), "--key-from=fingerprint"); o.stdout != "deploy\n" {
		t.Errorf("%+v, %s", o, readLog(t))
	}
}
