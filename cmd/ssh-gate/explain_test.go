package main

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.org/ssh-gate/examples"
	"example.org/ssh-gate/internal/testsshd"
)

// explained is what explain --json says, as far as it is held against the gate.
type explained struct {
	Event, Reason, Rule string

	Client string `json:"client_sees"`
	Status *int   `json:"exit_status"`
	Runs   *struct {
		Program, Dir string
		Argv, Env    []string
	}
}

// whereabouts are the folders of programs in the examples. Each becomes the folder where every program is probe, so that nothing else runs.
var whereabouts = strings.NewReplacer("/usr/lib/openssh/", "$DIR/bin/", "/usr/local/bin/", "$DIR/bin/", "/usr/bin/", "$DIR/bin/", "/opt/deploy/", "$DIR/bin/")

// oddPolicies are what the examples do not show: what the login must be, what cannot be started, what is limited.
var oddPolicies = map[string]string{
	"conditions": "users = [\"nobody-of-here\"]\n[[allow]]\ncommand = \"probe a\"\n",
	"elsewhere":  "from = [\"203.0.113.0/24\"]\nmessages = \"full\"\n[[allow]]\ncommand = \"probe a\"\n",
	"near":       "from = [\"192.0.2.0/24\", \"::1/128\"]\nmessages = \"full\"\n[[allow]]\ncommand = \"probe a\"\n",
	"expired":    "expires = 2026-01-01T00:00:00Z\nhelp = true\n[[allow]]\ncommand = \"probe a\"\n",
	"proof":      "fingerprints = [\"SHA256:" + strings.Repeat("A", 43) + "\"]\n[[allow]]\ncommand = \"probe a\"\n",
	"programs": "messages = \"full\"\n[[allow]]\ncommand = \"nothing-of-that-name\"\n[[allow]]\ncommand = \"absent\"\nrun = \"/nowhere/absent\"\n[[allow]]\ncommand = \"open\"\nrun = \"$DIR/open/probe\"\n[[allow]]\ncommand = \"folder\"\nrun = \"$DIR/bin\"\n" +
		"[[allow]]\ncommand = \"lost\"\nrun = \"$DIR/bin/lost\"\n",
	"folders":     "[[allow]]\ncommand = \"probe a\"\ncwd = \"/nowhere\"\n[[allow]]\ncommand = \"probe b\"\ncwd = \"/etc/passwd\"\n[[allow]]\ncommand = \"probe c\"\ncwd = \"/usr\"\n[[allow]]\ncommand = \"probe d\"\ncwd = \"/nowhere\"\nconfine = { read = [\"/proc\"] }\n",
	"environment": "pass_env = [\"GIT_PROTOCOL\"]\n[[allow]]\ncommand = \"probe {x*}\"\nargs.x = { text = [0, 30] }\nenv = { LANG = \"C\", K = \"v=w\", HOME = \"/srv\" }\numask = \"027\"\nlimits = { timeout = \"1m\", files = 100 }\n",
	"confined":    "[[allow]]\ncommand = \"probe {p}\"\nargs.p = { path = \"/usr\", access = \"read\" }\nconfine = { read = [\"/proc\"] }\n[[allow]]\ncommand = \"probe lost {p}\"\nargs.p = { path = \"/usr\", access = \"read\" }\nconfine = { read = [\"/nowhere\"] }\n",
	"alias":       "help = true\nmessages = \"full\"\n[[allow]]\nname = \"it\"\ncommand = [\"say {x}\", \"tell {x}\"]\nargs.x = { chars = \"a-z\" }\nrun = \"$DIR/bin/probe --say {x} {x}\"\n[[allow]]\ncommand = \"\"\nrun = \"$DIR/bin/probe none\"\n[[allow]]\nraw = \"probe; id\"\nrun = \"$DIR/bin/probe raw\"\n",
	"listed":      "help = true\n[[allow]]\ncommand = \"x '\u202eab\u009b'\"\n",
	"none":        "",
	"broken":      "usres = [\"a\"]\n",
}

var oddRequests = []string{
	"", "probe a", "probe b", "probe c", "probe d", "probe x 'y z'", "probe /usr/bin", "probe /usr/../etc", "probe lost /usr", "probe; id", "probe $(id)", "help", "help --json", "help me",
	"nothing-of-that-name", "absent", "open", "folder", "lost", "say abc", "tell z", "say A", "say a b", "\x1b[31mprobe", "probe \xff", "probe '\u202e'", strings.Repeat("a", 70_000)[:4000],
}

// TestExplainAgreesWithTheGate: for each record, explain REF says of a request what the gate did with it, and what the program got.
func TestExplainAgreesWithTheGate(t *testing.T) {
	h := newHost(t, "")
	h.write(t, "config.toml", "path = [\"$DIR/bin\"]\nlog = { file = \"$DIR/log\", events = \"all\" }\n")
	check(t, os.Mkdir(h.path("open"), 0o777))
	check(t, os.Chmod(h.path("open"), 0o777))
	check(t, os.Symlink(probeProgram(), h.path("open/probe")))
	check(t, os.WriteFile(h.path("bin/lost"), []byte("#!/nowhere/interpreter\n"), 0o755))
	policies := map[string]string{}
	for name, text := range oddPolicies {
		policies[name] = text
	}
	requests := map[string][]string{}
	text, err := os.ReadFile("../../examples/requests.txt")
	check(t, err)
	for line := range strings.Lines(string(text)) {
		left, _, ok := strings.Cut(line, "=> ")
		if !ok || line[0] == '#' {
			continue
		}
		name, request, _ := strings.Cut(left, " ")
		requests[name] = append(requests[name], strings.TrimSpace(request))
		text, err := examples.Files.ReadFile(name + ".toml")
		check(t, err)
		policies[name] = whereabouts.Replace(string(text))
		if program, _, _ := strings.Cut(strings.TrimSpace(request), " "); filepath.Base(program) == program && program != "." {
			_ = os.Symlink(probeProgram(), h.path("bin/"+program)) // once
		}
	}
	random := rand.New(rand.NewPCG(7, 11))
	seen := map[string]int{}
	for name, text := range policies {
		h.write(t, "keys/deploy.toml", text)
		asked := requests[name]
		if asked == nil {
			asked = oddRequests
		}
		for _, request := range asked {
			for range 2 {
				seen[h.agrees(t, name, request)]++
				request = mutated(random, request)
			}
		}
	}
	for _, reason := range []string{"matched", "helped", "no-command", "needs-shell", "control-character", "not-utf8", "no-rule", "wrong-user", "wrong-address", "expired", "key-not-proved",
		"policy-invalid", "program-missing", "program-unsafe", "program-failed", "folder-unavailable", "confine-failed"} {
		if seen[reason] == 0 {
			t.Errorf("no request ended with %s: %v", reason, seen)
		}
	}
}

// mutated changes a request where a policy is likely to look.
func mutated(random *rand.Rand, request string) string {
	words := strings.Split(request, " ")
	i := random.IntN(len(words))
	switch random.IntN(5) {
	case 0:
		words = slices.Insert(words, i, "x")
	case 1:
		words = slices.Delete(words, i, i+1)
	case 2:
		words[i] += "/.."
	case 3:
		words[i] = "'" + words[i] + "'"
	default:
		words[i] = "-" + words[i]
	}
	return strings.Join(words, " ")
}

// agrees sends a request to the gate through sshd's environment, and asks explain about its record. It returns the reason.
func (h *host) agrees(t *testing.T, name, request string) string {
	t.Helper()
	check(t, os.WriteFile(h.log, nil, 0o600))
	did := run(t, h.request(request, "LC_ALL=C.UTF-8", "GIT_PROTOCOL=version=2"))
	records := h.records(t)
	if len(records) == 0 {
		t.Fatalf("%s: %.80q left no record: %+v", name, request, did)
	}
	last := records[len(records)-1] // a failure to start what was recorded as allowed is a second
	o := run(t, exec.Command(gateProgram(), "explain", "--json", "--config", h.path("config.toml"), "--policy-dir", h.path("keys"), "--file", h.log, last.Ref))
	var said explained
	if err := json.Unmarshal([]byte(o.stdout), &said); err != nil || o.stderr != "" {
		t.Fatalf("%s: %.80q: %v: %+v", name, request, err, o)
	}
	if said.Event != last.Event || said.Reason != last.Reason || said.Rule != last.Rule {
		t.Errorf("%s: %.80q: explain says %s, %s, rule %q; the record %s, %s, rule %q (%s)", name, request, said.Event, said.Reason, said.Rule, last.Event, last.Reason, last.Rule, last.Detail)
		return last.Reason
	}
	if wanted := map[bool]int{true: 0, false: 1}[last.Event == "allowed"]; o.status != wanted {
		t.Errorf("%s: %.80q: explain ends with %d after %s", name, request, o.status, last.Event)
	}
	if last.Reason == "matched" {
		h.sameProgram(t, name, request, did, said)
		return last.Reason
	}
	shown := strings.ReplaceAll(did.stdout+did.stderr, "(ref "+last.Ref+")", "(ref ........)")
	if said.Status == nil || *said.Status != did.status || said.Client != shown {
		t.Errorf("%s: %.80q: explain says %q; the client got %q, status %d", name, request, said.Client, shown, did.status)
	}
	return last.Reason
}

// sameProgram holds argv, environment and folder as explain tells them against what probe saw.
func (h *host) sameProgram(t *testing.T, name, request string, did outcome, said explained) {
	t.Helper()
	if said.Runs == nil || said.Status != nil || said.Client != "" {
		t.Fatalf("%s: %.80q: %+v", name, request, said)
	}
	if did.status != 0 {
		if name != "confined" && !strings.HasSuffix(name, "-confined") { // there probe may not see /proc
			t.Errorf("%s: %.80q: the program ended with %+v", name, request, did)
		}
		return
	}
	saw := probed(t, did.stdout)
	saw.Env = slices.DeleteFunc(saw.Env, func(kv string) bool {
		variable, _, _ := strings.Cut(kv, "=")
		return slices.Contains([]string{"SSH_CONNECTION", "SSH_CLIENT", "LC_ALL", "GIT_PROTOCOL"}, variable)
	})
	escaped := slices.ContainsFunc(said.Runs.Argv, func(word string) bool { return strings.Contains(word, `\x`) })
	if !escaped && !slices.Equal(said.Runs.Argv, saw.Argv) || !slices.Equal(said.Runs.Env, saw.Env) {
		t.Errorf("%s: %.80q: explain says %q, %q; the program saw %q, %q", name, request, said.Runs.Argv, said.Runs.Env, saw.Argv, saw.Env)
	}
	if dir := said.Runs.Dir; dir != account().home && dir != saw.Cwd {
		t.Errorf("%s: %.80q: explain says %q; the program was in %q", name, request, dir, saw.Cwd)
	}
}

// TestExplainAgreesOverSSH: the same through a real sshd, with a key that it proves or does not.
func TestExplainAgreesOverSSH(t *testing.T) {
	s := testsshd.New(t, "ExposeAuthInfo yes")
	h := newHost(t, "")
	h.write(t, "config.toml", "path = [\"$DIR/bin\"]\nlog = { file = \"$DIR/log\", events = \"all\" }\n")
	client := s.Authorize(t, "client", `command="`+strings.Join(h.gate(), " ")+`",restrict`)
	other := s.Client(t, "other")
	fingerprint := func(c *testsshd.Client) string {
		return strings.Fields(testsshd.Keygen(t, "-l", "-f", c.Key+".pub"))[1]
	}
	const rule = "[[allow]]\ncommand = \"probe {x}\"\nargs.x = [\"a\"]\n"
	for _, policy := range []string{
		rule,
		"from = [\"127.0.0.0/8\"]\nmessages = \"full\"\n" + rule,
		"from = [\"192.0.2.0/24\"]\n" + rule,
		"fingerprints = [\"" + fingerprint(client) + "\"]\n" + rule,
		"fingerprints = [\"" + fingerprint(other) + "\"]\nmessages = \"full\"\n" + rule,
	} {
		h.write(t, "keys/deploy.toml", policy)
		for _, to := range []string{testsshd.Loopback, testsshd.Pipe} {
			for _, request := range []string{"probe a", "probe b"} {
				did := run(t, client.SSH(t, to, request))
				last := h.last(t)
				o := run(t, exec.Command(gateProgram(), "explain", "--json", "--config", h.path("config.toml"), "--policy-dir", h.path("keys"), "--file", h.log, last.Ref))
				var said explained
				check(t, json.Unmarshal([]byte(o.stdout), &said))
				if said.Event != last.Event || said.Reason != last.Reason || said.Rule != last.Rule {
					t.Errorf("%s\n%s by %s: explain says %s, %s; the record %s, %s (%s)", policy, request, to, said.Event, said.Reason, last.Event, last.Reason, last.Detail)
				}
				if shown := strings.ReplaceAll(did.stderr, last.Ref, "........"); last.Event != "allowed" && (said.Client != shown || *said.Status != did.status) {
					t.Errorf("%s\n%s by %s: explain says %q, %d; the client saw %q, %d", policy, request, to, said.Client, *said.Status, shown, did.status)
				}
			}
		}
	}
}
