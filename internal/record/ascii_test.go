package record

import (
	"encoding/json"
	"reflect"
	"testing"
)

// FuzzASCII: the text is the same JSON, and printable ASCII.
func FuzzASCII(f *testing.F) {
	for _, text := range []string{"", "a", "\x00\x1b\x7f", "\u009b\u202e\ufeff\uffff", "\U000e0041\U0010ffff😀", "\xff\xc0\x80", `"\`, "\u2028<>&"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		raw, err := json.MarshalIndent(map[string]any{text: []string{text}}, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got := ASCII(raw)
		for _, c := range got {
			if (c < 0x20 || c > 0x7e) && c != '\n' {
				t.Fatalf("byte %#02x in %q", c, got)
			}
		}
		var before, after any
		if err := json.Unmarshal(raw, &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(got, &after); err != nil || !reflect.DeepEqual(before, after) {
			t.Fatalf("%v: %q became %q", err, raw, got)
		}
	})
}
