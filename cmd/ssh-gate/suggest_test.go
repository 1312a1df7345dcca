package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"example.org/ssh-gate/internal/policy"
)

// TestSuggestExamples runs each call of suggest that the manual, the README and --help show, and reads what it prints as a policy. Only
// the log is another one.
func TestSuggestExamples(t *testing.T) {
	h := newHost(t, "")
	h.write(t, "requests.txt", "uptime\nls -l /srv/a\nls -l /srv/b\n")
	for _, key := range []string{"deploy", "ci"} {
		h.write(t, "keys/"+key+".toml", "")
		cmd := exec.Command(gateProgram(), "--key", key, "--policy-dir", h.path("keys"), "--config", h.path("config.toml"))
		cmd.Env = []string{"SSH_ORIGINAL_COMMAND=uptime -p"}
		if err := cmd.Run(); err == nil {
			t.Fatal("an empty policy allows")
		}
	}
	help, err := exec.Command(gateProgram(), "suggest", "--help").Output()
	check(t, err)
	sources := map[string]string{"--help": string(help)}
	for _, file := range []string{"../../packaging/man/ssh-gate.8", "../../README.md"} {
		text, err := os.ReadFile(file)
		check(t, err)
		sources[file] = string(text)
	}
	for source, text := range sources {
		calls := 0
		for line := range strings.Lines(text) {
			line = strings.TrimPrefix(strings.TrimSpace(line), ".Dl ")
			if !strings.HasPrefix(line, "ssh-gate suggest ") || strings.HasPrefix(line, "ssh-gate suggest [") {
				continue
			}
			calls++
			if strings.Contains(line, "--key") {
				line += " --config " + h.path("config.toml")
			}
			cmd := exec.Command("/bin/sh", "-c", line)
			cmd.Dir, cmd.Env = h.dir, []string{"PATH=" + built + ":/usr/bin:/bin"}
			out, err := cmd.Output()
			if err != nil {
				t.Errorf("%s: %s: %v", source, line, err)
				continue
			}
			p, faults := policy.Parse("suggested", line, out)
			if faults != nil {
				t.Errorf("%s: %s", source, faults.Render())
			} else if len(p.Rules) == 0 {
				t.Errorf("%s: %s suggests nothing:\n%s", source, line, out)
			}
		}
		if calls < 2 {
			t.Errorf("%s shows %d calls", source, calls)
		}
	}
}
