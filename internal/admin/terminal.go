package admin

import (
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// This file knows whom the verbs talk to: a terminal or a pipe, in which zone.

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

const (
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	cyan   = "\x1b[36m"
	bold   = "\x1b[1m"
	off    = "\x1b[0m"
)

func (c *call) paint(colour, text string) string {
	if !c.colour {
		return text
	}
	return colour + text + off
}

const maxZone = 1 << 20 // bytes of a file of tzfile(5)

// localZone is the zone of who calls, which time.Local is not: see internal/startup.
func (c *call) localZone() *time.Location {
	name, file := "", "/etc/localtime"
	if value, set := c.env["TZ"]; set {
		name, file = strings.TrimPrefix(value, ":"), ""
		if strings.HasPrefix(name, "/") {
			file = name // TZ=:/etc/localtime, tzset(3)
		}
	}
	if file == "" {
		if zone, err := time.LoadLocation(name); err == nil {
			return zone
		}
		return time.UTC
	}
	if text, err := readPlain(file, maxZone); err == nil {
		if zone, err := time.LoadLocationFromTZData("local", text); err == nil {
			return zone
		}
	}
	return time.UTC
}
