package spec

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"slices"
	"sync"
)

// A cache file keeps what was parsed for the next process: parsing takes half of its time for many files. It is of one build of
// the program alone, whose digest it begins with, and it ends with its own. A file of specs with problems or warnings, or of
// defaults, is not in it. What cannot be used of it is parsed.

const (
	cacheFormat = "usersyncd parsed specs 1\n"
	fewParsed   = 1000    // so few files are parsed again rather than that the cache is written
	maxCached   = 4 << 20 // bytes of a text, and entries of a list
)

var errCache = errors.New("it is damaged, or another program's")

// ReadCache makes the first Load use a cache file, if it is there and this build of the program has written it.
func (l *Loader) ReadCache(name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read from
	sum := sha256.New()
	c := &cacheCoder{in: bufio.NewReaderSize(f, 1<<16), sum: sum, texts: map[string]string{}}
	files, err := c.files(nil)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	l.parsed = files
	return nil
}

// WriteCache writes the cache file, if so many files were parsed since the last time that it is worth it.
func (l *Loader) WriteCache(name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.uncached < fewParsed {
		return nil
	}
	l.uncached = 0
	temporary := name + ".new"
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	sum := sha256.New()
	out := bufio.NewWriterSize(f, 1<<16)
	c := &cacheCoder{out: io.MultiWriter(out, sum), sum: sum}
	_, err = c.files(l.parsed)
	if err == nil {
		_, err = out.Write(sum.Sum(nil))
	}
	if err == nil {
		err = out.Flush()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(temporary, name)
	}
	if err != nil {
		_ = os.Remove(temporary) // it takes room, and is written again in any case
	}
	return err
}

// buildDigest is that of the running program's file.
var buildDigest = sync.OnceValues(func() (digest [sha256.Size]byte, err error) {
	name, err := os.Executable()
	if err != nil {
		return digest, err
	}
	f, err := os.Open(name)
	if err != nil {
		return digest, err
	}
	defer func() { _ = f.Close() }() // only read from
	h := sha256.New()
	_, err = io.Copy(h, f)
	h.Sum(digest[:0])
	return digest, err
})

// A cacheCoder writes values if it has an out, and reads them otherwise, so that both agree. After an error it does nothing.
type cacheCoder struct {
	out   io.Writer
	in    *bufio.Reader
	sum   hash.Hash         // of what was read
	texts map[string]string // read before: most are the same as another one
	buf   []byte
	err   error
}

// files codes all files.
func (c *cacheCoder) files(all map[string]parsedFile) (map[string]parsedFile, error) {
	build, err := buildDigest()
	if err != nil {
		return nil, err
	}
	begin := append([]byte(cacheFormat), build[:]...)
	header := bytes.Clone(begin)
	if c.bytes(header); c.err == nil && !bytes.Equal(header, begin) {
		c.err = errCache
	}
	if c.out != nil {
		for name, p := range all {
			if c.err != nil {
				break
			}
			if p.defaults == nil && p.problems.ProblemCount() == 0 && len(p.warnings) == 0 && len(p.declarations) > 0 {
				c.file(&name, &p)
			}
		}
		end := ""
		c.text(&end)
		return nil, c.err
	}
	all = map[string]parsedFile{}
	for c.err == nil {
		var name string
		var p parsedFile
		if c.file(&name, &p); name == "" {
			break
		}
		all[name] = p
	}
	want := c.sum.Sum(nil)
	have := make([]byte, len(want))
	if c.bytes(have); c.err == nil && !bytes.Equal(have, want) {
		c.err = errCache
	}
	return all, c.err
}

func (c *cacheCoder) file(name *string, p *parsedFile) {
	if c.text(name); *name == "" {
		return
	}
	c.bytes(p.hash[:])
	c.text(&p.inherited)
	codeList(c, &p.declarations, func(d *declaration) {
		if d.user == nil {
			d.user = &User{}
		}
		c.user(d.user)
		c.truth(&d.ok)
		c.truth(&d.inactive)
		codeList(c, &d.doubtful, c.text)
		c.text(&d.path)
		c.pos(&d.emailAt)
		c.pos(&d.idAt)
		codeList(c, &d.former, func(f *former) {
			c.text(&f.key)
			c.pos(&f.at)
			c.text(&f.field)
		})
	})
}

func (c *cacheCoder) user(u *User) {
	c.text(&u.Key)
	c.pos(&u.Pos)
	c.number(&u.Ordinal)
	c.text(&u.ID)
	codeList(c, &u.PreviousEmails, c.text)
	c.fields(&u.Fields)
	codeList(c, &u.At.files, c.text)
	codeList(c, &u.At.at, func(at *uint64) { codeNumber(c, at) })
	c.fields(&u.OwnParts)
}

// fields are coded in the order of the format.
func (c *cacheCoder) fields(all *Fields) {
	n := len(*all)
	if c.number(&n); n == 0 || c.err != nil {
		return
	}
	if c.out == nil {
		*all = make(Fields, 0, min(n, len(table)))
	}
	for i := range table {
		v := string(all.Get(table[i].Field))
		if c.text(&v); c.out == nil && v != "" {
			all.Set(table[i].Field, Value(v))
		}
	}
}

func (c *cacheCoder) pos(p *Pos) {
	c.text(&p.File)
	c.number(&p.Line)
	c.number(&p.Column)
}

func (c *cacheCoder) truth(b *bool) {
	n := 0
	if *b {
		n = 1
	}
	if c.number(&n); c.out == nil {
		*b = n == 1
	}
}

func (c *cacheCoder) number(n *int) { codeNumber(c, n) }

// length codes how long a text or a list is.
func (c *cacheCoder) length(n *int) {
	if c.number(n); c.err == nil && (*n < 0 || *n > maxCached) {
		c.err = errCache
	}
}

func codeNumber[T int | uint64](c *cacheCoder, n *T) {
	switch {
	case c.err != nil:
	case c.out != nil:
		c.buf = binary.AppendUvarint(c.buf[:0], uint64(*n)) //nolint:gosec // none is negative
		_, c.err = c.out.Write(c.buf)
	default:
		var v uint64
		v, c.err = binary.ReadUvarint(c.in)
		c.buf = binary.AppendUvarint(c.buf[:0], v)
		c.sum.Write(c.buf)
		*n = T(v)
	}
}

func (c *cacheCoder) bytes(b []byte) {
	switch {
	case c.err != nil:
	case c.out != nil:
		_, c.err = c.out.Write(b)
	default:
		_, c.err = io.ReadFull(c.in, b)
		c.sum.Write(b)
	}
}

func (c *cacheCoder) text(s *string) {
	n := len(*s)
	if c.length(&n); c.err != nil {
		return
	}
	if c.out != nil {
		_, c.err = io.WriteString(c.out, *s)
		return
	}
	c.buf = slices.Grow(c.buf[:0], n)[:n]
	b := c.buf
	c.bytes(b)
	known, ok := c.texts[string(b)]
	if !ok {
		known = string(b)
		c.texts[known] = known
	}
	*s = known
}

// codeList codes a list: nil and an empty one are the same.
func codeList[T any](c *cacheCoder, list *[]T, each func(*T)) {
	n := len(*list)
	if c.length(&n); c.out == nil && c.err == nil {
		*list = slices.Grow(*list, min(n, 1<<10)) // what is read may be damaged
	}
	for i := 0; i < n && c.err == nil; i++ {
		if i == len(*list) {
			var one T
			*list = append(*list, one)
		}
		each(&(*list)[i])
	}
}
