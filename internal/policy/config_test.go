package policy

import (
	"reflect"
	"testing"
)

func TestParseConfig(t *testing.T) {
	for _, c := range []struct {
		text string
		want Config
	}{
		{"", Config{DefaultPath, LogConfig{File: DefaultLog, Facility: -1}}},
		{"[log]\n", Config{DefaultPath, LogConfig{File: DefaultLog, Facility: -1}}},
		{"path = [\"/opt/bin\", \"/\"]\n", Config{[]string{"/opt/bin", "/"}, LogConfig{File: DefaultLog, Facility: -1}}},
		{"[log]\nfile = \"/srv/x.log\"\nevents = \"all\"\n", Config{DefaultPath, LogConfig{File: "/srv/x.log", Facility: -1, All: true}}},
		{"log = { file = \"\", syslog = \"authpriv\", events = \"denied\" }\n", Config{DefaultPath, LogConfig{Facility: 10}}},
		{"log.syslog = \"kern\"\n", Config{DefaultPath, LogConfig{File: DefaultLog, Facility: 0}}},
		{"log.syslog = \"local7\"\n", Config{DefaultPath, LogConfig{File: DefaultLog, Facility: 23}}},
		// A record is required for everything that runs, so everything that runs is recorded.
		{"log.required = true\n", Config{DefaultPath, LogConfig{File: DefaultLog, Facility: -1, All: true, Required: true}}},
		{"log = { required = true, events = \"denied\" }\n", Config{DefaultPath, LogConfig{File: DefaultLog, Facility: -1, All: true, Required: true}}},
		{"log = { required = true, file = \"\", syslog = \"auth\" }\n", Config{DefaultPath, LogConfig{Facility: 4, All: true, Required: true}}},
		{"log = { required = false, file = \"\" }\n", Config{DefaultPath, LogConfig{Facility: -1}}},
	} {
		got, faults := ParseConfig("config.toml", []byte(c.text))
		if faults != nil {
			t.Errorf("%q: %v", c.text, faults)
		} else if !reflect.DeepEqual(*got, c.want) {
			t.Errorf("%q: got %+v, want %+v", c.text, *got, c.want)
		}
	}
}

// What one caller does to its configuration reaches no other.
func TestDefaultConfigIsFresh(t *testing.T) {
	first := DefaultConfig()
	first.Log.File, first.Path = "/elsewhere", nil
	if second := DefaultConfig(); second.Log.File != DefaultLog || len(second.Path) != 6 {
		t.Errorf("got %+v", second)
	}
}

// The odd texts are refused as a configuration just as they are as a policy.
func TestOddConfigurations(t *testing.T) {
	for name, text := range oddTexts {
		value, faults := parseConfig("config.toml", []byte(text))
		if faults == nil || value != nil {
			t.Errorf("%s is accepted", name)
			continue
		}
		checkFaults(t, text, faults)
	}
}
