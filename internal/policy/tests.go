package policy

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"example.org/ssh-gate/internal/address"
)

// Test is one [[test]]: a request, and what it must lead to. Its keys and types are read as strictly as all others; what it expects is
// for check alone, which runs tests, so that a rule with a new name refuses no login for a test that still has the old one.
type Test struct {
	Number   int // counted from 1
	Request  string
	Expect   Expect
	ClientIP string    // empty: one that the policy admits
	User     string    // so
	Time     time.Time // zero: now, or a moment before the policy expires
}

// Expect is what a test expects; one of the four is set.
type Expect struct {
	Deny, Allow bool
	Rule        string   // the rule of this name matches
	Argv        []string // this is executed, the first word being the program's path
}

const (
	expectDeny  = "deny"
	expectAllow = "allow"

	maxTests = 10_000
)

// ExpectHint says what a test may expect.
const ExpectHint = `write "deny", "allow", the name of a rule, or the words that are executed, such as ["/usr/bin/uptime"]`

// String is the expectation as a policy spells it, in printable text.
func (e *Expect) String() string {
	switch {
	case e.Deny:
		return expectDeny
	case e.Allow:
		return expectAllow
	case e.Rule != "":
		return "the rule " + e.Rule
	}
	return quoteAll(e.Argv, " ")
}

// readTests reads all [[test]].
func (t *table) readTests() []Test {
	list := t.tables("test")
	if len(list) > maxTests {
		t.fault("test", fmt.Sprintf("the policy has %d tests, more than %d", len(list), maxTests), "")
		return nil
	}
	tests := make([]Test, len(list))
	for i, own := range list {
		own.only(testKeys)
		test := &tests[i]
		test.Number = i + 1
		if !own.has("request") {
			own.r.fault(own.at, atKey, "the test has no request", `write request = "..."; "" is the request without a command`)
		}
		test.Request, _ = own.str("request")
		test.User, _ = own.str("user")
		test.Time = own.moment("time")
		if ip, ok := own.str("client_ip"); ok {
			test.ClientIP = ip
			if _, ok := address.Parse(ip); !ok {
				own.fault("client_ip", strconv.QuoteToASCII(ip)+" is no address", `write one such as "203.0.113.7"`)
			}
		}
		own.expect(&test.Expect)
	}
	return tests
}

func (t *table) expect(e *Expect) {
	if _, isList := t.m["expect"].([]any); isList {
		words, ok := t.strs("expect", maxElements)
		if ok && (len(words) == 0 || !cleanPath(words[0])) {
			t.fault("expect", "the first of the words that are executed is the program's absolute path", ExpectHint)
		}
		e.Argv = words
		return
	}
	if !t.has("expect") {
		t.r.fault(t.at, atKey, "the test expects nothing", ExpectHint)
		return
	}
	if _, isString := t.m["expect"].(string); !isString {
		t.fault("expect", "expected a string or a list of strings, found "+typeName(t.m["expect"]), ExpectHint)
		return
	}
	word, _ := t.str("expect")
	switch word {
	case expectDeny:
		e.Deny = true
	case expectAllow:
		e.Allow = true
	default:
		switch {
		case strings.HasPrefix(word, "#"):
			t.fault("expect", strconv.QuoteToASCII(word)+" is no name of a rule, but the place of one", "give the rule a name, and expect that")
		case !IsName(word):
			t.fault("expect", strconv.QuoteToASCII(word)+" is no name of a rule", ExpectHint)
		}
		e.Rule = word
	}
}

// accepted reads a list of the findings of check that the writer has looked at and means.
func (t *table) accepted() []string {
	ids, _ := t.strs("accept", maxList)
	for i, id := range ids {
		if !IsName(id) {
			t.r.fault(t.at.child("accept").entry(i), atValue, strconv.QuoteToASCII(id)+" is no finding", "`ssh-gate check --list` prints them")
		}
	}
	return ids
}
