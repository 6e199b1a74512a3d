package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed assets
var embedded embed.FS

// assets are the files of the page, as they are served.
type assets struct {
	files map[string]asset // by path below /assets/
	index []byte           // of /, with the hashes of the files in it
	build string           // hash of all
}

type asset struct {
	content []byte
	hash    string
}

// contentTypes are spelled out: those of package mime depend on the machine.
var contentTypes = map[string]string{
	".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", "": "text/plain; charset=utf-8",
}

// loadAssets reads what is embedded.
func loadAssets() (*assets, error) {
	a := &assets{files: map[string]asset{}}
	whole := sha256.New()
	var index string
	err := fs.WalkDir(embedded, "assets", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := embedded.ReadFile(name)
		if err != nil {
			return err
		}
		_, _ = whole.Write(content)
		if name == "assets/index.html" {
			index = string(content)
			return nil
		}
		if _, known := contentTypes[path.Ext(name)]; !known {
			return fmt.Errorf("%s: no content type for it", name)
		}
		sum := sha256.Sum256(content)
		a.files[strings.TrimPrefix(name, "assets/")] = asset{content, hex.EncodeToString(sum[:8])}
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.build = hex.EncodeToString(whole.Sum(nil)[:8])
	page, err := template.New("index.html").Funcs(template.FuncMap{"asset": a.link}).Parse(index)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := page.Execute(&out, map[string]string{"Build": a.build}); err != nil {
		return nil, err
	}
	a.index = out.Bytes()
	return a, nil
}

// link is the address of a file; another content has another one.
func (a *assets) link(name string) (string, error) {
	f, ok := a.files[name]
	if !ok {
		return "", fmt.Errorf("%s: no such file", name)
	}
	return "/assets/" + name + "?v=" + f.hash, nil
}

func (a *assets) page(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.index))
}

// serve serves a file. A browser may keep it for ever if it asked for this very content.
func (a *assets) serve(w http.ResponseWriter, r *http.Request) {
	f, ok := a.files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", contentTypes[path.Ext(r.URL.Path)])
	h.Set("ETag", `"`+f.hash+`"`)
	h.Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == f.hash {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.content))
}
