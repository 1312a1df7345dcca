package gate

import (
	"strings"
	"testing"

	"example.org/ssh-gate/internal/policy"
)

func TestOptionsKeyFrom(t *testing.T) {
	for line, want := range map[string]options{
		"--key-from fingerprint":             {keyFrom: "fingerprint", dir: policy.KeysDir, config: policy.ConfigFile},
		"--key-from=cert-id":                 {keyFrom: "cert-id", dir: policy.KeysDir, config: policy.ConfigFile},
		"--key-from cert-id --policy-dir /d": {keyFrom: "cert-id", dir: "/d", config: policy.ConfigFile, ownPolicy: true},
		"--config /c --key-from fingerprint": {keyFrom: "fingerprint", dir: policy.KeysDir, config: "/c", ownConfig: true},
		"--key x":                            {key: "x", policy: policy.KeysDir + "/x.toml", dir: policy.KeysDir, config: policy.ConfigFile},
		"--key x --policy-dir=/d":            {key: "x", policy: "/d/x.toml", dir: "/d", config: policy.ConfigFile, ownPolicy: true},
		"--policy /d/x.toml":                 {key: "x", policy: "/d/x.toml", dir: policy.KeysDir, config: policy.ConfigFile, ownPolicy: true},
	} {
		if o, err := parseOptions(strings.Fields(line)); err != nil || *o != want {
			t.Errorf("%s: %+v, %v, want %+v", line, o, err, want)
		}
	}
	for line, want := range map[string]string{
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
		if o, err := parseOptions(strings.Fields(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v, want %q", line, o, err, want)
		}
	}
}
