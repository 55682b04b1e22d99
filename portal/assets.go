package portal

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"ribambelle/internal/problem"
)

//go:embed static
var staticFiles embed.FS

const staticPrefix = "/static/"

// asset is one embedded file under an address that changes with its bytes, so that browsers keep it for ever.
type asset struct {
	url   string
	kind  string
	bytes []byte
}

// assetKinds are the files that are served; any other extension in static/ is refused at start.
var assetKinds = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
	".png": "image/png",
	".ico": "image/x-icon",
}

// loadAssets returns the embedded files by name and by address.
func loadAssets() (byName, byURL map[string]asset, err error) {
	byName, byURL = map[string]asset{}, map[string]asset{}
	err = fs.WalkDir(staticFiles, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := staticFiles.ReadFile(name)
		if err != nil {
			return err
		}
		ext := path.Ext(name)
		kind, ok := assetKinds[ext]
		if !ok {
			return fmt.Errorf("static file %s has no known content type", name)
		}
		name = strings.TrimPrefix(name, "static/")
		sum := sha256.Sum256(b)
		a := asset{kind: kind, bytes: b, url: staticPrefix + strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext}
		byName[name], byURL[a.url] = a, a
		return nil
	})
	return byName, byURL, err
}

// asset serves one embedded file by its hashed address.
func (s *server) asset(w http.ResponseWriter, r *http.Request) error {
	a, ok := s.assetURLs[r.URL.Path]
	if !ok {
		return problem.NotFound("portal.error.not_found")
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	return s.send(w, a.kind, a.bytes)
}

// favicon answers browsers that ask for /favicon.ico whatever the page says.
func (s *server) favicon(w http.ResponseWriter, _ *http.Request) error {
	a := s.assetNames["icon.svg"]
	w.Header().Set("Cache-Control", "public, max-age=86400")
	return s.send(w, a.kind, a.bytes)
}
