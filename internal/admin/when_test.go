package admin

import (
	"testing"
	"time"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	check(t, err)
	return z
}

func TestMoment(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	for _, c := range []struct {
		now, text, want string
		zone            *time.Location
	}{
		{"2026-11-22T12:00:00Z", "now", "2026-11-22T12:00:00Z", time.UTC},
		{"2026-11-22T12:00:00Z", "90d", "2026-08-24T12:00:00Z", time.UTC},
		{"2026-11-22T12:00:00Z", "12w", "2026-08-30T12:00:00Z", time.UTC},
		{"2026-11-22T12:00:00Z", "12h", "2026-11-22T00:00:00Z", time.UTC},
		{"2026-11-22T12:00:00Z", "30m", "2026-11-22T11:30:00Z", time.UTC},
		{"2026-11-22T12:00:00Z", "90s", "2026-11-22T11:58:30Z", time.UTC},
		{"2026-11-22T12:00:00Z", "0d", "2026-11-22T12:00:00Z", time.UTC},
		{"2026-11-22T12:00:00Z", "today", "2026-11-22T00:00:00Z", time.UTC},
		{"2026-11-22T12:00:00Z", "yesterday", "2026-11-21T00:00:00Z", time.UTC},
		{"2026-11-22T12:00:00Z", "today", "2026-11-21T23:00:00Z", berlin},
		{"2026-11-22T23:30:00Z", "today", "2026-11-22T23:00:00Z", berlin}, // it is tomorrow there
		{"2026-11-22T23:30:00Z", "yesterday", "2026-11-21T23:00:00Z", berlin},
		{"2026-11-22T12:00:00Z", "2026-11-22", "2026-11-21T23:00:00Z", berlin},
		{"2026-11-22T12:00:00Z", "2026-11-22 10:00", "2026-11-22T09:00:00Z", berlin},
		{"2026-11-22T12:00:00Z", "2026-11-22 10:00:30", "2026-11-22T09:00:30Z", berlin},
		{"2026-11-22T12:00:00Z", "2026-11-22T10:00:30", "2026-11-22T09:00:30Z", berlin},
		{"2026-11-22T12:00:00Z", "2026-11-22T10:00:30Z", "2026-11-22T10:00:30Z", berlin},
		{"2026-11-22T12:00:00Z", "2026-11-22T10:00:30.5-07:00", "2026-11-22T17:00:30.5Z", berlin},
		// The day on which the clock is set forward has 23 hours, the day on which it is set back 25.
		{"2026-03-29T20:00:00Z", "today", "2026-03-28T23:00:00Z", berlin},
		{"2026-03-30T20:00:00Z", "yesterday", "2026-03-28T23:00:00Z", berlin},
		{"2026-03-30T20:00:00Z", "today", "2026-03-29T22:00:00Z", berlin},
		{"2026-10-25T20:00:00Z", "today", "2026-10-24T22:00:00Z", berlin},
		{"2026-10-26T20:00:00Z", "yesterday", "2026-10-24T22:00:00Z", berlin},
		{"2026-10-26T20:00:00Z", "today", "2026-10-25T23:00:00Z", berlin},
		{"2026-10-26T20:00:00Z", "1d", "2026-10-25T20:00:00Z", berlin},
		{"2026-03-29T20:00:00Z", "2026-03-29 02:30", "2026-03-29T01:30:00Z", berlin}, // which the clock leaps over
		{"2026-11-22T12:00:00Z", "36500d", "1926-12-17T12:00:00Z", time.UTC},
		{"2026-11-22T12:00:00Z", "9999-12-31", "9999-12-31T00:00:00Z", time.UTC},
	} {
		at, err := time.Parse(time.RFC3339, c.now)
		check(t, err)
		got, err := (&call{now: at, zone: c.zone}).moment(c.text)
		if text := got.UTC().Format(time.RFC3339Nano); err != nil || text != c.want {
			t.Errorf("%s, at %s in %v: %s, %v; want %s", c.text, c.now, c.zone, text, err, c.want)
		}
	}
}

func TestMomentRefuses(t *testing.T) {
	c := &call{now: now, zone: time.UTC}
	for _, text := range []string{"", "d", "-1d", "--1d", "1", "90", "1 d", "1.5d", "1D", "1y", "1M", "1d1h", "d1", "36501d", "5300w", "99999999999999999999d", "9223372036854775807s", "Today", "tomorrow",
		"2026-11-31", "2026-13-01", "26-11-22", "2026-11-22 25:00", "22.11.2026", "11/22/2026", "10:00", "2026-11-22 10", "2026-11-22\n", "\x1b[31m", "1\u0664d", "0x1d", "1_0d"} {
		if got, err := c.moment(text); err == nil {
			t.Errorf("%q is %v", text, got)
		} else {
			for _, char := range []byte(err.Error()) {
				if char < 0x20 || char > 0x7e {
					t.Errorf("%q: %q", text, err)
				}
			}
		}
	}
}

// TestLocalZone: who calls says where he is, in the ways of tzset(3) that name a zone or a file.
func TestLocalZone(t *testing.T) {
	summer := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for tz, want := range map[string]string{
		"Europe/Berlin": "14:00", ":Europe/Berlin": "14:00", "UTC": "12:00", "": "12:00", ":": "12:00", "/usr/share/zoneinfo/Europe/Berlin": "14:00",
		":/usr/share/zoneinfo/America/New_York": "08:00",
		// What is no zone is UTC, as for the C library.
		"Nowhere/Atall": "12:00", "../../etc/passwd": "12:00", "/etc/passwd": "12:00", "/nonexistent": "12:00", "/dev": "12:00", "\x00": "12:00",
	} {
		c := &call{env: map[string]string{"TZ": tz}}
		if got := summer.In(c.localZone()).Format("15:04"); got != want {
			t.Errorf("TZ=%q: %s, want %s", tz, got, want)
		}
	}
	if (&call{env: map[string]string{}}).localZone() == nil {
		t.Error("without TZ there is no zone")
	}
}
