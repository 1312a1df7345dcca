package examples

import (
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"example.org/ssh-gate/internal/address"
	"example.org/ssh-gate/internal/argv"
	"example.org/ssh-gate/internal/decide"
	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/record"
)

// fullHost has every program in /usr/bin and no links.
type fullHost struct{}

func (fullHost) Lookup(name string) (string, bool)        { return "/usr/bin/" + name, true }
func (fullHost) Resolve(path string) (string, int, error) { return path, 0, nil }

func read(t *testing.T, name string) *policy.Policy {
	t.Helper()
	text, err := Files.ReadFile(name + ".toml")
	if err != nil {
		t.Fatal(err)
	}
	p, faults := policy.Parse(name, name+".toml", text)
	if faults != nil {
		t.Fatal(faults.Render())
	}
	return p
}

func TestRequests(t *testing.T) {
	text, err := os.ReadFile("requests.txt")
	if err != nil {
		t.Fatal(err)
	}
	client, _ := address.Parse("192.0.2.7")
	tried := map[string]bool{}
	for _, line := range strings.Split(string(text), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		left, want, _ := strings.Cut(line, "=> ")
		name, request, _ := strings.Cut(left, " ")
		request = strings.TrimSpace(request)
		tried[name] = true
		d := decide.Decide(decide.Input{
			Policy: read(t, name), Files: fullHost{}, Request: request, User: "deploy", ClientIP: "192.0.2.7", ClientAddr: client, Now: time.Now(),
		})
		got := string(d.Reason)
		if d.Reason == record.Matched {
			got = argv.Quote(append([]string{d.Program}, d.Argv[1:]...))
		}
		if got != want {
			t.Errorf("%s: request %q: got %s, want %s (%s)", name, request, got, want, d.Detail)
		}
	}
	entries, err := Files.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := strings.TrimSuffix(path.Base(e.Name()), ".toml"); !tried[name] && name != "config" {
			t.Errorf("requests.txt has no line for %s", name)
		}
	}
}

func TestConfig(t *testing.T) {
	text, err := Files.ReadFile("config.toml")
	if err != nil {
		t.Fatal(err)
	}
	c, faults := policy.ParseConfig("config.toml", text)
	if faults != nil {
		t.Fatal(faults.Render())
	}
	if want := policy.DefaultConfig(); strings.Join(c.Path, ":") != strings.Join(want.Path, ":") || c.Log != want.Log {
		t.Errorf("config.toml says %+v, the built-in values are %+v", c, want)
	}
}
