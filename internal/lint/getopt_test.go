package lint

import (
	"strings"
	"testing"
)

// TestUnbundle: words as a program's getopt takes them apart; < is before what is the value of an option.
func TestUnbundle(t *testing.T) {
	for _, c := range []struct{ command, want string }{
		{"sort -uo /srv/b /srv/a", "-u -o </srv/b /srv/a"}, {"sort -uo/srv/b", "-u -o </srv/b"}, {"sort -u", "-u"}, {"sort -uo", "-u -o"}, {"sort --o -", "--o -"},
		{"sort -rn -- -uo x", "-r -n -- -uo x"}, {"sort -q!o x", "-q!o x"}, {"sort -u! x", "-u -! x"}, {"sort a -uo b", "a -u -o <b"},
		{"sort -uo {t}", "-u -o <{t}"}, {"sort -uo{t}", "-u -o <{t}"}, {"sort -uox{t}", "-u -o <x{t}"}, {"sort -u{t}", "-u -{t}"}, {"sort {t} -uo x", "{t} -u -o <x"},
		{"sed -ni.bak p", "-n -i.bak p"}, {"sed -i -e p", "-i -e <p"}, {"sed -i{t} p", "-i{t} p"},
		{"tar xzfC - /srv a", "-x -z -f <- -C </srv a"}, {"tar -xzfC - /srv", "-x -z -f <C - /srv"}, {"tar cf x -C /srv a", "-c -f <x -C </srv a"},
		{"sudo -nu app ls -la", "-n -u <app ls -la"}, {"sudo -nuapp -H ls -la", "-n -u <app -H ls -la"}, {"timeout -k5 1 ls -la", "-k <5 1 ls -la"},
		{"ssh -vl x host -4A ls -la", "-v -l <x host -4 -A ls -la"}, {"docker exec -itu x web ls -la", "exec -i -t -u <x web ls -la"},
		{"python3.11 -Ic x -la", "-I -c <x -la"}, {"no-such-program -xo y", "-xo y"},
		{"zip -qTT x a", "-q -TT <x a"}, {"zip -qTTx a", "-q -TT <x a"}, {"zip -qT a", "-q -T a"}, {"zip -qTT{t} a", "-q -TT <{t} a"}, {"zip -FSr a", "-FS -r a"}, {"zip -rs 5 a", "-r -s <5 a"},
		{"git clone -qu x a", "clone -q -u <x a"}, {"git -C -qu clone -qux", "-C -qu clone -q -u <x"}, {"git log -qu x", "log -qu x"}, {"git push -qu x a", "push -q -u x a"},
	} {
		p := parse(t, "k", "[[allow]]\ncommand = '''"+c.command+"'''\n"+map[bool]string{true: "args.t = { text = [1, 9] }\n"}[strings.Contains(c.command, "{t}")])
		elements := p.Rules[0].Patterns[0].Elements
		var slots []slot
		for _, e := range elements[1:] {
			slots = appendSlots(slots, e)
		}
		program, _ := elements[0].Literal()
		var got []string
		for _, s := range apartAs(program, slots) {
			got = append(got, map[bool]string{true: "<"}[s.value]+spelled(s))
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%s: %s, want %s", c.command, text, c.want)
		}
	}
}

func spelled(s slot) string {
	text := ""
	for _, p := range s.Parts {
		if p.Name != "" {
			text += "{" + p.Name + "}"
		}
		text += p.Text
	}
	return text
}

// TestShorts: a program stands once, and what is said of it is what getopt takes.
func TestShorts(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range shorts {
		for _, name := range strings.Fields(s.names) {
			if seen[name] {
				t.Errorf("%s stands twice", name)
			}
			seen[name] = true
		}
		letters, pairs, _ := strings.Cut(strings.TrimLeft(s.letters, "+!"), " ")
		for _, pair := range strings.Fields(pairs) {
			if len(strings.TrimSuffix(pair, ":")) != 2 || pairOf(s.letters, pair[:2]) == unknown {
				t.Errorf("%s: %q is no pair of letters", s.names, pair)
			}
		}
		if strings.ContainsAny(letters, "+! -") || strings.HasPrefix(letters, ":") || strings.Contains(letters, ":::") {
			t.Errorf("%s: %q", s.names, s.letters)
		}
		for i, c := range letters {
			if c != ':' && strings.ContainsRune(letters[i+1:], c) {
				t.Errorf("%s: %c stands twice", s.names, c)
			}
		}
	}
}

func apartAs(program string, slots []slot) []slot {
	o := opening{slots: slots}
	o.takeApart(program)
	return o.slots
}
