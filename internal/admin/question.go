package admin

import (
	"errors"
	"strings"
	"time"

	"example.org/ssh-gate/internal/address"
	"example.org/ssh-gate/internal/decide"
	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/record"
)

// question is a request to hold against a policy: the login that would bring it, as far as it is given. What is not given is taken from the
// policy, so that nothing but the request decides.
type question struct {
	request     string
	user        string
	ip          string
	fingerprint string
	at          time.Time

	happened bool     // a login brought it, so what is not known of that is not assumed
	proved   []string // the keys that the login used, where that is known
	unproved error    // why it is not

	assumed struct{ user, ip, fingerprint bool }
}

// take takes the request and the login from a record, but for what is given already. A record tells which keys were used only where that
// was the reason; in any other the policy was content with them.
func (q *question) take(r *record.Record) {
	q.happened, q.request = true, r.Request
	if q.user == "" {
		q.user = r.User
	}
	if q.ip == "" {
		q.ip = r.ClientIP
	}
	if q.at.IsZero() {
		q.at = r.Time
	}
	switch {
	case q.fingerprint != "":
	case r.Reason == record.KeyNotProved:
		q.unproved = errors.New(record.Escape(r.Detail))
	case r.Reason == record.WrongKey:
		for i, text := range strings.Split(r.Detail, `"`) {
			if i%2 == 1 {
				q.proved = append(q.proved, text)
			}
		}
	}
}

// complete assumes what is not given: the first user, address and fingerprint of the policy, and now, or a second before it expired.
func (q *question) complete(p *policy.Policy, now time.Time) {
	if q.user == "" && !q.happened && len(p.Users) > 0 {
		q.user, q.assumed.user = p.Users[0], true
	}
	if q.ip == "" && !q.happened && len(p.From) > 0 {
		q.ip, q.assumed.ip = p.From[0].First(), true
	}
	if q.fingerprint == "" && q.proved == nil && q.unproved == nil && len(p.Fingerprints) > 0 {
		q.fingerprint, q.assumed.fingerprint = p.Fingerprints[0], true
	}
	if q.at.IsZero() {
		q.at = now
		if !p.Expires.IsZero() && !now.Before(p.Expires) {
			q.at = p.Expires.Add(-time.Second)
		}
	}
}

// input is the question as the gate would put it.
func (q *question) input(p *policy.Policy, files policy.Files, observe func(decide.Step)) decide.Input {
	text, _, _ := strings.Cut(q.ip, "%") // the zone of a link-local address
	addr, _ := address.Parse(text)
	return decide.Input{
		Policy: p, Files: files, Request: q.request,
		User: q.user, ClientIP: q.ip, ClientAddr: addr, Now: q.at,
		Fingerprints: q.fingerprints,
		Observe:      observe,
	}
}

func (q *question) fingerprints() ([]string, error) {
	if q.fingerprint != "" {
		return []string{q.fingerprint}, nil
	}
	return q.proved, q.unproved
}
