package spec_test

import (
	"os"
	"testing"

	"usersyncd/spec/memtemp"
)

func TestMain(m *testing.M) { os.Exit(memtemp.M{M: m}.Run()) }
