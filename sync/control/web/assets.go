package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"time"
)

//go:embed assets
var embedded embed.FS

// assets are the files of the page, as they are served.
type assets struct {
	index []byte // of /
	build string // hash of all files; it is in their addresses, so that a browser may keep them
}

// contentTypes are of the files below /assets/, and spelled out: those of package mime depend on the machine.
var contentTypes = map[string]string{
	".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", "": "text/plain; charset=utf-8",
}

// loadAssets reads what is embedded.
func loadAssets() (*assets, error) {
	hash := sha256.New()
	err := fs.WalkDir(embedded, "assets", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := embedded.ReadFile(name)
		_, _ = hash.Write(content) // it never fails
		return err
	})
	if err != nil {
		return nil, err
	}
	page, err := template.ParseFS(embedded, "assets/index.html")
	if err != nil {
		return nil, err
	}
	build := hex.EncodeToString(hash.Sum(nil)[:8])
	var out bytes.Buffer
	if err := page.Execute(&out, build); err != nil {
		return nil, err
	}
	return &assets{out.Bytes(), build}, nil
}

func (a *assets) page(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.index))
}

// serve serves a file below /assets/. A browser may keep it if its address has this build.
func (a *assets) serve(w http.ResponseWriter, r *http.Request) {
	contentType, known := contentTypes[path.Ext(r.URL.Path)]
	content, err := embedded.ReadFile("assets/" + r.URL.Path)
	if err != nil || !known {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("ETag", `"`+a.build+`"`)
	h.Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == a.build {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}
