package forced

import (
	"strings"
	"testing"

	"example.org/ssh-gate/internal/policy"
)

// TestRead: the options as given, and the name, folder and file of the policy that they mean.
func TestRead(t *testing.T) {
	for line, want := range map[string]struct {
		Options
		name, dir, file string
	}{
		"--key-from fingerprint":             {Options{KeyFrom: "fingerprint"}, "", policy.KeysDir, ""},
		"--key-from=cert-id":                 {Options{KeyFrom: "cert-id"}, "", policy.KeysDir, ""},
		"--key-from cert-id --policy-dir /d": {Options{KeyFrom: "cert-id", PolicyDir: "/d"}, "", "/d", ""},
		"--config /c --key-from fingerprint": {Options{KeyFrom: "fingerprint", Config: "/c"}, "", policy.KeysDir, ""},
		"--key x":                            {Options{Key: "x"}, "x", policy.KeysDir, policy.KeysDir + "/x.toml"},
		"--key x --policy-dir=d":             {Options{Key: "x", PolicyDir: "d"}, "x", "d", "d/x.toml"},
		"--policy /d/x.toml":                 {Options{Policy: "/d/x.toml"}, "x", policy.KeysDir, "/d/x.toml"},
		"--policy=x --config=a=b":            {Options{Policy: "x", Config: "a=b"}, "x", policy.KeysDir, "x"},
	} {
		o, err := Read(strings.Fields(line))
		if err != nil || o != want.Options || o.Name() != want.name || o.Dir() != want.dir || o.File() != want.file {
			t.Errorf("%s: %+v, %q, %q, %q, %v, want %+v", line, o, o.Name(), o.Dir(), o.File(), err, want)
		}
	}
	for line, want := range map[string]string{
		"":                                      "no key is named",
		"--config /c":                           "no key is named",
		"--key":                                 "the option --key needs a value",
		"--key=":                                "not empty",
		"--key x --key x":                       "given twice",
		"--key x --key":                         "given twice",
		"--key ../x":                            "no name of a key",
		"--key " + strings.Repeat("x", 65):      "no name of a key",
		"--policy /d/a:b.toml":                  `"a:b" is no name of a key`,
		"--policy /d/":                          `"" is no name of a key`,
		"--key x --policy /x":                   "give one of them",
		"--policy x --policy-dir d":             "--policy names the file itself",
		"--key-from":                            "needs a value",
		"--key-from=":                           "not empty",
		"--key-from FINGERPRINT":                "not \"FINGERPRINT\"",
		"--key-from ../x":                       "fingerprint or cert-id",
		"--key-from cert-id --key-from cert-id": "given twice",
		"--key-from cert-id --key x":            "give one of them",
		"--key-from cert-id --policy /x":        "give one of them",
		"--key-from cert-id x":                  "unexpected argument",
		"--keyfrom cert-id":                     "unknown option",
		"--key-from cert-id -c":                 "unknown option",
	} {
		if o, err := Read(strings.Fields(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v, want %q", line, o, err, want)
		}
	}
}

// TestPointsElsewhere: every option that names a file does, also where it is misspelt or stands behind a fault, and no other.
func TestPointsElsewhere(t *testing.T) {
	for line, want := range map[string]bool{
		"--policy x": true, "--policy-dir=x": true, "--config x": true, "--key x --config": true, "--kye x --policyx y": true, "--key --config": true,
		"": false, "--key x": false, "--key-from cert-id": false, "--key policy": false,
	} {
		if got := PointsElsewhere(strings.Fields(line)); got != want {
			t.Errorf("%s: %t", line, got)
		}
	}
}

func TestCommand(t *testing.T) {
	const gate = "/usr/bin/ssh-gate"
	for text, want := range map[string]Call{
		gate + " --key deploy":                           {Options{Key: "deploy"}, gate, ""},
		"ssh-gate --key=deploy --config=/c":              {Options{Key: "deploy", Config: "/c"}, "ssh-gate", ""},
		gate + " --key-from cert-id --policy-dir '/a b'": {Options{KeyFrom: "cert-id", PolicyDir: "/a b"}, gate, ""},
		`"/usr/bin/ssh-gate" --policy /p.toml`:           {Options{Policy: "/p.toml"}, gate, ""},
		gate:                                             {Options{}, gate, "no key is named; give --key NAME, --key-from fingerprint, --key-from cert-id or --policy FILE"},
		gate + " --key a --key b":                        {Options{Key: "a"}, gate, "the option --key is given twice"},
		gate + " --key a 'x\u00e9'":                      {Options{Key: "a"}, gate, `unexpected argument "x\u00e9", which is no verb, and the gate takes options only; see ssh-gate help`},
		gate + " log --key a":                            {Options{}, gate, `the gate does not know "log"`},
		gate + " --key a:b":                              {Options{Key: "a:b"}, gate, `"a:b" is no name of a key; it takes letters, digits and . _ -, a letter or digit first, at most 64`},
		gate + " --key-from name":                        {Options{KeyFrom: "name"}, gate, `--key-from takes fingerprint or cert-id, not "name"`},
		gate + " --policy /p --policy-dir /d":            {Options{Policy: "/p", PolicyDir: "/d"}, gate, "--policy names the file itself, so --policy-dir has no use beside it; give one of them"},
	} {
		if got, ok := Command(text); !ok || got != want {
			t.Errorf("%q: %+v, %t", text, got, ok)
		}
	}
	for _, text := range []string{"", "true", "/bin/sh -c 'ssh-gate --key x'", "ssh-gate2 --key x", "/usr/bin/ssh-gate/x", "x/ssh-gate.sh", "xssh-gate --key x", "ssh-gate/ --key x"} {
		if got, ok := Command(text); ok || got.Problem != "" {
			t.Errorf("%q: %+v, %t", text, got, ok)
		}
	}
	for _, text := range []string{"/usr/bin/ssh-gate --key $KEY", "cd /; ssh-gate --key x", "/usr/bin/ssh-gate --key 'x"} {
		if got, ok := Command(text); ok || !strings.HasPrefix(got.Problem, "a shell stands before the gate: ") {
			t.Errorf("%q: %+v, %t", text, got, ok)
		}
	}
}
