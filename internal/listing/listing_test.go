package listing

import (
	"encoding/json"
	"strings"
	"testing"

	"example.org/ssh-gate/internal/policy"
)

const example = `
description = "secret: who this is for"
help = true
env = { TOKEN = "secret" }

[[allow]]
command = "uptime"

[[allow]]
name      = "restart"
command   = ["systemctl restart {unit}", "restart {unit}"]
args.unit = ["app.service", "worker two"]
run       = "/opt/secret/restart {unit}"

[[allow]]
command    = "tail -n {lines} {log}"
args.lines = { int = [1, 500] }
args.log   = { glob = "/var/log/app/*.log" }

[[allow]]
command      = "put --to={where}/{name} {opts*} {files+} {last?}"
args.where   = { path = "/srv/in", itself = false }
args.name    = { chars = "a-z", len = [1, 8] }
args.opts    = { options = ["-v", "--bwlimit={n}", "--why {text}"] }
args.n       = { int = [1, 9] }
args.text    = { text = [0, 20] }
args.files   = { path = "/srv" }
args.last    = { regex = 'v[0-9]+' }

[[allow]]
command = "'two words' {{"

[[allow]]
command = ""
run     = "/opt/secret/status"

[[allow]]
raw = "cd /srv && ls"
run = "/opt/secret/list"

[[allow]]
raw = "a\u001b[31m\nb"
run = "/opt/secret/list"
`

func parse(t *testing.T, text string) *policy.Policy {
	t.Helper()
	p, faults := policy.Parse("example", "example.toml", []byte(text))
	if faults != nil {
		t.Fatal(faults.Render())
	}
	return p
}

func TestText(t *testing.T) {
	const want = `This key may run:
  uptime
  systemctl restart UNIT   UNIT app.service | 'worker two'
  restart UNIT             UNIT app.service | 'worker two'
  tail -n LINES LOG        LINES 1..500, LOG /var/log/app/*.log
  put --to=WHERE/NAME [OPTS ...] FILES ... [LAST]
                           WHERE below /srv/in, NAME 1..8 bytes of a-z, OPTS -v | --bwlimit=N | --why TEXT, N 1..9, TEXT text of 0..20 bytes, FILES /srv or below, LAST matching v[0-9]+
  'two words' '{'
  (no command)
  cd /srv && ls            exactly this text
  "a\x1b[31m\nb"           exactly this text
`
	if got := Text(parse(t, example)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := Text(parse(t, "help = true")); got != "This key may run nothing.\n" {
		t.Errorf("no rules: %q", got)
	}
}

// TestNothingElse: what the policy says beside its commands is the administrator's own.
func TestNothingElse(t *testing.T) {
	p := parse(t, example)
	for _, text := range []string{Text(p), JSON(p)} {
		for _, private := range []string{"secret", "TOKEN", "/opt", "\x1b"} {
			if strings.Contains(text, private) {
				t.Errorf("the list tells %q:\n%s", private, text)
			}
		}
	}
}

// TestJSON: the commands of the list, written as a policy again with a run, read like those of the policy.
func TestJSON(t *testing.T) {
	var list struct {
		Commands []struct {
			Usage   string
			Command *string
			Raw     string
			Args    map[string]any
		}
	}
	text := JSON(parse(t, example))
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Commands) != 9 {
		t.Fatalf("%d commands:\n%s", len(list.Commands), text)
	}
	for _, c := range list.Commands {
		if (c.Command == nil) == (c.Raw == "") {
			t.Errorf("%s: neither a command nor a raw text, or both", c.Usage)
		}
		for name, value := range c.Args {
			if _, isList := value.([]any); isList {
				continue
			}
			if m, ok := value.(map[string]any); !ok || len(m) == 0 {
				t.Errorf("%s: {%s} is %v", c.Usage, name, value)
			}
		}
	}
	if got := JSON(parse(t, "")); strings.Join(strings.Fields(got), "") != `{"commands":[]}` {
		t.Errorf("no rules: %s", got)
	}
}

// TestHarmless: what a policy holds of what a terminal would obey is spelled out, and JSON gives it back.
func TestHarmless(t *testing.T) {
	p := parse(t, "[[allow]]\ncommand = \"cat 'a\u202eb' {x} {y} {z*}\"\nargs.x = [\"\\u202e\", \"é\"]\nargs.y = { path = \"/\u202e\" }\nargs.z = { options = [\"--\u202e\"] }\n")
	const want = "This key may run:\n  cat 'a\\u202eb' X Y [Z ...]   X '\\u202e' | 'é', Y /\\u202e or below, Z '--\\u202e'\n"
	if got := Text(p); got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	text := JSON(p)
	for _, c := range []byte(text) {
		if (c < 0x20 || c > 0x7e) && c != '\n' {
			t.Fatalf("byte %#02x in %q", c, text)
		}
	}
	var list struct{ Commands []struct{ Command string } }
	if err := json.Unmarshal([]byte(text), &list); err != nil || list.Commands[0].Command != "cat 'a\u202eb' {x} {y} {z*}" {
		t.Errorf("%v, %q", err, list)
	}
}
