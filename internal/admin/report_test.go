package admin

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"example.org/ssh-gate/internal/lint"
)

// sarifShape is what SARIF 2.1.0 (OASIS Standard, section 3) demands of the objects that check writes, and that it writes no others.
const sarifShape = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object", "additionalProperties": false, "required": ["version", "runs", "$schema"],
  "properties": {
    "$schema": {"type": "string", "format": "uri"},
    "version": {"const": "2.1.0"},
    "runs": {"type": "array", "minItems": 1, "maxItems": 1, "items": {
      "type": "object", "additionalProperties": false, "required": ["tool", "results"],
      "properties": {
        "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
        "tool": {"type": "object", "additionalProperties": false, "required": ["driver"], "properties": {"driver": {
          "type": "object", "additionalProperties": false, "required": ["name", "version", "rules"],
          "properties": {"name": {"const": "ssh-gate"}, "version": {"type": "string"}, "rules": {"type": "array", "uniqueItems": true, "items": {
            "type": "object", "additionalProperties": false, "required": ["id"],
            "properties": {
              "id": {"type": "string", "minLength": 1}, "shortDescription": {"$ref": "#/$defs/message"}, "fullDescription": {"$ref": "#/$defs/message"}, "help": {"$ref": "#/$defs/message"},
              "defaultConfiguration": {"type": "object", "additionalProperties": false, "properties": {"level": {"$ref": "#/$defs/level"}}}
            }}}}}}},
        "results": {"type": "array", "items": {
          "type": "object", "additionalProperties": false, "required": ["message", "ruleId", "ruleIndex", "level", "locations"],
          "properties": {
            "ruleId": {"type": "string"}, "ruleIndex": {"type": "integer", "minimum": 0}, "level": {"$ref": "#/$defs/level"}, "message": {"$ref": "#/$defs/message"},
            "locations": {"type": "array", "minItems": 1, "maxItems": 1, "items": {
              "type": "object", "additionalProperties": false, "required": ["physicalLocation"],
              "properties": {"physicalLocation": {"type": "object", "additionalProperties": false, "required": ["artifactLocation"], "properties": {
                "artifactLocation": {"type": "object", "additionalProperties": false, "required": ["uri"], "properties": {"uri": {"type": "string", "pattern": "^file:///[A-Za-z0-9/._~%-]*$"}}},
                "region": {"type": "object", "additionalProperties": false, "required": ["startLine"], "properties": {
                  "startLine": {"type": "integer", "minimum": 1}, "startColumn": {"type": "integer", "minimum": 1}, "endColumn": {"type": "integer", "minimum": 1}, "snippet": {"$ref": "#/$defs/message"}}}}}}}}
          }}}
      }}}
  },
  "$defs": {
    "level": {"enum": ["none", "note", "warning", "error"]},
    "message": {"type": "object", "additionalProperties": false, "required": ["text"], "properties": {"text": {"type": "string"}}}
  }
}`

// TestSARIF holds the output against the standard, and against what --json says of the same files.
func TestSARIF(t *testing.T) {
	d := newDesk(t)
	d.write("keys/ci.toml", "from = [\"0.0.0.0/0\"]\n[[allow]]\ncommand = \"tail {x*}\" # é\nargs.x = { text = [0, 9] }\n")
	d.write("keys/broken.toml", "# \u202e\n\"é\" = 1 # \u202e\n")
	d.write("keys/a b%#?ä.toml", "")
	shape, err := jsonschema.UnmarshalJSON(strings.NewReader(sarifShape))
	check(t, err)
	compiler := jsonschema.NewCompiler()
	check(t, compiler.AddResource("sarif.json", shape))
	schema, err := compiler.Compile("sarif.json")
	check(t, err)
	for _, args := range [][]string{{"--policy-dir", "$DIR/keys"}, {"--level", "error", "--policy-dir", "$DIR/keys", "ci"}, {"$DIR/none.toml"}} {
		got := d.run(append([]string{"check", "--sarif"}, args...)...)
		got.out = strings.ReplaceAll(got.out, "$DIR", d.dir)
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(got.out))
		check(t, err)
		if err := schema.Validate(value); err != nil {
			t.Errorf("%q: %v\n%s", args, err, got.out)
		}
		var log struct {
			Runs []struct {
				Tool struct {
					Driver struct{ Rules []struct{ ID string } }
				}
				Results []struct {
					RuleID    string
					RuleIndex int
					Level     lint.Severity
					Message   struct{ Text string }
					Locations []struct {
						PhysicalLocation struct {
							ArtifactLocation struct{ URI string }
							Region           struct{ StartLine, StartColumn, EndColumn int }
						}
					}
				}
			}
		}
		check(t, json.Unmarshal([]byte(got.out), &log))
		r, status := d.checked(args...)
		run := log.Runs[0]
		if got.status != status || len(run.Results) != len(r.Findings) {
			t.Fatalf("%q: status %d with %d results; as JSON %d with %d", args, got.status, len(run.Results), status, len(r.Findings))
		}
		for i, result := range run.Results {
			f := r.Findings[i]
			if result.RuleID != f.ID || run.Tool.Driver.Rules[result.RuleIndex].ID != f.ID || result.Level != f.Severity || !strings.Contains(result.Message.Text, f.Message) {
				t.Errorf("%+v is no %+v", result, f)
			}
			at := result.Locations[0].PhysicalLocation
			if at.Region.StartLine != f.Line || at.Region.StartColumn != f.Column || at.Region.EndColumn != f.Column+f.Length {
				t.Errorf("%+v is not at %+v", at, f)
			}
			uri, err := url.Parse(at.ArtifactLocation.URI)
			if err != nil || uri.Path != strings.ReplaceAll(f.File, "$DIR", d.dir) {
				t.Errorf("%v: %q is not %q", err, at.ArtifactLocation.URI, f.File)
			}
		}
	}
}

// TestOrder: findings stand in the order of files and of lines.
func TestOrder(t *testing.T) {
	d := newDesk(t)
	for _, name := range []string{"b", "a", "c"} {
		d.write("keys/"+name+".toml", "x = 1\ny = 2\nz = 3\n")
	}
	r, _ := d.checked("--policy-dir", "$DIR/keys")
	if len(r.Findings) != 9 || !slices.IsSortedFunc(r.Findings, func(a, b reported) int {
		return strings.Compare(a.File+":"+string(rune('0'+a.Line)), b.File+":"+string(rune('0'+b.Line)))
	}) {
		t.Errorf("%+v", r.Findings)
	}
}
