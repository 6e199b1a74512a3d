package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"usersyncd/spec/text"
)

// How many bytes of an answer are read. A page of 500 users with the fields we ask for is about 1 MiB.
const (
	maxList   = 16 << 20 // of an operation that lists
	maxEntry  = 1 << 20  // of one entry in a page
	maxObject = 4 << 20  // of any other operation
	maxError  = 64 << 10 // of an answer that is not 2xx

	maxEntries = 10_000 // in a page: 20 times what is asked for
)

// errTooLarge is why an answer was not read to its end.
var errTooLarge = errors.New("the answer is larger than any that is expected")

// A Body is the body of an answer, which is one JSON value. It is decoded as it arrives.
type Body struct {
	*json.Decoder
	from       io.Reader
	left, next int   // bytes that may still be read: in all, and of the value that is decoded next
	err        error // why not all could be read
}

// Read implements io.Reader, for the decoder.
func (b *Body) Read(p []byte) (n int, err error) {
	most := min(b.left, b.next)
	n, err = b.from.Read(p[:min(len(p), most+1)])
	if n > most {
		n, err = 0, errTooLarge
	}
	b.left, b.next = b.left-n, b.next-n
	if err != io.EOF {
		b.err = err
	}
	return n, err
}

// Entries decodes an object with a list: each entry by a call of entry, and other members into what is given by their names.
// It reports whether there is a list; null is none.
func (b *Body) Entries(list string, entry func() error, others map[string]any) (listed bool, err error) {
	if err := b.expect(json.Delim('{')); err != nil {
		return false, err
	}
	for b.More() {
		name, err := b.Token()
		if err != nil {
			return false, err
		}
		b.next = maxEntry
		if name == list {
			listed, err = b.list(entry)
		} else if into := others[name.(string)]; into != nil {
			err = b.Decode(into)
		} else {
			err = b.Decode(new(json.RawMessage))
		}
		if err != nil {
			return false, err
		}
	}
	return listed, b.expect(json.Delim('}'))
}

// list decodes a list, or null.
func (b *Body) list(entry func() error) (listed bool, err error) {
	switch t, err := b.Token(); {
	case t == nil || err != nil:
		return false, err
	case t != json.Delim('['):
		return false, fmt.Errorf("%v instead of a list", t)
	}
	for n := 0; b.More(); n++ {
		if b.next = maxEntry; n == maxEntries {
			return false, errTooLarge
		}
		if err := entry(); err != nil {
			return false, err
		}
	}
	return true, b.expect(json.Delim(']'))
}

// expect reads a delimiter.
func (b *Body) expect(delim json.Delim) error {
	t, err := b.Token()
	if err == nil && t != delim {
		err = fmt.Errorf("%v instead of %v", t, delim)
	}
	return err
}

// read reads an answer: of what is not 2xx the beginning, and else what decode decodes. Without decode nothing in the body
// counts.
func (o *Operation) read(resp *http.Response, decode func(*Body) error) (a answer, err error) {
	a = answer{status: resp.StatusCode, header: resp.Header}
	if a.status < 200 || a.status > 299 {
		a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxError))
		return a, err
	}
	limit := maxObject
	if o.Lists != "" {
		limit = maxList
	}
	if decode == nil {
		_, _ = io.CopyN(io.Discard, resp.Body, int64(limit)) // so that the connection can be used again
		return a, nil
	}
	if media, _, _ := mime.ParseMediaType(a.header.Get("Content-Type")); media != "application/json" && !strings.HasSuffix(media, "+json") {
		return a, fmt.Errorf("the answer is %q and not JSON: is this the API, or a proxy's page?", cut(text.Escape(media), 60))
	}
	b := &Body{from: resp.Body, left: limit, next: limit}
	b.Decoder = json.NewDecoder(b)
	if err = decode(b); err == nil {
		if _, err = b.Token(); errors.Is(err, io.EOF) {
			return a, nil
		} else if err == nil {
			err = errors.New("something follows the JSON value")
		}
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if b.err != nil {
		return a, b.err
	}
	if why := err.Error(); len(why) > 500 { // it quotes the answer
		err = errors.New(foreign(why, 500))
	}
	return a, fmt.Errorf("the answer cannot be read: %w", err)
}
