package gate

import (
	"strings"
	"testing"

	"example.org/ssh-gate/internal/policy"
)

func TestIsLoginShell(t *testing.T) {
	for line, want := range map[string]bool{
		"ssh-gate -c x": true, "-ssh-gate": true, "-": true, "-ssh-gate log": true, "-c -c": true, "ssh-gate -c": true, "/usr/bin/ssh-gate -c --key": true,
		"ssh-gate": false, "ssh-gate --key x": false, "ssh-gate log": false, "ssh-gate -lc x": false, "ssh-gate log -c": false, "ssh-gate --key -c": false, "": false,
	} {
		if got := IsLoginShell(strings.Fields(line)); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
	if IsLoginShell([]string{""}) {
		t.Error("an empty name")
	}
}

// TestShellOptionsOfRequest: of a client's text nothing is an option, whatever it is.
func TestShellOptionsOfRequest(t *testing.T) {
	for _, text := range []string{"", "id", "/usr/bin/ssh-gate --key x", "ssh-gate --policy /x", "--key=x", "-c", "\x00", "\xff", "log", strings.Repeat("x", 200_000)} {
		o, request, err := shellOptions([]string{"-c", text}, false)
		if err != nil || request != text || *o != *accountOptions() {
			t.Errorf("%.80q: %+v, %.80q, %v", text, o, request, err)
		}
	}
	if o, request, err := shellOptions(nil, false); err != nil || request != "" || *o != *accountOptions() {
		t.Errorf("interactive: %+v, %q, %v", o, request, err)
	}
	for _, args := range [][]string{{"-c"}, {"x"}, {"-c", "x", "y"}, {"-lc", "x"}, {"--", "x"}, {"--key", "x"}} {
		for _, isForced := range []bool{false, true} {
			if o, _, err := shellOptions(args, isForced); err == nil || o != nil {
				t.Errorf("%q: %+v", args, o)
			}
		}
	}
}

// TestShellOptionsOfForcedCommand: a forced command is split as a shell would, and gives the name of a policy and no file.
func TestShellOptionsOfForcedCommand(t *testing.T) {
	for text, key := range map[string]string{
		"/usr/bin/ssh-gate --key x": "x", "ssh-gate --key=x": "x", "  '/usr/bin/ssh-gate'   \"--key\" x ": "x", "/opt/a\\ b/ssh-gate --key x": "x",
		"ssh-gate --key-from fingerprint": "", "ssh-gate --key-from=cert-id": "",
	} {
		o, request, err := shellOptions([]string{"-c", text}, true)
		if err != nil || request != "" || o.key != key || o.account || o.ownPolicy || o.ownConfig || o.config != policy.ConfigFile || o.dir != policy.KeysDir {
			t.Errorf("%q: %+v, %q, %v", text, o, request, err)
		}
	}
	for text, want := range map[string]string{
		"":                                          "does not call ssh-gate",
		"/bin/sh":                                   "does not call ssh-gate",
		"xssh-gate --key x":                         "does not call ssh-gate",
		"ssh-gate/ --key x":                         "does not call ssh-gate",
		"exec ssh-gate --key x":                     "does not call ssh-gate",
		"A=b ssh-gate --key x":                      "does not call ssh-gate",
		"ssh-gate --key x; id":                      "no plain command",
		"ssh-gate --key $X":                         "no plain command",
		"ssh-gate --key 'x":                         "no plain command",
		"ssh-gate --key x\nid":                      "no plain command",
		"ssh-gate --policy /x":                      "not \"--policy\"",
		"ssh-gate --policy=/x":                      "not \"--policy\"",
		"ssh-gate --key x --policy-dir /x":          "not \"--policy-dir\"",
		"ssh-gate --config '/x' --key x":            "not \"--config\"",
		"ssh-gate '--config=/x' --key x":            "not \"--config\"",
		"ssh-gate --key --config":                   "not \"--config\"",
		"ssh-gate":                                  "no key is named",
		"ssh-gate log":                              "unexpected argument",
		"ssh-gate -c id":                            "unknown option",
		"ssh-gate --key ../x":                       "no name of a key",
		"ssh-gate --key x --key y":                  "given twice",
		"ssh-gate --key x --key-from cert-id":       "give one of them",
		"ssh-gate --key-from comment":               "fingerprint or cert-id",
		"ssh-gate --key users/x":                    "no name of a key",
		"ssh-gate --key ''":                         "not empty",
		"ssh-gate --key " + strings.Repeat("x", 65): "no name of a key",
	} {
		if o, _, err := shellOptions([]string{"-c", text}, true); err == nil || o != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v; want %q", text, o, err, want)
		}
	}
}

// TestFileName: a fingerprint becomes a name that a policy can have, and no two become the same.
func TestFileName(t *testing.T) {
	for print, want := range map[string]string{
		"SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU": "SHA256--DiY3wvvV6TuJJhbpZisF_zLDA0zPMSvHdkr4UvCOqU",
		"SHA256:" + strings.Repeat("/", 43):                  "SHA256-" + strings.Repeat("_", 43),
	} {
		if got := fileName(print); got != want || !policy.IsName(got) {
			t.Errorf("%s: %s", print, got)
		}
	}
}
