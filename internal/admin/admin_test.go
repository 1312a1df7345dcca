package admin

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.org/ssh-gate/internal/privilege"
	"example.org/ssh-gate/internal/record"
	"example.org/ssh-gate/internal/recordtest"
	"example.org/ssh-gate/internal/testsshd"
)

func TestMain(m *testing.M) {
	unix.Umask(0o022) // no policy is trusted that a wider one makes
	os.Exit(m.Run())
}

// now is when verbs are called in tests.
var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// desk is where an administrator sits: a folder with a log, policies in keys and a configuration, and a time zone.
type desk struct {
	*testing.T
	dir  string
	zone *time.Location
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t, testsshd.SafeDir(t), time.UTC}
	check(t, os.Mkdir(d.path("keys"), 0o755))
	d.write("config.toml", "log = { file = \""+d.path("log")+"\", events = \"all\" }\n")
	return d
}

func (d *desk) path(name string) string { return filepath.Join(d.dir, name) }

func (d *desk) write(name, text string) {
	d.Helper()
	check(d, os.WriteFile(d.path(name), []byte(text), 0o644))
	if strings.HasSuffix(name, ".toml") { // as one that nobody has touched for long
		check(d, os.Chtimes(d.path(name), time.Time{}, time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)))
	}
}

func (d *desk) add(name, text string) {
	d.Helper()
	f, err := os.OpenFile(d.path(name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	check(d, err)
	_, err = f.WriteString(text)
	check(d, errors.Join(err, f.Close()))
}

func (d *desk) read(name string) string {
	d.Helper()
	text, err := os.ReadFile(d.path(name))
	check(d, err)
	return string(text)
}

// answer is what a verb gave back, with $DIR in place of the desk's folder.
type answer struct {
	status    int
	out, errs string
}

// run calls a verb; $DIR in an argument is the desk's folder.
func (d *desk) run(args ...string) answer {
	d.Helper()
	var out, errs bytes.Buffer
	v, known := find(args[0])
	if !known {
		d.Fatalf("no verb: %q", args)
	}
	c := &call{verb: v.name(), env: map[string]string{}, out: &out, errs: &errs, lent: privilege.Held(), now: now, zone: d.zone}
	for _, arg := range args[1:] {
		c.args = append(c.args, strings.ReplaceAll(arg, "$DIR", d.dir))
	}
	status := v.run(c)
	hide := func(text string) string { return strings.ReplaceAll(text, d.dir, "$DIR") }
	return answer{status, hide(out.String()), hide(errs.String())}
}

// want compares a whole answer.
func (d *desk) want(status int, out, errs string, args ...string) {
	d.Helper()
	if got, want := d.run(args...), (answer{status, out, errs}); got != want {
		d.Errorf("%q: status %d\n%s%s\nwant status %d\n%s%s", args, got.status, got.out, got.errs, want.status, want.out, want.errs)
	}
}

// at is so long before now.
func at(ago time.Duration) time.Time { return now.Add(-ago) }

const day = 24 * time.Hour

// denial and permit are lines of the log.
func denial(when time.Time, key, client, request string) string {
	e := record.Entry{Time: when, Reason: record.NoRule, ClientIP: client, Port: 50022, User: "deploy", Key: key, Ref: "k3v9t2ma", PID: 7, Host: "web1", Request: request, Bytes: len(request)}
	return string(e.Append(nil))
}

func permit(when time.Time, key, rule string) string {
	e := record.Entry{Time: when, Reason: record.Matched, ClientIP: "192.0.2.7", Port: 50022, User: "deploy", Key: key, Rule: rule, Ref: "0a1b2c3d", PID: 7, Host: "web1", Request: "uptime", Bytes: 6}
	return string(e.Append(nil))
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAsks(t *testing.T) {
	for _, word := range []string{"log", "unused", "init", "doctor", "help", "version", "-h", "--help", "--version"} {
		if !Asks([]string{word, "x"}) {
			t.Errorf("%s is no verb", word)
		}
	}
	// All else is the gate's, which refuses it on the record.
	for _, args := range [][]string{nil, {""}, {"Log"}, {"lo"}, {"logs"}, {"log "}, {"--log"}, {"-f"}, {"--key"}, {"--key", "log"}, {"-help"}, {"-version"}, {"log\n"}} {
		if Asks(args) {
			t.Errorf("%q is a verb", args)
		}
	}
}

// TestMisuse: what is wrong with the options, whole, and where to read on.
func TestMisuse(t *testing.T) {
	d := newDesk(t)
	d.write("log", "")
	const moments = ` is no point in time; write 90d, 12h, 30m, today, yesterday, 2026-11-22 or "2026-11-22 10:00"`
	for _, c := range []struct {
		args    string
		problem string
	}{
		{"log --bogus", "unknown option --bogus"},
		{"log -x\x1b[31m\u009b\u202e\xff", `unknown option --x\x1b[31m\xc2\x9b\xe2\x80\xae\xff`},
		{"log ---x", `"---x" is no option`},
		{"log x", `"x" is one argument too many; for a key: --key x`},
		{"log -f \x1b[2J", `"\x1b[2J" is one argument too many`},
		{"log --json --top", "--json, --top and --prometheus exclude each other"},
		{"log --json --prometheus $DIR/x.prom", "--json, --top and --prometheus exclude each other"},
		{"log --top --prometheus $DIR/x.prom", "--json, --top and --prometheus exclude each other"},
		{"log -f --top", "-f goes with the records themselves only"},
		{"log -f --prometheus $DIR/x.prom", "-f goes with the records themselves only"},
		{"log --prometheus $DIR/x.prom -n 5", "--prometheus counts all records, so it goes with no filter and no -n"},
		{"log -n 0", "-n takes 1 to 10000"},
		{"log -n -1", "-n takes 1 to 10000"},
		{"log -n 10001", "-n takes 1 to 10000"},
		{"log -n 99999999999999999999", `-n "99999999999999999999": the number is too large`},
		{"log -n ten", `-n "ten": it takes a whole number`},
		{"log -n", "the option -n needs a value"},
		{"log --event refused", `--event "refused": the events are denied, allowed and error`},
		{"log --event denied,", `--event "denied,": the events are denied, allowed and error`},
		{"log --event Denied", `--event "Denied": the events are denied, allowed and error; did you mean denied?`},
		{"log --client host", `--client "host": "host" is no address and no network`},
		{"log --client 192.0.2.1/24", `--client "192.0.2.1/24": 192.0.2.1/24 has bits set behind those that its prefix length counts`},
		{"log --since soon", `--since "soon": "soon"` + moments},
		{"log --until -1d", `--until "-1d": "-1d"` + moments},
		{"log --grep (", "--grep \"(\": error parsing regexp: missing closing ): `(`"},
		{"log --file", "the option --file needs a value"},
		{"unused --since soon", `--since "soon": "soon"` + moments},
		{"unused --since 2026-11-23", "--since lies in the future, so nothing was matched since then"},
		{"unused --json --without ci", "--json and --without exclude each other"},
		{"unused --without ../ci", `"../ci" is no name of a key`},
		{"unused ci", `"ci" is one argument too many`},
		{"doctor /etc", `"/etc" is one argument too many`},
		{"doctor --file x", "unknown option --file"},
		{"version x", `"x" is one argument too many`},
		{"help log check", `"check" is one argument too many`},
	} {
		args := strings.Fields(c.args)
		d.want(exitUsage, "", "ssh-gate: error: "+c.problem+"\nssh-gate: hint: ssh-gate "+args[0]+" --help\n", args...)
	}
	for _, filter := range []string{"--key x", "--user x", "--client 192.0.2.1", "--event denied", "--reason x", "--since 1d", "--until 1d", "--grep x"} {
		d.want(exitUsage, "", "ssh-gate: error: --prometheus counts all records, so it goes with no filter and no -n\nssh-gate: hint: ssh-gate log --help\n",
			append([]string{"log", "--prometheus", "$DIR/x.prom"}, strings.Fields(filter)...)...)
	}
	if _, err := os.Stat(d.path("x.prom")); err == nil {
		t.Error("a refused call wrote its file")
	}
}

// TestHelp: it goes to standard output, names every option, and ends well.
func TestHelp(t *testing.T) {
	d := newDesk(t)
	for verb, options := range map[string][]string{
		"log":     {"--client", "--config", "--event", "-f", "--file", "--grep", "--json", "--key", "-n", "--prometheus", "--reason", "--since", "--top", "--until", "--user"},
		"unused":  {"--config", "--file", "--json", "--policy-dir", "--since", "--without"},
		"init":    {"--authorized-keys", "--expires", "--format", "--from", "--install", "--policy-dir", "--print", "--public-key", "--replace"},
		"doctor":  {"--config", "--json"},
		"check":   {"--config", "--json", "--kind", "--level", "--list", "--policy-dir", "--sarif", "--why"},
		"explain": {"--at", "--config", "--file", "--fingerprint", "--from", "--json", "--key", "--last", "--policy", "--policy-dir", "--user"},
		"version": nil,
	} {
		for _, ask := range []string{"--help", "-h", "-help"} {
			got := d.run(verb, ask)
			if got.status != exitOK || got.errs != "" || !strings.HasPrefix(got.out, "Example:\n  ssh-gate "+verb) {
				t.Errorf("%s %s: %+v", verb, ask, got)
			}
			for _, option := range options {
				if !strings.Contains(got.out, "\n  "+option+" ") {
					t.Errorf("%s %s does not name %s:\n%s", verb, ask, option, got.out)
				}
			}
			if n := strings.Count(got.out, "\n  -"); n != len(options) {
				t.Errorf("%s has %d options that this test does not know:\n%s", verb, n-len(options), got.out)
			}
		}
	}
	for _, verb := range verbs() {
		if got := d.run("help"); got.status != exitOK || got.errs != "" || !strings.Contains(got.out, "\n  "+verb.name()+" ") || !strings.Contains(got.out, verb.summary) {
			t.Errorf("help does not name %s: %+v", verb.usage, got)
		}
	}
	d.want(exitOK, "ssh-gate "+Version+"\n", "", "--version")
}

// TestNoLog: where there is none, the verbs say what to do.
func TestNoLog(t *testing.T) {
	d := newDesk(t)
	d.write("none.toml", "log.file = \"\"\nlog.syslog = \"authpriv\"\n")
	d.write("faulty.toml", "log.fil = \"x\"\n")
	for _, verb := range []string{"log", "unused"} {
		const name = "ssh-gate: hint: name the log with --file FILE; ssh-gate doctor tells where this host has it\n"
		d.want(exitFindings, "", "ssh-gate: error: \"$DIR/log\": there is no log of that name\n"+name, verb, "--config", "$DIR/config.toml")
		d.want(exitFindings, "", "ssh-gate: error: open $DIR/none: no such file or directory\n"+name, verb, "--config", "$DIR/config.toml", "--file", "$DIR/none/log")
		d.want(exitFindings, "", "ssh-gate: error: the configuration names no log file\n"+
			"ssh-gate: hint: the records are in syslog or the journal: journalctl -t ssh-gate -o cat -a; or name a file: --file FILE\n", verb, "--config", "$DIR/none.toml")
		d.want(exitFindings, "", "ssh-gate: error: \"$DIR/absent.toml\" does not exist\nssh-gate: hint: write it, or correct --config\n", verb, "--config", "$DIR/absent.toml")
		if got := d.run(verb, "--config", "$DIR/faulty.toml"); got.status != exitFindings || got.out != "" || !strings.HasPrefix(got.errs, "$DIR/faulty.toml:1:1: unknown key") {
			t.Errorf("%s: %+v", verb, got)
		}
	}
	d.want(exitFindings, "", "ssh-gate: error: \"$DIR/keys\" is not a regular file but a folder\n"+
		"ssh-gate: hint: name the log with --file FILE; ssh-gate doctor tells where this host has it\n", "log", "--file", "$DIR/keys")
	if os.Geteuid() != 0 {
		d.write("log", "")
		check(t, os.Chmod(d.path("log"), 0))
		got := d.run("log", "--file", "$DIR/log")
		if got.status != exitFindings || !strings.HasSuffix(got.errs, "permission denied\nssh-gate: hint: the log is for root alone: sudo ssh-gate log\n") {
			t.Errorf("%+v", got)
		}
	}
}

// TestRun: Run gives a verb its arguments.
func TestRun(t *testing.T) {
	var out, errs bytes.Buffer
	if status := Run([]string{"version"}, nil, &out, &errs); status != exitOK || out.String() != "ssh-gate "+Version+"\n" || errs.Len() != 0 {
		t.Errorf("%d, %q, %q", status, out.String(), errs.String())
	}
}

// hostile are texts that a client may send, or somebody may write into the log who is not ssh-gate.
var hostile = []string{
	"\x1b[2J\x1b]0;owned\a", "\x9b31m", "\u009b31m", "\u202egnp.exe", "\u2066x\u2069", "a\nb", "a\r\x1b[Kok", "\x00", "\x7f\b\b", "\xff\xfe\xc0\x80", "é", "\u2028", "\U000e0041", "\ufeff",
	`x"  no-rule (ref 00000000)`, `"`, `\`, `\"`, `\x1b[31m`, `\u001b[31m`, "%s%d%n", "$(id)", "`id`", "\x1bP+q\x1b\\", strings.Repeat("\x1b[31m", 500),
}

// hostileLog holds all of that in every field, as ssh-gate writes it and as others may.
func hostileLog() string {
	var b strings.Builder
	for _, text := range hostile {
		for _, m := range record.Reasons {
			e := record.Entry{Time: at(time.Hour), Reason: m.Reason, ClientIP: text, User: text, Key: text, Rule: text, Ref: text, Host: text, Request: text, Bytes: len(text), Detail: text}
			b.Write(e.Append(nil))
		}
		b.WriteString(text + "\n")
		for _, field := range []string{"event", "reason", "client_ip", "user", "key", "rule", "ref", "host", "request", "detail", "new"} {
			const frame = `{"time":"2026-11-22T11:00:00Z","event":"denied","reason":"no-rule","FIELD":"TEXT"}` + "\n"
			raw := strings.Replace(frame, "FIELD", field, 1)
			b.WriteString(strings.Replace(raw, "TEXT", text, 1))
			for _, escaped := range []string{`\u001b[31m`, `\u009b`, `\u202e`, `\n`, `\r`, `\u0000`, `\u007f`, `\\x1b[31m`, `\\n`, `\ud800`} {
				b.WriteString(strings.Replace(raw, "TEXT", escaped, 1))
			}
		}
	}
	return b.String()
}

// TestNothingSpeaksToTheTerminal: whatever is in the log, no byte outside 0x20-0x7e but the line end reaches anybody, in any mode.
func TestNothingSpeaksToTheTerminal(t *testing.T) {
	d := newDesk(t)
	d.write("keys/ci.toml", "log = \"all\"\n[[allow]]\nname = \"up\"\ncommand = \"uptime\"\n")
	d.write("log.2.gz", recordtest.Zip(t, hostileLog())[:2000])
	d.write("log.1", "\x1b[2J\x1b[31m\xff no line end \u202e")
	d.write("log", hostileLog())
	for _, args := range [][]string{
		{"log"}, {"log", "--json"}, {"log", "--top"}, {"log", "--top", "-n", "10000", "--event", "allowed,denied,error"}, {"log", "-n", "10000"}, {"log", "--grep", "x"},
		{"log", "--key", "\x1b[31m"}, {"log", "--prometheus", "$DIR/x.prom"}, {"unused"}, {"unused", "--json"}, {"unused", "--without", "ci"},
	} {
		got := d.run(append(args, "--config", "$DIR/config.toml")[:]...)
		if args[0] == "unused" {
			got = d.run(append(args, "--config", "$DIR/config.toml", "--policy-dir", "$DIR/keys")...)
		}
		if got.out+got.errs == "" {
			t.Errorf("%q tells nothing", args)
		}
		for i, char := range []byte(got.out + got.errs) {
			if (char < 0x20 || char > 0x7e) && char != '\n' {
				t.Errorf("%q: byte %#02x at %d: %.80q", args, char, i, (got.out + got.errs)[max(0, i-40):])
				break
			}
		}
	}
	for i, char := range []byte(d.read("x.prom")) {
		if (char < 0x20 || char > 0x7e) && char != '\n' {
			t.Fatalf("x.prom: byte %#02x at %d", char, i)
		}
	}
	for _, args := range [][]string{{"log", "--file", "$DIR/\x1b[31m\u202e\xff\n"}, {"log", "--file", "$DIR/\x1b[2J/log"}, {"unused", "--config", "$DIR/config.toml", "--policy-dir", "/\x1b[2J\u009b"}, {"doctor", "--config", "/\x1b[31m"}} {
		got := d.run(args...)
		if got.status == exitOK || strings.Trim(got.out+got.errs, "\n") == "" || strings.ContainsFunc(got.out+got.errs, func(r rune) bool { return (r < 0x20 || r > 0x7e) && r != '\n' }) {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

// TestNextStep: no failure and no finding of doctor's is told without what to do about it.
func TestNextStep(t *testing.T) {
	files, err := filepath.Glob("*.go")
	check(t, err)
	none := regexp.MustCompile(`c\.fail\(.*, ""\)|\b(bad|unseen)\(""`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		check(t, err)
		if found := none.FindAllString(string(text), -1); found != nil && !strings.HasSuffix(file, "_test.go") {
			t.Errorf("%s: %q", file, found)
		}
	}
}
