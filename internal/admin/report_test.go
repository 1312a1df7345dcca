package admin

import (
	"encoding/json"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"example.org/ssh-gate/internal/lint"
)

// sarifShape is what SARIF 2.1.0 (OASIS Standard, section 3) demands of the objects that check writes, and that it writes no others: sarifLog
// (3.13), run (3.14), tool (3.18), toolComponent (3.19), result (3.27), location (3.28), physicalLocation (3.29), artifactLocation (3.4),
// region (3.30), reportingDescriptor (3.49), reportingConfiguration (3.50) and message (3.11). It is written by hand from the standard, of
// which it has what these properties may be, and is not the standard's own schema. What a schema cannot say TestSARIF does: each ruleId
// is the id of one rule, the one at ruleIndex; lines and columns count from 1, in code points, and endColumn is the first behind the region;
// URIs are absolute and escaped as in RFC 3986.
const sarifShape = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object", "additionalProperties": false, "required": ["version", "runs", "$schema"],
  "properties": {
    "$schema": {"const": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"},
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
                  "startLine": {"type": "integer", "minimum": 1}, "startColumn": {"type": "integer", "minimum": 1}, "endColumn": {"type": "integer", "minimum": 2}, "snippet": {"$ref": "#/$defs/message"}}}}}}}}
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
	d.write("keys/ci.toml", "from = [\"0.0.0.0/0\"]\n[[allow]]\ncommand = \"tail é {x*}\" # é\nargs.x = { text = [0, 9] }\n")
	d.write("keys/broken.toml", "# \u202e\n\"é\" = 1 # \u202e\n")
	marked := map[string]string{"policy-invalid": `"é"`, "from-everything": `"0.0.0.0/0"`, "reads-anywhere": `"tail é {x*}"`, "stray-file": "", "never-expires": "f"}
	escaped := "/keys/a%20b%25%23%3F%C3%A4.toml" // of the file without a policy's name
	seen := map[string]bool{}
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
							Region           *struct {
								StartLine, StartColumn, EndColumn int
								Snippet                           struct{ Text string }
							}
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
		rules := map[string]int{}
		for i, rule := range run.Tool.Driver.Rules {
			rules[rule.ID] = i
		}
		if len(rules) != len(run.Tool.Driver.Rules) {
			t.Errorf("%q: an id stands twice among %d rules", args, len(run.Tool.Driver.Rules))
		}
		for i, result := range run.Results {
			f := r.Findings[i]
			if at, known := rules[result.RuleID]; !known || at != result.RuleIndex {
				t.Errorf("%+v is of the rule %d, %t", result, at, known)
			}
			if result.RuleID != f.ID || run.Tool.Driver.Rules[result.RuleIndex].ID != f.ID || result.Level != f.Severity || !strings.Contains(result.Message.Text, f.Message) {
				t.Errorf("%+v is no %+v", result, f)
			}
			at := result.Locations[0].PhysicalLocation
			text := ""
			if region := at.Region; region != nil {
				whole, err := os.ReadFile(strings.ReplaceAll(f.File, "$DIR", d.dir))
				check(t, err)
				line := strings.Split(string(whole), "\n")[region.StartLine-1]
				text = string([]rune(line)[region.StartColumn-1 : region.EndColumn-1])
				if region.Snippet.Text != line || region.StartLine != f.Line || region.StartColumn != f.Column || region.EndColumn != f.Column+f.Length {
					t.Errorf("%+v is not at %+v", *region, f)
				}
			}
			if want, known := marked[f.ID]; known && text != want {
				t.Errorf("%s marks %q, want %q", f.ID, text, want)
			}
			seen[f.ID] = true
			if f.ID == "stray-file" && !strings.HasSuffix(at.ArtifactLocation.URI, escaped) {
				t.Errorf("%s is no %s", at.ArtifactLocation.URI, escaped)
			}
			uri, err := url.Parse(at.ArtifactLocation.URI)
			if err != nil || uri.Path != strings.ReplaceAll(f.File, "$DIR", d.dir) {
				t.Errorf("%v: %q is not %q", err, at.ArtifactLocation.URI, f.File)
			}
		}
	}
	for id := range marked {
		if !seen[id] {
			t.Errorf("nothing has %s", id)
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
