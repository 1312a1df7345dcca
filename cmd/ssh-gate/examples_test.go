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
users   = ["root"]
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

// TestExamples runs the examples that the manual and --help show, as they stand there, on a machine where the gate is installed and a key
// was denied something. Only the reference of a record is another one.
func TestExamples(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	testhost.Install(t, gateProgram())
	testhost.AddUser(t, "deploy")
	dir := t.TempDir()
	for _, key := range []string{"ci", "deploy"} {
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

	page, err := os.ReadFile("../../packaging/man/ssh-gate.8")
	check(t, err)
	_, part, _ := strings.Cut(string(page), "\n.Sh EXAMPLES\n")
	part, _, _ = strings.Cut(part, "\n.Sh ")
	var calls []string
	for _, m := range regexp.MustCompile(`(?m)^\.Dl (.*)`).FindAllStringSubmatch(part, -1) {
		calls = append(calls, m[1])
	}
	if len(calls) < 10 {
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
	found := cmd.ProcessState.ExitCode() == 1 && slices.Contains(finding, strings.Fields(call)[1])
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
	if len(out) == 0 {
		t.Errorf("%s prints nothing\n%s", shown, errs.String())
	}
}
