package lint

import (
	"fmt"
	"strconv"
	"time"

	"example.org/ssh-gate/internal/policy"
)

const (
	soon     = 14 * 24 * time.Hour
	wide4    = 8  // bits of an IPv4 network: fewer name too many hosts to mean anybody
	wide6    = 16 // of an IPv6 network
	quoteMax = 80 // bytes of a policy's own text in a message
)

// whole looks at what the policy has at all.
func (l *linter) whole() {
	p := l.policy
	if len(p.Rules) == 0 {
		l.add("no-rules", nil, nil, "the policy has no [[allow]], so it denies every request", "")
	}
	if len(p.Rules) > 0 && len(p.Tests) == 0 {
		l.add("no-tests", nil, nil, "the policy has no [[test]]", "")
	}
}

// conditions looks at what the policy asks of a login.
func (l *linter) conditions() {
	p := l.policy
	for i, user := range p.Users {
		if !l.host.Account(user) {
			l.add("users-unknown", nil, []any{"users", i}, "this host has no account "+quote(user), "")
		}
	}
	for i, network := range p.From {
		bits, v4 := network.Prefix()
		if v4 && bits < wide4 || !v4 && bits < wide6 {
			l.add("from-everything", nil, []any{"from", i}, fmt.Sprintf("a network of /%d restricts hardly anybody", bits), "")
		}
	}
	switch {
	case p.Expires.IsZero():
		if len(p.Rules) > 0 {
			l.add("never-expires", nil, nil, "the policy has no expires", "")
		}
	case !l.now.Before(p.Expires):
		l.add("expired", nil, []any{"expires"}, "the policy expired at "+p.Expires.UTC().Format(time.RFC3339), "")
	case p.Expires.Sub(l.now) < soon:
		l.add("expires-soon", nil, []any{"expires"}, "the policy expires at "+p.Expires.UTC().Format(time.RFC3339), "")
	}
}

// ofPolicy are the kinds that are about no rule, beside those that the verb finds.
const ofPolicy = "no-rules no-tests users-unknown from-everything expired expires-soon never-expires"

// accepted looks at what is accepted, once all has been found.
func (l *linter) accepted() {
	l.acceptList(nil, l.policy.Accept, []any{"accept"})
	for i := range l.policy.Rules {
		rule := &l.policy.Rules[i]
		l.acceptList(rule, rule.Accept, []any{"allow", i, "accept"})
	}
}

func (l *linter) acceptList(rule *policy.Rule, ids []string, at []any) {
	number := 0
	if rule != nil {
		number = rule.Number
	}
	for i, id := range ids {
		kind, ok := Of(id)
		place := append(at[:len(at):len(at)], i)
		switch {
		case !ok:
			l.add("accept-unknown", rule, place, "no finding has the id "+quote(id), nearest(id))
		case kind.Severity == Error:
			l.add("accept-unknown", rule, place, quote(id)+" is an error, which cannot be accepted", "remove it, and correct what is found")
		case rule != nil && (byVerb(id) || isListed(ofPolicy, id)):
			l.add("accept-unneeded", rule, place, quote(id)+" is about the policy as a whole, so a rule cannot accept it", "accept it at the top, above the first [[allow]]")
		case !l.used[accepted{number, id}] && !byVerb(id) && id != "accept-unneeded":
			l.add("accept-unneeded", rule, place, quote(id)+" is accepted, but not found", "")
		}
	}
}

// quote spells a policy's own text in printable ASCII.
func quote(s string) string {
	if len(s) > quoteMax {
		return strconv.QuoteToASCII(s[:quoteMax]) + "..."
	}
	return strconv.QuoteToASCII(s)
}
