package record

import (
	"encoding/json"
	"testing"
)

// FuzzQuick: what quick reads, encoding/json reads alike, and what Append writes, quick reads.
func FuzzQuick(f *testing.F) {
	for _, line := range []string{
		`{"time":"x","event":"denied","uid":0,"pid":12,"request":"a\\\\b\\\"c"}`, `{}`, `{"uid":01}`, `{"uid":-1}`, `{"client_port":65536}`, `{"uid":1e3}`, `{"a":1}`,
		`{"event":"a","event":"b"}`, `{"EVENT":"a"}`, `{"request":"\u0041"}`, `{"uid":1,}`, `{"uid":1}}`, `{"user":"a"`, `{"user":"a\\`, `{"pid":999999999}`, `{"pid":9999999999}`,
	} {
		f.Add(line, "", "", 1)
	}
	f.Add("", "a\"b\\c\n\xff", "x", 77)
	f.Fuzz(func(t *testing.T, line, request, key string, n int) {
		var ours, theirs wire
		if plain := isPlain(line); plain && quick(line, &ours) {
			if err := json.Unmarshal([]byte(line), &theirs); err != nil || ours != theirs {
				t.Errorf("%q: %+v, encoding/json: %+v, %v", line, ours, theirs, err)
			}
		}
		e := Entry{Reason: NoRule, Request: request, Key: key, Bytes: len(request), PID: n & 0xffff, Port: uint16(n)}
		written := e.Append(nil)
		ours, theirs = wire{}, wire{}
		if !quick(string(written[:len(written)-1]), &ours) || json.Unmarshal(written, &theirs) != nil || ours != theirs {
			t.Errorf("%q: %+v, encoding/json: %+v", written, ours, theirs)
		}
	})
}

// isPlain is what Parse has seen to before.
func isPlain(line string) bool {
	for i := range len(line) {
		if line[i] < 0x20 || line[i] > 0x7e {
			return false
		}
	}
	return true
}
