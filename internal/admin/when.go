package admin

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// moment reads a point in time as people write it, in the local zone unless it says otherwise: 90d, 12h, 30m, today, yesterday,
// 2026-11-22, "2026-11-22 10:00", RFC 3339. A number with a unit is so long ago.
func (c *call) moment(text string) (time.Time, error) {
	midnight := func(t time.Time) time.Time {
		y, m, d := t.In(c.zone).Date()
		return time.Date(y, m, d, 0, 0, 0, 0, c.zone)
	}
	switch text {
	case "now":
		return c.now, nil
	case "today":
		return midnight(c.now), nil
	case "yesterday":
		return midnight(midnight(c.now).Add(-12 * time.Hour)), nil
	}
	if ago, ok := duration(text); ok {
		return c.now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, c.zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf(`%+q is no point in time; write 90d, 12h, 30m, today, yesterday, 2026-11-22 or "2026-11-22 10:00"`, text)
}

// duration reads whole weeks, days, hours, minutes or seconds, at most a hundred years.
func duration(text string) (time.Duration, bool) {
	units := map[byte]time.Duration{'w': 7 * 24 * time.Hour, 'd': 24 * time.Hour, 'h': time.Hour, 'm': time.Minute, 's': time.Second}
	if text == "" {
		return 0, false
	}
	unit, known := units[text[len(text)-1]]
	n, err := strconv.ParseInt(strings.TrimSuffix(text, text[len(text)-1:]), 10, 64)
	const century = 100 * 365 * 24 * time.Hour
	if !known || err != nil || n < 0 || n > int64(century/unit) {
		return 0, false
	}
	return time.Duration(n) * unit, true
}
