package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The test binary is the program, too: tests that need a process of its own run "usersyncd" from PATH.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"usersyncd": main})
}
