package admin

import (
	"strings"
	"time"

	"example.org/ssh-gate/internal/address"
	"example.org/ssh-gate/internal/decide"
	"example.org/ssh-gate/internal/policy"
)

// question is a request to hold against a policy: the login that would bring it, as far as it is given. What is not given is taken from the
// policy, so that nothing but the request decides.
type question struct {
	request     string
	user        string
	ip          string
	fingerprint string
	at          time.Time

	assumed struct{ user, ip, fingerprint bool }
}

// complete assumes what is not given: the first user, address and fingerprint of the policy, and now, or a second before it expired.
func (q *question) complete(p *policy.Policy, now time.Time) {
	if q.user == "" && len(p.Users) > 0 {
		q.user, q.assumed.user = p.Users[0], true
	}
	if q.ip == "" && len(p.From) > 0 {
		q.ip, q.assumed.ip = p.From[0].First(), true
	}
	if q.fingerprint == "" && len(p.Fingerprints) > 0 {
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
		Fingerprints: func() ([]string, error) { return []string{q.fingerprint}, nil },
		Observe:      observe,
	}
}
