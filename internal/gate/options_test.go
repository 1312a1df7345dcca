package gate

import (
	"strings"
	"testing"

	"example.org/ssh-gate/internal/policy"
)

// TestParseOptions: what the options mean for the gate. What is wrong with them forced says.
func TestParseOptions(t *testing.T) {
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
	for line, want := range map[string]string{"--key": "needs a value", "--key-from cert-id --key x": "give one of them", "": "no key is named"} {
		if o, err := parseOptions(strings.Fields(line)); err == nil || o != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v, want %q", line, o, err, want)
		}
	}
}
