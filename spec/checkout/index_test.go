package checkout

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usersyncd/spec/checkout/gittest"
)

// newRepository is one with n files in some folders, committed.
func newRepository(t testing.TB, n int, init ...string) string {
	t.Helper()
	dir := t.TempDir()
	gittest.Run(t, dir, append([]string{"init", "--quiet"}, init...)...)
	for i := range n {
		write(t, dir, fmt.Sprintf("users/team %d/agent.%05d.yaml", i%7, i), fmt.Sprintf("email: agent.%d@x.example\n", i))
	}
	gittest.Run(t, dir, "add", "--all")
	gittest.Run(t, dir, "commit", "--quiet", "--message", "first")
	return dir
}

func gitWithInput(t testing.TB, dir, input string, args ...string) {
	t.Helper()
	cmd := gittest.Command(t, dir, args...)
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, out)
	}
}

// listed are the entries of an index, as git ls-files --stage prints them.
func listed(name string, format objectFormat) (lines []string, err error) {
	err = readIndex(name, format, func(e *record) {
		lines = append(lines, fmt.Sprintf("%06o %s %d\t%s", e.mode, hex.EncodeToString(e.id[:format.size]), e.stage, e.path))
	})
	slices.SortFunc(lines, func(a, b string) int {
		return strings.Compare(a[strings.IndexByte(a, '\t'):], b[strings.IndexByte(b, '\t'):])
	})
	return lines, err
}

// An index is read as git reads it, in each of its formats.
func TestIndexIsReadAsGitReadsIt(t *testing.T) {
	change := func(t *testing.T, dir string) {
		removed := ""
		for i := range 300 {
			name := fmt.Sprintf("users/team %d/agent.%05d.yaml", i%7, i)
			switch {
			case i%3 == 0 || i > 100 && i < 250:
				removed += name + "\n"
			case i%3 == 1:
				write(t, dir, name, "email: changed@x.example\n")
			}
		}
		gitWithInput(t, dir, removed, "update-index", "--force-remove", "--stdin")
		write(t, dir, "users/new.yaml", "email: new@x.example\n")
		gittest.Run(t, dir, "add", "--intent-to-add", "users/new.yaml") // makes it version 3
		gittest.Run(t, dir, "add", "--update")
	}
	for name, c := range map[string]struct {
		format  objectFormat
		prepare func(t *testing.T) string
	}{
		"version 2": {sha1Format(), func(t *testing.T) string { return newRepository(t, 20) }},
		"version 3": {sha1Format(), func(t *testing.T) string {
			dir := newRepository(t, 20)
			write(t, dir, "n.yaml", "")
			gittest.Run(t, dir, "add", "--intent-to-add", "n.yaml")
			return dir
		}},
		"version 4": {sha1Format(), func(t *testing.T) string {
			dir := newRepository(t, 200)
			gittest.Run(t, dir, "update-index", "--index-version=4")
			return dir
		}},
		"version 4 in blocks": {sha1Format(), func(t *testing.T) string {
			dir := newRepository(t, 200)
			gittest.Run(t, dir, "config", "index.threads", "4")
			gittest.Run(t, dir, "update-index", "--index-version=4", "--force-write-index")
			return dir
		}},
		"SHA-256": {sha256Format(), func(t *testing.T) string { return newRepository(t, 20, "--object-format=sha256") }},
		"SHA-256, version 4": {sha256Format(), func(t *testing.T) string {
			dir := newRepository(t, 20, "--object-format=sha256")
			gittest.Run(t, dir, "update-index", "--index-version=4")
			return dir
		}},
		"split": {sha1Format(), func(t *testing.T) string {
			dir := newRepository(t, 300)
			gittest.Run(t, dir, "config", "splitIndex.maxPercentChange", "100")
			gittest.Run(t, dir, "update-index", "--split-index")
			change(t, dir)
			return dir
		}},
		"split, version 4": {sha1Format(), func(t *testing.T) string {
			dir := newRepository(t, 300)
			gittest.Run(t, dir, "config", "splitIndex.maxPercentChange", "100")
			gittest.Run(t, dir, "update-index", "--index-version=4")
			gittest.Run(t, dir, "update-index", "--split-index")
			change(t, dir)
			return dir
		}},
		"sparse": {sha1Format(), func(t *testing.T) string {
			dir := newRepository(t, 20)
			gittest.Run(t, dir, "sparse-checkout", "set", "--cone", "--sparse-index", "users/team 3")
			return dir
		}},
		"unmerged, with links and a submodule": {sha1Format(), func(t *testing.T) string {
			dir := newRepository(t, 5)
			id := strings.TrimSpace(gittest.Run(t, dir, "hash-object", "-w", "users/team 0/agent.00000.yaml"))
			gittest.Run(t, dir, "update-index", "--force-remove", "users/team 0/agent.00000.yaml")
			cmd := "0 0000000000000000000000000000000000000000\tx.yaml\n"
			for stage := 1; stage <= 3; stage++ {
				cmd += fmt.Sprintf("100644 %s %d\tx.yaml\n", id, stage)
			}
			write(t, dir, "info", cmd)
			gitWithInput(t, dir, cmd, "update-index", "--index-info")
			gittest.Run(t, dir, "update-index", "--add", "--cacheinfo", "120000,"+id+",link", "--cacheinfo", "160000,"+id+",sub")
			return dir
		}},
		"a path of more than 4,095 bytes": {sha1Format(), func(t *testing.T) string {
			dir := newRepository(t, 5)
			gittest.Run(t, dir, "update-index", "--add", "--cacheinfo", "100644,"+strings.Repeat("1", 40)+",users/"+strings.Repeat("long/", 900)+"name.yaml")
			return dir
		}},
		"empty": {sha1Format(), func(t *testing.T) string {
			dir := newRepository(t, 1)
			gittest.Run(t, dir, "rm", "-r", "--quiet", "users")
			return dir
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := c.prepare(t)
			got, err := listed(filepath.Join(dir, ".git/index"), c.format)
			if err != nil {
				t.Fatal(err)
			}
			args := []string{"-c", "core.quotePath=false", "ls-files", "--stage"}
			if name == "sparse" {
				args = append(args, "--sparse")
			}
			out := gittest.Run(t, dir, args...)
			if diff := cmp.Diff(strings.Split(out, "\n"), append([]string{}, got...)); diff != "" && len(out)+len(got) > 0 {
				t.Error(diff)
			}
			if split, _ := filepath.Glob(filepath.Join(dir, ".git/sharedindex.*")); (len(split) > 0) != strings.HasPrefix(name, "split") {
				t.Errorf("%s: %q", name, split)
			}
		})
	}
}

// reseal gives an index the checksum that fits it.
func reseal(data []byte) []byte {
	data = data[:len(data)-sha1.Size]
	sum := sha1.Sum(data)
	return append(slices.Clip(data), sum[:]...)
}

// growing is an index whose paths take a thousand times its size.
func growing() []byte {
	const entries = 3000
	data := binary.BigEndian.AppendUint32([]byte("DIRC\x00\x00\x00\x04"), entries)
	path := bytes.Repeat([]byte("x"), 4000)
	for i := range entries {
		data = append(data, make([]byte, 24)...)
		data = binary.BigEndian.AppendUint32(data, 0o100644)
		data = append(data, make([]byte, 12+sha1.Size)...)
		data = append(data, 0x0f, 0xff, 0) // nothing comes off
		if i == 0 {
			data = append(data, path...)
		}
		data = append(data, "1\x00"...)
	}
	return reseal(append(data, make([]byte, sha1.Size)...))
}

// What is damaged is said to be, wherever it is.
func TestDamagedIndex(t *testing.T) {
	dir := newRepository(t, 3)
	whole, err := os.ReadFile(filepath.Join(dir, ".git/index"))
	if err != nil {
		t.Fatal(err)
	}
	with := func(at int, b ...byte) []byte {
		data := bytes.Clone(whole)
		copy(data[at:], b)
		return data
	}
	extension := func(name string, content ...byte) []byte {
		data := append(bytes.Clone(whole[:len(whole)-sha1.Size]), name...)
		data = append(binary.BigEndian.AppendUint32(data, uint32(len(content))), content...)
		return reseal(append(data, make([]byte, sha1.Size)...))
	}
	unsealed := with(len(whole)-sha1.Size, make([]byte, sha1.Size)...)
	for name, c := range map[string]struct {
		data []byte
		says string // "" if it is in order
	}{
		"as it is":              {whole, ""},
		"without a checksum":    {unsealed, ""}, // index.skipHash
		"another checksum":      {with(len(whole)-1, whole[len(whole)-1]+1), ": damaged"},
		"paths that grow":       {growing(), ": damaged"},
		"a bit in the middle":   {with(100, whole[100]^1), ": damaged"},
		"other magic":           {reseal(with(0, 'X')), ": damaged"},
		"version 1":             {reseal(with(7, 1)), ": version 1 is not supported"},
		"version 5":             {reseal(with(7, 5)), ": version 5 is not supported"},
		"more entries":          {reseal(with(11, 200)), ": damaged"},
		"no entries":            {reseal(with(11, 0)), ": damaged"}, // what follows is no extension
		"another name's length": {reseal(with(12+60, 0, 3)), ": damaged"},
		"extended in version 2": {reseal(with(12+60, 0x40)), ": damaged"},
		"out of order":          {reseal(with(12+62, 'z')), ": damaged"},
		"an extension more":     {extension("ABCD", 1, 2, 3), ""},
		"one that is not known": {extension("abcd", 1, 2, 3), `: extension "abcd" is not supported`},
		"one that is too long":  {reseal(append(append(bytes.Clone(whole[:len(whole)-sha1.Size]), "ABCD\xff\xff\xff\xff"...), make([]byte, sha1.Size)...)), ": damaged"},
		"a link that is short":  {extension("link", 1, 2, 3), ": damaged"},
		"a link to nothing":     {extension("link", make([]byte, sha1.Size)...), ""},
		"a link to no file":     {extension("link", bytes.Repeat([]byte{7}, sha1.Size)...), ": no such file"},
		"half a bitmap":         {extension("link", append(make([]byte, sha1.Size), 0, 0, 0, 9)...), ": damaged"},
		"cut off":               {whole[:50], ": damaged"},
		"nothing":               {nil, ": damaged"},
	} {
		file := filepath.Join(t.TempDir(), "index")
		if err := os.WriteFile(file, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		lines, err := listed(file, sha1Format())
		if c.says == "" && (err != nil || len(lines) != 3) || c.says != "" && (err == nil || !strings.HasPrefix(err.Error(), file) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v, %d entries", name, err, len(lines))
		}
	}
	if err := os.Truncate(filepath.Join(dir, ".git/index"), maxIndex+1); err != nil {
		t.Fatal(err)
	}
	x := index{format: sha1Format()}
	if err := x.read(filepath.Join(dir, ".git/index")); !errors.Is(err, errTooLarge) || !strings.Contains(err.Error(), "/.git/index: too large: more than 256 MiB") {
		t.Errorf("a large one: %v", err)
	}
}

// Bitmaps that claim more than they hold.
func TestDamagedBitmap(t *testing.T) {
	words := func(size, count uint32, words ...uint64) []byte {
		data := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, size), count)
		for _, w := range words {
			data = binary.BigEndian.AppendUint64(data, w)
		}
		return append(data, 0, 0, 0, 0)
	}
	for name, c := range map[string]struct {
		data []byte
		want []int // nil if it is damaged
	}{
		"ones, then literals":         {words(200, 2, 1|1<<1|1<<33, 5), append(slices.Collect(numbers(64)), 64, 66)},
		"zeros, then literals":        {words(200, 2, 2<<1|1<<33, 1<<63), []int{128 + 63}},
		"empty":                       {words(0, 0), []int{}},
		"a run too long":              {words(200, 1, 1|0xffffffff<<1), nil},
		"literals that are not there": {words(200, 1, 3<<33), nil},
		"more words than there are":   {words(200, 9, 0), nil},
		"more bits than any index":    {words(0xffffffff, 0), nil},
	} {
		b, rest, err := readBitmap(c.data)
		got := []int{}
		for i := range 1000 {
			if b.has(i) {
				got = append(got, i)
			}
		}
		if (err == nil) != (c.want != nil) || err == nil && (!slices.Equal(got, c.want) || len(rest) > 0) {
			t.Errorf("%s: %v, %v, %d bytes left", name, got, err, len(rest))
		}
	}
}

func numbers(n int) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

// FuzzIndex: whatever an index holds, reading ends with entries in order, or with an error. The checksum is made to fit,
// as it keeps nearly everything out.
func FuzzIndex(f *testing.F) {
	for _, args := range [][]string{nil, {"update-index", "--index-version=4"}, {"update-index", "--split-index"}, {"update-index", "--untracked-cache"}} {
		dir := newRepository(f, 4)
		if args != nil {
			gittest.Run(f, dir, args...)
		}
		shared, _ := filepath.Glob(filepath.Join(dir, ".git/sharedindex.*"))
		for _, name := range append(shared, filepath.Join(dir, ".git/index")) {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data, len(shared) > 0)
		}
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte, shared bool) {
		if len(data) < sha1.Size {
			return
		}
		data = reseal(data)
		name := filepath.Join(dir, "index")
		if shared { // the fuzzed one is what a whole one links to
			name = filepath.Join(dir, "sharedindex."+strings.Repeat("01", sha1.Size))
			link := append([]byte("DIRC\x00\x00\x00\x02\x00\x00\x00\x00link\x00\x00\x00\x14"), bytes.Repeat([]byte{1}, sha1.Size)...)
			if err := os.WriteFile(filepath.Join(dir, "index"), reseal(append(link, make([]byte, sha1.Size)...)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		x := index{format: sha1Format(), folder: "users", wanted: func(string, bool) bool { return true }}
		if err := x.read(filepath.Join(dir, "index")); err != nil {
			return
		}
		for i, e := range x.entries {
			if e.path == "" || i > 0 && x.entries[i-1].path >= e.path {
				t.Errorf("%d: %q", i, e.path)
			}
		}
	})
}

// BenchmarkIndex reads the index of 50,000 files, which happens once for each time that git writes it.
func BenchmarkIndex(b *testing.B) {
	const files = 50_000
	dir := b.TempDir()
	gittest.Run(b, dir, "init", "--quiet")
	var info strings.Builder
	for i := range files {
		fmt.Fprintf(&info, "100644 %040x 0\tusers/team%02d/agent.%05d.yaml\n", i+1, i%100, i)
	}
	gitWithInput(b, dir, info.String(), "update-index", "--index-info")
	for _, version := range []string{"2", "4"} {
		gittest.Run(b, dir, "update-index", "--index-version="+version)
		b.Run("version "+version, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				x := index{format: sha1Format(), folder: "users", wanted: func(string, bool) bool { return true }}
				if err := x.read(filepath.Join(dir, ".git/index")); err != nil || len(x.entries) != files {
					b.Fatal(len(x.entries), err)
				}
			}
		})
	}
}
