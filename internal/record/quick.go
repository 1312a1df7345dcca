package record

import "strings"

// quick reads a line as Append writes it, ten times as fast as encoding/json, for logs of gigabytes. It gives up on everything else: a key
// that it does not know, a value that is neither text nor a plain number, an escape that Append does not write. A test holds it against
// the library.
func quick(line string, w *wire) bool {
	rest, ok := strings.CutPrefix(line, "{")
	for ok {
		var name string
		if name, rest, ok = quickText(rest); !ok {
			return false
		}
		if rest, ok = strings.CutPrefix(rest, ":"); !ok {
			return false
		}
		if text := w.text(name); text != nil {
			*text, rest, ok = quickText(rest)
		} else {
			rest, ok = w.number(name, rest)
		}
		if !ok {
			return false
		}
		if rest == "}" {
			return true
		}
		rest, ok = strings.CutPrefix(rest, ",")
	}
	return false
}

func (w *wire) text(name string) *string {
	switch name {
	case "time":
		return &w.Time
	case "event":
		return &w.Event
	case "reason":
		return &w.Reason
	case "client_ip":
		return &w.IP
	case "user":
		return &w.User
	case "key":
		return &w.Key
	case "rule":
		return &w.Rule
	case "ref":
		return &w.Ref
	case "host":
		return &w.Host
	case "request":
		return &w.Request
	case "detail":
		return &w.Detail
	}
	return nil
}

func (w *wire) number(name, rest string) (string, bool) {
	const mostDigits = 9
	n, digits := 0, 0
	for digits < len(rest) && digits <= mostDigits && rest[digits] >= '0' && rest[digits] <= '9' {
		n = n*10 + int(rest[digits]-'0')
		digits++
	}
	if digits == 0 || digits > mostDigits || digits > 1 && rest[0] == '0' {
		return "", false
	}
	switch name {
	case "client_port":
		w.Port = uint16(n)
		return rest[digits:], n < 1<<16
	case "uid":
		w.UID = n
	case "pid":
		w.PID = n
	case "request_bytes":
		w.Bytes = n
	default:
		return "", false
	}
	return rest[digits:], true
}

// quickText reads a text between quotes, with no escapes but those of a backslash and a quote.
func quickText(s string) (text, rest string, ok bool) {
	if s == "" || s[0] != '"' {
		return "", "", false
	}
	s = s[1:]
	escaped := false
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			if text = s[:i]; escaped {
				text = unquoted(text)
			}
			return text, s[i+1:], true
		case '\\':
			if i++; i == len(s) || s[i] != '\\' && s[i] != '"' {
				return "", "", false
			}
			escaped = true
		}
	}
	return "", "", false
}

// unquoted takes away each backslash that stands for what is behind it.
func unquoted(text string) string {
	b := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' {
			i++
		}
		b = append(b, text[i])
	}
	return string(b)
}
