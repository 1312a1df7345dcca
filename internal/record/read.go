package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// MaxLine bounds, in bytes, a line that can be a record: the longest that Append writes has 52 KiB, if everything in it has to be escaped.
const MaxLine = 64 << 10

// Record is an entry as it was read back.
type Record struct {
	Entry
	Event Event // as written: a newer version may know reasons that this one does not
}

// wire is a record as JSON has it. What a newer version adds is passed over.
type wire struct {
	Time   string `json:"time"`
	Event  string `json:"event"`
	Reason string `json:"reason"`
	IP     string `json:"client_ip"`
	Port   uint16 `json:"client_port"`
	User   string `json:"user"`
	UID    int    `json:"uid"`
	Key    string `json:"key"`
	Rule   string `json:"rule"`
	Ref    string `json:"ref"`
	PID    int    `json:"pid"`
	Host   string `json:"host"`

	Request string `json:"request"`
	Bytes   int    `json:"request_bytes"`
	Detail  string `json:"detail"`
}

// Parse reads one line, without its end, back to the exact bytes of the entry. It refuses what Append cannot have written in any
// version: bytes outside 0x20-0x7e, text that is not escaped as Append does, a line without time, event and reason.
func Parse(line []byte) (*Record, error) {
	if len(line) > MaxLine {
		return nil, fmt.Errorf("is %d bytes long, more than %d", len(line), MaxLine)
	}
	for i, c := range line {
		if c < 0x20 || c > 0x7e {
			return nil, fmt.Errorf("has the byte %#02x at %d", c, i+1)
		}
	}
	var w wire
	if !quick(string(line), &w) {
		w = wire{}
		if err := json.Unmarshal(line, &w); err != nil {
			return nil, err
		}
	}
	r := &Record{Event: Event(w.Event)}
	r.Port, r.UID, r.PID, r.Bytes = w.Port, w.UID, w.PID, w.Bytes
	reason := ""
	for _, field := range [...]struct {
		to   *string
		text string
	}{
		{&reason, w.Reason}, {&r.ClientIP, w.IP}, {&r.User, w.User}, {&r.Key, w.Key}, {&r.Rule, w.Rule}, {&r.Ref, w.Ref},
		{&r.Host, w.Host}, {&r.Request, w.Request}, {&r.Detail, w.Detail},
	} {
		text, ok := Unescape(field.text)
		if !ok {
			return nil, fmt.Errorf("has a text that is not escaped as a record's: %+q", field.text)
		}
		*field.to = text
	}
	r.Reason = Reason(reason)
	if w.Event == "" || reason == "" || w.Event != Escape(w.Event) || reason != Escape(reason) {
		return nil, errors.New("tells no event and reason")
	}
	var err error
	r.Time, err = time.Parse(time.RFC3339Nano, w.Time)
	return r, err
}
