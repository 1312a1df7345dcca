package suggest

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.org/ssh-gate/internal/argv"
	"example.org/ssh-gate/internal/decide"
	"example.org/ssh-gate/internal/lint"
	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/record"
)

var update = flag.Bool("update", false, "write testdata/*.golden anew")

// TestGolden: requests as the log spells them, one a line, and what is suggested for them, exactly.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no requests: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			requests := read(t, file)
			answer := suggestFor(requests...)
			judge(t, requests, answer)
			golden := strings.TrimSuffix(file, "txt") + "golden"
			if *update {
				if err := os.WriteFile(golden, []byte(answer.Text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if answer.Text != string(want) {
				t.Errorf("differs from %s; if that is meant, go test ./internal/suggest -update\n%s", golden, answer.Text)
			}
		})
	}
}

func read(t testing.TB, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var requests []string
	for line := range strings.Lines(string(text)) {
		request, ok := record.Unescape(strings.TrimSuffix(line, "\n"))
		if !ok {
			t.Fatalf("%s: not escaped as in a log: %s", file, line)
		}
		requests = append(requests, request)
	}
	return requests
}

func suggestFor(requests ...string) Answer {
	var r Requests
	for _, text := range requests {
		r.Add(text)
	}
	return r.Rules()
}

func parse(t testing.TB, text string) *policy.Policy {
	t.Helper()
	p, faults := policy.Parse("suggested", "suggested.toml", []byte(text))
	if faults != nil {
		t.Fatalf("%s\n%s", faults.Render(), text)
	}
	return p
}

func allows(p *policy.Policy, request string) bool {
	return decide.Decide(decide.Input{Policy: p, Files: everywhere{}, Request: request}).Allowed
}

// judge holds what every answer has, whatever the requests: it is printable, it parses, it allows each request that a rule can allow and
// none that has a word of another sort, and its drafts, once their # are taken away, do what they say.
func judge(t testing.TB, requests []string, answer Answer) {
	t.Helper()
	for i, c := range []byte(answer.Text) {
		if (c < 0x20 || c > 0x7e) && c != '\n' {
			t.Fatalf("byte %#02x at %d", c, i)
		}
	}
	p := parse(t, answer.Text)
	if len(p.Rules) != answer.Rules {
		t.Errorf("%d rules, and %d told of", len(p.Rules), answer.Rules)
	}
	judgeOpenings(t, p, answer)
	with := parse(t, undraft(answer.Text))
	if len(with.Rules) != answer.Rules+answer.Drafts {
		t.Errorf("%d rules with the drafts, and %d told of", len(with.Rules), answer.Rules+answer.Drafts)
	}
	if answer.Left > 0 {
		return
	}
	for _, request := range requests {
		words, problem := argv.Split(request)
		plain := problem == nil && len(words) > 0
		switch {
		case !plain && allows(p, request), plain && ruleFits(words) && !allows(p, request):
			t.Errorf("%.200q: allowed is %t\n%s", request, allows(p, request), answer.Text)
		case problem == nil && !plain, problem != nil && problem.Kind == argv.NeedsShell && writable(request):
			if !allows(with, request) {
				t.Errorf("%.200q: no draft is for it\n%s", request, answer.Text)
			}
		}
		if plain {
			judgeStrangers(t, p, requests, words)
		}
	}
}

// judgeOpenings: what check would warn of stands in no rule for which something was guessed, and none that would run as it is opens a shell.
func judgeOpenings(t testing.TB, p *policy.Policy, answer Answer) {
	t.Helper()
	for _, f := range lint.Policy(p, answer.Text, hostless{}, time.Time{}) {
		i := slices.IndexFunc(p.Rules, func(r policy.Rule) bool { return r.Label() == f.Rule })
		if i < 0 || p.Rules[i].Run != nil {
			continue
		}
		guessed := slices.ContainsFunc(p.Rules[i].Patterns, func(pattern policy.Pattern) bool {
			return slices.ContainsFunc(pattern.Elements, func(e policy.Element) bool { _, literal := e.Literal(); return !literal })
		})
		switch id := f.Kind.ID; {
		case id == "opens-shell", guessed && slices.Contains([]string{"runs-programs", "reads-anywhere", "writes-anywhere", "opens-shell-confined"}, id):
			t.Fatalf("%s: %s: %s\n%s", f.Rule, id, f.Message, answer.Text)
		}
	}
}

// hostless is a host with every program and path, for check.
type hostless struct{ everywhere }

func (hostless) Program(string) error        { return nil }
func (hostless) Script(string) error         { return nil }
func (hostless) Exists(string) (bool, error) { return true, nil }
func (hostless) Astray(string) error         { return nil }
func (hostless) Account(string) bool         { return true }
func (hostless) Homes() []string             { return nil }
func (hostless) LandlockABI() int            { return 9 }

// TestNoWordIsGuessed: of programs that run others, or read or write what an argument names, nothing is guessed; of their like it is.
func TestNoWordIsGuessed(t *testing.T) {
	for _, c := range []struct {
		format  string
		guessed bool
	}{
		{"chpst -u app %s", false}, {"chpst %s", false}, {"java -jar /opt/%s", false}, {"expect /opt/%s", false}, {"/lib64/ld-linux-x86-64.so.2 /opt/%s", false},
		{"npm run %s", false}, {"yarn %s", false}, {"bundle exec %s", false}, {"softlimit -m 5 %s", false}, {"torsocks %s", false}, {"xargs %s", false},
		{"tar %s x.tar", false}, {"rake %s", false}, {"awk %s", false}, {"curl %s", true}, {"curl -o /srv/a/%s http://x/", true}, {"run-parts /srv/%s", false},
		{"docker %s", false}, {"rpm -i /srv/a/%s", false}, {"gtar %s a", false}, {"insmod /srv/a/%s", false}, {"sort --compress-program=%s /srv/a", false}, {"split --filter=%s /srv/a", false}, {"curl --engine %s http://x/", false}, {"sort --key=%s /srv/a", true}, {"systemd-run %s", false}, {"python3.11 /opt/%s", false},
		{"cat /srv/a/%s", true}, {"npmrun %s", true}, {"systemctl restart %s", true}, {"wc -l /srv/%s", true}, {"apt-cache show %s", true}, {"zfs snapshot tank@%s", true},
	} {
		var requests []string
		for _, word := range []string{"aa", "bcb", "cd", "de", "ef", "fga", "gh", "hi", "ij", "kl"} {
			requests = append(requests, fmt.Sprintf(c.format, word))
		}
		answer := suggestFor(requests...)
		judge(t, requests, answer)
		if got := strings.Contains(answer.Text, "{ chars = ") || strings.Contains(answer.Text, "{ path = "); got != c.guessed {
			t.Errorf("%s: guessed is %t\n%s", c.format, got, answer.Text)
		}
	}
}

// undraft takes away the # that people are told to take away.
func undraft(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "# ") {
			line = line[1:]
		}
		b.WriteString(line)
	}
	return b.String()
}

// ruleFits says whether a policy surely can have the words as they are.
func ruleFits(words []string) bool { return len(words) <= 256 && len(argv.Quote(words)) < 4<<10 }

// judgeStrangers puts a word that was not seen in the place of each word, and between them.
func judgeStrangers(t testing.TB, p *policy.Policy, requests []string, words []string) {
	t.Helper()
	const other = "\u2604"
	if slices.ContainsFunc(requests, func(r string) bool { return strings.Contains(r, other) }) {
		return
	}
	for i := range words[:min(len(words), 40)] {
		changed := slices.Clone(words)
		changed[i] = other
		more := slices.Insert(slices.Clone(words), i, other)
		for _, w := range [][]string{changed, more, append(slices.Clone(words), other)} {
			if request := argv.Quote(w); allows(p, request) {
				t.Fatalf("allows %.200q", request)
			}
		}
	}
}

// TestGuesses: what is let through beside what was seen, and what is not.
func TestGuesses(t *testing.T) {
	many := func(format string, n int) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprintf(format, string(rune('a'+i%26))+string(rune('z'-i*7%26))))
		}
		return all
	}
	for _, c := range []struct {
		seen     []string
		yes, not []string
	}{
		{[]string{"uptime"}, nil, []string{"uptime -p", "id", "/bin/uptime"}},
		{[]string{"tail -n 50 /var/log/a"}, nil, []string{"tail -n 51 /var/log/a", "tail -n 50 /var/log/b"}},
		{[]string{"sleep 5", "sleep 10"}, []string{"sleep 7"}, []string{"sleep 4", "sleep 11", "sleep 07", "sleep -5", "sleep 5s"}},
		{[]string{"kill -9", "kill -15"}, []string{"kill -9"}, []string{"kill -10", "kill 9", "kill -1"}},
		{[]string{"nice-one -1", "nice-one -2"}, nil, []string{"nice-one -3", "nice-one 1"}},
		{[]string{"systemctl restart a", "systemctl restart b"}, nil, []string{"systemctl restart c", "systemctl stop a"}},
		{[]string{"systemctl restart a", "systemctl stop b"}, nil, []string{"systemctl restart b", "systemctl stop a"}},
		{[]string{"rsync --server . /srv/a/b", "rsync --server --sender . /srv/a/c"}, nil, []string{"rsync --server --sender . /srv/a/b", "rsync --server . /srv/a/c"}},
		{[]string{"scp -t /srv/a/b", "scp -f /srv/a/c"}, nil, []string{"scp -f /srv/a/b", "scp -t /srv/a/c"}},
		{[]string{"scp -t /srv/a/b", "scp -r -t /srv/a/c"}, []string{"scp -r -t /srv/a/x"}, []string{"scp -r /srv/a/b", "scp /srv/a/b", "scp -r -f /srv/a/b", "scp -r -r -t /srv/a/b", "scp -t /srv/a"}},
		{[]string{"cat /srv/a/b", "cat /srv/a/c/d"}, []string{"cat /srv/a/x"}, []string{"cat /srv/a", "cat /srv/ab", "cat /srv/a/../b", "cat /srv/a/b /srv/a/c"}},
		{[]string{"cat /srv/a", "cat /srv/a/c/d"}, []string{"cat /srv/a"}, []string{"cat /srv"}},
		{[]string{"cat /etc/hosts", "cat /etc/motd"}, nil, []string{"cat /etc/shadow", "cat /etc"}},
		{[]string{"cat /etc/hosts", "cat /srv/a"}, nil, []string{"cat /etc/shadow", "cat /srv/b"}},
		{[]string{"cat /srv/a/b", "cat /srv/a/c /srv/a/d"}, []string{"cat /srv/a/x /srv/a/y /srv/a/z"}, []string{"cat", "cat -n /srv/a/b", "cat /srv/b"}},
		{[]string{"deploy v1.2.3", "deploy v1.10.0"}, []string{"deploy v9.9.9"}, []string{"deploy v1.2", "deploy 1.2.3", "deploy v1.2.3-rc1", "deploy v1.2.3.4", "deploy -v1.2.3"}},
		{[]string{"log --since=2026-01-01", "log --since=2026-01-02"}, []string{"log --since=2025-12-31"}, []string{"log --since=now", "log --until=2026-01-01", "log 2026-01-01"}},
		{[]string{"log --n=5", "log --n=9"}, []string{"log --n=7"}, []string{"log --n=10", "log --n=", "log --n"}},
		{[]string{"log --n=-5", "log --n=-9"}, nil, []string{"log --n=-7"}},
		{[]string{"log --a=1", "log --b=2"}, nil, []string{"log --a=2", "log --b=1"}},
		{[]string{"fetch 9fceb02", "fetch 3b18e5a"}, []string{"fetch 0123abc"}, []string{"fetch 0123abcd", "fetch 0123abC", "fetch HEAD"}},
		{[]string{"job app-1", "job app-12"}, []string{"job app-5"}, []string{"job app-13", "job app-05", "job ap-1"}},
		{[]string{"conn a:80", "conn b:90"}, []string{"conn b:85"}, []string{"conn c:80", "conn a:79", "conn a"}},
		{many("user %s", 9), []string{"user zz"}, []string{"user z", "user zzz", "user A0", "user -a", "user a/", "user .."}},
		{many("user x-%s", 9), []string{"user x-zz"}, []string{"user y-zz", "user x-z", "user zz"}},
		{many("user dir/%s/x.y", 9), []string{"user dir/ab/x.y"}, []string{"user /etc/passwd", "user dir/abc/x.y", "user dir/../x.y"}},
		{many("user %s/x", 9), []string{"user zz/x"}, []string{"user /e/x", "user //x"}},
		{many("user %s/%[1]s", 9), nil, []string{"user zz/zz", "user /etc/"}},
		{many("user of=%s/%[1]s", 9), nil, []string{"user of=/zzzz"}},
		{[]string{"ping 10.0.0.1", "ping 10.0.0.20"}, []string{"ping 10.0.0.9"}, []string{"ping 10.0.1.9", "ping 10.0.0.21"}},
		{[]string{"get 1.2.3.4", "get 5.6.7.8"}, nil, []string{"get 1.2.3.5"}},
		{many("user -%s", 20), nil, []string{"user -zz", "user zz"}},
		{many("user .%s", 8), nil, []string{"user .zz", "user .."}},
		{[]string{"ls /srv/a/b", "ls -l /srv/a/c"}, []string{"ls -l /srv/a/b"}, []string{"ls -a /srv/a/b", "ls -l -l /srv/a/b", "ls /srv/a/b -l", "ls -l"}},
		{[]string{"p web up", "p -v web up", "p db down", "p -v db down"}, nil, []string{"p web down", "p -v db up"}},
		{[]string{"p x", "p -v -v x"}, []string{"p -v x"}, []string{"p -v -v -v x"}},
		{[]string{"say '{x}' 'a{b' '}' '{{' '{n}'"}, nil, []string{"say x ab '' '{' n", "say '{{x}}' 'a{b' '}' '{{' '{n}'"}},
		{[]string{"say 'a{1'\\''}'", "say 'a{2'\\''}'"}, []string{"say 'a{1'\\''}'"}, []string{"say 'a{3'\\''}'"}},
		{[]string{"say \x1b" + strings.Repeat("\n[[allow]]\n", 20), "say '" + strings.Repeat("\u00e9\u202e", 60) + "'", "say 'b'", "a;" + strings.Repeat("\n\u202e", 80)}, nil, nil},
		{[]string{"apt-get update", "apt-get -y upgrade"}, nil, []string{"apt-get upgrade", "apt-get -y update"}},
		{[]string{"sh -c id", "sh -c uptime"}, nil, []string{"sh -c w", "sh", "sh -c id uptime"}},
		{[]string{"rsync --server -slogDtpre.iLsfxCIvu", "rsync --server -svlogDtpre.iLsfxCIvu --delete"}, nil, []string{"rsync --server -slogDtpre.iLsfxCIvu --delete", "rsync --server --delete"}},
		{[]string{"x" + strings.Repeat(" y", maxWords) + " 1", "x" + strings.Repeat(" y", maxWords) + " 3"}, nil, []string{"x" + strings.Repeat(" y", maxWords) + " 2"}},
		{[]string{"sudo a b", "sudo a c"}, nil, []string{"sudo a d", "sudo sh"}},
		{[]string{"env A=1 x", "env A=2 x"}, nil, []string{"env A=3 x"}},
	} {
		answer := suggestFor(c.seen...)
		judge(t, c.seen, answer)
		p := parse(t, answer.Text)
		for _, request := range c.yes {
			if !allows(p, request) {
				t.Errorf("%q: does not allow %q\n%s", c.seen, request, answer.Text)
			}
		}
		for _, request := range c.not {
			if allows(p, request) {
				t.Errorf("%q: allows %q\n%s", c.seen, request, answer.Text)
			}
		}
	}
}

// TestOpensNothing: a request that would give more than its words say gets a rule that runs nothing until somebody has completed it.
func TestOpensNothing(t *testing.T) {
	for _, request := range []string{"sh", "bash", "/bin/bash -l", "zsh -i", "sh -s x", "sudo -i", "sudo -u root -s", "sudo bash", "sudo -u root borg serve", "sudo /usr/lib/openssh/sftp-server", "nice rsync --server -sr.", "env A=b unison -server", "hg -R a serve --stdio", "/usr/bin/cvs server", "su", "su -", "su - root", "env bash", "env A=b /bin/dash",
		"timeout 5 sh", "python3", "python3.11 -", "perl", "busybox", "exit", "cd /", "exec sh", "./x", "a/b", "/a/../b", "internal-sftp", "/usr/lib/openssh/sftp-server -l INFO",
		"borg serve", "borg --lock-wait 5 serve", "rsync --server -slogDtpre.iLsfxCIvu", "rsync --server --sender -s",
		"bash -O extglob", "bash --rcfile /etc/bashrc", "bash /dev/stdin", "sh - ", "python3 /dev/fd/0", "perl /proc/self/fd/0", "nice -n 5 sh /dev/stdin", "timeout 5 bash -o vi",
		"env -S 'bash -i'", "ssh-agent bash", "pkexec sh", "setarch x86_64 sh", "fakeroot", "unshare -r", "docker exec -i app sh", "docker compose exec app bash", "pwsh", "kubectl exec p -- sh",
		"mysql", "mysql app", "vi /srv/a", "crontab -", "sqlite3 /srv/db", "gdb", "redis-cli", "git commit", "sudo vi /etc/hosts", "java -jar /dev/stdin", "expect", "chpst -u app sh", "softlimit -m 5 bash", "ssh host",
		"scp -t .", "scp -r -t ./", "scp -t ..", "scp -t .ssh/authorized_keys", "scp -t /home/u", "scp -t /root/.bashrc", "scp -p -t a/..", "rsync --server -logDtpre.iLsfxCIvu . .", "rsync --server -r . ./.", "rsync --server -r . a/../../u",
		"rsync --server -r . /home/u/", "rsync --server -r . /home/u/.ssh", "tar xf -", "tar -xzf -", "tar -x", "tar xzf a.tgz", "tar --extract --file=-", "tar xf - -C .", "tar xzfC - /home/u", "tar -xzC/root", "tar -x --directory /etc/cron.d",
		"tar -C / -xf -", "tar -C /srv -C ../root -x", "tar xPf - -C /srv", "tar -x --absolute-names -C /srv", "cpio -idm", "tee .ssh/authorized_keys", "tee -a .bashrc", "tee /home/u/.profile", "tee x /etc/cron.d/x", "dd of=.ssh/authorized_keys", "sudo tar xf -", "sudo rsync --server -r . ."} {
		answer := suggestFor(request)
		judge(t, []string{request}, answer)
		for _, rule := range parse(t, answer.Text).Rules {
			if !strings.Contains(answer.Text, "CHANGE-ME") || rule.Run == nil && rule.Settings.Confine == nil && rule.Settings.Dir == "" {
				t.Errorf("%q would run as it is:\n%s", request, answer.Text)
			}
		}
	}
	for _, request := range []string{"uptime", "sh -c id", "python3 /opt/x.py", "python3 /opt/x.py -", "bash -O extglob /opt/x.sh", "docker exec app id", "docker start sh", "fakeroot make", "sudo id", "sudo ./x cd", "echo sh", "hg pull", "borg list", "rsync --server . /a",
		"scp -t data", "scp -t /srv/a", "scp -t /home/u/data", "scp -f .", "rsync --server -r . data/", "rsync --server --sender -r . .", "rsync --server -r . /srv/a/.b", "tar xf - -C /srv", "tar xzfC - data", "tar czf - .", "tar cPf - .", "tar -tf x.tar", "tar -cf x.tar .",
		"tar -C /home/u -xf - -C data", "tar -fx.tar -t", "tee data", "tee /srv/.x", "dd of=data", "dd if=.ssh/x", "cpio -o"} {
		if text := suggestFor(request).Text; strings.Contains(text, "CHANGE-ME") {
			t.Errorf("%q: nothing is to be changed:\n%s", request, text)
		}
	}
}

// TestHolds: a rule that is wider, narrower or other than it was meant to be is never written.
func TestHolds(t *testing.T) {
	rows := []*seen{{text: "a b c", words: []string{"a", "b", "c"}}, {text: "a d c", words: []string{"a", "d", "c"}}}
	for text, want := range map[string]bool{
		"command = 'a {x} c'\nargs.x = ['b', 'd']":                                             true,
		"command = ['a b c', 'a d c']":                                                         true,
		"command = 'a {x} c'\nargs.x = ['b']":                                                  false,
		"command = 'a {x} c'\nargs.x = { text = [0, 99] }":                                     false,
		"command = 'a {x} {y}'\nargs.x = ['b', 'd']\nargs.y = { text = [0, 99] }":              false,
		"command = ['a {x} c', 'a b c {y}']\nargs.x = ['b', 'd']\nargs.y = { text = [0, 99] }": false,
		"command = 'a {x} c'":                                                                  false,
		"command = 'a b c":                                                                     false,
	} {
		if got := holds("[[allow]]\n"+text+"\n", rows) == ""; got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}

// TestBounds: what is too much is counted, and told.
func TestBounds(t *testing.T) {
	var r Requests
	for i := range maxRequests + 7 {
		r.Add(fmt.Sprintf("p%d", i))
	}
	r.Add("p0")
	answer := r.Rules()
	judge(t, nil, answer)
	if answer.Rules != maxRules || answer.Left != maxRequests-maxRules+7 || !strings.Contains(answer.Text, fmt.Sprintf("\n# %d requests more: too many", answer.Left)) {
		t.Errorf("%d rules, %d left", answer.Rules, answer.Left)
	}
	r = Requests{}
	for i := range 100 {
		r.Add(fmt.Sprintf("p%d %s", i, strings.Repeat("x", 60<<10)))
	}
	if r.bytes > maxBytes || r.left == 0 {
		t.Errorf("%d bytes held, %d requests left", r.bytes, r.left)
	}
	r = Requests{}
	for i := range maxRules {
		r.Add(fmt.Sprintf("p%d %s", i, strings.Repeat("x", 7<<10)))
	}
	answer = r.Rules()
	judge(t, nil, answer)
	if len(answer.Text) > maxOutput+1000 || answer.Left == 0 {
		t.Errorf("%d bytes, %d left", len(answer.Text), answer.Left)
	}
}

// TestTooMuchForRules: words that no policy can have are told of, and those beside them are not lost.
func TestTooMuchForRules(t *testing.T) {
	long := []string{"p " + strings.Repeat("x", 9<<10), "r " + strings.Repeat("y", 9<<10), "p a b", "q" + strings.Repeat(" x", 300), "q" + strings.Repeat(" x", 299) + " y", strings.Repeat("z", argv.MaxRequest+1)}
	answer := suggestFor(long...)
	judge(t, long, answer)
	if n := strings.Count(answer.Text, "and no rule for it: "); n != 5 {
		t.Errorf("%d told of\n%.2000s", n, answer.Text)
	}
	if !strings.Contains(answer.Text, "longer than the 65536 bytes") {
		t.Error("nothing is said of the request that was not read")
	}
}

// TestReservedNames: a program whose name no rule may have gets a rule all the same.
func TestReservedNames(t *testing.T) {
	for _, request := range []string{"allow", "deny", "allow x", "/usr/bin/deny", "git allow", "systemctl allow x", "-allow"} {
		answer := suggestFor(request)
		judge(t, []string{request}, answer)
		if answer.Rules != 1 {
			t.Errorf("%q:\n%s", request, answer.Text)
		}
	}
}

func TestNothing(t *testing.T) {
	if answer := suggestFor(); answer.Rules+answer.Drafts+answer.Left != 0 {
		t.Errorf("%+v", answer)
	}
	if answer := suggestFor("\x1b", "\xff"); answer.Rules+answer.Drafts != 0 || strings.Count(answer.Text, "no rule for it") != 2 {
		t.Errorf("%+v", answer)
	}
}

// FuzzSuggest holds for any requests what judge says. A few short ones at a time: the fuzzer finds more by many runs than by long ones.
func FuzzSuggest(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatalf("no requests: %v", err)
	}
	for _, file := range files {
		for few := range slices.Chunk(read(f, file), 4) {
			f.Add(strings.Join(few, "\x00"))
		}
	}
	f.Add("a {x} '{{' \x00a }} '{y}'\x00a '' \"\"")
	f.Add(strings.Join([]string{"x a1", "x b", "x c", "x d", "x e", "x f", "x g", "x h", "x \u00e9-/_"}, "\x00"))
	f.Fuzz(func(t *testing.T, text string) {
		requests := strings.Split(text[:min(len(text), 1500)], "\x00")
		requests = requests[:min(len(requests), 16)]
		judge(t, requests, suggestFor(requests...))
	})
}

// TestNoFolderOfAccess: no number of requests makes a rule for all files of a folder in which lies what decides on access.
func TestNoFolderOfAccess(t *testing.T) {
	for _, folder := range []string{"/home/u", "/home/u/.ssh", "/etc/ssh-gate/keys", "/root", "/var/log/ssh-gate"} {
		var requests []string
		for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
			requests = append(requests, "tee "+folder+"/"+name)
		}
		answer := suggestFor(requests...)
		judge(t, requests, answer)
		if allows(parse(t, answer.Text), "tee "+folder+"/other") {
			t.Errorf("allows another file:\n%s", answer.Text)
		}
	}
}
