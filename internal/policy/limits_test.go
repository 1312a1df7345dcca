package policy

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// ruleOf reads a policy whose one rule has these lines, below these at its top.
func ruleOf(top, rule string) (*Rule, Faults) {
	p, faults := Parse("k", "k.toml", []byte(top+"\n[[allow]]\ncommand = \"id\"\n"+rule+"\n"))
	if p == nil {
		return nil, faults
	}
	return &p.Rules[0], faults
}

func TestLimits(t *testing.T) {
	for text, want := range map[string]Limits{
		``:                           {},
		`limits = {}`:                {},
		`limits.timeout = "1s"`:      {Timeout: time.Second},
		`limits.timeout = "1h30m"`:   {Timeout: 90 * time.Minute},
		`limits.timeout = "8784h"`:   {Timeout: 366 * 24 * time.Hour},
		`limits.timeout = "1000ms"`:  {Timeout: time.Second},
		`limits.cpu = "90s"`:         {CPU: 90 * time.Second},
		`limits.sessions = 1`:        {Sessions: 1},
		`limits.sessions = 1000`:     {Sessions: 1000},
		`limits.rate = "6/1h"`:       {Rate: Rate{6, time.Hour}},
		`limits.rate = "6/h"`:        {Rate: Rate{6, time.Hour}},
		`limits.rate = "1000/10s"`:   {Rate: Rate{1000, 10 * time.Second}},
		`limits.memory = "16M"`:      {Memory: 16 << 20},
		`limits.memory = "16777216"`: {Memory: 16 << 20},
		`limits.memory = "1024T"`:    {Memory: 1 << 50},
		`limits.file_size = "0"`:     {FileSize: -1},
		`limits.file_size = "0K"`:    {FileSize: -1},
		`limits.file_size = "1"`:     {FileSize: 1},
		`limits.file_size = "2G"`:    {FileSize: 2 << 30},
		`limits.files = 3`:           {Files: 3},
		`limits.files = 1048576`:     {Files: 1 << 20},
		`limits.processes = 1`:       {Processes: 1},
		`limits.nice = 0`:            {},
		`limits.nice = 19`:           {Nice: 19},

		`limits.on_disconnect = "kill"`: {Kill: true},

		`limits = { timeout = "10m", sessions = 2, rate = "1/1s", files = 64, nice = 5 }`: {Timeout: 10 * time.Minute, Sessions: 2,
			Rate: Rate{1, time.Second}, Files: 64, Nice: 5},
	} {
		r, faults := ruleOf("", text)
		if faults != nil || !reflect.DeepEqual(r.Settings.Limits, want) {
			t.Errorf("%s: %+v, %v", text, r, faults)
		}
		// At the top it is every rule's, and sessions and rate are counted together.
		want.OfKey = want.Sessions > 0 || want.Rate.Times > 0
		r, faults = ruleOf(text, "")
		if faults != nil || !reflect.DeepEqual(r.Settings.Limits, want) {
			t.Errorf("at the top: %s: %+v, %v", text, r, faults)
		}
	}
}

// TestLimitsOfRule: a rule's limits win one by one, but for the two that are counted.
func TestLimitsOfRule(t *testing.T) {
	const top = `limits = { timeout = "10m", sessions = 5, rate = "9/1h", nice = 5, on_disconnect = "kill" }`
	all := Limits{Timeout: 10 * time.Minute, Sessions: 5, Rate: Rate{9, time.Hour}, Nice: 5, Kill: true, OfKey: true}
	for text, change := range map[string]func(l *Limits){
		``:                        func(l *Limits) {},
		`limits = {}`:             func(l *Limits) {},
		`limits.timeout = "1s"`:   func(l *Limits) { l.Timeout = time.Second },
		`limits.nice = 0`:         func(l *Limits) { l.Nice = 0 },
		`limits.sessions = 1`:     func(l *Limits) { l.Sessions, l.Rate, l.OfKey = 1, Rate{}, false },
		`limits.rate = "1/1s"`:    func(l *Limits) { l.Sessions, l.Rate, l.OfKey = 0, Rate{1, time.Second}, false },
		`limits.file_size = "1K"`: func(l *Limits) { l.FileSize = 1 << 10 },
	} {
		want := all
		change(&want)
		if r, faults := ruleOf(top, text); faults != nil || !reflect.DeepEqual(r.Settings.Limits, want) {
			t.Errorf("%s: %+v, %v, want %+v", text, r, faults, want)
		}
	}
}

// TestLimitsBroken: a limit that is misspelt, or would switch itself off, allows nothing.
func TestLimitsBroken(t *testing.T) {
	for _, text := range []string{
		`timeout = "0"`, `timeout = "0s"`, `timeout = 0`, `timeout = 10`, `timeout = ""`, `timeout = "1"`, `timeout = "-1s"`, `timeout = "500ms"`, `timeout = "1500ms"`, `timeout = "8785h"`,
		`timeout = "99999999999h"`, `timeout = "1d"`, `timeout = " 1s"`, `timeout = "NaN"`, `timeout = ["1s"]`, `Timeout = "1s"`, `timout = "1s"`,
		`cpu = "0s"`, `cpu = "0.5s"`, `cpu = 1`,
		`sessions = 0`, `sessions = -1`, `sessions = 1001`, `sessions = "1"`, `sessions = 1.0`, `sessions = true`, `sessions = 9223372036854775807`,
		`rate = ""`, `rate = "6"`, `rate = "/1h"`, `rate = "0/1h"`, `rate = "-1/1h"`, `rate = "1001/1h"`, `rate = "6/0s"`, `rate = "6/"`, `rate = "6/-1h"`, `rate = "6/1h/1h"`, `rate = 6`,
		`rate = "6 / 1h"`, `rate = "+6/1h"`, `rate = "6/500ms"`, `rate = "6/8785h"`, `rate = "6/fortnight"`,
		`memory = "15M"`, `memory = "0"`, `memory = "1025T"`, `memory = "512"`, `memory = "512m"`, `memory = "512MB"`, `memory = "1.5G"`, `memory = 1073741824`, `memory = "-1G"`, `memory = "G"`,
		`memory = "99999999999T"`, `memory = "0x40000000"`, `memory = "1GK"`, `memory = "K1"`,
		`file_size = "-1"`, `file_size = 0`, `file_size = ""`,
		`files = 2`, `files = 0`, `files = -1`, `files = 1048577`, `processes = 0`, `processes = 1048577`,
		`nice = -1`, `nice = 20`, `nice = "5"`,
		`on_disconnect = "keep"`, `on_disconnect = "KILL"`, `on_disconnect = true`, `on_disconnect = ""`,
	} {
		for _, where := range []string{"top", "rule"} {
			top, rule := "", "limits = { "+text+" }"
			if where == "top" {
				top, rule = rule, top
			}
			r, faults := ruleOf(top, rule)
			if r != nil || len(faults) != 1 {
				t.Errorf("%s, in the %s: %+v, %v", text, where, r, faults)
				continue
			}
			line := map[string]string{"top": "k.toml:1", "rule": "k.toml:4"}[where]
			if rendered := faults.Render(); !strings.Contains(rendered, line) {
				t.Errorf("%s, in the %s: %s", text, where, rendered)
			}
		}
	}
	for _, text := range []string{`limits = 5`, `limits = "10m"`, `limits = [ { timeout = "1s" } ]`} {
		if r, faults := ruleOf("", text); r != nil || faults == nil {
			t.Errorf("%s: %+v", text, r)
		}
	}
}

func TestLimitsWords(t *testing.T) {
	p, faults := Parse("x", "x.toml", []byte(`
limits = { sessions = 2, rate = "6/1h" }
[[allow]]
command = "a"
limits = { timeout = "90s", cpu = "2s", memory = "64M", files = 9, file_size = "0", processes = 3, nice = 1, on_disconnect = "kill" }
[[allow]]
command = "b"
limits.sessions = 1
`))
	if faults != nil {
		t.Fatal(faults.Render())
	}
	for i, want := range []string{
		"timeout 1m30s, sessions 2 for the key, rate 6/1h for the key, cpu 2s, memory 64M, files 9, file_size 0, processes 3, nice 1, on_disconnect kill",
		"sessions 1 for the rule",
	} {
		if got := strings.Join(p.Rules[i].Settings.Limits.Words(), ", "); got != want {
			t.Errorf("rule %d: %s, want %s", i+1, got, want)
		}
	}
	if got := (&Limits{}).Words(); got != nil {
		t.Errorf("none: %q", got)
	}
}

// What limits are told as is what a policy would have, and means the same.
func TestLimitsAreSpelledAsWritten(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Second: "1s", 90 * time.Second: "1m30s", time.Minute: "1m", 10 * time.Minute: "10m", time.Hour: "1h", time.Hour + time.Second: "1h0m1s",
		time.Hour + time.Minute: "1h1m", 20 * time.Hour: "20h", 100 * time.Hour: "100h", 10 * time.Second: "10s", 1500 * time.Millisecond: "1.5s", maxDuration: "8784h",
	} {
		got := Duration(d)
		if back, err := time.ParseDuration(got); got != want || err != nil || back != d {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 1: "1", 1023: "1023", 1024: "1K", 1536: "1536", 64 << 20: "64M", 3 << 29: "1536M", 2 << 30: "2G", 1 << 40: "1T", maxSize: "1024T"} {
		if got := spelledSize(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
