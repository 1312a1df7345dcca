package admin

import (
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"example.org/ssh-gate/internal/address"
	"example.org/ssh-gate/internal/policy"
	"example.org/ssh-gate/internal/record"
)

// filter says which records are wanted. An option that stands several times, or has a list, wants any of its values.
type filter struct {
	keys, users, events, reasons []string

	clients      []address.Network
	since, until time.Time
	grep         *regexp.Regexp
}

func (f *filter) define(c *call, options *flag.FlagSet) {
	texts := func(to *[]string, name, usage string) {
		options.Func(name, usage, func(value string) error {
			*to = append(*to, strings.Split(value, ",")...)
			return nil
		})
	}
	texts(&f.keys, "key", "records of this key, a `NAME`; several: NAME,NAME")
	texts(&f.users, "user", "of this login user, a `NAME`")
	texts(&f.reasons, "reason", "with this reason, a `CODE` such as no-rule")
	options.Func("event", "of this kind, an `EVENT`: denied, allowed or error", func(value string) error {
		for event := range strings.SplitSeq(value, ",") {
			if known := []string{string(record.Denied), string(record.Allowed), string(record.Error)}; !slices.Contains(known, event) {
				return fmt.Errorf("the events are denied, allowed and error%s", didYouMean(event, known))
			}
			f.events = append(f.events, event)
		}
		return nil
	})
	options.Func("client", "from this `ADDRESS`, or from a network such as 203.0.113.0/24", func(value string) error {
		for text := range strings.SplitSeq(value, ",") {
			network, err := policy.ParseNetwork(text)
			if err != nil {
				return err
			}
			f.clients = append(f.clients, network)
		}
		return nil
	})
	moment := func(to *time.Time, name, usage string) {
		options.Func(name, usage, func(value string) (err error) {
			*to, err = c.moment(value)
			return err
		})
	}
	moment(&f.since, "since", "from this `TIME` on: 90d, 12h, today, yesterday, 2026-11-22, \"2026-11-22 10:00\"")
	moment(&f.until, "until", "before this `TIME`")
	options.Func("grep", "with this `RE2` in the request or the detail, as they stand in the log", func(value string) (err error) {
		f.grep, err = regexp.Compile(value)
		return err
	})
}

// unheard warns of reasons that no record of this version has: one of a newer version may.
func (f *filter) unheard(c *call) {
	var codes []string
	for _, m := range record.Reasons {
		codes = append(codes, string(m.Reason))
	}
	for _, code := range f.reasons {
		if !slices.Contains(codes, code) {
			c.warn("%+q is no reason that this version records%s", code, didYouMean(code, codes))
		}
	}
}

func (f *filter) active() bool {
	return len(f.keys)+len(f.users)+len(f.events)+len(f.reasons)+len(f.clients) > 0 || !f.since.IsZero() || !f.until.IsZero() || f.grep != nil
}

func (f *filter) matches(r *record.Record) bool {
	switch {
	case !among(f.keys, r.Key), !among(f.users, r.User), !among(f.events, string(r.Event)), !among(f.reasons, string(r.Reason)):
		return false
	case !f.since.IsZero() && r.Time.Before(f.since), !f.until.IsZero() && !r.Time.Before(f.until):
		return false
	case len(f.clients) > 0 && !f.fromClient(r.ClientIP):
		return false
	}
	return f.grep == nil || f.grep.MatchString(record.Escape(r.Request)) || f.grep.MatchString(record.Escape(r.Detail))
}

func among(wanted []string, value string) bool {
	return len(wanted) == 0 || slices.Contains(wanted, value)
}

func (f *filter) fromClient(text string) bool {
	ip, _, ok := address.ParseZoned(text)
	return ok && slices.ContainsFunc(f.clients, func(n address.Network) bool { return n.Contains(ip) })
}
