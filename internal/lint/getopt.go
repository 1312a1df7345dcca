package lint

import (
	"regexp/syntax"
	"strings"

	"example.org/ssh-gate/internal/policy"
)

// shorts says how programs read short options, in the words of getopt(3): letters that may stand together behind one dash, with : behind
// one that has a value, attached or as the next argument, and :: behind one whose value can only be attached. A + in front ends the
// options at the first argument that is none, ++ at the second; with ! the first argument may be letters without a dash, whose values
// follow it. Behind a blank stand options of two letters, in the same words. Of a program that is not here nothing is known: -xo is one
// word of it. Those of git are by its subcommands.
var shorts = [...]struct{ names, letters string }{
	// What runs a command: the options of that are not its own.
	{"env", "+C:iS:u:v0"}, {"nice", "+0123456789n:"}, {"ionice", "+c:hn:p:P:tu:V"}, {"timeout", "+fk:ps:v"}, {"stdbuf", "+e:i:o:"},
	{"setsid", "+cfhVw"}, {"time", "+af:ho:pqvV"}, {"taskset", "+achpV"}, {"chrt", "+abD:defhimopP:rRT:vV"}, {"choom", "+hn:p:V"},
	{"flock", "+eE:FhnosuVw:x"}, {"xargs", "+0a:d:E:e::I:i::L:l::n:oP:prs:tx"}, {"watch", "+bcCd::eghn:pq:rs:tvwx"},
	{"sudo", "+Aa:BbC:c:D:Eeg:Hh::iKklNnPp:R:r:SsT:t:U:u:Vv"}, {"doas", "+C:Lnsu:"},
	{"su", "c:fG:g:hlmPps:TVw:"}, {"runuser", "+c:fG:g:hlmPps:TVu:w:"}, {"strace", "+a:Ab:cCdDe:E:fFhiI:kno:O:p:P:qrs:S:tTu:U:vVwxX:yYzZ"},
	{"ltrace", "+a:A:bcCD:e:fF:hil:Ln:o:p:rs:Stu:VwTx:X:"}, {"nsenter", "+aC::eFG:hi::m::n::p::r::S:T::t:U::u::VW:w::Z"},
	{"unshare", "+C::cfG:hi::l:m::n::p::R:rS:T::U::u::Vw:Z"}, {"systemd-run", "+dE:GhH:M:p:PqrSTtu:"},
	{"ssh-agent", "+aCcDdE:kO:P:st:T"}, {"docker podman nerdctl", "++e:h:il:m:Pp:qtu:v:w:"}, {"kubectl oc", "++ic:n:o:qtl:"},
	{"lxc-attach", "+ae:f:g:hL:l:n:o:P:qR:s:u:v:"}, {"sshpass", "+d:ef:hP:p:Vv"},
	{"start-stop-daemon", "a:bCc:d:g:HhiI:k:KmN:n:oO:P:p:qr:R:s:STtu:Vvx:"},

	// Interpreters.
	{"python", "+bBc:dEhiIm:OPqsSuvVW:X:x"}, {"perl", "+0123456789aC::cD::d::E:e:F::fhI:i::lM:m:npSstTuUVvWwXx::"},
	{"ruby", "+0123456789aC:cdE:e:F:hI:i::K:lnpr:SsT::UvWwx::y"}, {"awk gawk", "+bcCd::D::e:E:F:f:ghi:Ikl:L::Mno::Op::PrSstv:V"},
	{"mawk nawk original-awk", "+F:f:v:V"}, {"sed gsed", "bEe:f:i::l:nrsuz"}, {"jq", "aCcef:hjL:MnRrSsV0"},

	// Files.
	{"grep egrep fgrep zgrep", "0123456789A:aB:bC:cD:d:Ee:Ff:GHhIiLlm:nNoPqRrsTUuVvwX:xyZz"}, {"sort", "bcCdfghik:mMno:RrsS:t:T:uVyz"},
	{"tar gtar", "!0123456789Aab:BcC:def:F:Gg:hH:iI:jJkK:lL:MmnN:OopPRrSsT:tUuV:vWwX:xZz"},
	{"bsdtar", "!0123456789ab:BcC:f:HhI:jJkLlmnOopPqrSs:tT:uUvwW:X:xyZz"}, {"cpio", "0AabBC:cD:dE:F:fH:I:iklLM:mnO:oprR:sStuvVW:"},
	{"zip", "0123456789@AaBb:cCdDeEfFghIi:jJkKlLmMn:oO:P:qrR:s:St:TuUvVwWXx:yz$ TT: tt: sf sd sc so su sb sp: sv sU lf: la li db dc dd dg ds: du dv FF FS MM DF ic nw ws ll h2"},
	{"unzip", "abCcd:DEFfhjKLlMnoP:pqtTuUvVWXZz:"}, {"gzip gunzip", "123456789ab:cdfhkLlMmNnqrS:tVv"},
	{"zstd unzstd", "0123456789B:CcdD:fhklM:o:qrtT:Vv"},
	{"split", "0123456789a:b:C:del:n:t:ux"}, {"csplit", "b:f:kn:qsz"}, {"shuf", "ei:n:o:rz"},
	{"cp", "abdfHiLlnPpRrS:sTt:uvxZ"}, {"mv", "bfinS:Tt:uvZ"}, {"ln", "bdFfiLnPrS:sTt:v"}, {"install", "bCcDdg:m:o:pS:sTt:vZ"}, {"tee", "aip"},
	{"mkdir", "m:pvZ"}, {"touch", "acd:fhmr:t:"}, {"truncate", "cor:s:"}, {"head", "0123456789c:n:qvz"},
	{"tail", "0123456789bc:fFn:qrs:vz"}, {"cut", "b:c:d:f:nsz"}, {"nl", "b:d:f:h:i:l:n:ps:v:w:"}, {"fold", "0123456789bsw:"},
	{"base64 base32", "diw:"},
	{"diff", "0123456789abBcC:dD:eEfF:hHiI:lL:NnpPqrsS:TtuU:vW:wX:x:yZ"}, {"date", "d:f:hI::r:Rs:u"}, {"iconv", "cf:lo:st:"},
	{"mount", "aBcFfhilL:Mm::N:nO:o:rRsT:t:U:vVw"}, {"umount", "acdfhilN:nO:qRrt:vV"}, {"modprobe", "abC:cDd:fhinqRrS:sVv"},
	{"logrotate", "dfhl:m:s:vV"},

	// Copying between hosts.
	{"ssh slogin", "++1246AaB:b:Cc:D:E:e:F:fGgI:i:J:KkL:l:Mm:NnO:o:P:p:Q:qR:S:sTtVvW:w:XxYy"},
	{"scp", "12346ABCc:dD:fF:i:J:l:M:Oo:P:pqRrS:sTtvX:"}, {"sftp", "1246aB:b:Cc:D:F:fhi:J:l:No:P:pqR:rs:S:vX:"},
	{"sftp-server", "cd:ef:hl:P:p:Q:Ru:"},
	{"rsync", "0468aAB:bcCdDe:EfF:gHhIiJkKlLmM:nNoOpPqrRsSt@:T:uUvVWxXyz"},
	{"curl", "0123456#aA:b:Bc:C:d:D:e:E:fF:gGhH:iIjJK:klLm:MNno:OpP:qQ:r:RsSt:T:u:U:Vvw:X:x:Y:y:Zz:"},
	{"wget", "46a:A:bB:cdD:e:EFghHi:I:kKl:Lmn:NO:o:P:pQ:qR:rSt:T:U:Vvw:X:xY:"},
	{"nc netcat nc.traditional", "46bc:Ce:g:G:hi:I:klM:m:no:O:P:p:q:rs:StT:uUvw:X:x:zZ"}, {"ncat", "46c:Cd:e:g:G:hi:klm:no:p:s:tuUvw:x:z"},

	{"git:clone", "46b:c:j:lno:qsu:v"}, {"git:fetch", "46afj:kmno:pPqtuv"}, {"git:pull", "46aefj:kmno:pqrs:StvX:"}, {"git:push", "46dfno:quv"},
	{"git:rebase", "C:fiknmpqrs:S::vx:X:"}, {"git:difftool", "dgt:x:y"}, {"git:ls-remote", "hqbto:"}, {"git:archive", "0123456789lo:v"},
	{"git:commit", "aC:c:eF:im:nopqsS::t:u::vz"}, {"git:tag", "adefF:ilm:n::su:v"}, {"git:format-patch", "kNno:pqsv:"},
	{"git:grep", "A:aB:C:cEe:Ff:GHhIiLlm:nO::opPqrvWwz"}, {"git:add", "AefinNpuv"}, {"git:clean", "de:finqxX"}, {"git:status", "bsu::vz"},

	// Services, packages and the system.
	{"crontab", "ceilrsT:u:Vx:n:"}, {"at batch", "bcdf:lMmq:rt:u:vV"}, {"script", "aB:c:eE:fhI:m:O:o:qT:t::V"},
	{"tmux", "+2CDc:df:hL:lNqS:T:uUVv"},
	{"make gmake", "BbC:deE:f:hI:ij::kl::Lmno:O::pqRrSstvW:w"}, {"pip", "c:e:f:hIi:qr:t:UVv"}, {"apt apt-get", "a:bc:dfhmo:qst:uVvy"},
	{"ansible ansible-playbook", "a:B:bCc:De:f:hi:Kkl:M:m:oP:T:t:u:v"}, {"man", "7aC:dDE:e:fH::hiIkKL:lM:m:P:p:R:r:S:s:tT::uVwWX::Z"},
	{"tcpdump", "#AB:c:C:dDeE:fF:G:hHi:Ij:JKlLm:M:nNOpqQ:r:Ss:tT:uUvV:w:W:Xxy:z:Z:"},
	{"mysql mariadb", "ABbCcD:e:EfGh:HIijLlNnop::P:qrS:sTtu:UVvwX"}, {"mysqldump mariadb-dump", "AaBCcdEeFfh:iKlNnp::P:qQRr:S:T:tu:Vvw:XxYy"},
	{"psql", "01aAbc:d:eEf:F:h:HlL:no:p:P:qR:sStT:U:v:VwWxXz"}, {"pg_dump", "abBcCd:e:E:f:F:h:j:N:n:Op:RsS:T:t:U:vVwWxZ:"},
	{"pg_dumpall", "acd:E:f:gh:l:Op:rsS:tU:vVwWx"}, {"ssh-keygen", "ABa:b:cC:D:E:eF:f:gHhI:iJ:j:K:kLlM:m:N:n:O:oP:pQqR:r:s:t:uUV:vw:XY:yZ:z:"},
	{"ssh-add", "CcDdE:e:H:h:KkLlNM:m:OqS:s:T:t:vXx"}, {"gpg gpg2", "abcdef:hiKkN:no:qR:r:stu:vz:"}, {"dmesg", "CcDdEeF:f:HhJK:kL::l:n:PprSs:TtuVWwx"},
	{"logger", "def:hin:P:p:S:sTt:u:V"}, {"wall", "g:hnt:V"}, {"nft", "aeD:cf:hI:ijnNopSstTuVvy"},
	{"usermod", "abc:d:e:f:G:g:hl:Lmop:P:R:rs:Uu:V:v:W:w:Z:"}, {"useradd", "b:c:Dd:e:Ff:G:g:hK:k:lMmNop:P:R:rs:Uu:Z:"},
	{"sysctl", "aAbdefhnNp::qr:wVxX"}, {"journalctl", "ab::c:D:efF:g:hIi:kM:mNn::o:p:qrS:T:t:U:u:VWx"},
	{"systemctl", "afH:hilM:n:o:P:p:qrs:Tt:"}, {"column", "c:deE:H:hi:JLl:N:n:O:o:p:R:r:s:T:tVW:x"},
}

// lettersOf are the short options of a program, by its name or its name without a version; empty where they are not known.
func lettersOf(name string) string {
	makeIndex()
	if letters, ok := index.letters[name]; ok {
		return letters
	}
	return index.letters[strings.TrimRight(name, "0123456789.-")]
}

// What a letter behind a dash is.
type letter byte

const (
	unknown  letter = iota
	alone           // has no value
	valued          // what follows it is its value, or else the next argument
	attached        // what follows it is its value
)

func letterOf(letters string, c byte) letter {
	letters, _, _ = strings.Cut(letters, " ")
	i := strings.IndexByte(letters, c)
	switch {
	case i < 0 || c == ':' || c == '+' || c == '!':
		return unknown
	case strings.HasPrefix(letters[i+1:], "::"):
		return attached
	case strings.HasPrefix(letters[i+1:], ":"):
		return valued
	}
	return alone
}

// isBare says whether a letter has no value.
func isBare(letters string, c byte) bool { return letterOf(letters, c) == alone }

// pairOf says what two letters behind a dash are as one option.
func pairOf(letters, pair string) letter {
	_, pairs, _ := strings.Cut(letters, " ")
	switch {
	case len(pair) != 2 || pairs == "":
	case isListed(pairs, pair+":"):
		return valued
	case isListed(pairs, pair):
		return alone
	}
	return unknown
}

// unbundle takes options that stand together apart, as the program's getopt does: -vofile becomes -v, -o and file, and what is the value
// of an option is marked. What it does not know stays as it is.
func unbundle(letters string, slots []slot) []slot {
	if letters == "" {
		return slots
	}
	ends := strings.Count(letters, "+")
	var out []slot
	if letters[0] == '!' {
		out, slots = undashed(letters, slots)
	}
	for i := 0; i < len(slots); i++ {
		s := slots[i]
		text := s.leading()
		switch {
		case len(s.words) == 1 && s.words[0] == "--":
			return append(out, slots[i:]...)
		case len(s.words) > 1:
			out = append(out, s.with(letters))
			continue
		case strings.HasPrefix(text, "--"):
			out = append(out, s)
			continue
		case len(text) < 2 || text[0] != '-' || s.Repeat != policy.One:
			if ends--; ends == 0 && !strings.HasPrefix(text, "-") {
				return append(out, slots[i:]...)
			}
			out = append(out, s)
			continue
		}
		var next bool
		if out, next = s.apart(letters, text, out); next && i+1 < len(slots) && slots[i+1].Repeat == policy.One {
			i++
			value := slots[i]
			value.value = true
			out = append(out, value)
		}
	}
	return out
}

// undashed takes the first word of tar apart, as in xzfC - /srv, and returns what is left.
func undashed(letters string, slots []slot) (out, rest []slot) {
	if len(slots) == 0 || len(slots[0].words) != 1 || strings.HasPrefix(slots[0].words[0], "-") {
		return nil, slots
	}
	rest = slots[1:]
	for _, c := range []byte(slots[0].words[0]) {
		out = append(out, fixed("-"+string(rune(c)), false))
		if letterOf(letters, c) == valued && len(rest) > 0 {
			value := rest[0]
			value.value = true
			out, rest = append(out, value), rest[1:]
		}
	}
	return out, rest
}

// leading is the text that the slot begins with whatever the request: all of it, where it is literal.
func (s *slot) leading() string {
	switch {
	case len(s.words) == 1:
		return s.words[0]
	case s.words == nil && len(s.Parts) > 0:
		return s.Parts[0].Text
	}
	return ""
}

// apart appends the options that stand together in a word, and says whether the next argument is the value of the last.
func (s *slot) apart(letters, text string, out []slot) ([]slot, bool) {
	literal := len(s.words) == 1
	for k, n := 1, 1; k < len(text); k += n {
		n = 1
		is := letterOf(letters, text[k])
		if pair := pairOf(letters, text[k:min(k+2, len(text))]); pair != unknown {
			is, n = pair, 2
		}
		switch rest := text[k+n:]; is {
		case alone:
			out = append(out, fixed("-"+text[k:k+n], false))
		case valued:
			out = append(out, fixed("-"+text[k:k+n], false))
			switch {
			case !literal:
				return append(out, s.behind(rest, true)), false
			case rest == "":
				return out, true
			}
			return append(out, fixed(rest, true)), false
		default:
			if !literal {
				return append(out, s.behind("-"+text[k:], false)), false
			}
			return append(out, fixed("-"+text[k:], false)), false
		}
	}
	if !literal { // the first character of the value is an option, too
		out = append(out, s.behind("-", false))
	}
	return out, false
}

// fixed is a slot that is one word.
func fixed(word string, value bool) slot {
	return slot{Element: policy.Element{Parts: []policy.Part{{Text: word}}}, words: []string{word}, value: value}
}

// behind is the slot with another text in the place of the one it begins with.
func (s *slot) behind(text string, value bool) slot {
	other := slot{Element: s.Element, value: value}
	other.Parts = s.Parts[1:]
	if text != "" {
		other.Parts = append([]policy.Part{{Text: text}}, other.Parts...)
	}
	return other
}

// with is a list of words and of the options that stand together in them.
func (s *slot) with(letters string) slot {
	more := slot{Element: s.Element, words: s.words[:len(s.words):len(s.words)]}
	for _, word := range s.words {
		if len(word) < 3 || word[0] != '-' || word[1] == '-' {
			continue
		}
		one := fixed(word, false)
		apart, _ := one.apart(letters, word, nil)
		for _, piece := range apart {
			if !piece.value {
				more.words = append(more.words, piece.words[0])
			}
		}
	}
	return more
}

// bundles are the beginnings of words in which other options stand before one: -v, and what a regular expression begins with.
func (s *slot) bundles(letters string) []string {
	if s.bundled {
		return s.before
	}
	s.bundled = true
	if letters != "" && !s.shut() {
		s.before = s.bundlesOf(letters)
	}
	return s.before
}

func (s *slot) bundlesOf(letters string) []string {
	var all []string
	singles, _, _ := strings.Cut(letters, " ")
	for i := range len(singles) {
		if letterOf(letters, letters[i]) == alone {
			all = append(all, "-"+letters[i:i+1])
		}
	}
	text := s.leading()
	if len(s.Parts) > 0 && s.Parts[0].Name != "" {
		text = literalStart(policy.FormOf(s.Parts[0].Type).Source)
	}
	if len(text) > 2 && text[0] == '-' && strings.Trim(text[1:], letters) == "" {
		return append(all, text)
	}
	return all
}

// literalStart is the text with which all values of a regular expression begin.
func literalStart(source string) string {
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return ""
	}
	if tree.Op == syntax.OpConcat {
		tree = tree.Sub[0]
	}
	return literal(tree)
}
