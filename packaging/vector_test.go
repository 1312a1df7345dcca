package packaging

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

// vectorOptions are, for each kind of component that the example has, the options of Vector's reference that it uses, with the types
// of their values. Vector itself is in no package archive that the tests can install from.
var vectorOptions = map[string]map[string]string{
	"sources.file":     {"include": "[]interface {}", "max_line_bytes": "int64"},
	"transforms.remap": {"drop_on_error": "bool", "reroute_dropped": "bool", "source": "string"},
	"sinks.vector": {
		"address": "string", "acknowledgements.enabled": "bool", "tls.enabled": "bool", "tls.ca_file": "string", "tls.crt_file": "string", "tls.key_file": "string",
	},
	"sinks.file": {"path": "string", "encoding.codec": "string"},
}

func TestVector(t *testing.T) {
	var config map[string]map[string]map[string]any
	if _, err := toml.DecodeFile("vector/ssh-gate.toml", &config); err != nil {
		t.Fatal(err)
	}
	outputs := vectorOutputs(config)
	used := map[string]bool{}
	for kind, components := range config {
		for name, options := range components {
			component := kind + "." + fmt.Sprint(options["type"])
			known, ok := vectorOptions[component]
			if !ok {
				t.Errorf("%s is of a kind that is not in the list: %s", name, component)
			}
			inputs, _ := options["inputs"].([]any)
			if len(inputs) == 0 != (kind == "sources") {
				t.Errorf("%s has the inputs %v", name, inputs)
			}
			for _, input := range inputs {
				used[fmt.Sprint(input)] = true
				if !slices.Contains(outputs, fmt.Sprint(input)) {
					t.Errorf("%s takes from %v, which is none of %v", name, input, outputs)
				}
			}
			delete(options, "type")
			delete(options, "inputs")
			for option, value := range flat("", options) {
				if got := fmt.Sprintf("%T", value); known[option] != got {
					t.Errorf("%s has the option %s of type %s, want %q", name, option, got, known[option])
				}
			}
		}
	}
	for _, output := range outputs {
		if !used[output] {
			t.Errorf("nothing takes from %s", output)
		}
	}
}

// vectorOutputs are what components can take from: sources, transforms, and what these drop, if they say so.
func vectorOutputs(config map[string]map[string]map[string]any) (outputs []string) {
	for _, kind := range []string{"sources", "transforms"} {
		for name, options := range config[kind] {
			outputs = append(outputs, name)
			if options["reroute_dropped"] == true {
				outputs = append(outputs, name+".dropped")
			}
		}
	}
	return outputs
}

// flat gives nested options their dotted names.
func flat(prefix string, options map[string]any) map[string]any {
	all := map[string]any{}
	for name, value := range options {
		table, ok := value.(map[string]any)
		if !ok {
			all[prefix+name] = value
			continue
		}
		for name, value := range flat(prefix+name+".", table) {
			all[name] = value
		}
	}
	return all
}

// TestVectorReadsTheLog: the files, and a bound that no record exceeds.
func TestVectorReadsTheLog(t *testing.T) {
	text := read(t, "vector/ssh-gate.toml")
	log := strings.Fields(read(t, rotation)[strings.Index(read(t, rotation), "\n/"):])[0]
	edit(t, text, fmt.Sprintf("include = [%q, %q]", log, log+".1"), "")
	edit(t, text, "max_line_bytes = 65536", "")
	worst := strings.Repeat("\xff", 100_000)
	if n := len(line(denial("no-rule", "192.0.2.1", worst))); n > 65536 || n <= 32<<10 {
		t.Errorf("the longest record has %d bytes", n)
	}
}
