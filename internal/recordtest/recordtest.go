// Package recordtest holds lines of the log against their published schema, for tests. It does not import the package that writes
// them, so that one's own tests can use it.
package recordtest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"example.org/ssh-gate/packaging/schema"
)

const (
	maxText    = 1024 // bytes of a text
	maxRequest = 4096 // bytes of the request
	maxLine    = 64 << 10
)

// Validate fails the test if a line, with or without its end, is not one that this version writes.
func Validate(t testing.TB, line []byte) {
	t.Helper()
	if err := Check(line); err != nil {
		t.Errorf("%.500q: %v", line, err)
	}
}

// Check is Validate with the reason as an error. Beside the schema it asks for what a schema cannot say: these keys in this order,
// one spelling of each text, printable ASCII throughout, and texts that are bounded in bytes and not in characters.
func Check(line []byte) error {
	line = bytes.TrimSuffix(line, []byte{'\n'})
	if err := plain(line); err != nil {
		return err
	}
	if err := Schema(line); err != nil {
		return err
	}
	if err := ordered(line); err != nil {
		return err
	}
	return bounded(line)
}

// Schema holds a line against the schema alone, as a program does that knows nothing else of ssh-gate.
func Schema(line []byte) error {
	s, err := compiled()
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
	if err != nil {
		return err
	}
	return s.Validate(value)
}

var compiled = sync.OnceValues(func() (*jsonschema.Schema, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema.Text()))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	const name = "record.schema.json"
	if err := c.AddResource(name, document); err != nil {
		return nil, err
	}
	return c.Compile(name)
})

// Keys are the keys of a record in their order, which is that of the schema's "required".
func Keys() ([]string, error) {
	var s struct{ Required []string }
	err := json.Unmarshal(schema.Text(), &s)
	return s.Required, err
}

// plain asks for the bytes that a terminal and a grep can be given, and for JSON without a choice of spelling.
func plain(line []byte) error {
	if len(line) > maxLine {
		return fmt.Errorf("%d bytes", len(line))
	}
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c < 0x20 || c > 0x7e:
			return fmt.Errorf("the byte %#02x at %d", c, i)
		case c == '\\' && i+1 < len(line) && (line[i+1] == '\\' || line[i+1] == '"'):
			i++
		case c == '\\':
			return fmt.Errorf("an escape other than \\\\ and \\\" at %d", i)
		}
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, line); err != nil {
		return err
	}
	if compact.Len() != len(line) {
		return errors.New("blanks outside of texts")
	}
	return nil
}

// ordered asks for every key once, in its place, and no other.
func ordered(line []byte) error {
	want, err := Keys()
	if err != nil {
		return err
	}
	var keys []string
	d := json.NewDecoder(bytes.NewReader(line))
	for i := 0; ; i++ {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if key, ok := token.(string); ok && i%2 == 1 {
			keys = append(keys, key)
		}
	}
	if !slices.Equal(keys, want) {
		return fmt.Errorf("the keys %q, want %q", keys, want)
	}
	return nil
}

func bounded(line []byte) error {
	var fields map[string]any
	if err := json.Unmarshal(line, &fields); err != nil {
		return err
	}
	for name, value := range fields {
		text, _ := value.(string)
		limit := maxText
		if name == "request" {
			limit = maxRequest
		}
		if n := size(text); n > limit {
			return fmt.Errorf("%s has %d bytes, more than %d", name, n, limit)
		}
	}
	request, _ := fields["request"].(string)
	if n, _ := fields["request_bytes"].(float64); size(request) > int(n) {
		return fmt.Errorf("request has %d bytes, more than request_bytes says", size(request))
	}
	return nil
}

// size is how many bytes an escaped text stands for.
func size(text string) int {
	text = strings.ReplaceAll(text, `\\`, "_")
	return len(text) - 3*strings.Count(text, `\x`)
}

// Zip compresses lines, as logrotate has a rotated log compressed.
func Zip(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(text))
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
