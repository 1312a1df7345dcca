// Package schema holds the JSON Schema of a record, for programs that read the log and for tests. It is no part of the product.
package schema

import _ "embed"

//go:embed record.schema.json
var text []byte

// Text is the schema, JSON Schema draft 2020-12, of one line of the log. It must not be changed.
func Text() []byte { return text }
