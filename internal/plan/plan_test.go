package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"example.org/ssh-gate/internal/confine"
	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/record"
	"example.org/ssh-gate/internal/session"
)

// settings are those of a policy's one rule.
func settings(t *testing.T, text string) *policy.Settings {
	t.Helper()
	p, faults := policy.Parse("k", "k.toml", []byte(text+"\n[[allow]]\ncommand = \"/bin/x\"\n"))
	if faults != nil {
		t.Fatal(faults.Render())
	}
	return &p.Rules[0].Settings
}

func login(t *testing.T, env ...string) *session.Session {
	t.Helper()
	s, err := session.New(env, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.Account = session.Account{Name: "deploy", Home: "/home/deploy", Shell: "/bin/sh"}
	return s
}

var path = []string{"/a", "/b"}

const fixed = "HOME=/home/deploy USER=deploy LOGNAME=deploy SHELL=/bin/sh PATH=/a:/b"

// TestEnvironment: it is built from nothing, in one order, each name once; the rule has the last word, and the client none but by name.
func TestEnvironment(t *testing.T) {
	for _, c := range []struct {
		policy string
		client []string
		want   string
	}{
		{"", nil, fixed},
		{"", []string{"LD_PRELOAD=/x", "BASH_ENV=/x", "FOO=1", "PATH=/evil", "HOME=/evil", "SSH_AUTH_SOCK=/x", "SSH_ORIGINAL_COMMAND=x", "SSH_USER_AUTH=/x", "MAIL=/x"}, fixed},
		{"", []string{"LANG=C.UTF-8", "LC_ALL=de_DE@euro", "LC_X=a/b", "LC_Y=$(id)", "LC_Z=..", "LANGUAGE=de"}, fixed + " LANG=C.UTF-8 LC_ALL=de_DE@euro"},
		{"", []string{"SSH_CONNECTION=192.0.2.7 1 192.0.2.1 22", "SSH_CLIENT=192.0.2.7 1 22"}, fixed + " SSH_CONNECTION=192.0.2.7 1 192.0.2.1 22 SSH_CLIENT=192.0.2.7 1 22"},
		{"", []string{"SSH_CONNECTION=x", "SSH_CLIENT=\x1b", "TERM=xterm"}, fixed},
		{"", []string{"SSH_TTY=/dev/pts/0", "TERM=xterm"}, fixed + " TERM=xterm SSH_TTY=/dev/pts/0"},
		{"", []string{"SSH_TTY=/dev/../x", "TERM=xterm"}, fixed},
		{`pass_env = ["GIT_PROTOCOL"]`, []string{"GIT_PROTOCOL=version=2", "GIT_X=1"}, fixed + " GIT_PROTOCOL=version=2"},
		{`pass_env = ["GIT_PROTOCOL"]`, nil, fixed},
		{`pass_env = ["X"]`, []string{"X=a\nb"}, fixed},
		{`pass_env = ["X"]`, []string{"X=" + strings.Repeat("a", maxPassed+1)}, fixed},
		{`pass_env = ["X"]`, []string{"X=" + strings.Repeat("a", maxPassed)}, fixed + " X=" + strings.Repeat("a", maxPassed)},
		{`pass_env = ["X"]`, []string{"X=", "X=2"}, fixed + " X="},
		{`env = { A = "1", HOME = "/srv", LANG = "C" }`, []string{"A=9", "LANG=de"}, "HOME=/srv USER=deploy LOGNAME=deploy SHELL=/bin/sh PATH=/a:/b LANG=C A=1"},
		{"pass_env = [\"A\"]\nenv = { A = \"mine\" }", []string{"A=yours"}, fixed + " A=mine"},
	} {
		order := &Order{Settings: settings(t, c.policy), Program: "/bin/x", Argv: []string{"x"}}
		got := New(order, login(t, c.client...), path).Env
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s with %.100q:\ngot  %.400q\nwant %.400q", c.policy, c.client, got, c.want)
		}
		names := map[string]bool{}
		for _, kv := range got {
			name, _, _ := strings.Cut(kv, "=")
			if names[name] {
				t.Errorf("%s stands twice in %q", name, got)
			}
			names[name] = true
		}
	}
}

// TestDomain: what a rule confines to, with the values of the request and what each may be used for.
func TestDomain(t *testing.T) {
	values := []policy.Place{{Path: "/srv/a", Root: "/srv", Below: "a", Access: policy.Write}, {Path: "/var/b", Root: "/var", Below: "b", Access: policy.Read}}
	order := &Order{Settings: settings(t, ""), Program: "/bin/x", Argv: []string{"x"}, Places: values}
	if p := New(order, login(t), path); p.Domain != nil {
		t.Errorf("a rule without confine has %+v", p.Domain)
	}
	order.Settings = settings(t, "confine = { read = [\"/r\"], write = [\"/w\"], network = false, fallback = \"allow\" }")
	got := New(order, login(t), path).Domain
	want := &confine.Domain{Read: []string{"/r"}, Write: []string{"/w"}, NoNetwork: true, Program: "/bin/x", BestEffort: true,
		Values: []confine.Value{{Path: "/srv/a", Root: "/srv", Below: "a", Write: true}, {Path: "/var/b", Root: "/var", Below: "b"}}}
	if fmt.Sprintf("%+v", *got) != fmt.Sprintf("%+v", *want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if strict := New(&Order{Settings: settings(t, "confine = { read = [\"/r\"] }"), Program: "/bin/x"}, login(t), path).Domain; strict.BestEffort || strict.NoNetwork {
		t.Errorf("%+v", strict)
	}
}

// TestPlan carries the rest of the settings as they are.
func TestPlan(t *testing.T) {
	order := &Order{Settings: settings(t, "cwd = \"/srv\"\numask = \"027\"\nstdin = \"none\"\nprivileges = \"keep\"\nlimits = { files = 7 }"), Program: "/bin/x", Argv: []string{"as requested", "a"}}
	p := New(order, login(t), path)
	if p.Path != "/bin/x" || !slices.Equal(p.Argv, order.Argv) || p.Dir != "/srv" || p.Umask == nil || *p.Umask != 0o027 || !p.StdinNone || !p.Keep || p.Limits != &order.Settings.Limits {
		t.Errorf("%+v", p)
	}
	order.Settings = settings(t, "")
	if p := New(order, login(t), path); p.Dir != "" || p.Umask != nil || p.StdinNone || p.Keep {
		t.Errorf("%+v", p)
	}
}

func TestConfineReason(t *testing.T) {
	if got := ConfineReason(fmt.Errorf("x: %w", &confine.UnsupportedError{})); got != record.ConfineUnsupported {
		t.Error(got)
	}
	if got := ConfineReason(fmt.Errorf("x")); got != record.ConfineFailed {
		t.Error(got)
	}
}
