// Package examples holds policies to copy. They are embedded for the demonstration and for the tests that keep them true.
package examples

import "embed"

// Files are the policies, and config.toml, which is a host's configuration.
//
//go:embed *.toml
var Files embed.FS
