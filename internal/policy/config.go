package policy

import (
	"slices"
	"strconv"
	"strings"
)

// DefaultPath is the search path of programs, and the PATH they get, where the host's configuration names no other.
var DefaultPath = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// Where a host has its files, unless an option of the gate says otherwise.
const (
	KeysDir    = "/etc/ssh-gate/keys"
	UsersDir   = "/etc/ssh-gate/users" // of accounts whose login shell is the gate
	ConfigFile = "/etc/ssh-gate/config.toml"
)

// DefaultLog is where records go where the host's configuration names no other file.
const DefaultLog = "/var/log/ssh-gate/ssh-gate.log"

// Facilities are the names of syslog's facilities, syslog(3), each at the index that is its number; those without a use here
// are empty.
var Facilities = [...]string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
	"", "", "", "", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}

// Config is what holds for the whole host.
type Config struct {
	Path []string // absolute folders in which a program's name is looked up
	Log  LogConfig
}

// LogConfig says where records go and which there are.
type LogConfig struct {
	File     string // empty: none
	Facility int    // of syslog; -1: none
	Journal  bool   // also to systemd-journald
	All      bool   // record what is allowed, too
	Required bool   // nothing runs unless its record is written; so All holds
}

// DefaultConfig is the configuration of a host without a file.
func DefaultConfig() *Config {
	return &Config{Path: DefaultPath, Log: LogConfig{File: DefaultLog, Facility: -1}}
}

// The keys of a configuration, and of its table log.
var (
	configKeys = []string{"path", "log"}
	logKeys    = []string{"file", "syslog", "journal", "events", "required"}
)

// ParseConfig reads the host's configuration. It returns a configuration or faults, never both.
func ParseConfig(file string, text []byte) (*Config, Faults) {
	r := &reader{file: file}
	top, faults := r.decode(text)
	if faults != nil {
		return nil, faults
	}
	c := DefaultConfig()
	top.only(configKeys)
	if dirs, ok := top.strs("path", maxEnv); ok {
		c.Path = dirs
		if len(dirs) == 0 {
			top.fault("path", "the list is empty, so no program would be found", "leave the key out for the default")
		}
		for i, dir := range dirs {
			if !cleanPath(dir) || strings.Contains(dir, ":") {
				r.fault(top.at.child("path").entry(i), atValue, strconv.QuoteToASCII(dir)+" is no absolute path without : and empty, . or .. parts", "")
			}
		}
	}
	if log, ok := top.table("log"); ok {
		log.read(&c.Log)
	}
	if faults := r.result(); faults != nil {
		return nil, faults
	}
	return c, nil
}

func (t *table) read(c *LogConfig) {
	t.only(logKeys)
	if file, ok := t.str("file"); ok {
		c.File = file
		if file != "" && (!cleanPath(file) || file == "/") {
			t.fault("file", strconv.QuoteToASCII(file)+" is no absolute path without empty, . or .. parts", `write one, or "" for none`)
		}
	}
	if name, ok := t.str("syslog"); ok {
		c.Facility = slices.Index(Facilities[:], name)
		if name == "" || c.Facility < 0 {
			t.fault("syslog", strconv.QuoteToASCII(name)+" is no facility of syslog(3)", `write one such as "authpriv", or leave the key out`)
		}
	}
	c.Journal = t.boolean("journal", false)
	c.Required = t.boolean("required", false)
	c.All = t.choice("events", "denied", "all") == "all" || c.Required
	if c.Required && c.File == "" && c.Facility < 0 && !c.Journal {
		t.fault("required", "records are required, but there is no place to write them", "name a file or a syslog facility, or set journal = true")
	}
}
