package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/testhost"
	"example.org/ssh-gate/internal/testsshd"
)

// examplePolicy is one for which every example has something to tell.
const examplePolicy = `
users   = ["root", "deploy"]
expires = 2126-01-01T00:00:00Z
log     = "all"

[[allow]]
command = "uptime"

[[allow]]
name      = "restart"
command   = "systemctl restart {unit}"
args.unit = ["app.service"]

[[test]]
request = "uptime"
expect  = "allow"
`

// displaysOf are the lines that a page displays, commands and others.
func displaysOf(t *testing.T, page string) []string {
	t.Helper()
	text, err := os.ReadFile("../../packaging/man/" + page)
	check(t, err)
	var lines []string
	for _, m := range regexp.MustCompile(`(?m)^\.Dl (.*)`).FindAllStringSubmatch(string(text), -1) {
		lines = append(lines, m[1])
	}
	if len(lines) == 0 {
		t.Fatalf("%s displays nothing", page)
	}
	return lines
}

// What the manual displays beside commands: a key line, and what a client is told.
const (
	shownKeyLine = `restrict,command="/usr/bin/ssh-gate --key deploy" ssh-ed25519 AAAA... deploy@ci`
	shownRefusal = "ssh-gate: denied (ref k3v9t2ma)"
)

// commandsOf are the commands among them.
func commandsOf(t *testing.T, page string) []string {
	t.Helper()
	return slices.DeleteFunc(displaysOf(t, page), func(line string) bool { return line == shownKeyLine || line == shownRefusal })
}

// TestExamples runs the commands that ssh-gate(8) and --help show, as they stand there, on a machine where the gate is installed and a key
// was denied something. Only the reference of a record is another one. Of ssh-gate.toml(5), TestJournal does.
func TestExamples(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	testhost.Install(t, gateProgram())
	testhost.AddUser(t, "deploy")
	dir := t.TempDir()
	for _, key := range []string{"ci", "deploy", "key"} {
		testsshd.NewKey(t, filepath.Join(dir, key))
	}
	for file, text := range map[string]string{
		"/etc/ssh-gate/keys/deploy.toml": examplePolicy, "deploy.toml": examplePolicy, "requests.txt": "uptime\nuptime -p\n",
	} {
		if !filepath.IsAbs(file) {
			file = filepath.Join(dir, file)
		}
		check(t, os.WriteFile(file, []byte(text), 0o644))
	}
	for _, request := range []string{"uptime", "uptime -p"} {
		cmd := exec.Command("/usr/bin/ssh-gate", "--key", "deploy")
		cmd.Env = []string{"SSH_CONNECTION=203.0.113.7 50022 192.0.2.1 22", "SSH_ORIGINAL_COMMAND=" + request}
		cmd.Run() // the last is denied, as the examples expect
	}
	text, err := os.ReadFile(testhost.Log)
	check(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	var last struct{ Event, Ref string }
	check(t, json.Unmarshal([]byte(lines[len(lines)-1]), &last))
	if len(lines) != 2 || last.Event != "denied" {
		t.Fatalf("the log is:\n%s", text)
	}

	quarter := time.Now().Add(-100 * 24 * time.Hour).UTC() // so old are the log and the policy, so that unused can judge
	lines[0] = regexp.MustCompile(`"time":"[^"]*"`).ReplaceAllString(lines[0], `"time":"`+quarter.Format("2006-01-02T15:04:05.000000Z")+`"`)
	check(t, os.Chtimes("/etc/ssh-gate/keys/deploy.toml", quarter, quarter))
	check(t, os.WriteFile(testhost.Log, []byte(strings.Join(lines, "\n")+"\n"), 0o660))

	calls := commandsOf(t, "ssh-gate.8")
	if len(calls) < 12 {
		t.Fatalf("the manual shows only %q", calls)
	}
	for _, verb := range []string{"check", "explain", "log", "unused", "suggest", "init", "doctor", "help", "version"} {
		help, err := exec.Command("/usr/bin/ssh-gate", verb, "--help").Output()
		check(t, err)
		examples, _, _ := strings.Cut(string(help), "\n\n")
		for _, call := range strings.Split(examples, "\n  ")[1:] {
			if !slices.Contains(calls, call) {
				calls = append(calls, call)
			}
		}
	}
	for _, call := range calls {
		runExample(t, dir, strings.ReplaceAll(call, "k3v9t2ma", last.Ref), call)
	}
	if !strings.Contains(testhost.Run(t, "getent", "passwd", "deploy"), ":/usr/bin/ssh-gate\n") {
		t.Error("chsh has not made the gate the login shell")
	}
}

// TestShownLogin: the key line that the manual shows, with a key in place of its dots, and what a client of it is told.
func TestShownLogin(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	if shown := displaysOf(t, "ssh-gate.8"); !slices.Contains(shown, shownKeyLine) || !slices.Contains(shown, shownRefusal) {
		t.Fatalf("the manual shows other lines: %q", shown)
	}
	m := install(t)
	server := testhost.NewServer(t)
	key := server.Key(t, "deploy")
	public, err := os.ReadFile(key + ".pub")
	check(t, err)
	server.WriteKeys(t, m.deploy, strings.Replace(shownKeyLine, "AAAA...", strings.Fields(string(public))[1], 1))
	o, e := one(t, func() outcome { return run(t, server.Login(t, m.deploy, key, "id; reboot")) })
	if o.status != 77 || o.stderr != strings.Replace(shownRefusal, "k3v9t2ma", e.Ref, 1)+"\n" || e.Reason != "needs-shell" {
		t.Errorf("%+v, %+v", o, e)
	}
	if o := run(t, server.Login(t, m.deploy, key, "env echo in")); o.stdout != "in\n" {
		t.Errorf("%+v", o)
	}
}

// ofHost are warnings of a policy that is fine, on one machine, or in one year, and not on another.
var ofHost = []string{"program-missing", "users-unknown", "cwd-missing", "confine-path-missing", "confine-unsupported", "expired"}

// TestShownPolicies has check look at every policy and configuration that the manuals and the README show.
func TestShownPolicies(t *testing.T) {
	dir := testsshd.SafeDir(t)
	for name, c := range map[string]struct {
		paper, begin, end string
		least             int
	}{
		"README.md":       {"README.md", "\n```toml\n", "\n```", 3},
		"ssh-gate.8":      {"packaging/man/ssh-gate.8", "\n.Bd ", "\n.Ed", 0},
		"ssh-gate.toml.5": {"packaging/man/ssh-gate.toml.5", "\n.Bd -literal -offset indent\n", "\n.Ed", 5},
	} {
		text, err := os.ReadFile("../../" + c.paper)
		check(t, err)
		parts := strings.Split(string(text), c.begin)[1:]
		if len(parts) < c.least || strings.Count(string(text), "\n.Bd ") > len(parts) {
			t.Errorf("%s: %d of its displays were understood", name, len(parts))
		}
		for i, part := range parts {
			shown, _, _ := strings.Cut(part, c.end)
			if strings.HasSuffix(name, "5") {
				shown = strings.ReplaceAll(shown, `\e`, `\`)
			}
			kind := "policy"
			if strings.Contains(shown, "[log]") {
				kind = "config"
			}
			file := filepath.Join(dir, "shown.toml")
			check(t, os.WriteFile(file, []byte(shown+"\n"), 0o644))
			o := run(t, command(nil, gateProgram(), "check", "--level", "warning", "--json", "--kind", kind, file))
			var told struct {
				Findings []struct {
					ID, Message string
					Line        int
				}
				Policies, Tests int
			}
			check(t, json.Unmarshal([]byte(o.stdout), &told))
			if kind == "policy" && (told.Policies != 1 || told.Tests != strings.Count("\n"+shown, "\n[[test]]")) {
				t.Errorf("%s, display %d: %+v", name, i+1, told)
			}
			for _, f := range told.Findings {
				if !slices.Contains(ofHost, f.ID) {
					t.Errorf("%s, display %d, line %d: %s: %s", name, i+1, f.Line, f.ID, f.Message)
				}
			}
		}
	}
}

// finding are verbs that end with 1 where they find something: here explain a denial, unused a rule, and the others what the machine is.
var finding = []string{"check", "doctor", "explain", "unused"}

// runExample runs one call.
func runExample(t *testing.T, dir, call, shown string) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", call)
	cmd.Dir, cmd.Env = dir, []string{"PATH=/usr/bin:/bin"}
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	found := cmd.ProcessState.ExitCode() == 1 && strings.HasPrefix(call, "ssh-gate ") && slices.Contains(finding, strings.Fields(call)[1])
	if err != nil && !found || strings.Contains(errs.String(), "error:") {
		t.Errorf("%s: %v\n%s", shown, err, errs.String())
	}
	if _, file, ok := strings.Cut(call, " > "); ok {
		out, err = os.ReadFile(filepath.Join(dir, file))
		check(t, err)
		if _, faults := policy.Parse("deploy", file, out); faults != nil {
			t.Errorf("%s:\n%s", shown, faults.Render())
		}
	}
	if len(out) == 0 && !strings.HasPrefix(call, "chsh ") {
		t.Errorf("%s prints nothing\n%s", shown, errs.String())
	}
}
